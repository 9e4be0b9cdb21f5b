"""Marks files: what a person decided in a report, read as the hostile input that a file from elsewhere is.

The form is docs/review.md. A file that is not of that form is refused as a whole; of one that is, each mark is taken
for the event of that number if that is the event it names, else for the event that begins at the same place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from vidreview.errors import EvidenceError, UsageError
from vidreview.index.reviews import (
    LONGEST_NAME,
    LONGEST_NOTE,
    STATES,
    Decision,
    EventKey,
    Tell,
    events_by_number,
    load_reviews,
    record,
    selecting,
    worded,
)
from vidreview.index.rows import event_name, printable
from vidreview.index.writer import Writer
from vidreview.readonly import open_readonly

#: the form of marks files that is read
FORM: Final = 1
#: bytes; a mark has some 300. JSON of this size can be made to take twenty times as much memory, not more
LARGEST: Final = 16 << 20
_EVENT: Final = re.compile(r"E0*([1-9][0-9]{0,14})")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CLASSES: Final = ("person", "vehicle", "motion")
#: ticks of a stream fit into SQLite's integers
_TICKS: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Mark:
    """One decision of a marks file, and the event that it is of."""

    #: as written in the report
    event: int
    key: EventKey
    state: str
    note: str | None
    #: ISO 8601, UTC, milliseconds
    at_utc: str


@dataclass(frozen=True, slots=True)
class Marks:
    """A marks file."""

    name: str
    sha256: str
    #: of the report that it was saved from
    report: str
    #: as typed there; empty when nothing was
    reviewer: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an import came to."""

    by: str
    #: event as marked, event as taken, state
    taken: tuple[tuple[int, int, str], ...]
    #: marks that the case has already
    known: int
    #: event as marked, and why the mark was not taken
    refused: tuple[tuple[int, str], ...]
    #: marks whose time lay after the import: the clock of the report's computer is ahead, or this one's behind
    ahead: int

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        return {
            "by": self.by,
            "taken": [
                {"marked": event_name(old), "event": event_name(new), "state": state} for old, new, state in self.taken
            ],
            "already_in_the_case": self.known,
            "not_taken": [{"marked": event_name(old), "reason": reason} for old, reason in self.refused],
            "clock_ahead": self.ahead,
        }


def read_marks(path: Path) -> Marks:
    """The marks file at ``path``; raises UsageError when it cannot be read or is not one, naming the place."""
    try:
        handle = open_readonly(path)
    except EvidenceError as error:
        raise UsageError(str(error)) from error
    with os.fdopen(handle, "rb") as file:
        try:
            raw = file.read(LARGEST + 1)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return _marks(printable(path.name), raw)
    except UsageError as error:
        raise UsageError(f"{path}: {error}; nothing was taken") from error


