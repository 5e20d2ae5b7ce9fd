"""Told once: real adapters against a Slack that answers over HTTP, and whatever can fail made to fail."""

import itertools
import json
import re
import threading
from typing import ClassVar

import boto3
import msgspec
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import create_incident_table
from moto import mock_aws
from msgspec.structs import replace
from sample_incidents import (
    BUCKET,
    DLQ,
    IMPORT_ERROR,
    MINUTE,
    RUNBOOKS,
    SIGNATURES,
    T0,
    TIMEOUT,
    incident,
    pending,
)

from tocsin.adapters.aws.delivery_table import DeliveryStore
from tocsin.adapters.slack.errors import (
    CredentialRefusedError,
    DeliveryError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from tocsin.adapters.slack.web_api import SlackBot
from tocsin.adapters.slack.webhook import SlackWebhook
from tocsin.core.config.settings import RepliesInChannel
from tocsin.core.model import AlertState, Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import document_of, millis_of
from tocsin.core.notifications.parsing import parse_notification
from tocsin.core.slack.messages import render_standalone
from tocsin.core.slack.mrkdwn import time_token
from tocsin.services.bot_channel import BotChannel
from tocsin.services.channel import Audience, Outcome
from tocsin.services.delivery import Attempt, deliver
from tocsin.services.webhook_channel import WebhookChannel
from tocsin_cli.fake_slack.channel import Fault
from tocsin_cli.fake_slack.server import LocalSlack

LEASE = MINUTE
INCIDENT = incident().id
pytestmark = pytest.mark.minutes


class KilledError(BaseException):
    """The process ends here, without a word."""


@pytest.fixture(scope="module")
def slack_server():
    with LocalSlack(clock=lambda: T0 / 1000 + 300) as slack:
        yield slack


@pytest.fixture
def slack(slack_server):
    slack_server.channel.clear()
    slack_server.channel.clear_faults()
    yield slack_server
    close_sessions()


@pytest.fixture(scope="module")
def dynamodb():
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        create_incident_table(client)
        yield client


def forget(dynamodb):
    for item in dynamodb.scan(TableName="incidents")["Items"]:
        dynamodb.delete_item(TableName="incidents", Key={"pk": item["pk"], "sk": item["sk"]})


@pytest.fixture
def table(dynamodb):
    forget(dynamodb)
    return dynamodb


def told(reason, *alerts, about=(), sequence=1, updates=0, growing=()):
    made = incident(*alerts)
    entry = replace(
        pending(reason, *about, sequence=sequence, at=T0 + sequence * MINUTE),
        updates=updates,
        growing=tuple(alert.fingerprint for alert in growing),
    )
    return build_notification(made, entry, SIGNATURES, runbooks_url=RUNBOOKS)


def update(number, sequence, *, growing=()):
    """The incident's update with this number since the last news; each of another count."""
    counted = replace(IMPORT_ERROR, count=IMPORT_ERROR.count + sequence)
    return told(
        Reason.UPDATE, counted, DLQ, about=[counted], sequence=sequence, updates=number, growing=growing
    )  # fmt: skip


OVER = replace(IMPORT_ERROR, state=AlertState.RESOLVED)
STORY = (
    told(Reason.OPENED, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=1),
    told(Reason.NEW_ALERT, IMPORT_ERROR, BUCKET, about=[BUCKET], sequence=2),
    told(Reason.UPDATE, IMPORT_ERROR, BUCKET, about=[IMPORT_ERROR], sequence=3),
    told(Reason.RESOLVED, OVER, about=[OVER], sequence=4),
)


class Interruption:
    """Lets every call through but some: they fail before they took effect, or after, or with the process."""

    def __init__(self, at=(), how="before", error=None, *, looks=False):
        self.at, self.how, self.error, self.calls = set([at] if isinstance(at, int) else at), how, error, 0
        self.names, self.struck, self.looks = [], [], looks

    def __call__(self, name, work):
        self.calls += 1
        self.names.append(name)
        first_look = self.looks and name.startswith("conversations.") and self.names.count(name) == 1
        if self.calls - 1 not in self.at and not first_look:
            return work()
        self.struck.append(name)
        if self.how.endswith("after"):
            work()
        raise KilledError if self.how.startswith("killed") else self.error()


class Session(requests.Session):
    open_ones: ClassVar[list[requests.Session]] = []

    def __init__(self, interruption):
        super().__init__()
        self.interruption = interruption
        self.open_ones.append(self)

    def request(self, *args, **kwargs):
        def lost():
            return requests.ReadTimeout("https://hooks.slack.com/services/T/B/secret xoxb-secret")

        self.interruption.error = lost
        name = args[1].rpartition("/")[2]
        in_thread = " in a thread" if "thread_ts" in (kwargs.get("json") or {}) else ""
        return self.interruption(name + in_thread, lambda: super(Session, self).request(*args, **kwargs))


def close_sessions():
    while Session.open_ones:
        Session.open_ones.pop().close()


class Table:
    """A DynamoDB client whose calls can be interrupted, and each of which is atomic, as moto's are not."""

    one_at_a_time = threading.Lock()

    def __init__(self, client, interruption):
        self.client, self.interruption, self.exceptions = client, interruption, client.exceptions

    def update_item(self, **arguments):
        self.interruption.error = lambda: ConnectionError("table")
        with self.one_at_a_time:
            return self.interruption("UpdateItem", lambda: self.client.update_item(**arguments))


class World:
    """Slack, table and time, and a queue that gives a notification again until it is acknowledged."""

    def __init__(
        self,
        slack,
        table,
        interruption=None,
        *,
        webhook=False,
        channel=None,
        replies=RepliesInChannel.IMPORTANT,
    ):
        self.interruption = interruption or Interruption()
        session = Session(self.interruption)
        self.slack = (
            WebhookChannel(SlackWebhook(slack.webhook_url, session))
            if webhook
            else BotChannel(SlackBot(slack.bot_token, channel or slack.channel_id, slack.api_url, session))
        )
        self.store = DeliveryStore(Table(table, self.interruption), "incidents")
        self.now = T0 + 5 * MINUTE
        self.claims = itertools.count()
        self.replies = replies

    def once(self, notification):
        self.now += 1
        return deliver(
            notification,
            self.slack,
            self.store,
            Attempt(f"try-{next(self.claims)}", self.now, LEASE),
            Audience(replies=self.replies),
        )

    def until_done(self, notification, tries=12):
        for _ in range(tries):
            try:
                return self.once(notification)
            except (DeliveryError, ConnectionError, KilledError):
                self.now += LEASE + 1
        raise AssertionError("never delivered")


def mains(slack):
    return [m for m in slack.messages() if not m["thread_ts"]]


def replies(slack):
    found = {}
    for message in slack.messages():
        if message["thread_ts"]:
            assert message["thread_ts"] == mains(slack)[0]["ts"]
            found.setdefault(message["metadata"]["event_payload"]["sequence"], []).append(message)
    return found


def assert_told_once(slack, story=STORY):
    (main,) = mains(slack)
    last = max(n.sequence for n in story)
    assert main["metadata"]["event_payload"] == {"incident": INCIDENT, "sequence": last, "part": "incident"}
    growing = [n for n in story if any(alert.queue and alert.queue.growing for alert in n.alerts)]
    expected = [n.sequence for n in story if n.reason not in {"opened", "update"} or n in growing]
    assert {sequence: len(found) for sequence, found in replies(slack).items()} == dict.fromkeys(expected, 1)


def test_an_incident_is_one_message_edited_in_place_with_its_events_in_the_thread(slack, table):
    world = World(slack, table)
    assert [world.once(n).outcome for n in STORY] == [Outcome.DELIVERED] * 4
    assert_told_once(slack)
    (main,) = mains(slack)
    assert main["text"].startswith("✅ Resolved: Lambda cannot import its handler")
    assert len(main["edits"]) == 3
    assert [m["reply_broadcast"] for m in slack.messages() if m["thread_ts"]] == [False, False]


def test_an_opened_incident_is_one_message_that_says_it_all_and_has_no_reply(slack, table):
    world = World(slack, table)
    assert world.once(STORY[0]).outcome is Outcome.DELIVERED
    (main,) = slack.messages()
    assert main["thread_ts"] is None
    assert main["edits"] == []
    shown = json.dumps(main["blocks"])
    (alert,) = STORY[0].alerts
    for said in ("Rebuild with `sam build`", "every invocation of worker fails", "No module named 'mangum'"):
        assert said in shown
    assert alert.runbook_url in shown


def test_only_an_update_in_which_a_dead_letter_queue_grows_has_a_reply(slack, table):
    world = World(slack, table)
    world.once(STORY[0])
    world.once(update(1, 2))
    assert replies(slack) == {}
    world.once(update(2, 3, growing=[DLQ]))
    ((reply,),) = replies(slack).values()
    assert reply["metadata"]["event_payload"]["sequence"] == 3
    assert "The dead-letter queue grows" in reply["blocks"][0]["text"]["text"]
    assert "documents-dlq" in json.dumps(reply["blocks"])
    world.once(update(3, 4))
    assert sorted(replies(slack)) == [3]
    assert len(mains(slack)[0]["edits"]) == 3


def test_delivering_again_posts_nothing_and_edits_nothing(slack, table):
    world = World(slack, table)
    for n in STORY:
        world.once(n)
    before = slack.messages()
    assert [world.once(n).outcome for n in (*STORY, *reversed(STORY))] == [Outcome.DUPLICATE] * 8
    assert slack.messages() == before


HOW = ("before", "after", "killed before", "killed after")


def calls_of_the_story(slack, table, story):
    world = World(slack, table)
    for n in story:
        world.once(n)
    return world.interruption.calls


GROWN = (*STORY[:2], update(1, 3, growing=[DLQ]), STORY[3])
"""The same story with an update that has a reply, which it loses if something newer is told before it."""


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("story", "fewest"),
    [(STORY, 14), (GROWN, 15), (STORY[::-1], 11)],
    ids=["in order", "with a growing queue", "the last first"],
)
def test_whichever_call_fails_and_however_each_notification_is_told_once(slack, table, story, fewest, how):
    total = calls_of_the_story(slack, table, story)
    assert total >= fewest
    struck = set()

    def play(interruption):
        slack.channel.clear()
        forget(table)
        world = World(slack, table, interruption)
        for n in story:
            world.until_done(n)
        assert_told_once(slack, story)
        assert world.once(story[0]).outcome is Outcome.DUPLICATE
        struck.update(interruption.struck)

    for at in range(total):
        alone = Interruption(at, how)
        play(alone)
        assert len(alone.struck) == 1
        # Only after a failure does an attempt look into Slack; that look fails in its turn.
        if any(name.startswith("conversations.") for name in alone.names):
            looking = Interruption(at, how, looks=True)
            play(looking)
            assert len(looking.struck) > 1
    edited = {"chat.update"} if story[0] is STORY[0] else set()
    assert struck == edited | {
        "UpdateItem", "chat.postMessage", "chat.postMessage in a thread", "conversations.history",
        "conversations.replies",
    }  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    at=st.sets(st.integers(0, 30), max_size=6),
    how=st.sampled_from(HOW),
    order=st.permutations(range(4)),
)
def test_several_failures_and_any_order_change_nothing(slack_server, dynamodb, at, how, order):
    slack_server.channel.clear()
    forget(dynamodb)
    world = World(slack_server, dynamodb, Interruption(at, how))
    for position in order:
        world.until_done(STORY[position])
    assert_told_once(slack_server)
    (main,) = mains(slack_server)
    assert main["text"].startswith("✅")
    close_sessions()


