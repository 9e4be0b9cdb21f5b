"""The box filter: equal to the full 8×8 filter, and what must hold of any course of predictions and measurements."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from tests import naive
from vidreview.kernels.kalman import predict, update

Float = NDArray[np.float64]

#: a stream's time between frames or looks: from repeated stamps to minutes of silence
steps = st.floats(0.0, 120.0)
four = arrays(np.float64, 4, elements=st.floats(0.01, 1e4))
places = arrays(np.float64, 4, elements=st.floats(-4000, 4000))


@st.composite
def states(draw: st.DrawFn) -> tuple[Float, Float]:
    """A mean and a covariance that is positive definite."""
    mean = draw(arrays(np.float64, (4, 2), elements=st.floats(-4000, 4000)))
    deviation = draw(arrays(np.float64, (4, 2), elements=st.floats(0.1, 1000)))
    lean = draw(arrays(np.float64, 4, elements=st.floats(-0.99, 0.99)))
    both = lean * deviation[:, 0] * deviation[:, 1]
    return mean, np.stack([deviation[:, 0] ** 2, both, deviation[:, 1] ** 2], axis=1)


def positive(cov: Float) -> bool:
    """The variances are above 0 and no correlation exceeds 1 by more than rounding."""
    within = cov[:, 1] ** 2 <= cov[:, 0] * cov[:, 2] * (1 + 1e-6)
    return bool((cov[:, 0] > 0).all() and (cov[:, 2] > 0).all() and within.all())


def close(left: Float, right: Float) -> None:
    """Equal but for rounding, measured against the largest number of each coordinate."""
    scale = np.maximum(1.0, np.abs(right).max(axis=1, keepdims=True))
    assert (np.abs(left - right) <= 1e-8 * scale).all(), (left, right)


@given(states(), st.floats(0.0, 10.0), four, places, four)
@settings(deadline=None, max_examples=200)
def test_equals_the_full_filter(state: tuple[Float, Float], dt: float, q: Float, measured: Float, r: Float) -> None:
    mean, cov = state
    twin = naive.Filter.of(mean, cov)
    for _ in range(3):
        predict(mean, cov, dt, q)
        twin.predict(dt, q)
        close(mean, twin.mean)
        close(cov, twin.cov)
        update(mean, cov, measured, r)
        twin.update(measured, r)
        close(mean, twin.mean)
        close(cov, twin.cov)


@given(states(), st.lists(st.tuples(steps, st.none() | places), max_size=30), four, four)
@settings(deadline=None)
def test_covariance_stays_positive(
    state: tuple[Float, Float], course: list[tuple[float, Float | None]], q: Float, r: Float
) -> None:
    mean, cov = state
    for dt, measured in course:
        predict(mean, cov, dt, q)
        assert positive(cov)
        if measured is not None:
            update(mean, cov, measured, r)
            assert positive(cov)
            assert (cov[:, 0] <= r * (1 + 1e-9)).all()
    assert np.isfinite(mean).all()


@given(states(), four, st.floats(1e-4, 1e-2))
@settings(deadline=None)
def test_covariance_survives_a_sharp_measurement_after_long_silence(
    state: tuple[Float, Float], q: Float, sharp: float
) -> None:
    mean, cov = state
    for _ in range(5):
        predict(mean, cov, 3600.0, q)
        for _ in range(3):
            update(mean, cov, np.zeros(4), np.full(4, sharp))
            assert positive(cov)


@given(states(), st.floats(0, 60), st.floats(0, 60), four)
@settings(deadline=None)
def test_two_steps_are_one_long_step(state: tuple[Float, Float], a: float, b: float, q: Float) -> None:
    mean, cov = state
    once_mean, once_cov = mean.copy(), cov.copy()
    predict(mean, cov, a, q)
    predict(mean, cov, b, q)
    predict(once_mean, once_cov, a + b, q)
    close(mean, once_mean)
    close(cov, once_cov)


@given(states(), four)
@settings(deadline=None)
def test_no_time_changes_nothing(state: tuple[Float, Float], q: Float) -> None:
    mean, cov = state
    before_mean, before_cov = mean.copy(), cov.copy()
    predict(mean, cov, 0.0, q)
    assert np.array_equal(mean, before_mean)
    assert np.array_equal(cov, before_cov)


@given(states(), places, four)
@settings(deadline=None)
def test_a_measurement_draws_nearer_and_narrows(state: tuple[Float, Float], measured: Float, r: Float) -> None:
    mean, cov = state
    away, wide = np.abs(measured - mean[:, 0]), cov.copy()
    update(mean, cov, measured, r)
    assert (np.abs(measured - mean[:, 0]) <= away + 1e-9 * (1 + away)).all()
    assert (cov[:, 0] <= wide[:, 0]).all()
    assert (cov[:, 2] <= wide[:, 2]).all()


def test_a_steady_walk_is_learnt() -> None:
    mean, cov = np.zeros((4, 2)), np.tile([100.0, 0.0, 1000.0], (4, 1))
    q, r = np.full(4, 1.0), np.full(4, 4.0)
    for k in range(1, 60):
        predict(mean, cov, 0.2, q)
        update(mean, cov, np.array([10.0 * k, 200.0 - 4.0 * k, 40.0, 90.0]), r)
    np.testing.assert_allclose(mean[:, 1], [50.0, -20.0, 0.0, 0.0], atol=1.0)
    predict(mean, cov, 2.0, q)
    np.testing.assert_allclose(mean[:, 0], [690.0, -76.0, 40.0, 90.0], atol=3.0)
