"""Decoded pictures into colours, one way for all: what the detector is fed and what a still shows are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from av.video.reformatter import ColorRange, Colorspace

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from vidreview.model import Pixels

#: AVFrame.colorspace (ITU-T H.273) → swscale's matrix and its name
_MATRICES: Final = {
    1: (Colorspace.ITU709, "BT.709"),
    4: (Colorspace.FCC, "FCC"),
    5: (Colorspace.ITU601, "BT.601"),
    6: (Colorspace.ITU601, "BT.601"),
    7: (Colorspace.SMPTE240M, "SMPTE 240M"),
    9: (Colorspace.BT2020, "BT.2020"),
}


@dataclass(frozen=True, slots=True)
class Colours:
    """By which matrix and range a picture's colours are made, and whether the stream declares them."""

    matrix: Colorspace
    matrix_name: str
    matrix_declared: bool
    full_range: bool
    range_declared: bool


def colours_of(frame: VideoFrame) -> Colours:
    """What a picture declares of its colours.

    A stream that declares no matrix is taken as players take it: BT.709 from 720 lines on, BT.601 below.
    """
    declared = _MATRICES.get(frame.colorspace)
    matrix, name = declared or (_MATRICES[1] if frame.height >= 720 else _MATRICES[5])
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    return Colours(matrix, name, declared is not None, full, full or frame.color_range == ColorRange.MPEG)


def to_bgr(frame: VideoFrame) -> Pixels:
    """The (height, width, 3) BGR picture, by the colour range and matrix of ``colours_of``."""
    colours = colours_of(frame)
    picture = frame.reformat(
        format="bgr24",
        src_colorspace=colours.matrix,
        dst_colorspace=colours.matrix,
        src_color_range=ColorRange.JPEG if colours.full_range else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    return cast("Pixels", picture.to_ndarray())
