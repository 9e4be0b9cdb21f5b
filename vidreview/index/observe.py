"""Writing down what people observed of recorders' clocks: checked against the case, logged, never deleted."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from vidreview.clocks import SECOND
from vidreview.errors import UsageError
from vidreview.index import schema, seal
from vidreview.index.case import Case
from vidreview.index.clocks import (
    Observation,
    Observed,
    Select,
    Statement,
    Withdrawal,
    breaks_of,
    concerns,
    correction_of,
    load_observations,
    observation_name,
    on_line,
)
from vidreview.index.filters import by_name
from vidreview.index.rows import file_name, storable

#: takes a change and its facts into the audit log, before it is committed: what is kept was always logged
Tell = Callable[[dict[str, Any]], object]

#: a reading this close to a break cannot be told to lie before or after it
_CLEAR_OF_BREAK: Final = SECOND // 2


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
            _check_zone(exhibit, [*(one for one in before if concerns(one, exhibit)), observation])
        _insert(db, observation)
        recorded = seal.recorded(db, "clock_observations", number)
        tell({"change": "added", **observation.to_json(), "recorded": recorded})
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
        recorded = seal.recorded(db, "clock_observations", number)
        tell({"change": "withdrawn", "id": observation_name(number), **asdict(withdrawal), "recorded": recorded})
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
        names = [file_name(*row) for row in select("SELECT name, name_raw FROM exhibits ORDER BY id")]
        known = (
            ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "none, run 'vidreview scan' first"
        )
        raise UsageError(f"no exhibit of the case is named {pattern!r}; there are {len(names)}: {known}")
    found = []
    for number, text, raw, sha256 in rows:
        name = file_name(text, raw)
        found.append(Observed(number, name, sha256, _stream(select, number, name, stream) if reading else None))
    return tuple(found)


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
    if length and at > on_line(length):
        raise UsageError(
            f"{exhibit.name} stream {exhibit.stream} is {length:.3f} s long: there is no picture at {at / SECOND:g} s"
        )
    breaks, listed_until = breaks_of(select, [stream]).get(stream, ((), None))
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
    said = new.statement
    if said.reference is not None and said.reference.tzinfo is not None and not zones:
        raise UsageError(
            "the reference is written with a UTC offset, the recorder's time without: name the zone in which the "
            f"recorder's clock of {exhibit.name} runs (--zone Europe/London, --zone UTC), or write the reference "
            "as local time"
        )
    unusable = correction_of(valid).unusable
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
