"""Working ahead in a thread: order, errors, an end at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from vidreview.pipeline.ahead import ahead


def test_items_come_in_order_and_all_of_them() -> None:
    with ahead(lambda: iter(range(1000)), 4) as items:
        assert list(items) == list(range(1000))


def test_no_more_than_the_bound_is_computed_ahead() -> None:
    made: list[int] = []

    def produce() -> Iterator[int]:
        for k in range(100):
            made.append(k)
            yield k

    with ahead(produce, 3) as items:
        next(items)
        time.sleep(0.3)
        assert len(made) <= 6


def test_an_error_is_raised_where_its_item_would_have_come() -> None:
    def produce() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken")

    got = []
    with ahead(produce, 10) as items, pytest.raises(ValueError, match="broken"):
        got += [next(items), next(items)]
        next(items)
    assert got == [1, 2]


def test_leaving_early_stops_and_joins_the_thread() -> None:
    def endless() -> Iterator[int]:
        k = 0
        while True:
            yield k
            k += 1

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt), ahead(endless, 2) as items:
        next(items)
        raise KeyboardInterrupt
    assert threading.active_count() == before
