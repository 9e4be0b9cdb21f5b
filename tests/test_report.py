"""The report's folder: what is in it, that it is what the film shows, and what becomes of it when things go wrong."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT, Result
from tests.films import HEIGHT, WIDTH, box_at, film
from tests.reports import value_of
from tests.test_pipeline import run
from vidreview.audit import AuditLog
from vidreview.derive import Batch
from vidreview.errors import CaseError
from vidreview.index import EventQuery, Reader
from vidreview.report import Built, Options, Wanted, build
from vidreview.verify import verify

Cli = Callable[..., Result]
HOSTILE = '"><img src=x onerror=alert(1)>.mp4'


class Quiet:
    """An observer that counts."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.total = self.done = 0
        self.stop_after = stop_after

    def begin(self, total: int) -> None:
        self.total = total

    def advance(self, count: int) -> None:
        self.done += count
        if self.stop_after is not None and self.done >= self.stop_after:
            raise KeyboardInterrupt


def make(case: Path, observer: Quiet | None = None, source: Path | None = None, **options: Any) -> tuple[Built, int]:
    """Make a report of all events; what it is, and the exit status."""
    batch = Batch(case, AuditLog(case / "audit.jsonl"), source, lambda _: None)
    with Reader.open(case) as reader:
        wanted = Wanted(reader.events(EventQuery()), (), "vidreview report", "2026-03-16T09:30:00.000Z")
        built = build(reader, wanted, Options(**options), batch, observer or Quiet())
    return built, batch.status


