"""What became of the signatures that looked at a line: what ``tocsin explain`` shows."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from tocsin.core.matching.logline import LogLine
from tocsin.core.model import Match


class Verdict(NamedTuple):
    """What became of one signature that looked at a line.

    Attributes:
        signature: Its id.
        outcome: ``matched``, or why it did not: ``no expression found``, ``forbidden by not``, ``out of scope``,
            ``below its level``, ``fields do not fit``, ``quoted``, ``explained by`` another signature.
        detail: The expression, the level, the shape of the quotation, or the explaining signature.
        match: What was found, where something was.
    """

    signature: str
    outcome: str
    detail: str = ""
    match: Match | None = None


class Explanation(Struct, frozen=True):
    """Everything that ``tocsin explain`` shows.

    Attributes:
        line: The line as matching sees it.
        literals: The literals that were found in it.
        verdicts: One per signature that looked closer, those that matched first.
    """

    line: LogLine
    literals: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
