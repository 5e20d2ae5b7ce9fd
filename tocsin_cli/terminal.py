"""How tables for people look on a terminal: colours of severities, numbers with their nouns, the width."""

from __future__ import annotations

import re
import sys
from typing import IO, Any, cast

from rich.console import Console

_PADDING = re.compile(r"(?<! ) (?:[ ]|\x1b\[[\d;]*m)*+(?=\n)")
"""Blanks at the end of a line, and the ends of colours among them; a table's row, no longer than the terminal is wide."""

LOOKS = {"critical": "bold red", "high": "bold dark_orange", "medium": "bold yellow", "low": "bold blue"}


def pluralize(count: int, noun: str) -> str:
    """A number with its noun: ``1 line``, ``14,302 lines``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def to_minute(time: str) -> str:
    """A time in ISO 8601 without its seconds: ``2026-02-02 00:03``."""
    return f"{time[:10]} {time[11:16]}"


def to_second(time: str) -> str:
    """A time in ISO 8601 without its milliseconds: ``2026-02-02 00:03:11``."""
    return f"{time[:10]} {time[11:19]}"


class _WithoutPadding:
    """Standard output without the blanks that fill a table's last column; they come along when a line is copied."""

    def write(self, text: str) -> int:
        """Write text, whole lines of it trimmed."""
        return sys.stdout.write(_PADDING.sub(lambda found: found[0].replace(" ", ""), text))

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)


def terminal() -> Console:
    """Standard output, for people; no line ends with blanks."""
    file = cast("IO[str]", _WithoutPadding())
    console = Console(file=file, highlight=False)
    # What is piped has no width of its own; rows that are cut at 80 columns would be of no use to `grep`.
    return console if console.is_terminal else Console(file=file, highlight=False, width=160)