def test_an_older_notification_that_arrives_late_never_overwrites_a_newer_one(slack, table):
    world = World(slack, table)
    world.once(STORY[3])
    shown = mains(slack)[0]
    assert world.once(STORY[2]).outcome is Outcome.SUPERSEDED
    assert world.once(STORY[1]).outcome is Outcome.DELIVERED
    assert mains(slack) == [shown]
    assert sorted(replies(slack)) == [2, 4]
    before = slack.messages()
    world.once(STORY[0])  # which has no reply
    assert slack.messages() == before
    assert world.once(STORY[0]).outcome is Outcome.DUPLICATE


def outage(world, slack, order):
    """Slack refuses everything; afterwards the queue gives back what it kept, in the order of its delays."""
    slack.add_fault(Fault(status=500, times=100))
    for n in STORY:
        with pytest.raises(RetryableDeliveryError):
            world.once(n)
    slack.channel.clear_faults()
    return [world.once(STORY[number]).outcome for number in order]


def alarming(message):
    return re.findall("[🔴🟠🟡🔵🆕]", json.dumps([message["text"], message["blocks"]], ensure_ascii=False))


def test_after_an_outage_a_webhook_channel_does_not_end_on_an_alarm_that_is_over(slack, table):
    world = World(slack, table, webhook=True)
    assert outage(world, slack, (3, 2, 1, 0)) == [
        Outcome.DELIVERED, Outcome.SUPERSEDED, Outcome.DELIVERED, Outcome.DELIVERED,
    ]  # fmt: skip
    over, joined, opened = slack.messages()
    assert over["text"].startswith("✅ Resolved: Lambda cannot import its handler")
    assert joined["text"] == "🕓 Delayed: Also: S3 bucket is not accessible · worker"
    assert opened["text"] == "🕓 Delayed: Lambda cannot import its handler · worker"
    for message, n in ((joined, STORY[1]), (opened, STORY[0])):
        assert alarming(message) == []
        assert "*Delayed.*" in message["blocks"][1]["text"]["text"]
        assert time_token(millis_of(n.at)) in message["blocks"][1]["text"]["text"]
        # Nothing of what it says is lost: that it was, what to do, how often.
        assert "Do first, if it still goes on" in json.dumps(message["blocks"])
    assert "1,204" in json.dumps(opened["blocks"])
    assert "credmate-documents-dev" in json.dumps(joined["blocks"])


