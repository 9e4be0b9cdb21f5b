"""Boxes between two detections, laid once both are known."""

from __future__ import annotations

import numpy as np
import pytest

from vidreview.kernels.boxes import iou_matrix
from vidreview.track.live import Course, Source
from vidreview.track.settle import settled


def course(*points: tuple[float, Source, tuple[float, float, float, float]]) -> Course:
    """A course at 10 frames a second."""
    made = Course()
    for seconds, source, box in points:
        frame = round(seconds * 10)
        made.add((frame, frame * 100, seconds), np.array(box), source, 0.9 if source == "detected" else None)
    return made


def overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return float(iou_matrix(np.array([a]), np.array([b]))[0, 0])


def test_a_blob_that_is_part_of_a_person_does_not_shrink_them() -> None:
    """The gate saw an arm between two looks of the detector: the person is where the detector found them."""
    whole, arm = (100.0, 50.0, 150.0, 200.0), (120.0, 60.0, 160.0, 110.0)
    boxes = settled(
        course(
            (1.0, "detected", whole), *((1.0 + k / 10, "motion", arm) for k in range(1, 10)), (2.0, "detected", whole)
        )
    )
    assert all(overlap(box, whole) > 0.99 for box in boxes)


def test_over_a_long_silence_the_way_is_that_of_the_blobs() -> None:
    """Eight seconds there and back: the line between the two detections stands still, the blobs know better."""

    def at(x: float) -> tuple[float, float, float, float]:
        return (x, 50.0, x + 50.0, 200.0)

    way = [100 + 40 * min(k, 80 - k) / 10 for k in range(81)]
    points: list[tuple[float, Source, tuple[float, float, float, float]]] = [(0.0, "detected", at(100.0))]
    points += [(k / 10, "motion", at(way[k])) for k in range(1, 80)]
    boxes = settled(course(*points, (8.0, "detected", at(100.0))))
    assert boxes[40][0] > 100 + 0.75 * 160, "four seconds from either detection it is nearly where the blob was"
    assert boxes[2][0] == pytest.approx(way[2], abs=8), "close to a detection both say the same"
    assert boxes[0] == at(100.0)
    assert boxes[-1] == at(100.0)


def test_what_was_not_seen_lies_between_what_was() -> None:
    """Points that neither gate nor detector saw are on the line between their neighbours as those are laid now."""
    boxes = settled(
        course(
            (0.0, "detected", (0.0, 0.0, 10.0, 10.0)),
            (0.1, "interpolated", (99.0, 99.0, 100.0, 100.0)),
            (0.3, "interpolated", (99.0, 99.0, 100.0, 100.0)),
            (0.4, "detected", (40.0, 0.0, 50.0, 10.0)),
        )
    )
    assert boxes[1] == pytest.approx((10.0, 0.0, 20.0, 10.0))
    assert boxes[2] == pytest.approx((30.0, 0.0, 40.0, 10.0))


def test_detections_and_what_lies_outside_of_them_stay_as_they_are() -> None:
    points: list[tuple[float, Source, tuple[float, float, float, float]]] = [
        (0.0, "motion", (1.0, 2.0, 3.0, 4.0)),
        (0.1, "detected", (5.0, 6.0, 17.0, 18.0)),
        (0.2, "motion", (6.0, 7.0, 9.0, 9.0)),
        (0.3, "detected", (7.0, 8.0, 19.0, 20.0)),
        (0.4, "motion", (9.0, 9.0, 11.0, 11.0)),
    ]
    boxes = settled(course(*points))
    assert [boxes[k] for k in (0, 1, 3, 4)] == [points[k][2] for k in (0, 1, 3, 4)]
    assert boxes[2] == pytest.approx((6.0, 7.0, 18.0, 19.0), abs=0.1)


def test_a_course_without_detections_or_elapsed_time_is_left_alone() -> None:
    still = course((0.0, "motion", (1.0, 2.0, 3.0, 4.0)), (0.1, "motion", (2.0, 2.0, 4.0, 4.0)))
    assert settled(still) == still.boxes
    stopped = Course()
    for frame, source in enumerate(("detected", "motion", "detected")):
        stopped.add((frame, 7, 1.0), np.array([frame, 0.0, frame + 1.0, 1.0]), source)  # type: ignore[arg-type]
    assert settled(stopped) == stopped.boxes, "a clock that stands still gives no line"
