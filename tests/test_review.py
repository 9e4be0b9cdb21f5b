"""`vidreview review`: what people decided about events, in the case, in the audit log, and in what lists events."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT, Result
from tests.films import RedDetector, film
from tests.test_index import RECORD, fill
from vidreview.audit import AuditLog
from vidreview.errors import CaseError, UsageError
from vidreview.index import Case, Reader, reviews, schema
from vidreview.index.marks import _marks, import_marks, read_marks
from vidreview.index.reviews import Decision, placed_reviews, record, set_reviews
from vidreview.pipeline import scan
from vidreview.settings import ScanSettings
from vidreview.verify import verify

Cli = Callable[..., Result]
BY = ["--by", "A. Examiner"]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with evidence and a case of it: two exhibits, an event in each."""
    folder = tmp_path_factory.mktemp("scanned")
    film(folder / "evidence" / "a.mp4", 60, [(10, 40)])
    film(folder / "evidence" / "b.mp4", 60, [(15, 45)], seed=5)
    scan([folder / "evidence"], folder / "case", ScanSettings(), detector=RedDetector())
    return folder


@pytest.fixture
def case(scanned: Path, tmp_path: Path) -> Path:
    """A copy of that case."""
    import shutil

    return Path(shutil.copytree(scanned / "case", tmp_path / "case"))


def events(case: Path) -> list[dict[str, Any]]:
    with Reader.open(case) as reader:
        return reader.events()


def marks_of(case: Path, path: Path, state: str = "relevant", reviewer: str = "B. Reviewer", **changes: Any) -> Path:
    """A marks file as a report saves it, of every event of the case."""
    marks = [
        {
            "event": one["id"],
            "exhibit_sha256": one["exhibit_sha256"],
            "stream": one["stream"],
            "start_pts": one["start_pts"],
            "class": one["class"],
            "state": state,
            "note": None,
            "at_utc": "2026-02-01T10:00:00.250Z",
        }
        | changes
        for one in events(case)
    ]
    document = {"vidreview_marks": 1, "report": "ab" * 32, "reviewer": reviewer, "marks": marks}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_decision_is_in_the_case_the_log_and_the_list_of_events(case: Path, cli: Cli) -> None:
    """Rule E5: set by people only, with name and time."""
    assert {one["review"] for one in events(case)} == {"unreviewed"}
    result = cli("review", "set", "E0001", "relevant", *BY, "--note", "leaves by the gate", "--case", case)
    assert (result.status, result.err) == (0, "") and "E0001 is relevant" in result.out
    first, second = events(case)
    assert (first["review"], first["review_by"], first["review_note"]) == ("relevant", *BY[1:], "leaves by the gate")
    assert first["review_utc"].endswith("Z") and len(first["review_utc"]) == 24
    assert (second["review"], second["review_by"], second["review_utc"]) == ("unreviewed", None, None)
    table = cli("events", "--case", case).out
    assert "relevant, A. Examiner 20" in table and "leaves by the gate" in table
    assert "E0001 relevant, by A. Examiner: leaves by the gate" in cli("log", "--case", case).out
    verdict = verify(case)
    assert not verdict.faults and verdict.checked["recorded rows"] == 1


def test_of_several_decisions_the_last_counts_and_all_stay(case: Path, cli: Cli) -> None:
    for state in ("relevant", "not-relevant", "unsure"):
        assert cli("review", "set", "E0002", state, *BY, "--case", case).status == 0
    assert [one["review"] for one in events(case)] == ["unreviewed", "unsure"]
    listed = json.loads(cli("review", "list", "--json", "--case", case).out)
    assert [(one["state"], one["counts"]) for one in listed] == [
        ("relevant", False),
        ("not relevant", False),
        ("unsure", True),
    ]
    assert {one["now"] for one in listed} == {"as reviewed"} and {one["exhibit"] for one in listed} == {"b.mp4"}
    assert "decided again later" in cli("review", "list", "--case", case).out
    assert cli("review", "set", "E0002", "unreviewed", *BY, "--case", case).status == 0
    assert events(case)[1]["review"] == "unreviewed" and events(case)[1]["review_by"] == "A. Examiner"
    with Reader.open(case) as reader:
        assert reviews.current(reader.select, [2]) == reviews.current(reader.select)
        assert reviews.current(reader.select, [1]) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["E0001", "suspicious"], "'suspicious' is not a state"),
        (["relevant"], "name the events that are relevant"),
        (["E0099", "relevant"], "no event E0099"),
        (["E0001", "E0099", "relevant"], "no event E0099"),
        (["P0001", "relevant"], "P0001 is provisional"),
        (["front-door", "relevant"], "is not an event"),
    ],
)
def test_what_makes_no_sense_is_refused_whole(case: Path, cli: Cli, words: list[str], said: str) -> None:
    result = cli("review", "set", *words, *BY, "--case", case)
    assert result.status == 2 and said in result.err
    assert {one["review"] for one in events(case)} == {"unreviewed"}


