"""``vidreview export``: the case in a format for another program."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import PathType, case_option, json_option, loudness_options, print_json, safe
from vidreview.errors import UsageError

if TYPE_CHECKING:
    from vidreview.export.write import Exported


@click.command("export")
@click.argument("form", metavar="FORMAT", type=click.Choice(["csv", "json", "mot", "parquet", "case"]))
@case_option
@click.option(
    "--output",
    metavar="PATH",
    help="A file (json, case) or folder, instead of export/ in the case; - is stdout (json, case).",
)
@click.option(
    "--separator",
    type=click.Choice(["comma", "semicolon", "tab"]),
    default="comma",
    show_default=True,
    help="Of csv; semicolon is with a decimal comma, as spreadsheets in many countries want it.",
)
@json_option
@loudness_options
def command(
    form: Any, case: Path, output: str | None, separator: Any, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Write all that the case holds as csv, json, mot (MOT Challenge text), parquet or case (CASE/UCO JSON-LD).

    Tracks that were dropped and detections below the threshold are in it: they are unused material that may have to be
    disclosed. Text that a spreadsheet would take for a formula is made harmless. Files in the case folder are entered
    in the audit log as derived files, those elsewhere as handed over; stdout is not.

    \b
    Examples:
      vidreview export csv --case NMC-1-case
      vidreview export case --output NMC-1.jsonld
      vidreview export json --output - | jq .events
    """
    from vidreview.export.write import export, export_stream

    if separator != "comma" and form != "csv":
        raise UsageError(f"--separator is for csv; {form} has none")
    if output == "-":
        if as_json:
            raise UsageError("--json and --output - both write to stdout; give one of them")
        done = export_stream(case, form, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        target = None if output is None else PathType().convert(output, None, click.get_current_context())
        done = export(case, form, target, separator=separator)
        if as_json:
            print_json(_facts(done, form))
        elif not quiet:
            _print(done, verbose)
    if done.facts.unfinished and not quiet:
        click.echo(f"vidreview: {done.facts.unfinished}", err=True)


def _facts(done: Exported, form: str) -> dict[str, Any]:
    files = [{"path": str(path), "sha256": sha256} for path, sha256 in done.files]
    return {"format": form} | done.facts.to_json() | {"counts": done.counts, "files": files}


def _print(done: Exported, verbose: bool) -> None:
    for path, sha256 in done.files:
        click.echo(safe(str(path)) + (f"  SHA-256 {sha256}" if verbose else ""))
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in done.counts.items() if count)
    click.echo(f"{counts or 'Nothing was recorded in this case'}. {_leads()}")


def _leads() -> str:
    from vidreview.cli.tables import LEADS

    return LEADS
