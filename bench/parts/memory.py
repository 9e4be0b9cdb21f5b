"""Peak memory of a long scan against a short one."""

from __future__ import annotations

from functools import partial

from bench.footage import Setting
from bench.measure import alternate, median, tell
from bench.parts.tools import scan_only
from bench.report import Claim, Part, Table, number

#: a scan of an hour may need so many times the memory of one of ten minutes ...
MOST_GROWTH = 1.10
#: ... and so many MiB
MOST_MB = 700.0


def measure(setting: Setting) -> Part:
    """Films of 10 and 60 minutes."""
    films = {minutes: setting.film(minutes) for minutes in (10, 60)}
    tell("memory: scans of 10 and 60 minutes")
    jobs = {str(minutes): partial(scan_only, setting, film) for minutes, film in films.items()}
    done = alternate(setting.runs, jobs)
    peaks = {name: [one.peak_mb for one in runs] for name, runs in done.items()}
    seconds = {name: [one.wall_s for one in runs] for name, runs in done.items()}
    short, long = median(peaks["10"]), median(peaks["60"])
    rows = tuple((f"{name} minutes", number(median(peaks[name])), number(median(seconds[name]))) for name in done)
    return Part(
        title="Memory",
        about="Peak resident memory of the whole process of a scan with the ONNX model, as the kernel counts it.",
        runs=setting.runs,
        tables=(Table(("film", "peak, MiB", "seconds"), rows),),
        claims=(
            Claim("peak memory, 60 minutes over 10 minutes", long / short, MOST_GROWTH, "lower", " ×"),
            Claim("peak memory of a 60-minute scan", long, MOST_MB, "lower", " MiB", strict=True),
        ),
        commands=("vidreview scan FILM --case CASE --quiet",),
        figures={"peak_mb": peaks, "wall_s": seconds},
    )
