"""Kernels compiled and interpreted, in one thread and in many: the same numbers every time."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidreview.kernels import assign, blobs, blocks, boxes, diff, follow, gate, kalman, look, marks

HERE = Path(__file__).parent
Arrays = tuple[NDArray[Any], ...]

compiled_only = pytest.mark.skipif(
    not hasattr(boxes.iou_matrix, "py_func"), reason="NUMBA_DISABLE_JIT is set: nothing is compiled"
)


def kernels() -> dict[str, Any]:
    """Every compiled function of the package's kernels, by name."""
    modules: tuple[ModuleType, ...] = (assign, blobs, blocks, boxes, diff, follow, gate, kalman, look, marks)
    return {
        f"{module.__name__.rsplit('.', 1)[1]}.{name}": function
        for module in modules
        for name, function in vars(module).items()
        if hasattr(function, "py_func") and function.__module__ == module.__name__
    }


def pairs(rng: np.random.Generator) -> Arrays:
    """Two sets of boxes."""
    corner = rng.uniform(0, 300, (60, 2))
    some = np.concatenate([corner, corner + rng.uniform(0, 90, (60, 2))], axis=1)
    return some[:35].copy(), some[25:].copy()


def filter_state(rng: np.random.Generator) -> Arrays:
    """Mean, covariance, and four numbers above 0."""
    return rng.normal(0, 100, (4, 2)), np.tile([400.0, 20.0, 90.0], (4, 1)), rng.uniform(1, 50, 4)


def run_all(pick: Callable[[Any], Any]) -> dict[str, Arrays]:
    """What each kernel gives for one fixed input; ``pick`` chooses its compiled or interpreted form."""
    rng = np.random.default_rng(11)
    out: dict[str, Arrays] = {}
    a, b = pairs(rng)
    out["boxes.iou_matrix"] = (pick(boxes.iou_matrix)(a, b),)
    out["boxes.inside_matrix"] = (pick(boxes.inside_matrix)(a, b),)
    out["assign.assign"] = (pick(assign.assign)(1.0 - out["boxes.iou_matrix"][0], 0.95),)
    mean, cov, some = filter_state(rng)
    pick(kalman.predict)(mean, cov, 0.37, some)
    out["kalman.predict"] = (mean.copy(), cov.copy())
    pick(kalman.update)(mean, cov, some, some)
    out["kalman.update"] = (mean, cov)
    plane = rng.integers(0, 256, 100 * 128).astype(np.uint8)
    grid, ranges, contrast = (np.zeros((13, 13), np.float32) for _ in range(3))
    pick(blocks.block_means)(plane, plane.view(np.uint64), 128, 100, 101, 8, grid)
    pick(blocks.block_ranges)(plane, 128, 100, 101, 8, ranges)
    out["blocks.block_means"], out["blocks.block_ranges"] = (grid,), (ranges,)
    now, old = grid.reshape(-1), rng.uniform(90, 160, 169).astype(np.float32)
    out["diff.fit_light"] = (np.array(pick(diff.fit_light)(now, old, 2, 3.0, 1.1, 3.0)),)
    out["diff.typical"] = (np.array(pick(diff.typical)(old, 3)),)
    out["diff.typical_jump"] = (np.array(pick(diff.typical_jump)(now, old, 2)),)
    moved = pick(diff.find_contrast)(ranges, old.reshape(13, 13), grid, 1.1, -4.0, 2, 24.0, contrast)
    out["diff.find_contrast"] = (np.array(moved), contrast)
    state = [rng.uniform(0, high, 169).astype(np.float32) for high in (255, 255, 6, 6, 255, 4, 8)]
    verdict, changed, masked = np.zeros((3, 13, 13), np.uint8)
    masked[3:5, 2:9] = 1
    strength = np.zeros((13, 13), np.float32)
    said = (verdict.reshape(-1), strength.reshape(-1), changed.reshape(-1))
    rules = (1.1, -4.0, 0.9, 4.5, 3.0, 4.0, 6.0, 12.0)
    counts = [pick(diff.compare)(now, *state, masked.reshape(-1), *rules, *said) for _ in range(5)]
    out["diff.compare"] = (*state, *said, np.array(counts))
    ticks = np.zeros((5, 169), np.float32)
    for k in range(5):
        pick(diff.count_ticks)(now, old, 7.3 + k, 0.2, 3.0, ticks)
    out["diff.count_ticks"] = (ticks,)
    some_changed = (rng.random((13, 13)) < 0.1).astype(np.uint8)
    strength = rng.uniform(0, 9, (13, 13)).astype(np.float32)
    ys, xs = (v.copy() for v in np.nonzero(some_changed))
    out["marks.positions"] = (pick(marks.positions)(some_changed.reshape(-1)),)
    out["blobs._root"] = (np.array(pick(blobs._root)(np.array([0, 0, 1, 2]), 3)),)
    out["blobs.groups"] = (pick(blobs.groups)(ys, xs),)
    held_s = state[5].reshape(13, 13)
    out["blobs.find_blobs"] = (pick(blobs.find_blobs)(some_changed, strength, held_s, 0.3, 2.0, 0.5, 0.05, 3.0),)
    out["blobs.count_lone"] = (np.array(pick(blobs.count_lone)(masked, some_changed, verdict)),)
    out |= run_gate(rng, pick)
    out |= run_follow(rng, pick)
    out |= run_look(rng, pick)
    return out


