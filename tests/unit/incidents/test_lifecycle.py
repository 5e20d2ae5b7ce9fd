"""The life of an incident, attacked with storms, reordering, late deliveries and days of silence."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.counting import MAX_ALERTS
from tocsin.core.incidents.lifecycle import (
    MAX_BURSTS,
    UNMATCHED_OK_TTL,
    Observed,
    advance,
    audible,
    next_due,
    without,
)
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.serialization import MAX_BYTES, dump_incident, load_incident
from tocsin.core.model import AlertState, OccurrenceCount, Origin, Reason, Severity
from tocsin.core.signatures.signature import Signature, Source, Status, Threshold

T0 = 1_770_000_000_000
S, MIN, H = 1000, 60_000, 3_600_000


def signature(name, **changes):
    rule = Signature(
        id=name, file="signatures/t.toml", title=name, severity=Severity.HIGH, status=Status.STABLE, source=Source.LOG,
        summary="s", first_action="f", runbook=f"{name}.md",
    )  # fmt: skip
    return replace(rule, **changes)


SIGNATURES = {
    s.id: s
    for s in [
        signature("cause", inhibits=("symptom", "brief")),
        signature("symptom"),
        signature("brief", resolve_after=1 * MIN),
        signature("other"),
        signature("rare", threshold=Threshold(3, 10 * MIN)),
        signature("test_mode", status=Status.TEST),
        signature("short", resolve_after=1 * MIN),
        signature("depth", source=Source.ALARM),
        signature("slow", threshold=Threshold(3, 60 * MIN)),
        signature("mild", severity=Severity.LOW),
        signature("worst", severity=Severity.CRITICAL),
    ]
}
INTERVALS = Intervals(group_wait=0, group_interval=5 * MIN, repeat_interval=4 * H, resolve_after=15 * MIN)
POLICY = Policy(INTERVALS, SIGNATURES)


def occurrence_count(at, n=1, *, name="other", fingerprint=None, envelope=None, **changes):
    return OccurrenceCount(
        envelope=envelope or f"e{at}-{name}-{fingerprint}", fingerprint=fingerprint or name, signature=name, service="backend",
        fields={}, count=n, first_seen=at, last_seen=at, received_at=at, sample="a line", **changes,
    )  # fmt: skip


def alarm(at, state, received_at=None):
    return replace(
        occurrence_count(at, int(state is AlertState.FIRING), name="depth", fingerprint="alarm", envelope=f"{at}{state}"),
        state=state, origin=Origin(alarm="queue-depth"), received_at=received_at or at,
    )  # fmt: skip


class Life:
    """Drives one service's incident and keeps what was said."""

    def __init__(self, policy=POLICY):
        self.policy, self.incident, self.said, self.pending = policy, None, [], []
        self.closed = []
        self.silences = ()

    def at(self, now, *occurrence_counts, silences=(), readings=None):
        self.pending += occurrence_counts
        moved = advance(
            self.incident, self.pending, now, service="backend", policy=self.policy,
            observed=Observed(silences=silences or self.silences, readings=readings or {}),
        )  # fmt: skip
        self.pending = [t for t in self.pending if t not in moved.applied]
        if moved.closed:
            self.closed.append(moved.closed)
        self.incident = moved.incident
        if self.incident:
            self.said += [(now, p.reason.value, p) for p in self.incident.outbox]
            self.incident = without(self.incident, [p.sequence for p in self.incident.outbox])
            self.incident = load_incident(dump_incident(self.incident))
        return self

    @property
    def reasons(self):
        return [reason for _, reason, _ in self.said]


def test_the_first_occurrence_opens_an_incident_at_once():
    life = Life().at(T0, occurrence_count(T0))
    assert life.reasons == ["opened"]
    assert life.incident.sequence == 1
    assert life.incident.count == 1


