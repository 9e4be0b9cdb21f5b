"""The time line on bare numbers: it never steps back and loses no tick."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidreview.media.timeline import LISTED, Ledger, Placed, Timeline

MILLI = Fraction(1, 1000)
FRAME = Fraction(1, 10)


def place(
    ticks: list[int | None], lost: dict[int, int] | None = None, *, counted: bool = False
) -> tuple[list[Placed[int]], Timeline[int]]:
    """Run ticks of 1/1000 s through a time line of 10 frames per second."""
    line: Timeline[int] = Timeline(MILLI, FRAME, counted=counted)
    found: list[Placed[int]] = []
    for number, pts in enumerate(ticks):
        found += line.push(pts, number, (lost or {}).get(number, 0))
    found += line.flush()
    assert [p.payload for p in found] == list(range(len(ticks)))
    return found, line


def kinds(line: Timeline[int]) -> set[str]:
    return {problem.kind for problem in line.problems()}


def test_regular() -> None:
    found, line = place([500, 600, 700])
    assert [p.position for p in found] == [0, 100, 200]
    assert line.problems() == []


def test_reset_goes_on_one_interval_later() -> None:
    found, line = place([0, 100, 24900, 25000, 0, 100, 200])
    assert [p.pts for p in found] == [0, 100, 24900, 25000, 0, 100, 200]
    assert [p.position for p in found][3:] == [25000, 25100, 25200, 25300]
    assert found[4].event == "reset"
    assert [p.at_s for p in line.problems() if p.kind == "reset"] == [25.1]
    assert "from PTS 25000 to 0" in next(p.reason for p in line.problems() if p.kind == "reset")


def test_gap_counts_as_time() -> None:
    found, _ = place([0, 100, 200, 60200, 60300])
    assert [p.event for p in found] == ["", "", "", "gap", ""]
    assert [p.position for p in found] == [0, 100, 200, 60200, 60300]


def test_slow_recording_is_not_one_gap_after_another() -> None:
    """A camera that goes over to one picture in two seconds pauses a few times, then simply is slow."""
    found, _ = place([*range(0, 1000, 100), *range(3000, 60000, 2000)])
    assert 1 <= sum(p.event == "gap" for p in found) <= 3


def test_disorder_keeps_the_order_of_frames() -> None:
    found, line = place([0, 200, 100, 400, 300, 500])
    assert [p.position for p in found] == [0, 200, 200, 400, 400, 500]
    assert [p.pts for p in found] == [0, 200, 100, 400, 300, 500]
    assert kinds(line) == {"non-monotonic"}


def test_duplicates_are_counted() -> None:
    found, line = place([0, 100, 100, 200])
    assert [p.position for p in found] == [0, 100, 100, 200]
    assert kinds(line) == {"duplicate-time"}


def test_missing_timestamps_lie_between_their_neighbours() -> None:
    found, line = place([None, 100, None, None, 400, None])
    assert [p.pts for p in found] == [0, 100, 200, 300, 400, 500]
    assert [p.reason for p in line.problems()] == [
        "4 frames carry no timestamp; theirs are interpolated between neighbours"
    ]


def test_missing_timestamps_before_a_reset_do_not_reach_over_it() -> None:
    found, _ = place([9000, None, None, 0, 100])
    assert [p.pts for p in found] == [9000, 9100, 9200, 0, 100]
    assert [p.position for p in found] == [0, 100, 200, 300, 400]


def test_missing_timestamps_make_room_for_lost_frames() -> None:
    found, _ = place([0, None, 300], {1: 1})
    assert [p.pts for p in found] == [0, 200, 300]


def test_endless_missing_timestamps_hold_back_few_frames() -> None:
    line: Timeline[int] = Timeline(MILLI, FRAME)
    held = 0
    list(line.push(0, 0))
    for number in range(1, 1000):
        held += 1 - len(list(line.push(None, number)))
        assert held <= 17
    assert held + len(list(line.flush())) >= held


def test_one_mad_timestamp_moves_nothing() -> None:
    found, line = place([0, 100, 99_000_000, 300, 400, -5_000_000, 600])
    assert [p.position for p in found] == [0, 100, 200, 300, 400, 500, 600]
    assert kinds(line) == {"bad-time"}


def test_clock_that_was_set_is_no_gap_of_years() -> None:
    years = 24 * 365 * 86_400_000
    found, line = place([0, 100, 200, years, years + 100])
    assert [p.position for p in found] == [0, 100, 200, 300, 400]
    assert found[3].event == "clock-step"
    assert kinds(line) == {"clock-step"}


def test_counted_time_ignores_what_is_given_and_leaves_room_for_lost_frames() -> None:
    found, _ = place([7, None, 7], {2: 2}, counted=True)
    assert [p.pts for p in found] == [0, 100, 400]


def test_counted_time_does_not_drift() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 90000), Fraction(1001, 30000), counted=True)
    found = [p for number in range(30001) for p in line.push(None, number)]
    assert found[-1].pts == 1001 * 90000


def test_problems_of_one_kind_are_listed_up_to_a_number() -> None:
    ticks: list[int | None] = [n * 100 + n // 10 * 50_000 for n in range(1000)]
    found, line = place(ticks)
    for placed in found:
        if placed.event == "gap":
            line.note_gap(placed)
    gaps = [p for p in line.problems() if p.kind == "gap"]
    assert len(gaps) == LISTED + 1
    assert gaps[-1].reason.endswith("99 in all")


@given(
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62), st.integers(0, 5000)), min_size=1, max_size=60),
    st.dictionaries(st.integers(0, 59), st.integers(0, 9), max_size=9),
)
def test_whatever_comes_in_no_frame_is_lost_and_time_never_steps_back(
    ticks: list[int | None], lost: dict[int, int]
) -> None:
    found, _ = place(ticks, lost)
    assert all(a.position <= b.position for a, b in pairwise(found))
    assert all(b.step == b.position - a.position for a, b in pairwise(found))
    ledger = Ledger()
    for placed in found[1:]:
        ledger.step(placed, placed.lost)
    assert ledger.total == found[-1].position


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_ascending_timestamps_are_kept_to_the_tick(steps: list[int]) -> None:
    ticks: list[int | None] = [sum(steps[:n]) for n in range(len(steps) + 1)]
    found, _ = place(ticks)
    assert [p.pts for p in found] == ticks
    assert [p.position for p in found] == ticks


@pytest.mark.parametrize(("lost", "states"), [(0, (300, 0, 59_900)), (1000, (300, 59_900, 0)), (9, (300, 900, 59_000))])
def test_ledger_tells_loss_from_gap(lost: int, states: tuple[int, int, int]) -> None:
    found, _ = place([0, 100, 200, 60_200])
    ledger = Ledger()
    broke = [ledger.step(placed, lost if placed.event == "gap" else 0) for placed in found[1:]]
    assert (ledger.analysed, ledger.undecodable, ledger.gap) == states
    assert broke[-1] is (lost > 0)
