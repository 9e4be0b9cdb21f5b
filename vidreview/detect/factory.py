"""Chooses the detector for what ``--model`` names."""

from __future__ import annotations

from pathlib import Path

from vidreview.detect import Detector
from vidreview.detect.weights import resolve_model
from vidreview.settings import ScanSettings


def load_detector(spec: str | Path | None, settings: ScanSettings, threads: int | None = None) -> Detector:
    """The detector for a known name, a model file or folder, or None for the default one.

    ONNX runs on ONNX Runtime directly, everything else through ultralytics. Raises ModelError when the model is
    missing, is not the one that was recorded, or cannot be run.
    """
    path = resolve_model(None if spec is None else str(spec))
    if path.suffix.lower() == ".onnx":
        from vidreview.detect.onnx import OnnxDetector

        return OnnxDetector(path, settings.detect_size, settings.low_score, threads)
    from vidreview.detect.ultralytics import UltralyticsDetector

    return UltralyticsDetector(path, settings.detect_size, settings.low_score)
