"""A phrase that must occur in a text for an expression to match it; ``signatures/literals.py`` derives them.

A module of its own because it is all that a cold start needs of them before its first answer.
"""

from __future__ import annotations

import re
from typing import NamedTuple

BETWEEN_WORDS = r"(?:[^0-9A-Za-z_]|\\[bfnrt]|\\u[0-9a-fA-F]+)+"
"""What may stand between two words in raw JSON: anything that is not part of a word, and escapes."""


class Literal(NamedTuple):
    """A phrase that must occur.

    Attributes:
        words: Its words: letters, digits, ``_``, and ``.`` or ``-`` within. The first and the last may be parts of
            longer words.
        any_case: Whether it may occur in any mix of cases.
    """

    words: tuple[str, ...]
    any_case: bool = False

    @property
    def text(self) -> str:
        """The words, as people read them."""
        return " ".join(self.words)

    @property
    def expression(self) -> str:
        """The RE2 expression that finds it in text and in JSON, however often that was encoded."""
        joined = BETWEEN_WORDS.join(map(re.escape, self.words))
        return f"(?i:{joined})" if self.any_case else joined


class Needed(NamedTuple):
    """What every text has that an expression matches.

    Attributes:
        literals: It has one of these.
        characters: It has all of these, which are ASCII.
    """

    literals: tuple[Literal, ...]
    characters: str
