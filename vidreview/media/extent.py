"""What a container says of its own extent: sizes that point beyond the end of the file mean that bytes are missing.

Only what the container states is used. Transport and program streams and bare bit streams state nothing: where one of
those was cut off between two packets, nobody can know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

#: Reads up to so many bytes at an offset.
ReadAt = Callable[[int, int], bytes]

#: Elements looked at, at most: a day and more of a camera's pictures, within some seconds.
MAX_ELEMENTS: Final = 4_000_000
#: Nobody's recording is longer in one file: a longer claim is not believed, seconds.
MAX_CLAIM_S: Final = 366 * 86400

MATROSKA: Final = "matroska,webm"

_BOXES: Final = frozenset(
    b"ftyp styp moov moof mdat mfra free skip wide uuid sidx ssix emsg prft meta pdin udta pnot PICT".split()
)
_NESTED: Final = frozenset(b"moov trak mdia minf stbl moof traf".split())
#: A table of so many pictures is made whatever the size of the file: some 100 MB.
MAX_SAMPLES: Final = 2_000_000
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
#: Matroska's elements of the first level, and those within a cluster.
_ELEMENTS: Final = frozenset(
    (
        *(_SEGMENT, _CLUSTER, 0x1A45DFA3, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1C53BB6B, 0x1941A469, 0x1043A770),
        *(0x1254C367, 0xEC, 0xBF, 0xE7, 0x5854, 0xA7, 0xAB, 0xA3, 0xA0, 0xAF),
    )
)
_ASF_DATA: Final = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
_ASF_OBJECTS: Final = frozenset(
    bytes.fromhex(guid)
    for guid in (
        "3026b2758e66cf11a6d900aa0062ce6c",
        _ASF_DATA.hex(),
        "90080033b1e5cf1189f400a0c90349cb",
        "d329e2d6da35d111903400a0c90349be",
    )
)
#: Bytes that are searched at once for the next Dahua frame, and the kinds of frame that hold pictures.
_SEARCH: Final = 1 << 16
_DAHUA_PICTURES: Final = (0xFC, 0xFD)


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a container reaches by its own word, bytes of the file."""

    #: where it ends: beyond the end of the file when bytes are missing, 0 where nothing is said
    reach: int = 0
    #: the first byte at which no element stands where one should, None while each follows on the one before
    broken: int | None = None
    #: bytes that are there to hold pictures and sound and nothing else, None where they may hold anything, or nothing
    media: int | None = None


def extent(read: ReadAt, begin: int, end: int, container: str) -> Extent:
    """How far the container reaches that begins at byte ``begin`` of a file of ``end`` bytes.

    ``container`` is FFmpeg's name for it. Reads headers only, and at most ``MAX_ELEMENTS`` of them.
    """
    walk = _WALKS.get(container)
    return walk(read, begin, end) if walk else Extent()


def _boxes(read: ReadAt, begin: int, end: int) -> Extent:
    """MP4: boxes at the top level."""
    position, media, fragments, broken = begin, 0, False, None
    for _ in range(MAX_ELEMENTS):
        header = read(16, position)
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if len(header) < 8 or header[4:8] not in _BOXES or length < 8:
            broken = position if header and fragments else None
            break
        if header[4:8] == b"mdat":
            media += min(length, end - position) - (16 if header[:4] == b"\0\0\0\1" else 8)
        fragments |= header[4:8] == b"moof"
        position += length
        if position > end:
            break
    # without fragments cameras reserve room beforehand, and leave some of it
    return Extent(position, broken, media if fragments else None)


def absurd_samples(read: ReadAt, begin: int, end: int) -> int:
    """Pictures that the index of an MP4 file declares without room for them in the file; 0 where it is not absurd.

    The index may say "as many as you like, all of one size" in twelve bytes, and FFmpeg makes a table of them.
    """
    handler, stack = b"", [(begin, end)]
    for _ in range(MAX_ELEMENTS):
        if not stack:
            break
        position, stop = stack.pop()
        header = read(24, position)
        length = int.from_bytes(header[:4], "big")
        if position + 8 > stop or len(header) < 24:
            continue
        small = 16 if length == 1 else 8
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if length < small:
            continue
        stack.append((position + length, stop))
        kind, count = header[4:8], 0
        if kind in _NESTED:
            stack.append((position + small, min(stop, position + length)))
        elif kind == b"hdlr":
            handler = header[16:20]
        elif kind == b"stsz" and handler == b"vide" and any(header[12:16]):
            count = int.from_bytes(header[16:20], "big")
        elif kind == b"trun":
            count = int.from_bytes(header[12:16], "big")
        if count > max(MAX_SAMPLES, end - begin):
            return count
    return 0


