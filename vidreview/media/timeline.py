"""Turn a stream's raw timestamps into one time line that never steps back, and account for every tick of it."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Generic, TypeVar

from vidreview.model import Problem

Payload = TypeVar("Payload")

#: A pause between frames is a gap when it is longer than both.
GAP_S: Final = 1.0
GAP_INTERVALS: Final = 4
#: A step back of at most so many frame intervals is disorder within one recording, a longer one is another recording.
DISORDER_INTERVALS: Final = 8
#: A step ahead beyond this is a clock that was set, not a recorder that waited: 31 days.
CLOCK_STEP_S: Final = 31 * 86400
#: Nobody writes such times, in ticks: timestamps further from zero are taken as missing, and no line grows longer, so
#: that sums of them fit into 64 bits.
ABSURD_TICKS: Final = 1 << 61
#: Frames that are held back at most while the next timestamp is awaited.
LOOK_AHEAD: Final = 16
#: Problems of one kind that are listed one by one before the rest is only counted.
LISTED: Final = 20


@dataclass(slots=True)
class Placed(Generic[Payload]):
    """A frame with its place on the time line; all times in ticks of the stream's time base."""

    payload: Payload
    #: as the file gives it, or interpolated where it gives none
    pts: int
    #: from the first frame on; never less than the one before
    position: int
    #: ticks since the frame before, 0 for the first
    step: int
    #: ticks the frame before would ordinarily have stood for
    nominal: int
    #: "", "gap", "reset" or "clock-step": what happened between the frame before and this one
    event: str = ""
    #: frames between the one before and this one that failed to decode, as told by ``push``
    lost: int = 0
    #: where in the file its packet lies, as told by ``push``
    byte: int | None = None


@dataclass(slots=True)
class _Waiting(Generic[Payload]):
    payload: Payload
    pts: int | None
    lost: int
    byte: int | None
    #: its timestamp was not believed, which has been said already
    outlier: bool = False


