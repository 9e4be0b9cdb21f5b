"""What a recorder's clock showed, and what follows: the arithmetic of rules B2 to B5."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vidreview.clocks import (
    SECOND,
    UNKNOWN,
    Check,
    Correction,
    Offset,
    Piece,
    Reading,
    StreamClock,
    Times,
    Zone,
    drift_words,
    in_words,
    offset_words,
    pair,
    time_of,
    wall_clock,
)
from vidreview.errors import CaseError

LONDON = "Europe/London"
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a clock's own time has no zone


def sec(seconds: float) -> int:
    """Seconds as microseconds."""
    return round(seconds * SECOND)


def wall(text: str) -> int:
    return wall_clock(datetime.fromisoformat(text))


def reading(at: float, shown: str, name: str = "C0001", uncertainty: int = SECOND) -> Reading:
    return Reading(name, sec(at), wall(shown), uncertainty)


def check(shown: str, reference: str, name: str = "C0009", uncertainty: int = SECOND) -> Check:
    aware = datetime.fromisoformat(reference).tzinfo is not None
    return Check(name, wall(shown), wall(reference), aware, uncertainty, "speaking clock")


def clock(
    readings: list[Reading], checks: list[Check], zone: str | None = LONDON, breaks: tuple[int, ...] = (), **more: Any
) -> StreamClock:
    return StreamClock(readings, Correction(Zone(zone), checks), map(sec, breaks), **more)


def iso(time: int | None) -> str | None:
    return None if time is None else time_of(time).isoformat(timespec="milliseconds")


def utc(times: Times) -> list[str | None]:
    return [iso(one) for one in times.utc]


# ---- offset (rule B3)


def test_a_fast_recorder_is_subtracted_from() -> None:
    """Rule B3: 2 min 07 s FAST; the four times are kept apart (rule B2)."""
    line = clock([reading(10, "2024-01-15T22:00:00")], [check("2024-01-20T14:02:07", "2024-01-20T14:00:00")])
    assert [offset_words(one) for one in line.correction.offsets] == [
        "recorder is 2 min 07 s FAST; subtract 2 min 07 s"
    ]
    times = line.at(sec(12.5))
    assert iso(times.shown) == "2024-01-15T22:00:02.500"
    assert iso(times.corrected) == "2024-01-15T21:57:55.500"
    assert utc(times) == ["2024-01-15T21:57:55.500"]
    assert (times.shown_uncertainty, times.corrected_uncertainty, times.utc_uncertainty) == (
        SECOND,
        2 * SECOND,
        2 * SECOND,
    )
    assert times.source == "C0001 read at 10 s; offset of C0009 (speaking clock), one check, so drift is unknown; " + (
        "zone Europe/London"
    )


def test_a_slow_recorder_is_added_to() -> None:
    """Rule B3."""
    line = clock([reading(0, "2024-07-01T12:00:00")], [check("2024-07-02T08:59:30", "2024-07-02T10:00:00")])
    assert [offset_words(one) for one in line.correction.offsets] == [
        "recorder is 1 h 00 min 30 s SLOW; add 1 h 00 min 30 s"
    ]
    assert utc(line.at(sec(0))) == ["2024-07-01T12:00:30.000"]  # British Summer Time is an hour ahead of UTC
    assert iso(line.at(sec(0)).corrected) == "2024-07-01T13:00:30.000"


def test_a_recorder_that_is_right_is_said_to_be() -> None:
    assert offset_words(Offset(("C0001",), SECOND, 0, SECOND, "x")) == "recorder agrees with its reference"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (7, "7 s"),
        (7.5, "7.5 s"),
        (127, "2 min 07 s"),
        (-127, "2 min 07 s"),
        (3600, "1 h 00 min 00 s"),
        (90061, "1 d 1 h 01 min 01 s"),
        (86400, "1 d 0 h 00 min 00 s"),
        (59.9996, "1 min 00 s"),
        (60.001, "1 min 00.001 s"),
    ],
)
def test_lengths_in_words(seconds: float, words: str) -> None:
    assert in_words(sec(seconds)) == words


def test_a_reference_in_utc_and_one_in_local_time_give_the_same_offset() -> None:
    """Rule B3: a reference says its zone or stands in the recorder's."""
    shown = "2024-07-20T14:02:07"
    offsets = [
        Correction(Zone(LONDON), [check(shown, text)]).offsets[0].value
        for text in ("2024-07-20T14:00:00", "2024-07-20T13:00:00+00:00", "2024-07-20T15:00:00+02:00")
    ]
    assert offsets == [127 * SECOND] * 3


