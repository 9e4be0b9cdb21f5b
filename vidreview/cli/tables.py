"""How the commands that query a case share their options and print their tables."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from vidreview.cli.common import plain_terminal

if TYPE_CHECKING:
    from vidreview.index.filters import ItemQuery
    from vidreview.index.query import Reader

#: what every list of leads ends with (rule E1)
LEADS = "These are leads for a person to look at, not identifications."


def tell_of_colours(reader: Reader, query: ItemQuery, *, for_programs: bool) -> None:
    """After a list that was filtered by colour: what that is worth, and what has none (rule E1).

    On stderr where stdout is for programs.
    """
    from vidreview.index.looks import CAVEAT

    if not query.colours:
        return
    counts = reader.looked_at(query)
    words = {
        "no_look": "have no stored look (not looked at while in view, or scanned by an older version: scan the exhibit "
        "into another case to have it)",
        "no_colours": "were seen in pictures without colours (infrared, a grey camera, light of one colour)",
        "cast": "were seen in pictures that lean to one colour as a whole",
    }
    told = [f"{counts[key]} {what}" for key, what in words.items() if counts[key]]
    click.echo(CAVEAT, err=for_programs)
    if told:
        click.echo(f"Of what the other filters list: {'; '.join(told)}.", err=for_programs)


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


def say_left_out(reader: Reader, query: ItemQuery, what: str) -> None:
    """Say on stderr what a list leaves out since it cannot be told whether it is meant: never silently (rule B5)."""
    left = reader.left_out(query)
    if left.unknown_time:
        click.echo(
            f"{_count(left.unknown_time, what)} left out: {query.by} time is unknown; see 'vidreview clock'", err=True
        )
    if left.provisional:
        click.echo(
            f"{_count(left.provisional, 'provisional event')} left out: these filters ask for tracks, which they get "
            "when the scan of their exhibit is over",
            err=True,
        )
    if left.uncharted:
        click.echo(
            f"{_count(left.uncharted, 'track')} left out: the points are damaged; see 'vidreview verify'", err=True
        )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


#: columns of a drawn table lie this far apart
_GAP = 3
#: a column that folds is folded no narrower than this
_FOLDED = 12


def print_table(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: frozenset[int] = frozenset(),
    folds: Sequence[int] = (),
    spare: Sequence[int] = (),
) -> None:
    """A table on stdout: drawn on a terminal, aligned plain text elsewhere; columns in ``right`` are right-aligned.

    On a terminal that is too narrow, columns in ``folds`` are folded; where that is not enough, columns in ``spare``
    are left out, in that order, and that is said. Cells must be safe for a terminal already.
    """
    room = shutil.get_terminal_size((120, 40)).columns
    least = [max(max(map(len, heading.split())), *(len(row[k]) for row in rows)) for k, heading in enumerate(headings)]
    least = [min(width, _FOLDED) if k in folds else width for k, width in enumerate(least)]
    kept = None if plain_terminal() else _fitting(least, room, spare)
    if kept is None:
        _print_plain(headings, rows, right)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for k in kept:
        table.add_column(
            headings[k],
            justify="right" if k in right else "left",
            overflow="fold",
            min_width=least[k],
        )
    for row in rows:
        table.add_row(*(Text(row[k]) for k in kept))  # Text: brackets in a file name are no markup
    Console(width=room).print(table)
    left = [heading for k, heading in enumerate(headings) if k not in kept]
    if left:
        click.echo(f"Left out, since the terminal is {room} columns wide: {', '.join(left)}.")


def _print_plain(headings: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> None:
    widths = [max(len(line[k]) for line in (headings, *rows)) for k in range(len(headings))]
    for line in (headings, *rows):
        cells = [
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _fitting(least: Sequence[int], room: int, spare: Sequence[int]) -> list[int] | None:
    """The columns that fit into so much room, ``spare`` ones left out first; None when the others do not fit."""
    kept = list(range(len(least)))
    for k in (None, *spare):
        if k is not None:
            kept.remove(k)
        if sum(least[j] for j in kept) + _GAP * (len(kept) - 1) + 2 <= room:
            return kept
    return None  # drawn all the same, cells would be cut off at the edge
