"""`vidreview clock`, and what `vidreview events` and `tracks` say of time once a clock was recorded."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Result
from tests.test_index import RECORD, event, fill, rows, stream_info, track
from vidreview.audit import AuditLog
from vidreview.cli.clock import parse_wall
from vidreview.clocks import SECOND
from vidreview.errors import UsageError
from vidreview.index import Case, Identity, Listed, Reader, schema
from vidreview.model import FileInfo, Problem

Cli = Callable[..., Result]

CHECK = ["--shown", "2024-01-20 14:02:07", "--reference", "2024-01-20 14:00:00", "--source", "speaking clock"]
READING = ["--shown", "2024-01-15 22:00:00", "--at", "00:00:02"]
BY = ["--by", "A. Examiner"]
LONDON = ["--zone", "Europe/London"]
CLOCK_FIELDS = [
    *("start_shown", "end_shown", "shown_uncertainty_s"),
    *("start_corrected", "end_corrected", "corrected_uncertainty_s"),
    *("start_utc", "end_utc", "utc_candidates", "utc_uncertainty_s", "time_source"),
]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """Two exhibits, each with an event from 0.5 to 2 s and one from 5 to 6 s, and one that could not be read."""
    folder = tmp_path / "case"
    with Case.open(folder, create=True) as opened:
        run = opened.begin_run(RECORD)
        fill(opened, run=run)
        fill(opened, "b.mp4", "b" * 64, run=run)
        empty = Identity("empty.mp4", Path("/evidence/empty.mp4"))
        opened.list_files(run, [Listed(empty, "failed", "the file is empty (0 bytes)")])
    return folder


@pytest.fixture
def add(case: Path, cli: Cli) -> Callable[..., Result]:
    """Runs `vidreview clock add`, and expects it to work."""

    def call(exhibit: str, *arguments: str) -> Result:
        result = cli("clock", "add", exhibit, *arguments, *BY, "--case", case)
        assert result.status == 0, result.err
        return result

    return call


Add = Callable[..., Result]


def events(cli: Cli, case: Path, *filters: str) -> Any:
    result = cli("events", "--case", case, "--json", *filters)
    assert result.status == 0, result.err
    return json.loads(result.out)


def listed(cli: Cli, case: Path) -> Any:
    result = cli("clock", "list", "--case", case, "--json")
    assert result.status == 0, result.err
    return json.loads(result.out)


def nothing(item: dict[str, Any]) -> bool:
    return {name: item[name] for name in CLOCK_FIELDS} == {
        name: [] if name == "utc_candidates" else None for name in CLOCK_FIELDS
    }


# ---- what follows for events


def test_events_carry_displayed_corrected_and_utc_times(case: Path, cli: Cli, add: Add) -> None:
    """Rules B2 and B3: each with its bound, and where it comes from."""
    add("a.mp4", *CHECK, *LONDON)
    add("a.mp4", *READING)
    found = events(cli, case)
    assert {name: found[0][name] for name in CLOCK_FIELDS} == {
        "start_shown": "2024-01-15T21:59:58.500",
        "end_shown": "2024-01-15T22:00:00.000",
        "shown_uncertainty_s": 1.0,
        "start_corrected": "2024-01-15T21:57:51.500",
        "end_corrected": "2024-01-15T21:57:53.000",
        "corrected_uncertainty_s": 2.0,
        "start_utc": "2024-01-15T21:57:51.500Z",
        "end_utc": "2024-01-15T21:57:53.000Z",
        "utc_candidates": [{"start_utc": "2024-01-15T21:57:51.500Z", "end_utc": "2024-01-15T21:57:53.000Z"}],
        "utc_uncertainty_s": 2.0,
        "time_source": "C0002 read at 2 s; offset of C0001 (speaking clock), one check, so drift is unknown; "
        "zone Europe/London",
    }
    assert found[0]["start_s"] == 0.5
    assert all(nothing(item) for item in found[2:]), "nobody observed anything of b.mp4 (rule B5)"


def test_tracks_carry_the_same(case: Path, cli: Cli, add: Add) -> None:
    add("a.mp4", *CHECK, *READING[2:], *LONDON)
    tracks = json.loads(cli("tracks", "--case", case, "--json").out)
    first = next(item for item in tracks if item["id"] == "T0002")
    same = events(cli, case)[0]
    assert [first[name] for name in CLOCK_FIELDS] == [same[name] for name in CLOCK_FIELDS]
    assert first["start_utc"] == "2024-01-20T13:59:58.500Z"


def test_the_repeated_hour_gives_two_candidates(case: Path, cli: Cli, add: Add) -> None:
    """Rule B4: both are kept, in the table too."""
    add("a.mp4", *CHECK, *LONDON)
    add("a.mp4", "--shown", "2023-10-29 01:30:00", "--at", "2")
    first = events(cli, case)[0]
    assert (first["start_utc"], first["end_utc"], first["utc_uncertainty_s"]) == (None, None, 2.0)
    assert first["utc_candidates"] == [
        {"start_utc": f"2023-10-29T0{hour}:27:51.500Z", "end_utc": f"2023-10-29T0{hour}:27:53.000Z"} for hour in (0, 1)
    ]
    assert "two candidates" in first["time_source"]
    table = cli("events", "--case", case).out
    assert "2023-10-29 00:27:51.500Z or 2023-10-29 01:27:51.500Z ± 2 s" in table


def test_the_skipped_hour_gives_none(case: Path, cli: Cli, add: Add) -> None:
    """Rule B4: and the reason stands beside it."""
    add("a.mp4", *CHECK, *LONDON)
    add("a.mp4", "--shown", "2024-03-31 01:30:00", "--at", "2")
    first = events(cli, case)[0]
    assert (first["start_utc"], first["utc_candidates"], first["utc_uncertainty_s"]) == (None, [], None)
    assert first["start_shown"] == "2024-03-31T01:29:58.500"
    assert "2024-03-31 01:30:00 does not exist" in first["time_source"]


def test_a_files_own_dates_are_no_times_of_events(tmp_path: Path, cli: Cli) -> None:
    """Rule B5: neither the modification time nor the container's creation time."""
    info = FileInfo("mov,mp4", 9, (stream_info(),), "2024-05-01T10:00:00Z")
    with Case.open(tmp_path, create=True) as opened:
        run = opened.begin_run(RECORD)
        identity = Identity("a.mp4", Path("/a.mp4"), 9, 1_700_000_000_000_000_000, "a" * 64)
        exhibit = opened.begin_exhibit(run, identity)
        opened.open_exhibit(exhibit, info)
        stream = opened.add_stream(exhibit, stream_info())
        opened.add_events(stream, [event(5, 20, (0,))], opened.add_tracks(stream, [track(5, 20)]))
        opened.finish_exhibit(exhibit)
        opened.number(exhibit)
    (found,) = events(cli, tmp_path)
    assert nothing(found)
    assert "displayed" not in cli("events", "--case", tmp_path).out


