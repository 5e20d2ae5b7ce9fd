"""What of a log line is shown: made harmless, redacted, and only then cut to size.

Cutting first could cut a secret in half, and half a secret is not recognised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from tocsin.core.model import Match

if TYPE_CHECKING:
    from tocsin.core.redact import Hidden
    from tocsin.core.redaction_rule import Rule

WITHHELD: Final = "[withheld: redaction failed]"
"""Shown in place of text that could not be redacted."""

MARKER: Final = "[REDACTED:"
"""How what stands for something hidden begins; see ``redact``."""

LONGEST_SAMPLE: Final = 1_500
"""Characters; leaves room for everything else within Slack's 3,000 per section, escapes included."""

LONGEST_FIELD: Final = 120

_HEAD: Final = 500
"""Characters kept of the beginning; the rest goes to the end, where a traceback has its exception."""

_AROUND: Final = 8_192
_MOST_PLACES: Final = 20
_TELLING_LENGTH: Final = 4

_ANSI: Final = re.compile(
    r"\x1b(?:\[[0-9;?]{0,40}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\^_])"
)
_INVISIBLE: Final = re.compile(
    # C0 and C1 but tab and line feed; soft hyphen; zero-width and bidirectional marks, embeddings, isolates;
    # variation selectors; byte-order mark; tags; lone surrogates.
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_BLANKS: Final = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LINE_BREAKS: Final = re.compile("\r\n?|\x85|\u2028|\u2029")
_ESCAPED: Final = re.compile(r"(?<!\\)\\+(?:u([0-9A-Fa-f]{4})|x([Aa][0Dd]))")
_ASCII_END, _SURROGATES = 0x80, range(0xD800, 0xE000)


def normalise(text: str) -> str:
    r"""Drop what is invisible, and write every line break as LF and every blank as a space.

    Dropping rather than showing: a zero-width space inside a key must not hide it from redaction. Lambda indents
    tracebacks with no-break spaces and joins lines with CR (awslambdaric, ``lambda_literals``). What JSON wrote as
    ``\u200b`` is the same character; every escape of a letter beyond ASCII is written out.
    """
    if "\\" in text:
        text = _ESCAPED.sub(_unescaped, text)
    text = _LINE_BREAKS.sub("\n", _ANSI.sub("", text))
    return _INVISIBLE.sub("", _BLANKS.sub(" ", text))


def _unescaped(escape: re.Match[str]) -> str:
    code = int(escape[1] or escape[2], 16)
    # ASCII stays escaped, for it may be the quote that ends a text; so do line ends, and halves of a pair.
    kept = code < _ASCII_END or code in _SURROGATES or _LINE_BREAKS.match(chr(code))
    return escape[0] if kept else chr(code)


def sample_of(text: str, extra: Sequence[Rule] = ()) -> str:
    """Make a log line fit to be stored and shown.

    Args:
        text: The log event's message, as it came.
        extra: The deployment's own rules of redaction.

    Returns:
        At most `LONGEST_SAMPLE` characters: visible, redacted; of a long text the first lines and the last ones,
        because a traceback names its exception at the end. `WITHHELD` when redaction failed.
    """
    safe = _redacted(text, extra)
    return WITHHELD if safe is None else _shorten(safe.strip("\n"))


def field_value(text: str, extra: Sequence[Rule] = ()) -> str:
    """Make a captured field fit to be stored and shown: visible, redacted, on one line, cut to `LONGEST_FIELD`."""
    safe = _redacted(text, extra)
    if safe is None:
        return WITHHELD
    line = " ".join(safe.split())
    return line if len(line) <= LONGEST_FIELD else line[: LONGEST_FIELD - 1] + "…"


def field_values(match: Match, message: str, extra: Sequence[Rule] = ()) -> dict[str, str]:
    """Make all fields of a match fit to be stored and shown.

    A field is a piece cut out of a line, and what gave a secret away may have stayed outside: the key before it, or
    the other half. So what the whole line hides is hidden in its fields too.

    Args:
        match: What was recognised.
        message: The log event's message, as it came.
        extra: The deployment's own rules of redaction.
    """
    if not match.fields:
        return {}
    try:
        lines = _lines_with_finds(match, message, extra)
        fields = {name: _as_in_line(normalise(value), lines) for name, value in match.fields.items()}
    except Exception:  # noqa: BLE001 -- fails closed whatever it is; what it says could quote the text
        return dict.fromkeys(match.fields, WITHHELD)
    return {name: field_value(value, extra) for name, value in fields.items()}


def named(table: Mapping[str, object]) -> str:
    """The names of a table's keys, at most ten, for a message about it: a stranger's keys are text like any other."""
    return ", ".join(field_value(str(key)) for key in sorted(map(str, table))[:10]) or "none"


def _lines_with_finds(match: Match, message: str, extra: Sequence[Rule]) -> list[tuple[str, list[Hidden]]]:
    """The line as it is shown, and as signatures read it (JSON taken apart), each with what is hidden in it."""
    # Not at the top: most cold starts find nothing to show.
    from tocsin.core.logline import read_line  # noqa: PLC0415
    from tocsin.core.redact import MOST_CHARACTERS, hidden_in  # noqa: PLC0415

    read = read_line(message).text
    if len(message) > MOST_CHARACTERS:  # of such a line, what is around the match
        message = read = read[max(0, match.start - _AROUND) : match.end + _AROUND]
    texts = dict.fromkeys((normalise(message), normalise(read)))
    return [(text, hidden_in(text, extra)) for text in texts]


def _as_in_line(value: str, lines: list[tuple[str, list[Hidden]]]) -> str:
    """A field with that hidden which the line hides; as it is where it also stands in the open."""
    from tocsin.core.redact import masked  # noqa: PLC0415

    words = value.split()
    if not words:
        return value
    where = re.compile(r"\s+".join(map(re.escape, words)))
    for text, finds in lines:
        shown = [masked(text, finds, *found.span()) for found in islice(where.finditer(text), _MOST_PLACES)]
        if shown:
            return next((one for one in shown if "[REDACTED:" not in one), shown[0])
    # Not in the line as it is: it was cut, or put together. Whatever the line hides of it is hidden.
    for text, finds in lines:
        for find in finds:
            secret = text[find.start : find.end]
            if len(secret) >= _TELLING_LENGTH:
                value = value.replace(secret, f"[REDACTED:{find.name}]")
    return value


def _redacted(text: str, extra: Sequence[Rule]) -> str | None:
    # Not at the top: most cold starts find nothing to show, and need not wait for all these expressions.
    from tocsin.core.redact import redact_or_withhold  # noqa: PLC0415

    return redact_or_withhold(normalise(text), extra)


def _shorten(text: str) -> str:
    if len(text) <= LONGEST_SAMPLE:
        return text
    room = LONGEST_SAMPLE - 40  # for the line that says what is missing
    head = text[:_HEAD]
    tail = text[len(text) - (room - _HEAD) :]
    # At a line's end where one is near enough, so that whole lines are shown.
    head = head[: head.rfind("\n")] if "\n" in head[_HEAD // 2 :] else head
    tail = tail[tail.find("\n") + 1 :] if "\n" in tail[: len(tail) // 2] else tail
    return f"{head}\n… {len(text) - len(head) - len(tail):,} characters left out …\n{tail}"
