"""Looks from end to end: a film with red and blue boxes is searched by colour and by look."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import msgspec
import numpy as np
import pytest

from tests import naive_look
from tests.conftest import Result
from tests.export import export
from tests.films import FPS, HEIGHT, WIDTH, RedDetector, box_at, wall
from vidreview.index import Case, EventQuery, Identity, Reader, TrackQuery
from vidreview.index.similar import distances, load
from vidreview.model import Crop, Detections, NamedColour, Pixels, Track, TrackLook
from vidreview.pipeline import messages as say
from vidreview.pipeline import scan
from vidreview.settings import ScanSettings

Cli = Callable[..., Result]
RED, BLUE = (20, 20, 230), (200, 60, 20)
#: first and one past last frame of each visit, and the box's colours above and below
VISITS = [(10, 40, RED, RED), (60, 90, BLUE, BLUE), (110, 140, RED, RED), (160, 190, RED, BLUE)]


def boxes_film(path: Path, *, grey: bool = False) -> Path:
    """Twenty seconds in which boxes of several colours cross one after the other; ``grey`` as by infrared."""
    background = wall()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "16", "g": "20"}
        for number in range(200):
            noise = np.random.default_rng([3, number]).normal(0, 1.5, background.shape)
            pixels = (background + noise).clip(0, 255).astype(np.uint8)
            for begins, ends, above, below in VISITS:
                box = box_at(number, begins, ends)
                if box is not None and box[2] > box[0]:
                    pixels[box[1] : 90, box[0] : box[2]] = above
                    pixels[90 : box[3], box[0] : box[2]] = below
            if grey:
                # red and blue cloth shine in infrared, too
                pixels = np.ascontiguousarray(pixels.max(axis=2)[:, :, None].repeat(3, axis=2))
            frame = av.VideoFrame.from_ndarray(pixels, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class BoxDetector(RedDetector):
    """Calls what differs clearly from the wall a person, whatever its colour."""

    sha256 = "ef" * 32

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        self.pictures += len(pictures)
        return [self._box(p.astype(int)) for p in pictures]

    @staticmethod
    def _box(bgr: Any) -> Detections:
        other = (np.ptp(bgr, axis=2) > 60) | (bgr.min(axis=2) > 170)
        if other.sum() < 40:
            return Detections.none()
        rows, columns = np.flatnonzero(other.sum(axis=1) > 2), np.flatnonzero(other.sum(axis=0) > 2)
        if not len(rows) or not len(columns):
            return Detections.none()
        box = [[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]]
        return Detections(np.array(box, np.float32), np.array([0.9], np.float32), np.array([0], np.int16))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of the film with colours and of the same in grey."""
    folder = tmp_path_factory.mktemp("looks")
    (folder / "films").mkdir()
    boxes_film(folder / "films" / "a-colour.mp4")
    boxes_film(folder / "films" / "b-grey.mp4", grey=True)
    scan([folder / "films"], folder / "case", ScanSettings(), detector=BoxDetector())
    return folder / "case"


@pytest.fixture
def own(case: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(case, tmp_path / "case"))


def starts(found: Result) -> list[int]:
    """In which visit each listed item of the colour film is."""
    return [
        next(k for k, visit in enumerate(VISITS) if visit[0] - 5 <= item["start_s"] * FPS < visit[1])
        for item in json.loads(found.out)
        if item["exhibit"] == "a-colour.mp4"
    ]


@pytest.mark.parametrize("what", ["events", "tracks"])
@pytest.mark.parametrize(
    ("colours", "visits"),
    [
        (["red"], [0, 2, 3]),
        (["blue"], [1, 3]),
        (["upper:red"], [0, 2, 3]),
        (["lower:red"], [0, 2]),
        (["lower:blue", "green"], [1, 3]),
        (["whole:Red", "BLUE"], [0, 1, 2, 3]),
        (["yellow"], []),
    ],
)
def test_colours_are_found(case: Path, cli: Cli, what: str, colours: list[str], visits: list[int]) -> None:
    options = [word for name in colours for word in ("--colour", name)]
    found = cli(what, "--case", case, "--class", "person", "--json", *options)
    assert (found.status, starts(found)) == (0, visits)
    assert "light, shadow, white balance" in found.err, "the caveat stands beside what is for programs"


