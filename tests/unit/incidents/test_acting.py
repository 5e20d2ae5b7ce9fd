"""What people press changes an incident once, whoever presses at once, however often it is delivered, whatever crashes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.acting import MAX_RECORD
from tocsin.core.incidents.actions import Action, ActionKind, ActionOutcome
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.store import AlreadyAppliedError
from tocsin.core.model import OccurrenceCount, Reason, Severity
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.services.reconcile_service import Reconciler

T0 = 1_770_000_000_000
MIN, H = 60_000, 3_600_000


def signature(name, severity):
    return Signature(
        id=name, file="signatures/t.toml", title=name, severity=severity, status=Status.STABLE, source=Source.LOG,
        summary="s", first_action="f", runbook=f"{name}.md",
    )  # fmt: skip


SIGNATURES = {
    s.id: s
    for s in (
        signature("boom", Severity.HIGH), signature("mild", Severity.LOW), signature("worst", Severity.CRITICAL),
    )
}  # fmt: skip
POLICY = Policy(Intervals(resolve_after=48 * H, acknowledged_for=6 * H), SIGNATURES)


def occurrence(at, name="boom"):
    return OccurrenceCount(
        envelope=f"e{at}{name}", fingerprint=name, signature=name, service="worker", fields={}, count=1,
        first_seen=at, last_seen=at, received_at=at, sample="a line",
    )  # fmt: skip


class World:
    """A service with an open incident, and everything that was published."""

    def __init__(self, ledger):
        self.ledger, self.published = ledger, []
        self.reconciler = Reconciler(ledger, self, POLICY, "https://r/", takes_actions=True)
        self.seen(T0)

    def publish(self, notification):
        self.published.append(notification)

    def seen(self, at, name="boom"):
        self.ledger.count(occurrence(at, name))
        return self.reconciler.reconcile("worker", at)

    @property
    def incident(self):
        return self.ledger.load("worker").incident

    def action(self, kind, user="UADA", at=T0 + MIN, **more):
        more = {"id": f"{kind}-{user}-{at}", "incident": self.incident.id} | more
        return Action(kind=kind, service="worker", user=user, name=user.title(), at=at, **more)

    def press(self, kind, user="UADA", at=T0 + MIN, **more):
        action = self.action(kind, user, at, **more)
        self.ledger.keep_action(action)
        self.reconciler.reconcile("worker", at)
        return next(done for done in self.incident.record if done.id == action.id)

    def reasons(self):
        return [notification.reason for notification in self.published]


@pytest.fixture
def world(ledger):
    return World(ledger)


def test_who_takes_an_incident_has_it_and_nobody_is_reminded_until_the_time_is_up(world):
    assert world.press(ActionKind.TAKE).outcome is ActionOutcome.DONE
    assert world.incident.acknowledged.user == "UADA"
    world.reconciler.reconcile("worker", T0 + 5 * H)
    assert Reason.REPEAT not in world.reasons()
    world.reconciler.reconcile("worker", T0 + MIN + 6 * H)
    assert world.reasons()[-1] is Reason.REPEAT


def test_without_anybody_who_has_it_people_are_reminded(world):
    world.reconciler.reconcile("worker", T0 + 5 * H)
    assert world.reasons()[-1] is Reason.REPEAT


def test_what_is_done_is_told_at_once_and_once(world):
    world.press(ActionKind.TAKE)
    assert world.reasons() == [Reason.OPENED, Reason.UPDATE]
    for later in range(2, 5):
        world.reconciler.reconcile("worker", T0 + later * MIN)
    assert world.reasons() == [Reason.OPENED, Reason.UPDATE]


def test_the_same_press_delivered_five_times_is_applied_once(world):
    for _ in range(5):
        world.press(ActionKind.TAKE)
    assert len(world.incident.record) == 1
    assert world.reasons().count(Reason.UPDATE) == 1


def test_of_five_who_press_at_once_one_has_it_and_the_others_are_told_who(world):
    people = [f"U{number}" for number in range(5)]
    for person in people:
        world.ledger.keep_action(world.action(ActionKind.TAKE, person))
    world.reconciler.reconcile("worker", T0 + MIN)
    outcomes = {done.user: (done.outcome, done.detail) for done in world.incident.record}
    assert outcomes["U0"][0] is ActionOutcome.DONE
    assert {outcomes[person] for person in people[1:]} == {(ActionOutcome.SOMEBODY_ELSE, "U0")}
    assert world.reasons().count(Reason.UPDATE) == 1


def test_two_reconciliations_at_once_never_apply_a_press_twice(world):
    action = world.action(ActionKind.TAKE)
    world.ledger.keep_action(action)
    stored = world.ledger.load("worker")
    world.reconciler.reconcile("worker", T0 + MIN)
    later = world.ledger.load("worker")
    with pytest.raises(AlreadyAppliedError):
        world.ledger.save(stored.incident, later.version, due=None, acted=[action])


def test_what_is_handed_back_reminds_again(world):
    world.press(ActionKind.TAKE)
    assert world.press(ActionKind.HAND_BACK, "UBOB", T0 + 2 * MIN).outcome is ActionOutcome.DONE
    assert world.incident.acknowledged is None
    world.reconciler.reconcile("worker", T0 + 5 * H)
    assert world.reasons()[-1] is Reason.REPEAT


def test_nothing_to_hand_back_and_having_it_already_change_nothing_and_are_told_nobody_else(world):
    assert world.press(ActionKind.HAND_BACK).outcome is ActionOutcome.NOTHING_TO_DO
    world.press(ActionKind.TAKE)
    told = len(world.published)
    assert world.press(ActionKind.TAKE, at=T0 + 2 * MIN).outcome is ActionOutcome.NOTHING_TO_DO
    assert len(world.published) == told


@pytest.mark.parametrize(("joins", "still_has_it"), [("mild", True), ("worst", False)])
def test_it_is_taken_from_who_has_it_only_when_something_worse_joins(world, joins, still_has_it):
    world.press(ActionKind.TAKE)
    world.seen(T0 + 2 * MIN, joins)
    assert world.reasons()[-1] is Reason.NEW_ALERT
    assert bool(world.incident.acknowledged) is still_has_it


def test_over_resolves_and_seen_again_it_has_regressed_and_nobody_has_it(world):
    world.press(ActionKind.TAKE)
    assert world.press(ActionKind.OVER, at=T0 + 2 * MIN).outcome is ActionOutcome.DONE
    assert world.incident.resolved_at == T0 + 2 * MIN
    assert world.reasons()[-1] is Reason.RESOLVED
    world.seen(T0 + 3 * MIN)
    assert world.reasons()[-1] is Reason.REGRESSED
    assert world.incident.acknowledged is None


def test_over_does_not_resolve_what_was_received_after_the_press(world):
    world.ledger.keep_action(world.action(ActionKind.OVER, at=T0 + MIN))
    world.ledger.count(occurrence(T0 + 2 * MIN))
    world.reconciler.reconcile("worker", T0 + 3 * MIN)
    assert world.incident.resolved_at is None
    assert world.incident.record[-1].outcome is ActionOutcome.STILL_SEEN


@pytest.mark.parametrize("kind", [ActionKind.TAKE, ActionKind.HAND_BACK, ActionKind.OVER])
def test_a_press_on_an_incident_that_is_over_or_on_an_old_message_changes_nothing(world, kind):
    assert world.press(kind, incident="20250101-000000-old").outcome is ActionOutcome.TOO_LATE
    world.press(ActionKind.OVER, at=T0 + 2 * MIN)
    told = len(world.published)
    assert world.press(kind, at=T0 + 3 * MIN).outcome is ActionOutcome.TOO_LATE
    assert world.incident.acknowledged is None
    assert len(world.published) == told


def test_a_silence_that_was_pressed_is_a_silence_like_any_other_and_mutes_at_once(world):
    silence = Silence("s1", T0 + 2 * H, "deploy", "Ada (Slack)", T0 + MIN, service="worker")
    world.press(ActionKind.SILENCE, silence=silence)
    assert world.ledger.silences() == (silence,)
    assert world.incident.alerts["boom"].silence == "s1"
    world.seen(T0 + 3 * MIN, "mild")
    assert Reason.NEW_ALERT not in world.reasons()


def test_a_silence_that_somebody_took_back_meanwhile_does_not_come_back(world):
    silence = Silence("s1", T0 + 2 * H, "deploy", "Ada (Slack)", T0, service="worker")
    world.ledger.put_silence(silence.ended(T0 + MIN))
    world.press(ActionKind.SILENCE, at=T0 + 2 * MIN, silence=silence)
    assert world.incident.alerts["boom"].silence == ""


def test_a_press_for_a_service_without_an_incident_does_not_stay_pending(ledger):
    reconciler = Reconciler(ledger, None, POLICY, "https://r/", takes_actions=True)
    ledger.keep_action(Action("a", ActionKind.TAKE, "nobody", "i", "U", "U", T0))
    reconciler.reconcile("nobody", T0)
    assert ledger.pending_actions("nobody") == []
    assert ledger.open_services(T0 + H) == []


def test_reconcile_finds_a_press_whose_first_writer_died(world):
    world.ledger.keep_action(world.action(ActionKind.TAKE))
    assert "worker" in world.ledger.open_services(T0 + MIN)


def test_where_nobody_can_act_from_slack_no_action_is_looked_for(world):
    world.ledger.keep_action(world.action(ActionKind.TAKE))
    replace(world.reconciler, takes_actions=False).reconcile("worker", T0 + MIN)
    assert world.incident.acknowledged is None


PRESSES = st.lists(
    st.tuples(st.sampled_from(list(ActionKind)), st.sampled_from(["UA", "UB", "UC"]), st.integers(0, 8)),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(PRESSES, st.lists(st.integers(0, 8), max_size=5))
def test_whatever_is_pressed_in_whatever_order_each_has_one_outcome_and_at_most_one_person_has_it(
    presses, seen
):
    world = World(MemoryLedger())
    told = set()
    for number, (kind, user, minute) in enumerate(presses):
        at = T0 + (minute + 1) * MIN
        world.ledger.keep_action(world.action(kind, user, at, id=str(number)))
        if minute in seen:
            world.ledger.count(occurrence(at + 1))
        world.reconciler.reconcile("worker", at)
    for _ in range(5):
        world.reconciler.reconcile("worker", T0 + 20 * MIN)
    assert world.ledger.pending_actions("worker") == []
    ids = [done.id for done in world.incident.record]
    assert len(ids) == len(set(ids)) == min(len(presses), MAX_RECORD)
    for notification in world.published:
        assert notification.id not in told
        told.add(notification.id)


def test_what_is_silenced_can_be_ended(world):
    silence = Silence("s1", T0 + 2 * H, "deploy", "Ada (Slack)", T0 + MIN, service="worker")
    world.press(ActionKind.SILENCE, silence=silence)
    assert world.press(ActionKind.OVER, at=T0 + 2 * MIN).outcome is ActionOutcome.DONE
    assert world.incident.resolved_at == T0 + 2 * MIN
    assert world.reasons()[-1] is Reason.RESOLVED


def test_what_came_back_can_be_silenced_and_ended(world):
    world.press(ActionKind.OVER)
    world.seen(T0 + 2 * MIN)
    assert world.reasons()[-1] is Reason.REGRESSED
    world.press(ActionKind.TAKE, at=T0 + 3 * MIN)
    silence = Silence("s1", T0 + 2 * H, "deploy", "Ada (Slack)", T0 + 4 * MIN, service="worker")
    world.press(ActionKind.SILENCE, at=T0 + 4 * MIN, silence=silence)
    assert world.press(ActionKind.OVER, at=T0 + 5 * MIN).outcome is ActionOutcome.DONE
    assert world.incident.resolved_at == T0 + 5 * MIN
    assert world.reasons()[-1] is Reason.RESOLVED
