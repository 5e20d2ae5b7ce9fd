"""What is wrong with configuration, said so that it can be fixed: file, key, reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self


class Problem(NamedTuple):
    """One mistake in the configuration.

    Attributes:
        file: The file, relative to the deployment root.
        key: The dotted key within it; empty when the file as a whole is meant.
        reason: What is wrong and, where it helps, what would be right.
    """

    file: str
    key: str
    reason: str

    def __str__(self) -> str:
        """The promised form, one line: ``file: key: reason``."""
        return f"{self.file}: {self.key or '-'}: {self.reason}".replace("\n", " ")


class ConfigurationError(Exception):
    """Configuration that must not run; says every problem at once, one per line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))

    @classmethod
    def of(cls, file: str, key: str, reason: str) -> Self:
        """An error with a single problem."""
        return cls((Problem(file, key, reason),))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``" (did you mean severity?)"`` where one of the known words is much like it; else nothing."""
    import difflib

    close = difflib.get_close_matches(word, sorted(known), n=1, cutoff=0.7)
    return f" (did you mean {close[0]}?)" if close else ""
