"""One frame of the motion gate in one call: light, pulse, ticks, background, blobs and rain, in this order.

Between two frames the decoder has used the processor's caches for itself; a frame that is dealt with in one call, on
arrays that lie side by side, costs half of one that is dealt with step by step.
"""

from __future__ import annotations

import numpy as np
from numba import types
from numpy.typing import NDArray

from vidreview.kernels._jit import kernel
from vidreview.kernels.blobs import count_lone, find_blobs
from vidreview.kernels.diff import compare, count_ticks, fit_light, typical_jump

Float = NDArray[np.float32]

#: rows of ``state``: the last frame, and what ``diff.compare`` keeps of each block
BEFORE, MEAN, OLD, NOISE, SLACK, HELD, HELD_S, LIVED_S, STRENGTH = range(9)
#: rows of ``marks``: what was said of each block, now and on the two frames before, and the burned-in clock
VERDICT, CHANGED, LAST, EARLIER, CLOCK = range(5)
#: places in ``memory``: the light, how far blocks jump from frame to frame, lone flashes, and by how much rain raises
#: the least change; the median noise, and the share of the picture that has changed
GAIN, OFFSET, CALM, FLASHES, RAIN, TYPICAL_NOISE, LEVEL = range(7)

#: least change of a block's mean that counts, levels of 255; below it codecs differ from frame to frame
LEAST_CHANGE = 3.0
#: a thing that stands this long is background, seconds
ABSORB_S = 4.0
#: time over which a background averages, seconds
LEARN_S = 6.0
#: what has stood this long is the background; what was there before is forgotten, seconds
FORGET_S = 60.0
#: share of the picture above which a change is the light's or the camera's
WHOLE_FRAME = 0.65
#: share of a blob's strongest change below which blocks are its shadow or the camera's answer to it
HALO = 0.15
#: a block this many times beyond its limit is never taken for halo
SURE = 2.0
#: what has held its value this long stands, seconds; with fewer blocks that do not, as a share, it does not move
ALIVE_S, LIVE_SHARE = 0.5, 0.05
#: a lone block is noise unless its change is so many times beyond its limit
LONE_STRENGTH = 3.0
#: so many blocks, evenly spread, tell the light and the pulse of all
SAMPLE = 800
#: a light that moves no level by as much as this has not changed
SAME_LIGHT = 0.5
#: a key frame moves the typical block by no more than this, levels; more is the light or the camera
LARGEST_PULSE = 2.0
#: lone blocks that flash on one frame only, as share of all, from which on it rains, and until which that is learnt
RAINS, DRY = 1e-3, 2e-4
#: rain and snow raise the least change that counts by up to this factor
HEAVIEST_RAIN = 3.0


@kernel("float64(float64, float64)")
def shift(gain: float, offset: float) -> float:
    """By how many levels the light moves what is dark or bright, at most."""
    return max(abs((gain - 1.0) * 32.0 + offset), abs((gain - 1.0) * 192.0 + offset))


@kernel("float64(float32[::1], float32[::1], float32[::1], float64[::1], int64, boolean)")
def learn_pulse(now: Float, before: Float, noise: Float, memory: NDArray[np.float64], step: int, learn: bool) -> float:
    """How far the typical of every ``step``-th block has jumped since the last frame, the light's share taken off.

    A key frame moves every block a little. How far it moves each is noise which the frames between, mere copies in what
    stands still, do not show; it is learnt, into ``noise``, where ``learn`` says that the light stays as it is.
    """
    light, typical = typical_jump(now, before, step)
    if learn and max(0.2, 3.0 * memory[CALM]) < typical <= LARGEST_PULSE:
        most, share, root = np.float32(6.0 * typical), np.float32(0.1), np.float32(2.0**0.5)
        moved = np.float32(light)
        for k in range(now.size):
            # a jump holds the noise of two frames
            seen = min(abs(now[k] - before[k] - moved), most) / root
            noise[k] = noise[k] + share * max(seen - noise[k], np.float32(0.0))
    memory[CALM] += 0.1 * (min(typical, 2.0 * memory[CALM] + 0.1) - memory[CALM])
    return typical


