"""A channel as people see it: Slack messages drawn as one HTML page that needs nothing but itself.

The same drawing serves the live page of the local Slack, the page that the demo leaves behind, and a preview
of a single message. The page's content security policy lets no script run but its own, so that a hostile log
line stays a line of text even if the escaping of ``slack_view.html`` had a hole.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from tocsin_cli.slack_view.html import items_of, mrkdwn_html, render_message_html, time_html

Message = Mapping[str, Any]
"""A message as ``fake_slack.channel`` keeps it, or just its ``text`` and ``blocks``."""

_BELL = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M12 2.6c.8 0 1.4.6 1.4 1.4v.6c2.7.6 4.6 3 4.6 5.9 0 3.4.7 5.1 1.9 6.4.5.6.1 1.6-.7 1.6H4.8'
    "c-.8 0-1.2-1-.7-1.6C5.3 15.6 6 13.9 6 10.5c0-2.9 1.9-5.3 4.6-5.9V4c0-.8.6-1.4 1.4-1.4z"
    'M9.7 19.8h4.6a2.3 2.3 0 0 1-4.6 0z"/></svg>'
)
_MAX_TITLE_LENGTH = 80
_COMPOSER = """<div class="only-you" id="only-you" role="status" hidden></div>
  <div class="composer">
    <select id="who" aria-label="Who you are"><option value="UADA">Ada</option><option value="UBOB">Bob</option></select>
    <input id="command" placeholder="/tocsin, then Enter" aria-label="A command" autocomplete="off">
  </div>"""
"""Who acts, and a line for commands."""
_NO_ROOMS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Chapter:
    """A heading between messages, for a page that tells a story.

    Attributes:
        title: In a few words.
        text: What happened, as mrkdwn.
    """

    title: str
    text: str = ""


def render_channel_page(
    items: Iterable[Message | Chapter],
    *,
    title: str,
    live: bool,
    faults: Sequence[str] = (),
    rooms: Mapping[str, str] = _NO_ROOMS,
) -> str:
    """Draw a whole page.

    Args:
        items: Messages, oldest first, with chapters before the messages they head. Replies are drawn
            below their parent, wherever in the sequence they stand.
        title: The channel's name with its ``#``, or the page's title.
        live: Whether the page follows the local Slack that serves it. False makes a file that stands alone.
        faults: What the next calls will be answered, in words; shown as a banner.
        rooms: Names of further channels by id; their messages are drawn among the others, and say where they are.
    """
    script = asset("channel.js") + asset("act.js") if live else ""
    style = asset("channel.css")
    sources = "connect-src 'self'" + (f"; script-src '{_hash_of(script)}'" if live else "")
    name = title.removeprefix("#")
    hash_mark = '<span class="hash" aria-hidden="true">#</span>' if title.startswith("#") else ""
    refresh = '<noscript><meta http-equiv="refresh" content="5"></noscript>' if live else ""
    return f"""{document_head(f"{title} · Tocsin", style=style, sources=sources, refresh=refresh)}
<body>
<aside class="side" aria-hidden="true"><div>
  <div class="workspace">Local workspace</div>
  <div class="group">Channels</div>
  <div class="room"># general</div>
  <div class="room here"># {escape(name) if hash_mark else "alerts"}</div>
  <div class="room"># deploys</div>
  <div class="group">Apps</div>
  <div class="room app"><span class="avatar tiny">{_BELL}</span> Tocsin</div>
</div></aside>
<main>
  <header class="top">
    <h1>{hash_mark}{escape(name)}</h1>
    <p>Times are UTC</p>
    {'<p class="live" id="live" role="status">connecting</p>' if live else ""}
  </header>
  <div id="log" class="log">{render_log(items, faults=faults, live=live, rooms=rooms)}</div>
  {_COMPOSER if live else ""}
