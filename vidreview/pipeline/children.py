"""Exhibits are decoded in processes of their own, within bounds; one that dies costs its exhibit at most (rule A10)."""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from vidreview.detect import Detector
from vidreview.detect.cores import physical_cores
from vidreview.errors import ModelError, VidreviewError
from vidreview.pipeline.child import HEADER, Setup, frame
from vidreview.pipeline.messages import LAST, Crashed, Hello, Message, Task, Unfit, unpack
from vidreview.process import package_path
from vidreview.settings import ScanSettings

#: a child that dies over an exhibit without saying why may have been killed by something else: so often it is tried
TRIES: Final = 3
#: no message is longer; a child that claims one is out of its mind
LONGEST: Final = 1 << 30
#: seconds that a child may take to be ready
READY_S: Final = 300.0
#: how often its bounds are looked at, seconds
WATCH_S: Final = 0.5
#: who looks so much later than that, seconds, was stopped or held up itself, and so were those it did not listen to
LATE_S: Final = 1.0
#: bytes that are read to know one exhibit: several times all of it, and what opening it costs
READS: Final = 100
SPARE_READS: Final = 4 << 30
#: cores and memory that a worker has use for
CORES_EACH: Final = 2
MEMORY_EACH: Final = 2 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """What one exhibit may cost."""

    #: bytes of memory beyond what an idle worker has
    memory: int = 4 << 30
    #: seconds without a frame, a packet read or a word
    silence_s: float = 120.0
    #: seconds altogether: so many, and one more for each so many bytes of the file
    seconds: float = 3600.0
    bytes_per_second: int = 20_000

    def longest_s(self, size: int) -> float:
        """Seconds that an exhibit of this size may take."""
        return self.seconds + size / self.bytes_per_second


class _Child:
    """One process."""

    def __init__(self, setup: Setup) -> None:
        shown = bool(os.environ.get("VIDREVIEW_TRACEBACK"))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vidreview.pipeline.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if shown else subprocess.DEVNULL,
            # found where this process found it, not in the folder it was started in
            env=os.environ | {"PYTHONPATH": package_path()},
        )
        assert self.process.stdin is not None and self.process.stdout is not None
        self._input = self.process.stdin
        self.output = self.process.stdout.fileno()
        self._buffer = bytearray()
        self.task: Task | None = None
        self.tries = 0
        #: it has said that it can work
        self.ready = False
        self.began = self.heard = time.monotonic()
        self.read = self._begun_at = 0
        self._send(pickle.dumps(sys.path))
        self._send(pickle.dumps(setup))

    def give(self, task: Task, tries: int) -> None:
        """Begin with an exhibit."""
        self.task, self.tries = task, tries
        self.began = self.heard = time.monotonic()
        self.read = self._begun_at = self._bytes_read()
        self._send(pickle.dumps(task))

    def take(self) -> tuple[list[Message], bool]:
        """What it has said, and whether it lives; waits when it has said nothing."""
        try:
            data = os.read(self.output, 1 << 20)
        except OSError:
            data = b""
        self._buffer += data
        messages: list[Message] = []
        while len(self._buffer) >= HEADER.size:
            (size,) = HEADER.unpack_from(self._buffer)
            if size > LONGEST:
                return messages, False
            end = HEADER.size + size
            if len(self._buffer) < end:
                break
            try:
                messages.append(unpack(self._buffer[HEADER.size : end]))
            except ValueError:
                return messages, False
            del self._buffer[:end]
        if data:
            self.heard = time.monotonic()
        return messages, bool(data)

    def beyond(self, limits: Limits) -> str | None:
        """Which bound it is beyond, None within all."""
        if self.task is None or not self.ready:
            return None
        now = time.monotonic()
        size = self.task.exhibit.size
        read = self._bytes_read()
        if read > self.read:
            self.read, self.heard = read, now
        if now - self.heard > limits.silence_s:
            return f"gave no frame and read nothing for {limits.silence_s:g} s"
        if now - self.began > limits.longest_s(size):
            return f"took longer than {limits.longest_s(size):.0f} s, which no file of its size needs"
        if read - self._begun_at > READS * size + SPARE_READS:
            return f"was read {READS} times over without an end"
        return None

    def excuse(self, seconds: float) -> None:
        """Do not hold a time against it in which nobody listened."""
        now = time.monotonic()
        self.began, self.heard = min(now, self.began + seconds), min(now, self.heard + seconds)

    def end(self) -> int:
        """End it whatever it does; its exit status."""
        self.process.kill()
        with contextlib.suppress(OSError):
            self._input.close()
        status = self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status

    def _send(self, data: bytes) -> None:
        # one that died meanwhile is found out when it is listened to
        with contextlib.suppress(OSError):
            self._input.write(frame(data))
            self._input.flush()

    def _bytes_read(self) -> int:
        try:
            with open(f"/proc/{self.process.pid}/io", encoding="ascii") as file:  # noqa: PTH123  not a path of ours
                return int(file.readline().split()[1])
        except (OSError, ValueError, IndexError):
            return 0


