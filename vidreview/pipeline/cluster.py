"""Exhibits are scanned on other machines, which a Dask scheduler knows; the case stays on the one that asked.

Each machine reads the evidence from the same path, and decodes it in a child process of its own, within the same bounds
as on one machine. A machine that dies gives its exhibit back to the scheduler, which has another one scan it.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vidreview.detect import Detector
from vidreview.errors import ModelError, UsageError, VidreviewError
from vidreview.pipeline.child import Setup
from vidreview.pipeline.children import TRIES, WATCH_S, Children, Limits
from vidreview.pipeline.messages import LAST, Crashed, Hello, Message, Task, pack, unpack
from vidreview.reading import evidence_size
from vidreview.settings import ScanSettings

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

#: exhibits that wait at the scheduler for a worker that gets free, for each worker
WAITING_EACH: Final = 1
#: seconds within which a scheduler and its workers must answer
ANSWER_S: Final = 60.0
#: how ``--scheduler`` names one that is started here
LOCAL: Final = "local"

#: the children of a worker, one for each of its threads, in the worker's own process
_own = threading.local()


class Cluster:
    """Workers of a Dask cluster."""

    def __init__(self, address: str, setup: Setup, limits: Limits, sources: Sequence[Path], count: int | None) -> None:
        """Reach the scheduler at ``address``, or start one with ``count`` workers here when it is ``local``.

        Raises UsageError when it cannot be reached, has no worker, or a worker does not see ``sources``; ModelError
        when the workers cannot run the model, or not the same one.
        """
        try:
            import distributed
        except ImportError as error:
            raise UsageError("--scheduler needs Dask: pip install 'vidreview[cluster]'") from error
        self._local: LocalCluster | None = None
        self._client: Client | None = None
        self._setup = pickle.dumps((setup, limits))
        self._under_way: dict[Future, Task] = {}
        try:
            if address == LOCAL:
                self._local = distributed.LocalCluster(
                    n_workers=count or 2, threads_per_worker=1, dashboard_address=None, silence_logs=50
                )
            self._client = distributed.Client(self._local or address, timeout=ANSWER_S)
        except (OSError, ValueError, TypeError) as error:
            self.close()
            raise UsageError(f"no Dask scheduler answers at {address}: {error}") from error
        self.address = address
        try:
            self.hello = self._meet([os.path.abspath(path) for path in sources])  # noqa: PTH100 - as the index has them
        except BaseException:
            self.close()
            raise

    @property
    def count(self) -> int:
        """Exhibits under way, or waiting at the scheduler, at once; workers may come and go."""
        threads: int = sum(self._ask().nthreads().values())
        return max(1, threads * (1 + WAITING_EACH))

    def describe(self) -> dict[str, Any]:
        """What is to be recorded of the workers."""
        return {"scheduler": self.address, "workers": self._described}

    def room(self) -> bool:
        """True when another exhibit can be given."""
        return len(self._under_way) < self.count

    def busy(self) -> bool:
        """True while an exhibit is under way."""
        return bool(self._under_way)

    def give(self, task: Task) -> None:
        """Hand an exhibit to the scheduler."""
        future = self._ask().submit(
            scan_there, self._setup, pickle.dumps(task), key=f"vidreview-{os.getpid()}-{task.number}", pure=False
        )
        self._under_way[future] = task

    def messages(self, wait_s: float) -> Iterator[tuple[Task, Message]]:
        """What finished exhibits gave, all of one at once."""
        import distributed

        if not self._under_way:
            return
        with contextlib.suppress(TimeoutError):
            distributed.wait(list(self._under_way), timeout=wait_s, return_when="FIRST_COMPLETED")
        for future in [one for one in self._under_way if one.done()]:
            task = self._under_way.pop(future)
            try:
                said = [unpack(data) for data in future.result()]
            except Exception as error:  # noqa: BLE001  whatever it is, it costs this exhibit and no other
                said = [Crashed(f"the workers of the cluster failed over it: {_in_words(error)}")]
            yield from ((task, message) for message in said)

    def close(self) -> None:
        """Take back what is under way, and let go of the cluster."""
        if self._client is not None:
            with contextlib.suppress(Exception):
                self._client.cancel(list(self._under_way), force=True)
            self._client.close()
        if self._local is not None:
            self._local.close()

    def _ask(self) -> Client:
        assert self._client is not None
        return self._client

    def _meet(self, sources: list[str]) -> Hello:
        """Have all workers introduce themselves; they must run the same tool and model, and see the evidence."""
        client = self._ask()
        try:
            client.wait_for_workers(1, timeout=ANSWER_S)
        except TimeoutError as error:
            raise UsageError(f"the scheduler at {self.address} has no workers; start some: dask worker …") from error
        answers: dict[str, tuple[bytes, str, list[str]]] = client.run(introduce, self._setup, sources)
        hellos: dict[str, Hello] = {}
        for address, (data, fault, missing) in sorted(answers.items()):
            if fault:
                raise ModelError(f"worker {address}: {fault}")
            if missing:
                raise UsageError(f"worker {address} does not see {missing[0]}; all must read it at the same path")
            message = unpack(data)
            assert isinstance(message, Hello)
            hellos[address] = message
        first = next(iter(hellos.values()))
        for address, hello in hellos.items():
            if (hello.sha256, hello.version) != (first.sha256, first.version):
                raise ModelError(
                    f"worker {address} runs vidreview {hello.version} with the model {hello.sha256}, another "
                    f"{first.version} with {first.sha256}; all must be the same"
                )
        self._described = [{"address": address, "runtime": hello.runtime} for address, hello in hellos.items()]
        return first


def join_cluster(
    address: str,
    model: str | None,
    settings: ScanSettings,
    sources: Sequence[Path],
    count: int | None = None,
    limits: Limits | None = None,
    detector: Detector | None = None,
) -> Cluster:
    """Workers of the cluster whose scheduler is at ``address``; arguments and errors as of ``Cluster``."""
    limits = limits or Limits()
    return Cluster(address, Setup(model, settings, detector, None, limits.memory), limits, sources, count)


def introduce(setup: bytes, sources: list[str]) -> tuple[bytes, str, list[str]]:
    """On a worker: its Hello, what is wrong with it, and which sources it does not see."""
    missing = [source for source in sources if not os.path.lexists(source)]
    try:
        return pack(_children(setup).hello), "", missing
    except VidreviewError as error:
        return b"", str(error), missing


def scan_there(setup: bytes, task_data: bytes) -> list[bytes]:
    """On a worker: scan one exhibit in its child process; all messages, packed."""
    task: Task = pickle.loads(task_data)
    if evidence_size(task.path) != task.exhibit.size:
        # not said of the exhibit: another worker may well see it
        raise FileNotFoundError(f"this worker does not see the {task.exhibit.size} bytes of {task.path}")
    children = _children(setup)
    children.give(task)
    said: list[Message] = []
    while children.busy() or not said or not isinstance(said[-1], LAST):
        for _, message in children.messages(WATCH_S):
            # it was tried again: what the first try said does not count
            said = [message] if type(message).__name__ == "Opened" else [*said, message]
    return [pack(message) for message in said]


def _children(setup: bytes) -> Children:
    """The child process of this thread of a worker."""
    kept: tuple[bytes, Children] | None = getattr(_own, "children", None)
    if kept is None or kept[0] != setup:
        if kept is not None:
            kept[1].close()
        what, limits = pickle.loads(setup)
        kept = (setup, Children(what, 1, limits))
        _own.children = kept
    return kept[1]


def _in_words(error: Exception) -> str:
    if type(error).__name__ == "KilledWorker":
        return f"{TRIES} or more died"
    return f"{type(error).__name__}: {error}"
