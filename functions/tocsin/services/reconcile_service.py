"""Reconciling one service: bring its incident up to date and tell what is due.

The one step that both ``detect`` (at once) and ``reconcile`` (every minute, see ``reconcile_all``) do.

Level-triggered: it looks at what is stored, not at what happened, so whoever runs it next repairs whatever a
crash left half done. The order of writes is what makes that safe: first the incident with its outbox, then
SNS, then the outbox emptied. A crash between the last two publishes twice; ``notify`` knows a notification by
its incident and sequence and shows it once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from tocsin.core.config.settings import Settings
from tocsin.core.errors.error_store import ErrorStore
from tocsin.core.incidents import digest
from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.acting import MAX_ACTIONS
from tocsin.core.incidents.actions import Action, ActionKind
from tocsin.core.incidents.after_deploy import startup_silences
from tocsin.core.incidents.changes import BEFORE_DIRECT, concerning, is_suspect
from tocsin.core.incidents.false_alerts import false_alerts
from tocsin.core.incidents.incident import Alert, Incident, Pending, QueueReading
from tocsin.core.incidents.lifecycle import (
    Advance,
    Observed,
    advance,
    earlier_incident_for,
    remembering,
    without,
)
from tocsin.core.incidents.muting import matched_since
from tocsin.core.incidents.next_check import next_check_at
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
from tocsin.core.model import TEST_MODE_GROUP, Change, Millis, OccurrenceCount, Reason
from tocsin.core.notifications.building import build_notification, with_account_names
from tocsin.core.notifications.contract import Notification
from tocsin.core.times import HOUR
from tocsin.services.absence import QueueDepths, absences
from tocsin.services.known_errors import take_pressed_as_known
from tocsin.services.redriving import MessageMoves, is_asked_for, look_at_moves, start_asked
from tocsin.services.wide_incidents import joined_services, wide_of

OUTBOX_TAKEOVER_AFTER: Millis = 10_000
"""How old an outbox entry must be before another writer publishes it: its own writer is probably about to."""

MAX_CONFLICTS = 8
"""How many lost races one round takes before it leaves the rest to ``reconcile``."""

SUSPECT_FOR: Millis = BEFORE_DIRECT + HOUR
"""How far back changes are looked for: as far as any is suspected, and the time that an occurrence may be late."""


CHANGES_KEPT: Millis = 1_000
"""How old what was read of changes may be: EventBridge itself takes about as long."""


class RecentChanges(Struct):
    """What was read of changes last, for whoever reconciles many services at the same moment.

    Attributes:
        read_at: When it was read.
        changes: What was read; None for nothing yet.
    """

    read_at: Millis = 0
    changes: Sequence[Change] | None = None

    def read(self, ledger: Ledger, now: Millis) -> Sequence[Change]:
        """The changes that may be suspected, as they were at most ``CHANGES_KEPT`` ago."""
        if self.changes is None or not 0 <= now - self.read_at < CHANGES_KEPT:
            self.changes, self.read_at = ledger.changes(now - SUSPECT_FOR), now
        return self.changes


class Reconciliation(Struct):
    """What one reconciliation did.

    Attributes:
        incident: The incident afterwards; None when there is none.
        applied: How many occurrence counts were applied into it.
        sent: The reasons of the notifications that were published.
        acted: What people did that was applied.
    """

    incident: Incident | None = None
    applied: int = 0
    sent: list[Reason] = field(default_factory=list)
    acted: list[Action] = field(default_factory=list)


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
        return _ServiceRound(self, service, now, fresh=fresh, changes=changes, silences=silences).run(needed)

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


class _ServiceRound:
    """One reconciliation of one service; the arguments are those of ``Reconciler.reconcile``.

    What was found out stays true when a save loses a race and the round begins again: which counts are applied
    already, what queues hold, which lines are missing.
    """

    def __init__(
        self,
        reconciler: Reconciler,
        service: str,
        now: Millis,
        *,
        fresh: Sequence[OccurrenceCount],
        changes: Sequence[Change],
        silences: Callable[[], Sequence[Silence]] | None,
    ) -> None:
        self._with, self._ledger, self._policy = reconciler, reconciler.ledger, reconciler.policy
        self._service, self._now = service, now
        self._fresh, self._changes = fresh, changes
        self._silences = silences or self._ledger.silences
        self._suspects = cache(self._find_suspects)
        self._done = Reconciliation()
        self._gone: set[CountKey] = set()
        self._readings: dict[str, QueueReading] = {}
        self._missing: dict[CountKey, OccurrenceCount] = {}
        self._superseded: Incident | None = None

    @property
    def _is_digest(self) -> bool:
        """Whether it is about the digest of signatures in test mode, which is no service."""
        return self._service == TEST_MODE_GROUP

    def run(self, needed: Callable[[Incident | None], bool]) -> Reconciliation:
        """Do it, again and again as long as somebody else is faster."""
        for _ in range(MAX_CONFLICTS):
            stored = self._ledger.load(self._service)
            self._done.incident = stored.incident
            if not needed(stored.incident) and not _overdue(stored.incident, self._now):
                break
            try:
                self._bring_up_to_date(stored)
                break
            except StaleVersionError:
                continue
            except AlreadyAppliedError as error:
                self._gone.update(error.keys)
        return self._done

    def _bring_up_to_date(self, stored: Stored) -> None:
        """Publish what was left lying, apply what waits, publish what comes of it."""
        left_lying = [entry for entry in _outbox(stored) if self._now - entry.at >= OUTBOX_TAKEOVER_AFTER]
        stored = self._publish(stored, left_lying)
        if stored.incident and stored.incident.resolved_at is not None and stored.incident.outbox:
            return  # its last word is still on its way and a new incident would overwrite it: later
        waiting = self._waiting(stored.incident)
        stored = self._reopen_earlier(stored, waiting)
        actions = self._actions()
        silences = self._silences_with(actions)
        observed = Observed(
            silences=silences,
            readings=self._read_queues(stored.incident, waiting),
            changes=self._changes,
            suspects=self._suspects,
            wide_services=()
            if self._fresh
            else joined_services(self._ledger, self._policy, stored.incident, self._now),
            actions=actions,
            moves=look_at_moves(self._with.moves, stored.incident),
        )
        self._apply(stored, waiting, observed)
        if self._done.incident is not None:
            for silence in matched_since(self._done.incident, silences, self._now):
                self._ledger.note_match(silence.id, silence.last_matched)
        self._redrive()

    def _waiting(self, incident: Incident | None) -> list[OccurrenceCount]:
        """What is to be applied, the fresh ones first: what is new must not wait behind a backlog."""
        if not self._is_digest:
            signatures, queues = self._policy.signatures, self._with.queues
            found = absences(self._ledger, signatures, self._service, incident, self._now, queues=queues)
            self._missing.update((key_of(each), each) for each in found)
        counted = {key_of(each): each for each in (*self._fresh, *self._ledger.pending(self._service))}
        return [each for key, each in (counted | self._missing).items() if key not in self._gone]

    def _silences_with(self, actions: Sequence[Action]) -> tuple[Silence, ...]:
        """The silences, with those that people just asked for and those that follow a deploy."""
        silences = tuple(self._silences())
        known = {silence.id for silence in silences}
        silences += tuple(own for act in actions if (own := act.silence) and own.id not in known)
        services = self._with.services
        if services is not None and services.after_deploy(self._service):
            silences += startup_silences(self._service, (*self._suspects(), *self._changes), services)
        return silences

    def _apply(self, stored: Stored, occurrence_counts: Sequence[OccurrenceCount], seen: Observed) -> None:
        """Apply all occurrence counts, as many at a time as one save takes, publishing as notifications come due."""
        most = self._ledger.max_applied - len(seen.actions)
        last_received: dict[str, Millis] = {}
        for each in occurrence_counts:
            last_received[each.fingerprint] = max(last_received.get(each.fingerprint, 0), each.received_at)
        for start in range(0, max(1, len(occurrence_counts)), most):
            batch, more = occurrence_counts[start : start + most], start + most < len(occurrence_counts)
            # What was counted goes before what people did about it.
            actions = () if more else seen.actions
            observed = replace(seen, last_received=last_received, more=more, actions=actions)
            moved = self._advance(stored.incident, batch, observed)
            if moved.incident is None:
                self._ledger.drop(moved.applied)
                self._ledger.drop_actions(moved.acted)
            unchanged = moved.incident == stored.incident and not moved.applied and not moved.acted
            if moved.incident is None or unchanged:
                continue
            others = {entry.sequence for entry in _outbox(stored)}
            if self._policy.intervals.digest_interval:
                # Before the press counts as applied: what is lost between the two is done again, and counted once.
                for marked in false_alerts(moved.incident, moved.acted):
                    self._ledger.count(marked)
            version = self._ledger.save(
                moved.incident,
                stored.version,
                applied=moved.applied,
                due=next_check_at(moved.incident, self._now, self._policy),
                closed=moved.closed or self._superseded,
                acted=moved.acted,
            )
            self._superseded = None
            self._gone.update(map(key_of, moved.applied), map(key_of_action, moved.acted))
            self._done.acted += moved.acted
            self._done.incident, self._done.applied = moved.incident, self._done.applied + len(moved.applied)
            saved = Stored(moved.incident, version)
            # Not what another writer queued and is publishing this moment. A new incident counts from 1 again.
            own = [entry for entry in _outbox(saved) if moved.closed or entry.sequence not in others]
            stored = self._publish(saved, own)

    def _actions(self) -> list[Action]:
        """What people did and was not applied yet; a silence among it is kept like any other, before anything else.

        So is that an error is known.
        """
        if not self._with.takes_actions or self._is_digest:
            return []
        pending = self._ledger.pending_actions(self._service)
        left = [action for action in pending if key_of_action(action) not in self._gone]
        actions = sorted(left, key=lambda action: (action.at, action.id))[:MAX_ACTIONS]
        for action in actions:
            if action.silence is not None:
                with suppress(SilenceConflictError):  # it was kept before, and taken back since
                    self._ledger.put_silence(action.silence)
        errors = self._with.errors
        return [
            take_pressed_as_known(errors, each) if each.kind is ActionKind.KNOWN_ERROR else each
            for each in actions
        ]

    def _advance(
        self, incident: Incident | None, occurrence_counts: Sequence[OccurrenceCount], observed: Observed
    ) -> Advance:
        """Apply into the service's incident, or into the next digest."""
        if self._is_digest:
            return digest.advance(
                incident, occurrence_counts, self._now, policy=self._policy, more=observed.more
            )
        return advance(
            incident,
            occurrence_counts,
            self._now,
            service=self._service,
            policy=self._policy,
            observed=observed,
        )

    def _redrive(self) -> None:
        """Start the redrive that the incident, as it is stored now, asks for."""
        incident, moves = self._done.incident, self._with.moves
        if moves is not None and incident is not None and is_asked_for(incident):
            start_asked(self._ledger, moves, self._ledger.load(self._service), self._now)

    def _find_suspects(self) -> Sequence[Change]:
        """What changed lately and may be behind an incident of the service; nothing where it cannot be read."""
        services = self._with.services
        if services is None or self._is_digest:
            return ()
        # What may mute is read as it is now; what only explains may be a moment old.
        recent = RecentChanges() if services.after_deploy(self._service) else self._with.recent_changes
        try:
            return concerning(recent.read(self._ledger, self._now), self._service, services)
        except Exception:  # whatever it is: an alert must not wait for what explains it
            return ()

    def _reopen_earlier(self, stored: Stored, occurrence_counts: Sequence[OccurrenceCount]) -> Stored:
        """The incident that goes on: the latest, or an earlier one whose alert is back, for which the latest makes way."""
        self._superseded, latest = None, stored.incident
        earlier = None if latest is None else earlier_incident_for(latest, occurrence_counts, self._policy)
        if latest is None or earlier is None:
            return stored
        kept = self._ledger.closed_incident(latest.service, earlier)
        if kept is None or kept.resolved_at is None:
            return stored
        self._superseded = latest
        return Stored(remembering(kept, latest, self._now, self._policy), stored.version)

    def _read_queues(
        self, incident: Incident | None, occurrence_counts: Sequence[OccurrenceCount]
    ) -> dict[str, QueueReading]:
        """What is in each dead-letter queue whose alarm fires, or began to with one of these: looked at once a round."""
        if self._with.queues is None or self._is_digest:
            return {}
        looked_at: list[Alert | OccurrenceCount] = [
            *(incident.firing if incident else ()),
            *occurrence_counts,
        ]
        watched = {
            each.fingerprint: (each.fields["queue"], each.origin.account, each.origin.region)
            for each in looked_at
            if queue_watch.is_watched(each, self._policy)
        }
        for fingerprint in watched.keys() - self._readings.keys():
            reading = self._with.queues.read(*watched[fingerprint], self._now)
            if reading is not None:
                self._readings[fingerprint] = reading
        return self._readings

    def _publish(self, stored: Stored, entries: Sequence[Pending]) -> Stored:
        """Publish entries of the outbox, and take them out of it."""
        incident = stored.incident
        if incident is None or not entries:
            return stored
        for entry in entries:
            self._with.publisher.publish(self._notification(incident, entry))
            self._done.sent.append(entry.reason)
        return self._clear(stored, [entry.sequence for entry in entries])

    def _notification(self, incident: Incident, entry: Pending) -> Notification:
        """The contract for one entry of an incident's outbox."""
        notification = build_notification(
            incident,
            entry,
            self._policy.signatures,
            runbooks_url=self._with.runbooks_url,
            wide=wide_of(self._ledger, self._policy, incident, entry),
        )
        return with_account_names(notification, self._with.services.accounts if self._with.services else {})

    def _clear(self, stored: Stored, sequences: Sequence[int]) -> Stored:
        """Take published entries out of the outbox, also when somebody applied more meanwhile."""
        for _ in range(MAX_CONFLICTS):
            incident = stored.incident
            if incident is None or not any(entry.sequence in sequences for entry in incident.outbox):
                return stored
            left = without(incident, sequences)
            try:
                due = next_check_at(left, self._now, self._policy)
                version = self._ledger.save(left, stored.version, due=due)
            except StaleVersionError:
                stored = self._ledger.load(incident.service)
                if stored.incident is None or stored.incident.id != incident.id:
                    return stored
                continue
            self._done.incident = left
            return Stored(left, version)
        return stored  # the next reconciliation publishes them once more; readers know them by their sequence


def _outbox(stored: Stored) -> tuple[Pending, ...]:
    return stored.incident.outbox if stored.incident else ()


def _overdue(incident: Incident | None, now: Millis) -> bool:
    """Whether a notification has waited so long that its writer must have died."""
    return incident is not None and any(now - entry.at >= OUTBOX_TAKEOVER_AFTER for entry in incident.outbox)
