"""What an export says of itself: which case, in which state, read when, by what."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from vidreview import __version__
from vidreview.audit import FIRST, AuditLog
from vidreview.export.tables import LEADS, Contents
from vidreview.index.rows import storable
from vidreview.index.schema import now_utc

#: of the columns and objects that docs/export.md describes; a change of meaning is another number
FORM = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts that stand in every export, whatever its format."""

    form: int
    tool: str
    made_utc: str
    #: name of the case folder
    case: str
    #: hash and number of the last entry of the audit log when the case was read
    audit_head: str
    audit_entries: int
    #: exhibits whose scan is not over: their events are provisional
    exhibits_unfinished: int
    exhibits_unread: int
    leads: str
    #: why the export is not of a finished case; None when it is
    unfinished: str | None

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        return asdict(self)


def gather(contents: Contents, log: AuditLog, made_utc: str | None = None) -> Facts:
    """The facts of a case; ``made_utc`` is the clock where none is given."""
    # the case first: what it holds was logged before, so the head that is read after it vouches for all of it
    left = contents.unfinished
    unread = contents.reader.select("SELECT count(*) FROM exhibits WHERE state = 'failed'")[0][0]
    entries, head = 0, FIRST
    for entry in log.entries():
        entries, head = int(entry["seq"]), str(entry["hash"])
    words = (
        f"The scan of {left} exhibit{'s' * (left != 1)} is not over: what is here is one state of the case, read while "
        "it grew or after a scan was interrupted; events P… are provisional and will be replaced. Export again when "
        "the scan is over."
    )
    return Facts(
        form=FORM,
        tool=f"vidreview {__version__}",
        made_utc=made_utc or now_utc(),
        case=storable(contents.reader.folder.absolute().name)[0],
        audit_head=head,
        audit_entries=entries,
        exhibits_unfinished=left,
        exhibits_unread=int(unread),
        leads=LEADS,
        unfinished=words if left else None,
    )
