"""`regions.toml`: cameras, named regions and lines, and what is said of one that is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidreview.errors import UsageError
from vidreview.regions import Regions, case_regions, load_regions
from vidreview.shapes import parse_line, parse_region, upright_box, upright_corners, upright_size

GOOD = """
[cameras."front door"]
exhibits = ["front*.mp4", "/evidence/cam2/*"]
regions.gate = "10%,20%,40%,20%,40%,80%,10%,80%"
regions.drive = [[0, 0], [100, 0], [100.5, 50]]
lines.kerb = [0, 40, 128, 38]

[cameras.yard]
exhibits = "yard [2].mp4"
streams = [1]
picture = "stored"
regions.gate = "0,0,10,0,10,20"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "regions.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_cameras_regions_and_lines_are_read(tmp_path: Path) -> None:
    regions = load_regions(written(tmp_path, GOOD))
    assert [camera.name for camera in regions.cameras] == ["front door", "yard"]
    door, yard = regions.cameras
    assert door.regions["gate"].on(200, 100) == ((20, 20), (80, 20), (80, 80), (20, 80))
    assert door.regions["drive"].on(9, 9) == ((0, 0), (100, 0), (100.5, 50))
    assert door.lines["kerb"].corners == ((0.0, 40.0), (128.0, 38.0))
    assert list(yard.streams) == [1]
    assert yard.stored is True


def test_a_stream_belongs_to_the_camera_whose_name_or_path_fits(tmp_path: Path) -> None:
    regions = load_regions(written(tmp_path, GOOD))
    assert regions.camera_of("front-1.mp4", "/x/front-1.mp4", 0) == "front door"
    assert regions.camera_of("0001.dav", "/evidence/cam2/0001.dav", 3, several=True) == "front door"
    assert regions.camera_of("yard [2].mp4", "/x", 1) == "yard", "a bracket in a name is no pattern"
    assert regions.camera_of("yard [2].mp4", "/x", 0) == "yard [2].mp4", "the other stream is nobody's"
    assert regions.camera_of("yard [2].mp4", "/x", 0, several=True) == "yard [2].mp4#0"
    assert Regions().camera_of("a.mp4", "/a.mp4", 0) == "a.mp4"


