"""Where an object was between two detections, once both are known: a review is offline and may look ahead.

A detection says where the whole object is; a blob only where something of it moved: it may be an arm, or the shadow,
too. So between two detections the object is laid on the straight line from one to the other, and what the blobs said of
its way, shifted so that it begins and ends with them, counts by how little the line is known there. A velocity that
changes at random by ``AGILITY`` leaves a line over T seconds uncertain, s seconds along, by

    AGILITY · sqrt((s · (T − s) / T)³ / 3)

own sizes (the bridge of an integrated Wiener process, end velocities unknown); a blob by ``BLOB_ERROR``. The two are
weighed by the inverse of their squares.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vidreview.track.live import AGILITY, BLOB_ERROR, Course

Float = NDArray[np.float64]


def settled(course: Course) -> list[tuple[float, float, float, float]]:
    """The boxes of a course, xyxy, those between two detections laid by both; all others are as they were."""
    boxes = np.array(course.boxes, dtype=np.float64)
    at = np.array(course.seconds, dtype=np.float64)
    found = [k for k, source in enumerate(course.sources) if source == "detected"]
    for first, last in pairwise(found):
        if last - first > 1:
            moved = [k for k in range(first + 1, last) if course.sources[k] == "motion"]
            boxes[first + 1 : last] = _between(at[first : last + 1], boxes[first : last + 1], np.array(moved) - first)
    return [(float(x1), float(y1), float(x2), float(y2)) for x1, y1, x2, y2 in boxes]


def _between(at: Float, boxes: Float, moved: NDArray[np.intp]) -> Float:
    """Boxes (n − 2, 4) of the points between the first and the last of ``at`` (n); ``moved`` were seen by the gate."""
    length = at[-1] - at[0]
    if length <= 0:
        return boxes[1:-1]
    share = ((at - at[0]) / length)[:, None]
    line: Float = (1 - share) * boxes[0] + share * boxes[-1]
    if not len(moved):
        return line[1:-1]
    shift = (1 - share) * (boxes[0] - boxes[moved[0]]) + share * (boxes[-1] - boxes[moved[-1]])
    doubt = AGILITY**2 * (share * (1 - share) * length) ** 3 / 3
    weight = doubt / (doubt + BLOB_ERROR**2)
    laid = line + weight * (boxes + shift - line)
    known = np.concatenate([[0], moved, [len(at) - 1]])
    laid[0], laid[-1] = boxes[0], boxes[-1]
    return np.stack([np.interp(at[1:-1], at[known], laid[known, side]) for side in range(4)], axis=1)
