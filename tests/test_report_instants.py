"""Many pictures in one pass are the very pictures that decoding each alone gives."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.films import film
from vidreview.clips import read_index
from vidreview.clips.instants import Finder, instants
from vidreview.clips.stills import _decode
from vidreview.colours import to_bgr
from vidreview.media.source import Source


@pytest.mark.footage
@pytest.mark.parametrize("name", ["car-detection.mp4", "porch_vfr.mkv", "one-by-one-person-detection.mp4"])
def test_instants_are_those_that_a_still_shows(footage: Path, name: str) -> None:
    """Random instants of real clips, in one pass, are to the bit what ``clips.still`` decodes."""
    path = footage / "clips" / name
    index = read_index(Source, path, 0)
    wanted = random.Random(3).sample(range(len(index)), 12)
    found = {one.packet: one for one in instants(Source, index, wanted)}
    assert sorted(found) == sorted(wanted)
    for packet in wanted[:6]:
        alone = _decode(Source, index, packet)
        assert alone is not None
        frame = found[packet].frame
        assert frame is not None
        assert frame.pts == alone.pts
        assert np.array_equal(to_bgr(frame), to_bgr(alone))
        assert not found[packet].damaged


def test_groups_of_pictures_that_nobody_wants_are_not_decoded(tmp_path: Path) -> None:
    """Two pictures at both ends of a film cost two groups of pictures, not all of it."""
    path = film(tmp_path / "long.mp4", 1500, [(10, 40)])
    index = read_index(Source, path, 0)
    decoded = 0

    class Counting(Source):
        pass

    from vidreview.clips import instants as module

    class Walk(module._Walk):
        def decode(self, run: module._Run):  # type: ignore[no-untyped-def]
            nonlocal decoded
            decoded += run.last - run.first + 1
            return super().decode(run)

    original, module._Walk = module._Walk, Walk  # type: ignore[misc]
    try:
        found = list(instants(Counting, index, [1495, 5, 5]))
    finally:
        module._Walk = original  # type: ignore[misc]
    assert [one.packet for one in found] == [5, 1495]
    assert all(one.frame is not None for one in found)
    assert decoded <= 40


@pytest.mark.footage
@pytest.mark.parametrize("name", ["zeroed_64k_middle.mp4", "ok.avi", "raw.264", "pts_reset.ts", "trunc_half.mkv"])
def test_damage_costs_only_itself(odd_files: Path, name: str) -> None:
    """Of damaged, unindexed and untimed files each wanted picture comes, or is said to be lost; each once."""
    index = read_index(Source, odd_files / name, 0)
    wanted = sorted(random.Random(1).sample(range(len(index)), 10))
    found = list(instants(Source, index, wanted))
    assert sorted(one.packet for one in found) == wanted
    there = [one for one in found if one.frame is not None]
    assert len(there) >= 6
    for one in there:
        assert one.frame is not None
        assert one.frame.opaque == [one.packet]


def test_a_seek_that_leads_elsewhere_is_found_and_the_file_read_from_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What seeking gives is compared with the index; where it differs the pictures are right all the same."""
    path = film(tmp_path / "long.mp4", 1500, [(1400, 1460)])
    index = read_index(Source, path, 0)
    honest = {one.packet: to_bgr(one.frame) for one in instants(Source, index, [3, 1450]) if one.frame is not None}
    from vidreview.clips import instants as module

    monkeypatch.setattr(module, "bisect_left", lambda dts, tick: 1399)  # the packet found is said to be another
    told = {one.packet: to_bgr(one.frame) for one in instants(Source, index, [3, 1450]) if one.frame is not None}
    assert sorted(told) == [3, 1450]
    assert all(np.array_equal(honest[packet], told[packet]) for packet in told)


@pytest.mark.footage
def test_frames_are_found_as_one_by_one(odd_files: Path) -> None:
    """Timestamps that occur twice are told apart by the frame's number, as ``PacketIndex.place`` does."""
    index = read_index(Source, odd_files / "pts_reset.ts", 0)
    places = [(index.pts[k], k) for k in range(0, len(index), 37)]
    assert Finder(Source, index, True).packets(places) == [index.place(Source, *place) for place in places]
    assert len(set(index.pts)) <= len(index)
