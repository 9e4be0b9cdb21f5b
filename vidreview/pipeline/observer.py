"""Told how a scan goes: it prints, the pipeline does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


class Observer(Protocol):
    """Told how a scan goes; several exhibits may be under way at once."""

    def begin(self, files: int, size: int) -> None:
        """So many files, of so many bytes together, are to be looked at; called again when a disk image holds more."""

    def exhibit(self, name: str, size: int) -> None:
        """A file begins."""

    def progress(self, name: str, share: float, seconds: float) -> None:
        """This ``share`` of a file is done; ``seconds`` more footage has been scanned."""

    def provisional(self, name: str, events: int) -> None:
        """The busiest stretches of a stream have been looked at, and so many provisional events are in the case."""

    def problem(self, path: str, reason: str) -> None:
        """Something of a file could not be read."""

    def done(self, name: str, size: int, events: int, skipped: str) -> None:
        """A file is finished; ``skipped`` says why it was not scanned, in a few words, empty when it was."""


class Silent:
    """An observer that says nothing."""

    def begin(self, files: int, size: int) -> None:
        """Nothing."""

    def exhibit(self, name: str, size: int) -> None:
        """Nothing."""

    def progress(self, name: str, share: float, seconds: float) -> None:
        """Nothing."""

    def provisional(self, name: str, events: int) -> None:
        """Nothing."""

    def problem(self, path: str, reason: str) -> None:
        """Nothing."""

    def done(self, name: str, size: int, events: int, skipped: str) -> None:
        """Nothing."""


@dataclass(slots=True)
class ScanSummary:
    """What a scan did."""

    run: int = 0
    exhibits: int = 0
    skipped: int = 0
    duplicates: int = 0
    events: int = 0
    seconds_of_footage: float = 0.0
    wall_s: float = 0.0
    #: exhibits that may have been under way at once
    workers: int = 1
    #: stage → seconds it was at work; stages work side by side
    busy_s: dict[str, float] = field(default_factory=dict)
    #: path and reason of everything that could not be fully read
    problems: list[dict[str, str]] = field(default_factory=list)

    def spent(self, stage: str, seconds: float) -> None:
        """Count ``seconds`` of work of a stage."""
        self.busy_s[stage] = self.busy_s.get(stage, 0.0) + seconds

    def to_json(self) -> dict[str, Any]:
        """The object that ``vidreview scan --json`` prints."""
        wall = max(self.wall_s, 1e-9)
        return {
            "run": self.run,
            "exhibits": self.exhibits,
            "duplicates": self.duplicates,
            "events": self.events,
            "seconds_of_footage": round(self.seconds_of_footage, 3),
            "wall_s": round(self.wall_s, 3),
            "realtime_factor": round(self.seconds_of_footage / wall, 2),
            "decode_share": round(min(1.0, self.busy_s.get("decode", 0.0) / wall / self.workers), 3),
            "problems": self.problems,
        }
