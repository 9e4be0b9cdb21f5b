"""The tables of ``case.db`` and the recorded steps that bring an older case up to date."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

from vidreview.errors import CaseError
from vidreview.index import courses

#: "vidr": marks a SQLite file as one of ours
APPLICATION_ID = 0x76696472

#: a case that nobody holds open is just this file; -wal and -shm appear beside it while a scan writes
DATABASE = "case.db"

_FIRST = """
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started_utc TEXT NOT NULL,
    finished_utc TEXT,
    state TEXT NOT NULL,                -- running, done, failed, interrupted
    settings_sha256 TEXT NOT NULL,
    model_sha256 TEXT,
    record TEXT NOT NULL,               -- JSON: version, argv, settings, model, dependencies, OS, CPU
    summary TEXT                        -- JSON: what the scan printed at its end
);
CREATE TABLE exhibits (
    id INTEGER PRIMARY KEY,             -- also the order in which they are listed
    run INTEGER NOT NULL REFERENCES runs(id),
    name TEXT NOT NULL,                 -- bytes that are not UTF-8 written \\xNN
    name_raw BLOB,                      -- the bytes, where name does not hold them
    path TEXT NOT NULL,
    path_raw BLOB,
    size INTEGER,
    mtime_ns INTEGER,
    sha256 TEXT,
    reference TEXT,
    state TEXT NOT NULL CHECK (state IN ('running', 'done', 'partial', 'failed')),
    settings_sha256 TEXT NOT NULL,
    model_sha256 TEXT,
    info TEXT,                          -- JSON of FileInfo
    reason TEXT                         -- why it could not be read
);
CREATE INDEX exhibits_by_content ON exhibits (sha256);
CREATE INDEX exhibits_by_path ON exhibits (path);
CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    exhibit INTEGER NOT NULL REFERENCES exhibits(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,            -- index within the container
    codec TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    rotation INTEGER NOT NULL,
    time_base_num INTEGER NOT NULL,
    time_base_den INTEGER NOT NULL,
    start_pts INTEGER,
    duration_s REAL,                    -- by packet timestamps, as probed
    info TEXT NOT NULL,                 -- JSON of StreamInfo
    UNIQUE (exhibit, number)
);
CREATE TABLE coverage (
    stream INTEGER PRIMARY KEY REFERENCES streams(id) ON DELETE CASCADE,
    duration_s REAL NOT NULL,
    analysed_s REAL NOT NULL,
    undecodable_s REAL NOT NULL,
    gap_s REAL NOT NULL,
    not_requested_s REAL NOT NULL,
    frames_presented INTEGER NOT NULL,
    frames_damaged INTEGER NOT NULL,
    frames_missing INTEGER NOT NULL,
    detector_frames INTEGER NOT NULL
);
CREATE TABLE problems (
    id INTEGER PRIMARY KEY,
    exhibit INTEGER NOT NULL REFERENCES exhibits(id) ON DELETE CASCADE,
    stream INTEGER REFERENCES streams(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    reason TEXT NOT NULL,
    at_s REAL
);
CREATE INDEX problems_by_exhibit ON problems (exhibit);
CREATE INDEX problems_by_stream ON problems (stream);
-- every raw detection, those below the threshold too; clustered by time, so that an instant costs one seek
CREATE TABLE detections (
    stream INTEGER NOT NULL REFERENCES streams(id) ON DELETE CASCADE,
    seconds REAL NOT NULL,              -- from the stream's first presented frame
    number INTEGER NOT NULL,            -- order within the stream
    frame INTEGER NOT NULL,
    pts INTEGER NOT NULL,
    x1 REAL NOT NULL, y1 REAL NOT NULL, x2 REAL NOT NULL, y2 REAL NOT NULL,
    score REAL NOT NULL,
    label TEXT NOT NULL,
    look TEXT NOT NULL CHECK (look IN ('frame', 'zoom')),
    PRIMARY KEY (stream, seconds, number)
) WITHOUT ROWID;
CREATE TABLE tracks (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams(id) ON DELETE CASCADE,
    class TEXT NOT NULL,
    label TEXT NOT NULL,
    start_pts INTEGER NOT NULL,
    end_pts INTEGER NOT NULL,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    score REAL,
    detections INTEGER NOT NULL,
    stationary INTEGER NOT NULL,
    dropped TEXT                        -- the rule that kept it out of the events; NULL when part of one
);
CREATE INDEX tracks_by_stream ON tracks (stream, start_s);
-- apart from tracks, so that listing them does not read their points
CREATE TABLE track_points (
    track INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
    points BLOB NOT NULL                -- form: vidreview/index/points.py
);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES streams(id) ON DELETE CASCADE,
    class TEXT NOT NULL,
    label TEXT NOT NULL,
    start_pts INTEGER NOT NULL,
    end_pts INTEGER NOT NULL,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    peak_pts INTEGER NOT NULL,
    peak_s REAL NOT NULL,
    max_count INTEGER NOT NULL,
    score REAL
);
CREATE INDEX events_by_stream ON events (stream, start_s);
CREATE INDEX events_by_class ON events (class, start_s);
CREATE TABLE event_tracks (
    event INTEGER NOT NULL REFERENCES events(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    track INTEGER NOT NULL REFERENCES tracks(id) ON DELETE CASCADE,
    PRIMARY KEY (event, position)
) WITHOUT ROWID;
CREATE INDEX event_tracks_by_track ON event_tracks (track);
-- no reference to events: what a person wrote stays when a scan with other settings replaces the event (rule E5)
CREATE TABLE reviews (
    id INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('unreviewed', 'relevant', 'not relevant', 'unsure')),
    by TEXT NOT NULL,
    at_utc TEXT NOT NULL,
    note TEXT
);
CREATE INDEX reviews_by_event ON reviews (event);
-- numbers up to here were once shown to people and are never given to something else
CREATE TABLE spent_numbers (kind TEXT PRIMARY KEY, highest INTEGER NOT NULL);
"""

_PROVISIONAL = """
-- what a look at the busiest stretches found while the scan of the exhibit goes on; its events take their place
CREATE TABLE provisional_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice, since it was shown to people
    stream INTEGER NOT NULL REFERENCES streams(id) ON DELETE CASCADE,
    class TEXT NOT NULL,
    label TEXT NOT NULL,
    start_pts INTEGER NOT NULL,
    end_pts INTEGER NOT NULL,
    start_s REAL NOT NULL,
    end_s REAL NOT NULL,
    peak_pts INTEGER NOT NULL,
    peak_s REAL NOT NULL,
    max_count INTEGER NOT NULL,
    score REAL
);
CREATE INDEX provisional_events_by_stream ON provisional_events (stream);
CREATE VIEW all_events AS
    SELECT id, stream, class, label, start_pts, end_pts, start_s, end_s, peak_pts, peak_s, max_count, score,
        0 AS provisional FROM events
    UNION ALL
    SELECT id, stream, class, label, start_pts, end_pts, start_s, end_s, peak_pts, peak_s, max_count, score,
        1 AS provisional FROM provisional_events;
