"""``vidreview events``: list and filter the events of a case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidreview.cli.common import case_option, clock, json_option, print_json, safe
from vidreview.cli.filters import check_filters, filter_options
from vidreview.cli.review import review_words
from vidreview.cli.tables import LEADS, nothing_recorded, print_table, say_left_out, tell_of_colours


@click.command("events")
@case_option
@filter_options
@click.option(
    "--order",
    type=click.Choice(["start", "end", "duration", "score", "peak", "count", "number"]),
    default="start",
    show_default=True,
    help="By exhibit and start or end, longest, best score, exhibit and best instant, most at once, or number.",
)
@json_option
def command(case: Path, as_json: bool, **filters: Any) -> None:
    """List the events of a case: what was in view, where, from when to when.

    Times are seconds from the first presented frame of the stream; where a recorder's clock was recorded ('vidreview
    clock'), displayed, corrected and UTC times stand beside them. Events are leads for a person to look at. P… are
    provisional: found by 'scan --order best-first' in an exhibit whose scan is not over.

    All filters that are given must hold; of one that is repeated, one value. Those about labels, places, ways, sizes,
    speeds and wall clocks ask for the tracks: an event is listed when one of its tracks is all that they ask for. They
    find only what was detected; docs/search.md has what each means.

    \b
    Examples:
      vidreview events --class person --since 00:10:00 --until 00:20:00
      vidreview events --exhibit 'front*.mp4' --min-duration 5 --order score --json
      vidreview events --region '0%,50%,100%,50%,100%,100%,0%,100%' --time-of-day 22:00-06:00
      vidreview events --camera yard --crosses gate --direction left-to-right
    """
    from vidreview.index.filters import EventQuery
    from vidreview.index.query import Reader

    with Reader.open(case) as reader:
        check_filters(reader, filters)
        query = EventQuery(**filters)
        found = reader.events(query)
        say_left_out(reader, query, "event")
        if as_json:
            print_json(found)
        elif not found:
            click.echo(nothing_recorded(reader, "events", query.filters))
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
        tell_of_colours(reader, query, for_programs=as_json)


def _print(found: list[dict[str, Any]]) -> None:
    several = len({(item["exhibit"], item["stream"]) for item in found}) > len({item["exhibit"] for item in found})
    timed = any(item["start_shown"] or item["utc_candidates"] for item in found)
    headings = ["event", "exhibit", "what", "start", "end", "seconds", "score", "most", "still", "review"]
    rows = [
        [
            item["id"],
            safe(item["exhibit"]) + (f" #{item['stream']}" if several else ""),
            item["class"] if item["label"] == item["class"] else f"{item['class']} ({item['label']})",
            clock(item["start_s"]),
            clock(item["end_s"]),
            f"{item['end_s'] - item['start_s']:.1f}",
            "-" if item["score"] is None else f"{item['score']:.2f}",
            str(item["max_count"]),
            item["still"] or "-",
            "provisional" if item["provisional"] else review_words(item),
            *(_wall_clock(item) if timed else ()),
        ]
        for item in found
    ]
    if timed:
        headings[3:5] = ["stream start", "stream end"]
        headings += ["displayed start", "corrected start", "UTC start"]
    # the displayed time stays beside a corrected one (rule B5), so it is not left out while there is one
    print_table(
        headings,
        rows,
        right=frozenset({5, 6, 7}),
        folds=(1, 9, 10, 11, 12) if timed else (1, 9),
        spare=(8, 7, 9, 5, 6, 11, 4, 3) if timed else (8, 7, 9, 5, 6),
    )
    if timed:
        click.echo("Stream: from the first frame. Displayed: by the recorder's clock. Corrected: less its offset.")
        click.echo("Each ± is a bound; --json has the ends and where each time comes from, see 'vidreview clock list'.")


def _wall_clock(item: dict[str, Any]) -> list[str]:
    """When the event starts as displayed, corrected and in UTC, each with its bound (rule B2), or the word unknown."""
    starts = dict.fromkeys(one["start_utc"] for one in item["utc_candidates"])
    utc = " or ".join(starts) or None
    return [
        "unknown" if time is None else f"{time.replace('T', ' ')} ± {bound:g} s"
        for time, bound in (
            (item["start_shown"], item["shown_uncertainty_s"]),
            (item["start_corrected"], item["corrected_uncertainty_s"]),
            (utc, item["utc_uncertainty_s"]),
        )
    ]
