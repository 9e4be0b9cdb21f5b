"""The filters of events and tracks on the command line: options, their values, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from vidreview.cli.common import PathType, Share, TimeType, safe
from vidreview.errors import UsageError

if TYPE_CHECKING:
    from vidreview.index.query import Reader
    from vidreview.index.search import Place
    from vidreview.shapes import Drawn

Function = TypeVar("Function", bound=Callable[..., Any])

CLASSES: Final = ("person", "vehicle", "motion")
#: those of ``model.LABELS``, without the weight of numpy
LABELS: Final = ("person", "bicycle", "car", "motorcycle", "bus", "truck", "motion")
REVIEWS: Final = ("unreviewed", "relevant", "not relevant", "unsure")
#: degrees clockwise from up, as the picture is shown
HEADINGS: Final = {
    "up": 0.0,
    "up-right": 45.0,
    "right": 90.0,
    "down-right": 135.0,
    "down": 180.0,
    "down-left": 225.0,
    "left": 270.0,
    "up-left": 315.0,
}
_DAY_US: Final = 86400 * 10**6
_TIME_OF_DAY: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}(?:\.[0-9]{1,6})?))?")


class ShapeType(click.ParamType["str | Drawn"]):
    """A region or line: coordinates, or the name of one of ``regions.toml``."""

    def __init__(self, kind: str) -> None:
        self.name = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str | Drawn:
        from vidreview.shapes import Drawn, parse_line, parse_region

        if isinstance(value, Drawn):
            return value
        text = str(value).strip()
        if text and not text[0].isdigit() and "," not in text:
            return text
        try:
            where = param.opts[0] if param is not None else self.name
            return parse_region(text, where) if self.name == "region" else parse_line(text, where)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class PathFromTo(click.ParamType["tuple[str, str]"]):
    """Two names of regions."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value[0], value[1]
        names = [part.strip() for part in str(value).split(",")]
        if len(names) != 2 or not all(names):
            self.fail(f"{value!r} is not two regions; write FROM,TO with two names of regions.toml", param, ctx)
        return names[0], names[1]


class HeadingType(click.ParamType[float]):
    """A direction in the picture, as a word or in degrees."""

    name = "heading"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value in HEADINGS:
            return HEADINGS[value]
        try:
            degrees = float(value)
        except ValueError:
            degrees = -1.0
        if not 0 <= degrees <= 360:
            words = ", ".join(HEADINGS)
            self.fail(f"{value!r} is no heading; write {words}, or degrees clockwise from up, 0 to 360", param, ctx)
        return degrees % 360


