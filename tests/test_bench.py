"""``vidreview bench``: honest figures, a contract for scripts, and no trace left anywhere."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import ROOT, Result
from tests.films import RedDetector, film
from vidreview.media import probe
from vidreview.model import Detections, Pixels
from vidreview.pipeline import bench as measured
from vidreview.pipeline.bench import STAGES, THREADINGS, Bench, Run

Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds in which the box crosses from 3 s to 7 s."""
    return film(tmp_path_factory.mktemp("evidence") / "visit.mp4", 100, [(30, 70)])


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Failing(RedDetector):
    """Sees the first pictures and then raises."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """The bounding box of what is red, twice."""
        found = super().detect(pictures, size)
        if self.pictures > 2:
            raise self.error
        return found


def use(monkeypatch: pytest.MonkeyPatch, detector: RedDetector) -> None:
    monkeypatch.setattr(measured, "load_detector", lambda *_: detector)


def test_json_is_the_contract(visit: Path, scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, RedDetector())
    done = cli("bench", visit, "--runs", "2", "--json")
    assert (done.status, len(done.err.splitlines())) == (0, 2)
    facts = json.loads(done.out)
    assert list(facts) == [
        *("file", "streams", "footage_s", "frames", "runs", "bare_decode_s", "bare_threading", "scan_s"),
        *("scan_over_bare", "realtime_factor", "shares", "seconds", "model_load_s", "model", "model_sha256", "runtime"),
        *("version", "os", "cpu", "cores", "each", "problems"),
    ]
    assert (facts["file"], facts["frames"], facts["runs"], facts["problems"]) == ("visit.mp4", 100, 2, [])
    assert facts["footage_s"] == pytest.approx(10.0)
    assert facts["streams"] == [
        {"index": 0, "codec": "h264", "width": 320, "height": 192, "fps": 10.0, "duration_s": 10.0}
    ]
    assert (facts["model"], facts["model_sha256"]) == (RedDetector.name, RedDetector.sha256)
    assert set(facts["shares"]) == set(facts["seconds"]) == {*STAGES, "rest"}
    assert all(facts["seconds"][stage] > 0 for stage in STAGES), "every stage has worked"
    assert facts["realtime_factor"] == pytest.approx(facts["footage_s"] / facts["scan_s"], rel=0.01)
    assert facts["scan_over_bare"] == pytest.approx(facts["scan_s"] / facts["bare_decode_s"], rel=0.01)
    assert set(facts["each"]["bare_decode_s"]) == set(THREADINGS)
    assert all(len(times) == 2 for times in (*facts["each"]["bare_decode_s"].values(), facts["each"]["scan_s"]))


def test_nothing_is_left_and_the_exhibit_is_only_read(
    visit: Path, scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, RedDetector())
    content, before, folder = visit.read_bytes(), visit.stat(), visit.parent.stat()
    assert cli("bench", visit, "--runs", "1", "-q").status == 0
    assert list(scratch.iterdir()) == []
    assert list(visit.parent.iterdir()) == [visit]
    assert visit.read_bytes() == content
    assert (visit.stat().st_mtime_ns, visit.parent.stat().st_mtime_ns) == (before.st_mtime_ns, folder.st_mtime_ns)


def test_interrupted_it_leaves_nothing(visit: Path, scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Failing(KeyboardInterrupt()))
    done = cli("bench", visit)
    assert (done.status, done.out) == (130, "")
    assert done.err == "vidreview: interrupted; nothing was measured, and the temporary case is removed\n"
    assert list(scratch.iterdir()) == []


def test_failing_it_leaves_nothing(visit: Path, scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Failing(RuntimeError("the detector broke")))
    done = cli("bench", visit)
    assert done.status == 1
    assert "the detector broke" in done.err
    assert list(scratch.iterdir()) == []


def test_the_table_names_every_stage(visit: Path, scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, RedDetector())
    done = cli("bench", visit, "--runs", "1", "-q")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("visit.mp4: h264 320x192, 100 frames, 10.0 s; ")
    names = ("waiting for the decoder", "motion gate", "detector", "tracker", "rest", "whole scan", "bare decoding")
    rows = [line for line in done.out.splitlines() if line.startswith(names) and "  " in line]
    assert len(rows) == len(names)
    assert "one run; more are more certain" in done.out


def test_what_is_only_partly_readable_is_measured_and_said(
    scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, RedDetector())
    done = cli("bench", ROOT / "sample_data" / "street_truncated.mp4", "--runs", "1", "--json", "-q")
    assert done.status == 3
    facts = json.loads(done.out)
    assert facts["frames"] > 0
    assert len(facts["problems"]) == 1
    assert "not fully read" in done.err


def test_what_cannot_be_measured(visit: Path, scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, RedDetector())
    (scratch / "text.mp4").write_text("no film\n" * 100)
    (scratch / "empty.mp4").touch()
    cases: list[tuple[list[str | Path], int, str]] = [
        ([scratch / "none.mp4"], 2, "no such file"),
        ([scratch], 2, "is a folder"),
        ([visit, visit], 2, "unexpected extra argument"),
        ([visit, "--runs", "0"], 2, "not in the range"),
        ([""], 2, "an empty path"),
        ([scratch / "text.mp4"], 3, "plain text, not a video"),
        ([scratch / "empty.mp4"], 3, "the file is empty"),
    ]
    for arguments, status, message in cases:
        done = cli("bench", *arguments)
        assert (done.status, done.out) == (status, ""), arguments
        assert message in done.err


def test_a_file_of_which_nothing_decodes(scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container is sound and every packet is rubbish."""
    use(monkeypatch, RedDetector())
    path = film(scratch / "evidence" / "rubbish.mp4", 20, [], codec="mpeg4")
    content = bytearray(path.read_bytes())
    begins = content.index(b"mdat") + 4
    ends = content.index(b"moov", begins) - 4
    content[begins:ends] = bytes([0xFF]) * (ends - begins)
    path.write_bytes(content)
    done = cli("bench", path, "--runs", "1")
    assert (done.status, done.out) == (3, "")
    assert "could be decoded" in done.err
    assert list(scratch.iterdir()) == [path.parent]