def test_after_an_outage_in_order_nothing_is_called_late(slack, table):
    for webhook in (True, False):
        slack.channel.clear()
        forget(table)
        outage(World(slack, table, webhook=webhook), slack, (0, 1, 2, 3))
        assert "late" not in json.dumps(slack.messages())


def test_a_late_end_is_not_called_over_when_it_began_again_since(slack, table):
    again = told(Reason.REGRESSED, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=5)
    for webhook in (True, False):
        slack.channel.clear()
        forget(table)
        world = World(slack, table, webhook=webhook)
        world.once(again)
        world.once(STORY[3])
        late = slack.messages()[-1]
        assert late["text"].startswith("🕓 Delayed: Resolved:")
        assert "It is over" not in json.dumps(late["blocks"])
        assert "Nothing to do" not in json.dumps(late["blocks"])


def test_late_replies_say_so_and_wake_nobody(slack, table):
    loud = told(Reason.REGRESSED, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=3)
    worse = told(Reason.NEW_ALERT, TIMEOUT, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=1)
    world = World(slack, table)
    for n in (STORY[3], loud, STORY[1], worse):
        world.once(n)
    for sequence, n in ((3, loud), (2, STORY[1]), (1, worse)):
        (reply,) = replies(slack)[sequence]
        assert reply["text"].startswith("🕓 Delayed: ")
        assert time_token(millis_of(n.at)) in reply["blocks"][0]["text"]["text"]
        assert not reply["reply_broadcast"]
        assert not re.search("[🔴🟠🟡🔵]", json.dumps(reply["blocks"], ensure_ascii=False))
    (end,) = replies(slack)[4]
    assert "late" not in json.dumps(end["blocks"])


