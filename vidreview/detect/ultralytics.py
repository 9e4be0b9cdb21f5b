"""The detector for every model that ultralytics loads: PyTorch weights, OpenVINO folders, TensorRT engines."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidreview.detect.cores import physical_cores
from vidreview.detect.decode import class_map, select
from vidreview.detect.offline import OFFLINE
from vidreview.detect.weights import hash_model
from vidreview.errors import ModelError
from vidreview.model import Detections, Pixels


class UltralyticsDetector:
    """Finds persons and vehicles through ultralytics, kept offline and quiet.

    ``size`` is the longest side that the network sees, ``low_score`` the weakest detection kept. Raises ModelError
    when the model cannot be loaded (naming the package that is missing), or is not a detector with named classes.
    A PyTorch file is a program: give only weights that you trust.
    """

    def __init__(self, path: Path, size: int = 640, low_score: float = 0.1, threads: int | None = None) -> None:
        self.sha256 = hash_model(path)
        self.name = path.name
        self.size = size
        self.low_score = low_score
        ultralytics, self._settings_folder = _import_offline()
        import torch

        torch.set_num_threads(threads or physical_cores())
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            self._model = ultralytics.YOLO(str(path.resolve()), task=None if path.suffix == ".pt" else "detect")
            # exported models are only opened when first used: a wrong one must fail here, not amid a scan
            first = self._predict([np.zeros((64, 64, 3), np.uint8)], 64)[0]
        except Exception as error:  # whatever the many runtimes behind ultralytics raise
            raise ModelError(f"ultralytics cannot load {path}: {_reason(error)}") from error
        if getattr(self._model, "task", None) != "detect" or first.boxes is None:
            raise ModelError(f"{path} is a model for {self._model.task}; vidreview needs one for task 'detect'")
        self._classes = class_map(first.names)
        self.runtime = f"ultralytics {ultralytics.__version__} torch {torch.__version__} {self._model.device}"

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """Boxes of each (height, width, 3) BGR picture, in that picture's pixels, best first.

        ``size`` overrides the longest side for this call.
        """
        found: list[Detections] = []
        for picture in pictures:  # one by one: what a picture shows must not depend on its neighbours' shapes
            try:
                result = self._predict([np.ascontiguousarray(picture)], size or self.size)[0]
            except Exception as error:  # whatever the many runtimes behind ultralytics raise
                raise ModelError(f"{self.name} failed on a picture of {picture.shape}: {_reason(error)}") from error
            boxes = result.boxes.data.cpu().numpy().astype(np.float32)
            height, width = picture.shape[:2]
            found.append(
                select(boxes[:, :4], boxes[:, 4], boxes[:, 5].astype(np.int64), self._classes, (width, height))
            )
        return found

    def _predict(self, pictures: list[Pixels], size: int) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # advice to programmers from half a dozen packages; results do not depend on it
            return self._model.predict(
                pictures, imgsz=size, conf=self.low_score, rect=True, max_det=1000, verbose=False, save=False
            )


def _import_offline() -> tuple[Any, tempfile.TemporaryDirectory[str]]:
    """ultralytics, told before its import to install nothing, send nothing and write its settings elsewhere."""
    folder = tempfile.TemporaryDirectory(prefix="vidreview-ultralytics-")
    os.environ.update(OFFLINE)
    os.environ.setdefault("YOLO_CONFIG_DIR", folder.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ultralytics
        from ultralytics.utils import events

    logging.getLogger("ultralytics").setLevel(logging.CRITICAL)
    events.events.enabled = False  # in case something imported it before us, while it could reach a network
    return ultralytics, folder


def _reason(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"the package {error.name} is not installed here"
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    # its messages begin with a sign and go on to list all it knows; one sentence is enough
    return re.sub(r"^\W*(?:ERROR\W+)?", "", first).split(". ")[0][:300]
