"""The doctor on what goes out: topic, queue, event source, Slack's credential, and the channel that is not Slack."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from tocsin.adapters.slack.credentials import (
    SHAPES,
    BotCredential,
    Credential,
    WebhookCredential,
    read_credential,
)
from tocsin.adapters.slack.errors import CredentialRefusedError
from tocsin.core.config.routing import DEFAULT
from tocsin.core.config.settings import Settings
from tocsin_cli.aws_errors import if_there, is_missing
from tocsin_cli.doctor.findings import Examined, Finding, covers, fail, ok, principals, warn
from tocsin_cli.doctor.fixes import put_secret, restore, set_parameter
from tocsin_cli.doctor.ingress import mapping, subscriptions_of

if TYPE_CHECKING:
    import requests

_TIMEOUT = 15
"""Seconds."""
_SLACK_AWAY = (500, 502, 503, 504)
_NOT_SENT = "no notification reaches Slack"
_DEAD_LETTERED = "notifications go to the dead-letter queue after five minutes"


def topics(stack: Examined) -> Iterator[Finding]:
    """Each topic on the way to Slack leads into notify's queue."""
    lost = {stack.outputs["AlertsTopicArn"]: _NOT_SENT}
    if "HeartbeatTopic" in stack.resources:
        lost[stack.resources["HeartbeatTopic"].physical] = "the heartbeat stops, and its alarm goes off"
    queue = queue_arn(stack, stack.outputs["NotifyQueueUrl"])
    for topic, why in lost.items():
        subscriptions = if_there(partial(subscriptions_of, stack, topic))
        if subscriptions is None:
            yield fail("topic", f"the topic {topic} is gone", _NOT_SENT, restore())
        elif any(each["Protocol"] == "sqs" and each["Endpoint"] == queue for each in subscriptions):
            yield ok("topic", f"{topic.rpartition(':')[2]} leads into notify's queue")
        else:
            yield fail(
                "topic",
                f"notify's queue is not subscribed to {topic}",
                why,
                f"aws sns subscribe --topic-arn {topic} --protocol sqs --notification-endpoint {queue} "
                "--attributes RawMessageDelivery=true",
            )


def queue_arn(stack: Examined, url: str) -> str:
    """A queue's ARN; put together where the queue is gone."""
    attributes = _attributes(stack, url, "QueueArn")
    if attributes is not None:
        return attributes["QueueArn"]
    account, name = url.rstrip("/").rsplit("/", 2)[-2:]
    return f"arn:aws:sqs:{stack.region}:{account}:{name}"


def _attributes(stack: Examined, url: str, name: str) -> dict[str, str] | None:
    """A queue with one attribute of it, where it has a value; None where the queue is gone."""
    sqs = stack.client("sqs")
    answer = if_there(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name]))
    return None if answer is None else answer.get("Attributes", {})


def queue_policy(stack: Examined) -> Iterator[Finding]:
    """The alerts topic may write into notify's queue."""
    url, topic = stack.outputs["NotifyQueueUrl"], stack.outputs["AlertsTopicArn"]
    attributes = _attributes(stack, url, "Policy")
    if attributes is None:
        yield fail("queue", f"notify's queue {url} is gone", _NOT_SENT, restore())
        return
    policy = json.loads(attributes.get("Policy") or "{}")
    allowed = principals(policy, "sqs:SendMessage")
    if any(service in {"sns.amazonaws.com", "*"} and covers(source, topic) for service, source in allowed):
        yield ok("queue-policy", "the alerts topic may write into notify's queue")
    else:
        yield fail(
            "queue-policy",
            f"the alerts topic may not write into {url}",
            _NOT_SENT + "; SNS keeps what it cannot deliver in the dead-letter queue, if it may",
            restore(),
        )


def event_source(stack: Examined) -> Iterator[Finding]:
    """Notify takes what is in its queue."""
    yield from mapping(
        stack,
        "NotifyFunctionName",
        "event-source",
        "notifications pile up in the queue, and none reaches Slack",
    )


def dead_letters(stack: Examined) -> Iterator[Finding]:
    """Nothing is in the queues that only people empty."""
    meaning = {
        "NotifyDeadLetterQueueUrl": (
            "notifications that Slack did not take",
            "nobody was notified of them",
            "tocsin-delivery-failed.md",
        ),
        "FailureQueueUrl": (
            "events that detect could not process",
            "nobody was notified of what is in them",
            "tocsin-detect-failed.md",
        ),
    }
    for output, (what, why, runbook) in meaning.items():
        url = stack.outputs[output]
        attributes = _attributes(stack, url, "ApproximateNumberOfMessages")
        if attributes is None:
            yield fail("dead-letters", f"the queue {url} is gone", "what fails is kept nowhere", restore())
            continue
        count = int(attributes["ApproximateNumberOfMessages"])
        if not count:
            yield ok("dead-letters", f"no {what}")
            continue
        fix = f"runbooks/{runbook}: read the log, repair the cause"
        if output == "NotifyDeadLetterQueueUrl":
            fix += f", then: aws sqs start-message-move-task --source-arn {queue_arn(stack, url)} --destination-arn {queue_arn(stack, stack.outputs['NotifyQueueUrl'])}"
        yield fail("dead-letters", f"{count} {what} are in {url}", why + "; after 14 days they are gone", fix)


