"""Wide incidents: incidents of many services that open within a short time with one likely cause.

Each stays the incident of its service: counted, silenced, inhibited, routed and told by itself, so that nothing can be
lost in another's. What joins them is where they are told: the first to be told leads, and in Slack the messages of the
others are replies in its thread. The leader's message lists the services.

One cause is the same signature with the same shared thing (a host, a bucket, a module), or the same signature in very many
services at once. An alarm, and a rule that takes whatever no other explains, say nothing about a common cause.

A route's ``group_by`` says instead what incidents that go by it have to agree in, alarms and all: whoever wrote it wants
them as one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from tocsin.core.config.routing import ALONE
from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.inhibition import severity_of
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import DRILL, AlertState, Millis
from tocsin.core.times import MINUTE

if TYPE_CHECKING:
    from tocsin.core.config.routing import Route

SHARED: Final = ("host", "bucket", "database", "queue", "store", "module")
"""Fields that name what several services may use together."""

MANY: Final = 5
"""In how many services the same signature alone is one cause."""

MAX_SERVICES: Final = 300
"""Services that one wide incident remembers; whatever more fail are told by themselves."""


class Cause(Struct, frozen=True):
    """What incidents of several services may have in common.

    Attributes:
        signature: The signature's id; empty where a route joins whatever its signature.
        shared: By field, what they share; empty where it is the signature alone.
        route: The route whose ``group_by`` joins them; empty for the built-in rule.
    """

    signature: str
    shared: tuple[tuple[str, str], ...] = ()
    route: str = ""

    @property
    def key(self) -> str:
        """Unique for the cause, and short."""
        by = (f"by {self.route}",) if self.route else ()
        text = "\x1f".join((self.signature, *(f"{name}={value}" for name, value in self.shared), *by))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    @property
    def least(self) -> int:
        """How many services make it a wide incident."""
        return 2 if self.shared or self.route else MANY


class Joined(Struct, frozen=True):
    """The incidents of one cause.

    Attributes:
        lead: The id of the incident that was the first.
        began_at: When it joined, being the first.
        members: The service of each incident, by the incident's id.
    """

    lead: str
    began_at: Millis
    members: Mapping[str, str]

    @property
    def services(self) -> tuple[str, ...]:
        """The services, each once."""
        return tuple(sorted(set(self.members.values())))


class Wide(Struct, frozen=True):
    """What one incident knows of the wide incident that it belongs to.

    Attributes:
        lead: The id of the incident that leads.
        cause: What they have in common.
        services: All services, its own included.
    """

    lead: str
    cause: Cause
    services: tuple[str, ...]


def leading_fingerprint(fingerprints: Iterable[str], incident: Incident, policy: Policy) -> str:
    """Of the alerts that an incident opens with, the one whose cause it may share with others; empty for none."""
    alerts = [
        alert
        for name in fingerprints
        if (alert := incident.alerts.get(name))
        and alert.state is AlertState.FIRING
        and cause_of(alert, incident.service, policy)
    ]
    worst = min(
        alerts, key=lambda alert: (severity_of(alert, policy.signatures).rank, alert.first_seen), default=None
    )
    return "" if worst is None else worst.fingerprint


def cause_of(alert: Alert, service: str, policy: Policy) -> Cause | None:
    """The cause that an alert may share with those of other services; None where it says nothing about one."""
    rule = policy.signatures.get(alert.signature)
    if rule is None or alert.signature == DRILL:
        return None
    labels = {
        "severity": rule.severity.value,
        "service": service,
        "owner": rule.owner,
        "signature": alert.signature,
    }
    route = policy.routing.grouping_of(labels) if policy.routing.routes else None
    if route is not None:
        labels |= {"account": alert.origin.account, "region": alert.origin.region}
        return _cause_by_route(route, {**alert.fields, **labels})
    if rule.catch_all or alert.origin.is_stateful:
        return None
    shared = tuple((name, alert.fields[name]) for name in SHARED if alert.fields.get(name))
    return Cause(alert.signature, shared)


def _cause_by_route(route: Route, labels: Mapping[str, str]) -> Cause | None:
    """What a route joins an alert by; None where it joins nothing, or the alert does not have all that it names.

    An alert without a host says nothing about which host it is, so it is joined with no other that says nothing.
    """
    if {ALONE, "service"} & set(route.group_by) or not all(labels.get(name) for name in route.group_by):
        return None
    shared = tuple((name, labels[name]) for name in route.group_by if name != "signature")
    return Cause(labels["signature"] if "signature" in route.group_by else "", shared, route.key)


def is_looked_for(incident: Incident, now: Millis, policy: Policy) -> bool:
    """Whether others may have joined an incident since: while the time to join lasts, and a little longer."""
    return (
        bool(incident.wide_alert)
        and incident.notified_at is not None
        and incident.resolved_at is None
        and now < incident.opened_at + policy.intervals.group_wait + policy.intervals.wide_within + 2 * MINUTE
    )


def own_cause(incident: Incident, policy: Policy) -> Cause | None:
    """The cause that an incident may share with others, by what it opened with."""
    alert = incident.alerts.get(incident.wide_alert)
    if alert is None or not policy.intervals.wide_within:
        return None
    return cause_of(alert, incident.service, policy)


def time_to_join(incident: Incident, policy: Policy) -> Millis:
    """How long after the first others may join it: one that was quiet for long enough to be over leads nobody any more."""
    alert = incident.alerts[incident.wide_alert]
    return min(policy.intervals.wide_within, policy.resolve_after(alert.signature))


def services_led(joined: Joined | None, incident: Incident, cause: Cause) -> tuple[str, ...]:
    """The services of the wide incident that an incident leads; none where it leads none, or too few joined."""
    leads = joined is not None and joined.lead == incident.id
    return joined.services if joined is not None and leads and len(joined.services) >= cause.least else ()


def wide_when_opened(joined: Joined, incident: Incident, cause: Cause) -> Wide | None:
    """The wide incident that one that opens belongs to; None where it is the first, or too few joined yet."""
    if joined.lead == incident.id or len(joined.services) < cause.least:
        return None
    return Wide(joined.lead, cause, joined.services)


def wide_as_lead(incident: Incident, cause: Cause) -> Wide | None:
    """The wide incident that an incident leads, as it knows it."""
    return Wide(incident.id, cause, incident.wide_services) if incident.wide_services else None
