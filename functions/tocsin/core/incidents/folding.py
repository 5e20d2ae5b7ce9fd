"""Folding: what was counted becomes part of an incident, within the bounds of what one incident keeps."""

from __future__ import annotations

from dataclasses import replace

from tocsin.core.incidents.policy import Policy
from tocsin.core.model import Alert, AlertState, Incident, Millis, Tally
from tocsin.core.signatures.signature import Status, Threshold

MOST_ALERTS = 50
"""Alerts one incident keeps: with a sample of at most 6 KB and a few fields each they fit DynamoDB's item of 400 KB;
where they do not, ``incident_document`` makes them lighter."""

BUCKETS = 60
"""How finely a threshold's window slides; what bounds the memory of an alert that is not announced."""


def fold(incident: Incident, tally: Tally, policy: Policy) -> Incident:
    """Count a tally into the incident it belongs to.

    Args:
        incident: The open incident of the tally's service.
        tally: What was counted; the caller gives each once.
        policy: Thresholds, severities.
    """
    known = incident.alerts.get(tally.fingerprint)
    if known is None and not joins(incident, tally, policy):
        return replace(incident, omitted=incident.omitted + tally.count)
    alert = _newcomer(incident, tally, policy) if known is None else _added(known, tally, policy)
    alert = _weighed(alert, tally, policy)
    alerts = {**incident.alerts, alert.fingerprint: alert}
    if len(alerts) <= MOST_ALERTS:
        return replace(incident, alerts=alerts)
    left_out = alerts.pop(_least(incident, policy).fingerprint)
    return replace(
        incident,
        alerts=alerts,
        omitted=incident.omitted + left_out.count,
        omitted_told=incident.omitted_told + left_out.notified_count,
    )


def joins(incident: Incident, tally: Tally, policy: Policy) -> bool:
    """Whether a tally of an alert that the incident does not list would be listed.

    A full incident lists what people need most: a critical newcomer takes the place of an alert that is over,
    on trial, milder, or one of very many of its kind.
    """
    if len(incident.alerts) < MOST_ALERTS:
        return True
    newcomer = _weighed(_joined(tally, policy), tally, policy)
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


def alert_of(tally: Tally) -> Alert:
    """The alert that a first tally makes, as it stands in the tally."""
    return Alert(
        fingerprint=tally.fingerprint, signature=tally.signature, fields=dict(tally.fields),
        count=tally.count, first_seen=tally.first_seen, last_seen=tally.last_seen,
        active_at=tally.received_at, joined_at=tally.received_at, state=tally.state, sample=tally.sample,
        log_group=tally.log_group, log_stream=tally.log_stream, alarm=tally.alarm,
        absence=tally.absence, account=tally.account, region=tally.region, tried_in=tally.tried_in,
    )  # fmt: skip


def counted(alert: Alert, tally: Tally) -> Alert:
    """The alert with another tally's occurrences counted, whatever that says of its state."""
    return replace(
        alert,
        count=alert.count + tally.count,
        first_seen=min(alert.first_seen, tally.first_seen) if tally.count else alert.first_seen,
        last_seen=max(alert.last_seen, tally.last_seen) if tally.count else alert.last_seen,
        active_at=max(alert.active_at, tally.received_at),
        sample=alert.sample or tally.sample,
    )


def _joined(tally: Tally, policy: Policy) -> Alert:
    rule = policy.signatures.get(tally.signature)
    return replace(
        alert_of(tally),
        state_at=tally.last_seen if tally.alarm or tally.absence else 0,
        announced=rule is None or (rule.threshold is None and rule.status is Status.STABLE),
    )


def _newcomer(incident: Incident, tally: Tally, policy: Policy) -> Alert:
    """An alert that the incident does not list; it is no news if an earlier incident had it within the day."""
    over_at = incident.ended.get(tally.fingerprint)
    return replace(_joined(tally, policy), over_at=over_at, regressed=over_at is not None)


def _added(alert: Alert, tally: Tally, policy: Policy) -> Alert:
    more = counted(alert, tally)
    if tally.alarm or tally.absence:
        if tally.last_seen < alert.state_at:
            return more  # an older transition that was delivered late says nothing about now
        more = replace(more, state_at=tally.last_seen)
    if tally.state is AlertState.RESOLVED:
        over_at = alert.over_at if alert.state is AlertState.RESOLVED else tally.last_seen
        return replace(more, state=tally.state, over_at=over_at)
    rule = policy.signatures.get(alert.signature)
    if alert.state is AlertState.RESOLVED and alert.announced and rule and rule.threshold:
        # Back again only when it reaches its threshold again: one straggler is not an outage.
        recent = slid(alert.recent, tally, rule.threshold)
        if not reached(recent, rule.threshold):
            return replace(more, recent=recent)
        more = replace(more, recent=())
    # An alarm without an OK action never says that it is over; that it fires anew says it was.
    began_again = alert.state is AlertState.RESOLVED or (
        bool(tally.alarm) and tally.last_seen > alert.state_at
    )
    return replace(more, state=tally.state, regressed=alert.regressed or began_again)


def _weighed(alert: Alert, tally: Tally, policy: Policy) -> Alert:
    """Announce an alert once its signature's threshold is reached within its sliding window."""
    rule = policy.signatures.get(alert.signature)
    if alert.announced or not tally.count or (rule is not None and rule.status is not Status.STABLE):
        return alert
    if rule is None or rule.threshold is None:  # a deploy took the threshold, or the trial, away
        return replace(alert, announced=True, recent=())
    recent = slid(alert.recent, tally, rule.threshold)
    announced = reached(recent, rule.threshold)
    return replace(alert, announced=announced, recent=() if announced else recent)


Recent = tuple[tuple[Millis, int], ...]
"""When occurrences were received, and how many; the latest last."""


def slid(recent: Recent, tally: Tally, threshold: Threshold) -> Recent:
    """The window slid to a tally, its counts included; what is nearly simultaneous is one entry."""
    since = tally.received_at - threshold.within
    kept = [entry for entry in recent if entry[0] > since]
    bucket = threshold.within // BUCKETS
    if kept and tally.received_at - kept[-1][0] < bucket:
        kept[-1] = (kept[-1][0], kept[-1][1] + tally.count)
    else:
        kept.append((tally.received_at, tally.count))
    return tuple(kept)


def reached(recent: Recent, threshold: Threshold) -> bool:
    """Whether what a window holds makes an alert."""
    return sum(count for _, count in recent) >= threshold.count
