"""Scanning in this process: for tests, and for callers with a detector of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vidreview import __version__
from vidreview.detect import Detector
from vidreview.pipeline.exhibit import scan_exhibit
from vidreview.pipeline.messages import Hello, Message, Task


class Here:
    """Scans one exhibit after the other."""

    count = 1

    def __init__(self, detector: Detector) -> None:
        """Scan with ``detector``."""
        self._detector = detector
        self._task: Task | None = None
        self.hello = Hello(detector.name, detector.sha256, detector.runtime, __version__)

    def describe(self) -> dict[str, Any]:
        """That there are none."""
        return {"workers": 0}

    def room(self) -> bool:
        """True between exhibits."""
        return self._task is None

    def busy(self) -> bool:
        """True while an exhibit is under way."""
        return self._task is not None

    def give(self, task: Task) -> None:
        """Begin with an exhibit."""
        self._task = task

    def messages(self, wait_s: float) -> Iterator[tuple[Task, Message]]:
        """Scans the exhibit to its end; what is wrong with the program is raised."""
        if self._task is not None:
            for message in scan_exhibit(self._task, self._detector):
                yield self._task, message
            self._task = None

    def close(self) -> None:
        """Nothing is left to end."""
