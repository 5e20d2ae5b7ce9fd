"""Watching a dead-letter queue while its alarm fires: the alarm itself falls silent until it is OK again.

CloudWatch alarms act on transitions, so that the second message in a dead-letter queue, and the thousandth, tell
nobody. ``reconcile`` looks at the queue instead, and what it finds is news when the queue has grown by half, or
when its oldest message is about to be lost for good.
"""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.incidents.incident import Alert, Incident, QueueReading
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import AlertState, Millis, OccurrenceCount
from tocsin.core.times import HOUR

WARN_BEFORE = (24 * HOUR, 6 * HOUR, HOUR)
"""How long before its oldest message is lost a queue is news again; each once."""


def is_watched(of: Alert | OccurrenceCount, policy: Policy) -> bool:
    """Whether the queue of an alert, or of what is about to be one, is looked at: it fires, and its signature says so."""
    rule = policy.signatures.get(of.signature)
    return (
        of.state is AlertState.FIRING
        and bool(of.fields.get("queue"))
        and rule is not None
        and rule.watch_queue
    )


def read(alert: Alert, reading: QueueReading) -> Alert:
    """Keep what a look at its queue found; an older look never replaces a newer one."""
    if alert.queue is not None and reading.at < alert.queue.at:
        return alert
    deeper = alert.queue is not None and reading.depth > alert.queue.depth
    grown_at = reading.at if deeper else alert.queue.grown_at if alert.queue is not None else None
    return replace(alert, queue=replace(reading, grown_at=grown_at))


def expires_at(alert: Alert) -> Millis | None:
    """When the oldest message in the alert's queue is lost at the latest; None where nothing is known or waits.

    What is in the queue since the alarm began has been in it at least that long, and SQS deletes a message
    that was moved to a dead-letter queue by the time it was *first* sent. So this is an upper bound, never late.
    """
    if alert.queue is None or not alert.queue.depth:
        return None
    since = [alert.state_at or alert.first_seen]
    if alert.queue.oldest_age is not None:
        since.append(alert.queue.at - alert.queue.oldest_age)
    return min(since) + alert.queue.retention


def is_growing(alert: Alert) -> bool:
    """Whether the queue is news: half as deep again as people were told, or nearer to losing a message."""
    if alert.queue is None or alert.state is not AlertState.FIRING:
        return False
    grown = (
        alert.queue.depth > alert.notified.queue_news
        and 2 * alert.queue.depth >= 3 * alert.notified.queue_news
    )
    return grown or warnings(alert) > alert.notified.queue_warnings


def warnings(alert: Alert) -> int:
    """How many of the warnings that the oldest message will be lost are due."""
    last = expires_at(alert)
    if last is None or alert.queue is None:
        return 0
    return sum(alert.queue.at >= last - before for before in WARN_BEFORE)


def growing(incident: Incident, policy: Policy) -> tuple[Alert, ...]:
    """The alerts of an incident whose queue is news, and which people have been told of before."""
    return tuple(
        alert
        for alert in incident.alerts.values()
        if alert.notified.individually
        and not alert.silence
        and is_watched(alert, policy)
        and is_growing(alert)
    )


def told(alert: Alert, *, as_news: bool) -> Alert:
    """The alert as it is once people have been shown how deep its queue is, or told so."""
    if alert.queue is None:
        return alert
    notified = replace(alert.notified, queue_shown=alert.queue.depth)
    if as_news:
        deepest = max(notified.queue_news, alert.queue.depth) if is_growing(alert) else notified.queue_news
        warned = max(notified.queue_warnings, warnings(alert))
        notified = replace(notified, queue_news=deepest, queue_warnings=warned)
    return replace(alert, notified=notified)


def differs(alert: Alert) -> bool:
    """Whether the queue is not any more as the last notification showed it, or is news."""
    return alert.queue is not None and (alert.queue.depth != alert.notified.queue_shown or is_growing(alert))
