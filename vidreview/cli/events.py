"""``vidreview events``: list and filter the events of a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidreview.cli.common import case_option, clock, json_option, print_json, safe
from vidreview.cli.tables import LEADS, check_filters, filter_options, nothing_recorded, print_table


@click.command("events")
@case_option
@filter_options
@click.option(
    "--order",
    type=click.Choice(["start", "duration", "score", "peak", "count"]),
    default="start",
    show_default=True,
    help="By exhibit and start, longest, best score, by exhibit and best instant, or most at once.",
)
@json_option
def command(case: Path, as_json: bool, **filters: Any) -> None:
    """List the events of a case: what was in view, where, from when to when.

    Times are seconds from the first presented frame of the stream. Events are leads for a person to look at. P… are
    provisional: found by 'scan --order best-first' in an exhibit whose scan is not over.

    \b
    Examples:
      vidreview events --class person --since 00:10:00 --until 00:20:00
      vidreview events --exhibit 'front*.mp4' --min-duration 5 --order score --json
    """
    from vidreview.index.filters import EventQuery
    from vidreview.index.query import Reader

    with Reader.open(case) as reader:
        check_filters(reader, filters)
        found = reader.events(EventQuery(**filters))
        if as_json:
            print_json(found)
        elif not found:
            filtered = any(filters[name] not in (None, ()) for name in filters if name != "order")
            click.echo(nothing_recorded(reader, "events", filtered))
        else:
            _print(found)
            click.echo(f"{len(found)} event{'s' if len(found) != 1 else ''}. {LEADS}")
            if any(item["provisional"] for item in found):
                click.echo(
                    "P… are provisional: the scan of their exhibit is not over, and will put its events in their place."
                )
            left = reader.footage()[2]
            if left:
                words = "exhibits were" if left != 1 else "exhibit was"
                click.echo(f"{left} {words} not read or not finished: see 'vidreview coverage'.")


def _print(found: list[dict[str, Any]]) -> None:
    several = len({(item["exhibit"], item["stream"]) for item in found}) > len({item["exhibit"] for item in found})
    print_table(
        ("event", "exhibit", "what", "start", "end", "seconds", "score", "most", "still", "review"),
        [
            (
                item["id"],
                safe(item["exhibit"]) + (f" #{item['stream']}" if several else ""),
                item["class"] if item["label"] == item["class"] else f"{item['class']} ({item['label']})",
                clock(item["start_s"]),
                clock(item["end_s"]),
                f"{item['end_s'] - item['start_s']:.1f}",
                "-" if item["score"] is None else f"{item['score']:.2f}",
                str(item["max_count"]),
                item["still"] or "-",
                "provisional" if item["provisional"] else item["review"],
            )
            for item in found
        ],
        right=frozenset({5, 6, 7}),
        folds=(1,),
        spare=(8, 7, 9, 5, 6),
    )
