"""The audit log: what is found when somebody, or a power cut, touches it (rule A5)."""

from __future__ import annotations

import json
import os
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
    """Rule A5."""
    lines = lines_of(log)
    rewrite(log, lines[:1] + lines[2:])
    assert any("entry 3" in fault and "does not follow" in fault for fault in log.check_chain())


def test_a_removed_first_entry_is_found(log: AuditLog) -> None:
    rewrite(log, lines_of(log)[1:])
    assert any("line 1 (entry 2)" in fault for fault in log.check_chain())


def test_an_edited_entry_is_found(log: AuditLog) -> None:
    """Rule A5."""
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
    """Rule A5."""
    lines = lines_of(log)
    rewrite(log, [lines[0], lines[2], lines[1], lines[3]])
    assert len(log.check_chain()) >= 3


def name_head(log: AuditLog, entry: dict[str, object]) -> None:
    """Leaves audit.head as it was when this entry was the last one."""
    log.head_path.write_text(json.dumps({"seq": entry["seq"], "hash": entry["hash"]}))


def test_entries_cut_off_the_end_are_found_by_the_head_file(log: AuditLog) -> None:
    """Rule A5."""
    head = log.head()
    rewrite(log, lines_of(log)[:2])
    assert log.check_chain() == [
        f"audit.head names entry 4, hash {head}, which the log does not hold: entries were cut off the end or replaced"
    ]
    log.path.unlink()
    assert ["audit.head names entry 4" in fault for fault in log.check_chain()] == [True], "all of them cut off"


def test_entries_cut_off_with_the_head_file_are_found_by_a_quoted_head(log: AuditLog) -> None:
    head = log.head()
    rewrite(log, lines_of(log)[:2])
    name_head(log, list(log.entries())[-1])
    assert log.check_chain() == []
    assert log.check_chain(head) == [f"the entry with hash {head} is missing: entries were cut off the end or replaced"]
    assert log.check(head).missing == {head}


def test_a_log_written_anew_throughout_is_found_by_the_head_file(log: AuditLog) -> None:
    forged = AuditLog(log.path.with_name("forged.jsonl"))
    for entry in log.entries():
        forged.append(str(entry["action"]), **(entry["facts"] | {"number": 9}))
    log.path.write_bytes(forged.path.read_bytes())
    assert log.check_chain() != []
    assert forged.check_chain() == []


def test_a_head_that_a_kill_left_behind_is_none_the_worse(log: AuditLog) -> None:
    for entry in list(log.entries()):
        name_head(log, entry)
        assert log.check_chain() == []
    log.append("scan-resumed")
    assert [entry["action"] for entry in log.entries()][-1] == "scan-resumed"
    log.path.write_bytes(b"")
    log.head_path.write_text('{"seq": 0, "hash": "' + FIRST + '"}')
    assert log.check_chain() == [], "killed before the first entry was written"


def test_a_missing_or_odd_head_file_is_found(log: AuditLog) -> None:
    for odd in (b"", b"[]", b'{"seq": "x", "hash": 1}', b"\xff", b"[" * 100_000):
        log.head_path.write_bytes(odd)
        assert len(log.check_chain()) == 1, odd[:20]
    log.head_path.write_text(json.dumps({"seq": 2, "hash": log.head()}))
    assert log.check_chain() == ["audit.head was altered: it names entry 2 by the hash of another"]
    log.head_path.unlink()
    (fault,) = log.check_chain()
    assert "audit.head is missing" in fault


@pytest.mark.parametrize("how", ["cut off", "head removed", "written anew"])
def test_the_next_entry_does_not_hide_that_the_head_did_not_fit(log: AuditLog, how: str) -> None:
    if how == "cut off":
        rewrite(log, lines_of(log)[:2])
    elif how == "head removed":
        log.head_path.unlink()
    else:
        forged = AuditLog(log.path.with_name("forged.jsonl"))
        for _ in range(7):
            forged.append("forged")
        log.path.write_bytes(forged.path.read_bytes())
    log.append("scan-begins")
    log.append("scan-ends")
    assert [entry["action"] for entry in log.entries()][-3:] == ["head-lost", "scan-begins", "scan-ends"]
    (fault,) = log.check_chain()
    assert "audit.head did not fit the log" in fault


def test_an_entry_written_in_another_form_is_found(log: AuditLog) -> None:
    """A key that stands there twice has one value for us and another one for a person who reads the file."""
    lines = lines_of(log)
    lines[1] = lines[1].replace(b'"facts":', b'"facts":{"number":7},"facts":')
    rewrite(log, lines)
    assert log.check_chain() == ["line 2 (entry 2) was altered: it is not written as it was"]


def test_many_entries_cost_one_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    monkeypatch.setattr("vidreview.audit.os.fsync", waits.append)
    log = AuditLog(tmp_path / "audit.jsonl")
    assert log.append_many(("exhibit-unreadable", {"name": str(k)}) for k in range(20_000)) == 20_000
    assert len(waits) == 1
    assert log.append_many([]) == 0
    assert log.check_chain() == []
    assert log.check().seq == 20_000
    assert log.append("next")["seq"] == 20_001


def test_appending_does_not_read_the_whole_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append_many(("x", {"text": "y" * 400}) for _ in range(5_000))
    read: list[int] = []
    pread = os.pread

    def counted(handle: int, size: int, offset: int) -> bytes:
        read.append(size)
        return pread(handle, size, offset)

    monkeypatch.setattr("vidreview.audit.os.pread", counted)
    log.append("x")
    assert sum(read) < 100_000 < log.path.stat().st_size


def test_a_line_torn_by_a_kill_stays_and_the_chain_goes_on(log: AuditLog) -> None:
    """Rule A11: the log shows the break."""
    torn = lines_of(log)[3][:40]
    log.path.write_bytes(b"".join(lines_of(log)[:3]) + torn)
    name_head(log, list(log.entries())[-1])
    assert log.check_chain() == [], "a kill is no fault"
    assert ["is torn" in note for note in log.check().notes] == [True]
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
