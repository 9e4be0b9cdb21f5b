"""How ``clip`` and ``still`` go about a batch: find each exhibit, check it, derive, log, and go on after a failure."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vidreview import __version__
from vidreview.cli.common import safe
from vidreview.errors import IntegrityError, UsageError, VidreviewError

if TYPE_CHECKING:
    from vidreview.audit import AuditLog
    from vidreview.clips import PacketIndex, Parent
    from vidreview.index.query import EventPlace, Reader, StoredExhibit, StoredStream

Function = TypeVar("Function", bound=Callable[..., Any])


def source_option(function: Function) -> Function:
    """``--source DIR``; passed as ``source: Path | None``."""
    return click.option(
        "--source",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Where the evidence lies now, if not where it was scanned.",
    )(function)


def find_events(reader: Reader, events: Sequence[str], every: bool) -> list[EventPlace]:
    """The events that were named, or all; raises UsageError for an unknown one."""
    if every == bool(events):
        raise UsageError("name events (E0001 E0002 …), or give --all")
    from vidreview.index.query import event_name

    numbers = [_number(event) for event in events]
    places = reader.places(None if every else numbers)
    missing = sorted(set(numbers) - {place.number for place in places})
    if missing:
        count, lowest, highest = reader.numbers("events")
        known = f"it has {event_name(lowest)} to {event_name(highest)} ({count})" if count else "it has no events"
        raise UsageError(f"the case has no event {event_name(missing[0])}; {known}")
    return places


def _number(event: str) -> int:
    if re.fullmatch(r"[Pp]\d{1,15}", event):
        raise UsageError(f"{event} is provisional; wait until the scan of its exhibit is over and name its event, E…")
    match = re.fullmatch(r"[Ee]?0*(\d{1,15})", event)
    if not match:
        raise UsageError(f"{safe(event)!r} is not an event; events are written E0007, see 'vidreview events'")
    return int(match.group(1))


@dataclass
class Batch:
    """Derives files one after the other; what fails is said, counted and left behind."""

    case: Path
    log: AuditLog
    #: a folder to look for the exhibits in, instead of where they were scanned
    source: Path | None
    quiet: bool
    #: exit status so far
    status: int = 0
    _indexes: dict[int, PacketIndex] = field(default_factory=dict)
    _unlogged: bool = False

    def parents(self, items: Iterable[tuple[StoredStream, Any]]) -> Iterator[tuple[Parent, StoredStream, Any]]:
        """The items with their exhibits, each exhibit found and checked once; those of one that fails are left out."""
        from vidreview.clips import check_parent

        ordered = sorted(items, key=lambda item: (str(item[0].exhibit.path), item[0].exhibit.sha256))
        for _, group in groupby(ordered, key=lambda item: item[0].exhibit):
            members = list(group)
            self._indexes.clear()
            try:
                parent = self._find(members[0][0])
                if not self.quiet and sys.stderr.isatty():
                    click.echo(f"checking {safe(parent.name)} against its recorded hash", err=True)
                check_parent(parent)
            except VidreviewError as error:
                self.fail(error, count=len(members))
                continue
            for stream, item in members:
                yield parent, stream, item

    def index(self, parent: Parent, stream: StoredStream) -> PacketIndex:
        """The packets of a stream, read once for all that is derived from it."""
        from vidreview.clips import read_index
        from vidreview.media.source import Source

        if stream.index not in self._indexes:
            self._indexes[stream.index] = read_index(Source, parent.path, stream.index)
        return self._indexes[stream.index]

    def fail(self, error: VidreviewError, count: int = 1) -> None:
        """Say what went wrong; the worst failure gives the exit status."""
        if self._unlogged or (not isinstance(error, IntegrityError) and error.exit_status != 3):
            raise error  # the case folder, not one exhibit: nothing further can be written
        more = f" ({count} left out)" if count > 1 else ""
        click.echo(f"vidreview: {safe(str(error))}{more}", err=True)
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
        from vidreview.clips import Parent
        from vidreview.reading import evidence_size

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
    from vidreview.evidence import files_below

    for path in files_below(source):
        yield path
        if path.name in recorded.parts[:-1]:
            yield path.joinpath(*recorded.parts[recorded.parts.index(path.name) + 1 :])


def _same(path: Path, wanted: Parent) -> bool:
    from vidreview.clips.record import hash_file

    try:
        return hash_file(path) == wanted.sha256
    except VidreviewError:
        return False


def origin(command: str, exhibit: StoredExhibit) -> dict[str, Any]:
    """What a record says of its making, and of the exhibit's place in the seizure record (rule A4)."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    made = {"tool": f"vidreview {__version__}", "command": command, "created_utc": now}
    return made | {"reference": exhibit.reference} | dict(exhibit.for_whom)
