"""Render the sample footage and its truth: python sample_data/generate.py OUTDIR.

One minute of a street seen by a fixed camera: people, a bus and a ball cross at known times, quiet spans lie between,
the sensor is noisy and a clock is burned in. The same versions of the libraries give the same frames; truth.json holds
the SHA-256 of the frames before encoding.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cutouts
from cutouts import Pixels, Sprite

WIDTH, HEIGHT = 960, 540
RATE = 15
FRAMES = 60 * RATE
SEED = 20260314
#: what the burned-in clock shows on the first frame; ten minutes wrong like many a recorder's, but nobody knows
CLOCK = datetime(2026, 3, 14, 8, 15, 0)  # noqa: DTZ001 - a recorder's clock has no zone
#: an object shows once this many of its pixels lie inside the picture
SHOWS_PX = 40
#: ticks of 1 ms of the variable-rate copy's first frame
VFR_START_MS = 12_345
#: the truncated copy ends within the packet of this frame
CUT_AT = 33 * RATE + 4


@dataclass(frozen=True, slots=True)
class Actor:
    """Something that crosses the picture once, at constant speed, with a little bobbing."""

    #: event class and what a person would call it
    event_class: str
    what: str
    #: one picture a step of its gait; a walker has one, a ball several
    sprites: tuple[Sprite, ...]
    #: first and last frame of the path, which begins and ends just outside the picture
    first: int
    last: int
    rightwards: bool
    #: row of its feet or wheels
    foot: int
    #: pixels up and down, frames a step
    bob: int = 0
    step: int = 8
    shadow: bool = True

    def place(self, frame: int) -> tuple[Sprite, int, int] | None:
        """Sprite and the column and row of its top left corner on this frame, None while it is not there."""
        if not self.first <= frame <= self.last:
            return None
        done = frame - self.first
        sprite = self.sprites[done % len(self.sprites)]
        travelled = (WIDTH + sprite.width) * done // (self.last - self.first)
        left = travelled - sprite.width if self.rightwards else WIDTH - travelled
        phase = done % self.step
        lift = self.bob * min(phase, self.step - phase) * 2 // self.step
        return sprite, left, self.foot - sprite.height - lift


def actors() -> tuple[Actor, ...]:
    """Who crosses, when, from far to near."""
    bus, zidane = cutouts.packaged_picture("bus.jpg"), cutouts.packaged_picture("zidane.jpg")
    light = cutouts.cut(bus, cutouts.LIGHT_COAT, 178)
    dark = cutouts.cut(bus, cutouts.DARK_COAT, 196)
    dark_far = cutouts.cut(bus, cutouts.DARK_COAT, 140).mirrored()
    coach = cutouts.cut(cutouts.bus_alone(bus), cutouts.BUS, 214)
    near = cutouts.cut(zidane, cutouts.POINTING, 236)
    rolling = tuple(cutouts.ball(46, 24 * k) for k in range(15))
    return (
        Actor("person", "a man in a dark coat, far pavement", (dark_far,), 36 * RATE, 42 * RATE, False, 322, 2, 7),
        Actor("vehicle", "a bus", (coach,), 15 * RATE, 19 * RATE, False, 414, 1, 5),
        Actor("person", "a man in a light coat, near pavement", (light,), 4 * RATE, 9 * RATE, True, 480, 3),
        Actor("person", "a man in a dark coat, near pavement", (dark,), 25 * RATE, 30 * RATE, False, 496, 3),
        Actor("motion", "a ball", rolling, 48 * RATE, 51 * RATE, True, 462, 18, 12),
        Actor(
            "person", "a pointing man close to the camera", (near,), 36 * RATE, 41 * RATE, True, 552, 4, shadow=False
        ),
    )


def _speckle(rng: np.random.Generator, shape: tuple[int, int], spread: int, grain: int) -> NDArray[np.int16]:
    """Integer texture of (height, width), between ±spread, in patches of ``grain`` pixels."""
    coarse = rng.integers(0, 256, (shape[0] // grain + 2, shape[1] // grain + 2)).astype(np.uint8)
    fine = cv2.resize(coarse, None, fx=grain, fy=grain, interpolation=cv2.INTER_LINEAR_EXACT)
    return (fine[: shape[0], : shape[1]].astype(np.int16) - 128) * spread // 128


def _textured(picture: Pixels, rng: np.random.Generator, rows: slice, spread: int, grain: int) -> None:
    part = picture[rows]
    grown = part.astype(np.int16) + _speckle(rng, (part.shape[0], WIDTH), spread, grain)[..., None]
    picture[rows] = np.clip(grown, 0, 255).astype(np.uint8)


def street() -> Pixels:
    """The empty scene as (height, width, 3) BGR: sky, facade, two pavements and the road between them."""
    rng = np.random.default_rng(SEED)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for row in range(44):
        picture[row] = (214 - row, 200 - row, 186 - row)
    picture[44:268] = (112, 140, 164)
    picture[268:330] = (142, 146, 148)
    picture[330:430] = (92, 90, 88)
    picture[430:] = (134, 140, 142)
    for rows, spread, grain in (
        (slice(44, 268), 14, 5),
        (slice(268, 330), 12, 3),
        (slice(330, 430), 16, 2),
        (slice(430, 540), 18, 3),
        (slice(44, 540), 14, 60),
    ):
        _textured(picture, rng, rows, spread, grain)
    _draw_facade(picture)
    _draw_ground(picture)
    return cv2.GaussianBlur(picture, (3, 3), 0).astype(np.uint8)


def _draw_facade(picture: Pixels) -> None:
    cv2.rectangle(picture, (0, 40), (WIDTH, 52), (150, 158, 164), -1)  # cornice
    cv2.rectangle(picture, (0, 150), (WIDTH, 156), (140, 150, 158), -1)  # string course
    for column in range(36, WIDTH, 118):
        for top in (70, 176):
            if top == 176 and column in (390, 744):
                continue
            cv2.rectangle(picture, (column - 6, top - 6), (column + 58, top + 62), (168, 176, 182), -1)
            cv2.rectangle(picture, (column, top), (column + 52, top + 56), (64, 58, 52), -1)
            cv2.line(picture, (column, top + 40), (column + 52, top + 12), (92, 86, 78), 6)
            cv2.line(picture, (column + 26, top), (column + 26, top + 56), (176, 182, 186), 3)
            cv2.line(picture, (column, top + 22), (column + 52, top + 22), (176, 182, 186), 3)
    for column, colour in ((390, (52, 74, 44)), (744, (58, 48, 96))):  # doors
        cv2.rectangle(picture, (column - 8, 168), (column + 66, 268), (160, 166, 170), -1)
        cv2.rectangle(picture, (column, 176), (column + 58, 268), colour, -1)
        cv2.rectangle(picture, (column + 8, 186), (column + 50, 214), (88, 84, 78), -1)
        cv2.circle(picture, (column + 50, 232), 3, (150, 190, 200), -1)
    awning = np.array([(488, 160), (724, 160), (736, 178), (476, 178)], np.int32)
    cv2.fillPoly(picture, [awning], (70, 96, 60))


def _draw_ground(picture: Pixels) -> None:
    cv2.rectangle(picture, (0, 326), (WIDTH, 334), (168, 170, 170), -1)  # far kerb
    cv2.rectangle(picture, (0, 424), (WIDTH, 432), (172, 174, 174), -1)  # near kerb
    for column in range(-40, WIDTH, 150):
        mark = np.array([(column, 376), (column + 74, 376), (column + 70, 382), (column - 6, 382)], np.int32)
        cv2.fillPoly(picture, [mark], (178, 182, 182))
    for row in (286, 306):
        cv2.line(picture, (0, row), (WIDTH, row), (126, 130, 132), 1)
    for row in (458, 494, 534):
        cv2.line(picture, (0, row), (WIDTH, row), (116, 122, 124), 1)
    for column in range(-300, WIDTH + 300, 64):
        cv2.line(
            picture, (480 + (column - 480) * 9 // 10, 432), (480 + (column - 480) * 12 // 10, 540), (118, 124, 126), 1
        )


def _mix(picture: Pixels, colour: NDArray[Any], alpha: NDArray[Any], left: int, top: int) -> int:
    """Lay ``colour`` over ``picture`` in place; returns how many opaque pixels lie inside it."""
    x1, y1 = max(0, left), max(0, top)
    x2, y2 = min(WIDTH, left + alpha.shape[1]), min(HEIGHT, top + alpha.shape[0])
    if x1 >= x2 or y1 >= y2:
        return 0
    cover = alpha[y1 - top : y2 - top, x1 - left : x2 - left]
    part = colour[y1 - top : y2 - top, x1 - left : x2 - left].astype(np.uint32)
    weight = cover.astype(np.uint32)[..., None]
    below = picture[y1:y2, x1:x2].astype(np.uint32)
    picture[y1:y2, x1:x2] = ((part * weight + below * (255 - weight) + 127) // 255).astype(np.uint8)
    return int(np.count_nonzero(cover >= 128))


def _cast_shadow(picture: Pixels, sprite: Sprite, left: int, foot: int) -> None:
    wide, tall = sprite.width * 9 // 10, max(8, sprite.width // 7)
    alpha = np.zeros((tall * 2, wide + 2 * tall), np.uint8)
    cv2.ellipse(alpha, (wide // 2 + tall, tall), (wide // 2, tall // 2), 0, 0, 360, 110, -1)
    alpha = cv2.GaussianBlur(alpha, (9, 9), 0).astype(np.uint8)
    _mix(
        picture, np.zeros((*alpha.shape, 3), np.uint8), alpha, left - tall + sprite.width // 20, foot - tall - tall // 3
    )


def _burn_clock(picture: Pixels, frame: int) -> None:
    text = (CLOCK + timedelta(seconds=frame // RATE)).strftime("%Y-%m-%d %H:%M:%S")
    for label, left in ((text, 16), ("CAM 03", 860)):
        for right, down in ((-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0)):
            colour = (240, 240, 240) if right == 0 else (16, 16, 16)
            cv2.putText(picture, label, (left + right, 28 + down), cv2.FONT_HERSHEY_DUPLEX, 0.7, colour, 1)


def frames(cast: tuple[Actor, ...], shown: list[list[int]] | None = None) -> Iterator[Pixels]:
    """The scene's frames in order, (height, width, 3) BGR.

    ``shown``, one list for each actor, gets the number of every frame on which that actor shows.
    """
    empty = street()
    rng = np.random.default_rng(SEED + 1)
    # sums of small integers instead of a normal distribution: no platform rounds them differently
    noise = sum(rng.integers(-2, 3, (16, HEIGHT, WIDTH)).astype(np.int8) for _ in range(3))
    shifts = rng.integers(0, (16, HEIGHT, WIDTH), (FRAMES, 3))
    for number in range(FRAMES):
        picture = empty.copy()
        for index, actor in enumerate(cast):
            placed = actor.place(number)
            if placed is None:
                continue
            sprite, left, top = placed
            if actor.shadow:
                _cast_shadow(picture, sprite, left, actor.foot)
            pixels = _mix(picture, sprite.bgr, sprite.alpha, left, top)
            if shown is not None and pixels >= SHOWS_PX:
                shown[index].append(number)
        field, down, right = (int(v) for v in shifts[number])
        grain = np.roll(np.asarray(noise)[field], (down, right), (0, 1)).astype(np.int16)
        picture = np.clip(picture.astype(np.int16) + grain[..., None], 0, 255).astype(np.uint8)
        _burn_clock(picture, number)
        yield picture


def irregular_times() -> dict[int, int]:
    """Frame number → PTS in milliseconds of the variable-rate copy, dropped and stamped as by a busy recorder."""
    rng = np.random.default_rng(SEED + 2)
    times: dict[int, int] = {}
    number = 0
    while number < FRAMES:
        jitter = int(rng.integers(-12, 13)) if times else 0
        times[number] = VFR_START_MS + number * 1000 // RATE + jitter
        number += int(rng.choice([1, 1, 1, 2, 2, 3, 4]))
    return times


class Recording:
    """An H.264 file under the hand of one encoder thread, so that its bytes do not depend on the machine's cores."""

    def __init__(self, path: Path, time_base: Fraction, options: dict[str, str]) -> None:
        self._container = av.open(str(path), "w", options=options)
        self._time_base = time_base
        self._stream = self._container.add_stream("libx264", rate=RATE)
        self._stream.width, self._stream.height, self._stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        self._stream.codec_context.time_base = time_base
        self._stream.codec_context.thread_count = 1
        self._stream.options = {"crf": "27", "preset": "medium", "g": "45", "bf": "0"}

    def write(self, picture: Pixels, pts: int) -> None:
        """Encode one picture shown at ``pts`` ticks."""
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = pts, self._time_base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Flush and finish the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


