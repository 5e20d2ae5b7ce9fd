"""The notification as text, for e-mail subscribers and wherever Slack's blocks cannot go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tocsin.core.durations import format_duration
from tocsin.core.inert_text import clipped, one_line, visible
from tocsin.core.model import Millis, Reason
from tocsin.core.notification import Notification, millis_of

LONGEST_SUBJECT = 99
"""SNS: fewer than 100 characters, printable ASCII, no line break (sns:Publish in the API reference)."""

_LONGEST_TEXT = 8_000
_LONGEST_SAMPLE = 1_500
_MOST_OTHERS = 20

NEWS = {
    Reason.OPENED: "New incident",
    Reason.NEW_ALERT: "New alert in an open incident",
    Reason.UPDATE: "Still going on",
    Reason.REPEAT: "Reminder: still going on",
    Reason.REGRESSED: "It is back",
    Reason.RESOLVED: "Resolved",
    Reason.SILENCE_EXPIRED: "A silence ended, and it is still going on",
    Reason.DIGEST: "What signatures on trial recognised",
}
"""What each reason means to the reader, in a few words."""


def email_subject(notification: Notification) -> str:
    """The subject line: how bad, where, what; at most 99 characters of printable ASCII."""
    reason = Reason(notification["reason"])
    if reason is Reason.DIGEST:
        return f"[DIGEST] {notification['title']}, seen {times(notification['incident']['count'])}"
    mark = "RESOLVED" if reason is Reason.RESOLVED else notification["severity"].upper()
    news = {Reason.REGRESSED: " again", Reason.REPEAT: " still", Reason.UPDATE: " still"}.get(reason, "")
    text = one_line(f"[{mark}]{news} {notification['service']}: {notification['title']}")
    ascii_only = "".join(character if " " <= character <= "~" else "?" for character in text)
    return ascii_only if len(ascii_only) <= LONGEST_SUBJECT else ascii_only[: LONGEST_SUBJECT - 3] + "..."


def email_text(notification: Notification) -> str:
    """The body for people: what broke, what to do first, what it means, how often, the links, a sample."""
    if Reason(notification["reason"]) is Reason.DIGEST:
        from tocsin.core.digest_text import digest_text  # noqa: PLC0415 - it builds on this module

        return clipped(digest_text(notification), _LONGEST_TEXT)
    main, others = leading_alert(notification)
    reason = Reason(notification["reason"])
    parts = [
        f"{notification['title']} in {notification['service']}",
        f"{NEWS[reason]}. Severity: {notification['severity']}.",
        "",
        f"{_tally(notification)}",
    ]
    parts += _circumstances(main, notification)
    if changed := changes_words(notification, str):
        parts += ["", changed]
    if reason is not Reason.RESOLVED:
        parts += ["", f"DO FIRST: {main['first_action']}"]
    parts += ["", f"What it means: {main['summary']}", "", f"Runbook: {main['runbook_url']}"]
    labels = {"log_stream": "Log stream", "insights": "Logs Insights", "alarm": "Alarm"}
    parts += [f"{label}: {main['links'][key]}" for key, label in labels.items() if main["links"][key]]
    parts += ["", *(f"{name}: {value}" for name, value in shown_fields(main).items())]
    if main["sample"]:
        parts += ["", "Sample (redacted):", *_indented(clipped(main["sample"], _LONGEST_SAMPLE))]
    if others:
        parts += ["", "Also in this incident:", *map(_line, others[:_MOST_OTHERS])]
    unlisted = notification["incident"]["alert_count"] - 1 - len(others[:_MOST_OTHERS])
    if unlisted > 0:
        parts.append(f"- and {unlisted} more")
    parts += [
        "",
        f"Why: {why_words(notification)}",
        f"Tocsin incident {notification['incident']['id']}, notification {notification['sequence']}",
    ]
    source = main["source"]
    parts.append(
        ", ".join(filter(None, (source["log_group"], source["alarm"], main["account"], main["region"])))
    )
    text = "\n".join(visible(part) for part in parts)
    return clipped(text.replace("\n\n\n", "\n\n").strip(), _LONGEST_TEXT)


def leading_alert(notification: Notification) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The alert that the notification is named after, and the others in their order."""
    alerts: list[dict[str, Any]] = notification["alerts"]
    named = [alert for alert in alerts if alert["title"] == notification["title"]] or alerts
    main = next((alert for alert in named if alert["state"] == "firing"), named[0])
    return main, [alert for alert in alerts if alert is not main]


def shown_fields(alert: dict[str, Any]) -> dict[str, str]:
    """The fields that people need; the contract has them all.

    An alarm's name says which metric it watches, and its resource is mostly the queue or the function that is
    named already.
    """
    fields: dict[str, str] = {name: value for name, value in alert["fields"].items() if value}
    if not alert["source"]["alarm"]:
        return fields
    named = {fields.get("queue"), fields.get("function")}
    return {
        name: value
        for name, value in fields.items()
        if name not in {"metric", "namespace", "queue_arn"} and not (name == "resource" and value in named)
    }


