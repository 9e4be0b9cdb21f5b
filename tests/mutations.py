"""Seeded mutations of real clips: the same seed gives the same bytes, whatever the machine.

``make_samples`` cuts what is mutated out of ../shared/footage.
"""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
from av.bitstream import BitStreamFilterContext

#: name → clip, container, what becomes of the bit stream: copied, or encoded anew where the clip has another codec
SAMPLES: dict[str, tuple[str, str, str]] = {
    "h264.mp4": ("one-by-one-person-detection.mp4", "mp4", "copy"),
    "h264-front.mp4": ("car-detection.mp4", "mp4", "copy"),
    "h264-frag.mp4": ("one-by-one-person-detection.mp4", "mp4", "copy"),
    "h264.mkv": ("one-by-one-person-detection.mp4", "matroska", "copy"),
    "h264-late.mkv": ("porch_vfr.mkv", "matroska", "copy"),
    "h264.avi": ("one-by-one-person-detection.mp4", "avi", "libx264"),
    "h264.ts": ("one-by-one-person-detection.mp4", "mpegts", "copy"),
    "h264.flv": ("one-by-one-person-detection.mp4", "flv", "copy"),
    "h264.asf": ("one-by-one-person-detection.mp4", "asf", "libx264"),
    "h264.dav": ("one-by-one-person-detection.mp4", "dhav", "libx264"),
    "bare.h264": ("one-by-one-person-detection.mp4", "h264", "copy"),
    "hevc.mkv": ("one-by-one-person-detection.mp4", "matroska", "libx265"),
    "bare.h265": ("one-by-one-person-detection.mp4", "hevc", "libx265"),
    "mjpeg.avi": ("one-by-one-person-detection.mp4", "avi", "mjpeg"),
    "bare.mjpeg": ("one-by-one-person-detection.mp4", "mjpeg", "mjpeg"),
    "mpeg4.mp4": ("one-by-one-person-detection.mp4", "mp4", "mpeg4"),
    "mpeg2.mpg": ("one-by-one-person-detection.mp4", "mpeg", "mpeg2video"),
}
#: Packets of each sample: some two seconds of footage.
PACKETS = 20
_ANNEX_B = ("avi", "mpegts", "h264")
_MUXER = {
    "h264-front.mp4": {"movflags": "faststart"},
    "h264-frag.mp4": {"movflags": "frag_keyframe+empty_moov"},
}
_ENCODER = {
    "libx264": {"preset": "veryfast", "crf": "30", "bf": "0", "g": "8", "x264-params": "repeat-headers=1"},
    "libx265": {"preset": "ultrafast", "crf": "32", "x265-params": "keyint=8:bframes=0:log-level=none:pools=1"},
    "mjpeg": {"q:v": "20", "qmin": "20", "qmax": "20"},
    "mpeg4": {"g": "8", "q:v": "12"},
    "mpeg2video": {"g": "8", "q:v": "12"},
}


def make_samples(clips: Path, folder: Path) -> dict[str, Path]:
    """Cut the first packets of real clips into each container; name → path."""
    made = {}
    for name, (clip, container, codec) in SAMPLES.items():
        path = folder / name
        if codec == "copy":
            _copy(clips / clip, path, container, _MUXER.get(name, {}))
        elif container == "dhav":
            _encode(clips / clip, folder / "bare", "h264", codec)
            path.write_bytes(dahua(folder / "bare"))
        else:
            _encode(clips / clip, path, container, codec)
        made[name] = path
    return made


def _copy(source: Path, path: Path, container: str, muxer: dict[str, str]) -> None:
    with av.open(str(source)) as original, av.open(str(path), "w", format=container, options=muxer) as output:
        stream = original.streams.video[0]
        copy = output.add_stream_from_template(stream)
        # these want start codes, where MP4 and Matroska have lengths
        annex_b = BitStreamFilterContext("h264_mp4toannexb", stream) if container in _ANNEX_B else None
        packets = (packet for packet in original.demux(stream) if packet.size)
        for packet in itertools.islice(packets, PACKETS):
            for out in annex_b.filter(packet) if annex_b else [packet]:
                out.stream = copy
                output.mux(out)


def _encode(source: Path, path: Path, container: str, codec: str) -> None:
    with av.open(str(source)) as original, av.open(str(path), "w", format=container) as output:
        # MPEG-2 knows few rates
        stream = output.add_stream(codec, rate=25 if codec == "mpeg2video" else 10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 192, 108
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.options = _ENCODER[codec]
        for number, picture in enumerate(original.decode(video=0)):
            if number == PACKETS:
                break
            frame = picture.reformat(192, 108, stream.pix_fmt)
            frame.pts, frame.time_base = number, 1 / stream.codec_context.framerate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def dahua(bare: Path) -> bytes:
    """A bare H.264 stream of 10 pictures a second as a Dahua recording: each picture between a header and a trailer."""
    parts = []
    with av.open(str(bare), format="h264") as original:
        for number, packet in enumerate(p for p in original.demux(video=0) if p.size):
            extra = bytes((0x80, 0, 192 // 8, 108 // 8, 0x81, 0, 2, 10))
            length = 24 + len(extra) + packet.size + 8
            date = number // 10 | 1 << 17 | 3 << 22 | 24 << 26  # seconds, day, month, years from 2000
            kind = 0xFD if packet.is_keyframe else 0xFC
            head = (
                b"DHAV" + bytes((kind, 0, 0, 0)) + struct.pack("<IIIHB", number, length, date, number * 100, len(extra))
            )
            parts += [head, bytes((sum(head) & 0xFF,)), extra, bytes(packet), b"dhav", struct.pack("<I", length)]
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Mutation:
    """A mutated file and what was done to it."""

    seed: str
    kind: str
    data: bytes


def mutate(data: bytes, seed: str) -> Mutation:
    """One mutation of the bytes, drawn by ``seed``."""
    rng = random.Random(seed)
    kind = rng.choice(sorted(KINDS))
    out = bytearray(data)
    KINDS[kind](out, rng)
    return Mutation(seed, kind, bytes(out))


def _header_bytes(out: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 2, 8))):
        out[rng.randrange(min(len(out), 2048))] = rng.randrange(256)


def _bit_flips(out: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 10, 60))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


