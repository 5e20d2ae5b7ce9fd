"""Alerts that people say were none: counted for the next digest, which tells who looks after their signatures.

One occurrence count for each press, with the redacted line that the alert shows. Its key is the press's own, so a press that
is applied again after a crash is counted once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from msgspec.structs import replace

from tocsin.core.incidents.acting import performed_by
from tocsin.core.incidents.actions import Action, ActionKind, ActionOutcome
from tocsin.core.incidents.counting import alert_of, counted_into
from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.model import TEST_MODE_GROUP, AlertState, OccurrenceCount

MAX_NAMES = 5
"""People that one entry of the digest names."""


def false_alerts(incident: Incident, actions: Iterable[Action]) -> list[OccurrenceCount]:
    """What people just said of an incident's alerts, as occurrence counts for the digest.

    Args:
        incident: With the actions applied.
        actions: Those that were.
    """
    return [
        _marked(incident, alert, action)
        for action in actions
        if action.kind is ActionKind.NOT_AN_ALERT
        and (done := performed_by(incident, action.id)) is not None
        and done.outcome is ActionOutcome.DONE
        and (alert := incident.alerts.get(action.fingerprint)) is not None
    ]


def false_alert_counted(known: Alert | None, counted: OccurrenceCount) -> Alert:
    """The digest's entry with another press counted; it never fires, and says nothing of how its signature does."""
    if known is None:
        return replace(
            alert_of(counted),
            fingerprint=false_alert_name(counted),
            state=AlertState.RESOLVED,
            announced=False,
            marked_by=counted.marked_by,
        )
    names = list(dict.fromkeys([*known.marked_by.split(", "), counted.marked_by]))
    return replace(counted_into(known, counted), marked_by=", ".join(names[:MAX_NAMES]))


def false_alert_name(counted: OccurrenceCount) -> str:
    """What the digest knows an entry by: the alert, apart from what else the digest counts of it."""
    return hashlib.sha256(f"marked\0{counted.fingerprint}".encode()).hexdigest()[:16]


def _marked(incident: Incident, alert: Alert, action: Action) -> OccurrenceCount:
    return OccurrenceCount(
        envelope=f"marked-{action.id}",
        fingerprint=alert.fingerprint,
        signature=alert.signature,
        service=TEST_MODE_GROUP,
        fields=alert.fields,
        count=1,
        first_seen=alert.first_seen,
        last_seen=alert.last_seen,
        received_at=action.at,
        sample=alert.sample,
        origin=alert.origin,
        origin_service=incident.service,
        marked_by=action.name.replace(",", " "),
    )
