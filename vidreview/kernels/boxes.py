"""Overlap of boxes, ``xyxy``.

iou = |a ∩ b| / |a ∪ b|, inside = |a ∩ b| / |a|; both 0 where a box has no area.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel

Float = NDArray[np.float64]


@kernel("float64[:,::1](float64[:,::1], float64[:,::1])")
def iou_matrix(a: Float, b: Float) -> Float:
    """Intersection over union of every box of ``a`` (n, 4) with every box of ``b`` (m, 4): (n, m)."""
    n, m = a.shape[0], b.shape[0]
    out = np.zeros((n, m))
    for i in range(n):
        area_a = max(0.0, a[i, 2] - a[i, 0]) * max(0.0, a[i, 3] - a[i, 1])
        for j in range(m):
            width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0])
            height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1])
            both = width * height
            # the product of two small sides can be none at all
            if width > 0.0 and height > 0.0 and both > 0.0:
                area_b = (b[j, 2] - b[j, 0]) * (b[j, 3] - b[j, 1])
                out[i, j] = both / (area_a + area_b - both)
    return out


@kernel("float64[:,::1](float64[:,::1], float64[:,::1])")
def inside_matrix(a: Float, b: Float) -> Float:
    """Share of each box of ``a`` (n, 4) that lies inside each box of ``b`` (m, 4): (n, m)."""
    n, m = a.shape[0], b.shape[0]
    out = np.zeros((n, m))
    for i in range(n):
        area = max(0.0, a[i, 2] - a[i, 0]) * max(0.0, a[i, 3] - a[i, 1])
        for j in range(m):
            width = min(a[i, 2], b[j, 2]) - max(a[i, 0], b[j, 0])
            height = min(a[i, 3], b[j, 3]) - max(a[i, 1], b[j, 1])
            both = width * height
            if width > 0.0 and height > 0.0 and both > 0.0:
                out[i, j] = both / area
    return out