def test_a_clock_change_between_check_and_footage_is_no_error_of_the_recorder() -> None:
    """Checked in summer, recorded in winter: the zone is that of the footage."""
    line = clock([reading(0, "2024-01-15T22:02:07")], [check("2024-07-20T14:02:07", "2024-07-20T14:00:00")])
    assert utc(line.at(sec(0))) == ["2024-01-15T22:00:00.000"]
    fixed = clock([reading(0, "2024-01-15T22:02:07")], [check("2024-07-20T14:02:07", "2024-07-20T14:00:00")], "UTC")
    assert utc(fixed.at(sec(0))) == ["2024-01-15T22:00:00.000"]


def test_unknown_stays_unknown() -> None:
    """Rule B5: no reading, nothing; no check, only what was displayed; no zone, no UTC."""
    checked = [check("2024-01-20T14:02:07", "2024-01-20T14:00:00")]
    assert clock([], checked).at(SECOND) == UNKNOWN
    displayed = clock([reading(0, "2024-01-15T22:00:00")], []).at(SECOND)
    assert (iso(displayed.shown), displayed.corrected, displayed.utc) == ("2024-01-15T22:00:01.000", None, ())
    assert displayed.source is not None
    assert displayed.source.endswith("no check against a reference, so offset is unknown")
    local = clock([reading(0, "2024-01-15T22:00:00")], checked, None).at(SECOND)
    assert (iso(local.corrected), local.utc, local.utc_uncertainty) == ("2024-01-15T21:57:54.000", (), None)
    assert local.source is not None
    assert local.source.endswith("zone unknown")


def test_a_reference_in_utc_says_nothing_while_the_zone_is_unknown() -> None:
    correction = Correction(Zone(None), [check("2024-07-20T14:02:07", "2024-07-20T13:00:00+00:00")])
    assert correction.offsets == ()
    assert "is not known" in correction.unusable["C0009"]


# ---- drift


TEN_DAYS = [
    check("2024-01-10T12:00:30", "2024-01-10T12:00:00", "C0002"),
    check("2024-01-20T12:00:50", "2024-01-20T12:00:00", "C0003", 2 * SECOND),
]


@pytest.mark.parametrize(
    ("shown", "offset", "bound", "how"),
    [
        ("2024-01-10T12:00:30", 30, 1, "interpolated between"),
        ("2024-01-15T12:00:40", 40, 1.5, "interpolated between"),
        ("2024-01-20T12:00:50", 50, 2, "interpolated between"),
        ("2024-01-30T12:01:10", 70, 5, "extrapolated beyond"),
        ("2023-12-31T12:00:10", 10, 4, "extrapolated beyond"),
    ],
)
def test_two_checks_ten_days_apart_give_drift(shown: str, offset: int, bound: float, how: str) -> None:
    """Rule B3: the worked example, with its bound beyond the checks; 20 s in 10 days."""
    correction = Correction(Zone(LONDON), TEN_DAYS)
    estimate = correction.at(wall(shown))
    assert estimate is not None
    past = (wall(shown) - wall("2024-01-10T12:00:30")) / SECOND
    assert estimate.value / SECOND == pytest.approx(30 + 20 / (10 * 86400 + 20) * past, abs=1e-6)
    assert estimate.value / SECOND == pytest.approx(offset, abs=0.01)
    assert estimate.uncertainty / SECOND == pytest.approx(bound, abs=0.01)
    assert estimate.words == f"offset {how} C0002 and C0003 (speaking clock)"
    assert [drift_words(piece) for piece in correction.pieces] == ["it gains 2 s a day"]


