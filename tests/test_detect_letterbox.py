"""Picture → network input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidreview.detect.letterbox import PAD, fill, fit
from vidreview.errors import ModelError

side = st.integers(1, 5000)


@given(side, side, st.integers(2, 60).map(lambda k: 32 * k))
def test_the_longest_side_fills_and_the_other_is_padded_no_further_than_needed(
    height: int, width: int, size: int
) -> None:
    box = fit(height, width, size)
    assert max(box.shape) == size == max(box.inner)
    assert all(side % 32 == 0 for side in box.shape)
    assert 0 <= box.shape[0] - box.inner[1] < 32
    assert 0 <= box.shape[1] - box.inner[0] < 32
    assert box.offset[0] + box.inner[0] <= box.shape[1]
    assert box.offset[1] + box.inner[1] <= box.shape[0]


@given(side, side)
def test_corners_map_onto_corners(height: int, width: int) -> None:
    box = fit(height, width, 640)
    assert width * box.scale[0] == pytest.approx(box.inner[0])
    assert height * box.scale[1] == pytest.approx(box.inner[1])


def test_hd_becomes_a_rectangle_not_a_square() -> None:
    assert fit(1080, 1920, 640).shape == (384, 640)
    assert fit(1080, 1920, 640).inner == (640, 360)
    assert fit(576, 768, 640).shape == (480, 640)


def test_small_crops_are_scaled_up() -> None:
    assert fit(60, 40, 320).inner == (213, 320)


def test_a_model_of_fixed_size_gets_its_size() -> None:
    box = fit(360, 640, 640, fixed=(640, 640))
    assert (box.shape, box.inner, box.offset) == ((640, 640), (640, 360), (0, 140))


def test_colours_are_rgb_and_margins_grey() -> None:
    picture = np.zeros((36, 64, 3), np.uint8)
    picture[:] = (10, 20, 250)  # blue, green, red
    box = fit(36, 64, 64)
    tensor = np.full((3, *box.shape), 9, np.float32)
    fill(picture, box, tensor)
    inside = tensor[:, box.offset[1] : box.offset[1] + box.inner[1], :]
    assert box.shape == (64, 64)
    assert [float(plane.max()) for plane in inside] == pytest.approx([250 / 255, 20 / 255, 10 / 255])
    assert [float(plane.min()) for plane in inside] == pytest.approx([250 / 255, 20 / 255, 10 / 255])
    assert tensor[:, 0, 0] == pytest.approx([PAD / 255] * 3)
    assert tensor[:, -1, -1] == pytest.approx([PAD / 255] * 3)


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(ModelError, match="0x20"):
        fit(20, 0, 640)


@given(side, side, st.integers(1, 20).map(lambda k: 32 * k))
def test_small_inputs_grow_by_margin_only(height: int, width: int, size: int) -> None:
    plain, grown = fit(height, width, size), fit(height, width, size, least_area=16384)
    assert grown.inner == plain.inner
    assert grown.shape[0] * grown.shape[1] >= 16384
    assert all(side % 32 == 0 for side in grown.shape)
    if plain.shape[0] * plain.shape[1] >= 16384:
        assert grown == plain
