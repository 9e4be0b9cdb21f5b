"""Slow twins of the kernels: each written from the formula, in numpy or plain Python, without looking at speed."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter
from scipy.optimize import linear_sum_assignment

Float = NDArray[np.float64]
Single = NDArray[np.float32]
Bytes = NDArray[np.uint8]


# -- boxes ------------------------------------------------------------------------------------------------------------


def _area(box: Float) -> float:
    return max(0.0, float(box[2] - box[0])) * max(0.0, float(box[3] - box[1]))


def _both(a: Float, b: Float) -> float:
    common = np.array([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
    return _area(common) if _area(a) > 0 and _area(b) > 0 else 0.0


def iou_matrix(a: Float, b: Float) -> Float:
    """|a ∩ b| / |a ∪ b| of each pair; 0 where they have nothing in common."""
    out = np.zeros((len(a), len(b)))
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            both = _both(one, other)
            if both > 0:
                out[i, j] = both / (_area(one) + _area(other) - both)
    return out


def inside_matrix(a: Float, b: Float) -> Float:
    """|a ∩ b| / |a| of each pair; 0 where they have nothing in common."""
    out = np.zeros((len(a), len(b)))
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            both = _both(one, other)
            if both > 0:
                out[i, j] = both / _area(one)
    return out


# -- assignment -------------------------------------------------------------------------------------------------------


def assign(cost: Float, limit: float) -> tuple[NDArray[np.int64], float]:
    """The cheapest matching and its cost, by scipy, on the matrix in which each row may stay alone for ``limit``."""
    n, m = cost.shape
    if n == 0:
        return np.zeros(0, np.int64), 0.0
    far = (1.0 + abs(limit) + float(np.abs(cost[np.isfinite(cost)]).sum())) * 10.0
    wide = np.full((n, m + n), far)
    wide[:, :m] = np.where(cost <= limit, cost, far)
    wide[np.arange(n), m + np.arange(n)] = limit
    rows, columns = linear_sum_assignment(wide)
    return np.where(columns < m, columns, -1).astype(np.int64), float(wide[rows, columns].sum())


def assigned_cost(cost: Float, limit: float, columns: NDArray[np.int64]) -> float:
    """What a matching costs in all."""
    return sum(float(cost[i, j]) if j >= 0 else limit for i, j in enumerate(columns))


# -- Kalman -----------------------------------------------------------------------------------------------------------


@dataclass
class Filter:
    """The whole 8-state filter with full matrices; state is p and v of centre x, centre y, width, height in turn."""

    #: (8,)
    x: Float
    #: (8, 8)
    p: Float

    @staticmethod
    def of(mean: Float, cov: Float) -> Filter:
        """From the kernels' (4, 2) and (4, 3)."""
        p = np.zeros((8, 8))
        for k in range(4):
            p[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[cov[k, 0], cov[k, 1]], [cov[k, 1], cov[k, 2]]]
        return Filter(mean.reshape(8).copy(), p)

    def predict(self, dt: float, q: Float) -> None:
        """x = F x, P = F P Fᵀ + Q of continuous white-noise acceleration."""
        f = np.kron(np.eye(4), np.array([[1.0, dt], [0.0, 1.0]]))
        noise = np.kron(np.diag(q), np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]))
        self.x = f @ self.x
        self.p = f @ self.p @ f.T + noise

    def update(self, measured: Float, r: Float) -> None:
        """Joseph's form: P = (I − K H) P (I − K H)ᵀ + K R Kᵀ."""
        h = np.kron(np.eye(4), np.array([[1.0, 0.0]]))
        gain = self.p @ h.T @ np.linalg.inv(h @ self.p @ h.T + np.diag(r))
        rest = np.eye(8) - gain @ h
        self.x = self.x + gain @ (measured - h @ self.x)
        self.p = rest @ self.p @ rest.T + gain @ np.diag(r) @ gain.T

    @property
    def mean(self) -> Float:
        """(4, 2)"""
        return self.x.reshape(4, 2)

    @property
    def cov(self) -> Float:
        """(4, 3)"""
        return np.array(
            [[self.p[2 * k, 2 * k], self.p[2 * k, 2 * k + 1], self.p[2 * k + 1, 2 * k + 1]] for k in range(4)]
        )


