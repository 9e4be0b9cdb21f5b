"""Score the method against labelled clips: what was found, what was missed and why, what was raised for nothing.

The rule. A true event is found when an event of its class, or of class motion, overlaps it by at least half of the
shorter of the two; it is recognised when one of its own class does. Seconds of events that lie outside every true
event, widened by 2 s each side, are false seconds; those of person and vehicle events are counted apart from motion's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, get_args

from vidreview import __version__
from vidreview.errors import UsageError
from vidreview.model import EventClass

if TYPE_CHECKING:
    from vidreview.detect import Detector
    from vidreview.index import Reader
    from vidreview.pipeline import Observer
    from vidreview.settings import ScanSettings

#: a true event is widened by this on each side before a second counts as false
MARGIN_S = 2.0
#: what the shorter of two events counts as at least, so that a single frame can be found
SHORTEST_S = 0.1
#: share of the shorter of the two that must overlap
OVERLAP = 0.5

CLASSES: tuple[str, ...] = get_args(EventClass)


@dataclass(frozen=True, slots=True)
class Seen:
    """An event, or a track that became none, as far as scoring needs it; seconds from the clip's first frame."""

    event_class: str
    start_s: float
    end_s: float
    #: why it is no event, None for an event
    dropped: str | None = None


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """What a person saw in the clip; seconds from its first frame."""

    event_class: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Miss:
    """A true event that nothing points to, and what was seen of it."""

    true: TrueEvent
    why: str


@dataclass(frozen=True, slots=True)
class Score:
    """How a clip, or several together, came out."""

    true: int = 0
    found: int = 0
    recognised: int = 0
    #: events raised
    events: int = 0
    misses: tuple[Miss, ...] = ()
    #: of each found event: seconds from its true start to the start of the event nearest to it; negative is early
    start_errors_s: tuple[float, ...] = ()
    #: seconds of person and vehicle events outside the truth
    false_s: float = 0.0
    #: seconds of motion events outside the truth
    motion_false_s: float = 0.0
    #: seconds of footage
    footage_s: float = 0.0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.true + other.true,
            self.found + other.found,
            self.recognised + other.recognised,
            self.events + other.events,
            self.misses + other.misses,
            self.start_errors_s + other.start_errors_s,
            self.false_s + other.false_s,
            self.motion_false_s + other.motion_false_s,
            self.footage_s + other.footage_s,
        )

    @property
    def recall(self) -> float | None:
        """Share of true events found, None where there are none."""
        return self.found / self.true if self.true else None

    @property
    def worst_start_error_s(self) -> float | None:
        """The largest start error without its sign, None where nothing was found."""
        return max(map(abs, self.start_errors_s), default=None)

    def per_hour(self, seconds: float) -> float | None:
        """``seconds`` per hour of this footage, None where there is no footage."""
        return seconds * 3600 / self.footage_s if self.footage_s > 0 else None


@dataclass(frozen=True, slots=True)
class ClipTruth:
    """What the truth file says of one clip."""

    name: str
    #: None where it holds no event truth
    events: tuple[TrueEvent, ...] | None
    #: the clip is damaged on purpose, and the truth covers what can be read of it
    partly_readable: bool = False


@dataclass(frozen=True, slots=True)
class TruthFile:
    """A truth file's clips in its own order."""

    path: Path
    clips: tuple[ClipTruth, ...]

    def find(self, name: str, folders: Sequence[Path] = ()) -> Path | None:
        """The clip's file in ``folders``, by default the truth file's own and its ``clips``; None if it is in none."""
        for folder in folders or (self.path.parent, self.path.parent / "clips"):
            if (folder / name).is_file():
                return folder / name
        return None


