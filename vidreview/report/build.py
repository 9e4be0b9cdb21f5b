"""How a report comes about: gather → pictures and copies → data and page → manifest → in its place."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from vidreview import __version__
from vidreview.clips import PacketIndex, Parent
from vidreview.derive import Batch
from vidreview.errors import CaseError, VidreviewError
from vidreview.index.query import Reader, StoredStream
from vidreview.report import background, heat, pictures
from vidreview.report.copies import add_copies
from vidreview.report.data import plain, script
from vidreview.report.facts import Gathered, Wanted, gather
from vidreview.report.folder import MANIFEST, NAME, Earlier, Folder
from vidreview.report.integrity import Checked, integrity
from vidreview.report.media import FORM, Made, Subject, make_pictures
from vidreview.report.render import render, write_pdf
from vidreview.report.thumbnails import add_thumbnails

#: events that one thread makes the pictures of, one after the other: at least and at most; each such lot opens the
#: exhibit anew, which takes a second where its index is that of a day
_FEWEST: Final = 8
_MOST: Final = 128
_WORKERS: Final = 2


class Observer(Protocol):
    """Told how far the pictures are; it prints, the report does not."""

    def begin(self, total: int) -> None:
        """The pictures and clips of so many events are to be made."""

    def advance(self, count: int) -> None:
        """So many more are done."""


@dataclass(frozen=True, slots=True)
class Options:
    """What else a report is to hold."""

    #: clips, evidential and for viewing, and lossless stills; else pictures for looking at alone
    clips: bool = True
    pdf: bool = False


@dataclass(slots=True)
class Built:
    """A report that is in its place."""

    page: Path
    events: int
    #: events whose pictures and clips were made now, and those used again from an earlier report
    made: int = 0
    reused: int = 0
    files: int = 0
    size: int = 0
    #: events of which something is missing
    incomplete: int = 0
    #: that making the media took
    seconds: float = 0.0
    checked: Checked = field(default_factory=Checked)


def build(reader: Reader, wanted: Wanted, options: Options, batch: Batch, observer: Observer) -> Built:
    """Make the report of a case in its folder ``report``; what goes wrong with single exhibits is told to ``batch``.

    Raises CaseError when the folder cannot be written or holds what is not the report's, and IntegrityError when the
    audit log cannot be continued. Killed or interrupted, it goes on from there when called again.
    """
    derived = batch.log.manifest()
    recorded = derived.get(f"{NAME}/{MANIFEST}", {}).get("sha256")
    with closing(Folder(batch.case)) as folder:
        earlier = folder.begin(recorded)
        gathered = gather(reader, wanted)
        work = _Work(reader, gathered, options, batch, observer, folder, earlier, derived, wanted.command)
        begun = time.monotonic()
        work.make()
        seconds = time.monotonic() - begun
        gathered.facts["integrity"] = integrity(batch, gathered.facts, work.checked)
        files = work.files | _write_page(folder, gathered)
        if options.pdf:
            files["report.pdf"] = write_pdf(plain(gathered.facts), plain(gathered.events), folder)
        manifest = _manifest(gathered, wanted, options, work, files)
        sha256 = folder.write(MANIFEST, manifest)
        folder.finish(files)
        facts = gathered.facts["report"]
        parent = f"{len(gathered.exhibits)} exhibit{'s' * (len(gathered.exhibits) != 1)}"
        batch.log.derived(
            f"{NAME}/{MANIFEST}",
            sha256,
            parent,
            facts["id"],
            wanted.command,
            files=len(files),
            events=len(gathered.events),
        )
    built = Built(folder.final / "index.html", len(gathered.events), work.made, work.reused, len(files) + 1)
    built.size = sum((folder.final / path).stat().st_size for path in (*files, MANIFEST))
    built.incomplete = sum(event["missing"] is not None for event in gathered.events)
    built.checked, built.seconds = work.checked, seconds
    return built


class _Work:
    """The pictures and copies of all events, exhibit by exhibit."""

    def __init__(
        self,
        reader: Reader,
        gathered: Gathered,
        options: Options,
        batch: Batch,
        observer: Observer,
        folder: Folder,
        earlier: Sequence[Earlier],
        derived: dict[str, dict[str, Any]],
        command: str,
    ) -> None:
        self.gathered, self.options, self.batch, self.observer = gathered, options, batch, observer
        self.folder, self.earlier, self.derived, self.command = folder, earlier, derived, command
        self.reader, self.stored = reader, reader.reported()
        self.places = reader.streams(["*"])
        self.files: dict[str, str] = {}
        #: identity → entry, for the manifest and the next report
        self.entries: dict[str, dict[str, Any]] = {}
        self.checked = Checked()
        self.made = self.reused = 0
        self._stop = threading.Event()
        #: the subjects of each stream that are to be made, by start
        self._subjects: dict[int, list[tuple[str, Subject]]] = {}
        self._backgrounds: dict[int, str] = {}

    def make(self) -> None:
        """Make what cannot be used again, and put all of it into the facts."""
        self._sort_out()
        self.observer.begin(sum(len(subjects) for subjects in self._subjects.values()))
        wanted = sorted({*self._subjects, *self._backgrounds})
        by_exhibit: dict[int, list[int]] = {}
        for stream in wanted:
            by_exhibit.setdefault(self.gathered.streams[stream].exhibit, []).append(stream)
        for streams in by_exhibit.values():
            self._exhibit(streams)
        self._heat()

    # ---- what is to be made

    def _sort_out(self) -> None:
        """Use again what fits; list the rest."""
        gathered, more = self.gathered, "clips" if self.options.clips else "pictures"
        for event in gathered.events:
            stream = event["stream"]
            subject = Subject(
                event,
                gathered.places[event["id"]],
                gathered.courses[event["id"]],
                self.gathered.uprights[stream],
                gathered.frames[stream],
            )
            identity = subject.identity(more)
            if (entry := self._again(identity)) is not None:
                self._enter(event, identity, entry)
                self.reused += 1
            else:
                self._subjects.setdefault(stream, []).append((identity, subject))
        for stream in sorted({event["stream"] for event in gathered.events}):
            facts = gathered.facts["streams"][stream]
            told = [gathered.facts["exhibits"][facts["exhibit"]]["sha256"], facts["stream"], FORM, __version__]
            told += self.stored.in_view(gathered.streams[stream].row)
            identity = _digest(["background", stream, str(self.gathered.uprights[stream]), *told])
            if (entry := self._again(identity)) is not None:
                self._enter(facts, identity, entry)
            else:
                self._backgrounds[stream] = identity

    def _again(self, identity: str) -> dict[str, Any] | None:
        for one in self.earlier:
            if (entry := one.take(identity, self.folder.part)) is not None:
                if one.folder != self.folder.part:
                    self.folder.note(identity, entry)
                return entry
        return None

    def _enter(self, facts: dict[str, Any], identity: str, entry: dict[str, Any]) -> None:
        """Put what was made into the facts of an event or a stream."""
        facts |= entry["media"]
        if "missing" in facts:
            facts["missing"] = "; ".join(entry["missing"]) or None
        self.entries[identity] = entry
        self.files |= entry["files"]

    # ---- making it

    def _exhibit(self, streams: Sequence[int]) -> None:
        """Everything of one exhibit: found and checked once; when that fails its events say why."""
        stored = [self.places[stream] for stream in streams]
        complaints: list[str] = []
        parent = next(iter(self._parents(stored, complaints)), None)
        name, row = stored[0].exhibit.name, self.gathered.streams[streams[0]].exhibit
        if parent is None:
            why = complaints[-1] if complaints else f"exhibit {name} cannot be read"
            self.checked.failed[row] = name, why
            for stream in streams:
                self._miss(stream, why)
            return
        self.checked.exhibits.add(row)
        for stream, place in zip(streams, stored, strict=True):
            try:
                index = self.batch.index(parent, place)
                if not place.timed:
                    index.presentation(_source())
                self._background(stream, index)
            except VidreviewError as error:
                self.batch.fail(error)
                self._miss(stream, str(error))
                continue
            self._events(stream, parent, index)

    def _parents(self, stored: Sequence[StoredStream], complaints: list[str]) -> Iterator[Parent]:
        complain = self.batch.complain

        def listen(text: str) -> None:
            complaints.append(text)
            complain(text)

        self.batch.complain = listen
        try:
            yield from (parent for parent, _, _ in self.batch.parents((one, None) for one in stored))
        finally:
            self.batch.complain = complain

    def _miss(self, stream: int, why: str) -> None:
        """Its events say why they have no pictures; what the scan kept of them stands in."""
        for _, subject in self._subjects.get(stream, ()):
            made = Made()
            add_thumbnails(made, subject.event, self.reader, subject.upright, self.folder)
            subject.event.update(made.media, missing=why)
            self.files |= made.files
            self.observer.advance(1)

    def _background(self, stream: int, index: PacketIndex) -> None:
        identity = self._backgrounds.get(stream)
        if identity is None:
            return
        known, frames = self.gathered.streams[stream], self.gathered.frames[stream]
        numbers = background.candidates(self.stored.watched(known.row), frames, self.stored.in_view(known.row))
        taken = background.take(index, numbers, frames, known.timed, self.gathered.uprights[stream])
        made = Made()
        if taken is not None:
            path = f"view/s{stream + 1}_background_VIEW.jpg"
            made.write(self.folder, path, pictures.jpeg(taken.picture, "still"))
            made.media = {"background": path, "background_s": round(taken.seconds, 6)}
        self._done(self.gathered.facts["streams"][stream], identity, made)

    def _events(self, stream: int, parent: Parent, index: PacketIndex) -> None:
        """The events of a stream, some at once; an interruption ends them between two pictures."""
        subjects = sorted(self._subjects.get(stream, ()), key=lambda item: item[1].place.start_s)
        results: queue.SimpleQueue[tuple[str, Subject, Made] | None] = queue.SimpleQueue()
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="report")
        try:
            futures = []
            lot = max(_FEWEST, min(_MOST, -(-len(subjects) // (2 * _WORKERS))))
            for first in range(0, len(subjects), lot):
                futures.append(pool.submit(self._chunk, subjects[first : first + lot], parent, index, results))
                futures[-1].add_done_callback(lambda _: results.put(None))
            waiting = len(futures)
            while waiting:
                result = results.get()
                if result is None:
                    waiting -= 1
                    continue
                identity, subject, made = result
                for error in made.errors:
                    self.batch.fail(error)
                self._done(subject.event, identity, made)
                self.made += 1
                self.observer.advance(1)
            _raise_first(futures)
        except BaseException:
            self._stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _chunk(
        self,
        subjects: Sequence[tuple[str, Subject]],
        parent: Parent,
        index: PacketIndex,
        results: queue.SimpleQueue[tuple[str, Subject, Made] | None],
    ) -> None:
        """In a thread of its own: pictures, then copies, event by event."""
        left = {subject.name: (identity, subject) for identity, subject in subjects}
        try:
            for subject, made in make_pictures(index, [subject for _, subject in subjects], self.folder, self._stop):
                if self.options.clips and not self._stop.is_set():
                    add_copies(made, subject, parent, index, self.folder, self.derived, self.command)
                if self._stop.is_set():
                    return
                results.put((*left.pop(subject.name), made))
        except CaseError:
            raise
        except VidreviewError as error:
            for identity, subject in left.values():
                made = Made()
                made.fail(error)
                results.put((identity, subject, made))

    def _done(self, facts: dict[str, Any], identity: str, made: Made) -> None:
        if "id" in facts and not made.media.get("still"):
            add_thumbnails(made, facts, self.reader, self.gathered.uprights[facts["stream"]], self.folder)
        entry = {"media": made.media, "files": made.files, "missing": made.missing}
        if "id" in facts:
            entry |= {"event": facts["id"], "exhibit_sha256": facts["exhibit_sha256"]}
        if not made.errors:  # what failed is tried again the next time
            self.folder.note(identity, entry)
        self._enter(facts, identity, entry)

    def _heat(self) -> None:
        """A heat map for each stream with events, over its background."""
        names: dict[int, list[str]] = {}
        for event in self.gathered.events:
            names.setdefault(event["stream"], []).append(event["id"])
        for stream, (facts, upright) in enumerate(
            zip(self.gathered.facts["streams"], self.gathered.uprights, strict=True)
        ):
            width, height = upright.size
            tracks = [course for name in names.get(stream, ()) for course in self.gathered.courses[name]]
            across = min(width, pictures.STILL)
            found = heat.heat(heat.dwell(tracks, upright), (across, max(1, round(height * across / width))))
            if found is not None:
                path = f"view/s{stream + 1}_heat_VIEW.png"
                self.files[path] = self.folder.write(path, found.png)
                facts |= {"heat": path, "heat_words": found.words, "heat_scale": found.scale}


def _source() -> Any:
    from vidreview.media.source import Source

    return Source


def _raise_first(futures: Sequence[Future[None]]) -> None:
    for future in futures:
        future.result()


def _write_page(folder: Folder, gathered: Gathered) -> dict[str, str]:
    """The data files and the page; path → SHA-256."""
    facts = plain(gathered.facts)
    files = {
        "data/case.js": folder.write("data/case.js", script("VIDREVIEW", facts)),
        "data/events.js": folder.write("data/events.js", script("VIDREVIEW_EVENTS", plain(gathered.events))),
    }
    return files | {path: folder.write(path, content) for path, content in render(facts).items()}


def _manifest(gathered: Gathered, wanted: Wanted, options: Options, work: _Work, files: dict[str, str]) -> bytes:
    """``report.json``: every file with its hash, and how the report was made (rule A3)."""
    document = {
        "kind": "report",
        "report": gathered.facts["report"],
        "tool": f"vidreview {__version__}",
        "command": wanted.command,
        "made_utc": wanted.made_utc,
        "audit_head": gathered.facts["integrity"]["audit_head"],
        "parameters": {"clips": options.clips, "pdf": options.pdf, "form": FORM}
        | {"still": pictures.STILL, "thumb": pictures.THUMB, "strip": pictures.STRIP, "frames": pictures.FRAMES},
        "exhibits": [
            {key: exhibit[key] for key in ("exhibit", "name", "sha256", "reference")}
            for exhibit in plain(gathered.facts["exhibits"])
        ],
        "files": dict(sorted(files.items())),
        "media": work.entries,
    }
    return (json.dumps(document, indent=1, ensure_ascii=True) + "\n").encode()


def _digest(told: Sequence[Any]) -> str:
    import hashlib

    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