def test_a_late_notification_that_must_post_the_incidents_message_anew_does_not_alarm(slack, table):
    world = World(slack, table)
    world.once(STORY[3])
    slack.channel.clear()  # somebody deleted it
    assert world.once(STORY[2]).outcome is Outcome.SUPERSEDED
    assert slack.messages() == []
    assert world.once(STORY[1]).outcome is Outcome.DELIVERED
    (main,) = mains(slack)
    assert main["text"].startswith("🕓 Delayed: ")
    assert alarming(main) == []
    world.once(told(Reason.REGRESSED, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=5))
    (main,) = mains(slack)
    assert main["text"].startswith("🔴 Back again: ")


def test_a_late_opening_that_must_post_the_incidents_message_in_another_channel_does_not_alarm(slack, table):
    slack.channels["C0OTHER"] = "other"
    try:
        World(slack, table).once(STORY[3])
        moved = World(slack, table, channel="C0OTHER")
        moved.now += MINUTE
        assert moved.once(STORY[0]).outcome is Outcome.DELIVERED
    finally:
        del slack.channels["C0OTHER"]
    (main,) = [m for m in slack.messages() if m["channel"] == "C0OTHER"]
    assert main["text"] == "🕓 Delayed: Lambda cannot import its handler · worker"
    assert alarming(main) == []
    assert time_token(millis_of(STORY[0].at)) in main["blocks"][1]["text"]["text"]


def test_an_older_notification_that_finds_a_newer_message_in_slack_leaves_it_alone(slack, table):
    world = World(slack, table)
    slack.add_fault(Fault(status=500, after_effect=True, method="chat.postMessage"))
    with pytest.raises(RetryableDeliveryError):
        world.once(STORY[3])
    assert world.once(STORY[2]).outcome is Outcome.SUPERSEDED
    assert world.once(STORY[1]).outcome is Outcome.DELIVERED
    world.once(STORY[0])
    (main,) = mains(slack)
    assert main["edits"] == []
    world.once(STORY[3])
    assert sorted(replies(slack)) == [2, 4]


def test_an_opening_that_finds_a_newer_message_in_slack_leaves_it_alone(slack, table):
    world = World(slack, table)
    slack.add_fault(Fault(status=500, after_effect=True, method="chat.postMessage"))
    with pytest.raises(RetryableDeliveryError):
        world.once(STORY[3])
    posted = slack.messages()
    world.once(STORY[0])
    assert slack.messages() == posted
    world.once(STORY[3])
    assert_told_once(slack, (STORY[0], STORY[3]))


