"""Writing the notification: from an incident and one entry of its outbox to the contract, bounded in size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.changes import began_at
from tocsin.core.incidents.incident import Alert, Incident, Pending
from tocsin.core.incidents.inhibition import depth_of_symptom, inhibitor, likely_cause, severity_of
from tocsin.core.incidents.test_mode import test_mode_status
from tocsin.core.incidents.wide import Wide
from tocsin.core.model import AlertState, Change, Millis, Reason, Severity
from tocsin.core.notifications.console_links import alarm_link, insights_link, insights_query, log_stream_link
from tocsin.core.notifications.contract import (
    IncidentSummary,
    InTestMode,
    Labels,
    LikelyCause,
    Links,
    Notification,
    NotifiedAlert,
    QueueStatus,
    ReportedChange,
    Source,
    WideIncident,
    to_json,
)
from tocsin.core.notifications.explanation import latest_round, why
from tocsin.core.notifications.placeholders import filled, first_action_of, place_of
from tocsin.core.notifications.reported_actions import actions_of, holder_of
from tocsin.core.sanitize import clipped, one_line, visible
from tocsin.core.signatures.signature import UNKNOWN_ERROR, Signature
from tocsin.core.times import iso_time

MAX_NOTIFICATION_SIZE = 60_000
"""Bytes of a notification as JSON. SNS takes 256 KiB; inside its envelope the JSON is escaped once more,
which at worst doubles it, and the text for e-mail comes on top."""

_MAX_SAMPLE_LENGTH = 6_000
_MAX_FIELD_LENGTH = 200
_MAX_IN_SENTENCE_LENGTH = 120
_MAX_FIELDS = 12
_MAX_SERVICES = 50

_CONFIRM = "#confirm"
"""The section of a runbook that its links open: how to see that it is this and not something else."""

_OVER = frozenset({Reason.RESOLVED, Reason.DIGEST})
"""Reasons that end an incident."""


def build_notification(
    incident: Incident,
    pending: Pending,
    signatures: Mapping[str, Signature],
    *,
    runbooks_url: str,
    wide: Wide | None = None,
) -> Notification:
    """Write the contract for one entry of an incident's outbox.

    Args:
        incident: The incident, with everything counted so far.
        pending: Why it is told, and which alerts it is about.
        signatures: By id. An alert whose signature is not there any more, because a deployment removed it
            while the incident was open, is told with what is known.
        runbooks_url: Where the runbooks are read; ends in a slash.
        wide: The wide incident that it belongs to, or None.
    """
    told = [alert for alert in incident.alerts.values() if alert.announced and alert.count]
    listed = _ordered(told or list(incident.alerts.values()), incident, pending, signatures)
    alerts = [_alert(alert, incident, pending, signatures, runbooks_url) for alert in listed]
    firing = [alert for alert in listed if alert.state is AlertState.FIRING]
    severity = min((severity_of(alert, signatures) for alert in firing or listed), key=lambda s: s.rank)
    main = _headline(firing or latest_round(listed, incident), incident, signatures)
    title = _title(main, signatures)
    if pending.reason is Reason.DIGEST:
        # Never more than "low": who is woken by what is critical must not be by a rule that nobody has reviewed.
        severity, title = Severity.LOW, _digest_title(listed)
        alerts.sort(key=_digest_order)
    subject = _subject(listed, main, incident, pending, signatures)
    reason_detail = why(incident, pending, subject, listed, signatures)
    notification = Notification(
        version="1",
        id=f"{incident.id}/{pending.sequence}",
        sequence=pending.sequence,
        reason=pending.reason,
        at=iso_time(pending.at),
        title=title,
        service=clipped(one_line(incident.service), 256) or "unknown",
        severity=severity,
        incident=IncidentSummary(
            id=incident.id,
            # Told of the moment, not of now: an entry published late says what was true when it became due.
            status=AlertState.RESOLVED if pending.reason in _OVER else AlertState.FIRING,
            opened_at=iso_time(incident.opened_at),
            first_seen=iso_time(min(alert.first_seen for alert in listed)),
            last_seen=iso_time(max(_until(alert, pending) for alert in listed)),
            resolved_at=iso_time(pending.at) if pending.reason in _OVER else None,
            count=reason_detail.total,
            alert_count=len(listed),
            omitted_count=incident.omitted,
            updates=pending.updates,
            reopened_at=iso_time(incident.reopened_at) if incident.reopened_at else None,
            acknowledged=holder_of(incident, pending),
        ),
        labels=_labels(listed, signatures),
        changes=tuple(_change(change, began_at(incident), pending) for change in incident.changes),
        actions=actions_of(incident, pending),
        wide=_wide(wide) if wide else None,
        why=reason_detail,
        alerts=tuple(alerts),
    )
    return _fitted(notification)


def _wide(wide: Wide) -> WideIncident:
    return WideIncident(
        lead=wide.lead,
        signature=wide.cause.signature or None,
        route=wide.cause.route or None,
        shared={name: clipped(one_line(value), _MAX_FIELD_LENGTH) for name, value in wide.cause.shared},
        services=tuple(clipped(one_line(name), 256) for name in wide.services[:_MAX_SERVICES]),
        service_count=len(wide.services),
    )


def _ordered(
    alerts: list[Alert], incident: Incident, pending: Pending, signatures: Mapping[str, Signature]
) -> list[Alert]:
    """What the notification is about first, then causes before symptoms, worst and newest first."""
    return sorted(
        alerts,
        key=lambda alert: (
            alert.fingerprint not in pending.fingerprints,
            alert.fingerprint not in pending.subjects,
            depth_of_symptom(incident, alert, signatures),
            severity_of(alert, signatures).rank,
            -alert.first_seen,
        ),
    )


def _headline(alerts: Sequence[Alert], incident: Incident, signatures: Mapping[str, Signature]) -> Alert:
    """The alert that the incident is named after: a cause, the worst, the first of equals."""
    return min(
        alerts,
        key=lambda alert: (
            bool(alert.silence),
            depth_of_symptom(incident, alert, signatures),
            severity_of(alert, signatures).rank,
            alert.first_seen,
        ),
    )


def _subject(
    listed: list[Alert],
    main: Alert,
    incident: Incident,
    pending: Pending,
    signatures: Mapping[str, Signature],
) -> Alert:
    """The alert that a notification is sent for: the queue that grows, what is new or back, else the incident's own."""
    growing = [alert for alert in listed if alert.fingerprint in pending.growing]
    if growing:
        return growing[0]
    if pending.reason in {Reason.NEW_ALERT, Reason.REGRESSED, Reason.SILENCE_EXPIRED}:
        return _headline(_about(listed, pending), incident, signatures)
    return main


