"""Reading a case, never altering it: filters in SQL, answers as the plain values that ``--json`` prints.

Answers within a blink: imports neither numpy nor anything that decodes.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vidreview.errors import CaseError, UsageError
from vidreview.index import points, schema
from vidreview.index.clocks import CaseClocks
from vidreview.index.filters import EVENT_ORDERS, ORDERS, EventQuery, ItemQuery, TrackQuery, by_name
from vidreview.index.instant import Place, instant
from vidreview.index.ledger import ledger
from vidreview.index.looked import LooksReader
from vidreview.index.objects import Objects, objects
from vidreview.index.reported import Reported
from vidreview.index.reviews import current, review_fields
from vidreview.index.rows import event_name, file_name, provisional_name, track_name
from vidreview.index.search import Place as CameraPlace
from vidreview.index.search import Search
from vidreview.index.stored import STREAM, EventPlace, StoredExhibit, StoredStream, stored_stream
from vidreview.regions import Regions, case_regions

#: so many files are asked for one by one rather than by listing their folder
_FEW = 500

__all__ = ["EventPlace", "LeftOut", "Reader", "StoredExhibit", "StoredStream"]

_WHERE_FROM = "JOIN streams stream ON stream.id = item.stream JOIN exhibits exhibit ON exhibit.id = stream.exhibit"
_PLACE = "exhibit.name, exhibit.name_raw, stream.number, stream.time_base_num, stream.time_base_den"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What a list leaves out since it cannot be told whether it is meant, each a count."""

    #: what is asked for but for the wall clock, whose time is not known (rule B5)
    unknown_time: int = 0
    #: provisional events, which have no tracks yet
    provisional: int = 0
    #: tracks whose points are damaged
    uncharted: int = 0


