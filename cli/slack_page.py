"""A channel as people see it: Slack messages drawn as one HTML page that needs nothing but itself.

The same drawing serves the live page of the local Slack, the page that the demo leaves behind, and a preview of a
single message. Everything that came in a message is escaped, addresses are allowed by scheme, and the page's own
content security policy lets no script run but its own: a hostile log line stays a line of text.
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

from cli.slack_channel import Message
from cli.slack_mrkdwn import (
    EMOJI,
    Break,
    Code,
    Emoji,
    Link,
    Mention,
    Moment,
    Node,
    Quote,
    Style,
    Styled,
    Text,
    is_safe_url,
    parse_mrkdwn,
    parse_plain_text,
)

_TAGS = {Style.BOLD: "strong", Style.ITALIC: "em", Style.STRIKE: "s"}
_NAMED_COLOURS = {"good": "#2eb67d", "warning": "#ecb22e", "danger": "#e01e5a"}
_HEX = frozenset("0123456789abcdefABCDEF")
_BELL = (
    '<svg viewBox="0 0 24 24" aria-hidden="true">'
    '<path d="M12 2.6c.8 0 1.4.6 1.4 1.4v.6c2.7.6 4.6 3 4.6 5.9 0 3.4.7 5.1 1.9 6.4.5.6.1 1.6-.7 1.6H4.8'
    "c-.8 0-1.2-1-.7-1.6C5.3 15.6 6 13.9 6 10.5c0-2.9 1.9-5.3 4.6-5.9V4c0-.8.6-1.4 1.4-1.4z"
    'M9.7 19.8h4.6a2.3 2.3 0 0 1-4.6 0z"/></svg>'
)


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
) -> str:
    """Draw a whole page.

    Args:
        items: Messages in any order of posting, with chapters before the messages they head. Replies are drawn
            below their parent, wherever in the sequence they stand.
        title: The channel's name with its ``#``, or the page's title.
        live: Whether the page follows the local Slack that serves it. False makes a file that stands alone.
        faults: What the next calls will be answered, in words; shown as a banner.
    """
    script = _asset("channel.js") if live else ""
    style = _asset("channel.css")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src https: http: data:; "
        f"style-src '{_hash(style)}'; connect-src 'self'"
    )
    policy += f"; script-src '{_hash(script)}'" if live else ""
    name = title.removeprefix("#")
    hash_mark = '<span class="hash" aria-hidden="true">#</span>' if title.startswith("#") else ""
    refresh = '<noscript><meta http-equiv="refresh" content="5"></noscript>' if live else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
{refresh}<title>{escape(title)} · Tocsin</title>
<style>{style}</style>
</head>
<body>
<aside class="side" aria-hidden="true">
  <div class="workspace">Local workspace</div>
  <div class="group">Channels</div>
  <div class="room"># general</div>
  <div class="room here"># {escape(name) if hash_mark else "alerts"}</div>
  <div class="room"># deploys</div>
  <div class="group">Apps</div>
  <div class="room app"><span class="avatar tiny">{_BELL}</span> Tocsin</div>
</aside>
<main>
  <header class="top">
    <h1>{hash_mark}{escape(name)}</h1>
    <p>Times are UTC</p>
    {'<p class="live" id="live" role="status">connecting</p>' if live else ""}
  </header>
  <div id="log" class="log">{render_log(items, faults=faults, live=live)}</div>
</main>
{f"<script>{script}</script>" if live else ""}
</body>
</html>
"""


def render_log(items: Iterable[Message | Chapter], *, faults: Sequence[str] = (), live: bool = False) -> str:
    """Draw what stands inside the channel: banner, days, chapters, messages. The live page fetches this anew."""
    items = list(items)
    replies: dict[str, list[Message]] = {}
    tops = {item["ts"] for item in items if not isinstance(item, Chapter) and not item.get("thread_ts")}
    for item in items:
        if not isinstance(item, Chapter) and item.get("thread_ts") in tops:
            replies.setdefault(str(item["thread_ts"]), []).append(item)
    parts = [_banner(faults)] if faults else []
    day = ""
    for item in items:
        if isinstance(item, Chapter):
            parts.append(_chapter(item))
            continue
        if item.get("thread_ts") in tops:
            continue
        at = _time(item)
        if at and f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            parts.append(f'<div class="day"><span>{at:%A}, {at.day} {at:%B %Y}</span></div>')
        parts.append(_message(item, replies.get(item["ts"], [])))
    if not any(not isinstance(item, Chapter) for item in items):
        parts.append(_EMPTY_LIVE if live else _EMPTY)
    return "\n".join(parts)


