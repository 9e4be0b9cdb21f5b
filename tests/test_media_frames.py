"""Frames: exact times, pictures without a copy, a ledger that adds up, whatever the file is like."""

from __future__ import annotations

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media_samples import make, pack_b_frames, pattern, remux, turn
from vidreview.colours import to_bgr
from vidreview.errors import EvidenceError, MediaError
from vidreview.media import open_frames, probe
from vidreview.media.pixels import luma
from vidreview.model import Coverage, Frame, StreamInfo


def read(path: Path, stream: StreamInfo | int = 0) -> tuple[list[Frame], Coverage]:
    """All frames and the ledger, with what must hold of every stream checked."""
    with open_frames(path, stream) as frames:
        found = list(frames)
        coverage = frames.coverage(3)
    states = coverage.analysed_s + coverage.undecodable_s + coverage.gap_s + coverage.not_requested_s
    assert states == pytest.approx(coverage.duration_s, abs=1e-9)
    assert coverage.frames_presented == len(found)
    assert coverage.frames_damaged == sum(f.damaged for f in found)
    assert coverage.detector_frames == 3
    assert [f.number for f in found] == list(range(len(found)))
    assert all(a.seconds <= b.seconds for a, b in pairwise(found))
    assert not found or found[0].seconds == 0
    return found, coverage


def kinds(coverage: Coverage) -> set[str]:
    return {problem.kind for problem in coverage.problems}


def test_plain_stream_keeps_exact_ticks(tmp_path: Path) -> None:
    """Rule B1."""
    path = make(tmp_path / "a.mp4", frames=30)
    found, coverage = read(path)
    base = found[0].time.time_base
    assert [f.time.pts * base for f in found] == [Fraction(n, 25) for n in range(30)]
    assert [f.seconds for f in found] == [n / 25 for n in range(30)]
    assert (coverage.duration_s, coverage.analysed_s, coverage.problems) == (1.2, 1.2, ())
    assert not any(f.discontinuity or f.damaged for f in found)