def test_beyond_a_reset_the_time_is_unknown_until_it_is_read_there(tmp_path: Path, cli: Cli) -> None:
    """Rule B5."""
    with Case.open(tmp_path, create=True) as opened:
        run = opened.begin_run(RECORD)
        exhibit = opened.begin_exhibit(run, Identity("a.mp4", Path("/a.mp4"), 9, 9, "a" * 64))
        info = stream_info(problems=(Problem("reset", "back", 4.0), Problem("gap", "no frames", 1.0)))
        stream = opened.add_stream(exhibit, info)
        ids = opened.add_tracks(stream, [track(5, 20), track(50, 60)])
        opened.add_events(stream, [event(5, 20, (0,)), event(50, 60, (1,))], ids)
        opened.finish_exhibit(exhibit)
        opened.number(exhibit)
    assert cli("clock", "add", "a.mp4", *READING, *BY, "--case", tmp_path).status == 0
    before, after = events(cli, tmp_path)
    assert before["start_shown"] == "2024-01-15T21:59:58.500"
    assert nothing(after)
    refused = cli("clock", "add", "a.mp4", "--shown", "2024-01-15 23:00:00", "--at", "4.3", *BY, "--case", tmp_path)
    assert refused.status == 2
    assert "break off at 4.000 s, too close to 4.3 s" in refused.err
    assert (
        cli("clock", "add", "a.mp4", *READING[:1], "2024-01-16 01:00:00", "--at", "5", *BY, "--case", tmp_path).status
        == 0
    )
    before, after = events(cli, tmp_path)
    assert (before["start_shown"], after["start_shown"]) == ("2024-01-15T21:59:58.500", "2024-01-16T01:00:00.000")


