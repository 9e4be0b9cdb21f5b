"""Assignment: as cheap as scipy's, within the limit, one to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tests import naive
from vidreview.kernels.assign import assign

Float = NDArray[np.float64]

shapes = st.tuples(st.integers(0, 8), st.integers(0, 8))
smooth = shapes.flatmap(lambda s: arrays(np.float64, s, elements=st.floats(-2, 5, allow_nan=False, width=32)))
#: many ties, and pairs that are out of the question
coarse = shapes.flatmap(
    lambda s: arrays(np.float64, s, elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, np.inf])),
)


@given(smooth | coarse, st.floats(0.0, 4.0, width=32))
@settings(deadline=None, max_examples=300)
def test_as_cheap_as_scipys(cost: Float, limit: float) -> None:
    columns = assign(cost, limit)
    _, least = naive.assign(cost, limit)
    assert naive.assigned_cost(cost, limit, columns) == pytest.approx(least, rel=1e-9, abs=1e-9)


@given(smooth | coarse, st.floats(0.0, 4.0, width=32))
@settings(deadline=None)
def test_one_to_one_and_within_the_limit(cost: Float, limit: float) -> None:
    columns = assign(cost, limit)
    assert columns.shape == (cost.shape[0],)
    taken = columns[columns >= 0]
    assert len(np.unique(taken)) == len(taken)
    assert (taken < cost.shape[1]).all()
    assert all(cost[i, j] <= limit for i, j in enumerate(columns) if j >= 0)


@given(smooth | coarse, st.floats(0.0, 4.0, width=32))
@settings(deadline=None)
def test_ties_fall_the_same_way_each_time(cost: Float, limit: float) -> None:
    assert np.array_equal(assign(cost, limit), assign(cost.copy(), limit))


@given(st.integers(1, 9).flatmap(lambda n: st.permutations(range(n))))
@settings(deadline=None)
def test_finds_a_hidden_permutation(order: list[int]) -> None:
    cost = np.ones((len(order), len(order)))
    cost[np.arange(len(order)), order] = 0.0
    assert assign(cost, 5.0).tolist() == order


@pytest.mark.parametrize("shape", [(40, 55), (55, 40), (50, 50)])
def test_a_crowd(shape: tuple[int, int]) -> None:
    cost = np.random.default_rng(5).random(shape)
    columns = assign(cost, 0.2)
    assert naive.assigned_cost(cost, 0.2, columns) == pytest.approx(naive.assign(cost, 0.2)[1])
    assert (columns >= 0).sum() > 20


def test_a_dearer_pair_gives_way_to_a_cheaper_whole() -> None:
    cost = np.array([[0.1, 0.2], [0.15, 0.9]])
    assert assign(cost, 1.0).tolist() == [1, 0]


def test_above_the_limit_both_stay_alone() -> None:
    assert assign(np.array([[0.8]]), 0.7).tolist() == [-1]
    assert assign(np.array([[0.8, np.nan]]), 0.9).tolist() == [0]


def test_nobody_and_nothing() -> None:
    assert assign(np.zeros((0, 3)), 1.0).tolist() == []
    assert assign(np.zeros((3, 0)), 1.0).tolist() == [-1, -1, -1]
