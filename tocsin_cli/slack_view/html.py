"""A message's content as HTML: Block Kit, mark-up and legacy attachments.

Every character that came in a message passes ``html.escape`` here and nowhere else, addresses are allowed by
scheme, and no message brings a style, a class or an attribute of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

from tocsin_cli.slack_view.mrkdwn import (
    EMOJI,
    Break,
    Code,
    Emoji,
    Link,
    Mention,
    Node,
    Quote,
    Sighting,
    Style,
    Styled,
    Text,
    is_safe_url,
    parse_mrkdwn,
    parse_plain_text,
)

Item = Mapping[str, Any]

_TAGS = {Style.BOLD: "strong", Style.ITALIC: "em", Style.STRIKE: "s"}
_NAMED_COLOURS = {"good": "#2eb67d", "warning": "#ecb22e", "danger": "#e01e5a"}
_HEX = frozenset("0123456789abcdefABCDEF")


def render_message_html(message: Item) -> str:
    """Draw one message's content (no name, no time): blocks, else the text; then attachments."""
    parts = [_block(block) for block in items_of(message.get("blocks"))]
    if not parts and message.get("text"):
        parts = [_div("text", mrkdwn_html(str(message["text"])))]
    parts.extend(_attachment(item) for item in items_of(message.get("attachments")))
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
    if isinstance(block.get("accessory"), Mapping):
        return _div("section with", f"<div>{body}</div><div>{_element(block['accessory'])}</div>")
    return _div("section", body)


def _context(block: Item) -> str:
    return _div(
        "context", "".join(f"<span>{_element(item)}</span>" for item in items_of(block.get("elements")))
    )


def _actions(block: Item) -> str:
    return _div("actions", "".join(_element(item) for item in items_of(block.get("elements"))))


def _divider(_: Item) -> str:
    return "<hr>"


def _figure(block: Item) -> str:
    title = f"<figcaption>{_text(block['title'])}</figcaption>" if block.get("title") else ""
    return f"<figure>{title}{_image(block)}</figure>"


def _markdown(block: Item) -> str:
    return _div("text pre", escape(str(block.get("text", ""))))


def _rich_text(block: Item) -> str:
    return "".join(_rich(item) for item in items_of(block.get("elements")))


_BLOCKS: dict[str, Callable[[Item], str]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
    "image": _figure,
    "markdown": _markdown,
    "rich_text": _rich_text,
}


def _element(item: Item) -> str:
    match item.get("type"):
        case "button":
            return _button(item)
        case "image":
            return _image(item)
        case "mrkdwn" | "plain_text":
            return _text(item)
    return f'<span class="unknown">{escape(str(item.get("type")))}</span>'


def _button(item: Item) -> str:
    style = item.get("style") if item.get("style") in ("primary", "danger") else "plain"
    text, url = _text(item.get("text")), str(item.get("url") or "")
    if not is_safe_url(url):
        return f'<span class="button {style} dead" title="Opens no address">{text}</span>'
    label = escape(str(item.get("accessibility_label") or ""))
    aria = f'aria-label="{label}" ' if label else ""
    return f'<a class="button {style}" {aria}{_href(url)}>{text}</a>'


def _image(item: Item) -> str:
    url, alt = str(item.get("image_url") or ""), escape(str(item.get("alt_text") or ""))
    if not is_safe_url(url) or not url.lower().startswith(("https:", "http:")):
        return f'<span class="unknown">image: {alt}</span>'
    return f'<img src="{escape(url)}" alt="{alt}" loading="lazy" referrerpolicy="no-referrer">'


def _attachment(item: Item) -> str:
    """Blocks, or text as attachments were before blocks, behind a bar of colour."""
    colour = str(item.get("color") or "")
    colour = _NAMED_COLOURS.get(colour, "#" + colour.removeprefix("#"))
    if not (len(colour) == len("#rrggbb") and set(colour[1:]) <= _HEX):
        colour = "#9a9a9a"
    inner = [_block(block) for block in items_of(item.get("blocks"))] or _old_attachment(item)
    if item.get("footer"):
        inner.append(_div("context", f"<span>{escape(str(item['footer']))}</span>"))
    # An SVG carries the colour: the page's policy allows no inline style, so that a message can bring none.
    bar = f'<svg class="bar" aria-hidden="true"><rect width="4" height="100%" rx="2" fill="{colour}"/></svg>'
    pretext = _div("text", mrkdwn_html(str(item["pretext"]))) if item.get("pretext") else ""
    return pretext + _div("attachment", f"{bar}<div>{''.join(inner)}</div>")


def _old_attachment(item: Item) -> list[str]:
    inner = []
    if item.get("title"):
        title, link = escape(str(item["title"])), str(item.get("title_link") or "")
        inner.append(f"<b><a {_href(link)}>{title}</a></b>" if is_safe_url(link) else f"<b>{title}</b>")
    text = item.get("text") or ("" if item.get("title") else item.get("fallback"))
    if text:
        inner.append(_div("text", mrkdwn_html(str(text))))
    inner.extend(
        _div(
            "text",
            f"<b>{escape(str(item.get('title', '')))}</b><br>{mrkdwn_html(str(item.get('value', '')))}",
        )
        for item in items_of(item.get("fields"))
    )
    return inner


def _rich(item: Item) -> str:
    inner = items_of(item.get("elements"))
    leaves = "".join(map(_rich_leaf, inner))
    match item.get("type"):
        case "rich_text_section":
            return _div("text", leaves)
        case "rich_text_preformatted":
            return f"<pre>{leaves}</pre>"
        case "rich_text_quote":
            return f"<blockquote>{leaves}</blockquote>"
        case "rich_text_list":
            tag = "ol" if item.get("style") == "ordered" else "ul"
            return f"<{tag}>{''.join(f'<li>{_rich(part)}</li>' for part in inner)}</{tag}>"
    return _div("unknown", escape(str(item.get("type"))))


def _rich_leaf(item: Item) -> str:
    html = _nodes((rich_leaf_node(item),)).replace("\n", "<br>")
    style = item.get("style")
    if isinstance(style, Mapping):
        for key, tag in (("code", "code"), ("bold", "strong"), ("italic", "em"), ("strike", "s")):
            if style.get(key):
                html = f"<{tag}>{html}</{tag}>"
    return html


def rich_leaf_node(item: Item) -> Node:
    """A leaf of a rich text block as a node of mark-up; what is not known is named."""
    match item.get("type"):
        case "text":
            return Text(str(item.get("text", "")))
        case "link":
            url = str(item.get("url", ""))
            return Link(url, str(item.get("text") or url)) if is_safe_url(url) else Text(url)
        case "emoji":
            name = str(item.get("name", ""))
            return Emoji(name, EMOJI[name]) if name in EMOJI else Text(f":{name}:")
        case "broadcast" | "user" | "usergroup" as kind:
            who = item.get("range") or item.get("user_id") or item.get("usergroup_id") or kind
            return Mention(f"@{who}", loud=True)
    return Text(f"[{item.get('type')}]")


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
        case Sighting(seconds, text, url):
            html = time_html(datetime.fromtimestamp(seconds, UTC), text)
            html = f"<a {_href(url)}>{html}</a>" if url else html
    return html


def _href(url: str) -> str:
    """The attributes of a link; the caller has checked the scheme."""
    return f'href="{escape(url)}" target="_blank" rel="noopener noreferrer nofollow"'


def _div(classes: str, inner: str) -> str:
    return f'<div class="{classes}">{inner}</div>'
