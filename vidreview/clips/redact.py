"""Redacted copies: what may be of a class is covered for good, kept tracks are not, and what is left is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import cv2
import numpy as np

from vidreview.clips.copy import ClipRecord
from vidreview.clips.courses import Box, Course
from vidreview.clips.cover import (
    DRIFT,
    HELD_S,
    LEAD_S,
    MARGIN,
    OF_KEPT,
    ONCE_S,
    SWEEP_S,
    Cover,
    Sighting,
    Wanted,
    inside,
    overlap,
    recorded,
)
from vidreview.clips.encode import Planes
from vidreview.clips.viewing import Prepared, write_copy
from vidreview.model import CLASS_OF_LABEL, Pixels
from vidreview.shapes import upright_box

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

With = Literal["fill", "blur"]
#: (score, box, label) of what the detector sees in a BGR picture as shown, boxes in its pixels
Look = Callable[[Pixels], Sequence[tuple[float, Box, str]]]

#: what is as sure as this in the finished copy is named; weaker ones are counted
NAMED: Final = 0.25
#: what is covered becomes this grey, neither of the range's ends
GREY: Final = 80
#: blur: blocks of 16, 32, 64 … pixels, at least one in so many of a box's longer side, on a grid that stays where it
#: is; their means are rounded. Blocks that moved with the box would each time show a little more
BLOCKS: Final = 4
BLOCK_PX: Final = 16
ROUNDED: Final = 16

RISKS: Final = (
    "What neither the scan nor the looks for this copy detected is not covered: watch the whole copy before it is "
    "handed over. Not looked for: reflections, shadows, screens, number plates, people behind glass, text burned into "
    "the picture (clock, camera name), and what identifies someone by place, time, clothing beside a box or way of "
    "moving. Covered boxes still show where and how large something was. Sound is left out."
)


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is covered, and by what."""

    wanted: Wanted
    method: With = "fill"
    #: None where no detector is at hand, and why
    look: Look | None = None
    no_look: str = ""
    #: name of the detector and SHA-256 of its weights
    detector: str = ""


def redact(
    ready: Prepared,
    courses: Sequence[Course],
    sightings: Sequence[Sighting],
    redaction: Redaction,
    folder: Path,
    *,
    origin: dict[str, Any] | None = None,
) -> ClipRecord:
    """Write ``NAME_REDACTED.mp4`` with a manifest that lists every covered interval and what the detector still sees.

    Covering is on decoded pictures, before they are encoded: nothing of what is covered is in the file. A damaged
    picture is covered but for kept tracks, since nobody can tell what stands where in it. Errors as for ``view``.
    """
    cover = Cover(ready, courses, sightings, redaction.wanted)
    looked = _look_before(ready, cover, redaction.look) if redaction.look else 0
    checked = _After(ready, cover, redaction.look)

    def paint(number: int, picture: Planes) -> Planes:
        return covered(picture, cover.covered(number), cover.kept(number), redaction.method, damaged(number))

    def damaged(number: int) -> bool:
        return bool(ready.stretch.damaged[number])

    def more() -> dict[str, Any]:
        return _record(ready, cover, redaction, looked, checked)

    comment = (
        f"redacted copy, re-encoded; the evidence is {ready.request.name}_copy, cut by stream copy, and the exhibit"
    )
    return write_copy(
        ready, folder, "REDACTED", "redacted copy", comment, paint=paint, check=checked, more=more, origin=origin
    )


