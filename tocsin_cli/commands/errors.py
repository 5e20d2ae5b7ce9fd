"""The errors that no signature explains, of a deployed stack or of `tocsin local`: what is news, and what is known.

Counts are approximate: of each error one sighting a minute is written at most.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from tocsin.adapters.aws.error_table import ErrorTable
from tocsin.core.errors.error_history import DAY, ErrorRecord, taken_as_known
from tocsin.core.model import Millis
from tocsin.core.redaction.sample import field_value
from tocsin.core.sanitize import one_line
from tocsin.core.times import iso_time, parse_duration
from tocsin_cli.commands.silence import author
from tocsin_cli.stack.target import DeployedError, add_deployed, deployed
from tocsin_cli.terminal import many, terminal

MAX_SPAN: Millis = 365 * DAY
"""The longest time for which somebody can say that an error is known."""
TRIES = 5
"""How often a decree is tried again because a sighting was written first."""
SHOWN_DAYS = 7
"""Days of the trend that people are shown."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options and the sub-command."""
    parser.add_argument("--service", metavar="NAME", help="only this service")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_deployed(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    known = actions.add_parser(
        "known",
        help="take an error as known until a time",
        description="Take an error as known until a time.",
    )
    known.add_argument("id", metavar="ID", help="the error's id, or enough of its beginning to tell it")
    known.add_argument("--for", dest="span", required=True, metavar="DURATION", help="how long, such as 30d")
    known.add_argument("--reason", required=True, help="why, for those who wonder")
    known.add_argument("--author", help="who (default: the name that git knows, else the user's)")
    add_deployed(known)


def run(arguments: argparse.Namespace) -> int:
    """List, or take as known; 1 where that was refused, 2 where Tocsin cannot be asked."""
    now = time.time_ns() // 1_000_000
    try:
        with deployed(arguments) as tocsin:
            store = ErrorTable(tocsin.client, tocsin.table)
            if arguments.action == "known":
                return _take_as_known(store, arguments, now)
            records = store.of_service(arguments.service) if arguments.service else store.everything()
    except DeployedError as error:
        print(f"tocsin errors: {one_line(str(error))}", file=sys.stderr)
        return 2
    records.sort(key=lambda record: record.last_seen, reverse=True)
    if arguments.json:
        print(
            json.dumps({"errors": [error_report(record) for record in records]}, indent=2, ensure_ascii=False)
        )
    else:
        _show(records, now)
    return 0


def error_report(record: ErrorRecord) -> dict[str, Any]:
    """An unknown error as ``tocsin errors --json`` writes it; the count is approximate.

    Args:
        record: What is known of it.
    """
    return {
        "id": record.id,
        "template": record.template,
        "service": record.service,
        "state": record.state.value,
        "count": record.count,
        "first_seen": iso_time(record.first_seen),
        "last_seen": iso_time(record.last_seen),
        "trend": [{"day": iso_time(day * DAY)[:10], "count": count} for day, count in record.days],
        "example": record.example,
        "log_group": record.log_group,
        "known": {
            "until": iso_time(record.known_until), "by": record.known_by, "reason": record.known_reason
        } if record.known_until else None,
    }  # fmt: skip


def find_error(store: ErrorTable, beginning: str) -> ErrorRecord | None:
    """The one error whose id begins so; None, said on standard error, where there is none or more than one.

    Args:
        store: Where they are kept.
        beginning: The beginning of its id.
    """
    found = [record for record in store.everything() if record.id.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    what = "more than one error has an id that begins" if found else "no error has an id that begins"
    print(f"tocsin errors: {what} with {one_line(beginning)!r}; `tocsin errors` lists them", file=sys.stderr)
    return None


def _take_as_known(store: ErrorTable, arguments: argparse.Namespace, now: Millis) -> int:
    try:
        span = parse_duration(arguments.span)
    except ValueError as error:
        print(f"tocsin errors: --for: {error}", file=sys.stderr)
        return 1
    if not 0 < span <= MAX_SPAN:
        print("tocsin errors: --for must be longer than nothing, and a year at most", file=sys.stderr)
        return 1
    by, reason = (field_value(text) for text in (arguments.author or author(), arguments.reason))
    record = find_error(store, arguments.id)
    for _ in range(TRIES):
        if record is None:
            return 1
        if store.put(taken_as_known(record, now + span, by, reason)):
            print(f"{record.id} is known until {iso_time(now + span)}: {one_line(record.template)}")
            return 0
        record = store.get(record.service, record.id)
    print("tocsin errors: it is written to all the time; try again", file=sys.stderr)
    return 1


def _show(records: list[ErrorRecord], now: Millis) -> None:
    from rich.table import Table
    from rich.text import Text

    if not records:
        print("No unknown error is kept.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "service", "state", "count", "first seen", "last seen", "7 days", "template"):
        table.add_column(heading, header_style="dim", overflow="fold")
    today = now // DAY
    for record in records:
        days = dict(record.days)
        trend = " ".join(str(days.get(today - back, 0)) for back in reversed(range(SHOWN_DAYS)))
        state = f"{record.state} by {record.known_by}" if record.known_until > now else record.state.value
        first, last = iso_time(record.first_seen)[:16], iso_time(record.last_seen)[:16]
        cells = (
            record.id[:8],
            record.service,
            state,
            f"~{record.count:,}",
            first,
            last,
            trend,
            record.template,
        )
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    console = terminal()
    console.print(table)
    console.print(Text(f"{many(len(records), 'unknown error')}; counts are approximate", "dim"))
