"""The composition root: from the environment to wired objects. The only module that knows all the others.

Clients are made on first need: a ``detect`` that finds nothing never imports boto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.adapters.files.configuration import Configuration, load_configuration
from tocsin.core.incidents.policy import Policy
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import with_unknown_error
from tocsin.core.signatures.drill import with_drill
from tocsin.core.signatures.heartbeat import with_heartbeat
from tocsin.services.detection import Detector, Heartbeats
from tocsin.services.screening import DEPLOYMENT_ROOT

if TYPE_CHECKING:
    from tocsin.core.errors.error_store import ErrorStore
    from tocsin.core.notifications.contract import Notification
    from tocsin.services.detection import FailureQueue
    from tocsin.services.heartbeat import HeartbeatRelay, HeartbeatWriter
    from tocsin.services.reconciliation import Reconciler

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
    return load_configuration(root, environ)


def wire_detector(environ: Mapping[str, str], config: Configuration, dry: DryRun | None = None) -> Detector:
    """A detector on AWS, or with ``dry`` one that keeps everything in memory."""

    def reconciler() -> Reconciler:
        return wire_reconciler(environ, config, dry)

    def failure_queue() -> FailureQueue:
        if dry is not None:
            return dry
        from tocsin.adapters.aws.failure_queue import SqsFailureQueue

        return SqsFailureQueue(_client("sqs"), environ["TOCSIN_FAILURE_QUEUE_URL"], function="detect")

    signatures = with_drill(config.signatures)
    heartbeat = "" if dry is not None else environ.get("TOCSIN_HEARTBEAT_LOG_GROUP", "")
    return Detector(
        Matcher(with_heartbeat(signatures)),
        signatures,
        config.settings,
        reconciler=cache(reconciler),
        failure_queue=cache(failure_queue),
        own_log_groups=environ.get("TOCSIN_OWN_LOG_GROUP_PREFIX") or OWN_LOG_GROUPS,
        region=environ.get("AWS_REGION", ""),
        account=_account(environ),
        heartbeats=Heartbeats(heartbeat, cache(lambda: wire_heartbeat_relay(environ))) if heartbeat else None,
        own_stack=environ.get("TOCSIN_STACK", ""),
        error_store=None if dry is not None else cache(lambda: wire_error_store(environ)),
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
    from tocsin.services.reconciliation import Reconciler

    policy = Policy(config.settings.intervals, with_unknown_error(with_drill(config.signatures)))
    if dry is not None:
        from tocsin.core.incidents.memory_store import MemoryLedger

        return Reconciler(MemoryLedger(), dry, policy, config.settings.runbooks_url, services=config.settings)
    from tocsin.adapters.aws.incident_table import IncidentTable
    from tocsin.adapters.aws.queue_depth import Queues
    from tocsin.adapters.aws.sns import AlertsTopic

    return Reconciler(
        IncidentTable(_client("dynamodb"), environ["TOCSIN_TABLE"]),
        AlertsTopic(_client("sns"), environ["TOCSIN_ALERTS_TOPIC_ARN"]),
        policy,
        config.settings.runbooks_url,
        Queues(_client, environ.get("AWS_REGION", "")),
        None if environ.get("TOCSIN_WATCH_CHANGES") == "no" else config.settings,
    )


def _account(environ: Mapping[str, str]) -> str:
    """The account this runs in, which of all the environment only an ARN says."""
    return [*environ.get("TOCSIN_ALERTS_TOPIC_ARN", "").split(":"), *[""] * 5][4]


@cache
def _client(service: str) -> Any:
    import boto3
    from botocore.config import Config

    # Short and few: a call that hangs must leave the invocation time to be tried again by the platform.
    options = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 4})
    return boto3.client(service, config=options)  # type: ignore[call-overload]
