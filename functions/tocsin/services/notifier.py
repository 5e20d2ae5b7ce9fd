"""Notifying: a batch of the queue's messages, each told, put off or dead_lettered; what is not safe stays.

What fails for a while is put off with growing delays, or for as long as Slack asks. What a person has to
fix is moved to the dead-letter queue, whose alarm reaches people by another channel than Slack; a refused
credential only after five minutes, in which somebody may have corrected the secret. Parking is a send and
then an acknowledgement: a crash between the two leaves the message in both places, and target it twice is
prevented further on.

A message is told in every destination that its routes lead to, whatever becomes of the others. It comes back as
long as one of them may still take it, and what the others were told is not told again. It is dead_lettered only when
nothing is left but destinations that refuse it for good.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tocsin.adapters.slack.credentials import Credential, WebhookCredential
from tocsin.adapters.slack.errors import (
    CredentialRefusedError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from tocsin.adapters.slack.web_api import SlackBot
from tocsin.adapters.slack.webhook import SlackWebhook
from tocsin.core.config.routing import DEFAULT, Destination, NotificationTarget, Routing
from tocsin.core.config.settings import RepliesInChannel
from tocsin.core.error_place import place_of
from tocsin.core.model import Millis, Reason
from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.notifications.parsing import NotANotificationError, parse_notification
from tocsin.core.signatures.heartbeat import TOO_LATE, Heartbeat, read_heartbeat
from tocsin.services.delivery import Delivery, Outcome, Store, deliver

PATIENCE: Millis = 5 * 60_000
"""How long a notification waits for a refused credential to be corrected before it is dead_lettered."""

PATIENT_DELAY: Millis = 20_000
MAX_DELAY: Millis = 15 * 60_000
ORDERING_WINDOW: Millis = 3_000
"""How long a notification lets the one before it go first."""

MAX_RETRY_AFTER_HONOURED = 20
"""Tries for which a message waits exactly as long as it was asked to. Then its waits grow whatever is asked: a Slack
that says "in half a minute" for an hour must not use up the tries that the queue allows (``maxReceiveCount``)."""

TIME_FOR_ONE: Millis = 20_000
"""What must be left of the invocation to begin with another notification; the first is always tried."""


class Queue(Protocol):
    """The queue; see ``adapters.notify_queue``."""

    def defer(self, receipt_handle: str, delay: Millis) -> None:
        """Have a message delivered again after a delay."""

    def dead_letter(self, body: str, why: str) -> bool:
        """Keep a message in the dead-letter queue."""


class Secret(Protocol):
    """The credential; see ``adapters.slack_secret``."""

    def credential(self, now: Millis, *, fresh: bool = False) -> Credential:
        """The credential, kept for a while unless asked for fresh."""


class HeartbeatRecord(Protocol):
    """Where the arrival of a heartbeat is stored; see ``adapters.heartbeat_record``."""

    def arrived(self, now: Millis) -> None:
        """Store that one arrived."""


def connect(credential: Credential, api_url: str) -> SlackBot | SlackWebhook:
    """Slack, in the mode that the credential's shape decides."""
    if isinstance(credential, WebhookCredential):
        return SlackWebhook(credential.url)
    return SlackBot(credential.token, credential.channel, api_url)


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


@dataclass(frozen=True, slots=True)
class _Failure:
    """That a message was not told in one destination, or could not be read.

    Attributes:
        text: In words; never log text, never a credential.
        about: For the log.
        wait: How long until it may work; None when it will not.
        level: Of the log line.
        least: How long Slack, or the lease's holder, asked to wait; coming back sooner is of no use.
    """

    text: str
    about: Mapping[str, Any]
    wait: Millis | None
    level: str = "WARNING"
    least: Millis = 0


