"""The courses of tracks, thinned for a page; whole ones for a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vidreview.index.reported import Course
from vidreview.index.rows import track_name
from vidreview.report.pictures import Upright

#: points of a path that a page draws, at most
POINTS: Final = 24


@dataclass(frozen=True, slots=True)
class Tracked:
    """A track's course: seconds and box at each of its points, in order."""

    number: int
    event_class: str
    label: str
    seconds: NDArray[np.float64]
    #: (n, 4) xyxy, source pixels
    boxes: NDArray[np.float32]

    def to_json(self, upright: Upright) -> dict[str, Any]:
        """As the report has it: at most ``POINTS`` points, the first and the last too, on the upright picture."""
        kept = spread(len(self.seconds), POINTS)
        sides = np.rint(upright.boxes(self.boxes[kept])).astype(int).tolist()
        path = [
            [round(float(self.seconds[k]), 3), x, y, right - x, bottom - y]
            for k, (x, y, right, bottom) in zip(kept, sides, strict=True)
        ]
        return {"id": track_name(self.number), "class": self.event_class, "label": self.label, "path": path}


def tracked(courses: Sequence[Course]) -> list[Tracked]:
    """Courses as they are needed here."""
    return [
        Tracked(
            course.number,
            course.event_class,
            course.label,
            np.array(course.points.seconds, np.float64),
            np.stack([np.asarray(side, np.float32) for side in course.points.sides], axis=1),
        )
        for course in courses
    ]


def spread(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of ``count`` places, evenly, the first and the last among them."""
    if count <= wanted:
        return list(range(count))
    return [round(k * (count - 1) / (wanted - 1)) for k in range(wanted)]
