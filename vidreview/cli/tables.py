"""How the commands that query a case share their options and print their tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vidreview.cli.common import Share, TimeType, plain_terminal, safe
from vidreview.errors import UsageError

if TYPE_CHECKING:
    from vidreview.index.query import Reader

Function = TypeVar("Function", bound=Callable[..., Any])

CLASSES = ("person", "vehicle", "motion")

#: what every list of leads ends with (rule E1)
LEADS = "These are leads for a person to look at, not identifications."


def filter_options(function: Function) -> Function:
    """The filters that events and tracks share; passed under the field names of ``ItemQuery``."""
    options = [
        click.option(
            "--class", "classes", multiple=True, type=click.Choice(CLASSES), help="Only this class; may be repeated."
        ),
        click.option(
            "--exhibit",
            "exhibits",
            multiple=True,
            metavar="GLOB",
            help="Only exhibits of this name or pattern (cam1*.mp4); may be repeated.",
        ),
        click.option("--since", "since_s", type=TimeType(), help="Only what is still in view at or after this time."),
        click.option("--until", "until_s", type=TimeType(), help="Only what is in view at or before this time."),
        click.option(
            "--min-duration", "min_duration_s", type=TimeType(), help="Only what is in view for at least this long."
        ),
        click.option(
            "--min-score",
            type=Share(1),
            help="Only what scores at least this; motion has no score and is left out.",
        ),
        click.option("--limit", type=click.IntRange(1, 2**31), help="Print at most this many."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def check_filters(reader: Reader, values: dict[str, Any]) -> None:
    """Refuse filters that can match nothing, so that a typing error is not read as an absence of events (rule E1)."""
    from vidreview.index.filters import matches_name

    since, until = values.get("since_s"), values.get("until_s")
    if since is not None and until is not None and since > until:
        raise UsageError(f"--since {since:g} is later than --until {until:g}")
    names = reader.exhibit_names()
    for pattern in values.get("exhibits", ()):
        if not any(matches_name(name, pattern) for name in names):
            known = ", ".join(safe(name) for name in names[:5]) + (", …" if len(names) > 5 else "")
            raise UsageError(f"no exhibit of the case is named {safe(pattern)!r}; there are {len(names)}: {known}")
    wanted = values.get("streams", ())
    there = {stream.index for stream in reader.streams(values.get("exhibits", ()))} if wanted else set()
    for index in wanted:
        if index not in there:
            known = ", ".join(str(one) for one in sorted(there)) or "none"
            raise UsageError(f"no exhibit that was asked for has a stream {index}; there are: {known}")


def nothing_recorded(reader: Reader, what: str, filtered: bool) -> str:
    """The words for an empty list: what was looked at, never that nothing happened (rule E1)."""
    analysed, total, left = reader.footage()
    words = f"No {what} recorded{' that match these filters' if filtered else ''}; "
    words += f"{analysed:.1f} s of {total:.1f} s of footage were analysed"
    if left:
        words += (
            f", {left} exhibit{'s' if left != 1 else ''} could not be read or {'are' if left != 1 else 'is'} unfinished"
        )
    return words + ". An object that was not detected leaves no record; see 'vidreview coverage'."


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> None:
    """A table on stdout: drawn on a terminal, aligned plain text elsewhere; columns in ``right`` are right-aligned.

    Cells must be safe for a terminal already.
    """
    if plain_terminal():
        widths = [max(len(line[k]) for line in (headings, *rows)) for k in range(len(headings))]
        for line in (headings, *rows):
            cells = [
                cell.rjust(width) if k in right else cell.ljust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ]
            click.echo("  ".join(cells).rstrip())
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="right" if k in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: brackets in a file name are no markup
    Console(width=shutil.get_terminal_size((120, 40)).columns).print(table)