def _marks(name: str, raw: bytes) -> Marks:
    if len(raw) > LARGEST:
        raise UsageError(f"larger than {LARGEST >> 20} MiB: this is no marks file")
    try:
        document = json.loads(raw.decode("utf-8-sig"), parse_constant=_constant, object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise UsageError("not a marks file: it is no UTF-8 text") from error
    except RecursionError as error:
        raise UsageError("not a marks file: it is nested without end") from error
    except ValueError as error:
        raise UsageError(f"not a marks file: no JSON ({str(error)[:120]})") from error
    if not isinstance(document, dict) or "vidreview_marks" not in document:
        raise UsageError("not a marks file: those are saved from a report of vidreview")
    if (form := document["vidreview_marks"]) != FORM or isinstance(form, bool):
        raise UsageError(
            f"marks of form {str(form)[:20]!r}, this version reads form {FORM}; use the version that wrote it"
        )
    marks = document.get("marks")
    if not isinstance(marks, list):
        raise UsageError("'marks' must be a list")
    reviewer = _text(document, "reviewer", "the file", LONGEST_NAME)
    report = _text(document, "report", "the file", LONGEST_NAME)
    found = tuple(_mark(mark, f"mark {k}") for k, mark in enumerate(marks, 1))
    return Marks(name, hashlib.sha256(raw).hexdigest(), report or "", reviewer or "", found)


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object, so that it is not clear which is meant")
    return found


def _mark(mark: Any, what: str) -> Mark:
    if not isinstance(mark, dict):
        raise UsageError(f"{what} must be an object")
    event = _EVENT.fullmatch(_required(mark, "event", what))
    if event is None:
        raise UsageError(f"'event' of {what} must be an event such as E0007")
    sha256, kind, state = (_required(mark, name, what) for name in ("exhibit_sha256", "class", "state"))
    if not _SHA256.fullmatch(sha256):
        raise UsageError(f"'exhibit_sha256' of {what} must be 64 hexadecimal digits")
    if kind not in _CLASSES:
        raise UsageError(f"'class' of {what} must be one of {', '.join(_CLASSES)}")
    if state not in STATES:
        raise UsageError(f"'state' of {what} must be one of {', '.join(STATES)}")
    stream, start = _integer(mark, "stream", what, 0), _integer(mark, "start_pts", what, -_TICKS)
    note = _text(mark, "note", what, LONGEST_NOTE)
    return Mark(
        int(event[1]),
        EventKey(sha256, stream, start, kind),
        state,
        note or None,
        _utc(_required(mark, "at_utc", what), what),
    )


def _required(mark: Mapping[str, Any], name: str, what: str) -> str:
    value = mark.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{name!r} of {what} must be text")
    return value


def _text(mark: Mapping[str, Any], name: str, what: str, most: int) -> str | None:
    value = mark.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UsageError(f"{name!r} of {what} must be text")
    return worded(value, f"{name!r} of {what}", most) if value.strip() else None


def _integer(mark: Mapping[str, Any], name: str, what: str, least: int) -> int:
    value = mark.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _TICKS:
        raise UsageError(f"{name!r} of {what} must be a whole number")
    return value


def _utc(text: str, what: str) -> str:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None or not 2000 <= time.year < 2200:
            raise ValueError
        return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise UsageError(f"'at_utc' of {what} must be a time such as 2026-01-31T10:00:00Z") from None


# ---- taking marks into a case


def import_marks(case: Writer, marks: Marks, by: str | None, tell: Tell, now: str) -> Taken:
    """Record the marks of a file in the case, in one transaction; marks that it has already are passed over.

    ``by`` takes the place of the reviewer that the file names; ``now`` is the time of the import. Raises UsageError
    when neither names anybody.
    """
    reviewer = worded(by, "--by", LONGEST_NAME) if by is not None else marks.reviewer
    if not reviewer:
        raise UsageError(f"{marks.name} does not say who decided; give --by NAME")
    select = selecting(case)
    by_number = events_by_number(select)
    by_key: dict[EventKey, list[int]] = {}
    for number, key in by_number.items():
        by_key.setdefault(key, []).append(number)
    exhibits = {row[0] for row in select("SELECT sha256 FROM exhibits")}
    # a decision is the same whichever file it came in: the page saves earlier marks again with later ones
    known = {replace(one.decision, marks_sha256=None) for one in load_reviews(select)}
    decisions, taken, refused, passed = [], [], [], 0
    for mark in marks.marks:
        found, why = _find(mark, by_number, by_key, exhibits)
        if found is None:
            refused.append((mark.event, why))
            continue
        decision = Decision(event=found, state=mark.state, by=reviewer, note=mark.note, marked_utc=mark.at_utc)
        if decision in known:
            passed += 1
            continue
        known.add(decision)
        decisions.append(replace(decision, marks_sha256=marks.sha256))
        taken.append((mark.event, found, mark.state))
    ahead = sum(one.marked_utc is not None and one.marked_utc > now for one in decisions)
    result = Taken(reviewer, tuple(taken), passed, tuple(refused), ahead)
    if decisions:
        record(case, decisions, tell, _head(marks, result))
    return result


def _head(marks: Marks, result: Taken) -> dict[str, Any]:
    """The facts of the log's entry about the import as a whole."""
    return {
        "change": "import",
        "name": marks.name,
        "sha256": marks.sha256,
        "report": marks.report,
        "reviewer_in_file": marks.reviewer or None,
        "by": result.by,
        "taken": len(result.taken),
        "already_in_the_case": result.known,
        "not_taken": len(result.refused),
    }


def _find(
    mark: Mark, by_number: Mapping[int, EventKey], by_key: Mapping[EventKey, list[int]], exhibits: set[str | None]
) -> tuple[int | None, str]:
    """The event that a mark is of; None and why when the case has none."""
    if by_number.get(mark.event) == mark.key:
        return mark.event, ""
    there = by_key.get(mark.key, [])
    if len(there) == 1:
        return there[0], ""
    if there:
        names = ", ".join(map(event_name, there))
        return (
            None,
            f"several events begin there ({names}), and {event_name(mark.event)} is none of them; use 'review set'",
        )
    if mark.key.exhibit_sha256 not in exhibits:
        return None, "it is of an exhibit that is not in this case"
    place = f"stream {mark.key.stream}, PTS {mark.key.start_pts}"
    return None, f"no {mark.key.event_class} event of that exhibit begins at {place}; it was scanned otherwise since"
