"""``vidreview coverage``: the ledger of what was looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidreview.cli.common import case_option, json_option, place, print_json, safe
from vidreview.cli.filters import check_filters
from vidreview.cli.tables import print_table


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
        if item["stream"] is None:
            continue
        states, frames = item["states"], item["frames"]
        cells = [safe(item["exhibit"]), str(item["stream"]), f"{item['duration_s']:.3f}"]
        cells += [f"{value:.3f}" for value in states.values()]
        cells += [str(item["frames_presented"]), str(frames["damaged"]), str(frames["missing"])]
        cells += [str(item["detector_frames"])]
        rows.append(cells)
    if rows:
        print_table((*headings, *counts), rows, right=frozenset(range(1, 11)), folds=(0,), spare=(10, 7, 8, 9))
    for item in ledger:
        for problem in item["problems"]:
            where = "" if item["stream"] is None else f" stream {item['stream']}"
            lies = place(*(problem[key] for key in ("at_s", "pts", "end_pts", "byte")))
            click.echo(f"{safe(item['exhibit'])}{where}{lies}: {problem['kind']}: {safe(problem['reason'])}")
    analysed = sum(item["states"]["analysed_s"] for item in ledger)
    total = sum(item["duration_s"] for item in ledger)
    click.echo(f"{analysed:.1f} s of {total:.1f} s of footage analysed{_others(ledger)}.")


def _others(ledger: list[dict[str, Any]]) -> str:
    """In words, the files that have no stream."""
    kinds = [{problem["kind"] for problem in item["problems"]} for item in ledger if item["stream"] is None]
    copies, images = sum("duplicate" in k for k in kinds), sum("image" in k for k in kinds)
    waiting = sum("unfinished" in k for k in kinds)
    unread = len(kinds) - copies - images - waiting
    said = [
        (unread, f"exhibit{'s' * (unread != 1)} could not be read, of unknown length"),
        (copies, f"duplicate{'s' * (copies != 1)} of exhibits, scanned once"),
        (images, f"disk image{'s' * (images != 1)}"),
        (waiting, f"file{'s' * (waiting != 1)} whose scan is not finished"),
    ]
    return "".join(f"; {count} {words}" for count, words in said if count)
