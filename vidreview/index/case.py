"""Writing a case: its runs, its exhibits and whose turn it is to be numbered; what a scan finds goes into ``case.db``.

Every file of a scan is in the index from its beginning, as pending. Several may be scanned side by side and be done in
any order; events and tracks get the numbers that people see when all exhibits before have theirs, so that the numbers
do not depend on who was done first (rule A7). Until then they are listed as provisional.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidreview.index import schema, seal
from vidreview.index.guard import refuse_overlap
from vidreview.index.rows import absolute, canonical, insert, insert_problems, printable, shown, storable
from vidreview.index.streams import StreamWriter

if TYPE_CHECKING:
    import sqlite3

    from vidreview.model import FileInfo, Problem

__all__ = ["Case", "Finished", "Identity", "Listed"]

#: writes the audit log's entry about what a transaction did, before its commit: a kill between the two leaves an entry
#: of what is not there yet, never a row without one. It is given facts for the entry: ``exhibit``, the number, and
#: ``index``, its seals
Log = Callable[[dict[str, Any]], object]

#: how an exhibit may stand that an earlier scan came to the end of
_FINISHED = "('scanned', 'done', 'partial')"


@dataclass(frozen=True, slots=True)
class Identity:
    """What a file is called, where it lies, and what is known of its content."""

    name: str
    path: Path
    #: bytes, None where it could not be read
    size: int | None = None
    #: nanoseconds since the epoch
    mtime_ns: int | None = None
    sha256: str | None = None
    #: the exhibit reference of the seizure record
    reference: str | None = None
    #: other digests that it was checked by: algorithm → value
    hashes: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that is in the index without being scanned."""

    identity: Identity
    state: Literal["failed", "duplicate", "image"]
    #: why it could not be read; None for one that was
    reason: str | None = None
    #: exhibit of the same content, for a duplicate
    original: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """An exhibit that was scanned to its end."""

    number: int
    name: str
    #: why it was not fully read, None when it was
    reason: str | None
    #: its events have their numbers
    numbered: bool


