"""A track's course in a row that can be searched: where in the picture it led, which way, how fast, how large.

Everything in it follows from the track's stored points, in the upright picture (see ``vidreview.shapes``), so it is
computed again to check it. What stands for an object's place is its foot: the middle of its box's lower side, kept
inside the picture. Between two points the foot is taken to move straight and evenly.
"""

from __future__ import annotations

import math
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from statistics import median
from typing import Any, Final, NamedTuple, Protocol

from vidreview.errors import CaseError
from vidreview.index import points
from vidreview.shapes import Box, upright_box, upright_size

#: cells in a row and in a column of the grid that is laid over every picture
GRID: Final = 16
#: rows of cells in one integer of 64 bits
_ROWS: Final = 4
#: in cells: how close to a cell's edge counts as in it; ``search`` allows for a thousand times as much
_EDGE: Final = 1e-6
#: an object stands as long as its foot stays within so much of its own height, both ways
STANDS_WITHIN: Final = 0.25
#: it has a heading when it went at least so many times its own height
WENT: Final = 0.5
#: seconds over which speed is measured, and the shortest course that has one
_SPEED_OVER, _SHORTEST = 1.0, 0.2

TABLE: Final = """
-- follows from track_points, so it is not sealed: vidreview verify computes it again. Clustered so that what is in view
-- during a span is found by seeking: a track of reach r lasts at most 2^r seconds
CREATE TABLE courses (
    stream INTEGER NOT NULL REFERENCES streams(id) ON DELETE CASCADE,
    reach INTEGER NOT NULL,
    start_s REAL NOT NULL,
    track INTEGER NOT NULL,
    end_s REAL NOT NULL,
    class TEXT NOT NULL,
    label TEXT NOT NULL,
    used INTEGER NOT NULL,              -- it is part of an event
    -- a bit for each of 16 x 16 cells of the upright picture that its foot was in, four rows to an integer
    cells1 INTEGER NOT NULL, cells2 INTEGER NOT NULL, cells3 INTEGER NOT NULL, cells4 INTEGER NOT NULL,
    -- of its foot: least and greatest, first and last
    left_x REAL NOT NULL, top_y REAL NOT NULL, right_x REAL NOT NULL, bottom_y REAL NOT NULL,
    first_x REAL NOT NULL, first_y REAL NOT NULL, last_x REAL NOT NULL, last_y REAL NOT NULL,
    heading REAL,                       -- degrees, clockwise from up; NULL when it went nowhere
    speed REAL,                         -- the greatest over a second, own heights per second; NULL when too short
    standing_s REAL NOT NULL,           -- the longest that it stood
    stands INTEGER NOT NULL,            -- it stood from first to last
    width REAL NOT NULL, height REAL NOT NULL, area REAL NOT NULL, -- at its largest, pixels
    PRIMARY KEY (stream, reach, start_s, track)
) WITHOUT ROWID;
"""


