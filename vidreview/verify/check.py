"""The check of a case from end to end."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from vidreview import signature
from vidreview.audit import AuditLog
from vidreview.errors import CaseError, IntegrityError
from vidreview.index import schema
from vidreview.index.snapshot import snapshot
from vidreview.verify import derived, index
from vidreview.verify.courses import check_courses
from vidreview.verify.exhibits import Evidence, Recorded, check_exhibits
from vidreview.verify.logged import Logged, read
from vidreview.verify.verdict import Observer, Silent, Verdict


def verify(
    case: Path,
    *,
    exhibits: bool = True,
    source: Path | None = None,
    head: str | None = None,
    public_key: signature.PublicKey | None = None,
    observer: Observer | None = None,
) -> Verdict:
    """Compare a case with what its audit log recorded, and list all that differs; nothing is written into the case.

    ``exhibits`` False leaves out hashing the exhibits; ``source`` is where the evidence lies now; ``head`` is a hash of
    the log's head quoted elsewhere; ``public_key`` is whose signature ``audit.sig`` must be. Raises CaseError when
    there is no case, or a scan is writing to it.
    """
    observer = observer or Silent()
    verdict = Verdict()
    log = AuditLog(case / "audit.jsonl")
    database = case / schema.DATABASE
    if not database.is_file() and not log.path.is_file():
        raise CaseError(f"no case in {case}: run 'vidreview scan SOURCE --case {case}' first")
    recorded: list[Recorded] | None = None
    with contextlib.ExitStack() as stack:
        db = _open(case, stack, verdict)
        logged = _check_log(case, log, head, public_key, verdict)
        if db is not None:
            try:
                recorded = index.recorded_exhibits(db)
                index.check_index(db, logged, verdict)
                check_courses(db, verdict)
            except (sqlite3.Error, UnicodeError) as error:
                _unreadable(error, verdict)
    if not verdict.seq and verdict.faults:  # a scan killed at its very begin leaves an empty log and no fault
        verdict.fault("log", log.path.name, "is missing or empty, so nothing can be compared; bring back a copy of it")
    _check_files(case, logged, recorded, Evidence(source, observer), exhibits, verdict, observer)
    return verdict


def _open(case: Path, stack: contextlib.ExitStack, verdict: Verdict) -> sqlite3.Connection | None:
    """The index, None when it is not there or no database; raises CaseError for one of a newer version."""
    try:
        if not (case / schema.DATABASE).is_file():
            raise sqlite3.DatabaseError("it is missing")
        db = stack.enter_context(snapshot(case))
        if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
            raise sqlite3.DatabaseError("it is not marked as vidreview's")
        schema.check_is_case(db, str(case / schema.DATABASE))
    except (sqlite3.Error, UnicodeError) as error:  # SQLite's own message may quote bytes that are no text
        _unreadable(error, verdict)
        return None
    return db


def _unreadable(error: Exception, verdict: Verdict) -> None:
    verdict.fault("index", schema.DATABASE, f"cannot be read as a case: {error}; bring back a copy of it")


def _check_log(
    case: Path, log: AuditLog, head: str | None, public_key: signature.PublicKey | None, verdict: Verdict
) -> Logged:
    """The chain, the heads that it must hold, and who signed it; what the log says."""
    signed: signature.SignedHead | None = None
    fault: str | None = None
    try:
        signed = signature.read(case / signature.FILE)
    except IntegrityError as error:
        fault = str(error)
    heads = ([head] if head else []) + ([signed.hash] if signed else [])
    walk = log.check(*heads)
    verdict.seq, verdict.head = walk.seq, walk.head
    verdict.count("log entries", walk.seq)
    for one in walk.faults:
        verdict.fault("log", log.path.name, f"{one}; bring back a copy of the log")
    for one in walk.notes:
        verdict.note("log", log.path.name, one)
    if head in walk.missing:
        verdict.fault("log", log.path.name, f"the entry with hash {head} is missing: entries were cut off or replaced")
    logged = read(log.entries())
    if fault is not None:
        verdict.fault("signature", signature.FILE, fault)
    else:
        _check_signature(signed, walk.missing, public_key, logged, verdict)
    return logged


def _check_signature(
    signed: signature.SignedHead | None,
    missing: frozenset[str],
    public_key: signature.PublicKey | None,
    logged: Logged,
    verdict: Verdict,
) -> None:
    said, name = logged.signed, signature.FILE
    if signed is None:
        if said is not None:
            verdict.fault(
                "signature", name, f"is missing, though entry {said.seq} of the audit log says that it was made"
            )
        elif public_key is not None:
            verdict.fault("signature", name, "is missing, so that nothing is signed by the key that was named")
        return
    verdict.count("signatures")
    if signed.hash in missing:
        verdict.fault(
            "signature",
            name,
            f"entry {signed.seq} with hash {signed.hash}, signed {signed.utc}, is not in the audit log: entries were "
            "cut off or replaced since; bring back a copy of the log",
        )
        return
    if public_key is not None and signed.key.fingerprint != public_key.fingerprint:
        verdict.fault(
            "signature",
            name,
            f"is by key {signed.key.fingerprint}, not by the key that was named, {public_key.fingerprint}",
        )
        return
    other = said is not None and (said.text("signed_hash"), said.text("key")) != (signed.hash, signed.key.fingerprint)
    # a later one than the log knows is one after which a kill came before its entry
    if said is not None and other and (said.number("signed_seq") or 0) >= signed.seq:
        why = f"is not the one that entry {said.seq} of the audit log says was made; bring that back"
        verdict.fault("signature", name, why)
        return
    verdict.signature = {"seq": signed.seq, "utc": signed.utc, "key": signed.key.fingerprint}


def _check_files(
    case: Path,
    logged: Logged,
    recorded: list[Recorded] | None,
    evidence: Evidence,
    exhibits: bool,
    verdict: Verdict,
    observer: Observer,
) -> None:
    wanted = (recorded or []) if exhibits else []
    manifest = derived.listed(case, logged.derived)
    size = derived.size_of(case, manifest) + sum(one.size for one in wanted)
    observer.begin(len(manifest) + len(wanted), size)
    derived.check_derived(case, manifest, verdict, observer)
    if not exhibits:
        verdict.note("exhibit", "--no-exhibits", "exhibits were not hashed again, as asked for")
    elif recorded is None:
        verdict.skip("exhibit", "exhibits", "are not known, since case.db cannot be read")
    else:
        check_exhibits(wanted, evidence, verdict, observer)
