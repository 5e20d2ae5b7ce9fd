"""What the scenario does not come to, so that every grant of the template's roles is needed by a call that is made.

Unknown errors, records and messages that cannot be read, a queue with messages in it, the heartbeat, a second destination,
Slack that asks for patience, and everything that people can press or type.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from msgspec.structs import replace

from reliability.deployment import MINUTE, SECOND, Deployment
from reliability.faults import Plan
from reliability.scenario import SHORT, Story, envelope
from tocsin.adapters.aws.error_table import ErrorTable
from tocsin.core.config.routing import DEFAULT, Destination, Route, Routing
from tocsin.core.signatures.heartbeat import heartbeat_line
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tocsin.core.slack.action_blocks import MENU, Target, dump_target, load_target
from tocsin.core.slack.signing import signature_of
from tocsin.core.slack.silence_dialog import DialogContext, silence_dialog
from tocsin_cli.fake_slack.channel import Fault as SlackFault

HEARTBEAT = "/tocsin/local/heartbeat"
TOPIC = "arn:aws:sns:us-east-1:123456789012:heartbeat"
FURTHER_SECRET = "tocsin/team-a"
ENVIRONMENT = {
    **SHORT,
    "TOCSIN_SLACK_ACTIONS": "yes",
    "TOCSIN_HEARTBEAT_MINUTES": "5",
    "TOCSIN_HEARTBEAT_LOG_GROUP": HEARTBEAT,
    "TOCSIN_HEARTBEAT_TOPIC_ARN": TOPIC,
}
_ANSWERS = "http://127.0.0.1:0/answers/1.x"


def every_grant(plan: Plan | None = None) -> Deployment:
    """Let all of it happen in a deployment of its own."""
    deployment = Deployment("bot", plan, environment=ENVIRONMENT)
    notify = deployment._handlers["notify"]
    settings = notify.settings
    notify.settings = replace(settings, routing=_two_destinations())
    try:
        _create_what_the_scenario_has_not(deployment)
        _let_happen(deployment)
    finally:
        notify.settings = settings
    return deployment


def _let_happen(deployment: Deployment) -> None:
    story = Story(deployment)
    now = deployment.wire.now
    story.log("backend", {"import-module-error": 1})
    deployment.deliver(envelope("backend", ["[ERROR] the flux capacitor is out of plutonium"], now, 77))
    deployment.deliver(
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "no base64", "sequenceNumber": "1"}}]}
    )
    story.alarm("worker", "ALARM", after=10 * SECOND)
    _pass(deployment, 2 * MINUTE)
    now = deployment.wire.now
    deployment.deliver(envelope("", [heartbeat_line(now)], now, 78, log_group=HEARTBEAT))
    _pass(deployment, SECOND)
    _people(deployment)
    _pass(deployment, MINUTE)
    deployment.slack.channel.add_fault(SlackFault(429, retry_after=90))
    story.log("payments", {"lambda-timeout": 1})
    deployment._sqs.send_message(deployment._queues["notify"], "of no version that could be read")
    _pass(deployment, 3 * MINUTE)


def _people(deployment: Deployment) -> None:
    """Somebody takes the incident, chooses what the menu has, silences it by the dialog, and types every command."""
    value = next(
        element["value"]
        for _, message in deployment.told
        for block in message["blocks"]
        for element in block.get("elements", ())
        if element.get("action_id") == "tocsin-take"
    )
    for number, name in enumerate(("tocsin-take", "tocsin-silence")):
        action = {"action_id": name, "value": value}
        _send(deployment, _payload(deployment, "block_actions", actions=[action], trigger_id=f"1.{number}"))
        _pass(deployment, SECOND)
    (error,) = ErrorTable(deployment._platform("dynamodb"), deployment.table).everything()
    of_error = Target(load_target(value).incident, error.service, error.id, UNKNOWN_ERROR)
    for number, (chosen, block) in enumerate(
        {"not-an-alert": value, "known-error": dump_target(of_error)}.items()
    ):
        action = {"action_id": MENU, "selected_option": {"value": chosen}, "block_id": block}
        _send(deployment, _payload(deployment, "block_actions", actions=[action], trigger_id=f"3.{number}"))
        _pass(deployment, SECOND)
    dialog = silence_dialog(DialogContext(load_target(value), _ANSWERS))
    typed = {"what": {"selected_option": {"value": "service"}}, "until": {"selected_option": {"value": "1h"}}}
    values = {block: {"e": element} for block, element in {**typed, "reason": {"value": "a test"}}.items()}
    view = {
        "id": "V1",
        "callback_id": dialog["callback_id"],
        "private_metadata": dialog["private_metadata"],
        "state": {"values": values},
    }
    _send(deployment, _payload(deployment, "view_submission", view=view))
    for number, text in enumerate(("", "silences", "silence service=worker 1h a test")):
        _pass(deployment, SECOND)
        fields = {
            "command": "/tocsin", "text": text, "user_id": "UADA", "user_name": "ada", "trigger_id": f"2.{number}",
            "team_id": deployment.slack.signing["team_id"], "api_app_id": deployment.slack.signing["app_id"],
            "channel_id": deployment.slack.channel_id, "response_url": _ANSWERS,
        }  # fmt: skip
        _send(deployment, fields)


def _payload(deployment: Deployment, kind: str, **more: Any) -> dict[str, str]:
    signing = deployment.slack.signing
    given = {
        "type": kind, "user": {"id": "UADA", "name": "Ada"}, "api_app_id": signing["app_id"],
        "team": {"id": signing["team_id"]}, "response_url": _ANSWERS,
        "channel": {"id": deployment.slack.channel_id}, **more,
    }  # fmt: skip
    return {"payload": json.dumps(given)}


def _send(deployment: Deployment, fields: dict[str, str]) -> None:
    body, at = urlencode(fields), str(deployment.wire.now // 1000)
    signature = signature_of(deployment.slack.signing["signing_secret"], at, body.encode())
    headers = {"x-slack-request-timestamp": at, "x-slack-signature": signature}
    deployment.ask({"requestContext": {"http": {"method": "POST"}}, "headers": headers, "body": body})


def _pass(deployment: Deployment, time: int) -> None:
    deployment.run_until(deployment.wire.now + time)


def _two_destinations() -> Routing:
    further = Destination("team-a", secret=FURTHER_SECRET)
    return Routing(
        destinations={DEFAULT: Destination(DEFAULT), "team-a": further},
        routes=(Route("routes[0]", match={"service": ("payments",)}, destination="team-a"),),
    )


def _create_what_the_scenario_has_not(deployment: Deployment) -> None:
    logs, sns = deployment._platform("logs"), deployment._platform("sns")
    if not logs.describe_log_groups(logGroupNamePrefix=HEARTBEAT)["logGroups"]:
        logs.create_log_group(logGroupName=HEARTBEAT)
    sns.create_topic(Name="heartbeat")
    queue = f"arn:aws:sqs:us-east-1:123456789012:{deployment._queues['notify']}"
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    secret = json.dumps({"webhook_url": deployment.slack.webhook_url})
    deployment._platform("secretsmanager").create_secret(Name=FURTHER_SECRET, SecretString=secret)
    deployment._sqs.send_message("worker-dlq", "left over")
