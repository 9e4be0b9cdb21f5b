"""What people observed of recorders' clocks: written to the case, never deleted, and read back as stream clocks."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
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
from vidreview.errors import UsageError
from vidreview.index import schema
from vidreview.index.case import Case, storable
from vidreview.index.filters import by_name

Select = Callable[..., list[tuple[Any, ...]]]
#: takes a change and its facts, into the audit log; called before the change is committed
Tell = Callable[[dict[str, Any]], object]

#: problems after which stream time no longer counts the recorder's own seconds
_BREAKS: Final = ("reset", "clock-step")

#: a reading this close to a break cannot be told to lie before or after it
_CLEAR_OF_BREAK: Final = SECOND // 2


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


# ---- writing


def add_observation(case: Case, pattern: str, statement: Statement, stream: int | None, tell: Tell) -> Observation:
    """Record what a person says of all exhibits of this name or pattern.

    ``stream`` is the index within the container that was read, None for the only one. Raises UsageError when no
    exhibit matches, or the statement does not fit one of them or what was recorded before.
    """
    with case._transaction() as db:
        select = _selecting(db)
        exhibits = _matching(select, pattern, stream, statement.at is not None)
        before = load_observations(select)
        number = 1 + max((one.number for one in before), default=0)
        observation = Observation(number, statement, schema.now_utc(), None, exhibits)
        for exhibit in exhibits:
            if statement.at is not None:
                _check_position(select, exhibit, statement.at)
            _check_zone(exhibit, [*(one for one in before if _concerns(one, exhibit)), observation])
        _insert(db, observation)
        tell({"change": "added", **observation.to_json()})
    return observation


def withdraw_observation(case: Case, number: int, by: str, reason: str, tell: Tell) -> Observation:
    """Mark an observation as withdrawn; raises UsageError when there is none of that number, or it was before."""
    with case._transaction() as db:
        known = {one.number: one for one in load_observations(_selecting(db))}
        if number not in known:
            names = ", ".join(known[key].name for key in sorted(known)) or "none"
            raise UsageError(f"the case has no clock observation {observation_name(number)}; there are: {names}")
        if (earlier := known[number].withdrawn) is not None:
            raise UsageError(f"{observation_name(number)} was withdrawn by {earlier.by} at {earlier.at_utc} already")
        withdrawal = Withdrawal(storable(by)[0], storable(reason)[0], schema.now_utc())
        db.execute(
            "UPDATE clock_observations SET withdrawn_utc = ?, withdrawn_by = ?, withdrawn_reason = ? WHERE id = ?",
            (withdrawal.at_utc, withdrawal.by, withdrawal.reason, number),
        )
        tell({"change": "withdrawn", "id": observation_name(number), **asdict(withdrawal)})
    found = known[number]
    return Observation(number, found.statement, found.recorded_utc, withdrawal, found.exhibits)


def _selecting(db: sqlite3.Connection) -> Select:
    return lambda statement, values=(): db.execute(statement, values).fetchall()


def _matching(select: Select, pattern: str, stream: int | None, reading: bool) -> tuple[Observed, ...]:
    clause, values = by_name([pattern])
    rows = select(
        f"SELECT id, name, name_raw, sha256 FROM exhibits exhibit WHERE {clause} ORDER BY id",
        values,
    )
    if not rows:
        names = [_name(*row) for row in select("SELECT name, name_raw FROM exhibits ORDER BY id")]
        known = (
            ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "none, run 'vidreview scan' first"
        )
        raise UsageError(f"no exhibit of the case is named {pattern!r}; there are {len(names)}: {known}")
    return tuple(
        Observed(
            number, _name(name, raw), sha256, _stream(select, number, _name(name, raw), stream) if reading else None
        )
        for number, name, raw, sha256 in rows
    )


def _stream(select: Select, exhibit: int, name: str, wanted: int | None) -> int:
    there = [row[0] for row in select("SELECT number FROM streams WHERE exhibit = ? ORDER BY number", [exhibit])]
    known = ", ".join(map(str, there))
    if not there:
        raise UsageError(
            f"{name} has no stream that was scanned, so --at has no meaning there; see 'vidreview coverage'"
        )
    if wanted is None and len(there) > 1:
        raise UsageError(f"{name} has the streams {known}: say with --stream which one was read")
    if wanted is not None and wanted not in there:
        raise UsageError(f"{name} has no stream {wanted}; there are: {known}")
    number: int = there[0] if wanted is None else wanted
    return number


def _check_position(select: Select, exhibit: Observed, at: int) -> None:
    """Refuse a reading beyond the stream's end, or where two recordings meet."""
    ((stream, length),) = select(
        "SELECT stream.id, max(coalesce(c.duration_s, 0), coalesce(stream.duration_s, 0)) FROM streams stream "
        "LEFT JOIN coverage c ON c.stream = stream.id WHERE exhibit = ? AND number = ?",
        [exhibit.number, exhibit.stream],
    )
    if length and at > _on_line(length):
        raise UsageError(
            f"{exhibit.name} stream {exhibit.stream} is {length:.3f} s long: there is no picture at {at / SECOND:g} s"
        )
    breaks, listed_until = _breaks(select, [stream]).get(stream, ((), None))
    for at_break in breaks:
        if abs(at - at_break) < _CLEAR_OF_BREAK:
            raise UsageError(
                f"the timestamps of {exhibit.name} break off at {at_break / SECOND:.3f} s, too close to "
                f"{at / SECOND:g} s to say on which side the reading lies; read the clock half a second or more away"
            )
    if listed_until is not None and at >= listed_until:
        raise UsageError(
            f"the timestamps of {exhibit.name} break off more often than is listed after "
            f"{listed_until / SECOND:.3f} s, so a reading there says nothing of any other time; read the clock before"
        )


