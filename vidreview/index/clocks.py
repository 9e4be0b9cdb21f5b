"""What people observed of recorders' clocks, as a case keeps it, and the clocks of its streams that follow from it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from vidreview.clocks import (
    SECOND,
    UNKNOWN,
    Check,
    Correction,
    Reading,
    StreamClock,
    Times,
    Zone,
    pair,
    time_of,
    wall_clock,
)
from vidreview.index.rows import file_name

Select = Callable[..., list[tuple[Any, ...]]]
#: problems after which stream time no longer counts the recorder's own seconds
_BREAKS: Final = ("reset", "clock-step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a person says of a recorder's clock: a reading, a check, or both."""

    #: what the recorder displayed, naive
    shown: datetime
    #: a bound, microseconds
    uncertainty: int
    by: str
    #: stream time of the picture, microseconds
    at: int | None = None
    #: what the reference showed; naive where it stands in the recorder's zone
    reference: datetime | None = None
    source: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Observed:
    """An exhibit that an observation is about, as it was when that was recorded."""

    number: int
    name: str
    sha256: str | None
    #: index within the container, None for a check alone
    stream: int | None


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Who took an observation back, and why."""

    by: str
    reason: str
    at_utc: str


@dataclass(frozen=True, slots=True)
class Observation:
    """A recorded statement."""

    number: int
    statement: Statement
    recorded_utc: str
    withdrawn: Withdrawal | None
    exhibits: tuple[Observed, ...]

    @property
    def name(self) -> str:
        """Its number as people see it."""
        return observation_name(self.number)

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        said = self.statement
        return {
            "id": self.name,
            "exhibits": [
                {"exhibit": one.name, "exhibit_sha256": one.sha256, "stream": one.stream} for one in self.exhibits
            ],
            "at_s": None if said.at is None else said.at / SECOND,
            "shown": said.shown.isoformat(),
            "reference": None if said.reference is None else said.reference.isoformat(),
            "source": said.source,
            "zone": said.zone,
            "uncertainty_s": said.uncertainty / SECOND,
            "by": said.by,
            "recorded_utc": self.recorded_utc,
            "withdrawn": None if self.withdrawn is None else asdict(self.withdrawn),
        }


def observation_name(number: int) -> str:
    """An observation's number as people see it."""
    return f"C{number:04d}"


def load_observations(select: Select) -> list[Observation]:
    """All observations, withdrawn ones too, in the order in which they were recorded."""
    exhibits: dict[int, list[Observed]] = {}
    for observation, number, name, raw, sha256, stream in select(
        "SELECT observation, exhibit, name, name_raw, sha256, stream FROM clock_exhibits ORDER BY observation, exhibit"
    ):
        exhibits.setdefault(observation, []).append(Observed(number, file_name(name, raw), sha256, stream))
    result = []
    for number, shown, uncertainty, at, reference, source, zone, by, recorded, *withdrawn in select(
        "SELECT id, shown, uncertainty_us, at_us, reference, source, zone, by, recorded_utc, "
        "withdrawn_by, withdrawn_reason, withdrawn_utc FROM clock_observations ORDER BY id"
    ):
        statement = Statement(
            shown=datetime.fromisoformat(shown),
            uncertainty=uncertainty,
            by=by,
            at=at,
            reference=None if reference is None else datetime.fromisoformat(reference),
            source=source,
            zone=zone,
        )
        withdrawal = None if withdrawn[0] is None else Withdrawal(*withdrawn)
        result.append(Observation(number, statement, recorded, withdrawal, tuple(exhibits.get(number, ()))))
    return result


@dataclass(frozen=True, slots=True)
class Recorder:
    """Exhibits of which the same is known, and what follows from it."""

    #: names of exhibits that are in the case
    exhibits: list[str]
    correction: Correction
    #: (exhibit, stream) → clock, of those streams that have a reading
    clocks: dict[tuple[str, int], StreamClock]


class CaseClocks:
    """The observations of a case, read once, and the clocks of its streams that follow from them."""

    def __init__(self, select: Select) -> None:
        """``select`` runs a query on the case and gives its rows."""
        self.observations = load_observations(select)
        self._select = select
        #: of those streams that have a reading
        self._clocks: dict[int, StreamClock] = {}
        #: in the order of exhibits
        self.recorders: list[Recorder] = []
        if any(one.withdrawn is None for one in self.observations):
            self._derive()

    def times(self, stream: int, start_s: float, end_s: float) -> dict[str, Any]:
        """The wall-clock fields of an event or track, from its stream seconds; null where unknown (rule B5)."""
        clock = self._clocks.get(stream)
        if clock is None:
            return _NOTHING | {"utc_candidates": []}
        first, last = on_line(start_s), on_line(end_s)
        return _fields(clock.at(first), clock.at(last), last - first)

    def stream(self, stream: int) -> StreamClock | None:
        """The clock of a stream, by its row; None when nobody read it."""
        return self._clocks.get(stream)

    def _derive(self) -> None:
        by_content: dict[str, list[Observation]] = {}
        by_number: dict[tuple[int, str], list[Observation]] = {}
        for one in self.observations:
            for observed in one.exhibits if one.withdrawn is None else ():
                if observed.sha256 is not None:
                    known = by_content.setdefault(observed.sha256, [])
                else:
                    known = by_number.setdefault((observed.number, observed.name), [])
                if one not in known[-1:]:
                    known.append(one)
        streams: dict[int, list[tuple[Any, ...]]] = {}
        for exhibit, *row in self._select("SELECT exhibit, id, number, info FROM streams ORDER BY exhibit, number"):
            streams.setdefault(exhibit, []).append(tuple(row))
        breaks = breaks_of(self._select)
        alike: dict[tuple[Any, ...], Recorder] = {}
        for exhibit, raw_name, raw, sha256 in self._select(
            "SELECT id, name, name_raw, sha256 FROM exhibits ORDER BY id"
        ):
            name = file_name(raw_name, raw)
            found = [*by_content.get(sha256, ()), *by_number.get((exhibit, name), ())]
            if not found:
                continue
            key = tuple(one.number for one in found if one.statement.reference or one.statement.zone)
            if key not in alike:
                alike[key] = Recorder([], correction_of(found), {})
            recorder = alike[key]
            recorder.exhibits.append(name)
            about = Observed(exhibit, name, sha256, None)
            for stream, number, info in streams.get(exhibit, ()):
                readings = _readings(found, about, number)
                if readings:
                    at, until = breaks.get(stream, ((), None))
                    clock = StreamClock(readings, recorder.correction, at, until, counted=_counted(info))
                    self._clocks[stream] = recorder.clocks[name, number] = clock
        self.recorders = list(alike.values())


