"""A message's content as HTML: Block Kit and mark-up.

Every character that came in a message passes ``html.escape`` here and nowhere else, addresses are allowed by
scheme, and no message brings a style, a class or an attribute of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from tocsin_cli.slack_view.mrkdwn import (
    Break,
    Code,
    Emoji,
    Link,
    Mention,
    Node,
    Quote,
    Style,
    Styled,
    Text,
    Timestamp,
    is_safe_url,
    parse_mrkdwn,
    parse_plain_text,
)

Item = Mapping[str, Any]

_TAGS = {Style.BOLD: "strong", Style.ITALIC: "em", Style.STRIKE: "s"}


def render_message_html(message: Item) -> str:
    """Draw one message's content (no name, no time): blocks, else the text."""
    parts = [_block(block) for block in items_of(message.get("blocks"))]
    if not parts and message.get("text"):
        parts = [_div("text", mrkdwn_html(str(message["text"])))]
    return "\n".join(part for part in parts if part)


def mrkdwn_html(text: str) -> str:
    """Draw the text of a ``mrkdwn`` object."""
    return _nodes(parse_mrkdwn(text))


def time_html(at: datetime, text: str) -> str:
    """Draw a time; the whole of it shows when pointed at."""
    return f'<time datetime="{at.isoformat()}" title="{at:%Y-%m-%d %H:%M:%S} UTC">{escape(text)}</time>'


def items_of(value: object) -> list[Item]:
    """The objects in a list, whatever else is in it or it may be."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _block(block: Item) -> str:
    draw = _BLOCKS.get(str(block.get("type")))
    if draw is None:
        return _div("unknown", f"A block of type “{escape(str(block.get('type')))}”; this page draws none.")
    return draw(block)


def _header(block: Item) -> str:
    return f'<h3 class="header">{_text(block.get("text"))}</h3>'


def _section(block: Item) -> str:
    body = _div("text", _text(block["text"])) if block.get("text") else ""
    if block.get("fields"):
        body += _div("fields", "".join(f"<div>{_text(item)}</div>" for item in items_of(block["fields"])))
    return _div("section", body)


def _context(block: Item) -> str:
    return _div(
        "context", "".join(f"<span>{_element(item)}</span>" for item in items_of(block.get("elements")))
    )


def _actions(block: Item) -> str:
    return _div("actions", "".join(_element(item) for item in items_of(block.get("elements"))))


def _divider(_: Item) -> str:
    return "<hr>"


_BLOCKS: dict[str, Callable[[Item], str]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
}


def _element(item: Item) -> str:
    match item.get("type"):
        case "button":
            return _button(item)
        case "overflow":
            return "".join(_press(item, option) for option in items_of(item.get("options")))
        case "mrkdwn" | "plain_text":
            return _text(item)
    return f'<span class="unknown">{escape(str(item.get("type")))}</span>'


def _button(item: Item) -> str:
    style = item.get("style") if item.get("style") in ("primary", "danger") else "plain"
    text, url = _text(item.get("text")), str(item.get("url") or "")
    if not url and item.get("action_id"):
        return _press(item, item)
    if not is_safe_url(url):
        return f'<span class="button {style} dead" title="Opens no address">{text}</span>'
    return f'<a class="button {style}" {_href(url)}>{text}</a>'


def _press(element: Item, item: Item) -> str:
    """A button, or an option of a menu, that calls the app; it works on the live page."""
    data = f'data-action="{escape(str(element.get("action_id")))}" data-value="{escape(str(item.get("value") or ""))}"'
    confirm = element.get("confirm")
    if isinstance(confirm, Mapping) and isinstance(confirm.get("text"), Mapping):
        data += f' data-confirm="{escape(str(confirm["text"].get("text", "")))}"'
    return f'<button type="button" class="button plain" {data}>{_text(item.get("text"))}</button>'


def _text(item: object) -> str:
    if not isinstance(item, Mapping):
        return ""
    text = str(item.get("text", ""))
    if item.get("type") == "mrkdwn":
        return _nodes(parse_mrkdwn(text, verbatim=item.get("verbatim") is True))
    return _nodes(parse_plain_text(text, emoji=item.get("emoji") is not False))


def _nodes(nodes: Iterable[Node]) -> str:
    return "".join(map(_node, nodes))


def _node(node: Node) -> str:
    html = ""
    match node:
        case Text(text):
            html = escape(text)
        case Break():
            html = "<br>"
        case Styled(style, children):
            html = f"<{_TAGS[style]}>{_nodes(children)}</{_TAGS[style]}>"
        case Code(children, block):
            html = f"<pre>{_nodes(children)}</pre>" if block else f"<code>{_nodes(children)}</code>"
        case Quote(children):
            html = f"<blockquote>{_nodes(children)}</blockquote>"
        case Link(url, label):
            html = f"<a {_href(url)}>{_nodes(parse_plain_text(label))}</a>"
        case Mention(label, loud):
            html = f'<span class="mention{" loud" if loud else ""}">{escape(label)}</span>'
        case Emoji(name, char):
            html = f'<span class="emoji" role="img" aria-label="{escape(name)}">{char}</span>'
        case Timestamp(seconds, text, url):
            html = time_html(datetime.fromtimestamp(seconds, UTC), text)
            html = f"<a {_href(url)}>{html}</a>" if url else html
    return html


def _href(url: str) -> str:
    """The attributes of a link; the caller has checked the scheme."""
    return f'href="{escape(url)}" target="_blank" rel="noopener noreferrer nofollow"'


def _div(classes: str, inner: str) -> str:
    return f'<div class="{classes}">{inner}</div>'
