"""Applying counts: what was counted becomes part of an incident, within the bounds of what one incident keeps."""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.incidents.contributors import alarm_itself, contributed, first_received
from tocsin.core.incidents.flapping import after_return, learned_from
from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import AlertState, Millis, OccurrenceCount
from tocsin.core.signatures.signature import NEWS, Status, Threshold

MAX_ALERTS = 50
"""Alerts one incident keeps: with a sample of at most 6 KB and a few fields each they fit DynamoDB's item of 400 KB;
where they do not, ``incident_document`` makes them lighter."""

BUCKETS = 60
"""How finely a threshold's window slides; what bounds the memory of an alert that is not announced."""


def apply(incident: Incident, counted: OccurrenceCount, policy: Policy) -> Incident:
    """Count an occurrence count into the incident it belongs to.

    Args:
        incident: The open incident of the occurrence count's service.
        counted: What was counted; the caller gives each once.
        policy: Thresholds, severities.
    """
    known = incident.alerts.get(counted.fingerprint)
    if known is None and not joins(incident, counted, policy):
        return replace(incident, omitted=incident.omitted + counted.count)
    alert = (
        _newcomer(incident, counted, policy) if known is None else _added(incident, known, counted, policy)
    )
    alert = _weighed(alert, counted, policy)
    alerts = {**incident.alerts, alert.fingerprint: alert}
    if len(alerts) <= MAX_ALERTS:
        return replace(incident, alerts=alerts)
    left_out = alerts.pop(_least(incident, policy).fingerprint)
    return replace(
        incident,
        alerts=alerts,
        omitted=incident.omitted + left_out.count,
        omitted_notified=incident.omitted_notified + left_out.notified.count,
    )


def joins(incident: Incident, counted: OccurrenceCount, policy: Policy) -> bool:
    """Whether an occurrence count of an alert that the incident does not list would be listed.

    A full incident lists what people need most: a critical newcomer takes the place of an alert that is over,
    in test mode, milder, or one of very many of its kind.
    """
    if len(incident.alerts) < MAX_ALERTS:
        return True
    newcomer = _weighed(_joined(counted, policy), counted, policy)
    return _worth(newcomer, incident, policy) > _worth(_least(incident, policy), incident, policy)


def _least(incident: Incident, policy: Policy) -> Alert:
    """The alert that people would miss least."""
    return min(incident.alerts.values(), key=lambda alert: (_worth(alert, incident, policy), alert.last_seen))


def _worth(alert: Alert, incident: Incident, policy: Policy) -> tuple[bool, bool, int, int]:
    rule = policy.signatures.get(alert.signature)
    kin = sum(other.signature == alert.signature for other in incident.alerts.values())
    return (
        alert.announced and alert.count > 0,
        alert.state is AlertState.FIRING,
        -rule.severity.rank if rule else 0,
        -kin,
    )


def alert_of(counted: OccurrenceCount) -> Alert:
    """The alert that a first occurrence count makes, as it stands in the count."""
    return Alert(
        fingerprint=counted.fingerprint,
        signature=counted.signature,
        fields=dict(counted.fields),
        count=counted.count,
        first_seen=counted.first_seen,
        last_seen=counted.last_seen,
        active_at=counted.received_at,
        joined_at=counted.received_at,
        state=counted.state,
        sample=counted.sample,
        origin=counted.origin,
        origin_service=counted.origin_service,
        muted_by=counted.muted_by,
        muted_until=counted.muted_until,
    )


def counted_into(alert: Alert, counted: OccurrenceCount) -> Alert:
    """The alert with another occurrence count's occurrences counted, whatever that says of its state."""
    return replace(
        alert,
        count=alert.count + counted.count,
        first_seen=min(alert.first_seen, counted.first_seen) if counted.count else alert.first_seen,
        last_seen=max(alert.last_seen, counted.last_seen) if counted.count else alert.last_seen,
        active_at=max(alert.active_at, counted.received_at),
        sample=alert.sample or counted.sample,
        fields={**alert.fields, NEWS: counted.fields[NEWS]} if NEWS in counted.fields else alert.fields,
    )


