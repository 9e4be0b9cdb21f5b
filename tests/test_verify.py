"""``vidreview verify``: every kind of tampering is found and named, and of an untouched case nothing is said."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import Result
from tests.films import RedDetector, film
from vidreview.audit import AuditLog
from vidreview.errors import CaseError
from vidreview.index import Case, schema, seal
from vidreview.pipeline import scan
from vidreview.settings import ScanSettings
from vidreview.verify import Finding, verify

ROOT = Path(__file__).resolve().parent.parent


class Made(NamedTuple):
    """A case and its evidence."""

    case: Path
    evidence: Path


def scan_films(evidence: Path, case: Path) -> None:
    scan([evidence], case, ScanSettings(), detector=RedDetector(), record={"argv": ["vidreview"], "operator": "A. E."})


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Two films and an unreadable file, scanned; clips and stills of both events."""
    from vidreview.cli import run

    folder = tmp_path_factory.mktemp("verify")
    evidence, case = folder / "evidence", folder / "case"
    film(evidence / "door.mp4", 60, [(10, 40)])
    film(evidence / "cam2" / "yard.mp4", 60, [(15, 45)], seed=3)
    (evidence / "notes.mp4").write_text("not a video\n" * 20)
    scan_films(evidence, case)
    for command in ("clip", "still"):
        assert run([command, "--all", "-q", "--case", str(case)]) == 0
    return Made(case, evidence)


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Iterator[Made]:
    """A copy of the case to tamper with; the evidence is put back as it was afterwards."""
    case = tmp_path / "case"
    shutil.copytree(original.case, case)
    kept = tmp_path / "kept"
    shutil.copytree(original.evidence, kept)
    yield Made(case, original.evidence)
    shutil.rmtree(original.evidence, ignore_errors=True)
    shutil.copytree(kept, original.evidence)


def contents(folder: Path) -> dict[str, tuple[int, bytes | None]]:
    """All that lies in a folder, with modification times."""
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None)
        for p in [folder, *folder.rglob("*")]
    }


def sql(case: Path, *statements: str) -> None:
    with sqlite3.connect(case / "case.db") as db:
        for statement in statements:
            before = db.total_changes
            db.execute(statement)
            assert db.total_changes > before or statement.startswith(("CREATE", "DROP", "PRAGMA")), statement
    db.close()


def faults(case: Path, **more: Any) -> list[Finding]:
    """The faults of a case; it is checked that the check left all as it was."""
    before = contents(case)
    verdict = verify(case, **more)
    assert contents(case) == before, "verify wrote into the case"
    assert verdict.exit_status == (4 if verdict.faults else 3 if verdict.not_checked else 0)
    return verdict.faults


def the_fault(case: Path, **more: Any) -> Finding:
    (found,) = faults(case, **more)
    return found


# ---- untouched


def test_an_untouched_case_is_as_recorded(made: Made, cli: Callable[..., Result]) -> None:
    before, evidence = contents(made.case), contents(made.evidence)
    result = cli("verify", "--case", made.case)
    assert (result.status, result.err) == (0, "")
    assert "Everything that was checked is as recorded." in result.out
    assert contents(made.case) == before
    assert contents(made.evidence) == evidence
    shown = json.loads(cli("verify", "--case", made.case, "--json").out)
    assert (shown["ok"], shown["faults"], shown["not_checked"], shown["notes"]) == (True, [], [], [])
    assert shown["checked"] == {
        "log entries": shown["entries"],
        "runs": 1,
        "sealed exhibits": 3,
        "recorded rows": 0,
        "courses": 2,
        "derived": 8,
        "exhibits": 3,
    }
    assert shown["head"] == AuditLog(made.case / "audit.jsonl").head()


def test_a_case_that_was_scanned_again_is_as_recorded(made: Made) -> None:
    scan_films(made.evidence, made.case)
    settings = ScanSettings(idle_every_s=2.0)
    scan([made.evidence], made.case, settings, detector=RedDetector())
    film(made.evidence / "new.mp4", 40, [(10, 30)])
    os.mkfifo(made.evidence / "odd")
    scan([made.evidence], made.case, settings, detector=RedDetector())
    verdict = verify(made.case)
    assert (verdict.faults, verdict.not_checked, verdict.notes) == ([], [], [])
    assert verdict.checked["sealed exhibits"] == 5


