"""Writing what a scan finds in one stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from vidreview.index import courses, points
from vidreview.index.looks import insert_look
from vidreview.index.rows import DetectionRow, canonical, event_columns, insert, insert_problems, real
from vidreview.index.writer import Writer

if TYPE_CHECKING:
    from vidreview.model import Coverage, Event, StreamInfo, Track, TrackLook


class StreamWriter(Writer):
    """Streams of an exhibit with their detections, tracks, events and coverage."""

    def add_stream(self, exhibit: int, info: StreamInfo) -> int:
        """Record a stream of an exhibit; its number."""
        with self._transaction() as db:
            stream = self._next(db, "streams")
            insert(
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
                duration_s=real(info.duration_s),
                info=canonical(asdict(info)),
            )
            insert_problems(db, exhibit, stream, info.problems)
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

    def add_watched(self, stream: int, first: int, first_s: float, last_s: float, frames: bytes) -> None:
        """Append what the motion gate said of some frames, as ``watched.pack`` packs it, from number ``first`` on."""
        with self._transaction() as db:
            insert(db, "watched", stream=stream, first=first, first_s=first_s, last_s=last_s, frames=frames)

    def add_tracks(
        self, stream: int, tracks: Sequence[Track], looks: Sequence[TrackLook | None] | None = None
    ) -> list[int]:
        """Append tracks of a stream, dropped ones too; the rows they are in. ``Case.number`` numbers them.

        ``looks`` are what their objects look like, in the order of ``tracks``.
        """
        with self._transaction() as db:
            first = self._next(db, "tracks")
            rows = list(range(first, first + len(tracks)))
            blobs = [points.pack(track.points) for track in tracks]
            for row, track in zip(rows, tracks, strict=True):
                start, end = track.points[0], track.points[-1]
                insert(
                    db,
                    "tracks",
                    **{"id": row, "stream": stream, "class": track.event_class, "label": track.label},
                    start_pts=int(start.pts),
                    end_pts=int(end.pts),
                    start_s=float(start.seconds),
                    end_s=float(end.seconds),
                    score=real(track.score),
                    detections=int(track.detections),
                    stationary=int(track.stationary),
                    dropped=track.dropped,
                )
            db.executemany("INSERT INTO track_points VALUES (?, ?)", zip(rows, blobs, strict=True))
            courses.add(
                db,
                stream,
                (
                    courses.Stored(
                        row, track.event_class, track.label, bool(track.stationary), track.dropped is None, blob
                    )
                    for row, track, blob in zip(rows, tracks, blobs, strict=True)
                ),
            )
            for row, one in zip(rows, looks or (), strict=looks is not None):
                if one is not None:
                    insert_look(db, row, one)
        return rows

    def add_events(self, stream: int, events: Sequence[Event], track_rows: Sequence[int]) -> None:
        """Append events of a stream, by start; they take the place of the provisional ones.

        Until ``Case.number`` numbers them they are listed as provisional themselves. ``track_rows`` are what
        ``add_tracks`` returned for the list that ``Event.tracks`` points into.
        """
        order = sorted(range(len(events)), key=lambda k: (events[k].span.start_s, events[k].span.end_s, k))
        with self._transaction() as db:
            db.execute("DELETE FROM provisional_events WHERE stream = ?", (stream,))
            for row, k in enumerate(order, self._next(db, "events")):
                columns = event_columns(stream, events[k])
                insert(db, "events", id=row, **columns)
                insert(db, "provisional_events", **columns)
                db.executemany(
                    "INSERT INTO event_tracks VALUES (?, ?, ?)",
                    [(row, position, track_rows[track]) for position, track in enumerate(events[k].tracks)],
                )

    def add_provisional(self, stream: int, events: Sequence[Event]) -> None:
        """Append events that are listed until ``add_events`` has those of the whole stream."""
        with self._transaction() as db:
            for event in events:
                insert(db, "provisional_events", **event_columns(stream, event))

    def set_coverage(self, stream: int, coverage: Coverage) -> None:
        """Record where every tick of a stream went; its problems take the place of those that were found before."""
        seconds = ("duration_s", "analysed_s", "undecodable_s", "gap_s", "not_requested_s")
        ticks = ("analysed", "undecodable", "gap", "not_requested")
        counts = ("frames_presented", "frames_damaged", "frames_missing", "detector_frames")
        values: dict[str, Any] = {name: float(getattr(coverage, name)) for name in seconds}
        values |= {name: int(getattr(coverage, name)) for name in (*ticks, *counts)}
        with self._transaction() as db:
            db.execute("DELETE FROM coverage WHERE stream = ?", (stream,))
            insert(db, "coverage", stream=stream, **values)
            db.execute("DELETE FROM problems WHERE stream = ?", (stream,))
            exhibit = db.execute("SELECT exhibit FROM streams WHERE id = ?", (stream,)).fetchone()[0]
            insert_problems(db, exhibit, stream, coverage.problems)