# -- block means ------------------------------------------------------------------------------------------------------


def _squares(picture: Bytes, block: int) -> list[list[Bytes]]:
    height, width = picture.shape
    return [[picture[y : y + block, x : x + block] for x in range(0, width, block)] for y in range(0, height, block)]


def block_means(picture: Bytes, block: int) -> Single:
    """Mean of each square."""
    return np.array([[s.astype(np.float64).mean() for s in row] for row in _squares(picture, block)], np.float32)


def block_ranges(picture: Bytes, block: int) -> Single:
    """Brightest minus darkest of each square."""
    return np.array([[int(s.max()) - int(s.min()) for s in row] for row in _squares(picture, block)], np.float32)


def fit_light(now: Single, mean: Single, step: int, loose: float, gain: float, offset: float) -> tuple[float, float]:
    """Gain and offset by numpy's least squares over the blocks that agree.

    Two rounds from what was known, if it explains six tenths, else three from the median difference.
    """
    x, y = mean[::step].astype(np.float64), now[::step].astype(np.float64)
    tolerances = [2 * loose, loose]
    if np.mean(np.abs(y - gain * x - offset) <= loose) < 0.6:
        gain, offset, tolerances = 1.0, float(np.median(y - x)), [4 * loose, 2 * loose, loose]
    for tolerance in tolerances:
        good = np.abs(y - gain * x - offset) <= tolerance
        if good.sum() < 8 or good.sum() < 0.1 * len(x):
            break
        gain = 1.0
        if np.var(x[good]) > 25.0:
            gain = float(np.clip(np.polyfit(x[good], y[good], 1)[0], 0.25, 4.0))
        offset = float(np.mean(y[good] - gain * x[good]))
    return gain, offset


# -- the background ---------------------------------------------------------------------------------------------------


@dataclass
class Background:
    """One block's state, in double precision."""

    mean: float
    old: float
    noise: float
    slack: float
    held: float
    held_s: float
    lived_s: float
    verdict: str = field(default="same", init=False)


@dataclass(frozen=True)
class Rules:
    """The scalars of ``compare``."""

    gain: float
    offset: float
    dt: float
    threshold: float
    least: float
    absorb_s: float
    learn_s: float
    forget_s: float

    def lit(self, level: float) -> float:
        """A level of the background in today's light."""
        return self.gain * level + self.offset

    def unlit(self, level: float) -> float:
        """What today's level would be in the background's light."""
        return float(np.clip((level - self.offset) / self.gain, 0, 255))


def compare(block: Background, x: float, rules: Rules) -> tuple[str, float]:
    """Verdict and strength of one block that now reads ``x``; its background follows."""
    dt = rules.dt
    expected = float(np.clip(rules.lit(block.mean), 0, 255))
    moved = abs(expected - block.mean)
    limit = max(rules.least, rules.threshold * block.noise, block.slack) + moved / 4
    away = abs(x - expected)
    with_light = min(1.0, dt if moved > rules.least else dt / rules.learn_s)
    block.old += with_light * (rules.lit(block.old) - block.old)
    before = block.verdict
    if abs(x - block.held) <= 0.75 * limit:
        block.held += min(1.0, dt) * (x - block.held)
        block.held_s += dt
    else:
        block.held, block.held_s = x, 0.0
    if away <= limit:
        weight = max(with_light, dt / max(dt, min(block.lived_s + dt, rules.learn_s)))
        block.mean += weight * (x - block.mean)
        block.noise += 0.3 * weight * (1.25 * away - block.noise)
        block.lived_s += dt
        if block.lived_s >= rules.forget_s:
            block.old = np.nan
        block.verdict = "same"
        return "same", away / limit
    if before == "same":
        block.noise += 0.05 * (min(away, 3 * limit) - block.noise)
    block.mean += with_light * (expected - block.mean)
    back = bool(abs(x - rules.lit(block.old)) <= limit)  # never, while it is NaN
    block.verdict = "revealed" if back else "changed"
    if block.held_s >= (1.0 if back else rules.absorb_s):
        if back:
            block.old = np.nan
        elif np.isnan(block.old) and block.lived_s >= rules.absorb_s:
            block.old = block.mean
        block.mean = rules.unlit(block.held)
        block.lived_s = min(block.held_s, rules.learn_s)
        block.verdict = "same"
    return block.verdict, away / limit