class Placed(Protocol):
    """What a course needs of a point."""

    @property
    def seconds(self) -> float:
        """From the stream's first presented frame."""

    @property
    def box(self) -> Box:
        """In the stored picture, xyxy."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The stored picture of a stream, and how players turn it."""

    width: int
    height: int
    #: clockwise degrees
    rotation: int = 0

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as players show it, at least 1."""
        width, height = upright_size(self.width, self.height, self.rotation)
        return max(1, width), max(1, height)


@dataclass(frozen=True, slots=True)
class Course:
    """What a row of ``courses`` says besides whose it is."""

    cells1: int
    cells2: int
    cells3: int
    cells4: int
    left_x: float
    top_y: float
    right_x: float
    bottom_y: float
    first_x: float
    first_y: float
    last_x: float
    last_y: float
    heading: float | None
    speed: float | None
    standing_s: float
    stands: int
    width: float
    height: float
    area: float


_NAMES: Final = (
    "stream",
    "reach",
    "start_s",
    "track",
    "end_s",
    "class",
    "label",
    "used",
    *(f.name for f in fields(Course)),
)
#: in the order of ``row``
COLUMNS: Final = ", ".join(_NAMES)
_INSERT: Final = f"INSERT INTO courses ({COLUMNS}) VALUES ({', '.join('?' * len(_NAMES))})"


def reach(seconds: float) -> int:
    """The least whole r of 0 or more for which so many seconds are at most 2^r."""
    mantissa, exponent = math.frexp(max(seconds, 1.0))
    return exponent - 1 if mantissa == 0.5 else exponent


def course(track: Sequence[Placed], picture: Picture, stationary: bool) -> Course:
    """The course of a track with one point or more; ``stationary`` is what the tracker says of it."""
    width, height = map(float, picture.upright)
    boxes = [upright_box(point.box, picture.width, picture.height, picture.rotation) for point in track]
    times = [point.seconds for point in track]
    feet = [(min(max((x1 + x2) / 2, 0.0), width), min(max(y2, 0.0), height)) for x1, _, x2, y2 in boxes]
    heights = [y2 - y1 for _, y1, _, y2 in boxes]
    own = max(median(heights), 1e-9)
    standing = _standing(feet, times, STANDS_WITHIN * own)
    return Course(
        *packed(_cells([(x * GRID / width, y * GRID / height) for x, y in feet])),
        min(x for x, _ in feet),
        min(y for _, y in feet),
        max(x for x, _ in feet),
        max(y for _, y in feet),
        *feet[0],
        *feet[-1],
        _heading(feet, own),
        _speed(feet, times, heights),
        standing,
        int(stationary or standing >= times[-1] - times[0]),
        max(x2 - x1 for x1, _, x2, _ in boxes),
        max(heights),
        max((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes),
    )


def packed(cells: int) -> tuple[int, int, int, int]:
    """A bit for each of 16 × 16 cells, row after row, as four signed integers of 64 bits."""
    bits = GRID * _ROWS
    parts = [cells >> bits * k & (1 << bits) - 1 for k in range(4)]
    one, two, three, four = (part - (1 << bits) if part >> bits - 1 else part for part in parts)
    return one, two, three, four


def _cells(feet: Sequence[tuple[float, float]]) -> int:
    """All cells that a course, in units of cells, leads through; one that it passes closer than ``_EDGE`` too."""
    found = _cells_between(feet[0], feet[0])
    for k in range(1, len(feet)):
        found |= _cells_between(feet[k - 1], feet[k])
    return found


def _cells_between(start: tuple[float, float], end: tuple[float, float]) -> int:
    (x0, y0), (x1, y1) = (start, end) if start[0] <= end[0] else (end, start)
    found = 0
    for column in range(_index(x0 - _EDGE), _index(x1 + _EDGE) + 1):
        low, high = max(x0, column - _EDGE), min(x1, column + 1 + _EDGE)
        if x1 - x0 < _EDGE or high <= low:
            ends = (y0, y1)
        else:
            ends = tuple(y0 + (y1 - y0) * (x - x0) / (x1 - x0) for x in (low, high))  # type: ignore[assignment]
        for row in range(_index(min(ends) - _EDGE), _index(max(ends) + _EDGE) + 1):
            found |= 1 << row * GRID + column
    return found


def _index(at: float) -> int:
    return min(GRID - 1, max(0, int(at)))


def _heading(feet: Sequence[tuple[float, float]], own: float) -> float | None:
    """From first to last; to a hundredth of a degree, since machines differ in the last digit of a tangent."""
    x, y = feet[-1][0] - feet[0][0], feet[-1][1] - feet[0][1]
    if math.sqrt(x * x + y * y) < WENT * own:
        return None
    return round(math.degrees(math.atan2(x, -y)) % 360, 2) % 360


def _speed(feet: Sequence[tuple[float, float]], times: Sequence[float], heights: Sequence[float]) -> float | None:
    """The greatest displacement over a second or the least time above it, in the larger of the heights at its ends."""
    span = min(_SPEED_OVER, times[-1] - times[0])
    if span < _SHORTEST:
        return None
    greatest, end = 0.0, 0
    for begin in range(len(feet)):
        while end < len(feet) and times[end] - times[begin] < span:
            end += 1
        if end == len(feet):
            break
        x, y = feet[end][0] - feet[begin][0], feet[end][1] - feet[begin][1]
        own = max(heights[begin], heights[end], 1.0)  # a pixel: what a box without height would be divided by
        greatest = max(greatest, math.sqrt(x * x + y * y) / own / (times[end] - times[begin]))
    return round(greatest, 4)


def _standing(feet: Sequence[tuple[float, float]], times: Sequence[float], within: float) -> float:
    """The longest time for which the foot stays in a square of side ``within``, by its points."""
    # positions whose value may be the least or the greatest of the stretch, of x and of y
    least, greatest = (deque[int](), deque[int]()), (deque[int](), deque[int]())
    longest, begin = 0.0, 0
    for k, foot in enumerate(feet):
        for axis in (0, 1):
            low, high, value = least[axis], greatest[axis], foot[axis]
            while low and feet[low[-1]][axis] >= value:
                low.pop()
            while high and feet[high[-1]][axis] <= value:
                high.pop()
            low.append(k)
            high.append(k)
        while any(feet[greatest[a][0]][a] - feet[least[a][0]][a] > within for a in (0, 1)):
            begin += 1
            for queue in (*least, *greatest):
                if queue[0] < begin:
                    queue.popleft()
        longest = max(longest, times[k] - times[begin])
    return longest


# ---- rows


class Stored(NamedTuple):
    """What a track's course follows from."""

    #: its row
    track: int
    event_class: str
    label: str
    #: what the tracker says
    stationary: bool
    #: it is part of an event
    used: bool
    #: as stored
    points: bytes


