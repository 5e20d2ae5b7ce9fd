"""What comes and goes is one incident, told as over when it believably is, and nothing of it is lost."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.incidents.test_lifecycle import (
    INTERVALS,
    POLICY,
    SIGNATURES,
    T0,
    H,
    Life,
    alarm,
    occurrence_count,
    signature,
)
from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.lifecycle import MUCH_WORSE, advance, next_due
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import DRILL, AlertState

MIN = 60_000
DAY = 24 * H


def lived(arrivals, until, policy=POLICY):
    """A life with these occurrence counts, looked at every minute in between."""
    at = {}
    for each in arrivals:
        at.setdefault(each.received_at, []).append(each)
    life = Life(policy)
    for now in sorted({*at, *range(T0, until, MIN)}):
        life.at(now, *at.get(now, []))
    return life


def drip(every, *, n=1, until=DAY):
    return [occurrence_count(T0 + at, n) for at in range(0, until, every)]


def flaps(firing, ok):
    return [
        alarm(T0 + at + (firing if over else 0), AlertState.RESOLVED if over else AlertState.FIRING)
        for at in range(0, DAY, firing + ok)
        for over in (False, True)
        if at + firing * over < DAY
    ]


@pytest.mark.parametrize("minutes", [16, 20, 29, 31, 47, 60, 61, 95, 180, 340, 420, 600])
def test_a_day_of_one_error_now_and_then_makes_at_most_ten_notifications(minutes):
    life = lived(drip(minutes * MIN), T0 + DAY)
    assert len(life.said) <= 10


@pytest.mark.parametrize("minutes", [16, 20, 29, 47, 61])
def test_a_drip_is_told_as_back_again_once_or_twice_and_then_is_one_incident_with_reminders(minutes):
    life = lived(drip(minutes * MIN), T0 + DAY)
    told = Counter(life.reasons)
    assert told["opened"] == 1
    assert told["regressed"] <= 2
    assert told["repeat"] >= 2
    assert life.closed == []
    assert life.incident.resolved_at is None


def test_a_drip_of_many_lines_each_time_is_as_quiet_as_one_of_single_lines():
    assert len(lived(drip(20 * MIN, n=40), T0 + DAY).said) <= 10


@pytest.mark.parametrize(("firing", "ok"), [(1, 1), (2, 2), (10, 10), (1, 19), (19, 1), (30, 90), (180, 180)])
def test_a_day_of_an_alarm_that_flaps_makes_at_most_ten_notifications(firing, ok):
    life = lived(flaps(firing * MIN, ok * MIN), T0 + DAY)
    assert len(life.said) <= 10
    assert life.closed == []


def test_an_alarm_that_never_says_ok_and_fires_again_and_again_is_told_as_back_once():
    arrivals = [alarm(T0 + at, AlertState.FIRING) for at in range(0, DAY, 20 * MIN)]
    assert Counter(lived(arrivals, T0 + DAY).reasons)["regressed"] == 1


def test_what_comes_back_is_over_after_twice_the_gap_and_not_before():
    life = lived(drip(20 * MIN, until=3 * H), T0 + 3 * H)
    last = T0 + 3 * H - 20 * MIN
    life.at(last + 40 * MIN - 1)
    assert life.incident.resolved_at is None
    life.at(last + 40 * MIN)
    assert life.reasons[-1] == "resolved"


def test_one_return_after_hours_asks_for_no_more_than_four_times_the_quiet():
    life = Life().at(T0, occurrence_count(T0)).at(T0 + H).at(T0 + 5 * H, occurrence_count(T0 + 5 * H))
    life.at(T0 + 5 * H + 4 * 15 * MIN - 1)
    assert life.reasons == ["opened", "resolved", "regressed"]
    assert life.at(T0 + 6 * H).reasons[-1] == "resolved"


def test_what_comes_back_after_more_than_the_longest_quiet_is_another_outage_and_nothing_is_left_of_the_rhythm():
    life = lived(drip(20 * MIN, until=3 * H), T0 + 5 * H)
    assert life.incident.resolved_at is not None
    again = T0 + 12 * H
    life.at(again, occurrence_count(again)).at(again + 15 * MIN)
    assert life.reasons[-2:] == ["regressed", "resolved"]


def test_the_setting_bounds_the_quiet_and_nothing_learns_without_it():
    never = Policy(replace(INTERVALS, max_resolve_after=0), SIGNATURES)
    told = Counter(lived(drip(20 * MIN), T0 + DAY, never).reasons)
    assert told["regressed"] == 71
    short = Policy(replace(INTERVALS, max_resolve_after=30 * MIN), SIGNATURES)
    life = lived(drip(20 * MIN, until=3 * H), T0 + 3 * H - 20 * MIN + 30 * MIN + 1, short)
    assert life.reasons[-1] == "resolved"


def test_a_setting_that_is_lowered_holds_for_what_was_learned_before():
    life = lived(drip(20 * MIN, until=3 * H), T0 + 3 * H - 1)
    life.policy = Policy(replace(INTERVALS, max_resolve_after=0), SIGNATURES)
    assert life.at(T0 + 3 * H).reasons[-1] == "resolved"


def test_a_drip_that_becomes_a_storm_is_shown_as_soon_as_anything_else():
    life = lived(drip(20 * MIN, until=3 * H), T0 + 3 * H)
    said, known = len(life.said), life.incident.alerts["other"].notified.count
    life.at(T0 + 3 * H, occurrence_count(T0 + 3 * H, known * MUCH_WORSE))
    assert life.reasons[said:] == ["update"]


def test_what_is_new_beside_a_drip_is_told_at_once_and_is_over_by_its_own_quiet():
    life = lived(drip(20 * MIN, until=3 * H), T0 + 3 * H)
    said = len(life.said)
    life.at(T0 + 3 * H, occurrence_count(T0 + 3 * H, name="short"))
    assert life.reasons[said:] == ["new_alert"]
    life.at(T0 + 3 * H + 6 * MIN)
    assert life.incident.alerts["short"].state is AlertState.RESOLVED
    assert life.reasons[said:] == ["new_alert", "update"]


def test_a_drill_that_is_run_again_is_over_as_fast_as_the_first():
    policy = Policy(INTERVALS, {DRILL: signature(DRILL, resolve_after=30_000)})
    life = Life(policy)
    for n in range(4):
        at = T0 + n * 10 * MIN
        life.at(at, occurrence_count(at, name=DRILL)).at(at + 30_000)
    assert life.reasons[-2:] == ["regressed", "resolved"]
    assert life.reasons.count("resolved") == 4


KINDS = ["other", "short", "cause", "symptom"]

gaps = st.lists(
    st.tuples(st.integers(1, 5 * 3600), st.integers(1, 40), st.sampled_from([*KINDS, "firing", "ok"])),
    min_size=1,
    max_size=30,
)


def after_gaps(entries):
    arrivals, now = [], T0
    for number, (gap, n, kind) in enumerate(entries):
        now += gap * 1000
        if kind in KINDS:
            arrivals.append(occurrence_count(now, n, name=kind, envelope=str(number)))
        else:
            arrivals.append(alarm(now, AlertState.FIRING if kind == "firing" else AlertState.RESOLVED))
    return arrivals, now


@given(gaps)
@settings(max_examples=60, deadline=None)
def test_whatever_comes_and_goes_is_counted_told_and_over_in_the_end(entries):
    arrivals, last = after_gaps(entries)
    arrivals.append(alarm(last + 1000, AlertState.RESOLVED))
    life = Life()
    quarters = range(T0, last + 20 * H, 15 * MIN)
    by_time = {}
    for each in arrivals:
        by_time.setdefault(each.received_at, []).append(each)
    for now in sorted({*by_time, *quarters}):
        life.at(now, *by_time.get(now, []))
    incidents = [*life.closed, *([life.incident] if life.incident else [])]
    assert sum(incident.count for incident in incidents) == sum(each.count for each in arrivals)
    for incident in incidents:
        assert incident.resolved_at is not None
        assert all(alert.notified.count == alert.count for alert in incident.alerts.values())
    # Each end is followed by a beginning, and "back again" is not told of what was never over.
    for earlier, later in pairwise(life.reasons):
        assert (earlier == "resolved") <= (later in {"opened", "regressed"})


@given(gaps, st.integers(0, 999))
@settings(max_examples=80, deadline=None)
def test_nothing_that_time_makes_due_is_slept_through(entries, permille):
    arrivals, _ = after_gaps(entries)
    life = Life()
    for each in arrivals:
        life.at(each.received_at, each)
        if life.incident is None or life.incident.resolved_at is not None:
            continue
        wake = next_due(life.incident, each.received_at, POLICY)
        assert wake is None or wake > each.received_at
        between = (
            each.received_at + ((wake or each.received_at + DAY) - 1 - each.received_at) * permille // 1000
        )
        assert advance(life.incident, [], between, service="backend", policy=POLICY).incident == life.incident


@given(st.lists(st.integers(1, 6 * 3600 - 1), min_size=2, max_size=60))
@settings(max_examples=60, deadline=None)
def test_whatever_its_gaps_what_comes_and_goes_is_told_as_back_no_more_often_than_the_quiet_can_double(
    seconds,
):
    life, now = Life(Policy(Intervals(), SIGNATURES)), T0
    for gap in seconds:
        life.at(now, occurrence_count(now))
        for tick in range(now + 15 * MIN, now + gap * 1000, 15 * MIN):
            life.at(tick)
        now += gap * 1000
    doublings = (Intervals().max_resolve_after // Intervals().resolve_after).bit_length()
    assert life.reasons.count("regressed") <= doublings == 5
