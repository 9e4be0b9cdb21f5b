"""The street from end to end, on small films and with a detector that needs no weights."""

from __future__ import annotations

import json
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.films import HEIGHT, WIDTH, RedDetector, box_at, film
from vidreview.errors import CaseRefusedError, IntegrityError, UsageError
from vidreview.index import EventQuery, Reader, TrackQuery
from vidreview.pipeline import ScanSummary, scan
from vidreview.settings import ScanSettings

SETTINGS = ScanSettings()


def look_up(case: Path) -> dict[str, Any]:
    """Everything the case says."""
    with Reader.open(case) as reader:
        return {
            "events": list(reader.events(EventQuery())),
            "tracks": list(reader.tracks(TrackQuery())),
            "coverage": list(reader.coverage()),
        }


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds in which the box crosses from 3 s to 7 s."""
    return film(tmp_path_factory.mktemp("films") / "visit.mp4", 100, [(30, 70)])


def run(sources: list[Path], case: Path, detector: RedDetector | None = None, **more: Any) -> ScanSummary:
    return scan(sources, case, SETTINGS, detector=detector or RedDetector(), **more)


def test_a_visit_becomes_one_event_with_exact_bounds(visit: Path, tmp_path: Path) -> None:
    """Rule B1: ticks and time base of the stream, and seconds that follow from them."""
    summary = run([visit], tmp_path / "case")
    assert (summary.exhibits, summary.events, summary.problems) == (1, 1, [])
    assert summary.seconds_of_footage == pytest.approx(10.0)
    (event,) = look_up(tmp_path / "case")["events"]
    assert (event["class"], event["label"], event["exhibit"]) == ("person", "person", "visit.mp4")
    assert event["start_s"] == pytest.approx(3.0, abs=0.3)
    assert event["end_s"] == pytest.approx(6.9, abs=0.3)
    numerator, denominator = map(int, event["time_base"].split("/"))
    assert event["start_pts"] * numerator / denominator == pytest.approx(event["start_s"])


def test_tracks_lie_on_the_object(visit: Path, tmp_path: Path) -> None:
    run([visit], tmp_path / "case")
    (track,) = look_up(tmp_path / "case")["tracks"]
    for seconds, *box in track["path"]:
        expected = box_at(round(seconds * 10), 30, 70)
        if expected is not None and expected[2] - expected[0] >= 20:
            assert box == pytest.approx(expected, abs=10), seconds


def test_quiet_footage_is_looked_at_now_and_then_and_no_more(tmp_path: Path) -> None:
    quiet = film(tmp_path / "films" / "quiet.mp4", 200, [])
    detector = RedDetector()
    scan([quiet], tmp_path / "case", ScanSettings(idle_every_s=5.0), detector=detector)
    found = look_up(tmp_path / "case")
    assert found["events"] == []
    assert found["coverage"][0]["detector_frames"] == 4, "at 0, 5, 10 and 15 s"
    assert detector.pictures == 4


def test_what_the_detector_does_not_name_is_a_motion_event(visit: Path, tmp_path: Path) -> None:
    class Blind(RedDetector):
        sha256 = "cd" * 32

        def detect(self, pictures: Any, size: int | None = None) -> Any:
            from vidreview.model import Detections

            self.pictures += len(pictures)
            return [Detections.none() for _ in pictures]

    detector = Blind()
    run([visit], tmp_path / "case", detector)
    (event,) = look_up(tmp_path / "case")["events"]
    assert (event["class"], event["label"], event["score"]) == ("motion", "motion", None)
    assert event["start_s"] == pytest.approx(3.0, abs=0.4)
    looks = look_up(tmp_path / "case")["coverage"][0]["detector_frames"]
    assert detector.pictures > looks, "what has no name is looked at more closely"


def test_the_same_scan_again_does_no_work(visit: Path, tmp_path: Path) -> None:
    run([visit], tmp_path / "case")
    before = look_up(tmp_path / "case")
    detector = RedDetector()
    summary = run([visit], tmp_path / "case", detector)
    assert (summary.skipped, summary.events, detector.pictures) == (1, 0, 0)
    assert look_up(tmp_path / "case") == before


def test_other_settings_scan_anew_and_replace(visit: Path, tmp_path: Path) -> None:
    run([visit], tmp_path / "case")
    detector = RedDetector()
    scan([visit], tmp_path / "case", ScanSettings(idle_every_s=2.0), detector=detector)
    assert detector.pictures > 0
    assert len(look_up(tmp_path / "case")["events"]) == 1


def test_an_interrupted_scan_goes_on_where_it_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for name in ("a", "b", "c"):
        film(folder / f"{name}.mp4", 60, [(10, 40)], seed=ord(name))

    class Interrupted(RedDetector):
        def detect(self, pictures: Any, size: int | None = None) -> Any:
            if self.pictures > 12:
                raise KeyboardInterrupt
            return super().detect(pictures, size)

    with pytest.raises(KeyboardInterrupt):
        run([folder], tmp_path / "case", Interrupted())
    done = len(look_up(tmp_path / "case")["events"])
    assert 1 <= done < 3
    summary = run([folder], tmp_path / "case")
    assert summary.skipped == done
    run([folder], tmp_path / "whole")
    assert look_up(tmp_path / "case") == look_up(tmp_path / "whole")


def test_two_runs_give_the_same_index(visit: Path, tmp_path: Path) -> None:
    run([visit], tmp_path / "a")
    run([visit], tmp_path / "b")
    assert json.dumps(look_up(tmp_path / "a")) == json.dumps(look_up(tmp_path / "b"))


def test_evidence_is_left_as_it_was(visit: Path, tmp_path: Path) -> None:
    """Rule A1."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    copy = folder / "visit.mp4"
    copy.write_bytes(visit.read_bytes())
    os.utime(copy, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    before = (copy.stat(), copy.read_bytes(), sorted(folder.iterdir()))
    folder.chmod(0o555)
    try:
        run([folder], tmp_path / "case")
    finally:
        folder.chmod(0o755)
    after = copy.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_mode) == (
        before[0].st_size,
        before[0].st_mtime_ns,
        before[0].st_mode,
    )
    assert copy.read_bytes() == before[1]
    assert sorted(folder.iterdir()) == before[2]