def add(db: sqlite3.Connection, stream: int, tracks: Iterable[Stored]) -> None:
    """Write the courses of tracks of a stream."""
    picture = Picture(*db.execute("SELECT width, height, rotation FROM streams WHERE id = ?", (stream,)).fetchone())
    db.executemany(_INSERT, (row(stream, picture, track) for track in tracks))


def row(stream: int, picture: Picture, track: Stored) -> tuple[Any, ...]:
    """A row of ``courses``, from the points as stored, so that it can be computed again to the last digit.

    Raises CaseError when there are none.
    """
    found = points.unpack(track.points)
    if not found:
        raise CaseError("a track in case.db has no points; run 'vidreview verify'")
    start, end = found[0].seconds, found[-1].seconds
    place = (stream, reach(end - start), start, track.track, end)
    what = (track.event_class, track.label, int(track.used))
    return (*place, *what, *astuple(course(found, picture, track.stationary)))


def fill(db: sqlite3.Connection) -> None:
    """Write the courses of all tracks: an older case has none.

    A track whose points are damaged gets none, and ``vidreview verify`` says which that is.
    """
    for (stream,) in db.execute("SELECT id FROM streams ORDER BY id").fetchall():
        db.executemany(_INSERT, (found for _, found in computed(db, stream) if found is not None))


def computed(db: sqlite3.Connection, stream: int) -> Iterator[tuple[int, tuple[Any, ...] | None]]:
    """The row of each track of a stream and its course, computed from its points; None where they are damaged."""
    picture = Picture(*db.execute("SELECT width, height, rotation FROM streams WHERE id = ?", (stream,)).fetchone())
    for track, event_class, label, stationary, used, blob in db.execute(
        "SELECT id, class, label, stationary, dropped IS NULL, points FROM tracks LEFT JOIN track_points ON track = id "
        "WHERE stream = ? ORDER BY id",
        (stream,),
    ):
        try:
            stored = Stored(track, event_class, label, bool(stationary), bool(used), blob or b"")
            yield track, row(stream, picture, stored)
        except (CaseError, ArithmeticError, TypeError, ValueError):
            yield track, None