class Reader(LooksReader):
    """A case open for reading; writes nothing into it, and sees one state of it from first query to last."""

    def __init__(self, folder: Path, db: sqlite3.Connection) -> None:
        """Use ``Reader.open``."""
        self.folder = folder
        self._db = db
        #: what was found is asked for again by what is said of it
        self._searches: dict[ItemQuery, Search] = {}

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the case in ``folder``; raises CaseError when there is none, or it cannot be read."""
        database = folder / schema.DATABASE
        try:
            there = database.is_file()
        except OSError as error:
            raise CaseError(f"cannot read the case folder {folder}: {error.strerror}") from error
        if not there:
            raise CaseError(f"no case in {folder}: run 'vidreview scan SOURCE --case {folder}' first")
        # A closed case has no log beside it: told that the file will not change, SQLite makes none either. While a scan
        # writes, or after one was killed, the log is there and must be read.
        logged = Path(f"{database}-wal").exists()
        try:
            db = sqlite3.connect(
                database.absolute().as_uri() + ("?mode=ro" if logged else "?mode=ro&immutable=1"),
                uri=True,
                isolation_level=None,
                timeout=30,
            )
        except sqlite3.Error as error:
            raise CaseError(f"cannot open {database}: {error}") from error
        reader = cls(folder, db)
        try:
            with reader._errors():
                present = schema.check_is_case(db, str(database))
                if present < len(schema.MIGRATIONS):
                    raise CaseError(
                        f"{database} is of an older version; 'vidreview scan' on the case brings it up to date"
                    )
                db.execute("BEGIN")
        except BaseException:
            db.close()
            raise
        return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def events(self, query: EventQuery | None = None) -> list[dict[str, Any]]:
        """Events in the form of ``vidreview events --json``, provisional ones included."""
        query = query or EventQuery()
        columns = (
            f"item.id, item.stream, {_PLACE}, exhibit.sha256, exhibit.reference, item.class, item.label, "
            "item.start_pts, item.end_pts, item.start_s, item.end_s, item.peak_s, item.max_count, item.score, "
        )
        table, last = ("numbered_events", "0") if self._settled(query) else ("all_events", "item.provisional")
        found = self._items(table, columns + last, query, EVENT_ORDERS)
        numbers = [item[0] for item in found if not item[-1]]
        stills, members, reviews = self._stills(numbers), self._members(numbers), current(self._select, numbers)
        clocks = self.clocks()
        result = []
        for number, place, name, raw, stream, num, den, *rest in found:
            sha256, reference, kind, label, start, end, start_s, end_s, peak_s, count, score, provisional = rest
            result.append(
                {
                    "id": provisional_name(number) if provisional else event_name(number),
                    "exhibit": file_name(name, raw),
                    "exhibit_sha256": sha256,
                    "reference": reference,
                    "stream": stream,
                    "class": kind,
                    "label": label,
                    "start_pts": start,
                    "end_pts": end,
                    "time_base": f"{num}/{den}",
                    "start_s": round(start_s, 6),
                    "end_s": round(end_s, 6),
                    **clocks.times(place, start_s, end_s),
                    "peak_s": round(peak_s, 6),
                    "max_count": count,
                    "tracks": [] if provisional else members.get(number, []),
                    "score": None if score is None else round(score, 6),
                    "still": None if provisional else stills.get(number),
                    **review_fields(None if provisional else reviews.get(number)),
                    "provisional": bool(provisional),
                }
            )
        return result

    def tracks(self, query: TrackQuery | None = None) -> Iterator[dict[str, Any]]:
        """Tracks in the form of ``vidreview tracks --json``; ``dropped`` too when those are asked for."""
        query = query or TrackQuery()
        clocks = self.clocks()
        columns = (
            f"item.id, item.stream, {_PLACE}, item.class, item.start_pts, item.end_pts, item.start_s, item.end_s, "
            "item.score, item.detections, item.dropped, item.row"
        )
        for number, place, name, raw, stream, num, den, kind, start, end, start_s, end_s, score, *rest in self._items(
            "numbered_tracks", columns, query, ORDERS
        ):
            detections, dropped, row = rest
            course = self._points(row)  # one at a time: those of a whole case may not fit in memory
            item = {
                "id": track_name(number),
                "exhibit": file_name(name, raw),
                "stream": stream,
                "class": kind,
                "start_pts": start,
                "end_pts": end,
                "time_base": f"{num}/{den}",
                "start_s": round(start_s, 6),
                "end_s": round(end_s, 6),
                **clocks.times(place, start_s, end_s),
                "score": None if score is None else round(score, 6),
                "detections": detections,
                "first_box": _box(course[0].box),
                "last_box": _box(course[-1].box),
                "path": [[round(point.seconds, 6), *_box(point.box)] for point in course],
            }
            if query.with_dropped:
                item["dropped"] = dropped
            yield item

    def track_rows(self, query: TrackQuery) -> Iterator[dict[str, Any]]:
        """Tracks without their points, with ``label`` and ``dropped``: what a table shows."""
        columns = (
            "item.id, exhibit.name, exhibit.name_raw, stream.number, item.class, item.label, item.start_s, item.end_s, "
            "item.score, item.detections, item.stationary, item.dropped"
        )
        names = (
            "number",
            "stream",
            "class",
            "label",
            "start_s",
            "end_s",
            "score",
            "detections",
            "stationary",
            "dropped",
        )
        for number, name, raw, *rest in self._items("numbered_tracks", columns, query, ORDERS):
            yield {"exhibit": file_name(name, raw)} | dict(zip(names, (number, *rest), strict=True))

    def left_out(self, query: ItemQuery) -> LeftOut:
        """What a query does not list since it cannot be told whether it is meant; cheap where there is none of it."""
        if not query.by_course:
            return LeftOut()
        table = "numbered_tracks" if isinstance(query, TrackQuery) else "numbered_events"
        unknown = 0
        if query.wall is not None:
            search = self._search(query)
            rows = set(search.of_unknown_time()) - set(search.tracks())
            ordered = replace(query, limit=None, order="number")
            if rows:
                kept = self._listed(table, ordered, search.tracks()) if table == "numbered_events" else set()
                unknown = len(self._listed(table, ordered, list(rows)) - kept)
        ((provisional,),) = self._select("SELECT count(*) FROM provisional_events")
        ((uncharted,),) = self._select("SELECT (SELECT count(*) FROM tracks) - (SELECT count(*) FROM courses)")
        return LeftOut(unknown, 0 if isinstance(query, TrackQuery) else provisional, max(0, uncharted))

    def regions(self, file: Path | None = None) -> Regions:
        """The regions of ``file``, else those of the case folder."""
        return case_regions(self.folder, file)

    def places_of_cameras(self, query: ItemQuery | None = None, file: Path | None = None) -> list[CameraPlace]:
        """The streams that a query's exhibits, streams and cameras leave, each with its camera by ``regions``."""
        return Search(self._select, query or ItemQuery(), self.regions(file)).places

    def clocks(self) -> CaseClocks:
        """What people observed of the recorders' clocks, and what follows for each stream."""
        return CaseClocks(self._select)

    def reported(self) -> Reported:
        """What a report needs besides the events."""
        return Reported(self._select)

    def track_points(self, number: int) -> list[points.StoredPoint]:
        """The points of the track of this number."""
        rows = self._select("SELECT id FROM tracks WHERE number = ?", [number])
        return self._points(rows[0][0]) if rows else []

    def _points(self, row: int) -> list[points.StoredPoint]:
        rows = self._select("SELECT points FROM track_points WHERE track = ?", [row])
        return points.unpack(rows[0][0]) if rows else []

    def coverage(self, exhibits: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The ledger in the form of ``vidreview coverage --json``; see ``ledger``."""
        return ledger(self._select, exhibits)

    def why(self, exhibit: str, stream: int | None, seconds: float) -> dict[str, Any]:
        """What was seen at an instant of a stream, in the form of ``vidreview why --json``; see ``instant``.

        Raises UsageError when no such stream was scanned, several match, or it is not that long.
        """
        clause, values = by_name([exhibit])
        rows = self._select(
            "SELECT exhibit.id, exhibit.name, exhibit.name_raw, stream.id, stream.number, c.duration_s "
            "FROM exhibits exhibit JOIN streams stream ON stream.exhibit = exhibit.id "
            f"JOIN coverage c ON c.stream = stream.id WHERE {clause} ORDER BY exhibit.id, stream.number",
            values,
        )
        rows = [row for row in rows if stream is None or row[4] == stream]
        if not rows:
            raise UsageError(f"no stream of {exhibit!r} was scanned; see 'vidreview coverage'")
        if len(rows) > 1:
            names = ", ".join(f"{file_name(*row[1:3])} stream {row[4]}" for row in rows[:5])
            raise UsageError(f"{exhibit!r} is {len(rows)} streams ({names}); name one exhibit, and give --stream")
        number, name, raw, place, index, length = rows[0]
        if seconds > length:
            raise UsageError(f"{exhibit!r} stream {index} is {length:.3f} s long, so {seconds:g} s is not in it")
        told = instant(self._select, Place(number, place), seconds)
        times = self.clocks().times(place, seconds, seconds)
        return {"exhibit": file_name(name, raw), "stream": index} | told | times

    def places(self, numbers: Sequence[int] | None = None) -> list[EventPlace]:
        """Where events lie, in order of number; of all events when ``numbers`` is None."""
        query = EventQuery(numbers=tuple(numbers)) if numbers is not None else EventQuery()
        if numbers is not None and not numbers:
            return []
        columns = (
            "item.id, item.start_pts, item.end_pts, item.peak_pts, item.start_s, item.end_s, item.peak_s, item.row, "
            f"{STREAM}"
        )
        result = []
        for number, start, end, peak, start_s, end_s, peak_s, row, *stream in self._items(
            "numbered_events", columns, query, {"start": "item.id"}
        ):
            first_frame, last_frame, peak_frame = self._frames(number, row, peak_s)
            result.append(
                EventPlace(
                    number=number,
                    stream=stored_stream(*stream),
                    start_pts=start,
                    end_pts=end,
                    peak_pts=peak,
                    start_s=start_s,
                    end_s=end_s,
                    peak_s=peak_s,
                    first_frame=first_frame,
                    last_frame=last_frame,
                    peak_frame=peak_frame,
                )
            )
        return result

    def streams(self, exhibits: Sequence[str]) -> list[StoredStream]:
        """The streams of exhibits that were scanned, by name or pattern."""
        clause, values = by_name(exhibits)
        rows = self._select(
            f"SELECT {STREAM} FROM exhibits exhibit JOIN streams stream ON stream.exhibit = exhibit.id "
            f"WHERE {clause} ORDER BY exhibit.id, stream.number",
            values,
        )
        return [stored_stream(*row) for row in rows]

    def objects(self, stream: StoredStream, start_s: float, end_s: float) -> Objects:
        """All that was seen in a stretch of a stream, by the seconds of its time line."""
        return objects(self._select, stream.row, start_s, end_s)

    def duplicates(self) -> dict[Path, Path]:
        """Files that were not scanned, since their content is that of another → that other file."""
        rows = self._select(
            "SELECT copy.path, copy.path_raw, first.path, first.path_raw FROM exhibits copy "
            "JOIN exhibits first ON first.id = copy.duplicate_of WHERE copy.state = 'duplicate'"
        )
        return {Path(file_name(*row[:2])): Path(file_name(*row[2:])) for row in rows}

    def exhibit_names(self) -> list[str]:
        """The names of all exhibits, those that could not be read too, in order."""
        rows = self._select("SELECT name, name_raw FROM exhibits ORDER BY id")
        return [file_name(name, raw) for name, raw in rows]

    def numbers(self, table: str) -> tuple[int, int, int]:
        """How many ``events`` or ``tracks`` there are, the lowest number and the highest."""
        query = {
            name: f"SELECT count(*), min(number), max(number) FROM {name} WHERE number IS NOT NULL"
            for name in ("events", "tracks")
        }[table]
        count, lowest, highest = self._select(query)[0]
        return count, lowest or 0, highest or 0

    def footage(self) -> tuple[float, float, int]:
        """Seconds analysed, seconds of all streams, and how many exhibits could not be read or were not finished."""
        analysed, total = self._select(
            "SELECT coalesce(sum(analysed_s), 0), coalesce(sum(duration_s), 0) FROM coverage"
        )[0]
        left = self._select("SELECT count(*) FROM exhibits WHERE state IN ('failed', 'running', 'pending')")[0][0]
        return analysed, total, left

    def _frames(self, number: int, row: int, peak_s: float) -> tuple[int, int, int]:
        course: list[tuple[float, int]] = []
        for (blob,) in self._select(
            "SELECT points FROM track_points JOIN event_tracks USING (track) WHERE event = ?", [row]
        ):
            found = points.columns(blob)
            course += zip(found.seconds, found.frame, strict=True)
        if not course:
            raise CaseError(f"event {event_name(number)} has no track in case.db; run 'vidreview verify'")
        peak = min(course, key=lambda place: (abs(place[0] - peak_s), place))[1]
        frames = [frame for _, frame in course]
        return min(frames), max(frames), peak

    def _settled(self, query: EventQuery) -> bool:
        """True when no provisional event is listed: there is none, or the query asks for tracks: they have none."""
        return query.by_course or not self._select("SELECT EXISTS (SELECT 1 FROM provisional_events)")[0][0]

    def _members(self, events: Sequence[int]) -> dict[int, list[str]]:
        """Events by number → their tracks, as people see them."""
        members: dict[int, list[str]] = {}
        for event, track in self._select(
            "SELECT e.number, t.number FROM json_each(?) v JOIN events e ON e.number = v.value "
            "JOIN event_tracks m ON m.event = e.id JOIN tracks t ON t.id = m.track ORDER BY e.number, m.position",
            [json.dumps(events)],
        ):
            members.setdefault(event, []).append(track_name(track))
        return members

    def _stills(self, events: Sequence[int]) -> dict[int, str]:
        if len(events) < _FEW:
            named = {number: f"stills/{event_name(number)}.png" for number in events}
            return {number: name for number, name in named.items() if os.path.lexists(self.folder / name)}
        with contextlib.suppress(OSError):
            names = os.listdir(self.folder / "stills")  # noqa: PTH208 - one call instead of an object per file
            return {
                int(n[1:-4]): f"stills/{n}" for n in names if n[:1] == "E" and n[-4:] == ".png" and n[1:-4].isdigit()
            }
        return {}

    def _items(self, table: str, columns: str, query: ItemQuery, orders: dict[str, str]) -> list[tuple[Any, ...]]:
        where, values = self._where(table, query)
        limit = -1 if query.limit is None else query.limit
        statement = (
            f"SELECT {columns} FROM {table} item {_WHERE_FROM} WHERE {where} ORDER BY {orders[query.order]} LIMIT ?"
        )
        return self._select(statement, [*values, limit])

    def _listed(self, table: str, query: ItemQuery, tracks: Sequence[int]) -> set[int]:
        """The numbers of what a query lists of these tracks."""
        where, values = self._where(table, query, tracks)
        return {row[0] for row in self._select(f"SELECT item.id FROM {table} item {_WHERE_FROM} WHERE {where}", values)}

    def _where(self, table: str, query: ItemQuery, tracks: Sequence[int] | None = None) -> tuple[str, list[Any]]:
        """A query as SQL over a table and its values; ``tracks`` are those it asks for by their courses."""
        # a provisional event has a number of its own kind: what people said of the event of that number is not of it
        review_of = "iif(item.provisional, NULL, item.id)" if table == "all_events" else "item.id"
        where, values = query.where(review_of)
        if tracks is None and query.by_course:
            tracks = self._search(query).tracks()
        if tracks is not None:
            rows = "SELECT value FROM json_each(?)"
            if table != "numbered_tracks":
                rows = f"SELECT event FROM event_tracks WHERE track IN ({rows})"
            where += f" AND item.row IN ({rows})"
            values.append(json.dumps(tracks))
        elif query.cameras:
            where += " AND item.stream IN (SELECT value FROM json_each(?))"
            values.append(json.dumps([place.stream for place in self._search(query).places]))
        return where, values

    def _search(self, query: ItemQuery) -> Search:
        if query not in self._searches:
            needed = query.cameras or query.geometric
            regions = self.regions(query.regions_file) if needed else Regions()
            self._searches[query] = Search(self._select, query, regions)
        return self._searches[query]

    def stream(self, statement: str, values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a query one after the other, for those that do not fit in memory."""
        with self._errors():
            cursor = self._db.execute(statement, values)
            while rows := cursor.fetchmany(1000):
                yield from rows

    def select(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query, for the modules that read a part of the case of their own."""
        return self._select(statement, values)

    def _select(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._errors():
            return self._db.execute(statement, values).fetchall()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # a log of unfinished writing cannot be read in a folder where SQLite may make no file
            locked = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN"))
            hint = "if the folder is read-only, copy it and read the copy" if locked else "name another --case folder"
            raise CaseError(f"cannot read the case {self.folder}: {error}; {hint}") from error


def _box(box: tuple[float, float, float, float]) -> list[float]:
    return [round(side, 3) for side in box]
