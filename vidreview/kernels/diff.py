"""Arithmetic of the motion gate on block means of luma."""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from vidreview.kernels._jit import PLANE, kernel

Float = NDArray[np.float32]

#: verdicts of ``compare`` on a block
SAME, REVEALED, CHANGED = 0, 1, 2


@kernel(types.void(PLANE, types.int64, types.int64, types.int64, types.int64, types.float32[:, ::1]))
def block_means(plane: NDArray[np.uint8], stride: int, height: int, width: int, block: int, out: Float) -> None:
    """Mean of each ``block`` × ``block`` square of a plane whose rows begin ``stride`` bytes apart, into ``out``.

    ``out`` is (⌈height / block⌉, ⌈width / block⌉); squares at the right and lower edge are as small as what is left.
    """
    rows, columns = out.shape[0], out.shape[1]
    sums = np.zeros(width, np.uint32)
    for by in range(rows):
        top, bottom = by * block, min(height, (by + 1) * block)
        sums[:] = 0
        for y in range(top, bottom):
            line = plane[y * stride : y * stride + width]
            for x in range(width):
                sums[x] += line[x]
        for bx in range(columns):
            left, right = bx * block, min(width, (bx + 1) * block)
            total = np.uint32(0)
            for x in range(left, right):
                total += sums[x]
            out[by, bx] = np.float32(total) / np.float32((bottom - top) * (right - left))


@kernel(types.void(PLANE, types.int64, types.int64, types.int64, types.int64, types.float32[:, ::1]))
def block_ranges(plane: NDArray[np.uint8], stride: int, height: int, width: int, block: int, out: Float) -> None:
    """Difference of the brightest and darkest pixel of each square, laid out as for ``block_means``."""
    rows, columns = out.shape[0], out.shape[1]
    low = np.zeros(width, np.uint8)
    high = np.zeros(width, np.uint8)
    for by in range(rows):
        low[:] = 255
        high[:] = 0
        for y in range(by * block, min(height, (by + 1) * block)):
            line = plane[y * stride : y * stride + width]
            for x in range(width):
                low[x] = min(low[x], line[x])
                high[x] = max(high[x], line[x])
        for bx in range(columns):
            darkest, brightest = np.uint8(255), np.uint8(0)
            for x in range(bx * block, min(width, (bx + 1) * block)):
                darkest = min(darkest, low[x])
                brightest = max(brightest, high[x])
            out[by, bx] = np.float32(np.int64(brightest) - np.int64(darkest))


@kernel("UniTuple(float64, 2)(float32[::1], float32[::1], int64, float64)")
def fit_light(now: Float, mean: Float, step: int, loose: float) -> tuple[float, float]:
    """Gain g and offset o of ``now ≈ g · mean + o`` over every ``step``-th block, blind to what else has changed.

    Least squares on the blocks that the previous round explains within ``loose`` levels, four rounds, beginning from
    the median difference. Gain stays 1 where the blocks are too alike to tell it from an offset.
    """
    count = (now.size + step - 1) // step
    differences = np.empty(count, np.float64)
    for k in range(count):
        differences[k] = np.float64(now[k * step]) - np.float64(mean[k * step])
    offset = float(np.median(differences))
    gain = 1.0
    tolerance = 4.0 * loose
    for _ in range(4):
        n, sx, sy, sxx, sxy = 0.0, 0.0, 0.0, 0.0, 0.0
        for k in range(count):
            x = np.float64(mean[k * step])
            y = np.float64(now[k * step])
            if abs(y - gain * x - offset) <= tolerance:
                n += 1.0
                sx += x
                sy += y
                sxx += x * x
                sxy += x * y
        if n < 8.0 or n < 0.1 * count:
            break
        spread = sxx / n - (sx / n) * (sx / n)
        gain = 1.0
        if spread > 25.0:
            gain = min(4.0, max(0.25, (sxy / n - sx / n * sy / n) / spread))
        offset = sy / n - gain * sx / n
        tolerance = max(loose, 0.5 * tolerance)
    return gain, offset