def test_group_wait_gathers_the_first_alerts_into_one_message():
    life = Life(Policy(replace(INTERVALS, group_wait=30 * S), SIGNATURES))
    life.at(T0, occurrence_count(T0)).at(T0 + 10 * S, occurrence_count(T0 + 10 * S, name="short"))
    assert life.reasons == []
    life.at(T0 + 30 * S)
    assert life.reasons == ["opened"]
    assert set(life.said[0][2].fingerprints) == {"other", "short"}


def test_a_new_fingerprint_joins_the_open_incident_at_once():
    life = Life().at(T0, occurrence_count(T0)).at(T0 + 2 * S, occurrence_count(T0 + 2 * S, name="short"))
    assert life.reasons == ["opened", "new_alert"]
    assert life.said[1][2].fingerprints == ("short",)


def test_counts_are_rolled_up_once_per_group_interval():
    life = Life()
    for second in range(0, 601, 2):
        life.at(T0 + second * S, occurrence_count(T0 + second * S))
    assert life.reasons == ["opened", "update", "update"]
    assert life.said[1][2].notified_before == {"other": 1}
    assert life.said[2][2].notified_before == {"other": 151}


def test_an_update_is_not_sent_when_nothing_grew():
    life = Life().at(T0, occurrence_count(T0)).at(T0 + 6 * MIN).at(T0 + 14 * MIN)
    assert life.reasons == ["opened"]


def test_quiet_resolves_and_tells_what_had_not_been_told():
    life = (
        Life()
        .at(T0, occurrence_count(T0))
        .at(T0 + MIN, occurrence_count(T0 + MIN, 41))
        .at(T0 + MIN + 15 * MIN)
    )
    assert life.reasons == ["opened", "resolved"]
    assert life.said[-1][2].fingerprints == ("other",)
    assert life.incident.resolved_at == T0 + 16 * MIN
    assert life.incident.count == 42


def test_quiet_is_measured_from_when_an_occurrence_was_received_not_from_its_own_time():
    late = replace(occurrence_count(T0 - 3 * H), received_at=T0)
    life = Life().at(T0, late).at(T0 + 14 * MIN)
    assert life.reasons == ["opened"]
    assert life.incident.alerts["other"].first_seen == T0 - 3 * H


def test_a_signature_may_have_its_own_quiet_period():
    life = Life().at(T0, occurrence_count(T0, name="short")).at(T0 + MIN)
    assert life.reasons == ["opened", "resolved"]


def test_an_alert_that_comes_back_in_an_open_incident_regresses():
    life = Life().at(T0, occurrence_count(T0, name="short"), occurrence_count(T0)).at(T0 + 2 * MIN)
    assert life.incident.alerts["short"].state is AlertState.RESOLVED
    life.at(T0 + 3 * MIN, occurrence_count(T0 + 3 * MIN, name="short"))
    assert life.reasons == ["opened", "regressed"]
    assert life.said[-1][2].fingerprints == ("short",)


def test_a_fault_that_comes_back_within_a_day_regresses_in_the_same_incident():
    life = (
        Life()
        .at(T0, occurrence_count(T0))
        .at(T0 + 15 * MIN)
        .at(T0 + 20 * MIN, occurrence_count(T0 + 20 * MIN))
    )
    assert life.reasons == ["opened", "resolved", "regressed"]
    assert life.closed == []
    assert life.incident.count == 2
    assert life.incident.reopened_at == T0 + 20 * MIN
    assert life.incident.alerts["other"].over_at == T0 + 15 * MIN
    life.at(T0 + 60 * MIN)  # it came back after twenty minutes: forty are quiet
    assert life.reasons == ["opened", "resolved", "regressed", "resolved"]


def test_a_fault_that_comes_back_after_a_day_opens_a_new_incident_and_keeps_the_old():
    again = T0 + 15 * MIN + 24 * H
    life = Life().at(T0, occurrence_count(T0)).at(T0 + 15 * MIN).at(again, occurrence_count(again))
    assert life.reasons == ["opened", "resolved", "opened"]
    assert len(life.closed) == 1
    assert life.closed[0].id != life.incident.id
    assert life.incident.count == 1