"""

_TURNS = """
-- every file of a scan is listed from its beginning (pending), may be known to its end before its turn to be numbered
-- has come (scanned), or be a copy of another (duplicate), or a disk image, whose files are exhibits too (image)
CREATE TABLE exhibits_new (
    id INTEGER PRIMARY KEY,             -- also the order in which they are listed
    run INTEGER NOT NULL REFERENCES runs(id),
    name TEXT NOT NULL,                 -- bytes that are not UTF-8 written \\xNN
    name_raw BLOB,                      -- the bytes, where name does not hold them
    path TEXT NOT NULL,
    path_raw BLOB,
    size INTEGER,
    mtime_ns INTEGER,
    sha256 TEXT,
    reference TEXT,
    state TEXT NOT NULL CHECK (state IN
        ('pending', 'running', 'scanned', 'done', 'partial', 'failed', 'duplicate', 'image')),
    settings_sha256 TEXT NOT NULL,
    model_sha256 TEXT,
    info TEXT,                          -- JSON of FileInfo
    reason TEXT,                        -- why it could not be read, or only in part
    duplicate_of INTEGER,               -- exhibit of the same content; it may be scanned anew in between
    hashes TEXT                         -- JSON: algorithm -> digest, those of the list of hashes it was checked against
);
INSERT INTO exhibits_new SELECT id, run, name, name_raw, path, path_raw, size, mtime_ns, sha256, reference, state,
    settings_sha256, model_sha256, info, reason, NULL, NULL FROM exhibits;
DROP TABLE exhibits;
ALTER TABLE exhibits_new RENAME TO exhibits;
CREATE INDEX exhibits_by_content ON exhibits (sha256);
CREATE INDEX exhibits_by_path ON exhibits (path);
CREATE INDEX exhibits_by_original ON exhibits (duplicate_of) WHERE duplicate_of IS NOT NULL;
-- the number people see; NULL until the exhibits before have theirs, so that it does not depend on who is done first
ALTER TABLE tracks ADD COLUMN number INTEGER;
ALTER TABLE events ADD COLUMN number INTEGER;
UPDATE tracks SET number = id;
UPDATE events SET number = id;
CREATE UNIQUE INDEX tracks_by_number ON tracks (number);
CREATE UNIQUE INDEX events_by_number ON events (number);
DROP VIEW all_events;
-- "row" is the number that other tables know it by
CREATE VIEW all_events AS
    SELECT number AS id, id AS row, stream, class, label, start_pts, end_pts, start_s, end_s, peak_pts, peak_s,
        max_count, score, 0 AS provisional FROM events WHERE number IS NOT NULL
    UNION ALL
    SELECT id, NULL, stream, class, label, start_pts, end_pts, start_s, end_s, peak_pts, peak_s,
        max_count, score, 1 AS provisional FROM provisional_events;
