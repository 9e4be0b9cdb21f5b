"""Hashing ahead: the identity of each file is fixed, in order, while others are scanned."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from vidreview.errors import EvidenceError
from vidreview.evidence import Exhibit, Found, Unreadable, identify, image_files, inside
from vidreview.pipeline.apart import Apart
from vidreview.reading import is_inside

#: files whose identity is known before their turn has come, at most
KNOWN_AHEAD = 8


@dataclass(frozen=True, slots=True)
class Identified:
    """A file with its identity, or why it has none."""

    #: place in the order of the scan
    number: int
    found: Found
    exhibit: Exhibit | None
    #: why it has none; of a disk image, how its content differs from what it says was acquired
    reason: str = ""
    #: of a disk image: its further segments, and the files that are in it
    segments: tuple[Exhibit, ...] = ()
    inside: tuple[Found | Unreadable, ...] | None = None


class Identifier:
    """A thread that hashes the files it is given, in their order; a context manager that ends it.

    Hashing in order, and before anything is decoded, decides which of several copies is the first.
    """

    def __init__(self, algorithms: frozenset[str] = frozenset()) -> None:
        """``algorithms`` are those beside SHA-256 that a list of hashes asks for."""
        self._algorithms = algorithms
        self._wanted: deque[tuple[int, Found]] = deque()
        self._there = threading.Semaphore(0)
        self._known: queue.Queue[Identified | BaseException] = queue.Queue(KNOWN_AHEAD)
        self._stop = threading.Event()
        self._left = 0
        self._apart = Apart(lambda: not self._stop.is_set())
        self._thread = threading.Thread(target=self._run, name="vidreview-identify", daemon=True)
        self._thread.start()

    def __enter__(self) -> Identifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._there.release()
        while self._thread.is_alive():
            # it may wait for room
            self._empty()
            self._thread.join(0.05)
        self._apart.close()

    @property
    def left(self) -> int:
        """Files that were given and not taken back."""
        return self._left

    def give(self, number: int, found: Found) -> None:
        """A file to be identified, after those given before."""
        self._left += 1
        self._wanted.append((number, found))
        self._there.release()

    def take(self, wait_s: float) -> Identified | None:
        """The next file, None when it is not known within ``wait_s`` seconds or nothing is left."""
        if not self._left:
            return None
        try:
            item = self._known.get(timeout=wait_s) if wait_s else self._known.get_nowait()
        except queue.Empty:
            return None
        if isinstance(item, BaseException):
            raise item
        self._left -= 1
        return item

    def _empty(self) -> None:
        try:
            while True:
                self._known.get_nowait()
        except queue.Empty:
            pass

    def _run(self) -> None:
        try:
            while True:
                self._there.acquire()
                if self._stop.is_set():
                    return
                number, found = self._wanted.popleft()
                self._put(self._identify(number, found))
        except BaseException as error:  # noqa: BLE001  handed over, and raised where the files are taken
            self._put(error)

    def _identify(self, number: int, found: Found) -> Identified:
        try:
            if is_inside(found.path):
                return Identified(number, found, self._apart.identify(found, self._algorithms))
            exhibit = identify(found, algorithms=self._algorithms, progress=self._watch)
            if not found.image:
                return Identified(number, found, exhibit)
            # all of an image is hashed before what is in it is looked at (rule A2)
            more = (Found(path, str(Path(found.name).with_name(path.name))) for path in image_files(found)[1:])
            segments = tuple(identify(one, algorithms=self._algorithms, progress=self._watch) for one in more)
            fault = self._apart.check_acquired(found)
            return Identified(number, found, exhibit, fault, segments, tuple(self._inside(found)))
        except EvidenceError as error:
            return Identified(number, found, None, str(error).removeprefix(f"{found.path}: "))

    def _inside(self, found: Found) -> Iterator[Found | Unreadable]:
        for item in inside(found):
            self._watch(0)
            yield item

    def _watch(self, _count: int) -> None:
        if self._stop.is_set():
            # a file of terabytes is not read to its end when the scan is over
            raise EvidenceError("the scan was ended")

    def _put(self, item: Identified | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._known.put(item, timeout=0.1)
                return
            except queue.Full:
                continue
