"""What a crop looks like: its cells' mean colours, which of them are the object's, and histograms of those.

The background is told from the object much as D. Comaniciu, V. Ramesh and P. Meer do it for their target model,
"Kernel-based object tracking", IEEE PAMI 25 (5), 2003: a colour weighs the less the more of it is around the object.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel

Float = NDArray[np.float64]
Single = NDArray[np.float32]
Pixels = NDArray[np.uint8]

_PICTURE = types.Array(types.uint8, 3, "A", readonly=True)
_CELLS = types.uint8[:, :, ::1]
_TABLE = types.float32[:, ::1]

#: rows and columns of a cell that are looked at, at most: a large crop costs no more than a small one
SAMPLES = 4
#: horizontal stripes that a crop is divided into
STRIPES = 6
#: levels of lightness that are counted in each, between these bounds of L*
LIGHTS, DARKEST, LIGHTEST = 8, 10.0, 90.0
#: levels of lightness and of a* and b* that are counted jointly, and their bounds
JOINT_LIGHTS, JOINT_DARKEST, JOINT_LIGHTEST = 4, 15.0, 85.0
JOINT_SIDE, JOINT_BOUND = 5, 24.0
#: names of colours
NAMES = 11
#: where a descriptor's parts begin: names of the whole, names and lightness of each stripe, joint lightness, a* and b*
AT_STRIPES = NAMES
AT_LIGHTS = AT_STRIPES + STRIPES * NAMES
AT_JOINT = AT_LIGHTS + STRIPES * LIGHTS
LENGTH = AT_JOINT + JOINT_LIGHTS * JOINT_SIDE * JOINT_SIDE
#: weight that a cell of the background's own colour keeps: the object may wear it, too
LEAST = 0.05
#: how far the weights reach from the middle, in half widths and half heights
REACH_X, REACH_Y = 0.5, 0.9


@kernel(types.void(_PICTURE, types.float64, types.float64, types.float64, types.float64, _CELLS, types.boolean[:, ::1]))
def cell_means(
    picture: Pixels, x1: float, y1: float, x2: float, y2: float, out: Pixels, inside: NDArray[np.bool_]
) -> None:
    """Mean colour of each cell of a grid laid over a box of a BGR picture, into ``out`` (rows, columns, 3).

    Of a cell, ``SAMPLES`` × ``SAMPLES`` evenly spread pixels are looked at, each once. ``inside`` (rows, columns) says
    which cells have a pixel in the picture; the others are 0.
    """
    height, width = picture.shape[0], picture.shape[1]
    rows, columns = out.shape[0], out.shape[1]
    step_x, step_y = (x2 - x1) / columns, (y2 - y1) / rows
    across = min(SAMPLES, max(1, int(np.ceil(step_x))))
    down = min(SAMPLES, max(1, int(np.ceil(step_y))))
    for row in range(rows):
        for column in range(columns):
            blue = green = red = count = 0
            for j in range(down):
                y = int(np.floor(y1 + step_y * (row + (j + 0.5) / down)))
                if y < 0 or y >= height:
                    continue
                for i in range(across):
                    x = int(np.floor(x1 + step_x * (column + (i + 0.5) / across)))
                    if x < 0 or x >= width:
                        continue
                    blue += int(picture[y, x, 0])
                    green += int(picture[y, x, 1])
                    red += int(picture[y, x, 2])
                    count += 1
            inside[row, column] = count > 0
            # rounded half up: cells of one colour keep it
            out[row, column, 0] = (2 * blue + count) // (2 * count) if count else 0
            out[row, column, 1] = (2 * green + count) // (2 * count) if count else 0
            out[row, column, 2] = (2 * red + count) // (2 * count) if count else 0


@kernel(types.void(_CELLS, types.boolean[:, ::1], types.int64, types.int64, types.float64[:, ::1]))
def object_weights(cells: Pixels, inside: NDArray[np.bool_], margin_y: int, margin_x: int, out: Float) -> None:
    """How likely each cell within the margins is the object's, into ``out`` (rows, columns of what is within).

    w = e^(−(u/REACH_X)²/2 − (v/REACH_Y)²/2) · (LEAST + h(c) / (h(c) + r(c))): u, v from the middle, −1..1; h and r the
    shares of the cell's colour, in 8 × 8 × 8 steps, in the box, weighted by the first factor, and in the ring about it.
    """
    rows, columns = out.shape[0], out.shape[1]
    box, ring = np.zeros(512, np.float64), np.zeros(512, np.float64)
    in_box = in_ring = 0.0
    for row in range(cells.shape[0]):
        for column in range(cells.shape[1]):
            if not inside[row, column]:
                continue
            colour = (
                ((np.int64(cells[row, column, 0]) >> 5) << 6)
                | ((np.int64(cells[row, column, 1]) >> 5) << 3)
                | (np.int64(cells[row, column, 2]) >> 5)
            )
            y, x = row - margin_y, column - margin_x
            if 0 <= y < rows and 0 <= x < columns:
                u = ((2 * x + 1) / columns - 1.0) / REACH_X
                v = ((2 * y + 1) / rows - 1.0) / REACH_Y
                near = np.exp(-0.5 * (u * u + v * v))
                out[y, x] = near
                box[colour] += near
                in_box += near
            else:
                ring[colour] += 1.0
                in_ring += 1.0
    for y in range(rows):
        for x in range(columns):
            row, column = y + margin_y, x + margin_x
            if not inside[row, column]:
                out[y, x] = 0.0
                continue
            colour = (
                ((np.int64(cells[row, column, 0]) >> 5) << 6)
                | ((np.int64(cells[row, column, 1]) >> 5) << 3)
                | (np.int64(cells[row, column, 2]) >> 5)
            )
            own = box[colour] / in_box
            around = ring[colour] / in_ring if in_ring > 0.0 else 0.0
            out[y, x] = out[y, x] * (LEAST + own / (own + around))


@kernel(types.void(types.float64[::1], types.int64, types.int64))
def _to_one(values: Float, first: int, count: int) -> None:
    """Divide ``count`` values from ``first`` on by their sum, if they have one."""
    total = 0.0
    for k in range(first, first + count):
        total += values[k]
    if total > 0.0:
        for k in range(first, first + count):
            values[k] /= total


@kernel(types.void(_CELLS, types.float64[:, ::1], _TABLE, _TABLE, types.float64[::1]))
def describe(cells: Pixels, weights: Float, shares: Single, lab: Single, out: Float) -> None:
    """Histograms of weighted cells, each of which sums to 1 or, without weight, to 0, into ``out`` (LENGTH,).

    ``shares`` (32768, 11) and ``lab`` (32768, 3) are the shares of names and the CIELAB values of colours by their
    upper five bits (blue, green, red). The parts: names; for each stripe from the top names, and for each stripe
    lightness; joint lightness, a* and b*. Lightness, a* and b* count for the two nearest levels, by nearness.
    """
    rows, columns = cells.shape[0], cells.shape[1]
    out[:] = 0.0
    plane = JOINT_SIDE * JOINT_SIDE
    for row in range(rows):
        stripe = row * STRIPES // rows
        for column in range(columns):
            weight = weights[row, column]
            colour = (
                ((np.int64(cells[row, column, 0]) >> 3) << 10)
                | ((np.int64(cells[row, column, 1]) >> 3) << 5)
                | (np.int64(cells[row, column, 2]) >> 3)
            )
            for name in range(NAMES):
                share = weight * np.float64(shares[colour, name])
                out[name] += share
                out[AT_STRIPES + stripe * NAMES + name] += share
            light, a, b = np.float64(lab[colour, 0]), np.float64(lab[colour, 1]), np.float64(lab[colour, 2])
            at = min(max((light - DARKEST) / (LIGHTEST - DARKEST), 0.0), 1.0) * (LIGHTS - 1)
            low = min(int(at), LIGHTS - 2)
            out[AT_LIGHTS + stripe * LIGHTS + low] += weight * (1.0 - (at - low))
            out[AT_LIGHTS + stripe * LIGHTS + low + 1] += weight * (at - low)
            at = min(max((light - JOINT_DARKEST) / (JOINT_LIGHTEST - JOINT_DARKEST), 0.0), 1.0) * (JOINT_LIGHTS - 1)
            at_a = min(max((a + JOINT_BOUND) / (2 * JOINT_BOUND), 0.0), 1.0) * (JOINT_SIDE - 1)
            at_b = min(max((b + JOINT_BOUND) / (2 * JOINT_BOUND), 0.0), 1.0) * (JOINT_SIDE - 1)
            low, low_a, low_b = (
                min(int(at), JOINT_LIGHTS - 2),
                min(int(at_a), JOINT_SIDE - 2),
                min(int(at_b), JOINT_SIDE - 2),
            )
            for i in range(2):
                part = weight * ((1.0 - (at - low)) if i == 0 else (at - low))
                for j in range(2):
                    part_a = part * ((1.0 - (at_a - low_a)) if j == 0 else (at_a - low_a))
                    for k in range(2):
                        part_b = part_a * ((1.0 - (at_b - low_b)) if k == 0 else (at_b - low_b))
                        place = (low + i) * plane + (low_a + j) * JOINT_SIDE + low_b + k
                        out[AT_JOINT + place] += part_b
    _to_one(out, 0, NAMES)
    for stripe in range(STRIPES):
        _to_one(out, AT_STRIPES + stripe * NAMES, NAMES)
        _to_one(out, AT_LIGHTS + stripe * LIGHTS, LIGHTS)
    _to_one(out, AT_JOINT, LENGTH - AT_JOINT)


@kernel(types.float64[:, ::1](types.float64[:, ::1], types.float64[:, ::1], types.int64[::1]))
def nearest_two(
    points: NDArray[np.float64], colours: NDArray[np.float64], limits: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean distance of ``points`` (n, 3) to the nearest two of each group of ``colours`` (m, 3): (n, groups).

    Group g is ``colours[limits[g]:limits[g + 1]]``, two or more.
    """
    groups = len(limits) - 1
    out = np.empty((len(points), groups))
    for n in range(len(points)):
        for group in range(groups):
            first = second = np.inf
            for m in range(limits[group], limits[group + 1]):
                away = 0.0
                for c in range(3):
                    away += (points[n, c] - colours[m, c]) ** 2
                if away < first:
                    first, second = away, first
                elif away < second:
                    second = away
            out[n, group] = (np.sqrt(first) + np.sqrt(second)) / 2
    return out
