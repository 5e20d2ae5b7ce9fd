"""People act in the local Slack, by its page in a real browser and by its interface: the deployed stack does it."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request

import pytest
from chromium import Chromium, find_chromium

from tocsin.adapters.aws.error_table import ErrorTable
from tocsin_cli.local_aws.local_tocsin import LocalTocsin

pytestmark = pytest.mark.cloud

LINE = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


@pytest.fixture(scope="module")
def tocsin():
    with LocalTocsin(
        parameters={
            "ResolveAfter": "1h",
            "GroupInterval": "1s",
            "ErrorsLearning": "0s",
            "RedriveQueues": "backend-dlq",
            "RedriveTargets": "backend",
        }
    ) as running:
        yield running


UNKNOWN = "ERROR the crawler asked for page 4711"


def fail(tocsin, service="worker", line=LINE):
    logs, group = tocsin.deployment.client("logs"), tocsin.deployment.log_groups[service]
    stream = f"acting-{time.time_ns()}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    event = {"timestamp": time.time_ns() // 1_000_000, "message": line}
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])


def posted(tocsin, path, **body):
    request = urllib.request.Request(
        f"{tocsin.slack.url}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def top(messages):
    return [each for each in messages if each["thread_ts"] is None][-1]


def words(message):
    return json.dumps(message["blocks"], ensure_ascii=False)


def says(tocsin, ts, text):
    """Wait until the thread says it; how often it does."""
    everything = tocsin.slack.wait_for(
        lambda all_: any(text in each["text"] + words(each) for each in all_ if each["thread_ts"] == ts)
    )
    return sum(text in each["text"] for each in everything if each["thread_ts"] == ts)


@pytest.fixture
def incident(tocsin):
    """A new incident's message, which is over again in the end."""
    tocsin.slack.channel.clear_faults()
    before = len(tocsin.slack.messages())
    fail(tocsin)
    tocsin.slack.wait_for(lambda all_: len(all_) > before and "tocsin-take" in words(top(all_)))
    message = top(tocsin.slack.messages())
    yield message
    tocsin.slack.channel.clear_faults()
    posted(tocsin, "/api/press", ts=message["ts"], action_id="tocsin-over")


def shows(tocsin, ts, text):
    tocsin.slack.wait_for(lambda _: text in words(tocsin.slack.channel.get(ts)), 20)


def test_one_takes_it_the_other_is_told_who_and_the_thread_keeps_the_record(tocsin, incident):
    ts = incident["ts"]
    answer = posted(tocsin, "/api/press", ts=ts, action_id="tocsin-take", user="UADA")
    assert (answer["ok"], answer["ephemeral"]) == (True, [])
    shows(tocsin, ts, "Ada has it")
    second = posted(
        tocsin, "/api/press", ts=ts, action_id="tocsin-hand-back", user="UBOB"
    )  # the button is another one now
    assert second["ok"]
    shows(tocsin, ts, "tocsin-take")
    says(tocsin, ts, "Ada has it.")
    says(tocsin, ts, "Bob handed it back")


@pytest.mark.parametrize("fault", ["late", "bad_signature"])
def test_a_request_that_is_old_or_forged_does_nothing(tocsin, incident, fault):
    posted(tocsin, "/api/faults", method="press", error=fault)
    answer = posted(tocsin, "/api/press", ts=incident["ts"], action_id="tocsin-take", user="UBOB")
    assert (answer["ok"], answer["status"], answer["ephemeral"]) == (False, 401, [])
    listed = posted(tocsin, "/api/command", text="")["ephemeral"][0]
    assert "nobody has it" in listed


def test_a_request_that_comes_twice_counts_once(tocsin, incident):
    told = sum("Bob has it." in each["text"] for each in tocsin.slack.messages())
    posted(tocsin, "/api/faults", method="press", error="twice")
    posted(tocsin, "/api/press", ts=incident["ts"], action_id="tocsin-take", user="UBOB")
    shows(tocsin, incident["ts"], "Bob has it")
    says(tocsin, incident["ts"], "Bob has it.")
    posted(tocsin, "/api/press", ts=incident["ts"], action_id="tocsin-hand-back", user="UBOB")
    shows(tocsin, incident["ts"], "tocsin-take")
    assert says(tocsin, incident["ts"], "Bob has it.") == told + 1


def test_pressed_while_slack_is_away_it_is_shown_when_slack_is_back(tocsin, incident):
    posted(tocsin, "/api/faults", status=503, times=3)
    posted(tocsin, "/api/press", ts=incident["ts"], action_id="tocsin-take", user="UBOB")
    posted(tocsin, "/api/command", text="")
    tocsin.slack.wait_for(lambda _: "Bob has it" in words(tocsin.slack.channel.get(incident["ts"])), 60)


def test_a_press_on_what_is_over_is_answered_in_words_to_that_person(tocsin, incident):
    ts = incident["ts"]
    assert posted(tocsin, "/api/press", ts=ts, action_id="tocsin-over", user="UADA")["ok"]
    shows(tocsin, ts, "It is over")
    says(tocsin, ts, "Ada says that it is over")
    answer = posted(tocsin, "/api/press", ts=ts, action_id="tocsin-over", user="UADA")
    assert "no such button" in answer["error"]


