"""The notification: one message about one incident, as every subscriber of the alerts topic reads it.

This is the one definition. The JSON that is published, its reading (``parsing``) and
``docs/notification.schema.json`` (``tools/notification_schema.py``) come from these types, and
``docs/notification.md`` explains them. They are public, so a key is never renamed, and a change that breaks a
reader raises ``version``. A key with a default came later, or may be missing: a message under way may be older
than its reader. What stands in ``extra_json_schema`` is promised to readers and not asked of what is read.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from tocsin.core.model import AlertState, Millis, Reason, Severity

VERSION = "1"

MAX_IDS = 50
"""Signature ids in the message attribute."""

_TIME_LENGTH = len("2026-03-01T00:00:00.000Z")

Time: TypeAlias = Annotated[
    str,
    Meta(
        description="UTC, ISO 8601 with milliseconds and Z.",
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$",
        min_length=_TIME_LENGTH,
        max_length=_TIME_LENGTH,
        extra_json_schema={"format": "date-time"},
    ),
]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
Service: TypeAlias = Annotated[str, Meta(extra_json_schema={"minLength": 1, "maxLength": 256})]
Address: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "uri"})]


def said(description: str, **promised: Any) -> Meta:
    """What a key says, and what readers are promised of it in words of JSON Schema, which is not asked of what is read."""
    return Meta(description=description, extra_json_schema=promised or None)


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the contract: unknown keys are passed over when it is read, the wrong kind of value never is."""


class Threshold(Part, frozen=True, kw_only=True):
    """How often within which time a signature must be seen before people are told."""

    count: int
    within_seconds: float


class Why(Part, frozen=True, kw_only=True):
    """Why this was sent."""

    text: Annotated[
        str,
        said("One clause for people; after silence_expired it names the silence, its author and its reason."),
    ]
    signature: Annotated[
        str, said("The signature of the most important alert that this notification is about.")
    ]
    novelty: Annotated[str, Meta(extra_json_schema={"enum": ["new", "repeat", "regressed"]})]
    threshold: Annotated[
        Threshold | None,
        said("The signature's threshold that was reached; null where one occurrence is enough."),
    ] = None
    total: Annotated[Count, said("Occurrences of the whole incident so far.")]
    suppressed: Annotated[
        Count, said("Occurrences since the last notification that got no message of their own.")
    ]


class Holder(Part, frozen=True, kw_only=True):
    """Who has the incident."""

    name: Annotated[str, said("The person's name, as Slack gives it.")]
    since: Time
    until: Annotated[Time, said("When reminders and mentions begin again, should it still fire.")]


class ReportedAction(Part, frozen=True, kw_only=True):
    """Something a person did from Slack."""

    kind: Annotated[
        str,
        said(
            "What was done. More may be added.",
            enum=["take", "hand-back", "silence", "over", "not-an-alert", "known-error", "redrive"],
        ),
    ]
    by: Annotated[str, said("The person's name, as Slack gives it.")]
    at: Time
    detail: Annotated[
        str | None,
        said(
            "For a silence: what it mutes, until when, and why; for a false alert: the signature; for a known error: until when, and its template; for a redrive: the queue, and how far it is."
        ),
    ] = None


class IncidentSummary(Part, frozen=True, kw_only=True):
    """The incident as of this notification."""

    id: str
    status: AlertState
    opened_at: Annotated[Time, said("When Tocsin received the first occurrence.")]
    first_seen: Time
    last_seen: Time
    resolved_at: Time | None
    count: Annotated[Count, said("Occurrences of all alerts so far.")]
    alert_count: Annotated[
        int,
        Meta(
            description="How many alerts the incident has; more than `alerts` lists when the message would be too large.",
            ge=1,
        ),
    ]
    omitted_count: Annotated[
        Count,
        said(
            "Occurrences that belong to no listed alert because the incident has more alerts than one incident keeps."
        ),
    ]
    updates: Annotated[
        Count,
        said(
            "For an update: how many came one after the other without news between, this one included; else 0."
        ),
    ] = 0
    reopened_at: Annotated[
        Time | None, said("When it last began again after it was over; null if it never did.")
    ] = None
    acknowledged: Annotated[
        Holder | None, said("Who has the incident; null for nobody, and once the time is up.")
    ] = None


class Labels(Part, frozen=True, kw_only=True):
    """What an alert can be routed by."""

    signature: str
    severity: Severity
    owner: str | None


