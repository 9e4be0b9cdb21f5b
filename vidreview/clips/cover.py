"""What a redacted copy covers on each picture: all that may be of the class, for longer and wider than it was seen."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from vidreview.clips.courses import SAME_S, Box, Course, Placer, around
from vidreview.clips.viewing import Prepared

What = Literal["persons", "vehicles", "all"]

#: a box is widened by this share of its own size on each side, and by so many pixels at least
MARGIN: Final = 0.15
MARGIN_PX: Final = 4
#: a track's box covers where it was this long before and after each picture, seconds: boxes lag behind what moves
SWEEP_S: Final = 0.2
#: a track is covered so much longer at both ends, seconds, growing the way it went and as fast
LEAD_S: Final = 1.0
#: what was seen only once is covered so long before and after, seconds, and until the looks on either side of that one
ONCE_S: Final = 0.6
#: what a look for the copy saw is covered so long before and after, seconds: the detector misses pictures in between
HELD_S: Final = 0.2
#: so much of its own size a second it may have moved meanwhile, and so much at most
DRIFT: Final = 0.6
MOST_DRIFT: Final = 1.0
#: of each look, the detection that overlaps the box of a kept track most, and so much, is of that track: its box may
#: be that of the motion about it, which is larger
OF_KEPT: Final = 0.3
#: detections of the copy's own looks that overlap so much, and are no further apart than ``HELD_S``, are listed as one
CHAINED: Final = 0.3
#: labels on which a person sits in the open
RIDDEN: Final = frozenset(("bicycle", "motorcycle"))
_CLASSES: Final = {"persons": ("person",), "vehicles": ("vehicle",), "all": ("person", "vehicle")}


@dataclass(frozen=True, slots=True)
class Sighting:
    """One detection, of the index or of a look that was taken for the copy."""

    #: on the stream's time line
    seconds: float
    box: Box
    score: float
    #: one of model.LABELS
    label: str
    #: the looks before and after it, seconds: it may have been there all the while
    before_s: float
    after_s: float
    #: "index" or "copy"
    taken_for: str = "index"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be covered, and what is not."""

    what: What
    #: names of tracks that stay
    keep: frozenset[str] = frozenset()
    #: cover what moved and was not recognised, too
    motion: bool = True

    def includes(self, event_class: str, label: str) -> bool:
        """True for what may show one of the class: whoever rides in the open is a person."""
        if event_class == "motion":
            return self.motion
        ridden = label in RIDDEN and self.what != "vehicles"
        return event_class in _CLASSES[self.what] or ridden


@dataclass(slots=True)
class Interval:
    """For how long one object is covered, and where."""

    object: str
    event_class: str
    label: str
    why: str
    first: int
    last: int
    #: (number of the picture, box as covered)
    boxes: list[tuple[int, Box]] = field(default_factory=list)
    #: pictures on which it reaches into the box of a kept track, where it is not covered
    overlaps: list[int] = field(default_factory=list)


