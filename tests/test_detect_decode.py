"""Network output → detections, on outputs made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from vidreview.detect.decode import ANIMAL, OTHER, candidates, class_map, decode, select, suppress
from vidreview.errors import ModelError
from vidreview.model import LABELS, Boxes

NAMES = ["person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "dog", "cell phone"]
PERSON, BICYCLE, CAR, TRUCK, DOG, PHONE = 0, 1, 2, 7, 8, 9
CLASSES = class_map(NAMES)

Row = tuple[tuple[float, float, float, float], dict[int, float]]


def raw(*rows: Row) -> NDArray[np.float32]:
    """One-to-many output: each row is a box xyxy and scores by class."""
    out = np.zeros((4 + len(NAMES), len(rows)), np.float32)
    for k, ((x1, y1, x2, y2), scores) in enumerate(rows):
        out[:4, k] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        for found, score in scores.items():
            out[4 + found, k] = score
    return out


def end_to_end(*rows: Row) -> NDArray[np.float32]:
    """End-to-end output: 300 rows, most of them empty."""
    out = np.zeros((300, 6), np.float32)
    flat = [(*box, score, found) for box, scores in rows for found, score in scores.items()]
    for k, row in enumerate(flat):
        out[k] = row
    return out


def found(output: NDArray[np.float32], low: float = 0.1) -> list[tuple[str, float]]:
    result = decode(output, CLASSES, low, (1.0, 1.0), (0, 0), (640, 480))
    return [(LABELS[label], round(float(score), 3)) for label, score in zip(result.labels, result.scores, strict=True)]


@pytest.mark.parametrize("layout", [raw, end_to_end])
def test_both_layouts_give_the_same(layout: object) -> None:
    assert callable(layout)
    output = layout(((10, 20, 110, 220), {PERSON: 0.8}), ((300, 100, 500, 200), {CAR: 0.9}))
    result = decode(output, CLASSES, 0.1, (0.5, 0.5), (0, 10), (1280, 960))
    assert [LABELS[label] for label in result.labels] == ["car", "person"]
    assert result.boxes.tolist() == [[600, 180, 1000, 380], [20, 20, 220, 420]]
    assert [part.dtype.name for part in (result.boxes, result.scores, result.labels)] == ["float32", "float32", "int16"]


def test_a_box_is_what_its_best_class_says() -> None:
    dog = raw(((10, 10, 100, 100), {DOG: 0.5, PERSON: 0.45}))
    assert found(dog) == []
    assert found(raw(((10, 10, 100, 100), {DOG: 0.4, PERSON: 0.45}))) == [("person", 0.45)]


@pytest.mark.parametrize("layout", [raw, end_to_end])
def test_a_better_animal_at_the_same_place_outranks_a_person(layout: object) -> None:
    assert callable(layout)
    dog, person = ((10, 10, 100, 100), {DOG: 0.6}), ((12, 10, 100, 102), {PERSON: 0.4})
    assert found(layout(dog, person)) == []
    apart = ((60, 10, 150, 100), {PERSON: 0.4})
    assert found(layout(dog, apart)) == [("person", 0.4)]
    worse = ((10, 10, 100, 100), {DOG: 0.3})
    assert found(layout(worse, person)) == [("person", 0.4)]


def test_a_better_phone_at_the_same_place_does_not_hide_a_car() -> None:
    assert found(raw(((10, 10, 200, 100), {PHONE: 0.7}), ((10, 10, 200, 101), {CAR: 0.3}))) == [("car", 0.3)]


def test_one_vehicle_is_not_both_car_and_truck() -> None:
    assert found(raw(((10, 10, 200, 100), {CAR: 0.6}), ((12, 10, 200, 101), {TRUCK: 0.5}))) == [("car", 0.6)]
    assert found(end_to_end(((10, 10, 200, 100), {TRUCK: 0.6, CAR: 0.5}))) == [("truck", 0.6)]


def test_a_rider_and_his_bicycle_are_two() -> None:
    both = found(raw(((10, 10, 60, 100), {PERSON: 0.6}), ((10, 12, 60, 100), {BICYCLE: 0.5})))
    assert both == [("person", 0.6), ("bicycle", 0.5)]


def test_low_scores_go_and_the_limit_stays() -> None:
    output = raw(((10, 10, 60, 100), {PERSON: 0.25}), ((200, 10, 260, 100), {PERSON: 0.0999}))
    assert found(output) == [("person", 0.25)]
    assert found(output, low=0.25) == [("person", 0.25)]


def test_boxes_are_clipped_to_the_picture_and_empty_ones_go() -> None:
    output = raw(((-50, -40, 100, 600), {PERSON: 0.9}), ((700, 10, 800, 90), {CAR: 0.8}))
    result = decode(output, CLASSES, 0.1, (1.0, 1.0), (0, 0), (640, 480))
    assert result.boxes.tolist() == [[0, 0, 100, 480]]


def test_what_is_not_a_number_goes() -> None:
    output = raw(((10, 10, 60, 100), {PERSON: 0.9}), ((200, 10, 260, 100), {PERSON: 0.8}))
    output[0, 0] = np.nan
    assert found(output) == [("person", 0.8)]
    rows = end_to_end(((10, 10, 60, 100), {PERSON: 0.9}))
    rows[0, 5] = 99
    assert found(rows) == []


def test_an_unknown_shape_is_refused() -> None:
    with pytest.raises(ModelError, match=r"shape \(7, 30\)"):
        candidates(np.zeros((7, 30), np.float32), len(NAMES), 0.1)


def test_two_classes_are_not_mistaken_for_six_columns() -> None:
    output = np.zeros((6, 40), np.float32)
    output[:, 3] = (50, 50, 20, 20, 0.0, 0.7)
    boxes, scores, classes = candidates(output, 2, 0.1)
    assert (boxes.tolist(), classes.tolist()) == ([[40, 40, 60, 60]], [1])
    assert scores.tolist() == pytest.approx([0.7])


def test_class_maps() -> None:
    assert CLASSES.label_of[[PERSON, CAR, TRUCK, DOG, PHONE]].tolist() == [0, 2, 5, ANIMAL, OTHER]
    assert class_map({0: "Pedestrian", 1: "motorbike"}).label_of.tolist() == [0, 3]
    for names in ([], {1: "person"}, ["apple", "dog"]):
        with pytest.raises(ModelError):
            class_map(names)


def make_boxes(corners: list[tuple[int, int, int, int]]) -> Boxes:
    return np.array([(x, y, x + w, y + h) for x, y, w, h in corners], np.float32).reshape(-1, 4)


corner = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 40), st.integers(1, 40))
objects = st.lists(st.tuples(corner, st.integers(0, len(NAMES) - 1), st.integers(1, 99)), max_size=25)


@given(objects)
def test_nothing_but_persons_and_vehicles_leaves_and_none_twice(
    rows: list[tuple[tuple[int, int, int, int], int, int]],
) -> None:
    boxes = make_boxes([row[0] for row in rows])
    classes = np.array([row[1] for row in rows], np.int64)
    scores = np.array([row[2] / 100 for row in rows], np.float32)
    result = select(boxes, scores, classes, CLASSES, (100, 100))
    assert ((result.labels >= 0) & (result.labels < len(LABELS))).all()
    assert (np.diff(result.scores) <= 0).all()
    again = suppress(result.boxes, result.labels)
    assert again.tolist() == list(range(len(result)))  # what stayed is free of doubles
    assert len(result) > 0 or not any(CLASSES.label_of[c] >= 0 for c in classes) or DOG in classes
