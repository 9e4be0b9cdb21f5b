"""A case folder open for writing: one process at a time, one transaction per call, all or nothing."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from vidreview import __version__
from vidreview.errors import CaseError
from vidreview.index import schema
from vidreview.index.guard import WriterLock


class Writer:
    """What all writing to a case rests on: its lock, its connection, its transactions."""

    def __init__(self, folder: Path, db: sqlite3.Connection, lock: WriterLock) -> None:
        """Use ``open``."""
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
        except BaseException:  # a person's Ctrl-C while an older case is brought up to date, too
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
        """The number of a new row."""
        number: int = db.execute(f"SELECT 1 + coalesce(max(id), 0) FROM {table}").fetchone()[0]
        return number


def _connect(database: Path) -> sqlite3.Connection:
    """The database, up to date, in autocommit mode so that transactions are ours to begin."""
    db = sqlite3.connect(database, isolation_level=None, timeout=30, check_same_thread=False)
    try:
        schema.check_is_case(db, str(database))
        db.execute("PRAGMA journal_mode = WAL")
        # NORMAL may lose the last transactions to a power cut, never the file; a resumed scan redoes them
        db.execute("PRAGMA synchronous = NORMAL")
        # a step of the migration may put a table in another's place, so foreign keys are watched from then on
        schema.migrate(db, str(database), __version__)
        db.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        db.close()
        raise
    return db