@pytest.mark.parametrize("what", ["events", "tracks"])
def test_the_grey_film_has_no_colour_and_that_is_said(case: Path, cli: Cli, what: str) -> None:
    """Rule E1: what was seen without colours is not left out in silence."""
    for name in ("grey", "black", "white", "red"):
        options = ("--exhibit", "b-grey.mp4", "--colour", name)
        assert json.loads(cli(what, "--case", case, "--json", *options).out) == []
    found = cli(what, "--case", case, "--colour", "red")
    assert "light, shadow, white balance" in found.out and "Of what the other filters list: " in found.out
    listed = len(json.loads(cli(what, "--case", case, "--exhibit", "b-grey.mp4", "--json").out))
    assert f"{listed} were seen in pictures without colours" in found.out


def test_without_a_colour_filter_nothing_is_said_of_colours(case: Path, cli: Cli) -> None:
    assert "white balance" not in cli("events", "--case", case).out


@pytest.mark.parametrize("name", ["mauve", "head:red", "upper:", "", "red,blue", "'; DROP TABLE looks; --"])
def test_what_is_no_colour_is_refused(case: Path, cli: Cli, name: str) -> None:
    found = cli("events", "--case", case, "--colour", name)
    assert found.status == 2 and "write one of black, white, grey, red" in found.err


def test_the_most_similar_is_the_other_red_box_and_it_is_called_a_lead(case: Path, cli: Cli) -> None:
    with Reader.open(case) as reader:
        tracks = list(reader.tracks(TrackQuery(classes=("person",), exhibits=("a-colour.mp4",))))
    names = [track["id"] for track in tracks]
    assert len(names) == 4
    found = json.loads(cli("similar", names[0], "--case", case, "--json", "--class", "person").out)
    assert (found["id"], found["exhibit"]) == (names[0], "a-colour.mp4")
    assert "lead, not the same object" in found["lead"]
    order = [item["id"] for item in found["tracks"] if item["exhibit"] == "a-colour.mp4"]
    assert order == [names[2], names[3], names[1]], "red, half red, blue; itself is left out"
    scores = [item["similarity"] for item in found["tracks"]]
    assert scores == sorted(scores, reverse=True) and scores[0] > 0.95
    assert {item["compared"] for item in found["tracks"] if item["exhibit"] == "b-grey.mp4"} == {"lightness"}
    first = found["tracks"][0]
    assert first["start_pts"] == next(t["start_pts"] for t in tracks if t["id"] == first["id"])
    table = cli("similar", names[0], "--case", case, "--limit", "1")
    assert "lead, not the same object" in table.out and names[2] in table.out and names[1] not in table.out


def test_similar_says_what_it_leaves_out_and_what_colours_are_worth(case: Path, cli: Cli) -> None:
    """Rule B5: what is left out since its time is unknown is counted; stdout stays JSON."""
    with Reader.open(case) as reader:
        tracks = len(list(reader.track_rows(TrackQuery())))
        name = next(iter(reader.tracks(TrackQuery(classes=("person",)))))["id"]
    found = cli("similar", name, "--case", case, "--time-of-day", "22:00-06:00", "--json")
    assert json.loads(found.out)["tracks"] == []
    assert f"{tracks} tracks left out: displayed time is unknown" in found.err
    coloured = cli("similar", name, "--case", case, "--colour", "red")
    assert "white balance" in coloured.out
    few = cli("similar", name, "--case", case, "--limit", "1")
    ranked = json.loads(cli("similar", name, "--case", case, "--limit", "1", "--json").out)["ranked"]
    assert ranked > 1 and f"The first 1 of {ranked} that were compared" in few.out


def test_similar_takes_an_event_and_a_bare_number(case: Path, cli: Cli) -> None:
    with Reader.open(case) as reader:
        event = reader.events(EventQuery(exhibits=("a-colour.mp4",)))[0]
    by_event = json.loads(cli("similar", event["id"], "--case", case, "--json").out)
    assert by_event["id"] in event["tracks"]
    number = by_event["id"].lstrip("T0")
    assert json.loads(cli("similar", number, "--case", case, "--json").out) == by_event


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("T9999", "the case has no track T9999; 'vidreview tracks' lists them"),
        ("E9999", "the case has no event E9999; 'vidreview events' lists them"),
        ("P0001", "is no track; write its number"),
        ("T", "is no track; write its number"),
        ("T" + "9" * 40, "is no track; write its number"),
    ],
)
def test_similar_to_nothing_is_refused(case: Path, cli: Cli, name: str, words: str) -> None:
    found = cli("similar", name, "--case", case)
    assert found.status == 2 and words in found.err


