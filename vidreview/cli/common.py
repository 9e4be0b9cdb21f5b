"""What several commands share: options, JSON, times as people type them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vidreview.errors import UsageError

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_CASE = "case"


def case_option(function: Function) -> Function:
    """``--case DIR``, default ``./case`` or the environment variable VIDREVIEW_CASE; passed as ``case: Path``."""
    return click.option(
        "--case",
        "case",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_CASE,
        envvar="VIDREVIEW_CASE",
        show_default=True,
        help="Case folder (or set VIDREVIEW_CASE).",
    )(function)


def json_option(function: Function) -> Function:
    """``--json``; passed as ``as_json: bool``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(function)


def loudness_options(function: Function) -> Function:
    """``-q`` and ``-v``; passed as ``quiet: bool`` and ``verbose: bool``."""
    function = click.option("-v", "--verbose", is_flag=True, help="Explain what is done.")(function)
    return click.option("-q", "--quiet", is_flag=True, help="Print no progress.")(function)


def print_json(value: Any) -> None:
    """One JSON value on stdout; text that UTF-8 cannot hold (odd file names) is escaped."""
    click.echo(json.dumps(value, indent=1, ensure_ascii=True))


def plain_terminal(stream: Any = None) -> bool:
    """True when no colour or bar may be written: not a terminal, or NO_COLOR is set."""
    stream = stream if stream is not None else sys.stdout
    return bool(os.environ.get("NO_COLOR")) or not stream.isatty()


def safe(text: str) -> str:
    """Text from evidence (file names, metadata) made harmless for a terminal: control characters are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text)


def parse_seconds(text: str) -> float:
    """Seconds from ``12.5``, ``MM:SS`` or ``HH:MM:SS.mmm``; raises UsageError for anything else."""
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d*)?|\.\d+)", text.strip())
    if match:
        hours, minutes, seconds = match.groups()
        if minutes is None or float(seconds) < 60:
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
    raise UsageError(f"cannot read {text!r} as a time; write seconds (12.5) or HH:MM:SS.mmm")


def clock(seconds: float) -> str:
    """Seconds as HH:MM:SS.mmm for people."""
    milliseconds = round(seconds * 1000)
    sign = "-" if milliseconds < 0 else ""
    whole, milliseconds = divmod(abs(milliseconds), 1000)
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"


class TimeType(click.ParamType[float]):
    """A click type for ``parse_seconds``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return parse_seconds(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)
