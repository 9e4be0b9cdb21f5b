"""The process in which exhibits are decoded: it may crash, hang or run out of memory, and costs one exhibit (rule A10).

Started as ``python -P -m vidreview.pipeline.child``: -P keeps Python from importing what lies in the folder in which an
examiner works, which may be the evidence (rule A9). It is told what to do on its standard input, by the process that
started it, and answers on its standard output; see ``messages``.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from typing import BinaryIO, Final

from vidreview.process import die_with_parent

HEADER: Final = struct.Struct("<I")
#: words in the name of a runtime that works on a graphics card
_CARDS: Final = ("CUDA", "Tensorrt", "ROCM", "MIGraphX", "Dml", "cuda")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a child is told first."""

    #: known name or path of the detector's weights, None for the default
    model: str | None
    settings: object
    #: a detector that was made elsewhere, instead of one made here
    detector: object | None
    #: processor threads of the detector, None to let it choose
    threads: int | None
    #: bytes of memory beyond what it needs to be ready, None for no limit
    memory: int | None


def read_frame(file: BinaryIO) -> bytes | None:
    """The next frame of a pipe, None at its end."""
    head = file.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    (size,) = HEADER.unpack(head)
    data = file.read(size)
    return data if len(data) == size else None


def frame(data: bytes) -> bytes:
    """Bytes as a frame."""
    return HEADER.pack(len(data)) + data


def main() -> None:
    """Work until the input ends."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of a terminal; ours is told by its end
    source = os.fdopen(os.dup(0), "rb")
    answers = os.dup(1)
    # whatever a library prints must not come between the messages
    os.dup2(2, 1)
    path = read_frame(source)
    if path is None:
        return
    sys.path[:] = pickle.loads(path)
    data = read_frame(source)
    if data is None:
        return
    setup: Setup = pickle.loads(data)
    with contextlib.suppress(BrokenPipeError):
        _work(setup, source, answers)


def _work(setup: Setup, source: BinaryIO, answers: int) -> None:
    from vidreview import __version__
    from vidreview.detect.factory import load_detector
    from vidreview.errors import VidreviewError
    from vidreview.index.rows import printable
    from vidreview.pipeline.exhibit import scan_exhibit
    from vidreview.pipeline.messages import Crashed, Hello, Message, Unfit, pack

    def say(message: Message) -> None:
        left = memoryview(frame(pack(message)))
        while left:
            left = left[os.write(answers, left) :]

    try:
        detector = setup.detector or load_detector(setup.model, setup.settings, setup.threads)  # type: ignore[arg-type]
    except VidreviewError as error:
        say(Unfit(printable(str(error))))
        return
    # a graphics card's driver reserves address space as it likes, far beyond what is used
    card = any(word in detector.runtime for word in _CARDS)  # type: ignore[attr-defined]
    _limit(None if card else setup.memory)
    say(Hello(detector.name, detector.sha256, detector.runtime, __version__))  # type: ignore[attr-defined]
    while (data := read_frame(source)) is not None:
        try:
            for message in scan_exhibit(pickle.loads(data), detector):  # type: ignore[arg-type]
                say(message)
        except BrokenPipeError:
            raise
        except MemoryError:
            say(Crashed(f"needs more memory than it may have ({_mebibytes(setup.memory)})"))
            return
        except Exception as error:  # noqa: BLE001  whatever it is, it costs this exhibit and no other
            if os.environ.get("VIDREVIEW_TRACEBACK"):
                import traceback

                traceback.print_exc()
            say(Crashed(printable(f"internal error: {type(error).__name__}: {error}")))
            return


def _mebibytes(memory: int | None) -> str:
    return "the machine's" if memory is None else f"{memory >> 20} MiB"


def _limit(memory: int | None) -> None:
    """Bound what this process may use from now on: memory, and no file may be written, a core dump least of all."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # files, not pipes; Python turns the signal into an OSError
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if memory is not None:
        with contextlib.suppress(OSError, ValueError), open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
            now = int(file.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + memory, now + memory))


if __name__ == "__main__":
    main()
