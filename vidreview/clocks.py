"""From what a recorder's clock showed to displayed, corrected and UTC times, each with a bound (rules B2 to B5).

Every time is a whole number of microseconds, and so is every length of time. Stream times count from the stream's first
presented frame, on its unbroken line; wall-clock times from 1970-01-01 00:00 of the clock they belong to. What does not
come out even is rounded to the nearest microsecond, bounds upwards.

offset = recorder_shown − reference (+ is FAST);
utc(t) = shown(t) − [offset + drift·(shown(t) − shown_at_check)] − zone(shown(t)).
Time that passes is counted on the recorder's *running* clock: what it shows less its zone, so that a clock change
between a reading or a check and the footage is no error of the recorder.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from vidreview.errors import CaseError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a clock's own midnight; its zone is another matter
#: microseconds
SECOND = 10**6
_HOUR = 3600 * SECOND
_DAY = 24 * _HOUR
#: the times that are reckoned with, years 6 to 9986: a hostile time line may lead anywhere
_FIRST, _LAST = -62 * 10**9 * SECOND, 253 * 10**9 * SECOND
#: half the smallest clock change: what belongs to one candidate differs by less
_HALF_CHANGE = 900 * SECOND


def wall_clock(time: datetime) -> int:
    """A clock's time as a number; one with a UTC offset as a number of UTC."""
    plain = time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    return (plain - _EPOCH) // timedelta(microseconds=1)


def time_of(number: int) -> datetime:
    """A number as a clock's time; inverse of ``wall_clock``."""
    return _EPOCH + timedelta(microseconds=number)


class Zone:
    """The zone in which a recorder's clock runs; without a name, nothing is known of it and its clock never changes."""

    def __init__(self, name: str | None) -> None:
        """Raises CaseError when this machine does not know the zone."""
        self.name = name
        self._info = None if name is None else _load(name)
        self._steady: dict[int, int | None] = {}

    def shown(self, running: int) -> int:
        """What a right clock in the zone shows at a time of UTC."""
        if self._info is None:
            return running
        steady = self._steady_about(running)
        return running + (self._ahead(running) if steady is None else steady)

    def offsets(self, shown: int, slack: int = 0) -> tuple[int, ...]:
        """By how much the zone is ahead of UTC when a clock there shows this, give or take ``slack``.

        Two in the repeated hour, the earlier instant's first; none in the skipped hour; (0,) for an unnamed zone.
        """
        if self._info is None:
            return (0,)
        steady = self._steady_about(shown)
        if steady is not None:
            return (steady,)
        slack = min(slack, _HOUR)  # beyond, the other candidate lies within the uncertainty anyway
        times = {shown - slack, shown, shown + slack}
        return tuple(sorted({ahead for one in times for ahead in self._offsets(one)}, reverse=True))

    def _offsets(self, shown: int) -> list[int]:
        candidates = {self._ahead(shown - _DAY), self._ahead(shown + _DAY)}
        return [ahead for ahead in candidates if self._ahead(shown - ahead) == ahead]

    def _ahead(self, running: int) -> int:
        assert self._info is not None
        utc = time_of(running)
        return (self._info.fromutc(utc.replace(tzinfo=self._info)).replace(tzinfo=None) - utc) // timedelta(
            microseconds=1
        )

    def _steady_about(self, time: int) -> int | None:
        """The offset of the days about, where it is the same for all of them: asked once a day, not once an event."""
        day = time // _DAY
        if day not in self._steady:
            found = {self._ahead(hour * _HOUR) for hour in range((day - 2) * 24, (day + 3) * 24)}
            self._steady[day] = found.pop() if len(found) == 1 else None
        return self._steady[day]


