"""Joining the pieces of one object's course: a review is offline and may look ahead."""

from __future__ import annotations

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
        cost = np.full((len(waiting), len(after)), np.inf)
        for row, a in enumerate(waiting):
            for column, b in enumerate(after):
                if a is not b:
                    cost[row, column] = _cost(a, b, size)
        joined = assign(np.ascontiguousarray(np.where(np.isfinite(cost), cost, 1e6)), 1.0)
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


def _cost(a: Live, b: Live, size: tuple[int, int] | None) -> float:
    """How unlikely ``b`` is the continuation of ``a``: below 1 it may be, infinite when it cannot."""
    end_s, start_s = a.course.seconds[-1], b.course.seconds[0]
    gap = start_s - end_s
    if gap < -OVERLAP_S or gap > LONG_GAP_S or b.course.seconds[-1] <= end_s:
        return float("inf")
    if a.named and b.named and a.event_class != b.event_class:
        return float("inf")
    last, first = np.array(a.course.boxes[-1]), np.array(b.course.boxes[0])
    overlap = float(iou_matrix(last[None], first[None])[0, 0])
    if overlap >= 0.3 and _drift(a) < 0.3 and not at_edge(last, size):
        # it stood, and is found or moves off where it stood
        return (1.0 - overlap) + 0.2 * max(0.0, gap) / LONG_GAP_S
    if gap > (SHORT_GAP_S if a.named and b.named else BLOB_GAP_S):
        return float("inf")
    ratio = np.sqrt(np.prod(first[2:] - first[:2]) / max(1.0, float(np.prod(last[2:] - last[:2]))))
    loose = 1.67 if a.named and b.named else 2.5
    if not 1 / loose <= ratio <= loose:
        return float("inf")
    length = max(8.0, float((last[2:] - last[:2]).mean() + (first[2:] - first[:2]).mean()) / 2)
    # each must point at the other: one of them alone may do so by chance
    forward = _centre(last) + _velocity(a, -1) * gap - _centre(first)
    backward = _centre(first) - _velocity(b, 0) * gap - _centre(last)
    miss = (np.hypot(*forward) + np.hypot(*backward)) / 2 / length
    reach = 0.4 + 0.4 * max(0.0, gap)
    return float(miss / reach * 0.8 + 0.2 * max(0.0, gap) / SHORT_GAP_S)


def at_edge(box: Float, size: tuple[int, int] | None) -> bool:
    """True when a box reaches the picture's edge, within a hundredth of its size."""
    if size is None:
        return False
    margin_x, margin_y = max(2.0, 0.01 * size[0]), max(2.0, 0.01 * size[1])
    across = box[0] <= margin_x or box[2] >= size[0] - margin_x
    return bool(across or box[1] <= margin_y or box[3] >= size[1] - margin_y)


def _centre(box: Float) -> Float:
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def _velocity(track: Live, end: int) -> Float:
    """Pixels a second over the first (0) or last (-1) second of a course."""
    course = track.course
    seconds = course.seconds
    if end == 0:
        low, high = 0, int(np.searchsorted(seconds, seconds[0] + 1.0, side="right")) - 1
    else:
        low, high = int(np.searchsorted(seconds, seconds[-1] - 1.0)), len(seconds) - 1
    elapsed = seconds[high] - seconds[low]
    if elapsed < 0.2:
        return np.zeros(2)
    return (_centre(np.array(course.boxes[high])) - _centre(np.array(course.boxes[low]))) / elapsed


def _drift(track: Live) -> float:
    """Speed at the end of the course, in own sizes a second."""
    box = np.array(track.course.boxes[-1])
    size = max(8.0, float((box[2:] - box[:2]).mean()))
    return float(np.hypot(*_velocity(track, -1))) / size