class WideIncident(Part, frozen=True, kw_only=True):
    """Incidents of several services that opened within a short time with one likely cause."""

    lead: Annotated[str, said("The id of the incident that leads: the first that was announced.")]
    signature: Annotated[
        str | None,
        said("The signature that all of them opened with; null where a route joins them whatever it is."),
    ]
    shared: Annotated[
        dict[str, str],
        said("The fields that they have in common, such as the host; empty where it is the signature alone."),
    ]
    services: Annotated[
        tuple[str, ...],
        said("The services that had joined, this one included; the first fifty by name.", maxItems=50),
    ]
    service_count: Annotated[int, Meta(description="How many had joined.", ge=2)]
    route: Annotated[
        str | None, said("The route whose group_by joins them, as routes[0]; null for the built-in rule.")
    ] = None


class ReportedChange(Part, frozen=True, kw_only=True):
    """Something that was deployed or altered."""

    kind: Annotated[
        str,
        said(
            "What was changed; all but a stack are of a Lambda function. More may be added.",
            enum=["stack", "code", "configuration", "alias"],
        ),
    ]
    what: Annotated[str, said("The name of the stack, or of the function.", maxLength=200)]
    status: Annotated[str | None, said("For a stack: CloudFormation's status.")] = None
    direct: Annotated[
        bool, said("Whether a function was changed directly, not by its stack or another tool that deploys.")
    ]
    by: Annotated[str | None, said("For a function: the tool that did it; null for a direct change.")] = None
    who: Annotated[str | None, said("For a function: the user, or the role and its session, redacted.")] = (
        None
    )
    at: Time
    seconds_before: Annotated[
        int,
        said(
            "How long before the incident's latest news began (its first occurrence, that of an alert that joined, or its return); negative for what was changed since."
        ),
    ]
    learned_late: Annotated[
        bool,
        said("Whether this notification is the first to say so, because it became known after the incident."),
    ] = False


class LikelyCause(Part, frozen=True, kw_only=True):
    """The log alert of the same incident that is most likely behind an alarm."""

    fingerprint: str = ""
    signature: str = ""
    title: str
    detail: Annotated[str | None, said("The first field that its expression found, redacted.")] = None
    state: AlertState
    count: Count
    first_seen: Time


class QueueStatus(Part, frozen=True, kw_only=True):
    """What the last look at a dead-letter queue found."""

    name: str
    depth: Count
    at: Annotated[Time, said("When the queue was looked at.")]
    oldest_expires_at: Annotated[
        Time | None, said("When its oldest message is lost at the latest; null where nothing waits.")
    ] = None
    growing: Annotated[
        bool, said("Whether its growth, or the nearing loss of a message, is news in this notification.")
    ]


class InTestMode(Part, frozen=True, kw_only=True):
    """How a signature in test mode did."""

    status: Annotated[str, said("What became of the signature.", enum=["test", "stable", "off", "removed"])]
    would_have_fired: Annotated[
        Count, said("How often people would have been notified that it began, had the signature been stable.")
    ]


class Source(Part, frozen=True, kw_only=True):
    """Where an alert was found."""

    log_group: str | None
    log_stream: str | None
    alarm: str | None


class Links(Part, frozen=True, kw_only=True):
    """Addresses in the CloudWatch console; null where they make no sense."""

    log_stream: Address | None
    insights: Address | None
    alarm: Address | None