def data(case: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What the page reads."""
    found = []
    for name in ("case", "events"):
        text = (case / "report" / "data" / f"{name}.js").read_text(encoding="utf-8")
        found.append(value_of(text))
    return found[0], found[1]


def picture(case: Path, path: str) -> Any:
    """A picture of the report, as it is stored."""
    read = cv2.imread(str(case / "report" / path), cv2.IMREAD_UNCHANGED)
    assert read is not None, path
    return read


def red(image: Any) -> Any:
    """Where the box is: pixels that are red."""
    return (image[..., 2].astype(int) > 150) & (image[..., 1] < 110) & (image[..., 0] < 110)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films: two visits in one, one in the other, whose name is hostile."""
    folder = tmp_path_factory.mktemp("evidence")
    film(folder / "a.mp4", 120, [(20, 50), (70, 100)])
    film(folder / HOSTILE, 60, [(20, 50)], seed=5)
    return folder


@pytest.fixture(scope="module")
def scanned(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their case, which tests copy."""
    case = tmp_path_factory.mktemp("scanned") / "case"
    run([films], case, record={"argv": ["vidreview", "scan"], "reference": "NMC/1"})
    return case


@pytest.fixture
def case(scanned: Path, tmp_path: Path) -> Path:
    """A case of one's own."""
    return Path(shutil.copytree(scanned, tmp_path / "case"))


def test_the_folder_holds_what_its_data_name_and_no_more(case: Path) -> None:
    """Every path in the data is a file of the report; every file is in the manifest with its hash; verify agrees."""
    built, status = make(case)
    facts, events = data(case)
    assert (status, built.events, len(events), facts["report"]["events_in_report"]) == (0, 3, 3, 3)
    folder = case / "report"
    for event in events:
        assert event["missing"] is None
        named = [event["still"]["src"], event["still"]["evidence"], event["thumb"], event["strip"]["src"]]
        for path in (*named, event["copy"]["src"]):
            assert (folder / path).is_file(), path
        copy = folder / event["copy"]["src"]
        assert hashlib.sha256(copy.read_bytes()).hexdigest() == event["copy"]["sha256"]
        assert event["copy"]["start_s"] <= event["start_s"] <= event["end_s"] <= event["copy"]["end_s"]
        still = folder / event["still"]["evidence"]
        assert hashlib.sha256(still.read_bytes()).hexdigest() == event["still"]["sha256"]
    manifest = json.loads((folder / "report.json").read_text())
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"report.json"}
    assert set(manifest["files"]) == there
    verdict = verify(case)
    assert verdict.exit_status == 0
    assert verdict.checked["derived"] == len(there) + 1
    assert not (case / "report.part").exists()


def test_pictures_show_the_box_where_and_when_it_was(case: Path) -> None:
    """Each frame of the strip is the one of its time: the box stands where the film has it, after the crop."""
    make(case, clips=False)
    _, events = data(case)
    event = next(event for event in events if event["exhibit"] == "a.mp4")
    strip = event["strip"]
    assert (strip["times"][0], strip["times"][-1]) == (event["start_s"], event["end_s"])
    assert len(strip["times"]) == 8
    sheet = picture(case, strip["src"])
    assert sheet.shape[1] == 8 * strip["w"]
    x, y, across, _ = strip["crop"]
    seen = 0
    for k, seconds in enumerate(strip["times"]):
        found = np.argwhere(red(sheet[:, k * strip["w"] : (k + 1) * strip["w"]]))
        box = box_at(round(seconds * 10), 20, 50)
        if box is None or box[2] - box[0] < 16:
            continue
        seen += 1
        scale = across / strip["w"]
        centre = found.mean(axis=0) * scale + (y, x)
        assert centre == pytest.approx(((box[1] + box[3]) / 2, (box[0] + box[2]) / 2), abs=5), seconds
    assert seen >= 5
    for path in (event["still"]["src"], event["thumb"]):
        assert red(picture(case, path)).sum() > 100
    assert event["still"]["evidence"] is None, "asked for without clips"


def test_the_background_is_a_quiet_frame_of_the_film(case: Path, films: Path) -> None:
    """Rule D4: the background is one of the stream's own frames, to the compression, and nothing is in it."""
    make(case, clips=False)
    facts, _ = data(case)
    stream = next(s for s in facts["streams"] if facts["exhibits"][s["exhibit"]]["name"] == "a.mp4")
    background = picture(case, stream["background"])
    assert background.shape == (HEIGHT, WIDTH, 3)
    assert not red(background).any()
    reader = cv2.VideoCapture(str(films / "a.mp4"))
    reader.set(cv2.CAP_PROP_POS_FRAMES, round(stream["background_s"] * 10))
    _, frame = reader.read()
    assert np.abs(frame.astype(int) - background).mean() < 3


def test_the_heat_map_is_where_the_box_went(case: Path) -> None:
    """The box crosses at rows 60 to 120: there the map has colour, and nowhere far from it."""
    make(case, clips=False)
    facts, _ = data(case)
    stream = facts["streams"][0]
    heat = picture(case, stream["heat"])
    assert heat.shape == (HEIGHT, WIDTH, 4)
    alpha = heat[..., 3]
    assert alpha[75:105, 40:280].min() > 0
    assert alpha[:40].max() == 0
    assert alpha[150:].max() == 0
    seconds = [one["s"] for one in stream["heat_scale"]]
    assert seconds == sorted(seconds)
    assert f"{seconds[-1]:.1f} s" in stream["heat_words"]


def test_made_again_it_keeps_what_has_not_changed(case: Path) -> None:
    """Media of unchanged events is used again; a file that somebody altered is made anew."""
    make(case, clips=False)
    before = {path.name: path.stat().st_ino for path in (case / "report" / "view").iterdir()}
    built, _ = make(case, clips=False)
    assert (built.made, built.reused) == (0, 3)
    after = {path.name: path.stat().st_ino for path in (case / "report" / "view").iterdir()}
    kept = [name for name in before if "heat" not in name]
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}
    (case / "report" / "view" / "E0002_VIEW.jpg").write_bytes(b"altered")
    built, _ = make(case, clips=False)
    assert (built.made, built.reused) == (1, 2)
    assert red(picture(case, "view/E0002_VIEW.jpg")).any()
    assert verify(case).exit_status == 0


