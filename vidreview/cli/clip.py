"""``vidreview clip``: evidential clips of events by stream copy, and copies of them for viewing and handing over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidreview.cli.common import TimeType, case_option, json_option, loudness_options, print_json
from vidreview.cli.copies import Kinds, make, show
from vidreview.cli.derive import find_events, open_batch, source_option
from vidreview.errors import VidreviewError


@click.command("clip")
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@case_option
@click.option("--all", "every", is_flag=True, help="Every event of the case.")
@click.option("--before", type=TimeType(), default=0.0, help="Time to add before the event.  [default: 0]")
@click.option("--after", type=TimeType(), default=0.0, help="Time to add after the event.  [default: 0]")
@click.option("--viewing", is_flag=True, help="A viewing copy instead: H.264, every frame at its own time.")
@click.option("--annotated", is_flag=True, help="A copy with boxes, track ids and times; with it both clean ones.")
@click.option(
    "--redact",
    type=click.Choice(["persons", "vehicles", "all"]),
    help="A copy in which these are covered, and what moved unrecognised.",
)
@click.option("--keep", metavar="TRACK", multiple=True, help="With --redact: a track that stays (T0012); repeatable.")
@click.option(
    "--redact-with",
    type=click.Choice(["fill", "blur"]),
    default="fill",
    show_default=True,
    help="With --redact: one grey, or a few rounded means.",
)
@click.option("--spare-motion", is_flag=True, help="With --redact: leave what moved but was not recognised.")
@source_option
@json_option
@loudness_options
def command(
    events: tuple[str, ...],
    case: Path,
    every: bool,
    before: float,
    after: float,
    viewing: bool,
    annotated: bool,
    redact: str | None,
    keep: tuple[str, ...],
    redact_with: str,
    spare_motion: bool,
    source: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Cut clips of events into the case's folder clips: the exhibit's own packets, not re-encoded.

    A clip begins at the key frame at or before the event, so usually a little earlier. It is read back and compared
    with the exhibit packet by packet; E0007_copy.json beside it lists every packet's hash. MP4 is used where it keeps
    the packets as they are, else Matroska, the exhibit's own container, a transport stream, AVI or NUT. Exhibits are
    checked against their recorded hash first.

    --viewing, --annotated and --redact write MP4 files that any browser plays, E0007_VIEW, E0007_ANNOTATED and
    E0007_REDACTED, each with a manifest. They are re-encoded and not evidence: docs/copies.md says what each is for.
    A redacted copy has to be watched before it is handed over: what nobody detected is not covered.

    \b
    Examples:
      vidreview clip E0007 E0009 --before 2 --after 2
      vidreview clip E0007 --annotated
      vidreview clip E0007 --redact persons --keep T0012
      vidreview clip --all --case NMC-1-case --source /mnt/evidence
    """
    from vidreview.index.query import Reader

    kinds = Kinds(viewing, annotated, redact, keep, redact_with, spare_motion)
    with Reader.open(case) as reader:
        kinds.check(reader)
        places = find_events(reader, events, every)
    batch = open_batch(case, source, quiet)
    done: list[dict[str, Any]] = []
    for parent, _, place in batch.parents((place.stream, place) for place in places):
        try:
            for document in make(batch, parent, place, kinds, before, after):
                done.append(document)
                if not as_json and not quiet:
                    show(document, verbose)
        except VidreviewError as error:
            batch.fail(error)
    if as_json:
        print_json(done)
    elif not places:
        click.echo("No events recorded in this case, so no clips; see 'vidreview coverage'.")
    return batch.status
