"""Presses from Slack: forged, old, replayed, delivered five times, by five people, by who may not, while Slack is away."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.adapters.slack.credentials import BotCredential
from tocsin.adapters.slack.errors import RetryableDeliveryError
from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.actions import ActionKind, ActionOutcome
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import OccurrenceCount, Severity
from tocsin.core.redaction.sample import field_value
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.core.slack import action_answers as answers
from tocsin.core.slack.action_blocks import Target, dump_target
from tocsin.core.slack.interactions import read_interaction
from tocsin.core.slack.redrive_dialog import redrive_dialog
from tocsin.core.slack.signing import Refusal, signature_of
from tocsin.core.slack.silence_dialog import DialogContext, silence_dialog, until_morning
from tocsin.services.applying import apply_pressed
from tocsin.services.reconcile_service import Reconciler
from tocsin.services.responding import Request, Responder

SECRET, APP, TEAM, CHANNEL = "s3cret-of-the-app-1234", "A0APP", "T0TEAM", "C0ALERTS"
NOW = 1_770_000_000_000
H = 3_600_000
RESPONSE_URL = "https://hooks.slack.com/actions/T/1/x"
BOOM = Signature(
    id="boom", file="signatures/t.toml", title="Boom", severity=Severity.HIGH, status=Status.STABLE,
    source=Source.LOG, summary="s", first_action="f", runbook="boom.md",
)  # fmt: skip


class Slack:
    """The people of a workspace, and what they were shown."""

    def __init__(self):
        self.dialogs, self.said, self.group, self.away = [], [], ["UADA"], False

    def _answer(self):
        if self.away:
            raise RetryableDeliveryError("away")

    def open_dialog(self, trigger, view):
        self._answer()
        self.dialogs.append((trigger, view))

    def clock_offset(self, user):
        self._answer()
        return 2 * H

    def members(self, group):
        self._answer()
        return self.group

    def answer(self, url, text):
        self._answer()
        self.said.append(text)


class World:
    """An app, an open incident, and a responder."""

    def __init__(self, may_act=""):
        self.ledger, self.slack, self.hurried, self.seen = MemoryLedger(), Slack(), [], set()
        self.secrets, self.reads = [BotCredential("xoxb-1", CHANNEL, SECRET, APP, TEAM)], 0
        self.broken = False
        self.now, self.published = NOW, []
        self.reconciler = Reconciler(
            self.ledger, self, Policy(Intervals(resolve_after=48 * H), {"boom": BOOM}), "https://r/",
            takes_actions=True,
        )  # fmt: skip
        self.ledger.count(
            OccurrenceCount(
                envelope="e",
                fingerprint="f",
                signature="boom",
                service="worker",
                fields={"module": "x"},
                count=1,
                first_seen=NOW - H,
                last_seen=NOW - H,
                received_at=NOW - H,
                sample="a line",
            )
        )
        self.reconciler.reconcile("worker", NOW - H)
        self.responder = Responder(
            self.ledger, self, self, lambda _: self.slack, self.hurry, field_value, may_act
        )

    # What the responder is given: a secret, a memory of requests, a way to hurry; and the reconciler's publisher.
    def credential(self, now, *, fresh=False):
        self.reads += fresh
        return self.secrets[-1 if fresh else 0]

    def claim(self, signature, now):
        new = signature not in self.seen
        self.seen.add(signature)
        return new

    def hurry(self, action, url):
        if self.broken:
            raise ConnectionError
        self.hurried.append({"service": action.service, "action": action.id, "response_url": url})

    def publish(self, notification):
        self.published.append(notification)

    @property
    def incident(self):
        return self.ledger.load("worker").incident

    def value(self, **more):
        return dump_target(Target(more.get("incident", self.incident.id), "worker", "f", "boom"))

    def send(self, fields, *, secret=SECRET, age=0):
        body = urlencode(fields).encode()
        at = str((self.now - age) // 1000)
        return self.responder.answer(Request(at, signature_of(secret, at, body), body), self.now)

    def press(self, kind, user="UADA", trigger="1.2.x", *, value=None, secret=SECRET, age=0, **more):
        payload = {
            "type": "block_actions", "user": {"id": user, "name": user.title()}, "api_app_id": APP,
            "team": {"id": TEAM}, "trigger_id": trigger, "response_url": RESPONSE_URL,
            "channel": {"id": CHANNEL}, "actions": [{"action_id": f"tocsin-{kind}", "value": value or self.value()}],
        } | more  # fmt: skip
        return self.send({"payload": json.dumps(payload)}, secret=secret, age=age)

    def redrive(self, *, view="V1", user="UADA", queue="d", how="checked", **more):
        context = DialogContext(
            Target(more.get("incident", self.incident.id), "worker", "f", "boom"), RESPONSE_URL
        )
        shown = redrive_dialog(context, [("d", "worker-dlq", 1)])
        chosen = {"queue": queue, "how": how}
        payload = {
            "type": "view_submission", "user": {"id": user, "name": "Ada"}, "api_app_id": APP, "team": {"id": TEAM},
            "view": {
                "id": view, "callback_id": shown["callback_id"], "private_metadata": shown["private_metadata"],
                "state": {"values": {block: {"e": {"selected_option": {"value": value}}} for block, value in chosen.items()}},
            },
        }  # fmt: skip
        return self.send({"payload": json.dumps(payload)})

    def submit(self, *, view="V1", user="UADA", **typed):
        chosen = {"what": "service", "until": "1h"} | typed
        values = {
            block: {
                "e": {"selected_option": {"value": text}} if block in {"what", "until"} else {"value": text}
            }
            for block, text in chosen.items()
        }
        context = DialogContext(Target(self.incident.id, "worker", "f", "boom"), RESPONSE_URL)
        shown = silence_dialog(context)
        payload = {
            "type": "view_submission", "user": {"id": user, "name": "Ada"}, "api_app_id": APP, "team": {"id": TEAM},
            "view": {
                "id": view, "callback_id": shown["callback_id"], "private_metadata": shown["private_metadata"],
                "state": {"values": values},
            },
        }  # fmt: skip
        return self.send({"payload": json.dumps(payload)})

    def command(self, text, *, trigger="9.9.x", channel=CHANNEL, user="UADA"):
        fields = {
            "command": "/tocsin", "text": text, "user_id": user, "user_name": "ada", "team_id": TEAM,
            "api_app_id": APP, "trigger_id": trigger, "channel_id": channel, "response_url": RESPONSE_URL,
        }  # fmt: skip
        return self.send(fields)

    def reconciled(self):
        """Let reconcile do what it was asked for; answer what people were told."""
        for pressed in self.hurried:
            apply_pressed(self.reconciler, pressed, self.now, self.slack.answer)
        self.hurried.clear()
        return self.slack.said


@pytest.fixture
def world():
    return World()


def pending(world):
    return world.ledger.pending_actions("worker")


def test_a_press_is_written_down_before_it_is_answered_and_takes_effect_when_reconciled(world):
    answer = world.press("take")
    assert (answer.status, answer.body, answer.did) == (200, None, ActionKind.TAKE)
    assert [action.user for action in pending(world)] == ["UADA"]
    assert world.reconciled() == []
    assert world.incident.acknowledged.name == "Uada"


def test_a_forged_request_is_refused_without_a_word_and_changes_nothing(world):
    answer = world.press("take", secret="another-secret-entirely")
    assert (answer.status, answer.body, answer.refusal) == (401, None, Refusal.WRONG_SIGNATURE)
    assert pending(world) == []


def test_an_old_request_is_refused(world):
    assert world.press("take", age=6 * 60_000).refusal is Refusal.TOO_OLD
    assert pending(world) == []


def test_a_replayed_request_is_refused_and_applied_once(world):
    assert world.press("take").refusal is None
    assert [world.press("take").refusal for _ in range(4)] == [Refusal.REPLAYED] * 4
    assert len(pending(world)) == 1


def test_a_replayed_command_tells_nothing(world):
    assert world.command("").body is not None
    assert (world.command("").status, world.command("").body) == (401, None)


@pytest.mark.parametrize("other", [{"api_app_id": "A0OTHER"}, {"team": {"id": "T0OTHER"}}])
def test_another_app_or_team_is_refused_although_it_is_signed(world, other):
    assert world.press("take", **other).refusal is Refusal.ANOTHER_APP
    assert pending(world) == []


def test_the_same_press_that_slack_delivers_again_with_a_new_signature_is_applied_once(world):
    for _ in range(5):
        world.press("take")
        world.now += 1_000
    assert len(pending(world)) == 1


def test_of_five_people_who_press_at_once_one_has_it_and_four_are_told_who(world):
    for number in range(5):
        world.press("take", f"U{number}", f"{number}.x")
    said = world.reconciled()
    assert said == [f"{world.incident.acknowledged.user} has it already."] * 4


def test_a_rotated_secret_counts_at_once_and_forged_requests_make_us_read_it_once_a_minute(world):
    world.secrets.append(BotCredential("xoxb-1", CHANNEL, "the-new-secret-of-the-app", APP, TEAM))
    assert world.press("take", secret="the-new-secret-of-the-app").refusal is None
    for number in range(20):
        world.press("take", trigger=str(number), secret="forged-forged-forged")
    assert world.reads == 1


def test_who_pressed_before_the_new_secret_was_kept_waits_a_minute_and_no_longer(world):
    new = {"secret": "the-new-secret-of-the-app"}
    assert world.press("take", trigger="1", **new).refusal is Refusal.WRONG_SIGNATURE
    world.secrets.append(BotCredential("xoxb-1", CHANNEL, new["secret"], APP, TEAM))
    world.now += 59_999
    assert world.press("take", trigger="2", **new).refusal is Refusal.WRONG_SIGNATURE
    world.now += 1
    assert world.press("take", trigger="3", **new).refusal is None
    assert len(pending(world)) == 1


def test_without_a_signing_secret_nothing_is_let_in(world):
    world.secrets[:] = [BotCredential("xoxb-1", CHANNEL)]
    assert world.press("take", secret="").refusal is Refusal.NOT_SIGNED


def test_what_was_pressed_is_kept_although_nobody_can_be_asked_to_hurry(world):
    world.broken = True
    assert world.press("take").status == 200
    assert len(pending(world)) == 1
    assert world.responder.notes


def test_a_press_during_an_outage_of_slack_is_applied_although_nobody_is_answered(world):
    world.press("take", "UBOB", "1")
    world.press("take", "UADA", "2")
    world.slack.away = True
    world.reconciled()
    assert world.incident.acknowledged is not None
    assert len(world.incident.record) == 2


@pytest.mark.parametrize("kind", ["take", "hand-back", "over"])
def test_a_press_on_an_old_message_is_answered_in_words_to_that_person(world, kind):
    world.press(kind, value=world.value(incident="20250101-000000-old"))
    assert world.reconciled() == [answers.TOO_LATE]
    assert world.incident.resolved_at is None


def test_who_may_not_is_told_so_and_changes_nothing():
    world = World(may_act="S0ONCALL")
    world.press("take", "UEVE", "1")
    assert world.slack.said == [answers.MAY_NOT]
    assert pending(world) == []
    world.press("take", "UADA", "2")
    assert len(pending(world)) == 1


def test_while_the_group_cannot_be_asked_nobody_may():
    world = World(may_act="S0ONCALL")
    world.slack.away = True
    world.press("take")
    assert pending(world) == []


def test_the_silence_button_opens_a_dialog_and_changes_nothing(world):
    assert world.press("silence").status == 200
    ((trigger, view),) = world.slack.dialogs
    assert trigger == "1.2.x"
    assert {block["block_id"] for block in view["blocks"]} == {"what", "until", "span", "reason"}
    assert len(json.dumps(view)) < 10_000
    assert pending(world) == []


def test_a_dialog_that_cannot_be_opened_is_said(world):
    world.slack.open_dialog = lambda *_: (_ for _ in ()).throw(RetryableDeliveryError("away"))
    world.press("silence")
    assert world.slack.said == [answers.LATER]


def test_a_submitted_dialog_makes_a_silence_with_its_author_and_reason(world):
    assert world.submit(what="alert", reason="we deploy").body is None
    (said,) = world.reconciled()
    (silence,) = world.ledger.silences()
    assert (silence.author, silence.reason, silence.expires_at) == ("Ada (Slack)", "we deploy", NOW + H)
    assert (silence.signature, silence.service, dict(silence.fields)) == ("boom", "worker", {"module": "x"})
    assert said.startswith("Silenced: ")
    assert world.incident.alerts["f"].silence == silence.id


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"reason": "   "}, "reason"),
        ({"reason": "x", "span": "soon"}, "span"),
        ({"reason": "x", "span": "0s"}, "span"),
        ({"reason": "x", "span": "400d"}, "span"),
    ],
)
def test_what_is_wrong_in_a_dialog_is_said_at_its_field(world, typed, field):
    assert set(world.submit(**typed).body["errors"]) == {field}
    assert pending(world) == []


@given(st.integers(NOW, NOW + 400 * 24 * H), st.integers(-12, 14))
def test_until_tomorrow_ends_at_nine_of_the_persons_clock_within_a_day_and_a_half(now, hours):
    span = until_morning(now, hours * H)
    assert (now + span + hours * H) % (24 * H) == 9 * H
    assert 9 * H < span <= 33 * H


def test_a_dialog_submitted_twice_makes_one_silence(world):
    for _ in range(3):
        world.submit(reason="we deploy")
        world.now += 1_000
    world.reconciled()
    assert len(world.ledger.silences()) == 1


SECRETS = [
    "password=hunter2hunter2",
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_people_type_is_redacted_like_a_log_line(world, secret):
    world.submit(reason=f"see {secret}")
    world.command(f"silence service=worker 2h see {secret}")
    world.reconciled()
    assert len(world.ledger.silences()) == 2
    for silence in world.ledger.silences():
        assert secret.rpartition("=")[2] not in silence.reason


def test_what_people_type_pings_nobody_and_forges_no_link(world):
    hostile = "<!channel> <https://evil.example|ok> *bold* ```"
    said = world.command(f"silence service=worker 2h {hostile}").body["text"]
    listed = world.command("silences", trigger="2").body["text"]
    for text in (said, listed):
        assert "<!channel>" not in text
        assert "<https" not in text


def test_the_command_lists_what_is_open_and_who_has_it_only_to_who_asked(world):
    world.press("take")
    world.reconciled()
    answer = world.command("").body
    assert answer["response_type"] == "ephemeral"
    assert "*worker*" in answer["text"]
    assert "Uada has it" in answer["text"]


def test_the_command_silences_at_once(world):
    assert world.command("silence service=worker 2h we deploy").body["text"].startswith("Done.")
    (silence,) = world.ledger.silences()
    assert (silence.service, silence.reason, silence.expires_at) == ("worker", "we deploy", NOW + 2 * H)


@pytest.mark.parametrize(
    "text", ["silence", "silence 2h x", "silence service=worker", "silence service=worker 2h"]
)
def test_a_silence_that_lacks_something_says_what(world, text):
    assert "/tocsin silence" in world.command(text).body["text"]
    assert world.ledger.silences() == ()


def test_in_another_channel_the_command_tells_nothing(world):
    assert world.command("", channel="C0OTHER").body["text"] == answers.NOT_HERE


def test_an_unknown_command_says_how(world):
    assert world.command("frobnicate").body["text"] == answers.USAGE


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_a_signed_body_of_anything_is_read_or_refused_and_never_raises(body):
    world = World()
    at = str(NOW // 1000)
    answer = world.responder.answer(Request(at, signature_of(SECRET, at, body), body), NOW)
    assert answer.status in {200, 401}


@pytest.mark.parametrize(
    "body",
    [
        b"payload=" + b"[" * 60_000,
        b"payload=%7B%22type%22%3A%22block_actions%22%7D",
        b"&".join(b"a=1" for _ in range(1000)),
        b"\xff\xfe",
        b"",
    ],
    ids=["nested", "incomplete", "many fields", "no text", "empty"],
)
def test_a_body_that_is_no_interaction_is_an_error_that_names_no_content(body):
    with pytest.raises(ValueError, match=r".*"):
        read_interaction(body)


def test_a_value_that_we_did_not_write_does_nothing(world):
    for number, value in enumerate(["", "x", "[]", '["a"]', "[1,2]", '["a","b","c","d","e"]' * 3]):
        assert world.press("take", trigger=str(number), value=value or " ").status == 200
    assert pending(world) == []


def test_not_an_alert_is_kept_on_the_record(world):
    world.press("not-an-alert")
    world.reconciled()
    (done,) = world.incident.record
    assert (done.kind, done.outcome, done.detail) == (ActionKind.NOT_AN_ALERT, ActionOutcome.DONE, "boom")


@pytest.fixture
def with_queue(world):
    """The world with a dead-letter queue whose alarm fires in the incident, and which may be redriven."""
    at = NOW - H
    world.ledger.count(
        OccurrenceCount(
            envelope="d", fingerprint="d", signature="boom", service="worker", fields={"queue": "worker-dlq"},
            count=1, first_seen=at, last_seen=at, received_at=at, sample="s",
        )
    )  # fmt: skip
    world.reconciler.reconcile("worker", at)
    world.responder.redrive_queues = frozenset({"worker-dlq"})
    world.responder.depth_of = lambda name: 42 if name == "worker-dlq" else None
    return world


def test_the_redrive_button_opens_a_dialog_with_the_depth_as_it_is_now_and_changes_nothing(with_queue):
    assert with_queue.press("redrive").status == 200
    ((_, view),) = with_queue.slack.dialogs
    queue, how = (block["element"]["options"] for block in view["blocks"])
    assert [(option["text"]["text"], option["value"]) for option in queue] == [
        ("worker-dlq: about 42 messages now", "d")
    ]
    assert [option["value"] for option in how] == ["checked", "anyway"]
    assert pending(with_queue) == []


def test_a_depth_that_cannot_be_told_is_said(with_queue):
    with_queue.responder.depth_of = lambda _: None
    with_queue.press("redrive")
    assert "worker-dlq: depth not known" in json.dumps(with_queue.slack.dialogs)


@pytest.mark.parametrize("how", ["checked", "anyway"])
def test_a_submitted_redrive_is_written_down_once_however_often_it_comes(with_queue, how):
    for _ in range(5):
        assert with_queue.redrive(how=how).body is None
        with_queue.now += 1_000
    (action,) = pending(with_queue)
    assert (action.kind, action.fingerprint, action.insists) == (ActionKind.REDRIVE, "d", how == "anyway")


@pytest.mark.parametrize("queue", ["f", "unknown", ""])
def test_a_queue_that_was_not_offered_cannot_be_submitted(with_queue, queue):
    assert set(with_queue.redrive(queue=queue).body["errors"]) == {"queue"}
    assert pending(with_queue) == []


@pytest.mark.parametrize("named", [frozenset(), frozenset({"another-dlq"})])
def test_without_the_queue_among_those_that_may_be_nothing_is_redriven(with_queue, named):
    with_queue.responder.redrive_queues = named
    with_queue.press("redrive")
    assert with_queue.slack.said == [answers.NO_QUEUE]
    assert set(with_queue.redrive().body["errors"]) == {"queue"}
    assert with_queue.slack.dialogs == pending(with_queue) == []


def test_a_redrive_of_an_incident_that_is_over_or_of_an_old_message_is_answered_in_words(with_queue):
    with_queue.press("redrive", value=with_queue.value(incident="20250101-000000-old"))
    assert with_queue.slack.said == [answers.NO_QUEUE]
    assert set(with_queue.redrive(incident="20250101-000000-old").body["errors"]) == {"queue"}
    assert pending(with_queue) == []


def test_who_may_not_redrives_nothing():
    world = World(may_act="S0ONCALL")
    assert world.redrive(user="UEVE").body["errors"] == {"queue": answers.MAY_NOT}
    assert pending(world) == []
