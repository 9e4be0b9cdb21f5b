"""Run ultralytics' `track` at its defaults: ``ultralytics_track.py MODEL VIDEO OUT.json [FRAMES]``.

Writes how many frames there were, the seconds of one once it is under way, and each person's or vehicle's box on every
frame.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

#: COCO's classes → what vidreview calls them
CLASSES = {0: "person", 1: "vehicle", 2: "vehicle", 3: "vehicle", 5: "vehicle", 7: "vehicle"}


def main() -> None:
    """See the module."""
    model, video, out = sys.argv[1:4]
    most = int(sys.argv[4]) if len(sys.argv) > 4 else None
    ultralytics: Any = importlib.import_module("ultralytics")
    detector = ultralytics.YOLO(model, task="detect")
    rows: list[tuple[int, int, str, list[float]]] = []
    frames = 0
    first = time.perf_counter()
    for result in detector.track(source=video, stream=True, verbose=False):
        boxes = result.boxes
        if boxes is not None and boxes.id is not None:
            for box, number, kind in zip(
                boxes.xyxy.tolist(), boxes.id.int().tolist(), boxes.cls.int().tolist(), strict=True
            ):
                if kind in CLASSES:
                    rows.append((frames, number, CLASSES[kind], [round(v, 1) for v in box]))
        frames += 1
        if frames == 1:
            first = time.perf_counter()  # the model is loaded with the first frame
        if frames == most:
            break
    frame_s = (time.perf_counter() - first) / max(1, frames - 1)
    Path(out).write_text(json.dumps({"frames": frames, "frame_s": frame_s, "rows": rows}), encoding="utf-8")


if __name__ == "__main__":
    main()
