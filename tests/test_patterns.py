"""Patterns of names mean the same wherever they are used: in SQLite, in Python, in `regions.toml`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import Result
from tests.test_index import RECORD
from tests.test_index import track as small_track
from tests.test_search import add_exhibit
from vidreview.index import Case
from vidreview.patterns import glob_of, matches
from vidreview.regions import Camera

Cli = Callable[..., Result]

#: pattern → which of NAMES it means
NAMES = ("cam1.mp4", "cam2.mp4", "[1].mp4", "!am.mp4", "^am.mp4", "a]b", "Cam1.mp4")
MEANT = {
    "cam?.mp4": ("cam1.mp4", "cam2.mp4"),
    "cam[!1].mp4": ("cam2.mp4",),
    "cam[^1].mp4": ("cam2.mp4",),
    "[!c]am*": ("!am.mp4", "^am.mp4", "Cam1.mp4"),
    "[^c]am*": ("!am.mp4", "^am.mp4", "Cam1.mp4"),
    "[c!]am*": ("cam1.mp4", "cam2.mp4", "!am.mp4"),
    "a[]x]b": ("a]b",),
    "[[]1].mp4": ("[1].mp4",),
    "[1": (),
    "[*": ("[1].mp4",),
    "*[!]": (),
}


@pytest.mark.parametrize("pattern", MEANT)
def test_a_pattern_means_what_people_write(pattern: str) -> None:
    assert tuple(name for name in NAMES if matches(name, pattern)) == MEANT[pattern]
    assert tuple(name for name in NAMES if Camera("a", (pattern,)).has(name, "/", 0)) == MEANT[pattern]


@given(st.text("ab]-[!^*?", max_size=6), st.text("ab]-[!^", max_size=6))
def test_sqlite_and_python_agree_on_every_pattern(pattern: str, name: str) -> None:
    db = sqlite3.connect(":memory:")
    (found,) = db.execute("SELECT ? GLOB ?", (name, glob_of(pattern))).fetchone()
    db.close()
    assert bool(found) == matches(name, pattern)


@pytest.mark.parametrize(
    ("pattern", "found"), [("cam[!1]*", ["E0002"]), ("cam[^1]*", ["E0002"]), ("[!x]*1.mp4", ["E0001"])]
)
@pytest.mark.parametrize("option", ["--exhibit", "--camera"])
def test_a_class_turned_around_leaves_out_what_it_names(
    tmp_path: Path, cli: Cli, option: str, pattern: str, found: list[str]
) -> None:
    """SQLite takes the ! of [!1] for one more character: what was to be left out was what was listed."""
    with Case.open(tmp_path, create=True) as case:
        run = case.begin_run(RECORD)
        for number in (1, 2):
            add_exhibit(case, run, number, [small_track(5, 20)])
    result = cli("events", "--case", tmp_path, "--json", option, pattern)
    assert [item["id"] for item in json.loads(result.out)] == found
