"""Tracks → events."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidreview.events import Appearance, appearance, assemble
from vidreview.model import EventClass, MediaTime, Point, Track

BASE = Fraction(1, 10)


def point(frame: int, score: float | None = None, side: float = 10.0) -> Point:
    """A point at ``frame`` of a recording with ten frames a second."""
    box = (0.0, 0.0, side, side)
    return Point(frame, frame, frame / 10, box, "motion" if score is None else "detected", score, None)


def track(first: int, last: int, event_class: EventClass = "person", score: float | None = 0.8) -> Track:
    """A track from one frame to another."""
    label = {"person": "person", "vehicle": "car", "motion": "motion"}[event_class]
    points = tuple(point(k, score) for k in range(first, last + 1))
    return Track(event_class, label, points, score, len(points))


def of(*tracks: Track) -> list[Appearance]:
    return [a for k, t in enumerate(tracks) if (a := appearance(k, t)) is not None]


def test_an_event_has_the_exact_ticks_of_its_first_and_last_frame() -> None:
    (event,) = assemble(of(track(60, 80)), BASE, 1.0)
    assert (event.span.start, event.span.end) == (MediaTime(60, BASE), MediaTime(80, BASE))
    assert (event.span.start_s, event.span.end_s) == (6.0, 8.0)
    assert (event.event_class, event.label, event.score, event.max_count) == ("person", "person", 0.8, 1)
    assert event.tracks == (0,)


def test_appearances_that_follow_within_the_gap_are_one_event() -> None:
    tracks = of(track(0, 50), track(60, 90))
    assert len(assemble(tracks, BASE, 1.0)) == 1
    assert len(assemble(tracks, BASE, 0.9)) == 2


def test_classes_are_never_merged() -> None:
    events = assemble(of(track(0, 50), track(10, 40, "vehicle"), track(20, 60, "motion", None)), BASE, 1.0)
    assert [e.event_class for e in events] == ["person", "vehicle", "motion"]
    assert events[2].score is None


def test_the_most_at_once_counts_tracks_that_share_a_frame() -> None:
    (event,) = assemble(of(track(0, 50), track(40, 90), track(45, 60), track(91, 95)), BASE, 1.0)
    assert event.max_count == 3
    assert event.tracks == (0, 1, 2, 3)


def test_an_earlier_long_track_holds_an_event_open() -> None:
    assert len(assemble(of(track(0, 300), track(10, 20), track(200, 210)), BASE, 1.0)) == 1


def test_dropped_tracks_are_in_no_event() -> None:
    dropped = Track("motion", "motion", (point(1), point(2)), None, 0, dropped="seen once")
    assert appearance(0, dropped) is None


def test_the_peak_is_the_surest_picture_and_the_larger_of_equals() -> None:
    points = (point(0, 0.9, 10), point(1, 0.9, 40), point(2, 0.5, 50), point(3, None, 90))
    (event,) = assemble(of(Track("vehicle", "car", points, 0.7, 3)), BASE, 1.0)
    assert event.peak == MediaTime(1, BASE)
    unnamed = (point(0, None, 10), point(1, None, 40), point(2, None, 20))
    (event,) = assemble(of(Track("motion", "motion", unnamed, None, 0)), BASE, 1.0)
    assert event.peak == MediaTime(1, BASE)


def test_the_score_is_the_best_tracks() -> None:
    (event,) = assemble(of(track(0, 50, score=0.5), track(20, 30, score=0.9)), BASE, 1.0)
    assert event.score == pytest.approx(0.9)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60), st.sampled_from(["person", "vehicle"])), max_size=20),
    st.floats(0.0, 3.0),
)
def test_every_track_is_in_one_event_and_events_of_a_class_keep_their_distance(
    spans: list[tuple[int, int, EventClass]], gap: float
) -> None:
    tracks = [track(first, first + length, kind) for first, length, kind in spans]
    events = assemble(of(*tracks), BASE, gap)
    assert sorted(k for e in events for k in e.tracks) == list(range(len(tracks)))
    assert [e.span.start_s for e in events] == sorted(e.span.start_s for e in events)
    for kind in ("person", "vehicle"):
        own = [e for e in events if e.event_class == kind]
        assert all(b.span.start_s > a.span.end_s + gap for a, b in pairwise(own))
    for event in events:
        inside = [tracks[k] for k in event.tracks]
        assert event.span.start_s == min(t.points[0].seconds for t in inside)
        assert event.span.end_s == max(t.points[-1].seconds for t in inside)
        assert event.span.start_s <= event.peak_s <= event.span.end_s
        assert 1 <= event.max_count <= len(inside)
