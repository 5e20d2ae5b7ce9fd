"""Options that several sub-commands share: where the configuration lies, and times."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.config.settings import Settings
from tocsin.core.problems import ConfigurationError
from tocsin_cli.configuration_folder import default_root, read_configuration
from tocsin_cli.shown_paths import shown


def add_root(parser: argparse.ArgumentParser) -> None:
    """Give a sub-command the option ``--root``."""
    parser.add_argument(
        "--root",
        type=Path,
        default=default_root(),
        help=f"the folder with tocsin.toml and signatures (default: {shown(default_root())})",
    )


def given_line(text: str) -> str:
    """A log line of the command line; all of standard input for ``-``."""
    if text != "-":
        return text
    return sys.stdin.buffer.read().decode("utf-8", "replace").rstrip("\r\n")


def configuration_here(root: Path) -> Configuration:
    """The configuration of this checkout, for titles and severities; nothing of it where it is broken.

    What is deployed can be another version, and in an outage an incident must be shown whatever the checkout is like.
    """
    try:
        return read_configuration(root)
    except ConfigurationError as error:
        first = str(error).partition("\n")[0]
        print(
            f"tocsin: titles and severities are left out, the configuration is broken: {first}",
            file=sys.stderr,
        )
        return Configuration({}, Settings())
