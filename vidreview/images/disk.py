"""Read partitions, folders and files of a disk image, through The Sleuth Kit (pytsk3) and libewf (pyewf)."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
import weakref
from calendar import timegm
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final

import pyewf
import pytsk3

from vidreview.errors import EvidenceError
from vidreview.images.recognise import HEAD_BYTES, file_system, is_complete, is_gpt, recognise, segment_files
from vidreview.readonly import ReadAt, open_readonly

#: Bytes read at a time of a whole image.
BLOCK: Final = 1 << 20
#: Folders whose listing is kept, per image: a path is looked up name by name.
LISTINGS: Final = 64
#: Entries of one folder and levels of folders that are read; a sane file system has fewer, a hostile one would not end.
MAX_ENTRIES: Final = 1_000_000
MAX_DEPTH: Final = 200
#: The four partitions of a table and the logical ones; GPT has 128.
MAX_VOLUMES: Final = 256

_TYPES: Final = {
    "FAT": pytsk3.TSK_FS_TYPE_FAT_DETECT,
    "exFAT": pytsk3.TSK_FS_TYPE_FAT_DETECT,
    "NTFS": pytsk3.TSK_FS_TYPE_NTFS_DETECT,
    "ext": pytsk3.TSK_FS_TYPE_EXT_DETECT,
}
_SPECIAL: Final = {
    int(pytsk3.TSK_FS_META_TYPE_LNK): "symbolic link, not followed",
    int(pytsk3.TSK_FS_META_TYPE_FIFO): "pipe, not opened",
    int(pytsk3.TSK_FS_META_TYPE_SOCK): "socket, not opened",
    int(pytsk3.TSK_FS_META_TYPE_CHR): "device, not opened",
    int(pytsk3.TSK_FS_META_TYPE_BLK): "device, not opened",
}
#: Things that The Sleuth Kit adds to a listing and that are in no folder: $OrphanFiles, $FAT1 …
_VIRTUAL: Final = (int(pytsk3.TSK_FS_META_TYPE_VIRT), int(pytsk3.TSK_FS_META_TYPE_VIRT_DIR))
#: Entries of a FAT or exFAT root folder that are no files: The Sleuth Kit gives the tables and the label such names.
_FAT_OWN: Final = frozenset(["$ALLOC_BITMAP", "$UPCASE_TABLE", "$VOLUME_GUID", "$TEX_FAT", "$ACCESS_CONTROL_TABLE"])
_LABEL: Final = " (Volume Label Entry)"
#: Said of an NTFS link, a junction, or a file whose content is packed, deduplicated or in a cloud.
REPARSE: Final = "reparse point, not followed: a link, or a file whose content Windows keeps elsewhere"
#: NTFS keeps its own tables in the first sixteen records.
_NTFS_OWN: Final = 16


@dataclass(frozen=True, slots=True)
class Node:
    """A file, a stream of one, or a folder inside a volume."""

    inode: int
    folder: bool
    #: bytes
    size: int
    #: nanoseconds since the epoch, as recorded
    mtime_ns: int
    #: which attribute of the file holds the data: type and number, as The Sleuth Kit counts them
    attribute: tuple[int, int] = (int(pytsk3.TSK_FS_ATTR_TYPE_DEFAULT), -1)
    #: NTFS: Windows would follow it elsewhere
    reparse: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is not read, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Volume:
    """A partition, or the whole of an image without partitions."""

    #: first part of the paths of its files: ``p1`` …, "" without partitions
    label: str
    kind: str
    fs: Any
    #: why the end of it cannot be read, "" if it can
    shortened: str


class _Image(pytsk3.Img_Info):  # type: ignore[misc]
    """Hands The Sleuth Kit the bytes that it asks for."""

    def __init__(self, pread: Callable[[int, int], bytes], size: int) -> None:
        self._pread = pread
        self._size = size
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def read(self, offset: int, size: int) -> bytes:
        return self._pread(size, offset)

    def get_size(self) -> int:
        return self._size

    def close(self) -> None:
        """Nothing to do: the descriptors belong to DiskImage."""


class DiskImage:
    """An opened disk image; it closes its files when nothing refers to it any more. Safe in several threads."""

    def __init__(self, path: Path) -> None:
        """Open the image and its further segments; raises EvidenceError when it is none or a segment is missing."""
        self.path = path
        # The Sleuth Kit calls back into Python, and libewf has one position per file
        self._lock = RLock()
        self._handles: list[int] = []
        self._md5 = ""
        weakref.finalize(self, _close_all, self._handles)
        sizes = []
        for file in segment_files(path):
            self._handles.append(open_readonly(file))
            sizes.append(os.fstat(self._handles[-1]).st_size)
            last = file
        head = os.pread(self._handles[0], HEAD_BYTES, 0)
        kind = recognise(head, sum(sizes))
        if kind is None:
            raise EvidenceError(f"{path}: not a disk image")
        if "E01" in kind:
            if not is_complete(last):
                raise EvidenceError(
                    f"{path}: the disk image ends with {last.name}, which is not its last segment or is cut off; "
                    "put all segments into one folder"
                )
            self._pread, self.size, self._md5 = _open_ewf(path, self._handles, sizes)
        else:
            self._pread, self.size = _join(self._handles, sizes)
        self._image = _Image(self._pread, self.size)
        self._listings: OrderedDict[tuple[str, int], dict[str, Node | Refused]] = OrderedDict()
        self.volumes: dict[str, Volume | Refused] = self._find_volumes()

    def state(self) -> tuple[tuple[int, int], ...]:
        """Size and modification time of each file that the image consists of, now."""
        found = [os.fstat(handle) for handle in self._handles]
        return tuple((status.st_size, status.st_mtime_ns) for status in found)

    def acquired_md5(self, progress: Callable[[int], None] | None = None) -> tuple[str, str]:
        """The MD5 that an E01 holds of its content and the one that the content has now; both "" when it holds none.

        Raises EvidenceError.
        """
        if not self._md5:
            return "", ""
        digest = hashlib.new("md5", usedforsecurity=False)
        position = 0
        try:
            while position < self.size:
                piece = self._pread(min(BLOCK, self.size - position), position)
                if not piece:
                    raise EvidenceError(f"{self.path}: the disk image ends at byte {position} of {self.size}")
                digest.update(piece)
                position += len(piece)
                if progress is not None:
                    progress(len(piece))
        except OSError as error:
            raise EvidenceError(f"{self.path}: the disk image cannot be read: {_plain(error)}") from error
        return self._md5, digest.hexdigest()

    def listing(self, volume: Volume, inode: int | None = None) -> dict[str, Node | Refused]:
        """What a folder holds by name, sorted; the root folder without ``inode``. Raises EvidenceError."""
        key = (volume.label, -1 if inode is None else inode)
        with self._lock:
            if key in self._listings:
                self._listings.move_to_end(key)
                return self._listings[key]
            root = int(volume.fs.info.root_inum)
            found = _list(volume, root if inode is None else inode, self.size)
            self._listings[key] = dict(sorted(found.items()))
            while len(self._listings) > LISTINGS:
                self._listings.popitem(last=False)
            return self._listings[key]

    def find(self, parts: Sequence[str]) -> tuple[Volume, Node]:
        """The file with this inner path; raises EvidenceError that says what is in the way."""
        shown = "/".join(parts)
        label, names = ("", parts) if "" in self.volumes else (parts[0], parts[1:])
        volume = self.volumes.get(label)
        if volume is None:
            raise EvidenceError(f"{self.path}: has no partition {label}")
        if isinstance(volume, Refused):
            raise EvidenceError(f"{self.path / label}: {volume.reason}")
        node: Node | Refused | None = None
        inode: int | None = None
        for depth, name in enumerate(names):
            node = self.listing(volume, inode).get(name)
            if isinstance(node, Refused):
                raise EvidenceError(f"{self.path / shown}: {node.reason}")
            if node is None or node.folder != (depth < len(names) - 1):
                raise EvidenceError(f"{self.path / shown}: no such file in the disk image")
            inode = node.inode
        if not isinstance(node, Node):
            raise EvidenceError(f"{self.path / shown}: not a regular file")
        return volume, node

    def reader(self, volume: Volume, node: Node) -> Callable[[int, int], bytes]:
        """A function ``pread(count, offset)`` for a file's bytes; it raises OSError where they cannot be read."""
        with self._lock:
            try:
                file = volume.fs.open_meta(inode=node.inode)
            except OSError as error:
                raise EvidenceError(f"{self.path}: record {node.inode}: {_plain(error)}") from error

        def pread(count: int, offset: int) -> bytes:
            pieces = []
            end = min(offset + count, node.size)
            while offset < end:
                with self._lock:
                    try:
                        piece = file.read_random(offset, end - offset, *node.attribute)
                    except OSError as error:
                        raise OSError(errno.EIO, f"the disk image cannot be read there ({_plain(error)})") from error
                if not piece:
                    raise OSError(errno.EIO, f"the disk image gives no data at byte {offset} of the file")
                pieces.append(piece)
                offset += len(piece)
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)

        return pread

    def _find_volumes(self) -> dict[str, Volume | Refused]:
        head = self._pread(min(HEAD_BYTES, self.size), 0)
        if file_system(head) is not None:
            return {"": self._open_volume("", 0, self.size, "")}
        kinds = (pytsk3.TSK_VS_TYPE_GPT, pytsk3.TSK_VS_TYPE_DOS)
        found = None
        for kind in kinds if is_gpt(head) or head[450:451] == b"\xee" else kinds[1:]:
            try:
                found = pytsk3.Volume_Info(self._image, kind)
                break
            except OSError:
                continue
        if found is None:
            return {"": Refused("no file system and no partition table that is known; encrypted, damaged or wiped?")}
        sector = int(found.info.block_size)
        parts = [part for part in found if int(part.flags) == int(pytsk3.TSK_VS_PART_FLAG_ALLOC)]
        parts.sort(key=lambda part: (part.table_num, part.slot_num))
        volumes: dict[str, Volume | Refused] = {}
        for number, part in enumerate(parts[:MAX_VOLUMES], 1):
            what = part.desc.decode("utf-8", "replace")
            volumes[f"p{number}"] = self._open_volume(f"p{number}", part.start * sector, part.len * sector, what)
        return volumes or {"": Refused("the partition table is empty")}

    def _open_volume(self, label: str, start: int, length: int, what: str) -> Volume | Refused:
        called = f" (the table says: {what})" if what else ""
        if start >= self.size:
            return Refused(f"begins beyond the end of the image{called}: the image is cut off")
        try:
            head = self._pread(min(HEAD_BYTES, self.size - start), start)
            kind = file_system(head)
            if kind in ("BitLocker", "LUKS"):
                return Refused(f"encrypted with {kind}: unlock it with a forensic tool and scan the unlocked image")
            if kind is None:
                return Refused(f"no file system that is read here (FAT, exFAT, NTFS, ext2 to ext4){called}")
            fs = pytsk3.FS_Info(self._image, offset=start, type=_TYPES[kind])
        except OSError as error:
            return Refused(f"the file system cannot be read: {_plain(error)}{called}")
        end = (int(fs.info.last_block) + 1) * int(fs.info.block_size)
        missing = start + end - self.size
        shortened = ""
        if missing > 0:
            shortened = f"the image ends {missing} bytes before the file system does: files that lie there are lost"
        return Volume(label, kind, fs, shortened)