def test_three_checks_are_joined_piece_by_piece_whatever_their_order() -> None:
    third = check("2024-01-30T12:00:40", "2024-01-30T12:00:00", "C0004")
    correction = Correction(Zone(LONDON), [third, *reversed(TEN_DAYS)])
    assert [drift_words(piece) for piece in correction.pieces] == ["it gains 2 s a day", "it loses 1 s a day"]
    middle = correction.at(wall("2024-01-25T12:00:45"))
    late = correction.at(wall("2024-02-09T12:00:30"))
    assert middle is not None
    assert late is not None
    assert middle.value / SECOND == pytest.approx(45, abs=0.01)
    assert late.value / SECOND == pytest.approx(30, abs=0.01)
    assert late.words.startswith("offset extrapolated beyond C0003 and C0004")


def test_the_bound_written_out() -> None:
    """Rule B2: a clock that gains half a second each second, at twice the distance of the second check."""
    first = Offset(("C0002",), 0, 0, sec(1), "x")
    second = Offset(("C0003",), sec(100), sec(50), sec(1.5), "x")
    value, bound = Piece(first, second, "").at(sec(200), sec(2))
    assert value == sec(100)
    assert bound - sec(abs(1 - 2) * 1 + 2 * 1.5 + 2 * (abs(1 - 0.5) + (1 + 1.5) / 100)) in (0, 1)


def test_checks_at_one_moment_are_held_together() -> None:
    """Two people check at once and differ: neither is silently preferred."""
    two = [
        check("2024-01-10T12:00:30", "2024-01-10T12:00:00", "C0002"),
        check("2024-01-10T12:00:30", "2024-01-10T12:00:04", "C0003"),
    ]
    (offset,) = Correction(Zone(LONDON), two).offsets
    assert (offset.value, offset.uncertainty, offset.names) == (28 * SECOND, 3 * SECOND, ("C0002", "C0003"))


# ---- the clock change (rule B4)


def test_the_repeated_hour_is_two_candidates() -> None:
    """Rule B4: Europe/London, 2023-10-29 01:30 occurs twice."""
    line = clock([reading(0, "2023-10-29T01:30:00")], [check("2023-11-05T12:00:00", "2023-11-05T12:00:00")])
    times = line.at(sec(60))
    assert iso(times.shown) == "2023-10-29T01:31:00.000"
    assert utc(times) == ["2023-10-29T00:31:00.000", "2023-10-29T01:31:00.000"]
    assert pair(times, line.at(sec(70)), sec(10)) == [
        (wall("2023-10-29T00:31:00"), wall("2023-10-29T00:31:10")),
        (wall("2023-10-29T01:31:00"), wall("2023-10-29T01:31:10")),
    ]
    assert times.source is not None
    assert times.source.endswith("in its repeated hour: two candidates")


def test_the_corrected_time_in_the_repeated_hour_holds_for_both_candidates() -> None:
    """Rule B4: with a drift of 24 s a day the two are a second apart."""
    checks = [
        check("2023-11-05T12:00:00", "2023-11-05T12:00:00", "C0002"),
        check("2023-11-06T12:00:24", "2023-11-06T12:00:00", "C0003"),
    ]
    times = clock([reading(0, "2023-10-29T01:30:00")], checks).at(0)
    assert times.corrected is not None
    assert times.corrected_uncertainty is not None
    assert times.utc_uncertainty is not None
    first, second = times.utc
    assert (second - first - sec(3600)) / SECOND == pytest.approx(-1, abs=0.01)
    assert times.corrected == first + sec(3600)
    assert (times.corrected_uncertainty - times.utc_uncertainty) / SECOND == pytest.approx(0.92, abs=0.1)


def test_after_a_reading_in_the_repeated_hour_the_display_itself_is_two() -> None:
    """Rule B4: 45 minutes on it shows 02:15 or, set back on the way, 01:15."""
    line = clock([reading(0, "2023-10-29T01:30:00")], [check("2023-11-05T12:00:00", "2023-11-05T12:00:00")])
    times = line.at(sec(45 * 60))
    assert (times.shown, times.corrected) == (None, None)
    assert utc(times) == ["2023-10-29T01:15:00.000", "2023-10-29T02:15:00.000"]


