"""The digest in words, for e-mail and wherever Slack's blocks cannot go; Slack's form builds on the same phrases."""

from __future__ import annotations

from typing import Any

from tocsin.core.notifications.contract import Notification
from tocsin.core.notifications.phrases import times
from tocsin.core.sanitize import clipped, one_line, visible

QUIET = "Counted, and told to nobody one by one. Nothing here is an alert."

_LONGEST_SAMPLE = 300
_LONGEST_SERVICE = 100


def digest_text(notification: Notification) -> str:
    """The body for people: what each signature on trial recognised, where, how often; and how it ends."""
    incident = notification["incident"]
    since = incident["opened_at"][:19].replace("T", " ")
    parts = [
        f"{notification['title']}, seen {times(incident['count'])}, since {since} UTC",
        QUIET,
    ]
    for alert in notification["alerts"]:
        parts += ["", f"- {alert['title']} ({alert['signature']}) in {where(alert)}: {times(alert['count'])}"]
        parts.append(f"  from {_time(alert['first_seen'])} to {_time(alert['last_seen'])} UTC")
        parts.append(f"  {verdict(alert)}")
        if alert["sample"]:
            sample = clipped(visible(alert["sample"]), _LONGEST_SAMPLE)
            parts += [f"      {line}" for line in sample.split("\n")]
    if more := more_words(notification, len(notification["alerts"])):
        parts += ["", more]
    parts += ["", how_it_ends(notification), "", reason_words(notification)]
    return "\n".join(visible(part) for part in parts)


def verdict(alert: dict[str, Any]) -> str:
    """What a stable signature would have told, and whether it is on trial still; one clause without log text."""
    trial = alert.get("trial") or {"status": "test", "begun": 0}
    begun = trial["begun"]
    told = (
        f"would have begun {times(begun)}"
        if begun
        else "would not have been told: its threshold was not reached"
    )
    became = {
        "stable": "; stable since",
        "off": "; switched off since",
        "removed": "; removed since",
    }.get(trial["status"], "")
    return f"As a {alert['severity']} alert it {told}{became}."


def reason_words(notification: Notification) -> str:
    """Why it was sent, and what it is known by."""
    why = (notification.get("why") or {}).get("text") or "signatures on trial"
    return f"Why: digest · {why} · {notification['id']}"


def where(alert: dict[str, Any]) -> str:
    """The service it happened in."""
    return clipped(one_line(alert.get("service") or "unknown"), _LONGEST_SERVICE)


def more_words(notification: Notification, shown: int) -> str:
    """What the digest counted and does not list; empty where it lists everything."""
    incident = notification["incident"]
    lines = incident["alert_count"] - shown
    words = [f"{lines:,} more"] if lines > 0 else []
    if incident["omitted_count"]:
        words.append(f"{incident['omitted_count']:,} occurrences of signatures beyond these")
    return f"…and {' and '.join(words)}" if words else ""


def how_it_ends(notification: Notification) -> str:
    """How a trial ends, for whoever decides; empty where none of them is on trial still."""
    if all((alert.get("trial") or {}).get("status", "test") != "test" for alert in notification["alerts"]):
        return "None of them is on trial any more."
    return (
        'To be told of one at once, set status = "stable" and deploy; to be rid of it, "off", or delete it.'
    )


def _time(text: str) -> str:
    return text[:19].replace("T", " ")