def test_a_case_of_an_older_version_says_what_has_no_look(own: Path, cli: Cli) -> None:
    with closing(sqlite3.connect(own / "case.db")) as db, db:
        for table in ("looks", "look_colours", "look_crops"):
            db.execute(f"DELETE FROM {table}")
    found = cli("events", "--case", own, "--colour", "red")
    count = len(json.loads(cli("events", "--case", own, "--json").out))
    assert found.status == 0 and f"{count} have no stored look" in found.out
    assert "scan the exhibit into another case" in found.out
    with Reader.open(own) as reader:
        name = next(iter(reader.tracks()))["id"]
        assert reader.looks(int(name[1:])) == [] and reader.best_look(1) is None
    refused = cli("similar", name, "--case", own)
    assert refused.status == 2 and "no look is stored" in refused.err and "into another case" in refused.err


def test_crops_are_pictures_of_the_object_at_its_time(case: Path) -> None:
    with Reader.open(case) as reader:
        for track in reader.tracks(TrackQuery(classes=("person",), exhibits=("a-colour.mp4",))):
            crops = reader.looks(int(track["id"][1:]))
            assert 1 <= len(crops) <= 3
            for crop in crops:
                picture = cv2.imdecode(np.frombuffer(crop.jpeg, np.uint8), cv2.IMREAD_COLOR)
                x1, y1, x2, y2 = crop.box
                assert picture is not None and picture.shape[:2] == (y2 - y1, x2 - x1)
                assert np.ptp(picture.reshape(-1, 3).mean(axis=0)) > 60, "it shows the coloured box"
                assert track["start_s"] - 0.2 <= crop.seconds <= track["end_s"] + 0.2
                points = {round(s, 6): box for s, *box in track["path"]}
                assert crop.box == pytest.approx(points[round(crop.seconds, 6)], abs=1)
        event = reader.events(EventQuery(exhibits=("a-colour.mp4",)))[0]
        best = reader.best_look(int(event["id"][1:]))
        assert best is not None and any(best in reader.looks(int(name[1:])) for name in event["tracks"])
        assert reader.best_look(99_999) is None and reader.looks(99_999) == []


def test_looks_are_sealed_and_the_case_verifies(own: Path, cli: Cli) -> None:
    assert cli("verify", "--case", own).status == 0
    with closing(sqlite3.connect(own / "case.db")) as db, db:
        db.execute("UPDATE look_crops SET jpeg = zeroblob(9) WHERE rowid = 1")
    found = cli("verify", "--case", own)
    assert found.status == 4 and "look_crops row track" in found.out + found.err


def test_two_scans_give_the_same_looks(case: Path, tmp_path: Path) -> None:
    """Rule A7; that it holds for any number of workers, killed or not, test_workers compares by the same export."""
    films = case.parent / "films"
    scan([films], tmp_path / "again", ScanSettings(), detector=BoxDetector())
    first, second = export(case), export(tmp_path / "again")
    assert first == second
    document = json.loads(first)
    assert all(document[name] for name in ("looks", "look_colours", "look_crops"))


def test_a_scan_with_other_settings_replaces_the_looks(own: Path) -> None:
    films = sorted((own.parent / "films").glob("*")) or sorted((Path(json_path(own)).parent).glob("*.mp4"))
    scan(films, own, ScanSettings(idle_every_s=2.0), detector=BoxDetector())
    with closing(sqlite3.connect(own / "case.db")) as db:
        for table in ("looks", "look_colours", "look_crops"):
            assert db.execute(
                f"SELECT count(*) FROM {table} WHERE track NOT IN (SELECT id FROM tracks)"
            ).fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM looks").fetchone()[0] > 4


def json_path(case: Path) -> str:
    """Where an exhibit of a case lies."""
    with closing(sqlite3.connect(case / "case.db")) as db:
        return str(db.execute("SELECT path FROM exhibits ORDER BY id LIMIT 1").fetchone()[0])


