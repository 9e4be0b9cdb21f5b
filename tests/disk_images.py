"""Disk images made on the spot with the tools of the file systems, without mounting; a test skips where one lacks."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

SECTOR = 512
MIB = 1 << 20
#: Debian's packages that bring them
PACKAGES = {
    "mkfs.fat": "dosfstools",
    "mcopy": "mtools",
    "mmd": "mtools",
    "mkfs.exfat": "exfatprogs",
    "mke2fs": "e2fsprogs",
    "mkntfs": "ntfs-3g",
    "ntfscp": "ntfs-3g",
    "ewfacquire": "ewf-tools",
    "sfdisk": "fdisk",
}


def run(tool: str, *args: str | Path, stdin: str | None = None) -> None:
    """Run one of the tools; skips the test where it is not installed."""
    path = shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if path is None:
        pytest.skip(f"{tool} is missing: apt-get install {PACKAGES[tool]}")
    environment = os.environ | {"MTOOLS_SKIP_CHECK": "1", "TZ": "UTC"}
    done = subprocess.run(
        [path, *map(str, args)], input=stdin, capture_output=True, text=True, errors="replace", env=environment
    )
    assert done.returncode == 0, done.stderr


def blank(path: Path, mib: float) -> Path:
    """A file of zeros."""
    with path.open("wb") as file:
        file.truncate(int(mib * MIB))
    return path


def fat(path: Path, tree: Path, mib: float = 8, bits: int = 16) -> Path:
    """A bare FAT file system with the contents of a folder."""
    run("mkfs.fat", "-F", str(bits), "-s", "1", blank(path, mib))
    if children := sorted(tree.iterdir()):
        run("mcopy", "-s", "-m", "-i", path, *children, "::")
    return path


def ext(path: Path, tree: Path, mib: float = 8, kind: str = "ext4") -> Path:
    """A bare ext2, ext3 or ext4 file system with the contents of a folder."""
    run("mke2fs", "-q", "-F", "-t", kind, "-d", tree, blank(path, mib))
    return path


def ntfs(path: Path, files: Mapping[str, Path], mib: float = 12) -> Path:
    """A bare NTFS file system; a name such as ``a.txt:note`` makes a stream of a file that came before."""
    run("mkntfs", "-q", "-F", "-s", "512", "-p", "0", "-H", "16", "-S", "63", "-c", "4096", blank(path, mib))
    for name, content in files.items():
        file, _, stream = name.partition(":")
        run("ntfscp", *(["-N", stream] if stream else []), path, content, file)
    return path


def exfat(path: Path, tree: Path, mib: float = 8) -> Path:
    """A bare exFAT file system with the contents of a folder, each file and folder in one run of clusters."""
    run("mkfs.exfat", "-c", "4K", blank(path, mib))
    data = bytearray(path.read_bytes())
    heap = int.from_bytes(data[88:92], "little") << data[108]
    cluster = 1 << (data[108] + data[109])
    root = int.from_bytes(data[96:100], "little")
    free = root + 1

    def store(content: bytes) -> int:
        nonlocal free
        first, count = free, -(-len(content) // cluster)
        at = heap + (first - 2) * cluster
        data[at : at + len(content)] = content
        for number in range(first - 2, first - 2 + count):
            data[heap + number // 8] |= 1 << number % 8
        free += count
        return first

    def folder(of: Path) -> bytes:
        entries = b""
        for child in sorted(of.iterdir()):
            content = folder(child) if child.is_dir() else child.read_bytes()
            if child.is_dir():
                content = content.ljust(-(-max(len(content), 1) // cluster) * cluster, b"\0")
            first = store(content) if content else 0
            entries += exfat_entry(child.name, first, len(content), child.is_dir())
        return entries

    entries = folder(tree)
    at = heap + (root - 2) * cluster
    used = next(i for i in range(at, at + cluster, 32) if data[i] == 0)
    assert used + len(entries) <= at + cluster, "the root folder of this writer has one cluster"
    data[used : used + len(entries)] = entries
    path.write_bytes(data)
    return path


def exfat_entry(name: str, first: int, size: int, is_folder: bool) -> bytes:
    """The records of one file in an exFAT folder: 2024-05-06 07:08:10, contiguous."""
    units = name.encode("utf-16-le")
    parts = [units[i : i + 30].ljust(30, b"\0") for i in range(0, len(units), 30)]
    stamp = (2024 - 1980) << 25 | 5 << 21 | 6 << 16 | 7 << 11 | 8 << 5 | 10 >> 1
    main = struct.pack("<BBHHHIII12x", 0x85, 1 + len(parts), 0, 0x10 if is_folder else 0x20, 0, stamp, stamp, stamp)
    flags = 3 if first else 1
    stream = struct.pack("<BBBBHHQIIQ", 0xC0, flags, 0, len(units) // 2, 0, 0, size, 0, first, size)
    records = bytearray(main + stream + b"".join(b"\xc1\0" + part for part in parts))
    check = 0
    for index, byte in enumerate(records):
        if index not in (2, 3):
            check = ((check << 15 | check >> 1) + byte) & 0xFFFF
    struct.pack_into("<H", records, 2, check)
    return bytes(records)


def mbr(path: Path, parts: Sequence[tuple[int, int, bytes]]) -> Path:
    """A disk with up to four partitions: (first MiB, type, content), in the order of the table."""
    table = b""
    end = MIB
    for start, kind, content in parts:
        table += struct.pack("<B3xB3xII", 0, kind, start * MIB // SECTOR, -(-len(content) // SECTOR))
        end = max(end, start * MIB + len(content))
    with path.open("wb") as file:
        file.write(bytes(446) + table.ljust(64, b"\0") + b"\x55\xaa")
        for start, _, content in parts:
            file.seek(start * MIB)
            file.write(content)
        file.truncate(end)
    return path


def ewf(path: Path, image: Path, segment: int | None = None) -> Path:
    """An E01 of an image, compressed, in segments of so many bytes; the path of the first."""
    size = ["-S", str(segment)] if segment else []
    run("ewfacquire", "-u", "-q", "-t", path.with_suffix(""), "-c", "fast", "-f", "encase6", *size, image)
    return path
