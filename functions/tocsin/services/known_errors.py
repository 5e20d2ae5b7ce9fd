"""Taking an unknown error as known until a time, because somebody says so: from the command line, or from Slack."""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.errors.error_history import ErrorRecord, taken_as_known
from tocsin.core.errors.error_store import ErrorStore
from tocsin.core.incidents.actions import KNOWN_FOR, Action
from tocsin.core.model import Millis
from tocsin.core.redaction.sample import field_value
from tocsin.core.times import DAY

MAX_SPAN: Millis = 365 * DAY
"""The longest time for which somebody can say that an error is known."""
MAX_CONFLICTS = 5
"""How often it is tried again because a sighting was written first."""
NOT_KEPT = "no such error is kept"
PRESSED = "Known error, pressed in Slack"
"""The reason of what was pressed: nobody is asked for one there."""


class KnownErrorRefusedError(Exception):
    """It was not taken as known; says why."""


def take_as_known(
    store: ErrorStore,
    service: str,
    error: str,
    *,
    span: Millis,
    author: str,
    reason: str,
    now: Millis,
    until_it_escalates: bool = False,
) -> ErrorRecord:
    """Take an unknown error as known; once more is no harm.

    Args:
        store: Where it is kept.
        service: Its service.
        error: Its id, the fingerprint of its alert.
        span: For how long from now.
        author: Who says so; redacted here.
        reason: Why; likewise.
        now: The time at which somebody says so.
        until_it_escalates: Whether an escalation ends it earlier.

    Returns:
        The error as it is kept now.

    Raises:
        KnownErrorRefusedError: There is no such error, it became news after ``now``, the time is not one, or sightings
            were always written first.
    """
    if not 0 < span <= MAX_SPAN:
        raise KnownErrorRefusedError("the time must be longer than nothing, and a year at most")
    by, why = field_value(author), field_value(reason)
    for _ in range(MAX_CONFLICTS):
        record = store.get(service, error)
        if record is None:
            raise KnownErrorRefusedError(NOT_KEPT)
        if record.news_at is not None and record.news_at > now:
            raise KnownErrorRefusedError("it became news again after that")
        known = taken_as_known(record, now + span, by, why, until_it_escalates=until_it_escalates)
        if replace(known, version=record.version) == record:
            return record
        if store.put(known):
            return known
    raise KnownErrorRefusedError("it is written to all the time; try again")


def take_pressed_as_known(store: ErrorStore | None, action: Action) -> Action:
    """Take the error that somebody pressed on as known, from the press on and until it escalates.

    It is done before the incident is saved, and as often as that is tried: what was pressed says when it ends.

    Args:
        store: Where it is kept; None where no error is.
        action: What was pressed.

    Returns:
        The action, with why it was refused if it was.

    Raises:
        Exception: Whatever the store raises; the action stays and is tried again.
    """
    if store is None:
        return replace(action, refused=NOT_KEPT)
    try:
        take_as_known(
            store,
            action.service,
            action.fingerprint,
            span=KNOWN_FOR,
            author=f"{action.name} (Slack)",
            reason=PRESSED,
            now=action.at,
            until_it_escalates=True,
        )
    except KnownErrorRefusedError as error:
        return replace(action, refused=str(error))
    return action
