"""The pictures of events and of streams: which frames, made in one pass over each stretch, written into the report."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np

from vidreview import __version__
from vidreview.clips import PacketIndex
from vidreview.clips.instants import Finder, Instant, instants
from vidreview.colours import to_bgr
from vidreview.errors import VidreviewError
from vidreview.index.query import EventPlace
from vidreview.media.source import Source
from vidreview.report import pictures
from vidreview.report.courses import Tracked
from vidreview.report.folder import Folder
from vidreview.report.pictures import Crop, Upright
from vidreview.report.spans import Frames

if TYPE_CHECKING:
    from vidreview.model import Pixels

#: raised whenever pictures are made in another way, so that those of an earlier report are not used again
FORM: Final = 1
#: a track is at the best picture when it has a point so near to it, seconds
_NEAR_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Subject:
    """An event whose pictures are to be made."""

    event: dict[str, Any]
    place: EventPlace
    courses: Sequence[Tracked]
    upright: Upright
    frames: Frames

    @property
    def name(self) -> str:
        """What its files are named after."""
        return str(self.event["id"])

    def identity(self, *more: str) -> str:
        """SHA-256 over all that its files depend on: equal ones need not be made again."""
        place = self.place
        told = [self.name, place.stream.exhibit.sha256, place.stream.index, place.start_pts, place.end_pts]
        told += [place.peak_pts, place.first_frame, place.last_frame, place.peak_frame, place.stream.timed]
        told += [str(self.upright), FORM, __version__, av.__version__, *more]
        digest = hashlib.sha256(json.dumps(told).encode())
        for course in self.courses:
            digest.update(course.seconds.tobytes() + course.boxes.tobytes())
        return digest.hexdigest()


@dataclass(slots=True)
class Made:
    """What was made of an event: what its card says of it, and the files by path within the report."""

    media: dict[str, Any] = field(default_factory=dict)
    #: path → SHA-256
    files: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    errors: list[VidreviewError] = field(default_factory=list)

    def write(self, folder: Folder, path: str, data: bytes) -> str:
        """Write a file of the report; its path. Raises CaseError."""
        self.files[path] = folder.write(path, data)
        return path

    def fail(self, error: VidreviewError) -> None:
        """Something of it could not be made."""
        self.errors.append(error)
        self.missing.append(str(error))


def make_pictures(
    index: PacketIndex, subjects: Sequence[Subject], folder: Folder, stop: threading.Event
) -> Iterator[tuple[Subject, Made]]:
    """Still, thumb and contact strip of each of these events of one stream, as they are done.

    Ends early once ``stop`` is set. Raises MediaError and EvidenceError where the exhibit cannot be read at all.
    """
    finder = Finder(Source, index, subjects[0].place.stream.timed)
    sheets = [_Sheet(subject, finder) for subject in subjects]
    waiting: dict[int, list[_Sheet]] = {}
    for sheet in sheets:
        for packet in sheet.wanted:
            waiting.setdefault(packet, []).append(sheet)
    for instant in instants(Source, index, list(waiting)):
        if stop.is_set():
            return
        stored = None if instant.frame is None else to_bgr(instant.frame)
        for sheet in waiting.pop(instant.packet):
            sheet.take(instant, stored)
            if not sheet.wanted:
                yield sheet.subject, sheet.finish(folder)


class _Sheet:
    """The pictures of one event on their way."""

    def __init__(self, subject: Subject, finder: Finder) -> None:
        self.subject = subject
        place, frames = subject.place, subject.frames
        self._strip: dict[int, tuple[float, Pixels | None, bool]] = {}
        ends = [(place.start_pts, place.first_frame), (place.end_pts, place.last_frame)]
        if len(frames):
            length = place.end_s - place.start_s
            times = [place.start_s + length * k / (pictures.FRAMES - 1) for k in range(1, pictures.FRAMES - 1)]
            numbers = np.searchsorted(frames.seconds, np.array(times) + 1e-6, "right") - 1
            numbers = np.clip(numbers, place.first_frame, place.last_frame)
            between = [(int(frames.pts[k]), int(k)) for k in numbers]
            packets = finder.packets([ends[0], *between, ends[1]])
            seconds = [place.start_s, *(float(frames.seconds[k]) for k in numbers), place.end_s]
        else:  # an earlier version did not keep the times of frames: those that the file gives
            packets = finder.packets(ends)
            seconds = [place.start_s, place.end_s]
        self.times = dict(zip(packets, seconds, strict=True))
        self.peak = finder.packets([(place.peak_pts, place.peak_frame)])[0]
        self.wanted = {*packets, self.peak}
        self._still: tuple[Pixels, bool] | None = None
        self._boxes = [subject.upright.boxes(course.boxes) for course in subject.courses]
        every = np.concatenate(self._boxes) if self._boxes else np.zeros((0, 4), np.float32)
        self.crop = pictures.crop_around(every, subject.upright.size, pictures.STRIP)

    def take(self, instant: Instant, stored: Pixels | None) -> None:
        """One of the wanted pictures; None where it cannot be decoded."""
        self.wanted.discard(instant.packet)
        upright = self.subject.upright
        shown = None if stored is None else upright.picture(stored)
        if instant.packet in self.times and shown is not None:
            small = pictures.cut_out(shown, self.crop, upright.size, pictures.STRIP)
            self._strip[instant.packet] = (self.times[instant.packet], small, instant.damaged)
        if instant.packet == self.peak and shown is not None:
            self._still = shown, instant.damaged

    def finish(self, folder: Folder) -> Made:
        """Write the files."""
        made, name = Made(), self.subject.name
        kept = sorted((time, small, damaged) for time, small, damaged in self._strip.values() if small is not None)
        if kept:
            sheet, width, height = pictures.strip([small for _, small, _ in kept if small is not None])
            made.media["strip"] = {
                "src": made.write(folder, f"view/{name}_strip_VIEW.jpg", pictures.jpeg(sheet, "small")),
                "w": width,
                "h": height,
                "times": [round(time, 6) for time, _, _ in kept],
                "crop": list(self.crop),
                "damaged": [k for k, (_, _, damaged) in enumerate(kept) if damaged],
            }
        if len(kept) < len(self.times):
            lost = len(self.times) - len(kept)
            made.missing.append(f"{lost} of {len(self.times)} frames of the contact strip cannot be decoded")
        if self._still is None:
            made.missing.append("the best frame cannot be decoded, so there is no still")
            return made
        picture, damaged = self._still
        whole = pictures.reduced(picture, pictures.STILL)
        made.media["still"] = {
            "src": made.write(folder, f"view/{name}_VIEW.jpg", pictures.jpeg(whole, "still")),
            "w": int(whole.shape[1]),
            "h": int(whole.shape[0]),
            "evidence": None,
            "sha256": None,
            "damaged": damaged,
        }
        crop = self._thumb_crop()
        thumb = pictures.cut_out(picture, crop, self.subject.upright.size, pictures.THUMB)
        made.media["thumb"] = made.write(folder, f"view/{name}_thumb_VIEW.jpg", pictures.jpeg(thumb, "small"))
        made.media["thumb_crop"] = list(crop)
        return made

    def _thumb_crop(self) -> Crop:
        """Around what is in view at the best picture."""
        at = self.subject.place.peak_s
        near = []
        for course, boxes in zip(self.subject.courses, self._boxes, strict=True):
            k = int(np.argmin(np.abs(course.seconds - at)))
            if abs(float(course.seconds[k]) - at) <= _NEAR_S:
                near.append(boxes[k])
        if not near:
            return self.crop
        return pictures.crop_around(np.stack(near), self.subject.upright.size, pictures.THUMB)
