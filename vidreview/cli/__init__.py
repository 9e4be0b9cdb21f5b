"""The command line: arguments → settings → one call → printed result; one file per command."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click

from vidreview import __version__
from vidreview.errors import VidreviewError

#: command → (module, one line of help); a command's module is imported only when the command is run,
#: so that ``vidreview --help`` answers at once.
COMMANDS: dict[str, tuple[str, str]] = {
    "scan": ("scan", "Find every person, vehicle and moving thing in files or folders."),
    "probe": ("probe", "Say what each file is: container, streams, codec, rate, time problems."),
    "events": ("events", "List and filter the events of a case."),
    "tracks": ("tracks", "List and filter single objects; write MOT text."),
    "similar": ("similar", "Rank tracks by how alike they look: a lead."),
    "coverage": ("coverage", "Show the ledger: seconds of every stream by state."),
    "clock": ("clock", "Record what a recorder's clock showed: displayed, corrected and UTC times."),
    "why": ("why", "Explain one instant: motion gate, detections, tracks, and what dropped them."),
    "clip": ("clip", "Cut evidential clips by stream copy."),
    "still": ("still", "Write lossless PNG stills of events."),
    "review": ("review", "Set, list and import what people decided about events."),
    "export": ("export", "Write the case as CSV, JSON, MOT text, Parquet or CASE/UCO."),
    "report": ("report", "Write a report that opens in a browser without a network."),
    "verify": ("verify", "Check exhibits, derived files, index and audit log against what was recorded."),
    "log": ("log", "Show the audit log and sign its head."),
    "track": ("track", "Run the tracker alone over MOT-format detections."),
    "validate": ("validate", "Scan labelled clips and score the method."),
    "model": ("model", "List, fetch and show detector weights."),
    "doctor": ("doctor", "Versions, model, codecs, threads and a self-test."),
    "bench": ("bench", "Speed on this machine against bare decoding, and where the time goes."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"vidreview.cli.{COMMANDS[cmd_name][0]}")
        from vidreview.cli.common import complete

        return complete(module.command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"no such command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vidreview")
def group() -> None:
    """Forensic review of CCTV: a folder of footage in; events, stills and clips out.

    Outputs are leads for a person to look at, never identifications. Nothing is written to the evidence.

    \b
    Example:
      vidreview scan /evidence/NMC-1 --case NMC-1-case
      vidreview events --case NMC-1-case --class person
    """


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status: 0 done, 1 failed, 2 usage, 3 unread evidence, 4 integrity."""
    # a batch system that asks us to end gets the same orderly end as a person's Ctrl-C
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show "×" or a name gets it spelt out, not the end of the command
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(argv))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def run(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; every error becomes one line on stderr."""
    arguments: list[str] = list(sys.argv[1:] if argv is None else argv)
    try:
        result: Any = group.main(args=arguments, prog_name="vidreview", standalone_mode=False)
    except VidreviewError as error:
        return _fail(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return _fail(_typed_wrong(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted; what was finished is kept, the same command goes on from there", 130)
    except BrokenPipeError:
        # the reader of our output (head, less) went away; nothing is wrong
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # a folder that may not be entered, a name too long, a full disk: the system's own words say what to do
        if error.strerror is None or "-v" in arguments or os.environ.get("VIDREVIEW_TRACEBACK"):
            raise
        about = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return _fail(f"{about}{error.strerror}", 1)
    except Exception as error:  # the last line of defence: a person gets a line, not a traceback
        if "-v" in arguments or "--verbose" in arguments or os.environ.get("VIDREVIEW_TRACEBACK"):
            raise
        return _fail(
            f"internal error: {type(error).__name__}: {error}. Please report it with the output of "
            "'vidreview doctor'; VIDREVIEW_TRACEBACK=1 shows where it happened",
            1,
        )
    return result if isinstance(result, int) else 0


def _typed_wrong(error: click.ClickException) -> str:
    """What click says of a command line, in one line, with where to read how it is written."""
    message = " ".join(error.format_message().split()).removesuffix(".")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message}; see '{context.command_path} --help'"


def _fail(message: str, status: int) -> int:
    from vidreview.cli.common import safe

    # the names of files are in it, and whoever named them may have put line breaks and escape sequences there
    print(f"vidreview: {safe(message)}", file=sys.stderr)
    return status