@pytest.mark.parametrize("webhook", [False, True])
def test_invocations_at_the_same_time_tell_it_once(slack, table, webhook):
    outcomes, barrier = [], threading.Barrier(6)

    def invoke(number):
        world = World(slack, table, webhook=webhook)
        world.claims = itertools.count(number * 1000)
        barrier.wait()
        for n in STORY[:2]:
            for _ in range(200):
                try:
                    outcomes.append(world.once(n).outcome)
                    break
                except RetryableDeliveryError as busy:
                    assert busy.retry_after <= LEASE  # noqa: PT017 - the loop is the point
                    threading.Event().wait(0.01)

    threads = [threading.Thread(target=invoke, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [Outcome.DELIVERED] * 2 + [Outcome.DUPLICATE] * 10
    if webhook:
        assert len(slack.messages()) == 2
    else:
        assert_told_once(slack, STORY[:2])


def test_a_busy_incident_is_tried_again_soon(slack, table):
    world = World(slack, table)
    world.store.claim(INCIDENT, 1, "somebody", world.now, LEASE)
    with pytest.raises(RetryableDeliveryError) as busy:
        world.once(STORY[0])
    assert 0 < busy.value.retry_after <= 10_000
    assert slack.messages() == []


def test_429_says_how_long_to_wait_and_nothing_was_posted(slack, table):
    slack.add_fault(Fault(status=429, retry_after=7, times=1))
    world = World(slack, table)
    with pytest.raises(RetryableDeliveryError) as limited:
        world.once(STORY[0])
    assert (limited.value.retry_after, limited.value.limited, limited.value.ambiguous) == (7_000, True, False)
    assert world.once(STORY[0]).outcome is Outcome.DELIVERED
    assert_told_once(slack, STORY[:1])


def test_429_on_the_reply_keeps_the_message(slack, table):
    world = World(slack, table)
    world.once(STORY[0])
    slack.add_fault(Fault(status=429, retry_after=1, method="chat.postMessage"))
    with pytest.raises(RetryableDeliveryError):
        world.once(STORY[1])
    world.once(STORY[1])
    assert_told_once(slack, STORY[:2])
    assert len(mains(slack)[0]["edits"]) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize(
    "story",
    [STORY[:1], STORY[1:2], STORY[:2]],
    ids=["the message alone", "the message before its reply", "the reply"],
)
def test_a_server_error_is_retried_and_told_once(slack, table, story, status, after_effect):
    world = World(slack, table)
    for n in story[:-1]:
        world.once(n)
    slack.add_fault(Fault(status=status, times=1, after_effect=after_effect, method="chat.postMessage"))
    with pytest.raises(RetryableDeliveryError) as broken:
        world.once(story[-1])
    assert broken.value.ambiguous
    world.once(story[-1])
    assert_told_once(slack, story)


def test_a_message_that_a_person_deleted_is_posted_anew(slack, table):
    world = World(slack, table)
    world.once(STORY[0])
    slack.channel.clear()
    delivery = world.once(STORY[1])
    assert "gone" in delivery.notes[0]
    assert len(mains(slack)) == 1
    assert sorted(replies(slack)) == [2]
    slack.channel.clear()
    world.once(STORY[3])
    slack.channel.clear()
    assert world.once(STORY[2]).outcome is Outcome.SUPERSEDED


def test_a_late_reply_to_a_deleted_message_is_not_lost(slack, table):
    world = World(slack, table)
    world.once(STORY[3])
    slack.channel.clear()
    assert world.once(STORY[1]).outcome is Outcome.DELIVERED
    assert sorted(replies(slack)) == [2]


def test_blocks_that_slack_refuses_are_told_as_plain_text(slack, table):
    slack.add_fault(Fault(status=200, error="invalid_blocks", method="chat.postMessage"))
    slack.add_fault(Fault(status=200, error="msg_blocks_too_long", method="chat.update"))
    world = World(slack, table)
    delivery = world.once(STORY[0])
    assert "invalid_blocks" in delivery.notes[0]
    world.once(STORY[1])
    (main,) = mains(slack)
    assert main["blocks"] == []
    assert main["text"].startswith("S3 bucket is not accessible in worker\nNew alert in an open incident.")
    assert "\nDO FIRST: " in main["text"]


def test_a_moved_channel_gets_its_own_message(slack, table):
    slack.channels["C0OTHER"] = "other"
    try:
        World(slack, table).once(STORY[0])
        moved = World(slack, table, channel="C0OTHER")
        moved.now += MINUTE
        moved.once(STORY[1])
    finally:
        del slack.channels["C0OTHER"]
    assert [m["channel"] for m in mains(slack)] == ["C0ALERTS", "C0OTHER"]


@pytest.mark.parametrize(
    "error",
    ["invalid_auth", "channel_not_found", "not_in_channel", "is_archived", "token_revoked", "missing_scope"],
)
def test_what_a_new_secret_may_mend_is_told_apart(slack, table, error):
    slack.add_fault(Fault(status=200, error=error))
    with pytest.raises(CredentialRefusedError, match=error):
        World(slack, table).once(STORY[0])


def test_a_channel_that_cannot_be_read_is_said_and_the_alert_told_all_the_same(slack, table):
    slack.add_fault(Fault(status=500, method="chat.postMessage"))
    slack.add_fault(Fault(status=200, error="missing_scope", method="conversations.history"))
    slack.add_fault(Fault(status=200, error="missing_scope", method="conversations.replies"))
    world = World(slack, table)
    with pytest.raises(RetryableDeliveryError):
        world.once(STORY[1])
    delivery = world.once(STORY[1])
    assert ["channels:history" in note for note in delivery.notes] == [True, True]
    assert_told_once(slack, STORY[1:2])


@pytest.mark.parametrize("how", HOW)
def test_by_webhook_nothing_is_lost_whichever_call_fails(slack, table, how):
    for at in range(3 * len(STORY)):
        slack.channel.clear()
        forget(table)
        world = World(slack, table, Interruption(at, how), webhook=True)
        for n in STORY:
            world.until_done(n)
        texts = [m["text"] for m in slack.messages()]
        assert len(set(texts)) == 4
        # At most the one notification whose attempt was cut short after Slack had it is there twice.
        assert 4 <= len(texts) <= 5


def test_by_webhook_what_is_out_of_date_is_dropped(slack, table):
    world = World(slack, table, webhook=True)
    world.once(STORY[3])
    assert world.once(STORY[2]).outcome is Outcome.SUPERSEDED
    assert world.once(STORY[0]).outcome is Outcome.DELIVERED
    assert world.once(STORY[2]).outcome is Outcome.DUPLICATE
    assert len(slack.messages()) == 2


def test_by_webhook_updates_are_posted_at_doubling_numbers_and_the_others_are_left_to_them(slack, table):
    world = World(slack, table, webhook=True)
    world.once(STORY[0])
    outcomes = {}
    for number in range(1, 17):
        posted = len(slack.messages())
        outcomes[number] = world.once(update(number, 1 + number)).outcome
        assert len(slack.messages()) == posted + (outcomes[number] is Outcome.DELIVERED)
    assert {number for number, outcome in outcomes.items() if outcome is Outcome.DELIVERED} == {
        1,
        2,
        4,
        8,
        16,
    }
    assert {outcomes[number] for number in (3, 5, 6, 7, 9, 15)} == {Outcome.ROLLED_UP}
    before = slack.messages()
    assert [world.once(update(number, 1 + number)).outcome for number in (3, 4)] == [Outcome.DUPLICATE] * 2
    assert slack.messages() == before


def test_by_webhook_the_numbers_begin_anew_after_news(slack, table):
    world = World(slack, table, webhook=True)
    news = told(Reason.NEW_ALERT, IMPORT_ERROR, BUCKET, about=[BUCKET], sequence=5)
    story = [
        STORY[0],
        update(1, 2),
        update(2, 3),
        update(3, 4),
        news,
        update(1, 6),
        update(2, 7),
        update(3, 8),
    ]
    assert [n.sequence for n in story if world.once(n).outcome is Outcome.ROLLED_UP] == [4, 8]
    assert [m["text"].partition(":")[0] for m in slack.messages()][3] == "🔴 Also"
    assert len(slack.messages()) == 6


def test_by_webhook_news_is_posted_whatever_was_rolled_up_before_it_and_is_not_late(slack, table):
    for reason in set(Reason) - {Reason.UPDATE}:
        slack.channel.clear()
        forget(table)
        world = World(slack, table, webhook=True)
        for n in (STORY[0], update(3, 2)):
            world.once(n)
        over = reason is Reason.RESOLVED
        news = told(
            reason, *([OVER] if over else [IMPORT_ERROR]), about=[IMPORT_ERROR], sequence=3, updates=3
        )
        assert world.once(news).outcome is Outcome.DELIVERED
        assert len(slack.messages()) == 2
        assert "late" not in json.dumps(slack.messages()[1]["text"])


def test_by_webhook_an_update_in_which_a_dead_letter_queue_grows_is_posted_whatever_its_number(slack, table):
    world = World(slack, table, webhook=True)
    world.once(STORY[0])
    for number in (3, 5, 6, 7):
        assert world.once(update(number, 2 * number)).outcome is Outcome.ROLLED_UP
        assert world.once(update(number, 2 * number + 1, growing=[DLQ])).outcome is Outcome.DELIVERED
    assert len(slack.messages()) == 5


def test_by_webhook_an_update_is_posted_whatever_its_number_where_nothing_was_shown_before(slack, table):
    for number in (3, 5, 6, 7):
        slack.channel.clear()
        forget(table)
        world = World(slack, table, webhook=True)
        # Nothing was shown by an attempt that was refused, either.
        slack.add_fault(Fault(status=429, retry_after=1))
        with pytest.raises(RetryableDeliveryError):
            world.once(update(number, number))
        assert world.once(update(number, number)).outcome is Outcome.DELIVERED
        assert world.once(update(number, number + 1)).outcome is Outcome.ROLLED_UP
        assert len(slack.messages()) == 1


def test_an_update_of_before_they_were_numbered_is_posted_by_webhook(slack, table):
    world = World(slack, table, webhook=True)
    world.once(STORY[0])
    old = document_of(update(3, 2))
    del old["incident"]["updates"]
    assert world.once(parse_notification(json.dumps(old))).outcome is Outcome.DELIVERED
    assert len(slack.messages()) == 2


def test_with_a_token_no_update_is_rolled_up_since_each_is_an_edit(slack, table):
    world = World(slack, table)
    world.once(STORY[0])
    assert [world.once(update(n, 1 + n)).outcome for n in range(1, 9)] == [Outcome.DELIVERED] * 8
    (main,) = slack.messages()
    assert len(main["edits"]) == 8


@pytest.mark.parametrize("how", HOW)
def test_by_webhook_what_is_posted_and_what_is_rolled_up_stays_so_whichever_call_fails(slack, table, how):
    growing = update(3, 4, growing=[DLQ])
    story = [
        STORY[0],
        update(1, 2),
        update(2, 3),
        growing,
        update(3, 5),
        update(5, 6),
        told(Reason.RESOLVED, OVER, about=[OVER], sequence=7),
    ]
    posted = [render_standalone(n).blocks for n in story if n.sequence not in {5, 6}]
    assert len({json.dumps(blocks) for blocks in posted}) == 5
    for at in range(3 * len(story)):
        slack.channel.clear()
        forget(table)
        world = World(slack, table, Interruption(at, how), webhook=True)
        for n in story:
            world.until_done(n)
        seen = [message["blocks"] for message in slack.messages()]
        # Each in its order; at most the one whose attempt was cut short is there twice.
        assert [key for key, _ in itertools.groupby(seen)] == posted
        assert len(seen) <= len(posted) + 1


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (404, "no_service", CredentialRefusedError),
        (403, "invalid_token", CredentialRefusedError),
        (410, "channel_is_archived", CredentialRefusedError),
        (400, "no_text", PermanentDeliveryError),
        (429, None, RetryableDeliveryError),
        (500, "rollup_error", RetryableDeliveryError),
    ],
)
def test_a_webhooks_answers_are_told_apart(slack, table, status, error, kind):
    slack.add_fault(Fault(status=status, error=error))
    with pytest.raises(kind):
        World(slack, table, webhook=True).once(STORY[0])