def _check_zone(exhibit: Observed, observations: Sequence[Observation]) -> None:
    """Refuse what cannot be true of one recorder together: two zones, or a check at a time that is not one instant."""
    new = observations[-1]
    valid = [one for one in observations if one.withdrawn is None]
    zones = {one.statement.zone: one for one in valid if one.statement.zone is not None}
    if len(zones) > 1:
        other = next(one for zone, one in zones.items() if zone != new.statement.zone)
        raise UsageError(
            f"{other.name} says that the clock of {exhibit.name} runs in {other.statement.zone}, not in "
            f"{new.statement.zone}; withdraw it first if that is wrong: vidreview clock withdraw {other.name}"
        )
    aware = next((one for one in valid if one.statement.reference is not None and one.statement.reference.tzinfo), None)
    if aware is not None and not zones:
        raise UsageError(
            "the reference is written with a UTC offset, the recorder's time without: name the zone in which the "
            f"recorder's clock of {exhibit.name} runs (--zone Europe/London, --zone UTC), or write the reference "
            "as local time"
        )
    unusable = _correction(valid).unusable
    if new.name in unusable:
        why = unusable[new.name]
        hint = "write the reference with Z or its UTC offset, or " if why.startswith("the reference") else ""
        raise UsageError(f"the offset of this check is not known: {why}; {hint}check the recorder outside of that hour")


def _insert(db: sqlite3.Connection, observation: Observation) -> None:
    said = observation.statement
    db.execute(
        "INSERT INTO clock_observations (id, shown, uncertainty_us, at_us, reference, source, zone, by, recorded_utc) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            observation.number,
            said.shown.isoformat(),
            said.uncertainty,
            said.at,
            None if said.reference is None else said.reference.isoformat(),
            said.source,
            said.zone,
            said.by,
            observation.recorded_utc,
        ),
    )
    db.executemany(
        "INSERT INTO clock_exhibits (observation, exhibit, name, name_raw, sha256, stream) VALUES (?, ?, ?, ?, ?, ?)",
        [(observation.number, one.number, *storable(one.name), one.sha256, one.stream) for one in observation.exhibits],
    )


# ---- reading


def load_observations(select: Select) -> list[Observation]:
    """All observations, withdrawn ones too, in the order in which they were recorded."""
    exhibits: dict[int, list[Observed]] = {}
    for observation, number, name, raw, sha256, stream in select(
        "SELECT observation, exhibit, name, name_raw, sha256, stream FROM clock_exhibits ORDER BY observation, exhibit"
    ):
        exhibits.setdefault(observation, []).append(Observed(number, _name(name, raw), sha256, stream))
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
    exhibits: tuple[str, ...]
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
            return _fields(UNKNOWN, UNKNOWN, 0)
        first, last = _on_line(start_s), _on_line(end_s)
        return _fields(clock.at(first), clock.at(last), last - first)

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
        breaks = _breaks(self._select)
        alike: dict[tuple[Any, ...], Recorder] = {}
        for exhibit, raw_name, raw, sha256 in self._select(
            "SELECT id, name, name_raw, sha256 FROM exhibits ORDER BY id"
        ):
            name = _name(raw_name, raw)
            found = [*by_content.get(sha256, ()), *by_number.get((exhibit, name), ())]
            if not found:
                continue
            key = tuple((one.number) for one in found if one.statement.reference or one.statement.zone)
            recorder = alike.setdefault(key, Recorder((), _correction(found), {}))
            recorder = alike[key] = Recorder((*recorder.exhibits, name), recorder.correction, recorder.clocks)
            about = Observed(exhibit, name, sha256, None)
            for stream, number, info in streams.get(exhibit, ()):
                readings = _readings(found, about, number)
                if readings:
                    at, until = breaks.get(stream, ((), None))
                    clock = StreamClock(readings, recorder.correction, at, until, counted=_counted(info))
                    self._clocks[stream] = recorder.clocks[name, number] = clock
        self.recorders = list(alike.values())


def _concerns(observation: Observation, exhibit: Observed) -> bool:
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


def _correction(observations: Sequence[Observation]) -> Correction:
    zone = Zone(next((one.statement.zone for one in observations if one.statement.zone is not None), None))
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


def _breaks(select: Select, streams: Sequence[int] | None = None) -> dict[int, tuple[tuple[int, ...], int | None]]:
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
            found.setdefault(stream, {}).setdefault(kind, []).append(_on_line(at_s))
    result: dict[int, tuple[tuple[int, ...], int | None]] = {}
    for stream in found.keys() | uncounted.keys():
        kinds = found.get(stream, {})
        ends = [kinds.get(kind, [0])[-1] for kind in uncounted.get(stream, ())]
        result[stream] = tuple(sorted(at for one in kinds.values() for at in one)), min(ends, default=None)
    return result


def _on_line(seconds: float) -> int:
    """Stream seconds, which are ticks rounded once, as microseconds; equal seconds give equal numbers."""
    return round(seconds * SECOND)


def _counted(info: str) -> bool:
    import json

    return not json.loads(info).get("timed", True)


def _name(text: str, raw: bytes | None) -> str:
    return text if raw is None else os.fsdecode(raw)


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
