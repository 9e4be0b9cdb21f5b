"""How derived files come about: find each exhibit, check it, derive, log, and go on after a failure."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from vidreview import __version__
from vidreview.audit import AuditLog
from vidreview.clips import ClipRequest, PacketIndex, Parent, StillRequest, check_parent, read_index
from vidreview.clips.record import hash_file, make_folder
from vidreview.errors import CaseError, IntegrityError, VidreviewError
from vidreview.evidence import files_below
from vidreview.index.query import EventPlace, StoredExhibit, StoredStream
from vidreview.index.rows import event_name
from vidreview.index.schema import now_utc
from vidreview.media.source import Source
from vidreview.reading import evidence_size


@dataclass
class Batch:
    """Derives files one after the other; what fails is said, counted and left behind."""

    case: Path
    log: AuditLog
    #: a folder to look for the exhibits in, instead of where they were scanned
    source: Path | None
    #: is told what goes wrong, a sentence for people
    complain: Callable[[str], object]
    #: is told what takes a while
    progress: Callable[[str], object] = lambda _: None
    #: exit status so far
    status: int = 0
    _indexes: dict[int, PacketIndex] = field(default_factory=dict)
    _unlogged: bool = False

    def parents(self, items: Iterable[tuple[StoredStream, Any]]) -> Iterator[tuple[Parent, StoredStream, Any]]:
        """The items with their exhibits, each exhibit found and checked once; those of one that fails are left out."""
        ordered = sorted(items, key=lambda item: (str(item[0].exhibit.path), item[0].exhibit.sha256))
        for _, group in groupby(ordered, key=lambda item: item[0].exhibit):
            members = list(group)
            self._indexes.clear()
            try:
                parent = self._find(members[0][0])
                self.progress(f"checking {parent.name} against its recorded hash")
                check_parent(parent)
            except VidreviewError as error:
                self.fail(error, count=len(members))
                continue
            for stream, item in members:
                yield parent, stream, item

    def index(self, parent: Parent, stream: StoredStream) -> PacketIndex:
        """The packets of a stream, read once for all that is derived from it."""
        if stream.index not in self._indexes:
            self._indexes[stream.index] = read_index(Source, parent.path, stream.index)
        return self._indexes[stream.index]

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[Path]:
        """The case's folder of this name, which only this process writes to meanwhile.

        Waits until it is free: two that write one file at once spoil it, and entries of the log would be in another
        order than their files. A kill frees it. Raises CaseError when it cannot be made or opened.
        """
        folder = self.case / name
        make_folder(folder)
        try:
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise CaseError(f"cannot open the folder {folder}: {error.strerror}") from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.progress(f"another vidreview is writing to {folder}: waiting until it has finished a file")
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError:
                pass  # a network drive that locks no folders: as good as it gets
            yield folder
        finally:
            os.close(handle)

    def fail(self, error: VidreviewError, count: int = 1) -> None:
        """Say what went wrong; the worst failure gives the exit status."""
        if self._unlogged or (not isinstance(error, IntegrityError) and error.exit_status != 3):
            raise error  # the case folder, not one exhibit: nothing further can be written
        more = f" ({count} left out)" if count > 1 else ""
        self.complain(f"{error}{more}")
        self.status = max(self.status, error.exit_status)

    def record(self, path: Path, sha256: str, parent: Parent, command: str, **parameters: Any) -> None:
        """Enter a derived file in the manifest of the case (rule A3)."""
        relative = path.relative_to(self.case).as_posix()
        try:
            self.log.derived(relative, sha256, parent.name, parent.sha256, command, **parameters)
        except IntegrityError:
            self._unlogged = True  # it is the log, not one exhibit: what else was derived would have no record either
            raise

    def _find(self, stream: StoredStream) -> Parent:
        exhibit = stream.exhibit
        recorded = Parent(exhibit.name, exhibit.path, exhibit.size, exhibit.sha256)
        if self.source is None:
            return recorded
        beside = [self.source / exhibit.name, self.source / exhibit.path.name]
        for path in (*beside, *_elsewhere(self.source, exhibit.path)):
            if evidence_size(path) == exhibit.size and (path in beside or _same(path, recorded)):
                return replace(recorded, path=path)
        # not there: the error then names where it was looked for
        return replace(recorded, path=beside[0])


def _elsewhere(source: Path, recorded: Path) -> Iterator[Path]:
    """Every file of a folder, and for a disk image the file inside it that was recorded under the image's name."""
    for path in files_below(source):
        yield path
        if path.name in recorded.parts[:-1]:
            yield path.joinpath(*recorded.parts[recorded.parts.index(path.name) + 1 :])


def _same(path: Path, wanted: Parent) -> bool:
    try:
        return hash_file(path) == wanted.sha256
    except VidreviewError:
        return False


def clip_request(place: EventPlace, before_s: float = 0.0, after_s: float = 0.0) -> ClipRequest:
    """The stretch of an event, and so many seconds around it."""
    return ClipRequest(
        name=event_name(place.number),
        stream=place.stream.index,
        start_pts=place.start_pts,
        end_pts=place.end_pts,
        start_s=place.start_s,
        end_s=place.end_s,
        first_frame=place.first_frame,
        last_frame=place.last_frame,
        timed=place.stream.timed,
        before_s=before_s,
        after_s=after_s,
        rotation=place.stream.rotation,
        sample_aspect=place.stream.sample_aspect,
    )


def still_request(place: EventPlace) -> StillRequest:
    """The best frame of an event."""
    stream = place.stream
    return StillRequest(
        event_name(place.number),
        stream.index,
        place.peak_pts,
        place.peak_s,
        place.peak_frame,
        timed=stream.timed,
        rotation=stream.rotation,
        sample_aspect=stream.sample_aspect,
    )


def origin(command: str, exhibit: StoredExhibit) -> dict[str, Any]:
    """What a record says of its making, and of the exhibit's place in the seizure record (rule A4)."""
    made = {"tool": f"vidreview {__version__}", "command": command, "created_utc": now_utc()}
    return made | {"reference": exhibit.reference} | dict(exhibit.for_whom)
