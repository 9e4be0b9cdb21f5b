"""The tracker alone on public detections, against the trackers of the package `trackers`, at full and at low rates."""

from __future__ import annotations

import configparser
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench.environments import environment, versions
from bench.footage import Setting
from bench.measure import BenchError, alternate, child, median, tell
from bench.parts.tools import vidreview
from bench.report import Claim, Part, Table, number

DRIVERS = Path(__file__).resolve().parent.parent / "drivers"
ROOT = DRIVERS.parent.parent

OURS = "vidreview"
#: HOTA and IDF1 are to be so many times the best peer's, frames a second so many times the fastest peer's
BETTER = 1.10
FASTER = 10.0
#: every n-th frame is kept
THINNED = (2, 4, 8)

Scores = Mapping[str, Mapping[str, float]]


def measure(setting: Setting) -> Part:
    """All frames: accuracy, and the speed of association."""
    tell("tracker: all frames")
    sequences, frames = prepare(setting, 1)
    scores = accuracy(setting, sequences)
    scratch = sequences.parent / "timed"
    python = environment("trackers") / "python"
    jobs: dict[str, Callable[[], dict[str, float]]] = {
        OURS: partial(_seconds, [sys.executable, "-m", "bench.drivers.follow", sequences]),
        "peers": partial(_seconds, [python, DRIVERS / "trackers_run.py", sequences, scratch]),
    }
    seconds: dict[str, list[float]] = {}
    for runs in alternate(setting.runs, jobs).values():
        for run in runs:
            for name, took in run.items():
                seconds.setdefault(name, []).append(took)
    rates = {name: frames / median(times) for name, times in seconds.items()}
    peers = [name for name in scores if name != OURS]
    fastest = max(rates[name] for name in peers)
    rows = [(*_cells(name, scores[name]), number(rates[name])) for name in (OURS, *peers)]
    claims = [
        *_better(scores, "", BETTER),
        Claim("association, frames a second over the fastest peer's", rates[OURS] / fastest, FASTER, "higher", " ×"),
    ]
    return Part(
        title="Tracker alone",
        about="The public detections of three MOT15 sequences, scored together by TrackEval (class pedestrian, with "
        "preprocessing). The peers are those of the package `trackers` at their defaults; they get the same detections "
        "and no pictures, so none of them compensates for a moving camera. They work online; vidreview looks ahead.",
        runs=setting.runs,
        tables=(Table(("tracker", "HOTA", "MOTA", "IDF1", "identity switches", "frames/s"), tuple(rows)),),
        claims=tuple(claims),
        commands=(
            "vidreview track det.txt --fps RATE -o tracks.txt",
            "python bench/drivers/trackers_run.py SEQUENCES OUT",
            "python bench/drivers/mot_score.py TRUTH TRACKS",
        ),
        notes=("Frames a second count association only: reading and writing are excluded on both sides.",),
        versions=versions("trackers"),
        figures={"scores": scores, "seconds": seconds, "frames": frames},
    )


def measure_lowfps(setting: Setting) -> Part:
    """Every second, fourth and eighth frame."""
    tables, claims = [], []
    figures = {}
    for step in THINNED:
        tell(f"lowfps: every {step}th frame")
        sequences, _ = prepare(setting, step)
        scores = accuracy(setting, sequences)
        rows = tuple(_cells(name, scores[name]) for name in (OURS, *(one for one in scores if one != OURS)))
        kept = f"one frame in {step}"
        tables.append(Table(("tracker", "HOTA", "MOTA", "IDF1", "identity switches"), rows, f"**{kept}**"))
        claims += _better(scores, f", {kept}", None)
        figures[kept] = scores
    return Part(
        title="Tracker at low frame rates",
        about="The same with detections and truth thinned alike, and the frame rate that vidreview is told divided.",
        runs=1,
        tables=tuple(tables),
        claims=tuple(claims),
        notes=("Accuracy only: the same input gives the same tracks, so one run is enough.",),
        versions=versions("trackers"),
        figures=figures,
    )


