"""The project around the code: quick help, one version, named environment, nothing of the machine it was made on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

import vidreview

ROOT = Path(__file__).resolve().parent.parent

#: what the installed script does
VIDREVIEW = [sys.executable, "-c", "from vidreview.cli import main; main()"]
#: what takes a tenth of a second or more to import
HEAVY = {"av", "cv2", "numba", "numpy", "onnx", "onnxruntime", "rich", "scipy", "sqlite3", "torch", "ultralytics"}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def _tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git checkout: tracked files are not known")
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_help_is_quick() -> None:
    """Best of five, so that a busy machine does not count; 0.3 s is the promise, the rest is for a slow CI."""
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([*VIDREVIEW, "--help"], capture_output=True, check=True, cwd=ROOT)
        times.append(time.perf_counter() - began)
    bare = []
    for _ in range(3):
        began = time.perf_counter()
        _python("pass")
        bare.append(time.perf_counter() - began)
    assert min(times) < 0.3 + 3 * min(bare)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import contextlib, io, json, sys\n"
        "from vidreview.cli import run\n"
        "with contextlib.redirect_stdout(io.StringIO()): assert run(['--help']) == 0\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    loaded = {name.partition(".")[0] for name in json.loads(_python(code))}
    assert not loaded & HEAVY


def test_importing_has_no_effect(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys, threading, warnings, logging, random
import numpy  # it has effects of its own
os.chdir({str(tmp_path)!r})
before = (dict(os.environ), signal.getsignal(signal.SIGINT), threading.active_count(), list(warnings.filters),
          list(logging.getLogger().handlers), random.getstate(), list(sys.path))
import vidreview, vidreview.cli, vidreview.model, vidreview.settings, vidreview.errors, vidreview.validate
after = (dict(os.environ), signal.getsignal(signal.SIGINT), threading.active_count(), list(warnings.filters),
         list(logging.getLogger().handlers), random.getstate(), list(sys.path))
assert before == after
assert not os.listdir()
"""
    assert _python(code) == ""


def test_one_version(project: dict[str, Any]) -> None:
    assert "version" in project["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+|a\d+|b\d+|rc\d+)?", vidreview.__version__)
    assert importlib.metadata.version("vidreview") == vidreview.__version__
    done = subprocess.run([*VIDREVIEW, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith(vidreview.__version__)


def _normal(requirement: str) -> str:
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_constraints_name_the_environment(project: dict[str, Any]) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#")
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][^\s;@]*", line) for line in pins), "exact versions, nothing else"
    pinned = dict(line.split("==") for line in pins)
    assert list(pinned) == sorted(pinned)
    assert len(pinned) == len(pins)
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    direct = {_normal(requirement) for requirement in [*project["dependencies"], *extras]}
    assert direct <= set(pinned)
    left = [name for name in pinned if re.match(r"(torch|torchvision|triton|cuda-.*|nvidia-(?!ml-py).*)$", name)]
    assert not left, "torch and what it brings are left to the platform"
    assert "vidreview" not in pinned


def test_what_runs_is_what_constraints_name() -> None:
    """CI installs against the constraints; a version that differs would test another environment."""
    pins = re.findall(r"^([a-z0-9-]+)==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(pins) > 20
    tested = {"av", "click", "numba", "numpy", "onnx", "onnxruntime", "opencv-python", "scipy", "ultralytics"}
    assert {name: importlib.metadata.version(name) for name in tested} == {n: v for n, v in pins if n in tested}


def test_types_are_shipped(project: dict[str, Any]) -> None:
    assert (ROOT / "vidreview" / "py.typed").is_file()
    assert "Typing :: Typed" in project["classifiers"]
    assert project["license"] == "AGPL-3.0-or-later"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").lstrip().startswith("GNU AFFERO GENERAL PUBLIC LICENSE")


def test_nothing_of_this_machine_is_in_the_repository() -> None:
    """No absolute path of a home or work folder, no address of a package registry."""
    path_pattern = re.compile(rb"(?<![\w.{$/-])/(?:home|Users|root|work|workspace|opt|srv)/[A-Za-z0-9_.-]+")
    host_pattern = re.compile(
        rb"(?:pypi|pythonhosted|artifactory|nexus|devpi|index-url|trusted-host)[\w.-]*\.[a-z]{2,}|index-url"
    )
    me, here = Path(__file__).resolve(), os.fsencode(ROOT)
    for path in _tracked():
        if path == me or path.suffix in {".mp4", ".mkv"}:
            continue
        content = path.read_bytes()
        assert here not in content, f"{path.relative_to(ROOT)} names this checkout"
        assert not path_pattern.search(content), f"{path.relative_to(ROOT)}: {path_pattern.search(content)}"
        assert not host_pattern.search(content), f"{path.relative_to(ROOT)}: {host_pattern.search(content)}"


def test_ci_lints_first_and_tests_last() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert lines[0] == "set -euo pipefail"
    assert lines[-2:] == ["make lint", "make test"]


def test_make_names_its_own_targets() -> None:
    done = subprocess.run(["make", "-n", "demo", "test", "lint"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for step in ("model fetch yolo26n", "ruff check", "ruff format --check", "mypy", "lint-imports", "pytest"):
        assert step in done.stdout