class Case(StreamWriter):
    """A case folder open for writing, by one process at a time."""

    def refuse_overlap(self, sources: Sequence[Path]) -> None:
        """Refuse evidence that overlaps this case; see the function of that name."""
        refuse_overlap(self.folder, sources)

    # ---- runs

    def begin_run(self, record: dict[str, Any], log: Log = lambda _: None) -> int:
        """Record a run's start; its number.

        ``record`` must have ``settings_sha256`` and ``model_sha256`` (None without a model); it is stored whole. A run
        that an earlier process left unfinished is marked as interrupted (rule A11). ``log`` is given the facts ``run``,
        its number, and ``recorded``, by which its row is known later.
        """
        with self._transaction() as db:
            db.execute("UPDATE runs SET state = 'interrupted' WHERE state = 'running'")
            run = self._next(db, "runs")
            db.execute(
                "INSERT INTO runs (id, started_utc, state, settings_sha256, model_sha256, record) "
                "VALUES (?, ?, 'running', ?, ?, ?)",
                (run, schema.now_utc(), record["settings_sha256"], record["model_sha256"], canonical(record)),
            )
            log({"run": run, "recorded": seal.recorded(db, "runs", run)})
        return run

    def broken_runs(self) -> list[int]:
        """Runs that were never finished: their process was killed."""
        with self._errors():
            return [row[0] for row in self._db.execute("SELECT id FROM runs WHERE state = 'running' ORDER BY id")]

    def finish_run(self, run: int, state: str, summary: dict[str, Any], log: Log = lambda _: None) -> None:
        """Record a run's end: ``done``, ``failed`` or ``interrupted``, and what it printed.

        ``log`` is given the facts ``run`` and ``recorded``.
        """
        with self._transaction() as db:
            db.execute(
                "UPDATE runs SET finished_utc = ?, state = ?, summary = ? WHERE id = ?",
                (schema.now_utc(), state, canonical(summary), run),
            )
            log({"run": run, "recorded": seal.recorded(db, "runs", run)})

    # ---- exhibits

    def register(self, run: int, files: Iterable[tuple[str, Path]], reference: str | None = None) -> None:
        """List files, by name and path, that this run will come to, in their order; known paths stay as they are."""
        with self._transaction() as db:
            number = self._next(db, "exhibits")
            for name, path in files:
                if (
                    db.execute("SELECT 1 FROM exhibits WHERE path = ? AND path_raw IS ?", absolute(path)).fetchone()
                    is None
                ):
                    self._insert_exhibit(db, number, run, Identity(name, path, reference=reference), "pending")
                    number += 1

    def finished(
        self, sha256: str, settings_sha256: str, model_sha256: str | None, path: Path | None = None
    ) -> Finished | None:
        """The exhibit of this content that was scanned to its end with these settings and model, the first of several.

        With ``path``, only a scan of the file at that path counts.
        """
        where = ""
        values: list[Any] = [sha256, settings_sha256, model_sha256]
        if path is not None:
            where, values = " AND path = ? AND path_raw IS ?", [*values, *absolute(path)]
        with self._errors():
            row = self._db.execute(
                "SELECT id, name, reason, state != 'scanned' FROM exhibits WHERE sha256 = ? AND settings_sha256 = ? "
                f"AND model_sha256 IS ? AND state IN {_FINISHED}{where} ORDER BY id LIMIT 1",
                values,
            ).fetchone()
        return None if row is None else Finished(row[0], row[1], row[2], bool(row[3]))

    def recorded_hashes(self, path: Path) -> list[str]:
        """SHA-256 of all contents that were scanned to their end at this path, in the order of exhibits."""
        with self._errors():
            rows = self._db.execute(
                "SELECT sha256 FROM exhibits WHERE path = ? AND path_raw IS ? AND sha256 IS NOT NULL "
                f"AND state IN {_FINISHED} ORDER BY id",
                absolute(path),
            ).fetchall()
        return [row[0] for row in rows]

    def begin_exhibit(self, run: int, identity: Identity) -> int:
        """Record that an exhibit's scan begins; its number.

        Whatever an unfinished scan, or one with other settings, left of the same content at the same path is deleted,
        and its place in the order of exhibits is taken over.
        """
        with self._transaction() as db:
            exhibit = self._replace(db, identity)
            self._insert_exhibit(db, exhibit, run, identity, "running")
        return exhibit

    def open_exhibit(self, exhibit: int, info: FileInfo) -> None:
        """Record what an exhibit is found to be."""
        document = info.to_json()
        document.pop("streams", None)  # each stream holds its own
        with self._transaction() as db:
            db.execute("UPDATE exhibits SET info = ? WHERE id = ?", (canonical(document), exhibit))
            insert_problems(db, exhibit, None, info.problems)

    def list_files(
        self, run: int, files: Sequence[Listed], log: Callable[[list[dict[str, Any]]], object] = lambda _: None
    ) -> None:
        """Record files that are not scanned, and why (rule C3); ``log`` is given the facts of each, as a list."""
        facts = []
        with self._transaction() as db:
            for one in files:
                exhibit = self._replace(db, one.identity)
                self._insert_exhibit(db, exhibit, run, one.identity, one.state)
                text = shown(one.reason)
                db.execute(
                    "UPDATE exhibits SET reason = ?, duplicate_of = ? WHERE id = ?", (text, one.original, exhibit)
                )
                if text is not None:
                    db.execute(
                        "INSERT INTO problems (exhibit, kind, reason) VALUES (?, 'unreadable', ?)", (exhibit, text)
                    )
                facts.append({"exhibit": exhibit, "index": seal.seal(db, exhibit)})
            log(facts)

    def fail_exhibit(self, exhibit: int, reason: str, log: Log = lambda _: None) -> None:
        """Record that an exhibit's scan broke off: what was found is taken back, its streams stay as not decodable."""
        with self._transaction() as db:
            streams = [row[0] for row in db.execute("SELECT id FROM streams WHERE exhibit = ?", (exhibit,))]
            for stream in streams:
                for table in ("detections", "watched", "courses", "tracks", "events", "provisional_events"):
                    db.execute(f"DELETE FROM {table} WHERE stream = ?", (stream,))
            db.execute("UPDATE exhibits SET state = 'failed', reason = ? WHERE id = ?", (printable(reason), exhibit))
            db.execute(
                "INSERT INTO problems (exhibit, kind, reason) VALUES (?, 'unreadable', ?)", (exhibit, printable(reason))
            )
            log({"exhibit": exhibit, "index": seal.seal(db, exhibit)})

    def finish_exhibit(self, exhibit: int, problems: Sequence[Problem] = (), reason: str | None = None) -> None:
        """Record that an exhibit's scan came to its end; ``reason`` says why it was not fully read.

        Its events stay provisional until ``number`` is called.
        """
        with self._transaction() as db:
            db.execute("UPDATE exhibits SET state = 'scanned', reason = ? WHERE id = ?", (shown(reason), exhibit))
            insert_problems(db, exhibit, None, problems)

    def number(self, exhibit: int, log: Log = lambda _: None) -> None:
        """Give the tracks and events of a scanned exhibit the next numbers, which are never given to something else.

        The exhibit is sealed with that.
        """
        with self._transaction() as db:
            for kind in ("tracks", "events"):
                number = self._next_number(db, kind)
                rows = db.execute(
                    f"SELECT item.id FROM {kind} item JOIN streams stream ON stream.id = item.stream "
                    f"WHERE stream.exhibit = ? ORDER BY stream.id, item.id",
                    (exhibit,),
                ).fetchall()
                db.executemany(
                    f"UPDATE {kind} SET number = ? WHERE id = ?",
                    [(number + k, row[0]) for k, row in enumerate(rows)],
                )
                db.execute(
                    "INSERT INTO spent_numbers VALUES (?, ?) "
                    "ON CONFLICT (kind) DO UPDATE SET highest = max(highest, excluded.highest)",
                    (kind, number - 1 + len(rows)),
                )
            db.execute(
                "DELETE FROM provisional_events WHERE stream IN (SELECT id FROM streams WHERE exhibit = ?)", (exhibit,)
            )
            db.execute("UPDATE exhibits SET state = iif(reason IS NULL, 'done', 'partial') WHERE id = ?", (exhibit,))
            log({"exhibit": exhibit, "index": seal.seal(db, exhibit)})

    def known(self, exhibit: int) -> dict[str, Any]:
        """What the audit log says of an exhibit that an earlier run scanned."""
        with self._errors():
            name, path, sha256, events = self._db.execute(
                "SELECT name, path, sha256, (SELECT count(*) FROM events JOIN streams ON streams.id = events.stream "
                "WHERE streams.exhibit = exhibits.id) FROM exhibits WHERE id = ?",
                (exhibit,),
            ).fetchone()
        return {"exhibit": exhibit, "name": name, "path": path, "sha256": sha256, "events": events}

    def unnumbered(self) -> list[int]:
        """Exhibits that were scanned to their end and wait for their numbers, in order."""
        with self._errors():
            return [row[0] for row in self._db.execute("SELECT id FROM exhibits WHERE state = 'scanned' ORDER BY id")]

    # ---- inside

    @staticmethod
    def _next_number(db: sqlite3.Connection, kind: str) -> int:
        """The highest number in use or ever shown, plus one."""
        spent = "SELECT coalesce(max(highest), 0) FROM spent_numbers WHERE kind = ?"
        reviewed = "(SELECT coalesce(max(event), 0) FROM reviews)" if kind == "events" else "0"
        query = f"SELECT 1 + max((SELECT coalesce(max(number), 0) FROM {kind}), ({spent}), {reviewed})"
        number: int = db.execute(query, (kind,)).fetchone()[0]
        return number

    def _replace(self, db: sqlite3.Connection, identity: Identity) -> int:
        """Delete the earlier scans of the exhibit; the number that is free for it."""
        sha256 = identity.sha256
        rows = db.execute(
            "SELECT id FROM exhibits "
            "WHERE path = ? AND path_raw IS ? AND (sha256 IS ? OR sha256 IS NULL OR ? IS NULL AND state = 'failed')",
            (*absolute(identity.path), sha256, sha256),
        ).fetchall()
        db.executemany("DELETE FROM exhibits WHERE id = ?", rows)
        return min((int(row[0]) for row in rows), default=0) or self._next(db, "exhibits")

    @staticmethod
    def _insert_exhibit(db: sqlite3.Connection, number: int, run: int, identity: Identity, state: str) -> None:
        name, name_raw = storable(identity.name)
        path, path_raw = absolute(identity.path)
        settings = db.execute("SELECT settings_sha256, model_sha256 FROM runs WHERE id = ?", (run,)).fetchone()
        insert(
            db,
            "exhibits",
            id=number,
            run=run,
            name=name,
            name_raw=name_raw,
            path=path,
            path_raw=path_raw,
            size=identity.size,
            mtime_ns=identity.mtime_ns,
            sha256=identity.sha256,
            reference=shown(identity.reference),
            state=state,
            settings_sha256=settings[0],
            model_sha256=settings[1],
            hashes=None if identity.hashes is None else json.dumps(identity.hashes, sort_keys=True),
        )