def covered(picture: Planes, boxes: Sequence[Box], kept: Sequence[Box], method: With, whole: bool = False) -> Planes:
    """The picture with its boxes covered and the kept ones as they were; ``whole`` covers all of it but those."""
    width, height = picture.width, picture.height
    if whole:
        boxes, method = [(0.0, 0.0, float(width), float(height))], "fill"
    result = picture.copy()
    planes = (
        (result.luma, picture.luma, 1, GREY),
        (result.blue, picture.blue, 2, 128),
        (result.red, picture.red, 2, 128),
    )
    for box in boxes:
        x1, y1, x2, y2 = inside(box, width, height)
        if x2 <= x1 or y2 <= y1:
            continue
        side = BLOCK_PX
        while side * BLOCKS < max(x2 - x1, y2 - y1):
            side *= 2
        for target, source, step, grey in planes:
            within = x1 // step, y1 // step, x2 // step, y2 // step
            cut = slice(within[1], within[3]), slice(within[0], within[2])
            target[cut] = grey if method == "fill" else _coarse(source, within, side // step)
    for box in kept:
        x1, y1, x2, y2 = inside(box, width, height)
        for target, source, step, _ in planes:
            part = slice(y1 // step, y2 // step), slice(x1 // step, x2 // step)
            target[part] = source[part]
    return result


def _coarse(plane: Pixels, part: tuple[int, int, int, int], side: int) -> Pixels:
    """Rounded means of the blocks of a fixed grid that a part of a plane touches, smoothed, then that part of them.

    Whatever does not move gives the same means on every picture, however its box trembles: nothing adds up over time.
    """
    left, top = part[0] // side * side, part[1] // side * side
    whole = plane[top : -(-part[3] // side) * side, left : -(-part[2] // side) * side]
    height, width = whole.shape
    rows, columns = np.arange(0, height, side), np.arange(0, width, side)
    sums = np.add.reduceat(np.add.reduceat(whole.astype(np.int64), rows, axis=0), columns, axis=1)
    counts = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))
    means = (sums / counts / ROUNDED).round() * ROUNDED
    blocks: Any = means.clip(0, 255).astype(np.uint8)
    smooth: Pixels = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_LINEAR)
    return smooth[part[1] - top : part[3] - top, part[0] - left : part[2] - left]


def _look_before(ready: Prepared, cover: Cover, look: Look) -> int:
    """Look at every picture and cover what is seen; how many looks.

    At every one: who runs or rides past a camera is further than a body's width away on the next but one.
    """
    times = [ready.seconds(number) for number in range(len(ready.stretch))]
    found = []
    for k, picture in enumerate(ready.pictures()):
        for score, box, label in look(_bgr(picture.turned(ready.request.rotation))):
            before, after = times[max(0, k - 1)], times[min(len(times) - 1, k + 1)]
            found.append(Sighting(times[k], _stored(ready, box), score, label, before, after, "copy"))
    cover.add(found)
    return len(times)


def _bgr(picture: Planes) -> Pixels:
    flat = picture.buffer.reshape(-1, picture.width)
    shown: Any = cv2.cvtColor(flat, cv2.COLOR_YUV2BGR_I420)
    return np.asarray(shown, np.uint8)


def _stored(ready: Prepared, box: Box) -> Box:
    """A box in the picture as shown, in pixels of the stored one."""
    width, height = ready.canvas.shown
    return upright_box(box, width, height, -ready.request.rotation % 360)


class _After:
    """Looks at every picture of the finished copy as it is read back, and keeps what it sees but for kept tracks."""

    def __init__(self, ready: Prepared, cover: Cover, look: Look | None) -> None:
        self._ready, self._cover, self._look = ready, cover, look
        self.looks = 0
        self.seen: list[tuple[int, float, Box, str]] = []

    def __call__(self, number: int, frame: VideoFrame) -> None:
        if self._look is None:
            return
        self.looks += 1
        wanted = self._cover.wanted
        found = [
            (number, score, _stored(self._ready, box), label)
            for score, box, label in self._look(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8))
            if wanted.includes(CLASS_OF_LABEL[label], label)
        ]
        own = {_own([box for _, _, box, _ in found], kept) for kept in self._cover.kept(number)}
        self.seen += [one for k, one in enumerate(found) if k not in own]


