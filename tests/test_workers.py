"""Files are decoded in processes of their own: what one does to its process costs it alone, and leaves no trace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests import doubles
from tests.export import export
from tests.films import FPS, HEIGHT, WIDTH, RedDetector, film, picture, wall
from tests.kills import evidence, kills
from tests.test_pipeline import SETTINGS, look_up
from vidreview.pipeline import ScanSummary, scan
from vidreview.pipeline.children import Limits, start_children
from vidreview.pipeline.exhibit import scan_exhibit
from vidreview.pipeline.here import Here
from vidreview.pipeline.messages import LAST, Message, Task

ROOT = Path(__file__).resolve().parent.parent


def bad_film(path: Path, seed: int = 9) -> Path:
    """Six seconds with a visit, and the mark that sets the doubles off from 2 s on."""
    path.parent.mkdir(exist_ok=True)
    background = wall()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "16", "g": "20"}
        for number in range(60):
            pixels = picture(number, [(10, 50)], background, seed)
            if number >= 20:
                pixels[:16, :16] = (255, 0, 0)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four films, the second of them bad."""
    folder = tmp_path_factory.mktemp("evidence")
    for k, name in enumerate(("a", "c", "d")):
        film(folder / f"{name}.mp4", 60, [(10, 40)], seed=k)
    bad_film(folder / "b.mp4")
    return folder