def test_an_event_over_a_break_has_no_utc_of_its_own(tmp_path: Path, cli: Cli) -> None:
    """Rule B5: its end is unknown, so no span is claimed."""
    with Case.open(tmp_path, create=True) as opened:
        run = opened.begin_run(RECORD)
        exhibit = opened.begin_exhibit(run, Identity("a.mp4", Path("/a.mp4"), 9, 9, "a" * 64))
        stream = opened.add_stream(exhibit, stream_info(problems=(Problem("clock-step", "ahead", 4.0),)))
        opened.add_events(stream, [event(5, 60, (0,))], opened.add_tracks(stream, [track(5, 60)]))
        opened.finish_exhibit(exhibit)
        opened.number(exhibit)
    assert cli("clock", "add", "a.mp4", *CHECK, *READING[2:], *LONDON, *BY, "--case", tmp_path).status == 0
    (found,) = events(cli, tmp_path)
    assert (found["start_shown"], found["end_shown"]) == ("2024-01-20T14:02:05.500", None)
    assert (found["utc_candidates"], found["utc_uncertainty_s"]) == ([], None)


def test_times_are_rounded_to_the_nearest_millisecond_and_bounds_up(case: Path, cli: Cli, add: Add) -> None:
    add("a.mp4", *READING[:2], "--at", "2.0004", "--uncertainty", "0.0001")
    first = events(cli, case)[0]
    assert (first["start_shown"], first["shown_uncertainty_s"]) == ("2024-01-15T21:59:58.500", 0.001)


def test_recorders_of_different_zones_are_kept_apart(case: Path, cli: Cli, add: Add) -> None:
    add("a.mp4", *READING, *LONDON)
    add("b.mp4", *READING, "--zone", "UTC")
    recorders = listed(cli, case)["recorders"]
    assert [(one["exhibits"], one["zone"]) for one in recorders] == [(["a.mp4"], "Europe/London"), (["b.mp4"], "UTC")]


def test_readings_that_disagree_are_reported(case: Path, cli: Cli, add: Add) -> None:
    """Rule B2: what stream time does not reconcile makes every time there less certain."""
    add("a.mp4", *READING)
    out = add("a.mp4", "--shown", "2024-01-15 22:00:09", "--at", "6").out
    assert "a.mp4 stream 0: C0001 and C0002 disagree with stream time by 5 s" in out
    assert events(cli, case)[0]["shown_uncertainty_s"] == 6.0


# ---- recording