@dataclass(frozen=True, slots=True)
class Gates:
    """What a method must reach; None where it need not."""

    #: share of true events found, 0..1
    min_recall: float | None = None
    #: false seconds of person and vehicle events per hour of footage
    max_false: float | None = None

    def failures(self, score: Score) -> list[str]:
        """One line for each gate that ``score`` does not pass."""
        lines = []
        if self.min_recall is not None:
            if score.recall is None:
                lines.append("--min-recall cannot be judged: the truth names no event")
            elif score.recall < self.min_recall:
                lines.append(
                    f"--min-recall {self.min_recall:g}: found {score.found} of {score.true} ({score.recall:.3f})"
                )
        if self.max_false is not None:
            rate = score.per_hour(score.false_s)
            if rate is None:
                lines.append("--max-false cannot be judged: no footage was read")
            elif rate > self.max_false:
                lines.append(
                    f"--max-false {self.max_false:g}: {rate:.1f} false seconds of person and vehicle per hour "
                    f"({score.false_s:.1f} s in {score.footage_s:.1f} s of footage)"
                )
        return lines


@dataclass(frozen=True, slots=True)
class ClipResult:
    """One clip of a validation."""

    name: str
    #: None where the clip was skipped
    score: Score | None
    #: why it was skipped, None where it was not
    skipped: str | None = None
    #: what could not be read of it
    problems: tuple[str, ...] = ()
    #: the truth says that the clip is damaged, so its problems are no news
    problems_expected: bool = False


@dataclass(frozen=True, slots=True)
class Validation:
    """All clips of a truth file, scored."""

    clips: tuple[ClipResult, ...]
    #: version, model and settings with their hashes: a figure is that method's, and stale once one differs (rule E6)
    method: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> Score:
        """The clips' scores together."""
        return sum((clip.score for clip in self.clips if clip.score is not None), Score())

    @property
    def unread(self) -> tuple[ClipResult, ...]:
        """Clips of which something could not be read, other than those that are damaged on purpose."""
        return tuple(clip for clip in self.clips if clip.problems and not clip.problems_expected)

    @property
    def untold(self) -> tuple[ClipResult, ...]:
        """Clips damaged on purpose, of which the scan said nothing: damage that passes in silence."""
        return tuple(clip for clip in self.clips if clip.problems_expected and not clip.problems)


