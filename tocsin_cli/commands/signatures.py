"""The signatures there are: severity, where each comes from, its status, and how much of the evidence it recognises.

And what people say of them: the lines that somebody in Slack marked as not an alert.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from tocsin.adapters.files.configuration import Configuration, read_overlay_file
from tocsin.core.sanitize import one_line
from tocsin.core.signatures.overlay import PACK_FOLDER
from tocsin_cli.configuration_folder import read_configuration, stands_alone
from tocsin_cli.options import add_root
from tocsin_cli.product import product_root, version
from tocsin_cli.stack.feedback import feedback
from tocsin_cli.stack.incident_history import IncidentHistory
from tocsin_cli.stack.target import add_deployed, deployed

_ROW = re.compile(r"^\| `(?P<id>[\w-]+)` \|[^|]*\|(?P<lines>[^|]*)\|[^|]*\|(?P<recall>[^|]*)\|", re.MULTILINE)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="one line for each signature")
    add_root(listing)
    listing.add_argument("--family", default="", metavar="NAME", help="only those of one file")
    listing.add_argument("--json", action="store_true", help="print JSON")
    marked = actions.add_parser(
        "feedback",
        help="the lines that people marked in Slack as not an alert, as JSON lines",
        description="The lines that people marked in Slack as not an alert, redacted, as JSON lines: what belongs into "
        "the ignores of their signatures. Reads the whole table.",
    )
    add_deployed(marked)


def run(arguments: argparse.Namespace) -> int:
    """List them, or what people say of them; 2 where there is no such family, or Tocsin cannot be asked."""
    if arguments.action == "feedback":
        return _feedback(arguments)
    configuration = read_configuration(arguments.root)
    rows = listed(arguments.root, configuration)
    if arguments.family:
        families = sorted({row["family"] for row in rows})
        rows = [row for row in rows if row["family"] == arguments.family]
        if not rows:
            known = ", ".join(families)
            print(f"tocsin signatures: no family {arguments.family!r}; there are {known}", file=sys.stderr)
            return 2
    if arguments.json:
        print(json.dumps({"pack": version(), "signatures": rows}, indent=2))
        return 0
    columns = ("id", "severity", "source", "status", "family", "recall")
    widths = [max(len(column), *(len(row[column]) for row in rows)) for column in columns]
    print(f"pack {version()}, {len(rows)} signatures")
    for row in ({column: column for column in columns}, *rows):
        print("  ".join(f"{row[c]:<{width}}" for c, width in zip(columns, widths, strict=True)).rstrip())
    return 0


def _feedback(arguments: argparse.Namespace) -> int:
    with deployed(arguments) as tocsin:
        history = IncidentHistory(tocsin.client, tocsin.table)
        for entry in feedback(history.everything()):
            print(json.dumps(entry, ensure_ascii=False))
    for problem in history.unreadable:
        print(f"tocsin signatures: cannot be read: {one_line(problem)}", file=sys.stderr)
    return 0


def listed(root: Path, configuration: Configuration) -> list[dict[str, str]]:
    """What is said of each signature.

    Args:
        root: The configuration folder.
        configuration: What it holds.
    """
    overlay, _ = read_overlay_file(root)
    overridden = set(overlay.overrides) if overlay else set()
    recall = {
        found["id"]: found["recall"].strip() or found["lines"].strip()
        for found in _ROW.finditer(_evidence().read_text("utf-8"))
    }
    rows = []
    for rule in configuration.signatures.values():
        brought = stands_alone(root) or rule.file.startswith(f"{PACK_FOLDER}/")
        source = "overridden" if rule.id in overridden else "pack" if brought else "own"
        rows.append(
            {
                "id": rule.id,
                "severity": rule.severity.value,
                "source": source,
                "status": rule.status.value,
                "family": Path(rule.file).stem,
                "recall": recall.get(rule.id, "-") if source != "own" else "-",
            }
        )
    return rows


def _evidence() -> Path:
    return product_root() / "docs" / "evidence.md"
