"""The peers, each in a virtual environment of its own under bench/.peers, with the versions of bench/peers/*.txt."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from bench.measure import BenchError, tell

HERE = Path(__file__).resolve().parent
PEERS = HERE / ".peers"
REQUIREMENTS = HERE / "peers"

#: packages whose versions are reported, by environment
NAMED = {
    "dvr-scan": ("dvr-scan", "scenedetect", "opencv-contrib-python", "opencv-contrib-python-headless"),
    "ultralytics": ("ultralytics", "torch", "onnxruntime", "opencv-python", "lap"),
    "trackers": ("trackers", "supervision", "trackeval", "numpy", "scipy"),
}


def environment(name: str) -> Path:
    """The folder with the programs of a peer's environment, which is made when it is not there or out of date.

    Only this uses the network. Raises BenchError when it cannot be made.
    """
    wanted = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8")
    stamp = hashlib.sha256(f"{wanted}\n{sys.version}\n{sysconfig.get_path('purelib')}".encode()).hexdigest()
    folder = PEERS / name
    mark = folder / "installed"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != stamp:
        tell(f"setting up {name} in an environment of its own")
        shutil.rmtree(folder, ignore_errors=True)
        _make(folder, name)
        mark.write_text(stamp, encoding="utf-8")
    return folder / "bin"


def versions(name: str) -> dict[str, str]:
    """Package → version of what is installed for a peer."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "def v(n):\n"
        " try: return m.version(n)\n"
        " except m.PackageNotFoundError: return None\n"
        "print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
    )
    command = [str(environment(name) / "python"), "-c", code, *NAMED[name]]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {package: version for package, version in found.items() if version is not None}


def _make(folder: Path, name: str) -> None:
    # some systems ship Python's venv without pip in it; then the pip of this environment puts packages there
    _call([sys.executable, "-m", "venv", "--without-pip", str(folder)], name)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    options = ["--disable-pip-version-check", "--quiet"]
    if name == "ultralytics":
        # torch alone is gigabytes: what the project's own environment has is used, and what it lacks is put beside it
        inside = next((folder / "lib").glob("python*")) / "site-packages"
        (inside / "project.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
        options.append("--no-deps")
    _call([*pip, "install", *options, "--requirement", str(REQUIREMENTS / f"{name}.txt")], name)
    for package in ("opencv-python", "opencv-contrib-python"):
        _without_windows(python, package, name, [*pip, "install", *options, "--no-deps"])


def _without_windows(python: Path, package: str, name: str, install: list[str]) -> None:
    """Where the machine lacks the libraries of OpenCV's windows, put the same OpenCV without windows in its place."""
    pinned = _pinned(name, package)
    if pinned is None or not subprocess.run([python, "-c", "import cv2"], capture_output=True, check=False).returncode:
        return
    _call([sys.executable, "-m", "pip", "--python", str(python), "uninstall", "--yes", package], name)
    _call([*install, f"{package}-headless=={pinned}"], name)


def _pinned(name: str, package: str) -> str | None:
    lines = (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return next((line.partition("==")[2] for line in lines if line.startswith(f"{package}==")), None)


def _call(command: list[str], name: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise BenchError(f"the environment of {name} cannot be set up: {last}")
