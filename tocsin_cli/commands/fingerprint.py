"""Say by which template an error of these lines would be known, if no signature explains it."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.matching.error_masking import error_template
from tocsin_cli.commands.match import open_input
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.event_lines import answered, write_answers
from tocsin_cli.options import add_root


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "--jsonl",
        metavar="FILE",
        required=True,
        help="a file of JSON objects with a message, one per line; - for standard input",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one answer per input line; 1 where one was not an object with a message."""
    configuration = read_configuration(arguments.root)
    with contextlib.ExitStack() as stack:
        return write_answers(answers(configuration, open_input(arguments.jsonl, stack)))


def template_fingerprint(template: str) -> str:
    """The id of a template: 16 hexadecimal characters."""
    return hashlib.sha256(template.encode("utf-8", "replace")).hexdigest()[:16]


def answers(configuration: Configuration, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """One answer per input line, as it is read.

    Args:
        configuration: Its rules of redaction come before the template.
        lines: JSON objects as bytes, one per line.

    Returns:
        ``{"index": 0, "fingerprint": "…", "template": "…"}``; for a line that is not an object with a ``message``,
        ``index`` and ``error``.
    """

    def answer(message: str, _log_group: str) -> dict[str, str]:
        template = error_template(message, configuration.settings.redaction)
        return {"fingerprint": template_fingerprint(template), "template": template}

    return answered(lines, answer, {})
