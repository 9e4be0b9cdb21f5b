"""What a report says of clocks, activity, method and recall."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Result
from tests.films import film
from tests.test_pipeline import run
from tests.test_report import data, make
from vidreview.errors import UsageError
from vidreview.index import EventQuery, Reader
from vidreview.report import activity, heat
from vidreview.report.courses import Tracked
from vidreview.report.facts import Wanted, gather
from vidreview.report.method import load_validation, recall
from vidreview.report.pictures import Upright, crop_around
from vidreview.report.walltime import clock_facts
from vidreview.validate import Validation

Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clocks")
    film(folder / "evidence" / "visit.mp4", 100, [(30, 70)])
    run([folder / "evidence"], folder / "case")
    return folder / "case"


def gathered(case: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with Reader.open(case) as reader:
        found = gather(reader, Wanted(reader.events(EventQuery()), (), "vidreview report", "2026-03-16T09:30:00.000Z"))
    return found.facts, found.events


def test_an_unknown_clock_stays_unknown(scanned: Path) -> None:
    """Rule B5: no reading, no wall-clock time, anywhere in the report, and the words say so."""
    facts, events = gathered(scanned)
    clock = facts["streams"][0]["clock"]
    assert (clock["known"], clock["segments"]) == (False, [])
    assert clock["shown_start_ms"] is clock["corrected_start_ms"] is clock["utc_start_ms"] is None
    assert "unknown" in clock["words"][0]
    assert facts["streams"][0]["activity_by_hour"] is None
    assert [(event["shown"], event["corrected"], event["utc"]) for event in events] == [(None, None, [])]


def test_a_clock_that_runs_fast_says_so_and_all_three_times_are_there(scanned: Path, tmp_path: Path, cli: Cli) -> None:
    """Rules B2, B3: displayed, corrected and UTC, each with its bound, and the sign of the offset in words."""
    import shutil

    case = Path(shutil.copytree(scanned, tmp_path / "case"))
    result = cli(
        *("clock", "add", "visit.mp4", "--case", case, "--at", "0", "--shown", "2026-03-14 23:58:07"),
        *("--reference", "2026-03-14 23:56:00", "--source", "speaking clock", "--zone", "Europe/London"),
        *("--by", "A. Examiner", "--uncertainty", "1"),
    )
    assert result.status == 0, result.err
    facts, events = gathered(case)
    clock = facts["streams"][0]["clock"]
    assert clock["known"]
    assert clock["shown_start_ms"] - clock["corrected_start_ms"] == 127_000
    assert clock["utc_start_ms"] == clock["corrected_start_ms"], "London has no offset in March"
    assert clock["uncertainty_s"] >= 1.0
    assert any("2 min 07 s FAST; subtract" in words for words in clock["words"])
    assert clock["segments"][0]["start_s"] == 0.0
    assert events[0]["shown"][0].startswith("2026-03-14T23:58:10")
    assert events[0]["corrected"][0].startswith("2026-03-14T23:56:03")
    assert events[0]["utc"][0][0].startswith("2026-03-14T23:56:03")
    (hour,) = facts["streams"][0]["activity_by_hour"]
    assert hour["hour"] % 3_600_000 == 0
    assert hour["person"] == pytest.approx(events[0]["end_s"] - events[0]["start_s"], abs=0.01)


class Clocks:
    """A recorder's clock that is set back one hour after 5000 s of a stream, as at the end of summer time."""

    observations: tuple[()] = ()
    recorders: tuple[()] = ()

    def times(self, row: int, start_s: float, end_s: float) -> dict[str, Any]:
        zero = np.datetime64("2026-10-25T00:00:00.000")
        elapsed = np.timedelta64(round(start_s * 1000), "ms")
        shown = str(zero + elapsed - (np.timedelta64(3600, "s") if start_s >= 5000 else np.timedelta64(0, "s")))
        utc = str(zero + elapsed - np.timedelta64(3600, "s")) + "Z"
        bound = dict.fromkeys(("shown_uncertainty_s", "corrected_uncertainty_s", "utc_uncertainty_s"), 1.0)
        return {"start_shown": shown, "start_corrected": None, "start_utc": utc, "time_source": "C0001"} | bound


