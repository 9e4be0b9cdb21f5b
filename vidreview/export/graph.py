"""Nodes of a CASE/UCO graph: stable names, typed values, facets; written one after the other as JSON-LD."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from typing import Any, BinaryIO, Final

Node = dict[str, Any]

_UCO: Final = "https://ontology.unifiedcyberontology.org/uco/"
CONTEXT: Final = {
    "action": f"{_UCO}action/",
    "analysis": f"{_UCO}analysis/",
    "configuration": f"{_UCO}configuration/",
    "core": f"{_UCO}core/",
    "identity": f"{_UCO}identity/",
    "investigation": "https://ontology.caseontology.org/case/investigation/",
    "observable": f"{_UCO}observable/",
    "tool": f"{_UCO}tool/",
    "types": f"{_UCO}types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    # no place on the web: the names mean something within this document, and in others of the same case
    "kb": "urn:vidreview:kb:",
}
#: how the ontology calls algorithms
_METHODS: Final = {"sha256": "SHA256", "sha1": "SHA1", "md5": "MD5"}


class Names:
    """Names of nodes that are the same whenever the same case is exported: UUIDs of version 5."""

    def __init__(self, case: str) -> None:
        """``case`` is what tells it from all others."""
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:vidreview:case:{case}")

    def iri(self, kind: str, *key: object) -> str:
        """The name of a node by its kind and what tells it from others of that kind."""
        text = json.dumps([kind, *map(str, key)])
        return f"kb:{kind}-{uuid.uuid5(self._space, text)}"

    def facet(self, owner: str, kind: str, name: str, values: Node) -> Node:
        """A facet, or another part of a node, that has a name of its own since the ontology allows no blank nodes."""
        return {"@id": self.iri(kind, owner, name), "@type": name, **{k: v for k, v in values.items() if v is not None}}

    def hashes(self, owner: str, digests: Iterable[tuple[str, str]]) -> list[Node]:
        """Hashes of a file, from algorithms and hexadecimal digests."""
        return [
            self.facet(
                owner,
                f"hash-{method}",
                "types:Hash",
                {"types:hashMethod": _METHODS[method], "types:hashValue": hexadecimal(digest)},
            )
            for method, digest in digests
            if method in _METHODS
        ]

    def dictionary(self, owner: str, entries: Iterable[tuple[str, object]]) -> Node:
        """What the ontology has no word of its own for, as keys and values; those that are not known are left out."""
        found = [
            self.facet(owner, f"entry-{key}", "types:DictionaryEntry", {"types:key": key, "types:value": _said(value)})
            for key, value in entries
            if value is not None
        ]
        return self.facet(owner, "dictionary", "types:Dictionary", {"types:entry": found})


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def refer(iris: Iterable[str]) -> list[Node]:
    """References to nodes."""
    return [{"@id": iri} for iri in iris]


def moment(utc: str | None) -> Node | None:
    """A time in UTC."""
    return None if utc is None else {"@type": "xsd:dateTime", "@value": utc}


def hexadecimal(digest: str) -> Node:
    """A digest."""
    return {"@type": "xsd:hexBinary", "@value": digest}


def decimal(value: float) -> Node:
    """A number that is written out."""
    return {"@type": "xsd:decimal", "@value": f"{value:.6f}".rstrip("0").rstrip(".") or "0"}


class Graph:
    """A JSON-LD document that is being written, a line for each node."""

    def __init__(self, file: BinaryIO) -> None:
        """Write into ``file``; ``end`` closes the document."""
        self._file = file
        self.counts: dict[str, int] = {}
        context = json.dumps(CONTEXT, indent=1)
        file.write(f'{{"@context": {context},\n"@graph": ['.encode())

    def add(self, what: str, node: Node) -> None:
        """Append a node and count it; what is None, or an empty list, is left out."""
        first = not self.counts
        self.counts[what] = self.counts.get(what, 0) + 1
        kept = {name: value for name, value in node.items() if value is not None and value != []}
        text = json.dumps(kept, separators=(",", ":"))
        self._file.write((("\n" if first else ",\n") + text).encode("ascii"))

    def end(self) -> None:
        """Close the document."""
        self._file.write(b"\n]}\n")
