"""Which frames show change, and where: a background that adapts to noise, light and the burned-in clock.

The gate works on block means of the luma plane. It never decides that nothing happened: it decides when the detector,
which is a hundred times dearer, is worth asking.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vidreview.kernels import diff
from vidreview.model import Boxes, Motion, Pixels

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
#: how much of a block's contrast a trembling camera moves about: at least and at most; measured in between
LEAST_TREMBLE, MOST_TREMBLE = 0.04, 0.25
#: supposed of a background that is a single frame yet, until it is measured
FIRST_TREMBLE = 0.12
#: the measured median is of all blocks; those whose edges lie across the movement change this many times more
TREMBLE_TAIL = 4.0
#: share of a blob's strongest change below which blocks are its shadow or the camera's answer to it
HALO = 0.15
#: a block this many times beyond its limit is never taken for halo
SURE = 2.0
#: what has held its value this long stands, seconds
ALIVE_S = 0.5
#: a key frame moves the typical block by no more than this, levels; more is the light or the camera
LARGEST_PULSE = 2.0
#: lone blocks that flash on one frame only, as share of all, from which on it rains, and until which that is learnt
RAIN, DRY = 1e-3, 2e-4
#: rain and snow raise the least change that counts by up to this factor
HEAVIEST_RAIN = 3.0
#: a clock is small: a mask above this share of the picture is not one
LARGEST_CLOCK = 0.04


def block_size(width: int, height: int) -> int:
    """Side of the gate's blocks in pixels: small enough that a distant person covers a few."""
    longest = max(width, height)
    return 4 if longest < 640 else 8 if longest < 2560 else 16


def flat_plane(luma: Pixels) -> tuple[NDArray[np.uint8], int]:
    """A (height, width) view of a plane as one contiguous run of bytes, without a copy, and its row stride."""
    if luma.strides[1] != 1 or luma.strides[0] < luma.shape[1]:
        luma = np.ascontiguousarray(luma)
    stride = luma.strides[0]
    size = (luma.shape[0] - 1) * stride + luma.shape[1]
    return np.lib.stride_tricks.as_strided(luma, shape=(size,), strides=(1,), writeable=False), stride


