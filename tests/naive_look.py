"""Slow twins of the kernels in ``kernels/look.py``, from the formulas in ``docs/looks.md``."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Bytes = NDArray[np.uint8]


def cell_means(
    picture: Bytes, box: tuple[float, float, float, float], rows: int, columns: int
) -> tuple[Bytes, NDArray[np.bool_]]:
    """Each cell's mean over a grid of at most 4 × 4 of its pixels, and which cells have any in the picture."""
    x1, y1, x2, y2 = box
    high, wide = (y2 - y1) / rows, (x2 - x1) / columns
    down, across = (int(np.clip(np.ceil(size), 1, 4)) for size in (high, wide))
    means, inside = np.zeros((rows, columns, 3), np.uint8), np.zeros((rows, columns), bool)
    for row, column in product(range(rows), range(columns)):
        ys = np.floor(y1 + high * (row + (np.arange(down) + 0.5) / down)).astype(int)
        xs = np.floor(x1 + wide * (column + (np.arange(across) + 0.5) / across)).astype(int)
        ys, xs = ys[(ys >= 0) & (ys < len(picture))], xs[(xs >= 0) & (xs < picture.shape[1])]
        if len(ys) and len(xs):
            means[row, column] = np.floor(picture[np.ix_(ys, xs)].reshape(-1, 3).mean(axis=0) + 0.5)
            inside[row, column] = True
    return means, inside


def object_weights(cells: Bytes, inside: NDArray[np.bool_], margin_y: int, margin_x: int) -> Float:
    """Nearness to the middle, times one twentieth more than the share of a cell's colour that is the box's."""
    rows, columns = cells.shape[0] - 2 * margin_y, cells.shape[1] - 2 * margin_x
    box = np.zeros(inside.shape, bool)
    box[margin_y : margin_y + rows, margin_x : margin_x + columns] = True
    v, u = np.meshgrid(
        (np.arange(rows) + 0.5) / rows * 2 - 1, (np.arange(columns) + 0.5) / columns * 2 - 1, indexing="ij"
    )
    near = np.exp(-((u / 0.5) ** 2) / 2 - (v / 0.9) ** 2 / 2)
    colour = np.array([[tuple(c // 32) for c in line] for line in cells.astype(int)])
    of_box = colour[box].reshape(rows, columns, 3)
    in_box, ring = inside[box].reshape(rows, columns), colour[inside & ~box]
    out = np.zeros((rows, columns))
    for y, x in product(range(rows), range(columns)):
        if in_box[y, x]:
            same = (of_box == of_box[y, x]).all(axis=2) & in_box
            own = near[same].sum() / near[in_box].sum()
            around = float((ring == of_box[y, x]).all(axis=1).mean()) if len(ring) else 0.0
            out[y, x] = near[y, x] * (0.05 + own / (own + around))
    return out


def _levels(value: float, low: float, high: float, count: int) -> Float:
    """How much a value counts for each of evenly spaced levels: a triangle about each, the outer ones open."""
    at = np.clip((value - low) / (high - low), 0, 1) * (count - 1)
    counts: Float = np.maximum(0.0, 1.0 - np.abs(np.arange(count) - at))
    return counts


def describe(cells: Bytes, weights: Float, shares: NDArray[np.float32], lab: NDArray[np.float32]) -> Float:
    """The descriptor's histograms, one after the other."""
    rows, columns = weights.shape
    whole, stripes, lights = np.zeros(11), np.zeros((6, 11)), np.zeros((6, 8))
    joint = np.zeros((4, 5, 5))
    for y, x in product(range(rows), range(columns)):
        blue, green, red = (int(c) // 8 for c in cells[y, x])
        place = (blue * 32 + green) * 32 + red
        light, a, b = (float(c) for c in lab[place])
        whole += weights[y, x] * shares[place].astype(float)
        stripes[y * 6 // rows] += weights[y, x] * shares[place].astype(float)
        lights[y * 6 // rows] += weights[y, x] * _levels(light, 10, 90, 8)
        joint += weights[y, x] * np.einsum(
            "i,j,k->ijk", _levels(light, 15, 85, 4), _levels(a, -24, 24, 5), _levels(b, -24, 24, 5)
        )
    parts = [whole, *stripes, *lights, joint.ravel()]
    return np.concatenate([part / part.sum() if part.sum() > 0 else part for part in parts])


def nearest_two(points: Float, groups: list[Float]) -> Float:
    """Mean distance of each point to the nearest two of each group."""
    return np.array([[np.sort(np.linalg.norm(g - p, axis=1))[:2].mean() for g in groups] for p in points])


def distance(mine: Bytes, other: Bytes, colours: bool) -> float:
    """1 − Σ √(p·q), averaged over six stripes of names, six of lightness, and the whole; with weights 1, ½, 1."""

    def groups(descriptor: Bytes) -> list[Float]:
        p = (descriptor.astype(float) / 255) ** 2
        return [p[11:77].reshape(6, 11), p[77:125].reshape(6, 8), p[125:].reshape(1, 100)]

    away = []
    for p, q in zip(groups(mine), groups(other), strict=True):
        p, q = (h / np.maximum(1e-12, h.sum(axis=1, keepdims=True)) for h in (p, q))
        away.append(float((1 - np.sqrt(p * q).sum(axis=1)).mean()))
    return (away[0] + away[1] / 2 + away[2]) / 2.5 if colours else away[1]
