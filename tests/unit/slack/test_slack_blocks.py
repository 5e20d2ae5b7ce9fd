"""Messages for Slack: what a person woken at three sees, within Slack's limits, whatever the log held."""

import json
import re

import msgspec
import pytest
from hostile_text import hostile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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

from tocsin.core.model import AlertState, Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.email import email_subject, email_text
from tocsin.core.slack.elements import header
from tocsin.core.slack.messages import render, render_standalone, render_thread
from tocsin_cli.fake_slack.block_kit import MAX_BLOCKS_JSON, block_problems, json_size


def reply(notification, **options):
    """A reply in the thread; an incident that opens has none, so this one reminds."""
    reason = Reason.REPEAT if notification.reason is Reason.OPENED else notification.reason
    return render_thread(msgspec.structs.replace(notification, reason=reason), **options)


RENDERERS = (render, render_standalone, reply)


def notification(
    *alerts,
    about=None,
    reason=Reason.OPENED,
    told=None,
    signatures=SIGNATURES,
    growing=(),
    reason_detail="",
    **changes,
):
    made = incident(*alerts, **changes)
    entry = pending(reason, *(made.alerts.values() if about is None else about), sequence=2, told=told)
    entry = replace(entry, growing=tuple(alert.fingerprint for alert in growing), reason_detail=reason_detail)
    return build_notification(made, entry, signatures, runbooks_url=RUNBOOKS)


def words(message):
    """Everything the reader sees, in reading order."""
    found = []

    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("text"), str):
                found.append(value["text"])
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(message.blocks)
    return "\n".join(found)


def urls(message):
    return [e["url"] for block in message.blocks if block["type"] == "actions" for e in block["elements"]]


def test_the_first_line_says_what_broke_where_and_how_bad_and_the_second_what_to_do():
    message = render(notification(IMPORT_ERROR, DLQ))
    assert message.blocks[0]["text"]["text"] == "🔴 Lambda cannot import its handler · worker"
    assert message.blocks[1]["text"]["text"].startswith("*Do first:* Rebuild with `sam build`")


@pytest.mark.parametrize("renderer", [render, render_standalone])
def test_a_message_answers_what_the_person_on_call_asks(renderer):
    message = renderer(notification(IMPORT_ERROR, DLQ, TIMEOUT))
    text = words(message)
    for answer in (
        "critical", "1,204", "mangum", "New incident", "every invocation of worker fails",
        "No module named 'mangum'",
        "/aws/lambda/prod-WorkerFunction-8kQx", "eu-west-1", "123456789012", "import-module-error",
        f"<!date^{T0 // 1000}^", f"<!date^{(T0 + 12 * MINUTE) // 1000}^", "Lambda timed out",
        "Messages in the dead-letter queue",
    ):  # fmt: skip
        assert answer in text, answer
    runbook, stream, insights = urls(message)
    assert runbook == RUNBOOKS + "import-module-error.md#confirm"
    assert "/log-events/" in stream
    assert "logs-insights" in insights


def test_symptoms_stand_apart_from_causes():
    text = words(render(notification(IMPORT_ERROR, DLQ, TIMEOUT)))
    assert re.search(r"Also firing.*Lambda timed out.*Symptoms.*dead-letter", text, re.DOTALL)


def test_an_alarm_gets_the_alarms_page_and_no_log_links():
    assert [url for url in urls(render(notification(DLQ))) if "console" in url] == [
        "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/prod-documents-dlq-depth"
    ]


ALARM_FIELDS = {
    "alarm": "prod-documents-dlq-depth", "metric": "ApproximateNumberOfMessagesVisible", "namespace": "AWS/SQS",
}  # fmt: skip