def render_message_html(message: Mapping[str, Any]) -> str:
    """Draw one message's content (no name, no time): blocks, else text, then attachments."""
    parts = [_block(block) for block in message.get("blocks") or ()]
    if not parts and message.get("text"):
        parts = [f'<div class="text">{_mrkdwn(str(message["text"]))}</div>']
    parts.extend(_attachment(item) for item in message.get("attachments") or ())
    return "\n".join(part for part in parts if part)


_EMPTY = (
    '<div class="empty"><span class="avatar">'
    + _BELL
    + "</span><h2>All quiet</h2><p>No message has been posted.</p></div>"
)
_EMPTY_LIVE = _EMPTY.replace(
    "No message has been posted.", "Nothing has gone wrong yet. Messages appear here as they are posted."
)


def _banner(faults: Sequence[str]) -> str:
    told = "; then ".join(escape(fault) for fault in faults)
    return f'<div class="banner" role="alert"><strong>This Slack is told to fail:</strong> the next calls get {told}.</div>'


def _chapter(chapter: Chapter) -> str:
    text = f'<div class="text">{_mrkdwn(chapter.text)}</div>' if chapter.text else ""
    return f'<section class="chapter"><h2>{escape(chapter.title)}</h2>{text}</section>'


def _message(message: Message, replies: Sequence[Message] = (), *, small: bool = False) -> str:
    ts = escape(str(message.get("ts", "")))
    thread = ""
    if replies:
        count = f"{len(replies)} {'reply' if len(replies) == 1 else 'replies'}"
        inner = "\n".join(_message(reply, small=True) for reply in replies)
        thread = f'<div class="thread"><div class="count"><span class="avatar tiny">{_BELL}</span>{count}</div>{inner}</div>'
    broadcast = '<div class="note">also sent to the channel</div>' if message.get("reply_broadcast") else ""
    name = escape(str(message.get("username") or "Tocsin"))
    road = "incoming webhook" if message.get("via") == "webhook" else "bot"
    return f"""<article class="message{" reply" if small else ""}" id="m{ts}" aria-label="Message from {name}">
<span class="avatar{" small" if small else ""}">{_BELL}</span>
<div class="body">
<div class="who"><b>{name}</b> <span class="badge" title="{road}">APP</span> {_clock(message)}</div>
{broadcast}<div class="content">{render_message_html(message)}{_edits(message)}</div>
{thread}</div>
</article>"""


def _clock(message: Message) -> str:
    at = _time(message)
    return (
        f'<time datetime="{at.isoformat()}" title="{at:%Y-%m-%d %H:%M:%S} UTC">{at:%H:%M}</time>'
        if at
        else ""
    )