def _list(volume: Volume, inode: int, image_size: int) -> dict[str, Node | Refused]:
    found: dict[str, Node | Refused] = {}
    fat_root = volume.kind in ("FAT", "exFAT") and inode == int(volume.fs.info.root_inum)
    try:
        for number, entry in enumerate(volume.fs.open_dir(inode=inode)):
            if number >= MAX_ENTRIES:
                found["…"] = Refused(f"more than {MAX_ENTRIES} entries in one folder; the rest is not read")
                break
            name = entry.info.name.name.decode("utf-8", "surrogateescape")
            if fat_root and (name in _FAT_OWN or name.endswith(_LABEL)):
                continue
            for suffix, node in _nodes(volume, entry, image_size):
                full = name + suffix
                if full in ("", ".", ".."):
                    continue
                if full in found or "/" in full:
                    # its path would not be its own
                    full = f"{full.replace('/', '?')} (record {entry.info.name.meta_addr})"
                    node = Refused("not readable by name: another entry has the same name, or the name holds a slash")
                found[full] = node
    except OSError as error:
        raise EvidenceError(f"folder cannot be listed: {_plain(error)}") from error
    return found


def _nodes(volume: Volume, entry: Any, image_size: int) -> list[tuple[str, Node | Refused]]:
    """What an entry of a folder stands for: the file itself and, in NTFS, its named streams."""
    name, meta = entry.info.name, entry.info.meta
    deleted = int(pytsk3.TSK_FS_NAME_FLAG_UNALLOC)
    if int(name.flags) & deleted or (meta is not None and int(meta.flags) & int(pytsk3.TSK_FS_META_FLAG_UNALLOC)):
        return []
    if meta is None:
        return [("", Refused("its record cannot be read: damaged"))]
    if volume.kind == "NTFS" and int(meta.addr) < _NTFS_OWN:
        return []
    kind = int(meta.type)
    if kind in _VIRTUAL:
        return []
    mtime_ns = _mtime_ns(volume, meta)
    folder = kind == int(pytsk3.TSK_FS_META_TYPE_DIR)
    if not folder and kind != int(pytsk3.TSK_FS_META_TYPE_REG):
        return [("", Refused(_SPECIAL.get(kind, "neither file nor folder: damaged, or of an unknown kind")))]
    nodes: list[tuple[str, Node | Refused]] = []
    if volume.kind != "NTFS":
        nodes.append(("", Node(int(meta.addr), folder, int(meta.size), mtime_ns)))
    else:
        nodes += _streams(entry, folder, mtime_ns)
    return [
        (suffix, Refused(f"claims {node.size} bytes, more than the whole image: cut off, damaged or sparse"))
        if isinstance(node, Node) and not node.folder and node.size > image_size
        else (suffix, node)
        for suffix, node in nodes
    ]


