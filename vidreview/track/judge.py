"""At a track's end: what it was, and whether it is an event or unused material (rule E4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidreview.model import CLASS_OF_LABEL, EventClass, Point, Track
from vidreview.track.live import Course, Live
from vidreview.track.settle import settled

Float = NDArray[np.float64]


#: what gets no further than this share of its way dithers: a branch, a reflection
MOST_DITHER = 0.12
#: a track shorter than this says little of whether its object stands, seconds
BRIEF_S = 3.0
#: a pause between two bouts of movement, seconds
PAUSE_S = 0.8


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The rules by which tracks are named and kept; each dropped track says which one dropped it."""

    #: a named track shorter than this is no event, seconds
    min_track_s: float = 0.3
    #: an unnamed one must last this long in place, or travel, seconds
    min_motion_s: float = 1.0
    #: share of the looks that must have found the class
    min_share: float = 0.04
    #: False keeps whatever has a detection, for detections that come from elsewhere
    strict: bool = True

    def settled(self, track: Live) -> bool:
        """True when more looks would not change the class."""
        return track.ballots >= 3 and self._recognised(track)

    def judge(self, track: Live, others: list[Live]) -> Track:
        """The finished track, with its class and, if it is no event, the reason."""
        label, event_class = self._name(track)
        course = track.course
        travel, way = travelled(course)
        # what came by moving and was soon lost is not known to stand
        arrived = course.sources[0] == "motion"
        brief = course.seconds[-1] - course.seconds[0] < BRIEF_S
        stationary = travel < 0.35 and not (arrived and brief)
        dropped = None
        if event_class == "motion":
            dropped = self._drop_motion(track, travel, way, others)
        elif self.strict:
            dropped = self._drop_named(track, event_class, stationary)
        return Track(
            event_class=event_class,
            label=label,
            points=_points(course),
            score=round(track.score_sum / track.detections, 4) if event_class != "motion" else None,
            detections=track.detections,
            stationary=stationary,
            dropped=dropped,
            pieces=track.pieces,
        )

    def _recognised(self, track: Live) -> bool:
        """Enough was seen of its class: one good look and a second, or many fair ones, and not too few of all."""
        total = sum(track.votes.values())
        if not self.strict:
            return track.ballots > 0
        enough = (track.best >= 0.5 and track.ballots >= 2) or total >= 1.0 or track.best >= 0.65
        return enough and track.ballots >= self.min_share * track.looks

    def _name(self, track: Live) -> tuple[str, EventClass]:
        if not self._recognised(track):
            return "motion", "motion"
        kind = track.event_class
        label = max((v, name) for name, v in track.votes.items() if CLASS_OF_LABEL[name] == kind)[1]
        return label, kind

    def _drop_named(self, track: Live, event_class: EventClass, stationary: bool) -> str | None:
        length = track.course.seconds[-1] - track.course.seconds[0]
        if track.detections < 2 and track.stirred < 2:
            return "seen once"
        if length < self.min_track_s and track.ballots < 3:
            return f"shorter than {self.min_track_s:g} s"
        if stationary and event_class == "vehicle":
            return "stands still throughout"
        mean = track.score_sum / max(1, track.detections)
        arrived = track.course.sources[0] == "motion"
        if stationary and not arrived and mean < 0.45 and track.stirred < 0.2 * len(track.course.frames):
            return "stands still throughout, and the detector is unsure of it"
        return None

    def _drop_motion(self, track: Live, travel: float, way: float, others: list[Live]) -> str | None:
        course = track.course
        seconds = course.seconds[-1] - course.seconds[0]
        if track.stirred < 2:
            return "nothing moved there" if track.named else "seen once"
        if _share_beside(track, others) >= 0.5:
            return "part of a recognised object, or its shadow"
        steady = steadiness(course)
        went = travel >= 1.0 and (seconds >= self.min_motion_s or (travel >= 2.0 and len(course.frames) >= 4))
        lasted = seconds >= 3.0 * self.min_motion_s
        if not went and not lasted:
            return "did not travel, and did not last"
        if travel < MOST_DITHER * way:
            return "moves to and fro without getting anywhere"
        if steady < (0.45 if went else 0.6):
            return f"flickers: seen on {100 * steady:.0f} % of its frames"
        return None


