"""Log text made harmless to look at: what would hide, reorder or overwrite other text is taken out or shown.

Done before anything else is done with a text that came out of a log; escaping for a medium comes after it.
"""

from __future__ import annotations

import re
import unicodedata

from tocsin.core.lazy_expressions import lazy

REPLACEMENT = "\ufffd"

_TERMINAL_SEQUENCES = lazy(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\)|[@-Z\\-_])")
_LINE_ENDS = lazy(r"\r\n|[\r\x85\u2028\u2029]")
_ORDINARY = lazy(r"[\t\n -~]*")
_OTHER = lazy(r"[^\t\n -~]")
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")


def is_ordinary(text: str) -> bool:
    """Whether a text is printable ASCII, tabs and line feeds alone, as nearly all is: it shows what it holds."""
    return _ORDINARY.fullmatch(text) is not None


def visible(text: str) -> str:
    """Make a text show what it holds and nothing else.

    Line ends of all kinds become line feeds; terminal colours and characters without width are left out;
    control characters, lone surrogates and the marks that reorder text (U+202E and its kin) become U+FFFD.
    """
    if is_ordinary(text):
        return text
    text = _LINE_ENDS.sub("\n", _TERMINAL_SEQUENCES.sub("", text))
    return _OTHER.sub(_shown, text)


def one_line(text: str) -> str:
    """The same on a single line, runs of white space as one space."""
    return " ".join(visible(text).split())


def clipped(text: str, most: int) -> str:
    """The first ``most`` characters, the last of them an ellipsis where something was left out."""
    return text if len(text) <= most else text[: max(0, most - 1)] + "…"


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    if character in _REORDERING:
        return REPLACEMENT
    category = unicodedata.category(character)
    if category in {"Cc", "Cs"}:
        return REPLACEMENT
    return "" if category == "Cf" or character in _INVISIBLE_LETTERS else character
