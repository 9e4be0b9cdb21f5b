"""``vidreview bench``: where the time of a scan goes on this machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidreview.cli.common import PathType, json_option, loudness_options, print_json, safe

if TYPE_CHECKING:
    from vidreview.pipeline.bench import Bench

#: stage → what a person calls it
ROWS = {
    "decode": "waiting for the decoder",
    "gate": "motion gate",
    "detect": "detector",
    "track": "tracker",
    "rest": "rest",
}


@click.command("bench", no_args_is_help=True)
@click.argument("file", type=PathType())
@click.option("--runs", type=click.IntRange(1, 1000), default=3, show_default=True, help="Measure so many times.")
@json_option
@loudness_options
def command(file: Path, runs: int, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Measure how fast FILE is scanned on this machine, against bare decoding, and where the time goes.

    FILE is decoded alone and scanned, in turn, --runs times; the medians are printed. Each scan goes into a temporary
    case that is removed. FILE is only read. Exit status 3 when it could not be fully read.

    \b
    Example:
      vidreview bench front-door.mp4
      vidreview bench front-door.mp4 --runs 5 --json
    """
    from vidreview.index import beside
    from vidreview.pipeline.bench import bench
    from vidreview.settings import ScanSettings

    if not quiet and beside(Path(tempfile.gettempdir()) / "case", [file]) is not None:
        click.echo(
            f"vidreview: temporary cases are made in one folder with {safe(str(file))}; better set TMPDIR to another",
            err=True,
        )
    try:
        result = bench(file, ScanSettings(), runs, tell=None if quiet else lambda line: click.echo(line, err=True))
    except KeyboardInterrupt:
        click.echo("vidreview: interrupted; nothing was measured, and the temporary case is removed", err=True)
        return 130
    if as_json:
        print_json(result.to_json())
    else:
        _print(result)
    for problem in result.problems:
        click.echo(f"vidreview: {safe(str(file))}: not fully read: {safe(problem)}", err=True)
    return 3 if result.problems else 0


def _print(result: Bench) -> None:
    from vidreview.cli.tables import print_table

    facts = result.to_json()
    kinds = ", ".join(f"{safe(one['codec'])} {one['width']}x{one['height']}" for one in facts["streams"])
    counted = f"{result.frames} frames, {result.footage_s:.1f} s"
    click.echo(f"{safe(result.path.name)}: {kinds}, {counted}; {safe(facts['cpu'])}, {facts['cores']} cores")
    click.echo()
    seconds, shares = result.seconds(), result.shares()
    rows = [(name, f"{seconds[stage]:.3f}", f"{100 * shares[stage]:.1f} %", "") for stage, name in ROWS.items()]
    rows.append(("whole scan", f"{result.scan_s:.3f}", "100 %", _real_time(result, result.scan_s)))
    rows.append(("bare decoding", f"{result.bare_s:.3f}", "", _real_time(result, result.bare_s)))
    print_table(("stage", "seconds", "share of scan", "× real time"), rows, right=frozenset((1, 2, 3)))
    click.echo()
    runs = f"medians of {len(result.scans)} runs" if len(result.scans) > 1 else "one run; more are more certain"
    click.echo(f"A scan takes {facts['scan_over_bare']:.2f} × as long as bare decoding ({runs}).")
    click.echo("Decoder and gate work beside detector and tracker, so shares may come to more than 100 %.")
    click.echo("Rest: hashing before and after, probing, the index, and one half waiting for the other.")
    click.echo(f"Not counted: {result.load_s:.2f} s until the detector is ready, once a scan.")


def _real_time(result: Bench, seconds: float) -> str:
    return f"{result.footage_s / seconds:.1f}"
