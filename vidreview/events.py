"""Tracks → reviewable events: one object's appearance, or several of one class that overlap or follow closely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from vidreview.model import Event, EventClass, MediaTime, Point, Span, Track


@dataclass(frozen=True, slots=True)
class Appearance:
    """What an event needs to know of a track, without its course."""

    #: position of the track in the stream's list
    track: int
    event_class: EventClass
    label: str
    first: Point
    last: Point
    #: where it is seen best
    peak: Point
    #: mean detection score, None for motion
    score: float | None


def appearance(position: int, track: Track) -> Appearance | None:
    """A track's part in events; None for one that was dropped or has no points."""
    if track.dropped is not None or not track.points:
        return None
    return Appearance(
        position, track.event_class, track.label, track.points[0], track.points[-1], _peak(track), track.score
    )


def assemble(appearances: Iterable[Appearance], time_base: Fraction, merge_gap_s: float) -> list[Event]:
    """Events of one stream, ordered by start, class and first track.

    Appearances of one class become one event while each begins at most ``merge_gap_s`` after the latest end so far.
    """
    ordered = sorted(appearances, key=lambda a: (a.first.seconds, a.track))
    groups: list[list[Appearance]] = []
    open_groups: dict[EventClass, tuple[list[Appearance], float]] = {}
    for one in ordered:
        group, end_s = open_groups.get(one.event_class, ([], float("-inf")))
        if not group or one.first.seconds > end_s + merge_gap_s:
            group = []
            groups.append(group)
            end_s = float("-inf")
        group.append(one)
        open_groups[one.event_class] = (group, max(end_s, one.last.seconds))
    return [_event(group, time_base) for group in groups]


def _event(group: Sequence[Appearance], time_base: Fraction) -> Event:
    first = min((a.first for a in group), key=lambda p: (p.seconds, p.frame))
    last = max((a.last for a in group), key=lambda p: (p.seconds, p.frame))
    best = max(group, key=lambda a: (a.score or 0.0, a.last.seconds - a.first.seconds, -a.track))
    return Event(
        event_class=group[0].event_class,
        label=_label(group),
        span=Span(MediaTime(first.pts, time_base), MediaTime(last.pts, time_base), first.seconds, last.seconds),
        peak=MediaTime(best.peak.pts, time_base),
        peak_s=best.peak.seconds,
        max_count=_most_at_once(group),
        tracks=tuple(a.track for a in group),
        score=best.score,
    )


def _label(group: Sequence[Appearance]) -> str:
    """The label that is seen longest, weighted by score."""
    weight: dict[str, float] = {}
    for one in group:
        length = 0.1 + one.last.seconds - one.first.seconds
        weight[one.label] = weight.get(one.label, 0.0) + length * (one.score or 1.0)
    return max(sorted(weight), key=lambda label: weight[label])


def _most_at_once(group: Sequence[Appearance]) -> int:
    """The largest number of tracks that were there on one frame."""
    changes = sorted([(a.first.frame, 1) for a in group] + [(a.last.frame + 1, -1) for a in group])
    most = now = 0
    for _, change in changes:
        now += change
        most = max(most, now)
    return most


def _peak(track: Track) -> Point:
    """The point to show a person: the best detection for its size; without one, the largest box the gate saw."""

    def area(point: Point) -> float:
        return (point.box[2] - point.box[0]) * (point.box[3] - point.box[1])

    detected = [p for p in track.points if p.score is not None]
    if detected and track.event_class != "motion":
        largest = max(area(p) for p in detected) or 1.0
        return max(detected, key=lambda p: ((p.score or 0.0) * (0.5 + 0.5 * (area(p) / largest) ** 0.5), -p.frame))
    seen = [p for p in track.points if p.source != "interpolated"] or list(track.points)
    return max(seen, key=lambda p: (area(p), -p.frame))
