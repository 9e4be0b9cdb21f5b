"""The page of a report: its HTML from the facts, its styles and scripts as they are, nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files as resources
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jinja2 import Environment

#: In the order in which a browser runs them; each adds its part to one object. The data come before ``main``, which
#: starts the page: until they are read, the overview is there already.
SCRIPTS: Final = (
    "text",
    "times",
    "model",
    "marks",
    "filters",
    "list",
    "stage",
    "card",
    "region",
    "filterpanel",
    "timeline",
    "activity",
    "synopsis",
    "printing",
    "keys",
    "main",
)
#: what the maker of the report writes: window.VIDREVIEW and window.VIDREVIEW_EVENTS
DATA: Final = ("data/case.js", "data/events.js")
STYLES: Final = ("report.css", "print.css")

#: The browser itself refuses whatever a hostile name might smuggle in: inline scripts and styles, other places, forms,
#: text that becomes markup. ``file:`` stands beside 'self' for browsers to which a page opened from disc has no self.
POLICY: Final = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; "
    "media-src 'self' file:; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
#: characters that no line of text shows: controls, and those that turn text around or hide in it
_UNSEEN: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_PATH: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")
#: so much of a name fits where space is short; the whole stands under Record
_BRIEF: Final = 120


def files(facts: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of the page but for its data: path within the report's folder → content.

    ``facts`` is the value of window.VIDREVIEW. Raises ValueError when a picture's path is none of the report's own.
    """
    here = resources(__name__)
    content = {"index.html": _environment().get_template("index.html.j2").render(**_context(facts)).encode()}
    for name in STYLES:
        content[name] = (here / name).read_bytes()
    for name in SCRIPTS:
        content[f"js/{name}.js"] = (here / "js" / f"{name}.js").read_bytes()
    return content


def _context(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "facts": facts,
        "problems": _problems(facts),
        "policy": POLICY,
        "scripts": [*(f"js/{name}.js" for name in SCRIPTS[:-1]), *DATA, f"js/{SCRIPTS[-1]}.js"],
    }


def _problems(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Problems of files and of streams as one list, in the order of the exhibits."""
    exhibits, nowhere = facts["exhibits"], {"stream": None, "at_s": None, "end_s": None, "pts": None}
    found = [(problem["exhibit"], -1, nowhere | problem) for problem in facts["problems"]]
    found += [
        (stream["exhibit"], stream["stream"], nowhere | problem | {"stream": stream["stream"]})
        for stream in facts["streams"]
        for problem in stream["problems"]
    ]
    found.sort(key=lambda each: each[:2])
    return [problem | {"exhibit": exhibits[exhibit]["name"]} for exhibit, _, problem in found]


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("vidreview.report", "page"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= _FILTERS
    return environment


def seen(value: Any) -> str:
    """Text from evidence as it may be shown: what would be invisible, or turn text around, is written as its number."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", str(value))


def brief(value: Any) -> str:
    """The same, shortened in its middle: recorders put camera and time into both ends of a name."""
    text = seen(value)
    if len(text) <= _BRIEF:
        return text
    tail = (_BRIEF - 1) // 3
    return f"{text[: _BRIEF - 1 - tail]}…{text[-tail:]}"


def path(value: str) -> str:
    """A path of the report's own; raises ValueError for any other."""
    if not _PATH.fullmatch(value) or ".." in value.split("/"):
        raise ValueError(f"{value!r} is no path within a report")
    return value


def colour(value: str) -> str:
    """A colour of a map's legend, ``#rrggbb``; raises ValueError for anything else."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", value):
        raise ValueError(f"{value!r} is no colour")
    return value


def clock(seconds: float | None) -> str:
    """Seconds as HH:MM:SS.mmm, cut off, not rounded."""
    if seconds is None:
        return "unknown"
    whole = int(abs(seconds) * 1000 + 1e-6)
    sign = "−" if seconds < 0 else ""
    return f"{sign}{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"


def length_of(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600:,} h {whole // 60 % 60:02} min"


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent; all of it only when it is all of it."""
    if whole <= 0:
        return "–"
    tenths = int(part / whole * 1000 + 1e-9)
    return f"{tenths / 10:.1f} %"


def wall(milliseconds: float | None) -> str:
    """An instant on a wall clock, given in milliseconds since 1970 as if that clock were UTC."""
    if milliseconds is None:
        return "unknown"
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return "beyond the calendar"
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03}"


def _bound(seconds: float | None) -> str:
    return "unknown" if seconds is None else f"± {seconds:g} s"


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _plural(value: int, one: str) -> str:
    return f"{value:,} {one}{'' if value == 1 else 's'}"


_FILTERS: Final[dict[str, Callable[..., str]]] = {
    "seen": seen,
    "brief": brief,
    "path": path,
    "clock": clock,
    "colour": colour,
    "length_of": length_of,
    "share": share,
    "wall": wall,
    "bound": _bound,
    "number": _number,
    "plural": _plural,
}
