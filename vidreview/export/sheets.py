"""CSV that a spreadsheet opens, and whose text it never runs: the escape, the other way round, and the files.

A text that a spreadsheet would take for a formula gets an apostrophe before the sign that makes it one, as OWASP's "CSV
Injection" asks for: at the begin of its cell, also after spaces and quotes, and after each sign at which a spreadsheet
that is set to another separator would begin a cell of its own. Numbers are written as numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, BinaryIO, Final, Literal

from vidreview.export.facts import Facts
from vidreview.export.files import Outputs
from vidreview.export.tables import TABLES, Contents, Table

Separator = Literal["comma", "semicolon", "tab"]
SEPARATORS: Final[dict[str, str]] = {"comma": ",", "semicolon": ";", "tab": "\t"}

#: what separates cells, in ours or in another setting
_APART: Final = "[,;|\\t\\r\\n]"
#: what a spreadsheet passes over before it looks for a formula: blanks, controls, marks without a width, quotes
_OVER: Final = (
    "[ \"'\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\xa0\\u1680\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f"
    "\\u3000\\ufeff]"
)
#: what makes a formula of a cell: OWASP's list, and the full-width, small and mathematical forms of those signs
_SIGN: Final = "[-=+@\\t\\r\\n\\u2212\\ufe62\\ufe63\\ufe66\\ufe6b\\uff0b\\uff0d\\uff1d\\uff20]"
_DANGEROUS: Final = re.compile(f"((?:\\A|{_APART}){_OVER}*)(?={_SIGN})")
_ESCAPED: Final = re.compile(f"((?:\\A|{_APART}){_OVER}*)'(?={_SIGN})")

#: rows that Excel and LibreOffice show of one sheet, the headings among them
MOST_ROWS: Final = 1_048_576
#: rows are handed to the file in pieces of so many
_PIECE: Final = 2000


def escape(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return _DANGEROUS.sub(r"\1'", text)


def unescape(text: str) -> str:
    """The text that ``escape`` was given."""
    return _ESCAPED.sub(r"\1", text)


def formatter(separator: str) -> Callable[[tuple[Any, ...]], str]:
    """What makes a line of a row, for this separator; with the semicolon goes the decimal comma.

    What a value is decides how it is written, not its column: a case that was tampered with holds text in columns of
    numbers. An empty cell is no value, ``""`` an empty text.
    """
    comma = separator == ";"

    def cell(value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if isinstance(value, float):
            return repr(value).replace(".", ",") if comma else repr(value)
        return _quoted(value.hex() if isinstance(value, bytes) else str(value))

    return lambda row: separator.join(map(cell, row)) + "\r\n"


@lru_cache(maxsize=4096)  # names and labels come again with every row
def _quoted(text: str) -> str:
    return '"' + escape(text).replace('"', '""') + '"'


def write_table(table: Table, contents: Contents, file: BinaryIO, separator: str) -> int:
    """Write a table as CSV; how many rows it has, without the headings."""
    line = formatter(separator)
    # Excel takes a file without this mark for one of the machine's own code page
    file.write(("\ufeff" + separator.join(table.names) + "\r\n").encode())
    count = 0
    for lines in _pieces(map(line, table.rows(contents))):
        file.write("".join(lines).encode("utf-8", "backslashreplace"))
        count += len(lines)
    return count


def _pieces(lines: Iterator[str]) -> Iterator[list[str]]:
    piece = []
    for line in lines:
        piece.append(line)
        if len(piece) == _PIECE:
            yield piece
            piece = []
    yield piece


def write_tables(contents: Contents, facts: Facts, outputs: Outputs, separator: Separator = "comma") -> dict[str, int]:
    """Write each table as a file of its own, and a README.txt; how many rows each has."""
    counts = {}
    for name, table in TABLES.items():
        with outputs.open(f"{name}.csv") as file:
            counts[name] = write_table(table, contents, file, SEPARATORS[separator])
    with outputs.open("README.txt") as file:
        file.write(_readme(facts, counts, separator).replace("\n", "\r\n").encode())
    return counts


def _readme(facts: Facts, counts: dict[str, int], separator: Separator) -> str:
    decimal = "a decimal comma" if separator == "semicolon" else "a decimal point"
    tables = "".join(f"  {name}.csv: {counts[name]} rows\n" for name in counts)
    large = [name for name, count in counts.items() if count >= MOST_ROWS]
    words = f"""\
Case {facts.case}, exported by {facts.tool} at {facts.made_utc}
Audit log: {facts.audit_entries} entries, head {facts.audit_head}

{facts.leads}
{facts.unfinished or "The scans of all exhibits of this case are over."}
Exhibits that could not be read: {facts.exhibits_unread}; see exhibits.csv and problems.csv.

{tables}
The files are UTF-8 with a byte order mark, the cells are separated by a {separator}, numbers have {decimal}.
An empty cell is a value that is not known or does not apply. Times named _s are seconds from the first presented
frame of the stream; PTS are ticks of time_base, and exact. Times named shown, corrected and utc come from recorded
clocks, with their bounds.

Text that a spreadsheet would take for a formula has an apostrophe (') before the sign = + - or @ that would make it
one. To have the text as it was, take it away again: vidreview.export.sheets.unescape does. Spreadsheets show 15 digits
of a number, and turn what looks like a date into one: import columns of references and PTS as text.
"""
    if large:
        words += f"\nMore rows than a spreadsheet shows ({MOST_ROWS}): {', '.join(f'{name}.csv' for name in large)}.\n"
    return words
