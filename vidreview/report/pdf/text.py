"""Text of the PDF: fonts that come with matplotlib, styles, and any text made into harmless markup."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph

from vidreview.errors import VidreviewError

PLAIN: Final = "DejaVuSans"
BOLD: Final = "DejaVuSans-Bold"
MONO: Final = "DejaVuSansMono"

INK: Final = HexColor("#1a1a1a")
FAINT: Final = HexColor("#595959")
RULE: Final = HexColor("#bdbdbd")
PAPER: Final = HexColor("#f4f4f4")


@cache
def register() -> frozenset[int]:
    """Make the fonts known; the code points that all of them have a picture of."""
    spec = importlib.util.find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise VidreviewError("--pdf: matplotlib, which brings the fonts, is not installed; install vidreview again")
    folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
    for name in (PLAIN, BOLD, MONO):
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(PLAIN, normal=PLAIN, bold=BOLD, italic=PLAIN, boldItalic=BOLD)
    fonts: list[Any] = [pdfmetrics.getFont(name) for name in (PLAIN, BOLD, MONO)]
    return frozenset.intersection(*(frozenset(font.face.charToGlyph) for font in fonts))


def printed(text: object) -> str:
    r"""Text as it can be printed: what the fonts lack, and what shows nothing or turns text around, as ``\u{…}``."""
    known = register()
    return "".join(
        one if one == " " or (one.isprintable() and ord(one) in known) else f"\\u{{{ord(one):x}}}" for one in str(text)
    )


def markup(text: object) -> str:
    """Text as markup of a paragraph that means only that text; its line breaks are kept."""
    return "<br/>".join(escape(printed(line)) for line in str(text).split("\n"))


def _style(name: str, size: float, **more: Any) -> ParagraphStyle:
    values: dict[str, Any] = {"fontName": PLAIN, "fontSize": size, "leading": size * 1.3, "textColor": INK} | more
    return ParagraphStyle(name, **values)


TITLE: Final = _style("title", 20, fontName=BOLD, spaceAfter=4)
HEADING: Final = _style("heading", 13, fontName=BOLD, spaceBefore=10, spaceAfter=4)
SUBHEADING: Final = _style("subheading", 10, fontName=BOLD, spaceBefore=6, spaceAfter=2)
BODY: Final = _style("body", 9, spaceAfter=3)
SMALL: Final = _style("small", 7)
SMALL_BOLD: Final = _style("small bold", 7, fontName=BOLD)
HASH: Final = _style("hash", 6.2, fontName=MONO)
LEAD: Final = _style("lead", 9, backColor=PAPER, borderPadding=4, spaceBefore=6, spaceAfter=8)


def paragraph(text: object, style: ParagraphStyle = BODY) -> Paragraph:
    """A paragraph of text, whatever it holds."""
    return Paragraph(markup(text), style)


def said(pairs: list[tuple[str, object]], style: ParagraphStyle = SMALL) -> Paragraph:
    """One paragraph of "name: value" lines; those without a value are left out."""
    lines = [f"<b>{escape(name)}:</b> {markup(value)}" for name, value in pairs if value not in (None, "")]
    return Paragraph("<br/>".join(lines), style)


def fitting(text: object, font: str, size: float, width: float) -> str:
    """Text cut, with an ellipsis, to so many points."""
    words = printed(text)
    if pdfmetrics.stringWidth(words, font, size) <= width:
        return words
    while words and pdfmetrics.stringWidth(f"{words}…", font, size) > width:
        words = words[: max(len(words) * 9 // 10, 0) if len(words) > 40 else -1]
    return f"{words}…"


def seconds(value: float | None) -> str:
    """Stream seconds as HH:MM:SS.mmm."""
    if value is None:
        return "unknown"
    milliseconds = round(value * 1000)
    sign = "-" if milliseconds < 0 else ""
    whole, milliseconds = divmod(abs(milliseconds), 1000)
    return f"{sign}{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{milliseconds:03d}"
