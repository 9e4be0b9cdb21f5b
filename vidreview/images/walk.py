"""List what is in a disk image, in a process of its own that a hostile file system may crash or stall (rule A10)."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from vidreview.errors import EvidenceError, VidreviewError
from vidreview.process import die_with_parent

#: A listing that says nothing for so many seconds is given up.
STALL_S: Final = 120.0
#: A listing that was killed may have been by something else, and its order is always the same: so often it is begun.
TRIES: Final = 3
#: Address space that it may take, bytes.
MEMORY: Final = 4 << 30
#: Files and folders of one image; more are not listed.
MAX_FILES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Inner:
    """A file inside an image, or something there that is not read."""

    #: "/" between parts; "" means the image itself
    path: str
    #: why it is not read, "" for a file that is
    reason: str = ""


def walk(path: Path, stall_s: float = STALL_S) -> Iterator[Inner]:
    """Every file of a disk image, partition by partition, depth first, folders sorted, and what is not read.

    Never raises for what is in the image: if listing it crashes or stalls, that is the last thing told.
    """
    told, last, what = 0, "", ""
    for _ in range(TRIES):
        found = _Listing(path, stall_s)
        for inner in islice(found.items(), told, None):
            told, last = told + 1, inner.path or last
            yield inner
        what = found.fault
        if not found.killed:
            break
    if what:
        after = f" after {last}" if last else ""
        yield Inner("", f"not listed in full: {what}{after}; damaged or made to mislead, needs a specialist")


class _Listing:
    """One process that lists an image."""

    def __init__(self, path: Path, stall_s: float) -> None:
        self._path, self._stall_s = path, stall_s
        #: why it did not come to its end, "" when it did
        self.fault = ""
        #: something ended it by SIGKILL, which no fault in it does
        self.killed = False

    def items(self) -> Iterator[Inner]:
        # -P: a file called pytsk3.py in the current folder may be evidence and must not run (rule A9)
        program = "from vidreview.images.walk import main; main()"
        with subprocess.Popen(
            [sys.executable, "-P", "-c", program, os.fspath(self._path)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            assert process.stdout is not None
            try:
                for record in _records(process.stdout, self._stall_s):
                    if record.get("done"):
                        return
                    yield Inner(record["path"], record["reason"])
                status = process.wait(timeout=10)
                self.killed = status == -signal.SIGKILL
                self.fault = "the file system crashed its reader" if status else "listing it ended without a result"
            except (TimeoutError, subprocess.TimeoutExpired):
                self.fault = f"listing it said nothing for {self._stall_s:g} s"
            finally:
                process.kill()


def _records(pipe: IO[bytes], stall_s: float) -> Iterator[dict[str, Any]]:
    """Lines of JSON as they come; raises TimeoutError when none does for a while."""
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        deadline = time.monotonic() + stall_s
        while True:
            if not selector.select(max(deadline - time.monotonic(), 0)):
                raise TimeoutError
            piece = os.read(pipe.fileno(), 1 << 16)
            if not piece:
                return
            # only a whole line is progress; an empty one says that the reader is alive
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                if line:
                    yield json.loads(line)
            deadline = time.monotonic() + stall_s


def main() -> None:
    """The other process: write one line of JSON for each thing in the image named on the command line."""
    import resource

    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        for inner in list_image(Path(sys.argv[1])):
            _say(path=inner.path, reason=inner.reason)
    except VidreviewError as error:
        _say(path="", reason=str(error).removeprefix(f"{sys.argv[1]}: "))
    except MemoryError:
        _say(path="", reason="listing it takes more memory than a sane file system would: damaged or made to mislead")
    _say(done=True)


def _say(**record: Any) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def list_image(path: Path) -> Iterator[Inner]:
    """What ``walk`` gives, in this process; raises EvidenceError when the image cannot be opened."""
    from vidreview.images.disk import DiskImage, Refused

    image = DiskImage(path)
    for label, volume in image.volumes.items():
        if isinstance(volume, Refused):
            yield Inner(label, volume.reason)
            continue
        if volume.shortened:
            yield Inner(label, volume.shortened)
        yield from _list_volume(image, volume)


def _list_volume(image: Any, volume: Any) -> Iterator[Inner]:
    from vidreview.images.disk import MAX_DEPTH, REPARSE, Node, Refused

    stack: list[tuple[str, Node | Refused | None]] = [(volume.label, None)]
    entered: set[int] = set()
    told = 0
    while stack:
        path, node = stack.pop()
        told += 1
        if told > MAX_FILES:
            yield Inner(volume.label, f"more than {MAX_FILES} files and folders; the rest is not listed")
            return
        if isinstance(node, Refused):
            yield Inner(path, node.reason)
            continue
        if node is not None and not node.folder:
            reason = _rehearse(image, volume, node)
            yield Inner(path, reason)
            continue
        if node is not None and node.inode in entered:
            yield Inner(path, "folder met before under another name: the folders form a loop; not entered again")
            continue
        if path.count("/") > MAX_DEPTH:
            yield Inner(path, f"folders more than {MAX_DEPTH} levels deep; not entered")
            continue
        entered.add(int(volume.fs.info.root_inum) if node is None else node.inode)
        try:
            children = image.listing(volume, None if node is None else node.inode)
        except EvidenceError as error:
            yield Inner(path, str(error))
            continue
        if node is not None and node.reparse and not children:
            yield Inner(path, REPARSE)
        stack += [(f"{path}/{name}" if path else name, child) for name, child in reversed(children.items())]


def _rehearse(image: Any, volume: Any, node: Any) -> str:
    """Why a file cannot be read, "" if it can.

    Its first and last bytes are read as whoever scans it will: what crashes the reader does so here.
    """
    try:
        pread = image.reader(volume, node)
        pread(min(4096, node.size), 0)
        if node.size > 4096:
            pread(1, node.size - 1)
    except OSError as error:
        return f"cannot be read in full: {error.strerror}"
    except EvidenceError as error:
        return str(error)
    return ""
