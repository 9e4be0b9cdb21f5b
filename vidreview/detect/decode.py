"""Network output → detections: both layouts that YOLO models export, suppression of doubles, the class allow-list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidreview.errors import ModelError
from vidreview.kernels.boxes import iou_matrix
from vidreview.model import LABELS, Boxes, Detections

#: two boxes of one group that overlap this much are one object
DOUBLE_IOU = 0.6
#: a person or vehicle box that overlaps a better box of an animal this much is that animal
ANIMAL_IOU = 0.7
#: what else moves by itself before a camera, and is taken for a person or a car at night. Only these outrank a person
#: or vehicle that another box names at the same place: cars seen from above are also called phones and skateboards,
#: and those do not drive
ANIMALS = frozenset(("bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "animal"))
#: more candidates than this on one picture are noise; the best are kept
MOST_CANDIDATES = 1000

#: what stands in for a label where there is none
OTHER, ANIMAL = -1, -2

#: which labels stand for the same kind of object: a car is not also a truck, but a rider is not his bicycle
_GROUP = np.array([0 if label == "person" else 1 for label in LABELS], np.int16)


@dataclass(frozen=True, slots=True)
class ClassMap:
    """How a model's own classes become ``LABELS``."""

    #: (classes,) index into LABELS, or ANIMAL or OTHER for a class that never leaves (rule E7)
    label_of: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.label_of)


def class_map(names: Mapping[int, str] | Sequence[str]) -> ClassMap:
    """The map for a model's class names; raises ModelError where none of them is a person or a vehicle kind."""
    pairs = dict(names) if isinstance(names, Mapping) else dict(enumerate(names))
    if not pairs or sorted(pairs) != list(range(len(pairs))):
        raise ModelError("the model names no classes, or does not number them from 0; export it with its metadata")
    ids = {label: position for position, label in enumerate(LABELS)}
    ids |= {"motorbike": ids["motorcycle"], "pedestrian": ids["person"]}
    ids |= dict.fromkeys(ANIMALS, ANIMAL)
    label_of = np.array([ids.get(str(pairs[k]).strip().lower(), OTHER) for k in range(len(pairs))], np.int16)
    if (label_of < 0).all():
        raise ModelError(f"the model knows none of {', '.join(LABELS)}; it cannot find persons or vehicles")
    return ClassMap(label_of)


def candidates(
    output: NDArray[np.float32], classes: int, low_score: float
) -> tuple[Boxes, NDArray[np.float32], NDArray[np.int64]]:
    """Boxes (n, 4) xyxy in network pixels, scores and model classes of one picture's output, best first.

    ``output`` is (4 + classes, anchors) with centre, size and a score for each class (one-to-many head), or
    (rows, 6) with xyxy, score and class (end-to-end head). Raises ModelError for any other shape.
    """
    if output.ndim == 2 and output.shape[0] == 4 + classes:
        best = output[4:].max(axis=0)
        kept = np.flatnonzero(best >= low_score)
        scores, found = best[kept], output[4:, kept].argmax(axis=0)
        x, y, w, h = output[:4, kept]
        boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
    elif output.ndim == 2 and output.shape[1] == 6:
        kept = np.flatnonzero(output[:, 4] >= low_score)
        boxes, scores, found = output[kept, :4], output[kept, 4], output[kept, 5].astype(np.int64)
    else:
        raise ModelError(f"cannot read a detector's output of shape {output.shape} for {classes} classes")
    sound = np.isfinite(boxes).all(axis=1) & np.isfinite(scores) & (found >= 0) & (found < classes)
    boxes, scores, found = boxes[sound], scores[sound], found[sound]
    order = np.argsort(-scores, kind="stable")[:MOST_CANDIDATES]
    return boxes[order].astype(np.float32), scores[order].astype(np.float32), found[order]


def suppress(
    boxes: Boxes, labels: NDArray[np.int16], double_iou: float = DOUBLE_IOU, animal_iou: float = ANIMAL_IOU
) -> NDArray[np.int64]:
    """Positions of the persons and vehicles that stay, out of (n, 4) boxes of any class, ordered best first.

    A box goes when a better one of its group (persons; vehicles of any kind) overlaps it, or when a better box of an
    animal lies on the same place.
    """
    boxes, places = boxes[labels != OTHER], np.flatnonzero(labels != OTHER)
    group = np.where(labels[places] >= 0, _GROUP[labels[places]], ANIMAL)
    overlap = iou_matrix(boxes.astype(np.float64), boxes.astype(np.float64))
    alive = np.ones(len(boxes), bool)
    for k in range(len(boxes)):
        if alive[k]:
            of_animal = group[k] == ANIMAL
            hit = overlap[k] >= (animal_iou if of_animal else double_iou)
            hit &= of_animal | (group == group[k])
            hit[: k + 1] = False
            alive[hit] = False
    kept: NDArray[np.int64] = places[alive & (group != ANIMAL)]
    return kept


def decode(
    output: NDArray[np.float32],
    classes: ClassMap,
    low_score: float,
    scale: tuple[float, float],
    offset: tuple[int, int],
    size: tuple[int, int],
) -> Detections:
    """One picture's network output as detections in that picture's own pixels.

    ``scale`` is network pixels per picture pixel and ``offset`` the letterbox margin, both (x, y); ``size`` is the
    picture's (width, height), to which boxes are clipped.
    """
    boxes, scores, found = candidates(output, len(classes), low_score)
    boxes = ((boxes - np.array(offset * 2, np.float32)) / np.array(scale * 2, np.float32)).astype(np.float32)
    return select(boxes, scores, found, classes, size)


def select(
    boxes: Boxes, scores: NDArray[np.float32], found: NDArray[np.int64], classes: ClassMap, size: tuple[int, int]
) -> Detections:
    """Persons and vehicles, each once, out of boxes of all the model's classes, best first.

    ``boxes`` are xyxy in picture pixels, ``found`` the model's classes, ``size`` the picture's (width, height), to
    which boxes are clipped.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores, labels = boxes[order], scores[order], classes.label_of[found[order]]
    kept = suppress(boxes, labels)
    boxes = np.ascontiguousarray(boxes[kept], np.float32)
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, size[0])
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, size[1])
    inside = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    return Detections(boxes[inside], scores[kept][inside].astype(np.float32), labels[kept][inside].astype(np.int16))
