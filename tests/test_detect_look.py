"""One look: the whole picture and closer looks, in the stored picture's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidreview.detect.look import CONTEXTS, CROP_SIZE, look
from vidreview.model import Detections, Pixels


class Bright:
    """Finds the bounding box of bright pixels, and notes what it was shown."""

    name, sha256, runtime = "bright", "0" * 64, "test"

    def __init__(self, label: int = 2, blind_to_whole: int = 0) -> None:
        self.label, self.blind_to_whole = label, blind_to_whole
        self.shown: list[tuple[tuple[int, ...], int | None]] = []

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """One box a picture, or none."""
        self.shown += [(p.shape, size) for p in pictures]
        return [self._one(p) for p in pictures]

    def _one(self, picture: Pixels) -> Detections:
        lit = picture[:, :, 0] > 128
        if not lit.any() or max(picture.shape) == self.blind_to_whole:
            return Detections.none()
        rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
        box = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        return Detections(np.array(box, np.float32), np.array([0.7], np.float32), np.array([self.label], np.int16))


def scene(box: tuple[int, int, int, int], width: int = 400, height: int = 240) -> Pixels:
    """A dark picture with one bright box."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[box[1] : box[3], box[0] : box[2]] = 255
    return picture


def place(
    box: tuple[int, int, int, int], before: int = 0
) -> list[tuple[np.ndarray[tuple[int], np.dtype[np.float32]], int]]:
    return [(np.array(box, np.float32), before)]


def test_a_closer_look_finds_what_the_whole_picture_did_not_show() -> None:
    box = (200, 100, 220, 130)
    detector = Bright(blind_to_whole=400)
    assert len(look(detector, scene(box), 0, []).detections) == 0
    found = look(detector, scene(box), 0, place(box))
    assert found.detections.boxes.tolist() == [list(box)]
    assert found.closer.tolist() == [True]


def test_crops_are_fed_at_one_size_by_turns_of_three_scales() -> None:
    box = (200, 100, 240, 140)
    sides = []
    for before in range(4):
        detector = Bright()
        look(detector, scene(box), 0, place(box, before))
        whole, *crops = detector.shown
        assert whole[1] is None
        assert len(crops) == 1 + before % 2, "every other time turned, too"
        assert {size for _, size in crops} == {CROP_SIZE}
        sides.append(crops[0][0][0])
    assert sides[:3] == [int(c * 40) if c * 40 > 64 else 64 for c in CONTEXTS]
    assert sides[3] == sides[0]


def test_what_both_looks_find_is_one_finding() -> None:
    box = (200, 100, 240, 140)
    found = look(Bright(), scene(box), 0, place(box))
    assert len(found.detections) == 1
    assert found.closer.tolist() == [False]


def test_a_box_that_the_crops_edge_cuts_is_not_believed() -> None:
    bar = (0, 110, 400, 130)
    detector = Bright(blind_to_whole=400)
    found = look(detector, scene(bar), 0, place((190, 100, 230, 140)))
    assert len(found.detections) == 0


def test_at_the_pictures_own_edge_a_cut_box_is_all_there_is() -> None:
    box = (0, 100, 20, 140)
    found = look(Bright(blind_to_whole=400), scene(box), 0, place(box))
    assert found.detections.boxes.tolist() == [list(box)]


def test_only_vehicles_are_believed_in_a_turned_crop() -> None:
    box = (200, 100, 220, 130)

    class Sideways(Bright):
        def _one(self, picture: Pixels) -> Detections:
            lit = np.argwhere(picture[:, :, 0] > 128)
            span = lit.max(axis=0) - lit.min(axis=0) if len(lit) else np.zeros(2)
            return super()._one(picture) if span[1] > span[0] else Detections.none()

    assert len(look(Sideways(label=2, blind_to_whole=400), scene(box), 0, place(box, 1)).detections) == 1
    assert len(look(Sideways(label=0, blind_to_whole=400), scene(box), 0, place(box, 1)).detections) == 0


def test_without_the_whole_only_the_places_are_looked_at() -> None:
    box, far = (200, 100, 220, 130), (20, 20, 40, 40)
    picture = np.maximum(scene(box), scene(far))
    detector = Bright()
    found = look(detector, picture, 0, place(box), whole=False)
    assert found.detections.boxes.tolist() == [list(box)]
    assert found.closer.tolist() == [True]
    assert all(max(shape) < 400 for shape, _ in detector.shown)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_are_in_stored_pixels_however_players_turn_the_picture(rotation: int) -> None:
    box = (200, 100, 230, 160)
    for blind in (0, 400):
        found = look(Bright(blind_to_whole=blind), scene(box), rotation, place(box))
        assert found.detections.boxes[0].tolist() == list(box)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 380), st.integers(0, 220), st.integers(1, 400), st.integers(1, 240), st.integers(0, 5))
def test_crops_lie_in_the_picture_and_boxes_too(x: int, y: int, w: int, h: int, before: int) -> None:
    box = (x, y, min(400, x + w), min(240, y + h))
    detector = Bright()
    found = look(detector, scene(box), 0, place(box, before)).detections
    for shape, _ in detector.shown:
        assert 1 <= shape[0] <= 400
        assert 1 <= shape[1] <= 400
    assert (found.boxes[:, :2] >= 0).all()
    assert (found.boxes[:, 2] <= 400).all()
    assert (found.boxes[:, 3] <= 240).all()
