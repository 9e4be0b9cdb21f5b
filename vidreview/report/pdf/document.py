"""The pages of the PDF: their order, header and footer, bookmarks, and writing that is all or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate

from vidreview.errors import VidreviewError
from vidreview.report.pdf import cards, parts
from vidreview.report.pdf.text import FAINT, PLAIN, RULE, fitting, printed, register

_LEADS: Final = "leads, not identifications"
_MARGIN: Final = 15 * mm
#: what a page has room for
WIDTH: Final = A4[0] - 2 * _MARGIN
#: the name of the form that says how many pages there are, known when the last one is drawn
_PAGES: Final = "number-of-pages"


class Bookmark(Flowable):
    """An entry of the document's outline, and a place that links lead to."""

    def __init__(self, title: str, key: str, level: int) -> None:
        super().__init__()
        self.title, self.key, self.level = printed(title), key, level

    def wrap(self, _width: float, _height: float) -> tuple[float, float]:
        """It takes no room."""
        return 0, 0

    def draw(self) -> None:
        """Onto the canvas of the page."""
        self.canv.bookmarkHorizontal(self.key, 0, 12)
        self.canv.addOutlineEntry(self.title, self.key, level=self.level, closed=self.level > 0)


class _Document(BaseDocTemplate):
    """Header and footer on every page."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self._facts = facts
        case = printed(facts["case"]["name"])
        super().__init__(
            str(path),
            pagesize=A4,
            leftMargin=_MARGIN,
            rightMargin=_MARGIN,
            topMargin=_MARGIN + 6 * mm,
            bottomMargin=_MARGIN + 5 * mm,
            title=f"Review of CCTV: case {case}",
            author=printed(", ".join(facts["case"]["operators"]) or "unknown"),
            subject=f"Report {facts['report']['id']}: {_LEADS}",
            creator=printed(facts["report"]["tool"]),
            lang="en-GB",
            displayDocTitle=True,
            invariant=1,
            pageCompression=1,
        )
        frame = Frame(self.leftMargin, self.bottomMargin, self.width, self.height, 0, 0, 0, 0, id="body")
        self.addPageTemplates(PageTemplate("page", [frame], onPage=self._page))

    def _page(self, canvas: Canvas, _document: BaseDocTemplate) -> None:
        head = self._facts["integrity"]["audit_head"]
        top, bottom = A4[1] - _MARGIN, _MARGIN
        canvas.saveState()
        canvas.setFont(PLAIN, 6.5)
        canvas.setFillColor(FAINT)
        canvas.setStrokeColor(RULE)
        canvas.line(_MARGIN, top - 3, A4[0] - _MARGIN, top - 3)
        canvas.line(_MARGIN, bottom + 9, A4[0] - _MARGIN, bottom + 9)
        references = ", ".join(self._facts["case"]["references"])
        name = f"Case {self._facts['case']['name']}" + (f", {references}" if references else "")
        canvas.drawString(_MARGIN, top, fitting(name, PLAIN, 6.5, WIDTH * 0.65))
        canvas.drawRightString(A4[0] - _MARGIN, top, _LEADS)
        canvas.drawString(_MARGIN, bottom, fitting(f"audit log head {head}", PLAIN, 6.5, WIDTH * 0.75))
        canvas.drawRightString(A4[0] - _MARGIN - 22, bottom, f"page {canvas.getPageNumber()} of")
        canvas.doForm(_PAGES)
        canvas.restoreState()

    def afterPage(self) -> None:  # noqa: N802 - reportlab calls it so
        """Keep the number of the page that is finished."""
        self.last = self.page

    def number_pages(self, canvas: Canvas) -> None:
        """Fill in how many pages there are."""
        canvas.beginForm(_PAGES, 0, 0, A4[0], A4[1])
        canvas.setFont(PLAIN, 6.5)
        canvas.setFillColor(FAINT)
        canvas.drawString(A4[0] - _MARGIN - 20, _MARGIN, str(self.last))
        canvas.endForm()


def build(facts: dict[str, Any], events: list[dict[str, Any]], folder: Path, path: Path) -> None:
    """Write the document; raises VidreviewError when the disk refuses it."""
    register()
    part = path.with_name(f"{path.name}.part")
    document = _Document(part, facts)
    canvases: list[Canvas] = []

    def canvas_of(*given: Any, **named: Any) -> Canvas:
        canvas = _Counting(document, *given, **named)
        canvases.append(canvas)
        return canvas

    try:
        with contextlib.ExitStack() as stack:
            stack.callback(part.unlink, missing_ok=True)
            document.build(list(_story(facts, events, folder)), canvasmaker=canvas_of)
            part.replace(path)
    except OSError as error:
        raise VidreviewError(f"cannot write {path}: {error.strerror or error}") from error


class _Counting(Canvas):
    """A canvas that knows the number of its pages before it is written."""

    def __init__(self, document: _Document, *given: Any, **named: Any) -> None:
        self._document = document
        super().__init__(*given, **named)

    def save(self) -> None:
        """Write the file."""
        self._document.number_pages(self)
        super().save()


def _story(facts: dict[str, Any], events: list[dict[str, Any]], folder: Path) -> Iterator[Flowable]:
    sections = (
        ("Overview", parts.overview(facts, events, WIDTH)),
        ("Cameras", parts.cameras(facts, folder, WIDTH)),
        ("Synopsis", cards.synopsis(facts, events, folder, WIDTH)),
        ("Events", cards.cards(facts, events, folder, WIDTH, Bookmark)),
        ("Method and limits", parts.method(facts, WIDTH)),
        ("Coverage and problems", parts.coverage(facts, WIDTH)),
        ("Exhibits", parts.exhibits(facts, WIDTH)),
        ("Integrity", parts.integrity(facts, WIDTH)),
        ("Settings and versions", parts.runs(facts, WIDTH)),
    )
    for number, (title, flowables) in enumerate(sections):
        yield from parts.begin(title, first=number == 0)
        yield Bookmark(title, f"section-{number}", 0)
        yield from flowables
