"""The motion gate on synthetic scenes: who walks is seen, and what is no object is not reported for long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.scenes import (
    ROAD,
    Box,
    Clock,
    Headlights,
    Insect,
    Leaves,
    Pulse,
    Rain,
    Scene,
    Thing,
    Walker,
    coded,
    infrared,
    lights_off,
    ramp,
)
from tests.watching import SETTLED_S, meet, watch
from vidreview.motion import MotionGate
from vidreview.settings import ScanSettings


def crossing(walker: Walker, **scene: float) -> tuple[Scene, Walker]:
    """A scene in which somebody walks."""
    return replace(Scene(length_s=walker.to_s + 3), things=[walker], **scene), walker  # type: ignore[arg-type]


#: somebody of ordinary size at 640×360
SOMEBODY = Walker(x=250, feet=290, tall=60, speed=45, from_s=6, to_s=14)
#: a person far away at 1280×720
TINY = Walker(x=600, feet=500, tall=16, speed=13, from_s=6, to_s=14)


# -- who walks is seen ------------------------------------------------------------------------------------------------


def test_somebody_is_seen_at_once_and_nothing_else() -> None:
    found = watch(Scene(length_s=18, things=[SOMEBODY]))
    assert found.seen(SOMEBODY) >= 0.98
    assert found.seen(SOMEBODY, to_s=8.0) >= 0.95
    assert found.elsewhere(SOMEBODY) <= 0.01


@pytest.mark.parametrize(("fps", "jitter"), [(10, 0.0), (25, 0.0), (8, 0.6)])
def test_a_person_sixteen_pixels_tall_is_seen(fps: float, jitter: float) -> None:
    found = watch(Scene(1280, 720, fps=fps, jitter=jitter, length_s=16, things=[TINY]))
    assert found.seen(TINY) >= 0.9
    assert found.elsewhere(TINY) <= 0.01


def test_a_dim_person_in_the_noise_of_infrared_is_seen() -> None:
    dim = replace(SOMEBODY, tall=40, speed=30, level=ROAD - 13)
    found = watch(Scene(length_s=17, noise=4.0, things=[dim]))
    assert found.seen(dim) >= 0.9
    assert found.elsewhere(dim) <= 0.01


@pytest.mark.parametrize("fps", [2.0, 5.0])
def test_somebody_is_seen_by_a_slow_recorder(fps: float) -> None:
    longer = replace(SOMEBODY, to_s=17, speed=30)
    found = watch(Scene(length_s=20, fps=fps, things=[longer]))
    assert found.seen(longer) >= 0.9


def test_somebody_on_the_first_frame_is_seen() -> None:
    early = replace(SOMEBODY, from_s=0, to_s=8)
    assert watch(Scene(length_s=10, things=[early])).seen(early) >= 0.85


@pytest.mark.parametrize("crf", [23, 30, 36])
def test_somebody_is_seen_through_compression(crf: int) -> None:
    dim = replace(SOMEBODY, tall=40, speed=30, level=ROAD - 20)
    scene = Scene(length_s=17, noise=3.0, things=[dim])
    found = watch(scene, coded(scene, crf))
    assert found.seen(dim) >= 0.95
    assert found.elsewhere(dim) <= 0.1


# -- what is nothing is not reported ----------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 1.0, 4.0, 8.0])
def test_noise_is_nothing(noise: float) -> None:
    assert watch(Scene(length_s=20, noise=noise)).blobs() <= 0.01


@pytest.mark.parametrize(("crf", "fps", "most"), [(23, 10, 0.01), (30, 25, 0.01), (38, 25, 0.1)])
def test_compression_is_nothing(crf: int, fps: float, most: float) -> None:
    """Key frames move every block once a second; they are neither motion nor a clock."""
    scene = Scene(length_s=20, noise=3.0, fps=fps)
    found = watch(scene, coded(scene, crf))
    assert found.blobs() <= most
    assert found.clock_s is None


@pytest.mark.parametrize("fps", [10.0, 25.0])
def test_key_frames_that_sharpen_are_no_clock(fps: float) -> None:
    found = watch(Scene(length_s=30, fps=fps, burned_in=[Pulse()]))
    assert found.clock_s is None
    assert found.blobs() <= 0.02


@pytest.mark.parametrize("tremble", [0.5, 1.0])
def test_a_trembling_camera_is_nothing_and_shows_who_walks(tremble: float) -> None:
    assert watch(Scene(length_s=20, tremble=tremble)).blobs(from_s=5) <= 0.05
    found = watch(Scene(length_s=18, tremble=tremble, things=[SOMEBODY]))
    assert found.seen(SOMEBODY) >= 0.9
    assert found.elsewhere(SOMEBODY, from_s=5) <= 0.05


@pytest.mark.parametrize("reach", [2.0, 5.0])
def test_leaves_are_learnt(reach: float) -> None:
    found = watch(Scene(length_s=30, things=[Leaves((60, 20, 200, 140), reach)]))
    assert found.blobs(from_s=10) <= 0.05


# -- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fps", "scale", "jitter"), [(10, 0.6, 0.0), (25, 0.6, 0.0), (25, 1.0, 0.0), (8, 0.6, 0.6), (5, 0.7, 0)]
)
def test_the_clock_is_found_and_masked(fps: float, scale: float, jitter: float) -> None:
    clock = Clock(250, 40, scale)
    found = watch(Scene(length_s=30, fps=fps, jitter=jitter, burned_in=[clock]))
    assert found.clock_s is not None
    assert found.clock_s <= 12.5
    assert found.blobs(from_s=13) == 0.0
    assert meet(_mask_box(found.gate), clock.box())
    assert found.gate.clock.mean() <= 0.03


def test_the_clock_is_found_through_compression() -> None:
    scene = Scene(length_s=24, noise=3.0, burned_in=[Clock(250, 40)])
    found = watch(scene, coded(scene, 32))
    assert found.clock_s is not None
    assert found.clock_s <= 14.0
    assert found.blobs(from_s=15) <= 0.01


def test_the_clock_is_told_from_key_frames_that_sharpen() -> None:
    found = watch(Scene(length_s=40, burned_in=[Clock(250, 40), Pulse()]))
    assert found.clock_s is not None
    assert found.gate.clock.any()
    assert found.gate.clock.mean() <= 0.04
    assert found.blobs(from_s=16) <= 0.05


def test_somebody_who_passes_the_clock_is_seen_and_does_not_end_the_mask() -> None:
    passer = Walker(x=200, feet=80, tall=60, speed=45, from_s=16, to_s=24)
    found = watch(Scene(length_s=36, things=[passer], burned_in=[Clock(250, 40)]))
    assert found.seen(passer) >= 0.9
    assert found.elsewhere(passer, from_s=13) <= 0.01
    assert found.gate.clock.any()


def test_nobody_is_taken_for_a_clock() -> None:
    """Someone who walks to and fro, in place, with a swinging step."""
    there = [
        replace(SOMEBODY, speed=8 - 16 * (k % 2), x=250 + 8 * (k % 2), from_s=4 + k, to_s=5 + k) for k in range(24)
    ]
    assert watch(Scene(length_s=30, things=there)).clock_s is None


def test_a_break_keeps_the_clock() -> None:
    scene = Scene(length_s=44, fps=8, burned_in=[Clock(250, 40)])
    gate = MotionGate(scene.width, scene.height, ScanSettings().motion_threshold)
    masked = []
    for luma, t in scene.frames():
        # what is lost shifts the clock's phase in the stream
        gate.see(luma, t if t < 22 else t + 0.4, discontinuity=t == 22.0)
        masked.append((t, bool(gate.clock.any())))
    assert all(on for t, on in masked if t > 14)


def _mask_box(gate: MotionGate) -> Box:
    y, x = np.nonzero(gate.clock)
    return tuple(float(gate.block * v) for v in (x.min(), y.min(), x.max() + 1, y.max() + 1))  # type: ignore[return-value]


# -- light ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_s", "to_s", "gain", "offset"),
    [(6, 10, 1.25, 10), (6, 10, 0.7, 0), (8, 8, 1.25, 10), (8, 8, 0.6, 0), (8, 8, 1, 25)],
)
def test_exposure_is_nothing_and_shows_who_walks(from_s: float, to_s: float, gain: float, offset: float) -> None:
    light = [ramp(from_s, to_s, gain, offset)]
    empty = watch(Scene(length_s=20, light=light))
    assert empty.blobs(to_s=from_s) == 0.0
    assert empty.blobs(from_s=to_s + 1.0) == 0.0
    assert empty.blobs(from_s=from_s, to_s=to_s + 1.0) <= 0.6
    found = watch(Scene(length_s=17, light=light, things=[SOMEBODY]))
    assert found.seen(SOMEBODY) >= 0.9


def test_lights_that_go_out_and_on_are_quiet_within_a_second() -> None:
    off = [lights_off(8, 14)]
    empty = watch(Scene(length_s=24, light=off))
    assert empty.blobs(from_s=9.0, to_s=14.0) == 0.0
    assert empty.blobs(from_s=15.0) == 0.0
    walker = replace(SOMEBODY, to_s=18, speed=30)
    found = watch(Scene(length_s=20, light=off, things=[walker]))
    assert found.seen(walker, from_s=9.5, to_s=14.0) >= 0.9
    assert found.seen(walker, from_s=15.0) >= 0.9


def test_going_over_to_infrared_is_quiet_within_a_second() -> None:
    empty = watch(Scene(length_s=20, light=[infrared(8)]))
    assert empty.blobs(from_s=9.0) == 0.0
    walker = replace(SOMEBODY, to_s=16, speed=30)
    found = watch(Scene(length_s=18, light=[infrared(8)], things=[walker]))
    assert found.seen(walker, from_s=9.0) >= 0.9


def test_a_whole_new_picture_is_said_to_be_one() -> None:
    empty = watch(Scene(length_s=12, light=[infrared(8)]))
    assert {m.reason for t, m in empty.said if 8.0 <= t < 9.0} & {"whole-frame"}


# -- what comes and stays, or goes ------------------------------------------------------------------------------------


def test_a_thing_put_down_is_seen_and_then_background() -> None:
    found = watch(Scene(length_s=20, things=[Thing((300, 240, 330, 290), 8)]))
    assert found.blobs(from_s=8.0, to_s=8.55) == 1.0
    assert found.blobs(from_s=9.0) == 0.0


def test_what_stood_for_twenty_seconds_leaves_no_ghost() -> None:
    found = watch(Scene(length_s=40, things=[Thing((300, 240, 330, 290), 8, 28)]))
    assert found.blobs(from_s=9.0, to_s=28.0) == 0.0
    assert found.blobs(from_s=30.0) == 0.0


def test_who_stands_awhile_is_seen_again_on_walking_off() -> None:
    coming = replace(SOMEBODY, to_s=10)
    x1, _, x2, _ = coming.box(10)
    standing = replace(SOMEBODY, x=(x1 + x2) / 2, speed=0.0, from_s=10, to_s=22)
    going = replace(standing, speed=45.0, from_s=22, to_s=26)
    found = watch(Scene(length_s=30, things=[coming, standing, going]))
    assert found.seen(coming) >= 0.95
    assert found.seen(going) >= 0.9
    assert found.blobs(from_s=28.0) == 0.0


# -- the weather, and what lamps draw ---------------------------------------------------------------------------------


def test_insects_are_gone_when_they_are_gone() -> None:
    insect = Insect(5)
    said = watch(Scene(length_s=30, things=[insect])).said
    late = [t for t, m in said if t > SETTLED_S and len(m.blobs) and not insect.here(t) and not insect.here(t - 0.3)]
    assert late == []


def test_headlights_are_gone_within_a_second() -> None:
    sweep = Headlights(10)
    said = watch(Scene(length_s=36, things=[sweep])).said
    late = [t for t, m in said if t > SETTLED_S and len(m.blobs) and not any(sweep.here(t - s) for s in (0, 0.5, 1.0))]
    assert late == []


@pytest.mark.parametrize(("streaks", "most"), [(5, 0.1), (20, 0.1), (80, 0.25)])
def test_rain_is_learnt(streaks: int, most: float) -> None:
    assert watch(Scene(length_s=24, things=[Rain(streaks)])).blobs(from_s=10) <= most


@pytest.mark.parametrize(("streaks", "fps", "contrast"), [(5, 10, 20), (20, 25, 20), (80, 10, 40)])
def test_somebody_is_seen_in_the_rain(streaks: int, fps: float, contrast: float) -> None:
    late = replace(SOMEBODY, from_s=12, to_s=20, level=ROAD - contrast)
    found = watch(Scene(length_s=22, fps=fps, things=[late, Rain(streaks)]))
    assert found.seen(late) >= 0.9


def test_after_insects_and_somebody_close_the_gate_is_no_blinder() -> None:
    close = Walker(x=200, feet=340, tall=250, speed=60, from_s=8, to_s=13)
    dim = replace(SOMEBODY, tall=40, speed=30, level=ROAD - 13, from_s=16, to_s=22)
    found = watch(Scene(length_s=24, noise=4.0, things=[close, dim, Insect(3)]))
    assert found.seen(dim) >= 0.85


def test_a_scene_is_the_same_each_time() -> None:
    def few() -> Iterator[bytes]:
        scene = Scene(
            320, 180, length_s=1.0, tremble=1.0, jitter=0.5, things=[SOMEBODY, Rain(5)], burned_in=[Clock(5, 20)]
        )
        for luma, t in scene.frames():
            yield luma.tobytes() + str(t).encode()

    assert list(few()) == list(few())
