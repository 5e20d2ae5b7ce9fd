"""Silences of a deployed stack, or of `tocsin local`: mute what is known, until a time that must be given."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.adapters.files.configuration import Configuration
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.silences import MAX_SILENCE, Silence, alternatives, fits
from tocsin.core.incidents.store import SilenceConflictError
from tocsin.core.matching.unknown_error import with_unknown_error
from tocsin.core.model import Millis
from tocsin.core.sanitize import clipped, one_line
from tocsin.core.times import format_duration, iso_time, parse_duration
from tocsin_cli.command_error import CommandError
from tocsin_cli.options import add_root, configuration_here
from tocsin_cli.stack.incident_history import IncidentHistory
from tocsin_cli.stack.incident_json import muted_by, silence_report
from tocsin_cli.stack.target import STACK, Deployed, add_deployed, deployed
from tocsin_cli.terminal import to_minute
from tocsin_cli.timestamps import parse_time

MAX_SHOWN = 10
"""Muted alerts that ``add`` names."""
_ID_BYTES = 3


class RefusedError(CommandError):
    """What was asked for makes no sense; the message says why and what would."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    adding = actions.add_parser(
        "add", help="mute alerts until a time", description="Mute alerts until a time."
    )
    for name in ("signature", "service"):
        adding.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar="GLOB",
            help=f"alerts of this {name}; may be repeated, one must fit",
        )
    adding.add_argument(
        "--field",
        action="append",
        default=[],
        type=_field,
        metavar="NAME=GLOB",
        help="alerts whose field has this value; may be repeated, all must fit",
    )
    end = adding.add_mutually_exclusive_group(required=True)
    end.add_argument(
        "--for",
        dest="span",
        metavar="DURATION",
        help=f"how long, such as 2h; at most {format_duration(MAX_SILENCE)}",
    )
    end.add_argument(
        "--until", metavar="TIME", help="until when, such as 2026-11-22T12:00Z; without a zone UTC"
    )
    adding.add_argument(
        "--from", dest="begin", metavar="TIME", help="when it begins (default: now); --for counts from then"
    )
    adding.add_argument(
        "--every",
        dest="hours",
        default="",
        metavar="HOURS",
        help="only in these hours of the week, such as 'mon-fri 22:00-06:00'; then for up to a year",
    )
    adding.add_argument(
        "--zone", default="UTC", help="the time zone of the hours, such as Europe/Berlin (default: UTC)"
    )
    adding.add_argument(
        "--until-quiet",
        metavar="DURATION",
        help="also end it by itself when nothing that it covers was seen for this time, such as 1h",
    )
    adding.add_argument("--reason", required=True, help="why, for those who wonder where the alert is")
    adding.add_argument("--author", help="who (default: the name that git knows, else the user's)")
    listing = actions.add_parser("list", help="the active silences", description="The active silences.")
    listing.add_argument("--all", action="store_true", help="also those that expired in the last 30 days")
    ending = actions.add_parser("expire", help="end a silence now", description="End a silence now.")
    ending.add_argument(
        "id", metavar="ID", help="the silence's id, or enough of its beginning to be the only one"
    )
    for each in (adding, listing, ending):
        each.add_argument(
            "--json", action="store_true", help="print the JSON that docs/silences.md describes"
        )
        add_deployed(each)
        add_root(each)


def run(arguments: argparse.Namespace) -> int:
    """Do it; 1 where it was refused, 2 where Tocsin cannot be asked."""
    now = time.time_ns() // 1_000_000
    made = new_silence(arguments, now) if arguments.action == "add" else None
    with deployed(arguments) as tocsin:
        commands = _SilenceCommands(tocsin, configuration_here(arguments.root), now)
        if made is not None:
            commands.add(made, as_json=arguments.json)
        elif arguments.action == "expire":
            commands.expire(arguments.id, as_json=arguments.json)
        else:
            commands.show(everything=arguments.all, as_json=arguments.json)
    return 0