def test_a_pattern_stands_for_all_that_match_and_a_file_may_need_its_stream(tmp_path: Path, cli: Cli) -> None:
    with Case.open(tmp_path, create=True) as opened:
        fill(opened)
        exhibit = fill(opened, "two.mp4", "b" * 64)
        opened.add_stream(exhibit, stream_info(3))
    result = cli("clock", "add", "*", *CHECK, *BY, "--case", tmp_path, "--json")
    facts = json.loads(result.out)
    assert [(one["exhibit"], one["exhibit_sha256"], one["stream"]) for one in facts["exhibits"]] == [
        ("a.mp4", "a" * 64, None),
        ("two.mp4", "b" * 64, None),
    ]
    refused = cli("clock", "add", "*", *READING, *BY, "--case", tmp_path)
    assert (refused.status, refused.out) == (2, "")
    assert "two.mp4 has the streams 0, 3: say with --stream which one was read" in refused.err
    assert (
        "no stream 7; there are: 0, 3"
        in cli("clock", "add", "two.mp4", *READING, "--stream", "7", *BY, "--case", tmp_path).err
    )
    assert cli("clock", "add", "two.mp4", *READING, "--stream", "3", *BY, "--case", tmp_path).status == 0
    assert len(listed(cli, tmp_path)["observations"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.mp4", "--shown", "2024-01-15 22:00:00", *BY], "say where the recorder showed it: --at STREAM_TIME"),
        (["a.mp4", *READING], "Missing option '--by'"),
        (["a.mp4", *READING, "--by", " "], "--by is empty"),
        (["a.mp4", *READING[2:], *BY], "Missing option '--shown'"),
        (["z*", *READING, *BY], "no exhibit of the case is named 'z*'; there are 3: a.mp4, b.mp4, empty.mp4"),
        (["a.mp4", "--shown", "22:00", "--at", "1", *BY], "cannot read --shown '22:00'"),
        (["a.mp4", "--shown", "15/01/2024 22:00:00", "--at", "1", *BY], "write date and time as 2024-03-30 14:02:07"),
        (["a.mp4", "--shown", "2024-02-30 22:00:00", "--at", "1", *BY], "cannot read --shown"),
        (["a.mp4", "--shown", "0001-01-01 00:00:00", "--at", "1", *BY], "lies outside of 1900 to 2199"),
        (["a.mp4", "--shown", "2024-01-15 22:00:00Z", "--at", "1", *BY], "name the zone with --zone"),
        (["a.mp4", *CHECK[:4], *BY], "--reference TIME and --source NAME go together"),
        (["a.mp4", *READING, *CHECK[4:], *BY], "--reference TIME and --source NAME go together"),
        (["a.mp4", *CHECK[:4], "--source", "", *BY], "--source is empty"),
        (["a.mp4", *CHECK, "--stream", "0", *BY], "give --at TIME too"),
        (["a.mp4", *READING[:2], "--at", "99", *BY], "a.mp4 stream 0 is 10.000 s long: there is no picture at 99 s"),
        (["a.mp4", *READING, "--stream", "5", *BY], "a.mp4 has no stream 5; there are: 0"),
        (["empty.mp4", *READING, *BY], "empty.mp4 has no stream that was scanned"),
        (["a.mp4", *CHECK, "--zone", "Europe/Lodnon", *BY], "did you mean 'Europe/London'"),
        (["a.mp4", *CHECK, "--zone", "europe/london", *BY], "did you mean 'Europe/London'?"),
        (["a.mp4", *CHECK, "--zone", "London", *BY], "did you mean 'Europe/London'"),
        (["a.mp4", *CHECK, "--zone", "../../etc/passwd", *BY], "no time zone is named '../../etc/passwd'"),
        (["a.mp4", *CHECK, "--zone", "Europe", *BY], "no time zone is named 'Europe'"),
        (["a.mp4", *CHECK, "--uncertainty", "0", *BY], "must be seconds above 0"),
        (["a.mp4", *CHECK, "--uncertainty", "nan", *BY], "must be seconds above 0"),
        (["a.mp4", *CHECK[:3], "2024-01-20T14:00:00Z", *CHECK[4:], *BY], "name the zone in which the recorder's clock"),
        (
            ["a.mp4", "--shown", "2023-10-29 01:30:00", *CHECK[2:], *LONDON, *BY],
            "the time shown, 2023-10-29 01:30:00, occurs twice (clock change) in Europe/London",
        ),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(case: Path, cli: Cli, arguments: list[str], message: str) -> None:
    result = cli("clock", "add", *arguments, "--case", case)
    assert result.status == 2, result.out
    assert message in result.err
    assert result.err.count("\n") == 1
    assert listed(cli, case)["observations"] == []
    assert not (case / "audit.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "unit"),
    [("2024-01-15 22:00:00", 1.0), ("2024-01-15T22:00:00.50", 0.01), ("2024-01-15 22:00", 60.0)],
)
def test_the_uncertainty_is_one_unit_of_the_last_place_shown(text: str, unit: float) -> None:
    assert parse_wall(text, "--shown")[1] == unit * SECOND


@pytest.mark.parametrize(
    "text", ["2024-01-15", "2024-01-15 22", "2024-01-15 22:00:60", "٢٠٢٤-01-15 22:00:00", "noon", ""]
)
def test_a_time_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shown"):
        parse_wall(text, "--shown")


def test_a_given_uncertainty_takes_the_place_of_the_default(case: Path, cli: Cli, add: Add) -> None:
    add("a.mp4", *READING, "--uncertainty", "0.25")
    assert events(cli, case)[0]["shown_uncertainty_s"] == 0.25


def test_one_recorder_has_one_zone(case: Path, cli: Cli, add: Add) -> None:
    add("a.mp4", *CHECK, *LONDON)
    refused = cli("clock", "add", "a.mp4", *READING, "--zone", "UTC", *BY, "--case", case)
    assert refused.status == 2
    assert "C0001 says that the clock of a.mp4 runs in Europe/London, not in UTC; withdraw it first" in refused.err
    assert cli("clock", "withdraw", "C0001", *BY, "--reason", "wrong zone", "--case", case).status == 0
    add("a.mp4", *READING, "--zone", "UTC")


def test_a_reference_in_utc_says_nothing_once_the_zone_was_withdrawn(case: Path, cli: Cli, add: Add) -> None:
    add("a.mp4", *READING, *LONDON)
    add("a.mp4", *CHECK[:3], "2024-01-20T14:00:00Z", *CHECK[4:])
    assert events(cli, case)[0]["start_utc"] == "2024-01-15T21:57:51.500Z"
    assert cli("clock", "withdraw", "C0001", *BY, "--reason", "wrong camera", "--case", case).status == 0
    add("a.mp4", *READING)
    first = events(cli, case)[0]
    assert (first["start_shown"], first["start_corrected"]) == ("2024-01-15T21:59:58.500", None)
    (recorder,) = listed(cli, case)["recorders"]
    assert "C0002: not used: the reference has a UTC offset, and the zone" in " ".join(recorder["words"])


def test_each_change_is_in_the_audit_log_with_all_its_facts(case: Path, cli: Cli, add: Add) -> None:
    """Rule B3: by whom and when, against which reference."""
    add("a.mp4", *CHECK, *LONDON)
    cli("clock", "withdraw", "1", "--by", "B. Examiner", "--reason", "wrong recorder", "--case", case)
    log = AuditLog(case / "audit.jsonl")
    added, withdrawn = log.entries()
    assert [added["action"], withdrawn["action"]] == ["clock-observation"] * 2
    recorded = added["facts"].pop("recorded")
    assert (recorded["table"], recorded["row"]) == ("clock_observations", 1), "so that verify knows the row again"
    assert added["facts"] | {"recorded_utc": ""} == {
        "change": "added",
        "id": "C0001",
        "exhibits": [{"exhibit": "a.mp4", "exhibit_sha256": "a" * 64, "stream": None}],
        "at_s": None,
        "shown": "2024-01-20T14:02:07",
        "reference": "2024-01-20T14:00:00",
        "source": "speaking clock",
        "zone": "Europe/London",
        "uncertainty_s": 1.0,
        "by": "A. Examiner",
        "recorded_utc": "",
        "withdrawn": None,
    }
    assert withdrawn["facts"]["change"] == "withdrawn"
    assert (withdrawn["facts"]["by"], withdrawn["facts"]["reason"]) == ("B. Examiner", "wrong recorder")
    assert log.check_chain() == []


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE clock_observations SET shown = '2024-01-20T15:02:07' WHERE id = 1",
        "UPDATE clock_observations SET withdrawn_by = 'C. Examiner' WHERE id = 1",
        "UPDATE clock_exhibits SET sha256 = 'b' || substr(sha256, 2) WHERE observation = 1",
    ],
)
def test_an_observation_that_was_altered_is_found(case: Path, cli: Cli, add: Add, tampering: str) -> None:
    """Rule A5: each change of an observation, what it is about included, has its hash in the audit log."""
    add("a.mp4", *CHECK, *LONDON)
    add("a.mp4", *READING)
    cli("clock", "withdraw", "2", *BY, "--reason", "wrong camera", "--case", case)

    def faults() -> list[str]:
        return re.findall("clock_observations row .*", cli("verify", "--case", case).out)

    assert faults() == []
    with Case.open(case) as opened:
        opened._db.execute(tampering)
    (fault,) = faults()
    assert fault.startswith("clock_observations row 1 was changed since entry 1 of the audit log")


