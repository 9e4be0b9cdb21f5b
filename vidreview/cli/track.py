"""``vidreview track``: the tracker alone."""

from __future__ import annotations

import math
from pathlib import Path

import click

from vidreview.cli.common import json_option, print_json


@click.command("track", no_args_is_help=True)
@click.argument("detections", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--fps", type=float, required=True, help="Frames per second of the sequence.")
@click.option("--high-score", type=float, default=0.7, show_default=True, help="Detections this sure start a track.")
@click.option("--low-score", type=float, default=0.1, show_default=True, help="Weaker ones are not used.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write there, not to stdout.")
@json_option
def command(
    detections: Path, fps: float, high_score: float, low_score: float, output: Path | None, as_json: bool
) -> int:
    """Run the tracker alone over DETECTIONS, MOT Challenge text (frame,id,x,y,w,h,score), and write MOT tracks.

    \b
    Example:
      vidreview track det.txt --fps 25 -o tracks.txt
    """
    from vidreview.errors import UsageError
    from vidreview.motfile import read_detections, write_tracks
    from vidreview.track.follow import follow

    if not 0 < fps <= 1000:
        raise UsageError(f"--fps must be above 0 and at most 1000, not {fps:g}")
    if not (math.isfinite(high_score) and math.isfinite(low_score)) or low_score > high_score:
        raise UsageError(f"--low-score {low_score:g} must be at most --high-score {high_score:g}, and both numbers")
    if output is not None and output.exists() and output.samefile(detections):
        raise UsageError(f"{output}: the tracks would overwrite the detections; name another --output")
    tracks = follow(read_detections(detections), fps, high_score, low_score)
    if as_json:
        print_json(
            [
                {
                    "id": number,
                    "detections": t.detections,
                    "score": t.score,
                    "path": [[p.frame, *(round(v, 3) for v in p.box)] for p in t.points],
                }
                for number, t in enumerate(tracks, 1)
            ]
        )
        return 0
    text = "".join(f"{line}\n" for line in write_tracks(tracks))
    if output is None:
        click.echo(text, nl=False)
        return 0
    try:
        output.write_text(text, encoding="ascii")
    except OSError as error:
        raise UsageError(f"{output}: {error.strerror or error}") from error
    return 0