def test_another_fault_right_after_the_incident_was_over_is_a_new_incident():
    life = (
        Life()
        .at(T0, occurrence_count(T0))
        .at(T0 + 15 * MIN)
        .at(T0 + 20 * MIN, occurrence_count(T0 + 20 * MIN, name="cause"))
    )
    assert life.reasons == ["opened", "resolved", "opened"]


def test_a_fault_of_the_incident_before_regresses_in_the_one_that_is_there_now():
    life = (
        Life()
        .at(T0, occurrence_count(T0))
        .at(T0 + 15 * MIN)
        .at(T0 + 20 * MIN, occurrence_count(T0 + 20 * MIN, name="cause"))
    )
    life.at(T0 + 21 * MIN, occurrence_count(T0 + 21 * MIN))
    assert life.reasons == ["opened", "resolved", "opened", "regressed"]
    assert life.incident.alerts["other"].over_at == T0 + 15 * MIN
    life.at(T0 + 90 * MIN).at(T0 + 100 * MIN, occurrence_count(T0 + 100 * MIN))
    assert life.reasons[4:] == ["resolved", "regressed"]
    assert len(life.closed) == 1


def test_a_straggler_below_the_threshold_reopens_nothing_and_is_counted():
    life = Life()
    for second in (0, 1, 2):
        life.at(T0 + second * S, occurrence_count(T0 + second * S, name="rare"))
    life.at(T0 + 16 * MIN).at(T0 + 20 * MIN, occurrence_count(T0 + 20 * MIN, name="rare"))
    assert life.reasons == ["opened", "resolved"]
    assert life.incident.count == 4
    life.at(T0 + 21 * MIN, occurrence_count(T0 + 21 * MIN, 2, name="rare"))
    assert life.reasons == ["opened", "resolved", "regressed"]


def test_an_incident_that_stays_reminds_every_repeat_interval():
    life = Life()
    for minute in range(0, 9 * 60, 5):
        life.at(
            T0 + minute * MIN,
            *([occurrence_count(T0)] if minute == 0 else []),
            *[alarm(T0, AlertState.FIRING)] * (minute == 0),
        )
    # The log alert is over after a quarter of an hour: the message shows it. The alarm goes on and reminds ever more rarely.
    assert life.reasons == ["opened", "update", "repeat"]