def test_clips_that_the_case_has_are_used_again(case: Path, cli: Cli) -> None:
    """A clip and a still whose records and hashes fit go into the report; one that was altered does not."""
    assert cli("clip", "--all", "--case", case, "-q").status == 0
    assert cli("still", "E0001", "--case", case, "-q").status == 0
    altered = case / "clips" / "E0002_copy.mp4"
    altered.write_bytes(altered.read_bytes()[:-1] + b"!")
    make(case)
    evidence = case / "report" / "evidence"
    assert (evidence / "E0001_copy.mp4").stat().st_ino == (case / "clips" / "E0001_copy.mp4").stat().st_ino
    assert (evidence / "E0001.png").stat().st_ino == (case / "stills" / "E0001.png").stat().st_ino
    assert (evidence / "E0002_copy.mp4").read_bytes() != altered.read_bytes()
    _, events = data(case)
    sha256 = hashlib.sha256((evidence / "E0002_copy.mp4").read_bytes()).hexdigest()
    assert events[1]["copy"]["sha256"] == sha256


def test_an_interrupted_report_goes_on_and_the_old_one_stays(case: Path) -> None:
    """Rule A11: what was done is not done again, and until the new report is whole the old one is there."""
    with pytest.raises(KeyboardInterrupt):
        make(case, Quiet(stop_after=1), clips=False)
    assert not (case / "report").exists()
    built, _ = make(case, clips=False)
    assert built.reused >= 1
    assert built.made + built.reused == 3
    before = (case / "report" / "report.json").read_bytes()
    with pytest.raises(KeyboardInterrupt):
        make(case, Quiet(stop_after=2))
    assert (case / "report" / "report.json").read_bytes() == before
    verdict = verify(case)
    assert verdict.exit_status == 0
    assert [note.what for note in verdict.notes] == ["report.part"]
    built, _ = make(case)
    assert built.reused >= 2
    assert verify(case).exit_status == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.test_report import Quiet, make

class Killer(Quiet):
    def advance(self, count):
        os.kill(os.getpid(), signal.SIGKILL)

make(Path(sys.argv[1]), Killer())
"""


def test_a_killed_report_goes_on(case: Path) -> None:
    """Rule A11: after a kill -9 the same command makes the same report, and verify finds nothing amiss."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(case)], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert (case / "report.part").is_dir()
    built, status = make(case)
    assert (status, built.reused) == (0, 1)
    assert verify(case).exit_status == 0
    assert not (case / "report.part").exists()


def test_a_kill_while_the_new_one_takes_its_place_leaves_the_old_one(case: Path) -> None:
    """Between the two renames only report.old is there: it is brought back before anything else."""
    make(case, clips=False)
    (case / "report").rename(case / "report.old")
    built, _ = make(case, clips=False)
    assert (built.made, built.reused) == (0, 3)
    assert not (case / "report.old").exists()
    assert verify(case).exit_status == 0


