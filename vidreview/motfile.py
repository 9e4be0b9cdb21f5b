"""MOT Challenge text: one line a box, ``frame,id,x,y,w,h,score,…``, frames counted from 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from vidreview.errors import UsageError
from vidreview.model import Detections, Track

#: more frames than this in one file is a mistake, not a recording
MOST_FRAMES = 10_000_000

#: a box further out than this, pixels, is a mistake, and float32 has no room for its fractions
FURTHEST = 1e6


def read_detections(path: Path) -> dict[int, Detections]:
    """Detections by frame number; every box counts as a person. Raises UsageError naming the line that is wrong."""
    rows: dict[int, list[tuple[float, float, float, float, float]]] = {}
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not MOT text (frame,id,x,y,w,h,score,…)") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            frame, row = _row(path, number, line)
            rows.setdefault(frame, []).append(row)
    if not rows:
        raise UsageError(f"{path}: no detections in it; expected lines of frame,id,x,y,w,h,score")
    return {frame: _detections(found) for frame, found in rows.items()}


def write_tracks(tracks: Iterable[Track]) -> Iterator[str]:
    """Lines of MOT text, by frame and then by id; ids count from 1 in the order given."""
    rows: list[tuple[int, int, str]] = []
    for number, track in enumerate(tracks, 1):
        for p in track.points:
            x1, y1, x2, y2 = p.box
            score = 1.0 if p.score is None else p.score
            rows.append((p.frame, number, f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{score:.4f},-1,-1,-1"))
    for frame, number, rest in sorted(rows):
        yield f"{frame},{number},{rest}"


def _row(path: Path, number: int, line: str) -> tuple[int, tuple[float, float, float, float, float]]:
    parts = line.replace(" ", ",").split(",") if "," not in line else line.split(",")
    try:
        values = [float(part) for part in parts[:7]]
    except ValueError as error:
        raise UsageError(f"{path}, line {number}: not numbers: {line[:60]!r}") from error
    if len(values) < 6 or not all(math.isfinite(v) for v in values) or max(map(abs, values[2:])) > FURTHEST:
        raise UsageError(f"{path}, line {number}: expected frame,id,x,y,w,h,score, found {line[:60]!r}")
    frame, x, y, w, h = int(values[0]), *values[2:6]
    if not 0 < frame <= MOST_FRAMES or w <= 0 or h <= 0:
        raise UsageError(f"{path}, line {number}: frame must be from 1 on, width and height above 0: {line[:60]!r}")
    score = values[6] if len(values) > 6 else 1.0
    return frame, (x, y, x + w, y + h, score)


def _detections(rows: Sequence[tuple[float, float, float, float, float]]) -> Detections:
    ordered = np.array(sorted(rows, key=lambda r: (-r[4], r)), np.float32)
    return Detections(ordered[:, :4].copy(), ordered[:, 4].copy(), np.zeros(len(ordered), np.int16))