def test_a_clock_change_within_a_stream_begins_a_new_segment() -> None:
    """The displayed hour is repeated: two segments, met to the second, and the step in words."""
    clock = clock_facts(Clocks(), 1, "a.mp4", 0, 20_000.0, [])  # type: ignore[arg-type]
    first, second = clock["segments"]
    assert first["start_s"] == 0.0
    assert second["start_s"] == pytest.approx(5000.0, abs=1.0)
    assert first["end_s"] == second["start_s"]
    assert second["shown_ms"] - first["shown_ms"] == pytest.approx(5_000_000 - 3_600_000, abs=1500)
    assert second["utc_ms"] - first["utc_ms"] == pytest.approx(5_000_000, abs=1500)
    (step,) = clock["steps"]
    assert "back by 3600 s" in step["words"]


def test_seconds_in_view_are_counted_once_and_in_their_hour() -> None:
    """Two people at once are one second of person; an event over the turn of the hour counts in both."""
    events = [
        {"class": "person", "start_s": 3590.0, "end_s": 3610.0},
        {"class": "person", "start_s": 3595.0, "end_s": 3600.0},
        {"class": "vehicle", "start_s": 7300.0, "end_s": 7310.0},
    ]
    assert activity.by_stream_hour(events, 4 * 3600.0) == [
        {"hour": 0, "person": 10.0, "vehicle": 0.0, "motion": 0.0},
        {"hour": 1, "person": 10.0, "vehicle": 0.0, "motion": 0.0},
        {"hour": 2, "person": 0.0, "vehicle": 10.0, "motion": 0.0},
        {"hour": 3, "person": 0.0, "vehicle": 0.0, "motion": 0.0},
    ]


def test_seconds_by_the_clock_are_those_that_the_clock_told() -> None:
    """Rules B4, B5: what lies where the clock is unknown is in no hour; an hour that was shown twice holds both."""
    segments = [
        {"start_s": 0.0, "end_s": 3600.0, "shown_ms": 7_200_000, "corrected_ms": None},
        {"start_s": 3600.0, "end_s": 7200.0, "shown_ms": 7_200_000, "corrected_ms": None},
        {"start_s": 9000.0, "end_s": 9100.0, "shown_ms": None, "corrected_ms": 21_600_000},
    ]
    events = [
        {"class": "person", "start_s": 10.0, "end_s": 30.0},
        {"class": "person", "start_s": 3610.0, "end_s": 3620.0},
        {"class": "person", "start_s": 7195.0, "end_s": 9010.0},
    ]
    assert activity.by_clock_hour(events, segments) == [
        {"hour": 7_200_000, "person": 35.0, "vehicle": 0.0, "motion": 0.0},
        {"hour": 21_600_000, "person": 10.0, "vehicle": 0.0, "motion": 0.0},
    ]


def course(*points: tuple[float, float, float, float, float]) -> Tracked:
    table = np.array(points)
    return Tracked(1, "person", "person", table[:, 0], table[:, 1:].astype(np.float32))


def test_dwell_is_the_time_that_boxes_covered_a_place() -> None:
    """Ten seconds in one place are ten seconds there, in every cell of the box and in no other."""
    upright = Upright(320, 200)
    still = course(*[(k / 10, 100, 50, 140, 150) for k in range(101)])
    found = heat.dwell([still], upright)
    assert found.shape == (200, 320)
    assert found[60:140, 105:135] == pytest.approx(10.1)
    assert found[:49].max() == 0.0
    assert found[:, 141:].max() == 0.0
    everywhere = course((0.0, 0, 0, 320, 200), (5.0, 0, 0, 320, 200))
    assert heat.dwell([everywhere], upright).max() == 0.0, "a change of light is no place"
    assert heat.heat(heat.dwell([], upright), (320, 200)) is None


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_turn_as_pictures_do(rotation: int) -> None:
    """What lies in a box of the stored picture lies in the turned box of the upright one, pixels made square."""
    from fractions import Fraction

    upright = Upright(400, 200, rotation, Fraction(2, 1))
    stored = np.zeros((200, 400, 3), np.uint8)
    stored[40:80, 100:180] = 255
    shown = upright.picture(stored)
    assert (shown.shape[1], shown.shape[0]) == upright.size
    (box,) = upright.boxes(np.array([[100, 40, 180, 80]], np.float32))
    rows, columns = np.nonzero(shown[..., 0] > 200)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == pytest.approx(tuple(box), abs=1)