class NotifiedAlert(Part, frozen=True, kw_only=True):
    """One alert of the incident."""

    fingerprint: str
    signature: str
    service: Annotated[
        Service, said("Where it happened: the notification's service, in a digest the service of each.")
    ] = ""
    title: str
    severity: Severity
    owner: Annotated[
        str | None, said("Who looks after the signature, as it says itself; null where it says nobody.")
    ] = None
    state: AlertState
    changed: Annotated[
        bool,
        said("Whether this notification is about this alert: new, regressed or grown since the last one."),
    ]
    inhibited_by: Annotated[
        str | None,
        said("The signature of a firing alert of the same incident that explains this one, else null."),
    ]
    silenced_by: Annotated[
        str | None,
        said(
            "The id of the silence that mutes this alert now, or in words what in CloudWatch mutes its alarm ('CloudWatch mute rule NAME'), else null."
        ),
    ] = None
    likely_cause: Annotated[
        LikelyCause | None,
        said("For an alarm: the log alert of the same incident that is most likely behind it."),
    ] = None
    queue: Annotated[
        QueueStatus | None,
        said("For an alarm on a dead-letter queue: what the last look at the queue found."),
    ] = None
    test_mode: Annotated[
        InTestMode | None, said("In a digest, how the signature in test mode did; else null.")
    ] = None
    marked_by: Annotated[
        str | None, said("In a digest, who said in Slack that this alert was none; else null.")
    ] = None
    count: Count
    count_since_last: Annotated[Count, said("Occurrences since the last notification about this alert.")]
    first_seen: Time
    last_seen: Time
    fields: Annotated[dict[str, str], said("What the signature's expression found, redacted.")]
    summary: Annotated[str, said("What it means.")]
    first_action: Annotated[str, said("What to do first; may contain `code` in back-ticks.")]
    runbook_url: Address
    sample: Annotated[
        str | None, said("One redacted log line; null when it was withheld or left out for size.")
    ]
    source: Source
    account: str
    account_name: Annotated[str | None, said("What the settings call this account, else null.")] = None
    region: str
    links: Links


class Notification(Part, frozen=True, kw_only=True):
    """One message about one incident, as published to the SNS topic "alerts".

    Later versions of the same number may add keys: leave alone what you do not know.
    """

    version: Annotated[
        Literal["1"], said("Raised only by a change that breaks readers; new optional keys do not raise it.")
    ]
    id: Annotated[
        str,
        Meta(
            description="Incident id, a slash, the sequence number: the same for every delivery of this notification.",
            pattern="^[a-z0-9-]+/[0-9]+$",
        ),
    ]
    sequence: Annotated[
        int,
        Meta(
            description="Counts the incident's notifications. A reader that has shown a higher one must not overwrite it with this.",
            ge=1,
        ),
    ]
    reason: Reason
    at: Annotated[Time, said("When the notification became due.")]
    title: Annotated[str, said("What broke, in a few words.", minLength=1, maxLength=200)]
    service: Service
    severity: Annotated[
        Severity, said("The worst severity among the incident's firing alerts; among all when none fires.")
    ]
    incident: IncidentSummary
    labels: Annotated[
        tuple[Labels, ...],
        said(
            "What the incident's alerts can be routed by, each combination once; complete even where `alerts` is cut for size."
        ),
    ] = ()
    changes: Annotated[
        tuple[ReportedChange, ...],
        said(
            "What was deployed or altered before it began, and since: the likeliest suspect first. Empty where nothing is known.",
            maxItems=10,
        ),
    ] = ()
    actions: Annotated[
        tuple[ReportedAction, ...],
        said("What people did from Slack that no earlier notification says.", maxItems=40),
    ] = ()
    wide: Annotated[
        WideIncident | None,
        said(
            "The wide incident that this one joined as it opened, or leads; null for none. Each service's incident is announced all the same."
        ),
    ] = None
    why: Why | None = None
    alerts: Annotated[
        tuple[NotifiedAlert, ...],
        Meta(
            description="The alerts this notification is about first, then the others, worst and newest first.",
            min_length=1,
        ),
    ]


def document_of(part: Part) -> dict[str, Any]:
    """The part as JSON's own kinds, in the order of the contract."""
    document: dict[str, Any] = json.loads(to_json(part))
    return document


def to_json(part: Part) -> str:
    """The notification, or a part of it, as it is published: JSON in ASCII, because a log stream's name may be no text."""
    return json.dumps(msgspec.to_builtins(part))


def message_attributes(notification: Notification) -> dict[str, dict[str, str]]:
    """The SNS message attributes, for subscribers' filter policies, in the shape ``sns:Publish`` takes."""
    ids = list(dict.fromkeys(alert.signature for alert in notification.alerts))[:MAX_IDS]
    return {
        "severity": {"DataType": "String", "StringValue": notification.severity.value},
        "service": {"DataType": "String", "StringValue": notification.service},
        "signature": {"DataType": "String.Array", "StringValue": json.dumps(ids)},
        "reason": {"DataType": "String", "StringValue": notification.reason.value},
    }


def millis_of(text: str) -> Millis:
    """Read a time of the contract.

    Raises:
        ValueError: It is not one.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("not a notification: a time lacks its zone")
    return round(moment.timestamp() * 1000)
