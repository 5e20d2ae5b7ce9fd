"""Routing: which destinations are told of an alert, by its labels, and whom a message there mentions.

The tree is walked as Alertmanager walks its own: the first route that fits wins, and those after it are asked only
where it says ``continue``; of a route that fits, the deepest fitting children count, or else the route itself. The
root fits everything and leads to the destination ``default``, so no alert can vanish by routing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tocsin.core.model import DRILL, AlertState, Millis, Reason, Severity
from tocsin.core.times import parse_iso_time

if TYPE_CHECKING:
    from tocsin.core.notifications.contract import Labels as AlertLabels
    from tocsin.core.notifications.contract import Notification, NotifiedAlert
    from tocsin.core.weekly_hours import WeeklyHours

DEFAULT = "default"
"""The destination of everything that no route claims: the secret that the deployment names."""

LABELS = ("severity", "service", "owner", "signature")
"""What a route can match on; an alert without an owner has the empty one."""

ALONE = "..."
"""In ``group_by``, as in Alertmanager: by all labels there are, so that nothing is joined with anything."""

NEWS = frozenset(set(Reason) - {Reason.UPDATE, Reason.RESOLVED, Reason.DIGEST})
"""Reasons for which an owner is called; growth, the end of an incident and a digest call nobody."""

Labels = Mapping[str, str]

Mention = Mapping[str, tuple[str, ...]]
"""Whom news calls, by its severity: ids of user groups (``S…``) and people (``U…``, ``W…``), and ``@here``."""

HERE = "@here"
"""Whoever is in the channel at the moment."""


class Destination(Struct, frozen=True):
    """A place in Slack.

    Attributes:
        name: What routes call it.
        secret: The name of the secret with its credential; empty for ``default``, whose secret the deployment names.
        mention: Whom news there calls.
        hours: When it may call, as far as it can wait; None for at any time.
        urgent: The severities that cannot wait.
    """

    name: str
    secret: str = ""
    mention: Mention = field(default_factory=dict)
    hours: WeeklyHours | None = None
    urgent: frozenset[str] = frozenset({Severity.CRITICAL})

    def __hash__(self) -> int:
        """By name, which no two have; a mention, a mapping, has no hash."""
        return hash(self.name)

    def may_call(self, severity: str, *moments: Millis | None) -> bool:
        """Whether something of this severity may call somebody at one of these moments."""
        if self.hours is None or severity in self.urgent:
            return True
        return any(moment is not None and self.hours.cover(moment) for moment in moments)


class Route(Struct, frozen=True):
    """A node of the tree.

    Attributes:
        key: Where it is in ``tocsin.toml``, as ``routes[0].routes[1]``.
        match: Globs by label; each label must fit one of its globs. Empty fits everything.
        destination: The name of the destination, its parent's where it states none.
        goes_on: Whether the siblings after it are asked too (``continue``).
        routes: Its children.
        group_by: The labels in which incidents that go by it must agree to be told as one, its parent's where it
            states none; empty for the built-in rule of wide incidents.
    """

    key: str
    match: Mapping[str, tuple[str, ...]]
    destination: str
    goes_on: bool = False
    routes: tuple[Route, ...] = ()
    group_by: tuple[str, ...] = ()

    def fits(self, labels: Labels) -> bool:
        """Whether an alert with these labels comes to this route."""
        return all(
            any(fnmatchcase(labels.get(label, ""), glob) for glob in globs)
            for label, globs in self.match.items()
        )


class RouteMatch(Struct, frozen=True):
    """Where an alert comes out of the tree.

    Attributes:
        destination: The destination's name.
        path: The routes it came by, the outermost first; empty where no route fitted.
    """

    destination: str
    path: tuple[Route, ...] = ()


class NotificationTarget(Struct, frozen=True):
    """A destination that is told of a notification.

    Attributes:
        destination: Where.
        mentions: Whom it calls there; none where it calls nobody.
        concerned: Whom what still fires there has called; who was called finds the message by them.
    """

    destination: Destination
    mentions: tuple[str, ...] = ()
    concerned: tuple[str, ...] = ()


class Routing(Struct, frozen=True):
    """Who is told of what, and where.

    Attributes:
        destinations: By name; ``default`` is always there.
        owners: Whom news of an owner's calls, by the owner's name.
        routes: The tree's outermost routes, in order.
    """

    destinations: Mapping[str, Destination] = field(default_factory=lambda: {DEFAULT: Destination(DEFAULT)})
    owners: Mapping[str, Mention] = field(default_factory=dict)
    routes: tuple[Route, ...] = ()

    def arrivals(self, labels: Labels) -> tuple[RouteMatch, ...]:
        """Every place where an alert with these labels comes out: at least one, in order."""
        return tuple(_walk(self.routes, labels, ())) or (RouteMatch(DEFAULT),)

    def destinations_of(self, labels: Labels) -> tuple[str, ...]:
        """The names of the destinations, each once."""
        return tuple(dict.fromkeys(arrival.destination for arrival in self.arrivals(labels)))

    def grouping_of(self, labels: Labels) -> Route | None:
        """The route whose ``group_by`` says what an alert is joined with: the first that it comes out of and that has one."""
        ends = (arrival.path[-1] for arrival in self.arrivals(labels) if arrival.path)
        return next((route for route in ends if route.group_by), None)

    def targets_for(self, notification: Notification) -> tuple[NotificationTarget, ...]:
        """Where a notification is told, and whom it calls there.

        It is told wherever any alert of its incident leads, whether that alert is firing, over or a symptom: who was
        told that something began is told that it ended. It calls somebody only where an alert leads that it is about;
        a reminder is about all that fires, and so is a roll-up, should it be the first that a destination hears.

        What can wait calls only in the hours of the destination, by when the notification became due.

        Args:
            notification: The contract; one of an earlier version, without ``labels`` and ``owner``, is read too.
        """
        if notification.reason is Reason.DIGEST:
            # No alert: a page for whoever looks after the rules, wherever their alerts would lead.
            return (NotificationTarget(self.destinations[DEFAULT]),)
        service = notification.service
        alerts = notification.alerts
        entries: list[NotifiedAlert | AlertLabels] = [*alerts, *notification.labels]
        known = {self._of(entry, service): None for entry in entries}
        names = dict.fromkeys(name for labels in known for name in self.destinations_of(dict(labels)))
        everything = notification.reason in {Reason.REPEAT, Reason.UPDATE}
        called: dict[str, dict[str, None]] = {name: {} for name in names}
        concerned: dict[str, dict[str, None]] = {name: {} for name in names}
        due, opened = parse_iso_time(notification.at), parse_iso_time(notification.incident.opened_at)
        for alert in _causes(notification):
            labels = dict(self._of(alert, service))
            for name in self.destinations_of(labels):
                destination, groups = self.destinations[name], self.called_by(name, labels)
                if destination.may_call(alert.severity, due, opened):
                    concerned[name] |= groups
                # Who has it is enough: what is worse, or back, takes it from them before it is told.
                held = notification.incident.acknowledged is not None
                about = everything or alert.changed
                if about and not held and destination.may_call(alert.severity, due):
                    called[name] |= groups
        return tuple(
            NotificationTarget(self.destinations[name], tuple(called[name]), tuple(concerned[name]))
            for name in names
        )

    def called_by(self, destination: str, labels: Labels) -> dict[str, None]:
        """Whom news of an alert with these labels calls in a destination, each once, whatever the hour."""
        mentions = (self.destinations[destination].mention, self.owners.get(labels.get("owner", ""), {}))
        severities = [labels["severity"]] if labels.get("severity") else list(Severity)
        return dict.fromkeys(
            called for mention in mentions for severity in severities for called in mention.get(severity, ())
        )

    @staticmethod
    def _of(entry: NotifiedAlert | AlertLabels, service: str) -> tuple[tuple[str, str], ...]:
        return (
            ("severity", entry.severity),
            ("service", service),
            ("owner", entry.owner or ""),
            ("signature", entry.signature),
        )


def _walk(routes: Iterable[Route], labels: Labels, path: tuple[Route, ...]) -> Iterator[RouteMatch]:
    for route in routes:
        if not route.fits(labels):
            continue
        here = (*path, route)
        deeper = tuple(_walk(route.routes, labels, here))
        yield from deeper or (RouteMatch(route.destination, here),)
        if not route.goes_on:
            return


def _causes(notification: Notification) -> list[NotifiedAlert]:
    """The alerts that somebody can be called for: what fires, is no symptom and no drill, while it is not over."""
    if notification.reason is Reason.RESOLVED:
        # What was over when this became due may be back since.
        return []
    return [
        alert
        for alert in notification.alerts
        if alert.state == AlertState.FIRING and not alert.inhibited_by and alert.signature != DRILL
    ]
