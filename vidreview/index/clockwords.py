"""What follows from the observations of a recorder's clock, in words with their sign (rule B3)."""

from __future__ import annotations

from collections.abc import Sequence

from vidreview.clocks import SECOND, drift_words, offset_words
from vidreview.index.clocks import Recorder


def follows(recorder: Recorder) -> list[str]:
    """What follows from the observations of a recorder, in words, a line each."""
    correction = recorder.correction
    lines = [
        f"{'+'.join(one.names)}: {offset_words(one)} (± {one.uncertainty / SECOND:g} s, against {one.source})"
        for one in correction.offsets
    ]
    lines += [
        f"from {'+'.join(piece.first.names)} to {'+'.join(piece.second.names)} {drift_words(piece)}: "
        "interpolated between them"
        for piece in correction.pieces
    ]
    if correction.pieces:
        lines.append("before the first and after the last check it is extrapolated, less and less certain")
    elif correction.offsets:
        lines.append("drift is unknown: it takes a second check, at another time")
    else:
        lines.append("no check against a reference: offset, and so corrected and UTC times, are unknown")
    lines += [f"{name}: not used: {why}" for name, why in correction.unusable.items()]
    zone = correction.zone.name
    lines.append("no zone was named: UTC is unknown" if zone is None else f"the recorder's clock runs in {zone}")
    read = {exhibit for exhibit, _ in recorder.clocks}
    unread = [name for name in recorder.exhibits if name not in read]
    if unread:
        lines.append(f"no reading of the picture (--at), so displayed times are unknown: {_several(unread)}")
    for (exhibit, stream), one in recorder.clocks.items():
        lines += [
            f"{exhibit} stream {stream}: {found.first.name} and {found.second.name} disagree with stream time by "
            f"{abs(found.by) / SECOND:g} s; every time there is less certain by that"
            for found in one.disagreements()
        ]
    return lines


def _several(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
