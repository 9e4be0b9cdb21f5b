"""Whose turn it is: files are identified in order, scanned side by side, and numbered in order again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from vidreview.errors import IntegrityError
from vidreview.evidence import Exhibit, Found, Unreadable, check_unchanged
from vidreview.hashlist import HashList
from vidreview.index import Identity, Listed
from vidreview.pipeline import messages as say
from vidreview.pipeline.identity import Identified, Identifier
from vidreview.pipeline.record import Record, where
from vidreview.pipeline.workers import Workers

#: seconds to wait for a worker's word, or for a file's identity
WAIT_S = 0.2


@dataclass(slots=True)
class _Turn:
    """One file."""

    found: Found | Unreadable
    size: int
    #: nothing more will be found in it
    over: bool = False
    #: its exhibit, when its events are to be numbered
    exhibit: int | None = None


class Turns:
    """All files of a scan, in order; a context manager that ends what is under way."""

    def __init__(self, keep: Record, workers: Workers, hash_list: HashList | None, best_first: bool) -> None:
        """Scan with ``workers``, write with ``keep``."""
        self.keep, self.workers, self.hash_list, self.best_first = keep, workers, hash_list, best_first
        #: what is wrong with the identity of exhibits, one sentence each
        self.changed: list[str] = []
        self._turns: list[_Turn] = []
        self._front = 0
        #: files that are to be identified, and their bytes
        self._files = self._size = 0
        #: content → number and name of its first exhibit in this scan
        self._first: dict[str, tuple[int, str]] = {}
        #: content → the files that were listed as duplicates of that
        self._copies: dict[str, list[Found]] = {}
        #: disk images and their segments, which are hashed again at the end
        self._images: list[Exhibit] = []
        self._identifier = Identifier(hash_list.algorithms if hash_list is not None else frozenset())

    def __enter__(self) -> Turns:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._identifier.__exit__(kind, error, trace)

    def unreadable(self, one: Unreadable) -> None:
        """List what cannot be read."""
        self._turns.append(_Turn(one, 0, over=True))
        self.keep.list_file(
            Listed(Identity(one.name, one.path, reference=self.keep.reference), "failed", one.reason),
            "exhibit-unreadable",
            reason=one.reason,
        )
        self.keep.problem(str(one.path), one.reason)

    def add(self, found: Found) -> None:
        """Have a file identified and scanned when its turn comes."""
        try:
            size = found.path.stat().st_size
        except OSError:
            # gone, or in a disk image: known when it is hashed
            size = 0
        self._turns.append(_Turn(found, size))
        self._files += 1
        self._size += size
        self._identifier.give(len(self._turns) - 1, found)

    def go(self) -> None:
        """Scan them all."""
        self._tell()
        while self._identifier.left or self.workers.busy():
            while self.workers.room() and self._identifier.left:
                one = self._identifier.take(0.0 if self.workers.busy() else WAIT_S)
                if one is None:
                    break
                self._identified(one)
                self._advance()
            for task, message in self.workers.messages(WAIT_S):
                self._said(task, message)
            self._advance()
        for exhibit in self.keep.case.unnumbered():
            # of a scan that was killed and is not gone on with; those before it may never come
            self.keep.number(exhibit)
        self._check_images()
        self._check_missing()

    def _tell(self) -> None:
        # what cannot be read is listed already; of the others each is said to be done
        self.keep.observer.begin(self._files, self._size)

    # ---- one file

    def _identified(self, one: Identified) -> None:
        keep, turn, exhibit = self.keep, self._turns[one.number], one.exhibit
        if exhibit is None:
            identity = Identity(one.found.name, one.found.path, reference=keep.reference)
            keep.list_file(Listed(identity, "failed", one.reason), "exhibit-unreadable", reason=one.reason)
            keep.problem(str(one.found.path), one.reason)
            keep.observer.done(one.found.name, turn.size, 0, "not read")
            turn.over = True
            return
        if turn.size != exhibit.size:
            self._size += exhibit.size - turn.size
            turn.size = exhibit.size
            self._tell()
        self._check_listed(exhibit)
        if one.inside is not None:
            self._image(one, exhibit, one.inside)
            return
        same = (exhibit.digest.value, keep.settings.sha256(), keep.hello.sha256)
        if (finished := keep.case.finished(*same, exhibit.path)) is not None:
            keep.summary.exhibits += 1
            keep.summary.skipped += 1
            # what could not be read then is not read now
            if finished.reason:
                keep.problem(str(exhibit.path), finished.reason)
            keep.observer.done(exhibit.name, exhibit.size, 0, "finished before")
            turn.over, turn.exhibit = True, None if finished.numbered else finished.number
            return
        self._check_recorded(exhibit)
        if (original := self._original(exhibit, same)) is not None:
            number, name = original
            keep.list_file(
                Listed(keep.identity(exhibit), "duplicate", original=number),
                "exhibit-duplicate",
                original=name,
            )
            self._copies.setdefault(exhibit.digest.value, []).append(one.found)
            keep.summary.duplicates += 1
            keep.observer.done(exhibit.name, exhibit.size, 0, f"the same as {name}")
            turn.over = True
            return
        task = say.Task(one.number, exhibit, keep.settings, self.best_first)
        turn.exhibit = keep.begin(task)
        self._first[exhibit.digest.value] = turn.exhibit, exhibit.name
        self.workers.give(task)

    def _image(self, one: Identified, image: Exhibit, inner: Sequence[Found | Unreadable]) -> None:
        """List a disk image, and have the files in it scanned after all others."""
        keep = self.keep
        for segment in one.segments:
            self._check_listed(segment)
        # what is said of no file in it is said of the image
        of_all = [item.reason for item in inner if isinstance(item, Unreadable) and item.path == image.path]
        if one.reason:
            keep.log.append("exhibit-not-as-acquired", run=keep.run, path=where(image.path), reason=one.reason)
            self._fault(image, one.reason)
        reason = "; ".join([one.reason] * bool(one.reason) + of_all) or None
        for exhibit in (image, *one.segments):
            self._images.append(exhibit)
            why = reason if exhibit is image else None
            keep.list_file(Listed(keep.identity(exhibit), "image", why), "exhibit-image", reason=why)
        if reason:
            keep.problem(str(image.path), reason)
        keep.observer.done(image.name, image.size, 0, f"a disk image with {len(inner) - len(of_all)} files")
        self._turns[one.number].over = True
        keep.flush()
        keep.case.register(keep.run, [(f.name, f.path) for f in inner if isinstance(f, Found)], keep.reference)
        for item in inner:
            if isinstance(item, Found):
                self.add(item)
            elif item.path != image.path:
                self.unreadable(item)
        self._tell()

    def _original(self, exhibit: Exhibit, same: tuple[str, str, str]) -> tuple[int, str] | None:
        """The exhibit of the same content that is scanned in place of this one, and its name."""
        if (finished := self.keep.case.finished(*same)) is not None:
            return finished.number, finished.name
        return self._first.get(exhibit.digest.value)

    def _said(self, task: say.Task, message: say.Message) -> None:
        keep, turn = self.keep, self._turns[task.number]
        if not isinstance(message, say.LAST):
            keep.take(task, message)
            return
        turn.over = True
        if isinstance(message, say.Done):
            keep.done(task, message)
            return
        turn.exhibit = None
        if isinstance(message, say.Unreadable):
            keep.unreadable(task, message.reason)
        elif isinstance(message, say.Crashed):
            keep.failed(task, message.reason, "exhibit-failed")
        elif isinstance(message, say.Changed):
            keep.failed(task, message.reason, "exhibit-changed")
            self.changed.append(f"{task.path}: {message.reason}")
            self._instead(task.exhibit.digest.value)

    def _instead(self, sha256: str) -> None:
        """An exhibit is gone, or no longer what it was: its copies may still be, so the first of them is scanned."""
        self._first.pop(sha256, None)
        copies = self._copies.pop(sha256, [])
        self.keep.summary.duplicates -= len(copies)
        for copy in copies:
            self.add(copy)
        if copies:
            self._tell()

    def _advance(self) -> None:
        """Number what is finished, up to the first file that is not."""
        while self._front < len(self._turns) and self._turns[self._front].over:
            exhibit = self._turns[self._front].exhibit
            if exhibit is not None:
                self.keep.number(exhibit)
            self._front += 1

    # ---- identity

    def _check_recorded(self, exhibit: Exhibit) -> None:
        """Say when an earlier scan of the same path recorded another content, which keeps its events."""
        recorded = self.keep.case.recorded_hashes(exhibit.path)
        if not recorded or exhibit.digest.value in recorded:
            return
        self.keep.log.append(
            "exhibit-differs", run=self.keep.run, path=where(exhibit.path), sha256=exhibit.digest.value
        )
        self._fault(
            exhibit,
            f"not what was recorded in this case: SHA-256 was {recorded[-1]}, is {exhibit.digest}; "
            "it now stands there as another exhibit; find out what changed it",
        )

    def _check_listed(self, exhibit: Exhibit) -> None:
        """Compare a file with the record of the seizure (rule A2)."""
        if self.hash_list is None:
            return
        try:
            fault = self.hash_list.fault(exhibit.name, exhibit.path, (exhibit.digest, *exhibit.others))
        except KeyError:
            self.keep.problem(str(exhibit.path), f"not in the list of hashes {self.hash_list.path}")
            return
        if fault is not None:
            self.keep.log.append("exhibit-not-as-listed", run=self.keep.run, path=where(exhibit.path), reason=fault)
            self._fault(exhibit, fault)

    def _check_images(self) -> None:
        """Hash disk images again, now that all that was to be read of them has been (rule A2)."""
        for image in self._images:
            try:
                check_unchanged(image)
            except IntegrityError as error:
                reason = str(error).removeprefix(f"{image.path}: ")
                self.keep.log.append("image-changed", run=self.keep.run, path=where(image.path), reason=reason)
                self._fault(image, reason)

    def _check_missing(self) -> None:
        for name in self.hash_list.missing() if self.hash_list is not None else ():
            assert self.hash_list is not None
            reason = f"listed in {self.hash_list.path}, but not among the files of this scan"
            self.keep.log.append("exhibit-missing", run=self.keep.run, name=name, reason=reason)
            self.keep.problem(name, reason)

    def _fault(self, exhibit: Exhibit, reason: str) -> None:
        self.changed.append(f"{exhibit.path}: {reason}")
        self.keep.problem(str(exhibit.path), reason)