def test_by_webhook_blocks_that_slack_refuses_are_told_as_plain_text(slack, table):
    slack.add_fault(Fault(status=400, error="invalid_blocks"))
    delivery = World(slack, table, webhook=True).once(STORY[0])
    assert "invalid_blocks" in delivery.notes[0]
    assert "DO FIRST" in slack.messages()[0]["text"]


def test_an_incident_of_weeks_leaves_a_small_record(slack, table):
    world = World(slack, table, webhook=True)
    for sequence in [*range(1, 40), *range(41, 60)]:
        world.once(msgspec.structs.replace(STORY[0], sequence=sequence, id=f"{INCIDENT}/{sequence}"))
    (item,) = table.scan(TableName="incidents")["Items"]
    assert item["told"] == {"S": "1-39,41-59"}
    assert "unconfirmed" not in item
    assert "lease_owner" not in item
    assert int(item["expires_at"]["N"]) > world.now // 1000
    assert len(json.dumps(item)) < 600


def test_symptoms_join_quietly(slack, table):
    world = World(slack, table)
    world.once(STORY[0])
    world.once(told(Reason.NEW_ALERT, IMPORT_ERROR, DLQ, about=[DLQ], sequence=2))
    assert not replies(slack)[2][0]["reply_broadcast"]


EVERY_REPLY = {
    "same severity": told(Reason.NEW_ALERT, IMPORT_ERROR, BUCKET, about=[BUCKET], sequence=2),
    "symptom": told(Reason.NEW_ALERT, IMPORT_ERROR, DLQ, about=[DLQ], sequence=3),
    "worse": told(Reason.NEW_ALERT, TIMEOUT, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=4),
    "regressed": told(Reason.REGRESSED, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=5),
    "repeat": told(Reason.REPEAT, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=6),
    "silence expired": told(Reason.SILENCE_EXPIRED, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=7),
    "resolved": told(Reason.RESOLVED, OVER, about=[OVER], sequence=8),
}
IMPORTANT = {"worse", "regressed", "repeat", "silence expired"}


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        (RepliesInChannel.NEVER, set()),
        (RepliesInChannel.IMPORTANT, IMPORTANT),
        (RepliesInChannel.ALWAYS, set(EVERY_REPLY)),
    ],
)
def test_the_channel_shows_those_replies_that_the_setting_says(slack, table, setting, shown):
    world = World(slack, table, replies=setting)
    world.once(STORY[0])
    for n in EVERY_REPLY.values():
        world.once(n)
    told_in_thread = replies(slack)
    assert {
        name for name, n in EVERY_REPLY.items() if told_in_thread[n.sequence][0]["reply_broadcast"]
    } == shown
    assert len(told_in_thread) == len(EVERY_REPLY)
    assert [m["reply_broadcast"] for m in mains(slack)] == [False]


