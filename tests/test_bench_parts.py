"""What the parts of the benchmark claim from what was measured: made-up readings in, comparisons out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.footage import Setting
from bench.parts import scan, startup, tracker
from bench.parts.scan import DVR, OURS, ULTRA, Film
from bench.parts.tools import Reading
from bench.report import TARGET, Claim
from tests.films import film


def by_name(claims: list[Claim]) -> dict[tuple[str, str], Claim]:
    found = {(claim.what, claim.against): claim for claim in claims}
    assert len(found) == len(claims), "each comparison is made once"
    return found


def events(**more: Any) -> dict[str, Any]:
    return {
        "true": 3,
        "found": 3,
        "recognised": 3,
        "stray": 0,
        "false_s": 0.5,
        "motion_false_s": 1.0,
        "worst_start_error_s": 0.4,
    } | more


@pytest.fixture(scope="module")
def minute(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of 60 s."""
    return film(tmp_path_factory.mktemp("films") / "minute.mp4", 600, [])


def test_a_quiet_film_is_held_to_its_targets_and_beside_each_peer(minute: Path) -> None:
    done = {
        OURS: [Reading(10.0, 400.0), Reading(2.0, 500.0), Reading(3.0, 300.0)],
        DVR: [Reading(9.0, 100.0), Reading(1.0, 100.0), Reading(9.0, 100.0)],
        ULTRA: [Reading(90.0, 900.0)] * 3,
    }
    its = events(found=3, recognised=0, stray=2, motion_false_s=0.0, worst_start_error_s=0.1)
    found = {OURS: events(stray=1), DVR: its, ULTRA: {}}
    claims = by_name(scan._claims(Film(minute, "quiet", scan.QUIET_FASTER, quiet=True), done, found))
    assert {key: claim.met for key, claim in claims.items()} == {
        ("time of DVR-Scan over vidreview's, quiet", TARGET): False,
        ("time of ultralytics over vidreview's, quiet", TARGET): True,
        ("peak memory of a scan, quiet", DVR): False,
        ("peak memory of a scan, quiet", ULTRA): True,
        ("events found, quiet", DVR): True,
        ("events recognised, quiet", DVR): True,
        ("stray events, quiet", DVR): True,
        ("false seconds of all classes, quiet", DVR): False,
        ("worst start, quiet", DVR): False,
        ("visits found, quiet", TARGET): True,
        ("worst start, quiet", TARGET): True,
        ("stray events an hour, quiet", TARGET): False,
    }
    assert claims["time of DVR-Scan over vidreview's, quiet", TARGET].value == 3.0
    assert claims["stray events an hour, quiet", TARGET].value == pytest.approx(60.0)


def test_a_start_is_not_compared_with_that_of_who_found_less(minute: Path) -> None:
    done = {name: [Reading(1.0, 1.0)] for name in (OURS, DVR, ULTRA)}
    found = {OURS: events(), DVR: events(found=1, worst_start_error_s=0.0), ULTRA: {}}
    claims = by_name(scan._claims(Film(minute, "any", {}), done, found))
    assert ("worst start, any", DVR) not in claims
    assert claims["events found, any", DVR].met
    assert claims["time of a scan, any", DVR].bound == 1.0


def test_a_busy_film_is_judged_by_its_people(minute: Path) -> None:
    done = {name: [Reading(seconds, 1.0)] for name, seconds in ((OURS, 10.0), (DVR, 5.0), (ULTRA, 45.0))}
    found: dict[str, dict[str, Any]] = {
        OURS: {"people": 19, "covered": 18, "tracks": 24},
        DVR: {},
        ULTRA: {"people": 19, "covered": 19, "tracks": 46},
    }
    busy = Film(minute, "busy", scan.BUSY_FASTER)
    claims = by_name(scan._claims(busy, done, found))
    missed = {key for key, claim in claims.items() if not claim.met}
    assert missed == {
        ("time of a scan, busy", DVR),
        ("people covered, busy", TARGET),
        ("people covered, busy", ULTRA),
    }
    table = scan._table(busy, done, found)
    assert table.caption == "**busy**, 60 s"
    assert [row[-2:] for row in table.rows] == [("18 of 19", "24"), ("-", "-"), ("19 of 19", "46")]
    assert [row[3] for row in table.rows] == ["6", "12", "1.33"]


def test_the_tracker_is_held_against_the_best_peer_in_each_measure() -> None:
    scores = {
        "vidreview": {"HOTA": 50.0, "MOTA": 60.0, "IDF1": 70.0, "IDSW": 89},
        "SORT": {"HOTA": 40.0, "MOTA": 61.0, "IDF1": 60.0, "IDSW": 143},
        "OC-SORT": {"HOTA": 42.0, "MOTA": 57.0, "IDF1": 66.0, "IDSW": 89},
    }
    targets = by_name(tracker._better(scores, "", 1.10))
    assert {key: claim.met for key, claim in targets.items()} == {
        ("HOTA over the best peer's (OC-SORT)", TARGET): True,
        ("IDF1 over the best peer's (OC-SORT)", TARGET): False,
        ("MOTA", "SORT"): False,
        ("identity switches, fewest of the peers (OC-SORT)", TARGET): False,
    }
    beside = by_name(tracker._better(scores, ", one frame in 2", None))
    assert {key: claim.met for key, claim in beside.items()} == {
        ("HOTA, one frame in 2", "OC-SORT"): True,
        ("IDF1, one frame in 2", "OC-SORT"): True,
        ("MOTA, one frame in 2", "SORT"): False,
        ("identity switches, one frame in 2", "OC-SORT"): False,
    }


@pytest.fixture
def hour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Setting:
    """A film of four true events whose scan is made up: best first knows half of them sooner, and ends later."""
    curves = {
        (): [(0.0, 0, 0), (8.0, 1, 1), (9.0, 5, 4), (10.0, 5, 4)],
        ("--order", "best-first"): [(0.0, 0, 0), (1.0, 2, 2), (6.0, 3, 3), (12.0, 3, 3)],
    }
    monkeypatch.setattr(Setting, "film", lambda self, minutes: tmp_path / f"{minutes}.mp4")
    monkeypatch.setattr(startup, "truth_of", lambda *_: {"events": [{}] * 4})
    monkeypatch.setattr(startup, "watch", lambda setting, film, more, truth: curves[more])
    return Setting(tmp_path, tmp_path, 2)


def test_best_first_is_held_against_the_scan_in_order(hour: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "knows_order", lambda: True)
    part = startup.measure(hour)
    assert part.tables[0].rows == (
        ("in order", "8", "8", "9", "9", "9", "10"),
        ("best first", "1", "1", "1", "6", "not measured", "12"),
    )
    assert part.tables[1].rows[0][1:] == ("0", "0", "0", "0", "0", "0", "0", "1", "4", "4")
    assert [claim.met for claim in part.claims] == [True, False, False], "half, all, and the whole scan"
    assert "vidreview scan FILM --case CASE --quiet --order best-first" in part.commands


def test_a_scan_without_that_order_is_measured_in_order(hour: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "knows_order", lambda: False)
    part = startup.measure(hour)
    assert [row[0] for row in part.tables[0].rows] == ["in order"]
    assert part.claims == ()
    assert any("no `best-first` order" in note for note in part.notes)
    assert not any("--order" in command for command in part.commands)
