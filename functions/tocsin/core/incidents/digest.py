"""The digest: once a day one message about what was counted without a message, and none while there is nothing.

That is what signatures in test mode recognised, and unknown errors: those learned after a first deployment, and known ones.
Beside them stand alerts that were told, and of which people said in Slack that they were none.

What is in test mode is counted into an incident of a group of its own (``test_mode``), so that counting once, the outbox and
telling once are those of every incident. It never speaks but once: when the digest is due it queues that one
notification and is over; what is counted later begins the next. Pure, like ``lifecycle``, of which it is the quiet
sibling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec.structs import replace

from tocsin.core.incidents.counting import MAX_ALERTS, alert_of, counted_into, reached, slid
from tocsin.core.incidents.false_alerts import false_alert_counted, false_alert_name
from tocsin.core.incidents.incident import Alert, Incident, Notified, Pace, Pending
from tocsin.core.incidents.lifecycle import Advance, incident_id
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import TEST_MODE_GROUP, AlertState, Millis, OccurrenceCount, Reason
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tocsin.core.times import HOUR

_MONDAY_AT_EIGHT: Millis = (4 * 24 + 8) * HOUR
"""1970-01-05T08:00Z, a Monday. Counted from it, a digest of a day comes at eight, and one of a week on Mondays."""


def advance(
    incident: Incident | None,
    occurrence_counts: Iterable[OccurrenceCount],
    now: Millis,
    *,
    policy: Policy,
    more: bool = False,
) -> Advance:
    """Count occurrence counts for the next digest, and queue it if it is due at ``now``.

    Args:
        incident: The latest incident of the group of what is in test mode, open or over, or None.
        occurrence_counts: What was counted and not yet applied, in any order, each at most once.
        now: The time.
        policy: Intervals and signatures.
        more: Whether more occurrence counts wait that belong into this digest.
    """
    current = incident if incident is not None and incident.resolved_at is None else None
    applied: list[OccurrenceCount] = []
    for counted in sorted(
        occurrence_counts, key=lambda counted: (counted.received_at, counted.envelope, counted.fingerprint)
    ):
        if current is None and counted.count:  # that an alarm is OK again begins nothing
            current = _opened(incident, counted, now)
        if current is not None:
            current = _counted(current, counted, policy)
        applied.append(counted)
    if current is None:
        return Advance(incident, tuple(applied))
    closed = incident if incident is not None and incident.id != current.id else None
    due = _due_at(current, policy)
    if due is not None and now >= due and not more:
        current = _told(current, now)
    return Advance(current, tuple(applied), closed)


def next_due(incident: Incident, now: Millis, policy: Policy) -> Millis | None:
    """Say when the digest is due: ``now`` if SNS has yet to hear of it, None while there is none to tell."""
    if incident.outbox:
        return now
    if incident.resolved_at is not None:
        return None
    due = _due_at(incident, policy)
    return None if due is None else max(due, now)


def next_digest_at(after: Millis, interval: Millis) -> Millis:
    """The first time after ``after`` at which a digest of this interval is told: every interval has one."""
    return after + interval - (after - _MONDAY_AT_EIGHT) % interval


def _due_at(incident: Incident, policy: Policy) -> Millis | None:
    interval = policy.intervals.digest_interval
    # What Tocsin learns after a first deployment is told together, not cut in two by the digest of that morning.
    return next_digest_at(max(incident.opened_at, incident.learning_until), interval) if interval else None


def _opened(before: Incident | None, counted: OccurrenceCount, now: Millis) -> Incident:
    # Not before the last digest was told: what it came too late for waits for the next, it does not make another one.
    told_at = (before.resolved_at if before else None) or 0
    opened_at = max(min(counted.received_at, now), told_at)
    return Incident(
        id=incident_id(TEST_MODE_GROUP, opened_at, counted, before),
        service=TEST_MODE_GROUP,
        opened_at=opened_at,
        alerts={},
    )


def _told(incident: Incident, now: Millis) -> Incident:
    """The incident with its one notification queued, and over."""
    told = Pending(incident.sequence + 1, Reason.DIGEST, now, tuple(incident.alerts))
    alerts = {name: replace(alert, notified=Notified(alert.count)) for name, alert in incident.alerts.items()}
    return replace(
        incident,
        alerts=alerts,
        sequence=told.sequence,
        pace=Pace(notified_at=now),
        resolved_at=now,
        omitted_notified=incident.omitted,
        outbox=(*incident.outbox, told),
    )


def _counted(incident: Incident, counted: OccurrenceCount, policy: Policy) -> Incident:
    """The incident with an occurrence count counted: one alert for each signature and service.

    Each unknown error has an alert of its own, and so has each alert that people said was none.
    """
    name = _name(counted)
    if counted.learning_until > incident.learning_until:
        incident = replace(incident, learning_until=counted.learning_until)
    known = incident.alerts.get(name)
    if counted.marked_by and (known or len(incident.alerts) < MAX_ALERTS):
        alert = false_alert_counted(known, counted)
        return replace(incident, alerts={**incident.alerts, name: alert})
    if known is None and not counted.count:
        return incident
    if known is None and len(incident.alerts) >= MAX_ALERTS:
        return replace(incident, omitted=incident.omitted + counted.count)
    if known is None:
        alert = _joined(name, counted)
    elif counted.count:
        alert = counted_into(known, counted)
    else:
        alert = known  # that an alarm is OK again changes nothing
    alert = _weighed(alert, known, counted, policy)
    return replace(incident, alerts={**incident.alerts, name: alert})


def _joined(name: str, counted: OccurrenceCount) -> Alert:
    # Over, whatever goes on: nobody is to be told, and nothing to be muted.
    return replace(alert_of(counted), fingerprint=name, state=AlertState.RESOLVED, announced=False)


def _weighed(alert: Alert, before: Alert | None, counted: OccurrenceCount, policy: Policy) -> Alert:
    """Count how often it would have would_have_fired: after quiet, and once its threshold is reached."""
    if counted.signature == UNKNOWN_ERROR:
        return replace(alert, would_have_fired=alert.would_have_fired + counted.learned)
    if counted.origin.is_stateful:
        return replace(alert, would_have_fired=alert.would_have_fired + counted.count)
    quiet_at = before.active_at + policy.resolve_after(alert.signature) if before else 0
    if counted.received_at >= quiet_at:
        alert = replace(alert, recent=())
    elif alert.would_have_fired and not alert.recent:
        return alert  # it goes on; where it does not, ``recent`` holds what is below the threshold
    rule = policy.signatures.get(alert.signature)
    if rule and rule.threshold:
        recent = slid(alert.recent, counted, rule.threshold)
        if not reached(recent, rule.threshold):
            return replace(alert, recent=recent)
    return replace(alert, would_have_fired=alert.would_have_fired + 1, recent=())


def _name(counted: OccurrenceCount) -> str:
    if counted.marked_by:
        return false_alert_name(counted)
    if counted.signature == UNKNOWN_ERROR:
        return counted.fingerprint  # each of them is another error
    return hashlib.sha256(
        f"{counted.signature}\0{counted.origin_service}".encode("utf-8", "replace")
    ).hexdigest()[:16]
