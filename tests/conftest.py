"""What the tests share: real footage, odd recordings made once, the model, the command line in-process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browsing import Report, Watched

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@dataclass(frozen=True)
class Result:
    """What a command did."""

    status: int
    out: str
    err: str


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder of real clips, ../shared/footage."""
    if not (SHARED / "footage" / "truth.json").exists():
        pytest.skip("no ../shared/footage beside this checkout: real clips not tested")
    return SHARED / "footage"


@pytest.fixture(scope="session")
def shared(footage: Path) -> Path:
    """../shared, with footage, mot and tools."""
    return footage.parent


@pytest.fixture(scope="session")
def odd_files(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the 26 odd or damaged recordings of ../shared/tools/make_odd.py."""
    folder = tmp_path_factory.mktemp("odd")
    source = shared / "footage" / "clips" / "one-by-one-person-detection.mp4"
    subprocess.run(
        [sys.executable, str(shared / "tools" / "make_odd.py"), str(source), str(folder)],
        check=True,
        capture_output=True,
        timeout=600,
    )
    return folder


@pytest.fixture(scope="session")
def model_path() -> Path:
    """YOLO26n as ONNX, as `vidreview model fetch yolo26n` left it."""
    from vidreview.detect.weights import installed_model

    path = installed_model("yolo26n")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI must run `vidreview model fetch yolo26n` before the tests")
        pytest.skip("YOLO26n is not installed: run `vidreview model fetch yolo26n`")
    return path


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Runs `vidreview ARGS…` in this process."""
    from vidreview.cli import run

    def call(*args: str | Path) -> Result:
        capfd.readouterr()
        status = run([str(a) for a in args])
        out, err = capfd.readouterr()
        return Result(status, out, err)

    return call


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless; one for each module, so that its event loop is gone when the next one runs."""
    from tests.browsing import ARGS, CHROMIUM

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
    """A report of 120 synthetic events, hostile names among them, whose first clip is a real one."""
    from tests.browsing import made
    from tests.report_samples import Shape, h264

    folder = tmp_path_factory.mktemp("report")
    return made(folder / "report", Shape(120, 5, unknown=(2,)), h264(folder / "clip.mp4"))


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """Windows of the browser; what they complained of, or asked for outside the report's folder, fails the test."""
    from tests.browsing import Watched

    watch = Watched(browser, [], [])
    yield watch
    for context in watch.contexts:
        context.close()
    assert watch.trouble == []


@pytest.fixture(autouse=True)
def no_errors_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test may pass while something logs an ERROR of ours."""
    yield
    errors = [r for r in caplog.get_records("call") if r.levelno >= logging.ERROR and r.name.startswith("vidreview")]
    assert not errors, errors
