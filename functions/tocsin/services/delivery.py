"""Delivering: from one notification to Slack, told once, never older over newer.

Slack takes no idempotency key, so the memory is ours: a record per incident, worked on under a lease.
Claiming the lease marks the notification as unconfirmed; only an attempt that saw its own end takes the mark
away. Whoever finds the mark asks Slack first, where it can be asked: a bot finds its own messages again. A webhook
can neither be asked nor edited: there an unconfirmed notification is posted again, because a message twice is better
than an incident nobody is notified of.

After an outage of Slack notifications come in any order, since each has a delay of its own. One that a newer
one has overtaken is dropped if it only counts on. Everything else has news that the newer one may not show, so
it is told all the same, marked as late: it must not look like an alarm that is on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from tocsin.adapters.aws.delivery_table import BusyError, LeaseLostError
from tocsin.adapters.slack.errors import DeliveryError, RetryableDeliveryError
from tocsin.core.model import Millis
from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.slack.delivery_record import DeliveryRecord, includes, including
from tocsin.services.channel import Audience, Channel, Outcome, Posting

LOOK_AGAIN: Millis = 10_000
"""How soon a notification whose incident is being worked on is tried again."""


LEADER_EXPECTED: Millis = 3_000
"""How long an incident that joined a wide one waits for the one that leads, which may be told elsewhere only."""

LEADER_BEGUN: Millis = 30_000
"""The same where somebody has begun to tell of it here."""

LEADER_KEPT: Millis = 60_000
"""How long where the message of the one that leads is need not be asked again: it stays there, and one that somebody
deletes meanwhile is missed where it is needed (``bot_channel``)."""

MAX_LEADERS = 1_000
"""Incidents that lead which one process remembers."""

LIST_EXPECTED: Millis = 150_000
"""How long, by webhook, it waits to be listed by the message of the one that leads, which looks for others every minute."""


class Store(Protocol):
    """Where delivery records are; see ``adapters.aws.delivery_table``."""

    def claim(
        self, incident: str, sequence: int, claimant: str, now: Millis, lease: Millis
    ) -> DeliveryRecord:
        """Take the lease and mark the notification as unconfirmed."""

    def release(
        self,
        incident: str,
        sequence: int,
        claimant: str,
        now: Millis,
        record: DeliveryRecord,
        *,
        unconfirmed: bool,
    ) -> None:
        """Write down what came of it and give the lease back."""

    def peek(self, incident: str) -> DeliveryRecord | None:
        """The record of an incident as it is, without a claim."""


class Leads:
    """The records of incidents that lead wide ones, once their message is there; several threads may use it.

    Args:
        store: Where the records are.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[DeliveryRecord, Millis]] = {}

    def peek(self, incident: str, now: Millis) -> DeliveryRecord | None:
        """The record of an incident as it is, or was within ``LEADER_KEPT`` when its message was there."""
        # No lock: two threads may look it up at the same time. To wait for a call that hangs would cost more.
        known, read_at = self._known.get(incident, (None, 0))
        if known is not None and 0 <= now - read_at < LEADER_KEPT:
            return known
        record = self._store.peek(incident)
        if record is not None and record.ts:
            if len(self._known) >= MAX_LEADERS:
                self._known.clear()
            self._known[incident] = (record, now)
        return record


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver.

    Attributes:
        claimant: Unique for each attempt.
        now: The time.
        lease: How long the invocation may live at most from ``now``.
        patience: For how long after it became due a notification lets the one before it go first. A queue keeps no
            order, and two that are told by two invocations at once would often be told the wrong way round.
    """

    claimant: str
    now: Millis
    lease: Millis
    patience: Millis = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a notification, and what the operator should know about it.

    Attributes:
        outcome: ``delivered``; ``superseded`` when something newer had been told and this added nothing;
            ``duplicate`` when it had been told; ``rolled up`` when a webhook leaves it to a later message.
        notes: Things that did not go as they should, although it was delivered.
    """

    outcome: Outcome
    notes: tuple[str, ...] = ()


def deliver(
    notification: Notification,
    channel: Channel,
    store: Store,
    attempt: Attempt,
    audience: Audience = Audience(),
    leads: Leads | None = None,
) -> Delivery:
    """Tell a channel of one notification, once: claim the incident, wait for what goes first, tell, record.

    Args:
        notification: What to tell.
        channel: Where.
        store: What is known of it there.
        attempt: This try.
        audience: Whom it reaches.
        leads: What is known of incidents that lead wide ones there, kept for further deliveries.

    Raises:
        RetryableDeliveryError: Try again later.
        PermanentDeliveryError: A person has to change something.
        Exception: Whatever the store raises; try again later.
    """
    lease = _Lease.claimed(notification, store, attempt)
    if includes(lease.record.told, notification.sequence):
        lease.end(lease.record, unconfirmed=False)
        return Delivery(Outcome.DUPLICATE)
    if _goes_second(notification, lease.record, attempt):
        lease.end(lease.record, unconfirmed=notification.sequence in lease.record.unconfirmed)
        raise RetryableDeliveryError("the one before it goes first", retry_after=1_000, busy=True)
    record = lease.record
    wide = notification.wide is not None
    if (wide and not record.ts) if channel.has_threads else (wide or record.thread):
        try:
            record = (
                _in_leaders_thread(notification, record, leads or Leads(store), attempt)
                if channel.has_threads
                else _listed_by_leader(notification, record, store, attempt, audience.mentions)
            )
        except RetryableDeliveryError:
            lease.end(lease.record, unconfirmed=notification.sequence in lease.record.unconfirmed)
            raise
    posting = channel.posting(notification, record, audience)
    try:
        outcome = posting.tell()
    except DeliveryError as failure:
        ambiguous = isinstance(failure, RetryableDeliveryError) and failure.ambiguous
        lease.give_back(posting, unconfirmed=posting.unconfirmed or ambiguous)
        raise
    lease.record_told(posting)
    return Delivery(outcome, tuple(posting.notes))


