"""Writing a case: what a scan finds goes into ``case.db``, one transaction per call."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

from vidreview import __version__
from vidreview.errors import CaseError
from vidreview.index import points, schema, seal
from vidreview.index.guard import WriterLock, refuse_overlap

if TYPE_CHECKING:
    from vidreview.model import Coverage, Event, FileInfo, Problem, StreamInfo, Track

ExhibitState = Literal["done", "partial", "failed"]

#: writes the audit log's entry about what a transaction did, before its commit: a kill between the two leaves an entry
#: of what is not there yet, never a row without one
Log = Callable[[dict[str, Any]], object]


class DetectionRow(NamedTuple):
    """One raw detection, kept whatever its score (rule E4)."""

    frame: int
    pts: int
    #: from the stream's first presented frame
    seconds: float
    x1: float
    y1: float
    x2: float
    y2: float
    score: float
    label: str
    look: Literal["frame", "zoom"]


def storable(text: str | os.PathLike[str]) -> tuple[str, bytes | None]:
    r"""A name as text that UTF-8 can hold, odd bytes written ``\xNN``, and the bytes themselves where they differ."""
    raw = os.fsencode(text)
    shown = raw.decode("utf-8", "backslashreplace")
    return shown, None if shown.encode() == raw else raw


def _absolute(path: Path) -> tuple[str, bytes | None]:
    """Where a file lies, whatever folder a later command is run in."""
    return storable(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps '..'


class Case:
    """A case folder open for writing, by one process at a time."""

    def __init__(self, folder: Path, db: sqlite3.Connection, lock: WriterLock) -> None:
        """Use ``Case.open``."""
        self.folder = folder
        self._db = db
        self._lock = lock

    @classmethod
    def open(cls, folder: Path, create: bool = False) -> Self:
        """Open the case in ``folder``, made first when ``create``.

        Raises CaseError when it cannot be made or written, is no case, is newer than this version, or another process
        is writing to it. Call ``refuse_overlap`` before: this makes files.
        """
        database = folder / schema.DATABASE
        if not create and not database.exists():
            raise CaseError(f"no case in {folder}: run 'vidreview scan SOURCE --case {folder}' first")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise CaseError(f"the case folder {folder} is a file; name another --case folder") from error
        except OSError as error:
            raise CaseError(f"cannot make the case folder {folder}: {error.strerror}") from error
        lock = WriterLock(folder)
        try:
            return cls(folder, _connect(database), lock)
        except sqlite3.Error as error:
            lock.release()
            raise CaseError(f"cannot open {database} as a case: {error}; name another --case folder") from error
        except CaseError:
            lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of the case."""
        with contextlib.suppress(sqlite3.Error):  # a reader may hold the log; it is folded in next time
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
        self._lock.release()

    def refuse_overlap(self, sources: Sequence[Path]) -> None:
        """Refuse evidence that overlaps this case; see the function of that name."""
        refuse_overlap(self.folder, sources)

    # ---- runs

    def begin_run(self, record: dict[str, Any], log: Log | None = None) -> int:
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
                (run, schema.now_utc(), record["settings_sha256"], record["model_sha256"], _canonical(record)),
            )
            if log is not None:
                log({"run": run, "recorded": seal.recorded(db, "runs", run)})
        return run

    def finish_run(self, run: int, state: str, summary: dict[str, Any], log: Log | None = None) -> None:
        """Record a run's end: ``done``, ``failed`` or ``interrupted``, and what it printed.

        ``log`` is given the facts ``run`` and ``recorded``.
        """
        with self._transaction() as db:
            db.execute(
                "UPDATE runs SET finished_utc = ?, state = ?, summary = ? WHERE id = ?",
                (schema.now_utc(), state, _canonical(summary), run),
            )
            if log is not None:
                log({"run": run, "recorded": seal.recorded(db, "runs", run)})

    # ---- exhibits

    def is_finished(
        self, sha256: str, settings_sha256: str, model_sha256: str | None, path: Path | None = None
    ) -> bool:
        """True when this content was scanned to its end with these settings and model.

        With ``path``, only a scan of the file at that path counts: a second copy of the same content is then its own
        exhibit.
        """
        return self._finished(sha256, settings_sha256, model_sha256, path) is not None

    def unread_part(
        self, sha256: str, settings_sha256: str, model_sha256: str | None, path: Path | None = None
    ) -> str | None:
        """Why a finished exhibit, told as for ``is_finished``, was not fully read; None when it was."""
        row = self._finished(sha256, settings_sha256, model_sha256, path)
        return row[0] if row is not None else None

    def _finished(
        self, sha256: str, settings_sha256: str, model_sha256: str | None, path: Path | None
    ) -> tuple[str | None] | None:
        where, values = "", [sha256, settings_sha256, model_sha256]
        if path is not None:
            where, values = " AND path = ?", [*values, _absolute(path)[0]]
        with self._errors():
            row: tuple[str | None] | None = self._db.execute(
                "SELECT reason FROM exhibits WHERE sha256 = ? AND settings_sha256 = ? AND model_sha256 IS ? "
                f"AND state IN ('done', 'partial'){where}",
                values,
            ).fetchone()
        return row

    def recorded_hashes(self, path: Path) -> list[str]:
        """SHA-256 of all contents that were scanned to their end at this path, in the order of exhibits."""
        with self._errors():
            rows = self._db.execute(
                "SELECT sha256 FROM exhibits WHERE path = ? AND sha256 IS NOT NULL AND state IN ('done', 'partial') "
                "ORDER BY id",
                (_absolute(path)[0],),
            ).fetchall()
        return [row[0] for row in rows]

    def begin_exhibit(
        self,
        run: int,
        name: str,
        path: Path,
        size: int,
        mtime_ns: int,
        sha256: str,
        info: FileInfo | None,
        reference: str | None = None,
    ) -> int:
        """Record that an exhibit's scan begins; its number.

        Whatever an unfinished scan, or one with other settings, left of the same content at the same path is deleted,
        and its place in the order of exhibits is taken over.
        """
        with self._transaction() as db:
            exhibit = self._replace(db, path, sha256)
            self._insert_exhibit(db, exhibit, run, name, path, (size, mtime_ns, sha256), reference, "running")
            if info is not None:
                document = info.to_json()
                document.pop("streams", None)  # each stream holds its own
                db.execute("UPDATE exhibits SET info = ? WHERE id = ?", (_canonical(document), exhibit))
                _insert_problems(db, exhibit, None, info.problems)
        return exhibit

    def list_unreadable(
        self,
        run: int,
        name: str,
        path: Path,
        reason: str,
        sha256: str | None = None,
        size: int | None = None,
        mtime_ns: int | None = None,
        reference: str | None = None,
        log: Log | None = None,
    ) -> int:
        """Record an exhibit that could not be opened, with the reason (rule C3); its number.

        ``log`` is given the facts ``exhibit``, its number, and ``index``, its seals.
        """
        with self._transaction() as db:
            exhibit = self._replace(db, path, sha256)
            self._insert_exhibit(db, exhibit, run, name, path, (size, mtime_ns, sha256), reference, "failed")
            shown = _printable(reason)
            db.execute("UPDATE exhibits SET reason = ? WHERE id = ?", (shown, exhibit))
            db.execute(
                "INSERT INTO problems (exhibit, kind, reason) VALUES (?, 'unreadable', ?)",
                (exhibit, shown),
            )
            _seal(db, exhibit, log)
        return exhibit

    def finish_exhibit(
        self,
        exhibit: int,
        state: ExhibitState,
        problems: Sequence[Problem] = (),
        reason: str | None = None,
        log: Log | None = None,
    ) -> None:
        """Record that an exhibit's scan ended, and how; from here on its numbers are never given to something else.

        ``reason`` says why it was not fully read. ``log`` is given the facts ``exhibit``, its number, and ``index``,
        its seals.
        """
        with self._transaction() as db:
            if reason is None and state == "failed" and problems:
                reason = problems[0].reason
            db.execute("UPDATE exhibits SET state = ?, reason = ? WHERE id = ?", (state, reason, exhibit))
            _insert_problems(db, exhibit, None, problems)
            for kind in ("tracks", "events"):
                db.execute(
                    "INSERT INTO spent_numbers SELECT ?, coalesce(max(id), 0) FROM " + kind + " WHERE true "
                    "ON CONFLICT (kind) DO UPDATE SET highest = max(highest, excluded.highest)",
                    (kind,),
                )
            _seal(db, exhibit, log)

    # ---- streams

    def add_stream(self, exhibit: int, info: StreamInfo) -> int:
        """Record a stream of an exhibit; its number."""
        with self._transaction() as db:
            stream = self._next(db, "streams")
            _insert(
                db,
                "streams",
                id=stream,
                exhibit=exhibit,
                number=info.index,
                codec=info.codec,
                width=info.width,
                height=info.height,
                rotation=info.rotation,
                time_base_num=info.time_base.numerator,
                time_base_den=info.time_base.denominator,
                start_pts=info.start_pts,
                duration_s=_real(info.duration_s),
                info=_canonical(asdict(info)),
            )
            _insert_problems(db, exhibit, stream, info.problems)
        return stream

    def add_detections(self, stream: int, rows: Sequence[DetectionRow]) -> None:
        """Append raw detections of a stream, in order of time."""
        with self._transaction() as db:
            number: int = db.execute(
                "SELECT coalesce(max(number) + 1, 0) FROM (SELECT number FROM detections "
                "WHERE stream = ? ORDER BY seconds DESC, number DESC LIMIT 1)",
                (stream,),
            ).fetchone()[0]
            db.executemany(
                "INSERT INTO detections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        stream,
                        float(r.seconds),
                        number + k,
                        int(r.frame),
                        int(r.pts),
                        *map(float, r[3:8]),
                        r.label,
                        r.look,
                    )
                    for k, r in enumerate(rows)
                ),
            )

    def add_tracks(self, stream: int, tracks: Sequence[Track]) -> list[int]:
        """Append tracks of a stream, dropped ones too; their numbers."""
        with self._transaction() as db:
            first = self._next(db, "tracks")
            numbers = list(range(first, first + len(tracks)))
            for number, track in zip(numbers, tracks, strict=True):
                start, end = track.points[0], track.points[-1]
                _insert(
                    db,
                    "tracks",
                    **{"id": number, "stream": stream, "class": track.event_class, "label": track.label},
                    start_pts=int(start.pts),
                    end_pts=int(end.pts),
                    start_s=float(start.seconds),
                    end_s=float(end.seconds),
                    score=_real(track.score),
                    detections=int(track.detections),
                    stationary=int(track.stationary),
                    dropped=track.dropped,
                )
                _insert(db, "track_points", track=number, points=points.pack(track.points))
        return numbers

    def add_events(self, stream: int, events: Sequence[Event], track_ids: Sequence[int]) -> list[int]:
        """Append events of a stream, numbered by start; their numbers, in the order given.

        They take the place of the provisional ones.

        ``track_ids`` are what ``add_tracks`` returned for the list that ``Event.tracks`` points into.
        """
        order = sorted(range(len(events)), key=lambda k: (events[k].span.start_s, events[k].span.end_s, k))
        numbers = [0] * len(events)
        with self._transaction() as db:
            db.execute("DELETE FROM provisional_events WHERE stream = ?", (stream,))
            number = self._next(db, "events")
            for k in order:
                event = events[k]
                _insert(db, "events", id=number, **_event(stream, event))
                db.executemany(
                    "INSERT INTO event_tracks VALUES (?, ?, ?)",
                    [(number, position, track_ids[track]) for position, track in enumerate(event.tracks)],
                )
                numbers[k] = number
                number += 1
        return numbers

    def add_provisional(self, stream: int, events: Sequence[Event]) -> None:
        """Append events that are listed until ``add_events`` has those of the whole stream."""
        with self._transaction() as db:
            for event in events:
                _insert(db, "provisional_events", **_event(stream, event))

    def set_coverage(self, stream: int, coverage: Coverage) -> None:
        """Record where every second of a stream went."""
        seconds = ("duration_s", "analysed_s", "undecodable_s", "gap_s", "not_requested_s")
        counts = ("frames_presented", "frames_damaged", "frames_missing", "detector_frames")
        values: dict[str, Any] = {name: float(getattr(coverage, name)) for name in seconds}
        values |= {name: int(getattr(coverage, name)) for name in counts}
        with self._transaction() as db:
            db.execute("DELETE FROM coverage WHERE stream = ?", (stream,))
            _insert(db, "coverage", stream=stream, **values)
            exhibit = db.execute("SELECT exhibit FROM streams WHERE id = ?", (stream,)).fetchone()[0]
            _insert_problems(db, exhibit, stream, coverage.problems)

    # ---- inside

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CaseError(f"cannot write to the case {self.folder}: {error}") from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    @staticmethod
    def _next(db: sqlite3.Connection, table: str) -> int:
        """The highest number in use or ever shown, plus one: what a killed scan left and lost is given out again."""
        spent = "SELECT coalesce(max(highest), 0) FROM spent_numbers WHERE kind = ?"
        reviewed = "(SELECT coalesce(max(event), 0) FROM reviews)" if table == "events" else "0"
        query = f"SELECT 1 + max((SELECT coalesce(max(id), 0) FROM {table}), ({spent}), {reviewed})"
        number: int = db.execute(query, (table,)).fetchone()[0]
        return number

    def _replace(self, db: sqlite3.Connection, path: Path, sha256: str | None) -> int:
        """Delete the earlier scans of the exhibit; the number that is free for it."""
        rows = db.execute(
            "SELECT id FROM exhibits "
            "WHERE path = ? AND (sha256 IS ? OR sha256 IS NULL OR ? IS NULL AND state = 'failed')",
            (_absolute(path)[0], sha256, sha256),
        ).fetchall()
        db.executemany("DELETE FROM exhibits WHERE id = ?", rows)
        return min((int(row[0]) for row in rows), default=0) or self._next(db, "exhibits")

    @staticmethod
    def _insert_exhibit(
        db: sqlite3.Connection,
        exhibit: int,
        run: int,
        name: str,
        path: Path,
        identity: tuple[int | None, int | None, str | None],
        reference: str | None,
        state: str,
    ) -> None:
        db.execute(
            "INSERT INTO exhibits (id, run, name, name_raw, path, path_raw, size, mtime_ns, sha256, reference, state, "
            "settings_sha256, model_sha256) "
            "SELECT ?, id, ?, ?, ?, ?, ?, ?, ?, ?, ?, settings_sha256, model_sha256 FROM runs WHERE id = ?",
            (exhibit, *storable(name), *_absolute(path), *identity, _shown(reference), state, run),
        )


