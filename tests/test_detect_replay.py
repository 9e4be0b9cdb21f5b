"""Recorded detections given back."""

from __future__ import annotations

import numpy as np
import pytest

from vidreview.detect import Detector
from vidreview.detect.replay import RecordingDetector, ReplayDetector, picture_digest
from vidreview.errors import ModelError
from vidreview.model import Detections, Pixels


def one(score: float) -> Detections:
    return Detections(np.array([[1, 2, 3, 4]], np.float32), np.array([score], np.float32), np.array([0], np.int16))


def picture(value: int, shape: tuple[int, int] = (4, 6)) -> Pixels:
    return np.full((*shape, 3), value, np.uint8)


def test_in_order() -> None:
    detector: Detector = ReplayDetector([one(0.1), one(0.2), one(0.3)])
    first = detector.detect([picture(0), picture(0)])
    assert [float(d.scores[0]) for d in first] == pytest.approx([0.1, 0.2])
    assert float(detector.detect([picture(9)])[0].scores[0]) == pytest.approx(0.3)
    with pytest.raises(ModelError, match="holds 3 pictures; picture 4"):
        detector.detect([picture(0)])


def test_by_picture() -> None:
    detector = ReplayDetector({picture_digest(picture(1)): one(0.1), picture_digest(picture(2)): one(0.2)})
    assert [float(d.scores[0]) for d in detector.detect([picture(2), picture(1)])] == pytest.approx([0.2, 0.1])
    with pytest.raises(ModelError, match="does not hold this picture"):
        detector.detect([picture(3)])


def test_a_recording_repeats_the_run() -> None:
    recorder = RecordingDetector(ReplayDetector([one(0.1), one(0.2)], name="yolo", sha256="ab"))
    seen = recorder.detect([picture(1), picture(2)])
    again = ReplayDetector(recorder.recorded, recorder.name, recorder.sha256)
    repeated = again.detect([picture(2), picture(1)])
    assert repeated == [seen[1], seen[0]]
    assert (again.name, again.sha256) == ("yolo", "ab")


def test_the_digest_tells_shapes_apart_and_ignores_memory_layout() -> None:
    assert picture_digest(picture(0, (4, 6))) != picture_digest(picture(0, (6, 4)))
    wide = np.arange(4 * 12 * 3, dtype=np.uint8).reshape(4, 12, 3)
    assert picture_digest(wide[:, ::2]) == picture_digest(np.ascontiguousarray(wide[:, ::2]))


def test_different_recordings_have_different_hashes() -> None:
    assert ReplayDetector([one(0.1)]).sha256 != ReplayDetector([one(0.2)]).sha256
    assert ReplayDetector([one(0.1)]).sha256 == ReplayDetector([one(0.1)]).sha256
