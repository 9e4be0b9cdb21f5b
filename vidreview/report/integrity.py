"""What a report says of its own foundation: the audit log's chain and head, and which exhibits were hashed again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from vidreview.derive import Batch
from vidreview.errors import IntegrityError


@dataclass(slots=True)
class Checked:
    """Exhibits that were found and hashed for the report."""

    #: rows of those that are as recorded; names may occur twice in a case
    exhibits: set[int] = field(default_factory=set)
    #: row → name, and why it is not as recorded or could not be read
    failed: dict[int, tuple[str, str]] = field(default_factory=dict)


def integrity(batch: Batch, facts: dict[str, Any], checked: Checked) -> dict[str, Any]:
    """The block ``integrity``; a fault of the audit log is told to ``batch`` and stands in the report."""
    walk = batch.log.check()
    faults = [*walk.faults, *(f"the entry with hash {one} is missing" for one in walk.missing)]
    for fault in faults:
        batch.fail(IntegrityError(f"audit log: {fault}; see 'vidreview verify'"))
    result = [{"what": "audit log", "result": "as recorded" if not faults else "; ".join(faults)}]
    read = [exhibit for exhibit in facts["exhibits"] if exhibit["sha256"] and not exhibit["duplicate_of"]]
    for exhibit in read:
        row = exhibit["exhibit"]
        if row in checked.failed:
            said = checked.failed[row][1]
        else:
            said = "as recorded" if row in checked.exhibits else "not hashed again for this report"
        result.append({"what": exhibit["name"], "result": said})
    again = sum(one["result"] == "as recorded" for one in result[1:])
    words = [
        f"The audit log has {walk.seq} entries; each holds the hash of the one before. "
        + ("All of them fit." if not faults else f"{len(faults)} fault(s) were found: see below.")
        + " The head named here is the one before the entry of this report.",
        f"Every exhibit was hashed (SHA-256) when it was scanned. For this report {again} of {len(read)} were hashed "
        "again and are as recorded; 'vidreview verify' hashes all of them.",
        "Every file of this report is in report.json with its SHA-256; the hash of report.json is in the audit log, "
        "and 'vidreview verify' checks them all.",
    ]
    if checked.failed:
        count = len(checked.failed)
        words.append(
            f"{count} exhibit{'s' * (count != 1)} could not be read or {'are' if count != 1 else 'is'} not what was "
            "scanned: the pictures and clips of their events are missing, and each of those events says why."
        )
    return {
        "audit_head": walk.head,
        "audit_entries": walk.seq,
        "audit_faults": faults,
        "checked": result,
        "words": words,
    }
