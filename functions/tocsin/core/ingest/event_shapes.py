"""What `detect` is invoked with: every event shape, taken apart into records that stand or fall alone.

Plain dictionaries rather than the data classes of Powertools: importing those takes several times as long as
everything this package needs on a batch without a match, and they model neither the JSON of alarms by SNS
and EventBridge nor a record that is broken.

| shape | recognised by |
|---|---|
| CloudWatch Logs subscription | ``awslogs`` |
| the same through a Kinesis stream | ``Records[].eventSource`` = ``aws:kinesis`` |
| alarm by SNS | ``Records[].EventSource`` = ``aws:sns``; the message itself by ``AlarmName`` |
| alarm by EventBridge | ``detail-type`` |
| alarm by direct Lambda action | ``alarmData`` |
| change of a stack, or by CloudTrail of a function | ``detail-type`` |
| any of these through an SQS queue | ``Records[].eventSource`` = ``aws:sqs`` |
| what was dead_lettered, sent again | ``error`` and ``record`` (ours), ``requestPayload`` (Lambda's on-failure destination) |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from tocsin.core.ingest.alarms import CONTRIBUTOR_CHANGE, STATE_CHANGE
from tocsin.core.ingest.change_events import API_CALL, STACK_CHANGE
from tocsin.core.ingest.json_kinds import kind_of
from tocsin.core.redaction.sample import field_value, named

_OURS: Final = ("alarmname", "newstatevalue", "alarmdata", "awslogs", "requestpayload")
"""Words of which every event that is meant for us has one, in lower case."""

_DEEPEST: Final = 6  # wrappers around wrappers: SQS of a destination of SNS of an alarm is four


class UnknownEventError(ValueError):
    """An event that `detect` does not know; its text names the keys seen and what is accepted."""


class LogsRecord(Struct, frozen=True):
    """An envelope of a CloudWatch Logs subscription.

    Attributes:
        data: base64 of gzip of JSON, for `envelopes.inflate`.
        original: The record as it came, to be dead-lettered if it turns out unreadable.
    """

    data: str
    original: object


class AlarmRecord(Struct, frozen=True):
    """A change of an alarm.

    Attributes:
        payload: For `alarms.parse_alarm`.
        original: The record as it came.
    """

    payload: Mapping[str, Any]
    original: object


class ChangeRecord(Struct, frozen=True):
    """A change of a stack or a function.

    Attributes:
        payload: For `change_events.parse_change`.
        original: The record as it came.
    """

    payload: Mapping[str, Any]
    original: object


class IgnoredRecord(Struct, frozen=True):
    """A record that is in order and asks for nothing; ``why`` is for the log."""

    why: str


class BadRecord(Struct, frozen=True):
    """A record that cannot be read, to be dead-lettered while the others go on.

    Attributes:
        error: What is wrong; holds nothing of the record but key names.
        original: The record as it came.
    """

    error: str
    original: object


Record = LogsRecord | AlarmRecord | ChangeRecord | IgnoredRecord | BadRecord


def split_event(event: object) -> list[Record]:
    """Take an event apart.

    Args:
        event: What Lambda handed over.

    Returns:
        One record per envelope or alarm change, in order; empty for an empty batch.

    Raises:
        UnknownEventError: The event as a whole is of no known shape. A single record of no known shape
            within a batch is a `BadRecord` instead.
    """
    return _split(event, event, 0)


def _split(value: object, original: object, depth: int) -> list[Record]:
    if not isinstance(value, dict):
        raise UnknownEventError(f"the event must be a JSON object, is {kind_of(value)}. {_ACCEPTED}")
    if depth > _DEEPEST:
        raise UnknownEventError(f"wrapped more than {_DEEPEST} times")
    for key, reader in _SHAPES.items():
        if key in value:
            return reader(value, original, depth)
    raise UnknownEventError(f"unknown event; keys seen: {named(value)}. {_ACCEPTED}")


def _batch(value: Mapping[str, Any], _original: object, depth: int) -> list[Record]:
    entries = value["Records"]
    if not isinstance(entries, list):
        raise UnknownEventError(f"Records must be a list, is {kind_of(entries)}")
    return [
        record
        for number, entry in enumerate(entries)
        for record in _apart(entry, f"Records[{number}]", depth)
    ]


def _apart(entry: object, where: str, depth: int) -> list[Record]:
    """One record of a batch: whatever is wrong with it stays its own trouble."""
    try:
        return _split(entry, entry, depth + 1)
    except UnknownEventError as error:
        return [BadRecord(f"{where}: {error}", entry)]


def _subscription(value: Mapping[str, Any], original: object, _depth: int) -> list[Record]:
    return [_logs(value["awslogs"], "awslogs", original)]


def _kinesis(value: Mapping[str, Any], original: object, _depth: int) -> list[Record]:
    return [_logs(value["kinesis"], "kinesis", original)]


def _logs(holder: object, key: str, original: object) -> Record:
    data = holder.get("data") if isinstance(holder, dict) else None
    if not isinstance(data, str) or not data:
        return BadRecord(f"{key}.data must be base64 text, is {kind_of(data)}", original)
    return LogsRecord(data, original)


def _sns(value: Mapping[str, Any], original: object, depth: int) -> list[Record]:
    sns = value["Sns"]
    message = sns.get("Message") if isinstance(sns, dict) else None
    return _published(message, "Sns.Message", original, depth)


def _sns_in_queue(value: Mapping[str, Any], original: object, depth: int) -> list[Record]:
    return _published(value["Message"], "Message", original, depth)


def _published(message: object, key: str, original: object, depth: int) -> list[Record]:
    """A message of a topic, to which others may publish as well: what is no alarm is none of ours.

    What cannot be read and has a word of an alarm in it is kept: it may be an alarm that came apart on its way.
    """
    records = _json(message, key, original, depth)
    if not isinstance(message, str) or any(word in message.lower() for word in _OURS):
        return records
    ignored = IgnoredRecord("a message on the alarm topic that is no alarm")
    return [ignored if isinstance(record, BadRecord) else record for record in records]


def _queue(value: Mapping[str, Any], original: object, depth: int) -> list[Record]:
    return _json(value["body"], "body", original, depth)


def _json(text: object, key: str, original: object, depth: int) -> list[Record]:
    if not isinstance(text, str):
        return [BadRecord(f"{key} must be text, is {kind_of(text)}", original)]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return [BadRecord(f"{key} is not JSON; expected a CloudWatch alarm's message", original)]
    try:
        return _split(value, original, depth + 1)
    except UnknownEventError as error:
        return [BadRecord(f"{key}: {error}", original)]


def _bus(value: Mapping[str, Any], original: object, _depth: int) -> list[Record]:
    kind = value["detail-type"]
    if kind in (STATE_CHANGE, CONTRIBUTOR_CHANGE):
        return [AlarmRecord(value, original)]
    if kind in (STACK_CHANGE, API_CALL):
        return [ChangeRecord(value, original)]
    if kind == "CloudWatch Alarm Configuration Change":
        return [IgnoredRecord("an alarm's configuration changed, not its state")]
    raise UnknownEventError(
        f"detail-type must be {STATE_CHANGE!r}, {STACK_CHANGE!r} or {API_CALL!r}, is "
        f"{field_value(str(kind))!r}; check the rule"
    )


def _alarm(value: Mapping[str, Any], original: object, _depth: int) -> list[Record]:
    return [AlarmRecord(value, original)]


def _dead_lettered(value: Mapping[str, Any], _original: object, depth: int) -> list[Record]:
    return _apart(value["record"], "record", depth)


def _failed(value: Mapping[str, Any], _original: object, depth: int) -> list[Record]:
    return _apart(value["requestPayload"], "requestPayload", depth)


_SHAPES: Final[dict[str, Callable[[Mapping[str, Any], object, int], list[Record]]]] = {
    "awslogs": _subscription,
    "Records": _batch,
    "kinesis": _kinesis,
    "Sns": _sns,
    "body": _queue,
    "alarmData": _alarm,
    "detail-type": _bus,
    "AlarmName": _alarm,
    "NewStateValue": _alarm,
    "requestPayload": _failed,
    "record": _dead_lettered,
    "Message": _sns_in_queue,
}
"""By the key that gives a shape away; the first that is present decides."""

_ACCEPTED: Final = (
    "Accepted are CloudWatch Logs subscription events (awslogs), batches of Kinesis, SNS or SQS (Records), and alarm "
    "changes by EventBridge (detail-type, which also brings changes of stacks and functions) or direct action (alarmData)"
)
