"""Find exhibits, fix their identity and check that it holds; everything is opened read-only."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from vidreview.errors import EvidenceError, IntegrityError
from vidreview.images.recognise import first_segment, recognise, recognise_file, segment_files
from vidreview.images.walk import walk
from vidreview.model import Digest
from vidreview.reading import open_evidence

#: Bytes read at a time while hashing.
BLOCK: Final = 1 << 20

#: How files begin that are clearly no video, and what they are.
SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "picture (PNG)"),
    (0, b"BM", "picture (BMP)"),
    (0, b"II*\x00", "picture (TIFF)"),
    (0, b"MM\x00*", "picture (TIFF)"),
    (8, b"WEBP", "picture (WebP)"),
    (4, b"ftypheic", "picture (HEIC)"),
    (4, b"ftypmif1", "picture (HEIF)"),
    (4, b"ftypavif", "picture (AVIF)"),
    (0, b"%PDF-", "document (PDF)"),
    (0, b"{\\rtf", "document (RTF)"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "document or database of an office program"),
    (0, b"SQLite format 3\x00", "database (SQLite): a recorder's index may be in it"),
    (0, b"PK\x03\x04", "archive (ZIP) or office document: not unpacked; scan an unpacked copy"),
    (0, b"Rar!\x1a\x07", "archive (RAR): not unpacked; scan an unpacked copy"),
    (0, b"7z\xbc\xaf\x27\x1c", "archive (7z): not unpacked; scan an unpacked copy"),
    (0, b"\x1f\x8b\x08", "archive (gzip): not unpacked; scan an unpacked copy"),
    (0, b"\xfd7zXZ\x00", "archive (xz): not unpacked; scan an unpacked copy"),
    (0, b"BZh", "archive (bzip2): not unpacked; scan an unpacked copy"),
    (0, b"EVF2\x0d\x0a\x81\x00", "disk image (EnCase Ex01): not read; convert it to E01 or raw and scan that"),
    (0, b"LVF\x09\x0d\x0a\xff\x00", "logical evidence file (EnCase L01): not read; export its files and scan those"),
    (0, b"KDMV", "virtual disk (VMDK): not read; convert it to a raw image and scan that"),
    (0, b"QFI\xfb", "virtual disk (QCOW2): not read; convert it to a raw image and scan that"),
    (0, b"vhdxfile", "virtual disk (VHDX): not read; convert it to a raw image and scan that"),
)
EXECUTABLE: Final = "executable: may be a proprietary player with footage inside; not run, needs a specialist"
_JPEG: Final = b"\xff\xd8\xff"
_TEXT: Final = frozenset(range(32, 127)) | frozenset(b"\t\n\r\f\x1b")


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be an exhibit."""

    path: Path
    #: what it is called in every output: relative to the folder that was given, "/" between parts, unique
    name: str
    #: a disk image, of which ``inside`` gives the files; its further segments are not found separately
    image: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something met on the way that is not read, and why."""

    path: Path
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A file whose identity is fixed."""

    path: Path
    name: str
    #: bytes
    size: int
    #: modification time, nanoseconds since the epoch; identity, never an event's time (rule B5)
    mtime_ns: int
    digest: Digest
    #: digests by other algorithms, where a list of hashes asks for them
    others: tuple[Digest, ...] = ()


def discover(sources: Sequence[Path]) -> Iterator[Found | Unreadable]:
    """Every file of ``sources``: files as given, folders walked in sorted order, and what is not read with its reason.

    A path met twice is given once. Symbolic links inside a folder are not followed, since they may lead out of the
    evidence; a source that is itself a link is. Disk images are marked as such and not looked into. Never raises for
    what it meets.
    """
    seen: set[str] = set()
    met: list[Found | Unreadable] = []
    for source in sources:
        for item in _walk(Path(source)):
            real = os.path.realpath(item.path) if isinstance(item, Found) else str(item.path.absolute())
            if real not in seen:
                seen.add(real)
                met.append(item)
    met = [item for item in map(_with_image, met) if item is not None]
    names = _unique_names([(item.path, item.name) for item in met])
    for item, name in zip(met, names, strict=True):
        yield replace(item, name=name)


