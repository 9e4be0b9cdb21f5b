"""A whole drive: the seizure record, copies, disk images, odd names, and nothing touched but the case."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import disk_images as disks
from tests.conftest import Result
from tests.export import export
from tests.films import RedDetector, film
from tests.test_images import SAMPLES
from tests.test_pipeline import look_up, run
from tests.test_workers import run as run_with_workers
from vidreview.errors import EvidenceError, IntegrityError, UsageError
from vidreview.evidence import Found
from vidreview.hashlist import read_hash_list
from vidreview.pipeline import ScanSummary
from vidreview.pipeline.apart import Apart
from vidreview.verify import verify

ROOT = Path(__file__).resolve().parent.parent
Cli = Callable[..., Result]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films in folders, and a copy of the first under another name."""
    folder = tmp_path_factory.mktemp("drive")
    film(folder / "cam1" / "a.mp4", 60, [(10, 40)], seed=1)
    film(folder / "cam2" / "a.mp4", 60, [(10, 40)], seed=2)
    shutil.copy(folder / "cam1" / "a.mp4", folder / "zz copy.mp4")
    return folder


def entries(case: Path, action: str) -> list[dict[str, Any]]:
    """Facts of the log's entries of one kind."""
    log = (json.loads(line) for line in (case / "audit.jsonl").read_text().splitlines())
    return [entry["facts"] for entry in log if entry["action"] == action]


def digest(path: Path, algorithm: str) -> str:
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


# ---- copies


def test_a_file_met_twice_is_scanned_once_and_listed_as_a_duplicate(films: Path, tmp_path: Path) -> None:
    detector = RedDetector()
    summary = run([films], tmp_path / "case", detector)
    assert (summary.exhibits, summary.duplicates, summary.problems) == (2, 1, [])
    found = look_up(tmp_path / "case")
    assert [e["exhibit"] for e in found["events"]] == ["cam1/a.mp4", "cam2/a.mp4"]
    (copy,) = [c for c in found["coverage"] if c["exhibit"] == "zz copy.mp4"]
    assert copy["stream"] is None
    assert [(p["kind"], p["reason"]) for p in copy["problems"]] == [
        ("duplicate", "the same content as cam1/a.mp4, which is scanned in its place")
    ]
    assert [(e["name"], e["original"]) for e in entries(tmp_path / "case", "exhibit-duplicate")] == [
        ("zz copy.mp4", "cam1/a.mp4")
    ]
    again = run([films], tmp_path / "case")
    assert (again.exhibits, again.skipped, again.duplicates, again.events) == (2, 2, 1, 0)
    assert look_up(tmp_path / "case") == found


def test_evidence_that_was_moved_is_not_scanned_again(films: Path, tmp_path: Path) -> None:
    """Finished work is not repeated, wherever the drive is mounted next time."""
    run([films], tmp_path / "case")
    shutil.copytree(films, tmp_path / "elsewhere")
    detector = RedDetector()
    summary = run([tmp_path / "elsewhere"], tmp_path / "case", detector)
    assert (summary.exhibits, summary.duplicates, detector.pictures) == (0, 3, 0)


