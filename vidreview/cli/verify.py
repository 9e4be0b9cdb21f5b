"""``vidreview verify``: is the case still what was recorded."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vidreview.cli.common import PathType, case_option, json_option, loudness_options, plain_terminal, print_json, safe
from vidreview.cli.derive import source_option
from vidreview.cli.progress import Bar

if TYPE_CHECKING:
    from vidreview.signature import PublicKey
    from vidreview.verify import Finding, Verdict

#: what was compared → how a person calls one of them, and several
COUNTED = {
    "log entries": ("entry of the audit log", "entries of the audit log"),
    "signatures": ("signature of the audit log", "signatures of the audit log"),
    "exhibits": ("exhibit, hashed again", "exhibits, hashed again"),
    "derived": ("derived file", "derived files"),
    "sealed exhibits": ("exhibit of the index, all its rows", "exhibits of the index, all their rows"),
    "runs": ("run of the index", "runs of the index"),
    "recorded rows": (
        "row of the index with its own entry in the log",
        "rows of the index with own entries in the log",
    ),
    "courses": ("course of a track, computed again", "courses of tracks, computed again"),
}


@click.command("verify")
@case_option
@click.option("--no-exhibits", is_flag=True, help="Do not hash the exhibits again, which takes longest.")
@source_option
@click.option("--head", metavar="HASH", help="The head of the audit log as a report or a notebook quotes it.")
@click.option(
    "--public-key",
    "key_file",
    type=PathType(),
    help="Whose signature of the audit log must be there: an Ed25519 key, PEM or OpenSSH.",
)
@json_option
@loudness_options
def command(
    case: Path,
    no_exhibits: bool,
    source: Path | None,
    head: str | None,
    key_file: Path | None,
    as_json: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Check that exhibits, derived files, index and audit log are what was recorded, and say what is not.

    Nothing is written into the case. Exit status 4 when something is not as recorded, 3 when something could not be
    checked, such as an exhibit whose drive is not connected. What an interrupted scan leaves is no fault.

    Whoever can write the whole case folder can also write a new one; a head quoted in a report (--head) or a signature
    ('vidreview log --sign') shows that.

    \b
    Examples:
      vidreview verify --case NMC-1-case
      vidreview verify --case NMC-1-case --source /mnt/evidence --public-key examiner.pub
    """
    from vidreview.verify import verify

    key = None if key_file is None else _key(key_file)
    with HashProgress(quiet=quiet) as progress:
        verdict = verify(
            case,
            exhibits=not no_exhibits,
            source=source,
            head=None if head is None else head.strip().lower(),
            public_key=key,
            observer=progress,
        )
    if as_json:
        print_json(verdict.to_json())
    else:
        _print(verdict, quiet)
    return verdict.exit_status


def _key(path: Path) -> PublicKey:
    from vidreview.errors import UsageError
    from vidreview.signature import read_public_key

    try:
        return read_public_key(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror}") from error
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


class HashProgress(Bar):
    """An observer that draws one bar over the bytes of all files."""

    def __init__(self, *, quiet: bool) -> None:
        self._silent = quiet or plain_terminal(sys.stderr)
        self._files = self._number = 0

    def begin(self, files: int, size: int) -> None:
        """So many files, of so many bytes together, are to be hashed."""
        self._files = files
        if not self._silent:
            from tqdm import tqdm

            form = "{desc} {percentage:3.0f}%|{bar}| {rate_fmt} [{elapsed}, {remaining} left]"
            self._bar = tqdm(
                total=max(1, size), file=sys.stderr, bar_format=form, unit="B", unit_scale=True, leave=False
            )

    def file(self, name: str) -> None:
        """The next file begins."""
        self._number += 1
        if self._bar is not None:
            self._bar.set_description_str(f"{self._number}/{self._files} {safe(name)[-40:]}", refresh=True)

    def progress(self, count: int) -> None:
        """So many more bytes are hashed."""
        if self._bar is not None:
            self._bar.update(min(count, self._bar.total - self._bar.n))


def _print(verdict: Verdict, quiet: bool) -> None:
    """The outcome in words: what is wrong first, then what was not checked, then what was."""
    _list("NOT AS RECORDED", verdict.faults)
    _list("NOT CHECKED", verdict.not_checked)
    if not quiet:
        _list("Notes", verdict.notes)
        click.echo("Compared with what was recorded:")
        for what, number in verdict.checked.items():
            if number:
                click.echo(f"  {number:>9}  {COUNTED[what][number != 1]}")
        if verdict.signature is not None:
            signed = verdict.signature
            by = f"entry {signed['seq']} and all before it, signed by key {signed['key']} at {safe(signed['utc'])}"
            click.echo(f"Signature: {by}")
        click.echo(f"Head of the audit log: entry {verdict.seq}, {verdict.head}")
    click.echo(_outcome(verdict))


def _list(title: str, findings: list[Finding]) -> None:
    if not findings:
        return
    click.echo(f"{title}:")
    for one in findings:
        what = "" if one.reason.startswith(one.what) else f"{safe(one.what)}: "
        click.echo(_folded(f"  {one.kind}  {what}{safe(one.reason)}"))
    click.echo()


def _folded(line: str) -> str:
    """A long line folded between words to fit a terminal; elsewhere it stays one, for those who search."""
    if plain_terminal():
        return line
    room = shutil.get_terminal_size((120, 40)).columns
    return textwrap.fill(line, room, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _outcome(verdict: Verdict) -> str:
    faults, left = len(verdict.faults), len(verdict.not_checked)
    if faults:
        more = f"; {left} more could not be checked" if left else ""
        return f"{faults} {'things are' if faults != 1 else 'thing is'} not as recorded{more}."
    if left:
        return f"What was checked is as recorded; {left} {'things' if left != 1 else 'thing'} could not be checked."
    return "Everything that was checked is as recorded."
