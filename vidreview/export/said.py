"""What is said of exhibits and events, as annotations of a CASE/UCO graph: reviews, clocks, coverage, problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vidreview.clocks import offset_words
from vidreview.export.graph import Graph, Names, Node, moment, refer
from vidreview.export.tables import TABLES, Contents


def add_annotations(
    graph: Graph, names: Names, contents: Contents, by_content: Mapping[str, int], person: Callable[[str], str]
) -> None:
    """Write them all; ``by_content`` has the number of each exhibit by its SHA-256, ``person`` the node of a name."""
    _add_reviews(graph, names, contents, by_content, person)
    _add_clocks(graph, names, contents, by_content, person)
    _add_coverage(graph, names, contents)


def _note(iri: str, about: list[str], statements: list[str], tag: str, **more: Any) -> Node:
    return {
        "@id": iri,
        "@type": "core:Annotation",
        "core:object": refer(about),
        "core:statement": statements,
        "core:tag": tag,
        "core:createdBy": {"@id": more["by"]} if more.get("by") else None,
        "core:objectCreatedTime": moment(more.get("utc")),
        "core:description": more.get("description"),
    }


def _add_reviews(
    graph: Graph, names: Names, contents: Contents, by_content: Mapping[str, int], person: Callable[[str], str]
) -> None:
    """A person's decision about an event; of an event that is not there any more, about its exhibit (rule E5)."""
    there = {row[0] for row in contents.reader.select("SELECT number FROM events WHERE number IS NOT NULL")}
    for item in TABLES["reviews"].objects(contents):
        number = int(item["event"][1:])
        exhibit = by_content.get(item["exhibit_sha256"] or "")
        if number in there:
            about = [names.iri("event", item["event"])]
        elif exhibit is not None:
            about = [names.iri("file", "exhibit", exhibit)]
        else:
            about = [names.iri("investigation")]
        now = item["now"] if item["now"] != "replaced" else f"replaced: now {item['event_now']}"
        words = f"review of {item['event']}; the event is: {now}; " + (
            "this review counts" if item["counts"] else "a later review counts"
        )
        statements = [f"{item['event']} is {item['state']}", *([item["note"]] if item["note"] else [])]
        iri = names.iri("annotation", "review", item["review"])
        by, utc = person(item["by"]), item["utc"]
        graph.add("reviews", _note(iri, about, statements, "review", by=by, utc=utc, description=words))


def _add_clocks(
    graph: Graph, names: Names, contents: Contents, by_content: Mapping[str, int], person: Callable[[str], str]
) -> None:
    """What a person observed of a recorder's clock (rule B3), and the offset that follows from it."""
    observed: dict[str, list[str]] = {}
    for one in contents.clocks.observations:
        item = one.to_json()
        numbers = {by_content.get(exhibit["exhibit_sha256"] or "") for exhibit in item["exhibits"]} - {None}
        about = [names.iri("file", "exhibit", number) for number in sorted(n for n in numbers if n is not None)]
        observed[one.name] = about
        words = f"{one.name}: recorder showed {item['shown']}"
        words += "" if item["at_s"] is None else f" at {item['at_s']:.3f} s of the stream"
        words += "" if item["reference"] is None else f" when {item['source']} showed {item['reference']}"
        words += f", bound {item['uncertainty_s']:g} s"
        words += "" if item["zone"] is None else f", zone {item['zone']}"
        state = "withdrawn; it does not count" if item["withdrawn"] else "valid"
        iri = names.iri("annotation", "clock", one.name)
        by, utc = person(item["by"]), item["recorded_utc"]
        about = about or [names.iri("investigation")]
        graph.add("clock observations", _note(iri, about, [words], "clock", by=by, utc=utc, description=state))
    for recorder in contents.clocks.recorders:
        for offset in recorder.correction.offsets:
            about = sorted({iri for name in offset.names for iri in observed.get(name, ())})
            words = f"{offset_words(offset)} (bound {offset.uncertainty / 1e6:g} s, against {offset.source})"
            iri = names.iri("annotation", "offset", *offset.names)
            graph.add("clock offsets", _note(iri, about or [names.iri("investigation")], [words], "clock offset"))


def _add_coverage(graph: Graph, names: Names, contents: Contents) -> None:
    """What was looked at and what was not (rules C3, E2): an event that is not there says nothing without it."""
    for item in TABLES["coverage"].objects(contents):
        if item["stream"] is None:
            continue
        words = (
            f"Coverage of stream {item['stream']}, {item['duration_s']:.3f} s: analysed {item['analysed_s']:.3f} s, "
            f"undecodable {item['undecodable_s']:.3f} s, gap {item['gap_s']:.3f} s, not requested "
            f"{item['not_requested_s']:.3f} s; frames decoded {item['frames_decoded']}, damaged "
            f"{item['frames_damaged']}, missing {item['frames_missing']}"
        )
        iri = names.iri("annotation", "coverage", item["exhibit_number"], item["stream"])
        graph.add("coverage", _note(iri, [names.iri("file", "exhibit", item["exhibit_number"])], [words], "coverage"))
    for number, item in enumerate(TABLES["problems"].objects(contents)):
        where = "" if item["stream"] is None else f"stream {item['stream']}: "
        place = "" if item["at_s"] is None else f" (at {item['at_s']:.3f} s)"
        iri = names.iri("annotation", "problem", number)
        about = [names.iri("file", "exhibit", item["exhibit_number"])]
        graph.add("problems", _note(iri, about, [f"{where}{item['reason']}{place}"], f"problem: {item['kind']}"))
