"""One alert as Slack shows it: what to do, what was found, its queue and its likely cause, its links."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from tocsin.core.model import Severity
from tocsin.core.notifications.contract import Notification, NotifiedAlert, millis_of
from tocsin.core.notifications.phrases import (
    changes_words,
    is_suspect,
    muted_words,
    queue_words,
    shown_fields,
    times,
)
from tocsin.core.slack.elements import MAX_FIELDS, Block, link_buttons, mrkdwn_object, plain_section, section
from tocsin.core.slack.mrkdwn import code, cut, escape, fence, mrkdwn, plain, time_token

SIGNS = {Severity.CRITICAL: "🔴", Severity.HIGH: "🟠", Severity.MEDIUM: "🟡", Severity.LOW: "🔵"}
_LATE = "▫️"


class SizeBudget(Struct, frozen=True):
    """How much of what has no natural bound is shown."""

    sample: int
    others: int
    sentence: int
    links: bool = True
    late: bool = False
    """No colours of severity: what is told late must not look like an alarm."""


def sign(alert: NotifiedAlert, budget: SizeBudget) -> str:
    """The colour of its severity, unless the message must not alarm."""
    return _LATE if budget.late else SIGNS[alert.severity]


def advice(alert: NotifiedAlert, budget: SizeBudget) -> list[Block]:
    """What to do, then what it means."""
    when = "Do first, if it still goes on" if budget.late else "Do first"
    return [
        section(f"*{when}:* {mrkdwn(alert.first_action, budget.sentence)}"),
        plain_section(plain(alert.summary, budget.sentence)),
    ]


def circumstances(alert: NotifiedAlert, at: int) -> list[Block]:
    """What stands beside an alarm: how deep its queue is and until when it keeps, and what is likely behind it.

    Args:
        alert: The alert.
        at: When this is said; what is left of the queue's time is counted from it.
    """
    lines = []
    if alert.queue:
        lines.append(f"📥 *{code(alert.queue.name, 100)}: {queue_words(alert.queue, at)}*")
    cause = alert.likely_cause
    if cause:
        detail = f" {code(cause.detail, 130)}" if cause.detail else ""
        since = f", {times(cause.count)} since {time_token(millis_of(cause.first_seen))}"
        over = " (quiet by now)" if cause.state == "resolved" else ""
        lines.append(f"↳ Likely cause{over}: *{mrkdwn(cause.title, 200)}*{detail}{since}")
    if alert.silenced_by:
        words = muted_words(alert.silenced_by, lambda name: code(name, 70))
        lines.append(f"🔕 M{words[1:]}")
    return [section("\n".join(lines))] if lines else []


def changed_before(notification: Notification, budget: SizeBudget) -> list[Block]:
    """What changed just before, in one line; louder where something was changed directly."""
    words = changes_words(notification, lambda name: code(name, 100))
    if not words:
        return []
    loud = is_suspect(notification) and not budget.late
    return [section(f"⚠️ *{words}*" if loud else f"🚢 {words}")]


def found(alert: NotifiedAlert) -> list[Block]:
    """What the signature's expression found in the line, as inline code."""
    return [
        mrkdwn_object(f"*{_label(name)}*\n{code(value, 250)}") for name, value in shown_fields(alert).items()
    ]


def _label(name: str) -> str:
    """A field's name for people; names of groups are words, and what is not a word is left out."""
    return cut(" ".join(re.findall(r"[^\W_]+", name)) or "found", 60)


def others(notification: Notification, rest: Sequence[NotifiedAlert], budget: SizeBudget) -> list[Block]:
    """The rest of the incident, a line each: what fires, what it explains, what is over."""
    groups = (
        ("Also firing", [a for a in rest if a.state == "firing" and not a.inhibited_by]),
        ("Symptoms of it", [a for a in rest if a.state == "firing" and a.inhibited_by]),
        ("Over", [a for a in rest if a.state != "firing"]),
    )
    at = millis_of(notification.at)
    lines: list[str] = []
    left = budget.others
    for name, alerts in groups:
        if alerts and left:
            lines += [f"*{name}*", *(_line(alert, budget, at) for alert in alerts[:left])]
            left -= len(alerts[:left])
    shown = budget.others - left
    more = notification.incident.alert_count - (len(notification.alerts) - len(rest)) - shown
    if more > 0:
        lines.append(f"…and {more} more" if shown else f"{more} more alerts belong to this incident.")
    if notification.incident.omitted_count:
        lines.append(f"…and {notification.incident.omitted_count:,} occurrences of alerts beyond these")
    return [section("\n".join(lines))] if lines else []


def _line(alert: NotifiedAlert, budget: SizeBudget, at: int) -> str:
    mark = sign(alert, budget) if alert.state == "firing" else "✅"
    first = next(iter(shown_fields(alert).values()), "")
    what = f" {code(first, 80)}" if first else ""
    if alert.queue and alert.state == "firing":
        what = f" {code(alert.queue.name, 80)}: {queue_words(alert.queue, at)}"
    never_told = alert.changed and 0 < alert.count == alert.count_since_last
    new = " 🆕" if never_told and alert.state == "firing" and not budget.late else ""
    muted = " 🔕 muted" if alert.silenced_by else ""
    return f"{mark} {mrkdwn(alert.title, 120)}{what} · {times(alert.count)}{new}{muted}"


def buttons(alert: NotifiedAlert, budget: SizeBudget, *, primary: bool) -> list[Block]:
    """The runbook, and the places in the CloudWatch console that show this alert."""
    addresses: list[tuple[str, str | None]] = [
        ("📖 Runbook", alert.runbook_url),
        ("Log stream", alert.links.log_stream),
        ("Logs Insights", alert.links.insights),
        ("Alarm", alert.links.alarm),
    ]
    elements = link_buttons(addresses if budget.links else addresses[:1])
    if elements and primary and elements[0]["url"] == alert.runbook_url:
        elements[0]["style"] = "primary"
    return [{"type": "actions", "elements": elements}] if elements else []


def details(alert: NotifiedAlert, budget: SizeBudget, *, of: int, at: int) -> list[Block]:
    """Everything about one of ``of`` alerts that a reply tells of."""
    seen = f"{times(alert.count)}, last {time_token(millis_of(alert.last_seen))}"
    because = f"\n_A symptom: `{escape(alert.inhibited_by)}` explains it._" if alert.inhibited_by else ""
    blocks = [
        {"type": "divider"},
        section(
            f"{sign(alert, budget)} *{mrkdwn(alert.title, 300)}* · {alert.severity} · seen {seen}{because}"
        ),
        *circumstances(alert, at),
        *advice(alert, budget),
    ]
    if fields := found(alert)[:MAX_FIELDS]:
        blocks.append({"type": "section", "fields": fields})
    if alert.sample and budget.sample:
        blocks.append(section(fence(alert.sample, max(150, budget.sample // of))))
    return blocks + buttons(alert, budget, primary=False)
