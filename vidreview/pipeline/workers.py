"""Who scans exhibits: this process, processes of its own, or a cluster; all are given tasks and say messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from vidreview.pipeline.messages import Hello, Message, Task


class Workers(Protocol):
    """Scans exhibits, several at once where it can."""

    @property
    def hello(self) -> Hello:
        """Which detector is run; raises ModelError when none can be."""
        ...

    @property
    def count(self) -> int:
        """How many exhibits may be under way at once."""
        ...

    def describe(self) -> dict[str, Any]:
        """What is to be recorded of them: how many, where, within which bounds."""
        ...

    def room(self) -> bool:
        """True when another task can be given."""
        ...

    def busy(self) -> bool:
        """True while a task is under way."""
        ...

    def give(self, task: Task) -> None:
        """Begin with a task; there must be room."""
        ...

    def messages(self, wait_s: float) -> Iterator[tuple[Task, Message]]:
        """What has been said since the last call, after ``wait_s`` at most when nothing was.

        All that is said of a task begins anew when its worker died and it is tried again.
        """
        ...

    def close(self) -> None:
        """End all work at once, whatever is under way."""
        ...