class Cover:
    """Decides for each picture which boxes are covered and which stay, and remembers it for the record."""

    def __init__(
        self, ready: Prepared, courses: Sequence[Course], sightings: Sequence[Sighting], wanted: Wanted
    ) -> None:
        """``courses`` are all tracks of the stream near the stretch, kept ones too."""
        self.ready = ready
        self.wanted = wanted
        self._kept = [Placer(ready, course) for course in courses if course.name in wanted.keep]
        self._tracks = [
            Placer(ready, course)
            for course in courses
            if course.name not in wanted.keep and wanted.includes(course.event_class, course.label)
        ]
        self._sightings: list[Sighting] = []
        self._times = [ready.seconds(number) for number in range(len(ready.stretch))]
        #: what is covered on each picture because of sightings, by what it is called; made when first asked for
        self._by_picture: list[dict[str, list[Sighting]]] | None = None
        #: detections that are of a kept track, and so are not covered for themselves
        self.of_kept = 0
        self.add(sightings)
        self.intervals: dict[str, Interval] = {}

    def add(self, sightings: Iterable[Sighting]) -> None:
        """Take in more detections."""
        from vidreview.model import CLASS_OF_LABEL

        relevant = [one for one in sightings if self.wanted.includes(CLASS_OF_LABEL[one.label], one.label)]
        own = self._of_kept(relevant)
        self.of_kept += len(own)
        # a track that is covered has its own detections in its box, and knows better where it went in between; what
        # reaches out of the box may be somebody beside it
        own |= {k for k, one in enumerate(relevant) if one.taken_for == "index" and self._of_covered(one)}
        self._sightings += [one for k, one in enumerate(relevant) if k not in own]
        self._sightings.sort(key=lambda one: (one.seconds, one.box))
        self._by_picture = None

    def in_view(self) -> set[str]:
        """Names of the kept tracks that are on one of the pictures."""
        times = [self.ready.seconds(0), self.ready.seconds(len(self.ready.stretch) - 1)]
        return {placer.course.name for placer in self._kept if placer.reach(times[0], times[1]) is not None}

    def kept(self, number: int) -> list[Box]:
        """Boxes of the kept tracks on a picture, unmoved."""
        seconds = self.ready.seconds(number)
        return [where.box for placer in self._kept if (where := placer.at(seconds)) is not None]

    def covered(self, number: int) -> list[Box]:
        """Boxes to cover on a picture; each is entered in the record."""
        seconds = self.ready.seconds(number)
        kept = self.kept(number)
        found = list(self._by_tracks(seconds))
        tracks = [box for *_, box in found]
        # what a track's box holds is covered by it, and need not be listed a second time
        found += [one for one in self._by_sightings(number) if not any(holds(box, one[-1]) for box in tracks)]
        boxes = []
        for name, kind, label, why, box in found:
            boxes.append(box)
            entry = self.intervals.get(f"{name} {why}")
            if entry is None:
                entry = self.intervals[f"{name} {why}"] = Interval(name, kind, label, why, number, number)
            entry.last = number
            entry.boxes.append((number, box))
            if any(overlap(box, other) > 0 for other in kept):
                entry.overlaps.append(number)
        return boxes

    def _by_tracks(self, seconds: float) -> Iterator[tuple[str, str, str, str, Box]]:
        for placer in self._tracks:
            course = placer.course
            box = placer.reach(seconds - SWEEP_S, seconds + SWEEP_S)
            if box is None or not placer.start_s - SAME_S <= seconds <= placer.end_s + SAME_S:
                end = _beyond(placer, seconds)
                box = end if box is None else (box if end is None else around([box, end]))
            if box is not None:
                why = "track" if course.dropped is None else f"dropped track: {course.dropped}"
                yield course.name, course.event_class, course.label, why, widened(box)

    def _by_sightings(self, number: int) -> Iterator[tuple[str, str, str, str, Box]]:
        from vidreview.model import CLASS_OF_LABEL

        if self._by_picture is None:
            self._by_picture = self._placed()
        for name, members in self._by_picture[number].items():
            first = members[0]
            box = around([_grown(one, abs(self._times[number] - one.seconds)) for one in members])
            source = (
                "detection of the scan" if first.taken_for == "index" else "detection of a look taken for this copy"
            )
            yield name, CLASS_OF_LABEL[first.label], first.label, source, widened(box)

    def _placed(self) -> list[dict[str, list[Sighting]]]:
        """The sightings of each picture: until the looks on either side, and for the least time."""
        found: list[dict[str, list[Sighting]]] = [{} for _ in self._times]
        for name, one in _named(self._sightings):
            least = ONCE_S if one.taken_for == "index" else HELD_S
            begin = bisect_left(self._times, min(one.before_s, one.seconds - least) - SAME_S)
            end = bisect_right(self._times, max(one.after_s, one.seconds + least) + SAME_S)
            for number in range(begin, end):
                found[number].setdefault(name, []).append(one)
        return found

    def _of_covered(self, one: Sighting) -> bool:
        boxes = (placer.reach(one.seconds - SWEEP_S, one.seconds + SWEEP_S) for placer in self._tracks)
        return any(box is not None and holds(widened(box), one.box) for box in boxes)

    def _of_kept(self, sightings: Sequence[Sighting]) -> set[int]:
        """Which detections are of a kept track: the one of each look that lies best on it."""
        best: dict[tuple[str, float], tuple[float, int]] = {}
        for k, one in enumerate(sightings):
            for placer in self._kept:
                where = placer.at(one.seconds)
                share = 0.0 if where is None else overlap(one.box, where.box)
                if share >= OF_KEPT:
                    key = placer.course.name, one.seconds
                    best[key] = max(best.get(key, (0.0, k)), (share, k))
        return {k for _, k in best.values()}


