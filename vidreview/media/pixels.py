"""The luma plane of a picture, without a copy where the decoder has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import numpy as np

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


def luma(frame: VideoFrame) -> Pixels:
    """The (height, width) luma of a picture: a view of the decoder's own plane where it has one, else a conversion."""
    if frame.format.name in LUMA_FIRST:
        plane = frame.planes[0]
        stride, height = plane.line_size, frame.height
        if stride >= frame.width:
            # the array keeps the plane, and the plane the picture, alive
            return np.frombuffer(memoryview(plane), np.uint8, stride * height).reshape(height, stride)[:, : frame.width]
    return cast(Pixels, frame.reformat(format="gray").to_ndarray())
