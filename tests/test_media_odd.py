"""The 26 odd or damaged recordings, and the traps measured on them (domain.md, C)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import av.error
import pytest

from vidreview.errors import MediaError
from vidreview.media import open_frames, probe
from vidreview.model import Coverage, FileInfo, Frame

pytestmark = pytest.mark.footage

#: file → frames, seconds: whole, analysed, undecodable, gap; kinds of problems
READABLE: dict[str, tuple[int, float, float, float, float, set[str]]] = {
    "avi_noindex_trunc.avi": (181, 25.0, 18.1, 6.9, 0, {"truncated", "damage"}),
    "bitflips40.mp4": (250, 25.0, 25.0, 0, 0, {"damage"}),
    "dahua.dav": (250, 25.0, 25.0, 0, 0, set()),
    "dahua_gap60s.dav": (250, 85.0, 25.0, 0, 60.0, {"gap"}),
    "frag.mp4": (250, 25.0, 25.0, 0, 0, set()),
    "gap.mkv": (250, 625.0, 25.0, 0, 600.0, {"gap"}),
    "hikvision_imkh.mp4": (250, 25.0, 25.0, 0, 0, {"missing-time"}),
    "ok.asf": (250, 25.0, 25.0, 0, 0, set()),
    "ok.avi": (250, 25.0, 25.0, 0, 0, set()),
    "ok.mp4": (250, 25.0, 25.0, 0, 0, set()),
    "ok_faststart.mp4": (250, 25.0, 25.0, 0, 0, set()),
    "player_wrapped.exe": (250, 25.0, 25.0, 0, 0, set()),
    "pts_reset.ts": (500, 50.0, 50.0, 0, 0, {"reset", "damage"}),
    "raw.264": (230, 24.3, 23.0, 1.3, 0, {"no-timestamps", "damage"}),
    "raw.h264": (250, 25.0, 25.0, 0, 0, {"no-timestamps"}),
    "raw.h265": (250, 25.0, 25.0, 0, 0, {"no-timestamps"}),
    "start5000.ts": (250, 25.0, 25.0, 0, 0, set()),
    "stream.mjpeg": (250, 10.0, 10.0, 0, 0, {"no-timestamps"}),
    "trunc_60pct_faststart.mp4": (151, 25.0, 15.1, 9.9, 0, {"truncated", "damage"}),
    "trunc_half.mkv": (120, 625.0, 12.0, 613.0, 0, {"truncated"}),
    "ts.ts": (250, 25.0, 25.0, 0, 0, set()),
    "vfr.mp4": (250, 70.0, 70.0, 0, 0, {"rate"}),
    "zeroed_64k_middle.mp4": (203, 25.0, 20.3, 4.7, 0, {"damage", "spoilt"}),
}
UNREADABLE = {
    "empty.mp4": "the file is empty (0 bytes)",
    "no_moov.mp4": "the index (moov) was never written",
    "text_named.mp4": "plain text, not a video",
}


def read(path: Path) -> tuple[FileInfo, list[Frame], Coverage]:
    """Probe, all frames of the first stream without their pictures' memory in mind, and the ledger."""
    info = probe(path)
    with open_frames(path, info.streams[0]) as frames:
        found = list(frames)
        return info, found, frames.coverage()


def test_every_odd_file_is_spoken_for(odd_files: Path) -> None:
    assert {path.name for path in odd_files.iterdir()} == {*READABLE, *UNREADABLE}


@pytest.mark.parametrize("name", READABLE)
def test_readable_odd_file(odd_files: Path, name: str) -> None:
    frames, whole, analysed, undecodable, gap, kinds = READABLE[name]
    info, found, coverage = read(odd_files / name)
    assert len(found) == coverage.frames_presented == frames
    assert coverage.duration_s == pytest.approx(whole)
    assert coverage.analysed_s == pytest.approx(analysed)
    assert coverage.undecodable_s == pytest.approx(undecodable)
    assert coverage.gap_s == pytest.approx(gap)
    assert coverage.not_requested_s == 0
    assert {p.kind for p in coverage.problems} == kinds
    assert all(a.seconds < b.seconds for a, b in pairwise(found))
    assert info.streams[0].packets >= frames


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_odd_file_has_one_reason(odd_files: Path, name: str) -> None:
    with pytest.raises(MediaError) as caught:
        probe(odd_files / name)
    assert str(caught.value).startswith(f"{odd_files / name}: {UNREADABLE[name]}")
    assert "\n" not in str(caught.value)


def test_trap_zeroed_block_costs_its_own_packets_only(odd_files: Path) -> None:
    """A plain decode loop ends at the zeroed block; asking packet by packet recovers what follows."""
    path = odd_files / "zeroed_64k_middle.mp4"
    plain = 0
    with av.open(str(path)) as container, pytest.raises(av.error.InvalidDataError):
        for _ in container.decode(video=0):
            plain += 1
    _, found, coverage = read(path)
    assert plain < 120
    assert len(found) > 1.8 * plain
    assert coverage.frames_missing == 250 - len(found)
    assert [f.discontinuity for f in found].count(True) == 1
    lost = next(f for f in found if f.discontinuity)
    assert lost.damaged


