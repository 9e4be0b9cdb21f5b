"""The case as CASE/UCO JSON-LD: exhibits, scans, events, derived files, and what people said, for other tools to read.

Which class of the ontology stands for what is in docs/export.md. Tracks and raw detections are not in it: they are in
the other formats.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Final

from vidreview.audit import FIRST, AuditLog
from vidreview.export.facts import Facts
from vidreview.export.graph import Graph, Names, Node, decimal, moment, refer
from vidreview.export.said import add_annotations
from vidreview.export.tables import TABLES, Contents
from vidreview.index.rows import event_name, storable

#: of an event, in its dictionary, beside what the ontology has words for
_ATTRIBUTES: Final = (
    *("event", "exhibit_sha256", "stream", "label", "start_pts", "end_pts", "time_base", "start_s", "end_s", "peak_s"),
    *("start_shown", "end_shown", "shown_uncertainty_s", "start_corrected", "end_corrected", "corrected_uncertainty_s"),
    *("utc_candidates", "utc_uncertainty_s", "time_source", "max_count", "tracks", "score", "provisional"),
    *("review", "review_by", "review_utc", "review_note"),
)
_RUN_STATUS: Final = {"done": "Complete/Finish", "failed": "Fail", "interrupted": "Error", "running": "Ongoing"}


def write_case(contents: Contents, facts: Facts, file: BinaryIO) -> dict[str, int]:
    """Write the graph; how many nodes of each kind it has."""
    writer = _Writer(contents, facts, file)
    writer.write()
    return writer.graph.counts


class _Writer:
    def __init__(self, contents: Contents, facts: Facts, file: BinaryIO) -> None:
        self.contents, self.facts = contents, facts
        self.log = AuditLog(contents.reader.folder / "audit.jsonl")
        # the log's first entry has no other case's hash
        self.names = Names(next((str(entry["hash"]) for entry in self.log.entries()), FIRST))
        self.graph = Graph(file)
        self._people: set[str] = set()
        #: by number, in order
        self.exhibits = list(TABLES["exhibits"].objects(contents))
        #: content → number of the exhibit that was scanned
        self.by_content = {
            one["sha256"]: one["exhibit_number"]
            for one in reversed(self.exhibits)
            if one["sha256"] is not None and one["state"] != "duplicate"
        }

    def write(self) -> None:
        runs = list(TABLES["runs"].objects(self.contents))
        self._investigation(runs)
        tool = self._tool()
        for exhibit in self.exhibits:
            self._exhibit(exhibit)
        found = self._events()
        for run in runs:
            self._run(run, tool, found)
        self._derived(tool, found)
        add_annotations(self.graph, self.names, self.contents, self.by_content, self.person)
        self.graph.end()

    def file(self, number: int) -> str:
        """The node of an exhibit's file."""
        return self.names.iri("file", "exhibit", number)

    def record(self, number: int) -> str:
        """The node that ties an exhibit's file to the seizure record."""
        return self.names.iri("provenance-record", "exhibit", number)

    def results(self, number: int) -> str:
        """The node that holds together what was found in an exhibit."""
        return self.names.iri("provenance-record", "results", number)

    def person(self, name: str) -> str:
        """The node of a person, written when first met: the name is all that is known."""
        return self._identity("identity:Person", "person", name)

    def _identity(self, kind: str, what: str, name: str) -> str:
        iri = self.names.iri(what, name)
        if iri not in self._people:
            self._people.add(iri)
            self.graph.add("identities", {"@id": iri, "@type": kind, "core:name": name})
        return iri

    def _investigation(self, runs: list[dict[str, Any]]) -> None:
        facts = self.facts
        reasons = sorted({run["reason"] for run in runs if run["reason"]})
        head = f"Audit log of the case: {facts.audit_entries} entries, head {facts.audit_head}."
        made = (
            f"Exported by {facts.tool} at {facts.made_utc}. Exhibits that could not be read: {facts.exhibits_unread}."
        )
        members = [self.record(one["exhibit_number"]) for one in self.exhibits]
        members += [self.names.iri("investigative-action", "run", run["run"]) for run in runs]
        self.graph.add(
            "investigations",
            {
                "@id": self.names.iri("investigation"),
                "@type": "investigation:Investigation",
                "core:name": facts.case,
                "core:description": [facts.leads, head, made, *([facts.unfinished] if facts.unfinished else [])],
                "investigation:investigationForm": "case",
                "investigation:focus": reasons,
                "core:object": refer(members),
            },
        )

    def _tool(self) -> str:
        tool = self.names.iri("tool", "vidreview")
        kind = "forensic review of video: motion gate, detector, tracker; its results are leads"
        node = {"@id": tool, "@type": "tool:Tool", "core:name": "vidreview", "tool:toolType": kind}
        self.graph.add("tools", node)
        return tool

    # ---- exhibits

    def _exhibit(self, exhibit: dict[str, Any]) -> None:
        number, name = exhibit["exhibit_number"], exhibit["exhibit"]
        iri, image = self.file(number), exhibit["state"] == "image"
        digests = [] if exhibit["sha256"] is None else [("sha256", exhibit["sha256"])]
        digests += sorted(json.loads(exhibit["other_hashes"] or "{}").items())
        about = [f"state of its scan: {exhibit['state']}"]
        about += [f"not fully read: {exhibit['reason']}"] if exhibit["reason"] else []
        facets = [self._file_facet(iri, PurePosixPath(name).name or name, exhibit["path"], exhibit["size_bytes"])]
        if digests:
            facets.append(self._content_facet(iri, digests, exhibit["size_bytes"]))
        kinds = ["observable:File", "observable:Image"] if image else "observable:File"
        node = {"@id": iri, "@type": kinds, "core:name": name, "core:description": about, "core:hasFacet": facets}
        self.graph.add("exhibits", node)
        self.graph.add(
            "provenance records",
            {
                "@id": self.record(number),
                "@type": "investigation:ProvenanceRecord",
                "core:name": f"exhibit {name}",
                "investigation:exhibitNumber": exhibit["reference"],
                "core:object": refer([iri]),
            },
        )
        if exhibit["duplicate_of"] is not None:
            self._related(iri, self.file(exhibit["duplicate_of"]), "Related_To", "the same content")

    def _file_facet(self, owner: str, name: str, path: str, size: int | None) -> Node:
        values = {"observable:fileName": name, "observable:filePath": path, "observable:sizeInBytes": size}
        return self.names.facet(owner, "file-facet", "observable:FileFacet", values | {"observable:isDirectory": False})

    def _content_facet(self, owner: str, digests: list[tuple[str, str]], size: int | None) -> Node:
        values = {"observable:hash": self.names.hashes(owner, digests), "observable:sizeInBytes": size}
        return self.names.facet(owner, "content-data-facet", "observable:ContentDataFacet", values)

    def _related(self, source: str, target: str, kind: str, words: str, observables: bool = True) -> None:
        self.graph.add(
            "relationships",
            {
                "@id": self.names.iri("relationship", source, target, kind),
                "@type": "observable:ObservableRelationship" if observables else "core:Relationship",
                "core:description": words,
                "core:source": {"@id": source},
                "core:target": {"@id": target},
                "core:kindOfRelationship": kind,
                "core:isDirectional": True,
            },
        )

    # ---- what was found

    def _events(self) -> dict[int, list[str]]:
        """Write the events; number of an exhibit → the nodes of its events."""
        found: dict[int, list[str]] = {}
        for item in TABLES["events"].objects(self.contents):
            number = self.by_content.get(item["exhibit_sha256"], 0)
            iri = self.names.iri("event", item["event"])
            found.setdefault(number, []).append(iri)
            words = f"Lead: {item['label']} in view in {item['exhibit']} stream {item['stream']}"
            node: Node = {
                "@id": iri,
                "@type": "core:Event",
                "core:name": item["event"],
                "core:description": f"{words} from {item['start_s']:.3f} s to {item['end_s']:.3f} s",
                "core:eventType": item["class"],
                "core:startTime": moment(item["start_utc"]),
                "core:endTime": moment(item["end_utc"]),
                "core:eventContext": refer([self.file(number)] if number else []),
                "core:eventAttribute": self.names.dictionary(iri, ((name, item[name]) for name in _ATTRIBUTES)),
                "core:hasFacet": self._classified(iri, item),
            }
            self.graph.add("events", node)
        for number, events in found.items():
            name = f"events found in {self.contents.exhibits[number][0]}" if number else "events of other exhibits"
            node = {"@id": self.results(number), "@type": "investigation:ProvenanceRecord", "core:name": name}
            self.graph.add("provenance records", node | {"core:object": refer(events)})
        return found

    def _classified(self, owner: str, item: dict[str, Any]) -> list[Node]:
        """What the detector called it, and its mean score; of what it did not name there is none."""
        if item["class"] == "motion":
            return []
        values: Node = {"analysis:class": [item["class"]]}
        if item["label"] != item["class"]:
            values["analysis:class"].append(item["label"])
        if item["score"] is not None:
            values["analysis:classificationConfidence"] = decimal(item["score"])
        said = self.names.facet(owner, "classification", "analysis:ArtifactClassification", values)
        kind = "analysis:ArtifactClassificationResultFacet"
        return [self.names.facet(owner, "classification-facet", kind, {"analysis:classification": [said]})]

    def _run(self, run: dict[str, Any], tool: str, found: dict[int, list[str]]) -> None:
        number = run["run"]
        scanned = [one["exhibit_number"] for one in self.exhibits if one["run"] == number]
        instruments = [self._configured(run, tool)]
        if run["model_sha256"]:
            instruments.append(self._model(run))
        performer = self.person(run["operator"]) if run["operator"] else None
        organisation = run["organisation"]
        taking_part = [self._identity("identity:Organization", "organization", organisation)] if organisation else []
        if performer is None and taking_part:
            performer = taking_part[0]
        self.graph.add(
            "investigative actions",
            {
                "@id": self.names.iri("investigative-action", "run", number),
                "@type": "investigation:InvestigativeAction",
                "core:name": f"vidreview scan, run {number}",
                "core:description": [f"state: {run['state']}", *([run["reason"]] if run["reason"] else [])],
                "action:actionStatus": _RUN_STATUS.get(run["state"], "Unknown"),
                "action:startTime": moment(run["started_utc"]),
                "action:endTime": moment(run["finished_utc"]),
                "action:performer": performer and {"@id": performer},
                "action:participant": refer(taking_part),
                "action:instrument": refer(instruments),
                "action:object": refer(self.record(one) for one in scanned),
                "action:result": refer(self.results(one) for one in scanned if one in found),
            },
        )

    def _configured(self, run: dict[str, Any], tool: str) -> str:
        """The tool as this run used it: version, settings, environment, command line (rule A6)."""
        iri = self.names.iri("configured-tool", run["run"])
        configuration = self.names.iri("configuration", run["run"])
        entries = [
            self.names.facet(
                configuration,
                f"configuration-entry-{name}",
                "configuration:ConfigurationEntry",
                {"configuration:itemName": name, "configuration:itemValue": value},
            )
            for name, value in _settings(run)
        ]
        node: Node = {"@id": configuration, "@type": "configuration:Configuration"}
        self.graph.add("configurations", node | {"configuration:configurationEntry": entries})
        self.graph.add(
            "tools",
            {
                "@id": iri,
                "@type": "tool:ConfiguredTool",
                "core:name": "vidreview",
                "tool:version": run["version"],
                "configuration:isConfigurationOf": {"@id": tool},
                "configuration:usesConfiguration": {"@id": configuration},
            },
        )
        return iri

    def _model(self, run: dict[str, Any]) -> str:
        """The detector's weights, an instrument of the run."""
        iri = self.names.iri("file", "model", run["model_sha256"])
        if iri not in self._people:
            self._people.add(iri)
            facet = self._content_facet(iri, [("sha256", run["model_sha256"])], None)
            name = f"detector weights: {run['model'] or 'unnamed'}"
            self.graph.add(
                "models", {"@id": iri, "@type": "observable:File", "core:name": name, "core:hasFacet": [facet]}
            )
        return iri

    # ---- derived files

    def _derived(self, tool: str, found: dict[int, list[str]]) -> None:
        """Clips, stills and their records, as the audit log has them (rule A3): what is derived from an exhibit."""
        latest = {}
        for entry in self.log.entries():
            facts = entry["facts"]
            if entry["action"] == "derived" and facts.get("parent_sha256") in self.by_content:
                latest[str(facts["path"])] = entry
        events = {iri for one in found.values() for iri in one}
        for path, entry in latest.items():
            facts = entry["facts"]
            iri, parent = self.names.iri("file", "derived", path), self.file(self.by_content[facts["parent_sha256"]])
            name = storable(PurePosixPath(path).name)[0]
            facets = [
                self._file_facet(iri, name, storable(path)[0], None),
                self._content_facet(iri, [("sha256", str(facts["sha256"]))], None),
            ]
            self.graph.add(
                "derived files", {"@id": iri, "@type": "observable:File", "core:name": name, "core:hasFacet": facets}
            )
            self.graph.add(
                "investigative actions",
                {
                    "@id": self.names.iri("investigative-action", "derived", path),
                    "@type": "investigation:InvestigativeAction",
                    "core:name": storable(str(facts["command"]))[0],
                    "action:endTime": moment(str(entry["utc"])),
                    "action:instrument": refer([tool]),
                    "action:object": refer([parent]),
                    "action:result": refer([iri]),
                },
            )
            self._related(iri, parent, "Extracted_From", "derived from the exhibit")
            event = self.names.iri("event", _event_of(name))
            if event in events:
                self._related(iri, event, "Related_To", "shows the event", observables=False)


def _event_of(name: str) -> str | None:
    """The event that a derived file is named after."""
    digits = name[1:].partition(".")[0].partition("_")[0]
    return event_name(int(digits)) if name[:1] == "E" and digits.isascii() and digits.isdigit() else None


def _settings(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of what a run was set to and ran on."""
    record = json.loads(run["record"])
    for name in sorted(record):
        value = record[name]
        if isinstance(value, dict):
            for inner in sorted(value):
                yield f"{name}.{storable(inner)[0]}", _plain(value[inner])
        elif value is not None:
            yield storable(name)[0], _plain(value)


def _plain(value: Any) -> str:
    return storable(value)[0] if isinstance(value, str) else json.dumps(value)
