"""Coverage to the tick, and every problem where it lies: PTS and byte (rules B6, C3, E2)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Result
from tests.media_samples import make, pack_b_frames, remux
from tests.test_index import BASE, RECORD, stream_info
from vidreview.errors import MediaError
from vidreview.index import Case, Identity
from vidreview.media import open_frames, probe
from vidreview.media.extent import _WALKS, absurd_samples, extent
from vidreview.media.timeline import LISTED, Timeline
from vidreview.model import Coverage, Problem, StreamInfo

MILLI = Fraction(1, 1000)


def read(path: Path) -> tuple[StreamInfo, Coverage]:
    """Probe the first stream and read it to its end."""
    info = probe(path).streams[0]
    with open_frames(path, info) as frames:
        assert sum(1 for _ in frames) > 0
        return info, frames.coverage()


def packets(path: Path) -> list[tuple[int, int]]:
    """PTS and byte of each packet, as FFmpeg has them."""
    with av.open(str(path)) as container:
        found = [(p.pts, p.pos) for p in container.demux(video=0) if p.size]
    return [(pts, pos) for pts, pos in found if pts is not None and pos is not None]


def of_kind(coverage: Coverage, kind: str) -> list[Problem]:
    return [problem for problem in coverage.problems if problem.kind == kind]


def lies(problem: Problem) -> tuple[int | None, int | None, int | None]:
    return problem.pts, problem.end_pts, problem.byte


# ---- the sum


@pytest.mark.footage
def test_states_sum_to_the_length_to_the_tick(odd_files: Path, footage: Path) -> None:
    """Rule E2: the length is measured by probe from the packets, the states by the frames, one by one."""
    checked = 0
    for path in sorted([*odd_files.iterdir(), *(footage / "clips").iterdir()]):
        try:
            streams = probe(path).streams
        except MediaError:
            continue
        for info in streams:
            with open_frames(path, info) as frames:
                for _ in frames:
                    pass
                coverage = frames.coverage()
            states = (coverage.analysed, coverage.undecodable, coverage.gap, coverage.not_requested)
            assert all(type(ticks) is int and ticks >= 0 for ticks in states), path.name
            assert sum(states) == info.length + round(info.cut_off / info.time_base), path.name
            checked += 1
    assert checked == 28


def test_what_nobody_asked_for_is_counted_of_a_stream_without_timestamps_too(tmp_path: Path) -> None:
    path = make(tmp_path / "a.h264", frames=50, container="h264")
    with open_frames(path, 0) as frames:
        for frame in frames:
            if frame.number == 19:
                break
        coverage = frames.coverage()
    assert coverage.duration_s == 2.0
    assert coverage.not_requested_s == 1.2


@pytest.fixture(scope="module")
def ledger_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Fraction, list[int]], dict[str, object]]:
    """Puts a ledger into a case and asks for it."""
    from vidreview.index import Reader

    folder = tmp_path_factory.mktemp("sum") / "case"
    with Case.open(folder, create=True) as case:
        exhibit = case.begin_exhibit(case.begin_run(RECORD), Identity("a.mp4", Path("/e/a.mp4"), 1, 1, "a" * 64))
        stream = case.add_stream(exhibit, stream_info())

    def ask(base: Fraction, ticks: list[int]) -> dict[str, object]:
        a, b, c, d = ticks
        with Case.open(folder) as case:
            case._db.execute("UPDATE streams SET time_base_num = ?, time_base_den = ?", base.as_integer_ratio())
            case.set_coverage(stream, Coverage(base, a, b, c, d, 0, 0, 0, 0))
        with Reader.open(folder) as reader:
            return reader.coverage()[0]

    return ask


TICKS = st.integers(0, 1 << 30)
BASES = st.sampled_from([(1, 90000), (1001, 30000), (1, 3), (7, 11), (1, 10**9)])


@given(
    st.lists(TICKS, min_size=4, max_size=4), st.sampled_from([(1, 90000), (1001, 30000), (1, 3), (7, 11), (1, 10**9)])
)
def test_printed_seconds_sum_too(
    ledger_of: Callable[[Fraction, list[int]], dict[str, object]], ticks: list[int], base: tuple[int, int]
) -> None:
    """Rule E2: rounded to a microsecond, the states still add up to the duration."""
    item = ledger_of(Fraction(*base), ticks)
    states, whole, counted = item["states"], item["duration_s"], item["ticks"]
    assert isinstance(states, dict)
    assert isinstance(counted, dict)
    assert sum(round(value * 1_000_000) for value in states.values()) == round(float(str(whole)) * 1_000_000)
    for value, one in zip(states.values(), ticks, strict=True):
        assert value == pytest.approx(float(one * Fraction(*base)), rel=1e-12, abs=1.001e-6)
    assert tuple(counted.values()) == (sum(ticks), *ticks)


# ---- the places


def test_every_break_of_the_time_line_says_where_it_lies() -> None:
    """Rule B6: gap, reset, clock-step, bad-time, duplicate-time, non-monotonic and missing-time, each by name."""
    year = 365 * 86_400_000
    ticks = [0, 100, 60_100, 60_200, 60_200, 60_400, 60_300, 60_500, None, 60_700, 99_000_000, 60_900, 0, 100, year]
    line: Timeline[None] = Timeline(MILLI, Fraction(1, 10))
    for number, pts in enumerate(ticks):
        for placed in line.push(pts, None, byte=1000 * number):
            if placed.event == "gap":
                line.note_gap(placed)
    list(line.flush())
    found = {problem.kind: problem for problem in line.problems()}
    assert {kind: lies(problem) for kind, problem in found.items()} == {
        "gap": (100, 60_100, 2000),
        "duplicate-time": (60_200, 60_200, 4000),
        "non-monotonic": (60_400, 60_300, 6000),
        "missing-time": (60_600, 60_600, 8000),
        "bad-time": (99_000_000, 99_000_000, 10_000),
        "reset": (60_900, 0, 12_000),
        "clock-step": (100, year, 14_000),
    }
    assert {kind: problem.at_s for kind, problem in found.items()} == {
        "gap": 0.1,
        "duplicate-time": 60.2,
        "non-monotonic": 60.4,
        "missing-time": 60.5,
        "bad-time": 60.7,
        "reset": 61.0,
        "clock-step": 61.2,
    }


@pytest.mark.parametrize("absurd", [2**61, -(2**61), 2**63 - 1, -(2**63) + 1])
def test_a_timestamp_that_no_sum_could_hold_is_a_bad_time(absurd: int) -> None:
    """Rules A10, B6: everything that is stored must fit into 64 bits."""
    line: Timeline[None] = Timeline(MILLI, Fraction(1, 10))
    found = [p for n, pts in enumerate([0, 100, absurd, 300, absurd]) for p in line.push(pts, None, byte=n)]
    found += line.flush()
    assert [p.position for p in found] == [0, 100, 200, 300, 400]
    assert [lies(p) for p in line.problems() if p.kind == "bad-time"] == [(absurd, absurd, 2), (absurd, absurd, 4)]


def test_many_of_one_kind_are_listed_one_by_one_and_then_counted() -> None:
    line: Timeline[None] = Timeline(MILLI, Fraction(1, 10))
    for number in range(100):
        list(line.push(number // 2 * 100, None, byte=number))
    problems = line.problems()
    assert [problem.byte for problem in problems[:LISTED]] == [2 * n + 1 for n in range(LISTED)]
    assert (len(problems), problems[-1].reason) == (LISTED + 1, "30 more of this kind, 50 in all")


def test_a_gap_lies_between_two_timestamps_and_before_a_packet(tmp_path: Path) -> None:
    """Rule B6."""
    source = make(tmp_path / "a.mp4", frames=40)
    path = remux(source, tmp_path / "gap.mkv", [40 * n + (30000 if n >= 20 else 0) for n in range(40)])
    _, coverage = read(path)
    (gap,) = of_kind(coverage, "gap")
    assert lies(gap) == (760, 30800, packets(path)[20][1])


def test_a_reset_lies_where_the_second_recording_begins(tmp_path: Path) -> None:
    """Rule B6."""
    part = make(tmp_path / "a.ts", frames=100, container="mpegts").read_bytes()
    (tmp_path / "both.ts").write_bytes(part + part)
    _, coverage = read(tmp_path / "both.ts")
    (reset,) = of_kind(coverage, "reset")
    known = packets(tmp_path / "both.ts")
    assert lies(reset) == (known[99][0], known[100][0], known[100][1])
    assert len(part) <= known[100][1] < len(part) + 1000


def test_duplicates_and_disorder_are_listed_one_by_one(tmp_path: Path) -> None:
    """Rule B6."""
    source = make(tmp_path / "a.mp4", frames=10)
    path = remux(source, tmp_path / "d.mkv", [0, 40, 80, 80, 160, 200, 200, 280, 320, 360])
    _, coverage = read(path)
    known = packets(path)
    assert [lies(p) for p in of_kind(coverage, "duplicate-time")] == [(80, 80, known[3][1]), (200, 200, known[6][1])]
    plain = make(tmp_path / "b.avi", frames=60, codec="mpeg4", options={"bf": "2", "g": "12"})
    _, coverage = read(pack_b_frames(plain, tmp_path / "packed.avi"))
    steps = of_kind(coverage, "non-monotonic")
    assert steps
    for step in steps[:LISTED]:
        assert step.pts is not None
        assert step.end_pts is not None
        assert step.end_pts < step.pts
        assert step.byte is not None


def test_rate_and_frame_count_against_what_is_declared(tmp_path: Path) -> None:
    """Rule B6: declared against measured rate, and a frame count that the timestamps do not bear out."""
    source = make(tmp_path / "a.mp4", frames=40)
    slow, _ = read(remux(source, tmp_path / "slow.mkv", [n * 80 for n in range(40)]))
    assert [p.reason for p in slow.problems if p.kind == "rate"] == [
        "declares 25 frames per second, timestamps give 12.5"
    ]
    # an AVI that declares fewer frames than there are
    path = make(tmp_path / "a.avi", frames=40, codec="mpeg4", options={})
    data = bytearray(path.read_bytes())
    at = data.index(b"strh") + 8 + 32
    assert int.from_bytes(data[at : at + 4], "little") == 40
    data[at : at + 4] = (30).to_bytes(4, "little")
    path.write_bytes(data)
    info, _ = read(path)
    assert [p.reason for p in info.problems if p.kind == "frame-count"] == [
        "the container declares 30 frames but gives 40"
    ]


def test_a_picture_left_out_of_a_regular_stream_is_listed(tmp_path: Path) -> None:
    """Rules B6, C3: too short for a gap, and nothing failed; a stream that varies anyway says nothing by it."""
    source = make(tmp_path / "a.mp4", frames=40, options={"preset": "veryfast", "g": "1"})
    path = remux(source, tmp_path / "skip.mkv", [40 * n + (80 if n >= 20 else 0) for n in range(40)])
    _, coverage = read(path)
    (skip,) = of_kind(coverage, "skip")
    assert (skip.at_s, *lies(skip)) == (0.76, 760, 880, packets(path)[20][1])
    varied = remux(source, tmp_path / "varied.mkv", [n * 40 + n % 3 * 9 + (80 if n >= 20 else 0) for n in range(40)])
    _, coverage = read(varied)
    assert of_kind(coverage, "skip") == []


def test_packets_that_fail_are_one_stretch_with_its_place(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=60, size=(320, 240), muxer={"movflags": "faststart"})
    known = packets(path)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        keys = [number for number, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    key = next(number for number in keys if number > 22)
    assert 27 < key < 32
    # three pictures that build on the one before
    for number in (23, 24, 25):
        data[known[number][1] : known[number + 1][1]] = b"\xff" * (known[number + 1][1] - known[number][1])
    path.write_bytes(data)
    info, coverage = read(path)
    (failed,) = [p for p in of_kind(coverage, "damage") if "failed to decode" in p.reason]
    assert failed.reason.startswith("3 packet(s) failed to decode: ")
    assert lies(failed) == (known[23][0], known[25][0], known[23][1])
    assert failed.at_s == pytest.approx(23 / 25)
    (lost,) = [p for p in of_kind(coverage, "damage") if "before PTS" in p.reason]
    assert lies(lost) == (known[22][0], known[26][0], known[23][1])
    (flagged,) = [p for p in of_kind(coverage, "damage") if "flagged" in p.reason]
    assert flagged.reason.startswith(f"{key - 26} frame(s) flagged")
    assert lies(flagged) == (known[26][0], known[key - 1][0], known[26][1])
    assert coverage.undecodable * info.time_base == Fraction(3, 25)


def test_a_recording_that_begins_between_key_frames(tmp_path: Path) -> None:
    """The missing lead-in has its place: from the first packet to the first picture."""
    source = make(tmp_path / "a.mp4", frames=30)
    path = tmp_path / "late.mkv"
    with av.open(str(source)) as original, av.open(str(path), "w") as output:
        copy = output.add_stream_from_template(original.streams.video[0])
        for number, packet in enumerate(original.demux(video=0)):
            if packet.size and number >= 4:
                packet.stream = copy
                output.mux(packet)
    known = packets(path)
    with open_frames(path, 0) as frames:
        first = next(frame.time.pts for frame in frames)
    _, coverage = read(path)
    (lead_in,) = [p for p in of_kind(coverage, "damage") if "before the first picture" in p.reason]
    lost = [pts for pts, _ in known].index(first)
    assert lost > 0
    assert lead_in.reason.startswith(f"{lost} packet(s) before the first picture")
    assert lies(lead_in) == (known[0][0], first, known[0][1])


def test_bytes_count_from_the_start_of_the_exhibit_where_the_container_is_wrapped(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=40)
    inner = remux(source, tmp_path / "gap.mkv", [40 * n + (30000 if n >= 20 else 0) for n in range(40)])
    place = packets(inner)[20][1]
    path = tmp_path / "wrapped.bin"
    path.write_bytes(b"\x17\x2a VENDOR " * 100 + inner.read_bytes())
    _, coverage = read(path)
    (gap,) = of_kind(coverage, "gap")
    assert gap.byte == 1000 + place


# ---- what is cut off


@pytest.mark.footage
@pytest.mark.parametrize("size", [200_000, 300_000, 500_000, 700_000])
def test_matroska_that_begins_late_does_not_hide_that_it_is_cut_off(footage: Path, tmp_path: Path, size: int) -> None:
    """Rule C3: its first timestamp is 17.8 s and its duration counts from there: 5.9 s."""
    path = tmp_path / "cut.mkv"
    path.write_bytes((footage / "clips" / "porch_vfr.mkv").read_bytes()[:size])
    info, coverage = read(path)
    assert coverage.duration_s == pytest.approx(5.907, abs=0.001)
    (cut,) = of_kind(coverage, "truncated")
    assert cut.pts == 17811 + info.length
    assert cut.end_pts == 17811 + coverage.duration
    assert cut.byte == size
    assert [p.kind for p in probe(path).problems] == ["truncated"]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "live.mkv", "a.avi", "a.asf", "a.flv", "frag.mp4"])
def test_a_container_that_ends_before_its_own_sizes_say_is_listed(tmp_path: Path, name: str) -> None:
    """Rule C3: wherever it is cut, and whether or not it claims a length; and a whole one is not listed."""
    muxer = {
        "a.mp4": {"movflags": "faststart"},
        "frag.mp4": {"movflags": "frag_keyframe+empty_moov"},
        "live.mkv": {"live": "1"},
    }
    path = make(tmp_path / name, frames=60, size=(160, 96), muxer=muxer.get(name, {}))
    whole = path.read_bytes()
    sound = probe(path)
    assert [p.kind for p in (*sound.problems, *sound.streams[0].problems)] == []
    # within the last picture, and anywhere behind the first
    places = [byte for _, byte in packets(path)]
    rng, read_in_part = random.Random(name), 0
    for size in sorted({places[-1] + 15, *(rng.randrange(places[1], places[-1]) for _ in range(8))}):
        path.write_bytes(whole[:size])
        try:
            cut = probe(path)
        except MediaError:
            continue  # listed as unreadable: nothing of it can be decoded
        assert "truncated" in {p.kind for p in (*cut.problems, *cut.streams[0].problems)}, size
        read_in_part += 1
    assert read_in_part >= 3


@pytest.mark.parametrize("container", [*_WALKS, "mpegts"])
def test_whatever_sizes_a_file_claims_the_walk_ends_and_reads_headers_only(container: str) -> None:
    """Rule A10."""
    rng = random.Random(container)
    marks = (
        *(b"RIFF\xff\xff\xff\xffAVI ", b"\x18\x53\x80\x67\x01" + b"\xff" * 7, b"\x1f\x43\xb6\x75\x08", b"FLV\x01\x05"),
        *(b"\0\0\0\1moof" + b"\xff" * 8, b"\0\0\0\x08mdat", b"\0\0\0\x10ftypabcd\0\0\0\0", b"DHAV"),
    )
    asked = 0
    for _ in range(300):
        data = b"".join(rng.choice((*marks, rng.randbytes(5))) for _ in range(rng.randrange(1, 30)))

        def read(count: int, position: int, data: bytes = data) -> bytes:
            nonlocal asked
            asked += 1
            return data[position : position + count]

        told = extent(read, 0, len(data), container)
        assert told.broken is None or 0 <= told.broken <= len(data)
        assert told.reach >= 0
        assert absurd_samples(read, 0, len(data)) >= 0
    assert asked < 100_000


# ---- as it is told


def test_places_are_printed(tmp_path: Path, cli: Callable[..., Result]) -> None:
    folder = tmp_path / "case"
    problems = (
        Problem("gap", "no frames for 60.000 s", 12.0, 100, 200, 4711),
        Problem("duplicate-time", "again", 13.0, 300, 300, None),
        Problem("rate", "declares 25"),
    )
    with Case.open(folder, create=True) as case:
        exhibit = case.begin_exhibit(case.begin_run(RECORD), Identity("a.mp4", Path("/e/a.mp4"), 1, 1, "a" * 64))
        stream = case.add_stream(exhibit, stream_info(problems=problems))
        case.set_coverage(stream, Coverage(BASE, 1, 0, 0, 0, 1, 0, 0, 0, problems))
        case.finish_exhibit(exhibit)
        case.number(exhibit)
    out = cli("coverage", "--case", folder).out
    assert "a.mp4 stream 0 at 00:00:12.000, PTS 100 to 200, byte 4711: gap: no frames for 60.000 s" in out
    assert "a.mp4 stream 0 at 00:00:13.000, PTS 300: duplicate-time: again" in out
    assert "a.mp4 stream 0: rate: declares 25" in out
    (item,) = json.loads(cli("coverage", "--case", folder, "--json").out)
    assert [list(problem.values())[2:] for problem in item["problems"]] == [
        [12.0, 100, 200, 4711],
        [13.0, 300, 300, None],
        [None, None, None, None],
    ], "what probe found and the scan found again is told once"
    assert all(a["kind"] != b["kind"] for a, b in pairwise(item["problems"]))
