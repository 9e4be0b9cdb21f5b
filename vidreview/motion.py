"""Which frames show change, and where: a background that adapts to noise, light and the burned-in clock.

The gate works on block means of the luma plane. It never decides that nothing happened: it decides when the detector,
which is a hundred times dearer, is worth asking.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from vidreview.kernels import blocks, diff, gate
from vidreview.model import Boxes, Motion, Pixels

#: how much of a block's contrast a trembling camera moves about: at least and at most; measured in between
LEAST_TREMBLE, MOST_TREMBLE = 0.04, 0.25
#: contrast from which an edge tells of trembling, levels
LEAST_CONTRAST = 24.0
#: supposed of a background that is a single frame yet, until it is measured
FIRST_TREMBLE = 0.12
#: the measured median is of all blocks; those whose edges lie across the movement change this many times more
TREMBLE_TAIL = 4.0
#: jumps that may be a clock's are forgotten over this time, seconds
TICKS_FADE_S = 60.0
#: a clock is small: a mask above this share of the picture is not one
LARGEST_CLOCK = 0.04


def block_size(width: int, height: int) -> int:
    """Side of the gate's blocks in pixels: small enough that a distant person covers a few."""
    longest = max(width, height)
    return 4 if longest < 640 else 8 if longest < 2560 else 16