def _in_leaders_thread(
    notification: Notification, record: DeliveryRecord, leads: Leads, attempt: Attempt
) -> DeliveryRecord:
    """The record of an incident that joined a wide one: it is told in the thread of the one that leads, if that is here.

    Raises:
        RetryableDeliveryError: The one that leads is on its way, and goes first.
    """
    lead = notification.wide.lead if notification.wide else notification.incident.id
    if lead == notification.incident.id:
        return record
    known = leads.peek(lead, attempt.now)
    if known is not None and known.ts:
        return replace(record, channel=known.channel, thread=known.thread or known.ts)
    age = attempt.now - millis_of(notification.at)
    if 0 <= age < (LEADER_BEGUN if known is not None else LEADER_EXPECTED):
        raise RetryableDeliveryError("the incident that leads goes first", retry_after=1_000, busy=True)
    return record


def _listed_by_leader(
    notification: Notification,
    record: DeliveryRecord,
    store: Store,
    attempt: Attempt,
    mentions: tuple[str, ...],
) -> DeliveryRecord:
    """By webhook: the record of an incident that joined a wide one, whose message lists it, or is about to.

    The services of a cause only become more. So a list of as many as there were when this one joined has it, and what
    no list has in time is told by itself, as is whatever calls somebody whom the one that leads has not called.

    Raises:
        RetryableDeliveryError: The one that leads will list it soon.
    """
    wide = notification.wide
    lead = record.thread or (wide.lead if wide else "")
    if not lead or lead == notification.incident.id:
        return record
    known = store.peek(lead)
    if record.thread or wide is None:  # its end and its reminders: for as long as the one that leads goes on
        return record if known is not None and known.listed else replace(record, thread="")
    age = attempt.now - millis_of(notification.at)
    if known is None or not known.shown:
        if 0 <= age < (LEADER_EXPECTED if known is None else LEADER_BEGUN):
            raise RetryableDeliveryError("the incident that leads goes first", retry_after=1_000, busy=True)
        return record
    if not set(mentions) <= set(known.called.split()):
        return record
    if known.listed >= wide.service_count:
        return replace(record, thread=lead)
    if 0 <= age < LIST_EXPECTED:
        raise RetryableDeliveryError("the incident that leads lists it soon", retry_after=10_000, busy=True)
    return record


def _goes_second(notification: Notification, record: DeliveryRecord, attempt: Attempt) -> bool:
    """Whether the notification before it is still on its way, and probably near."""
    young = 0 <= attempt.now - millis_of(notification.at) < attempt.patience
    return young and notification.sequence > 1 and not includes(record.told, notification.sequence - 1)


@dataclass(frozen=True, slots=True)
class _Lease:
    """The right to tell of an incident, and its record as it was when that began."""

    notification: Notification
    store: Store
    attempt: Attempt
    record: DeliveryRecord

    @classmethod
    def claimed(cls, notification: Notification, store: Store, attempt: Attempt) -> _Lease:
        """Take the lease, and note that the notification is being told."""
        try:
            record = store.claim(
                notification.incident.id,
                notification.sequence,
                attempt.claimant,
                attempt.now,
                attempt.lease,
            )
        except BusyError as error:
            wait = min(LOOK_AGAIN, max(1_000, error.until - attempt.now))
            raise RetryableDeliveryError(str(error), retry_after=wait, busy=True) from error
        return cls(notification, store, attempt, record)

    def end(self, record: DeliveryRecord, *, unconfirmed: bool) -> None:
        """Keep what is known now, and give the lease back."""
        self.store.release(
            self.notification.incident.id,
            self.notification.sequence,
            self.attempt.claimant,
            self.attempt.now,
            record,
            unconfirmed=unconfirmed,
        )

    def give_back(self, posting: Posting, *, unconfirmed: bool) -> None:
        """End it after a failure; failing at that is no news, because leases end by themselves."""
        try:
            self.end(posting.record, unconfirmed=unconfirmed)
        except Exception as error:  # the failure that matters is the one being raised already
            posting.notes.append(f"the lease could not be given back: {type(error).__name__}")

    def record_told(self, posting: Posting) -> None:
        """End it with the notification told."""
        told = including(posting.record.told, self.notification.sequence)
        try:
            self.end(replace(posting.record, told=told), unconfirmed=False)
        except LeaseLostError as error:
            raise RetryableDeliveryError(
                "the lease ended before the work did", retry_after=LOOK_AGAIN
            ) from error