</main>
{f"<script>{script}</script>" if live else ""}
</body>
</html>
"""


def document_head(title: str, *, style: str, sources: str, refresh: str = "") -> str:
    """Write a page up to its body: nothing from elsewhere is loaded, and nothing runs, but what ``sources`` names.

    Args:
        title: As plain text.
        style: The style sheet.
        sources: What the content security policy allows besides it.
        refresh: Markup that goes before the title.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; base-uri 'none'; form-action 'none'; style-src '{_hash_of(style)}'; {sources}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
{refresh}<title>{escape(title)}</title>
<style>{style}</style>
</head>"""


def render_log(
    items: Iterable[Message | Chapter],
    *,
    faults: Sequence[str] = (),
    live: bool = False,
    rooms: Mapping[str, str] = _NO_ROOMS,
) -> str:
    """Draw what stands inside the channel: banner, days, chapters, messages; the live page asks for it."""
    items = list(items)
    messages = [item for item in items if not isinstance(item, Chapter)]
    tops = {str(message.get("ts", "")): message for message in messages if not message.get("thread_ts")}
    replies: dict[str, list[Message]] = {}
    for message in messages:
        if message.get("thread_ts") in tops:
            replies.setdefault(str(message["thread_ts"]), []).append(message)
    parts = [_banner(faults)] if faults else []
    day = ""
    for item in items:
        if isinstance(item, Chapter):
            parts.append(_chapter(item))
            continue
        parent = tops.get(str(item.get("thread_ts")))
        if parent is not None and not item.get("reply_broadcast"):
            continue
        at = _time(item)
        if at and f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            parts.append(f'<div class="day"><span>{at:%A}, {at.day} {at:%B %Y}</span></div>')
        room = rooms.get(str(item.get("channel")))
        where = f'<div class="note">in #{escape(room)}</div>' if room else ""
        if parent is None:
            parts.append(_message(item, _thread(replies.get(str(item.get("ts", "")), ())), note=where))
        else:
            parts.append(_message(item, prefix="b", note=where + _answers(parent)))
    if not messages:
        parts.append(_empty(live=live))
    return "\n".join(parts)


def _message(
    message: Message, thread: str = "", *, prefix: str = "m", note: str = "", small: bool = False
) -> str:
    ts = escape(str(message.get("ts", "")))
    name = escape(str(message.get("username") or "Tocsin"))
    sender = "incoming webhook" if message.get("via") == "webhook" else "bot"
    at = _time(message)
    clock = time_html(at, f"{at:%H:%M}") if at else ""
    size = " small" if small else ""
    return f"""<article class="message" id="{prefix}{ts}" aria-label="Message from {name}">
<span class="avatar{size}">{_BELL}</span>
<div class="body">
<div class="who"><b>{name}</b> <span class="badge" title="{sender}">APP</span> {clock}</div>
{note}<div class="content">{render_message_html(message)}{_edits(message, prefix)}</div>
{thread}</div>
</article>"""


def _thread(replies: Sequence[Message]) -> str:
    if not replies:
        return ""
    count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
    inner = "\n".join(
        _message(
            reply,
            note='<div class="note">also sent to the channel</div>' if reply.get("reply_broadcast") else "",
            small=True,
        )
        for reply in replies
    )
    return (
        f'<div class="thread"><div class="count"><span class="avatar tiny">{_BELL}</span>{count}</div>'
        f"{inner}</div>"
    )


def _answers(parent: Message) -> str:
    """What a reply that was also sent to the channel says there: which thread it belongs to."""
    title = " ".join(str(parent.get("text") or "a message").split())
    title = title if len(title) <= _MAX_TITLE_LENGTH else title[: _MAX_TITLE_LENGTH - 1] + "…"
    words = mrkdwn_html(title.replace("`", ""))
    return (
        f'<div class="note">replied to a thread: <a href="#m{escape(str(parent["ts"]))}">↑</a> {words}</div>'
    )


def _edits(message: Message, prefix: str) -> str:
    edits = items_of(message.get("edits"))
    if not edits:
        return ""
    many = f"{len(edits)} earlier {'version' if len(edits) == 1 else 'versions'}"
    versions = "\n".join(
        f'<div class="version"><div class="until">until {escape(str(edit.get("edited_at"))[11:19])}</div>'
        f"{render_message_html(edit)}</div>"
        for edit in reversed(edits)
    )
    return (
        f'<details class="edits" id="e{prefix}{escape(str(message.get("ts", "")))}">'
        f"<summary>(edited) <span>{many}</span></summary>{versions}</details>"
    )


def _banner(faults: Sequence[str]) -> str:
    coming = "; then ".join(map(escape, faults))
    return (
        '<div class="banner" role="alert"><strong>This Slack is set to fail:</strong> '
        f"the next calls get {coming}.</div>"
    )


def _chapter(chapter: Chapter) -> str:
    text = f'<div class="text">{mrkdwn_html(chapter.text)}</div>' if chapter.text else ""
    return f'<section class="chapter"><h2>{escape(chapter.title)}</h2>{text}</section>'


def _empty(*, live: bool) -> str:
    words = "Nothing has gone wrong yet. Messages appear here as they are posted." if live else "No messages."
    return f'<div class="empty"><span class="avatar">{_BELL}</span><h2>All quiet</h2><p>{words}</p></div>'


def _time(message: Message) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(message["ts"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


@cache
def asset(name: str) -> str:
    """A style sheet or script of the channel's page."""
    return (files("tocsin_cli.slack_view") / "assets" / name).read_text("utf-8")


def _hash_of(text: str) -> str:
    """Name a style sheet or script by its hash, as a content security policy does."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
