"""What the audit log says of runs, exhibits, derived files and single rows, from one walk along it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

_BEGINS: Final = ("exhibit-begins", "exhibit-begins-again")
#: of exhibits of which nothing was read, or kept
_FAILED: Final = ("exhibit-unreadable", "exhibit-failed", "exhibit-changed")
#: entries with the seals of an exhibit
_ENDS: Final = ("exhibit-ends", "exhibit-duplicate", "exhibit-image", *_FAILED)


@dataclass(frozen=True, slots=True)
class Said:
    """What one entry says."""

    seq: int
    action: str
    facts: dict[str, Any]

    def number(self, fact: str) -> int | None:
        """A fact that is a number, None when it is none: the log may have been tampered with."""
        value = self.facts.get(fact)
        return value if isinstance(value, int) else None

    def text(self, fact: str) -> str | None:
        """A fact that is text, None when it is none."""
        value = self.facts.get(fact)
        return value if isinstance(value, str) else None


@dataclass(slots=True)
class Logged:
    """The entries that count, the latest of each."""

    #: exhibit → its exhibit-begins
    begins: dict[int, Said] = field(default_factory=dict)
    #: exhibit → the last entry that says what became of it
    ends: dict[int, Said] = field(default_factory=dict)
    #: path → all entries in which an exhibit there began or was unreadable
    paths: dict[str, list[Said]] = field(default_factory=dict)
    #: name and SHA-256 of exhibits that a version without seals scanned
    unsealed: set[tuple[str | None, str | None]] = field(default_factory=set)
    #: run → its scan-begins, its scan-ends
    runs: dict[int, Said] = field(default_factory=dict)
    run_ends: dict[int, Said] = field(default_factory=dict)
    #: path relative to the case → its derived
    derived: dict[str, Said] = field(default_factory=dict)
    #: table → row → the entry that recorded it
    rows: dict[str, dict[int, Said]] = field(default_factory=dict)
    signed: Said | None = None

    def replaced(self, exhibit: int) -> bool:
        """Whether the log says that another exhibit took the place of this one."""
        own = self.ends.get(exhibit) or self.begins[exhibit]
        sha256, failed = own.text("sha256"), own.action in _FAILED
        return any(
            later.seq > own.seq
            and later.number("exhibit") != exhibit
            and (later.text("sha256") == sha256 or sha256 is None or (failed and later.text("sha256") is None))
            for later in self.paths.get(own.text("path") or "", ())
        )

    def run_is_done(self, run: int | None) -> bool:
        """Whether the log says that this run came to its end, so that nothing of it is left unfinished."""
        end = self.run_ends.get(run) if run is not None else None
        return end is not None and end.text("state") == "done"


def read(entries: Iterable[dict[str, Any]]) -> Logged:
    """Sort the entries of a log."""
    logged = Logged()
    for entry in entries:
        said = Said(entry["seq"], entry["action"], entry["facts"])
        _take(logged, said)
        fact = said.facts.get("recorded")
        if isinstance(fact, dict):
            table, row = fact.get("table"), fact.get("row")
            if isinstance(table, str) and isinstance(row, int) and table != "runs":
                logged.rows.setdefault(table, {})[row] = said
    return logged


def _take(logged: Logged, said: Said) -> None:
    exhibit, run, path = said.number("exhibit"), said.number("run"), said.text("path")
    if said.action == "derived" and path is not None:
        logged.derived[path] = said
    elif said.action == "scan-begins" and run is not None:
        logged.runs[run] = said
        logged.run_ends.pop(run, None)  # of an index that was begun anew
    elif said.action == "scan-ends" and run is not None:
        logged.run_ends[run] = said
    elif said.action == "log-signed":
        logged.signed = said
    elif said.action in _BEGINS or said.action in _ENDS:
        if exhibit is None:
            logged.unsealed.add((said.text("name"), said.text("sha256")))
            return
        if said.action in _BEGINS:
            logged.begins[exhibit] = said
        else:
            logged.ends[exhibit] = said
        if said.action != "exhibit-ends" and path is not None:
            logged.paths.setdefault(path, []).append(said)
