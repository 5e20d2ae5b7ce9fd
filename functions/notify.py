"""The notify function: takes notifications from its queue and tells Slack, once and in order.

With ``TOCSIN_DRY_RUN`` set it speaks to nobody and answers with the messages it would post.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tocsin.adapters.aws.function_log import FunctionLog
from tocsin.adapters.files.settings_file import load_settings
from tocsin.bootstrap import wire_notifier
from tocsin.core.notifications.queue_message import read_body
from tocsin.core.signatures.heartbeat import Heartbeat
from tocsin.core.slack.messages import preview
from tocsin.environment import LambdaContext, environment, is_dry_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.services.notifier import Notifier

environ = environment()
logger = FunctionLog("tocsin-notify", environ)
settings = load_settings(Path(__file__).parent, environ)


@cache
def wired() -> Callable[..., Notifier]:
    """What makes the notifier of an invocation: kept, so that a warm one reuses connections and credentials."""
    return wire_notifier(environ, settings, _now)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Tell Slack of each notification in an SQS batch; those that are not safe are reported as failed."""
    records = event.get("Records") or []
    if is_dry_run(environ):
        return {"dry_run": True, "would_post": [_preview(record["body"]) for record in records]}
    notifier = wired()(
        deadline=_now() + context.get_remaining_time_in_millis(), claimant=context.aws_request_id
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
    if isinstance(notification, Heartbeat):
        return {"heartbeat": notification.written_at}
    where = [
        {"destination": target.destination.name, "mentions": list(target.mentions)}
        for target in settings.routing.targets_for(notification)
    ]
    return {**preview(notification), "told_in": where}


def _now() -> int:
    return time.time_ns() // 1_000_000