def travelled(course: Course) -> tuple[float, float]:
    """How far the centre got from where it began, and how long its way was, in the thing's own sizes.

    A running median takes the jitter of boxes out.
    """
    boxes = np.array(course.boxes)
    seen = np.array([s != "interpolated" for s in course.sources])
    boxes = boxes[seen] if seen.any() else boxes
    centres = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2], axis=1)
    size = max(8.0, float(np.median((boxes[:, 2:] - boxes[:, :2]).mean(axis=1))))
    window = 5 if len(centres) >= 15 else 3
    if len(centres) >= window:
        centres = np.median(np.lib.stride_tricks.sliding_window_view(centres, window, axis=0), axis=2)
    away = np.hypot(centres[:, 0] - centres[0, 0], centres[:, 1] - centres[0, 1])
    steps = np.hypot(*np.diff(centres, axis=0).T) if len(centres) > 1 else np.zeros(1)
    return float(away.max()) / size, float(steps.sum()) / size


def steadiness(course: Course) -> float:
    """Share of the frames on which it was seen to move, of those in which it was about; 0 when it was never long.

    While it stands there is nothing to see: pauses of more than ``PAUSE_S`` do not count. Neither do bouts of movement
    shorter than that, which is what flickers.
    """
    frames = np.array([f for f, s in zip(course.frames, course.sources, strict=True) if s != "interpolated"])
    seconds = np.array([t for t, s in zip(course.seconds, course.sources, strict=True) if s != "interpolated"])
    bouts = np.split(np.arange(len(frames)), np.flatnonzero(np.diff(seconds) > PAUSE_S) + 1)
    long = [b for b in bouts if len(b) and seconds[b[-1]] - seconds[b[0]] >= PAUSE_S]
    seen = sum(len(b) for b in long)
    return seen / sum(int(frames[b[-1]] - frames[b[0]]) + 1 for b in long) if long else 0.0


def _share_beside(track: Live, others: list[Live]) -> float:
    """Share of a motion track's points that lie, by half, in the widened box of a named track at that time."""
    course = track.course
    frames = np.array(course.frames)
    mine = np.array(course.boxes)
    covered = np.zeros(len(frames), bool)
    area = np.maximum(1.0, (mine[:, 2] - mine[:, 0]) * (mine[:, 3] - mine[:, 1]))
    for other in others:
        if other is track or not other.named or not other.course.frames:
            continue
        theirs = other.course
        if theirs.frames[-1] < frames[0] or theirs.frames[0] > frames[-1]:
            continue
        near = np.clip(np.searchsorted(theirs.frames, frames), 0, len(theirs.frames) - 1)
        during = (frames >= theirs.frames[0]) & (frames <= theirs.frames[-1])
        boxes = np.array(theirs.boxes)[near]
        margin = 0.25 * (boxes[:, 2:] - boxes[:, :2])
        low = np.maximum(mine[:, :2], boxes[:, :2] - margin)
        high = np.minimum(mine[:, 2:], boxes[:, 2:] + margin)
        both = np.prod(np.maximum(0.0, high - low), axis=1)
        covered |= during & (both >= 0.5 * area)
    return float(covered.mean())


def _points(course: Course) -> tuple[Point, ...]:
    return tuple(
        Point(frame, pts, seconds, box, source, score, label)
        for frame, pts, seconds, box, source, score, label in zip(
            course.frames,
            course.pts,
            course.seconds,
            settled(course),
            course.sources,
            course.scores,
            course.labels,
            strict=True,
        )
    )
