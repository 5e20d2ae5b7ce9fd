r"""The subscription filter pattern that lets every line through which any signature may recognise.

What is safe is decided by what CloudWatch Logs documents (User Guide, "Filter pattern syntax"), not by what it seems to
do; ``docs/filter-pattern.md`` holds the reasoning. In short: a regular expression (``%…%``) is documented to match
anywhere in a line, also within a word (its example ``%AUTHORIZED%`` finds ``UNAUTHORIZED``), with ``|`` for "or" and
``[Ee]`` for either case. Of plain terms (``?ERROR ?Exception``) it is not documented whether they match within a
word, and no word is a whole word in every line: in JSON, ``\nTraceback`` is the word ``nTraceback``. So terms are
only made for those who have asked the real engine and say so.

The proof has four parts, one of which holds for every line that the ``Matcher`` recognises. The canonical text that
expressions see differs from the raw line only by what is decoded, translated or taken out:

1. a piece of one word of each literal of each expression is in the raw line as it is; or
2. a letter or digit is written as an escape of JSON (``\u0054ask``): ``u00`` and its digits are there; or
3. colour codes are in the line, perhaps within a word: their first character is there; or
4. words were translated from keys and statuses of JSON logs: those keys or statuses are there.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from tocsin.core.literal import Literal
from tocsin.core.matching.logline import ERROR_MESSAGE_KEYS, FAILED, STACK_KEYS, TYPE_KEYS
from tocsin.core.signatures.literals import COMMON, NoLiteralError, required_literals
from tocsin.core.signatures.signature import Signature, Source, Status

MAX_PATTERN_LENGTH = 1024
"""Characters of a filter pattern (PutSubscriptionFilter)."""

MAX_PIECE_LENGTH = 12
"""Characters of a piece; longer ones say no more."""

SHORTEST_PIECE = 4
"""Characters to which pieces are cut to make them fit; shorter ones are in every line. Where `k` and `s` divide a
word that is in any case, what lies between them may be one shorter."""

DISTINCTIVE = 5
"""Characters from which a word distinguishes a line, unless ordinary logs are full of it."""

ESCAPES = ("u003[0-9]", "u00[4-7]", "u001[bB]")
"""Digits, letters and the escape character of colour codes, as JSON may write them."""
ESCAPE_TERMS = ("u00",)
COLOUR = r"\x1B"

_PIECE = re.compile(r"[A-Za-z0-9_]+")


class Style(StrEnum):
    """What a pattern is made of."""

    REGEX = "regex"
    """One regular expression; a log group may have five filters with one."""
    TERMS = "terms"
    """Optional terms; safe only where terms match within words, which is not documented."""


@dataclass(frozen=True, slots=True)
class FilterPattern:
    """A pattern, or why there is none.

    Attributes:
        pattern: For ``filterPattern``; empty lets every line through.
        pieces: What it looks for, before it was written as a pattern.
        reason: Why the pattern is empty; empty where it is not.
        left_out: Signatures with ``source = "absence"`` whose lines it keeps back, because there is no room for them.
    """

    pattern: str
    pieces: tuple[str, ...] = ()
    reason: str = ""
    left_out: tuple[str, ...] = ()


class _Piece(NamedTuple):
    """A part of a word that is in a line as it is, or in any mix of cases."""

    text: str
    any_case: bool

    def cost(self, style: Style) -> int:
        """Characters that it takes in a pattern."""
        if not self.any_case:
            return len(self.text) + (1 if style is Style.REGEX else 2)
        letters = sum(map(str.isalpha, self.text))
        if style is Style.REGEX:
            return len(self.text) + 3 * letters + 1
        return int(2**letters) * (len(self.text) + 2)


def filter_pattern(
    signatures: Mapping[str, Signature], style: Style = Style.REGEX, *, terms_match_within_words: bool = False
) -> FilterPattern:
    """Make the pattern.

    Args:
        signatures: Those that must not miss a line.
        style: What it is made of.
        terms_match_within_words: What is not documented and was found out from the real engine.
    """
    looked_for = {name: rule for name, rule in signatures.items() if rule.status is not Status.OFF}
    made = _pattern(looked_for, style, terms_match_within_words=terms_match_within_words)
    waiting = [name for name, rule in looked_for.items() if rule.source is Source.ABSENCE]
    if not made.reason or not waiting:
        return made
    # Failures first: a pattern without the lines that somebody waits for still loses no failure.
    failures = {name: rule for name, rule in looked_for.items() if name not in waiting}
    without = _pattern(failures, style, terms_match_within_words=terms_match_within_words)
    return made if without.reason else replace(without, left_out=tuple(waiting))


def _pattern(
    signatures: Mapping[str, Signature], style: Style, *, terms_match_within_words: bool
) -> FilterPattern:
    rules = [rule for rule in signatures.values() if rule.source is not Source.ALARM]
    if not rules:
        return FilterPattern("", reason="no signature looks at log lines")
    if style is Style.TERMS and not terms_match_within_words:
        return FilterPattern(
            "",
            reason=(
                "whether a plain term also matches within a word is not documented, and no word is a whole word in "
                "every line (JSON glues the letters of its escapes to it)"
            ),
        )
    literals: set[Literal] = set()
    for rule in rules:
        if rule.fields and not rule.any:
            return FilterPattern(
                "", reason=f"{rule.file}: {rule.id}: matches by fields, which a pattern cannot look for"
            )
        for number, expression in enumerate((*rule.any, *rule.absence.work)):
            try:
                literals.update(required_literals(expression))
            except NoLiteralError as error:
                return FilterPattern("", reason=f"{rule.file}: {rule.id}.any[{number}]: {error}")
    # What `logline` writes in other words; of a dotted key (error.message) what stands before the dot says more.
    keys = (*TYPE_KEYS, *ERROR_MESSAGE_KEYS, *STACK_KEYS[:3])
    exact = (*FAILED, *dict.fromkeys(key.partition(".")[0] for key in keys))
    needed = [*sorted(literals), *(Literal((key,)) for key in exact)]
    for longest in range(MAX_PIECE_LENGTH, SHORTEST_PIECE - 1, -1):
        pieces = _cover(needed, longest, style)
        if pieces is None:
            continue
        pattern = _written(pieces, style)
        if len(pattern) <= MAX_PATTERN_LENGTH:
            return FilterPattern(pattern, tuple(piece.text for piece in pieces))
    return FilterPattern(
        "",
        reason=f"what stands for all {len(rules)} signatures does not fit {MAX_PATTERN_LENGTH:,} characters",
    )


def _cover(needed: Sequence[Literal], longest: int, style: Style) -> list[_Piece] | None:
    """Pieces of about this length, one of which is in every literal; greedily the fewest characters."""
    texts = [" ".join(literal.words) for literal in needed]
    lowered = [text.lower() for text in texts]
    plain = ["" if literal.any_case else text for literal, text in zip(needed, texts, strict=True)]
    in_lowered, in_plain = _Holders(lowered), _Holders(plain)
    holders: dict[_Piece, int] = {
        piece: (in_lowered if piece.any_case else in_plain).of(piece.text)
        for piece in {piece for literal in needed for piece in _pieces(literal, longest)}
    }
    costs = {piece: piece.cost(style) for piece in holders}
    left, chosen, useful = (1 << len(needed)) - 1, list[_Piece](), list(holders)
    while left:
        useful = [piece for piece in useful if holders[piece] & left]
        if not useful:
            return None
        best = max(
            useful,
            key=lambda piece: ((holders[piece] & left).bit_count() / costs[piece], len(piece.text), piece),
        )
        chosen.append(best)
        left &= ~holders[best]
    return _without_idle(chosen, holders)


class _Holders:
    """Says which of some texts, none with a line feed, hold a piece: as bits, one for each."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._whole = "\n".join(texts)
        self._following = list(accumulate(len(text) + 1 for text in texts))

    def of(self, piece: str) -> int:
        bits, position = 0, self._whole.find(piece)
        while position >= 0:
            number = bisect_right(self._following, position)
            bits |= 1 << number
            position = self._whole.find(piece, self._following[number])
        return bits


