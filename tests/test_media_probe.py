"""probe: what a file is, by its content, and what is wrong with it."""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.media_samples import make, remux, turn
from vidreview.errors import EvidenceError, MediaError
from vidreview.media import open_frames, probe
from vidreview.media.source import SEARCH_TRIES


def kinds(path: Path) -> set[str]:
    info = probe(path)
    return {p.kind for p in (*info.problems, *(q for s in info.streams for q in s.problems))}


def test_plain_file(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=50)
    info = probe(path)
    stream = info.streams[0]
    assert info.container.startswith("mov,mp4")
    assert info.size == path.stat().st_size
    assert (stream.codec, stream.pixel_format, stream.width, stream.height) == ("h264", "yuv420p", 96, 64)
    assert (stream.declared_rate, stream.measured_rate, stream.variable_rate) == (Fraction(25), 25.0, False)
    assert (stream.start_pts, stream.packets, stream.duration_s, stream.timed) == (0, 50, 2.0, True)
    assert (stream.rotation, stream.sample_aspect, stream.frame_interval) == (0, Fraction(1), Fraction(1, 25))
    assert info.problems == stream.problems == ()


def test_json_is_plain(tmp_path: Path) -> None:
    value = json.loads(json.dumps(probe(make(tmp_path / "a.mp4")).to_json()))
    assert value["streams"][0]["frame_interval"] == "1/25"


