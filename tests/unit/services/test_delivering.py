"""A batch of notifications: each told, put off or parked, and no secret said aloud; nothing but fakes."""

import json
import logging
import re

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sample_incidents import BUCKET, IMPORT_ERROR, MINUTE, RUNBOOKS, SIGNATURES, T0, incident, pending

from tocsin.adapters.slack.credentials import BotCredential, SlackSecret, WebhookCredential, read_credential
from tocsin.adapters.slack.errors import (
    CredentialRefusedError,
    DeliveryError,
    MessageGoneError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from tocsin.adapters.slack.web_api import SlackBot
from tocsin.adapters.slack.webhook import SlackWebhook
from tocsin.core.config.routing import Destination, Route, Routing
from tocsin.core.model import Reason, Severity
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import document_of, millis_of, to_json
from tocsin.core.notifications.queue_message import read_body
from tocsin.core.slack.delivery_record import DeliveryRecord, highest, includes, including
from tocsin.services.bot_channel import BotChannel
from tocsin.services.notifier import PACE, Notifier
from tocsin.services.retry import MAX_DELAY, PATIENCE, backoff
from tocsin.services.webhook_channel import WebhookChannel

NOTIFICATION = document_of(
    build_notification(incident(), pending(Reason.NEW_ALERT, IMPORT_ERROR), SIGNATURES, runbooks_url=RUNBOOKS)
)
"""One that takes two posts where nothing of its incident has been told: the message, and the reply in its thread."""
TOKEN = "xoxb-123-secret-token"
WEBHOOK = "https://hooks.slack.com/services/T000/B000/secretsecret"


@given(st.lists(st.integers(1, 60), max_size=60))
def test_ranges_hold_exactly_what_was_put_in(numbers):
    ranges = ""
    for number in numbers:
        ranges = including(ranges, number)
    assert [number for number in range(70) if includes(ranges, number)] == sorted(set(numbers))
    assert highest(ranges) == max(numbers, default=0)


def test_ranges_stay_short():
    ranges = ""
    for number in range(1, 10_000):
        ranges = including(ranges, number)
    assert ranges == "1-9999"


class MemoryStore:
    def __init__(self):
        self.record = DeliveryRecord()

    def claim(self, *_):
        return self.record

    def release(self, *arguments, **_):
        self.record = arguments[4]


class Queue:
    def __init__(self, *, parking=True):
        self.put, self.dead_lettered, self.parking = {}, [], parking

    def defer(self, receipt_handle, delay):
        self.put[receipt_handle] = delay

    def dead_letter(self, body, why):
        self.dead_lettered.append((body, why))
        return self.parking


class Secret:
    def __init__(self, *tokens):
        self.tokens = list(tokens or [TOKEN])

    def credential(self, _, *, fresh=False):
        if fresh and len(self.tokens) > 1:
            del self.tokens[0]
        return BotCredential(self.tokens[0], "C0ALERTS")


class Slack(SlackBot):
    """Records what is posted; fails as told."""

    def __init__(self, failures=()):
        self.channel, self.posts, self.failures = "C0ALERTS", [], list(failures)

    def post(self, said, **about):
        if self.failures and (failure := self.failures.pop(0)):
            raise failure
        self.posts.append((said, about))
        return f"1.{len(self.posts):06d}"


def record(body=None, number=1, tries=1, age=0):
    return {
        "messageId": f"m{number}",
        "receiptHandle": f"r{number}",
        "body": json.dumps(NOTIFICATION) if body is None else body,
        "attributes": {"ApproximateReceiveCount": str(tries), "SentTimestamp": str(T0 - age)},
    }


class Stores:
    """The delivery records of one destination, one for each incident."""

    def __init__(self):
        self.kept = {}

    def claim(self, name, *rest):
        return self.kept.setdefault(name, MemoryStore()).claim(name, *rest)

    def release(self, name, *rest, **more):
        self.kept[name].release(name, *rest, **more)


def notifier(slack=None, *, queue=None, secret=None, deadline=T0 + MINUTE):
    secret, stores = secret or Secret(), Stores()
    return Notifier(
        routing=Routing(), secret_of=lambda _: secret, store_of=lambda _: stores, queue=queue or Queue(),
        connect=lambda _: BotChannel(slack or Slack()), clock=lambda: T0, deadline=deadline, claimant="request",
    )  # fmt: skip


def other(number):
    name = f"20260731-0300{number:02d}-aaaaaa"
    return json.dumps(
        {**NOTIFICATION, "id": f"{name}/1", "incident": {**NOTIFICATION["incident"], "id": name}}
    )


def test_a_delivered_notification_is_acknowledged():
    slack = Slack()
    work = notifier(slack)
    assert work.work([record()]) == []
    assert len(slack.posts) == 2
    assert [line.text for line in work.log] == ["delivered"]
    assert all(metadata["incident"] == NOTIFICATION["incident"]["id"] for _, metadata in slack.posts)
    assert [metadata.get("thread_ts") for _, metadata in slack.posts] == [None, "1.000001"]


def test_an_opened_incident_is_one_post_and_no_reply():
    slack = Slack()
    work = notifier(slack)
    assert work.work([told(Reason.OPENED, 1)]) == []
    assert [line.text for line in work.log] == ["delivered"]
    assert [metadata.get("thread_ts") for _, metadata in slack.posts] == [None]


@pytest.mark.parametrize("lost", ["message", "reply"])
def test_a_failure_between_the_message_and_its_reply_leaves_the_rest_of_the_batch_alone(lost):
    failure = RetryableDeliveryError("HTTP 500")
    slack, queue = Slack([failure] if lost == "message" else [None, failure]), Queue()
    work = notifier(slack, queue=queue)
    assert work.work([record(), record(other(2), 2)]) == ["m1"]
    assert queue.put == {"r1": 2_000}
    assert work.work([record(tries=2)]) == []
    assert queue.dead_lettered == []
    threads = {}
    for _, metadata in slack.posts:
        threads.setdefault(metadata["incident"], []).append("thread_ts" in metadata)
    assert sorted(threads.values()) == [[False, True]] * 2


def test_raw_bodies_and_those_in_snss_envelope_are_both_read():
    envelope = json.dumps({"Type": "Notification", "TopicArn": "arn", "Message": json.dumps(NOTIFICATION)})
    assert read_body(envelope) == read_body(json.dumps(NOTIFICATION))
    assert document_of(read_body(envelope)) == NOTIFICATION


def test_429_puts_the_message_off_for_as_long_as_slack_asks_and_the_rest_of_the_batch_behind_it_at_slacks_pace():
    slack, queue = Slack([RetryableDeliveryError("429", retry_after=7_000, limited=True)]), Queue()
    failed = notifier(slack, queue=queue).work([record(), record(other(2), 2), record(other(3), 3)])
    assert failed == ["m1", "m2", "m3"]
    assert queue.put == {"r1": 7_000, "r2": 7_000 + PACE, "r3": 7_000 + 2 * PACE}
    assert slack.posts == []


@pytest.mark.parametrize(
    ("tries", "wait"), [(1, 30_000), (20, 30_000), (25, 32_000), (40, MAX_DELAY), (99, MAX_DELAY)]
)
def test_a_slack_that_asks_for_half_a_minute_for_hours_does_not_use_up_the_queues_tries(tries, wait):
    slack, queue = Slack([RetryableDeliveryError("429", retry_after=30_000, limited=True)]), Queue()
    assert notifier(slack, queue=queue).work([record(tries=tries), record(other(2), 2)]) == ["m1", "m2"]
    assert queue.put == {"r1": wait, "r2": 30_000 + PACE}


def test_one_failure_does_not_keep_the_others():
    slack, queue = Slack([RetryableDeliveryError("timeout", ambiguous=True)]), Queue()
    failed = notifier(slack, queue=queue).work([record(tries=4), record(other(2), 2), record("{", 3)])
    assert failed == ["m1"]
    assert queue.put == {"r1": 16_000}
    assert len(slack.posts) == 2
    assert [body for body, _ in queue.dead_lettered] == ["{"]


def test_delays_double_up_to_a_quarter_of_an_hour():
    assert [backoff(tries) for tries in (0, 1, 2, 3, 9, 10, 50)] == [
        2_000, 2_000, 4_000, 8_000, 512_000, MAX_DELAY, MAX_DELAY,
    ]  # fmt: skip


def test_what_slack_refuses_is_parked_once_said_clearly_and_acknowledged():
    queue = Queue()
    work = notifier(Slack([PermanentDeliveryError("chat.postMessage: no_text")]), queue=queue)
    assert work.work([record()]) == []
    assert queue.dead_lettered == [
        (json.dumps(NOTIFICATION), "Slack cannot take it: chat.postMessage: no_text")
    ]
    assert [line.level for line in work.log] == ["ERROR"]


def test_a_refused_credential_waits_a_while_for_somebody_to_correct_it():
    for age, parked in ((0, 0), (PATIENCE - 1, 0), (PATIENCE, 1)):
        queue = Queue()
        work = notifier(Slack([CredentialRefusedError("invalid_auth")]), queue=queue)
        assert work.work([record(age=age)]) == ([] if parked else ["m1"])
        assert len(queue.dead_lettered) == parked
        assert "invalid_auth" in work.log[-1].text


def test_a_corrected_secret_is_used_at_once():
    slack = Slack([CredentialRefusedError("invalid_auth")])
    work = notifier(slack, secret=Secret("old", "new"))
    assert work.work([record()]) == []
    assert len(slack.posts) == 2


def test_what_cannot_be_parked_is_not_acknowledged():
    class Broken(Queue):
        def dead_letter(self, *_):
            raise ConnectionError

    for queue in (Broken(), Queue(parking=False)):
        assert notifier(Slack([PermanentDeliveryError("no")]), queue=queue).work([record()]) == ["m1"]
        assert queue.put


def test_a_delay_that_cannot_be_set_still_leaves_the_message_unacknowledged():
    class Broken(Queue):
        def defer(self, *_):
            raise ConnectionError

    assert notifier(Slack([RetryableDeliveryError("x")]), queue=Broken()).work([record()]) == ["m1"]


def test_with_little_time_left_no_second_one_is_begun():
    slack, queue = Slack(), Queue()
    work = notifier(slack, queue=queue, deadline=T0 + 5_000)
    assert work.work([record(), record(other(2), 2)]) == ["m2"]
    assert len(slack.posts) == 2
    assert queue.put == {"r2": 1_000}


def test_an_unexpected_error_says_where_and_quotes_nothing():
    work = notifier(Slack([RuntimeError("no module named mangum")]))
    assert work.work([record()]) == ["m1"]
    assert "RuntimeError at test_delivering.py:" in work.log[0].text
    assert "mangum" not in repr(work.log)


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", '{"AlarmName": "x", "NewStateValue": "ALARM"}', "\ud800"]
)
def test_a_body_that_is_no_notification_is_parked_and_blocks_nothing(body):
    queue = Queue()
    assert notifier(queue=queue).work([record(body), record(number=2)]) == []
    assert [parked for parked, _ in queue.dead_lettered] == [body]


