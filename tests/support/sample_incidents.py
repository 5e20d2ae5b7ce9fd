"""Incidents for the tests of what is told: built from the product's own values."""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.incidents.incident import Alert, Incident, Pace, Pending, QueueReading
from tocsin.core.model import AlertState, Origin, Reason, Severity
from tocsin.core.signatures.signature import Signature, Source, Status

T0 = 1_785_456_000_000 + 3 * 3_600_000  # 2026-07-31T03:00:00Z
MINUTE = 60_000
HOUR = 60 * MINUTE
RUNBOOKS = "https://github.com/tocsin-alerts/tocsin/blob/main/runbooks/"


def signature(name, title, severity=Severity.HIGH, **changes) -> Signature:
    rule = Signature(
        id=name,
        file="signatures/sample.toml",
        title=title,
        severity=severity,
        status=Status.STABLE,
        source=Source.LOG,
        summary="It means trouble for {service}.",
        first_action="Look at `{service}`.",
        runbook=f"{name}.md",
    )
    return replace(rule, **changes)


SIGNATURES = {
    rule.id: rule
    for rule in (
        signature(
            "import-module-error",
            "Lambda cannot import its handler",
            Severity.CRITICAL,
            summary="The deployed package lacks a module; every invocation of {service} fails.",
            first_action="Rebuild with `sam build` and deploy again; check requirements.txt for {module}.",
            any=(r"""Runtime\.ImportModuleError.*No module named ['"]?(?P<module>[\w.]+)""",),
            inhibits=("dlq-depth", "lambda-init-error"),
        ),
        signature(
            "s3-bucket-not-accessible",
            "S3 bucket is not accessible",
            Severity.CRITICAL,
            summary="{service} cannot reach the bucket {bucket} and refuses to start.",
            first_action="Check that `{bucket}` exists: `aws s3api head-bucket --bucket {bucket}`.",
            any=(r"S3 bucket '(?P<bucket>[\w.-]+)' is not accessible", r"(?i)S3 bucket NOT accessible"),
        ),
        signature(
            "lambda-timeout",
            "Lambda timed out",
            Severity.MEDIUM,
            summary="An invocation of {service} ran into its limit of {seconds} s.",
            first_action="Find what it waited for: the last line before the time-out in the log stream.",
            any=(r"Task timed out after (?P<seconds>[\d.]+) seconds",),
        ),
        signature(
            "dlq-depth",
            "Messages in the dead-letter queue",
            Severity.HIGH,
            source=Source.ALARM,
            summary="Work that {service} could not do is waiting in {queue}; after 14 days it is lost.",
            first_action="Find the cause first; then redrive: `aws sqs start-message-move-task --source-arn {queue_arn}`.",
            watch_queue=True,
        ),
        signature("lambda-init-error", "Lambda failed to start"),
    )
}

IMPORT_ERROR = Alert(
    fingerprint="import-module-error/worker/mangum",
    signature="import-module-error",
    fields={"module": "mangum"},
    count=1204,
    first_seen=T0,
    last_seen=T0 + 12 * MINUTE + 345,
    active_at=T0 + 12 * MINUTE + 900,
    state=AlertState.FIRING,
    sample=(
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'\n"
        "Traceback (most recent call last):"
    ),
    origin=Origin(
        account="123456789012",
        region="eu-west-1",
        log_group="/aws/lambda/prod-WorkerFunction-8kQx",
        log_stream="2026/07/31/[$LATEST]3363f5957f0c4cfca501707e079092ef",
    ),
)
DLQ = Alert(
    fingerprint="dlq-depth/worker/documents-dlq",
    signature="dlq-depth",
    fields={"queue": "documents-dlq", "queue_arn": "arn:aws:sqs:eu-west-1:123456789012:documents-dlq"},
    queue=QueueReading(at=T0 + 12 * MINUTE, depth=7, retention=14 * 24 * HOUR, oldest_age=8 * MINUTE),
    count=1,
    first_seen=T0 + 4 * MINUTE,
    last_seen=T0 + 4 * MINUTE,
    active_at=T0 + 4 * MINUTE,
    state=AlertState.FIRING,
    sample="Threshold Crossed: 1 datapoint [7.0 (31/07/26 03:03:00)] was greater than the threshold (0.0).",
    origin=Origin(account="123456789012", region="eu-west-1", alarm="prod-documents-dlq-depth"),
)
TIMEOUT = replace(
    IMPORT_ERROR,
    fingerprint="lambda-timeout/worker/30.00",
    signature="lambda-timeout",
    fields={"seconds": "30.00"},
    count=3,
    first_seen=T0 + 2 * MINUTE,
    last_seen=T0 + 9 * MINUTE,
    sample="2026-07-31T03:09:00.123Z 3f0c4cfc-a501-4707-a079-092ef0aa1122 Task timed out after 30.00 seconds",
)
BUCKET = replace(
    IMPORT_ERROR,
    fingerprint="s3-bucket-not-accessible/worker/credmate-documents-dev",
    signature="s3-bucket-not-accessible",
    fields={"bucket": "credmate-documents-dev"},
    count=40,
    first_seen=T0 + 8 * MINUTE,
    last_seen=T0 + 11 * MINUTE,
    sample="RuntimeError: S3 bucket 'credmate-documents-dev' is not accessible (error: 404).",
)


def incident(*alerts: Alert, **changes) -> Incident:
    alerts = alerts or (IMPORT_ERROR,)
    made = Incident(
        id="20260731-030000-3f9a1c",
        service="worker",
        opened_at=T0 + 900,
        alerts={alert.fingerprint: alert for alert in alerts},
        sequence=1,
        pace=Pace(notified_at=T0 + 900),
    )
    return replace(made, **changes)


def pending(reason: Reason = Reason.OPENED, *about: Alert, sequence=1, at=T0 + 12 * MINUTE + 1000, told=None):
    return Pending(sequence, reason, at, tuple(alert.fingerprint for alert in about), told or {})