def run_look(rng: np.random.Generator, pick: Callable[[Any], Any]) -> dict[str, Arrays]:
    """The same for the kernels that describe a crop."""
    picture = rng.integers(0, 256, (9, 12, 3)).astype(np.uint8).repeat(6, axis=0).repeat(6, axis=1)
    cells, inside = np.zeros((20, 12, 3), np.uint8), np.zeros((20, 12), np.bool_)
    pick(look.cell_means)(picture, -3.5, 4.0, 40.0, 57.3, cells, inside)
    weights = np.zeros((12, 8))
    pick(look.object_weights)(cells, inside, 4, 2, weights)
    tables = [rng.uniform(0, high, (32768, width)).astype(np.float32) for high, width in ((1, 11), (90, 3))]
    shares, part = np.zeros(look.LENGTH), rng.uniform(0, 1, 9)
    pick(look.describe)(np.ascontiguousarray(cells[4:-4, 2:-2]), weights, *tables, shares)
    pick(look._to_one)(part, 2, 5)
    nearest = pick(look.nearest_two)(rng.normal(0, 30, (20, 3)), rng.normal(0, 30, (12, 3)), np.array([0, 5, 12]))
    return {
        "look.cell_means": (cells, inside),
        "look.object_weights": (weights,),
        "look.describe": (shares,),
        "look._to_one": (part,),
        "look.nearest_two": (nearest,),
    }


def run_follow(rng: np.random.Generator, pick: Callable[[Any], Any]) -> dict[str, Arrays]:
    """The same for the kernels that follow detections alone: two walkers, the second away for a while."""
    frame = np.array([f for f in range(40) for walker in (0, 1) if not (walker and 8 <= f < 30)])
    walker = np.array([w for f in range(40) for w in (0, 1) if not (w and 8 <= f < 30)])
    places = np.column_stack([100 + 200 * walker + 4.0 * frame, np.full(len(frame), 90.0)])
    boxes = np.hstack([places + rng.normal(0, 2, places.shape), np.full((len(frame), 2), (30.0, 80.0))])
    starts = np.append(np.flatnonzero(np.diff(frame, prepend=-1)), len(frame))
    scores = np.full(len(frame), 0.9)
    of = pick(follow.chain)(boxes, scores, starts, np.arange(40) / 8, 1 / 8, 0.5)
    order = np.argsort(of, kind="stable")
    limits = np.append(np.flatnonzero(np.diff(of[order], prepend=-1)), len(order))
    args = (boxes[order], frame[order] / 8, limits, 1 / 8)
    out: dict[str, Arrays] = {"follow.chain": (of,), "follow.join": (pick(follow.join)(*args),)}
    assert (out["follow.join"][0] >= 0).any()  # else the rest tries nothing
    means, covs = np.zeros((len(limits) - 1, 4, 2)), np.zeros((len(limits) - 1, 4, 3))
    pick(follow.ends)(*args, means, covs, True)
    out["follow.ends"] = (means, covs)
    course = np.zeros((40, 4))
    pick(follow.smooth)(frame[of == 0], boxes[of == 0], 1 / 8, course)
    out["follow.smooth"] = (course,)
    mean, cov, r = np.zeros((4, 2)), np.zeros((4, 3)), np.zeros(4)
    pick(follow.errors)(40.0, 2.0, r)
    pick(follow.begin)(mean, cov, boxes[0])
    pick(follow.advance)(mean, cov, 0.5)
    out["follow.errors"], out["follow.begin"], out["follow.advance"] = (r,), (mean, cov), (mean, cov)
    out["follow.surprise"] = (np.array(pick(follow.surprise)(mean, cov, boxes[1], r)),)
    out["follow.strangeness"] = (np.array(pick(follow.strangeness)(mean, cov, means[0], covs[0], 40.0, 0.5)),)
    out["follow.size_of"] = (np.array(pick(follow.size_of)(boxes[0])),)
    out["follow.taken"] = (np.array(pick(follow.taken)(boxes, of, 0, 2, 1)),)
    return out


