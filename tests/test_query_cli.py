"""What `vidreview events`, `tracks` and `coverage` print of a case: the contract that scripts rely on."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Result
from tests.test_index import RECORD, event, fill, stream_info, track
from vidreview.cli.common import parse_seconds
from vidreview.index import Case, EventQuery, Identity, Listed, Reader, TrackQuery
from vidreview.model import Problem

Cli = Callable[..., Result]

STATES = ("analysed", "undecodable", "gap", "not_requested")
NOWHERE = {"at_s": None, "pts": None, "end_pts": None, "byte": None}


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Two exhibits with two events each, one that could not be read, one that was not finished."""
    folder = tmp_path / "case"
    with Case.open(folder, create=True) as opened:
        run = opened.begin_run(RECORD)
        fill(opened, run=run)
        fill(opened, os.fsdecode(b"yard [2]\xff.mp4"), "b" * 64, run=run)
        empty = Identity("empty.mp4", Path("/evidence/empty.mp4"))
        opened.list_files(run, [Listed(empty, "failed", "the file is empty (0 bytes)")])
        exhibit = opened.begin_exhibit(run, Identity("c.mp4", Path("/evidence/c.mp4"), 9, 9, "c" * 64))
        opened.add_stream(exhibit, stream_info(problems=(Problem("gap", "no frames for 2 s", 1.0),)))
        opened.finish_run(run, "done", {})
    return folder


def listed(result: Result) -> Any:
    assert result.status == 0, result.err
    return json.loads(result.out)


def test_events_json_is_the_contract(case: Path, cli: Cli) -> None:
    (case / "stills").mkdir()
    (case / "stills" / "E0001.png").write_bytes(b"x")
    found = listed(cli("events", "--case", case, "--json"))
    assert [item["id"] for item in found] == ["E0001", "E0002", "E0003", "E0004"]
    assert list(found[0].items()) == [
        ("id", "E0001"),
        ("exhibit", "a.mp4"),
        ("exhibit_sha256", "a" * 64),
        ("reference", "NMC/1"),
        ("stream", 0),
        ("class", "person"),
        ("label", "person"),
        ("start_pts", 6400),
        ("end_pts", 25600),
        ("time_base", "1/12800"),
        ("start_s", 0.5),
        ("end_s", 2.0),
        ("start_shown", None),
        ("end_shown", None),
        ("shown_uncertainty_s", None),
        ("start_corrected", None),
        ("end_corrected", None),
        ("corrected_uncertainty_s", None),
        ("start_utc", None),
        ("end_utc", None),
        ("utc_candidates", []),
        ("utc_uncertainty_s", None),
        ("time_source", None),
        ("peak_s", 1.2),
        ("max_count", 1),
        ("tracks", ["T0002"]),
        ("score", 0.5),
        ("still", "stills/E0001.png"),
        ("review", "unreviewed"),
        ("review_by", None),
        ("review_utc", None),
        ("review_note", None),
        ("provisional", False),
    ]
    assert found[1]["score"] is None
    assert found[1]["still"] is None
    assert found[2]["exhibit"] == os.fsdecode(b"yard [2]\xff.mp4")


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (["--class", "person"], "1 3"),
        (["--class", "person", "--class", "motion"], "1 2 3 4"),
        (["--class", "vehicle"], ""),
        (["--exhibit", "a.mp4"], "1 2"),
        (["--exhibit", "y*"], "3 4"),
        (["--exhibit", os.fsdecode(b"yard [2]\xff.mp4")], "3 4"),
        (["--exhibit", "a.*", "--exhibit", "yard*"], "1 2 3 4"),
        (["--since", "2.0", "--exhibit", "a*"], "1 2"),
        (["--since", "00:00:02.001", "--exhibit", "a*"], "2"),
        (["--until", "0.5", "--exhibit", "a*"], "1"),
        (["--until", "0.49", "--exhibit", "a*"], ""),
        (["--min-duration", "1.4"], "1 3"),
        (["--min-score", "0.5"], "1 3"),
        (["--min-score", "0.51"], ""),
        (["--order", "duration"], "1 3 2 4"),
        (["--order", "score"], "1 3 2 4"),
        (["--order", "peak"], "1 2 3 4"),
        (["--order", "count"], "1 2 3 4"),
        (["--limit", "3"], "1 2 3"),
        (["--order", "duration", "--limit", "1", "--class", "motion"], "2"),
    ],
)
def test_events_are_filtered_and_ordered(case: Path, cli: Cli, filters: list[str], wanted: str) -> None:
    found = listed(cli("events", "--case", case, "--json", *filters))
    assert [item["id"] for item in found] == [f"E{int(number):04d}" for number in wanted.split()]


