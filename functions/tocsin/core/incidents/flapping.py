"""Flapping: what comes back again and again is one incident, not a new end and a new beginning each time.

An alert learns from each return how long a quiet means nothing: the quiet that means "over" becomes twice the gap
after which it came back, though not more than four times what it was, and at most ``max_resolve_after``. So one error
every twenty minutes is told as over and as back once; then it is an incident that goes on, with reminders, until it was
quiet for forty minutes. What comes back only after more than the longest quiet is another outage: what was learned is
forgotten.

What falls quiet fires until then. An alarm says itself when it is OK; one that comes back sooner than it has learned is
counted and shown, and not told as back again.
"""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.core.incidents.incident import Alert
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import AlertState, Millis, OccurrenceCount

QUIET_PER_GAP = 2
"""How many times the gap after which an alert came back it must be quiet to be over."""

MAX_GROWTH = 4
"""How many times as long as before the quiet is at most after one return: one late straggler is no rhythm yet."""


def after_return(
    before: Alert, after: Alert, counted: OccurrenceCount, policy: Policy, *, was_over: bool
) -> Alert:
    """An alert with what it learns if it came back; where that is no news, it is not ``regressed``.

    Args:
        before: As it was.
        after: The same with the occurrence counted.
        counted: What was counted.
        policy: What bounds the quiet.
        was_over: Whether the incident was: then its return is news, however soon it is.
    """
    came_back = after.regressed and (not before.regressed or before.state is AlertState.RESOLVED)
    if not came_back:
        return after
    gap = counted.received_at - before.active_at
    believably_over = was_over or before.regressed or gap >= policy.learned_quiet(before)
    return replace(after, regressed=believably_over, learned_quiet=learned_from(before, gap, policy))


def learned_from(alert: Alert, gap: Millis, policy: Policy) -> Millis:
    """The quiet that an alert must show from now on, having come back after this gap.

    Args:
        alert: As it was before.
        gap: From when it was last received to its return.
        policy: What bounds the quiet.
    """
    if gap >= policy.intervals.max_resolve_after:
        return 0
    stateful = alert.origin.is_stateful
    # An alarm may come back at once: less than an interval of quiet is no end either.
    quiet = policy.quiet_period(alert)
    least = policy.intervals.group_interval if stateful else QUIET_PER_GAP * quiet
    return max(policy.learned_quiet(alert), min(QUIET_PER_GAP * gap, MAX_GROWTH * quiet), least)


def settles_at(alert: Alert, policy: Policy) -> Millis:
    """When an alert that came back is believably over if nothing more is received; 0 for one that never did."""
    learned = policy.learned_quiet(alert)
    return alert.active_at + learned if learned else 0
