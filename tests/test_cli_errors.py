"""What a person or a script gets for a slip of the hand: one line, the right status, nothing done by mistake."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import av.error
import click
import pytest

from tests.conftest import Result
from tests.test_index import RECORD, fill
from vidreview.cli.common import Share, parse_seconds, safe
from vidreview.clips import copy
from vidreview.detect.weights import hash_model
from vidreview.errors import CaseError, CaseRefusedError, ModelError, UsageError
from vidreview.index import Case, Identity, Listed, Reader, beside, refuse_overlap
from vidreview.motfile import read_detections
from vidreview.settings import load_settings

Cli = Callable[..., Result]


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case with one exhibit, a.mp4, and one that could not be read."""
    with Case.open(tmp_path / "case", create=True) as opened:
        run = opened.begin_run(RECORD)
        fill(opened, run=run)
        empty = Identity("empty.mp4", Path("/evidence/empty.mp4"))
        opened.list_files(run, [Listed(empty, "failed", "the file is empty (0 bytes)")])
        opened.finish_run(run, "done", {})
    return tmp_path / "case"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "no such command 'bogus'; see 'vidreview --help'"),
        (["evnts"], "no such command 'evnts'; did you mean 'events'?; see 'vidreview --help'"),
        (["--bogus"], "No such option '--bogus'; see 'vidreview --help'"),
        (["probe"], "Missing argument 'SOURCE...'; see 'vidreview probe --help'"),
        (["scan", "--merge-gap", "wide", "x"], "'wide' is not a valid float; see 'vidreview scan --help'"),
        (["events", "--class"], "Option '--class' requires an argument"),
        (["events", "--class", "bus"], "'bus' is not one of 'person', 'vehicle', 'motion'; see"),
        (["events", "--min-score", "nan"], "'nan' is not a number"),
        (["events", "--limit", "99999999999999999999"], "is not in the range"),
        (["events", "--case", ""], "an empty path; is a variable unset? Write . for this folder"),
        (["scan", ""], "an empty path"),
        (["probe", ""], "an empty path"),
        (["validate", "truth.json", "--min-recall", "nan"], "'nan' is not a number"),
        (["validate", "truth.json", "--max-false", "nan"], "'nan' is not a number"),
        (["model", "bogus"], "No such command 'bogus'; see 'vidreview model --help'"),
        (["scan", "no\nsuch\x1b[31m.mp4"], r"no\nsuch\x1b[31m.mp4: no such file or folder"),
    ],
)
def test_what_was_typed_wrong_is_one_line(
    arguments: list[str], message: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "truth.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    result = cli(*arguments)
    assert result.status == 2
    assert result.out == ""
    assert result.err.startswith("vidreview: ") and result.err.count("\n") == 1
    assert message in result.err
    assert [p.name for p in tmp_path.iterdir()] == ["truth.json"]


def test_one_file_that_may_not_be_read_does_not_end_the_batch(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule C3, also where click would look at the permissions before the command begins."""
    locked = tmp_path / "locked.mp4"
    locked.write_bytes(b"x" * 100)
    monkeypatch.setattr(os, "access", lambda path, mode, **_: False)
    real = os.open

    def refuse(path: str | Path, *rest: int, **named: int) -> int:
        if os.fspath(path) == str(locked):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)
    result = cli("probe", locked, "--json")
    assert result.status == 3
    assert "Permission denied" in json.loads(result.out)[0]["error"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("PT1H2M3.5S", 3723.5), ("PT90M", 5400.0), ("PT0S", 0.0), ("99:59:59.999", 359999.999), ("90:00", 5400.0)],
)
def test_times_in_all_their_forms(text: str, seconds: float) -> None:
    assert parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["00:61:00", "1:99:00", "00:00:60", "PT", "PT5", "P1D", "nan", "1e3", "-5", "", "٣"])
def test_a_time_that_can_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        parse_seconds(text)


@pytest.mark.parametrize("text", ["2024-05-01T10:00:00Z", "2024-05-01 10:00", "20240501T100000+0200", "2024-05-01"])
def test_a_wall_clock_time_says_why_it_cannot_be_used(text: str, case: Path, cli: Cli) -> None:
    """Rule B5: unknown time is not guessed."""
    result = cli("events", "--since", text, "--case", case)
    assert result.status == 2
    assert "time from the stream's first frame" in result.err


def test_a_number_that_is_none_passes_no_gate() -> None:
    for highest in (1.0, None):
        with pytest.raises(click.BadParameter, match="not a number"):
            Share(highest).convert("nan", None, None)


def test_bytes_of_a_name_are_shown_as_the_case_shows_them() -> None:
    assert safe(os.fsdecode(b"cam\xff\n.mp4")) == r"cam\xff\n.mp4"


def test_a_stream_that_is_not_there_is_not_an_absence_of_tracks(case: Path, cli: Cli) -> None:
    """Rule E1."""
    for form in (["--format", "mot"], ["--json"], []):
        result = cli("tracks", "--stream", "7", "--case", case, *form)
        assert (result.status, result.out) == (2, "")
        assert "has a stream 7; there are: 0" in result.err


@pytest.mark.parametrize(
    ("exhibit", "stream", "message"),
    [
        ("a.mp4", "5", "a.mp4 has no stream 5; it has: 0"),
        ("empty.mp4", None, "no stream of 'empty.mp4' could be read"),
        ("z.mp4", None, "no exhibit of the case is named 'z.mp4'; try: a.mp4"),
    ],
)
def test_a_still_of_what_is_not_there(exhibit: str, stream: str | None, message: str, case: Path, cli: Cli) -> None:
    result = cli("still", "--at", "3", "--exhibit", exhibit, *(["--stream", stream] if stream else []), "--case", case)
    assert result.status == 2
    assert message in result.err


def test_a_case_beside_a_single_file_is_made_and_said(tmp_path: Path, cli: Cli) -> None:
    """Rule A1 refuses a case in an evidence folder; beside one file that a person named, it is their folder."""
    (tmp_path / "new").mkdir()
    video = tmp_path / "new" / "a.mp4"
    video.write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "new")
    for case_dir in (video.with_name("case"), video.parent / "deep" / "case", tmp_path / "link" / "case"):
        refuse_overlap(case_dir, [video])
        assert beside(case_dir, [video]) == video
        with pytest.raises(CaseRefusedError):
            refuse_overlap(case_dir, [video.parent])
    assert beside(tmp_path / "case", [video]) is None
    assert beside(tmp_path / "new-too" / "case", [video, tmp_path / "new"]) is None


def test_tracks_do_not_overwrite_their_detections(tmp_path: Path, cli: Cli) -> None:
    given = tmp_path / "det.txt"
    given.write_text("1,-1,10,10,20,40,0.9\n")
    (tmp_path / "same.txt").symlink_to(given)
    for output in (given, tmp_path / "same.txt"):
        assert cli("track", given, "--fps", "25", "-o", output).status == 2
    assert given.read_text() == "1,-1,10,10,20,40,0.9\n"
    assert cli("track", given, "--fps", "25", "--high-score", "0.1", "--low-score", "0.5").status == 2
    assert cli("track", given, "--fps", "25", "--high-score", "nan").status == 2


@pytest.mark.parametrize("box", ["1e308,10,20,40", "10,-1e7,20,40", "10,10,1e38,40"])
def test_a_box_far_outside_every_picture_is_refused(box: str, tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text(f"1,-1,{box},0.9\n")
    with pytest.raises(UsageError, match="line 1"):
        read_detections(tmp_path / "det.txt")


def test_a_folder_given_as_model_by_mistake_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.xml").write_text("<x/>")
    with pytest.raises(ModelError, match="is no model folder"):
        hash_model(tmp_path)
    (tmp_path / "model.xml").write_text("<x/>")
    (tmp_path / os.fsdecode(b"weights\xff.bin")).write_bytes(b"x")
    assert len(hash_model(tmp_path)) == 64


def test_a_disk_that_is_full_is_not_laid_to_the_container() -> None:
    def write(error: Exception) -> None:
        with copy._refusals(Path("E0001_copy.mp4.part"), "does not take h264"):
            raise error

    with pytest.raises(CaseError, match=r"cannot write E0001_copy\.mp4: No space left on device"):
        write(av.error.OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(copy._AlteredError, match="does not take h264"):
        write(av.error.FFmpegError(errno.EINVAL, "Invalid argument"))


def test_what_ends_the_batch_is_said_once(case: Path, tmp_path: Path) -> None:
    with Reader.open(case) as reader:
        (stream,) = reader.streams(["a.mp4"])
    assert stream.index == 0
    from vidreview.audit import AuditLog
    from vidreview.derive import Batch

    said: list[str] = []
    with pytest.raises(CaseError):
        Batch(case, AuditLog(tmp_path / "audit.jsonl"), None, said.append).fail(CaseError("disk full"))
    assert said == []


def test_a_reference_in_another_encoding_is_recorded(tmp_path: Path) -> None:
    with Case.open(tmp_path / "case", create=True) as opened:
        run = opened.begin_run(RECORD)
        identity = Identity("a", tmp_path / "a", reference=os.fsdecode(b"NMC\xff/1"))
        opened.list_files(run, [Listed(identity, "failed", "empty")])
    with Reader.open(tmp_path / "case") as reader:
        assert reader._select("SELECT reference FROM exhibits") == [(r"NMC\udcff/1",)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scan = 3", "must be a table"),
        ("[scan]\nmerge_gap_s = inf", "must be finite"),
        ("[scan]\ndetect_size = 320.5", "whole number"),
    ],
)
def test_settings_of_the_wrong_kind_are_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load_settings(tmp_path / "s.toml")


def test_equal_settings_are_one_setting_however_they_are_written(tmp_path: Path) -> None:
    """A run would otherwise be redone because somebody wrote 1 for 1.0."""
    (tmp_path / "s.toml").write_text("[scan]\nmerge_gap_s = 1\ndetect_size = 640.0\n")
    assert load_settings(tmp_path / "s.toml").sha256() == load_settings(detect_size=640, merge_gap_s=1.0).sha256()


def _drawn(case: Path, columns: int, *command: str) -> str:
    """What a command shows on a terminal so many columns wide."""
    import pty
    import subprocess
    import sys

    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    code = "from vidreview.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, *command, "--case", str(case)], stdout=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # Linux says so when the other side has closed
            pass
        os.close(ours)
    assert process.returncode == 0
    return shown.decode()


@pytest.mark.parametrize("columns", [80, 200])
def test_a_time_is_in_one_piece_however_narrow_the_terminal(case: Path, columns: int) -> None:
    shown = _drawn(case, columns, "events")
    assert "E0001" in shown and "person" in shown
    assert "00:00:00.500" in shown
    assert ("Left out, since the terminal is 80 columns wide" in shown) == (columns == 80)
    ledger = _drawn(case, columns, "coverage")
    assert all(word in ledger for word in ("analysed", "undecodable", "gap", "requested"))


def test_a_terminal_too_narrow_for_any_table_cuts_nothing_off(case: Path) -> None:
    shown = _drawn(case, 30, "events")
    assert "00:00:00.500" in shown and "review" in shown


def test_a_bar_never_runs_past_its_end() -> None:
    """tqdm would print a warning over it."""
    from types import SimpleNamespace

    from vidreview.cli.progress import Progress

    progress = Progress(quiet=False, verbose=False)
    bar = SimpleNamespace(n=0.0, total=433_688 + 938_164, postfix=[""])
    bar.update = lambda step: setattr(bar, "n", bar.n + step)
    bar.set_description_str = lambda text, refresh: None
    bar.write = lambda text, file: None
    progress._bar = bar
    for size in (433_688, 938_164):
        progress.exhibit("a.mp4", size)
        for k in range(1, 1000):
            progress.progress("a.mp4", k / 999, 0.1)
            assert bar.n <= bar.total
        progress.done("a.mp4", size, 1, "")
    assert bar.n == pytest.approx(bar.total)
