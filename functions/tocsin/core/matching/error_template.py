"""The template of an error: of the line that says it is one, and of the exception that follows it; redacted first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import re2

from tocsin.core.matching.levels import MAX_PREFIX_LENGTH
from tocsin.core.matching.logline import LogLine, read_line
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
        start = line.text.find("\n", start, start + 100 * MAX_PREFIX_LENGTH) + 1
        if start == 0:
            return None
    return None


def error_template(message: str, extra: Sequence[Rule] = (), level: Level = Level.ERROR) -> str:
    """The template of an error.

    Args:
        message: The event's message as delivered.
        extra: The deployment's own rules of redaction.
        level: The lowest level that counts.
    """
    from tocsin.core.redaction.redact import redact_or_withhold

    line = read_line(message)
    safe = redact_or_withhold(normalise(line.text[error_start(line, level) or 0 :]), extra)
    if safe is None:
        return WITHHELD
    head, *rest = safe.strip().split("\n", MAX_LINES)
    named = next((each for each in rest[:MAX_LINES] if _EXCEPTION.search(each)), "")
    return template_of(f"{head} {named}" if named else head)
