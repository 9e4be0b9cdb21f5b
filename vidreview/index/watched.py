"""What the motion gate said of each frame, some thousand frames a blob, so that any instant can be explained (rule E3).

A frame costs a few bits where little happens. Form 1: the byte 1, then zlib of a JSON line ``{"n"}`` and the
little-endian columns pts (int64 differences), microseconds (int64 differences), level (uint16, share of the picture ·
65535), strength (uint16, hundredths), reason, blobs and looked (uint8 each).
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, NamedTuple

from vidreview.errors import CaseError
from vidreview.index.points import differences, little

#: frames of one blob, at most
BLOCK: Final = 4096
#: why the gate let a frame pass or did not, see ``model.Motion``
REASONS: Final = ("still", "motion", "whole-frame", "learning")
_COLUMNS: Final = "qqHHBBB"


class WatchedFrame(NamedTuple):
    """One presented frame, as the motion gate saw it."""

    pts: int
    #: from the stream's first presented frame
    seconds: float
    #: share of the picture's unmasked blocks that changed
    level: float
    #: change of the strongest blob, in multiples of the noise there; 0 without one
    strength: float
    reason: str
    #: connected changes, 255 for as many or more
    blobs: int
    #: the detector looked at it
    looked: bool


def pack(frames: Sequence[WatchedFrame]) -> bytes:
    """The blob of some frames."""
    microseconds = [round(frame.seconds * 1e6) for frame in frames]
    columns: list[array[Any]] = [
        array("q", differences([frame.pts for frame in frames])),
        array("q", differences(microseconds)),
        array("H", [min(65535, round(frame.level * 65535)) for frame in frames]),
        array("H", [min(65535, round(frame.strength * 100)) for frame in frames]),
        array("B", [REASONS.index(frame.reason) for frame in frames]),
        array("B", [min(255, frame.blobs) for frame in frames]),
        array("B", [frame.looked for frame in frames]),
    ]
    header = json.dumps({"n": len(frames)}).encode() + b"\n"
    return b"\x01" + zlib.compress(header + b"".join(little(column) for column in columns), 6)


class Columns(NamedTuple):
    """Frames of a blob as arrays of equal length, for looking at very many."""

    pts: Sequence[int]
    #: since the stream's first presented frame
    microseconds: Sequence[int]
    #: share of the picture that changed · 65535
    level: Sequence[int]
    #: change of the strongest blob, hundredths of the noise there
    strength: Sequence[int]
    #: index into REASONS
    reason: Sequence[int]
    blobs: Sequence[int]
    looked: Sequence[int]


def columns(blob: bytes) -> Columns:
    """The frames of a blob as arrays; raises CaseError when it is not one."""
    try:
        if blob[:1] != b"\x01":
            raise ValueError("unknown form")
        body = zlib.decompress(blob[1:])
        at = body.index(b"\n") + 1
        n = int(json.loads(body[:at])["n"])
        found: list[array[Any]] = []
        for kind in _COLUMNS:
            column = array(kind)
            column.frombytes(body[at : at + n * column.itemsize])
            if sys.byteorder == "big":
                column.byteswap()
            if len(column) != n:
                raise ValueError("too short")
            found.append(column)
            at += n * column.itemsize
        pts, microseconds, *rest = found
        return Columns(array("q", accumulate(pts)), array("q", accumulate(microseconds)), *rest)
    except (ValueError, KeyError, TypeError, IndexError, OverflowError, zlib.error) as error:
        raise CaseError(f"what the motion gate said is damaged in case.db ({error}); run 'vidreview verify'") from error


def unpack(blob: bytes) -> list[WatchedFrame]:
    """The frames of a blob; raises CaseError when it is not one."""
    try:
        return [
            WatchedFrame(tick, time / 1e6, level / 65535, strength / 100, REASONS[reason], count, bool(look))
            for tick, time, level, strength, reason, count, look in zip(*columns(blob), strict=True)
        ]
    except IndexError as error:
        raise CaseError(f"what the motion gate said is damaged in case.db ({error}); run 'vidreview verify'") from error
