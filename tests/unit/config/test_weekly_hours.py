"""Hours of the week mean the clock on the wall, in the zone that is named."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.core.weekly_hours import DAYS, WHOLE_DAY, parse_weekly_hours


def at(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


@pytest.mark.parametrize(
    ("hours", "zone", "moment", "within"),
    [
        # 2026-11-27 is a Friday.
        ("mon-fri 08:00-20:00", "UTC", "2026-11-27T08:00", True),
        ("mon-fri 08:00-20:00", "UTC", "2026-11-27T19:59", True),
        ("mon-fri 08:00-20:00", "UTC", "2026-11-27T20:00", False),
        ("mon-fri 08:00-20:00", "UTC", "2026-11-28T12:00", False),
        ("08:00-20:00", "UTC", "2026-11-28T12:00", True),
        ("fri 22:00-06:00", "UTC", "2026-11-27T23:00", True),
        ("fri 22:00-06:00", "UTC", "2026-11-28T05:59", True),
        ("fri 22:00-06:00", "UTC", "2026-11-27T05:00", False),
        ("sun 22:00-06:00", "UTC", "2026-11-30T05:00", True),
        ("sat,sun 00:00-24:00", "UTC", "2026-11-28T00:00", True),
        ("sat-mon 00:00-24:00", "UTC", "2026-11-30T23:59", True),
        ("sat-mon 00:00-24:00", "UTC", "2026-12-01T00:00", False),
        ("MON-FRI 08:00-20:00", "UTC", "2026-11-27T08:00", True),
        ("fri 08:00-09:00", "America/New_York", "2026-11-27T13:30", True),
        ("fri 08:00-09:00", "Asia/Tokyo", "2026-11-26T23:30", True),
    ],
)
def test_a_moment_is_within_hours_or_not(hours, zone, moment, within):
    assert parse_weekly_hours(hours, zone).cover(at(moment)) is within


@pytest.mark.parametrize("day", ["2026-01-15", "2026-07-15"])
def test_summer_time_moves_the_hours_with_the_wall_clock(day):
    hours = parse_weekly_hours("02:00-03:00", "Europe/Berlin")
    assert hours.cover(at(f"{day}T02:30", "Europe/Berlin"))
    assert not hours.cover(at(f"{day}T03:00", "Europe/Berlin"))


@pytest.mark.parametrize(
    ("hours", "zone", "said"),
    [
        ("at night", "UTC", "are no hours"),
        ("mon 25:00-26:00", "UTC", "from 00:00 to 24:00"),
        ("mon 24:00-06:00", "UTC", "from 00:00 to 24:00"),
        ("mon 08:00-08:00", "UTC", "the same"),
        ("mo-fr 08:00-20:00", "UTC", "the days are"),
        ("mon- 08:00-20:00 x", "UTC", "are no hours"),
        ("08:00-20:00", "Berlin", "is no time zone"),
        ("08:00-20:00", "../../etc/passwd", "is no time zone"),
        ("08:00-20:00", "", "is no time zone"),
        ("9" * 100_000, "UTC", "are no hours"),
    ],
)
def test_what_are_no_hours_is_refused_with_what_would_be(hours, zone, said):
    with pytest.raises(ValueError, match=said):
        parse_weekly_hours(hours, zone)


@given(
    st.sampled_from(DAYS),
    st.integers(0, WHOLE_DAY - 1),
    st.integers(0, WHOLE_DAY - 1),
    st.integers(0, 10_079),
)
def test_hours_and_those_that_are_left_make_the_whole_week(day, start, end, minute):
    if start == end:
        return
    others = ",".join(other for other in DAYS if other != day)
    first, second = (f"{value // 60:02}:{value % 60:02}" for value in (start, end))
    now = at("2026-11-23T00:00") + minute * 60_000
    own = parse_weekly_hours(f"{day} {first}-{second}").cover(now)
    rest = parse_weekly_hours(f"{day} {second}-{first}").cover(now)
    elsewhere = any(
        parse_weekly_hours(f"{others} {begin}-{finish}").cover(now)
        for begin, finish in ((first, second), (second, first))
    )
    assert own or rest or elsewhere
    assert not (own and rest)


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        ("22:00-06:00", "22:00-06:00 UTC"),
        ("mon,tue,wed 22:00-06:00", "mon-wed 22:00-06:00 UTC"),
        ("sat-mon 22:00-24:00", "mon,sat,sun 22:00-24:00 UTC"),
        ("fri 08:00-09:05", "fri 08:00-09:05 UTC"),
    ],
)
def test_hours_are_shown_as_they_can_be_written(hours, shown):
    assert str(parse_weekly_hours(hours)) == shown
    assert parse_weekly_hours(shown.removesuffix(" UTC")) == parse_weekly_hours(hours)
