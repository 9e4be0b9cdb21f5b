"""Viewing copies: every frame of a stretch re-encoded for any browser, at its own time (rule D2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av

from vidreview.clips.copy import ClipRecord, ClipRequest
from vidreview.clips.encode import CRF, KEY_EVERY, PRESET, X264, Canvas, Planes, Sheet, Tags, encode, read_back
from vidreview.clips.packets import NONE, Opener, PacketIndex, read_index
from vidreview.clips.pictures import Stretch, survey
from vidreview.clips.record import Parent, hash_file, make_folder, put_in_place, write_manifest
from vidreview.clips.times import Times, lay

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

#: what a viewing copy says of itself, in its file and its manifest
PURPOSE: Final = "viewing copy, re-encoded; the evidence is {name}_copy, cut by stream copy, and the exhibit"
#: Paints on one picture: its number within the copy, and the picture at stored geometry; gives the one to go on with.
Painter = Callable[[int, Planes], Planes]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A stretch, looked through and laid out: what each kind of copy of it is made from."""

    opener: Opener
    parent: Parent
    stretch: Stretch
    times: Times
    canvas: Canvas
    tags: Tags

    @property
    def request(self) -> ClipRequest:
        """What was asked for."""
        return self.stretch.request

    def seconds(self, number: int) -> float:
        """When a picture of the copy is shown, on the stream's time line."""
        ahead = self.times.offsets[number] - self.times.offsets[self.stretch.start]
        return self.request.start_s + float(ahead * self.stretch.index.time_base)

    @property
    def shown_aspect(self) -> Fraction:
        """Width/height of a pixel of the copy, which is turned."""
        aspect = self.request.sample_aspect if self.request.sample_aspect > 0 else Fraction(1)
        return 1 / aspect if self.request.rotation % 180 else aspect

    def tick(self, number: int) -> int | None:
        """The exhibit's PTS of a picture of the copy, None where it gives none."""
        return self.stretch.ticks(self.stretch.packets[number : number + 1])[0]

    def pictures(self) -> Iterator[Planes]:
        """Every picture at stored geometry on the canvas, as decoded."""
        for decoded in self.stretch.pictures(self.opener):
            yield self.canvas.place(decoded.frame)


def prepare_copy(opener: Opener, parent: Parent, request: ClipRequest, index: PacketIndex | None = None) -> Prepared:
    """Look through a stretch once: its pictures, their times, sizes and damage.

    Raises EvidenceError, and MediaError where nothing of it can be decoded or no MP4 file can hold its times.
    """
    index = index or read_index(opener, parent.path, request.stream)
    stretch = survey(opener, index, request)
    around = stretch.ticks(stretch.before), stretch.ticks(stretch.after)
    times = lay(stretch.ticks(), index.time_base, _interval(index, request), around)
    first = next(stretch.pictures(opener)).frame
    tags = Tags.of(first, stretch.formats)
    return Prepared(opener, parent, stretch, times, Canvas.around(stretch.sizes, request.rotation), tags)


def _interval(index: PacketIndex, request: ClipRequest) -> int:
    """Ticks that one picture ordinarily stands for; by the event's own pace where the packets do not tell it."""
    frames = request.last_frame - request.first_frame
    pace = round(Fraction(request.end_s - request.start_s) / index.time_base / frames) if frames > 0 else 0
    if pace <= 0:
        return index.interval
    return min(pace, index.interval) if request.timed else pace


def view(
    opener: Opener,
    parent: Parent,
    request: ClipRequest,
    folder: Path,
    *,
    index: PacketIndex | None = None,
    origin: dict[str, Any] | None = None,
    prepared: Prepared | None = None,
) -> ClipRecord:
    """Re-encode a stretch as ``NAME_VIEW.mp4``, with a manifest that holds every frame's time in exhibit and copy.

    It begins with the very frame that was asked for, and every frame keeps its time. ``index`` and ``origin`` as for
    ``cut``, ``prepared`` what ``prepare_copy`` gave; the caller has checked the exhibit with ``check_parent``.
    Raises EvidenceError, MediaError where nothing can be decoded or MP4 cannot hold the times, and CaseError.
    """
    ready = prepared or prepare_copy(opener, parent, request, index)
    comment = PURPOSE.format(name=request.name)
    return write_copy(ready, folder, "VIEW", "viewing copy", comment, origin=origin)


