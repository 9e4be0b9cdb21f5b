"""``vidreview scan``: the main job."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import (
    PathType,
    case_option,
    json_option,
    loudness_options,
    plain_terminal,
    print_json,
    safe,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidreview.pipeline import ScanSummary
    from vidreview.pipeline.workers import Workers


@click.command("scan", no_args_is_help=True)
@click.argument("sources", nargs=-1, required=True, type=PathType())
@case_option
@click.option("--model", help="Detector: a known name or any file ultralytics loads. Default: yolo26n.")
@click.option(
    "--settings", "settings_file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file of scan settings."
)
@click.option("--merge-gap", type=float, help="Events of one class this close are one, seconds. Default: 1.")
@click.option("--detect-every", type=float, help="Seconds between looks of the detector while something moves.")
@click.option("--idle-every", type=float, help="Seconds between looks whatever the motion gate says.")
@click.option(
    "--order",
    type=click.Choice(["time", "best-first"]),
    default="time",
    show_default=True,
    help="best-first looks at the busiest stretches of each file before all of it: most events are known early, as "
    "provisional ones; the result is the same.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    help="Files scanned at once, each in a process of its own. Default: what the machine's cores and memory can use.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Hand the files to the workers of a Dask scheduler, tcp://HOST:PORT, or local for one on this machine with "
    "--workers workers. All must see the evidence at the same path.",
)
@click.option(
    "--memory-limit",
    type=click.IntRange(256),
    default=4096,
    show_default=True,
    metavar="MIB",
    help="Memory that decoding one file may take; one that needs more is listed, and the others go on.",
)
@click.option(
    "--silence-limit",
    type=click.FloatRange(1),
    default=120,
    show_default=True,
    metavar="SECONDS",
    help="A file that gives no frame for so long is given up, and listed.",
)
@click.option(
    "--hash-list",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Hashes of the seizure record, as sha256sum, sha1sum or md5sum write them; every file is compared with them.",
)
@click.option("--reference", help="Exhibit reference, for example NMC/1.")
@click.option("--operator", help="Who runs the scan.")
@click.option("--organisation", help="For whom.")
@click.option("--reason", help="Why.")
@json_option
@loudness_options
def command(
    sources: tuple[Path, ...],
    case: Path,
    model: str | None,
    settings_file: Path | None,
    merge_gap: float | None,
    detect_every: float | None,
    idle_every: float | None,
    order: str,
    workers: int | None,
    scheduler: str | None,
    memory_limit: int,
    silence_limit: float,
    hash_list: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
    **record: str | None,
) -> int:
    """Find every person, vehicle and moving thing in SOURCES, files or folders, and index them in the case.

    Folders are walked recursively and files are known by their content. Running the same command again goes on where
    it stopped. Nothing is written to the evidence.

    \b
    Example:
      vidreview scan /evidence/NMC-1 --case NMC-1-case --reference NMC/1 --operator "A. Examiner"
    """
    from vidreview.cli.progress import Progress
    from vidreview.errors import IntegrityError
    from vidreview.hashlist import read_hash_list
    from vidreview.index import beside
    from vidreview.pipeline import ScanSummary, scan
    from vidreview.pipeline.children import Limits, start_children
    from vidreview.settings import load_settings

    settings = load_settings(settings_file, merge_gap_s=merge_gap, detect_every_s=detect_every, idle_every_s=idle_every)
    listed = None if hash_list is None else read_hash_list(hash_list)
    limits = Limits(memory=memory_limit << 20, silence_s=silence_limit)
    start: Callable[[], Workers] = partial(start_children, model, settings, workers, limits)
    if scheduler is not None:
        from vidreview.pipeline.cluster import join_cluster

        start = partial(join_cluster, scheduler, model, settings, sources, workers, limits)
    facts: dict[str, Any] = {"argv": sys.argv, **{k: v for k, v in record.items() if v is not None}}
    if not quiet and (neighbour := beside(case, sources)) is not None:
        click.echo(
            f"vidreview: the case lies in one folder with {safe(str(neighbour))}; better keep it apart", err=True
        )
    with Progress(quiet=quiet, verbose=verbose) as progress:
        summary = ScanSummary()
        changed: IntegrityError | None = None
        try:
            scan(
                sources,
                case,
                settings,
                start=start,
                observer=progress,
                record=facts,
                summary=summary,
                best_first=order == "best-first",
                hash_list=listed,
            )
        except IntegrityError as error:
            changed = error
    if as_json:
        print_json(summary.to_json())
    elif not quiet:
        _print(summary, case)
    if changed is not None:
        raise changed
    return 3 if summary.problems else 0


def _print(summary: ScanSummary, case: Path) -> None:
    """The outcome in words, for a person."""
    from rich.console import Console

    facts = summary.to_json()
    console = Console(no_color=plain_terminal(), highlight=False, soft_wrap=True)
    again = f", {summary.skipped} of them finished before" if summary.skipped else ""
    copies = summary.duplicates
    again += f", and {copies} duplicate{'s' * (copies != 1)} of exhibits, not scanned again" if copies else ""
    console.print(
        f"{summary.exhibits} exhibit{'s' * (summary.exhibits != 1)}{again}; "
        f"{facts['seconds_of_footage']:.1f} s of footage in {facts['wall_s']:.1f} s "
        f"({facts['realtime_factor']:g} × real time); {summary.events} new event{'s' * (summary.events != 1)}"
    )
    if summary.problems:
        files = {p["path"] for p in summary.problems}
        were = "was" if len(files) == 1 else "were"
        console.print(f"{len(files)} file{'s' * (len(files) != 1)} {were} not fully read, or not as recorded:")
        for problem in summary.problems:
            console.print(f"  {safe(problem['path'])}: {safe(problem['reason'])}", markup=False)
    console.print(f"Next: vidreview events --case {safe(str(case))}", markup=False)