class WallTimeType(click.ParamType[int]):
    """A date, with or without a time, as ``vidreview.clocks`` counts; ``end``: a date alone means its last instant."""

    name = "date"

    def __init__(self, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        from vidreview.clocks import wall_clock

        text = str(value).strip()
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"cannot read {text!r} as a date; write 2024-03-01 or 2024-03-01T22:30:00", param, ctx)
        if time.tzinfo is not None:  # a time of UTC taken for a displayed one would be hours off
            self.fail(f"{text!r} has a UTC offset; write it without, and name the clock with --by", param, ctx)
        whole_day = bool(re.fullmatch(r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}|[0-9]{4}-?W[0-9]{2}-?[0-9]", text))
        return wall_clock(time) + (_DAY_US - 1 if self._end and whole_day else 0)


class TimeOfDayType(click.ParamType["tuple[int, int]"]):
    """From one time of day to another, over midnight where the second is earlier; microseconds."""

    name = "time of day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value[0], value[1]
        parts = str(value).split("-")
        matches = [_TIME_OF_DAY.fullmatch(part.strip()) for part in parts]
        times = [_of_day(match) for match in matches if match is not None]
        if len(parts) != 2 or len(times) != 2 or None in times:
            self.fail(f"{value!r} is no time of day; write 22:00-06:00 or 08:30:00-08:45:30", param, ctx)
        if int(times[0] or 0) % _DAY_US == int(times[1] or 0) % _DAY_US and times != [0, _DAY_US]:
            self.fail(f"{value!r} begins and ends at the same time; for a whole day leave it out", param, ctx)
        return int(times[0] or 0), int(times[1] or 0)


def _of_day(match: re.Match[str]) -> int | None:
    """Microseconds since midnight; 24:00 is the end of the day; None for what no clock shows."""
    hours, minutes, seconds = int(match[1]), int(match[2]), float(match[3] or 0)
    if minutes > 59 or seconds >= 60 or hours * 3600 + minutes * 60 + seconds > 86400:
        return None
    return round((hours * 3600 + minutes * 60 + seconds) * 10**6)


colour_option = click.option(
    "--colour",
    "colours",
    multiple=True,
    metavar="NAME",
    help="Only what shows this colour (red; of a person upper:red or lower:blue); repeatable. Light changes colours.",
)


def _options() -> list[Callable[[Function], Function]]:
    option, number = click.option, Share()
    shape = "x1,y1,x2,y2,… in pixels or 10%,20%,… of the picture as it is shown, or a name of regions.toml"
    return [
        option("--class", "classes", multiple=True, type=click.Choice(CLASSES), help="Only this class; repeatable."),
        option("--label", "labels", multiple=True, type=click.Choice(LABELS), help="Only this label; repeatable."),
        option(
            "--exhibit",
            "exhibits",
            multiple=True,
            metavar="GLOB",
            help="Only exhibits of this name or pattern (cam1*.mp4); repeatable.",
        ),
        option(
            "--camera",
            "cameras",
            multiple=True,
            metavar="GLOB",
            help="Only cameras of this name or pattern, by regions.toml, or else of exhibits; repeatable.",
        ),
        option(
            "--stream", "streams", type=click.IntRange(min=0), multiple=True, help="Only this stream of a container."
        ),
        option("--since", "since_s", type=TimeType(), help="Only what is still in view at or after this stream time."),
        option("--until", "until_s", type=TimeType(), help="Only what is in view at or before this stream time."),
        option("--from", "first_time", type=WallTimeType(), help="Only what may be in view at or after this date."),
        option("--to", "last_time", type=WallTimeType(end=True), help="Only what may be in view until this date."),
        option(
            "--time-of-day",
            "times_of_day",
            type=TimeOfDayType(),
            multiple=True,
            metavar="22:00-06:00",
            help="Only what may be in view then, on any day; over midnight too; repeatable.",
        ),
        option(
            "--by",
            type=click.Choice(["displayed", "corrected", "utc"]),
            default="displayed",
            show_default=True,
            help="The clock that --from, --to and --time-of-day mean; see 'vidreview clock'.",
        ),
        option("--min-duration", "min_duration_s", type=TimeType(), help="Only what is in view at least this long."),
        option("--max-duration", "max_duration_s", type=TimeType(), help="Only what is in view at most this long."),
        option(
            "--min-dwell",
            "min_dwell_s",
            type=TimeType(),
            help="Only what is this long in a --region in all; without one, stands this long.",
        ),
        option("--max-dwell", "max_dwell_s", type=TimeType(), help="The same, at most this long."),
        option("--min-score", type=Share(1), help="Only what scores at least this; motion has no score: left out."),
        option("--max-score", type=Share(1), help="Only what scores at most this; motion has no score: left out."),
        option("--min-height", type=number, help="Only what is at least so many pixels high, at its largest."),
        option("--max-height", type=number, help="The same, at most."),
        option("--min-width", type=number, help="Only what is at least so many pixels wide, at its widest."),
        option("--max-width", type=number, help="The same, at most."),
        option("--min-area", type=number, help="Only what covers at least so many square pixels, at its largest."),
        option("--max-area", type=number, help="The same, at most."),
        option(
            "--region",
            "regions",
            type=ShapeType("region"),
            multiple=True,
            metavar="POLYGON|NAME",
            help=f"Only what has its foot in this polygon at some time: {shape}; repeatable.",
        ),
        option(
            "--crosses",
            type=ShapeType("line"),
            multiple=True,
            metavar="LINE|NAME",
            help=f"Only what crosses this line with its foot: {shape}; repeatable.",
        ),
        option(
            "--direction",
            type=click.Choice(["any", "left-to-right", "right-to-left"]),
            default="any",
            show_default=True,
            help="Of --crosses, for one who walks along the line from its first point.",
        ),
        option(
            "--path", type=PathFromTo(), metavar="FROM,TO", help="Only what is in one named region, later in another."
        ),
        option(
            "--heading",
            "headings",
            type=HeadingType(),
            multiple=True,
            metavar="DIRECTION",
            help="Only what went up, down-left, … in the picture, or degrees clockwise from up; repeatable.",
        ),
        option(
            "--heading-tolerance",
            type=Share(180),
            default=45.0,
            show_default=True,
            help="Degrees to either side of --heading.",
        ),
        option("--min-speed", type=number, help="Only what moved so many of its own heights in a second."),
        option("--max-speed", type=number, help="Only what never moved more of its own heights in a second."),
        option("--stationary/--moving", "standing", default=None, help="Only what stood all the time, or did not."),
        colour_option,
        option(
            "--review",
            "reviews",
            type=click.Choice(REVIEWS),
            multiple=True,
            help="Only events that people put in this state of review; repeatable.",
        ),
        option(
            "--regions",
            "regions_file",
            type=PathType(),
            metavar="FILE",
            help="Cameras, regions and lines, instead of regions.toml in the case folder.",
        ),
        option("--limit", type=click.IntRange(1, 2**31), help="Print at most this many."),
    ]


def filter_options(function: Function) -> Function:
    """The filters that events and tracks share; passed under the field names of ``ItemQuery``."""
    for option in reversed(_options()):
        function = option(function)
    return function


# ---- what can match nothing


def check_filters(reader: Reader, values: dict[str, Any]) -> None:
    """Refuse filters that can match nothing, so that a typing error is not read as an absence of events (rule E1).

    ``values`` are those of ``filter_options``.
    """
    from vidreview.index.filters import matches_name

    _check_bounds(values)
    names = reader.exhibit_names()
    for pattern in values.get("exhibits", ()):
        if not any(matches_name(name, pattern) for name in names):
            raise UsageError(f"no exhibit of the case is named {safe(pattern)!r}; there are {_some(names)}")
    wanted = values.get("streams", ())
    there = {stream.index for stream in reader.streams(values.get("exhibits", ()))} if wanted else set()
    for index in wanted:
        if index not in there:
            known = ", ".join(str(one) for one in sorted(there)) or "none"
            raise UsageError(f"no exhibit that was asked for has a stream {index}; there are: {known}")
    shaped = [values.get(name) for name in ("cameras", "regions", "crosses", "path", "regions_file")]
    if any(shaped):
        _check_shapes(reader, values)


def _check_bounds(values: dict[str, Any]) -> None:
    since, until = values.get("since_s"), values.get("until_s")
    if since is not None and until is not None and since > until:
        raise UsageError(f"--since {since:g} is later than --until {until:g}")
    first, last = values.get("first_time"), values.get("last_time")
    if first is not None and last is not None and first > last:
        raise UsageError("--from is later than --to")
    for name in ("duration_s", "dwell_s", "score", "height", "width", "area", "speed"):
        least, most = values.get(f"min_{name}"), values.get(f"max_{name}")
        if least is not None and most is not None and least > most:
            option = name.removesuffix("_s")
            raise UsageError(f"--min-{option} {least:g} is more than --max-{option} {most:g}")
    if values.get("direction", "any") != "any" and not values.get("crosses"):
        raise UsageError("--direction says how --crosses is crossed; give a line, or leave it out")
    if values.get("standing") and values.get("headings"):
        raise UsageError("what stood from first to last has no heading; leave out --stationary or --heading")
    asks = values.get("first_time"), values.get("last_time"), values.get("times_of_day") or None
    if values.get("by", "displayed") != "displayed" and not any(one is not None for one in asks):
        raise UsageError("--by names the clock of --from, --to and --time-of-day; give one of them, or leave it out")


def _check_shapes(reader: Reader, values: dict[str, Any]) -> None:
    """Names that no camera has, and shapes that lie outside every picture."""
    from vidreview.index.filters import ItemQuery, matches_name
    from vidreview.shapes import Drawn

    named = ItemQuery(exhibits=tuple(values.get("exhibits", ())), streams=tuple(values.get("streams", ())))
    places = reader.places_of_cameras(named, values.get("regions_file"))
    cameras = list(dict.fromkeys(place.camera_name for place in places))
    for pattern in values.get("cameras", ()):
        if not any(matches_name(name, pattern) for name in cameras):
            raise UsageError(
                f"no stream that was asked for is of a camera {safe(pattern)!r}; there are {_some(cameras)}"
            )
    if values.get("cameras"):
        places = [p for p in places if any(matches_name(p.camera_name, one) for one in values["cameras"])]
    for option, key, kind in (("--region", "regions", "regions"), ("--crosses", "crosses", "lines")):
        for shape in values.get(key, ()):
            if isinstance(shape, Drawn):
                _check_inside(shape, option, places)
            else:
                _check_named([shape], option, kind, places)
    if values.get("path"):
        _check_named(values["path"], "--path", "regions", places)


def _check_named(names: Sequence[str], option: str, kind: str, places: Sequence[Place]) -> None:
    """All of the names must be those of one camera, and lie in the picture of one of its streams."""
    shapes = [(place.camera.name, getattr(place.camera, kind)) for place in places if place.camera is not None]
    if any(all(name in known for name in names) for _, known in shapes):
        _check_named_inside(names, option, kind, places)
        return
    known = sorted({f"{name} ({camera})" for camera, found in shapes for name in found})
    missing = next((name for name in names if not any(name in found for _, found in shapes)), None)
    what = kind.removesuffix("s")
    if missing is None:
        raise UsageError(f"{option}: no camera has all of {', '.join(map(safe, names))}; there are {_some(known)}")
    raise UsageError(
        f"{option}: no camera that was asked for has a {what} {safe(missing)!r} in regions.toml; "
        f"there are {_some(known)}"
    )


def _check_named_inside(names: Sequence[str], option: str, kind: str, places: Sequence[Place]) -> None:
    """Refuse shapes of ``regions.toml`` that were drawn on larger pictures than any that their cameras have."""
    for name in names:
        drawn = [
            (place.camera, place.picture)
            for place in places
            if place.camera is not None and name in getattr(place.camera, kind)
        ]
        if any(camera.fits(getattr(camera, kind)[name], p.width, p.height, p.rotation) for camera, p in drawn):
            continue
        camera, picture = drawn[0]
        width, height = (picture.width, picture.height) if camera.stored else picture.upright
        raise UsageError(
            f"{option} {safe(name)} of camera {safe(camera.name)} in regions.toml has a point outside of every picture "
            f"of that camera, as {width}x{height}; draw it anew, or write it in per cent"
        )


def _check_inside(shape: Drawn, option: str, places: Sequence[Place]) -> None:
    sizes = {place.picture.upright for place in places}
    if sizes and not any(shape.fits(*size) for size in sizes):
        known = ", ".join(sorted(f"{width}x{height}" for width, height in sizes)[:5])
        raise UsageError(f"{option} {shape.name} has a point outside of every picture; as shown they are {known}")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(safe(name) for name in names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names)}: {shown}" if names else "none"
