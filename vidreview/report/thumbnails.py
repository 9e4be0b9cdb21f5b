"""Small pictures that the scan kept of objects, for events that the exhibit gives no picture of now (rule D4)."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np

from vidreview.index.looks import StoredCrop
from vidreview.index.query import Reader
from vidreview.report.folder import Folder
from vidreview.report.media import Made
from vidreview.report.pictures import Upright, jpeg

#: of an event, at most
MOST: Final = 8


def add_thumbnails(made: Made, event: dict[str, Any], reader: Reader, upright: Upright, folder: Folder) -> None:
    """Write the event's kept pictures and put them into ``made``, in the order of time, the best one marked.

    None where the scan kept none: what was never looked at by the detector, and cases of an earlier version.
    Raises CaseError.
    """
    kept: list[dict[str, Any]] = []
    for name, crop, best in _chosen(event, reader):
        shown = _shown(crop, upright)
        if shown is None:
            continue
        data, width, height = shown
        path = made.write(folder, f"view/{event['id']}_kept{len(kept) + 1}_VIEW.jpg", data)
        kept.append({"src": path, "w": width, "h": height, "at_s": round(crop.seconds, 6), "track": name, "best": best})
    if kept:
        made.media["kept"] = kept


def _chosen(event: dict[str, Any], reader: Reader) -> list[tuple[str, StoredCrop, bool]]:
    """Track, picture, and whether it is the event's best one: the best of each track before the second ones."""
    best = reader.best_look(int(event["id"][1:]))
    every = [
        (place, name, crop)
        for name in (track["id"] for track in event["tracks"])
        for place, crop in enumerate(reader.looks(int(name[1:])))
    ]
    ranked = sorted(every, key=lambda one: (one[2] != best, one[0]))[:MOST]
    return [(name, crop, crop == best) for _, name, crop in sorted(ranked, key=lambda one: (one[2].seconds, one[1]))]


def _shown(crop: StoredCrop, upright: Upright) -> tuple[bytes, int, int] | None:
    """The file of a kept picture, its width and height: as it was kept, or turned as the stream is shown."""
    stored = cv2.imdecode(np.frombuffer(crop.jpeg, np.uint8), cv2.IMREAD_COLOR)
    if stored is None:
        return None
    height, width = stored.shape[:2]
    if upright.rotation == 0 and upright.aspect == 1:
        return crop.jpeg, width, height
    turned = Upright(width, height, upright.rotation, upright.aspect).picture(np.asarray(stored, np.uint8))
    return jpeg(turned, "small"), int(turned.shape[1]), int(turned.shape[0])
