"""Destinations, owners and routes as ``tocsin.toml`` writes them: read, and refused where they cannot be meant so."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tocsin.core.config.grouping import grouping_problems, read_group_by
from tocsin.core.config.routing import DEFAULT, HERE, LABELS, Destination, Mention, Route, Routing
from tocsin.core.model import Severity
from tocsin.core.problems import Problem, did_you_mean
from tocsin.core.table_reader import TableReader

if TYPE_CHECKING:
    from tocsin.core.weekly_hours import WeeklyHours

DESTINATION_KEYS, OWNER_KEYS = ("secret", "mention", "mention_hours", "zone", "urgent"), ("mention",)
ROUTE_KEYS = ("match", "destination", "continue", "group_by", "routes")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SECRET = re.compile(r"(?!xox)[A-Za-z0-9/_+=.@-]{1,512}")
_NUMBER = re.compile(r"\[\d+\]")
_CALLED = re.compile(r"[SUW][A-Z0-9]{7,20}")
_NO_SECRET = "must be the name of a secret in Secrets Manager, never the credential itself"  # noqa: S105 - a sentence
_NO_ID = (
    "must be the id of a Slack user group, as S0614TZR7 (in Slack: People, User groups, Copy group ID), of a person, "
    f"as U0123ABCD (Profile, Copy member ID), or {HERE}"
)
MAX_CALLED = 10
"""Whom one message calls at most for one severity: more would be a channel of its own."""


def read_routing(top: TableReader) -> Routing:
    """Read the routing out of ``tocsin.toml``.

    Args:
        top: The whole file; the tables ``destinations``, ``owners`` and ``routes`` count.
    """
    return _Reader(top).routing()


def routing_problems(
    routing: Routing,
    file: str,
    signatures: Collection[str],
    owners: Collection[str],
    captured: Collection[str] = (),
) -> Iterator[Problem]:
    """What is wrong with routes that were read, in themselves and against the signatures.

    Args:
        routing: The routing.
        file: The file's name, for the problems.
        signatures: The ids of all signatures.
        owners: The owners that signatures name.
        captured: The fields that signatures capture.
    """
    known: dict[str, tuple[Collection[str], str]] = {
        "severity": (set(Severity), f"no such severity; there are {', '.join(Severity)}"),
        "signature": (signatures, "there is no such signature"),
        "owner": (
            {*owners, *routing.owners, ""},
            "no signature has this owner, and none is declared under owners",
        ),
    }
    for route in _all(routing.routes):
        for label, globs in route.match.items():
            there, reason = known.get(label, (globs, ""))
            for glob in globs:
                if not _is_glob(glob) and glob not in there:
                    near = did_you_mean(glob, there)
                    yield Problem(file, f"{route.key}.match.{label}", f"{glob!r}: {reason}{near}")
    yield from _unreachable(routing.routes, (), file)
    yield from grouping_problems(_all(routing.routes), file, captured)


class _Reader:
    def __init__(self, top: TableReader) -> None:
        self._top = top

    def routing(self) -> Routing:
        data = self._top.table
        destinations = {DEFAULT: Destination(DEFAULT)}
        for name, table in self._tables(data, "destinations"):
            destinations[name] = self._destination(name, table)
        by_secret: dict[str, str] = {}
        for destination in destinations.values():
            first = by_secret.setdefault(destination.secret or f" {destination.name}", destination.name)
            if first != destination.name:
                key = f"destinations.{destination.name}.secret"
                self._wrong(key, f"is also the secret of {first}; everything would be sent there twice")
        owners = {name: self._owner(name, table) for name, table in self._tables(data, "owners")}
        routes = self._routes(data.get("routes", []), "routes", DEFAULT, destinations)
        return Routing(destinations, {name: mention for name, mention in owners.items() if mention}, routes)

    def _wrong(self, key: str, reason: str) -> None:
        self._top.wrong(key, reason)

    def _tables(self, data: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        tables = data.get(key, {})
        if not isinstance(tables, dict):
            self._wrong(key, "must be a table of tables")
            return
        for name, table in tables.items():
            if isinstance(table, dict):
                yield name, table
            else:
                self._wrong(f"{key}.{name}", f"must be a table, write [{key}.{name}]")

    def _only(self, table: Mapping[str, Any], key: str, known: Iterable[str]) -> None:
        TableReader(self._top.file, key, table, self._top).only(known)

    def _destination(self, name: str, table: Mapping[str, Any]) -> Destination:
        key = f"destinations.{name}"
        if not _NAME.fullmatch(name):
            self._wrong(key, "a destination's name is 1 to 64 letters, digits, hyphens and underscores")
        self._only(table, key, DESTINATION_KEYS)
        secret = table.get("secret")
        if name == DEFAULT and secret is not None:
            self._wrong(
                f"{key}.secret", "the parameter SlackSecretName names the secret of the destination default"
            )
        elif name != DEFAULT and not (isinstance(secret, str) and _SECRET.fullmatch(secret)):
            # The value is not quoted: it may be a credential, in the wrong place.
            self._wrong(f"{key}.secret", _NO_SECRET)
        return Destination(
            name,
            secret if isinstance(secret, str) else "",
            self._mention(table.get("mention", []), f"{key}.mention"),
            self._hours(table, key),
            self._urgent(table, key),
        )

    def _hours(self, table: Mapping[str, Any], key: str) -> WeeklyHours | None:
        hours, zone = table.get("mention_hours"), table.get("zone", "UTC")
        if hours is None:
            for name in {"zone", "urgent"} & table.keys():
                self._wrong(f"{key}.{name}", "has no meaning without mention_hours")
            return None
        # Not at the top: who calls at any hour needs no time zones.
        from tocsin.core.weekly_hours import parse_weekly_hours

        try:
            return parse_weekly_hours(str(hours), str(zone))
        except ValueError as error:
            self._wrong(f"{key}.{'zone' if 'time zone' in str(error) else 'mention_hours'}", str(error))
            return None

    def _urgent(self, table: Mapping[str, Any], key: str) -> frozenset[str]:
        urgent = table.get("urgent", [Severity.CRITICAL])
        if isinstance(urgent, list) and all(each in set(Severity) for each in urgent):
            return frozenset(urgent)
        self._wrong(f"{key}.urgent", f"must be a list of severities ({', '.join(Severity)}), is {urgent!r}")
        return frozenset({Severity.CRITICAL})

    def _owner(self, name: str, table: Mapping[str, Any]) -> Mention:
        key = f"owners.{name}"
        self._only(table, key, OWNER_KEYS)
        if not name.strip():
            self._wrong(key, "an owner has a name: what signatures say as owner")
        if "mention" not in table:
            self._wrong(f"{key}.mention", f"is missing; it {_NO_ID}")
            return {}
        return self._mention(table["mention"], f"{key}.mention")

    def _mention(self, value: object, key: str) -> Mention:
        """One id, a list of them, or either by severity."""
        if not isinstance(value, dict):
            called = self._called(value, key)
            return dict.fromkeys(Severity, called) if called else {}
        self._only(value, key, Severity)
        by_severity = {
            severity: self._called(value[severity], f"{key}.{severity}")
            for severity in Severity
            if severity in value
        }
        return {severity: called for severity, called in by_severity.items() if called}

    def _called(self, value: object, key: str) -> tuple[str, ...]:
        called = value if isinstance(value, list) else [value]
        if len(called) > MAX_CALLED:
            self._wrong(key, f"names {len(called)}, at most {MAX_CALLED} are called")
            return ()
        if all(isinstance(each, str) and (each == HERE or _CALLED.fullmatch(each)) for each in called):
            return tuple(called)
        self._wrong(key, _NO_ID)
        return ()

    def _routes(
        self,
        tables: object,
        key: str,
        inherited: str,
        destinations: Collection[str],
        group_by: tuple[str, ...] = (),
    ) -> tuple[Route, ...]:
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._wrong(key, f"must be a list of tables, write [[{_NUMBER.sub('', key)}]]")
            return ()
        return tuple(
            self._route(table, f"{key}[{n}]", inherited, destinations, group_by)
            for n, table in enumerate(tables)
        )

    def _route(
        self,
        table: Mapping[str, Any],
        key: str,
        inherited: str,
        destinations: Collection[str],
        group_by: tuple[str, ...],
    ) -> Route:
        self._only(table, key, ROUTE_KEYS)
        destination = table.get("destination", inherited)
        if not isinstance(destination, str) or destination not in destinations:
            known, near = ", ".join(destinations), did_you_mean(str(destination), destinations)
            self._wrong(
                f"{key}.destination", f"no such destination: {destination!r}{near}; there are {known}"
            )
            destination = inherited
        goes_on = TableReader(self._top.file, key, table, self._top).flag("continue")
        if "group_by" in table:
            try:
                group_by = read_group_by(table["group_by"])
            except ValueError as error:
                self._wrong(f"{key}.group_by", str(error))
        children = self._routes(table.get("routes", []), f"{key}.routes", destination, destinations, group_by)
        match = self._match(table.get("match", {}), f"{key}.match")
        return Route(key, match, destination, goes_on, children, group_by)

    def _match(self, table: object, key: str) -> dict[str, tuple[str, ...]]:
        if not isinstance(table, dict):
            self._wrong(key, 'must be a table, as { severity = ["critical"] }')
            return {}
        self._only(table, key, LABELS)
        match: dict[str, tuple[str, ...]] = {}
        for label, globs in table.items():
            if not isinstance(globs, list) or not globs or not all(isinstance(glob, str) for glob in globs):
                self._wrong(f"{key}.{label}", f"must be a list of at least one text, is {globs!r}")
            elif label == "severity" and any(map(_is_glob, globs)):
                self._wrong(f"{key}.{label}", f"takes no patterns; list them: {', '.join(Severity)}")
            else:
                match[label] = tuple(globs)
        return match


def _all(routes: Iterable[Route]) -> Iterator[Route]:
    for route in routes:
        yield route
        yield from _all(route.routes)


def _unreachable(routes: Sequence[Route], parents: tuple[Route, ...], file: str) -> Iterator[Problem]:
    """Routes that no alert can come to, because of a sibling before them or of what their parents let through."""
    for number, route in enumerate(routes):
        before = next((r for r in routes[:number] if not r.goes_on and _covers(r.match, route.match)), None)
        parent = next((p for p in parents if _excludes(p.match, route.match)), None)
        if before is not None:
            reason = f"no alert comes here: {before.key} takes them all and does not continue"
            yield Problem(file, route.key, reason)
        elif parent is not None:
            yield Problem(file, route.key, f"no alert comes here: {parent.key} lets none of these through")
        else:
            yield from _unreachable(route.routes, (*parents, route), file)


def _covers(wider: Mapping[str, tuple[str, ...]], narrower: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether whatever fits ``narrower`` surely fits ``wider``; where in doubt, False."""
    return all(
        set(Severity) <= set(globs)
        if label == "severity" and label not in narrower
        else "*" in globs
        or (label in narrower and all(any(_contains(w, n) for w in globs) for n in narrower[label]))
        for label, globs in wider.items()
    )


def _contains(wider: str, narrower: str) -> bool:
    if wider == narrower or not _is_glob(narrower):
        return wider == narrower or fnmatchcase(narrower, wider)
    # As texts: where the wider one's only wild card is *, its letters stand in all that the narrower one fits.
    return not set("?[") & set(wider) and "[" not in narrower and fnmatchcase(narrower, wider)


def _excludes(parent: Mapping[str, tuple[str, ...]], child: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether nothing that fits the parent can fit the child, as far as exact values tell."""
    return any(
        label in parent
        and not any(map(_is_glob, globs))
        and not any(fnmatchcase(value, glob) for value in globs for glob in parent[label])
        for label, globs in child.items()
    )


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")
