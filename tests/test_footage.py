"""Whole scans of real clips, scored against what a person sees in them (../shared/footage, ../shared/mot)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import naive_search
from tests.conftest import Result
from vidreview.cli import run
from vidreview.index import Reader

pytestmark = [pytest.mark.footage, pytest.mark.model, pytest.mark.slow]

CLIPS = ("one-by-one-person-detection.mp4", "car-detection.mp4", "porch_vfr.mkv", "ir_animal_4k.mp4")


@pytest.fixture(scope="module")
def case(footage: Path, model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with every clip scanned once."""
    folder = tmp_path_factory.mktemp("footage") / "case"
    assert run(["scan", str(footage / "clips"), "--case", str(folder), "-q"]) == 0
    return folder


@pytest.fixture
def ask(cli: Callable[..., Result], case: Path) -> Callable[..., list[dict[str, Any]]]:
    """A listing command's JSON."""

    def call(*args: str) -> list[dict[str, Any]]:
        result = cli(*args, "--json", "--case", case)
        assert result.status == 0, result.err
        found: list[dict[str, Any]] = json.loads(result.out)
        return found

    return call


@pytest.mark.parametrize("clip", CLIPS)
def test_a_clip_scores_against_its_truth(
    clip: str, ask: Callable[..., list[dict[str, Any]]], shared: Path, tmp_path: Path
) -> None:
    events = ask("events", "--exhibit", clip)
    (tmp_path / "events.json").write_text(json.dumps(events))
    command = [sys.executable, str(shared / "tools" / "score_events.py"), str(tmp_path / "events.json")]
    command += [str(shared / "footage" / "truth.json"), clip]
    score = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert score["missed"] == []
    assert score["false_s"] <= 5.0
    assert score["motion_false_s"] <= 10.0
    assert score["worst_start_error_s"] <= 1.0
    wanted = {"one-by-one-person-detection.mp4": 6, "car-detection.mp4": 3, "porch_vfr.mkv": 1, "ir_animal_4k.mp4": 0}
    assert score["recognised"] >= wanted[clip]


def test_an_animal_is_neither_person_nor_vehicle(ask: Callable[..., list[dict[str, Any]]]) -> None:
    assert ask("events", "--exhibit", "ir_animal_4k.mp4", "--class", "person", "--class", "vehicle") == []
    assert ask("events", "--exhibit", "ir_animal_4k.mp4", "--class", "motion")


def test_nineteen_people_are_covered_by_person_tracks(ask: Callable[..., list[dict[str, Any]]], shared: Path) -> None:
    boxes: dict[int, list[list[float]]] = {}
    for track in ask("tracks", "--exhibit", "pets09_s2l1.mp4", "--class", "person"):
        for seconds, *box in track["path"]:
            boxes.setdefault(round(seconds * 10) + 1, []).append(box)
    covered: dict[int, list[bool]] = {}
    for frame, person, x, y, w, h, valid in np.loadtxt(shared / "mot/PETS09-S2L1/gt.txt", delimiter=",")[:, :7]:
        if valid:
            hit = any(_iou((x, y, x + w, y + h), box) >= 0.5 for box in boxes.get(int(frame), []))
            covered.setdefault(int(person), []).append(hit)
    assert len(covered) == 19
    shares = {person: sum(hits) / len(hits) for person, hits in covered.items()}
    assert min(shares.values()) >= 0.5, shares


def test_parked_vehicles_are_not_an_event_each_time_something_else_moves(
    ask: Callable[..., list[dict[str, Any]]],
) -> None:
    events = ask("events", "--exhibit", "pets09_s2l1.mp4", "--class", "vehicle")
    tracks = ask("tracks", "--exhibit", "pets09_s2l1.mp4", "--class", "vehicle", "--all")
    assert len(events) <= 3, "a white van and two blue cars stand there throughout"
    assert 1 <= len(tracks) <= 6, "each of them is one track, or few"


def test_every_tick_of_every_clip_is_accounted_for(ask: Callable[..., list[dict[str, Any]]]) -> None:
    for stream in ask("coverage"):
        assert sum(stream["states"].values()) == pytest.approx(stream["duration_s"], abs=1e-6)
        assert stream["states"]["analysed_s"] == pytest.approx(stream["duration_s"], abs=1e-6), stream


def test_a_second_scan_repeats_nothing_and_changes_nothing(
    cli: Callable[..., Result], case: Path, footage: Path, ask: Callable[..., list[dict[str, Any]]]
) -> None:
    before = ask("events")
    result = cli("scan", footage / "clips", "--case", case, "--json", "-q")
    assert result.status == 0
    summary = json.loads(result.out)
    assert (summary["exhibits"], summary["events"], summary["seconds_of_footage"]) == (5, 0, 0.0)
    assert ask("events") == before


