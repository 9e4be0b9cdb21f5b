"""``vidreview log``: the audit log as a person reads it, and its signature."""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import PathType, case_option, json_option, print_json, safe
from vidreview.errors import CaseError, IntegrityError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from vidreview.audit import AuditLog, ChainCheck

#: a fact is cut to this many characters in the table
_SHOWN = 60
#: facts that say nothing to a person in a table
_UNSAID = frozenset(("recorded", "index", "exhibit", "path", "sha256"))


@click.command("log")
@case_option
@click.option(
    "--action", "actions", multiple=True, metavar="NAME", help="Only entries of this action; may be repeated."
)
@click.option("--since-seq", type=click.IntRange(1), default=1, metavar="N", help="Only entry N and those after it.")
@click.option("--limit", type=click.IntRange(1, 2**31), help="Only so many, the last ones.")
@click.option(
    "--sign",
    "key_file",
    type=PathType(),
    metavar="KEY",
    help="Sign the head with an Ed25519 private key, PEM or OpenSSH, and write audit.sig. A passphrase is asked for, "
    "or taken from VIDREVIEW_KEY_PASSPHRASE.",
)
@json_option
def command(
    case: Path, actions: tuple[str, ...], since_seq: int, limit: int | None, key_file: Path | None, as_json: bool
) -> int:
    """Show the audit log: what was done to this case, when, in order; each entry holds the hash of the one before.

    Quote its head, the hash of the last entry, in what you write: 'vidreview verify --head HASH' then shows whether
    entries were cut off or replaced since. Exit status 4 when the log is not what was recorded.

    \b
    Examples:
      vidreview log --action derived --limit 20
      vidreview log --sign ~/.ssh/id_ed25519
    """
    from vidreview.audit import AuditLog

    log = AuditLog(case / "audit.jsonl")
    if not log.path.exists():
        raise CaseError(f"no audit log in {case}: run 'vidreview scan SOURCE --case {case}' first")
    walk = log.check()
    if key_file is not None:
        _sign(case, log, walk, key_file, as_json)
        return 0
    known: set[str] = set()
    entries: deque[dict[str, Any]] = deque(maxlen=limit)
    for entry in log.entries():
        known.add(entry["action"])
        if entry["seq"] >= since_seq and (not actions or entry["action"] in actions):
            entries.append(entry)
    if unknown := sorted(set(actions) - known):
        raise UsageError(f"the log has no action {safe(unknown[0])!r}; it has: {', '.join(map(safe, sorted(known)))}")
    if as_json:
        print_json(list(entries))
    else:
        _print(list(entries), walk)
    if walk.faults:
        count = f"{len(walk.faults)} fault{'s' * (len(walk.faults) != 1)}"
        click.echo(f"vidreview: the log is not what was recorded: {count}; 'vidreview verify' names them", err=True)
        return 4
    return 0


def _print(entries: list[dict[str, Any]], walk: ChainCheck) -> None:
    from vidreview.cli.tables import print_table

    rows = [(str(e["seq"]), _seconds(e["utc"]), safe(e["action"]), safe(say(e["action"], e["facts"]))) for e in entries]
    if rows:
        print_table(("entry", "UTC", "action", "what"), rows, right=frozenset((0,)), folds=(3,))
    else:
        click.echo("No entries that match.")
    click.echo(f"Head: entry {walk.seq}, {walk.head}")


def _seconds(utc: Any) -> str:
    return safe(str(utc).partition(".")[0].replace("T", " ").removesuffix("Z"))