def _elements(read: ReadAt, begin: int, end: int) -> Extent:
    """Matroska: the elements of its segments and clusters."""
    position, reach = begin, begin
    segment: int | None = None
    cluster: int | None = None
    for _ in range(MAX_ELEMENTS):
        if position == cluster:
            cluster = None
        if position == segment:
            segment = None
        if position >= end:
            break
        header = read(12, position)
        name, width = _number(header, keep_marker=True)
        size, size_width = _number(header[width:], keep_marker=False)
        unknown = size == (1 << 7 * size_width) - 1
        after = position + width + size_width + (0 if unknown else size)
        within = min((bound for bound in (segment, cluster) if bound is not None), default=after)
        if name not in _ELEMENTS or not size_width or after > within or (unknown and name not in (_SEGMENT, _CLUSTER)):
            # what follows on the last segment is no part of it
            last = segment is None and reach > begin
            return Extent(reach, None if last or end - position < 12 else position)
        if name == _SEGMENT:
            segment = None if unknown else after
        elif name == _CLUSTER:
            cluster = None if unknown else after
        reach = max(reach, after)
        position = position + width + size_width if name in (_SEGMENT, _CLUSTER) else after
    return Extent(reach)


def _number(data: bytes, *, keep_marker: bool) -> tuple[int, int]:
    """An EBML number of variable length, and how many bytes it takes: 0 when there is none."""
    if not data or not data[0]:
        return 0, 0
    width = 9 - data[0].bit_length()
    if len(data) < width:
        return 0, 0
    value = int.from_bytes(data[:width], "big")
    return (value if keep_marker else value & ((1 << 7 * width) - 1)), width


def _riff(read: ReadAt, begin: int, end: int) -> Extent:
    """AVI: one RIFF chunk after another."""
    position, reach = begin, begin
    for _ in range(MAX_ELEMENTS):
        header = read(12, position)
        if len(header) < 12 or header[:4] != b"RIFF" or header[8:12] not in (b"AVI ", b"AVIX"):
            break
        size = int.from_bytes(header[4:8], "little")
        reach = position + 8 + size
        position = reach + size % 2
    return Extent(reach)


def _objects(read: ReadAt, begin: int, end: int) -> Extent:
    """ASF: objects at the top level."""
    position = begin
    for _ in range(MAX_ELEMENTS):
        header = read(24, position)
        size = int.from_bytes(header[16:24], "little")
        if len(header) < 24 or header[:16] not in _ASF_OBJECTS or size < 24:
            # a recording that was never closed has a data object of size 0
            return Extent(position, None if header[:16] in (b"", _ASF_DATA) else position)
        position += size
        if position > end:
            break
    return Extent(position)


def _tags(read: ReadAt, begin: int, end: int) -> Extent:
    """Flash video: tags, each followed by its length."""
    position = begin + int.from_bytes(read(4, begin + 5), "big") + 4
    for _ in range(MAX_ELEMENTS):
        header = read(11, position)
        if not header:
            break
        if len(header) < 11:
            return Extent(position + 11)
        if header[0] & 0x1F not in (8, 9, 18):
            return Extent(position, position)
        position += 11 + int.from_bytes(header[1:4], "big") + 4
        if position > end:
            break
    return Extent(position)


def _dahua(read: ReadAt, begin: int, end: int) -> Extent:
    """Dahua: frames, each of which says its length at its head and at its end; there may be padding between them."""
    position, reach = begin, begin
    for _ in range(MAX_ELEMENTS):
        header = read(24, position)
        if not header.startswith(b"DHAV"):
            header = read(_SEARCH, position)
            at = header.find(b"DHAV")
            if at < 0:
                if len(header) < _SEARCH:
                    break
                position += _SEARCH - 3
                continue
            position, header = position + at, header[at:]
        length = max(24, int.from_bytes(header[12:16], "little"))
        reach = position + length
        if reach > end:
            break
        if header[4] in _DAHUA_PICTURES and read(8, reach - 8) != b"dhav" + length.to_bytes(4, "little"):
            return Extent(reach, position)
        position = reach
    return Extent(reach)


_WALKS: Final = {
    "mov,mp4,m4a,3gp,3g2,mj2": _boxes,
    MATROSKA: _elements,
    "avi": _riff,
    "asf": _objects,
    "flv": _tags,
    "dhav": _dahua,
}


def matroska_rest(
    claimed: Fraction, covered: Fraction, start: Fraction, interval: Fraction, present: Fraction
) -> Fraction:
    """Seconds that a Matroska file claims beyond its last frame.

    Its duration may be counted from time zero or from the first timestamp, ``start``: by different writers. ``covered``
    is the time from the first frame to the end of the last, ``present`` the share of the file's bytes that are there.
    """
    from_first, from_zero = claimed - covered, claimed - covered - start
    if claimed < start + interval:
        return from_first  # counted from zero it would end before it begins
    if present == 1 or from_zero <= 0:
        return min(from_first, from_zero)
    return min((from_zero, from_first), key=lambda rest: abs(covered / (covered + rest) - present))
