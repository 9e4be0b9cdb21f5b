"""Names of colours, the light of a picture, descriptors, crops, and albums of bounded size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.films import wall
from vidreview.looks.album import MOST_BYTES, MOST_CELLS, MOST_LOOKS, Album, Albums
from vidreview.looks.crop import LONGEST, encoded, promise, reduced, sharpness, whole_box
from vidreview.looks.describe import Description, describe, named_colours, typical
from vidreview.looks.light import PictureLight, picture_light
from vidreview.looks.naming import NAMES, name_shares, tables, to_lab
from vidreview.model import Crop, Pixels, Point, Sighting, Track, TrackLook

# ---- names


def test_cielab_of_known_colours() -> None:
    """sRGB under D65, as IEC 61966-2-1 and CIE 15 have it: values of published tables, to a tenth."""
    for rgb, lab in {
        (255, 255, 255): (100.0, 0.0, 0.0),
        (0, 0, 0): (0.0, 0.0, 0.0),
        (119, 119, 119): (50.0, 0.0, 0.0),
        (255, 0, 0): (53.2, 80.1, 67.2),
        (0, 255, 0): (87.7, -86.2, 83.2),
        (0, 0, 255): (32.3, 79.2, -107.9),
    }.items():
        assert to_lab(np.array([rgb[::-1]]))[0] == pytest.approx(lab, abs=0.1)


#: the patches of the ColorChecker that one of the eleven names fits, in sRGB as their maker published them, and the
#: colours that HTML (CSS 2.1) calls by one
PATCHES = {
    "CSS red": ((255, 0, 0), "red"),
    "CSS green": ((0, 128, 0), "green"),
    "CSS blue": ((0, 0, 255), "blue"),
    "CSS navy": ((0, 0, 128), "blue"),
    "CSS yellow": ((255, 255, 0), "yellow"),
    "CSS purple": ((128, 0, 128), "purple"),
    "CSS lime": ((0, 255, 0), "green"),
    "CSS maroon": ((128, 0, 0), "red"),
    "CSS black": ((0, 0, 0), "black"),
    "CSS white": ((255, 255, 255), "white"),
    "CSS gray": ((128, 128, 128), "grey"),
    "CSS pink": ((255, 192, 203), "pink"),
    "CSS saddlebrown": ((139, 69, 19), "brown"),
    "ColorChecker 1 dark skin": ((115, 82, 68), "brown"),
    "ColorChecker 3 blue sky": ((98, 122, 157), "blue"),
    "ColorChecker 4 foliage": ((87, 108, 67), "green"),
    "ColorChecker 7 orange": ((214, 126, 44), "orange"),
    "ColorChecker 8 purplish blue": ((80, 91, 166), "blue"),
    "ColorChecker 10 purple": ((94, 60, 108), "purple"),
    "ColorChecker 13 blue": ((56, 61, 150), "blue"),
    "ColorChecker 14 green": ((70, 148, 73), "green"),
    "ColorChecker 15 red": ((175, 54, 60), "red"),
    "ColorChecker 16 yellow": ((231, 199, 31), "yellow"),
    "ColorChecker 19 white": ((243, 243, 242), "white"),
    "ColorChecker 21 neutral 6.5": ((160, 160, 160), "grey"),
    "ColorChecker 22 neutral 5": ((122, 122, 121), "grey"),
    "ColorChecker 24 black": ((52, 52, 52), "black"),
}


@pytest.mark.parametrize("name", PATCHES)
def test_known_patches_have_their_name(name: str) -> None:
    rgb, wanted = PATCHES[name]
    shares = name_shares(to_lab(np.array([rgb[::-1]])))[0]
    assert NAMES[int(shares.argmax())] == wanted
    assert shares.sum() == pytest.approx(1)


def test_what_is_nearly_black_has_no_hue() -> None:
    """Black clothes of a real clip, as decoded: one step of 8 bits either way must not make them blue or brown."""
    for rgb in ((5, 2, 16), (1, 0, 14), (16, 8, 4), (4, 12, 4)):
        assert NAMES[int(name_shares(to_lab(np.array([rgb[::-1]])))[0].argmax())] == "black"


def test_the_table_is_what_the_formula_says_at_the_middle_of_its_steps() -> None:
    shares, lab = tables()
    assert shares.shape == (32**3, 11) and lab.shape == (32**3, 3)
    blue, green, red = 3, 17, 30
    place = (blue * 32 + green) * 32 + red
    exact = to_lab(np.array([[8 * blue + 4, 8 * green + 4, 8 * red + 4]]))
    assert lab[place] == pytest.approx(exact[0], abs=1e-4)
    assert shares[place] == pytest.approx(name_shares(exact)[0], abs=1e-6)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-5)


# ---- light


def scene(colour: tuple[int, int, int] | None = None, seed: int = 1) -> Pixels:
    """The grey wall of the films, 320 × 192, with a box of a BGR colour at 100..130, 60..140."""
    picture = wall(seed).copy()
    if colour is not None:
        picture[60:140, 100:130] = colour
    return picture


BOX = (100.0, 60.0, 130.0, 140.0)
RED, BLUE, GREY = (20, 20, 230), (200, 60, 20), (200, 200, 200)


def look_at(picture: Pixels, box: tuple[float, float, float, float] = BOX, rotation: int = 0) -> Description:
    found = describe(picture, box, rotation, picture_light(picture))
    assert found is not None
    return found


def test_a_grey_picture_has_no_colours_and_one_coloured_thing_gives_it_some() -> None:
    assert look_at(scene(GREY)).light == "none"
    assert look_at(scene(RED)).light == "colours"
    small = scene()
    small[100:104, 100:103] = RED  # on a wall that is grey to the last bit
    assert not picture_light(small).colours, "too little of the picture"
    assert look_at(small, (98.0, 98.0, 105.0, 106.0)).light == "colours", "but it is the object"


@pytest.mark.parametrize("tint", [(255, 190, 150), (120, 190, 255), (200, 255, 200)])
def test_one_tint_over_all_is_no_colour(tint: tuple[int, int, int]) -> None:
    """Infrared with a tint, sodium light: bright things and dark ones differ in a* and b*, never in chromaticity."""
    linear = (scene(GREY).astype(float) / 255) ** 2.2 * (np.array(tint) / 255) ** 2.2
    picture = ((linear ** (1 / 2.2)) * 255).round().clip(0, 255).astype(np.uint8)
    assert np.ptp(picture.reshape(-1, 3).astype(int), axis=1).max() > 30, "it is no grey picture"
    found = look_at(picture)
    assert found.light == "none"


def test_a_coloured_clock_does_not_make_a_grey_picture_coloured() -> None:
    picture = scene(GREY)
    picture[4:16, 10:150] = (0, 255, 255)
    picture[180:190, 200:310] = (0, 0, 255)
    assert look_at(picture).light == "none"


def test_a_cast_over_colours_is_said() -> None:
    picture: Pixels = (scene(RED).astype(float) * (0.6, 0.8, 1.0)).astype(np.uint8)
    assert look_at(picture).light == "cast"


def test_a_black_picture_has_no_colours() -> None:
    black = np.zeros((100, 100, 3), np.uint8)
    assert picture_light(black) == PictureLight(False, (0.0, 0.0))
    assert look_at(black, (10.0, 10.0, 50.0, 90.0)).light == "none"


@pytest.mark.parametrize("clip", ["pets09_s2l1.mp4", "one-by-one-person-detection.mp4", "car-detection.mp4"])
def test_real_pictures_have_colours_and_lose_them_when_made_grey(footage: object, clip: str) -> None:
    import av

    from vidreview.colours import to_bgr

    with av.open(f"{footage}/clips/{clip}") as container:
        frame = next(container.decode(video=0))
    picture = to_bgr(frame)
    assert picture_light(picture).colours
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)[:, :, None].repeat(3, axis=2)
    assert not picture_light(grey).colours


def test_an_infrared_clip_has_none(footage: object) -> None:
    import av

    from vidreview.colours import to_bgr

    with av.open(f"{footage}/clips/ir_animal_4k.mp4") as container:
        assert not picture_light(to_bgr(next(container.decode(video=0)))).colours


# ---- descriptors


def test_the_box_is_named_by_the_object_and_not_by_the_wall() -> None:
    (whole,) = named_colours(look_at(scene(RED)).descriptor, person=False)
    assert (whole.part, whole.name) == ("whole", "red") and whole.share > 0.9
    loose = look_at(scene(RED), (90.0, 50.0, 140.0, 150.0)).descriptor
    assert named_colours(loose, person=False)[0].name == "red", "with the wall in half of the box"


def two_halves(picture: Pixels) -> Pixels:
    picture[60:100, 100:130], picture[100:140, 100:130] = RED, BLUE
    return picture


def test_a_person_s_halves_are_named_apart() -> None:
    picture = two_halves(scene())
    said = {(c.part, c.name) for c in named_colours(look_at(picture).descriptor, person=True)}
    assert said == {("upper", "red"), ("lower", "blue"), ("whole", "red"), ("whole", "blue")}
    assert {c.part for c in named_colours(look_at(picture).descriptor, person=False)} == {"whole"}


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_recording_is_described_upright(rotation: int) -> None:
    upright = two_halves(scene())
    # a player turns clockwise by ``rotation``: what is stored is turned the other way
    stored = np.ascontiguousarray(np.rot90(upright, rotation // 90))
    height, width = upright.shape[:2]
    x1, y1, x2, y2 = BOX
    box = {
        90: (y1, width - x2, y2, width - x1),
        180: (width - x2, height - y2, width - x1, height - y1),
        270: (height - y2, x1, height - y1, x2),
    }[rotation]
    same = look_at(stored, box, rotation)
    said = {(c.part, c.name) for c in named_colours(same.descriptor, person=True)}
    assert {("upper", "red"), ("lower", "blue")} <= said
    assert np.abs(same.descriptor.astype(int) - look_at(upright).descriptor).max() <= 40


def test_a_box_outside_of_the_picture_is_not_described() -> None:
    assert describe(scene(), (400.0, 10.0, 440.0, 90.0), 0, picture_light(scene())) is None


def test_what_is_in_the_way_on_a_few_looks_does_not_count() -> None:
    red, blue = look_at(scene(RED)).descriptor, look_at(scene(BLUE)).descriptor
    assert named_colours(typical([red, blue, red, red, blue]), person=False)[0].name == "red"


# ---- crops


def test_crops_are_reduced_and_never_enlarged() -> None:
    """Rule D4: nothing is scaled up."""
    large = np.random.default_rng(1).integers(0, 256, (900, 500, 3)).astype(np.uint8)
    assert reduced(large, (0, 0, 500, 900)).shape == (LONGEST, 89, 3)
    np.testing.assert_array_equal(reduced(large, (10, 20, 60, 120)), large[20:120, 10:60])
    assert reduced(large, (0, 0, 500, 1)).shape == (1, LONGEST, 3)
    assert whole_box((-3.2, 4.7, 20.1, 2000.0), 500, 900) == (0, 4, 21, 900)
    assert whole_box((600.0, 4.7, 700.0, 20.0), 500, 900) is None


def test_what_makes_a_crop_good() -> None:
    best = promise((100.0, 100.0, 200.0, 300.0), 0.9, 640, 480)
    assert best > promise((100.0, 100.0, 200.0, 300.0), 0.5, 640, 480), "score"
    assert best > promise((100.0, 100.0, 150.0, 200.0), 0.9, 640, 480), "size"
    assert best > promise((0.0, 100.0, 100.0, 300.0), 0.9, 640, 480), "the edge cuts it"
    assert promise((100.0, 100.0, 200.0, 300.0), 0.3, 640, 480) > promise((100.0, 100.0, 200.0, 300.0), None, 640, 480)
    sharp = np.random.default_rng(1).integers(0, 256, (80, 40, 3)).astype(np.uint8)
    assert 0 < sharpness(np.asarray(cv2.GaussianBlur(sharp, (9, 9), 3), np.uint8)) < sharpness(sharp) < 1
    flat = encoded(np.zeros((20, 20, 3), np.uint8))
    assert flat is not None and flat[:3] == b"\xff\xd8\xff"
    noise = encoded(np.random.default_rng(1).integers(0, 256, (LONGEST, LONGEST, 3)).astype(np.uint8))
    assert noise is not None, "the worst picture there is fits"


# ---- albums


def track(pieces: tuple[int, ...], event_class: str = "person", dropped: str | None = None) -> Track:
    point = Point(0, 0, 0.0, BOX, "detected", 0.9, "person")
    return Track(event_class, event_class, (point,), 0.9, 1, dropped=dropped, pieces=pieces)  # type: ignore[arg-type]


def closed(albums: Albums, finished: Track) -> TrackLook:
    look = albums.close(finished)
    assert look is not None
    return look


def test_a_track_that_stands_for_a_hundred_thousand_looks_keeps_few() -> None:
    albums, picture = Albums(0), scene(RED)
    largest = 0
    for k in range(100_000):
        albums.look(picture, [Sighting(7, BOX, 0.5 + 0.4 * (k % 97) / 97)], (k, 512 * k, float(k)))
        album = albums.albums[7]
        assert len(album.looks) <= MOST_LOOKS and len(album.cells) <= MOST_CELLS
        largest = max(largest, albums.size)
    assert 0 < largest < 64 << 10
    times = [seconds for seconds, _ in album.looks]
    assert times[0] == 0.0 and times[-1] > 60_000, "they are spread over all of the time"
    look = closed(albums, track((7,)))
    assert MOST_LOOKS // 2 <= look.looks <= MOST_LOOKS and len(look.crops) == 3
    assert np.ptp([c.seconds for c in look.crops]) > 30_000
    assert albums.albums == {} and albums.size == 0


def test_pieces_that_are_joined_later_are_one_look() -> None:
    albums = Albums(0)
    for k in range(10):
        albums.look(scene(RED), [Sighting(1, BOX, 0.9)], (k, k, float(k)))
        albums.look(scene(RED), [Sighting(4, BOX, 0.9)], (100 + k, 100 + k, 100.0 + k))
    look = closed(albums, track((1, 4)))
    assert look.looks == 20
    assert {c.seconds >= 100 for c in look.crops} == {True, False}
    assert [c.quality for c in look.crops] == sorted((c.quality for c in look.crops), reverse=True)


def test_what_the_detector_saw_replaces_what_only_moved() -> None:
    albums = Albums(0)
    albums.look(scene(BLUE), [Sighting(1, BOX, None)], (0, 0, 0.0))
    albums.look(scene(RED), [Sighting(1, BOX, 0.9)], (1, 1, 0.1))
    albums.look(scene(BLUE), [Sighting(1, BOX, None)], (20, 20, 2.0))
    albums.look(scene(BLUE), [Sighting(2, BOX, None)], (20, 20, 2.0))
    assert [c.name for c in closed(albums, track((1, 2))).colours] == ["red"] * 3


def test_dropped_tracks_keep_what_to_search_by_and_motion_one_crop() -> None:
    albums = Albums(0)
    for piece in (1, 2):
        for k in range(30):
            albums.look(scene(RED), [Sighting(piece, BOX, None)], (k, k, float(k)))
    dropped = closed(albums, track((1,), "motion", dropped="did not travel"))
    assert dropped.crops == () and [c.name for c in dropped.colours] == ["red"]
    assert len(closed(albums, track((2,), "motion")).crops) == 1
    assert albums.close(track((9,))) is None, "never looked at"


def test_pictures_without_colours_give_no_names_but_a_descriptor() -> None:
    albums = Albums(0)
    for k in range(5):
        albums.look(scene(GREY), [Sighting(1, BOX, 0.9)], (k, k, float(k)))
    look = closed(albums, track((1,)))
    assert (look.light, look.colours, look.looks) == ("none", (), 5)


def test_a_camera_that_goes_over_to_infrared_showed_colours_before() -> None:
    albums = Albums(0)
    for k in range(7):
        albums.look(scene(RED if k < 4 else GREY), [Sighting(1, BOX, 0.9)], (k, k, float(k)))
    look = closed(albums, track((1,)))
    assert (look.light, look.looks) == ("colours", 4)
    assert {c.name for c in look.colours} == {"red"}


def test_crops_of_many_objects_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_BYTES <= 64 << 20
    monkeypatch.setattr("vidreview.looks.album.MOST_BYTES", 40_000)
    albums = Albums(0)
    noise = np.random.default_rng(1).integers(0, 256, (192, 320, 3)).astype(np.uint8)
    for k in range(40):
        albums.look(noise, [Sighting(piece, BOX, 0.5 + k / 100) for piece in range(30)], (k, k, float(k)))
        assert albums.size == sum(album.size for album in albums.albums.values()) <= 40_000
    assert any(album.cells for album in albums.albums.values())
    assert all(album.looks for album in albums.albums.values()), "descriptors are kept all the same"
    for piece in range(30):
        albums.close(track((piece,)))
    assert albums.size == 0


def test_the_best_crop_of_each_stretch_is_kept_while_stretches_grow() -> None:
    album = Album()
    for k in range(200):
        crop = Crop(k, k, k / 2, (0, 0, 9, 9), 0.9 if k == 133 else 0.1 + k % 7 / 100, b"x")
        if crop.quality > album.best(crop.seconds):
            album.keep(crop)
    assert len(album.cells) <= MOST_CELLS
    assert max(c.quality for c in album.cells.values()) == 0.9
    album.shrink()
    assert [c.frame for c in album.cells.values()] == [133]
