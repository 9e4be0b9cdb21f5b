"""Where things were, and for how long: the time that tracks covered each place, as colours over a picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vidreview.model import Pixels
from vidreview.report.courses import Tracked
from vidreview.report.pictures import Upright, png

#: perceptually even, and told apart by people who see few colours, since it grows brighter all along
_COLOURS: Final = "inferno"
#: the part of it that stands out from a picture: its darkest end looks like shadow
_FROM, _TO = 0.25, 1.0
#: opacity of the shortest and of the longest time
_FAINT, _STRONG = 0.3, 0.7
#: cells across the picture
_CELLS: Final = 320
#: what a track covers between two points is counted up to so many seconds: beyond that nobody saw it
_HELD_S: Final = 2.0
#: the shortest time that has a colour, seconds
_SHORTEST_S: Final = 0.1
#: a box that covers a larger share of the picture says nothing of a place: a change of light, mostly
_LARGEST: Final = 0.6
#: cells by which edges are softened, so that the eye does not follow the corners of boxes
_SOFT: Final = 1.2
_LEGEND_S: Final = (0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3600, 4 * 3600, 86400, 7 * 86400)


@dataclass(frozen=True, slots=True)
class Heat:
    """A picture as large as the background, transparent where nothing was, and what its colours mean."""

    png: bytes
    words: str
    #: ascending: ``{"s", "colour"}``
    scale: list[dict[str, Any]]


def dwell(tracks: Iterable[Tracked], upright: Upright) -> NDArray[np.float64]:
    """(rows, columns) seconds that boxes covered each cell of the upright picture; cells are square."""
    width, height = upright.size
    columns = min(_CELLS, width)
    rows = max(1, round(columns * height / width))
    edges = np.zeros((rows + 1, columns + 1))
    for track in tracks:
        boxes = upright.boxes(track.boxes) * np.array([columns / width, rows / height] * 2, np.float32)
        x1, y1 = (np.clip(np.floor(boxes[:, side]), 0, most).astype(int) for side, most in ((0, columns), (1, rows)))
        x2, y2 = (np.clip(np.ceil(boxes[:, side]), 0, most).astype(int) for side, most in ((2, columns), (3, rows)))
        length = np.where((x2 - x1) * (y2 - y1) > _LARGEST * rows * columns, 0.0, _lengths(track.seconds))
        for y, x, sign in ((y1, x1, 1), (y1, x2, -1), (y2, x1, -1), (y2, x2, 1)):
            np.add.at(edges, (y, x), sign * length)
    found = edges.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    return np.where(found < 1e-9, 0.0, found)


def heat(seconds: NDArray[np.float64], size: tuple[int, int]) -> Heat | None:
    """The picture of a dwell map for a background of ``size`` (width, height); None where nothing was."""
    most = float(seconds.max(initial=0.0))
    if most <= 0:
        return None
    least = min(_SHORTEST_S, most)
    soft = cv2.GaussianBlur(seconds, (0, 0), _SOFT)
    smooth = np.asarray(cv2.resize(soft, size, interpolation=cv2.INTER_LINEAR), np.float64)
    there = smooth > least / 4
    picture = _coloured(_share(smooth, least, most), there)
    legend = sorted({value for value in _LEGEND_S if least <= value < most} | {round(most, 1)})
    shares = _share(np.array(legend, np.float64), least, most)
    colours = _coloured(shares[None, :], np.ones((1, len(legend)), bool))[0]
    scale = [
        {"s": value, "colour": "#" + "".join(f"{int(channel):02x}" for channel in colour[2::-1])}
        for value, colour in zip(legend, colours, strict=True)
    ]
    words = (
        "Time for which tracks of the events in this report covered each place, on a logarithmic scale: dark purple "
        f"is {least:g} s or less, light yellow {_length(most)}, the longest at one place. No colour: no track was "
        f"there, which does not mean that nothing was. Boxes over more than {_LARGEST:.0%} of the picture are left out."
    )
    return Heat(png(picture), words, scale)


def _lengths(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long each point of a course stands for: until the next one, the last as long as the one before."""
    steps = np.clip(np.diff(seconds), 0, _HELD_S)
    return np.append(steps, steps[-1:] if len(steps) else [_SHORTEST_S])


def _share(seconds: NDArray[np.float64], least: float, most: float) -> NDArray[np.float64]:
    """0..1 on the logarithmic scale."""
    if most <= least:
        return np.ones_like(seconds)
    share = np.log(np.maximum(seconds, least) / least) / np.log(most / least)
    return np.asarray(np.clip(share, 0, 1))


def _coloured(share: NDArray[np.float64], there: NDArray[np.bool_]) -> Pixels:
    """(rows, columns, 4) BGRA."""
    from matplotlib import colormaps

    rgba = colormaps[_COLOURS](_FROM + (_TO - _FROM) * share)
    picture = (rgba[..., [2, 1, 0, 3]] * 255).round().astype(np.uint8)
    picture[..., 3] = np.where(there, (255 * (_FAINT + (_STRONG - _FAINT) * share)).round(), 0)
    return np.ascontiguousarray(picture)


def _length(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