# ---- messages of a worker that is not trusted

JPEG = b"\xff\xd8\xff\xe0 picture \xff\xd9"
SOUND = TrackLook(
    3,
    "colours",
    bytes(225),
    (NamedColour("whole", "red", 0.5),),
    (Crop(1, 2, 0.5, (0, 0, 9, 9), 0.5, JPEG),),
)


def told(look: TrackLook, **point: Any) -> bytes:
    """The message, packed by a worker that checks nothing; ``point`` changes the last point of its track."""
    from tests.test_looks import track as sound

    def track(pieces: tuple[int, ...]) -> Track:
        one = sound(pieces)
        return replace(one, points=(*one.points[:-1], replace(one.points[-1], **point)))

    def plain(value: Any) -> Any:
        """As MessagePack has it."""
        if is_dataclass(value):
            return {spec.name: plain(getattr(value, spec.name)) for spec in fields(value)}
        return [plain(one) for one in value] if isinstance(value, tuple | list) else value

    return msgspec.msgpack.encode(
        {"type": "Tracks", "stream": 0, "tracks": plain([track((1,))]), "looks": plain([look])}
    )


def test_a_sound_look_travels() -> None:
    message = say.unpack(told(SOUND))
    assert isinstance(message, say.Tracks) and message.looks == [SOUND]


@pytest.mark.parametrize(
    "look",
    [
        replace(SOUND, looks=0),
        replace(SOUND, light="moon"),  # type: ignore[arg-type]
        replace(SOUND, light="none"),
        replace(SOUND, descriptor=bytes(224)),
        replace(SOUND, descriptor=bytes(1 << 20)),
        replace(SOUND, colours=(NamedColour("whole", "mauve", 0.5),)),
        replace(SOUND, colours=(NamedColour("head", "red", 0.5),)),  # type: ignore[arg-type]
        replace(SOUND, colours=(NamedColour("whole", "red", float("nan")),)),
        replace(SOUND, colours=(NamedColour("whole", "red", 1.5),)),
        replace(SOUND, colours=SOUND.colours * 2),
        replace(SOUND, crops=SOUND.crops * 4),
        replace(SOUND, crops=(replace(SOUND.crops[0], jpeg=b"<svg onload=alert(1)>"),)),
        replace(SOUND, crops=(replace(SOUND.crops[0], jpeg=JPEG[:-2] + bytes(200_000) + JPEG[-2:]),)),
        replace(SOUND, crops=(replace(SOUND.crops[0], box=(5, 0, 5, 9)),)),
        replace(SOUND, crops=(replace(SOUND.crops[0], box=(-1, 0, 5, 9)),)),
        replace(SOUND, crops=(replace(SOUND.crops[0], seconds=float("inf")),)),
        replace(SOUND, crops=(replace(SOUND.crops[0], frame=-1),)),
    ],
)
def test_a_hostile_look_ends_its_worker_and_reaches_no_case(look: TrackLook) -> None:
    """Rule A10: what a worker says is checked before it is believed; ValueError is what ends the worker."""
    with pytest.raises(ValueError, match=r"."):
        say.unpack(told(look))


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "point",
    [
        {"box": (0.0, 0.0, NAN, 9.0)},
        {"box": (0.0, 0.0, 9.0, INF)},
        {"box": (0.0, 0.0, 9.0, 1e300)},
        {"seconds": NAN},
        {"seconds": -INF},
        {"seconds": 1e300},
        {"frame": -1},
        {"pts": 1 << 63},
    ],
)
def test_a_hostile_course_ends_its_worker_and_not_the_batch(point: dict[str, Any]) -> None:
    """Rule A10: where an object was is reckoned from its points on the trusted side; nan there ended the scan."""
    assert isinstance(say.unpack(told(SOUND)), say.Tracks)
    with pytest.raises(ValueError, match="track's"):
        say.unpack(told(SOUND, **point))


def test_a_track_has_points_and_their_ticks_can_be_kept() -> None:
    from tests.test_looks import track

    with pytest.raises(ValueError, match="no points"):
        say.Tracks(0, [replace(track((1,)), points=())], [None])
    one = track((1,))
    far = (replace(one.points[0], pts=-(1 << 62)), replace(one.points[-1], pts=1 << 62))
    with pytest.raises(ValueError, match="too far apart"):
        say.Tracks(0, [replace(one, points=far)], [None])