def truncate(source: Path, target: Path, packet: int) -> None:
    """The first bytes of ``source``, ending in the middle of its packet number ``packet``; its index stays whole."""
    with av.open(str(source)) as container:
        places = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    position, size = places[packet]
    if position is None:
        raise SystemExit(f"{source}: packets have no position; cannot cut it")
    target.write_bytes(source.read_bytes()[: position + size // 2])


def _events(cast: tuple[Actor, ...], shown: list[list[int]], seconds: dict[int, float]) -> list[dict[str, Any]]:
    """Truth of one clip, whose frame k is presented at ``seconds[k]``; frames it lacks are not in it."""
    events = []
    for actor, numbers in zip(cast, shown, strict=True):
        at = [seconds[k] for k in numbers if k in seconds]
        if at:
            start, end = round(min(at), 3), round(max(at), 3)
            events.append({"class": actor.event_class, "start_s": start, "end_s": end, "what": actor.what})
    return sorted(events, key=lambda event: (event["start_s"], event["end_s"]))


def generate(folder: Path) -> dict[str, Any]:
    """Write the three clips and truth.json into ``folder``; returns the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    cast = actors()
    shown: list[list[int]] = [[] for _ in cast]
    times = irregular_times()
    regular = Recording(folder / "street.mp4", Fraction(1, RATE), {"movflags": "+faststart", "fflags": "+bitexact"})
    variable = Recording(folder / "street_vfr.mkv", Fraction(1, 1000), {"fflags": "+bitexact"})
    digest = hashlib.sha256()
    for number, picture in enumerate(frames(cast, shown)):
        digest.update(picture.tobytes())
        regular.write(picture, number)
        if number in times:
            variable.write(picture, times[number])
    regular.close()
    variable.close()
    truncate(folder / "street.mp4", folder / "street_truncated.mp4", CUT_AT)

    def clip(seconds: dict[int, float], notes: str) -> dict[str, Any]:
        return {"events": _events(cast, shown, seconds), "frames": len(seconds), "notes": notes}

    even = {k: k / RATE for k in range(FRAMES)}
    truth: dict[str, Any] = {
        "about": "Where each thing shows in the rendered street. Seconds count from the clip's first frame. "
        "class motion: it moves, and no detector is expected to name it.",
        "frames_sha256": digest.hexdigest(),
        "street.mp4": clip(even, "15 frames/s; burned-in clock top left, quiet spans of 6 s or more between events"),
        "street_vfr.mkv": clip(
            {k: (ms - VFR_START_MS) / 1000 for k, ms in times.items()},
            "the same scene, frames dropped and stamped irregularly, first PTS 12.345 s",
        ),
        "street_truncated.mp4": clip(
            {k: s for k, s in even.items() if k < CUT_AT},
            "the first bytes of street.mp4; its index still promises 60 s, the pictures end at 33.2 s",
        )
        | {"partly_readable": True},
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


def main() -> None:
    """Write into the folder named on the command line."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise SystemExit("usage: python sample_data/generate.py OUTDIR")
    folder = Path(sys.argv[1])
    generate(folder)
    for path in sorted(folder.glob("street*")):
        print(f"{path}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
