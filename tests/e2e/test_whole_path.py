"""From a log line to Slack through the deployed template, as somebody tries it from outside with boto3 and HTTP."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from outside import Outside

ROOT = Path(__file__).resolve().parents[2]
FAULT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named '{}'"

SHORT = ("--set", "group_interval=2s", "--set", "regress_within=1s")

pytestmark = [pytest.mark.cloud, pytest.mark.minutes]


@pytest.fixture(scope="module")
def bot():
    # What comes back a second later is a new incident here, so that each test has one of its own.
    outside = Outside(*SHORT, "--set", "resolve_after=5s", "--set", "RepeatInterval=1h")
    yield outside
    assert outside.stop() == 0


@pytest.fixture(scope="module")
def webhook():
    outside = Outside("--slack-mode", "webhook", *SHORT, "--set", "resolve_after=7s")
    yield outside
    assert outside.stop() == 0


def over(message):
    return "Resolved" in message["text"]


def all_over(messages):
    """Whether every incident is over and its thread tells it: no more to come."""
    roots = {message["ts"] for message in messages if message["thread_ts"] is None}
    ended = {message["ts"] for message in messages if message["thread_ts"] is None and over(message)}
    replies = [message for message in messages if message["thread_ts"]]
    told_end = {reply["thread_ts"] for reply in replies if over(reply)}
    return bool(roots) and roots == ended == told_end


def test_the_ready_line_keeps_its_promises(bot):
    assert bot.ready["ready"] is True
    assert set(bot.ready) >= {
        "ready", "aws_endpoint", "region", "slack_url", "log_groups", "dlqs", "table", "alerts_topic", "functions",
    }  # fmt: skip
    assert set(bot.ready["log_groups"]) == {"backend", "worker"}
    assert set(bot.ready["functions"]) == {"detect", "reconcile", "notify", "respond"}
    names = {f["FunctionName"] for f in bot.client("lambda").list_functions()["Functions"]}
    assert set(bot.ready["functions"].values()) <= names
    assert bot.client("dynamodb").describe_table(TableName=bot.ready["table"])


def test_a_storm_becomes_one_message_edited_in_place_and_resolved(bot):
    # Each of an invocation of its own: what one invocation says again is one failure.
    invocations = [f"START RequestId: {uuid.UUID(int=number)} Version: $LATEST" for number in range(500)]
    bot.put("backend", *(line for start in invocations for line in (start, FAULT.format("mangum"))))
    bot.wait_for(lambda messages: len(messages) >= 1)
    bot.put("backend", *[FAULT.format("mangum")] * 300)
    messages = bot.wait_for(all_over)
    roots = [m for m in messages if m["thread_ts"] is None]
    assert len(roots) == 1
    assert roots[0]["edits"]
    assert "800" in json.dumps(roots[0]["blocks"])
    assert all(m["thread_ts"] == roots[0]["ts"] for m in messages if m is not roots[0])
    bot.clear()


def test_the_same_batch_delivered_again_changes_nothing(bot):
    envelope = {
        "messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": bot.ready["log_groups"]["worker"],
        "logStream": "again", "subscriptionFilters": ["f"],
        "logEvents": [{"id": f"{i:056d}", "timestamp": int(time.time() * 1000), "message": FAULT.format("twice")} for i in range(7)],
    }  # fmt: skip
    event = {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(envelope).encode())).decode()}}
    for _ in range(3):
        answer = bot.client("lambda").invoke(
            FunctionName=bot.ready["functions"]["detect"], Payload=json.dumps(event).encode()
        )
        assert "FunctionError" not in answer
    messages = bot.wait_for(all_over)
    roots = [m for m in messages if m["thread_ts"] is None]
    assert len(roots) == 1
    assert "seen 7 times" in json.dumps(roots[0]["blocks"]).lower()
    bot.clear()


def test_an_alarm_joins_the_incident_of_its_service_and_its_ok_ends_it(bot):
    bot.put("worker", FAULT.format("models"))
    bot.wait_for(lambda messages: len(messages) >= 1)
    bot.set_alarm("worker", "ALARM")
    bot.wait_for(
        lambda messages: any("dead-letter" in json.dumps(m).lower() for m in messages if m["thread_ts"])
    )
    assert len(bot.roots()) == 1
    bot.set_alarm("worker", "OK")
    bot.wait_for(all_over)
    bot.clear()


@pytest.mark.parametrize(
    "fault", [{"status": 429, "retry_after": 1, "times": 3}, {"status": 500, "times": 2}], ids=str
)
def test_slack_failing_for_a_while_loses_nothing_and_doubles_nothing(bot, fault):
    bot.call("POST", "/api/faults", fault)
    bot.put("backend", *[FAULT.format("faulty")] * 9)
    messages = bot.wait_for(all_over)
    assert len([m for m in messages if m["thread_ts"] is None]) == 1
    texts = [json.dumps(m["blocks"]) for m in messages if m["thread_ts"]]
    assert len(texts) == len(set(texts))
    bot.clear()


def test_a_post_that_took_effect_but_seemed_to_fail_is_found_again(bot):
    bot.call("POST", "/api/faults", {"status": 500, "times": 1, "after_effect": True})
    bot.put("backend", FAULT.format("ambiguous"))
    messages = bot.wait_for(all_over)
    assert len([m for m in messages if m["thread_ts"] is None]) == 1
    bot.clear()


def test_hostile_lines_and_secrets_stay_harmless(bot):
    secret = "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"
    bot.put(
        "backend",
        FAULT.format("evil")
        + f" <!channel> ``` <https://evil.example|click> password=hunter2 {secret} jane.doe@example.com",
    )
    messages = bot.wait_for(all_over)
    shown = json.dumps([[m["text"], m["blocks"]] for m in messages])
    assert "evil" in shown
    for leak in ("<!channel>", "hunter2", secret, "jane.doe@example.com", "<https://evil.example"):
        assert leak not in shown
    bot.clear()


def test_webhook_mode_posts_each_notification_as_a_message(webhook):
    webhook.put("backend", *[FAULT.format("mangum")] * 20)
    webhook.wait_for(lambda messages: len(messages) >= 1)
    webhook.put("backend", *[FAULT.format("mangum")] * 20)
    messages = webhook.wait_for(lambda messages: any(over(m) for m in messages))
    assert all(m["thread_ts"] is None and not m["edits"] for m in messages)
    assert len(messages) == 3
    webhook.clear()


def test_webhook_mode_survives_faults(webhook):
    webhook.call("POST", "/api/faults", {"status": 429, "retry_after": 1, "times": 2})
    webhook.put("worker", FAULT.format("late"))
    messages = webhook.wait_for(lambda messages: any(over(m) for m in messages))
    assert [over(m) for m in messages] == [False, True]
    webhook.clear()


def test_an_envelope_that_cannot_be_read_is_kept_and_said(bot):
    event = {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "bm90IGd6aXA="}}]}
    answer = bot.client("lambda").invoke(
        FunctionName=bot.ready["functions"]["detect"], Payload=json.dumps(event).encode()
    )
    assert len(json.loads(answer["Payload"].read())["dead_lettered"]) == 1
    outputs = bot.client("cloudformation").describe_stacks(StackName=bot.ready["stack"])["Stacks"][0][
        "Outputs"
    ]
    url = next(o["OutputValue"] for o in outputs if o["OutputKey"] == "FailureQueueUrl")
    kept = bot.client("sqs").receive_message(QueueUrl=url)["Messages"][0]
    assert json.loads(kept["Body"])["record"] == event["Records"][0]


def test_a_bad_flag_is_refused_by_name():
    answer = subprocess.run(
        [sys.executable, "-m", "tocsin_cli.main", "local", "--set", "grup_interval=5"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'functions'}{os.pathsep}{ROOT}"}, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert "grup_interval=5" in answer.stderr
    assert "GroupInterval" in answer.stderr
