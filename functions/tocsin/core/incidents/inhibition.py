"""Cause and symptom: which alert of an incident explains another.

A symptom is only what its cause can explain: a failure with a name, that of the same place, begun no earlier than the
cause and not long after it was last seen. An exception that no signature describes may be anything, so nothing in an incident explains it; that it is only
another word for a named failure is known within one line and one invocation (``matching``), and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.model import AlertState, Millis, Severity
from tocsin.core.signatures.signature import Signature
from tocsin.core.times import MINUTE

TOGETHER: Millis = MINUTE
"""How much earlier than its cause a symptom may be logged: what an invocation says of a failure comes in any order."""

NOT_LONG: Millis = 15 * MINUTE
"""How long after its cause was last seen a symptom may begin; an alarm looks back on some minutes."""

RESOLUTION: Millis = 1_000
"""What the time of an alarm is exact to, in some of the shapes that it comes in."""


def inhibitor(incident: Incident, alert: Alert, signatures: Mapping[str, Signature]) -> str | None:
    """The signature of an alert of the same incident that explains this one, or None.

    A cause explains while it fires, and after that the lines that came before its end: two that stopped together are
    not found quiet in the same second. Once everything is over, what explained still does, but not what came back
    since: that is news until people have been told of it.
    """
    rule = signatures.get(alert.signature)
    if rule is not None and rule.catch_all:
        return None
    everything_over = not incident.firing and incident.return_notified
    return next(
        (
            other.signature
            for other in incident.alerts.values()
            if other.announced
            and other.signature in signatures
            and alert.signature in signatures[other.signature].inhibits
            and _is_of_the_same_place(other, alert)
            and other.first_seen - TOGETHER <= alert.first_seen <= other.last_seen + NOT_LONG
            and (everything_over or _explains(other, alert))
        ),
        None,
    )


def _explains(cause: Alert, symptom: Alert) -> bool:
    """Whether a cause accounts for a symptom that may outlive it."""
    if cause.state is AlertState.FIRING:
        return True
    return not symptom.origin.alarm and cause.over_at is not None and symptom.active_at <= cause.over_at


def _is_of_the_same_place(cause: Alert, symptom: Alert) -> bool:
    """Whether two alerts are of one log group; an alarm watches the whole service."""
    return (
        not cause.origin.log_group
        or not symptom.origin.log_group
        or cause.origin.log_group == symptom.origin.log_group
    )


def likely_cause(incident: Incident, alert: Alert, signatures: Mapping[str, Signature]) -> Alert | None:
    """For an alarm, the alert of a log line in the same incident that is most likely behind it, or None.

    An alarm says that a number is high (messages in a dead-letter queue, errors, 5xx answers); the line that a
    function logged says why, also when it has been quiet since: messages lie in a dead-letter queue long after. A line
    that is missing says no more than the alarm does, and what began after the alarm, or after its queue last grew, is no
    cause of it. Of what fires it is the worst, then the first; of what is over the latest.
    """
    if not alert.origin.alarm:
        return None
    causes = [
        other
        for other in incident.alerts.values()
        if not other.origin.alarm
        and not other.origin.absence
        and other.announced
        and other.count
        and other.first_seen < _took_effect(alert) + RESOLUTION
        and inhibitor(incident, other, signatures) is None
    ]
    firing = [cause for cause in causes if cause.state is AlertState.FIRING]
    if firing:
        return min(firing, key=lambda cause: (severity_of(cause, signatures).rank, cause.first_seen))
    return max(causes, key=lambda cause: cause.last_seen, default=None)


def _took_effect(alarm: Alert) -> Millis:
    """When what an alarm says was last seen to get worse."""
    grown_at = alarm.queue.grown_at if alarm.queue is not None else None
    return max(alarm.last_seen, grown_at or 0)


def depth_of_symptom(incident: Incident, alert: Alert, signatures: Mapping[str, Signature]) -> int:
    """How far an alert is from the cause, for putting causes first: 0 a cause, 1 an alarm with one, 2 inhibited."""
    if inhibitor(incident, alert, signatures) is not None:
        return 2
    return int(likely_cause(incident, alert, signatures) is not None)


def severity_of(alert: Alert, signatures: Mapping[str, Signature]) -> Severity:
    """How bad an alert is; high where no signature says so any more."""
    rule = signatures.get(alert.signature)
    return rule.severity if rule else Severity.HIGH
