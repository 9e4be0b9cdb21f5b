"""How many processor cores this process may keep busy."""

from __future__ import annotations

import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def physical_cores() -> int:
    """Physical cores that this process may run on, at least 1.

    Hyper-threads share the arithmetic units that a network waits for, so a second thread on a core only costs;
    a container's share of the processor counts as well.
    """
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:  # not on every platform
        allowed = set(range(os.cpu_count() or 1))
    cores: set[str] = set()
    for cpu in allowed:
        try:
            cores.add((_CPUS / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip())
        except OSError:
            cores.add(str(cpu))
    count = len(cores)
    try:
        quota, period = _QUOTA.read_text().split()
        if quota != "max":
            count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # no such limit here
    return max(1, count)
