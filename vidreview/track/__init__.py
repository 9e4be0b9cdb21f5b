"""Detections and motion blobs → tracks, over elapsed seconds.

Two witnesses feed a track. A blob says that something is there and where; a detection says what it is. A track
therefore begins when its object begins to show, which is often before the detector first names it, and goes on where
the detector misses it. Association is in two rounds, sure detections first, then weak ones (Zhang et al., *ByteTrack*,
ECCV 2022), over elapsed seconds because frames are irregular.

``vidreview.track.follow`` is for detections alone, of every frame of a whole sequence at once; a scan does without it.
"""

from vidreview.track.judge import Verdicts
from vidreview.track.link import link
from vidreview.track.tracker import Tracker

__all__ = ["Tracker", "Verdicts", "link"]
