"""The composition root: from the environment to wired objects. The only module that knows all the others.

Each function imports what it needs and no more, which is why the imports stand where they are used; clients are made
on first need: a ``detect`` that finds nothing never imports boto3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.services.screening import DEPLOYMENT_ROOT

if TYPE_CHECKING:
    from tocsin.adapters.aws.delivery_table import DeliveryStore
    from tocsin.adapters.files.configuration import Configuration
    from tocsin.adapters.slack.credentials import Credential, SlackSecret
    from tocsin.core.config.routing import Destination
    from tocsin.core.config.settings import Settings
    from tocsin.core.errors.error_store import ErrorStore
    from tocsin.core.incidents.actions import Action
    from tocsin.core.notifications.contract import Notification
    from tocsin.services.channel import Channel
    from tocsin.services.detection import Detector, FailureQueue
    from tocsin.services.heartbeat import HeartbeatRelay, HeartbeatWriter
    from tocsin.services.notifier import Notifier
    from tocsin.services.reconcile_service import Reconciler
    from tocsin.services.responding import Responder
    from tocsin.services.screening import Prefilter

OWN_LOG_GROUPS = "/tocsin/"


class DryRun:
    """Stands where SNS and the failure queue would; keeps what they would have got."""

    def __init__(self) -> None:
        self.notifications: list[dict[str, Any]] = []
        self.dead_lettered: list[dict[str, Any]] = []

    def publish(self, notification: Notification) -> None:
        """Keep a notification's JSON."""
        from tocsin.core.notifications.contract import document_of

        self.notifications.append(document_of(notification))

    def dead_letter(self, record: object, error: str) -> None:
        """Keep a record that could not be read."""
        self.dead_lettered.append({"record": record, "error": error})


def configuration(environ: Mapping[str, str], root: Path = DEPLOYMENT_ROOT) -> Configuration:
    """The configuration that ships with the code, with the deployment's values laid over it.

    Raises:
        ConfigurationError: It must not run; the words are those of ``tocsin check``.
    """
    from tocsin.adapters.files.configuration import packaged_configuration

    return packaged_configuration(root, environ)


def wire_detector(
    environ: Mapping[str, str],
    config: Configuration,
    dry: DryRun | None = None,
    prefilter: Prefilter | None = None,
) -> Detector:
    """A detector on AWS, or with ``dry`` one that keeps everything in memory.

    Args:
        environ: The environment.
        config: Signatures and settings.
        dry: What keeps everything in memory, if anything.
        prefilter: The prefilter for exactly this configuration, if there is one: what it did is not done twice.
    """
    from tocsin.core.ingest.inflation import inflate
    from tocsin.core.matching.matcher import Matcher
    from tocsin.core.signatures.drill import SIGNATURE as DRILL_SIGNATURE
    from tocsin.core.signatures.heartbeat import SIGNATURE as HEARTBEAT_SIGNATURE
    from tocsin.core.signatures.signature import with_built_in
    from tocsin.services.detection import Detector, Heartbeats

    def reconciler() -> Reconciler:
        return wire_reconciler(environ, config, dry)

    def failure_queue() -> FailureQueue:
        if dry is not None:
            return dry
        from tocsin.adapters.aws.failure_queue import SqsFailureQueue

        return SqsFailureQueue(_client("sqs"), environ["TOCSIN_FAILURE_QUEUE_URL"], function="detect")

    search = prefilter.search if prefilter else None
    signatures = with_built_in(config.signatures, DRILL_SIGNATURE)
    log_group = "" if dry is not None else environ.get("TOCSIN_HEARTBEAT_LOG_GROUP", "")
    return Detector(
        Matcher(with_built_in(signatures, HEARTBEAT_SIGNATURE), search=search),
        signatures,
        config.settings,
        reconciler=cache(reconciler),
        failure_queue=cache(failure_queue),
        own_log_groups=environ.get("TOCSIN_OWN_LOG_GROUP_PREFIX") or OWN_LOG_GROUPS,
        region=environ.get("AWS_REGION", ""),
        account=_account(environ),
        heartbeats=Heartbeats(log_group, cache(lambda: wire_heartbeat_relay(environ))) if log_group else None,
        own_stack=environ.get("TOCSIN_STACK", ""),
        error_store=None if dry is not None else cache(lambda: wire_error_store(environ)),
        search=search,
        inflated=prefilter.inflate if prefilter else inflate,
    )


