"""Evidential copies and viewing copies of events for a report; those that the case has already are used again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vidreview import clips
from vidreview.clips import ClipRequest, PacketIndex, Parent, StillRequest
from vidreview.derive import clip_request, origin
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
    said = origin(command, subject.place.stream.exhibit)
    for make in (_copy, _still, _view):
        try:
            make(made, subject, parent, index, folder, derived, said)
        except (MediaError, EvidenceError) as error:
            made.fail(error)


def _copy(
    made: Made,
    subject: Subject,
    parent: Parent,
    index: PacketIndex,
    folder: Folder,
    derived: Derived,
    said: dict[str, Any],
) -> None:
    request = clip_request(subject.place)
    document = _taken(made, folder, derived, f"clips/{request.name}_copy", lambda one: _is_copy(one, request, parent))
    if document is None:
        record = clips.cut(Source, parent, request, folder.part / "evidence", index=index, origin=said)
        _add(made, folder, record.path, record.sha256)
        _add(made, folder, record.manifest, record.manifest_sha256)
        document = record.document
    made.media["copy"] = {
        "src": f"evidence/{document['clip']['file']}",
        "sha256": document["clip"]["sha256"],
        "packets": document["clip"]["packets_compared"],
        "start_s": document["delivered"]["start_s"],
        "end_s": document["delivered"]["end_s"],
    }


def _still(
    made: Made,
    subject: Subject,
    parent: Parent,
    index: PacketIndex,
    folder: Folder,
    derived: Derived,
    said: dict[str, Any],
) -> None:
    place = subject.place
    looks: dict[str, Any] = {"rotation": place.stream.rotation, "sample_aspect": place.stream.sample_aspect}
    request = StillRequest(
        subject.name,
        place.stream.index,
        place.peak_pts,
        place.peak_s,
        place.peak_frame,
        timed=place.stream.timed,
        **looks,
    )
    document = _taken(made, folder, derived, f"stills/{request.name}", lambda one: _is_still(one, request, parent))
    if document is None:
        record = clips.still(Source, parent, request, folder.part / "evidence", index=index, origin=said)
        _add(made, folder, record.path, record.sha256)
        _add(made, folder, record.manifest, record.manifest_sha256)
        if record.display is not None and record.display_sha256 is not None:
            _add(made, folder, record.display, record.display_sha256)
        document = record.document
    if made.media.get("still"):
        still = document["still"]
        made.media["still"] |= {"evidence": f"evidence/{still['file']}", "sha256": still["sha256"]}


def _view(
    made: Made,
    subject: Subject,
    parent: Parent,
    index: PacketIndex,
    folder: Folder,
    derived: Derived,
    said: dict[str, Any],
) -> None:
    request = clip_request(subject.place)
    record = clips.view(Source, parent, request, folder.part / "view", index=index, origin=said)
    _add(made, folder, record.path, record.sha256)
    _add(made, folder, record.manifest, record.manifest_sha256)
    delivered = record.document["delivered"]
    made.media["clip"] = {
        "src": f"view/{record.path.name}",
        "type": "video/mp4",
        "start_s": delivered["start_s"],
        "end_s": delivered["end_s"],
    }


def _add(made: Made, folder: Folder, path: Path, sha256: str) -> None:
    made.files[path.relative_to(folder.part).as_posix()] = sha256


def _taken(made: Made, folder: Folder, derived: Derived, stem: str, fits: Any) -> dict[str, Any] | None:
    """What the case has already derived, its files now in the report too; None when it has not, or they are changed."""
    case = folder.case
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
        share(case / path, folder.part / target)
        made.files[target] = sha256
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