def _streams(entry: Any, folder: bool, mtime_ns: int) -> list[tuple[str, Node | Refused]]:
    meta = entry.info.meta
    attributes = [attribute.info for attribute in entry]
    reparse = any(int(info.type) == int(pytsk3.TSK_FS_ATTR_TYPE_NTFS_REPARSE) for info in attributes)
    main: Node | Refused = Node(int(meta.addr), folder, 0, mtime_ns, reparse=reparse)
    named: list[tuple[str, Node | Refused]] = []
    real = folder or not reparse
    for info in attributes:
        if int(info.type) != int(pytsk3.TSK_FS_ATTR_TYPE_NTFS_DATA):
            continue
        node: Node | Refused = Node(int(meta.addr), False, int(info.size), mtime_ns, (int(info.type), int(info.id)))
        if int(info.flags) & int(pytsk3.TSK_FS_ATTR_ENC):
            node = Refused("encrypted by Windows (EFS): needs the owner's key")
        if info.name:
            named.append((":" + info.name.decode("utf-8", "surrogateescape"), node))
        elif not folder:
            main = node
            real = real or bool(info.size and not int(info.flags) & int(pytsk3.TSK_FS_ATTR_SPARSE))
    if not real:
        # files of a cloud drive that are here in full have such a point too, and their content
        main = Refused(REPARSE)
    return [("", main), *named]


