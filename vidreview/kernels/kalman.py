"""A Kalman filter of boxes over elapsed seconds.

Each of centre x, centre y, width and height is a coordinate p with velocity v, and white noise of spectral density q
drives the velocity. Over dt seconds, with F = [[1, dt], [0, 1]]:

    mean' = F mean        cov' = F cov Fᵀ + q [[dt³/3, dt²/2], [dt²/2, dt]]
    K = cov' Hᵀ / (cov'₀₀ + r)     mean = mean' + K (z − p')     cov = cov' − K H cov'

where 1 − K₀ is taken as r / (cov'₀₀ + r): the difference would round to nothing after a long silence.

The four do not interact, so that their 8×8 filter is four 2×2 ones. (R. E. Kalman, 1960; the continuous white-noise
acceleration model: Bar-Shalom, Li, Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 6.2.2.)

``mean`` is (4, 2): p and v of each coordinate; ``cov`` is (4, 3): var p, cov p v, var v of each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel

Float = NDArray[np.float64]


@kernel("void(float64[:,::1], float64[:,::1], float64, float64[::1])")
def predict(mean: Float, cov: Float, dt: float, q: Float) -> None:
    """Move ``mean`` and ``cov`` on by ``dt`` seconds, in place; ``q`` (4,) in pixels² per second³."""
    for k in range(4):
        mean[k, 0] += dt * mean[k, 1]
        cov[k, 0] += dt * (2.0 * cov[k, 1] + dt * cov[k, 2]) + q[k] * dt * dt * dt / 3.0
        cov[k, 1] += dt * cov[k, 2] + q[k] * dt * dt / 2.0
        cov[k, 2] += q[k] * dt


@kernel("void(float64[:,::1], float64[:,::1], float64[::1], float64[::1])")
def update(mean: Float, cov: Float, measured: Float, r: Float) -> None:
    """Take in ``measured`` (4,) centre x, centre y, width, height with variances ``r`` (4,), in place."""
    for k in range(4):
        total = cov[k, 0] + r[k]
        gain_p = cov[k, 0] / total
        gain_v = cov[k, 1] / total
        rest = r[k] / total
        surprise = measured[k] - mean[k, 0]
        mean[k, 0] += gain_p * surprise
        mean[k, 1] += gain_v * surprise
        cov[k, 2] -= gain_v * cov[k, 1]
        cov[k, 1] *= rest
        cov[k, 0] *= rest
