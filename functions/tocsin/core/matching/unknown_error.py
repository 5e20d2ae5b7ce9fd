"""Unknown errors: lines that say they are errors, and that no signature explains.

What tells two of them apart is the template of the line that states the level.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import re2

from tocsin.core.matching.logline import LONGEST_PREFIX, LogLine, read_line
from tocsin.core.matching.template import template_of
from tocsin.core.model import Level
from tocsin.core.redaction.sample import WITHHELD, normalise

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

MAX_LINES = 400
"""Lines of one event among which the one at error is looked for."""

_EXCEPTION = re2.compile(r"^[\w.$]*(?:Error|Exception|Failure|Fault)\b")


def error_start(line: LogLine, level: Level) -> int | None:
    """Where the first line begins that states this level or worse; None where none does.

    Args:
        line: The log event.
        level: The lowest level that counts.
    """
    start = 0
    for _ in range(MAX_LINES):
        stated = line.level_at(start)
        if stated is not None and stated.rank >= level.rank:
            return start
        start = line.text.find("\n", start, start + 100 * LONGEST_PREFIX) + 1
        if start == 0:
            return None
    return None


def error_template(message: str, extra: Sequence[Rule] = (), level: Level = Level.ERROR) -> str:
    """The template of an error: of the line that says so, and of the exception that follows it. Redacted first.

    Args:
        message: The event's message as delivered.
        extra: The deployment's own rules of redaction.
        level: The lowest level that counts.
    """
    from tocsin.core.redaction.redact import redact_or_withhold  # noqa: PLC0415 - most cold starts show nothing

    line = read_line(message)
    safe = redact_or_withhold(normalise(line.text[error_start(line, level) or 0 :]), extra)
    if safe is None:
        return WITHHELD
    head, *rest = safe.strip().split("\n", MAX_LINES)
    named = next((each for each in rest[:MAX_LINES] if _EXCEPTION.search(each)), "")
    return template_of(f"{head} {named}" if named else head)