def test_a_review_shows_the_latest_state(case: Path, cli: Cli) -> None:
    with Case.open(case) as opened:
        for state in ("unsure", "relevant"):
            opened._db.execute(
                "INSERT INTO reviews (event, state, by, at_utc) VALUES (2, ?, 'A. Examiner', '2026-01-01T00:00:00Z')",
                (state,),
            )
    assert [item["review"] for item in listed(cli("events", "--case", case, "--json"))][:2] == [
        "unreviewed",
        "relevant",
    ]


def test_the_table_says_what_it_is(case: Path, cli: Cli) -> None:
    result = cli("events", "--case", case)
    assert result.status == 0
    assert "E0001" in result.out
    assert "00:00:00.500" in result.out
    assert "4 events. These are leads" in result.out
    assert "2 exhibits were not read or not finished" in result.out
    assert "\x1b" not in result.out
    assert "yard [2]\\xff.mp4" in result.out


def test_an_empty_list_is_never_worded_as_nothing_happened(case: Path, cli: Cli) -> None:
    """Rule E1."""
    result = cli("events", "--case", case, "--class", "vehicle")
    assert result.status == 0
    assert "No events recorded that match these filters; 18.0 s of 20.0 s of footage were analysed" in result.out
    assert "leaves no record" in result.out
    assert "nothing" not in result.out.lower()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["events", "--exhibit", "z*"], "no exhibit of the case is named 'z*'"),
        (["events", "--since", "5", "--until", "4"], "--since 5 is later than --until 4"),
        (["events", "--since", "noon"], "cannot read 'noon' as a time"),
        (["events", "--class", "dog"], "dog"),
        (["events", "--limit", "0"], "limit"),
        (["events", "--min-score", "7"], "7"),
        (["tracks", "--format", "mot", "--json"], "exclude each other"),
        (["tracks", "--format", "mot"], "give --exhibit and --stream"),
        (["coverage", "--exhibit", "z"], "no exhibit of the case"),
        (["clip"], "name events"),
        (["clip", "E0001", "--all"], "name events"),
        (["clip", "E0099"], "the case has no event E0099; it has E0001 to E0004 (4)"),
        (["clip", "first"], "'first' is not an event"),
        (["still"], "name events"),
        (["still", "--at", "3"], "--at TIME needs --exhibit NAME"),
        (["still", "--exhibit", "a.mp4"], "go with --at"),
        (["still", "--at", "3", "--exhibit", "z"], "no exhibit of the case is named 'z'"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(case: Path, cli: Cli, arguments: list[str], message: str) -> None:
    result = cli(*arguments, "--case", case)
    assert result.status == 2
    assert message in result.err
    assert result.out == ""
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", [["events"], ["tracks"], ["coverage"], ["clip", "--all"], ["still", "--all"]])
def test_no_case_is_one_clear_line(tmp_path: Path, cli: Cli, command: list[str]) -> None:
    result = cli(*command, "--case", tmp_path / "none")
    assert result.status == 1
    assert "run 'vidreview scan SOURCE" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_tracks_json_is_the_contract(case: Path, cli: Cli) -> None:
    found = listed(cli("tracks", "--case", case, "--json", "--exhibit", "a.mp4"))
    assert [item["id"] for item in found] == ["T0002", "T0001"]
    fields = (
        "id exhibit stream class start_pts end_pts time_base start_s end_s start_shown end_shown shown_uncertainty_s "
        "start_corrected end_corrected corrected_uncertainty_s start_utc end_utc utc_candidates utc_uncertainty_s "
        "time_source score detections first_box last_box path"
    )
    assert list(found[0]) == fields.split()
    assert found[0]["first_box"] == [15.0, 20.0, 35.0, 60.0]
    assert found[0]["last_box"] == [30.0, 20.0, 50.0, 60.0]
    assert found[0]["path"][1] == [0.6, 16.0, 20.0, 36.0, 60.0]
    assert len(found[0]["path"]) == 16


def test_dropped_tracks_are_listed_with_their_reason_when_asked_for(case: Path, cli: Cli) -> None:
    """Rule E4."""
    found = listed(cli("tracks", "--case", case, "--json", "--exhibit", "a.mp4", "--all"))
    assert {item["id"]: item["dropped"] for item in found} == {
        "T0001": None,
        "T0002": None,
        "T0003": "shorter than 0.3 s",
    }
    table = cli("tracks", "--case", case, "--all")
    assert "shorter than 0.3 s" in table.out
    assert "6 tracks. These are leads" in table.out
    assert "shorter" not in cli("tracks", "--case", case).out


def test_mot_text_is_by_frame_and_counts_from_one(case: Path, cli: Cli) -> None:
    result = cli("tracks", "--case", case, "--exhibit", "a.mp4", "--stream", "0", "--format", "mot")
    lines = result.out.splitlines()
    assert result.status == 0
    assert len(lines) == 16 + 11
    assert lines[0] == "6,2,15.00,20.00,20.00,40.00,0.5,-1,-1,-1"
    assert [int(line.split(",")[0]) for line in lines] == sorted(int(line.split(",")[0]) for line in lines)


def test_coverage_json_is_the_contract_and_lists_what_could_not_be_read(case: Path, cli: Cli) -> None:
    """Rules C3 and E2."""
    ledger = listed(cli("coverage", "--case", case, "--json"))
    assert ledger[0] == {
        "exhibit": "a.mp4",
        "stream": 0,
        "time_base": "1/12800",
        "duration_s": 10.0,
        "ticks": {"duration": 128000, "analysed": 115200, "undecodable": 6400, "gap": 6400, "not_requested": 0},
        "frames_presented": 95,
        "states": {"analysed_s": 9.0, "undecodable_s": 0.5, "gap_s": 0.5, "not_requested_s": 0.0},
        "frames": {"decoded": 95, "damaged": 2, "missing": 5},
        "detector_frames": 20,
        "problems": [
            {
                "kind": "damage",
                "reason": "5 pictures are missing",
                "at_s": 3.0,
                "pts": 38400,
                "end_pts": 44800,
                "byte": 564,
            }
        ],
    }
    unread = next(item for item in ledger if item["exhibit"] == "empty.mp4")
    assert unread["stream"] is None
    assert unread["problems"] == [{"kind": "unreadable", "reason": "the file is empty (0 bytes)"} | NOWHERE]
    unfinished = next(item for item in ledger if item["exhibit"] == "c.mp4")
    assert [problem["kind"] for problem in unfinished["problems"]] == ["gap", "unfinished"]
    for item in ledger:
        assert round(sum(item["states"].values()), 6) == item["duration_s"]
        assert sum(item["ticks"][state] for state in STATES) == item["ticks"]["duration"]


def test_the_coverage_table_names_each_problem(case: Path, cli: Cli) -> None:
    out = cli("coverage", "--case", case).out
    assert "a.mp4 stream 0 at 00:00:03.000, PTS 38400 to 44800, byte 564: damage: 5 pictures are missing" in out
    assert "empty.mp4: unreadable: the file is empty (0 bytes)" in out
    assert "18.0 s of 30.0 s of footage analysed; 1 exhibit could not be read, of unknown length." in out


def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path, cli: Cli) -> None:
    with Case.open(tmp_path, create=True) as opened:
        fill(opened, "a\x1b[31m\n.mp4")
    for command in ("events", "tracks", "coverage"):
        out = cli(command, "--case", tmp_path).out
        assert "\x1b" not in out
        assert "a\\x1b[31m\\n.mp4" in out