def _without_idle(chosen: Sequence[_Piece], holders: Mapping[_Piece, int]) -> list[_Piece]:
    """Leave out what later choices made needless."""
    kept = list(chosen)
    for piece in chosen:
        others = 0
        for other in kept:
            others |= holders[other] if other != piece else 0
        if not holders[piece] & ~others:
            kept.remove(piece)
    return sorted(kept)


def _pieces(literal: Literal, longest: int) -> Iterable[_Piece]:
    """Parts of a literal's most distinctive words: of this length where the word is as long, else the whole word."""
    for run in _distinctive(literal):
        size = min(longest, len(run))
        for start in range(len(run) - size + 1):
            text = run[start : start + size]
            yield _Piece(text.lower() if literal.any_case else text, literal.any_case)


def _distinctive(literal: Literal) -> list[str]:
    """The words, or parts of words, of a literal that lines without it rarely have."""
    runs = [run for word in literal.words for run in _PIECE.findall(word)]
    if literal.any_case:  # `k` and `s` in any case are also U+212A and U+017F: only what lies between them
        runs = [part for run in runs for part in re.split("[ksKS]", run)]
    runs = [run for run in runs if len(run) >= SHORTEST_PIECE - 1]
    rare = [run for run in runs if len(run) >= DISTINCTIVE and run.lower() not in COMMON]
    return rare or sorted(runs, key=len)[-1:]


def _written(pieces: Sequence[_Piece], style: Style) -> str:
    if style is Style.REGEX:
        alternatives = [
            "".join(f"[{c.upper()}{c}]" if c.isalpha() else c for c in piece.text)
            if piece.any_case
            else piece.text
            for piece in pieces
        ]
        return f"%{'|'.join((*alternatives, *ESCAPES, COLOUR))}%"
    words = [word for piece in pieces for word in (_cases(piece.text) if piece.any_case else [piece.text])]
    return " ".join(f"?{word}" if word.isalnum() else f'?"{word}"' for word in (*words, *ESCAPE_TERMS))


def _cases(text: str) -> list[str]:
    words = [""]
    for letter in text:
        words = [word + case for word in words for case in sorted({letter.upper(), letter})]
    return words
