"""Reconciling: bring a service's incident up to date and tell what is due.

The one step that both ``detect`` (at once) and ``reconcile`` (every minute) do.

Level-triggered: it looks at what is stored, not at what happened, so whoever runs it next repairs whatever a
crash left half done. The order of writes is what makes that safe: first the incident with its outbox, then
SNS, then the outbox emptied. A crash between the last two publishes twice; ``notify`` knows a notification by
its incident and sequence and shows it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct, field

from tocsin.core.config.settings import Settings
from tocsin.core.errors.error_store import ErrorStore
from tocsin.core.incidents.changes import is_suspect
from tocsin.core.incidents.incident import Incident, Pending, QueueReading
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.store import (
    Ledger,
)
from tocsin.core.incidents.wide import (
    Wide,
    is_looked_for,
    own_cause,
    services_led,
    time_to_join,
    wide_as_lead,
    wide_when_opened,
)
from tocsin.core.model import Change, Millis, OccurrenceCount, Reason
from tocsin.core.notifications.building import build_notification, with_account_names
from tocsin.core.notifications.contract import Notification
from tocsin.services.absence import QueueDepths
from tocsin.services.reconciling_round import RecentChanges, Reconciliation, Round
from tocsin.services.redriving import MessageMoves


class Publisher(Protocol):
    """Where notifications go."""

    def publish(self, notification: Notification) -> None:
        """Hand one notification over; returns when it is safely there."""


class Queues(QueueDepths, Protocol):
    """Where queues can be looked at; see ``adapters.aws.queue_depth``."""

    def read(self, name: str, account: str, region: str, now: Millis) -> QueueReading | None:
        """What is in a queue now; None when it cannot be told. Never raises."""


class Reconciler(Struct, frozen=True):
    """Brings incidents up to date.

    Attributes:
        ledger: Where occurrence counts and incidents are.
        publisher: Where notifications go.
        policy: Intervals and signatures.
        runbooks_url: Where the runbooks are read.
        queues: Where queues can be looked at; None where they cannot.
        services: Says which changes concern which service; None where changes are not looked at.
        takes_actions: Whether people can act from Slack.
        errors: Where unknown errors are kept; None where they are not, or nobody can act.
        moves: What redrives dead-letter queues; None where nothing does.
        recent_changes: What was read of changes a moment ago.
    """

    ledger: Ledger
    publisher: Publisher
    policy: Policy
    runbooks_url: str
    queues: Queues | None = None
    services: Settings | None = None
    takes_actions: bool = False
    errors: ErrorStore | None = None
    moves: MessageMoves | None = None
    recent_changes: RecentChanges = field(default_factory=RecentChanges)

    def keep_change(self, change: Change) -> None:
        """Keep a change, and know of it from now on."""
        self.ledger.keep_change(change)
        self.recent_changes.changes = None

    def reconcile(
        self,
        service: str,
        now: Millis,
        *,
        fresh: Sequence[OccurrenceCount] = (),
        needed: Callable[[Incident | None], bool] = lambda _: True,
        changes: Sequence[Change] = (),
        silences: Callable[[], Sequence[Silence]] | None = None,
    ) -> Reconciliation:
        """Apply what is pending for a service, let time pass, publish what is due.

        Args:
            service: The service.
            now: The time.
            fresh: Occurrence counts just recorded, which the ledger's ``pending`` may not show yet.
            needed: Asked of the stored incident before anything is written: in a storm all but one of many
                concurrent callers find that the one was faster, and leave their occurrence counts to ``reconcile``.
            changes: Changes that its incident should know of, whether or not it has anything else to tell.
            silences: Gives the silences, for whoever reconciles many services at one time; the ledger's if not given.

        Raises:
            Exception: Whatever ledger or publisher raise; all is then as the next reconciliation can repair it.
        """
        return Round(self, service, now, fresh=fresh, changes=changes, silences=silences).run(needed)

    def learn(self, service: str, change: Change, now: Millis) -> Reconciliation:
        """Tell the open incident of a service of a direct change before it that became known only now.

        An incident that nobody has been told of yet looks for itself when it speaks.
        """
        incident = self.ledger.load(service).incident
        if self.services is None or incident is None or incident.resolved_at is not None:
            return Reconciliation()
        if incident.notified_at is None or not is_suspect(change, incident):
            return Reconciliation()
        return self.reconcile(service, now, changes=[change])

    def notification(self, incident: Incident, entry: Pending, wide: Wide | None = None) -> Notification:
        """The contract's JSON for one entry of an incident's outbox."""
        notification = build_notification(
            incident, entry, self.policy.signatures, runbooks_url=self.runbooks_url, wide=wide
        )
        return with_account_names(notification, self.services.accounts if self.services else {})

    def wide_of(self, incident: Incident, entry: Pending) -> Wide | None:
        """The wide incident that an incident belongs to: joined as it opens, by when that was due."""
        cause = own_cause(incident, self.policy)
        if cause is None or entry.reason is not Reason.OPENED:
            return None if cause is None else wide_as_lead(incident, cause)
        within = time_to_join(incident, self.policy)
        try:
            joined = self.ledger.join_wide(cause.key, incident.id, incident.service, entry.at, within)
        except Exception:  # whatever it is: then it is told by itself, which loses nothing
            return None
        return wide_when_opened(joined, incident, cause)

    def services_led(self, incident: Incident | None, now: Millis) -> tuple[str, ...]:
        """The services that joined an incident since it opened; none where it leads no wide one, or none can be read."""
        if incident is None or not is_looked_for(incident, now, self.policy):
            return ()
        cause = own_cause(incident, self.policy)
        if cause is None:
            return ()
        try:
            return services_led(self.ledger.wide(cause.key), incident, cause)
        except Exception:  # whatever it is: it is looked for again in a minute
            return ()
