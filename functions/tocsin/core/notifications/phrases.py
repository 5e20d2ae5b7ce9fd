"""The phrases that e-mail and Slack share: durations, counts, changes, queues, fields."""

from __future__ import annotations

from collections.abc import Callable

from tocsin.core.model import Millis, Reason
from tocsin.core.notifications.contract import (
    Notification,
    NotifiedAlert,
    QueueStatus,
    ReportedChange,
    millis_of,
)
from tocsin.core.times import format_duration


def leading_alert(notification: Notification) -> tuple[NotifiedAlert, list[NotifiedAlert]]:
    """The alert that the notification is named after, and the others in their order."""
    alerts = notification.alerts
    named = [alert for alert in alerts if alert.title == notification.title] or alerts
    main = next((alert for alert in named if alert.state == "firing"), named[0])
    return main, [alert for alert in alerts if alert is not main]


OF_NEWS = frozenset({Reason.NEW_ALERT, Reason.REGRESSED, Reason.SILENCE_EXPIRED})
"""Reasons that are said of some alerts of an incident, which need not be the one that it is named after."""


def subject_alert(notification: Notification) -> NotifiedAlert:
    """The alert that the notification's news is: what joined, is back or is no longer silenced, else what it is named after."""
    main = leading_alert(notification)[0]
    if notification.reason not in OF_NEWS:
        return main
    subject = notification.why and notification.why.signature
    changed = [alert for alert in notification.alerts if alert.changed]
    return next((alert for alert in changed if alert.signature == subject), (*changed, main)[0])


def muted_words(silenced_by: str, quoted: Callable[[str], str]) -> str:
    """What mutes an alert: a silence, by its id, or what CloudWatch itself mutes with, which is named in words.

    Args:
        silenced_by: The contract's ``silenced_by``.
        quoted: As for `changes_words`.
    """
    # Ids of silences have no blanks; what CloudWatch mutes with is "CloudWatch mute rule NAME".
    words = silenced_by.split(" ")
    if words[0] != "CloudWatch" or len(words) == 1:
        return f"muted by silence {quoted(silenced_by)}"
    kind, name = (" ".join(words[:3]), words[3:]) if words[1] == "mute" else (" ".join(words[:2]), words[2:])
    return f"muted by {' '.join(filter(None, (kind, quoted(' '.join(name)) if name else '')))}"


def shown_fields(alert: NotifiedAlert) -> dict[str, str]:
    """The fields that people need; the contract has them all.

    An alarm's name says which metric it watches, and its resource is mostly the queue or the function that is
    named already.
    """
    fields = {name: value for name, value in alert.fields.items() if value}
    if not alert.source.alarm:
        return fields
    named = {fields.get("queue"), fields.get("function")}
    return {
        name: value
        for name, value in fields.items()
        if name not in {"metric", "namespace", "queue_arn"} and not (name == "resource" and value in named)
    }


def queue_words(queue: QueueStatus, at: Millis) -> str:
    """What is in a dead-letter queue and for how long: ``12 messages, the oldest is lost within 9 h``.

    Args:
        queue: The contract's ``queue`` of an alert.
        at: When this is said.
    """
    if not queue.depth:
        return "empty when it was looked at"
    words = "1 message" if queue.depth == 1 else f"{queue.depth:,} messages"
    if not queue.oldest_expires_at:
        return words
    left = millis_of(queue.oldest_expires_at) - at
    return (
        f"{words}, the oldest is lost within {format_duration(left)}"
        if left > 0
        else f"{words}, the oldest are being lost"
    )


MAX_CHANGES = 3
"""Changes that a message names."""


def changes_words(notification: Notification, quoted: Callable[[str], str]) -> str:
    """What changed just before, in one line; empty where nothing is known.

    ``Changed before: code of api was updated directly, not by its stack, 6 min before (00:03 UTC); stack prod
    UPDATE_COMPLETE, 1 min before (00:08 UTC)``

    Args:
        notification: The contract.
        quoted: Sets a name off from the words around it, and makes it safe to show.
    """
    changes = notification.changes
    if not changes:
        return ""
    before = [change for change in changes if change.seconds_before >= 0]
    named = "; ".join(change_words(change, quoted) for change in changes[:MAX_CHANGES])
    more = f"; and {len(changes) - MAX_CHANGES} more" if len(changes) > MAX_CHANGES else ""
    return f"{'Changed before' if before else 'Changed since'}: {named}{more}"


def is_suspect(notification: Notification) -> bool:
    """Whether something was changed directly before it began: the first thing to look at."""
    return any(change.direct and change.seconds_before >= 0 for change in notification.changes)


def learned_late(notification: Notification) -> bool:
    """Whether this notification is the first to tell of a change before it began."""
    return any(change.learned_late for change in notification.changes)


def change_words(change: ReportedChange, quoted: Callable[[str], str]) -> str:
    """One change of the contract in words; ``quoted`` as for `changes_words`."""
    seconds = change.seconds_before
    when = (
        f"{format_duration(seconds * 1000)} before"
        if seconds >= 0
        else f"{format_duration(-seconds * 1000)} after it began"
    )
    who = f", by {quoted(change.who)}" if change.who else ""
    when += f" ({change.at[11:16]} UTC{who})"
    name = quoted(change.what)
    if change.kind == "stack":
        return f"stack {name} {change.status or ''}, {when}"
    how = "updated directly, not by its stack" if change.direct else f"updated by {change.by}"
    return f"{change.kind} of {name} was {how}, {when}"


def why_words(notification: Notification) -> str:
    """Why it was sent: the reason, the signature, how often in all, how many got no message of their own."""
    why = notification.why
    reason = notification.reason.value.replace("_", " ")
    if not why:
        return reason
    threshold = why.threshold
    parts: list[str] = [reason, why.text, f"signature {why.signature}"]
    if threshold:
        parts.append(
            f"threshold {threshold.count:,} in {format_duration(round(threshold.within_seconds * 1000))}"
        )
    parts.append(f"{why.total:,} in all")
    if why.suppressed:
        parts.append(f"{why.suppressed:,} without a message of their own")
    return " · ".join(parts)


def lasted(notification: Notification) -> str:
    """How long, from the first occurrence to the last one (or, for an alarm, to its return to OK)."""
    incident = notification.incident
    return format_duration(millis_of(incident.last_seen) - millis_of(incident.first_seen))


def times(count: int) -> str:
    """A count for people: ``once``, ``1,204 times``."""
    return "once" if count == 1 else f"{count:,} times"


def account_words(alert: NotifiedAlert) -> str:
    """The account for people: ``123456789012``, or ``shop-prod (123456789012)``; empty where it is not known."""
    return f"{alert.account_name} ({alert.account})" if alert.account_name else alert.account
