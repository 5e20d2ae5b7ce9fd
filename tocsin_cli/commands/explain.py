"""Say why a log line is recognised, or is not: which signatures looked, which matched, which was suppressed and why."""

from __future__ import annotations

import argparse
import json

from msgspec.structs import replace

from tocsin.core.absence.expected_lines import ExpectedLines, Sign
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.verdicts import Explanation, Verdict
from tocsin_cli.commands.match import error_finder
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.options import add_root, given_line


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument("line", metavar="LINE", help="the log line; - for standard input")
    parser.add_argument(
        "--log-group", default="", help="the log group it is from, for signatures with a scope"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Explain one line; 0 where a signature recognises it or waits for it, or it is an unknown error; else 3."""
    configuration = read_configuration(arguments.root)
    line = given_line(arguments.line)
    group = arguments.log_group
    service = configuration.settings.service_of_log_group(group) if group else ""
    explanation = Matcher(configuration.signatures).explain(line, log_group=group, service=service)
    found = [each.match for each in explanation.verdicts if each.outcome == "matched" and each.match]
    unknown = error_finder(configuration).unexplained(line, found, log_group=group, service=service)
    why = "says it is an error, and no signature explains it"
    errors = (Verdict(unknown.signature, "matched", why, unknown),) if unknown else ()
    expected_lines = ExpectedLines(configuration.signatures, configuration.settings.service_of_log_group)
    signs = expected_lines.explain(line, log_group=group, service=service)
    explanation = replace(
        explanation,
        literals=(*explanation.literals, *signs.literals),
        verdicts=(*errors, *explanation.verdicts, *signs.verdicts),
    )
    if arguments.json:
        print(json.dumps(_as_json(explanation), indent=2, ensure_ascii=False))
    else:
        _show(explanation)
    known = {"matched", *Sign}
    return 0 if any(verdict.outcome in known for verdict in explanation.verdicts) else 3


def _as_json(explanation: Explanation) -> dict[str, object]:
    return {
        "text": explanation.line.text,
        "level": explanation.line.level,
        "json": explanation.line.is_json,
        "literals": list(explanation.literals),
        "verdicts": [
            {
                "signature": verdict.signature,
                "outcome": verdict.outcome,
                "detail": verdict.detail,
                "fields": dict(verdict.match.fields) if verdict.match else {},
            }
            for verdict in explanation.verdicts
        ],
    }


def _show(explanation: Explanation) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    text = Text(explanation.line.text)
    for verdict in explanation.verdicts:
        if verdict.match is not None and verdict.match.end:
            style = "bold reverse" if verdict.outcome in {"matched", *Sign} else "underline"
            text.stylize(style, verdict.match.start, verdict.match.end)
    console.print(Text("Read as   ", "dim").append_text(text))
    console.print(Text(f"Level     {explanation.line.level or 'none stated'}", "dim"))
    console.print(
        Text(f"Literals  {', '.join(explanation.literals) or 'none: no signature looks at this line'}", "dim")
    )
    if not explanation.verdicts:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("signature", "outcome", "why", "fields"):
        table.add_column(heading, header_style="dim", overflow="fold")
    for verdict in explanation.verdicts:
        fields = (
            ", ".join(f"{name}={value}" for name, value in verdict.match.fields.items())
            if verdict.match
            else ""
        )
        style = "bold" if verdict.outcome in {"matched", *Sign} else ""
        table.add_row(
            *(Text(cell, style) for cell in (verdict.signature, verdict.outcome, verdict.detail, fields))
        )
    console.print(table)