def run_gate(rng: np.random.Generator, pick: Callable[[Any], Any]) -> dict[str, Arrays]:
    """The same for the kernels that hold the gate's memory."""
    film = rng.normal(100, 1.0, (8, 12, 16)).astype(np.float32)
    film[4:, 3:6, 5:8] += np.float32(40)
    film[6:] += np.float32(4)
    state = np.zeros((9, 12, 16), np.float32)
    state[[gate.BEFORE, gate.MEAN, gate.HELD]] = film[0]
    state[gate.OLD], state[gate.NOISE] = np.nan, 2.0
    of_blocks, ticks = np.zeros((5, 12, 16), np.uint8), np.zeros((5, 192), np.float32)
    memory = np.array([1.0, 0.0, 0.0, 0.0, 1.0, 2.0, 0.0])
    found = [
        pick(gate.watch)(now, state, of_blocks, ticks, memory, k / 5, 0.2, 1.1, 4.5, 3)
        for k, now in enumerate(film[1:], 1)
    ]
    out: dict[str, Arrays] = {"gate.watch": (*found, state.copy(), of_blocks.copy(), ticks, memory.copy())}
    noise, now = state[gate.NOISE].reshape(-1), film[5].reshape(-1)
    pulse = pick(gate.learn_pulse)(now, film[4].reshape(-1), noise, memory, 1, True)
    pick(gate.learn_rain)(of_blocks, memory, 0.2)
    out["gate.learn_pulse"] = (np.array(pulse), noise)
    out["gate.learn_rain"] = (of_blocks, memory)
    out["gate.shift"] = (np.array(pick(gate.shift)(1.1, -4.0)),)
    return out


def itself(function: Any) -> Any:
    return function


def interpreted(function: Any) -> Any:
    return getattr(function, "py_func", function)


def same_bits(left: dict[str, Arrays], right: dict[str, Arrays]) -> bool:
    """True when every array of both is equal byte for byte."""
    return left.keys() == right.keys() and all(
        [x.tobytes() for x in left[name]] == [x.tobytes() for x in right[name]] for name in left
    )


@compiled_only
def test_every_kernel_is_run_here() -> None:
    assert kernels().keys() == run_all(itself).keys()


@compiled_only
def test_compiled_equals_interpreted() -> None:
    fast, slow = run_all(itself), run_all(interpreted)
    for name, arrays in fast.items():
        for one, other in zip(arrays, slow[name], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6, err_msg=name)


def test_two_runs_give_the_same_bits() -> None:
    assert same_bits(run_all(itself), run_all(itself))


@pytest.mark.parametrize("threads", [2, 8])
def test_any_number_of_threads_gives_the_same_bits(threads: int) -> None:
    alone = run_all(itself)
    with ThreadPoolExecutor(threads) as pool:
        together = list(pool.map(lambda _: run_all(itself), range(2 * threads)))
    assert all(same_bits(alone, one) for one in together)


@compiled_only
def test_kernels_free_the_interpreter_and_keep_to_exact_arithmetic() -> None:
    found = kernels()
    assert len(found) >= 12
    for name, function in found.items():
        assert function.targetoptions["nogil"] is True, name
        assert function.targetoptions["fastmath"] is False, name
        assert not function.targetoptions.get("parallel"), name
        assert len(function.signatures) == 1, name
        assert not function._can_compile, f"{name} would compile anew for other types"


@compiled_only
def test_wrong_types_are_refused_rather_than_compiled_for() -> None:
    with pytest.raises(TypeError):
        boxes.iou_matrix(np.zeros((1, 4), np.float32), np.zeros((1, 4)))


@compiled_only
def test_the_kernel_tests_pass_interpreted() -> None:
    modules = sorted(str(p) for p in HERE.glob("test_kernels_*.py"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *modules],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert "nothing is compiled" in done.stdout


SEES = """
import sys
sys.path.insert(0, sys.argv[1])
from kernels_copy import outer
print(outer.twice_more(1.0))
"""


@compiled_only
def test_a_kernel_is_compiled_anew_when_one_that_it_calls_has_changed(tmp_path: Path) -> None:
    """By itself numba looks at a kernel's own file only, and would go on with what it had compiled in."""
    package = tmp_path / "kernels_copy"
    package.mkdir()
    jit = (HERE.parent / "vidreview" / "kernels" / "_jit.py").read_text(encoding="utf-8")
    (package / "__init__.py").touch()
    (package / "_jit.py").write_text(jit, encoding="utf-8")
    head = "from kernels_copy._jit import kernel\n"
    kernel = head + '{}@kernel("float64(float64)")\ndef {}(x: float) -> float:\n    return {}\n'
    (package / "outer.py").write_text(
        kernel.format("from kernels_copy.inner import twice\n", "twice_more", "twice(x) + 1"), encoding="utf-8"
    )
    printed = []
    for factor in (2, 3):
        (package / "inner.py").write_text(kernel.format("", "twice", f"{factor} * x"), encoding="utf-8")
        done = subprocess.run([sys.executable, "-c", SEES, tmp_path], capture_output=True, text=True, check=True)
        printed.append(float(done.stdout))
    assert printed == [3.0, 4.0]
    assert list(package.glob("__pycache__/*.nbi")), "else nothing was kept, and this tries nothing"