def test_a_recording_over_the_clock_change_goes_on_in_utc() -> None:
    """A reading before the change tells of the time after it: the recorder put its display back, not its clock."""
    line = clock([reading(0, "2023-10-29T00:50:00")], [check("2023-11-05T12:00:00", "2023-11-05T12:00:00")])
    before, within, after = (line.at(60 * minutes * SECOND) for minutes in (5, 20, 135))
    assert (iso(before.shown), utc(before)) == ("2023-10-29T00:55:00.000", ["2023-10-28T23:55:00.000"])
    assert utc(within) == ["2023-10-29T00:10:00.000", "2023-10-29T01:10:00.000"]
    assert (iso(after.shown), utc(after)) == ("2023-10-29T02:05:00.000", ["2023-10-29T02:05:00.000"])
    # what begins before the repeated hour ends in its first half
    assert pair(before, within, sec(900)) == [(wall("2023-10-28T23:55:00"), wall("2023-10-29T00:10:00"))]


def test_close_to_the_repeated_hour_the_uncertainty_reaches_into_it() -> None:
    """Rule B4: half a second before it, give or take a second."""
    line = clock([reading(0, "2023-10-29T00:59:00")], [check("2023-11-05T12:00:00", "2023-11-05T12:00:00")])
    assert len(line.at(sec(58)).utc) == 1
    assert len(line.at(sec(59.5)).utc) == 2


def test_the_skipped_hour_has_no_utc_and_says_so() -> None:
    """Rule B4: Europe/London, 2024-03-31 01:30 does not exist, so the recorder did not follow that zone."""
    line = clock([reading(0, "2024-03-31T01:30:00")], [check("2024-04-05T12:02:07", "2024-04-05T12:00:00")])
    times = line.at(sec(0))
    assert (iso(times.shown), times.utc, times.utc_uncertainty) == ("2024-03-31T01:30:00.000", (), None)
    assert iso(times.corrected) == "2024-03-31T01:27:53.000"
    assert times.source is not None
    assert times.source.endswith("2024-03-31 01:30:00 does not exist (skipped by a clock change)")
    # and nothing else that rests on that reading has one either
    assert line.at(sec(7200)).utc == ()


def test_a_recording_over_the_skipped_hour_goes_on() -> None:
    line = clock([reading(0, "2024-03-31T00:50:00")], [check("2024-04-05T12:00:00", "2024-04-05T12:00:00")])
    times = line.at(sec(1200))
    assert (iso(times.shown), utc(times)) == ("2024-03-31T02:10:00.000", ["2024-03-31T01:10:00.000"])


@pytest.mark.parametrize(
    ("shown", "reference", "why"),
    [
        ("2023-10-29T01:30:00", "2023-10-29T01:29:00", "occurs twice"),
        ("2023-10-29T01:30:00", "2023-10-29T00:29:00+00:00", "occurs twice"),
        ("2024-03-31T02:00:30", "2024-03-31T01:59:00", "occurs never"),
    ],
)
def test_a_check_at_a_time_that_is_not_one_instant_is_not_used(shown: str, reference: str, why: str) -> None:
    """Rule B4: which of two offsets an hour apart it was is not guessed."""
    correction = Correction(Zone(LONDON), [check(shown, reference)])
    assert correction.offsets == ()
    assert why in correction.unusable["C0009"]


def test_a_zone_that_this_machine_lacks_is_said() -> None:
    with pytest.raises(CaseError, match="does not know the time zone 'Europe/Nowhere'"):
        Zone("Europe/Nowhere")


@given(st.integers(0, 2**31), st.sampled_from([LONDON, "Australia/Lord_Howe", "Asia/Kathmandu", "America/New_York"]))
@settings(max_examples=300)
def test_zones_agree_with_the_library(instant: int, name: str) -> None:
    """There and back: what a clock in the zone shows has the instant among its candidates, and no wrong one."""
    zone, info = Zone(name), ZoneInfo(name)
    local = datetime.fromtimestamp(instant, info)
    shown = zone.shown(instant * SECOND)
    assert time_of(shown) == local.replace(tzinfo=None)
    both = {local.replace(fold=fold).utcoffset() for fold in (0, 1)}
    assert {timedelta(microseconds=ahead) for ahead in zone.offsets(shown)} == both


