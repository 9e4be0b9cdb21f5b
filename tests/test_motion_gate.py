"""The motion gate's contract: the same frames give the same blobs, nothing is copied, any picture is taken."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from tests.scenes import Pixels, Scene, Walker
from vidreview.model import Motion
from vidreview.motion import MotionGate, block_size, clock_share, flat_plane

WALKER = Walker(x=60, feet=150, tall=40, speed=30, from_s=3, to_s=8)


def scene() -> Scene:
    """A small street with somebody in it."""
    return Scene(320, 180, length_s=9, things=[WALKER])


def as_bytes(motion: Motion) -> bytes:
    """Everything the gate said of a frame."""
    arrays = (motion.blobs, motion.fill, motion.strength)
    return b"".join(a.tobytes() for a in arrays) + f"{motion.level!r} {motion.reason}".encode()


def run(frames: Iterator[tuple[Pixels, float]], width: int = 320, height: int = 180) -> list[Motion]:
    """What a new gate says of each frame."""
    gate = MotionGate(width, height, 4.5)
    return [gate.see(luma, t) for luma, t in frames]


def padded(picture: Pixels, stride: int) -> Pixels:
    """The same picture in rows ``stride`` bytes apart, as a decoder lays it out."""
    memory = np.full((picture.shape[0], stride), 7, np.uint8)
    memory[:, : picture.shape[1]] = picture
    return memory[:, : picture.shape[1]]


def test_the_same_frames_give_the_same_bits() -> None:
    assert [as_bytes(m) for m in run(scene().frames())] == [as_bytes(m) for m in run(scene().frames())]


def test_opencvs_threads_change_nothing() -> None:
    threads = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        alone = [as_bytes(m) for m in run(scene().frames())]
        cv2.setNumThreads(4)
        assert alone == [as_bytes(m) for m in run(scene().frames())]
    finally:
        cv2.setNumThreads(threads)


def test_padding_beside_the_rows_changes_nothing() -> None:
    plain = run(scene().frames())
    wide = run((padded(luma, 384), t) for luma, t in scene().frames())
    assert [as_bytes(m) for m in plain] == [as_bytes(m) for m in wide]
    assert any(len(m.blobs) for m in plain)


def test_what_was_said_stays_as_it_was_said() -> None:
    said: list[Motion] = []
    then: list[bytes] = []
    gate = MotionGate(320, 180, 4.5)
    for luma, t in scene().frames():
        said.append(gate.see(luma, t))
        then.append(as_bytes(said[-1]))
    assert [as_bytes(m) for m in said] == then


def test_a_decoders_plane_is_not_copied_and_not_written() -> None:
    picture = next(scene().frames())[0]
    memory = padded(picture, 384)
    for luma in (memory, memory[:, :313], memory[8:-8, 16:], memory[:1]):
        before = luma.copy()
        flat, words, stride = flat_plane(luma)
        assert np.shares_memory(flat, luma)
        assert np.shares_memory(words, luma)
        assert stride == 384
        rows = np.lib.stride_tricks.as_strided(flat, luma.shape, (stride, 1))
        assert np.array_equal(rows, luma)
        MotionGate(320, 180, 4.5).see(luma, 0.0)
        assert np.array_equal(luma, before)


def test_a_plane_that_is_only_read_is_taken() -> None:
    picture = padded(next(scene().frames())[0], 384)
    picture.flags.writeable = False
    assert MotionGate(320, 180, 4.5).see(picture, 0.0).reason == "learning"


def test_a_picture_upside_down_or_sideways_is_taken_as_it_is_seen() -> None:
    picture = next(scene().frames())[0]
    flipped, turned = picture[::-1], picture.T
    for view in (flipped, turned, picture[:, ::2], padded(picture, 321), padded(picture, 384)[:, 3:]):
        flat, words, stride = flat_plane(view)
        assert words.tobytes() == flat[: words.nbytes].tobytes()
        rows = np.lib.stride_tricks.as_strided(flat, view.shape, (stride, 1))
        assert np.array_equal(rows, view)


@pytest.mark.parametrize(
    ("width", "height", "block"),
    [(160, 120, 4), (639, 360, 4), (640, 360, 8), (1920, 1080, 8), (2560, 1440, 16), (3840, 2160, 16), (720, 1280, 8)],
)
def test_blocks_grow_with_the_picture(width: int, height: int, block: int) -> None:
    assert block_size(width, height) == block
    gate = MotionGate(width, height, 4.5)
    assert gate.shape == (-(-height // block), -(-width // block))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (16, 16), (33, 17), (4, 200), (641, 3), (3840, 2160)])
def test_a_picture_of_any_size_is_taken(width: int, height: int) -> None:
    rng = np.random.default_rng(1)
    gate = MotionGate(width, height, 4.5)
    for k in range(60):
        if width > 1000 and k > 12:
            break
        motion = gate.see(rng.integers(90, 110, (height, width)).astype(np.uint8), k / 10)
        assert (motion.blobs[:, 2] <= width).all()
        assert (motion.blobs[:, 3] <= height).all()
        assert 0 <= motion.level <= 1


def test_a_spot_is_found_where_it_is_at_4k() -> None:
    gate = MotionGate(3840, 2160, 4.5)
    rng = np.random.default_rng(2)
    quiet = rng.integers(95, 106, (2160, 3840)).astype(np.uint8)
    motion = gate.see(quiet, 0.0)
    for k in range(1, 20):
        picture = np.roll(quiet, 37 * k, axis=1)
        if k >= 15:
            picture[1000:1064, 2000 + 8 * k : 2032 + 8 * k] = 200
        motion = gate.see(picture, k / 10)
        if k < 15:
            assert len(motion.blobs) == 0
    x1, y1, x2, y2 = motion.blobs[0].tolist()
    assert x1 <= 2152 <= 2184 <= x2
    assert y1 <= 1000 <= 1064 <= y2
    assert (x2 - x1) * (y2 - y1) <= (32 + 64) * (64 + 48)


@pytest.mark.parametrize("grey", [0, 16, 255])
def test_a_picture_of_one_grey_is_still(grey: int) -> None:
    said = run((np.full((180, 320), grey, np.uint8), k / 10) for k in range(200))
    assert said[0].reason == "learning"
    assert {m.reason for m in said[1:]} == {"still"}
    assert {m.level for m in said} == {0.0}


def test_black_that_ends_is_quiet_within_a_second() -> None:
    frames = [(luma if t > 4 else np.zeros_like(luma), t) for luma, t in Scene(320, 180, length_s=8).frames()]
    said = list(zip(frames, run(iter(frames)), strict=True))
    assert {m.reason for (_, t), m in said if 4.0 < t < 4.3} & {"whole-frame", "motion"}
    assert all(len(m.blobs) == 0 for (_, t), m in said if t > 5.2)


def test_seconds_that_stand_still_change_little_and_break_nothing() -> None:
    gate = MotionGate(320, 180, 4.5)
    seen = 0
    for luma, t in scene().frames():
        # each stamp comes twice, as some recorders write them
        for _ in range(2):
            motion = gate.see(luma, t)
            assert np.isfinite(motion.strength).all()
        seen += WALKER.here(t) and len(motion.blobs) > 0
    assert seen >= 0.9 * 10 * (WALKER.to_s - WALKER.from_s)


def test_a_long_pause_between_frames_is_taken() -> None:
    gate = MotionGate(320, 180, 4.5)
    frames = list(Scene(320, 180, length_s=6).frames())
    for luma, t in frames:
        gate.see(luma, t)
    motion = gate.see(frames[-1][0], 5000.0)
    assert motion.reason == "still"


def test_a_break_begins_anew() -> None:
    street, other = Scene(320, 180, length_s=5), Scene(320, 180, length_s=5, seed=9)
    gate = MotionGate(320, 180, 4.5)
    for luma, t in street.frames():
        gate.see(luma, t)
    said = [gate.see(luma, 5 + t, discontinuity=t == 0) for luma, t in other.frames()]
    assert said[0].reason == "learning"
    assert len(said[0].blobs) == 0
    assert {m.reason for m in said[1:]} == {"still"}


def test_two_gates_know_nothing_of_each_other() -> None:
    together = [MotionGate(320, 180, 4.5), MotionGate(320, 180, 4.5)]
    other = Scene(320, 180, length_s=9, seed=5)
    said = []
    for (luma, t), (elsewhere, _) in zip(scene().frames(), other.frames(), strict=True):
        said.append(as_bytes(together[0].see(luma, t)))
        together[1].see(elsewhere, t)
    assert said == [as_bytes(m) for m in run(scene().frames())]


def test_blobs_come_largest_first_with_their_fill_and_strength() -> None:
    small = Walker(x=60, feet=60, tall=20, speed=15, from_s=3, to_s=8)
    both = Scene(320, 180, length_s=8, things=[WALKER, small])
    many = [m for m in run(both.frames()) if len(m.blobs) >= 2]
    assert len(many) >= 10
    for motion in many:
        assert motion.blobs.dtype == np.float32
        assert len(motion.fill) == len(motion.strength) == len(motion.blobs)
        size = np.prod(motion.blobs[:, 2:] - motion.blobs[:, :2], axis=1)
        count = motion.fill * size
        assert (np.diff(count) <= 1e-3 * count[:-1]).all()
        assert ((motion.fill > 0) & (motion.fill <= 1)).all()
        assert (motion.strength >= 1).all()
        assert (motion.blobs[:, :2] >= 0).all()


def test_how_much_of_a_box_lies_on_the_clock() -> None:
    gate = MotionGate(640, 360, 4.5)
    gate.clock[2:4, 10:20] = 1
    assert clock_share(gate.clock, gate.block, (80, 16, 160, 32)) == 1.0
    assert clock_share(gate.clock, gate.block, (80, 16, 160, 48)) == 0.5
    assert clock_share(gate.clock, gate.block, (200, 100, 240, 200)) == 0.0
    assert clock_share(gate.clock, gate.block, (-50, -50, -20, -20)) == 0.0
