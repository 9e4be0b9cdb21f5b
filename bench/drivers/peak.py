"""Run a command and write its seconds, processor seconds and peak memory: ``peak.py OUT.json COMMAND…``.

A process of its own, and a small one: the peak that the kernel reports for a child counts what its parent held when
it was started.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> int:
    """Run the command and return its exit status."""
    out, command = sys.argv[1], sys.argv[2:]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    facts = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }
    with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123  pathlib would add to what the child seems to hold
        json.dump(facts, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
