"""Means and ranges of square blocks of a luma plane.

mean = Σ pixels / count, range = brightest − darkest. The plane is read as 64-bit words, eight pixels at a time: the
even and odd bytes of a word are added up side by side in four 16-bit lanes, which hold the sums of a block's rows. That
is several times faster than adding bytes, and as exact.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from vidreview.kernels._jit import PLANE, WORDS, kernel

Float = NDArray[np.float32]

#: sides that a block may have, pixels: half of a word, or whole words, whose lanes cannot overflow
SIDES = (4, 8, 16)


@kernel(types.void(PLANE, WORDS, types.int64, types.int64, types.int64, types.int64, types.float32[:, ::1]))
def block_means(
    plane: NDArray[np.uint8],
    words: NDArray[np.uint64],
    stride: int,
    height: int,
    width: int,
    block: int,
    out: Float,
) -> None:
    """Mean of each ``block`` × ``block`` square of a plane whose rows begin ``stride`` bytes apart, into ``out``.

    ``words`` is the same memory as ``plane`` in whole words, ``stride`` a multiple of 8 and ``block`` one of ``SIDES``.
    ``out`` is (⌈height / block⌉, ⌈width / block⌉); squares at the right and lower edge are as small as what is left.
    """
    even, low = np.uint64(0x00FF00FF00FF00FF), np.uint64(0xFFFF)
    byte, lane, half = np.uint64(8), np.uint64(16), np.uint64(32)
    rows, columns = out.shape[0], out.shape[1]
    row_words, whole_words = stride // 8, width // 8
    sums = np.zeros(whole_words, np.uint64)
    whole = 2 * whole_words if block == 4 else 8 * whole_words // block
    for by in range(rows):
        top, bottom = by * block, min(height, (by + 1) * block)
        sums[:] = 0
        for y in range(top, bottom):
            line = words[y * row_words : y * row_words + whole_words]
            for x in range(whole_words):
                sums[x] += (line[x] & even) + ((line[x] >> byte) & even)
        share = np.float32((bottom - top) * block)
        line_out = out[by]
        if block == 4:
            for x in range(whole_words):
                # the lower half of a word is the left block
                pair = sums[x] + (sums[x] >> lane)
                line_out[2 * x] = np.float32(pair & low) / share
                line_out[2 * x + 1] = np.float32((pair >> half) & low) / share
        else:
            for x in range(whole_words):
                pair = sums[x] + (sums[x] >> half)
                sums[x] = (pair & low) + ((pair >> lane) & low)
            each = block // 8
            for bx in range(whole):
                total = np.uint64(0)
                for x in range(bx * each, (bx + 1) * each):
                    total += sums[x]
                line_out[bx] = np.float32(total) / share
        for bx in range(whole, columns):
            left, right = bx * block, min(width, (bx + 1) * block)
            rest = np.int64(0)
            for y in range(top, bottom):
                for x in range(left, right):
                    rest += np.int64(plane[y * stride + x])
            line_out[bx] = np.float32(rest) / np.float32((bottom - top) * (right - left))


@kernel(types.void(PLANE, types.int64, types.int64, types.int64, types.int64, types.float32[:, ::1]))
def block_ranges(plane: NDArray[np.uint8], stride: int, height: int, width: int, block: int, out: Float) -> None:
    """Difference of the brightest and darkest pixel of each square, laid out as for ``block_means``."""
    rows, columns = out.shape[0], out.shape[1]
    low, high = np.zeros(width, np.uint8), np.zeros(width, np.uint8)
    for by in range(rows):
        low[:] = 255
        high[:] = 0
        for y in range(by * block, min(height, (by + 1) * block)):
            line = plane[y * stride : y * stride + width]
            for x in range(width):
                low[x] = min(low[x], line[x])
            for x in range(width):
                high[x] = max(high[x], line[x])
        for bx in range(columns):
            darkest, brightest = np.uint8(255), np.uint8(0)
            for x in range(bx * block, min(width, (bx + 1) * block)):
                darkest = min(darkest, low[x])
                brightest = max(brightest, high[x])
            out[by, bx] = np.float32(np.int64(brightest) - np.int64(darkest))
