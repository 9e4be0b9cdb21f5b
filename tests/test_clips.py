"""Clips and stills: the exhibit's own packets (rule D1) and the decoder's own picture (rule D3), of any container."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.conftest import Result
from tests.test_index import RECORD
from vidreview.audit import AuditLog
from vidreview.clips import (
    ClipRecord,
    ClipRequest,
    Parent,
    StillRequest,
    check_parent,
    cut,
    read_index,
    still,
)
from vidreview.clips.packets import NONE, PacketIndex
from vidreview.clips.record import hash_file
from vidreview.colours import to_bgr
from vidreview.errors import EvidenceError, IntegrityError, MediaError, UsageError, VidreviewError
from vidreview.index import Case, Identity
from vidreview.media.frames import open_frames
from vidreview.media.source import Source
from vidreview.model import Event, Frame, MediaTime, Point, Span, StreamInfo, Track

Cli = Callable[..., Result]


def film(
    path: Path,
    count: int = 60,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    times: Callable[[int], int] = lambda k: k * 40,
    form: str | None = None,
    **looks: Any,
) -> Path:
    """A small film in which every picture is different; times in milliseconds."""
    with av.open(str(path), "w", format=form) as output:
        stream: Any = output.add_stream(codec, rate=25, options=options or {"g": "12", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        tick = Fraction(1, 25 if codec.startswith("mpeg") else 1000)  # MPEG-2 and -4 have no finer one
        stream.codec_context.time_base = stream.time_base = tick
        if "aspect" in looks:
            stream.codec_context.sample_aspect_ratio = looks["aspect"]
        if "colours" in looks:
            stream.codec_context.colorspace, stream.codec_context.color_range = looks["colours"]
        for k in range(count):
            picture = np.full((64, 96, 3), 20 + 3 * k % 200, np.uint8)
            picture[10:30, k % 76 : k % 76 + 20] = (250, 40 + 2 * k % 200, 10)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = times(k), Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def parent_of(path: Path) -> Parent:
    return Parent(path.name, path, path.stat().st_size, hash_file(path))


def packets_of(path: Path, own: bool = False) -> list[bytes]:
    """All packets of the first video stream, read the plainest way."""
    if own:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]
    with Source(path) as source:
        return [bytes(packet) for packet in source.container.demux(source.video_streams()[0]) if packet.size]


def scanned(path: Path) -> tuple[list[Frame], StreamInfo]:
    with open_frames(path, first_stream(path)) as frames:
        return list(frames), frames.info


def first_stream(path: Path) -> int:
    with Source(path) as source:
        return source.video_streams()[0].index


def request(frames: list[Frame], info: StreamInfo, first: int, last: int, **more: Any) -> ClipRequest:
    a, b = frames[first], frames[last]
    return ClipRequest(
        name="E0007",
        stream=info.index,
        start_pts=a.time.pts,
        end_pts=b.time.pts,
        start_s=a.seconds,
        end_s=b.seconds,
        first_frame=a.number,
        last_frame=b.number,
        timed=info.timed,
        **more,
    )


def check_clip(clip: ClipRecord, source: Path, start_s: float, end_s: float) -> list[bytes]:
    """The clip's packets are a run of the source's, and its manifest is true; the packets."""
    copied, original = packets_of(clip.path, own=True), packets_of(source)
    delivered = clip.document["delivered"]
    assert copied == original[delivered["first_packet"] : delivered["last_packet"] + 1]
    assert delivered["start_s"] <= start_s + 1e-6
    assert delivered["end_s"] >= end_s - 1e-6
    stored = json.loads(clip.manifest.read_bytes())
    assert [packet["sha256"] for packet in stored["packets"]] == [hashlib.sha256(p).hexdigest() for p in copied]
    assert stored["clip"]["sha256"] == clip.sha256 == hash_file(clip.path)
    assert clip.manifest_sha256 == hash_file(clip.manifest)
    assert stored["exhibit"]["sha256"] == hash_file(source)
    assert stored["clip"]["largest_timing_difference_s"] <= 0.001
    return copied


READABLE = (
    "avi_noindex_trunc.avi",
    "bitflips40.mp4",
    "dahua.dav",
    "dahua_gap60s.dav",
    "frag.mp4",
    "gap.mkv",
    "hikvision_imkh.mp4",
    "ok.asf",
    "ok.avi",
    "ok.mp4",
    "ok_faststart.mp4",
    "player_wrapped.exe",
    "pts_reset.ts",
    "raw.264",
    "raw.h264",
    "raw.h265",
    "start5000.ts",
    "stream.mjpeg",
    "trunc_60pct_faststart.mp4",
    "trunc_half.mkv",
    "ts.ts",
    "vfr.mp4",
    "zeroed_64k_middle.mp4",
)


@pytest.mark.footage
@pytest.mark.parametrize("name", READABLE)
def test_every_odd_recording_gives_clips_of_its_own_packets_and_exact_stills(
    odd_files: Path, tmp_path: Path, name: str
) -> None:
    """Rules D1 and D3."""
    path = odd_files / name
    before = (hash_file(path), path.stat().st_mtime_ns)
    frames, info = scanned(path)
    parent, index = parent_of(path), read_index(Source, path, info.index)
    third, half = len(frames) // 3, len(frames) // 2
    for first, last in ((0, 5), (third, half), (len(frames) - 3, len(frames) - 1)):
        wanted = request(frames, info, first, last)
        clip = cut(Source, parent, wanted, tmp_path, index=index)
        check_clip(clip, path, frames[first].seconds, frames[last].seconds)
    for number in (0, third + 1, len(frames) - 1):
        frame = frames[number]
        looks = StillRequest("E0007", info.index, frame.time.pts, frame.seconds, number, timed=info.timed)
        record = still(Source, parent, looks, tmp_path, index=index)
        assert np.array_equal(read_png(record.path), frame.to_bgr()), f"frame {number}"
        assert record.display is None
    assert (hash_file(path), path.stat().st_mtime_ns) == before
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.footage
@pytest.mark.parametrize("name", ["porch_vfr.mkv", "car-detection.mp4"])
def test_real_clips(footage: Path, tmp_path: Path, name: str) -> None:
    path = footage / "clips" / name
    index = read_index(Source, path, 0)
    with open_frames(path, 0) as opened:
        frames = [frame for frame in opened if frame.number in (20, 41, 55)]
        info = opened.info
    clip = cut(Source, parent_of(path), request(frames, info, 0, 1), tmp_path, index=index)
    check_clip(clip, path, frames[0].seconds, frames[1].seconds)
    for frame in frames:
        looks = StillRequest("E0007", 0, frame.time.pts, frame.seconds, frame.number)
        assert np.array_equal(read_png(still(Source, parent_of(path), looks, tmp_path).path), frame.to_bgr())


def read_png(path: Path) -> Any:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


CODECS = {"hevc": "libx265", "mpeg4": "mpeg4", "mpeg2": "mpeg2video", "mjpeg": "mjpeg", "vp9": "libvpx-vp9"}
OPEN_GOP = {"g": "12", "bf": "3", "x264-params": "open-gop=1:bframes=3:b-adapt=0:scenecut=0:keyint=12:min-keyint=12"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mp4", None),
        ("b.mp4", {"g": "12", "bf": "3"}),
        ("open.mp4", OPEN_GOP),
        ("open.mkv", OPEN_GOP),
        ("open.ts", OPEN_GOP),
        ("open.avi", OPEN_GOP),
        ("open.h264", OPEN_GOP),
        ("b.asf", {"g": "12", "bf": "3"}),
        ("b.mpg", {"g": "12", "bf": "3"}),
        ("b.flv", {"g": "12", "bf": "3"}),
        ("hevc.mp4", {"x265-params": "keyint=12:bframes=3:log-level=none"}),
        ("hevc.mkv", {"x265-params": "keyint=12:bframes=3:open-gop=1:log-level=none"}),
        ("hevc.ts", {"x265-params": "keyint=12:bframes=3:log-level=none"}),
        ("mpeg4.avi", {"g": "12", "bf": "2"}),
        ("mpeg4.mp4", {"g": "12"}),
        ("mpeg2.mpg", {"g": "12", "bf": "2"}),
        ("mjpeg.avi", {"q:v": "5"}),
        ("mjpeg.mkv", {"q:v": "5"}),
        ("vp9.webm", {"g": "12", "cpu-used": "8", "deadline": "realtime"}),
    ],
)
def test_a_clip_decodes_to_the_pictures_that_were_asked_for(
    tmp_path: Path, name: str, options: dict[str, str] | None
) -> None:
    """Pictures shown in another order than they are stored, and groups that lean on the one before."""
    path = film(tmp_path / name, codec=CODECS.get(name.split(".")[0], "libx264"), options=options)
    frames, info = scanned(path)
    for first, last in ((0, 0), (3, 20), (11, 13), (12, 12), (13, 37), (30, 59)):
        clip = cut(Source, parent_of(path), request(frames, info, first, last), tmp_path / "clips")
        check_clip(clip, path, frames[first].seconds, frames[last].seconds)
        with av.open(str(clip.path)) as container:
            shown = [to_bgr(frame).tobytes() for frame in container.decode(video=0)]
        for number in (first, last):
            frame = frames[number]
            looks = StillRequest("E0007", 0, frame.time.pts, frame.seconds, number, timed=info.timed)
            assert np.array_equal(read_png(still(Source, parent_of(path), looks, tmp_path).path), frame.to_bgr())
        for number in range(first, last + 1):
            assert frames[number].to_bgr().tobytes() in shown, f"picture {number} of {first} to {last}"


@pytest.mark.parametrize("name", ["b.mp4", "b.mkv", "b.ts"])
def test_times_between_packets_are_kept(tmp_path: Path, name: str) -> None:
    def uneven(k: int) -> int:
        return k * 40 + (k % 3) * 7 + (5000 if k > 30 else 0)

    path = film(tmp_path / name, options={"g": "12", "bf": "2"}, times=uneven)
    frames, info = scanned(path)
    clip = cut(Source, parent_of(path), request(frames, info, 25, 40), tmp_path / "clips")
    first = clip.document["delivered"]["first_packet"]
    with av.open(str(clip.path)) as container:
        base = container.streams.video[0].time_base
        assert base is not None
        got = [float(frame.pts * base) for frame in container.decode(video=0) if frame.pts is not None]
    numbers = range(len(frames))
    start = next(n for n in numbers if frames[n].seconds == pytest.approx(clip.document["delivered"]["start_s"]))
    wanted = [frame.seconds - frames[start].seconds for frame in frames[start : start + len(got)]]
    assert [t - got[0] for t in got] == pytest.approx(wanted, abs=0.001)
    assert first < 25


def test_before_and_after_are_added_and_the_manifest_says_so(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", count=120)
    frames, info = scanned(path)
    clip = cut(Source, parent_of(path), request(frames, info, 60, 70, before_s=1.0, after_s=0.5), tmp_path / "clips")
    delivered = clip.document["delivered"]
    assert delivered["start_s"] <= frames[60].seconds - 1.0
    assert delivered["end_s"] == pytest.approx(frames[70].seconds + 0.5, abs=0.041)
    assert clip.document["requested"] | {"before_s": 1.0, "after_s": 0.5} == clip.document["requested"]
    whole = cut(Source, parent_of(path), request(frames, info, 60, 70, before_s=99, after_s=99), tmp_path / "clips")
    assert packets_of(whole.path, own=True) == packets_of(path)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "ts", "avi"])
def test_a_long_recording_is_cut_by_seeking_to_the_same_packets(tmp_path: Path, kind: str) -> None:
    path = film(tmp_path / f"long.{kind}", count=900)
    frames, info = scanned(path)
    index = read_index(Source, path, 0)
    with Source(path) as opened:
        landed = index._landing(opened, 612)
    assert 0 < landed <= 612 or (kind == "ts" and landed == 0)  # without an index a seek may miss: then read it all
    clip = cut(Source, parent_of(path), request(frames, info, 615, 640), tmp_path / "clips", index=index)
    check_clip(clip, path, frames[615].seconds, frames[640].seconds)


def test_an_exhibit_whose_header_lists_a_day_is_opened_once_for_a_stretch(tmp_path: Path) -> None:
    """Opening it takes as long as reading that list: once for each pass over a stretch, with the same packets."""
    opened: list[Path] = []

    def opener(path: Path) -> Source:
        opened.append(path)
        return Source(path)

    found = {}
    for kind in ("mp4", "mkv"):
        path = film(tmp_path / f"long.{kind}", count=900)
        frames, info = scanned(path)
        index = read_index(Source, path, 0)
        opened.clear()
        numbers = [number for number, made in index.decode(opener, 612, 640) for _ in made or ()]
        pictures = len(opened)
        opened.clear()
        clip = cut(opener, parent_of(path), request(frames, info, 615, 640), tmp_path / kind, index=index)
        check_clip(clip, path, frames[615].seconds, frames[640].seconds)
        found[kind] = pictures, len(opened)
        assert numbers[0] >= 612 and numbers[-1] >= 638
    assert found["mp4"] == (1, 1)
    assert min(found["mkv"]) > 1, "where seeking may lead elsewhere a second time, it is opened anew"


def test_a_file_that_reads_differently_a_second_time_is_an_error(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    index = read_index(Source, path, 0)
    index.sizes[4] += 1
    with pytest.raises(MediaError, match=r"packet 4 .* reads differently"):
        list(index.read(Source, 0, 10))


def test_the_same_clip_has_the_same_bytes_whenever_it_is_cut(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv")
    frames, info = scanned(path)
    clips = [cut(Source, parent_of(path), request(frames, info, 5, 30), tmp_path / f"{k}") for k in range(2)]
    assert clips[0].sha256 == clips[1].sha256
    assert clips[0].manifest_sha256 == clips[1].manifest_sha256


def test_a_time_that_occurs_twice_is_told_apart_by_the_frame_number(tmp_path: Path) -> None:
    one = film(tmp_path / "one.ts")
    path = tmp_path / "twice.ts"
    path.write_bytes(one.read_bytes() * 2)
    frames, info = scanned(path)
    assert frames[20].time.pts == frames[80].time.pts
    for first in (20, 80):
        clip = cut(Source, parent_of(path), request(frames, info, first, first + 4), tmp_path / "clips")
        check_clip(clip, path, frames[first].seconds, frames[first + 4].seconds)
        assert (clip.document["delivered"]["first_packet"] >= 60) == (first == 80)
        looks = StillRequest("E1", info.index, frames[first].time.pts, frames[first].seconds, first)
        assert np.array_equal(read_png(still(Source, parent_of(path), looks, tmp_path).path), frames[first].to_bgr())


def test_where_no_container_keeps_the_packets_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.ts")
    frames, info = scanned(path)
    monkeypatch.setattr("vidreview.clips.copy._LAST", ())
    with pytest.raises(MediaError, match=r"no container keeps its packets as they are \(mp4: alters packet 1"):
        cut(Source, parent_of(path), request(frames, info, 5, 30), tmp_path / "clips")
    assert list((tmp_path / "clips").iterdir()) == []


def test_a_stream_without_key_frames_is_copied_from_its_first_packet(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv")
    frames, info = scanned(path)
    index = read_index(Source, path, 0)
    index.keys = bytearray(len(index))
    clip = cut(Source, parent_of(path), request(frames, info, 20, 25), tmp_path / "clips", index=index)
    assert clip.document["delivered"]["first_packet"] == 0
    assert "no key frame" in clip.document["notes"][0]


def test_a_still_honours_matrix_and_range_and_logs_them(tmp_path: Path) -> None:
    pictures = {}
    for matrix, name in ((1, "BT.709"), (5, "BT.601")):
        for spread, word in ((1, "limited"), (2, "full")):
            path = film(tmp_path / f"{name}-{word}.mkv", colours=(matrix, spread))
            frames, info = scanned(path)
            looks = StillRequest("E0001", 0, frames[9].time.pts, frames[9].seconds, 9)
            record = still(Source, parent_of(path), looks, tmp_path / "stills")
            colour = record.document["colour"]
            assert (colour["matrix"], colour["range"]) == (name, word)
            assert colour["matrix_declared"] and colour["range_declared"]
            with av.open(str(path)) as container:
                plain = [f.to_ndarray(format="bgr24") for f in container.decode(video=0)][9]
            assert np.array_equal(read_png(record.path), plain)
            pictures[name, word] = plain.tobytes()
            assert info.codec == "h264"
    assert len(set(pictures.values())) > 1


def test_a_picture_that_players_turn_or_stretch_gets_a_second_file(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv")
    frames, _ = scanned(path)
    looks = StillRequest(
        "E0001", 0, frames[9].time.pts, frames[9].seconds, 9, rotation=90, sample_aspect=Fraction(4, 3)
    )
    record = still(Source, parent_of(path), looks, tmp_path / "stills")
    assert read_png(record.path).shape == (64, 96, 3)
    assert record.display == tmp_path / "stills" / "E0001_display.png"
    shown = read_png(record.display)
    assert shown.shape == (96, 48, 3)  # shrunk, never enlarged (rule D4)
    assert record.document["display"]["made_by"] == (
        "pixels of 4:3 made square, 96x64 to 96x48; turned 90 degrees clockwise"
    )
    small = cv2.resize(read_png(record.path), (96, 48), interpolation=cv2.INTER_AREA)
    assert np.array_equal(shown, np.rot90(small, -1))


def test_the_frame_at_a_time_is_the_one_in_view(tmp_path: Path) -> None:
    path = film(tmp_path / "b.mp4", options={"g": "12", "bf": "3"})
    frames, _ = scanned(path)
    index = read_index(Source, path, 0)
    for number in (0, 7, 31, 59):
        for ahead in (0.0, 0.02):
            packet, seconds = index.at(Source, frames[number].seconds + ahead)
            assert index.pts[packet] == frames[number].time.pts
            assert seconds == pytest.approx(frames[number].seconds)
    with pytest.raises(UsageError, match=r"is 2\.400 s long, so 9\.000 s is not in it"):
        index.at(Source, 9.0)


def test_decoding_times_that_are_missing_or_step_back_are_laid_on_a_rising_line(tmp_path: Path) -> None:
    from array import array

    from vidreview.clips.packets import _line

    def line(*ticks: int) -> list[int]:
        return list(_line(array("q", ticks), 10))

    assert line(0, 10, 20) == [0, 10, 20]
    assert line(NONE, NONE, 20) == [0, 10, 20]
    assert line(0, NONE, NONE, 60, NONE) == [0, 20, 40, 60, 70]
    assert line(0, 10, 5, 20) == [0, 10, 11, 20]
    assert line(1000, 1010, 0, 10) == [1000, 1010, 1020, 1030]
    assert line(NONE, NONE) == [0, 10]
    made = PacketIndex(tmp_path, 0, Fraction(1), "h264", "h264")
    made.pts, made.dts, made.line = array("q", [30, NONE]), array("q", [10, 20]), array("q", [10, 20])
    assert [made.shown(0), made.shown(1)] == [30, 20]


def test_an_exhibit_that_is_not_what_was_scanned_gives_nothing(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4")
    parent = parent_of(path)
    check_parent(parent)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError, match="has SHA-256"):
        check_parent(parent)
    path.write_bytes(data[:-1])
    with pytest.raises(IntegrityError, match="bytes, but had"):
        check_parent(parent)
    path.unlink()
    with pytest.raises(EvidenceError, match="name its folder with --source"):
        check_parent(parent)


# ---- the commands


def index_film(case: Path, path: Path, first: int, last: int) -> None:
    """Put a film into a case as a scan would, with one event."""
    frames, info = scanned(path)
    with Case.open(case, create=True) as opened:
        parent = parent_of(path)
        run = opened.begin_run(RECORD)
        exhibit = opened.begin_exhibit(
            run, Identity(path.name, path, parent.size, path.stat().st_mtime_ns, parent.sha256)
        )
        stream = opened.add_stream(exhibit, info)
        course = tuple(
            Point(f.number, f.time.pts, f.seconds, (1.0, 2.0, 30.0, 40.0), "detected", 0.9, "person")
            for f in frames[first : last + 1]
        )
        ids = opened.add_tracks(stream, [Track("person", "person", course, 0.9, len(course))])
        peak = frames[(first + last) // 2]
        span = Span(
            MediaTime(course[0].pts, info.time_base),
            MediaTime(course[-1].pts, info.time_base),
            course[0].seconds,
            course[-1].seconds,
        )
        opened.add_events(stream, [Event("person", "person", span, peak.time, peak.seconds, 1, (0,), 0.9)], ids)
        opened.finish_exhibit(exhibit)
        opened.number(exhibit)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "evidence").mkdir()
    for name in ("a.mp4", "b.mkv"):
        index_film(tmp_path / "case", film(tmp_path / "evidence" / name, options={"g": "12", "bf": "2"}), 20, 40)
    before = {path: hash_file(path) for path in (tmp_path / "evidence").iterdir()}
    yield tmp_path / "case"
    assert all(hash_file(path) == known for path, known in before.items() if path.exists())


def check_manifest(case: Path) -> dict[str, Any]:
    """The audit log is sound and its hashes are those of the files; its derived files."""
    log = AuditLog(case / "audit.jsonl")
    assert log.check_chain() == []
    files = log.manifest()
    for relative, facts in files.items():
        assert hash_file(case / relative) == facts["sha256"]
        assert facts["command"].startswith("vidreview ")
    return files


def test_clip_all_cuts_every_event_and_logs_it(case: Path, cli: Cli) -> None:
    """Rule A3: each clip and each manifest has its entry, with parent, command and hash."""
    result = cli("clip", "--all", "--case", case, "--before", "0.2")
    assert result.status == 0, result.err
    assert "clips/E0001_copy.mp4  a.mp4" in result.out
    assert "clips/E0002_copy.mp4  b.mkv" in result.out
    assert sorted(check_manifest(case)) == [
        "clips/E0001_copy.json",
        "clips/E0001_copy.mp4",
        "clips/E0002_copy.json",
        "clips/E0002_copy.mp4",
    ]
    copied = packets_of(case / "clips" / "E0001_copy.mp4", own=True)
    original = packets_of(case.parent / "evidence" / "a.mp4")
    stored = json.loads((case / "clips" / "E0001_copy.json").read_bytes())
    first = stored["delivered"]["first_packet"]
    assert copied == original[first : first + len(copied)]
    assert stored["command"] == "vidreview clip E0001 --before 0.2 --after 0"
    assert stored["tool"].startswith("vidreview ")


def test_clip_json_is_one_array(case: Path, cli: Cli) -> None:
    result = cli("clip", "E0002", "1", "--case", case, "--json")
    assert [item["event"] for item in json.loads(result.out)] == ["E0001", "E0002"]
    assert all("packets" not in item for item in json.loads(result.out))


def test_still_writes_the_best_frame_and_events_then_name_it(case: Path, cli: Cli) -> None:
    result = cli("still", "E0001", "--case", case, "-v")
    assert result.status == 0, result.err
    assert "BT.601 (assumed), limited range" in result.out
    frames, _ = scanned(case.parent / "evidence" / "a.mp4")
    assert np.array_equal(read_png(case / "stills" / "E0001.png"), frames[30].to_bgr())
    assert sorted(check_manifest(case)) == ["stills/E0001.json", "stills/E0001.png"]
    listed = json.loads(cli("events", "--case", case, "--json").out)
    assert [item["still"] for item in listed] == ["stills/E0001.png", None]


def test_still_at_a_time(case: Path, cli: Cli) -> None:
    result = cli("still", "--at", "00:00:00.810", "--exhibit", "a.mp4", "--case", case, "--json")
    assert result.status == 0, result.err
    (document,) = json.loads(result.out)
    frames, _ = scanned(case.parent / "evidence" / "a.mp4")
    assert np.array_equal(read_png(case / "stills" / document["still"]["file"]), frames[20].to_bgr())
    assert document["frame"]["pts"] == frames[20].time.pts
    assert len(check_manifest(case)) == 2
    beyond = cli("still", "--at", "99", "--exhibit", "a.mp4", "--case", case)
    assert beyond.status == 2
    assert "is 2.400 s long" in beyond.err


def test_a_missing_exhibit_is_said_and_the_rest_goes_on(case: Path, cli: Cli) -> None:
    moved = case.parent / "moved" / "deep"
    moved.mkdir(parents=True)
    shutil.move(case.parent / "evidence" / "a.mp4", moved / "renamed.mp4")
    result = cli("clip", "--all", "--case", case)
    assert result.status == 3
    assert "--source" in result.err
    assert result.err.count("\n") == 1
    assert "E0002_copy" in result.out
    again = cli("clip", "E0001", "--case", case, "--source", case.parent / "moved")
    assert again.status == 0, again.err
    stored = json.loads((case / "clips" / "E0001_copy.json").read_bytes())
    assert stored["exhibit"]["path"] == str(moved / "renamed.mp4")
    elsewhere = cli("clip", "E0001", "--case", case, "--source", case)
    assert elsewhere.status == 3


def test_an_altered_exhibit_is_an_integrity_failure_and_the_rest_goes_on(case: Path, cli: Cli) -> None:
    path = case.parent / "evidence" / "a.mp4"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for command, kept in (("clip", "E0002_copy.mp4"), ("still", "E0002.png")):
        result = cli(command, "--all", "--case", case)
        assert result.status == 4
        assert "has SHA-256" in result.err
        assert kept in result.out
        assert not list(case.rglob("E0001*"))
    path.unlink()  # the fixture checks that evidence was not altered; this one was, by the test


def test_an_event_that_cannot_be_cut_does_not_end_the_batch(
    case: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vidreview.clips

    real = vidreview.clips.cut

    def fails(opener: Any, parent: Parent, wanted: ClipRequest, *rest: Any, **more: Any) -> ClipRecord:
        if wanted.name == "E0001":
            raise MediaError("cam: no such luck")
        return real(opener, parent, wanted, *rest, **more)

    monkeypatch.setattr(vidreview.clips, "cut", fails)
    result = cli("clip", "--all", "--case", case)
    assert result.status == 3
    assert "vidreview: cam: no such luck" in result.err
    assert "E0002_copy" in result.out


def test_a_case_that_cannot_be_written_ends_the_batch(case: Path, cli: Cli) -> None:
    (case / "clips").write_text("in the way")
    result = cli("clip", "--all", "--case", case)
    assert result.status == 1
    assert "cannot make the folder" in result.err


def test_an_empty_case_has_nothing_to_derive(tmp_path: Path, cli: Cli) -> None:
    Case.open(tmp_path, create=True).close()
    for command in ("clip", "still"):
        result = cli(command, "--all", "--case", tmp_path)
        assert result.status == 0
        assert "No events recorded" in result.out
        assert cli(command, "E0001", "--case", tmp_path).status == 2


def test_errors_of_the_batch_are_of_the_tree() -> None:
    assert issubclass(MediaError, VidreviewError)


def test_nothing_more_is_derived_when_the_log_is_not_what_was_recorded(case: Path, cli: Callable[..., Result]) -> None:
    (case / "audit.jsonl").write_text("garbage\n")
    result = cli("clip", "--all", "--case", case)
    assert result.status == 4
    assert "audit.jsonl holds no entry that can be read" in result.err
    assert result.err.count("\n") == 1
    assert len(list((case / "clips").glob("*_copy.json"))) == 1
