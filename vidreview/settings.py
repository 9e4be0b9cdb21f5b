"""Validated scan settings, their defaults, and the canonical form that is recorded with each run."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from vidreview.errors import UsageError


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """Everything that alters what a scan finds; two scans with equal settings, model and exhibit find the same."""

    #: longest side of what the detector is fed, pixels, a multiple of 32
    detect_size: int = 640
    #: seconds between looks of the detector while something new or unsettled moves
    detect_every_s: float = 0.3
    #: seconds between looks while all that moves is known, at most
    settled_every_s: float = 1.0
    #: seconds between looks whatever the motion gate says
    idle_every_s: float = 120.0
    #: a detection at or above this starts a track
    high_score: float = 0.4
    #: a detection at or above this may continue one; weaker ones are dropped by the detector
    low_score: float = 0.1
    #: events of one class whose gap is at most this are one event, seconds
    merge_gap_s: float = 1.0
    #: tracks shorter than this are kept but are not events, seconds
    min_track_s: float = 0.3
    #: a motion track must last and travel this long before it is an event, seconds
    min_motion_s: float = 1.0
    #: change that counts as motion, in multiples of a block's own noise
    motion_threshold: float = 4.5

    def __post_init__(self) -> None:
        for spec in fields(self):
            value = getattr(self, spec.name)
            if not isinstance(value, int | float) or isinstance(value, bool) or value != value:
                raise UsageError(f"setting {spec.name} must be a number, not {value!r}")
            if value < 0:
                raise UsageError(f"setting {spec.name} must not be negative, but is {value}")
            if math.isinf(value):
                raise UsageError(f"setting {spec.name} must be finite, but is {value}")
            kind = int if isinstance(spec.default, int) else float
            if kind(value) != value:
                raise UsageError(f"setting {spec.name} must be a whole number, but is {value}")
            # 1 and 1.0 are one setting: written alike, they are known again
            object.__setattr__(self, spec.name, kind(value))
        if self.detect_size < 64 or self.detect_size % 32 or self.detect_size > 4096:
            raise UsageError(f"setting detect_size must be a multiple of 32 from 64 to 4096, but is {self.detect_size}")
        if not self.low_score <= self.high_score <= 1:
            raise UsageError("settings low_score and high_score must satisfy low_score <= high_score <= 1")
        if self.idle_every_s <= 0 or self.motion_threshold <= 0:
            raise UsageError("settings idle_every_s and motion_threshold must be above 0")

    def canonical(self) -> str:
        """The settings as JSON with sorted keys: equal settings give equal text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def sha256(self) -> str:
        """SHA-256 of the canonical form."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def load_settings(path: Path | None = None, **changes: Any) -> ScanSettings:
    """Settings from a TOML file (table ``[scan]`` or top level), with ``changes`` that are not None on top.

    Raises UsageError for an unreadable file, an unknown name or a bad value.
    """
    given: dict[str, Any] = {}
    if path is not None:
        try:
            given = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"cannot read settings from {path}: {error.strerror}") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"cannot read settings from {path}: not TOML: {error}") from error
        given = given.get("scan", given)
        if not isinstance(given, dict):
            raise UsageError(f"settings in {path}: scan must be a table, [scan], not {given!r}")
    given.update({name: value for name, value in changes.items() if value is not None})
    known = {spec.name for spec in fields(ScanSettings)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise UsageError(f"unknown setting {unknown[0]!r}; known ones are: {', '.join(sorted(known))}")
    return replace(ScanSettings(), **given)
