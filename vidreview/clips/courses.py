"""Where objects are on each picture of a copy, from the points of their tracks, and what that rests on."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from vidreview.clips.viewing import Prepared

#: xyxy, pixels of the stored picture
Box = tuple[float, float, float, float]
#: what a box rests on: the detector, the motion gate, the tracker while nothing saw it, or lying between two points
How = Literal["detected", "motion", "interpolated", "between"]
#: times closer than this are one, seconds: the index rounds to microseconds
SAME_S: Final = 5e-5


class CoursePoint(NamedTuple):
    """Where an object was on one presented frame."""

    frame: int
    pts: int
    #: on the stream's time line
    seconds: float
    box: Box
    source: How


@dataclass(frozen=True, slots=True)
class Course:
    """One track, as plain values."""

    #: "T0012"
    name: str
    #: "person", "vehicle" or "motion"
    event_class: str
    label: str
    score: float | None
    #: the rule that kept it out of the events, None when it is part of one
    dropped: str | None
    #: by time, at least one
    points: Sequence[CoursePoint]


class Where(NamedTuple):
    """An object's place on one picture."""

    box: Box
    how: How


class Placer:
    """A course laid over the pictures of a copy."""

    def __init__(self, ready: Prepared, course: Course) -> None:
        """Points are found again by the frame's number and PTS, else by their seconds."""
        self.course = course
        placed = sorted((_second(ready, point), k) for k, point in enumerate(course.points))
        self._times = [time for time, _ in placed]
        self._points = [course.points[k] for _, k in placed]

    @property
    def start_s(self) -> float:
        """Seconds of the first point."""
        return self._times[0]

    @property
    def end_s(self) -> float:
        """Seconds of the last point."""
        return self._times[-1]

    def at(self, seconds: float) -> Where | None:
        """Where it is at an instant of its span; None before and after."""
        if not self.start_s - SAME_S <= seconds <= self.end_s + SAME_S:
            return None
        k = bisect_left(self._times, seconds - SAME_S)
        point = self._points[k]
        if abs(self._times[k] - seconds) <= SAME_S:
            return Where(point.box, point.source)
        earlier, later = self._points[k - 1], point
        share = (seconds - self._times[k - 1]) / (self._times[k] - self._times[k - 1])
        x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(earlier.box, later.box, strict=True))
        return Where((x1, y1, x2, y2), "between")

    def reach(self, start_s: float, end_s: float) -> Box | None:
        """The smallest box that holds it throughout a span of time; None when it was not there."""
        boxes = [where.box for where in (self.at(start_s), self.at(end_s)) if where is not None]
        first, last = bisect_left(self._times, start_s), bisect_right(self._times, end_s)
        boxes += [point.box for point in self._points[first:last]]
        return around(boxes) if boxes else None

    def pace(self, seconds: float, over_s: float) -> tuple[float, float]:
        """Pixels a second, across and down, of its middle about an instant at either end of its span."""
        other = min(self.end_s, seconds + over_s) if seconds <= self.start_s else max(self.start_s, seconds - over_s)
        here, there = self.at(seconds), self.at(other)
        if here is None or there is None or abs(other - seconds) <= SAME_S:
            return 0.0, 0.0
        (ax, ay), (bx, by) = middle(here.box), middle(there.box)
        return (bx - ax) / (other - seconds), (by - ay) / (other - seconds)


def _second(ready: Prepared, point: CoursePoint) -> float:
    """When the picture of a point is shown, by the copy's own times where it is one of its pictures."""
    number = point.frame - ready.request.first_frame + ready.stretch.start
    if 0 <= number < len(ready.stretch) and ready.tick(number) in (None, point.pts):
        return ready.seconds(number)
    return point.seconds


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of these."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def middle(box: Box) -> tuple[float, float]:
    """The centre of a box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
