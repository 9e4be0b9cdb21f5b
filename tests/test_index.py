"""The case database: what is written, what a killed or repeated scan leaves, what is refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidreview.errors import CaseError, CaseRefusedError
from vidreview.index import Case, DetectionRow, Identity, Listed, Reader, points, refuse_overlap, schema
from vidreview.model import Coverage, Event, FileInfo, MediaTime, Point, Problem, Span, StreamInfo, Track

BASE = Fraction(1, 12800)
RECORD: dict[str, Any] = {
    "settings_sha256": "s" * 64,
    "model_sha256": "m" * 64,
    "version": "0",
    "argv": ["scan", "\udcff"],
}


def stream_info(index: int = 0, **changes: Any) -> StreamInfo:
    values: dict[str, Any] = {
        "index": index,
        "codec": "h264",
        "pixel_format": "yuv420p",
        "width": 768,
        "height": 432,
        "rotation": 0,
        "sample_aspect": Fraction(1),
        "time_base": BASE,
        "start_pts": 0,
        "declared_rate": Fraction(10),
        "measured_rate": 10.0,
        "variable_rate": False,
        "duration_s": 10.0,
        "packets": 100,
    }
    return StreamInfo(**(values | changes))


def track(first: int, last: int, event_class: Any = "person", label: str = "person", **changes: Any) -> Track:
    course = tuple(
        Point(k, k * 1280, k / 10, (10.0 + k, 20.0, 30.0 + k, 60.0), "detected", 0.5, label)
        for k in range(first, last + 1)
    )
    score = None if event_class == "motion" else 0.5
    return Track(event_class, label, course, score, len(course), **changes)


def event(first: int, last: int, tracks: tuple[int, ...], event_class: Any = "person", label: str = "person") -> Event:
    def at(frame: int) -> MediaTime:
        return MediaTime(frame * 1280, BASE)

    peak = (first + last) // 2
    score = None if event_class == "motion" else 0.5
    span = Span(at(first), at(last), first / 10, last / 10)
    return Event(event_class, label, span, at(peak), peak / 10, len(tracks), tracks, score)


DAMAGE = Problem("damage", "5 pictures are missing", 3.0, 38400, 44800, 564)
COVERAGE = Coverage(BASE, 115200, 6400, 6400, 0, 95, 2, 5, 20, (DAMAGE,))


def fill(case: Case, name: str = "a.mp4", sha256: str = "a" * 64, finish: bool = True, run: int | None = None) -> int:
    """One exhibit with three tracks, one of them dropped, and two events; the exhibit's number."""
    run = case.begin_run(RECORD) if run is None else run
    exhibit = case.begin_exhibit(run, Identity(name, Path("/evidence") / name, 1000, 5, sha256, "NMC/1"))
    stream = case.add_stream(exhibit, stream_info())
    case.add_detections(stream, [DetectionRow(3, 3840, 0.3, 1, 2, 3, 4, 0.15, "person", "zoom")])
    ids = case.add_tracks(
        stream, [track(50, 60, "motion", "motion"), track(5, 20), track(30, 31, dropped="shorter than 0.3 s")]
    )
    case.add_events(stream, [event(50, 60, (0,), "motion", "motion"), event(5, 20, (1,))], ids)
    case.set_coverage(stream, COVERAGE)
    if finish:
        case.finish_exhibit(exhibit)
        case.number(exhibit)
    return exhibit


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    db = sqlite3.connect(folder / "case.db")
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with Case.open(tmp_path / "case", create=True) as opened:
        yield opened


def test_what_a_scan_finds_is_kept_whole(case: Case) -> None:
    fill(case)
    assert rows(case.folder, "SELECT number, class, start_pts, end_s FROM events ORDER BY number") == [
        (1, "person", 6400, 2.0),
        (2, "motion", 64000, 6.0),
    ]
    assert rows(case.folder, "SELECT event, track FROM event_tracks ORDER BY event") == [(1, 2), (2, 1)]
    assert rows(case.folder, "SELECT dropped FROM tracks ORDER BY id") == [(None,), (None,), ("shorter than 0.3 s",)]
    assert rows(case.folder, "SELECT score, label, look FROM detections") == [(0.15, "person", "zoom")]  # rule E4
    assert rows(case.folder, "SELECT kind, at_s, pts, end_pts, byte FROM problems") == [
        ("damage", 3.0, 38400, 44800, 564)
    ]
    assert rows(case.folder, "PRAGMA journal_mode") == [("wal",)]
    assert rows(case.folder, "PRAGMA foreign_key_check") == []


