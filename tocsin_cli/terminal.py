"""How tables for people look on a terminal: colours of severities, numbers with their nouns, the width."""

from __future__ import annotations

from rich.console import Console

LOOKS = {"critical": "bold red", "high": "bold dark_orange", "medium": "bold yellow", "low": "bold blue"}


def pluralize(count: int, noun: str) -> str:
    """A number with its noun: ``1 line``, ``14,302 lines``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def terminal() -> Console:
    """Standard output, for people."""
    console = Console(highlight=False)
    # What is piped has no width of its own; rows that are cut at 80 columns would be of no use to `grep`.
    return console if console.is_terminal else Console(highlight=False, width=160)
