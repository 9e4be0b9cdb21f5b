"""Viewing copies: every frame of a stretch, each at its exhibit's time to the tick, in a file that browsers play."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.test_clips import CODECS, OPEN_GOP, READABLE, film, parent_of, request, scanned
from vidreview.clips import ClipRecord, cut, view
from vidreview.clips.encode import Canvas, Planes, read_back
from vidreview.clips.record import hash_file
from vidreview.clips.times import MOST, lay
from vidreview.errors import CaseError, MediaError
from vidreview.media.source import Source
from vidreview.model import Frame, StreamInfo


def shown(path: Path) -> tuple[list[Fraction], list[Any]]:
    """Times in seconds and lumas of a copy, read the plainest way."""
    with av.open(str(path)) as copy:
        stream = copy.streams.video[0]
        frames = list(copy.decode(stream))
        base = stream.time_base
        assert base is not None
        return [frame.pts * base for frame in frames if frame.pts is not None], [
            frame.to_ndarray()[: frame.height] for frame in frames
        ]


def likeness(one: Any, other: Any) -> float:
    """PSNR of two lumas, dB."""
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))


def check_view(record: ClipRecord, frames: list[Frame], info: StreamInfo, first: int, last: int) -> list[Any]:
    """The copy holds exactly the frames from first to last, at the times that the scan saw; its lumas."""
    times, lumas = shown(record.path)
    wanted = frames[first : last + 1]
    assert len(times) == len(wanted)
    assert all(b > a for a, b in pairwise(times))
    stored = json.loads(record.manifest.read_bytes())
    rows = [dict(zip(stored["frames"]["columns"], row, strict=True)) for row in stored["frames"]["rows"]]
    invented = info.timed and any(row["time_made"] for row in rows)  # by the scan a little otherwise: it looks less far
    for time, row, frame in zip(times, rows, wanted, strict=True):
        since = frame.seconds - wanted[0].seconds
        if invented:
            assert float(time) == pytest.approx(since, abs=0.2)
        else:  # seconds of a scan are floats of exact ticks
            assert time == round(since / float(info.time_base)) * info.time_base
        assert row["seconds"] == pytest.approx(frame.seconds, abs=0.2 if invented else 2e-6)
    assert [row["damaged"] for row in rows] == [frame.damaged for frame in wanted]
    for row, frame in zip(rows, wanted, strict=True):
        assert row["exhibit_pts"] == frame.time.pts or (row["exhibit_pts"] is None and row["time_made"])
    assert stored["clip"]["sha256"] == record.sha256 == hash_file(record.path)
    assert record.manifest_sha256 == hash_file(record.manifest)
    for luma, frame in zip(lumas, wanted, strict=True):
        height, width = frame.luma.shape
        assert likeness(luma[:height, :width], frame.luma) > 34
    return lumas


@pytest.mark.footage
@pytest.mark.parametrize("name", READABLE)
def test_every_odd_recording_gives_a_viewing_copy_with_its_own_times(
    odd_files: Path, tmp_path: Path, name: str
) -> None:
    """Rule D2: each frame keeps its timestamp, whatever the container and the damage."""
    path = odd_files / name
    before = (hash_file(path), path.stat().st_mtime_ns)
    frames, info = scanned(path)
    third = len(frames) // 3
    for first, last in ((0, 5), (third, third + 30), (len(frames) - 3, len(frames) - 1)):
        record = view(Source, parent_of(path), request(frames, info, first, last), tmp_path)
        check_view(record, frames, info, first, last)
    assert (hash_file(path), path.stat().st_mtime_ns) == before
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.footage
@pytest.mark.parametrize("name", ["porch_vfr.mkv", "car-detection.mp4", "pets09_s2l1.mp4"])
def test_real_clips_keep_their_times_and_look_alike(footage: Path, tmp_path: Path, name: str) -> None:
    """Rule D2 on real footage: 1/1000 with an uneven rate, 1/25000, 1/10240."""
    path = footage / "clips" / name
    frames, info = scanned(path)
    first, last = 12, min(50, len(frames) - 1)
    record = view(Source, parent_of(path), request(frames, info, first, last), tmp_path)
    lumas = check_view(record, frames, info, first, last)
    alike = [likeness(luma, frame.luma) for luma, frame in zip(lumas, frames[first:], strict=False)]
    assert min(alike) > 38


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b.mp4", {"g": "12", "bf": "3"}),
        ("open.mkv", OPEN_GOP),
        ("open.ts", OPEN_GOP),
        ("open.avi", OPEN_GOP),
        ("open.h264", OPEN_GOP),
        ("b.mpg", {"g": "12", "bf": "3"}),
        ("hevc.ts", {"x265-params": "keyint=12:bframes=3:log-level=none"}),
        ("hevc.mkv", {"x265-params": "keyint=12:bframes=3:open-gop=1:log-level=none"}),
        ("mpeg4.avi", {"g": "12", "bf": "2"}),
        ("mpeg2.mpg", {"g": "12", "bf": "2"}),
        ("mjpeg.avi", {"q:v": "5"}),
        ("vp9.webm", {"g": "12", "cpu-used": "8", "deadline": "realtime"}),
    ],
)
def test_pictures_that_are_stored_in_another_order_come_in_the_order_shown(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    path = film(tmp_path / name, codec=CODECS.get(name.split(".")[0], "libx264"), options=options)
    frames, info = scanned(path)
    for first, last in ((0, 0), (3, 20), (11, 13), (13, 37), (30, 59)):
        record = view(Source, parent_of(path), request(frames, info, first, last), tmp_path / "clips")
        check_view(record, frames, info, first, last)


def test_it_begins_with_the_frame_that_was_asked_for_not_with_a_key_frame(tmp_path: Path) -> None:
    path = film(tmp_path / "b.mp4", count=120, options={"g": "50", "bf": "3"})
    frames, info = scanned(path)
    wanted = request(frames, info, 60, 70, before_s=0.2, after_s=0.12)
    record = view(Source, parent_of(path), wanted, tmp_path / "clips")
    check_view(record, frames, info, 55, 73)
    copied = cut(Source, parent_of(path), wanted, tmp_path / "clips")
    assert copied.document["delivered"]["start_s"] < record.document["delivered"]["start_s"]


def test_it_says_what_it_is_in_the_file_and_the_manifest(tmp_path: Path) -> None:
    """Rule D2: name, metadata, manifest."""
    path = film(tmp_path / "a.mkv")
    frames, info = scanned(path)
    record = view(Source, parent_of(path), request(frames, info, 5, 30), tmp_path / "clips", origin={"command": "x"})
    assert record.path.name == "E0007_VIEW.mp4"
    with av.open(str(record.path)) as copy:
        stream = copy.streams.video[0]
        assert copy.metadata["title"] == "E0007_VIEW: viewing copy, not evidence"
        assert copy.metadata["comment"].startswith("viewing copy, re-encoded; the evidence is E0007_copy")
        assert (stream.codec_context.name, stream.codec_context.profile) == ("h264", "High")
        assert stream.codec_context.pix_fmt == "yuv420p"
        keys = [packet.is_keyframe for packet in copy.demux(stream) if packet.size]
    assert keys[0] and sum(keys) >= 2
    data = record.path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    stored = json.loads(record.manifest.read_bytes())
    assert stored["kind"] == "viewing copy"
    assert stored["command"] == "x"
    assert (stored["encoder"]["name"], stored["encoder"]["crf"]) == ("libx264", 18)
    assert stored["delivered"]["frames"] == stored["clip"]["pictures_compared"] == 26


def test_the_same_copy_has_the_same_bytes_whenever_it_is_made(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv")
    frames, info = scanned(path)
    records = [view(Source, parent_of(path), request(frames, info, 5, 50), tmp_path / f"{k}") for k in range(2)]
    assert records[0].sha256 == records[1].sha256
    assert records[0].manifest_sha256 == records[1].manifest_sha256


@pytest.mark.parametrize(("matrix", "spread"), [(1, 1), (1, 2), (5, 1), (5, 2)])
def test_colours_are_tagged_as_the_exhibit_declares_them_and_samples_stay(
    tmp_path: Path, matrix: int, spread: int
) -> None:
    """Rule D3's care for range and matrix holds for viewing copies too."""
    path = film(tmp_path / "a.mkv", colours=(matrix, spread))
    frames, info = scanned(path)
    record = view(Source, parent_of(path), request(frames, info, 5, 9), tmp_path / "clips")
    with av.open(str(record.path)) as copy:
        frame = next(copy.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_range)) == (matrix, spread)
        assert np.abs(frame.to_ndarray(format="bgr24").astype(int) - frames[5].to_bgr()).mean() < 3
    check_view(record, frames, info, 5, 9)


