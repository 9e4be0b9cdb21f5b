"""Whether a picture has colours at all: infrared, a grey camera and sodium light have none, whatever the pixels say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vidreview.kernels.look import cell_means
from vidreview.looks.naming import to_lab
from vidreview.model import Light, Pixels

Float = NDArray[np.float64]

#: rows and columns of cells by which a picture is judged
ROWS, COLUMNS = 18, 32
#: upper and lower share of the picture that is not judged: clocks and names of cameras stand there, in colour on grey
BORDER = 0.1
#: a cell's colour differs from the picture's when its chromaticity is this far from it (a*, b* at L* 50): what is
#: recorded without colours has none at all, a grey road on a dull day has 3 to 8 here and there
DIFFERS = 3.0
#: share of the cells that must differ for the picture to have colours
ENOUGH = 0.005
#: how far and what share of an object must differ, where the rest of the picture is grey
OBJECT_DIFFERS, OBJECT_ENOUGH = 8.0, 0.15
#: a picture whose middle chromaticity is this far from grey leans to a colour
CAST = 8.0
#: below this lightness the colour is noise
DARK = 15.0


@dataclass(frozen=True, slots=True)
class PictureLight:
    """What a whole picture says of its light."""

    #: parts of it differ in colour, not in lightness alone
    colours: bool
    #: middle chromaticity of its cells, a* and b* as at L* 50
    middle: tuple[float, float]

    @property
    def cast(self) -> bool:
        """The picture as a whole leans to a colour."""
        return float(np.hypot(*self.middle)) >= CAST

    def differing(self, lab: Float, weights: Float) -> float:
        """Share of weighted CIELAB colours (n, 3) that clearly differ from the picture's."""
        chroma = chromaticity(lab)
        off = np.hypot(chroma[:, 0] - self.middle[0], chroma[:, 1] - self.middle[1]) >= OBJECT_DIFFERS
        total = float(weights.sum())
        return float(weights[off & (lab[:, 0] >= DARK)].sum()) / total if total > 0 else 0.0

    def of(self, cells: Pixels, weights: Float) -> Light:
        """What this says of an object in the picture, by its own weighted BGR cells, too."""
        if not self.colours and self.differing(to_lab(cells.reshape(-1, 3)), weights.ravel()) < OBJECT_ENOUGH:
            return "none"
        return "cast" if self.cast else "colours"


def chromaticity(lab: Float) -> Float:
    """a* and b* of colours (n, 3) as they would be at L* 50, (n, 2).

    a*/(L* + 16) depends on X/Y alone, b*/(L* + 16) on Z/Y: under light of one colour, all that has none of its own lies
    at one point, dark or bright.
    """
    result: Float = lab[:, 1:] * (66.0 / (lab[:, :1] + 16.0))
    return result


def picture_light(picture: Pixels) -> PictureLight:
    """Judge a BGR picture (height, width, 3)."""
    cells, inside = np.zeros((ROWS, COLUMNS, 3), np.uint8), np.zeros((ROWS, COLUMNS), np.bool_)
    height, width = picture.shape[:2]
    cell_means(picture, 0.0, BORDER * height, float(width), (1 - BORDER) * height, cells, inside)
    lab = to_lab(cells[inside])
    lit = lab[lab[:, 0] >= DARK]
    if not len(lit):
        return PictureLight(False, (0.0, 0.0))
    chroma = chromaticity(lit)
    middle = np.median(chroma, axis=0)
    differs = np.hypot(*(chroma - middle).T) >= DIFFERS
    return PictureLight(bool(differs.sum() >= ENOUGH * ROWS * COLUMNS), (float(middle[0]), float(middle[1])))