@pytest.mark.parametrize(
    ("dimensions", "named"),
    [
        ({"queue": "documents-dlq", "resource": "documents-dlq"}, {"queue": "documents-dlq"}),
        ({"function": "worker", "resource": "worker"}, {"function": "worker"}),
        ({"resource": "prod-db"}, {"resource": "prod-db"}),
        ({}, {}),
    ],
)
def test_an_alarm_and_what_it_watches_are_named_once_while_the_contract_keeps_every_field(dimensions, named):
    told = notification(replace(DLQ, fields={**ALARM_FIELDS, **dimensions}))
    assert told.alerts[0].fields == {**ALARM_FIELDS, **dimensions}
    shown = {"alarm": ALARM_FIELDS["alarm"], **named}
    for renderer in RENDERERS:
        message = renderer(told)
        fields = [field["text"] for block in message.blocks for field in block.get("fields", [])]
        assert [text for text in fields if "`" in text] == [
            f"*{name}*\n`{value}`" for name, value in shown.items()
        ]
        assert "AWS/SQS" not in words(message)
    text = email_text(told)
    lines = "".join(f"{name}: {value}\n" for name, value in shown.items())
    assert f"\n\n{lines}\n" in text
    assert "AWS/SQS" not in text


def test_a_log_signatures_own_field_of_such_a_name_is_shown():
    message = render(
        notification(replace(IMPORT_ERROR, fields={"resource": "r", "metric": "m", "queue": "r"}))
    )
    for name in ("resource", "metric", "queue"):
        assert f"*{name}*" in words(message)


def test_every_reason_looks_different():
    shown = {}
    for reason in Reason:
        told = {} if reason is Reason.OPENED else {IMPORT_ERROR.fingerprint: 1200}
        message = render_standalone(notification(reason=reason, told=told))
        shown[reason] = (words(message).replace(reason.value.replace("_", " "), ""), message.text)
    assert len({text for text, _ in shown.values()}) == len(Reason)
    assert "(+4 since the last report)" in shown[Reason.UPDATE][0]
    assert "Still going on after 12 min 1 s" in shown[Reason.UPDATE][0]
    assert "Back again" in shown[Reason.REGRESSED][1]


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_end_is_clear_what_how_long_how_often(renderer):
    over = replace(IMPORT_ERROR, state=AlertState.RESOLVED)
    message = renderer(notification(over, reason=Reason.RESOLVED, about=[]))
    text = words(message)
    assert "✅" in text
    assert "It is over" in text
    assert "1,204 times" in text
    assert "12 min" in text
    assert "Do first" not in text
    assert "Resolved: Lambda cannot import its handler · worker" in message.text


def test_the_thread_tells_each_event_and_leaves_growth_to_the_edited_message():
    silent = {Reason.OPENED, Reason.UPDATE, Reason.DIGEST}
    for reason in silent:
        assert render_thread(notification(reason=reason)) is None
    for reason in set(Reason) - silent:
        assert render_thread(notification(reason=reason)).blocks
    joined = render_thread(notification(IMPORT_ERROR, BUCKET, about=[BUCKET], reason=Reason.NEW_ALERT))
    assert "credmate-documents-dev" in words(joined)
    assert "mangum" not in words(joined)


@pytest.mark.parametrize(
    ("alerts", "about", "reason", "seen"),
    [
        ((IMPORT_ERROR, TIMEOUT), (TIMEOUT,), Reason.NEW_ALERT, False),
        ((TIMEOUT, IMPORT_ERROR), (IMPORT_ERROR,), Reason.NEW_ALERT, True),
        ((IMPORT_ERROR, DLQ), (DLQ,), Reason.NEW_ALERT, False),
        ((IMPORT_ERROR,), (IMPORT_ERROR,), Reason.REPEAT, True),
        ((IMPORT_ERROR,), (IMPORT_ERROR,), Reason.REGRESSED, True),
        ((IMPORT_ERROR,), (), Reason.RESOLVED, False),
    ],
)
def test_a_reply_shows_in_the_channel_only_when_an_edit_would_let_someone_sleep_through(
    alerts, about, reason, seen
):
    assert render_thread(notification(*alerts, about=about, reason=reason)).broadcast is seen


def test_what_cannot_be_shown_is_counted():
    alerts = [replace(TIMEOUT, fingerprint=f"t{n}", fields={"seconds": f"{n}"}) for n in range(50)]
    message = render(notification(IMPORT_ERROR, *alerts, omitted=77))
    text = words(message)
    listed = text.count("Lambda timed out")
    assert f"…and {50 - listed} more" in text
    assert "77 occurrences of alerts beyond these" in text