def _own(boxes: Sequence[Box], kept: Box) -> int | None:
    """Which detection is of the kept track of this box: one at most, since others in it are people who are seen.

    It may be much smaller than the box, which may be that of the motion about it.
    """
    shares = [(max(overlap(box, kept), _within(box, kept) / 2), k) for k, box in enumerate(boxes)]
    best = max(shares, default=(0.0, 0))
    return best[1] if best[0] >= OF_KEPT else None


def _within(box: Box, other: Box) -> float:
    """Which share of a box lies in another."""
    across = max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
    down = max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return across * down / area if area > 0 else 0.0


def _record(ready: Prepared, cover: Cover, redaction: Redaction, looked: int, after: _After) -> dict[str, Any]:
    """What the manifest says of the covering."""
    wanted = redaction.wanted
    intervals = recorded(cover)
    how = f"filled with one grey ({GREY})"
    if redaction.method == "blur":
        how = (
            f"means of blocks of {BLOCK_PX}, {2 * BLOCK_PX}, {4 * BLOCK_PX} … pixels, at least 1/{BLOCKS} of the "
            f"longer side of a box, on a grid that stays where it is, rounded to steps of {ROUNDED}, then smoothed: "
            "one picture shows no finer detail, but rough colours"
        )
    left: list[dict[str, Any]] = [
        {
            "pts": ready.tick(number),
            "seconds": round(ready.seconds(number), 6),
            "frame": number,
            "label": label,
            "score": round(score, 4),
            "box": [round(side, 1) for side in box],
        }
        for number, score, box, label in after.seen
    ]
    named = [one for one in left if one["score"] >= NAMED]
    damaged = sum(ready.stretch.damaged)
    return {
        "redaction": {
            "covered": wanted.what,
            "unrecognised_motion_covered": wanted.motion,
            "kept_tracks": sorted(wanted.keep),
            "kept_tracks_not_in_view": sorted(wanted.keep - cover.in_view()),
            "method": redaction.method,
            "how": how,
            "widened": f"{MARGIN:.0%} of a box on each side, and by where it was {SWEEP_S} s before and after",
            "extended": f"{LEAD_S} s before and after a track; a single detection to the looks on either side, one of "
            f"the scan {ONCE_S} s at least, one of a look for this copy {HELD_S} s, "
            f"growing by {DRIFT:.0%} of its size a second",
            "frames_covered_whole": damaged,
            "detections_of_kept_tracks": cover.of_kept,
            "intervals": intervals,
        },
        "check": {
            "detector": redaction.detector or None,
            "looks_before": looked,
            "looks_after": after.looks,
            "not_looked": redaction.no_look or None,
            "still_to_be_looked_at": named,
            "weaker": [one for one in left if one["score"] < NAMED],
        },
        "residual_risk": _risks(intervals, named, redaction, damaged),
    }


def _risks(
    intervals: Sequence[dict[str, Any]], named: Sequence[dict[str, Any]], redaction: Redaction, damaged: int
) -> list[str]:
    said = [RISKS]
    overlapping = sorted({one["object"] for one in intervals if one["overlaps_kept_on_frames"]})
    if overlapping:
        said.append(
            f"{len(overlapping)} covered objects reach into the box of a kept track, where they are not covered: "
            f"{', '.join(overlapping[:10])}{' …' if len(overlapping) > 10 else ''}"
        )
    if named:
        said.append(
            f"the detector still sees something of the class on {len({one['frame'] for one in named})} pictures"
        )
    if redaction.look is None:
        said.append(f"no detector looked at the copy ({redaction.no_look}): only what the scan saw is covered")
    if redaction.method == "blur":
        said.append(
            "blur leaves rough colours, which may tell known people apart, and of what keeps its shape while it moves, "
            "such as a number plate, more can be worked out from many pictures than one shows; fill leaves nothing: "
            "use it for whatever is handed over"
        )
    if damaged:
        said.append(f"{damaged} damaged pictures are covered but for kept tracks, whose boxes may show anything there")
    return said