def _mtime_ns(volume: Volume, meta: Any) -> int:
    seconds = int(meta.mtime)
    if volume.kind in ("FAT", "exFAT") and seconds:
        # recorded as local time of an unknown zone, which The Sleuth Kit takes for the zone of this machine; taken as
        # UTC instead it is the same wherever the case is opened
        seconds = timegm(time.localtime(seconds))
    return seconds * 1_000_000_000 + int(meta.mtime_nano)


def _plain(error: OSError) -> str:
    """The Sleuth Kit's or libewf's message without the names of their functions."""
    text = str(error).split(". lib")[0]
    text = re.sub(r"^[A-Za-z_]+: (\([a-z0-9_.]+:\d+\) )?", "", text)
    return text.split(" with error: ")[-1].split(" (")[0].strip()[:200] or "unknown error"


def _open_ewf(path: Path, handles: list[int], sizes: list[int]) -> tuple[Callable[[int, int], bytes], int, str]:
    """A function that reads the content, its size, and the MD5 that was stored when it was acquired, "" if none."""
    image = pyewf.handle()
    try:
        image.open_file_objects([ReadAt(_of(handle), size) for handle, size in zip(handles, sizes, strict=True)])
        size = int(image.get_media_size())
        md5 = str(image.get_hash_values().get("MD5", ""))
    except OSError as error:
        raise EvidenceError(f"{path}: the disk image (EnCase E01) cannot be opened: {_plain(error)}") from error
    lock = RLock()

    def pread(count: int, offset: int) -> bytes:
        with lock:
            data: bytes = image.read_buffer_at_offset(count, offset)
            return data

    return pread, size, md5


def _join(handles: list[int], sizes: list[int]) -> tuple[Callable[[int, int], bytes], int]:
    """Parts of a raw image, one behind the other."""

    def pread(count: int, offset: int) -> bytes:
        pieces = []
        for handle, size in zip(handles, sizes, strict=True):
            if offset < size and count > 0:
                piece = os.pread(handle, min(count, size - offset), offset)
                pieces.append(piece)
                count -= len(piece)
                offset += len(piece)
            offset -= size
        return b"".join(pieces)

    return pread, sum(sizes)


def _of(handle: int) -> Callable[[int, int], bytes]:
    return lambda count, offset: os.pread(handle, count, offset)


def _close_all(handles: list[int]) -> None:
    while handles:
        os.close(handles.pop())
