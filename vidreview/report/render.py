"""The facts as the page for a browser, and as a PDF: both are made elsewhere, from the same facts."""

from __future__ import annotations

import hashlib
import importlib
from typing import Any

from vidreview.errors import UsageError
from vidreview.report.folder import Folder


def render(facts: dict[str, Any]) -> dict[str, bytes]:
    """The page's own files: path within the report → content; ``facts`` is what ``data/case.js`` holds."""
    try:
        page = importlib.import_module("vidreview.report.page")
    except ModuleNotFoundError:
        return {}
    files: dict[str, bytes] = page.files(facts)
    return files


def write_pdf(facts: dict[str, Any], events: list[dict[str, Any]], folder: Folder) -> str:
    """Write ``report.pdf`` with the same facts; its SHA-256."""
    try:
        pdf = importlib.import_module("vidreview.report.pdf")
    except ModuleNotFoundError as error:
        raise UsageError("--pdf: this installation makes no PDF") from error
    path = folder.part / "report.pdf"
    path.unlink(missing_ok=True)
    pdf.write_pdf(facts, events, folder.part, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()
