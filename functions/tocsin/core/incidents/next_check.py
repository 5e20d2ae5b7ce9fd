"""When time alone will next move an incident, or the digest, and when it is looked at again."""

from __future__ import annotations

from tocsin.core.incidents import digest
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.lifecycle import next_due
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import TEST_MODE_GROUP, Millis
from tocsin.core.times import MINUTE

LOOK_AGAIN: Millis = 15 * MINUTE
"""The longest an open incident goes unlooked at: a deploy may have shortened its intervals meanwhile."""


def next_check_at(incident: Incident, now: Millis, policy: Policy) -> Millis | None:
    """When an incident wants to be looked at again; None for never."""
    due = next_move(incident, now, policy)
    if due is None or incident.service == TEST_MODE_GROUP:
        return due  # a digest waits for days, and must cost nothing meanwhile
    return min(due, now + LOOK_AGAIN)


def next_move(incident: Incident, now: Millis, policy: Policy) -> Millis | None:
    """When time alone will next move an incident, or tell a digest; None for never."""
    of = digest.next_due if incident.service == TEST_MODE_GROUP else next_due
    return of(incident, now, policy)
