"""``vidreview review``: set, list and import what people decided about events."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidreview.cli.common import PathType, case_option, json_option, loudness_options, print_json, safe
from vidreview.errors import UsageError

if TYPE_CHECKING:
    from vidreview.index.marks import Marks, Taken
    from vidreview.index.reviews import Placed

#: characters of a note in a table
_SHOWN = 60


@click.group(name="review")
def command() -> None:
    """Record what a person decided about events: relevant, not relevant, unsure, or unreviewed again.

    Only people set these, by name; the program never does. Every decision stays on record with its time, in the case
    and in the audit log; of several about one event, the last one counts.

    \b
    Example:
      vidreview review set E0007 relevant --by "A. Examiner" --note "red jacket, leaves by the gate"
      vidreview review list
    """


@command.command(name="set")
@click.argument("words", nargs=-1, required=True, metavar="EVENT... STATE")
@case_option
@click.option("--by", required=True, metavar="NAME", help="Who decided.")
@click.option("--note", metavar="TEXT", help="Why, or what was seen.")
@json_option
@loudness_options
def set_state(
    words: tuple[str, ...], case: Path, by: str, note: str | None, as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Record a decision about one or more EVENTs; STATE is relevant, not-relevant, unsure or unreviewed.

    \b
    Example:
      vidreview review set E0007 E0009 not-relevant --by "A. Examiner" --note "the postman"
    """
    from vidreview.cli.derive import event_number
    from vidreview.index import Case
    from vidreview.index.reviews import LONGEST_NAME, LONGEST_NOTE, set_reviews, worded
    from vidreview.index.rows import event_name

    events, state = _split(words)
    who = worded(by, "--by", LONGEST_NAME)
    why = None if note is None else worded(note, "--note", LONGEST_NOTE)
    with Case.open(case) as opened:
        reviews = set_reviews(opened, [event_number(event) for event in events], state, who, why, _log(case))
    if as_json:
        print_json([review.to_json() for review in reviews])
    elif not quiet:
        for review in reviews:
            click.echo(f"{event_name(review.decision.event)} is {state}, by {safe(who)}")


@command.command(name="list")
@case_option
@json_option
def list_reviews(case: Path, as_json: bool) -> None:
    """List every decision in the order in which they were made, and what the event of each is now.

    \b
    Example:
      vidreview review list --json
    """
    from vidreview.index import Reader
    from vidreview.index.reviews import placed_reviews

    with Reader.open(case) as reader:
        found = placed_reviews(reader.select)
    if as_json:
        print_json([one.to_json() for one in found])
    elif not found:
        click.echo("No event of this case was reviewed; see 'vidreview review set --help'.")
    else:
        _print(found)


@command.command(name="import")
@click.argument("file", type=PathType())
@case_option
@click.option("--by", metavar="NAME", help="Who decided, instead of the reviewer that the file names.")
@json_option
@loudness_options
def import_file(file: Path, case: Path, by: str | None, as_json: bool, quiet: bool, verbose: bool) -> int:
    """Take the marks of FILE, saved from a report, into the case: all that fit an event of it, in one step.

    A mark names its event by exhibit, stream, start and class. Where that event has another number now, it is taken for
    that one and this is said. A mark that fits no event is listed, and the exit status is 3. What the case has already
    is not taken twice.

    \b
    Examples:
      vidreview review import marks-2026-01-31.json
      vidreview review import marks-2026-01-31.json --by "A. Examiner"
    """
    from vidreview.index import Case
    from vidreview.index.marks import import_marks, read_marks
    from vidreview.index.rows import event_name
    from vidreview.index.schema import now_utc

    marks = read_marks(file)
    with Case.open(case) as opened:
        result = import_marks(opened, marks, by, _log(case), now_utc())
    if as_json:
        print_json({"file": marks.name, "sha256": marks.sha256} | result.to_json())
    elif not quiet:
        _print_import(marks, result)
    for event, reason in result.refused:
        click.echo(f"vidreview: {safe(marks.name)}: {event_name(event)} was not taken: {safe(reason)}", err=True)
    return 3 if result.refused else 0


def _split(words: tuple[str, ...]) -> tuple[list[str], str]:
    """The events and the state that were typed."""
    from vidreview.index.reviews import STATES

    words = (*words[:-2], "not relevant") if [one.lower() for one in words[-2:]] == ["not", "relevant"] else words
    *events, typed = words
    state = typed.lower().replace("-", " ").replace("_", " ").strip()
    if state not in STATES:
        known = ", ".join(one.replace(" ", "-") for one in STATES)
        raise UsageError(f"{safe(typed)!r} is not a state; the last word must be one of {known}")
    if not events:
        raise UsageError(f"name the events that are {state}: vidreview review set E0007 {state.replace(' ', '-')}")
    return events, state


def _log(case: Path) -> Callable[[list[dict[str, Any]]], object]:
    from vidreview.audit import AuditLog

    log = AuditLog(case / "audit.jsonl")
    return lambda facts: log.append_many(("review", one) for one in facts)


def _print_import(marks: Marks, result: Taken) -> None:
    from vidreview.index.rows import event_name

    count = len(result.taken)
    click.echo(f"{count} mark{'s' * (count != 1)} of {safe(marks.name)} taken, by {safe(result.by)}")
    for old, new, state in result.taken:
        if old != new:
            click.echo(f"  {event_name(old)} of the report is {event_name(new)} in the case now; it is {state}")
    if result.known:
        click.echo(f"  {result.known} {'were' if result.known != 1 else 'was'} in the case already")
    if result.ahead:
        click.echo(f"  {result.ahead} of a time after now: a clock is wrong; they count as decided at the import")


def _print(found: list[Placed]) -> None:
    from vidreview.cli.tables import print_table
    from vidreview.index.rows import event_name

    rows = []
    for one in found:
        review = one.review
        said = review.decision
        note = safe(said.note or "")
        now = one.now
        if one.event is None:
            now = "not in the case any more"
        elif now == "replaced":
            now = f"now {event_name(one.event)}"
        rows.append(
            (
                event_name(said.event),
                safe(one.exhibit or "-"),
                said.state,
                safe(said.by),
                utc_words(review.utc),
                note if len(note) <= _SHOWN else f"{note[: _SHOWN - 1]}…",
                now + ("" if one.counts else "; decided again later"),
            )
        )
    headings = ("event", "exhibit", "state", "by", "UTC", "note", "the event")
    print_table(headings, rows, folds=(1, 5, 6), spare=(5, 1))


def utc_words(utc: str) -> str:
    """A time of the case for a table, to the second."""
    return safe(utc.replace("T", " ").partition(".")[0].removesuffix("Z"))


def review_words(item: dict[str, Any]) -> str:
    """What was decided about an event, for a cell of a table: state, by whom, when, and the note."""
    if item["review_by"] is None:
        return str(item["review"])
    note = safe(item["review_note"] or "")
    note = note if len(note) <= _SHOWN else f"{note[: _SHOWN - 1]}…"
    said = f"{item['review']}, {safe(item['review_by'])} {utc_words(item['review_utc'])}"
    return f"{said}: {note}" if note else said