def test_crops_hold_what_they_are_about_and_are_never_enlarged() -> None:
    """A person of 40 pixels fills a good part of the thumb; the crop stays in the picture and in its proportions."""
    size = (1280, 720)
    x, y, across, down = crop_around(np.array([[1250, 10, 1266, 50]], np.float32), size, 240)
    assert 0 <= x <= x + across <= 1280
    assert 0 <= y <= y + down <= 720
    assert across >= 240
    assert across / down == pytest.approx(1280 / 720, rel=0.01)
    assert x <= 1250
    assert x + across >= 1266
    assert across < 400
    assert crop_around(np.zeros((0, 4), np.float32), size, 240) == (0, 0, 1280, 720)


METHOD = {
    "version": "0.1.0",
    "model": "yolo26n",
    "model_sha256": "b" * 64,
    "settings": {"detect_size": 640},
    "settings_sha256": "a" * 64,
}
RUN = {"run": 1, "version": "0.1.0", "model_sha256": "b" * 64, "settings_sha256": "a" * 64}


def validation(path: Path, **changes: Any) -> Path:
    score = {"true": 11, "found": 10, "recognised": 9, "footage_s": 139.4}
    document = {"total": score, "clips": [{"clip": "six-people.mp4", "score": score}], "method": METHOD} | changes
    path.write_text(json.dumps(document))
    return path


def test_recall_has_its_denominator_its_footage_and_its_interval(tmp_path: Path) -> None:
    """Rule E6: the method's measured recall on named footage with a 95 % interval (Clopper–Pearson)."""
    found = recall(load_validation(validation(tmp_path / "v.json")), [RUN])
    assert "10 of 11 (90.9 %, 95 % interval 58.7 to 99.8 %)" in found["words"]
    assert found["rows"][0]["clip"] == "six-people.mp4"
    assert found["rows"][0]["interval"] == pytest.approx([0.587, 0.998], abs=1e-3)
    assert (found["stale"], found["why"]) == (False, None)
    unmeasured = recall(None, [RUN])
    assert "was not measured" in unmeasured["words"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": "0.0.9"}, "vidreview 0.0.9"),
        ({"model_sha256": "c" * 64}, "another model"),
        ({"settings_sha256": "d" * 64, "settings": {"detect_size": 1280}}, "other settings"),
    ],
)
def test_recall_of_another_method_is_stale(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """Rule E6: once tool, model or settings differ, the figure is marked stale, with what differs."""
    found = recall(load_validation(validation(tmp_path / "v.json", method=METHOD | change)), [RUN])
    assert found["stale"]
    assert "STALE" in found["words"]
    assert words in found["why"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"total": {"found": 3, "true": 2}, "clips": [], "method": {"version": "1"}}',
        b'{"total": {"found": 2, "true": 2}, "clips": [], "method": {"version": "1"}}',
        b'{"total": {"found": true, "true": 2}, "clips": [], "method": {"version": "1"}}',
    ],
)
def test_what_is_no_validation_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that 'vidreview validate --json' did not write gives no figures, and the error says how to write one."""
    path = tmp_path / "v.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="vidreview validate"):
        load_validation(path)
    with pytest.raises(UsageError, match="cannot read"):
        load_validation(tmp_path / "none.json")


def test_what_validate_prints_is_read(tmp_path: Path, scanned: Path) -> None:
    """The form of ``vidreview validate --json`` and what the report reads of it are one."""
    from vidreview.cli.validate import _as_json
    from vidreview.validate import ClipResult, Gates, Score

    result = Validation((ClipResult("a.mp4", Score(true=4, found=3, recognised=3, footage_s=10.0)),), METHOD)
    path = tmp_path / "v.json"
    path.write_text(json.dumps(_as_json(result, Gates(), [])))
    found = recall(load_validation(path), [RUN])
    assert "3 of 4" in found["words"]


def test_the_report_says_what_the_method_cannot_see(scanned: Path, tmp_path: Path) -> None:
    """Rule E1: leads, never identifications; no detection is never worded as nothing happened."""
    import shutil

    case = Path(shutil.copytree(scanned, tmp_path / "case"))
    make(case, clips=False)
    facts, _ = data(case)
    text = " ".join([*facts["method"]["words"], *facts["method"]["limits"]])
    assert "identifies nobody" in text
    assert "No detection does not mean that nothing happened" in text
    for word in ("suspect", "identified", "nothing found", "enhanced"):
        assert word not in text.lower()
    assert facts["runs"][0]["settings"]["detect_size"] == 640