def write_copy(
    ready: Prepared,
    folder: Path,
    suffix: str,
    kind: str,
    comment: str,
    *,
    paint: Painter | None = None,
    paint_shown: Painter | None = None,
    band: int = 0,
    check: Callable[[int, VideoFrame], object] = lambda *_: None,
    more: Callable[[], dict[str, Any]] = dict,
    origin: dict[str, Any] | None = None,
) -> ClipRecord:
    """Encode, read back and name a copy, then its manifest.

    ``paint`` works on each picture at stored geometry, ``paint_shown`` on the turned one, to which it adds ``band``
    rows below; ``check`` sees each picture
    that is read back, and ``more`` gives what the manifest says beyond that of a viewing copy.
    """
    request, parent = ready.request, ready.parent
    make_folder(folder)
    final = folder / f"{request.name}_{suffix}.mp4"
    temporary = final.with_name(final.name + ".part")
    width, height = ready.canvas.shown
    height += band
    aspect = ready.shown_aspect
    title = f"{request.name}_{suffix}: {kind}, not evidence"
    sheet = Sheet(temporary, width, height, aspect, ready.tags, ready.times, title, comment)

    def painted() -> Iterator[Planes]:
        for number, picture in enumerate(ready.pictures()):
            shown = (paint(number, picture) if paint else picture).turned(request.rotation)
            yield paint_shown(number, shown) if paint_shown else shown

    try:
        encode(sheet, painted())
        compared = read_back(temporary, ready.times, check)
        sha256, size = hash_file(temporary), temporary.stat().st_size
        put_in_place(temporary, final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    file = {"file": final.name, "sha256": sha256, "size": size, "width": width, "height": height}
    file |= {"sample_aspect": f"{aspect.numerator}/{aspect.denominator}"} | compared
    document = _document(ready, parent, kind, comment, file) | more()
    document |= {"frames": _frames(ready)}
    manifest = folder / f"{request.name}_{suffix}.json"
    return ClipRecord(final, sha256, manifest, write_manifest(manifest, document | (origin or {})), document)


def _document(ready: Prepared, parent: Parent, kind: str, comment: str, file: dict[str, Any]) -> dict[str, Any]:
    """The manifest, but for the frames."""
    stretch, request, times = ready.stretch, ready.request, ready.times
    index = stretch.index
    ticks = stretch.ticks()
    return {
        "kind": kind,
        "method": comment,
        "event": request.name,
        "exhibit": parent.to_json(),
        "stream": index.to_json(),
        "requested": request.to_json(),
        "delivered": {
            "start_pts": ticks[0],
            "end_pts": ticks[-1],
            "start_s": round(ready.seconds(0), 6),
            "end_s": round(ready.seconds(len(stretch) - 1), 6),
            "frames": len(stretch),
            "damaged": sum(stretch.damaged),
            "packets_without_picture": len(stretch.silent),
        },
        "timestamps": _timestamps(times),
        "clip": file,
        "encoder": {
            "name": "libx264",
            "libavcodec": ".".join(str(part) for part in av.library_versions["libavcodec"]),
            "preset": PRESET,
            "crf": CRF,
            "profile": "High",
            "key_frame_every": KEY_EVERY,
            "parameters": X264,
            "pixel_format": "yuv420p",
        },
        "colour": ready.tags.record,
        "geometry": _geometry(ready),
        "sound": "none: a copy holds pictures only; sound is in the exhibit",
        "notes": [*stretch.notes, *_notes(stretch)],
    }


def _timestamps(times: Times) -> str:
    if times.rounding_s:
        exact = f"MP4 cannot hold the exhibit's ticks over so long a pause: rounded to 1/{times.scale} s"
    else:
        exact = "each frame's time after the first is the exhibit's, exactly"
    if times.made:
        exact += f"; {len(times.made)} frames have none that could be kept, see frames"
    return exact


def _geometry(ready: Prepared) -> dict[str, Any]:
    """How pictures lie in the copy; nothing is enlarged, reduced or smoothed (rule D4)."""
    stretch, canvas = ready.stretch, ready.canvas
    sizes = sorted({f"{width}x{height}" for width, height in stretch.sizes})
    said = []
    if len(sizes) > 1:
        said.append(
            f"the exhibit changes its picture size ({', '.join(sizes)}): smaller ones lie at the top left, on black"
        )
    odd = [size for size in set(stretch.sizes) if size[0] % 2 or size[1] % 2]
    if odd:
        said.append("an odd last column or row is repeated once, since 4:2:0 counts in twos")
    if canvas.rotation:
        said.append(f"turned {canvas.rotation} degrees clockwise, as players show the exhibit; every sample is kept")
    aspect = ready.request.sample_aspect
    if aspect > 0 and aspect != 1:
        said.append(f"pixels of {aspect.numerator}:{aspect.denominator} are declared, not resampled")
    return {"stored": sizes, "canvas": f"{canvas.width}x{canvas.height}", "turned": canvas.rotation, "said": said}


def _notes(stretch: Stretch) -> Iterator[str]:
    if any(stretch.damaged):
        yield f"{sum(stretch.damaged)} frames are damaged: shown as the decoder gives them, see frames"
    if stretch.silent:
        yield f"{len(stretch.silent)} packets gave no picture: nothing stands for them"
    if stretch.interlaced:
        yield f"{stretch.interlaced} frames are interlaced: both fields woven as decoded, not deinterlaced"


def _frames(ready: Prepared) -> dict[str, Any]:
    """One row a frame, under the names of its columns."""
    stretch, times = ready.stretch, ready.times
    rows = []
    for number, (tick, packet) in enumerate(zip(stretch.ticks(), stretch.packets, strict=True)):
        known = None if tick in (None, NONE) else tick
        row = [number, packet, known, times.ticks[number], round(ready.seconds(number), 6)]
        rows.append([*row, bool(stretch.damaged[number]), times.made.get(number)])
    columns = ["frame", "packet", "exhibit_pts", "copy_pts", "seconds", "damaged", "time_made"]
    return {"columns": columns, "rows": rows}
