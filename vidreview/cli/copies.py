"""What ``clip`` makes of one event: the evidential clip, or copies of it for viewing, annotated, redacted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import clock, safe
from vidreview.errors import ModelError, UsageError

if TYPE_CHECKING:
    from vidreview.clips import ClipRecord, ClipRequest, Parent
    from vidreview.clips.courses import Course
    from vidreview.clips.redact import Redaction
    from vidreview.clips.viewing import Prepared
    from vidreview.derive import Batch
    from vidreview.index.objects import Objects
    from vidreview.index.query import EventPlace, Reader


@dataclass
class Kinds:
    """Which copies are asked for, and how."""

    viewing: bool = False
    annotated: bool = False
    #: "persons", "vehicles" or "all"
    redact: str | None = None
    #: tracks that stay, as they were typed
    keep: tuple[str, ...] = ()
    redact_with: str = "fill"
    spare_motion: bool = False

    def check(self, reader: Reader) -> None:
        """Raises UsageError for options that go with --redact only, and for a track that is not in the case."""
        if self.redact is None and (self.keep or self.spare_motion or self.redact_with != "fill"):
            raise UsageError("--keep, --redact-with and --spare-motion go with --redact persons, vehicles or all")
        from vidreview.index.rows import track_name

        for number in self.kept:
            if not reader.track_points(number):
                raise UsageError(f"the case has no track {track_name(number)}; see 'vidreview tracks'")

    @property
    def kept(self) -> list[int]:
        """Numbers of the tracks that stay."""
        numbers = []
        for text in self.keep:
            match = re.fullmatch(r"[Tt]?0*(\d{1,15})", text)
            if not match:
                raise UsageError(f"{safe(text)!r} is not a track; tracks are written T0012, see 'vidreview tracks'")
            numbers.append(int(match.group(1)))
        return numbers

    @property
    def copies(self) -> bool:
        """True when anything is re-encoded."""
        return self.viewing or self.annotated or self.redact is not None

    @property
    def clean(self) -> bool:
        """True when the evidential clip is cut: without other wishes, and beside whatever is annotated (rule D5)."""
        return self.annotated or not self.copies

    def command(self, name: str, before: float, after: float) -> str:
        """The command line that makes these again."""
        from vidreview.index.rows import track_name

        words = ["--viewing"] * self.viewing + ["--annotated"] * self.annotated
        if self.redact is not None:
            words += ["--redact", self.redact, *(f"--keep {track_name(number)}" for number in self.kept)]
            words += [f"--redact-with {self.redact_with}"] + ["--spare-motion"] * self.spare_motion
        return " ".join(["vidreview", "clip", name, *words, f"--before {before:g} --after {after:g}"])

    @cached_property
    def detector(self) -> tuple[Callable[[Any], Any] | None, str, str]:
        """How the detector looks at a picture, its name and hash; or None, and why there is none."""
        from vidreview.detect.factory import load_detector
        from vidreview.model import LABELS
        from vidreview.settings import ScanSettings

        try:
            detector = load_detector(None, ScanSettings())
        except ModelError as error:
            return None, "", str(error)

        def look(picture: Any) -> list[tuple[float, tuple[float, float, float, float], str]]:
            seen = detector.detect([picture])[0]
            return [
                (float(score), (float(box[0]), float(box[1]), float(box[2]), float(box[3])), LABELS[int(label)])
                for box, score, label in zip(seen.boxes, seen.scores, seen.labels, strict=True)
            ]

        return look, f"{detector.name}, SHA-256 {detector.sha256}", ""


def make(
    batch: Batch, parent: Parent, place: EventPlace, kinds: Kinds, before: float, after: float
) -> Iterator[dict[str, Any]]:
    """Write what is asked for of one event, the clean files first; what each one's manifest says, once it is logged."""
    with batch.alone("clips") as folder:
        yield from _make(batch, folder, parent, place, kinds, before, after)


def _make(
    batch: Batch, folder: Path, parent: Parent, place: EventPlace, kinds: Kinds, before: float, after: float
) -> Iterator[dict[str, Any]]:
    from vidreview.clips import cut, view
    from vidreview.clips.viewing import prepare_copy
    from vidreview.derive import clip_request, origin
    from vidreview.media.source import Source

    request = clip_request(place, before, after)
    how = kinds.command(request.name, before, after)
    said = origin(how, place.stream.exhibit)
    index = batch.index(parent, place.stream)

    def logged(clip: ClipRecord) -> dict[str, Any]:
        return _log(batch, parent, request, clip, how)

    if kinds.clean:
        yield logged(cut(Source, parent, request, folder, index=index, origin=said))
    if not kinds.copies:
        return
    batch.progress(f"encoding {request.name}, {request.end_s - request.start_s + before + after:.1f} s")
    ready = prepare_copy(Source, parent, request, index)
    if kinds.viewing or kinds.annotated:
        yield logged(view(Source, parent, request, folder, prepared=ready, origin=said))
    if kinds.annotated:
        yield logged(_annotated(batch.case, ready, place, folder, said))
    if kinds.redact is not None:
        yield logged(_redacted(batch.case, ready, place, kinds, folder, said))