def test_reminders_come_ever_more_rarely_and_at_least_once_a_day_however_much_it_grows():
    life = Life().at(T0, alarm(T0, AlertState.FIRING))
    for minute in range(5, 90 * 60, 5):
        life.at(T0 + minute * MIN, occurrence_count(T0 + minute * MIN, name="other"))
    reminded = [(now - T0) // H for now, reason, _ in life.said if reason == "repeat"]
    # The log alert joined after five minutes: the last news before the reminders.
    assert reminded == [4, 12, 28, 52, 76]


def test_what_is_back_begins_the_reminders_anew():
    life = (
        Life()
        .at(T0, alarm(T0, AlertState.FIRING))
        .at(T0 + 4 * H)
        .at(T0 + 5 * H, occurrence_count(T0 + 5 * H))
    )
    life.at(T0 + 8 * H)
    assert life.reasons == ["opened", "repeat", "new_alert", "update"]
    life.at(T0 + 9 * H)
    assert life.reasons[4:] == ["repeat"]


def test_alarms_resolve_by_ok_and_never_by_quiet():
    life = Life().at(T0, alarm(T0, AlertState.FIRING)).at(T0 + 3 * H)
    assert life.reasons == ["opened"]
    life.at(T0 + 3 * H + MIN, alarm(T0 + 3 * H + MIN, AlertState.RESOLVED))
    assert life.reasons == ["opened", "resolved"]
    assert life.incident.count == 1


def test_an_older_alarm_transition_delivered_late_changes_no_state():
    life = Life().at(T0 + MIN, alarm(T0, AlertState.FIRING), occurrence_count(T0))
    life.at(T0 + 3 * MIN, alarm(T0 + 2 * MIN, AlertState.RESOLVED))
    life.at(T0 + 4 * MIN, alarm(T0 + MIN, AlertState.FIRING, received_at=T0 + 4 * MIN))
    assert life.incident.alerts["alarm"].state is AlertState.RESOLVED
    assert life.incident.alerts["alarm"].count == 2
    assert "regressed" not in life.reasons


def test_an_ok_that_overtakes_its_alarm_waits_for_it():
    life = Life().at(T0 + MIN, alarm(T0 + MIN, AlertState.RESOLVED))
    assert life.incident is None
    assert len(life.pending) == 1
    life.at(T0 + 2 * MIN, alarm(T0, AlertState.FIRING, received_at=T0 + 2 * MIN))
    assert life.reasons == ["opened", "resolved"]
    assert life.pending == []


def test_an_ok_without_an_alarm_is_forgotten_after_a_while():
    life = Life().at(T0, alarm(T0, AlertState.RESOLVED)).at(T0 + UNMATCHED_OK_TTL)
    assert life.pending == []
    assert life.said == []


def test_a_cause_silences_its_symptom_but_counts_it():
    life = Life().at(T0, occurrence_count(T0, name="cause"), occurrence_count(T0 + 1, name="symptom"))
    life.at(T0 + 2 * S, occurrence_count(T0 + 2 * S, 5, name="symptom"))
    assert life.reasons == ["opened"]
    assert [a.signature for a in audible(life.incident, POLICY)] == ["cause"]
    assert life.incident.alerts["symptom"].count == 6


def test_a_symptom_that_outlives_its_cause_is_announced():
    life = Life()
    life.at(T0, occurrence_count(T0, name="cause")).at(T0 + S, occurrence_count(T0 + S, name="symptom"))
    for minute in range(1, 20):
        life.at(T0 + minute * MIN, occurrence_count(T0 + minute * MIN, name="symptom"))
    # The updates listed it under its cause, which is not the same as telling of it.
    assert life.reasons == ["opened", "update", "update", "update", "new_alert"]
    assert life.said[-1][2].fingerprints == ("symptom",)


def test_a_symptom_that_stopped_with_its_cause_is_not_told_of_for_being_a_second_later():
    life = (
        Life().at(T0, occurrence_count(T0, name="cause")).at(T0 + S, occurrence_count(T0 + S, name="symptom"))
    )
    for second in range(895, 905):
        life.at(T0 + second * S)
    assert life.reasons == ["opened", "resolved"] or set(life.reasons) == {"opened", "update", "resolved"}
    assert "new_alert" not in life.reasons


def test_a_symptom_that_was_only_listed_is_still_audible_after_its_cause():
    life = Life().at(T0, occurrence_count(T0, name="cause"), occurrence_count(T0, name="symptom"))
    for minute in range(1, 20):
        life.at(T0 + minute * MIN, occurrence_count(T0 + minute * MIN, name="symptom"))
    assert [a.signature for a in audible(life.incident, POLICY)] == ["cause", "symptom"]


def test_a_symptom_stays_explained_when_everything_is_over():
    life = (
        Life()
        .at(T0, occurrence_count(T0, name="cause"), occurrence_count(T0 + 1, name="symptom"))
        .at(T0 + 16 * MIN)
    )
    assert life.reasons == ["opened", "resolved"]
    assert [a.signature for a in audible(life.incident, POLICY)] == ["cause"]


def test_occurrences_below_the_threshold_stay_silent_and_end_silently():
    life = Life().at(T0, occurrence_count(T0, 2, name="rare")).at(T0 + 15 * MIN)
    assert life.said == []
    assert life.incident.resolved_at == T0 + 15 * MIN


def test_the_threshold_slides():
    life = Life().at(T0, occurrence_count(T0, 2, name="rare"))
    life.at(T0 + 11 * MIN, occurrence_count(T0 + 11 * MIN, 1, name="rare"))
    assert life.said == []
    life.at(T0 + 12 * MIN, occurrence_count(T0 + 12 * MIN, 2, name="rare"))
    assert life.reasons == ["opened"]
    assert life.incident.count == 5


def test_a_signature_on_trial_is_counted_and_never_posted():
    life = Life().at(T0, occurrence_count(T0, 7, name="test_mode"))
    assert life.said == []
    assert life.incident.alerts["test_mode"].count == 7


def test_more_alerts_than_an_incident_keeps_are_counted_all_the_same():
    many = [occurrence_count(T0 + i, name="other", fingerprint=f"f{i}") for i in range(MAX_ALERTS + 30)]
    life = Life().at(T0 + S, *many)
    assert life.reasons == ["opened"]
    assert len(life.incident.alerts) == MAX_ALERTS
    assert life.incident.count == MAX_ALERTS + 30


def test_a_flood_of_different_alerts_is_bounded_too():
    life = Life()
    for i in range(40):
        life.at(T0 + i * S, occurrence_count(T0 + i * S, fingerprint=f"f{i}"))
    assert life.reasons == ["opened"] + ["new_alert"] * MAX_BURSTS
    life.at(T0 + 6 * MIN)
    assert life.reasons[-1] == "new_alert"
    assert len(life.said[-1][2].fingerprints) == 40 - 1 - MAX_BURSTS


def test_unknown_signatures_of_an_earlier_deployment_still_resolve():
    life = Life().at(T0, occurrence_count(T0, name="removed")).at(T0 + 15 * MIN)
    assert life.reasons == ["opened", "resolved"]


storms = st.lists(
    st.tuples(
        st.integers(0, 3 * 3600),
        st.integers(1, 500),
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 120 * S),
    ),
    min_size=1,
    max_size=60,
)