def test_all_hours_about_the_clock_changes_have_the_right_number_of_candidates() -> None:
    zone = Zone(LONDON)
    counts = {
        text: len(zone.offsets(wall(text)))
        for text in (
            "2023-10-29T00:59:59",
            "2023-10-29T01:00:00",
            "2023-10-29T01:59:59",
            "2023-10-29T02:00:00",
            "2024-03-31T00:59:59",
            "2024-03-31T01:00:00",
            "2024-03-31T01:59:59",
            "2024-03-31T02:00:00",
        )
    }
    assert list(counts.values()) == [1, 2, 2, 1, 1, 0, 0, 1]


# ---- readings and breaks (rule B2)


def test_the_reading_at_or_before_tells_else_the_first_after() -> None:
    line = clock([reading(100, "2024-01-15T22:00:00", "C0001"), reading(200, "2024-01-15T22:01:40", "C0002")], [], None)
    assert [line.at(sec(at)).source for at in (0, 100, 199, 200, 300)] == [
        f"{name} read at {at} s; no check against a reference, so offset is unknown"
        for name, at in (("C0001", 100), ("C0001", 100), ("C0001", 100), ("C0002", 200), ("C0002", 200))
    ]
    assert iso(line.at(sec(0)).shown) == "2024-01-15T21:58:20.000"


def test_a_reading_says_nothing_beyond_a_break() -> None:
    """Rule B5: after a reset the display is unknown until somebody reads it there."""
    first = reading(10, "2024-01-15T22:00:00")
    line = clock([first], [], None, breaks=(50, 80))
    assert iso(line.at(sec(49)).shown) == "2024-01-15T22:00:39.000"
    assert line.at(sec(50)) == UNKNOWN
    line = clock([first, reading(60, "2024-01-15T22:30:00", "C0002")], [], None, breaks=(50, 80))
    assert iso(line.at(sec(50)).shown) == "2024-01-15T22:29:50.000"
    assert line.at(sec(80)) == UNKNOWN
    assert line.disagreements() == []  # those of different segments have nothing to agree on


def test_breaks_that_were_only_counted_leave_the_rest_unknown() -> None:
    line = clock([reading(10, "2024-01-15T22:00:00")], [], None, listed_until=sec(30))
    assert line.at(sec(29)) != UNKNOWN
    assert line.at(sec(30)) == UNKNOWN


def test_readings_that_disagree_with_stream_time_widen_the_bound() -> None:
    """Rule B2: the disagreement is reported and enters the uncertainty of every time there."""
    two = [reading(0, "2024-01-15T22:00:00", "C0001"), reading(600, "2024-01-15T22:10:07", "C0002")]
    line = clock(two, [check("2024-01-20T14:00:00", "2024-01-20T14:00:00")])
    (found,) = line.disagreements()
    assert (found.first.name, found.second.name, found.by) == ("C0001", "C0002", 7 * SECOND)
    assert line.at(sec(300)).shown_uncertainty == 8 * SECOND
    assert line.at(sec(300)).utc_uncertainty == 9 * SECOND
    agreeing = clock([two[0], reading(600, "2024-01-15T22:10:01", "C0002")], [], None)
    assert agreeing.disagreements() == []
    assert agreeing.at(sec(300)).shown_uncertainty == SECOND


def test_counted_stream_time_is_said_and_widens_the_bound() -> None:
    """Rule B2: without timestamps nobody knows how long a frame lasted."""
    line = clock([reading(10, "2024-01-15T22:00:00")], [], None, counted=True)
    times = line.at(sec(4))
    assert times.source is not None
    assert "counted at an assumed rate, the file holds no timestamps" in times.source
    assert times.shown_uncertainty == 7 * SECOND
    assert line.at(sec(10)).shown_uncertainty == SECOND


