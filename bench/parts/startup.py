"""How soon the first events of a long film are known, and how their number grows with time."""

from __future__ import annotations

import contextlib
import io
import json
import math
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.footage import Setting, truth_of
from bench.measure import BenchError, alternate, child, median, tell
from bench.parts.tools import vidreview
from bench.report import Claim, Part, Table, number

#: seconds between two looks at the case
EVERY_S = 0.5
#: shares of the true events whose times are given
SHARES = (0.25, 0.5, 0.75, 1.0)

IN_ORDER, BEST_FIRST = "in order", "best first"

#: (seconds since the start, events known, true events found)
Curve = list[tuple[float, int, int]]


def measure(setting: Setting) -> Part:
    """A film of an hour, in order and best first."""
    film = setting.film(60)
    truth = truth_of(setting, film)["events"]
    ways: dict[str, tuple[str, ...]] = {IN_ORDER: ()}
    notes = [
        f"The case is read every {EVERY_S:g} s while the scan runs, on the same processor; a time is that of the first "
        "reading that shows it.",
        "A true event is found when an event of its class, or of class motion, overlaps it by half of the shorter.",
    ]
    if knows_order():
        ways[BEST_FIRST] = ("--order", "best-first")
    else:
        notes.append("This version of the scan has no `best-first` order: only the scan in order was measured.")
    tell("startup: 60 minutes")
    curves = alternate(setting.runs, {name: partial(watch, setting, film, more, truth) for name, more in ways.items()})
    claims = []
    if BEST_FIRST in curves:
        for share in (0.5, 1.0):
            value = _median_time(curves[BEST_FIRST], share, len(truth))
            bound = _median_time(curves[IN_ORDER], share, len(truth))
            what = f"time to {100 * share:.0f} % of the true events of an hour, best first"
            claims.append(Claim(what, value, bound, "lower", " s", "the scan in order"))
        value, bound = _end(curves[BEST_FIRST]), _end(curves[IN_ORDER])
        what = "time of the whole scan of an hour, best first"
        claims.append(Claim(what, value, bound, "lower", " s", "the scan in order"))
    return Part(
        title="Start-up: events against time",
        about="One film of 60 minutes. How long after the start of the command the first event is in the case, and how "
        "long until so many of the true events are.",
        runs=setting.runs,
        tables=(_times(curves, len(truth)), _growth(curves, len(truth))),
        claims=tuple(claims),
        commands=(
            *(" ".join(("vidreview scan FILM --case CASE --quiet", *more)) for more in ways.values()),
            "vidreview events --json --case CASE",
        ),
        notes=tuple(notes),
        figures={"true_events": len(truth), "curves": curves},
    )


def knows_order() -> bool:
    """Whether the scan has the order best-first."""
    return "best-first" in child([vidreview(), "scan", "--help"]).out


def watch(setting: Setting, film: Path, more: Sequence[str], truth: Sequence[Mapping[str, Any]]) -> Curve:
    """Scan a film and look into the case all the while."""
    setting.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="case-", dir=setting.work) as folder:
        case = Path(folder) / "case"
        command = [str(vidreview()), "scan", str(film), "--case", str(case), "--quiet", *more]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        curve: Curve = [(0.0, 0, 0)]
        try:
            over = False
            while not over:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(EVERY_S)
                over = process.poll() is not None
                seconds = time.perf_counter() - began
                events = known(case)
                curve.append((seconds, len(events), found(events, truth)))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        if process.returncode:
            raise BenchError(f"the scan of {film.name} ended with status {process.returncode}")
        return curve


def known(case: Path) -> list[dict[str, Any]]:
    """What `vidreview events --json` prints of a case now; nothing before there is one."""
    from vidreview.cli import run

    out = io.StringIO()
    # in this process: starting another for every look would take the scan's processor time
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = run(["events", "--json", "--case", str(case)])
    return list(json.loads(out.getvalue())) if status == 0 else []


def found(events: Sequence[Mapping[str, Any]], truth: Sequence[Mapping[str, Any]]) -> int:
    """How many true events are found, by the rule of score_events.py."""
    return sum(any(_hits(event, true) for event in events) for true in truth)


def _hits(event: Mapping[str, Any], true: Mapping[str, Any]) -> bool:
    both = min(event["end_s"], true["end_s"]) - max(event["start_s"], true["start_s"])
    shorter = max(0.1, min(event["end_s"] - event["start_s"], true["end_s"] - true["start_s"]))
    return event["class"] in (true["class"], "motion") and both >= 0.5 * shorter


def time_to(curve: Curve, count: int) -> float:
    """Seconds until so many true events were found; not a number when that never was."""
    return next((seconds for seconds, _, hit in curve if hit >= count), math.nan)


def _median_time(curves: Sequence[Curve], share: float, true: int) -> float:
    times = [time_to(curve, max(1, round(share * true))) for curve in curves]
    return median(times) if all(map(math.isfinite, times)) else math.nan


def _end(curves: Sequence[Curve]) -> float:
    return median([curve[-1][0] for curve in curves])


def _first(curves: Sequence[Curve]) -> float:
    times = [next((seconds for seconds, events, _ in curve if events), math.nan) for curve in curves]
    return median(times) if all(map(math.isfinite, times)) else math.nan


def _times(curves: Mapping[str, Sequence[Curve]], true: int) -> Table:
    rows = []
    for way, runs in curves.items():
        times = [_median_time(runs, share, true) for share in SHARES]
        rows.append((way, number(_first(runs)), *map(number, times), number(_end(runs))))
    head = ("order", "first event, s", *(f"{100 * share:.0f} % of {true}, s" for share in SHARES), "whole scan, s")
    return Table(head, tuple(rows))


def _growth(curves: Mapping[str, Sequence[Curve]], true: int) -> Table:
    """The curve: true events found after each tenth of the scan's time, of the first run."""
    tenths = [k / 10 for k in range(1, 11)]
    rows = []
    for way, runs in curves.items():
        curve = runs[0]
        end = curve[-1][0]
        rows.append((way, *(str(max(hit for s, _, hit in curve if s <= share * end + 1e-9)) for share in tenths)))
    head = ("order", *(f"{100 * share:.0f} %" for share in tenths))
    return Table(head, tuple(rows), f"True events found, of {true}, after so much of the scan's time (first run):")
