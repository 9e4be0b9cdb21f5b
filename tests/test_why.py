"""Any instant can be explained (rule E3): gate, detections below the threshold too, tracks, and what dropped them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Result
from tests.films import RedDetector, film
from tests.test_pipeline import run
from vidreview.errors import CaseError
from vidreview.index.watched import BLOCK, REASONS, WatchedFrame, pack, unpack
from vidreview.model import Detections, Pixels

Cli = Callable[..., Result]


class Unsure(RedDetector):
    """Calls the red box a person, and faintly a car."""

    def _one(self, bgr: Pixels) -> Detections:
        found = super()._one(bgr)
        if not len(found):
            return found
        scores = np.array([0.6, 0.15], np.float32)
        return Detections(np.repeat(found.boxes, 2, axis=0), scores, np.array([0, 2], np.int16))


class Parked(RedDetector):
    """Sees a car that stands at one place from first to last."""

    def _one(self, bgr: Pixels) -> Detections:
        box = np.array([[100, 80, 180, 130]], np.float32)
        return Detections(box, np.array([0.8], np.float32), np.array([2], np.int16))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds in which the box crosses from 3 s to 7 s, and a case of it."""
    folder = tmp_path_factory.mktemp("why")
    visit = film(folder / "films" / "visit.mp4", 100, [(30, 70)])
    run([visit], folder / "case", Unsure())
    return folder / "case"


def why(cli: Cli, case: Path, time: str, *more: str) -> dict[str, Any]:
    result = cli("why", "visit.mp4", time, "--case", case, "--json", *more)
    assert result.status == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def test_an_instant_in_which_something_moves(case: Path, cli: Cli) -> None:
    """Rule E3."""
    found = why(cli, case, "5.03")
    assert (found["frame"]["number"], found["frame"]["start_s"], found["frame"]["next_s"]) == (50, 5.0, 5.1)
    assert found["gate"]["reason"] == "motion"
    assert found["gate"]["level"] > 0.01
    assert found["gate"]["strength"] > 4.5, "above the threshold, in multiples of the noise"
    (track,) = found["tracks"]
    assert (track["label"], track["event"], track["dropped"]) == ("person", "E0001", None)
    x = 320 * (5.0 - 3.0) / 4.0
    assert track["box"][0] - 30 < x < track["box"][2] + 30
    before, after = found["looks"]
    assert before["at_s"] <= 5.03 < after["at_s"]
    strong, weak = before["detections"]
    assert (strong["label"], strong["starts_a_track"]) == ("person", True)
    assert (weak["label"], weak["score"], weak["starts_a_track"]) == ("car", 0.15, False), "below the threshold, shown"


def test_an_instant_in_which_nothing_moves(case: Path, cli: Cli) -> None:
    """Rule E3: that nothing was found is explained as well."""
    found = why(cli, case, "00:00:09")
    assert (found["gate"]["reason"], found["gate"]["blobs"], found["tracks"]) == ("still", 0, [])
    shown = cli("why", "visit.mp4", "9", "--case", case).out
    assert "still: nothing moved beyond the noise" in shown
    assert "none at this instant" in shown
    assert "starts no track" in cli("why", "visit.mp4", "5", "--case", case).out
    assert why(cli, case, "0")["gate"]["reason"] == "learning"


def test_a_track_that_was_dropped_is_shown_with_the_rule(cli: Cli, tmp_path: Path) -> None:
    """Rule E4, too: what stands still throughout is no event, and is not hidden either."""
    from vidreview.pipeline import scan
    from vidreview.settings import ScanSettings

    quiet = film(tmp_path / "films" / "visit.mp4", 100, [])
    scan([quiet], tmp_path / "case", ScanSettings(idle_every_s=2.0), detector=Parked())
    (track,) = why(cli, tmp_path / "case", "5")["tracks"]
    assert (track["label"], track["event"], track["dropped"]) == ("car", None, "stands still throughout")
    assert "not in an event: stands still throughout" in cli("why", "visit.mp4", "5", "--case", tmp_path / "case").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nothing.mp4", "1"), "no stream of 'nothing.mp4' was scanned"),
        (("visit.mp4", "10.2"), "is 10.000 s long"),
        (("visit.mp4", "1", "--stream", "3"), "no stream of 'visit.mp4' was scanned"),
        (("visit.mp4", "soon"), "cannot read 'soon' as a time"),
    ],
)
def test_what_cannot_be_asked_is_said(case: Path, cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    result = cli("why", *arguments, "--case", case)
    assert result.status == 2
    assert said in result.err


def test_every_presented_frame_is_there(case: Path) -> None:
    from contextlib import closing
    from sqlite3 import connect

    with closing(connect(case / "case.db")) as db:
        (row,) = db.execute("SELECT first, first_s, last_s, frames FROM watched").fetchall()
    frames = unpack(row[3])
    assert (row[0], row[1], row[2], len(frames)) == (0, 0.0, 9.9, 100)
    assert [f.pts for f in frames] == [1024 * k for k in range(100)]
    assert sum(f.looked for f in frames) >= 3


frames_of = st.lists(
    st.builds(
        WatchedFrame,
        st.integers(-(2**40), 2**40),
        st.integers(0, 10**12).map(lambda us: us / 1e6),
        st.integers(0, 65535).map(lambda level: level / 65535),
        st.integers(0, 65535).map(lambda strength: strength / 100),
        st.sampled_from(REASONS),
        st.integers(0, 255),
        st.booleans(),
    ),
    max_size=50,
)


@given(frames_of)
def test_frames_come_back_as_they_were(frames: list[WatchedFrame]) -> None:
    assert unpack(pack(frames)) == frames


def test_a_quiet_night_costs_little() -> None:
    still = [WatchedFrame(k * 512, k * 0.04, 0.0, 0.0, "still", 0, False) for k in range(BLOCK)]
    assert len(pack(still)) < 400


@given(frames_of, st.data())
def test_damage_is_an_error_and_no_traceback(frames: list[WatchedFrame], data: st.DataObject) -> None:
    blob = bytearray(pack(frames))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        unpack(bytes(blob))
    except CaseError as error:
        assert "verify" in str(error)
