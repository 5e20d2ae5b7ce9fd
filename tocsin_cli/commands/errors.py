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
from tocsin.core.errors.error_history import ErrorRecord
from tocsin.core.model import Millis
from tocsin.core.sanitize import one_line
from tocsin.core.times import DAY, iso_time, parse_duration
from tocsin.services.known_errors import KnownErrorRefusedError, take_as_known
from tocsin_cli.command_error import CommandError
from tocsin_cli.commands.silence import author
from tocsin_cli.stack.target import add_deployed, deployed
from tocsin_cli.terminal import pluralize, terminal

SHOWN_DAYS = 7
"""Days of the trend that people are shown."""
SHORT_ID = 8
"""Characters of an id that the table shows."""


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
    known.add_argument(
        "id", metavar="ID", help="the error's id, or enough of its beginning to be the only one"
    )
    known.add_argument("--for", dest="span", required=True, metavar="DURATION", help="how long, such as 30d")
    known.add_argument("--reason", required=True, help="why, for those who wonder")
    known.add_argument("--author", help="who (default: the name that git knows, else the user's)")
    known.add_argument("--json", action="store_true", help="print JSON")
    add_deployed(known)


def run(arguments: argparse.Namespace) -> int:
    """List, or take as known; 1 where that was refused, 2 where Tocsin cannot be asked."""
    now = time.time_ns() // 1_000_000
    with deployed(arguments) as tocsin:
        store = ErrorTable(tocsin.client, tocsin.table)
        if arguments.action == "known":
            return _take_as_known(store, arguments, now)
        records = store.of_service(arguments.service) if arguments.service else store.everything()
    records.sort(key=lambda record: record.last_seen, reverse=True)
    if arguments.json:
        print(json.dumps({"errors": list(map(error_report, records))}, indent=2, ensure_ascii=False))
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
            "until": iso_time(record.known_until),
            "by": record.known_by,
            "reason": record.known_reason,
            "until_it_escalates": record.until_it_escalates,
        }
        if record.known_until
        else None,
    }


class NoSuchErrorError(CommandError):
    """No error, or more than one, has an id that begins so; says which."""


def find_error(store: ErrorTable, beginning: str) -> ErrorRecord:
    """The one error whose id begins so.

    Args:
        store: Where they are kept.
        beginning: The beginning of its id.

    Raises:
        NoSuchErrorError: There is none, or more than one.
    """
    found = [record for record in store.everything() if beginning and record.id.startswith(beginning)]
    if len(found) == 1:
        return found[0]
    what = "more than one error has an id that begins" if found else "no error has an id that begins"
    raise NoSuchErrorError(f"{what} with {one_line(beginning)!r}; `tocsin errors` lists them")


def _take_as_known(store: ErrorTable, arguments: argparse.Namespace, now: Millis) -> int:
    found = find_error(store, arguments.id)
    try:
        span = parse_duration(arguments.span)
        record = take_as_known(
            store,
            found.service,
            found.id,
            span=span,
            author=arguments.author or author(),
            reason=arguments.reason,
            now=now,
        )
    except (ValueError, KnownErrorRefusedError) as error:
        print(f"tocsin errors: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(error_report(record), indent=2, ensure_ascii=False))
    else:
        print(f"{record.id} is known until {iso_time(record.known_until)}: {one_line(record.template)}")
    return 0


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
        state = record.state.value
        if record.known_until > now:
            state = f"{state} until {iso_time(record.known_until)[:10]} by {record.known_by}"
        cells = (
            record.id[:SHORT_ID],
            record.service,
            state,
            f"~{record.count:,}",
            iso_time(record.first_seen)[:16],
            iso_time(record.last_seen)[:16],
            trend,
            record.template,
        )
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    console = terminal()
    console.print(table)
    console.print(Text(f"{pluralize(len(records), 'unknown error')}; counts are approximate", "dim"))
