"""Write docs/rules.md: which tests prove which rule of the field, taken from what the tests say of themselves.

Run by ``make docs``; a test fails while docs/rules.md is not what this would write, or a rule has no test.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: rule → what it asks for, in few words; the rules themselves are in the project's design notes
RULES: dict[str, str] = {
    "A1": "exhibits are opened read-only, nothing is written beside them, a case among them is refused",
    "A2": "SHA-256 before the first read and after the run; the seizure record's hashes are compared",
    "A3": "every derived file is hashed, with parent, command and parameters in the manifest",
    "A4": "reference, operator, organisation and reason go into every output",
    "A5": "the audit log is append-only and hash-chained: what is removed, edited, reordered or cut off is found",
    "A6": "versions, model, settings, system and command line are recorded",
    "A7": "the same exhibit, settings and environment give the same index, whatever the number of workers",
    "A8": "scanning opens no network connection",
    "A9": "nothing on a drive is executed",
    "A10": "a hostile file costs bounded memory and time, and never ends the batch",
    "A11": "a scan killed at any moment goes on, repeats no finished work and counts nothing twice; the log shows it",
    "B1": "bounds are exact ticks of a rational time base",
    "B2": "stream, displayed, corrected and UTC time are kept apart, each with its uncertainty",
    "B3": "an offset is an observation, its sign in words; two give drift",
    "B4": "the repeated hour of a clock change is two candidates",
    "B5": "the displayed time stays beside any other; unknown stays unknown",
    "B6": "gaps, steps, duplicates, disorder, wrong rates and counts are detected and reported",
    "C1": "files are identified by content",
    "C2": "every video stream is processed, or listed as not processed",
    "C3": "what cannot be read, or only in part, is listed with a reason",
    "E2": "the ledger accounts for every tick of every stream",
    "E3": "any instant can be explained",
    "E4": "what is below the threshold or was dropped is kept",
}

HEAD = """\
# Rules of the field, and the tests that prove them

Each test named here says in its first lines which rule it is about. Written by `make docs`; a rule without a test fails
the build.

| rule | asks that | tests |
|---|---|---|
"""


def named(text: str) -> set[str]:
    """The rules that a docstring names: "Rule A7", "Rules A10, C3 and E2"."""
    found: set[str] = set()
    for match in re.finditer(r"[Rr]ules?\s+((?:[A-E]\d+(?:\s*(?:,|and|to)\s*)?)+)", text):
        found.update(re.findall(r"[A-E]\d+", match.group(1)))
    return found


def tests_by_rule() -> dict[str, list[tuple[str, str]]]:
    """Rule → (file, test) of every test function whose docstring names it."""
    result: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((ROOT / "tests").glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for rule in named(ast.get_docstring(node) or ""):
                    result[rule].append((path.name, node.name))
    return dict(result)


def page() -> str:
    """The page."""
    proofs = tests_by_rule()
    lines = [HEAD]
    for rule, asks in RULES.items():
        tests = "<br>".join(f"`{file}::{name}`" for file, name in proofs.get(rule, []))
        lines.append(f"| {rule} | {asks} | {tests} |\n")
    return "".join(lines)


if __name__ == "__main__":
    (ROOT / "docs" / "rules.md").write_text(page(), encoding="utf-8")
