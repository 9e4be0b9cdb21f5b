"""The ONNX Runtime detector: on models made by hand, and on YOLO26n itself."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from vidreview.detect import Detector
from vidreview.detect.factory import load_detector
from vidreview.detect.onnx import OnnxDetector
from vidreview.errors import ModelError
from vidreview.model import LABELS, Detections, Pixels
from vidreview.settings import ScanSettings

NAMES = "{0: 'person', 1: 'car', 2: 'dog'}"
GOOD = {"task": "detect", "names": NAMES, "stride": "32"}


def write_model(
    path: Path,
    output: NDArray[np.float32],
    metadata: dict[str, str] | None = None,
    shape: tuple[Any, ...] = ("batch", 3, "height", "width"),
) -> Path:
    """A model that answers ``output`` to every picture (and fails when its input is not what it takes)."""
    batch = helper.make_node("Shape", ["images"], ["n"], start=0, end=1)
    tail = helper.make_node("Concat", ["n", "rest"], ["full"], axis=0)
    expand = helper.make_node("Expand", ["answer", "full"], ["output0"])
    graph = helper.make_graph(
        [batch, tail, expand],
        "made-by-hand",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [None] * (output.ndim + 1))],
        [
            numpy_helper.from_array(output[None], "answer"),
            numpy_helper.from_array(np.array(output.shape, np.int64), "rest"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, GOOD if metadata is None else metadata)
    onnx.save(model, path)
    return path


def person_raw() -> NDArray[np.float32]:
    """A person at 100..140 × 100..200 of the network's input, and a dog elsewhere."""
    output = np.zeros((7, 50), np.float32)
    output[:, 7] = (120, 150, 40, 100, 0.8, 0.1, 0.2)
    output[:, 9] = (400, 150, 40, 100, 0.3, 0.1, 0.7)
    return output


def grey(height: int, width: int) -> Pixels:
    return np.full((height, width, 3), 114, np.uint8)


def test_boxes_come_back_in_the_pictures_own_pixels(tmp_path: Path) -> None:
    detector: Detector = OnnxDetector(write_model(tmp_path / "m.onnx", person_raw()))
    big, same, tall = detector.detect([grey(720, 1280), grey(384, 640), grey(640, 320)])
    assert big.boxes.tolist() == [[200, 176, 280, 376]]  # twice the network's, less the margin of 12 rows
    assert same.boxes.tolist() == [[100, 100, 140, 200]]
    assert tall.boxes.tolist() == [[100, 100, 140, 200]]
    assert [LABELS[label] for label in big.labels] == ["person"]
    assert float(big.scores[0]) == pytest.approx(0.8)


def test_size_can_be_given_by_call(tmp_path: Path) -> None:
    detector = OnnxDetector(write_model(tmp_path / "m.onnx", person_raw()))
    assert detector.detect([grey(640, 640)], size=320)[0].boxes.tolist() == [[200, 200, 280, 400]]
    assert detector.detect([grey(640, 640)])[0].boxes.tolist() == [[100, 100, 140, 200]]


def test_no_pictures_give_no_answers(tmp_path: Path) -> None:
    assert OnnxDetector(write_model(tmp_path / "m.onnx", person_raw())).detect([]) == []


