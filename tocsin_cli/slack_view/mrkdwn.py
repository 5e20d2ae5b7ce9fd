"""Slack's mark-up, read once: what ``mrkdwn`` text says, as a tree that the page and the terminal both draw.

Only what Slack itself treats as mark-up becomes anything but text. Control sequences (``<...>``) are read
first, wherever they stand, code included: that is where an unescaped log line would ping a channel, and a
preview that hid it would be worse than none.

Source: docs.slack.dev/messaging/formatting-message-text (mark-up, the three entities, date tokens).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK_SCHEMES = frozenset({"http", "https", "mailto"})
"""Schemes a link may have; everything else (``javascript:``, ``data:``, ``file:``) stays text."""

# Slack's names, not Unicode's: those that a message about an alert may use. Others stay text.
EMOJI = {
    "rotating_light": "🚨",
    "red_circle": "🔴",
    "large_orange_circle": "🟠",
    "large_yellow_circle": "🟡",
    "large_green_circle": "🟢",
    "white_check_mark": "✅",
    "x": "❌",
    "no_bell": "🔕",
    "bell": "🔔",
    "book": "📖",
    "mag": "🔍",
    "repeat": "🔁",
    "warning": "⚠️",
    "fire": "🔥",
}


class Style(StrEnum):
    """How a run of text is set off."""

    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"


@dataclass(frozen=True, slots=True)
class Text:
    """Characters to show as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Break:
    """A line break."""


@dataclass(frozen=True, slots=True)
class Styled:
    """A run in bold, italic or struck out."""

    style: Style
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Code: within the line, or as a block of its own."""

    children: tuple[Node, ...]
    block: bool


@dataclass(frozen=True, slots=True)
class Quote:
    """Consecutive quoted lines."""

    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A link to an address of an allowed scheme."""

    url: str
    label: str


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that notifies people (``loud``: everyone in the channel), or names a channel."""

    label: str
    loud: bool


@dataclass(frozen=True, slots=True)
class Emoji:
    """An emoji that this renderer knows."""

    name: str
    char: str


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A ``<!date^...>``: a point in time (seconds since the epoch), its words in UTC, and perhaps a link."""

    seconds: int
    text: str
    url: str | None = None


Node = Text | Break | Styled | Code | Quote | Link | Mention | Emoji | Timestamp

# Atoms (control sequences, code) are lifted out of the text before emphasis is looked for, and stand in it as
# a number between two private-use characters. Those two are taken out of the input first: none can be forged.
_OPEN, _CLOSE = "\ue000", "\ue001"
_FORGED = str.maketrans({_OPEN: "�", _CLOSE: "�"})
_ATOM = re.compile(f"{_OPEN}(\\d+){_CLOSE}")

