"""The life of an incident, as a pure state machine.

``advance`` folds what was counted into the incident, lets time pass up to ``now``, and puts every
notification that is then due into the incident's outbox. Detection calls it with fresh tallies, ``reconcile``
with whatever is left and the clock; both store the answer and then publish the outbox. Nothing here reads a
clock, so the tests and ``tocsin backtest`` run days in milliseconds through the very code of the Lambdas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from tocsin.core.model import Alert, AlertState, Incident, Millis, Pending, Reason, Tally
from tocsin.core.settings import Intervals
from tocsin.core.signatures import Signature, Source, Status

MOST_ALERTS = 50
"""Alerts one incident keeps: with a sample of at most 6 KB and a few fields each they fit DynamoDB's item of 400 KB;
where they do not, ``incident_document`` makes them lighter."""

MOST_BURSTS = 5
"""Notifications of new alerts per ``group_interval``; more wait for its end and come as one. Of alerts that
regressed it is one: what flaps has been told of."""

HOLD_STRAY_OK: Millis = 390 * 60_000
"""How long an alarm's OK that has no alert yet is kept, in case its ALARM is only delivered later: Lambda keeps
an asynchronous event for up to six hours."""

BUCKETS = 60
"""How finely a threshold's window slides; what bounds the memory of an alert that is not announced."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the lifecycle needs of the configuration."""

    intervals: Intervals
    signatures: Mapping[str, Signature]

    def resolve_after(self, signature: str) -> Millis:
        """The quiet period after which an alert of this signature is resolved."""
        rule = self.signatures.get(signature)
        own = rule.resolve_after if rule else None
        return self.intervals.resolve_after if own is None else own

    def quiet_period(self, alert: Alert) -> Millis:
        """The quiet period of an alert: not shorter than its threshold's window while it is not announced."""
        rule = self.signatures.get(alert.signature)
        window = rule.threshold.within if rule and rule.threshold and not alert.announced else 0
        return max(self.resolve_after(alert.signature), window)

    def ends_by_quiet(self, alert: Alert) -> bool:
        """Whether quiet resolves an alert: not an alarm, unless no signature expects its OK any more."""
        rule = self.signatures.get(alert.signature)
        return not alert.alarm or rule is None or rule.source is not Source.ALARM


class Advance(NamedTuple):
    """What ``advance`` answers.

    Attributes:
        incident: The incident as it is now; None when there is none and nothing calls for one.
        absorbed: The tallies that are in it now; the others stay pending.
        closed: The incident that was over and that ``incident`` replaced, for the record.
    """

    incident: Incident | None
    absorbed: tuple[Tally, ...]
    closed: Incident | None = None


class Due(NamedTuple):
    """A notification that is due, and the alerts it is about."""

    reason: Reason
    fingerprints: tuple[str, ...]


def advance(
    incident: Incident | None,
    tallies: Iterable[Tally],
    now: Millis,
    *,
    service: str,
    policy: Policy,
    heard: Mapping[str, Millis] | None = None,
    more: bool = False,
) -> Advance:
    """Fold tallies into the service's incident and queue every notification that is due at ``now``.

    Args:
        incident: The service's latest incident, open or resolved, or None.
        tallies: What was counted and not yet folded, in any order, each at most once.
        now: The time.
        service: The group.
        policy: Intervals and signatures.
        heard: When each alert (by fingerprint) was last received, where more tallies wait than are given: what
            is still to be folded must not look quiet.
        more: Whether more tallies wait: then the incident is not over yet, whatever is quiet.
    """
    current = incident if incident is not None and incident.resolved_at is None else None
    absorbed: list[Tally] = []
    for tally in sorted(tallies, key=lambda tally: (tally.last_seen, tally.envelope, tally.fingerprint)):
        if current is None and incident is not None and _flaps(incident, tally, now, policy):
            current = replace(incident, resolved_at=None, reopened=True)
        if current is None and tally.state is AlertState.RESOLVED:
            if now - tally.received_at >= HOLD_STRAY_OK:
                absorbed.append(tally)
            continue
        if current is None:
            opened_at = min(tally.received_at, now)
            current = Incident(
                id=_incident_id(service, opened_at, tally, incident),
                service=service,
                opened_at=opened_at,
                alerts=_unfinished(incident),
            )
        current = _fold(current, tally, policy)
        absorbed.append(tally)
    if current is None:
        return Advance(incident, tuple(absorbed))
    closed = None
    if incident is not None and incident.id != current.id:
        carried = _unfinished(incident)
        told = {name: alert for name, alert in incident.alerts.items() if name not in carried}
        closed = replace(incident, alerts=told)
    return Advance(_let_time_pass(current, now, policy, heard or {}, more=more), tuple(absorbed), closed)