def fingerprint(folder: Path) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_reading_leaves_the_case_as_it_was(case: Path, cli: Cli) -> None:
    before = fingerprint(case)
    for command in ("events", "tracks", "coverage"):
        assert cli(command, "--case", case).status == 0
    assert fingerprint(case) == before


def test_a_case_is_read_while_a_scan_writes_to_it(tmp_path: Path, cli: Cli) -> None:
    with Case.open(tmp_path, create=True) as opened:
        exhibit = fill(opened, finish=False)
        assert len(listed(cli("events", "--case", tmp_path, "--json"))) == 2
        opened.finish_exhibit(exhibit)
        opened.number(exhibit)
        fill(opened, "b.mp4", "b" * 64)
        assert len(listed(cli("events", "--case", tmp_path, "--json"))) == 4
    assert len(listed(cli("events", "--case", tmp_path, "--json"))) == 4


def test_a_listing_imports_nothing_heavy_and_answers_at_once(case: Path) -> None:
    program = (
        "import sys; from vidreview.cli import run; status = run(['events', '--case', sys.argv[1], '--json'])\n"
        "heavy = {'numpy', 'av', 'cv2', 'numba', 'rich', 'onnxruntime', 'torch'} & set(sys.modules)\n"
        "sys.exit(f'{heavy} {status}' if heavy or status else 0)"
    )
    took = []
    for _ in range(3):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", program, str(case)], capture_output=True, text=True, check=False, timeout=60
        )
        took.append(time.monotonic() - began)
        assert done.returncode == 0, done.stderr
    assert min(took) < 0.5


