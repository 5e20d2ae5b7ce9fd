r"""One search over many lines at once: what starting a search costs is paid once, and most lines are refused by it.

The lines stand one below the other, with a record separator on a line of its own between them. What an expression finds
in a line by itself it finds there too: where the line is at its end or its beginning there, ``$`` and ``^`` of many
lines hold. The reverse is not so (``[^"]*`` goes on over the border), so that this answers with a suspicion.
"""

from __future__ import annotations

from collections.abc import Sequence

import re2

from tocsin.core.expressions import line_options
from tocsin.core.lazy_expressions import lazy
from tocsin.core.matching.prefilter import places_in

FEW = 8
"""Lines that are tried first: where most of them have what is looked for, nothing is won by it."""
_BORDER = b"\n\x1e\n"

_TEXT_ENDS = lazy(r"\\(.)")
_OTHERWISE = lazy(r"\\Q|\(\?[a-zA-Z]*-[a-zA-Z]*m")
"""What quotes, or takes the flag of many lines back: an expression that is left as it is."""


def across_lines(expression: str) -> re2._Regexp | None:
    """An expression that finds in joined lines whatever another one finds in one of them; None where there is none.

    Args:
        expression: An RE2 expression for a single text.
    """
    if _OTHERWISE.search(expression):
        return None
    # The ends of the text are ends of its lines, too.
    written = _TEXT_ENDS.sub(lambda found: {"A": "^", "z": "$"}.get(found[1], found[0]), expression)
    return re2.compile(f"(?m:{written})", line_options())


def lines_with(expression: re2._Regexp, lines: Sequence[bytes]) -> list[int]:
    """The places of those lines in which an expression may be found; in the others it certainly is not.

    Args:
        expression: What `across_lines` answered.
        lines: The lines; one may have line ends in it.
    """
    few = _lines_with(expression, lines[:FEW])
    if len(few) > FEW // 2:
        return list(range(len(lines)))  # as in a storm: it would only be found once more, line by line
    return few + [FEW + place for place in _lines_with(expression, lines[FEW:])]


def _lines_with(expression: re2._Regexp, lines: Sequence[bytes]) -> list[int]:
    return places_in(expression, _BORDER.join(lines), map(len, lines), len(_BORDER))
