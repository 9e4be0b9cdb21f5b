"""The report's page in Chromium: opened from disc, without a network, as an examiner, a lawyer and a printer meet it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report_samples import HOSTILE, Shape, h264, sample, write
from vidreview.report import page

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Download, Page

CHROMIUM = Path("/usr/bin/chromium")
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
VIEWS = ("overview", "events", "synopsis", "record")
DESKTOP, NARROW = (1440, 900), (390, 844)


@dataclass(frozen=True)
class Report:
    """A report on disc, and the data it was written with."""

    page: Path
    facts: dict[str, Any]
    events: list[dict[str, Any]]

    @property
    def url(self) -> str:
        return self.page.as_uri()


def _report(folder: Path, shape: Shape, clip: Path | None = None) -> Report:
    facts, events = sample(shape)
    return Report(write(folder, facts, events, clip=clip), facts, events)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail("CI must install Debian's chromium: the report's page is not tested without it")
        pytest.skip("no /usr/bin/chromium: the report's page is not driven")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("report")
    return _report(folder / "report", Shape(120, 5, unknown=(2,)), h264(folder / "clip.mp4"))


@dataclass
class Watched:
    """A browser window that saw no request leave the folder, no console error and no error of the page."""

    browser: Browser
    trouble: list[str]
    contexts: list[BrowserContext]

    def open(
        self, report: Report, hash_: str = "", *, size: tuple[int, int] = DESKTOP, scheme: Any = "light", **more: Any
    ) -> Page:
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, offline=True, **more
        )
        self.contexts.append(context)
        return self.another(context, report, hash_)

    def another(self, context: BrowserContext, report: Report, hash_: str = "") -> Page:
        tab = context.new_page()
        home = report.page.parent.as_uri() + "/"
        tab.on("request", lambda request: self._look(request.url, home))
        tab.on("console", lambda line: self.trouble.append(line.text) if line.type in ("error", "warning") else None)
        tab.on("pageerror", lambda error: self.trouble.append(str(error)))
        tab.goto(report.url + (f"#{hash_}" if hash_ else ""))
        if more_scripts(tab):
            tab.wait_for_selector("html[data-ready=yes]")
        return tab

    def _look(self, url: str, home: str) -> None:
        if not url.startswith(home) and not url.startswith("blob:null/"):
            self.trouble.append(f"asked for {url}")


def more_scripts(tab: Page) -> bool:
    """Whether scripts run in it."""
    return bool(tab.locator("html.js").count())


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    watch = Watched(browser, [], [])
    yield watch
    for context in watch.contexts:
        context.close()
    assert watch.trouble == []


def until(tab: Page, truth: str, seconds: float = 20.0) -> None:
    """Wait until an expression is true. Playwright's own way of waiting evaluates text, which the page's policy forbids."""
    end = time.monotonic() + seconds
    while not tab.evaluate(truth):
        if time.monotonic() > end:
            pytest.fail(f"never true: {truth}")
        tab.wait_for_timeout(20)


def shown(tab: Page) -> str:
    return tab.inner_text("#count")


def numbers(tab: Page) -> list[str]:
    """The ids of all events that the filters leave, in their order."""
    found: list[str] = tab.evaluate("vidreview.list.all().map((i) => VIDREVIEW_EVENTS[i].id)")
    return found


def mark_as(tab: Page, key: str, name: str = "B. Reviewer") -> None:
    tab.keyboard.press(key)
    if tab.locator("#name[open]").count():
        tab.fill("#name-field", name)
        tab.keyboard.press("Enter")
        until(tab, "vidreview.marks.here() > 0")


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


# --- what is written, without a browser


def test_every_script_and_style_is_written_and_named_in_the_page() -> None:
    facts, _ = sample(Shape(1, 1))
    files = page.files(facts)
    here = Path(page.__file__).parent
    assert {f"js/{each.name}" for each in (here / "js").glob("*.js")} == {n for n in files if n.startswith("js/")}
    html = files["index.html"].decode()
    for name in files:
        assert re.fullmatch(r"[A-Za-z0-9_./-]+", name)
        if name != "index.html":
            assert f'"{name}"' in html
    for name, content in files.items():
        if name.endswith(".js"):
            assert content.startswith(b'"use strict";'), name
            assert not re.search(
                rb"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", content
            )
        assert not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", content), f"{name} names another place"


def test_hostile_names_become_neither_elements_nor_attributes() -> None:
    facts, _ = sample(Shape(3, 5))
    facts["case"]["name"] = '"><script>alert(3)</script>'
    facts["runs"][0]["environment"]["cpu"] = "<img src=x onerror=alert(4)>"
    html = page.files(facts)["index.html"].decode()
    parsed = _Elements()
    parsed.feed(html)
    for tag, attributes in parsed.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        if tag == "script":
            assert re.fullmatch(r"(js|data)/[a-z]+\.js", attributes["src"] or "")
        if tag == "img":
            assert (attributes["src"] or "").startswith("view/")
    assert "\u202e" not in html
    assert "\\u202e4pm.exe" in html
    assert len([tag for tag, _ in parsed.found if tag == "script"]) == len(page.SCRIPTS) + 2


@pytest.mark.parametrize(
    "path", ["../x.jpg", "/etc/passwd", "javascript:alert(1)", "view//../../x", "view/a b.jpg", ""]
)
def test_a_picture_elsewhere_is_refused(path: str) -> None:
    facts, _ = sample(Shape(1, 1))
    facts["streams"][0]["background"] = path or "?"
    with pytest.raises(ValueError, match="no path within a report"):
        page.files(facts)


def test_missing_values_are_said_not_left_out() -> None:
    """Rule B5: unknown is written unknown."""
    facts, _ = sample(Shape(0, 1, unknown=(0,)))
    facts["method"]["recall"] = None
    facts["runs"][0] |= {"model": None, "model_sha256": None, "finished_utc": None}
    html = page.files(facts)["index.html"].decode()
    assert "was not measured for this report" in html
    assert "not finished" in html
    assert html.count('<td class="when">unknown</td>') >= 4


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "00:00:00.000"),
        (3599.9999, "00:59:59.999"),
        (360000.0, "100:00:00.000"),
        (None, "unknown"),
        (-1.5, "−00:00:01.500"),
    ],
)
def test_seconds_are_cut_off_not_rounded(value: float | None, words: str) -> None:
    assert page.clock(value) == words


def test_all_is_said_only_of_all() -> None:
    assert page.share(99.99, 100.0) == "99.9 %"
    assert page.share(100.0, 100.0) == "100.0 %"
    assert page.share(0.0, 0.0) == "–"


# --- in the browser


@pytest.mark.browser
def test_opens_from_disc_with_the_network_off(watched: Watched, report: Report) -> None:
    tab = watched.open(report)
    assert tab.title().startswith("NMC-1 <b>Harbour Road</b>")
    assert tab.locator("#overview").is_visible()
    assert not tab.locator("#record").is_visible()
    for view in VIEWS:
        tab.click(f"nav a[href='#{view}']")
        assert tab.locator(f"#{view}").is_visible()
    # the picture is there, not only its element
    tab.click("nav a[href='#events']")
    until(tab, "document.querySelector('#card .frame img').naturalWidth > 0")


@pytest.mark.browser
def test_without_scripts_the_facts_are_there(watched: Watched, report: Report) -> None:
    tab = watched.open(report, java_script_enabled=False)
    text = tab.inner_text("body")
    for words in (
        "Scripts are off",
        "Limits of the method",
        "Coverage ledger",
        "c0ffee" * 10,
        "b" * 64,
        "detect_size",
        "Stale:",
    ):
        assert words in text
    assert not tab.locator("#events").is_visible()


@pytest.mark.browser
def test_the_browser_refuses_markup_and_inline_scripts(watched: Watched, report: Report) -> None:
    tab = watched.open(report)
    refused = tab.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch (e) { return true; } }"
    )
    assert refused
    tab.evaluate(
        "() => { const s = document.createElement('style'); s.textContent = 'body { color: rgb(9, 9, 9) }'; document.head.append(s); }"
    )
    assert tab.evaluate("getComputedStyle(document.body).color") != "rgb(9, 9, 9)"
    assert any("style" in line for line in watched.trouble)
    watched.trouble.clear()


@pytest.mark.browser
def test_hostile_names_do_no_harm(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "events")
    title = tab.title()
    tab.on("dialog", lambda dialog: watched.trouble.append(f"a dialog: {dialog.message}"))
    for camera in range(5):
        tab.goto(f"{report.url}#events?camera={camera}")
        until(tab, "document.getElementById('said').textContent.includes('camera')")
        tab.click("#list .row >> nth=0")
        for name in ("overview", "synopsis", "record"):
            tab.evaluate(f"vidreview.go('{name}')")
    assert tab.title() == title
    assert tab.locator("img[onerror], img[src='x']").count() == 0
    tab.goto(f"{report.url}#events?camera=2")
    tab.click("#list .row >> nth=0")
    # turned around by nobody: the override is shown as its number
    assert "\\u202e4pm.exe\\u202c" in tab.inner_text("#card")
    tab.evaluate("vidreview.go('record')")
    assert HOSTILE[3] in tab.inner_text("#exhibits")


def _in_polygon(points: list[tuple[float, float]], x: float, y: float) -> bool:
    odd = False
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
            odd = not odd
    return odd


def _through(event: dict[str, Any], points: list[tuple[float, float]]) -> bool:
    """Slowly: every hundredth of the way from one stored foot to the next."""
    for track in event["tracks"]:
        feet = [((x + w / 2) / 1280, min(1.0, (y + h) / 720)) for _, x, y, w, h in track["path"]]
        for (ax, ay), (bx, by) in zip(feet, feet[1:], strict=False):
            for k in range(101):
                if _in_polygon(points, ax + (bx - ax) * k / 100, ay + (by - ay) * k / 100):
                    return True
    return False


SQUARE = [(0.2, 0.3), (0.6, 0.3), (0.6, 0.7), (0.2, 0.7)]
_NOON = 1_773_489_600_000  # 2026-03-14 12:00

FILTERS: list[tuple[str, Callable[[dict[str, Any], dict[str, Any]], bool]]] = [
    ("class=person", lambda e, s: e["class"] == "person"),
    ("class=person~motion", lambda e, s: e["class"] in ("person", "motion")),
    ("label=bus", lambda e, s: e["label"] == "bus"),
    ("camera=1~3", lambda e, s: s["camera"] in (1, 3)),
    ("exhibit=4", lambda e, s: s["exhibit"] == 4),
    ("min=5&max=60", lambda e, s: 5 <= e["end_s"] - e["start_s"] <= 60),
    ("score=0.6", lambda e, s: e["score"] is not None and e["score"] >= 0.6),
    ("review=relevant", lambda e, s: e["review"]["state"] == "relevant"),
    ("q=e001", lambda e, s: "e001" in e["id"].lower()),
    ("q=RED+coat", lambda e, s: "red coat" in (e["review"]["note"] or "")),
    ("q=onerror", lambda e, s: s["exhibit"] == 0),
    ("from=2026-03-14+12:00", lambda e, s: e["shown"] is not None and e["shown"][1] >= _NOON),
    ("to=2026-03-14+12:00:00", lambda e, s: e["shown"] is not None and e["shown"][0] <= _NOON),
    ("base=utc&from=2026-03-14+12:00", lambda e, s: any(end >= _NOON for _, end in e["utc"])),
    ("base=stream&from=01:00:00&to=2:00:00", lambda e, s: e["end_s"] >= 3600 and e["start_s"] <= 7200),
    (
        "dayfrom=11:00&dayto=12:00",
        lambda e, s: e["shown"] is not None and e["shown"][1] >= _NOON - 3_600_000 and e["shown"][0] <= _NOON,
    ),
    (
        "dayfrom=12:00&dayto=11:00",
        lambda e, s: e["shown"] is not None and (e["shown"][1] >= _NOON or e["shown"][0] <= _NOON - 3_600_000),
    ),
    ("region=0!" + ",".join(f"{v}" for p in SQUARE for v in p), lambda e, s: s["camera"] == 0 and _through(e, SQUARE)),
    (
        "class=vehicle&score=0.5&camera=0~1",
        lambda e, s: e["class"] == "vehicle" and (e["score"] or 0) >= 0.5 and s["camera"] < 2,
    ),
]


@pytest.mark.browser
def test_filters_show_what_they_should(watched: Watched, report: Report) -> None:
    """Each filter, given in the address, against the same question asked slowly in Python."""
    tab = watched.open(report, "events")
    for query, fits in FILTERS:
        wanted = [e["id"] for e in report.events if fits(e, report.facts["streams"][e["stream"]])]
        assert 0 < len(wanted) < len(report.events), f"{query} tells nothing apart"
        tab.goto(f"{report.url}#events?{query}")
        until(tab, f"document.getElementById('count').textContent.startsWith('{len(wanted)} of')")
        assert numbers(tab) == wanted, query


@pytest.mark.browser
def test_what_a_filter_cannot_judge_is_said(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "events")
    unknown = sum(e["shown"] is None for e in report.events)
    tab.fill("#f-from", "2026-03-14")
    assert f"{unknown} events left out: their displayed time is unknown." in tab.inner_text("#left-out")
    tab.fill("#f-from", "tomorrow")
    assert tab.locator("#f-from").get_attribute("aria-invalid") == "true"
    assert "YYYY-MM-DD" in tab.inner_text("#w-from")
    assert shown(tab) == "120 of 120 events"
    tab.click("#reset")
    tab.fill("#f-score", "0.1")
    motion = sum(e["score"] is None for e in report.events)
    assert f"{motion} events of class motion left out" in tab.inner_text("#left-out")


@pytest.mark.browser
def test_a_region_is_drawn_by_hand(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "events")
    tab.click("#f-region")
    box = tab.locator("#region-shape").bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.5)
    tab.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.7)
    tab.mouse.up()
    tab.click("#region-use")
    wanted = [e["id"] for e in report.events if e["stream"] == 0 and _through(e, SQUARE)]
    assert numbers(tab) == wanted
    # a polygon by its corners, typed: the same for whoever has no mouse
    tab.click("#f-region")
    tab.fill("#region-numbers", "20 30 60 70")
    tab.keyboard.press("Tab")
    tab.click("#region-use")
    assert numbers(tab) == wanted


@pytest.mark.browser
def test_the_address_says_what_is_shown(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "events")
    tab.check("#filters input[data-value=vehicle]")
    tab.select_option("#sort", "duration")
    tab.click("#down")
    tab.click("#list .row >> nth=2")
    before, opened = numbers(tab), tab.inner_text("#card-title")
    until(tab, f"location.hash.includes('e={opened}') && location.hash.includes('class=vehicle')")
    other = watched.open(report, tab.evaluate("location.hash.slice(1)"))
    assert numbers(other) == before
    assert other.inner_text("#card-title") == opened
    assert other.input_value("#sort") == "duration"
    lengths = {e["id"]: e["end_s"] - e["start_s"] for e in report.events}
    assert before == sorted(before, key=lambda each: -lengths[each])


@pytest.mark.browser
@pytest.mark.parametrize(
    "hash_",
    [
        "events?class=ape&camera=99~-1~x&region=0!1,2&sort=evil&base=zone&e=E9999",
        "nowhere",
        "events?q=%3Cimg%20src=x%3E",
        "%",
    ],
)
def test_an_address_from_anybody_does_no_harm(watched: Watched, report: Report, hash_: str) -> None:
    tab = watched.open(report, hash_)
    assert re.fullmatch(r"(120|0) of 120 events", tab.evaluate("document.getElementById('count').textContent"))


@pytest.mark.browser
def test_keys_step_search_and_leave(watched: Watched, report: Report) -> None:
    tab = watched.open(report)
    for key, view in (("e", "events"), ("s", "synopsis"), ("r", "record"), ("o", "overview"), ("e", "events")):
        tab.keyboard.press("g")
        tab.keyboard.press(key)
        assert tab.locator(f"#{view}").is_visible()
    assert tab.inner_text("#card-title") == "E0001"
    for key, now in (
        ("j", "E0002"),
        ("ArrowDown", "E0003"),
        ("k", "E0002"),
        ("ArrowUp", "E0001"),
        ("PageDown", "E0011"),
    ):
        tab.keyboard.press(key)
        assert tab.inner_text("#card-title") == now
    assert tab.locator("#row-E0011").get_attribute("aria-selected") == "true"
    assert "E0011" in tab.inner_text("#spoken")
    tab.keyboard.press("/")
    tab.keyboard.type("jk12")
    assert tab.input_value("#f-q") == "jk12"
    assert tab.inner_text("#card-title") == "E0011"
    tab.keyboard.press("Escape")
    assert tab.evaluate("document.activeElement.id") != "f-q"
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    tab.uncheck("#keys-on")
    tab.keyboard.press("Escape")
    tab.keyboard.press("k")
    assert tab.inner_text("#card-title") == "E0011"


@pytest.mark.browser
def test_focus_is_never_held(watched: Watched, report: Report) -> None:
    """Tab goes through the page and comes to an end, wherever it is."""
    for view in VIEWS:
        tab = watched.open(report, view)
        tab.focus(".skip")
        seen: list[str] = []
        for _ in range(220):
            tab.keyboard.press("Tab")
            at = tab.evaluate(
                "(() => { const e = document.activeElement; return e === document.body ? 'end' : e.outerHTML.slice(0, 160); })()"
            )
            if at == "end" or (seen and at == seen[0]):
                break
            seen.append(at)
        else:
            pytest.fail(f"{view}: Tab does not get through, it is at {seen[-1]}")
        assert len(seen) > 8


@pytest.mark.browser
def test_a_clip_plays_in_place_and_the_strip_seeks(watched: Watched, report: Report) -> None:
    first = next(e for e in report.events if e["clip"])
    tab = watched.open(report, f"events?e={first['id']}")
    tab.locator("#card").focus()
    tab.keyboard.press("Space")
    tab.wait_for_selector("#card video")
    until(tab, "document.querySelector('#card video').currentTime > 0.3")
    tab.keyboard.press("Space")
    assert tab.evaluate("document.querySelector('#card video').paused")
    assert "Viewing copy, re-encoded" in tab.inner_text(".reading")
    # the strip's frames lead to their own second of the stream
    seconds = first["strip"]["times"][1]
    tab.evaluate("document.querySelector('#card video').dataset.same = 'yes'")
    tab.click(".strip button >> nth=1")
    wanted = min(seconds - first["clip"]["start_s"], 3.9)
    until(tab, f"document.querySelector('#card video').currentTime >= {wanted - 0.05}")
    assert tab.get_attribute("#card video", "data-same") == "yes"
    assert tab.locator("#card video").evaluate("(v) => v.error") is None


@pytest.mark.browser
def test_a_clip_that_cannot_play_says_so(watched: Watched, report: Report, tmp_path: Path) -> None:
    broken = _report(tmp_path / "r", Shape(3, 1, unknown=()))
    clip = broken.events[0]["clip"]["src"]
    (broken.page.parent / clip).write_bytes(b"no film at all")
    tab = watched.open(broken, "events")
    tab.get_by_role("button", name="Viewing clip").click()
    until(tab, "document.querySelector('.reading').textContent.includes('cannot play')")
    assert clip in tab.inner_text(".reading")


@pytest.mark.browser
def test_times_are_four_and_two_candidates_are_two(watched: Watched, report: Report) -> None:
    """Rules B2, B4 and B5: four labelled times, each with its bound; the repeated hour twice; unknown is written unknown."""
    twice = next(e for e in report.events if len(e["utc"]) == 2)
    tab = watched.open(report, f"events?e={twice['id']}")
    table = tab.inner_text(".times")
    for words in (
        "Stream",
        "Displayed",
        "Corrected",
        "UTC (either)",
        "UTC (or)",
        "± 1 s",
        "± 1.5 s",
        "clocks went back",
        "FAST; subtract",
    ):
        assert words in table
    assert f"PTS {twice['start_pts']} to {twice['end_pts']} in 1/90000 s" in table
    unknown = next(e for e in report.events if not e["utc"])
    tab.goto(f"{report.url}#events?e={unknown['id']}")
    until(tab, f"document.getElementById('card-title').textContent === '{unknown['id']}'")
    assert tab.locator(".times td", has_text="unknown").count() == 3


@pytest.mark.browser
def test_the_card_names_files_hashes_and_what_is_missing(watched: Watched, report: Report) -> None:
    """Rules D1 to D3 as the reader sees them: copies and stills with their hashes, the viewing copy called one."""
    event = next(e for e in report.events if e["copy"])
    tab = watched.open(report, f"events?e={event['id']}", permissions=["clipboard-read", "clipboard-write"])
    card = tab.inner_text("#card")
    for words in (
        event["exhibit_sha256"],
        event["copy"]["sha256"],
        event["still"]["sha256"],
        "re-encoded, for looking at only",
        "89 packets",
    ):
        assert words in card
    hrefs = tab.eval_on_selector_all("#card a", "(links) => links.map((a) => a.getAttribute('href'))")
    assert hrefs == [
        f"evidence/{event['id']}_copy.mp4",
        f"evidence/{event['id']}_copy.json",
        f"evidence/{event['id']}.png",
        f"evidence/{event['id']}.json",
        f"view/{event['id']}_VIEW.mp4",
    ]
    tab.get_by_role("button", name="Copy SHA-256 of the evidential copy").click()
    until(tab, "document.getElementById('notice').textContent.includes('copied')")
    assert tab.evaluate("navigator.clipboard.readText()") == event["copy"]["sha256"]
    lost = next(e for e in report.events if e["missing"])
    tab.goto(f"{report.url}#events?e={lost['id']}")
    until(tab, f"document.getElementById('card-title').textContent === '{lost['id']}'")
    assert lost["missing"] in tab.inner_text("#card")
    tab.keyboard.press("j")
    # the drawing lies over the picture, not in it
    assert tab.locator(".overlay polyline.course").count() == 1
    tab.get_by_role("checkbox", name="Path").uncheck()
    assert tab.locator(".overlay").count() == 0


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
            '{"vidreview_marks": 1, "report": "other", "reviewer": "C", "marks": [{"event": "E9999"}, null, {"event": "E0001", "exhibit_sha256": "0", "stream": 0, "start_pts": 1, "class": "person", "state": "relevant", "note": null, "at_utc": "2026-01-01T00:00:00Z"}]}',
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


@pytest.mark.browser
def test_cameras_share_one_axis_and_unknown_clocks_stand_apart(watched: Watched, report: Report) -> None:
    tab = watched.open(report)
    charts = tab.locator("#timeline .chart")
    assert charts.count() == 2
    assert charts.nth(0).locator(".lane").count() == 4
    assert "Time of day unknown" in charts.nth(1).inner_text()
    for state, number in (("analysed", 15), ("gap", 5), ("undecodable", 5), ("not_requested", 5)):
        assert tab.locator(f"#timeline .span.{state}").count() == number
    assert tab.locator("#timeline path.trouble").count() == 10
    # five cameras begin ten minutes apart, and so do their bars
    starts = tab.eval_on_selector_all(
        "#timeline .chart:first-child .lane",
        "(lanes) => lanes.map((l) => Number(l.querySelector('.span').getAttribute('x')))",
    )
    gaps = [b - a for a, b in zip(starts, starts[1:], strict=False)]
    assert gaps[0] == pytest.approx(gaps[1] / 2, abs=0.5), "camera 3 has no clock: camera 4 begins twenty minutes later"
    before = tab.inner_text("#timeline .chart:first-child .chart-head span")
    tab.get_by_role("button", name="UTC", exact=True).click()
    assert tab.inner_text("#timeline .chart:first-child .chart-head span") != before
    tab.get_by_role("button", name="Zoom in").first.click()
    assert tab.inner_text("#timeline .chart:first-child .chart-head span") != before


@pytest.mark.browser
def test_a_clock_that_was_set_begins_anew_on_the_axis(watched: Watched, tmp_path: Path) -> None:
    facts, events = sample(Shape(12, 1, unknown=(), names=()))
    stream = facts["streams"][0]
    start, hour = stream["clock"]["shown_start_ms"], 3_600_000
    # after two hours somebody set the recorder's clock on by a day; of the last hour it is not known when it was
    stream["clock"]["segments"] = [
        {"start_s": 0.0, "end_s": 7200.0, "shown_ms": start, "corrected_ms": None, "utc_ms": None},
        {"start_s": 7200.0, "end_s": 10800.0, "shown_ms": start + 26 * hour, "corrected_ms": None, "utc_ms": None},
        {"start_s": 10800.0, "end_s": 14400.0, "shown_ms": None, "corrected_ms": None, "utc_ms": None},
    ]
    stream["spans"] = [
        {"state": "analysed", "start_s": -0.5, "end_s": 10800.0},
        {"state": "unknown", "start_s": 10800.0, "end_s": 14400.0},
    ]
    stream["problems"] = []
    stream["spans_words"] = "4.2 s undecodable, somewhere in it"
    clocked = Report(write(tmp_path / "r", facts, events), facts, events)
    tab = watched.open(clocked)
    bars = tab.eval_on_selector_all(
        "#timeline .span",
        "(all) => all.map((bar) => [Number(bar.getAttribute('x')), Number(bar.getAttribute('width'))])",
    )
    assert len(bars) == 2
    (first, long), (second, short) = bars
    assert second - first == pytest.approx(2000 * 26 / 27, abs=2)
    assert long == pytest.approx(2 * short, rel=0.02)
    text = tab.locator("#coverage").evaluate("(part) => part.textContent")
    assert "4.2 s undecodable, somewhere in it" in text
    assert "not known where" in tab.inner_text(".legend")


@pytest.mark.browser
def test_the_axis_leads_to_events_by_key_click_and_drag(watched: Watched, report: Report) -> None:
    tab = watched.open(report)
    chart = tab.locator("#timeline .chart").first
    chart.focus()
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    words = chart.locator("p").inner_text()
    tab.keyboard.press("Enter")
    assert tab.locator("#events").is_visible()
    assert words.startswith(tab.inner_text("#card-title"))
    tab.evaluate("vidreview.go('overview')")
    lane = chart.locator(".lane svg").nth(1)
    box = lane.bounding_box()
    assert box is not None
    tab.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
    tab.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    tab.mouse.up()
    told = re.search(r"(\d+) events?", chart.locator(".picked").inner_text())
    assert told
    assert int(told.group(1)) > 3
    tab.get_by_role("button", name="List them").click()
    assert shown(tab).startswith(f"{told.group(1)} of")
    event = next(e for e in report.events if e["stream"] == 1 and e["end_s"] - e["start_s"] > 200)
    tab.evaluate("vidreview.go('overview')")
    box = lane.bounding_box()
    assert box is not None
    low, high = 1_773_478_800_000, 1_773_478_800_000 + 2_400_000 + 4 * 3_600_000
    middle = ((event["shown"][0] + event["shown"][1]) / 2 - low) / (high - low)
    tab.mouse.click(box["x"] + box["width"] * middle, box["y"] + 20)
    assert tab.locator("#events").is_visible()
    opened = next(e for e in report.events if e["id"] == tab.inner_text("#card-title"))
    assert opened["stream"] == 1
    assert opened["shown"][0] <= (event["shown"][0] + event["shown"][1]) / 2 <= opened["shown"][1] + 60_000


@pytest.mark.browser
def test_charts_have_tables_and_agree_with_the_data(watched: Watched, report: Report) -> None:
    tab = watched.open(report)
    tab.locator("#activity-table").evaluate("(table) => table.closest('details').open = true")
    rows = tab.locator("#activity-table tbody tr")
    hours: dict[int, float] = {}
    for stream in report.facts["streams"]:
        for each in stream["activity_by_hour"] or []:
            hours[each["hour"]] = hours.get(each["hour"], 0) + each["person"]
    assert rows.count() == len(range(min(hours), max(hours) + 1, 3_600_000))
    assert tab.locator("#activity rect.k-person").count() == sum(value > 0 for value in hours.values())
    tall = tab.eval_on_selector_all(
        "#activity rect.k-person", "(bars) => bars.map((bar) => Number(bar.getAttribute('height')))"
    )
    values = [value for _, value in sorted(hours.items()) if value > 0]
    assert [h / tall[0] for h in tall] == pytest.approx([v / values[0] for v in values], rel=0.01)
    tab.select_option(
        "#activity-of",
        label=next(t for t in tab.locator("#activity-of option").all_inner_texts() if "hours of the stream" in t),
    )
    assert "Hour of the stream" in tab.inner_text("#activity-table")
    tab.locator("#heat-strength").fill("20")
    assert tab.locator("img.heat").first.evaluate("(image) => getComputedStyle(image).opacity") == "0.2"
    assert (tab.locator("img.heat").first.get_attribute("alt") or "").startswith("Yellow where")
    legend = tab.locator(".scale-of-map").first
    assert legend.locator("rect").count() == 3
    assert legend.inner_text().split("\n") == ["4.1 s", "41.0 s"]


@pytest.mark.browser
def test_the_synopsis_shows_a_day_in_order(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "synopsis")
    known = sorted((e for e in report.events if e["shown"]), key=lambda e: e["shown"][0])
    assert f"{len(known)} events" in tab.inner_text("#day option >> nth=0")
    cells = tab.eval_on_selector_all(
        "#sheet button.cell",
        "(cells) => cells.map((c) => [c.getBoundingClientRect().top, c.getBoundingClientRect().left, c.id.slice(5)]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((c) => c[2])",
    )
    assert cells == [e["id"] for e in known[: len(cells)]]
    assert 10 < len(cells) <= len(known)
    tab.keyboard.press("ArrowRight")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.id") == f"cell-{known[1]['id']}"
    mark_as(tab, "2")
    assert tab.evaluate(f"vidreview.marks.of('{known[1]['id']}').state") == "not relevant"
    assert "not relevant" in (tab.get_attribute(f"#cell-{known[1]['id']}", "aria-label") or "")
    tab.keyboard.press("]")
    assert "Time of day unknown" in tab.locator("#day option:checked").inner_text()
    tab.keyboard.press("[")
    tab.keyboard.press("ArrowRight")
    opened = tab.evaluate("document.activeElement.id").removeprefix("cell-")
    tab.keyboard.press("Enter")
    assert tab.inner_text("#card-title") == opened


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_narrow_screen(watched: Watched, report: Report, scheme: str) -> None:
    tab = watched.open(report, size=NARROW, scheme=scheme)
    for view in VIEWS:
        tab.evaluate(f"vidreview.go('{view}')")
        assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW[0], view
    tab.evaluate("vidreview.go('events')")
    assert not tab.locator("#card").is_visible()
    tab.click("#list .row >> nth=1")
    assert tab.locator("#card").is_visible()
    assert not tab.locator("#list").is_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW[0]
    tab.click(".back")
    assert tab.locator("#list").is_visible()


@pytest.mark.browser
@pytest.mark.parametrize(
    ("events", "cameras", "unknown"), [(0, 1, ()), (0, 0, ()), (1, 1, (0,)), (1, 16, ()), (60, 3, (0, 1, 2))]
)
def test_few_events_and_many_cameras(
    watched: Watched, tmp_path: Path, events: int, cameras: int, unknown: tuple[int, ...]
) -> None:
    """Rule E1: a report without events does not say that nothing happened."""
    small = _report(tmp_path / "r", Shape(events, cameras, unknown=unknown))
    tab = watched.open(small)
    for view in VIEWS:
        tab.evaluate(f"vidreview.go('{view}')")
        assert tab.evaluate("document.documentElement.scrollWidth") <= DESKTOP[0]
    tab.evaluate("vidreview.go('events')")
    if events:
        assert tab.inner_text("#card-title") == "E0001"
    else:
        assert "That says nothing of what happened" in tab.inner_text("#empty")
        tab.keyboard.press("j")
        tab.keyboard.press("1")
        assert tab.evaluate("vidreview.marks.here()") == 0


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "content"),
    [("events.js", None), ("events.js", b"window.VIDREVIEW_EVENTS = [{"), ("case.js", b"window.VIDREVIEW = {}")],
)
def test_a_damaged_disc_is_named_and_the_record_stays(
    browser: Browser, tmp_path: Path, name: str, content: bytes | None
) -> None:
    broken = _report(tmp_path / "r", Shape(5, 1))
    target = broken.page.parent / "data" / name
    if content is None:
        target.unlink()
    else:
        target.write_bytes(content)
    context = browser.new_context(offline=True)
    tab = context.new_page()
    tab.goto(broken.url)
    tab.wait_for_selector("html[data-ready=failed]")
    assert f"data/{name} is missing or damaged" in tab.inner_text("#notice")
    assert tab.locator("#record").is_visible()
    assert "Coverage ledger" in tab.inner_text("#record")
    context.close()


@pytest.mark.browser
def test_events_that_were_lost_are_counted(watched: Watched, tmp_path: Path) -> None:
    facts, events = sample(Shape(20, 1, unknown=()))
    short = Report(write(tmp_path / "r", facts, events[:18]), facts, events[:18])
    tab = watched.open(short)
    assert "holds 18 events, but the report was made with 20" in tab.inner_text("#notice")


def _pdf_pages(path: Path) -> list[str]:
    from pypdf import PdfReader

    with path.open("rb") as file:
        return [each.extract_text() for each in PdfReader(file).pages]


@pytest.mark.browser
def test_paper_has_what_is_shown_and_says_how_many(watched: Watched, report: Report, tmp_path: Path) -> None:
    tab = watched.open(report, "events?class=vehicle&label=bus", scheme="dark")
    wanted = numbers(tab)
    tab.pdf(path=tmp_path / "r.pdf", prefer_css_page_size=True)
    pages = _pdf_pages(tmp_path / "r.pdf")
    text = "\n".join(pages)
    assert f"{len(wanted)} events of 120 shown" in text
    assert "Filtered by class vehicle; label bus." in text
    for event in wanted:
        # a card is never split: its number and its hash's label stand on one page
        assert len([p for p in pages if re.search(rf"\b{event}\b.*bus", p)]) == 1, event
    for words in ("Coverage ledger", "Limits of the method", "Printed ", f"1 / {len(pages)}"):
        assert words in text
    assert len(wanted) / 4 < len(pages) < len(wanted) + 12
    # afterwards the page is as before
    assert tab.locator("#paper > *").count() == 0


@pytest.mark.browser
def test_printing_everything_is_bounded_and_said(watched: Watched, tmp_path: Path) -> None:
    large = _report(tmp_path / "r", Shape(600, 2, unknown=(), names=()))
    tab = watched.open(large, "events")
    tab.evaluate("window.print = () => { window.asked = document.querySelectorAll('#paper .printed').length; }")
    tab.keyboard.press("Control+p")
    assert "600 events shown" in tab.inner_text("#printing")
    tab.fill("#print-most", "25")
    tab.check("#print-synopsis")
    tab.click("#print-go")
    until(tab, "window.asked === 25")
    assert "first 25 of 600" in tab.locator("#paper").evaluate("(paper) => paper.textContent")
    assert tab.locator("#paper .contacts figure").count() == 125
    assert tab.eval_on_selector_all(
        "#paper .printed img", "(all) => all.every((image) => image.complete && image.naturalWidth > 0)"
    )


_NAMELESS = """() => [...document.querySelectorAll('button, a, input, select, textarea, summary, video, [role=listbox], [tabindex="0"], svg[role=img]')]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute('aria-label') || '').trim() && !(e.labels && [...e.labels].some((l) => l.textContent.trim()))
    && !(['BUTTON', 'A', 'SUMMARY'].includes(e.tagName) && e.textContent.trim()) && !e.getAttribute('aria-labelledby'))
  .map((e) => e.outerHTML.slice(0, 200))"""

_CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const lum = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((s, v, k) => s + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !e.checkVisibility() || e.closest('.unseen, svg, button:disabled, option, noscript')) continue;
    const style = getComputedStyle(e), a = lum(parse(style.color)), b = lum(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) found.push([ratio.toFixed(2), e.className, walker.currentNode.textContent.slice(0, 40)]);
  }
  return found;
}"""


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_and_name_it(watched: Watched, report: Report, scheme: str) -> None:
    """Contrast of every visible text at least 4.5 (WCAG AA), a name for every control, alternative text for every picture."""
    tab = watched.open(report, scheme=scheme)
    for view in VIEWS:
        tab.evaluate(f"vidreview.go('{view}')")
        if view == "events":
            mark_as(tab, "1")
            tab.fill("#f-from", "nonsense")
            tab.get_by_role("button", name="Viewing clip").click()
        assert tab.evaluate(_CONTRAST) == [], view
        assert tab.evaluate(_NAMELESS) == [], view
        assert tab.locator("img:not([alt])").count() == 0
    tab.evaluate("vidreview.go('events')")
    tab.get_by_role("button", name="Still", exact=True).click()
    assert re.match(r"Best still of \w+ on .+ stream time .+ pixels", tab.get_attribute(".frame img", "alt") or "")
    assert "circle where it begins" in (tab.get_attribute(".overlay", "aria-label") or "")
    tab.keyboard.press("?")
    assert tab.evaluate(_CONTRAST) == []
    assert tab.get_attribute("html", "lang") == "en"
    levels = tab.eval_on_selector_all(
        "h1, h2, h3", "(all) => all.filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1]))"
    )
    assert all(b - a <= 1 for a, b in zip(levels, levels[1:], strict=False))


