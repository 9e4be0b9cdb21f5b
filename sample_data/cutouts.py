"""People and the bus of ultralytics' packaged pictures, cut out along outlines drawn by hand.

Everything here is integer arithmetic on 8-bit pictures: the same versions of the libraries give the same pixels.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Outline = tuple[tuple[int, int], ...]

#: the man in the light coat, whole, in bus.jpg (x, y in pixels of that picture)
LIGHT_COAT: Outline = (
    (101, 438), (101, 412), (108, 402), (130, 400), (150, 404), (158, 414), (156, 428), (153, 445), (150, 466),
    (158, 480), (172, 491), (179, 505), (183, 531), (197, 552), (201, 568), (194, 590), (181, 603), (190, 642),
    (193, 670), (190, 693), (178, 693), (180, 707), (187, 754), (193, 800), (200, 838), (203, 853), (218, 865),
    (241, 877), (244, 886), (202, 897), (177, 897), (176, 865), (181, 858), (172, 842), (160, 809), (151, 777),
    (139, 744), (130, 716), (123, 706), (116, 721), (109, 749), (100, 772), (89, 809), (86, 849), (88, 864),
    (106, 889), (106, 900), (77, 897), (53, 886), (53, 867), (59, 849), (60, 819), (70, 800), (78, 777), (74, 754),
    (76, 712), (79, 702), (58, 696), (60, 670), (63, 591), (59, 566), (63, 545), (62, 503), (68, 482), (98, 454),
)  # fmt: skip

#: the man in the dark coat, whole, in bus.jpg
DARK_COAT: Outline = (
    (281, 408), (295, 409), (304, 417), (307, 437), (304, 451), (300, 469), (308, 480), (330, 492), (335, 521),
    (341, 544), (337, 561), (323, 566), (323, 576), (328, 623), (335, 674), (338, 692), (338, 718), (323, 741),
    (298, 764), (288, 778), (298, 808), (295, 818), (286, 817), (283, 811), (281, 825), (292, 847), (291, 855),
    (272, 856), (257, 850), (258, 841), (257, 818), (250, 781), (244, 739), (242, 701), (226, 697), (231, 660),
    (239, 600), (238, 572), (239, 539), (237, 521), (244, 495), (277, 477), (279, 470), (270, 453), (265, 442),
    (264, 420), (270, 411),
)  # fmt: skip

#: the shouting man, down to the waist, in zidane.jpg
POINTING: Outline = (
    (480, 302), (484, 270), (497, 240), (520, 218), (560, 204), (605, 212), (635, 232), (655, 262), (663, 292),
    (658, 322), (659, 368), (668, 402), (700, 425), (760, 440), (850, 441), (925, 444), (958, 436), (1010, 419),
    (1060, 410), (1120, 406), (1150, 411), (1147, 420), (1090, 429), (1089, 462), (1060, 478), (1015, 487),
    (970, 500), (922, 513), (860, 529), (780, 529), (700, 515), (672, 508), (664, 540), (667, 600), (664, 650),
    (650, 690), (635, 719), (125, 719), (150, 680), (172, 650), (180, 600), (200, 540), (225, 480), (250, 410),
    (262, 370), (275, 335), (300, 323), (380, 321), (430, 315), (470, 305),
)  # fmt: skip

#: the bus in bus.jpg; what stands before it is painted over
BUS: Outline = (
    (145, 243), (177, 242), (224, 233), (254, 232), (390, 242), (508, 251), (661, 259), (702, 264), (732, 279),
    (743, 303), (773, 305), (794, 318), (801, 338), (803, 440), (800, 520), (796, 600), (784, 640), (762, 645),
    (744, 668), (725, 674), (706, 668), (692, 647), (543, 668), (413, 695), (378, 700), (362, 722), (339, 728),
    (316, 724), (300, 716), (201, 720), (71, 710), (24, 688), (14, 620), (14, 574), (24, 503), (38, 338), (44, 323),
    (56, 303), (77, 273), (100, 255),
)  # fmt: skip
BEHIND_BUS: Outline = (
    (810, 390), (794, 396), (790, 440), (780, 470), (770, 520), (716, 540), (718, 566), (748, 600), (748, 700),
    (810, 700),
)  # fmt: skip
BOLLARD: Outline = ((422, 655), (464, 655), (464, 740), (422, 740))
PASSER_BY: Outline = ((0, 540), (24, 560), (60, 700), (60, 720), (0, 720))


@dataclass(frozen=True, slots=True)
class Sprite:
    """A picture with soft edges."""

    #: (height, width, 3)
    bgr: Pixels
    #: (height, width), 255 where opaque
    alpha: Pixels

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.bgr.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.bgr.shape[1])

    def mirrored(self) -> Sprite:
        """The same, facing the other way."""
        return Sprite(np.ascontiguousarray(self.bgr[:, ::-1]), np.ascontiguousarray(self.alpha[:, ::-1]))


def packaged_picture(name: str) -> Pixels:
    """A picture of the installed ultralytics package as (height, width, 3) BGR; ultralytics is not imported."""
    spec = importlib.util.find_spec("ultralytics")
    if spec is None or spec.origin is None:
        raise SystemExit("ultralytics is not installed: run `make install` first")
    path = Path(spec.origin).parent / "assets" / name
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{path} cannot be read: reinstall ultralytics")
    return picture.astype(np.uint8)


def _mask(shape: tuple[int, ...], outline: Outline) -> Pixels:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(outline, np.int32)], 255)
    return mask


def cut(picture: Pixels, outline: Outline, height: int) -> Sprite:
    """What lies within ``outline``, scaled to ``height`` rows, with edges softened by about a pixel."""
    mask = _mask(picture.shape, outline)
    x, y, w, h = cv2.boundingRect(np.array(outline, np.int32))
    pad = 8
    top, left = max(0, y - pad), max(0, x - pad)
    bottom, right = min(picture.shape[0], y + h + pad), min(picture.shape[1], x + w + pad)
    bgr, alpha = picture[top:bottom, left:right], mask[top:bottom, left:right]
    shrink = max(1, h // height)
    size = 2 * shrink + 1
    bgr = cv2.GaussianBlur(bgr, (2 * (shrink // 2) + 1,) * 2, 0).astype(np.uint8)
    alpha = cv2.GaussianBlur(cv2.erode(alpha, np.ones((3, 3), np.uint8)), (size, size), 0).astype(np.uint8)
    wide = max(1, bgr.shape[1] * height // bgr.shape[0])
    return Sprite(
        cv2.resize(bgr, (wide, height), interpolation=cv2.INTER_LINEAR_EXACT).astype(np.uint8),
        cv2.resize(alpha, (wide, height), interpolation=cv2.INTER_LINEAR_EXACT).astype(np.uint8),
    )


def bus_alone(picture: Pixels) -> Pixels:
    """bus.jpg with the people and bollards before the bus painted over in the colours of what they hide."""
    hidden = np.zeros(picture.shape[:2], np.uint8)
    for outline in (LIGHT_COAT, DARK_COAT, BEHIND_BUS, BOLLARD, PASSER_BY):
        hidden |= _mask(picture.shape, outline)
    hidden = cv2.dilate(hidden, np.ones((9, 9), np.uint8)).astype(np.uint8)
    paint = np.empty_like(picture)
    paint[:] = (172, 92, 14)  # the blue of the body

    def fill(colour: tuple[int, int, int], *points: tuple[int, int]) -> None:
        cv2.fillPoly(paint, [np.array(points, np.int32)], colour)

    fill((46, 44, 42), (0, 320), (240, 320), (240, 548), (0, 548))  # windscreen
    fill((58, 52, 44), (0, 470), (240, 470), (240, 500), (0, 500))  # and what it mirrors
    fill((30, 28, 28), (246, 320), (362, 320), (362, 505), (335, 528), (246, 534))  # door
    fill((52, 48, 44), (262, 340), (350, 340), (350, 490), (262, 500))
    fill((36, 32, 30), (700, 320), (792, 320), (786, 492), (700, 500))  # last side window
    fill((128, 134, 138), (14, 672), (300, 692), (300, 730), (14, 730))  # skirt
    fill((128, 134, 138), (376, 664), (700, 610), (700, 680), (376, 720))
    fill((120, 60, 10), (762, 500), (803, 490), (803, 650), (762, 650))
    for x, y, tall in ((339, 668, 58), (725, 617, 56)):
        cv2.ellipse(paint, (x, y), (tall * 3 // 4, tall), 0, 0, 360, (24, 22, 22), -1)
        cv2.ellipse(paint, (x, y), (tall * 3 // 7, tall * 3 // 5), 0, 0, 360, (150, 88, 30), -1)
        cv2.ellipse(paint, (x, y), (tall // 6, tall // 5), 0, 0, 360, (60, 40, 24), -1)
    paint = cv2.GaussianBlur(paint, (5, 5), 0).astype(np.uint8)
    soft = cv2.GaussianBlur(hidden, (7, 7), 0).astype(np.uint16)[..., None]
    mixed = (paint.astype(np.uint16) * soft + picture.astype(np.uint16) * (255 - soft) + 127) // 255
    return mixed.astype(np.uint8)


def ball(diameter: int, turn: int) -> Sprite:
    """A two-coloured ball, rolled on by ``turn`` degrees."""
    size = diameter + 4
    middle = (size // 2, size // 2)
    bgr = np.zeros((size, size, 3), np.uint8)
    alpha = np.zeros((size, size), np.uint8)
    cv2.circle(alpha, middle, diameter // 2, 255, -1)
    bgr[:] = (70, 120, 214)
    for quarter in (0, 180):
        cv2.ellipse(bgr, middle, (diameter, diameter), turn % 360, quarter, quarter + 70, (226, 232, 236), -1)
    cv2.circle(bgr, middle, diameter // 2, (50, 60, 90), 1)
    return Sprite(
        cv2.GaussianBlur(bgr, (3, 3), 0).astype(np.uint8), cv2.GaussianBlur(alpha, (3, 3), 0).astype(np.uint8)
    )
