"""Review marks in the report's page: set, kept, saved to a file, loaded, never lost or signed for another."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browsing import Report, Watched, mark_as, until

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Download


@pytest.mark.browser
def test_marks_are_kept_saved_and_loaded(watched: Watched, report: Report, tmp_path: Path) -> None:
    """Rule E5: a state is set by a person, with name and time."""
    tab = watched.open(report, "events")
    mark_as(tab, "1")
    tab.keyboard.press("n")
    tab.keyboard.type("two bags, one note")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Escape")
    tab.keyboard.press("j")
    mark_as(tab, "2")
    tab.keyboard.press("j")
    mark_as(tab, "3")
    assert "not saved to a file yet" in tab.inner_text("#marking")
    assert "3 marks not saved" in (tab.get_attribute("#save", "aria-label") or "")
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    tab.on("dialog", leave)
    tab.reload()
    tab.wait_for_selector("html[data-ready=yes]")
    assert asked == ["beforeunload"], "leaving with unsaved marks must ask"
    with tab.expect_download() as download:
        tab.click("#save")
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    value = json.loads(saved.read_text())
    assert value["vidreview_marks"] == 1
    assert value["report"] == report.facts["report"]["id"]
    assert value["reviewer"] == "B. Reviewer"
    assert [(m["event"], m["state"], m["note"]) for m in value["marks"]] == [
        ("E0001", "relevant", "two bags, one note"),
        ("E0002", "not relevant", report.events[1]["review"]["note"]),
        ("E0003", "unsure", None),
    ]
    first = value["marks"][0]
    assert set(first) == {"event", "exhibit_sha256", "stream", "start_pts", "class", "state", "note", "at_utc"}
    assert [first["exhibit_sha256"], first["start_pts"], first["class"]] == [
        report.events[0][k] for k in ("exhibit_sha256", "start_pts", "class")
    ]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", first["at_utc"])
    tab.reload()
    tab.wait_for_selector("html[data-ready=yes]")
    assert asked == ["beforeunload"], "all is saved: nothing to ask"
    fresh = watched.open(report, "events")
    assert fresh.evaluate("vidreview.marks.here()") == 0
    fresh.set_input_files("#load", saved)
    until(fresh, "vidreview.marks.here() === 3")
    assert "3 marks taken" in fresh.inner_text("#notice")
    assert fresh.input_value("#note") == "two bags, one note"
    assert "3 of 120" in fresh.inner_text("#progress")
    assert fresh.locator("#row-E0001 .sign.here.s-relevant").count() == 1


@pytest.mark.browser
def test_a_mark_is_taken_back(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "events?e=E0004")
    mark_as(tab, "1")
    assert tab.evaluate("vidreview.marks.here()") == 1
    mark_as(tab, "0")
    assert tab.evaluate("vidreview.marks.here()") == 0
    # a state that the case holds is overruled by a mark of its own
    tab.goto(f"{report.url}#events?e=E0002")
    until(tab, "document.getElementById('card-title').textContent === 'E0002'")
    assert "The case says relevant, by B. Reviewer" in tab.inner_text("#marking")
    mark_as(tab, "0")
    assert tab.evaluate("vidreview.marks.of('E0002').state") == "unreviewed"
    assert tab.evaluate("vidreview.marks.here()") == 1


@pytest.mark.browser
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{not json", "cannot be read"),
        ('{"vidreview_marks": 2, "marks": []}', "no marks file"),
        (
            '{"vidreview_marks": 1, "report": "other", "reviewer": "C", "marks": [{"event": "E9999"}, null, '
            '{"event": "E0001", "exhibit_sha256": "0", "stream": 0, "start_pts": 1, "class": "person", '
            '"state": "relevant", "note": null, "at_utc": "2026-01-01T00:00:00Z"}]}',
            "2 of an event that is not in this report, 1 of another event of that number",
        ),
    ],
)
def test_a_marks_file_that_does_not_fit_is_refused_in_words(
    watched: Watched, report: Report, tmp_path: Path, text: str, words: str
) -> None:
    tab = watched.open(report, "events")
    (tmp_path / "marks.json").write_text(text)
    tab.set_input_files("#load", tmp_path / "marks.json")
    until(tab, "!document.getElementById('notice').hidden")
    assert words in tab.inner_text("#notice")
    assert tab.evaluate("vidreview.marks.here()") == 0


@pytest.mark.browser
def test_two_windows_lose_no_mark(watched: Watched, report: Report) -> None:
    one = watched.open(report, "events?e=E0006")
    two = watched.another(one.context, report, "events?e=E0007")
    mark_as(one, "1")
    until(two, "vidreview.marks.reviewer() === 'B. Reviewer'")
    mark_as(two, "3")
    until(one, "vidreview.marks.of('E0007').state === 'unsure'")
    until(two, "vidreview.marks.of('E0006').state === 'relevant'")
    two.goto(f"{report.url}#events?e=E0006")
    until(two, "document.getElementById('card-title').textContent === 'E0006'")
    mark_as(two, "2")
    until(one, "document.getElementById('notice').textContent.includes('marked in another window')")
    one.on("dialog", lambda dialog: dialog.accept())
    one.reload()
    one.wait_for_selector("html[data-ready=yes]")
    assert one.evaluate("[vidreview.marks.of('E0006').state, vidreview.marks.of('E0007').state]") == [
        "not relevant",
        "unsure",
    ]


@pytest.mark.browser
def test_nobody_signs_for_another(watched: Watched, report: Report, tmp_path: Path) -> None:
    """Rule E5: two reviewers at one machine, and marks loaded from a third's file, go into files of their own."""
    tab = watched.open(report, "events")
    mark_as(tab, "1", "Ann")
    tab.click("#who")
    tab.fill("#name-field", "Bob")
    tab.keyboard.press("Enter")
    until(tab, "vidreview.marks.reviewer() === 'Bob'")
    tab.locator("#list").focus()
    tab.keyboard.press("j")
    tab.keyboard.press("2")
    third = report.events[4]
    loaded = {
        "vidreview_marks": 1,
        "report": report.facts["report"]["id"],
        "reviewer": "Cleo",
        "saved_utc": "2026-03-16T10:00:00.000Z",
        "marks": [
            {
                "event": third["id"],
                "exhibit_sha256": third["exhibit_sha256"],
                "stream": 0,
                "start_pts": third["start_pts"],
                "class": third["class"],
                "state": "unsure",
                "note": None,
                "at_utc": "2026-03-16T09:59:00.000Z",
            }
        ],
    }
    (tmp_path / "cleo.json").write_text(json.dumps(loaded))
    tab.set_input_files("#load", tmp_path / "cleo.json")
    until(tab, "vidreview.marks.here() === 3")
    saved: list[Download] = []
    tab.on("download", lambda each: saved.append(each))
    tab.click("#save")
    until(tab, "vidreview.marks.unsaved() === 0")
    for _ in range(100):
        if len(saved) == 2:
            break
        tab.wait_for_timeout(50)
    values = [json.loads(Path(each.path()).read_text()) for each in saved]
    assert {v["reviewer"]: [m["event"] for m in v["marks"]] for v in values} == {"Ann": ["E0001"], "Bob": ["E0002"]}
    assert len({each.suggested_filename for each in saved}) == 2


@pytest.mark.browser
def test_marks_work_where_storage_is_refused(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "events")
    tab.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    tab.reload()
    tab.wait_for_selector("html[data-ready=yes]")
    assert "does not keep marks (SecurityError)" in tab.inner_text("#notice")
    mark_as(tab, "1")
    assert tab.evaluate("vidreview.marks.of('E0001').state") == "relevant"
    with tab.expect_download() as download:
        tab.click("#save")
    assert download.value.suggested_filename.startswith("marks_")