def interval(found: int, true: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """Exact (Clopper–Pearson 1934) confidence interval of a share, None where ``true`` is 0."""
    if true == 0:
        return None
    from scipy.stats import binomtest

    bounds = binomtest(found, true).proportion_ci(confidence_level=confidence, method="exact")
    return float(bounds.low), float(bounds.high)


def score(
    events: Sequence[Seen], truth: Sequence[TrueEvent], footage_s: float = 0.0, dropped: Sequence[Seen] = ()
) -> Score:
    """Score a clip's ``events`` against its ``truth``; ``dropped`` tracks only help to say why something was missed."""
    misses: list[Miss] = []
    starts: list[float] = []
    recognised = 0
    for true in truth:
        hits = [event for event in events if _hits(event, true)]
        if not hits:
            misses.append(Miss(true, _why_missed(true, events, dropped)))
            continue
        recognised += any(event.event_class == true.event_class for event in hits)
        starts.append(min((event.start_s - true.start_s for event in hits), key=abs))
    wide = _union((true.start_s - MARGIN_S, true.end_s + MARGIN_S) for true in truth)
    return Score(
        true=len(truth),
        found=len(starts),
        recognised=recognised,
        events=len(events),
        misses=tuple(misses),
        start_errors_s=tuple(starts),
        false_s=sum(_outside(event, wide) for event in events if event.event_class != "motion"),
        motion_false_s=sum(_outside(event, wide) for event in events if event.event_class == "motion"),
        footage_s=footage_s,
    )


def unread_score(truth: Sequence[TrueEvent]) -> Score:
    """The score of a clip that could not be read at all: everything in it was missed."""
    return Score(true=len(truth), misses=tuple(Miss(true, "the clip could not be read") for true in truth))


def _overlap(a: Seen | TrueEvent, b: Seen | TrueEvent) -> float:
    return min(a.end_s, b.end_s) - max(a.start_s, b.start_s)


def _long_enough(event: Seen, true: TrueEvent) -> bool:
    shorter = max(SHORTEST_S, min(event.end_s - event.start_s, true.end_s - true.start_s))
    return _overlap(event, true) >= OVERLAP * shorter


def _hits(event: Seen, true: TrueEvent) -> bool:
    return event.event_class in (true.event_class, "motion") and _long_enough(event, true)


def _why_missed(true: TrueEvent, events: Sequence[Seen], dropped: Sequence[Seen]) -> str:
    """What was seen of a missed event, from the most telling to the least."""
    long = [event for event in events if _long_enough(event, true)]
    if long:
        return f"seen as {long[0].event_class} only"
    touching = [event for event in events if _overlap(event, true) > 0]
    if touching:
        best = max(touching, key=lambda event: _overlap(event, true))
        return f"only {_overlap(best, true):.1f} s of overlap with a {best.event_class} event"
    below = [track for track in dropped if _overlap(track, true) > 0]
    if below:
        best = max(below, key=lambda track: _overlap(track, true))
        return f"a {best.event_class} track was dropped: {best.dropped or 'below the thresholds of an event'}"
    return "nothing was seen at that time"


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _outside(event: Seen, wide: Sequence[tuple[float, float]]) -> float:
    inside = sum(max(0.0, min(event.end_s, end) - max(event.start_s, start)) for start, end in wide)
    return max(0.0, event.end_s - event.start_s - inside)


def load_truth(path: Path) -> TruthFile:
    """Read a truth file, which maps clip names to ``{"events": [{"class", "start_s", "end_s"}, …]}``.

    Entries that are no objects are remarks. A clip without "events" holds no event truth and is kept as such.
    Raises UsageError, naming the file and the place in it, for anything else.
    """
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_no_duplicates)
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read truth from {path}: {error}") from error
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: a truth file is an object of clips, not a {type(loaded).__name__}")
    if isinstance(loaded.get("events"), list):
        raise UsageError(f'{path}: "events" stands alone; put it below its clip\'s name: {{"clip.mp4": {{"events": …')
    clips = tuple(_clip(path, name, entry) for name, entry in loaded.items() if isinstance(entry, dict))
    if not any(clip.events is not None for clip in clips):
        raise UsageError(f'{path}: no clip in it has "events", so there is nothing to score')
    return TruthFile(path, clips)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"{key!r} stands in it twice")
        result[key] = value
    return result


def _clip(path: Path, name: str, entry: Mapping[str, Any]) -> ClipTruth:
    place = PurePosixPath(name)
    if not name or place.is_absolute() or ".." in place.parts:
        raise UsageError(f"{path}: {name!r} is not a clip's file name")
    partly = entry.get("partly_readable", False)
    if not isinstance(partly, bool):
        raise UsageError(f"{path}: {name}: partly_readable must be true or false, not {partly!r}")
    events = entry.get("events")
    if events is None:
        return ClipTruth(name, None, partly)
    if not isinstance(events, list):
        raise UsageError(f'{path}: {name}: "events" must be a list, not {events!r}')
    return ClipTruth(name, tuple(_true_event(path, name, k, event) for k, event in enumerate(events, 1)), partly)


def _true_event(path: Path, name: str, number: int, entry: Any) -> TrueEvent:
    place = f"{path}: {name}: event {number}"
    if not isinstance(entry, dict):
        raise UsageError(f"{place} must be an object with class, start_s and end_s, not {entry!r}")
    if entry.get("class") not in CLASSES:
        raise UsageError(f"{place}: class must be one of {', '.join(CLASSES)}, not {entry.get('class')!r}")
    times = []
    for key in ("start_s", "end_s"):
        value = entry.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"{place}: {key} must be seconds from the clip's first frame, not {value!r}")
        times.append(float(value))
    if not 0 <= times[0] <= times[1]:
        raise UsageError(f"{place}: must have 0 <= start_s <= end_s, but has {times[0]:g} and {times[1]:g}")
    return TrueEvent(entry["class"], times[0], times[1])


