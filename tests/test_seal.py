"""Seals of the index: any row of any sealed table that is changed, added or removed is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from vidreview.index import Case, Identity, Listed, schema, seal

TABLES = [table.name for table in seal.TABLES]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """Two exhibits with two rows in each table; 2500 detections of the first one's stream."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.migrate(db, ":memory:", "test")
    db.execute("INSERT INTO runs VALUES (1, 'u', NULL, 'running', 's', NULL, '{}', NULL)")
    for exhibit in (1, 2):
        db.execute(
            "INSERT INTO exhibits (id, run, name, path, state, settings_sha256) VALUES (?, 1, 'a', '/a', 'done', 's')",
            (exhibit,),
        )
        for stream in (10 * exhibit, 10 * exhibit + 1):
            db.execute(
                "INSERT INTO streams VALUES (?, ?, ?, 'h264', 1, 1, 0, 1, 25, 0, 9.5, '{}')", (stream, exhibit, stream)
            )
            db.execute("INSERT INTO coverage VALUES (?, 9.5, 9.5, 0, 0, 0, 10, 0, 0, 3, 95, 0, 0, 0)", (stream,))
            db.execute(
                "INSERT INTO problems VALUES (?, ?, ?, 'gap', 'why', 1.5, NULL, NULL, NULL)", (stream, exhibit, stream)
            )
            db.execute(
                "INSERT INTO tracks VALUES (?, ?, 'person', 'person', 0, 9, 0, 9, NULL, 3, 0, NULL, NULL)",
                (stream, stream),
            )
            db.execute("INSERT INTO track_points VALUES (?, x'00ff')", (stream,))
            db.execute("INSERT INTO looks VALUES (?, 4, 'colours', x'07')", (stream,))
            db.execute("INSERT INTO look_colours VALUES ('red', 'upper', ?, 0.5)", (stream,))
            db.execute("INSERT INTO look_crops VALUES (?, 0, 3, 3, 0.5, 1, 1, 9, 9, 0.25, x'ffd8')", (stream,))
            db.execute(
                "INSERT INTO events VALUES (?, ?, 'person', 'person', 0, 9, 0, 9, 1, 1, 1, 0.5, NULL)", (stream, stream)
            )
            db.execute("INSERT INTO event_tracks VALUES (?, 0, ?)", (stream, stream))
            db.executemany(
                "INSERT INTO detections VALUES (?, ?, ?, ?, ?, 0, 0, 1, 1, 0.25, 'person', 'frame')",
                [(stream, k / 5, k, k, k) for k in range(2500 if stream == 10 else 2)],
            )
    # a stream that was not analysed, and a track without points
    db.execute("INSERT INTO streams VALUES (12, 1, 12, 'h264', 1, 1, 0, 1, 25, 0, 9.5, '{}')")
    db.execute("INSERT INTO tracks VALUES (12, 12, 'person', 'person', 0, 9, 0, 9, NULL, 3, 0, NULL, NULL)")
    yield db
    db.close()


def test_what_was_sealed_is_whole(db: sqlite3.Connection) -> None:
    roots = {exhibit: seal.seal(db, exhibit) for exhibit in (1, 2)}
    assert set(roots[1]) == set(TABLES) - {"watched", "provisional_events"}, "those of which there are rows"
    assert all(len(root) == 64 for root in roots[1].values())
    assert roots[1] != roots[2]
    for exhibit in (1, 2):
        assert seal.broken(db, exhibit, roots[exhibit]) == []
        assert seal.seal(db, exhibit) == roots[exhibit], "the same rows, the same seal"
    blocks = db.execute("SELECT row FROM seals WHERE kind = 'detections' AND exhibit = 1 ORDER BY row").fetchall()
    assert blocks == [("10/0",), ("10/1",), ("10/2",), ("11/0",)]


def test_every_table_that_an_exhibit_has_rows_in_is_sealed(db: sqlite3.Connection) -> None:
    """A table that is added later must be sealed, or be recorded row by row, or be none of an exhibit's."""
    apart = {
        "runs",
        "exhibits",
        "seals",
        "spent_numbers",
        "migrations",
        "sqlite_sequence",
        *seal.RECORDED,
        "clock_exhibits",
        "courses",  # computed again by verify
    }
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - apart == set(TABLES) - {"exhibits"}


