"""reconciliation: bring a service's incident up to date and tell what is due.

The one step that both ``detect`` (at once) and ``reconcile`` (every minute) do.

Level-triggered: it looks at what is stored, not at what happened, so whoever runs it next repairs whatever a
crash left half done. The order of writes is what makes that safe: first the incident with its outbox, then
SNS, then the outbox emptied. A crash between the last two publishes twice; ``notify`` knows a notification by
its incident and sequence and shows it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Protocol

from tocsin.core.config.settings import Settings
from tocsin.core.incidents import digest
from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.acting import MAX_ACTIONS
from tocsin.core.incidents.actions import Action
from tocsin.core.incidents.after_deploy import startup_silences
from tocsin.core.incidents.changes import BEFORE_DIRECT, concerning, is_suspect
from tocsin.core.incidents.incident import Alert, Incident, Pending, QueueReading
from tocsin.core.incidents.lifecycle import (
    Advance,
    Observed,
    advance,
    earlier_incident_for,
    next_due,
    remembering,
    without,
)
from tocsin.core.incidents.muting import matched_since
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.store import (
    AlreadyAppliedError,
    CountKey,
    Ledger,
    SilenceConflictError,
    StaleVersionError,
    Stored,
    key_of,
    key_of_action,
)
from tocsin.core.incidents.wide import (
    Wide,
    is_looked_for,
    own_cause,
    services_led,
    wide_as_lead,
    wide_when_opened,
)
from tocsin.core.model import TEST_MODE_GROUP, Change, Millis, OccurrenceCount, Reason
from tocsin.core.notifications.account_names import with_account_names
from tocsin.core.notifications.building import build_notification
from tocsin.core.notifications.contract import Notification
from tocsin.services.absence import QueueDepths, absences

OUTBOX_TAKEOVER_AFTER: Millis = 10_000
"""How old an outbox entry must be before another writer publishes it: its own writer is probably about to."""

MAX_CONFLICTS = 8
"""How many lost races one reconciliation takes before it leaves the rest to ``reconcile``."""

SUSPECT_FOR: Millis = BEFORE_DIRECT + 3_600_000
"""How far back changes are looked for: as far as any is suspected, and the time that an occurrence may be late."""

LOOK_AGAIN: Millis = 15 * 60_000
"""The longest an open incident goes unlooked at: a deploy may have shortened its intervals meanwhile."""


class Publisher(Protocol):
    """Where notifications go."""

    def publish(self, notification: Notification) -> None:
        """Hand one notification over; returns when it is safely there."""


class Queues(QueueDepths, Protocol):
    """Where queues can be looked at; see ``adapters.aws.queue_depth``."""

    def read(self, name: str, account: str, region: str, now: Millis) -> QueueReading | None:
        """What is in a queue now; None when it cannot be told. Never raises."""


@dataclass(slots=True)
class Reconciliation:
    """What one reconciliation did.

    Attributes:
        incident: The incident afterwards; None when there is none.
        applied: How many occurrence counts were applied into it.
        sent: The reasons of the notifications that were published.
        superseded: The incident that was the latest until an earlier one was brought back, as long as it is not kept.
        acted: What people did that was applied.
    """

    incident: Incident | None = None
    applied: int = 0
    sent: list[Reason] = field(default_factory=list)
    superseded: Incident | None = None
    acted: list[Action] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings incidents up to date.

    Attributes:
        ledger: Where occurrence counts and incidents are.
        publisher: Where notifications go.
        policy: Intervals and signatures.
        runbooks_url: Where the runbooks are read.
        queues: Where queues can be looked at; None where they cannot.
        services: Says which changes concern which service; None where changes are not looked at.
        takes_actions: Whether people can act from Slack.
    """

    ledger: Ledger
    publisher: Publisher
    policy: Policy
    runbooks_url: str
    queues: Queues | None = None
    services: Settings | None = None
    takes_actions: bool = False

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
        done, gone, races = Reconciliation(), set[CountKey](), 0
        readings: dict[str, QueueReading] = {}
        watched: dict[CountKey, OccurrenceCount] = {}
        suspects = cache(lambda: self._suspects(service, now))
        while races < MAX_CONFLICTS:
            stored = self.ledger.load(service)
            done.incident = stored.incident
            if not needed(stored.incident) and not _overdue(stored.incident, now):
                break
            try:
                old = [entry for entry in _outbox(stored) if now - entry.at >= OUTBOX_TAKEOVER_AFTER]
                stored = self._publish(stored, old, now, done)
                if stored.incident and stored.incident.resolved_at is not None and stored.incident.outbox:
                    break  # its last word is still on its way and a new incident would overwrite it: later
                missing = self._missing(service, stored.incident, now)
                watched.update((key_of(occurrence_count), occurrence_count) for occurrence_count in missing)
                # The fresh ones first: what is new must not wait behind a backlog.
                waiting = {
                    key_of(occurrence_count): occurrence_count
                    for occurrence_count in (*fresh, *self.ledger.pending(service))
                } | watched
                occurrence_counts = [
                    occurrence_count for key, occurrence_count in waiting.items() if key not in gone
                ]
                stored = self._reopen_earlier(stored, occurrence_counts, now, done)
                if service != TEST_MODE_GROUP:
                    self._read_queues(stored.incident, occurrence_counts, now, readings)
                actions = self._actions(service, gone)
                muted = tuple((silences or self.ledger.silences)())
                known = {silence.id for silence in muted}
                muted += tuple(own for act in actions if (own := act.silence) and own.id not in known)
                if self.services is not None and self.services.after_deploy(service):
                    muted += startup_silences(service, (*suspects(), *changes), self.services)
                services = () if fresh else self._services_led(stored.incident, now)
                observed = Observed(
                    silences=muted,
                    readings=readings,
                    changes=changes,
                    wide_services=services,
                    actions=actions,
                )
                self._apply(stored, service, occurrence_counts, now, done, gone, observed, suspects)
                if done.incident is not None:
                    for silence in matched_since(done.incident, muted, now):
                        self.ledger.note_match(silence.id, silence.last_matched)
                break
            except StaleVersionError:
                races += 1
            except AlreadyAppliedError as error:
                races += 1
                gone.update(error.keys)
        return done

    def _apply(
        self,
        stored: Stored,
        service: str,
        occurrence_counts: Sequence[OccurrenceCount],
        now: Millis,
        done: Reconciliation,
        gone: set[CountKey],
        seen: Observed,
        suspects: Callable[[], Sequence[Change]],
    ) -> None:
        """Apply all occurrence counts, as many at a time as one save takes, publishing as notifications come due."""
        most = self.ledger.max_applied - len(seen.actions)
        last_received: dict[str, Millis] = {}
        for occurrence_count in occurrence_counts:
            last_received[occurrence_count.fingerprint] = max(
                last_received.get(occurrence_count.fingerprint, 0), occurrence_count.received_at
            )
        for start in range(0, max(1, len(occurrence_counts)), most):
            batch, more = occurrence_counts[start : start + most], start + most < len(occurrence_counts)
            # What was counted goes before what people did about it.
            actions = () if more else seen.actions
            observed = replace(seen, last_received=last_received, more=more, actions=actions)
            moved = self._advance(stored.incident, batch, now, service, observed)
            if self.services is not None and _has_news(moved, stored) and (found := suspects()):
                # Looked up only now: what merely adds to an alert that people know of must cost no read.
                observed = replace(observed, changes=(*observed.changes, *found))
                moved = self._advance(stored.incident, batch, now, service, observed)
            if moved.incident is None:
                self.ledger.drop(moved.applied)
                self.ledger.drop_actions(moved.acted)
            unchanged = moved.incident == stored.incident and not moved.applied and not moved.acted
            if moved.incident is None or unchanged:
                continue
            others = {entry.sequence for entry in _outbox(stored)}
            version = self.ledger.save(
                moved.incident,
                stored.version,
                applied=moved.applied,
                due=self._next_check_at(moved.incident, now),
                closed=moved.closed or done.superseded,
                acted=moved.acted,
            )
            done.superseded = None
            gone.update(key_of(occurrence_count) for occurrence_count in moved.applied)
            gone.update(key_of_action(action) for action in moved.acted)
            done.acted += moved.acted
            done.incident, done.applied = moved.incident, done.applied + len(moved.applied)
            saved = Stored(moved.incident, version)
            # Not what another writer queued and is publishing this moment. A new incident counts from 1 again.
            own = [entry for entry in _outbox(saved) if moved.closed or entry.sequence not in others]
            stored = self._publish(saved, own, now, done)

    def _actions(self, service: str, gone: set[CountKey]) -> list[Action]:
        """What people did and was not applied yet; a silence among it is kept like any other, before anything else."""
        if not self.takes_actions or service == TEST_MODE_GROUP:
            return []
        pending = [
            action for action in self.ledger.pending_actions(service) if key_of_action(action) not in gone
        ]
        actions = sorted(pending, key=lambda action: (action.at, action.id))[:MAX_ACTIONS]
        for action in actions:
            if action.silence is not None:
                with suppress(SilenceConflictError):  # it was kept before, and taken back since
                    self.ledger.put_silence(action.silence)
        return actions

    def _advance(
        self,
        incident: Incident | None,
        occurrence_counts: Sequence[OccurrenceCount],
        now: Millis,
        service: str,
        observed: Observed,
    ) -> Advance:
        """Apply into the service's incident, or into the next digest."""
        if service == TEST_MODE_GROUP:
            return digest.advance(incident, occurrence_counts, now, policy=self.policy, more=observed.more)
        return advance(
            incident, occurrence_counts, now, service=service, policy=self.policy, observed=observed
        )

    def _missing(self, service: str, incident: Incident | None, now: Millis) -> list[OccurrenceCount]:
        """What is missing now, or is not any more; only services have lines that must appear."""
        if service == TEST_MODE_GROUP:
            return []
        return absences(self.ledger, self.policy.signatures, service, incident, now, queues=self.queues)

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

    def _suspects(self, service: str, now: Millis) -> Sequence[Change]:
        """What changed lately and may be behind an incident of the service; nothing where it cannot be read."""
        if self.services is None or service == TEST_MODE_GROUP:
            return ()
        try:
            return concerning(self.ledger.changes(now - SUSPECT_FOR), service, self.services)
        except Exception:  # whatever it is: an alert must not wait for what explains it
            return ()

    def _reopen_earlier(
        self, stored: Stored, occurrence_counts: Sequence[OccurrenceCount], now: Millis, done: Reconciliation
    ) -> Stored:
        """The incident that goes on: the latest, or an earlier one whose alert is back, for which the latest makes way."""
        done.superseded, latest = None, stored.incident
        earlier = None if latest is None else earlier_incident_for(latest, occurrence_counts, self.policy)
        if latest is None or earlier is None:
            return stored
        kept = self.ledger.closed_incident(latest.service, earlier)
        if kept is None or kept.resolved_at is None:
            return stored
        done.superseded = latest
        return Stored(remembering(kept, latest, now, self.policy), stored.version)

    def _read_queues(
        self,
        incident: Incident | None,
        occurrence_counts: Sequence[OccurrenceCount],
        now: Millis,
        readings: dict[str, QueueReading],
    ) -> None:
        """Look once at each dead-letter queue whose alarm fires, or began to with one of these occurrence_counts."""
        if self.queues is None:
            return
        looked_at: list[Alert | OccurrenceCount] = [
            *(incident.firing if incident else ()),
            *occurrence_counts,
        ]
        watched = {
            each.fingerprint: (each.fields["queue"], each.origin.account, each.origin.region)
            for each in looked_at
            if queue_watch.is_watched(each, self.policy)
        }
        for fingerprint in watched.keys() - readings.keys():
            reading = self.queues.read(*watched[fingerprint], now)
            if reading is not None:
                readings[fingerprint] = reading

    def _publish(
        self, stored: Stored, entries: Sequence[Pending], now: Millis, done: Reconciliation
    ) -> Stored:
        """Publish entries of the outbox, and take them out of it."""
        incident = stored.incident
        if incident is None or not entries:
            return stored
        for entry in entries:
            self.publisher.publish(self.notification(incident, entry, self._wide(incident, entry)))
            done.sent.append(entry.reason)
        return self._clear(stored, [entry.sequence for entry in entries], now, done)

    def _clear(self, stored: Stored, sequences: Sequence[int], now: Millis, done: Reconciliation) -> Stored:
        """Take published entries out of the outbox, also when somebody applied more meanwhile."""
        for _ in range(MAX_CONFLICTS):
            incident = stored.incident
            if incident is None or not any(entry.sequence in sequences for entry in incident.outbox):
                return stored
            left = without(incident, sequences)
            try:
                version = self.ledger.save(left, stored.version, due=self._next_check_at(left, now))
            except StaleVersionError:
                stored = self.ledger.load(incident.service)
                if stored.incident is None or stored.incident.id != incident.id:
                    return stored
                continue
            done.incident = left
            return Stored(left, version)
        return stored  # the next reconciliation publishes them once more; readers know them by their sequence

    def _next_check_at(self, incident: Incident, now: Millis) -> Millis | None:
        """When the incident wants to be looked at again; None for never."""
        due = next_move(incident, now, self.policy)
        if (
            due is None or incident.service == TEST_MODE_GROUP
        ):  # a digest waits for days, and must cost nothing meanwhile
            return due
        return min(due, now + LOOK_AGAIN)

    def notification(self, incident: Incident, entry: Pending, wide: Wide | None = None) -> Notification:
        """The contract's JSON for one entry of an incident's outbox."""
        notification = build_notification(
            incident, entry, self.policy.signatures, runbooks_url=self.runbooks_url, wide=wide
        )
        return with_account_names(notification, self.services.accounts if self.services else {})

    def _wide(self, incident: Incident, entry: Pending) -> Wide | None:
        """The wide incident that an incident belongs to: joined as it opens, by when that was due."""
        cause = own_cause(incident, self.policy)
        if cause is None or entry.reason is not Reason.OPENED:
            return None if cause is None else wide_as_lead(incident, cause)
        # One that was quiet for long enough to be over leads nobody any more.
        within = min(self.policy.intervals.wide_within, self.policy.resolve_after(cause.signature))
        try:
            joined = self.ledger.join_wide(cause.key, incident.id, incident.service, entry.at, within)
        except Exception:  # whatever it is: then it is told by itself, which loses nothing
            return None
        return wide_when_opened(joined, incident, cause)

    def _services_led(self, incident: Incident | None, now: Millis) -> tuple[str, ...]:
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


def next_move(incident: Incident, now: Millis, policy: Policy) -> Millis | None:
    """Say when time alone will next move an incident, or tell a digest; None for never."""
    of = digest.next_due if incident.service == TEST_MODE_GROUP else next_due
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
    return incident is not None and any(now - entry.at >= OUTBOX_TAKEOVER_AFTER for entry in incident.outbox)
