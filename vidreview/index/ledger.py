"""The ledger of coverage: where every tick of every stream went, and why what was not read was not (rules C3, E2)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

from vidreview.index.filters import by_name
from vidreview.index.rows import file_name

Select = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]

#: what a tick of a stream may be, in the order they are listed
_STATES: Final = ("analysed", "undecodable", "gap", "not_requested")
#: states of an exhibit whose scan is not over
_WAITING: Final = ("pending", "running")

_IMAGE: Final = "a disk image: the files in it are exhibits of their own"
_UNFINISHED: Final = {
    "pending": "its turn to be scanned did not come; run 'vidreview scan' again",
    "running": "the scan of this exhibit was not finished; run 'vidreview scan' again",
    "scanned": "this stream was not analysed",
    "done": "this stream was not analysed",
    "partial": "this stream was not analysed",
    "failed": "this stream was not analysed: the scan of this exhibit failed",
}


def ledger(select: Select, exhibits: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The ledger in the form of ``vidreview coverage --json``, of all exhibits or of those of a name or pattern.

    One entry per stream; an exhibit that has none, since it could not be read, is listed once with stream null.
    """
    clause, values = by_name(exhibits) if exhibits else ("true", [])
    problems = _problems(select, clause, values)
    result = []
    for row in select(
        "SELECT exhibit.id, exhibit.name, exhibit.name_raw, exhibit.state, original.name, original.name_raw, "
        "original.reason, stream.id, stream.number, stream.duration_s, stream.time_base_num, stream.time_base_den, "
        "c.analysed, c.undecodable, c.gap, c.not_requested, "
        "c.frames_presented, c.frames_damaged, c.frames_missing, c.detector_frames "
        "FROM exhibits exhibit LEFT JOIN exhibits original ON original.id = exhibit.duplicate_of "
        "LEFT JOIN streams stream ON stream.exhibit = exhibit.id "
        f"LEFT JOIN coverage c ON c.stream = stream.id WHERE {clause} ORDER BY exhibit.id, stream.number",
        values,
    ):
        exhibit, name, raw, state, *original, stream, number, probed, num, den = row[:12]
        ticks, (presented, damaged, missing, looks) = list(row[12:16]), row[16:]
        said = [*problems.get((exhibit, None), ()), *(problems.get((exhibit, stream), ()) if stream else ())]
        if ticks[0] is None:
            # known by its container's word only: none of it was looked at
            ticks, (presented, damaged, missing, looks) = [0, 0, 0, round(probed * den / num) if probed else 0], [0] * 4
            if stream is not None and state not in _WAITING:
                said.append(_problem("unfinished", _UNFINISHED[state]))
        if state == "duplicate":
            said.append(_problem("duplicate", _duplicate(*original)))
        elif state == "image":
            said.append(_problem("image", _IMAGE))
        elif state in _WAITING:
            # a stream may be finished in an exhibit that is not: it was found to have changed, for one
            said.append(_problem("unfinished", _UNFINISHED[state]))
        seconds = _rounded(ticks, Fraction(num, den) if num else Fraction(1))
        result.append(
            {
                "exhibit": file_name(name, raw),
                "stream": number,
                "time_base": f"{num}/{den}" if num else None,
                "duration_s": seconds[-1],
                "ticks": {"duration": sum(ticks)} | dict(zip(_STATES, ticks, strict=True)),
                "frames_presented": presented,
                "states": {f"{state}_s": value for state, value in zip(_STATES, seconds, strict=False)},
                "frames": {"decoded": presented, "damaged": damaged, "missing": missing},
                "detector_frames": looks,
                "problems": said,
            }
        )
    return result


def _problems(select: Select, clause: str, values: Sequence[Any]) -> dict[tuple[int, int | None], list[dict[str, Any]]]:
    """(exhibit, stream) → what was found wrong; stream None for what concerns all of the exhibit."""
    found: dict[tuple[int, int | None], list[dict[str, Any]]] = {}
    for exhibit, stream, *problem in select(
        "SELECT p.exhibit, p.stream, p.kind, p.reason, p.at_s, p.pts, p.end_pts, p.byte FROM problems p "
        f"JOIN exhibits exhibit ON exhibit.id = p.exhibit WHERE {clause} "
        "GROUP BY p.exhibit, p.stream, p.kind, p.reason, p.at_s, p.pts, p.end_pts, p.byte ORDER BY min(p.id)",
        values,
    ):
        found.setdefault((exhibit, stream), []).append(_problem(*problem))
    return found


def _duplicate(name: str | None, raw: bytes | None, reason: str | None) -> str:
    if name is None:
        return "the same content as an exhibit that is not there any more; run 'vidreview scan' again"
    unread = f"; not fully read: {reason}" if reason else ""
    return f"the same content as {file_name(name, raw)}, which is scanned in its place{unread}"


def _problem(
    kind: str,
    reason: str,
    at_s: float | None = None,
    pts: int | None = None,
    end_pts: int | None = None,
    byte: int | None = None,
) -> dict[str, Any]:
    return {"kind": kind, "reason": reason, "at_s": at_s, "pts": pts, "end_pts": end_pts, "byte": byte}


def _rounded(ticks: Sequence[int], time_base: Fraction) -> list[float]:
    """Seconds of each part and of the whole, to a microsecond, so that the parts still add up to the whole."""
    edges = [round(sum(ticks[:k]) * time_base * 1_000_000) for k in range(len(ticks) + 1)]
    return [(b - a) / 1e6 for a, b in itertools.pairwise(edges)] + [edges[-1] / 1e6]