def _time(message: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(message["ts"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _edits(message: Message) -> str:
    edits = message.get("edits") or []
    if not edits:
        return ""
    many = f"{len(edits)} earlier {'version' if len(edits) == 1 else 'versions'}"
    versions = "\n".join(
        f'<div class="version"><div class="until">until {escape(str(edit["edited_at"])[11:19])}</div>'
        f"{render_message_html(edit)}</div>"
        for edit in reversed(edits)
    )
    ts = escape(str(message.get("ts", "")))
    return f'<details class="edits" id="e{ts}"><summary>(edited) <span>{many}</span></summary>{versions}</details>'


def _block(block: Mapping[str, Any]) -> str:
    """Draw one block; what this program does not know is named rather than hidden."""
    kind = block.get("type")
    match kind:
        case "header":
            return f'<h3 class="header">{_text(block.get("text"))}</h3>'
        case "section":
            return _section(block)
        case "context":
            inner = "".join(f"<span>{_element(item)}</span>" for item in _list(block.get("elements")))
            return f'<div class="context">{inner}</div>'
        case "actions":
            return f'<div class="actions">{"".join(_element(item) for item in _list(block.get("elements")))}</div>'
        case "divider":
            return "<hr>"
        case "image":
            title = f"<figcaption>{_text(block['title'])}</figcaption>" if block.get("title") else ""
            return f"<figure>{title}{_image(block)}</figure>"
        case "markdown":
            return f'<div class="text pre">{escape(str(block.get("text", "")))}</div>'
        case "rich_text":
            return "".join(_rich(item) for item in _list(block.get("elements")))
    return f'<div class="unknown">A block of type “{escape(str(kind))}”, which this page cannot draw.</div>'


def _section(block: Mapping[str, Any]) -> str:
    parts = []
    if block.get("text"):
        parts.append(f'<div class="text">{_text(block["text"])}</div>')
    if block.get("fields"):
        inner = "".join(f"<div>{_text(item)}</div>" for item in _list(block["fields"]))
        parts.append(f'<div class="fields">{inner}</div>')
    body = "".join(parts)
    if isinstance(block.get("accessory"), Mapping):
        return f'<div class="section with"><div>{body}</div><div>{_element(block["accessory"])}</div></div>'
    return f'<div class="section">{body}</div>'


def _element(item: Mapping[str, Any]) -> str:
    match item.get("type"):
        case "button":
            return _button(item)
        case "image":
            return _image(item)
        case "mrkdwn" | "plain_text":
            return _text(item)
    return f'<span class="unknown">{escape(str(item.get("type")))}</span>'


def _button(item: Mapping[str, Any]) -> str:
    style = item.get("style") if item.get("style") in {"primary", "danger"} else "plain"
    url = str(item.get("url") or "")
    if is_safe_url(url):
        label = escape(str(item.get("accessibility_label") or ""))
        aria = f' aria-label="{label}"' if label else ""
        return f'<a class="button {style}"{aria} {_href(url)}>{_text(item.get("text"))}</a>'
    title = ' title="This button has no address that can be opened"'
    return f'<span class="button {style} dead"{title}>{_text(item.get("text"))}</span>'


def _image(item: Mapping[str, Any]) -> str:
    url = str(item.get("image_url") or "")
    alt = escape(str(item.get("alt_text") or ""))
    if not is_safe_url(url) or not url.lower().startswith(("https:", "http:")):
        return f'<span class="unknown">image: {alt}</span>'
    return f'<img src="{escape(url)}" alt="{alt}" loading="lazy" referrerpolicy="no-referrer">'


def _attachment(item: Mapping[str, Any]) -> str:
    """Draw a legacy attachment: blocks or text behind a bar of colour."""
    colour = str(item.get("color") or "")
    colour = _NAMED_COLOURS.get(colour, "#" + colour.removeprefix("#"))
    if not (len(colour) == len("#rrggbb") and set(colour[1:]) <= _HEX):
        colour = "#9a9a9a"
    parts = [f'<div class="text">{_mrkdwn(str(item[key]))}</div>' for key in ("pretext",) if item.get(key)]
    inner = [_block(block) for block in _list(item.get("blocks"))]
    if not inner:
        if item.get("title"):
            title = escape(str(item["title"]))
            link = str(item.get("title_link") or "")
            inner.append(f"<b><a {_href(link)}>{title}</a></b>" if is_safe_url(link) else f"<b>{title}</b>")
        text = item.get("text") or ("" if item.get("title") else item.get("fallback"))
        if text:
            inner.append(f'<div class="text">{_mrkdwn(str(text))}</div>')
        for field in _list(item.get("fields")):
            inner.append(
                f"<div><b>{escape(str(field.get('title', '')))}</b><br>{_mrkdwn(str(field.get('value', '')))}</div>"
            )
    if item.get("footer"):
        inner.append(f'<div class="context"><span>{escape(str(item["footer"]))}</span></div>')
    # An SVG carries the colour: the page's policy allows no inline style, so that a message can bring none.
    bar = f'<svg class="bar" aria-hidden="true"><rect width="4" height="100%" rx="2" fill="{colour}"/></svg>'
    parts.append(f'<div class="attachment">{bar}<div>{"".join(inner)}</div></div>')
    return "".join(parts)


def _rich(item: Mapping[str, Any]) -> str:
    inner = _list(item.get("elements"))
    match item.get("type"):
        case "rich_text_section":
            return f'<div class="text">{"".join(_rich_leaf(part) for part in inner)}</div>'
        case "rich_text_preformatted":
            return f"<pre>{''.join(_rich_leaf(part) for part in inner)}</pre>"
        case "rich_text_quote":
            return f"<blockquote>{''.join(_rich_leaf(part) for part in inner)}</blockquote>"
        case "rich_text_list":
            tag = "ol" if item.get("style") == "ordered" else "ul"
            return f"<{tag}>{''.join(f'<li>{_rich(part)}</li>' for part in inner)}</{tag}>"
    return f'<div class="unknown">{escape(str(item.get("type")))}</div>'


def _rich_leaf(item: Mapping[str, Any]) -> str:
    match item.get("type"):
        case "text":
            html = escape(str(item.get("text", "")))
        case "link":
            url = str(item.get("url", ""))
            html = _nodes((Link(url, str(item.get("text") or url)),)) if is_safe_url(url) else escape(url)
        case "emoji":
            name = str(item.get("name", ""))
            html = _nodes((Emoji(name, EMOJI[name]),)) if name in EMOJI else escape(f":{name}:")
        case "broadcast":
            html = _nodes((Mention(f"@{item.get('range', 'channel')}", loud=True),))
        case "user" | "usergroup":
            html = _nodes((Mention(f"@{item.get('user_id') or item.get('usergroup_id')}", loud=True),))
        case "channel":
            html = _nodes((Mention(f"#{item.get('channel_id')}", loud=False),))
        case kind:
            html = f'<span class="unknown">{escape(str(kind))}</span>'
    style = item.get("style")
    if isinstance(style, Mapping):
        for key, tag in (("code", "code"), ("bold", "strong"), ("italic", "em"), ("strike", "s")):
            if style.get(key):
                html = f"<{tag}>{html}</{tag}>"
    return html


def _text(item: object) -> str:
    if not isinstance(item, Mapping):
        return ""
    text = str(item.get("text", ""))
    if item.get("type") == "mrkdwn":
        return _mrkdwn(text)
    return _nodes(parse_plain_text(text, emoji=item.get("emoji") is not False))


def _mrkdwn(text: str) -> str:
    return _nodes(parse_mrkdwn(text))


def _nodes(nodes: Iterable[Node]) -> str:
    """Draw a tree of mark-up: the one place where characters of a message become HTML."""
    parts = []
    for node in nodes:
        match node:
            case Text(text):
                parts.append(escape(text))
            case Break():
                parts.append("<br>")
            case Styled(style, children):
                parts.append(f"<{_TAGS[style]}>{_nodes(children)}</{_TAGS[style]}>")
            case Code(children, block):
                parts.append(
                    f"<pre>{_nodes(children)}</pre>" if block else f"<code>{_nodes(children)}</code>"
                )
            case Quote(children):
                parts.append(f"<blockquote>{_nodes(children)}</blockquote>")
            case Link(url, label):
                parts.append(f"<a {_href(url)}>{_nodes(parse_plain_text(label))}</a>")
            case Mention(label, loud):
                parts.append(f'<span class="mention{" loud" if loud else ""}">{escape(label)}</span>')
            case Emoji(name, char):
                parts.append(f'<span class="emoji" role="img" aria-label="{escape(name)}">{char}</span>')
            case Moment(seconds, text, url):
                at = datetime.fromtimestamp(seconds, UTC)
                shown = f'<time datetime="{at.isoformat()}" title="{at:%Y-%m-%d %H:%M:%S} UTC">{escape(text)}</time>'
                parts.append(f"<a {_href(url)}>{shown}</a>" if url else shown)
    return "".join(parts)


def _href(url: str) -> str:
    """The attributes of a link; the caller has checked the scheme."""
    return f'href="{escape(url)}" target="_blank" rel="noopener noreferrer nofollow"'


def _list(items: object) -> list[Mapping[str, Any]]:
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []


@cache
def _asset(name: str) -> str:
    return (files("cli") / "assets" / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
