"""Search by where, which way, how fast and how large: exact to the point, and answered by indexes."""

from __future__ import annotations

import json
import math
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench import search as bench
from tests import naive_search as naive
from tests.conftest import Result
from tests.test_index import RECORD, stream_info
from tests.test_index import track as small_track
from vidreview import model
from vidreview.cli.filters import LABELS
from vidreview.errors import CaseError, UsageError
from vidreview.index import Case, EventQuery, Identity, Reader, TrackQuery, courses, geometry, schema, search
from vidreview.index.words import filter_words
from vidreview.model import Event, MediaTime, Point, Span, Track
from vidreview.shapes import Drawn, parse_line, parse_region
from vidreview.verify.courses import check_courses
from vidreview.verify.verdict import Verdict

Cli = Callable[..., Result]
BASE = Fraction(1, 12800)
#: stored width and height, and how a player turns it
PICTURES = ((64, 48, 0), (64, 48, 90), (48, 64, 180), (80, 40, 270))


def made_track(seed: random.Random, width: int, height: int) -> Track:
    """A track whose numbers are halves and quarters, so that floats hold them exactly; some jump far."""
    points = []
    seconds = seed.randrange(0, 40) / 4
    x, y = seed.randrange(width), seed.randrange(height)
    for k in range(seed.choice([1, 2, 3, 8, 20])):
        wide, high = seed.choice([2, 4, 7]), seed.choice([2, 6, 12])
        box = (float(x - wide), float(y - high), float(x + wide), float(y))
        points.append(Point(k, round(seconds * 12800), seconds, box, "detected", 0.5, "person"))
        seconds += seed.choice([0.25, 0.25, 0.5, 2.0])
        step = seed.choice([0, 0, 1, 3, 30])
        x = min(max(x + seed.randint(-step, step), -3), width + 3)
        y = min(max(y + seed.randint(-step, step), -3), height + 3)
    kind: Any = seed.choice(["person", "vehicle"])
    return Track(kind, "car" if kind == "vehicle" else "person", tuple(points), 0.5, len(points))


def lone_event(track: Track, number: int) -> Event:
    first, last = track.points[0], track.points[-1]
    start, end = MediaTime(first.pts, BASE), MediaTime(last.pts, BASE)
    span = Span(start, end, first.seconds, last.seconds)
    return Event(track.event_class, track.label, span, start, first.seconds, 1, (number,), track.score)


