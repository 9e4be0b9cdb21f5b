"""Kill a scan at random moments until it is done, and compare its index with an undisturbed one (rule A11).

``python -m tests.kills --kills 20 --workers 2`` scans a folder of thirty films again and again; each time, the scan or
one of its workers is killed with SIGKILL at a random moment, once, and the same command is run again until it ends.
Moments are told by the length of the audit log, since a busy machine is slow.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.export import export
from tests.films import film

ROOT = Path(__file__).resolve().parent.parent
#: scans argv[1] into the case argv[2] with argv[3] workers
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[4])\n"
    "from functools import partial; from pathlib import Path; from tests.films import RedDetector\n"
    "from vidreview.errors import VidreviewError\n"
    "from vidreview.pipeline import scan; from vidreview.pipeline.children import start_children\n"
    "from vidreview.settings import ScanSettings\n"
    "settings = ScanSettings()\n"
    "start = partial(start_children, None, settings, int(sys.argv[3]), None, RedDetector())\n"
    "summary = scan([Path(sys.argv[1])], Path(sys.argv[2]), settings, start=start, best_first=len(sys.argv) > 5)\n"
    "print(summary.exhibits, summary.skipped)"
)


@dataclass(frozen=True)
class Killed:
    """One scan that was killed once, and then ended."""

    #: "scan" or "worker", and after how many entries of the log
    what: str
    after: int
    #: exhibits that the second run found finished
    skipped: int
    same: bool


def evidence(folder: Path, count: int = 30) -> Path:
    """``count`` small films, a copy and a text among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count - 2):
        film(folder / f"{k:02d}.mp4", 40 + k % 5 * 10, [(8, 32)], seed=k)
    shutil.copy(folder / "03.mp4", folder / "08-copy.mp4")
    (folder / "05-note.txt").write_text("a note\n" * 20)
    return folder


def _start(folder: Path, case: Path, workers: int, best_first: bool) -> subprocess.Popen[str]:
    more = ["best-first"] if best_first else []
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(case), str(workers), str(ROOT), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _workers_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _entries(case: Path) -> int:
    try:
        return (case / "audit.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def kills(folder: Path, number: int, workers: int, seed: int, best_first: bool = False) -> Iterator[Killed]:
    """Scans that are killed once each; raises AssertionError when a scan does not end well after that."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        process = _start(folder, whole, workers, best_first)
        out = process.communicate(timeout=600)[0]
        assert process.returncode == 0, "the undisturbed scan failed"
        entries = _entries(whole)
        wanted, exhibits = export(whole), int(out.split()[0])
        for k in range(number):
            case = Path(scratch) / f"{k}"
            process = _start(folder, case, workers, best_first)
            after = rng.randrange(entries)
            while _entries(case) < after and process.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0.0, 0.3))
            children = _workers_of(process.pid)
            worker = bool(children) and rng.random() < 0.4
            try:
                os.kill(rng.choice(children) if worker else process.pid, signal.SIGKILL)
            except ProcessLookupError:
                worker = False
            if worker:
                out = process.communicate(timeout=600)[0]
                assert process.returncode == 0, "a worker's death ended the scan"
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
            again = _start(folder, case, workers, best_first)
            out = again.communicate(timeout=600)[0]
            assert again.returncode == 0, "the scan did not go on"
            done, skipped = map(int, out.split())
            assert done == exhibits
            yield Killed("worker" if worker else "scan", after, skipped, export(case) == wanted)
            shutil.rmtree(case)


def main() -> None:
    """Print each kill, and how many of the indexes were the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--files", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--best-first", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = evidence(Path(scratch) / "evidence", options.files)
        found = []
        for one in kills(folder, options.kills, options.workers, options.seed, options.best_first):
            found.append(one)
            print(
                f"{one.what} killed after {one.after} entries of the log: {one.skipped} exhibits were finished, "
                f"index {'the same' if one.same else 'DIFFERS'}",
                flush=True,
            )
    same = sum(one.same for one in found)
    print(f"{same} of {len(found)} indexes are the same as that of an undisturbed scan")
    sys.exit(same != len(found))


if __name__ == "__main__":
    main()
