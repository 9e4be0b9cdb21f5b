"""Scan mutated recordings and say what was wrong: an error that is none of ours, a wrong sum, an unlisted loss.

    python -m tests.fuzz --seed N --cases M [--keep FOLDER]

prints each finding with the seed that repeats it and writes the offending file into FOLDER.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import SHARED
from tests.films import RedDetector
from tests.mutations import Mutation, make_samples, mutate
from vidreview.index import Reader
from vidreview.pipeline import ScanSummary, scan
from vidreview.settings import ScanSettings

#: A scan of one of these small files that takes longer hangs, seconds.
LIMIT_S = 60.0
#: Of streams that state neither sizes nor a length.
_BARE = ("bare.h264", "bare.h265", "bare.mjpeg")
_STREAMED = ("h264.ts", "mpeg2.mpg")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scan said of one file."""

    summary: ScanSummary
    ledger: list[dict[str, Any]]

    @property
    def frames(self) -> int:
        """Frames presented, of all streams."""
        return sum(item["frames_presented"] for item in self.ledger)

    @property
    def seconds(self) -> float:
        """Seconds analysed, of all streams."""
        return float(sum(item["states"]["analysed_s"] for item in self.ledger))

    def kinds(self) -> set[str]:
        """Kinds of all problems that are listed."""
        return {problem["kind"] for item in self.ledger for problem in item["problems"]}


def scanned(path: Path, case: Path) -> Outcome:
    """Scan one file into a new case; raises whatever the scan raises."""
    summary = scan([path], case, ScanSettings(), detector=RedDetector())
    with Reader.open(case) as reader:
        return Outcome(summary, reader.coverage())


def unknowable(outcome: Outcome, sound: Outcome, sample: str, kind: str) -> str | None:
    """Why a loss by this kind of mutation cannot be told, by principle, from a recording that always was like this."""
    if kind in ("truncated", "removed", "noise", "bit flips", "sizes", "times") and sample in _BARE:
        return "a bare bit stream states neither times nor lengths: a picture whose start is gone is part of another"
    if sample in _STREAMED and abs(outcome.frames / sound.frames - outcome.seconds / sound.seconds) < 0.001:
        return "a transport or program stream states no length: without pictures at an end it is a shorter recording"
    bases = [{item["time_base"] for item in one.ledger} for one in (outcome, sound)]
    if outcome.frames >= sound.frames and (sample in _BARE or bases[0] != bases[1]):
        return "all pictures are there, and the unit of time is the file's own word, against which nothing stands"
    return None


def findings(outcome: Outcome, sound: Outcome, sample: str, kind: str) -> list[str]:
    """What is wrong with what a scan said of a mutated sample; ``sound`` is what it said of the sample as it was."""
    found = []
    if not outcome.ledger:
        found.append("the file is not in the ledger")
    for item in outcome.ledger:
        ticks = dict(item["ticks"])
        if item["stream"] is None and not item["problems"]:
            found.append("nothing was read, and no reason is given")
        if ticks.pop("duration") != sum(ticks.values()) or min(ticks.values()) < 0:
            found.append(f"ticks do not sum: {item['ticks']}")
        if round(sum(item["states"].values()), 6) != item["duration_s"]:
            found.append(f"seconds do not sum: {item['states']} to {item['duration_s']}")
    lost = outcome.frames < sound.frames or outcome.seconds < sound.seconds - 0.001
    if lost and not outcome.kinds() - sound.kinds() and not unknowable(outcome, sound, sample, kind):
        was, now = (f"{one.frames} frames, {one.seconds:.3f} s" for one in (sound, outcome))
        found.append(f"unlisted loss: {was} became {now}; listed: {sorted(outcome.kinds())}")
    return found


def attempt(sample: Path, sound: Outcome, seed: str, folder: Path) -> tuple[Mutation, Path, list[str]]:
    """Mutate one sample by a seed, scan it, and say what was wrong."""
    mutation = mutate(sample.read_bytes(), seed)
    place = folder / seed.replace(" ", "-")
    place.mkdir()
    path = place / sample.name
    path.write_bytes(mutation.data)
    began = time.monotonic()
    try:
        with _stderr_into(place / "stderr"):
            outcome = scanned(path, place / "case")
    except Exception as error:  # noqa: BLE001 - a hostile file may raise nothing at all: it would end the batch
        return mutation, path, [f"{type(error).__name__}: {error}"]
    found = findings(outcome, sound, sample.name, mutation.kind)
    if said := (place / "stderr").read_text(errors="replace"):
        # a library that drops an exception of ours prints its traceback
        found.append(f"written to stderr: {said.splitlines()[-1]}")
    if time.monotonic() - began > LIMIT_S:
        found.append(f"took {time.monotonic() - began:.0f} s")
    return mutation, path, found


@contextlib.contextmanager
def _stderr_into(path: Path) -> Iterator[None]:
    """Whatever this process writes to stderr, its libraries included, goes into a file."""
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with path.open("wb") as file:
            os.dup2(file.fileno(), 2)
            yield
    finally:
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)


def main() -> int:
    """Fuzz as the command line says; 1 when anything was found."""
    parser = argparse.ArgumentParser(description="Scan mutated recordings and say what was wrong.")
    parser.add_argument("--seed", type=int, default=1, help="The first seed.")
    parser.add_argument("--cases", type=int, default=1000, help="How many seeds, from the first on.")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="Folder for the offending files.")
    options = parser.parse_args()
    wrong = 0
    # stderr itself is caught while a file is scanned
    with tempfile.TemporaryDirectory() as temporary, os.fdopen(os.dup(2), "w") as terminal:
        folder = Path(temporary)
        samples = list(make_samples(SHARED / "footage" / "clips", folder).values())
        sound = {path.name: scanned(path, folder / f"sound-{path.name}") for path in samples}
        for number in range(options.seed, options.seed + options.cases):
            sample = samples[number % len(samples)]
            # a hang ends with the stack of every thread
            faulthandler.dump_traceback_later(2 * LIMIT_S, exit=True, file=terminal)
            if sys.stderr.isatty():
                sys.stderr.write(f"\rseed {number} ")
            mutation, path, found = attempt(sample, sound[sample.name], str(number), folder)
            faulthandler.cancel_dump_traceback_later()
            for text in found:
                sys.stdout.write(f"seed {number}: {sample.name}, {mutation.kind}: {text}\n")
            if found:
                wrong += 1
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{number}-{sample.name}").write_bytes(path.read_bytes())
    sys.stdout.write(f"{options.cases} cases, {wrong} with findings\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