def test_a_kill_before_the_entry_of_the_log_is_found_and_mended(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is in its place, but the log does not know it: verify says so in few lines, made again all is well."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "derived", killed)
        with pytest.raises(KeyboardInterrupt):
            make(case, clips=False)
    faults = verify(case).faults
    assert 1 <= len(faults) <= 4
    assert "more files in it have no entry" in faults[-1].reason
    _, status = make(case, clips=False)
    assert status == 0
    assert verify(case).exit_status == 0


@pytest.mark.footage
def test_a_real_clip_of_variable_rate_has_a_whole_report(footage: Path, tmp_path: Path) -> None:
    """A porch camera at a variable rate, 720p: pictures of every event in its proportions, and verify is clean."""
    run([footage / "clips" / "porch_vfr.mkv"], tmp_path / "case")
    built, status = make(tmp_path / "case")
    facts, events = data(tmp_path / "case")
    assert (status, built.incomplete) == (0, 0)
    assert events
    (stream,) = facts["streams"]
    assert sum(span["end_s"] - span["start_s"] for span in stream["spans"]) == pytest.approx(stream["duration_s"])
    background = picture(tmp_path / "case", stream["background"])
    assert background.shape[:2] == (stream["shown_height"], stream["shown_width"])
    for event in events:
        strip = event["strip"]
        assert strip["times"] == sorted(strip["times"])
        assert strip["w"] / strip["h"] == pytest.approx(stream["shown_width"] / stream["shown_height"], rel=0.02)
        sheet = picture(tmp_path / "case", strip["src"])
        assert sheet.shape[:2] == (strip["h"], strip["w"] * len(strip["times"]))
        assert sheet.std() > 10, "not black"
    assert verify(tmp_path / "case").exit_status == 0


def test_what_others_put_into_the_report_is_not_lost(case: Path) -> None:
    """A new report would remove it, so there is none until somebody moves it away."""
    make(case, clips=False)
    notes = case / "report" / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(CaseError, match=r"holds notes\.txt.*move it away"):
        make(case, clips=False)
    assert notes.read_text() == "mine"
    notes.unlink()
    shutil.rmtree(case / "report")
    (case / "report").mkdir()
    (case / "report" / "thesis.doc").write_text("mine")
    with pytest.raises(CaseError, match=r"thesis\.doc, and no report\.json"):
        make(case, clips=False)


def test_links_are_not_followed(case: Path, tmp_path: Path) -> None:
    """A link in the place of the report, or of a file or folder of it, leads nowhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (case / "report").symlink_to(outside)
    with pytest.raises(CaseError, match="is a link"):
        make(case, clips=False)
    (case / "report").unlink()
    make(case, clips=False)
    view = case / "report" / "view"
    target = tmp_path / "target.jpg"
    target.write_bytes((view / "E0001_VIEW.jpg").read_bytes())
    (view / "E0001_VIEW.jpg").unlink()
    (view / "E0001_VIEW.jpg").symlink_to(target)
    before = target.read_bytes()
    built, _ = make(case, clips=False)
    assert built.made == 1, "what a link leads to is not taken for the file"
    assert not (case / "report" / "view" / "E0001_VIEW.jpg").is_symlink()
    assert target.read_bytes() == before
    shutil.rmtree(case / "report")
    (case / "report.part").mkdir()
    (case / "report.part" / "view").symlink_to(outside)
    with pytest.raises(CaseError, match="is a link"):
        make(case, clips=False)
    assert list(outside.iterdir()) == []


def test_two_reports_at_once_are_refused(case: Path) -> None:
    """The second one says so instead of writing into the first one's folder."""

    class Second(Quiet):
        def advance(self, count: int) -> None:
            with pytest.raises(CaseError, match="another 'vidreview report'"):
                make(case, clips=False)
            super().advance(count)

    observer = Second()
    built, _ = make(case, observer, clips=False)
    assert (built.made, observer.done) == (3, 3)


def check_kept(case: Path, event: dict[str, Any]) -> None:
    """Rule D4: pictures that the scan kept of the event's own object, as they were kept, in the report's manifest."""
    with Reader.open(case) as reader:
        stored = {crop.jpeg: crop for track in event["tracks"] for crop in reader.looks(int(track["id"][1:]))}
        best = reader.best_look(int(event["id"][1:]))
    manifest = json.loads((case / "report" / "report.json").read_text())["files"]
    assert 1 <= len(event["kept"]) == len(stored) <= 8
    assert best is not None and [one["at_s"] for one in event["kept"] if one["best"]] == [round(best.seconds, 6)]
    for one in event["kept"]:
        content = (case / "report" / one["src"]).read_bytes()
        assert one["at_s"] == round(stored[content].seconds, 6)
        assert manifest[one["src"]] == hashlib.sha256(content).hexdigest()
        shown = picture(case, one["src"])
        assert (one["h"], one["w"]) == shown.shape[:2]
        assert red(shown).mean() > 0.5, "it shows the box"


def test_an_exhibit_that_is_gone_or_changed_is_said_on_its_cards(case: Path, films: Path, tmp_path: Path) -> None:
    """The report is made all the same; each event of that exhibit says what is missing and why; exit 3, then 4."""
    source = Path(shutil.copytree(films, tmp_path / "moved"))
    (source / HOSTILE).unlink()
    moved = films.with_name("elsewhere")
    films.rename(moved)
    try:
        built, status = make(case, source=source)
        facts, events = data(case)
        assert (status, built.incomplete) == (3, 1)
        lost = [event for event in events if event["missing"]]
        assert len(lost) == 1
        assert "cannot be read" in lost[0]["missing"]
        assert lost[0]["still"] is lost[0]["clip"] is lost[0]["copy"] is None
        check_kept(case, lost[0])
        results = {one["what"]: one["result"] for one in facts["integrity"]["checked"]}
        assert results["a.mp4"] == "as recorded"
        assert "cannot be read" in results[HOSTILE]
        content = bytearray((moved / HOSTILE).read_bytes())
        content[-1] ^= 1
        (source / HOSTILE).write_bytes(content)
        built, status = make(case, source=source)
        assert (status, built.reused, built.incomplete) == (4, 2, 1)
        assert "SHA-256" in next(event["missing"] for event in data(case)[1] if event["missing"])
        (source / HOSTILE).write_bytes((moved / HOSTILE).read_bytes())
        built, status = make(case, source=source)
        assert (status, built.made, built.reused, built.incomplete) == (0, 1, 2, 0)
        assert [event["kept"] for event in data(case)[1]] == [None] * 3, "the exhibit's own pictures are there again"
        assert not list((case / "report" / "view").glob("*_kept*"))
    finally:
        moved.rename(films)
    assert verify(case).exit_status == 0


def test_exhibits_are_hashed_again_only_where_something_is_made_of_them(case: Path) -> None:
    """A report made again of unchanged media touches no exhibit, and says that it did not."""
    make(case, clips=False)
    assert {one["result"] for one in data(case)[0]["integrity"]["checked"]} == {"as recorded"}
    make(case, clips=False)
    checked = data(case)[0]["integrity"]["checked"]
    assert [one["result"] for one in checked] == ["as recorded", *["not hashed again for this report"] * 2]


def test_a_hostile_name_is_text_and_names_no_file(case: Path) -> None:
    """Names from evidence stand escaped in the data, whole, and no path of the report is made of them."""
    make(case)
    raw = (case / "report" / "data" / "case.js").read_text() + (case / "report" / "data" / "events.js").read_text()
    assert "<" not in raw
    assert ">" not in raw
    facts, _ = data(case)
    assert HOSTILE in {exhibit["name"] for exhibit in facts["exhibits"]}
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/")
    manifest = json.loads((case / "report" / "report.json").read_text())
    assert not set("".join(manifest["files"])) - allowed


def test_verify_finds_what_is_changed_missing_or_added_in_a_report(case: Path) -> None:
    """Rule A3: every file of a report is checked through its manifest, which the audit log has the hash of."""
    make(case, clips=False)
    folder = case / "report"
    (folder / "view" / "E0001_VIEW.jpg").write_bytes(b"another picture")
    (folder / "data" / "events.js").unlink()
    (folder / "view" / "added.jpg").write_bytes(b"added")
    faults = {one.what: one.reason for one in verify(case).faults}
    assert faults["report/view/E0001_VIEW.jpg"].startswith("was changed")
    assert faults["report/data/events.js"].startswith("is missing")
    assert faults["report/view/added.jpg"].startswith("has no entry")
    assert len(faults) == 3


def test_verify_does_not_trust_a_manifest_that_was_changed(case: Path) -> None:
    """A manifest that was rewritten to fit an altered file is found, and what it lists is not called sound."""
    make(case, clips=False)
    folder = case / "report"
    document = json.loads((folder / "report.json").read_text())
    (folder / "view" / "E0001_VIEW.jpg").write_bytes(b"another picture")
    document["files"]["view/E0001_VIEW.jpg"] = hashlib.sha256(b"another picture").hexdigest()
    (folder / "report.json").write_text(json.dumps(document))
    verdict = verify(case)
    assert [one.what for one in verdict.faults] == ["report/report.json"]
    assert [one.what for one in verdict.not_checked] == ["report"]
    assert verdict.exit_status == 4


def test_the_command_says_what_it_made(case: Path, cli: Cli) -> None:
    """Filters are in the report in words, counts in the JSON, and an unknown exhibit is a usage error."""
    result = cli("report", "--case", case, "--exhibit", "a.mp4", "--min-duration", "0:01", "--no-clips", "--json")
    assert result.status == 0, result.err
    said = json.loads(result.out)
    assert (said["events"], said["made"], said["incomplete"], said["exhibits_checked"]) == (2, 2, 0, 1)
    facts, events = data(case)
    assert facts["report"]["filters"] == ["exhibit a.mp4", "in view at least 1 s"]
    assert facts["report"]["command"] == "vidreview report --exhibit a.mp4 --min-duration 0:01 --no-clips"
    assert (facts["report"]["events_in_case"], len(events)) == (3, 2)
    assert facts["case"]["references"] == ["NMC/1"]
    assert cli("report", "--case", case, "--exhibit", "nothing.mp4").status == 2
    assert cli("report", "--case", case / "none").status == 1
    text = cli("report", "--case", case, "--no-clips")
    assert "leads" in text.out
    assert "index.html" in text.out


def test_a_case_of_an_earlier_version_has_a_report_too(case: Path) -> None:
    """Without the times of frames: ends of each event, its best frame, sums of the ledger; nothing made up."""
    import sqlite3

    with sqlite3.connect(case / "case.db") as db:
        db.execute("DELETE FROM watched")
        db.execute("UPDATE coverage SET gap = 10, analysed = analysed - 10")
    db.close()
    _, status = make(case, clips=False)
    facts, events = data(case)
    assert status == 0
    assert {len(event["strip"]["times"]) for event in events} == {2}
    assert all(red(picture(case, event["still"]["src"])).any() for event in events)
    assert [span["state"] for span in facts["streams"][0]["spans"]] == ["unknown"]
    assert "earlier version" in facts["streams"][0]["spans_words"]
    assert facts["streams"][0]["background"] is not None


def test_a_full_disk_is_said_and_leaves_the_old_report(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the new report cannot be written: the error names the file, the old report stays."""
    import errno

    make(case, clips=False)
    before = (case / "report" / "report.json").read_bytes()
    (case / "report" / "view" / "E0001_VIEW.jpg").unlink()
    original = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "E0001_VIEW.jpg":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return original(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CaseError, match=r"cannot write .*E0001_VIEW\.jpg: No space left"):
        make(case, clips=False)
    assert (case / "report" / "report.json").read_bytes() == before


def test_a_case_without_events_has_a_report_too(tmp_path: Path, cli: Cli) -> None:
    """What was looked at, and what could not be read, is in it all the same (rules C3, E1)."""
    quiet = film(tmp_path / "evidence" / "quiet.mp4", 40, [])
    (tmp_path / "evidence" / "broken.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42 and nothing else")
    run([quiet.parent], tmp_path / "case")
    built, status = make(tmp_path / "case")
    facts, events = data(tmp_path / "case")
    assert (status, built.events, events) == (0, 0, [])
    assert facts["ledger"]["analysed_s"] == pytest.approx(4.0)
    assert facts["ledger"]["exhibits_unread"] == 1
    (problem,) = facts["problems"]
    assert facts["exhibits"][problem["exhibit"]]["name"] == "broken.mp4"
    assert facts["streams"][0]["spans"] == [{"state": "analysed", "start_s": 0.0, "end_s": 4.0}]
    assert verify(tmp_path / "case").exit_status == 0
