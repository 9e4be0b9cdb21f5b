"""What objects look like, in the index: checking and storing looks, filtering by colour, reading crops.

Imports neither numpy nor anything that decodes: ranking by look is in ``similar``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vidreview.errors import UsageError
from vidreview.index.rows import insert

if TYPE_CHECKING:
    import sqlite3

    from vidreview.model import Crop, TrackLook

#: the names of colours, as ``looks.naming`` has them
COLOURS: Final = ("black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
#: what a colour may be asked of
PARTS: Final = ("whole", "upper", "lower")
#: bytes of a descriptor, and where its parts begin: names of the whole, of six stripes, lightness of those, the whole
DESCRIPTOR_BYTES: Final = 225
#: crops of a track, and bytes of one, at most
MOST_CROPS, MOST_CROP_BYTES = 3, 96 << 10
#: printed with every list that was filtered by colour
CAVEAT: Final = (
    "Colours are what the pixels show: light, shadow, white balance and compression change them. A colour that is not "
    "found is not absent."
)
#: what every ranking by look says of itself (rule E1)
LEAD: Final = (
    "A similar look is a lead, not the same object: clothes and cars are alike, and light changes colours. "
    "Look at the pictures."
)

Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]


class StoredCrop(NamedTuple):
    """A small picture of an object: reduced, encoded again, internal (rule D4)."""

    #: from the stream's first presented frame
    seconds: float
    pts: int
    #: xyxy, pixels of the stored picture
    box: tuple[int, int, int, int]
    jpeg: bytes


# ---- writing


def check_look(look: TrackLook) -> None:
    """Raise ValueError for a look that no scan makes: who decodes hostile files is not trusted to send sound ones."""
    if look.looks < 1 or look.light not in ("colours", "cast", "none"):
        raise ValueError("a look rests on no look, or on no known light")
    if len(look.descriptor) != DESCRIPTOR_BYTES:
        raise ValueError(f"a look's descriptor has {len(look.descriptor)} bytes, not {DESCRIPTOR_BYTES}")
    places = [(colour.part, colour.name) for colour in look.colours]
    if any(part not in PARTS or name not in COLOURS for part, name in places) or len(set(places)) < len(places):
        raise ValueError("a look names no known colour, or one twice")
    if any(not 0.0 <= colour.share <= 1.0 for colour in look.colours) or (look.light == "none" and places):
        raise ValueError("a look's share of a colour is none")
    if len(look.crops) > MOST_CROPS:
        raise ValueError(f"a look has {len(look.crops)} crops")
    for crop in look.crops:
        _check_crop(crop)


def _check_crop(crop: Crop) -> None:
    x1, y1, x2, y2 = crop.box
    if not (0 <= x1 < x2 < 1 << 16 and 0 <= y1 < y2 < 1 << 16):
        raise ValueError(f"a crop's box is {crop.box}")
    if not (math.isfinite(crop.seconds) and math.isfinite(crop.quality)):
        raise ValueError("a crop's time or quality is no number")
    if not (0 <= crop.frame < 1 << 62 and abs(crop.pts) < 1 << 63):
        raise ValueError("a crop's frame or PTS is out of bounds")
    if len(crop.jpeg) > MOST_CROP_BYTES or crop.jpeg[:3] != b"\xff\xd8\xff" or crop.jpeg[-2:] != b"\xff\xd9":
        raise ValueError("a crop is no JPEG of ours")


def insert_look(db: sqlite3.Connection, track: int, look: TrackLook) -> None:
    """Put the look of the track in this row into the index."""
    insert(db, "looks", track=track, looks=look.looks, light=look.light, descriptor=look.descriptor)
    for colour in look.colours:
        insert(db, "look_colours", colour=colour.name, part=colour.part, track=track, share=float(colour.share))
    for position, crop in enumerate(look.crops):
        x1, y1, x2, y2 = crop.box
        insert(
            db,
            "look_crops",
            track=track,
            position=position,
            frame=int(crop.frame),
            pts=int(crop.pts),
            seconds=float(crop.seconds),
            x1=x1,
            y1=y1,
            x2=x2,
            y2=y2,
            quality=float(crop.quality),
            jpeg=crop.jpeg,
        )


# ---- filtering


def parse_colour(text: str) -> tuple[str | None, str]:
    """Part (None for any) and name of a colour as people write it: ``red``, ``upper:red``; gray is grey.

    Raises UsageError for anything else.
    """
    part, _, name = text.strip().lower().rpartition(":")
    name = {"gray": "grey"}.get(name, name)
    if name not in COLOURS or (part and part not in PARTS):
        raise UsageError(
            f"cannot read {text!r} as a colour; write one of {', '.join(COLOURS)}, or of a person's halves upper:NAME "
            "or lower:NAME"
        )
    return part or None, name


def colour_clause(colours: Sequence[str]) -> tuple[str, list[Any]]:
    """SQL for the rows of tracks that show any of these colours, and its values."""
    wanted, values = [], []
    for text in colours:
        part, name = parse_colour(text)
        # any part: all of them are named, so that the index finds each by its key
        parts = (part,) if part else PARTS
        wanted.append(f"(colour = ? AND part IN ({', '.join('?' * len(parts))}))")
        values += [name, *parts]
    return f"SELECT track FROM look_colours WHERE {' OR '.join(wanted)}", values


# ---- reading


def crops(select: Select, row: int) -> list[StoredCrop]:
    """The crops of the track in this row, the best first."""
    rows = select("SELECT seconds, pts, x1, y1, x2, y2, jpeg FROM look_crops WHERE track = ? ORDER BY position", [row])
    return [StoredCrop(seconds, pts, (x1, y1, x2, y2), jpeg) for seconds, pts, x1, y1, x2, y2, jpeg in rows]


def best_crop(select: Select, event_row: int) -> StoredCrop | None:
    """The best crop of the tracks of the event in this row; None where none is stored."""
    rows = select(
        "SELECT seconds, pts, x1, y1, x2, y2, jpeg FROM look_crops JOIN event_tracks USING (track) "
        "WHERE event = ? AND look_crops.position = 0 ORDER BY quality DESC, event_tracks.position LIMIT 1",
        [event_row],
    )
    return next((StoredCrop(s, pts, (x1, y1, x2, y2), jpeg) for s, pts, x1, y1, x2, y2, jpeg in rows), None)


def colours(select: Select, number: int) -> dict[str, list[str]]:
    """Part → names of the colours that the track of this number shows, the most first."""
    found: dict[str, list[str]] = {}
    for part, colour in select(
        "SELECT part, colour FROM look_colours JOIN tracks ON tracks.id = track WHERE number = ? "
        "ORDER BY part DESC, share DESC, colour",
        [number],
    ):
        found.setdefault(part, []).append(colour)
    return found


def looked_at(select: Select, of_events: bool, source: str, where: str, values: Sequence[Any]) -> dict[str, int]:
    """How many of what a filter lists have no look at all (``no_look``), one without colours, or one under a cast.

    ``source`` is the SQL of what is filtered, ``where`` the filter without its colours. An event counts by the best of
    its tracks.
    """
    light = "SELECT max(CASE light WHEN 'colours' THEN 3 WHEN 'cast' THEN 2 ELSE 1 END) FROM looks WHERE "
    light += "track IN (SELECT track FROM event_tracks WHERE event = item.row)" if of_events else "track = item.row"
    rows = select(f"SELECT ({light}) AS light, count(*) FROM {source} WHERE {where} GROUP BY 1", values)
    counts: dict[int | None, int] = dict(rows)
    return {"no_look": counts.get(None, 0), "no_colours": counts.get(1, 0), "cast": counts.get(2, 0)}
