"""Write docs/cli.md from the commands themselves: `make docs`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from vidreview.cli import COMMANDS, group

TARGET = Path(__file__).resolve().parent / "cli.md"
#: columns; fixed, so that the text does not depend on a terminal
WIDTH = 100

HEAD = """\
# The command line

Written by `make docs` from the commands' own help; a test fails when the two differ.

Exit status: 0 done · 1 failed · 2 usage · 3 done, but some evidence could not be fully read (it is listed) ·
4 integrity: an exhibit, a derived file or the audit chain is not what was recorded.

Data goes to stdout, progress and messages to stderr. Times are accepted as seconds (`12.5`),
`HH:MM:SS.mmm` or an ISO 8601 duration (`PT1M12.5S`), from the first presented frame of a stream; there a date is
refused. Wall-clock times are for `vidreview clock`, written as `2024-03-30 14:02:07`.
"""


def commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    """The group, each command and each subcommand: what is typed, the command, its context."""
    looks: dict[str, Any] = {"terminal_width": WIDTH, "max_content_width": WIDTH, "color": False}
    top = click.Context(group, info_name="vidreview", **looks, **group.context_settings)
    yield "vidreview", group, top
    for name in COMMANDS:
        yield from _below(group.get_command(top, name), name, top)


def _below(
    command: click.Command | None, name: str, parent: click.Context
) -> Iterator[tuple[str, click.Command, click.Context]]:
    if command is None:
        raise SystemExit(f"no command {name!r} though it is listed")
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH, color=False
    )
    yield context.command_path, command, context
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            yield from _below(command.get_command(context, child), child, context)


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for typed, command, context in commands():
        text = re.sub(r"[ \t]+$", "", command.get_help(context), flags=re.MULTILINE)
        parts.append(f"## {typed}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