# ------------------------------------------------------------------ several destinations


TWO = Routing(
    {name: Destination(name, f"tocsin/{name}") for name in ("default", "oncall")},
    {},
    (
        Route("routes[0]", {"severity": ("critical",)}, "oncall", goes_on=True),
        Route("routes[1]", {}, "default"),
    ),
)


class Places:
    """A Slack, a credential and a memory for each destination, as they outlive one invocation."""

    def __init__(self, *, oncall=(), default=(), routing=TWO):
        self.slacks = {"oncall": Slack(oncall), "default": Slack(default)}
        self.stores, self.queue, self.routing = {"oncall": Stores(), "default": Stores()}, Queue(), routing
        self.asked = []

    def work(self, *records, connect=None):
        def secret_of(destination):
            self.asked.append(destination.name)
            return Secret(destination.name)

        self.notifier = Notifier(
            routing=self.routing, secret_of=secret_of, store_of=lambda where: self.stores[where.name], queue=self.queue,
            connect=connect or (lambda credential: BotChannel(self.slacks[credential.token])), clock=lambda: T0, deadline=T0 + MINUTE,
            claimant="request",
        )  # fmt: skip
        return self.notifier.work(records)

    def posted(self):
        return {name: len(slack.posts) for name, slack in self.slacks.items()}


