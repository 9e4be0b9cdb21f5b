"""``vidreview clip``: evidential clips of events, by stream copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import TimeType, case_option, clock, json_option, loudness_options, print_json, safe
from vidreview.cli.derive import find_events, open_batch, source_option
from vidreview.errors import VidreviewError

if TYPE_CHECKING:
    from vidreview.clips import Parent
    from vidreview.derive import Batch
    from vidreview.index.query import EventPlace


@click.command("clip")
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@case_option
@click.option("--all", "every", is_flag=True, help="Every event of the case.")
@click.option("--before", type=TimeType(), default=0.0, help="Time to add before the event.  [default: 0]")
@click.option("--after", type=TimeType(), default=0.0, help="Time to add after the event.  [default: 0]")
@source_option
@json_option
@loudness_options
def command(
    events: tuple[str, ...],
    case: Path,
    every: bool,
    before: float,
    after: float,
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

    \b
    Examples:
      vidreview clip E0007 E0009 --before 2 --after 2
      vidreview clip --all --case NMC-1-case --source /mnt/evidence
    """
    from vidreview.index.query import Reader

    with Reader.open(case) as reader:
        places = find_events(reader, events, every)
    batch = open_batch(case, source, quiet)
    done = []
    for parent, _, place in batch.parents((place.stream, place) for place in places):
        try:
            document = _cut(batch, parent, place, before, after)
        except VidreviewError as error:
            batch.fail(error)
            continue
        done.append({name: value for name, value in document.items() if name != "packets"})
        if not as_json and not quiet:
            _print(document, verbose)
    if as_json:
        print_json(done)
    elif not places:
        click.echo("No events recorded in this case, so no clips; see 'vidreview coverage'.")
    return batch.status


def _cut(batch: Batch, parent: Parent, place: EventPlace, before: float, after: float) -> dict[str, Any]:
    from vidreview.clips import cut
    from vidreview.derive import clip_request, origin
    from vidreview.media.source import Source

    request = clip_request(place, before, after)
    name = request.name
    how = f"vidreview clip {name} --before {before:g} --after {after:g}"
    index = batch.index(parent, place.stream)
    clip = cut(Source, parent, request, batch.case / "clips", index=index, origin=origin(how, place.stream.exhibit))
    parameters = {"event": name, "stream": request.stream, "start_pts": place.start_pts, "end_pts": place.end_pts}
    batch.record(clip.path, clip.sha256, parent, how, **parameters)
    batch.record(clip.manifest, clip.manifest_sha256, parent, how, **parameters)
    return clip.document


def _print(document: dict[str, Any], verbose: bool) -> None:
    delivered, clip = document["delivered"], document["clip"]
    span = f"{clock(delivered['start_s'])} to {clock(delivered['end_s'])}"
    packets = f"{clip['packets_compared']} packets, each as in the exhibit"
    click.echo(f"clips/{clip['file']}  {safe(document['exhibit']['name'])}  {span}  {packets}")
    for note in document["notes"]:
        click.echo(f"  {note}")
    if verbose:
        for refused in document["containers_refused"]:
            click.echo(f"  not {refused}")