#: What stands beside sizes: names of boxes, elements, chunks, tags and packets of the containers.
_SIZE_MARKS = (
    *(b"moov", b"trak", b"stsz", b"stts", b"stco", b"mdat", b"moof", b"trun", b"avcC", b"stsd"),
    *(b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x16\x54\xae\x6b", b"\xa3"),
    *(b"RIFF", b"LIST", b"00dc", b"strh", b"\x36\x26\xb2\x75", b"\x09\x00", b"DHAV", b"\xff\xc0"),
    *(b"\x00\x00\x01\xe0", b"\x00\x00\x01\xba", b"\x47\x41\x00"),
)
#: The same of times.
_TIME_MARKS = (
    *(b"stts", b"ctts", b"mdhd", b"mvhd", b"tfdt", b"elst", b"\x2a\xd7\xb1", b"\x44\x89", b"\xe7", b"\xa3"),
    *(b"strh", b"avih", b"\xa1\xdc\xab\x8c", b"\x09\x00\x00", b"DHAV", b"\x00\x00\x01\xe0", b"\x00\x00\x01\xba"),
)


def _sizes(out: bytearray, rng: random.Random) -> None:
    """An absurd number where something says how long it is."""
    # a size stands before the name of a box, and behind those of the others
    at = max(0, min(len(out) - 8, _near(out, _SIZE_MARKS, rng) + rng.choice((-4, 1, 4, 8, 12))))
    size = rng.choice((0, 1, 7, 0x7FFFFFFF, 0xFFFFFFFF, rng.getrandbits(32)))
    struct.pack_into(rng.choice((">I", "<I")), out, at, size)


def _times(out: bytearray, rng: random.Random) -> None:
    """An absurd number where times stand."""
    at = max(0, min(len(out) - 8, _near(out, _TIME_MARKS, rng) + rng.randrange(2, 28)))
    out[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), rng.randbytes(4)))


def _truncated(out: bytearray, rng: random.Random) -> None:
    del out[rng.randrange(1, len(out)) :]


def _zeroed(out: bytearray, rng: random.Random) -> None:
    at, length = _block(out, rng)
    out[at : at + length] = bytes(length)


def _noise(out: bytearray, rng: random.Random) -> None:
    at, length = _block(out, rng)
    out[at : at + length] = rng.randbytes(length)


def _removed(out: bytearray, rng: random.Random) -> None:
    at, length = _block(out, rng)
    del out[at : at + length]


def _doubled(out: bytearray, rng: random.Random) -> None:
    at, length = _block(out, rng)
    out[at:at] = out[at : at + length]


def _swapped(out: bytearray, rng: random.Random) -> None:
    length = min(rng.choice((188, 512, 4096, 16384)), len(out) // 4)
    blocks = len(out) // length
    a, b = (length * rng.randrange(blocks) for _ in range(2))
    out[a : a + length], out[b : b + length] = out[b : b + length], out[a : a + length]


def _appended(out: bytearray, rng: random.Random) -> None:
    length = rng.choice((1, 100, 5000, 60000))
    out += rng.choice((bytes(length), rng.randbytes(length), b"vendor tail " * (length // 12 + 1)))


def _block(out: bytearray, rng: random.Random) -> tuple[int, int]:
    length = min(rng.choice((1, 4, 64, 188, 512, 4096, 32768)), len(out) // 2)
    return rng.randrange(len(out) - length), length


def _near(out: bytearray, marks: tuple[bytes, ...], rng: random.Random) -> int:
    """One of the first places at which one of the marks stands; anywhere without one."""
    places = []
    for mark in marks:
        at, here = -1, list[int]()
        while len(here) < 20 and (at := out.find(mark, at + 1)) >= 0:
            here.append(at)
        places += [rng.choice(here)] if here else []
    return rng.choice(places) if places else rng.randrange(len(out))


KINDS: dict[str, Callable[[bytearray, random.Random], None]] = {
    "header bytes": _header_bytes,
    "bit flips": _bit_flips,
    "sizes": _sizes,
    "times": _times,
    "truncated": _truncated,
    "zeroed": _zeroed,
    "noise": _noise,
    "removed": _removed,
    "doubled": _doubled,
    "swapped": _swapped,
    "appended": _appended,
}
