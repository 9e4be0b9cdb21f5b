"""What a worker is told, and what it says: plain values that travel between processes and machines.

A worker decodes what may be hostile, so nothing it says is trusted to be more than data: its messages are MessagePack,
read back by type, never pickles.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from vidreview.evidence import Exhibit
from vidreview.index import DetectionRow
from vidreview.index.looks import check_look
from vidreview.model import Coverage, Event, FileInfo, Track, TrackLook
from vidreview.settings import ScanSettings

#: seconds and pixels beyond which no track of ours lies
FARTHEST = 1e12


@dataclass(frozen=True, slots=True)
class Task:
    """One exhibit to be scanned."""

    #: place in the order of the scan
    number: int
    exhibit: Exhibit
    settings: ScanSettings
    best_first: bool
    #: only say what it is
    only_probe: bool = False

    @property
    def path(self) -> Path:
        """Where the exhibit lies."""
        return self.exhibit.path


class Hello(msgspec.Struct, frozen=True, tag=True):
    """A worker is ready; which detector it runs, and what it is itself."""

    detector: str
    sha256: str
    runtime: str
    version: str


class Unfit(msgspec.Struct, frozen=True, tag=True):
    """A worker cannot work at all: its model is missing or cannot be run."""

    reason: str


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The exhibit was probed."""

    info: FileInfo


class Provisional(msgspec.Struct, frozen=True, tag=True):
    """Events of the busiest stretches of the stream at this place among the exhibit's streams."""

    stream: int
    events: list[Event]


class Previewed(msgspec.Struct, frozen=True, tag=True):
    """The busiest stretches of a stream have been looked at."""

    events: int


class Rows(msgspec.Struct, frozen=True, tag=True):
    """Raw detections of a stream."""

    stream: int
    rows: list[DetectionRow]


class Watched(msgspec.Struct, frozen=True, tag=True):
    """What the motion gate said of some frames of a stream, packed, from the frame of this number on."""

    stream: int
    first: int
    first_s: float
    last_s: float
    frames: bytes


class Tracks(msgspec.Struct, frozen=True, tag=True):
    """Tracks of a stream, in the order that ``Event.tracks`` counts."""

    stream: int
    tracks: list[Track]
    #: what the object of each looks like, None where no look was taken
    looks: list[TrackLook | None]

    def __post_init__(self) -> None:
        """Raise ValueError for tracks and looks that no worker of ours would send.

        What follows from a track's points is reckoned on this side: a box that is no number must not end the batch.
        """
        for track in self.tracks:
            _check_track(track)
        if len(self.looks) != len(self.tracks):
            raise ValueError(f"{len(self.tracks)} tracks with {len(self.looks)} looks")
        for one in self.looks:
            if one is not None:
                check_look(one)


def _check_track(track: Track) -> None:
    if not track.points:
        raise ValueError("a track has no points")
    for point in track.points:
        if not all(abs(value) < FARTHEST for value in (point.seconds, *point.box)):  # nan is not less either
            raise ValueError("a track's time or box is out of bounds")
        if not (0 <= point.frame < 1 << 62 and abs(point.pts) < 1 << 63):
            raise ValueError("a track's frame or PTS is out of bounds")
    ticks = [point.pts for point in track.points]
    if max(ticks) - min(ticks) >= 1 << 63:  # the index keeps differences
        raise ValueError("a track's PTS lie too far apart")


class StreamDone(msgspec.Struct, frozen=True, tag=True):
    """A stream was read to its end."""

    stream: int
    events: list[Event]
    coverage: Coverage


class Progress(msgspec.Struct, frozen=True, tag=True):
    """This share of the exhibit is done; so many more seconds of footage were scanned."""

    share: float
    seconds: float


class Done(msgspec.Struct, frozen=True, tag=True):
    """The exhibit was scanned to its end, and is what it was: the last word on it."""

    #: stage → seconds at work
    busy_s: dict[str, float]


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """The exhibit, or what is in it, cannot be read: the last word on it."""

    reason: str


class Changed(msgspec.Struct, frozen=True, tag=True):
    """The exhibit is not what it was before it was read: the last word on it."""

    reason: str


class Crashed(msgspec.Struct, frozen=True, tag=True):
    """The worker failed over the exhibit, or was ended over it: the last word on it."""

    reason: str


Message = (
    Hello
    | Unfit
    | Opened
    | Provisional
    | Previewed
    | Rows
    | Watched
    | Tracks
    | StreamDone
    | Progress
    | Done
    | Unreadable
    | Changed
    | Crashed
)
#: those after which nothing more is said of an exhibit
LAST: Final = (Done, Unreadable, Changed, Crashed)


def _plain(value: Any) -> Any:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} is not part of any message")


def _typed(kind: type, value: Any) -> Any:
    if kind is Fraction:
        return Fraction(value)
    raise NotImplementedError(f"{kind.__name__} is not part of any message")


_ENCODER: Final = msgspec.msgpack.Encoder(enc_hook=_plain)
_DECODER: Final = msgspec.msgpack.Decoder(Message, dec_hook=_typed)


def pack(message: Message) -> bytes:
    """A message as bytes."""
    return _ENCODER.encode(message)


def unpack(data: bytes | bytearray | memoryview) -> Message:
    """The message of these bytes; raises ValueError when they are none."""
    message: Message = _DECODER.decode(data)
    return message
