"""How tests drive the report's page: Chromium, from disc, the network off, every request and complaint noted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.report_samples import Shape, sample, write

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

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


def made(folder: Path, shape: Shape, clip: Path | None = None) -> Report:
    facts, events = sample(shape)
    return Report(write(folder, facts, events, clip=clip), facts, events)


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
        if scripted(tab):
            tab.wait_for_selector("html[data-ready=yes]")
        return tab

    def _look(self, url: str, home: str) -> None:
        if not url.startswith(home) and not url.startswith("blob:null/"):
            self.trouble.append(f"asked for {url}")


def scripted(tab: Page) -> bool:
    """Whether scripts run in it."""
    return bool(tab.locator("html.js").count())


def until(tab: Page, truth: str, seconds: float = 20.0) -> None:
    """Wait until an expression is true; Playwright's own waiting evaluates text, which the page's policy forbids."""
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