def _about(listed: list[Alert], pending: Pending) -> list[Alert]:
    """The alerts that a notification's reason is said of; where it names none that is listed, all."""
    named = pending.subjects or pending.fingerprints
    return [alert for alert in listed if alert.fingerprint in named] or listed


def _alert(
    alert: Alert, incident: Incident, pending: Pending, signatures: Mapping[str, Signature], runbooks_url: str
) -> NotifiedAlert:
    rule = signatures.get(alert.signature)
    fields = {
        clipped(one_line(name), 60): clipped(one_line(value), _MAX_FIELD_LENGTH)
        for name, value in list(alert.fields.items())[:_MAX_FIELDS]
    }
    summary = (
        rule.summary
        if rule
        else (
            "The deployed configuration no longer has this signature, so its meaning is not known any more."
        )
    )
    action = (
        rule.first_action
        if rule
        else f"Read the log; a deployment removed the signature `{alert.signature}`."
    )
    service = alert.origin_service or incident.service
    where = (alert.origin.region, alert.origin.log_group)
    window = (alert.first_seen, alert.last_seen)
    return NotifiedAlert(
        fingerprint=alert.fingerprint,
        signature=alert.signature,
        service=clipped(one_line(service), 256) or "unknown",
        title=_title(alert, signatures),
        severity=severity_of(alert, signatures),
        owner=_owner(alert, signatures) or None,
        state=alert.state,
        changed=alert.fingerprint in pending.fingerprints,
        inhibited_by=inhibitor(incident, alert, signatures),
        silenced_by=alert.silence or None,
        likely_cause=_cause(incident, alert, signatures),
        queue=_queue(alert, pending),
        test_mode=InTestMode(status=test_mode_status(rule), would_have_fired=alert.would_have_fired)
        if alert.origin_service and not alert.marked_by
        else None,
        marked_by=clipped(one_line(alert.marked_by), _MAX_FIELD_LENGTH) or None,
        count=alert.count,
        count_since_last=max(0, alert.count - pending.notified_before.get(alert.fingerprint, 0)),
        first_seen=iso_time(alert.first_seen),
        last_seen=iso_time(_until(alert, pending)),
        fields=fields,
        summary=filled(summary, service, fields, code=False),
        first_action=first_action_of(
            action,
            service,
            {
                **place_of(alert, likely_cause(incident, alert, signatures)),
                **{name: value for name, value in fields.items() if value},
            },
        ),
        runbook_url=f"{runbooks_url}{rule.runbook}{_CONFIRM}" if rule and rule.runbook else runbooks_url,
        sample=clipped(visible(alert.sample), _MAX_SAMPLE_LENGTH) or None,
        source=Source(
            log_group=alert.origin.log_group or None,
            log_stream=alert.origin.log_stream or None,
            alarm=one_line(alert.origin.alarm) or None,
        ),
        account=alert.origin.account,
        region=alert.origin.region,
        links=Links(
            log_stream=log_stream_link(*where, alert.origin.log_stream, *window),
            insights=insights_link(*where, insights_query(rule.any if rule else ()), *window),
            alarm=alarm_link(alert.origin.region, alert.origin.alarm),
        ),
    )


