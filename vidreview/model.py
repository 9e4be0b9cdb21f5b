"""The frozen nouns that the stages hand to each other.

Boxes are always ``xyxy`` in pixels of the stored picture (before any rotation for display), float32.
Seconds are for display and for the tracker's arithmetic; PTS ticks and their time base are the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Boxes = NDArray[np.float32]

EventClass = Literal["person", "vehicle", "motion"]

#: Every label a detection may carry; nothing else leaves the detect stage (rule E7). The index is the label's id.
LABELS: tuple[str, ...] = ("person", "bicycle", "car", "motorcycle", "bus", "truck")

#: Which event class each label belongs to.
CLASS_OF_LABEL: dict[str, EventClass] = {
    "person": "person",
    "bicycle": "vehicle",
    "car": "vehicle",
    "motorcycle": "vehicle",
    "bus": "vehicle",
    "truck": "vehicle",
    "motion": "motion",
}


@dataclass(frozen=True, slots=True)
class Digest:
    """What a file's bytes are."""

    algorithm: str
    #: lower-case hexadecimal
    value: str

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, order=False)
class MediaTime:
    """An instant of a stream: ticks of its time base, exactly as the container gives them."""

    pts: int
    #: seconds per tick
    time_base: Fraction

    @property
    def seconds(self) -> float:
        """Seconds from PTS zero, for display."""
        return float(self.pts * self.time_base)


@dataclass(frozen=True, slots=True)
class Span:
    """From the first to the last presented frame of something, both included."""

    start: MediaTime
    end: MediaTime
    #: seconds from the stream's first presented frame, on its unbroken time line
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Frame:
    """One presented frame: its exact time, its luma plane, and a way to its colours."""

    #: counts presented frames of the stream from 0
    number: int
    time: MediaTime
    #: seconds from the stream's first presented frame; never steps back: where PTS does, it goes on from there
    seconds: float
    #: (height, width) view of the decoder's own plane, stored geometry; valid as long as the frame is
    luma: Pixels
    #: the decoder flagged this picture, or its packet, as broken
    damaged: bool
    #: makes the (height, width, 3) BGR picture, stored geometry, honouring colour range and matrix
    to_bgr: Callable[[], Pixels]
    #: True on the first frame after a gap, a reset or lost data: nothing may be carried over from before
    discontinuity: bool = False


@dataclass(frozen=True, slots=True)
class Detections:
    """What the detector said of one picture, best first."""

    #: (n, 4) xyxy
    boxes: Boxes
    #: (n,) 0..1
    scores: NDArray[np.float32]
    #: (n,) index into LABELS
    labels: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.scores)

    @staticmethod
    def none() -> Detections:
        """No detections."""
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int16))


@dataclass(frozen=True, slots=True)
class Motion:
    """What the motion gate said of one frame."""

    #: (n, 4) xyxy of connected changes, largest first
    blobs: Boxes
    #: (n,) changed share of each blob's own blocks, 0..1
    fill: NDArray[np.float32]
    #: (n,) mean change in multiples of the noise of its blocks
    strength: NDArray[np.float32]
    #: share of the picture's unmasked blocks that changed, 0..1
    level: float
    #: why the frame is or is not worth a look: "still", "motion", "whole-frame", "learning"
    reason: str


@dataclass(frozen=True, slots=True)
class Point:
    """Where a track was on one frame."""

    #: number, ticks and seconds of the frame
    frame: int
    pts: int
    seconds: float
    #: xyxy
    box: tuple[float, float, float, float]
    #: what this point rests on
    source: Literal["detected", "motion", "interpolated"]
    #: detection score, None without one
    score: float | None = None
    #: detection label, None without one
    label: str | None = None


#: what a track's look says of the light: the pictures had colours; all of them lean to one; they had none
Light = Literal["colours", "cast", "none"]
#: what a colour may be said of
Part = Literal["whole", "upper", "lower"]


@dataclass(frozen=True, slots=True)
class NamedColour:
    """A colour that an object, or a half of a person, shows."""

    part: Part
    #: one of the eleven basic names
    name: str
    #: share of the part's picture, 0..1
    share: float


