"""The tracker of detections alone, written the slow and plain way: full matrices, one box at a time."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tests.naive import Filter, iou_matrix
from vidreview.kernels import follow

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

#: variances of centre x, centre y, width and height, in sizes²
SHARES = follow.ERROR**2 * np.array([1.0, 1.0, follow.WIDTH_SHARE, follow.HEIGHT_SHARE])
NEW = np.array([follow.NEW_SPEED, follow.NEW_SPEED, follow.NEW_GROWTH, follow.NEW_GROWTH])
DRIVEN = np.array([follow.WANDER, follow.WANDER, follow.GROW, follow.GROW])


def size_of(box: Float) -> float:
    return max(4.0, float(box[2] + box[3]) / 2)


def begun(box: Float) -> Filter:
    size = size_of(box)
    cov = np.stack([SHARES * size**2, np.zeros(4), (NEW * size) ** 2], axis=1)
    return Filter.of(np.stack([box, np.zeros(4)], axis=1), cov)


def advanced(one: Filter, dt: float) -> None:
    one.predict(dt, DRIVEN * size_of(one.mean[:, 0]) ** 2)


def surprise(one: Filter, box: Float) -> float:
    r = SHARES * size_of(one.mean[:, 0]) ** 2
    cost = 0.0
    for k in range(4):
        spread = one.cov[k, 0] + r[k]
        away = box[k] - one.mean[k, 0]
        cost += (follow.TAILS + 1) / 2 * math.log(1 + away**2 / follow.TAILS / spread) + math.log(spread / r[k]) / 2
    return cost


def corners(box: Float) -> Float:
    return np.concatenate([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])


def chain(boxes: Float, scores: Float, starts: Whole, seconds: Float, step_s: float, high: float) -> Whole:
    of = np.full(len(boxes), -1, np.int64)
    live: list[tuple[int, float, Filter]] = []
    made = 0
    for f, now in enumerate(seconds):
        live = [t for t in live if now - t[1] <= follow.PATIENCE_S + step_s / 2]
        for _, _, one in live:
            advanced(one, now - seconds[f - 1])
        here = range(starts[f], starts[f + 1])
        cost = np.array(
            [[surprise(t[2], boxes[j]) + follow.WEAK_COST * (scores[j] < high) for j in here] for t in live]
        )
        cost = cost.reshape(len(live), len(here))
        # nobody is a column of each row's own
        alone = np.full((len(live), len(live)), 1e9)
        np.fill_diagonal(alone, follow.CHAIN_COST)
        allowed = np.where(cost <= follow.CHAIN_COST, cost, 1e9)
        rows, columns = linear_sum_assignment(np.hstack([allowed, alone])) if live else ((), ())
        for row, column in zip(rows, columns, strict=True):
            if column < len(here):
                key, _, one = live[row]
                j = here[column]
                share = 1 + follow.LASTS_S / step_s
                one.update(boxes[j], share * SHARES * size_of(one.mean[:, 0]) ** 2)
                of[j] = key
                live[row] = (key, now, one)
        for j in here:
            known = [i for i in here if i != j and of[i] >= 0]
            same = [iou_matrix(corners(boxes[i])[None], corners(boxes[j])[None])[0, 0] > follow.SAME for i in known]
            if of[j] < 0 and scores[j] >= high and not any(same):
                live.append((made, now, begun(boxes[j])))
                of[j] = made
                made += 1
    return of


def run(boxes: Float, seconds: Float, step_s: float) -> Filter:
    one = begun(boxes[0])
    for k in range(1, len(boxes)):
        advanced(one, abs(seconds[k] - seconds[k - 1]))
        one.update(boxes[k], (1 + follow.LASTS_S / step_s) * SHARES * size_of(one.mean[:, 0]) ** 2)
    return one


def strangeness(before: Filter, after: Filter, size: float, gap_s: float) -> float:
    cost = follow.GAP_COST * gap_s
    for k in range(4):
        both = [np.array([[c[0], c[1]], [c[1], c[2]]]) for c in (before.cov[k], after.cov[k])]
        spread = both[0] + both[1]
        away = after.mean[k] - before.mean[k]
        distance = float(away @ np.linalg.inv(spread) @ away)
        new = (NEW[k] * size) ** 2
        cost += (follow.TAILS + 2) / 2 * math.log(1 + distance / follow.TAILS)
        cost += math.log(np.linalg.det(spread) / (SHARES[k] * size**2 * new)) / 2
        unsure = new + both[1][1, 1]
        cost -= after.mean[k, 1] ** 2 / unsure / 2 + math.log(unsure / new) / 2
    return cost


def backward(boxes: Float, seconds: Float, step_s: float) -> Filter:
    one = run(boxes[::-1], seconds[::-1], step_s)
    mean, cov = one.mean.copy(), one.cov
    mean[:, 1] *= -1
    cov[:, 1] *= -1
    return Filter.of(mean, cov)


def join(boxes: Float, seconds: Float, starts: Whole, step_s: float) -> Whole:
    chains = [slice(a, b) for a, b in pairwise(starts)]
    found = []
    for c, one in enumerate(chains):
        for d, other in enumerate(chains):
            gap = seconds[other][0] - seconds[one][-1]
            if 0 < gap <= follow.JOIN_S:
                before = run(boxes[one], seconds[one], step_s)
                size = size_of(before.mean[:, 0])
                advanced(before, gap)
                cost = strangeness(before, backward(boxes[other], seconds[other], step_s), size, gap)
                if cost <= follow.JOIN_COST:
                    found.append((cost, c, d))
    following = np.full(len(chains), -1, np.int64)
    for _, c, d in sorted(found):
        if following[c] < 0 and d not in following:
            following[c] = d
    return following


def smooth(frames: Whole, boxes: Float, step_s: float) -> Float:
    """The same from one system of equations: all positions and velocities at once, by least squares.

    The noises are those that the filter took on its way: they depend on the size, which it has to have first.
    """
    n = int(frames[-1] - frames[0]) + 1
    at = {int(frame - frames[0]): k for k, frame in enumerate(frames)}
    sizes = []
    one = begun(boxes[0])
    for i in range(n):
        sizes.append(size_of(one.mean[:, 0]))
        if i + 1 < n:
            advanced(one, step_s)
            if i + 1 in at:
                one.update(boxes[at[i + 1]], SHARES * sizes[i] ** 2)
    return np.stack([_least_squares(k, at, boxes[:, k], sizes, step_s) for k in range(4)], axis=1)


def _least_squares(k: int, at: dict[int, int], seen: Float, sizes: list[float], dt: float) -> Float:
    """Positions of coordinate ``k`` on every frame."""
    n = len(sizes)
    rows: list[Float] = []
    right: list[float] = []

    def equation(coefficients: dict[int, float], value: float, deviation: float) -> None:
        row = np.zeros(2 * n)
        for column, factor in coefficients.items():
            row[column] = factor / deviation
        rows.append(row)
        right.append(value / deviation)

    equation({0: 1.0}, seen[0], math.sqrt(SHARES[k]) * sizes[0])
    equation({1: 1.0}, 0.0, NEW[k] * sizes[0])
    for i in range(1, n):
        noise = DRIVEN[k] * sizes[i - 1] ** 2 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        whitener = np.linalg.inv(np.linalg.cholesky(noise))
        step = np.array([[1.0, 0.0, -1.0, -dt], [0.0, 1.0, 0.0, -1.0]])
        for row in whitener @ step:
            columns = (2 * i, 2 * i + 1, 2 * i - 2, 2 * i - 1)
            equation(dict(zip(columns, row.tolist(), strict=True)), 0.0, 1.0)
        if i in at:
            equation({2 * i: 1.0}, seen[at[i]], math.sqrt(SHARES[k]) * sizes[i - 1])
    found: Float = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0][::2]
    return found
