"""Tracks by their courses: found by index, then tested exactly against the points of those that could be meant.

The table ``courses`` gives what is in view during a span of its stream by seeking, and leaves out what never was in a
cell of the picture that a shape touches. What was in a cell that lies wholly in a region was in it; for the rest the
points are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vidreview.errors import CaseError
from vidreview.index.clocks import CaseClocks, on_line
from vidreview.index.courses import Picture, packed
from vidreview.index.filters import ItemQuery, TrackQuery, by_name, matches_name
from vidreview.index.rows import file_name
from vidreview.index.spans import Span, When, holds, when, within
from vidreview.regions import Camera, Regions
from vidreview.shapes import Corner, Drawn, upright_size

if TYPE_CHECKING:
    from vidreview.index.geometry import Flags, Floats, Ways

Select = Callable[..., list[tuple[Any, ...]]]

_FAR: Final = 1 << 62
_ALWAYS: Final[tuple[Span, ...]] = ((-_FAR, _FAR),)
#: courses whose points are tested together, and bytes of those as stored: enough to be quick, few enough to be small,
#: since what stood there all day has a million points, and an array of them takes ten times what is stored
_TOGETHER: Final = 2000
_TOGETHER_BYTES: Final = 4 << 20
_EXTENTS: Final = "c.left_x, c.top_y, c.right_x, c.bottom_y, c.first_x, c.first_y, c.last_x, c.last_y"
_TOUCHES: Final = "((c.cells1 & ?) | (c.cells2 & ?) | (c.cells3 & ?) | (c.cells4 & ?)) != 0"


@dataclass(frozen=True, slots=True)
class Place:
    """A stream of the case, and the camera it is of."""

    stream: int
    exhibit: str
    number: int
    picture: Picture
    #: seconds, for how far its clock is looked at
    duration: float
    camera: Camera | None
    camera_name: str


@dataclass(frozen=True, slots=True)
class Shapes:
    """What is asked for of one stream's picture, as corners in its upright picture; None where nothing is."""

    regions: tuple[tuple[Corner, ...], ...] | None
    lines: tuple[tuple[Corner, ...], ...] | None
    path: tuple[tuple[Corner, ...], tuple[Corner, ...]] | None


class Candidate(NamedTuple):
    """A track that may be meant."""

    track: int
    start_s: float
    end_s: float
    #: of its foot, in the upright picture: least x and y, greatest x and y, first x and y, last x and y
    extents: tuple[float, ...]
    #: it was in a cell that lies wholly in one of the regions
    in_region: bool