def add_exhibit(case: Case, run: int, number: int, tracks: list[Track], **stream: Any) -> None:
    name = f"cam{number}.mp4"
    exhibit = case.begin_exhibit(run, Identity(name, Path("/evidence") / name, 9, 9, f"{number:064x}"))
    place = case.add_stream(exhibit, stream_info(**stream))
    rows = case.add_tracks(place, tracks)
    case.add_events(place, [lone_event(one, k) for k, one in enumerate(tracks)], rows)
    case.finish_exhibit(exhibit)
    case.number(exhibit)


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four streams, one for each way of turning a picture, with 25 wild tracks each."""
    folder = tmp_path_factory.mktemp("wild") / "case"
    seed = random.Random(3)
    with Case.open(folder, create=True) as case:
        run = case.begin_run(RECORD)
        for number, (width, height, rotation) in enumerate(PICTURES, 1):
            tracks = [made_track(seed, width, height) for _ in range(25)]
            add_exhibit(case, run, number, tracks, width=width, height=height, rotation=rotation)
    return folder


@pytest.fixture(scope="module")
def reader(wild: Path) -> Iterator[Reader]:
    with Reader.open(wild) as opened:
        yield opened


class Everything(list[dict[str, Any]]):
    """All tracks of the wild case; hypothesis need not print them."""

    def __repr__(self) -> str:
        return f"<{len(self)} tracks>"


@pytest.fixture(scope="module")
def everything(reader: Reader) -> Everything:
    return Everything(reader.tracks())


def picture_of(item: dict[str, Any]) -> tuple[int, int, int]:
    return PICTURES[int(item["exhibit"][3]) - 1]


corner = st.tuples(st.integers(0, 80), st.integers(0, 80))
span = st.tuples(*[st.none() | st.integers(0, 60).map(lambda k: k / 4)] * 2)


@st.composite
def polygons(draw: st.DrawFn) -> Drawn:
    corners = draw(st.lists(corner, min_size=3, max_size=6, unique=True))
    # around the middle, so that most are simple; those that are not are thrown away
    x, y = sum(c[0] for c in corners) / len(corners), sum(c[1] for c in corners) / len(corners)
    corners.sort(key=lambda c: math.atan2(c[1] - y, c[0] - x))
    try:
        return parse_region([*map(list, corners)], "drawn")
    except UsageError:
        return parse_region("3,5,40,8,33,30,7,26", "drawn")


EXACTLY = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def compare(reader: Reader, everything: Everything, query: TrackQuery, means: Callable[..., bool]) -> None:
    found = {item["number"] for item in reader.track_rows(query)}
    wanted = {
        int(item["id"][1:])
        for item in everything
        if (query.since_s is None or item["end_s"] >= query.since_s)
        and (query.until_s is None or item["start_s"] <= query.until_s)
        and means(item, naive.course_of(item, picture_of(item), query))
    }
    assert found == wanted


@EXACTLY
@given(polygons(), span)
def test_a_region_finds_what_its_slow_twin_finds(
    reader: Reader, everything: Everything, region: Drawn, when: tuple[float | None, float | None]
) -> None:
    """Between two points, too: what jumps across a region was in it."""
    corners = naive.exact(region.corners)
    query = TrackQuery(regions=(region,), since_s=when[0], until_s=when[1])
    compare(reader, everything, query, lambda item, course: naive.visit(course, corners) is not None)


@EXACTLY
@given(st.lists(corner, min_size=2, max_size=4), span, st.sampled_from(["any", "left-to-right", "right-to-left"]))
def test_a_line_finds_what_its_slow_twin_finds(
    reader: Reader,
    everything: Everything,
    points: list[tuple[int, int]],
    when: tuple[float | None, float | None],
    direction: Any,
) -> None:
    points = [one for k, one in enumerate(points) if k == 0 or one != points[k - 1]]
    if len(points) < 2:
        points = [(0, 0), (64, 48)]
    line = parse_line([*map(list, points)], "drawn")
    query = TrackQuery(crosses=(line,), direction=direction, since_s=when[0], until_s=when[1])
    since, until = (None if one is None else Fraction(one) for one in when)

    def crosses(item: dict[str, Any], _: Any) -> bool:
        course = naive.pieces(item["path"], *picture_of(item))
        found = naive.crossings(course, naive.exact(line.corners), since, until)
        return bool(found) if direction == "any" else direction in found

    compare(reader, everything, query, crosses)


@EXACTLY
@given(polygons(), span, st.sampled_from([0.1, 0.6, 1.3, 4.1]), st.booleans())
def test_dwell_in_a_region_is_what_its_slow_twin_adds_up(
    reader: Reader,
    everything: Everything,
    region: Drawn,
    when: tuple[float | None, float | None],
    bound: float,
    least: bool,
) -> None:
    corners = naive.exact(region.corners)
    which: dict[str, float] = {"min_dwell_s" if least else "max_dwell_s": bound}
    query = TrackQuery(regions=(region,), since_s=when[0], until_s=when[1], **which)  # type: ignore[arg-type]

    def dwells(_: Any, course: Any) -> bool:
        visit = naive.visit(course, corners)
        return visit is not None and (visit[2] >= Fraction(bound) if least else visit[2] <= Fraction(bound))

    compare(reader, everything, query, dwells)


def test_a_path_finds_what_its_slow_twin_finds(wild: Path, everything: Everything) -> None:
    """From the one region to the other in that order; both ways round, and within a time."""
    (wild / "regions.toml").write_text(
        "[cameras.a]\nexhibits = ['cam*']\n"
        "regions.near = '0,0,30,0,30,48,0,48'\nregions.far = '25,10,64,0,60,40,40,48'\n"
    )
    near = naive.exact([(0, 0), (30, 0), (30, 48), (0, 48)])
    far = naive.exact([(25, 10), (64, 0), (60, 40), (40, 48)])
    found = 0
    with Reader.open(wild) as reader:
        for path, (begin, end) in ((("near", "far"), (near, far)), (("far", "near"), (far, near))):
            for when in ((None, None), (3.25, 9.5)):

                def goes(_: Any, course: Any, begin: Any = begin, end: Any = end) -> bool:
                    one, other = naive.visit(course, begin), naive.visit(course, end)
                    return one is not None and other is not None and one[0] < other[1]

                query = TrackQuery(path=path, since_s=when[0], until_s=when[1])
                compare(reader, everything, query, goes)
                found += len(list(reader.track_rows(query)))
    assert found > 20, "the test has something to find"
    (wild / "regions.toml").unlink()


# ---- courses


def course(*boxes: tuple[float, float, float, float], step: float = 0.5, **picture: int) -> courses.Course:
    points = [Point(k, k, k * step, box, "detected") for k, box in enumerate(boxes)]
    return courses.course(points, courses.Picture(160, 120, **picture), False)


def test_heading_speed_and_size_are_those_of_the_picture_as_it_is_shown() -> None:
    """Ten pixels wide and 20 high, 10 pixels to the right every half second: one own height a second."""
    found = course(*((10.0 * k, 20, 10.0 * k + 10, 40) for k in range(5)))
    assert (found.heading, found.speed) == (90.0, 1.0)
    assert (found.width, found.height, found.area) == (10, 20, 200)
    assert (found.stands, found.standing_s) == (0, 0.0)
    turned = course(*((10.0 * k, 20, 10.0 * k + 20, 30) for k in range(5)), rotation=90)
    assert (turned.heading, turned.width, turned.height) == (180.0, 10, 20)
    assert turned.speed == 1.0
    up = course(*((10, 50 - 10.0 * k, 20, 70 - 10.0 * k) for k in range(5)))
    assert up.heading == 0.0


def test_what_keeps_within_a_quarter_of_its_height_stands() -> None:
    trembling = [(10.0 + k % 2 * 4, 20, 20.0 + k % 2 * 4, 40) for k in range(9)]
    assert course(*trembling).stands == 1
    assert course(*trembling).standing_s == 4.0
    assert course(*trembling).heading is None
    leaving = [*trembling, *((30.0 + 20 * k, 20, 40.0 + 20 * k, 40) for k in range(4))]
    assert course(*leaving).stands == 0
    assert course(*leaving).standing_s == 4.0
    assert course(*trembling[:1]).speed is None


@given(st.floats(1e-9, 1e12))
def test_reach_is_the_least_power_of_two_that_holds_a_length(seconds: float) -> None:
    reach = courses.reach(seconds)
    assert seconds <= 2.0**reach
    assert reach == 0 or seconds > 2.0 ** (reach - 1)


def test_a_foot_below_the_picture_is_at_its_edge(tmp_path: Path) -> None:
    """An object that the picture's lower edge cuts is in a region that goes down to that edge."""
    with Case.open(tmp_path, create=True) as case:
        cut = [Point(k, k, k / 4, (10.0, 30.0, 20.0, 49.0), "detected", 0.5, "person") for k in range(4)]
        add_exhibit(
            case, case.begin_run(RECORD), 1, [Track("person", "person", tuple(cut), 0.5, 4)], width=64, height=48
        )
    with Reader.open(tmp_path) as reader:
        for region, there in (("0%,90%,100%,90%,100%,100%,0%,100%", 1), ("0,0,64,0,64,47,0,47", 0)):
            query = EventQuery(regions=(parse_region(region, ""),))
            assert len(reader.events(query)) == there


