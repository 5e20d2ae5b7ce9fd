"""Which lines are unknown errors: the table ``errors`` of ``tocsin.toml``, and the keys of services about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from msgspec import Struct

from tocsin.core.model import Level, Millis
from tocsin.core.problems import Problem, did_you_mean
from tocsin.core.times import parse_duration

LEARNING = "TOCSIN_ERRORS_LEARNING"
"""The environment variable that wins over ``errors.learning``."""
SERVICE_KEYS = ("errors", "error_level")
"""What a service may say about its own errors."""
LEVELS = (Level.WARNING, Level.ERROR, Level.CRITICAL)
"""What may be the lowest level that counts."""


class ErrorMode(StrEnum):
    """Whether errors that no signature explains are looked for."""

    NEW = "new"
    OFF = "off"


class ErrorSettings(Struct, frozen=True):
    """What is an unknown error where.

    Attributes:
        tell: Whether they are looked for where nothing else is said.
        level: The lowest level that counts where nothing else is said.
        learning: How long after its first run every new error goes to one digest, and is known from then on.
        services: What services say for themselves: mode and level, None for nothing.
        log_groups: Globs of log groups and what is said of them, in the order they are tried; wins over services.
    """

    tell: ErrorMode = ErrorMode.NEW
    level: Level = Level.ERROR
    learning: Millis = 24 * 3_600_000
    services: tuple[tuple[str, ErrorMode | None, Level | None], ...] = ()
    log_groups: tuple[tuple[str, ErrorMode], ...] = ()

    def level_of(self, service: str, log_group: str) -> Level | None:
        """The lowest level that counts here; None where unknown errors are not looked for.

        Args:
            service: The service; empty where it is not known.
            log_group: The log group, likewise.
        """
        mode, level = self.tell, self.level
        for name, own_mode, own_level in self.services:
            if name == service:
                mode, level = own_mode or mode, own_level or level
        mode = next((said for glob, said in self.log_groups if fnmatchcase(log_group, glob)), mode)
        return level if mode is ErrorMode.NEW else None

    @property
    def lowest(self) -> Level | None:
        """The lowest level that counts anywhere; None where unknown errors are looked for nowhere."""
        modes = (self.tell, *(mode for _, mode, _ in self.services), *(mode for _, mode in self.log_groups))
        if ErrorMode.NEW not in modes:
            return None
        levels = (self.level, *(level for _, _, level in self.services if level))
        return min(levels, key=lambda level: level.rank)


def read_error_settings(
    data: Mapping[str, Any], overrides: Mapping[str, str], file: str, problems: list[Problem]
) -> ErrorSettings:
    """Read what ``tocsin.toml`` says about unknown errors.

    Args:
        data: The whole file.
        overrides: Environment variables; ``TOCSIN_ERRORS_LEARNING`` wins over ``errors.learning``.
        file: Its name, for problems.
        problems: What is wrong is added here.
    """
    table = data.get("errors", {})
    if not isinstance(table, dict):
        problems.append(Problem(file, "errors", f"must be a table, is {table!r}"))
        return ErrorSettings()
    known = ("tell", "level", "learning", "log_groups")
    problems += [
        Problem(file, f"errors.{key}", f"unknown key{did_you_mean(key, known)}; known are {', '.join(known)}")
        for key in table
        if key not in known
    ]
    groups = table.get("log_groups", {})
    if not isinstance(groups, dict):
        problems.append(Problem(file, "errors.log_groups", f"must be a table, is {groups!r}"))
        groups = {}
    services = data.get("services", {})
    entries = services.items() if isinstance(services, dict) else ()

    def mode(key: str, value: object) -> ErrorMode | None:
        return _one_of(tuple(ErrorMode), key, value, file, problems)

    def level(key: str, value: object) -> Level | None:
        return _one_of(LEVELS, key, value, file, problems)

    learning = ErrorSettings().learning
    try:
        given = overrides.get(LEARNING) or table.get("learning")
        learning = parse_duration(given) if given is not None else learning
    except ValueError as error:
        problems.append(Problem(LEARNING if overrides.get(LEARNING) else file, "errors.learning", str(error)))

    return ErrorSettings(
        learning=learning,
        tell=mode("errors.tell", table.get("tell")) or ErrorMode.NEW,
        level=level("errors.level", table.get("level")) or Level.ERROR,
        services=tuple(
            (
                name,
                mode(f"services.{name}.errors", entry.get("errors")),
                level(f"services.{name}.error_level", entry.get("error_level")),
            )
            for name, entry in entries
            if isinstance(entry, dict) and set(SERVICE_KEYS) & entry.keys()
        ),
        log_groups=tuple(
            (glob, mode(f'errors.log_groups."{glob}"', value) or ErrorMode.NEW)
            for glob, value in groups.items()
        ),
    )


_Word = TypeVar("_Word", bound=StrEnum)


def _one_of(
    words: tuple[_Word, ...], key: str, value: object, file: str, problems: list[Problem]
) -> _Word | None:
    """The word that a value names; None where there is none, or another, which is a problem."""
    found = next((word for word in words if word == value), None)
    if value is not None and found is None:
        problems.append(Problem(file, key, f"must be one of {', '.join(words)}, is {value!r}"))
    return found
