"""The ledger laid along a stream: which stretch of it is in which state, to the tick, or said to be unknown (rule E2).

The ledger holds sums. Where each part lies follows from the times of all presented frames, which the index keeps, and
from the problems that were listed. What is found must sum to the ledger; what does not is not laid anywhere.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vidreview.index import watched
from vidreview.index.reported import KnownStream
from vidreview.media.timeline import GAP_INTERVALS, GAP_S

Ticks = NDArray[np.int64]

STATES: Final = ("analysed", "undecodable", "gap", "not_requested")
#: of a stretch whose parts are known only by their sums
UNKNOWN: Final = "unknown"
#: seconds by which microseconds, as they are kept, differ from ticks
_ROUNDING_S: Final = 2e-6
#: steps before a pause by which its ordinary length is known, as the time line has it
_STEPS: Final = 5


@dataclass(frozen=True, slots=True)
class Frames:
    """All presented frames of a stream, by number; empty where the index has none."""

    #: as the file gives them
    pts: Ticks
    #: ticks since the first presented frame
    position: Ticks
    #: since the first presented frame
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pts)


NO_FRAMES: Final = Frames(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def frames_of(blocks: Iterable[watched.Columns], time_base: Fraction) -> Frames:
    """The times of all presented frames, from what the motion gate said of each."""
    columns = [(np.asarray(block.pts), np.asarray(block.microseconds)) for block in blocks]
    if not columns:
        return NO_FRAMES
    pts, microseconds = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    seconds = microseconds / 1e6
    rounded = np.rint(seconds / float(time_base)).astype(np.int64)
    # where the line follows the timestamps, and that is nearly always, their differences are exact
    step, told = np.diff(rounded), np.diff(pts)
    follows = np.abs(told * float(time_base) - np.diff(seconds)) <= _ROUNDING_S
    position = np.concatenate([rounded[:1], rounded[0] + np.cumsum(np.where(follows, told, step))])
    return Frames(pts, position, seconds)


@dataclass(slots=True)
class Laid:
    """The stretches of a stream in order, and in words what could not be laid along it."""

    #: (state, first tick, tick after the last); ticks count from the first presented frame
    spans: list[tuple[str, int, int]] = field(default_factory=list)
    words: str | None = None

    def to_json(self, time_base: Fraction) -> list[dict[str, Any]]:
        """As the report has it: seconds to a microsecond."""
        return [
            {"state": state, "start_s": _seconds(start, time_base), "end_s": _seconds(end, time_base)}
            for state, start, end in self.spans
        ]


def lay(stream: KnownStream, frames: Frames, ticks: Mapping[str, int], problems: Sequence[dict[str, Any]]) -> Laid:
    """Lay a stream's ledger along it; ``ticks`` and ``problems`` as ``vidreview coverage --json`` has them."""
    sums = {state: int(ticks[state]) for state in STATES}
    total = sum(sums.values())
    alone = [state for state in STATES if sums[state] == total]
    if not total:
        return Laid()
    if alone:
        return Laid([(alone[0], 0, total)])
    if not len(frames):
        return _without_frames(stream, sums)
    return _Layer(stream, frames, sums, problems).lay()