def due(incident: Incident, now: Millis, policy: Policy) -> Due | None:
    """Say which notification, if any, the incident owes people at ``now``, and why."""
    if incident.resolved_at is not None:
        return None
    told_before = incident.notified_at is not None
    unheard = [alert for alert in audible(incident, policy) if alert.notified_count == 0]
    regressed = [alert for alert in audible(incident, policy) if alert.regressed and alert.notified_count > 0]
    interval = policy.intervals.group_interval
    if not told_before:
        waited = now >= incident.opened_at + policy.intervals.group_wait
        return (
            Due(Reason.OPENED, _names(unheard)) if unheard and (waited or not _is_firing(incident)) else None
        )
    assert incident.notified_at is not None  # noqa: S101 - told_before says so; this tells the type checker
    fresh = now >= incident.burst_since + interval
    over = not _is_firing(incident)
    if regressed and (fresh or not incident.burst):
        return Due(Reason.REGRESSED, _names([*regressed, *unheard]))
    if unheard and (fresh or incident.burst < MOST_BURSTS or over):
        return Due(Reason.NEW_ALERT, _names(unheard))
    if over and now >= _settled_at(incident, policy):
        return Due(Reason.RESOLVED, _names(grown(incident)))
    if now >= incident.notified_at + interval and (
        grown(incident) or incident.omitted > incident.omitted_told
    ):
        return Due(Reason.UPDATE, _names(grown(incident)))
    if now >= incident.notified_at + policy.intervals.repeat_interval:
        return Due(Reason.REPEAT, _names(_announced(incident)))
    return None


def next_due(incident: Incident, now: Millis, policy: Policy) -> Millis | None:
    """Say when time alone will next make something due: ``now`` if something is, None if never."""
    if incident.outbox or due(incident, now, policy):
        return now
    if incident.resolved_at is not None:
        return None
    times = [
        alert.active_at + policy.quiet_period(alert)
        for alert in incident.firing
        if policy.ends_by_quiet(alert)
    ]
    if any(time <= now for time in times):
        return now
    if not _is_firing(incident):
        times.append(_settled_at(incident, policy))
    if incident.notified_at is None:
        times.append(incident.opened_at + policy.intervals.group_wait)
    else:
        times += [
            incident.notified_at + policy.intervals.group_interval,
            incident.notified_at + policy.intervals.repeat_interval,
            incident.burst_since + policy.intervals.group_interval,
        ]
    return min((time for time in times if time > now), default=None)


def audible(incident: Incident, policy: Policy) -> tuple[Alert, ...]:
    """The alerts people are told of by themselves: past their threshold, and not explained by another."""
    return tuple(
        alert for alert in _announced(incident) if inhibitor(incident, alert, policy.signatures) is None
    )


def inhibitor(incident: Incident, alert: Alert, signatures: Mapping[str, Signature]) -> str | None:
    """The signature of an alert of the same incident that explains this one, or None.

    A cause explains while it fires; once everything is over, what explained still does.
    """
    return next(
        (
            other.signature
            for other in incident.firing or incident.alerts.values()
            if other.announced
            and other.signature in signatures
            and alert.signature in signatures[other.signature].inhibits
        ),
        None,
    )


def grown(incident: Incident) -> tuple[Alert, ...]:
    """The alerts with occurrences that no notification has told of."""
    return tuple(alert for alert in _announced(incident) if alert.count > alert.notified_count)


def without(incident: Incident, sequences: Sequence[int]) -> Incident:
    """The incident with these notifications taken out of its outbox, because SNS has them."""
    return replace(
        incident, outbox=tuple(entry for entry in incident.outbox if entry.sequence not in sequences)
    )


def _fold(incident: Incident, tally: Tally, policy: Policy) -> Incident:
    known = incident.alerts.get(tally.fingerprint)
    if known is None and not joins(incident, tally, policy):
        return replace(incident, omitted=incident.omitted + tally.count)
    alert = _weighed(_joined(tally, policy) if known is None else _added(known, tally), tally, policy)
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


def _flaps(incident: Incident, tally: Tally, now: Millis, policy: Policy) -> bool:
    """Whether an alarm is back so soon after its incident was over that it is the same incident."""
    return (
        bool(tally.alarm)
        and tally.state is AlertState.FIRING
        and tally.fingerprint in incident.alerts
        and incident.resolved_at is not None
        and now < incident.resolved_at + policy.intervals.group_interval
    )


def _unfinished(incident: Incident | None) -> dict[str, Alert]:
    """The alerts of an incident that was over that had not yet reached their threshold: they go on counting."""
    if incident is None:
        return {}
    return {alert.fingerprint: alert for alert in incident.firing if not alert.announced and alert.recent}


def _settled_at(incident: Incident, policy: Policy) -> Millis:
    """When an incident in which nothing fires is over: at once, or, once it flapped, after a quiet interval."""
    last = max((alert.active_at for alert in incident.alerts.values() if alert.announced), default=0)
    return last + policy.intervals.group_interval if incident.reopened else 0


def _joined(tally: Tally, policy: Policy) -> Alert:
    rule = policy.signatures.get(tally.signature)
    return Alert(
        fingerprint=tally.fingerprint, signature=tally.signature, fields=dict(tally.fields),
        count=tally.count, first_seen=tally.first_seen, last_seen=tally.last_seen,
        active_at=tally.received_at, state=tally.state, state_at=tally.last_seen if tally.alarm else 0,
        sample=tally.sample, announced=rule is None or (rule.threshold is None and rule.status is Status.STABLE),
        log_group=tally.log_group, log_stream=tally.log_stream, alarm=tally.alarm,
        account=tally.account, region=tally.region,
    )  # fmt: skip


