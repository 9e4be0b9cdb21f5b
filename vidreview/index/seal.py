"""Seals: hashes of index rows, kept beside them and anchored in the audit log, by which an altered row is found."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

_STREAMS = "SELECT id FROM streams WHERE exhibit = ?"
_TRACKS = f"SELECT id FROM tracks WHERE stream IN ({_STREAMS})"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A table of which each exhibit has rows."""

    name: str
    #: the columns that tell its rows apart
    key: tuple[str, ...]
    #: SQL: which rows are an exhibit's
    where: str


#: what is sealed when an exhibit's scan is over; of provisional events there are none then
TABLES: Final = (
    Sealed("exhibits", ("id",), "id = ?"),
    Sealed("streams", ("id",), "exhibit = ?"),
    Sealed("coverage", ("stream",), f"stream IN ({_STREAMS})"),
    Sealed("problems", ("id",), "exhibit = ?"),
    Sealed("tracks", ("id",), f"stream IN ({_STREAMS})"),
    Sealed("track_points", ("track",), f"track IN (SELECT id FROM tracks WHERE stream IN ({_STREAMS}))"),
    Sealed("events", ("id",), f"stream IN ({_STREAMS})"),
    Sealed("event_tracks", ("event", "position"), f"event IN (SELECT id FROM events WHERE stream IN ({_STREAMS}))"),
    Sealed("provisional_events", ("id",), f"stream IN ({_STREAMS})"),
    Sealed("looks", ("track",), f"track IN ({_TRACKS})"),
    Sealed("look_colours", ("track", "part", "colour"), f"track IN ({_TRACKS})"),
    Sealed("look_crops", ("track", "position"), f"track IN ({_TRACKS})"),
    Sealed("watched", ("stream", "first"), f"stream IN ({_STREAMS})"),
    Sealed("detections", ("stream", "number"), f"stream IN ({_STREAMS})"),
)

#: detections are many, so they are sealed in blocks of this many numbers of a stream
BLOCK: Final = 1000

#: tables whose every row has an entry of the audit log with its ``recorded`` fact
RECORDED: Final = ("reviews", "clock_observations")
#: a recorded table → the table whose rows belong to its rows and count in their hashes, and the column that says so
_BELONGING: Final = {"clock_observations": ("clock_exhibits", "observation", "exhibit")}
#: how people are shown the numbers of rows
_SHOWN: Final = {"events": "E", "tracks": "T"}


def seal(db: sqlite3.Connection, exhibit: int) -> dict[str, str]:
    """Store a hash of every row of an exhibit; one hash per table over those, to be written into the audit log.

    For the end of the transaction in which the exhibit's scan ends. Columns that are NULL do not count, so that a
    column which a later version adds, NULL in the rows that are there, leaves old seals as they are.
    """
    db.execute("DELETE FROM seals WHERE exhibit = ?", (exhibit,))
    roots: dict[str, str] = {}
    for table in TABLES:
        digests = _digests(db, table, exhibit)
        db.executemany(
            "INSERT INTO seals (exhibit, kind, row, sha256) VALUES (?, ?, ?, ?)",
            ((exhibit, table.name, key, digest) for key, digest in digests.items()),
        )
        if digests:  # a drive has hundreds of thousands of files of which there are no rows but one
            roots[table.name] = _root(digests)
    return roots


def broken(db: sqlite3.Connection, exhibit: int, roots: dict[str, str]) -> list[str]:
    """Which rows of an exhibit are not those that were sealed with ``roots``, one sentence each; empty when all are."""
    faults: list[str] = []
    there = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in TABLES:
        # what a later version seals may not be there yet, and has no rows of exhibits that were sealed before
        now = _digests(db, table, exhibit) if table.name in there else {}
        sealed = dict(
            db.execute(
                "SELECT CAST(row AS TEXT), CAST(sha256 AS BLOB) FROM seals WHERE exhibit = ? AND kind = ?",
                (exhibit, table.name),
            ).fetchall()
        )
        wanted = roots.get(table.name)
        if wanted is None:
            if now:
                added = list(_differing(table, sealed, now, _shown_numbers(db, table)))
                faults += added or [f"the audit log has no hash of its rows of {table.name}"]
            continue
        if _root(now) == wanted:
            if sealed != now:
                faults.append(f"the seals of its rows of {table.name} were changed; the rows are as recorded")
            continue
        differing = list(_differing(table, sealed, now, _shown_numbers(db, table)))
        if _root(sealed) != wanted:
            differing.append(
                f"its rows of {table.name} are not as recorded, and their seals were changed too, so that it cannot "
                "be told which they all are"
            )
        faults += differing
    return faults


