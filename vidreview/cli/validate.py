"""``vidreview validate``: scan labelled clips and score the method."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import Share, clock, json_option, loudness_options, print_json, safe

if TYPE_CHECKING:
    from vidreview.validate import ClipResult, Gates, Score, Validation


@click.command("validate")
@click.argument("truth", type=click.Path(path_type=Path))
@click.option(
    "--clips",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of the clips; by default the truth file's own folder and its clips/ subfolder.",
)
@click.option("--model", help="Model to scan with, as for scan.")
@click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of scan settings."
)
@click.option(
    "--case",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the case in this new folder; by default it is a temporary one and removed.",
)
@click.option("--min-recall", type=Share(1), help="Fail (exit 1) when fewer of the true events are found.")
@click.option(
    "--max-false",
    type=Share(),
    metavar="SECONDS_PER_HOUR",
    help="Fail (exit 1) when more false seconds of person and vehicle events are raised per hour of footage.",
)
@loudness_options
@json_option
def command(
    truth: Path,
    clips: Path | None,
    model: str | None,
    settings_file: Path | None,
    case: Path | None,
    min_recall: float | None,
    max_false: float | None,
    quiet: bool,
    verbose: bool,
    as_json: bool,
) -> int:
    """Scan the clips that TRUTH names and score the method: recall, misses, false seconds.

    A true event is found when an event of its class, or of class motion, overlaps it by at least half of the shorter
    of the two, and recognised when one of its own class does. Seconds of events more than 2 s away from every true
    event are false. The interval is the exact (Clopper-Pearson) 95 % confidence interval.

    Exit status: 1 when --min-recall or --max-false is not met, 3 when a clip could not be fully read.

    \b
    Example:
      vidreview validate sample_data/truth.json --min-recall 0.9 --max-false 60
    """
    from vidreview.cli.progress import Progress
    from vidreview.settings import load_settings
    from vidreview.validate import Gates, load_truth, validate

    gates = Gates(min_recall, max_false)
    labelled, settings = load_truth(truth), load_settings(settings_file)
    with _case_folder(case) as folder, Progress(quiet=quiet, verbose=verbose) as progress:
        folders = [clips] if clips else []
        result = validate(labelled, folder, settings, folders=folders, model=model, observer=progress)
    failures = gates.failures(result.total) + [
        f"{safe(clip.name)} is said to be only partly readable, but the scan reported nothing" for clip in result.untold
    ]
    if as_json:
        print_json(_as_json(result, gates, failures))
    else:
        _print(result)
    for line in failures:
        click.echo(f"vidreview: not met: {line}", err=True)
    if failures:
        return 1
    return 3 if result.unread else 0


@contextlib.contextmanager
def _case_folder(case: Path | None) -> Iterator[Path]:
    if case is not None:
        yield case
        return
    with tempfile.TemporaryDirectory(prefix="vidreview-validate-") as folder:
        yield Path(folder) / "case"


def _print(result: Validation) -> None:
    from vidreview.cli.tables import print_table

    rows = [_row(clip.name, clip.score) for clip in result.clips if clip.score is not None]
    rows.append(_row("total", result.total))
    print_table(
        ("clip", "footage", "true", "found", "recognised", "worst start", "false s/h", "motion false s/h"),
        rows,
        right=frozenset(range(2, 8)),
        folds=(0,),
    )
    click.echo()
    for clip in result.clips:
        _print_remarks(clip)
    total = result.total
    click.echo(f"events recall: {recall_text(total.found, total.true)}")
    click.echo(f"recognised:    {recall_text(total.recognised, total.true)}")
    click.echo(f"false seconds per hour, person and vehicle: {_rate(total, total.false_s)}")
    click.echo(f"false seconds per hour, motion:             {_rate(total, total.motion_false_s)}")


def _row(name: str, score: Score) -> tuple[str, ...]:
    worst = score.worst_start_error_s
    return (
        safe(name),
        clock(score.footage_s),
        str(score.true),
        str(score.found),
        str(score.recognised),
        "-" if worst is None else f"{worst:.2f} s",
        _rate(score, score.false_s),
        _rate(score, score.motion_false_s),
    )


def _print_remarks(clip: ClipResult) -> None:
    name = safe(clip.name)
    if clip.skipped is not None:
        click.echo(f"{name}: {clip.skipped}: skipped")
    for problem in clip.problems:
        click.echo(f"{name}: {'as expected, ' if clip.problems_expected else ''}not fully read: {safe(problem)}")
    for miss in clip.score.misses if clip.score else ():
        true = miss.true
        click.echo(f"{name}: missed {true.event_class} {clock(true.start_s)} to {clock(true.end_s)}: {safe(miss.why)}")


def recall_text(found: int, true: int) -> str:
    """``10 of 11 (90.9 %, 95 % interval 58.7–99.8 %)``: a share is never given without its denominator."""
    from vidreview.validate import interval

    bounds = interval(found, true)
    if bounds is None:
        return "0 of 0 (nothing to find)"
    low, high = bounds
    return f"{found} of {true} ({100 * found / true:.1f} %, 95 % interval {100 * low:.1f}–{100 * high:.1f} %)"


def _rate(score: Score, seconds: float) -> str:
    rate = score.per_hour(seconds)
    return "-" if rate is None else f"{rate:.1f}"


def _score_json(score: Score) -> dict[str, Any]:
    from vidreview.validate import interval

    return {
        "true": score.true,
        "found": score.found,
        "recognised": score.recognised,
        "events": score.events,
        "recall": score.recall,
        "recall_interval_95": interval(score.found, score.true),
        "recognised_interval_95": interval(score.recognised, score.true),
        "worst_start_error_s": _rounded(score.worst_start_error_s),
        "footage_s": _rounded(score.footage_s),
        "false_s": _rounded(score.false_s),
        "false_s_per_hour": _rounded(score.per_hour(score.false_s)),
        "motion_false_s": _rounded(score.motion_false_s),
        "motion_false_s_per_hour": _rounded(score.per_hour(score.motion_false_s)),
        "missed": [
            {"class": m.true.event_class, "start_s": m.true.start_s, "end_s": m.true.end_s, "why": m.why}
            for m in score.misses
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _as_json(result: Validation, gates: Gates, failures: list[str]) -> dict[str, Any]:
    return {
        "total": _score_json(result.total),
        "clips": [
            {
                "clip": clip.name,
                "skipped": clip.skipped,
                "problems": list(clip.problems),
                "problems_expected": clip.problems_expected,
                "score": None if clip.score is None else _score_json(clip.score),
            }
            for clip in result.clips
        ],
        "gates": {"min_recall": gates.min_recall, "max_false_s_per_hour": gates.max_false, "not_met": failures},
        "method": dict(result.method),
    }
