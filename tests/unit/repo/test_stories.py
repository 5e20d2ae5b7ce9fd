"""The five outages from end to end: exactly what is told, at which minute, with which runbook; and the page that shows it."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tocsin.adapters.files.configuration import load_configuration
from tocsin.core.ingest.alarms import parse_alarm
from tocsin.core.notifications.contract import millis_of
from tocsin.core.notifications.email import email_subject, email_text
from tocsin.core.signatures.signature import Source
from tocsin.core.times import HOUR, MINUTE, iso_time
from tocsin_cli.outages import Story, load_stories
from tocsin_cli.sample_events.alarm_events import alarm_by_sns
from tools import incidents_page
from tools.stories import Replayed, Shown, replay

ROOT = Path(__file__).parents[3]
PAYLOADS = ROOT / "tests" / "payloads"
STORIES = load_stories()
CONFIG = load_configuration(ROOT / "functions", {})


@functools.cache
def replayed(name: str) -> Replayed:
    return replay(STORIES[name], CONFIG)


def told(at, reason, signatures, runbook=""):
    return at, reason, tuple(signatures.split()), f"{runbook or signatures}.md"


def each(minutes, first, last, *rest):
    """The same again and again, from one time to another."""
    begin, end = (millis_of(f"2026-{moment.replace(' ', 'T')}:00Z") for moment in (first, last))
    assert (end - begin) % (minutes * MINUTE) == 0
    return [told(minute(at), *rest) for at in range(begin, end + 1, minutes * MINUTE)]


def minute(at):
    return iso_time(at)[5:16].replace("T", " ")


BUCKET, IMPORT = "s3-bucket-not-accessible", "import-module-error"
SIX, TIMEOUT, SECRET = "botocore-six-import", "lambda-timeout", "secret-marked-for-deletion"
PLATFORM, INIT, NAME = "wrong-platform-binary", "lambda-init-error", "cannot-import-name"
MAPPER, NOTHING, MODULE = "sqlalchemy-mapper-unresolved", "worker-does-nothing", "module-not-found"
DLQ, NONE = "dlq-depth", "database-none"

EXPECTED = {
    "A": [
        told("12-30 14:02", "opened", BUCKET),
        *each(5, "12-30 14:08", "12-30 16:58", "update", BUCKET),
        told("12-30 17:13", "resolved", BUCKET),
    ],
    # The two alarms come on and go off under their cause, and are news of nothing.
    "B": [
        told("02-02 00:03", "opened", IMPORT),
        told("02-02 00:09", "update", f"{IMPORT} lambda-error-rate-alarm {INIT}", IMPORT),
        told("02-02 00:14", "update", f"api-5xx-alarm {IMPORT} {INIT}", IMPORT),
        *each(5, "02-02 00:19", "02-02 03:59", "update", f"{IMPORT} {INIT}", IMPORT),
        told("02-02 04:04", "repeat", IMPORT),
        *each(5, "02-02 04:09", "02-02 11:59", "update", f"{IMPORT} {INIT}", IMPORT),
        told("02-02 12:04", "repeat", IMPORT),
        *each(5, "02-02 12:09", "02-02 18:19", "update", f"{IMPORT} {INIT}", IMPORT),
        told("02-02 18:24", "update", "api-5xx-alarm lambda-error-rate-alarm", IMPORT),
        told("02-02 18:30", "resolved", f"api-5xx-alarm {IMPORT} lambda-error-rate-alarm {INIT}", IMPORT),
    ],
    "C": [
        told("01-08 10:10", "opened", SIX),
        told("01-08 10:15", "update", SIX),
        told("01-08 10:27", "resolved", SIX),
        told("01-08 10:50", "regressed", SIX),
        # It came back, so that a quarter of an hour of quiet is not its end any more.
        told("01-08 11:30", "new_alert", TIMEOUT),
        told("01-08 11:35", "update", TIMEOUT, SIX),
        told("01-08 11:47", "update", TIMEOUT, SIX),
        told("01-08 11:52", "resolved", f"{SIX} {TIMEOUT}", SIX),
        told("01-08 12:10", "opened", SECRET),
        told("01-08 12:15", "update", SECRET),
        told("01-08 12:26", "resolved", SECRET),
        told("01-08 12:50", "opened", IMPORT),
        told("01-08 12:55", "update", IMPORT),
        told("01-08 13:06", "resolved", IMPORT),
        told("01-08 13:30", "opened", PLATFORM),
        told("01-08 13:35", "update", PLATFORM),
        told("01-08 13:46", "resolved", PLATFORM),
    ],
    "D": [
        told("12-30 19:21", "opened", f"{INIT} {TIMEOUT}", TIMEOUT),
        told("12-30 19:27", "update", f"{INIT} {TIMEOUT}", TIMEOUT),
        told("12-30 19:32", "update", f"{INIT} {TIMEOUT}", TIMEOUT),
        told("12-30 19:34", "new_alert", NAME),
        told("12-30 19:39", "update", NAME, TIMEOUT),
        told("12-30 19:44", "update", NAME, TIMEOUT),
        told("12-30 19:46", "new_alert", MAPPER),
        told("12-30 19:51", "update", f"{INIT} {TIMEOUT} {MAPPER}", MAPPER),
        told("12-30 19:56", "update", MAPPER),
        told("12-30 20:01", "update", f"{NAME} {MAPPER}", MAPPER),
        told("12-30 20:12", "resolved", f"{NAME} {INIT} {TIMEOUT} {MAPPER}", TIMEOUT),
    ],
    "E": [
        told("12-21 10:00", "opened", NOTHING),
        told("12-21 14:00", "repeat", NOTHING),
        told("12-21 22:00", "repeat", NOTHING),
        *each(24 * 60, "12-22 14:00", "12-31 14:00", "repeat", NOTHING),
        *each(24 * 60, "01-01 14:00", "02-02 14:00", "repeat", NOTHING),
        told("02-03 11:02", "new_alert", MODULE),
        told("02-03 11:08", "update", MODULE, NOTHING),
        told("02-03 11:12", "new_alert", DLQ),
        told("02-03 11:17", "new_alert", MODULE),
        told("02-03 11:23", "update", MODULE, NOTHING),
        told("02-03 11:27", "new_alert", IMPORT),
        told("02-03 11:33", "update", f"{DLQ} {IMPORT}", DLQ),  # it grew to 7
        told("02-03 11:38", "update", MODULE, NOTHING),
        told("02-03 11:42", "new_alert", NONE),
        told("02-03 11:48", "update", f"{NONE} {IMPORT}", NOTHING),
        *each(5, "02-03 11:53", "02-03 12:03", "update", NONE, NOTHING),
        told("02-03 12:08", "update", f"{NONE} {DLQ}", DLQ),  # to 12
        *each(5, "02-03 12:13", "02-03 12:48", "update", NONE, NOTHING),
        told("02-03 12:53", "update", f"{NONE} {DLQ}", DLQ),  # to 21
        *each(5, "02-03 12:58", "02-03 13:28", "update", NONE, NOTHING),
        told("02-03 13:42", "update", NONE, NOTHING),
        told("02-03 15:00", "update", NOTHING, DLQ),  # documents are processed again
        told("02-03 15:11", "update", DLQ),
        told("02-03 15:12", "resolved", f"{NONE} {DLQ} {IMPORT} {MODULE} {NOTHING}", NOTHING),
    ],
}

IN_SLACK = {
    "A": (Shown(1, 36, 1), Shown(8, 0, 0)),
    "B": (Shown(1, 221, 3), Shown(24, 0, 0)),
    "C": (Shown(4, 13, 7), Shown(17, 0, 0)),
    "D": (Shown(1, 10, 3), Shown(10, 0, 0)),
    "E": (Shown(1, 79, 54), Shown(63, 0, 0)),
}
"""Messages in the channel, edits, replies in threads: by bot, and by webhook."""

UNTIL_MISSED = HOUR
"""How long the worker may say nothing about a document (`worker-does-nothing`)."""

every_story = pytest.mark.parametrize("name", sorted(EXPECTED))


def essence(replayed: Replayed):
    return [(minute(told.at), told.reason, told.about, told.runbook) for told in replayed.sent]


def test_every_story_has_its_list():
    assert set(STORIES) == set(EXPECTED) == set(IN_SLACK)


@every_story
def test_exactly_these_notifications_are_sent_at_these_minutes_with_these_runbooks(name):
    assert essence(replayed(name)) == EXPECTED[name]


@every_story
def test_it_is_told_within_a_minute_of_the_first_line_that_could_tell_it(name):
    waited = UNTIL_MISSED if name == "E" else 0
    first = replayed(name).sent[0]
    assert first.reason == "opened"
    assert 0 <= first.at - STORIES[name].began - waited < MINUTE


@every_story
def test_slack_gets_this_many_messages_edits_and_replies(name):
    replay_of = replayed(name)
    assert (replay_of.total("bot"), replay_of.total("webhook")) == IN_SLACK[name]


@every_story
def test_every_attempt_at_an_incident_ends_as_resolved_once_and_every_runbook_exists(name):
    ended = [entry.notification for entry in replayed(name).sent if entry.reason == "resolved"]
    begun = [entry for entry in replayed(name).sent if entry.reason in {"opened", "regressed"}]
    assert len(ended) == len(begun)
    assert {alert.state for notification in ended for alert in notification.alerts} == {"resolved"}
    for entry in replayed(name).sent:
        for alert in entry.notification.alerts:
            assert (ROOT / "runbooks" / alert.runbook_url.rpartition("/")[2].partition("#")[0]).is_file()


@every_story
def test_no_secret_and_no_personal_datum_of_a_line_that_is_told_gets_anywhere(name):
    story = STORIES[name]
    lines = [line for step in story.steps if not step.quiet for line in step.lines]
    mails = "".join(
        email_subject(entry.notification) + email_text(entry.notification) for entry in replayed(name).sent
    )
    everything = replayed(name).everything() + mails
    assert len(story.secrets) == 2
    assert "[REDACTED" in everything
    for secret in story.secrets:
        assert any(secret in line for line in lines)
        assert secret not in everything


@every_story
def test_the_ordinary_lines_of_a_story_alone_tell_nothing(name):
    story = STORIES[name]
    ordinary = tuple(step for step in story.steps if step.quiet)
    assert ordinary
    assert replay(replace(story, steps=ordinary), CONFIG).sent == ()


def test_alarms_are_shown_under_the_line_that_explains_them_and_head_no_message():
    alarms = [
        (entry, alert)
        for entry in replayed("B").sent
        for alert in entry.notification.alerts
        if alert.signature.endswith("-alarm")
    ]
    assert {alert.signature for _, alert in alarms} == {"api-5xx-alarm", "lambda-error-rate-alarm"}
    assert {alert.inhibited_by for _, alert in alarms} == {IMPORT}
    assert {entry.headline.rpartition(": ")[2] for entry in replayed("B").sent} == {
        "Lambda cannot import its handler"
    }


def test_the_first_message_says_that_the_function_was_updated_directly_just_before():
    (change,) = replayed("B").sent[0].notification.changes
    assert (change.what, change.direct, change.seconds_before) == (
        "prod-BackendApiFunction-8kQxT2", True, 12,
    )  # fmt: skip
    later = replayed("B").sent[1].notification.changes
    assert [(entry.kind, entry.direct) for entry in later] == [("code", True), ("stack", False)]


def test_what_explains_an_alarm_on_errors_explains_those_on_their_rate_too():
    rates = {"lambda-error-rate-alarm", "lambda-success-rate-alarm"}
    for rule in CONFIG.signatures.values():
        if rule.source is Source.LOG and "lambda-errors-alarm" in rule.inhibits:
            assert rates <= set(rule.inhibits), rule.id


def test_the_dead_letter_queue_is_told_with_its_depth_its_time_left_its_likely_cause_and_how_to_redrive():
    seen = [
        (
            minute(entry.at),
            alert.queue.depth,
            alert.likely_cause and alert.likely_cause.signature,
        )
        for entry in replayed("E").sent
        for alert in entry.notification.alerts
        if alert.signature == DLQ and alert.changed and entry.runbook == "dlq-depth.md"
    ]
    assert seen == [
        ("02-03 11:12", 4, MODULE),
        ("02-03 11:33", 7, MODULE),  # it was that deep before the third deploy
        ("02-03 12:08", 12, NONE),
        ("02-03 12:53", 21, NONE),
        ("02-03 15:11", 0, NONE),
    ]
    growth = next(entry for entry in replayed("E").sent if minute(entry.at) == "02-03 12:53")
    queue = next(alert for alert in growth.notification.alerts if alert.signature == DLQ)
    lost_at = millis_of("2026-02-03T11:10:20Z") + 14 * 24 * HOUR
    assert millis_of(queue.queue.oldest_expires_at) == lost_at
    assert queue.likely_cause.count == 18
    assert "--source-arn arn:aws:sqs:us-east-1:123456789012:prod-worker-dlq.fifo" in queue.first_action
    assert growth.webhook == Shown(1, 0, 0)
    assert growth.headline == "Growing: Messages wait in a dead-letter queue"


def test_as_shipped_the_silent_stub_is_told_only_when_the_broken_deploys_log_errors():
    story = replace(STORIES["E"], switch_on=())
    first = replay(story, CONFIG).sent[0]
    assert (minute(first.at), first.reason, first.about) == ("02-03 11:02", "opened", (MODULE,))


def test_a_stub_that_says_what_it_is_is_told_as_shipped_with_its_first_document():
    says = "[INFO]\t{now}\t{request}\tprocess_document_mock() called for document 4711: returning success\n"
    stub = next(step for step in STORIES["E"].steps if "stub" in step.note)
    story = replace(STORIES["E"], switch_on=(), steps=(replace(stub, lines=(says,), until=stub.at + HOUR),))
    first = replay(story, CONFIG).sent[0]
    assert first.at - stub.at < MINUTE
    assert (first.reason, first.runbook) == ("opened", "mock-processing.md")


@pytest.mark.parametrize(
    ("story", "alarm", "real"),
    [
        ("B", "api", "sns_message_metric_2026.json"),
        ("B", "errors", "sns_event_metric_math.json"),
        ("E", "dlq", "sns_message_metric_2026.json"),
    ],
)
def test_the_alarms_of_a_story_have_the_shape_of_recorded_ones(story, alarm, real):
    recorded = json.loads((PAYLOADS / real).read_text("utf-8"))["payload"]
    if "Records" in recorded:
        recorded = json.loads(recorded["Records"][0]["Sns"]["Message"])
    at = STORIES[story].began
    event = alarm_by_sns(STORIES[story].alarms[alarm], "ALARM", 12.0, at)
    made = json.loads(event["Records"][0]["Sns"]["Message"])
    known = {"OKActions", "AlarmActions", "InsufficientDataActions"}  # of 2021 on, where 2015's lack them
    assert set(made) - known <= set(recorded)
    assert set(made["Trigger"]) - {"DatapointsToAlarm"} <= set(recorded["Trigger"])
    change = parse_alarm(made)
    assert change is not None
    assert (change.at, change.metric) == (at, STORIES[story].alarms[alarm].metric)


def test_the_page_is_what_the_code_makes():
    made = incidents_page.page({name: replayed(name) for name in STORIES})
    assert (ROOT / "docs" / "incidents.md").read_text("utf-8") == made


def test_every_link_of_the_page_leads_somewhere():
    page = (ROOT / "docs" / "incidents.md").read_text("utf-8")
    for story in STORIES.values():
        assert isinstance(story, Story)
        assert f"](#{incidents_page.anchor(story)})" in page
        assert f"\n## {incidents_page.heading(story)}\n" in page
