"""The sections of the PDF but for the events: overview, cameras, method, ledger, exhibits, integrity, settings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from reportlab.platypus import Flowable, KeepTogether, LongTable, PageBreak, Spacer, TableStyle

from vidreview.report.pdf.charts import Activity, Lane, Legend, Timeline
from vidreview.report.pdf.pictures import Picture, inside, shape_of
from vidreview.report.pdf.text import (
    BODY,
    HASH,
    HEADING,
    LEAD,
    PAPER,
    RULE,
    SMALL,
    SMALL_BOLD,
    SUBHEADING,
    TITLE,
    paragraph,
    said,
    seconds,
)

#: lanes to a timeline, so that it fits on a page
_LANES: Final = 24
#: points; so high that two cameras fit on a page, below its title too
_HEAT_HIGH: Final = 145
LEADS: Final = (
    "Everything here is a lead for a person to look at, not an identification. That something was not detected does "
    "not mean that nothing happened: see method and limits, and the coverage ledger."
)


def begin(title: str, first: bool) -> Iterator[Flowable]:
    """The heading of a section, on a new page."""
    if first:
        return
    yield PageBreak()
    yield paragraph(title, TITLE)


def table(
    headings: Sequence[str], rows: Iterable[Sequence[object]], widths: Sequence[float], width: float, mono: int = -1
) -> Flowable:
    """A table that goes over pages; ``widths`` are shares of ``width``, ``mono`` is a column of hashes."""
    whole = sum(widths)
    cells: list[list[Any]] = [[paragraph(heading, SMALL_BOLD) for heading in headings]]
    cells += [
        [paragraph("" if cell is None else cell, HASH if k == mono else SMALL) for k, cell in enumerate(row)]
        for row in rows
    ]
    made = LongTable(cells, colWidths=[width * share / whole for share in widths], repeatRows=1, hAlign="LEFT")
    made.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.3, RULE),
                ("BACKGROUND", (0, 0), (-1, 0), PAPER),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 2),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
            ]
        )
    )
    return made


# ---- overview


def overview(facts: dict[str, Any], events: Sequence[dict[str, Any]], width: float) -> Iterator[Flowable]:
    """What the case is, what was looked at, and all cameras on one axis."""
    case, report, ledger = facts["case"], facts["report"], facts["ledger"]
    yield paragraph(f"Review of CCTV: {case['name']}", TITLE)
    yield paragraph(LEADS, LEAD)
    states = Counter(event["review"]["state"] for event in events)
    classes = Counter(event["class"] for event in events)
    yield said(
        [
            ("Exhibit references", ", ".join(case["references"])),
            ("Operator", ", ".join(case["operators"])),
            ("Organisation", ", ".join(case["organisations"])),
            ("Reason", "; ".join(case["reasons"])),
            ("Events in this report", f"{report['events_in_report']} of {report['events_in_case']} in the case"),
            ("Filters", "; ".join(report["filters"]) or "none"),
            ("Provisional events left out", report.get("provisional_left_out") or None),
            ("By class", _counted(classes)),
            ("By review", _counted(states)),
            ("Made", f"{report['made_utc']} by {report['tool']}: {report['command']}"),
            ("Report", report["id"]),
        ],
        BODY,
    )
    yield paragraph("What was looked at", HEADING)
    yield from _ledger(ledger, width)
    yield from _timelines(facts, events, width)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in sorted(counts)) or "none"


def _ledger(ledger: dict[str, Any], width: float) -> Iterator[Flowable]:
    names = ("footage", "analysed", "undecodable", "gap", "not_requested")
    rows = [[name.replace("_", " "), seconds(ledger[f"{name}_s"]), f"{ledger[f'{name}_s']:.3f} s"] for name in names]
    yield table(["state", "time", "seconds"], rows, [2, 1, 1], width * 0.6)
    unread = ledger["exhibits_unread"]
    yield Spacer(1, 4)
    yield paragraph(
        f"{unread} exhibit{'s' * (unread != 1)} could not be read, or not finished: nothing here speaks about "
        f"{'them' if unread != 1 else 'it'}."
    )


def stretches(stream: dict[str, Any]) -> list[tuple[float, float, float]]:
    """Where its clock runs evenly and is known: (from, to, when its second 0 would have been) in seconds.

    Seconds since 1970 on the wall clock, corrected where that is known, else as displayed.
    """
    clock = stream["clock"]
    whole = {"start_s": 0.0, "end_s": stream["duration_s"]}
    whole |= {f"{which}_ms": clock[f"{which}_start_ms"] for which in ("corrected", "shown")}
    found = []
    for piece in (clock.get("segments") or [whole]) if clock["known"] else ():
        began = piece["corrected_ms"] if piece["corrected_ms"] is not None else piece["shown_ms"]
        if began is not None:
            low = piece["start_s"] if piece["start_s"] > 0 else -math.inf  # what came before the first picture too
            high = piece["end_s"] if piece["end_s"] < stream["duration_s"] else math.inf
            found.append((low, high, began / 1000 - piece["start_s"]))
    return found


def _timelines(facts: dict[str, Any], events: Sequence[dict[str, Any]], width: float) -> Iterator[Flowable]:
    by_stream: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        by_stream.setdefault(event["stream"], []).append(event)
    timed: list[Lane] = []
    untimed: list[Lane] = []
    for number in range(len(facts["streams"])):
        marks = by_stream.get(number, [])
        lane = _lane(facts, number, marks, wall=True)
        if lane.spans or lane.events:
            timed.append(lane)
        else:
            untimed.append(_lane(facts, number, marks, wall=False))
    for lanes, wall, title, words in (
        (timed, True, "All cameras on one clock", "Corrected time where an offset is known, else displayed time: "),
        (untimed, False, "Cameras whose clock is unknown", "Time from the first picture of each stream: "),
    ):
        for start in range(0, len(lanes), _LANES):
            drawn = Timeline(lanes[start : start + _LANES], width, wall)
            legend = words + "upper marks persons, middle vehicles, lower motion. Struck through once: nothing was "
            legend += "recorded; crossed: cannot be decoded."
            yield KeepTogether([paragraph(title, HEADING), paragraph(legend, SMALL), Spacer(1, 4), drawn])


def _lane(facts: dict[str, Any], number: int, events: Sequence[dict[str, Any]], wall: bool) -> Lane:
    stream = facts["streams"][number]

    every = stretches(stream) if wall else [(-math.inf, math.inf, 0.0)]

    def placed(items: Iterable[tuple[str, float, float]]) -> list[list[tuple[str, float, float]]]:
        """Each item cut where the clock was set or is unknown."""
        cut = ([(name, max(a, low), min(b, high), zero) for low, high, zero in every] for name, a, b in items)
        return [[(name, a + zero, b + zero) for name, a, b, zero in pieces if a <= b] for pieces in cut]

    spans = placed((span["state"], span["start_s"], span["end_s"]) for span in stream["spans"])
    marks = placed((event["class"], event["start_s"], event["end_s"]) for event in events)
    lost = sum(not pieces for pieces in marks)
    which = "corrected" if stream["clock"]["corrected_start_ms"] is not None else "displayed, not corrected"
    below = f"{which}; {'; '.join(stream['clock']['words'][:1])}" if wall else "clock unknown"
    if lost:
        below = f"{lost} event{'s' * (lost != 1)} of unknown time not drawn; {below}"
    drawn = [[piece for pieces in found for piece in pieces] for found in (spans, marks)]
    return Lane(camera_name(facts, number), below, *drawn)


def camera_name(facts: dict[str, Any], stream: int) -> str:
    """What a stream is called."""
    data = facts["streams"][stream]
    name = str(facts["cameras"][data["camera"]]["name"])
    several = len(facts["cameras"][data["camera"]]["streams"]) > 1
    return f"{name}: {facts['exhibits'][data['exhibit']]['name']} stream {data['stream']}" if several else name


# ---- cameras


def cameras(facts: dict[str, Any], folder: Path, width: float) -> Iterator[Flowable]:
    """Each stream: clock, activity per hour, heat map; two to a page, none over two."""
    for number in range(len(facts["streams"])):
        yield KeepTogether(list(_camera(facts, number, folder, width)))


def _camera(facts: dict[str, Any], number: int, folder: Path, width: float) -> Iterator[Flowable]:
    stream = facts["streams"][number]
    exhibit = facts["exhibits"][stream["exhibit"]]
    yield paragraph(camera_name(facts, number), HEADING)
    facts_of = f"{stream['codec']}, {stream['width']}×{stream['height']}, {seconds(stream['duration_s'])}"
    yield said(
        [
            ("Exhibit", f"{exhibit['name']}, stream {stream['stream']}"),
            ("Reference", exhibit["reference"]),
            ("Picture", facts_of),
            ("Clock", " ".join(stream["clock"]["words"])),
            (
                "Clock set",
                "; ".join(f"{seconds(s['at_s'])} {s['words']}" for s in stream["clock"].get("steps") or ()),
            ),
            ("Coverage", stream.get("spans_words")),
        ]
    )
    yield from _activity(stream, width)
    background, heat = inside(folder, stream["background"]), inside(folder, stream["heat"])
    if background is not None:
        yield Spacer(1, 4)
        yield Picture(background, width * 0.6, shape_of(stream), over=heat, most=_HEAT_HIGH)
        yield Spacer(1, 3)
        if heat is not None and stream.get("heat_scale"):
            yield Legend(stream["heat_scale"])
    taken = "" if stream["background_s"] is None else f" Background taken at {seconds(stream['background_s'])}."
    yield paragraph(f"{stream['heat_words'] or 'No heat map.'}{taken}", SMALL)


def _activity(stream: dict[str, Any], width: float) -> Iterator[Flowable]:
    by_clock = stream.get("activity_by_hour")
    hours = by_clock if by_clock else stream["activity"]
    if not hours:
        return
    labels = [_hour(hour["hour"]) if by_clock else f"{hour['hour']} h" for hour in hours]
    clock = "by the clock" if by_clock else "from the stream's start"
    words = f"Seconds per hour {clock}, from below: person (orange), vehicle (blue), motion (grey)"
    yield paragraph(words, SMALL)
    yield Activity(hours, width, labels)


def _hour(milliseconds: float) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%d. %H h")
    except (OverflowError, ValueError, OSError):
        return "?"


# ---- method, ledger, exhibits, integrity, runs


def method(facts: dict[str, Any], width: float) -> Iterator[Flowable]:
    """How the method looks, what it cannot see, what it was measured to find (rule E6)."""
    for words in facts["method"]["words"]:
        yield paragraph(words)
    yield paragraph("Limits", HEADING)
    for words in facts["method"]["limits"]:
        yield paragraph(f"– {words}")
    yield paragraph("Measured recall", HEADING)
    recall = facts["method"]["recall"]
    if recall is None:
        yield paragraph("No measurement of this method's recall was given for this report.")
        return
    yield paragraph(recall["words"])
    if recall["stale"]:
        yield paragraph(f"This measurement is stale: {recall['why']}.", LEAD)
    if recall["rows"]:
        names = list(recall["rows"][0])
        rows = [[_plain(row.get(name)) for name in names] for row in recall["rows"]]
        yield table(names, rows, [1] * len(names), width)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return " to ".join(map(str, value))
    return value


def coverage(facts: dict[str, Any], width: float) -> Iterator[Flowable]:
    """Every second of every stream, and what could not be read (rules C3, E2)."""
    rows, problems = [], []
    for number, stream in enumerate(facts["streams"]):
        name, states, frames = camera_name(facts, number), stream["coverage"]["states"], stream["coverage"]["frames"]
        rows.append(
            [name, f"{stream['duration_s'] or 0:.3f}"]
            + [f"{states[f'{one}_s']:.3f}" for one in ("analysed", "undecodable", "gap", "not_requested")]
            + [f"{frames['decoded']} / {frames['damaged']} / {frames['missing']}"]
        )
        problems += [[name, p["kind"], p["reason"], _where(p)] for p in stream["problems"]]
    headings = [
        "stream",
        "seconds",
        "analysed",
        "undecodable",
        "gap",
        "not requested",
        "frames decoded/damaged/missing",
    ]
    yield table(headings, rows, [3, 1, 1, 1, 1, 1, 2], width)
    for problem in facts["problems"]:
        problems.append([facts["exhibits"][problem["exhibit"]]["name"], problem["kind"], problem["reason"], ""])
    yield paragraph("Problems", HEADING)
    if problems:
        yield table(["where", "kind", "what", "at"], problems, [3, 1, 5, 2], width)
    else:
        yield paragraph("No problem was recorded in what was read.")


def _where(problem: dict[str, Any]) -> str:
    at, end = problem.get("at_s"), problem.get("end_s")
    if at is None:
        return ""
    return seconds(at) + ("" if end is None else f" to {seconds(end)}")


def exhibits(facts: dict[str, Any], width: float) -> Iterator[Flowable]:
    """Every file that was met, with its hash."""
    rows = [
        [
            exhibit["name"],
            exhibit["reference"],
            "" if exhibit["size"] is None else exhibit["size"],
            _state(exhibit),
            "\n".join([str(exhibit["sha256"] or ""), *(f"{k} {v}" for k, v in exhibit["other_hashes"].items())]),
        ]
        for exhibit in facts["exhibits"]
    ]
    yield table(["exhibit", "reference", "bytes", "state", "SHA-256 and others"], rows, [3, 1.2, 1.2, 2, 4], width, 4)


def _state(exhibit: dict[str, Any]) -> str:
    more = exhibit["reason"] or (exhibit["duplicate_of"] and f"the same content as {exhibit['duplicate_of']}")
    return f"{exhibit['state']}: {more}" if more else str(exhibit["state"])


def integrity(facts: dict[str, Any], width: float) -> Iterator[Flowable]:
    """What vouches for this report (rules A2, A5)."""
    found = facts["integrity"]
    yield paragraph("Audit log", SUBHEADING)
    yield said([("Entries", found["audit_entries"]), ("Head", found["audit_head"])])
    for words in found["words"]:
        yield paragraph(words)
    yield table(["what", "result"], [[one["what"], one["result"]] for one in found["checked"]], [3, 2], width)


def runs(facts: dict[str, Any], width: float) -> Iterator[Flowable]:
    """Each scan: when, with which version, model, settings, on what (rule A6)."""
    for run in facts["runs"]:
        yield paragraph(f"Run {run['run']}", HEADING)
        model = run["model"] if isinstance(run["model"], str) else (run["model"] or {}).get("name")
        rows: list[list[object]] = [
            ["began", run["started_utc"]],
            ["ended", f"{run['finished_utc'] or 'not ended'} ({run['state']})"],
            ["version", run["version"]],
            ["model", model],
            ["model SHA-256", run["model_sha256"]],
            ["settings SHA-256", run["settings_sha256"]],
            ["command line", " ".join(map(str, run["argv"] or ()))],
        ]
        for group in ("settings", "environment"):
            rows += [[f"{group}: {name}", _shown(value)] for name, value in sorted((run[group] or {}).items())]
        yield table(["what", "value"], rows, [1, 3], width)


def _shown(value: object) -> object:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in sorted(value.items()))
    return value