def assert_slack_takes(message):
    assert block_problems(message.blocks) == []
    assert json_size(message.blocks) <= MAX_BLOCKS_JSON
    assert len(message.text) <= 3_000
    assert len(message.plain) <= 4_000
    json.dumps(message.blocks, ensure_ascii=False).encode()


OURS = re.compile(r"<!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC>")
ENTITY = re.compile(r"&(?:amp|lt|gt);")


def assert_inert(message):
    """Whatever Slack reads holds no control sequence but our own times, and every fence is closed."""

    def walk(value):
        if isinstance(value, dict):
            if value.get("type") == "mrkdwn":
                assert value["verbatim"] is True
                check(value["text"])
            assert value.get("type") != "rich_text"
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    def check(text):
        rest = ENTITY.sub("", OURS.sub("", text))
        assert not re.search("[<>&]", rest), rest
        assert text.count("```") in {0, 2}
        assert text.replace("```", "").count("`") % 2 == 0 or "```" in text
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\u200b]", text)

    walk(message.blocks)
    for text in (message.text, message.plain):
        assert not re.search("[<>]", text)
        assert "&" not in ENTITY.sub("", text)
    assert "<!channel" not in json.dumps(message.blocks)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(
    sample=hostile, value=hostile, name=hostile, service=hostile, alarm=hostile, stream=hostile,
    reason=st.sampled_from(list(Reason)), copies=st.sampled_from([1, 2, 7]), late=st.booleans(),
)  # fmt: skip
def test_log_text_is_inert_and_every_limit_holds(
    sample, value, name, service, alarm, stream, reason, copies, late
):
    alerts = [
        replace(rule, fingerprint=f"{rule.fingerprint}{n}", sample=sample, origin=replace(rule.origin, log_stream=stream, log_group=stream, alarm=alarm),
                fields={**dict.fromkeys(rule.fields, value), name: value, "third": value * 50})
        for rule in (IMPORT_ERROR, BUCKET, TIMEOUT, DLQ)
        for n in range(copies)
    ]  # fmt: skip
    told = notification(*alerts, reason=reason, service=service, told={})
    for renderer in RENDERERS:
        message = renderer(told, late=late)
        if message is not None:
            assert_slack_takes(message)
            assert_inert(message)


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.DIGEST}))  # nothing overtakes a digest
@pytest.mark.parametrize("renderer", RENDERERS)
def test_what_is_told_late_says_so_first_and_looks_like_no_alarm(renderer, reason):
    told = notification(IMPORT_ERROR, TIMEOUT, BUCKET, about=[TIMEOUT], reason=reason, told={})
    message = renderer(told, late=True)
    if message is None:
        return
    assert message.text.startswith("🕓 Delayed: ")
    assert message.plain.startswith("🕓 Delayed: this is from 2026-07-31 03:12:01 UTC.")
    assert not message.broadcast
    text = words(message)
    assert re.search(r"\*Delayed\.\* This is from <!date\^", text)
    assert not re.search("[🔴🟠🟡🔵]", text)
    assert not re.search(r"Do first:|It is over|Nothing to do", text)
    assert "primary" not in json.dumps(message.blocks)
    assert_slack_takes(message)


@pytest.mark.parametrize("character", ["&", "<", "🔥", "`", "x", "\n", "\u202e", "é"])
def test_a_long_line_of_one_character_fits(character):
    alerts = [
        replace(rule, sample=character * 200_000, fields={f"f{n}": character * 5_000 for n in range(15)},
                origin=replace(IMPORT_ERROR.origin, log_stream=character * 512, alarm=character * 255, log_group=character * 512))
        for rule in (IMPORT_ERROR, BUCKET, TIMEOUT)
    ]  # fmt: skip
    for renderer in RENDERERS:
        message = renderer(notification(*alerts))
        assert_slack_takes(message)
        assert_inert(message)


def test_fifty_alerts_with_the_longest_names_fit():
    alerts = [
        replace(
            BUCKET,
            fingerprint=f"b{n}",
            fields={"bucket": "&" * 200},
            sample="&" * 6_000,
            origin=replace(BUCKET.origin, log_group="/" * 512),
        )
        for n in range(50)
    ]
    for renderer in RENDERERS:
        assert_slack_takes(renderer(notification(*alerts)))


