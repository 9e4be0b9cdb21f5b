"""`vidreview doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result

Cli = Callable[..., Result]


@pytest.mark.model
def test_all_is_well_here(cli: Cli, model_path: Path) -> None:
    done = cli("doctor")
    assert done.status == 0, done.out
    assert done.out.endswith("self-test passed\n")
    for part in ("python: 3.", "onnxruntime: ", "libavcodec ", "h264", str(model_path), "CPUExecutionProvider"):
        assert part in done.out


@pytest.mark.model
def test_json(cli: Cli, model_path: Path) -> None:
    done = cli("doctor", "--json")
    facts = json.loads(done.out)
    assert facts["passed"] is True
    assert set(facts["self_test"].values()) == {"passed"}
    assert facts["model"]["state"] == "installed, as recorded"
    assert len(facts["model"]["sha256"]) == 64
    assert facts["machine"]["cores_used"] >= 1
    assert {"h264", "hevc", "mjpeg", "mpeg4"} <= set(facts["ffmpeg"]["decoders"])
    assert facts["versions"]["av"] != "not installed"


def test_without_a_model_it_fails_and_says_what_to_run(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDREVIEW_DATA", str(tmp_path))
    done = cli("doctor")
    assert done.status == 1
    assert "state: the detector yolo26n is not installed here: run `vidreview model fetch yolo26n`" in done.out
    assert done.out.endswith("self-test failed: detector\n")
    assert "block means (numba): passed" in done.out


def test_a_broken_part_is_named(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    def broken(*given: object, **more: object) -> object:
        raise RuntimeError("no such instruction")

    monkeypatch.setenv("VIDREVIEW_DATA", str(tmp_path))
    monkeypatch.setattr(cv2, "resize", broken)
    facts = json.loads(cli("doctor", "--json").out)
    assert facts["passed"] is False
    assert facts["self_test"]["resize (OpenCV)"] == "failed: RuntimeError: no such instruction"
    assert facts["self_test"]["encode and decode (PyAV)"] == "passed"


@pytest.mark.model
def test_torch_and_ultralytics_are_named_without_being_imported(model_path: Path) -> None:
    program = (
        "import sys; from vidreview.cli import run; status = run(['doctor', '--json']); "
        "sys.stderr.write(str([m for m in ('torch', 'ultralytics') if m in sys.modules])); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert done.stderr == "[]"
    assert json.loads(done.stdout)["versions"]["ultralytics"][0].isdigit()


def test_cores_are_counted_within_reason() -> None:
    import os

    from vidreview.detect.cores import physical_cores

    assert 1 <= physical_cores() <= (os.cpu_count() or 1)
