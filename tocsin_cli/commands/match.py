"""Say which signatures recognise log lines.

With ``--jsonl``, one JSON object per line in (``message``, optional ``logGroup``, ``timestamp``) and one per line out, in
order. Without it, plain text lines in, and for people a view of those that match, with what matched highlighted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.absence.expected_lines import ExpectedLines
from tocsin.core.matching.logline import read_line
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.unknown_error import ErrorFinder, WithUnknownErrors
from tocsin.core.model import Match
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.event_lines import answered, write_answers
from tocsin_cli.options import add_root
from tocsin_cli.unexplained import Unexplained, lines_about


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "file", nargs="?", help="a file of text lines, one event each; - or nothing for standard input"
    )
    parser.add_argument(
        "--jsonl", metavar="FILE", help="a file of JSON objects, one per line; - for standard input"
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object: lines, recognised, what nothing explains"
    )
    parser.add_argument(
        "--whole", action="store_true", help="take the whole text as one event (a pasted traceback)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Match; 1 where an input line was not an object with a message."""
    configuration = read_configuration(arguments.root)
    with contextlib.ExitStack() as stack:
        source = open_input(arguments.jsonl or arguments.file or "-", stack)
        if arguments.jsonl:
            return write_answers(answers(configuration, source))
        if arguments.json:
            print(
                json.dumps(
                    summary(configuration, _events(source, whole=arguments.whole)),
                    indent=2,
                    ensure_ascii=False,
                )
            )
            return 0
        return _readable(configuration, _events(source, whole=arguments.whole))


def open_input(name: str, stack: contextlib.ExitStack) -> BinaryIO:
    """The file of this name, closed with the stack; ``-`` is standard input. Leaves with 2 where it cannot be read."""
    if name == "-":
        return sys.stdin.buffer
    try:
        return stack.enter_context(Path(name).open("rb"))
    except OSError as error:
        print(f"{name}: {error.strerror}", file=sys.stderr)
        sys.exit(2)


def answers(configuration: Configuration, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """One answer per input line, as it is read.

    Args:
        configuration: The signatures and services.
        lines: JSON objects as bytes, one per line.

    Returns:
        ``{"index": 0, "matches": [{"signature": "…", "fields": {…}}]}``; for a line that is not an object with a
        ``message``, the same with no matches and an ``error``. An error that no signature explains is answered as
        ``unknown-error`` with its template. A line that a signature with ``source = "absence"`` waits for also has ``signs``: ``[{"signature": "…", "shows": "sign of life"}]``.
    """
    recogniser = WithUnknownErrors(
        Matcher(configuration.signatures), error_finder(configuration), configuration.settings.is_strict
    )
    expected_lines = ExpectedLines(configuration.signatures, configuration.settings.service_of_log_group)

    def answer(message: str, log_group: str) -> dict[str, Any]:
        service = configuration.settings.service_of_log_group(log_group) if log_group else ""
        found = recogniser.match(message, log_group=log_group, service=service)
        said: dict[str, Any] = {
            "matches": [{"signature": match.signature, "fields": _printable(match)} for match in found]
        }
        # No failures, and so no matches: what a signature with source = "absence" waits for, or takes for work.
        if signs := expected_lines.shown(message, log_group=log_group, service=service):
            said["signs"] = [{"signature": name, "shows": sign.value} for name, sign, _ in signs]
        return said

    return answered(lines, answer, {"matches": []})


def error_finder(configuration: Configuration) -> ErrorFinder:
    """Finds the errors that no signature of this configuration explains."""
    settings = configuration.settings
    return ErrorFinder(configuration.signatures, settings.errors, settings.redaction)


def _printable(match: Match) -> dict[str, str]:
    """Fields that can be written: a lone half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes ``?``."""
    return {name: value.encode("utf-8", "replace").decode() for name, value in match.fields.items()}


# --- for people -----------------------------------------------------------------------------------------------------


def _events(source: BinaryIO, *, whole: bool) -> Iterator[str]:
    for raw in [source.read()] if whole else source:
        yield raw.decode("utf-8", "replace").rstrip("\r\n")


def summary(
    configuration: Configuration,
    messages: Iterable[str],
    show: Callable[[int, str, list[Match]], None] = lambda *_: None,
) -> dict[str, Any]:
    """What is recognised in lines, counted: ``lines``, ``recognised``, ``signatures`` and ``unexplained``.

    Args:
        configuration: The signatures.
        messages: The lines.
        show: Called with the number of each line from 1, the line, and what is recognised in it.
    """
    matcher, errors = Matcher(configuration.signatures), error_finder(configuration)
    unexplained = Unexplained(configuration.settings.redaction)
    signatures = Counter[str]()
    looked = recognised = 0
    for looked, message in enumerate(messages, start=1):
        found = matcher.match(message)
        recognised += bool(found)
        signatures.update(match.signature for match in found)
        if unknown := errors.unexplained(message, found):
            unexplained.add(unknown, message)
        show(looked, message, found)
    return {
        "lines": looked,
        "recognised": recognised,
        "signatures": dict(signatures.most_common()),
        "unexplained": unexplained.report(),
    }


def _readable(configuration: Configuration, messages: Iterable[str]) -> int:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    expected_lines = ExpectedLines(configuration.signatures, configuration.settings.service_of_log_group)
    signs = Counter[str]()

    def show(number: int, message: str, found: list[Match]) -> None:
        signs.update(f"{sign} for {name}" for name, sign, _ in expected_lines.shown(message))
        if not found:
            return
        text = Text(read_line(message).text)
        for match in found:
            text.stylize("bold reverse", match.start, match.end)
            signature = configuration.signatures[match.signature]
            title = f"  {signature.severity}  {signature.title}"
            console.print(Text.assemble((f"{number}: ", "dim"), (match.signature, "bold"), title))
        console.print(Text("   ").append_text(text))
        for name, value in {name: value for match in found for name, value in match.fields.items()}.items():
            console.print(Text.assemble(("   " + name + " = ", "dim"), value))

    counted = summary(configuration, messages, show)
    for sign, count in signs.items():
        console.print(Text(f"{count} × {sign}, which is no failure", "dim"))
    console.print(Text(f"{counted['recognised']} of {counted['lines']} lines recognised", "dim"))
    for line in lines_about(counted["unexplained"]):
        console.print(Text(line))
    return 0
