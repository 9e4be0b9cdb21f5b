"""Under everything that disturbs a camera the gate still sees who walks, and does not fire all the time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.disturbances import FOUND, LENGTH_S, WALKERS, Disturbance, disturbances
from tests.films import RedDetector
from tests.scenes import Scene, Walker
from tests.test_pipeline import look_up
from vidreview.model import Detections, Pixels
from vidreview.pipeline import scan
from vidreview.settings import ScanSettings


@pytest.mark.parametrize("one", list(disturbances()), ids=lambda one: one.name)
def test_people_are_found_and_the_gate_rests(one: Disturbance) -> None:
    assert min(one.seen()) >= FOUND
    assert one.false_share() <= one.most_false


def test_a_disturbance_is_to_be_seen() -> None:
    """Else its figures would be those of a scene in which there is nothing."""
    quiet = {fps: [luma for luma, _ in Scene(length_s=LENGTH_S, fps=fps).frames()] for fps in (10.0, 25.0)}
    for one in list(disturbances())[1:]:
        pairs = zip(quiet[one.scene.fps], one.scene.frames(), strict=True)
        assert max(int(np.abs(a.astype(np.int16) - b).max()) for a, (b, _) in pairs) >= 5, one.name
    assert len({walker.tall for walker in WALKERS}) == 3


def recorded(path: Path, scene: Scene) -> Path:
    """The scene as an H.264 file."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(scene.fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "26", "g": "50"}
        for number, (luma, _) in enumerate(scene.frames()):
            grey = np.full((scene.height * 3 // 2, scene.width), 128, np.uint8)
            grey[: scene.height] = luma
            frame = av.VideoFrame.from_ndarray(grey, "yuv420p")
            frame.pts, frame.time_base = number, 1 / Fraction(scene.fps).limit_denominator(1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class Blind(RedDetector):
    """Knows nobody: at this size no detector does."""

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        return [Detections.none() for _ in pictures]


@pytest.mark.parametrize("order", ["time", "best-first"])
def test_a_person_sixteen_pixels_tall_on_a_quiet_street_is_an_event(tmp_path: Path, order: str) -> None:
    tiny = Walker(x=600, feet=500, tall=16, speed=13, from_s=6, to_s=14)
    (tmp_path / "evidence").mkdir()
    path = recorded(tmp_path / "evidence" / "street.mp4", Scene(1280, 720, length_s=20, noise=1.5, things=[tiny]))
    more: dict[str, Any] = {"best_first": order == "best-first"}
    scan([path], tmp_path / "case", ScanSettings(), detector=Blind(), **more)
    (event,) = look_up(tmp_path / "case")["events"]
    assert event["class"] == "motion"
    assert event["start_s"] == pytest.approx(6.0, abs=1.0)
    assert event["end_s"] == pytest.approx(14.0, abs=1.0)
