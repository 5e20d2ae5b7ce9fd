"""Show what people would see of log lines: secrets and personal data hidden, by the rules of this configuration.

Each line of FILE is one log event. On a terminal what is hidden is in colour. With ``--jsonl`` each line is a JSON object
with ``message`` (optional: ``logGroup``), and so is each line that is written, in order: the text that is shown, and each
find with its rule and its place in the message, counted in characters after what is invisible has been dropped.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from tocsin.adapters.files.settings_file import load_settings
from tocsin.core.config.settings import Settings
from tocsin.core.redaction.redact import Hidden, redact_with_finds
from tocsin.core.redaction.sample import WITHHELD, normalise
from tocsin_cli.commands.match import open_input
from tocsin_cli.event_lines import answered, write_answers
from tocsin_cli.options import add_root


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="- or nothing for standard input"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="show only what is known to be harmless, as redaction = strict does",
    )
    parser.add_argument("--jsonl", action="store_true", help="read and write one JSON object per line")


def run(arguments: argparse.Namespace) -> int:
    """Redact; 1 where an input line was not an object with a message."""
    settings = load_settings(arguments.root, os.environ)
    with contextlib.ExitStack() as stack:
        source = open_input(arguments.file, stack)
        if arguments.jsonl:
            return write_answers(answers(settings, source, strict=arguments.strict))
        _readable(settings, source, strict=arguments.strict)
    return 0


def answers(settings: Settings, lines: Iterable[bytes], *, strict: bool) -> Iterator[dict[str, Any]]:
    """One answer per input line, as it is read.

    Args:
        settings: The rules of one's own, and which log groups are strict.
        lines: JSON objects as bytes, one per line.
        strict: Whether all are.

    Returns:
        ``{"index": 0, "text": "…", "hidden": [{"rule": "…", "start": 0, "end": 8}]}``; for a line that is not an object
        with a ``message``, an empty text and an ``error``. A text that could not be looked at is withheld.
    """

    def answer(message: str, log_group: str) -> dict[str, Any]:
        service = settings.service_of_log_group(log_group) if log_group else ""
        text, finds = _shown(settings, message, strict=strict or settings.is_strict(service, log_group))
        hidden = [{"rule": find.name, "start": find.start, "end": find.end} for find in finds]
        return {"text": text, "hidden": hidden}

    return answered(lines, answer, {"text": "", "hidden": []})


def _shown(settings: Settings, message: str, *, strict: bool) -> tuple[str, list[Hidden]]:
    try:
        return redact_with_finds(normalise(message), settings.redaction, strict=strict)
    except Exception:
        return WITHHELD, []


def _readable(settings: Settings, source: BinaryIO, *, strict: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for raw in source:
        shown, _ = _shown(settings, raw.decode("utf-8", "replace").rstrip("\r\n"), strict=strict)
        text = Text(shown)
        text.highlight_regex(r"\[(?:REDACTED|CUT):[^\]\n]*\]|…", "bold magenta")
        console.print(text)