def _named(sightings: Sequence[Sighting]) -> Iterator[tuple[str, Sighting]]:
    """What each sighting is listed as; ``sightings`` are by time.

    A detection of the scan stands for itself. The copy's own looks see one object on every picture: those that follow
    each other in one place have one name, that of the first of them.
    """
    last: dict[str, Sighting] = {}
    for one in sightings:
        name = f"{one.label} {one.score:.2f} at {one.seconds:.3f} s, {one.box[0]:.0f},{one.box[1]:.0f}"
        if one.taken_for == "index":
            yield name, one
            continue
        last = {key: other for key, other in last.items() if one.seconds - other.seconds <= HELD_S + SAME_S}
        before = ((overlap(one.box, other.box), key) for key, other in last.items() if other.label == one.label)
        share, key = max(before, default=(0.0, ""))
        name = key if share >= CHAINED and last[key].seconds < one.seconds else name
        last[name] = one
        yield name, one


def _grown(one: Sighting, apart_s: float) -> Box:
    """Where a detection's object may be so much earlier or later."""
    moved = min(MOST_DRIFT, DRIFT * apart_s)
    x, y = moved * (one.box[2] - one.box[0]), moved * (one.box[3] - one.box[1]) / 2
    return one.box[0] - x, one.box[1] - y, one.box[2] + x, one.box[3] + y


def widened(box: Box) -> Box:
    """A box with its margin."""
    x = max(MARGIN_PX, MARGIN * (box[2] - box[0]))
    y = max(MARGIN_PX, MARGIN * (box[3] - box[1]))
    return box[0] - x, box[1] - y, box[2] + x, box[3] + y


def holds(box: Box, other: Box) -> bool:
    """True when a box holds all of another."""
    return box[0] <= other[0] and box[1] <= other[1] and other[2] <= box[2] and other[3] <= box[3]


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0 or down <= 0:
        return 0.0
    shared = across * down
    whole = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / whole if whole > 0 else 0.0


def _beyond(placer: Placer, seconds: float) -> Box | None:
    """Where a track may be shortly before it begins or after it ends: from there on, and as fast as it went."""
    if placer.start_s - LEAD_S <= seconds < placer.start_s:
        end = placer.start_s
    elif placer.end_s < seconds <= placer.end_s + LEAD_S:
        end = placer.end_s
    else:
        return None
    where = placer.at(end)
    if where is None:
        return None
    across, down = placer.pace(end, 0.5)
    x, y = across * (seconds - end), down * (seconds - end)
    box = where.box
    return around([box, (box[0] + x, box[1] + y, box[2] + x, box[3] + y)])


def sightings_of(detections: Iterable[tuple[float, Box, float, str]], looks: Sequence[float]) -> Iterator[Sighting]:
    """Detections (seconds, box, score, label) with the looks on either side; ``looks`` are sorted seconds."""
    for seconds, box, score, label in detections:
        before = bisect_left(looks, seconds - SAME_S) - 1
        after = bisect_right(looks, seconds + SAME_S)
        yield Sighting(
            seconds,
            box,
            score,
            label,
            looks[before] if before >= 0 else seconds,
            looks[after] if after < len(looks) else seconds,
        )


def inside(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """A box in whole pixels of the picture, outwards to even ones, as colour is stored for four pixels at once."""
    x1, y1 = (max(0, math.floor(side) // 2 * 2) for side in box[:2])
    x2 = min(width, -(-math.ceil(box[2]) // 2) * 2)
    y2 = min(height, -(-math.ceil(box[3]) // 2) * 2)
    return min(x1, width), min(y1, height), max(x2, 0), max(y2, 0)


def recorded(cover: Cover) -> list[dict[str, Any]]:
    """Every covered interval: what, why, from and to in PTS and seconds, and its box on each picture."""
    ready, listed = cover.ready, []
    for one in sorted(cover.intervals.values(), key=lambda entry: (entry.first, entry.object, entry.why)):
        runs: list[list[int]] = []
        for number, _ in one.boxes:
            if runs and number == runs[-1][1] + 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        boxes = dict(one.boxes)
        for first, last in runs:
            listed.append(
                {
                    "object": one.object,
                    "class": one.event_class,
                    "label": one.label,
                    "because_of": one.why,
                    "from_pts": ready.tick(first),
                    "to_pts": ready.tick(last),
                    "from_s": round(ready.seconds(first), 6),
                    "to_s": round(ready.seconds(last), 6),
                    "from_frame": first,
                    "to_frame": last,
                    "boxes": [[round(side, 1) for side in boxes[number]] for number in range(first, last + 1)],
                    "overlaps_kept_on_frames": [n for n in one.overlaps if first <= n <= last],
                }
            )
    return listed
