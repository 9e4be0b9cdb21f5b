"""``vidreview probe``: what each file is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import PathType, clock, json_option, place, plain_terminal, print_json, safe
from vidreview.errors import UsageError, VidreviewError

if TYPE_CHECKING:
    from vidreview.model import FileInfo, Problem, StreamInfo
    from vidreview.pipeline.prober import Prober

#: Problems that mean that part of the evidence cannot be read: exit status 3.
UNREAD = frozenset({"damage", "truncated", "undecodable"})


@click.command(name="probe")
@click.argument("sources", nargs=-1, required=True, type=PathType(), metavar="SOURCE...")
@click.option("--hash", "with_hash", is_flag=True, help="Add the SHA-256 of each file.")
@json_option
def command(sources: tuple[Path, ...], with_hash: bool, as_json: bool) -> int:
    """Say what each file is: container, streams, codec, size, rate measured and declared, duration, time problems.

    SOURCE is a file or a folder, which is walked, as is what disk images hold. Files are identified by content and
    never written to. Exit status 3 when something could not be read, or not in full.

    \b
    Example:
      vidreview probe /evidence/NMC-1
      vidreview probe --json --hash front-door.dav
    """
    from vidreview.evidence import Found, discover, inside, is_missing
    from vidreview.pipeline.prober import Prober

    if all(is_missing(source) for source in sources):
        raise UsageError(f"no such file or folder: {', '.join(safe(str(s)) for s in sources)}")
    rows = []
    with Prober() as prober:
        for found in discover(sources):
            of_image = inside(found) if isinstance(found, Found) and found.image else ()
            for item in (found, *of_image):
                row = _examine(item, with_hash, prober)
                rows.append(row)
                if not as_json:
                    _print(row)
    if as_json:
        print_json([_plain(row) for row in rows])
    return 3 if any(_unread(row) for row in rows) else 0


def _examine(item: Any, with_hash: bool, prober: Prober) -> dict[str, Any]:
    """One line of the result: path and name, then ``info`` or the ``error`` why there is none."""
    from vidreview.evidence import Unreadable, check_acquired, hash_file, image_files, is_evidence_candidate

    row: dict[str, Any] = {"path": str(item.path), "name": item.name}
    if isinstance(item, Unreadable):
        return row | {"error": item.reason}
    try:
        if with_hash:
            row["sha256"] = str(hash_file(item.path))
        if item.image:
            segments = [str(path) for path in image_files(item)]
            if with_hash:
                row["segments_sha256"] = [str(hash_file(Path(path))) for path in segments]
                if damage := check_acquired(item):
                    return row | {"error": damage}
            return row | {"segments": segments}
        candidate, reason = is_evidence_candidate(item.path)
        if not candidate:
            return row | {"error": reason}
        return row | {"info": prober.probe(item.path)}
    except VidreviewError as error:
        return row | {"error": str(error).removeprefix(f"{item.path}: ")}


def _unread(row: dict[str, Any]) -> bool:
    if "error" in row:
        return True
    if "segments" in row:
        return False
    return any(problem.kind in UNREAD for problem in _problems(row["info"]))


def _problems(info: FileInfo) -> list[Problem]:
    return [*info.problems, *(problem for stream in info.streams for problem in stream.problems)]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in row.items() if key != "info"}
    return flat | row["info"].to_json() if "info" in row else flat


def _print(row: dict[str, Any]) -> None:
    color = not plain_terminal()

    def warn(text: str) -> str:
        return click.style(text, fg="yellow") if color else text

    name = safe(row["name"])
    click.echo(click.style(name, bold=True) if color else name)
    if "sha256" in row and "segments" not in row:
        click.echo(f"  sha256 {row['sha256']}")
    if "error" in row:
        click.echo(warn(f"  not read: {safe(row['error'])}"))
        return
    if "segments" in row:
        count = len(row["segments"])
        click.echo(f"  disk image{f' in {count} segments' if count > 1 else ''}; what it holds follows")
        for path, sha256 in zip(row["segments"], row.get("segments_sha256", ()), strict=False):
            click.echo(f"  sha256 {sha256}  {safe(Path(path).name)}")
        return
    info: FileInfo = row["info"]
    made = f", says it was made {safe(info.creation_time)} (unverified)" if info.creation_time else ""
    click.echo(f"  {info.container}, {info.size:,} bytes{made}")
    for problem in info.problems:
        click.echo(warn(f"  {problem.kind}{_lies(problem)}: {safe(problem.reason)}"))
    for stream in info.streams:
        click.echo(f"  {_describe(stream)}")
        for problem in stream.problems:
            click.echo(warn(f"    {problem.kind}{_lies(problem)}: {safe(problem.reason)}"))


def _lies(problem: Problem) -> str:
    return place(problem.at_s, problem.pts, problem.end_pts, problem.byte)


def _describe(stream: StreamInfo) -> str:
    measured = "no timestamps" if stream.measured_rate is None else f"{stream.measured_rate:.4g} fps measured"
    declared = "none declared" if stream.declared_rate is None else f"{float(stream.declared_rate):.4g} declared"
    parts = [
        f"stream {stream.index}: {safe(stream.codec)} {stream.pixel_format} {stream.width}x{stream.height}",
        f"{measured}{' (variable)' if stream.variable_rate else ''}, {declared}",
        f"{stream.packets} packets",
        "length assumed" if stream.duration_s is None else clock(stream.duration_s),
        "no first PTS" if stream.start_pts is None else f"from PTS {stream.start_pts} in {stream.time_base} s",
    ]
    if stream.rotation:
        parts.append(f"turned {stream.rotation} degrees by players")
    if stream.sample_aspect != 1:
        parts.append(f"pixel aspect {stream.sample_aspect.numerator}:{stream.sample_aspect.denominator}")
    return " · ".join(parts)
