"""Tell a disk image from any other file by its first bytes, and find the files that it is split into."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from vidreview.errors import EvidenceError
from vidreview.readonly import open_readonly

#: Bytes at the start of a file that tell whether it is a disk image.
HEAD_BYTES: Final = 8192
SECTOR: Final = 512

_EWF: Final = b"EVF\x09\x0d\x0a\xff\x00"
_BOOT_MARK: Final = b"\x55\xaa"
_PROGRAMS: Final = (b"MZ", b"\x7fELF")
_EWF_NAME: Final = re.compile(r"\.[A-Za-z](?:[0-9]{2}|[A-Za-z]{2})")
_PART_NAME: Final = re.compile(r"\.[0-9]{2,6}")


def recognise(head: bytes, size: int) -> str | None:
    """What kind of disk image begins with ``head`` and is ``size`` bytes long; None for any other file."""
    if head.startswith(_EWF):
        return "disk image (EnCase E01)"
    if head.startswith(_PROGRAMS):
        return None
    kind = file_system(head)
    if kind is not None:
        return f"disk image ({kind} without partitions)"
    if is_gpt(head):
        return "disk image (GPT partitions)"
    if _is_mbr(head, size):
        return "disk image (MBR partitions)"
    return None


def file_system(head: bytes) -> str | None:
    """What a volume that begins with ``head`` holds: NTFS, exFAT, FAT, ext, BitLocker or LUKS; None if none of them."""
    if head.startswith(b"LUKS\xba\xbe"):
        return "LUKS"
    if head[510:512] == _BOOT_MARK:
        oem = head[3:11]
        if oem == b"-FVE-FS-":
            return "BitLocker"
        if oem == b"NTFS    " and _power(_u16(head, 11), 256, 4096):
            return "NTFS"
        if oem == b"EXFAT   " and not any(head[11:64]) and 9 <= head[108] <= 12 and head[109] <= 25 - head[108]:
            return "exFAT"
        if _is_fat(head):
            return "FAT"
    return "ext" if _is_ext(head) else None


def is_gpt(head: bytes) -> bool:
    """A GPT header stands in the second sector, of 512 or of 4096 bytes."""
    for at in (SECTOR, 4096):
        if head[at : at + 8] == b"EFI PART" and 92 <= int.from_bytes(head[at + 12 : at + 16], "little") <= 4096:
            return True
    return False


def recognise_file(path: Path) -> str | None:
    """What kind of disk image a file is, None for any other; raises EvidenceError when it cannot be read."""
    head, size = _head(path)
    return recognise(head, size)


def segment_files(first: Path) -> tuple[Path, ...]:
    """The files that a disk image consists of, in order, each to be hashed: E01, E02 … or 001, 002 …, or one alone.

    Stops before the first that is missing. Raises EvidenceError when ``first`` cannot be read.
    """
    head, _ = _head(first)
    if head.startswith(_EWF):
        names = _ewf_names(first.suffix) if _EWF_NAME.fullmatch(first.suffix) else iter(())
    elif _PART_NAME.fullmatch(first.suffix) and int(first.suffix[1:]) == 1:
        names = _part_names(first.suffix)
    else:
        names = iter(())
    files = [first]
    for suffix in names:
        path = first.with_suffix(suffix)
        if not path.is_file():
            break
        files.append(path)
    return tuple(files)


def first_segment(path: Path) -> tuple[Path, str] | None:
    """The file a later segment belongs to and what is wrong with that, "" if nothing; None when it is no such segment.

    Raises EvidenceError when a file cannot be read.
    """
    head, _ = _head(path)
    if head.startswith(_EWF) and len(head) >= 13:
        number = _u16(head, 9)
        if number <= 1 or not _EWF_NAME.fullmatch(path.suffix):
            return None
        first = path.with_suffix(f"{path.suffix[0:2]}01" if path.suffix[2:].isdigit() else _first_ewf(path))
        return first, _missing(path, first, number)
    if not _PART_NAME.fullmatch(path.suffix) or int(path.suffix[1:]) <= 1:
        return None
    first = path.with_suffix(f".{1:0{len(path.suffix) - 1}d}")
    # an ordinary file called x.002 is not part of anything unless x.001 begins a disk image
    if not first.is_file() or recognise_file(first) is None:
        return None
    return first, _missing(path, first, int(path.suffix[1:]))


def is_complete(last: Path) -> bool:
    """Whether the last segment of an E01 image says that it is the last."""
    handle = open_readonly(last)
    try:
        size = os.fstat(handle).st_size
        # the closing section has no data, so its descriptor of 76 bytes ends the file
        return os.pread(handle, 4, max(size - 76, 0)) == b"done"
    except OSError as error:
        raise EvidenceError(f"{last}: cannot be read: {error.strerror or error}") from error
    finally:
        os.close(handle)


def _missing(path: Path, first: Path, number: int) -> str:
    """Why a segment cannot be read with those before it; "" when it can."""
    if not first.is_file():
        return f"segment {number} of a disk image; its first segment, {first.name}, is missing"
    have = segment_files(first)
    if path in have:
        return ""
    return f"segment {number} of the disk image {first.name}; segment {len(have) + 1} is missing"


def _first_ewf(path: Path) -> str:
    """The suffix of the first segment for one named EAA or later."""
    for suffix in (".E01", ".e01", ".S01", ".s01"):
        if suffix.islower() == path.suffix.islower() and path.with_suffix(suffix).is_file():
            return suffix
    return ".e01" if path.suffix.islower() else ".E01"


def _head(path: Path) -> tuple[bytes, int]:
    handle = open_readonly(path)
    try:
        return os.pread(handle, HEAD_BYTES, 0), os.fstat(handle).st_size
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read: {error.strerror or error}") from error
    finally:
        os.close(handle)


def _ewf_names(suffix: str) -> Iterator[str]:
    """E02 … E99, EAA … EZZ, FAA … ZZZ, in the case of the first."""
    letter = suffix[1]
    a, z = (ord("a"), ord("z")) if letter.islower() else (ord("A"), ord("Z"))
    for number in range(2, 100):
        yield f".{letter}{number:02d}"
    for first in range(ord(letter), z + 1):
        for second in range(a, z + 1):
            for third in range(a, z + 1):
                yield f".{chr(first)}{chr(second)}{chr(third)}"


def _part_names(suffix: str) -> Iterator[str]:
    width = len(suffix) - 1
    for number in range(2, 10**width):
        yield f".{number:0{width}d}"


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "little")


def _power(value: int, lowest: int, highest: int) -> bool:
    """A power of two in this range."""
    return lowest <= value <= highest and value & (value - 1) == 0


def _is_fat(head: bytes) -> bool:
    if not (head[0] == 0xE9 or (head[0] == 0xEB and head[2] == 0x90)):
        return False
    sectors = _u16(head, 19) or int.from_bytes(head[32:36], "little")
    fat_sectors = _u16(head, 22) or int.from_bytes(head[36:40], "little")
    reserved = _u16(head, 14)
    return (
        _power(_u16(head, 11), 512, 4096)
        and _power(head[13], 1, 128)
        and reserved > 0
        and head[16] in (1, 2)
        and head[21] in (0xF0, *range(0xF8, 0x100))
        and 0 < fat_sectors < sectors
        and reserved + head[16] * fat_sectors < sectors
    )


def _is_ext(head: bytes) -> bool:
    block = head[1024:1124]
    if len(block) < 100 or block[56:58] != b"\x53\xef":
        return False
    inodes, blocks = struct.unpack_from("<II", block, 0)
    first_block, log_block = struct.unpack_from("<II", block, 20)
    per_group, _, inodes_per_group = struct.unpack_from("<III", block, 32)
    state, _, _ = struct.unpack_from("<HHH", block, 58)
    revision = int.from_bytes(block[76:80], "little")
    return (
        inodes > 0
        and blocks > 0
        and first_block <= 1
        and log_block <= 6
        and 0 < per_group <= 8 * (1024 << log_block)
        and 0 < inodes_per_group <= 8 * (1024 << log_block)
        and state <= 7
        and revision <= 1
    )


def _is_mbr(head: bytes, size: int) -> bool:
    """A partition table whose entries make sense together and begin within the file."""
    if head[510:512] != _BOOT_MARK:
        return False
    spans = []
    for at in range(446, 510, 16):
        entry = head[at : at + 16]
        start, length = struct.unpack_from("<II", entry, 8)
        if entry[0] not in (0, 0x80):
            return False
        if entry[4] == 0:
            continue
        if start == 0 or length == 0 or start * SECTOR >= size:
            return False
        spans.append((start, start + length))
    spans.sort()
    return bool(spans) and all(before[1] <= after[0] for before, after in pairwise(spans))
