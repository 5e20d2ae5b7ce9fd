"""The incidents of a deployed stack, or of `tocsin local`: which are open, and all that is known of one."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.adapters.files.configuration import Configuration
from tocsin.core.incidents.incident import Incident
from tocsin.core.matching.unknown_error import with_unknown_error
from tocsin.core.model import Millis
from tocsin.core.sanitize import one_line
from tocsin_cli.options import add_root, configuration_here
from tocsin_cli.stack.incident_history import IncidentHistory
from tocsin_cli.stack.incident_json import incident_details, incident_report, silence_report
from tocsin_cli.stack.target import Deployed, add_deployed, deployed


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the open incidents", description="The open incidents.")
    listing.add_argument(
        "--all",
        action="store_true",
        help="also those that are over and still kept (90 days); reads the whole table",
    )
    listing.add_argument(
        "--service", metavar="NAME", help="only this service; with --all one query is enough"
    )
    showing = actions.add_parser(
        "show", help="all that is known of one incident", description="All that is known of one incident."
    )
    showing.add_argument(
        "incident", metavar="ID|SERVICE", help="an incident's id, or a service: its latest incident"
    )
    for each in (listing, showing):
        each.add_argument(
            "--json", action="store_true", help="print the JSON that docs/silences.md describes"
        )
        add_deployed(each)
        add_root(each)


def run(arguments: argparse.Namespace) -> int:
    """List or show; 1 where there is no such incident, 2 where Tocsin cannot be asked."""
    now = time.time_ns() // 1_000_000
    config = configuration_here(arguments.root)
    config = config._replace(signatures=with_unknown_error(config.signatures))
    with deployed(arguments) as tocsin:
        history = IncidentHistory(tocsin.client, tocsin.table)
        status = (_list if arguments.action == "list" else _show)(arguments, tocsin, history, config, now)
    for problem in history.unreadable:
        print(f"tocsin incidents: cannot be read: {one_line(problem)}", file=sys.stderr)
    return status


def _list(
    arguments: argparse.Namespace,
    tocsin: Deployed,
    history: IncidentHistory,
    config: Configuration,
    now: Millis,
) -> int:
    incidents = _chosen(arguments, history, config)
    silences = IncidentTable(tocsin.client, tocsin.table).silences()
    reports = [incident_report(incident, now, silences, config.signatures) for incident in incidents]
    if arguments.json:
        print(json.dumps({"incidents": reports}, indent=2))
        return 0
    from tocsin_cli.stack.incident_tables import show_incidents
    from tocsin_cli.terminal import terminal

    if reports:
        show_incidents(reports, now, terminal())
    else:
        of = f" of {one_line(arguments.service)}" if arguments.service else ""
        print(f"No incident{of} is kept." if arguments.all else f"No incident{of} is open.")
    return 0


def _chosen(arguments: argparse.Namespace, history: IncidentHistory, config: Configuration) -> list[Incident]:
    if arguments.service:
        if arguments.all:
            return history.of_service(arguments.service)
        current = history.current(arguments.service)
        return [current] if current and current.resolved_at is None else []
    if arguments.all:
        return history.everything()
    return history.open_incidents(service.name for service in config.settings.services)


def _show(
    arguments: argparse.Namespace,
    tocsin: Deployed,
    history: IncidentHistory,
    config: Configuration,
    now: Millis,
) -> int:
    incident = history.current(arguments.incident) or history.by_id(arguments.incident)
    if incident is None:
        print(
            f"tocsin incidents: {tocsin.name} has no incident and no service {one_line(arguments.incident)!r}; "
            "`tocsin incidents list --all` lists them",
            file=sys.stderr,
        )
        return 1
    silences = IncidentTable(tocsin.client, tocsin.table).silences()
    report = incident_details(incident, now, silences, config.signatures, history.deliveries(incident.id))
    if arguments.json:
        print(json.dumps(report, indent=2))
        return 0
    from tocsin_cli.stack.incident_tables import show_incident
    from tocsin_cli.terminal import terminal

    muting: Mapping[str, Any] = {silence.id: silence_report(silence, now, [incident]) for silence in silences}
    show_incident(report, muting, now, terminal())
    return 0
