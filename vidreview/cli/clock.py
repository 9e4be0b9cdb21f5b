"""``vidreview clock``: record what a recorder's clock showed, and say what follows from it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import TimeType, case_option, clock, json_option, loudness_options, print_json, safe
from vidreview.clocks import SECOND
from vidreview.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vidreview.index.clocks import CaseClocks, Observation, Recorder

#: ISO 8601 with at least minutes
_WALL = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(?:(:[0-9]{2})(?:\.([0-9]{1,6}))?)? ?"
    r"(Z|[+-][0-9]{2}:?[0-9]{2})?"
)


@click.group(name="clock")
def command() -> None:
    """Record what a recorder's clock showed; events then carry displayed, corrected and UTC times.

    A reading (--at) says that the picture at a stream time shows a time. A check (--reference) says that the recorder
    showed a time when a named reference showed another: one gives the offset, two or more give drift. What nobody
    observed stays unknown.

    \b
    Example:
      vidreview clock add 'cam1*.mp4' --shown "2024-03-30 14:02:07" --reference "2024-03-30 14:00:00" --source "speaking clock" --zone Europe/London --by "A. Examiner"
      vidreview clock add cam1-a.mp4 --shown "2024-03-28 22:10:00" --at 00:00:04 --by "A. Examiner"
      vidreview clock list
    """  # noqa: E501 - an example is one line, to be copied


@command.command(name="add")
@click.argument("exhibit")
@case_option
@click.option("--shown", required=True, metavar="TIME", help="What the recorder displayed: 2024-03-30 14:02:07.")
@click.option("--at", type=TimeType(), help="Stream time of the picture that shows it, as 'vidreview events' counts.")
@click.option(
    "--stream", type=click.IntRange(min=0), help="Index of the stream that was read, where there are several."
)
@click.option("--reference", metavar="TIME", help="What the reference showed at that moment; may end in Z or +01:00.")
@click.option("--source", help="Which reference: speaking clock, radio-controlled watch, NTP.")
@click.option("--zone", help="Time zone in which the recorder's clock runs: Europe/London, UTC.")
@click.option(
    "--uncertainty", metavar="SECONDS", help="Bound on the error.  [default: one unit of the last place shown]"
)
@click.option("--by", required=True, metavar="NAME", help="Who observed it.")
@json_option
@loudness_options
def add(exhibit: str, case: Path, as_json: bool, quiet: bool, verbose: bool, **said: Any) -> None:
    """Record an observation of the recorder's clock for EXHIBIT, a name or pattern; it applies to all that match.

    Give --at, --reference with --source, or both. Files of the same content share their observations.

    \b
    Examples:
      vidreview clock add cam1-a.mp4 --shown "2024-03-28 22:10:00" --at 00:00:04 --by "A. Examiner"
      vidreview clock add 'cam1*.mp4' --shown "2024-03-30 14:02:07" --reference "2024-03-30 14:00:00" --source "speaking clock" --zone Europe/London --by "A. Examiner"
    """  # noqa: E501 - an example is one line, to be copied
    from vidreview.index import Case, Reader
    from vidreview.index.clocks import Statement
    from vidreview.index.observe import add_observation

    stream = said.pop("stream")
    if stream is not None and said["at"] is None:
        raise UsageError("--stream says where --at was read; give --at TIME too")
    statement = Statement(**_statement(**said))
    with Case.open(case) as opened:
        observation = add_observation(opened, exhibit, statement, stream, _log(case))
    if as_json:
        print_json(observation.to_json())
    elif not quiet:
        click.echo(f"{observation.name} recorded: {_words(observation)}")
        with Reader.open(case) as reader:
            clocks = reader.clocks()
        names = {one.name for one in observation.exhibits}
        for recorder in clocks.recorders:
            if names & set(recorder.exhibits):
                _print_recorder(recorder, clocks)


@command.command(name="list")
@case_option
@json_option
def list_observations(case: Path, as_json: bool) -> None:
    """List what was observed, withdrawn observations too, and say in words what follows.

    \b
    Example:
      vidreview clock list --json
    """
    from vidreview.index import Reader

    with Reader.open(case) as reader:
        clocks = reader.clocks()
    if as_json:
        from vidreview.index.clockwords import follows

        recorders = [
            {"exhibits": list(one.exhibits), "zone": one.correction.zone.name, **_facts(one), "words": follows(one)}
            for one in clocks.recorders
        ]
        print_json({"observations": [one.to_json() for one in clocks.observations], "recorders": recorders})
    elif not clocks.observations:
        click.echo(
            "No clock was recorded in this case, so wall-clock times are unknown; see 'vidreview clock add --help'."
        )
    else:
        _print_observations(clocks.observations)
        for recorder in clocks.recorders:
            _print_recorder(recorder, clocks)


@command.command(name="withdraw")
@click.argument("observation")
@case_option
@click.option("--by", required=True, metavar="NAME", help="Who withdraws it.")
@click.option("--reason", required=True, help="Why.")
@json_option
@loudness_options
def withdraw(observation: str, case: Path, by: str, reason: str, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Withdraw OBSERVATION (C0002): it stays listed, with the reason, and no longer counts.

    \b
    Example:
      vidreview clock withdraw C0002 --by "A. Examiner" --reason "read from the wrong camera"
    """
    from vidreview.index import Case
    from vidreview.index.observe import withdraw_observation

    match = re.fullmatch(r"[Cc]?0*([0-9]{1,15})", observation)
    if not match:
        raise UsageError(f"{observation!r} is not an observation; they are written C0002, see 'vidreview clock list'")
    with Case.open(case) as opened:
        found = withdraw_observation(
            opened, int(match.group(1)), _named(by, "--by"), _named(reason, "--reason"), _log(case)
        )
    if as_json:
        print_json(found.to_json())
    elif not quiet:
        click.echo(f"{found.name} is withdrawn: it stays on record and no longer counts.")