def test_nobody_decides_without_a_name(case: Path, cli: Cli) -> None:
    assert cli("review", "set", "E0001", "relevant", "--case", case).status == 2
    result = cli("review", "set", "E0001", "relevant", "--by", "  ", "--case", case)
    assert result.status == 2 and "--by is empty" in result.err
    result = cli("review", "set", "E0001", "relevant", "--by", "x" * 201, "--case", case)
    assert result.status == 2 and "at most 200" in result.err


def test_words_and_names_from_elsewhere_do_nothing_to_a_terminal(case: Path, cli: Cli) -> None:
    by, note = "\x1b]0;x\x07 Eve", "line\nbreak \x1b[31m"
    assert cli("review", "set", "E0001", "not", "relevant", "--by", by, "--note", note, "--case", case).status == 0
    for command in (["review", "list"], ["events"], ["log"]):
        out = cli(*command, "--case", case).out
        assert "\x1b" not in out and "\\x1b[31m" in out
    assert events(case)[0]["review_note"] == note, "kept as it was said"
    assert not verify(case).faults


def test_an_altered_review_is_found(case: Path, cli: Cli) -> None:
    """Rule E5: a state that nobody set is not as recorded."""
    assert cli("review", "set", "E0001", "relevant", *BY, "--case", case).status == 0
    changes = [
        "state = 'unsure'",
        "by = 'Z'",
        "note = 'x'",
        "start_pts = 1",
        "marked_utc = 'x'",
        "exhibit_sha256 = NULL",
    ]
    for change in changes:
        with closing(sqlite3.connect(case / "case.db", isolation_level=None)) as db:
            db.execute("CREATE TEMP TABLE kept AS SELECT * FROM reviews")
            db.execute(f"UPDATE reviews SET {change}")
            (fault,) = verify(case).faults
            assert "reviews row 1 was changed" in fault.reason, change
            db.execute("DELETE FROM reviews")
            assert "was removed" in verify(case).faults[0].reason
            db.execute("INSERT INTO reviews SELECT * FROM kept")
            db.execute("DROP TABLE kept")
    assert not verify(case).faults
    with closing(sqlite3.connect(case / "case.db", isolation_level=None)) as db:
        db.execute("INSERT INTO reviews (event, state, by, at_utc) VALUES (2, 'not relevant', 'A. E.', 'x')")
    (fault,) = verify(case).faults
    assert "was added" in fault.reason


def test_a_case_of_the_version_before_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = schema.MIGRATIONS[: [name for name, _ in schema.MIGRATIONS].index("0010 reviews of marks files")]
    folder = tmp_path / "case"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", old)
        log = AuditLog(folder / "audit.jsonl")
        with Case.open(folder, create=True) as opened:
            run = opened.begin_run(RECORD, lambda facts: log.append("scan-begins", **RECORD | facts))
            fill(opened, run=run)
            db = opened._db
            db.execute(
                "INSERT INTO reviews (event, state, by, at_utc) VALUES (1, 'unsure', 'Old', '2025-01-01T00:00:00Z')"
            )
            from vidreview.index import seal

            log.append("review", recorded=seal.recorded(db, "reviews", 1))
    with Case.open(folder) as opened:
        set_reviews(opened, [2], "relevant", "New", None, lambda facts: log.append_many(("review", f) for f in facts))
    with Reader.open(folder) as reader:
        found = placed_reviews(reader.select)
    assert [(one.review.decision.by, one.now, one.review.key is None) for one in found] == [
        ("Old", "as reviewed", True),
        ("New", "as reviewed", False),
    ]
    assert not [fault for fault in verify(folder, exhibits=False).faults if "reviews" in fault.what]


# ---- marks files


