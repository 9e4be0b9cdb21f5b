"""Progress of a scan on stderr: files, × real time, time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from vidreview.cli.common import plain_terminal, safe


class Bar:
    """A bar of tqdm that is closed at the end of a ``with``; None as long as none is drawn."""

    _bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()


class Progress(Bar):
    """A pipeline observer that draws one bar over the bytes of all files; a line a file when it may not draw."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.plain = plain_terminal(sys.stderr)
        self._files = self._number = 0
        #: file under way → its size and the share of it that the bar shows
        self._under_way: dict[str, tuple[int, float]] = {}
        self._footage = 0.0
        self._begun = time.monotonic()

    def begin(self, files: int, size: int) -> None:
        """So many files, of so many bytes together, are to be looked at."""
        self._files = files
        if self._bar is not None:
            self._bar.total = max(1, size)
            return
        self._begun = time.monotonic()
        if not self.quiet and not self.plain:
            from tqdm import tqdm

            form = "{desc} {percentage:3.0f}%|{bar}| {postfix[0]} [{elapsed}, {remaining} left]"
            self._bar = tqdm(
                total=max(1, size), file=sys.stderr, bar_format=form, postfix=["0 × real time"], leave=False
            )

    def exhibit(self, name: str, size: int) -> None:
        """A file begins."""
        self._under_way[name] = (size, 0.0)
        if self._bar is not None:
            self._describe(name)

    def progress(self, name: str, share: float, seconds: float) -> None:
        """This ``share`` of a file is done; ``seconds`` more footage has been scanned."""
        self._footage += seconds
        if self._bar is not None and name in self._under_way:
            size, told = self._under_way[name]
            done = min(1.0, max(told, share))
            self._bar.postfix[0] = f"{self._speed():.0f} × real time"
            self._advance((done - told) * size)
            self._under_way[name] = (size, done)

    def provisional(self, name: str, events: int) -> None:
        """The busiest stretches of a stream have been looked at."""
        if not self.quiet:
            what = f"{events} provisional event{'s' * (events != 1)}"
            self._say(f"{safe(name)}: {what} in the busiest stretches; 'vidreview events' lists them, the scan goes on")

    def problem(self, path: str, reason: str) -> None:
        """Something of a file could not be read; the summary lists it, ``-v`` says it at once."""
        if self.verbose:
            self._say(f"{safe(path)}: {safe(reason)}")

    def done(self, name: str, size: int, events: int, skipped: str) -> None:
        """A file is finished."""
        self._number += 1
        size, told = self._under_way.pop(name, (size, 0.0))
        if self._bar is not None:
            self._advance((1.0 - told) * size)
            self._describe(next(iter(self._under_way), ""))
        if self.verbose or (self.plain and not self.quiet):
            what = safe(skipped) or f"{events} event{'s' * (events != 1)}"
            self._say(f"{self._number}/{self._files} {safe(name)}: {what}, {self._speed():.0f} × real time")

    def _describe(self, name: str) -> None:
        """Say beside the bar how many files are done, and one that is under way."""
        more = f" and {len(self._under_way) - 1} more" if len(self._under_way) > 1 else ""
        self._bar.set_description_str(f"{self._number}/{self._files} {safe(name)[-40:]}{more}", refresh=True)

    def _advance(self, size: float) -> None:
        """Draw the bar so many bytes further; parts of a file, as floats, may sum to a hair more than the whole."""
        self._bar.update(min(size, self._bar.total - self._bar.n))

    def _speed(self) -> float:
        return self._footage / max(1e-3, time.monotonic() - self._begun)

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr)


class Steps(Bar):
    """A bar over a known number of equal things; nothing where none may be drawn."""

    def __init__(self, what: str, *, quiet: bool) -> None:
        self.what, self.quiet = what, quiet

    def begin(self, total: int) -> None:
        """So many are to be done."""
        if total and not self.quiet and not plain_terminal(sys.stderr):
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=f" {self.what}", file=sys.stderr, leave=False)

    def advance(self, count: int) -> None:
        """So many more are done."""
        if self._bar is not None:
            self._bar.update(count)