def test_the_record_names_model_hash_and_runtime(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", person_raw())
    detector = OnnxDetector(path)
    assert detector.name == "m.onnx"
    assert detector.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert detector.runtime.startswith("onnxruntime ")
    assert detector.runtime.endswith("ExecutionProvider")


def test_a_model_of_fixed_shape_is_fed_that_shape(tmp_path: Path) -> None:
    detector = OnnxDetector(write_model(tmp_path / "m.onnx", person_raw(), shape=(1, 3, 640, 640)))
    two = detector.detect([grey(360, 640), grey(720, 1280)])
    assert [found.boxes.tolist() for found in two] == [[[100, 0, 140, 60]], [[200, 0, 280, 120]]]


def test_low_score_is_the_detectors_own_limit(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", person_raw())
    assert len(OnnxDetector(path, low_score=0.8).detect([grey(640, 640)])[0]) == 1
    assert len(OnnxDetector(path, low_score=0.81).detect([grey(640, 640)])[0]) == 0


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ({}, "task 'detect'"),
        ({"task": "segment", "names": NAMES}, "a model for segment"),
        ({"task": "detect"}, "does not name its classes"),
        ({"task": "detect", "names": "os.remove('x')"}, "does not name its classes"),
        ({"task": "detect", "names": "7"}, "does not name its classes"),
        ({"task": "detect", "names": "{0: 'apple'}"}, "cannot find persons or vehicles"),
    ],
)
def test_models_that_are_no_detectors_are_refused(tmp_path: Path, metadata: dict[str, str], complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        OnnxDetector(write_model(tmp_path / "m.onnx", person_raw(), metadata))


def test_other_inputs_and_outputs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="exactly 4 pictures"):
        OnnxDetector(write_model(tmp_path / "four.onnx", person_raw(), shape=(4, 3, 640, 640)))
    with pytest.raises(ModelError, match="not a YOLO detector"):
        OnnxDetector(write_model(tmp_path / "flat.onnx", person_raw(), shape=(1, 640)))
    with pytest.raises(ModelError, match=r"output of shape \(1, 50\)"):
        OnnxDetector(write_model(tmp_path / "out.onnx", person_raw()[4])).detect([grey(64, 64)])


def test_a_file_that_is_no_model_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "notes.onnx"
    for content in (b"", b"some text", os.urandom(4000)):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"notes\.onnx") as caught:
            OnnxDetector(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match="cannot read the model"):
        OnnxDetector(tmp_path / "missing.onnx")


def test_pictures_of_the_wrong_kind_are_refused(tmp_path: Path) -> None:
    detector = OnnxDetector(write_model(tmp_path / "m.onnx", person_raw()))
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(ModelError):
            detector.detect([wrong])  # type: ignore[list-item]


def test_the_factory_takes_paths_and_settings(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", person_raw())
    detector = load_detector(str(path), ScanSettings(detect_size=320, low_score=0.05))
    assert isinstance(detector, OnnxDetector)
    assert (detector.size, detector.low_score) == (320, 0.05)
    with pytest.raises(ModelError, match="vidreview model fetch"):
        load_detector(tmp_path / "none.onnx", ScanSettings())


# ---- YOLO26n itself ----


@pytest.fixture(scope="module")
def yolo(model_path: Path) -> OnnxDetector:
    return OnnxDetector(model_path)


@pytest.fixture(scope="module")
def bus() -> Pixels:
    spec = find_spec("ultralytics")
    assert spec is not None and spec.submodule_search_locations
    picture = cv2.imread(str(Path(spec.submodule_search_locations[0]) / "assets" / "bus.jpg"))
    assert picture is not None
    return np.asarray(picture, np.uint8)


def same(a: Detections, b: Detections) -> bool:
    return all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("boxes", "scores", "labels"))


@pytest.mark.model
def test_persons_and_the_bus_are_found(yolo: OnnxDetector, bus: Pixels) -> None:
    found = yolo.detect([bus])[0]
    sure = [LABELS[label] for label, score in zip(found.labels, found.scores, strict=True) if score >= 0.4]
    assert sorted(sure) == ["bus", "person", "person", "person", "person"]
    best = found.boxes[[LABELS[label] for label in found.labels].index("bus")]
    assert best.tolist() == pytest.approx([0, 230, 805, 752], abs=12)


@pytest.mark.model
def test_company_threads_and_repetition_change_nothing(yolo: OnnxDetector, bus: Pixels, model_path: Path) -> None:
    crop = np.ascontiguousarray(bus[380:900, 40:350])
    alone = [yolo.detect([picture])[0] for picture in (bus, crop)]
    together = yolo.detect([crop, bus, crop, bus[:, ::-1]])
    assert same(together[1], alone[0])
    assert same(together[0], alone[1])
    assert same(together[2], alone[1])
    single = OnnxDetector(model_path, threads=1).detect([bus, crop])
    assert same(single[0], alone[0])
    assert same(single[1], alone[1])


