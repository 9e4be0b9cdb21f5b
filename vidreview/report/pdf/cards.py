"""Events in the PDF: a contact sheet of each day, and a card for each event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Spacer, Table, TableStyle

from vidreview.report.pdf.parts import camera_name
from vidreview.report.pdf.pictures import Picture, inside, shape_of
from vidreview.report.pdf.text import (
    BODY,
    HEADING,
    PLAIN,
    RULE,
    SMALL,
    SMALL_BOLD,
    SUBHEADING,
    fitting,
    paragraph,
    said,
    seconds,
)

#: pictures in a row of the contact sheet
_ACROSS: Final = 6
#: shares of the width that an event's still and its path take, and how high they are at most, points: with them two
#: cards fill a page, below its title too
_STILL_WIDE: Final = 0.46
_COURSE_WIDE: Final = 0.24
_STILL_HIGH: Final = 150
#: points between columns
_GAP: Final = 6.0
_UNKNOWN: Final = ", clock unknown"

Outline = Callable[[str, str, int], Flowable]


def synopsis(facts: dict[str, Any], events: Sequence[dict[str, Any]], folder: Path, width: float) -> Iterator[Flowable]:
    """Every event as a small picture, by day and camera, so that a day is looked through in minutes."""
    if not events:
        yield paragraph("This report has no events. An object that was not detected leaves no record.", BODY)
        return
    yield paragraph("Every event of this report, by day and time. A picture leads to the event's card.", SMALL)
    days: dict[str, list[tuple[str, int, dict[str, Any]]]] = {}
    for number, event in enumerate(events):
        day, when = _day(facts, event)
        days.setdefault(day, []).append((when, number, event))
    # days first, then cameras whose clock is unknown
    for day in sorted(days, key=lambda one: (not one[:1].isdigit() or one.endswith(_UNKNOWN), one)):
        yield CondPageBreak(120)
        yield paragraph(f"{day}: {len(days[day])} event{'s' * (len(days[day]) != 1)}", SUBHEADING)
        ordered = [event for _, _, event in sorted(days[day], key=lambda one: one[:2])]
        for start in range(0, len(ordered), _ACROSS):
            row = [_thumb(facts, event, folder, width / _ACROSS - _GAP) for event in ordered[start : start + _ACROSS]]
            cells: list[Any] = [*row, *[""] * (_ACROSS - len(row))]
            made = Table([cells], colWidths=[width / _ACROSS] * _ACROSS)
            made.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
            yield made


def _day(facts: dict[str, Any], event: dict[str, Any]) -> tuple[str, str]:
    """The day of an event, or the camera where that is not known, and what sorts it there."""
    times = event["corrected"] or event["shown"]
    if not times:
        return f"{camera_name(facts, event['stream'])}{_UNKNOWN}", f"{event['start_s']:020.6f}"
    return f"{times[0][:10]} ({'corrected' if event['corrected'] else 'displayed'} time)", times[0]


def _kept(event: dict[str, Any]) -> dict[str, Any] | None:
    """The best of the small pictures that the scan kept, where the exhibit gave no still."""
    kept = [] if event["still"] else event.get("kept") or []
    return next((one for one in kept if one["best"]), kept[0] if kept else None)


def _thumb(facts: dict[str, Any], event: dict[str, Any], folder: Path, width: float) -> list[Flowable]:
    crop, kept = event.get("thumb_crop"), None if event["thumb"] else _kept(event)
    shape = (float(crop[2]), float(crop[3])) if crop else (16.0, 9.0)
    if not crop and (whole := event["still"] or kept):
        shape = (float(whole["w"]), float(whole["h"]))
    times = event["corrected"] or event["shown"]
    when = times[0][11:19] if times else seconds(event["start_s"]).partition(".")[0]
    mark = "" if event["review"]["state"] == "unreviewed" else f", {event['review']['state']}"
    file = inside(folder, kept["src"] if kept else event["thumb"])
    most = min(width, width * 9 / 16 if kept else width)
    picture = Picture(file, width, shape, missing="no picture", link=f"event-{event['id']}", most=most)
    name = fitting(camera_name(facts, event["stream"]), PLAIN, SMALL.fontSize, width)
    lines = (paragraph(f"{event['id']} {when}", SMALL_BOLD), paragraph(f"{event['label']}{mark}", SMALL))
    said_ = [paragraph("thumbnail of the scan", SMALL)] if kept else []
    return [picture, Spacer(1, 2), *lines, paragraph(name, SMALL), *said_]


def cards(
    facts: dict[str, Any], events: Sequence[dict[str, Any]], folder: Path, width: float, outline: Outline
) -> Iterator[Flowable]:
    """A card for each event."""
    for event in events:
        card = [outline(f"{event['id']} {event['label']}", f"event-{event['id']}", 1)]
        yield KeepTogether([*card, *_card(facts, event, folder, width)])
    if not events:
        yield paragraph("This report has no events. An object that was not detected leaves no record.", BODY)


def _card(facts: dict[str, Any], event: dict[str, Any], folder: Path, width: float) -> Iterator[Flowable]:
    stream = facts["streams"][event["stream"]]
    label = event["label"] if event["label"] == event["class"] else f"{event['class']} ({event['label']})"
    yield paragraph(f"{event['id']}  {label}, {camera_name(facts, event['stream'])}", HEADING)
    why = event["missing"] or "no picture"
    kept = _kept(event)
    still = event["still"] or kept or {"src": None, "w": stream["width"], "h": stream["height"]}
    large, small = width * _STILL_WIDE, width * _COURSE_WIDE
    shape = (float(still["w"] or 16), float(still["h"] or 9))
    picture = Picture(inside(folder, still["src"]), large, shape, missing=why, most=_STILL_HIGH)
    said_ = (
        f"Reduced thumbnail kept by the scan, no evidence: {kept['track']} at {seconds(kept['at_s'])}" if kept else ""
    )
    pictures = [
        [picture, Spacer(1, 2), paragraph(said_, SMALL)] if kept else picture,
        [
            Picture(
                inside(folder, stream["background"]),
                small,
                shape_of(stream),
                paths=[track["path"] for track in event["tracks"]],
                missing="no background",
                most=_STILL_HIGH,
            ),
            Spacer(1, 2),
            paragraph("Its path over the background, from the ring to the dot.", SMALL),
        ],
        _facts(facts, event),
    ]
    made = Table([pictures], colWidths=[large + _GAP, small + _GAP, width - large - small - 2 * _GAP])
    made.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 0),
                ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ("TOPPADDING", (0, 0), (-1, -1), 0),
            ]
        )
    )
    yield made
    yield _times(event)
    yield Spacer(1, 2)
    if (strip := event["strip"]) is not None and (file := inside(folder, strip["src"])) is not None:
        count = max(len(strip["times"]), 1)
        yield Picture(file, width, (float(strip["w"]) * count, float(strip["h"])), most=44)
        yield Spacer(1, 2)
        yield paragraph("Strip: " + ", ".join(seconds(at) for at in strip["times"]), SMALL)
    yield from _files(event)
    yield Spacer(1, 3)
    rule = Table([[""]], colWidths=[width], rowHeights=[1])
    rule.setStyle(TableStyle([("LINEABOVE", (0, 0), (-1, 0), 0.5, RULE)]))
    yield rule


def _facts(facts: dict[str, Any], event: dict[str, Any]) -> Flowable:
    stream, review = facts["streams"][event["stream"]], event["review"]
    by = f", by {review['by']} at {review['utc']}" if review["by"] else ""
    exhibit = facts["exhibits"][stream["exhibit"]]
    return said(
        [
            ("Exhibit", f"{exhibit['name']}, stream {stream['stream']}"),
            ("Reference", exhibit["reference"]),
            ("Duration", f"{event['end_s'] - event['start_s']:.3f} s"),
            ("Best at", seconds(event["peak_s"])),
            ("Score", "none, motion has none" if event["score"] is None else f"{event['score']:.3f}"),
            ("Most at once", event["max_count"]),
            ("Tracks", ", ".join(track["id"] for track in event["tracks"])),
            ("Review", f"{review['state']}{by}"),
            ("Note", review["note"]),
        ]
    )


def _times(event: dict[str, Any]) -> Flowable:
    """The four times, each with its bound, and where they come from (rule B2)."""
    base = f"PTS {event['start_pts']} to {event['end_pts']}, time base {event['time_base']}"
    utc = " or ".join(f"{begin} to {end or 'unknown'}" for begin, end in event["utc"])
    return said(
        [
            ("Stream", f"{seconds(event['start_s'])} to {seconds(event['end_s'])} ({base})"),
            ("Displayed", _between(event["shown"], event["shown_uncertainty_s"])),
            ("Corrected", _between(event["corrected"], event["corrected_uncertainty_s"])),
            ("UTC", f"{utc}{_bound(event['utc_uncertainty_s'])}" if utc else "unknown"),
            ("Times come from", event["time_words"]),
        ]
    )


def _between(times: Sequence[str] | None, bound: float | None) -> str:
    return "unknown" if times is None else f"{times[0]} to {times[1] or 'unknown'}{_bound(bound)}"


def _bound(seconds_: float | None) -> str:
    return "" if seconds_ is None else f" ± {seconds_:g} s"


def _files(event: dict[str, Any]) -> Iterator[Flowable]:
    pairs: list[tuple[str, object]] = []
    if (copy := event["copy"]) is not None:
        reach = f"{seconds(copy['start_s'])} to {seconds(copy['end_s'])}"
        pairs.append(
            ("Evidential copy", f"{copy['src']}, {copy['packets']} packets, {reach}, SHA-256 {copy['sha256']}")
        )
    if event["still"] is not None and event["still"]["evidence"]:
        pairs.append(("Lossless still", f"{event['still']['evidence']}, SHA-256 {event['still']['sha256']}"))
    if event["still"] is not None and event["still"].get("damaged"):
        pairs.append(("Still", "the decoder flagged this picture as damaged"))
    if event["strip"] is not None and event["strip"].get("damaged"):
        frames = ", ".join(seconds(event["strip"]["times"][k]) for k in event["strip"]["damaged"])
        pairs.append(("Strip", f"the decoder flagged these frames as damaged: {frames}"))
    if event["missing"]:
        pairs.append(("Missing", event["missing"]))
    if pairs:
        yield said(pairs)