def test_what_cannot_be_logged_is_not_recorded(case: Path, cli: Cli) -> None:
    (case / "audit.jsonl").mkdir()
    result = cli("clock", "add", "a.mp4", *CHECK, *BY, "--case", case)
    assert result.status == 1
    assert "audit log" in result.err
    assert rows(case, "SELECT count(*) FROM clock_observations") == [(0,)]


def test_a_withdrawn_observation_stays_listed_and_no_longer_counts(case: Path, cli: Cli, add: Add) -> None:
    add("a.mp4", *READING)
    assert not nothing(events(cli, case)[0])
    result = cli("clock", "withdraw", "c0001", *BY, "--reason", "read from\x1b[31m the wrong camera", "--case", case)
    assert result.out == "C0001 is withdrawn: it stays on record and no longer counts.\n"
    assert nothing(events(cli, case)[0])
    (kept,) = listed(cli, case)["observations"]
    assert kept["withdrawn"]["reason"] == "read from\x1b[31m the wrong camera"
    table = cli("clock", "list", "--case", case).out
    assert "C0001 was withdrawn by A. Examiner: read from\\x1b[31m the wrong camera" in table
    again = cli("clock", "withdraw", "C0001", *BY, "--reason", "again", "--case", case)
    assert again.status == 2
    assert "C0001 was withdrawn by A. Examiner at" in again.err
    assert "there are: C0001" in cli("clock", "withdraw", "C0009", *BY, "--reason", "x", "--case", case).err
    assert "they are written C0002" in cli("clock", "withdraw", "nine", *BY, "--reason", "x", "--case", case).err
    add("a.mp4", *READING)
    assert [one["id"] for one in listed(cli, case)["observations"]] == ["C0001", "C0002"]


