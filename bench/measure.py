"""Running commands and taking turns: every figure is a median over alternating runs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")

PEAK = Path(__file__).resolve().parent / "drivers" / "peak.py"


class BenchError(Exception):
    """The benchmark cannot go on with a part; the message says why."""


@dataclass(frozen=True, slots=True)
class Child:
    """What a command took, and what it printed."""

    wall_s: float
    #: of all its threads and children, seconds
    cpu_s: float
    #: resident, MiB
    peak_mb: float
    out: str


def tell(text: str) -> None:
    """A line about the progress, on stderr."""
    print(text, file=sys.stderr, flush=True)


def child(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    statuses: Sequence[int] = (0,),
    cwd: Path | None = None,
) -> Child:
    """Run a command to its end; raises BenchError with what it said when its exit status is none of ``statuses``."""
    with tempfile.TemporaryDirectory(prefix="vidreview-bench-") as folder:
        facts = Path(folder) / "facts.json"
        full = [sys.executable, "-I", "-S", str(PEAK), str(facts), *map(str, command)]
        done = subprocess.run(
            full,
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
            check=False,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode not in statuses:
            last = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise BenchError(f"{Path(command[0]).name} ended with status {done.returncode}: {last}")
        return Child(**json.loads(facts.read_text(encoding="utf-8")), out=done.stdout)


def alternate(runs: int, jobs: Mapping[str, Callable[[], Result]]) -> dict[str, list[Result]]:
    """Do every job ``runs`` times in turn, and in another order in each round, so that none always follows the same."""
    results: dict[str, list[Result]] = {name: [] for name in jobs}
    names = list(jobs)
    for number in range(runs):
        turn = number % len(names) if names else 0
        for name in names[turn:] + names[:turn]:
            results[name].append(jobs[name]())
    return results


def median(values: Sequence[float]) -> float:
    """The median; raises BenchError without values."""
    if not values:
        raise BenchError("nothing was measured")
    return float(statistics.median(values))


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """Median of ``one`` over median of ``other``."""
    below = median(other)
    if below <= 0:
        raise BenchError(f"cannot compare with a time of {below:g} s")
    return median(one) / below


def spread(values: Sequence[float]) -> float:
    """Largest over smallest value: how much the runs differ."""
    return max(values) / min(values) if values and min(values) > 0 else 1.0
