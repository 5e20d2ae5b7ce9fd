"""Which lines are unknown errors: the table ``errors`` of ``tocsin.toml``, and the keys of services about it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct

from tocsin.core.model import Level, Millis
from tocsin.core.problems import Problem
from tocsin.core.table_reader import TableReader
from tocsin.core.times import HOUR, parse_duration

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
    learning: Millis = 24 * HOUR
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


def read_error_settings(top: TableReader, overrides: Mapping[str, str]) -> ErrorSettings:
    """Read what ``tocsin.toml`` says about unknown errors.

    Args:
        top: The whole file.
        overrides: Environment variables; ``TOCSIN_ERRORS_LEARNING`` wins over ``errors.learning``.
    """
    given = top.subtable("errors")
    given.only(("tell", "level", "learning", "log_groups"))
    learning = ErrorSettings().learning
    try:
        span = overrides.get(LEARNING) or given.table.get("learning")
        learning = parse_duration(span) if span is not None else learning
    except ValueError as error:
        where = LEARNING if overrides.get(LEARNING) else top.file
        top.problems.append(Problem(where, "errors.learning", str(error)))
    services = top.table.get("services", {})
    entries = services if isinstance(services, dict) else {}
    own = {
        name: TableReader(top.file, f"services.{name}", entry, top)
        for name, entry in entries.items()
        if isinstance(entry, dict) and set(SERVICE_KEYS) & entry.keys()
    }
    log_groups = given.subtable("log_groups")
    return ErrorSettings(
        learning=learning,
        tell=given.choice("tell", ErrorMode, ErrorMode.NEW),
        level=given.choice("level", LEVELS, Level.ERROR),
        services=tuple(
            (name, entry.choice("errors", ErrorMode, None), entry.choice("error_level", LEVELS, None))
            for name, entry in own.items()
        ),
        log_groups=tuple(
            (glob, log_groups.choice(glob, ErrorMode, ErrorMode.NEW)) for glob in log_groups.table
        ),
    )
