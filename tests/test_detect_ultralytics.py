"""The ultralytics detector, each time in a process of its own: torch is large, and settings are read at import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidreview.detect.weights import model_record

PROGRAM = """
import json, logging, os, sys
from pathlib import Path
from importlib.util import find_spec
import cv2
import numpy as np
from vidreview.detect.factory import load_detector
from vidreview.errors import ModelError
from vidreview.settings import ScanSettings

picture = cv2.imread(str(Path(find_spec("ultralytics").submodule_search_locations[0]) / "assets" / "bus.jpg"))
answers = []
for path in sys.argv[1:]:
    try:
        detector = load_detector(path, ScanSettings())
        found = detector.detect([picture, picture[:300]])
        answers.append({"kind": type(detector).__name__, "runtime": detector.runtime, "sha256": detector.sha256,
            "boxes": found[0].boxes.tolist(), "labels": found[0].labels.tolist(), "scores": found[0].scores.tolist(),
            "second": len(found[1])})
    except ModelError as error:
        answers.append({"error": str(error)})
events = sys.modules["ultralytics"].utils.events.events
print(json.dumps({"answers": answers, "reports": events.enabled, "torch": "torch" in sys.modules}))
"""


@pytest.mark.model
def test_weights_give_what_the_export_gives_and_bad_models_one_line(model_path: Path, tmp_path: Path) -> None:
    record = model_record(model_path)
    assert record is not None
    weights = model_path.with_name(record.weights_file)
    text, folder, home = tmp_path / "notes.pt", tmp_path / "x_openvino_model", tmp_path / "home"
    text.write_text("not a model")
    folder.mkdir()
    (folder / "x.xml").write_text("<x/>")
    home.mkdir()
    hidden = ("CI", "PYTEST", "ORT_", "YOLO_", "XDG_")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(weights), str(model_path), str(text), str(folder), str(tmp_path / "empty")],
        env={k: v for k, v in os.environ.items() if not k.startswith(hidden)} | {"HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # and nothing else was printed
    through, direct, *bad = result["answers"]
    assert (through["kind"], direct["kind"]) == ("UltralyticsDetector", "OnnxDetector")
    assert through["sha256"] == record.weights_sha256
    assert "ultralytics" in through["runtime"]
    assert through["labels"] == direct["labels"]
    assert through["second"] == direct["second"]
    assert through["scores"] == pytest.approx(direct["scores"], abs=0.01)
    for one, other in zip(through["boxes"], direct["boxes"], strict=True):
        assert one == pytest.approx(other, abs=1.5)
    assert "notes.pt" in bad[0]["error"]
    assert "x_openvino_model" in bad[1]["error"]
    assert "vidreview model fetch" in bad[2]["error"]
    assert not any("\n" in answer["error"] for answer in bad)
    assert result["reports"] is False
    assert list(home.rglob("*")) == [], "ultralytics or a runtime wrote to the home folder"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "notes.pt", "x_openvino_model"]
