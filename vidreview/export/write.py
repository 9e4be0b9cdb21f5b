"""An export from begin to end: read one state of the case, write its files, put them in place, log them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Literal, get_args

from vidreview.audit import AuditLog
from vidreview.errors import UsageError
from vidreview.export.facts import Facts, gather
from vidreview.export.files import Outputs, check_output
from vidreview.export.sheets import Separator
from vidreview.export.tables import Contents
from vidreview.index.query import Reader

Format = Literal["csv", "json", "mot", "parquet", "case"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
#: what is one file, and how it is called in the case's folder export/
FILES: Final[dict[str, str]] = {"json": "case.json", "case": "case.jsonld"}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to."""

    facts: Facts
    #: rows, or objects, by table or kind
    counts: dict[str, int]
    #: files and their SHA-256
    files: tuple[tuple[Path, str], ...]


def export(
    case: Path, form: Format, output: Path | None = None, *, separator: Separator = "comma", made_utc: str | None = None
) -> Exported:
    """Write the case in a format, into its folder ``export`` or to ``output``; all of it, or nothing.

    ``made_utc`` takes the place of the clock. Raises UsageError and CaseRefusedError for a place that will not do,
    CaseError for a case that cannot be read, or a disk that cannot be written.
    """
    log = AuditLog(case / "audit.jsonl")
    with Reader.open(case) as reader:
        if output is not None:
            check_output(reader, log, output, folder=form not in FILES)
        contents = Contents(reader)
        facts = gather(contents, log, made_utc)
        target = output if output is not None else case / "export" / FILES.get(form, form)
        folder = target.parent if form in FILES else target
        with Outputs(folder) as outputs:
            if form in FILES:
                with outputs.open(target.name) as file:
                    counts = _writer(form)(contents, facts, file)
            else:
                counts = _folder(form, contents, facts, outputs, separator)
            command = f"vidreview export {form}"
            outputs.publish(log, case, command, facts.audit_head, format=form, counts=counts)
    return Exported(facts, counts, tuple((one.final, one.sha256) for one in outputs.written))


def export_stream(case: Path, form: Format, file: BinaryIO, made_utc: str | None = None) -> Exported:
    """Write the case to an open file, in a format that is one file; raises UsageError for another.

    Like a listing, this is not entered in the audit log: where it goes is not known here.
    """
    if form not in FILES:
        raise UsageError(f"{form} is several files, which do not fit into one stream; name a folder with --output")
    with Reader.open(case) as reader:
        contents = Contents(reader)
        facts = gather(contents, AuditLog(case / "audit.jsonl"), made_utc)
        return Exported(facts, _writer(form)(contents, facts, file), ())


def _writer(form: str) -> Callable[[Contents, Facts, BinaryIO], dict[str, int]]:
    if form == "json":
        from vidreview.export.document import write_document

        return write_document
    from vidreview.export.ontology import write_case

    return write_case


def _folder(form: str, contents: Contents, facts: Facts, outputs: Outputs, separator: Separator) -> dict[str, int]:
    if form == "csv":
        from vidreview.export.sheets import write_tables

        return write_tables(contents, facts, outputs, separator)
    if form == "mot":
        from vidreview.export.mot import write_sequences

        return write_sequences(contents, facts, outputs)
    from vidreview.export.parquet import write_parquet

    return write_parquet(contents, facts, outputs)
