"""Scoring: by the rule, exactly, with the reason for every miss; truth files that make no sense are refused."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from vidreview.errors import UsageError
from vidreview.model import Detections, Pixels
from vidreview.settings import ScanSettings
from vidreview.validate import (
    ClipResult,
    Gates,
    Score,
    Seen,
    TrueEvent,
    Validation,
    interval,
    load_truth,
    score,
    unread_score,
)

from .conftest import Result

PERSON = TrueEvent("person", 10.0, 20.0)


@pytest.mark.parametrize(
    ("seen", "found", "recognised"),
    [
        (Seen("person", 10, 20), 1, 1),
        (Seen("motion", 10, 20), 1, 0),
        (Seen("vehicle", 10, 20), 0, 0),
        (Seen("person", 12, 13), 1, 1),  # short, but it lies within the true event
        (Seen("person", 15, 30), 1, 1),  # five of ten seconds: exactly half
        (Seen("person", 15.1, 30), 0, 0),
        (Seen("person", 0, 14.9), 0, 0),
        (Seen("person", 12, 12), 0, 0),  # one frame has no length; half of 0.1 s is asked for
        (Seen("person", 12, 12.05), 1, 1),
    ],
)
def test_found_and_recognised(seen: Seen, found: int, recognised: int) -> None:
    result = score([seen], [PERSON])
    assert (result.true, result.found, result.recognised) == (1, found, recognised)
    assert len(result.misses) == 1 - found


@pytest.mark.parametrize(
    ("events", "dropped", "why"),
    [
        ([], [], "nothing was seen at that time"),
        ([Seen("person", 30, 40)], [], "nothing was seen at that time"),
        ([Seen("vehicle", 9, 21)], [], "seen as vehicle only"),
        ([Seen("motion", 5, 12)], [], "only 2.0 s of overlap with a motion event"),
        (
            [],
            [Seen("person", 11, 12, "shorter than min_track_s")],
            "a person track was dropped: shorter than min_track_s",
        ),
        ([], [Seen("person", 31, 32, "short")], "nothing was seen at that time"),
    ],
)
def test_a_miss_says_what_was_seen(events: list[Seen], dropped: list[Seen], why: str) -> None:
    (miss,) = score(events, [PERSON], dropped=dropped).misses
    assert miss.why == why
    assert miss.true == PERSON


def test_false_seconds_lie_outside_every_widened_true_event_and_motion_is_apart() -> None:
    truth = [PERSON, TrueEvent("person", 23.0, 24.0)]
    result = score([Seen("person", 0, 30), Seen("motion", 25, 35), Seen("vehicle", 10, 20)], truth, footage_s=1800)
    # 8 to 26 is one widened span: what two overlap is not counted twice
    assert result.false_s == pytest.approx(8 + 4)
    assert result.motion_false_s == pytest.approx(9)
    assert result.per_hour(result.false_s) == pytest.approx(24)


def test_start_error_is_that_of_the_nearest_event_and_keeps_its_sign() -> None:
    result = score([Seen("motion", 9.7, 14), Seen("person", 10.5, 20)], [PERSON])
    assert result.start_errors_s == pytest.approx((-0.3,))
    assert result.worst_start_error_s == pytest.approx(0.3)
    assert score([], [PERSON]).worst_start_error_s is None


def test_no_truth_no_recall() -> None:
    result = score([Seen("person", 1, 3)], [], footage_s=0)
    assert result.recall is None
    assert interval(0, 0) is None
    assert result.false_s == pytest.approx(2)
    assert result.per_hour(result.false_s) is None


def test_the_interval_is_clopper_and_pearsons() -> None:
    low, high = interval(10, 11) or (math.nan, math.nan)
    assert (low, high) == pytest.approx((0.5872, 0.9977), abs=1e-4)  # R: binom.test(10, 11)
    assert interval(11, 11) == pytest.approx((0.7151, 1.0), abs=1e-4)
    assert interval(0, 7) == pytest.approx((0.0, 0.4096), abs=1e-4)


@given(st.integers(1, 60), st.data())
def test_the_interval_is_made_of_beta_quantiles(true: int, data: st.DataObject) -> None:
    found = data.draw(st.integers(0, true))
    low, high = interval(found, true) or (math.nan, math.nan)
    assert low == pytest.approx(beta.ppf(0.025, found, true - found + 1) if found else 0.0, abs=1e-9)
    assert high == pytest.approx(beta.ppf(0.975, found + 1, true - found) if found < true else 1.0, abs=1e-9)


ticks = st.integers(0, 400).map(lambda t: t / 10)
spans = st.tuples(ticks, ticks).map(sorted)
seen_lists = st.lists(
    st.builds(lambda c, s: Seen(c, *s), st.sampled_from(["person", "vehicle", "motion"]), spans), max_size=6
)
truths = st.lists(st.builds(lambda c, s: TrueEvent(c, *s), st.sampled_from(["person", "vehicle"]), spans), max_size=5)


@given(seen_lists, truths)
def test_properties(events: list[Seen], truth: list[TrueEvent]) -> None:
    result = score(events, truth)
    assert 0 <= result.recognised <= result.found <= result.true == len(truth)
    assert result.found + len(result.misses) == result.true
    assert len(result.start_errors_s) == result.found
    length = sum(e.end_s - e.start_s for e in events if e.event_class != "motion")
    assert -1e-9 <= result.false_s <= length + 1e-9
    # more events never find less, and never make fewer false seconds
    more = score([*events, Seen("motion", 0, 40)], truth)
    assert more.found >= result.found
    assert more.motion_false_s >= result.motion_false_s
    # second by tenth of a second, without arithmetic on spans
    outside = sum(
        0.1
        for e in events
        if e.event_class != "motion"
        for k in range(round(e.start_s * 10), round(e.end_s * 10))
        if not any(t.start_s - 2 <= (k + 0.5) / 10 <= t.end_s + 2 for t in truth)
    )
    assert result.false_s == pytest.approx(outside, abs=1e-6)


def test_scores_add_up() -> None:
    first = score([Seen("person", 10, 20)], [PERSON], footage_s=60)
    second = score([Seen("vehicle", 40, 50)], [PERSON], footage_s=30)
    total = first + second + unread_score([PERSON])
    assert (total.true, total.found, total.recognised, total.events) == (3, 1, 1, 2)
    assert total.footage_s == 90
    assert total.false_s == pytest.approx(10)
    assert [m.why for m in total.misses] == ["nothing was seen at that time", "the clip could not be read"]


def test_gates() -> None:
    fine = score([Seen("person", 10, 20)], [PERSON], footage_s=3600)
    assert Gates(min_recall=1.0, max_false=0).failures(fine) == []
    assert Gates().failures(Score()) == []
    poor = score([Seen("person", 40, 50)], [PERSON], footage_s=1800)
    recall, false = Gates(min_recall=0.9, max_false=10).failures(poor)
    assert recall == "--min-recall 0.9: found 0 of 1 (0.000)"
    assert false.startswith("--max-false 10: 20.0 false seconds")
    assert len(Gates(min_recall=0.0, max_false=10).failures(Score())) == 2, "what cannot be judged does not pass"


def test_damage_that_is_announced_is_no_news_and_silence_about_it_is() -> None:
    broken = ClipResult("a", Score(), problems=("truncated",))
    announced = ClipResult("b", Score(), problems=("truncated",), problems_expected=True)
    silent = ClipResult("c", Score(), problems_expected=True)
    validation = Validation((broken, announced, silent))
    assert [clip.name for clip in validation.unread] == ["a"]
    assert [clip.name for clip in validation.untold] == ["c"]


@pytest.mark.footage
@pytest.mark.parametrize("shift", [-6.0, -0.4, 0.0, 2.5])
def test_the_shared_scorer_says_the_same(shared: Path, tmp_path: Path, shift: float) -> None:
    clips = load_truth(shared / "footage" / "truth.json").clips
    for clip in clips:
        if (
            clip.events is None or clip.name == "car-detection.mp4"
        ):  # its truth's margins overlap; the tool counts those twice
            continue
        events = [Seen("motion" if k % 3 == 2 else t.event_class, max(0, t.start_s + shift), t.end_s + 2 * shift + 9)
                  for k, t in enumerate(clip.events)]  # fmt: skip
        listed = [{"class": e.event_class, "start_s": e.start_s, "end_s": e.end_s} for e in events]
        (tmp_path / "events.json").write_text(json.dumps(listed))
        command = [
            shared / "tools" / "score_events.py",
            tmp_path / "events.json",
            shared / "footage" / "truth.json",
            clip.name,
        ]
        done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, check=False)
        theirs = json.loads(done.stdout)
        ours = score(events, clip.events)
        assert (ours.true, ours.found, ours.recognised) == (theirs["true"], theirs["found"], theirs["recognised"])
        assert len(ours.misses) == len(theirs["missed"])
        assert abs(ours.worst_start_error_s or 0.0) == pytest.approx(theirs["worst_start_error_s"], abs=0.006)
        union_matters = any(b.start_s - a.end_s < 4 for a, b in zip(clip.events, clip.events[1:], strict=False))
        if not union_matters:
            assert ours.false_s == pytest.approx(theirs["false_s"], abs=0.06)
            assert ours.motion_false_s == pytest.approx(theirs["motion_false_s"], abs=0.06)
        else:
            assert ours.false_s >= theirs["false_s"] - 0.06


@pytest.mark.footage
def test_the_shared_truth_is_read(footage: Path) -> None:
    truth = load_truth(footage / "truth.json")
    counts = {clip.name: None if clip.events is None else len(clip.events) for clip in truth.clips}
    assert counts == {
        "one-by-one-person-detection.mp4": 6,
        "car-detection.mp4": 4,
        "ir_animal_4k.mp4": 0,
        "porch_vfr.mkv": 1,
        "pets09_s2l1.mp4": None,
    }
    assert truth.find("porch_vfr.mkv") == footage / "clips" / "porch_vfr.mkv"
    assert truth.find("porch_vfr.mkv", [footage]) is None


EVENT = {"class": "person", "start_s": 1, "end_s": 2}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "cannot read truth"),
        ("{", "cannot read truth"),
        ("[" * 100_000, "cannot read truth"),
        ("[]", "an object of clips, not a list"),
        ("{}", "nothing to score"),
        ('{"about": "x"}', "nothing to score"),
        ('{"a.mp4": {"mot_truth": "gt.txt"}}', "nothing to score"),
        ('{"events": []}', "below its clip's name"),
        ('{"a.mp4": {"events": []}, "a.mp4": {"events": []}}', "stands in it twice"),
        ('{"a.mp4": {"events": {}}}', '"events" must be a list'),
        ('{"a.mp4": {"events": [3]}}', "event 1 must be an object"),
        ('{"../a.mp4": {"events": []}}', "not a clip's file name"),
        ('{"/a.mp4": {"events": []}}', "not a clip's file name"),
        ('{"a.mp4": {"events": [], "partly_readable": "yes"}}', "partly_readable must be true or false"),
    ],
)
def test_a_malformed_truth_file_is_refused_in_one_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        load_truth(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"class": "dog"}, "class must be one of person, vehicle, motion, not 'dog'"),
        ({"class": ["person"]}, "class must be one of"),
        ({"class": None}, "class must be one of"),
        ({"start_s": "1"}, "start_s must be seconds"),
        ({"start_s": True}, "start_s must be seconds"),
        ({"end_s": math.nan}, "end_s must be seconds"),
        ({"end_s": math.inf}, "end_s must be seconds"),
        ({"start_s": 3}, "0 <= start_s <= end_s"),
        ({"start_s": -1}, "0 <= start_s <= end_s"),
    ],
)
def test_a_malformed_event_is_named(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"a.mp4": {"events": [EVENT, EVENT | change]}}))
    with pytest.raises(UsageError) as caught:
        load_truth(path)
    assert f"{path}: a.mp4: event 2" in str(caught.value)
    assert says in str(caught.value)


def test_a_truth_file_that_is_not_there_or_not_text(tmp_path: Path, cli: Callable[..., Result]) -> None:
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none.json", tmp_path / "bytes.json", tmp_path):
        with pytest.raises(UsageError, match="cannot read truth"):
            load_truth(path)
        done = cli("validate", path)
        assert done.status == 2
        assert done.out == ""
        assert "Traceback" not in done.err


class Finder:
    """Calls what is bright a person: all these tests need of a detector, and no weights."""

    name = "finder"
    sha256 = "0" * 64
    runtime = "test"

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """One result a picture."""
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Pixels) -> Detections:
        rows, columns = np.nonzero(picture[..., 1] > 180)
        if len(rows) < 200:
            return Detections.none()
        box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
        return Detections(box, np.array([0.9], np.float32), np.array([0], np.int16))


def _film(path: Path) -> None:
    """Twelve seconds at 10 frames/s of a grey place; a bright upright thing crosses it from second 4 to 8."""
    rng = np.random.default_rng(7)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "20", "g": "20"}
        for k in range(120):
            picture = np.full((240, 320, 3), 90, np.int16) + rng.integers(-2, 3, (240, 320, 1))
            if 40 <= k < 80:
                left = (k - 40) * 7
                picture[80:200, left : left + 40] = 220
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="bgr24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    _film(folder / "crossing.mp4")
    (folder / "text.mp4").write_text("no video")
    return folder


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Finder:
    found = Finder()
    monkeypatch.setattr("vidreview.detect.factory.load_detector", lambda model, settings: found)
    return found


def _truth(folder: Path, entries: dict[str, Any]) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps({"about": "made here"} | entries), encoding="utf-8")
    return path


CROSSING = {"events": [{"class": "person", "start_s": 4.0, "end_s": 7.9}]}


def test_clips_are_scanned_and_scored(films: Path, tmp_path: Path, finder: Finder, cli: Callable[..., Result]) -> None:
    truth = _truth(tmp_path, {"crossing.mp4": CROSSING, "walk.mp4": {"mot_truth": "gt.txt"}})
    done = cli("validate", truth, "--clips", films, "--min-recall", "1", "--max-false", "0", "-q")
    assert (done.status, done.err) == (0, "")
    assert "events recall: 1 of 1 (100.0 %, 95 % interval 2.5–100.0 %)" in done.out
    assert "walk.mp4: no event truth: skipped" in done.out
    assert not list(tmp_path.glob("*/case.db")), "the temporary case is gone"


def test_json_says_the_same_and_names_the_method(
    films: Path, tmp_path: Path, finder: Finder, cli: Callable[..., Result]
) -> None:
    truth = _truth(tmp_path, {"crossing.mp4": CROSSING})
    case = tmp_path / "kept"
    done = cli("validate", truth, "--clips", films, "--case", case, "--json", "-q")
    assert done.status == 0
    said = json.loads(done.out)
    assert said["total"]["found"] == said["total"]["recognised"] == said["total"]["true"] == 1
    assert said["total"]["recall_interval_95"] == pytest.approx([0.025, 1.0])
    assert said["total"]["false_s"] == 0
    assert said["total"]["footage_s"] == pytest.approx(12.0, abs=0.2)
    assert said["total"]["worst_start_error_s"] <= 0.5
    assert said["method"]["model_sha256"] == finder.sha256
    assert said["method"]["settings_sha256"] == ScanSettings().sha256()
    assert (case / "case.db").is_file()
    again = cli("validate", truth, "--clips", films, "--case", case, "-q")
    assert again.status == 2
    assert "holds a case already" in again.err


def test_a_name_that_is_a_pattern_is_that_clip_only(
    films: Path, tmp_path: Path, finder: Finder, cli: Callable[..., Result]
) -> None:
    for name in ("cam*.mp4", "cam1.mp4"):
        shutil.copy(films / "crossing.mp4", tmp_path / name)
    truth = _truth(tmp_path, {"cam*.mp4": CROSSING, "cam1.mp4": CROSSING})
    said = json.loads(cli("validate", truth, "--json", "-q").out)
    assert [clip["score"]["events"] for clip in said["clips"]] == [1, 1]
    assert [clip["score"]["footage_s"] for clip in said["clips"]] == pytest.approx([12.0, 12.0], abs=0.2)


def test_gates_that_are_not_met_are_named(
    films: Path, tmp_path: Path, finder: Finder, cli: Callable[..., Result]
) -> None:
    entries = {"crossing.mp4": {"events": [{"class": "vehicle", "start_s": 0.0, "end_s": 1.0}]}}
    done = cli(
        "validate", _truth(tmp_path, entries), "--clips", films, "--min-recall", "0.5", "--max-false", "60", "-q"
    )
    assert done.status == 1
    recall, false = done.err.splitlines()
    assert recall == "vidreview: not met: --min-recall 0.5: found 0 of 1 (0.000)"
    assert false.startswith("vidreview: not met: --max-false 60: ")
    assert "missed vehicle 00:00:00.000 to 00:00:01.000: nothing was seen at that time" in done.out


def test_what_cannot_be_read_is_missed_and_listed(
    films: Path, tmp_path: Path, finder: Finder, cli: Callable[..., Result]
) -> None:
    truth = _truth(tmp_path, {"crossing.mp4": CROSSING, "text.mp4": CROSSING, "gone.mp4": CROSSING})
    done = cli("validate", truth, "--clips", films, "-q")
    assert done.status == 3
    assert "events recall: 1 of 3" in done.out
    assert "text.mp4: not fully read: plain text, not a video" in done.out
    assert "gone.mp4: not fully read: the clip is not there" in done.out
    assert done.out.count("the clip could not be read") == 2
    assert cli("validate", truth, "--clips", films, "-q", "--min-recall", "0.9").status == 1


def test_damage_on_purpose_must_be_reported(
    films: Path, tmp_path: Path, finder: Finder, cli: Callable[..., Result]
) -> None:
    whole = _truth(tmp_path, {"crossing.mp4": CROSSING | {"partly_readable": True}})
    done = cli("validate", whole, "--clips", films, "-q")
    assert done.status == 1
    assert "is said to be only partly readable, but the scan reported nothing" in done.err


def test_no_clip_at_all(films: Path, tmp_path: Path, finder: Finder, cli: Callable[..., Result]) -> None:
    done = cli("validate", _truth(tmp_path, {"gone.mp4": CROSSING}), "-q")
    assert (done.status, done.out) == (2, "")
    assert "--clips" in done.err


@pytest.mark.model
@pytest.mark.slow
def test_the_sample_footage_is_the_regression_guard(model_path: Path, cli: Callable[..., Result]) -> None:
    """Everything in the rendered street is found and recognised, within half a second, and nothing else is raised."""
    samples = Path(__file__).resolve().parent.parent / "sample_data"
    done = cli(
        "validate",
        samples / "truth.json",
        "--model",
        model_path,
        "--min-recall",
        "1",
        "--max-false",
        "0",
        "--json",
        "-q",
    )
    assert done.status == 0, done.err
    total = json.loads(done.out)["total"]
    assert total["found"] == total["recognised"] == total["true"] == 15
    assert total["worst_start_error_s"] <= 0.5
    assert total["motion_false_s"] == 0