def row_digest(db: sqlite3.Connection, table: str, row: int, **instead: Any) -> str | None:
    """SHA-256 of one row by its ``id``, and of what belongs to it, None when there is none.

    ``instead`` gives columns another value.
    """
    cursor = db.execute(f"SELECT * FROM {table} WHERE id = ?", (row,))
    names = [column[0] for column in cursor.description]
    values = cursor.fetchone()
    if values is None:
        return None
    changed = tuple(instead.get(name, value) for name, value in zip(names, values, strict=True))
    digest = _digest(names, [changed])
    if table in _BELONGING:
        other, column, order = _BELONGING[table]
        cursor = db.execute(f"SELECT * FROM {other} WHERE {column} = ? ORDER BY {order}", (row,))
        digest = hashlib.sha256(digest + _digest([one[0] for one in cursor.description], cursor.fetchall())).digest()
    return digest.hex()


def recorded(db: sqlite3.Connection, table: str, row: int) -> dict[str, Any]:
    """The fact ``recorded`` of the audit log's entry about a row, by which ``vidreview verify`` knows it.

    ``{table, row, sha256}``; ``sha256`` is None when the row is no longer there. For the end of the transaction that
    writes the row; the entry is written before the commit.
    """
    return {"table": table, "row": row, "sha256": row_digest(db, table, row)}


def _digests(db: sqlite3.Connection, table: Sealed, exhibit: int) -> dict[str, bytes]:
    """Key of each row, or block of rows, → its hash."""
    # detections lie in the order of time and their numbers go with it
    order = "stream, seconds, number" if table.name == "detections" else ", ".join(table.key)
    cursor = db.execute(f"SELECT * FROM {table.name} WHERE {table.where} ORDER BY {order}", (exhibit,))
    names = [column[0] for column in cursor.description]
    places = [names.index(column) for column in table.key]
    if table.name != "detections":
        return {"/".join(str(row[k]) for k in places): _digest(names, [row]) for row in cursor}
    stream, number = places
    found: dict[str, bytes] = {}
    for (in_stream, block), rows in groupby(cursor, key=lambda row: (row[stream], _block(row[number]))):
        key = f"{in_stream}/{block}"
        digest = _digest(names, list(rows))
        # numbers that somebody altered may come back to an earlier block: then that one differs as well
        found[key] = digest if key not in found else hashlib.sha256(found[key] + digest).digest()
    return found


def _block(number: object) -> object:
    """The block of a detection's number, which somebody may have made into something else."""
    return number // BLOCK if isinstance(number, int) else number


def _digest(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> bytes:
    """SHA-256 of rows as Python writes them in ASCII: exact, and typed, since 1, 1.0, '1', b'1' and None differ."""
    kept = [k for k in range(len(names)) if any(row[k] is not None for row in rows)]
    if len(kept) < len(names):
        names = [names[k] for k in kept]
        rows = [tuple(row[k] for k in kept) for row in rows]
    return hashlib.sha256(ascii((tuple(names), list(rows))).encode()).digest()


def _root(digests: dict[str, bytes]) -> str:
    root = hashlib.sha256()
    for key in sorted(digests):
        root.update(f"{len(key)}:{key}".encode() + digests[key])
    return root.hexdigest()


def _shown_numbers(db: sqlite3.Connection, table: Sealed) -> dict[str, str]:
    """Rows of events and tracks → their numbers as people know them."""
    if table.name not in _SHOWN:
        return {}
    rows = db.execute(f"SELECT id, number FROM {table.name} WHERE typeof(number) = 'integer'")
    return {str(row): f" ({_SHOWN[table.name]}{number:04d})" for row, number in rows}


def _differing(table: Sealed, sealed: dict[str, bytes], now: dict[str, bytes], shown: dict[str, str]) -> Iterator[str]:
    for key in _in_order({*sealed, *now}):
        if sealed.get(key) != now.get(key):
            what = "was added" if key not in sealed else "was removed" if key not in now else "was changed"
            yield f"{_named(table, key)}{shown.get(key, '')} {what}"


def _in_order(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: [(len(part), part) for part in key.split("/")])


def _named(table: Sealed, key: str) -> str:
    """A row as a person finds it in the database."""
    parts = key.split("/")
    if table.name == "detections" and parts[-1].lstrip("-").isdigit():
        first = int(parts[-1]) * BLOCK
        return f"the block of detections {first} to {first + BLOCK - 1} of streams row {parts[0]}"
    return f"{table.name} row {', '.join(f'{n} {v}' for n, v in zip(table.key, parts, strict=False))}"
