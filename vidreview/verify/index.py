"""The index against the audit log: seals, runs, single rows, and whether the database is sound."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any, Final

from vidreview.index import schema, seal
from vidreview.verify.exhibits import Recorded
from vidreview.verify.logged import Logged, Said
from vidreview.verify.verdict import Verdict

_AGAIN = "bring back a copy of case.db, or scan the exhibit again into another case"


def recorded_exhibits(db: sqlite3.Connection) -> list[Recorded]:
    """The exhibits that were identified, whether or not their scan came to an end."""
    rows = db.execute(
        "SELECT name, name_raw, path, path_raw, size, mtime_ns, sha256 FROM exhibits WHERE sha256 IS NOT NULL "
        "ORDER BY id"
    )
    return [
        Recorded(_text(name, name_raw), Path(_text(path, path_raw)), _whole(size), _whole(mtime_ns), sha256)
        for name, name_raw, path, path_raw, size, mtime_ns, sha256 in rows
    ]


def check_index(db: sqlite3.Connection, logged: Logged, verdict: Verdict) -> None:
    """Compare all rows with what the log recorded; raises sqlite3.Error when the database cannot be read on."""
    _check_database(db, verdict)
    steps = schema.check_is_case(db, schema.DATABASE)
    _check_schema(db, steps, verdict)
    if not any("CREATE TABLE seals " in sql for _, sql in schema.MIGRATIONS[:steps]):
        verdict.skip(
            "index",
            schema.DATABASE,
            "is of a version that sealed no rows, so they were not compared; scan the evidence again into another case",
        )
        return
    _check_runs(db, logged, verdict)
    _check_exhibits(db, logged, verdict)
    _check_rows(db, logged, verdict)


def _check_database(db: sqlite3.Connection, verdict: Verdict) -> None:
    """SQLite's own checks."""
    for (found,) in db.execute("PRAGMA integrity_check(20)"):
        if found != "ok":
            verdict.fault("index", schema.DATABASE, f"the database is damaged: {found}; {_AGAIN}")
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check"):
        verdict.fault("index", schema.DATABASE, f"{table} row {row} belongs to a row of {parent} that is not there")


def _check_schema(db: sqlite3.Connection, steps: int, verdict: Verdict) -> None:
    """Tables, views and triggers: one that was added could show something else than the rows that are there.

    ``steps`` is how many migrations the case says it has.
    """
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    try:
        fresh.executescript("".join(sql for _, sql in schema.MIGRATIONS[:steps]))
        wanted, found = _objects(fresh), _objects(db)
    finally:
        fresh.close()
    for kind, name in sorted({*wanted, *found}):
        if wanted.get((kind, name)) != found.get((kind, name)):
            state = "missing" if (kind, name) not in found else "added" if (kind, name) not in wanted else "changed"
            verdict.fault("index", schema.DATABASE, f"the {kind} {name} was {state}; {_AGAIN}")