def _connect(database: Path) -> sqlite3.Connection:
    """The database, up to date, in autocommit mode so that transactions are ours to begin."""
    db = sqlite3.connect(database, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        schema.check_is_case(db, str(database))
        db.execute("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last transactions to a power cut, never the file; a resumed scan redoes them
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        schema.migrate(db, str(database), __version__)
    except BaseException:
        db.close()
        raise
    return db


def _seal(db: sqlite3.Connection, exhibit: int, log: Log | None) -> None:
    """Seal an exhibit whose scan is over and tell the audit log."""
    roots = seal.seal(db, exhibit)
    if log is not None:
        log({"exhibit": exhibit, "index": roots})


def _insert(db: sqlite3.Connection, table: str, **values: Any) -> None:
    places = ", ".join("?" * len(values))
    db.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", list(values.values()))


def _event(stream: int, event: Event) -> dict[str, Any]:
    """The columns of an event but for its number."""
    span = event.span
    return {
        "stream": stream,
        "class": event.event_class,
        "label": event.label,
        "start_pts": int(span.start.pts),
        "end_pts": int(span.end.pts),
        "start_s": float(span.start_s),
        "end_s": float(span.end_s),
        "peak_pts": int(event.peak.pts),
        "peak_s": float(event.peak_s),
        "max_count": int(event.max_count),
        "score": _real(event.score),
    }


def _insert_problems(db: sqlite3.Connection, exhibit: int, stream: int | None, problems: Sequence[Problem]) -> None:
    db.executemany(
        "INSERT INTO problems (exhibit, stream, kind, reason, at_s) VALUES (?, ?, ?, ?, ?)",
        [(exhibit, stream, p.kind, _printable(p.reason), _real(p.at_s)) for p in problems],
    )


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _shown(text: str | None) -> str | None:
    return None if text is None else _printable(text)


def _real(value: float | None) -> float | None:
    return None if value is None else float(value)


def _canonical(value: Any) -> str:
    """JSON with sorted keys and ASCII only: equal values give equal text, odd file names included."""

    def plain(item: Any) -> str:
        if isinstance(item, Fraction):
            return f"{item.numerator}/{item.denominator}"
        return str(item)

    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain)
