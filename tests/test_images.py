"""Disk images: recognised by content, read without mounting, their files as good as files outside, never written to."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import shutil
import socket
import struct
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests import disk_images as disks
from tests.conftest import Result
from tests.media_samples import make
from vidreview.clips.record import Parent, check_parent
from vidreview.clips.record import hash_file as sha256
from vidreview.derive import Batch
from vidreview.errors import EvidenceError, IntegrityError
from vidreview.evidence import (
    Found,
    Unreadable,
    check_acquired,
    check_unchanged,
    discover,
    identify,
    image_files,
    inside,
    is_evidence_candidate,
    unchanged,
)
from vidreview.images.recognise import recognise, recognise_file, segment_files
from vidreview.images.walk import walk
from vidreview.media.source import Source
from vidreview.reading import evidence_size, open_evidence

SAMPLES = Path("/usr/share/forensics-samples")
Make = Callable[[Path, Path], Path]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small camera's card: a video, a second one beside it, a text."""
    folder = tmp_path_factory.mktemp("tree")
    (folder / "DCIM" / "100").mkdir(parents=True)
    make(folder / "DCIM" / "100" / "a video.mp4", frames=60, size=(320, 240))
    make(folder / "DCIM" / "b.avi", frames=30)
    (folder / "notes.txt").write_text("left at 10:15\n" * 700)
    for path in (folder / "notes.txt", folder / "DCIM" / "b.avi", folder / "DCIM" / "100" / "a video.mp4"):
        # 2024-05-06 07:08:10 UTC, an even second as FAT keeps it
        os.utime(path, (1714979290, 1714979290))
    return folder


def ntfs_of(path: Path, tree: Path) -> Path:
    """NTFS has no tool to make folders without mounting: the files in its root."""
    return disks.ntfs(path, {p.name: p for p in sorted(tree.rglob("*")) if p.is_file()})


FILE_SYSTEMS: dict[str, Make] = {
    "fat12": lambda path, tree: disks.fat(path, tree, 1.4, 12),
    "fat16": disks.fat,
    "fat32": lambda path, tree: disks.fat(path, tree, 40, 32),
    "exfat": disks.exfat,
    "ntfs": ntfs_of,
    "ext2": lambda path, tree: disks.ext(path, tree, kind="ext2"),
    "ext3": lambda path, tree: disks.ext(path, tree, kind="ext3"),
    "ext4": disks.ext,
}