def _objects(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    rows = db.execute("SELECT type, name, sql FROM sqlite_master")
    return {(kind, name): sql for kind, name, sql in rows if name != "migrations" and not name.startswith("sqlite_")}


# ---- exhibits


#: states of an exhibit whose scan has not come to its end, or whose turn to be numbered has not
_UNFINISHED: Final = ("pending", "running", "scanned")
#: facts of a run's entry that are not in its record
_ENTRY_ONLY: Final = ("run", "sources", "recorded", "after_interrupted")


def _check_exhibits(db: sqlite3.Connection, logged: Logged, verdict: Verdict) -> None:
    present = set()
    rows = db.execute("SELECT id, name, name_raw, state, sha256, run FROM exhibits ORDER BY id").fetchall()
    for number, text, raw, state, sha256, run in rows:
        present.add(number)
        name = _text(text, raw)
        end = logged.ends.get(number)
        if state in _UNFINISHED:
            _check_unfinished(db, number, name, run, end, logged, verdict)
        elif end is not None:
            verdict.count("sealed exhibits")
            _check_sealed(db, number, sha256, name, end, logged, verdict)
        elif (text, sha256) in logged.unsealed or (name, sha256) in logged.unsealed or (name, None) in logged.unsealed:
            verdict.skip(
                "index", name, "was scanned by a version that sealed no rows; scan it again to have them sealed"
            )
        elif state == "failed" and run in logged.runs and run not in logged.run_ends:
            verdict.note("index", name, f"is listed as unreadable, which the log does not say: run {run} was killed")
        else:
            verdict.fault(
                "index", name, "the index has it as scanned, but the audit log has no entry that its scan ended"
            )
    for number in sorted({*logged.begins, *logged.ends} - present):
        if not logged.replaced(number):
            _missing(logged, number, verdict)


def _check_sealed(
    db: sqlite3.Connection, number: int, sha256: str | None, name: str, end: Said, logged: Logged, verdict: Verdict
) -> None:
    roots = end.facts.get("index")
    known = roots if isinstance(roots, dict) else {}
    for fault in seal.broken(db, number, known):
        verdict.fault("index", name, f"{fault} since entry {end.seq} of the audit log; {_AGAIN}")
    begin = logged.begins.get(number)
    for said in (begin, end):
        if said is not None and "sha256" in said.facts and said.text("sha256") != sha256:
            if said is begin and begin.seq > end.seq:
                continue  # another file took its number and was not finished; what is here is the one before
            verdict.fault(
                "index",
                name,
                f"the index has SHA-256 {sha256}, entry {said.seq} of the audit log {said.text('sha256')}",
            )


def _check_unfinished(
    db: sqlite3.Connection, number: int, name: str, run: int, end: Said | None, logged: Logged, verdict: Verdict
) -> None:
    """An exhibit that was being scanned when its run stopped; unless it is one that was finished."""
    sealed = db.execute("SELECT count(*) FROM seals WHERE exhibit = ?", (number,)).fetchone()[0]
    ended = end is not None and end.number("run") == run
    if sealed or logged.run_is_done(run):
        verdict.fault(
            "index",
            name,
            f"exhibits row {number} was changed: it says that its scan is not finished, but it was; {_AGAIN}",
        )
    elif ended and end is not None:
        verdict.note(
            "index",
            name,
            f"entry {end.seq} of the audit log says that its scan ended, the index does not: a kill came between the "
            "two; scan it again",
        )
    else:
        verdict.note("index", name, "its scan was interrupted and is not finished; scan it again")


def _missing(logged: Logged, number: int, verdict: Verdict) -> None:
    """An exhibit of the log that the index does not have."""
    end = logged.ends.get(number)
    said = end or logged.begins[number]
    name = said.text("name") or f"exhibit {number}"
    if end is not None and end.action != "exhibit-ends" and end.number("run") not in logged.run_ends:
        verdict.note("index", name, f"is listed by entry {end.seq} of the audit log; a kill kept it out of the index")
        return
    verdict.fault(
        "index",
        name,
        f"exhibits row {number} was removed: entry {said.seq} of the audit log ({said.action}) has it; {_AGAIN}",
    )


# ---- runs and single rows


def _check_runs(db: sqlite3.Connection, logged: Logged, verdict: Verdict) -> None:
    rows = {row[0]: row[1:] for row in db.execute("SELECT id, state, record FROM runs ORDER BY id")}
    for run, (state, record) in rows.items():
        verdict.count("runs")
        begin, end = logged.runs.get(run), logged.run_ends.get(run)
        if begin is None:
            verdict.fault("index", f"run {run}", f"runs row {run} was added: the audit log has no such run")
            continue
        _check_record(run, record, begin, verdict)
        as_begun = seal.row_digest(db, "runs", run, state="running") == _digest(begin)
        if end is not None and seal.row_digest(db, "runs", run) == _digest(end):
            continue
        if _digest(begin) is None:
            verdict.skip("index", f"run {run}", "was recorded by a version that kept no hash of it")
        elif state not in ("running", "interrupted") or not as_begun:
            verdict.fault(
                "index", f"run {run}", f"runs row {run} was changed since entry {(end or begin).seq}; {_AGAIN}"
            )
        else:
            verdict.note("index", f"run {run}", "was interrupted before its end was recorded")
    for run in sorted(set(logged.runs) - set(rows)):
        seq = logged.runs[run].seq
        if run == max(logged.runs) and run not in logged.run_ends:
            verdict.note("index", f"run {run}", f"was killed right after entry {seq} of the audit log")
        else:
            why = f"runs row {run} was removed: entry {seq} of the audit log has it; {_AGAIN}"
            verdict.fault("index", f"run {run}", why)


def _check_record(run: int, record: str, begin: Said, verdict: Verdict) -> None:
    """The settings, model and environment of a run against its entry in the log."""
    said = {name: value for name, value in begin.facts.items() if name not in _ENTRY_ONLY}
    try:
        same = json.loads(record) == said
    except (ValueError, RecursionError):
        same = False
    if not same:
        verdict.fault(
            "index",
            f"run {run}",
            f"the record of runs row {run} is not that of entry {begin.seq} of the audit log; {_AGAIN}",
        )


def _check_rows(db: sqlite3.Connection, logged: Logged, verdict: Verdict) -> None:
    """Tables whose every row has an entry of its own."""
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table in sorted({*seal.RECORDED, *logged.rows}):
        said = logged.rows.get(table, {})
        rows = {row[0] for row in db.execute(f'SELECT id FROM "{table}"')} if table in tables else set()
        verdict.count("recorded rows", len(rows))
        for row in sorted({*rows, *said}):
            if fault := _row_fault(db, table, row, row in rows, said.get(row)):
                verdict.fault("index", table, f"{table} row {row} {fault}")


def _row_fault(db: sqlite3.Connection, table: str, row: int, there: bool, said: Said | None) -> str | None:
    if said is None:
        return f"was added: the audit log has no entry of it; {_AGAIN}"
    wanted = _digest(said)
    if not there:
        return None if wanted is None else f"was removed: entry {said.seq} of the audit log has it; {_AGAIN}"
    if seal.row_digest(db, table, row) != wanted:
        return f"was changed since entry {said.seq} of the audit log; {_AGAIN}"
    return None


def _digest(said: Said) -> Any:
    fact = said.facts.get("recorded")
    return fact.get("sha256") if isinstance(fact, dict) else None


def _text(shown: object, raw: object) -> str:
    """A name as it is; a column that was tampered with may hold anything."""
    return os.fsdecode(raw) if isinstance(raw, bytes) else str(shown)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else -1
