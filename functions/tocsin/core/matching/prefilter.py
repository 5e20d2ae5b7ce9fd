"""The one search of an envelope's raw bytes that rules out nearly every batch.

Imports RE2 and next to nothing else: it is what a cold start needs before its first answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

import re2

from tocsin.core.expressions import byte_search, first_span
from tocsin.core.matching.first_look import FirstLook

_BORDER = "\x1e"
"""What stands between two messages that are searched as one: ASCII's own record separator."""


class RawSearch:
    """Says that nothing in an envelope can match.

    Args:
        expression: The alternation that ``Matcher.raw_expression`` makes of the literals of all signatures; empty
            where there are no signatures for log lines.
        first_look: Finds the same without compiling it, in as much text as it takes; None to compile at once.
    """

    def __init__(self, expression: str, first_look: FirstLook | None = None) -> None:
        self.expression = expression
        self._first_look = first_look if expression else None
        self._made: re2._Regexp | None = None
        if first_look is None:
            self._compiled()

    def might_match(self, raw: bytes) -> bool:
        """Whether any event of an envelope can match: False is certain, True is a suspicion.

        Args:
            raw: The inflated JSON of the envelope, as delivered.
        """
        if self._first_look is not None and self._first_look.takes(len(raw)):
            return self._first_look.finds(raw)
        search = self._compiled()
        return search is not None and first_span(search, raw)[0] >= 0

    def places(self, messages: Sequence[str]) -> list[int]:
        """Which messages can match, by their place: whatever is not among them is certain to match nothing.

        All of them are searched as one text, from suspect to suspect. What is found across the border of two messages
        makes suspects of both.

        Args:
            messages: The messages of log events, as delivered.
        """
        if not self.expression or not messages:
            return []
        if (joined := _BORDER.join(messages)).isascii():
            together, lengths = joined.encode(), list(map(len, messages))
        else:
            encoded = [message.encode("utf-8", "replace") for message in messages]
            together, lengths = _BORDER.encode().join(encoded), list(map(len, encoded))
        if self._first_look is not None and self._first_look.takes(len(together), len(messages)):
            finds = self._first_look.finds
            return [
                place for place, message in enumerate(messages) if finds(message.encode("utf-8", "replace"))
            ]
        search = self._compiled()
        return places_in(search, together, lengths, len(_BORDER)) if search is not None else []

    def _compiled(self) -> re2._Regexp | None:
        if self._made is None and self.expression:
            self._made = byte_search(self.expression)
            self._first_look = None
        return self._made


def places_in(search: re2._Regexp, together: bytes, lengths: Iterable[int], border: int) -> list[int]:
    """The places of those texts, put together into one, in which something is found, and of some more.

    From find to find: what is found across a border makes suspects of both sides, and the search goes on behind them.

    Args:
        search: Looks for it.
        together: The texts, with a border between them.
        lengths: How long each is.
        border: How long the border is.
    """
    # Where the next text begins. To count the borders up to a find takes as long as to find it.
    following = list(accumulate([length + border for length in lengths]))
    answer: list[int] = []
    position = 0
    while position < len(together):
        start, end = first_span(search, together, position)
        if start < 0:
            break
        place = bisect_right(following, start)
        answer.append(place)
        while end > following[place] - border and place + 1 < len(following):
            place += 1
            answer.append(place)
        position = following[place]
    return answer


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
