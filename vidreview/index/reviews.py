"""What people decided about events: read with who, when and why; written down, logged, never replaced (rule E5)."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vidreview.errors import UsageError, VidreviewError
from vidreview.index import schema, seal
from vidreview.index.rows import event_name, file_name, insert, printable
from vidreview.index.writer import Writer

Select = Callable[..., list[tuple[Any, ...]]]
#: takes the facts of audit log entries, before what they say is committed: what is kept was always logged
Tell = Callable[[list[dict[str, Any]]], object]

#: characters
LONGEST_NAME: Final = 200
LONGEST_NOTE: Final = 10_000

STATES: Final = ("relevant", "not relevant", "unsure", "unreviewed")

#: the newest decision counts; a mark whose clock ran ahead was made by the time it was recorded
_DECIDED: Final = "min(coalesce(marked_utc, at_utc), at_utc)"
#: SQL: the state that counts of the event of a number, ``{event}``
STATE: Final = (
    "coalesce((SELECT state FROM reviews WHERE reviews.event = {event} "
    f"ORDER BY {_DECIDED} DESC, reviews.id DESC LIMIT 1), 'unreviewed')"
)


@dataclass(frozen=True, slots=True)
class EventKey:
    """What tells an event apart whatever its number is: scanned again with other settings, it gets another."""

    exhibit_sha256: str | None
    #: index within the container
    stream: int
    #: ticks of the stream
    start_pts: int
    event_class: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person says of one event."""

    #: number of the event
    event: int
    #: one of STATES
    state: str
    by: str
    note: str | None = None
    #: when it was decided, where a marks file says so: ISO 8601, UTC, milliseconds
    marked_utc: str | None = None
    #: SHA-256 of that file
    marks_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Review:
    """A decision as the case keeps it."""

    number: int
    decision: Decision
    #: when it was recorded in the case
    recorded_utc: str
    #: the event as it was then; None in reviews that an earlier version wrote
    key: EventKey | None

    @property
    def utc(self) -> str:
        """When it was decided, as far as that is known."""
        marked = self.decision.marked_utc
        return self.recorded_utc if marked is None else min(marked, self.recorded_utc)

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        said, key = self.decision, self.key
        return {
            "id": self.number,
            "event": event_name(said.event),
            "state": said.state,
            "by": said.by,
            "utc": self.utc,
            "note": said.note,
            "recorded_utc": self.recorded_utc,
            "marked_utc": said.marked_utc,
            "marks_sha256": said.marks_sha256,
            "exhibit_sha256": key and key.exhibit_sha256,
            "stream": key and key.stream,
            "start_pts": key and key.start_pts,
            "class": key and key.event_class,
        }


def load_reviews(select: Select, events: Sequence[int] | None = None) -> list[Review]:
    """Reviews in the order of their decisions, of these events or all: of several of one event, the last counts."""
    only = "" if events is None else "WHERE event IN (SELECT value FROM json_each(?)) "
    return [
        Review(
            number,
            Decision(event=event, state=state, by=by, note=note, marked_utc=marked, marks_sha256=marks),
            at_utc,
            None if stream is None else EventKey(sha256, stream, start, kind),
        )
        for number, event, state, by, at_utc, note, marked, marks, sha256, stream, start, kind in select(
            "SELECT id, event, state, by, at_utc, note, marked_utc, marks_sha256, exhibit_sha256, stream, start_pts, "
            f"class FROM reviews {only}ORDER BY {_DECIDED}, id",
            () if events is None else (json.dumps(events),),
        )
    ]


def current(select: Select, events: Sequence[int] | None = None) -> dict[int, Review]:
    """Number of an event → the review that counts, of these events or all."""
    return {review.decision.event: review for review in load_reviews(select, events)}


def review_fields(review: Review | None) -> dict[str, Any]:
    """How an event says what was decided about it."""
    said = None if review is None else review.decision
    return {
        "review": "unreviewed" if said is None else said.state,
        "review_by": said and said.by,
        "review_utc": review and review.utc,
        "review_note": said and said.note,
    }


@dataclass(frozen=True, slots=True)
class Placed:
    """A review and what became of the event that it is of."""

    review: Review
    exhibit: str | None
    #: "as reviewed", "replaced" by an event of another number that begins at the same place, or "gone"
    now: str
    #: the number that the event has now; None when there is none
    event: int | None
    #: it is the review that counts for its event
    counts: bool

    def to_json(self) -> dict[str, Any]:
        """The facts as plain JSON values."""
        event = None if self.event is None else event_name(self.event)
        placed = {"exhibit": self.exhibit, "counts": self.counts, "event_now": event, "now": self.now}
        return self.review.to_json() | placed