def test_points_of_courses_of_hours_are_not_in_memory_together(
    wild: Path, reader: Reader, everything: Everything, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few bytes are tested at once, the same is found; sixty courses of two hours took a gigabyte."""
    query = TrackQuery(crosses=(parse_line("0%,50%,100%,55%", "drawn"),))
    wanted = [item["number"] for item in reader.track_rows(query)]
    assert len(wanted) > 10
    most: list[int] = []
    tested = geometry.ways

    def counted(blobs: Any, picture: Any) -> Any:
        most.append(sum(map(len, blobs)) if len(blobs) > 1 else 0)
        return tested(blobs, picture)

    monkeypatch.setattr(geometry, "ways", counted)
    monkeypatch.setattr(search, "_TOGETHER_BYTES", 400)
    with Reader.open(wild) as again:
        assert [item["number"] for item in again.track_rows(query)] == wanted
    assert len(most) > 8 and 0 < max(most) <= 400


# ---- old cases, altered rows


def older(folder: Path) -> None:
    """Take a case back to the version before courses."""
    db = sqlite3.connect(folder / "case.db")
    for table in ("courses", "look_crops", "look_colours", "looks"):
        db.execute(f"DROP TABLE {table}")
    for column in ("marked_utc", "marks_sha256", "exhibit_sha256", "stream", "start_pts", "class"):
        db.execute(f"ALTER TABLE reviews DROP COLUMN {column}")
    db.execute("DELETE FROM migrations WHERE name >= '0008'")
    db.commit()
    db.close()


def dump(folder: Path) -> list[Any]:
    db = sqlite3.connect(folder / "case.db")
    rows = db.execute("SELECT * FROM courses ORDER BY stream, track").fetchall()
    db.close()
    return rows


def small_case(folder: Path) -> None:
    with Case.open(folder, create=True) as case:
        run = case.begin_run(RECORD)
        add_exhibit(case, run, 1, [small_track(5, 20), small_track(30, 90)])
        add_exhibit(case, run, 2, [small_track(50, 60)], rotation=90)


def test_an_older_case_gets_the_courses_that_a_new_scan_would_write(tmp_path: Path) -> None:
    small_case(tmp_path)
    before = dump(tmp_path)
    assert len(before) == 3
    older(tmp_path)
    with pytest.raises(CaseError, match="older version"):
        Reader.open(tmp_path)
    Case.open(tmp_path).close()
    assert dump(tmp_path) == before


def test_a_step_that_is_killed_while_it_fills_its_table_is_done_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule A11: the table and what is in it come together or not at all."""
    small_case(tmp_path)
    before = dump(tmp_path)
    older(tmp_path)

    def killed(db: sqlite3.Connection) -> None:
        courses.fill(db)
        raise KeyboardInterrupt

    monkeypatch.setattr(schema, "FILLS", dict.fromkeys(schema.FILLS, killed))
    with pytest.raises(KeyboardInterrupt):
        Case.open(tmp_path)
    monkeypatch.undo()
    db = sqlite3.connect(tmp_path / "case.db")
    assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'courses'").fetchone() == (0,)
    db.close()
    Case.open(tmp_path).close()
    assert dump(tmp_path) == before


def test_a_track_whose_points_are_damaged_is_counted_as_left_out(tmp_path: Path, cli: Cli) -> None:
    small_case(tmp_path)
    older(tmp_path)
    db = sqlite3.connect(tmp_path / "case.db")
    db.execute("UPDATE track_points SET points = x'01ff' WHERE track = 2")
    db.commit()
    db.close()
    Case.open(tmp_path).close()
    result = cli("events", "--case", tmp_path, "--region", "0,0,700,0,700,400,0,400")
    assert result.status == 0
    assert "1 track left out: the points are damaged" in result.err
    assert "E0001" in result.out
    assert "E0002" not in result.out


ALTERED = {
    "changed": "UPDATE courses SET first_x = first_x + 1 WHERE track = 2",
    "removed": "DELETE FROM courses WHERE track = 2",
    "added": "INSERT INTO courses SELECT stream, reach + 1, start_s, track, end_s, class, label, used, cells1, cells2, "
    "cells3, cells4, left_x, top_y, right_x, bottom_y, first_x, first_y, last_x, last_y, heading, speed, standing_s, "
    "stands, width, height, area FROM courses WHERE track = 2",
}


@pytest.mark.parametrize("how", ALTERED)
def test_a_course_that_was_altered_is_found(tmp_path: Path, how: str) -> None:
    """Courses are not sealed; they are computed again from the points, which are."""
    small_case(tmp_path)
    db = sqlite3.connect(tmp_path / "case.db")
    whole = Verdict()
    check_courses(db, whole)
    assert (whole.faults, whole.checked) == ([], {"courses": 3})
    db.execute(ALTERED[how])
    found = Verdict()
    check_courses(db, found)
    db.close()
    (fault,) = found.faults
    assert f"courses row of track 2 of streams row 1 was {how}" in fault.reason


# ---- the command line


CAMERAS = """
[cameras.door]
exhibits = ["cam1.mp4"]
regions.left = "0%,0%,4%,0%,4%,100%,0%,100%"
regions.right = "8%,0%,100%,0%,100%,100%,8%,100%"
lines.middle = "10%,100%,10%,0%"
[cameras.yard]
exhibits = ["cam2.mp4"]
regions.near = "0,0,10,0,10,700,0,700"
regions.far = "0,0,500,0,500,10,0,10"
lines.fence = "0,0,433,0"
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two cameras; the objects of cam1 walk to the right, their feet at height 60 of 432."""
    small_case(tmp_path)
    (tmp_path / "regions.toml").write_text(CAMERAS, encoding="utf-8")
    return tmp_path


def listed(cli: Cli, case: Path, *args: str, command: str = "events") -> list[str]:
    result = cli(command, "--case", case, "--json", *args)
    assert result.status == 0, result.err
    return [item["id"] for item in json.loads(result.out)]


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["--camera", "door"], "E0001 E0002"),
        (["--camera", "y*"], "E0003"),
        (["--label", "person", "--class", "person"], "E0001 E0002 E0003"),
        (["--label", "car"], ""),
        (["--region", "left"], "E0001"),
        (["--region", "left", "--region", "right"], "E0001 E0002"),
        (["--region", "right", "--min-dwell", "4"], "E0002"),
        (["--region", "0,0,100,0,100,100,0,100", "--stream", "0"], "E0001 E0002"),
        (["--crosses", "middle"], "E0002"),
        (["--crosses", "middle", "--direction", "left-to-right"], "E0002"),
        (["--crosses", "middle", "--direction", "right-to-left"], ""),
        (["--path", "left,right"], ""),
        (["--heading", "right"], "E0002"),
        (["--heading", "down"], "E0003"),
        (["--heading", "100", "--heading-tolerance", "9"], ""),
        (["--heading", "350", "--heading-tolerance", "101"], "E0002"),
        (["--min-speed", "0.2", "--max-speed", "0.3"], "E0001 E0002"),
        (["--min-speed", "0.6"], ""),
        (["--stationary"], ""),
        (["--moving"], "E0001 E0002 E0003"),
        (["--min-height", "30"], "E0001 E0002"),
        (["--max-width", "30"], "E0001 E0002"),
        (["--min-area", "801"], ""),
        (["--max-duration", "1.5"], "E0001 E0003"),
        (["--max-score", "0.4"], ""),
        (["--review", "unreviewed", "--review", "unsure"], "E0001 E0002 E0003"),
        (["--review", "relevant"], ""),
        (["--order", "number", "--limit", "1"], "E0001"),
        (["--since", "2", "--region", "left"], ""),
        (["--region", "left", "--moving", "--class", "person", "--min-height", "30"], "E0001"),
    ],
)
def test_filters_combine_and_find_what_they_say(small: Path, cli: Cli, args: list[str], found: str) -> None:
    """The same of events and of their tracks, since here each event is one track."""
    assert " ".join(listed(cli, small, *args)) == found
    assert " ".join(listed(cli, small, *args, command="tracks")).replace("T", "E") == found


