"""The data files of a report: JSON that a browser loads as a script, opened from disc, whatever is in it."""

from __future__ import annotations

import json
import re
from typing import Any, Final

#: what could end a script element, begin another, or a line of a script, and how JSON writes it harmlessly
_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
#: a byte of a file name that is no UTF-8, as Python holds it
_ODD_BYTE: Final = re.compile("[\udc80-\udcff]")
#: half of a pair, which no UTF-8 can hold
_HALF: Final = re.compile("[\ud800-\udfff]")
#: characters that turn text around, or make it look like other text, and all that no line of text holds
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def script(name: str, value: Any) -> bytes:
    """The script that sets ``window.NAME`` to a JSON value; nothing in it can end the script element.

    The value is handed over as text to ``JSON.parse``, since browsers read JSON in a fraction of the time in which they
    compile the same as a program. Raises ValueError for a number that JSON has not (NaN, infinity).
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    quoted = text.translate(_ESCAPES).replace("\\", "\\\\").replace("'", "\\'")
    return f"window.{name} = JSON.parse('{quoted}');\n".encode()


def text_of(name: str) -> str:
    r"""Text from evidence (file names, metadata) as a page may show it.

    Odd bytes are written ``\xNN``, control characters and those that turn text around are escaped, so that what is read
    is what is there.
    """
    shown = _ODD_BYTE.sub(lambda found: f"\\x{ord(found.group()) - 0xDC00:02x}", name)
    shown = _HALF.sub(lambda found: f"\\u{ord(found.group()):04x}", shown)
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), shown)


def plain(value: Any) -> Any:
    """The same JSON value with every text in it, keys too, as ``text_of`` gives it."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, dict):
        return {text_of(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value
