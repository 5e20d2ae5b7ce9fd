"""A wide incident in one channel: who leads goes first, who joined replies there, and nobody waits for what never comes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as with_values
from sample_incidents import IMPORT_ERROR, RUNBOOKS, SIGNATURES, incident, pending

from tocsin.adapters.slack.errors import RetryableDeliveryError
from tocsin.core.model import Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import WideIncident, millis_of
from tocsin.core.slack.delivery_record import DeliveryRecord
from tocsin.services.channel import Outcome
from tocsin.services.delivery import LEADER_BEGUN, LEADER_EXPECTED, Attempt, deliver
from tocsin_cli.fake_slack.in_process import OfflineSlack

WIDE = WideIncident(
    lead="lead",
    signature=IMPORT_ERROR.signature,
    shared={"module": "x"},
    services=("a", "b"),
    service_count=2,
)


def told(name, sequence=1, reason=Reason.OPENED, wide=WIDE):
    document = build_notification(
        replace(incident(IMPORT_ERROR), id=name),
        replace(pending(reason, IMPORT_ERROR), sequence=sequence),
        SIGNATURES,
        runbooks_url=RUNBOOKS,
    )
    return with_values(document, wide=wide)


class Stores:
    """The delivery records of one destination; the end of an attempt can be lost."""

    def __init__(self):
        self.kept, self.dies = {}, False

    def claim(self, name, sequence, *_):
        before = self.kept.get(name, DeliveryRecord())
        self.kept[name] = replace(before, unconfirmed=before.unconfirmed | {sequence})
        return before

    def release(self, name, sequence, claimant, now, record, *, unconfirmed):
        if self.dies:
            raise ConnectionError
        marks = record.unconfirmed | {sequence} if unconfirmed else record.unconfirmed - {sequence}
        self.kept[name] = replace(record, unconfirmed=marks)

    def peek(self, name):
        return self.kept.get(name)


class World:
    def __init__(self, mode="bot"):
        self.slack, self.stores = OfflineSlack(mode), Stores()

    def tell(self, notification, age=0):
        now = millis_of(notification.at) + age
        self.slack._now = now
        return deliver(
            notification, self.slack.delivery_channel, self.stores, Attempt("me", now, 60_000)
        ).outcome

    def threads(self):
        return [each["thread_ts"] for each in self.slack.messages()]


def test_who_joined_waits_for_the_one_that_leads_and_replies_to_it():
    world = World()
    with pytest.raises(RetryableDeliveryError):
        world.tell(told("b"))
    assert world.slack.messages() == []
    world.tell(told("lead", wide=None))
    assert world.tell(told("b"), age=1_000) is Outcome.DELIVERED
    first, second = world.slack.messages()
    assert second["thread_ts"] == first["ts"]


def test_waiting_leaves_no_doubt_whether_it_was_told():
    world = World()
    with pytest.raises(RetryableDeliveryError):
        world.tell(told("b"))
    assert world.stores.kept["b"].unconfirmed == frozenset()


def test_where_the_one_that_leads_is_not_told_nobody_waits_for_long():
    world = World()
    with pytest.raises(RetryableDeliveryError):
        world.tell(told("b"), age=LEADER_EXPECTED - 1)
    world.tell(told("b"), age=LEADER_EXPECTED)
    assert world.threads() == [None]


def test_one_that_has_begun_to_be_told_is_waited_for_longer_and_not_for_ever():
    world = World()
    world.stores.claim("lead", 1)
    with pytest.raises(RetryableDeliveryError):
        world.tell(told("b"), age=LEADER_BEGUN - 1)
    world.tell(told("b"), age=LEADER_BEGUN)
    assert world.threads() == [None]


def test_by_webhook_too_nobody_waits_long_for_one_that_is_not_told():
    world = World("webhook")
    with pytest.raises(RetryableDeliveryError):
        world.tell(told("b"), age=LEADER_EXPECTED - 1)
    world.tell(told("b"), age=LEADER_EXPECTED)
    assert world.threads() == [None]


@pytest.mark.parametrize("led", [True, False])
def test_a_crash_between_the_post_and_its_record_posts_nothing_twice(led):
    world = World()
    if led:
        world.tell(told("lead", wide=None))
    world.stores.dies = True
    with pytest.raises(ConnectionError):
        world.tell(told("b"), age=LEADER_BEGUN)
    world.stores.dies = False
    if not led:  # told by itself, and only then the one that leads comes
        world.tell(told("lead", wide=None))
    posted = len(world.slack.messages())
    world.tell(told("b"), age=LEADER_BEGUN + 1_000)
    assert len(world.slack.messages()) == posted == 2
    assert sum(thread is not None for thread in world.threads()) == led


def test_what_follows_is_told_where_the_message_is():
    world = World()
    world.tell(told("lead", wide=None))
    world.tell(told("b"), age=1)
    world.tell(told("b", 2, Reason.REGRESSED, wide=None), age=2)
    first = world.slack.messages()[0]["ts"]
    assert world.threads() == [None, first, first]
    assert not world.slack.messages()[2]["reply_broadcast"]


def test_a_thread_that_is_gone_later_is_no_loss():
    world = World()
    world.tell(told("lead", wide=None))
    world.tell(told("b"), age=1)
    world.slack.channel.clear()
    world.tell(told("b", 2, Reason.REGRESSED, wide=None), age=2)
    assert world.threads()[0] is None
    assert len(world.slack.messages()) == 2