@kernel(
    "void(float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1],"
    " float32[::1], float64, float64, float64, float64, float64, float64, float64, float64, uint8[::1], float32[::1])"
)
def compare(
    now: Float,
    mean: Float,
    old: Float,
    noise: Float,
    slack: Float,
    held: Float,
    held_s: Float,
    lived_s: Float,
    gain: float,
    offset: float,
    dt: float,
    threshold: float,
    least: float,
    absorb_s: float,
    learn_s: float,
    forget_s: float,
    verdict: NDArray[np.uint8],
    strength: Float,
) -> None:
    """Compare each block with its background and let the background follow, in place.

    A block is SAME within ``threshold`` · noise, or ``slack``, or ``least`` levels, whichever is most, of
    ``gain`` · mean + ``offset`` (within 0 to 255), and a quarter of what those two change; REVEALED when it is what the
    background was before something stood there (``old``, NaN for none); else CHANGED. A changed block that holds one
    value for ``absorb_s`` seconds becomes background, and the one before is remembered as ``old`` until it is seen
    again or the new one has stood for ``forget_s``. ``strength`` is the change in multiples of the limit. ``lived_s``
    counts the background's own seconds: until ``learn_s`` it follows as a plain mean, and within 1 s where the light
    has moved it by more than ``least``. ``verdict`` comes in as of the last frame: each time a block leaves SAME, its
    noise grows a little.
    """
    slowly, soon = min(1.0, dt / learn_s), min(1.0, dt)
    steady = gain == 1.0 and offset == 0.0
    for k in range(now.size):
        x = np.float64(now[k])
        expected = min(255.0, max(0.0, gain * np.float64(mean[k]) + offset))
        change = x - expected
        size = abs(change)
        # by how much the light has moved a block is itself known only roughly
        moved = abs(expected - np.float64(mean[k]))
        limit = max(least, threshold * np.float64(noise[k]), np.float64(slack[k])) + 0.25 * moved
        strength[k] = np.float32(size / limit)
        # what the light does to a block must soon be background, or a figure is lost in the quarter above
        light = soon if moved > least else slowly
        if not steady:
            # the light moves what is hidden, too
            old[k] = np.float32(old[k] + light * ((gain - 1.0) * np.float64(old[k]) + offset))
        # one value held for a while stands; a little closer than the limit, so that what is just beyond it is not held
        if abs(x - np.float64(held[k])) <= 0.75 * limit:
            held_s[k] = np.float32(held_s[k] + dt)
            held[k] = np.float32(held[k] + soon * (x - held[k]))
        else:
            held[k] = np.float32(x)
            held_s[k] = np.float32(0.0)
        if size <= limit:
            verdict[k] = SAME
            follow = max(light, dt / max(dt, min(np.float64(lived_s[k]) + dt, learn_s)))
            mean[k] = np.float32(mean[k] + follow * (x - mean[k]))
            noise[k] = np.float32(noise[k] + 0.3 * follow * (1.25 * size - noise[k]))
            lived_s[k] = np.float32(lived_s[k] + dt)
            if lived_s[k] >= forget_s:
                old[k] = np.float32(np.nan)
            continue
        if verdict[k] == SAME:
            # what comes and goes again and again (leaves, water) is this block's noise; one passer-by is not
            noise[k] = np.float32(noise[k] + 0.05 * (min(size, 3.0 * limit) - noise[k]))
        mean[k] = np.float32(mean[k] + light * (expected - mean[k]))
        revealed = not np.isnan(old[k]) and abs(x - (gain * np.float64(old[k]) + offset)) <= limit
        verdict[k] = REVEALED if revealed else CHANGED
        if held_s[k] >= (1.0 if revealed else absorb_s):
            if revealed:
                # what stood there has gone; kept in mind, it would hide the next thing that looks like it
                old[k] = np.float32(np.nan)
            elif np.isnan(old[k]) and lived_s[k] >= absorb_s:
                old[k] = mean[k]
            # background from here on, in the light that the rest of the background is remembered in
            verdict[k] = SAME
            mean[k] = np.float32(min(255.0, max(0.0, (np.float64(held[k]) - offset) / gain)))
            lived_s[k] = np.float32(max(0.0, min(np.float64(held_s[k]), learn_s)))


