"""The gate's frame in one call: against its steps done one by one by the naive twins."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import naive
from vidreview.kernels import gate

Single = NDArray[np.float32]

VERDICTS = {"same": 0, "revealed": 1, "changed": 2}


@dataclass
class SlowGate:
    """What the kernel keeps, as plain values, and its steps in plain words."""

    before: Single
    blocks: list[naive.Background]
    ticks: Single
    light: tuple[float, float] = (1.0, 0.0)
    calm: float = 0.0
    flashes: float = 0.0
    rain: float = 1.0
    history: list[NDArray[np.uint8]] = field(default_factory=list)

    def watch(self, now: Single, seconds: float, dt: float, masked: NDArray[np.uint8]) -> tuple[Single, float]:
        """Blobs and level of one frame."""
        flat, step = now.reshape(-1), max(1, now.size // gate.SAMPLE)
        mean = np.array([b.mean for b in self.blocks], np.float32)
        self.light = naive.fit_light(flat, mean, step, gate.LEAST_CHANGE, *self.light)
        gain, offset = self.light if shifted(*self.light) >= gate.SAME_LIGHT else (1.0, 0.0)
        moved, typical = naive.typical_jump(flat, self.before, step)
        if shifted(gain, offset) < gate.LARGEST_PULSE and max(0.2, 3 * self.calm) < typical <= gate.LARGEST_PULSE:
            for block, x, was in zip(self.blocks, flat, self.before, strict=True):
                seen = min(abs(float(x) - float(was) - moved), 6 * typical) / 2**0.5
                block.noise += 0.1 * max(0.0, seen - block.noise)
        self.calm += 0.1 * (min(typical, 2 * self.calm + 0.1) - self.calm)
        jump = max(2 * gate.LEAST_CHANGE, 4.5 * 2.0, 8 * typical)
        self.ticks = naive.count_ticks(flat, self.before, seconds, 1.5, jump, self.ticks)
        least = gate.LEAST_CHANGE * self.rain
        rules = naive.Rules(gain, offset, dt, 4.5, least, gate.ABSORB_S, gate.LEARN_S, gate.FORGET_S)
        said = [naive.compare(b, float(x), rules) for b, x in zip(self.blocks, flat, strict=True)]
        self.before = flat.copy()
        changed = np.array([v == "changed" for v, _ in said], np.uint8).reshape(now.shape) & (1 - masked)
        level = float(changed.sum()) / (masked.size - int(masked.sum()))
        if level > gate.WHOLE_FRAME:
            return np.zeros((0, 7), np.float32), level
        earlier, last = ([np.zeros_like(changed)] * 2 + self.history)[-2:]
        lone = naive.count_lone(earlier, last, changed) / changed.size
        self.flashes += min(1.0, dt / 3) * (min(lone, 4 * gate.RAINS) - self.flashes)
        if self.flashes > (gate.RAINS if self.rain == 1 else gate.DRY):
            self.rain = min(gate.HEAVIEST_RAIN, self.rain * (1 + 0.5 * dt))
        else:
            self.rain = max(1.0, self.rain * (1 - 0.03 * dt))
        self.history.append(changed)
        strength = np.array([s for _, s in said], np.float32).reshape(now.shape)
        held_s = np.array([b.held_s for b in self.blocks], np.float32).reshape(now.shape)
        rest = (gate.HALO, gate.SURE, gate.ALIVE_S, gate.LIVE_SHARE, gate.LONE_STRENGTH)
        return naive.find_blobs(changed, strength, held_s, *rest), level


def shifted(gain: float, offset: float) -> float:
    """What the light does to a dark and to a bright level, whichever is more."""
    return max(abs(gain * x + offset - x) for x in (32, 192))


def film(seed: int, shape: tuple[int, int], busy: str) -> list[Single]:
    """A noisy wall past which something walks, in light that changes, in rain, or with the lamp switched off."""
    rng = np.random.default_rng(seed)
    wall = rng.uniform(60, 140, shape)
    frames = []
    for k in range(24):
        picture = wall + rng.normal(0, 0.6, shape)
        picture[2:6, k % shape[1] : k % shape[1] + 2] += 50
        if busy == "light":
            picture = picture * (1 + 0.02 * k) + k / 3
        if busy == "rain":
            picture[rng.random(shape) < 0.03] += 40
        if busy == "lamp" and k >= 12:
            picture = 200 - picture
        if busy == "pulse" and k % 8 == 0:
            picture += rng.normal(0, 1.5, shape)
        frames.append(np.clip(picture, 0, 255).astype(np.float32))
    return frames


@given(st.integers(0, 200), st.sampled_from(["", "light", "rain", "lamp", "pulse"]))
@settings(deadline=None, derandomize=True, max_examples=15)
def test_a_frame_in_one_call_equals_its_steps(seed: int, busy: str) -> None:
    frames, shape = film(seed, (9, 14), busy), (9, 14)
    state = np.zeros((9, *shape), np.float32)
    state[[gate.BEFORE, gate.MEAN, gate.HELD]] = frames[0]
    state[gate.OLD], state[gate.NOISE], state[gate.SLACK] = np.nan, 0.6, 1.0
    marks, ticks = np.zeros((5, *shape), np.uint8), np.zeros((5, 126), np.float32)
    marks[gate.CLOCK, 0, :5] = 1
    memory = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0])
    blocks = [naive.Background(float(x), float("nan"), 0.6, 1.0, float(x), 0.0, 0.0) for x in frames[0].reshape(-1)]
    slow = SlowGate(frames[0].reshape(-1).copy(), blocks, ticks.copy())
    for k, now in enumerate(frames[1:], 1):
        found = gate.watch(now, state, marks, ticks, memory, k / 5, 0.2, 1.5, 4.5, 5)
        expected, level = slow.watch(now, k / 5, 0.2, marks[gate.CLOCK])
        assert memory[gate.LEVEL] == pytest.approx(level)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
        assert memory[gate.RAIN] == pytest.approx(slow.rain, rel=1e-6)
        assert memory[gate.CALM] == pytest.approx(slow.calm, rel=1e-3, abs=1e-4)
        np.testing.assert_allclose(ticks, slow.ticks, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(state[gate.MEAN].reshape(-1), [b.mean for b in blocks], rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(state[gate.NOISE].reshape(-1), [b.noise for b in blocks], rtol=1e-2, atol=1e-2)
        np.testing.assert_array_equal(state[gate.BEFORE], now)


def test_rain_raises_what_counts_and_ends() -> None:
    marks, memory = np.zeros((5, 20, 20), np.uint8), np.array([1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0])
    rng = np.random.default_rng(1)
    for _ in range(60):
        marks[gate.CHANGED] = rng.random((20, 20)) < 0.02
        gate.learn_rain(marks, memory, 0.1)
    assert memory[gate.RAIN] > 1.5
    marks[gate.CHANGED] = 0
    for _ in range(1500):
        gate.learn_rain(marks, memory, 0.1)
    assert memory[gate.RAIN] == 1.0
