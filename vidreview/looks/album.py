"""Keeping the looks at each object while it is followed, in bounded memory however long it stands there.

The tracker looks ahead and joins pieces of a course much later, so each piece has an album of its own, and a finished
track's look is made of those of its pieces. An album keeps at most ``MOST_LOOKS`` descriptors, evenly spread: when
there are more, every other is dropped, and looks are taken half as often from then on. Of crops it keeps the best of
each stretch of its time, of at most ``MOST_CELLS`` stretches, which grow in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vidreview.looks.crop import encoded, promise, reduced, sharpness, whole_box
from vidreview.looks.describe import Description, describe, named_colours, typical
from vidreview.looks.light import PictureLight, picture_light
from vidreview.model import Crop, Pixels, Sighting, Track, TrackLook

#: an object is looked at this often at most, seconds
EVERY_S = 0.5
#: descriptors kept of a piece of a course
MOST_LOOKS = 12
#: the light is judged anew after so long, seconds
LIGHT_S = 1.0
#: stretches of a piece's time, and how long they are at first, seconds
MOST_CELLS, CELL_S = 6, 2.0
#: crops kept of a track that is part of an event, and of one that only moved
CROPS, CROPS_UNNAMED = 3, 1
#: bytes of crops kept at once for all that is followed; beyond, each album keeps its best alone
MOST_BYTES = 48 << 20
#: the frame's number, PTS and seconds
Clock = tuple[int, int, float]


@dataclass(slots=True)
class Album:
    """The looks at one piece of a course."""

    #: (seconds, what was seen), by time
    looks: list[tuple[float, Description]] = field(default_factory=list)
    #: stretch of time → its best crop
    cells: dict[int, Crop] = field(default_factory=dict)
    #: the detector saw it: what only moved counts no longer
    named: bool = False
    every_s: float = EVERY_S
    cell_s: float = CELL_S

    @property
    def size(self) -> int:
        """Bytes of its crops."""
        return sum(len(crop.jpeg) for crop in self.cells.values())

    def wants(self, seconds: float, named: bool) -> bool:
        """Whether a look at this moment would be kept."""
        if named != self.named:
            return named
        return not self.looks or seconds - self.looks[-1][0] >= self.every_s - 1e-6

    def name(self) -> None:
        """The detector sees it from now on."""
        if not self.named:
            self.looks, self.cells, self.named = [], {}, True
            self.every_s, self.cell_s = EVERY_S, CELL_S

    def add(self, seconds: float, description: Description) -> None:
        """Take in one look."""
        self.looks.append((seconds, description))
        while len(self.looks) > MOST_LOOKS:
            self.looks = self.looks[::2]
            self.every_s *= 2

    def best(self, seconds: float) -> float:
        """Quality that a crop of this moment must have more of; the first is kept whatever it is."""
        held = self.cells.get(int(seconds // self.cell_s))
        return -1.0 if held is None else held.quality

    def keep(self, crop: Crop) -> None:
        """Take in a crop that is better than the one of its time."""
        self.cells[int(crop.seconds // self.cell_s)] = crop
        while len(self.cells) > MOST_CELLS:
            self.cell_s *= 2
            merged: dict[int, Crop] = {}
            for one in self.cells.values():
                place = int(one.seconds // self.cell_s)
                if place not in merged or one.quality > merged[place].quality:
                    merged[place] = one
            self.cells = merged

    def shrink(self) -> None:
        """Keep the best crop alone."""
        if len(self.cells) > 1:
            place = max(self.cells, key=lambda k: (self.cells[k].quality, -k))
            self.cells = {place: self.cells[place]}


class Albums:
    """The looks at everything that is followed in one stream."""

    def __init__(self, rotation: int) -> None:
        """Players turn the stream's pictures by ``rotation`` degrees clockwise."""
        self.rotation = rotation
        self.albums: dict[int, Album] = {}
        #: bytes of all crops that are held
        self.size = 0
        self._light: tuple[float, PictureLight] | None = None

    def look(self, picture: Pixels, sightings: Sequence[Sighting], clock: Clock) -> None:
        """Look at what was seen on a stored BGR picture."""
        for seen in sightings:
            album = self.albums.setdefault(seen.piece, Album())
            if not album.wants(clock[2], seen.score is not None):
                continue
            light = self._light_of(picture, clock[2])
            self.size -= album.size
            if seen.score is not None:
                album.name()
            description = describe(picture, seen.box, self.rotation, light)
            if description is not None:
                album.add(clock[2], description)
                self._crop(album, picture, seen, clock)
            self.size += album.size

    def _light_of(self, picture: Pixels, seconds: float) -> PictureLight:
        """The light of a picture; one judgement serves all that is seen for a while."""
        if self._light is None or not 0.0 <= seconds - self._light[0] < LIGHT_S:
            self._light = (seconds, picture_light(picture))
        return self._light[1]

    def _crop(self, album: Album, picture: Pixels, seen: Sighting, clock: Clock) -> None:
        """Keep a crop if it is the best of its time; ``self.size`` is without this album."""
        height, width = picture.shape[:2]
        most = promise(seen.box, seen.score, width, height)
        box = whole_box(seen.box, width, height)
        if box is None or most <= album.best(clock[2]):
            return
        small = reduced(picture, box)
        quality = most * sharpness(small)
        if quality <= album.best(clock[2]) or (jpeg := encoded(small)) is None:
            return
        crop = Crop(*clock, box, round(quality, 6), jpeg)
        if self.size + album.size + len(jpeg) <= MOST_BYTES:
            album.keep(crop)
            return
        album.shrink()
        if self.size + len(jpeg) <= MOST_BYTES and all(quality > one.quality for one in album.cells.values()):
            album.cells = {int(clock[2] // album.cell_s): crop}

    def close(self, track: Track) -> TrackLook | None:
        """The look of a finished track, made of those of its pieces, which are let go; None where none was taken."""
        pieces = [album for piece in track.pieces if (album := self.albums.pop(piece, None)) is not None]
        self.size -= sum(album.size for album in pieces)
        if any(album.named for album in pieces):
            pieces = [album for album in pieces if album.named]
        looks = sorted((look for album in pieces for look in album.looks), key=lambda look: look[0])
        if not looks:
            return None
        lights = [description.light for _, description in looks]
        light = max(dict.fromkeys(lights), key=lights.count)
        # a camera that went over to infrared meanwhile showed the object's colours before
        seen = [d for _, d in looks if d.light != "none"] if light != "none" else [d for _, d in looks]
        descriptor = typical([description.descriptor for description in seen])
        crops = [] if track.dropped is not None else [c for album in pieces for c in album.cells.values()]
        most = CROPS_UNNAMED if track.event_class == "motion" else CROPS
        return TrackLook(
            len(seen),
            light,
            descriptor.tobytes(),
            named_colours(descriptor, track.event_class == "person") if light != "none" else (),
            _spread(crops, most),
        )


def _spread(crops: Sequence[Crop], most: int) -> tuple[Crop, ...]:
    """The best crop, then the best of those that lie well apart from the chosen in time."""
    if not crops:
        return ()
    first, last = min(c.seconds for c in crops), max(c.seconds for c in crops)
    apart = (last - first) / (most + 1)
    chosen: list[Crop] = []
    for crop in sorted(crops, key=lambda c: (-c.quality, c.seconds)):
        if len(chosen) < most and all(abs(crop.seconds - c.seconds) >= apart for c in chosen):
            chosen.append(crop)
    return tuple(chosen)
