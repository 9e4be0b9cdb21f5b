"""From what a recorder's clock showed to displayed, corrected and UTC times, each with a bound (rules B2 to B5).

All arithmetic is exact. Stream times are Fractions of a second from the stream's first presented frame, on its unbroken
line; wall-clock times are Fractions of a second from 1970-01-01 00:00 of the clock they belong to.

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
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from vidreview.errors import CaseError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a clock's own midnight; its zone is another matter
_DAY = 86400
#: the years that are reckoned with, as seconds: a hostile time line may lead anywhere
_FIRST, _LAST = -62 * 10**9, 253 * 10**9
#: half the smallest clock change: what belongs to one candidate differs by less
_HALF_CHANGE = 900


def seconds_of(time: datetime) -> Fraction:
    """A clock's time as seconds, to the microsecond; one with a UTC offset as seconds of UTC."""
    plain = time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    return Fraction((plain - _EPOCH) // timedelta(microseconds=1), 10**6)


def time_of(seconds: Fraction) -> datetime:
    """Seconds as a clock's time, rounded to the millisecond; inverse of ``seconds_of``."""
    return _EPOCH + timedelta(milliseconds=round(seconds * 1000))


class Zone:
    """The zone in which a recorder's clock runs; without a name, nothing is known of it and its clock never changes."""

    def __init__(self, name: str | None) -> None:
        """Raises CaseError when this machine does not know the zone."""
        self.name = name
        self._info = None if name is None else _load(name)
        self._steady: dict[int, int | None] = {}

    def shown(self, running: Fraction) -> Fraction:
        """What a right clock in the zone shows at a time of UTC."""
        if self._info is None:
            return running
        steady = self._steady_at(running)
        return running + (self._ahead(running) if steady is None else steady)

    def offsets(self, shown: Fraction, slack: Fraction = Fraction(0)) -> tuple[int, ...]:
        """By how many seconds the zone is ahead of UTC when a clock there shows this, give or take ``slack``.

        Two in the repeated hour, the earlier instant's first; none in the skipped hour; (0,) for an unnamed zone.
        """
        if self._info is None:
            return (0,)
        steady = self._steady_at(shown)
        if steady is not None:
            return (steady,)
        slack = min(slack, Fraction(3600))  # beyond, the other candidate lies within the uncertainty anyway
        instants = {shown - slack, shown, shown + slack}
        return tuple(sorted({ahead for one in instants for ahead in self._offsets(one)}, reverse=True))

    def _offsets(self, shown: Fraction) -> list[int]:
        candidates = {self._ahead(shown - _DAY), self._ahead(shown + _DAY)}
        return [ahead for ahead in candidates if self._ahead(shown - ahead) == ahead]

    def _ahead(self, running: Fraction) -> int:
        assert self._info is not None
        return self._ahead_at(floor(running))  # zones change at whole seconds

    def _ahead_at(self, second: int) -> int:
        assert self._info is not None
        local = self._info.fromutc((_EPOCH + timedelta(seconds=second)).replace(tzinfo=self._info))
        return (local.replace(tzinfo=None) - _EPOCH) // timedelta(seconds=1) - second

    def _steady_at(self, seconds: Fraction) -> int | None:
        """The offset of the days about, where it is the same for all of them: asked once a day, not once an event."""
        day = floor(seconds) // _DAY
        if day not in self._steady:
            found = {self._ahead_at(hour * 3600) for hour in range((day - 2) * 24, (day + 3) * 24)}
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
    at: Fraction
    shown: Fraction
    #: bound, seconds
    uncertainty: Fraction


@dataclass(frozen=True, slots=True)
class Check:
    """The recorder showed a time when a named reference showed another (rule B3)."""

    name: str
    shown: Fraction
    reference: Fraction
    #: else the reference stands in the recorder's zone
    reference_is_utc: bool
    #: bound on shown − reference, seconds
    uncertainty: Fraction
    source: str


@dataclass(frozen=True, slots=True)
class Offset:
    """By how much the recorder was ahead of its reference: + is FAST."""

    names: tuple[str, ...]
    #: the recorder's running clock, at the check
    running: Fraction
    #: seconds
    value: Fraction
    uncertainty: Fraction
    source: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """The offset at some instant, and how it was come by."""

    value: Fraction
    uncertainty: Fraction
    #: seconds by which a second's uncertainty of the displayed time makes the corrected one uncertain
    gain: Fraction
    words: str


@dataclass(frozen=True, slots=True)
class Piece:
    """The straight line through two neighbouring offsets."""

    first: Offset
    second: Offset

    @property
    def drift(self) -> Fraction:
        """Seconds gained per second of the recorder's clock."""
        return (self.second.value - self.first.value) / (self.second.running - self.first.running)


class Correction:
    """What the checks of a recorder say of its offset at any instant."""

    def __init__(self, zone: Zone, checks: Iterable[Check]) -> None:
        """Checks that cannot be used, since a local time in them occurs twice or never, are kept in ``unusable``."""
        self.zone = zone
        #: check → why it says nothing
        self.unusable: dict[str, str] = {}
        same: dict[Fraction, list[Offset]] = {}
        for check in checks:
            try:
                offset = _offset(zone, check)
            except _NotOneTimeError as error:
                self.unusable[check.name] = str(error)
            else:
                same.setdefault(offset.running, []).append(offset)
        #: by running time
        self.offsets: tuple[Offset, ...] = tuple(_together(same[running]) for running in sorted(same))
        self.pieces = tuple(Piece(*pair) for pair in zip(self.offsets, self.offsets[1:], strict=False))
        self._starts = [piece.first.running for piece in self.pieces[1:]]
        self._drifts = [piece.drift for piece in self.pieces]

    def at(self, running: Fraction) -> Estimate | None:
        """The offset at a time of the recorder's running clock; None without a check.

        One check gives a constant. Between two checks the offset is interpolated, beyond all of them the nearest two
        are extrapolated: offset = o1 + λ·(o2 − o1), with the bound |1 − λ|·u1 + |λ|·u2.
        """
        if not self.offsets:
            return None
        if not self.pieces:
            only = self.offsets[0]
            words = f"offset of {_names(only)} ({only.source}), one check, so drift is unknown"
            return Estimate(only.value, only.uncertainty, Fraction(1), words)
        number = bisect_right(self._starts, running)
        first, second, drift = self.pieces[number].first, self.pieces[number].second, self._drifts[number]
        length, past = second.running - first.running, running - first.running
        share = past / length
        uncertainty = abs(1 - share) * first.uncertainty + abs(share) * second.uncertainty
        gain = abs(1 - drift) + (first.uncertainty + second.uncertainty) / length
        how = "interpolated between" if 0 <= share <= 1 else "extrapolated beyond"
        sources = first.source if first.source == second.source else f"{first.source}, {second.source}"
        words = f"offset {how} {_names(first)} and {_names(second)} ({sources})"
        return Estimate(first.value + drift * past, uncertainty, gain, words)


class _NotOneTimeError(Exception):
    """A time that does not name one instant."""


def _offset(zone: Zone, check: Check) -> Offset:
    if check.reference_is_utc and zone.name is None:
        raise _NotOneTimeError("the reference has a UTC offset, and the zone of the recorder's clock is not known")
    running = _one(zone, check.shown, "the time shown")
    reference = check.reference if check.reference_is_utc else _one(zone, check.reference, "the reference")
    return Offset((check.name,), running, running - reference, check.uncertainty, check.source)


def _one(zone: Zone, shown: Fraction, what: str) -> Fraction:
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
    return Offset(names, offsets[0].running, (low + high) / 2, (high - low) / 2, sources)


def _names(offset: Offset) -> str:
    return "+".join(offset.names)


@dataclass(frozen=True, slots=True)
class Times:
    """What is known of an instant besides its stream time; bounds in seconds; None is unknown."""

    shown: Fraction | None = None
    shown_uncertainty: Fraction | None = None
    corrected: Fraction | None = None
    corrected_uncertainty: Fraction | None = None
    #: candidates, earliest first: two in the repeated hour (rule B4)
    utc: tuple[Fraction, ...] = ()
    utc_uncertainty: Fraction | None = None
    #: which observations, and how; None when nothing is known
    source: str | None = None


UNKNOWN = Times()


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Readings of one unbroken segment that stream time does not reconcile."""

    first: Reading
    second: Reading
    #: seconds the display moved more than stream time did
    seconds: Fraction


class StreamClock:
    """What readings and checks say of the instants of one stream."""

    def __init__(
        self,
        readings: Iterable[Reading],
        correction: Correction,
        breaks: Iterable[Fraction] = (),
        listed_until: Fraction | None = None,
        counted: bool = False,
    ) -> None:
        """``breaks`` are stream times at which timestamps were reset or stepped; a reading says nothing beyond one.

        From ``listed_until`` on there are breaks at unknown times. ``counted``: the file holds no timestamps.
        """
        self.correction = correction
        self.zone = correction.zone
        self._breaks = sorted(set(breaks))
        self._listed_until = listed_until
        self._counted = counted
        #: segment → its readings by stream time
        self._segments: dict[int, list[Reading]] = {}
        for reading in sorted(readings, key=lambda one: (one.at, one.name)):
            self._segments.setdefault(self._segment(reading.at), []).append(reading)
        self._disagreements = {number: _disagreement(found) for number, found in self._segments.items()}

    def disagreements(self) -> list[Disagreement]:
        """The worst of each segment whose readings disagree by more than their uncertainties together."""
        return [found for _, found in sorted(self._disagreements.items()) if found is not None]

    def at(self, position: Fraction) -> Times:
        """What is known of the instant at this stream time."""
        found = self._reading(position)
        if found is None:
            return UNKNOWN
        reading, uncertainty = found
        elapsed = position - reading.at
        if not _FIRST < reading.shown + elapsed < _LAST:
            return UNKNOWN
        source = f"{reading.name} read at {plain_seconds(reading.at)} s"
        if self._counted:
            source += " (stream time counted, the file holds no timestamps)"
        runnings, shown, note = self._running(reading, elapsed, uncertainty)
        estimates = [self.correction.at(running) for running in runnings]
        known = [estimate for estimate in estimates if estimate is not None]
        if not known:
            return Times(shown, uncertainty, source=f"{source}; no check against a reference, so offset is unknown")
        bounds = [one.gain * uncertainty + one.uncertainty for one in known]
        # the candidates of the repeated hour drift an hour apart: far less than anything else, but a bound is a bound
        apart = max(one.value for one in known) - min(one.value for one in known)
        utc = tuple(running - one.value for running, one in zip(runnings, known, strict=True))
        if not all(_FIRST < one < _LAST for one in utc):
            return Times(shown, uncertainty, source=f"{source}; {known[0].words}, which leads out of the calendar")
        missing = self.zone.name is None or note.endswith(_NEVER)
        return Times(
            shown,
            uncertainty,
            None if shown is None else shown - known[0].value,
            None if shown is None else bounds[0] + apart,
            () if missing else utc,
            None if missing else max(bounds),
            "; ".join(part for part in (source, known[0].words, note) if part),
        )

    def _segment(self, position: Fraction) -> int:
        return bisect_right(self._breaks, position)

    def _reading(self, position: Fraction) -> tuple[Reading, Fraction] | None:
        """The reading that tells of a stream time, and the bound of what it tells."""
        if self._listed_until is not None and position >= self._listed_until:
            return None
        number = self._segment(position)
        readings = self._segments.get(number)
        if readings is None:
            return None
        reading = readings[max(0, bisect_right(readings, position, key=lambda one: one.at) - 1)]
        disagreement = self._disagreements[number]
        return reading, reading.uncertainty + (abs(disagreement.seconds) if disagreement else 0)

    def _running(
        self, reading: Reading, elapsed: Fraction, slack: Fraction
    ) -> tuple[list[Fraction], Fraction | None, str]:
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
        displays = {zone.shown(running) for running in runnings}
        note = f"zone {zone.name}"
        if len(displays) > 1:
            return runnings, None, f"{note}, read in its repeated hour: two candidates"
        shown = displays.pop()
        runnings = [shown - ahead for ahead in zone.offsets(shown, slack)] or runnings
        return runnings, shown, note if len(runnings) == 1 else f"{note}, in its repeated hour: two candidates"


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


def pair(start: Times, end: Times, elapsed: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Candidates for the UTC of a span that took so many seconds: its start and end on the same side of a change."""
    pairs = [(one, other) for one in start.utc for other in end.utc]
    if len(pairs) < 2:
        return pairs
    off = [abs(other - one - elapsed) for one, other in pairs]
    return [found for found, by in zip(pairs, off, strict=True) if by < min(off) + _HALF_CHANGE]


def plain_seconds(seconds: Fraction) -> str:
    """Seconds for people, to the microsecond, without trailing zeros."""
    return f"{float(seconds):.6f}".rstrip("0").rstrip(".")


def in_words(seconds: Fraction) -> str:
    """A length of time for people: ``2 min 07 s``; fractions to the millisecond where there are any."""
    milliseconds = round(abs(seconds) * 1000)
    whole, rest = divmod(milliseconds, 1000)
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
    if not round(offset.value * 1000):
        return "recorder agrees with its reference"
    length = in_words(offset.value)
    return f"recorder is {length} {'FAST; subtract' if offset.value > 0 else 'SLOW; add'} {length}"


def drift_words(piece: Piece) -> str:
    """The drift between two checks in words."""
    a_day = float(piece.drift * _DAY)
    return f"it {'gains' if a_day >= 0 else 'loses'} {abs(a_day):.3g} s a day"
