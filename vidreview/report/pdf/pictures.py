"""Pictures of the PDF: from the report's own folder only, with what is drawn over them as vectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from PIL import Image
from reportlab.lib.colors import HexColor, white
from reportlab.platypus import Flowable

from vidreview.report.pdf.text import FAINT, PAPER, PLAIN, RULE, fitting

#: a picture of a report: the contract allows no other characters, and no way out of the folder
_INSIDE: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9_-][A-Za-z0-9_./-]*")
_PATH: Final = HexColor("#d62728")

Path4 = Sequence[Sequence[float]]


def inside(folder: Path, name: object) -> Path | None:
    """The file of a picture below the folder of the report; None when there is none, or the name leads elsewhere."""
    if not isinstance(name, str) or not _INSIDE.fullmatch(name):
        return None
    path = folder / name
    return path if path.is_file() and not path.is_symlink() else None


class Picture(Flowable):
    """A picture scaled into a width, with paths drawn over it; where there is none, a frame with the reason."""

    def __init__(
        self,
        file: Path | None,
        width: float,
        shape: tuple[float, float],
        *,
        over: Path | None = None,
        paths: Sequence[Path4] = (),
        missing: str = "no picture",
        link: str | None = None,
        most: float | None = None,
    ) -> None:
        """``shape`` is width and height in the pixels that ``paths`` are in: seconds, left, top, width, height.

        ``over`` is a picture with transparency that is laid over the first; ``link`` names a bookmark; ``most`` bounds
        the height.
        """
        super().__init__()
        across, down = max(shape[0], 1.0), max(shape[1], 1.0)
        self.scale = width / across
        if most is not None:
            self.scale = min(self.scale, most / down)
        self.width, self.height = across * self.scale, down * self.scale
        self.file, self.over, self.paths, self.missing, self.link = file, over, paths, missing, link

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """Its size."""
        return self.width, self.height

    def draw(self) -> None:
        """Onto the canvas of the page."""
        canvas = self.canv
        if not self._image(self.file):
            canvas.setFillColor(PAPER)
            canvas.setStrokeColor(RULE)
            canvas.rect(0, 0, self.width, self.height, stroke=1, fill=1)
            canvas.setFillColor(FAINT)
            canvas.setFont(PLAIN, 6)
            canvas.drawString(4, self.height / 2, fitting(self.missing, PLAIN, 6, self.width - 8))
        if self.over is not None:
            self._image(self.over)
        for path in self.paths:
            self._path(path)
        if self.link is not None:
            canvas.linkRect("", self.link, (0, 0, self.width, self.height), relative=1)

    def _image(self, file: Path | None) -> bool:
        if file is None:
            return False
        try:
            with Image.open(file):  # the head of it only: reportlab would read the whole file each time it is drawn
                pass
            # by its name, so that a background that is drawn a thousand times is in the file once
            self.canv.drawImage(str(file), 0, 0, self.width, self.height, mask="auto")
        except (OSError, ValueError):
            return False
        return True

    def _path(self, path: Path4) -> None:
        """The feet of the boxes, in time; a ring where it begins and a dot where it ends."""
        feet = [
            ((point[1] + point[3] / 2) * self.scale, self.height - (point[2] + point[4]) * self.scale)
            for point in path
            if len(point) == 5
        ]
        if not feet:
            return
        canvas = self.canv
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(0, 0, self.width, self.height)
        canvas.clipPath(clip, stroke=0, fill=0)
        drawn = canvas.beginPath()
        drawn.moveTo(*feet[0])
        for foot in feet[1:]:
            drawn.lineTo(*foot)
        canvas.setLineJoin(1)
        for colour, thick in ((white, 2.4), (_PATH, 1.2)):
            canvas.setStrokeColor(colour)
            canvas.setLineWidth(thick)
            canvas.drawPath(drawn)
        canvas.setFillColor(white)
        canvas.circle(*feet[0], 2.2, stroke=1, fill=1)
        canvas.setFillColor(_PATH)
        canvas.circle(*feet[-1], 2.2, stroke=1, fill=1)
        canvas.restoreState()


def shape_of(stream: dict[str, Any]) -> tuple[float, float]:
    """Width and height of a stream's picture as a player shows it, in the pixels of paths."""
    width, height = stream.get("shown_width") or stream["width"], stream.get("shown_height") or stream["height"]
    return float(width or 1), float(height or 1)