def test_the_copy_of_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4"):
        (folder / name).write_bytes(b"\0" * 5000)
    summary = run([folder], tmp_path / "case")
    assert summary.duplicates == 1
    (copy,) = [c for c in look_up(tmp_path / "case")["coverage"] if c["exhibit"] == "b.mp4"]
    assert "the same content as a.mp4" in copy["problems"][0]["reason"]
    assert "not fully read: the file begins with zeros only" in copy["problems"][0]["reason"]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_copy_of_a_file_that_vanished_is_scanned_in_its_place(films: Path, tmp_path: Path, workers: int) -> None:
    """A drive that is pulled must not take the copies on another with it."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        shutil.copy(films / "cam1" / "a.mp4", folder / name)

    class Thief:
        def __getattr__(self, name: str) -> Any:
            return lambda *_: None

        def exhibit(self, name: str, size: int) -> None:
            if name == "a.mp4":
                (folder / name).unlink()

    summary = ScanSummary()
    with pytest.raises(IntegrityError, match=r"a\.mp4: cannot be opened"):
        run_with_workers([folder], tmp_path / "case", RedDetector(), workers, observer=Thief(), summary=summary)
    assert (summary.exhibits, summary.duplicates, len(summary.problems)) == (1, 1, 1)
    found = look_up(tmp_path / "case")
    assert [e["exhibit"] for e in found["events"]] == ["b.mp4"]
    kinds = {c["exhibit"]: [p["kind"] for p in c["problems"]] for c in found["coverage"]}
    assert (kinds["b.mp4"], kinds["c.mp4"]) == ([], ["duplicate"])
    assert [fault.what for fault in verify(tmp_path / "case").faults] == ["a.mp4"]


# ---- the seizure record (rule A2)


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_a_drive_that_is_as_listed_is_scanned(films: Path, tmp_path: Path, algorithm: str) -> None:
    """Rule A2."""
    names = ("cam1/a.mp4", "cam2/a.mp4", "zz copy.mp4")
    listed = tmp_path / "list"
    listed.write_text("# NMC/1\n" + "".join(f"{digest(films / n, algorithm)}  ./{n}\n" for n in names))
    summary = run([films], tmp_path / "case", hash_list=read_hash_list(listed))
    assert summary.problems == []
    begun = entries(tmp_path / "case", "exhibit-begins")
    assert [e[algorithm] for e in begun] == [digest(films / n, algorithm) for n in names[:2]], "it is in the record"
    (begin,) = entries(tmp_path / "case", "scan-begins")
    assert begin["hash_list_sha256"] == digest(listed, "sha256")


def test_what_differs_from_the_list_or_is_missing_is_said(films: Path, tmp_path: Path, cli: Cli) -> None:
    """Rule A2."""
    listed = tmp_path / "list"
    wrong = "0" * 64
    listed.write_text(
        f"{digest(films / 'cam1' / 'a.mp4', 'sha256')} *cam1/a.mp4\n"
        f"{wrong}  /mnt/seized/cam2/a.mp4\n"
        f"{wrong}  cam3/gone.mp4\n"
    )
    result = ScanSummary()
    with pytest.raises(IntegrityError, match=r"cam2/a\.mp4: not what the seizure record says: sha256 is [0-9a-f]{64}"):
        run([films], tmp_path / "case", hash_list=read_hash_list(listed), summary=result)
    said = {Path(p["path"]).name if "/" not in p["path"] else p["path"]: p["reason"] for p in result.problems}
    assert said["cam3/gone.mp4"].startswith("listed in ")
    assert said[str(films / "zz copy.mp4")].startswith("not in the list of hashes")
    assert len(look_up(tmp_path / "case")["events"]) == 2, "it is scanned all the same"
    assert [e["path"] for e in entries(tmp_path / "case", "exhibit-not-as-listed")] == [str(films / "cam2" / "a.mp4")]


def test_forms_of_lists(tmp_path: Path) -> None:
    odd = os.fsdecode(b"cam\xff [1]\n.mp4")
    (tmp_path / odd).write_bytes(b"x")
    for command in (["sha256sum"], ["sha1sum", "--tag"], ["md5sum", "--binary"]):
        made = subprocess.run([*command, odd], cwd=tmp_path, capture_output=True, check=True).stdout
        (tmp_path / "list").write_bytes(made)
        listed = read_hash_list(tmp_path / "list")
        (algorithm,) = listed.algorithms
        from vidreview.model import Digest

        right, wrong = Digest(algorithm, digest(tmp_path / odd, algorithm)), Digest(algorithm, "0" * 32)
        assert listed.fault(odd, tmp_path / odd, [right]) is None, command
        assert listed.missing() == []
        assert "not what the seizure record says" in str(listed.fault(odd, tmp_path / odd, [wrong]))
        with pytest.raises(KeyError):
            listed.fault("another.mp4", tmp_path / "another.mp4", [right])
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):  # as Windows writes them
        (tmp_path / "list").write_text("e" * 64 + "  C:\\DVR\\cam1\\a.mp4\r\n", encoding=encoding)
        listed = read_hash_list(tmp_path / "list")
        assert listed.fault("cam1/a.mp4", Path("/mnt/DVR/cam1/a.mp4"), [Digest("sha256", "e" * 64)]) is None, encoding


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "without a single hash"),
        (b"abc  a.mp4\n", "line 1: not a hash and a name"),
        (b"0" * 64 + b"  a\n\n" + b"0" * 63 + b"  b\n", "line 3: not a hash and a name"),
        (b"SHA256 (a) = " + b"0" * 40, "line 1: not a hash and a name"),
    ],
)
def test_a_list_that_is_not_understood_checks_nothing(
    films: Path, tmp_path: Path, cli: Cli, content: bytes, said: str
) -> None:
    (tmp_path / "list").write_bytes(content)
    result = cli("scan", films, "--case", tmp_path / "case", "--hash-list", tmp_path / "list")
    assert result.status == 2
    assert said in result.err
    assert not (tmp_path / "case").exists()
    with pytest.raises(UsageError, match="cannot read the list"):
        read_hash_list(tmp_path / "nowhere")


# ---- disk images


def test_files_in_disk_images_are_exhibits(films: Path, tmp_path: Path, cli: Cli) -> None:
    """An image, a file on it that is also beside it, a clip, a still and a check: all by the same kind of path."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    image = disks.fat(evidence / "card.dd", films, 8)
    shutil.copy(films / "cam1" / "a.mp4", evidence / "z.mp4")
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in evidence.iterdir()}
    summary = run([evidence], tmp_path / "case")
    assert (summary.exhibits, summary.duplicates, summary.problems) == (2, 2, [])
    found = look_up(tmp_path / "case")
    assert [e["exhibit"] for e in found["events"]] == ["z.mp4", "card.dd/cam2/a.mp4"]
    kinds = {c["exhibit"]: [p["kind"] for p in c["problems"]] for c in found["coverage"]}
    assert kinds["card.dd"] == ["image"]
    assert kinds["card.dd/cam1/a.mp4"] == kinds["card.dd/zz copy.mp4"] == ["duplicate"]
    assert [e["sha256"] for e in entries(tmp_path / "case", "exhibit-image")] == [digest(image, "sha256")]
    for command in ("clip", "still"):
        assert cli(command, "--all", "--case", tmp_path / "case").status == 0
    result = cli("verify", "--case", tmp_path / "case")
    assert result.status == 0, result.out
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in evidence.iterdir()} == before
    again = run([evidence], tmp_path / "case")
    assert (again.skipped, again.events) == (2, 0)
    with image.open("r+b") as file:
        file.seek(200_000)
        file.write(b"tampered")
    result = cli("verify", "--case", tmp_path / "case")
    assert result.status == 4
    assert "card.dd: " in result.out + result.err