def run(
    sources: list[Path], case: Path, detector: RedDetector, count: int = 2, limits: Limits | None = None, **more: Any
) -> ScanSummary:
    start = partial(start_children, None, SETTINGS, count, limits, detector)
    return scan(sources, case, SETTINGS, start=start, **more)


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a scan in one process finds."""
    case = tmp_path_factory.mktemp("undisturbed") / "case"
    scan([folder], case, SETTINGS, detector=RedDetector())
    return export(case)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_index_is_the_same_for_any_number_of_workers(
    folder: Path, tmp_path: Path, undisturbed: str, count: int
) -> None:
    """Rule A7."""
    summary = run([folder], tmp_path / "case", RedDetector(), count)
    assert (summary.exhibits, summary.problems) == (4, [])
    assert export(tmp_path / "case") == undisturbed


@pytest.mark.parametrize(
    ("detector", "limits", "reason"),
    [
        (doubles.Crasher(), Limits(), "the decoder crashed (SIGSEGV), 3 times; the file may be damaged or hostile"),
        (doubles.Hanger(), Limits(silence_s=2), "the decoder gave no frame and read nothing for 2 s and was ended"),
        (doubles.Glutton(), Limits(memory=1 << 30), "needs more memory than it may have (1024 MiB)"),
        (doubles.Faulty(), Limits(), "internal error: RuntimeError: a fault of the program"),
    ],
)
def test_a_file_that_ends_its_process_costs_itself_only(
    folder: Path, tmp_path: Path, detector: RedDetector, limits: Limits, reason: str
) -> None:
    """Rule A10."""
    began = time.monotonic()
    summary = run([folder], tmp_path / "case", detector, limits=limits)
    assert time.monotonic() - began < 60
    (problem,) = summary.problems
    assert Path(problem["path"]).name == "b.mp4"
    assert problem["reason"].startswith(reason)
    found = look_up(tmp_path / "case")
    assert [e["exhibit"] for e in found["events"]] == ["a.mp4", "c.mp4", "d.mp4"]
    assert [e["id"] for e in found["events"]] == ["E0001", "E0002", "E0003"]
    listed = {c["exhibit"]: c for c in found["coverage"]}
    assert listed["b.mp4"]["states"] == {
        "analysed_s": 0.0,
        "undecodable_s": 6.0,
        "gap_s": 0.0,
        "not_requested_s": 0.0,
    }, "its seconds are accounted for"
    assert any(p["reason"].startswith(reason) for p in listed["b.mp4"]["problems"])


def test_a_worker_that_is_killed_is_replaced_and_leaves_no_trace_in_the_index(
    folder: Path, tmp_path: Path, undisturbed: str
) -> None:
    """Rules A7 and A11: the file is tried again."""
    summary = run([folder], tmp_path / "case", doubles.Mortal(tmp_path / "killed"))
    assert (tmp_path / "killed").exists(), "it was killed"
    assert summary.problems == []
    assert export(tmp_path / "case") == undisturbed
    log = [json.loads(line) for line in (tmp_path / "case" / "audit.jsonl").read_text().splitlines()]
    assert [e["facts"]["name"] for e in log if e["action"] == "exhibit-begins-again"] == ["b.mp4"]


def test_what_a_worker_said_before_it_died_is_not_counted_twice(folder: Path, tmp_path: Path, undisturbed: str) -> None:
    """Rule A11: it may have been through all streams but the last."""

    class Again(Here):
        def messages(self, wait_s: float) -> Iterator[tuple[Task, Message]]:
            if (task := self._task) is not None:
                first = scan_exhibit(task, RedDetector())
                yield from ((task, message) for message in first if not isinstance(message, LAST))
            yield from super().messages(wait_s)

    whole = scan([folder], tmp_path / "whole", SETTINGS, detector=RedDetector())
    again = scan([folder], tmp_path / "case", SETTINGS, start=lambda: Again(RedDetector()))
    assert again.seconds_of_footage == pytest.approx(whole.seconds_of_footage)
    assert (again.exhibits, again.events) == (whole.exhibits, whole.events)
    assert export(tmp_path / "case") == undisturbed


def test_a_worker_can_write_no_file(folder: Path, tmp_path: Path) -> None:
    """Rule A10: whoever takes over a decoder cannot alter evidence or case with it."""
    summary = run([folder / "a.mp4"], tmp_path / "case", doubles.Writer(tmp_path / "written"))
    assert "File too large" in summary.problems[0]["reason"]
    assert not (tmp_path / "written").exists() or (tmp_path / "written").read_bytes() == b""


def test_workers_end_when_their_parent_is_killed(folder: Path, tmp_path: Path) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path; from tests import doubles; from tests.test_workers import run, Limits\n"
        "run([Path(sys.argv[1])], Path(sys.argv[2]), doubles.Hanger(), 2, Limits(silence_s=600))"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(folder), str(tmp_path / "case"), str(ROOT)])
    children: list[int] = []
    until = time.monotonic() + 60
    while time.monotonic() < until and len(children) < 2:
        time.sleep(0.1)
        children = _children_of(process.pid)
    assert len(children) == 2
    process.kill()
    process.wait()
    while time.monotonic() < until and any(_alive(pid) for pid in children):
        time.sleep(0.05)
    assert not [pid for pid in children if _alive(pid)]


def test_a_scan_that_was_stopped_for_a_while_blames_no_file(folder: Path, tmp_path: Path) -> None:
    """Ctrl-Z, and fg after longer than a file may be silent: nobody was there to hear it, and it was not running."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path; from tests import doubles; from tests.test_workers import run, Limits\n"
        "print(run([Path(sys.argv[1])], Path(sys.argv[2]), doubles.Slow(), 1, Limits(silence_s=2)).problems)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder / "a.mp4"), str(tmp_path / "case"), str(ROOT)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        log = tmp_path / "case" / "audit.jsonl"
        while not (log.exists() and "exhibit-begins" in log.read_text()):
            time.sleep(0.05)
        for _ in range(3):
            time.sleep(1.0)
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(4.0)
            os.killpg(process.pid, signal.SIGCONT)
        assert process.communicate(timeout=120)[0] == "[]\n"
    finally:
        process.kill()


