"""A first look at a few kilobytes, which finds what the compiled searches find and compiles none of them.

To compile the search for every literal, and the set that says which, takes a fresh process longer than all else that it
does with a small batch. Four bytes of each literal are looked up among those of the text instead: nearly nothing is
left, and that is looked for one by one. A byte takes longer this way than in a compiled search, so a process that has
looked at `MOST_BYTES` compiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import re2

from tocsin.core.expressions import byte_search, byte_set, first_span
from tocsin.core.literal import Literal

MOST_BYTES = 96 << 10
"""Bytes of text that one `FirstLook` takes in its life: about half of the time that compiling would have taken."""
LEAST_BYTES = 128
"""Bytes that any text counts for, however short."""
MOST_PHRASES = 64
"""Literals of several words that are compiled one by one; text that has the words of more is unlike any other."""
_KEY = 4
"""Bytes of a literal that are looked up: what one machine word holds, and what nearly every literal has in one word."""


class FirstLook:
    """Finds literals and a few expressions in bytes, as a `re2.Set` of all of them does.

    Args:
        literals: What may be in the text.
        others: RE2 expressions that are looked for as well.
    """

    def __init__(self, literals: Sequence[Literal], others: Sequence[str]) -> None:
        self._literals = literals
        self._others = others
        self._left = MOST_BYTES
        self._by_key: dict[int, list[int]] | None = None
        self._keyless: list[int] = []
        self._phrases: dict[int, re2._Regexp] = {}
        self._set: re2.Set | None = None

    def takes(self, size: int, texts: int = 1) -> bool:
        """Whether it still looks at so many bytes; whoever asks then hands them to `hits`.

        Args:
            size: Bytes.
            texts: How many texts these are.
        """
        self._left -= max(size, LEAST_BYTES * texts)
        return self._left >= 0 and len(self._phrases) < MOST_PHRASES

    def hits(self, text: bytes) -> list[int]:
        """The places of what occurs, in their order: those of the others follow those of the literals.

        Args:
            text: A line, or an envelope's inflated JSON.
        """
        first = len(self._literals)
        return sorted(self._among_literals(text)) + sorted(
            first + place for place in self._among_others(text)
        )

    def finds(self, text: bytes) -> bool:
        """Whether anything of it occurs.

        Args:
            text: As for `hits`.
        """
        return next(self._among_literals(text), None) is not None or bool(self._among_others(text))

    def _among_literals(self, text: bytes) -> Iterator[int]:
        folded = text.lower()  # of bytes that folds ASCII alone, which is all that a literal is made of
        return (number for number in self._suspected(folded) if self._occurs(number, text, folded))

    def _suspected(self, folded: bytes) -> list[int]:
        if self._by_key is None:
            self._by_key = self._made_keys()
        suspected = list(self._keyless)
        keys: set[int] = set()
        for offset in range(_KEY):
            end = offset + (len(folded) - offset) // _KEY * _KEY
            if end > offset:
                keys |= self._by_key.keys() & set(memoryview(folded)[offset:end].cast("I"))
        for key in keys:
            suspected += self._by_key[key]
        return suspected

    def _made_keys(self) -> dict[int, list[int]]:
        heads, numbers = [], []
        for number, literal in enumerate(self._literals):
            word = literal.words[0] if len(literal.words) == 1 else max(literal.words, key=len)
            if len(word) < _KEY:
                self._keyless.append(number)
            else:
                heads.append(word[:_KEY])
                numbers.append(number)
        by_key: dict[int, list[int]] = {}
        for key, number in zip(memoryview("".join(heads).lower().encode()).cast("I"), numbers, strict=True):
            by_key.setdefault(key, []).append(number)
        return by_key

    def _occurs(self, number: int, text: bytes, folded: bytes) -> bool:
        literal = self._literals[number]
        for word in literal.words:
            if (word.lower().encode() not in folded) if literal.any_case else (word.encode() not in text):
                return False
        if len(literal.words) == 1:
            return True
        phrase = self._phrases.get(number)
        if phrase is None:
            phrase = self._phrases[number] = byte_search(literal.expression)
        return first_span(phrase, text)[0] >= 0

    def _among_others(self, text: bytes) -> list[int]:
        if not self._others:
            return []
        if self._set is None:
            self._set = byte_set(self._others)
        return self._set.Match(text) or []
