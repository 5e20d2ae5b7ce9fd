"""The template of an error: of the line that says it is one, and of the exception that follows it; redacted first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tocsin.core.lazy_expressions import lazy_re2
from tocsin.core.matching.admissions import admission_span
from tocsin.core.matching.levels import MAX_PREFIX_LENGTH, statement
from tocsin.core.matching.logline import LogLine, read_line
from tocsin.core.matching.quoting import quoted_as
from tocsin.core.matching.template import template_of
from tocsin.core.model import Level
from tocsin.core.redaction.sample import WITHHELD, normalise

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

MAX_LINES = 400
"""Lines of one event among which the one at error is looked for."""

_EXCEPTION = lazy_re2(r"^[\w.$]*(?:Error|Exception|Failure|Fault)\b")

_NOTHING = lazy_re2(r"^\W*\w+: *(?:0|null|none|None|false|False|nil|undefined)\s*$")
"""What `{"error": 0}` becomes as text."""


def error_start(line: LogLine, level: Level) -> int | None:
    """Where the first line begins that states this level or worse; None where none does.

    Prose that names a level ("if you see ERROR: …") states none. Where nothing states a level, a line that begins with
    "Failed to …" or the like counts as one at error. Each line is looked at once, so the time is linear.

    Args:
        line: The log event.
        level: The lowest level that counts.
    """
    looked = 0
    ends = [part.start for part in line.parts[1:]] + [len(line.text)]
    for part, end in zip(line.parts, ends, strict=True):
        if part.is_json and part.level is not None:
            looked += 1
            if part.level.rank >= level.rank:
                return part.start
            continue
        start = part.start
        while start < end and looked < MAX_LINES:
            looked += 1
            stop = line.text.find("\n", start, end)
            stop = end if stop < 0 else stop
            head = line.text[start : min(stop, start + MAX_PREFIX_LENGTH)]
            stated, certain = statement(head)
            if certain and stated is not None and stated.rank >= level.rank and not _NOTHING.search(head):
                return start
            start = stop + 1
        if looked >= MAX_LINES:
            return None
    return 0 if level.rank <= Level.ERROR.rank and _admits(line) else None


def _admits(line: LogLine) -> bool:
    """Whether a line without a level says in its first words that something failed, and is no quotation."""
    span = admission_span(line.text[:MAX_PREFIX_LENGTH].partition("\n")[0])
    return span is not None and line.level is None and not quoted_as(line.text, *span)


def error_template(
    message: str, extra: Sequence[Rule] = (), level: Level = Level.ERROR, *, strict: bool = False
) -> str:
    """The template of an error.

    Args:
        message: The event's message as delivered.
        extra: The deployment's own rules of redaction.
        level: The lowest level that counts.
        strict: Whether only what is known to be harmless is shown.
    """
    from tocsin.core.redaction.redact import redact_or_withhold

    line = read_line(message)
    safe = redact_or_withhold(normalise(line.text[error_start(line, level) or 0 :]), extra, strict=strict)
    if safe is None:
        return WITHHELD
    head, *rest = safe.strip().split("\n", MAX_LINES)
    named = next((each for each in rest[:MAX_LINES] if _EXCEPTION.search(each)), "")
    return template_of(f"{head} {named}" if named else head)
