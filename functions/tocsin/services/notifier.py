"""Notifying: a batch of the queue's messages, each told, put off or dead-lettered; what is not safe stays.

Each message goes through the same stages: it is read, routed, told in every destination that its routes lead to
(``delivery``: claimed, ordered, told, recorded), and settled. It comes back as long as one destination may still take
it, and what the others were told is not told again. It is dead-lettered only when nothing is left but destinations
that refuse it for good: a send and then an acknowledgement, so that a crash between the two leaves the message in
both places, and telling it twice is prevented further on.

Different incidents are told side by side by a few threads (``concurrent_incidents``). What they share is little: the log of the
batch, and the pauses that Slack asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any, Protocol

from msgspec.structs import replace

from tocsin.adapters.slack.credentials import Credential
from tocsin.adapters.slack.errors import CredentialRefusedError, RetryableDeliveryError
from tocsin.core.config.routing import DEFAULT, Destination, NotificationTarget, Routing
from tocsin.core.config.settings import RepliesInChannel
from tocsin.core.model import Millis, Reason
from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.notifications.queue_message import QueueMessage, read_body
from tocsin.core.signatures.heartbeat import TOO_LATE, Heartbeat
from tocsin.services.channel import Audience, Channel, Outcome
from tocsin.services.concurrent_incidents import Item, lanes_of, work_through
from tocsin.services.delivery import Attempt, Delivery, Leads, Store, deliver
from tocsin.services.retry import MAX_DELAY, Failure, backoff, failure_of, place

ORDERING_WINDOW: Millis = 3_000
"""How long a notification lets the one before it go first."""

TIME_FOR_ONE: Millis = 20_000
"""What must be left of the invocation to begin with another notification; the first is always tried."""

AT_A_TIME = 5
"""Incidents that are told of at once. Slack takes a message a second and channel, and a few more in a burst."""

PACE: Millis = 1_000
"""What Slack allows a channel: a message a second. Those that it sends away come back at this distance."""


class Queue(Protocol):
    """The queue; see ``adapters.aws.notify_queue``."""

    def defer(self, receipt_handle: str, delay: Millis) -> None:
        """Have a message delivered again after a delay."""

    def dead_letter(self, body: str, why: str) -> bool:
        """Keep a message in the dead-letter queue."""


class Secret(Protocol):
    """The credential; see ``adapters.slack.credentials``."""

    def credential(self, now: Millis, *, fresh: bool = False) -> Credential:
        """The credential, kept for a while unless asked for fresh."""


class HeartbeatRecord(Protocol):
    """Where the arrival of a heartbeat is stored; see ``adapters.aws.heartbeat_record``."""

    def arrived(self, now: Millis) -> None:
        """Store that one arrived."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is said in the log about one message.

    Attributes:
        level: ``INFO``, ``WARNING`` or ``ERROR``.
        text: In words; never log text, never a credential.
        details: The notification's id, its reason and the like.
    """

    level: str
    text: str
    details: Mapping[str, Any]


@dataclass(slots=True)
class Notifier:
    """Works through a batch.

    Attributes:
        routing: Where each notification is told.
        secret_of: The credential of a destination.
        store_of: The delivery records of a destination.
        queue: The queue.
        connect: Makes a channel from a credential.
        clock: The time; a batch takes long enough to need more than one.
        deadline: When the invocation is stopped.
        claimant: Unique for the invocation.
        heartbeat_record: Where the arrival of a heartbeat is stored.
        pool: The threads that tell of several incidents at a time; None for one after the other.
        leads: What is known of incidents that lead wide ones, by destination; further batches may know it too.
        log: What is to be said of the batch.
        heartbeats: How long each heartbeat of the batch took that arrived as it should.
        replies: Which replies in a thread the channel also shows.
        latencies: How long each piece of news of the batch took from its newest log line to Slack's answer.
    """

    routing: Routing
    secret_of: Callable[[Destination], Secret]
    store_of: Callable[[Destination], Store]
    queue: Queue
    connect: Callable[[Credential], Channel]
    clock: Callable[[], Millis]
    deadline: Millis
    claimant: str
    heartbeat_record: HeartbeatRecord | None = None
    replies: RepliesInChannel = RepliesInChannel.IMPORTANT
    pool: Executor | None = None
    leads: dict[str, Leads] = field(default_factory=dict)
    log: list[Line] = field(default_factory=list)
    heartbeats: list[Millis] = field(default_factory=list)
    latencies: list[Millis] = field(default_factory=list)
    _channels: dict[tuple[str, int], tuple[Credential, Channel]] = field(default_factory=dict)
    _turns: dict[str, Millis] = field(default_factory=dict)
    _begun: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def work(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Tell Slack of each message.

        Args:
            records: As SQS gives them to a function.

        Returns:
            The ids of the messages that are to come back.
        """
        # Read here and not by the threads: msgspec 0.22 crashes the process where two learn a type at the same time.
        items = [_read(QueueMessage.of(record)) for record in records]
        done: set[int] = set()

        def work(item: Item) -> None:
            try:
                if self._is_done_with(item):
                    done.add(id(item))
            except Exception as error:  # a fault of ours: the message comes back after the queue's own time
                text = f"not sent yet: {type(error).__name__} at {place(error)}"
                self._say("ERROR", text, {"message_id": item.message.id})

        work_through(lanes_of(items), work, self.pool)
        return [item.message.id for item in items if id(item) not in done]

    def _is_done_with(self, item: Item) -> bool:
        """Route, tell, settle one message; True when it need not come back."""
        message, content = item.message, item.content
        about: dict[str, Any] = {"message_id": message.id}
        try:
            if isinstance(content, Exception):
                return self._settle(message, [failure_of(content, message, DEFAULT, about, self.clock())])
            if isinstance(content, Heartbeat):
                self._count(content, about)
                return True
            about |= {"notification": content.id, "reason": content.reason}
            return self._settle(message, self._tell_everywhere(content, message, about))
        except Exception as error:  # one message must not keep the others; said, and kept
            return self._settle(message, [failure_of(error, message, DEFAULT, about, self.clock())])

    def _tell_everywhere(
        self, notification: Notification, message: QueueMessage, about: Mapping[str, Any]
    ) -> list[Failure]:
        """Tell every destination that its routes lead to; what went wrong."""
        targets = self.routing.targets_for(notification)
        # Each try begins with another destination: one that hangs must not keep the others from their time.
        turn = (message.tries - 1) % len(targets)
        told = [
            self._tell(notification, message, target, about) for target in (*targets[turn:], *targets[:turn])
        ]
        return [failure for failure in told if failure]

    def _count(self, heartbeat: Heartbeat, about: Mapping[str, Any]) -> None:
        """Count a heartbeat that could have been told, had it been a notification; never put off or dead-lettered."""
        try:
            now = self.clock()
            for destination in self.routing.destinations.values():
                self.secret_of(destination).credential(now)
            if self.heartbeat_record is not None:
                self.heartbeat_record.arrived(now)
        except Exception as error:  # then it is not counted, and the alarm on its absence tells
            self._say("ERROR", f"the heartbeat stops here: {type(error).__name__} at {place(error)}", about)
            return
        took = now - heartbeat.written_at
        if took > TOO_LATE:
            self._say("WARNING", f"a heartbeat arrived after {took // 1000} s and is not counted", about)
            return
        self.heartbeats.append(max(0, took))

    def _tell(
        self,
        notification: Notification,
        message: QueueMessage,
        target: NotificationTarget,
        about: Mapping[str, Any],
    ) -> Failure | None:
        """Tell one destination; what went wrong there, or None."""
        name = target.destination.name
        about = {**about, "destination": name}
        try:
            self._wait_its_turn(name)
            delivery = self._deliver(notification, message, target)
        except Exception as error:  # one destination must not keep the others; said, and kept
            now = self.clock()
            failure = failure_of(error, message, name, about, now)
            return self._in_line(failure, name, now) if failure.pause else failure
        for note in delivery.notes:
            self._say("WARNING", note, about)
        self._say("INFO", delivery.outcome.value, about)
        newest = _newest(notification)
        if delivery.outcome is Outcome.DELIVERED and newest is not None:
            self.latencies.append(max(0, self.clock() - newest))
        return None

    def _wait_its_turn(self, destination: str) -> None:
        """Refuse what Slack asked to wait with, and what there is no time left for."""
        with self._lock:
            now = self.clock()
            turn = self._turns.get(destination, 0)
            if now < turn:
                self._turns[destination] = turn + PACE
                raise RetryableDeliveryError("waiting as long as Slack asked", retry_after=turn - now)
            if self._begun and self.deadline - now < TIME_FOR_ONE:
                raise RetryableDeliveryError("no time left in this invocation", retry_after=1_000)
            self._begun = True

    def _in_line(self, failure: Failure, destination: str, now: Millis) -> Failure:
        """The failure of one that Slack sent away, which comes back behind those that it sent away before."""
        with self._lock:
            turn = max(now + failure.pause, self._turns.get(destination, 0))
            self._turns[destination] = turn + PACE
        return replace(failure, wait=max(failure.wait or 0, turn - now), least=turn - now)

    def _deliver(
        self, notification: Notification, message: QueueMessage, target: NotificationTarget
    ) -> Delivery:
        """Deliver with the credential as it is known; with a fresh one if Slack refuses that."""
        destination, store = target.destination, self.store_of(target.destination)
        leads = self.leads.setdefault(destination.name, Leads(store))

        def attempt(credential: Credential, number: int) -> Delivery:
            now = self.clock()
            return deliver(
                notification,
                self._channel(destination, credential),
                store,
                Attempt(
                    claimant=f"{self.claimant}/{message.id}/{number}",
                    now=now,
                    lease=max(1_000, self.deadline - now),
                    patience=ORDERING_WINDOW,
                ),
                Audience(target.mentions, target.concerned, self.replies),
                leads,
            )

        secret = self.secret_of(destination)
        credential = secret.credential(self.clock())
        try:
            return attempt(credential, 1)
        except CredentialRefusedError:
            renewed = secret.credential(self.clock(), fresh=True)
            if renewed == credential:
                raise
            return attempt(renewed, 2)

    def _channel(self, destination: Destination, credential: Credential) -> Channel:
        """The channel of a destination; each thread has its own, for a session of ``requests`` is not for several."""
        key = destination.name, threading.get_ident()
        kept = self._channels.get(key)
        if kept is None or kept[0] != credential:
            kept = self._channels[key] = (credential, self.connect(credential))
        return kept[1]

    def _settle(self, message: QueueMessage, failures: Sequence[Failure]) -> bool:
        """Put the message off or dead-letter it, whichever its failures call for; True when it need not come back."""
        if not failures:
            return True
        waits = [failure.wait for failure in failures if failure.wait is not None]
        if not waits:
            why = "; ".join(failure.text for failure in failures)
            return self._dead_letter(message, why, failures[0].about)
        # As soon as one may take it, but never sooner than Slack asked for.
        wait = max(min(waits), *(failure.least for failure in failures))
        for failure in failures[:-1]:
            self._say(failure.level, failure.text, failure.about)
        last = failures[-1]
        return self._defer(message, wait, last.level, last.text, last.about)

    def _defer(
        self, message: QueueMessage, wait: Millis, level: str, text: str, about: Mapping[str, Any]
    ) -> bool:
        self._say(level, text, {**about, "again_in_seconds": wait // 1000, "tries": message.tries})
        try:
            self.queue.defer(message.receipt_handle, wait)
        except Exception as error:  # then it comes back after the queue's own time
            self._say("WARNING", f"the delay could not be set: {type(error).__name__}", about)
        return False

    def _dead_letter(self, message: QueueMessage, why: str, about: Mapping[str, Any]) -> bool:
        try:
            is_kept = self.queue.dead_letter(message.body, why)
        except Exception as error:  # not safe, so not acknowledged
            why = f"{why}; parking it failed: {type(error).__name__}"
            return self._defer(message, backoff(message.tries), "ERROR", why, about)
        if not is_kept:
            return self._defer(message, MAX_DELAY, "ERROR", why, about)
        self._say("ERROR", f"{why}; moved to the dead-letter queue", about)
        return True

    def _say(self, level: str, text: str, about: Mapping[str, Any]) -> None:
        self.log.append(Line(level, text, dict(about)))


def _read(message: QueueMessage) -> Item:
    try:
        return Item(message, read_body(message.body))
    except Exception as error:  # one message must not keep the others; said, and kept
        return Item(message, error)


def _newest(notification: Notification) -> Millis | None:
    """When what a notification brings as news was last seen; None for one that brings none, such as a reminder."""
    if notification.reason not in (Reason.OPENED, Reason.NEW_ALERT, Reason.REGRESSED):
        return None
    return max((millis_of(alert.last_seen) for alert in notification.alerts if alert.changed), default=None)
