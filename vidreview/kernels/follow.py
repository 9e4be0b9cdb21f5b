"""Detections of a whole sequence → courses, looking ahead: chains from frame to frame, joins over gaps, smoothing.

A box is centre x, centre y, width, height; its size is s = (width + height) / 2. A course is the Kalman filter's
(``kernels/kalman.py``), noise in shares of the size. What a detection z costs as the next of a course, rather than as
another's, is how unlikely the filter finds it, with the tails of a Student distribution of ν degrees:

    cost = Σ_k (ν+1)/2 · ln(1 + (z_k − p_k)² / (ν S_k)) + ½ ln(S_k / r_k)        S_k = cov_k,00 + r_k

The same between the end of a chain, run forward, and the beginning of another, run backward, gap seconds later, each
coordinate with its velocity, d = (Δp, Δv), S = cov_forward + cov_backward (2, 2), and v the spread of new velocities:

    cost = Σ_k (ν+2)/2 · ln(1 + dᵀ S⁻¹ d / ν) + ½ ln(det S / (r_k v_k²)) − ½ w_k²/u_k − ½ ln(u_k / v_k²) + c · gap
           w_k the beginning's velocity, u_k = v_k² + its variance: how unlikely it is as that of something new

A detector's errors last: it is wrong in the same way for a while, so that many detections of one second tell hardly
more than a few. The filter that associates therefore takes each for noisier than it is, by 1 + τ/step.

The smoother is H. E. Rauch, F. Tung, C. T. Striebel, *AIAA Journal* 3 (1965).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel
from vidreview.kernels.assign import assign
from vidreview.kernels.kalman import predict, update

Float = NDArray[np.float64]
Whole = NDArray[np.int64]

#: how well a detection's centre is known, in sizes; the variance of its width is twice that, of its height three times
ERROR, WIDTH_SHARE, HEIGHT_SHARE = 0.11, 2.0, 3.0
#: spectral density of the noise that drives the velocity of the centre, and of width and height, sizes² a second³
WANDER, GROW = 0.05, 0.012
#: how fast something new may move and grow, sizes a second
NEW_SPEED, NEW_GROWTH = 0.7, 0.2
#: degrees of freedom of the tails
TAILS = 10.0
#: how long a detector's error lasts, seconds
LASTS_S = 0.5
#: the most that a detection may cost a chain, and a chain another; a weak detection costs more by so much
CHAIN_COST, JOIN_COST, WEAK_COST = 8.0, 6.5, 1.0
#: a chain waits so long for its next detection, seconds
PATIENCE_S = 2.0
#: the longest gap to join over, seconds, and what a second of it costs
JOIN_S, GAP_COST = 5.0, 0.25
#: a detection that overlaps one already given begins nothing
SAME = 0.15
#: of the candidates that may continue one chain, the cheapest are kept
CANDIDATES = 8


@kernel("float64(float64[::1])")
def size_of(box: Float) -> float:
    """Mean of width and height, at least 4 pixels."""
    size: float = max(4.0, (box[2] + box[3]) / 2.0)
    return size


@kernel("void(float64, float64, float64[::1])")
def errors(size: float, share: float, r: Float) -> None:
    """Variances of a detection's coordinates into ``r`` (4,), pixels², ``share`` times as large as one by itself."""
    r[0] = r[1] = share * (ERROR * size) ** 2
    r[2] = WIDTH_SHARE * r[0]
    r[3] = HEIGHT_SHARE * r[0]


@kernel("void(float64[:,::1], float64[:,::1], float64[::1])")
def begin(mean: Float, cov: Float, box: Float) -> None:
    """Set a filter to a first box, velocity unknown, in place."""
    size = size_of(box)
    r = np.empty(4)
    errors(size, 1.0, r)
    for k in range(4):
        mean[k, 0], mean[k, 1] = box[k], 0.0
        speed = NEW_SPEED if k < 2 else NEW_GROWTH
        cov[k, 0], cov[k, 1], cov[k, 2] = r[k], 0.0, (speed * size) ** 2


@kernel("void(float64[:,::1], float64[:,::1], float64)")
def advance(mean: Float, cov: Float, dt: float) -> None:
    """Move a filter on by ``dt`` seconds, in place."""
    size = max(4.0, (mean[2, 0] + mean[3, 0]) / 2.0)
    q = np.empty(4)
    q[0] = q[1] = WANDER * size * size
    q[2] = q[3] = GROW * size * size
    predict(mean, cov, dt, q)


@kernel("float64(float64[:,::1], float64[:,::1], float64[::1], float64[::1])")
def surprise(mean: Float, cov: Float, box: Float, r: Float) -> float:
    """What ``box`` costs as the next of the course whose filter stands at its time."""
    cost = 0.0
    for k in range(4):
        spread = cov[k, 0] + r[k]
        away = box[k] - mean[k, 0]
        cost += (TAILS + 1.0) / 2.0 * math.log(1.0 + away * away / (TAILS * spread)) + 0.5 * math.log(spread / r[k])
    return cost