def test_what_a_person_wrote_outlives_another_scan_of_the_exhibit(case: Path, cli: Cli, add: Add) -> None:
    """Its content links it: at the same place, at another, under another name; not other content at the same place."""
    add("a.mp4", *READING)
    before = events(cli, case, "--exhibit", "a.mp4")[0]["start_shown"]
    with Case.open(case) as opened:
        run = opened.begin_run(RECORD | {"settings_sha256": "t" * 64})
        fill(opened, run=run)
        fill(opened, "moved.mp4", "a" * 64, run=run)
        fill(opened, "other/a.mp4", "d" * 64, run=run)
    assert before is not None
    for name in ("a.mp4", "moved.mp4"):
        assert events(cli, case, "--exhibit", name)[0]["start_shown"] == before
    assert nothing(events(cli, case, "--exhibit", "other/a.mp4")[0])


def test_a_check_of_what_could_not_be_read_holds_once_it_can(case: Path, cli: Cli, add: Add) -> None:
    add("empty.mp4", *CHECK)
    with Case.open(case) as opened:
        fill(opened, "empty.mp4", "e" * 64)
    add("empty.mp4", *READING)
    assert events(cli, case, "--exhibit", "empty.mp4")[0]["start_corrected"] == "2024-01-15T21:57:51.500"


def test_an_older_case_is_brought_up_to_date(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    step = next(number for number, (name, _) in enumerate(schema.MIGRATIONS) if "clock" in name)
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:step])
    Case.open(tmp_path, create=True).close()
    monkeypatch.undo()
    assert "older version" in cli("clock", "list", "--case", tmp_path).err
    with Case.open(tmp_path) as opened:
        fill(opened)
    assert cli("clock", "add", "a.mp4", *READING, *BY, "--case", tmp_path).status == 0
    assert events(cli, tmp_path)[0]["start_shown"] == "2024-01-15T21:59:58.500"


