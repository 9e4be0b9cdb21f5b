"""Best first: where packets are large is looked at first, provisionally, and the index ends as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Result
from tests.films import RedDetector, film
from tests.test_pipeline import SETTINGS, look_up
from vidreview.clips.packets import PacketIndex, read_index
from vidreview.index import Case, EventQuery, Identity, Reader, TrackQuery
from vidreview.media import probe
from vidreview.model import Problem
from vidreview.pipeline import Silent, preview, scan
from vidreview.pipeline.preview import BEFORE_S, stretches

#: the box crosses twice in 100 s
VISITS = [(300, 340), (800, 830)]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("films") / "long.mp4", 1000, VISITS, crf=30)


def index(sizes: list[float], fps: int = 10, keys_every: int = 20) -> PacketIndex:
    """Packets of a stream that spends so many bytes on each second, key pictures apart."""
    made = PacketIndex(Path("x.mp4"), 0, Fraction(1, 1000), "h264", "mov,mp4,m4a,3gp,3g2,mj2")
    for second, size in enumerate(sizes):
        for k in range(fps):
            number = second * fps + k
            made.pts.append(number * 1000 // fps)
            made.dts.append(number * 1000 // fps)
            made.keys.append(number % keys_every == 0)
            made.sizes.append(20_000 if made.keys[-1] else int(size / fps))
    return made


class Peek(Silent):
    """Looks into the case as soon as the busiest stretches have been seen."""

    def __init__(self, case: Path) -> None:
        self.case = case
        self.seen: list[dict[str, Any]] = []
        self.told: list[int] = []

    def provisional(self, name: str, events: int) -> None:
        self.told.append(events)
        self.seen = look_up(self.case)["events"]


def test_events_are_known_before_the_scan_and_give_way_to_its_own(long: Path, tmp_path: Path) -> None:
    peek = Peek(tmp_path / "best")
    scan([long], tmp_path / "best", SETTINGS, detector=RedDetector(), observer=peek, best_first=True)
    assert peek.told == [2]
    assert sorted(e["id"] for e in peek.seen) == ["P0001", "P0002"]
    assert [(e["class"], e["provisional"], e["tracks"], e["still"], e["review"]) for e in peek.seen] == [
        ("person", True, [], None, "unreviewed")
    ] * 2
    for event, (begins, ends) in zip(peek.seen, VISITS, strict=True):
        assert begins / 10 - 0.3 <= event["start_s"] <= event["end_s"] <= ends / 10 + 0.3
        numerator, denominator = map(int, event["time_base"].split("/"))
        assert event["start_pts"] * numerator / denominator == pytest.approx(event["start_s"])
    scan([long], tmp_path / "time", SETTINGS, detector=RedDetector())
    after = look_up(tmp_path / "best")
    assert after == look_up(tmp_path / "time")
    assert [(e["id"], e["provisional"]) for e in after["events"]] == [("E0001", False), ("E0002", False)]


def test_a_scan_that_is_killed_leaves_them_marked_and_the_next_one_removes_them(long: Path, tmp_path: Path) -> None:
    class Killed(Peek):
        def progress(self, name: str, share: float, seconds: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scan([long], tmp_path / "c", SETTINGS, detector=RedDetector(), observer=Killed(tmp_path / "c"), best_first=True)
    assert [e["provisional"] for e in look_up(tmp_path / "c")["events"]] == [True, True]
    scan([long], tmp_path / "c", SETTINGS, detector=RedDetector())
    scan([long], tmp_path / "undisturbed", SETTINGS, detector=RedDetector())
    assert look_up(tmp_path / "c") == look_up(tmp_path / "undisturbed")


def test_what_is_provisional_is_listed_as_such_and_nothing_is_derived_from_it(
    long: Path, tmp_path: Path, cli: Callable[..., Result]
) -> None:
    case = tmp_path / "case"
    stream_info = probe(long).streams[0]
    events = [e for some in preview.preview(long, stream_info, SETTINGS, RedDetector()) for e in some]
    with Case.open(case, create=True) as opened:
        run = opened.begin_run({"settings_sha256": "a", "model_sha256": "b"})
        exhibit = opened.begin_exhibit(run, Identity("long.mp4", long, 1, 1, "c" * 64))
        stream = opened.add_stream(exhibit, stream_info)
        opened.add_provisional(stream, events)
    listed = cli("events", "--case", case)
    assert listed.status == 0
    assert listed.out.count("provisional") >= 3
    assert "P0001" in listed.out
    for command in ("still", "clip"):
        refused = cli(command, "P0001", "--case", case)
        assert refused.status == 2
        assert "P0001 is provisional" in refused.err
    with Reader.open(case) as reader:
        assert reader.places() == []
        assert len(reader.events(EventQuery(classes=("vehicle",)))) == 0
        assert list(reader.tracks(TrackQuery())) == []
    with Case.open(case) as opened:
        opened.add_events(stream, [], [])
        opened.add_provisional(stream, events[:1])
    with Reader.open(case) as reader:
        assert [e["id"] for e in reader.events()] == ["P0003"], "a number that was shown is not given again"


def test_the_order_is_recorded_and_told(long: Path, tmp_path: Path) -> None:
    scan([long], tmp_path / "c", SETTINGS, detector=RedDetector(), best_first=True)
    assert '"order":"best-first"' in (tmp_path / "c" / "audit.jsonl").read_text().replace('": "', '":"')


@pytest.mark.parametrize(
    "change",
    [
        {"problems": (Problem("reset", "back"),)},
        {"problems": (Problem("no-timestamps", "none"),)},
        {"start_pts": None},
    ],
)
def test_where_times_do_not_tell_the_place_nothing_is_looked_at_beforehand(long: Path, change: dict[str, Any]) -> None:
    stream = replace(probe(long).streams[0], **change)
    assert list(preview.preview(long, stream, SETTINGS, RedDetector())) == []


def test_a_file_that_gives_other_packets_than_before_ends_the_first_look(
    long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = probe(long).streams[0]

    def other(*args: Any) -> PacketIndex:
        found = read_index(*args)
        for k in range(len(found) // 2, len(found)):
            found.sizes[k] += 1
        return found

    whole = list(preview.preview(long, stream, SETTINGS, RedDetector()))
    monkeypatch.setattr(preview, "read_index", other)
    part = list(preview.preview(long, stream, SETTINGS, RedDetector()))
    assert len(whole) == 2
    assert len(part) < 2


def test_frames_of_a_stretch_are_those_of_the_file(long: Path) -> None:
    from vidreview.media import open_frames
    from vidreview.media.source import Source

    stream = probe(long).streams[0]
    pictures = preview._Pictures(long, stream, read_index(Source, long, 0))
    with open_frames(long, stream) as frames:
        whole = {f.time.pts: (f.seconds, f.luma.copy()) for f in frames}
    for start, end in ((0, 2), (33, 38), (95, 100)):
        found = list(pictures.of(preview.Stretch(start, end, 1.0)))
        assert [f.seconds for f in found] == [s for s, _ in whole.values() if start <= s < end]
        assert all(np.array_equal(f.luma, whole[f.time.pts][1]) for f in found)


def test_the_busiest_seconds_come_first_whatever_key_pictures_cost() -> None:
    sizes = [1000.0 + 10 * (k % 7) for k in range(1200)]
    for begins, size in ((100, 9000), (500, 5000), (1100, 30000)):
        sizes[begins : begins + 12] = [float(size)] * 12
    found = stretches(index(sizes))
    assert [s.start_s + BEFORE_S for s in found] == [1100, 100, 500]
    assert all(a.end_s <= b.start_s or b.end_s <= a.start_s for a in found for b in found if a is not b)


def test_a_night_that_costs_more_is_not_busy_for_that() -> None:
    day, night = [1000.0 + 10 * (k % 7) for k in range(1800)], [6000.0 + 60 * (k % 7) for k in range(1800)]
    night[900:906] = [12000.0] * 6
    day[600:606] = [4000.0] * 6
    assert [s.start_s + BEFORE_S for s in stretches(index(day + night))] == [2700, 600]


def test_what_goes_on_and_on_is_looked_at_again() -> None:
    sizes = [1000.0 + 10 * (k % 7) for k in range(3600)]
    sizes[1000:1100] = [9000.0] * 100
    assert len(stretches(index(sizes))) >= 2


def test_equal_packets_and_streams_of_absurd_length_tell_nothing() -> None:
    assert stretches(index([1000.0] * 900)) == []
    absurd = index([1000.0] * 60)
    absurd.time_base = Fraction(1001, 1000)
    for last in (10**9, 2**60, 2**63 - 1):
        absurd.pts[0], absurd.pts[-1] = -last, last
        assert stretches(absurd) == []


def test_no_more_than_its_share_is_looked_at_beforehand() -> None:
    rng = np.random.default_rng(3)
    sizes = [float(v) for v in rng.choice([1000.0, 1010.0, 1020.0, 90000.0], 3600, p=[0.3, 0.3, 0.3, 0.1])]
    looked = sum(s.end_s - s.start_s for s in stretches(index(sizes)))
    assert looked <= preview.MOST_SHARE * 3600 + 5
