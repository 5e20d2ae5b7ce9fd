"""The digest: once a day one message about what signatures on trial recognised, and none while they recognise nothing.

What is on trial is counted into an incident of a group of its own (``trial``), so that counting once, the outbox and
telling once are those of every incident. It never speaks but once: when the digest is due it queues that one
notification and is over; what is counted later begins the next. Pure, like ``lifecycle``, of which it is the quiet
sibling.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from tocsin.core.incidents.folding import MOST_ALERTS, alert_of, counted, reached, slid
from tocsin.core.incidents.lifecycle import Advance, incident_id
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import ON_TRIAL, Alert, AlertState, Incident, Millis, Pending, Reason, Tally

_MONDAY_AT_EIGHT: Millis = (4 * 24 + 8) * 3_600_000
"""1970-01-05T08:00Z, a Monday. Counted from it, a digest of a day comes at eight, and one of a week on Mondays."""


def advance(
    incident: Incident | None, tallies: Iterable[Tally], now: Millis, *, policy: Policy, more: bool = False
) -> Advance:
    """Count tallies for the next digest, and queue it if it is due at ``now``.

    Args:
        incident: The latest incident of the group of what is on trial, open or over, or None.
        tallies: What was counted and not yet folded, in any order, each at most once.
        now: The time.
        policy: Intervals and signatures.
        more: Whether more tallies wait that belong into this digest.
    """
    current = incident if incident is not None and incident.resolved_at is None else None
    absorbed: list[Tally] = []
    for tally in sorted(tallies, key=lambda tally: (tally.received_at, tally.envelope, tally.fingerprint)):
        if current is None and tally.count:  # that an alarm is OK again begins nothing
            current = _opened(incident, tally, now)
        if current is not None:
            current = _counted(current, tally, policy)
        absorbed.append(tally)
    if current is None:
        return Advance(incident, tuple(absorbed))
    closed = incident if incident is not None and incident.id != current.id else None
    due = _due_at(current, policy)
    if due is not None and now >= due and not more:
        current = _told(current, now)
    return Advance(current, tuple(absorbed), closed)


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
    return next_digest_at(incident.opened_at, interval) if interval else None


def _opened(before: Incident | None, tally: Tally, now: Millis) -> Incident:
    # Not before the last digest was told: what it came too late for waits for the next, it does not make another one.
    told_at = (before.resolved_at if before else None) or 0
    opened_at = max(min(tally.received_at, now), told_at)
    return Incident(
        id=incident_id(ON_TRIAL, opened_at, tally, before), service=ON_TRIAL, opened_at=opened_at, alerts={}
    )


def _told(incident: Incident, now: Millis) -> Incident:
    """The incident with its one notification queued, and over."""
    told = Pending(incident.sequence + 1, Reason.DIGEST, now, tuple(incident.alerts))
    alerts = {name: replace(alert, notified_count=alert.count) for name, alert in incident.alerts.items()}
    return replace(
        incident,
        alerts=alerts,
        sequence=told.sequence,
        notified_at=now,
        resolved_at=now,
        omitted_told=incident.omitted,
        outbox=(*incident.outbox, told),
    )


def _counted(incident: Incident, tally: Tally, policy: Policy) -> Incident:
    """The incident with a tally counted: one alert for each signature and service, whatever its fields."""
    name = _name(tally)
    known = incident.alerts.get(name)
    if known is None and not tally.count:
        return incident
    if known is None and len(incident.alerts) >= MOST_ALERTS:
        return replace(incident, omitted=incident.omitted + tally.count)
    if known is None:
        alert = _joined(name, tally)
    elif tally.count:
        alert = counted(known, tally)
    else:
        alert = known  # that an alarm is OK again changes nothing
    alert = _weighed(alert, known, tally, policy)
    return replace(incident, alerts={**incident.alerts, name: alert})


def _joined(name: str, tally: Tally) -> Alert:
    # Over, whatever goes on: nobody is to be told, and nothing to be muted.
    return replace(alert_of(tally), fingerprint=name, state=AlertState.RESOLVED, announced=False)


def _weighed(alert: Alert, before: Alert | None, tally: Tally, policy: Policy) -> Alert:
    """Count how often it would have begun: after quiet, and once its threshold is reached."""
    if tally.alarm or tally.absence:
        return replace(alert, begun=alert.begun + tally.count)
    quiet_at = before.active_at + policy.resolve_after(alert.signature) if before else 0
    if tally.received_at >= quiet_at:
        alert = replace(alert, recent=())
    elif alert.begun and not alert.recent:
        return alert  # it goes on; where it does not, ``recent`` holds what is below the threshold
    rule = policy.signatures.get(alert.signature)
    if rule and rule.threshold:
        recent = slid(alert.recent, tally, rule.threshold)
        if not reached(recent, rule.threshold):
            return replace(alert, recent=recent)
    return replace(alert, begun=alert.begun + 1, recent=())


def _name(tally: Tally) -> str:
    return hashlib.sha256(f"{tally.signature}\0{tally.tried_in}".encode("utf-8", "replace")).hexdigest()[:16]
