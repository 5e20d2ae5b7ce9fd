"""Incidents and silences as the JSON documents that ``--json`` prints; docs/silences.md describes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.changes import began_at
from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.muting import muted_by_cloudwatch
from tocsin.core.incidents.silences import Silence
from tocsin.core.model import TEST_MODE_GROUP, AlertState, Millis
from tocsin.core.signatures.signature import Signature
from tocsin.core.times import iso_time
from tocsin_cli.stack.incident_history import Delivery

Report = dict[str, Any]
Signatures = Mapping[str, Signature]


def silence_report(silence: Silence, now: Millis, incidents: Iterable[Incident]) -> Report:
    """A silence, and how much of what fires it mutes."""
    covered = sum(len(muted_by(silence, incident)) for incident in incidents) if silence.active(now) else 0
    return {
        "id": silence.id,
        "state": "active" if silence.active(now) else "expired" if silence.ends_at <= now else "pending",
        "signature": silence.signature,
        "service": silence.service,
        "fields": dict(silence.fields),
        "reason": silence.reason,
        "author": silence.author,
        "created_at": iso_time(silence.created_at),
        "begins_at": iso_time(silence.begins),
        "expires_at": iso_time(silence.expires_at),
        "hours": silence.hours,
        "zone": silence.zone if silence.hours else "",
        "ends_when_quiet_seconds": silence.ends_when_quiet // 1000,
        "firing_alerts": covered,
    }


def muted_by(silence: Silence, incident: Incident) -> list[Alert]:
    """The firing alerts of an incident that a silence covers, active or not."""
    return [
        alert for alert in incident.firing if silence.covers(alert.signature, incident.service, alert.fields)
    ]


def incident_report(
    incident: Incident, now: Millis, silences: Sequence[Silence], signatures: Signatures
) -> Report:
    """An incident in one row of a list."""
    alerts = list(incident.alerts.values())
    counts = incident.service == TEST_MODE_GROUP  # towards the next digest; nothing of it fires
    worst = None if counts else _worst(incident.firing or alerts, signatures)
    firing = {alert.fingerprint for alert in incident.firing}
    silenced = {
        alert.fingerprint
        for silence in silences
        if silence.active(now)
        for alert in muted_by(silence, incident)
    }
    return {
        "id": incident.id,
        "service": incident.service,
        "state": "resolved" if incident.resolved_at is not None else "counting" if counts else "firing",
        "severity": _severity(worst, signatures),
        "title": "for the next digest" if counts else _title(worst, signatures),
        "opened_at": iso_time(incident.opened_at),
        "resolved_at": None if incident.resolved_at is None else iso_time(incident.resolved_at),
        "last_seen": iso_time(max((alert.last_seen for alert in alerts), default=incident.opened_at)),
        "occurrences": incident.count,
        "alerts_firing": len(firing),
        "alerts_resolved": 0 if counts else len(alerts) - len(firing),
        "alerts_silenced": len(firing & silenced),
        "notifications": incident.sequence,
    }


def incident_details(
    incident: Incident,
    now: Millis,
    silences: Sequence[Silence],
    signatures: Signatures,
    deliveries: Iterable[Delivery],
) -> Report:
    """An incident with all that is known of it: the row of the list, its alerts, what was sent."""
    return incident_report(incident, now, silences, signatures) | {
        "last_notified_at": None if incident.notified_at is None else iso_time(incident.notified_at),
        "waiting": [
            {"sequence": due.sequence, "reason": str(due.reason), "at": iso_time(due.at)}
            for due in incident.outbox
        ],
        "acknowledged": incident.acknowledged
        and {
            "name": incident.acknowledged.name,
            "since": iso_time(incident.acknowledged.since),
            "until": iso_time(incident.acknowledged.until),
        },
        "actions": [
            {
                "kind": str(done.kind),
                "by": done.name,
                "at": iso_time(done.at),
                "outcome": str(done.outcome),
                "detail": done.detail or None,
            }
            for done in incident.record
        ],
        "occurrences_of_unlisted_alerts": incident.omitted,
        "changes": [
            {
                "kind": str(change.kind),
                "what": change.what,
                "status": change.status or None,
                "direct": change.is_direct,
                "by": change.by or None,
                "who": change.who or None,
                "at": iso_time(change.at),
                "seconds_before": (began_at(incident) - change.at) // 1000,
            }
            for change in incident.changes
        ],
        "alerts": [
            _alert(alert, incident.service, now, silences, signatures) for alert in incident.alerts.values()
        ],
        "slack": [
            {
                "destination": delivery.destination,
                "channel": delivery.channel,
                "message": delivery.ts,
                "shown": delivery.shown,
                "delivered": delivery.delivered,
                "unconfirmed": list(delivery.unconfirmed),
            }
            for delivery in deliveries
        ],
    }


def _alert(
    alert: Alert, service: str, now: Millis, silences: Iterable[Silence], signatures: Signatures
) -> Report:
    muting = [
        silence.id
        for silence in silences
        if silence.active(now)
        and alert.state is AlertState.FIRING
        and silence.covers(alert.signature, service, alert.fields)
    ]
    return {
        "fingerprint": alert.fingerprint,
        "signature": alert.signature,
        "service": alert.origin_service or service,
        "title": _title(alert, signatures),
        "severity": _severity(alert, signatures),
        "state": "counted" if alert.origin_service else str(alert.state),
        "announced": alert.announced,
        "silenced_by": muting,
        "muted_by": muted_by_cloudwatch(alert, now) or None,
        "occurrences": alert.count,
        "occurrences_notified": alert.notified.count,
        "first_seen": iso_time(alert.first_seen),
        "last_seen": iso_time(alert.last_seen),
        "was_over_at": None if alert.over_at is None else iso_time(alert.over_at),
        "queue": _queue(alert),
        "fields": dict(alert.fields),
        "sample": alert.sample,
        "log_group": alert.origin.log_group,
        "log_stream": alert.origin.log_stream,
        "alarm": alert.origin.alarm,
        "account": alert.origin.account,
        "region": alert.origin.region,
    }


def _queue(alert: Alert) -> Report | None:
    if alert.queue is None:
        return None
    lost_at = queue_watch.expires_at(alert)
    return {
        "depth": alert.queue.depth,
        "at": iso_time(alert.queue.at),
        "oldest_lost_at": None if lost_at is None else iso_time(lost_at),
    }


def _worst(alerts: Iterable[Alert], signatures: Signatures) -> Alert | None:
    """The gravest alert, the earliest of equals; one whose signature is not known here comes last."""
    return min(
        alerts,
        key=lambda alert: (
            signatures[alert.signature].severity.rank if alert.signature in signatures else 9,
            alert.first_seen,
        ),
        default=None,
    )


def _title(alert: Alert | None, signatures: Signatures) -> str:
    if alert is None:
        return ""
    return signatures[alert.signature].title if alert.signature in signatures else alert.signature


def _severity(alert: Alert | None, signatures: Signatures) -> str | None:
    return str(signatures[alert.signature].severity) if alert and alert.signature in signatures else None
