"""Working ahead: the stages before the detector run in threads of their own while the detector thinks."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")


class _End(Generic[Item]):
    """The producer has finished, or failed with ``error``."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


@contextmanager
def ahead(produce: Callable[[], Iterable[Item]], most: int) -> Iterator[Iterator[Item]]:
    """Iterate over what ``produce()`` gives while a thread computes up to ``most`` items ahead.

    Order is kept, and an error of the producer is raised where its item would have come. On leaving, whatever the
    reason, the thread is told to stop, drained and joined, so that nothing it uses is closed under it.
    """
    # two queues without bounds of their own, since only those are made in C: a frame is handed over in a microsecond
    line: queue.SimpleQueue[Item | _End[Item]] = queue.SimpleQueue()
    room: queue.SimpleQueue[None] = queue.SimpleQueue()
    for _ in range(max(1, most)):
        room.put(None)
    stop = threading.Event()

    def run() -> None:
        error: BaseException | None = None
        items = produce()
        try:
            for item in items:
                room.get()
                if stop.is_set():
                    close = getattr(items, "close", None)
                    if close is not None:
                        close()
                    return
                line.put(item)
        except BaseException as caught:  # noqa: BLE001  handed over, and raised where the items are used
            error = caught
        line.put(_End(error))

    def take() -> Iterator[Item]:
        while True:
            item = line.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            room.put(None)
            yield item

    thread = threading.Thread(target=run, name="vidreview-ahead", daemon=True)
    thread.start()
    try:
        yield take()
    finally:
        stop.set()
        room.put(None)
        thread.join()