def test_numpy_numbers_are_stored_as_numbers(case: Case) -> None:
    exhibit = case.begin_exhibit(case.begin_run(RECORD), Identity("a", Path("/a"), 1, 2, "a" * 64))
    stream = case.add_stream(exhibit, stream_info())
    one: Any = np.float32(1.5)
    frame: Any = np.int64(7)
    case.add_detections(stream, [DetectionRow(frame, frame, one, one, one, one, one, one, "person", "frame")] * 2)
    case.add_detections(stream, [DetectionRow(frame, frame, one, one, one, one, one, one, "person", "frame")])
    kinds = rows(case.folder, "SELECT number, typeof(frame), typeof(x1), typeof(score) FROM detections ORDER BY number")
    assert kinds == [(k, "integer", "real", "real") for k in range(3)]


def test_migrations_are_recorded_with_name_and_time(case: Case) -> None:
    recorded = rows(case.folder, "SELECT name, applied_utc, version FROM migrations")
    assert [row[0] for row in recorded] == [name for name, _ in schema.MIGRATIONS]
    assert all(row[1].endswith("Z") and row[2] for row in recorded)


def test_an_older_case_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Case.open(tmp_path, create=True) as case:
        fill(case)
    step = ("0002 more", "ALTER TABLE exhibits ADD COLUMN colour TEXT;")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    with Case.open(tmp_path) as case:
        assert case.finished("a" * 64, "s" * 64, "m" * 64) is not None
    assert [row[0] for row in rows(tmp_path, "SELECT name FROM migrations ORDER BY id")][-1] == "0002 more"
    assert rows(tmp_path, "SELECT colour FROM exhibits") == [(None,)]
    monkeypatch.undo()
    with pytest.raises(CaseError, match="newer version"):
        Case.open(tmp_path)


def test_a_case_of_the_first_version_keeps_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
    db = sqlite3.connect(tmp_path / "case.db", isolation_level=None)
    schema.migrate(db, "", "0")
    db.executescript(
        """
        INSERT INTO runs VALUES (1, 'u', 'u', 'done', 's', 'm', '{}', '{}');
        INSERT INTO exhibits (id, run, name, path, size, mtime_ns, sha256, state, settings_sha256, model_sha256)
            VALUES (1, 1, 'a.mp4', '/a.mp4', 9, 9, 'aa', 'done', 's', 'm'),
                   (2, 1, 'b.mp4', '/b.mp4', 9, 9, 'bb', 'failed', 's', 'm');
        INSERT INTO streams VALUES (1, 1, 0, 'h264', 768, 432, 0, 1, 12800, 0, 10.0, '{}');
        INSERT INTO coverage VALUES (1, 10.0, 9.0, 0.5, 0.5, 0.0, 95, 2, 5, 20);
        INSERT INTO problems VALUES (1, 1, 1, 'damage', 'x', 3.0), (2, 2, NULL, 'unreadable', 'empty', NULL);
        INSERT INTO tracks VALUES (4, 1, 'person', 'person', 0, 1280, 0.0, 0.1, 0.5, 2, 0, NULL);
        INSERT INTO events VALUES (7, 1, 'person', 'person', 0, 1280, 0.0, 0.1, 0, 0.0, 1, 0.5);
        INSERT INTO event_tracks VALUES (7, 0, 4);
        """
    )
    db.execute("INSERT INTO track_points VALUES (4, ?)", (points.pack(track(0, 1).points),))
    db.close()
    monkeypatch.undo()
    with Case.open(tmp_path) as case:
        assert case.finished("aa", "s", "m") is not None
    with Reader.open(tmp_path) as reader:
        (found,) = reader.events()
        assert (found["id"], found["tracks"]) == ("E0007", ["T0004"])
        first, second = reader.coverage()
    assert first["ticks"] == {
        "duration": 128000,
        "analysed": 115200,
        "undecodable": 6400,
        "gap": 6400,
        "not_requested": 0,
    }
    assert [p["kind"] for p in second["problems"]] == ["unreadable"]
    assert rows(tmp_path, "PRAGMA foreign_key_check") == []
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def test_a_step_that_fails_leaves_the_case_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Case.open(tmp_path, create=True).close()
    step = ("0002 bad", "CREATE TABLE extra (id INTEGER); SELECT * FROM no_such_table;")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    with pytest.raises(CaseError, match="no_such_table"):
        Case.open(tmp_path)
    monkeypatch.undo()
    Case.open(tmp_path).close()
    assert rows(tmp_path, "SELECT count(*) FROM sqlite_master WHERE name = 'extra'") == [(0,)]


def test_finished_is_by_content_settings_and_model(case: Case) -> None:
    fill(case)
    assert case.finished("a" * 64, "s" * 64, "m" * 64) is not None
    assert case.finished("b" * 64, "s" * 64, "m" * 64) is None
    assert case.finished("a" * 64, "t" * 64, "m" * 64) is None
    assert case.finished("a" * 64, "s" * 64, None) is None
    assert case.finished("a" * 64, "s" * 64, "m" * 64, path=Path("/evidence/a.mp4")) is not None
    assert case.finished("a" * 64, "s" * 64, "m" * 64, path=Path("/evidence/copy.mp4")) is None


