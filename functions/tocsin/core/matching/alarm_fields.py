"""The fields of an alarm, as those of a line are its captures."""

from __future__ import annotations

from tocsin.core.lazy_expressions import lazy
from tocsin.core.model import AlarmChange

QUEUE_NAME = lazy(r"[A-Za-z0-9_-]{1,80}(\.fifo)?")


def alarm_fields(change: AlarmChange) -> dict[str, str]:
    """Those of ``alarm, metric, namespace, queue, queue_arn, function, resource, description`` that an alarm has."""
    queue, function = change.dimensions.get("QueueName", ""), change.dimensions.get("FunctionName", "")
    resource = queue or function or next(iter(change.dimensions.values()), "")
    fields = {
        "alarm": change.name,
        "metric": change.metric,
        "namespace": change.namespace,
        "queue": queue,
        "queue_arn": _queue_arn(change, queue),
        "function": function,
        "resource": resource,
        "description": change.description.strip(),
    }
    return {name: value for name, value in fields.items() if value}


def _queue_arn(change: AlarmChange, queue: str) -> str:
    """The ARN of the queue an alarm is about; empty where it cannot be told, or is not a queue's name at all."""
    partition = change.arn.split(":")[1] if change.arn.count(":") > 1 else "aws"
    whole = change.region and change.account and QUEUE_NAME.fullmatch(queue)
    return f"arn:{partition}:sqs:{change.region}:{change.account}:{queue}" if whole else ""
