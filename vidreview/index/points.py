"""A track's points as one compact blob, and back.

A point costs about 10 bytes instead of some 120 as a row: columns of like numbers, differences where they grow evenly,
then zlib. Form 1: the byte 1, then zlib of a JSON line ``{"n", "labels"}`` and the little-endian columns
frame (int64 differences), pts (int64 differences), seconds (float64), x1, y1, x2, y2 (float32), score (float32, NaN
for none), source (uint8), label (uint8, 255 for none).
"""

from __future__ import annotations

import json
import math
import sys
import zlib
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from vidreview.errors import CaseError

if TYPE_CHECKING:
    from vidreview.model import Point

_SOURCES = ("detected", "motion", "interpolated")
_NO_LABEL = 255


class StoredPoint(NamedTuple):
    """A point as it was stored; ``Point`` without the weight of numpy, for the commands that only list."""

    frame: int
    pts: int
    #: from the stream's first presented frame
    seconds: float
    #: xyxy
    box: tuple[float, float, float, float]
    source: str
    score: float | None
    label: str | None


def pack(points: Sequence[Point]) -> bytes:
    """The blob of a track's points."""
    labels = sorted({point.label for point in points if point.label is not None})
    place = {label: index for index, label in enumerate(labels)}
    columns: list[array[Any]] = [
        array("q", differences([int(p.frame) for p in points])),
        array("q", differences([int(p.pts) for p in points])),
        array("d", [float(p.seconds) for p in points]),
        *(array("f", [float(p.box[side]) for p in points]) for side in range(4)),
        array("f", [math.nan if p.score is None else float(p.score) for p in points]),
        array("B", [_SOURCES.index(p.source) for p in points]),
        array("B", [_NO_LABEL if p.label is None else place[p.label] for p in points]),
    ]
    header = json.dumps({"n": len(points), "labels": labels}, separators=(",", ":")).encode() + b"\n"
    return b"\x01" + zlib.compress(header + b"".join(little(column) for column in columns), 6)


class Columns(NamedTuple):
    """Points of a blob as arrays of equal length, for looking at very many."""

    frame: Sequence[int]
    pts: Sequence[int]
    seconds: Sequence[float]
    #: left, top, right and bottom
    sides: tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]
    #: NaN where there is none
    score: Sequence[float]
    source: Sequence[int]
    label: Sequence[int]
    labels: Sequence[str]


def columns(blob: bytes) -> Columns:
    """The points of a blob as arrays; raises CaseError when it is not one."""
    try:
        if blob[:1] != b"\x01":
            raise ValueError("unknown form")
        body = zlib.decompress(blob[1:])
        end = body.index(b"\n") + 1
        header: dict[str, Any] = json.loads(body[:end])
        n, labels = int(header["n"]), header["labels"]
        found: list[array[Any]] = []
        at = end
        for kind in "qqdfffffBB":
            column = array(kind)
            size = n * column.itemsize
            column.frombytes(body[at : at + size])
            if sys.byteorder == "big":
                column.byteswap()
            if len(column) != n:
                raise ValueError("too short")
            found.append(column)
            at += size
    except (ValueError, KeyError, zlib.error) as error:
        raise CaseError(f"a track's points in case.db are damaged ({error}); run 'vidreview scan' again") from error
    frames, pts, seconds, x1, y1, x2, y2, scores, sources, names = found
    whole = array("q", accumulate(frames)), array("q", accumulate(pts))
    return Columns(*whole, seconds, (x1, y1, x2, y2), scores, sources, names, labels)


def unpack(blob: bytes) -> list[StoredPoint]:
    """The points of a blob; raises CaseError when it is not one."""
    found = columns(blob)
    return [
        StoredPoint(
            frame,
            tick,
            second,
            box,
            _SOURCES[source],
            None if math.isnan(score) else score,
            None if name == _NO_LABEL else found.labels[name],
        )
        for frame, tick, second, box, source, score, name in zip(
            found.frame,
            found.pts,
            found.seconds,
            zip(*found.sides, strict=True),
            found.source,
            found.score,
            found.label,
            strict=True,
        )
    ]


def differences(values: Iterable[int]) -> list[int]:
    """Each value less the one before, the first as it is."""
    result, before = [], 0
    for value in values:
        result.append(value - before)
        before = value
    return result


def little(column: array[Any]) -> bytes:
    """The bytes of a column, little-endian on any machine."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()
