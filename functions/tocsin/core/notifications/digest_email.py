"""The digest in words, for e-mail and wherever Slack's blocks cannot go; Slack's form builds on the same phrases."""

from __future__ import annotations

from tocsin.core.notifications.contract import Notification, NotifiedAlert
from tocsin.core.notifications.phrases import times
from tocsin.core.sanitize import clipped, one_line, visible
from tocsin.core.signatures.signature import UNKNOWN_ERROR

QUIET = "Counted, without a message for each. Nothing here is an alert."

_MAX_SAMPLE_LENGTH = 300
_MAX_SERVICE_LENGTH = 100


def quiet_words(notification: Notification) -> str:
    """What kind of things follow."""
    marked = sum(alert.marked_by is not None for alert in notification.alerts)
    if not marked:
        return QUIET
    if marked == len(notification.alerts):
        return "People said in Slack that these were no alerts."
    return "First what people said in Slack was no alert. Then what was counted, without a message for each."


def seen_words(notification: Notification) -> str:
    """How often all that was counted was seen, with what leads to it; empty where all that there is was told already."""
    marked = sum(alert.count for alert in notification.alerts if alert.marked_by)
    seen = notification.incident.count - marked
    return f"seen {times(seen)}" if seen > 0 else ""


def count_words(alert: NotifiedAlert) -> str:
    """How often an entry was seen, or how many people said that it is no alert."""
    return f"marked {times(alert.count)}" if alert.marked_by else times(alert.count)


def digest_text(notification: Notification) -> str:
    """The body for people: what each signature in test mode recognised, and unknown errors: where, how often; how it ends."""
    incident = notification.incident
    since = incident.opened_at[:19].replace("T", " ")
    parts = [
        ", ".join(filter(None, (notification.title, seen_words(notification), f"since {since} UTC"))),
        quiet_words(notification),
    ]
    for alert in notification.alerts:
        parts += ["", f"- {subject(alert)} ({alert.signature}) in {where(alert)}: {count_words(alert)}"]
        parts.append(f"  from {_time(alert.first_seen)} to {_time(alert.last_seen)} UTC")
        parts.append(f"  {verdict(alert)}")
        if alert.sample:
            sample = clipped(visible(alert.sample), _MAX_SAMPLE_LENGTH)
            parts += [f"      {line}" for line in sample.split("\n")]
    if more := more_words(notification, len(notification.alerts)):
        parts += ["", more]
    parts += ["", how_it_ends(notification), "", reason_words(notification)]
    return "\n".join(visible(part) for part in parts)


def subject(alert: NotifiedAlert) -> str:
    """What an entry is about: the signature's title, of an unknown error its template."""
    return alert.fields.get("template", alert.title) if alert.signature == UNKNOWN_ERROR else alert.title


def verdict(alert: NotifiedAlert) -> str:
    """What a stable signature would have told, and whether it is in test mode still; one clause without log text.

    Of an alert that people said was none, who said so and whose it is.
    """
    if alert.marked_by:
        owner = f" It belongs to {one_line(alert.owner)}." if alert.owner else ""
        return f"{one_line(alert.marked_by)} said that this was no alert.{owner}"
    would_have_fired = alert.test_mode.would_have_fired if alert.test_mode else 0
    if alert.signature == UNKNOWN_ERROR:
        return (
            "New, seen while Tocsin was learning; known from now on."
            if would_have_fired
            else "Known and steady."
        )
    told = (
        f"would have fired {times(would_have_fired)}"
        if would_have_fired
        else "would not have been sent: its threshold was not reached"
    )
    became = {
        "stable": "; stable since",
        "off": "; switched off since",
        "removed": "; removed since",
    }.get(_status(alert), "")
    return f"As a {alert.severity} alert it {told}{became}."


def reason_words(notification: Notification) -> str:
    """Why it was sent, and what it is known by."""
    why = (notification.why and notification.why.text) or "signatures in test mode"
    return f"Why: digest · {why} · {notification.id}"


def where(alert: NotifiedAlert) -> str:
    """The service it happened in."""
    return clipped(one_line(alert.service or "unknown"), _MAX_SERVICE_LENGTH)


def more_words(notification: Notification, shown: int) -> str:
    """What the digest counted and does not list; empty where it lists everything."""
    incident = notification.incident
    lines = incident.alert_count - shown
    words = [f"{lines:,} more"] if lines > 0 else []
    if incident.omitted_count:
        words.append(f"{incident.omitted_count:,} occurrences of signatures beyond these")
    return f"…and {' and '.join(words)}" if words else ""


def how_it_ends(notification: Notification) -> str:
    """How a trial ends, for whoever decides; empty where none of them is in test mode still."""
    counted = [alert for alert in notification.alerts if alert.marked_by is None]
    rules = [alert for alert in counted if alert.signature != UNKNOWN_ERROR]
    words = []
    if len(counted) < len(notification.alerts):
        words.append("`tocsin signatures feedback` gives the lines of false alerts, ready for `ignores`.")
    if any(_status(alert) == "test" for alert in rules):
        words.append(
            'To be notified of a signature at once, set status = "stable" and deploy; to be rid of it, "off", or delete it.'
        )
    elif rules:
        words.append("None of the signatures is in test mode any more.")
    if len(rules) < len(counted):
        words.append("Counts of unknown errors are approximate; `tocsin errors` lists all of them.")
    return " ".join(words)


def _status(alert: NotifiedAlert) -> str:
    return alert.test_mode.status if alert.test_mode else "test"


def _time(text: str) -> str:
    return text[:19].replace("T", " ")