def new_silence(arguments: argparse.Namespace, now: Millis) -> Silence:
    """The silence that the options of ``add`` describe, beginning now.

    Raises:
        RefusedError: They describe none; the message names the option.
    """
    fields = dict(arguments.field)
    if len(fields) != len(arguments.field):
        raise RefusedError(
            "--field: a field is named twice; one glob can say both ([ab]*), or make a silence of each"
        )
    try:
        begins_at = None if arguments.begin is None else _time_of(arguments.begin, "from", now)
        return Silence(
            id=f"s-{secrets.token_hex(_ID_BYTES)}",
            expires_at=_end(arguments, now, now if begins_at is None else begins_at),
            reason=one_line(arguments.reason),
            author=one_line(author() if arguments.author is None else arguments.author),
            created_at=now,
            signature=_any_of(arguments.signature, "signature"),
            service=_any_of(arguments.service, "service"),
            fields=fields,
            begins_at=begins_at,
            hours=arguments.hours,
            zone=arguments.zone,
            ends_when_quiet=_duration(arguments.until_quiet, "until-quiet") if arguments.until_quiet else 0,
        )
    except ValueError as error:
        key, _, reason = str(error).partition(": ")
        option = {
            "expires_at": "until" if arguments.until else "for",
            "fields": "field",
            "begins_at": "from",
            "hours": "every",
            "ends_when_quiet": "until-quiet",
        }.get(key, key)
        raise RefusedError(f"--{option.replace('fields.', 'field ')}: {reason}") from error


def author() -> str:
    """Who gives this command: the name and address that git knows, else the user's name."""
    name, address = (_git_says(key) for key in ("user.name", "user.email"))
    if name or address:
        return f"{name} <{address}>" if name and address else name or address
    return os.environ.get("USER") or os.environ.get("USERNAME") or ""