def test_start_time_other_than_zero(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", pts=[5000 + 40 * n for n in range(20)], time_base=Fraction(1, 1000))
    found, coverage = read(path)
    assert found[0].time.pts == 5000
    assert found[-1].seconds == pytest.approx(0.76)
    assert coverage.duration_s == pytest.approx(0.8)


def test_variable_rate_time_comes_from_timestamps(tmp_path: Path) -> None:
    """Rule B1: never frame number over rate."""
    ticks = [0, 40, 80, 120, 160, 560, 960, 1360, 1760, 1800, 1840]
    path = make(tmp_path / "a.mkv", pts=ticks, time_base=Fraction(1, 1000))
    info = probe(path).streams[0]
    assert info.variable_rate
    found, coverage = read(path, info)
    assert [f.time.pts for f in found] == ticks
    assert coverage.gap_s == 0
    assert coverage.analysed_s == pytest.approx(1.88)


def test_b_frames_come_in_presentation_order_and_none_is_lost_at_the_end(tmp_path: Path) -> None:
    """A new decode generator per call loses the last frames at the end of the file."""
    path = make(tmp_path / "a.mp4", frames=31, options={"preset": "veryfast", "bf": "3", "g": "12"})
    found, coverage = read(path)
    assert len(found) == 31
    assert [f.seconds for f in found] == pytest.approx([n / 25 for n in range(31)])
    assert coverage.frames_missing == 0
    assert coverage.problems == ()


def test_packed_b_frames_do_not_step_back(tmp_path: Path) -> None:
    """Packed B-frame AVIs give non-monotonic frame.pts."""
    plain = make(tmp_path / "b.avi", frames=60, codec="mpeg4", options={"bf": "2", "g": "12"})
    packed = pack_b_frames(plain, tmp_path / "packed.avi")
    with av.open(str(packed)) as container:
        raw = [f.pts for f in container.decode(video=0)]
    assert any(b < a for a, b in pairwise(raw) if a is not None and b is not None)
    found, coverage = read(packed)
    assert len(found) >= 59
    assert "non-monotonic" in kinds(coverage)
    assert coverage.undecodable_s == 0
    assert coverage.duration_s == pytest.approx(60 / 25, abs=0.15)


def test_gap_is_time_without_frames(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=40)
    ticks = [40 * n + (30000 if n >= 20 else 0) for n in range(40)]
    found, coverage = read(remux(source, tmp_path / "gap.mkv", ticks))
    assert found[20].seconds == pytest.approx(30.8)
    assert [f.number for f in found if f.discontinuity] == [20]
    assert coverage.gap_s == pytest.approx(30.0)
    assert coverage.analysed_s == pytest.approx(1.6)
    gaps = [p for p in coverage.problems if p.kind == "gap"]
    assert len(gaps) == 1
    assert gaps[0].at_s == pytest.approx(0.76)


def test_two_streams_are_both_read(tmp_path: Path) -> None:
    """Rule C2."""
    path = make(tmp_path / "two.mkv", streams=2)
    info = probe(path)
    assert [s.index for s in info.streams] == [0, 1]
    first, _ = read(path, 0)
    second, _ = read(path, info.streams[1])
    assert len(first) == len(second) == 30
    assert np.abs(first[3].luma.astype(int) - second[3].luma).max() > 50


@pytest.mark.parametrize("width", [96, 98, 102, 162, 322])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p", "yuv422p"])
def test_luma_is_a_view_of_the_decoders_plane(tmp_path: Path, width: int, pixel_format: str) -> None:
    path = make(tmp_path / "a.mkv", size=(width, 50), pixel_format=pixel_format, frames=3)
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
    view = luma(picture)
    assert view.shape == (50, width)
    assert view.__array_interface__["data"][0] == picture.planes[0].buffer_ptr
    assert not view.flags.owndata
    expected = np.frombuffer(bytes(picture.planes[0]), np.uint8).reshape(50, -1)[:, :width]
    np.testing.assert_array_equal(view, expected)
    reference = pattern(0, width, 50)[:, :, 0].astype(float) * 219 / 255 + 16
    assert np.abs(view - reference).mean() < 6


@pytest.mark.parametrize(
    ("codec", "pixel_format"),
    [("libx264", "yuv420p10le"), ("ffv1", "bgr0"), ("ffv1", "gray10le"), ("rawvideo", "yuyv422")],
)
def test_other_pixel_formats_are_converted(tmp_path: Path, codec: str, pixel_format: str) -> None:
    path = make(tmp_path / "a.mkv", codec=codec, pixel_format=pixel_format, frames=4, options={})
    found, _ = read(path)
    assert len(found) == 4
    assert found[0].luma.shape == (64, 96)
    assert found[0].luma.dtype == np.uint8
    assert np.corrcoef(found[0].luma.ravel(), pattern(0, 96, 64)[:, :, 1].ravel())[0, 1] > 0.98
    assert np.abs(found[0].to_bgr().astype(int) - pattern(0, 96, 64)).mean() < 8


def test_frames_outlive_the_file(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=12)
    with open_frames(path, 0) as frames:
        kept = list(frames)
    copies = [f.luma.copy() for f in kept]
    del frames
    read(path)
    for frame, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(frame.luma, copy)
        assert frame.to_bgr().shape == (64, 96, 3)


def yuv(y: int, u: int, v: int, *, matrix: int, full: bool, height: int = 64) -> av.VideoFrame:
    """A picture of one colour, given as the stream would store it."""
    frame = av.VideoFrame(64, height, "yuv420p")
    for plane, value in zip(frame.planes, (y, u, v), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.colorspace = matrix
    frame.color_range = 2 if full else 1
    return frame


@pytest.mark.parametrize(
    ("y", "u", "v", "matrix", "full", "bgr"),
    [
        # red, by the equations of BT.601, BT.709 and BT.2020, in limited and full range
        (81, 90, 240, 6, False, (0, 0, 255)),
        (63, 102, 240, 1, False, (0, 0, 255)),
        (74, 97, 240, 9, False, (0, 0, 255)),
        (76, 85, 255, 6, True, (0, 0, 254)),
        (54, 99, 255, 1, True, (0, 0, 254)),
        # greys: only the range matters
        (16, 128, 128, 6, False, (0, 0, 0)),
        (235, 128, 128, 1, False, (255, 255, 255)),
        (16, 128, 128, 6, True, (16, 16, 16)),
        (235, 128, 128, 1, True, (235, 235, 235)),
    ],
)
def test_bgr_honours_range_and_matrix(
    y: int, u: int, v: int, matrix: int, full: bool, bgr: tuple[int, int, int]
) -> None:
    picture = to_bgr(yuv(y, u, v, matrix=matrix, full=full))
    assert np.abs(picture[20, 20].astype(int) - bgr).max() <= 3


def test_bgr_without_a_declared_matrix_follows_the_picture_height() -> None:
    small = to_bgr(yuv(81, 90, 240, matrix=2, full=False))
    large = to_bgr(yuv(63, 102, 240, matrix=2, full=False, height=720))
    assert np.abs(small[20, 20].astype(int) - (0, 0, 255)).max() <= 3
    assert np.abs(large[20, 20].astype(int) - (0, 0, 255)).max() <= 3


def test_bgr_of_full_range_jpeg_format() -> None:
    frame = yuv(235, 128, 128, matrix=6, full=True).reformat(format="yuvj420p")
    assert np.abs(to_bgr(frame)[20, 20].astype(int) - 235).max() <= 1


def test_rotation_leaves_stored_geometry(tmp_path: Path) -> None:
    for degrees in (90, 180, 270):
        path = turn(make(tmp_path / f"{degrees}.mp4", size=(96, 64), frames=5), degrees)
        info = probe(path).streams[0]
        assert (info.rotation, info.width, info.height) == (degrees, 96, 64)
        found, _ = read(path, info)
        assert found[0].luma.shape == (64, 96)


def test_change_of_picture_size_is_a_discontinuity(tmp_path: Path) -> None:
    small = make(tmp_path / "a.ts", frames=10, container="mpegts", size=(96, 64))
    large = make(tmp_path / "b.ts", frames=10, container="mpegts", size=(128, 80))
    (tmp_path / "both.ts").write_bytes(small.read_bytes() + large.read_bytes())
    found, coverage = read(tmp_path / "both.ts")
    shapes = [f.luma.shape for f in found]
    assert shapes[0] == (64, 96)
    assert shapes[-1] == (80, 128)
    changed = next(i for i, s in enumerate(shapes) if s == (80, 128))
    assert found[changed].discontinuity
    assert "geometry" in kinds(coverage)


def test_stopping_early_leaves_the_rest_not_requested(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=50)
    with open_frames(path, 0) as frames:
        for frame in frames:
            if frame.number == 19:
                break
        coverage = frames.coverage()
    assert coverage.analysed_s == pytest.approx(0.8)
    assert coverage.not_requested_s == pytest.approx(1.2)
    assert coverage.duration_s == pytest.approx(2.0)


def test_no_such_stream(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=5)
    with pytest.raises(MediaError, match="no video stream with index 4"):
        open_frames(path, 4)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match=r"nothing\.mp4: cannot be opened"):
        open_frames(tmp_path / "nothing.mp4", 0)


def test_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(EvidenceError, match="not a regular file"):
        open_frames(tmp_path / "pipe.mp4", 0)


def test_reading_leaves_the_file_alone(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=10)
    path.chmod(0o444)
    os.utime(path, ns=(10**18, 10**18))
    before = path.stat()
    read(path)
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_atime_ns) == (
        before.st_mtime_ns,
        before.st_size,
        before.st_atime_ns,
    )
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_stream_reads_the_same_every_time(tmp_path: Path) -> None:
    """Rule A7: FFmpeg's frame threads give other pictures from run to run on damaged streams; the default does not."""
    path = make(tmp_path / "a.mp4", frames=60, size=(320, 240), muxer={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    for at in range(data.index(b"mdat") + 200, len(data), 701):
        data[at] ^= 0x10
    path.write_bytes(data)
    first, coverage = read(path)
    second, again = read(path)
    assert coverage == again
    assert coverage.frames_damaged > 0
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.luma, b.luma)