def _until(alert: Alert, pending: Pending) -> Millis:
    """Until when it was seen: a line until its last occurrence, an alarm (or an absence) for as long as it is in that state."""
    if not alert.origin.is_stateful:
        return alert.last_seen
    until = pending.at if alert.state is AlertState.FIRING else (alert.over_at or alert.last_seen)
    return max(alert.last_seen, until)


def _cause(incident: Incident, alert: Alert, signatures: Mapping[str, Signature]) -> LikelyCause | None:
    cause = likely_cause(incident, alert, signatures)
    if cause is None:
        return None
    return LikelyCause(
        fingerprint=cause.fingerprint,
        signature=cause.signature,
        title=_title(cause, signatures),
        detail=clipped(one_line(next(iter(cause.fields.values()), "")), _MAX_IN_SENTENCE_LENGTH) or None,
        state=cause.state,
        count=cause.count,
        first_seen=iso_time(cause.first_seen),
    )


def _change(change: Change, began: Millis, pending: Pending) -> ReportedChange:
    return ReportedChange(
        kind=change.kind.value,
        what=clipped(one_line(change.what), _MAX_IN_SENTENCE_LENGTH),
        status=change.status or None,
        direct=change.is_direct,
        by=change.by or None,
        who=clipped(one_line(change.who), _MAX_IN_SENTENCE_LENGTH) or None,
        at=iso_time(change.at),
        seconds_before=(began - change.at) // 1000,
        learned_late=change.id in pending.learned,
    )


def _queue(alert: Alert, pending: Pending) -> QueueStatus | None:
    if alert.queue is None:
        return None
    lost = queue_watch.expires_at(alert)
    return QueueStatus(
        name=clipped(one_line(alert.fields.get("queue", "")), _MAX_FIELD_LENGTH),
        depth=alert.queue.depth,
        at=iso_time(alert.queue.at),
        oldest_expires_at=iso_time(lost) if lost is not None else None,
        growing=alert.fingerprint in pending.growing,
    )


def _title(alert: Alert, signatures: Mapping[str, Signature]) -> str:
    rule = signatures.get(alert.signature)
    return rule.title if rule else f"{alert.signature.replace('-', ' ').capitalize()} (signature removed)"


def _digest_title(alerts: list[Alert]) -> str:
    counted = [alert for alert in alerts if not alert.marked_by]
    errors = sum(alert.signature == UNKNOWN_ERROR for alert in counted)
    rules = len({alert.signature for alert in counted} - {UNKNOWN_ERROR})
    parts = (
        (len(alerts) - len(counted), "false alert{}"),
        (rules, "signature{} in test mode"),
        (errors, "unknown error{}"),
    )
    return ", ".join(f"{count:,} {what.format('s' * (count != 1))}" for count, what in parts if count)


def _digest_order(alert: NotifiedAlert) -> tuple[bool, bool, bool, int]:
    """What people said was no alert first, then what is in test mode, then errors that are new, then known ones; of each kind the most frequent first."""
    learned = alert.test_mode is not None and alert.test_mode.would_have_fired > 0
    is_error = alert.signature == UNKNOWN_ERROR
    return alert.marked_by is None, is_error, is_error and not learned, -alert.count


def _owner(alert: Alert, signatures: Mapping[str, Signature]) -> str:
    rule = signatures.get(alert.signature)
    return rule.owner if rule else ""


def _labels(alerts: list[Alert], signatures: Mapping[str, Signature]) -> tuple[Labels, ...]:
    """What the incident is routed by: complete even where alerts are left out for size."""
    rows = {
        Labels(
            signature=alert.signature,
            severity=severity_of(alert, signatures),
            owner=_owner(alert, signatures) or None,
        )
        for alert in alerts
    }
    return tuple(sorted(rows, key=lambda row: row.signature))


def _fitted(notification: Notification) -> Notification:
    """Make it fit: samples go first, the least important ones before the others, then whole alerts.

    The first alert keeps its sample longest; if it is too large by itself, it is because of characters that
    JSON writes long.
    """
    for index in range(len(notification.alerts) - 1, 0, -1):
        if _fits(notification):
            return notification
        alerts = list(notification.alerts)
        alerts[index] = replace(alerts[index], sample=None)
        notification = replace(notification, alerts=tuple(alerts))
    while len(notification.alerts) > 1 and not _fits(notification):
        notification = replace(notification, alerts=notification.alerts[:-1])
    if not _fits(notification):
        notification = replace(notification, alerts=(replace(notification.alerts[0], sample=None),))
    if not _fits(notification):
        notification = replace(notification, alerts=(replace(notification.alerts[0], fields={}),))
    return notification


def _fits(notification: Notification) -> bool:
    return len(to_json(notification)) <= MAX_NOTIFICATION_SIZE


def with_account_names(notification: Notification, names: Mapping[str, str]) -> Notification:
    """The notification with what its alerts' accounts are called.

    Args:
        notification: The contract.
        names: By the account's number.
    """
    if not any(alert.account in names for alert in notification.alerts):
        return notification
    alerts = (replace(alert, account_name=names.get(alert.account)) for alert in notification.alerts)
    return replace(notification, alerts=tuple(alerts))
