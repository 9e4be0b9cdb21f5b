"""Print constraints.txt from the packages installed here: `make constraints` after an upgrade that the tests passed.

Walks what vidreview and its extras require, as installed, and prints each package with its exact version. What torch
brings is left out: it differs between processors, graphics cards and systems, and the platform's own choice is right.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: chosen by the platform, with everything that only they require
LEFT_OUT = {"torch", "torchvision"}
HEADER = """\
# Exact versions that CI tests; `make` installs against them, so that an examiner can name the environment.
# torch, torchvision and what they bring (CUDA libraries, triton) are left to the platform: a scan never imports them.
# Made by `make constraints`; change versions there, not here.
"""


def required(name: str, extras: frozenset[str]) -> set[tuple[str, frozenset[str]]]:
    """What an installed package requires on this platform with these extras: (name, extras) pairs."""
    found = set()
    for line in requires(name) or []:
        need = Requirement(line)
        wanted = {"", *extras}
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in wanted):
            found.add((str(canonicalize_name(need.name)), frozenset(need.extras)))
    return found


def main() -> None:
    """Write the constraints file named on the command line; run in the repository root."""
    seen: set[tuple[str, frozenset[str]]] = set()
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    queue = [(str(canonicalize_name(need.name)), frozenset(need.extras)) for need in map(Requirement, direct)]
    while queue:
        item = queue.pop()
        if item in seen or item[0] in LEFT_OUT:
            continue
        seen.add(item)
        queue.extend(required(*item))
    names = sorted({name for name, _ in seen})
    lines = [f"{name}=={distribution(name).version}\n" for name in names]
    Path(sys.argv[1]).write_text(HEADER + "".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