@pytest.mark.browser
@pytest.mark.skipif(
    find_chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed"
)
def test_by_clicking_people_take_it_silence_it_and_end_it(tocsin, incident):
    ts = incident["ts"]

    def button(action):
        content = (
            f"#m{ts.replace('.', chr(92) * 2 + '.')} > .body > .content"  # not one of its earlier versions
        )
        return f"document.querySelector('{content} > .actions [data-action=\"tocsin-{action}\"]')"

    with Chromium() as browser:
        browser.open(tocsin.slack.url)
        browser.wait_until("document.getElementById('live').textContent === 'live'")
        browser.evaluate("window.confirm = () => true")
        browser.evaluate(f"{button('take')}.click()")
        browser.wait_until(f"{button('hand-back')} !== null", 20)
        assert "Ada has it" in browser.evaluate(f"document.getElementById('m{ts}').textContent")

        browser.evaluate(f"{button('silence')}.click()")
        browser.wait_until("document.querySelector('dialog.modal') !== null", 20)
        browser.evaluate("document.querySelector('dialog.modal button.primary').click()")
        browser.wait_until("document.querySelector('dialog.modal').textContent.includes('Say why')", 20)
        browser.evaluate(
            "document.querySelector('dialog.modal [name=reason]').value = 'we deploy <!channel>'"
        )
        browser.evaluate("document.querySelector('dialog.modal [name=what]').value = 'service'")
        browser.evaluate("document.querySelector('dialog.modal button.primary').click()")
        browser.wait_until("document.querySelector('dialog.modal') === null", 20)
        browser.wait_until("document.getElementById('only-you').textContent.includes('Silenced')", 20)

        browser.evaluate(
            "(() => { const c = document.getElementById('command'); c.value = '/tocsin silences';"
            " c.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter' })); })()"
        )
        browser.wait_until("document.getElementById('only-you').textContent.includes('by Ada (Slack)')", 20)

        browser.evaluate(f"{button('over')}.click()")
        browser.wait_until(f"{button('over')} === null", 20)
        complaints = [event["entry"]["text"] for event in browser.events("Log.entryAdded")]
        assert complaints == []
    assert "<!channel>" not in json.dumps(tocsin.slack.messages())


@pytest.mark.browser
@pytest.mark.skipif(
    find_chromium() is None and os.environ.get("CI") != "true", reason="no Chromium is installed"
)
def test_by_clicking_an_error_becomes_known_and_goes_on_without_a_word(tocsin):
    tocsin.slack.channel.clear_faults()
    before = len(tocsin.slack.messages())
    fail(tocsin, "backend", UNKNOWN)
    tocsin.slack.wait_for(lambda all_: len(all_) > before and "known-error" in words(top(all_)))
    ts = top(tocsin.slack.messages())["ts"]
    store = ErrorTable(tocsin.deployment.client("dynamodb"), tocsin.deployment.table)
    with Chromium() as browser:
        browser.open(tocsin.slack.url)
        browser.wait_until("document.getElementById('live').textContent === 'live'")
        browser.evaluate(
            f"document.querySelector('#m{ts.replace('.', chr(92) * 2 + '.')} > .body > .content > .actions"
            ' [data-value="known-error"]\').click()'
        )
        browser.wait_until(
            f"document.getElementById('m{ts}').textContent.includes('takes this error as known until')", 20
        )
        complaints = [event["entry"]["text"] for event in browser.events("Log.entryAdded")]
        assert complaints == []
    says(tocsin, ts, "Ada takes this error as known until")
    (error,) = store.of_service("backend")
    assert (error.state.value, error.known_by) == ("known", "Ada (Slack)")
    told = len(tocsin.slack.messages())
    fail(tocsin, "backend", UNKNOWN)
    posted(tocsin, "/api/press", ts=ts, action_id="tocsin-take")
    shows(tocsin, ts, "Ada has it")
    says(tocsin, ts, "Ada has it.")
    assert len(tocsin.slack.messages()) == told + 1
    posted(tocsin, "/api/press", ts=ts, action_id="tocsin-over")


def test_a_queue_is_redriven_by_the_menu_and_what_the_cloud_refuses_is_told_in_the_thread(tocsin):
    """The embedded cloud has no StartMessageMoveTask: how a move is told is tried in memory (test_redriving.py)."""
    tocsin.slack.channel.clear_faults()
    deployment = tocsin.deployment
    alarm = deployment.dlq_alarm("backend")
    cloudwatch, sqs = deployment.client("cloudwatch"), deployment.client("sqs")
    queue = sqs.get_queue_url(QueueName="backend-dlq")["QueueUrl"]
    for _ in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody="given up on")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="3 messages")
    # In a message of its own, or in that of an incident of the service that is still open.
    everything = tocsin.slack.wait_for(lambda all_: any('"redrive"' in words(each) for each in all_))
    (ts,) = (each["ts"] for each in everything if '"redrive"' in words(each))

    pressed = posted(tocsin, "/api/press", ts=ts, action_id="tocsin-more", value="redrive")
    assert "backend-dlq: about 3 messages now" in json.dumps(pressed["dialog"]["view"])
    view = pressed["dialog"]["view_id"]
    (refusal,) = posted(tocsin, "/api/submit", view_id=view, values={})["ephemeral"]
    assert "because messages came into backend-dlq in the last 10 minutes" in refusal
    assert "“Redrive anyway”" in refusal

    pressed = posted(tocsin, "/api/press", ts=ts, action_id="tocsin-more", value="redrive")
    posted(tocsin, "/api/submit", view_id=pressed["dialog"]["view_id"], values={"how": "anyway"})
    says(tocsin, ts, "although the cause may still be there")
    deployment.client("lambda").invoke(FunctionName=deployment.functions["reconcile"], Payload=b"{}")
    says(tocsin, ts, "backend-dlq: it failed: ")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="emptied")