def test_times_out_of_the_calendar_are_unknown() -> None:
    """A hostile time line may be of any length."""
    assert clock([reading(0, "2024-01-15T22:00:00")], []).at(sec(10**12)) == UNKNOWN
    close = [
        check("2024-01-10T12:00:00", "1900-01-10T12:00:00", "C0002"),
        check("2024-01-10T12:00:01", "2199-01-10T12:00:00", "C0003"),
    ]
    times = clock([reading(0, "2024-01-15T22:00:00")], close).at(sec(0))
    assert (times.corrected, times.utc) == (None, ())
    assert times.source is not None
    assert "out of the calendar" in times.source


@given(st.datetimes(EPOCH - timedelta(days=25_000), EPOCH + timedelta(days=80_000)))
def test_clock_times_survive_the_arithmetic(time: datetime) -> None:
    assert time_of(wall_clock(time)) == time
    assert wall_clock(time.replace(tzinfo=UTC)) == wall_clock(time)


# ---- the bound


#: by how much a display of whole seconds is behind; the last microseconds are left to what is rounded here
BEHIND = st.one_of(st.sampled_from([0, 999_990]), st.integers(0, 999_990))
#: 2023-09-01 to 2024-05-01: both clock changes lie within
INSTANT = st.integers(1_693_526_400 * SECOND, 1_714_521_600 * SECOND)


@given(
    offset=st.integers(-7200 * SECOND, 7200 * SECOND),
    a_day=st.integers(-5 * SECOND, 5 * SECOND),
    at=INSTANT,
    instants=st.lists(INSTANT, min_size=3, max_size=3),
    behind=st.lists(BEHIND, min_size=5, max_size=5),
)
@settings(max_examples=300, deadline=None)
def test_the_truth_lies_within_the_bound(
    offset: int, a_day: int, at: int, instants: list[int], behind: list[int]
) -> None:
    """Rules B2 to B4: a recorder with this offset and drift, read and checked by people who see whole seconds.

    Whatever they record, the true UTC of any instant lies within the bound of a candidate.
    """
    zone = Zone(LONDON)

    def running(instant: int) -> int:
        return instant + offset + a_day * (instant - 1_693_526_400 * SECOND) // (86400 * SECOND)

    def checked(name: str, instant: int, shown_behind: int, reference_behind: int) -> Check:
        shown = zone.shown(running(instant)) - shown_behind
        return Check(name, shown, instant - reference_behind, True, SECOND, "x")

    first, second, instant = instants
    assume(abs(first - second) > 86400 * SECOND)  # closer together, their errors leave the drift open
    # the picture's own time line runs by the recorder's clock
    read = Reading("C9", 0, zone.shown(running(at)) - behind[4], SECOND)
    checks = [checked("C1", first, behind[0], behind[1]), checked("C2", second, behind[2], behind[3])]
    times = StreamClock([read], Correction(zone, checks)).at(running(instant) - running(at))
    known = len(zone.offsets(read.shown)) == 1
    if known and all(len(zone.offsets(one.shown)) == 1 for one in checks):
        assert times.utc_uncertainty is not None
        assert min(abs(one - instant) for one in times.utc) <= times.utc_uncertainty
    elif known:
        # one check or none: what drift does since is not known, so nothing is promised but to say so
        assert times.source is not None
        assert "drift is unknown" in times.source or "offset is unknown" in times.source


@given(
    readings=st.dictionaries(st.integers(0, 1000), st.integers(-5, 5), min_size=1, max_size=6),
    breaks=st.sets(st.integers(1, 1000), max_size=4),
    at=st.integers(0, 1000),
)
def test_which_reading_tells_is_as_said(readings: dict[int, int], breaks: set[int], at: int) -> None:
    """Against the rule written out plainly: nearest at or before in the same segment, else the first after."""
    line = clock(
        [Reading(f"C{where}", sec(where), sec(where + error), SECOND) for where, error in readings.items()],
        [],
        None,
        breaks=tuple(breaks),
    )
    same = [one for one in readings.items() if not any(min(one[0], at) < cut <= max(one[0], at) for cut in breaks)]
    before = [one for one in same if one[0] <= at]
    told = max(before) if before else min(same, default=None)
    times = line.at(sec(at))
    assert times.shown == (None if told is None else sec(at + told[1]))
    if told is not None:
        spread = max(error for _, error in same) - min(error for _, error in same)
        assert times.shown_uncertainty == sec(1 + spread if spread > 2 else 1)
