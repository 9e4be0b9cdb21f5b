"""Run the trackers of the package `trackers` at their defaults: ``trackers_run.py SEQUENCES OUT``.

SEQUENCES holds a folder a sequence with det.txt and seqinfo.ini. Tracks are written as OUT/TRACKER/data/SEQUENCE.txt;
tracker → seconds in ``update`` over all frames of all sequences is printed as JSON. They get no pictures.
"""

from __future__ import annotations

import configparser
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

TRACKERS = {
    "SORT": "SORTTracker",
    "ByteTrack": "ByteTrackTracker",
    "OC-SORT": "OCSORTTracker",
    "BoT-SORT": "BoTSORTTracker",
    "C-BIoU": "CBIoUTracker",
}


def main() -> None:
    """See the module."""
    import trackers

    sequences, out = Path(sys.argv[1]), Path(sys.argv[2])
    frames = {folder.name: read(folder) for folder in sorted(sequences.iterdir()) if folder.is_dir()}
    seconds: dict[str, float] = {}
    for name, kind in TRACKERS.items():
        make = getattr(trackers, kind)
        track(make(), next(iter(frames.values())))  # not timed: what is only done once
        seconds[name] = 0.0
        folder = out / name / "data"
        folder.mkdir(parents=True, exist_ok=True)
        for sequence, detections in frames.items():
            found, took = track(make(), detections)
            seconds[name] += took
            write(folder / f"{sequence}.txt", found)
    print(json.dumps(seconds))


def read(folder: Path) -> list[Any]:
    """The detections of each frame."""
    import supervision

    ini = configparser.ConfigParser()
    ini.read(folder / "seqinfo.ini")
    rows = np.loadtxt(folder / "det.txt", delimiter=",", ndmin=2)
    found = []
    for frame in range(1, int(ini["Sequence"]["seqLength"]) + 1):
        here = rows[rows[:, 0] == frame]
        boxes = np.concatenate([here[:, 2:4], here[:, 2:4] + here[:, 4:6]], axis=1)
        found.append(supervision.Detections(boxes, confidence=here[:, 6], class_id=np.zeros(len(here), int)))
    return found


def track(tracker: Any, frames: list[Any]) -> tuple[list[Any], float]:
    """What the tracker makes of each frame, and the seconds it took."""
    began = time.perf_counter()
    found = [tracker.update(detections) for detections in frames]
    return found, time.perf_counter() - began


def write(path: Path, found: list[Any]) -> None:
    """MOT text; ids count from 1, and what the tracker has not confirmed is left out."""
    with path.open("w", encoding="ascii") as file:
        for frame, tracks in enumerate(found, 1):
            numbers = [] if tracks.tracker_id is None else tracks.tracker_id
            for (x1, y1, x2, y2), number, score in zip(tracks.xyxy, numbers, tracks.confidence, strict=False):
                if number >= 0:
                    box = f"{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}"
                    file.write(f"{frame},{number + 1},{box},{score:.4f},-1,-1,-1\n")


if __name__ == "__main__":
    main()
