"""What people mark as not an alert is in the next digest, once, with its line, who said so and whose it is."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from test_acting import MIN, POLICY, SIGNATURES, T0, H, World, occurrence

from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.actions import ActionKind, ActionOutcome
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import TEST_MODE_GROUP, Reason
from tocsin.core.notifications.email import email_text
from tocsin.core.signatures.signature import Status
from tocsin.core.slack.messages import render_standalone
from tocsin.services.reconcile_service import Reconciler

DAY = 24 * H
OWNED = {**SIGNATURES, "boom": replace(SIGNATURES["boom"], owner="team-storage")}


class Marking(World):
    """A world whose digests are looked at."""

    def __init__(self, ledger, policy=None):
        super().__init__(ledger)
        policy = policy or Policy(POLICY.intervals, OWNED)
        self.reconciler = Reconciler(ledger, self, policy, "https://r/", takes_actions=True)

    def mark(self, user="UADA", at=T0 + MIN, **more):
        given = {"signature": "boom", "fingerprint": "boom"} | more
        return self.press(ActionKind.NOT_AN_ALERT, user, at, **given)

    def digest(self, at=T0 + 2 * DAY):
        before = len(self.published)
        self.reconciler.reconcile(TEST_MODE_GROUP, at)
        return [each for each in self.published[before:] if each.reason is Reason.DIGEST]


@pytest.fixture
def world(ledger):
    return Marking(ledger)


def test_the_digest_shows_the_line_who_said_so_and_whose_signature_it_is(world):
    world.mark()
    (told,) = world.digest()
    (alert,) = told.alerts
    assert (alert.signature, alert.service, alert.sample) == ("boom", "worker", "a line")
    assert (alert.marked_by, alert.owner, alert.test_mode) == ("Uada", "team-storage", None)
    assert told.title == "1 false alert"
    for shown in (email_text(told), json.dumps(render_standalone(told).blocks)):
        assert "Uada said that this was no alert. It belongs to team-storage." in shown
        assert "a line" in shown
        assert "tocsin signatures feedback" in shown
        assert "marked once" in shown
        for false in ("test mode", "told to nobody", "would have", "seen once"):
            assert false not in shown


def test_it_is_told_once_and_the_next_digest_begins_with_nothing(world):
    world.mark()
    assert len(world.digest()) == 1
    assert world.digest(T0 + 3 * DAY) == []


def test_the_same_press_five_times_counts_once_and_two_people_are_one_entry_with_both_names(world):
    for _ in range(5):
        world.mark()
    world.mark("UBOB", T0 + 2 * MIN)
    (told,) = world.digest()
    (alert,) = told.alerts
    assert (alert.count, alert.marked_by) == (2, "Uada, Ubob")


def test_beside_what_is_in_test_mode_it_stands_apart_and_first(world):
    tried = replace(SIGNATURES["mild"], status=Status.TEST)
    world.reconciler = replace(
        world.reconciler, policy=Policy(POLICY.intervals, {**OWNED, "mild": tried, "boom": OWNED["boom"]})
    )
    for name, signature, count in (("mild", "mild", 9), ("boom-in-test-mode", "boom", 7)):
        counted = replace(occurrence(T0 + MIN, name), signature=signature, count=count)
        world.ledger.count(replace(counted, service=TEST_MODE_GROUP, origin_service="worker"))
    world.mark(at=T0 + 2 * MIN)
    (told,) = world.digest()
    assert [(alert.signature, bool(alert.marked_by), alert.count) for alert in told.alerts] == [
        ("boom", True, 1),
        ("mild", False, 9),
        ("boom", False, 7),
    ]
    assert told.title == "1 false alert, 2 signatures in test mode"
    assert "seen 16 times" in email_text(told)


def test_a_press_on_an_old_message_is_in_no_digest(world):
    assert world.mark(incident="20250101-000000-old").outcome is ActionOutcome.TOO_LATE
    assert world.digest() == []


def test_without_a_digest_nothing_is_counted_for_one(ledger):
    world = Marking(ledger, Policy(Intervals(resolve_after=48 * H, digest_interval=0), OWNED))
    assert world.mark().outcome is ActionOutcome.DONE
    assert ledger.pending(TEST_MODE_GROUP) == []


def test_a_crash_between_the_count_and_the_incident_loses_nothing_and_counts_nothing_twice(
    world, monkeypatch
):
    def crash(*_, **__):
        raise OSError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(world.ledger, "save", crash)
        with pytest.raises(OSError, match="killed"):
            world.mark()
    world.digest(T0 + MIN)  # it is applied to the digest before the press is applied to its incident
    world.reconciler.reconcile("worker", T0 + 2 * MIN)
    assert world.incident.record[-1].outcome is ActionOutcome.DONE
    (told,) = world.digest()
    assert told.alerts[0].count == 1
