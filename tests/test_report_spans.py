"""The ledger laid along a stream sums to the ledger, to the tick, on real odd recordings and in made-up cases."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.test_pipeline import run
from vidreview.index import Reader
from vidreview.index.reported import KnownStream
from vidreview.report.spans import NO_FRAMES, STATES, UNKNOWN, Frames, frames_of, lay


@pytest.fixture(scope="module")
def odd_case(odd_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    case = tmp_path_factory.mktemp("odd") / "case"
    run([odd_files], case)
    return case


def laid(case: Path) -> dict[str, tuple[dict[str, int], list[tuple[str, int, int]], str | None, Fraction]]:
    """Exhibit → the ledger's ticks, the spans, what could not be laid, the time base."""
    found = {}
    with Reader.open(case) as reader:
        stored = reader.reported()
        ledger = [item for item in reader.coverage() if item["stream"] is not None]
        for stream, item in zip(stored.streams(), ledger, strict=True):
            frames = frames_of(stored.watched(stream.row), stream.time_base)
            result = lay(stream, frames, item["ticks"], item["problems"])
            found[item["exhibit"]] = (item["ticks"], result.spans, result.words, stream.time_base)
    return found


@pytest.mark.footage
def test_spans_of_odd_recordings_sum_to_the_ledger(odd_case: Path) -> None:
    """Rule E2: gaps, resets, truncation, holes: every tick of every state lies somewhere, each once."""
    found = laid(odd_case)
    assert len(found) >= 20
    for name, (ticks, spans, words, _) in found.items():
        sums = {state: sum(end - start for one, start, end in spans if one == state) for state in STATES}
        assert sums == {state: ticks[state] for state in STATES}, name
        assert words is None, name
        for (_, _, end), (_, start, _) in itertools.pairwise(spans):
            assert end == start, name


@pytest.mark.footage
def test_a_gap_and_a_hole_lie_where_they_are(odd_case: Path) -> None:
    """Ten minutes were not recorded in the one, 64 KiB in the middle were zeroed in the other."""
    found = laid(odd_case)
    ticks, spans, _, base = found["gap.mkv"]
    assert [state for state, _, _ in spans] == ["analysed", "gap", "analysed"]
    assert float((spans[1][2] - spans[1][1]) * base) == pytest.approx(600.0, abs=0.2)
    assert 0 < spans[1][1] < spans[1][2] < ticks["duration"]
    _, spans, _, base = found["zeroed_64k_middle.mp4"]
    assert [state for state, _, _ in spans] == ["analysed", "undecodable", "analysed"]
    assert float(spans[1][1] * base) == pytest.approx(10.1, abs=0.2)


def stream(**info: Any) -> KnownStream:
    return KnownStream(1, 1, 0, "h264", 320, 192, 0, Fraction(1, 1000), None, {"frame_interval": "1/10"} | info)


def frames(*pts: int) -> Frames:
    ticks = np.array(pts, np.int64)
    return Frames(ticks, ticks - ticks[0], (ticks - ticks[0]) / 1000)


def problem(kind: str, at_s: float | None, pts: int | None, end_pts: int | None) -> dict[str, Any]:
    return {"kind": kind, "reason": "", "at_s": at_s, "pts": pts, "end_pts": end_pts}


TEN = tuple(range(0, 1000, 100))


def test_what_an_earlier_version_scanned_is_laid_nowhere() -> None:
    """Without the times of frames only the sums are known, and that is said."""
    ticks = {"analysed": 900, "undecodable": 100, "gap": 5000, "not_requested": 0}
    found = lay(stream(), NO_FRAMES, ticks, [])
    assert found.spans == [(UNKNOWN, 0, 6000)]
    assert found.words is not None
    assert "0.100 s could not be decoded" in found.words
    assert "5.000 s were not recorded" in found.words
    whole = {"analysed": 6000, "undecodable": 0, "gap": 0, "not_requested": 0}
    assert lay(stream(), NO_FRAMES, whole, []).spans == [("analysed", 0, 6000)]


def test_what_is_lost_before_the_first_picture_lies_before_zero() -> None:
    """Second 0 is the first presented frame: what could not be decoded before it has negative seconds."""
    ticks = {"analysed": 1000, "undecodable": 300, "gap": 0, "not_requested": 0}
    found = lay(stream(), frames(*TEN), ticks, [problem("damage", 0.0, -300, 0)])
    assert found.spans == [("undecodable", -300, 0), ("analysed", 0, 1000)]
    assert found.words is None
    assert found.to_json(Fraction(1, 1000))[0] == {"state": "undecodable", "start_s": -0.3, "end_s": 0.0}


def test_what_was_cut_off_and_not_asked_for_lies_at_the_end() -> None:
    ticks = {"analysed": 1000, "undecodable": 2000, "gap": 0, "not_requested": 500}
    found = lay(stream(cut_off="2"), frames(*TEN), ticks, [])
    assert found.spans == [("analysed", 0, 1000), ("undecodable", 1000, 3000), ("not_requested", 3000, 3500)]
    assert found.words is None


def test_a_gap_with_lost_pictures_is_both_and_says_that_the_order_is_unknown() -> None:
    """One hole of ten seconds, in which three pictures were lost to damage."""
    times = (*TEN, *range(11000, 12000, 100))
    ticks = {"analysed": 2000, "undecodable": 300, "gap": 9700, "not_requested": 0}
    found = lay(stream(), frames(*times), ticks, [problem("damage", 0.9, 900, 11000)])
    assert found.spans == [
        ("analysed", 0, 1000),
        ("undecodable", 1000, 1300),
        ("gap", 1300, 11000),
        ("analysed", 11000, 12000),
    ]
    assert found.words is not None
    assert "in which order is not known" in found.words


def test_what_cannot_be_laid_is_said_and_not_drawn() -> None:
    """The ledger holds damage that no listed problem places."""
    ticks = {"analysed": 1000, "undecodable": 400, "gap": 0, "not_requested": 0}
    found = lay(stream(), frames(*TEN), ticks, [])
    assert found.spans == [("analysed", 0, 1000)]
    assert found.words == "0.400 s more could not be decoded, somewhere in the stream."


def test_ticks_finer_than_a_microsecond_stay_exact() -> None:
    """The index keeps microseconds; the timestamps beside them give the ticks back."""
    from vidreview.index.watched import Columns

    pts = [k * 333_333_333 for k in range(50)]  # nanoseconds
    block = Columns(pts, [round(tick / 1000) for tick in pts], *([[0] * 50] * 5))
    assert frames_of([block], Fraction(1, 10**9)).position.tolist() == pts