def test_the_latest_review_counts(small: Path, cli: Cli) -> None:
    db = sqlite3.connect(small / "case.db")
    for state in ("relevant", "unsure"):
        db.execute("INSERT INTO reviews (event, state, by, at_utc) VALUES (2, ?, 'A', 'now')", [state])
    db.commit()
    db.close()
    assert listed(cli, small, "--review", "unsure") == ["E0002"]
    assert listed(cli, small, "--review", "relevant") == []
    assert listed(cli, small, "--review", "unsure", command="tracks") == ["T0002"]


def test_a_review_of_an_event_is_none_of_the_provisional_event_of_that_number(small: Path, cli: Cli) -> None:
    with Case.open(small) as case:
        (stream,) = (row[0] for row in case._db.execute("SELECT max(id) FROM streams"))
        case.add_provisional(stream, [lone_event(small_track(5, 20), 0)])
    db = sqlite3.connect(small / "case.db")
    db.execute("UPDATE provisional_events SET id = 1")  # as when the first to be listed is not the first to be done
    db.execute("INSERT INTO reviews (event, state, by, at_utc) VALUES (1, 'relevant', 'A', '2024')")
    db.commit()
    db.close()
    assert listed(cli, small, "--review", "relevant") == ["E0001"]
    assert sorted(listed(cli, small, "--review", "unreviewed")) == ["E0002", "E0003", "P0001"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--camera", "attic"], "is of a camera 'attic'; there are 2: door, yard"),
        (
            ["--region", "porch"],
            "has a region 'porch' in regions.toml; there are 4: far (yard), left (door), near (yard), right (door)",
        ),
        (
            ["--region", "left", "--camera", "yard"],
            "has a region 'left' in regions.toml; there are 2: far (yard), near (yard)",
        ),
        (["--crosses", "left"], "has a line 'left' in regions.toml; there are 2: fence (yard), middle (door)"),
        (["--path", "left"], "is not two regions"),
        (["--path", "left,porch"], "has a region 'porch'"),
        (["--region", "far"], "far of camera yard in regions.toml has a point outside of every picture"),
        (["--path", "near,far"], "far of camera yard in regions.toml has a point outside of every picture"),
        (["--crosses", "fence"], "of that camera, as 432x768; draw it anew, or write it in per cent"),
        (["--heading", "left", "--heading-tolerance", "nan"], "'nan' is not a number"),
        (["--time-of-day", "24:00-00:00"], "begins and ends at the same time"),
        (["--region", "0,0,5,5"], "at least 3 corners"),
        (
            ["--region", "0,0,9000,0,9000,9000"],
            "outside of every picture; as shown they are 432x768, 768x432",
        ),
        (["--region", "0%,0%,110%,0%,50%,50%"], "110% lies outside the picture"),
        (["--crosses", "0,0,1,9999"], "has a point outside of every picture"),
        (["--direction", "left-to-right"], "--direction says how --crosses is crossed"),
        (["--heading", "north"], "'north' is no heading"),
        (["--stationary", "--heading", "up"], "has no heading"),
        (["--min-height", "9", "--max-height", "8"], "--min-height 9 is more than --max-height 8"),
        (["--min-duration", "9", "--max-duration", "8"], "--min-duration 9 is more than --max-duration 8"),
        (["--from", "2024-03-02", "--to", "2024-03-01"], "--from is later than --to"),
        (["--from", "yesterday"], "cannot read 'yesterday' as a date"),
        (["--from", "2024-03-02T10:00Z"], "has a UTC offset"),
        (["--time-of-day", "25:00-26:00"], "is no time of day"),
        (["--time-of-day", "10:00"], "is no time of day"),
        (["--time-of-day", "10:00-10:00"], "begins and ends at the same time"),
        (["--by", "utc"], "--by names the clock"),
        (["--regions", "none.toml"], "cannot read regions from none.toml"),
    ],
)
def test_what_can_match_nothing_is_refused(small: Path, cli: Cli, args: list[str], said: str) -> None:
    for command in ("events", "tracks"):
        result = cli(command, "--case", small, *args)
        assert (result.status, result.out) == (2, "")
        assert said in " ".join(result.err.split())