def listed(path: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """What an image holds: inner path to path, and inner path to reason."""
    files: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    for item in inside(Found(path, "I", image=True)):
        inner = item.name.removeprefix("I").removeprefix("/")
        if isinstance(item, Found):
            files[inner] = item.path
        else:
            reasons[inner] = item.reason
    return files, reasons


def pictures(path: Path) -> list[tuple[int | None, str]]:
    """Timestamp and hash of each decoded picture."""
    with Source(path) as source:
        stream = source.video_streams()[0]
        return [(f.pts, hashlib.sha256(f.to_ndarray().tobytes()).hexdigest()) for f in source.container.decode(stream)]


@pytest.mark.parametrize("kind", FILE_SYSTEMS)
def test_files_of_each_file_system_are_those_outside(kind: str, tree: Path, tmp_path: Path) -> None:
    image = FILE_SYSTEMS[kind](tmp_path / "evidence", tree)
    outside = {p.name if kind == "ntfs" else p.relative_to(tree).as_posix(): p for p in tree.rglob("*") if p.is_file()}
    (found,) = discover([image])
    assert found == Found(image, "evidence", image=True)
    files, reasons = listed(image)
    assert (list(files), reasons) == (sorted(outside), {})
    for inner, path in files.items():
        exhibit = identify(Found(path, inner))
        assert exhibit.digest.value == sha256(outside[inner])
        assert exhibit.size == outside[inner].stat().st_size
        assert unchanged(exhibit)
        if kind != "ntfs":  # its tool does not carry the time over
            assert exhibit.mtime_ns == 1714979290 * 10**9
    assert is_evidence_candidate(image)[0] is False
    assert is_evidence_candidate(files["notes.txt"]) == (False, "plain text, not a video")


@pytest.mark.parametrize("kind", ["fat16", "exfat", "ntfs", "ext4"])
def test_a_video_inside_decodes_like_the_same_file_outside(kind: str, tree: Path, tmp_path: Path) -> None:
    image = FILE_SYSTEMS[kind](tmp_path / "evidence", tree)
    files, _ = listed(image)
    for name in ("DCIM/100/a video.mp4", "DCIM/b.avi"):
        inner = files[Path(name).name if kind == "ntfs" else name]
        found = pictures(inner)
        assert len(found) >= 30
        assert found == pictures(tree / name)


def test_video_in_a_program_inside_an_image(tree: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    video = (tree / "DCIM" / "b.avi").read_bytes()
    (card / "player.exe").write_bytes(b"MZ" + os.urandom(5 << 20) + video)
    inner = listed(disks.ext(tmp_path / "i", card, 16))[0]["player.exe"]
    assert is_evidence_candidate(inner)[0]
    assert pictures(inner) == pictures(card / "player.exe") == pictures(tree / "DCIM" / "b.avi")
    with Source(inner) as source:
        assert source.offset == (5 << 20) + 2
        assert [problem.kind for problem in source.problems] == ["wrapped"]


@pytest.mark.parametrize("kind", ["vfat", "ntfs", "exfat", "ext4"])
def test_debians_samples(kind: str, tmp_path: Path) -> None:
    packed = SAMPLES / f"fs.{kind}.xz"
    if not packed.exists():
        pytest.skip(f"forensics-samples-{kind} is not installed")
    image = tmp_path / "disk"
    with lzma.open(packed) as source, image.open("wb") as target:
        shutil.copyfileobj(source, target)
    files, reasons = listed(image)
    assert reasons == {}
    assert len(files) == 18
    video = files["p1/movie1/VID_20191220_170832.mp4"]
    assert sha256(video).startswith("9b0710a43641")
    assert len(pictures(video)) == 41
    outside = SAMPLES / "original-files" / "movie1" / video.name
    if outside.exists():
        assert pictures(video) == pictures(outside)
    # what is deleted in it is not given back
    assert not any("movie2" in name for name in files)


def test_partitions_are_counted_in_the_order_of_the_table(tree: Path, tmp_path: Path) -> None:
    first = disks.fat(tmp_path / "fat", tree).read_bytes()
    other = shutil.copytree(tree, tmp_path / "other")
    (other / "notes.txt").write_text("none")
    second = disks.ext(tmp_path / "ext", other).read_bytes()
    image = disks.mbr(tmp_path / "disk", [(10, 0x0C, first), (1, 0x83, second), (20, 0x83, bytes(disks.MIB))])
    files, reasons = listed(image)
    assert list(files) == [
        f"p{p}/{name}" for p in (1, 2) for name in ("DCIM/100/a video.mp4", "DCIM/b.avi", "notes.txt")
    ]
    assert list(reasons) == ["p3"]
    assert reasons["p3"].startswith("no file system that is read here")
    # the first of the table is the second on the disk
    sizes = [identify(Found(files[f"p{p}/notes.txt"], "")).size for p in (1, 2)]
    assert sizes == [len("left at 10:15\n") * 700, 4]
    with pytest.raises(EvidenceError, match="has no partition p9"):
        open_evidence(image / "p9" / "a")
    with pytest.raises(EvidenceError, match="no such file in the disk image"):
        open_evidence(image / "p1" / "DCIM")


@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_tables_made_by_a_partitioning_tool(label: str, tree: Path, tmp_path: Path) -> None:
    image = disks.blank(tmp_path / "disk", 40)
    kinds = ["size=10M", "size=10M", "size=8M"] if label == "gpt" else ["size=10M", "type=5", "size=10M", "size=8M"]
    disks.run("sfdisk", "-q", image, stdin=f"label: {label}\n" + "\n".join(kinds) + "\n")
    starts = {"gpt": (1, 11, 21), "dos": (1, 12, 23)}[label]
    with image.open("r+b") as file:
        for start, kind in zip(starts, ("fat16", "ext4", "exfat"), strict=True):
            file.seek(start * disks.MIB)
            file.write(FILE_SYSTEMS[kind](tmp_path / kind, tree).read_bytes())
    files, reasons = listed(image)
    assert reasons == {}
    assert [name for name in files if name.endswith("notes.txt")] == [f"p{n}/notes.txt" for n in (1, 2, 3)]
    assert {sha256(path) for name, path in files.items() if name.endswith("b.avi")} == {sha256(tree / "DCIM/b.avi")}


def test_exfat_folder_of_several_clusters(tmp_path: Path) -> None:
    card = tmp_path / "card"
    (card / "many").mkdir(parents=True)
    for number in range(200):
        (card / "many" / f"clip {number:03d}.bin").write_bytes(bytes([number]) * number)
    files, reasons = listed(disks.exfat(tmp_path / "i", card))
    assert reasons == {}
    assert {n: sha256(p) for n, p in files.items()} == {
        f"many/clip {n:03d}.bin": hashlib.sha256(bytes([n]) * n).hexdigest() for n in range(200)
    }


def test_segments_of_an_e01_belong_to_the_first(tree: Path, tmp_path: Path) -> None:
    raw = disks.ext(tmp_path / "raw.img", tree)
    noise = os.urandom(3 << 20)
    with raw.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(noise)
    folder = tmp_path / "evidence"
    folder.mkdir()
    first = disks.ewf(folder / "NMC.E01", raw, 1 << 20)
    segments = sorted(folder.glob("NMC.E*"))
    assert len(segments) >= 3
    found = list(discover([folder]))
    assert found == [Found(first, "NMC.E01", image=True)]
    assert isinstance(found[0], Found)
    assert list(image_files(found[0])) == segments
    files, reasons = listed(first)
    assert reasons == {}
    assert {n: sha256(p) for n, p in files.items()} == {n: sha256(p) for n, p in listed(raw)[0].items()}
    assert pictures(files["DCIM/b.avi"]) == pictures(tree / "DCIM/b.avi")

    segments[1].rename(tmp_path / "gone")
    found = list(discover([folder]))
    assert found[0] == Found(first, "NMC.E01", image=True)
    assert [item.reason for item in found[1:] if isinstance(item, Unreadable)] == [
        f"segment {n} of the disk image NMC.E01; segment 2 is missing" for n in range(3, len(segments) + 1)
    ]
    files, reasons = listed(first)
    assert files == {}
    assert "not its last segment" in reasons[""]
    first.unlink()
    reason = next(item.reason for item in discover([folder]) if isinstance(item, Unreadable))
    assert reason == "segment 3 of a disk image; its first segment, NMC.E01, is missing"


def test_parts_of_a_raw_image_belong_together(tree: Path, tmp_path: Path) -> None:
    raw = disks.fat(tmp_path / "raw.img", tree).read_bytes()
    folder = tmp_path / "evidence"
    folder.mkdir()
    cuts = [0, 200_000, 200_001, 1 << 20, len(raw)]
    for number in range(4):
        (folder / f"disk.{number + 1:03d}").write_bytes(raw[cuts[number] : cuts[number + 1]])
    # a video in parts is no disk image
    (folder / "video.001").write_bytes((tree / "DCIM/b.avi").read_bytes())
    (folder / "video.002").write_bytes(b"rest")
    found = list(discover([folder]))
    assert [(item.name, isinstance(item, Found) and item.image) for item in found] == [
        ("disk.001", True),
        ("video.001", False),
        ("video.002", False),
    ]
    assert [path.name for path in segment_files(folder / "disk.001")] == [f"disk.00{n}" for n in (1, 2, 3, 4)]
    files, _ = listed(folder / "disk.001")
    assert sha256(files["DCIM/100/a video.mp4"]) == sha256(tree / "DCIM/100/a video.mp4")
    (folder / "disk.003").unlink()
    last = list(discover([folder]))[1]
    assert isinstance(last, Unreadable)
    assert last.reason == "segment 4 of the disk image disk.001; segment 3 is missing"
    files, reasons = listed(folder / "disk.001")
    assert "before the file system does" in reasons[""]


@pytest.mark.parametrize(
    ("mark", "at", "name"), [(b"\xeb\x58\x90-FVE-FS-", 0, "BitLocker"), (b"LUKS\xba\xbe\0\1", 0, "LUKS")]
)
def test_encrypted_volumes_are_named(mark: bytes, at: int, name: str, tmp_path: Path) -> None:
    volume = bytearray(4096 * 4)
    volume[at : at + len(mark)] = mark
    volume[510:512] = b"\x55\xaa"
    image = disks.mbr(tmp_path / "disk", [(1, 7, bytes(volume))])
    assert listed(image)[0] == {}
    assert listed(image)[1]["p1"].startswith(f"encrypted with {name}")
    (tmp_path / "bare").write_bytes(volume)
    assert listed(tmp_path / "bare")[1][""].startswith(f"encrypted with {name}")


def test_streams_of_ntfs_are_exhibits_and_its_tables_are_not(tree: Path, tmp_path: Path) -> None:
    video = tree / "DCIM" / "b.avi"
    image = disks.ntfs(tmp_path / "i", {"a.txt": tree / "notes.txt", "a.txt:hidden.avi": video, "a.txt:more": video})
    files, reasons = listed(image)
    assert list(files) == ["a.txt", "a.txt:hidden.avi", "a.txt:more"]
    assert reasons == {}
    assert sha256(files["a.txt"]) == sha256(tree / "notes.txt")
    assert pictures(files["a.txt:hidden.avi"]) == pictures(video)


def test_odd_names_and_what_is_no_file(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    raw_names = [b"caf\xe9.bin", b"new\nline", b"a^b", "日本 ü".encode(), b"esc\x1b[31m", b"back\\slash", b"a:b", b" "]
    for name in raw_names:
        Path(os.fsdecode(bytes(card) + b"/" + name)).write_bytes(name)
    (card / "up").symlink_to("../..")
    os.mkfifo(card / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(card)
        try:
            server.bind("s")
        finally:
            os.chdir(here)
    files, reasons = listed(disks.ext(tmp_path / "i", card))
    assert {os.fsencode(name) for name in files} == set(raw_names)
    assert {os.fsencode(n): sha256(p) for n, p in files.items()} == {
        n: hashlib.sha256(n).hexdigest() for n in raw_names
    }
    assert reasons == {
        "pipe": "pipe, not opened",
        "s": "socket, not opened",
        "up": "symbolic link, not followed",
    }


def test_long_names_and_deep_folders(tmp_path: Path) -> None:
    card = tmp_path / "card"
    deep = card.joinpath(*["f" * 200] * 17)
    deep.mkdir(parents=True)
    (deep / ("x" * 250)).write_bytes(b"deep")
    folder = tmp_path.joinpath("i" * 200, "j" * 200)
    folder.mkdir(parents=True)
    image = disks.ext(folder / ("k" * 200), card)
    ((inner, path),) = listed(image)[0].items()
    # more than the system allows for a path of its own
    assert len(str(path)) > 4096
    assert sha256(path) == hashlib.sha256(b"deep").hexdigest()
    assert evidence_size(path) == 4
    assert evidence_size(image / inner[:-1]) is None
    assert evidence_size(folder / "nowhere") is None


def test_times_of_fat_do_not_depend_on_this_machines_zone(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = {kind: FILE_SYSTEMS[kind](tmp_path / kind, tree) for kind in ("fat16", "exfat", "ext4")}
    try:
        for number, zone in enumerate(("UTC", "America/New_York", "Asia/Kolkata")):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            for kind, image in images.items():
                # an image that was open before would keep what it had read
                os.utime(image, (number, number))
                with open_evidence(image / "notes.txt") as file:
                    assert (kind, zone, file.mtime_ns) == (kind, zone, 1714979290 * 10**9)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_cut_image_gives_what_is_left(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    for number in range(12):
        (card / f"{number:02d}.bin").write_bytes(bytes([number + 1]) * 300_000)
    image = disks.fat(tmp_path / "i", card)
    with image.open("r+b") as file:
        file.truncate(2_000_000)
    files, reasons = listed(image)
    assert reasons.pop("").startswith(f"the image ends {8 * disks.MIB - 2_000_000} bytes before the file system does")
    assert sorted([*files, *reasons]) == [f"{n:02d}.bin" for n in range(12)]
    assert 4 <= len(files) <= 7
    assert all(reason.startswith("cannot be read in full: ") for reason in reasons.values())
    for name, path in files.items():
        assert sha256(path) == hashlib.sha256(bytes([int(name[:2]) + 1]) * 300_000).hexdigest()
    with pytest.raises(EvidenceError, match=r"11\.bin: cannot be read"):
        identify(Found(image / "11.bin", "11.bin"))


def test_a_wiped_table_is_told(tree: Path, tmp_path: Path) -> None:
    volume = disks.fat(tmp_path / "fat", tree).read_bytes()
    image = disks.mbr(tmp_path / "disk", [(1, 0x0C, volume)])
    with image.open("r+b") as file:
        file.write(bytes(512))
    assert recognise_file(image) is None
    e01 = disks.ewf(tmp_path / "disk.E01", image)
    files, reasons = listed(e01)
    assert files == {}
    assert reasons == {"": "no file system and no partition table that is known; encrypted, damaged or wiped?"}


def test_damage_inside_an_e01(tmp_path: Path, cli: Callable[..., Result]) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "noise.bin").write_bytes(os.urandom(3 << 20))
    first = disks.ewf(tmp_path / "i.E01", disks.ext(tmp_path / "raw", card))
    found = Found(first, "i.E01", image=True)
    good = sha256(first / "noise.bin")
    assert good == sha256(card / "noise.bin")
    told: list[int] = []
    assert check_acquired(found, told.append) == ""
    assert sum(told) == 8 * disks.MIB
    data = bytearray(first.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 100] = bytes(100)
    first.write_bytes(data)
    # libewf gives zeros for a block whose checksum is wrong and says nothing
    assert sha256(first / "noise.bin") != good
    reason = check_acquired(found)
    assert re.fullmatch(r"the image says .* had MD5 [0-9a-f]{32} when .*, but it has [0-9a-f]{32}: damaged", reason)
    rows = json.loads(cli("probe", "--json", "--hash", first).out)
    assert rows[0]["error"] == reason
    first.write_bytes(data[: len(data) // 3])
    assert "is cut off" in listed(first)[1][""]


def _entry(data: bytearray, name: bytes) -> int:
    """Where a FAT folder keeps the entry with this short name."""
    return data.index(name.ljust(11))


def test_folders_in_a_loop_end(tree: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    (card / "A" / "B").mkdir(parents=True)
    (card / "A" / "X.TXT").write_bytes(b"x")
    image = disks.fat(tmp_path / "i", card)
    data = bytearray(image.read_bytes())
    cluster = struct.unpack_from("<H", data, _entry(data, b"A") + 26)[0]
    struct.pack_into("<H", data, _entry(data, b"B") + 26, cluster)
    image.write_bytes(data)
    files, reasons = listed(image)
    assert list(files) == ["A/B/X.TXT", "A/X.TXT"]
    assert reasons == {"A/B/B": "folder met before under another name: the folders form a loop; not entered again"}


def test_clusters_in_a_loop_end(tree: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "X.BIN").write_bytes(bytes(200_000))
    (card / "Y.BIN").write_bytes(b"y")
    image = disks.fat(tmp_path / "i", card)
    data = bytearray(image.read_bytes())
    (reserved,) = struct.unpack_from("<H", data, 14)
    (first,) = struct.unpack_from("<H", data, _entry(data, b"X       BIN") + 26)
    struct.pack_into("<H", data, reserved * 512 + (first + 3) * 2, first)
    image.write_bytes(data)
    files, reasons = listed(image)
    assert "Y.BIN" in files
    assert reasons["X.BIN"].startswith("cannot be read in full")


def test_names_that_are_no_names_of_one_file_are_told(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    for name in ("X.BIN", "Y.BIN"):
        (card / name).write_bytes(name.encode())
    image = disks.fat(tmp_path / "fat", card)
    data = bytearray(image.read_bytes())
    at = _entry(data, b"Y       BIN")
    data[at] = ord("X")
    image.write_bytes(data)
    files, reasons = listed(image)
    assert {name: sha256(path) for name, path in files.items()} == {"X.BIN": hashlib.sha256(b"X.BIN").hexdigest()}
    assert [re.sub(r"\d+", "N", name) for name in reasons] == ["X.BIN (record N)"]

    (card / "Y.BIN").rename(card / "up_x")
    image = disks.ext(tmp_path / "ext", card, kind="ext2")
    image.write_bytes(image.read_bytes().replace(b"up_x", b"../x"))
    files, reasons = listed(image)
    assert list(files) == ["X.BIN"]
    assert [re.sub(r"\d+", "N", name) for name in reasons] == ["..?x (record N)"]
    assert set(reasons.values()) == {"not readable by name: another entry has the same name, or the name holds a slash"}


def test_a_size_beyond_the_image_is_refused(tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    with (card / "huge").open("wb") as file:
        file.truncate(1 << 40)
    (card / "small").write_bytes(b"s")
    files, reasons = listed(disks.ext(tmp_path / "i", card))
    assert list(files) == ["small"]
    assert reasons["huge"].startswith(f"claims {1 << 40} bytes, more than the whole image")


@pytest.mark.parametrize("kind", ["fat16", "exfat", "ntfs", "ext4"])
def test_random_damage_never_ends_the_batch(kind: str, tree: Path, tmp_path: Path) -> None:
    image = FILE_SYSTEMS[kind](tmp_path / "i", tree)
    good = image.read_bytes()
    used = [at for at in range(0, len(good), 512) if any(good[at : at + 512])]
    told = 0
    for seed in range(6):
        data = bytearray(good)
        for step in range(400):
            # a fixed walk through the used sectors, different for each seed
            value = int.from_bytes(hashlib.sha256(f"{seed} {step}".encode()).digest()[:8], "big")
            data[used[value % len(used)] + value // 7 % 512] = value >> 56
        image.write_bytes(data)
        for inner in walk(image, 60):
            told += 1
            assert "said nothing" not in inner.reason
            if not inner.reason:
                with open_evidence(image / inner.path) as file:
                    assert len(file.pread(64, 0)) == min(64, file.size)
    assert told > 0


def _script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_reader_that_crashes_or_stalls_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = """echo '{"path": "p1/a.mp4", "reason": ""}'"""
    cases = {
        f"{line}; kill -SEGV $$": "not listed in full: the file system crashed its reader after p1/a.mp4; ",
        f"{line}; exec sleep 60": "not listed in full: listing it said nothing for 1 s after p1/a.mp4; ",
        "exit 0": "not listed in full: listing it ended without a result; ",
    }
    for number, (text, reason) in enumerate(cases.items()):
        monkeypatch.setattr(sys, "executable", _script(tmp_path / f"python{number}", text))
        *before, last = walk(tmp_path / "i", 1)
        assert [inner.path for inner in before] == (["p1/a.mp4"] if "echo" in text else [])
        assert (last.path, last.reason.startswith(reason)) == ("", True), last.reason


def test_a_listing_that_something_killed_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule A11: else the files that were not listed would get later numbers in the next run."""
    one, other = (f"""echo '{{"path": "p1/{name}.mp4", "reason": ""}}'""" for name in "ab")
    text = f"""{one}; mkdir {tmp_path}/killed && kill -KILL $$; {other}; echo '{{"done": true}}'"""
    monkeypatch.setattr(sys, "executable", _script(tmp_path / "python", text))
    assert [(inner.path, inner.reason) for inner in walk(tmp_path / "i", 5)] == [("p1/a.mp4", ""), ("p1/b.mp4", "")]
    (tmp_path / "killed").rmdir()
    monkeypatch.setattr(sys, "executable", _script(tmp_path / "python", f"{one}; kill -KILL $$"))
    *before, last = walk(tmp_path / "i", 5)
    assert [inner.path for inner in before] == ["p1/a.mp4"]
    assert last.reason.startswith("not listed in full: the file system crashed its reader after p1/a.mp4; ")


def test_nothing_beside_the_image_is_executed(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule A9: the current folder may be evidence."""
    for name in ("pytsk3.py", "json.py", "vidreview.py", "sitecustomize.py"):
        (tmp_path / name).write_text("from pathlib import Path\nPath('executed').touch()\n")
    image = disks.ext(tmp_path / "i", tree)
    monkeypatch.chdir(tmp_path)
    assert len(list(walk(Path("i")))) == 3
    assert not (tmp_path / "executed").exists()
    assert recognise_file(image) is not None


def test_images_are_never_written_to(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    for kind in ("fat16", "exfat", "ntfs", "ext4"):
        FILE_SYSTEMS[kind](folder / kind, tree)
    disks.ewf(folder / "x.E01", folder / "ext4")
    paths = sorted(folder.iterdir())
    for path in (*paths, folder):
        os.utime(path, ns=(10**18, 10**18))
    before = [(p.name, p.stat(), sha256(p)) for p in paths]
    for item in discover([folder]):
        if isinstance(item, Found) and item.image:
            for inner in inside(item):
                assert isinstance(inner, Found)
                identify(inner)
                if inner.name.endswith("b.avi"):
                    assert len(pictures(inner.path)) == 30
    assert [(p.name, p.stat(), sha256(p)) for p in paths] == before
    assert (sorted(folder.iterdir()), folder.stat().st_mtime_ns) == (paths, 10**18)


def test_an_image_that_changes_is_noticed(tree: Path, tmp_path: Path) -> None:
    image = disks.ext(tmp_path / "i", tree)
    exhibit = identify(Found(image / "notes.txt", "i/notes.txt"))
    check_unchanged(exhibit)
    data = image.read_bytes()
    image.write_bytes(data.replace(b"left at 10:15", b"left at 10:16"))
    with pytest.raises(IntegrityError, match="content changed"):
        check_unchanged(exhibit)
    with open_evidence(image / "notes.txt") as file:
        state = file.state()
        os.utime(image, (1, 1))
        assert file.state() != state


def test_several_threads_read_one_image(tree: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    for number in range(8):
        (card / f"{number}.bin").write_bytes(os.urandom(700_000 + number))
    first = disks.ewf(tmp_path / "i.E01", disks.ext(tmp_path / "raw", card, 16))

    def read(number: int) -> str:
        digest = hashlib.sha256()
        with open_evidence(first / f"{number}.bin") as file:
            opened = file.file()
            while piece := opened.read(30_000):
                digest.update(piece)
        return digest.hexdigest()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(read, [*range(8)] * 3)) == [sha256(card / f"{n}.bin") for n in range(8)] * 3


def test_file_objects_seek_and_end(tree: Path, tmp_path: Path) -> None:
    outside = tree / "notes.txt"
    content = outside.read_bytes()
    for path in (outside, disks.ext(tmp_path / "i", tree) / "notes.txt"):
        with open_evidence(path) as file:
            assert (file.descriptor is None) == (path is not outside)
            assert file.pread(10, len(content) - 4) == content[-4:]
            assert file.pread(10, len(content) + 4) == b""
            with file.file(100) as shown:
                assert shown.read() == content[100:]
                assert shown.seek(-3, os.SEEK_END) == len(content) - 103
                assert shown.read(10) == content[-3:]
                assert shown.seek(0) == 0
                assert shown.read(5) == content[100:105]
        with pytest.raises(ValueError, match="closed"):
            file.pread(1, 0)
    with pytest.raises(EvidenceError, match="not a disk image"):
        open_evidence(outside / "p1" / "x")
    with pytest.raises(EvidenceError, match="No such file"):
        open_evidence(tree / "nothing")


def test_the_parent_of_a_clip_may_lie_in_an_image(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "then").mkdir()
    (tmp_path / "now" / "deeper").mkdir(parents=True)
    image = disks.mbr(tmp_path / "then" / "disk.dd", [(1, 0x83, disks.ext(tmp_path / "x", tree).read_bytes())])
    exhibit = identify(Found(image / "p1" / "DCIM" / "b.avi", "disk.dd/p1/DCIM/b.avi"))
    parent = Parent(exhibit.name, exhibit.path, exhibit.size, exhibit.digest.value)
    check_parent(parent)
    stream = SimpleNamespace(
        exhibit=SimpleNamespace(name=exhibit.name, path=exhibit.path, size=exhibit.size, sha256=exhibit.digest.value)
    )
    for place in ("now/disk.dd", "now/deeper/disk.dd"):
        moved = tmp_path / place
        image.rename(moved)
        image = moved
        batch = Batch(tmp_path / "case", cast("Any", None), tmp_path / "now", print)
        found = batch._find(cast("Any", stream))
        assert found.path == moved / "p1" / "DCIM" / "b.avi"
        check_parent(found)
    with pytest.raises(EvidenceError, match=r"exhibit disk\.dd/p1/DCIM/b\.avi cannot be read"):
        check_parent(parent)


def test_probe_tells_what_an_image_holds(tree: Path, tmp_path: Path, cli: Callable[..., Result]) -> None:
    volume = disks.fat(tmp_path / "fat", tree).read_bytes()
    image = disks.mbr(tmp_path / "disk.dd", [(1, 0x0C, volume), (12, 0x83, bytes(4096))])
    rows = json.loads(cli("probe", "--json", "--hash", image).out)
    assert [row["name"] for row in rows] == [
        "disk.dd",
        "disk.dd/p1/DCIM/100/a video.mp4",
        "disk.dd/p1/DCIM/b.avi",
        "disk.dd/p1/notes.txt",
        "disk.dd/p2",
    ]
    assert rows[0]["segments_sha256"] == [hashlib.sha256(image.read_bytes()).hexdigest()]
    assert rows[1]["sha256"] == sha256(tree / "DCIM/100/a video.mp4")
    assert rows[1]["streams"][0]["packets"] == 60
    assert rows[4]["error"].startswith("no file system that is read here")
    shown = cli("probe", image)
    assert shown.status == 3  # the text and the second partition
    assert "disk image; what it holds follows" in shown.out


def test_ordinary_files_are_no_images(shared: Path, odd_files: Path) -> None:
    files = [path for folder in (shared, odd_files) for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 40
    programs = [Path(sys.executable), *sorted(Path("/usr/bin").glob("*"))[:300]]
    kinds = {path: recognise_file(path) for path in [*files, *programs] if path.is_file()}
    assert {path: kind for path, kind in kinds.items() if kind is not None} == {}


def test_a_boot_mark_alone_makes_no_image() -> None:
    marked = bytearray(hashlib.sha512(b"noise").digest() * 128)
    marked[510:512] = b"\x55\xaa"
    assert recognise(bytes(marked), 1 << 30) is None
    assert recognise(bytes(510) + b"\x55\xaa" + bytes(7680), 1 << 30) is None
    assert recognise(b"", 0) is None
    assert recognise(b"\x53\xef" * 4096, 1 << 30) is None
    entry = struct.pack("<B3xB3xII", 0x80, 7, 2048, 4096)
    table = bytes(446) + entry + bytes(48) + b"\x55\xaa"
    assert recognise(table, 1 << 30) == "disk image (MBR partitions)"
    # begins beyond the end of the file, overlaps another, a flag that no tool writes, a program
    assert recognise(table, 1 << 20) is None
    assert recognise(bytes(446) + entry * 2 + bytes(32) + b"\x55\xaa", 1 << 30) is None
    assert recognise(bytes(446) + b"\x81" + entry[1:] + bytes(48) + b"\x55\xaa", 1 << 30) is None
    assert recognise(b"MZ" + table[2:], 1 << 30) is None
