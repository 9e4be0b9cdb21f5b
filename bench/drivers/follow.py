"""Time vidreview's tracker alone: ``follow.py SEQUENCES`` prints its seconds over all sequences as JSON.

SEQUENCES is laid out as for ``trackers_run.py``; settings are the defaults of `vidreview track`.
"""

from __future__ import annotations

import configparser
import inspect
import json
import sys
import time
from pathlib import Path
from typing import Any

from vidreview.cli.track import command
from vidreview.motfile import read_detections
from vidreview.track.follow import follow

#: once is too short to be timed well
ROUNDS = 10


def main() -> None:
    """See the module."""
    wanted = inspect.signature(follow).parameters
    defaults: dict[str, Any] = {p.name: p.default for p in command.params if p.name in wanted and p.name != "fps"}
    sequences = []
    for folder in sorted(p for p in Path(sys.argv[1]).iterdir() if p.is_dir()):
        ini = configparser.ConfigParser()
        ini.read(folder / "seqinfo.ini")
        sequences.append((read_detections(folder / "det.txt"), float(ini["Sequence"]["frameRate"])))
    follow(*sequences[0], **defaults)  # not timed: what is only done once
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for detections, rate in sequences:
            follow(detections, rate, **defaults)
    print(json.dumps({"vidreview": (time.perf_counter() - began) / ROUNDS}))


if __name__ == "__main__":
    main()
