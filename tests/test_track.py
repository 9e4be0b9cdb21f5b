"""The tracker: two witnesses, elapsed seconds, looking ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidreview.model import LABELS, Boxes, Detections, Track
from vidreview.track import Tracker, Verdicts

Box = tuple[float, float, float, float]
Path = Callable[[float], Box | None]

SIZE = (1280, 720)


def detections(*found: tuple[Box, float, str]) -> Detections:
    """Detections of boxes, scores and labels, best first."""
    found = tuple(sorted(found, key=lambda f: -f[1]))
    return Detections(
        np.array([f[0] for f in found], np.float32).reshape(-1, 4),
        np.array([f[1] for f in found], np.float32),
        np.array([LABELS.index(f[2]) for f in found], np.int16),
    )


def blobs(*boxes: Box | None) -> Boxes:
    """Blobs of the gate."""
    return np.array([b for b in boxes if b is not None], np.float32).reshape(-1, 4)


def walker(x: float = 100.0, speed: float = 60.0, begins: float = 0.0, ends: float = 10.0, y: float = 300.0) -> Path:
    """A person 40 × 100 pixels who walks to the right at ``speed`` pixels a second."""

    def at(seconds: float) -> Box | None:
        if not begins <= seconds <= ends:
            return None
        left = x + speed * (seconds - begins)
        return (left, y, left + 40, y + 100)

    return at


def clocks(length: float, fps: float = 10.0) -> Iterator[tuple[int, int, float]]:
    """Frame number, PTS and seconds of a constant rate."""
    for number in range(int(length * fps)):
        yield number, number * 512, number / fps


def play(
    paths: list[tuple[Path, str, Callable[[float], float]]],
    length: float,
    *,
    look_every: int = 2,
    moving: bool = True,
    fps: float = 10.0,
) -> list[Track]:
    """Tracks of things on known paths: label and score at each look, a blob on each frame."""
    tracker = Tracker(0.4, Verdicts(), SIZE)
    tracks: list[Track] = []
    for clock in clocks(length, fps):
        there = [(box, label, score(clock[2])) for at, label, score in paths if (box := at(clock[2]))]
        found = detections(*((box, score, label) for box, label, score in there if score > 0))
        tracker.update(
            clock,
            found if clock[0] % look_every == 0 else None,
            blobs(*(b for b, _, _ in there)) if moving else blobs(),
        )
        tracks += tracker.drain(clock[2])
    return tracks + tracker.finish()


def kept(tracks: list[Track]) -> list[Track]:
    return [t for t in tracks if t.dropped is None]


def sure(_: float) -> float:
    return 0.8


def never(_: float) -> float:
    return 0.0


def test_one_walker_is_one_track_with_its_class_and_course() -> None:
    tracks = kept(play([(walker(), "person", sure)], 10.0))
    assert len(tracks) == 1
    track = tracks[0]
    assert (track.event_class, track.label) == ("person", "person")
    assert track.score == pytest.approx(0.8)
    assert track.detections == 50
    assert [p.frame for p in track.points] == list(range(100))
    for point in track.points:
        expected = walker()(point.seconds)
        assert expected is not None
        assert point.box == pytest.approx(expected, abs=8.0)
        assert point.pts == point.frame * 512


def test_a_track_begins_when_its_object_begins_to_show_not_when_it_is_named() -> None:
    late = play([(walker(begins=1.0, ends=9.0), "person", lambda s: 0.8 if s >= 4.0 else 0.0)], 10.0)
    assert [t.event_class for t in kept(late)] == ["person"]
    assert kept(late)[0].points[0].seconds == pytest.approx(1.0, abs=0.15)
    assert kept(late)[0].points[0].source == "motion"


def test_a_track_goes_on_where_the_detector_misses_it() -> None:
    blind = play([(walker(), "person", lambda s: 0.0 if 3.0 <= s <= 6.0 else 0.8)], 10.0)
    assert len(kept(blind)) == 1
    assert kept(blind)[0].points[-1].seconds >= 9.5


def test_weak_detections_continue_a_track_and_never_start_one() -> None:
    weak_later = kept(play([(walker(), "person", lambda s: 0.8 if s < 3 else 0.15)], 10.0, moving=False))
    assert len(weak_later) == 1
    assert weak_later[0].points[-1].seconds >= 9.5
    assert play([(walker(), "person", lambda s: 0.3)], 10.0, moving=False) == []


def test_what_is_never_recognised_is_kept_as_motion() -> None:
    tracks = kept(play([(walker(), "person", never)], 10.0))
    assert [(t.event_class, t.label, t.score, t.detections) for t in tracks] == [("motion", "motion", None, 0)]
    assert tracks[0].points[0].seconds <= 0.2
    assert tracks[0].points[-1].seconds >= 9.5


def test_a_class_comes_from_all_detections_not_from_the_first() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    at = walker()
    for clock in clocks(8.0):
        box = at(clock[2])
        assert box is not None
        label = "truck" if clock[2] < 1.0 else "car"
        tracker.update(clock, detections((box, 0.7, label)), blobs(box))
    (track,) = kept(tracker.finish())
    assert (track.event_class, track.label) == ("vehicle", "car")


def test_two_people_who_cross_stay_two_tracks() -> None:
    left, right = walker(x=100, speed=80), walker(x=900, speed=-80, y=330)
    tracks = kept(play([(left, "person", sure), (right, "person", sure)], 10.0))
    assert len(tracks) == 2
    ends = sorted(t.points[-1].box[0] for t in tracks)
    assert ends[0] == pytest.approx(900 - 80 * 9.9, abs=30)
    assert ends[1] == pytest.approx(100 + 80 * 9.9, abs=30)


def test_a_parked_vehicle_is_one_track_and_no_event_while_others_pass() -> None:
    def parked(_: float) -> Box:
        return (600, 250, 760, 350)

    def flickering(seconds: float) -> float:
        return 0.7 if int(seconds * 5) % 3 else 0.2

    passing = [(walker(x=300, speed=70, begins=b, ends=b + 9, y=270), "person", sure) for b in (0.0, 12.0, 24.0)]
    tracker = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(40.0):
        people = [box for at, _, _ in passing if (box := at(clock[2]))]
        found = [(box, 0.8, "person") for box in people]
        found.append((parked(clock[2]), flickering(clock[2]), "car"))
        tracker.update(clock, detections(*found) if clock[0] % 2 == 0 else None, blobs(*people))
    tracks = tracker.finish()
    vehicles = [t for t in tracks if t.event_class == "vehicle"]
    assert len(vehicles) == 1
    assert vehicles[0].stationary
    assert vehicles[0].dropped == "stands still throughout"
    assert vehicles[0].points[-1].seconds >= 39.0
    assert len([t for t in kept(tracks) if t.event_class == "person"]) == 3


def test_a_vehicle_that_drives_in_and_parks_is_one_appearance() -> None:
    def arriving(seconds: float) -> Box:
        left = 100 + 100 * min(seconds, 4.0)
        return (left, 250, left + 160, 350)

    tracker = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(60.0):
        box = arriving(clock[2])
        look = clock[0] % 2 == 0 if clock[2] < 5 else clock[0] % 50 == 0
        tracker.update(clock, detections((box, 0.7, "car")) if look else None, blobs(box if clock[2] < 5 else None))
    (track,) = tracker.finish()
    assert track.dropped is None
    assert track.points[0].seconds == 0.0
    assert track.points[-1].seconds >= 54.0
    assert len(track.points) < 200, "what stands is kept once a second"


def test_an_object_behind_a_pillar_is_joined_again() -> None:
    hidden = play([(lambda s: None if 4.0 < s < 6.3 else walker()(s), "person", sure)], 10.0)
    assert len(kept(hidden)) == 1


def test_two_objects_that_follow_each_other_are_not_joined() -> None:
    first, second = walker(x=100, ends=4.0), walker(x=100, begins=6.0)
    tracks = kept(play([(first, "person", sure), (second, "person", sure)], 12.0))
    assert len(tracks) == 2


def test_nothing_is_carried_over_a_break_in_the_recording() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    for number in range(100):
        seconds = number / 10 + (600.0 if number >= 50 else 0.0)
        box = walker(x=100, speed=10, ends=1e9)(number / 10)
        assert box is not None
        if number == 50:
            tracker.cut()
        tracker.update((number, number, seconds), detections((box, 0.8, "person")), blobs(box))
    tracks = kept(tracker.finish())
    assert [(t.points[0].frame, t.points[-1].frame) for t in tracks] == [(0, 49), (50, 99)]


@pytest.mark.parametrize("fps", [3.0, 5.0, 12.5, 30.0])
def test_rates_of_all_kinds_give_one_track(fps: float) -> None:
    tracks = kept(play([(walker(), "person", sure)], 10.0, fps=fps, look_every=1))
    assert len(tracks) == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.02, 0.45), min_size=25, max_size=60))
def test_irregular_frames_give_one_track(steps: list[float]) -> None:
    tracker = Tracker(0.4, Verdicts(), (10_000, 720))
    seconds = 0.0
    for number, step in enumerate(steps):
        box = walker(ends=1e9)(seconds)
        assert box is not None
        tracker.update((number, round(seconds * 1000), seconds), detections((box, 0.8, "person")), blobs(box))
        seconds += step
    tracks = tracker.finish()
    assert len(kept(tracks)) == 1
    assert len(kept(tracks)[0].points) == len(steps)


def test_shadows_beside_a_person_are_unused_material_with_their_reason() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    at = walker()
    for clock in clocks(9.0):
        box = at(clock[2])
        assert box is not None
        foot = (box[0] - 12, box[3] - 10, box[0] + 8, box[3] + 14)
        tracker.update(clock, detections((box, 0.8, "person")), blobs(box, foot))
    tracks = tracker.finish()
    assert [t.event_class for t in kept(tracks)] == ["person"]
    assert all(t.dropped for t in tracks if t.event_class == "motion")


def test_what_flickers_or_stays_is_dropped_with_a_reason_and_kept() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(20.0):
        leaf: Box | None = (500, 100, 520, 120) if clock[0] % 6 == 0 else None
        tracker.update(clock, detections() if clock[0] % 2 == 0 else None, blobs(leaf))
    tracks = tracker.finish()
    assert tracks
    assert kept(tracks) == []
    assert all(t.dropped for t in tracks)


def test_the_same_input_gives_the_same_tracks() -> None:
    paths = [(walker(x=100), "person", sure), (walker(x=700, speed=-50, y=320), "person", sure)]
    assert play(list(paths), 10.0) == play(list(paths), 10.0)


def test_finished_tracks_leave_while_the_stream_goes_on() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    gone: list[Track] = []
    at = walker(ends=5.0)
    for clock in clocks(60.0):
        box = at(clock[2])
        found = detections((box, 0.8, "person")) if box else detections()
        tracker.update(clock, found, blobs(box))
        gone += tracker.drain(clock[2])
    assert len(kept(gone)) == 1
    assert tracker.finish() == []


def test_closer_looks_are_asked_for_what_has_no_name_and_ever_more_seldom() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    asked: list[float] = []
    for clock in clocks(10.0):
        box = walker()(clock[2])
        assert box is not None
        for wanted, before in tracker.unnamed(clock[2], 4):
            assert wanted == pytest.approx(box, abs=40)
            assert before == len(asked)
            asked.append(clock[2])
        tracker.update(clock, detections(), blobs(box))
    assert 8 <= len(asked) <= 25
    named = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(10.0):
        box = walker()(clock[2])
        assert box is not None
        named.update(clock, detections((box, 0.8, "person")), blobs(box))
        if clock[2] > 1.0:
            assert named.unnamed(clock[2], 4) == []


def test_what_stops_is_looked_for_before_it_is_given_up() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)

    def stopping(seconds: float) -> Box:
        left = 100 + 60 * min(seconds, 5.0)
        return (left, 300, left + 40, 400)

    looked_s, looks = -10.0, []
    for clock in clocks(30.0):
        moving = clock[2] < 5.0
        due = moving or clock[2] - looked_s >= 5.0 or tracker.missing(clock[2], looked_s)
        if due:
            looked_s = clock[2]
            looks.append(clock[2])
        box = stopping(clock[2])
        tracker.update(clock, detections((box, 0.8, "person")) if due else None, blobs(box) if moving else blobs())
    (track,) = kept(tracker.finish())
    assert track.points[-1].seconds >= 24.0
    assert len([s for s in looks if s > 5.0]) <= 8
    gone = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(8.0):
        there = clock[2] < 4.0
        box = stopping(clock[2])
        gone.update(
            clock, detections((box, 0.8, "person")) if there else detections(), blobs(box) if there else blobs()
        )
    assert not gone.missing(8.0, 0.0), "what was looked for in vain is given up"


def test_of_a_chain_of_pieces_none_is_lost() -> None:
    """Three pieces of one way, each lost for a moment: joined at once, all of it is there."""
    pieces = ((0.0, 3.0), (5.5, 8.0), (10.5, 13.0))

    def at(seconds: float) -> Box | None:
        return walker(ends=99.0)(seconds) if any(a <= seconds <= b for a, b in pieces) else None

    tracker = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(20.0):
        box = at(clock[2])
        tracker.update(clock, detections((box, 0.8, "person")) if box else detections(), blobs(box))
    (track,) = kept(tracker.finish())
    assert track.points[0].seconds == 0.0
    assert track.points[-1].seconds == pytest.approx(13.0)
    seen = [p.seconds for p in track.points if p.source != "interpolated"]
    assert len(seen) == sum(at(k / 10) is not None for k in range(200))


def test_who_stands_between_coming_and_going_does_not_flicker() -> None:
    """Never recognised: comes, shuffles, stands for ten seconds unseen by the gate, goes."""

    def at(seconds: float) -> Box | None:
        if seconds <= 5.0:
            return walker(speed=80)(min(3.0, seconds))
        return walker(x=340, speed=80, begins=15.0, ends=18.0)(seconds) if seconds >= 15.0 else None

    tracker = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(22.0):
        tracker.update(clock, detections() if clock[0] % 2 == 0 else None, blobs(at(clock[2])))
    tracks = kept(tracker.finish())
    assert [t.event_class for t in tracks] == ["motion"]
    assert (tracks[0].points[0].seconds, tracks[0].points[-1].seconds) == (0.0, 18.0)


def test_no_closer_look_is_spent_on_flicker_or_on_splinters_of_what_is_known() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    asked: list[Boxes] = []
    for clock in clocks(12.0):
        box = walker()(clock[2])
        foot: Box | None = (box[0] - 8, box[3] - 6, box[0] + 12, box[3] + 14) if box else None
        flicker: Box | None = (900, 100, 940, 140) if clock[0] % 3 == 0 else None
        if clock[2] > 1.0:
            asked += [wanted for wanted, _ in tracker.unnamed(clock[2], 4)]
        found = detections((box, 0.8, "person")) if box else detections()
        tracker.update(clock, found, blobs(box, foot, flicker))
    assert asked == []


def test_what_does_not_get_anywhere_has_few_closer_looks() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    asked: dict[str, int] = {"stays": 0, "goes": 0}
    for clock in clocks(4.0):
        goes = walker()(clock[2])
        sways = 4.0 * (clock[0] % 3)
        for wanted, _ in tracker.unnamed(clock[2], 4):
            asked["stays" if wanted[0] > 700 else "goes"] += 1
        tracker.update(clock, detections(), blobs(goes, (800 + sways, 300, 860 + sways, 380)))
    assert asked["stays"] == 2
    assert asked["goes"] >= 12


def test_a_look_at_places_is_counted_only_for_what_was_looked_at() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    still = walker(x=600, speed=0.0)
    for clock in clocks(1.0):
        box, other = walker()(clock[2]), still(clock[2])
        assert box is not None
        assert other is not None
        tracker.update(clock, detections((other, 0.8, "person")), blobs(box, other))
    known = next(t for t in tracker.live if t.named)
    unknown = next(t for t in tracker.live if not t.named)
    looks = known.looks, unknown.looks
    assert len(tracker.unnamed(1.0, 4)) == 1
    tracker.update((10, 10 * 512, 1.0), detections(), blobs(walker()(1.0)), whole=False)
    assert (known.looks, unknown.looks) == (looks[0], looks[1] + 1)


def test_who_is_alone_is_looked_at_less_often_than_two_who_could_be_confused() -> None:
    def wait(*lanes: Path) -> float:
        tracker = Tracker(0.4, Verdicts(), SIZE)
        for clock in clocks(3.0):
            boxes = [lane(clock[2]) for lane in lanes]
            found = detections(*((box, 0.8, "person") for box in boxes if box))
            tracker.update(clock, found, blobs(*boxes))
        return tracker.next_look_s(0.1, 10.0)

    alone = wait(walker())
    assert wait(walker(), walker(x=160)) < 0.8 * alone
    assert wait(walker(), walker(x=600)) == pytest.approx(alone, rel=0.1)


def test_a_flash_of_a_frame_or_two_calls_no_detector_unless_frames_are_far_apart() -> None:
    for fps, called in ((10.0, False), (1.0, True)):
        tracker = Tracker(0.4, Verdicts(), SIZE)
        for clock in clocks(3.0 if fps > 2 else 6.0, fps):
            last = clock
            tracker.update(clock, detections(), blobs())
        tracker.update((last[0] + 1, last[1] + 512, last[2] + 1 / fps), None, blobs((300, 300, 340, 400)))
        assert (tracker.next_look_s(0.2, 9.0) < 1.0) == called


def test_who_leaves_is_not_joined_to_who_comes_there_long_after() -> None:
    """Somebody is seen for a moment at one place; twenty seconds later somebody else is."""
    first, second = walker(x=600, speed=10, ends=0.8), walker(x=600, speed=10, begins=21.0, ends=23.0)
    assert len(kept(play([(first, "person", sure), (second, "person", sure)], 26.0))) == 2


def test_a_vehicle_that_is_soon_lost_after_it_came_is_not_taken_for_a_parked_one() -> None:
    """It enters at the edge, is recognised, and lost behind another before it has moved by its own size."""

    def entering(seconds: float) -> Box:
        return (400, 0, 560, 40 + 50 * seconds)

    tracker = Tracker(0.4, Verdicts(), SIZE)
    for clock in clocks(8.0):
        there = clock[2] < 1.5
        box = entering(clock[2])
        sure = there and clock[2] >= 0.6
        tracker.update(clock, detections((box, 0.7, "car")) if sure else detections(), blobs(box) if there else blobs())
    (track,) = kept(tracker.finish())
    assert track.event_class == "vehicle"
    assert track.points[0].seconds == 0.0


def test_what_stood_when_the_recording_broke_off_is_not_joined_to_what_stands_there_after() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    box = (600.0, 300.0, 640.0, 400.0)
    for clock in clocks(20.0):
        if clock[2] == 10.0:
            tracker.cut()
        tracker.update(clock, detections((box, 0.8, "person")), blobs(box))
    first, second = tracker.finish()
    assert first.points[-1].seconds < 10.0 <= second.points[0].seconds


def test_what_is_alone_and_known_is_looked_at_where_it_is() -> None:
    tracker = Tracker(0.4, Verdicts(), SIZE)
    alone, other = walker(), walker(x=700, begins=3.0)
    for clock in clocks(6.0):
        box, second = alone(clock[2]), other(clock[2])
        assert box is not None
        only = tracker.only(clock[2])
        if clock[2] < 0.2 or clock[2] > 3.5:
            assert only == [], "unknown yet, or not alone any more"
        if 1.0 < clock[2] < 3.0:
            ((wanted, before),) = only
            assert before == 0
            assert wanted == pytest.approx(box, abs=20)
        tracker.update(clock, detections((box, 0.8, "person")), blobs(box, second), whole=not only)
    assert max(t.looks for t in tracker.live if t.named) == 60, "a look at its place counts as one"


def test_where_much_moves_at_once_closer_looks_are_shared() -> None:
    """Twelve things at once, for two seconds, are mostly the light: together they get no more than a few could."""
    tracker = Tracker(0.4, Verdicts(), SIZE)
    asked = 0
    for clock in clocks(2.0):
        things = [walker(x=100.0 * k, y=100.0 + 150 * (k % 4))(clock[2]) for k in range(12)]
        asked += len(tracker.unnamed(clock[2], 4))
        tracker.update(clock, detections(), blobs(*things))
    assert 4 <= asked <= 11


def test_what_was_just_named_is_confirmed_soon_however_long_it_was_not() -> None:
    def wait(named_s: float) -> float:
        tracker = Tracker(0.4, Verdicts(), SIZE)
        path = walker(ends=30.0, speed=20.0)
        for clock in clocks(named_s + 0.1):
            box = path(clock[2])
            assert box is not None
            named = clock[2] >= named_s - 1e-6
            tracker.update(clock, detections((box, 0.5, "person")) if named else detections(), blobs(box))
        return tracker.next_look_s(0.3, 5.0)

    assert wait(6.0) == wait(1.0) == 0.3