def test_marks_are_taken_once_with_both_times(case: Path, tmp_path: Path, cli: Cli) -> None:
    """Rule E5: with the reviewer's name and time, and the time of the import beside it."""
    file = marks_of(case, tmp_path / "marks.json", note="seen before")
    result = cli("review", "import", file, "--case", case)
    assert (result.status, result.err) == (0, "") and "2 marks of marks.json taken, by B. Reviewer" in result.out
    for one in events(case):
        assert (one["review"], one["review_by"], one["review_note"]) == ("relevant", "B. Reviewer", "seen before")
        assert one["review_utc"] == "2026-02-01T10:00:00.250Z"
    listed = json.loads(cli("review", "list", "--json", "--case", case).out)
    assert all(one["recorded_utc"] > one["marked_utc"] and len(one["marks_sha256"]) == 64 for one in listed)
    entries = [entry["facts"] for entry in AuditLog(case / "audit.jsonl").entries() if entry["action"] == "review"]
    assert [facts.get("change") for facts in entries] == ["import", None, None]
    assert (entries[0]["taken"], entries[0]["reviewer_in_file"]) == (2, "B. Reviewer")
    again = json.loads(cli("review", "import", file, "--json", "--case", case).out)
    assert (again["taken"], again["already_in_the_case"], again["not_taken"]) == ([], 2, [])
    assert len(json.loads(cli("review", "list", "--json", "--case", case).out)) == 2
    assert not verify(case).faults


