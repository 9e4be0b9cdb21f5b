"""Files are probed in a process apart, too: one that crashes or hangs FFmpeg ends no listing of a drive (rule A10)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from vidreview.errors import MediaError
from vidreview.evidence import Exhibit
from vidreview.model import Detections, Digest, FileInfo, Pixels
from vidreview.pipeline import messages as say
from vidreview.pipeline.child import Setup
from vidreview.pipeline.children import Children, Limits
from vidreview.reading import evidence_size
from vidreview.settings import ScanSettings

#: seconds to wait for a word
WAIT_S = 0.2


class NoDetector:
    """Stands where a detector would: nothing is looked at."""

    name, sha256, runtime = "none", "", "none"

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """Nothing is seen."""
        return [Detections.none() for _ in pictures]


class Prober:
    """Says what files are; a context manager that ends its process."""

    def __init__(self) -> None:
        """The process is started when the first file is probed."""
        self._children: Children | None = None

    def __enter__(self) -> Prober:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._children is not None:
            self._children.close()

    def probe(self, path: Path) -> FileInfo:
        """As ``media.probe``; also raises MediaError when the file ends the process, or takes too much of anything."""
        if self._children is None:
            limits = Limits()
            self._children = Children(Setup(None, None, NoDetector(), None, limits.memory), 1, limits)
        exhibit = Exhibit(path, path.name, evidence_size(path) or 0, 0, Digest("sha256", ""))
        self._children.give(say.Task(0, exhibit, ScanSettings(), False, only_probe=True))
        info: FileInfo | None = None
        while True:
            for _, message in self._children.messages(WAIT_S):
                if isinstance(message, say.Opened):
                    info = message.info
                elif isinstance(message, say.Done) and info is not None:
                    return info
                elif isinstance(message, say.LAST):
                    raise MediaError(f"{path}: {getattr(message, 'reason', 'nothing was said of it')}")
