"""Runs the benchmark and writes docs/benchmarks.md and docs/benchmarks.json: `make bench`, or `python bench/run.py`."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.footage import Setting
from bench.measure import BenchError, tell
from bench.report import FORMAT, merge, page, part_to_json
from vidreview import environment
from vidreview.errors import VidreviewError

ROOT = Path(__file__).resolve().parent.parent

#: part → module of bench.parts and its function
PARTS = {
    "gate": ("gate", "measure"),
    "scan": ("scan", "measure"),
    "memory": ("memory", "measure"),
    "startup": ("startup", "measure"),
    "tracker": ("tracker", "measure"),
    "lowfps": ("tracker", "measure_lowfps"),
    "robust": ("robust", "measure"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure the parts that were asked for, each written as soon as it is done; 1 when one of them failed."""
    given = _arguments(argv)
    setting = Setting(given.shared.resolve(), given.work.resolve(), given.runs, given.quick)
    status = 0
    for name in given.part:
        try:
            write(given.out, {name: measure(name, setting)})
        except (BenchError, VidreviewError, OSError, subprocess.SubprocessError) as error:
            tell(f"{name}: {error}; what was measured of it before is kept")
            status = 1
        else:
            tell(f"{name}: written to {given.out / 'benchmarks.md'}")
    return status


def measure(name: str, setting: Setting) -> dict[str, Any]:
    """One part, with the facts of its making."""
    module, function = PARTS[name]
    part = getattr(importlib.import_module(f"bench.parts.{module}"), function)(setting)
    machine = environment.describe()
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "version": machine.pop("version"),
        "commit": _commit(),
        "machine": machine,
        "quick": setting.quick,
    }
    return part_to_json(part, facts)


def write(folder: Path, parts: dict[str, Any]) -> None:
    """Put parts into the document, and write it and the page made from it."""
    stored = folder / "benchmarks.json"
    old = json.loads(stored.read_text(encoding="utf-8")) if stored.is_file() else None
    if old is not None and old.get("format") != FORMAT:
        raise BenchError(f"{stored.name} is of another format; move it away")
    document = merge(old, parts, list(PARTS))
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in ((stored, json.dumps(document, indent=1) + "\n"), (folder / "benchmarks.md", page(document))):
        beside = path.with_suffix(path.suffix + ".new")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "no checkout"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python bench/run.py", description=__doc__)
    parser.add_argument("--part", type=_parts, default=list(PARTS), help=f"only these of {','.join(PARTS)}")
    parser.add_argument("--runs", type=_count, default=5, help="alternating runs (default: 5)")
    parser.add_argument(
        "--shared", type=Path, default=ROOT.parent / "shared", help="folder with footage, mot and tools"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="folder for the results (default: docs)")
    parser.add_argument("--work", type=Path, default=ROOT / "bench" / ".work", help="folder for films and cases")
    parser.add_argument("--quick", action="store_true", help="on short films, only to see that everything works")
    return parser.parse_args(argv)


def _parts(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    wrong = [name for name in names if name not in PARTS]
    if wrong or not names:
        raise argparse.ArgumentTypeError(f"no part {', '.join(wrong) or text!r}; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in names]


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
