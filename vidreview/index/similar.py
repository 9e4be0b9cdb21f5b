"""Ranking tracks of a case by what their objects look like: exact, over all descriptors.

The distance of two looks, 0 (alike) to 1, is the weighted mean of Hellinger's, 1 − Σ √(p·q), over three groups of
histograms: names of colours by stripe, lightness by stripe (the form), and joint lightness and hue of the whole. Where
the pictures of either had no colours, lightness alone is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vidreview.errors import CaseError, UsageError
from vidreview.index.looks import DESCRIPTOR_BYTES, LEAD, Select, colours
from vidreview.index.rows import event_name, file_name, track_name

if TYPE_CHECKING:
    from collections.abc import Iterable

Single = NDArray[np.float32]


class Group(NamedTuple):
    """Histograms of a descriptor that are compared together."""

    first: int
    #: how many, and how many numbers each has
    histograms: int
    length: int
    weight: float
    #: it tells colours from each other
    of_colour: bool


#: what a descriptor's numbers are, after the 11 that only name colours; see ``vidreview/looks/describe.py``
GROUPS: Final = (
    Group(11, 6, 11, 1.0, True),
    Group(77, 6, 8, 0.5, False),
    Group(125, 1, 100, 1.0, True),
)
#: weights of the groups where both looks have colours, and where one has none
_BY_COLOUR: Final = np.array([group.weight for group in GROUPS], np.float32) / sum(group.weight for group in GROUPS)
_BY_LIGHTNESS: Final = np.array([not group.of_colour for group in GROUPS], np.float32)
#: descriptors that are compared at once: as many as the processor's caches hold
_BLOCK: Final = 8192


class Looks(NamedTuple):
    """The looks of many tracks."""

    #: (n,) rows of the tracks
    rows: NDArray[np.int64]
    #: (n, DESCRIPTOR_BYTES)
    descriptors: NDArray[np.uint8]
    #: (n,) its pictures had colours
    coloured: NDArray[np.bool_]


def load(rows: Iterable[tuple[int, bytes, str]]) -> Looks:
    """Looks as they are stored: row of the track, descriptor, light. Raises CaseError for what no scan stored."""
    tracks, blobs, lights = [], [], []
    for track, blob, light in rows:
        if not isinstance(blob, bytes) or len(blob) != DESCRIPTOR_BYTES:
            raise CaseError(f"the look of tracks row {track} in case.db is damaged; run 'vidreview verify'")
        tracks.append(track)
        blobs.append(blob)
        lights.append(light != "none")
    descriptors = np.frombuffer(b"".join(blobs), np.uint8).reshape(len(blobs), DESCRIPTOR_BYTES)
    return Looks(np.array(tracks, np.int64), descriptors, np.array(lights, np.bool_))


def distances(query: int, looks: Looks) -> Single:
    """Distance of the look at place ``query`` to all, (n,)."""
    starts = np.concatenate([group.first + group.length * np.arange(group.histograms) for group in GROUPS])
    group_of = np.repeat(np.arange(len(GROUPS)), [group.histograms for group in GROUPS])
    histogram_of = np.searchsorted(starts, np.arange(starts[0], DESCRIPTOR_BYTES), side="right") - 1
    members = np.equal.outer(histogram_of, np.arange(len(starts))).astype(np.float32)
    mine = looks.descriptors[query, starts[0] :].astype(np.float32)
    wanted = members * _per_length(mine[:, None], np.sqrt(mine**2 @ members))
    share = np.equal.outer(group_of, np.arange(len(GROUPS))) / [group.histograms for group in GROUPS]
    result: Single = np.empty(len(looks.rows), np.float32)
    for first in range(0, len(looks.rows), _BLOCK):
        part = slice(first, first + _BLOCK)
        roots = looks.descriptors[part, starts[0] :].astype(np.float32)
        alike = _per_length(roots @ wanted, np.sqrt(roots**2 @ members)) @ share.astype(np.float32)
        both = looks.coloured[part] & looks.coloured[query]
        result[part] = np.where(both, (1.0 - alike) @ _BY_COLOUR, (1.0 - alike) @ _BY_LIGHTNESS)
    result.clip(0.0, 1.0, out=result)
    return result


def _per_length(value: Single, length: Single) -> Single:
    """The quotient, 0 where a histogram is empty."""
    result: Single = np.divide(
        value, length, out=np.zeros(np.broadcast(value, length).shape, np.float32), where=length > 0
    )
    return result


def ranked(
    select: Select, name: str, source: str, where: str, values: Sequence[Any], limit: int | None
) -> dict[str, Any]:
    """Tracks that a filter lists, ranked by how their objects look like that of the track or event ``name``.

    ``{id, exhibit, …, lead, tracks: [{id, similarity, …}], ranked, no_look}``; ``ranked`` is how many were compared,
    whatever the limit. ``source`` is the SQL of numbered tracks, which ``where`` filters. Raises UsageError for a name
    that is none, is not in the case, or has no look.
    """
    row = _asked(select, name)
    columns = "item.row, look.descriptor, look.light"
    join = "LEFT JOIN looks look ON look.track = item.row"
    rows = select(f"SELECT {columns} {source} {join} WHERE ({where}) AND item.row != ?", [*values, row])
    mine = select("SELECT track, descriptor, light FROM looks WHERE track = ?", [row])
    stored = [one for one in rows if one[1] is not None]
    looks = load([*mine, *stored])
    away = distances(0, looks)[1:]
    order = np.lexsort((looks.rows[1:], away))[: len(stored) if limit is None else limit]
    places = [0, *(order + 1).tolist()]
    facts = _facts(select, [int(looks.rows[k]) for k in places])
    asked = facts[row]
    found = []
    for k in places[1:]:
        one = facts[int(looks.rows[k])]
        together = one["place"] == asked["place"] and _overlap(one, asked) > 0
        by = "colour" if looks.coloured[0] and looks.coloured[k] else "lightness"
        shown = {key: value for key, value in one.items() if key != "place"}
        found.append(
            shown | {"similarity": round(1.0 - float(away[k - 1]), 4), "compared": by, "in_view_together": together}
        )
    shown = {key: value for key, value in asked.items() if key != "place"}
    return shown | {"lead": LEAD, "tracks": found, "ranked": len(stored), "no_look": len(rows) - len(stored)}


def _asked(select: Select, name: str) -> int:
    """The row of the track that is meant by T0012, 12, or E0007, the best track of that event."""
    kind, digits = (name[:1].upper(), name[1:]) if name[:1].isalpha() else ("T", name)
    if kind not in ("T", "E") or not (digits.isascii() and digits.isdigit() and len(digits) < 16):
        raise UsageError(f"{name!r} is no track; write its number, as T0012, or an event's, as E0007")
    if kind == "E":
        rows = select(
            "SELECT t.number, t.id, look.track FROM events e JOIN event_tracks m ON m.event = e.id "
            "JOIN tracks t ON t.id = m.track LEFT JOIN looks look ON look.track = t.id WHERE e.number = ? "
            "ORDER BY look.track IS NULL, (SELECT quality FROM look_crops c WHERE c.track = t.id AND c.position = 0) "
            "DESC, m.position LIMIT 1",
            [int(digits)],
        )
    else:
        rows = select(
            "SELECT number, id, look.track FROM tracks t LEFT JOIN looks look ON look.track = t.id WHERE number = ?",
            [int(digits)],
        )
    if not rows:
        what = "event" if kind == "E" else "track"
        raise UsageError(f"the case has no {what} {kind}{int(digits):04d}; 'vidreview {what}s' lists them")
    number, row, look = rows[0]
    if look is None:
        raise UsageError(
            f"of track {track_name(number)} no look is stored: the detector did not look while it was in view, or the "
            "exhibit was scanned by an older version; scan the exhibit into another case to have looks, or name "
            "another track of the event"
        )
    return int(row)


def _facts(select: Select, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Row → what a list says of each track."""
    found: dict[int, dict[str, Any]] = {}
    for first in range(0, len(rows), 500):
        some = rows[first : first + 500]
        for row, number, place, name, raw, stream, num, den, kind, label, *span, score, dropped, event in select(
            "SELECT t.id, t.number, t.stream, exhibit.name, exhibit.name_raw, stream.number, stream.time_base_num, "
            "stream.time_base_den, t.class, t.label, t.start_pts, t.end_pts, t.start_s, t.end_s, t.score, t.dropped, "
            "(SELECT e.number FROM event_tracks m JOIN events e ON e.id = m.event WHERE m.track = t.id LIMIT 1) "
            "FROM tracks t JOIN streams stream ON stream.id = t.stream JOIN exhibits exhibit "
            f"ON exhibit.id = stream.exhibit WHERE t.id IN ({', '.join('?' * len(some))})",
            some,
        ):
            found[row] = {
                "id": track_name(number),
                "event": None if event is None else event_name(event),
                "exhibit": file_name(name, raw),
                "stream": stream,
                "class": kind,
                "label": label,
                "start_pts": span[0],
                "end_pts": span[1],
                "time_base": f"{num}/{den}",
                "start_s": round(span[2], 6),
                "end_s": round(span[3], 6),
                "score": None if score is None else round(score, 6),
                "dropped": dropped,
                "colours": colours(select, number),
                "place": place,
            }
    return found


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Seconds that two tracks of one stream are in view at once."""
    return float(min(one["end_s"], other["end_s"]) - max(one["start_s"], other["start_s"]))
