"""Synthetic surveillance: seeded scenes for the motion gate, each a stream of (luma, seconds).

A scene is a textured street that the camera sees, things that stand or move in it, the light that falls on all of that,
the sensor's noise, and what the recorder burns in. The same arguments give the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Canvas = NDArray[np.float32]
Box = tuple[float, float, float, float]
#: paints one instant onto the picture, in place
Layer = Callable[[Canvas, float], None]

#: level of the road, where walkers walk
ROAD = 110.0
#: the street reaches this far beyond the picture, so that a trembling camera sees more of it
MARGIN = 8


def street(width: int, height: int, seed: int = 1) -> Canvas:
    """Walls with windows above, a road below, all with texture; larger than the picture by MARGIN each side."""
    rng = np.random.default_rng(seed)
    w, h = width + 2 * MARGIN, height + 2 * MARGIN
    out = np.full((h, w), ROAD, np.float32)
    wall = h * 2 // 5
    x = 0
    while x < w:
        wide = int(rng.integers(w // 12, w // 5))
        out[:wall, x : x + wide] = rng.uniform(60, 190)
        for y in range(wall // 8, wall - wall // 6, max(6, wall // 4)):
            for left in range(x + 6, min(w, x + wide) - 10, max(12, wide // 4)):
                out[y : y + max(4, wall // 8), left : left + max(4, wide // 10)] = rng.uniform(20, 230)
        x += wide
    out += _texture(rng, w, h, 5) * 8 + _texture(rng, w, h, 1) * 3
    return np.clip(out, 0, 255)


def _texture(rng: np.random.Generator, width: int, height: int, grain: int) -> Canvas:
    """Noise of about unit deviation whose patches are ``grain`` pixels large."""
    small = rng.normal(0, 1, (height // grain + 2, width // grain + 2)).astype(np.float32)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32)


# -- what is in the scene ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Walker:
    """A figure ``tall`` pixels high that walks from (x, feet) with its legs swinging; ``level`` is its grey."""

    x: float
    feet: float
    tall: float
    speed: float
    from_s: float
    to_s: float
    level: float = ROAD - 40

    def here(self, t: float) -> bool:
        """Whether it is in the scene."""
        return self.from_s <= t < self.to_s

    def box(self, t: float) -> Box:
        """Where it is, xyxy."""
        x = self.x + self.speed * (t - self.from_s)
        return x - 0.2 * self.tall, self.feet - self.tall, x + 0.2 * self.tall, self.feet

    def __call__(self, picture: Canvas, t: float) -> None:
        if not self.here(t):
            return
        x1, top, x2, feet = self.box(t)
        x, tall = (x1 + x2) / 2, self.tall
        swing = 0.17 * tall * float(np.sin(2 * np.pi * 0.9 * t))
        thick = max(1, round(0.11 * tall))
        hip = _at(x, feet - 0.48 * tall)
        for side in (-1, 1):
            cv2.line(picture, hip, _at(x + side * swing, feet - thick / 2), self.level, thick, cv2.LINE_4, 4)
        _oval(picture, x, feet - 0.64 * tall, 0.14 * tall, 0.22 * tall, self.level)
        _oval(picture, x, top + 0.09 * tall, 0.07 * tall, 0.09 * tall, self.level)


@dataclass(frozen=True)
class Thing:
    """A plain thing of one grey that is there from one moment to another."""

    box: Box
    from_s: float
    to_s: float = float("inf")
    level: float = 60.0

    def __call__(self, picture: Canvas, t: float) -> None:
        if self.from_s <= t < self.to_s:
            x1, y1, x2, y2 = (round(v) for v in self.box)
            picture[y1:y2, x1:x2] = self.level
            picture[(y1 + y2) // 2, x1:x2] = self.level + 30


@dataclass(frozen=True)
class Leaves:
    """A tree's foliage, strong in contrast, that sways by up to ``reach`` pixels, not all of it alike."""

    box: Box
    reach: float
    seed: int = 2

    def __call__(self, picture: Canvas, t: float) -> None:
        x1, y1, x2, y2 = (round(v) for v in self.box)
        rng = np.random.default_rng(self.seed)
        foliage = 90 + 35 * _texture(rng, x2 - x1, y2 - y1, 6)
        phase = 2 * _texture(rng, x2 - x1, y2 - y1, 40)
        y, x = np.mgrid[0 : y2 - y1, 0 : x2 - x1].astype(np.float32)
        gust = self.reach * (0.6 + 0.4 * np.sin(2 * np.pi * t / 7))
        moved = (x + gust * np.sin(2 * np.pi * 0.7 * t + phase)).astype(np.float32)
        bobbed = (y + 0.5 * gust * np.sin(2 * np.pi * 0.9 * t + 2 * phase)).astype(np.float32)
        picture[y1:y2, x1:x2] = cv2.remap(foliage, moved, bobbed, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


@dataclass(frozen=True)
class Rain:
    """Bright streaks, each there for one frame."""

    streaks: int
    seed: int = 3

    def __call__(self, picture: Canvas, t: float) -> None:
        rng = np.random.default_rng((self.seed, round(t * 1000)))
        height, width = picture.shape
        fall = np.zeros_like(picture)
        for _ in range(self.streaks):
            x, y, long = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.03, 0.09) * height
            cv2.line(fall, _at(x, y), _at(x + 0.1 * long, y + long), rng.uniform(15, 50), 1, cv2.LINE_4, 4)
        picture += fall


