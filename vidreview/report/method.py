"""How the method looks and what it cannot see, in plain words, and what it was measured to find (rules E1, E6)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vidreview import __version__
from vidreview.errors import UsageError

#: nobody's validation is longer, bytes
_LARGEST: Final = 64 << 20

WORDS: Final = (
    "Everything in this report is a lead: a place in the footage that a person should look at. vidreview "
    "identifies nobody and decides nothing.",
    "Each file was found by its content, opened read-only and hashed (SHA-256) before it was read and again "
    "after; a difference voids the scan. Every frame was decoded; what could not be decoded was counted, timed "
    "and listed.",
    "A motion gate compares blocks of each picture with a background that adapts to them, in multiples of each "
    "block's own noise. Where something moves, a detector looks at the picture for persons and vehicles, often "
    "while what moves is new and more seldom once it is known; now and then it looks whether anything moves or "
    "not.",
    "Motion says that something is there and where, detections say what it is; both are joined into tracks, and "
    "tracks into events. What moved and was not recognised is kept as class motion. Tracks that became no event "
    "are kept in the case with the rule that dropped them, and so are detections below the threshold ('vidreview "
    "tracks', 'vidreview why').",
    "Times count from the first presented frame of each stream and are exact within the file. Times by the clock "
    "rest on what somebody recorded of the recorder's clock, and say so; where nobody did they are unknown. A "
    "file's modification time is never used.",
    "Heat maps add up for how long the boxes of tracks covered each place. Pictures whose names end in _VIEW, and"
    " contact strips, are re-encoded and reduced, for looking at; the evidence is the exhibit itself, the clips "
    "named _copy, which hold its own packets, and the lossless PNG stills.",
)

LIMITS: Final = (
    "No detection does not mean that nothing happened. The detector misses people who are far away (fewer than "
    "about thirty pixels tall), half hidden, in the dark or under infra-red light, seen from straight above, "
    "lying, crouching or carrying something that hides their shape. It names cars seen from above in few frames.",
    "What neither moves nor is recognised is not found. Neither is what moves more slowly than the background "
    "adapts, or where a clock stands in the picture.",
    "A detection is not a person: posters, mannequins, reflections and statues are detected, dogs as persons at "
    "times, and vans as trucks.",
    "A track is not an identity. When two people cross or one goes behind something, a track may change person, "
    "break in two, or join two. The number of tracks is not the number of people.",
    "What could not be decoded, and what was not recorded, was not reviewed: the coverage ledger lists those "
    "seconds, and nothing else in this report speaks about them.",
    "Rain, insects before the lens, branches and headlights raise motion events; they are ranked lower, not dropped.",
    "A heat map shows where tracks were, not where people were: what was not tracked leaves no mark in it.",
)


@dataclass(frozen=True, slots=True)
class Validated:
    """A method's measured figures, as ``vidreview validate --json`` wrote them."""

    #: of the file
    sha256: str
    method: dict[str, Any]
    found: int
    true: int
    #: of each clip: name, true, found, recognised, footage_s
    clips: tuple[dict[str, Any], ...]


def load_validation(path: Path) -> Validated:
    """The output of ``vidreview validate --json``; raises UsageError when it is not that."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read the validation {path}: {error.strerror}") from error
    try:
        if len(data) > _LARGEST:
            raise ValueError("it is too large")
        document = json.loads(data)
        total, method = document["total"], document["method"]
        clips = tuple(_clip(clip) for clip in document["clips"] if clip["score"] is not None)
        found, true = _count(total["found"]), _count(total["true"])
        if not isinstance(method, dict) or not isinstance(method["version"], str) or found > true:
            raise ValueError("its figures are not those of a validation")
        if (sum(clip["found"] for clip in clips), sum(clip["true"] for clip in clips)) != (found, true):
            raise ValueError("its clips do not sum to its total")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"{path} is not what 'vidreview validate TRUTH.json --json' prints: {why}; write it with "
            f"'vidreview validate TRUTH.json --json > {path.name}'"
        ) from error
    return Validated(hashlib.sha256(data).hexdigest(), method, found, true, clips)


def _clip(entry: dict[str, Any]) -> dict[str, Any]:
    score = entry["score"]
    counts = {name: _count(score[name]) for name in ("true", "found", "recognised")}
    if counts["found"] > counts["true"] or counts["recognised"] > counts["true"]:
        raise ValueError("more was found than there is")
    return {"clip": str(entry["clip"])} | counts | {"footage_s": float(score["footage_s"])}


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**9:
        raise ValueError(f"{value!r} is no count")
    return value


def recall(validated: Validated | None, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the method was measured to find, with its interval, and whether that still holds for these ``runs``.

    ``runs`` as the report has them: version, model_sha256, settings_sha256 and settings of every run that is in it.
    """
    if validated is None:
        return {
            "words": "How much this method finds on footage of known content was not measured for this report. "
            "'vidreview validate TRUTH.json --json' measures it; 'vidreview report --validation FILE' states it here.",
            "rows": [],
            "stale": False,
            "why": None,
        }
    rows = [clip | _share(clip["found"], clip["true"]) for clip in validated.clips]
    reasons = _differences(validated.method, runs)
    share = _words(validated.found, validated.true)
    words = (
        f"On {len(rows)} labelled clip{'s' * (len(rows) != 1)} (named below) the method found {share} of the events "
        "that a person had marked there. Other footage differs, and so may the share."
    )
    if reasons:
        words += " These figures are STALE: they were measured with another version, model or settings."
    return {
        "words": words,
        "rows": rows,
        "stale": bool(reasons),
        "why": "; ".join(reasons) or None,
        "total": {"found": validated.found, "true": validated.true} | _share(validated.found, validated.true),
        "file_sha256": validated.sha256,
        "method": {key: validated.method.get(key) for key in ("version", "model", "model_sha256", "settings_sha256")},
    }


def _differences(measured: dict[str, Any], runs: Sequence[dict[str, Any]]) -> list[str]:
    """By what the measured method differs from that of a run, or from the tool that writes the report."""
    found: dict[str, None] = {}
    if measured.get("version") != __version__:
        found[f"measured with vidreview {measured.get('version')}, this report is by {__version__}"] = None
    for run in runs:
        if run["version"] != measured.get("version"):
            found[f"run {run['run']} is by vidreview {run['version']}, measured was {measured.get('version')}"] = None
        if run["model_sha256"] != measured.get("model_sha256"):
            found[f"run {run['run']} used another model than was measured"] = None
        if run["settings_sha256"] != measured.get("settings_sha256"):
            found[f"run {run['run']} used other settings than were measured{_which(measured, run)}"] = None
    return list(found)


def _which(measured: dict[str, Any], run: dict[str, Any]) -> str:
    ours, theirs = run.get("settings") or {}, measured.get("settings")
    if not isinstance(theirs, dict):
        return ""
    names = [name for name in ours if ours[name] != theirs.get(name)]
    return f" ({', '.join(f'{name} {ours[name]:g}' for name in names[:4])})" if names else ""


def _share(found: int, true: int) -> dict[str, Any]:
    from vidreview.validate import interval

    bounds = interval(found, true)
    return {"recall": found / true if true else None, "interval": None if bounds is None else list(bounds)}


def _words(found: int, true: int) -> str:
    from vidreview.validate import interval

    bounds = interval(found, true)
    if bounds is None:
        return "0 of 0"
    low, high = (100 * bound for bound in bounds)
    return f"{found} of {true} ({100 * found / true:.1f} %, 95 % interval {low:.1f} to {high:.1f} %)"