@dataclass(frozen=True, slots=True)
class Crop:
    """A reduced and re-encoded picture of an object: internal, to be looked through, no evidence (rule D4)."""

    #: number, ticks and seconds of the frame
    frame: int
    pts: int
    seconds: float
    #: xyxy, whole pixels of the stored picture
    box: tuple[int, int, int, int]
    #: by which it was chosen, 0..1
    quality: float
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class TrackLook:
    """What a track's object looks like, over several looks at it."""

    #: how many looks it rests on
    looks: int
    light: Light
    #: form: vidreview/looks/describe.py
    descriptor: bytes
    colours: tuple[NamedColour, ...]
    #: the best first
    crops: tuple[Crop, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """One object's course through one stream."""

    event_class: EventClass
    #: one of LABELS, or "motion"
    label: str
    #: by time, at most one a frame
    points: tuple[Point, ...]
    #: mean detection score, None when nothing was recognised
    score: float | None
    detections: int
    #: it stood still from first to last: seen by the detector, never by the motion gate
    stationary: bool = False
    #: why it is unused material and not part of an event (rule E4); None when it is part of one
    dropped: str | None = None
    #: numbers that its tracker gave to the pieces it was joined from
    pieces: tuple[int, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a track in the making was seen on one frame."""

    #: number that its tracker gave to it
    piece: int
    #: xyxy
    box: tuple[float, float, float, float]
    #: detection score, None where only movement was seen
    score: float | None


@dataclass(frozen=True, slots=True)
class Event:
    """One object's appearance, or several of one class that overlap or follow closely."""

    event_class: EventClass
    label: str
    span: Span
    #: the instant of the best picture
    peak: MediaTime
    peak_s: float
    max_count: int
    #: positions in the list of tracks that the event was assembled from
    tracks: tuple[int, ...]
    score: float | None


@dataclass(frozen=True, slots=True)
class Problem:
    """What could not be read, or is not as it claims to be."""

    #: short fixed word, for programs: "unreadable", "damage", "gap", "reset", "truncated", "no-timestamps", …
    kind: str
    #: one sentence for people
    reason: str
    #: seconds on the stream's time line where it begins, None when it concerns the whole
    at_s: float | None = None
    #: the first and the last PTS that it concerns, ticks of the stream; for a gap or a step, the PTS on either side
    pts: int | None = None
    end_pts: int | None = None
    #: where in the exhibit's file the packet lies with which it begins; for a gap or a step, the packet behind it
    byte: int | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Where every tick of a stream went; the states sum to its ``duration`` (rule E2)."""

    #: seconds per tick
    time_base: Fraction
    #: ticks whose pictures were looked at
    analysed: int
    #: ticks whose pictures are damaged beyond decoding, or cut off
    undecodable: int
    #: ticks for which nothing was recorded
    gap: int
    #: ticks that nobody asked for
    not_requested: int
    frames_presented: int
    frames_damaged: int
    frames_missing: int
    detector_frames: int
    problems: tuple[Problem, ...] = field(default=())

    @staticmethod
    def nothing_read(stream: StreamInfo, reason: str) -> Coverage:
        """The ledger of a stream of which no frame could be decoded."""
        length = stream.length + round(stream.cut_off / stream.time_base)
        problems = (*stream.problems, Problem("undecodable", reason, 0.0, stream.start_pts))
        return Coverage(stream.time_base, 0, length, 0, 0, 0, 0, stream.packets, 0, problems)

    @property
    def duration(self) -> int:
        """Ticks of the whole stream."""
        return self.analysed + self.undecodable + self.gap + self.not_requested

    @property
    def duration_s(self) -> float:
        """Seconds of the whole stream, for display; as are those that follow."""
        return float(self.duration * self.time_base)

    @property
    def analysed_s(self) -> float:
        """Seconds looked at."""
        return float(self.analysed * self.time_base)

    @property
    def undecodable_s(self) -> float:
        """Seconds damaged or cut off."""
        return float(self.undecodable * self.time_base)

    @property
    def gap_s(self) -> float:
        """Seconds not recorded."""
        return float(self.gap * self.time_base)

    @property
    def not_requested_s(self) -> float:
        """Seconds not asked for."""
        return float(self.not_requested * self.time_base)


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What one video stream says of itself, and what was measured."""

    #: index within the container
    index: int
    codec: str
    pixel_format: str
    #: stored geometry
    width: int
    height: int
    #: clockwise degrees a player turns the picture by: 0, 90, 180 or 270
    rotation: int
    #: sample aspect ratio, width/height of a pixel
    sample_aspect: Fraction
    time_base: Fraction
    #: ticks of the first packet in presentation order, None where there are no timestamps
    start_pts: int | None
    #: frames per second the container declares, None where it declares none
    declared_rate: Fraction | None
    #: frames per second over the packets' timestamps, None where they have none
    measured_rate: float | None
    #: gaps between timestamps differ by more than the container's rounding
    variable_rate: bool
    #: seconds from the first to the end of the last frame, by packet timestamps
    duration_s: float | None
    packets: int
    problems: tuple[Problem, ...] = ()
    #: seconds one frame ordinarily stands for: the median measured, else as declared, else 1/25 assumed
    frame_interval: Fraction = Fraction(1, 25)
    #: False where the file holds no timestamps: ticks are counted at ``frame_interval``
    timed: bool = True
    #: seconds that the container claims beyond its last packet: it was cut off
    cut_off: Fraction = Fraction(0)
    #: ticks from the first to the end of the last frame, by packets; counted where they have no timestamps
    length: int = 0


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What a file is."""

    container: str
    size: int
    streams: tuple[StreamInfo, ...]
    #: the container's own word on when it was made, as written; unverified
    creation_time: str | None
    metadata: dict[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    #: byte at which the container begins: above 0 when it is wrapped in something else
    byte_offset: int = 0

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        from dataclasses import asdict

        def plain(value: Any) -> Any:
            if isinstance(value, Fraction):
                return f"{value.numerator}/{value.denominator}"
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            if isinstance(value, list | tuple):
                return [plain(v) for v in value]
            return value

        result: dict[str, Any] = plain(asdict(self))
        return result