def test_an_unreadable_file_that_could_be_read_later_is_no_fault(tmp_path: Path) -> None:
    """Its row is replaced, and the log says by which."""
    evidence = tmp_path / "evidence"
    door = film(evidence / "door.mp4", 40, [(10, 30)])
    hidden = tmp_path / "hidden"
    door.rename(hidden)
    os.mkfifo(door)
    scan_films(evidence, tmp_path / "case")
    door.unlink()
    hidden.rename(door)
    scan_films(evidence, tmp_path / "case")
    verdict = verify(tmp_path / "case")
    assert (verdict.faults, verdict.not_checked, verdict.notes) == ([], [], [])
    assert verdict.checked["sealed exhibits"] == 1


def test_no_case_is_one_clear_error(tmp_path: Path, cli: Callable[..., Result]) -> None:
    result = cli("verify", "--case", tmp_path / "none")
    assert result.status == 1
    assert "no case in" in result.err


def test_nothing_is_compared_while_a_scan_writes(made: Made) -> None:
    with Case.open(made.case), pytest.raises(CaseError, match="a scan is writing"):
        verify(made.case)


# ---- the log


def lines_of(case: Path) -> list[bytes]:
    return (case / "audit.jsonl").read_bytes().splitlines(keepends=True)


def without(lines: list[bytes], action: bytes) -> list[bytes]:
    k = next(k for k, line in enumerate(lines) if b'"action":"' + action in line)
    return lines[:k] + lines[k + 1 :]


def edited(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b'"operator":"A. E."', b'"operator":"B. E."') for line in lines]


TAMPERED_LOGS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "removed": (lambda lines: without(lines, b"derived"), "does not follow the entry before it"),
    "removed first": (lambda lines: lines[1:], "line 1 (entry 2) does not follow"),
    "edited": (edited, "line 1 (entry 1) was altered: its hash does not fit"),
    "reordered": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "is entry 3, where entry 2 should be"),
    "truncated": (lambda lines: lines[:-2], "audit.head names entry"),
    "truncated within a line": (lambda lines: [*lines[:-1], lines[-1][:50]], "audit.head names entry"),
    "emptied": (lambda lines: [], "audit.head names entry"),
    "foreign line": (lambda lines: [*lines[:3], b"hello\n", *lines[3:]], "line 4 is not an entry"),
}


@pytest.mark.parametrize("how", TAMPERED_LOGS)
def test_a_tampered_log_is_found(made: Made, how: str) -> None:
    tamper, said = TAMPERED_LOGS[how]
    lines = lines_of(made.case)
    (made.case / "audit.jsonl").write_bytes(b"".join(tamper(lines)))
    assert lines_of(made.case) != lines
    found = [one for one in faults(made.case) if one.kind == "log"]
    assert any(said in one.reason for one in found), found


