"""Recordings made to cost time or memory, and an evidence folder that is not what it seems (rules A10, C3)."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.films import RedDetector, film
from tests.fuzz import Outcome, scanned
from tests.media_samples import make
from vidreview.errors import IntegrityError, VidreviewError
from vidreview.index import Reader
from vidreview.media import open_frames, probe
from vidreview.media.probe import MAX_STREAMS
from vidreview.media.source import _Window
from vidreview.pipeline import ScanSummary, scan
from vidreview.reading import open_evidence
from vidreview.settings import ScanSettings

#: What one scan of a small hostile file may take on a slow and busy machine.
SECONDS = 60.0
#: And how much more memory than this process takes anyway, bytes.
MEMORY = 1 << 30


def bounded(path: Path, case: Path) -> Outcome:
    """Scan one file within the bounds; the ledger must hold what it holds of any file."""
    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcome = scanned(path, case)
    assert time.monotonic() - began < SECONDS
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MEMORY
    assert outcome.ledger
    for item in outcome.ledger:
        ticks = dict(item["ticks"])
        assert ticks.pop("duration") == sum(ticks.values())
    return outcome


def with_size(path: Path, width: int, height: int) -> bytes:
    """A motion-JPEG AVI whose every picture, and whose header, declares another size."""
    data = bytearray(path.read_bytes())
    at = 0
    while (at := data.find(b"\xff\xc0\x00\x11\x08", at)) >= 0:
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
        at += 9
    return bytes(data)


def test_absurd_dimensions_are_refused_and_listed(tmp_path: Path) -> None:
    path = make(tmp_path / "a.avi", codec="mjpeg", pixel_format="yuvj420p", frames=5, options={})
    path.write_bytes(with_size(path, 65500, 65500))
    outcome = bounded(path, tmp_path / "case")
    assert outcome.frames == 0
    assert outcome.kinds() & {"unreadable", "undecodable"}


def test_a_stream_that_turns_huge_in_the_middle_keeps_what_came_before(tmp_path: Path) -> None:
    path = make(tmp_path / "a.avi", codec="mjpeg", pixel_format="yuvj420p", frames=20, options={})
    whole = path.read_bytes()
    half = len(whole) // 2
    path.write_bytes(whole[:half] + with_size(path, 65500, 65500)[half:])
    outcome = bounded(path, tmp_path / "case")
    assert 5 <= outcome.frames < 20
    assert "damage" in outcome.kinds()
    (item,) = outcome.ledger
    assert item["states"]["analysed_s"] + item["states"]["undecodable_s"] == pytest.approx(0.8)


def test_tens_of_thousands_of_tiny_packets(tmp_path: Path) -> None:
    """All of them broken: told as one stretch, not one by one."""
    path = tmp_path / "a.mkv"
    good = make(tmp_path / "good.mkv", frames=5)
    count = 60_000
    with av.open(str(good)) as original, av.open(str(path), "w") as output:
        copy = output.add_stream_from_template(original.streams.video[0])
        packets = [packet for packet in original.demux(video=0) if packet.size]
        for packet in packets:
            packet.stream = copy
            output.mux(packet)
        for number in range(count):
            tiny = av.Packet(b"\x00")
            tiny.stream = copy
            tiny.pts = tiny.dts = 200 + number
            tiny.time_base = Fraction(1, 1000)
            output.mux(tiny)
    outcome = bounded(path, tmp_path / "case")
    assert outcome.frames == 5
    (item,) = outcome.ledger
    assert item["frames"]["missing"] == count
    assert len(item["problems"]) < 20


@pytest.mark.parametrize("tick", [10**12, 10**15])
def test_absurd_timestamps_are_listed_and_not_believed(tmp_path: Path, tick: int) -> None:
    """Timestamps of 1e9 and 1e12 s are in no sum."""
    path = make(tmp_path / "a.mkv", frames=20, container="nut")
    ticks = [*range(0, 400, 40), *range(tick, tick + 400, 40)]
    with av.open(str(path)) as original, av.open(str(tmp_path / "b.nut"), "w", format="nut") as output:
        copy = output.add_stream_from_template(original.streams.video[0])
        for number, packet in enumerate(p for p in original.demux(video=0) if p.size):
            packet.stream = copy
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = ticks[number]
            output.mux(packet)
    outcome = bounded(tmp_path / "b.nut", tmp_path / "case")
    (item,) = outcome.ledger
    assert outcome.frames == 20
    assert item["duration_s"] < 10
    assert outcome.kinds() & {"clock-step", "bad-time"}


def test_an_absurd_length_is_not_believed(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mkv", frames=20)
    data = bytearray(path.read_bytes())
    at = data.index(b"\x44\x89\x88") + 3
    data[at : at + 8] = struct.pack(">d", 1e15)
    path.write_bytes(data)
    outcome = bounded(path, tmp_path / "case")
    (item,) = outcome.ledger
    assert (outcome.frames, item["duration_s"]) == (20, 0.8)
    assert "absurd-duration" in outcome.kinds()


def test_an_index_of_more_pictures_than_the_file_has_bytes(tmp_path: Path) -> None:
    """Twelve bytes that would have FFmpeg make a table of 7 GB."""
    path = make(tmp_path / "a.mp4", frames=30)
    data = bytearray(path.read_bytes())
    count = 100_000_000
    for kind, values in ((b"stsz", (1, count)), (b"stts", (1, count)), (b"stsc", (1, 1, count))):
        # behind the version: of sizes the common one and their number, of the others the number of entries first
        at = data.index(kind) + 8
        struct.pack_into(f">{len(values)}I", data, at, *values)
    path.write_bytes(data)
    outcome = bounded(path, tmp_path / "case")
    (item,) = outcome.ledger
    assert "absurd index: 100000000 pictures" in item["problems"][0]["reason"]


def test_more_streams_than_a_recorder_has(tmp_path: Path) -> None:
    """As many are read as a recorder may have; that there are more is listed (rule C2)."""
    path = make(tmp_path / "a.ts", frames=10, container="mpegts")
    many = tmp_path / "many.mkv"
    count = 100
    with av.open(str(path)) as original, av.open(str(many), "w") as output:
        template = original.streams.video[0]
        copies = [output.add_stream_from_template(template) for _ in range(count)]
        packet = next(p for p in original.demux(video=0) if p.size)
        data = bytes(packet)
        for copy in copies:
            one = av.Packet(data)
            one.stream, one.pts, one.dts, one.time_base, one.is_keyframe = copy, 0, 0, Fraction(1, 1000), True
            output.mux(one)
    outcome = bounded(many, tmp_path / "case")
    assert len(outcome.ledger) == MAX_STREAMS
    (reason,) = {p["reason"] for item in outcome.ledger for p in item["problems"] if p["kind"] == "streams"}
    assert f"{count} video streams" in reason


def test_a_run_of_zeros_costs_no_more_than_its_length(tmp_path: Path) -> None:
    """A search that starts anew at every zero would take hours."""
    path = make(tmp_path / "a.mp4", frames=30, muxer={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    at = data.index(b"mdat") - 4
    # one picture of 8 MB of zeros at the end of the file
    size = 8 << 20
    table = data.index(b"stsz") + 4 + 12
    count = int.from_bytes(data[table - 4 : table], "big")
    data[table + 4 * (count - 1) : table + 4 * count] = size.to_bytes(4, "big")
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + size).to_bytes(4, "big")
    path.write_bytes(bytes(data) + bytes(size))
    outcome = bounded(path, tmp_path / "case")
    assert outcome.frames >= 29


def test_links_are_listed_and_not_followed(tmp_path: Path) -> None:
    """Rule C3: a link out of the evidence, one that leads nowhere, and one that leads in a circle."""
    folder = tmp_path / "drive"
    film(folder / "a.mp4", 20, [])
    outside = film(tmp_path / "outside" / "b.mp4", 20, [])
    (folder / "out.mp4").symlink_to(outside)
    (folder / "nowhere.mp4").symlink_to(folder / "none.mp4")
    (folder / "circle").symlink_to(folder)
    os.mkfifo(folder / "pipe.mp4")
    outcome = scanned(folder, tmp_path / "case")
    reasons = {item["exhibit"]: [p["reason"] for p in item["problems"]] for item in outcome.ledger}
    assert reasons == {
        "a.mp4": [],
        "circle": ["symbolic link, not followed"],
        "nowhere.mp4": ["symbolic link, not followed"],
        "out.mp4": ["symbolic link, not followed"],
        "pipe.mp4": ["pipe, not opened"],
    }


class Meddling(RedDetector):
    """Does something to a file while it is being scanned."""

    def __init__(self, meddle: Any) -> None:
        super().__init__()
        self.meddle = meddle

    def detect(self, pictures: Any, size: int | None = None) -> Any:
        if self.pictures == 0:
            self.meddle()
        return super().detect(pictures, size)


@pytest.mark.parametrize("what", ["grows", "shrinks", "disappears", "is replaced"])
def test_a_file_that_does_not_stay_as_it_is(tmp_path: Path, what: str) -> None:
    """Rules A2, A10, C3: the rest of the batch goes on, and the file is spoken for."""
    folder = tmp_path / "drive"
    victim = film(folder / "a.mp4", 60, [(10, 40)])
    film(folder / "b.mp4", 20, [])

    def meddle() -> None:
        if what == "grows":
            with victim.open("ab") as file:
                file.write(b"x" * 1000)
        elif what == "shrinks":
            os.truncate(victim, victim.stat().st_size // 2)
        else:
            victim.unlink()
            if what == "is replaced":
                victim.write_bytes((folder / "b.mp4").read_bytes())

    with pytest.raises(IntegrityError, match=r"a\.mp4"):
        scan([folder], tmp_path / "case", ScanSettings(), detector=Meddling(meddle))
    with Reader.open(tmp_path / "case") as reader:
        ledger = {item["exhibit"]: item for item in reader.coverage()}
    assert set(ledger) == {"a.mp4", "b.mp4"}
    assert ledger["b.mp4"]["problems"] == []
    assert ledger["b.mp4"]["states"]["analysed_s"] == 2.0
    assert ledger["a.mp4"]["problems"], "a scan that is void says so"


def test_a_file_that_is_gone_before_its_turn_is_listed(tmp_path: Path) -> None:
    """Rule A2: it was hashed already, so that it is gone voids the run; and it is listed."""
    folder = tmp_path / "drive"
    film(folder / "a.mp4", 30, [(5, 20)])
    later = film(folder / "b.mp4", 20, [])
    summary = ScanSummary()
    with pytest.raises(IntegrityError, match=r"b\.mp4: .*No such file"):
        scan([folder], tmp_path / "case", ScanSettings(), detector=Meddling(later.unlink), summary=summary)
    assert [problem["path"] for problem in summary.problems] == [str(later)]
    with Reader.open(tmp_path / "case") as reader:
        ledger = {item["exhibit"]: item for item in reader.coverage()}
    assert [p["kind"] for p in ledger["b.mp4"]["problems"]] == ["unreadable"]


@pytest.mark.footage
def test_all_odd_files_in_one_batch(odd_files: Path, tmp_path: Path) -> None:
    """Rules A10, C3, E2: 26 odd files, each covered to the tick or listed, and the batch ends by itself."""
    outcome = scanned(odd_files, tmp_path / "case")
    assert {item["exhibit"] for item in outcome.ledger} == {path.name for path in odd_files.iterdir()}
    for item in outcome.ledger:
        ticks = dict(item["ticks"])
        whole = ticks.pop("duration")
        assert whole == sum(ticks.values())
        assert ticks["analysed"] == whole or item["problems"], item["exhibit"]


def test_the_fuzzer_itself_runs_from_the_command_line(footage: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz", "--seed", "1", "--cases", "5", "--keep", str(tmp_path / "keep")]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parent.parent, timeout=300, check=False
    )
    assert (done.returncode, done.stdout) == (0, "5 cases, 0 with findings\n"), done.stderr


@pytest.mark.parametrize("position", [-5000, -(2**62), 2**63, 2**70])
def test_a_place_that_cannot_be_is_told_to_ffmpeg_and_printed_nowhere(tmp_path: Path, position: int) -> None:
    """Found by fuzzing: PyAV prints the traceback of an exception that a file object raises."""
    path = tmp_path / "a.bin"
    path.write_bytes(bytes(5000))
    with open_evidence(path) as file:
        window = _Window(file.file(1000))
        assert window.seek(position) < 0
        assert window.seek(10) == 10
        window.close()


def test_every_error_of_a_hostile_file_is_one_of_ours(tmp_path: Path) -> None:
    """What the public names of media raise is a VidreviewError, whatever is in the file."""
    refused = 0
    for number, content in enumerate(
        (b"", b"\0" * 5000, b"RIFF\xff\xff\xff\xffAVI LIST", b"\x1a\x45\xdf\xa3" + bytes(range(256)))
    ):
        path = tmp_path / f"{number}.mp4"
        path.write_bytes(content)
        with pytest.raises(VidreviewError):
            probe(path)
        with pytest.raises(VidreviewError):
            open_frames(path, 0)
        refused += 2
    assert refused == 8
