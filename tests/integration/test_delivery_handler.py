"""The notify function as Lambda calls it: the real wiring, with AWS and Slack on this machine."""

import contextlib
import importlib
import io
import json
import logging

import boto3
import pytest
from ledgers import create_incident_table
from moto import mock_aws
from msgspec.structs import replace
from sample_incidents import IMPORT_ERROR, RUNBOOKS, SIGNATURES, incident, pending

from tocsin.adapters.aws.sns import AlertsTopic
from tocsin.core.config.settings import parse_settings
from tocsin.core.model import Reason
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import to_json
from tocsin_cli.fake_slack.channel import Fault
from tocsin_cli.fake_slack.server import LocalSlack

REGION = "eu-west-1"


class Context:
    function_name = "notify"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:notify"
    aws_request_id = "6f0c4cfc-a501-4707-a079-092ef0aa1122"

    def get_remaining_time_in_millis(self):
        return 60_000


@pytest.fixture
def slack():
    with LocalSlack() as server:
        yield server


@pytest.fixture
def cloud(monkeypatch, slack):
    with mock_aws():
        for name, value in {
            "AWS_DEFAULT_REGION": REGION, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
            "TOCSIN_TABLE": "incidents", "TOCSIN_SLACK_SECRET": "tocsin/slack",
            "TOCSIN_SLACK_API_URL": slack.api_url,
        }.items():  # fmt: skip
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
        cloud = Cloud(slack)
        monkeypatch.setenv("TOCSIN_NOTIFY_QUEUE_URL", cloud.queue)
        monkeypatch.setenv("TOCSIN_FAILURE_QUEUE_URL", cloud.dead)
        yield cloud


class Cloud:
    """The stack's parts that notify touches."""

    def __init__(self, slack):
        self.slack = slack
        self.sns, self.sqs = (boto3.client(name, region_name=REGION) for name in ("sns", "sqs"))
        create_incident_table(boto3.client("dynamodb", region_name=REGION))
        self.topic = self.sns.create_topic(Name="alerts")["TopicArn"]
        self.queue, self.dead = (
            self.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("notify", "notify-dead")
        )
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        self.sns.subscribe(
            TopicArn=self.topic, Protocol="sqs", Endpoint=arn,
            Attributes={
                "RawMessageDelivery": "true", "FilterPolicy": json.dumps({"reason": [{"exists": True}]}),
            },
        )  # fmt: skip
        self.routing = None
        self.secrets = boto3.client("secretsmanager", region_name=REGION)

    def keep_secret(self, secret, name="tocsin/slack"):
        self.secrets.create_secret(Name=name, SecretString=json.dumps(secret))

    def publish(self, reason=Reason.OPENED, sequence=1):
        notification = build_notification(
            incident(), pending(reason, IMPORT_ERROR, sequence=sequence), SIGNATURES, runbooks_url=RUNBOOKS
        )
        AlertsTopic(self.sns, self.topic).publish(notification)

    def event(self):
        """What the event source hands to the function."""
        messages = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=360
        ).get("Messages", [])
        return {
            "Records": [
                {"messageId": m["MessageId"], "receiptHandle": m["ReceiptHandle"], "body": m["Body"],
                 "attributes": m["Attributes"]}
                for m in messages
            ]
        }  # fmt: skip

    def invoke(self, event=None):
        notify = importlib.reload(importlib.import_module("notify"))
        notify.wired.cache_clear()
        if self.routing:
            notify.settings = replace(notify.settings, routing=self.routing)
        notify.logger.least = logging.INFO
        with contextlib.redirect_stdout(io.StringIO()) as output:
            answer = notify.handler(self.event() if event is None else event, Context())
        self.log = output.getvalue()
        return answer


def test_from_the_topic_to_the_channel_by_bot(cloud):
    cloud.keep_secret({"bot_token": cloud.slack.bot_token, "channel": cloud.slack.channel_id})
    cloud.publish()
    cloud.publish(Reason.UPDATE, 2)
    assert cloud.invoke() == {"batchItemFailures": []}
    (main,) = cloud.slack.messages()
    assert main["text"].startswith("🔴 Lambda cannot import its handler · worker")
    assert len(main["edits"]) <= 1
    cloud.publish(Reason.REGRESSED, 3)
    assert cloud.invoke() == {"batchItemFailures": []}
    main, reply = cloud.slack.messages()
    assert main["text"].startswith("🔴 Back again: Lambda cannot import its handler · worker")
    assert reply["thread_ts"] == main["ts"]
    assert cloud.slack.bot_token not in cloud.log
    assert "mangum" not in cloud.log
    assert '"message":"delivered"' in cloud.log.replace(": ", ":")


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("never", {2: False, 3: False}),
        ("important", {2: True, 3: False}),
        ("", {2: True, 3: False}),
        ("always", {2: True, 3: True}),
    ],
)
def test_the_deployment_says_which_replies_the_channel_shows_too(cloud, monkeypatch, setting, shown):
    monkeypatch.setenv("TOCSIN_REPLIES_IN_CHANNEL", setting)
    cloud.keep_secret({"bot_token": cloud.slack.bot_token, "channel": cloud.slack.channel_id})
    for sequence, reason in enumerate((Reason.OPENED, Reason.REGRESSED, Reason.RESOLVED), 1):
        cloud.publish(reason, sequence)
        assert cloud.invoke() == {"batchItemFailures": []}
    assert {
        message["metadata"]["event_payload"]["sequence"]: message["reply_broadcast"]
        for message in cloud.slack.messages()
        if message["thread_ts"]
    } == shown


