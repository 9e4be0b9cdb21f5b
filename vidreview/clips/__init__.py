"""Derived files: clips by stream copy and lossless stills, each with the record that ties it to its exhibit."""

from vidreview.clips.copy import ClipRecord, ClipRequest, cut
from vidreview.clips.packets import PacketIndex, read_index
from vidreview.clips.record import Parent, check_parent
from vidreview.clips.stills import StillRecord, StillRequest, still

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
]