def _joined(counted: OccurrenceCount, policy: Policy) -> Alert:
    rule = policy.signatures.get(counted.signature)
    return replace(
        first_received(alert_of(counted), counted),
        state_at=counted.last_seen if counted.origin.is_stateful else 0,
        announced=rule is None or (rule.threshold is None and rule.status is Status.STABLE),
    )


def _newcomer(incident: Incident, counted: OccurrenceCount, policy: Policy) -> Alert:
    """An alert that the incident does not list; it is no news if an earlier incident had it within the day."""
    end = incident.ended.get(counted.fingerprint)
    alert = _joined(counted, policy)
    if end is None:
        return alert
    gap = counted.received_at - end.at
    learned = learned_from(alert, gap, policy)
    return replace(alert, over_at=end.at, regressed=True, learned_quiet=learned)


def _added(incident: Incident, alert: Alert, counted: OccurrenceCount, policy: Policy) -> Alert:
    more = _changed(alert, counted, policy)
    return after_return(alert, more, counted, policy, was_over=incident.resolved_at is not None)


def _changed(alert: Alert, counted: OccurrenceCount, policy: Policy) -> Alert:
    """The alert with an occurrence count added and the state that it tells; ``regressed`` where it began again."""
    more = counted_into(alert, counted)
    if counted.origin.is_stateful:
        if counted.contributor:
            return contributed(alert, more, counted)
        if counted.last_seen < alert.state_at:
            return more  # an older transition that was delivered late says nothing about now
        if alert.muted_by and counted.last_seen == alert.state_at:
            more = replace(more, count=alert.count)  # the same transition, sent again when the mute had ended
        more = alarm_itself(more, counted)
        more = replace(more, state_at=counted.last_seen)
    if counted.state is AlertState.RESOLVED:
        over_at = alert.over_at if alert.state is AlertState.RESOLVED else counted.last_seen
        return replace(more, state=counted.state, over_at=over_at)
    rule = policy.signatures.get(alert.signature)
    if alert.state is AlertState.RESOLVED and alert.announced and rule and rule.threshold:
        # Back again only when it reaches its threshold again: one straggler is not an outage.
        recent = slid(alert.recent, counted, rule.threshold)
        if not reached(recent, rule.threshold):
            return replace(more, recent=recent)
        more = replace(more, recent=())
    # An alarm without an OK action never says that it is over; that it comes from OK and fires again says it was.
    began_again = alert.state is AlertState.RESOLVED or (
        bool(counted.origin.alarm) and counted.last_seen > alert.state_at and not counted.continues
    )
    return replace(more, state=counted.state, regressed=alert.regressed or began_again)


def _weighed(alert: Alert, counted: OccurrenceCount, policy: Policy) -> Alert:
    """Announce an alert once its signature's threshold is reached within its sliding window."""
    rule = policy.signatures.get(alert.signature)
    if alert.announced or not counted.count or (rule is not None and rule.status is not Status.STABLE):
        return alert
    if rule is None or rule.threshold is None:  # a deploy took the threshold, or the trial, away
        return replace(alert, announced=True, recent=())
    recent = slid(alert.recent, counted, rule.threshold)
    announced = reached(recent, rule.threshold)
    return replace(alert, announced=announced, recent=() if announced else recent)


Recent = tuple[tuple[Millis, int], ...]
"""When occurrences were received, and how many; the latest last."""


def slid(recent: Recent, counted: OccurrenceCount, threshold: Threshold) -> Recent:
    """The window slid to an occurrence count, its counts included; what is nearly simultaneous is one entry."""
    since = counted.received_at - threshold.within
    kept = [entry for entry in recent if entry[0] > since]
    bucket = threshold.within // BUCKETS
    if kept and counted.received_at - kept[-1][0] < bucket:
        kept[-1] = (kept[-1][0], kept[-1][1] + counted.count)
    else:
        kept.append((counted.received_at, counted.count))
    return tuple(kept)


def reached(recent: Recent, threshold: Threshold) -> bool:
    """Whether what a window holds makes an alert."""
    return sum(count for _, count in recent) >= threshold.count