def _annotated(case: Path, ready: Prepared, place: EventPlace, folder: Path, said: dict[str, Any]) -> ClipRecord:
    from vidreview.clips.annotate import Annotation, annotate
    from vidreview.index.query import Reader
    from vidreview.index.rows import track_name

    with Reader.open(case) as reader:
        seen = _seen(reader, ready, place)
        clocks = reader.clocks()

        def stamp(seconds: float) -> str:
            times = clocks.times(place.stream.row, seconds, seconds)
            if times["start_shown"] is None:
                return ""
            return f"displayed {times['start_shown'].replace('T', ' ')} ± {times['shown_uncertainty_s']:g} s"

        members = frozenset(track_name(one.number) for one in seen.tracks if place.number in one.events)
        return annotate(ready, Annotation(_courses(seen), members, stamp), folder, origin=said)


def _redacted(
    case: Path, ready: Prepared, place: EventPlace, kinds: Kinds, folder: Path, said: dict[str, Any]
) -> ClipRecord:
    from vidreview.clips.cover import sightings_of
    from vidreview.clips.redact import redact
    from vidreview.index.query import Reader

    with Reader.open(case) as reader:
        seen = _seen(reader, ready, place)
    sightings = sightings_of(((one.seconds, one.box, one.score, one.label) for one in seen.detections), seen.looks)
    return redact(ready, _courses(seen), list(sightings), _redaction(kinds), folder, origin=said)


def _redaction(kinds: Kinds) -> Redaction:
    from vidreview.clips.cover import Wanted
    from vidreview.clips.redact import Redaction
    from vidreview.index.rows import track_name

    look, name, why_not = kinds.detector
    keep = frozenset(track_name(number) for number in kinds.kept)
    wanted = Wanted(kinds.redact, keep, not kinds.spare_motion)  # type: ignore[arg-type]  # click knows the choices
    return Redaction(wanted, kinds.redact_with, look, why_not, name)  # type: ignore[arg-type]


def _seen(reader: Reader, ready: Prepared, place: EventPlace) -> Objects:
    return reader.objects(place.stream, ready.seconds(0), ready.seconds(len(ready.stretch) - 1))


def _courses(seen: Objects) -> list[Course]:
    from vidreview.clips.courses import Course, CoursePoint
    from vidreview.index.rows import track_name

    return [
        Course(
            track_name(one.number),
            one.event_class,
            one.label,
            one.score,
            one.dropped,
            [CoursePoint(p.frame, p.pts, p.seconds, p.box, p.source) for p in one.points],  # type: ignore[arg-type]
        )
        for one in seen.tracks
        if one.points
    ]


def _log(batch: Batch, parent: Parent, request: ClipRequest, clip: ClipRecord, how: str) -> dict[str, Any]:
    """Enter clip and manifest in the log; what the manifest says, short of its long tables."""
    facts = {"start_pts": request.start_pts, "end_pts": request.end_pts}
    for path, sha256 in ((clip.path, clip.sha256), (clip.manifest, clip.manifest_sha256)):
        batch.record(path, sha256, parent, how, event=request.name, stream=request.stream, **facts)
    short = {name: value for name, value in clip.document.items() if name not in ("packets", "frames")}
    if "redaction" in short:
        intervals = [{k: v for k, v in one.items() if k != "boxes"} for one in short["redaction"]["intervals"]]
        short["redaction"] = short["redaction"] | {"intervals": intervals}
    return short


def show(document: dict[str, Any], verbose: bool) -> None:
    """One file for people: what it is, from when to when, what to beware of."""
    delivered, clip = document["delivered"], document["clip"]
    span = f"{clock(delivered['start_s'])} to {clock(delivered['end_s'])}"
    if "packets_compared" in clip:
        held = f"{clip['packets_compared']} packets, each as in the exhibit"
    else:
        held = f"{clip['pictures_compared']} frames, {document['kind']}"
    click.echo(f"clips/{clip['file']}  {safe(document['exhibit']['name'])}  {span}  {held}")
    for note in document["notes"]:
        click.echo(f"  {note}")
    if "redaction" in document:
        _show_redaction(document)
    if verbose:
        for refused in document.get("containers_refused", ()):
            click.echo(f"  not {refused}")
        for said in (document.get("timestamps"), *document.get("geometry", {}).get("said", ())):
            click.echo(f"  {said}")


def _show_redaction(document: dict[str, Any]) -> None:
    redaction, check = document["redaction"], document["check"]
    kept = ", ".join(redaction["kept_tracks"]) or "none"
    click.echo(f"  {redaction['covered']} covered: {len(redaction['intervals'])} intervals; kept tracks: {kept}")
    if redaction["kept_tracks_not_in_view"]:
        click.echo(f"  not in view here: {', '.join(redaction['kept_tracks_not_in_view'])}")
    for one in check["still_to_be_looked_at"][:5]:
        where = "{:.0f},{:.0f} to {:.0f},{:.0f}".format(*one["box"])
        click.echo(f"  still to be looked at: {one['label']} {one['score']:.2f} at {clock(one['seconds'])}, {where}")
    more = len(check["still_to_be_looked_at"]) - 5
    if more > 0:
        click.echo(f"  … and {more} more, see check in the manifest")
    for risk in document["residual_risk"]:
        click.echo(f"  residual risk: {risk}")
