"""Where few of many bytes are set: marks of blocks are mostly 0, and are passed over eight at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel


@kernel("int64[::1](uint8[::1])")
def positions(marks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """{k : marks[k] ≠ 0} in rising order, (n,)."""
    size = marks.size
    words = marks[: size // 8 * 8].view(np.uint64)
    out = np.empty(size, np.int64)
    n = 0
    for word in range(words.size):
        if words[word] == 0:
            continue
        for k in range(8 * word, 8 * word + 8):
            if marks[k] != 0:
                out[n] = k
                n += 1
    for k in range(8 * words.size, size):
        if marks[k] != 0:
            out[n] = k
            n += 1
    return out[:n].copy()
