"""``vidreview still``: lossless pictures of events, or of one instant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import TimeType, case_option, clock, json_option, loudness_options, print_json, safe
from vidreview.cli.derive import find_events, open_batch, source_option
from vidreview.errors import UsageError, VidreviewError

if TYPE_CHECKING:
    from vidreview.clips import Parent, StillRequest
    from vidreview.derive import Batch
    from vidreview.index.query import EventPlace, Reader, StoredStream


@click.command("still")
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@case_option
@click.option("--all", "every", is_flag=True, help="Every event of the case.")
@click.option("--at", "at_s", type=TimeType(), help="The frame in view at this time of --exhibit, instead of an event.")
@click.option("--exhibit", metavar="NAME", help="With --at: which exhibit.")
@click.option("--stream", type=click.IntRange(min=0), help="With --at: which stream, where an exhibit has several.")
@source_option
@json_option
@loudness_options
def command(
    events: tuple[str, ...],
    case: Path,
    every: bool,
    at_s: float | None,
    exhibit: str | None,
    stream: int | None,
    source: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Write the best frame of events as PNG into the case's folder stills: the decoder's picture, lossless.

    The picture has the stored geometry. Where a player would turn or stretch it, E0007_display.png shows that too.
    E0007.json beside it says which frame it is and by which colour matrix and range it was made.

    \b
    Examples:
      vidreview still E0007
      vidreview still --at 00:01:11.200 --exhibit front-door.mp4
    """
    from vidreview.index.query import Reader

    with Reader.open(case) as reader:
        items: list[tuple[StoredStream, EventPlace | float]]
        if at_s is not None:
            items = [(_stream(reader, events, every, exhibit, stream), at_s)]
        elif exhibit is not None or stream is not None:
            raise UsageError("--exhibit and --stream go with --at TIME")
        else:
            items = [(place.stream, place) for place in find_events(reader, events, every)]
    batch = open_batch(case, source, quiet)
    done = []
    for parent, place, item in batch.parents(items):
        try:
            document = _take(batch, parent, place, item)
        except VidreviewError as error:
            batch.fail(error)
            continue
        done.append(document)
        if not as_json and not quiet:
            _print(document, verbose)
    if as_json:
        print_json(done)
    elif not items:
        click.echo("No events recorded in this case, so no stills; see 'vidreview coverage'.")
    return batch.status


def _stream(
    reader: Reader, events: tuple[str, ...], every: bool, exhibit: str | None, stream: int | None
) -> StoredStream:
    """The one stream that --exhibit and --stream name; raises UsageError."""
    if events or every:
        raise UsageError("--at TIME excludes events and --all")
    if exhibit is None:
        raise UsageError("--at TIME needs --exhibit NAME")
    found = [s for s in reader.streams([exhibit]) if stream is None or s.index == stream]
    if not found:
        raise UsageError(_no_stream(reader, exhibit, stream))
    if len(found) > 1:
        names = ", ".join(f"{safe(s.exhibit.name)} stream {s.index}" for s in found[:5])
        raise UsageError(f"{safe(exhibit)!r} is {len(found)} streams ({names}); narrow --exhibit or give --stream")
    return found[0]


def _no_stream(reader: Reader, exhibit: str, stream: int | None) -> str:
    """Why no stream is the one that was asked for."""
    from vidreview.index.filters import matches_name

    here = [s.index for s in reader.streams([exhibit])]
    if here:
        return f"{safe(exhibit)} has no stream {stream}; it has: {', '.join(map(str, here))}"
    if any(matches_name(name, exhibit) for name in reader.exhibit_names()):
        return f"no stream of {safe(exhibit)!r} could be read, so no still can be taken; see 'vidreview coverage'"
    names = ", ".join(dict.fromkeys(safe(s.exhibit.name) for s in reader.streams([])[:5]))
    return f"no exhibit of the case is named {safe(exhibit)!r}; try: {names}"


def _take(batch: Batch, parent: Parent, stream: StoredStream, item: EventPlace | float) -> dict[str, Any]:
    from vidreview.clips import still
    from vidreview.derive import origin
    from vidreview.media.source import Source

    index = batch.index(parent, stream)
    request = _request(batch, parent, stream, item)
    how = f"vidreview still {request.name}"
    if isinstance(item, float):
        how = f"vidreview still --at {item:g} --exhibit {parent.name} --stream {stream.index}"
    parameters = {"stream": stream.index, "pts": request.pts}
    with batch.alone("stills") as folder:
        record = still(Source, parent, request, folder, index=index, origin=origin(how, stream.exhibit))
        batch.record(record.path, record.sha256, parent, how, **parameters)
        if record.display is not None and record.display_sha256 is not None:
            batch.record(record.display, record.display_sha256, parent, how, **parameters)
        batch.record(record.manifest, record.manifest_sha256, parent, how, **parameters)
    return record.document


def _request(batch: Batch, parent: Parent, stream: StoredStream, item: EventPlace | float) -> StillRequest:
    from vidreview.clips import StillRequest
    from vidreview.derive import still_request
    from vidreview.media.source import Source

    if not isinstance(item, float):
        return still_request(item)
    looks: dict[str, Any] = {"rotation": stream.rotation, "sample_aspect": stream.sample_aspect, "timed": stream.timed}
    index = batch.index(parent, stream)
    packet, seconds = index.at(Source, item)
    # a name that no file system refuses, and that two exhibits of one name do not share
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", Path(parent.name).stem)[:60]
    name = f"{stem}_{parent.sha256[:8]}_s{stream.index}_{clock(seconds).replace(':', '-')}"
    return StillRequest(name, stream.index, index.tick(packet), seconds, packet, packet=packet, **looks)


def _print(document: dict[str, Any], verbose: bool) -> None:
    frame, picture = document["frame"], document["still"]
    size = f"{picture['width']}x{picture['height']}"
    where = f"{safe(document['exhibit']['name'])} at {clock(frame['seconds'])} (PTS {frame['pts']})"
    click.echo(f"stills/{picture['file']}  {where}  {size}")
    if document["display"]:
        click.echo(f"stills/{document['display']['file']}  {document['display']['made_by']}")
    if frame["flagged_as_damaged"]:
        click.echo("  the decoder flagged this picture as damaged")
    if verbose:
        colour = document["colour"]
        declared = "declared" if colour["matrix_declared"] else "assumed"
        click.echo(f"  {colour['pixel_format']}, {colour['matrix']} ({declared}), {colour['range']} range")