def test_from_the_topic_to_the_channel_by_webhook(cloud):
    cloud.keep_secret({"webhook_url": cloud.slack.webhook_url})
    cloud.publish()
    event = cloud.event()
    assert cloud.invoke(event) == {"batchItemFailures": []}
    assert cloud.invoke(event) == {"batchItemFailures": []}
    assert [message["via"] for message in cloud.slack.messages()] == ["webhook"]
    assert cloud.slack.webhook_url not in cloud.log


def test_a_rate_limit_hides_the_message_for_as_long_as_slack_asks(cloud):
    cloud.keep_secret({"webhook_url": cloud.slack.webhook_url})
    cloud.publish()
    cloud.slack.add_fault(Fault(status=429, retry_after=7))
    event = cloud.event()
    assert cloud.invoke(event) == {
        "batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]
    }
    assert '"again_in_seconds":7' in cloud.log.replace(": ", ":")
    assert cloud.invoke(event) == {"batchItemFailures": []}
    assert len(cloud.slack.messages()) == 1


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        (None, "there is no such secret"),
        ({}, "holds neither a webhook nor a bot token"),
        ({"bot_token": "xoxb-secret"}, "channel must be the channel's id"),
        ("text-secret", "is not a JSON object"),
    ],
)
def test_a_secret_that_is_missing_or_holds_nothing_is_a_clear_error_and_loses_nothing(cloud, secret, said):
    if secret is not None:
        cloud.keep_secret(secret)
    cloud.publish()
    event = cloud.event()
    assert len(cloud.invoke(event)["batchItemFailures"]) == 1
    assert said in cloud.log
    assert "tocsin/slack" in cloud.log
    assert "-secret" not in cloud.log
    event["Records"][0]["attributes"]["SentTimestamp"] = "0"
    assert cloud.invoke(event) == {"batchItemFailures": []}
    (parked,) = cloud.sqs.receive_message(QueueUrl=cloud.dead, MessageAttributeNames=["All"])["Messages"]
    assert parked["Body"] == event["Records"][0]["body"]
    assert said in parked["MessageAttributes"]["error"]["StringValue"]


# ------------------------------------------------------------------ several destinations

ROUTED = """
[destinations.oncall]
secret = "tocsin/oncall"
mention = "S0ONCALL1"
[[routes]]
match = { severity = ["critical"] }
destination = "oncall"
continue = true
[[routes]]
"""


@pytest.fixture
def routed(cloud):
    """Two destinations: ``oncall``, a channel of its own by bot, and the default one, by webhook."""
    cloud.slack.channels["C0ONCALL"] = "oncall"
    cloud.routing = parse_settings(ROUTED, {}).routing
    cloud.keep_secret({"webhook_url": cloud.slack.webhook_url})
    cloud.keep_secret({"bot_token": cloud.slack.bot_token, "channel": "C0ONCALL"}, "tocsin/oncall")
    return cloud


def told_in(cloud):
    return [(m["channel"], bool(m["thread_ts"])) for m in cloud.slack.messages()]


EVERYWHERE = [("C0ONCALL", False), ("C0ONCALL", True), ("C0ALERTS", False)]
"""Where a new alert is told: as its incident's message and a reply by bot, and by webhook."""


def test_each_destination_has_its_own_secret_message_record_and_mention(routed):
    told = 0
    for sequence, reason, where, calling in (
        (1, Reason.OPENED, [("C0ONCALL", False), ("C0ALERTS", False)], True),
        (2, Reason.NEW_ALERT, [("C0ONCALL", True), ("C0ALERTS", False)], True),
        (3, Reason.RESOLVED, [("C0ONCALL", True), ("C0ALERTS", False)], False),
    ):
        routed.publish(reason, sequence)
        assert routed.invoke() == {"batchItemFailures": []}
        assert told_in(routed)[told:] == where
        by_bot, by_webhook = (json.dumps(message["blocks"]) for message in routed.slack.messages()[told:])
        assert ("<!subteam^S0ONCALL1>" in by_bot) is calling
        assert "subteam" not in by_webhook
        told += len(where)
    items = boto3.client("dynamodb", region_name=REGION).scan(TableName="incidents")["Items"]
    assert sorted(item["sk"]["S"] for item in items) == ["SLACK", "SLACK#oncall"]
    assert routed.slack.bot_token not in routed.log
    assert routed.slack.webhook_url not in routed.log


