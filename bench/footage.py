"""The footage, its truth, and how what is found in it is scored."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import BenchError, tell

#: films are made with this seed
SEED = 7
#: a person counts as covered when a box lies on him (intersection over union) ...
ON_HIM = 0.5
#: ... on this share of the frames in which he is seen
COVERED = 0.5

Box = Sequence[float]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all parts are given."""

    #: the folder with footage, mot and tools
    shared: Path
    #: for films that are made once, and for cases
    work: Path
    runs: int
    #: measure on a tenth, only to see that everything works
    quick: bool = False

    def clips(self) -> list[Path]:
        """The real clips; raises BenchError where there are none."""
        found = sorted(p for p in (self.shared / "footage" / "clips").glob("*") if p.suffix in (".mp4", ".mkv"))
        if not found:
            raise BenchError(f"no clips in {self.shared / 'footage' / 'clips'}; name their folder with --shared")
        return found

    def clip(self, name: str) -> Path:
        """One of them."""
        path = self.shared / "footage" / "clips" / name
        if not path.is_file():
            raise BenchError(f"no clip at {path}; name the folder of footage with --shared")
        return path

    def film(self, minutes: int) -> Path:
        """A quiet film of so many minutes by make_long.py, made on the first call."""
        length = max(2.0, minutes / 10) if self.quick else float(minutes)
        path = self.work / "films" / f"long_{length:g}_{SEED}.mp4"
        if not path.with_suffix(".json").is_file():
            tell(f"making {path.name}")
            path.parent.mkdir(parents=True, exist_ok=True)
            source = self.clip("one-by-one-person-detection.mp4")
            script = self.shared / "tools" / "make_long.py"
            command = [sys.executable, str(script), str(source), str(path), f"{length:g}", str(SEED)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BenchError(f"make_long.py failed: {done.stderr.strip()[-400:]}")
        return path


def truth_of(setting: Setting, film: Path) -> dict[str, Any]:
    """What a person sees in a film or clip: an object with ``events``, or for PETS with ``mot_truth``."""
    own = film.with_suffix(".json")
    if own.is_file():
        return dict(json.loads(own.read_text(encoding="utf-8")))
    known = json.loads((setting.shared / "footage" / "truth.json").read_text(encoding="utf-8"))
    return dict(known.get(film.name, {}))


def score(setting: Setting, events: Sequence[Mapping[str, Any]], truth: Mapping[str, Any]) -> dict[str, Any]:
    """What ``score_events.py`` says of an event list; see there for the rules."""
    with tempfile.TemporaryDirectory(prefix="vidreview-bench-") as folder:
        seen, real = Path(folder) / "events.json", Path(folder) / "truth.json"
        seen.write_text(json.dumps(list(events)), encoding="utf-8")
        real.write_text(json.dumps(truth), encoding="utf-8")
        command = [sys.executable, str(setting.shared / "tools" / "score_events.py"), str(seen), str(real)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise BenchError(f"score_events.py failed: {done.stderr.strip()[-400:]}")
        return dict(json.loads(done.stdout))


def covered(truth: Mapping[int, Mapping[int, Box]], boxes: Mapping[int, Sequence[Box]]) -> int:
    """How many people are covered: ``truth`` is person → frame → xyxy, ``boxes`` frame → boxes of person tracks."""
    count = 0
    for frames in truth.values():
        hit = sum(any(overlap(box, other) >= ON_HIM for other in boxes.get(f, ())) for f, box in frames.items())
        count += bool(frames) and hit >= COVERED * len(frames)
    return count


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two xyxy boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - both)


def read_people(path: Path) -> dict[int, dict[int, tuple[float, ...]]]:
    """Person → frame → xyxy from MOT truth; rows that are marked as not to be counted are left out."""
    people: dict[int, dict[int, tuple[float, ...]]] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        if line.strip():
            frame, person, x, y, w, h, valid = map(float, line.split(",")[:7])
            if valid:
                people.setdefault(int(person), {})[int(frame)] = (x, y, x + w, y + h)
    return people
