"""The notification as text, for e-mail subscribers and wherever Slack's blocks cannot go."""

from __future__ import annotations

from tocsin.core.model import Reason, Severity
from tocsin.core.notifications.contract import Notification, NotifiedAlert, millis_of
from tocsin.core.notifications.phrases import (
    account_words,
    changes_words,
    lasted,
    queue_words,
    shown_fields,
    subject_alert,
    times,
    why_words,
)
from tocsin.core.notifications.reported_actions import action_words, holder_words
from tocsin.core.notifications.wide_words import Medium, wide_words
from tocsin.core.sanitize import clipped, one_line, visible

MAX_SUBJECT_LENGTH = 99
"""SNS: fewer than 100 characters, printable ASCII, no line break (sns:Publish in the API reference)."""

_MAX_TEXT_LENGTH = 8_000
_MAX_SAMPLE_LENGTH = 1_500
_MAX_OTHERS = 20

NEWS = {
    Reason.OPENED: "New incident",
    Reason.NEW_ALERT: "New alert in an open incident",
    Reason.UPDATE: "Still going on",
    Reason.REPEAT: "Reminder: still going on",
    Reason.REGRESSED: "It is back",
    Reason.RESOLVED: "Resolved",
    Reason.SILENCE_EXPIRED: "A silence ended, and it is still going on",
    Reason.DIGEST: "What was counted without a message",
}
"""What each reason means to the reader, in a few words."""


def email_subject(notification: Notification) -> str:
    """The subject line: how bad, where, what; at most 99 characters of printable ASCII."""
    reason = notification.reason
    if reason is Reason.DIGEST:
        return f"[DIGEST] {notification.title}, seen {times(notification.incident.count)}"
    main = subject_alert(notification)
    mark = "RESOLVED" if reason is Reason.RESOLVED else _severity(notification, main).upper()
    news = {Reason.REGRESSED: " again", Reason.REPEAT: " still", Reason.UPDATE: " still"}.get(reason, "")
    text = one_line(f"[{mark}]{news} {notification.service}: {main.title}")
    ascii_only = "".join(character if " " <= character <= "~" else "?" for character in text)
    return (
        ascii_only if len(ascii_only) <= MAX_SUBJECT_LENGTH else ascii_only[: MAX_SUBJECT_LENGTH - 3] + "..."
    )


def email_text(notification: Notification) -> str:
    """The body for people: what broke, what to do first, what it means, how often, the links, a sample."""
    if notification.reason is Reason.DIGEST:
        from tocsin.core.notifications.digest_email import digest_text

        return clipped(digest_text(notification), _MAX_TEXT_LENGTH)
    main = subject_alert(notification)
    others = [alert for alert in notification.alerts if alert is not main]
    reason = notification.reason
    parts = [
        f"{main.title} in {notification.service}",
        f"{NEWS[reason]}. Severity: {_severity(notification, main)}.",
        "",
        f"{_occurrence_count(notification)}",
    ]
    parts += [*action_words(notification), *filter(None, [holder_words(notification)])]
    if wide := wide_words(notification, Medium.EMAIL):
        parts += ["", wide]
    parts += _circumstances(main, notification)
    if changed := changes_words(notification, str):
        parts += ["", changed]
    if reason is not Reason.RESOLVED:
        parts += ["", f"DO FIRST: {main.first_action}"]
    parts += ["", f"What it means: {main.summary}", "", f"Runbook: {main.runbook_url}"]
    links = {
        "Log stream": main.links.log_stream,
        "Logs Insights": main.links.insights,
        "Alarm": main.links.alarm,
    }
    parts += [f"{label}: {address}" for label, address in links.items() if address]
    parts += ["", *(f"{name}: {value}" for name, value in shown_fields(main).items())]
    if main.sample:
        parts += ["", "Sample (redacted):", *_indented(clipped(main.sample, _MAX_SAMPLE_LENGTH))]
    if others:
        parts += ["", "Also in this incident:", *map(_line, others[:_MAX_OTHERS])]
    unlisted = notification.incident.alert_count - 1 - len(others[:_MAX_OTHERS])
    if unlisted > 0:
        parts.append(f"- and {unlisted} more")
    parts += [
        "",
        f"Why: {why_words(notification)}",
        f"Tocsin incident {notification.incident.id}, notification {notification.sequence}",
    ]
    source = main.source
    parts.append(", ".join(filter(None, (source.log_group, source.alarm, account_words(main), main.region))))
    text = "\n".join(visible(part) for part in parts)
    return clipped(text.replace("\n\n\n", "\n\n").strip(), _MAX_TEXT_LENGTH)


def _severity(notification: Notification, main: NotifiedAlert) -> Severity:
    """The incident's severity; where the message is headed by another alert than the incident, that alert's."""
    return notification.severity if main.title == notification.title else main.severity


def _circumstances(alert: NotifiedAlert, notification: Notification) -> list[str]:
    """The queue of an alarm and what is likely behind it, where these are known."""
    parts = []
    if alert.queue:
        words = queue_words(alert.queue, millis_of(notification.at))
        parts.append(f"Queue {alert.queue.name}: {words}.")
    cause = alert.likely_cause
    if cause:
        detail = f" ({cause.detail})" if cause.detail else ""
        since = cause.first_seen[:19].replace("T", " ")
        over = " (quiet by now)" if cause.state == "resolved" else ""
        parts.append(f"Likely cause{over}: {cause.title}{detail}, {times(cause.count)} since {since} UTC.")
    return ["", *parts] if parts else []


def _occurrence_count(notification: Notification) -> str:
    incident = notification.incident
    first, last = (time[:19].replace("T", " ") for time in (incident.first_seen, incident.last_seen))
    if incident.count == 1:
        return f"Seen once, {first} UTC."
    return f"Seen {times(incident.count)} from {first} to {last} UTC ({lasted(notification)})."


def _line(alert: NotifiedAlert) -> str:
    because = f", explained by {alert.inhibited_by}" if alert.inhibited_by else ""
    return f"- {alert.title}: {alert.severity}, {alert.state}, {times(alert.count)}{because}"


def _indented(sample: str) -> list[str]:
    return [f"    {line}" for line in visible(sample).split("\n")]