def test_what_lies_in_the_working_folder_is_not_imported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rule A9: an examiner may stand in the evidence, and the evidence may hold a file named like a module."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    for name in ("av", "numpy", "msgspec", "vidreview", "pickle", "sitecustomize"):
        (evidence / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w').write('x')")
    (evidence / "a.mp4").write_bytes((folder / "a.mp4").read_bytes())
    monkeypatch.chdir(evidence)
    summary = run([Path("a.mp4")], tmp_path / "case", RedDetector(), 1)
    assert (summary.exhibits, summary.events) == (1, 1)
    assert not (tmp_path / "executed").exists()


def test_an_exhibit_that_changes_while_a_worker_reads_it_is_said(folder: Path, tmp_path: Path) -> None:
    """Rule A2, and exit status 4."""
    from vidreview.errors import IntegrityError

    copy = tmp_path / "films" / "b.mp4"
    copy.parent.mkdir()
    copy.write_bytes((folder / "b.mp4").read_bytes())
    other = film(tmp_path / "films" / "other.mp4", 60, [(10, 40)])

    class Tampering:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

        def exhibit(self, name: str, size: int) -> None:
            if name == "b.mp4":  # its identity is fixed, and a worker is about to read it
                with copy.open("ab") as file:
                    file.write(b"x")

    with pytest.raises(IntegrityError, match=r"b\.mp4"):
        run([copy, other], tmp_path / "case", RedDetector(), observer=Tampering())
    found = look_up(tmp_path / "case")
    assert {e["exhibit"] for e in found["events"]} == {"other.mp4"}, "the rest of the batch goes on"


def _children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_case_that_a_kill_left_says_so_in_the_next_run(folder: Path, tmp_path: Path, undisturbed: str) -> None:
    """Rule A11: the log shows the break."""
    program = (
        "import sys, os, signal; sys.path.insert(0, sys.argv[3])\n"
        "from pathlib import Path; from tests.films import RedDetector; from tests.test_workers import run\n"
        "class Killing:\n"
        "    def __getattr__(self, name): return lambda *_: None\n"
        "    def done(self, name, *_):\n"
        "        if name == 'c.mp4': os.kill(os.getpid(), signal.SIGKILL)\n"
        "run([Path(sys.argv[1])], Path(sys.argv[2]), RedDetector(), 2, observer=Killing())"
    )
    case = tmp_path / "case"
    killed = subprocess.run([sys.executable, "-c", program, str(folder), str(case), str(ROOT)], check=False)
    assert killed.returncode == -signal.SIGKILL
    pending = [c for c in look_up(case)["coverage"] if any(p["kind"] == "unfinished" for p in c["problems"])]
    assert pending, "every file is accounted for, also those whose turn had not come"
    summary = run([folder], case, RedDetector(), 2)
    assert summary.skipped >= 1
    assert export(case) == undisturbed
    log = [json.loads(line) for line in (case / "audit.jsonl").read_text().splitlines()]
    begins = [e["facts"] for e in log if e["action"] == "scan-begins"]
    assert [b.get("after_interrupted") for b in begins] == [None, [1]]


def test_a_scan_that_is_killed_at_random_moments_ends_with_the_same_index(tmp_path: Path) -> None:
    """Rule A11; ``python -m tests.kills`` does it more often."""
    folder = evidence(tmp_path / "evidence", 12)
    found = list(kills(folder, 3, 2, seed=7))
    assert [one.same for one in found] == [True, True, True], found


def test_a_file_that_crashes_its_prober_ends_no_listing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule A10: also ``vidreview probe`` goes on."""
    from vidreview.errors import MediaError
    from vidreview.media import probe
    from vidreview.pipeline import children
    from vidreview.pipeline.prober import Prober

    told: list[int] = []
    honest = children._Child.give

    def killed(self: children._Child, task: Any, tries: int) -> None:
        honest(self, task, tries)
        if task.path.name == "b.mp4":
            told.append(tries)
            self.process.kill()

    with Prober() as prober:
        assert prober.probe(folder / "a.mp4") == probe(folder / "a.mp4")
        monkeypatch.setattr(children._Child, "give", killed)
        with pytest.raises(MediaError, match=r"b\.mp4: the decoder crashed \(SIGKILL\), 3 times"):
            prober.probe(folder / "b.mp4")
        assert told == [1, 2, 3]
        assert prober.probe(folder / "c.mp4") == probe(folder / "c.mp4")
        with pytest.raises(MediaError, match=r"no such file|cannot be opened"):
            prober.probe(folder / "gone.mp4")