def test_an_exhibit_that_changes_during_the_scan_voids_it(visit: Path, tmp_path: Path) -> None:
    """Rule A2."""
    copy = tmp_path / "films" / "visit.mp4"
    other = film(tmp_path / "films" / "other.mp4", 60, [(10, 40)])
    copy.write_bytes(visit.read_bytes())

    class Tampering(RedDetector):
        def detect(self, pictures: Any, size: int | None = None) -> Any:
            if self.pictures == 4:
                with copy.open("ab") as file:
                    file.write(b"x")
            return super().detect(pictures, size)

    with pytest.raises(IntegrityError, match=r"visit\.mp4"):
        run([copy, other], tmp_path / "case", Tampering())
    events = look_up(tmp_path / "case")["events"]
    assert "other.mp4" in {e["exhibit"] for e in events}, "the rest of the batch goes on"


def test_an_exhibit_that_is_not_what_an_earlier_scan_recorded_is_said(visit: Path, tmp_path: Path) -> None:
    """Exit status 4: its earlier events are kept, and it is an exhibit of its own from then on."""
    exhibit = film(tmp_path / "films" / "a.mp4", 60, [(10, 40)])
    run([exhibit], tmp_path / "case")
    (first,) = look_up(tmp_path / "case")["events"]
    exhibit.write_bytes(visit.read_bytes())
    summary = ScanSummary()
    with pytest.raises(IntegrityError, match=rf"a\.mp4: .*{first['exhibit_sha256']}"):
        run([exhibit], tmp_path / "case", summary=summary)
    assert (summary.exhibits, summary.events) == (1, 1), "what was done is known all the same"
    events = look_up(tmp_path / "case")["events"]
    assert len({e["exhibit_sha256"] for e in events}) == len(events) == 2
    assert run([exhibit], tmp_path / "case").problems == [], "it is said once, when it is found"


