"""The report as a PDF for print: the same facts as its page, in one file, the same for the same facts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["write_pdf"]


def write_pdf(facts: dict[str, Any], events: list[dict[str, Any]], folder: Path, path: Path) -> None:
    """Write the PDF of a report to ``path``, by way of ``path`+ ".part"``.

    ``facts`` and ``events`` are the values of the report's data files, ``folder`` is where its pictures lie: a picture
    that is not below it is not shown. Raises VidreviewError when it cannot be written.
    """
    from vidreview.report.pdf.document import build

    build(facts, events, folder, path)
