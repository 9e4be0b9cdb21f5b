"""Annotated copies, and what ``vidreview clip`` makes of an event with --viewing, --annotated and --redact."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests import films
from tests.conftest import ROOT, Result
from tests.test_clips import check_manifest, index_film, parent_of
from tests.test_clips import film as small_film
from tests.test_copies import likeness, shown
from tests.test_redact import course_of, prepared
from vidreview.clips import view
from vidreview.clips.annotate import Annotation, _draw, _Label, _Pen, annotate
from vidreview.clips.courses import Course, Placer
from vidreview.clips.encode import Planes
from vidreview.errors import MediaError
from vidreview.media.source import Source

Cli = Callable[..., Result]


def lumas(path: Path) -> list[Any]:
    return shown(path)[1]


def test_boxes_are_around_the_object_and_only_within_the_tracks_span(tmp_path: Path) -> None:
    """Rule D5: nothing but boxes and labels differs from the clean copy, and the object's own pixels are free."""
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 5, 55)
    course = course_of(ready, (15, 45))
    course = replace(course, points=course.points[2:])
    record = annotate(ready, Annotation([course], frozenset({"T0001"}), lambda s: f"displayed {s:.1f}"), tmp_path)
    clean = view(Source, ready.parent, ready.request, tmp_path, prepared=ready)
    assert record.path.name == "E0007_ANNOTATED.mp4"
    assert shown(record.path)[0] == shown(clean.path)[0]
    placer = Placer(ready, course)
    inside, outside = 0, 0
    for number, (drawn, own) in enumerate(zip(lumas(record.path), lumas(clean.path), strict=True)):
        where = placer.at(ready.seconds(number))
        if where is None:
            assert likeness(drawn[:192], own) > 38
            outside += 1
            continue
        x1, y1, x2, y2 = (int(side) for side in where.box)
        assert likeness(drawn[:192], own) < 33
        if x2 - x1 > 12:
            assert likeness(drawn[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4], own[y1 + 4 : y2 - 4, x1 + 4 : x2 - 4]) > 30
            inside += 1
    assert (inside > 20, outside > 15) == (True, True)
    stored = json.loads(record.manifest.read_bytes())["annotation"]
    assert stored["clean"] == ["E0007_VIEW.mp4", "E0007_copy"]
    assert stored["drawn_on_frames"] == {"T0001 person": 51 - outside}
    band = lumas(record.path)[20][192:]
    assert len(band) >= stored["band_below_picture"]
    assert (band > 180).sum() > 100  # the times


def test_what_a_box_rests_on_is_seen_and_other_tracks_are_thinner(tmp_path: Path) -> None:
    pen = _Pen(320, 192, Fraction(1))
    ink = {}
    for how, own in (("detected", True), ("motion", True), ("between", True), ("detected", False)):
        sheet = Planes.empty(320, 192)
        pen.frame(sheet, (60, 40, 200, 140), (170, 60, 180), pen.line if own else 1, how)  # type: ignore[arg-type]
        ink[how, own] = int((sheet.luma > 100).sum())
        assert (sheet.luma[41:139, 61:199] == 16).all()
    assert ink["detected", True] > ink["motion", True] > ink["between", True]
    assert ink["detected", True] > 1.5 * ink["detected", False]


