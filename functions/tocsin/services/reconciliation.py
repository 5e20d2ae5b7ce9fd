"""Settling: bring a service's incident up to date and tell what is due.

The one step that both ``detect`` (at once) and ``reconcile`` (every minute) do.

Level-triggered: it looks at what is stored, not at what happened, so whoever runs it next repairs whatever a
crash left half done. The order of writes is what makes that safe: first the incident with its outbox, then
SNS, then the outbox emptied. A crash between the last two publishes twice; ``notify`` knows a notification by
its incident and sequence and shows it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Protocol

from tocsin.core.config.settings import Settings
from tocsin.core.incidents import digest
from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.changes import BEFORE_DIRECT, concerning, is_suspect
from tocsin.core.incidents.lifecycle import (
    Advance,
    Observed,
    advance,
    belongs_to,
    next_due,
    remembering,
    without,
)
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.store import (
    AlreadyFoldedError,
    Ledger,
    StaleVersionError,
    Stored,
    TallyKey,
    key_of,
)
from tocsin.core.model import ON_TRIAL, Alert, Change, Incident, Millis, Pending, QueueReading, Reason, Tally
from tocsin.core.notifications.contract import build_notification
from tocsin.services.absence import QueueDepths, absences

GRACE: Millis = 10_000
"""How old an outbox entry must be before another writer publishes it: its own writer is probably about to."""

RACES = 8
"""How many lost races one settling takes before it leaves the rest to ``reconcile``."""

SUSPECT_FOR: Millis = BEFORE_DIRECT + 3_600_000
"""How far back changes are looked for: as far as any is suspected, and the time that an occurrence may be late."""

LOOK_AGAIN: Millis = 15 * 60_000
"""The longest an open incident goes unlooked at: a deploy may have shortened its intervals meanwhile."""


class Publisher(Protocol):
    """Where notifications go."""

    def publish(self, notification: dict[str, Any]) -> None:
        """Hand one notification over; returns when it is safely there."""


class Queues(QueueDepths, Protocol):
    """Where queues can be looked at; see ``adapters.queues``."""

    def read(self, name: str, account: str, region: str, now: Millis) -> QueueReading | None:
        """What is in a queue now; None when it cannot be told. Never raises."""


@dataclass(slots=True)
class Settled:
    """What one settling did.

    Attributes:
        incident: The incident afterwards; None when there is none.
        folded: How many tallies were folded into it.
        sent: The reasons of the notifications that were published.
        made_way: The incident that was the latest until an earlier one was brought back, as long as it is not kept.
    """

    incident: Incident | None = None
    folded: int = 0
    sent: list[Reason] = field(default_factory=list)
    made_way: Incident | None = None


@dataclass(frozen=True, slots=True)
class Settler:
    """Brings incidents up to date.

    Attributes:
        ledger: Where tallies and incidents are.
        publisher: Where notifications go.
        policy: Intervals and signatures.
        runbooks_url: Where the runbooks are read.
        queues: Where queues can be looked at; None where they cannot.
        services: Says which changes concern which service; None where changes are not looked at.
    """

    ledger: Ledger
    publisher: Publisher
    policy: Policy
    runbooks_url: str
    queues: Queues | None = None
    services: Settings | None = None

    def settle(
        self,
        service: str,
        now: Millis,
        *,
        fresh: Sequence[Tally] = (),
        needed: Callable[[Incident | None], bool] = lambda _: True,
        changes: Sequence[Change] = (),
        silences: Callable[[], Sequence[Silence]] | None = None,
    ) -> Settled:
        """Fold what is pending for a service, let time pass, publish what is due.

        Args:
            service: The service.
            now: The time.
            fresh: Tallies just recorded, which the ledger's ``pending`` may not show yet.
            needed: Asked of the stored incident before anything is written: in a storm all but one of many
                concurrent callers find that the one was faster, and leave their tallies to ``reconcile``.
            changes: Changes that its incident should know of, whether or not it has anything else to tell.
            silences: Gives the silences, for whoever settles many services at one time; the ledger's if not given.

        Raises:
            Exception: Whatever ledger or publisher raise; all is then as the next settling can repair it.
        """
        done, gone, races = Settled(), set[TallyKey](), 0
        readings: dict[str, QueueReading] = {}
        watched: dict[TallyKey, Tally] = {}
        suspects = cache(lambda: self._suspects(service, now))
        while races < RACES:
            stored = self.ledger.load(service)
            done.incident = stored.incident
            if not needed(stored.incident) and not _overdue(stored.incident, now):
                break
            try:
                old = [entry for entry in _outbox(stored) if now - entry.at >= GRACE]
                stored = self._publish(stored, old, now, done)
                if stored.incident and stored.incident.resolved_at is not None and stored.incident.outbox:
                    break  # its last word is still on its way and a new incident would overwrite it: later
                missing = self._missing(service, stored.incident, now)
                watched.update((key_of(tally), tally) for tally in missing)
                # The fresh ones first: what is new must not wait behind a backlog.
                waiting = {
                    key_of(tally): tally for tally in (*fresh, *self.ledger.pending(service))
                } | watched
                tallies = [tally for key, tally in waiting.items() if key not in gone]
                stored = self._brought_back(stored, tallies, now, done)
                if service != ON_TRIAL:
                    self._look_at_queues(stored.incident, tallies, now, readings)
                muted = (silences or self.ledger.silences)()
                observed = Observed(silences=muted, readings=readings, changes=changes)
                self._fold(stored, service, tallies, now, done, gone, observed, suspects)
                break
            except StaleVersionError:
                races += 1
            except AlreadyFoldedError as error:
                races += 1
                gone.update(error.keys)
        return done

    def _fold(
        self,
        stored: Stored,
        service: str,
        tallies: Sequence[Tally],
        now: Millis,
        done: Settled,
        gone: set[TallyKey],
        seen: Observed,
        suspects: Callable[[], Sequence[Change]],
    ) -> None:
        """Fold all tallies, as many at a time as one save takes, publishing as notifications come due."""
        most = self.ledger.most_folded
        heard: dict[str, Millis] = {}
        for tally in tallies:
            heard[tally.fingerprint] = max(heard.get(tally.fingerprint, 0), tally.received_at)
        for start in range(0, max(1, len(tallies)), most):
            batch, more = tallies[start : start + most], start + most < len(tallies)
            observed = replace(seen, heard=heard, more=more)
            moved = self._advance(stored.incident, batch, now, service, observed)
            if self.services is not None and _has_news(moved, stored) and (found := suspects()):
                # Looked up only now: what merely adds to an alert that people know of must cost no read.
                observed = replace(observed, changes=(*observed.changes, *found))
                moved = self._advance(stored.incident, batch, now, service, observed)
            if moved.incident is None:
                self.ledger.drop(moved.absorbed)
            if moved.incident is None or (moved.incident == stored.incident and not moved.absorbed):
                continue
            others = {entry.sequence for entry in _outbox(stored)}
            version = self.ledger.save(
                moved.incident,
                stored.version,
                folded=moved.absorbed,
                due=self._look_at(moved.incident, now),
                closed=moved.closed or done.made_way,
            )
            done.made_way = None
            gone.update(key_of(tally) for tally in moved.absorbed)
            done.incident, done.folded = moved.incident, done.folded + len(moved.absorbed)
            saved = Stored(moved.incident, version)
            # Not what another writer queued and is publishing this moment. A new incident counts from 1 again.
            own = [entry for entry in _outbox(saved) if moved.closed or entry.sequence not in others]
            stored = self._publish(saved, own, now, done)

    def _advance(
        self,
        incident: Incident | None,
        tallies: Sequence[Tally],
        now: Millis,
        service: str,
        observed: Observed,
    ) -> Advance:
        """Fold into the service's incident, or into the next digest."""
        if service == ON_TRIAL:
            return digest.advance(incident, tallies, now, policy=self.policy, more=observed.more)
        return advance(incident, tallies, now, service=service, policy=self.policy, observed=observed)

    def _missing(self, service: str, incident: Incident | None, now: Millis) -> list[Tally]:
        """What is missing now, or is not any more; only services have lines that must appear."""
        if service == ON_TRIAL:
            return []
        return absences(self.ledger, self.policy.signatures, service, incident, now, queues=self.queues)

    def learn(self, service: str, change: Change, now: Millis) -> Settled:
        """Tell the open incident of a service of a direct change before it that became known only now.

        An incident that nobody has been told of yet looks for itself when it speaks.
        """
        incident = self.ledger.load(service).incident
        if self.services is None or incident is None or incident.resolved_at is not None:
            return Settled()
        if incident.notified_at is None or not is_suspect(change, incident):
            return Settled()
        return self.settle(service, now, changes=[change])

    def _suspects(self, service: str, now: Millis) -> Sequence[Change]:
        """What changed lately and may be behind an incident of the service; nothing where it cannot be read."""
        if self.services is None or service == ON_TRIAL:
            return ()
        try:
            return concerning(self.ledger.changes(now - SUSPECT_FOR), service, self.services)
        except Exception:  # noqa: BLE001 - whatever it is: an alert must not wait for what explains it
            return ()

    def _brought_back(self, stored: Stored, tallies: Sequence[Tally], now: Millis, done: Settled) -> Stored:
        """The incident that goes on: the latest, or an earlier one whose alert is back, for which the latest makes way."""
        done.made_way, latest = None, stored.incident
        earlier = None if latest is None else belongs_to(latest, tallies, self.policy)
        if latest is None or earlier is None:
            return stored
        kept = self.ledger.closed_incident(latest.service, earlier)
        if kept is None or kept.resolved_at is None:
            return stored
        done.made_way = latest
        return Stored(remembering(kept, latest, now, self.policy), stored.version)

    def _look_at_queues(
        self,
        incident: Incident | None,
        tallies: Sequence[Tally],
        now: Millis,
        readings: dict[str, QueueReading],
    ) -> None:
        """Look once at each dead-letter queue whose alarm fires, or began to with one of these tallies."""
        if self.queues is None:
            return
        looked_at: list[Alert | Tally] = [*(incident.firing if incident else ()), *tallies]
        watched = {
            each.fingerprint: (each.fields["queue"], each.account, each.region)
            for each in looked_at
            if queue_watch.is_watched(each, self.policy)
        }
        for fingerprint in watched.keys() - readings.keys():
            reading = self.queues.read(*watched[fingerprint], now)
            if reading is not None:
                readings[fingerprint] = reading

    def _publish(self, stored: Stored, entries: Sequence[Pending], now: Millis, done: Settled) -> Stored:
        """Publish entries of the outbox, and take them out of it."""
        incident = stored.incident
        if incident is None or not entries:
            return stored
        for entry in entries:
            self.publisher.publish(self.notification(incident, entry))
            done.sent.append(entry.reason)
        return self._clear(stored, [entry.sequence for entry in entries], now, done)

    def _clear(self, stored: Stored, sequences: Sequence[int], now: Millis, done: Settled) -> Stored:
        """Take published entries out of the outbox, also when somebody folded more meanwhile."""
        for _ in range(RACES):
            incident = stored.incident
            if incident is None or not any(entry.sequence in sequences for entry in incident.outbox):
                return stored
            left = without(incident, sequences)
            try:
                version = self.ledger.save(left, stored.version, due=self._look_at(left, now))
            except StaleVersionError:
                stored = self.ledger.load(incident.service)
                if stored.incident is None or stored.incident.id != incident.id:
                    return stored
                continue
            done.incident = left
            return Stored(left, version)
        return stored  # the next settling publishes them once more; readers know them by their sequence

    def _look_at(self, incident: Incident, now: Millis) -> Millis | None:
        """When the incident wants to be looked at again; None for never."""
        due = next_move(incident, now, self.policy)
        if (
            due is None or incident.service == ON_TRIAL
        ):  # a digest waits for days, and must cost nothing meanwhile
            return due
        return min(due, now + LOOK_AGAIN)

    def notification(self, incident: Incident, entry: Pending) -> dict[str, Any]:
        """The contract's JSON for one entry of an incident's outbox."""
        return build_notification(incident, entry, self.policy.signatures, runbooks_url=self.runbooks_url)


def next_move(incident: Incident, now: Millis, policy: Policy) -> Millis | None:
    """Say when time alone will next move an incident, or tell a digest; None for never."""
    of = digest.next_due if incident.service == ON_TRIAL else next_due
    return of(incident, now, policy)


def _outbox(stored: Stored) -> tuple[Pending, ...]:
    return stored.incident.outbox if stored.incident else ()


def _has_news(moved: Advance, stored: Stored) -> bool:
    """Whether a notification has become due that is about more than an end."""
    if moved.incident is None:
        return False
    known = () if moved.closed else [entry.sequence for entry in _outbox(stored)]
    return any(
        entry.sequence not in known and entry.reason is not Reason.RESOLVED for entry in moved.incident.outbox
    )


def _overdue(incident: Incident | None, now: Millis) -> bool:
    """Whether a notification has waited so long that its writer must have died."""
    return incident is not None and any(now - entry.at >= GRACE for entry in incident.outbox)