@kernel("boolean(float64[:,::1], int64[::1], int64, int64, int64)")
def taken(boxes: Float, of: Whole, first: int, last: int, j: int) -> bool:
    """True when box ``j`` overlaps one of those from ``first`` to before ``last`` that is of a chain already."""
    for i in range(first, last):
        if i == j or of[i] < 0:
            continue
        a, b = boxes[i], boxes[j]
        width = min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2)
        height = min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2)
        if width > 0.0 and height > 0.0:
            both = width * height
            if both > SAME * (a[2] * a[3] + b[2] * b[3] - both):
                return True
    return False


@kernel("int64[::1](float64[:,::1], float64[::1], int64[::1], float64[::1], float64, float64)")
def chain(boxes: Float, scores: Float, starts: Whole, seconds: Float, step_s: float, high: float) -> Whole:
    """For each detection the chain it belongs to, from 0, or -1.

    ``boxes`` (n, 4) and ``scores`` (n,) are by frame; frame f has those from ``starts[f]`` to ``starts[f+1]`` and is at
    ``seconds[f]``. ``step_s`` is the time from frame to frame, ``high`` the score that begins a chain.
    """
    of = np.full(boxes.shape[0], -1, np.int64)
    room = 64
    means, covs, seen = np.zeros((room, 4, 2)), np.zeros((room, 4, 3)), np.zeros(room)
    keys = np.zeros(room, np.int64)
    live, made = 0, 0
    patience = PATIENCE_S + 0.5 * step_s
    share = 1.0 + LASTS_S / step_s
    r = np.empty(4)
    for f in range(seconds.shape[0]):
        now, first, last = seconds[f], starts[f], starts[f + 1]
        kept = 0
        for i in range(live):
            if now - seen[i] <= patience:
                means[kept], covs[kept], keys[kept], seen[kept] = means[i], covs[i], keys[i], seen[i]
                advance(means[kept], covs[kept], now - seconds[f - 1])
                kept += 1
        live = kept
        cost = np.empty((live, last - first))
        for i in range(live):
            errors(size_of(means[i, :, 0].copy()), 1.0, r)
            for j in range(first, last):
                weak = WEAK_COST if scores[j] < high else 0.0
                cost[i, j - first] = surprise(means[i], covs[i], boxes[j], r) + weak
        given = assign(cost, CHAIN_COST)
        for i in range(live):
            if given[i] >= 0:
                j = first + given[i]
                errors(size_of(means[i, :, 0].copy()), share, r)
                update(means[i], covs[i], boxes[j], r)
                of[j], seen[i] = keys[i], now
        for j in range(first, last):
            if of[j] >= 0 or scores[j] < high or taken(boxes, of, first, last, j):
                continue
            if live == room:
                means, covs, seen = (
                    np.concatenate((means, means)),
                    np.concatenate((covs, covs)),
                    np.concatenate((seen, seen)),
                )
                keys = np.concatenate((keys, keys))
                room *= 2
            begin(means[live], covs[live], boxes[j])
            keys[live], seen[live], of[j] = made, now, made
            live += 1
            made += 1
    return of


@kernel("void(float64[:,::1], float64[::1], int64[::1], float64, float64[:,:,::1], float64[:,:,::1], boolean)")
def ends(boxes: Float, seconds: Float, starts: Whole, step_s: float, means: Float, covs: Float, backward: bool) -> None:
    """The filter of each chain at its last detection, or run ``backward`` to its first, into ``means`` and ``covs``.

    Chain c has the detections from ``starts[c]`` to ``starts[c+1]``, by time. Velocities are those of time going on.
    """
    share = 1.0 + LASTS_S / step_s
    r = np.empty(4)
    for c in range(starts.shape[0] - 1):
        mean, cov = means[c], covs[c]
        first, last = starts[c], starts[c + 1] - 1
        now = last if backward else first
        begin(mean, cov, boxes[now])
        for _ in range(last - first):
            then = now
            now += -1 if backward else 1
            advance(mean, cov, abs(seconds[now] - seconds[then]))
            errors(size_of(mean[:, 0].copy()), share, r)
            update(mean, cov, boxes[now], r)
        if backward:
            mean[:, 1] *= -1.0
            cov[:, 1] *= -1.0


@kernel("float64(float64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1], float64, float64)")
def strangeness(before: Float, before_cov: Float, after: Float, after_cov: Float, size: float, gap_s: float) -> float:
    """What it costs to hold ``after`` for the going on of ``before``, which has been moved on to its time.

    ``size`` is that of ``before`` at its end, ``gap_s`` later.
    """
    r = np.empty(4)
    errors(size, 1.0, r)
    cost = GAP_COST * gap_s
    for k in range(4):
        a, b = before_cov[k, 0] + after_cov[k, 0], before_cov[k, 1] + after_cov[k, 1]
        c = before_cov[k, 2] + after_cov[k, 2]
        area = a * c - b * b
        away, faster = after[k, 0] - before[k, 0], after[k, 1] - before[k, 1]
        distance = (c * away * away - 2.0 * b * away * faster + a * faster * faster) / area
        new = ((NEW_SPEED if k < 2 else NEW_GROWTH) * size) ** 2
        spread = new + after_cov[k, 2]
        cost += (TAILS + 2.0) / 2.0 * math.log(1.0 + distance / TAILS) + 0.5 * math.log(area / (r[k] * new))
        cost -= 0.5 * after[k, 1] * after[k, 1] / spread + 0.5 * math.log(spread / new)
    return cost