def concerns(observation: Observation, exhibit: Observed) -> bool:
    """True when an observation is about this content, whatever its file is called now."""
    return any(_same(one, exhibit) for one in observation.exhibits)


def _same(recorded: Observed, exhibit: Observed) -> bool:
    if recorded.sha256 is None:
        return (recorded.number, recorded.name) == (exhibit.number, exhibit.name)
    return recorded.sha256 == exhibit.sha256


def _readings(observations: Sequence[Observation], exhibit: Observed, stream: int) -> list[Reading]:
    return [
        Reading(one.name, one.statement.at, wall_clock(one.statement.shown), one.statement.uncertainty)
        for one in observations
        if one.statement.at is not None
        and any(_same(observed, exhibit) and observed.stream == stream for observed in one.exhibits)
    ]


@lru_cache(maxsize=64)
def _zone(name: str | None) -> Zone:
    """A zone, one for all recorders in it: what it has worked out of its clock changes holds for each."""
    return Zone(name)


def correction_of(observations: Sequence[Observation]) -> Correction:
    """What the checks among the observations of one recorder say."""
    zone = _zone(next((one.statement.zone for one in observations if one.statement.zone is not None), None))
    checks = [
        Check(
            one.name,
            wall_clock(one.statement.shown),
            wall_clock(one.statement.reference),
            one.statement.reference.tzinfo is not None,
            one.statement.uncertainty,
            one.statement.source or "",
        )
        for one in observations
        if one.statement.reference is not None
    ]
    return Correction(zone, checks)


def breaks_of(select: Select, streams: Sequence[int] | None = None) -> dict[int, tuple[tuple[int, ...], int | None]]:
    """Stream → stream times at which its timestamps break, and from when on breaks were only counted."""
    wanted = "" if streams is None else f" AND stream IN ({', '.join('?' * len(streams))})"
    found: dict[int, dict[str, list[int]]] = {}
    uncounted: dict[int, list[str]] = {}
    for stream, kind, at_s in select(
        f"SELECT stream, kind, at_s FROM problems WHERE stream IS NOT NULL AND kind IN (?, ?){wanted} ORDER BY at_s",
        [*_BREAKS, *(streams or ())],
    ):
        if at_s is None:
            uncounted.setdefault(stream, []).append(kind)
        else:
            found.setdefault(stream, {}).setdefault(kind, []).append(on_line(at_s))
    result: dict[int, tuple[tuple[int, ...], int | None]] = {}
    for stream in found.keys() | uncounted.keys():
        kinds = found.get(stream, {})
        ends = [kinds.get(kind, [0])[-1] for kind in uncounted.get(stream, ())]
        result[stream] = tuple(sorted(at for one in kinds.values() for at in one)), min(ends, default=None)
    return result


def on_line(seconds: float) -> int:
    """Stream seconds, which are ticks rounded once, as microseconds; equal seconds give equal numbers."""
    return round(seconds * SECOND)


def _counted(info: str) -> bool:
    """True when the stream's ticks are counted, not read; and when nobody can tell any more: the wider bound."""
    try:
        return not json.loads(info).get("timed", True)
    except (ValueError, AttributeError):
        return True


# ---- as JSON


def _fields(start: Times, end: Times, elapsed: int) -> dict[str, Any]:
    candidates = [
        {"start_utc": _iso(one, "Z"), "end_utc": _iso(other, "Z")} for one, other in pair(start, end, elapsed)
    ]
    sure = len(candidates) == 1
    source = start.source or end.source
    if source and end.source and end.source != source:
        source = f"{source}; at the end: {end.source}"
    return {
        "start_shown": _iso(start.shown),
        "end_shown": _iso(end.shown),
        "shown_uncertainty_s": _bound(start.shown_uncertainty, end.shown_uncertainty),
        "start_corrected": _iso(start.corrected),
        "end_corrected": _iso(end.corrected),
        "corrected_uncertainty_s": _bound(start.corrected_uncertainty, end.corrected_uncertainty),
        "start_utc": candidates[0]["start_utc"] if sure else None,
        "end_utc": candidates[0]["end_utc"] if sure else None,
        "utc_candidates": candidates,
        "utc_uncertainty_s": _bound(start.utc_uncertainty, end.utc_uncertainty) if candidates else None,
        "time_source": source,
    }


def _iso(time: int | None, zone: str = "") -> str | None:
    """ISO 8601, rounded to the millisecond."""
    return None if time is None else time_of(time + 500).isoformat(timespec="milliseconds") + zone


def _bound(*bounds: int | None) -> float | None:
    """The larger of the bounds that are known in seconds, rounded up to the millisecond: a bound stays one."""
    known = [one for one in bounds if one is not None]
    return -(-max(known) // 1000) / 1000 if known else None


_NOTHING: Final = _fields(UNKNOWN, UNKNOWN, 0)