_CONTROL = re.compile(r"<([^<>\n]+)>")
_FENCE = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
_INLINE_CODE = re.compile(r"`([^`\n]+)`")
_QUOTED = re.compile(r"^(?:&gt;|>) ?(.*)$")
_EMOJI = f":(?P<emoji>{'|'.join(map(re.escape, EMOJI))}):"
_STYLES = (
    rf"(?<![\w*])\*(?=\S)(?P<{Style.BOLD}>[^*\n]+)(?<=\S)\*(?![\w*])",
    rf"(?<![\w_])_(?=\S)(?P<{Style.ITALIC}>[^_\n]+)(?<=\S)_(?![\w_])",
    rf"(?<![\w~])~(?=\S)(?P<{Style.STRIKE}>[^~\n]+)(?<=\S)~(?![\w~])",
)
_BARE_URL = (
    r"(?<![\w/])(?P<url>https?://[^\s<>|`"
    + _OPEN
    + _CLOSE
    + r"]*[^\s<>|`*_~.,;:!?'\")\]"
    + _OPEN
    + _CLOSE
    + "])"
)
_INLINE = re.compile("|".join((*_STYLES, _EMOJI, _BARE_URL)))
_INLINE_VERBATIM = re.compile("|".join((*_STYLES, _EMOJI)))
_PLAIN_EMOJI = re.compile(_EMOJI)
_ENTITY = re.compile(r"&(amp|lt|gt);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}
_DATE = re.compile(r"!date\^(-?\d{1,12})\^([^^|]*)(?:\^([^|]*))?(?:\|(.*))?", re.DOTALL)


def parse_mrkdwn(text: str, *, verbatim: bool = False) -> tuple[Node, ...]:
    """Read the text of a ``mrkdwn`` object; ``verbatim`` is a key of it: bare addresses become no links."""
    return _Parser(_INLINE_VERBATIM if verbatim else _INLINE).parse(text)


def parse_plain_text(text: str, *, emoji: bool = True) -> tuple[Node, ...]:
    """Read the text of a ``plain_text`` object: no mark-up but emoji, and those only if it says so."""
    nodes: list[Node] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            nodes.append(Break())
        nodes.extend(_emoji_only(line) if emoji else [Text(line)] if line else [])
    return tuple(nodes)


def is_safe_url(url: str) -> bool:
    """Whether a link to it may be drawn: an allowed scheme, and no character that cannot be seen."""
    if not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in LINK_SCHEMES and bool(parts.netloc or parts.scheme.lower() == "mailto")


def unescape(text: str) -> str:
    """Turn Slack's three entities into their characters, each once (``&amp;lt;`` becomes ``&lt;``)."""
    return _ENTITY.sub(lambda found: _ENTITIES[found[1]], text)


class _Parser:
    """One reading of one text; holds the atoms lifted out of it."""

    def __init__(self, inline_rules: re.Pattern[str]) -> None:
        self._inline_rules = inline_rules
        self._atoms: list[Node] = []

    def parse(self, text: str) -> tuple[Node, ...]:
        text = text.translate(_FORGED).replace("\r\n", "\n").replace("\r", "\n")
        text = _CONTROL.sub(self._lift_control, text)
        text = _FENCE.sub(lambda found: self._lift(Code(self._literal(found[1]), block=True)), text)
        text = _INLINE_CODE.sub(lambda found: self._lift(Code(self._literal(found[1]), block=False)), text)
        return _tight(self._lines(text))

    def _lift(self, node: Node) -> str:
        self._atoms.append(node)
        return f"{_OPEN}{len(self._atoms) - 1}{_CLOSE}"

    def _lift_control(self, found: re.Match[str]) -> str:
        node = _control(found[1])
        return found[0] if node is None else self._lift(node)

    def _lines(self, text: str) -> Iterator[Node]:
        quoted: list[Node] = []
        first = True
        for line in text.split("\n"):
            quote = _QUOTED.match(line)
            if quote:
                if quoted:
                    quoted.append(Break())
                quoted.extend(self._inline(quote[1]))
                continue
            if quoted:
                yield Quote(tuple(quoted))
                quoted, first = [], True
            if not first:
                yield Break()
            first = False
            yield from self._inline(line)
        if quoted:
            yield Quote(tuple(quoted))

    def _inline(self, text: str) -> Iterator[Node]:
        end = 0
        for found in self._inline_rules.finditer(text):
            name = found.lastgroup or ""
            yield from self._literal(text[end : found.start()])
            end = found.end()
            if name == "emoji":
                yield Emoji(found["emoji"], EMOJI[found["emoji"]])
            elif name == "url":
                url = unescape(found["url"])
                yield Link(url, url) if is_safe_url(url) else Text(url)
            else:
                yield Styled(Style(name), tuple(self._inline(found[name])))
        yield from self._literal(text[end:])

    def _literal(self, text: str) -> tuple[Node, ...]:
        """Text without emphasis, its atoms put back."""
        nodes: list[Node] = []
        for position, part in enumerate(_ATOM.split(text)):
            if position % 2:
                nodes.append(self._atoms[int(part)])
            elif part:
                nodes.append(Text(unescape(part)))
        return tuple(nodes)


def _tight(nodes: Iterator[Node]) -> tuple[Node, ...]:
    """A block of code has a line of its own already: drop the line break before it and the one after it."""
    kept: list[Node] = []
    for node in nodes:
        after_block = bool(kept) and isinstance(kept[-1], Code) and kept[-1].block
        if isinstance(node, Break) and after_block:
            continue
        if isinstance(node, Code) and node.block and kept and isinstance(kept[-1], Break):
            kept.pop()
        kept.append(node)
    return tuple(kept)


def _control(body: str) -> Node | None:
    """Read what stands between ``<`` and ``>``; None when it is nothing Slack knows, so it stays text."""
    target, _, label = body.partition("|")
    label = unescape(label)
    date = _DATE.fullmatch(body)
    if date:
        return _moment(int(date[1]), unescape(date[2]), unescape(date[3] or ""), unescape(date[4] or ""))
    if target in {"!channel", "!here", "!everyone"}:
        return Mention("@" + target[1:], loud=True)
    if target.startswith("!subteam^"):
        return Mention(label or "@" + target.removeprefix("!subteam^"), loud=True)
    if re.fullmatch(r"@[UWB][A-Z0-9]+", target):
        return Mention("@" + (label.removeprefix("@") or target[1:]), loud=True)
    if re.fullmatch(r"#C[A-Z0-9]+", target):
        return Mention("#" + (label.removeprefix("#") or target[1:]), loud=False)
    url = unescape(target)
    return Link(url, label or url) if is_safe_url(url) else None


def _moment(seconds: int, pattern: str, url: str, fallback: str) -> Node:
    try:
        at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return Text(fallback)
    return Timestamp(seconds, format_moment(at, pattern), url if is_safe_url(url) else None)


def format_moment(at: datetime, pattern: str) -> str:
    """Fill in the date tokens that Tocsin uses; Slack shows the reader's own zone, this is UTC and says so."""
    values = {"date_short_pretty": f"{at:%b} {at.day}, {at.year}", "time_secs": f"{at:%H:%M:%S} UTC"}
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), pattern)


def _emoji_only(line: str) -> Iterator[Node]:
    end = 0
    for found in _PLAIN_EMOJI.finditer(line):
        if line[end : found.start()]:
            yield Text(line[end : found.start()])
        yield Emoji(found["emoji"], EMOJI[found["emoji"]])
        end = found.end()
    if line[end:]:
        yield Text(line[end:])
