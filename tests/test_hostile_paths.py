"""Odd places, names and forms that a command line or a drive holds: an answer each, never an internal error."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.films import RedDetector, film
from vidreview import hashlist
from vidreview.errors import UsageError
from vidreview.evidence import Unreadable, discover, files_below, is_missing
from vidreview.pipeline import scan
from vidreview.settings import ScanSettings
from vidreview.verify import verify

Cli = Callable[..., Result]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case with one exhibit and one event, the evidence beside it."""
    (tmp_path / "evidence").mkdir()
    film(tmp_path / "evidence" / "a.mp4", 60, [(10, 40)])
    scan([tmp_path / "evidence"], tmp_path / "case", ScanSettings(), detector=RedDetector())
    return tmp_path / "case"


@pytest.fixture
def forbidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that may not be entered; the superuser, who runs tests in containers, would be let in."""
    folder = tmp_path / "forbidden"
    folder.mkdir()
    real = os.stat, os.lstat

    def refusing(call: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def status(path: object, **more: object) -> os.stat_result:
            if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(f"{folder}/"):
                raise PermissionError(13, "Permission denied", os.fspath(path))
            return call(path, **more)

        return status

    monkeypatch.setattr(os, "stat", refusing(real[0]))
    monkeypatch.setattr(os, "lstat", refusing(real[1]))
    return folder


@contextmanager
def deep(folder: Path, levels: int) -> Iterator[Path]:
    """Folders nested deeper than Python may call itself; removed again, since pytest's own clean-up calls itself."""
    folder.mkdir()
    try:
        _nest(folder, levels)
        yield folder
    finally:
        subprocess.run(["rm", "-rf", "--", folder], check=True)


def _nest(folder: Path, levels: int) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_a_source_that_may_not_be_reached_is_listed(forbidden: Path, cli: Cli) -> None:
    """Rule C3."""
    inner = forbidden / "a.mp4"
    assert not is_missing(inner)
    (found,) = discover([inner])
    assert isinstance(found, Unreadable) and "Permission denied" in found.reason
    result = cli("probe", inner)
    assert result.status == 3 and "Permission denied" in result.out


@pytest.mark.parametrize("command", [["log"], ["verify"], ["clock", "withdraw", "C1", "--by", "x", "--reason", "y"]])
def test_a_case_that_may_not_be_reached_is_one_clear_error(forbidden: Path, cli: Cli, command: list[str]) -> None:
    result = cli(*command, "--case", forbidden)
    assert result.status == 1
    assert "Permission denied" in result.err and "internal" not in result.err


def test_a_name_too_long_is_one_clear_error(cli: Cli) -> None:
    result = cli("verify", "--case", "a" * 300)
    assert result.status == 1
    assert "File name too long" in result.err and "internal" not in result.err


def test_a_moved_exhibit_is_found_beside_endless_folders(case: Path, tmp_path: Path, cli: Cli) -> None:
    with deep(tmp_path / "moved", 1200) as moved:
        (tmp_path / "evidence" / "a.mp4").rename(moved / "b.mp4")
        assert list(files_below(moved)) == [moved / "b.mp4"]
        assert not verify(case, source=moved).faults
        result = cli("clip", "--all", "--case", case, "--source", moved)
    assert (result.status, result.err) == (0, "")


def test_an_exhibit_that_is_not_in_the_source_is_said_to_be_checked_elsewhere(case: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    verdict = verify(case, source=tmp_path / "empty")
    assert not verdict.faults and not verdict.not_checked
    assert any("so it was checked where it was scanned" in note.reason for note in verdict.notes)


def test_a_hash_list_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashlist, "_LARGEST", 1 << 20)
    with pytest.raises(UsageError, match="this is no list of hashes"):
        hashlist.read_hash_list(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("GMT+1", "always shows UTC+1 runs in Etc/GMT-1, whose sign is reversed"),
        ("UTC-05:00", "always shows UTC-5 runs in Etc/GMT+5"),
        ("BST", "they are written Europe/London, UTC"),
        ("localtime", "no time zone is named 'localtime'"),
    ],
)
def test_a_zone_is_never_guessed_wrong(case: Path, cli: Cli, zone: str, said: str) -> None:
    typed = ["clock", "add", "a.mp4", "--case", case, "--shown", "2024-01-01 10:00", "--at", "0", "--by", "x"]
    result = cli(*typed, "--zone", zone)
    assert result.status == 2 and said in result.err


@pytest.mark.parametrize("change", ["UPDATE runs SET record = 'nope'", "UPDATE exhibits SET path = x'fffe'"])
def test_what_was_written_into_the_index_by_others_is_one_clear_error(case: Path, cli: Cli, change: str) -> None:
    db = sqlite3.connect(case / "case.db")
    db.execute(change)
    db.commit()
    db.close()
    result = cli("clip", "--all", "--case", case)
    assert result.status == 1
    assert "the index holds what vidreview did not write" in result.err


def test_a_pipe_in_place_of_the_log_is_not_waited_for(case: Path, cli: Cli) -> None:
    (case / "audit.jsonl").unlink()
    os.mkfifo(case / "audit.jsonl")
    result = cli("log", "--case", case)
    assert result.status == 1 and "is a pipe, not a file" in result.err


def test_a_picture_is_called_a_picture_by_scan_as_by_probe(tmp_path: Path, cli: Cli) -> None:
    """Rule C1; "may be a proprietary format" sends a specialist after every holiday picture of a drive."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "picture.mp4").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00\xff" * 400)
    summary = scan([folder], tmp_path / "case", ScanSettings(), detector=RedDetector())
    assert [problem["reason"] for problem in summary.problems] == ["picture (PNG), not a video"]
    assert "picture (PNG), not a video" in cli("probe", folder).out
