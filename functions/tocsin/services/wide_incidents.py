"""The wide incident of several services: joined as an incident opens, and looked up for the one that leads it.

Neither ever fails: an incident that cannot be joined to others is told by itself, which loses nothing.
"""

from __future__ import annotations

from tocsin.core.incidents.incident import Incident, Pending
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.store import Ledger
from tocsin.core.incidents.wide import (
    Wide,
    is_looked_for,
    own_cause,
    services_led,
    time_to_join,
    wide_as_lead,
    wide_when_opened,
)
from tocsin.core.model import Millis, Reason


def wide_of(ledger: Ledger, policy: Policy, incident: Incident, entry: Pending) -> Wide | None:
    """The wide incident that an incident belongs to: joined as it opens, by when that was due."""
    cause = own_cause(incident, policy)
    if cause is None or entry.reason is not Reason.OPENED:
        return None if cause is None else wide_as_lead(incident, cause)
    within = time_to_join(incident, policy)
    try:
        joined = ledger.join_wide(cause.key, incident.id, incident.service, entry.at, within)
    except Exception:  # whatever it is: then it is told by itself
        return None
    return wide_when_opened(joined, incident, cause)


def joined_services(
    ledger: Ledger, policy: Policy, incident: Incident | None, now: Millis
) -> tuple[str, ...]:
    """The services that joined an incident since it opened; none where it leads no wide one, or none can be read."""
    if incident is None or not is_looked_for(incident, now, policy):
        return ()
    cause = own_cause(incident, policy)
    if cause is None:
        return ()
    try:
        return services_led(ledger.wide(cause.key), incident, cause)
    except Exception:  # whatever it is: it is looked for again in a minute
        return ()