def test_turned_pictures_are_turned_and_pixels_that_are_not_square_are_declared(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv")
    frames, info = scanned(path)
    wanted = request(frames, info, 5, 9, rotation=90, sample_aspect=Fraction(4, 3))
    record = view(Source, parent_of(path), wanted, tmp_path / "clips")
    with av.open(str(record.path)) as copy:
        frame = next(copy.decode(video=0))
        assert (frame.width, frame.height) == (64, 96)
        assert copy.streams.video[0].sample_aspect_ratio == Fraction(3, 4)
    assert likeness(frame.to_ndarray()[:96], np.rot90(frames[5].luma, -1)) > 38
    assert "turned 90 degrees clockwise" in record.document["geometry"]["said"][0]


def test_odd_sizes_gain_one_repeated_column_and_row(tmp_path: Path) -> None:
    from tests.films import wall

    path = tmp_path / "odd.mkv"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 95, 63, "yuv420p"
        for k in range(8):
            picture = np.ascontiguousarray(wall(k)[:64, :96])
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(95, 63, "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    frames, info = scanned(path)
    record = view(Source, parent_of(path), request(frames, info, 0, 7), tmp_path / "clips")
    assert (record.document["clip"]["width"], record.document["clip"]["height"]) == (96, 64)
    assert "repeated once" in record.document["geometry"]["said"][0]
    for luma, own in zip(check_view(record, frames, info, 0, 7), frames, strict=True):
        assert likeness(luma[:63, 95], own.luma[:, -1]) > 30
        assert likeness(luma[63, :95], own.luma[-1]) > 30


def test_a_picture_that_changes_its_size_keeps_its_pixels(tmp_path: Path) -> None:
    """Rule D4: no scaling; the smaller picture lies on a canvas."""
    sizes = ((96, 64), (64, 48))
    parts = []
    for width, height in sizes:
        part = tmp_path / f"{width}.h264"
        with av.open(str(part), "w", format="h264") as output:
            stream: Any = output.add_stream("libx264", rate=25, options={"g": "12", "bf": "0"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for k in range(12):
                picture = np.full((height, width, 3), 90 + 5 * k, np.uint8)
                output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            output.mux(stream.encode(None))
        parts.append(part.read_bytes())
    path = tmp_path / "two.h264"
    path.write_bytes(b"".join(parts))
    frames, info = scanned(path)
    assert {frame.luma.shape for frame in frames} == {(64, 96), (48, 64)}
    record = view(Source, parent_of(path), request(frames, info, 6, 17), tmp_path / "clips")
    lumas = check_view(record, frames, info, 6, 17)
    assert "64x48, 96x64" in record.document["geometry"]["said"][0]
    assert lumas[-1][50:, 70:].max() < 24


@pytest.mark.parametrize("form", ["yuv422p", "yuv444p", "yuv420p10le", "gray", "bgr0"])
def test_finer_colour_is_reduced_and_that_is_said(tmp_path: Path, form: str) -> None:
    from tests.films import wall

    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream: Any = output.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, form
        for k in range(4):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(wall(k)[:64, :96]), format="bgr24")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            output.mux(stream.encode(frame.reformat(format=form)))
        output.mux(stream.encode(None))
    frames, info = scanned(path)
    record = view(Source, parent_of(path), request(frames, info, 0, 3), tmp_path / "clips")
    assert record.document["colour"]["samples"].startswith("converted to 8-bit 4:2:0")
    with av.open(str(record.path)) as copy:
        for frame, own in zip(copy.decode(video=0), frames, strict=True):
            assert np.abs(frame.to_ndarray(format="bgr24").astype(int) - own.to_bgr()).mean() < 4


# ---- times


def test_times_are_the_exhibits_ticks_where_mp4_holds_them() -> None:
    for base, ticks in (
        (Fraction(1, 90000), [5, 3605, 3608, 900000]),
        (Fraction(1, 1200000), [0, 48000, 2_000_000_000]),
        (Fraction(1001, 30000), [7, 8, 11]),
        (Fraction(1, 10), [0, 1, 4]),
    ):
        times = lay(ticks, base, max(1, round(Fraction(1, 25) / base)))
        assert [Fraction(tick, times.scale) for tick in times.ticks] == [(t - ticks[0]) * base for t in ticks]
        assert not times.made
        assert times.rounding_s == 0


def test_times_beyond_mp4s_reach_are_counted_coarser_but_exactly_where_that_is_possible() -> None:
    nanoseconds = [0, 40_000_000, 600_040_000_000]  # ten minutes are more than 2**31 of them
    times = lay(nanoseconds, Fraction(1, 10**9), 40_000_000)
    assert times.scale == 25
    assert times.ticks == (0, 1, 15001)
    assert times.rounding_s == 0


def test_times_that_must_be_rounded_say_by_how_much() -> None:
    odd = [0, 40_000_001, 600_040_000_003]
    times = lay(odd, Fraction(1, 10**9), 40_000_000)
    assert 0 < times.rounding_s <= Fraction(1, 2 * times.scale)
    worst = max(abs(Fraction(t, times.scale) - Fraction(o, 10**9)) for t, o in zip(times.ticks, odd, strict=True))
    assert times.rounding_s == worst
    assert all(b - a <= MOST for a, b in pairwise(times.ticks))


def test_steps_back_duplicates_and_missing_times_are_laid_on_a_rising_line_and_named() -> None:
    second = Fraction(1, 1000)
    assert lay([None, None, 200, 240], second, 40).offsets == (0, 40, 80, 120)
    assert lay([0, None, 90], second, 40).offsets == (0, 45, 90)
    assert lay([None] * 3, second, 40).offsets == (0, 40, 80)
    twice = lay([0, 40, 40, 80], second, 40)
    assert (twice.offsets, list(twice.made)) == ((0, 40, 41, 80), [2])
    avi = lay([0, 120, 40, 80, 240, 160, 200], second, 40)
    assert (avi.offsets, list(avi.made)) == ((0, 40, 80, 120, 160, 200, 240), [1, 2, 3, 4, 5, 6])
    assert lay([0, None], second, 40, around=([], [120])).offsets == (0, 60)
    reset = lay([80000, 80040, 0, 40], second, 40)
    assert (reset.offsets, list(reset.made)) == ((0, 40, 80, 120), [2])
    alone = lay([0, 40, 900_000, 120, 160], second, 40)
    assert (alone.offsets, list(alone.made)) == ((0, 40, 80, 120, 160), [2])
    pause = lay([0, 40, 900_000, 900_040], second, 40)
    assert (pause.offsets, pause.made) == ((0, 40, 900_000, 900_040), {})


def test_a_pause_that_no_mp4_holds_is_refused_with_the_way_out() -> None:
    with pytest.raises(MediaError, match=r"cannot hold a pause of 2500000 s .* use the evidential clip"):
        lay([0, 2_500_000_001], Fraction(1, 1000), 40)


@pytest.mark.parametrize("ticks", [[0, 1, 2], [5, 3], [2**61, 0, 2**61], [None, 2**40, None, -(2**40)]])
def test_whatever_the_timestamps_the_line_rises_or_is_refused(ticks: list[int | None]) -> None:
    times = lay(ticks, Fraction(1, 90000), 3600)
    assert times.offsets[0] == times.ticks[0] == 0
    assert all(b > a for a, b in pairwise(times.ticks))


# ---- what goes wrong


def test_nothing_is_left_when_it_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mkv")
    frames, info = scanned(path)
    real = Canvas.place
    calls = iter(range(1000))

    def place(self: Canvas, frame: Any) -> Planes:
        if next(calls) == 10:
            raise KeyboardInterrupt
        return real(self, frame)

    monkeypatch.setattr(Canvas, "place", place)
    with pytest.raises(KeyboardInterrupt):
        view(Source, parent_of(path), request(frames, info, 5, 50), tmp_path / "clips")
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_full_disk_is_an_error_of_the_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mkv", count=400)
    frames, info = scanned(path)
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(CaseError, match=r"cannot write .*E0007_VIEW.mp4: File too large"):
            view(Source, parent_of(path), request(frames, info, 5, 390), tmp_path / "clips")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_copy_that_does_not_read_back_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mkv")
    frames, info = scanned(path)
    record = view(Source, parent_of(path), request(frames, info, 5, 50), tmp_path / "clips")
    other = lay([0, 40, 81], Fraction(1, 1000), 40)
    with pytest.raises(MediaError, match="picture 3 of the copy does not read back"):
        read_back(record.path, other)
    real: Callable[..., dict[str, Any]] = read_back

    def fails(*args: Any) -> dict[str, Any]:
        real(*args)
        raise MediaError("no")

    monkeypatch.setattr("vidreview.clips.viewing.read_back", fails)
    with pytest.raises(MediaError, match="no"):
        view(Source, parent_of(path), request(frames, info, 5, 50), tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


def test_evidence_inside_a_disk_image_gives_the_same_copy(tmp_path: Path) -> None:
    from tests import disk_images as disks
    from vidreview.clips import Parent

    tree = tmp_path / "tree"
    tree.mkdir()
    plain = film(tree / "a.mp4", options={"g": "12", "bf": "2"})
    image = disks.mbr(tmp_path / "disk.dd", [(1, 0x83, disks.ext(tmp_path / "x", tree).read_bytes())])
    inner = image / "p1" / "a.mp4"
    frames, info = scanned(inner)
    parent = Parent("disk.dd/p1/a.mp4", inner, plain.stat().st_size, hash_file(inner))
    before = hash_file(image)
    record = view(Source, parent, request(frames, info, 7, 30), tmp_path / "one")
    check_view(record, frames, info, 7, 30)
    assert record.document["exhibit"]["path"] == str(inner)
    outside = view(Source, parent_of(plain), request(frames, info, 7, 30), tmp_path / "two")
    assert record.sha256 == outside.sha256
    assert hash_file(image) == before


@pytest.mark.footage
def test_hevc_in_4k_keeps_its_times(footage: Path, tmp_path: Path) -> None:
    path = footage / "clips" / "ir_animal_4k.mp4"
    from vidreview.media.frames import open_frames

    with open_frames(path, 0) as opened:
        frames = [frame for frame, _ in zip(opened, range(8), strict=False)]
        info = opened.info
    record = view(Source, parent_of(path), request(frames, info, 3, 7), tmp_path)
    assert (record.document["clip"]["width"], record.document["clip"]["height"]) == (3840, 2160)
    check_view(record, frames, info, 3, 7)
