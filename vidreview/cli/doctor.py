"""``vidreview doctor``: versions, model, codecs, threads and a self-test; what to quote in a bug report."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from vidreview.cli import common

#: what CCTV is recorded in, by FFmpeg's names of the decoders
CODECS = (
    "h264",
    "hevc",
    "av1",
    "vp9",
    "mpeg4",
    "mpeg2video",
    "mpeg1video",
    "mjpeg",
    "h263",
    "msmpeg4v3",
    "wmv3",
    "vc1",
)

PACKAGES = ("av", "numpy", "numba", "opencv-python", "onnxruntime", "onnx", "ultralytics", "torch", "click", "rich")


@click.command(name="doctor")
@common.json_option
def command(as_json: bool) -> int:
    """Print versions, model, codecs and threads, and run a self-test. Exit status 1 if the self-test fails.

    \b
    Example:
      vidreview doctor
      vidreview doctor --json
    """
    facts: dict[str, Any] = {
        "versions": versions(),
        "machine": machine(),
        "ffmpeg": ffmpeg(),
        "onnxruntime_providers": providers(),
        "data_folder": data_folder(),
        "model": model_state(),
        "self_test": self_test(),
    }
    failed = {name: why for name, why in facts["self_test"].items() if why != "passed"}
    if as_json:
        common.print_json({**facts, "passed": not failed})
    else:
        for name, value in facts.items():
            _print_fact(name.replace("_", " "), value)
        click.echo(f"self-test failed: {', '.join(failed)}" if failed else "self-test passed")
    return 1 if failed else 0


def _print_fact(name: str, value: Any) -> None:
    if isinstance(value, dict):
        click.echo(f"{name}:")
        for key, item in value.items():
            shown = ", ".join(map(str, item)) if isinstance(item, list) else str(item)
            click.echo(f"  {key.replace('_', ' ')}: {common.safe(shown)}")
    else:
        click.echo(f"{name}: {common.safe(', '.join(value) if isinstance(value, list) else str(value))}")


def versions() -> dict[str, str]:
    """Package → version, read from what is installed, without importing any of it."""
    from importlib.metadata import PackageNotFoundError, version

    from vidreview import __version__

    found = {"vidreview": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """Operating system, processor and cores."""
    import os

    from vidreview.detect.cores import physical_cores

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "logical_cores": os.cpu_count() or 1,
        "cores_used": physical_cores(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(filter(None, named), platform.processor() or platform.machine())


def ffmpeg() -> dict[str, Any]:
    """FFmpeg's libraries as PyAV brings them, and which decoders of ``CODECS`` they hold."""
    import av
    from av.codec import Codec

    def decodes(name: str) -> bool:
        try:
            return Codec(name, "r") is not None
        except ValueError:  # unknown codec
            return False

    held = {name: decodes(name) for name in CODECS}
    return {
        "libraries": [f"{name} {'.'.join(map(str, number))}" for name, number in av.library_versions.items()],
        "decoders": [name for name, there in held.items() if there],
        "decoders_missing": [name for name, there in held.items() if not there],
    }


def providers() -> list[str]:
    """What ONNX Runtime can run on, best first."""
    from vidreview.detect.onnx import PROVIDERS, available_providers

    offered = available_providers()
    return [p for p in PROVIDERS if p in offered]


def data_folder() -> str:
    """Where models are kept."""
    from vidreview.detect import weights

    return str(weights.data_folder())


def model_state() -> dict[str, str]:
    """The default model: where it lies, its hash, and whether it is what was recorded."""
    from vidreview.detect.weights import check_model
    from vidreview.errors import VidreviewError

    try:
        facts = check_model(None)
    except VidreviewError as error:
        return {"state": str(error)}
    return {"state": "installed, as recorded", **{k: str(facts[k]) for k in ("path", "sha256", "head", "created")}}