class MotionGate:
    """Says of each frame of one stream what has changed, against a background it learns as it goes."""

    def __init__(self, width: int, height: int, threshold: float) -> None:
        """``threshold`` is in multiples of each block's own noise; width and height are of the stored picture."""
        self.width, self.height, self.block = width, height, block_size(width, height)
        self.shape = (-(-height // self.block), -(-width // self.block))
        self.threshold = threshold
        size = self.shape[0] * self.shape[1]
        self._now = np.zeros(self.shape, np.float32)
        self._before = np.zeros(size, np.float32)
        self._mean = np.zeros(size, np.float32)
        self._old = np.full(size, np.nan, np.float32)
        self._noise = np.full(size, 2.0, np.float32)
        self._slack = np.zeros(size, np.float32)
        self._slack_due_s = 0.0
        self._contrast = np.zeros(self.shape, np.float32)
        self._tremble = FIRST_TREMBLE
        self._held = np.zeros(size, np.float32)
        self._held_s = np.zeros(size, np.float32)
        self._lived_s = np.zeros(size, np.float32)
        self._verdict = np.zeros(size, np.uint8)
        self._strength = np.zeros(size, np.float32)
        self._ticks = np.zeros((5, size), np.float32)
        self._ticking = np.zeros(size, np.bool_)
        self._calm = 0.0
        self._flashes = 0.0
        self._rain = 1.0
        self._earlier = np.zeros((2, *self.shape), np.uint8)
        self._step = max(1, size // 1500)
        self._seen = 0
        self._seconds = 0.0
        self._first_s = 0.0
        self._mask_due_s = 0.0
        #: (rows, columns), 1 where the burned-in clock stands
        self.clock: NDArray[np.uint8] = np.zeros(self.shape, np.uint8)

    def see(self, luma: Pixels, seconds: float, *, discontinuity: bool = False) -> Motion:
        """Compare one frame with the background; ``luma`` (height, width) uint8, ``seconds`` never steps back.

        After a discontinuity the scene may be another one: the background begins anew.
        """
        plane, stride = flat_plane(luma)
        diff.block_means(plane, stride, self.height, self.width, self.block, self._now)
        now = self._now.reshape(-1)
        if self._seen == 0 or discontinuity:
            self._begin(now, seconds)
            return Motion(*_no_blobs(), 0.0, "learning")
        dt = min(1.0, max(1e-3, seconds - self._seconds))
        if self._seen == 1:
            # the first difference tells the camera's noise; what moves is too little of a picture to spoil a median
            typical = float(np.median(np.abs(now - self._before))) / 0.6745 / 2.0**0.5
            self._noise[:] = max(0.5, typical)
        gain, offset = self._light(now)
        shifted = _shift(gain, offset)
        if seconds >= self._slack_due_s or self._seen == 1:
            self._find_slack(plane, stride, now - (gain * self._mean + offset), steady=shifted < LEAST_CHANGE)
            self._slack_due_s = seconds + (1.0 if seconds - self._first_s > 3.0 else 0.2)
        pulse = self._pulse(now, learn=shifted < LARGEST_PULSE)
        jump = max(2 * LEAST_CHANGE, self.threshold * float(np.median(self._noise[:: self._step])), 8.0 * pulse)
        diff.count_ticks(now, self._before, seconds, dt, jump, self._ticks)
        diff.compare(
            now,
            self._mean,
            self._old,
            self._noise,
            self._slack,
            self._held,
            self._held_s,
            self._lived_s,
            gain,
            offset,
            dt,
            self.threshold,
            LEAST_CHANGE * self._rain,
            ABSORB_S,
            LEARN_S,
            FORGET_S,
            self._verdict,
            self._strength,
        )
        self._before[:] = now
        self._seconds = seconds
        self._seen += 1
        self._find_clock(seconds)
        changed = ((self._verdict == diff.CHANGED).reshape(self.shape) & (self.clock == 0)).astype(np.uint8)
        level = float(changed.sum()) / max(1, changed.size - int(self.clock.sum()))
        if level > WHOLE_FRAME:
            self._relearn(now)
            return Motion(*_no_blobs(), level, "whole-frame")
        self._learn_rain(changed, dt)
        blobs, fill, strength = self._blobs(changed)
        return Motion(blobs, fill, strength, level, "motion" if len(blobs) else "still")

    def _begin(self, now: NDArray[np.float32], seconds: float) -> None:
        self._mean[:] = now
        self._held[:] = now
        self._before[:] = now
        self._old[:] = np.nan
        self._held_s[:] = 0
        self._lived_s[:] = 0
        self._verdict[:] = diff.SAME
        # the clock stays where it is, but may tick at another phase of the stream's second
        self._ticks[:] = 0
        self._calm = 0.0
        self._earlier[:] = 0
        self._tremble = max(self._tremble, FIRST_TREMBLE)
        self._seen = 1
        self._seconds = seconds
        self._first_s = seconds
        self._mask_due_s = seconds

    def _relearn(self, now: NDArray[np.float32]) -> None:
        """The light was switched: what is seen now is background, and what was is remembered for its return."""
        self._old[:] = self._mean
        self._mean[:] = now
        self._held_s[:] = 0
        self._lived_s[:] = 0

    def _light(self, now: NDArray[np.float32]) -> tuple[float, float]:
        """Gain and offset by which exposure has changed the whole picture; (1, 0) when it has not."""
        gain, offset = diff.fit_light(now, self._mean, self._step, LEAST_CHANGE)
        return (1.0, 0.0) if _shift(gain, offset) < 0.5 else (gain, offset)

    def _blobs(self, changed: NDArray[np.uint8]) -> tuple[Boxes, NDArray[np.float32], NDArray[np.float32]]:
        if not changed.any():
            return _no_blobs()
        strength = self._strength.reshape(self.shape)
        count, labels = _label(changed)
        diff.drop_halo(labels, changed, strength, HALO, SURE, count)
        count, labels = _label(changed)
        found = np.zeros((count, 7), np.float32)
        diff.blob_boxes(labels, changed, strength, self._held_s.reshape(self.shape), ALIVE_S, found)
        # what stands there differently, a ghost or a thing put down, does not move
        found = found[found[:, 6] >= np.maximum(1, 0.05 * found[:, 4])]
        # a lone block is noise unless it is far beyond its limit
        found = found[(found[:, 4] >= 2) | (found[:, 5] >= 3.0)]
        found = found[np.lexsort((found[:, 0], found[:, 1], -found[:, 4]))]
        boxes = found[:, :4] * np.float32(self.block)
        boxes[:, 2] = np.minimum(boxes[:, 2], self.width)
        boxes[:, 3] = np.minimum(boxes[:, 3], self.height)
        area = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
        fill = (found[:, 4] / np.maximum(area, 1)).astype(np.float32)
        return np.ascontiguousarray(boxes), fill, found[:, 5].copy()

    def _pulse(self, now: NDArray[np.float32], *, learn: bool) -> float:
        """How far the typical block has jumped since the last frame, the light's share taken off, in levels.

        A key frame moves every block a little. How far it moves each is noise which the frames between, mere copies
        in what stands still, do not show; it is learnt where ``learn`` says that the light stays as it is.
        """
        jumped = now - self._before
        sample = jumped[:: self._step]
        light = np.median(sample)
        typical = float(np.median(np.abs(sample - light)))
        if learn and max(0.2, 3.0 * self._calm) < typical <= LARGEST_PULSE:
            # a jump holds the noise of two frames
            seen = np.minimum(np.abs(jumped - light), np.float32(6.0 * typical)) / np.float32(2.0**0.5)
            self._noise += np.float32(0.1) * np.maximum(seen - self._noise, 0)
        self._calm += 0.1 * (min(typical, 2.0 * self._calm + 0.1) - self._calm)
        return typical

    def _learn_rain(self, changed: NDArray[np.uint8], dt: float) -> None:
        """Raise the least change that counts while blocks keep flashing, each alone and on one frame only.

        That is what rain and snow do, all over the picture and for as long as they fall; what walks, and what its
        edges uncover, changes the same blocks or their neighbours on several frames.
        """
        before, last = self._earlier
        lone = (last != 0) & (cv2.dilate(before | changed, np.ones((3, 3), np.uint8)) == 0)
        # an insect's few frames are no rain
        self._flashes += min(1.0, dt / 3.0) * (min(float(lone.mean()), 4 * RAIN) - self._flashes)
        if self._flashes > (RAIN if self._rain == 1.0 else DRY):
            self._rain = min(HEAVIEST_RAIN, self._rain * (1.0 + 0.5 * dt))
        else:
            self._rain = max(1.0, self._rain * (1.0 - 0.03 * dt))
        self._earlier = np.stack([last, changed])

    def _find_slack(self, plane: NDArray[np.uint8], stride: int, away: NDArray[np.float32], *, steady: bool) -> None:
        """Once a second: how much each block may differ because an edge in it or beside it trembles.

        How much the camera trembles shows in the blocks with most contrast: if it stands still they change no more
        than the others. That is measured on how far they are ``away`` from the background, while the light is
        ``steady``.
        """
        diff.block_ranges(plane, stride, self.height, self.width, self.block, self._contrast)
        mean = self._mean.reshape(self.shape)
        around = np.ones((3, 3), np.uint8)
        beside = cv2.dilate(mean, around) - cv2.erode(mean, around)
        contrast = np.maximum(self._contrast, beside).reshape(-1)
        telling = contrast >= max(24.0, float(np.median(contrast)))
        if steady and telling.sum() >= 16:
            moved = np.abs(away)[telling] / contrast[telling]
            measured = min(MOST_TREMBLE, max(LEAST_TREMBLE, TREMBLE_TAIL * float(np.median(moved))))
            # up at once, down slowly: wind comes in gusts
            self._tremble = max(measured, 0.9 * self._tremble + 0.1 * measured)
        self._slack[:] = self._tremble * contrast

    def _find_clock(self, seconds: float) -> None:
        """Every second: blocks that jump about once a second, always at one phase of it, and their neighbours."""
        if seconds < self._mask_due_s:
            return
        self._mask_due_s = seconds + 1.0
        watched = min(60.0, seconds - self._first_s)
        # at fewer frames a second everything jumps at one phase
        if watched < 8.0 or self._seen / max(1e-3, seconds - self._first_s) < 4.0:
            return
        count, east, north, jumps, sizes = self._ticks
        regular = np.hypot(east, north) / np.maximum(count, 1e-6)
        ticking = (count >= 8) & (count > 0.25 * watched) & (count < 1.6 * watched) & (regular > 0.9)
        # key frames, too, come once a second; but what jumps up at each has sunk in between
        ticking &= np.abs(jumps) < 0.4 * sizes
        # somebody who passes a known clock disturbs it, but does not stop it
        ticking |= self._ticking & (count > 0.15 * watched) & (count < 2.5 * watched) & (regular > 0.6)
        self._ticking = ticking
        mask = ticking.reshape(self.shape).astype(np.uint8)
        if not mask.any():
            # after a break the known clock is given time to tick again
            if watched >= 12.0:
                self.clock = np.zeros(self.shape, np.uint8)
            return
        # tens of seconds, minutes and hours stand left of the seconds and jump too seldom to be counted
        wide = max(1, 40 // self.block)
        around = cv2.dilate(mask, np.ones((3, 2 * wide + 1), np.uint8))
        # a new array, never the old one altered: who took the old one may still be reading it in another thread
        small = around.mean() <= LARGEST_CLOCK
        self.clock = around.astype(np.uint8) if small else np.zeros(self.shape, np.uint8)


def clock_share(clock: NDArray[np.uint8], block: int, box: tuple[float, float, float, float]) -> float:
    """Share of ``box`` (xyxy, pixels) that lies on a gate's ``clock``, whose blocks are ``block`` pixels wide."""
    x1, y1, x2, y2 = (int(v // block) for v in (box[0], box[1], box[2] - 1, box[3] - 1))
    part = clock[max(0, y1) : max(0, y2 + 1), max(0, x1) : max(0, x2 + 1)]
    return float(part.mean()) if part.size else 0.0


def _shift(gain: float, offset: float) -> float:
    """By how many levels the light moves what is dark or bright, at most."""
    return max(abs((gain - 1) * x + offset) for x in (32.0, 192.0))


def _label(changed: NDArray[np.uint8]) -> tuple[int, NDArray[np.int32]]:
    """Connected groups of changed blocks, counted from 1; a gap of up to two blocks is bridged."""
    joined = cv2.dilate(changed, np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(joined, connectivity=8, ltype=cv2.CV_32S)
    return count - 1, labels.astype(np.int32, copy=False)


def _no_blobs() -> tuple[Boxes, NDArray[np.float32], NDArray[np.float32]]:
    return np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.float32)
