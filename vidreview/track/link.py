"""Joining the pieces of one object's course: a review is offline and may look ahead."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels.assign import assign
from vidreview.kernels.boxes import iou_matrix
from vidreview.track.live import Live

Float = NDArray[np.float64]

#: longest gap over which a moving object is joined, seconds
SHORT_GAP_S = 3.0
#: the same where the detector named one of the two or neither: a blob is a vaguer witness
BLOB_GAP_S = 1.2
#: longest gap over which something that stood is joined to what is found or moves off at the same place, seconds
LONG_GAP_S = 30.0
#: what is to be joined over a long gap must have stood there for so long, seconds
STOOD_S = 2.0
#: slower than this, in own sizes a second, it stands
STILL = 0.3
#: boxes that overlap this much are in one place
SAME_PLACE = 0.3
#: pieces may overlap by this much, seconds
OVERLAP_S = 0.3


def link(held: list[Live], live: list[Live], seconds: float, size: tuple[int, int] | None) -> list[Live]:
    """Join ended tracks to those that continue them, ended or live; returns the ended ones that are left.

    A track is joined once ``SHORT_GAP_S`` has passed since its end, so that every candidate has begun; the pairs of
    least cost win. ``live`` tracks take the history of what they continue. ``size`` is the picture's width and height.
    """
    waiting = [t for t in held if t.course.seconds[-1] < seconds - SHORT_GAP_S]
    while waiting:
        after = [t for t in held + live if t.course.seconds]
        joined = assign(_costs(waiting, after, size), 1.0)
        if (joined < 0).all():
            break
        # in a chain a→b→c, b must have taken a's history before c takes b's
        order = sorted((r for r in range(len(waiting)) if joined[r] >= 0), key=lambda r: waiting[r].course.seconds[0])
        gone: set[int] = set()
        for row in order:
            a, b = waiting[row], after[joined[row]]
            b.take_history(a)
            gone.add(a.key)
        held = [t for t in held if t.key not in gone]
        waiting = [t for t in waiting if t.key not in gone]
    return held


def _costs(waiting: list[Live], after: list[Live], size: tuple[int, int] | None) -> Float:
    """How unlikely each of ``after`` continues each of ``waiting``: below 1 it may, 1e6 when it cannot."""
    end_s, begin_s = _column(waiting, lambda t: t.course.seconds[-1]), _column(waiting, lambda t: t.course.seconds[0])
    starts, ends = _column(after, lambda t: t.course.seconds[0]), _column(after, lambda t: t.course.seconds[-1])
    gap = starts[None] - end_s[:, None]
    last = np.array([t.course.boxes[-1] for t in waiting])
    first = np.array([t.course.boxes[0] for t in after])
    leaving = np.array([_velocity(t, -1) for t in waiting])
    coming = np.array([_velocity(t, 0) for t in after])
    kinds = [np.array([t.event_class if t.named else "" for t in tracks]) for tracks in (waiting, after)]
    both_named = (kinds[0] != "")[:, None] & (kinds[1] != "")[None]
    possible = (gap >= -OVERLAP_S) & (ends[None] > end_s[:, None])
    possible &= np.array([[a is not b for b in after] for a in waiting])
    possible &= ~both_named | (kinds[0][:, None] == kinds[1][None])
    # nothing is known to go on over a break of the recording
    possible &= np.array([t.part for t in waiting])[:, None] == np.array([t.part for t in after])[None]

    # it stood, and is found or moves off where it stood
    drift = np.hypot(*leaving.T) / np.maximum(8.0, (last[:, 2:] - last[:, :2]).mean(axis=1))
    inside = np.array([not at_edge(box, size) for box in last])
    stands = (drift < STILL) & inside
    long = np.where(stands & (end_s - begin_s >= STOOD_S), LONG_GAP_S, SHORT_GAP_S)
    overlap = iou_matrix(last, first)
    here = possible & stands[:, None] & (overlap >= SAME_PLACE) & (gap <= long[:, None])

    # it went on as it was going: each must point at the other, one of them alone may do so by chance
    areas = [np.maximum(1.0, np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)) for boxes in (last, first)]
    ratio = np.abs(np.log(areas[1][None] / areas[0][:, None])) / 2
    way = _centres(first)[None] - _centres(last)[:, None]
    forward = np.linalg.norm(way - leaving[:, None] * gap[..., None], axis=2)
    backward = np.linalg.norm(way - coming[None] * gap[..., None], axis=2)
    sizes = [(boxes[:, 2:] - boxes[:, :2]).mean(axis=1) for boxes in (last, first)]
    miss = (forward + backward) / 2 / np.maximum(8.0, (sizes[0][:, None] + sizes[1][None]) / 2)
    late = np.maximum(0.0, gap)
    on = possible & (gap <= np.where(both_named, SHORT_GAP_S, BLOB_GAP_S))
    on &= ratio <= np.log(np.where(both_named, 1.67, 2.5))
    cost = np.where(on, 0.8 * miss / (0.4 + 0.4 * late) + 0.2 * late / SHORT_GAP_S, 1e6)
    return np.ascontiguousarray(np.where(here, (1.0 - overlap) + 0.2 * late / LONG_GAP_S, cost))


def _column(tracks: list[Live], value: Callable[[Live], float]) -> Float:
    return np.array([value(t) for t in tracks])


def at_edge(box: Float, size: tuple[int, int] | None) -> bool:
    """True when a box reaches the picture's edge, within a hundredth of its size."""
    if size is None:
        return False
    margin_x, margin_y = max(2.0, 0.01 * size[0]), max(2.0, 0.01 * size[1])
    across = box[0] <= margin_x or box[2] >= size[0] - margin_x
    return bool(across or box[1] <= margin_y or box[3] >= size[1] - margin_y)


def _centres(boxes: Float) -> Float:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _velocity(track: Live, end: int) -> tuple[float, float]:
    """Pixels a second over the first (0) or last (-1) second of a course."""
    seconds, boxes = track.course.seconds, track.course.boxes
    if end == 0:
        low, high = 0, bisect_right(seconds, seconds[0] + 1.0) - 1
    else:
        low, high = bisect_left(seconds, seconds[-1] - 1.0), len(seconds) - 1
    elapsed = seconds[high] - seconds[low]
    if elapsed < 0.2:
        return 0.0, 0.0
    (x1, y1, x2, y2), (u1, v1, u2, v2) = boxes[low], boxes[high]
    return (u1 + u2 - x1 - x2) / 2 / elapsed, (v1 + v2 - y1 - y2) / 2 / elapsed
