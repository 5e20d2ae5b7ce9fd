"""What must occur in a text for an expression to match it: the literals that one fast search looks for.

From each expression a *cover* is derived: a set of literals one of which is in every text that the expression
matches. A literal is a phrase of words; between its words the search allows whatever is not a word, so that it finds
them in the raw bytes of an envelope too, where JSON escapes quotes, slashes, tabs and no-break spaces. No literal spans
a line break: what the canonical text joins with one may stand apart in the JSON it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]  # the parser of the standard library's own `re`
from re import _parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from tocsin.core.lazy_expressions import lazy
from tocsin.core.literal import Literal, Needed

SHORTEST = 4
"""Letters and digits that a literal must have; shorter ones are everywhere and tell nothing."""
MAX_STRINGS = 48
"""Alternatives that are spelled out for one expression before the derivation looks elsewhere."""
MAX_PHRASE_LENGTH = 3
"""Words of a literal; more tell little more, and the search takes longer to compile."""

COMMON = frozenset(
    """
    error errors failed failure exception status type message runtime connection connect database user
    users host port access resource operation called when calling request requests server service
    function module name file line info warning debug time timeout secret with from such that this have
    been does exist exists table bucket role queue the invalid value task lambda init phase start record
    perform trying query version memory report found could should not class handler login current
    running processing connections already another cannot different process get set for of after to in
    is on was and or be no id code unknown unable named system microsoft java object callback
    """.split()
)
"""Words that ordinary logs are full of: an expression is not known by them where anything else will do."""
_SUSPECT_ANYWAY = frozenset({"error", "rror", "exception", "xception"})
"""Of the common words those that make a line a suspect whatever else is looked for: they cost no suspicion more."""

_WORD = lazy(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")


class _String(NamedTuple):
    """A text that stands exactly here."""

    text: str
    any_case: bool = False


class NoLiteralError(ValueError):
    """An expression has nothing that a fast search could look for."""


def required_literals(expression: str) -> tuple[Literal, ...]:
    """The cover of an expression.

    Args:
        expression: An expression in the syntax that RE2 and Python share.

    Returns:
        Literals one of which occurs in every matching text, the shortest sufficient set that was found.

    Raises:
        NoLiteralError: There is no such set of literals of at least ``SHORTEST`` characters.
    """
    return needed_by(expression).literals


@lru_cache(maxsize=4096)
def needed_by(expression: str) -> Needed:
    """The same, with the characters that every matching text has.

    Raises:
        NoLiteralError: As `required_literals`.
    """
    try:
        tree = _parser.parse(expression)
    except (re.error, OverflowError) as error:
        raise NoLiteralError(f"no literal: not in the syntax that RE2 and Python share: {error}") from error
    any_case = bool(tree.state.flags & re.IGNORECASE)
    covers = _Covers(any_case=any_case)
    exact = covers.sequence(tree)
    covers.offer(exact)
    if covers.best is None:
        raise NoLiteralError(
            f"no literal: nothing of {SHORTEST} or more letters, digits, _ . - is in every text it matches"
        )
    return Needed(tuple(sorted(covers.best)), "".join(sorted(_characters_of(tree, any_case=any_case))))


def _characters_of(nodes: Iterable[tuple[Any, Any]], *, any_case: bool) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for op, argument in nodes:
        if op is sre.LITERAL:
            character = chr(argument)
            if character.isascii() and not (any_case and character.isalpha()):
                found |= {character}
        elif op is sre.SUBPATTERN:
            _, add, remove, inner = argument
            found |= _characters_of(inner, any_case=_any_case_within(add, remove, before=any_case))
        elif op is sre.BRANCH:
            found |= frozenset.intersection(
                *(_characters_of(inner, any_case=any_case) for inner in argument[1])
            )
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT) and argument[0] > 0:
            found |= _characters_of(argument[2], any_case=any_case)
    return found


def _any_case_within(add: int, remove: int, *, before: bool) -> bool:
    """Whether case counts for nothing within a group that adds and removes flags."""
    return (before or bool(add & re.IGNORECASE)) and not remove & re.IGNORECASE


Strings = frozenset[_String]
"""Texts, one of which stands exactly here."""
_EMPTY: Strings = frozenset({_String("")})
_BLANK: Strings = frozenset({_String(" ")})


class _Covers:
    """Walks the parsed expression; keeps the best cover seen."""

    def __init__(self, *, any_case: bool) -> None:
        self.any_case = any_case
        self.best: frozenset[Literal] | None = None
        self.cost = 0.0

    def offer(self, strings: Strings | None) -> None:
        """Consider a set of texts, one of which is in every match, as the cover."""
        phrases = {_phrase(string) for string in strings or ()}
        if phrases and None not in phrases:
            self.consider(without_contained(frozenset(phrase for phrase in phrases if phrase is not None)))

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
            if exact is None or len(run) * len(exact) > MAX_STRINGS:
                self.offer(run)
                whole = None
                run = _EMPTY if exact is None else exact
                continue
            run = frozenset(
                _String(left.text + right.text, left.any_case or right.any_case)
                for left in run
                for right in exact
            )
        if whole is not None:
            return run
        self.offer(run)
        return None

    def node(self, op: Any, argument: Any) -> Strings | None:
        if op is sre.LITERAL:
            return frozenset({_String(chr(argument), self.any_case)})
        if op is sre.AT:
            return _EMPTY
        if op is sre.IN:
            return self.characters(argument)
        if op is sre.SUBPATTERN:
            _, add, remove, inner = argument
            before = self.any_case
            self.any_case = _any_case_within(add, remove, before=before)
            exact = self.sequence(inner)
            self.any_case = before
            return exact
        if op is sre.BRANCH:
            return self.branch(argument[1])
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            return self.repeated(*argument)
        return None

    def repeated(self, least: int, most: int, inner: Sequence[tuple[Any, Any]]) -> Strings | None:
        if least == 0:
            return self.optional(inner) if most == 1 else None
        exact = self.sequence(inner)
        if least == most == 1 or exact == _BLANK:  # as many blanks as there are only part words
            return exact
        self.offer(exact)
        return None

    def optional(self, inner: Sequence[tuple[Any, Any]]) -> Strings | None:
        aside = _Covers(any_case=self.any_case)
        exact = aside.sequence(inner)
        return None if exact is None else exact | _EMPTY

    def characters(self, argument: Sequence[tuple[Any, Any]]) -> Strings | None:
        if len(argument) > 4 or not all(op is sre.LITERAL for op, _ in argument):  # a small class
            return None
        return frozenset(_String(chr(code), self.any_case) for _, code in argument)

    def branch(self, branches: Sequence[Sequence[tuple[Any, Any]]]) -> Strings | None:
        """Each branch needs a cover of its own, or an exact text; together they cover the whole."""
        exacts: set[_String] | None = set()
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
            self.consider(without_contained(frozenset(union)))
        if exacts is None or len(exacts) > MAX_STRINGS:
            return None
        return frozenset(exacts)


def _phrase(string: _String) -> Literal | None:
    """The most telling phrase in a text, within one line."""
    phrases = []
    for line in re.split(r"[\n\r]", string.text):
        words = _WORD.findall(line)
        phrases += [
            Literal(tuple(words[start : start + MAX_PHRASE_LENGTH]), string.any_case)
            for start in range(max(1, len(words) - MAX_PHRASE_LENGTH + 1))
        ]
    return min((phrase for phrase in phrases if _long_enough(phrase)), key=_phrase_cost, default=None)


def _long_enough(phrase: Literal) -> bool:
    return sum(map(len, phrase.words)) >= SHORTEST


@lru_cache(maxsize=4096)
def _phrase_cost(phrase: Literal) -> float:
    return 10.0 / sum(map(_weight, phrase.words))


def _weight(word: str) -> float:
    if word.lower() in _SUSPECT_ANYWAY:
        return 1.0
    return min(len(word), 16) * (0.05 if word.lower() in COMMON else 1.0)


def _cost(phrases: frozenset[Literal]) -> float:
    # What the least telling phrase costs in false suspicions is what the cover costs.
    return max(map(_phrase_cost, phrases)) + 0.02 * len(phrases)


def without_contained(phrases: Iterable[Literal]) -> frozenset[Literal]:
    """Drop each phrase that has another literal, of a single word, in one of its words: finding that finds it too."""
    phrases = frozenset(phrases)
    plain = {phrase.words[0] for phrase in phrases if len(phrase.words) == 1 and not phrase.any_case}
    words = {word for phrase in phrases for word in phrase.words}
    text = "\n".join(words)
    more_than_once = [word for word in plain if text.count(word) > 1]
    hold_another = {word for other in more_than_once for word in words if other in word and other != word}

    def contains_another(phrase: Literal) -> bool:
        return any(word in hold_another or (len(phrase.words) > 1 and word in plain) for word in phrase.words)

    return frozenset(phrase for phrase in phrases if phrase.any_case or not contains_another(phrase))
