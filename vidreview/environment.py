"""What the tool runs on: recorded with every run, so that a result can be repeated or its difference explained (A6)."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

from vidreview import __version__

#: the packages that have a say in what is found
PACKAGES = (
    "av",
    "numpy",
    "numba",
    "llvmlite",
    "opencv-python",
    "opencv-python-headless",
    "onnxruntime",
    "onnx",
    "ultralytics",
    "torch",
    "tzdata",
    "pytsk3",
    "libewf-python",
)


def describe() -> dict[str, Any]:
    """Versions of the tool, of Python, of its libraries and decoders, and the machine, as plain JSON values."""
    import av

    return {
        "version": __version__,
        "python": sys.version.split()[0],
        "packages": {name: version for name in PACKAGES if (version := _version(name)) is not None},
        "decoders": {name: ".".join(map(str, number)) for name, number in sorted(av.library_versions.items())},
        "os": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123  not a path of ours
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
