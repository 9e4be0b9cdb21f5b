"""Assignment of rows to columns at the least total cost.

Shortest augmenting paths with potentials, after R. Jonker and A. Volgenant, *Computing* 38 (1987), in the rectangular
form of D. F. Crouse, *IEEE Transactions on Aerospace and Electronic Systems* 52 (2016). A pair above ``limit`` is worth
no more than leaving both alone: every row may also take a column of its own that costs ``limit``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel

Float = NDArray[np.float64]


@kernel("int64[::1](float64[:,::1], float64)")
def assign(cost: Float, limit: float) -> NDArray[np.int64]:
    """For each row of ``cost`` (n, m) its column, or -1: the cheapest matching, where an unmatched row costs ``limit``.

    Pairs that cost more than ``limit`` are never made. Ties are resolved by order, the same way on every run.
    """
    n, m = cost.shape[0], cost.shape[1]
    width = m + n  # the last n columns are the rows' own "nobody"
    owner = np.full(width, -1, np.int64)
    taken = np.full(n, -1, np.int64)
    of_row = np.zeros(n)
    of_column = np.zeros(width)
    for start in range(n):
        shortest = np.full(width, np.inf)
        before = np.full(width, -1, np.int64)
        seen_row = np.zeros(n, np.bool_)
        seen_column = np.zeros(width, np.bool_)
        row, reached, distance = start, -1, 0.0
        while reached < 0:
            seen_row[row] = True
            best, nearest = np.inf, -1
            for j in range(width):
                if seen_column[j]:
                    continue
                if j < m:
                    price = cost[row, j] if cost[row, j] <= limit else np.inf
                else:
                    price = limit if j - m == row else np.inf
                through = distance + price - of_row[row] - of_column[j]
                if through < shortest[j]:
                    shortest[j] = through
                    before[j] = row
                if shortest[j] < best:
                    best, nearest = shortest[j], j
            distance = best
            seen_column[nearest] = True
            if owner[nearest] < 0:
                reached = nearest
            else:
                row = owner[nearest]
        of_row[start] += distance
        for i in range(n):
            if seen_row[i] and i != start:
                of_row[i] += distance - shortest[taken[i]]
        for j in range(width):
            if seen_column[j]:
                of_column[j] -= distance - shortest[j]
        column = reached
        while True:
            i = before[column]
            owner[column] = i
            column, taken[i] = taken[i], column
            if i == start:
                break
    for i in range(n):
        if taken[i] >= m:
            taken[i] = -1
    return taken