def test_an_empty_list_says_what_was_looked_at_and_what_was_left_out(small: Path, cli: Cli) -> None:
    """Rules B5 and E1: an object whose time nobody knows is not an object that was not there."""
    result = cli("events", "--case", small, "--time-of-day", "22:00-06:00", "--region", "left")
    assert result.status == 0
    assert "1 event left out: displayed time is unknown; see 'vidreview clock'" in result.err
    assert "No events recorded that match these filters" in result.out
    result = cli("tracks", "--case", small, "--json", "--from", "2024-03-01")
    assert json.loads(result.out) == []
    assert "3 tracks left out: displayed time is unknown" in result.err


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["--time-of-day", "22:00-06:00"], "E0001 E0002"),
        (["--time-of-day", "06:00-22:00"], ""),
        (["--from", "2024-03-01", "--to", "2024-03-01"], "E0001"),
        (["--from", "2024-03-02"], "E0002"),
        (["--from", "2024-03-01T23:59:59.5", "--to", "2024-03-01T23:59:59.6"], ""),
        (["--by", "corrected", "--time-of-day", "23:57:00-23:58:00"], "E0001"),
        (["--by", "utc", "--from", "2024-03-01T22:58:00", "--to", "2024-03-01T22:58:05"], "E0002"),
        (["--time-of-day", "23:00-01:00", "--region", "right"], "E0002"),
    ],
)
def test_the_clock_that_is_named_decides(small: Path, cli: Cli, args: list[str], found: str) -> None:
    """The display shows 23:59:57.2 at the stream's begin, in Paris, and is 2 minutes fast."""
    said = ["--by", "A", "--uncertainty", "0.001", "--case", str(small)]
    clock = ["--at", "0", "--shown", "2024-03-01T23:59:57.2", "--zone", "Europe/Paris"]
    assert cli("clock", "add", "cam1.mp4", *clock, *said).status == 0
    check = ["--shown", "2024-03-01T12:02:00", "--reference", "2024-03-01T12:00:00", "--source", "GPS"]
    assert cli("clock", "add", "cam1.mp4", *check, *said).status == 0
    result = cli("events", "--case", small, "--json", *args)
    assert result.status == 0, result.err
    assert " ".join(item["id"] for item in json.loads(result.out)) == found
    if "--region" not in args:
        name = args[1] if args[0] == "--by" else "displayed"
        assert f"1 event left out: {name} time is unknown" in result.err, "that of cam2"


