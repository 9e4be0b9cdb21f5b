"""Faults of single packets and frames, merged into the stretches that a person can look up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from vidreview.media.timeline import LISTED
from vidreview.model import Problem

#: Different reasons that are told of one stretch.
REASONS: Final = 3

#: Codecs in whose pictures no such run of zeros can stand, but for padding at the end and before a start code.
_WITHOUT_ZEROS: Final = frozenset(("h264", "hevc", "mpeg4", "mpeg2video", "mjpeg"))
_ZEROS: Final = bytes(64)
#: The end of one JPEG picture and the beginning of the next.
_JPEG_TO_JPEG: Final = b"\xff\xd9\xff\xd8\xff"


def spoilt(codec: str, data: bytes) -> str:
    """Why a packet cannot be whole though it may decode without a word; empty when nothing speaks against it."""
    if codec == "mjpeg" and data.count(_JPEG_TO_JPEG) >= 2:  # two are the fields of an interlaced picture
        return "several pictures in one"
    if codec in _WITHOUT_ZEROS and _ZEROS in data:
        # a JPEG header holds whatever its maker likes
        start = max(0, data.find(b"\xff\xda")) if codec == "mjpeg" else 0
        if _zeros_within(data, start):
            return "a run of zeros that no picture has, wiped or never written"
    return ""


def _zeros_within(data: bytes, start: int) -> bool:
    """A long run of zeros with something behind it that is no start code."""
    while (at := data.find(_ZEROS, start)) >= 0:
        start = len(data) - len(data[at:].lstrip(b"\0"))
        if start < len(data) and data[start] != 1:
            return True
    return False


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
