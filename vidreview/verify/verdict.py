"""What a check of a case comes to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

Kind = Literal["log", "signature", "exhibit", "derived", "index"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as recorded, could not be checked, or is worth knowing."""

    kind: Kind
    #: the file, exhibit, table or log it is about
    what: str
    #: a sentence without its full stop
    reason: str


@dataclass(slots=True)
class Verdict:
    """All findings of a check, which never ends at the first."""

    #: things of each kind that were compared with what was recorded, faulty ones too
    checked: dict[str, int] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    not_checked: list[Finding] = field(default_factory=list)
    #: no faults: what a killed or unfinished scan leaves, what was left out by request
    notes: list[Finding] = field(default_factory=list)
    #: sequence number and hash of the log's last entry
    seq: int = 0
    head: str = ""
    #: of ``audit.sig`` where it holds: entry, key and UTC
    signature: dict[str, Any] | None = None

    def count(self, what: str, number: int = 1) -> None:
        """Count things that were compared."""
        self.checked[what] = self.checked.get(what, 0) + number

    def fault(self, kind: Kind, what: str, reason: str) -> None:
        """Something is not what was recorded."""
        self.faults.append(Finding(kind, what, reason))

    def skip(self, kind: Kind, what: str, reason: str) -> None:
        """Something could not be compared."""
        self.not_checked.append(Finding(kind, what, reason))

    def note(self, kind: Kind, what: str, reason: str) -> None:
        """Something is worth knowing."""
        self.notes.append(Finding(kind, what, reason))

    @property
    def exit_status(self) -> int:
        """0 all as recorded, 3 something could not be checked, 4 something is not as recorded."""
        return 4 if self.faults else 3 if self.not_checked else 0

    def to_json(self) -> dict[str, Any]:
        """The object that ``vidreview verify --json`` prints."""
        return {
            "ok": not self.faults and not self.not_checked,
            "checked": self.checked,
            "faults": [asdict(one) for one in self.faults],
            "not_checked": [asdict(one) for one in self.not_checked],
            "notes": [asdict(one) for one in self.notes],
            "entries": self.seq,
            "head": self.head,
            "signature": self.signature,
        }


class Observer(Protocol):
    """Told how the hashing of files goes; it prints, the check does not."""

    def begin(self, files: int, size: int) -> None:
        """So many files, of so many bytes together, are to be hashed."""

    def file(self, name: str) -> None:
        """The next file begins."""

    def progress(self, count: int) -> None:
        """So many more bytes are hashed."""


class Silent:
    """An observer that says nothing."""

    def begin(self, files: int, size: int) -> None:
        """Nothing."""

    def file(self, name: str) -> None:
        """Nothing."""

    def progress(self, count: int) -> None:
        """Nothing."""
