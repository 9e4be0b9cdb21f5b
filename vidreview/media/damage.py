"""Faults of single packets and frames, merged into the stretches that a person can look up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from vidreview.media.timeline import LISTED
from vidreview.model import Problem

#: Different reasons that are told of one stretch.
REASONS: Final = 3

#: Codecs in whose pictures no such run of zeros can stand, but for padding at the end and before a start code.
_WITHOUT_ZEROS: Final = frozenset(("h264", "hevc", "mpeg4", "mpeg2video", "mjpeg"))
_ZEROS: Final = bytes(64)
#: A run that ends neither there, nor in a start code.
_WIPED: Final = re.compile(rb"\0{64}\0*[^\0\1]")


def wiped(codec: str, data: bytes) -> bool:
    """True when a picture holds a run of zeros that its codec never writes: wiped, or never written to disk."""
    if codec not in _WITHOUT_ZEROS or _ZEROS not in data:
        return False
    # a JPEG header holds whatever its maker likes
    start = max(0, data.find(b"\xff\xda")) if codec == "mjpeg" else 0
    return _WIPED.search(data, start) is not None


class Sent(NamedTuple):
    """What is remembered of a packet."""

    #: as the file gives it, None without one
    pts: int | None
    #: where in the exhibit's file it lies, None where the container does not tell
    byte: int | None


@dataclass(slots=True)
class _Stretch:
    at_s: float | None
    pts: int | None
    end_pts: int | None
    byte: int | None
    count: int
    reasons: list[str]


class Stretches:
    """Merges neighbours; the first stretches are kept one by one, those beyond are only counted."""

    def __init__(self, kind: str, text: str, unit: str) -> None:
        """``text`` says what is wrong with so many of ``unit``."""
        self.kind, self.text, self.unit = kind, text, unit
        self._listed: list[_Stretch] = []
        self._last = -2
        self._stretches = 0
        #: packets or frames in all
        self.count = 0

    def add(self, number: int, at: Sent, at_s: float | None, reason: str = "") -> None:
        """One more, numbered in ascending order; it goes to the stretch that its predecessor is in."""
        neighbour, self._last = number == self._last + 1, number
        self.count += 1
        self._stretches += not neighbour
        if not neighbour and self._stretches <= LISTED:
            self._listed.append(_Stretch(at_s, at.pts, at.pts, at.byte, 0, []))
        if self._stretches > LISTED:
            return
        stretch = self._listed[-1]
        stretch.count += 1
        if at.pts is not None:
            # packets are in decoding order
            stretch.pts = at.pts if stretch.pts is None else min(stretch.pts, at.pts)
            stretch.end_pts = at.pts if stretch.end_pts is None else max(stretch.end_pts, at.pts)
        if stretch.byte is None:
            stretch.byte = at.byte
        if reason and reason not in stretch.reasons and len(stretch.reasons) < REASONS:
            stretch.reasons.append(reason)

    def problems(self) -> list[Problem]:
        """Each stretch with its place; then how many more there are."""
        found = []
        for one in self._listed:
            why = f": {'; '.join(one.reasons)}" if one.reasons else ""
            reason = f"{one.count} {self.unit}(s) {self.text}{why}"
            found.append(Problem(self.kind, reason, one.at_s, one.pts, one.end_pts, one.byte))
        if self._stretches > LISTED:
            more = self.count - sum(one.count for one in self._listed)
            text = f"{more} more {self.unit}(s) {self.text}, in {self._stretches - LISTED} more places"
            found.append(Problem(self.kind, text))
        return found
