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
from tocsin.core.times import iso_time
from tocsin_cli.sample_events.change_events import function_change, stack_change
from tocsin_cli.sample_events.event_ids import ACCOUNT, REGION, digest, number_of, uuid_of

AT: Final[Millis] = 1_770_056_100_000
"""2026-02-02T18:15:00Z, when a person found incident B."""

INCIDENT_B: Final[Millis] = 1_769_990_580_000
"""2026-02-02T00:03:00Z, when incident B began."""

BACKEND: Final = "/aws/lambda/credmate-prod-BackendApiFunction-Zk3Jx8Qw"
WORKER: Final = "/aws/lambda/credmate-prod-DocumentWorkerFunction-Pq7Lm2Ts"
DLQ: Final = "credmate-prod-worker-dlq.fifo"

STARTING_SIGNATURES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "import-module-error": (
        BACKEND,
        (
            "INIT_START Runtime Version: python:3.13.v64\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:0a1b2c3d",
            (
                "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'\n"
                "Traceback (most recent call last):"
            ),
            "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError",
        ),
    ),
    "s3-bucket-not-accessible": (
        BACKEND,
        (
            "[INFO]\t2026-02-02T18:15:00.000Z\t\tStarting storage service",
            (
                "RuntimeError: S3 bucket 'credmate-documents-dev' is not accessible (error: 404). Backend cannot start without "
                "valid S3 storage. Check bucket name, region (us-east-1), and IAM permissions."
            ),
        ),
    ),
    "database-none": (
        WORKER,
        (
            "[INFO]\t2026-02-02T18:15:00.000Z\t\tConnecting to the database",
            (
                '[ERROR] OperationalError: connection to server at "10.0.12.7", port 5432 failed: FATAL: database "None" does '
                "not exist"
            ),
        ),
    ),
    "lambda-timeout": (
        BACKEND,
        (
            "START RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808 Version: $LATEST",
            "2026-02-02T18:15:30.040Z 8da27dae-7bf7-496f-a818-adb9f030f808 Task timed out after 30.00 seconds",
            "END RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808",
            (
                "REPORT RequestId: 8da27dae-7bf7-496f-a818-adb9f030f808\tDuration: 30000.00 ms\tBilled Duration: 30000 ms\t"
                "Memory Size: 512 MB\tMax Memory Used: 127 MB\tStatus: timeout"
            ),
        ),
    ),
    "mock-processing": (
        WORKER,
        (
            "[INFO]\t2026-02-02T18:15:00.000Z\t8da27dae-7bf7-496f-a818-adb9f030f808\tReceived 1 message",
            (
                "[INFO]\t2026-02-02T18:15:00.100Z\t8da27dae-7bf7-496f-a818-adb9f030f808\tprocess_document_mock() finished: "
                "document 4711 marked as success"
            ),
        ),
    ),
}
"""By signature: the log group and what it says, lines that match nothing among them."""

FUNCTION: Final = BACKEND.rpartition("/")[2]
STACK: Final = "credmate-lambda-prod"

SHAPES: Final = (
    "logs", "kinesis", "alarm-sns", "alarm-eventbridge", "alarm-direct", "change-stack", "change-function",
)  # fmt: skip
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
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "logs": lambda: {"awslogs": {"data": envelope(lines, log_group, at)}},
        "kinesis": lambda: {"Records": [_kinesis_record(envelope(lines, log_group, at), at)]},
        "alarm-sns": lambda: _alarm_by_sns(queue, state, at),
        "alarm-eventbridge": lambda: _alarm_by_eventbridge(queue, state, at),
        "alarm-direct": lambda: _alarm_direct(queue, state, at),
        "change-stack": lambda: stack_change(stack, at),
        "change-function": lambda: function_change(function, at),
    }
    if shape not in makers:
        raise ValueError(f"shape must be one of {', '.join(makers)}, is {shape!r}")
    return makers[shape]()


def all_events(configuration: Configuration) -> dict[str, dict[str, Any]]:
    """Every event file's content by file name.

    Args:
        configuration: What notifications for ``notify`` are worded by.
    """
    events: dict[str, dict[str, Any]] = {}
    for signature, (log_group, lines) in STARTING_SIGNATURES.items():
        for shape in ("logs", "kinesis"):
            events[f"{shape}-{signature}.json"] = new_event(shape, lines, log_group=log_group)
    for road in ("sns", "eventbridge", "direct"):
        for state in ("ALARM", "OK"):
            later = AT if state == "ALARM" else AT + 20 * 60_000
            events[f"alarm-{road}-dlq-depth-{state.lower()}.json"] = new_event(
                f"alarm-{road}", at=later, state=state
            )
    told = {
        "dlq-depth": events["alarm-eventbridge-dlq-depth-alarm.json"],
        **{signature: events[f"logs-{signature}.json"] for signature in STARTING_SIGNATURES},
    }
    for signature, event in told.items():
        events[f"notify-{signature}.json"] = _notify_event(event, configuration)
    _, lines = STARTING_SIGNATURES["import-module-error"]
    broken = [
        {**_kinesis_record("bm90IGd6aXA=", AT), "eventID": "shardId-000000000000:2"},
        {**_kinesis_record("*** not base64 ***", AT), "eventID": "shardId-000000000000:3"},
    ]
    return events | {
        "logs-control-message.json": {"awslogs": {"data": _control_message()}},
        "logs-without-a-match.json": new_event(
            "logs", ["INFO request handled in 12 ms", "INFO Service accessible"]
        ),
        # One good record between two that cannot be read: the good one counts, the others are parked.
        "kinesis-with-broken-records.json": {
            "Records": [broken[0], _kinesis_record(envelope(lines, BACKEND, AT), AT), broken[1]]
        },
        "kinesis-empty.json": {"Records": []},
        # Incident B: the function's code past its stack, and five minutes later the stack.
        "change-function-code-directly.json": new_event("change-function", at=INCIDENT_B),
        "change-stack-update-complete.json": new_event("change-stack", at=INCIDENT_B + 5 * 60_000),
        "reconcile-schedule.json": _schedule(),
    }


