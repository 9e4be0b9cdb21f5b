"""Arithmetic of the motion gate on block means of luma.

The state of a background is a set of arrays of one length, a value for each block. The loops over them are short and
plain, with choices between values rather than branches or loads, so that they are vectorised; what is rare is dealt
with apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel
from vidreview.kernels.marks import positions

Float = NDArray[np.float32]

#: verdicts of ``compare`` on a block
SAME, REVEALED, CHANGED = 0, 1, 2
#: blocks that are gone through at once: what is known of them fits into the processor's nearest cache
TILE = 512
#: share of the blocks that yesterday's light must explain before it is taken as the beginning of today's
AGREES = 0.6


@kernel("UniTuple(float64, 2)(float32[::1], float32[::1], int64, float64, float64, float64)")
def fit_light(now: Float, mean: Float, step: int, loose: float, gain: float, offset: float) -> tuple[float, float]:
    """Gain g and offset o of ``now ≈ g · mean + o`` over every ``step``-th block, blind to what else has changed.

    Least squares on the blocks that the previous round explains within ``loose`` levels. The rounds begin from the
    ``gain`` and ``offset`` handed in, the last frame's, when these explain most blocks, else from the median
    difference, with a tolerance that narrows in four rounds. Gain stays 1 where the blocks are too alike to tell it
    from an offset.
    """
    count = (now.size + step - 1) // step
    agree = np.int64(0)
    for k in range(count):
        agree += abs(np.float64(now[k * step]) - gain * np.float64(mean[k * step]) - offset) <= loose
    tolerance = 2.0 * loose
    if agree < AGREES * count:
        differences = np.empty(count, np.float64)
        for k in range(count):
            differences[k] = np.float64(now[k * step]) - np.float64(mean[k * step])
        gain, offset, tolerance = 1.0, float(np.median(differences)), 4.0 * loose
    while True:
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
        if tolerance <= loose:
            break
        tolerance = max(loose, 0.5 * tolerance)
    return gain, offset


@kernel("float64(float32[::1], int64)")
def typical(values: Float, step: int) -> float:
    """Median of every ``step``-th value."""
    return float(np.median(values[::step].copy()))


@kernel("UniTuple(float64, 2)(float32[::1], float32[::1], int64)")
def typical_jump(now: Float, before: Float, step: int) -> tuple[float, float]:
    """Median of ``now`` − ``before`` over every ``step``-th block, and the median distance from it."""
    count = (now.size + step - 1) // step
    jumps = np.empty(count, np.float64)
    for k in range(count):
        jumps[k] = np.float64(now[k * step]) - np.float64(before[k * step])
    light = float(np.median(jumps))
    for k in range(count):
        jumps[k] = abs(jumps[k] - light)
    return light, float(np.median(jumps))


@kernel(
    "int64(float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1], float32[::1],"
    " float32[::1], uint8[::1], float64, float64, float64, float64, float64, float64, float64, float64, uint8[::1],"
    " float32[::1], uint8[::1])"
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
    masked: NDArray[np.uint8],
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
    changed: NDArray[np.uint8],
) -> int:
    """Compare each block with its background and let the background follow, in place; how many have ``changed``.

    A block is SAME within ``threshold`` · noise, or ``slack``, or ``least`` levels, whichever is most, of
    ``gain`` · mean + ``offset`` (within 0 to 255), and a quarter of what those two change; REVEALED when it is what the
    background was before something stood there (``old``, NaN for none); else CHANGED. A changed block that holds one
    value for ``absorb_s`` seconds becomes background, and the one before is remembered as ``old`` until it is seen
    again or the new one has stood for ``forget_s``. ``lived_s`` counts the background's own seconds: until ``learn_s``
    it follows as a plain mean, and within 1 s where the light has moved it by more than ``least``. ``verdict`` comes in
    as of the last frame: each time a block leaves SAME, its noise grows a little. ``strength`` is the change of what is
    not SAME, in multiples of the limit, else 0; ``changed`` is 1 for CHANGED where ``masked`` is 0.
    """
    g, o, t, limit_of_noise = np.float32(gain), np.float32(offset), np.float32(dt), np.float32(threshold)
    lowest, learnt, forgotten = np.float32(least), np.float32(learn_s), np.float32(forget_s)
    none, one, white = np.float32(0.0), np.float32(1.0), np.float32(255.0)
    slowly, soon = min(one, t / learnt), min(one, t)
    lit = g != one or o != none
    expected = np.empty(TILE, np.float32)
    limit = np.empty(TILE, np.float32)
    light = np.empty(TILE, np.float32)
    strength[:] = none
    count = 0
    for first in range(0, now.size, TILE):
        last = min(now.size, first + TILE)
        size = last - first
        level, base, before, jitter = now[first:last], mean[first:last], old[first:last], noise[first:last]
        edges, value, value_s, age_s = slack[first:last], held[first:last], held_s[first:last], lived_s[first:last]
        hidden, said, power = masked[first:last], verdict[first:last], strength[first:last]
        differs = changed[first:last]
        for k in range(size):
            expected[k] = min(white, max(none, g * base[k] + o))
        for k in range(size):
            # by how much the light has moved a block is itself known only roughly
            rough = np.float32(0.25) * abs(expected[k] - base[k])
            limit[k] = max(lowest, max(limit_of_noise * jitter[k], edges[k])) + rough
        for k in range(size):
            # what the light does to a block must soon be background, or a figure is lost in the quarter above
            light[k] = soon if abs(expected[k] - base[k]) > lowest else slowly
        if lit:
            for k in range(size):
                # the light moves what is hidden, too
                before[k] = before[k] + light[k] * ((g - one) * before[k] + o)
        for k in range(size):
            # one value held for a while stands; a little closer than the limit, so that what is just beyond is not held
            seen, longer = level[k], value_s[k] + t
            closer = value[k] + soon * (seen - value[k])
            stays = abs(seen - value[k]) <= np.float32(0.75) * limit[k]
            value_s[k] = longer if stays else none
            value[k] = closer if stays else seen
        for k in range(size):
            # what is not the same goes its own way below; here it follows the light alone
            away = abs(level[k] - expected[k])
            follow = max(light[k], t / max(t, min(age_s[k] + t, learnt)))
            share = np.float32(0.3) * follow if away <= limit[k] else none
            jitter[k] = jitter[k] + share * (np.float32(1.25) * away - jitter[k])
        for k in range(size):
            same = abs(level[k] - expected[k]) <= limit[k]
            follow = max(light[k], t / max(t, min(age_s[k] + t, learnt)))
            base[k] = base[k] + (follow * (level[k] - base[k]) if same else light[k] * (expected[k] - base[k]))
        for k in range(size):
            age_s[k] = age_s[k] + (t if abs(level[k] - expected[k]) <= limit[k] else none)
        for k in range(size):
            long = abs(level[k] - expected[k]) <= limit[k] and age_s[k] >= forgotten
            before[k] = np.float32(np.nan) if long else before[k]
        for k in range(size):
            differs[k] = 1 if abs(level[k] - expected[k]) > limit[k] else 0
        for k in range(size):
            said[k] = said[k] * differs[k]  # else SAME
        for k in positions(differs):
            away = abs(level[k] - expected[k])
            differs[k] = 0
            power[k] = away / limit[k]
            if said[k] == SAME:
                # what comes and goes again and again (leaves, water) is this block's noise; one passer-by is not
                jitter[k] = jitter[k] + np.float32(0.05) * (min(away, np.float32(3.0) * limit[k]) - jitter[k])
            revealed = not np.isnan(before[k]) and abs(level[k] - (g * before[k] + o)) <= limit[k]
            said[k] = REVEALED if revealed else CHANGED
            if value_s[k] >= (1.0 if revealed else absorb_s):
                if revealed:
                    # what stood there has gone; kept in mind, it would hide the next thing that looks like it
                    before[k] = np.float32(np.nan)
                elif np.isnan(before[k]) and age_s[k] >= absorb_s:
                    before[k] = base[k]
                # background from here on, in the light that the rest of the background is remembered in
                said[k] = SAME
                base[k] = min(white, max(none, (value[k] - o) / g))
                age_s[k] = max(none, min(value_s[k], learnt))
            elif not revealed and hidden[k] == 0:
                differs[k] = 1
                count += 1
    return count


@kernel("float64(float32[:,::1], float32[:,::1], float32[:,::1], float64, float64, int64, float64, float32[:,::1])")
def find_contrast(
    ranges: Float,
    mean: Float,
    now: Float,
    gain: float,
    offset: float,
    step: int,
    least: float,
    contrast: Float,
) -> float:
    """How strong an edge lies in or beside each block, into ``contrast``, and how far the picture trembles on them.

    A block's contrast is its own range or that of the 3 × 3 background ``mean`` about it, whichever is more. The
    tremble is the median of |``now`` − (``gain`` · mean + ``offset``)| / contrast over the blocks whose contrast is at
    least ``least`` and that of every ``step``-th block's median; −1 where these are fewer than 16.
    """
    rows, columns = mean.shape[0], mean.shape[1]
    low, high = np.empty(columns, np.float32), np.empty(columns, np.float32)
    for y in range(rows):
        low[:] = mean[y]
        high[:] = mean[y]
        for v in range(max(0, y - 1), min(rows, y + 2)):
            for x in range(columns):
                low[x] = min(low[x], mean[v, x])
                high[x] = max(high[x], mean[v, x])
        for x in range(columns):
            left, right = max(0, x - 1), min(columns - 1, x + 1)
            darkest = min(low[x], min(low[left], low[right]))
            brightest = max(high[x], max(high[left], high[right]))
            contrast[y, x] = max(ranges[y, x], brightest - darkest)
    every = contrast.reshape(rows * columns)[::step].copy()
    telling = max(least, float(np.median(every)))
    moved = np.empty(rows * columns, np.float64)
    n = 0
    for y in range(rows):
        for x in range(columns):
            if contrast[y, x] >= telling:
                away = np.float64(now[y, x]) - (gain * np.float64(mean[y, x]) + offset)
                moved[n] = abs(away) / np.float64(contrast[y, x])
                n += 1
    return float(np.median(moved[:n])) if n >= 16 else -1.0


@kernel("void(float32[::1], float32[::1], float64, float64, float64, float32[:,::1])")
def count_ticks(now: Float, before: Float, seconds: float, weight: float, least: float, ticks: Float) -> None:
    """Note with ``weight`` when in the second each block jumps, and how far, in ``ticks`` (5, n).

    Its rows are the number of jumps, Σcos and Σsin of their phases, and the sums of the jumps and of their sizes. A
    burned-in clock's digits jump by more than ``least`` levels once a second at one phase, now up, now down; nothing
    that walks does. A block's own noise is no measure here: where digits stand, the digits are what it has learnt.
    """
    angle = 2.0 * np.pi * seconds
    one, limit = np.float32(weight), np.float32(least)
    east, north = np.float32(weight * np.cos(angle)), np.float32(weight * np.sin(angle))
    for first in range(0, now.size, TILE):
        last = min(now.size, first + TILE)
        level, last_level = now[first:last], before[first:last]
        jumps = 0
        for k in range(last - first):
            jumps += 1 if abs(level[k] - last_level[k]) > limit else 0
        if jumps == 0:
            continue
        for k in range(first, last):
            jump = now[k] - before[k]
            if abs(jump) > limit:
                ticks[0, k] += one
                ticks[1, k] += east
                ticks[2, k] += north
                ticks[3, k] += one * jump
                ticks[4, k] += one * abs(jump)
