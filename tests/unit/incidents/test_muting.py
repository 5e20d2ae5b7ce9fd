"""Silences in the life of an incident: quiet while they last, honest when they end."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_lifecycle import (
    INTERVALS,
    MIN,
    POLICY,
    SIGNATURES,
    T0,
    H,
    Life,
    S,
    alarm,
    occurrence_count,
    signature,
)

from tocsin.core.incidents.lifecycle import next_due
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.silences import Silence
from tocsin.core.model import AlertState


def silence(until, *, since=T0 - MIN, **covers):
    covers = covers or {"signature": "other"}
    return Silence("s1", until, "deploying the fix", "ana", since, **covers)


def silenced(until=T0 + H, **changes):
    life = Life()
    life.silences = (silence(until, **changes),)
    return life


def test_a_silenced_alert_is_counted_and_told_to_nobody():
    life = silenced()
    for minute in range(30):
        life.at(T0 + minute * MIN, occurrence_count(T0 + minute * MIN))
    assert life.reasons == []
    assert life.incident.count == 30
    assert life.incident.alerts["other"].silence == "s1"


def test_what_ends_under_its_silence_ends_in_silence():
    life = silenced().at(T0, occurrence_count(T0)).at(T0 + 20 * MIN).at(T0 + 2 * H)
    assert life.reasons == []
    assert life.incident.resolved_at is not None


def test_a_silence_that_ends_while_the_fault_goes_on_is_told_once_with_what_it_kept_quiet():
    life = silenced(T0 + 30 * MIN)
    for minute in range(50):
        life.at(T0 + minute * MIN, occurrence_count(T0 + minute * MIN, 10))
    assert life.reasons[0] == "silence_expired"
    assert life.reasons.count("silence_expired") == 1
    at, _, entry = life.said[0]
    assert at == T0 + 30 * MIN
    assert entry.notified_before == {}
    assert entry.fingerprints == ("other",)
    assert entry.reason_detail == "silence s1 of ana ended (deploying the fix)"
    assert set(life.reasons[1:]) == {"update"}


def test_a_silence_in_the_middle_of_a_storm_stops_the_updates_and_its_end_says_how_many_there_were():
    life = Life()
    for minute in range(60):
        now = T0 + minute * MIN
        life.silences = (silence(T0 + 40 * MIN, since=T0 + 12 * MIN),)
        life.at(now, occurrence_count(now))
    assert [reason for now, reason, _ in life.said if now < T0 + 12 * MIN] == ["opened", "update", "update"]
    # One edit shows that it is muted; then it is quiet.
    quiet = [reason for now, reason, _ in life.said if T0 + 12 * MIN <= now < T0 + 40 * MIN]
    assert quiet == ["update"]
    entry = next(entry for _, reason, entry in life.said if reason == "silence_expired")
    assert entry.notified_before["other"] == 11
    assert life.incident.alerts["other"].notified.count > 40


def test_a_silence_taken_back_early_is_over_at_the_next_look():
    life = silenced(T0 + H).at(T0, occurrence_count(T0)).at(T0 + MIN, occurrence_count(T0 + MIN))
    assert next_due(life.incident, T0 + MIN, POLICY) == T0 + 2 * MIN
    life.silences = (replace(life.silences[0], expires_at=T0 + MIN + 1),)
    assert life.at(T0 + 2 * MIN).reasons == ["silence_expired"]


def test_other_alerts_of_the_service_are_heard():
    life = silenced().at(T0, occurrence_count(T0), occurrence_count(T0, name="cause"))
    assert life.reasons == ["opened"]
    assert life.said[0][2].fingerprints == ("cause",)


def test_what_people_were_told_of_is_said_to_be_over_although_it_is_muted():
    life = Life().at(T0, occurrence_count(T0))
    life.silences = (silence(T0 + 5 * H, since=T0 + MIN),)
    life.at(T0 + 2 * MIN, occurrence_count(T0 + 2 * MIN, 5)).at(T0 + 20 * MIN)
    assert life.reasons == ["opened", "resolved"]


def test_a_muted_alarm_that_still_fires_at_the_end_is_told_although_nothing_was_counted():
    life = Life().at(T0, alarm(T0, AlertState.FIRING))
    life.silences = (silence(T0 + 30 * MIN, since=T0 + MIN, signature="depth"),)
    life.at(T0 + 2 * MIN).at(T0 + 20 * MIN).at(T0 + 25 * MIN)
    assert life.reasons == ["opened", "update"]
    assert life.at(T0 + 30 * MIN).reasons == ["opened", "update", "silence_expired"]


def test_no_reminder_for_what_is_muted():
    life = Life().at(T0, alarm(T0, AlertState.FIRING))
    life.silences = (silence(T0 + 20 * H, since=T0 + MIN, signature="depth"),)
    for hour in range(1, 20):
        life.at(T0 + hour * H)
    assert life.reasons == ["opened", "update"]


def test_a_symptom_stays_explained_while_its_cause_is_muted():
    life = silenced(signature="cause").at(
        T0, occurrence_count(T0, name="cause"), occurrence_count(T0, name="symptom")
    )
    assert life.reasons == []


@pytest.mark.parametrize(
    ("covers", "quiet"),
    [
        ({"service": "backend"}, True),
        ({"service": "worker"}, False),
        ({"signature": "ot*"}, True),
        ({"fields": {"bucket": "b-*"}}, True),
        ({"fields": {"bucket": "c"}}, False),
        ({"signature": "other", "fields": {"nosuch": "*"}}, False),
    ],
)
def test_a_silence_covers_by_signature_service_and_fields(covers, quiet):
    life = silenced(**covers).at(T0, replace(occurrence_count(T0), fields={"bucket": "b-1"}))
    assert life.reasons == ([] if quiet else ["opened"])


NAMES = st.sampled_from(["other", "cause", "short", "symptom", "brief"])


def ended_muted(alert, silences):
    """Whether an alert was over while it was muted, at the latest a minute after it was quiet, or its cause was muted."""
    over = alert.active_at + POLICY.quiet_period(alert)
    return any(
        alert.signature in SIGNATURES[each.signature].inhibits
        or (each.signature == alert.signature and each.created_at <= over + MIN and over < each.expires_at)
        for each in silences
    )


@given(
    st.lists(st.tuples(st.integers(0, 7200), NAMES), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 7000), st.integers(1, 4000), NAMES), max_size=4),
)
# A return that is over before it may be told; the same of a symptom whose cause of then did not return; a return in an
# incident of which nobody was told, because a silence covered the beginning.
@example([(0, "short"), (61, "short"), (181, "short")], [])
@example([(0, "cause"), (0, "brief"), (1200, "brief"), (1321, "brief")], [])
@example([(0, "brief"), (200, "brief")], [(0, 40, "brief")])
@settings(max_examples=60, deadline=None)
def test_nothing_is_lost_between_silences_what_nobody_heard_was_muted_to_its_end(storm, mutes):
    """Every occurrence is told, or its alert was over before the silence that muted it, or its cause, was."""
    silences = tuple(
        Silence(f"s{n}", T0 + (begin + length) * S, "r", "a", T0 + begin * S, signature=name)
        for n, (begin, length, name) in enumerate(mutes)
    )
    life = Life()
    life.silences = silences
    arrivals = {}
    for n, (second, name) in enumerate(storm):
        arrivals.setdefault(T0 + second * S, []).append(
            occurrence_count(T0 + second * S, name=name, envelope=str(n))
        )
    # What came back in two hours is quiet for six at the most.
    for now in sorted({*arrivals, *range(T0, T0 + 4 * H, MIN), *range(T0 + 4 * H, T0 + 9 * H, 20 * MIN)}):
        life.at(now, *arrivals.get(now, []))
    assert life.incident.resolved_at is not None
    counted = {}
    for incident in [*life.closed, life.incident]:
        for alert in incident.alerts.values():
            counted[alert.fingerprint] = counted.get(alert.fingerprint, 0) + alert.count
            if alert.notified.count < alert.count:
                assert ended_muted(alert, silences)
    assert sum(counted.values()) == len(storm)
    spoken = [now for now, reason, _ in life.said if reason == "update"]
    assert all(b - a >= INTERVALS.group_interval for a, b in pairwise(spoken))


def test_an_alert_below_its_threshold_stays_muted_when_it_reaches_it():
    life = silenced(signature="rare")
    for second in range(5):
        life.at(T0 + second * S, occurrence_count(T0 + second * S, name="rare"))
    assert life.reasons == []
    assert life.at(T0 + H).reasons == []


def test_a_signature_whose_silence_ended_and_that_a_deploy_removed_is_told():
    policy = Policy(INTERVALS, {**SIGNATURES, "gone": signature("gone")})
    life = Life(policy)
    life.silences = (silence(T0 + 5 * MIN, signature="gone"),)
    life.at(T0, occurrence_count(T0, name="gone"))
    life.policy = POLICY
    assert life.at(T0 + 5 * MIN).reasons == ["silence_expired"]


def test_a_return_that_is_muted_to_its_end_says_neither_that_it_began_nor_that_it_is_over():
    life = Life().at(T0, occurrence_count(T0)).at(T0 + 20 * MIN)
    life.silences = (silence(T0 + 10 * H, since=T0 + 30 * MIN),)
    for hour in (1, 2, 3):
        life.at(T0 + hour * H, occurrence_count(T0 + hour * H)).at(T0 + hour * H + 6 * MIN).at(
            T0 + hour * H + 20 * MIN
        )
    life.at(T0 + 5 * H)
    assert set(life.reasons[2:]) <= {"update"}  # the message shows that it is muted
    assert life.incident.resolved_at is not None
    assert life.incident.count == 4
    life.silences = ()
    life.at(T0 + 11 * H, occurrence_count(T0 + 11 * H))
    assert life.reasons[-1] == "silence_expired"  # with what was kept quiet
    assert life.said[-1][2].notified_before["other"] == 1
    assert life.at(T0 + 12 * H).reasons[-1] == "resolved"