@pytest.mark.browser
def test_colours_can_be_chosen(watched: Watched, report: Report) -> None:
    tab = watched.open(report, scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(ground)
    tab.click("#theme")
    assert tab.evaluate(ground) == light
    tab.click("#theme")
    assert tab.evaluate(ground) == "rgb(19, 22, 24)"
    tab.reload()
    assert tab.evaluate(ground) == "rgb(19, 22, 24)"


@pytest.mark.browser
def test_ten_thousand_events_open_in_two_seconds_and_filter_in_a_fifth(watched: Watched, tmp_path: Path) -> None:
    """Best of several, so that a busy machine does not count; the rows that exist are those in sight."""
    large = _report(tmp_path / "r", Shape(10_000, 8, hours=24.0))
    opened, worked = [], []
    for _ in range(4):
        context = watched.browser.new_context(viewport={"width": 1440, "height": 900}, offline=True)
        tab = context.new_page()
        meter = context.new_cdp_session(tab)
        meter.send("Performance.enable", {"timeDomain": "threadTicks"})
        began = time.perf_counter()
        tab.goto(f"{large.url}#events", wait_until="commit")
        tab.wait_for_selector("html[data-ready=yes]")
        tab.wait_for_selector("#rows .row img")
        opened.append(time.perf_counter() - began)
        metrics = {each["name"]: each["value"] for each in meter.send("Performance.getMetrics")["metrics"]}
        worked.append(metrics["TaskDuration"])
        context.close()
    if os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        # others keep the machine busy, so the clock on the wall says nothing of the page; its own work still does
        assert min(worked) < 1.0, worked
    else:
        assert min(opened) < 2.0, opened
    tab = watched.open(large, "events")
    assert tab.locator("#rows .row").count() < 40
    act = "(value) => { const field = document.getElementById('f-q'), began = performance.now(); field.value = value; field.dispatchEvent(new Event('input')); document.body.getBoundingClientRect(); return performance.now() - began; }"
    for texts in (("e00", "e01", "e02", "e03"), ("person", "bus", "car", "truck"), ("", "x", "", "x")):
        assert min(tab.evaluate(act, text) for text in texts) < 200, texts
    tab.click("#reset")
    region = "() => { const began = performance.now(); vidreview.state().region = { camera: 0, points: [[0.2, 0.2], [0.7, 0.2], [0.7, 0.8]] }; document.getElementById('f-q').dispatchEvent(new Event('input')); document.body.getBoundingClientRect(); return performance.now() - began; }"
    assert min(tab.evaluate(region) for _ in range(4)) < 200
    assert 0 < len(numbers(tab)) < 2000
    tab.click("#reset")
    tab.evaluate("vidreview.go('synopsis')")
    assert tab.locator("#sheet button.cell").count() < 400
    tab.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    last = max(
        (e for e in large.events if e["shown"] and e["shown"][0] < 1_773_532_800_000), key=lambda e: e["shown"][0]
    )
    tab.wait_for_selector(f"#cell-{last['id']}")