def ops_topic(stack: Examined) -> Iterator[Finding]:
    """Somebody gets Tocsin's alarms about itself otherwise than by Slack, and has confirmed it."""
    topic = stack.outputs["OpsTopicArn"]
    subscriptions = if_there(lambda: subscriptions_of(stack, topic))
    if subscriptions is None:
        yield fail(
            "ops-topic",
            f"the ops topic {topic} is gone",
            "Tocsin's alarms about itself reach nobody",
            restore(),
        )
        return
    everywhere = [*subscriptions, *subscriptions_of(stack, stack.outputs["AlertsTopicArn"])]
    pending = sorted(
        {
            f"{each['Protocol']} {each['Endpoint']}"
            for each in everywhere
            if each["SubscriptionArn"] in {"PendingConfirmation", "pending confirmation"}
        }
    )
    for each in pending:
        yield warn(
            "confirmation",
            f"not confirmed: {each}",
            "nothing is delivered there before it is",
            "open the link in AWS's e-mail (it holds for three days; then deploy again, or subscribe again: "
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint ADDRESS)",
        )
    confirmed = [each for each in subscriptions if each["SubscriptionArn"].startswith("arn:")]
    if confirmed:
        yield ok("ops-topic", f"{len(confirmed)} subscribers get Tocsin's alarms about itself")
    elif not pending:
        yield fail(
            "ops-topic",
            "nobody is subscribed to the ops topic",
            "when Slack or its credential fails, nobody is notified",
            f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint ADDRESS, "
            "or deploy with OperatorEmail",
        )


def credentials(stack: Examined, settings: Settings) -> Iterator[Finding]:
    """Each Slack secret is there, has one of the two shapes, and Slack accepts it. Never says what is in it."""
    named = {stack.parameters.get("SlackSecretName", ""): "SlackSecretName"}
    named |= dict.fromkeys(stack.names("MoreSlackSecretNames"), "MoreSlackSecretNames")
    for destination in settings.routing.destinations.values():
        if destination.name != DEFAULT and destination.secret not in named:
            yield fail(
                "secret",
                f"the destination {destination.name} in tocsin.toml has the secret {destination.secret}, which the stack does not name",
                "notify may not read it, and nothing is sent there",
                set_parameter(
                    "MoreSlackSecretNames", *stack.names("MoreSlackSecretNames"), destination.secret
                ),
            )
    for name in named:
        yield from _credential(stack, name)


def credential_of(stack: Examined, name: str) -> Credential | Finding:
    """The credential in a secret; else what is wrong with the secret."""
    why = f"notify cannot speak to Slack; {_DEAD_LETTERED}"
    try:
        answer = stack.client("secretsmanager").get_secret_value(SecretId=name)
        return read_credential(answer.get("SecretString") or "", name, api_url(stack))
    except CredentialRefusedError as error:
        return fail("secret", str(error), why, put_secret(name))
    except Exception as error:
        if is_missing(error):
            create = f"aws secretsmanager create-secret --name {name} --secret-string file://slack.json"
            return fail("secret", f"there is no secret {name}", why, f"{create}, which holds {SHAPES}")
        if "delet" not in str(getattr(error, "response", {}).get("Error", {}).get("Message", "")).lower():
            raise
        restore_it = f"aws secretsmanager restore-secret --secret-id {name}"
        return fail("secret", f"the secret {name} is marked for deletion", why, restore_it)


def api_url(stack: Examined) -> str:
    """Where the stack reaches Slack's Web API."""
    return stack.parameters.get("SlackApiUrl", "https://slack.com/api/")


def _credential(stack: Examined, name: str) -> Iterator[Finding]:
    credential = credential_of(stack, name)
    match credential:
        case Finding():
            yield credential
        case WebhookCredential():
            yield ok(
                "slack",
                f"{name} holds a webhook; whether Slack takes it shows only when something is posted, so it was not tried",
            )
        case BotCredential():
            yield _asked(name, credential, api_url(stack))


def auth_test(credential: BotCredential, api_url: str) -> tuple[requests.Response, object]:
    """Slack's response about a token, and the JSON in it; docs.slack.dev/reference/methods/auth.test.

    Raises:
        requests.RequestException: Slack could not be asked; or ValueError, where it does not answer with JSON.
    """
    import requests

    from tocsin.adapters.slack.http import BearerToken

    response = requests.post(f"{api_url}auth.test", auth=BearerToken(credential.token), timeout=_TIMEOUT)
    return response, response.json()


def _asked(name: str, credential: BotCredential, api_url: str) -> Finding:
    """What Slack says to the token."""
    import requests

    try:
        response, answer = auth_test(credential, api_url)
    except (requests.RequestException, ValueError) as error:
        return warn(
            "slack",
            f"Slack at {api_url} could not be asked from here ({type(error).__name__})",
            "whether it accepts the token is not known",
            "run the doctor where Slack can be reached",
        )
    if isinstance(answer, Mapping) and answer.get("ok") is True:
        return ok(
            "slack",
            f"Slack accepts the token in {name}; whether the bot is in channel {credential.channel} shows when it posts",
        )
    code = str(answer.get("error", "")) if isinstance(answer, Mapping) else ""
    shown = code if code.replace("_", "").isalnum() else f"HTTP {response.status_code}"
    own_trouble = shown in {"ratelimited", "internal_error", "fatal_error"}
    if own_trouble or response.status_code in {HTTPStatus.TOO_MANY_REQUESTS, *_SLACK_AWAY}:
        return warn(
            "slack",
            f"Slack cannot say now whether it accepts the token in {name}: {shown}",
            "it may be Slack's own trouble",
            "run the doctor again",
        )
    return fail(
        "slack",
        f"Slack does not accept the token in {name}: {shown}",
        _DEAD_LETTERED,
        f"reinstall the app in Slack, then: {put_secret(name)}",
    )
