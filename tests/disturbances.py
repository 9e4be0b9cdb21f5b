"""What disturbs a camera, one thing at a time: how often the gate fires for nothing, and whether it still sees people.

``python -m tests.disturbances`` prints the figures; `make bench` puts them on its page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tests.scenes import (
    ROAD,
    Clock,
    Headlights,
    Insect,
    Leaves,
    Rain,
    Scene,
    Walker,
    coded,
    infrared,
    lights_off,
    ramp,
)
from tests.watching import SETTLED_S, Watch, watch

#: people who come one after the other: one of ordinary size, one far away, one hardly darker than the road
WALKERS = (
    Walker(x=250, feet=290, tall=60, speed=45, from_s=6, to_s=14),
    Walker(x=330, feet=200, tall=20, speed=14, from_s=17, to_s=25),
    Walker(x=420, feet=310, tall=50, speed=-35, from_s=28, to_s=36, level=ROAD - 18),
)
LENGTH_S = 38.0
#: somebody is found when the gate has a blob on him on this share of his frames
FOUND = 0.5


@dataclass(frozen=True)
class Disturbance:
    """One thing that disturbs a camera."""

    name: str
    scene: Scene
    #: quality of H.264 it is recorded with, None for the sensor's own pixels
    crf: int | None = None
    #: share of the time in which the gate may fire with nobody there
    most_false: float = 0.05
    with_people: Scene = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "with_people", replace(self.scene, things=[*WALKERS, *self.scene.things]))

    def watch(self, *, people: bool) -> Watch:
        """What the gate says of it."""
        scene = self.with_people if people else self.scene
        return watch(scene, None if self.crf is None else coded(scene, self.crf))

    def false_share(self) -> float:
        """Share of the time in which the gate fires though nobody is there."""
        return self.watch(people=False).blobs(from_s=SETTLED_S)

    def seen(self) -> list[float]:
        """Of each walker the share of frames on which the gate has a blob on him."""
        watched = self.watch(people=True)
        return [watched.seen(walker) for walker in WALKERS]


def _scene(**more: Any) -> Scene:
    return replace(Scene(length_s=LENGTH_S), **more)


def disturbances() -> Iterator[Disturbance]:
    """All of them, each with what is asked of the gate."""
    yield Disturbance("nothing", _scene(), most_false=0.0)
    yield Disturbance("a noisy sensor at night", _scene(noise=5.0), most_false=0.01)
    yield Disturbance("strong compression", _scene(noise=3.0, fps=25.0), crf=34, most_false=0.05)
    yield Disturbance("drizzle", _scene(things=[Rain(15)]), most_false=0.1)
    yield Disturbance("heavy rain", _scene(things=[Rain(80)]), most_false=0.3)
    yield Disturbance("insects before an infra-red lamp", _scene(noise=3.0, things=[Insect(4)]), most_false=0.25)
    yield Disturbance("swaying leaves", _scene(things=[Leaves((60, 20, 200, 140), 4.0)]), most_false=0.2)
    yield Disturbance(
        "exposure that drifts", _scene(light=[ramp(8, 14, 1.2, 8), ramp(20, 24, 0.8, 0)]), most_false=0.15
    )
    yield Disturbance("light switched off and on", _scene(light=[lights_off(10, 20)]), most_false=0.1)
    yield Disturbance("the change to infra-red", _scene(light=[infrared(10)]), most_false=0.06)
    yield Disturbance("headlights that sweep by", _scene(things=[Headlights(12)]), most_false=0.35)
    yield Disturbance("a burned-in clock", _scene(burned_in=[Clock(250, 40)]), most_false=0.25)
    yield Disturbance("a camera that shakes", _scene(tremble=1.0), most_false=0.1)


def report() -> list[dict[str, Any]]:
    """Of each scene its name, the gate's false share of time, recall (people found of those there) and details."""
    rows = []
    for one in disturbances():
        seen = one.seen()
        rows.append(
            {
                "scene": one.name,
                "false_share": one.false_share(),
                "recall": sum(share >= FOUND for share in seen) / len(seen),
                "seen": [round(share, 3) for share in seen],
            }
        )
    return rows


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report(), indent=1) + "\n")
