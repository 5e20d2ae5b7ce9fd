"""Alarms over many series: CloudWatch tells of each contributor besides the alarm itself.

All that is told of one alarm is one alert. It names its contributors, and it is over when the alarm is: one contributor's
OK says nothing about the others. Where only contributors tell of the alarm (it may have no action of its own), it is
over when all of them are.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tocsin.core.incidents.incident import Alert, Contributor
from tocsin.core.model import AlertState, OccurrenceCount
from tocsin.core.sanitize import clipped

MAX_CONTRIBUTORS = 40
"""Contributors one alert remembers; of an alarm with more, only its own OK is its end."""

MAX_NAME_LENGTH = 80
MAX_NAMES_LENGTH = 280

FIELD = "contributors"
"""The alert's field that names them."""


def first_received(alert: Alert, counted: OccurrenceCount) -> Alert:
    """A new alert with the contributor that told of it, if one did."""
    if not counted.contributor:
        return alert
    return replace(_with(alert, counted), only_contributors=True)


def contributed(alert: Alert, more: Alert, counted: OccurrenceCount) -> Alert:
    """An alert that one of its contributors told of.

    Args:
        alert: As it was.
        more: The same with the occurrence counted.
        counted: What the contributor told.
    """
    at, known = counted.last_seen, alert.contributors.get(counted.contributor)
    over = alert.state is AlertState.RESOLVED
    if (known and at < known.at) or (over and at < alert.state_at):
        return more  # delivered late: it says nothing about now
    more = _with(more, counted)
    if counted.state is AlertState.FIRING:
        return replace(
            more,
            state=AlertState.FIRING,
            state_at=max(alert.state_at, at) if over else alert.state_at,
            regressed=alert.regressed or over,
            muted_by=counted.muted_by,
            muted_until=counted.muted_until,
        )
    firing = any(each.state is AlertState.FIRING for each in more.contributors.values())
    if over or firing or not more.only_contributors:
        return more
    return replace(more, state=AlertState.RESOLVED, state_at=max(alert.state_at, at), over_at=at)


def alarm_itself(alert: Alert, counted: OccurrenceCount) -> Alert:
    """An alert that the alarm itself reported: it counts from now on, and its OK is that of every contributor."""
    firing = counted.state is AlertState.FIRING
    alert = replace(
        alert,
        only_contributors=False,
        muted_by=counted.muted_by if firing else "",
        muted_until=counted.muted_until if firing else None,
    )
    if firing or not alert.contributors:
        return alert
    over = {
        name: replace(each, state=AlertState.RESOLVED, at=max(each.at, counted.last_seen))
        for name, each in alert.contributors.items()
    }
    return replace(alert, contributors=over, fields={**alert.fields, FIELD: _names(over)})


def _with(alert: Alert, counted: OccurrenceCount) -> Alert:
    name = clipped(counted.contributor_name or counted.contributor, MAX_NAME_LENGTH)
    known = {**alert.contributors, counted.contributor: Contributor(name, counted.state, counted.last_seen)}
    only = alert.only_contributors
    if len(known) > MAX_CONTRIBUTORS:
        # What is over makes room first. One that fires and is forgotten could not keep the alert open.
        known.pop(min(known, key=lambda each: (known[each].state is AlertState.FIRING, known[each].at)))
        only = False
    return replace(
        alert, contributors=known, only_contributors=only, fields={**alert.fields, FIELD: _names(known)}
    )


def _names(contributors: Mapping[str, Contributor]) -> str:
    """Who is in alarm, then who is over."""
    firing = [each.name for each in contributors.values() if each.state is AlertState.FIRING]
    over = [each.name for each in contributors.values() if each.state is not AlertState.FIRING]
    parts = [*firing, *([f"over: {over[0]}", *over[1:]] if over else [])]
    text = ""
    for number, part in enumerate(parts):
        longer = f"{text}, {part}" if text else part
        if len(longer) > MAX_NAMES_LENGTH:
            return f"{text} and {len(parts) - number} more"
        text = longer
    return text
