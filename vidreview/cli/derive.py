"""What ``clip`` and ``still`` share: which events are meant, and how a batch speaks to people."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vidreview.cli.common import safe
from vidreview.errors import UsageError

if TYPE_CHECKING:
    from vidreview.derive import Batch
    from vidreview.index.query import EventPlace, Reader

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
    from vidreview.index.rows import event_name

    numbers = [event_number(event) for event in events]
    places = reader.places(None if every else numbers)
    missing = sorted(set(numbers) - {place.number for place in places})
    if missing:
        count, lowest, highest = reader.numbers("events")
        known = f"it has {event_name(lowest)} to {event_name(highest)} ({count})" if count else "it has no events"
        raise UsageError(f"the case has no event {event_name(missing[0])}; {known}")
    return places


def event_number(event: str) -> int:
    """The number of an event as people write it; raises UsageError."""
    if re.fullmatch(r"[Pp]\d{1,15}", event):
        raise UsageError(f"{event} is provisional; wait until the scan of its exhibit is over and name its event, E…")
    match = re.fullmatch(r"[Ee]?0*(\d{1,15})", event)
    if not match:
        raise UsageError(f"{safe(event)!r} is not an event; events are written E0007, see 'vidreview events'")
    return int(match.group(1))


def open_batch(case: Path, source: Path | None, quiet: bool) -> Batch:
    """A batch that says on stderr what goes wrong, and on a terminal what takes a while."""
    from vidreview.audit import AuditLog
    from vidreview.derive import Batch

    def complain(text: str) -> None:
        click.echo(f"vidreview: {safe(text)}", err=True)

    def progress(text: str) -> None:
        if not quiet and sys.stderr.isatty():
            click.echo(safe(text), err=True)

    return Batch(case, AuditLog(case / "audit.jsonl"), source, complain, progress)
