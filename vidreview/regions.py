"""``regions.toml``: which exhibits are which camera's, and the regions and lines that people drew on its picture.

[cameras."front door"]
exhibits = ["front*.mp4", "/evidence/NMC-1/cam2/*"]   # names or paths, with * ? [ ]
streams = [0]                                         # optional: indexes within the container
picture = "shown"                                     # or "stored": drawn on a still that was not turned
regions.gate = "10%,20%,40%,20%,40%,80%,10%,80%"
lines.kerb = [0, 400, 1280, 380]                      # pixels
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from vidreview.errors import UsageError
from vidreview.patterns import matches
from vidreview.shapes import Corner, Drawn, parse_line, parse_region, upright_corners, upright_size

#: its place in a case folder
FILE: Final = "regions.toml"
#: bytes; a larger one was not written by a hand
_LARGEST: Final = 4 << 20
_KEYS: Final = ("exhibits", "streams", "picture", "regions", "lines")


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera as ``regions.toml`` describes it."""

    name: str
    #: names or paths of exhibits, or patterns with * ? [ ]
    exhibits: tuple[str, ...]
    #: indexes within the container; empty for all
    streams: tuple[int, ...] = ()
    #: the shapes were drawn on the stored picture, not on the one that players turn
    stored: bool = False
    regions: Mapping[str, Drawn] = field(default_factory=dict)
    lines: Mapping[str, Drawn] = field(default_factory=dict)

    def has(self, exhibit: str, path: Path | str, stream: int) -> bool:
        """True when a stream of an exhibit is this camera's."""
        if self.streams and stream not in self.streams:
            return False
        texts = (exhibit, os.fspath(path))
        return any(text == pattern or matches(text, pattern) for pattern in self.exhibits for text in texts)

    def corners(self, drawn: Drawn, width: int, height: int, rotation: int) -> tuple[Corner, ...]:
        """A shape of this camera in pixels of the upright picture of a stream, given its stored size."""
        if self.stored:
            return upright_corners(drawn, width, height, rotation)
        return drawn.on(*upright_size(width, height, rotation))

    def fits(self, drawn: Drawn, width: int, height: int, rotation: int) -> bool:
        """True when no corner of a shape lies outside the picture of a stream, given its stored size."""
        return drawn.fits(*((width, height) if self.stored else upright_size(width, height, rotation)))


@dataclass(frozen=True, slots=True)
class Regions:
    """What a ``regions.toml`` says; without one, nothing."""

    #: in the order of the file
    cameras: tuple[Camera, ...] = ()
    #: where it was read, None without one
    path: Path | None = None

    def camera(self, exhibit: str, path: Path | str, stream: int) -> Camera | None:
        """The camera that a stream is of, None when no one said; raises UsageError when it is said to be of two."""
        found = [camera for camera in self.cameras if camera.has(exhibit, path, stream)]
        if len(found) > 1:
            raise UsageError(
                f"{self.path}: exhibit {exhibit!r} stream {stream} is of camera {found[0].name!r} and of camera "
                f"{found[1].name!r}; make their exhibits or streams narrower"
            )
        return found[0] if found else None

    def camera_of(self, exhibit: str, path: Path | str, stream: int, several: bool = False) -> str:
        """The name of the camera of a stream; by default the exhibit's, with ``#stream`` where it has ``several``."""
        camera = self.camera(exhibit, path, stream)
        if camera is not None:
            return camera.name
        return f"{exhibit}#{stream}" if several else exhibit


def load_regions(path: Path) -> Regions:
    """Read a ``regions.toml``; raises UsageError that names file, camera and key for what is wrong with it."""
    document = _read(path)
    for key in document:
        if key != "cameras":
            raise UsageError(f'{path}: unknown key {key!r}; cameras are tables, [cameras."front door"]')
    cameras = document.get("cameras", {})
    if not isinstance(cameras, dict):
        raise UsageError(f'{path}: cameras must be tables, [cameras."front door"]')
    return Regions(tuple(_camera(path, name, table) for name, table in cameras.items()), path)


def case_regions(case: Path, file: Path | None = None) -> Regions:
    """The regions of a case: those of ``file``, else of ``regions.toml`` in the case folder, else none."""
    if file is not None:
        return load_regions(file)
    inside = case / FILE
    return load_regions(inside) if os.path.lexists(inside) else Regions()


def _read(path: Path) -> dict[str, Any]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"cannot read regions from {path}: it is not a file")
        if status.st_size > _LARGEST:
            raise UsageError(f"cannot read regions from {path}: {status.st_size} bytes are more than regions take")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read regions from {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"cannot read regions from {path}: not TOML: {error}") from error


def _camera(path: Path, name: str, table: object) -> Camera:
    where = f"{path}: camera {name!r}"
    if not name.strip():
        raise UsageError(f"{where}: a camera needs a name")
    if not isinstance(table, dict):
        raise UsageError(f"{where}: must be a table with the keys {', '.join(_KEYS)}")
    for key in table:
        if key not in _KEYS:
            raise UsageError(f"{where}: unknown key {key!r}; known ones are: {', '.join(_KEYS)}")
    return Camera(
        name,
        _patterns(where, table),
        _streams(where, table),
        _picture(where, table) == "stored",
        {key: parse_region(given, f"{where}, region {key!r}", key) for key, given in _shapes(where, table, "regions")},
        {key: parse_line(given, f"{where}, line {key!r}", key) for key, given in _shapes(where, table, "lines")},
    )


def _patterns(where: str, table: Mapping[str, Any]) -> tuple[str, ...]:
    given = table.get("exhibits")
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, list) or not patterns or not all(isinstance(one, str) and one for one in patterns):
        raise UsageError(f'{where}: exhibits must list names, paths or patterns, exhibits = ["front*.mp4"]')
    return tuple(patterns)


def _streams(where: str, table: Mapping[str, Any]) -> tuple[int, ...]:
    given = table.get("streams", [])
    if not isinstance(given, list) or not all(type(one) is int and one >= 0 for one in given):
        raise UsageError(f"{where}: streams must list indexes within the container, streams = [0, 1]")
    return tuple(given)


def _picture(where: str, table: Mapping[str, Any]) -> str:
    given = table.get("picture", "shown")
    if given not in ("shown", "stored"):
        raise UsageError(
            f'{where}: picture = {given!r}; it is "shown", as players turn it, or "stored", as stills are kept'
        )
    return str(given)


def _shapes(where: str, table: Mapping[str, Any], key: str) -> Iterator[tuple[str, object]]:
    given = table.get(key, {})
    if not isinstance(given, dict):
        raise UsageError(f"{where}: {key} must be a table of shapes by name, {key}.gate = …")
    for name, shape in given.items():
        # a name that could be read as coordinates, or has the comma of --path, could not be asked for
        if not name.strip() or "," in name or name[0].isdigit():
            raise UsageError(f"{where}, {key} {name!r}: a name begins with no digit and has no comma")
        yield name, shape
