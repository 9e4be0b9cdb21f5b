"""Overlap of boxes: against the naive twin, and what must hold of any boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tests import naive
from vidreview.kernels.boxes import inside_matrix, iou_matrix

Float = NDArray[np.float64]

coordinates = st.floats(-1e4, 1e4, allow_nan=False)
any_boxes = st.integers(0, 6).flatmap(lambda n: arrays(np.float64, (n, 4), elements=coordinates))


@st.composite
def proper_boxes(draw: st.DrawFn) -> Float:
    """Boxes with an area, as whole quarters of pixels so that equal ones are equal exactly."""
    count = draw(st.integers(1, 6))
    corner = draw(arrays(np.int64, (count, 2), elements=st.integers(-400, 400)))
    size = draw(arrays(np.int64, (count, 2), elements=st.integers(1, 400)))
    return np.concatenate([corner, corner + size], axis=1) / 4.0


@given(any_boxes, any_boxes)
@settings(deadline=None)
def test_overlaps_equal_the_twins(a: Float, b: Float) -> None:
    np.testing.assert_allclose(iou_matrix(a, b), naive.iou_matrix(a, b), rtol=1e-12)
    np.testing.assert_allclose(inside_matrix(a, b), naive.inside_matrix(a, b), rtol=1e-12)


@given(any_boxes, any_boxes)
@settings(deadline=None)
def test_iou_is_symmetric_and_a_share(a: Float, b: Float) -> None:
    there, back = iou_matrix(a, b), iou_matrix(b, a)
    assert there.shape == (len(a), len(b))
    assert np.array_equal(there, back.T)
    assert ((there >= 0) & (there <= 1)).all()


@given(any_boxes, any_boxes)
@settings(deadline=None)
def test_inside_is_a_share_and_at_least_the_iou(a: Float, b: Float) -> None:
    inside = inside_matrix(a, b)
    assert ((inside >= 0) & (inside <= 1)).all()
    assert (inside >= iou_matrix(a, b) - 1e-12).all()


@given(proper_boxes())
@settings(deadline=None)
def test_a_box_is_itself(boxes: Float) -> None:
    assert (np.diag(iou_matrix(boxes, boxes)) == 1.0).all()
    assert (np.diag(inside_matrix(boxes, boxes)) == 1.0).all()


@given(proper_boxes(), st.floats(-1000, 1000), st.floats(0.01, 100))
@settings(deadline=None)
def test_iou_minds_neither_place_nor_size(boxes: Float, shift: float, scale: float) -> None:
    moved = boxes * scale + shift
    np.testing.assert_allclose(iou_matrix(moved, moved), iou_matrix(boxes, boxes), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "degenerate",
    [(5, 5, 5, 9), (5, 5, 9, 5), (5, 5, 5, 5), (9, 5, 2, 8), (9, 9, 2, 2), (5, 5, 5 + 5e-200, 5 + 5e-200)],
)
def test_a_box_without_area_overlaps_nothing(degenerate: tuple[float, ...]) -> None:
    thin = np.array([degenerate], np.float64)
    full = np.array([[0, 0, 10, 10]], np.float64)
    for one, other in ((thin, full), (full, thin), (thin, thin)):
        assert iou_matrix(one, other)[0, 0] == 0.0
        assert inside_matrix(one, other)[0, 0] == 0.0


def test_an_area_too_small_for_a_number_is_none() -> None:
    speck = np.array([[0.0, 0.0, 1e-200, 1e-200]])
    assert iou_matrix(speck, speck)[0, 0] == 0.0
    assert inside_matrix(speck, speck)[0, 0] == 0.0


def test_no_boxes_give_an_empty_matrix() -> None:
    some, none = np.array([[0.0, 0.0, 2.0, 2.0]]), np.zeros((0, 4))
    for overlap in (iou_matrix, inside_matrix):
        assert overlap(none, some).shape == (0, 1)
        assert overlap(some, none).shape == (1, 0)
        assert overlap(none, none).shape == (0, 0)


def test_a_known_overlap() -> None:
    a, b = np.array([[0.0, 0.0, 4.0, 2.0]]), np.array([[2.0, 0.0, 4.0, 4.0]])
    assert iou_matrix(a, b)[0, 0] == 4 / 12
    assert inside_matrix(a, b)[0, 0] == 0.5