def test_a_query_is_said_in_words() -> None:
    query = TrackQuery(
        classes=("person", "vehicle"),
        regions=(parse_region("0,0,9,0,9,9", ""), "gate"),
        min_dwell_s=2.0,
        crosses=("kerb",),
        direction="left-to-right",
        times_of_day=((79200 * 10**6, 21600 * 10**6),),
        first_time=0,
        by="utc",
        headings=(90.0,),
        min_height=40.0,
        max_height=80.5,
        standing=False,
        limit=5,
    )
    assert filter_words(query) == [
        "class person or vehicle",
        "utc time from 1970-01-01 00:00:00",
        "utc time of day 22:00:00 to 06:00:00",
        "in region (0,0,9,0,9,9) or gate",
        "height at its largest at least 40 and at most 80.5 px",
        "there at least 2 s",
        "crosses line kerb from left to right",
        "heading 90° ± 45° (clockwise from up in the picture)",
        "moved",
        "the first 5 by start",
    ]
    assert filter_words(EventQuery()) == []
    assert EventQuery().filters is False
    assert query.filters is True


def test_labels_are_those_of_the_model() -> None:
    assert set(LABELS) == {*model.LABELS, "motion"}


# ---- speed


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("busy") / "case"
    bench.build(folder, 24_000, 8)
    return folder


