"""The detector that runs an ONNX model on ONNX Runtime, without torch and without ultralytics."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vidreview.detect.cores import physical_cores
from vidreview.detect.decode import ClassMap, class_map, decode
from vidreview.detect.letterbox import Letterbox, fill, fit
from vidreview.detect.offline import import_onnxruntime
from vidreview.detect.weights import read_checked
from vidreview.errors import ModelError
from vidreview.model import Detections, Pixels

#: in this order; the first that the installed runtime offers and can start. TensorRT stands last of the GPU ones:
#: it builds an engine, for minutes, for every new picture shape.
PROVIDERS = (
    "CUDAExecutionProvider",
    "ROCMExecutionProvider",
    "MIGraphXExecutionProvider",
    "DmlExecutionProvider",
    "CoreMLExecutionProvider",
    "OpenVINOExecutionProvider",
    "TensorrtExecutionProvider",
    "CPUExecutionProvider",
)

#: pixels of input below which the end-to-end head has fewer anchors than the 300 it picks from, and fails
_END_TO_END_AREA = 128 * 128

#: what a provider needs to give the same numbers on every run
_OPTIONS: dict[str, dict[str, Any]] = {
    "CUDAExecutionProvider": {"cudnn_conv_algo_search": "DEFAULT", "use_tf32": 0},
}


class OnnxDetector:
    """Finds persons and vehicles with a YOLO model in ONNX form.

    ``size`` is the longest side that the network sees, ``low_score`` the weakest detection kept, ``threads`` the
    processor threads (default: physical cores). Raises ModelError when the file is missing, is not the one that was
    recorded, cannot be loaded, or is not a detector with named classes.
    """

    def __init__(
        self,
        path: Path,
        size: int = 640,
        low_score: float = 0.1,
        threads: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> None:
        content, self.sha256 = read_checked(path)
        self.name = path.name
        self.size = size
        self.low_score = low_score
        # the bytes that were hashed are the bytes that run
        self._session = _open_session(content, path, threads or physical_cores(), providers)
        self.runtime = _runtime_name(self._session)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._classes = _classes(metadata, path)
        self._stride = _whole_number(metadata.get("stride")) or 32
        self._least_area = _END_TO_END_AREA if metadata.get("end2end") == "True" else 0
        self._input, self._fixed, self._most = _input(self._session, path)

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """Boxes of each (height, width, 3) BGR picture, in that picture's pixels, best first.

        ``size`` overrides the longest side for this call. On a GPU, pictures of equal letterboxes run as one batch.
        """
        boxes = [self._fit(picture, size or self.size) for picture in pictures]
        found: list[Detections] = [Detections.none()] * len(pictures)
        for group in _batches(boxes, self._most):
            tensor = np.empty((len(group), 3, *boxes[group[0]].shape), np.float32)
            for row, k in zip(tensor, group, strict=True):
                fill(pictures[k], boxes[k], row)
            for row, k in zip(self._run(tensor), group, strict=True):
                height, width = pictures[k].shape[:2]
                box = boxes[k]
                found[k] = decode(row, self._classes, self.low_score, box.scale, box.offset, (width, height))
        return found

    def _fit(self, picture: Pixels, size: int) -> Letterbox:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ModelError(f"the detector takes (h, w, 3) pictures of bytes, not {picture.shape} of {picture.dtype}")
        return fit(picture.shape[0], picture.shape[1], size, self._stride, self._fixed, self._least_area)

    def _run(self, tensor: Any) -> Any:
        """(batch, …) output of the network for a (batch, 3, height, width) tensor."""
        wanted = np.float16 if "float16" in self._input.type else np.float32
        try:
            output = self._session.run(None, {self._input.name: tensor.astype(wanted, copy=False)})[0]
        except Exception as error:  # the runtime raises classes of its own that share no public base
            shape = "x".join(map(str, tensor.shape))
            raise ModelError(f"{self.name} failed on an input of {shape}: {_first_line(error)}") from error
        if output.ndim != 3:
            raise ModelError(f"{self.name} gives an output of shape {output.shape}; it is not a YOLO detector")
        return output.astype(np.float32, copy=False)


def _batches(boxes: Sequence[Letterbox], most: int) -> list[list[int]]:
    """Positions of pictures that run together: equal network shapes, at most ``most`` at once, in order."""
    groups: dict[tuple[int, int], list[int]] = {}
    for k, box in enumerate(boxes):
        groups.setdefault(box.shape, []).append(k)
    return [group[start : start + most] for group in groups.values() for start in range(0, len(group), most)]


def available_providers() -> list[str]:
    """What the installed runtime offers to run on."""
    offered: list[str] = import_onnxruntime().get_available_providers()
    return offered


def _open_session(content: bytes, path: Path, threads: int, providers: Sequence[str] | None) -> Any:
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # pictures come in many shapes: plans kept for each of them would grow without end; the arena is one for all, and
    # without it every run takes its memory from the system anew, which costs a quarter of the time
    options.enable_mem_pattern = False
    # waiting threads sleep: spinning is a tenth faster on an idle machine, but during a scan it takes the cores that
    # decode, and the scan takes half as long again
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong arrives as an exception; nothing is printed
    offered = available_providers()
    chosen = [p for p in (providers or PROVIDERS) if p in offered]
    if not chosen:
        raise ModelError(f"onnxruntime {onnxruntime.__version__} offers none of {', '.join(providers or PROVIDERS)}")
    try:
        return onnxruntime.InferenceSession(
            content, options, providers=chosen, provider_options=[_OPTIONS.get(p, {}) for p in chosen]
        )
    except Exception as error:  # the runtime raises classes of its own that share no public base
        raise ModelError(f"cannot load {path} as an ONNX model: {_first_line(error)}") from error


def _runtime_name(session: Any) -> str:
    return f"onnxruntime {import_onnxruntime().__version__} {session.get_providers()[0]}"


def _classes(metadata: dict[str, str], path: Path) -> ClassMap:
    """The class map from a model's metadata; raises ModelError for another task or missing names."""
    task = metadata.get("task")
    if task != "detect":
        raise ModelError(f"{path} is a model for {task or 'an unnamed task'}; vidreview needs one for task 'detect'")
    try:
        names = ast.literal_eval(metadata.get("names", ""))
    except (ValueError, SyntaxError) as error:
        raise ModelError(f"{path} does not name its classes; export it with ultralytics, which records them") from error
    if not isinstance(names, dict | list | tuple):
        raise ModelError(f"{path} does not name its classes; export it with ultralytics, which records them")
    return class_map(names)


def _input(session: Any, path: Path) -> tuple[Any, tuple[int, int] | None, int]:
    """The session's input, the (height, width) it insists on or None, and the most pictures of one run."""
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise ModelError(f"{path} does not take one (batch, 3, height, width) picture; it is not a YOLO detector")
    batch, _, height, width = inputs[0].shape
    fixed = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    if isinstance(batch, int) and batch != 1:
        raise ModelError(f"{path} takes exactly {batch} pictures at a time; export it with batch=1 or dynamic=True")
    # on a processor a batch of four takes longer than four runs of one
    single = batch == 1 or session.get_providers()[0] == "CPUExecutionProvider"
    return inputs[0], fixed, 1 if single else 8


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
