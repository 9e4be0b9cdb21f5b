"""``vidreview tracks``: list and filter single objects, or write them as MOT Challenge text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import case_option, clock, json_option, print_json, safe
from vidreview.cli.filters import check_filters, filter_options
from vidreview.cli.tables import LEADS, nothing_recorded, print_table, say_left_out, tell_of_colours
from vidreview.errors import UsageError

if TYPE_CHECKING:
    from vidreview.index.filters import TrackQuery
    from vidreview.index.query import Reader


@click.command("tracks")
@case_option
@filter_options
@click.option(
    "--order",
    type=click.Choice(["start", "end", "duration", "score", "number"]),
    default="start",
    show_default=True,
    help="By exhibit and start or end, longest, best score, or number.",
)
@click.option("--all", "with_dropped", is_flag=True, help="Also tracks that are part of no event, with the reason.")
@click.option("--format", "form", type=click.Choice(["table", "mot"]), default="table", help="mot: MOT Challenge text.")
@json_option
def command(case: Path, form: str, as_json: bool, **filters: Any) -> None:
    """List single objects: one track is one object's course through one stream.

    All filters that are given must hold; of one that is repeated, one value. docs/search.md has what each means.

    MOT text has one line per frame of a track: frame (from 1), track, left, top, width, height, score (-1 where the
    detector did not see it on that frame), -1, -1, -1. It is written for one stream at a time.

    \b
    Examples:
      vidreview tracks --class vehicle --min-duration 2
      vidreview tracks --exhibit yard.mp4 --format mot > yard.txt
      vidreview tracks --camera yard --path gate,door --min-height 80
    """
    from vidreview.index.filters import TrackQuery
    from vidreview.index.query import Reader

    if as_json and form == "mot":
        raise UsageError("--json and --format mot exclude each other; give one of them")
    query = TrackQuery(**filters)
    with Reader.open(case) as reader:
        check_filters(reader, filters)
        say_left_out(reader, query, "track")
        if form == "mot":
            for line in mot_lines(reader, query):
                click.echo(line)
        elif as_json:
            print_json(list(reader.tracks(query)))
        else:
            _print(reader, query)
        tell_of_colours(reader, query, for_programs=as_json or form == "mot")


def mot_lines(reader: Reader, query: TrackQuery) -> Iterator[str]:
    """The tracks of one stream as MOT Challenge text, by frame, then track; raises UsageError for several streams."""
    found = list(reader.track_rows(query))
    streams = sorted({(item["exhibit"], item["stream"]) for item in found})
    if len(streams) > 1:
        names = ", ".join(f"{safe(exhibit)} stream {stream}" for exhibit, stream in streams[:4])
        raise UsageError(
            f"MOT text is for one stream, but {len(streams)} have tracks ({names}, …); give --exhibit and --stream"
        )
    from vidreview.export.mot import track_lines

    ordered = sorted(found, key=lambda item: (item["start_s"], item["number"]))
    yield from track_lines((item["number"], reader.track_points(item["number"])) for item in ordered)


def _print(reader: Reader, query: TrackQuery) -> None:
    from vidreview.index.rows import track_name

    found = list(reader.track_rows(query))
    if not found:
        click.echo(nothing_recorded(reader, "tracks", query.filters))
        return
    headings = ["track", "exhibit", "stream", "what", "start", "end", "score", "detections"]
    rows = []
    for item in found:
        what = item["class"] if item["label"] == item["class"] else f"{item['class']} ({item['label']})"
        cells = [track_name(item["number"]), safe(item["exhibit"]), str(item["stream"])]
        cells += [what + (", standing" if item["stationary"] else ""), clock(item["start_s"]), clock(item["end_s"])]
        cells += ["-" if item["score"] is None else f"{item['score']:.2f}", str(item["detections"])]
        rows.append([*cells, item["dropped"] or ""] if query.with_dropped else cells)
    print_table(
        [*headings, "not in an event: why"] if query.with_dropped else headings,
        rows,
        right=frozenset({2, 6, 7}),
        folds=(1, 8),
        spare=(7, 2, 6),
    )
    click.echo(f"{len(found)} track{'s' if len(found) != 1 else ''}. {LEADS}")
