"""One rule of redaction, and what every rule needs to say where a word begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from tocsin.core.redaction.key_values import Span

EDGE: Final = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfv])|(?<=%[0-9A-Fa-f][0-9A-Fa-f])|(?<=\\u00[0-9A-Fa-f][0-9A-Fa-f]))"
)
"""Where a word begins, also after an escape (``\\n``), a percent-encoded or a ``\\u0026`` character."""

BASE64URL: Final = r"[A-Za-z0-9_\-]"


class Rule(NamedTuple):
    """One way to find something to hide.

    Attributes:
        name: What is shown in its place.
        what: What it hides, for the people who read the table; Markdown.
        needles: Lower-case words, one of which occurs where the expression is tried; empty to search everywhere.
        pattern: Matched at the needle; compiled when it is first needed, for most never are in a process's life.
            Group ``hide``, where there is one, is what is hidden, else everything.
        span: Where an expression is not enough: takes the text and the match, answers with what to hide.
        search: Where another engine searches, instead of needles and expression: takes the text.
        gated: Whether ``search`` finds nothing where no needle is; else they only say what it is about.
        numeric: Whether there is a digit in all that it finds.
    """

    name: str
    what: str
    needles: tuple[str, ...]
    pattern: str
    span: Callable[[str, re.Match[str]], Span | None] | None = None
    search: Callable[[str], Iterator[Span]] | None = None
    gated: bool = False
    numeric: bool = False


def by_words(name: str, what: str, needles: str, pattern: str) -> Rule:
    """A rule whose needles hold no blank, and whose expression is enough."""
    return Rule(name, what, tuple(needles.split()), pattern)