def test_all_odd_recordings_are_read_or_listed(
    odd_files: Path, model_path: Path, tmp_path: Path, cli: Callable[..., Result]
) -> None:
    result = cli("scan", odd_files, "--case", tmp_path / "case", "--json", "-q")
    assert result.status == 3
    assert "Traceback" not in result.err
    unread = {Path(p["path"]).name for p in json.loads(result.out)["problems"]}
    assert {"empty.mp4", "text_named.mp4", "no_moov.mp4"} <= unread
    events = json.loads(cli("events", "--json", "--class", "person", "--case", tmp_path / "case").out)
    walked = {e["exhibit"].rsplit("/", 1)[-1] for e in events}
    readable = {p.name for p in odd_files.iterdir()} - {"empty.mp4", "text_named.mp4", "no_moov.mp4"}
    assert walked == readable
    # the two recordings joined in one file, and the two sides of a break, are two appearances each
    for name in ("pts_reset.ts", "gap.mkv", "dahua_gap60s.dav"):
        assert len([e for e in events if e["exhibit"].endswith(name)]) == 2, name
    for stream in json.loads(cli("coverage", "--json", "--case", tmp_path / "case").out):
        assert sum(stream["states"].values()) == pytest.approx(stream["duration_s"], abs=1e-6), stream["exhibit"]


def test_odd_recordings_best_first_give_the_same_index(
    odd_files: Path, model_path: Path, tmp_path: Path, cli: Callable[..., Result]
) -> None:
    """Whatever the file, looking at its busiest stretches first neither fails nor changes what is found."""
    found = []
    for order in ("time", "best-first"):
        result = cli("scan", odd_files, "--case", tmp_path / order, "--order", order, "--json", "-q")
        assert result.status == 3
        assert "Traceback" not in result.err
        with Reader.open(tmp_path / order) as reader:
            found.append((json.loads(result.out)["problems"], _dump(reader)))
    assert found[0] == found[1]


def test_the_index_is_the_same_on_every_run(footage: Path, model_path: Path, tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        assert run(["scan", str(footage / "clips" / "porch_vfr.mkv"), "--case", str(tmp_path / name), "-q"]) == 0
        with Reader.open(tmp_path / name) as reader:
            found.append(_dump(reader))
    assert found[0] == found[1]


def _dump(reader: Reader) -> str:
    from vidreview.index import EventQuery, TrackQuery

    rows = [list(reader.events(EventQuery())), list(reader.tracks(TrackQuery())), list(reader.coverage())]
    return json.dumps(rows, default=str)


def _iou(a: tuple[float, ...], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


@pytest.mark.parametrize(
    ("region", "people"), [((0, 346, 307, 346, 307, 576, 0, 576), 2), ((461, 173, 768, 173, 768, 346, 461, 346), 18)]
)
def test_a_region_finds_the_people_who_were_in_it(
    region: tuple[int, ...], people: int, ask: Callable[..., list[dict[str, Any]]], shared: Path
) -> None:
    """Those whose feet the truth has there: all but one in ten are found, and nobody is who never was there."""
    truth: dict[int, list[list[float]]] = {}
    for line in (shared / "mot" / "PETS09-S2L1" / "gt.txt").read_text().splitlines():
        frame, person, x, y, width, height = map(float, line.split(",")[:6])
        truth.setdefault(int(person), []).append([(frame - 1) / 10, x, y, x + width, y + height])
    corners = naive_search.exact(list(zip(region[::2], region[1::2], strict=True)))
    there = {
        person: path
        for person, path in truth.items()
        if naive_search.visit(naive_search.pieces(sorted(path), 768, 576, 0), corners) is not None
    }
    assert len(there) == people
    chosen = ["--class", "person", "--exhibit", "pets09_s2l1.mp4", "--region", ",".join(map(str, region))]
    found = [{round(at * 10): box for at, *box in track["path"]} for track in ask("tracks", *chosen)]
    seen = {person for person, path in there.items() if any(_together(path, track) for track in found)}
    assert len(seen) >= 0.9 * people, sorted(set(there) - seen)
    strangers = [track for track in found if not any(_together(path, track) for path in there.values())]
    assert len(strangers) <= 0.1 * len(found)


def _together(path: list[list[float]], track: dict[int, list[float]]) -> bool:
    """A person of the truth and a track are on each other at some time (IoU above a half)."""
    for seconds, x1, y1, x2, y2 in path:
        a, b, c, d = track.get(round(seconds * 10), (0, 0, 0, 0))
        both = max(0, min(x2, c) - max(x1, a)) * max(0, min(y2, d) - max(y1, b))
        if both > ((x2 - x1) * (y2 - y1) + (c - a) * (d - b) - both) / 2:
            return True
    return False


def test_the_burned_in_clock_finds_who_was_at_the_door(
    ask: Callable[..., list[dict[str, Any]]], cli: Callable[..., Result], case: Path
) -> None:
    """The picture of the porch shows 11:49:05 at PTS 19.01, which is 1.199 s of stream time."""
    said = ["--at", "1.199", "--shown", "2019-09-29T11:49:05", "--uncertainty", "0.1", "--by", "A. Examiner"]
    assert cli("clock", "add", "porch_vfr.mkv", *said, "--case", case).status == 0
    chosen = ("events", "--class", "person", "--exhibit", "porch_vfr.mkv", "--time-of-day")
    assert len(ask(*chosen, "11:49:04-11:49:05")) == 1
    assert ask(*chosen, "11:49:12-11:50:00") == [], "the porch is empty from 4.4 s on"
