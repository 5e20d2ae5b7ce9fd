"""What must occur in a text for an expression to match it: the literals that one fast search looks for.

From each expression a *cover* is derived: a set of literals one of which is in every text that the expression
matches. Literals are words of letters, digits, ``_``, ``.`` and ``-``: nothing that JSON escapes, no white space (which
the canonical text changes) and nothing outside ASCII, so that they stand in the raw bytes of an envelope unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]  # the parser of the standard library's own `re`
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

SHORTEST = 4
"""Characters; shorter literals are everywhere and tell nothing."""
MOST_STRINGS = 48
"""Alternatives that are spelled out for one expression before the derivation looks elsewhere."""

COMMON = frozenset(
    "error errors failed failure exception status type message runtime connection connect database user users host port "
    "access resource operation called when calling request requests server service function module name file line info "
    "warning debug time timeout secret with from such that this have been does exist exists table bucket role queue "
    "invalid value task lambda init phase start record perform trying query version memory".split()
)
"""Words that ordinary logs are full of: an expression is not known by them where anything else will do."""


class Literal(NamedTuple):
    """A word that must occur.

    Attributes:
        text: The word.
        any_case: Whether it may occur in any mix of cases.
    """

    text: str
    any_case: bool = False

    @property
    def expression(self) -> str:
        """The RE2 expression that finds it."""
        escaped = re.escape(self.text)
        return f"(?i:{escaped})" if self.any_case else escaped


class NoLiteralError(ValueError):
    """An expression has nothing that a fast search could look for."""


@lru_cache(maxsize=4096)
def required_literals(expression: str) -> tuple[Literal, ...]:
    """Derive the cover of an expression.

    Args:
        expression: An expression in the syntax that RE2 and Python share.

    Returns:
        Literals one of which occurs in every matching text, the shortest sufficient set that was found.

    Raises:
        NoLiteralError: There is no such set of literals of at least ``SHORTEST`` characters.
    """
    try:
        tree = _parser.parse(expression)
    except (re.error, OverflowError) as error:
        raise NoLiteralError(f"no literal: not in the syntax that RE2 and Python share: {error}") from error
    covers = _Covers(any_case=bool(tree.state.flags & re.IGNORECASE))
    exact = covers.sequence(tree)
    covers.offer(exact)
    if covers.best is None:
        raise NoLiteralError(
            f"no literal: nothing of {SHORTEST} or more letters, digits, _ . - is in every text it matches"
        )
    return tuple(sorted(covers.best))


Strings = frozenset[Literal]
"""Texts, one of which stands exactly here."""
_EMPTY: Strings = frozenset({Literal("")})


class _Covers:
    """Walks the parsed expression; keeps the best cover seen."""

    def __init__(self, *, any_case: bool) -> None:
        self.any_case = any_case
        self.best: frozenset[Literal] | None = None
        self.cost = 0.0

    def offer(self, strings: Strings | None) -> None:
        """Consider a set of texts, one of which is in every match, as the cover."""
        if not strings:
            return
        words = frozenset(word for word in map(_word, strings) if word is not None)
        if len(words) == 0 or any(_word(string) is None for string in strings):
            return
        self.consider(_without_contained(words))

    def consider(self, words: frozenset[Literal]) -> None:
        cost = _cost(words)
        if self.best is None or cost < self.cost:
            self.best, self.cost = words, cost

    def sequence(self, nodes: Iterable[tuple[Any, Any]]) -> Strings | None:
        """The exact texts of a sequence, or None when there are too many; offers what is passed on the way."""
        whole: Strings | None = _EMPTY
        run: Strings = _EMPTY
        for op, argument in nodes:
            exact = self.node(op, argument)
            if exact is None or len(run) * len(exact) > MOST_STRINGS:
                self.offer(run)
                whole = None
                run = _EMPTY if exact is None else exact
                continue
            run = frozenset(
                Literal(left.text + right.text, left.any_case or right.any_case) for left in run for right in exact
            )
            if any("\n" in text.text for text in run) and len(run) > 1:
                pass
        if whole is not None:
            return run
        self.offer(run)
        return None

    def node(self, op: Any, argument: Any) -> Strings | None:  # noqa: ANN401, PLR0911 -- the parser's own types; one case a kind of node
        if op is sre.LITERAL:
            return frozenset({Literal(chr(argument), self.any_case)})
        if op is sre.AT:
            return _EMPTY
        if op is sre.IN:
            return self.characters(argument)
        if op is sre.SUBPATTERN:
            _, add, remove, inner = argument
            before = self.any_case
            self.any_case = (before or bool(add & re.IGNORECASE)) and not remove & re.IGNORECASE
            exact = self.sequence(inner)
            self.any_case = before
            return exact
        if op is sre.BRANCH:
            return self.branch(argument[1])
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, inner = argument
            if least == 0 and most == 1:
                return self.optional(inner)
            if least == 0:
                return None
            exact = self.sequence(inner)
            if least == most == 1:
                return exact
            self.offer(exact)
        return None

    def optional(self, inner: Sequence[tuple[Any, Any]]) -> Strings | None:
        aside = _Covers(any_case=self.any_case)
        exact = aside.sequence(inner)
        return None if exact is None else exact | _EMPTY

    def characters(self, argument: Sequence[tuple[Any, Any]]) -> Strings | None:
        if len(argument) > 4 or not all(op is sre.LITERAL for op, _ in argument):  # noqa: PLR2004 -- a small class
            return None
        return frozenset(Literal(chr(code), self.any_case) for _, code in argument)

    def branch(self, branches: Sequence[Sequence[tuple[Any, Any]]]) -> Strings | None:
        """Each branch needs a cover of its own, or an exact text; together they cover the whole."""
        exacts: set[Literal] | None = set()
        union: set[Literal] | None = set()
        for inner in branches:
            aside = _Covers(any_case=self.any_case)
            exact = aside.sequence(inner)
            if exact is None:
                exacts = None
            elif exacts is not None:
                exacts |= exact
            aside.offer(exact)
            if aside.best is None:
                union = None
            elif union is not None:
                union |= aside.best
        if union:
            self.consider(_without_contained(frozenset(union)))
        if exacts is None or len(exacts) > MOST_STRINGS:
            return None
        return frozenset(exacts)


_WORD = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


def _word(string: Literal) -> Literal | None:
    """The most telling word in a text."""
    words = [Literal(word, string.any_case) for word in _WORD.findall(string.text) if len(word) >= SHORTEST]
    return min(words, key=lambda word: _word_cost(word), default=None)


def _word_cost(word: Literal) -> float:
    common = word.text.lower() in COMMON
    return (40.0 if common else 12.0 if word.text.isdigit() else 4.0) / min(len(word.text), 16)


def _cost(words: frozenset[Literal]) -> float:
    return sum(_word_cost(word) for word in words) + 0.05 * len(words)


def _without_contained(words: frozenset[Literal]) -> frozenset[Literal]:
    """Drop a word that another word of the cover is part of: finding the part finds it too."""
    return frozenset(
        word
        for word in words
        if not any(
            other != word
            and (
                (other.any_case and other.text.lower() in word.text.lower() and other.text.lower() != word.text.lower())
                or (other.any_case and not word.any_case and other.text.lower() == word.text.lower())
                or (not other.any_case and not word.any_case and other.text in word.text)
            )
            for other in words
        )
    )