def plans(folder: Path, query: EventQuery) -> list[str]:
    """What SQLite says of every statement that a query needs."""
    found: list[str] = []
    with Reader.open(folder) as reader:
        plain = reader._select

        def select(statement: str, values: Any = ()) -> list[tuple[Any, ...]]:
            found.extend(row[3] for row in plain(f"EXPLAIN QUERY PLAN {statement}", values))
            return plain(statement, values)

        reader._select = select  # type: ignore[method-assign]
        reader.events(query)
    return found


@pytest.mark.parametrize("name", [name for name, query in bench.queries().items() if query.by_course])
def test_what_is_large_is_sought_by_index(busy: Path, name: str) -> None:
    """No table that grows with the footage is read from end to end, whatever is asked."""
    query = bench.queries()[name]
    found = plans(busy, query)
    scans = [line for line in found if line.startswith("SCAN") and " VIRTUAL TABLE " not in line]
    small = ("SCAN exhibit", "SCAN stream", "SCAN clock_", "SCAN observation", "SCAN CONSTANT ROW", "SCAN problems")
    assert [line for line in scans if not line.startswith(small)] == []
    timed = query.since_s is not None or query.wall is not None
    wanted = "SEARCH c USING PRIMARY KEY (stream=? AND reach=? AND start_s>? AND start_s<?)"
    assert (wanted in found) == timed
    assert timed or "SEARCH c USING PRIMARY KEY (stream=?)" in found


def test_a_search_takes_a_blink(busy: Path) -> None:
    for name, query in bench.queries().items():
        bench.ask(busy, query)
        begun = time.perf_counter()
        bench.ask(busy, query)
        assert time.perf_counter() - begun < 1.0, name


def test_what_is_found_in_a_busy_case_is_what_the_slow_twin_finds(busy: Path) -> None:
    query = bench.queries()["door + person + ten minutes of each stream"]
    with Reader.open(busy) as reader:
        found = {track for item in reader.events(query) for track in item["tracks"]}
        corners = naive.exact([(512, 432), (640, 432), (640, 540), (512, 540)])
        wanted = {
            item["id"]
            for item in reader.tracks(TrackQuery(classes=("person",), since_s=600.0, until_s=1200.0))
            if naive.visit(naive.course_of(item, (1280, 720, 0), query), corners) is not None
        }
    assert found == wanted
    assert found
