"""Detections recorded before, given back: repeats a run without its model, and makes tests exact."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from vidreview.detect import Detector
from vidreview.errors import ModelError
from vidreview.model import Detections, Pixels


def picture_digest(picture: Pixels) -> str:
    """SHA-256 of a picture's shape and bytes: equal pictures, and only those, have equal digests."""
    digest = hashlib.sha256(repr((picture.shape, picture.dtype.str)).encode())
    digest.update(picture.tobytes())
    return digest.hexdigest()


class ReplayDetector:
    """Gives back recorded detections: by picture when built from a mapping of digests, in order from a list.

    ``sha256`` names the weights that the recording came from; without it, the recording itself is hashed.
    """

    def __init__(
        self, recorded: Mapping[str, Detections] | Sequence[Detections], name: str = "replay", sha256: str | None = None
    ) -> None:
        self.name = name
        self.runtime = "replay"
        self._by_digest = dict(recorded) if isinstance(recorded, Mapping) else None
        self._in_order = [] if isinstance(recorded, Mapping) else list(recorded)
        self._next = 0
        self.sha256 = sha256 or self._digest()

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """The recorded detections of each picture; ``size`` is accepted and means nothing here.

        Raises ModelError for a picture that was not recorded, or when the recording has come to its end.
        """
        if self._by_digest is not None:
            return [self._recall(picture) for picture in pictures]
        end = self._next + len(pictures)
        if end > len(self._in_order):
            raise ModelError(
                f"the recording {self.name} holds {len(self._in_order)} pictures; "
                f"picture {len(self._in_order) + 1} was asked for: repeat the run with its model"
            )
        found = self._in_order[self._next : end]
        self._next = end
        return found

    def _recall(self, picture: Pixels) -> Detections:
        digest = picture_digest(picture)
        found = (self._by_digest or {}).get(digest)
        if found is None:
            raise ModelError(
                f"the recording {self.name} does not hold this picture (SHA-256 {digest[:16]}…): "
                "repeat the run with its model"
            )
        return found

    def _digest(self) -> str:
        digest = hashlib.sha256()
        pairs = self._by_digest.items() if self._by_digest is not None else enumerate(self._in_order)
        for key, found in pairs:
            digest.update(f"{key}:{len(found)}".encode())
            for part in (found.boxes, found.scores, found.labels):
                digest.update(part.tobytes())
        return digest.hexdigest()


class RecordingDetector:
    """Passes on what another detector finds, and keeps it by picture for a ``ReplayDetector``."""

    def __init__(self, inner: Detector) -> None:
        self.name = inner.name
        self.sha256 = inner.sha256
        self.runtime = inner.runtime
        #: picture digest → detections
        self.recorded: dict[str, Detections] = {}
        self._inner = inner

    def detect(self, pictures: Sequence[Pixels], size: int | None = None) -> list[Detections]:
        """What the other detector finds; ``size`` is handed on."""
        found = self._inner.detect(pictures, size)
        self.recorded.update(zip(map(picture_digest, pictures), found, strict=True))
        return found