@kernel("void(uint8[:,:,::1], float64[::1], float64)")
def learn_rain(marks: NDArray[np.uint8], memory: NDArray[np.float64], dt: float) -> None:
    """Raise the least change that counts while blocks keep flashing, each alone and on one frame only.

    That is what rain and snow do, all over the picture and for as long as they fall; what walks, and what its edges
    uncover, changes the same blocks or their neighbours on several frames.
    """
    lone = count_lone(marks[EARLIER], marks[LAST], marks[CHANGED]) / marks[LAST].size
    # an insect's few frames are no rain
    memory[FLASHES] += min(1.0, dt / 3.0) * (min(lone, 4.0 * RAINS) - memory[FLASHES])
    if memory[FLASHES] > (RAINS if memory[RAIN] == 1.0 else DRY):
        memory[RAIN] = min(HEAVIEST_RAIN, memory[RAIN] * (1.0 + 0.5 * dt))
    else:
        memory[RAIN] = max(1.0, memory[RAIN] * (1.0 - 0.03 * dt))
    marks[EARLIER] = marks[LAST]
    marks[LAST] = marks[CHANGED]


@kernel(
    types.float32[:, ::1](
        types.float32[:, ::1],
        types.float32[:, :, ::1],
        types.uint8[:, :, ::1],
        types.float32[:, ::1],
        types.float64[::1],
        types.float64,
        types.float64,
        types.float64,
        types.float64,
        types.int64,
    )
)
def watch(
    now: Float,
    state: Float,
    marks: NDArray[np.uint8],
    ticks: Float,
    memory: NDArray[np.float64],
    seconds: float,
    dt: float,
    weight: float,
    threshold: float,
    masked: int,
) -> Float:
    """Take in a frame's block means ``now`` (rows, columns); its blobs as of ``blobs.find_blobs``, (n, 7).

    ``state`` (9, rows, columns), ``marks`` (5, rows, columns), ``ticks`` (5, rows · columns) and ``memory`` (7,) are
    what is known of the stream, in the order named above, and are altered. ``seconds`` is the frame's time, ``dt`` that
    since the last one, ``weight`` a tick's; ``threshold`` is in multiples of a block's noise, ``masked`` the number of
    blocks of the clock. There are no blobs when more than ``WHOLE_FRAME`` of the picture has changed.
    """
    size = now.size
    flat = now.reshape(size)
    rows = state.reshape((9, size))
    step = max(1, size // SAMPLE)
    mean, noise = rows[MEAN], rows[NOISE]
    gain, offset = fit_light(flat, mean, step, LEAST_CHANGE, memory[GAIN], memory[OFFSET])
    memory[GAIN], memory[OFFSET] = gain, offset
    if shift(gain, offset) < SAME_LIGHT:
        gain, offset = 1.0, 0.0
    pulse = learn_pulse(flat, rows[BEFORE], noise, memory, step, shift(gain, offset) < LARGEST_PULSE)
    jump = max(2.0 * LEAST_CHANGE, max(threshold * memory[TYPICAL_NOISE], 8.0 * pulse))
    count_ticks(flat, rows[BEFORE], seconds, weight, jump, ticks)
    count = compare(
        flat,
        mean,
        rows[OLD],
        noise,
        rows[SLACK],
        rows[HELD],
        rows[HELD_S],
        rows[LIVED_S],
        marks[CLOCK].reshape(size),
        gain,
        offset,
        dt,
        threshold,
        LEAST_CHANGE * memory[RAIN],
        ABSORB_S,
        LEARN_S,
        FORGET_S,
        marks[VERDICT].reshape(size),
        rows[STRENGTH],
        marks[CHANGED].reshape(size),
    )
    rows[BEFORE] = flat
    memory[LEVEL] = count / max(1, size - masked)
    if memory[LEVEL] > WHOLE_FRAME:
        return np.empty((0, 7), np.float32)
    learn_rain(marks, memory, dt)
    if count == 0:
        return np.empty((0, 7), np.float32)
    return find_blobs(marks[CHANGED], state[STRENGTH], state[HELD_S], HALO, SURE, ALIVE_S, LIVE_SHARE, LONE_STRENGTH)
