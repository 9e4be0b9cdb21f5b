"""Redacted copies: nothing of what is covered is left, kept tracks are as they were, what is left to check is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests import films
from tests.test_clips import parent_of, request, scanned
from tests.test_copies import likeness
from vidreview.clips import view
from vidreview.clips.courses import Course, CoursePoint, Placer
from vidreview.clips.cover import Cover, Sighting, Wanted, inside, overlap, sightings_of
from vidreview.clips.encode import Planes
from vidreview.clips.redact import GREY, Redaction, covered, redact
from vidreview.clips.viewing import Prepared, prepare_copy
from vidreview.media.source import Source
from vidreview.model import Pixels
from vidreview.shapes import upright_box

BOX = tuple[float, float, float, float]


def red(picture: Pixels) -> list[tuple[float, BOX, str]]:
    """The red box of tests/films.py is a person."""
    found = films.RedDetector().detect([picture])[0]
    return [(0.9, tuple(float(side) for side in box), "person") for box in found.boxes]  # type: ignore[misc]


def prepared(path: Path, first: int, last: int, **more: Any) -> Prepared:
    frames, info = scanned(path)
    return prepare_copy(Source, parent_of(path), request(frames, info, first, last, **more))


def course_of(ready: Prepared, visit: tuple[int, int], every: int = 1, **looks: Any) -> Course:
    """The red box as a track would have it."""
    zero = ready.request.first_frame - ready.stretch.start
    points = []
    for number in range(*visit, every):
        box = films.box_at(number, *visit)
        if box is not None and box[2] > box[0] and 0 <= number - zero < len(ready.stretch):
            k = number - zero
            tick = ready.tick(k)
            assert tick is not None
            sides = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
            points.append(CoursePoint(number, tick, ready.seconds(k), sides, "detected"))
    facts: dict[str, Any] = {"name": "T0001", "event_class": "person", "label": "person", "score": 0.9, "dropped": None}
    return Course(points=points, **(facts | looks))


def pictures(path: Path) -> list[Pixels]:
    with av.open(str(path)) as copy:
        return [np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in copy.decode(video=0)]


def test_the_detector_sees_the_person_in_the_viewing_copy_and_not_in_the_redacted_one(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 5, 55)
    viewing = view(Source, ready.parent, ready.request, tmp_path, prepared=ready)
    assert sum(bool(red(picture)) for picture in pictures(viewing.path)) > 30
    redaction = Redaction(Wanted("persons"), look=red, detector="red")
    record = redact(ready, [course_of(ready, (10, 50), every=5)], [], redaction, tmp_path)
    assert record.path.name == "E0007_REDACTED.mp4"
    assert not any(red(picture) for picture in pictures(record.path))
    stored = json.loads(record.manifest.read_bytes())
    assert stored["check"]["looks_after"] > 20
    assert stored["check"]["still_to_be_looked_at"] == stored["check"]["weaker"] == []
    track = [one for one in stored["redaction"]["intervals"] if one["object"] == "T0001"]
    assert len(track) == 1
    # from one second before to one second after the track, as far as the copy goes
    assert (track[0]["from_frame"], track[0]["to_frame"]) == (0, 50)
    assert track[0]["from_pts"] == ready.tick(0)
    assert len(track[0]["boxes"]) == 51
    assert "not covered: watch the whole copy" in stored["residual_risk"][0]


@pytest.mark.parametrize("method", ["fill", "blur"])
def test_only_boxes_are_altered_and_kept_ones_are_not(method: Any) -> None:
    """The kept track's pixels are those of the picture, also where a covered box overlaps it."""
    noise = np.random.default_rng(3).integers(0, 255, 320 * 192 * 3 // 2, np.uint8)
    picture = Planes.empty(320, 192)
    picture.buffer[:] = noise
    boxes, kept = [(20.0, 30.0, 90.5, 121.0), (300.0, 150.0, 400.0, 300.0)], [(60.0, 41.0, 110.0, 99.0)]
    result = covered(picture, boxes, kept, method)
    assert np.array_equal(picture.buffer, noise)
    altered = np.zeros((192, 320), bool)
    altered[30:122, 20:92] = altered[150:192, 300:320] = True
    altered[40:100, 60:110] = False
    assert np.array_equal(result.luma[~altered], picture.luma[~altered])
    for mine, own in ((result.blue, picture.blue), (result.red, picture.red)):
        assert np.array_equal(mine[~altered[::2, ::2]], own[~altered[::2, ::2]])
        assert not np.array_equal(mine, own)
    if method == "fill":
        assert set(np.unique(result.luma[altered])) == {GREY}
        assert set(np.unique(result.blue[altered[::2, ::2]])) == {128}


def test_blur_depends_on_nothing_finer_than_its_blocks() -> None:
    """Detail of a face, moved about within blocks, gives the very same blurred picture."""
    rng = np.random.default_rng(4)
    one, other = Planes.empty(128, 128), Planes.empty(128, 128)
    one.luma[:] = rng.integers(0, 255, (128, 128))
    blocks = one.luma.reshape(4, 32, 4, 32).transpose(0, 2, 1, 3).reshape(16, -1)
    shuffled = rng.permuted(blocks, axis=1).reshape(4, 4, 32, 32).transpose(0, 2, 1, 3).reshape(128, 128)
    other.luma[:] = shuffled
    assert not np.array_equal(one.luma, other.luma)
    box = [(0.0, 0.0, 128.0, 128.0)]
    assert np.array_equal(covered(one, box, [], "blur").luma, covered(other, box, [], "blur").luma)


def test_blur_of_what_does_not_move_adds_nothing_however_its_box_trembles() -> None:
    """Blocks that move with the box are so many different views of one face, and 400 of them give it back."""
    rng = np.random.default_rng(6)
    one, other = Planes.empty(256, 192), Planes.empty(256, 192)
    one.buffer[:] = rng.integers(0, 255, one.buffer.shape)
    for mine, own, side in ((other.luma, one.luma, 32), (other.blue, one.blue, 16), (other.red, one.red, 16)):
        for top in range(0, own.shape[0], side):
            for left in range(0, own.shape[1], side):
                block = own[top : top + side, left : left + side]
                mine[top : top + side, left : left + side] = rng.permuted(block.ravel()).reshape(side, side)
    for _ in range(50):
        x, y = rng.uniform(20, 60, 2)
        width, height = rng.uniform(66, 126, 2)
        boxes = [(x, y, x + width, y + height)]
        x1, y1, x2, y2 = inside(boxes[0], 256, 192)
        seen, same = (covered(picture, boxes, [], "blur") for picture in (one, other))
        assert np.array_equal(seen.luma[y1:y2, x1:x2], same.luma[y1:y2, x1:x2])
        assert np.array_equal(
            seen.blue[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2], same.blue[y1 // 2 : y2 // 2, x1 // 2 : x2 // 2]
        )


def test_a_kept_track_stays_and_what_overlaps_it_is_said(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 5, 55)
    kept = course_of(ready, (10, 50), name="T0002")
    behind = replace(kept, name="T0003", points=[p._replace(box=(100.0, 70.0, 190.0, 110.0)) for p in kept.points])
    redaction = Redaction(Wanted("persons", frozenset({"T0002"})), look=red)
    record = redact(ready, [kept, behind], [], redaction, tmp_path)
    viewing = view(Source, ready.parent, ready.request, tmp_path, prepared=ready)
    placer = Placer(ready, kept)
    compared = 0
    for number, (mine, own) in enumerate(zip(pictures(record.path), pictures(viewing.path), strict=True)):
        where = placer.at(ready.seconds(number))
        if where is None:
            continue
        x1, y1, x2, y2 = inside(where.box, 320, 192)
        assert likeness(mine[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2], own[y1 + 2 : y2 - 2, x1 + 2 : x2 - 2]) > 33
        compared += 1
    assert compared > 30
    stored = record.document
    assert stored["redaction"]["detections_of_kept_tracks"] > 15  # the looks saw it, and it is not covered for that
    assert {one["object"] for one in stored["redaction"]["intervals"]} == {"T0003"}
    assert any("reach into the box of a kept track" in risk and "T0003" in risk for risk in stored["residual_risk"])
    assert stored["check"]["still_to_be_looked_at"] == []


def test_what_the_index_knows_only_in_part_is_covered(tmp_path: Path) -> None:
    """Rule E4's unused material counts: dropped tracks, weak detections, movers nobody recognised, riders."""
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 5, 55)
    person = course_of(ready, (10, 50))
    dropped = replace(person, name="T0002", dropped="seen once")
    mover = replace(person, name="T0003", event_class="motion", label="motion")
    rider = replace(person, name="T0004", event_class="vehicle", label="bicycle")
    car = replace(person, name="T0005", event_class="vehicle", label="car")
    courses = [dropped, mover, rider, car]

    def names(wanted: Wanted) -> set[str]:
        cover = Cover(ready, courses, [], wanted)
        cover.covered(25)
        return {entry.object for entry in cover.intervals.values()}

    assert names(Wanted("persons")) == {"T0002", "T0003", "T0004"}
    assert names(Wanted("persons", motion=False)) == {"T0002", "T0004"}
    assert names(Wanted("vehicles")) == {"T0003", "T0004", "T0005"}
    assert names(Wanted("all")) == {"T0002", "T0003", "T0004", "T0005"}
    weak = (2.0, (100.0, 50.0, 120.0, 90.0), 0.11, "person")
    (sighting,) = sightings_of([weak], [0.5, 2.0, 4.0])
    cover = Cover(ready, [], [sighting], Wanted("persons"))
    seconds = [ready.seconds(k) for k in range(len(ready.stretch)) if cover.covered(k)]
    assert seconds[0] == pytest.approx(0.5)  # until the looks that did not see it
    assert seconds[-1] == pytest.approx(4.0)
    assert not Cover(ready, [], [sighting], Wanted("vehicles")).covered(15)


def test_covered_boxes_are_wider_and_last_longer_than_what_was_seen(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 0, 59)
    course = course_of(ready, (20, 30))
    cover = Cover(ready, [course], [], Wanted("persons"))
    numbers = [k for k in range(60) if cover.covered(k)]
    assert (numbers[0], numbers[-1]) == (11, 39)  # a second before frame 21 and after frame 29
    for point in course.points:
        (box,) = cover.covered(point.frame)
        assert box[0] < point.box[0] - 3 and box[1] < point.box[1] - 3
        assert box[2] > point.box[2] + 3 and box[3] > point.box[3] + 3


def test_what_the_detector_still_sees_is_listed_in_the_manifest(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 40, [(5, 35)])
    ready = prepared(path, 5, 30)
    looks = iter(range(1000))

    def sees_late(picture: Pixels) -> Sequence[tuple[float, BOX, str]]:
        return red(picture) if next(looks) >= 26 else []

    record = redact(ready, [], [], Redaction(Wanted("persons"), look=sees_late), tmp_path)
    left = record.document["check"]["still_to_be_looked_at"]
    assert record.document["check"]["looks_before"] == 26
    assert len(left) > 8
    assert left[0]["pts"] == ready.tick(left[0]["frame"])
    assert any("still sees something" in risk for risk in record.document["residual_risk"])


def test_who_runs_past_is_covered_on_the_pictures_in_between_too(tmp_path: Path) -> None:
    """14 body widths a second at 25 pictures a second, and no track: a look every 0.2 s leaves it in plain view."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("libx264", rate=25, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = films.WIDTH, films.HEIGHT, "yuv420p"
        for number in range(30):
            picture = films.picture(number, [], films.wall())
            x = 14 * 20 * number // 25
            picture[60:120, x : x + 20] = (20, 20, 230)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        output.mux(stream.encode(None))
    ready = prepared(path, 0, 29)
    record = redact(ready, [], [], Redaction(Wanted("persons"), look=red), tmp_path)
    assert record.document["check"]["looks_before"] == record.document["check"]["looks_after"] == 30
    assert [k for k, picture in enumerate(pictures(record.path)) if red(picture)] == []


def test_one_object_that_only_the_looks_saw_is_listed_once(tmp_path: Path) -> None:
    """Seen on each of 40 pictures, it is one interval to check, not 40; a second one has its own."""
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 5, 55)

    def two(picture: Pixels) -> list[tuple[float, BOX, str]]:
        return [*red(picture), (0.5, (10.0, 150.0, 30.0, 190.0), "person")]

    record = redact(ready, [], [], Redaction(Wanted("persons"), look=two), tmp_path)
    listed = record.document["redaction"]["intervals"]
    assert [(one["from_frame"], one["to_frame"]) for one in listed] == [(0, 50), (4, 46)]
    assert not any(red(picture) for picture in pictures(record.path))
    for interval in listed:
        assert len(interval["boxes"]) == interval["to_frame"] - interval["from_frame"] + 1


def test_the_check_names_who_stands_in_the_box_of_a_kept_track(tmp_path: Path) -> None:
    """The kept box wins, so a second person in it is seen: the copy must not be called clean."""
    path = films.film(tmp_path / "a.mp4", 30, [(5, 25)])
    ready = prepared(path, 5, 25)
    kept = course_of(ready, (5, 25))

    def two(picture: Pixels) -> list[tuple[float, BOX, str]]:
        found = red(picture)
        return [*found, *((0.6, (x1, y1, (x1 + x2) / 2, y2), "person") for _, (x1, y1, x2, y2), _ in found)]

    record = redact(ready, [kept], [], Redaction(Wanted("persons", frozenset({"T0001"})), look=two), tmp_path)
    left = record.document["check"]["still_to_be_looked_at"]
    assert {one["score"] for one in left} == {0.6}
    assert len(left) > 10
    assert any("still sees something" in risk for risk in record.document["residual_risk"])


def test_a_detection_that_reaches_out_of_a_covered_track_is_covered_whole(tmp_path: Path) -> None:
    """It may be somebody beside it: two people who overlap by half are two."""
    path = films.film(tmp_path / "a.mp4", 30, [(5, 25)])
    ready = prepared(path, 5, 25)
    still = [
        CoursePoint(k + 5, ready.tick(k) or 0, ready.seconds(k), (100.0, 60.0, 140.0, 120.0), "detected")
        for k in range(20)
    ]
    course = Course("T0001", "person", "person", 0.9, None, still)
    beside = replace(sighting(ready.seconds(10)), box=(113.0, 60.0, 153.0, 120.0))
    assert overlap(beside.box, still[0].box) > 0.5
    boxes = Cover(ready, [course], [beside], Wanted("persons")).covered(10)
    assert max(box[2] for box in boxes) > 153
    # what lies in the track's box adds nothing
    assert (
        len(Cover(ready, [course], [replace(beside, box=(98.0, 60.0, 142.0, 120.0))], Wanted("persons")).covered(10))
        == 1
    )


def test_without_a_detector_that_is_said(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 30, [(5, 25)])
    ready = prepared(path, 5, 25)
    redaction = Redaction(Wanted("persons"), no_look="the model is not installed")
    record = redact(ready, [course_of(ready, (5, 25))], [], redaction, tmp_path)
    assert record.document["check"]["not_looked"] == "the model is not installed"
    assert any("no detector looked at the copy" in risk for risk in record.document["residual_risk"])
    assert not any(red(picture) for picture in pictures(record.path))


def test_damaged_pictures_are_covered_whole_but_for_kept_tracks() -> None:
    picture = Planes.empty(64, 48)
    picture.buffer[:] = np.random.default_rng(5).integers(100, 255, 64 * 48 * 3 // 2)
    result = covered(picture, [], [(10.0, 10.0, 20.0, 20.0)], "blur", whole=True)
    assert np.array_equal(result.luma[10:20, 10:20], picture.luma[10:20, 10:20])
    result.luma[10:20, 10:20] = GREY
    assert set(np.unique(result.luma)) == {GREY}


def test_a_turned_recording_is_covered_where_its_objects_are(tmp_path: Path) -> None:
    path = films.film(tmp_path / "a.mp4", 60, [(10, 50)])
    ready = prepared(path, 15, 45, rotation=90, sample_aspect=Fraction(4, 3))
    record = redact(ready, [], [], Redaction(Wanted("persons"), look=red), tmp_path)
    shown = pictures(record.path)
    assert shown[0].shape == (320, 192, 3)
    assert not any(red(picture) for picture in shown)
    # by its looks alone: their boxes were turned back to where the stored picture has the red box
    boxes = [box for one in record.document["redaction"]["intervals"] for box in one["boxes"]]
    assert all(box[1] < 75 and box[3] > 105 for box in boxes)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_boxes_turn_as_pictures_do_and_back(rotation: int) -> None:
    picture = Planes.empty(40, 20)
    picture.luma[4:8, 10:16] = 200
    x1, y1, x2, y2 = (int(side) for side in upright_box((10, 4, 16, 8), 40, 20, rotation))
    turned = picture.turned(rotation)
    assert (turned.luma[y1:y2, x1:x2] == 200).all()
    assert (turned.luma == 200).sum() == (y2 - y1) * (x2 - x1)
    assert upright_box((x1, y1, x2, y2), turned.width, turned.height, -rotation % 360) == (10, 4, 16, 8)


@pytest.mark.footage
@pytest.mark.model
def test_real_people_the_detector_finds_none_of_them_and_the_chosen_one_is_untouched(
    footage: Path, model_path: Path, tmp_path: Path
) -> None:
    """Issue 5: no person in the redacted boxes; the chosen track as the viewing copy has it."""
    from vidreview.detect.onnx import OnnxDetector
    from vidreview.model import LABELS

    detector = OnnxDetector(model_path, 640, 0.1, 2)

    def look(picture: Pixels) -> list[tuple[float, BOX, str]]:
        seen = detector.detect([picture])[0]
        return [
            (float(score), (float(box[0]), float(box[1]), float(box[2]), float(box[3])), LABELS[int(label)])
            for box, score, label in zip(seen.boxes, seen.scores, seen.labels, strict=True)
        ]

    from vidreview.media.frames import open_frames

    path = footage / "clips" / "pets09_s2l1.mp4"
    with open_frames(path, 0) as opened:
        frames = [frame for frame, _ in zip(opened, range(225), strict=False)]
        info = opened.info
    ready = prepare_copy(Source, parent_of(path), request(frames, info, 200, 224))
    first = max(look(frames[200].to_bgr()), key=lambda one: one[0])[1]
    points, box = [], first
    for frame in frames[200:225]:
        near = max(look(frame.to_bgr()), key=lambda one: overlap(one[1], box))
        box = near[1] if overlap(near[1], box) > 0.5 else box
        points.append(CoursePoint(frame.number, frame.time.pts, frame.seconds, box, "detected"))
    chosen = Course("T0001", "person", "person", 0.9, None, points)
    redaction = Redaction(Wanted("persons", frozenset({"T0001"})), look=look, detector=detector.name)
    record = redact(ready, [chosen], [], redaction, tmp_path)
    viewing = view(Source, ready.parent, ready.request, tmp_path, prepared=ready)
    assert sum(score >= 0.4 and label == "person" for score, _, label in look(pictures(viewing.path)[10])) >= 4
    for mine, own, point in zip(pictures(record.path), pictures(viewing.path), points, strict=True):
        for score, found, label in look(mine):
            if label == "person" and score >= 0.25:
                assert overlap(found, point.box) >= 0.3, f"a person is still seen at {found}, {point.seconds} s"
        x1, y1, x2, y2 = inside(point.box, 768, 576)
        assert likeness(mine[y1:y2, x1:x2], own[y1:y2, x1:x2]) > 33
    cover = Cover(ready, [chosen], [], redaction.wanted)
    for number, picture in enumerate(ready.pictures()):
        x1, y1, x2, y2 = inside(points[number].box, 768, 576)
        painted = covered(picture, [(0.0, 0.0, 768.0, 576.0)], cover.kept(number), "fill")
        assert np.array_equal(painted.luma[y1:y2, x1:x2], picture.luma[y1:y2, x1:x2])
    assert record.document["check"]["still_to_be_looked_at"] == []


def sighting(seconds: float) -> Sighting:
    return Sighting(seconds, (0.0, 0.0, 10.0, 10.0), 0.5, "person", seconds, seconds)


def test_of_each_look_one_detection_at_most_is_the_kept_track(tmp_path: Path) -> None:
    """A second person that stands where the kept one does is covered, as far as outside its box."""
    path = films.film(tmp_path / "a.mp4", 30, [(5, 25)])
    ready = prepared(path, 0, 25)
    kept = Course(
        "T0001",
        "person",
        "person",
        0.9,
        None,
        [CoursePoint(k, ready.tick(k) or 0, ready.seconds(k), (0.0, 0.0, 10.0, 10.0), "detected") for k in range(26)],
    )
    second = replace(sighting(1.0), box=(1.0, 0.0, 14.0, 10.0))
    cover = Cover(ready, [kept], [sighting(1.0), second], Wanted("persons", frozenset({"T0001"})))
    assert cover.of_kept == 1
    assert len(cover.covered(10)) == 1