CHANGES = {
    "exhibits": ("UPDATE exhibits SET reference = 'NMC/2' WHERE id = 1", "exhibits row id 1 was changed"),
    "streams": ("UPDATE streams SET time_base_den = 30 WHERE id = 10", "streams row id 10 was changed"),
    "coverage": ("UPDATE coverage SET analysed_s = 9.4 WHERE stream = 11", "coverage row stream 11 was changed"),
    "problems": ("UPDATE problems SET at_s = NULL WHERE id = 10", "problems row id 10 was changed"),
    "tracks": ("UPDATE tracks SET dropped = 'x' WHERE id = 11", "tracks row id 11 was changed"),
    "track_points": (
        "UPDATE track_points SET points = x'00fe' WHERE track = 10",
        "track_points row track 10 was changed",
    ),
    "events": ("UPDATE events SET end_s = 9.000001 WHERE id = 10", "events row id 10 was changed"),
    "looks": ("UPDATE looks SET light = 'cast' WHERE track = 10", "looks row track 10 was changed"),
    "look_colours": (
        "UPDATE look_colours SET share = 0.6 WHERE track = 11",
        "look_colours row track 11, part upper, colour red was changed",
    ),
    "look_crops": ("UPDATE look_crops SET jpeg = x'ffd9' WHERE track = 10", "row track 10, position 0 was changed"),
    "event_tracks": ("UPDATE event_tracks SET track = 11 WHERE event = 10", "row event 10, position 0 was changed"),
    "detections": (
        "UPDATE detections SET score = 0.2500001 WHERE stream = 10 AND number = 1234",
        "the block of detections 1000 to 1999 of streams row 10 was changed",
    ),
}
ADDITIONS = {
    "streams": (
        "INSERT INTO streams SELECT 99, exhibit, 99, 'mjpeg', 1, 1, 0, 1, 1, 0, 1, '{}' FROM streams LIMIT 1",
        "id 99",
    ),
    "coverage": ("UPDATE coverage SET stream = 12 WHERE stream = 20", "coverage row stream 12 was added"),
    "problems": (
        "INSERT INTO problems VALUES (99, 1, NULL, 'gap', 'x', 0, NULL, NULL, NULL)",
        "problems row id 99 was added",
    ),
    "tracks": ("UPDATE tracks SET stream = 10 WHERE id = 21", "tracks row id 21 was added"),
    "track_points": ("UPDATE track_points SET track = 12 WHERE track = 20", "track_points row track 12 was added"),
    "events": ("UPDATE events SET stream = 11 WHERE id = 20", "events row id 20 was added"),
    "looks": ("UPDATE looks SET track = 12 WHERE track = 20", "looks row track 12 was added"),
    "look_colours": (
        "INSERT INTO look_colours VALUES ('blue', 'upper', 10, 0.5)",
        "look_colours row track 10, part upper, colour blue was added",
    ),
    "look_crops": ("UPDATE look_crops SET track = 12 WHERE track = 20", "row track 12, position 0 was added"),
    "event_tracks": ("INSERT INTO event_tracks VALUES (11, 7, 10)", "row event 11, position 7 was added"),
    "provisional_events": (
        "INSERT INTO provisional_events VALUES (5, 10, 'person', 'person', 0, 9, 0, 9, 1, 1, 1, 0.5)",
        "provisional_events row id 5 was added",
    ),
    "detections": (
        "INSERT INTO detections VALUES (11, 5.0, 3000, 9, 9, 0, 0, 1, 1, 0.9, 'car', 'frame')",
        "the block of detections 3000 to 3999 of streams row 11 was added",
    ),
}
REMOVALS = {
    "coverage": ("DELETE FROM coverage WHERE stream = 10", "coverage row stream 10 was removed"),
    "problems": ("DELETE FROM problems WHERE id = 11", "problems row id 11 was removed"),
    "tracks": ("DELETE FROM tracks WHERE id = 11", "tracks row id 11 was removed"),
    "track_points": ("DELETE FROM track_points WHERE track = 11", "track_points row track 11 was removed"),
    "looks": ("DELETE FROM looks WHERE track = 11", "looks row track 11 was removed"),
    "look_colours": (
        "DELETE FROM look_colours WHERE track = 11",
        "look_colours row track 11, part upper, colour red was removed",
    ),
    "look_crops": ("DELETE FROM look_crops WHERE track = 11", "look_crops row track 11, position 0 was removed"),
    "streams": ("DELETE FROM streams WHERE id = 11", "streams row id 11 was removed"),
    "events": ("UPDATE events SET stream = 20 WHERE id = 10", "events row id 10 was removed"),
    "event_tracks": ("DELETE FROM event_tracks WHERE event = 10", "row event 10, position 0 was removed"),
    "detections": (
        "DELETE FROM detections WHERE stream = 10 AND number = 2400",
        "detections 2000 to 2999 of streams row 10 was changed",
    ),
}


def cases() -> list[tuple[str, str, str]]:
    kinds = (CHANGES, ADDITIONS, REMOVALS)
    return [(table, statement, said) for kind in kinds for table, (statement, said) in kind.items()]


@pytest.mark.parametrize(("table", "statement", "said"), cases(), ids=[f"{c[0]}: {c[2]}" for c in cases()])
def test_a_tampered_row_is_named(db: sqlite3.Connection, table: str, statement: str, said: str) -> None:
    roots = seal.seal(db, 1)
    before = db.total_changes
    db.execute(statement)
    assert db.total_changes > before
    faults = seal.broken(db, 1, roots)
    assert any(said in fault and table in fault for fault in faults), faults


