"""The report's page in Chromium: opened from disc without a network, filtered, stepped through, played."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browsing import VIEWS, Report, Watched, made, numbers, shown, until
from tests.report_samples import HOSTILE, Shape, sample
from vidreview.report import page

if TYPE_CHECKING:
    pass


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
        """() => {
            const style = document.createElement('style');
            style.textContent = 'body { color: rgb(9, 9, 9) }';
            document.head.append(style);
        }"""
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
        for (ax, ay), (bx, by) in pairwise(feet):
            for k in range(101):
                if _in_polygon(points, ax + (bx - ax) * k / 100, ay + (by - ay) * k / 100):
                    return True
    return False


#: narrower than the way from one stored point to the next, so that only the line between them meets it
SLIT = [(0.45, 0.0), (0.453, 0.0), (0.453, 1.0), (0.45, 1.0)]
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
    ("region=0!" + ",".join(f"{v}" for p in SLIT for v in p), lambda e, s: s["camera"] == 0 and _through(e, SLIT)),
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
def test_back_leads_to_the_view_before(watched: Watched, report: Report) -> None:
    tab = watched.open(report, "overview")
    tab.click("nav a[href='#synopsis']")
    tab.locator("#sheet button.cell").first.click()
    assert tab.locator("#events").is_visible()
    tab.go_back()
    until(tab, "document.body.dataset.view === 'synopsis'")
    tab.go_back()
    until(tab, "document.body.dataset.view === 'overview'")


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
                """(() => {
                    const at = document.activeElement;
                    return at === document.body ? 'end' : at.outerHTML.slice(0, 160);
                })()"""
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
    broken = made(tmp_path / "r", Shape(3, 1, unknown=()))
    clip = broken.events[0]["clip"]["src"]
    (broken.page.parent / clip).write_bytes(b"no film at all")
    tab = watched.open(broken, "events")
    tab.get_by_role("button", name="Viewing clip").click()
    until(tab, "document.querySelector('.reading').textContent.includes('cannot play')")
    assert clip in tab.inner_text(".reading")


@pytest.mark.browser
def test_times_are_four_and_two_candidates_are_two(watched: Watched, report: Report) -> None:
    """Rules B2, B4 and B5: four labelled times with their bounds; the repeated hour twice; unknown written unknown."""
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