def test_trap_bit_flips_are_flagged_though_nothing_fails(odd_files: Path) -> None:
    """Forty bit flips decode to 250 frames without an error; with slice threads FFmpeg would not even flag them."""
    with av.open(str(odd_files / "bitflips40.mp4")) as container:
        assert not any(frame.is_corrupt for frame in container.decode(video=0))
    _, found, coverage = read(odd_files / "bitflips40.mp4")
    assert len(found) == 250
    assert 10 <= coverage.frames_damaged <= 100


def test_trap_half_a_matroska_claims_its_full_length(odd_files: Path) -> None:
    info, _, coverage = read(odd_files / "trunc_half.mkv")
    assert info.streams[0].duration_s == pytest.approx(12.0)
    assert float(info.streams[0].cut_off) == pytest.approx(613.0)
    assert coverage.frames_missing == 6130
    assert [p.at_s for p in coverage.problems] == [pytest.approx(12.0)]


def test_trap_wrapped_avi_keeps_its_timestamps(odd_files: Path) -> None:
    """FFmpeg opens the wrapped AVI as raw H.264 without timestamps."""
    with av.open(str(odd_files / "player_wrapped.exe")) as container:
        assert container.format.name == "h264"
    info, found, _ = read(odd_files / "player_wrapped.exe")
    _, same, _ = read(odd_files / "ok.avi")
    assert (info.container, info.byte_offset) == ("avi", 4096)
    assert [p.kind for p in info.problems] == ["wrapped"]
    assert "at byte 4096 inside an executable" in info.problems[0].reason
    assert [f.time for f in found] == [f.time for f in same]
    assert all((a.luma == b.luma).all() for a, b in zip(found[::50], same[::50], strict=True))


def test_trap_hikvision_timestamps_are_interpolated(odd_files: Path) -> None:
    with av.open(str(odd_files / "hikvision_imkh.mp4")) as container:
        raw = [frame.pts for frame in container.decode(video=0)]
    assert raw.count(None) == 158
    _, found, coverage = read(odd_files / "hikvision_imkh.mp4")
    assert [f.time.pts for f in found] == [45000 + 9000 * n for n in range(250)]
    assert all(p in (None, f.time.pts) for p, f in zip(raw, found, strict=True))
    assert "158 frames" in coverage.problems[0].reason


def test_trap_joined_recordings_step_back(odd_files: Path) -> None:
    _, found, coverage = read(odd_files / "pts_reset.ts")
    assert found[249].time.pts - found[250].time.pts == 2241000
    assert found[250].seconds == pytest.approx(25.0)
    assert [f.number for f in found if f.discontinuity] == [250]
    reset = next(p for p in coverage.problems if p.kind == "reset")
    assert reset.at_s == pytest.approx(25.0)
    assert "from PTS 2241000 to 0" in reset.reason


def test_first_frames_without_a_key_frame_are_in_the_ledger(odd_files: Path) -> None:
    _, found, coverage = read(odd_files / "raw.264")
    assert coverage.frames_missing == 13
    assert found[0].time.pts * found[0].time.time_base == 0


def test_porch_begins_late_and_varies(footage: Path) -> None:
    info, found, coverage = read(footage / "clips" / "porch_vfr.mkv")
    stream = info.streams[0]
    assert (stream.start_pts, stream.declared_rate, stream.variable_rate) == (17811, None, True)
    assert stream.measured_rate == pytest.approx(10, rel=0.02)
    assert found[0].time.pts == 17811
    assert found[0].seconds == 0
    assert found[-1].seconds == pytest.approx(5.907)
    assert coverage.problems == ()
    assert info.creation_time == "2019-09-29T17:49:14.000000Z"


def test_4k_night_clip(footage: Path) -> None:
    path = footage / "clips" / "ir_animal_4k.mp4"
    stream = probe(path).streams[0]
    assert (stream.width, stream.height, stream.codec) == (3840, 2160, "hevc")
    with open_frames(path, stream) as frames:
        # one at a time: together they would take 2 GB
        assert {frame.luma.shape for frame in frames} == {(2160, 3840)}
        coverage = frames.coverage()
    assert coverage.frames_presented == 151
    assert coverage.duration_s == pytest.approx(151 / 30)


def test_names_and_extensions_decide_nothing(odd_files: Path, tmp_path: Path) -> None:
    for original, other in (
        ("raw.264", "x.mp4"),
        ("ok.mp4", "x.txt"),
        ("dahua.dav", "concat:x|y.yuv"),
        ("ts.ts", "x.jpg"),
    ):
        path = tmp_path / other
        path.write_bytes((odd_files / original).read_bytes())
        assert probe(path).container == probe(odd_files / original).container
