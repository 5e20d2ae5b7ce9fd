"""The few Block Kit elements that our messages are made of, each within Slack's limits.

Limits: docs.slack.dev/reference/block-kit.
"""

from __future__ import annotations

from typing import Any

from tocsin.core.slack.mrkdwn import cut, length, plain

MAX_FIELDS = 10
_HEADER, _SECTION, _URL, _BUTTON = 150, 3000, 3000, 75

Block = dict[str, Any]


def plain_text(text: str, *, emoji: bool = False) -> Block:
    """Text that Slack does not read; with ``emoji`` it draws ``:fire:``."""
    return {"type": "plain_text", "text": text, "emoji": emoji}


def header(text: str) -> Block:
    """The headline; plain text, which Slack does not read: ``:fire:`` in a name stays text, our own signs are Unicode."""
    return {"type": "header", "text": plain_text(plain(text, _HEADER))}


def section(text: str) -> Block:
    """A paragraph of mrkdwn, escaped by the caller."""
    return {"type": "section", "text": mrkdwn_object(text)}


def plain_section(text: str) -> Block:
    """A paragraph that Slack does not read."""
    return {"type": "section", "text": plain_text(text or "…")}


def mrkdwn_object(text: str) -> Block:
    """Text in Slack's mark-up, escaped by the caller."""
    # verbatim: Slack must not turn words into links or mentions by itself.
    return {"type": "mrkdwn", "text": cut(text, _SECTION), "verbatim": True}


def context(text: str) -> Block:
    """Small grey text at the foot; plain, so that nothing in it is read."""
    return {"type": "context", "elements": [plain_text(plain(text, 900))]}


def link_buttons(addresses: list[tuple[str, str | None]]) -> list[Block]:
    """Buttons that open addresses; what is no http(s) address, or too long for Slack, is left out."""
    return [
        {"type": "button", "text": plain_text(cut(label, _BUTTON), emoji=True), "url": url}
        for label, url in addresses
        if url and length(url) <= _URL and url.startswith(("https://", "http://"))
    ]