def self_test() -> dict[str, str]:
    """Step → "passed" or what went wrong; all in this one process, since that is how a scan runs."""
    results: dict[str, str] = {}
    for name, step in _steps().items():
        try:
            step()
            results[name] = "passed"
        except Exception as error:  # noqa: BLE001 - whatever is broken here is what the examiner needs to read
            results[name] = f"failed: {type(error).__name__}: {error}"
    return results


def _steps() -> dict[str, Callable[[], None]]:
    return {
        "encode and decode (PyAV)": _test_video,
        "block means (numba)": _test_kernel,
        "resize (OpenCV)": _test_resize,
        "detector": _test_detector,
    }


def _expect(truth: bool, complaint: str) -> None:
    if not truth:
        raise RuntimeError(complaint)


def _test_video() -> None:
    """Write twelve grey frames, each lighter than the one before, and read them back with their timestamps."""
    from fractions import Fraction

    import av
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "test.mkv")
        with av.open(path, "w") as output:
            stream = output.add_stream("mpeg4", rate=Fraction(25))
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            for k in range(12):
                picture = np.full((96, 128, 3), 20 + 15 * k, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts, frame.time_base = k, Fraction(1, 25)
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        with av.open(path) as source:
            frames = [(f.time, float(f.to_ndarray(format="gray").mean())) for f in source.decode(video=0)]
    _expect(len(frames) == 12, f"wrote 12 frames and read {len(frames)}")
    light = [value for _, value in frames]
    _expect(light == sorted(light) and light[-1] - light[0] > 100, "the frames read are not the frames written")
    times = [time for time, _ in frames]
    _expect(all(abs((t or 0) - k / 25) < 0.002 for k, t in enumerate(times)), f"the timestamps came back as {times}")


def _test_kernel() -> None:
    """The compiled block means against numpy's."""
    import numpy as np

    from vidreview.kernels.blocks import block_means

    plane = np.arange(64 * 96, dtype=np.uint64).astype(np.uint8)
    out = np.zeros((8, 12), np.float32)
    block_means(plane, plane.view(np.uint64), 96, 64, 96, 8, out)
    expected = plane.reshape(8, 8, 12, 8).mean(axis=(1, 3))
    _expect(bool(np.allclose(out, expected, atol=1e-3)), "compiled block means differ from numpy's")


def _test_resize() -> None:
    import cv2
    import numpy as np

    ramp = np.tile(np.arange(0, 256, 2, dtype=np.uint8), (64, 1))
    half = cv2.resize(ramp, (64, 32), interpolation=cv2.INTER_LINEAR)
    _expect(half.shape == (32, 64), f"OpenCV resized to {half.shape}")
    _expect(bool(np.all(np.diff(half[0].astype(int)) > 0)), "OpenCV's resize does not keep a ramp a ramp")


def _test_detector() -> None:
    """The default model on a picture that ultralytics brings, or, without that, on an empty one."""
    import cv2
    import numpy as np

    from vidreview.detect.factory import load_detector
    from vidreview.model import LABELS
    from vidreview.settings import ScanSettings

    detector = load_detector(None, ScanSettings())
    empty = detector.detect([np.full((480, 640, 3), 128, np.uint8)])[0]
    _expect(bool((empty.scores < 0.4).all()), "the detector sees something in an empty picture")
    picture = _sample_picture()
    if picture is None:
        return
    found = detector.detect([np.asarray(cv2.imread(str(picture)), np.uint8)])[0]
    sure = [LABELS[label] for label, score in zip(found.labels, found.scores, strict=True) if score >= 0.4]
    _expect(sure.count("person") >= 3 and "bus" in sure, f"on {picture.name} the detector sees only {sure}")


def _sample_picture() -> Path | None:
    """bus.jpg of ultralytics' package, found without importing it; None where it is not there."""
    from importlib.util import find_spec

    spec = find_spec("ultralytics")
    for folder in (spec.submodule_search_locations if spec else None) or []:
        picture = Path(folder) / "assets" / "bus.jpg"
        if picture.is_file():
            return picture
    return None
