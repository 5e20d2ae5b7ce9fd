"""Putting a notification into an incident's outbox: what it is to say, and what people know once they have it."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.changes import began_at
from tocsin.core.incidents.incident import Alert, Incident, Pending
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.wide import leading_fingerprint
from tocsin.core.model import Millis, Reason


class Due(NamedTuple):
    """A notification that is due, the alerts it is about, and those of them its reason is said of where not of all."""

    reason: Reason
    fingerprints: tuple[str, ...]
    subjects: tuple[str, ...] = ()


def notified(
    incident: Incident,
    pending: Due,
    now: Millis,
    policy: Policy,
    by_themselves: Collection[str],
    reason_detail: str,
) -> Incident:
    """The incident with a notification in its outbox, and with what people know once they have it.

    Args:
        incident: The incident.
        pending: What is due.
        now: The time.
        policy: How often people are told.
        by_themselves: The fingerprints of the alerts that people are told of by themselves, not under a cause.
        reason_detail: Which silence ended, where that is the reason.
    """
    pace = incident.pace.after(pending.reason, now, policy.intervals.group_interval)
    paced = replace(incident, pace=pace)
    entry = _outbox_entry(paced, pending, now, policy, reason_detail)
    is_update = pending.reason is Reason.UPDATE
    alerts = _alerts_once_notified(incident, {*pending.fingerprints, *entry.growing}, by_themselves)
    # That one joined does not say of another that it is back: that stays to be told.
    joins = pending.reason is Reason.NEW_ALERT
    waits = set(by_themselves).difference(pending.fingerprints) if joins else set[str]()
    return replace(
        paced,
        alerts={
            name: replace(alert, regressed=incident.alerts[name].regressed) if name in waits else alert
            for name, alert in alerts.items()
        },
        sequence=entry.sequence,
        outbox=(*incident.outbox, entry),
        omitted_notified=incident.omitted,
        resolved_at=now if pending.reason is Reason.RESOLVED else None,
        return_notified=incident.return_notified or not is_update,
        changes_not_notified=(),
        actions_not_notified=(),
        wide_notified=len(incident.wide_services),
        wide_alert=leading_fingerprint(pending.fingerprints, incident, policy)
        if pending.reason is Reason.OPENED and policy.intervals.wide_within
        else incident.wide_alert,
        latest_news_started_at=began_at(incident),
    )


def _outbox_entry(
    incident: Incident, pending: Due, now: Millis, policy: Policy, reason_detail: str
) -> Pending:
    """What is to be published. Only an update tells of a queue's growth: an alert that joins is news of its own."""
    growing = queue_watch.growing(incident, policy) if pending.reason is Reason.UPDATE else ()
    return Pending(
        sequence=incident.sequence + 1,
        reason=pending.reason,
        at=now,
        fingerprints=pending.fingerprints,
        notified_before={
            alert.fingerprint: alert.notified.count
            for alert in incident.alerts.values()
            if alert.notified.count
        },
        growing=tuple(alert.fingerprint for alert in growing),
        updates=incident.pace.updates,
        reason_detail=reason_detail if pending.reason is Reason.SILENCE_EXPIRED else "",
        learned=incident.changes_not_notified,
        subjects=pending.subjects,
        actions=incident.actions_not_notified,
    )


def _alerts_once_notified(
    incident: Incident, about: Collection[str], by_themselves: Collection[str]
) -> dict[str, Alert]:
    """The alerts once a notification has told of them; of the queues only those of the alerts it is about are news."""
    return {
        name: _once_notified(alert, with_queue=name in about, by_itself=name in by_themselves)
        for name, alert in incident.alerts.items()
    }


def _once_notified(alert: Alert, *, with_queue: bool, by_itself: bool) -> Alert:
    """The alert once a notification has told of it; what is muted is counted and not told."""
    if not alert.announced:
        return alert
    if alert.silence:
        return replace(alert, notified=replace(alert.notified, silence=alert.silence))
    told = replace(
        alert,
        notified=replace(
            alert.notified,
            count=alert.count,
            state=alert.state,
            silence="",
            individually=alert.notified.individually or by_itself,
        ),
        regressed=False,
        unmuted=False,
    )
    return queue_watch.told(told, as_news=with_queue)
