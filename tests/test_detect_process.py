"""OpenCV, PyAV, numba and ONNX Runtime live in one process, whichever is imported first."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

PROGRAM = """
import {0}
import {1}
import {2}
import io
from fractions import Fraction
import numpy as np

file = io.BytesIO()
with av.open(file, "w", format="matroska") as output:
    stream = output.add_stream("mpeg4", rate=25)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for k in range(5):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * k, np.uint8), format="bgr24")
        frame.pts, frame.time_base = k, Fraction(1, 25)
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
file.seek(0)

@numba.njit
def mean(plane):
    total = 0
    for value in plane.flat:
        total += value
    return total / plane.size

with av.open(file) as source:
    for frame in source.decode(video=0):
        small = cv2.resize(frame.to_ndarray(format="bgr24"), (32, 24))
        print(round(mean(small)))
"""


@pytest.mark.parametrize("order", list(itertools.permutations(["av", "cv2", "numba"])), ids="-".join)
def test_three_libraries_in_one_process(order: tuple[str, str, str]) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(*order)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [int(line) for line in done.stdout.split()] == pytest.approx([0, 40, 80, 120, 160], abs=6)
    assert "implemented in both" not in done.stderr  # two copies of one library under one name