class _Layer:
    """One stream's ledger on its way to where it belongs."""

    def __init__(
        self, stream: KnownStream, frames: Frames, sums: dict[str, int], problems: Sequence[dict[str, Any]]
    ) -> None:
        self.frames, self.sums, self.base = frames, sums, stream.time_base
        self.interval = max(1, stream.ticks("frame_interval"))
        self.cut_off = stream.ticks("cut_off")
        self.damage = [problem for problem in problems if problem["kind"] == "damage" and problem["at_s"] is not None]
        self.words: list[str] = []

    def lay(self) -> Laid:
        """The spans: what came before the first picture, holes between pictures, what came after the last."""
        holes, mixed = self._holes()
        end = int(self.frames.position[-1]) + self.interval
        lead, tail, split = self._rest(holes, mixed)
        spans = [("undecodable", -lead, 0)] if lead else []
        at = 0
        for place, (start, stop, state) in enumerate(holes):
            spans.append(("analysed", at, start))
            if place in mixed and 0 < split < stop - start:
                spans += [("undecodable", start, start + split), ("gap", start + split, stop)]
                first, last = self._say(split), self._say(stop - start - split)
                self.words.append(
                    f"of the hole at {_seconds(start, self.base):.3f} s {first} are undecodable and {last} were not "
                    "recorded, in which order is not known"
                )
            else:
                all_damage = place in mixed and split == stop - start
                spans.append(("undecodable" if all_damage else state, start, stop))
            at = stop
        spans += [("analysed", at, end), ("undecodable", end, end + tail)]
        spans.append(("not_requested", end + tail, end + tail + self.sums["not_requested"]))
        merged = _merged(spans)
        self._compare(merged)
        return Laid(merged, self._sentence())

    def _holes(self) -> tuple[list[tuple[int, int, str]], set[int]]:
        """Stretches between pictures that none stands for, and those that are gap and damage both."""
        position, pts = self.frames.position, self.frames.pts
        steps = np.diff(position)
        gap = max(int(Fraction(GAP_S) / self.base), GAP_INTERVALS * self.interval)
        damaged = self._damaged_before()
        holes: list[tuple[int, int, str]] = []
        mixed = set()
        for k in sorted({*(np.flatnonzero(steps > gap) + 1).tolist(), *damaged}):
            step = int(steps[k - 1])
            nominal = self._nominal(k)
            # a step of the clock or back goes on at the ordinary pace: it leaves no hole
            if int(pts[k] - pts[k - 1]) < 0 or step <= nominal:
                continue
            is_gap = step > gap and step > GAP_INTERVALS * nominal
            if not is_gap and k not in damaged:
                continue
            if is_gap and k in damaged:
                mixed.add(len(holes))
            holes.append((int(position[k - 1]) + nominal, int(position[k]), "gap" if is_gap else "undecodable"))
        return holes, mixed

    def _nominal(self, frame: int) -> int:
        """Ticks that the frame before this one ordinarily stood for, as the time line reckoned."""
        before = np.diff(self.frames.pts[max(0, frame - 4 * _STEPS) : frame])
        ordinary = before[before > 0][-_STEPS:].tolist()
        return int(statistics.median_low(ordinary)) if len(ordinary) >= 3 else self.interval

    def _damaged_before(self) -> set[int]:
        """Numbers of frames before which packets are listed as lost."""
        found = set()
        for problem in self.damage:
            if problem["end_pts"] is None:
                continue
            after = int(np.searchsorted(self.frames.seconds, problem["at_s"] + 1e-6, side="right"))
            if 0 < after < len(self.frames) and int(self.frames.pts[after]) == problem["end_pts"]:
                found.add(after)
        return found

    def _rest(self, holes: list[tuple[int, int, str]], mixed: set[int]) -> tuple[int, int, int]:
        """Ticks undecodable before the first picture, after the last one, and in the hole that is mixed."""
        laid = sum(stop - start for start, stop, state in holes if state == "undecodable")
        rest = self.sums["undecodable"] - laid - self.cut_off
        length = float(self.frames.seconds[-1])
        places = ["mixed"] if mixed else []
        if any(p["at_s"] == 0 and p["end_pts"] == int(self.frames.pts[0]) for p in self.damage):
            places.append("lead")
        if any(abs(p["at_s"] - length) < 2e-6 for p in self.damage):
            places.append("tail")
        if rest > 0 and len(places) == 1 and len(mixed) < 2:
            lead, tail, split = (rest if places[0] == place else 0 for place in ("lead", "tail", "mixed"))
            return lead, self.cut_off + tail, split
        return 0, self.cut_off, 0

    def _compare(self, spans: Sequence[tuple[str, int, int]]) -> None:
        """Say what of the ledger is not laid, or laid beyond it."""
        laid = dict.fromkeys(STATES, 0)
        for state, start, end in spans:
            laid[state] += end - start
        for state in ("undecodable", "gap", "not_requested"):
            if (missing := self.sums[state] - laid[state]) > 0:
                self.words.append(f"{self._say(missing)} more {_WORDS[state]}, somewhere in the stream")
            elif missing < 0:
                self.words.append(f"{self._say(-missing)} fewer {_WORDS[state]} by the ledger than are drawn")
        other = self.sums["analysed"] - laid["analysed"]
        if other and not self.words:
            self.words.append(f"the ledger has {self._say(abs(other))} {'more' if other > 0 else 'less'} analysed")

    def _say(self, ticks: int) -> str:
        return f"{_seconds(ticks, self.base):.3f} s"

    def _sentence(self) -> str | None:
        text = "; ".join(self.words)
        return text[:1].upper() + text[1:] + "." if text else None


_WORDS: Final = {
    "undecodable": "could not be decoded",
    "gap": "were not recorded",
    "not_requested": "were not asked for",
}


def _without_frames(stream: KnownStream, sums: dict[str, int]) -> Laid:
    """What can be said of a stream whose frames' times an earlier version did not keep: nothing but the sums."""
    parts = [f"{_seconds(sums[state], stream.time_base):.3f} s {_WORDS[state]}" for state in _WORDS if sums[state]]
    total = sum(sums.values())
    words = f"Where in the stream is not known, since an earlier version scanned it: {', '.join(parts)}."
    return Laid([(UNKNOWN, 0, total)], words)


def _merged(spans: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Neighbours of one state as one, empty ones left out."""
    result: list[tuple[str, int, int]] = []
    for state, group in itertools.groupby((span for span in spans if span[2] > span[1]), key=lambda span: span[0]):
        members = list(group)
        result.append((state, members[0][1], members[-1][2]))
    return result


def _seconds(ticks: int, time_base: Fraction) -> float:
    return round(float(ticks * time_base), 6)
