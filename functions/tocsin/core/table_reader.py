"""A table of a TOML file that people write, read value by value: what is wrong is gathered, so that all is said at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from tocsin.core.expressions import checked_expression
from tocsin.core.model import Millis
from tocsin.core.problems import Problem, did_you_mean
from tocsin.core.times import parse_duration

_Word = TypeVar("_Word", bound=str)
_Default = TypeVar("_Default")


class TableReader:
    """Reads one table; a value that is wrong becomes a problem, and reads as if it were not there.

    Args:
        file: The file, for the problems.
        key: The table's own dotted key in it; empty for the whole file.
        table: What TOML made of it.
        within: The reader of the table that it is in, whose problems they are too.

    Attributes:
        problems: What was found wrong so far.
    """

    def __init__(
        self, file: str, key: str, table: Mapping[str, Any], within: TableReader | None = None
    ) -> None:
        self.file, self.key, self.table = file, key, table
        self.problems: list[Problem] = within.problems if within else []

    def wrong(self, key: str, reason: str) -> None:
        """Add a problem with one key of the table, or with an empty key of the table itself."""
        self.problems.append(Problem(self.file, self._dotted(key), reason))

    def only(self, known: Iterable[str]) -> None:
        """Refuse every key that is not one of these."""
        known = tuple(known)
        for key in self.table:
            if key not in known:
                are = f"{'is' if len(known) == 1 else 'are'} {', '.join(known)}"
                self.wrong(key, f"unknown key{did_you_mean(key, known)}; known {are}")

    def subtable(self, key: str) -> TableReader:
        """The table within this one; an empty one where it is missing."""
        table = self.table.get(key, {})
        if not isinstance(table, dict):
            self.wrong(key, f"must be a table, is {table!r}")
            table = {}
        return TableReader(self.file, f"{self.key}.{key}" if self.key else key, table, self)

    def subtables(self) -> Iterator[tuple[str, TableReader]]:
        """Every key with the table that it has."""
        return ((key, self.subtable(key)) for key in self.table)

    def flag(self, key: str) -> bool:
        """True or false; false where it is missing."""
        value = self.table.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, f"must be true or false, is {value!r}")
            return False
        return value

    def choice(self, key: str, words: Iterable[_Word], default: _Default) -> _Word | _Default:
        """The one of these words that the value is."""
        value, words = self.table.get(key), tuple(words)
        for word in words:
            if word == value:
                return word
        if value is not None:
            self.wrong(key, f"must be one of {', '.join(words)}, is {value!r}")
        return default

    def strings(self, key: str, what: str = "strings") -> tuple[str, ...]:
        """A list of texts that are not empty; none where it is missing.

        Args:
            key: The key.
            what: What they are, for the problem.
        """
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) and entry for entry in value):
            self.wrong(key, f"must be a list of {what}, is {value!r}")
            return ()
        return tuple(value)

    def expressions(self, key: str) -> tuple[str, ...]:
        """A list of RE2 expressions that find something, and not everything."""
        expressions = self.strings(key)
        for number, expression in enumerate(expressions):
            empty = "matches the empty line, so it would match every line"
            for reason in checked_expression(expression, empty)[1]:
                self.wrong(f"{key}[{number}]", reason)
        return expressions

    def duration(self, key: str, default: _Default) -> Millis | _Default:
        """A span of time such as ``5m``."""
        try:
            return parse_duration(self.table[key]) if key in self.table else default
        except ValueError as error:
            self.wrong(key, str(error))
            return default

    def _dotted(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key and key else self.key or key
