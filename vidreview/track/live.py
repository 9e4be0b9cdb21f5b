"""One object while it is followed: its filter, its course so far, and what the detector called it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels import kalman
from vidreview.model import CLASS_OF_LABEL, EventClass

Float = NDArray[np.float64]
Source = Literal["detected", "motion", "interpolated"]

#: how well a detection's and a blob's box are known, in shares of the box's size
DETECTED_ERROR, BLOB_ERROR = 0.1, 0.2
#: how fast a velocity may change, box sizes per second, per √second
AGILITY = 0.3
#: a score from which a detection counts as a vote on the class
VOTE_SCORE = 0.25


def to_state(box: Float) -> Float:
    """Centre x, centre y, width, height of an xyxy box."""
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]])


def to_box(mean: Float) -> Float:
    """The xyxy box of a filter's mean (4, 2)."""
    half_w, half_h = max(1.0, mean[2, 0]) / 2, max(1.0, mean[3, 0]) / 2
    return np.array([mean[0, 0] - half_w, mean[1, 0] - half_h, mean[0, 0] + half_w, mean[1, 0] + half_h])


@dataclass(slots=True)
class Course:
    """Where something was, frame by frame; the lists are of one length."""

    frames: list[int] = field(default_factory=list)
    pts: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    scores: list[float | None] = field(default_factory=list)
    labels: list[str | None] = field(default_factory=list)

    def add(
        self,
        clock: tuple[int, int, float],
        box: Float,
        source: Source,
        score: float | None = None,
        label: str | None = None,
    ) -> None:
        """Append one point; ``clock`` is frame number, PTS and seconds.

        A better source replaces a worse one of the same frame.
        """
        if self.frames and self.frames[-1] == clock[0]:
            if source == "interpolated" or (source == "motion" and self.sources[-1] == "detected"):
                return
            self.drop_last()
        self.frames.append(clock[0])
        self.pts.append(clock[1])
        self.seconds.append(clock[2])
        self.boxes.append((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
        self.sources.append(source)
        self.scores.append(score)
        self.labels.append(label)

    def drop_last(self) -> None:
        """Take the last point back."""
        for column in (self.frames, self.pts, self.seconds, self.boxes, self.sources, self.scores, self.labels):
            column.pop()

    def trim(self) -> None:
        """Drop the points after the last one that was seen."""
        while self.sources and self.sources[-1] == "interpolated":
            self.drop_last()

    def before(self, other: Course) -> Course:
        """This course followed by ``other``, without the frames of this one that ``other`` has, too."""
        joined = Course()
        keep = next((k for k, frame in enumerate(self.frames) if other.frames and frame >= other.frames[0]), None)
        for name in self.__slots__:
            getattr(joined, name).extend(getattr(self, name)[:keep])
            getattr(joined, name).extend(getattr(other, name))
        return joined

    def interpolate(self) -> None:
        """Put the points that were not seen on the straight line between those that were."""
        seen = [k for k, source in enumerate(self.sources) if source != "interpolated"]
        if len(seen) == len(self.sources) or not seen:
            return
        at = np.array(self.seconds)
        known = np.array([self.boxes[k] for k in seen])
        lines = np.stack([np.interp(at, at[seen], known[:, c]) for c in range(4)], axis=1)
        for k, source in enumerate(self.sources):
            if source == "interpolated":
                self.boxes[k] = (float(lines[k, 0]), float(lines[k, 1]), float(lines[k, 2]), float(lines[k, 3]))


@dataclass(slots=True)
class Live:
    """A track in the making."""

    key: int
    mean: Float
    cov: Float
    #: seconds the filter stands at
    at_s: float
    course: Course
    #: label → sum of scores, and their number, of the detections that count as votes
    votes: dict[str, float] = field(default_factory=dict)
    ballots: int = 0
    #: score of the best detection
    best: float = 0.0
    #: all detections, and the sum of their scores
    detections: int = 0
    score_sum: float = 0.0
    #: looks of the detector at a picture that held it
    looks: int = 0
    #: those since the last that counted as a vote
    vain: int = 0
    #: second looks, and when the last one was
    second_looks: int = 0
    second_look_s: float = -1e9
    #: when it was last seen by anything, by the detector, by the gate
    seen_s: float = 0.0
    #: how fast it was then, own sizes a second
    seen_speed: float = 0.0
    detected_s: float = -1e9
    moved_s: float = -1e9
    #: frames on which the gate saw something move in its box
    stirred: int = 0
    #: which unbroken part of the recording it was last seen in
    part: int = 0
    #: keys of what it was found to continue
    earlier: tuple[int, ...] = ()

    @property
    def pieces(self) -> tuple[int, ...]:
        """Keys of all that it was joined from, its own last."""
        return (*self.earlier, self.key)

    @staticmethod
    def begin(key: int, clock: tuple[int, int, float], box: Float, error: float) -> Live:
        """A new track at ``box``, at rest until it is seen to move."""
        state = to_state(box)
        size = max(8.0, (state[2] + state[3]) / 2)
        mean = np.zeros((4, 2))
        mean[:, 0] = state
        cov = np.zeros((4, 3))
        cov[:, 0] = (error * size) ** 2
        cov[:2, 2] = (1.5 * size) ** 2
        cov[2:, 2] = (0.3 * size) ** 2
        return Live(key, mean, cov, clock[2], Course(), seen_s=clock[2])

    @property
    def box(self) -> Float:
        """Where it is thought to be, xyxy."""
        return to_box(self.mean)

    @property
    def size(self) -> float:
        """Mean of width and height, at least 8 pixels."""
        return max(8.0, float(self.mean[2, 0] + self.mean[3, 0]) / 2)

    @property
    def speed(self) -> float:
        """Of its centre, in its own sizes a second."""
        return float(np.hypot(self.mean[0, 1], self.mean[1, 1])) / self.size

    @property
    def named(self) -> bool:
        """True once the detector has called it something."""
        return self.ballots > 0

    @property
    def solid(self) -> bool:
        """True for what was there on most frames of its first third of a second and more: no flicker of the light."""
        if self.named:
            return True
        course = self.course
        if len(course.frames) < 3 or course.seconds[-1] - course.seconds[0] < 0.25:
            return False
        return len(course.frames) >= 0.6 * (course.frames[-1] - course.frames[0] + 1)

    @property
    def travels(self) -> bool:
        """True once its centre is half its size from where it began."""
        if not self.course.boxes:
            return False
        x1, y1, x2, y2 = self.course.boxes[0]
        away = np.hypot(self.mean[0, 0] - (x1 + x2) / 2, self.mean[1, 0] - (y1 + y2) / 2)
        return float(away) >= 0.5 * self.size

    @property
    def event_class(self) -> EventClass:
        """The class with the most votes, motion without any."""
        sums = {"person": 0.0, "vehicle": 0.0}
        for label, score in self.votes.items():
            sums[CLASS_OF_LABEL[label]] += score
        if not self.votes:
            return "motion"
        return "person" if sums["person"] >= sums["vehicle"] else "vehicle"

    def advance(self, seconds: float) -> None:
        """Move the filter on to ``seconds``."""
        dt = seconds - self.at_s
        if dt <= 0:
            return
        walk = (AGILITY * self.size) ** 2
        kalman.predict(self.mean, self.cov, dt, np.array([walk, walk, 0.05 * walk, 0.05 * walk]))
        self.at_s = seconds

    def measure(self, box: Float, error: float) -> None:
        """Take in a box seen now."""
        r = (error * self.size) ** 2
        kalman.update(self.mean, self.cov, to_state(box), np.array([r, r, 2 * r, 2 * r]))

    def saw(self, seconds: float) -> None:
        """It is there at ``seconds``, by whatever witness."""
        self.seen_s = seconds
        self.seen_speed = self.speed

    def rest(self) -> None:
        """Nothing moves where it is: it stands."""
        self.mean[:, 1] = 0.0
        self.cov[:, 1] = 0.0

    def vote(self, label: str, score: float) -> None:
        """Count one detection."""
        self.detections += 1
        self.score_sum += score
        self.best = max(self.best, score)
        if score >= VOTE_SCORE:
            self.votes[label] = self.votes.get(label, 0.0) + score
            self.ballots += 1
            self.vain = 0

    def take_history(self, earlier: Live) -> None:
        """``earlier`` was this same object before: its course and its votes come first."""
        self.course = earlier.course.before(self.course)
        self.earlier = (*earlier.pieces, *self.earlier)
        for label, score in earlier.votes.items():
            self.votes[label] = self.votes.get(label, 0.0) + score
        self.ballots += earlier.ballots
        self.detections += earlier.detections
        self.score_sum += earlier.score_sum
        self.best = max(self.best, earlier.best)
        self.looks += earlier.looks
        self.stirred += earlier.stirred