class Timeline(Generic[Payload]):
    """Places frames, pushed in presentation order, on one unbroken line.

    A timestamp that is missing is interpolated between its neighbours; one that stands alone against its neighbours
    is taken as missing. A longer step back begins a new segment one frame interval after the frame before.
    With ``counted`` the given timestamps are ignored and ticks are counted at the interval instead.
    """

    def __init__(self, time_base: Fraction, interval: Fraction, *, counted: bool = False) -> None:
        """``interval`` is what one frame ordinarily stands for, in seconds."""
        self.time_base = time_base
        # one true division of integers rounds once and is much faster than a Fraction
        self._numerator, self._denominator = time_base.numerator, time_base.denominator
        self.ticks = interval / time_base
        self.interval = max(1, round(self.ticks))
        self._counted = counted
        self._slots = 0
        self._waiting: deque[_Waiting[Payload]] = deque()
        self._steps: deque[int] = deque(maxlen=5)
        self._gap = max(int(Fraction(GAP_S) / time_base), GAP_INTERVALS * self.interval)
        self._disorder = DISORDER_INTERVALS * self.interval
        self._clock_step = int(CLOCK_STEP_S / time_base)
        self._started = False
        #: highest PTS of the segment, what to add to a PTS for its position, and the last position
        self._high = 0
        self._shift = 0
        self._position = 0
        self.interpolated = 0
        #: the first and the last frame whose timestamp was interpolated: PTS, and for the first position and byte
        self._without: tuple[int, int, int | None] | None = None
        self._last_without = 0
        self._problems: dict[str, list[Problem]] = {}
        self._counts: dict[str, int] = {}

    def push(
        self, pts: int | None, payload: Payload, lost: int = 0, byte: int | None = None
    ) -> Iterator[Placed[Payload]]:
        """Take the next frame and give back those whose place is now known; ``lost`` frames before it failed.

        ``byte`` is where in the file its packet lies.
        """
        if self._counted:
            self._slots += lost
            yield self._emit(_Waiting(payload, None, lost, byte), round(self._slots * self.ticks))
            self._slots += 1
            return
        outlier = False
        if pts is not None and not -ABSURD_TICKS < pts < ABSURD_TICKS:
            outlier = True
            self.note("bad-time", f"PTS {pts} is absurd: taken as missing", self._position, pts, pts, byte)
            pts = None
        if pts is not None and not self._waiting and (not self._started or self._ordinary(pts - self._high)):
            yield self._emit(_Waiting(payload, pts, lost, byte), pts)
            return
        self._waiting.append(_Waiting(payload, pts, lost, byte, outlier))
        while self._waiting:
            ready = self._ready(final=len(self._waiting) > LOOK_AHEAD)
            if not ready:
                return
            yield from self._emit_first(ready)

    def flush(self) -> Iterator[Placed[Payload]]:
        """Give back the frames still held back; call once, after the last push."""
        while self._waiting:
            yield from self._emit_first(self._ready(final=True))

    def nominal(self) -> int:
        """Ticks that a frame ordinarily stands for here: the median of the last steps."""
        return int(statistics.median_low(self._steps)) if len(self._steps) >= 3 else self.interval

    def seconds(self, ticks: int) -> float:
        """Ticks as seconds, rounded once."""
        return ticks * self._numerator / self._denominator

    def position(self, pts: int | None) -> int:
        """Where a packet that gave no frame would lie, as far as can be told: never before the last frame placed."""
        if pts is None or not self._started or not 0 <= pts + self._shift - self._position <= self._gap:
            return self._position
        return pts + self._shift

    def problems(self) -> list[Problem]:
        """What was found, by kind."""
        found = [problem for listed in self._problems.values() for problem in listed]
        for kind, count in self._counts.items():
            if count > LISTED:
                found.append(Problem(kind, f"{count - LISTED} more of this kind, {count} in all"))
        if self._without:
            text = f"{self.interpolated} frames carry no timestamp; theirs are interpolated between neighbours"
            pts, position, byte = self._without
            found.append(Problem("missing-time", text, self.seconds(position), pts, self._last_without, byte))
        return found

    def note(
        self,
        kind: str,
        reason: str,
        at: int | None = None,
        pts: int | None = None,
        end_pts: int | None = None,
        byte: int | None = None,
    ) -> None:
        """Record a problem at a position; beyond a number of one kind they are only counted."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] <= LISTED:
            at_s = None if at is None else self.seconds(at)
            self._problems.setdefault(kind, []).append(Problem(kind, reason, at_s, pts, end_pts, byte))

    def note_gap(self, placed: Placed[Payload]) -> None:
        """Record the gap before a frame; left to the caller, who knows whether frames there were lost to damage."""
        before = placed.position - placed.step
        text = f"no frames for {self.seconds(placed.step):.3f} s"
        self.note("gap", text, before, placed.pts - placed.step, placed.pts, placed.byte)

    def _emit_first(self, count: int) -> Iterator[Placed[Payload]]:
        for _ in range(count):
            item = self._waiting.popleft()
            assert item.pts is not None
            yield self._emit(item, item.pts)

    def _ready(self, *, final: bool) -> int:
        """How many frames at the head can be placed now; fills in their timestamps. ``final``: decide at least one."""
        head = self._waiting[0]
        if head.pts is not None:
            if not self._started or self._ordinary(head.pts - self._high):
                return 1
            after = next((w.pts for w in list(self._waiting)[1:] if w.pts is not None), None)
            if after is None and not final:
                return 0
            if after is None or not self._ordinary(after - self._high) or after == self._high:
                return 1
            self.note(
                "bad-time",
                f"PTS {head.pts} stands alone between {self._high} and {after}: taken as missing",
                self._position,
                head.pts,
                head.pts,
                head.byte,
            )
            head.pts, head.outlier = None, True
        known = next((index for index, w in enumerate(self._waiting) if w.pts is not None), None)
        if known is None and not final:
            return 0
        return self._fill(known)

    def _ordinary(self, step: int) -> bool:
        return -self._disorder <= step <= self._gap

    def _fill(self, known: int | None) -> int:
        """Interpolate the frames before index ``known`` (all when None); how many were filled."""
        count = len(self._waiting) if known is None else known
        waiting = list(self._waiting)[: count + (known is not None)]
        goal = None if known is None else waiting[-1].pts
        slots = sum(1 + w.lost for w in waiting)
        pace = Fraction(self.nominal())
        start = self._high
        if not self._started:
            start = round((0 if goal is None else goal) - slots * pace)
            if goal is None:
                start = -self.interval
        elif goal is not None and 0 < goal - start <= self._gap:
            pace = Fraction(goal - start, slots)
        slot = 0
        for item in waiting[:count]:
            slot += 1 + item.lost
            item.pts = start + round(slot * pace)
            if not item.outlier:
                self.interpolated += 1
                self._without = self._without or (item.pts, self._position, item.byte)
                self._last_without = item.pts
        return count

    def _emit(self, item: _Waiting[Payload], pts: int) -> Placed[Payload]:
        payload, lost, byte = item.payload, item.lost, item.byte
        if not self._started:
            self._started = True
            self._high, self._shift = pts, -pts
            return Placed(payload, pts, 0, 0, self.interval, lost=lost, byte=byte)
        step, before, event = pts - self._high, self._position, ""
        nominal = step if step == self.interval else self.nominal()
        if step < -self._disorder or step > self._clock_step or before + step > ABSURD_TICKS:
            event = "reset" if step < 0 else "clock-step"
            self._position += nominal * (1 + lost)
            self._shift = self._position - pts
            self._report_break(event, pts, step, byte)
            self._high = pts
        else:
            # a camera that goes over to a slow rate pauses once or twice, not for the rest of the recording
            if step > self._gap and step > GAP_INTERVALS * nominal:
                event = "gap"
            elif step <= 0:
                self._report_disorder(pts, byte)
            self._position = max(self._position, pts + self._shift)
            self._high = max(self._high, pts)
            if step > 0:
                self._steps.append(step)
        return Placed(payload, pts, self._position, self._position - before, nominal, event, lost, byte)

    def _report_disorder(self, pts: int, byte: int | None) -> None:
        if pts == self._high:
            text = "a frame carries the timestamp of the frame before"
            self.note("duplicate-time", text, self._position, pts, pts, byte)
        else:
            text = "timestamps step back within the recording; frames kept in decoding order"
            self.note("non-monotonic", text, self._position, self._high, pts, byte)

    def _report_break(self, event: str, pts: int, step: int, byte: int | None) -> None:
        how = "back" if step < 0 else "ahead"
        text = (
            f"timestamps step {how} {abs(self.seconds(step)):.3f} s, from PTS {self._high} to {pts}: "
            "another recording, or a clock that was set; time goes on from the frame before"
        )
        self.note(event, text, self._position, self._high, pts, byte)


class Ledger:
    """Adds up where every tick of a stream went; the states always sum to ``total``."""

    def __init__(self, analysed: int = 0, undecodable: int = 0, gap: int = 0) -> None:
        self.analysed = analysed
        self.undecodable = undecodable
        self.gap = gap

    def copy(self) -> Ledger:
        """The ledger as it stands."""
        return Ledger(self.analysed, self.undecodable, self.gap)

    @property
    def total(self) -> int:
        """Ticks of the whole stream."""
        return self.analysed + self.undecodable + self.gap

    def step(self, placed: Placed[Payload], lost: int) -> bool:
        """Account for the time between a frame and the one before; True when time was lost to damage."""
        held = min(placed.step, placed.nominal)
        rest = placed.step - held
        if placed.event == "gap":
            damaged = min(rest, lost * placed.nominal)
            self.analysed += held
            self.undecodable += damaged
            self.gap += rest - damaged
            return damaged > 0
        if lost and rest:
            self.analysed += held
            self.undecodable += rest
            return True
        self.analysed += placed.step
        return False
