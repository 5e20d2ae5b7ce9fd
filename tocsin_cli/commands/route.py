"""Say where an alert would be sent: the way through the routes of tocsin.toml, the destination, its secret, whom it calls.

Of labels (`--labels severity=critical,service=worker`), or of a signature, whose severity and owner are looked up.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from tocsin.adapters.files.configuration import Configuration
from tocsin.core.config.routing import ALONE, DEFAULT, LABELS, Route, RouteMatch, Routing
from tocsin.core.matching.unknown_error import with_unknown_error
from tocsin.core.model import Severity
from tocsin.core.problems import did_you_mean
from tocsin.core.slack.mrkdwn import call
from tocsin_cli.authoring.advice import unknown_service
from tocsin_cli.command_error import CommandError
from tocsin_cli.configuration_folder import read_configuration
from tocsin_cli.options import add_root


class LabelsError(CommandError):
    """These are no labels of an alert; says why."""

    status = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "--labels",
        default="",
        metavar="NAME=VALUE,…",
        help=f"what is known of the alert: {', '.join(LABELS)}",
    )
    parser.add_argument("--signature", default="", help="take severity and owner from this signature")
    parser.add_argument("--service", default="", help="the service it happened in")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Show it; 2 where the labels are none."""
    configuration = read_configuration(arguments.root)
    labels = read_labels(arguments.labels, arguments.signature, arguments.service, configuration)
    if labels.get("service") and (reason := unknown_service(labels["service"], configuration.settings)):
        print(f"tocsin route: {reason}", file=sys.stderr)
    answer = trace(configuration.settings.routing, labels, os.environ.get("TOCSIN_SLACK_SECRET"))
    if arguments.json:
        print(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _show(answer)
    return 0


def read_labels(text: str, signature: str, service: str, configuration: Configuration) -> dict[str, str]:
    """The labels of an alert, as far as they are given.

    Raises:
        LabelsError: There is no such label, severity or signature, or nothing at all is given.
    """
    given: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name not in LABELS or not equals:
            raise LabelsError(
                f"{part!r} is no label{did_you_mean(name, LABELS)}; write NAME=VALUE, names are {', '.join(LABELS)}"
            )
        given[name] = value
    given |= {name: value for name, value in (("signature", signature), ("service", service)) if value}
    if not given:
        raise LabelsError("no labels; write for example --labels severity=critical,service=worker")
    if given.get("severity", Severity.LOW) not in set(Severity):
        hint = did_you_mean(given["severity"], Severity)
        raise LabelsError(f"no such severity: {given['severity']!r}{hint}; there are {', '.join(Severity)}")
    if not given.get("signature"):
        return given
    signatures = with_unknown_error(configuration.signatures)
    rule = signatures.get(given["signature"])
    if rule is None:
        hint = did_you_mean(given["signature"], signatures)
        raise LabelsError(f"no such signature: {given['signature']!r}{hint}")
    return {"severity": rule.severity.value, "owner": rule.owner, **given}


def trace(routing: Routing, labels: dict[str, str], default_secret: str | None) -> dict[str, Any]:
    """Where an alert with these labels is sent.

    Args:
        routing: The routing.
        labels: The alert's.
        default_secret: The secret of the destination ``default``, where this process knows it.
    """
    ways: dict[str, list[RouteMatch]] = {}
    for arrival in routing.arrivals(labels):
        ways.setdefault(arrival.destination, []).append(arrival)
    destinations = []
    for name, arrivals in ways.items():
        destination = routing.destinations[name]
        destinations.append(
            {
                "destination": name,
                "secret": (destination.secret or default_secret or None)
                if name == DEFAULT
                else destination.secret,
                "mentions": list(routing.called_by(name, labels)),
                "mention_hours": str(destination.hours) if destination.hours else None,
                "urgent": [each for each in Severity if destination.hours and each in destination.urgent],
                "paths": [[_step(route) for route in arrival.path] for arrival in arrivals],
            }
        )
    return {
        "labels": {name: labels[name] for name in LABELS if labels.get(name)},
        "group_by": _grouping(routing, labels),
        "destinations": destinations,
    }


def _grouping(routing: Routing, labels: dict[str, str]) -> dict[str, Any]:
    """What an alert with these labels is joined by with those of other services."""
    route = routing.grouping_of(labels)
    return {"route": route.key if route else None, "labels": list(route.group_by) if route else None}


def _step(route: Route) -> dict[str, Any]:
    return {"route": route.key, "match": {label: list(globs) for label, globs in route.match.items()}}


def _show(answer: dict[str, Any]) -> None:
    print("alert        " + ", ".join(f"{name}={value}" for name, value in answer["labels"].items()))
    if answer["group_by"]["route"]:
        print("joined       " + _joined(**answer["group_by"]))
    for each in answer["destinations"]:
        print(f"destination  {each['destination']}")
        for path in each["paths"]:
            steps = " > ".join(f"{step['route']} ({_words(step['match'])})" for step in path)
            print(f"  by         {steps or 'no route: what none claims goes to default'}")
        print(f"  secret     {each['secret'] or 'the parameter SlackSecretName'}")
        calls = " ".join(map(call, each["mentions"]))
        print(f"  mentions   {calls or 'nobody'}")
        if each["mention_hours"]:
            always = f", {' and '.join(each['urgent'])} always" if each["urgent"] else ""
            print(f"  only       {each['mention_hours']}{always}")


def _joined(labels: list[str], route: str) -> str:
    if {ALONE, "service"} & set(labels):
        return f"with no other service (group_by of {route})"
    return f"with other services that have the same {' and '.join(labels)} (group_by of {route})"


def _words(match: dict[str, list[str]]) -> str:
    return ", ".join(f"{label}={'|'.join(globs)}" for label, globs in match.items()) or "everything"