def test_a_notification_is_told_in_every_destination_its_alerts_lead_to_and_each_says_so():
    places = Places()
    assert places.work(record()) == []
    assert places.posted() == {"oncall": 2, "default": 2}
    assert [(line.text, line.details["destination"]) for line in places.notifier.log] == [
        ("delivered", "oncall"), ("delivered", "default"),
    ]  # fmt: skip
    assert places.work(record(tries=2)) == []
    assert places.posted() == {"oncall": 2, "default": 2}
    assert [line.text for line in places.notifier.log] == ["duplicate", "duplicate"]


def test_news_is_measured_from_its_newest_line_to_slacks_answer_and_once():
    places = Places()
    newest = max(millis_of(each["last_seen"]) for each in NOTIFICATION["alerts"] if each["changed"])
    places.work(record())
    assert places.notifier.latencies == [max(0, T0 - newest)] * 2  # each destination its own
    places.work(record(tries=2))
    assert places.notifier.latencies == []  # told before


def test_a_reminder_says_nothing_about_how_fast_news_is():
    places = Places()
    assert places.work(record(json.dumps({**NOTIFICATION, "reason": "repeat"}))) == []
    assert places.notifier.latencies == []


@pytest.mark.parametrize("failing", ["oncall", "default"])
def test_a_destination_that_fails_for_a_while_keeps_nobody_and_is_told_later_alone(failing):
    places = Places(**{failing: [RetryableDeliveryError("HTTP 500")]})
    assert places.work(record()) == ["m1"]
    assert places.posted() == {"oncall": 2, "default": 2} | {failing: 0}
    assert places.queue.put == {"r1": 2_000}
    assert places.work(record(tries=2)) == []
    assert places.posted() == {"oncall": 2, "default": 2}
    assert places.queue.dead_lettered == []


