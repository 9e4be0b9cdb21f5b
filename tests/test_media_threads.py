"""Several frames decoded at once give the same frames and the same ledger as one at a time, damage or not (rule A7)."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.media_samples import make
from vidreview.errors import VidreviewError
from vidreview.media import open_frames, probe

#: name, encoder, container, encoder's options
KINDS = {
    "h264": ("libx264", "mp4", {"g": "20", "bf": "2"}),
    "h264-ts": ("libx264", "ts", {"g": "20", "bf": "0"}),
    "hevc": ("libx265", "mkv", {"g": "20", "x265-params": "log-level=none"}),
    "mpeg4": ("mpeg4", "avi", {"g": "15"}),
    "mpeg2": ("mpeg2video", "mpg", {"g": "12"}),
    "mjpeg": ("mjpeg", "avi", {}),
    "vp9": ("libvpx-vp9", "webm", {"g": "20", "deadline": "realtime", "cpu-used": "8"}),
}
SEEDS = 5


def sample(folder: Path, kind: str) -> Path:
    codec, suffix, options = KINDS[kind]
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    return make(
        folder / f"{kind}.{suffix}", frames=60, codec=codec, options=options, pixel_format=pixels, size=(160, 96)
    )


def reading(path: Path, threads: int) -> list[object]:
    """Everything that a reading says: times, flags and pictures of all frames, and the ledger; or why there is none."""
    said: list[object] = []
    try:
        for stream in probe(path).streams:
            with open_frames(path, stream, threads=threads) as frames:
                for f in frames:
                    digest = hashlib.sha256(f.luma.tobytes()).hexdigest()
                    said.append((f.number, f.time, f.seconds, f.damaged, f.discontinuity, digest))
                said.append(frames.coverage())
    except VidreviewError as error:
        said.append(str(error))
    return said


def mutated(data: bytes, seed: str) -> bytes:
    """``data`` with flipped bits, a hole, noise, its end cut off, or a piece taken out."""
    rng = random.Random(seed)
    out, size = bytearray(data), len(data)
    first = size // 20
    match rng.choice(("flip", "zero", "noise", "cut", "drop")):
        case "flip":
            for _ in range(rng.choice((1, 3, 20))):
                out[rng.randrange(first, size)] ^= 1 << rng.randrange(8)
        case "cut":
            del out[rng.randrange(size // 3, size) :]
        case "drop":
            start = rng.randrange(first, size)
            del out[start : start + rng.choice((1, 188, 2000))]
        case other:
            start = rng.randrange(first, size)
            length = len(out[start : start + rng.choice((4, 64, 600, 4000))])
            out[start : start + length] = bytes(length) if other == "zero" else rng.randbytes(length)
    return bytes(out)


@pytest.mark.parametrize("kind", KINDS)
def test_sound_stream(tmp_path: Path, kind: str) -> None:
    path = sample(tmp_path, kind)
    one = reading(path, 1)
    assert len(one) == 61
    assert reading(path, 2) == reading(path, 4) == one


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_stream(tmp_path: Path, kind: str) -> None:
    path = sample(tmp_path, kind)
    whole, sound = path.read_bytes(), reading(path, 1)
    hurt = 0
    for seed in range(SEEDS):
        path.write_bytes(mutated(whole, f"{kind} {seed}"))
        one = reading(path, 1)
        hurt += one != sound
        assert reading(path, 4) == one, f"seed {seed}"
    assert hurt >= 2  # else the mutations try nothing


@pytest.mark.parametrize("kind", ["hevc", "vp9", "h264"])
def test_a_stream_that_is_cut_off(tmp_path: Path, kind: str) -> None:
    """What is left of its last packet decodes without a word, by several threads to another picture each time."""
    path = sample(tmp_path, kind)
    whole = path.read_bytes()
    for share in range(40, 100, 7):
        path.write_bytes(whole[: len(whole) * share // 100])
        one = reading(path, 1)
        assert [reading(path, threads) for threads in (2, 3, 5)] == [one] * 3, f"{share} %"


READ_ALL = """
import sys
from pathlib import Path
from tests.test_media_threads import mutated, reading
path = Path(sys.argv[1])
whole = path.read_bytes()
for seed in range(25):
    path.write_bytes(mutated(whole, f"hevc {seed}"))
    reading(path, 2)
    reading(path, 4)
"""


def test_damage_never_hangs_a_decoder_of_several_threads(tmp_path: Path) -> None:
    """What one thread of a decoder frees must not wait for Python's lock, which waits for that thread.

    A matter of chance, which a busy machine makes likely: so four processes at once, which can be killed.
    """
    options = {"g": "20", "x265-params": "log-level=none"}
    whole = make(tmp_path / "hevc.mkv", frames=60, codec="libx265", options=options, size=(320, 192)).read_bytes()
    readers = []
    for number in range(4):
        path = tmp_path / f"{number}.mkv"
        path.write_bytes(whole)
        readers.append(subprocess.Popen([sys.executable, "-c", READ_ALL, path], cwd=Path(__file__).parent.parent))
    try:
        assert [reader.wait(60) for reader in readers] == [0] * 4
    finally:
        for reader in readers:
            reader.kill()
            reader.wait()


def test_damage_that_shows_late_takes_nothing_back(tmp_path: Path) -> None:
    """Frames handed out before the damage are neither repeated nor missing after it."""
    path = sample(tmp_path, "mpeg4")
    data = bytearray(path.read_bytes())
    middle = len(data) * 3 // 5
    data[middle : middle + 400] = random.Random(1).randbytes(400)
    path.write_bytes(data)
    with open_frames(path, 0, threads=4) as frames:
        numbers = [f.number for f in frames]
        coverage = frames.coverage()
    assert coverage.frames_damaged
    assert numbers == list(range(coverage.frames_presented))


@pytest.mark.parametrize("threads", [1, 4])
def test_two_decoders_in_turns(tmp_path: Path, threads: int) -> None:
    """PyAV finds what a packet carries by identity; two decoders must not take each other's."""
    path = sample(tmp_path, "h264")
    with open_frames(path, 0, threads=threads) as a, open_frames(path, 0, threads=threads) as b:
        pairs = list(zip_longest(a, b))
        coverages = a.coverage(), b.coverage()
    assert len(pairs) == 60
    for coverage in coverages:
        assert (coverage.frames_missing, coverage.problems) == (0, ())
