"""The notify function: takes notifications from its queue and tells Slack, once and in order.

With ``TOCSIN_DRY_RUN`` set it speaks to nobody and answers with the messages it would post.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from tocsin.adapters.files.settings_file import load_settings
from tocsin.core.slack.messages import preview
from tocsin.environment import environment, is_dry_run
from tocsin.services.notifier import Notifier, connect, read_body

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tocsin.adapters.aws.delivery_table import DeliveryStore
    from tocsin.adapters.slack.credentials import SlackSecret
    from tocsin.core.config.routing import Destination

logger = Logger(service="tocsin-notify")
environ = environment()
settings = load_settings(Path(__file__).parent, environ)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell Slack of each notification in an SQS batch; those that are not safe are reported as failed."""
    records = event.get("Records") or []
    if is_dry_run(environ):
        return {"dry_run": True, "would_post": [_preview(record["body"]) for record in records]}
    notifier = Notifier(
        routing=settings.routing,
        replies=settings.replies_in_channel,
        **_adapters(),
        clock=_now,
        deadline=_now() + context.get_remaining_time_in_millis(),
        claimant=context.aws_request_id,
    )
    failed = notifier.work(records)
    if notifier.heartbeats:
        from tocsin.adapters.aws.metrics import count_heartbeat

        for took in notifier.heartbeats:
            count_heartbeat(took, environ.get("TOCSIN_STACK", ""))
    if notifier.latencies:
        from tocsin.adapters.aws.metrics import count_latencies

        count_latencies(notifier.latencies, environ.get("TOCSIN_STACK", ""))
    for line in notifier.log:
        say = {"INFO": logger.info, "WARNING": logger.warning}.get(line.level, logger.error)
        say(line.text, extra=dict(line.details))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _preview(body: str) -> dict[str, Any]:
    notification = read_body(body)
    where = [
        {"destination": target.destination.name, "mentions": list(target.mentions)}
        for target in settings.routing.targets_for(notification)
    ]
    return {**preview(notification), "told_in": where}


def _now() -> int:
    return time.time_ns() // 1_000_000


@functools.cache
def _adapters() -> dict[str, Any]:
    import boto3
    from botocore.config import Config

    from tocsin.adapters.aws.delivery_table import DeliveryStore
    from tocsin.adapters.aws.heartbeat_record import HeartbeatRecord
    from tocsin.adapters.aws.notify_queue import NotifyQueue
    from tocsin.adapters.slack.credentials import SlackSecret

    # Within the function's time, whatever hangs: a lease must outlive its holder.
    config = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"})
    client = functools.partial(boto3.client, config=config)
    api_url = environ.get("TOCSIN_SLACK_API_URL") or "https://slack.com/api/"
    secrets, table = client("secretsmanager"), client("dynamodb")

    @functools.cache
    def secret_of(destination: Destination) -> SlackSecret:
        return SlackSecret(destination.secret or environ.get("TOCSIN_SLACK_SECRET", ""), secrets, api_url)

    def store_of(destination: Destination) -> DeliveryStore:
        return DeliveryStore(table, environ["TOCSIN_TABLE"], destination.name)

    return {
        "secret_of": secret_of,
        "store_of": store_of,
        "heartbeat_record": HeartbeatRecord(table, environ["TOCSIN_TABLE"]),
        "queue": NotifyQueue(
            client("sqs"),
            environ["TOCSIN_NOTIFY_QUEUE_URL"],
            environ.get("TOCSIN_FAILURE_QUEUE_URL", ""),
        ),
        "connect": functools.partial(connect, api_url=api_url),
    }