def test_a_growing_queues_reply_is_in_the_channel_always_and_never_as_the_setting_says(slack, table):
    for setting, shown in ((RepliesInChannel.NEVER, False), (RepliesInChannel.ALWAYS, True)):
        slack.channel.clear()
        forget(table)
        world = World(slack, table, replies=setting)
        world.once(STORY[0])
        world.once(update(1, 2, growing=[DLQ]))
        assert replies(slack)[2][0]["reply_broadcast"] is shown


@pytest.mark.parametrize("setting", RepliesInChannel)
def test_the_channel_shows_no_reply_that_is_late_whatever_the_setting(slack, table, setting):
    world = World(slack, table, replies=setting)
    world.once(told(Reason.REGRESSED, IMPORT_ERROR, about=[IMPORT_ERROR], sequence=9))
    late = [n for n in EVERY_REPLY.values() if n.reason != "repeat"]  # a late reminder is dropped
    for n in late:
        assert world.once(n).outcome is Outcome.DELIVERED
    found = replies(slack)
    assert [found[n.sequence][0]["reply_broadcast"] for n in late] == [False] * 6
    # The incident's message was posted by this very notification: the channel has it, and needs no reply beside it.
    assert found[9][0]["reply_broadcast"] is (setting is RepliesInChannel.ALWAYS)