@kernel("void(float32[::1], float32[::1], float64, float64, float64, float32[:,::1])")
def count_ticks(now: Float, before: Float, seconds: float, dt: float, least: float, ticks: Float) -> None:
    """Note when in the second each block jumps, and how far; ``ticks`` (5, n) fades over 60 s.

    Its rows are the number of jumps, Σcos and Σsin of their phases, and the sums of the jumps and of their sizes. A
    burned-in clock's digits jump by more than ``least`` levels once a second at one phase, now up, now down; nothing
    that walks does. A block's own noise is no measure here: where digits stand, the digits are what it has learnt.
    """
    fade = np.float32(np.exp(-dt / 60.0))
    angle = 2.0 * np.pi * seconds
    east, north = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    for row in range(5):
        for k in range(now.size):
            ticks[row, k] *= fade
    for k in range(now.size):
        jump = now[k] - before[k]
        if abs(jump) > least:
            ticks[0, k] += np.float32(1.0)
            ticks[1, k] += east
            ticks[2, k] += north
            ticks[3, k] += jump
            ticks[4, k] += abs(jump)


@kernel("void(int32[:,::1], uint8[:,::1], float32[:,::1], float64, float64, int64)")
def drop_halo(
    labels: NDArray[np.int32], changed: NDArray[np.uint8], strength: Float, share: float, most: float, count: int
) -> None:
    """Clear in ``changed`` the blocks of each of ``count`` labels weaker than ``share`` of its strongest, in place.

    What surrounds an object, its shadow and the camera's answer to it, changes less than the object itself; a block
    of strength ``most`` is never cleared.
    """
    peak = np.zeros(count, np.float32)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if changed[y, x] != 0:
                k = labels[y, x] - 1
                peak[k] = max(peak[k], strength[y, x])
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if changed[y, x] != 0 and strength[y, x] < min(most, share * peak[labels[y, x] - 1]):
                changed[y, x] = 0


@kernel("void(int32[:,::1], uint8[:,::1], float32[:,::1], float32[:,::1], float64, float32[:,::1])")
def blob_boxes(
    labels: NDArray[np.int32],
    changed: NDArray[np.uint8],
    strength: Float,
    held_s: Float,
    alive_s: float,
    out: Float,
) -> None:
    """Sum up each label's changed blocks: ``out`` (n, 7) gets x1, y1, x2, y2 in blocks, count, mean strength, live.

    ``labels`` (rows, columns) counts from 1; blocks that did not change lie between, not in, a blob. A block is live
    when it has held one value for less than ``alive_s``: what only stands there differently has none.
    """
    n = out.shape[0]
    for k in range(n):
        out[k, 0], out[k, 1] = np.float32(labels.shape[1]), np.float32(labels.shape[0])
        for c in range(2, 7):
            out[k, c] = np.float32(0.0)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if changed[y, x] == 0:
                continue
            k = labels[y, x] - 1
            out[k, 0] = min(out[k, 0], np.float32(x))
            out[k, 1] = min(out[k, 1], np.float32(y))
            out[k, 2] = max(out[k, 2], np.float32(x + 1))
            out[k, 3] = max(out[k, 3], np.float32(y + 1))
            out[k, 4] += np.float32(1.0)
            out[k, 5] += strength[y, x]
            if held_s[y, x] < alive_s:
                out[k, 6] += np.float32(1.0)
    for k in range(n):
        out[k, 5] /= max(np.float32(1.0), out[k, 4])