@given(storms, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_storm_in_any_order_is_counted_exactly_and_bounded(storm, random):
    occurrence_counts = [
        replace(
            occurrence_count(T0 + second * S, n, fingerprint=name, envelope=f"e{i}"),
            received_at=T0 + second * S + lag,
        )
        for i, (second, n, name, lag) in enumerate(storm)
    ]
    arrivals: dict[int, list[OccurrenceCount]] = {}
    for entry in occurrence_counts:
        arrivals.setdefault(entry.received_at, []).append(entry)
    ticks = sorted({*arrivals, *range(T0, T0 + 4 * H, MIN), *range(T0 + 4 * H, T0 + 11 * H, 20 * MIN)})
    life = Life()
    for now in ticks:
        batch = arrivals.get(now, [])
        random.shuffle(batch)
        life.at(now, *batch)
    incidents = [*life.closed, life.incident]
    assert sum(incident.count for incident in incidents) == sum(n for _, n, _, _ in storm)
    assert life.incident.resolved_at is not None
    # Every occurrence has been told of by the time the incident is over.
    assert all(a.notified.count == a.count for i in incidents for a in i.alerts.values())
    assert life.reasons.count("opened") == len(incidents)
    assert life.reasons[-1] == "resolved"
    for earlier, later in pairwise(life.reasons):
        assert (earlier == "resolved") <= (later in {"opened", "regressed"})
    spoken = [now for now, reason, _ in life.said if reason == "update"]
    assert all(later - earlier >= INTERVALS.group_interval for earlier, later in pairwise(spoken))
    numbers = [p.sequence for _, _, p in life.said]
    for sequence, (_, reason, _) in zip(numbers, life.said, strict=True):
        assert (sequence == 1) == (reason == "opened")


@given(st.integers(1, 2000), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_a_storm_of_one_fingerprint_makes_one_opened_and_at_most_one_update_per_interval(n, per_batch):
    life, span = Life(), 20 * MIN
    for i in range(n):
        life.at(T0 + i * span // n, occurrence_count(T0 + i * span // n, per_batch, envelope=str(i)))
    assert life.reasons.count("opened") == 1
    assert len(life.reasons) <= 1 + span // INTERVALS.group_interval


@given(storms, st.integers(1, 999))
@settings(max_examples=100, deadline=None)
def test_no_timer_is_forgotten_before_next_due_time_alone_changes_nothing(storm, permille):
    life = Life()
    for second, n, name, _ in sorted(storm):
        now = T0 + second * S
        life.at(
            now,
            occurrence_count(
                now,
                n,
                name="short" if name == "a" else "other",
                fingerprint=name,
                envelope=f"{second}{n}{name}",
            ),
        )
        wake = next_due(life.incident, now, POLICY)
        assert wake is not None
        assert wake > now
        between = now + (wake - 1 - now) * permille // 1000
        assert advance(life.incident, [], between, service="backend", policy=POLICY).incident == life.incident


def test_documents_survive_writing_and_reading_and_pass_over_what_a_newer_version_added():
    life = Life().at(
        T0,
        occurrence_count(T0, 2, name="rare"),
        occurrence_count(T0, name="cause"),
        alarm(T0, AlertState.FIRING),
    )
    text = dump_incident(life.incident)
    assert load_incident(text) == life.incident
    assert load_incident(text.replace('{"id"', '{"added_later":1,"id"', 1)) == life.incident
    with pytest.raises(ValueError, match="not a incident document"):
        load_incident('{"alerts":{},"outbox":[]}')


def test_reasons_are_those_of_the_contract():
    assert {reason.value for reason in Reason} == {
        "opened", "new_alert", "update", "repeat", "regressed", "resolved", "silence_expired", "digest",
    }  # fmt: skip


def test_an_alarm_that_flaps_is_one_incident_and_bounded():
    life = Life()
    for minute in range(0, 60, 2):
        state = AlertState.FIRING if minute % 4 == 0 else AlertState.RESOLVED
        life.at(T0 + minute * MIN, alarm(T0 + minute * MIN, state))
    life.at(T0 + 70 * MIN)
    assert life.reasons[:3] == ["opened", "resolved", "regressed"]
    assert life.reasons.count("opened") == 1
    assert life.reasons.count("resolved") == 2
    assert len(life.reasons) <= 3 + 60 // 5 + 1
    assert life.closed == []
    assert life.incident.count == 15


@pytest.mark.parametrize("last", range(2, 62, 4))
def test_returns_faster_than_they_may_be_told_are_told_together_and_none_is_dropped(last):
    life = Life()
    for minute in range(last + 10):
        back = minute <= last and minute % 2 == 0
        life.at(T0 + minute * MIN, *[occurrence_count(T0 + minute * MIN, name="short")] * back)
    told = [now for now, reason, _ in life.said if reason == "regressed"]
    assert all(later - earlier >= INTERVALS.group_interval for earlier, later in pairwise(told))
    assert life.incident.alerts["short"].notified.count == life.incident.count == last // 2 + 1
    assert life.reasons[-1] == "resolved"


def test_an_alarm_that_comes_back_later_is_told_as_back_in_the_same_incident():
    life = Life().at(T0, alarm(T0, AlertState.FIRING)).at(T0 + MIN, alarm(T0 + MIN, AlertState.RESOLVED))
    life.at(T0 + 10 * MIN, alarm(T0 + 10 * MIN, AlertState.FIRING))
    assert life.reasons == ["opened", "resolved", "regressed"]
    life.at(T0 + 11 * MIN, alarm(T0 + 11 * MIN, AlertState.RESOLVED)).at(T0 + 28 * MIN)
    assert life.reasons[3:] == []
    life.at(T0 + 29 * MIN)  # it came back nine minutes after it was OK: eighteen are quiet
    assert life.reasons[3:] == ["resolved"]


def test_an_alarm_without_an_ok_action_that_fires_anew_is_told_anew():
    life = Life().at(T0, alarm(T0, AlertState.FIRING)).at(T0 + 3 * H, alarm(T0 + 3 * H, AlertState.FIRING))
    assert life.reasons == ["opened", "regressed"]


def test_an_alarm_whose_signature_is_gone_ends_by_quiet():
    without_depth = Policy(INTERVALS, {name: s for name, s in SIGNATURES.items() if name != "depth"})
    life = Life().at(T0, alarm(T0, AlertState.FIRING))
    life.policy = without_depth
    life.at(T0 + 15 * MIN)
    assert life.reasons == ["opened", "resolved"]


def test_a_full_incident_makes_room_for_something_worse():
    many = [occurrence_count(T0 + i, name="mild", fingerprint=f"f{i}") for i in range(MAX_ALERTS)]
    life = Life().at(T0 + S, *many)
    life.at(T0 + 2 * S, occurrence_count(T0 + 2 * S, name="worst"))
    assert life.reasons == ["opened", "new_alert"]
    assert life.said[-1][2].fingerprints == ("worst",)
    assert len(life.incident.alerts) == MAX_ALERTS
    assert life.incident.count == MAX_ALERTS + 1


def test_a_full_incident_makes_room_for_something_as_bad_that_is_no_more_of_the_same():
    many = [occurrence_count(T0 + i, name="other", fingerprint=f"f{i}") for i in range(MAX_ALERTS)]
    life = Life().at(T0 + S, *many).at(T0 + 2 * S, occurrence_count(T0 + 2 * S, name="short"))
    assert life.reasons == ["opened", "new_alert"]
    life.at(T0 + 3 * S, occurrence_count(T0 + 3 * S, name="other", fingerprint="one more of the same"))
    assert "one more of the same" not in life.incident.alerts


def test_alerts_on_trial_never_keep_a_place_from_others():
    trial = [occurrence_count(T0 + i, name="test_mode", fingerprint=f"t{i}") for i in range(MAX_ALERTS)]
    life = Life().at(T0 + S, *trial).at(T0 + 2 * S, occurrence_count(T0 + 2 * S, name="mild"))
    assert life.reasons == ["opened"]
    assert life.said[0][2].fingerprints == ("mild",)


def test_what_makes_room_does_not_look_like_growth():
    many = [occurrence_count(T0 + i, 10, name="mild", fingerprint=f"f{i}") for i in range(MAX_ALERTS)]
    life = (
        Life().at(T0 + S, *many).at(T0 + 2 * S, occurrence_count(T0 + 2 * S, name="worst")).at(T0 + 6 * MIN)
    )
    assert life.reasons == ["opened", "new_alert"]


def test_a_threshold_longer_than_the_quiet_period_is_reached_all_the_same():
    life = Life()
    for i in range(3):
        life.at(T0 + i * 20 * MIN, occurrence_count(T0 + i * 20 * MIN, name="slow"))
    assert life.reasons == ["opened"]
    assert life.incident.count == 3


def test_counting_towards_a_threshold_survives_the_end_of_another_alerts_incident():
    life = (
        Life().at(T0, occurrence_count(T0, name="short"), occurrence_count(T0, 2, name="slow")).at(T0 + MIN)
    )
    assert life.reasons == ["opened", "resolved"]
    life.at(T0 + 10 * MIN, occurrence_count(T0 + 10 * MIN, name="slow"))
    assert life.reasons == ["opened", "resolved", "opened"]
    assert life.incident.alerts["slow"].count == 3
    assert "slow" not in life.closed[0].alerts


@pytest.mark.parametrize("name", ["rare", "test_mode"])
def test_a_deploy_that_takes_threshold_or_trial_away_reaches_an_alert_that_fires(name):
    life = Life().at(T0, occurrence_count(T0, name=name))
    life.policy = Policy(INTERVALS, {**SIGNATURES, name: signature(name)})
    life.at(T0 + MIN, occurrence_count(T0 + MIN, name=name))
    assert life.reasons == ["opened"]


def test_the_memory_of_an_alert_that_is_not_announced_is_bounded():
    policy = Policy(INTERVALS, {"rare": signature("rare", threshold=Threshold(100_000, 10 * MIN))})
    life = Life(policy)
    for second in range(1500):
        life.at(T0 + second * S, occurrence_count(T0 + second * S, name="rare"))
    assert len(life.incident.alerts["rare"].recent) <= 62


def test_what_still_waits_to_be_folded_does_not_look_quiet():
    first, later = occurrence_count(T0), occurrence_count(T0 + 14 * MIN)
    now = T0 + 16 * MIN
    moved = advance(
        None, [first], now, service="backend", policy=POLICY, observed=Observed({"other": later.received_at})
    )
    assert [entry.reason for entry in moved.incident.outbox] == [Reason.OPENED]
    assert moved.incident.resolved_at is None


def test_a_document_always_fits_its_item_and_keeps_every_count():
    wide = {f"field{i}": "🔥" * 120 for i in range(12)}
    many = [
        replace(occurrence_count(T0 + i, fingerprint=f"f{i}"), sample="🔥" * 1500, fields=wide)
        for i in range(MAX_ALERTS)
    ]
    life = Life().at(T0 + S, *many)
    text = dump_incident(advance(None, many, T0 + S, service="backend", policy=POLICY).incident)
    assert len(text.encode()) <= MAX_BYTES
    assert life.incident.count == MAX_ALERTS
    assert all(alert.fields["field0"].startswith("🔥") for alert in life.incident.alerts.values())


def test_a_document_that_fits_loses_nothing():
    life = Life().at(
        T0, *(replace(occurrence_count(T0 + i, fingerprint=f"f{i}"), sample="x" * 1500) for i in range(40))
    )
    assert all(len(alert.sample) == 1500 for alert in life.incident.alerts.values())


@pytest.mark.parametrize("late", [0, 1, 7 * MIN])
def test_an_alert_whose_quiet_is_over_is_due_now_however_late_one_asks(late):
    life = Life().at(T0, occurrence_count(T0))
    assert next_due(life.incident, T0 + 15 * MIN + late, POLICY) == T0 + 15 * MIN + late


def test_another_ok_right_after_the_end_says_nothing():
    life = Life().at(T0, alarm(T0, AlertState.FIRING)).at(T0 + MIN, alarm(T0 + MIN, AlertState.RESOLVED))
    life.at(T0 + 2 * MIN, alarm(T0 + 2 * MIN, AlertState.RESOLVED)).at(T0 + 20 * MIN)
    assert life.reasons == ["opened", "resolved"]


def test_an_ok_that_was_held_does_not_end_a_newer_alarm():
    life = Life().at(T0, alarm(T0, AlertState.RESOLVED)).at(T0 + MIN, alarm(T0 + MIN, AlertState.FIRING))
    life.at(T0 + 2 * MIN)
    assert life.reasons == ["opened"]
    assert life.incident.alerts["alarm"].state is AlertState.FIRING


def test_a_straggler_that_a_full_incident_does_not_list_reopens_nothing_and_breaks_nothing():
    first = Life().at(T0, occurrence_count(T0, name="rare", fingerprint="r", n=3)).at(T0 + 16 * MIN)
    for n in range(MAX_ALERTS):
        first.at(T0 + 20 * MIN, occurrence_count(T0 + 20 * MIN, name="worst", fingerprint=f"w{n}"))
    first.at(T0 + 40 * MIN)
    assert first.incident.resolved_at is not None
    first.at(T0 + 41 * MIN, occurrence_count(T0 + 41 * MIN, name="rare", fingerprint="r"))
    assert first.incident.resolved_at is not None
    assert not first.pending


def test_that_one_joined_does_not_take_the_news_that_another_is_back():
    life = Life().at(T0, occurrence_count(T0, name="brief"), occurrence_count(T0, name="other"))
    now = T0
    while life.incident.alerts["brief"].state is AlertState.FIRING:
        now += MIN
        life.at(now, occurrence_count(now, name="other"))
    life.at(now + S, occurrence_count(now + S, name="mild"))  # a burst begins: what is back has to wait
    life.at(now + 2 * S, occurrence_count(now + 2 * S, name="brief"))
    life.at(now + 3 * S, occurrence_count(now + 3 * S, name="worst"))
    assert life.reasons[-2:] == [Reason.NEW_ALERT, Reason.NEW_ALERT]
    life.at(now + 6 * MIN, occurrence_count(now + 6 * MIN, name="brief"))
    assert life.said[-1][1] == Reason.REGRESSED
    assert life.said[-1][2].subjects == ("brief",)
