"""Silences that recur, that end by themselves, and the start-up noise of a deploy: quiet, and nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.incidents.test_lifecycle import INTERVALS, SIGNATURES, T0, H, Life, alarm, occurrence_count
from tocsin.core.config.settings import parse_settings
from tocsin.core.incidents.after_deploy import startup_silences
from tocsin.core.incidents.lifecycle import Observed, advance
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.muting import matched_since
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.silences import MAX_RECURRING, MAX_SILENCE, Silence, load_silence
from tocsin.core.model import AlertState, Change, ChangeKind
from tocsin.core.stored_document import dump_document
from tocsin.core.times import parse_iso_time
from tocsin.services.reconcile_service import Reconciler

MIN, DAY = 60_000, 24 * H
NIGHT = parse_iso_time("2026-11-27T22:00:00Z")  # a Friday
NOON = NIGHT + 14 * H


def silence(**changes):
    given = {"signature": "other", **changes}
    return Silence(
        "s-1", given.pop("expires_at", T0 + 20 * DAY), "r", "a", given.pop("created_at", T0), **given
    )


# --- hours ---


def recurring(hours="mon-fri 22:00-06:00", zone="UTC", **changes):
    made = NIGHT - DAY
    return silence(created_at=made, expires_at=made + 300 * DAY, hours=hours, zone=zone, **changes)


def test_a_silence_that_recurs_mutes_in_its_hours_and_only_then():
    nightly = recurring()
    assert nightly.active(NIGHT)
    assert nightly.active(NIGHT + 8 * H - 1)
    assert not nightly.active(NIGHT - 1)
    assert not nightly.active(NIGHT + 8 * H)
    assert not nightly.active(NIGHT + DAY)  # a Saturday
    assert nightly.active(NIGHT + 3 * DAY)


def test_hours_are_those_of_their_zone():
    assert recurring("fri 23:00-24:00", "Europe/Berlin").active(NIGHT)
    assert not recurring("fri 22:00-23:00", "Europe/Berlin").active(NIGHT)


def test_what_goes_on_when_the_hours_end_is_told_and_is_muted_again_the_next_night():
    life = Life()
    life.silences = (recurring(),)
    for minute in range(0, 9 * 60, 5):
        now = NIGHT + minute * MIN
        life.at(now, occurrence_count(now))
    assert life.reasons[0] == "silence_expired"
    assert life.said[0][0] == NIGHT + 8 * H


def test_a_silence_that_recurs_may_last_a_year_and_no_other():
    recurring()
    with pytest.raises(ValueError, match=r"expires_at: .*the most is 366 d"):
        silence(hours="22:00-06:00", expires_at=T0 + MAX_RECURRING + 1)
    with pytest.raises(ValueError, match=r"expires_at: .*the most is 30 d"):
        silence(expires_at=T0 + MAX_SILENCE + 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hours": "at night"}, "^hours: 'at night' are no hours"),
        ({"hours": "22:00-06:00", "zone": "Berlin"}, "^zone: 'Berlin' is no time zone"),
        ({"hours": 7}, "^hours: must be text"),
        ({"ends_when_quiet": MIN}, "^ends_when_quiet: must be at least 10 min"),
        ({"ends_when_quiet": -1}, "^ends_when_quiet: must be whole"),
        ({"ends_when_quiet": H, "hours": "22:00-06:00"}, "^ends_when_quiet: what recurs"),
        ({"last_matched": "now"}, "^last_matched: must be whole"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_key(changes, said):
    with pytest.raises(ValueError, match=said):
        silence(**changes)


def test_all_of_it_comes_back_from_its_document():
    for one in (recurring(), silence(ends_when_quiet=H, last_matched=T0 + 1), silence(startup_noise=True)):
        assert load_silence(dump_document(one)) == one


# --- until it is quiet ---


def looked_after(life, now):
    """What reconcile does with what an incident knows of its silences."""
    for later in matched_since(life.incident, life.silences, now) if life.incident else ():
        life.silences = tuple(later if each.id == later.id else each for each in life.silences)


def test_a_silence_ends_by_itself_once_nothing_matched_for_its_time():
    one = silence(ends_when_quiet=H)
    assert one.active(T0 + H - 1)
    assert not one.active(T0 + H)
    assert replace(one, last_matched=T0 + 30 * MIN).active(T0 + 90 * MIN - 1)
    assert replace(one, expires_at=T0 + MIN).ends_at == T0 + MIN


def test_it_goes_on_as_long_as_something_matches_and_says_nothing_when_it_ends():
    life = Life()
    life.silences = (silence(ends_when_quiet=H),)
    for minute in range(10 * 60):
        now = T0 + minute * MIN
        life.at(now, *[occurrence_count(now)] * (minute % 40 == 0 and minute <= 400))
        looked_after(life, now)
    assert life.reasons == []
    assert life.incident.count == 11
    assert not life.silences[0].active(T0 + 10 * H)
    life.at(T0 + 11 * H, occurrence_count(T0 + 11 * H))
    assert life.reasons != []


def test_an_alarm_that_stays_in_alarm_keeps_its_silence_although_nothing_new_is_seen():
    life = Life()
    life.silences = (silence(signature="depth", ends_when_quiet=H),)
    life.at(T0 + MIN, alarm(T0 + MIN, AlertState.FIRING))
    for minute in range(2, 300):
        life.at(T0 + minute * MIN)
        looked_after(life, T0 + minute * MIN)
    assert life.reasons == []
    life.at(T0 + 300 * MIN, alarm(T0 + 300 * MIN, AlertState.RESOLVED))
    looked_after(life, T0 + 300 * MIN)
    assert life.silences[0].active(T0 + 350 * MIN)
    assert not life.silences[0].active(T0 + 361 * MIN)


def test_what_is_seen_after_it_ended_does_not_bring_it_back():
    life = Life()
    life.silences = (silence(ends_when_quiet=H),)
    life.at(T0 + 2 * H, occurrence_count(T0 + 2 * H))
    looked_after(life, T0 + 2 * H)
    assert life.reasons == ["opened"]
    assert not life.silences[0].active(T0 + 2 * H)


def test_reconcile_notes_what_it_saw_and_not_at_every_look():
    class Noted(MemoryLedger):
        notes = 0

        def note_match(self, silence, at):
            self.notes += 1
            super().note_match(silence, at)

    class Topic:
        said = 0

        def publish(self, notification):
            self.said += 1

    ledger, topic = Noted(), Topic()
    ledger.put_silence(silence(ends_when_quiet=H))
    box = Reconciler(ledger, topic, Policy(INTERVALS, SIGNATURES), "https://example.com/")
    for minute in range(300):
        now = T0 + minute * MIN
        if minute % 10 == 0 and minute <= 200:
            ledger.count(occurrence_count(now))
        box.reconcile("backend", now)
    assert topic.said == 0
    assert ledger.silences()[0].ends_at >= T0 + 260 * MIN
    assert ledger.notes < 50


# --- after a deploy ---

SETTINGS = parse_settings(
    """
    [services.backend]
    log_groups = ["/aws/lambda/backend*"]
    stacks = ["backend-*"]
    after_deploy = "3m"
    [services.worker]
    log_groups = ["*worker*"]
    """,
    {},
)


def deploy(at=T0, what="backend-stack", status="UPDATE_IN_PROGRESS", kind=ChangeKind.STACK):
    return Change(f"c{at}{what}", kind, what, at, status=status)


def deployed(*changes):
    life = Life()
    life.silences = startup_silences("backend", changes or (deploy(),), SETTINGS)
    return life


def test_start_up_noise_that_stops_is_counted_and_never_told():
    life = deployed()
    for second in (10, 60, 170):
        life.at(T0 + second * 1000, occurrence_count(T0 + second * 1000))
    for minute in range(3, 60):
        life.at(T0 + minute * MIN)
    assert life.reasons == []
    assert life.incident.count == 3
    assert life.incident.resolved_at is not None


def test_what_goes_on_after_the_start_is_told_with_all_that_was_kept_quiet():
    life = deployed().at(T0 + MIN, occurrence_count(T0 + MIN, 5))
    life.at(T0 + 4 * MIN, occurrence_count(T0 + 4 * MIN))
    assert life.reasons == ["silence_expired"]
    assert life.incident.alerts["other"].notified.count == 6


def test_what_is_critical_is_told_at_once_whatever_was_deployed():
    life = deployed().at(T0 + MIN, occurrence_count(T0 + MIN, name="worst"))
    assert life.reasons == ["opened"]


def test_what_was_going_on_before_the_deploy_is_no_start_up_noise():
    life = deployed(deploy(T0 + 10 * MIN)).at(T0, occurrence_count(T0))
    life.at(T0 + 11 * MIN, occurrence_count(T0 + 11 * MIN))
    assert life.reasons == ["opened", "update"]
    assert not life.incident.alerts["other"].silence


def test_an_alarm_that_still_fires_after_the_start_is_told_then():
    life = deployed().at(T0 + MIN, alarm(T0 + MIN, AlertState.FIRING))
    assert life.reasons == []
    assert life.at(T0 + 3 * MIN).reasons == ["silence_expired"]


@pytest.mark.parametrize(
    ("change", "mutes"),
    [
        (deploy(), True),
        (deploy(status="UPDATE_COMPLETE"), True),
        (deploy(status="UPDATE_ROLLBACK_IN_PROGRESS"), False),
        (deploy(status="UPDATE_FAILED"), False),
        (deploy(what="network"), False),  # a stack that nobody claims may hold anything
        (deploy(what="backend", kind=ChangeKind.CODE), True),
        (deploy(what="backend", kind=ChangeKind.ALIAS), True),
        (deploy(what="backend", kind=ChangeKind.CONFIGURATION), False),
        (deploy(what="worker", kind=ChangeKind.CODE), False),
    ],
)
def test_only_a_deploy_of_the_service_itself_mutes(change, mutes):
    assert bool(startup_silences("backend", [change], SETTINGS)) is mutes


def test_a_service_that_asks_for_nothing_is_never_muted():
    assert startup_silences("worker", [deploy(what="worker", kind=ChangeKind.CODE)], SETTINGS) == ()


@pytest.mark.parametrize(
    ("value", "said"), [('"soon"', "'soon' is not a duration"), ('"2h"', "at most an hour")]
)
def test_a_start_that_is_no_time_or_too_long_is_refused(value, said):
    with pytest.raises(Exception, match=f"services.a.after_deploy: {said}"):
        parse_settings(f"[services.a]\nafter_deploy = {value}", {})


def test_reconcile_mutes_what_a_deploy_of_the_service_began():
    class Topic:
        def __init__(self):
            self.said = []

        def publish(self, notification):
            self.said.append(notification.reason.value)

    ledger, topic = MemoryLedger(), Topic()
    box = Reconciler(ledger, topic, Policy(INTERVALS, SIGNATURES), "https://example.com/", services=SETTINGS)
    ledger.keep_change(deploy(T0))
    ledger.count(occurrence_count(T0 + MIN))
    box.reconcile("backend", T0 + MIN)
    assert topic.said == []
    ledger.count(occurrence_count(T0 + 5 * MIN))
    box.reconcile("backend", T0 + 5 * MIN)
    assert topic.said == ["silence_expired"]


def test_a_deploy_that_another_process_kept_a_moment_ago_mutes_although_changes_were_just_read():
    ledger, said = MemoryLedger(), []

    class Topic:
        def publish(self, notification):
            said.append(notification.reason.value)

    box = Reconciler(
        ledger, Topic(), Policy(INTERVALS, SIGNATURES), "https://example.com/", services=SETTINGS
    )
    for service in ("worker", "backend"):
        ledger.count(replace(occurrence_count(T0 + MIN), service=service, envelope=service))
    box.reconcile("worker", T0 + MIN)
    assert said == ["opened"]
    ledger.keep_change(deploy(T0))
    box.reconcile("backend", T0 + MIN)
    assert said == ["opened"]


NAMES = st.sampled_from(["other", "worst", "short", "cause", "symptom"])


@given(
    st.lists(st.tuples(st.integers(0, 3600), NAMES), min_size=1, max_size=40),
    st.lists(st.integers(0, 3600), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_deployed_what_is_critical_is_told_and_the_rest_told_or_only_start_up_noise(
    storm, deploys
):
    life = deployed(*(deploy(T0 + second * 1000) for second in deploys)) if deploys else Life()
    arrivals = {}
    for number, (second, name) in enumerate(storm):
        now = T0 + second * 1000
        arrivals.setdefault(now, []).append(occurrence_count(now, name=name, envelope=str(number)))
    for now in sorted({*arrivals, *range(T0, T0 + 2 * H, MIN), *range(T0 + 2 * H, T0 + 9 * H, 20 * MIN)}):
        life.at(now, *arrivals.get(now, []))
    incidents = [*life.closed, life.incident]
    assert sum(incident.count for incident in incidents) == len(storm)
    assert life.incident.resolved_at is not None
    spans = [(T0 + second * 1000, T0 + second * 1000 + 3 * MIN) for second in deploys]
    for incident in incidents:
        for alert in incident.alerts.values():
            if alert.notified.count < alert.count:
                assert alert.signature != "worst"
                assert any(begin <= alert.active_at < end for begin, end in spans)


def test_two_looks_at_what_a_deploy_muted_say_the_same():
    life = deployed().at(T0 + MIN, occurrence_count(T0 + MIN))
    seen = Observed(silences=life.silences)
    again = advance(life.incident, [], T0 + MIN, service="backend", policy=life.policy, observed=seen)
    assert again.incident == life.incident
