"""``vidreview coverage``: the ledger of what was looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidreview.cli.common import case_option, json_option, place, print_json, safe
from vidreview.cli.tables import check_filters, print_table


@click.command("coverage")
@case_option
@click.option("--exhibit", "exhibits", multiple=True, metavar="GLOB", help="Only exhibits of this name or pattern.")
@json_option
def command(case: Path, exhibits: tuple[str, ...], as_json: bool) -> None:
    """Show where every second of every stream went: analysed, undecodable, gap, or not requested.

    What could not be read at all is listed with its reason.

    \b
    Example:
      vidreview coverage --case NMC-1-case
    """
    from vidreview.index.query import Reader

    with Reader.open(case) as reader:
        check_filters(reader, {"exhibits": exhibits})
        ledger = reader.coverage(exhibits)
    if as_json:
        print_json(ledger)
    elif not ledger:
        click.echo("No exhibit is recorded in this case yet: run 'vidreview scan SOURCE'.")
    else:
        _print(ledger)


def _print(ledger: list[dict[str, Any]]) -> None:
    headings = ("exhibit", "stream", "seconds", "analysed", "undecodable", "gap", "not requested")
    counts = ("frames", "damaged", "missing", "looks")
    rows = []
    for item in ledger:
        states, frames = item["states"], item["frames"]
        cells = [safe(item["exhibit"])]
        if item["stream"] is None:
            cells += ["-"] * 10
        else:
            cells += [str(item["stream"]), f"{item['duration_s']:.3f}", *(f"{value:.3f}" for value in states.values())]
            cells += [str(item["frames_presented"]), str(frames["damaged"]), str(frames["missing"])]
            cells += [str(item["detector_frames"])]
        rows.append(cells)
    print_table((*headings, *counts), rows, right=frozenset(range(1, 11)), folds=(0,), spare=(10, 7, 8, 9))
    for item in ledger:
        for problem in item["problems"]:
            where = "" if item["stream"] is None else f" stream {item['stream']}"
            lies = place(*(problem[key] for key in ("at_s", "pts", "end_pts", "byte")))
            click.echo(f"{safe(item['exhibit'])}{where}{lies}: {problem['kind']}: {safe(problem['reason'])}")
    analysed = sum(item["states"]["analysed_s"] for item in ledger)
    total = sum(item["duration_s"] for item in ledger)
    unread = sum(item["stream"] is None for item in ledger)
    note = f"; {unread} exhibit{'s' if unread != 1 else ''} could not be read, of unknown length" if unread else ""
    click.echo(f"{analysed:.1f} s of {total:.1f} s of footage analysed{note}.")
