"""Picture → boxes, scores, labels: one interface, one file per runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vidreview.model import Detections, Pixels


class Detector(Protocol):
    """Finds persons and vehicles in pictures."""

    #: what it is, for the record: "yolo26n.onnx"
    name: str
    #: of the weights it runs
    sha256: str
    #: "onnxruntime 1.32.0 CPUExecutionProvider"
    runtime: str

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """Boxes of each (height, width, 3) BGR picture, in that picture's pixels, best first.

        ``size`` overrides the longest side that the network sees, for this call. Scores go down to the detector's
        own low threshold; labels are ids of ``model.LABELS`` only (rule E7).
        """
        ...
