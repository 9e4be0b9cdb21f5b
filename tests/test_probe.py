"""`vidreview probe` as people and scripts call it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.media_samples import make

Cli = Callable[..., Result]


def test_summary_of_a_file(tmp_path: Path, cli: Cli) -> None:
    path = make(tmp_path / "front.mp4", frames=50)
    result = cli("probe", path)
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[0] == "front.mp4"
    assert "25 fps measured, 25 declared · 50 packets · 00:00:02.000 · from PTS 0" in lines[2]
    assert result.err == ""


def test_json_of_a_folder(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a").mkdir()
    make(tmp_path / "a" / "x.mp4")
    (tmp_path / "note.txt").write_text("hello\n" * 20)
    result = cli("probe", "--json", "--hash", tmp_path)
    rows = json.loads(result.out)
    assert result.status == 3
    assert [row["name"] for row in rows] == ["a/x.mp4", "note.txt"]
    assert rows[0]["path"] == str(tmp_path / "a" / "x.mp4")
    assert rows[0]["sha256"] == hashlib.sha256((tmp_path / "a" / "x.mp4").read_bytes()).hexdigest()
    assert rows[0]["streams"][0]["width"] == 96
    assert rows[0]["streams"][0]["declared_rate"] == "25/1"
    assert rows[1]["error"] == "plain text, not a video"
    assert "streams" not in rows[1]


def test_no_source_exists(tmp_path: Path, cli: Cli) -> None:
    result = cli("probe", tmp_path / "nothing")
    assert result.status == 2
    assert result.out == ""
    assert "no such file or folder" in result.err
    assert result.err.count("\n") == 1


def test_missing_source_does_not_hide_the_others(tmp_path: Path, cli: Cli) -> None:
    path = make(tmp_path / "a.mp4")
    result = cli("probe", tmp_path / "nothing.mp4", path)
    assert result.status == 3
    assert "nothing.mp4\n  not read: cannot be opened: No such file or directory" in result.out
    assert "30 packets" in result.out


def test_hostile_name_is_escaped(tmp_path: Path, cli: Cli) -> None:
    path = make(tmp_path / "a.mp4").rename(tmp_path / "\x1b[31mred\udcff.mp4")
    text = cli("probe", path)
    assert text.status == 0
    assert "\\x1b[31mred\\xff.mp4" in text.out
    assert "\x1b" not in text.out
    data = cli("probe", "--json", path)
    assert json.loads(data.out)[0]["name"] == path.name


def test_help_has_an_example(cli: Cli) -> None:
    result = cli("probe", "--help")
    assert result.status == 0
    assert "vidreview probe /evidence/NMC-1" in result.out


@pytest.mark.footage
def test_odd_folder(odd_files: Path, cli: Cli) -> None:
    result = cli("probe", "--json", odd_files)
    assert result.status == 3
    assert result.err == ""
    rows = {row["name"]: row for row in json.loads(result.out)}
    assert len(rows) == 26
    errors = {name: row["error"] for name, row in rows.items() if "error" in row}
    assert set(errors) == {"empty.mp4", "no_moov.mp4", "text_named.mp4"}
    assert errors["no_moov.mp4"].startswith("the index (moov) was never written")
    assert rows["player_wrapped.exe"]["byte_offset"] == 4096
    assert rows["vfr.mp4"]["streams"][0]["variable_rate"] is True
    text = cli("probe", odd_files)
    assert text.out.count("not read:") == 3
