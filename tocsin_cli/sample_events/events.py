"""Events for ``sam local invoke``: real envelopes, one per event shape and starting signature, made and not typed.

The same lines give the same bytes, on every machine: ids come from what they are about, times are given, and the gzip
inside holds its content uncompressed, because compressors differ.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tocsin.adapters.files.configuration import Configuration
from tocsin.bootstrap import DryRun, wire_detector
from tocsin.core.model import Millis
from tocsin.core.times import MINUTE, iso_time
from tocsin_cli.sample_events.alarm_events import Alarm, alarm_by_eventbridge, alarm_by_sns, alarm_direct
from tocsin_cli.sample_events.change_events import function_change, stack_change
from tocsin_cli.sample_events.event_ids import ACCOUNT, REGION, digest, eventbridge_event, number_of, uuid_of

AT: Final[Millis] = 1_770_056_100_000
"""2026-02-02T18:15:00Z, when a person found incident B."""

INCIDENT_B: Final[Millis] = 1_769_990_580_000
"""2026-02-02T00:03:00Z, when incident B began."""

BACKEND: Final = "/aws/lambda/credmate-prod-BackendApiFunction-Zk3Jx8Qw"
WORKER: Final = "/aws/lambda/credmate-prod-DocumentWorkerFunction-Pq7Lm2Ts"
DLQ: Final = "credmate-prod-worker-dlq.fifo"

STARTING_SIGNATURES: Final = {
    "import-module-error": BACKEND,
    "s3-bucket-not-accessible": BACKEND,
    "database-none": WORKER,
    "lambda-timeout": BACKEND,
    "mock-processing": WORKER,
}
"""By signature: the log group in which its first sample is logged, behind a line that matches nothing."""

ORDINARY: Final = "[INFO]\t2026-02-02T18:15:00.000Z\t8da27dae-7bf7-496f-a818-adb9f030f808\tReceived 1 message"

FUNCTION: Final = BACKEND.rpartition("/")[2]
STACK: Final = "credmate-lambda-prod"

SHAPES: Final = (
    "logs",
    "kinesis",
    "alarm-sns",
    "alarm-eventbridge",
    "alarm-direct",
    "change-stack",
    "change-function",
)
"""Event shapes that ``new_event`` makes."""


def new_event(
    shape: str,
    lines: Sequence[str] = (),
    *,
    log_group: str = BACKEND,
    at: Millis = AT,
    queue: str = DLQ,
    state: str = "ALARM",
    function: str = FUNCTION,
    stack: str = STACK,
) -> dict[str, Any]:
    """Make one event for ``detect``.

    Args:
        shape: One of `SHAPES`.
        lines: For ``logs`` and ``kinesis``: the log events, one text each.
        log_group: Where they come from.
        at: When the first of them, or the change, happened; milliseconds.
        queue: For alarms: the dead-letter queue whose depth the alarm is about.
        state: For alarms: ``ALARM``, ``OK`` or ``INSUFFICIENT_DATA``.
        function: For ``change-function``: the function whose code somebody updated directly.
        stack: For ``change-stack``: the stack that was updated.

    Raises:
        ValueError: The shape is not known.
    """
    depth = 0.0 if state == "OK" else 3.0
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "logs": lambda: {"awslogs": {"data": envelope(lines, log_group, at)}},
        "kinesis": lambda: {"Records": [_kinesis_record(envelope(lines, log_group, at), at)]},
        "alarm-sns": lambda: alarm_by_sns(_depth_alarm(queue), state, depth, at),
        "alarm-eventbridge": lambda: alarm_by_eventbridge(_depth_alarm(queue), state, depth, at),
        "alarm-direct": lambda: alarm_direct(_depth_alarm(queue), state, depth, at),
        "change-stack": lambda: stack_change(stack, at),
        "change-function": lambda: function_change(function, at),
    }
    if shape not in makers:
        raise ValueError(f"shape must be one of {', '.join(makers)}, is {shape!r}")
    return makers[shape]()


def all_events(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """Every event file's content by file name.

    Args:
        configuration: Whose signatures' samples are logged, and what notifications for ``notify`` are worded by.
    """
    events: dict[str, dict[str, Any]] = {}
    for signature, log_group in STARTING_SIGNATURES.items():
        lines = (ORDINARY, configuration.signatures[signature].matches[0])
        for shape in ("logs", "kinesis"):
            events[f"{shape}-{signature}.json"] = new_event(shape, lines, log_group=log_group)
    for shape in ("sns", "eventbridge", "direct"):
        for state in ("ALARM", "OK"):
            later = AT if state == "ALARM" else AT + 20 * MINUTE
            events[f"alarm-{shape}-dlq-depth-{state.lower()}.json"] = new_event(
                f"alarm-{shape}", at=later, state=state
            )
    notified = {
        "dlq-depth": events["alarm-eventbridge-dlq-depth-alarm.json"],
        **{signature: events[f"logs-{signature}.json"] for signature in STARTING_SIGNATURES},
    }
    for signature, event in notified.items():
        events[f"notify-{signature}.json"] = _notify_event(event, configuration)
    lines = (ORDINARY, configuration.signatures["import-module-error"].matches[0])
    broken = [
        {**_kinesis_record("bm90IGd6aXA=", AT), "eventID": "shardId-000000000000:2"},
        {**_kinesis_record("*** not base64 ***", AT), "eventID": "shardId-000000000000:3"},
    ]
    return events | {
        "logs-control-message.json": {"awslogs": {"data": _control_message()}},
        "logs-without-a-match.json": new_event(
            "logs", ["INFO request handled in 12 ms", "INFO Service accessible"]
        ),
        # One good record between two that cannot be read: the good one counts, the others go to the failure queue.
        "kinesis-with-broken-records.json": {
            "Records": [broken[0], _kinesis_record(envelope(lines, BACKEND, AT), AT), broken[1]]
        },
        "kinesis-empty.json": {"Records": []},
        # Incident B: the function's code past its stack, and five minutes later the stack.
        "change-function-code-directly.json": new_event("change-function", at=INCIDENT_B),
        "change-stack-update-complete.json": new_event("change-stack", at=INCIDENT_B + 5 * MINUTE),
        "reconcile-schedule.json": eventbridge_event(
            uuid_of("schedule"),
            "aws.events",
            "Scheduled Event",
            AT,
            {},
            [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/tocsin-reconcile"],
        ),
    }


def event_text(event: dict[str, Any]) -> str:
    """An event as it is written to a file."""
    return json.dumps(event, indent=2, ensure_ascii=False) + "\n"


def write_events(target: Path, configuration: Configuration) -> list[Path]:
    """Write every event file into a folder; files already there that are not events of ours are left alone.

    Returns:
        The files written, by name.
    """
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name, event in sorted(all_events(configuration).items()):
        path = target / name
        path.write_text(event_text(event), "utf-8")
        written.append(path)
    return written


def envelope(lines: Sequence[str], log_group: str, at: Millis) -> str:
    """What CloudWatch Logs sends for log events of one stream: base64 of gzip of JSON. One line a millisecond."""
    stream = f"{iso_time(at)[:10].replace('-', '/')}/[$LATEST]{digest(log_group)[:32]}"
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": log_group,
        "logStream": stream,
        "subscriptionFilters": ["tocsin"],
        "logEvents": [
            {"id": number_of(log_group, at + number, line), "timestamp": at + number, "message": line}
            for number, line in enumerate(lines)
        ],
    }
    return _packed(document)


def _control_message() -> str:
    return _packed(
        {
            "messageType": "CONTROL_MESSAGE",
            "owner": "CloudwatchLogs",
            "logGroup": "",
            "logStream": "",
            "subscriptionFilters": [],
            "logEvents": [
                {"id": "", "timestamp": AT, "message": "CWL CONTROL MESSAGE: Checking health of destination"}
            ],
        }
    )


def _packed(document: dict[str, Any]) -> str:
    raw = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    chunks = [raw[start : start + 65_535] for start in range(0, len(raw), 65_535)]
    stored = b"".join(
        struct.pack("<BHH", chunk is chunks[-1], len(chunk), len(chunk) ^ 0xFFFF) + chunk for chunk in chunks
    )
    header = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # gzip, deflate, no name, no time, no system
    return base64.b64encode(header + stored + struct.pack("<II", zlib.crc32(raw), len(raw))).decode()


def _kinesis_record(data: str, at: Millis) -> dict[str, Any]:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": digest(data)[:32],
            "sequenceNumber": number_of("kinesis", at, data),
            "data": data,
            "approximateArrivalTimestamp": at / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000000:1",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/tocsin-detect",
        "awsRegion": REGION,
        "eventSourceARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/logs",
    }


def _depth_alarm(queue: str) -> Alarm:
    return Alarm(
        name=f"{queue.removesuffix('.fifo')}-depth",
        namespace="AWS/SQS",
        metric="ApproximateNumberOfMessagesVisible",
        dimensions={"QueueName": queue},
        threshold=1.0,
        statistic="Maximum",
        at_threshold=True,
        description=f"Messages wait in {queue}",
    )


def _notify_event(event: dict[str, Any], configuration: Configuration) -> dict[str, Any]:
    """What ``notify`` gets from its queue when ``detect`` is given an event: the very notification it would send."""
    dry = DryRun()
    wire_detector({"AWS_REGION": REGION}, configuration, dry).detect(event, AT + 1_000)
    body = json.dumps(dry.notifications[0], ensure_ascii=False)
    return {
        "Records": [
            {
                "messageId": uuid_of(body),
                "receiptHandle": "EXAMPLE",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": str(AT + 1_000),
                    "SenderId": "AIDAIT2UOQQY3AUEKVGXU",
                    "ApproximateFirstReceiveTimestamp": str(AT + 1_020),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:tocsin-notify",
                "awsRegion": REGION,
            }
        ]
    }
