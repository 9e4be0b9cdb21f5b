"""The sample footage is what its truth says, and can be made again."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import av.error
import numpy as np
import pytest

SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vidreview_sample_generator", SAMPLES / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def _timed_lumas(name: str) -> tuple[list[float], list[np.ndarray[Any, Any]]]:
    """Seconds from the first frame, and every frame's luma at a quarter of its size, of what can be decoded."""
    seconds: list[float] = []
    lumas: list[np.ndarray[Any, Any]] = []
    with av.open(str(SAMPLES / name)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        try:
            for frame in container.decode(stream):
                assert frame.pts is not None
                seconds.append(float(frame.pts * stream.time_base))
                lumas.append(frame.to_ndarray(format="gray")[60::4, ::4].astype(np.int16))
        except av.error.FFmpegError:
            pass
    return [s - seconds[0] for s in seconds], lumas


def _moving_spans(name: str) -> list[tuple[float, float]]:
    """Where the picture below the clock differs from the empty street, found without any code of vidreview."""
    seconds, lumas = _timed_lumas(name)
    empty = np.median(np.stack(lumas[:20]), axis=0)
    moving = [s for s, luma in zip(seconds, lumas, strict=True) if np.count_nonzero(np.abs(luma - empty) > 24) > 4]
    spans: list[tuple[float, float]] = []
    for s in moving:
        if spans and s - spans[-1][1] < 1:
            spans[-1] = (spans[-1][0], s)
        else:
            spans.append((s, s))
    return spans


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.glob("street*")) <= 4 * 2**20


def test_the_scene_holds_what_it_promises(truth: dict[str, Any]) -> None:
    events = truth["street.mp4"]["events"]
    assert [e["class"] for e in events] == ["person", "vehicle", "person", "person", "person", "motion"]
    together = [(a, b) for a, b in pairwise(events) if b["start_s"] < a["end_s"]]
    assert len(together) == 1, "two people at once, one time"
    apart = [b["start_s"] - a["end_s"] for a, b in pairwise(events) if b["start_s"] >= a["end_s"]]
    assert min(apart) >= 6
    assert events[-1]["end_s"] <= 54


@pytest.mark.parametrize("name", ["street.mp4", "street_vfr.mkv", "street_truncated.mp4"])
def test_what_moves_in_the_pictures_is_what_the_truth_says(truth: dict[str, Any], name: str) -> None:
    expected: list[tuple[float, float]] = []
    for event in truth[name]["events"]:
        if expected and event["start_s"] < expected[-1][1]:
            expected[-1] = (expected[-1][0], max(expected[-1][1], event["end_s"]))
        else:
            expected.append((event["start_s"], event["end_s"]))
    assert np.allclose(_moving_spans(name), expected, atol=0.3)


def test_the_variable_rate_copy_is_variable_and_starts_late() -> None:
    with av.open(str(SAMPLES / "street_vfr.mkv")) as container:
        stream = container.streams.video[0]
        pts = [p.pts for p in container.demux(stream) if p.pts is not None]
        assert stream.time_base is not None
        assert float(pts[0] * stream.time_base) == pytest.approx(12.345)
    gaps = np.diff(sorted(pts))
    assert gaps.min() > 0
    assert gaps.max() >= 3 * gaps.min()


def test_the_truncated_copy_is_the_beginning_of_the_whole(truth: dict[str, Any]) -> None:
    whole, part = (SAMPLES / "street.mp4").read_bytes(), (SAMPLES / "street_truncated.mp4").read_bytes()
    assert 0.4 * len(whole) < len(part) < 0.8 * len(whole)
    assert whole.startswith(part)
    seconds, _ = _timed_lumas("street_truncated.mp4")
    assert abs(len(seconds) - truth["street_truncated.mp4"]["frames"]) <= 2
    with av.open(str(SAMPLES / "street_truncated.mp4")) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(60, abs=0.1)


def test_the_frames_and_the_truth_can_be_made_again(truth: dict[str, Any], generator: ModuleType) -> None:
    cast = generator.actors()
    shown: list[list[int]] = [[] for _ in cast]
    digest = hashlib.sha256()
    for picture in generator.frames(cast, shown):
        digest.update(picture.tobytes())
    assert digest.hexdigest() == truth["frames_sha256"]
    even = {k: k / generator.RATE for k in range(generator.FRAMES)}
    assert generator._events(cast, shown, even) == truth["street.mp4"]["events"]
    times = {k: (ms - generator.VFR_START_MS) / 1000 for k, ms in generator.irregular_times().items()}
    assert generator._events(cast, shown, times) == truth["street_vfr.mkv"]["events"]


def test_the_script_explains_itself_without_arguments(generator: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    with pytest.raises(SystemExit, match="usage"):
        generator.main()
