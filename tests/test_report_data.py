"""The data files of a report hold hostile text harmlessly, and say what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.reports import HOSTILE, synthetic, value_of, write_synthetic
from vidreview.report.data import plain, script, text_of


def test_no_text_ends_the_script_that_holds_it() -> None:
    """Whatever a name is, the script holds no character that HTML or JavaScript gives a meaning in it."""
    written = script("VIDREVIEW", plain(list(HOSTILE))).decode()
    head, body = written.split(" = ", 1)
    assert head == "window.VIDREVIEW"
    assert not set(body) & set("<>&\u2028\u2029\x1b\u202e")
    assert value_of(written)[:3] == list(HOSTILE[:3])


@pytest.mark.parametrize(
    "text", ["'", "\\", "\\'", "');alert(1);('", "\\\\');alert(1)//", '"', "\n\r\t", "\u2028", "\\u0027"]
)
def test_no_text_ends_the_string_that_holds_it(text: str) -> None:
    written = script("X", [text]).decode()
    body = written.removeprefix("window.X = JSON.parse('").removesuffix("');\n")
    assert not re.search(r"(?<!\\)(?:\\\\)*'", body), "a quote with nothing before it that makes it text"
    assert "\n" not in body
    assert value_of(written) == [text]


def test_odd_bytes_and_turned_text_are_shown_as_what_they_are() -> None:
    """A byte that is no UTF-8, an escape of a terminal and a character that turns text around can be read."""
    assert text_of("caf\udce9 \u202egpj.exe\x1b[31m") == "caf\\xe9 \\u202egpj.exe\\x1b[31m"
    assert text_of("Straße 北京 é") == "Straße 北京 é"


def test_numbers_that_json_has_not_are_refused() -> None:
    """A browser would stop at NaN and show nothing at all."""
    with pytest.raises(ValueError, match="Out of range"):
        script("X", [float("nan")])


def test_a_synthetic_report_can_be_read_back(tmp_path: Path) -> None:
    """The generator that the browser tests use writes what its values say, pictures included."""
    write_synthetic(tmp_path, 200)
    text = (tmp_path / "data" / "events.js").read_text(encoding="utf-8")
    events = value_of(text)
    assert events == synthetic(200)[1]
    assert len({event["id"] for event in events}) == 200
    assert {event["exhibit"] for event in events} == {text_of(name) for name in HOSTILE}
    named = {event[key] for event in events for key in ("thumb",) if event[key]}
    assert named
    assert all((tmp_path / name).is_file() for name in named)