def wire_error_store(environ: Mapping[str, str]) -> ErrorStore:
    """Where unknown errors are kept."""
    from tocsin.adapters.aws.error_table import ErrorTable

    return ErrorTable(_client("dynamodb"), environ["TOCSIN_TABLE"])


def wire_heartbeat_relay(environ: Mapping[str, str]) -> HeartbeatRelay:
    """What passes a heartbeat on."""
    from tocsin.adapters.aws.heartbeat_record import HeartbeatRecord
    from tocsin.adapters.aws.sns import HeartbeatTopic
    from tocsin.services.heartbeat import HeartbeatRelay

    return HeartbeatRelay(
        HeartbeatRecord(_client("dynamodb"), environ["TOCSIN_TABLE"]),
        HeartbeatTopic(_client("sns"), environ["TOCSIN_HEARTBEAT_TOPIC_ARN"]),
    )


def wire_heartbeat_writer(environ: Mapping[str, str]) -> HeartbeatWriter | None:
    """What writes the heartbeat, or None where it is switched off."""
    minutes = int(environ.get("TOCSIN_HEARTBEAT_MINUTES") or 0)
    log_group = environ.get("TOCSIN_HEARTBEAT_LOG_GROUP", "")
    if not minutes or not log_group:
        return None
    from tocsin.adapters.aws.heartbeat_log import HeartbeatLog
    from tocsin.services.heartbeat import HeartbeatWriter

    return HeartbeatWriter(HeartbeatLog(_client("logs"), log_group), minutes * 60_000)


def wire_reconciler(
    environ: Mapping[str, str], config: Configuration, dry: DryRun | None = None
) -> Reconciler:
    """A reconciler on DynamoDB and SNS, or with ``dry`` one that keeps everything in memory."""
    from tocsin.core.incidents.policy import Policy
    from tocsin.core.matching.unknown_error import with_unknown_error
    from tocsin.core.signatures.drill import SIGNATURE as DRILL_SIGNATURE
    from tocsin.core.signatures.signature import with_built_in
    from tocsin.services.reconcile_service import Reconciler

    policy = Policy(
        config.settings.intervals,
        with_unknown_error(with_built_in(config.signatures, DRILL_SIGNATURE)),
        config.settings.routing,
    )
    if dry is not None:
        from tocsin.core.incidents.memory_store import MemoryLedger

        return Reconciler(MemoryLedger(), dry, policy, config.settings.runbooks_url, services=config.settings)
    from tocsin.adapters.aws.incident_table import IncidentTable
    from tocsin.adapters.aws.queue_depth import Queues
    from tocsin.adapters.aws.sns import AlertsTopic

    moves = None
    if takes_actions(environ):
        from tocsin.adapters.aws.message_moves import SqsMoves

        # Also where no queue is named any more: what is under way is told to its end.
        moves = SqsMoves(_client, redrive_queues(environ), environ["TOCSIN_ALERTS_TOPIC_ARN"])

    return Reconciler(
        IncidentTable(_client("dynamodb"), environ["TOCSIN_TABLE"]),
        AlertsTopic(_client("sns"), environ["TOCSIN_ALERTS_TOPIC_ARN"]),
        policy,
        config.settings.runbooks_url,
        Queues(_client, environ.get("AWS_REGION", "")),
        None if environ.get("TOCSIN_WATCH_CHANGES") == "no" else config.settings,
        takes_actions(environ),
        wire_error_store(environ) if takes_actions(environ) else None,
        moves=moves,
    )


def wire_notifier(
    environ: Mapping[str, str], settings: Settings, clock: Callable[[], int]
) -> Callable[..., Notifier]:
    """What makes a notifier for one invocation, given its ``deadline`` and ``claimant``; the rest is kept for all."""
    from concurrent.futures import ThreadPoolExecutor

    from tocsin.adapters.aws.delivery_table import DeliveryStore
    from tocsin.adapters.aws.heartbeat_record import HeartbeatRecord
    from tocsin.adapters.aws.notify_queue import NotifyQueue
    from tocsin.adapters.slack.credentials import SlackSecret
    from tocsin.services.notifier import AT_A_TIME, Notifier

    api_url = environ.get("TOCSIN_SLACK_API_URL") or "https://slack.com/api/"
    # Within the function's time, whatever hangs: a lease must outlive its holder.
    client = partial(_client, total_attempts=2)
    secrets, table = client("secretsmanager"), client("dynamodb")

    @cache
    def secret_of(destination: Destination) -> SlackSecret:
        return SlackSecret(destination.secret or environ.get("TOCSIN_SLACK_SECRET", ""), secrets, api_url)

    def store_of(destination: Destination) -> DeliveryStore:
        return DeliveryStore(table, environ["TOCSIN_TABLE"], destination.name)

    return partial(
        Notifier,
        routing=settings.routing,
        replies=settings.replies_in_channel,
        secret_of=secret_of,
        store_of=store_of,
        heartbeat_record=HeartbeatRecord(table, environ["TOCSIN_TABLE"]),
        queue=NotifyQueue(
            client("sqs"), environ["TOCSIN_NOTIFY_QUEUE_URL"], environ.get("TOCSIN_FAILURE_QUEUE_URL", "")
        ),
        connect=partial(
            connect, api_url=api_url, acts=takes_actions(environ), redrivable=redrive_queues(environ)
        ),
        clock=clock,
        pool=ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="notify"),
        leads={},  # one for all invocations
    )


