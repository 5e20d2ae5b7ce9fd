"""The digest as Slack shows it: one calm page, without colours of severity, buttons or mentions."""

from __future__ import annotations

from tocsin.core.notifications.contract import Notification, NotifiedAlert, millis_of
from tocsin.core.notifications.digest_email import (
    count_words,
    how_it_ends,
    more_words,
    quiet_words,
    reason_words,
    seen_words,
    subject,
    verdict,
    where,
)
from tocsin.core.slack.elements import Block, context, header, section
from tocsin.core.slack.mrkdwn import code, escape, fence, mrkdwn, time_token

ROOMS = ((20, 400), (20, 200), (20, 120), (20, 0), (10, 0), (4, 0))
"""How many signatures, and how much of each sample, are shown: the first that fits."""

_SHORTEST_FENCE = 40


def headline(notification: Notification) -> str:
    """The first line."""
    return " · ".join(filter(None, (f"🧪 {notification.title}", seen_words(notification))))


def digest_blocks(notification: Notification, most: int, sample: int) -> list[Block]:
    """The whole message.

    Args:
        notification: The contract, of the reason ``digest``.
        most: How many signatures and services are listed.
        sample: How many characters of each sample are shown; 0 for none.
    """
    since = time_token(millis_of(notification.incident.opened_at))
    blocks = [header(headline(notification)), section(f"{quiet_words(notification)} Since {since}:")]
    shown = notification.alerts[:most]
    for alert in shown:
        blocks += [{"type": "divider"}, section(_entry(alert, sample))]
    if more := more_words(notification, len(shown)):
        blocks.append(section(f"_{escape(more)}_"))
    return [*blocks, context(how_it_ends(notification)), context(reason_words(notification))]


def _entry(alert: NotifiedAlert, sample: int) -> str:
    first, last = millis_of(alert.first_seen), millis_of(alert.last_seen)
    seen = f"{time_token(first)}" + (f" – {time_token(last)}" if last > first else "")
    lines = [
        f"*{mrkdwn(subject(alert), 200)}* · {code(alert.signature, 80)} in {code(where(alert), 110)}",
        f"*{count_words(alert)}* · {seen}",
        f"_{escape(verdict(alert))}_",
    ]
    if alert.sample and sample >= _SHORTEST_FENCE:
        lines.append(fence(alert.sample, sample))
    return "\n".join(lines)
