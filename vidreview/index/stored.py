"""Exhibits, streams and events as a case keeps them: what finding, cutting and showing them again needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from vidreview.errors import CaseError
from vidreview.index.rows import file_name

#: SQL: what ``stored_stream`` takes
STREAM: Final = (
    "exhibit.name, exhibit.name_raw, exhibit.path, exhibit.path_raw, exhibit.size, exhibit.sha256, exhibit.reference, "
    "(SELECT record FROM runs WHERE runs.id = exhibit.run), stream.number, stream.time_base_num, "
    "stream.time_base_den, stream.rotation, stream.info, stream.id"
)


@dataclass(frozen=True, slots=True)
class StoredExhibit:
    """Where an exhibit lay when it was scanned, and what it was."""

    name: str
    path: Path
    size: int
    sha256: str
    #: what the seizure record calls it
    reference: str | None = None
    #: of the scan: operator, organisation and reason, as far as they were given (rule A4)
    for_whom: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StoredStream:
    """A stream that was scanned."""

    exhibit: StoredExhibit
    #: index within the container
    index: int
    time_base: Fraction
    #: clockwise degrees a player turns the picture by
    rotation: int
    #: width/height of a pixel
    sample_aspect: Fraction
    #: False where the file holds no timestamps and PTS are the reader's own
    timed: bool
    #: by which the tables of the case know it
    row: int = 0


@dataclass(frozen=True, slots=True)
class EventPlace:
    """Where in which file an event lies: what cutting a clip or taking a still needs."""

    number: int
    stream: StoredStream
    start_pts: int
    end_pts: int
    peak_pts: int
    start_s: float
    end_s: float
    peak_s: float
    #: counts of presented frames from 0, from the event's tracks; PTS alone may occur twice in a stream
    first_frame: int
    last_frame: int
    peak_frame: int


def stored_stream(
    name: str,
    name_raw: bytes | None,
    path: str,
    path_raw: bytes | None,
    size: int,
    sha256: str,
    reference: str | None,
    record: str,
    number: int,
    num: int,
    den: int,
    rotation: int,
    info: str,
    row: int,
) -> StoredStream:
    """A stream from the columns of ``STREAM``; raises CaseError for what vidreview did not write."""
    try:
        run, facts = json.loads(record), json.loads(info)
        if not (isinstance(run, dict) and isinstance(facts, dict) and isinstance(path, str)):
            raise ValueError("a field is of another kind than was written")
        aspect = Fraction(facts.get("sample_aspect") or 1)
        base = Fraction(num, den)
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise CaseError(f"the index holds what vidreview did not write: {error}; see 'vidreview verify'") from error
    for_whom = tuple((key, str(run[key])) for key in ("operator", "organisation", "reason") if run.get(key))
    exhibit = StoredExhibit(
        file_name(name, name_raw), Path(file_name(path, path_raw)), size, sha256, reference, for_whom
    )
    return StoredStream(exhibit, number, base, rotation, aspect, bool(facts.get("timed", True)), row)
