"""The report as a PDF, read back by another program: every fact is in it, and what is hostile in them is text."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pypdf import PdfReader

from vidreview.errors import VidreviewError
from vidreview.report.pdf import write_pdf
from vidreview.report.pdf.parts import _lane
from vidreview.report.pdf.pictures import inside
from vidreview.report.pdf.text import fitting, markup, printed

HOSTILE = '"><img src=x onerror=alert(1)>.mp4'


def stream(number: int, known: bool) -> dict[str, Any]:
    began = 1_773_500_400_000
    return {
        "exhibit": 0,
        "stream": number,
        "camera": number,
        "codec": "h264",
        "width": 640,
        "height": 360,
        "rotation": 0,
        "time_base": "1/90000",
        "sample_aspect": "1/1",
        "duration_s": 3600.0,
        "frames_presented": 90_000,
        "timed": True,
        "clock": {
            "known": known,
            "words": ["recorder is 2 min 07 s FAST; subtract 2 min 07 s"] if known else ["the clock is unknown"],
            "shown_start_ms": began if known else None,
            "corrected_start_ms": began - 127_000 if known else None,
            "utc_start_ms": None,
            "uncertainty_s": 1.5 if known else None,
            "steps": [{"at_s": 60.0, "words": "set forward by 30 s"}],
        },
        "spans": [
            {"state": "analysed", "start_s": 0.0, "end_s": 3000.0},
            {"state": "gap", "start_s": 3000.0, "end_s": 3300.0},
            {"state": "undecodable", "start_s": 3300.0, "end_s": 3600.0},
        ],
        "coverage": {
            "states": {"analysed_s": 3000.0, "undecodable_s": 300.0, "gap_s": 300.0, "not_requested_s": 0.0},
            "frames": {"decoded": 75_000, "damaged": 3, "missing": 7500},
        },
        "problems": [
            {"kind": "gap", "reason": "nothing was recorded <b>here</b>", "at_s": 3000.0, "end_s": 3300.0, "pts": 1}
        ],
        "activity": [{"hour": 0, "person": 40.0, "vehicle": 90.0, "motion": 12.0}],
        "background": f"view/s{number}_background_VIEW.jpg",
        "background_s": 12.5,
        "heat": f"view/s{number}_heat_VIEW.png",
        "heat_words": "Darkest where something stayed longest.",
        "heat_scale": [{"s": 1, "colour": "#1f4e9c"}, {"s": 41.5, "colour": "#d62728"}, {"s": 99, "colour": "red"}],
    }


def event(number: int, place: int = 0) -> dict[str, Any]:
    known = place == 0
    return {
        "id": f"E{number:04d}",
        "stream": place,
        "class": "vehicle",
        "label": "car",
        "start_pts": 900_000 * number,
        "end_pts": 900_000 * number + 450_000,
        "time_base": "1/90000",
        "start_s": 10.0 * number,
        "end_s": 10.0 * number + 5,
        "peak_s": 10.0 * number + 2,
        "shown": ["2026-03-14T15:00:10.000", "2026-03-14T15:00:15.000"] if known else None,
        "shown_uncertainty_s": 1.0 if known else None,
        "corrected": ["2026-03-14T14:58:03.000", "2026-03-14T14:58:08.000"] if known else None,
        "corrected_uncertainty_s": 1.5 if known else None,
        "utc": [["2026-03-14T14:58:03Z", "2026-03-14T14:58:08Z"], ["2026-03-14T13:58:03Z", "2026-03-14T13:58:08Z"]]
        if known
        else [],
        "utc_uncertainty_s": 1.5 if known else None,
        "time_words": "read by A. Examiner",
        "score": 0.875,
        "max_count": 2,
        "tracks": [
            {
                "id": f"T{number:04d}",
                "class": "vehicle",
                "label": "car",
                "path": [[0, 10, 10, 40, 80], [1, 300, 90, 40, 80]],
            }
        ],
        "review": {
            "state": "relevant",
            "by": "<i>Eve</i>",
            "utc": "2026-03-15T10:00:00.000Z",
            "note": "line\n<a href='file:///etc/passwd'>x</a>",
        },
        "exhibit_sha256": "a" * 64,
        "still": {
            "src": "view/still_VIEW.jpg",
            "w": 640,
            "h": 360,
            "evidence": "evidence/E0001.png",
            "sha256": "e" * 64,
        },
        "thumb": "view/thumb_VIEW.jpg",
        "strip": {"src": "view/strip_VIEW.jpg", "w": 160, "h": 90, "times": [10.0, 11.0, 12.0, 13.0]},
        "clip": None,
        "copy": {"src": "evidence/E0001_copy.mp4", "sha256": "d" * 64, "packets": 125, "start_s": 9.0, "end_s": 16.0},
        "missing": None,
    }


def report(count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A report of two streams, one without a clock, and so many events."""
    exhibit = {
        "exhibit": 1,
        "name": HOSTILE,
        "path": f"/evidence/{HOSTILE}",
        "reference": "NMC/1",
        "size": 4_000_000_000,
        "sha256": "a" * 64,
        "state": "done",
        "reason": None,
        "duplicate_of": None,
        "container": "mp4",
        "other_hashes": {"md5": "0" * 32},
    }
    unread = exhibit | {"exhibit": 2, "name": "broken.mp4", "state": "failed", "reason": "no container", "sha256": None}
    facts: dict[str, Any] = {
        "form": 1,
        "report": {
            "id": "f" * 64,
            "made_utc": "2026-03-16T09:30:00.000Z",
            "tool": "vidreview 0.1.0",
            "command": "vidreview report --pdf",
            "filters": ["class vehicle"],
            "events_in_case": count + 1,
            "events_in_report": count,
        },
        "case": {
            "name": "NMC-1 <b>case</b> & {{ 7*7 }}",
            "references": ["NMC/1"],
            "operators": ["A. Operator"],
            "organisations": ["Unit & Co"],
            "reasons": ["burglary"],
        },
        "runs": [
            {
                "run": 1,
                "started_utc": "2026-03-15T08:00:00Z",
                "finished_utc": None,
                "state": "interrupted",
                "version": "0.1.0",
                "settings": {"detect_size": 640},
                "settings_sha256": "b" * 64,
                "model": {"name": "yolo26n"},
                "model_sha256": "c" * 64,
                "environment": {"python": "3.11.9", "packages": {"av": "15"}},
                "argv": ["scan", "/evidence"],
            }
        ],
        "exhibits": [exhibit, unread],
        "cameras": [{"name": HOSTILE, "streams": [0]}, {"name": "yard \u202egpj\u202c \u4e2d", "streams": [1]}],
        "streams": [stream(0, True), stream(1, False)],
        "problems": [{"exhibit": 1, "kind": "unreadable", "reason": "no container"}],
        "integrity": {
            "audit_head": "9" * 64,
            "audit_entries": 812,
            "checked": [{"what": "audit log", "result": "as recorded"}],
            "words": ["The chain is whole."],
        },
        "method": {
            "words": ["Every frame was decoded."],
            "limits": ["Detectors miss people at night."],
            "recall": {
                "words": "Of 40 labelled objects 36 were found.",
                "rows": [{"class": "person", "found": 27, "interval": [0.744, 0.965]}],
                "stale": True,
                "why": "the settings differ",
            },
        },
        "ledger": {
            "footage_s": 7200.0,
            "analysed_s": 6000.0,
            "undecodable_s": 600.0,
            "gap_s": 600.0,
            "not_requested_s": 0.0,
            "exhibits_unread": 1,
        },
    }
    return facts, [event(k + 1, k % 2) for k in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a report, with the pictures that its data name."""
    (tmp_path / "view").mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3), np.uint8)
    for name in ("still", "thumb", "strip", "s0_background", "s1_background"):
        (tmp_path / "view" / f"{name}_VIEW.jpg").write_bytes(cv2.imencode(".jpg", noise)[1].tobytes())
    for k in range(2):
        heat = np.zeros((360, 640, 4), np.uint8)
        heat[100:200] = (60, 120, 240, 160)
        (tmp_path / "view" / f"s{k}_heat_VIEW.png").write_bytes(cv2.imencode(".png", heat)[1].tobytes())
    return tmp_path


def text_of(path: Path) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(path).pages)


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_all_facts_are_in_the_printed_report(folder: Path) -> None:
    """Rules A5, B2, E1, E2, E5: head of the log, four times with their bounds, leads, ledger, review."""
    facts, events = report(4)
    events[0]["still"]["damaged"], events[0]["strip"]["damaged"] = True, [1]
    write_pdf(facts, events, folder, folder / "report.pdf")
    found = squeezed(text_of(folder / "report.pdf"))
    for words in (
        "lead for a person to look at, not an identification",
        "does not mean that nothing happened",
        "02:00:00.000",
        "Events in this report: 4 of 5 in the case",
        "By review: 4 relevant",
        "All cameras on one clock",
        "Cameras whose clock is unknown",
        "E0001 vehicle (car)",
        "Stream: 00:00:10.000 to 00:00:15.000 (PTS 900000 to 1350000, time base 1/90000)",
        "Displayed: 2026-03-14T15:00:10.000 to 2026-03-14T15:00:15.000 ± 1 s",
        "Corrected: 2026-03-14T14:58:03.000 to 2026-03-14T14:58:08.000 ± 1.5 s",
        "UTC: 2026-03-14T14:58:03Z to 2026-03-14T14:58:08Z or 2026-03-14T13:58:03Z to 2026-03-14T13:58:08Z ± 1.5 s",
        "Displayed: unknown",
        "relevant, by <i>Eve</i> at 2026-03-15T10:00:00.000Z",
        "Score: 0.875",
        "2026-03-14 (corrected time): 2 events",
        "evidence/E0001_copy.mp4, 125 packets",
        "d" * 64,
        "a" * 64,
        "recorder is 2 min 07 s FAST",
        "This measurement is stale: the settings differ.",
        "0.744 to 0.965",
        "75000 / 3 / 7500",
        "00:50:00.000 to 00:55:00.000",
        "failed: no container",
        "The chain is whole.",
        "environment: packages",
        "settings: detect_size",
        "Clock set: 00:01:00.000 set forward by 30 s",
        "41.5 s",
        "the decoder flagged this picture as damaged",
        "the decoder flagged these frames as damaged: 00:00:11.000",
    ):
        assert squeezed(words) in found, words


def test_pages_say_what_they_belong_to_and_the_outline_leads_to_events(folder: Path) -> None:
    facts, events = report(9)
    write_pdf(facts, events, folder, folder / "report.pdf")
    reader = PdfReader(folder / "report.pdf")
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, 1):
        words = squeezed(page.extract_text())
        assert squeezed("leads, not identifications") in words and "9" * 64 in words
        assert squeezed("Case NMC-1 <b>case</b> & {{ 7*7 }}, NMC/1") in words
        assert f"page{number}of" in words and str(count) in words
    assert reader.metadata is not None and reader.metadata.title == "Review of CCTV: case NMC-1 <b>case</b> & {{ 7*7 }}"
    assert reader.trailer["/Root"]["/Lang"] == "en-GB"  # type: ignore[index]
    titles = [entry.title for entry in reader.outline if not isinstance(entry, list)]
    assert titles[:4] == ["Overview", "Cameras", "Synopsis", "Events"] and len(titles) == 9
    (inner,) = [entry for entry in reader.outline if isinstance(entry, list)]
    assert [entry.title for entry in inner if not isinstance(entry, list)] == [f"E{k:04d} car" for k in range(1, 10)]


def test_what_is_hostile_is_text(folder: Path) -> None:
    facts, events = report(2)
    write_pdf(facts, events, folder, folder / "report.pdf")
    found = squeezed(text_of(folder / "report.pdf"))
    assert squeezed(HOSTILE) in found and squeezed("<a href='file:///etc/passwd'>x</a>") in found
    assert "\\u{202e}gpj\\u{202c}\\u{4e2d}" in found, "what would turn the text round, and what the font lacks"
    raw = (folder / "report.pdf").read_bytes()
    for word in (b"/URI", b"/JavaScript", b"/JS", b"/Launch", b"/EmbeddedFile", b"/GoToR", b"/OpenAction"):
        assert word not in raw
    assert printed("a\u0000\x1b\ud800é") == "a\\u{0}\\u{1b}\\u{d800}é"
    assert markup("<img src='/etc/passwd'/>&amp;\nb") == "&lt;img src='/etc/passwd'/&gt;&amp;amp;<br/>b"
    assert fitting("x" * 5000, "DejaVuSans", 7, 100).endswith("…")


@pytest.mark.parametrize(
    "name", ["/etc/hostname", "../secret.jpg", "view/../../secret.jpg", "view/link.jpg", "", None, 5, "a b.jpg"]
)
def test_no_picture_comes_from_elsewhere(folder: Path, name: object) -> None:
    (folder.parent / "secret.jpg").write_bytes((folder / "view" / "still_VIEW.jpg").read_bytes())
    (folder / "view" / "link.jpg").symlink_to(folder.parent / "secret.jpg")
    assert inside(folder, name) is None
    assert inside(folder, "view/still_VIEW.jpg") is not None


def test_what_is_missing_or_damaged_is_said(folder: Path) -> None:
    facts, events = report(2)
    (folder / "view" / "still_VIEW.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "view" / "s0_heat_VIEW.png").unlink()
    events[1] |= {"still": None, "thumb": None, "strip": None, "copy": None, "missing": "the exhibit was not found"}
    write_pdf(facts, events, folder, folder / "report.pdf")
    assert "Missing: the exhibit was not found" in text_of(folder / "report.pdf")


def test_what_the_scan_kept_stands_in_and_is_named(folder: Path) -> None:
    """Rule D4: a reduced thumbnail is never taken for a still."""
    facts, events = report(2)
    lost = {"still": None, "thumb": None, "strip": None, "copy": None, "missing": "the exhibit was not found"}
    kept = {"src": "view/thumb_VIEW.jpg", "w": 40, "h": 90, "at_s": 12.0, "track": "T0001", "best": False}
    events[0] |= lost | {"kept": [kept, kept | {"at_s": 13.5, "best": True}]}
    write_pdf(facts, events, folder, folder / "report.pdf")
    found = " ".join(text_of(folder / "report.pdf").split())
    assert "Reduced thumbnail kept by the scan, no evidence: T0001 at 00:00:13.500" in found
    assert found.count("Reduced thumbnail") == 1 and "thumbnail of the scan" in found


def test_the_axis_is_cut_where_a_clock_was_set_or_is_unknown() -> None:
    """Rule B5: a stretch over which the clock jumped is two on the axis, and what has no time there is counted."""
    facts, _ = report(0)
    stream = facts["streams"][0]
    zero = stream["clock"]["shown_start_ms"]
    keys = ("start_s", "end_s", "shown_ms", "corrected_ms")
    pieces = [(0, 100, zero, None), (100, 200, None, None), (200, 3600.0, zero + 36_000_000, None)]
    stream["clock"] |= {"corrected_start_ms": None, "segments": [dict(zip(keys, each, strict=True)) for each in pieces]}
    stream["spans"] = [{"state": "analysed", "start_s": -1.0, "end_s": 3600.0}]
    times = [(90.0, 110.0), (120.0, 130.0), (190.0, 210.0)]
    events = [event(k + 1) | {"start_s": a, "end_s": b} for k, (a, b) in enumerate(times)]
    lane = _lane(facts, 0, events, wall=True)
    begin = zero / 1000
    assert lane.spans == [
        ("analysed", begin - 1, begin + 100),
        ("analysed", begin + 36_000, begin + 36_000 + 3400),
    ]
    assert lane.events == [("vehicle", begin + 90, begin + 100), ("vehicle", begin + 36_000, begin + 36_010)]
    assert lane.below.startswith("1 event of unknown time not drawn; displayed")


def test_a_time_whose_end_is_unknown_says_so(folder: Path) -> None:
    facts, events = report(1)
    events[0] |= {
        "shown": ["2026-03-14T15:00:10.000", None],
        "corrected": None,
        "utc": [["2026-03-14T14:00:00Z", None]],
    }
    write_pdf(facts, events, folder, folder / "report.pdf")
    found = " ".join(text_of(folder / "report.pdf").split())
    assert "2026-03-14T15:00:10.000 to unknown" in found and "2026-03-14T14:00:00Z to unknown" in found
    assert "None" not in found


def test_a_report_without_events_says_what_that_means(folder: Path) -> None:
    """Rule E1."""
    facts, _ = report(0)
    write_pdf(facts, [], folder, folder / "report.pdf")
    found = text_of(folder / "report.pdf")
    assert "An object that was not detected leaves no record" in found and "nothing found" not in found.lower()


def test_the_same_facts_give_the_same_file_whole_or_not_at_all(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, events = report(3)
    write_pdf(facts, events, folder, folder / "a.pdf")
    write_pdf(copy.deepcopy(facts), copy.deepcopy(events), folder, folder / "b.pdf")
    first = (folder / "a.pdf").read_bytes()
    assert first == (folder / "b.pdf").read_bytes()
    with pytest.raises(VidreviewError, match="cannot write"):
        write_pdf(facts, events, folder, folder / "nowhere" / "c.pdf")

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("vidreview.report.pdf.parts.runs", interrupted)
    facts["case"]["name"] = "another"
    with pytest.raises(KeyboardInterrupt):
        write_pdf(facts, events, folder, folder / "a.pdf")
    assert (folder / "a.pdf").read_bytes() == first and not list(folder.glob("*.part"))


def test_a_background_that_is_drawn_often_is_in_the_file_once(folder: Path) -> None:
    facts, events = report(60)
    write_pdf(facts, events, folder, folder / "report.pdf")
    pictures = sum(path.stat().st_size for path in (folder / "view").iterdir())
    assert (folder / "report.pdf").stat().st_size < 3 * pictures
    done = subprocess.run(
        ["pdftoppm", "-r", "20", "-f", "6", "-l", "6", "-png", folder / "report.pdf", folder / "page"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    (page,) = folder.glob("page*.png")
    drawn = cv2.imread(str(page))
    assert drawn is not None and float(drawn.std()) > 10, "pictures and words are on it"


def test_cameras_and_events_fill_their_pages_and_are_on_one_each(folder: Path) -> None:
    facts, events = report(6)
    facts["streams"] = facts["streams"] * 4
    write_pdf(facts, events, folder, folder / "report.pdf")
    texts = [page.extract_text() for page in PdfReader(folder / "report.pdf").pages]
    captions = [text.count("Background taken at") for text in texts]
    assert [count for count in captions if count] == [2] * 4
    assert captions == [text.count("Picture: ") for text in texts], "what belongs to a camera is on its page"
    cards = [k for k, text in enumerate(texts, 1) if "Times come from" in text]
    assert [texts[k - 1].count("Times come from") for k in cards] == [2, 2, 2]
    page = str(cards[1])
    subprocess.run(
        ["pdftoppm", "-r", "36", "-f", page, "-l", page, "-gray", folder / "report.pdf", folder / "card"], check=True
    )
    (drawn,) = folder.glob("card*.pgm")
    grey = np.asarray(cv2.imread(str(drawn), cv2.IMREAD_GRAYSCALE))
    inked = np.flatnonzero(grey.min(axis=1) < 200) / len(grey)
    assert inked[inked < 0.9].max() > 0.74, "two cards leave no third of the page empty"


def test_memory_does_not_grow_with_the_pictures_that_are_drawn_again(folder: Path) -> None:
    """Each was read whole for every event that shows it: 2.7 GB for 3,000 events."""
    code = (
        "import resource, sys; from pathlib import Path; from tests.test_report_pdf import report, write_pdf\n"
        "folder = Path(sys.argv[1])\n"
        "for count in (20, 220):\n"
        "    write_pdf(*report(count), folder, folder / 'report.pdf')\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)\n"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=root, check=True, capture_output=True, text=True)
    few, many = map(int, done.stdout.split())
    assert many - few < 60, f"{few} MiB for 20 events, {many} for 220"