def test_an_image_that_is_not_what_was_acquired_is_said(films: Path, tmp_path: Path) -> None:
    """Exit status 4: where an E01 is damaged its reader gives zeros, and no other hash would tell."""
    evidence = tmp_path / "evidence"
    evidence.mkdir()
    first = disks.ewf(evidence / "i.E01", disks.ext(tmp_path / "raw", films), 1 << 20)
    data = bytearray(first.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 100] = bytes(100)
    first.write_bytes(data)
    with pytest.raises(IntegrityError, match=r"i\.E01: the image says that its content had MD5 .*: damaged"):
        run([evidence], tmp_path / "case")


def test_a_reader_of_images_that_dies_costs_one_file_at_most(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules A10 and A11: one that something killed is asked again, one that dies each time is given up."""
    image = disks.fat(tmp_path / "card.dd", films, 8)
    found = Found(image / "cam1" / "a.mp4", "a")
    apart = Apart(lambda: True)
    try:
        known = apart.identify(found, frozenset({"md5"}))
        assert known.digest.value == digest(films / "cam1" / "a.mp4", "sha256")
        assert [d.value for d in known.others] == [digest(films / "cam1" / "a.mp4", "md5")]
        assert apart._process is not None
        apart._process.kill()
        apart._process.wait()
        assert apart.identify(found, frozenset()).digest == known.digest
        with pytest.raises(EvidenceError, match=r"gone\.mp4"):
            apart.identify(Found(image / "gone.mp4", "gone"), frozenset())
        apart.close()
        mortal = tmp_path / "python"
        mortal.write_text("#!/bin/sh\nkill -SEGV $$\n")
        mortal.chmod(0o755)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(mortal))
            with pytest.raises(EvidenceError, match="the reader of its disk image crashed, 3 times"):
                apart.identify(found, frozenset())
        assert apart.identify(found, frozenset()).digest == known.digest
    finally:
        apart.close()


@pytest.mark.parametrize("kind", ["vfat", "ntfs", "exfat", "ext4"])
def test_the_video_in_debians_samples_is_found_and_scanned(kind: str, tmp_path: Path) -> None:
    packed = SAMPLES / f"fs.{kind}.xz"
    if not packed.exists():
        pytest.skip(f"forensics-samples-{kind} is not installed")
    image = tmp_path / "films" / f"{kind}.dd"
    image.parent.mkdir()
    with lzma.open(packed) as source, image.open("wb") as target:
        shutil.copyfileobj(source, target)
    summary = run([image], tmp_path / "case")
    assert summary.exhibits == 1
    (video,) = [c for c in look_up(tmp_path / "case")["coverage"] if c["stream"] is not None]
    assert video["exhibit"] == f"{kind}.dd/p1/movie1/VID_20191220_170832.mp4"
    assert (video["frames_presented"], video["states"]["undecodable_s"]) == (41, 0.0)
    assert len(look_up(tmp_path / "case")["coverage"]) == 19, "the image and its 18 files, each accounted for"


# ---- whatever else a drive holds


def test_files_are_known_by_their_content(films: Path, tmp_path: Path) -> None:
    """Rule C1: a film that is called a text is scanned, a text that is called a film is listed."""
    folder = tmp_path / "drive"
    folder.mkdir()
    shutil.copy(films / "cam1" / "a.mp4", folder / "notes.txt")
    shutil.copy(films / "cam2" / "a.mp4", folder / "without extension")
    (folder / "film.mp4").write_text("a note\n" * 50)
    summary = run([folder], tmp_path / "case")
    assert [Path(p["path"]).name for p in summary.problems] == ["film.mp4"]
    assert {e["exhibit"] for e in look_up(tmp_path / "case")["events"]} == {"notes.txt", "without extension"}


def test_what_the_exhibit_is_for_goes_into_every_output(films: Path, tmp_path: Path, cli: Cli) -> None:
    """Rule A4: events, clips, stills, their manifests, the log."""
    facts = {"reference": "NMC/1", "operator": "A. Examiner", "organisation": "NMC", "reason": "R v Doe"}
    case = tmp_path / "case"
    run([films / "cam1"], case, record=facts)
    assert [e["reference"] for e in json.loads(cli("events", "--json", "--case", case).out)] == ["NMC/1"]
    (begin,) = entries(case, "scan-begins")
    assert {name: begin[name] for name in facts} == facts
    for command, manifest in (("clip", "clips/E0001_copy.json"), ("still", "stills/E0001.json")):
        assert cli(command, "E0001", "--case", case).status == 0
        stored = json.loads((case / manifest).read_bytes())
        assert {name: stored[name] for name in facts} == facts, command


def test_odd_names_links_and_what_may_not_be_read(films: Path, tmp_path: Path, cli: Cli) -> None:
    folder = tmp_path / "drive"
    folder.mkdir()
    names = ["[1] (2) *?.mp4", " leading and trailing .mp4 ", "new\nline.mp4", os.fsdecode(b"caf\xe9.mp4"), "-rf.mp4"]
    for k, name in enumerate(names):
        (folder / name).write_bytes((films / "cam1" / "a.mp4").read_bytes() + bytes([k]))
    (folder / "out").symlink_to(films)
    (folder / "round").symlink_to(folder)
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    os.mkfifo(folder / "pipe")
    summary = run([folder], tmp_path / "case")
    assert summary.exhibits == len(names)
    found = look_up(tmp_path / "case")
    assert sorted(e["exhibit"] for e in found["events"]) == sorted(names)
    listed = {c["exhibit"]: c["problems"][0]["reason"] for c in found["coverage"] if c["stream"] is None}
    assert set(listed) == {"out", "round", "gone", "pipe"}
    assert listed["out"] == "symbolic link, not followed"
    for name in names:
        result = cli("events", f"--exhibit={name}", "--case", tmp_path / "case", "--json")
        assert [e["exhibit"] for e in json.loads(result.out)] == [name], result.err
    assert cli("verify", "--case", tmp_path / "case").status == 0


def test_a_drive_of_many_files_is_listed_in_seconds(tmp_path: Path) -> None:
    """Two thousand notes in folders: none is lost, and the log does not wait for the disk for each."""
    folder = tmp_path / "drive"
    for k in range(20):
        (folder / f"{k}").mkdir(parents=True)
        for n in range(100):
            (folder / f"{k}" / f"{n}.txt").write_text(f"note {k} {n}\n" * 3)
    began = time.monotonic()
    summary = run([folder], tmp_path / "case")
    took = time.monotonic() - began
    assert len(summary.problems) == 2000
    assert len(entries(tmp_path / "case", "exhibit-unreadable")) == 2000
    assert took < 60


def test_the_index_of_a_drive_does_not_depend_on_workers(films: Path, tmp_path: Path) -> None:
    """Rule A7: with copies and an image in it."""
    evidence = tmp_path / "evidence"
    shutil.copytree(films, evidence)
    disks.ext(evidence / "b.dd", films)
    run([evidence], tmp_path / "here")
    run_with_workers([evidence], tmp_path / "workers", RedDetector(), 3)
    assert export(tmp_path / "workers") == export(tmp_path / "here")


# ---- nothing is touched but the case (rules A1, A8)


@pytest.mark.model
def test_a_scan_writes_to_its_case_alone_and_opens_no_socket(films: Path, tmp_path: Path, model_path: Path) -> None:
    """Rules A1 and A8, as the operating system sees it."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    case, trace = tmp_path / "case", tmp_path / "trace"
    films.chmod(0o555)
    program = "from vidreview.cli import main; main()"
    scanning: list[str | Path] = [sys.executable, "-c", program, "scan", films, "--case", case, "--workers", "2"]
    scanning += ["--model", model_path]
    watched = "trace=%file,%network"
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", trace, "-e", watched, *scanning],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        films.chmod(0o755)
    assert done.returncode == 0, done.stderr
    calls = trace.read_text(errors="replace").splitlines()
    assert len(calls) > 1000, "the trace is one"
    sockets = [call for call in calls if re.search(r"\b(socket|connect|bind|sendto)\(", call)]
    assert [call for call in sockets if "AF_INET" in call or "AF_NETLINK" in call] == []
    opened = re.compile(r"(?:open|openat|creat)\((?:AT_FDCWD, |\d+, )?\"([^\"]*)\", ([A-Z_|]+)")
    changed = re.compile(
        r"\b(?:mkdir|mkdirat|unlink|unlinkat|rename|renameat2?|rmdir|symlink|link|chmod|fchmodat|utimensat|truncate)"
        r"\((?:AT_FDCWD, )?\"([^\"]*)\""
    )
    opens = [match for call in calls if (match := opened.search(call))]
    # numba tries with a file without a name whether its cache in the program's own folder could be written
    opens = [match for match in opens if not ("O_TMPFILE" in match.group(2) and match.group(1).startswith(str(ROOT)))]
    written = {match.group(1) for match in opens if re.search(r"O_WRONLY|O_RDWR|O_CREAT", match.group(2))}
    written |= {m.group(1) for call in calls if " = 0" in call and (m := changed.search(call))}
    outside = {path for path in written if not path.startswith((str(case), "/dev/", "/proc/"))}
    assert outside == set()
    assert str(case / "audit.jsonl") in written, "what is written would be seen"
