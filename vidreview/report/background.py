"""A still of a stream with little going on: a real frame, chosen by what the motion gate said (rule D4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

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
_STILL: Final = watched.REASONS.index("still")


@dataclass(frozen=True, slots=True)
class Background:
    """A picture, upright and reduced, and when it was taken."""

    picture: Pixels
    seconds: float


def candidates(blocks: Iterable[watched.Columns], frames: Frames, events: Sequence[dict[str, Any]]) -> list[int]:
    """Numbers of frames with little going on: the middle of the longest quiet stretch of each part of the stream."""
    if not len(frames):
        return []
    quiet = np.concatenate([(np.asarray(b.reason) == _STILL) & (np.asarray(b.blobs) == 0) for b in blocks])
    quiet &= frames.seconds >= min(_LEARNING_S, float(frames.seconds[-1]) / 2)
    free = np.ones(len(frames), bool)
    for event in events:
        low, high = np.searchsorted(frames.seconds, [event["start_s"] - 0.5, event["end_s"] + 0.5])
        free[low:high] = False
    for wanted in (quiet & free, free, np.ones(len(frames), bool)):
        found = [k for k in (_middle(wanted, part) for part in _parts(len(frames))) if k is not None]
        if found:
            return found
    return []


def take(
    index: PacketIndex, numbers: Sequence[int], frames: Frames, timed: bool, upright: Upright
) -> Background | None:
    """The one of these frames that shows most: sound ones first, then by contrast; None when none can be decoded."""
    places = [(int(frames.pts[k]), k) for k in numbers]
    if places:
        packets = Finder(Source, index, timed).packets(places)
        seconds = dict(zip(packets, (float(frames.seconds[k]) for k in numbers), strict=True))
    else:
        seconds = {index.at(Source, 0.0)[0]: 0.0}
    best: tuple[tuple[bool, float], Background] | None = None
    for instant in instants(Source, index, list(seconds)):
        if instant.frame is None:
            continue
        shown = reduced(upright.picture(to_bgr(instant.frame)), STILL)
        rank = (not instant.damaged, float(cv2.cvtColor(shown, cv2.COLOR_BGR2GRAY).std()))
        if best is None or rank > best[0]:
            best = rank, Background(shown, seconds[instant.packet])
    return None if best is None else best[1]


def _parts(count: int) -> list[tuple[int, int]]:
    edges = [count * k // _PARTS for k in range(_PARTS + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if b > a]


def _middle(wanted: NDArray[np.bool_], part: tuple[int, int]) -> int | None:
    """The middle of the longest run of wanted frames within a part."""
    begin, end = part
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted[begin:end], [False]]).astype(np.int8)))
    if not len(edges):
        return None
    starts, stops = edges[::2], edges[1::2]
    longest = int(np.argmax(stops - starts))
    return begin + int(starts[longest] + stops[longest] - 1) // 2
