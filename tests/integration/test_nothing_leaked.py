"""Nothing leaked: secrets planted in log lines go the whole way, from the envelope to Slack, and are seen nowhere.

The handlers ``detect`` and ``notify`` as Lambda calls them, on moto and the local Slack. Looked at is everything that left:
every request to AWS (the table's items, SNS in both forms, what is said about parked records), everything in Slack, everything
both functions log and answer.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import importlib
import io
import json
import logging
import time

import boto3
import pytest
from botocore.client import BaseClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import create_incident_table
from moto import mock_aws
from planted_secrets import planted, surviving
from test_delivery_handler import Context

from tocsin import bootstrap as wiring
from tocsin.core.ingest.event_shapes import UnknownEventError
from tocsin.core.redaction.sample import normalise
from tocsin_cli.fake_slack.server import LocalSlack

REGION = "eu-west-1"
ACCOUNT = "123456789012"  # moto's; the beginning of some secrets too
PLANTS = [plant for plant in planted() if not plant.missed]


class Stack:
    """Both functions, and a record of all that left them."""

    def __init__(self, slack):
        self.slack, self.left, self.services = slack, [], 0
        self.sqs = boto3.client("sqs", region_name=REGION)
        sns = boto3.client("sns", region_name=REGION)
        create_incident_table(boto3.client("dynamodb", region_name=REGION))
        self.topic = sns.create_topic(Name="alerts")["TopicArn"]
        self.queue, self.dead = (
            self.sqs.create_queue(QueueName=n)["QueueUrl"] for n in ("notify", "failures")
        )
        arn = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        sns.subscribe(
            TopicArn=self.topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"}
        )
        secret = json.dumps({"bot_token": slack.bot_token, "channel": slack.channel_id})
        boto3.client("secretsmanager", region_name=REGION).create_secret(
            Name="tocsin/slack", SecretString=secret
        )

    def start(self):
        """Both functions, cold."""
        wiring._client.cache_clear()
        self.detect = importlib.reload(importlib.import_module("detect"))
        self.notify = importlib.reload(importlib.import_module("notify"))
        self.notify.wired.cache_clear()

    def tell(self, *messages):
        """Let log lines go all the way, each in a service of its own; answers with the services."""
        self.left.clear()
        output = io.StringIO()
        services = []
        with contextlib.redirect_stdout(output):
            self.say_all()
            for message in messages:
                self.services += 1
                services.append(f"service{self.services}")
                self.left.append(json.dumps(self.detect.handler(envelope(services[-1], message), Context())))
            while records := self.received():
                self.left.append(json.dumps(self.notify.handler({"Records": records}, Context())))
        self.left += [output.getvalue(), json.dumps(self.slack.messages())]
        return services

    def say_all(self):
        for logger in (self.detect.logger(), self.notify.logger):
            logger.least = logging.INFO

    def received(self):
        messages = self.sqs.receive_message(
            QueueUrl=self.queue, MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=360
        ).get("Messages", [])
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return [
            {"messageId": m["MessageId"], "receiptHandle": m["ReceiptHandle"], "body": m["Body"], "attributes": m["Attributes"]}
            for m in messages
        ]  # fmt: skip

    def seen(self):
        """All that left, as one text, also with its escapes of JSON written out."""
        text = "\n".join(self.left).replace(ACCOUNT, "")
        plain = text.replace('\\\\\\"', '"').replace('\\"', '"').replace("\\\\n", "\n").replace("\\n", "\n")
        return f"{text}\n{plain}"


def envelope(service, message):
    document = {
        "messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": f"/app/{service}", "logStream": "s",
        "subscriptionFilters": ["f"],
        "logEvents": [{"id": service, "timestamp": time.time_ns() // 1_000_000, "message": message}],
    }  # fmt: skip
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()}}


@pytest.fixture(scope="module")
def stack():
    with pytest.MonkeyPatch.context() as patch, LocalSlack() as slack, mock_aws():
        for name, value in {
            "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x",
            "TOCSIN_TABLE": "incidents", "TOCSIN_SLACK_SECRET": "tocsin/slack", "TOCSIN_SLACK_API_URL": slack.api_url,
        }.items():  # fmt: skip
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        made = Stack(slack)
        patch.setenv("TOCSIN_ALERTS_TOPIC_ARN", made.topic)
        patch.setenv("TOCSIN_NOTIFY_QUEUE_URL", made.queue)
        patch.setenv("TOCSIN_FAILURE_QUEUE_URL", made.dead)
        call = BaseClient._make_api_call

        def recorded(client, operation, parameters):
            if operation == "SendMessage" and parameters["QueueUrl"] == made.dead:
                kept = json.loads(parameters["MessageBody"])
                kept.pop("record")  # as it came, on purpose; what is said about it is looked at
                made.left.append(json.dumps(kept))
            else:
                made.left.append(json.dumps(parameters, default=str))
            return call(client, operation, parameters)

        patch.setattr(BaseClient, "_make_api_call", recorded)
        made.start()
        yield made
        wiring._client.cache_clear()


@pytest.fixture(autouse=True)
def _begin_anew(stack):
    stack.slack.channel.clear()
    client = boto3.client("dynamodb", region_name=REGION)
    for item in client.scan(TableName="incidents")["Items"]:
        client.delete_item(TableName="incidents", Key={"pk": item["pk"], "sk": item["sk"]})


TRACEBACK = (
    '[ERROR] ValueError: {}\rTraceback (most recent call last):\r\u00a0\u00a0File "/var/task/app.py", line 3, in f\r'
    "\u00a0\u00a0\u00a0\u00a0raise ValueError(x)"
)  # fmt: skip


def in_ways(text):
    """A text in the places of a log line where one is found; each is a line that raises an alert."""
    failure = "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'x'"
    return [
        f"{failure}\n{text}",
        TRACEBACK.format(text),
        json.dumps({"level": "ERROR", "message": failure, "context": {"deep": [{"er": text}]}}),
        json.dumps({"level": "ERROR", "message": f"{failure} {json.dumps({'body': text})}"}),
        f"{text}\r\n{failure}",
    ]


@pytest.mark.parametrize("part", range(3))
def test_planted_secrets_are_seen_nowhere_from_the_table_to_slack(stack, part):
    plants = PLANTS[
        2 * part :: 15
    ]  # every fifteenth, so that each kind is among them; the unit tests try them all
    lines = [in_ways(plant.line)[(number + part) % 5] for number, plant in enumerate(plants)]
    services = stack.tell(*lines)
    seen = stack.seen()
    told = [service for service in services if any(service in m["text"] for m in stack.slack.messages())]
    assert told == services
    # Short ones and mere digits also occur in times and ids; the unit tests look at those.
    secrets = [one for plant in plants for one in plant.secrets if len(one) > 7 and not one.isdecimal()]
    assert len(secrets) > len(plants) / 2
    leaked = {part for secret in secrets if (part := surviving(normalise(secret), seen))}
    assert leaked == set()


CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
SECRET = st.text(CHARACTERS, min_size=36, max_size=40).map("Zq9{}".format)
SHAPES = [
    "ghp_{}", "glpat-{}", "sk_live_{}", "npm_{}", "xoxb-{}", "SG.{}", "AIza{}", "hf_{}", "hvs.{}", "sk-ant-{}", "eyJ9{}.{}",
    "password={}", '"client_secret": "{}"', "Authorization: Bearer {}", "postgres://app:{}@db.internal/prod", "--token {}",
    "https://x.example/cb?a=1&code={}&b=2", "{}@example.com", "Cookie: sid={}; a=b", "<password>{}</password>",
]  # fmt: skip
FILLER = st.text("abcdefg \n\t\"'{}[]\\:,=<>&é漢", max_size=40)


@given(
    secret=SECRET,
    shape=st.sampled_from(SHAPES),
    before=FILLER,
    length=st.integers(0, 2_500),
    after=st.integers(0, 2_500),
    way=st.integers(0, 4),
)
@settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_secret_anywhere_in_a_line_also_at_the_cut_is_seen_nowhere(
    stack, secret, shape, before, length, after, way
):
    text = f"{before}{'x ' * (length // 2)} {shape.replace('{}', secret)} {'y ' * (after // 2)}"
    stack.tell(in_ways(text)[way])
    assert not surviving(secret, stack.seen())


@pytest.mark.parametrize(
    "line",
    [
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named '{}'",
        'FATAL: database "{}" does not exist',
        'FATAL: password authentication failed for user "{}"',
        "An error occurred (NoSuchBucket) when calling the HeadBucket operation: {}: The specified bucket does not exist: {}",
    ],
)
def test_a_secret_in_a_captured_field_is_seen_nowhere(stack, line):
    secrets = ["ghp_Zq9" + CHARACTERS[:33], "AKIAQYLPMN5HHHFPZAM2", "jane.roe@hospital.example"]
    stack.tell(*(line.replace("{}", secret) for secret in secrets))
    assert stack.slack.messages()
    assert not any(surviving(secret, stack.seen()) for secret in secrets)


def test_what_is_said_about_a_record_that_cannot_be_read_holds_nothing_of_it(stack):
    secret = "ghp_Zq9" + CHARACTERS[:33]
    broken = {
        "messageType": "X",
        f"password={secret}": secret,
        "logEvents": [{"message": secret}],
        "logGroup": secret,
    }
    packed = base64.b64encode(gzip.compress(json.dumps(broken).encode())).decode()
    half = envelope("bad", "x")
    events = [
        {"awslogs": {"data": packed}},
        {"awslogs": {"data": packed[:40] + secret}},
        {"awslogs": {"data": {secret: secret}}},
        {"Records": [{f"token={secret}": 1}, {"Sns": {"Message": json.dumps({"AlarmName": secret, secret: 1})}}, half]},
        {"Records": [{"eventSource": "aws:sqs", "body": json.dumps({f"api_key={secret}": secret})}]},
    ]  # fmt: skip
    stack.left.clear()
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        stack.say_all()
        for event in events:
            stack.left.append(json.dumps(stack.detect.handler(event, Context())))
        with pytest.raises(UnknownEventError) as refused:
            stack.detect.handler({f"password={secret}": secret}, Context())
    stack.left += [output.getvalue(), str(refused.value)]
    assert "not understood" in stack.seen()
    assert not surviving(secret, stack.seen())