def _added(alert: Alert, tally: Tally) -> Alert:
    counted = replace(
        alert,
        count=alert.count + tally.count,
        first_seen=min(alert.first_seen, tally.first_seen) if tally.count else alert.first_seen,
        last_seen=max(alert.last_seen, tally.last_seen) if tally.count else alert.last_seen,
        active_at=max(alert.active_at, tally.received_at),
        sample=alert.sample or tally.sample,
    )
    if tally.alarm:
        if (
            tally.last_seen < alert.state_at
        ):  # an older transition that was delivered late says nothing about now
            return counted
        counted = replace(counted, state_at=tally.last_seen)
    # An alarm without an OK action never says that it is over; that it fires anew says it was.
    began_again = tally.state is AlertState.FIRING and (
        alert.state is AlertState.RESOLVED or (bool(tally.alarm) and tally.last_seen > alert.state_at)
    )
    return replace(counted, state=tally.state, regressed=alert.regressed or began_again)


def _weighed(alert: Alert, tally: Tally, policy: Policy) -> Alert:
    """Announce an alert once its signature's threshold is reached within its sliding window."""
    rule = policy.signatures.get(alert.signature)
    if alert.announced or not tally.count or (rule is not None and rule.status is Status.TEST):
        return alert
    if rule is None or rule.threshold is None:  # a deploy took the threshold, or the trial, away
        return replace(alert, announced=True, recent=())
    since = tally.received_at - rule.threshold.within
    recent = [entry for entry in alert.recent if entry[0] > since]
    bucket = rule.threshold.within // BUCKETS
    if recent and tally.received_at - recent[-1][0] < bucket:
        recent[-1] = (recent[-1][0], recent[-1][1] + tally.count)
    else:
        recent.append((tally.received_at, tally.count))
    announced = sum(count for _, count in recent) >= rule.threshold.count
    return replace(alert, announced=announced, recent=() if announced else tuple(recent))


def _let_time_pass(
    incident: Incident, now: Millis, policy: Policy, heard: Mapping[str, Millis], *, more: bool
) -> Incident:
    quiet = {
        alert.fingerprint: replace(alert, state=AlertState.RESOLVED)
        for alert in incident.firing
        if policy.ends_by_quiet(alert)
        and now >= max(alert.active_at, heard.get(alert.fingerprint, 0)) + policy.quiet_period(alert)
    }
    if quiet:
        incident = replace(incident, alerts={**incident.alerts, **quiet})
    while owed := due(incident, now, policy):
        if more and owed.reason is Reason.RESOLVED:
            return incident
        incident = _told(incident, owed, now, policy)
        if owed.reason is Reason.RESOLVED:
            return incident
    if incident.notified_at is None and not incident.firing and not more:
        # Nothing ever reached its threshold: over, and nobody needs to hear of it.
        return replace(incident, resolved_at=now)
    return incident


def _told(incident: Incident, owed: Due, now: Millis, policy: Policy) -> Incident:
    sequence = incident.sequence + 1
    told = {
        alert.fingerprint: alert.notified_count for alert in incident.alerts.values() if alert.notified_count
    }
    alerts = {
        name: replace(alert, notified_count=alert.count, regressed=False) if alert.announced else alert
        for name, alert in incident.alerts.items()
    }
    fresh = now >= incident.burst_since + policy.intervals.group_interval
    speaks = owed.reason in (Reason.NEW_ALERT, Reason.REGRESSED)
    return replace(
        incident,
        alerts=alerts,
        sequence=sequence,
        notified_at=now,
        omitted_told=incident.omitted,
        burst_since=now if speaks and fresh else incident.burst_since,
        burst=(1 if fresh else incident.burst + 1) if speaks else incident.burst,
        resolved_at=now if owed.reason is Reason.RESOLVED else None,
        outbox=(*incident.outbox, Pending(sequence, owed.reason, now, owed.fingerprints, told)),
    )


def _announced(incident: Incident) -> tuple[Alert, ...]:
    return tuple(alert for alert in incident.alerts.values() if alert.announced and alert.count)


def _is_firing(incident: Incident) -> bool:
    return any(alert.announced for alert in incident.firing)


def _names(alerts: Iterable[Alert]) -> tuple[str, ...]:
    return tuple(alert.fingerprint for alert in alerts)


def _incident_id(service: str, opened_at: Millis, first: Tally, before: Incident | None) -> str:
    """Readable, sortable, and unique: no two incidents of a service follow the same one.

    ``notify`` knows notifications by it; two incidents of one id would have each other's taken for duplicates.
    """
    when = datetime.fromtimestamp(opened_at / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    parts = (service, first.envelope, first.fingerprint, before.id if before else "")
    return f"{when}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:12]}"
