"""A descriptor of what an object looks like in one picture, and what follows from several of them.

225 numbers of one byte, each the square root of a share times 255, so that the distance of two descriptors is plain
arithmetic (Hellinger; see ``index/similar.py``):

- 11: how much of the object is black, white, grey, red, … (``naming.NAMES``);
- 66: the same for each of six horizontal stripes, from the top;
- 48: eight levels of lightness for each stripe: the form in which it is dark and bright;
- 100: four levels of lightness × five of a* × five of b*, of the whole.

Cells of the box count by how near its middle they are, and the less the more of their colour is around the box; see
``kernels/look.py``. The picture is turned upright first.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels import look as kernels
from vidreview.looks.light import PictureLight
from vidreview.looks.naming import NAMES, tables
from vidreview.model import Light, NamedColour, Part, Pixels

Descriptor = NDArray[np.uint8]
Float = NDArray[np.float64]

#: rows and columns of cells of a box, and of the ring around it on each side: a quarter of the box
ROWS, COLUMNS, RING_ROWS, RING_COLUMNS = 48, 24, 12, 6
#: stripes, of six from the top, that show what a person wears above and below the waist; head and feet are left out
HALVES: Final[dict[Part, tuple[int, ...]]] = {"upper": (1, 2), "lower": (3, 4)}
#: a colour is named when it takes up so much of its part
NAMED = 0.25
#: bytes of a descriptor
LENGTH = kernels.LENGTH


class Description(NamedTuple):
    """What one picture shows of an object."""

    #: (LENGTH,)
    descriptor: Descriptor
    light: Light


def describe(
    picture: Pixels, box: tuple[float, float, float, float], rotation: int, light: PictureLight
) -> Description | None:
    """Describe what is in a box (xyxy) of a stored BGR picture, which players turn by ``rotation`` degrees clockwise.

    None where the box holds no pixel of the picture.
    """
    x1, y1, x2, y2 = box
    sideways = rotation in (90, 270)
    rows, columns = (COLUMNS, ROWS) if sideways else (ROWS, COLUMNS)
    ring_rows, ring_columns = (RING_COLUMNS, RING_ROWS) if sideways else (RING_ROWS, RING_COLUMNS)
    margin_x, margin_y = (x2 - x1) * ring_columns / columns, (y2 - y1) * ring_rows / rows
    cells = np.zeros((rows + 2 * ring_rows, columns + 2 * ring_columns, 3), np.uint8)
    inside = np.zeros(cells.shape[:2], np.bool_)
    kernels.cell_means(picture, x1 - margin_x, y1 - margin_y, x2 + margin_x, y2 + margin_y, cells, inside)
    if rotation:
        cells = np.ascontiguousarray(np.rot90(cells, -rotation // 90))
        inside = np.ascontiguousarray(np.rot90(inside, -rotation // 90))
    weights = np.zeros((ROWS, COLUMNS))
    kernels.object_weights(cells, inside, RING_ROWS, RING_COLUMNS, weights)
    if not weights.any():
        return None
    own = np.ascontiguousarray(cells[RING_ROWS:-RING_ROWS, RING_COLUMNS:-RING_COLUMNS])
    shares = np.zeros(LENGTH)
    known = tables()
    kernels.describe(own, weights, known.shares, known.lab, shares)
    return Description(np.round(np.sqrt(shares) * 255).astype(np.uint8), light.of(own, weights))


def typical(descriptors: list[Descriptor]) -> Descriptor:
    """The median of several looks, number by number: what is in the way on a few of them does not count."""
    middle = np.median(np.stack(descriptors), axis=0)
    return np.round(np.asarray(middle)).astype(np.uint8)


def named_colours(descriptor: Descriptor, person: bool) -> tuple[NamedColour, ...]:
    """The colours that take up ``NAMED`` of an object or more, the most first; of a person's halves, too."""
    shares = (descriptor.astype(np.float64) / 255) ** 2
    stripes = shares[kernels.AT_STRIPES : kernels.AT_LIGHTS].reshape(kernels.STRIPES, kernels.NAMES)
    parts: dict[Part, Float] = {"whole": shares[: kernels.NAMES]}
    if person:
        parts |= {part: stripes[list(places)].mean(axis=0) for part, places in HALVES.items()}
    found: list[NamedColour] = []
    for part, of_part in parts.items():
        total = float(of_part.sum())
        share = of_part / total if total > 0 else of_part
        order = np.argsort(-share, kind="stable").tolist()
        found += [NamedColour(part, NAMES[k], round(float(share[k]), 3)) for k in order if share[k] >= NAMED]
    return tuple(found)