def test_the_summary_has_the_fields_of_the_contract() -> None:
    assert list(ScanSummary().to_json()) == [
        "run",
        "exhibits",
        "duplicates",
        "events",
        "seconds_of_footage",
        "wall_s",
        "realtime_factor",
        "decode_share",
        "problems",
    ]


def test_a_case_among_the_evidence_is_refused_before_anything_is_written(visit: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "visit.mp4").write_bytes(visit.read_bytes())
    with pytest.raises(CaseRefusedError):
        run([folder], folder / "case")
    assert [p.name for p in folder.iterdir()] == ["visit.mp4"]


def test_unreadable_files_are_listed_and_the_rest_goes_on(visit: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "a-empty.mp4").touch()
    (folder / "b-text.mp4").write_text("not a video\n" * 50)
    (folder / "c-cut.mp4").write_bytes(visit.read_bytes()[:3000])
    (folder / "d-good.mp4").write_bytes(visit.read_bytes())
    summary = run([folder], tmp_path / "case")
    assert {Path(p["path"]).name for p in summary.problems} == {"a-empty.mp4", "b-text.mp4", "c-cut.mp4"}
    assert all(p["reason"] for p in summary.problems)
    found = look_up(tmp_path / "case")
    assert [e["exhibit"] for e in found["events"]] == ["d-good.mp4"]
    listed = {c["exhibit"]: c for c in found["coverage"]}
    assert {"a-empty.mp4", "b-text.mp4", "c-cut.mp4", "d-good.mp4"} <= set(listed), "rule C3: in the index, too"


def test_what_was_read_only_in_part_is_said_again_by_the_next_scan(visit: Path, tmp_path: Path) -> None:
    cut = film(tmp_path / "films" / "cut.mkv", 60, [(10, 40)])
    cut.write_bytes(cut.read_bytes()[: int(cut.stat().st_size * 0.6)])
    first = run([cut], tmp_path / "case")
    assert len(first.problems) == 1
    again = run([cut], tmp_path / "case")
    assert again.skipped == 1
    assert again.problems == first.problems


