"""Names of colours: how much a colour is each of the eleven basic ones, by what people called colours when asked.

Whether a colour has a hue at all, and where black, grey and white part, is taken from R. Benavente, M. Vanrell and
R. Baldrich, "Parametric fuzzy sets for automatic color naming", Journal of the Optical Society of America A 25 (10),
2582-2593, 2008: an ellipse about the centre of the plane (a*, b*) of CIELAB, one for each of six levels of lightness,
and two steps of lightness, all with soft edges. Their division of the hues was fitted to painted chips; the colours of
a screen go far beyond those, so that its pure red would come out orange and its pure blue purple. The hues are
therefore divided by what people called colours on screens; see ``survey``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels.look import nearest_two
from vidreview.looks.survey import SURVEYED

Float = NDArray[np.float64]

#: the eleven basic names, in the order of every list of shares
NAMES: Final = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
#: how many of them, from the first, are no hues
ACHROMATIC: Final = 3

#: lightness L* at which one level ends and the next begins
_LEVELS: Final = (31.0, 42.0, 51.0, 66.0, 76.0)
#: of each level: centre of the ellipse (a*, b*), its semi-axes, how sharp its edge is, and its turn in radians
_ELLIPSES: Final = (
    (0.4242, 0.2494, 5.8894, 7.4743, 9.8441, 0.0405),
    (0.2296, 0.6632, 6.4571, 7.8725, 6.0326, 0.3070),
    (-0.1173, 0.5180, 5.3811, 6.9824, 6.8122, 0.3418),
    (-0.4432, 1.0759, 6.0637, 7.5020, 7.3183, 0.4284),
    (-0.5655, 1.1633, 5.3682, 6.9005, 100.0, 0.4320),
    (-1.2564, 1.8144, 6.0399, 7.3932, 100.0, -0.0208),
)
#: lightness below which there is no hue to see: a step of an 8-bit picture, or its noise, is as much as the ellipse is
#: wide there. Ours, as sharp as their black
_NO_HUE: Final = 12.0
#: how far apart in CIELAB two hues' nearest colours may be before one of them is out of the question
_SOFTNESS: Final = 4.0
#: lightness at which black becomes grey, and grey white, and how sharply
_BLACK, _WHITE = (28.2825, 0.7142), (79.6493, 0.3067)

#: steps of each of red, green and blue for which shares are kept ready
STEPS: Final = 32

#: sRGB (IEC 61966-2-1) to XYZ, and the white point D65
_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_D65: Final = np.array([0.95047, 1.0, 1.08883])


def _linear(value: NDArray[np.generic]) -> Float:
    """Light, 0..1, of sRGB values 0..255."""
    share = np.asarray(value, np.float64) / 255.0
    light: Float = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return light


#: the same for each value that a byte has
_LINEAR: Final = _linear(np.arange(256))


def to_lab(bgr: NDArray[np.generic]) -> Float:
    """CIELAB (…, 3) of sRGB colours given as (…, 3) blue, green, red, 0..255."""
    rgb = np.asarray(bgr)[..., ::-1]
    linear = _LINEAR[rgb] if rgb.dtype == np.uint8 else _linear(rgb)
    ratio = linear @ _TO_XYZ.T / _D65
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (ratio * 24389 / 27 + 16) / 116)
    x, y, z = root[..., 0], root[..., 1], root[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def name_shares(lab: Float) -> Float:
    """How much CIELAB colours (n, 3) are each of ``NAMES``: (n, 11), rows that sum to 1.

    What lies in the ellipse is black, grey or white by its lightness. What lies outside is the hue of which colours of
    the survey lie nearest: the mean distance to the nearest two of each, turned into shares by a soft minimum.
    """
    level = np.searchsorted(_LEVELS, lab[:, 0], side="left")
    centre_a, centre_b, half_a, half_b, edge, turn = np.array(_ELLIPSES)[level].T
    a, b = lab[:, 1] - centre_a, lab[:, 2] - centre_b
    along, across = a * np.cos(turn) + b * np.sin(turn), b * np.cos(turn) - a * np.sin(turn)
    outside = _sigmoid(edge * ((along / half_a) ** 2 + (across / half_b) ** 2 - 1.0))
    outside *= _sigmoid(_BLACK[1] * (lab[:, 0] - _NO_HUE))
    lighter, lightest = (_sigmoid(sharp * (lab[:, 0] - at)) for at, sharp in (_BLACK, _WHITE))
    greys = np.stack([1.0 - lighter, lightest, lighter * (1.0 - lightest)], axis=1)
    shares = np.hstack([greys * (1.0 - outside)[:, None], _hue_shares(lab) * outside[:, None]])
    result: Float = shares / shares.sum(axis=1, keepdims=True)
    return result


def _hue_shares(lab: Float) -> Float:
    """How much of each hue, in the order of ``NAMES``, (n, 8), whatever the chroma."""
    colours = _surveyed()
    limits = np.cumsum([0, *(len(one) for one in colours)])
    away = nearest_two(np.ascontiguousarray(lab), np.concatenate(colours), limits)
    weight = np.exp((away.min(axis=1, keepdims=True) - away) / _SOFTNESS)
    shares: Float = weight / weight.sum(axis=1, keepdims=True)
    return shares


def _surveyed() -> list[Float]:
    """The survey's colours in CIELAB, hue by hue."""
    found = []
    for name in NAMES[ACHROMATIC:]:
        red_first = np.array([list(bytes.fromhex(word)) for word in SURVEYED[name].split()])
        found.append(to_lab(red_first[:, ::-1]))
    return found


class Tables(NamedTuple):
    """What is kept ready for ``STEPS``³ colours, at the middle of each step.

    Row (blue · STEPS + green) · STEPS + red.
    """

    #: (STEPS³, 11) of ``NAMES``
    shares: NDArray[np.float32]
    #: (STEPS³, 3) CIELAB
    lab: NDArray[np.float32]


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables, made once a process."""
    centre = (np.arange(STEPS) + 0.5) * 256 / STEPS
    blue, green, red = np.meshgrid(centre, centre, centre, indexing="ij")
    lab = to_lab(np.stack([blue.ravel(), green.ravel(), red.ravel()], axis=1))
    return Tables(*(np.ascontiguousarray(table, dtype=np.float32) for table in (name_shares(lab), lab)))


def _sigmoid(value: Float) -> Float:
    """1 / (1 + e^-value), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * value))