CREATE VIEW numbered_events AS
    SELECT number AS id, id AS row, stream, class, label, start_pts, end_pts, start_s, end_s, peak_pts, peak_s,
        max_count, score FROM events WHERE number IS NOT NULL;
CREATE VIEW numbered_tracks AS
    SELECT number AS id, id AS row, stream, class, label, start_pts, end_pts, start_s, end_s, score, detections,
        stationary, dropped FROM tracks WHERE number IS NOT NULL;
"""

_TICKS = """
-- ticks of the stream's time base are the truth; the seconds beside them are for display. What an earlier version wrote
-- was exact but for the last digit of a float: rounding gives its ticks back
ALTER TABLE coverage ADD COLUMN analysed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN undecodable INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN gap INTEGER NOT NULL DEFAULT 0;
ALTER TABLE coverage ADD COLUMN not_requested INTEGER NOT NULL DEFAULT 0;
UPDATE coverage SET
    undecodable = CAST(round(coverage.undecodable_s * time_base_den / time_base_num) AS INTEGER),
    gap = CAST(round(coverage.gap_s * time_base_den / time_base_num) AS INTEGER),
    not_requested = CAST(round(coverage.not_requested_s * time_base_den / time_base_num) AS INTEGER),
    analysed = CAST(round(coverage.duration_s * time_base_den / time_base_num) AS INTEGER)
    FROM streams WHERE streams.id = coverage.stream;