def test_a_row_that_becomes_another_of_the_same_look_is_found(db: sqlite3.Connection) -> None:
    """1, 1.0, '1' and a blob are different values, though they look alike in a listing."""
    digests = set()
    for literal in ("1", "1.0", "'1'", "x'31'", "NULL", "1.0000000000000002"):
        db.execute("CREATE TEMP TABLE odd AS SELECT 7 AS id, " + literal + " AS value")
        digests.add(seal.row_digest(db, "temp.odd", 7))
        db.execute("DROP TABLE odd")
    assert len(digests) == 6
    assert None not in digests


def test_seals_that_were_forged_with_the_rows_are_found_by_the_log(db: sqlite3.Connection) -> None:
    roots = seal.seal(db, 1)
    db.execute("UPDATE events SET end_s = 5 WHERE id = 10")
    forged = seal.seal(db, 1)
    assert seal.broken(db, 1, forged) == []
    (fault,) = seal.broken(db, 1, roots)
    assert "its rows of events are not as recorded, and their seals were changed too" in fault


def test_seals_alone_that_were_changed_are_found(db: sqlite3.Connection) -> None:
    roots = seal.seal(db, 1)
    db.execute("UPDATE seals SET sha256 = 'text' WHERE exhibit = 1 AND kind = 'tracks'")
    db.execute("DELETE FROM seals WHERE exhibit = 1 AND kind = 'events'")
    assert seal.broken(db, 1, roots) == [
        f"the seals of its rows of {table} were changed; the rows are as recorded" for table in ("tracks", "events")
    ]


def test_a_log_without_a_hash_of_a_table_is_said(db: sqlite3.Connection) -> None:
    roots = seal.seal(db, 1)
    del roots["events"]
    assert seal.broken(db, 1, roots) == ["the audit log has no hash of its rows of events"]


def test_a_column_that_is_added_later_counts_and_leaves_old_seals_whole(db: sqlite3.Connection) -> None:
    roots = seal.seal(db, 1)
    for table in ("events", "detections", "exhibits"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN colour TEXT")
    assert seal.broken(db, 1, roots) == []
    db.execute("UPDATE events SET colour = 'red' WHERE id = 10")
    db.execute("UPDATE detections SET colour = 'red' WHERE stream = 10 AND number = 7")
    assert len(seal.broken(db, 1, roots)) == 2


def test_values_of_other_types_are_found_and_not_stumbled_over(db: sqlite3.Connection) -> None:
    roots = seal.seal(db, 1)
    db.execute("UPDATE detections SET number = 'x/y' WHERE stream = 10 AND number = 3")
    db.execute("UPDATE detections SET number = x'00' WHERE stream = 10 AND number = 4")
    faults = seal.broken(db, 1, roots)
    assert sum("detections" in fault and "added" in fault for fault in faults) == 2
    assert any("detections 0 to 999 of streams row 10 was changed" in fault for fault in faults)


def test_numbers_out_of_order_do_not_hide_a_block(db: sqlite3.Connection) -> None:
    roots = seal.seal(db, 1)
    db.execute("UPDATE detections SET number = 5000 WHERE stream = 10 AND number = 500")
    assert any("detections 0 to 999 of streams row 10 was changed" in fault for fault in seal.broken(db, 1, roots))


def test_a_recorded_row(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO reviews (id, event, state, by, at_utc) VALUES (4, 10, 'relevant', 'A. Examiner', 'u')")
    fact = seal.recorded(db, "reviews", 4)
    assert (fact["table"], fact["row"]) == ("reviews", 4)
    assert fact["sha256"] == seal.row_digest(db, "reviews", 4)
    db.execute("UPDATE reviews SET by = 'B. Examiner'")
    assert seal.row_digest(db, "reviews", 4) != fact["sha256"]
    assert seal.row_digest(db, "reviews", 4, by="A. Examiner") == fact["sha256"]
    db.execute("DELETE FROM reviews")
    assert seal.recorded(db, "reviews", 4)["sha256"] is None


def test_the_log_is_told_before_the_commit(tmp_path: Path) -> None:
    """So a kill between the two leaves an entry too many, never a sealed row without one."""
    with Case.open(tmp_path, create=True) as case:
        run = case.begin_run({"settings_sha256": "s", "model_sha256": None})
        exhibit = case.begin_exhibit(run, Identity("a", Path("/a"), 1, 1, "ab"))

        def killed(facts: dict[str, object]) -> None:
            assert set(facts) == {"exhibit", "index"}
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            case.number(exhibit, killed)
        told: list[dict[str, object]] = []
        case.list_files(run, [Listed(Identity("b", Path("/b")), "failed", "empty")], told.extend)
        number = told[0]["exhibit"]
    with sqlite3.connect(tmp_path / "case.db") as db:
        assert db.execute("SELECT state FROM exhibits ORDER BY id").fetchall() == [("running",), ("failed",)]
        assert db.execute("SELECT DISTINCT exhibit FROM seals").fetchall() == [(number,)]
    db.close()
