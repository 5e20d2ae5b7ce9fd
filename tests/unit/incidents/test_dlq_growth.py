"""A dead-letter queue whose alarm fires: its growth, and the time until its oldest message is lost, are news."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_lifecycle import INTERVALS, MIN, SIGNATURES, T0, H, Life, alarm, occurrence_count

from tocsin.core.incidents.dlq_growth import expires_at
from tocsin.core.incidents.incident import QueueReading
from tocsin.core.incidents.inhibition import likely_cause
from tocsin.core.incidents.lifecycle import next_due
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import AlertState, Origin

WATCHED = {**SIGNATURES, "depth": replace(SIGNATURES["depth"], watch_queue=True)}
POLICY = Policy(INTERVALS, WATCHED)
DAY = 24 * H


def dlq(at, state=AlertState.FIRING):
    return replace(alarm(at, state), fields={"queue": "worker-dlq"})


def reading(at, depth, *, retention=14 * DAY, oldest_age=None):
    return {"alarm": QueueReading(at, depth, retention, oldest_age)}


def opened(depth=1):
    return Life(POLICY).at(T0, dlq(T0), readings=reading(T0, depth))


def test_growth_is_told_once_it_is_half_as_much_again_and_at_most_once_per_interval():
    life, depth = opened(), 1
    for minute in range(1, 61):
        depth += 1
        now = T0 + minute * MIN
        life.at(now, readings=reading(now, depth))
    grew = [(now - T0) // MIN for now, reason, entry in life.said if entry.growing]
    assert grew == [5, 10, 20, 35, 55]  # 1 -> 6 -> 11 -> 21 -> 36 -> 56 messages
    assert life.reasons.count("opened") == 1
    updates = [now for now, reason, _ in life.said if reason == "update"]
    assert all(b - a >= INTERVALS.group_interval for a, b in pairwise(updates))


def test_growth_is_not_swallowed_by_other_news():
    life = opened(3)
    life.at(T0 + MIN, occurrence_count(T0 + MIN), readings=reading(T0 + MIN, 8))
    assert life.reasons == ["opened", "new_alert"]
    life.at(T0 + 6 * MIN, readings=reading(T0 + 6 * MIN, 8))
    assert life.reasons == ["opened", "new_alert", "update"]
    assert life.said[-1][2].growing == ("alarm",)


def test_a_depth_that_only_wavers_is_an_edit_and_no_news():
    life = opened(10)
    for minute in range(1, 31):
        now = T0 + minute * MIN
        life.at(now, readings=reading(now, 10 + minute % 3))
    assert not any(entry.growing for _, _, entry in life.said)
    assert "update" in life.reasons


def test_the_nearing_loss_of_a_message_is_news_three_times():
    life = opened()
    for hour in range(1, 60):
        now = T0 + hour * H
        life.at(now, readings=reading(now, 1, retention=2 * DAY))
    assert [(now - T0) // H for now, _, entry in life.said if entry.growing] == [24, 42, 47]


def test_the_age_that_cloudwatch_knows_brings_the_end_nearer():
    life = opened()
    life.at(T0 + H, readings=reading(T0 + H, 3, retention=4 * DAY, oldest_age=3 * DAY))
    assert expires_at(life.incident.alerts["alarm"]) == T0 + H + DAY


def test_an_empty_queue_has_nothing_to_lose():
    life = opened()
    life.at(T0 + H, readings=reading(T0 + H, 0))
    assert expires_at(life.incident.alerts["alarm"]) is None


def test_a_watched_queue_is_looked_at_every_minute_while_its_alarm_fires_and_not_after():
    life = opened()
    assert next_due(life.incident, T0, POLICY) == T0 + MIN
    life.at(T0 + MIN, dlq(T0 + MIN, AlertState.RESOLVED))
    assert next_due(life.incident, T0 + MIN, POLICY) is None


def test_an_older_look_at_the_queue_never_replaces_a_newer_one():
    life = opened()
    life.at(T0 + 2 * MIN, readings=reading(T0 + 2 * MIN, 9))
    life.at(T0 + 3 * MIN, readings=reading(T0 + MIN, 2))
    assert life.incident.alerts["alarm"].queue.depth == 9


def test_the_alarm_joins_the_incident_of_its_cause():
    life = Life(POLICY).at(T0, occurrence_count(T0)).at(T0 + MIN, dlq(T0 + MIN))
    assert life.reasons == ["opened", "new_alert"]
    cause = likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED)
    assert cause is not None
    assert cause.signature == "other"
    assert likely_cause(life.incident, cause, WATCHED) is None


def test_what_began_after_the_alarm_is_no_cause_of_it_until_the_queue_grows():
    life = Life(POLICY).at(T0, dlq(T0)).at(T0 + MIN, occurrence_count(T0 + MIN))
    assert life.reasons == ["opened", "new_alert"]
    assert likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED) is None
    life.at(T0 + 2 * MIN, readings=reading(T0 + 2 * MIN, 3))
    assert likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED) is None, (
        "three may have been there"
    )
    life.at(T0 + 3 * MIN, readings=reading(T0 + 3 * MIN, 4))
    assert likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED).signature == "other"
    life.at(T0 + 4 * MIN, occurrence_count(T0 + 4 * MIN, name="mild"), readings=reading(T0 + 4 * MIN, 4))
    assert likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED).signature == "other"


def test_a_line_that_is_missing_is_no_cause_of_an_alarm():
    life = (
        Life(POLICY)
        .at(T0, replace(occurrence_count(T0), origin=Origin(absence=True)))
        .at(T0 + MIN, dlq(T0 + MIN))
    )
    assert life.reasons == ["opened", "new_alert"]
    assert likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED) is None


def test_a_cause_that_is_quiet_by_now_is_still_the_likely_one_of_what_lies_in_the_queue():
    life = Life(POLICY).at(T0, occurrence_count(T0), dlq(T0)).at(T0 + 20 * MIN)
    cause = likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED)
    assert cause is not None
    assert cause.state is AlertState.RESOLVED
    life.at(T0 + 21 * MIN, occurrence_count(T0 + 21 * MIN, name="mild"), readings=reading(T0 + 21 * MIN, 2))
    life.at(T0 + 22 * MIN, readings=reading(T0 + 22 * MIN, 5))
    assert likely_cause(life.incident, life.incident.alerts["alarm"], WATCHED).signature == "mild"


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 15)), min_size=1, max_size=80))
@settings(max_examples=50, deadline=None)
def test_however_a_queue_behaves_the_thread_hears_of_it_few_times(depths):
    """Growth by half: from 1 to n at most log(n)/log(1.5) replies, and three warnings."""
    life, now = opened(), T0
    for depth, minutes in depths:
        now += (minutes + 1) * MIN
        life.at(now, readings=reading(now, depth))
    told = [entry for _, _, entry in life.said if entry.growing]
    assert len(told) <= 24 + 3
    assert life.reasons.count("opened") == 1