def takes_actions(environ: Mapping[str, str]) -> bool:
    """Whether people can act from Slack."""
    return environ.get("TOCSIN_SLACK_ACTIONS") == "yes"


def redrive_queues(environ: Mapping[str, str]) -> frozenset[str]:
    """The dead-letter queues that people may redrive from Slack."""
    return frozenset(filter(None, environ.get("TOCSIN_REDRIVE_QUEUES", "").split(",")))


def connect(
    credential: Credential, api_url: str, *, acts: bool = False, redrivable: frozenset[str] = frozenset()
) -> Channel:
    """The channel of a credential, whose shape decides the road to it; with ``acts`` people can act there."""
    from tocsin.adapters.slack.credentials import WebhookCredential

    if isinstance(credential, WebhookCredential):
        from tocsin.adapters.slack.webhook import SlackWebhook
        from tocsin.services.webhook_channel import WebhookChannel

        return WebhookChannel(SlackWebhook(credential.url))
    from tocsin.adapters.slack.web_api import SlackBot
    from tocsin.services.bot_channel import BotChannel

    bot = SlackBot(credential.token, credential.channel, api_url)
    return BotChannel(bot, acts=acts and credential.acts, redrivable=redrivable)


def wire_responder(environ: Mapping[str, str], settings: Settings) -> Responder:
    """What answers people in Slack; within three seconds, so nothing is tried for long."""
    import json

    from tocsin.adapters.aws.incident_table import IncidentTable
    from tocsin.adapters.aws.queue_depth import Queues
    from tocsin.adapters.aws.seen_requests import SeenRequests
    from tocsin.adapters.slack.credentials import SlackSecret
    from tocsin.adapters.slack.people import SlackPeople
    from tocsin.core.redaction.sample import field_value
    from tocsin.services.responding import Responder

    api_url = environ.get("TOCSIN_SLACK_API_URL") or "https://slack.com/api/"
    client = partial(_client, total_attempts=2)
    table, functions = client("dynamodb"), client("lambda")

    def hurry(action: Action, response_url: str) -> None:
        event = {"pressed": {"service": action.service, "action": action.id, "response_url": response_url}}
        functions.invoke(
            FunctionName=environ["TOCSIN_RECONCILE_FUNCTION"],
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
        )

    return Responder(
        IncidentTable(table, environ["TOCSIN_TABLE"]),
        SlackSecret(environ.get("TOCSIN_SLACK_SECRET", ""), client("secretsmanager"), api_url),
        SeenRequests(table, environ["TOCSIN_TABLE"]),
        cache(partial(SlackPeople, base_url=api_url)),
        hurry,
        partial(field_value, extra=settings.redaction),
        settings.may_act,
        redrive_queues=redrive_queues(environ),
        depth_of=Queues(client, environ.get("AWS_REGION", "")).depth,
    )


def _account(environ: Mapping[str, str]) -> str:
    """The account this runs in, which of all the environment only an ARN says."""
    return [*environ.get("TOCSIN_ALERTS_TOPIC_ARN", "").split(":"), *[""] * 5][4]


@cache
def _client(service: str, total_attempts: int = 5) -> Any:
    import boto3
    from botocore.config import Config

    # boto3 is Lambda's own, of whatever version: where it has changed inside, a first call only takes longer.
    with suppress(Exception):
        from tocsin.adapters.aws.service_models import use_lean_session

        use_lean_session()
    # Short and few: a call that hangs must leave the invocation time to be tried again by the platform.
    retries = {"mode": "standard", "total_max_attempts": total_attempts}
    options = Config(connect_timeout=2, read_timeout=5, retries=retries)  # type: ignore[arg-type]
    return boto3.client(service, config=options)  # type: ignore[call-overload]