def flat_plane(luma: Pixels) -> tuple[NDArray[np.uint8], NDArray[np.uint64], int]:
    """A (height, width) plane as one run of bytes, the same in whole words of eight, and its row stride.

    No copy is made of what lies as a decoder lays it out: rows of pixels side by side that begin at whole words.
    """
    height, width = luma.shape
    stride, owner = luma.strides[0], luma if luma.base is None else luma.base
    start = luma.__array_interface__["data"][0]
    plain = isinstance(owner, np.ndarray) and owner.dtype == np.uint8 and owner.flags.c_contiguous
    if not plain or luma.strides[1] != 1 or stride < width or stride % 8 or start % 8:
        stride = -(-width // 8) * 8
        owner = np.zeros((height, stride), np.uint8)
        owner[:, :width] = luma
        start = owner.__array_interface__["data"][0]
    begin = start - owner.__array_interface__["data"][0]
    flat = owner.reshape(-1)[begin : begin + (height - 1) * stride + width]
    return flat, flat[: flat.size // 8 * 8].view(np.uint64), stride


class MotionGate:
    """Says of each frame of one stream what has changed, against a background it learns as it goes."""

    def __init__(self, width: int, height: int, threshold: float) -> None:
        """``threshold`` is in multiples of each block's own noise; width and height are of the stored picture."""
        self.width, self.height, self.block = width, height, block_size(width, height)
        self.shape = (-(-height // self.block), -(-width // self.block))
        self.threshold = threshold
        size = self.shape[0] * self.shape[1]
        self._limits = np.array([width, height, width, height], np.float32)
        self._now = np.zeros(self.shape, np.float32)
        # what the kernel keeps from frame to frame, see kernels.gate
        self._state = np.zeros((9, *self.shape), np.float32)
        self._state[gate.OLD] = np.nan
        self._state[gate.NOISE] = 2.0
        self._marks = np.zeros((5, *self.shape), np.uint8)
        self._memory = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0])
        self._ticks = np.zeros((5, size), np.float32)
        self._ticks_from_s = 0.0
        self._ticking = np.zeros(size, np.bool_)
        self._ranges = np.zeros(self.shape, np.float32)
        self._contrast = np.zeros(self.shape, np.float32)
        self._tremble = FIRST_TREMBLE
        self._step = max(1, size // gate.SAMPLE)
        self._seen = 0
        self._seconds = self._first_s = 0.0
        self._slack_due_s = self._mask_due_s = 0.0
        #: (rows, columns), 1 where the burned-in clock stands
        self.clock: NDArray[np.uint8] = np.zeros(self.shape, np.uint8)
        self._masked = 0

    def see(self, luma: Pixels, seconds: float, *, discontinuity: bool = False) -> Motion:
        """Compare one frame with the background; ``luma`` (height, width) uint8, ``seconds`` never steps back.

        After a discontinuity the scene may be another one: the background begins anew.
        """
        plane, words, stride = flat_plane(luma)
        blocks.block_means(plane, words, stride, self.height, self.width, self.block, self._now)
        if self._seen == 0 or discontinuity:
            self._begin(seconds)
            return Motion(*_no_blobs(), 0.0, "learning")
        dt = min(1.0, max(1e-3, seconds - self._seconds))
        if self._seen == 1:
            self._measure_noise()
            self._find_slack(plane, stride, seconds)
        weight = self._tick_weight(seconds)
        found = gate.watch(
            self._now,
            self._state,
            self._marks,
            self._ticks,
            self._memory,
            seconds,
            dt,
            weight,
            self.threshold,
            self._masked,
        )
        self._seconds = seconds
        self._seen += 1
        if seconds >= self._slack_due_s:
            self._find_slack(plane, stride, seconds)
        if seconds >= self._mask_due_s:
            self._mask_due_s = seconds + 1.0
            self._find_clock(seconds, weight)
        level = float(self._memory[gate.LEVEL])
        if level > gate.WHOLE_FRAME:
            self._relearn()
            return Motion(*_no_blobs(), level, "whole-frame")
        if not len(found):
            return Motion(*_no_blobs(), level, "still")
        return Motion(*self._blobs(found), level, "motion")

    def _begin(self, seconds: float) -> None:
        state, marks = self._state, self._marks
        state[gate.MEAN] = state[gate.HELD] = state[gate.BEFORE] = self._now
        state[gate.OLD] = np.nan
        state[gate.HELD_S] = state[gate.LIVED_S] = 0
        # the clock stays where it is, but may tick at another phase of the stream's second
        marks[: gate.CLOCK] = 0
        self._ticks[:] = 0
        self._ticks_from_s = seconds
        self._memory[gate.GAIN], self._memory[gate.OFFSET], self._memory[gate.CALM] = 1.0, 0.0, 0.0
        self._tremble = max(self._tremble, FIRST_TREMBLE)
        self._seen = 1
        self._seconds = self._first_s = self._mask_due_s = seconds

    def _measure_noise(self) -> None:
        """The first difference tells the camera's noise; what moves is too little of a picture to spoil a median."""
        typical = float(np.median(np.abs(self._now - self._state[gate.BEFORE]))) / 0.6745 / 2.0**0.5
        self._state[gate.NOISE] = self._memory[gate.TYPICAL_NOISE] = max(0.5, typical)

    def _relearn(self) -> None:
        """The light was switched: what is seen now is background, and what was is remembered for its return."""
        state = self._state
        state[gate.OLD] = state[gate.MEAN]
        state[gate.MEAN] = self._now
        state[gate.HELD_S] = state[gate.LIVED_S] = 0

    def _blobs(self, found: NDArray[np.float32]) -> tuple[Boxes, NDArray[np.float32], NDArray[np.float32]]:
        """Groups of changed blocks: their boxes in pixels, their fill and their strength."""
        sides = found[:, 2:4] - found[:, :2]
        boxes = np.minimum(found[:, :4] * np.float32(self.block), self._limits)
        return boxes, np.divide(found[:, 4], sides[:, 0] * sides[:, 1], dtype=np.float32), found[:, 5]

    def _tick_weight(self, seconds: float) -> float:
        """What a jump counts now: instead of letting all that was noted fade, later jumps count ever more."""
        weight = math.exp((seconds - self._ticks_from_s) / TICKS_FADE_S)
        if weight > 1e4:
            # a pause of an hour has faded all of it
            self._ticks *= np.float32(0.0 if weight > 1e30 else 1.0 / weight)
            self._ticks_from_s, weight = seconds, 1.0
        return weight

    def _find_slack(self, plane: NDArray[np.uint8], stride: int, seconds: float) -> None:
        """Once a second: how much each block may differ because an edge in it or beside it trembles.

        How much the camera trembles shows in the blocks with most contrast: if it stands still they change no more
        than the others. That is measured on how far they are from the background, while the light is steady.
        """
        self._slack_due_s = seconds + (1.0 if seconds - self._first_s > 3.0 else 0.2)
        state, memory = self._state, self._memory
        light = (float(memory[gate.GAIN]), float(memory[gate.OFFSET]))
        blocks.block_ranges(plane, stride, self.height, self.width, self.block, self._ranges)
        moved = diff.find_contrast(
            self._ranges, state[gate.MEAN], self._now, *light, self._step, LEAST_CONTRAST, self._contrast
        )
        if moved >= 0 and gate.shift(*light) < gate.LEAST_CHANGE:
            measured = min(MOST_TREMBLE, max(LEAST_TREMBLE, TREMBLE_TAIL * moved))
            # up at once, down slowly: wind comes in gusts
            self._tremble = max(measured, 0.9 * self._tremble + 0.1 * measured)
        np.multiply(self._contrast, np.float32(self._tremble), out=state[gate.SLACK])
        memory[gate.TYPICAL_NOISE] = diff.typical(state[gate.NOISE].reshape(-1), self._step)

    def _find_clock(self, seconds: float, weight: float) -> None:
        """Blocks that jump about once a second, always at one phase of it, and their neighbours."""
        watched = min(60.0, seconds - self._first_s)
        # at fewer frames a second everything jumps at one phase
        if watched < 8.0 or self._seen / max(1e-3, seconds - self._first_s) < 4.0:
            return
        known = self._ticking
        least = min(8.0, 0.15 * watched) if known.any() else 8.0
        some = np.flatnonzero(self._ticks[0] >= least * weight)
        if not len(some) and not known.any():
            return
        count, east, north, jumps, sizes = self._ticks[:, some] / np.float32(weight)
        regular = np.hypot(east, north) / np.maximum(count, 1e-6)
        ticking = (count >= 8) & (count > 0.25 * watched) & (count < 1.6 * watched) & (regular > 0.9)
        # key frames, too, come once a second; but what jumps up at each has sunk in between
        ticking &= np.abs(jumps) < 0.4 * sizes
        # somebody who passes a known clock disturbs it, but does not stop it
        ticking |= known[some] & (count > 0.15 * watched) & (count < 2.5 * watched) & (regular > 0.6)
        self._ticking = np.zeros(known.size, np.bool_)
        self._ticking[some] = ticking
        mask = self._ticking.reshape(self.shape).astype(np.uint8)
        if not mask.any():
            # after a break the known clock is given time to tick again
            if watched >= 12.0:
                self._mask(mask)
            return
        # tens of seconds, minutes and hours stand left of the seconds and jump too seldom to be counted
        wide = max(1, 40 // self.block)
        around = cv2.dilate(mask, np.ones((3, 2 * wide + 1), np.uint8))
        self._mask(around.astype(np.uint8) if around.mean() <= LARGEST_CLOCK else np.zeros(self.shape, np.uint8))

    def _mask(self, clock: NDArray[np.uint8]) -> None:
        """A new array, never the old one altered: who took the old one may still be reading it in another thread."""
        self.clock, self._masked = clock, int(clock.sum())
        self._marks[gate.CLOCK] = clock


def clock_share(clock: NDArray[np.uint8], block: int, box: tuple[float, float, float, float]) -> float:
    """Share of ``box`` (xyxy, pixels) that lies on a gate's ``clock``, whose blocks are ``block`` pixels wide."""
    x1, y1, x2, y2 = (int(v // block) for v in (box[0], box[1], box[2] - 1, box[3] - 1))
    part = clock[max(0, y1) : max(0, y2 + 1), max(0, x1) : max(0, x2 + 1)]
    return float(part.mean()) if part.size else 0.0


def _no_blobs() -> tuple[Boxes, NDArray[np.float32], NDArray[np.float32]]:
    return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32)
