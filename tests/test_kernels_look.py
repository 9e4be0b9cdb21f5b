"""The kernels of looks against their slow twins, and the numbers of their formulas."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import naive_look
from vidreview.kernels import look
from vidreview.looks.naming import tables

Bytes = NDArray[np.uint8]


def picture(seed: int = 3, height: int = 90, width: int = 120) -> Bytes:
    """Large patches of colour with noise, so that box and ring share some colours."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (height // 10, width // 10, 3)).repeat(10, axis=0).repeat(10, axis=1)
    return (patches + rng.normal(0, 3, patches.shape)).clip(0, 255).astype(np.uint8)


BOXES = [
    (20.0, 10.0, 60.0, 80.0),
    (20.3, 10.7, 31.9, 44.4),
    (-15.0, -9.0, 25.0, 40.0),
    (100.0, 70.0, 150.0, 130.0),
    (50.0, 50.0, 51.0, 52.0),
    (-40.0, 0.0, -10.0, 60.0),
]


@pytest.mark.parametrize("box", BOXES)
def test_cell_means(box: tuple[float, float, float, float]) -> None:
    means, inside = np.zeros((24, 12, 3), np.uint8), np.zeros((24, 12), np.bool_)
    look.cell_means(picture(), *box, means, inside)
    wanted = naive_look.cell_means(picture(), box, 24, 12)
    np.testing.assert_array_equal(means, wanted[0])
    np.testing.assert_array_equal(inside, wanted[1])
    assert inside.any() == (box[2] > 0)


def test_cell_means_of_one_colour_keep_it_and_take_a_view_of_a_larger_picture() -> None:
    whole = np.zeros((400, 600, 3), np.uint8)
    whole[100:300, 200:500] = (17, 130, 251)
    means, inside = np.zeros((48, 24, 3), np.uint8), np.zeros((48, 24), np.bool_)
    look.cell_means(whole[100:300, 200:500], 0.0, 0.0, 300.0, 200.0, means, inside)
    assert inside.all() and (means == (17, 130, 251)).all()


@pytest.mark.parametrize("box", BOXES[:4])
def test_object_weights(box: tuple[float, float, float, float]) -> None:
    cells, inside = naive_look.cell_means(picture(), box, 32, 18)
    weights = np.zeros((24, 12))
    look.object_weights(cells, inside, 4, 3, weights)
    np.testing.assert_allclose(weights, naive_look.object_weights(cells, inside, 4, 3), rtol=1e-12)


def test_a_colour_that_is_all_around_weighs_a_twentieth_of_the_object_s() -> None:
    cells = np.full((60, 36, 3), 120, np.uint8)
    cells[22:38, 14:22] = (20, 20, 230)
    weights = np.zeros((48, 24))
    look.object_weights(cells, np.ones((60, 36), np.bool_), 6, 6, weights)
    assert weights[24, 12] == pytest.approx(1.05, abs=0.01), "the middle, of a colour that is not in the ring"
    wall, near = weights[24, 2], np.exp(-0.5 * ((5 / 24 - 1) / 0.5) ** 2)
    assert wall < 0.5 * near, "the wall shows between box and object, and all around"


@pytest.mark.parametrize("box", BOXES[:4])
def test_describe(box: tuple[float, float, float, float]) -> None:
    cells, inside = naive_look.cell_means(picture(), box, 32, 18)
    weights = naive_look.object_weights(cells, inside, 4, 3)
    own, out = np.ascontiguousarray(cells[4:-4, 3:-3]), np.zeros(look.LENGTH)
    look.describe(own, weights, *tables(), out)
    np.testing.assert_allclose(out, naive_look.describe(own, weights, *tables()), atol=1e-9)
    parts = [out[:11], *out[11:77].reshape(6, 11), *out[77:125].reshape(6, 8), out[125:]]
    assert all(part.sum() == pytest.approx(1) or part.sum() == 0 for part in parts)


def test_describe_without_weight_is_nothing() -> None:
    out = np.ones(look.LENGTH)
    look.describe(np.zeros((48, 24, 3), np.uint8), np.zeros((48, 24)), *tables(), out)
    assert not out.any()


def test_nearest_two() -> None:
    rng = np.random.default_rng(5)
    points = rng.uniform(-50, 100, (40, 3))
    groups = [rng.uniform(-50, 100, (count, 3)) for count in (2, 5, 30)]
    limits = np.cumsum([0, *(len(g) for g in groups)])
    found = look.nearest_two(points, np.concatenate(groups), limits)
    np.testing.assert_allclose(found, naive_look.nearest_two(points, groups), rtol=1e-12)


def test_where_the_parts_begin() -> None:
    assert (look.AT_STRIPES, look.AT_LIGHTS, look.AT_JOINT, look.LENGTH) == (11, 77, 125, 225)