@dataclass(frozen=True)
class Insect:
    """A large bright blur that darts past the lens every ``every_s`` seconds, for 0.6 s."""

    every_s: float
    seed: int = 4

    def here(self, t: float) -> bool:
        """Whether it is in the picture."""
        return t % self.every_s < 0.6 and t >= self.every_s

    def __call__(self, picture: Canvas, t: float) -> None:
        if not self.here(t):
            return
        height, width = picture.shape
        rng = np.random.default_rng((self.seed, int(t // self.every_s)))
        begin, end = rng.uniform(0, 1, 2), rng.uniform(0, 1, 2)
        place = begin + (end - begin) * (t % self.every_s) / 0.6
        _glow(picture, place[0] * width, place[1] * height, 0.05 * width, 0.05 * width, 70.0)


@dataclass(frozen=True)
class Headlights:
    """A pool of light that sweeps across in ``pass_s`` seconds, every ``every_s`` seconds."""

    every_s: float
    pass_s: float = 3.0

    def here(self, t: float) -> bool:
        """Whether it falls on the scene."""
        return t % self.every_s < self.pass_s and t >= self.every_s

    def __call__(self, picture: Canvas, t: float) -> None:
        if self.here(t):
            height, width = picture.shape
            _glow(picture, width * (t % self.every_s) / self.pass_s, 0.6 * height, 0.1 * width, 0.12 * height, 80.0)


def _at(x: float, y: float) -> tuple[int, int]:
    """A point for OpenCV's drawing, in sixteenths of a pixel."""
    return round(x * 16), round(y * 16)


def _oval(picture: Canvas, x: float, y: float, wide: float, tall: float, level: float) -> None:
    axes = (max(8, round(wide * 16)), max(8, round(tall * 16)))
    cv2.ellipse(picture, _at(x, y), axes, 0, 0, 360, level, -1, cv2.LINE_4, 4)


def _glow(picture: Canvas, x: float, y: float, wide: float, tall: float, strength: float) -> None:
    across = np.exp(-(((np.arange(picture.shape[1]) - x) / wide) ** 2) / 2)
    down = np.exp(-(((np.arange(picture.shape[0]) - y) / tall) ** 2) / 2)
    picture += (strength * down[:, None] * across[None, :]).astype(np.float32)


# -- light ------------------------------------------------------------------------------------------------------------


def ramp(from_s: float, to_s: float, gain: float, offset: float) -> Layer:
    """Exposure that changes steadily between two moments, or at once where they are one."""

    def light(picture: Canvas, t: float) -> None:
        done = float(np.clip((t - from_s) / max(1e-9, to_s - from_s), 0, 1))
        picture *= 1 + (gain - 1) * done
        picture += offset * done

    return light


def lights_off(from_s: float, to_s: float) -> Layer:
    """Between two moments the lamps are out: little is left, from elsewhere."""

    def light(picture: Canvas, t: float) -> None:
        if from_s <= t < to_s:
            height, width = picture.shape
            picture *= 0.25
            _glow(picture, 0.8 * width, 0.3 * height, 0.2 * width, 0.2 * height, 20.0)

    return light


def infrared(from_s: float) -> Layer:
    """The camera goes over to infra-red: other surfaces are bright, and its lamp lights the middle."""

    def light(picture: Canvas, t: float) -> None:
        if t >= from_s:
            height, width = picture.shape
            picture *= -0.45
            picture += 140
            _glow(picture, width / 2, height / 2, width / 3, height / 3, 40.0)

    return light


# -- what the recorder adds -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clock:
    """Date and time burned in at (x, y), going on each second; ``late_s`` is the phase at which it does."""

    x: int
    y: int
    scale: float = 0.6
    late_s: float = 0.3

    def box(self) -> Box:
        """The whole text, xyxy."""
        (wide, tall), _ = cv2.getTextSize(self._text(0), cv2.FONT_HERSHEY_SIMPLEX, self.scale, 1)
        return self.x, self.y - tall - 2, self.x + wide, self.y + 4

    def __call__(self, picture: Pixels, t: float) -> None:
        place = (self.x, self.y)
        cv2.putText(picture, self._text(t), place, cv2.FONT_HERSHEY_SIMPLEX, self.scale, 0, 3)
        cv2.putText(picture, self._text(t), place, cv2.FONT_HERSHEY_SIMPLEX, self.scale, 255, 1)

    def _text(self, t: float) -> str:
        second = int(t - self.late_s + 1) + 42
        return f"2026-03-14 08:{15 + second // 60:02d}:{second % 60:02d}"


@dataclass(frozen=True)
class Pulse:
    """Key frames every ``every_s`` seconds: the picture is sharper on them and blurs until the next."""

    every_s: float = 1.0

    def __call__(self, picture: Pixels, t: float) -> None:
        age = t % self.every_s
        if age > 0.02:
            blurred = cv2.GaussianBlur(picture, (0, 0), 0.8 + 0.6 * age / self.every_s)
            picture[:] = blurred


# -- the whole --------------------------------------------------------------------------------------------------------


@dataclass
class Scene:
    """Everything about one synthetic recording; iterating over ``frames()`` renders it."""

    width: int = 640
    height: int = 360
    fps: float = 10.0
    length_s: float = 20.0
    #: deviation of the sensor's noise, levels
    noise: float = 2.0
    #: deviation of the camera's own movement, pixels
    tremble: float = 0.0
    #: share by which the time between frames varies
    jitter: float = 0.0
    things: Sequence[Layer] = ()
    light: Sequence[Layer] = ()
    burned_in: Sequence[Callable[[Pixels, float], None]] = ()
    seed: int = 1

    def frames(self) -> Iterator[tuple[Pixels, float]]:
        """The recording, frame by frame."""
        rng = np.random.default_rng(self.seed + 1000)
        wide = street(self.width, self.height, self.seed)
        pool = [rng.normal(0, self.noise, (self.height + 64, self.width + 64)).astype(np.float32) for _ in range(5)]
        sway = np.zeros(2)
        for t in self.times(rng):
            sway = 0.7 * sway + 0.71 * rng.normal(0, self.tremble, 2) if self.tremble else sway
            centre = np.clip(sway, -2, 2) + MARGIN - 0.5 + np.array([self.width / 2, self.height / 2])
            size, middle = (self.width, self.height), (float(centre[0]), float(centre[1]))
            picture: Canvas = cv2.getRectSubPix(wide, size, middle).astype(np.float32, copy=False)
            for thing in self.things:
                thing(picture, t)
            for light in self.light:
                light(picture, t)
            dy, dx = rng.integers(0, 64, 2)
            picture += pool[int(rng.integers(0, 5))][dy : dy + self.height, dx : dx + self.width]
            luma = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
            for burn in self.burned_in:
                burn(luma, t)
            yield luma, t

    def times(self, rng: np.random.Generator) -> Iterator[float]:
        """Seconds of each frame."""
        t = 0.0
        while t < self.length_s:
            yield t
            t += (1 + self.jitter * rng.uniform(-1, 1)) / self.fps


def coded(scene: Scene, crf: int) -> Iterator[tuple[Pixels, float]]:
    """The frames of a scene as they come back from H.264 with a key frame each second, as views of its planes."""
    file = io.BytesIO()
    tick = Fraction(1, 1000)
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("libx264", rate=Fraction(scene.fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = scene.width, scene.height, "yuv420p"
        stream.gop_size = round(scene.fps)
        stream.options = {"crf": str(crf), "preset": "veryfast", "sc_threshold": "0", "bf": "0", "threads": "1"}
        for luma, t in scene.frames():
            grey = np.full((scene.height * 3 // 2, scene.width), 128, np.uint8)
            grey[: scene.height] = luma
            frame = av.VideoFrame.from_ndarray(grey, "yuv420p")
            frame.pts, frame.time_base = round(t * 1000), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as recording:
        for picture in recording.decode(video=0):
            first = picture.planes[0]
            plane = np.frombuffer(memoryview(first), np.uint8).reshape(-1, first.line_size)
            yield plane[: scene.height, : scene.width], float(picture.time or 0.0)
