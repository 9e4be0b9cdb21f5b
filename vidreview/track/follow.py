"""Detections of a whole sequence, without pictures, into tracks: it may look ahead as far as it likes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels import follow as kernels
from vidreview.model import CLASS_OF_LABEL, LABELS, Detections, Point, Track

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

#: a course is a track when it has so many detections, over so many seconds, on this share of its frames at least
LEAST_DETECTIONS, LEAST_S, LEAST_SHARE = 3, 0.5, 0.4


def follow(frames: dict[int, Detections], fps: float, high_score: float, low_score: float) -> list[Track]:
    """Tracks over detections by frame number: frame k is at k / ``fps`` seconds; boxes are smoothed over their course.

    ``high_score`` begins a track, and is what its detections must reach on average; those below ``low_score`` are not
    used. Tracks of fewer detections, shorter or sparser than the limits above are left out. By time of beginning.
    """
    numbers, found = _columns(frames, low_score)
    if not len(numbers):
        return []
    boxes = _centred(found.boxes)
    scores = found.scores.astype(np.float64)
    each, starts = np.unique(numbers, return_index=True)
    of = kernels.chain(boxes, scores, np.append(starts, len(numbers)), each / fps, 1.0 / fps, high_score)
    order, limits = _grouped(of)
    while True:
        following = kernels.join(boxes[order], numbers[order] / fps, limits, 1.0 / fps)
        if (following < 0).all():
            break
        of = _joined(of, following)
        order, limits = _grouped(of)
    tracks = []
    for first, last in pairwise(limits):
        mine = order[first:last]
        span = int(numbers[mine[-1]] - numbers[mine[0]])
        enough = len(mine) >= LEAST_DETECTIONS and len(mine) >= LEAST_SHARE * (span + 1)
        if enough and span / fps >= LEAST_S and scores[mine].mean() >= high_score:
            tracks.append(_track(numbers[mine], boxes[mine], found, mine, fps))
    return tracks


def _columns(frames: dict[int, Detections], low_score: float) -> tuple[Whole, Detections]:
    """Frame number of each detection that is used, and the detections, by frame."""
    wanted = [number for number in sorted(frames) if len(frames[number].scores)]
    if not wanted:
        return np.zeros(0, np.int64), Detections.none()
    numbers = np.repeat(np.array(wanted, np.int64), [len(frames[n].scores) for n in wanted])
    scores = np.concatenate([frames[n].scores for n in wanted])
    used = scores >= low_score
    boxes = np.concatenate([frames[n].boxes for n in wanted])
    labels = np.concatenate([frames[n].labels for n in wanted])
    return numbers[used], Detections(boxes[used], scores[used], labels[used])


def _centred(boxes: NDArray[np.float32]) -> Float:
    """Boxes xyxy as centre, width and height."""
    wide = boxes.astype(np.float64)
    return np.ascontiguousarray(np.hstack([(wide[:, :2] + wide[:, 2:]) / 2, wide[:, 2:] - wide[:, :2]]))


def _grouped(of: Whole) -> tuple[Whole, Whole]:
    """Detections by chain and time, and where each chain begins among them; chains by their first detection."""
    order = np.argsort(of, kind="stable")
    order = order[np.searchsorted(of[order], 0) :]
    limits = np.flatnonzero(np.diff(of[order], prepend=-1))
    return order, np.append(limits, len(order))


def _joined(of: Whole, following: Whole) -> Whole:
    """The chain of each detection when every chain has taken the number of the one that it continues."""
    names = np.unique(of[of >= 0])
    root = np.arange(len(names))
    # a chain begins after the one it continues, so that the latter has its number already
    for chain, after in sorted(enumerate(following)):
        if after >= 0:
            root[after] = root[chain]
    new = np.full(len(of), -1, np.int64)
    new[of >= 0] = names[root[np.searchsorted(names, of[of >= 0])]]
    return new


def _track(numbers: Whole, boxes: Float, found: Detections, mine: Whole, fps: float) -> Track:
    """One object's track, a point on every frame from its first detection to its last."""
    course = np.empty((int(numbers[-1] - numbers[0]) + 1, 4))
    kernels.smooth(numbers, boxes, 1.0 / fps, course)
    half = np.maximum(course[:, 2:], 1.0) / 2
    corners = np.hstack([course[:, :2] - half, course[:, :2] + half]).tolist()
    scores = found.scores[mine].astype(np.float64)
    points: list[Point] = []
    votes = {LABELS[k]: float(scores[found.labels[mine] == k].sum()) for k in np.unique(found.labels[mine])}
    label = max(votes, key=lambda name: votes[name])
    for k, number in enumerate(numbers.tolist()):
        for n in range(points[-1].frame + 1 if points else number, number):
            x1, y1, x2, y2 = corners[n - numbers[0]]
            points.append(Point(n, n, n / fps, (x1, y1, x2, y2), "interpolated"))
        x1, y1, x2, y2 = corners[number - numbers[0]]
        points.append(Point(number, number, number / fps, (x1, y1, x2, y2), "detected", float(scores[k]), label))
    return Track(CLASS_OF_LABEL[label], label, tuple(points), float(scores.mean()), len(mine))