def function_of(name: str) -> str:
    """The function that an event file is for, by its name: the logical id in the template."""
    first = name.partition("-")[0]
    return {"notify": "NotifyFunction", "reconcile": "ReconcileFunction"}.get(first, "DetectFunction")


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


def _alarm_name(queue: str) -> str:
    return f"{queue.removesuffix('.fifo')}-depth"


def _alarm_arn(queue: str) -> str:
    return f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{_alarm_name(queue)}"


def _alarm_time(at: Millis) -> str:
    return iso_time(at).replace("Z", "+0000")


def _alarm_reason(state: str, at: Millis) -> str:
    # CloudWatch's wording, with its day/month/year.
    day = f"{iso_time(at)[8:10]}/{iso_time(at)[5:7]}/{iso_time(at)[2:4]} {iso_time(at)[11:16]}:00"
    if state == "OK":
        return f"Threshold Crossed: 1 datapoint [0.0 ({day})] was not greater than or equal to the threshold (1.0)."
    return f"Threshold Crossed: 1 datapoint [3.0 ({day})] was greater than or equal to the threshold (1.0)."


def _alarm_detail(queue: str, state: str, at: Millis) -> dict[str, Any]:
    """What EventBridge and a direct action have in common."""
    previous = "ALARM" if state == "OK" else "OK"
    return {
        "alarmName": _alarm_name(queue),
        "state": {"value": state, "reason": _alarm_reason(state, at), "timestamp": _alarm_time(at)},
        "previousState": {
            "value": previous,
            "reason": _alarm_reason(previous, at - 600_000),
            "timestamp": _alarm_time(at - 600_000),
        },
        "configuration": {
            "description": f"Messages wait in {queue}",
            "metrics": [
                {
                    "id": "m1",
                    "metricStat": {
                        "metric": {
                            "namespace": "AWS/SQS",
                            "name": "ApproximateNumberOfMessagesVisible",
                            "dimensions": {"QueueName": queue},
                        },
                        "period": 60,
                        "stat": "Maximum",
                    },
                    "returnData": True,
                }
            ],
        },
    }


def _alarm_by_eventbridge(queue: str, state: str, at: Millis) -> dict[str, Any]:
    return {
        "version": "0",
        "id": uuid_of(queue, state, at),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": ACCOUNT,
        "time": iso_time(at)[:19] + "Z",
        "region": REGION,
        "resources": [_alarm_arn(queue)],
        "detail": _alarm_detail(queue, state, at),
    }


def _alarm_direct(queue: str, state: str, at: Millis) -> dict[str, Any]:
    return {
        "source": "aws.cloudwatch",
        "alarmArn": _alarm_arn(queue),
        "accountId": ACCOUNT,
        "time": _alarm_time(at),
        "region": REGION,
        "alarmData": _alarm_detail(queue, state, at),
    }


def _alarm_by_sns(queue: str, state: str, at: Millis) -> dict[str, Any]:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:tocsin-alarms"
    message = {
        "AlarmName": _alarm_name(queue),
        "AlarmDescription": f"Messages wait in {queue}",
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": _alarm_time(at - 86_400_000),
        "NewStateValue": state,
        "NewStateReason": _alarm_reason(state, at),
        "StateChangeTime": _alarm_time(at),
        "Region": "US East (N. Virginia)",
        "AlarmArn": _alarm_arn(queue),
        "OldStateValue": "ALARM" if state == "OK" else "OK",
        "OKActions": [topic],
        "AlarmActions": [topic],
        "InsufficientDataActions": [],
        "ActionExecutedAfterMuteWindow": False,
        "Trigger": {
            "MetricName": "ApproximateNumberOfMessagesVisible",
            "Namespace": "AWS/SQS",
            "StatisticType": "Statistic",
            "Statistic": "MAXIMUM",
            "Unit": None,
            "Dimensions": [{"value": queue, "name": "QueueName"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Threshold": 1.0,
            "TreatMissingData": "notBreaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    }
    sns = {
        "Type": "Notification",
        "MessageId": uuid_of(queue, state, at),
        "TopicArn": topic,
        "Subject": f'{state}: "{_alarm_name(queue)}" in US East (N. Virginia)',
        "Message": json.dumps(message),
        "Timestamp": iso_time(at),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertUrl": "EXAMPLE",
        "UnsubscribeUrl": "EXAMPLE",
        "MessageAttributes": {},
    }
    subscription = f"{topic}:{uuid_of(topic)}"
    return {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": subscription,
                "Sns": sns,
            }
        ]
    }


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


def _schedule() -> dict[str, Any]:
    return {
        "version": "0",
        "id": uuid_of("schedule"),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": iso_time(AT)[:19] + "Z",
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/tocsin-reconcile"],
        "detail": {},
    }
