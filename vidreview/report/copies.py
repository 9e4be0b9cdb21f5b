"""Evidential copies and viewing copies of events for a report; those that the case has already are used again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vidreview import clips
from vidreview.clips import ClipRequest, PacketIndex, Parent, StillRequest
from vidreview.derive import clip_request, origin, still_request
from vidreview.errors import EvidenceError, MediaError
from vidreview.media.source import Source
from vidreview.report.folder import Folder, hash_regular, safe_path, share
from vidreview.report.media import Made, Subject

#: what the audit log says of derived files of the case: path → facts
Derived = Mapping[str, Mapping[str, Any]]

_LARGEST: Final = 256 << 20


def add_copies(
    made: Made, subject: Subject, parent: Parent, index: PacketIndex, folder: Folder, derived: Derived, command: str
) -> None:
    """Clip by stream copy, lossless still and viewing copy of one event, each on its own: one that fails costs itself.

    Raises CaseError when the report cannot be written.
    """
    copies = _Copies(made, subject, parent, index, folder, derived, origin(command, subject.place.stream.exhibit))
    for add in (copies.add_clip, copies.add_still, copies.add_view):
        try:
            add()
        except (MediaError, EvidenceError) as error:
            made.fail(error)


@dataclass(frozen=True, slots=True)
class _Copies:
    """What the copies of one event are made of, and where they go."""

    made: Made
    subject: Subject
    parent: Parent
    index: PacketIndex
    folder: Folder
    derived: Derived
    #: what each record says of its making
    said: dict[str, Any]

    def add_clip(self) -> None:
        request = clip_request(self.subject.place)
        document = self._taken(f"clips/{request.name}_copy", lambda one: _is_copy(one, request, self.parent))
        if document is None:
            evidence = self.folder.part / "evidence"
            record = clips.cut(Source, self.parent, request, evidence, index=self.index, origin=self.said)
            self._add(record.path, record.sha256)
            self._add(record.manifest, record.manifest_sha256)
            document = record.document
        self.made.media["copy"] = {
            "src": f"evidence/{document['clip']['file']}",
            "sha256": document["clip"]["sha256"],
            "packets": document["clip"]["packets_compared"],
            "start_s": document["delivered"]["start_s"],
            "end_s": document["delivered"]["end_s"],
        }

    def add_still(self) -> None:
        request = still_request(self.subject.place)
        document = self._taken(f"stills/{request.name}", lambda one: _is_still(one, request, self.parent))
        if document is None:
            evidence = self.folder.part / "evidence"
            record = clips.still(Source, self.parent, request, evidence, index=self.index, origin=self.said)
            self._add(record.path, record.sha256)
            self._add(record.manifest, record.manifest_sha256)
            if record.display is not None and record.display_sha256 is not None:
                self._add(record.display, record.display_sha256)
            document = record.document
        if self.made.media.get("still"):
            still = document["still"]
            self.made.media["still"] |= {"evidence": f"evidence/{still['file']}", "sha256": still["sha256"]}

    def add_view(self) -> None:
        request, folder = clip_request(self.subject.place), self.folder.part / "view"
        record = clips.view(Source, self.parent, request, folder, index=self.index, origin=self.said)
        self._add(record.path, record.sha256)
        self._add(record.manifest, record.manifest_sha256)
        delivered = record.document["delivered"]
        self.made.media["clip"] = {
            "src": f"view/{record.path.name}",
            "type": "video/mp4",
            "start_s": delivered["start_s"],
            "end_s": delivered["end_s"],
        }

    def _add(self, path: Path, sha256: str) -> None:
        self.made.files[path.relative_to(self.folder.part).as_posix()] = sha256

    def _taken(self, stem: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
        """What the case has already derived, its files now in the report too; None when it has not, or they changed."""
        case, derived = self.folder.case, self.derived
        document = _document(case / f"{stem}.json", derived.get(f"{stem}.json"))
        if document is None or not fits(document):
            return None
        top = stem.partition("/")[0]
        parts = [document[key] for key in ("clip", "still", "display") if document.get(key)]
        wanted = {f"{stem}.json": derived[f"{stem}.json"]["sha256"]}
        for part in parts:
            path = f"{top}/{part['file']}"
            if not safe_path(path) or derived.get(path, {}).get("sha256") != part["sha256"]:
                return None
            wanted[path] = part["sha256"]
        if any(hash_regular(case / path) != sha256 for path, sha256 in wanted.items()):
            return None
        for path, sha256 in wanted.items():
            target = f"evidence/{Path(path).name}"
            share(case / path, self.folder.part / target)
            self.made.files[target] = sha256
        return document


def _document(path: Path, facts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The record beside a derived file, None when it is not the one that the audit log knows."""
    if facts is None or hash_regular(path) != facts.get("sha256") or path.stat().st_size > _LARGEST:
        return None
    document = json.loads(path.read_bytes())
    return document if isinstance(document, dict) else None


def _is_copy(document: dict[str, Any], request: ClipRequest, parent: Parent) -> bool:
    """Whether a clip is of just this event, without anything before or after."""
    wanted = {"start_pts": request.start_pts, "end_pts": request.end_pts, "before_s": 0.0, "after_s": 0.0}
    said = document.get("requested", {})
    return (
        document.get("kind") == "clip"
        and document["exhibit"]["sha256"] == parent.sha256
        and document["stream"]["index"] == request.stream
        and all(said.get(key) == value for key, value in wanted.items())
    )


def _is_still(document: dict[str, Any], request: StillRequest, parent: Parent) -> bool:
    return (
        document.get("kind") == "still"
        and document["exhibit"]["sha256"] == parent.sha256
        and document["stream"]["index"] == request.stream
        and document["frame"]["pts"] == request.pts
    )
