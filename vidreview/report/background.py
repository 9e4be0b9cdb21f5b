"""A still of a stream with little going on: a real frame, chosen by what the motion gate said (rule D4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidreview.clips import PacketIndex
from vidreview.clips.instants import Finder, instants
from vidreview.colours import to_bgr
from vidreview.index import watched
from vidreview.media.source import Source
from vidreview.model import Pixels
from vidreview.report.pictures import STILL, Upright, reduced
from vidreview.report.spans import Frames

#: the stream is looked for a quiet frame in so many parts, so that one of them may be by day
_PARTS: Final = 6
#: the first pictures, while the gate learns, are passed over where there are others, seconds
_LEARNING_S: Final = 2.0
#: seconds about a track in which its object may show already, or still
_AROUND_S: Final = 0.5
#: a picture with less than this share of the best one's contrast is dark beside it
_DARK: Final = 0.6
_STILL: Final = watched.REASONS.index("still")


@dataclass(frozen=True, slots=True)
class Background:
    """A picture, upright and reduced, and when it was taken."""

    picture: Pixels
    seconds: float


def candidates(blocks: Iterable[watched.Columns], frames: Frames, in_view: Iterable[tuple[float, float]]) -> list[int]:
    """Numbers of frames with little going on, best first: the middle of the longest quiet stretch of each part.

    ``in_view`` is from when to when something was tracked; frames with the fewest such things are taken.
    """
    if not len(frames):
        return []
    quiet = np.concatenate([(np.asarray(b.reason) == _STILL) & (np.asarray(b.blobs) == 0) for b in blocks])
    begun = frames.seconds >= min(_LEARNING_S, float(frames.seconds[-1]) / 2)
    changes = np.zeros(len(frames) + 1, np.int64)
    for start, end in in_view:
        low, high = np.searchsorted(frames.seconds, [start - _AROUND_S, end + _AROUND_S])
        changes[low] += 1
        changes[high] -= 1
    busy = changes.cumsum()[:-1]
    fewest = busy == busy[begun].min()
    for wanted in (quiet & fewest & begun, fewest & begun):
        found = sorted((run for run in (_longest(wanted, part) for part in _parts(len(frames))) if run), reverse=True)
        if found:
            return [number for _, number in found]
    return []


def take(
    index: PacketIndex, numbers: Sequence[int], frames: Frames, timed: bool, upright: Upright
) -> Background | None:
    """The best of these frames, given best first, that is sound and not dark beside the others; None without any."""
    places = [(int(frames.pts[k]), k) for k in numbers]
    if places:
        packets = Finder(Source, index, timed).packets(places)
        seconds = dict(zip(packets, (float(frames.seconds[k]) for k in numbers), strict=True))
    else:
        seconds = {index.at(Source, 0.0)[0]: 0.0}
    place = {packet: k for k, packet in enumerate(seconds)}
    found: list[tuple[int, bool, float, Background]] = []
    for instant in instants(Source, index, list(seconds)):
        if instant.frame is None:
            continue
        shown = reduced(upright.picture(to_bgr(instant.frame)), STILL)
        contrast = float(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY).std())
        taken = Background(shown, seconds[instant.packet])
        found.append((place[instant.packet], instant.damaged, contrast, taken))
    if not found:
        return None
    least = _DARK * max(contrast for _, _, contrast, _ in found)
    return min(found, key=lambda one: (one[1], one[2] < least, one[0]))[3]


def _parts(count: int) -> list[tuple[int, int]]:
    edges = [count * k // _PARTS for k in range(_PARTS + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _longest(wanted: NDArray[np.bool_], part: tuple[int, int]) -> tuple[int, int] | None:
    """The length and the middle of the longest run of wanted frames within a part."""
    begin, end = part
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted[begin:end], [False]]).astype(np.int8)))
    if not len(edges):
        return None
    starts, stops = edges[::2], edges[1::2]
    longest = int(np.argmax(stops - starts))
    return int(stops[longest] - starts[longest]), begin + int(starts[longest] + stops[longest] - 1) // 2
