"""Run a command and write its seconds, processor seconds and peak memory: ``peak.py OUT.json COMMAND…``.

A process of its own, and a small one: the peak that the kernel reports for a child counts what its parent held when
it was started. A command that works in several processes is charged for all of them: their shares of memory are summed
some times a second, and the peak is the larger of that and of what the kernel reports for the largest one.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

#: seconds between looks at the memory
EVERY_S = 0.1


def tree(pid: int) -> list[int]:
    """A process and all that it started, as far as they are there."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123  pathlib weighs
            children = file.read().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in tree(int(child)))]


def share(pid: int) -> int:
    """KiB of memory that a process holds, what it shares with others divided by their number; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:  # noqa: PTH123  pathlib weighs
            return next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (OSError, StopIteration):
        return 0


def watch(pid: int, together: list[int]) -> None:
    """Keep the most that a process and all it started have held together, for as long as this one lives."""
    while True:
        together[0] = max(together[0], sum(map(share, tree(pid))))
        time.sleep(EVERY_S)


def main() -> int:
    """Run the command and return its exit status."""
    out, command = sys.argv[1], sys.argv[2:]
    began = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    together = [0]
    threading.Thread(target=watch, args=(child, together), daemon=True).start()
    _, status, used = os.wait4(child, 0)
    facts = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": max(used.ru_maxrss, *together) / 1024,
    }
    with open(out, "w", encoding="utf-8") as file:  # noqa: PTH123  pathlib would add to what the child seems to hold
        json.dump(facts, file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