def _load(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise CaseError(
            f"this machine does not know the time zone {name!r}; install tzdata ('pip install tzdata')"
        ) from error


@dataclass(frozen=True, slots=True)
class Reading:
    """The picture at a stream time shows a time: what ties the stream to the recorder's display."""

    name: str
    #: on the stream's unbroken line
    at: int
    shown: int
    #: a bound
    uncertainty: int


@dataclass(frozen=True, slots=True)
class Check:
    """The recorder showed a time when a named reference showed another (rule B3)."""

    name: str
    shown: int
    reference: int
    #: else the reference stands in the recorder's zone
    reference_is_utc: bool
    #: a bound on shown − reference
    uncertainty: int
    source: str


@dataclass(frozen=True, slots=True)
class Offset:
    """By how much the recorder was ahead of its reference: + is FAST."""

    names: tuple[str, ...]
    #: the recorder's running clock, at the check
    running: int
    value: int
    uncertainty: int
    source: str


class Estimate(NamedTuple):
    """The offset at some instant, and how it was come by."""

    value: int
    #: a bound on the corrected time: of the offset, and of the displayed time it was taken for
    uncertainty: int
    words: str


@dataclass(frozen=True, slots=True)
class Piece:
    """The straight line through two neighbouring offsets."""

    first: Offset
    second: Offset
    words: str

    @property
    def length(self) -> int:
        """What the recorder's clock ran from the one to the other."""
        return self.second.running - self.first.running

    @property
    def gained(self) -> int:
        """By how much the offset grew on the way."""
        return self.second.value - self.first.value

    @property
    def drift_per_day(self) -> float:
        """Seconds gained per day, for display."""
        return self.gained / self.length * 86400

    def at(self, running: int, slack: int) -> tuple[int, int]:
        """The offset at a time that is known to ``slack``, and the bound on the time corrected by it.

        offset = o1 + λ·(o2 − o1), bound = |1 − λ|·u1 + |λ|·u2 + slack·(|1 − drift| + (u1 + u2) / length).
        """
        length, gained, past = self.length, self.gained, running - self.first.running
        value = self.first.value + (2 * gained * past + length) // (2 * length)
        bound = abs(length - past) * self.first.uncertainty + abs(past) * self.second.uncertainty
        bound += slack * (abs(length - gained) + self.first.uncertainty + self.second.uncertainty)
        return value, -(-bound // length) + 1  # what was rounded


class Correction:
    """What the checks of a recorder say of its offset at any instant."""

    def __init__(self, zone: Zone, checks: Iterable[Check]) -> None:
        """Checks that cannot be used, since a local time in them occurs twice or never, are kept in ``unusable``."""
        self.zone = zone
        #: check → why it says nothing
        self.unusable: dict[str, str] = {}
        same: dict[int, list[Offset]] = {}
        for check in checks:
            try:
                offset = _offset(zone, check)
            except _NotOneTimeError as error:
                self.unusable[check.name] = str(error)
            else:
                same.setdefault(offset.running, []).append(offset)
        #: by running time
        self.offsets: tuple[Offset, ...] = tuple(_together(same[running]) for running in sorted(same))
        self.pieces = tuple(map(_piece, self.offsets, self.offsets[1:]))
        self._starts = [piece.first.running for piece in self.pieces[1:]]

    def at(self, running: int, slack: int = 0) -> Estimate | None:
        """The offset at a time of the recorder's running clock that is known to ``slack``; None without a check.

        One check gives a constant. Between two checks the offset is interpolated, beyond all of them the nearest two
        are extrapolated.
        """
        if not self.offsets:
            return None
        if not self.pieces:
            only = self.offsets[0]
            words = f"offset of {_names(only)} ({only.source}), one check, so drift is unknown"
            return Estimate(only.value, only.uncertainty + slack, words)
        piece = self.pieces[bisect_right(self._starts, running)]
        inside = piece.first.running <= running <= piece.second.running
        how = "interpolated between" if inside else "extrapolated beyond"
        return Estimate(*piece.at(running, slack), f"offset {how} {piece.words}")


def _piece(first: Offset, second: Offset) -> Piece:
    sources = first.source if first.source == second.source else f"{first.source}, {second.source}"
    return Piece(first, second, f"{_names(first)} and {_names(second)} ({sources})")


class _NotOneTimeError(Exception):
    """A time that does not name one instant."""


def _offset(zone: Zone, check: Check) -> Offset:
    if check.reference_is_utc and zone.name is None:
        raise _NotOneTimeError("the reference has a UTC offset, and the zone of the recorder's clock is not known")
    running = _one(zone, check.shown, "the time shown")
    reference = check.reference if check.reference_is_utc else _one(zone, check.reference, "the reference")
    return Offset((check.name,), running, running - reference, check.uncertainty, check.source)


def _one(zone: Zone, shown: int, what: str) -> int:
    offsets = zone.offsets(shown)
    if len(offsets) != 1:
        times = "twice (clock change)" if offsets else "never (skipped by a clock change)"
        raise _NotOneTimeError(f"{what}, {time_of(shown)}, occurs {times} in {zone.name}")
    return shown - offsets[0]


def _together(offsets: Sequence[Offset]) -> Offset:
    """Checks at one instant as one offset whose bound holds all of theirs."""
    if len(offsets) == 1:
        return offsets[0]
    low = min(offset.value - offset.uncertainty for offset in offsets)
    high = max(offset.value + offset.uncertainty for offset in offsets)
    names = tuple(name for offset in offsets for name in offset.names)
    sources = ", ".join(dict.fromkeys(offset.source for offset in offsets))
    middle = (low + high) // 2
    return Offset(names, offsets[0].running, middle, high - middle, sources)


def _names(offset: Offset) -> str:
    return "+".join(offset.names)


class Times(NamedTuple):
    """What is known of an instant besides its stream time; None is unknown."""

    shown: int | None = None
    shown_uncertainty: int | None = None
    corrected: int | None = None
    corrected_uncertainty: int | None = None
    #: candidates, earliest first: two in the repeated hour (rule B4)
    utc: tuple[int, ...] = ()
    utc_uncertainty: int | None = None
    #: which observations, and how; None when nothing is known
    source: str | None = None


UNKNOWN = Times()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Readings of one unbroken segment that stream time does not reconcile."""

    first: Reading
    second: Reading
    #: by how much more the display moved than stream time did
    by: int


class StreamClock:
    """What readings and checks say of the instants of one stream."""

    def __init__(
        self,
        readings: Iterable[Reading],
        correction: Correction,
        breaks: Iterable[int] = (),
        listed_until: int | None = None,
        counted: bool = False,
    ) -> None:
        """``breaks`` are stream times at which timestamps were reset or stepped; a reading says nothing beyond one.

        From ``listed_until`` on there are breaks at unknown times. ``counted``: the file holds no timestamps, so the
        bound grows by all the stream time that was counted since the reading.
        """
        self.correction = correction
        self.zone = correction.zone
        self._zone_words = f"zone {self.zone.name}"
        self._breaks = sorted(set(breaks))
        self._listed_until = listed_until
        self._counted = counted
        told = " (stream time counted at an assumed rate, the file holds no timestamps)" if counted else ""
        self._sources: dict[str, str] = {}
        #: segment → its readings by stream time
        self._segments: dict[int, list[Reading]] = {}
        for reading in sorted(readings, key=lambda one: (one.at, one.name)):
            self._segments.setdefault(self._segment(reading.at), []).append(reading)
            self._sources[reading.name] = f"{reading.name} read at {plain_seconds(reading.at)} s{told}"
        self._times = {number: [one.at for one in found] for number, found in self._segments.items()}
        self._disagreements = {number: _disagreement(found) for number, found in self._segments.items()}

    def disagreements(self) -> list[Disagreement]:
        """The worst of each segment whose readings disagree by more than their uncertainties together."""
        return [found for _, found in sorted(self._disagreements.items()) if found is not None]

    def edges(self) -> list[int]:
        """Stream times from which on another reading tells, or none."""
        times = [at for found in self._times.values() for at in found]
        return sorted({*times, *self._breaks, *([] if self._listed_until is None else [self._listed_until])})

    def at(self, position: int) -> Times:
        """What is known of the instant at this stream time."""
        found = self._reading(position)
        if found is None:
            return UNKNOWN
        reading, uncertainty = found
        elapsed = position - reading.at
        if not _FIRST < reading.shown + elapsed < _LAST:
            return UNKNOWN
        if self._counted:
            uncertainty += abs(elapsed)  # nobody knows the rate; this holds down to half the assumed one
        source = self._sources[reading.name]
        runnings, shown, note = self._running(reading, elapsed, uncertainty)
        first = self.correction.at(runnings[0], uncertainty)
        if first is None:
            return Times(shown, uncertainty, source=f"{source}; no check against a reference, so offset is unknown")
        value, bound, words = first
        utc: tuple[int, ...] = (runnings[0] - value,)
        apart = 0
        for running in runnings[1:]:
            other = self.correction.at(running, uncertainty)
            assert other is not None
            utc += (running - other.value,)
            # candidates drift an hour apart: far less than anything else, but a bound is a bound
            bound, apart = max(bound, other.uncertainty), abs(other.value - value)
        if not _FIRST < utc[0] <= utc[-1] < _LAST:
            return Times(shown, uncertainty, source=f"{source}; {words}, which leads out of the calendar")
        source = f"{source}; {words}; {note}"
        corrected, corrected_bound = (None, None) if shown is None else (shown - value, bound + apart)
        if self.zone.name is None or note.endswith(_NEVER):
            return Times(shown, uncertainty, corrected, corrected_bound, source=source)
        return Times(shown, uncertainty, corrected, corrected_bound, utc, bound, source)

    def _segment(self, position: int) -> int:
        return bisect_right(self._breaks, position)

    def _reading(self, position: int) -> tuple[Reading, int] | None:
        """The reading that tells of a stream time, and the bound of what it tells."""
        if self._listed_until is not None and position >= self._listed_until:
            return None
        number = self._segment(position)
        readings = self._segments.get(number)
        if readings is None:
            return None
        reading = readings[max(0, bisect_right(self._times[number], position) - 1)]
        disagreement = self._disagreements[number]
        return reading, reading.uncertainty + (abs(disagreement.by) if disagreement else 0)

    def _running(self, reading: Reading, elapsed: int, slack: int) -> tuple[list[int], int | None, str]:
        """Candidates of the recorder's running clock, what it displays where that is one time, and a note."""
        zone = self.zone
        if zone.name is None:
            return [reading.shown + elapsed], reading.shown + elapsed, "zone unknown"
        starts = zone.offsets(reading.shown)
        if not starts:
            shown = reading.shown + elapsed
            running = shown - (zone.offsets(reading.shown - _DAY) or (0,))[0]
            return [running], shown, f"zone {zone.name}, in which {time_of(reading.shown)} {_NEVER}"
        runnings = [reading.shown - ahead + elapsed for ahead in starts]
        shown = zone.shown(runnings[0])
        if len(runnings) > 1 and zone.shown(runnings[-1]) != shown:
            return runnings, None, f"zone {zone.name}, read in its repeated hour: two candidates"
        aheads = zone.offsets(shown, slack) or starts
        if len(aheads) == 1:
            return [shown - aheads[0]], shown, self._zone_words
        return [shown - ahead for ahead in aheads], shown, f"{self._zone_words}, in its repeated hour: two candidates"


_NEVER = "does not exist (skipped by a clock change)"


def _disagreement(readings: Sequence[Reading]) -> Disagreement | None:
    """The widest disagreement of readings of one segment, None while their bounds have room for all of them."""
    high = max(readings, key=lambda one: one.shown - one.at - one.uncertainty)
    low = min(readings, key=lambda one: one.shown - one.at + one.uncertainty)
    apart = (high.shown - high.at) - (low.shown - low.at)
    if apart <= high.uncertainty + low.uncertainty:
        return None
    first, second = sorted((high, low), key=lambda one: one.at)
    return Disagreement(first, second, (second.shown - second.at) - (first.shown - first.at))


def pair(start: Times, end: Times, elapsed: int) -> list[tuple[int, int]]:
    """Candidates for the UTC of a span that took so many seconds: its start and end on the same side of a change."""
    pairs = [(one, other) for one in start.utc for other in end.utc]
    if len(pairs) < 2:
        return pairs
    off = [abs(other - one - elapsed) for one, other in pairs]
    return [found for found, by in zip(pairs, off, strict=True) if by < min(off) + _HALF_CHANGE]


def plain_seconds(length: int) -> str:
    """A length of time as seconds for people, to the microsecond, without trailing zeros."""
    return f"{length / SECOND:.6f}".rstrip("0").rstrip(".")


def in_words(length: int) -> str:
    """A length of time for people: ``2 min 07 s``; fractions to the millisecond where there are any."""
    whole, rest = divmod((abs(length) + 500) // 1000, 1000)
    fraction = f".{rest:03d}".rstrip("0") if rest else ""
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if not minutes:
        return f"{second}{fraction} s"
    parts = [f"{days} d"] if days else []
    if hours:
        parts += [f"{hour} h", f"{minute:02d} min"]
    else:
        parts += [f"{minute} min"]
    return " ".join([*parts, f"{second:02d}{fraction} s"])


def offset_words(offset: Offset) -> str:
    """An offset with its sign in words (rule B3)."""
    if abs(offset.value) < 500:
        return "recorder agrees with its reference"
    length = in_words(offset.value)
    return f"recorder is {length} {'FAST; subtract' if offset.value > 0 else 'SLOW; add'} {length}"


def drift_words(piece: Piece) -> str:
    """The drift between two checks in words."""
    return f"it {'gains' if piece.gained >= 0 else 'loses'} {abs(piece.drift_per_day):.3g} s a day"
