"""From changed blocks to blobs: connected groups, without the halo around what is strong.

Two changed blocks are of one group when at most two blocks lie between them, that is, when max(|Δx|, |Δy|) ≤ 3, or when
a chain of such pairs joins them. Groups are the sets of a union-find whose root is the first block in reading order.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel
from vidreview.kernels.marks import positions

Float = NDArray[np.float32]

#: blocks further apart than this are not joined
REACH = 3


@kernel("int64(int64[::1], int64)")
def _root(parent: NDArray[np.int64], k: int) -> int:
    """The first member of ``k``'s group; the way there is shortened."""
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


@kernel("int64[::1](int64[::1], int64[::1])")
def groups(ys: NDArray[np.int64], xs: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each of n blocks, at ``ys``, ``xs`` in reading order, the position of the first block of its group: (n,).

    Blocks of one row with no more than two between them form a run, and no place within a run is more than one block
    from one that changed. So two runs are joined by their ends alone: neither begins more than ``REACH`` after the
    other ends, in rows no further apart.
    """
    n = ys.size
    run_of = np.empty(n, np.int64)
    first, last = np.empty(n, np.int64), np.empty(n, np.int64)
    runs = 0
    for k in range(n):
        if k == 0 or ys[k] != ys[k - 1] or xs[k] - xs[k - 1] > REACH:
            first[runs] = k
            runs += 1
        last[runs - 1] = k
        run_of[k] = runs - 1
    parent = np.arange(runs)
    oldest = 0
    for i in range(runs):
        y, left, right = ys[first[i]], xs[first[i]], xs[last[i]]
        while ys[first[oldest]] < y - REACH:
            oldest += 1
        for j in range(oldest, i):
            if xs[first[j]] - right <= REACH and left - xs[last[j]] <= REACH:
                a, b = _root(parent, i), _root(parent, j)
                parent[max(a, b)] = min(a, b)
    out = np.empty(n, np.int64)
    for k in range(n):
        out[k] = first[_root(parent, run_of[k])]
    return out


@kernel(
    types.float32[:, ::1](
        types.uint8[:, ::1],
        types.float32[:, ::1],
        types.float32[:, ::1],
        types.float64,
        types.float64,
        types.float64,
        types.float64,
        types.float64,
    )
)
def find_blobs(
    changed: NDArray[np.uint8],
    strength: Float,
    held_s: Float,
    halo: float,
    sure: float,
    alive_s: float,
    live_share: float,
    lone_strength: float,
) -> Float:
    """Each group's x1, y1, x2, y2 in blocks, count, mean strength and live blocks: (n, 7), largest first.

    First the blocks weaker than ``halo`` of their group's strongest are left out, but none of strength ``sure``: what
    surrounds an object, its shadow and the camera's answer to it, changes less than the object itself. What is left is
    grouped again. A block is live when it has held one value for less than ``alive_s`` seconds: a group with fewer live
    blocks than ``live_share`` of its own stands there differently, and does not move. A lone block is noise unless its
    strength is ``lone_strength``. Groups of one size come in reading order.
    """
    rows, columns = changed.shape[0], changed.shape[1]
    where = positions(changed.reshape(rows * columns))
    n = where.size
    ys, xs = where // columns, where % columns
    group = groups(ys, xs)
    peak = np.zeros(n, np.float32)
    for k in range(n):
        peak[group[k]] = max(peak[group[k]], strength[ys[k], xs[k]])
    kept = 0
    for k in range(n):
        if np.float64(strength[ys[k], xs[k]]) >= min(sure, halo * np.float64(peak[group[k]])):
            ys[kept], xs[kept] = ys[k], xs[k]
            kept += 1
    if kept < n:
        group = groups(ys[:kept].copy(), xs[:kept].copy())
    found = np.zeros((kept, 7), np.float32)
    for k in range(kept):
        y, x = ys[k], xs[k]
        one = found[group[k]]
        if one[4] == 0:
            one[0], one[1], one[2], one[3] = x, y, x + 1, y + 1
        one[0] = min(one[0], np.float32(x))
        one[1] = min(one[1], np.float32(y))
        one[2] = max(one[2], np.float32(x + 1))
        one[3] = max(one[3], np.float32(y + 1))
        one[4] += np.float32(1.0)
        one[5] += strength[y, x]
        if held_s[y, x] < alive_s:
            one[6] += np.float32(1.0)
    order = np.empty(kept, np.int64)
    count = 0
    for k in range(kept):
        if found[k, 4] == 0:
            continue
        found[k, 5] /= found[k, 4]
        moves = found[k, 6] >= max(1.0, live_share * np.float64(found[k, 4]))
        if not moves or (found[k, 4] < 2 and found[k, 5] < lone_strength):
            continue
        # the first block of a group is its first in reading order, so that equals stay as they come
        place = count
        while place > 0 and found[order[place - 1], 4] < found[k, 4]:
            order[place] = order[place - 1]
            place -= 1
        order[place] = k
        count += 1
    out = np.empty((count, 7), np.float32)
    for k in range(count):
        out[k] = found[order[k]]
    return out


@kernel("int64(uint8[:,::1], uint8[:,::1], uint8[:,::1])")
def count_lone(before: NDArray[np.uint8], last: NDArray[np.uint8], now: NDArray[np.uint8]) -> int:
    """How many changed blocks of ``last`` stand alone in time: none of the 3 × 3 about them changed before or after."""
    rows, columns = last.shape[0], last.shape[1]
    count = 0
    for k in positions(last.reshape(rows * columns)):
        y, x = k // columns, k % columns
        # most of what has changed still changes where it did
        if before[y, x] | now[y, x]:
            continue
        near = 0
        for v in range(max(0, y - 1), min(rows, y + 2)):
            for u in range(max(0, x - 1), min(columns, x + 2)):
                near += before[v, u] | now[v, u]
        count += near == 0
    return count