@pytest.mark.parametrize("setting", RepliesInChannel)
def test_a_reply_that_is_posted_at_the_second_attempt_is_shown_as_at_the_first(slack, table, setting):
    world = World(slack, table, replies=setting)
    world.once(STORY[0])
    slack.add_fault(Fault(status=500, method="chat.postMessage"))
    with pytest.raises(RetryableDeliveryError):
        world.once(EVERY_REPLY["regressed"])
    world.once(EVERY_REPLY["regressed"])
    assert replies(slack)[5][0]["reply_broadcast"] is (setting is not RepliesInChannel.NEVER)


def test_a_worthy_update_that_failed_is_told_though_a_later_one_was_rolled_up(slack, table):
    world = World(slack, table, webhook=True)
    for n in (STORY[0], update(3, 4)):
        world.once(n)
    slack.add_fault(Fault(status=429, retry_after=1))
    with pytest.raises(RetryableDeliveryError):
        world.once(update(4, 5))
    assert world.once(update(5, 6)).outcome is Outcome.ROLLED_UP
    assert world.once(update(4, 5)).outcome is Outcome.DELIVERED


def test_a_growing_update_that_failed_is_told_though_a_later_one_was_rolled_up(slack, table):
    world = World(slack, table, webhook=True)
    world.once(STORY[0])
    slack.add_fault(Fault(status=429, retry_after=1))
    with pytest.raises(RetryableDeliveryError):
        world.once(update(3, 5, growing=[DLQ]))
    assert world.once(update(5, 6)).outcome is Outcome.ROLLED_UP
    assert world.once(update(3, 5, growing=[DLQ])).outcome is Outcome.DELIVERED


def test_news_is_not_late_because_of_a_rolled_up_update(slack, table):
    world = World(slack, table, webhook=True)
    world.once(STORY[0])
    assert world.once(update(3, 4)).outcome is Outcome.ROLLED_UP
    world.once(STORY[1])
    assert "late" not in slack.messages()[1]["text"]


def test_growth_of_a_queue_that_a_mere_count_overtook_is_still_told(slack, table):
    world = World(slack, table)
    for n in (STORY[0], update(2, 4)):
        world.once(n)
    assert world.once(update(1, 3, growing=[DLQ])).outcome is Outcome.DELIVERED
    assert sorted(replies(slack)) == [3]
