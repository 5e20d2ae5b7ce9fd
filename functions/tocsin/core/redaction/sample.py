"""What of a log line is shown: made harmless, redacted, and only then cut to size.

Cutting first could cut a secret in half, and half a secret is not recognised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tocsin.core.lazy_expressions import lazy
from tocsin.core.sanitize import is_ordinary

if TYPE_CHECKING:
    from tocsin.core.redaction.key_values import Span
    from tocsin.core.redaction.rule import Rule

WITHHELD: Final = "[withheld: redaction failed]"
"""Shown in place of text that could not be redacted."""

MARKER: Final = "[REDACTED:"
"""How what stands for something hidden begins; see ``redact``."""

MAX_SAMPLE_LENGTH: Final = 1_500
"""Characters; leaves room for everything else within Slack's 3,000 per section, escapes included."""

MAX_FIELD_LENGTH: Final = 120

_HEAD: Final = 500
"""Characters kept of the beginning; the rest goes to the end, where a traceback has its exception."""

_AROUND: Final = 900
"""Characters kept around what matched where it is in neither; beginning and end then share the rest."""

_MAX_MATCH_SHOWN: Final = 400

_NOTE: Final = 40
"""Characters for a line that says what is missing."""

FROM, TO = "▶", "◀"
"""What stands around what matched, in a sample that had to be cut."""


