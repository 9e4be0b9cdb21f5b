"""Parquet: each table as a typed file with the facts of the export in its metadata, in bounded memory."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vidreview.errors import CaseError
from vidreview.export.facts import Facts
from vidreview.export.files import Outputs
from vidreview.export.tables import TABLES, Column, Contents, Kind, Row, Table

if TYPE_CHECKING:
    import polars as pl

#: rows that are turned into columns at once: some 30 MB of Python values
_PART: Final = 100_000
#: rows of a row group, which a reader takes in at once
_GROUP: Final = 500_000


def write_parquet(contents: Contents, facts: Facts, outputs: Outputs) -> dict[str, int]:
    """Write each table as a file of its own; how many rows each has."""
    metadata = {f"vidreview.{name}": "" if value is None else str(value) for name, value in facts.to_json().items()}
    counts = {}
    for name, table in TABLES.items():
        with outputs.path(f"{name}.parquet") as path:
            counts[name] = _write(table, contents, path, metadata | {"vidreview.table": name})
    return counts


def _write(table: Table, contents: Contents, path: Path, metadata: dict[str, str]) -> int:
    """Write a table by way of parts beside it, since Polars has no writer that takes rows as they come."""
    import polars as pl

    count = 0
    for left in path.parent.glob(f".{path.name}-*.part"):  # by a kill
        shutil.rmtree(left, ignore_errors=True)
    parts = Path(tempfile.mkdtemp(prefix=f".{path.name}-", suffix=".part", dir=path.parent))
    try:
        for number, rows in enumerate(_pieces(table.rows(contents))):
            _frame(table, rows).write_ipc(parts / f"{number:06d}.part", compression="lz4")
            count += len(rows)
        names = sorted(parts.iterdir())
        frame = pl.scan_ipc(names) if names else _frame(table, []).lazy()
        frame.sink_parquet(path, row_group_size=_GROUP, metadata=metadata, maintain_order=True)
    finally:
        shutil.rmtree(parts, ignore_errors=True)
    return count


def _pieces(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while piece := list(itertools.islice(rows, _PART)):
        yield piece


def _frame(table: Table, rows: list[Row]) -> pl.DataFrame:
    """Rows as typed columns; raises CaseError for a value that is not what the column holds."""
    import polars as pl

    columns = zip(*rows, strict=True) if rows else ((),) * len(table.columns)
    series = []
    for column, values in zip(table.columns, columns, strict=True):
        try:
            series.append(_series(column, list(values)))
        except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
            raise CaseError(
                f"column {column.name} of {table.name} holds what vidreview did not write; see 'vidreview verify'"
            ) from error
    return pl.DataFrame(series)


def _series(column: Column, values: list[object]) -> pl.Series:
    import polars as pl

    types: dict[Kind, type[pl.DataType]] = {
        "text": pl.String,
        "integer": pl.Int64,
        "real": pl.Float64,
        "boolean": pl.Boolean,
    }
    if column.kind in types:
        return pl.Series(column.name, values, dtype=types[column.kind], strict=True)
    texts = pl.Series(column.name, values, dtype=pl.String, strict=True)
    if column.kind == "utc":
        return texts.str.to_datetime(time_unit="us", time_zone="UTC")
    return texts.str.to_datetime(time_unit="us")
