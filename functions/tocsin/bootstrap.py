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
from tocsin.core.signatures.heartbeat import with_heartbeat
from tocsin.services.detection import Detector, Heartbeats
from tocsin.services.screening import DEPLOYMENT_ROOT

if TYPE_CHECKING:
    from tocsin.core.errors.error_store import ErrorStore
    from tocsin.services.detection import FailureQueue
    from tocsin.services.heartbeat import Heart, HeartbeatRelay
    from tocsin.services.reconciliation import Settler

OWN_LOG_GROUPS = "/tocsin/"


class DryRun:
    """Stands where SNS and the failure queue would; keeps what they would have got."""

    def __init__(self) -> None:
        self.notifications: list[dict[str, Any]] = []
        self.parked: list[dict[str, Any]] = []

    def publish(self, notification: dict[str, Any]) -> None:
        """Keep a notification."""
        self.notifications.append(notification)

    def park(self, record: object, error: str) -> None:
        """Keep a record that could not be read."""
        self.parked.append({"record": record, "error": error})


def configuration(environ: Mapping[str, str], root: Path = DEPLOYMENT_ROOT) -> Configuration:
    """The configuration that ships with the code, with the deployment's values laid over it.

    Raises:
        ConfigurationError: It must not run; the words are those of ``tocsin check``.
    """
    return load_configuration(root, environ)


def wire_detector(environ: Mapping[str, str], config: Configuration, dry: DryRun | None = None) -> Detector:
    """A detector on AWS, or with ``dry`` one that keeps everything in memory."""

    def settler() -> Settler:
        return wire_settler(environ, config, dry)

    def failure_queue() -> FailureQueue:
        if dry is not None:
            return dry
        from tocsin.adapters.aws.failure_queue import SqsFailureQueue  # noqa: PLC0415 - only for records gone wrong

        return SqsFailureQueue(_client("sqs"), environ["TOCSIN_FAILURE_QUEUE_URL"], function="detect")

    heartbeat = "" if dry is not None else environ.get("TOCSIN_HEARTBEAT_LOG_GROUP", "")
    return Detector(
        Matcher(with_heartbeat(config.signatures)),
        config.signatures,
        config.settings,
        settler=cache(settler),
        failure_queue=cache(failure_queue),
        own_log_groups=environ.get("TOCSIN_OWN_LOG_GROUP_PREFIX") or OWN_LOG_GROUPS,
        region=environ.get("AWS_REGION", ""),
        heartbeats=Heartbeats(heartbeat, cache(lambda: wire_heartbeat_relay(environ))) if heartbeat else None,
        own_stack=environ.get("TOCSIN_STACK", ""),
        error_store=None if dry is not None else cache(lambda: wire_error_store(environ)),
    )


def wire_error_store(environ: Mapping[str, str]) -> ErrorStore:
    """Where unknown errors are kept."""
    from tocsin.adapters.aws.error_table import ErrorTable  # noqa: PLC0415 - boto3 only when there is one

    return ErrorTable(_client("dynamodb"), environ["TOCSIN_TABLE"])


def wire_heartbeat_relay(environ: Mapping[str, str]) -> HeartbeatRelay:
    """What passes a heartbeat on."""
    from tocsin.adapters.aws.heartbeat_record import HeartbeatRecord  # noqa: PLC0415 - boto3 only when one comes
    from tocsin.adapters.aws.sns import HeartbeatTopic  # noqa: PLC0415 - as above
    from tocsin.services.heartbeat import HeartbeatRelay  # noqa: PLC0415 - as above

    return HeartbeatRelay(
        HeartbeatRecord(_client("dynamodb"), environ["TOCSIN_TABLE"]),
        HeartbeatTopic(_client("sns"), environ["TOCSIN_HEARTBEAT_TOPIC_ARN"]),
    )


def wire_heart(environ: Mapping[str, str]) -> Heart | None:
    """What writes the heartbeat, or None where it is switched off."""
    minutes = int(environ.get("TOCSIN_HEARTBEAT_MINUTES") or 0)
    log_group = environ.get("TOCSIN_HEARTBEAT_LOG_GROUP", "")
    if not minutes or not log_group:
        return None
    from tocsin.adapters.aws.heartbeat_log import HeartbeatLog  # noqa: PLC0415 - only where it is wanted
    from tocsin.services.heartbeat import Heart  # noqa: PLC0415 - as above

    return Heart(HeartbeatLog(_client("logs"), log_group), minutes * 60_000)


def wire_settler(environ: Mapping[str, str], config: Configuration, dry: DryRun | None = None) -> Settler:
    """A settler on DynamoDB and SNS, or with ``dry`` one that keeps everything in memory."""
    from tocsin.services.reconciliation import Settler  # noqa: PLC0415 - only when something matched

    policy = Policy(config.settings.intervals, with_unknown_error(config.signatures))
    if dry is not None:
        from tocsin.core.incidents.memory_store import MemoryLedger  # noqa: PLC0415 - never on AWS

        return Settler(MemoryLedger(), dry, policy, config.settings.runbooks_url, services=config.settings)
    from tocsin.adapters.aws.incident_table import IncidentTable  # noqa: PLC0415 - boto3 only when something matched
    from tocsin.adapters.aws.queue_depth import Queues  # noqa: PLC0415 - as above
    from tocsin.adapters.aws.sns import AlertsTopic  # noqa: PLC0415 - as above

    return Settler(
        IncidentTable(_client("dynamodb"), environ["TOCSIN_TABLE"]),
        AlertsTopic(_client("sns"), environ["TOCSIN_ALERTS_TOPIC_ARN"]),
        policy,
        config.settings.runbooks_url,
        Queues(_client, environ.get("AWS_REGION", "")),
        None if environ.get("TOCSIN_WATCH_CHANGES") == "no" else config.settings,
    )


@cache
def _client(service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    import boto3  # noqa: PLC0415 - 250 ms of cold start that a batch without a match need not pay
    from botocore.config import Config  # noqa: PLC0415 - as above

    # Short and few: a call that hangs must leave the invocation time to be tried again by the platform.
    options = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "max_attempts": 4})
    return boto3.client(service, config=options)  # type: ignore[call-overload]