def _log(case: Path) -> Callable[[dict[str, Any]], object]:
    from vidreview.audit import AuditLog

    log = AuditLog(case / "audit.jsonl")
    return lambda facts: log.append("clock-observation", **facts)


# ---- what is typed


def _statement(
    shown: str,
    at: float | None,
    reference: str | None,
    source: str | None,
    zone: str | None,
    uncertainty: str | None,
    by: str,
) -> dict[str, Any]:
    """The options as a statement's fields; raises UsageError for what makes no sense."""
    if at is None and reference is None:
        raise UsageError(
            "say where the recorder showed it: --at STREAM_TIME (a reading of the picture), "
            "--reference TIME --source NAME (a check against another clock), or both"
        )
    if (reference is None) != (source is None):
        raise UsageError("--reference TIME and --source NAME go together: a reference that is not named proves little")
    displayed, unit = parse_wall(shown, "--shown")
    if displayed.tzinfo is not None:
        raise UsageError(f"--shown {shown!r} is what was displayed, without zone; name the zone with --zone")
    checked, reference_unit = parse_wall(reference, "--reference") if reference is not None else (None, 0)
    return {
        "shown": displayed,
        # what shows whole seconds shows each for a second: it is right to one unit of its last place, and so is the
        # difference of two such clocks, to the larger of their units
        "uncertainty": max(unit, reference_unit) if uncertainty is None else _bound(uncertainty),
        "by": _named(by, "--by"),
        "at": None if at is None else round(at * SECOND),
        "reference": checked,
        "source": None if source is None else _named(source, "--source"),
        "zone": None if zone is None else _zone(zone),
    }


def parse_wall(text: str, option: str) -> tuple[datetime, int]:
    """A wall-clock time as typed, aware where it ends in a UTC offset, and one unit of its last place in
    microseconds.

    Raises UsageError for anything that is not ISO 8601 with at least minutes.
    """
    match = _WALL.fullmatch(text.strip())
    if not match:
        raise UsageError(f"cannot read {option} {text!r}; write date and time as 2024-03-30 14:02:07, or with .25")
    date, minutes, seconds, fraction, offset = match.groups()
    try:
        time = datetime.fromisoformat(f"{date}T{minutes}{seconds or ':00'}.{(fraction or '0'):0<6}{offset or ''}")
        if not 1900 <= time.year < 2200:
            raise ValueError("the year lies outside of 1900 to 2199")
    except ValueError as error:
        raise UsageError(f"cannot read {option} {text!r}: {error}; write it as 2024-03-30 14:02:07") from error
    unit = 60 * SECOND if seconds is None else SECOND // 10 ** len(fraction or "")
    return time, unit


