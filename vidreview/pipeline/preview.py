"""Best first: where packets are large something moves, so that is looked at before the stream is scanned in order.

An encoder spends bytes on what has changed. The sizes of packets are known a hundred times faster than their pictures,
and tell which seconds of a long recording are worth the first look. What such a look finds is provisional: the scan in
order, which sees every frame, comes after it in any case, knows nothing of it, and replaces it. So a scan that looks
best first ends with the same index as one that does not.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av.error
import numpy as np
from numpy.typing import NDArray

from vidreview.clips.packets import NONE, PacketIndex, demux, find_stream, prepare, read_index
from vidreview.colours import to_bgr
from vidreview.detect import Detector
from vidreview.errors import MediaError
from vidreview.events import appearance, assemble
from vidreview.media.pixels import luma
from vidreview.media.probe import MAX_PIXELS
from vidreview.media.source import Source
from vidreview.model import Event, Frame, MediaTime, StreamInfo
from vidreview.pipeline.ahead import ahead
from vidreview.pipeline.stream import GateWalk, StreamWalk, frames_ahead
from vidreview.settings import ScanSettings

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

#: a stretch reaches from so long before its busiest second to so long after it, seconds
BEFORE_S, AFTER_S = 3, 2
#: so much of a stream is looked at beforehand: this share of it, and seconds at the most
MOST_SHARE, MOST_S = 0.06, 1800.0
#: what a second of a stream ordinarily costs is the median of so many seconds about it
ORDINARY_S = 600
#: a second is busy when it costs so many times as much more than that as seconds ordinarily differ by
BUSY = 6.0
#: what has been going on longer than this is looked at again, seconds
LONGEST_S = 60
#: of a stream with gaps longer than this altogether nothing is looked at beforehand, seconds
LONGEST_STREAM_S = 60 * 86400
#: problems with which a stream's times do not tell where in the file a picture lies
_UNSURE = frozenset(("reset", "clock-step", "missing-time", "bad-time", "non-monotonic", "no-timestamps"))


@dataclass(frozen=True, slots=True)
class Stretch:
    """Seconds of a stream in which something seems to move, counted from its first packet in order of presentation."""

    start_s: int
    end_s: int
    #: bytes that its busiest second costs more than an ordinary one
    excess: float


def preview(path: Path, stream: StreamInfo, settings: ScanSettings, detector: Detector) -> Iterator[list[Event]]:
    """The provisional events of the busiest stretches of a stream, a list for each stretch in which there is one.

    Ends early where the file does not give what it gave before, and gives nothing where the stream cannot be entered in
    the middle; what is damaged is the scan's to report. Raises EvidenceError when the file cannot be read.
    """
    if stream.start_pts is None or any(p.kind in _UNSURE for p in stream.problems):
        return
    try:
        index = read_index(Source, path, stream.index)
        if not index.seekable() or NONE in index.pts:
            return
        pictures = _Pictures(path, stream, index)
        for stretch in stretches(index):
            walk = StreamWalk(stream, settings, detector, keep=False)
            with ahead(GateWalk(pictures.of(stretch), settings), frames_ahead(stream)) as watched:
                tracks = [track for item in watched for track in walk.step(item)]
            tracks += walk.finish()
            seen = [a for k, track in enumerate(tracks) if (a := appearance(k, track)) is not None]
            if seen:
                yield assemble(seen, stream.time_base, settings.merge_gap_s)
    except (MediaError, av.error.FFmpegError):
        return


def stretches(index: PacketIndex) -> list[Stretch]:
    """The busiest stretches of a stream, busiest first; none overlaps another."""
    spent = spent_each_second(index)
    if not len(spent):
        return []
    excess = np.empty_like(spent)
    busy = np.zeros(len(spent), np.bool_)
    for start in range(0, len(spent), ORDINARY_S):
        # the last block is as long as the others: it begins earlier
        first = max(0, min(start, len(spent) - ORDINARY_S))
        block = spent[first : first + ORDINARY_S]
        ordinary = float(np.median(block))
        differ = 1.4826 * float(np.median(np.abs(block - ordinary)))
        part = slice(start, start + ORDINARY_S)
        excess[part] = spent[part] - ordinary
        busy[part] = excess[part] > max(BUSY * differ, 0.1 * ordinary)
    found: list[Stretch] = []
    left = min(MOST_S, max(2.0 * (BEFORE_S + AFTER_S), MOST_SHARE * len(spent)))
    free = busy.copy()
    for second in np.lexsort((np.arange(len(spent)), -excess)).tolist():
        if left <= 0 or not busy[second]:
            break
        if not free[second]:
            continue
        free[_run(busy, second)] = False
        stretch = Stretch(max(0, second - BEFORE_S), min(len(spent), second + AFTER_S), float(excess[second]))
        found.append(stretch)
        left -= stretch.end_s - stretch.start_s
    return found


def spent_each_second(index: PacketIndex) -> NDArray[np.float64]:
    """Bytes of the pictures of each second, (seconds,): Σ sizes of other than key pictures · pictures / other pictures.

    Key pictures cost much whatever moves; where there are no others, they count. Empty for a stream of absurd length.
    """
    # as floats, which hold no absurd number too many
    pts = np.array(index.pts, np.float64)
    sizes = np.array(index.sizes, np.float64)
    others = np.frombuffer(bytes(index.keys), np.uint8) == 0
    if not others.any():
        others = np.ones(len(others), np.bool_)
    exact = (pts - pts.min()) * float(index.time_base)
    if exact.max() > LONGEST_STREAM_S:
        return np.zeros(0)
    seconds = exact.astype(np.int64)
    spent = np.bincount(seconds, np.where(others, sizes, 0.0))
    shares = np.bincount(seconds, others) / np.maximum(1, np.bincount(seconds))
    return np.divide(spent, shares, out=np.zeros(len(spent)), where=shares > 0)


def _run(busy: NDArray[np.bool_], second: int) -> slice:
    """The seconds about a busy one that belong to the same bustle: to the next quiet one, within ``LONGEST_S``."""
    low, high = second, second + 1
    while low > 0 and busy[low - 1] and second - low < LONGEST_S // 2:
        low -= 1
    while high < len(busy) and busy[high] and high - second < LONGEST_S // 2:
        high += 1
    # the stretch itself reaches further where the bustle is short
    return slice(max(0, min(low, second - BEFORE_S - AFTER_S)), max(high, second + BEFORE_S + AFTER_S))


class _Pictures:
    """The frames of any stretch of a stream."""

    def __init__(self, path: Path, stream: StreamInfo, index: PacketIndex) -> None:
        self.path, self.stream, self.index = path, stream, index
        self._pts = np.array(index.pts, np.int64)
        self._start = int(self._pts.min())

    def of(self, stretch: Stretch) -> Iterator[Frame]:
        """Its frames in order, from the first after its key picture on that lies in it."""
        ticks = [self._start + int(s / self.stream.time_base) for s in (stretch.start_s, stretch.end_s)]
        inside = np.flatnonzero((self._pts >= ticks[0]) & (self._pts < ticks[1])).tolist()
        if not inside:
            return
        first, last = self.index.key_before(inside[0]), inside[-1]
        if first is None:
            return
        number = 0
        with Source(self.path) as source:
            context = prepare(find_stream(source, self.path, self.stream.index))
            context.options = {"max_pixels": str(MAX_PIXELS)}
            for packet in chain(self._packets(source, first, last), (None,)):
                for picture in _decode(context, packet):
                    if picture.pts is not None and ticks[0] <= picture.pts < ticks[1]:
                        yield self._frame(picture, number)
                        number += 1

    def _packets(self, source: Source, first: int, last: int) -> Iterator[Packet[Any]]:
        """The packets from ``first`` to ``last``; raises MediaError when the file gives others than before."""
        index = self.index
        stream = find_stream(source, self.path, index.stream)
        source.container.seek(index.dts[first], stream=stream)
        ordinal, begun = -1, False
        for packet in demux(source.container, stream):
            if ordinal < 0:
                ordinal = min(bisect_left(index.dts, packet.dts if packet.dts is not None else NONE), first + 1)
            if not index.same(packet, ordinal) or (ordinal > first and not begun):
                raise MediaError(f"{self.path}: packet {ordinal} of stream {index.stream} reads differently")
            if ordinal >= first:
                begun = True
                yield packet
            if ordinal == last:
                return
            ordinal += 1

    def _frame(self, picture: VideoFrame, number: int) -> Frame:
        time = MediaTime(int(picture.pts or 0), self.stream.time_base)
        return Frame(
            number=number,
            time=time,
            seconds=float((time.pts - self._start) * self.stream.time_base),
            luma=luma(picture),
            damaged=bool(picture.is_corrupt),
            to_bgr=partial(to_bgr, picture),
        )


def _decode(context: Any, packet: Packet[Any] | None) -> Sequence[VideoFrame]:
    try:
        pictures: Sequence[VideoFrame] = context.decode(packet)
    except (av.error.FFmpegError, OSError, ValueError):
        return ()
    return pictures