class Search:
    """Finds tracks of a case by a query."""

    def __init__(self, select: Select, query: ItemQuery, regions: Regions) -> None:
        """``select`` runs a query on the case and gives its rows."""
        self._select = select
        self._query = query
        self._regions = regions
        self._cells: dict[tuple[Picture, tuple[Corner, ...]], tuple[int, int]] = {}
        self._when: dict[int, When] = {}

    @cached_property
    def places(self) -> list[Place]:
        """The streams that the query's exhibits, streams and cameras leave."""
        found = self.all_places(self._query.exhibits)
        query = self._query
        if query.streams:
            found = [place for place in found if place.number in query.streams]
        if query.cameras:
            found = [
                place for place in found if any(matches_name(place.camera_name, pattern) for pattern in query.cameras)
            ]
        return found

    def all_places(self, exhibits: Sequence[str] = ()) -> list[Place]:
        """All streams of exhibits of a name or pattern, with their cameras."""
        clause, values = by_name(exhibits)
        rows = self._select(
            "SELECT stream.id, exhibit.id, exhibit.name, exhibit.name_raw, exhibit.path, exhibit.path_raw, "
            "stream.number, stream.width, stream.height, stream.rotation, "
            "max(coalesce(stream.duration_s, 0), coalesce(c.duration_s, 0)) FROM exhibits exhibit "
            "JOIN streams stream ON stream.exhibit = exhibit.id LEFT JOIN coverage c ON c.stream = stream.id "
            f"WHERE {clause} ORDER BY exhibit.id, stream.number",
            values,
        )
        several = {rows[k][1] for k in range(1, len(rows)) if rows[k][1] == rows[k - 1][1]}
        found = []
        for stream, exhibit, name, raw, path, path_raw, number, width, height, rotation, duration in rows:
            shown = file_name(name, raw)
            where = Path(file_name(path, path_raw))
            camera = self._regions.camera(shown, where, number)
            called = camera.name if camera else f"{shown}#{number}" if exhibit in several else shown
            picture = Picture(width, height, rotation)
            found.append(Place(stream, shown, number, picture, duration, camera, called))
        return found

    def tracks(self) -> list[int]:
        """The rows of all tracks that the query asks for, by their courses."""
        return self._tracks

    @cached_property
    def _tracks(self) -> list[int]:
        return [
            track
            for place in self.places
            for track in self._of(place, self._spans(place, self.when(place).matching if self._query.wall else _ALWAYS))
        ]

    def of_unknown_time(self) -> list[int]:
        """The rows of tracks that all but the wall clock asks for, in view while nobody knows what it showed."""
        if self._query.wall is None:
            return []
        return [
            track for place in self.places for track in self._of(place, self._spans(place, self.when(place).unknown))
        ]

    def when(self, place: Place) -> When:
        """When in a stream its wall clock may have shown what is asked for."""
        wall = self._query.wall
        assert wall is not None
        if place.stream not in self._when:
            until = on_line(place.duration) + 1
            self._when[place.stream] = when(self._clocks.stream(place.stream), wall, until)
        return self._when[place.stream]

    @cached_property
    def _clocks(self) -> CaseClocks:
        return CaseClocks(self._select)

    def _spans(self, place: Place, spans: Sequence[Span]) -> Sequence[Span]:
        since, until = self._query.since_s, self._query.until_s
        low = -_FAR if since is None else on_line(min(since, 1e12))
        high = _FAR if until is None else on_line(min(until, 1e12))
        return within(spans, low, high)

    # ---- one stream

    def _of(self, place: Place, spans: Sequence[Span]) -> Iterator[int]:
        shapes = self.shapes(place)
        if shapes is None or not spans:
            return
        candidates = self._candidates(place, spans, shapes)
        if not self._query.geometric:
            yield from (one.track for one in candidates)
            return
        found, unsure = self._decided(spans, shapes, candidates)
        yield from found
        for together in self._batches(unsure):
            yield from self._tested(place, spans, shapes, together)

    def shapes(self, place: Place) -> Shapes | None:
        """The query's shapes on a stream's picture; None when its camera has none of that name."""
        query = self._query
        regions = self._corners(place, query.regions, "regions")
        lines = self._corners(place, query.crosses, "lines")
        path = self._corners(place, query.path or (), "regions")
        if (query.regions and not regions) or (query.crosses and not lines) or (query.path and len(path) < 2):
            return None
        return Shapes(
            tuple(regions) if query.regions else None,
            tuple(lines) if query.crosses else None,
            (path[0], path[1]) if query.path else None,
        )

    @staticmethod
    def _corners(place: Place, shapes: Sequence[str | Drawn], kind: str) -> list[tuple[Corner, ...]]:
        picture = place.picture
        size = (picture.width, picture.height, picture.rotation)
        found = []
        for shape in shapes:
            if isinstance(shape, Drawn):
                found.append(shape.on(*upright_size(*size)))
            elif place.camera is not None and shape in (named := getattr(place.camera, kind)):
                found.append(place.camera.corners(named[shape], *size))
        return found

    @property
    def _dwells(self) -> bool:
        return self._query.min_dwell_s is not None or self._query.max_dwell_s is not None

    def _candidates(self, place: Place, spans: Sequence[Span], shapes: Shapes) -> list[Candidate]:
        """Tracks of a stream in view during the spans that led through the cells of all that is asked for."""
        clause, values = self._query.of_courses()
        if not (isinstance(self._query, TrackQuery) and self._query.with_dropped):
            clause += " AND c.used"
        touched, whole = self._masks(place.picture, shapes)
        for cells in touched:
            clause += f" AND {_TOUCHES}"
            values += packed(cells)
        columns = f"c.track, c.start_s, c.end_s, {_EXTENTS}, {_TOUCHES}"
        sure = list(packed(whole))
        if spans[0][0] <= -_FAR and spans[0][1] >= _FAR:
            rows = self._select(
                f"SELECT {columns} FROM courses c WHERE c.stream = ? AND {clause}", [*sure, place.stream, *values]
            )
            return [_candidate(row) for row in rows]
        ((longest,),) = self._select("SELECT coalesce(max(reach), -1) FROM courses WHERE stream = ?", [place.stream])
        found: dict[int, Candidate] = {}
        for begin, end in spans:
            # a track of reach r that is in view at the begin has begun at most 2^r seconds before
            since, until = (begin - 0.5) / 1e6, (end + 0.5) / 1e6
            rows = self._select(
                f"SELECT {columns} FROM json_each(?) r CROSS JOIN courses c WHERE c.stream = ? AND c.reach = r.value "
                f"AND c.start_s >= ? - (1 << r.value) AND c.start_s <= ? AND c.end_s >= ? AND {clause}",
                [*sure, json.dumps(list(range(longest + 1))), place.stream, since, until, since, *values],
            )
            found |= {row[0]: _candidate(row) for row in rows}
        return list(found.values())

    def _masks(self, picture: Picture, shapes: Shapes) -> tuple[list[int], int]:
        """Sets of cells of each of which a course must touch one, and those that lie wholly in a region."""
        touched: list[int] = []
        whole = 0
        if shapes.regions is not None:
            found = [self._region_cells(picture, corners) for corners in shapes.regions]
            touched.append(_either(cells for cells, _ in found))
            whole = _either(cells for _, cells in found)
        if shapes.lines is not None:
            from vidreview.index.geometry import line_cells

            touched.append(_either(line_cells(points, picture) for points in shapes.lines))
        touched += [self._region_cells(picture, corners)[0] for corners in shapes.path or ()]
        return touched, whole

    def _region_cells(self, picture: Picture, corners: tuple[Corner, ...]) -> tuple[int, int]:
        from vidreview.index.geometry import region_cells

        key = picture, corners
        if key not in self._cells:
            self._cells[key] = region_cells(corners, picture)
        return self._cells[key]

    def _decided(
        self, spans: Sequence[Span], shapes: Shapes, candidates: Sequence[Candidate]
    ) -> tuple[list[int], list[Candidate]]:
        """Tracks of which it is certain already, by cells, extents and ends, and candidates of which it is open."""
        import numpy as np

        from vidreview.index.geometry import beside, inside

        if not candidates:
            return [], []
        extents = np.array([one.extents for one in candidates], float)
        box, first, last = extents[:, :4], extents[:, 4:6], extents[:, 6:8]
        possible: Flags = np.ones(len(candidates), bool)
        certain: Flags = np.zeros(len(candidates), bool)
        if shapes.regions is not None:
            near: Flags = np.zeros(len(candidates), bool)
            for corners in shapes.regions:
                # an end in it; or no side of it meets the extents, so that they lie in it with that end or apart
                ends = inside(first, corners) | inside(last, corners)
                near |= ends | ~beside(box, corners, closed=True)
                certain |= ends
            certain |= np.array([one.in_region for one in candidates], bool)
            possible &= near
        if shapes.lines is not None:
            possible &= ~np.all([beside(box, points, closed=False) for points in shapes.lines], axis=0)
        for corners in shapes.path or ():
            possible &= inside(first, corners) | ~beside(box, corners, closed=True)
        if shapes.lines is not None or shapes.path is not None or self._dwells:
            certain[:] = False
        found: list[int] = []
        unsure: list[Candidate] = []
        for k in np.flatnonzero(possible).tolist():
            one = candidates[k]
            if certain[k] and holds(spans, on_line(one.start_s), on_line(one.end_s)):
                found.append(one.track)
            else:
                unsure.append(one)
        return found, unsure

    # ---- the exact test

    def _batches(self, candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
        """Candidates whose points fit into memory together; one alone whatever it takes."""
        for k in range(0, len(candidates), _TOGETHER):
            some = candidates[k : k + _TOGETHER]
            sizes: dict[int, int] = dict(
                self._select(
                    "SELECT track, length(points) FROM json_each(?) v JOIN track_points ON track = v.value",
                    [json.dumps([one.track for one in some])],
                )
            )
            batch: list[Candidate] = []
            size = 0
            for one in some:
                if batch and size + sizes.get(one.track, 0) > _TOGETHER_BYTES:
                    yield batch
                    batch, size = [], 0
                batch.append(one)
                size += sizes.get(one.track, 0)
            if batch:
                yield batch

    def _tested(
        self, place: Place, spans: Sequence[Span], shapes: Shapes, candidates: Sequence[Candidate]
    ) -> list[int]:
        """Those candidates whose points pass every test."""
        from vidreview.index import geometry

        ids = [one.track for one in candidates]
        blobs: dict[int, bytes] = dict(
            self._select(
                "SELECT track, points FROM json_each(?) v JOIN track_points ON track = v.value", [json.dumps(ids)]
            )
        )
        if len(blobs) < len(ids):
            raise CaseError("tracks of case.db have lost their points; run 'vidreview verify'")
        found = geometry.ways([blobs[track] for track in ids], place.picture)
        begin, end = on_line(min(one.start_s for one in candidates)), on_line(max(one.end_s for one in candidates))
        seconds = geometry.in_seconds(within(spans, begin, end))
        parts = [found]
        if not all(holds(spans, on_line(one.start_s), on_line(one.end_s)) for one in candidates):
            parts = [geometry.clipped(found, span) for span in seconds]
        passed = self._pass(parts, shapes)
        if shapes.lines is not None:
            passed &= self._crossed(found, shapes.lines, seconds)
        return [track for track, good in zip(ids, passed, strict=True) if good]

    def _pass(self, parts: Sequence[Ways], shapes: Shapes) -> Flags:
        import numpy as np

        from vidreview.index import geometry

        passed: Flags = np.ones(parts[0].count, bool)
        if shapes.regions is not None:
            good: Flags = np.zeros(parts[0].count, bool)
            for corners in shapes.regions:
                visited = np.any([geometry.visits(part, corners) for part in parts], axis=0)
                if self._dwells:
                    visited &= self._dwelt(np.sum([geometry.dwell(part, corners) for part in parts], axis=0))
                good |= visited
            passed &= good
        if shapes.path is not None:
            begin, end = ([geometry.first_and_last(part, corners) for part in parts] for corners in shapes.path)
            first = np.min([one for one, _ in begin], axis=0)
            passed &= first < np.max([other for _, other in end], axis=0)
        return passed

    def _dwelt(self, seconds: Floats) -> Flags:
        import numpy as np

        # stream times are rounded to the microsecond, and sums of them to less
        low = -np.inf if self._query.min_dwell_s is None else self._query.min_dwell_s - 1e-6
        high = np.inf if self._query.max_dwell_s is None else self._query.max_dwell_s + 1e-6
        return (seconds >= low) & (seconds <= high)

    def _crossed(
        self, found: Ways, lines: Sequence[tuple[Corner, ...]], seconds: Sequence[tuple[float, float]]
    ) -> Flags:
        import numpy as np

        from vidreview.index import geometry

        passed: Flags = np.zeros(found.count, bool)
        for points in lines:
            rightwards, leftwards = geometry.crossings(found, points, seconds)
            if self._query.direction != "right-to-left":
                passed |= rightwards
            if self._query.direction != "left-to-right":
                passed |= leftwards
        return passed


def _candidate(row: tuple[Any, ...]) -> Candidate:
    track, start_s, end_s, *extents, in_region = row
    return Candidate(track, start_s, end_s, tuple(extents), bool(in_region))


def _either(cells: Iterator[int]) -> int:
    found = 0
    for one in cells:
        found |= one
    return found
