"""Weights → ONNX with dynamic batch, height and width, byte for byte the same whenever the same versions do it.

Run as a program by ``export_onnx``, in a process of its own: torch's memory goes when it ends, and ultralytics finds
neither its settings folder nor a network.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidreview.detect.sources import run_quietly, ultralytics_environment
from vidreview.errors import ModelError

#: seconds; the export takes about ten on two cores
EXPORT_LIMIT_S = 900


@dataclass(frozen=True, slots=True)
class Exported:
    """An ONNX file and how it was made."""

    path: Path
    #: as given to ultralytics
    options: dict[str, Any]
    #: package → version
    versions: dict[str, str]


def export_onnx(weights: Path, head: str) -> Exported:
    """Export the weights to an ONNX file beside them; ``head`` is "one-to-many" or "end-to-end".

    Raises ModelError when ultralytics cannot, or gives another head than was asked for.
    """
    command = [sys.executable, "-m", "vidreview.detect.export", str(weights), head]
    try:
        said = run_quietly(command, weights.parent, ultralytics_environment(weights.parent), EXPORT_LIMIT_S)
        facts = json.loads(said.splitlines()[-1])
    except (ModelError, ValueError, IndexError) as error:
        raise ModelError(f"could not export {weights.name} to ONNX: {error}") from error
    return Exported(weights.with_suffix(".onnx"), facts["options"], facts["versions"])


def _main(weights: Path, head: str) -> None:
    """Export in this process and print options and versions as one line of JSON."""
    from importlib.metadata import version

    from ultralytics.cfg import DEFAULT_CFG_DICT  # type: ignore[attr-defined]
    from ultralytics.models import YOLO

    options: dict[str, Any] = {"format": "onnx", "dynamic": True, "simplify": True, "imgsz": 640, "device": "cpu"}
    if "end2end" in DEFAULT_CFG_DICT:
        options["end2end"] = head == "end-to-end"
    else:  # newer ultralytics: no suppression asked for means the head that needs none
        options["nms"] = False if head == "end-to-end" else None
    path = Path(YOLO(str(weights)).export(**options))
    _normalise(path, head)
    versions = {name: version(name) for name in ("ultralytics", "torch", "onnx", "onnxslim")}
    sys.stdout.write("\n" + json.dumps({"options": options, "versions": versions}) + "\n")


def _normalise(path: Path, head: str) -> None:
    """Take out what differs from one export to the next, so that the same versions give the same bytes.

    That is the date, and the notes on the shapes of inner values: the exporter writes them several times over, in
    words that depend on the order of Python's hashes, and the runtime works them out anew.
    """
    import onnx

    model = onnx.load(path)
    facts = {entry.key: entry.value for entry in model.metadata_props if entry.key != "date"}
    if facts.get("end2end") != str(head == "end-to-end"):
        raise ModelError(f"ultralytics exported another head than {head}")
    del model.metadata_props[:]
    for key in sorted(facts):
        model.metadata_props.add(key=key, value=facts[key])
    del model.graph.value_info[:]
    path.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