def test_a_file_is_one_exhibit_however_it_is_named(
    visit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run([visit], tmp_path / "case")
    monkeypatch.chdir(visit.parent)
    assert run([Path("visit.mp4")], tmp_path / "case").skipped == 1
    assert len(look_up(tmp_path / "case")["coverage"]) == 1


def test_a_missing_source_is_listed_unless_there_is_no_other(visit: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        run([tmp_path / "nowhere.mp4"], tmp_path / "case")
    assert not (tmp_path / "case").exists()
    summary = run([visit, tmp_path / "nowhere.mp4"], tmp_path / "case")
    assert [Path(p["path"]).name for p in summary.problems] == ["nowhere.mp4"]
    assert summary.events == 1


def test_a_turned_stream_is_detected_upright_and_indexed_as_stored(visit: Path, tmp_path: Path) -> None:
    """A player turns the picture; boxes stay in stored pixels."""
    from vidreview.detect.look import look
    from vidreview.model import Detections

    class Upright(RedDetector):
        def __init__(self) -> None:
            super().__init__()
            self.shapes: list[tuple[int, ...]] = []

        def detect(self, pictures: Any, size: int | None = None) -> list[Detections]:
            self.shapes += [p.shape for p in pictures]
            return super().detect(pictures, size)

    from tests.films import picture, wall

    stored = picture(50, [(30, 70)], wall())
    straight = look(RedDetector(), stored, 0, []).detections.boxes[0]
    for rotation in (90, 180, 270):
        detector = Upright()
        found = look(detector, stored, rotation, []).detections
        assert found.boxes[0] == pytest.approx(straight, abs=0.01), rotation
        wanted = (WIDTH, HEIGHT) if rotation != 180 else (HEIGHT, WIDTH)
        assert detector.shapes[-1][:2] == wanted


def test_the_record_names_everything_a_repeat_needs(visit: Path, tmp_path: Path) -> None:
    """Rule A6."""
    run([visit], tmp_path / "case", record={"argv": ["vidreview", "scan"], "reference": "NMC/1"})
    lines = [json.loads(line) for line in (tmp_path / "case" / "audit.jsonl").read_text().splitlines()]
    begin = next(line for line in lines if line["action"] == "scan-begins")["facts"]
    for name in ("version", "python", "packages", "decoders", "os", "cpu", "settings", "model_sha256", "argv"):
        assert begin[name], name
    assert begin["reference"] == "NMC/1"
    assert begin["settings_sha256"] == SETTINGS.sha256()


def test_sub_threshold_detections_are_kept(visit: Path, tmp_path: Path) -> None:
    """Rule E4."""
    import sqlite3

    run([visit], tmp_path / "case")
    with sqlite3.connect(f"file:{tmp_path / 'case' / 'case.db'}?mode=ro", uri=True) as db:
        count, least = db.execute("SELECT count(*), min(score) FROM detections").fetchone()
    assert count >= 6
    assert least <= 0.9


def test_a_picture_that_changes_size_within_a_stream_is_scanned_on(tmp_path: Path) -> None:
    import av

    from tests.films import picture, wall

    path = tmp_path / "films" / "sizes.h264"
    path.parent.mkdir()
    parts = []
    for number, (width, height) in enumerate(((320, 192), (640, 384), (160, 96))):
        context = av.CodecContext.create("libx264", "w")
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.options = Fraction(1, 10), {"preset": "ultrafast", "crf": "16", "bf": "0"}
        for k in range(50):
            frame = av.VideoFrame.from_ndarray(picture(k, [(10, 45)], wall(number)), format="bgr24")
            resized = frame.reformat(width, height, "yuv420p")
            resized.pts, resized.time_base = k, Fraction(1, 10)
            parts += [bytes(p) for p in context.encode(resized)]
        parts += [bytes(p) for p in context.encode(None)]
    path.write_bytes(b"".join(parts))
    summary = run([path], tmp_path / "case")
    found = look_up(tmp_path / "case")
    assert found["coverage"][0]["frames_presented"] == 150
    assert len(found["events"]) == 3
    assert summary.exhibits == 1


def test_only_frames_for_the_detector_are_made_into_colours(
    visit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidreview import colours

    made: list[int] = []
    honest = colours.to_bgr

    def counting(frame: Any) -> Any:
        made.append(1)
        return honest(frame)

    monkeypatch.setattr("vidreview.media.frames.to_bgr", counting)
    run([visit], tmp_path / "case")
    (stream,) = look_up(tmp_path / "case")["coverage"]
    assert len(made) == stream["detector_frames"] < stream["frames_presented"]


@pytest.mark.model
def test_a_scan_with_an_onnx_model_imports_neither_torch_nor_ultralytics(
    visit: Path, tmp_path: Path, model_path: Path
) -> None:
    import subprocess
    import sys

    program = (
        "import sys; from vidreview.cli import run; "
        f"status = run(['scan', {str(visit)!r}, '--case', {str(tmp_path / 'case')!r}, "
        f"'--model', {str(model_path)!r}]); "
        "print(status, sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'ultralytics', 'torchvision'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr


@pytest.mark.model
def test_a_scan_that_is_asked_to_end_says_so_and_goes_on_next_time(
    visit: Path, tmp_path: Path, model_path: Path
) -> None:
    import signal
    import subprocess
    import sys
    import time

    folder = tmp_path / "evidence"
    folder.mkdir()
    for k in range(40):
        (folder / f"{k:02d}.mp4").write_bytes(visit.read_bytes() + bytes([k]))
    program = "from vidreview.cli import main; main()"
    command = [sys.executable, "-c", program, "scan", str(folder), "--case", str(tmp_path / "case")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130, rest
    assert time.monotonic() - began < 30
    assert first.startswith("1/40")
    assert rest.splitlines()[-1].startswith("vidreview: interrupted; what was finished is kept")
    with Reader.open(tmp_path / "case") as reader:
        done = len(list(reader.events(EventQuery())))
    assert 1 <= done < 40
