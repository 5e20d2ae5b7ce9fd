"""The life of an incident, as a pure state machine.

``advance`` applies what was counted into the incident, lets time pass up to ``now``, and puts every
notification that is then due into the incident's outbox. Detection calls it with fresh occurrence counts, ``reconcile``
with whatever is left and the clock; both store the answer and then publish the outbox. Nothing here reads a
clock, so the tests and ``tocsin backtest`` run days in milliseconds through the very code of the Lambdas.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.acting import act_all, after_notification, quiet_until
from tocsin.core.incidents.actions import Action
from tocsin.core.incidents.changes import learned
from tocsin.core.incidents.counting import MAX_ALERTS, apply
from tocsin.core.incidents.flapping import settles_at
from tocsin.core.incidents.incident import Alert, Ended, Incident, QueueReading
from tocsin.core.incidents.inhibition import inhibitor
from tocsin.core.incidents.muting import mute
from tocsin.core.incidents.outbox import Due, notified
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.redriving import MovesLook, followed, is_under_way
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.wide import is_looked_for
from tocsin.core.model import AlertState, Change, Millis, OccurrenceCount, Reason
from tocsin.core.times import DAY, MINUTE

MAX_BURSTS = 5
"""Notifications of new alerts per ``group_interval``; more wait for its end and come as one. Of alerts that
regressed it is one: what flaps has been told of."""

MUCH_WORSE = 10
"""How many times as many occurrences as people know of make what comes and goes worth an update at once."""

RECHECK_EVERY: Millis = MINUTE
"""How often what lies outside the incident (a silence taken back, a queue's depth) is looked at."""

MAX_REMINDER_GAP: Millis = DAY
"""The longest time between two reminders, unless ``repeat_interval`` is longer."""

UNMATCHED_OK_TTL: Millis = 390 * MINUTE
"""How long an alarm's OK that has no alert yet is kept, in case its ALARM is only delivered later: Lambda keeps
an asynchronous event for up to six hours."""


class Advance(NamedTuple):
    """What ``advance`` answers.

    Attributes:
        incident: The incident as it is now; None when there is none and nothing calls for one.
        applied: The occurrence counts that are in it now; the others stay pending.
        closed: The incident that was over and that ``incident`` replaced, for the record.
        acted: What people did that is in it now, or came too late for any.
    """

    incident: Incident | None
    applied: tuple[OccurrenceCount, ...]
    closed: Incident | None = None
    acted: tuple[Action, ...] = ()


class Observed(Struct, frozen=True):
    """What an incident cannot know by itself.

    Attributes:
        last_received: When each alert (by fingerprint) was last received, where more occurrence counts wait than are given: what
            is still to be applied must not look quiet.
        more: Whether more occurrence counts wait: then the incident is not over yet, whatever is quiet.
        silences: Those that may be active, and those that ended not long ago.
        readings: What looking at dead-letter queues found, by the fingerprint of the alert of their alarm.
        changes: What was deployed or altered and concerns its service.
        suspects: Looks up what else changed lately; asked only once there is news to explain, because it may cost a read.
        actions: What people did, and was not applied yet.
        moves: What a look at the moves of the queue found that is being redriven; None where nobody looked.
        wide_services: The services of the wide incident that it leads; empty where it leads none.
    """

    last_received: Mapping[str, Millis] = field(default_factory=dict)
    more: bool = False
    silences: Sequence[Silence] = ()
    readings: Mapping[str, QueueReading] = field(default_factory=dict)
    changes: Sequence[Change] = ()
    suspects: Callable[[], Sequence[Change]] = tuple
    actions: Sequence[Action] = ()
    moves: MovesLook | None = None
    wide_services: tuple[str, ...] = ()


def advance(
    incident: Incident | None,
    occurrence_counts: Iterable[OccurrenceCount],
    now: Millis,
    *,
    service: str,
    policy: Policy,
    observed: Observed | None = None,
) -> Advance:
    """Apply occurrence counts into the service's incident and queue every notification that is due at ``now``.

    Args:
        incident: The service's latest incident, open or resolved, or None.
        occurrence_counts: What was counted and not yet applied, in any order, each at most once.
        now: The time.
        service: The group.
        policy: Intervals and signatures.
        observed: What the incident cannot know by itself; None for nothing.
    """
    observed = observed or Observed()
    before, current, applied = _folded(incident, occurrence_counts, now, service, policy)
    acted = tuple(observed.actions)
    if current is None:
        return Advance(act_all(before, acted, policy) if before else None, applied, acted=acted)
    closed = None
    if before is not None and before.id != current.id:
        carried = _unfinished(before)
        told = {name: alert for name, alert in before.alerts.items() if name not in carried}
        closed = replace(before, alerts=told)
    read = {
        name: queue_watch.read(current.alerts[name], reading)
        for name, reading in observed.readings.items()
        if name in current.alerts
    }
    current = act_all(replace(current, alerts={**current.alerts, **read}), acted, policy)
    current = _quieted(followed(current, observed.moves, now), now, policy, observed)
    if observed.wide_services:
        current = replace(current, wide_services=observed.wide_services)
    current, reason_detail = mute(current, observed.silences, now, policy.signatures)
    current = learned(current, observed.changes)
    news = due(current, now, policy)
    if news is not None and news.reason is not Reason.RESOLVED:
        current = learned(current, observed.suspects())
    return Advance(_spoken(current, now, policy, observed, reason_detail), applied, closed, acted)


class _Applied(NamedTuple):
    """The incident that was over before, the one that is open now (it may be the same), and what is in them."""

    before: Incident | None
    current: Incident | None
    applied: tuple[OccurrenceCount, ...]


def _folded(
    incident: Incident | None,
    occurrence_counts: Iterable[OccurrenceCount],
    now: Millis,
    service: str,
    policy: Policy,
) -> _Applied:
    current = incident if incident is not None and incident.resolved_at is None else None
    applied: list[OccurrenceCount] = []
    for counted in sorted(occurrence_counts, key=_in_time):
        if current is not None:
            current = apply(current, counted, policy)
        elif incident is not None and _is_remembered(incident, counted, policy):
            incident = apply(incident, counted, policy)
            alert = incident.alerts.get(counted.fingerprint)
            if alert is not None and alert.regressed:  # else it is below its threshold: over it stays
                current = _reopened(incident, counted)
        elif counted.state is AlertState.FIRING:
            current = apply(_opened(incident, service, counted, now, policy), counted, policy)
        elif now - counted.received_at < UNMATCHED_OK_TTL:
            continue
        applied.append(counted)
    return _Applied(incident, current, tuple(applied))


def _in_time(counted: OccurrenceCount) -> tuple[Millis, str, str]:
    """What occurrence counts are applied in the order of: the same, whatever order they come in."""
    return counted.last_seen, counted.envelope, counted.fingerprint


def due(incident: Incident, now: Millis, policy: Policy) -> Due | None:
    """Say which notification, if any, the incident owes people at ``now``, and why."""
    if incident.resolved_at is not None:
        return None
    audible_alerts = audible(incident, policy)
    waiting = _waiting(audible_alerts)
    if unmuted := [alert for alert in audible_alerts if alert.unmuted]:
        others = (alert for alert in waiting if not alert.unmuted)
        return Due(Reason.SILENCE_EXPIRED, _names([*unmuted, *others]), _names(unmuted))
    if incident.notified_at is None:
        waited = now >= incident.opened_at + policy.intervals.group_wait or not _is_firing(incident)
        return Due(Reason.OPENED, _names(waiting)) if waiting and waited else None
    news = _news(incident, audible_alerts, now, policy)
    if news or waiting:
        return news  # a mere count must not tell in passing of news that still waits
    if incident.actions_not_notified:
        return Due(
            Reason.UPDATE, _names(alert for alert in _announced(incident) if _has_changed(alert, policy))
        )
    return _count(incident, audible_alerts, now, policy)


def _news(incident: Incident, audible_alerts: Sequence[Alert], now: Millis, policy: Policy) -> Due | None:
    """What is new in an incident that people know of: back again, joined, over."""
    fresh = now >= incident.pace.burst_since + policy.intervals.group_interval
    over = not _is_firing(incident)
    regressed = [alert for alert in audible_alerts if alert.regressed]
    not_notified = [
        alert for alert in audible_alerts if not alert.notified.individually and not alert.regressed
    ]
    if regressed and (fresh or not incident.pace.burst):
        return Due(Reason.REGRESSED, _names([*regressed, *not_notified]), _names(regressed))
    waited = any(now >= alert.joined_at + policy.intervals.group_wait for alert in not_notified)
    if not_notified and ((waited and (fresh or incident.pace.burst < MAX_BURSTS)) or over):
        return Due(Reason.NEW_ALERT, _names(not_notified))
    ends = now >= _ends_at(incident, policy) and not is_under_way(incident, now)
    if over and incident.return_notified and ends:
        return Due(Reason.RESOLVED, _names(grown(incident)))
    return None


def _count(incident: Incident, audible_alerts: Sequence[Alert], now: Millis, policy: Policy) -> Due | None:
    """What only goes on: a reminder, or counts and states that the incident's message does not show yet."""
    if now >= _reminds_at(incident, policy) and (
        firing := [alert for alert in audible_alerts if alert.state is AlertState.FIRING]
    ):
        return Due(Reason.REPEAT, _names(firing))
    if len(incident.wide_services) > incident.wide_notified and audible_alerts:
        return Due(Reason.UPDATE, ())
    if now < (incident.notified_at or incident.opened_at) + policy.intervals.group_interval:
        return None
    changed = [alert for alert in _announced(incident) if _has_changed(alert, policy)]
    at_once = [alert for alert in changed if not _only_drips(alert, now, policy)]
    if (
        at_once
        or (changed and now >= _rolls_up_drips_at(incident, policy))
        or incident.omitted > incident.omitted_notified
        or (incident.changes_not_notified and audible_alerts)
    ):
        return Due(Reason.UPDATE, _names(changed))
    return None


def next_due(incident: Incident, now: Millis, policy: Policy) -> Millis | None:
    """Say when time alone will next make something due: ``now`` if something is, None if never."""
    if incident.outbox or due(incident, now, policy):
        return now
    if incident.resolved_at is not None:
        return None
    intervals = policy.intervals
    times = [
        alert.active_at + policy.quiet_period(alert)
        for alert in incident.firing
        if policy.ends_by_quiet(alert)
    ]
    if any(time <= now for time in times):
        return now
    times += [settles_at(alert, policy) for alert in incident.alerts.values()]
    if not _is_firing(incident):
        times.append(_ends_at(incident, policy))
    if incident.notified_at is None:
        times.append(incident.opened_at + intervals.group_wait)
    else:
        times += [
            incident.notified_at + intervals.group_interval,
            _rolls_up_drips_at(incident, policy),
            incident.pace.burst_since + intervals.group_interval,
            _reminds_at(incident, policy),
        ]
        times += [
            alert.joined_at + intervals.group_wait
            for alert in _announced(incident)
            if not alert.notified.individually
        ]
    if is_looked_for(incident, now, policy) or is_under_way(incident, now):
        times.append(now + RECHECK_EVERY)
    if any(alert.silence or queue_watch.is_watched(alert, policy) for alert in incident.alerts.values()):
        times.append(now + min(RECHECK_EVERY, intervals.group_interval))
    return min((time for time in times if time > now), default=None)


def audible(incident: Incident, policy: Policy) -> tuple[Alert, ...]:
    """The alerts people are told of by themselves: past their threshold, not explained by another, not muted."""
    return tuple(
        alert
        for alert in _announced(incident)
        if not alert.silence and inhibitor(incident, alert, policy.signatures) is None
    )


def _waiting(audible_alerts: Iterable[Alert]) -> list[Alert]:
    """Which of the alerts that people are told of are news, new or back, that waits for its turn: it is never dropped."""
    return [alert for alert in audible_alerts if not alert.notified.individually or alert.regressed]


def grown(incident: Incident) -> tuple[Alert, ...]:
    """The alerts with occurrences that no notification has told of."""
    return tuple(alert for alert in _announced(incident) if alert.count > alert.notified.count)


def without(incident: Incident, sequences: Sequence[int]) -> Incident:
    """The incident with these notifications taken out of its outbox, because SNS has them."""
    return replace(
        incident, outbox=tuple(entry for entry in incident.outbox if entry.sequence not in sequences)
    )


def _is_remembered(incident: Incident, counted: OccurrenceCount, policy: Policy) -> bool:
    """Whether an occurrence count belongs to an incident that is over: it knows the alert, and was over less than a day ago."""
    if counted.state is not AlertState.FIRING or incident.resolved_at is None:
        return False
    known = incident.alerts.get(counted.fingerprint)
    if known is not None:
        over_at = incident.resolved_at if known.announced else None
    else:
        end = incident.ended.get(counted.fingerprint)
        over_at = end.at if end else None
    return over_at is not None and counted.received_at < over_at + policy.intervals.regress_within


def _reopened(incident: Incident, counted: OccurrenceCount) -> Incident:
    """An incident that was over, and is not: the same thread goes on."""
    began = min(counted.first_seen, counted.received_at)
    return replace(incident, resolved_at=None, reopened_at=began, return_notified=False)


def _opened(
    before: Incident | None, service: str, counted: OccurrenceCount, now: Millis, policy: Policy
) -> Incident:
    opened_at = min(counted.received_at, now)
    made = Incident(
        id=incident_id(service, opened_at, counted, before),
        service=service,
        opened_at=opened_at,
        alerts=_unfinished(before),
    )
    return made if before is None else remembering(made, before, now, policy)


def remembering(incident: Incident, before: Incident, now: Millis, policy: Policy) -> Incident:
    """An incident that knows what an earlier one of its service knew: when which alert was over, and in which incident.

    The latest fifty, for as long as they may regress.
    """
    if before.resolved_at is None:
        return incident
    end = Ended(before.resolved_at, before.id)
    over = {alert.fingerprint: end for alert in before.alerts.values() if alert.announced}
    since = now - policy.intervals.regress_within
    ended = {**incident.ended, **before.ended, **over}
    latest = sorted(ended.items(), key=lambda item: -item[1].at)[:MAX_ALERTS]
    kept = {name: end for name, end in latest if end.at > since and name not in incident.alerts}
    return replace(incident, ended=kept)


def earlier_incident_for(
    incident: Incident, occurrence_counts: Iterable[OccurrenceCount], policy: Policy
) -> str | None:
    """The id of the earlier incident that is to go on, or None.

    Args:
        incident: The service's latest incident; only one that is over makes way.
        occurrence_counts: What was counted: one of an alert that only an earlier incident knows brings that one back, unless
            another is of an alert that the latest one knows.
        policy: Within what time.
    """
    if incident.resolved_at is None:
        return None
    back = [counted for counted in occurrence_counts if _is_remembered(incident, counted, policy)]
    if not back or any(counted.fingerprint in incident.alerts for counted in back):
        return None
    first = min(back, key=_in_time)
    return incident.ended[first.fingerprint].incident


def _unfinished(incident: Incident | None) -> dict[str, Alert]:
    """The alerts of an incident that was over that had not yet reached their threshold: they go on counting."""
    if incident is None:
        return {}
    return {alert.fingerprint: alert for alert in incident.firing if not alert.announced and alert.recent}


def _ends_at(incident: Incident, policy: Policy) -> Millis:
    """When an incident in which nothing fires is over: once each alert that came back was quiet for long enough."""
    return max(
        (settles_at(alert, policy) for alert in incident.alerts.values() if alert.announced), default=0
    )


def _quieted(incident: Incident, now: Millis, policy: Policy, observed: Observed) -> Incident:
    """The incident once what was quiet for long enough is over."""
    quiet = {
        alert.fingerprint: replace(alert, state=AlertState.RESOLVED, over_at=now, unmuted=False)
        for alert in incident.firing
        if policy.ends_by_quiet(alert)
        and now
        >= max(alert.active_at, observed.last_received.get(alert.fingerprint, 0)) + policy.quiet_period(alert)
    }
    return replace(incident, alerts={**incident.alerts, **quiet}) if quiet else incident


def _spoken(
    incident: Incident, now: Millis, policy: Policy, observed: Observed, reason_detail: str
) -> Incident:
    """The incident with everything in its outbox that people are pending now."""
    while pending := due(incident, now, policy):
        if observed.more and pending.reason is Reason.RESOLVED:
            return incident
        before = incident
        incident = notified(incident, pending, now, policy, _names(audible(incident, policy)), reason_detail)
        incident = after_notification(incident, pending.reason, before, policy)
        if pending.reason is Reason.RESOLVED:
            return incident
    untold = incident.notified_at is None or not incident.return_notified
    waits = observed.more or is_under_way(incident, now) or _waiting(audible(incident, policy))
    if untold and not incident.firing and not waits:
        # Nothing ever reached its threshold, or it was muted: over, and nobody needs to hear of it.
        return replace(incident, resolved_at=now)
    return incident


def _has_changed(alert: Alert, policy: Policy) -> bool:
    """Whether the incident's message does not show the alert any more as it is."""
    if alert.silence:  # that it is muted is shown once; what it counts meanwhile waits for the silence's end
        return bool(alert.notified.count) and alert.silence != alert.notified.silence
    return (
        alert.count > alert.notified.count
        or alert.notified.state not in (None, alert.state)
        or (queue_watch.is_watched(alert, policy) and queue_watch.differs(alert))
    )


def _only_drips(alert: Alert, now: Millis, policy: Policy) -> bool:
    """Whether what an alert has to show is only that it goes on as people know it: now and then, and no worse."""
    if alert.silence or (queue_watch.is_watched(alert, policy) and queue_watch.differs(alert)):
        return False
    comes_and_goes = bool(policy.learned_quiet(alert)) and (
        alert.state is AlertState.FIRING or now < settles_at(alert, policy)
    )
    return comes_and_goes and alert.count < MUCH_WORSE * alert.notified.count


def _rolls_up_drips_at(incident: Incident, policy: Policy) -> Millis:
    """When the counts of what comes and goes are shown: like a reminder, not with every drop."""
    gap = max(policy.intervals.group_interval, policy.intervals.repeat_interval)
    return (incident.notified_at or incident.opened_at) + gap


def _reminds_at(incident: Incident, policy: Policy) -> Millis:
    """When people are reminded: after ``repeat_interval``, then twice that, up to once a day."""
    first = policy.intervals.repeat_interval
    gap = min(first << min(incident.pace.repeats, 20), max(first, MAX_REMINDER_GAP))
    due_at = (incident.pace.last_non_update_at or incident.notified_at or incident.opened_at) + gap
    return max(due_at, quiet_until(incident))


def _announced(incident: Incident) -> tuple[Alert, ...]:
    return tuple(alert for alert in incident.alerts.values() if alert.announced and alert.count)


def _is_firing(incident: Incident) -> bool:
    return any(alert.announced for alert in incident.firing)


def _names(alerts: Iterable[Alert]) -> tuple[str, ...]:
    return tuple(alert.fingerprint for alert in alerts)


def incident_id(service: str, opened_at: Millis, first: OccurrenceCount, before: Incident | None) -> str:
    """Readable, sortable, and unique: no two incidents of a service follow the same one.

    ``notify`` knows notifications by it; two incidents of one id would have each other's taken for duplicates.
    """
    when = datetime.fromtimestamp(opened_at / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    parts = (service, first.envelope, first.fingerprint, before.id if before else "")
    return f"{when}-{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:12]}"
