"""The courses of tracks, thinned for a page; whole ones for a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vidreview.index.query import track_name
from vidreview.index.reported import Course

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

    def to_json(self) -> dict[str, Any]:
        """As the report has it: at most ``POINTS`` points, the first and the last among them."""
        path = []
        for k in spread(len(self.seconds), POINTS):
            left, top, right, bottom = (float(side) for side in self.boxes[k])
            x, y = round(left), round(top)
            path.append([round(float(self.seconds[k]), 3), x, y, round(right) - x, round(bottom) - y])
        return {"id": track_name(self.number), "class": self.event_class, "label": self.label, "path": path}


def tracked(courses: Sequence[Course]) -> list[Tracked]:
    """Courses as they are needed here."""
    return [
        Tracked(
            course.number,
            course.event_class,
            course.label,
            np.array([point.seconds for point in course.points]),
            np.array([point.box for point in course.points], np.float32).reshape(-1, 4),
        )
        for course in courses
    ]


def spread(count: int, wanted: int) -> list[int]:
    """At most ``wanted`` of ``count`` places, evenly, the first and the last among them."""
    if count <= wanted:
        return list(range(count))
    return [round(k * (count - 1) / (wanted - 1)) for k in range(wanted)]