def test_looks_must_be_as_many_as_tracks() -> None:
    from tests.test_looks import track

    with pytest.raises(ValueError, match="1 tracks with 0 looks"):
        say.Tracks(0, [track((1,))], [])


# ---- ranking


def random_looks(count: int, seed: int = 1) -> list[tuple[int, bytes, str]]:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(225, 0.1), count)
    roots = np.sqrt(shares / shares.max(axis=1, keepdims=True)) * 255
    return [(k, row.astype(np.uint8).tobytes(), "none" if k % 5 == 0 else "colours") for k, row in enumerate(roots)]


def test_distances_are_those_of_the_formula() -> None:
    rows = random_looks(60)
    looks = load(rows)
    for query in (0, 7):
        found = distances(query, looks)
        wanted = [
            naive_look.distance(
                looks.descriptors[query], looks.descriptors[k], bool(looks.coloured[k] and looks.coloured[query])
            )
            for k in range(60)
        ]
        np.testing.assert_allclose(found, wanted, atol=2e-6)
        assert found[query] == pytest.approx(0.0, abs=2e-6)


def test_an_empty_descriptor_is_far_from_all_and_a_damaged_one_is_said() -> None:
    from vidreview.errors import CaseError

    looks = load([(1, bytes(225), "colours"), *random_looks(3)])
    assert np.isfinite(distances(0, looks)).all() and distances(0, looks)[1:].min() > 0.99
    with pytest.raises(CaseError, match=r"tracks row 1 in case\.db is damaged"):
        load([(1, bytes(7), "colours")])


def test_many_tracks_are_ranked_and_filtered_quickly(tmp_path: Path, cli: Cli) -> None:
    """40,000 tracks; docs/looks.md has the times of 200,000. The bounds are for a busy machine."""
    count = 40_000
    with Case.open(tmp_path / "case", create=True) as case:
        run = case.begin_run({"settings_sha256": "s", "model_sha256": None})
        case.begin_exhibit(run, Identity("a.mp4", Path("/a.mp4"), 1, 1, "ab" * 32))
    rows = random_looks(1000)
    with closing(sqlite3.connect(tmp_path / "case" / "case.db")) as db, db:
        db.execute("INSERT INTO streams VALUES (1, 1, 0, 'h264', 1, 1, 0, 1, 25, 0, 9.5, '{}')")
        db.executemany(
            "INSERT INTO tracks VALUES (?, 1, 'person', 'person', ?, ?, ?, ?, 0.5, 3, 0, NULL, ?)",
            ((k, k, k + 9, k / 25, (k + 9) / 25, k) for k in range(1, count + 1)),
        )
        db.executemany(
            "INSERT INTO looks VALUES (?, 3, ?, ?)",
            ((k, rows[k % 1000][2], rows[k % 1000][1]) for k in range(1, count + 1)),
        )
        db.execute(
            "INSERT INTO courses SELECT 1, 0, start_s, id, end_s, class, label, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1, "
            "NULL, NULL, 0, 0, 1, 1, 1 FROM tracks"
        )
        db.executemany(
            "INSERT INTO look_colours VALUES (?, 'whole', ?, 0.5)",
            (("red" if k % 400 == 0 else "grey", k) for k in range(1, count + 1)),
        )
    with Reader.open(tmp_path / "case") as reader:
        began = time.process_time()
        found = reader.similar("T0007", TrackQuery(limit=10))
        assert time.process_time() - began < 5.0
        # every thousandth track has the same descriptor; of those that are alike, the first comes first
        assert [item["id"] for item in found["tracks"][:3]] == ["T1007", "T2007", "T3007"]
        began = time.process_time()
        red = list(reader.track_rows(TrackQuery(colours=("red",))))
        assert len(red) == 100 and time.process_time() - began < 0.5
        plan = reader._select(
            "EXPLAIN QUERY PLAN SELECT track FROM look_colours WHERE (colour = ? AND part IN (?, ?))",
            ["red", "upper", "whole"],
        )
        assert any("USING PRIMARY KEY (colour=? AND part=?)" in row[-1] for row in plan), plan