def test_one_writer_at_a_time(case: Path, cli: Cli) -> None:
    with Case.open(case):
        result = cli("clock", "add", "a.mp4", *READING, *BY, "--case", case)
    assert result.status == 1
    assert "is writing to the case" in result.err


def test_no_case_is_one_clear_line(tmp_path: Path, cli: Cli) -> None:
    for command in (["add", "a.mp4", *READING, *BY], ["list"], ["withdraw", "1", *BY, "--reason", "x"]):
        result = cli("clock", *command, "--case", tmp_path / "none")
        assert result.status == 1
        assert "run 'vidreview scan SOURCE" in result.err
        assert not (tmp_path / "none").exists()


def test_hostile_words_do_not_reach_the_terminal(tmp_path: Path, cli: Cli) -> None:
    with Case.open(tmp_path, create=True) as opened:
        fill(opened, "a\x1b[31m\n\udcff.mp4")
    hostile = ["--source", "clock\x1b[2J\udcfe", "--by", "A\x1b]0;x\x07", "--case", str(tmp_path)]
    added = cli("clock", "add", "a*", *CHECK[:4], *READING[2:], *hostile)
    assert added.status == 0, added.err
    for out in (added.out, cli("clock", "list", "--case", tmp_path).out, cli("events", "--case", tmp_path).out):
        assert "\x1b" not in out
        assert "a\\x1b[31m\\n\\xff.mp4" in out
    assert AuditLog(tmp_path / "audit.jsonl").check_chain() == []
    assert events(cli, tmp_path)[0]["start_corrected"] is not None


# ---- what is printed


def test_the_list_says_in_words_what_follows(case: Path, cli: Cli, add: Add) -> None:
    """Rule B3: the sign in words, drift, and what is extrapolated."""
    assert (
        "No clock was recorded in this case, so wall-clock times are unknown"
        in cli("clock", "list", "--case", case).out
    )
    add("*.mp4", *CHECK)
    words = listed(cli, case)["recorders"][0]["words"]
    assert words[0] == "C0001: recorder is 2 min 07 s FAST; subtract 2 min 07 s (± 1 s, against speaking clock)"
    assert words[1] == "drift is unknown: it takes a second check, at another time"
    assert words[2] == "no zone was named: UTC is unknown"
    assert words[3].startswith("no reading of the picture (--at), so displayed times are unknown: a.mp4, b.mp4, ")
    add("a.mp4", "--shown", "2024-01-30 13:59:57", "--reference", "2024-01-30 14:00:00", "--source", "NTP", *LONDON)
    one, other = listed(cli, case)["recorders"]
    assert (one["exhibits"], other["exhibits"]) == (["a.mp4"], ["b.mp4", "empty.mp4"])
    assert one["words"][1] == "C0002: recorder is 3 s SLOW; add 3 s (± 1 s, against NTP)"
    assert one["words"][2] == "from C0001 to C0002 it loses 13 s a day: interpolated between them"
    assert one["words"][3] == "before the first and after the last check it is extrapolated, less and less certain"
    assert one["offsets"][0]["offset_s"] == 127.0
    assert one["drift_s_per_day"] == [pytest.approx(-13.0, abs=0.01)]


def test_quiet_and_json_print_no_more_than_asked(case: Path, cli: Cli) -> None:
    assert cli("clock", "add", "a.mp4", *CHECK, *BY, "--case", case, "-q").out == ""
    assert json.loads(cli("clock", "add", "a.mp4", *READING, *BY, "--case", case, "--json").out)["id"] == "C0002"


