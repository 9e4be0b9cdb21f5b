"""How fast a large case is searched: `python bench/search.py` makes one of ten million detections and asks it.

The case is made through the project's own writers, so that it is one in every respect but that nothing was filmed:
cameras of which each has files of an hour, in which persons, vehicles and other things walk, drive and stand. It takes
some minutes and 2 GB; ``--case DIR`` keeps it for the next time. Queries are asked of a ``Reader`` opened anew each
time, as a command does; what is printed are medians, with the files in the system's cache.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from vidreview.clocks import wall_clock
from vidreview.index import Case, DetectionRow, EventQuery, Identity, Reader
from vidreview.index.clocks import Statement
from vidreview.index.observe import add_observation
from vidreview.model import Coverage, Event, MediaTime, Point, Span, StreamInfo, Track
from vidreview.shapes import parse_line, parse_region

WIDTH, HEIGHT, RATE = 1280, 720, 10
BASE = Fraction(1, 12800)
#: points of a track on average, and seconds of a file
POINTS, LENGTH = 50, 3600.0
FIRST_DAY = datetime(2024, 3, 1)  # noqa: DTZ001 - a recorder's own clock
RECORD: dict[str, Any] = {"settings_sha256": "0" * 64, "model_sha256": "1" * 64, "version": "bench", "settings": "{}"}


def build(folder: Path, detections: int, files: int, tell: Callable[[str], object] = lambda _: None) -> None:
    """Make a case of about so many detections in so many files of an hour each."""
    random = np.random.default_rng(7)
    tracks = max(1, detections // files // POINTS)
    begun = time.perf_counter()
    with Case.open(folder, create=True) as case:
        run = case.begin_run(RECORD)
        for number in range(files):
            name = f"cam{number % 8 + 1}/{number // 8:04d}.mp4"
            identity = Identity(name, Path("/evidence") / name, 1 << 30, 0, f"{number:064x}")
            exhibit = case.begin_exhibit(run, identity)
            stream = case.add_stream(exhibit, _stream())
            found = sorted(_tracks(random, tracks), key=lambda one: one.points[0].seconds)
            case.add_detections(stream, _detections(found))
            rows = case.add_tracks(stream, found)
            case.add_events(stream, [_event(one, k) for k, one in enumerate(found)], rows)
            case.set_coverage(stream, Coverage(BASE, int(LENGTH / BASE), 0, 0, 0, int(LENGTH * RATE), 0, 0, 9000))
            case.finish_exhibit(exhibit)
            case.number(exhibit)
            begins = FIRST_DAY + timedelta(hours=number // 8)
            said = Statement(shown=begins, uncertainty=10**6, by="bench", at=0, zone="Europe/London")
            add_observation(case, name, said, 0, lambda facts: None)
            if number % 16 == 15:
                tell(f"{number + 1} of {files} files, {time.perf_counter() - begun:.0f} s")
        case.finish_run(run, "done", {})
    shutil.copyfile(Path(__file__), folder / "made-by-bench.py")
    tell(f"made in {time.perf_counter() - begun:.0f} s, {(folder / 'case.db').stat().st_size / 1e6:.0f} MB")


def _stream() -> StreamInfo:
    return StreamInfo(
        index=0,
        codec="h264",
        pixel_format="yuv420p",
        width=WIDTH,
        height=HEIGHT,
        rotation=0,
        sample_aspect=Fraction(1),
        time_base=BASE,
        start_pts=0,
        declared_rate=Fraction(RATE),
        measured_rate=float(RATE),
        variable_rate=False,
        duration_s=LENGTH,
        packets=int(LENGTH * RATE),
    )


def _tracks(random: np.random.Generator, count: int) -> Iterator[Track]:
    """Objects that enter, go and leave, or stand; half of them persons."""
    for _ in range(count):
        label = str(random.choice(["person", "car", "motion"], p=[0.5, 0.3, 0.2]))
        points = int(np.clip(random.exponential(POINTS), 3, 20 * POINTS))
        first = int(random.integers(0, int(LENGTH * RATE) - points))
        height = float(random.uniform(20, 200))
        width = height * (0.4 if label == "person" else 1.8)
        start = random.uniform((0, 0), (WIDTH, HEIGHT))
        speed = 0.0 if random.random() < 0.1 else height * random.uniform(0.2, 1.5) / RATE
        angle = random.uniform(0, 2 * np.pi)
        steps = np.arange(points)[:, None] * speed * np.array([np.cos(angle), np.sin(angle)])
        feet = np.clip(start + steps + random.normal(0, 1, (points, 2)), (0, 0), (WIDTH, HEIGHT))
        boxes = np.stack([feet[:, 0] - width / 2, feet[:, 1] - height, feet[:, 0] + width / 2, feet[:, 1]], axis=1)
        scores = random.uniform(0.3, 0.95, points)
        moving = label == "motion"
        course = tuple(
            Point(
                first + k,
                (first + k) * 1280,
                (first + k) / RATE,
                (box[0], box[1], box[2], box[3]),
                "motion" if moving else "detected",
                None if moving else score,
                None if moving else label,
            )
            for k, (box, score) in enumerate(zip(boxes.tolist(), scores.tolist(), strict=True))
        )
        kind: Any = {"person": "person", "car": "vehicle", "motion": "motion"}[label]
        yield Track(kind, label, course, None if moving else float(scores.mean()), 0 if moving else points, speed == 0)


def _detections(tracks: Sequence[Track]) -> list[DetectionRow]:
    rows = [
        DetectionRow(p.frame, p.pts, p.seconds, *p.box, p.score or 0.2, p.label or "person", "frame")
        for track in tracks
        for p in track.points
    ]
    return sorted(rows, key=lambda row: row.seconds)


def _event(track: Track, number: int) -> Event:
    first, last = track.points[0], track.points[-1]
    start, end = MediaTime(first.pts, BASE), MediaTime(last.pts, BASE)
    span = Span(start, end, first.seconds, last.seconds)
    return Event(track.event_class, track.label, span, start, first.seconds, 1, (number,), track.score)


def queries() -> dict[str, EventQuery]:
    """What is asked, by name."""
    door = parse_region("40%,60%,50%,60%,50%,75%,40%,75%", "--region")
    half = parse_region("0%,0%,50%,0%,50%,100%,0%,100%", "--region")
    slanted = parse_region("20%,10%,80%,30%,70%,90%,10%,70%", "--region")
    line = parse_line("0%,50%,100%,55%", "--crosses")
    persons: dict[str, Any] = {"classes": ("person",)}
    hour: dict[str, Any] = {
        "first_time": wall_clock(FIRST_DAY + timedelta(minutes=15)),
        "last_time": wall_clock(FIRST_DAY + timedelta(minutes=75)),
    }
    night = ((23 * 3600 * 10**6, 6 * 3600 * 10**6),)
    minutes: dict[str, Any] = {"since_s": 600.0, "until_s": 1200.0}
    return {
        "door + person + ten minutes of each stream": EventQuery(regions=(door,), **persons, **minutes),
        "door + person + an hour of the day displayed": EventQuery(regions=(door,), **persons, **hour),
        "door + person + displayed 23:00-06:00": EventQuery(regions=(door,), **persons, times_of_day=night),
        "half the picture + person + ten minutes of each": EventQuery(regions=(half,), **persons, **minutes),
        "half the picture + person + an hour displayed": EventQuery(regions=(half,), **persons, **hour),
        "slanted shape + vehicle + ten minutes of each": EventQuery(
            regions=(slanted,), classes=("vehicle",), **minutes
        ),
        "line across + person + ten minutes of each": EventQuery(crosses=(line,), **persons, **minutes),
        "line across + person + an hour displayed": EventQuery(crosses=(line,), **persons, **hour),
        "dwell of 5 s in door + person + an hour displayed": EventQuery(
            regions=(door,), min_dwell_s=5.0, **persons, **hour
        ),
        "heading left + 1 own height/s + an hour displayed": EventQuery(headings=(270.0,), min_speed=1.0, **hour),
        "one exhibit, all of it": EventQuery(exhibits=("cam3/0001.mp4",)),
        "everything, the first 20": EventQuery(limit=20),
        "everything by score, the first 20": EventQuery(order="score", limit=20),
        "door, of all classes and times, the first 100": EventQuery(regions=(door,), limit=100),
        "line across, of all classes and times, first 100": EventQuery(crosses=(line,), limit=100),
        "half the picture, of all classes and times, first 100": EventQuery(regions=(half,), limit=100),
    }


def ask(case: Path, query: EventQuery) -> int:
    """Ask a case once, as a command does; how much was found."""
    with Reader.open(case) as reader:
        found = len(reader.events(query))
        reader.left_out(query)
        return found


def measure(case: Path, runs: int) -> Iterator[tuple[str, float, float, float, int]]:
    """Name, median and greatest seconds, median seconds of processor time, and how much was found, of each query."""
    for name, query in queries().items():
        took, busy = [], []
        found = 0
        for _ in range(runs):
            begun, worked = time.perf_counter(), time.process_time()
            found = ask(case, query)
            took.append(time.perf_counter() - begun)
            busy.append(time.process_time() - worked)
        yield name, statistics.median(took), max(took), statistics.median(busy), found


def main(argv: Sequence[str] | None = None) -> int:
    """Make the case where it is not there, ask it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detections", type=int, default=10_000_000)
    parser.add_argument("--files", type=int, default=192, help="of an hour each")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--case", type=Path, help="make it here and keep it; used again when it is there")
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        case = given.case or Path(temporary) / "case"
        if not (case / "made-by-bench.py").exists():
            build(case, given.detections, given.files, print)
        with Reader.open(case) as reader:
            print(f"{reader.numbers('tracks')[0]} tracks, {reader.numbers('events')[0]} events")
        ask(case, EventQuery(regions=(parse_region("0,0,9,0,9,9", "--region"),)))  # numpy is loaded once
        print("seconds: median   worst   processor   found")
        for name, median, worst, busy, found in measure(case, given.runs):
            print(f"{median:15.3f} {worst:7.3f} {busy:11.3f} {found:7d}   {name}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
