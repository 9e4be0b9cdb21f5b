"""``vidreview why``: what was seen at an instant, and which rule dropped what (rule E3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from vidreview.cli.common import TimeType, case_option, clock, json_option, print_json, safe
from vidreview.cli.tables import LEADS


@click.command("why")
@click.argument("exhibit")
@click.argument("time", type=TimeType())
@click.option("--stream", type=click.IntRange(0), help="Which stream, where the exhibit has several.")
@case_option
@json_option
def command(exhibit: str, time: float, stream: int | None, case: Path, as_json: bool) -> None:
    """Explain one instant of EXHIBIT: what the motion gate said, what the detector saw, what became of it.

    TIME counts from the stream's first presented frame. Detections below the threshold and tracks that were dropped are
    shown too, with the rule that dropped them. It reads the index alone, not the video.

    \b
    Example:
      vidreview why front-door.mp4 00:12:31.5
    """
    from vidreview.index.query import Reader

    with Reader.open(case) as reader:
        found = reader.why(exhibit, stream, time)
    if as_json:
        print_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    click.echo(f"{safe(found['exhibit'])} stream {found['stream']} at {clock(found['time_s'])}")
    frame, gate = found["frame"], found["gate"]
    if frame is None:
        click.echo("  frame     none was presented here; what could not be read is below")
    else:
        until = "the end" if frame["next_s"] is None else clock(frame["next_s"])
        click.echo(f"  frame     {frame['number']}, PTS {frame['pts']}, from {clock(frame['start_s'])} to {until}")
        if found["time_source"]:
            _print_times(found)
        changed = f"{gate['level']:.2%} of the picture changed"
        if gate["blobs"]:
            changed += f" in {gate['blobs']} place{'s' * (gate['blobs'] != 1)}, {gate['strength']:g} × the noise there"
        click.echo(f"  gate      {gate['reason']}: {gate['words']}; {changed}")
    if not found["looks"]:
        click.echo("  detector  did not look at this stream")
    for look in found["looks"]:
        when = "at this frame" if frame is not None and look["at_s"] == frame["start_s"] else clock(look["at_s"])
        side = "looked" if look["at_s"] <= found["time_s"] + 1e-6 else "next looked"
        count = len(look["detections"])
        click.echo(f"  detector  {side} {when}: {count or 'no'} detection{'s' * (count != 1)}")
        for one in look["detections"]:
            weak = "" if one["starts_a_track"] else f", below {found['high_score']:g}: starts no track"
            click.echo(f"              {one['label']} {one['score']:.2f} at {_box(one['box'])}{weak}")
    for track in found["tracks"]:
        name = track["id"] or "T…"
        became = f"part of {track['event']}" if track["event"] else f"not in an event: {track['dropped']}"
        score = "" if track["score"] is None else f" {track['score']:.2f}"
        span = f"{clock(track['start_s'])} to {clock(track['end_s'])}"
        where = "" if track["box"] is None else f" at {_box(track['box'])} ({track['rests_on']})"
        click.echo(f"  track     {name} {track['label']}{score}{where}, {span}; {became}")
    if not found["tracks"]:
        click.echo("  track     none at this instant")
    for problem in found["problems"]:
        at = "" if problem["at_s"] is None else f" at {clock(problem['at_s'])}"
        click.echo(f"  problem   {problem['kind']}{at}: {safe(problem['reason'])}")
    click.echo(LEADS)


def _print_times(found: dict[str, Any]) -> None:
    for name in ("shown", "corrected", "utc"):
        if found[f"start_{name}"]:
            click.echo(f"  {name:<9} {found[f'start_{name}']}")
    for one in found["utc_candidates"] if not found["start_utc"] else ():
        click.echo(f"  utc       perhaps {one['start_utc']}")


def _box(box: list[float]) -> str:
    return ",".join(f"{side:.0f}" for side in box)
