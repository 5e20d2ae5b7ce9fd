"""A Slack message on a terminal: the same content as the page, compact, with ``rich``.

Text is only ever handed to ``rich`` as ``Text``, never as its own mark-up, and control characters are taken
out: a log line cannot colour, move or retitle the terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.style import Style as Look
from rich.table import Table
from rich.text import Text as Words

from tocsin_cli.slack_view.html import items_of
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

_LOOKS = {Style.BOLD: "bold", Style.ITALIC: "italic", Style.STRIKE: "strike"}
_BUTTON_LOOKS = {"primary": "bold white on dark_green", "danger": "bold white on dark_red"}
_COLUMNS = 2


def render_message(message: Item) -> RenderableType:
    """Draw one message in a frame: who and when, its blocks (or its text), what was edited.

    Args:
        message: As ``fake_slack.channel`` keeps it; ``text`` or ``blocks`` is enough.
    """
    parts = [_block(block) for block in items_of(message.get("blocks"))]
    if not parts and message.get("text"):
        parts = [_words(parse_mrkdwn(str(message["text"])))]
    reply = bool(message.get("thread_ts"))
    title = Words("🔔 ") + Words(_shown(str(message.get("username") or "Tocsin")), "bold")
    if message.get("posted_at"):
        title.append(f"  {_shown(str(message['posted_at'])[11:19])}", "dim")
    if reply:
        title.append("  in the thread", "dim")
    if message.get("edited_at"):
        title.append("  (edited)", "dim")
    frame = Panel(Group(*parts), title=title, title_align="left", border_style="dim", padding=(0, 1))
    return Padding(frame, (0, 0, 0, 4)) if reply else frame


def _block(block: Item) -> RenderableType:
    draw = _BLOCKS.get(str(block.get("type")))
    return draw(block) if draw else Words(f"[{_shown(str(block.get('type')))}]", "italic dim")


def _header(block: Item) -> RenderableType:
    words = _text(block.get("text"))
    words.stylize("bold")
    return words


def _section(block: Item) -> RenderableType:
    parts: list[RenderableType] = []
    if block.get("text"):
        parts.append(_text(block["text"]))
    fields = [_text(item) for item in items_of(block.get("fields"))]
    if fields:
        grid = Table.grid(padding=(0, 4), expand=False)
        for start in range(0, len(fields), _COLUMNS):
            grid.add_row(*fields[start : start + _COLUMNS])
        parts.append(grid)
    return Group(*parts)


def _context(block: Item) -> RenderableType:
    words = Words("  ").join(_element(item) for item in items_of(block.get("elements")))
    words.stylize("dim")
    return words


def _actions(block: Item) -> RenderableType:
    buttons = items_of(block.get("elements"))
    words = Words(" ").join(map(_element, buttons))
    # Not every terminal opens links: the first button's address (the runbook) is written out.
    url = str(buttons[0].get("url") or "") if buttons else ""
    return Group(words, Words(f"→ {url}", "dim", overflow="fold")) if is_safe_url(url) else words


def _divider(_: Item) -> RenderableType:
    return Rule(style="dim")


_BLOCKS: dict[str, Callable[[Item], RenderableType]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": _divider,
}


def _element(item: Item) -> Words:
    if item.get("type") == "button":
        words = Words(" ") + _text(item.get("text")) + Words(" ")
        words.stylize(_BUTTON_LOOKS.get(str(item.get("style")), "reverse"))
        url = str(item.get("url") or "")
        if is_safe_url(url):
            words.stylize(Look(link=url))
        return words
    return _text(item)


def _text(item: object) -> Words:
    if not isinstance(item, Mapping):
        return Words()
    text = str(item.get("text", ""))
    if item.get("type") == "mrkdwn":
        return _words(parse_mrkdwn(text, verbatim=item.get("verbatim") is True))
    return _words(parse_plain_text(text, emoji=item.get("emoji") is not False))


def _words(nodes: Iterable[Node]) -> Words:
    words = Words()
    after_block = False
    for node in nodes:
        # On the page a block of code or a quote has lines of its own; here they must be made.
        is_block = isinstance(node, Quote) or (isinstance(node, Code) and node.block)
        if words and (is_block or after_block) and not words.plain.endswith("\n"):
            words.append("\n")
        after_block = is_block
        words.append_text(_node(node))
    return words


def _node(node: Node) -> Words:
    words = Words()
    match node:
        case Text(text):
            words = Words(_shown(text))
        case Break():
            words = Words("\n")
        case Styled(style, children):
            words = _words(children)
            words.stylize(_LOOKS[style])
        case Code(children, block):
            words = _words(children)
            words.stylize("on grey15" if block else "bright_red on grey15")
        case Quote(children):
            words = Words("▏ ", "dim") + _words(children)
        case Link(url, label):
            words = Words(_shown(label), Look(link=url, underline=True, color="blue"))
        case Mention(label, loud):
            words = Words(_shown(label), "bold black on yellow" if loud else "cyan")
        case Emoji(char=char):
            words = Words(char)
        case Timestamp(text=text):
            words = Words(_shown(text))
    return words


def _shown(text: str) -> str:
    """Without what would command a terminal or reorder its line; new lines and tabs stay."""
    return "".join(
        char
        if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs"} or char == "\u200d"
        else "\ufffd"
        for char in text
    )