def say(action: str, facts: dict[str, Any]) -> str:
    """The essential facts of an entry in words."""
    name = str(facts.get("name", ""))
    if action == "scan-begins":
        by = f", operator {facts['operator']}" if facts.get("operator") else ""
        sources = _listed(facts.get("sources"))
        return f"run {facts.get('run')} of {sources}; {facts.get('model')}, vidreview {facts.get('version')}{by}"
    if action == "scan-ends":
        summary = facts["summary"] if isinstance(facts.get("summary"), dict) else {}
        counts = ", ".join(f"{summary[what]} {what}" for what in ("exhibits", "events") if what in summary)
        return f"run {facts.get('run')}: {facts.get('state')}; {counts}"
    if action == "exhibit-begins":
        return f"{name}, SHA-256 {facts.get('sha256')}"
    if action == "exhibit-begins-again":
        return f"{name}: its worker died, it is tried again"
    if action == "exhibit-scanned":
        return f"{name}: scanned; {facts.get('events')} events wait for their numbers"
    if action == "exhibit-duplicate":
        return f"{name}: the same content as {facts.get('original')}"
    if action == "exhibit-image":
        return f"{name}: a disk image, SHA-256 {facts.get('sha256')}"
    if action in ("exhibit-unreadable", "exhibit-failed", "exhibit-changed"):
        return f"{name}: {facts.get('reason')}"
    if action in ("exhibit-not-as-listed", "exhibit-not-as-acquired", "exhibit-missing", "image-changed"):
        return f"{facts.get('path') or name}: {facts.get('reason')}"
    if action == "clock-observation":
        if facts.get("change") == "withdrawn":
            return f"{facts.get('id')} withdrawn by {facts.get('by')}: {facts.get('reason')}"
        when = f"when {facts.get('source')} showed {facts.get('reference')}" if facts.get("reference") else ""
        at = "" if facts.get("at_s") is None else f"at {facts.get('at_s')} s of the stream"
        what = (f"{facts.get('id')}: recorder showed {facts.get('shown')}", at, when, f"by {facts.get('by')}")
        return " ".join(part for part in what if part)
    if action == "review":
        return _review(facts)
    if action == "exhibit-ends":
        return f"{name}: {facts.get('events')} event{'s' * (facts.get('events') != 1)}"
    if action == "exhibit-differs":
        return f"{facts.get('path')} is not what was scanned there: SHA-256 {facts.get('sha256')}"
    if action == "derived":
        return f"{facts.get('path')} from {facts.get('parent')}: {facts.get('command')}"
    if action == "log-signed":
        return f"entry {facts.get('signed_seq')} signed by key {facts.get('key')}"
    if action == "torn-line":
        return f"the line before it, {facts.get('bytes')} bytes, was cut short by a kill"
    if action == "head-lost":
        return "audit.head did not fit the log: entries were cut off or replaced before this one, or audit.head was"
    return ", ".join(f"{key} {_short(value)}" for key, value in facts.items() if key not in _UNSAID)


def _review(facts: dict[str, Any]) -> str:
    if facts.get("change") == "import":
        counts = f"{facts.get('taken')} taken, {facts.get('not_taken')} not taken"
        return f"marks of {facts.get('name')} by {facts.get('by')}: {counts}"
    if facts.get("change") is not None:
        return f"review {facts.get('id')}: {facts.get('change')}, since writing it was interrupted"
    note = f": {facts['note']}" if facts.get("note") else ""
    return f"{facts.get('event')} {facts.get('state')}, by {facts.get('by')}{note}"


def _listed(sources: Any) -> str:
    names = [str(one) for one in sources] if isinstance(sources, list) else []
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(names[:2]) + more


def _short(value: Any) -> str:
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# ---- signing


def _sign(case: Path, log: AuditLog, walk: ChainCheck, key_file: Path, as_json: bool) -> None:
    """Write audit.sig for the head, and an entry that it was made."""
    from vidreview import signature
    from vidreview.index.schema import now_utc

    if walk.faults or not walk.seq:
        why = walk.faults[0] if walk.faults else "it has no entry"
        raise IntegrityError(f"the log is not signed, since it is not what was recorded: {why}; see 'vidreview verify'")
    key = _private_key(key_file)
    document = signature.sign(key, walk.seq, walk.head, now_utc())
    signature.write(case / signature.FILE, document)
    fingerprint = signature.PublicKey(key.public_key()).fingerprint
    log.append("log-signed", signed_seq=walk.seq, signed_hash=walk.head, key=fingerprint)
    if as_json:
        print_json(document)
    else:
        click.echo(
            f"{safe(str(case / signature.FILE))}: entry {walk.seq} and all before it, signed by key {fingerprint}"
        )
        click.echo("Keep a copy of it, or of the key's fingerprint, apart from the case.")


def _private_key(path: Path) -> Ed25519PrivateKey:
    from vidreview.signature import EncryptedKeyError, read_private_key

    try:
        raw = path.read_bytes()
        open_to_others = path.stat().st_mode & 0o077
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror}") from error
    if open_to_others:
        click.echo(
            f"vidreview: others can read the private key {safe(str(path))}; 'chmod 600' it, and make a new one if they "
            "may have done so",
            err=True,
        )
    try:
        return read_private_key(raw, os.environ.get("VIDREVIEW_KEY_PASSPHRASE"))
    except EncryptedKeyError as error:
        if not sys.stdin.isatty():
            raise UsageError(f"{path}: {error}: set VIDREVIEW_KEY_PASSPHRASE, or run this at a terminal") from error
        phrase = click.prompt(f"Passphrase of {safe(str(path))}", hide_input=True, err=True)
        return _unlocked(path, raw, phrase)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _unlocked(path: Path, raw: bytes, phrase: str) -> Ed25519PrivateKey:
    from vidreview.signature import read_private_key

    try:
        return read_private_key(raw, phrase)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