def dump(folder: Path) -> list[tuple[Any, ...]]:
    tables = {
        "exhibits": "id, name, sha256, state",
        "streams": "id, exhibit, number",
        "tracks": "*",
        "track_points": "*",
        "events": "*",
        "event_tracks": "*",
        "detections": "*",
        "coverage": "*",
        "problems": "exhibit, stream, kind, reason, at_s, pts, end_pts, byte",
    }
    return [(table, *row) for table, what in tables.items() for row in rows(folder, f"SELECT {what} FROM {table}")]


def test_a_killed_and_resumed_scan_ends_with_the_same_case(tmp_path: Path) -> None:
    """Rule A11: nothing counted twice, same numbers."""
    with Case.open(tmp_path / "whole", create=True) as case:
        fill(case)
        fill(case, "b.mp4", "b" * 64)
        fill(case, "c.mp4", "c" * 64)
    with Case.open(tmp_path / "killed", create=True) as case:
        fill(case)
        fill(case, "b.mp4", "b" * 64, finish=False)
    with Case.open(tmp_path / "killed") as case:
        assert case.finished("a" * 64, "s" * 64, "m" * 64) is not None
        assert case.finished("b" * 64, "s" * 64, "m" * 64) is None
        fill(case, "b.mp4", "b" * 64)
        fill(case, "c.mp4", "c" * 64)
    assert dump(tmp_path / "killed") == dump(tmp_path / "whole")
    assert rows(tmp_path / "killed", "SELECT state FROM runs")[0] == ("interrupted",)


def test_a_process_killed_while_writing_leaves_a_sound_case(tmp_path: Path) -> None:
    program = (
        "import sys, os, signal; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from tests.test_index import *\n"
        "case = Case.open(Path(sys.argv[1]), create=True); fill(case); fill(case, 'b', 'b' * 64, finish=False)\n"
        "case._db.execute('BEGIN IMMEDIATE'); case._db.execute('DELETE FROM events')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path), str(root)], check=False, timeout=60)
    assert done.returncode == -9
    with Case.open(tmp_path) as case:  # the lock died with the process
        assert case.finished("b" * 64, "s" * 64, "m" * 64) is None
    assert rows(tmp_path, "SELECT count(*) FROM events") == [(4,)]
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def test_other_settings_replace_a_scan_and_never_reuse_its_numbers(case: Case) -> None:
    exhibit = fill(case)
    assert fill(case, "b.mp4", "b" * 64) == exhibit + 1
    other = case.begin_run(RECORD | {"settings_sha256": "t" * 64})
    assert fill(case, "b.mp4", "b" * 64, run=other) == exhibit + 1  # keeps its place in the list
    assert rows(case.folder, "SELECT number FROM events ORDER BY number") == [(1,), (2,), (5,), (6,)]
    assert case.finished("b" * 64, "s" * 64, "m" * 64) is None
    assert case.finished("b" * 64, "t" * 64, "m" * 64) is not None
    assert rows(case.folder, "SELECT count(*) FROM detections") == [(2,)]


def test_a_review_outlives_the_event_it_was_about(case: Case) -> None:
    exhibit = fill(case, finish=False)
    case._db.execute(
        "INSERT INTO reviews (id, event, state, by, at_utc) "
        "VALUES (1, 2, 'relevant', 'A. Examiner', '2026-01-01T00:00:00Z')"
    )
    assert fill(case) == exhibit
    assert rows(case.folder, "SELECT event FROM reviews") == [(2,)]
    assert rows(case.folder, "SELECT min(number) FROM events") == [(3,)]


def test_same_content_twice_and_same_path_with_other_content_are_listed_apart(case: Case) -> None:
    fill(case)
    fill(case, "copy.mp4")
    fill(case, "a.mp4", "d" * 64)
    assert len(rows(case.folder, "SELECT id FROM exhibits")) == 3


def test_what_cannot_be_read_is_listed_once_with_its_reason(case: Case) -> None:
    run = case.begin_run(RECORD)
    for _ in range(2):
        identity = Identity("empty.mp4", Path("/evidence/empty.mp4"), 0, None, "e" * 64)
        case.list_files(run, [Listed(identity, "failed", "the file is empty")])
    assert rows(case.folder, "SELECT name, state, reason, size FROM exhibits") == [
        ("empty.mp4", "failed", "the file is empty", 0)
    ]
    assert rows(case.folder, "SELECT kind FROM problems") == [("unreadable",)]
    assert case.finished("e" * 64, "s" * 64, "m" * 64) is None


def test_names_that_are_not_utf8_keep_their_bytes(case: Case) -> None:
    name = os.fsdecode(b"cam\xff.mp4")
    identity = Identity(name, Path("/e") / name, 1, 2, "a" * 64)
    exhibit = case.begin_exhibit(case.begin_run(RECORD), identity)
    info = FileInfo("mp4", 1, (), None, {"title": name}, (Problem("odd", f"{name}: \ud800"),))
    case.open_exhibit(exhibit, info)
    assert exhibit == 1
    assert rows(case.folder, "SELECT name, name_raw, path_raw FROM exhibits") == [
        ("cam\\xff.mp4", b"cam\xff.mp4", b"/e/cam\xff.mp4")
    ]
    assert case.begin_exhibit(case.begin_run(RECORD), identity) == 1
    spelt = Identity(r"cam\xff.mp4", Path("/e") / r"cam\xff.mp4", 1, 2, "a" * 64)
    assert case.begin_exhibit(case.begin_run(RECORD), spelt) == 2, "whose name spells out what the other's holds"


def test_one_writer_at_a_time(case: Case) -> None:
    with pytest.raises(CaseError, match="another vidreview command is writing"):
        Case.open(case.folder)


def test_a_failing_call_writes_nothing(case: Case) -> None:
    exhibit = case.begin_exhibit(case.begin_run(RECORD), Identity("a", Path("/a"), 1, 2, "a" * 64))
    stream = case.add_stream(exhibit, stream_info())
    good = DetectionRow(1, 1, 0.1, 1, 2, 3, 4, 0.5, "person", "frame")
    with pytest.raises(CaseError, match="cannot write to the case"):
        case.add_detections(stream, [good, good._replace(look="other")])  # type: ignore[arg-type]
    assert rows(case.folder, "SELECT count(*) FROM detections") == [(0,)]
    with pytest.raises(IndexError):
        case.add_events(stream, [event(1, 2, (0,))], [])
    assert rows(case.folder, "SELECT count(*) FROM events") == [(0,)]
    with pytest.raises(CaseError, match="FOREIGN KEY"):
        case.add_tracks(99, [track(1, 2)])


def test_what_is_no_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="run 'vidreview scan"):
        Case.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(CaseError, match="is a file"):
        Case.open(file, create=True)
    other = tmp_path / "other"
    other.mkdir()
    db = sqlite3.connect(other / "case.db")
    db.execute("CREATE TABLE things (id)")
    db.close()
    with pytest.raises(CaseError, match="another program"):
        Case.open(other)
    text = tmp_path / "text"
    text.mkdir()
    (text / "case.db").write_text("not a database at all, but long enough to be read as the head of one" * 20)
    with pytest.raises(CaseError, match="cannot open"):
        Case.open(text)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CaseError, match="cannot"):
            Case.open(tmp_path / "case", create=True)
    finally:
        tmp_path.chmod(0o700)


