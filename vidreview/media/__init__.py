"""Exhibit → streams, packets, timed frames; damage counted, never hidden."""

from __future__ import annotations

from vidreview.media.frames import Frames, open_frames
from vidreview.media.probe import probe

__all__ = ["probe", "open_frames", "Frames"]