def test_b_frames_are_not_disorder(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", frames=40, options={"preset": "veryfast", "bf": "3"})
    assert kinds(path) == set()
    assert probe(path).streams[0].duration_s == pytest.approx(1.6)


def test_no_declared_rate(tmp_path: Path) -> None:
    ticks = [n * 70 + n % 3 * 11 for n in range(40)]
    info = probe(make(tmp_path / "a.mkv", pts=ticks, time_base=Fraction(1, 1000))).streams[0]
    assert info.variable_rate
    assert info.measured_rate == pytest.approx(1000 / 70, rel=0.02)


def test_rate_that_is_not_what_it_claims(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=40)
    assert "rate" in kinds(remux(source, tmp_path / "slow.mkv", [n * 80 for n in range(40)]))


def test_duplicate_timestamps(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=40)
    assert "duplicate-time" in kinds(remux(source, tmp_path / "d.mkv", [n // 2 * 2 * 40 for n in range(40)]))


def test_joined_recordings(tmp_path: Path) -> None:
    part = make(tmp_path / "a.ts", frames=100, container="mpegts").read_bytes()
    (tmp_path / "both.ts").write_bytes(part + part)
    info = probe(tmp_path / "both.ts").streams[0]
    assert info.duration_s == pytest.approx(8.0)
    assert [p.kind for p in info.problems if p.kind == "reset"] == ["reset"]


@pytest.mark.parametrize("name", ["cut.mkv", "cut.mp4", "cut.avi"])
def test_truncated(tmp_path: Path, name: str) -> None:
    muxer = {"movflags": "faststart"} if name.endswith("mp4") else {}
    path = make(tmp_path / name, frames=200, size=(320, 240), muxer=muxer)
    whole = probe(path).streams[0]
    assert whole.cut_off == 0
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    cut = probe(path).streams[0]
    assert float(cut.cut_off) + (cut.duration_s or 0) == pytest.approx(8.0, abs=0.1)
    assert "truncated" in {p.kind for p in cut.problems}
    with open_frames(path, cut) as frames:
        shown = sum(1 for _ in frames)
        coverage = frames.coverage()
    assert 60 < shown < 160
    assert coverage.duration_s == pytest.approx(8.0, abs=0.1)
    assert coverage.frames_missing == pytest.approx(200 - shown, abs=2)


def test_sample_aspect(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", options={"preset": "veryfast", "x264-params": "sar=12/11"})
    assert probe(path).streams[0].sample_aspect == Fraction(12, 11)


def test_rotation_is_clockwise(tmp_path: Path) -> None:
    assert probe(turn(make(tmp_path / "a.mp4"), 90)).streams[0].rotation == 90


def test_sound_only(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame(format="s16", layout=stream.layout.name, samples=800)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    with pytest.raises(MediaError, match="no video stream"):
        probe(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"hello\n" * 100, "plain text"),
        (bytes(100_000), "zeros only"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "no known video container"),
        (bytes(range(256)) * 40, "no known video container"),
        (b"MZ" + bytes(range(256)) * 40, "executable"),
        (b"\x7fELF" + bytes(range(256)) * 40, "executable"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(20) + b"\x00\x00\x10\x00mdat" + b"\x01" * 90, r"index \(moov\)"),
    ],
)
def test_reasons_for_what_is_no_video(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=reason) as caught:
        probe(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{0}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    ],
)
def test_play_lists_reach_no_other_file(tmp_path: Path, text: str) -> None:
    """Rules A8, A9: a text that FFmpeg would take for a play list opens neither other files nor the network."""
    other = make(tmp_path / "other.ts", container="mpegts")
    path = tmp_path / "list.mp4"
    path.write_text(text.format(other))
    with pytest.raises(MediaError):
        probe(path)


def test_footage_inside_another_file_is_found(tmp_path: Path) -> None:
    for name, container in (("a.mkv", None), ("a.mp4", None), ("a.avi", None)):
        inner = make(tmp_path / name, container=container).read_bytes()
        path = tmp_path / f"{name}.bin"
        path.write_bytes(b"\x17\x2a VENDOR " * 100 + inner)
        info = probe(path)
        assert info.byte_offset == 1000
        assert [p.kind for p in info.problems] == ["wrapped"]
        with open_frames(path, info.streams[0]) as frames:
            assert sum(1 for _ in frames) == 30


def test_false_starts_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.exe"
    path.write_bytes(b"MZ" + b"RIFF\x10\x00\x00\x00AVI LIST junk" * (SEARCH_TRIES * 50))
    with pytest.raises(MediaError, match="executable"):
        probe(path)


def test_absurd_picture_size_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.avi", codec="mjpeg", pixel_format="yuvj420p", frames=5, options={})
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"\xff\xc0\x00\x11\x08", at)) >= 0:
        data[at + 5 : at + 9] = struct.pack(">HH", 65500, 65500)
        at += 9
    for field in (b"strf", b"avih"):
        start = data.index(field) + 8 + (4 if field == b"strf" else 32)
        data[start : start + 8] = struct.pack("<II", 65500, 65500)
    path.write_bytes(data)
    with pytest.raises(MediaError, match=r"absurd picture size|could be decoded"):
        probe(path)


def test_stream_that_never_gives_a_picture(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=30, size=(320, 240))
    data = bytearray(path.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(b ^ 0x5A for b in data[start:end])
    path.write_bytes(data)
    with pytest.raises(MediaError, match="could be decoded"):
        probe(path)


def test_cover_art_is_not_footage(tmp_path: Path) -> None:
    """A still picture attached to a recording is listed and left alone."""
    from av.stream import Disposition

    cover = make(tmp_path / "c.mkv", codec="mjpeg", pixel_format="yuvj420p", frames=1, options={})
    path = tmp_path / "a.mp4"
    with (
        av.open(str(make(tmp_path / "v.mp4"))) as video,
        av.open(str(cover)) as picture,
        av.open(str(path), "w") as output,
    ):
        copies = [output.add_stream_from_template(c.streams.video[0]) for c in (video, picture)]
        copies[1].disposition = Disposition.attached_pic
        for source, copy in zip((video, picture), copies, strict=True):
            for packet in source.demux(source.streams.video[0]):
                if packet.size:
                    packet.stream = copy
                    output.mux(packet)
    info = probe(path)
    assert [s.codec for s in info.streams] == ["h264"]
    assert [p.kind for p in info.problems] == ["cover-art"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4")
    odd = tmp_path / "caf\udce9 \n;\u202e.mp4"
    source.rename(odd)
    assert probe(odd).streams[0].packets == 30


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="not a regular file"):
        probe(tmp_path)


def test_ffmpeg_does_not_talk(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = make(tmp_path / "a.mp4", frames=60, size=(320, 240), muxer={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-2000] + bytes(1500))
    capfd.readouterr()
    with open_frames(path, 0) as frames:
        assert sum(1 for _ in frames) > 10
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_stream_that_begins_in_the_middle_is_listed(tmp_path: Path) -> None:
    """Rule C2: PyAV gives up at the first packet of a stream it did not know when the file was opened."""
    one = make(tmp_path / "1.ts", container="mpegts", frames=1000)
    two = make(tmp_path / "2.ts", container="mpegts", frames=20, streams=2)
    # FFmpeg looks at the first megabytes of the file and at its end
    path = tmp_path / "both.ts"
    times = 6_000_000 // one.stat().st_size
    path.write_bytes(one.read_bytes() * times + two.read_bytes() + one.read_bytes() * times)
    info = probe(path)
    assert len(info.streams) == 1
    assert [p.kind for p in info.problems] == ["late-stream"]
    assert info.streams[0].packets == 2 * times * 1000 + 20