def rechain(case: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Write the log anew with sound hashes, as a forger would who knows how; ``audit.head`` stays."""
    path = case / "forged.jsonl"
    forged = AuditLog(path)
    for entry in AuditLog(case / "audit.jsonl").entries():
        if (facts := change(entry)) is not None:
            forged.append(entry["action"], **facts)
    path.replace(case / "audit.jsonl")
    forged.head_path.unlink()


def test_a_log_that_was_chained_anew_is_found_by_its_head_file(made: Made) -> None:
    rechain(made.case, lambda entry: entry["facts"])
    assert "audit.head names entry" in the_fault(made.case).reason


def test_a_log_that_was_chained_anew_with_its_head_file_is_found_by_a_quoted_head(
    made: Made, cli: Callable[..., Result]
) -> None:
    head = AuditLog(made.case / "audit.jsonl").head()
    assert cli("verify", "--case", made.case, "--head", head.upper() + " ").status == 0
    rechain(made.case, lambda entry: entry["facts"])
    log = AuditLog(made.case / "audit.jsonl")
    log.head_path.write_text(json.dumps({"seq": 1, "hash": next(log.entries())["hash"]}))
    assert faults(made.case) == [], "nothing in the folder can show it"
    result = cli("verify", "--case", made.case, "--head", head)
    assert result.status == 4
    assert f"the entry with hash {head} is missing" in result.out


def test_a_missing_head_file_is_found(made: Made) -> None:
    (made.case / "audit.head").unlink()
    assert "audit.head is missing" in the_fault(made.case).reason


def test_a_missing_log_is_found(made: Made) -> None:
    (made.case / "audit.jsonl").unlink()
    (made.case / "audit.head").unlink()
    reasons = [one.reason for one in faults(made.case)]
    assert any("is missing or empty" in reason for reason in reasons)
    assert sum("has no entry that its scan ended" in reason for reason in reasons) == 3


def test_a_log_full_of_odd_facts_is_not_stumbled_over(made: Made) -> None:
    log = AuditLog(made.case / "audit.jsonl")
    for action in ("scan-begins", "scan-ends", "exhibit-begins", "exhibit-ends", "exhibit-unreadable", "derived"):
        odds: list[Any] = [[], {}, None, "x", 1.5, 2**70, -1]
        for odd in odds:
            log.append(action, exhibit=odd, run=odd, path=odd, sha256=odd, name=odd, recorded=odd, index=odd)
            log.append(action, recorded={"table": odd, "row": odd, "sha256": odd})
    log.append("derived", path="../../outside", sha256="x")
    log.append("derived", path="clips/\0", sha256="x")
    found = verify(made.case)
    assert any("outside the case folder" in one.reason for one in found.faults)


# ---- exhibits


def test_a_changed_exhibit_is_found(made: Made, cli: Callable[..., Result]) -> None:
    door = made.evidence / "door.mp4"
    status, data = door.stat(), bytearray(door.read_bytes())
    data[1000] ^= 1
    door.write_bytes(data)
    os.utime(door, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = the_fault(made.case)
    assert (found.kind, found.what) == ("exhibit", "door.mp4")
    assert "its SHA-256 is" in found.reason
    result = cli("verify", "--case", made.case)
    assert result.status == 4
    assert "door.mp4" in result.out
    result = cli("verify", "--case", made.case, "--no-exhibits")
    assert result.status == 0
    assert "exhibits were not hashed again, as asked for" in result.out


def test_an_exhibit_of_another_size_is_found(made: Made) -> None:
    with (made.evidence / "door.mp4").open("ab") as file:
        file.write(b"x")
    found = the_fault(made.case)
    assert found.what == "door.mp4"
    assert "bytes, but had" in found.reason


def test_a_changed_modification_time_is_found(made: Made) -> None:
    os.utime(made.evidence / "door.mp4", ns=(1, 1_600_000_000_000_000_000))
    assert "its modification time was changed" in the_fault(made.case).reason


def test_a_missing_exhibit_is_found(made: Made) -> None:
    (made.evidence / "cam2" / "yard.mp4").unlink()
    found = the_fault(made.case)
    assert (found.kind, found.what) == ("exhibit", "cam2/yard.mp4")
    assert "is missing, though its folder is there" in found.reason


def test_an_exhibit_that_is_something_else_now_is_found(made: Made) -> None:
    (made.evidence / "door.mp4").unlink()
    os.mkfifo(made.evidence / "door.mp4")
    assert "is no longer a file" in the_fault(made.case).reason


def test_a_drive_that_is_not_connected_is_not_checked(made: Made, tmp_path: Path, cli: Callable[..., Result]) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(made.evidence, elsewhere)
    shutil.rmtree(made.evidence)
    result = cli("verify", "--case", made.case, "--json")
    shown = json.loads(result.out)
    assert result.status == 3
    assert (shown["ok"], shown["faults"]) == (False, [])
    assert [one["what"] for one in shown["not_checked"]] == ["cam2/yard.mp4", "door.mp4", "notes.mp4"]
    assert "What was checked is as recorded" in cli("verify", "--case", made.case).out

    assert cli("verify", "--case", made.case, "--source", elsewhere).status == 0
    (elsewhere / "cam2" / "yard.mp4").rename(elsewhere / "renamed.mp4")
    os.utime(elsewhere / "door.mp4")
    verdict = verify(made.case, source=elsewhere)
    assert (verdict.faults, verdict.not_checked) == ([], [])
    assert ["another modification time" in one.reason for one in verdict.notes] == [True]
    data = bytearray((elsewhere / "door.mp4").read_bytes())
    data[1000] ^= 1
    (elsewhere / "door.mp4").write_bytes(data)
    (elsewhere / "renamed.mp4").unlink()
    verdict = verify(made.case, source=elsewhere)
    assert [one.what for one in verdict.faults] == ["door.mp4"]
    assert [one.what for one in verdict.not_checked] == ["cam2/yard.mp4"]


# ---- derived files


def test_a_changed_derived_file_is_found(made: Made) -> None:
    clip = made.case / "clips" / "E0001_copy.mp4"
    data = bytearray(clip.read_bytes())
    data[-1] ^= 1
    clip.write_bytes(data)
    found = the_fault(made.case)
    assert (found.kind, found.what) == ("derived", "clips/E0001_copy.mp4")
    assert "was changed" in found.reason


def test_a_missing_derived_file_is_found(made: Made) -> None:
    (made.case / "stills" / "E0002.png").unlink()
    found = the_fault(made.case)
    assert found.what == "stills/E0002.png"
    assert "is missing" in found.reason
    assert "vidreview still E0002" in found.reason
    shutil.rmtree(made.case / "clips")
    assert len(faults(made.case)) == 5


@pytest.mark.parametrize(
    "where", ["clips/E0009_copy.mp4", "report/index.html", "export/deep/er/x.csv", "stills/odd\n.png"]
)
def test_an_extra_file_is_found(made: Made, where: str, cli: Callable[..., Result]) -> None:
    (made.case / where).parent.mkdir(parents=True, exist_ok=True)
    (made.case / where).write_text("x")
    found = the_fault(made.case)
    assert (found.kind, found.what) == ("derived", where)
    assert "has no entry" in found.reason
    assert "odd\n" not in cli("verify", "--case", made.case).out


def test_a_link_in_the_place_of_a_derived_file_is_found(made: Made) -> None:
    clip = made.case / "clips" / "E0001_copy.mp4"
    clip.rename(made.case / "moved.mp4")
    clip.symlink_to(made.case / "moved.mp4")
    (made.case / "export").symlink_to(made.evidence)
    assert sorted((one.what, one.reason[:20]) for one in faults(made.case)) == [
        ("clips/E0001_copy.mp4", "is no longer a file;"),
        ("export", "has no entry in the "),
    ]


def test_what_a_kill_left_of_a_derived_file_is_named_as_such(made: Made) -> None:
    (made.case / "clips" / "E0001_copy.mp4.part").write_text("x")
    verdict = verify(made.case)
    assert verdict.exit_status == 0
    (note,) = verdict.notes
    assert note.what == "clips/E0001_copy.mp4.part"
    assert "left over by a kill" in note.reason


# ---- the index

ROWS = {
    "exhibit changed": (
        "UPDATE exhibits SET sha256 = replace(sha256, 'a', 'b') WHERE name = 'door.mp4'",
        "exhibits row",
    ),
    "exhibit's state changed": (
        "UPDATE exhibits SET state = 'running' WHERE name = 'door.mp4'",
        "not finished, but it was",
    ),
    "exhibit added": (
        "INSERT INTO exhibits (id, run, name, path, state, settings_sha256) VALUES (9, 1, 'x', '/x', 'done', 's')",
        "no entry that its scan ended",
    ),
    "unreadable exhibit added": (
        "INSERT INTO exhibits (id, run, name, path, state, settings_sha256) VALUES (9, 1, 'x', '/x', 'failed', 's')",
        "no entry that its scan ended",
    ),
    "exhibit removed": ("DELETE FROM exhibits WHERE name = 'door.mp4'", "exhibits row 2 was removed"),
    "unreadable exhibit removed": ("DELETE FROM exhibits WHERE name = 'notes.mp4'", "exhibits row 3 was removed"),
    "reason changed": ("UPDATE problems SET reason = 'fine' WHERE kind = 'unreadable'", "problems row id"),
    "coverage changed": ("UPDATE coverage SET analysed_s = 99", "coverage row stream 1 was changed"),
    "track changed": ("UPDATE tracks SET dropped = 'x' WHERE id = 1", "tracks row id 1 (T0001) was changed"),
    "points changed": (
        "UPDATE track_points SET points = x'00' WHERE track = 1",
        "track_points row track 1 was changed",
    ),
    "event changed": ("UPDATE events SET start_s = 0 WHERE id = 2", "events row id 2 (E0002) was changed"),
    "event removed": ("DELETE FROM events WHERE id = 2", "events row id 2 was removed"),
    "event added": (
        "INSERT INTO events SELECT 7, stream, class, label, 0, 1, 0, 1, 0, 0, 1, 1, 7 FROM events LIMIT 1",
        "row id 7 (E0007) was added",
    ),
    "detection changed": ("UPDATE detections SET label = 'car' WHERE number = 0 AND stream = 1", "was changed"),
    "detections removed": (
        "DELETE FROM detections WHERE stream = 1",
        "detections 0 to 999 of streams row 1 was removed",
    ),
    "seal changed": (
        "UPDATE seals SET sha256 = x'00' WHERE kind = 'events'",
        "the seals of its rows of events were changed",
    ),
    "run changed": ("UPDATE runs SET finished_utc = '2020'", "runs row 1 was changed"),
    "run's record changed": ("UPDATE runs SET record = replace(record, 'A. E.', 'B. E.')", "the record of runs row 1"),
    "run added": (
        "INSERT INTO runs SELECT 5, started_utc, finished_utc, state, settings_sha256, NULL, record, summary FROM runs",
        "runs row 5 was added",
    ),
    "run removed": ("DELETE FROM runs", "runs row 1 was removed"),
    "review added": (
        "INSERT INTO reviews (event, state, by, at_utc) VALUES (1, 'not relevant', 'A. E.', 'x')",
        "reviews row 1 was added",
    ),
    "view changed": ("DROP VIEW all_events", "the view all_events was missing"),
    "trigger added": (
        "CREATE TRIGGER t AFTER INSERT ON reviews BEGIN DELETE FROM reviews; END",
        "the trigger t was added",
    ),
}


@pytest.mark.parametrize("how", ROWS)
def test_a_tampered_index_is_found(made: Made, how: str) -> None:
    statement, said = ROWS[how]
    sql(made.case, statement)
    found = faults(made.case)
    assert any(said in one.reason and one.kind == "index" for one in found), found


def test_a_row_is_named_with_its_exhibit(made: Made) -> None:
    sql(made.case, "UPDATE events SET score = 1.0 WHERE id = 1")
    found = the_fault(made.case)
    assert found.what == "cam2/yard.mp4"
    assert found.reason.startswith("events row id 1 (E0001) was changed since entry ")


def test_rows_that_were_sealed_anew_by_a_forger_are_found(made: Made) -> None:
    with sqlite3.connect(made.case / "case.db") as db:
        db.execute("UPDATE events SET score = 1.0 WHERE id = 1")
        seal.seal(db, 1)
    db.close()
    assert "its rows of events are not as recorded, and their seals were changed too" in the_fault(made.case).reason


def test_an_exhibit_set_back_to_unfinished_with_its_seals_is_found(made: Made) -> None:
    sql(made.case, "UPDATE exhibits SET state = 'running' WHERE id = 2", "DELETE FROM seals WHERE exhibit = 2")
    assert "it says that its scan is not finished, but it was" in the_fault(made.case).reason


def test_values_that_belong_in_no_column_are_not_stumbled_over(made: Made) -> None:
    sql(
        made.case,
        "UPDATE exhibits SET name = x'ff', path = x'00', size = 'much', mtime_ns = 'x', sha256 = 7 WHERE id = 1",
        "UPDATE exhibits SET path = 'a' || char(0) WHERE id = 2",
        "UPDATE exhibits SET name = CAST(x'ff' AS TEXT) WHERE id = 3",
        "UPDATE runs SET record = x'ff', state = 'odd'",
        "UPDATE seals SET row = x'ff' WHERE kind = 'tracks'",
    )
    assert {"exhibits row id 1", "exhibits row id 2", "exhibits row id 3"} <= {
        " ".join(one.reason.split()[:4]) for one in faults(made.case)
    }


@pytest.mark.parametrize("how", ["not there", "no database", "half", "another program's", "damaged"])
def test_a_database_that_cannot_be_read_is_found_and_the_rest_is_checked(made: Made, how: str) -> None:
    database = made.case / "case.db"
    data = database.read_bytes()
    (made.case / "clips" / "E0001_copy.mp4").unlink()
    if how == "not there":
        database.unlink()
    elif how == "no database":
        database.write_bytes(b"hello" * 1000)
    elif how == "half":
        database.write_bytes(data[: len(data) // 2])
    elif how == "damaged":
        database.write_bytes(data[:8192] + bytes(len(data) - 16384) + data[-8192:])
    else:
        sql(made.case, "PRAGMA application_id = 5")
    found = faults(made.case)
    assert any(one.what == "case.db" for one in found), found
    assert any(one.what == "clips/E0001_copy.mp4" for one in found)


def test_a_later_version_can_check_the_case(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it seals a table that is not there yet, or has no rows of what was sealed before."""
    step = ("0099 more", "CREATE TABLE more (id INTEGER PRIMARY KEY, exhibit INTEGER);")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    monkeypatch.setattr(seal, "TABLES", (*seal.TABLES, seal.Sealed("more", ("id",), "exhibit = ?")))
    assert faults(made.case) == []
    Case.open(made.case).close()
    verdict = verify(made.case)
    assert (verdict.faults, verdict.not_checked) == ([], [])
    sql(made.case, "INSERT INTO more VALUES (1, 2)")
    assert "more row id 1 was added" in the_fault(made.case).reason


def test_a_case_of_a_version_without_seals_is_not_checked_rather_than_faulty(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
        Case.open(tmp_path / "case", create=True).close()
    AuditLog(tmp_path / "case" / "audit.jsonl").append("scan-begins", run=1)
    verdict = verify(tmp_path / "case")
    assert verdict.faults == []
    assert ["of a version that sealed no rows" in one.reason for one in verdict.not_checked] == [True]


def test_a_case_that_pretends_to_be_of_an_older_version_is_found(made: Made) -> None:
    sql(made.case, "DELETE FROM migrations WHERE id >= 6")
    assert "the table seals was added" in " ".join(one.reason for one in faults(made.case))


def test_an_exhibit_scanned_before_there_were_seals_is_not_checked_rather_than_faulty(made: Made) -> None:
    """Old entries name no exhibit number."""

    def old(entry: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in entry["facts"].items() if k not in ("exhibit", "index", "recorded")}

    rechain(made.case, old)
    (made.case / "audit.head").unlink()
    log = AuditLog(made.case / "audit.jsonl")
    log.head_path.write_text(json.dumps({"seq": 1, "hash": next(log.entries())["hash"]}))
    sql(made.case, "DELETE FROM seals")
    verdict = verify(made.case)
    assert verdict.faults == []
    assert sorted(one.what for one in verdict.not_checked) == ["cam2/yard.mp4", "door.mp4", "notes.mp4", "run 1"]


# ---- rows with an entry of their own


def review(case: Path, row: int, state: str) -> None:
    """What a command that sets a review state does: row and entry in one transaction."""
    with sqlite3.connect(case / "case.db") as db:
        db.execute(
            "INSERT OR REPLACE INTO reviews (id, event, state, by, at_utc) VALUES (?, 1, ?, 'A. E.', 'x')", (row, state)
        )
        log = AuditLog(case / "audit.jsonl")
        log.append("review", event="E0001", state=state, recorded=seal.recorded(db, "reviews", row))
    db.close()


def test_rows_with_their_own_entries(made: Made) -> None:
    review(made.case, 1, "relevant")
    review(made.case, 2, "unsure")
    review(made.case, 2, "relevant")
    assert faults(made.case) == []
    assert verify(made.case).checked["recorded rows"] == 2
    sql(made.case, "UPDATE reviews SET state = 'unsure' WHERE id = 2")
    assert "reviews row 2 was changed since entry" in the_fault(made.case).reason
    sql(made.case, "DELETE FROM reviews WHERE id = 2")
    assert "reviews row 2 was removed" in the_fault(made.case).reason
    with sqlite3.connect(made.case / "case.db") as db:
        AuditLog(made.case / "audit.jsonl").append("removed", recorded=seal.recorded(db, "reviews", 2))
    db.close()
    assert faults(made.case) == [], "the log says that it was removed"


# ---- kills (rule A11)

KILLED = """
import os, sys
from pathlib import Path
from tests.films import RedDetector
from vidreview.audit import AuditLog
from vidreview.pipeline import scan
from vidreview.settings import ScanSettings

folder, when = Path(sys.argv[1]), sys.argv[2]
extend, put_head = AuditLog._extend, AuditLog._put_head

def killed_extend(self, entries):
    entries = list(entries)
    here = any(when.removeprefix("before ").removeprefix("after ") == action for action, _ in entries)
    if here and when.startswith("before "):
        os._exit(9)
    result = extend(self, entries)
    if here and when.startswith("after "):
        os._exit(9)
    return result

def killed_head(self, seq, hashed):
    if when == f"head {seq}":
        os._exit(9)
    put_head(self, seq, hashed)

class Killed(RedDetector):
    def detect(self, pictures, size=None):
        if when == "looking" and self.pictures > 12:
            os._exit(9)
        return super().detect(pictures, size)

AuditLog._extend, AuditLog._put_head = killed_extend, killed_head
scan([folder / "evidence"], folder / "case", ScanSettings(), detector=Killed())
"""

MOMENTS = {
    "before scan-begins": "",  # nothing was recorded yet
    "after scan-begins": "was killed right after entry 1",
    "head 0": "",
    "head 1": "was killed right after entry 1",
    "before exhibit-begins": "its scan was interrupted",
    "after exhibit-begins": "its scan was interrupted",
    "looking": "its scan was interrupted",
    "before exhibit-ends": "its scan was interrupted",
    "after exhibit-ends": "says that its scan ended, the index does not: a kill",
    "before exhibit-unreadable": "was interrupted before its end",
    "after exhibit-unreadable": "says that its scan ended, the index does not: a kill",
    "before scan-ends": "was interrupted before its end",
    "after scan-ends": "was interrupted before its end",
}


@pytest.mark.parametrize("when", MOMENTS)
def test_a_case_whose_scan_was_killed_is_as_recorded(original: Made, tmp_path: Path, when: str) -> None:
    evidence, case = tmp_path / "evidence", tmp_path / "case"
    shutil.copytree(original.evidence, evidence)
    script = [sys.executable, "-c", KILLED, str(tmp_path), when]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 9, done.stderr
    assert faults(case) == []
    verdict = verify(case)
    assert verdict.not_checked == []
    said = MOMENTS[when]
    assert any(said in one.reason for one in verdict.notes) if said else verdict.notes == [], verdict.notes
    scan_films(evidence, case)
    verdict = verify(case)
    assert verdict.faults == []
    assert verdict.checked["sealed exhibits"] == 3
    assert all(one.what == "run 1" for one in verdict.notes), verdict.notes


def test_an_interrupted_scan_is_as_recorded(original: Made, tmp_path: Path) -> None:
    class Interrupted(RedDetector):
        def detect(self, pictures: Any, size: int | None = None) -> Any:
            if self.pictures > 12:
                raise KeyboardInterrupt
            return super().detect(pictures, size)

    with pytest.raises(KeyboardInterrupt):
        scan([original.evidence], tmp_path / "case", ScanSettings(), detector=Interrupted())
    verdict = verify(tmp_path / "case")
    assert (verdict.faults, verdict.not_checked) == ([], [])
    assert verdict.notes
    assert all("its scan was interrupted" in one.reason for one in verdict.notes)
