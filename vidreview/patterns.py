"""Patterns of names as people write them, with * ? [ ], that mean the same in SQLite and in Python.

SQLite turns a class around with ``[^a]``, Python's fnmatch with ``[!a]``; each takes the other's sign for one more
character of the class, so that ``[!a]*`` would list just what it is to leave out. Here both signs mean all but these.
"""

from __future__ import annotations

from fnmatch import fnmatchcase


def glob_of(pattern: str) -> str:
    """The pattern for GLOB of SQLite; a bracket that is never closed is that character itself."""
    return "".join(f"[{'^' if turned else ''}{kept}]" if kept else piece for piece, turned, kept in _pieces(pattern))


def matches(text: str, pattern: str) -> bool:
    """True when a text is what a pattern means; upper and lower case differ."""
    parts = (f"[{'!' if turned else ''}{kept}]" if kept else piece for piece, turned, kept in _pieces(pattern))
    return fnmatchcase(text, "".join(parts))


def _pieces(pattern: str) -> list[tuple[str, bool, str]]:
    """Characters outside of classes, and of each class whether it is turned around and its characters."""
    found: list[tuple[str, bool, str]] = []
    at = 0
    while at < len(pattern):
        piece, turned, kept = pattern[at], False, ""
        at += 1
        if piece == "[":
            turned = pattern[at : at + 1] in ("!", "^")
            first = at + turned
            end = pattern.find("]", first + 1)  # one that comes first is a character of the class
            if end < 0:
                turned, kept = False, "["
            else:
                kept, at = pattern[first:end], end + 1
        found.append((piece, turned, kept))
    return found