def _bound(text: str) -> int:
    match = re.fullmatch(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?", text.strip())
    bound = int(match[1]) * SECOND + int((match[2] or "").ljust(6, "0")) if match else 0
    if not bound:
        raise UsageError(f"--uncertainty {text!r} must be seconds above 0: no clock is read without any error")
    return bound


def _named(text: str, option: str) -> str:
    from vidreview.index.rows import storable

    if not text.strip():
        raise UsageError(f"{option} is empty; who said it, and why, is part of the record")
    return storable(text.strip())[0]


def _zone(name: str) -> str:
    import difflib
    from zoneinfo import available_timezones

    # what these mean is another thing on another machine, or nothing
    known = available_timezones() - {"localtime", "posixrules", "Factory"}
    if name in known:
        return name
    if match := re.fullmatch(r"(?i)(?:utc|gmt)?([+-])0?([0-9]{1,2})(?::?00)?", name.strip()):
        # the Etc zones count the other way round; offering Etc/GMT+1 for GMT+1 would be wrong by two hours
        sign, hours = match.groups()
        raise UsageError(
            f"no time zone is named {name!r}; name the place, such as Europe/London; a clock that always shows "
            f"UTC{sign}{hours} runs in Etc/GMT{'-' if sign == '+' else '+'}{hours}, whose sign is reversed"
        )
    lower = {one.lower(): one for one in sorted(known)}
    if name.lower() in lower:
        raise UsageError(f"no time zone is named {name!r}; did you mean {lower[name.lower()]!r}?")
    ends = {one.lower().rpartition("/")[2]: one for one in sorted(known)}
    close = difflib.get_close_matches(name.lower().replace(" ", "_"), [*lower, *ends], n=3, cutoff=0.6)
    meant = dict.fromkeys(lower.get(one) or ends[one] for one in close)
    if re.fullmatch(r"[A-Za-z]{2,4}", name):
        # BST is summer in London, and another place's winter elsewhere
        meant = {}
    hint = f"did you mean {' or '.join(map(repr, meant))}?" if meant else "they are written Europe/London, UTC"
    raise UsageError(f"no time zone is named {name!r}; {hint}")


# ---- what is printed


def _words(observation: Observation) -> str:
    said = observation.statement
    about = _several([one.name for one in observation.exhibits])
    words = f"{about}: recorder showed {said.shown}"
    if said.at is not None:
        streams = sorted({one.stream for one in observation.exhibits if one.stream is not None})
        words += f" at {clock(said.at / SECOND)} of stream {', '.join(map(str, streams))}"
    if said.reference is not None:
        words += f" when {safe(said.source or '')} showed {_reference(said.reference)}"
    return f"{words}, ± {said.uncertainty / SECOND:g} s"


def _several(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(safe(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def _print_observations(observations: list[Observation]) -> None:
    from vidreview.cli.tables import print_table

    rows = []
    for one in observations:
        said = one.statement
        streams = sorted({seen.stream for seen in one.exhibits if seen.stream is not None})
        rows.append(
            (
                one.name,
                _several([seen.name for seen in one.exhibits]),
                "-" if said.at is None else f"{clock(said.at / SECOND)} #{','.join(map(str, streams))}",
                str(said.shown),
                _reference(said.reference) if said.reference else "-",
                safe(said.source or "-"),
                said.zone or "-",
                f"{said.uncertainty / SECOND:g} s",
                safe(said.by),
                "valid" if one.withdrawn is None else "withdrawn",
            )
        )
    headings = ("id", "exhibit", "stream time", "shown", "reference", "source", "zone", "±", "by", "state")
    print_table(headings, rows, right=frozenset({7}), folds=(1, 2, 3, 4, 5, 6, 8), spare=(8, 6, 7, 5))
    for one in observations:
        if one.withdrawn is not None:
            click.echo(f"{one.name} was withdrawn by {safe(one.withdrawn.by)}: {safe(one.withdrawn.reason)}")


def _reference(time: datetime) -> str:
    return str(time).replace("+00:00", "Z")


def _print_recorder(recorder: Recorder, clocks: CaseClocks) -> None:
    click.echo(f"{_several(recorder.exhibits)}:")
    from vidreview.index.clockwords import follows

    for line in follows(recorder):
        click.echo(f"  {safe(line)}")


def _facts(recorder: Recorder) -> dict[str, Any]:
    """Offsets and drift as JSON."""
    correction = recorder.correction
    return {
        "offsets": [
            {
                "observations": list(one.names),
                "source": one.source,
                "offset_s": one.value / SECOND,
                "uncertainty_s": one.uncertainty / SECOND,
            }
            for one in correction.offsets
        ],
        "drift_s_per_day": [piece.drift_per_day for piece in correction.pieces],
    }
