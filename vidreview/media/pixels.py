"""Pictures as arrays: the luma plane without a copy, colours only when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from vidreview.model import Pixels

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

#: 8-bit formats whose first plane is the luma, one byte a pixel.
LUMA_FIRST: Final = frozenset(
    (
        *("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuv440p", "yuvj440p"),
        *("yuv411p", "yuvj411p", "yuv410p", "yuva420p", "yuva422p", "yuva444p"),
        *("nv12", "nv21", "nv16", "nv24", "nv42", "gray", "gray8"),
    )
)

#: AVFrame.colorspace (ITU-T H.273) → swscale's matrices.
_MATRICES: Final = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
}
_FULL_RANGE: Final = 2


def luma(frame: VideoFrame) -> Pixels:
    """The (height, width) luma of a picture: a view of the decoder's own plane where it has one, else a conversion."""
    if frame.format.name in LUMA_FIRST:
        plane = frame.planes[0]
        stride, height = plane.line_size, frame.height
        if stride >= frame.width:
            # the array keeps the plane, and the plane the picture, alive
            return np.frombuffer(memoryview(plane), np.uint8, stride * height).reshape(height, stride)[:, : frame.width]
    return cast(Pixels, frame.reformat(format="gray").to_ndarray())


def to_bgr(frame: VideoFrame) -> Pixels:
    """The (height, width, 3) BGR picture, by the colour range and matrix that the stream declares.

    A stream that declares no matrix is taken as players take it: BT.709 from 720 lines on, BT.601 below.
    """
    matrix = _MATRICES.get(frame.colorspace) or (Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601)
    full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
    picture = frame.reformat(
        format="bgr24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    return cast(Pixels, picture.to_ndarray())
