"""Files inside disk images are hashed in a process apart: a hostile file system may crash or stall its reader (A10).

Started as ``python -P -m vidreview.pipeline.apart``, and spoken to as ``child`` is.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Final

import msgspec

from vidreview.errors import EvidenceError
from vidreview.evidence import Exhibit, Found, check_acquired, identify
from vidreview.index.rows import printable
from vidreview.model import Digest
from vidreview.pipeline.child import HEADER, frame, read_frame
from vidreview.process import die_with_parent, package_path

#: a reader that dies without saying why may have been killed by something else: so often it is asked
TRIES: Final = 3
#: seconds in which nothing was read, after which it is given up
SILENCE_S: Final = 120.0
#: how often the one who waits is asked whether it still wants to, seconds
ASK_S: Final = 0.5
#: bytes between two words of how far it is
TELL: Final = 32 << 20


class Known(msgspec.Struct, frozen=True, tag=True):
    """What a file is."""

    size: int
    mtime_ns: int
    digests: list[tuple[str, str]]


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What was found wrong, empty when nothing."""

    fault: str


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """Why it could not be read."""

    reason: str


class Reading(msgspec.Struct, frozen=True, tag=True):
    """Something more has been read."""


Said = Known | Answer | Unreadable | Reading
_DECODER: Final = msgspec.msgpack.Decoder(Said)


class Apart:
    """The process apart, started when it is first needed and again when it died."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        """``wanted`` is asked now and then whether whoever waits still does."""
        self._wanted = wanted
        self._process: subprocess.Popen[bytes] | None = None

    def identify(self, found: Found, algorithms: frozenset[str]) -> Exhibit:
        """As ``evidence.identify``; also raises EvidenceError when reading the file ends its process."""
        said = self._ask(("identify", found, algorithms))
        assert isinstance(said, Known)
        digest, *others = [Digest(algorithm, value) for algorithm, value in said.digests]
        return Exhibit(found.path, found.name, said.size, said.mtime_ns, digest, tuple(others))

    def check_acquired(self, found: Found) -> str:
        """As ``evidence.check_acquired``."""
        said = self._ask(("acquired", found, frozenset()))
        assert isinstance(said, Answer)
        return said.fault

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    assert pipe is not None
                    pipe.close()
            process.wait()

    def _ask(self, request: tuple[str, Found, frozenset[str]]) -> Known | Answer:
        for left in reversed(range(TRIES)):
            try:
                said = self._say(request)
                break
            except (OSError, ValueError, TimeoutError) as error:
                self.close()
                silent = isinstance(error, TimeoutError)
                if left and not silent:
                    continue
                why = f"was read without a word for {SILENCE_S:g} s" if silent else f"crashed, {TRIES} times"
                raise EvidenceError(
                    f"{request[1].path}: the reader of its disk image {why}; damaged or made to mislead, needs a "
                    "specialist"
                ) from error
        if isinstance(said, Unreadable):
            raise EvidenceError(f"{request[1].path}: {said.reason}")
        return said

    def _say(self, request: tuple[str, Found, frozenset[str]]) -> Known | Answer | Unreadable:
        """Ask once; raises OSError or ValueError when the process dies over it, TimeoutError when it says nothing."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(frame(pickle.dumps(request)))
        process.stdin.flush()
        while isinstance(said := self._hear(process.stdout), Reading):
            pass
        return said

    def _hear(self, pipe: IO[bytes]) -> Said:
        """The next word; raises ValueError at the end of the pipe."""
        # counted in waits, not by the clock: what was stopped together with its reader, by Ctrl-Z, has not waited
        silent_s = 0.0
        data = bytearray()
        need = HEADER.size
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while len(data) < need:
                if not selector.select(ASK_S):
                    if not self._wanted():
                        raise EvidenceError("the scan was ended")
                    silent_s += ASK_S
                    if silent_s > SILENCE_S:
                        raise TimeoutError
                    continue
                piece = os.read(pipe.fileno(), need - len(data))
                if not piece:
                    raise ValueError("the process ended")
                data += piece
                if len(data) == HEADER.size and need == HEADER.size:
                    need += HEADER.unpack(data)[0]
        said: Said = _DECODER.decode(data[HEADER.size :])
        return said

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "vidreview.pipeline.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": package_path()},
        )
        return self._process


def main() -> None:
    """The other process: answer until the input ends."""
    import resource

    from vidreview.images.walk import MEMORY

    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; ours is told by its end
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    source, answers = os.fdopen(os.dup(0), "rb"), os.dup(1)
    os.dup2(2, 1)
    read = 0

    def say(said: Said) -> None:
        os.write(answers, frame(msgspec.msgpack.encode(said)))

    def progress(count: int) -> None:
        nonlocal read
        read += count
        if read >= TELL:
            read = 0
            say(Reading())

    while (data := read_frame(source)) is not None:
        what, found, algorithms = pickle.loads(data)
        try:
            if what == "identify":
                exhibit = identify(found, progress, algorithms=algorithms)
                digests = [(one.algorithm, one.value) for one in (exhibit.digest, *exhibit.others)]
                say(Known(exhibit.size, exhibit.mtime_ns, digests))
            else:
                say(Answer(check_acquired(found, progress)))
        except EvidenceError as error:
            reason = str(error).removeprefix(f"{found.path}: ")
            say(Unreadable(printable(reason)))
        except MemoryError:
            say(Unreadable("reading it takes more memory than a sane file system would: damaged or made to mislead"))


if __name__ == "__main__":
    main()
