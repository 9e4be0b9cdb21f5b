"""The audit log: what is found when somebody, or a power cut, touches it (rule A5)."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from vidreview.audit import FIRST, AuditLog
from vidreview.errors import CaseError, IntegrityError


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    """Four entries, by a clock that stands still."""
    made = AuditLog(tmp_path / "audit.jsonl", clock=lambda: "2026-01-01T00:00:00.000000Z", monotonic_ns=lambda: 5)
    for number in range(4):
        made.append("scan-started", number=number, argv=("scan", "\udcff"))
    return made


def rewrite(log: AuditLog, lines: list[bytes]) -> None:
    log.path.write_bytes(b"".join(lines))


def lines_of(log: AuditLog) -> list[bytes]:
    return log.path.read_bytes().splitlines(keepends=True)


def test_entries_are_chained_and_complete(log: AuditLog) -> None:
    entries = list(log.entries())
    assert [entry["seq"] for entry in entries] == [1, 2, 3, 4]
    assert [entry["previous"] for entry in entries] == [FIRST] + [entry["hash"] for entry in entries[:-1]]
    assert entries[0]["utc"] == "2026-01-01T00:00:00.000000Z"
    assert entries[0]["monotonic_ns"] == 5
    assert entries[2]["facts"] == {"number": 2, "argv": ["scan", "\udcff"]}
    assert log.head() == entries[-1]["hash"]
    assert log.check_chain() == []
    assert log.check_chain(head=entries[1]["hash"]) == []


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    assert list(log.entries()) == []
    assert log.check_chain() == []
    assert log.head() == FIRST
    assert not log.path.exists()


def test_a_removed_entry_is_found(log: AuditLog) -> None:
    lines = lines_of(log)
    rewrite(log, lines[:1] + lines[2:])
    assert any("entry 3" in fault and "does not follow" in fault for fault in log.check_chain())


def test_a_removed_first_entry_is_found(log: AuditLog) -> None:
    rewrite(log, lines_of(log)[1:])
    assert any("line 1 (entry 2)" in fault for fault in log.check_chain())


def test_an_edited_entry_is_found(log: AuditLog) -> None:
    lines = lines_of(log)
    lines[1] = lines[1].replace(b'"number":1', b'"number":7')
    rewrite(log, lines)
    assert log.check_chain() == ["line 2 (entry 2) was altered: its hash does not fit"]


def test_an_edited_entry_with_a_new_hash_is_found(log: AuditLog) -> None:
    lines = lines_of(log)
    other = AuditLog(log.path.with_name("other"), clock=lambda: "x", monotonic_ns=lambda: 0)
    for _ in range(2):
        other.append("forged")
    lines[1] = other.path.read_bytes().splitlines(keepends=True)[1]
    rewrite(log, lines)
    assert any("line 3 (entry 3) does not follow" in fault for fault in log.check_chain())


def test_reordered_entries_are_found(log: AuditLog) -> None:
    lines = lines_of(log)
    rewrite(log, [lines[0], lines[2], lines[1], lines[3]])
    assert len(log.check_chain()) >= 3


def test_entries_cut_off_the_end_are_found_by_the_head(log: AuditLog) -> None:
    head = log.head()
    rewrite(log, lines_of(log)[:2])
    assert log.check_chain() == []
    assert log.check_chain(head) == [f"the entry with hash {head} is missing: entries were cut off the end or replaced"]


def test_a_line_torn_by_a_kill_stays_and_the_chain_goes_on(log: AuditLog) -> None:
    """Rule A11: the log shows the break."""
    torn = lines_of(log)[3][:40]
    log.path.write_bytes(b"".join(lines_of(log)[:3]) + torn)
    assert len(log.check_chain()) == 1
    assert "is torn" in log.check_chain()[0]
    log.append("scan-resumed")
    assert torn in log.path.read_bytes()
    assert [entry["action"] for entry in log.entries()][-2:] == ["torn-line", "scan-resumed"]
    assert log.check_chain() == []
    altered = log.path.read_bytes().replace(torn, torn[:-1])
    log.path.write_bytes(altered)
    assert log.check_chain() != []


def test_an_entry_that_lacks_only_its_line_break_counts(log: AuditLog) -> None:
    log.path.write_bytes(log.path.read_bytes()[:-1])
    assert log.check_chain() == []
    log.append("scan-resumed")
    assert [entry["seq"] for entry in log.entries()] == [1, 2, 3, 4, 5]
    assert log.check_chain() == []


def test_a_log_torn_in_its_first_line_goes_on(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.path.write_bytes(b'{"action":"sca')
    log.append("scan-started")
    assert [entry["seq"] for entry in log.entries()] == [1, 2]
    assert log.check_chain() == []


def test_foreign_lines_are_found(log: AuditLog) -> None:
    lines = lines_of(log)
    rewrite(log, [lines[0], b"hello\n", *lines[1:]])
    assert any("line 2 is not an entry" in fault for fault in log.check_chain())


def test_a_file_that_is_no_log_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_text("notes of mine\n")
    with pytest.raises(IntegrityError, match="not continued"):
        AuditLog(path).append("scan-started")
    assert path.read_text() == "notes of mine\n"


def test_long_entries_are_continued(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("long", text="x" * 200_000)
    log.append("short")
    assert [entry["seq"] for entry in log.entries()] == [1, 2]
    assert log.check_chain() == []


def test_two_writers_do_not_tear_each_others_lines(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    def write() -> None:
        for _ in range(20):
            AuditLog(path).append("derived", path="a")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = AuditLog(path)
    assert len(list(log.entries())) == 80
    assert log.check_chain() == []


def test_the_manifest_names_the_latest_entry_of_each_derived_file(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.derived("clips/E0001_copy.mp4", "a" * 64, "cam.mp4", "b" * 64, "vidreview clip E0001", before_s=0.0)
    log.append("other")
    log.derived("clips/E0001_copy.mp4", "c" * 64, "cam.mp4", "b" * 64, "vidreview clip E0001", before_s=2.0)
    assert log.manifest() == {
        "clips/E0001_copy.mp4": {
            "path": "clips/E0001_copy.mp4",
            "sha256": "c" * 64,
            "parent": "cam.mp4",
            "parent_sha256": "b" * 64,
            "command": "vidreview clip E0001",
            "parameters": {"before_s": 2.0},
        }
    }


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="cannot write the audit log"):
        AuditLog(tmp_path / "none" / "audit.jsonl").append("x")


def test_an_entry_is_plain_json_with_sorted_keys(log: AuditLog) -> None:
    line = lines_of(log)[0].decode()
    assert line == json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")) + "\n"