@pytest.mark.parametrize("failing", ["oncall", "default"])
def test_what_one_destination_refuses_for_good_is_parked_once_when_the_other_is_done(failing):
    other = "default" if failing == "oncall" else "oncall"
    places = Places(
        **{failing: [PermanentDeliveryError("no_text")] * 2, other: [RetryableDeliveryError("HTTP 500")]}
    )
    assert places.work(record()) == ["m1"]
    assert places.queue.dead_lettered == []
    assert places.work(record(tries=2)) == []
    assert places.posted() == {failing: 0, other: 2}
    ((body, why),) = places.queue.dead_lettered
    assert body == json.dumps(NOTIFICATION)
    assert why == ("" if failing == "default" else "destination oncall: ") + "Slack cannot take it: no_text"


def test_when_all_refuse_it_is_parked_once_and_each_is_named():
    places = Places(oncall=[PermanentDeliveryError("a")], default=[PermanentDeliveryError("b")])
    assert places.work(record()) == []
    ((_, why),) = places.queue.dead_lettered
    assert why == "destination oncall: Slack cannot take it: a; Slack cannot take it: b"


def test_what_was_parked_and_is_redriven_is_told_where_it_was_refused_and_nowhere_twice():
    places = Places(oncall=[PermanentDeliveryError("not_in_channel")])
    assert places.work(record()) == []
    assert len(places.queue.dead_lettered) == 1
    assert places.work(record()) == []
    assert places.posted() == {"oncall": 2, "default": 2}