def is_missing(path: Path) -> bool:
    """True when nothing bears this name; what merely cannot be reached is there, for ``discover`` to list (rule C3)."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
    except ValueError:  # a path that no file can have
        return True
    return False


def files_below(folder: Path) -> Iterator[Path]:
    """Every path below a folder that is no folder itself, sorted within each; what cannot be listed is passed over.

    Links to folders are not followed. Never raises, however deep the folders are nested.
    """
    stack = [folder]
    while stack:
        try:
            with os.scandir(stack.pop()) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)
        stack.extend(Path(entry.path) for entry in reversed(entries) if entry.is_dir(follow_symlinks=False))


def inside(found: Found) -> Iterator[Found | Unreadable]:
    """The files of a disk image and what in it is not read, with its reason; names are ``<found.name>/<inner path>``.

    Partitions in the order of their table, folders depth first and sorted. Hash the image before (rule A2): this reads
    it. Never raises for what is in it.
    """
    for inner in walk(found.path):
        path = found.path / inner.path if inner.path else found.path
        name = f"{found.name}/{inner.path}" if inner.path else found.name
        yield Unreadable(path, name, inner.reason) if inner.reason else Found(path, name)


def image_files(found: Found) -> tuple[Path, ...]:
    """The files to hash for a found disk image: itself and its further segments; raises EvidenceError."""
    return segment_files(found.path)


def check_acquired(found: Found, progress: Callable[[int], None] | None = None) -> str:
    """What is wrong with the content of a found disk image, measured by the MD5 that an E01 carries; "" if nothing is.

    Reads all of it: where a block fails its checksum libewf gives zeros, and nothing else would tell. An image without
    such a hash is never wrong. ``progress`` is told bytes. Raises EvidenceError.
    """
    from vidreview.images.disk import DiskImage

    stored, actual = DiskImage(found.path).acquired_md5(progress)
    if stored == actual:
        return ""
    return f"the image says that its content had MD5 {stored} when it was acquired, but it has {actual}: damaged"


def _with_image(item: Found | Unreadable) -> Found | Unreadable | None:
    """The item, marked if it is a disk image; None for a further segment, Unreadable if the first is gone."""
    if isinstance(item, Unreadable):
        return item
    try:
        belongs = first_segment(item.path)
        if belongs is not None:
            return Unreadable(item.path, item.name, belongs[1]) if belongs[1] else None
        return replace(item, image=recognise_file(item.path) is not None)
    except EvidenceError:
        # whoever opens it next is told why it cannot be read
        return item


def identify(found: Found, progress: Callable[[int], None] | None = None, *, algorithms: Iterable[str] = ()) -> Exhibit:
    """Hash a found file, in one pass by all ``algorithms`` beside SHA-256, and fix its identity.

    Raises EvidenceError when it cannot be read.
    """
    (digest, *others), size, mtime_ns = _hash(found.path, progress, ("sha256", *sorted(set(algorithms) - {"sha256"})))
    return Exhibit(found.path, found.name, size, mtime_ns, digest, tuple(others))


def hash_file(path: Path, progress: Callable[[int], None] | None = None, *, algorithm: str = "sha256") -> Digest:
    """The digest of a file's bytes, read-only; ``progress`` is told the number of bytes of each block.

    Raises EvidenceError with path and reason, also when the file changes while it is read.
    """
    return _hash(path, progress, (algorithm,))[0][0]


def unchanged(exhibit: Exhibit, progress: Callable[[int], None] | None = None) -> bool:
    """True when the exhibit still has the size, modification time and hash it was identified by."""
    try:
        check_unchanged(exhibit, progress)
    except IntegrityError:
        return False
    return True


def check_unchanged(exhibit: Exhibit, progress: Callable[[int], None] | None = None) -> None:
    """Re-hash an exhibit; raises IntegrityError that says what differs from when it was identified (rule A2)."""
    void = "the run is void; find out what changed the exhibit and scan again"
    try:
        (digest,), _, mtime_ns = _hash(exhibit.path, progress, (exhibit.digest.algorithm,))
    except EvidenceError as error:
        raise IntegrityError(f"{error}, though it was read before; {void}") from error
    if digest != exhibit.digest:
        was = f"{exhibit.digest.algorithm} was {exhibit.digest}, is {digest}"
        raise IntegrityError(f"{exhibit.path}: content changed since it was identified: {was}; {void}")
    if mtime_ns != exhibit.mtime_ns:
        raise IntegrityError(f"{exhibit.path}: modification time changed since it was identified; {void}")


def is_evidence_candidate(path: Path) -> tuple[bool, str]:
    """Whether the content of a file is worth opening as video, and what there is to say about it.

    (False, reason) for what is clearly none: empty, text, picture, document, archive. (True, reason) for an
    executable, in which footage may be found; (True, "") for all else. Unreadable files are (False, reason).
    """
    try:
        with open_evidence(path) as file:
            head, size = file.pread(BLOCK, 0), file.size
    except EvidenceError as error:
        return False, str(error).removeprefix(f"{path}: ")
    except OSError as error:
        return False, f"cannot be read: {error.strerror or error}"
    if not head:
        return False, "empty file (0 bytes)"
    if head.startswith((b"MZ", b"\x7fELF")):
        return True, EXECUTABLE
    if head.startswith(_JPEG):
        # a stream of JPEG pictures has the next one right behind the first
        several = b"\xff\xd9" + _JPEG in head or len(head) == BLOCK
        return (True, "") if several else (False, "picture (JPEG)")
    image = recognise(head, size)
    if image is not None:
        return False, f"{image}, not a video; the files in it are exhibits of their own"
    for offset, signature, what in SIGNATURES:
        if head.startswith(signature, offset) and (signature != b"WEBP" or head.startswith(b"RIFF")):
            return False, f"{what}, not a video"
    if _is_text(head[:65536]):
        return False, "plain text, not a video"
    return True, ""


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) and len(head) >= 16:
        try:
            text = head[: len(head) // 2 * 2].decode("utf-16")
        except UnicodeDecodeError:
            return False
        return all(c.isprintable() or c.isspace() for c in text[:4096])
    if all(byte in _TEXT for byte in head):
        return True
    try:
        # the block may end within a character
        text = head.decode("utf-8") if len(head) < 65536 else head[:-4].decode("utf-8", "ignore")
    except UnicodeDecodeError:
        return False
    return len(text) >= 0.5 * len(head) and all(c.isprintable() or c in "\t\n\r\f\ufeff\x1b" for c in text)


def _walk(source: Path) -> Iterator[Found | Unreadable]:
    """One source: the file itself, or what the folder holds, depth first, each folder sorted by name."""
    try:
        mode = source.stat().st_mode
    except OSError as error:
        yield Unreadable(source, source.name or str(source), f"cannot be opened: {error.strerror or error}")
        return
    if not stat.S_ISDIR(mode):
        name = source.name
        yield Found(source, name) if stat.S_ISREG(mode) else Unreadable(source, name, _special(mode))
        return
    stack: list[tuple[Path, str]] = [(source, "")]
    while stack:
        path, name = stack.pop()
        if name:
            try:
                mode = path.lstat().st_mode
            except OSError as error:
                yield Unreadable(path, name, f"cannot be opened: {error.strerror or error}")
                continue
            if not stat.S_ISDIR(mode):
                yield Found(path, name) if stat.S_ISREG(mode) else Unreadable(path, name, _special(mode))
                continue
        try:
            children = sorted((child.name for child in path.iterdir()), reverse=True)
        except OSError as error:
            yield Unreadable(path, name or path.name, f"folder cannot be listed: {error.strerror or error}")
            continue
        stack.extend((path / child, f"{name}/{child}" if name else child) for child in children)


def _special(mode: int) -> str:
    kinds = (
        (stat.S_ISLNK, "symbolic link, not followed"),
        (stat.S_ISFIFO, "pipe, not opened"),
        (stat.S_ISSOCK, "socket, not opened"),
    )
    return next((what for test, what in kinds if test(mode)), "device, not opened")


def _unique_names(items: list[tuple[Path, str]]) -> list[str]:
    """Names made different by putting names of parent folders before those that clash."""
    parts = [(*Path(os.path.realpath(path.parent)).parts, path.name) for path, _ in items]
    depth = [name.count("/") + 1 for _, name in items]
    names = [name for _, name in items]
    while True:
        groups: defaultdict[str, list[int]] = defaultdict(list)
        for index, name in enumerate(names):
            groups[name].append(index)
        clashing = [i for group in groups.values() if len(group) > 1 for i in group if depth[i] < len(parts[i])]
        if not clashing:
            return names
        for index in clashing:
            depth[index] += 1
            own = parts[index][-depth[index] :]
            names[index] = "/".join(own).replace("//", "/")


def _hash(
    path: Path, progress: Callable[[int], None] | None, algorithms: Sequence[str]
) -> tuple[list[Digest], int, int]:
    """Digests, size and modification time of a file's bytes."""
    digests = [hashlib.new(algorithm, usedforsecurity=False) for algorithm in algorithms]
    with open_evidence(path) as file:
        try:
            before = file.state()
            total = 0
            # not beyond the size at the start: if something appends faster than we read, do not follow it for ever
            while total <= file.size and (block := file.pread(BLOCK, total)):
                for digest in digests:
                    digest.update(block)
                total += len(block)
                if progress is not None:
                    progress(len(block))
            after = file.state()
        except OSError as error:
            raise EvidenceError(f"{path}: cannot be read: {error.strerror or error}") from error
        if before != after or total != file.size:
            raise EvidenceError(f"{path}: changed while it was read; is something still writing to it?")
        found = [Digest(name, digest.hexdigest()) for name, digest in zip(algorithms, digests, strict=True)]
        return found, file.size, file.mtime_ns