@dataclass(slots=True)
class Notifier:
    """Works through a batch.

    Attributes:
        routing: Where each notification is told.
        secret_of: The credential of a destination.
        store_of: The delivery records of a destination.
        queue: The queue.
        connect: Makes Slack from a credential.
        clock: The time; a batch takes long enough to need more than one.
        deadline: When the invocation is stopped.
        claimant: Unique for the invocation.
        heartbeat_record: Where the arrival of a heartbeat is stored.
        log: What is to be said of the batch.
        heartbeats: How long each heartbeat of the batch took that arrived as it should.
        replies: Which replies in a thread the channel also shows.
        latencies: How long each piece of news of the batch took from its newest log line to Slack's answer.
    """

    routing: Routing
    secret_of: Callable[[Destination], Secret]
    store_of: Callable[[Destination], Store]
    queue: Queue
    connect: Callable[[Credential], SlackBot | SlackWebhook]
    clock: Callable[[], Millis]
    deadline: Millis
    claimant: str
    heartbeat_record: HeartbeatRecord | None = None
    replies: RepliesInChannel = RepliesInChannel.IMPORTANT
    log: list[Line] = field(default_factory=list)
    heartbeats: list[Millis] = field(default_factory=list)
    latencies: list[Millis] = field(default_factory=list)
    _slack: dict[str, tuple[Credential, SlackBot | SlackWebhook]] = field(default_factory=dict)
    _pauses: dict[str, Millis] = field(default_factory=dict)
    _begun: bool = False

    def work(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Tell Slack of each message.

        Args:
            records: As SQS gives them to a function.

        Returns:
            The ids of the messages that are to come back.
        """
        return [str(record.get("messageId", "")) for record in records if not self._done_with(record)]

    def _done_with(self, record: Mapping[str, Any]) -> bool:
        about: dict[str, Any] = {"message_id": record.get("messageId")}
        heartbeat = read_heartbeat(str(record.get("body", "")))
        if heartbeat is not None:
            self._count(heartbeat, about)
            return True
        try:
            notification = read_body(str(record.get("body", "")))
            about |= {"notification": notification.id, "reason": notification.reason}
            targets = self.routing.targets_for(notification)
        except Exception as error:  # one message must not keep the others; said, and kept
            return self._dispose(record, [self._failure(record, error, about, DEFAULT)])
        # Each try begins with another destination: one that hangs must not keep the others from their time.
        turn = (_tries(record) - 1) % len(targets)
        failures = [
            self._told(notification, record, each, about) for each in (*targets[turn:], *targets[:turn])
        ]
        return self._dispose(record, [failure for failure in failures if failure])

    def _told(
        self,
        notification: Notification,
        record: Mapping[str, Any],
        target: NotificationTarget,
        about: Mapping[str, Any],
    ) -> _Failure | None:
        """Tell one destination; what went wrong there, or None."""
        about = {**about, "destination": target.destination.name}
        try:
            delivery = self._tell(notification, record, target)
        except Exception as error:  # one destination must not keep the others; said, and kept
            return self._failure(record, error, about, target.destination.name)
        for note in delivery.notes:
            self._say("WARNING", note, about)
        self._say("INFO", delivery.outcome.value, about)
        newest = _newest(notification)
        if delivery.outcome is Outcome.DELIVERED and newest is not None:
            self.latencies.append(max(0, self.clock() - newest))
        return None

    def _count(self, heartbeat: Heartbeat, about: Mapping[str, Any]) -> None:
        """Count a heartbeat that could have been told, had it been a notification; it is never put off or dead_lettered."""
        try:
            now = self.clock()
            for destination in self.routing.destinations.values():
                self.secret_of(destination).credential(now)
            if self.heartbeat_record is not None:
                self.heartbeat_record.arrived(now)
        except Exception as error:  # then it is not counted, and the alarm on its absence tells
            self._say("ERROR", f"the heartbeat stops here: {type(error).__name__} at {_place(error)}", about)
            return
        took = now - heartbeat.written_at
        if took > TOO_LATE:
            self._say("WARNING", f"a heartbeat arrived after {took // 1000} s and is not counted", about)
            return
        self.heartbeats.append(max(0, took))

    def _failure(
        self, record: Mapping[str, Any], error: Exception, about: Mapping[str, Any], destination: str
    ) -> _Failure:
        """What a failure calls for."""
        whose = "" if destination == DEFAULT else f"destination {destination}: "
        match error:
            case RetryableDeliveryError():
                wait = wait_for(error.retry_after, _tries(record))
                if (
                    error.busy
                ):  # mostly for a part of a second; whoever waits too long is overtaken, and told late
                    return _Failure(
                        f"{whose}not told yet: {error}", about, min(wait, backoff(_tries(record)) // 2)
                    )
                if error.limited:
                    self._pauses[destination] = self.clock() + (error.retry_after or wait)
                return _Failure(f"{whose}not told yet: {error}", about, wait, least=error.retry_after or 0)
            case CredentialRefusedError() if self.clock() - _number(record, "SentTimestamp") < PATIENCE:
                level = "ERROR" if _tries(record) == 1 else "WARNING"
                return _Failure(f"{whose}Slack cannot be told: {error}", about, PATIENT_DELAY, level)
            case PermanentDeliveryError():
                return _Failure(f"{whose}Slack cannot be told: {error}", about, None, "ERROR")
            case NotANotificationError():
                return _Failure(str(error), about, None, "ERROR")
        text = f"{whose}not told yet: {type(error).__name__} at {_place(error)}"
        return _Failure(text, about, backoff(_tries(record)), "ERROR")

    def _dispose(self, record: Mapping[str, Any], failures: Sequence[_Failure]) -> bool:
        """Put the message off or dead_letter it, whichever its failures call for; True when it need not come back."""
        if not failures:
            return True
        waits = [failure.wait for failure in failures if failure.wait is not None]
        if not waits:
            why = "; ".join(failure.text for failure in failures)
            return self._dead_letter(record, why, failures[0].about)
        # As soon as one may take it, but never sooner than Slack asked for.
        wait = max(min(waits), *(failure.least for failure in failures))
        for failure in failures[:-1]:
            self._say(failure.level, failure.text, failure.about)
        last = failures[-1]
        return self._defer(record, wait, last.level, last.text, last.about)

    def _tell(
        self, notification: Notification, record: Mapping[str, Any], target: NotificationTarget
    ) -> Delivery:
        destination, now = target.destination, self.clock()
        if now < self._pauses.get(destination.name, 0):
            left = self._pauses[destination.name] - now
            raise RetryableDeliveryError("waiting as long as Slack asked", retry_after=left)
        if self._begun and self.deadline - now < TIME_FOR_ONE:
            raise RetryableDeliveryError("no time left in this invocation", retry_after=1_000)

        self._begun = True

        def attempt(slack: SlackBot | SlackWebhook, number: int) -> Delivery:
            return deliver(
                notification,
                slack=slack,
                store=self.store_of(destination),
                claimant=f"{self.claimant}/{record.get('messageId')}/{number}",
                now=self.clock(),
                lease=max(1_000, self.deadline - self.clock()),
                mentions=target.mentions,
                concerned=target.concerned,
                replies=self.replies,
                patience=ORDERING_WINDOW,
            )

        secret = self.secret_of(destination)
        credential = secret.credential(now)
        try:
            return attempt(self._connected(destination, credential), 1)
        except CredentialRefusedError:
            renewed = secret.credential(self.clock(), fresh=True)
            if renewed == credential:
                raise
            return attempt(self._connected(destination, renewed), 2)

    def _connected(self, destination: Destination, credential: Credential) -> SlackBot | SlackWebhook:
        kept = self._slack.get(destination.name)
        if kept is None or kept[0] != credential:
            kept = self._slack[destination.name] = (credential, self.connect(credential))
        return kept[1]

    def _defer(
        self, record: Mapping[str, Any], wait: Millis, level: str, text: str, about: Mapping[str, Any]
    ) -> bool:
        self._say(level, text, {**about, "again_in_seconds": wait // 1000, "tries": _tries(record)})
        try:
            self.queue.defer(str(record.get("receiptHandle", "")), wait)
        except Exception as error:  # then it comes back after the queue's own time
            self._say("WARNING", f"the delay could not be set: {type(error).__name__}", about)
        return False

    def _dead_letter(self, record: Mapping[str, Any], why: str, about: Mapping[str, Any]) -> bool:
        try:
            dead_lettered = self.queue.dead_letter(str(record.get("body", "")), why)
        except Exception as error:  # not safe, so not acknowledged
            why = f"{why}; parking it failed: {type(error).__name__}"
            return self._defer(record, backoff(_tries(record)), "ERROR", why, about)
        if not dead_lettered:
            return self._defer(record, MAX_DELAY, "ERROR", why, about)
        self._say("ERROR", f"{why}; moved to the dead-letter queue", about)
        return True

    def _say(self, level: str, text: str, about: Mapping[str, Any]) -> None:
        self.log.append(Line(level, text, dict(about)))


def backoff(tries: int) -> Millis:
    """How long to wait after so many tries: 2 s, 4 s, 8 s and so on to 15 minutes."""
    return min(MAX_DELAY, 2_000 << min(20, max(0, tries - 1)))


def wait_for(asked: Millis | None, tries: int) -> Millis:
    """How long to wait where somebody may have said how long: as asked, but longer after very many tries."""
    if not asked:
        return backoff(tries)
    return (
        max(asked, backoff(tries - MAX_RETRY_AFTER_HONOURED)) if tries > MAX_RETRY_AFTER_HONOURED else asked
    )


def read_body(body: str) -> Notification:
    """Read a queue message: the notification itself (raw delivery) or SNS's envelope around it.

    Raises:
        NotANotificationError: It is neither.
    """
    try:
        envelope = json.loads(body)
    except (ValueError, RecursionError):
        envelope = None
    if isinstance(envelope, dict) and envelope.get("Type") == "Notification" and "Message" in envelope:
        return parse_notification(str(envelope["Message"]))
    return parse_notification(body)


def _tries(record: Mapping[str, Any]) -> int:
    return max(1, _number(record, "ApproximateReceiveCount"))


def _number(record: Mapping[str, Any], attribute: str) -> int:
    said = str(record.get("attributes", {}).get(attribute, "0"))
    return int(said) if said.isdecimal() else 0


def _place(error: BaseException) -> str:
    """Where an unexpected error arose; not its text, which may quote what it was about."""
    place = place_of(error)
    return f"{place.file.rpartition('/')[2]}:{place.line}" if place else "?"


def _newest(notification: Notification) -> Millis | None:
    """When what a notification brings as news was last seen; None for one that brings none, such as a reminder."""
    if notification.reason not in (Reason.OPENED, Reason.NEW_ALERT, Reason.REGRESSED):
        return None
    return max((millis_of(alert.last_seen) for alert in notification.alerts if alert.changed), default=None)