def test_a_rate_limit_pauses_its_destination_alone_and_the_message_waits_as_long_as_slack_asks():
    places = Places(
        oncall=[RetryableDeliveryError("429", retry_after=30_000, limited=True)],
        default=[RetryableDeliveryError("HTTP 500")],
    )
    assert places.work(record(), record(other(2), 2)) == ["m1", "m2"]
    assert places.queue.put == {"r1": 30_000, "r2": 30_000 + PACE}
    assert places.posted() == {"oncall": 0, "default": 2}


def test_a_destination_that_hangs_does_not_keep_another_from_its_time_for_ever():
    places, now = Places(), [T0]

    class Hanging(Slack):
        def post(self, *_, **__):
            now[0] += 45_000
            raise RetryableDeliveryError("timeout", ambiguous=True)

    def try_once(tries):
        begun = now[0]
        work = Notifier(
            routing=TWO, secret_of=lambda where: Secret(where.name), store_of=lambda where: places.stores[where.name],
            queue=places.queue, clock=lambda: now[0], deadline=begun + MINUTE, claimant="request",
            connect=lambda credential: BotChannel(Hanging() if credential.token == "oncall" else places.slacks["default"]),
        )  # fmt: skip
        return work.work([record(tries=tries)])

    assert try_once(1) == ["m1"]
    assert places.posted()["default"] == 0
    assert try_once(2) == ["m1"]
    assert places.posted()["default"] == 2


def test_the_credential_of_a_destination_is_renewed_for_itself():
    places = Places(oncall=[CredentialRefusedError("invalid_auth")])
    assert places.work(record()) == ["m1"]
    assert places.posted() == {"oncall": 0, "default": 2}
    assert places.asked == ["oncall", "default"]
    assert "destination oncall: Slack cannot take it: invalid_auth" in repr(places.notifier.log)


# ------------------------------------------------------------------ who is called


CALLED = replace(
    TWO,
    destinations={
        name: replace(each, mention=dict.fromkeys(Severity, (f"S0{name.upper()}",)))
        for name, each in TWO.destinations.items()
    },
)


def called(said):
    return re.findall(r"<!subteam\^(\w+)>", json.dumps(said["blocks"]))


def told(reason, sequence, *about, updates=0):
    about = about or (IMPORT_ERROR,)
    made = build_notification(
        incident(IMPORT_ERROR, *(alert for alert in about if alert is not IMPORT_ERROR)),
        replace(pending(reason, *about, sequence=sequence), updates=updates), SIGNATURES, runbooks_url=RUNBOOKS,
    )  # fmt: skip
    return record(to_json(made), sequence)


def test_news_calls_each_destinations_group_once_and_edits_go_on_naming_it():
    places, edits = Places(routing=CALLED), []
    for slack in places.slacks.values():
        slack.update = lambda _, said, **__: edits.append(said)
    assert places.work(
        told(Reason.OPENED, 1), told(Reason.UPDATE, 2), told(Reason.NEW_ALERT, 3, BUCKET), told(Reason.REPEAT, 4)
    ) == []  # fmt: skip
    for name, slack in places.slacks.items():
        assert [called(said) for said, about in slack.posts if "thread_ts" not in about] == [
            [f"S0{name.upper()}"]
        ]
        replies = [(about["sequence"], called(said)) for said, about in slack.posts if "thread_ts" in about]
        assert replies == [(3, [f"S0{name.upper()}"]), (4, [f"S0{name.upper()}"])]
    # Slack calls nobody for an edit. Without the mention, whoever was called would not find the message again.
    assert [called(said) for said in edits] == [["S0ONCALL"], ["S0DEFAULT"]] * 3


def test_a_message_posted_anew_names_the_group_that_it_named_and_calls_it_no_second_time():
    places, edits = Places(routing=CALLED), []
    slack = places.slacks["default"]

    def update(ts, said, **_):
        if ts == "gone":
            raise MessageGoneError("message_not_found")
        edits.append(said)

    for each in places.slacks.values():
        each.update = update
    assert places.work(told(Reason.OPENED, 1)) == []
    (store,) = places.stores["default"].kept.values()
    store.record = replace(store.record, ts="gone")
    assert places.work(told(Reason.UPDATE, 2)) == []
    again = [said for said, about in slack.posts if about["sequence"] == 2]
    assert [called(said) for said in again] == [[]]
    assert called(edits[-1]) == ["S0DEFAULT"]


