"""A scan: every file of the sources, from its identity to its events, with a record of it all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidreview import environment
from vidreview.audit import AuditLog
from vidreview.detect import Detector
from vidreview.errors import IntegrityError, UsageError, VidreviewError
from vidreview.evidence import Found, Unreadable, discover, is_missing
from vidreview.hashlist import HashList
from vidreview.index import Case, refuse_overlap
from vidreview.pipeline.observer import Observer, ScanSummary, Silent
from vidreview.pipeline.record import Record, where
from vidreview.pipeline.turns import Turns
from vidreview.pipeline.workers import Workers
from vidreview.settings import ScanSettings


def scan(
    sources: Sequence[Path],
    case_dir: Path,
    settings: ScanSettings,
    *,
    start: Callable[[], Workers] | None = None,
    model: str | None = None,
    detector: Detector | None = None,
    observer: Observer | None = None,
    record: dict[str, Any] | None = None,
    summary: ScanSummary | None = None,
    best_first: bool = False,
    hash_list: HashList | None = None,
) -> ScanSummary:
    """Scan files and folders into a case; finished exhibits are not scanned again.

    ``start`` gives the workers that scan, which are ended with it; without it this process scans, by ``detector``, or
    by ``model``, a known name or a path.
    ``record`` holds what a person wants recorded with the run (``argv``, ``reference``, ``operator``,
    ``organisation``, ``reason``). ``summary`` is filled as the scan goes, for a caller who must know what was done
    though the scan raises. ``best_first`` looks at the busiest stretches of each stream before all of it; the index
    ends the same, and has provisional events sooner. ``hash_list`` is what each file should be by the record of the
    seizure. A file that cannot be read is listed in the summary and in the index, and the others go on.
    Raises UsageError when no source exists, CaseError and ModelError before anything is written, IntegrityError when
    an exhibit changed or is not what the record of the seizure says.
    """
    begun = time.monotonic()
    missing = [path for path in sources if is_missing(path)]
    if len(missing) == len(sources):
        raise UsageError(f"{missing[0] if missing else 'no source'}: no such file or folder; nothing was scanned")
    refuse_overlap(case_dir, sources)
    summary = summary or ScanSummary()
    workers = start() if start is not None else _here(model, detector, settings)
    try:
        summary.workers = workers.count
        # told while the workers get ready
        facts = dict(record or {}) | environment.describe()
        facts |= _described(settings, workers, best_first, hash_list)
        with Case.open(case_dir, create=True) as case:
            log = AuditLog(case_dir / "audit.jsonl")
            keep = Record(case, log, settings, workers.hello, observer or Silent(), summary, facts.get("reference"))
            with _recorded(keep, sources, facts, begun), Turns(keep, workers, hash_list, best_first) as turns:
                _walk(keep, turns, sources)
                turns.go()
    finally:
        workers.close()
    if turns.changed:
        raise IntegrityError("; ".join(turns.changed))
    return summary


@contextmanager
def _recorded(keep: Record, sources: Sequence[Path], facts: dict[str, Any], begun: float) -> Iterator[None]:
    """Record that a run begins, and however it ends."""
    case, log, summary = keep.case, keep.log, keep.summary
    broken = case.broken_runs()
    # a run that was killed could not say so itself (rule A11)
    breaks = {"after_interrupted": broken} if broken else {}
    entry = {"sources": [where(p) for p in sources]} | breaks | facts
    summary.run = case.begin_run(facts, lambda known: log.append("scan-begins", **known | entry))
    state = "interrupted"
    try:
        yield
        state = "done"
    except VidreviewError:
        state = "failed"
        raise
    finally:
        keep.flush()
        summary.wall_s = time.monotonic() - begun
        outcome = summary.to_json() | {"skipped": summary.skipped}
        case.finish_run(
            summary.run,
            state,
            outcome,
            lambda known: log.append("scan-ends", state=state, summary=outcome, **known),
        )


def _walk(keep: Record, turns: Turns, sources: Sequence[Path]) -> None:
    """Find every file of the sources; all are in the index before the first is read."""
    met = list(discover(sources))
    keep.case.register(keep.run, [(one.name, one.path) for one in met if isinstance(one, Found)], keep.reference)
    for one in met:
        if isinstance(one, Unreadable):
            turns.unreadable(one)
        else:
            turns.add(one)


def _here(model: str | None, detector: Detector | None, settings: ScanSettings) -> Workers:
    # what decodes and detects takes a second to import, and this process may need none of it
    from vidreview.detect.factory import load_detector
    from vidreview.pipeline.here import Here

    return Here(detector or load_detector(model, settings))


def _described(
    settings: ScanSettings, workers: Workers, best_first: bool, hash_list: HashList | None
) -> dict[str, Any]:
    """What decides the result, and how the work is done, for the record (rule A6)."""
    hello = workers.hello
    facts: dict[str, Any] = {
        "settings": settings.canonical(),
        "settings_sha256": settings.sha256(),
        "model": hello.detector,
        "model_sha256": hello.sha256,
        "runtime": hello.runtime,
        "order": "best-first" if best_first else "time",
    } | workers.describe()
    if hash_list is not None:
        facts["hash_list"] = str(hash_list.path)
        facts["hash_list_sha256"] = hash_list.sha256
    return facts
