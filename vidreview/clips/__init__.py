"""Derived files: clips by stream copy, copies for viewing, lossless stills, each with the record of its exhibit."""

from vidreview.clips.copy import ClipRecord, ClipRequest, cut
from vidreview.clips.packets import PacketIndex, read_index
from vidreview.clips.record import Parent, check_parent
from vidreview.clips.stills import StillRecord, StillRequest, still
from vidreview.clips.viewing import view

__all__ = [
    "ClipRecord",
    "ClipRequest",
    "PacketIndex",
    "Parent",
    "StillRecord",
    "StillRequest",
    "check_parent",
    "cut",
    "read_index",
    "still",
    "view",
]