def test_overlap_with_evidence_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """Rule A1."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    video = evidence / "a.mp4"
    video.write_bytes(b"x")
    (tmp_path / "link").symlink_to(evidence)
    for case_dir in (evidence, evidence / "case", tmp_path / "link" / "deep" / "case", evidence / ".." / "evidence"):
        with pytest.raises(CaseRefusedError, match="lies inside the evidence"):
            refuse_overlap(case_dir, [evidence])
    for source in (video, tmp_path / "link", evidence):
        with pytest.raises(CaseRefusedError, match="lies inside the case folder"):
            refuse_overlap(tmp_path, [source])
    refuse_overlap(tmp_path / "case", [evidence, video])
    refuse_overlap(tmp_path / "evidence2", [evidence])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["evidence", "link"]


_f32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
_points = st.lists(
    st.builds(
        Point,
        st.integers(0, 2**40),
        st.integers(-(2**60), 2**60),
        st.floats(allow_nan=False, allow_infinity=False),
        st.tuples(_f32, _f32, _f32, _f32),
        st.sampled_from(["detected", "motion", "interpolated"]),
        st.none() | st.floats(0, 1, width=32),
        st.none() | st.sampled_from(["person", "car", "bus"]),
    ),
    max_size=30,
)


@given(_points)
def test_points_come_back_as_they_were(course: list[Point]) -> None:
    back = points.unpack(points.pack(course))
    assert [tuple(p) for p in back] == [(p.frame, p.pts, p.seconds, p.box, p.source, p.score, p.label) for p in course]


@given(_points.filter(bool), st.data())
def test_damaged_points_are_an_error_and_no_traceback(course: list[Point], data: st.DataObject) -> None:
    blob = points.pack(course)
    cut = blob[: data.draw(st.integers(0, len(blob) - 1))]
    with pytest.raises(CaseError, match="damaged"):
        points.unpack(cut)
