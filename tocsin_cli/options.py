"""Options that several sub-commands share: where the configuration lies, and times."""

from __future__ import annotations

import argparse
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.config.settings import Settings
from tocsin.core.model import Millis
from tocsin.core.problems import ConfigurationError
from tocsin_cli.configuration_folder import default_root, read_configuration


def add_root(parser: argparse.ArgumentParser) -> None:
    """Give a sub-command the option ``--root``."""
    parser.add_argument(
        "--root",
        type=Path,
        default=default_root(),
        help="the folder with tocsin.toml and signatures (default: %(default)s)",
    )


def load_or_exit(root: Path) -> Configuration:
    """The configuration; where it is wrong, its problems on standard error, one per line, and exit status 1."""
    try:
        return read_configuration(root, os.environ)
    except ConfigurationError as error:
        from tocsin_cli.authoring.locations import located

        for problem in error.problems:
            print(located(problem, root), file=sys.stderr)
        sys.exit(1)


_LATEST = 253_402_300_799_000  # the end of the year 9999, in milliseconds


_MAX_SECONDS = 100_000_000_000  # as milliseconds this is March 1973; as seconds, the year 5138


def parse_time(value: object) -> Millis | None:
    """Read a time: milliseconds or seconds since the epoch, ISO 8601 (UTC where no offset is given).

    Returns:
        Milliseconds since the epoch; None for what is not a time.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        millis = round(value * 1000) if abs(value) < _MAX_SECONDS else round(value)
        return millis if 0 <= millis <= _LATEST else None
    if not isinstance(value, str):
        return None
    text = value.strip()
    if re.fullmatch(r"\d{9,13}(?:\.\d+)?", text):
        return parse_time(float(text))
    return _iso(text.replace(",", "."))


def _iso(text: str) -> Millis | None:
    try:
        at = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    try:
        return round(at.timestamp() * 1000)
    except (OverflowError, ValueError):
        return None


def configuration_here(root: Any) -> Configuration:  # noqa: ANN401 - a path
    """The configuration of this checkout, for titles and severities; nothing of it where it is broken.

    What is deployed can be another version, and in an outage an incident must be shown whatever the checkout is like.
    """
    try:
        return read_configuration(root, os.environ)
    except ConfigurationError as error:
        first = str(error).partition("\n")[0]
        print(
            f"tocsin: titles and severities are left out, the configuration is broken: {first}",
            file=sys.stderr,
        )
        return Configuration({}, Settings())
