"""The benchmark's own arithmetic and its page: without peers, without footage, without a clock."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench import __main__ as program
from bench.footage import Setting, covered, overlap, read_people
from bench.measure import BenchError, alternate, child, median, ratio, spread
from bench.parts import robust
from bench.parts.gate import often
from bench.parts.startup import found, time_to
from bench.parts.tools import lengthened, outside, timecodes, tracks_of
from bench.parts.tracker import prepare, thin
from bench.report import TARGET, Claim, Part, Table, claims_of, losses, merge, number, page, part_to_json

FACTS = {
    "date": "2026-01-02",
    "version": "0.1.0",
    "commit": "abc1234",
    "machine": {"cpu": "Made Up 3000", "cores": 2, "os": "Linux", "python": "3.11", "packages": {}, "decoders": {}},
    "quick": False,
}


def document(*claims: Claim, **more: Any) -> dict[str, Any]:
    part = Part("Motion gate", "About it.", 5, (Table(("clip", "s"), (("a|b.mp4", "1"),)),), claims, **more)
    return merge(None, {"gate": part_to_json(part, FACTS)}, ["gate"])


def test_a_figure_is_a_median_and_a_ratio_is_one_of_medians() -> None:
    assert median([9.0, 1.0, 2.0]) == 2.0
    assert median([1.0, 2.0]) == 1.5
    assert ratio([1.0, 2.0, 90.0], [4.0, 0.1, 4.0]) == 0.5
    assert spread([2.0, 3.0, 2.5]) == 1.5
    assert spread([]) == spread([0.0]) == 1.0
    with pytest.raises(BenchError, match="nothing was measured"):
        median([])
    with pytest.raises(BenchError, match="cannot compare"):
        ratio([1.0], [0.0])


def test_jobs_take_turns_and_each_is_first_in_turn() -> None:
    order: list[str] = []

    def job(name: str) -> int:
        order.append(name)
        return len(order)

    results = alternate(3, {name: lambda name=name: job(name) for name in "abc"})  # type: ignore[misc]
    assert "".join(order) == "abcbcacab"
    assert results == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_what_is_short_is_measured_more_often() -> None:
    assert [often(seconds) for seconds in (0.01, 0.25, 0.5, 1.0, 60.0)] == [5, 4, 2, 1, 1]


def test_a_child_is_measured_and_a_failing_one_is_told() -> None:
    done = child([sys.executable, "-S", "-c", "x = bytearray(90 << 20); print('said')"])
    assert done.out == "said\n"
    assert 90 < done.peak_mb < 200, "its own memory, not that of this process"
    assert done.cpu_s > 0
    assert done.wall_s > 0
    assert child([sys.executable, "-S", "-c", "raise SystemExit(3)"], statuses=(3,)).out == ""
    with pytest.raises(BenchError, match=r"ended with status 3: no such thing"):
        child([sys.executable, "-S", "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])


@pytest.mark.parametrize(
    ("value", "bound", "better", "strict", "met"),
    [
        (1.2, 1.25, "lower", False, True),
        (1.25, 1.25, "lower", False, True),
        (1.26, 1.25, "lower", False, False),
        (88, 89, "lower", True, True),
        (89, 89, "lower", True, False),
        (4.0, 4.0, "higher", False, True),
        (3.9, 4.0, "higher", False, False),
        (4.0, 4.0, "higher", True, False),
        (math.nan, 4.0, "higher", False, False),
        (math.nan, 4.0, "lower", False, False),
    ],
)
def test_when_a_claim_is_met(value: float, bound: float, better: Any, strict: bool, met: bool) -> None:
    assert Claim("what", value, bound, better, strict=strict).met is met


def test_every_loss_is_listed_and_nothing_else() -> None:
    peer = Claim("memory", 400.0, 120.0, "lower", " MiB", "DVR-Scan")
    missed = Claim("gate", 1.4, 1.25, "lower", " ×")
    never = Claim("half of the events", math.nan, 10.0, "lower", " s", "the scan in order")
    same = Claim("switches", 50, 50, "lower", "", "SORT", strict=True)
    won = [Claim("time", 1.0, 9.0, "lower", " s", "DVR-Scan"), Claim("HOTA", 1.2, 1.1, "higher", " ×")]
    made = document(peer, missed, won[0], never, same, won[1])
    assert [claim.what for _, claim in losses(made)] == ["gate", "memory", "half of the events", "switches"]
    text = page(made)
    lost = text[text.index("## Where vidreview loses") : text.index("## Motion gate")]
    assert "In 4 of the 6 comparisons" in lost
    assert lost.count("\n- ") == 4
    assert "- gate (gate): 1.40 ×, and the target is at most 1.25 ×" in lost
    assert "- memory (gate): 400 MiB, and DVR-Scan has 120 MiB" in lost
    assert "- half of the events (gate): not measured, and the scan in order has 10 s" in lost
    assert "- switches (gate): 50, and SORT has the same" in lost
    assert "time" not in lost


def test_the_page_without_losses_says_of_how_many_comparisons() -> None:
    assert "In none of the 1 comparisons on this page." in page(document(Claim("gate", 1.0, 1.25, "lower")))


def test_the_page_shows_targets_tables_commands_and_what_it_was_made_with() -> None:
    text = page(
        document(
            Claim("gate", 1.0, 1.25, "lower", " ×"),
            Claim("speed", 3.0, 4.0, "higher", " ×"),
            Claim("beside a peer", 1.0, 2.0, "lower", "", "SORT"),
            commands=("dvr-scan -i FILM",),
            notes=("A note.",),
            versions={"dvr-scan": "1.8.2.1"},
        )
    )
    assert "| gate | 1 × | at most 1.25 × | yes |" in text
    assert "| speed | 3 × | at least 4 × | **no** |" in text
    assert "| beside a peer |" not in text, "no target, so not among the targets"
    assert "| a\\|b.mp4 | 1 |" in text
    assert "```console\n$ dvr-scan -i FILM\n```" in text
    assert "- A note." in text
    assert "0.1.0 (abc1234), `--part gate`, 5 alternating runs; Made Up 3000, 2 cores" in text
    assert "dvr-scan 1.8.2.1." in text
    assert text.endswith(".\n")
    assert "\n\n\n" not in text
    widths = [row.count("|") for row in re.findall(r"^\|.*\|$", text.replace("\\|", ""), re.MULTILINE)]
    assert set(widths) == {5, 3}


def test_parts_that_did_not_run_are_kept_and_stand_in_their_order() -> None:
    order = ["gate", "scan"]
    old = merge(None, {"scan": {"title": "old scan"}, "gate": {"title": "old gate"}}, order)
    assert list(old["parts"]) == order
    new = merge(old, {"scan": {"title": "new scan"}}, order)
    assert [part["title"] for part in new["parts"].values()] == ["old gate", "new scan"]
    assert merge({"format": "another", "parts": {"gate": {}}}, {}, order)["parts"] == {}


def test_the_document_survives_json(tmp_path: Path) -> None:
    made = document(Claim("a", math.nan, 1.0, "lower"), Claim("b", 1.0, 2.0, "lower", strict=True), figures={"x": (1,)})
    stored = json.dumps(made, allow_nan=False)
    again = json.loads(stored)
    assert again == made
    first, second = claims_of(again["parts"]["gate"])
    assert math.isnan(first.value)
    assert second == Claim("b", 1.0, 2.0, "lower", strict=True)
    assert page(again) == page(made)


def test_numbers_have_three_digits_that_count() -> None:
    shown = {0.0: "0", 7.0: "7", 1.2345: "1.23", 0.051: "0.051", 12.34: "12.3", 1234.5: "1234", 0.5: "0.50"}
    assert {value: number(value) for value in shown} == shown
    assert number(math.nan) == "not measured"


def test_parts_are_written_one_by_one_and_a_failing_one_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(name: str, setting: Setting) -> dict[str, Any]:
        if name == "memory":
            raise BenchError("no room")
        assert (setting.runs, setting.quick) == (2, True)
        return part_to_json(Part(f"Part {name}", "About.", setting.runs), FACTS | {"quick": setting.quick})

    monkeypatch.setattr(program, "measure", measure)
    options = ["--runs", "2", "--quick", "--out", str(tmp_path / "out"), "--work", str(tmp_path)]
    assert program.main(["--part", "memory,gate", *options]) == 1
    assert "memory: no room; what was measured of it before is kept" in capsys.readouterr().err
    assert program.main(["--part", "robust", *options]) == 0
    stored = json.loads((tmp_path / "out" / "benchmarks.json").read_text(encoding="utf-8"))
    assert list(stored["parts"]) == ["gate", "robust"]
    text = (tmp_path / "out" / "benchmarks.md").read_text(encoding="utf-8")
    assert text.index("## Part gate") < text.index("## Part robust")
    assert "a quick run, whose figures mean little" in text
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"benchmarks.json", "benchmarks.md"}


@pytest.mark.parametrize("wrong", [["--part", "gates"], ["--part", ","], ["--runs", "0"], ["--runs", "many"]])
def test_what_was_typed_wrong_is_a_usage_error(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(wrong)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_timecodes_of_dvr_scan_are_motion_events() -> None:
    assert timecodes("00:00:02.800,00:00:11.600,01:02:03.000,01:02:04.500\n") == [
        {"class": "motion", "start_s": 2.8, "end_s": 11.6},
        {"class": "motion", "start_s": 3723.0, "end_s": 3724.5},
    ]
    assert timecodes("") == []


def test_each_track_of_ultralytics_is_one_event() -> None:
    box = [0.0, 0.0, 1.0, 2.0]
    events, people = tracks_of([(3, 1, "person", box), (9, 1, "person", box), (4, 2, "vehicle", box)], 0.5)
    assert events == [
        {"class": "person", "start_s": 1.5, "end_s": 4.5},
        {"class": "vehicle", "start_s": 2.0, "end_s": 2.0},
    ]
    assert people == {4: [box], 10: [box]}, "MOT counts frames from 1"


def test_a_stretch_is_lengthened_without_its_start() -> None:
    """Ten seconds of starting and 600 frames of 40 ms: 34 s; all 18000 frames take 10 + 720 s."""
    assert lengthened(34.0, 0.04, 600, 18000) == pytest.approx(730.0)
    assert lengthened(34.0, 0.04, 600, 600) == 34.0
    with pytest.raises(BenchError, match="too few"):
        lengthened(10.0, 0.0, 1, 100)


def test_stray_events_touch_no_true_event() -> None:
    truth = [{"start_s": 10.0, "end_s": 20.0}]
    spans = [(0.0, 9.9), (0.0, 10.0), (12.0, 13.0), (20.0, 30.0), (20.1, 30.0)]
    assert outside([{"start_s": a, "end_s": b} for a, b in spans], truth) == 2


def test_people_are_covered_when_boxes_lie_on_them_half_of_the_time(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    rows = ["1,7,0,0,10,20,1", "2,7,0,0,10,20,1", "1,8,50,0,10,20,1", "2,8,50,0,10,20,1", "3,8,50,0,10,20,1"]
    path.write_text("\n".join([*rows, "1,9,90,0,10,20,0"]), encoding="ascii")
    people = read_people(path)
    assert {person: sorted(frames) for person, frames in people.items()} == {7: [1, 2], 8: [1, 2, 3]}
    assert people[8][3] == (50.0, 0.0, 60.0, 20.0)
    assert covered(people, {1: [(0, 0, 10, 20), (50, 0, 60, 20)]}) == 1
    assert covered(people, {1: [(0, 0, 10, 20), (50, 0, 60, 20)], 2: [(51, 0, 61, 20)]}) == 2
    assert covered(people, {}) == 0
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_the_curve_tells_when_so_many_were_known() -> None:
    curve = [(0.0, 0, 0), (1.0, 2, 1), (2.0, 5, 3), (3.0, 5, 3)]
    assert [time_to(curve, count) for count in (1, 2, 3)] == [1.0, 2.0, 2.0]
    assert math.isnan(time_to(curve, 4))


@pytest.mark.parametrize(
    ("kind", "span", "hit"),
    [
        ("person", (10, 20), 1),
        ("motion", (14, 16), 1),
        ("vehicle", (10, 20), 0),
        ("person", (15, 30), 1),
        ("person", (15.1, 30), 0),
    ],
)
def test_a_true_event_is_found_by_the_rule_of_the_scorer(kind: str, span: Sequence[float], hit: int) -> None:
    event = {"class": kind, "start_s": span[0], "end_s": span[1]}
    assert found([event], [{"class": "person", "start_s": 10.0, "end_s": 20.0}]) == hit


def test_thinned_text_keeps_every_so_manieth_frame_and_counts_anew() -> None:
    text = "".join(f"{frame},-1,{frame}.5,2\n" for frame in (1, 1, 2, 3, 4, 5, 9)) + "\n"
    assert thin(text, 4) == "1,-1,1.5,2\n1,-1,1.5,2\n2,-1,5.5,2\n3,-1,9.5,2\n"
    assert thin(text, 1) == text.rstrip("\n") + "\n"


def test_thinned_sequences_say_their_own_rate_and_length(tmp_path: Path) -> None:
    folder = tmp_path / "shared" / "mot" / "SEQ"
    folder.mkdir(parents=True)
    for name in ("det.txt", "gt.txt"):
        (folder / name).write_text("".join(f"{frame},1,0,0,5,5,1\n" for frame in range(1, 10)), encoding="ascii")
    ini = "[Sequence]\nname=SEQ\nframeRate=7\nseqLength=9\nimExt=.jpg\n"
    (folder / "seqinfo.ini").write_text(ini, encoding="utf-8")
    sequences, frames = prepare(Setting(tmp_path / "shared", tmp_path / "work", 1), 4)
    assert frames == 3
    made = (sequences / "SEQ" / "seqinfo.ini").read_text(encoding="utf-8")
    assert made == ini.replace("=7", "=1.75").replace("=9", "=3") + "\n"
    truth = sequences.parent / "truth" / "MOT15-train" / "SEQ"
    assert (truth / "gt" / "gt.txt").read_text(encoding="ascii").count("\n") == 3
    assert (truth / "seqinfo.ini").read_text(encoding="utf-8") == made
    with pytest.raises(BenchError, match="no sequences"):
        prepare(Setting(tmp_path, tmp_path / "work", 1), 1)


def test_disturbances_are_reported_when_there_are_any(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    setting = Setting(tmp_path, tmp_path, 1)
    monkeypatch.setattr(robust, "MODULE", "tests.no_such_scenes")
    assert robust.measure(setting).tables == ()
    scenes: Any = ModuleType("tests.made_scenes")
    scenes.report = lambda: [
        {"scene": "rain", "false_share": 0.125, "recall": 1.0},
        {"scene": "leaves", "false_share": 0.5, "recall": 0.9},
        {"scene": "clock", "false_share": 0.0, "recall": None},
    ]
    monkeypatch.setitem(sys.modules, "tests.made_scenes", scenes)
    monkeypatch.setattr(robust, "MODULE", "tests.made_scenes")
    part = robust.measure(setting)
    assert part.tables[0].rows == (
        ("rain", "12.5 %", "100 %"),
        ("leaves", "50.0 %", "90 %"),
        ("clock", "0.0 %", "-"),
    )
    assert [(claim.met, claim.against) for claim in part.claims] == [(True, TARGET), (False, TARGET)]