@pytest.mark.parametrize("renderer", RENDERERS)
def test_whom_it_calls_stands_after_the_first_line_and_counts_towards_every_limit(renderer):
    many = [replace(BUCKET, fingerprint=f"{number}", sample="&" * 5_000) for number in range(50)]
    message = renderer(
        notification(*many, reason=Reason.REPEAT), mentions=[f"S0{number:019d}" for number in range(99)]
    )
    called = re.findall(r"<!subteam\^(\w+)>", message.blocks[1]["text"]["text"])
    assert called == [f"S0{number:019d}" for number in range(20)]
    assert "subteam" not in json.dumps(message.blocks[2:])
    assert block_problems(message.blocks) == []
    assert json_size(message.blocks) <= MAX_BLOCKS_JSON
    assert message.plain.startswith("<!subteam^S0")
    assert len(message.plain) < 4_000
    assert "subteam" not in json.dumps(renderer(notification(*many, reason=Reason.REPEAT)).blocks)


def test_a_dead_letter_queue_says_how_much_until_when_and_why():
    alone = replace(DLQ, fingerprint="d2", signature="plain-dlq")
    rules = {**SIGNATURES, "plain-dlq": replace(SIGNATURES["dlq-depth"], id="plain-dlq")}
    told = notification(TIMEOUT, alone, about=[alone], reason=Reason.NEW_ALERT, signatures=rules)
    for message in (render_thread(told), render_standalone(told)):
        text = words(message)
        assert "`documents-dlq`: 7 messages, the oldest is lost within 13 d 23 h" in text
        assert re.search(r"Likely cause: \*Lambda timed out\* `30.00`, 3 times since <!date", text)
        assert "--source-arn arn:aws:sqs:eu-west-1:123456789012:documents-dlq" in text
    whole = words(render(told))
    assert whole.index("Lambda timed out") < whole.index("dead-letter queue")  # the cause above its symptom
    assert "Queue documents-dlq: 7 messages" in email_text(
        msgspec.structs.replace(told, title=told.alerts[0].title)
    )


def test_a_queue_that_grows_is_a_reply_and_one_that_does_not_is_an_edit():
    calm = notification(TIMEOUT, DLQ, about=[DLQ], reason=Reason.UPDATE)
    assert render_thread(calm) is None
    news = notification(TIMEOUT, DLQ, about=[DLQ], reason=Reason.UPDATE, growing=[DLQ])
    assert "The dead-letter queue grows" in words(render_thread(news))
    assert not render_thread(news).broadcast


def test_by_webhook_a_queue_that_grows_heads_its_message_with_its_depth_and_its_likely_cause():
    alone = replace(DLQ, fingerprint="d2", signature="plain-dlq")
    rules = {**SIGNATURES, "plain-dlq": replace(SIGNATURES["dlq-depth"], id="plain-dlq")}
    news = notification(
        TIMEOUT, alone, about=[alone], reason=Reason.UPDATE, growing=[alone], signatures=rules
    )
    message = render_standalone(news)
    title = next(alert.title for alert in news.alerts if alert.signature == "plain-dlq")
    assert "Growing: documents-dlq: 7 messages, the oldest is lost within 13 d 23 h · " in message.text
    assert words(message).index("`documents-dlq`: 7 messages") < words(message).index("Likely cause: ")
    assert news.title != title
    assert "Growing" not in render(news).text  # the incident stays what it is


def test_every_message_says_why_it_was_sent():
    for reason in Reason:
        told = {} if reason is Reason.OPENED else {IMPORT_ERROR.fingerprint: 1200}
        text = words(render_standalone(notification(reason=reason, told=told)))
        assert f"Why: {reason.value.replace('_', ' ')} · " in text
        if reason is Reason.DIGEST:
            continue  # about no one signature
        assert "signature import-module-error · 1,204 in all" in text
        assert ("1,203 without a message" if reason is Reason.OPENED else "4 without a message") in text
        assert "account 123456789012 · eu-west-1" in text


