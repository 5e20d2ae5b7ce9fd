"""Applying what people pressed to an incident, and what ends an acknowledgement.

One has it: the first that is applied, and of those that are applied together the first that was pressed. Whoever
resolves an incident resolves what was received until then; what was received later goes on, because it is not over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from msgspec.structs import replace

from tocsin.core.incidents.actions import (
    KNOWN_FOR,
    Acknowledgement,
    Action,
    ActionKind,
    ActionOutcome,
    PerformedAction,
)
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.inhibition import severity_of
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.redriving import asked
from tocsin.core.model import AlertState, Millis, Reason
from tocsin.core.signatures.signature import TEMPLATE
from tocsin.core.times import iso_time

MAX_RECORD: Final = 40
"""Actions that an incident keeps; the oldest go first."""

MAX_ACTIONS: Final = 20
"""Actions that are applied at a time; a save has room for them beside occurrence counts."""


def act_all(incident: Incident, actions: Iterable[Action], policy: Policy) -> Incident:
    """The incident once actions were applied, each at most once, in the order they were pressed."""
    known = {performed.id for performed in incident.record}
    for action in sorted(actions, key=lambda action: (action.at, action.id)):
        if action.id not in known:
            incident = _act(incident, action, policy)
    return incident


def after_notification(incident: Incident, reason: Reason, before: Incident, policy: Policy) -> Incident:
    """The incident with its acknowledgement ended, where a notification says that it is back, worse, or over.

    Args:
        incident: With the notification in its outbox.
        reason: The notification's.
        before: The incident before it.
        policy: Severities.
    """
    if incident.acknowledged is None:
        return incident
    ends = reason in {Reason.REGRESSED, Reason.RESOLVED} or (
        reason is Reason.NEW_ALERT and _is_worse(incident, before, policy)
    )
    return replace(incident, acknowledged=None) if ends else incident


def quiet_until(incident: Incident) -> Millis:
    """Until when nobody is reminded because somebody has the incident; 0 for nobody has it."""
    return incident.acknowledged.until if incident.acknowledged else 0


def performed_by(incident: Incident | None, action: str) -> PerformedAction | None:
    """What came of an action; None where the incident does not know it."""
    record = incident.record if incident else ()
    return next((performed for performed in record if performed.id == action), None)


def _act(incident: Incident, action: Action, policy: Policy) -> Incident:
    outcome, detail, acted = _outcome(incident, action, policy)
    performed = PerformedAction(
        action.id,
        action.kind,
        action.user,
        action.name,
        action.at,
        outcome,
        detail,
        action.fingerprint,
    )
    untold = acted.actions_not_notified
    # What changed nothing is told to who pressed, and to nobody else.
    if outcome is ActionOutcome.DONE and incident.id == action.incident and incident.resolved_at is None:
        untold = (*untold, action.id)
    record = (*acted.record, performed)[-MAX_RECORD:]
    return replace(acted, record=record, actions_not_notified=untold)


class _Acted(NamedTuple):
    outcome: ActionOutcome
    detail: str
    incident: Incident


def _outcome(incident: Incident, action: Action, policy: Policy) -> _Acted:
    detail = _detail_of_what_stands(incident, action)
    if action.refused or detail is not None:
        outcome = ActionOutcome.REFUSED if action.refused else ActionOutcome.DONE
        return _Acted(outcome, action.refused or detail or "", incident)
    if incident.id != action.incident or incident.resolved_at is not None:
        return _Acted(ActionOutcome.TOO_LATE, "", incident)
    if action.kind is ActionKind.TAKE:
        return _taken(incident, action, policy)
    if action.kind is ActionKind.OVER:
        return _over(incident, action)
    if action.kind is ActionKind.REDRIVE:
        return _Acted(*asked(incident, action, policy))
    holder = incident.acknowledged
    if action.kind is not ActionKind.HAND_BACK or holder is None:
        return _Acted(ActionOutcome.NOTHING_TO_DO, "", incident)
    return _Acted(ActionOutcome.DONE, holder.name, replace(incident, acknowledged=None))


def _detail_of_what_stands(incident: Incident, action: Action) -> str | None:
    """What is said of an action that stands for itself, whatever became of the incident; None for any other."""
    if action.kind is ActionKind.SILENCE and action.silence is not None:
        until = iso_time(action.silence.expires_at)
        return f"{action.silence.matcher} until {until}: {action.silence.reason}"
    if action.kind is ActionKind.NOT_AN_ALERT and incident.id == action.incident:
        return action.signature
    if action.kind is ActionKind.KNOWN_ERROR:
        # What was counted already goes on, until the alert was quiet for long enough.
        alert = incident.alerts.get(action.fingerprint)
        until, template = iso_time(action.at + KNOWN_FOR), alert.fields.get(TEMPLATE) if alert else None
        return f"{until}: {template}" if template else until
    return None


def _taken(incident: Incident, action: Action, policy: Policy) -> _Acted:
    holder = incident.acknowledged
    if holder is not None and holder.active(action.at):
        if holder.user != action.user:
            return _Acted(ActionOutcome.SOMEBODY_ELSE, holder.name, incident)
        return _Acted(ActionOutcome.NOTHING_TO_DO, "", incident)
    until = action.at + policy.intervals.acknowledged_for
    has_it = Acknowledgement(action.user, action.name, action.at, until)
    return _Acted(ActionOutcome.DONE, "", replace(incident, acknowledged=has_it))


def _over(incident: Incident, action: Action) -> _Acted:
    """Resolve everything that was received until the press."""
    ended = {
        alert.fingerprint: replace(
            alert, state=AlertState.RESOLVED, over_at=action.at, unmuted=False, learned_quiet=0
        )
        for alert in incident.firing
        if alert.active_at <= action.at
    }
    left = [alert for alert in incident.firing if alert.announced and alert.fingerprint not in ended]
    if left:
        return _Acted(ActionOutcome.STILL_SEEN, "", incident)
    alerts = {**incident.alerts, **ended}
    return _Acted(ActionOutcome.DONE, "", replace(incident, alerts=alerts))


def _is_worse(incident: Incident, before: Incident, policy: Policy) -> bool:
    """Whether an alert that people are now told of is worse than all that they knew of."""

    def worst(one: Incident) -> int:
        ranks = [
            severity_of(alert, policy.signatures).rank
            for alert in one.firing
            if alert.notified.individually and alert.announced
        ]
        return min(ranks, default=99)

    return worst(incident) < worst(before)