def test_the_table_has_wall_clock_columns_only_when_something_is_in_them(case: Path, cli: Cli, add: Add) -> None:
    """Rule B2: labelled and apart; rule B5: unknown is written unknown."""
    plain = cli("events", "--case", case).out
    assert " ".join(plain.splitlines()[0].split()) == "event exhibit what start end seconds score most still review"
    add("a.mp4", *CHECK)
    assert cli("events", "--case", case).out == plain, "a check alone gives no event a time"
    add("a.mp4", *READING)
    lines = cli("events", "--case", case).out.splitlines()
    assert re.search(r"stream start +stream end .*displayed start +corrected start +UTC start$", lines[0])
    assert lines[1].endswith("2024-01-15 21:59:58.500 ± 1 s  2024-01-15 21:57:51.500 ± 2 s  unknown")
    assert re.search(r"unknown +unknown +unknown$", lines[3])


@pytest.mark.parametrize("columns", [80, 200])
def test_on_a_terminal_the_displayed_time_stays_beside_the_corrected(
    columns: int, case: Path, cli: Cli, add: Add
) -> None:
    """Rule B5, however narrow it is."""
    add("a.mp4", *CHECK, *READING[2:], *LONDON)
    for command in (["events"], ["clock", "list"]):
        below = on_terminal([*command, "--case", str(case)], columns).rpartition("─")[2].splitlines()
        drawn = list(takewhile(lambda line: line.startswith(" "), below))
        assert len(drawn) > 2, "drawn, since it fits"
        assert max(map(len, drawn)) <= columns
    heading = on_terminal(["events", "--case", str(case)], columns).partition("─")[0]
    assert "displayed" in heading
    assert "UTC" in heading


def on_terminal(arguments: list[str], columns: int) -> str:
    primary, secondary = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm", "COLUMNS": str(columns)}
    child = subprocess.Popen(
        [sys.executable, "-c", "from vidreview.cli import main; main()", *arguments], stdout=secondary, env=environment
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
    assert child.wait(timeout=60) == 0
    return re.sub(r"\x1b\[[0-9;]*m", "", out.decode())


def test_observations_are_read_once_however_many_events_there_are(tmp_path: Path, cli: Cli) -> None:
    with Case.open(tmp_path, create=True) as opened:
        run = opened.begin_run(RECORD)
        exhibit = opened.begin_exhibit(run, Identity("a.mp4", Path("/a"), 1, 1, "a" * 64))
        stream = opened.add_stream(exhibit, stream_info(duration_s=400.0))
        ids = opened.add_tracks(stream, [track(0, 1)])
        opened.add_events(stream, [event(k, k + 5, (0,)) for k in range(3000)], ids)
        opened.finish_exhibit(exhibit)
        opened.number(exhibit)
    assert cli("clock", "add", "a.mp4", *CHECK, *READING[2:], *LONDON, *BY, "--case", tmp_path).status == 0
    statements: list[str] = []
    with Reader.open(tmp_path) as reader:
        reader._db.set_trace_callback(statements.append)
        found = reader.events()
    assert len(found) == 3000
    assert all(item["start_utc"] for item in found)
    assert sum("clock_" in statement for statement in statements) == 2
    assert len(statements) < 20


def test_the_database_itself_refuses_half_an_observation(case: Path) -> None:
    with Case.open(case) as opened, pytest.raises(sqlite3.IntegrityError):
        opened._db.execute(
            "INSERT INTO clock_observations (shown, uncertainty_us, by, recorded_utc) VALUES ('x', 1, 'x', 'x')"
        )


# ---- the document


def test_the_worked_example_in_the_document_is_what_is_printed(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDREVIEW_CASE", str(tmp_path / "case"))
    with Case.open(tmp_path / "case", create=True) as opened:
        run = opened.begin_run(RECORD)
        fill(opened, "yard-1.mp4", run=run)
        fill(opened, "yard-2.mp4", "b" * 64, run=run)
    (block,) = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / "clocks.md").read_text(encoding="utf-8"), re.DOTALL)
    commands = re.findall(r"^\$ vidreview (.*)$", block, re.MULTILINE)
    printed = ""
    for command in commands:
        result = cli(*shlex.split(command))
        assert result.status == 0, result.err
        printed += f"$ vidreview {command}\n{result.out}"
    assert len(commands) == 5
    assert block == printed