UPDATE coverage SET analysed = max(0, analysed - undecodable - gap - not_requested);
-- where a problem lies: ticks of the stream, and the packet's offset in the exhibit's file; NULL where it is not known
ALTER TABLE problems ADD COLUMN pts INTEGER;
ALTER TABLE problems ADD COLUMN end_pts INTEGER;
ALTER TABLE problems ADD COLUMN byte INTEGER;
"""

_CLOCKS = """
-- what people observed of a recorder's clock (rule B3); never deleted, only marked as withdrawn
CREATE TABLE clock_observations (
    id INTEGER PRIMARY KEY,
    shown TEXT NOT NULL,                -- what the recorder displayed: ISO 8601, local, no zone
    uncertainty_us INTEGER NOT NULL,    -- a bound, microseconds
    at_us INTEGER,                      -- a reading: stream time of the picture, microseconds
    reference TEXT,                     -- a check: what the reference showed, with a UTC offset where it was given
    source TEXT,                        -- which reference
    zone TEXT,                          -- in which the recorder's clock runs: IANA name
    by TEXT NOT NULL,
    recorded_utc TEXT NOT NULL,
    withdrawn_utc TEXT,
    withdrawn_by TEXT,
    withdrawn_reason TEXT,
    CHECK (at_us IS NOT NULL OR reference IS NOT NULL),
    CHECK ((reference IS NULL) = (source IS NULL))
);
-- no reference to exhibits: what a person wrote stays when an exhibit is scanned again; its content is what links it
CREATE TABLE clock_exhibits (
    observation INTEGER NOT NULL REFERENCES clock_observations(id),
    exhibit INTEGER NOT NULL,           -- its number and name when the observation was recorded
    name TEXT NOT NULL,
    name_raw BLOB,
    sha256 TEXT,
    stream INTEGER,                     -- index within the container, for a reading
    PRIMARY KEY (observation, exhibit)
) WITHOUT ROWID;
"""

_SEALS = """
-- hashes of rows as they were when the exhibit's scan ended; the hash over those of each table is in the audit log.
-- NULL does not count in them: columns added to a sealed table later must be NULL in the rows that are there
CREATE TABLE seals (
    exhibit INTEGER NOT NULL REFERENCES exhibits(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,                 -- name of the table
    row TEXT NOT NULL,                  -- its key, parts joined by "/"; of detections stream and block of numbers
    sha256 BLOB NOT NULL,
    PRIMARY KEY (exhibit, kind, row)
) WITHOUT ROWID;
"""

_WATCHED = """
-- what the motion gate said of every frame, some thousand to a row; form: vidreview/index/watched.py
CREATE TABLE watched (
    stream INTEGER NOT NULL REFERENCES streams(id) ON DELETE CASCADE,
    first INTEGER NOT NULL,             -- number of the first of these frames
    first_s REAL NOT NULL,              -- seconds of the first and of the last
    last_s REAL NOT NULL,
    frames BLOB NOT NULL,
    PRIMARY KEY (stream, first)
) WITHOUT ROWID;
"""

_REVIEWED = """
-- which event a review is of, whatever number it has later, and for one that was read from a marks file the reviewer's
-- own time and that file's SHA-256; NULL in reviews of an earlier version
ALTER TABLE reviews ADD COLUMN marked_utc TEXT;
ALTER TABLE reviews ADD COLUMN marks_sha256 TEXT;
ALTER TABLE reviews ADD COLUMN exhibit_sha256 TEXT;
ALTER TABLE reviews ADD COLUMN stream INTEGER;
ALTER TABLE reviews ADD COLUMN start_pts INTEGER;
ALTER TABLE reviews ADD COLUMN class TEXT;
"""

_LOOKS = """
-- what the object of a track looks like: a descriptor to search by, colours, and small pictures; see docs/looks.md
CREATE TABLE looks (
    track INTEGER PRIMARY KEY REFERENCES tracks(id) ON DELETE CASCADE,
    looks INTEGER NOT NULL,             -- how many it rests on
    light TEXT NOT NULL CHECK (light IN ('colours', 'cast', 'none')),
    descriptor BLOB NOT NULL            -- form: vidreview/looks/describe.py
);
CREATE TABLE look_colours (
    colour TEXT NOT NULL,
    part TEXT NOT NULL CHECK (part IN ('whole', 'upper', 'lower')),
    track INTEGER NOT NULL REFERENCES tracks(id) ON DELETE CASCADE,
    share REAL NOT NULL,                -- of the part's picture
    PRIMARY KEY (colour, part, track)
) WITHOUT ROWID;
CREATE INDEX look_colours_by_track ON look_colours (track);
-- apart from looks, so that comparing those of a whole case does not read pictures
CREATE TABLE look_crops (
    track INTEGER NOT NULL REFERENCES tracks(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,          -- 0 is the best
    frame INTEGER NOT NULL,
    pts INTEGER NOT NULL,
    seconds REAL NOT NULL,
    x1 INTEGER NOT NULL, y1 INTEGER NOT NULL, x2 INTEGER NOT NULL, y2 INTEGER NOT NULL,
    quality REAL NOT NULL,
    jpeg BLOB NOT NULL,                 -- reduced and encoded again: internal, no evidence (rule D4)
    PRIMARY KEY (track, position)
);
"""

#: (name, SQL) in order; released steps are never edited, only added to
MIGRATIONS: tuple[tuple[str, str], ...] = (
    ("0001 first tables", _FIRST),
    ("0002 provisional events", _PROVISIONAL),
    ("0003 turns and numbers", _TURNS),
    ("0004 coverage in ticks", _TICKS),
    ("0005 clock observations", _CLOCKS),
    ("0006 seals", _SEALS),
    ("0007 watched frames", _WATCHED),
    ("0008 courses of tracks", courses.TABLE),
    ("0009 looks", _LOOKS),
    ("0010 reviews of marks files", _REVIEWED),
)

#: steps whose new tables are filled with what follows from the rows that are there, in the same transaction
FILLS: dict[str, Callable[[sqlite3.Connection], object]] = {"0008 courses of tracks": courses.fill}


def now_utc() -> str:
    """The clock as ISO 8601 in UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_is_case(db: sqlite3.Connection, where: str) -> int:
    """How many migrations the case has; 0 for an empty file.

    Raises CaseError for a database that is not ours, or was written by a newer version.
    """
    application: int = db.execute("PRAGMA application_id").fetchone()[0]
    tables: int = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise CaseError(f"{where} is a database of another program, not a vidreview case; name another --case folder")
    names = [row[0] for row in db.execute("SELECT name FROM migrations ORDER BY id")]
    if names != [name for name, _ in MIGRATIONS][: len(names)]:
        raise CaseError(f"{where} was written by a newer version of vidreview ({names[-1]}); use that version or later")
    return len(names)


def migrate(db: sqlite3.Connection, where: str, version: str) -> list[str]:
    """Apply what is missing, each step in its own transaction, recorded with its time; returns the names applied.

    ``db`` must be in autocommit mode and not watch over foreign keys: a step may put a table in another's place. Raises
    CaseError as ``check_is_case`` does.
    """
    present = check_is_case(db, where)
    applied: list[str] = []
    for name, statements in MIGRATIONS[present:]:
        ours = "" if present or applied else f"PRAGMA application_id = {APPLICATION_ID};" + _LEDGER
        try:
            db.executescript(f"BEGIN IMMEDIATE; {ours} {statements}")
            if name in FILLS:
                FILLS[name](db)
            stamp = (name, now_utc(), version)
            db.execute("INSERT INTO migrations (name, applied_utc, version) VALUES (?, ?, ?)", stamp)
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise
        applied.append(name)
    return applied


_LEDGER = """
CREATE TABLE migrations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    applied_utc TEXT NOT NULL,
    version TEXT NOT NULL               -- of vidreview
);
"""