def test_an_update_that_is_the_first_thing_heard_calls_and_what_comes_late_does_not():
    places = Places(routing=CALLED)
    for late in (told(Reason.UPDATE, 3), told(Reason.NEW_ALERT, 2, BUCKET), told(Reason.OPENED, 1)):
        assert places.work(late) == []
    for name, slack in places.slacks.items():
        assert [(about["sequence"], called(said)) for said, about in slack.posts] == [
            (3, [f"S0{name.upper()}"]), (2, []),
        ]  # fmt: skip


class Webhook(SlackWebhook):
    """Records what is posted."""

    def __init__(self):
        self.said = []

    def post(self, content):
        self.said.append(content)


def test_by_webhook_news_calls_and_growth_does_not():
    places, webhook = Places(routing=replace(CALLED, routes=())), Webhook()
    records = [told(Reason.OPENED, 1), told(Reason.UPDATE, 2), told(Reason.REPEAT, 3)]
    assert places.work(*records, connect=lambda _: WebhookChannel(webhook)) == []
    assert [called(content) for content in webhook.said] == [["S0DEFAULT"], [], ["S0DEFAULT"]]


def test_by_webhook_an_update_that_is_the_first_thing_heard_is_posted_and_calls_whatever_its_number():
    places, webhook = Places(routing=replace(CALLED, routes=())), Webhook()
    records = [told(Reason.UPDATE, 4, updates=3), told(Reason.UPDATE, 6, updates=5)]
    assert places.work(*records, connect=lambda _: WebhookChannel(webhook)) == []
    assert [called(content) for content in webhook.said] == [["S0DEFAULT"]]
    assert [line.text for line in places.notifier.log] == ["delivered", "rolled up"]


# ------------------------------------------------------------------ the secret


@pytest.mark.parametrize(
    ("text", "credential"),
    [
        ({"webhook_url": WEBHOOK}, WebhookCredential(WEBHOOK)),
        ({"webhook_url": f" {WEBHOOK}\n"}, WebhookCredential(WEBHOOK)),
        ({"bot_token": TOKEN, "channel": "C0ALERTS"}, BotCredential(TOKEN, "C0ALERTS")),
        (
            {"bot_token": TOKEN, "channel": "C0ALERTS", "webhook_url": WEBHOOK},
            BotCredential(TOKEN, "C0ALERTS"),
        ),
        (
            {"webhook_url": "http://127.0.0.1:99/services/x"},
            WebhookCredential("http://127.0.0.1:99/services/x"),
        ),
        (
            {"webhook_url": "http://host.docker.internal:8/x"},
            WebhookCredential("http://host.docker.internal:8/x"),
        ),
    ],
)
def test_the_shape_of_the_secret_decides_the_mode(text, credential):
    assert (
        read_credential(json.dumps(text), "tocsin/slack", "http://host.docker.internal:8/api/") == credential
    )


@pytest.mark.parametrize(
    "text",
    [
        "", "xoxb-123-secret-token", "[]", "null", "{}", '{"token": "xoxb-123-secret-token"}',
        '{"webhook_url": "http://hooks.slack.com/services/T000/B000/secretsecret"}',
        '{"webhook_url": "http://host.docker.internal:8/x"}',
        '{"webhook_url": "ftp://x/secretsecret"}', '{"webhook_url": "https://"}', '{"webhook_url": "https://[x"}',
        '{"webhook_url": "https://a b/secretsecret"}', '{"webhook_url": 5}',
        '{"bot_token": "xoxb-123-secret-token"}',
        '{"bot_token": "xoxb-123-secret-token", "channel": "#alerts"}',
        '{"bot_token": "xoxb-123-secret-token\\nX: y", "channel": "C0ALERTS"}',
    ],
)  # fmt: skip
def test_a_secret_of_another_shape_is_refused_by_name_with_both_shapes_and_nothing_of_its_content(text):
    with pytest.raises(CredentialRefusedError) as failure:
        read_credential(text, "tocsin/slack", "https://slack.com/api/")
    said = str(failure.value)
    assert "'tocsin/slack'" in said
    assert "secret-token" not in said
    assert "secretsecret" not in said
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None


