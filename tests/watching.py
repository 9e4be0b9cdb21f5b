"""Shows a synthetic scene to the motion gate and says what it saw of whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.scenes import Box, Pixels, Scene, Walker
from vidreview.model import Motion
from vidreview.motion import MotionGate
from vidreview.settings import ScanSettings

#: seconds after the first frame before which nothing is asked of the gate
SETTLED_S = 3.0


@dataclass(frozen=True)
class Watch:
    """What the gate said of a whole scene."""

    said: list[tuple[float, Motion]]
    gate: MotionGate
    #: when the clock's mask first stood, None for never
    clock_s: float | None

    def blobs(self, from_s: float = SETTLED_S, to_s: float = float("inf")) -> float:
        """Share of the frames of a span with any blob."""
        return self._share(from_s, to_s, None)

    def elsewhere(self, walker: Walker, from_s: float = SETTLED_S, to_s: float = float("inf")) -> float:
        """Share of the frames of a span with a blob that is not the walker."""
        return self._share(from_s, to_s, walker)

    def seen(self, walker: Walker, from_s: float = 0.0, to_s: float = float("inf")) -> float:
        """Share of the walker's frames on which a blob covers part of it and is not far larger than it."""
        here = [(t, m) for t, m in self.said if walker.here(t) and from_s <= t < to_s]
        assert len(here) >= 20
        return sum(self._shows(walker, t, m) for t, m in here) / len(here)

    def _share(self, from_s: float, to_s: float, walker: Walker | None) -> float:
        span = [(t, m) for t, m in self.said if from_s <= t < to_s]
        assert len(span) >= 5
        return sum(any(not _is(walker, t, tuple(b)) for b in m.blobs) for t, m in span) / len(span)

    def _shows(self, walker: Walker, t: float, motion: Motion) -> bool:
        spare = 6 * self.gate.block
        x1, y1, x2, y2 = walker.box(t)
        largest = (x2 - x1 + spare) * (y2 - y1 + spare)
        boxes: list[Box] = [tuple(b) for b in motion.blobs.tolist()]
        return any(meet(b, walker.box(t)) and (b[2] - b[0]) * (b[3] - b[1]) <= largest for b in boxes)


def meet(a: Box, b: Box, slop: float = 0.0) -> bool:
    """Whether two boxes come within ``slop`` pixels of each other."""
    return a[0] < b[2] + slop and a[2] > b[0] - slop and a[1] < b[3] + slop and a[3] > b[1] - slop


def _is(walker: Walker | None, t: float, blob: Box) -> bool:
    """Whether a blob is the walker; its background closes behind it within a second."""
    return walker is not None and any(meet(blob, walker.box(s), 16.0) for s in (t, t - 0.5) if walker.here(s))


def watch(scene: Scene, frames: Iterable[tuple[Pixels, float]] | None = None) -> Watch:
    """Show a scene to a gate."""
    gate = MotionGate(scene.width, scene.height, ScanSettings().motion_threshold)
    said: list[tuple[float, Motion]] = []
    clock_s = None
    for luma, t in scene.frames() if frames is None else frames:
        said.append((t, gate.see(luma, t)))
        if clock_s is None and gate.clock.any():
            clock_s = t
    return Watch(said, gate, clock_s)
