"""The one search of an envelope's raw bytes that rules out nearly every batch.

Imports RE2 and next to nothing else: it is what a cold start needs before its first answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

from tocsin.core.expressions import MAX_SEARCH_SIZE, byte_options

_BORDER, _BORDER_BYTE = "\x1e", b"\x1e"
"""What stands between two messages that are searched as one: ASCII's own record separator."""


class RawSearch:
    """Says that nothing in an envelope can match.

    Args:
        expression: The alternation that ``Matcher.raw_expression`` makes of the literals of all signatures; empty
            where there are no signatures for log lines.
    """

    def __init__(self, expression: str) -> None:
        self.expression = expression
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
        places = places_in(self._compiled, together, _BORDER_BYTE, len(messages))
        if places is not None:
            return places
        # Somebody logs the control character that stands between two messages: each is searched by itself.
        encoded = (message.encode("utf-8", "replace") for message in messages)
        return [place for place, message in enumerate(encoded) if self.might_match(message)]


def places_in(search: re2._Regexp, together: bytes, border: bytes, count: int) -> list[int] | None:
    """The places of those texts, put together into one, in which something is found, and of some more.

    From find to find: what is found across a border makes suspects of both sides, and the search goes on behind them.

    Args:
        search: Looks for it.
        together: The texts, with the border between them.
        border: The border.
        count: How many texts.

    Returns:
        Places in their order; None where a border is in a text itself, so that places cannot be told.
    """
    answer: list[int] = []
    place = position = 0
    while position >= 0 and (found := search.search(together, position)) is not None:
        start, end = found.span()
        place += together.count(border, position, start)
        answer.append(place)
        position = together.find(border, max(position, start - len(border) + 1))
        while 0 <= position < end:
            place += 1
            answer.append(place)
            position = together.find(border, position + len(border))
        place += 1
        position = position + len(border) if position >= 0 else -1
    if position >= 0:
        place += together.count(border, position) + 1
    return answer if place == count else None


def joined_search(*expressions: str) -> RawSearch:
    """One search for whatever any of these stands for: two would cost twice as much.

    Args:
        expressions: As for ``RawSearch``; empty ones stand for nothing.
    """
    return RawSearch("|".join(filter(None, expressions)))


def is_whole(raw: bytes) -> bool:
    """Whether an envelope that holds no known failure may be passed over unparsed.

    What is not even shaped like an envelope of log events is parsed, so that it is said aloud.
    """
    return raw[:1] == b"{" and raw[-1:] == b"}" and b'"DATA_MESSAGE"' in raw and b'"logEvents"' in raw