def test_the_end_of_a_silence_says_whose_it_was_and_what_it_kept_quiet():
    told = notification(
        reason=Reason.SILENCE_EXPIRED,
        told={IMPORT_ERROR.fingerprint: 4},
        reason_detail="silence ab12 of ana ended (deploying <!channel> the fix)",
    )
    text = words(render_thread(told))
    assert "It was seen 1,200 times while it was muted." in text
    assert "silence ab12 of ana ended" in text
    assert "<!channel>" not in text


def test_what_was_seen_once_has_no_duration_when_it_is_over():
    once = replace(IMPORT_ERROR, count=1, last_seen=IMPORT_ERROR.first_seen)
    text = words(render(notification(once, reason=Reason.RESOLVED)))
    assert "0 s" not in text
    assert "Seen once <!date" in text


def test_what_came_back_is_as_old_as_its_return():
    told = notification(reason=Reason.REPEAT, reopened_at=IMPORT_ERROR.last_seen - 60_000)
    assert "still firing after 1 min" in words(render(told))
    over = notification(reason=Reason.RESOLVED, reopened_at=IMPORT_ERROR.last_seen - 60_000)
    assert re.search(r"This time, since <!date\S+.*?>, it lasted 1 min\.", words(render(over)))


@pytest.mark.parametrize("name", ["orders:fire:api", ":tada:", "a:b:c:warning:"])
def test_an_emoji_code_in_a_name_stays_text_in_the_headline(name):
    assert header(f"🔴 {name}")["text"] == {"type": "plain_text", "text": f"🔴 {name}", "emoji": False}


@pytest.mark.parametrize("reason", [Reason.REGRESSED, Reason.SILENCE_EXPIRED, Reason.NEW_ALERT])
def test_the_headline_the_push_text_and_the_mail_are_about_the_alert_that_is_news_not_the_worst(reason):
    news = notification(IMPORT_ERROR, TIMEOUT, about=[TIMEOUT], reason=reason)
    assert news.title == "Lambda cannot import its handler"  # the incident's name stays
    for message in (render_thread(news), render_standalone(news)):
        assert "Lambda timed out" in message.text
        assert "cannot import" not in message.text.split(" — ")[0]
    assert "Lambda timed out" in email_subject(news)
    assert "[MEDIUM]" in email_subject(news)
    assert email_text(news).startswith("Lambda timed out")


@pytest.mark.parametrize("reason", [Reason.REGRESSED, Reason.SILENCE_EXPIRED])
def test_the_edited_message_says_that_its_own_alert_is_back_only_if_it_is(reason):
    other = render(notification(IMPORT_ERROR, TIMEOUT, about=[TIMEOUT], reason=reason))
    assert "Back again" not in other.text
    assert "Silence over" not in other.text
    assert "*Lambda timed out*" in words(other)
    own = render(notification(IMPORT_ERROR, TIMEOUT, about=[IMPORT_ERROR], reason=reason))
    assert "Back again: Lambda cannot import" in own.text or "Silence over" in own.text


def test_back_again_is_said_of_what_is_back_not_of_what_joined_with_it():
    made = incident(IMPORT_ERROR, BUCKET, TIMEOUT)
    entry = replace(pending(Reason.REGRESSED, BUCKET, TIMEOUT), subjects=(TIMEOUT.fingerprint,))
    both = build_notification(made, entry, SIGNATURES, runbooks_url=RUNBOOKS)
    assert "Back again: Lambda timed out" in render_standalone(both).text


@pytest.mark.parametrize(
    ("silenced_by", "said"),
    [
        ("window-of-sunday", "Muted by silence `window-of-sunday`"),
        ("CloudWatch mute rule patch-night", "Muted by CloudWatch mute rule `patch-night`"),
        ("CloudWatch suppressor deploying", "Muted by CloudWatch suppressor `deploying`"),
        ("CloudWatch suppressor", "Muted by CloudWatch suppressor"),
    ],
)
def test_what_cloudwatch_mutes_is_not_called_a_silence_of_ours(silenced_by, said):
    muted = replace(TIMEOUT, silence=silenced_by)
    assert f"🔕 {said}" in words(render(notification(muted)))
