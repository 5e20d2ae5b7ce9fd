"""The captured fields of a match as they may be shown: read from the redacted line, never from the raw one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from tocsin.core.matching.field_shapes import shaped
from tocsin.core.model import Match
from tocsin.core.redaction.sample import WITHHELD, field_value, normalise

if TYPE_CHECKING:
    from tocsin.core.redaction.redact import Hidden
    from tocsin.core.redaction.rule import Rule


MAX_CAPTURED_LENGTH: Final = 400
"""Characters of a captured field that are kept; a fingerprint is made of words, not of pages."""

_AROUND: Final = 8_192


_MAX_PLACES: Final = 20


_TELLING_LENGTH: Final = 4


def field_values(match: Match, message: str, extra: Sequence[Rule] = ()) -> dict[str, str]:
    """Make all fields of a match fit to be stored and shown.

    A field is a piece cut out of a line, and what gave a secret away may have stayed outside: the key before it, or
    the other half. So what the whole line hides is hidden in its fields too, and a field that does not look as its
    name promises is hidden whole.

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
    except Exception:  # fails closed whatever it is; what it says could quote the text
        return dict.fromkeys(match.fields, WITHHELD)
    return {name: shaped(name, field_value(value, extra)) for name, value in fields.items()}


def _lines_with_finds(match: Match, message: str, extra: Sequence[Rule]) -> list[tuple[str, list[Hidden]]]:
    """The line as it is shown, and as signatures read it (JSON taken apart), each with what is hidden in it."""
    # Not at the top: most cold starts find nothing to show.
    from tocsin.core.matching.logline import read_line
    from tocsin.core.redaction.redact import MAX_CHARACTERS, hidden_in

    read = read_line(message).text
    if len(message) > MAX_CHARACTERS:  # of such a line, what is around the match
        message = read = read[max(0, match.start - _AROUND) : match.end + _AROUND]
    texts = dict.fromkeys((normalise(message), normalise(read)))
    return [(text, hidden_in(text, extra)) for text in texts]


def _as_in_line(value: str, lines: list[tuple[str, list[Hidden]]]) -> str:
    """A field with that hidden which the line hides; as it is where it also stands in the open."""
    from tocsin.core.redaction.redact import masked

    words = value.split()
    if not words:
        return value
    where = re.compile(r"\s+".join(map(re.escape, words)))
    for text, finds in lines:
        shown = [masked(text, finds, *found.span()) for found in islice(where.finditer(text), _MAX_PLACES)]
        if shown:
            return next((one for one in shown if "[REDACTED:" not in one), shown[0])
    # Not in the line as it is: it was cut, or put together. Whatever the line hides of it is hidden.
    for text, finds in lines:
        for find in finds:
            secret = text[find.start : find.end]
            if len(secret) >= _TELLING_LENGTH:
                value = value.replace(secret, f"[REDACTED:{find.name}]")
    return value


def bounded_fields(groups: Mapping[str, str | None]) -> dict[str, str]:
    """The captures, without empty ones, on one line and bounded."""
    bounded = {
        name: " ".join(captured[: 2 * MAX_CAPTURED_LENGTH].split())
        for name, captured in groups.items()
        if captured
    }
    return {name: value[:MAX_CAPTURED_LENGTH] for name, value in bounded.items() if value}