def test_a_large_case_is_listed_quickly(tmp_path: Path) -> None:
    with Case.open(tmp_path, create=True) as opened:
        run = opened.begin_run(RECORD)
        exhibit = opened.begin_exhibit(run, Identity("a.mp4", Path("/a"), 1, 1, "a" * 64))
        stream = opened.add_stream(exhibit, stream_info())
        ids = opened.add_tracks(stream, [track(k, k + 5) for k in range(5000)])
        opened.add_events(stream, [event(k, k + 5, (k,)) for k in range(5000)], ids)
        opened.finish_exhibit(exhibit)
        opened.number(exhibit)
    began = time.monotonic()
    with Reader.open(tmp_path) as reader:
        assert len(reader.events(EventQuery(classes=("person",)))) == 5000
        assert len(list(reader.track_rows(TrackQuery()))) == 5000
    assert time.monotonic() - began < 2.0


def test_places_say_where_an_event_lies_in_frames(case: Path) -> None:
    with Reader.open(case) as reader:
        (place,) = reader.places([1])
        assert (place.first_frame, place.last_frame, place.peak_frame) == (5, 20, 12)
        assert place.stream.exhibit.path == Path("/evidence/a.mp4")
        assert place.stream.timed
        assert [p.number for p in reader.places()] == [1, 2, 3, 4]
        assert reader.places([]) == []


def test_every_command_has_help_with_an_example(cli: Cli) -> None:
    for command in ("events", "tracks", "coverage", "clip", "still"):
        result = cli(command, "--help")
        assert result.status == 0
        assert "Example" in result.out
        assert f"vidreview {command}" in result.out


def test_times_are_read_as_they_are_typed() -> None:
    assert parse_seconds("00:01:11.200") == pytest.approx(71.2)


def test_the_table_on_a_terminal_is_drawn(case: Path) -> None:
    import pty

    primary, secondary = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm", "COLUMNS": "150"}
    child = subprocess.Popen(
        [sys.executable, "-c", "from vidreview.cli import main; main()", "events", "--case", str(case)],
        stdout=secondary,
        env=environment,
    )
    os.close(secondary)
    out = b""
    try:
        while piece := os.read(primary, 65536):
            out += piece
    except OSError:  # Linux says so when the other side has closed
        pass
    finally:
        os.close(primary)
    assert child.wait(timeout=30) == 0
    assert "─".encode() in out
    assert b"E0004" in out
