"""Text for Slack: escaped, then measured, then cut without cutting an entity.

Slack counts characters after escaping, and reads ``&``, ``<`` and ``>`` as control characters wherever it
reads mrkdwn; ``<!channel>`` in a log line would call a whole company. Log text goes to three places only: a
code fence in mrkdwn, inline code in mrkdwn, or a ``plain_text`` object, which Slack does not read at all.
Source: docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

from datetime import UTC, datetime

from tocsin.core.model import Millis
from tocsin.core.sanitize import one_line, visible

_FENCE = "```"
_MAX_ENTITY_LENGTH = len("&amp;")


def escape(text: str) -> str:
    """Escape the three characters Slack reads, the ampersand first."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def length(text: str) -> int:
    """How long Slack may think it is: UTF-16 units, the larger of the two ways to count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(escaped: str, most: int) -> str:
    """Cut an escaped text to at most ``most`` characters, not inside an entity, with an ellipsis if cut."""
    if length(escaped) <= most:
        return escaped
    if most <= 0:
        return ""
    kept, budget = 0, most - 1
    for character in escaped:
        budget -= 2 if character > "\uffff" else 1
        if budget < 0:
            break
        kept += 1
    head = escaped[:kept]
    opened = head.rfind("&", max(0, kept - _MAX_ENTITY_LENGTH))
    if opened >= 0 and ";" not in head[opened:]:
        head = head[:opened]
    return head + "…"


def mrkdwn(text: str, most: int) -> str:
    """A sentence of a reviewed signature for mrkdwn: back-ticks and stars work, the rest is escaped."""
    return cut(escape(visible(text)), most)


def fence(text: str, most: int) -> str:
    """Log text as a code block of at most ``most`` characters, the fence included.

    Runs of three back-ticks would close the fence, so back-ticks become apostrophes in them.
    """
    inside = escape(visible(text).replace(_FENCE, "'''")).strip("\n")
    budget = most - 2 * len(_FENCE) - 2
    return f"{_FENCE}\n{cut(inside, budget) or ' '}\n{_FENCE}"


def code(text: str, most: int) -> str:
    """Log text as inline code of at most ``most`` characters: one line, back-ticks as apostrophes."""
    return f"`{cut(escape(one_line(text).replace('`', chr(39))), most - 2) or ' '}`"


def plain(text: str, most: int) -> str:
    """Log text for a ``plain_text`` object: one line, nothing that looks like a mention even to a copier."""
    return cut(one_line(text).replace("<", "\u2039").replace(">", "\u203a"), most)  # angle quotation marks


def time_token(at: Millis) -> str:
    """A time that Slack shows in the reader's own zone; where it cannot, UTC.

    Source: docs.slack.dev/messaging/formatting-message-text, "Date formatting".
    """
    utc = datetime.fromtimestamp(at / 1000, UTC)
    return f"<!date^{at // 1000}^{{date_short_pretty}} {{time_secs}}|{utc:%Y-%m-%d %H:%M:%S} UTC>"


def call(called: str) -> str:
    """The mark-up that calls a user group, a person or whoever is here; ids come from configuration alone."""
    if called.startswith("@"):
        return f"<!{called[1:]}>"
    return f"<!subteam^{called}>" if called.startswith("S") else f"<@{called}>"