_ANSI: Final = lazy(r"\x1b(?:\[[0-9;?]{0,40}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\^_])")
_INVISIBLE: Final = lazy(
    # C0 and C1 but tab and line feed; soft hyphen; zero-width and bidirectional marks, embeddings, isolates;
    # variation selectors; byte-order mark; tags; lone surrogates.
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
_BLANKS: Final = lazy("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LINE_BREAKS: Final = lazy("\r\n?|\x85|\u2028|\u2029")
_ESCAPED: Final = lazy(r"(?<!\\)\\+(?:u([0-9A-Fa-f]{4})|x([Aa][0Dd]))")
_STREAM_OF_LAMBDA: Final = lazy(r"\d{4}/\d\d/\d\d/\[(?:\$LATEST|\d{1,9})\][0-9a-f]{32}")
"""A date, a version and random digits, as Lambda names a stream (Lambda Developer Guide, "Sending Lambda function logs")."""
_ASCII_END, _SURROGATES = 0x80, range(0xD800, 0xE000)


def normalise(text: str) -> str:
    r"""Drop what is invisible, and write every line break as LF and every blank as a space.

    Dropping rather than showing: a zero-width space inside a key must not hide it from redaction. Lambda indents
    tracebacks with no-break spaces and joins lines with CR (awslambdaric, ``lambda_literals``). What JSON wrote as
    ``\u200b`` is the same character; every escape of a letter beyond ASCII is written out.
    """
    if "\\" in text:
        text = _ESCAPED.sub(_unescaped, text)
    if is_ordinary(text):
        return text
    text = _LINE_BREAKS.sub("\n", _ANSI.sub("", text))
    return _INVISIBLE.sub("", _BLANKS.sub(" ", text))


def _unescaped(escape: re.Match[str]) -> str:
    code = int(escape[1] or escape[2], 16)
    # ASCII stays escaped, for it may be the quote that ends a text; so do line ends, and halves of a pair.
    kept = code < _ASCII_END or code in _SURROGATES or _LINE_BREAKS.match(chr(code))
    return escape[0] if kept else chr(code)


def sample_of(
    text: str,
    extra: Sequence[Rule] = (),
    *,
    strict: bool = False,
    known: Iterable[str] = (),
    around: str = "",
) -> str:
    """Make a log line fit to be stored and shown.

    Args:
        text: The log event's message, as it came.
        extra: The deployment's own rules of redaction.
        strict: Whether only what is known to be harmless is shown.
        known: Expressions and texts whose words may then be shown: those of the signature.
        around: What matched, which is shown and marked whatever is cut.

    Returns:
        At most `MAX_SAMPLE_LENGTH` characters: visible, redacted; of a long text the first lines, what matched between
        `FROM` and `TO`, and the last lines, because a traceback names its exception there. `WITHHELD` when redaction
        failed.
    """
    # Not at the top: most cold starts find nothing to show, and need not wait for all these expressions.
    from tocsin.core.redaction.redact import redact_with_finds, shown_at

    whole = normalise(text).strip("\n")
    try:
        safe, finds = redact_with_finds(whole, extra, strict=strict, known=known)
    except Exception:  # fails closed whatever it is; what it says could quote the text
        return WITHHELD
    if len(safe) <= MAX_SAMPLE_LENGTH:
        return safe
    start, end = _place_of(normalise(around), whole)
    return _shorten(safe, shown_at(start, finds), shown_at(end, finds))


def _place_of(matched: str, text: str) -> Span:
    """Where what matched stands in a line; the empty place at its beginning where it cannot be found.

    What was searched is the text of the line's JSON: there a quotation mark is escaped, and values of several keys are
    put together, of which the first line is looked for.
    """
    first = matched.strip().partition("\n")[0][:_MAX_MATCH_SHOWN]
    for written in dict.fromkeys((first, json.dumps(first, ensure_ascii=False)[1:-1])):
        start = text.find(written) if written else -1
        if start >= 0:
            return start, start + len(written)
    return 0, 0


def field_value(text: str, extra: Sequence[Rule] = (), *, strict: bool = False) -> str:
    """Make a captured field fit to be stored and shown: visible, redacted, on one line, cut to `MAX_FIELD_LENGTH`."""
    safe = _redacted(text, extra, strict=strict)
    if safe is None:
        return WITHHELD
    line = " ".join(safe.split())
    return line if len(line) <= MAX_FIELD_LENGTH else line[: MAX_FIELD_LENGTH - 1] + "…"


def name_of(text: str, extra: Sequence[Rule] = ()) -> str:
    """Make the name of a resource (a log stream, an alarm) fit to be stored and shown; whole, for links need it."""
    if not extra and _STREAM_OF_LAMBDA.fullmatch(text):
        return text  # its random digits can look like some provider's token
    safe = _redacted(text, extra)
    return WITHHELD if safe is None else safe


def named(table: Mapping[str, object]) -> str:
    """The names of a table's keys, at most ten, for a message about it: a stranger's keys are text like any other."""
    return ", ".join(field_value(str(key)) for key in sorted(map(str, table))[:10]) or "none"


def _redacted(
    text: str, extra: Sequence[Rule], *, strict: bool = False, known: Iterable[str] = ()
) -> str | None:
    # Not at the top: most cold starts find nothing to show, and need not wait for all these expressions.
    from tocsin.core.redaction.redact import redact_or_withhold

    return redact_or_withhold(normalise(text), extra, strict=strict, known=known)


def _shorten(text: str, start: int, end: int) -> str:
    """The beginning, the end, and what lies between two places, which is marked unless it is empty."""
    end = min(end, start + _MAX_MATCH_SHOWN)
    if start < end <= len(text):
        text = f"{text[:start]}{FROM}{text[start:end]}{TO}{text[end:]}"
        end += len(FROM + TO)
    last = len(text) - (MAX_SAMPLE_LENGTH - _NOTE - _HEAD)
    if end <= _HEAD or start >= last:
        return _joined(text, [(0, _HEAD), (last, len(text))])
    side = (MAX_SAMPLE_LENGTH - 2 * _NOTE - _AROUND) // 2
    first = max(side, start - (_AROUND - (end - start)) // 2)
    return _joined(
        text, [(0, side), (first, first + _AROUND), (max(first + _AROUND, len(text) - side), len(text))]
    )


def _joined(text: str, parts: Sequence[Span]) -> str:
    """Parts of a text, with a line for each gap; cut at a line's end where one is near enough."""
    joined, shown_to = "", 0
    for start, end in parts:
        part = text[start:end]
        if start > shown_to and FROM not in part and "\n" in part[: len(part) // 2]:
            part = part[part.find("\n") + 1 :]
        begins = end - len(part)
        if end < len(text) and TO not in part and "\n" in part[len(part) // 2 :]:
            part = part[: part.rfind("\n")]
        gap = f"\n… {begins - shown_to:,} characters left out …\n" if begins > shown_to else ""
        joined, shown_to = joined + gap + part, begins + len(part)
    return joined