def validate(
    truth: TruthFile,
    case_dir: Path,
    settings: ScanSettings,
    *,
    folders: Sequence[Path] = (),
    model: str | None = None,
    detector: Detector | None = None,
    observer: Observer | None = None,
) -> Validation:
    """Scan the clips of ``truth`` into the case at ``case_dir`` and score what was found.

    ``model``, ``detector`` and ``observer`` go to ``pipeline.scan``. A clip that is not there or cannot be read is a
    problem of that clip, and everything in it counts as missed. Raises UsageError when no clip is there at all, or the
    case holds something already: what an earlier scan found must not be scored as this method's.
    """
    from vidreview.detect.factory import load_detector
    from vidreview.index import Reader
    from vidreview.pipeline import scan

    if (case_dir / "case.db").exists():
        raise UsageError(f"{case_dir} holds a case already; a validation needs a new folder: name another --case")
    scored = [clip for clip in truth.clips if clip.events is not None]
    files = {clip.name: path.resolve() for clip in scored if (path := truth.find(clip.name, folders))}
    if not files:
        looked = ", ".join(str(folder) for folder in folders) or f"{truth.path.parent} and its clips folder"
        raise UsageError(f"{truth.path}: none of its clips is in {looked}; name their folder with --clips")
    detector = detector or load_detector(model, settings)
    summary = scan(list(files.values()), case_dir, settings, detector=detector, observer=observer)
    problems: dict[Path, list[str]] = {}
    for problem in summary.problems:
        problems.setdefault(Path(problem["path"]).resolve(), []).append(problem["reason"])
    with Reader.open(case_dir) as reader:
        names = {s.exhibit.path.resolve(): s.exhibit.name for s in reader.streams(["*"])}
        # a copy of a clip is not scanned again: what was found in the first is found in it
        names |= {copy: names[first] for copy, first in reader.duplicates().items() if first in names}
        results = tuple(_result(clip, files.get(clip.name), names, problems, reader) for clip in truth.clips)
    method = {
        "version": __version__,
        "model": detector.name,
        "model_sha256": detector.sha256,
        "runtime": detector.runtime,
        "settings": asdict(settings),
        "settings_sha256": settings.sha256(),
    }
    return Validation(results, method)


def _result(
    clip: ClipTruth, path: Path | None, names: Mapping[Path, str], problems: Mapping[Path, list[str]], reader: Reader
) -> ClipResult:
    """One clip's score from what the case holds of it."""
    from vidreview.index import EventQuery, TrackQuery

    if clip.events is None:
        return ClipResult(clip.name, None, skipped="no event truth")
    if path is None:
        return ClipResult(clip.name, unread_score(clip.events), problems=("the clip is not there",))
    told = tuple(problems.get(path, ()))
    if path not in names:
        return ClipResult(clip.name, unread_score(clip.events), problems=told or ("no video in it could be read",))
    name = names[path]
    only = (name,)  # also a pattern: what merely matches a name with * or [ in it is sorted out below
    events = [
        Seen(e["class"], e["start_s"], e["end_s"])
        for e in reader.events(EventQuery(exhibits=only))
        if e["exhibit"] == name
    ]
    dropped = [
        Seen(t["class"], t["start_s"], t["end_s"], t["dropped"])
        for t in reader.track_rows(TrackQuery(exhibits=only, with_dropped=True))
        if t["dropped"] is not None and t["exhibit"] == name
    ]
    footage_s = sum(s["states"]["analysed_s"] for s in reader.coverage(only) if s["exhibit"] == name)
    return ClipResult(
        clip.name,
        score(events, clip.events, footage_s, dropped),
        problems=told,
        problems_expected=clip.partly_readable,
    )