@pytest.mark.parametrize("size", [(352, 288), (1920, 1080), (3840, 2160)])
def test_labels_stay_in_the_picture_off_the_objects_and_are_large_enough(size: tuple[int, int]) -> None:
    width, height = size
    pen = _Pen(width, height, Fraction(1))
    assert pen.size >= 12
    assert pen.size * 50 >= height
    for box in (
        (0, 0, width // 8, height // 3),
        (width - 40, height - 60, width, height),
        (width / 2, 0, width / 2 + 30, height),
    ):
        sheet = Planes.empty(width, height)
        sides = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        _draw(pen, sheet, [_Label(sides, "person", "detected", "T0012 person", True)], height)
        x1, y1, x2, y2 = (int(side) for side in sides)
        assert (sheet.luma[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] == 16).all(), "the object is covered"
        across, down = pen.extent("T0012 person")
        assert (sheet.luma == 170).sum() > across * down // 2


def test_text_is_narrower_where_players_will_stretch_it() -> None:
    wide = _Pen(352, 288, Fraction(2)).extent("T0012 person")[0]
    assert wide < 0.75 * _Pen(352, 288, Fraction(1)).extent("T0012 person")[0]


def test_a_box_between_two_points_lies_where_time_says(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 5, 55)
    full = Placer(ready, course_of(ready, (10, 50)))
    sparse = Placer(ready, course_of(ready, (10, 50), every=6))
    for number in range(10, 40):
        seconds = ready.seconds(number)
        exact, laid = full.at(seconds), sparse.at(seconds)
        if laid is None:
            continue
        assert exact is not None
        assert laid.box == pytest.approx(exact.box, abs=3)
        assert laid.how in ("detected", "between")
    assert sparse.at(ready.seconds(0)) is None


def test_dropped_tracks_are_not_drawn(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 30, [(5, 25)])
    ready = prepared(path, 0, 25)
    course: Course = replace(course_of(ready, (5, 25)), dropped="seen once")
    record = annotate(ready, Annotation([course], frozenset()), tmp_path)
    assert record.document["annotation"]["drawn_on_frames"] == {}


# ---- the command


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two exhibits with an event each; no detector, as where the model is not installed."""
    from vidreview.errors import ModelError

    def missing(*_: Any) -> None:
        raise ModelError("the model is not here")

    monkeypatch.setattr("vidreview.detect.factory.load_detector", missing)
    (tmp_path / "evidence").mkdir()
    for name in ("a.mp4", "b.mkv"):
        index_film(tmp_path / "case", small_film(tmp_path / "evidence" / name, options={"g": "12", "bf": "2"}), 20, 40)
    return tmp_path / "case"


def test_viewing_writes_the_copy_its_manifest_and_their_entries(case: Path, cli: Cli) -> None:
    """Rule A3 for viewing copies."""
    result = cli("clip", "--all", "--case", case, "--viewing", "--before", "0.2", "-v")
    assert result.status == 0, result.err
    assert "clips/E0001_VIEW.mp4  a.mp4" in result.out
    assert "26 frames, viewing copy" in result.out
    assert sorted(check_manifest(case)) == [f"clips/E000{n}_VIEW.{kind}" for n in (1, 2) for kind in ("json", "mp4")]
    stored = json.loads((case / "clips" / "E0001_VIEW.json").read_bytes())
    assert stored["command"] == "vidreview clip E0001 --viewing --before 0.2 --after 0"
    assert stored["delivered"]["frames"] == 26


def test_annotated_always_comes_with_both_clean_files(case: Path, cli: Cli) -> None:
    """Rule D5."""
    result = cli("clip", "E0001", "--case", case, "--annotated", "--json")
    assert result.status == 0, result.err
    assert [item["kind"] for item in json.loads(result.out)] == ["clip", "viewing copy", "annotated copy"]
    assert sorted(path.name for path in (case / "clips").glob("*.mp4")) == [
        "E0001_ANNOTATED.mp4",
        "E0001_VIEW.mp4",
        "E0001_copy.mp4",
    ]
    assert len(check_manifest(case)) == 6


def test_an_annotated_copy_shows_the_recorders_time_where_it_is_known(case: Path, cli: Cli) -> None:
    plain = cli("clip", "E0001", "--case", case, "--annotated")
    assert plain.status == 0, plain.err
    before = lumas(case / "clips" / "E0001_ANNOTATED.mp4")[3]
    args = ("--at", "0", "--shown", "2024-03-01T12:00:00", "--by", "A. Tester")
    assert cli("clock", "add", "a.mp4", "--case", case, *args).status == 0
    assert cli("clip", "E0001", "--case", case, "--annotated").status == 0
    after = lumas(case / "clips" / "E0001_ANNOTATED.mp4")[3]
    assert (after[64:] > 150).sum() > 1.2 * (before[64:] > 150).sum()


def test_redact_keeps_the_track_that_is_named_and_says_what_it_did(case: Path, cli: Cli) -> None:
    result = cli("clip", "E0001", "E0002", "--case", case, "--redact", "persons", "--keep", "T0001")
    assert result.status == 0, result.err
    assert "persons covered: 0 intervals; kept tracks: T0001" in result.out
    assert "persons covered: 1 intervals; kept tracks: T0001" in result.out  # the other event's own track is covered
    assert "not in view here: T0001" in result.out
    assert "no detector looked at the copy (the model is not here)" in result.out
    stored = json.loads((case / "clips" / "E0002_REDACTED.json").read_bytes())
    (interval,) = stored["redaction"]["intervals"]
    assert (interval["object"], interval["from_frame"], interval["to_frame"]) == ("T0002", 0, 20)
    assert stored["command"] == (
        "vidreview clip E0002 --redact persons --keep T0001 --redact-with fill --before 0 --after 0"
    )
    picture = lumas(case / "clips" / "E0002_REDACTED.mp4")[10]
    assert np.abs(picture[6:36, 6:24].astype(int) - 80).max() < 12
    check = cli("verify", "--case", case)
    assert "E0002_REDACTED" not in check.err + check.out, check.out


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (("--keep", "T0001"), "go with --redact"),
        (("--redact-with", "blur"), "go with --redact"),
        (("--redact", "persons", "--keep", "T0099"), "the case has no track T0099"),
        (("--redact", "persons", "--keep", "\x1b[31m"), "is not a track"),
        (("--redact", "faces"), "is not one of"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_is_written(
    case: Path, cli: Cli, args: tuple[str, ...], text: str
) -> None:
    result = cli("clip", "E0001", "--case", case, *args)
    assert result.status == 2
    assert text in result.err
    assert "\x1b" not in result.err
    assert not (case / "clips").exists()


def test_a_copy_that_fails_does_not_end_the_batch(case: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    import vidreview.clips

    real = vidreview.clips.view

    def fails(opener: Any, parent: Any, wanted: Any, *rest: Any, **more: Any) -> Any:
        if wanted.name == "E0001":
            raise MediaError("a.mp4: no such luck")
        return real(opener, parent, wanted, *rest, **more)

    monkeypatch.setattr(vidreview.clips, "view", fails)
    result = cli("clip", "--all", "--case", case, "--annotated")
    assert result.status == 3
    assert "no such luck" in result.err
    assert "E0002_ANNOTATED" in result.out
    assert not (case / "clips" / "E0001_ANNOTATED.mp4").exists()  # never without the clean one


def test_a_kill_leaves_no_half_file_under_a_final_name_and_verify_says_so(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "evidence").mkdir()
    path = tmp_path / "evidence" / "a.mp4"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        noise = np.random.default_rng(1).integers(0, 255, (720, 1280, 3), np.uint8)
        for k in range(150):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.roll(noise, 7 * k, axis=1), format="rgb24")))
        output.mux(stream.encode(None))
    case = tmp_path / "case"
    index_film(case, path, 0, 149)
    command = [sys.executable, "-c", "from vidreview.cli import main; main()"]
    process = subprocess.Popen(
        [*command, "clip", "E0001", "--viewing", "--case", str(case)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    part = case / "clips" / "E0001_VIEW.mp4.part"
    until = time.monotonic() + 60
    while not part.exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    assert [file.name for file in (case / "clips").iterdir()] == [part.name]
    again = cli("clip", "E0001", "--viewing", "--case", case)
    assert again.status == 0, again.err
    assert sorted(file.name for file in (case / "clips").iterdir()) == ["E0001_VIEW.json", "E0001_VIEW.mp4"]


def test_two_at_once_write_one_after_the_other(case: Path) -> None:
    """One would write into the other's unfinished file, and both would call it evidence that cannot be read."""
    from vidreview.audit import AuditLog
    from vidreview.verify import verify

    command = [sys.executable, "-c", "from vidreview.cli import main; main()", "clip", "--all", "--case", str(case)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    extra = ("0", "0.3", "0.6", "0.9")
    started = [
        subprocess.Popen(
            [*command, "--viewing", "--before", before], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )
        for before in extra
    ]
    for process in started:
        said = process.communicate(timeout=120)[1]
        assert (process.returncode, said) == (0, "")
    assert sum(entry["action"] == "derived" for entry in AuditLog(case / "audit.jsonl").entries()) == 4 * len(extra)
    assert [one for one in verify(case).faults if one.kind == "derived"] == []


def test_a_hostile_name_is_harmless_in_copies(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "evidence").mkdir()
    name = '"><img src=x onerror=alert(1)>\x1b[2J.mp4'
    plain = small_film(tmp_path / "plain.mp4")
    path = tmp_path / "evidence" / name
    path.write_bytes(plain.read_bytes())
    index_film(tmp_path / "case", path, 10, 20)
    result = cli("clip", "E0001", "--viewing", "--case", tmp_path / "case")
    assert result.status == 0, result.err
    assert "\x1b" not in result.out
    with av.open(str(tmp_path / "case" / "clips" / "E0001_VIEW.mp4")) as copy:
        assert "onerror" not in str(copy.metadata)
    stored = json.loads((tmp_path / "case" / "clips" / "E0001_VIEW.json").read_bytes())
    assert stored["exhibit"]["name"] == name
    assert parent_of(path).sha256 == stored["exhibit"]["sha256"]
