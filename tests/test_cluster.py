"""Files are handed to the workers of a Dask scheduler: the index is the same, and a worker that dies costs nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import distributed
import pytest

from tests import doubles
from tests.conftest import Result
from tests.export import export
from tests.films import RedDetector, film
from tests.test_pipeline import SETTINGS, look_up
from tests.test_workers import bad_film
from vidreview.errors import UsageError
from vidreview.pipeline import ScanSummary, scan
from vidreview.pipeline.cluster import join_cluster

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six films, the second of them bad, and a copy."""
    folder = tmp_path_factory.mktemp("evidence")
    for k, name in enumerate(("a", "c", "d", "e", "f")):
        film(folder / f"{name}.mp4", 60, [(10, 40)], seed=k)
    bad_film(folder / "b.mp4")
    (folder / "g.mp4").write_bytes((folder / "a.mp4").read_bytes())
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a scan in one process finds."""
    case = tmp_path_factory.mktemp("undisturbed") / "case"
    scan([folder], case, SETTINGS, detector=RedDetector())
    return export(case)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler with two workers, each a process with a nanny that starts it again."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as made:
        yield made


def run(
    sources: list[Path], case: Path, address: str, detector: RedDetector, model: str | None = None, **more: Any
) -> ScanSummary:
    start = partial(join_cluster, address, model, SETTINGS, sources, 2, None, detector)
    return scan(sources, case, SETTINGS, start=start, **more)


def test_two_local_workers_give_the_same_index(folder: Path, tmp_path: Path, undisturbed: str) -> None:
    """Rule A7."""
    summary = run([folder], tmp_path / "case", "local", RedDetector())
    assert (summary.exhibits, summary.duplicates, summary.problems) == (6, 1, [])
    assert export(tmp_path / "case") == undisturbed


def test_a_scheduler_elsewhere_gives_the_same_index_and_is_recorded(
    folder: Path, tmp_path: Path, undisturbed: str, cluster: Any
) -> None:
    run([folder], tmp_path / "case", cluster.scheduler_address, RedDetector())
    assert export(tmp_path / "case") == undisturbed
    log = (tmp_path / "case" / "audit.jsonl").read_text()
    assert f'"scheduler":"{cluster.scheduler_address}"' in log
    assert log.count('"address":"tcp://') == 2


def test_a_worker_that_dies_is_replaced(folder: Path, tmp_path: Path, undisturbed: str, cluster: Any) -> None:
    """Its exhibit is scanned again, and the index does not tell."""
    killed: list[int] = []

    def kill() -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and not killed:
            for worker in cluster.workers.values():
                if worker.process is not None and (worker.process.pid or 0) and begun.is_set():
                    os.kill(worker.process.pid, signal.SIGKILL)
                    killed.append(worker.process.pid)
                    return
            time.sleep(0.02)

    class Begun:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

        def done(self, *_: Any) -> None:
            begun.set()

    begun = threading.Event()
    thread = threading.Thread(target=kill)
    thread.start()
    summary = run([folder], tmp_path / "case", cluster.scheduler_address, RedDetector(), observer=Begun())
    thread.join()
    assert killed
    assert summary.problems == []
    assert export(tmp_path / "case") == undisturbed


def test_a_file_that_crashes_its_decoder_costs_itself_only(folder: Path, tmp_path: Path, cluster: Any) -> None:
    """Rule A10, on every machine: the worker's child dies, not the worker."""
    summary = run([folder], tmp_path / "case", cluster.scheduler_address, doubles.Crasher())
    (problem,) = summary.problems
    assert Path(problem["path"]).name == "b.mp4"
    assert problem["reason"].startswith("the decoder crashed (SIGSEGV), 3 times")
    assert len(look_up(tmp_path / "case")["events"]) == 5


def test_a_scheduler_that_is_not_there_is_said_before_anything_is_written(
    folder: Path, tmp_path: Path, cli: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidreview.pipeline.cluster.ANSWER_S", 1.0)
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        result = cli("scan", folder, "--case", tmp_path / "case", "--scheduler", address)
        assert result.status == 2, result.err
        assert f"no Dask scheduler answers at {address}" in result.err
    assert not (tmp_path / "case").exists()


def test_a_worker_that_does_not_see_the_evidence_is_named(tmp_path: Path, cluster: Any) -> None:
    sources = [tmp_path / "only-here"]
    with pytest.raises(UsageError, match=r"worker tcp://.* does not see .*only-here"):
        join_cluster(cluster.scheduler_address, None, SETTINGS, sources, 2, None, RedDetector())