class Children:
    """Processes that scan exhibits, one each at a time."""

    def __init__(self, setup: Setup, count: int, limits: Limits) -> None:
        """Start the first of ``count``, the others when they are needed."""
        self.count = count
        self._setup, self._limits = setup, limits
        self._children: list[_Child] = []
        self._selector = selectors.DefaultSelector()
        self._watched = 0.0
        self._hello: Hello | None = None
        self._start()

    @property
    def hello(self) -> Hello:
        """Which detector they run; waits for the first word, and raises ModelError when they cannot work."""
        if self._hello is None:
            self._hello = self._first()
        return self._hello

    def describe(self) -> dict[str, Any]:
        """How many, and what an exhibit may cost them."""
        return {"workers": self.count, "limits": asdict(self._limits)}

    def room(self) -> bool:
        """True when a child is free, or one more may be started."""
        return sum(child.task is not None for child in self._children) < self.count

    def busy(self) -> bool:
        """True while an exhibit is under way."""
        return any(child.task is not None for child in self._children)

    def give(self, task: Task) -> None:
        """Begin with an exhibit."""
        self._give(task, 1)

    def _give(self, task: Task, tries: int) -> None:
        free = next((child for child in self._children if child.task is None), None)
        (free or self._start()).give(task, tries)

    def messages(self, wait_s: float) -> Iterator[tuple[Task, Message]]:
        """What the children have said; ends those that are beyond their bounds, and puts new ones in their place."""
        for key, _ in self._selector.select(min(wait_s, WATCH_S)):
            child: _Child = key.data
            yield from self._listen(child)
        if (since := time.monotonic() - self._watched) >= WATCH_S:
            self._watched = time.monotonic()
            for child in list(self._children):
                if since > WATCH_S + LATE_S:
                    child.excuse(since)
                if not child.ready and time.monotonic() - child.began > READY_S:
                    child.process.kill()  # its exhibit had no part in that: another child takes it
                if (why := child.beyond(self._limits)) is not None:
                    task = child.task
                    assert task is not None
                    self._remove(child)
                    yield task, Crashed(f"the decoder {why} and was ended; the file may be damaged or hostile")

    def close(self) -> None:
        """End all of them."""
        for child in list(self._children):
            self._remove(child)
        self._selector.close()

    def _listen(self, child: _Child) -> Iterator[tuple[Task, Message]]:
        said, alive = child.take()
        for message in said:
            if isinstance(message, Hello):
                child.ready = True
                self._hello = self._hello or message
                child.heard = child.began = time.monotonic()
                self._check(message)
            elif isinstance(message, Unfit):
                raise ModelError(message.reason)
            elif (task := child.task) is not None:
                if isinstance(message, LAST):
                    child.task = None
                yield task, message
        if not alive:
            task, tries = child.task, child.tries
            status = self._remove(child)
            if task is None:
                return
            if tries < TRIES:
                self._give(task, tries + 1)
            else:
                yield task, Crashed(f"{_died(status)}, {TRIES} times; the file may be damaged or hostile")

    def _start(self) -> _Child:
        child = _Child(self._setup)
        self._children.append(child)
        self._selector.register(child.output, selectors.EVENT_READ, child)
        return child

    def _first(self) -> Hello:
        """Start the first child; one that is killed meanwhile is replaced."""
        for _ in range(TRIES):
            child = self._children[0] if self._children else self._start()
            if (hello := self._ready(child)) is not None:
                return hello
            self._remove(child)
        raise VidreviewError(
            "a worker process could not be started; 'vidreview doctor' tells whether this installation is whole, "
            "VIDREVIEW_TRACEBACK=1 shows what the worker says"
        )

    def _ready(self, child: _Child) -> Hello | None:
        """Wait for its first word; None when it dies without."""
        until = time.monotonic() + READY_S
        with selectors.DefaultSelector() as only:
            only.register(child.output, selectors.EVENT_READ)
            while only.select(max(0.0, until - time.monotonic())):
                said, alive = child.take()
                for message in said:
                    if isinstance(message, Unfit):
                        raise ModelError(message.reason)
                    if isinstance(message, Hello):
                        child.ready = True
                        return message
                if not alive:
                    break
        return None

    def _check(self, hello: Hello) -> None:
        if hello.sha256 != self.hello.sha256:
            raise ModelError(f"the model changed during the scan: it was {self.hello.sha256}, is {hello.sha256}")

    def _remove(self, child: _Child) -> int:
        self._children.remove(child)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(child.output)
        return child.end()


def start_children(
    model: str | None,
    settings: ScanSettings,
    count: int | None = None,
    limits: Limits | None = None,
    detector: Detector | None = None,
) -> Children:
    """Workers on this machine: ``count`` of them, or as many as it can use.

    They run ``model``, a known name or a path, or a ``detector`` that was made elsewhere and can be sent to them.
    Raises ModelError when the model is missing or cannot be run.
    """
    limits = limits or Limits()
    count = count or usable_workers()
    threads = max(1, physical_cores() // count) if count > 1 else None
    return Children(Setup(model, settings, detector, threads, limits.memory), count, limits)


def usable_workers() -> int:
    """As many files at once as the machine has use for.

    One file already keeps a decoder, the motion gate and the detector busy side by side, so a second one gains little
    per core; and each takes its memory.
    """
    return max(1, min(physical_cores() // CORES_EACH, _memory() // MEMORY_EACH))


def _memory() -> int:
    """Bytes of memory of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _died(status: int) -> str:
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"the decoder crashed ({name})"
    return f"the decoder ended without a word (status {status})"