def typical_jump(now: Single, before: Single, step: int) -> tuple[float, float]:
    """Median and median absolute deviation of the jumps."""
    jumps = (now.astype(np.float64) - before.astype(np.float64))[::step]
    return float(np.median(jumps)), float(np.median(np.abs(jumps - np.median(jumps))))


def find_contrast(
    ranges: Single, mean: Single, now: Single, light: tuple[float, float], step: int, least: float
) -> tuple[float, Single]:
    """The tremble and the contrast, with scipy's filters."""
    beside = maximum_filter(mean, 3, mode="nearest") - minimum_filter(mean, 3, mode="nearest")
    contrast = np.maximum(ranges, beside)
    telling = contrast >= max(least, float(np.median(contrast.reshape(-1)[::step])))
    away = np.abs(now.astype(np.float64) - (light[0] * mean.astype(np.float64) + light[1]))
    tremble = float(np.median(away[telling] / contrast[telling])) if telling.sum() >= 16 else -1.0
    return tremble, contrast


def count_ticks(now: Single, before: Single, seconds: float, weight: float, least: float, ticks: Single) -> Single:
    """The tally plus, for each block that jumps, ``weight`` times 1, its phase's cos and sin, its jump, its size."""
    jump = (now - before).astype(np.float64)
    turn = np.exp(2j * np.pi * seconds)
    one = np.ones_like(jump)
    after: Float = ticks.astype(np.float64)
    after += weight * np.stack([one, turn.real * one, turn.imag * one, jump, abs(jump)]) * (abs(jump) > least)
    return after.astype(np.float32)


# -- blobs ------------------------------------------------------------------------------------------------------------


def label(changed: Bytes) -> NDArray[np.int32]:
    """Groups of changed blocks by OpenCV: their 3 × 3 surroundings touch, be it at a corner."""
    _, labels = cv2.connectedComponents(cv2.dilate(changed, np.ones((3, 3), np.uint8)), connectivity=8)
    return np.where(changed != 0, labels, 0).astype(np.int32)


def find_blobs(
    changed: Bytes,
    strength: Single,
    held_s: Single,
    halo: float,
    sure: float,
    alive_s: float,
    live_share: float,
    lone_strength: float,
) -> Single:
    """Without the halo of each group, the groups of what is left: x1, y1, x2, y2, count, mean strength, live blocks."""
    left = (changed != 0).astype(np.uint8)
    labels = label(left)
    for group in range(1, labels.max() + 1):
        ours = labels == group
        left[ours & (strength < min(sure, halo * float(strength[ours].max())))] = 0
    labels = label(left)
    rows = []
    for group in range(1, labels.max() + 1):
        y, x = np.nonzero(labels == group)
        mean, live = strength[y, x].mean(dtype=np.float64), int((held_s[y, x] < alive_s).sum())
        if live >= max(1, live_share * len(y)) and (len(y) >= 2 or mean >= lone_strength):
            rows.append((-len(y), y[0], x[0], x.min(), y.min(), x.max() + 1, y.max() + 1, len(y), mean, live))
    return np.array([row[3:] for row in sorted(rows)], np.float32).reshape(-1, 7)


def count_lone(before: Bytes, last: Bytes, now: Bytes) -> int:
    """Blocks of ``last`` whose 3 × 3 is empty before and after."""
    either = ((before != 0) | (now != 0)).astype(np.uint8)
    return int(((last != 0) & (maximum_filter(either, 3, mode="constant") == 0)).sum())