def placed_reviews(select: Select) -> list[Placed]:
    """All reviews, in the order of their decisions, with what the event of each is now."""
    reviews = load_reviews(select)
    last = {review.decision.event: review.number for review in reviews}
    by_number = events_by_number(select)
    # of two of one key the lower number
    by_key = {key: number for number, key in sorted(by_number.items(), reverse=True)}
    names = {
        sha256: file_name(name, raw)
        for sha256, name, raw in select(
            "SELECT sha256, name, name_raw FROM exhibits WHERE sha256 IS NOT NULL AND state != 'duplicate' "
            "ORDER BY id DESC"
        )
    }
    found = []
    for review in reviews:
        number = review.decision.event
        key = review.key or by_number.get(number)
        there = number if number in by_number else None if key is None else by_key.get(key)
        now = "gone" if there is None else "as reviewed" if there == number else "replaced"
        exhibit = None if key is None or key.exhibit_sha256 is None else names.get(key.exhibit_sha256)
        found.append(Placed(review, exhibit, now, there, last[number] == review.number))
    return found


def events_by_number(select: Select, numbers: Sequence[int] | None = None) -> dict[int, EventKey]:
    """The events that have a number, or those of them that are wanted."""
    wanted = "" if numbers is None else f" AND event.number IN ({', '.join('?' * len(numbers))})"
    return {
        number: EventKey(sha256, stream, start, kind)
        for number, sha256, stream, start, kind in select(
            "SELECT event.number, exhibit.sha256, stream.number, event.start_pts, event.class FROM events event "
            "JOIN streams stream ON stream.id = event.stream JOIN exhibits exhibit ON exhibit.id = stream.exhibit "
            f"WHERE event.number IS NOT NULL{wanted} ORDER BY event.number",
            numbers or (),
        )
    }


# ---- writing


def worded(text: str, what: str, most: int) -> str:
    """Text that a person gave, as the case keeps it; raises UsageError when it is empty or too long."""
    kept = printable(text.strip())
    if not kept:
        raise UsageError(f"{what} is empty; who decided, and what, is part of the record")
    if len(kept) > most:
        raise UsageError(f"{what} has {len(kept)} characters; at most {most} are kept")
    return kept


def set_reviews(
    case: Writer, numbers: Sequence[int], state: str, by: str, note: str | None, tell: Tell
) -> list[Review]:
    """Record that a person decided so about events; all or nothing. Raises UsageError for an unknown event."""
    decisions = [Decision(event=number, state=state, by=by, note=note) for number in dict.fromkeys(numbers)]
    for start in range(0, len(decisions), 500):  # SQLite takes so many values at once
        part = [one.event for one in decisions[start : start + 500]]
        there = events_by_number(selecting(case), part)
        for number in part:
            if number not in there:
                raise UsageError(f"the case has no event {event_name(number)}; see 'vidreview events'")
    return record(case, decisions, tell)


def record(case: Writer, decisions: Iterable[Decision], tell: Tell, head: dict[str, Any] | None = None) -> list[Review]:
    """Write decisions about events that are there, in one transaction; ``head`` goes into the log before them.

    When the transaction is not committed after all, since it was interrupted, the log is told what the rows are.
    """
    reviews: list[Review] = []
    told: list[int] = []
    try:
        with case._transaction() as db:
            keys = events_by_number(_selecting(db))
            number = 1 + db.execute("SELECT coalesce(max(id), 0) FROM reviews").fetchone()[0]
            now = schema.now_utc()
            for one in decisions:
                review = Review(number + len(reviews), one, now, keys[one.event])
                _insert(db, review)
                reviews.append(review)
            facts = [] if head is None else [head]
            for review in reviews:
                facts.append(review.to_json() | {"recorded": seal.recorded(db, "reviews", review.number)})
                told.append(review.number)
            if reviews:
                tell(facts)
    except BaseException:
        _settle(case, told, tell)
        raise
    return reviews


def selecting(case: Writer) -> Select:
    """A query on a case that is open for writing."""
    return _selecting(case._db)


def _selecting(db: sqlite3.Connection) -> Select:
    return lambda statement, values=(): db.execute(statement, values).fetchall()


def _settle(case: Writer, told: Sequence[int], tell: Tell) -> None:
    """Tell the log what became of rows that it was told of; ``recorded`` has no sha256 where there is none."""
    facts = [
        {"change": "not kept" if fact["sha256"] is None else "kept", "id": row, "recorded": fact}
        for row in told
        if (fact := seal.recorded(case._db, "reviews", row))
    ]
    with contextlib.suppress(VidreviewError):  # of the log that could not be written: the first error says so
        if facts:
            tell(facts)


def _insert(db: sqlite3.Connection, review: Review) -> None:
    said, key = review.decision, review.key
    assert key is not None
    insert(
        db,
        "reviews",
        id=review.number,
        event=said.event,
        state=said.state,
        by=said.by,
        at_utc=review.recorded_utc,
        note=said.note,
        marked_utc=said.marked_utc,
        marks_sha256=said.marks_sha256,
        exhibit_sha256=key.exhibit_sha256,
        stream=key.stream,
        start_pts=key.start_pts,
        **{"class": key.event_class},
    )