def test_a_stream_of_two_cameras_is_refused(tmp_path: Path) -> None:
    text = '[cameras.a]\nexhibits = ["*.mp4"]\n[cameras.b]\nexhibits = ["x.*"]\n'
    regions = load_regions(written(tmp_path, text))
    assert regions.camera_of("y.mp4", "/y.mp4", 0) == "a"
    with pytest.raises(UsageError, match=r"'x.mp4' stream 0 is of camera 'a' and of camera 'b'"):
        regions.camera("x.mp4", "/x.mp4", 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cameras = 3", "cameras must be tables"),
        ("[cams.a]", "unknown key 'cams'"),
        ("[cameras.a]\nexhibit = ['x']", "camera 'a': unknown key 'exhibit'"),
        ("[cameras.a]\nexhibits = []", "camera 'a': exhibits must list"),
        ("[cameras.a]\nexhibits = ['x']\nstreams = [-1]", "camera 'a': streams must list"),
        ("[cameras.a]\nexhibits = ['x']\nstreams = [true]", "camera 'a': streams must list"),
        ("[cameras.a]\nexhibits = ['x']\npicture = 'turned'", "camera 'a': picture = 'turned'"),
        ("[cameras.a]\nexhibits = ['x']\nregions = 4", "camera 'a': regions must be a table"),
        ("[cameras.a]\nexhibits = ['x']\nregions.g = '1,2,3,4'", "camera 'a', region 'g': a region needs at least 3"),
        ("[cameras.a]\nexhibits = ['x']\nlines.l = [1]", "camera 'a', line 'l': 1 numbers"),
        ("[cameras.a]\nexhibits = ['x']\nlines.l = {x = 1}", "camera 'a', line 'l': .* is no shape"),
        ("[cameras.a]\nexhibits = ['x']\nlines.'1,2' = '0,0,1,1'", "begins with no digit"),
        ("[cameras.' ']\nexhibits = ['x']", "a camera needs a name"),
        ("[cameras.a", "not TOML"),
    ],
)
def test_what_is_wrong_is_named_by_file_camera_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError, match=said) as caught:
        load_regions(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_regions(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="not a file"):
        load_regions(tmp_path)
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(UsageError, match="not a file"):
        load_regions(tmp_path / "pipe.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not TOML"):
        load_regions(tmp_path / "binary.toml")


def test_a_case_without_the_file_has_no_regions_and_one_with_it_has(tmp_path: Path) -> None:
    assert case_regions(tmp_path) == Regions()
    path = written(tmp_path, GOOD)
    assert len(case_regions(tmp_path).cameras) == 2
    (tmp_path / "regions.toml").unlink()
    (tmp_path / "regions.toml").symlink_to(tmp_path / "gone.toml")
    with pytest.raises(UsageError, match="No such file"):
        case_regions(tmp_path)
    path.unlink()
    other = tmp_path / "other.toml"
    other.write_text("[cameras.x]\nexhibits = ['x']\n", encoding="utf-8")
    assert [camera.name for camera in case_regions(tmp_path, other).cameras] == ["x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2,3", "3 numbers"),
        ("1,2,3,4", "at least 3 corners, 2 given"),
        ("0,0,1,0,0,0", "at least 3 corners, 2 given"),
        ("0,0,10%,0,10,10", "pixels and per cent are mixed"),
        ("0%,0%,101%,0%,50%,50%", "101% lies outside the picture"),
        ("0,0,-1,0,5,5", "-1 lies outside every picture"),
        ("0,0,nan,0,5,5", "nan lies outside every picture"),
        ("0,0,1e999,0,5,5", "1e999 lies outside every picture"),
        ("0,0,x,0,5,5", "cannot read 'x'"),
        ("", "cannot read ''"),
        ("0,0,10,10,10,0,0,10", "from corner 1 and from corner 3 cross"),
        ("0,0,10,0,5,0", "cross or touch"),
        ("0,0,10,0,10,10,10,10", "point 3 and the next are the same"),
        ("0,0,10,0,10,10,5,0", "cross or touch"),
    ],
)
def test_a_polygon_that_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_region(text, "--region")


def test_shapes_are_read_in_pixels_or_per_cent() -> None:
    assert parse_region(" 0, 0, 10,0 ,10,10, 0,0", "--region").corners == ((0.0, 0.0), (10.0, 0.0), (10.0, 10.0))
    line = parse_line("0%,50%,100%,50%", "--crosses")
    assert line.on(640, 480) == ((0, 240), (640, 240))
    assert line.fits(1, 1)
    assert not parse_line("0,0,640,481", "--crosses").fits(640, 480)
    assert parse_line("0,0,640,480", "--crosses").fits(640, 480), "the edge is inside"


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_upright_picture_is_the_one_that_players_show(rotation: int) -> None:
    """A mark in the stored picture lies where numpy finds it in the turned one."""
    import numpy as np

    width, height = 6, 4
    stored = np.zeros((height, width), bool)
    stored[1:3, 4:5] = True  # x 4..5, y 1..3
    turned = np.rot90(stored, -rotation // 90)
    rows, columns = np.nonzero(turned)
    wanted = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert upright_size(width, height, rotation) == turned.shape[::-1]
    assert upright_box((4, 1, 5, 3), width, height, rotation) == wanted
    drawn = parse_region("4,1,5,1,5,3,4,3", "--region")
    corners = upright_corners(drawn, width, height, rotation)
    assert (min(x for x, _ in corners), min(y for _, y in corners)) == wanted[:2]
    assert (max(x for x, _ in corners), max(y for _, y in corners)) == wanted[2:]
