"""Stills: one exact frame as a lossless picture, and what was done to its colours (rule D3)."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import cv2

from vidreview.clips.packets import REORDER, Opener, PacketIndex, read_index
from vidreview.clips.record import Parent, make_folder, write_bytes, write_manifest
from vidreview.colours import colours_of, to_bgr
from vidreview.errors import MediaError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from vidreview.model import Pixels

_ROTATIONS: Final = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
#: zlib level of PNG; lossless whatever it is
_COMPRESSION: Final = 3


@dataclass(frozen=True, slots=True)
class StillRequest:
    """Which frame of which stream."""

    #: what the file is named after: "E0007"
    name: str
    #: index within the container
    stream: int
    pts: int
    #: seconds on the stream's time line
    seconds: float
    #: number of the presented frame
    frame: int
    #: False where the exhibit holds no timestamps and PTS are the reader's own
    timed: bool = True
    #: clockwise degrees a player turns the picture by
    rotation: int = 0
    #: width/height of a pixel
    sample_aspect: Fraction = Fraction(1)
    #: the packet, where it is known already; ``frame`` and ``pts`` are then not looked up
    packet: int | None = None


@dataclass(frozen=True, slots=True)
class StillRecord:
    """A still that was written, the second one for display where there is one, and their record."""

    path: Path
    sha256: str
    #: turned and with square pixels; None where the stored picture is that already
    display: Path | None
    display_sha256: str | None
    manifest: Path
    manifest_sha256: str
    #: what the record says
    document: dict[str, Any]


def still(
    opener: Opener,
    parent: Parent,
    request: StillRequest,
    folder: Path,
    *,
    index: PacketIndex | None = None,
    origin: dict[str, Any] | None = None,
) -> StillRecord:
    """Decode one frame and write it as PNG at stored geometry, with a record beside it.

    The frame is the very one that the packet with the PTS decodes to, or an error. ``index`` and ``origin`` as for
    ``cut``; the caller has checked the exhibit with ``check_parent``.
    Raises EvidenceError, MediaError when the frame cannot be decoded, and CaseError.
    """
    index = index or read_index(opener, parent.path, request.stream)
    packet = request.packet
    if packet is None:
        packet = index.place(opener, request.pts, request.frame, request.timed)
    frame = _decode(opener, index, packet)
    if frame is None:
        raise MediaError(f"{parent.path}: the frame at PTS {request.pts} ({request.seconds:.3f} s) cannot be decoded")
    picture = to_bgr(frame)
    make_folder(folder)
    final = folder / f"{request.name}.png"
    sha256 = write_bytes(final, _png(picture))
    shown, how = for_display(picture, request.rotation, request.sample_aspect)
    display, display_sha256 = None, None
    if shown is not None:
        display = folder / f"{request.name}_display.png"
        display_sha256 = write_bytes(display, _png(shown))
    document = {
        "kind": "still",
        "method": "the decoder's picture at stored geometry, lossless",
        "event": request.name,
        "exhibit": parent.to_json(),
        "stream": index.to_json(),
        "frame": {"pts": request.pts, "seconds": round(request.seconds, 6), "packet": packet}
        | {"key": bool(frame.key_frame), "flagged_as_damaged": bool(frame.is_corrupt)},
        "timestamps": "the exhibit's"
        if request.timed and index.pts[packet] == request.pts
        else "the exhibit gives none for this frame: from its neighbours or the rate of the stream",
        "decoder": {"name": index.codec, "libavcodec": _version("libavcodec"), "libswscale": _version("libswscale")},
        "colour": _colour_record(frame),
        "still": {"file": final.name, "sha256": sha256, "width": picture.shape[1], "height": picture.shape[0]},
        "display": None if display is None else {"file": display.name, "sha256": display_sha256, "made_by": how},
    }
    manifest = folder / f"{request.name}.json"
    manifest_sha256 = write_manifest(manifest, document | (origin or {}))
    return StillRecord(final, sha256, display, display_sha256, manifest, manifest_sha256, document)


def _decode(opener: Opener, index: PacketIndex, packet: int) -> VideoFrame | None:
    """The picture of a packet, decoded from the key frame before it; from the start of the stream if that fails.

    Where the stretch is damaged the decoder fills in from whatever came before: then too from the start, as a scan did.
    """
    key = index.first_for(opener, packet)
    if key:
        frame, damaged = _decode_from(opener, index, key, packet)
        if frame is not None and not damaged:
            return frame
    return _decode_from(opener, index, 0, packet)[0]


def _decode_from(opener: Opener, index: PacketIndex, first: int, packet: int) -> tuple[VideoFrame | None, bool]:
    """The picture of a packet, and whether anything from packet ``first`` up to it was damaged."""
    damaged = False
    last = min(len(index) - 1, packet + REORDER)  # no picture comes out later than that
    with closing(index.decode(opener, first, last)) as decoded:
        for _, frames in decoded:
            damaged = damaged or frames is None
            for frame in frames or ():
                damaged = damaged or bool(frame.is_corrupt)
                if frame.opaque == [packet]:
                    return frame, damaged
    return None, damaged


def _colour_record(frame: VideoFrame) -> dict[str, Any]:
    """By which colour range and matrix the picture is made, for the record (rule D3)."""
    colours = colours_of(frame)
    return {
        "pixel_format": frame.format.name,
        "matrix": colours.matrix_name,
        "matrix_declared": colours.matrix_declared,
        "range": "full" if colours.full_range else "limited",
        "range_declared": colours.range_declared,
        "declared_codes": {
            "colorspace": int(frame.colorspace),
            "range": int(frame.color_range),
            "primaries": int(frame.color_primaries),
            "transfer": int(frame.color_trc),
        },
    }


def for_display(picture: Pixels, rotation: int, aspect: Fraction) -> tuple[Pixels | None, str]:
    """The picture with square pixels, by shrinking the longer way (rule D4: never enlarged), and turned."""
    height, width = picture.shape[:2]
    shown: Any = picture
    how = []
    if aspect > 0 and aspect != 1:
        size = (width, max(1, round(height / aspect))) if aspect > 1 else (max(1, round(width * aspect)), height)
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        how.append(
            f"pixels of {aspect.numerator}:{aspect.denominator} made square, {width}x{height} to {size[0]}x{size[1]}"
        )
    if rotation in _ROTATIONS:
        shown = cv2.rotate(shown, _ROTATIONS[rotation])
        how.append(f"turned {rotation} degrees clockwise")
    return (shown, "; ".join(how)) if how else (None, "")


def _png(picture: Pixels) -> bytes:
    encoded, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not encoded:
        raise MediaError(f"a picture of {picture.shape[1]}x{picture.shape[0]} cannot be written as PNG")
    return data.tobytes()


def _version(library: str) -> str:
    return ".".join(str(part) for part in av.library_versions[library])