def test_a_credential_does_not_show_in_its_own_representation():
    assert "secret" not in repr((WebhookCredential(WEBHOOK), BotCredential(TOKEN, "C0ALERTS")))


def test_no_secret_named_is_said_so():
    with pytest.raises(CredentialRefusedError, match="TOCSIN_SLACK_SECRET"):
        SlackSecret("", None, "https://slack.com/api/").credential(T0)


# ------------------------------------------------------------------ nothing leaked


class Exploding(requests.Session):
    def __init__(self, explosion):
        super().__init__()
        self.explosion = explosion

    def request(self, verb, url, **arguments):
        prepared = self.prepare_request(requests.Request(verb, url, auth=arguments.get("auth")))
        secret = f"{prepared.url} {dict(prepared.headers)}"
        assert "secret" in secret
        raise self.explosion(secret)


EXPLOSIONS = [
    requests.ConnectionError, requests.ConnectTimeout, requests.ReadTimeout, requests.exceptions.SSLError,
    requests.exceptions.ProxyError, requests.exceptions.ChunkedEncodingError, requests.exceptions.InvalidURL,
    requests.exceptions.InvalidHeader, ValueError, UnicodeError,
]  # fmt: skip


def calls(session):
    bot = SlackBot(TOKEN, "C0ALERTS", "https://slack.com/api/", session)
    said = {"text": "x", "blocks": []}
    return [
        lambda: SlackWebhook(WEBHOOK, session).post(said),
        lambda: bot.post(said, incident="i", sequence=1),
        lambda: bot.update("1.1", said, incident="i", sequence=1),
        lambda: bot.find_message("i", T0),
        lambda: bot.find_reply("1.1", "i", 1, T0),
    ]


@pytest.mark.parametrize("explosion", EXPLOSIONS)
@pytest.mark.parametrize("number", range(5))
def test_no_failure_of_any_call_shows_the_credential(explosion, number, caplog):
    caplog.set_level(logging.DEBUG)
    with Exploding(explosion) as session, pytest.raises(DeliveryError) as failure:
        calls(session)[number]()
    error = failure.value
    seen = f"{error} {error!r} {error.args} {error.__cause__!r} {error.__context__!r} {caplog.text}"
    assert "secret" not in seen


def test_the_mode_with_a_token_sends_it_in_the_header_and_never_in_the_address():
    class Looking(requests.Session):
        def request(self, verb, url, **arguments):
            request = self.prepare_request(
                requests.Request(
                    verb, url, json=arguments["json"], params=arguments["params"], auth=arguments["auth"]
                )
            )
            assert TOKEN not in request.url
            assert TOKEN not in str(request.body)
            assert request.headers["Authorization"] == f"Bearer {TOKEN}"
            assert arguments["timeout"] == (3.05, 10.0)
            assert arguments["allow_redirects"] is False
            response = requests.Response()
            response.status_code, response._content = 200, b'{"ok": true, "ts": "1.1", "messages": []}'
            return response

    with Looking() as session:
        for call in calls(session)[1:]:
            call()


def test_of_two_that_are_told_at_once_the_first_goes_first_and_is_not_waited_for_for_long():
    second = told(Reason.NEW_ALERT, 2)
    at = millis_of(json.loads(second["body"])["at"])
    slack, waits = Slack(), []
    work = notifier(slack, deadline=at + 10 * MINUTE)
    for now in (at, at + 2_999, at + 3_000):
        work.clock = lambda now=now: now
        waits.append(work.work([second]))
    assert waits == [["m2"], ["m2"], []]
    assert len(slack.posts) == 2
    first = notifier(Slack())
    first.clock = lambda: at
    assert first.work([told(Reason.OPENED, 1)]) == []