def test_an_older_mark_does_not_undo_a_newer_decision(case: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("review", "set", "E0001", "not-relevant", *BY, "--case", case).status == 0
    file = marks_of(case, tmp_path / "marks.json", at_utc="2020-01-01T00:00:00+01:00")
    assert cli("review", "import", file, "--case", case).status == 0
    assert [one["review"] for one in events(case)] == ["not relevant", "relevant"]
    assert events(case)[1]["review_utc"] == "2019-12-31T23:00:00.000Z"


def test_a_mark_from_the_future_does_not_outlive_what_is_decided_after_it(case: Path, tmp_path: Path, cli: Cli) -> None:
    file = marks_of(case, tmp_path / "marks.json", at_utc="2199-01-01T00:00:00Z")
    result = cli("review", "import", file, "--case", case)
    assert "a clock is wrong" in result.out
    assert cli("review", "set", "E0001", "unsure", *BY, "--case", case).status == 0
    assert [one["review"] for one in events(case)] == ["unsure", "relevant"]
    listed = json.loads(cli("review", "list", "--json", "--case", case).out)
    assert {one["marked_utc"] for one in listed if one["by"] == "B. Reviewer"} == {"2199-01-01T00:00:00.000Z"}
    assert all(one["utc"] == one["recorded_utc"] for one in listed)


def test_by_takes_the_place_of_the_reviewer_and_is_needed_where_there_is_none(
    case: Path, tmp_path: Path, cli: Cli
) -> None:
    file = marks_of(case, tmp_path / "marks.json", reviewer=" ")
    result = cli("review", "import", file, "--case", case)
    assert result.status == 2 and "give --by NAME" in result.err
    assert cli("review", "import", file, "--by", "C. Chief", "--case", case).status == 0
    assert {one["review_by"] for one in events(case)} == {"C. Chief"}


def test_marks_that_fit_no_event_are_listed_and_the_others_taken(case: Path, tmp_path: Path, cli: Cli) -> None:
    file = marks_of(case, tmp_path / "marks.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    good = document["marks"][0]
    document["marks"] += [
        good | {"event": "E0007", "start_pts": good["start_pts"] + 1},
        good | {"event": "E0001", "exhibit_sha256": "0" * 64},
        good | {"event": "E0001", "class": "vehicle"},
    ]
    file.write_text(json.dumps(document), encoding="utf-8")
    result = cli("review", "import", file, "--case", case)
    assert result.status == 3 and "2 marks of marks.json taken" in result.out
    assert "E0007 was not taken: no person event of that exhibit begins at stream 0" in result.err
    assert "E0001 was not taken: it is of an exhibit that is not in this case" in result.err
    assert "E0001 was not taken: no vehicle event" in result.err
    assert len(events(case)) == 2 and not verify(case).faults


def test_after_another_scan_marks_and_reviews_find_their_event(scanned: Path, tmp_path: Path, cli: Cli) -> None:
    case = tmp_path / "case"
    scan([scanned / "evidence"], case, ScanSettings(), detector=RedDetector())
    file = marks_of(case, tmp_path / "marks.json")
    assert cli("review", "set", "E0001", "unsure", *BY, "--case", case).status == 0
    scan([scanned / "evidence"], case, ScanSettings(merge_gap_s=1.5), detector=RedDetector())
    assert [one["id"] for one in events(case)] == ["E0003", "E0004"]
    assert {one["review"] for one in events(case)} == {"unreviewed"}, "no program carries a decision over (rule E5)"
    (listed,) = json.loads(cli("review", "list", "--json", "--case", case).out)
    assert (listed["event"], listed["event_now"], listed["now"]) == ("E0001", "E0003", "replaced")
    assert "now E0003" in cli("review", "list", "--case", case).out
    result = cli("review", "import", file, "--case", case)
    assert result.status == 0 and "E0001 of the report is E0003 in the case now" in result.out
    assert [one["review"] for one in events(case)] == ["relevant", "relevant"]
    assert not verify(case).faults


def hostile() -> list[tuple[bytes, str]]:
    good: dict[str, Any] = {
        "event": "E0001",
        "exhibit_sha256": "a" * 64,
        "stream": 0,
        "start_pts": 5,
        "class": "person",
        "state": "relevant",
        "at_utc": "2026-01-01T00:00:00Z",
    }

    def document(**changes: Any) -> bytes:
        return json.dumps({"vidreview_marks": 1, "reviewer": "x", "marks": []} | changes).encode()

    def mark(**changes: Any) -> bytes:
        return document(marks=[good, good | changes])

    return [
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (b"[" * 100_000, "nested without end"),
        (b'{"vidreview_marks": NaN}', "NaN is not a number"),
        (b'{"vidreview_marks": 1, "vidreview_marks": 1, "marks": []}', "stands twice"),
        (b"9" * 5000, "no JSON"),
        (b"[]", "saved from a report"),
        (document(vidreview_marks=2), "marks of form '2'"),
        (document(vidreview_marks=True), "marks of form 'True'"),
        (document(marks={"a": 1}), "'marks' must be a list"),
        (document(marks=[[1]]), "mark 1 must be an object"),
        (document(reviewer=["x"]), "'reviewer' of the file must be text"),
        (document(reviewer="x" * 300), "at most 200"),
        (mark(event=7), "'event' of mark 2 must be text"),
        (mark(event="T0007"), "'event' of mark 2 must be an event"),
        (mark(event="E" + "9" * 40), "'event' of mark 2 must be an event"),
        (mark(exhibit_sha256="A" * 64), "64 hexadecimal digits"),
        (mark(stream=True), "'stream' of mark 2 must be a whole number"),
        (mark(stream=-1), "'stream' of mark 2 must be a whole number"),
        (mark(start_pts=1.5), "'start_pts' of mark 2 must be a whole number"),
        (mark(start_pts=1 << 80), "'start_pts' of mark 2 must be a whole number"),
        (mark(**{"class": "cat"}), "'class' of mark 2 must be one of"),
        (mark(state="guilty"), "'state' of mark 2 must be one of"),
        (mark(note={"$": 1}), "'note' of mark 2 must be text"),
        (mark(note="x" * 20_000), "at most 10000"),
        (mark(at_utc="yesterday"), "'at_utc' of mark 2 must be a time"),
        (mark(at_utc="2026-01-01T00:00:00"), "'at_utc' of mark 2 must be a time"),
        (mark(at_utc="0001-01-01T00:00:00+23:00"), "'at_utc' of mark 2 must be a time"),
    ]


@pytest.mark.parametrize(("raw", "said"), hostile(), ids=range(len(hostile())))
def test_a_hostile_marks_file_is_refused_whole(case: Path, tmp_path: Path, cli: Cli, raw: bytes, said: str) -> None:
    file = tmp_path / "marks.json"
    file.write_bytes(raw)
    before = (case / "audit.jsonl").read_bytes()
    result = cli("review", "import", file, "--by", "x", "--case", case)
    assert result.status == 2 and said in result.err and "nothing was taken" in result.err
    assert (case / "audit.jsonl").read_bytes() == before
    assert {one["review"] for one in events(case)} == {"unreviewed"}


def test_a_marks_file_that_is_none_is_not_waited_for(case: Path, tmp_path: Path, cli: Cli) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large.json").touch()
    os.truncate(tmp_path / "large.json", 1 << 40)
    for name, said in (
        ("pipe", "not a regular file"),
        ("large.json", "larger than 16 MiB"),
        ("none", "cannot be opened"),
    ):
        result = cli("review", "import", tmp_path / name, "--case", case)
        assert result.status == 2 and said in result.err


_PLAIN = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text() | st.integers()


@given(st.recursive(_PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_whatever_stands_in_a_marks_file_is_read_or_refused(value: Any) -> None:
    for document in (value, {"vidreview_marks": 1, "marks": value}, {"vidreview_marks": 1, "marks": [value]}):
        try:
            marks = _marks("m", json.dumps(document).encode())
        except UsageError:
            continue
        assert marks.marks == ()


def test_a_lone_half_of_a_character_is_kept_in_words(case: Path, tmp_path: Path, cli: Cli) -> None:
    file = marks_of(case, tmp_path / "marks.json", note="\ud83d ok", reviewer="\udcffEve")
    assert cli("review", "import", file, "--case", case).status == 0
    assert events(case)[0]["review_note"] == "\\ud83d ok"
    assert not verify(case).faults
    again = json.loads(cli("review", "import", file, "--json", "--case", case).out)
    assert again["already_in_the_case"] == 2


# ---- interruption


def test_what_is_interrupted_is_not_half_taken(case: Path, tmp_path: Path) -> None:
    """Rule A11: a Ctrl-C after the log was written and before the commit leaves no entry of what is not there."""
    log = AuditLog(case / "audit.jsonl")
    calls: list[int] = []

    def tell(facts: list[dict[str, Any]]) -> None:
        log.append_many(("review", one) for one in facts)
        calls.append(len(facts))
        if len(calls) == 1:
            raise KeyboardInterrupt

    marks = read_marks(marks_of(case, tmp_path / "marks.json"))
    with Case.open(case) as opened, pytest.raises(KeyboardInterrupt):
        import_marks(opened, marks, None, tell, schema.now_utc())
    assert calls == [3, 2]
    assert {one["review"] for one in events(case)} == {"unreviewed"}
    assert not verify(case).faults
    with Case.open(case) as opened:
        taken = import_marks(opened, marks, None, tell, schema.now_utc())
    assert len(taken.taken) == 2 and not verify(case).faults


def test_a_log_that_cannot_be_written_keeps_a_review_out(case: Path) -> None:
    def tell(facts: list[dict[str, Any]]) -> None:
        raise CaseError("no room")

    with Case.open(case) as opened, pytest.raises(CaseError, match="no room"):
        record(opened, [Decision(event=1, state="relevant", by="x")], tell)
    assert events(case)[0]["review"] == "unreviewed" and not verify(case).faults


def test_after_a_kill_the_next_review_puts_the_log_right(case: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from vidreview.audit import AuditLog
from vidreview.index import Case
from vidreview.index.reviews import set_reviews
log = AuditLog(Path({str(case / "audit.jsonl")!r}))
def tell(facts):
    log.append_many(("review", one) for one in facts)
    os.kill(os.getpid(), signal.SIGKILL)
with Case.open(Path({str(case)!r})) as case:
    set_reviews(case, [1], "relevant", "x", None, tell)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert events(case)[0]["review"] == "unreviewed"
    assert "was removed" in verify(case).faults[0].reason, "the log says more than the case, and that is seen"
    log = AuditLog(case / "audit.jsonl")
    with Case.open(case) as opened:
        set_reviews(opened, [1], "relevant", "x", None, lambda facts: log.append_many(("review", f) for f in facts))
    assert events(case)[0]["review"] == "relevant" and not verify(case).faults


def test_ten_thousand_marks_are_taken_in_seconds(tmp_path: Path) -> None:
    import time

    folder = tmp_path / "case"
    with Case.open(folder, create=True) as opened:
        fill(opened)
        db = opened._db
        db.executemany(
            "INSERT INTO events SELECT ?, stream, class, label, ?, end_pts, start_s, end_s, peak_pts, peak_s, "
            "max_count, score, ? FROM events WHERE number = 1",
            [(k, k, k) for k in range(3, 10_003)],
        )
        file = marks_of(folder, tmp_path / "marks.json")
        log = AuditLog(folder / "audit.jsonl")
        began = time.perf_counter()
        taken = import_marks(
            opened,
            read_marks(file),
            None,
            lambda facts: log.append_many(("review", f) for f in facts),
            schema.now_utc(),
        )
        assert time.perf_counter() - began < 20, "2 s on two idle cores"
    assert len(taken.taken) == 10_002
    assert {one["review"] for one in events(folder)} == {"relevant"}
    assert reviews.STATES[0] == "relevant"
