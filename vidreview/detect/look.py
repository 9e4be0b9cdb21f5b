"""One look of the detector at a frame: the whole picture, and closer at places it has not named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidreview.detect import Detector
from vidreview.kernels.boxes import iou_matrix
from vidreview.model import Boxes, Detections, Pixels

#: how many times as long a crop is as the thing in it, by turns: what one scale does not show, another may
CONTEXTS = (2.5, 1.4, 4.0)
#: degrees by which some crops are turned: from above there is no upright
TURN = 90
#: smallest side of a crop, pixels of the picture
SMALLEST_CROP = 64
#: longest side of what the detector is fed of a crop
CROP_SIZE = 320
#: two boxes that overlap this much are one finding
SAME = 0.5


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found, xyxy in pixels of the stored picture."""

    #: best first; of the frame and of the closer looks, each thing once
    detections: Detections
    #: (n,) True where a closer look found it
    closer: NDArray[np.bool_]


def look(
    detector: Detector, picture: Pixels, rotation: int, places: Sequence[tuple[Boxes, int]], *, whole: bool = True
) -> Look:
    """Detections in a stored BGR ``picture`` (height, width, 3) that players turn by ``rotation`` degrees clockwise.

    ``places`` are xyxy boxes in stored pixels that get a closer look each, and how many they had before: a crop in
    which small things are enlarged and large ones reduced (what the detector is fed is internal, rule D4). Only
    vehicles are believed in a crop that was turned: people are upright in any picture that shows them from the side.
    Without ``whole`` these are all that is looked at.
    """
    height, width = picture.shape[:2]
    found = [Detections.none()]
    if whole:
        found[0] = _turned_back(detector.detect([_upright(picture, rotation)])[0], rotation, width, height)
    windows = [(_window(box, context, width, height), (rotation + turn) % 360) for box, context, turn in _how(places)]
    crops = [_upright(picture[y1:y2, x1:x2], turn) for (x1, y1, x2, y2), turn in windows]
    if crops:
        seen = detector.detect(crops, size=CROP_SIZE)
        for (window, turn), inside in zip(windows, seen, strict=True):
            back = _turned_back(inside, turn, window[2] - window[0], window[3] - window[1])
            found.append(_placed(back if turn == rotation else _vehicles(back), window, width, height))
    return _merged(found)


def _how(places: Sequence[tuple[Boxes, int]]) -> Iterator[tuple[Boxes, float, int]]:
    """For each place its box, and context and turn of its crops: each time upright, every other time turned, too."""
    for box, before in places:
        yield box, CONTEXTS[before % len(CONTEXTS)], 0
        if before % 2:
            yield box, CONTEXTS[before // 2 % len(CONTEXTS)], TURN


def _upright(picture: Pixels, rotation: int) -> Pixels:
    """The picture as a player shows it."""
    turned: Pixels = np.ascontiguousarray(np.rot90(picture, -rotation // 90) if rotation else picture)
    return turned


def _window(box: Boxes, context: float, width: int, height: int) -> tuple[int, int, int, int]:
    """A square ``context`` times as long as ``box`` around it, moved into the picture, no larger than it."""
    side = max(SMALLEST_CROP, context * max(float(box[2] - box[0]), float(box[3] - box[1])))
    across, down = int(min(side, width)), int(min(side, height))
    x = int(min(max(0.0, float(box[0] + box[2]) / 2 - across / 2), width - across))
    y = int(min(max(0.0, float(box[1] + box[3]) / 2 - down / 2), height - down))
    return x, y, x + across, y + down


def _vehicles(found: Detections) -> Detections:
    kept = found.labels != 0
    return Detections(found.boxes[kept], found.scores[kept], found.labels[kept])


def _placed(found: Detections, window: tuple[int, int, int, int], width: int, height: int) -> Detections:
    """Detections of a crop in the picture's pixels, without those that the crop's own edge cuts."""
    x1, y1, x2, y2 = window
    boxes = found.boxes + np.array([x1, y1, x1, y1], np.float32)
    edge = np.float32(2.0)
    cut = (
        ((boxes[:, 0] < x1 + edge) & (x1 > 0))
        | ((boxes[:, 1] < y1 + edge) & (y1 > 0))
        | ((boxes[:, 2] > x2 - edge) & (x2 < width))
        | ((boxes[:, 3] > y2 - edge) & (y2 < height))
    )
    return Detections(boxes[~cut], found.scores[~cut], found.labels[~cut])


def _turned_back(found: Detections, rotation: int, width: int, height: int) -> Detections:
    """Boxes in a picture turned clockwise by ``rotation``, in the pixels of the (width, height) one before that."""
    x1, y1, x2, y2 = found.boxes.T
    if rotation == 90:
        boxes = np.stack([y1, height - x2, y2, height - x1], axis=1)
    elif rotation == 180:
        boxes = np.stack([width - x2, height - y2, width - x1, height - y1], axis=1)
    elif rotation == 270:
        boxes = np.stack([width - y2, x1, width - y1, x2], axis=1)
    else:
        return found
    return Detections(boxes.astype(np.float32), found.scores, found.labels)


def _merged(found: list[Detections]) -> Look:
    """All findings, best first; of two of one class group that overlap, the better."""
    boxes = np.concatenate([f.boxes for f in found])
    scores = np.concatenate([f.scores for f in found])
    labels = np.concatenate([f.labels for f in found])
    closer = np.concatenate([np.full(len(f), k > 0) for k, f in enumerate(found)])
    overlap = iou_matrix(boxes.astype(np.float64), boxes.astype(np.float64))
    person = labels == 0
    kept: list[int] = []
    for k in np.lexsort((np.arange(len(scores)), -scores)):
        rivals = [j for j in kept if person[j] == person[k] and (closer[j] or closer[k])]
        if not (overlap[k, rivals] >= SAME).any():
            kept.append(int(k))
    chosen = np.array(kept, np.int64)
    return Look(Detections(boxes[chosen], scores[chosen], labels[chosen]), closer[chosen])
