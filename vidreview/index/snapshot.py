"""A case's database opened so that nothing in the case folder is made or changed, after a kill too."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vidreview.errors import CaseError
from vidreview.index import schema


@contextlib.contextmanager
def snapshot(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of a case at rest.

    Writing that a kill left in SQLite's log is read from a copy, since SQLite would write beside the original. Text
    that is no UTF-8 is read as Python reads such file names. Raises CaseError while a scan writes to the case, and
    sqlite3.Error for what is no sound database.
    """
    database = folder / schema.DATABASE
    log = Path(f"{database}-wal")
    with contextlib.ExitStack() as stack:
        _keep_still(folder, stack)
        if log.exists() and log.stat().st_size:
            copies = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vidreview-")))
            try:
                for file in (database, log):
                    shutil.copyfile(file, copies / file.name)
            except OSError as error:
                raise CaseError(
                    f"a scan of this case was killed; to read it, {database} is copied to {copies}, which failed: "
                    f"{error.strerror}; set TMPDIR to a folder with room"
                ) from error
            uri = (copies / database.name).absolute().as_uri() + "?mode=rw"
        else:
            uri = database.absolute().as_uri() + "?mode=ro&immutable=1"
        db = sqlite3.connect(uri, uri=True, isolation_level=None)
        stack.callback(db.close)
        db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        yield db


def _keep_still(folder: Path, stack: contextlib.ExitStack) -> None:
    """Let no scan begin meanwhile; raises CaseError when one is writing, since its rows are half written."""
    try:
        handle = os.open(folder / "case.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # no scan has left one
    stack.callback(os.close, handle)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        raise CaseError(f"a scan is writing to the case {folder}; wait for it to end, then check the case") from error
