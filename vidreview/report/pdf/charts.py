"""Charts of the PDF, drawn as vectors: all cameras on one time axis, and activity per hour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from reportlab.lib.colors import Color, HexColor, white
from reportlab.platypus import Flowable

from vidreview.report.pdf.text import FAINT, INK, PLAIN, RULE, fitting, seconds

COLOURS: Final = {"person": HexColor("#c45a00"), "vehicle": HexColor("#1f4e9c"), "motion": HexColor("#6b6b6b")}
_SPANS: Final = {
    "analysed": HexColor("#dfe8df"),
    "undecodable": HexColor("#e2a3a3"),
    "gap": white,
    "not_requested": HexColor("#f0f0f0"),
    "unknown": HexColor("#e8e0f0"),
}
#: of a lane
_LANE: Final = 22.0
_LABEL: Final = 120.0
#: steps of an axis, seconds
_STEPS: Final = (1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800, 2592000)


@dataclass(frozen=True, slots=True)
class Lane:
    """A stream on the axis: its spans and events, in seconds of the axis."""

    label: str
    below: str
    spans: Sequence[tuple[str, float, float]]
    #: class, begin, end
    events: Sequence[tuple[str, float, float]]


class Timeline(Flowable):
    """Lanes under one axis."""

    def __init__(self, lanes: Sequence[Lane], width: float, wall: bool) -> None:
        """``wall`` says that the axis is seconds since 1970 on a wall clock, not of a stream."""
        super().__init__()
        self.lanes, self.wall = lanes, wall
        self.width, self.height = width, _LANE * len(lanes) + 26
        edges = [edge for lane in lanes for _, *span in (*lane.spans, *lane.events) for edge in span] or [0.0]
        self.first, self.last = min(edges), max(max(edges), min(edges) + 1.0)

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """Its size."""
        return self.width, self.height

    def draw(self) -> None:
        """Onto the canvas of the page."""
        canvas = self.canv
        for number, lane in enumerate(self.lanes):
            bottom = self.height - _LANE * (number + 1)
            canvas.setFont(PLAIN, 6.5)
            canvas.setFillColor(INK)
            canvas.drawString(0, bottom + 11, fitting(lane.label, PLAIN, 6.5, _LABEL - 6))
            canvas.setFont(PLAIN, 5)
            canvas.setFillColor(FAINT)
            canvas.drawString(0, bottom + 4, fitting(lane.below, PLAIN, 5, _LABEL - 6))
            for state, begin, end in lane.spans:
                self._span(state, begin, end, bottom)
            for kind, begin, end in lane.events:
                left = self._x(begin)
                canvas.setFillColor(COLOURS.get(kind, COLOURS["motion"]))
                canvas.rect(left, bottom + _HEIGHTS.get(kind, 3), max(self._x(end) - left, 0.6), 4, stroke=0, fill=1)
        self._axis()

    def _x(self, at: float) -> float:
        return _LABEL + (at - self.first) / (self.last - self.first) * (self.width - _LABEL)

    def _span(self, state: str, begin: float, end: float, bottom: float) -> None:
        canvas = self.canv
        left, right = self._x(begin), self._x(end)
        canvas.setFillColor(_SPANS.get(state, _SPANS["unknown"]))
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.3)
        canvas.rect(left, bottom + 2, max(right - left, 0.4), _LANE - 5, stroke=1, fill=1)
        if state in ("gap", "undecodable"):  # told apart without colour too
            canvas.setStrokeColor(INK)
            canvas.line(left, bottom + 2, right, bottom + _LANE - 3)
            if state == "undecodable":
                canvas.line(left, bottom + _LANE - 3, right, bottom + 2)

    def _axis(self) -> None:
        canvas = self.canv
        step = next((one for one in _STEPS if (self.last - self.first) / one <= 8), _STEPS[-1])
        canvas.setStrokeColor(RULE)
        canvas.setFillColor(INK)
        canvas.setFont(PLAIN, 5.5)
        canvas.setLineWidth(0.3)
        at = -(-self.first // step) * step
        while at <= self.last:
            x = self._x(at)
            canvas.line(x, 18, x, self.height)
            # the last label stays on the page
            x = min(x, self.width - 14)
            words = _wall(at) if self.wall else (seconds(at).partition(".")[0], "")
            canvas.drawCentredString(x, 10, words[0])
            canvas.drawCentredString(x, 3, words[1])
            at += step


_HEIGHTS: Final = {"person": 13.0, "vehicle": 8.0, "motion": 3.0}


def _wall(at: float) -> tuple[str, str]:
    try:
        time = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return "?", ""
    return time.strftime("%H:%M:%S"), time.strftime("%Y-%m-%d")


class Legend(Flowable):
    """What the colours of a heat map stand for."""

    def __init__(self, scale: Sequence[dict[str, Any]]) -> None:
        """``scale`` is seconds and colours, ascending."""
        super().__init__()
        self.scale = [one for one in scale if _COLOUR.fullmatch(str(one["colour"]))]
        self.width, self.height = 60.0 * len(self.scale), 12.0

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """Its size."""
        return self.width, self.height

    def draw(self) -> None:
        """Onto the canvas of the page."""
        for number, one in enumerate(self.scale):
            self.canv.setFillColor(HexColor(one["colour"]))
            self.canv.rect(60 * number, 2, 14, 8, stroke=0, fill=1)
            self.canv.setFillColor(INK)
            self.canv.setFont(PLAIN, 6)
            self.canv.drawString(60 * number + 18, 4, fitting(f"{float(one['s']):g} s", PLAIN, 6, 40))


_COLOUR: Final = re.compile("#[0-9a-fA-F]{6}")


class Activity(Flowable):
    """Seconds of persons, vehicles and motion per hour, as bars that stand on one another."""

    def __init__(self, hours: Sequence[dict[str, Any]], width: float, labels: Sequence[str]) -> None:
        """``hours`` as the report's facts have them, ``labels`` what stands below each."""
        super().__init__()
        self.hours, self.labels = hours, labels
        self.width, self.height = width, 62.0

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """Its size."""
        return self.width, self.height

    def draw(self) -> None:
        """Onto the canvas of the page."""
        canvas = self.canv
        sums = [sum(float(hour.get(kind) or 0) for kind in COLOURS) for hour in self.hours]
        most = max([*sums, 1.0])
        left, bottom, tall = 34.0, 12.0, self.height - 20
        wide = (self.width - left) / max(len(self.hours), 1)
        canvas.setFont(PLAIN, 5.5)
        canvas.setFillColor(INK)
        canvas.drawRightString(left - 3, bottom + tall - 4, f"{most:.0f} s")
        canvas.drawRightString(left - 3, bottom, "0")
        canvas.setStrokeColor(RULE)
        canvas.line(left, bottom, self.width, bottom)
        every = max(1, len(self.hours) // 12)
        for number, hour in enumerate(self.hours):
            x, base = left + number * wide, bottom
            for kind, colour in COLOURS.items():
                height = float(hour.get(kind) or 0) / most * tall
                self._bar(x, base, wide, height, colour)
                base += height
            if number % every == 0:
                canvas.setFillColor(INK)
                canvas.drawCentredString(x + wide / 2, 4, self.labels[number])

    def _bar(self, x: float, base: float, wide: float, height: float, colour: Color) -> None:
        if height > 0:
            self.canv.setFillColor(colour)
            self.canv.rect(x + wide * 0.1, base, wide * 0.8, height, stroke=0, fill=1)