@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("method", "opened"),
    [("webhook", False), ("webhook", True), ("chat.postMessage", False), ("chat.postMessage", True), ("chat.update", True)],
    ids=["by webhook at first", "by webhook later", "the message", "the reply", "the edit"],
)  # fmt: skip
def test_a_failure_before_or_after_it_took_effect_in_one_destination_is_repaired_and_told_once_in_the_other(
    routed, method, opened, after_effect
):
    earlier = []
    if opened:
        routed.publish()
        assert routed.invoke() == {"batchItemFailures": []}
        earlier = [("C0ALERTS", False)]  # beside the one message by bot, which is edited
    routed.publish(Reason.NEW_ALERT, 2)
    event = routed.event()
    routed.slack.add_fault(Fault(status=500, method=method, after_effect=after_effect))
    assert len(routed.invoke(event)["batchItemFailures"]) == 1
    event["Records"][0]["attributes"]["ApproximateReceiveCount"] = "2"
    assert routed.invoke(event) == {"batchItemFailures": []}
    assert routed.invoke(event) == {"batchItemFailures": []}
    # A webhook cannot be asked whether it posted: after a unconfirmed answer it posts again.
    twice = [("C0ALERTS", False)] if method == "webhook" and after_effect else []
    assert sorted(told_in(routed)) == sorted(earlier + EVERYWHERE + twice)


def test_a_destination_without_a_secret_is_parked_in_the_end_and_the_other_is_told_once(routed):
    routed.secrets.delete_secret(SecretId="tocsin/oncall", ForceDeleteWithoutRecovery=True)
    routed.publish(Reason.NEW_ALERT)
    event = routed.event()
    assert len(routed.invoke(event)["batchItemFailures"]) == 1
    assert told_in(routed) == [("C0ALERTS", False)]
    event["Records"][0]["attributes"]["SentTimestamp"] = "0"
    assert routed.invoke(event) == {"batchItemFailures": []}
    (parked,) = routed.sqs.receive_message(QueueUrl=routed.dead, MessageAttributeNames=["All"])["Messages"]
    assert "destination oncall: " in parked["MessageAttributes"]["error"]["StringValue"]
    assert "there is no such secret" in parked["MessageAttributes"]["error"]["StringValue"]
    assert told_in(routed) == [("C0ALERTS", False)]
    routed.keep_secret({"bot_token": routed.slack.bot_token, "channel": "C0ONCALL"}, "tocsin/oncall")
    assert routed.invoke(event) == {"batchItemFailures": []}  # as a redrive of the dead-letter queue would
    assert sorted(told_in(routed)) == sorted(EVERYWHERE)


def test_tocsins_own_alarms_reach_other_subscribers_and_not_slack(cloud):
    cloud.sns.publish(TopicArn=cloud.topic, Message='{"AlarmName": "tocsin-notify-dead-letters"}')
    assert cloud.event() == {"Records": []}


def test_an_empty_batch_is_no_fault(cloud):
    assert cloud.invoke({"Records": []}) == {"batchItemFailures": []}


def test_a_dry_run_answers_with_what_it_would_post_and_calls_nobody(monkeypatch):
    monkeypatch.setenv("TOCSIN_DRY_RUN", "1")
    monkeypatch.delenv("TOCSIN_TABLE", raising=False)
    notify = importlib.reload(importlib.import_module("notify"))
    records = [
        {
            "messageId": str(sequence),
            "body": to_json(
                build_notification(
                    incident(), pending(reason, IMPORT_ERROR, sequence=sequence), SIGNATURES, runbooks_url=RUNBOOKS
                )
            ),
        }
        for sequence, reason in ((1, Reason.OPENED), (2, Reason.REGRESSED))
    ]  # fmt: skip
    answer = notify.handler({"Records": records}, Context())
    opened, again = answer["would_post"]
    for shown in (opened, again):
        assert shown["bot"]["message"]["blocks"][0]["type"] == "header"
        assert shown["told_in"] == [{"destination": "default", "mentions": []}]
    assert opened["webhook"]["message"]["text"].startswith("🔴 Lambda cannot import")
    assert again["webhook"]["message"]["text"].startswith("🔴 Back again: Lambda cannot import")
    assert opened["bot"]["reply"] is None
    assert again["bot"]["reply"]["blocks"]
    assert again["bot"]["reply"]["reply_broadcast"] is True
    json.dumps(answer)
