"""``vidreview similar``: tracks of a case ranked by how alike they look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidreview.cli.common import case_option, clock, json_option, print_json, safe
from vidreview.cli.filters import check_filters, filter_options
from vidreview.cli.tables import print_table, say_left_out, tell_of_colours


@click.command("similar")
@click.argument("track")
@case_option
@filter_options
@click.option("--all", "with_dropped", is_flag=True, help="Also tracks that are part of no event.")
@json_option
def command(track: str, case: Path, as_json: bool, **filters: Any) -> None:
    """Rank tracks of the case by how alike they look to TRACK (T0012, or E0007: the best track of that event).

    Compared are stored descriptors of colour and form, not the video, and no faces. A similar look is a lead, not the
    same object: see docs/looks.md for what it is worth. The best 20 are printed unless --limit says otherwise.

    \b
    Examples:
      vidreview similar T0012
      vidreview similar E0007 --class vehicle --limit 50 --json
    """
    from vidreview.index.filters import TrackQuery
    from vidreview.index.query import Reader

    filters["limit"] = filters["limit"] or 20
    with Reader.open(case) as reader:
        check_filters(reader, filters)
        query = TrackQuery(**filters)
        found = reader.similar(track, query)
        say_left_out(reader, query, "track")
        if as_json:
            print_json(found)
        else:
            _print(found)
        tell_of_colours(reader, query, for_programs=as_json)


def _print(found: dict[str, Any]) -> None:
    asked = f"{found['id']} ({found['label']}, {safe(found['exhibit'])} at {clock(found['start_s'])})"
    if not found["tracks"]:
        click.echo(f"No other track with a stored look matches these filters, to compare with {asked}.")
    else:
        click.echo(f"By how alike they look to {asked}:")
        print_table(
            ["similarity", "track", "event", "exhibit", "stream", "what", "start", "end", "colours", "note"],
            [_row(item) for item in found["tracks"]],
            right=frozenset({0, 4}),
            folds=(3, 8, 9),
            spare=(4, 7, 9, 8),
        )
        if len(found["tracks"]) < found["ranked"]:
            click.echo(f"The first {len(found['tracks'])} of {found['ranked']} that were compared; --limit has more.")
    if found["no_look"]:
        click.echo(f"{found['no_look']} more have no stored look and could not be compared.")
    click.echo(found["lead"])


def _row(item: dict[str, Any]) -> list[str]:
    notes = ["in view together with it"] if item["in_view_together"] else []
    notes += ["by lightness alone"] if item["compared"] == "lightness" else []
    what = item["class"] if item["label"] == item["class"] else f"{item['class']} ({item['label']})"
    return [
        f"{item['similarity']:.3f}",
        item["id"],
        item["event"] or "-",
        safe(item["exhibit"]),
        str(item["stream"]),
        what,
        clock(item["start_s"]),
        clock(item["end_s"]),
        "; ".join(f"{part} {', '.join(names)}" for part, names in item["colours"].items()) or "-",
        "; ".join(notes) or "-",
    ]