class _SilenceCommands:
    """One Tocsin's silences, at one moment."""

    def __init__(self, tocsin: Deployed, config: Configuration, now: Millis) -> None:
        self._tocsin, self._config, self._now = tocsin, config, now
        self._table = IncidentTable(tocsin.client, tocsin.table)

    def add(self, silence: Silence, *, as_json: bool) -> None:
        incidents = self._open_incidents()
        for warning in self._warnings(silence, incidents):
            print(f"tocsin silence: {warning}", file=sys.stderr)
        try:
            self._table.put_silence(silence)
        except SilenceConflictError as error:
            raise RefusedError(f"the id {silence.id} is taken: give the command again") from error
        report = silence_report(silence, self._now, incidents)
        if as_json:
            print(json.dumps(report, indent=2))
            return
        span = format_duration(silence.expires_at - silence.begins)
        begins = f"from {_minute(silence.begins)} " if silence.begins > self._now else ""
        print(f"Silenced {begins}until {_minute(silence.expires_at)} ({span}), in {self._tocsin.name}:")
        print(f"  {one_line(silence.matcher)}")
        if silence.hours:
            print(f"  only {silence.hours} {silence.zone}")
        if silence.ends_when_quiet:
            quiet = format_duration(silence.ends_when_quiet)
            print(f"  or until nothing that it covers was seen for {quiet}")
        muted = [(incident, alert) for incident in incidents for alert in muted_by(silence, incident)]
        count = f"{len(muted)} firing alert{'' if len(muted) == 1 else 's'}"
        mutes = "It will mute, of what fires now," if begins else "It mutes"
        print(f"  {mutes} {count}:" if muted else "  Nothing that it covers fires now.")
        for incident, alert in muted[:MAX_SHOWN]:
            fields = " ".join(f"{name}={value}" for name, value in alert.fields.items())
            print(
                f"    {one_line(incident.service)}: {one_line(alert.signature)} {clipped(one_line(fields), 80)}".rstrip()
            )
        if len(muted) > MAX_SHOWN:
            print(f"    and {len(muted) - MAX_SHOWN} more")
        print(f"To end it earlier: tocsin silence expire {silence.id}{self._option()}")

    def show(self, *, everything: bool, as_json: bool) -> None:
        silences = [each for each in self._table.silences() if everything or each.ends_at > self._now]
        incidents = self._open_incidents() if silences else []
        reports = [silence_report(silence, self._now, incidents) for silence in silences]
        if as_json:
            print(json.dumps({"silences": reports}, indent=2))
        elif reports:
            from tocsin_cli.stack.incident_tables import show_silences
            from tocsin_cli.terminal import terminal

            show_silences(reports, self._now, terminal())
        else:
            print("No silence is kept." if everything else "Nothing is silenced.")

    def expire(self, given: str, *, as_json: bool) -> None:
        silence = self._named(given)
        over = silence.ends_at <= self._now
        if not over:
            silence = self._ended(silence)
        report = silence_report(silence, self._now, ())
        if as_json:
            print(json.dumps(report, indent=2))
        elif over:
            print(f"{silence.id} had expired already, at {_minute(silence.ends_at)}.")
        else:
            print(
                f"{silence.id} has ended: {one_line(silence.matcher)}\n"
                "What it muted and still fires is announced within two minutes."
            )

    def _ended(self, silence: Silence) -> Silence:
        ended = silence.ended(self._now)
        try:
            self._table.put_silence(ended)
        except SilenceConflictError:
            return self._named(silence.id)  # somebody else was faster, and ended it before
        return ended

    def _named(self, given: str) -> Silence:
        silences = self._table.silences()
        found = [each for each in silences if each.id == given] or [
            each for each in silences if given and each.id.startswith(given)
        ]
        if not found:
            raise RefusedError(
                f"{self._tocsin.name} has no silence {given!r}; `tocsin silence list --all{self._option()}` lists them"
            )
        if len(found) > 1:
            raise RefusedError(f"{given!r} begins more than one: {', '.join(each.id for each in found)}")
        return found[0]

    def _open_incidents(self) -> list[Incident]:
        history = IncidentHistory(self._tocsin.client, self._tocsin.table)
        return history.open_incidents(service.name for service in self._config.settings.services)

    def _warnings(self, silence: Silence, incidents: Sequence[Incident]) -> Iterator[str]:
        """What was most likely mistyped; a silence of it is made nevertheless."""
        signatures = with_unknown_error(self._config.signatures) if self._config.signatures else {}
        for glob in alternatives(silence.signature) if signatures else ():
            if not any(fits(name, glob) for name in signatures):
                near = get_close_matches(glob, signatures, 1)
                yield (
                    f"no signature of this configuration fits {one_line(glob)!r}"
                    + (f"; did you mean {near[0]}?" if near else "")
                )
        services = {service.name for service in self._config.settings.services}
        services |= {incident.service for incident in incidents}
        for glob in alternatives(silence.service):
            if not any(fits(name, glob) for name in services):
                yield (
                    f"no service of this configuration, and none with an open incident, fits {one_line(glob)!r}"
                )

    def _option(self) -> str:
        if self._tocsin.stack is None:
            return " --local"
        return "" if self._tocsin.stack == STACK else f" --stack {self._tocsin.stack}"


def _end(arguments: argparse.Namespace, now: Millis, begins: Millis) -> Millis:
    if arguments.until is None:
        return begins + _duration(arguments.span, "for")
    return _time_of(arguments.until, "until", now)


def _duration(text: str, option: str) -> Millis:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise RefusedError(f"--{option}: {error}") from error


def _time_of(text: str, option: str, now: Millis) -> Millis:
    at = parse_time(text)
    if at is None:
        raise RefusedError(f"--{option}: {text!r} is not a time; write for example 2026-11-22T12:00Z")
    if at <= now:
        raise RefusedError(f"--{option}: {_minute(at)} is over, it is {_minute(now)}")
    return at


def _any_of(given: Sequence[str], name: str) -> str:
    """The globs of an option that was given once or more, as a silence keeps them.

    Raises:
        RefusedError: One of several is empty or has a line break: it would cover something else than it says.
    """
    if any("\n" in glob for glob in given) or (len(given) > 1 and not all(given)):
        raise RefusedError(f"--{name}: must be a glob on one line, and not empty")
    return "\n".join(given)


def _field(text: str) -> tuple[str, str]:
    name, equals, glob = text.partition("=")
    if not (name and equals and glob):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=GLOB, such as bucket=documents-*")
    return name, glob


def _git_says(key: str) -> str:
    try:
        done = subprocess.run(
            ["git", "config", "--get", key], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _minute(at: Millis) -> str:
    return f"{to_minute(iso_time(at))} UTC"
