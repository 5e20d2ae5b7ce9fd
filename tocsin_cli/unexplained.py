"""What a log says is an error and no signature explains: for the end of ``tocsin match`` and ``tocsin backtest``."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.core.model import Match
from tocsin.core.redaction.rule import Rule
from tocsin.core.redaction.sample import sample_of
from tocsin.core.sanitize import one_line
from tocsin.core.signatures.signature import TEMPLATE
from tocsin_cli.terminal import pluralize

MAX_TEMPLATES = 10_000
"""Templates that are counted separately; a log whose every line is a new one must not fill the memory."""
SHOWN = 5
"""The most frequent ones that are shown."""
MIN_WORD = 3
"""Letters of a word that a name is made of."""
MAX_EXAMPLE = 300
"""Characters of an example in a command."""


@dataclass(slots=True)
class Unexplained:
    """Counts unknown errors by template.

    Attributes:
        redaction: The deployment's own rules of redaction, for the examples.
        lines: How many lines were counted.
    """

    redaction: Sequence[Rule] = ()
    _counts: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, str] = field(default_factory=dict)
    lines: int = 0

    def add(self, match: Match, message: str) -> None:
        """Count one.

        Args:
            match: The unknown error.
            message: The event's message; of the first of each kind a redacted example is kept.
        """
        template = match.fields[TEMPLATE]
        self.lines += 1
        if template not in self._counts and len(self._counts) >= MAX_TEMPLATES:
            return
        self._counts[template] += 1
        if template not in self._examples:
            self._examples[template] = sample_of(message, self.redaction)

    def report(self) -> dict[str, Any]:
        """How many lines, and each template with count, example and a command that makes a signature of it."""
        return {
            "lines": self.lines,
            "templates": [
                {
                    "template": template,
                    "count": count,
                    "example": self._examples[template],
                    "command": new_command(template, self._examples[template]),
                }
                for template, count in self._counts.most_common()
            ],
        }


def lines_about(report: dict[str, Any]) -> list[str]:
    """The same for people; nothing where every error is explained.

    Args:
        report: What ``Unexplained.report`` answered.
    """
    if not report["lines"]:
        return []
    lines = [
        f"{pluralize(report['lines'], 'line')} at error or worse that no signature explains; the most frequent:"
    ]
    for entry in report["templates"][:SHOWN]:
        lines += [
            f"  {entry['count']:>7,} × {one_line(entry['template'])}",
            f"            {one_line(entry['command'])}",
        ]
    if (more := len(report["templates"]) - SHOWN) > 0:
        lines.append(f"  … and {pluralize(more, 'more template')}")
    return lines


def new_command(template: str, example: str) -> str:
    """The command that makes a signature of an unknown error.

    Args:
        template: Its template; a name is made of its words.
        example: One redacted line.
    """
    line = " ".join(example[:MAX_EXAMPLE].split())
    return f"tocsin new {signature_name(template)} --from-line {shlex.quote(line)}"


def signature_name(template: str) -> str:
    """An id for the signature of an unknown error, made of the words of its template."""
    words = re.findall(r"[a-z]+", template.lower())
    return "-".join([word for word in words if len(word) >= MIN_WORD and word != "error"][:4]) or "own-error"
