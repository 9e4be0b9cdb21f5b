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

#: [HH:]MM:SS.mmm or seconds
_CLOCK = re.compile(r"(?:(?:([0-9]{1,9}):)?([0-9]{1,2}):)?([0-9]{1,15}(?:\.[0-9]*)?|\.[0-9]+)")
#: an ISO 8601 duration without days
_DURATION = re.compile(r"PT(?=[0-9.])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,15}(?:\.[0-9]*)?)S)?")
#: how a date of ISO 8601 begins
_DATE = re.compile(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}(?:[T ]|$)")


class PathType(click.Path):
    """A click type for paths that refuses an empty one: ``"$UNSET"`` in a script must not mean this folder."""

    def __init__(self, *, file_okay: bool = True) -> None:
        # readable=False: one file that may not be read is listed as such, and the rest of the batch goes on
        super().__init__(path_type=Path, file_okay=file_okay, readable=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not os.fspath(value):
            self.fail("an empty path; is a variable unset? Write . for this folder", param, ctx)
        return super().convert(value, param, ctx)


def case_option(function: Function) -> Function:
    """``--case DIR``, default ``./case`` or the environment variable VIDREVIEW_CASE; passed as ``case: Path``."""
    return click.option(
        "--case",
        "case",
        type=PathType(file_okay=False),
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
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python holds a byte of a file name that is no UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def parse_seconds(text: str) -> float:
    """Seconds from ``12.5``, ``MM:SS``, ``HH:MM:SS.mmm`` or the ISO 8601 duration ``PT1M12.5S``.

    Raises UsageError for anything else. A date with time (ISO 8601) is refused too: this is a stream's own time, whose
    place on the wall clock is known only where somebody recorded it (rule B5).
    """
    written = text.strip()
    forms = "seconds (12.5), HH:MM:SS.mmm or PT1M12.5S"
    if match := _CLOCK.fullmatch(written) or _DURATION.fullmatch(written):
        hours, minutes, seconds = match.groups()
        # under a larger unit 61 seconds or minutes are a slip of the hand, whose meaning nobody should guess
        carried = ":" in written and minutes is not None
        if not (carried and float(seconds) >= 60) and not (carried and hours is not None and int(minutes) >= 60):
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)
    if _DATE.match(written):
        raise UsageError(
            f"cannot use {text!r} here: write the time from the stream's first frame as {forms}; where a recorder's "
            "clock was recorded ('vidreview clock'), 'vidreview events' lists wall-clock times beside it"
        )
    raise UsageError(f"cannot read {text!r} as a time; write {forms}")


def clock(seconds: float) -> str:
    """Seconds as HH:MM:SS.mmm for people."""
    milliseconds = round(seconds * 1000)
    sign = "-" if milliseconds < 0 else ""
    whole, milliseconds = divmod(abs(milliseconds), 1000)
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"


def place(at_s: float | None, pts: int | None, end_pts: int | None, byte: int | None) -> str:
    """Where a problem lies, as far as that is known: " at 00:00:25.000, PTS 100 to 200, byte 564", or nothing."""
    parts = [] if at_s is None else [f" at {clock(at_s)}"]
    if pts is not None:
        parts.append(f" PTS {pts}" if end_pts in (None, pts) else f" PTS {pts} to {end_pts}")
    if byte is not None:
        parts.append(f" byte {byte}")
    return ",".join(parts)


class Share(click.FloatRange):
    """A click type for a number of 0 or more, to ``highest`` where given, that refuses "nan", which no bound stops."""

    def __init__(self, highest: float | None = None) -> None:
        super().__init__(0, highest)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if number != number:
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


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


def complete(command: click.Command) -> click.Command:
    """Give a command, and the commands of a group, the options that every command takes and it has no use for.

    So that a script may say ``--case`` and ``-q`` always.
    """
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            complete(inner)
        return command
    known = {name for parameter in command.params for name in parameter.opts}
    spare = [
        click.Option(["--case"], expose_value=False, metavar="DIR", help="Accepted everywhere; not used here."),
        click.Option(["-q", "--quiet"], is_flag=True, expose_value=False, help="Accepted everywhere."),
        click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, help="Accepted everywhere."),
    ]
    command.params += [option for option in spare if not known & set(option.opts)]
    return command