@pytest.mark.model
@pytest.mark.slow
def test_the_end_to_end_head_runs_too_on_any_shape(bus: Pixels, model_path: Path, tmp_path: Path) -> None:
    from vidreview.detect.export import export_onnx

    weights = tmp_path / "yolo26n.pt"
    weights.write_bytes(model_path.with_suffix(".pt").read_bytes())
    detector = OnnxDetector(export_onnx(weights, "end-to-end").path)
    found, thin, dot = detector.detect([bus, bus[:, 200:210], bus[:5, :5]])
    sure = [LABELS[label] for label, score in zip(found.labels, found.scores, strict=True) if score >= 0.4]
    assert sorted(sure) == ["bus", "person", "person", "person", "person"]
    assert len(detector.detect([bus[380:900, 40:250], bus[:8, :300]], size=160)) == 2
    assert len(thin) + len(dot) == 0


@pytest.mark.model
def test_a_changed_model_file_is_refused(model_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / model_path.name
    content = bytearray(model_path.read_bytes())
    content[len(content) // 2] ^= 1
    copy.write_bytes(content)
    copy.with_suffix(".json").write_bytes(model_path.with_suffix(".json").read_bytes())
    with pytest.raises(ModelError, match="not the one that was recorded"):
        OnnxDetector(copy)


def run_python(program: str, home: Path, *arguments: str) -> str:
    """Run a program in a fresh process with an empty home, no sign of a test or CI, and return what it prints."""
    hidden = ("CI", "PYTEST", "ORT_", "YOLO_", "XDG_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(hidden)} | {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LEAN = """
import json, sys
from pathlib import Path
import numpy as np
from vidreview.detect.onnx import OnnxDetector
OnnxDetector(Path(sys.argv[1])).detect([np.zeros((96, 64, 3), np.uint8)])
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


@pytest.mark.model
def test_neither_torch_nor_ultralytics_is_imported_and_nothing_is_written_home(
    model_path: Path, tmp_path: Path
) -> None:
    modules = json.loads(run_python(LEAN, tmp_path, str(model_path)))
    assert "onnxruntime" in modules
    assert not {"torch", "torchvision", "ultralytics"} & set(modules)
    # ONNX Runtime would keep a device id and an event store here, and send them (rule A8)
    assert list(tmp_path.rglob("*")) == []


SHAPES = """
import sys
from pathlib import Path
import numpy as np
from vidreview.detect.onnx import OnnxDetector

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 // 1024

detector = OnnxDetector(Path(sys.argv[1]))
random = np.random.default_rng(1)
sizes = random.integers(20, 700, (200, 2)).tolist()
pictures = lambda part: [detector.detect([np.zeros((h, w, 3), np.uint8)], size=320) for h, w in part]
pictures(sizes[:50])
before = resident()
pictures(sizes[50:])
print(before, resident())
"""


@pytest.mark.model
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_many_shapes_do_not_pile_up_memory(model_path: Path, tmp_path: Path) -> None:
    before, after = map(int, run_python(SHAPES, tmp_path, str(model_path)).split())
    assert after - before < 60, f"{before} MiB became {after} MiB over 150 shapes"


def truth_boxes(path: Path) -> dict[int, list[list[float]]]:
    boxes: dict[int, list[list[float]]] = {}
    for line in path.read_text().splitlines():
        frame, _, x, y, w, h, valid = map(float, line.split(",")[:7])
        if valid:
            boxes.setdefault(int(frame), []).append([x, y, x + w, y + h])
    return boxes


@pytest.mark.footage
@pytest.mark.model
def test_recall_on_pets(yolo: OnnxDetector, shared: Path) -> None:
    """Persons of PETS09-S2L1 at IoU 0.5, every 40th frame: the figure of docs/detector.md, with room for chance."""
    import av

    from vidreview.kernels.boxes import iou_matrix

    truth = truth_boxes(shared / "mot" / "PETS09-S2L1" / "gt.txt")
    hits = people = 0
    with av.open(str(shared / "footage" / "clips" / "pets09_s2l1.mp4")) as clip:
        for number, frame in enumerate(clip.decode(video=0)):
            if number % 40 == 0:
                found = yolo.detect([np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)])[0]
                expected = np.array(truth[number + 1], np.float32)
                overlap = iou_matrix(expected.astype(np.float64), found.boxes[found.labels == 0].astype(np.float64))
                hits += int((overlap.max(axis=1, initial=0) >= 0.5).sum())
                people += len(expected)
    assert people > 80
    assert hits / people > 0.88
