"""Taking an unknown error as known until a time, because somebody says so: from the command line, or from Slack."""

from __future__ import annotations

from tocsin.core.errors.error_history import ErrorRecord, taken_as_known
from tocsin.core.errors.error_store import ErrorStore
from tocsin.core.model import Millis
from tocsin.core.redaction.sample import field_value
from tocsin.core.times import DAY

MAX_SPAN: Millis = 365 * DAY
"""The longest time for which somebody can say that an error is known."""
MAX_CONFLICTS = 5
"""How often it is tried again because a sighting was written first."""


class KnownErrorRefusedError(Exception):
    """It was not taken as known; says why."""


def take_as_known(
    store: ErrorStore, service: str, error: str, *, span: Millis, author: str, reason: str, now: Millis
) -> ErrorRecord:
    """Take an unknown error as known.

    Args:
        store: Where it is kept.
        service: Its service.
        error: Its id, the fingerprint of its alert.
        span: For how long from now.
        author: Who says so; redacted here.
        reason: Why; likewise.
        now: The time.

    Returns:
        The error as it is kept now.

    Raises:
        KnownErrorRefusedError: There is no such error, the time is not one, or sightings were always written first.
    """
    if not 0 < span <= MAX_SPAN:
        raise KnownErrorRefusedError("the time must be longer than nothing, and a year at most")
    by, why = field_value(author), field_value(reason)
    for _ in range(MAX_CONFLICTS):
        record = store.get(service, error)
        if record is None:
            raise KnownErrorRefusedError("no such error is kept")
        known = taken_as_known(record, now + span, by, why)
        if store.put(known):
            return known
    raise KnownErrorRefusedError("it is written to all the time; try again")
