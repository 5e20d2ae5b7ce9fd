"""The one search of an envelope's raw bytes that rules out nearly every batch.

Imports RE2 and nothing else: it is what a cold start needs before its first answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

_BORDER, _BORDER_BYTE = "\x1e", b"\x1e"
"""What stands between two messages that are searched as one: ASCII's own record separator."""

MAX_SEARCH_SIZE = 128 << 20
"""Bytes RE2 may take for the one search that stands for all signatures: enough for thousands of them. It takes what it
needs; what does not fit is refused when the search is made, by `tocsin check` first of all."""


class RawSearch:
    """Says that nothing in an envelope can match.

    Args:
        expression: The alternation that ``Matcher.raw_expression`` makes of the literals of all signatures; empty
            where there are no signatures for log lines.
    """

    def __init__(self, expression: str) -> None:
        self._compiled = (
            re2.compile(expression.encode("latin-1"), byte_options(MAX_SEARCH_SIZE)) if expression else None
        )

    def might_match(self, raw: bytes) -> bool:
        """Whether any event of an envelope can match: False is certain, True is a suspicion.

        Args:
            raw: The inflated JSON of the envelope, as delivered.
        """
        return self._compiled is not None and self._compiled.search(raw) is not None

    def places(self, messages: Sequence[str]) -> list[int]:
        """Which messages can match, by their place: whatever is not among them is certain to match nothing.

        All of them are searched as one text, from suspect to suspect. What is found across the border of two messages
        makes suspects of both.

        Args:
            messages: The messages of log events, as delivered.
        """
        if self._compiled is None or not messages:
            return []
        together = _BORDER.join(messages).encode("utf-8", "replace")
        if together.count(_BORDER_BYTE) != len(messages) - 1:
            # Somebody logs the control character that stands between two messages: each is searched by itself.
            encoded = (message.encode("utf-8", "replace") for message in messages)
            return [place for place, message in enumerate(encoded) if self.might_match(message)]
        answer: list[int] = []
        place = position = 0
        while found := self._compiled.search(together, position):
            start, end = found.span()
            first = place + together.count(_BORDER_BYTE, position, start)
            last = first + together.count(_BORDER_BYTE, start, end)
            answer += range(first, last + 1)
            place, position = last + 1, together.find(_BORDER_BYTE, end) + 1
            if position == 0:
                break
        return answer


def joined_search(*expressions: str) -> RawSearch:
    """One search for whatever any of these stands for: two would cost twice as much.

    Args:
        expressions: As for ``RawSearch``; empty ones stand for nothing.
    """
    return RawSearch("|".join(filter(None, expressions)))


def byte_options(most_memory: int) -> re2.Options:
    """Options for searching bytes as bytes: smaller programs, and UTF-8 above ASCII is simply not part of a word."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = most_memory
    options.encoding = re2.Options.Encoding.LATIN1
    return options


def is_whole(raw: bytes) -> bool:
    """Whether an envelope that holds no known failure may be passed over unparsed.

    What is not even shaped like an envelope of log events is parsed, so that it is said aloud.
    """
    return raw[:1] == b"{" and raw[-1:] == b"}" and b'"DATA_MESSAGE"' in raw and b'"logEvents"' in raw