def prepare(setting: Setting, step: int) -> tuple[Path, int]:
    """Make the sequences with one frame in ``step``; their folder, and how many frames they have together."""
    folder = setting.work / "mot" / f"every_{step}"
    shutil.rmtree(folder, ignore_errors=True)
    sources = sorted(path.parent for path in (setting.shared / "mot").glob("*/det.txt"))
    if not sources:
        raise BenchError(f"no sequences in {setting.shared / 'mot'}; name the folder above it with --shared")
    frames = 0
    for source in sources:
        ini = configparser.ConfigParser()
        ini.optionxform = str  # type: ignore[assignment,method-assign]  # TrackEval reads names as written
        ini.read(source / "seqinfo.ini")
        length = (int(ini["Sequence"]["seqLength"]) - 1) // step + 1
        ini["Sequence"]["seqLength"] = str(length)
        ini["Sequence"]["frameRate"] = f"{float(ini['Sequence']['frameRate']) / step:g}"
        frames += length
        truth = folder / "truth" / "MOT15-train" / source.name
        for place, name in ((folder / "sequences" / source.name, "det.txt"), (truth, "gt/gt.txt")):
            path = place / name
            path.parent.mkdir(parents=True)
            path.write_text(thin((source / path.name).read_text(encoding="ascii"), step), encoding="ascii")
            with (place / "seqinfo.ini").open("w", encoding="utf-8") as file:
                ini.write(file, space_around_delimiters=False)
    return folder / "sequences", frames


def thin(text: str, step: int) -> str:
    """MOT text of frames 1, 1 + step, 1 + 2 step, …, counted anew from 1."""
    lines = []
    for line in text.splitlines():
        frame, _, rest = line.partition(",")
        if line.strip() and (int(frame) - 1) % step == 0:
            lines.append(f"{(int(frame) - 1) // step + 1},{rest}\n")
    return "".join(lines)


def accuracy(setting: Setting, sequences: Path) -> Scores:
    """Tracker → HOTA, MOTA, IDF1, IDSW over all sequences together."""
    tracks = sequences.parent / "tracks"
    out = tracks / "MOT15-train"
    for folder in sorted(sequences.iterdir()):
        ini = configparser.ConfigParser()
        ini.read(folder / "seqinfo.ini")
        path = out / OURS / "data" / f"{folder.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        child([vidreview(), "track", folder / "det.txt", "--fps", ini["Sequence"]["frameRate"], "-o", path])
    python = environment("trackers") / "python"
    child([python, DRIVERS / "trackers_run.py", sequences, out])
    scored = child([python, DRIVERS / "mot_score.py", sequences.parent / "truth", tracks])
    return dict(json.loads(scored.out))


def _seconds(command: list[str | Path]) -> dict[str, float]:
    return dict(json.loads(child(command, cwd=ROOT).out))


def _cells(name: str, score: Mapping[str, float]) -> tuple[str, ...]:
    return name, f"{score['HOTA']:.1f}", f"{score['MOTA']:.1f}", f"{score['IDF1']:.1f}", f"{score['IDSW']:.0f}"


def _better(scores: Scores, where: str, factor: float | None) -> list[Claim]:
    """Against the best peer in each measure; with ``factor`` HOTA and IDF1 have it as their target."""
    peers = [name for name in scores if name != OURS]
    own = scores[OURS]
    claims = []
    for measure_, better in (("HOTA", "higher"), ("IDF1", "higher"), ("MOTA", "higher"), ("IDSW", "lower")):
        best = (max if better == "higher" else min)(peers, key=lambda name, m=measure_: scores[name][m])  # type: ignore[misc]
        bound = scores[best][measure_]
        if factor is not None and measure_ in ("HOTA", "IDF1"):
            what = f"{measure_} over the best peer's ({best})"
            claims.append(Claim(what, own[measure_] / bound, factor, "higher", " ×"))
        elif measure_ == "IDSW":
            against = "target" if factor is not None else best
            what = f"identity switches{where}" + (f", fewest of the peers ({best})" if factor is not None else "")
            claims.append(Claim(what, own[measure_], bound, "lower", "", against, strict=True))
        else:
            claims.append(Claim(f"{measure_}{where}", own[measure_], bound, "higher", "", best))
    return claims
