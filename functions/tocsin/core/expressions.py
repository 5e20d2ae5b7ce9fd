"""The limits of expressions and the options they are compiled with."""

from __future__ import annotations

from collections.abc import Iterable

import re2

_ANCHOR = re2._re2.RE2.Anchor  # noqa: SLF001 - see first_span
_ANYWHERE, _HERE = _ANCHOR.UNANCHORED, _ANCHOR.ANCHOR_START

MAX_EXPRESSION_LENGTH = 1_000
"""Characters; RE2 is linear in the text, and this and ``MAX_PROGRAM_SIZE`` bound the factor."""


MAX_PROGRAM_SIZE = 10_000
"""RE2 instructions of one expression; a counted repetition such as ``.{0,1000}`` is what makes them many."""

MAX_SEARCH_SIZE = 128 << 20
"""Bytes RE2 may take for the one search that stands for all signatures: enough for thousands of them. It takes what it
needs; what does not fit is refused when the search is made, by `tocsin check` first of all."""


MAX_LINE_SIZE = 32 << 20
"""Bytes RE2 may take for one expression that reads lines: it keeps what it learns of them, and starts over where that does not
fit, which makes some lines forty times as slow."""


def re2_options() -> re2.Options:
    """RE2 options for signatures: errors are raised, not printed; ``^`` and ``$`` are written with ``(?m)``."""
    options = re2.Options()
    options.log_errors = False
    return options


def line_options() -> re2.Options:
    """The same for what reads many lines."""
    options = re2_options()
    options.max_mem = MAX_LINE_SIZE
    return options


def checked_expression(expression: str, empty: str) -> tuple[re2._Regexp | None, list[str]]:
    """Compile an expression that somebody wrote into a file.

    Args:
        expression: The expression.
        empty: What is wrong where it matches the empty text.

    Returns:
        The compiled expression, None where it cannot be compiled; and what is wrong with it.
    """
    if len(expression) > MAX_EXPRESSION_LENGTH:
        return None, [f"longer than {MAX_EXPRESSION_LENGTH} characters"]
    try:
        compiled = re2.compile(expression, re2_options())
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        return None, [f"not an RE2 expression: {reason}"]
    problems = [empty] if compiled.search("") else []
    if compiled.programsize > MAX_PROGRAM_SIZE:
        problems.append(f"costs {compiled.programsize} RE2 instructions, more than {MAX_PROGRAM_SIZE}")
    return compiled, problems


def first_span(expression: re2._Regexp, data: bytes, start: int = 0) -> tuple[int, int]:
    """Where the first match begins and ends in bytes; -1 and -1 where there is none.

    What ``expression.search(data, start)`` says, without the generator and the match that it makes each time: they take
    longer than the search goes on between two finds, and the package has no public way without them.
    """
    span: tuple[int, int] = expression._regexp.Match(_ANYWHERE, data, start, len(data))[0]  # noqa: SLF001
    return span


def span_from(expression: re2._Regexp, data: bytes, start: int) -> tuple[int, int]:
    """The same of a match that begins just there."""
    span: tuple[int, int] = expression._regexp.Match(_HERE, data, start, len(data))[0]  # noqa: SLF001
    return span


def byte_search(expression: str) -> re2._Regexp:
    """An expression for bytes, compiled."""
    return re2.compile(expression.encode("latin-1"), byte_options(MAX_SEARCH_SIZE))


def byte_set(expressions: Iterable[str]) -> re2.Set:
    """Expressions for bytes, compiled as one set that says which of them are found."""
    together = re2.Set.SearchSet(byte_options(MAX_SEARCH_SIZE))
    for expression in expressions:
        together.Add(expression.encode("latin-1"))
    together.Compile()
    return together


def byte_options(most_memory: int) -> re2.Options:
    """Options for searching bytes as bytes: smaller programs, and UTF-8 above ASCII is simply not part of a word."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = most_memory
    options.encoding = re2.Options.Encoding.LATIN1
    return options
