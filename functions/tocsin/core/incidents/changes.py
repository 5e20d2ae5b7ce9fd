"""Which changes (deployments, direct edits) an incident should name as possible causes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from tocsin.core.incidents.incident import Incident
from tocsin.core.model import Change, ChangeKind, Millis
from tocsin.core.times import HOUR

if TYPE_CHECKING:
    from tocsin.core.config.settings import Settings


BEFORE: Final[Millis] = 6 * HOUR
"""How long before an incident a change by a stack, or another tool, is a suspect."""


BEFORE_DIRECT: Final[Millis] = 24 * HOUR
"""The same for a direct change: it stays wrong until the stack is deployed again."""


MAX_CHANGES: Final = 10
"""Changes that an incident remembers."""


def concerning(changes: Iterable[Change], service: str, settings: Settings) -> list[Change]:
    """The changes that may be behind an incident of a service.

    A function belongs to one service. A stack belongs to those that claim it; one that nobody claims may hold
    anything, so it concerns every service.
    """
    return [
        change
        for change in changes
        if (
            service in (settings.services_of_stack(change.what) or (service,))
            if change.kind is ChangeKind.STACK
            else settings.service_of_function(change.what) == service
        )
    ]


def began_at(incident: Incident) -> Millis:
    """When the latest news of an incident began: with its first occurrence, that of an alert that joined, or its return.

    Not always with the incident: one that has been open for days must not hide that a deployment broke something else.
    """
    told = [alert for alert in incident.alerts.values() if alert.announced and alert.count]
    fresh = [
        alert for alert in told if not alert.silence and (not alert.notified.individually or alert.regressed)
    ]
    if not fresh and incident.latest_news_started_at is not None:
        return incident.latest_news_started_at
    return min(
        (
            alert.active_at if alert.regressed else alert.first_seen
            for alert in fresh or told or incident.alerts.values()
        ),
        default=incident.opened_at,
    )


def remembered(incident: Incident, found: Iterable[Change]) -> tuple[Change, ...]:
    """What an incident remembers once these changes are known too: the likeliest suspect first.

    Of what happened before it began, direct changes come first, each kind the latest first; then what happened since.
    Of several changes of one thing before it, or since, the latest is kept: a stack reports each step.

    Args:
        incident: With what it remembers already, which the ledger may have forgotten since.
        found: In any order, in any number.
    """
    began = began_at(incident)
    latest: dict[tuple[object, ...], Change] = {}
    for change in {change.id: change for change in (*incident.changes, *found)}.values():
        if change.at < began - (BEFORE_DIRECT if change.is_direct else BEFORE):
            continue
        key = (change.kind, change.what, change.is_direct, change.at <= began)
        known = latest.get(key)
        if known is None or (change.at, change.id) > (known.at, known.id):
            latest[key] = change
    ordered = sorted(
        latest.values(),
        key=lambda change: (change.at > began, not change.is_direct, -change.at, change.id),
    )
    return tuple(ordered[:MAX_CHANGES])


def learned(incident: Incident, found: Sequence[Change]) -> Incident:
    """The incident once it knows of these changes too; a suspect that people should have been told of is untold."""
    if not found:
        return incident
    known = {change.id for change in incident.changes}
    changes = remembered(incident, found)
    late = [change.id for change in changes if change.id not in known and is_suspect(change, incident)]
    untold = (*incident.changes_not_notified, *late) if incident.notified_at is not None else ()
    return replace(incident, changes=changes, changes_not_notified=untold)


def is_suspect(change: Change, incident: Incident) -> bool:
    """Whether a change is loud: made directly, before the incident began."""
    return change.is_direct and change.at <= began_at(incident)