def queue_words(queue: dict[str, Any], at: Millis) -> str:
    """What is in a dead-letter queue and for how long: ``12 messages, the oldest is lost within 9 h``.

    Args:
        queue: The contract's ``queue`` of an alert.
        at: When this is said.
    """
    if not queue["depth"]:
        return "empty when it was looked at"
    words: str = "1 message" if queue["depth"] == 1 else f"{queue['depth']:,} messages"
    if not queue.get("oldest_expires_at"):
        return words
    left = millis_of(queue["oldest_expires_at"]) - at
    return (
        f"{words}, the oldest is lost within {format_duration(left)}"
        if left > 0
        else f"{words}, the oldest are being lost"
    )


MOST_CHANGES = 3
"""Changes that a message names."""


def changes_words(notification: Notification, quoted: Callable[[str], str]) -> str:
    """What changed just before, in one line; empty where nothing is known.

    ``Changed before: code of api was updated directly, not by its stack, 6 min before (00:03 UTC); stack prod
    UPDATE_COMPLETE, 1 min before (00:08 UTC)``

    Args:
        notification: The contract.
        quoted: Sets a name off from the words around it, and makes it safe to show.
    """
    changes = notification.get("changes") or []
    if not changes:
        return ""
    before = [change for change in changes if change["seconds_before"] >= 0]
    named = "; ".join(change_words(change, quoted) for change in changes[:MOST_CHANGES])
    more = f"; and {len(changes) - MOST_CHANGES} more" if len(changes) > MOST_CHANGES else ""
    return f"{'Changed before' if before else 'Changed since'}: {named}{more}"


def is_suspect(notification: Notification) -> bool:
    """Whether something was changed directly before it began: the first thing to look at."""
    return any(
        change["direct"] and change["seconds_before"] >= 0 for change in notification.get("changes") or []
    )


def learned_late(notification: Notification) -> bool:
    """Whether this notification is the first to tell of a change before it began."""
    return any(change.get("learned_late") for change in notification.get("changes") or [])


def change_words(change: dict[str, Any], quoted: Callable[[str], str]) -> str:
    """One change of the contract in words; ``quoted`` as for `changes_words`."""
    seconds = change["seconds_before"]
    when = (
        f"{format_duration(seconds * 1000)} before"
        if seconds >= 0
        else f"{format_duration(-seconds * 1000)} after it began"
    )
    who = f", by {quoted(change['who'])}" if change.get("who") else ""
    when += f" ({change['at'][11:16]} UTC{who})"
    name = quoted(change["what"])
    if change["kind"] == "stack":
        return f"stack {name} {change.get('status') or ''}, {when}"
    how = "updated directly, not by its stack" if change["direct"] else f"updated by {change.get('by')}"
    return f"{change['kind']} of {name} was {how}, {when}"


def why_words(notification: Notification) -> str:
    """Why it was sent: the reason, the signature, how often in all, how many got no message of their own."""
    why = notification.get("why")
    reason = str(notification["reason"]).replace("_", " ")
    if not why:
        return reason
    threshold = why.get("threshold")
    parts: list[str] = [reason, why["text"], f"signature {why['signature']}"]
    if threshold:
        parts.append(
            f"threshold {threshold['count']:,} in {format_duration(round(threshold['within_seconds'] * 1000))}"
        )
    parts.append(f"{why['total']:,} in all")
    if why["suppressed"]:
        parts.append(f"{why['suppressed']:,} without a message of their own")
    return " · ".join(parts)


def lasted(notification: Notification) -> str:
    """How long, from the first occurrence to the last one (or, for an alarm, to its return to OK)."""
    incident = notification["incident"]
    return format_duration(millis_of(incident["last_seen"]) - millis_of(incident["first_seen"]))


def times(count: int) -> str:
    """A count for people: ``once``, ``1,204 times``."""
    return "once" if count == 1 else f"{count:,} times"


def _circumstances(alert: dict[str, Any], notification: Notification) -> list[str]:
    """The queue of an alarm and what is likely behind it, where these are known."""
    parts = []
    if alert.get("queue"):
        words = queue_words(alert["queue"], millis_of(notification["at"]))
        parts.append(f"Queue {alert['queue']['name']}: {words}.")
    cause = alert.get("likely_cause")
    if cause:
        detail = f" ({cause['detail']})" if cause.get("detail") else ""
        since = cause["first_seen"][:19].replace("T", " ")
        over = " (quiet by now)" if cause.get("state") == "resolved" else ""
        parts.append(
            f"Likely cause{over}: {cause['title']}{detail}, {times(cause['count'])} since {since} UTC."
        )
    return ["", *parts] if parts else []


def _tally(notification: Notification) -> str:
    incident = notification["incident"]
    first, last = (incident[key][:19].replace("T", " ") for key in ("first_seen", "last_seen"))
    if incident["count"] == 1:
        return f"Seen once, {first} UTC."
    return f"Seen {times(incident['count'])} from {first} to {last} UTC ({lasted(notification)})."


def _line(alert: dict[str, Any]) -> str:
    because = f", explained by {alert['inhibited_by']}" if alert["inhibited_by"] else ""
    return f"- {alert['title']}: {alert['severity']}, {alert['state']}, {times(alert['count'])}{because}"


def _indented(sample: str) -> list[str]:
    return [f"    {line}" for line in visible(sample).split("\n")]