def test_temporary_cases_beside_the_exhibit_are_said(scratch: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, RedDetector())
    path = film(scratch / "visit.mp4", 20, [])
    done = cli("bench", path, "--runs", "1")
    assert done.status == 0
    assert "better set TMPDIR to another" in done.err
    assert list(scratch.iterdir()) == [path]


def test_no_model_is_said_with_the_command_that_brings_it(
    visit: Path, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDREVIEW_DATA", str(tmp_path))
    done = cli("bench", visit)
    assert done.status == 1
    assert "vidreview model fetch yolo26n" in done.err


def test_figures_are_medians_over_runs_and_the_best_threading_counts(visit: Path) -> None:
    def run(wall: float, decode: float, detect: float) -> Run:
        return Run(wall, {"decode": decode, "gate": 0.5, "detect": detect, "track": 0.25})

    result = Bench(
        path=visit,
        info=probe(visit),
        footage_s=100.0,
        frames=1000,
        bare={"AUTO": (1.0, 9.0, 2.0), "FRAME": (1.5, 1.5, 8.0), "NONE": (3.0, 3.0, 3.0)},
        scans=(run(10.0, 1.0, 6.0), run(20.0, 1.0, 10.0), run(8.0, 4.5, 2.0)),
        load_s=0.1,
        model="m",
        model_sha256="0" * 64,
        runtime="r",
        problems=(),
    )
    assert (result.threading, result.bare_s, result.scan_s) == ("FRAME", 1.5, 10.0)
    assert result.seconds() == {"decode": 1.0, "gate": 0.5, "detect": 6.0, "track": 0.25, "rest": 3.75}
    assert result.shares() == pytest.approx(
        {"decode": 0.1, "gate": 0.05, "detect": 0.5, "track": 0.025, "rest": 3.75 / 10}
    )
    facts = result.to_json()
    assert facts["realtime_factor"] == 10.0
    assert facts["scan_over_bare"] == pytest.approx(6.667)