@kernel("int64[::1](float64[:,::1], float64[::1], int64[::1], float64)")
def join(boxes: Float, seconds: Float, starts: Whole, step_s: float) -> Whole:
    """For each chain the one that continues it, or -1; the cheapest pairs of all are made first.

    Chains are in order of their first detections; see ``ends`` for the arguments.
    """
    chains = starts.shape[0] - 1
    lasts, lasts_cov = np.zeros((chains, 4, 2)), np.zeros((chains, 4, 3))
    firsts, firsts_cov = np.zeros((chains, 4, 2)), np.zeros((chains, 4, 3))
    ends(boxes, seconds, starts, step_s, lasts, lasts_cov, False)
    ends(boxes, seconds, starts, step_s, firsts, firsts_cov, True)
    begins = np.empty(chains)
    for c in range(chains):
        begins[c] = seconds[starts[c]]
    costs = np.full(chains * CANDIDATES, np.inf)
    partners = np.full(chains * CANDIDATES, -1, np.int64)
    mean, cov = np.zeros((4, 2)), np.zeros((4, 3))
    for c in range(chains):
        end = seconds[starts[c + 1] - 1]
        size = size_of(lasts[c, :, 0].copy())
        kept = c * CANDIDATES
        for d in range(np.searchsorted(begins, end, "right"), np.searchsorted(begins, end + JOIN_S, "right")):
            mean[:], cov[:] = lasts[c], lasts_cov[c]
            advance(mean, cov, begins[d] - end)
            cost = strangeness(mean, cov, firsts[d], firsts_cov[d], size, begins[d] - end)
            place = kept + CANDIDATES
            while place > kept and cost < costs[place - 1]:
                place -= 1
            if cost <= JOIN_COST and place < kept + CANDIDATES:
                for k in range(kept + CANDIDATES - 1, place, -1):
                    costs[k], partners[k] = costs[k - 1], partners[k - 1]
                costs[place], partners[place] = cost, d
    following = np.full(chains, -1, np.int64)
    claimed = np.zeros(chains, np.bool_)
    for k in np.argsort(costs, kind="mergesort"):
        c, d = k // CANDIDATES, partners[k]
        if d >= 0 and following[c] < 0 and not claimed[d]:
            following[c], claimed[d] = d, True
    return following


@kernel("void(int64[::1], float64[:,::1], float64, float64[:,::1])")
def smooth(frames: Whole, boxes: Float, step_s: float, out: Float) -> None:
    """The likeliest course through all of one object's detections, at every frame from its first to its last.

    ``frames`` (m,) rise, ``boxes`` (m, 4) are their detections, ``out`` (frames[-1] - frames[0] + 1, 4) is filled.
    """
    n = out.shape[0]
    means, covs = np.zeros((n, 4, 2)), np.zeros((n, 4, 3))
    ahead, ahead_cov = np.zeros((n, 4, 2)), np.zeros((n, 4, 3))
    r = np.empty(4)
    begin(means[0], covs[0], boxes[0])
    taken_in = 1
    for i in range(1, n):
        means[i], covs[i] = means[i - 1], covs[i - 1]
        advance(means[i], covs[i], step_s)
        ahead[i], ahead_cov[i] = means[i], covs[i]
        if frames[taken_in] == frames[0] + i:
            errors(size_of(means[i - 1, :, 0].copy()), 1.0, r)
            update(means[i], covs[i], boxes[taken_in], r)
            taken_in += 1
    for i in range(n - 2, -1, -1):
        for k in range(4):
            # gain = cov Fᵀ ahead_cov⁻¹, with F = [[1, dt], [0, 1]]
            a, b, c = covs[i, k, 0], covs[i, k, 1], covs[i, k, 2]
            p, q, v = ahead_cov[i + 1, k, 0], ahead_cov[i + 1, k, 1], ahead_cov[i + 1, k, 2]
            area = p * v - q * q
            pp, pv, vp = a + step_s * b, b, b + step_s * c
            away, faster = means[i + 1, k, 0] - ahead[i + 1, k, 0], means[i + 1, k, 1] - ahead[i + 1, k, 1]
            means[i, k, 0] += ((pp * v - pv * q) * away + (pv * p - pp * q) * faster) / area
            means[i, k, 1] += ((vp * v - c * q) * away + (c * p - vp * q) * faster) / area
    out[:] = means[:, :, 0]
