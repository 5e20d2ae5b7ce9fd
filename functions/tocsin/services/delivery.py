"""Delivering: from one notification to Slack, told once, never older over newer.

Slack takes no idempotency key, so the memory is ours: a record per incident, worked on under a lease.
Claiming the lease marks the notification as unconfirmed; only an attempt that saw its own end takes the mark
away. Whoever finds the mark asks Slack first. With a bot token our messages carry incident and sequence in
their metadata and are found again by it, so a time-out, or a crash between the post and the record of it,
posts nothing twice. A webhook can neither be asked nor edited: there a unconfirmed notification is posted
again, because a message twice is better than an incident nobody hears of.

After an outage of Slack notifications come in any order, since each has a delay of its own. One that a newer
one has overtaken is dropped if it only counts on. Everything else has news that the newer one may not show, so
it is told all the same, marked as late: it must not look like an alarm that is on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from tocsin.adapters.aws.delivery_table import BusyError, LeaseLostError
from tocsin.adapters.slack.errors import (
    BlocksRefusedError,
    CredentialRefusedError,
    DeliveryError,
    MessageGoneError,
    RetryableDeliveryError,
)
from tocsin.adapters.slack.web_api import SlackBot
from tocsin.adapters.slack.webhook import SlackWebhook
from tocsin.core.config.routing import NEWS
from tocsin.core.config.settings import RepliesInChannel
from tocsin.core.model import Millis, Reason
from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.slack.delivery_record import DeliveryRecord, highest, includes, including
from tocsin.core.slack.messages import SlackMessage, render, render_standalone, render_thread, says_more

LOOK_AGAIN: Millis = 10_000
"""How soon a notification whose incident is being worked on is tried again."""


class Outcome(StrEnum):
    """What came of a notification."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    ROLLED_UP = "rolled up"


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


class Store(Protocol):
    """Where delivery records are; see ``adapters.delivery_store``."""

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


def deliver(  # noqa: PLR0913 - all but the notification by keyword, each with a meaning of its own
    notification: Notification,
    *,
    slack: SlackBot | SlackWebhook,
    store: Store,
    claimant: str,
    now: Millis,
    lease: Millis,
    mentions: tuple[str, ...] = (),
    concerned: tuple[str, ...] = (),
    replies: RepliesInChannel = RepliesInChannel.IMPORTANT,
    patience: Millis = 0,
) -> Delivery:
    """Tell Slack of one notification, once.

    Args:
        notification: The contract.
        slack: A bot or a webhook.
        store: The delivery records.
        claimant: Unique for each attempt.
        now: The time.
        lease: How long the invocation may live at most from ``now``.
        mentions: Ids of the user groups that it calls, if it is news.
        concerned: Ids of those that the incident's message goes on naming as it is edited, which calls nobody: who was
            called would not find it again without.
        replies: Which replies in its thread the channel also shows.
        patience: For how long after it became due it lets the one before it go first. A queue keeps no order, and
            two that are told by two invocations at once would often be told the wrong way round.

    Raises:
        RetryableDeliveryError: Try again later.
        PermanentDeliveryError: A person has to change something.
        Exception: Whatever the store raises; try again later.
    """
    incident, sequence = notification.incident.id, notification.sequence
    try:
        record = store.claim(incident, sequence, claimant, now, lease)
    except BusyError as error:
        wait = min(LOOK_AGAIN, max(1_000, error.until - now))
        raise RetryableDeliveryError(str(error), retry_after=wait, busy=True) from error

    def release(record: DeliveryRecord, *, unconfirmed: bool) -> None:
        store.release(incident, sequence, claimant, now, record, unconfirmed=unconfirmed)

    if includes(record.told, sequence):
        release(record, unconfirmed=False)
        return Delivery(Outcome.DUPLICATE)
    young = 0 <= now - millis_of(notification.at) < patience
    if young and sequence > 1 and not includes(record.told, sequence - 1):
        release(record, unconfirmed=sequence in record.unconfirmed)
        raise RetryableDeliveryError("the one before it goes first", retry_after=1_000, busy=True)
    posting: _ByBot | _ByWebhook
    if isinstance(slack, SlackBot):
        posting = _ByBot(notification, record, slack, mentions, concerned, replies)
    else:
        posting = _ByWebhook(notification, record, slack, mentions)
    try:
        outcome = posting.tell()
    except DeliveryError as failure:
        if isinstance(failure, RetryableDeliveryError) and failure.ambiguous:
            posting.unconfirmed = True
        _give_back(release, posting)
        raise
    try:
        release(replace(posting.record, told=including(posting.record.told, sequence)), unconfirmed=False)
    except LeaseLostError as error:
        raise RetryableDeliveryError("the lease ended before the work did", retry_after=LOOK_AGAIN) from error
    return Delivery(outcome, tuple(posting.notes))


def _give_back(release: Callable[..., None], posting: _ByBot | _ByWebhook) -> None:
    """Keep what is known and free the lease; failing at that is no news, because leases end by themselves."""
    try:
        release(posting.record, unconfirmed=posting.unconfirmed)
    except Exception as error:  # the failure that matters is the one being raised already
        posting.notes.append(f"the lease could not be given back: {type(error).__name__}")


class _ByWebhook:
    """One notification, one message.

    Its ``late`` says that a newer notification of the incident has been told.
    """

    def __init__(
        self,
        notification: Notification,
        record: DeliveryRecord,
        slack: SlackWebhook,
        mentions: tuple[str, ...],
    ) -> None:
        self.notification, self.record, self.slack, self.mentions = notification, record, slack, mentions
        self.sequence: int = notification.sequence
        self.unconfirmed = self.sequence in record.unconfirmed
        # Not "told": what was rolled up was never shown.
        self.late = record.shown > self.sequence
        self.notes: list[str] = []

    def tell(self) -> Outcome:
        """Post it, unless it only counts further what a newer one has counted, or what a later one will count."""
        if self.late and _only_counts(self.notification):
            return Outcome.SUPERSEDED
        if self.record.shown and not _is_worth_a_message(self.notification):
            return Outcome.ROLLED_UP
        if self.unconfirmed:
            self.notes.append(
                "an earlier attempt was cut short; a webhook cannot be asked, so it is posted again"
            )
        news = self.notification.reason in NEWS or not _newest(self.record)
        calls = self.mentions if news and not self.late else ()
        _say(
            self.slack.post, render_standalone(self.notification, late=self.late, mentions=calls), self.notes
        )
        self.record = replace(self.record, shown=max(self.record.shown, self.sequence))
        return Outcome.DELIVERED


class _ByBot:
    """One message per incident, edited in place, and a reply in its thread for each event."""

    def __init__(
        self,
        notification: Notification,
        record: DeliveryRecord,
        slack: SlackBot,
        mentions: tuple[str, ...],
        concerned: tuple[str, ...],
        replies: RepliesInChannel,
    ) -> None:
        self.notification, self.slack, self.replies = notification, slack, replies
        self.mentions, self.concerned = mentions, concerned
        self.incident: str = notification.incident.id
        self.sequence: int = notification.sequence
        self.unconfirmed = self.sequence in record.unconfirmed
        # A message in another channel than the secret names now is left alone: the incident gets a new one.
        moved = bool(record.ts) and record.channel != slack.channel
        self.record = replace(record, channel="", ts="", shown=0) if moved else record
        self._newest = _newest(record)
        self.notes: list[str] = []
        self._posted = False

    @property
    def late(self) -> bool:
        """Whether a newer notification of the incident has been told, or is shown."""
        return max(self._newest, self.record.shown) > self.sequence

    def tell(self) -> Outcome:
        """Bring the message up to this notification, and reply with what happened."""
        counting = _only_counts(self.notification)
        if not (counting and self.late):
            self._show()
        if counting and self.late:  # by what was told before, or by what was found while showing it
            return Outcome.SUPERSEDED
        reply = render_thread(self.notification, late=self.late, mentions=self._calls(reply=True))
        if reply is None:
            return Outcome.DELIVERED
        try:
            self._reply(reply)
        except MessageGoneError:
            self._forget()
            self._show()
            self._reply(reply)
        self.unconfirmed = False
        return Outcome.DELIVERED

    def _show(self) -> None:
        """Make sure that the incident's message is there and shows this notification or a newer one."""
        if self.record.ts and self.record.shown >= self.sequence:
            return
        if self.record.ts:
            try:
                self._edit()
            except MessageGoneError as gone:
                self.notes.append(f"the incident's message is gone ({gone}); posting it again")
                self._forget()
            else:
                return
        if self.record.unconfirmed and self._look_for_message():
            if self.record.shown < self.sequence:
                self._edit()
            return
        message = render(self.notification, late=self.late, mentions=self._calls(reply=False))
        ts = _say(
            lambda said: self.slack.post(said, incident=self.incident, sequence=self.sequence),
            message,
            self.notes,
        )
        self.record = replace(self.record, channel=self.slack.channel, ts=ts, shown=self.sequence)
        self._posted = True

    def _calls(self, *, reply: bool) -> tuple[str, ...]:
        """Whom a new message calls, so that each is called once.

        The incident's first message calls for itself, and for an update if that is the first that is heard here;
        other news is in the reply. What is late calls nobody.
        """
        reason = self.notification.reason
        first = reason is Reason.OPENED or (reason not in NEWS and not self._newest)
        here = reason in NEWS and reason is not Reason.OPENED if reply else first
        return self.mentions if here and not self.late else ()

    def _edit(self) -> None:
        ts = self.record.ts
        message = render(self.notification, late=self.late, mentions=() if self.late else self.concerned)
        _say(
            lambda said: self.slack.update(ts, said, incident=self.incident, sequence=self.sequence),
            message,
            self.notes,
        )
        self.record = replace(self.record, shown=self.sequence)

    def _forget(self) -> None:
        self.record = replace(self.record, channel="", ts="", shown=0)

    def _look_for_message(self) -> bool:
        """Whether an earlier attempt got its message through; if so, it is ours to go on with."""
        try:
            found = self.slack.find_message(self.incident, self.record.attempted_at)
        except CredentialRefusedError as error:
            self._cannot_look(error)
            return False
        if found is None:
            return False
        self.record = replace(self.record, channel=self.slack.channel, ts=found.ts, shown=found.sequence)
        return True

    def _reply(self, reply: SlackMessage) -> None:
        ts = self.record.ts
        if self.unconfirmed:
            try:
                if self.slack.find_reply(ts, self.incident, self.sequence, self.record.attempted_at):
                    return
            except CredentialRefusedError as error:
                self._cannot_look(error)
        self.unconfirmed = False
        _say(
            lambda said: self.slack.post(
                said,
                incident=self.incident,
                sequence=self.sequence,
                thread_ts=ts,
                broadcast=self._in_channel(reply),
            ),
            reply,
            self.notes,
        )

    def _in_channel(self, reply: SlackMessage) -> bool:
        """Whether the channel shows the reply too; never what is told late."""
        if self.replies is RepliesInChannel.IMPORTANT:
            return reply.broadcast and not self._posted  # a new message is in the channel already
        return self.replies is RepliesInChannel.ALWAYS and not self.late

    def _cannot_look(self, error: CredentialRefusedError) -> None:
        self.notes.append(
            f"an earlier attempt was cut short and the channel cannot be read ({error}; the token needs "
            "channels:history, or groups:history for a private channel): it may be posted twice"
        )


def _only_counts(notification: Notification) -> bool:
    """Whether a newer notification says all of it, and better."""
    return notification.reason in _COUNTING and not says_more(notification)


_COUNTING = frozenset({Reason.UPDATE, Reason.REPEAT})
"""Reasons that only count on: a newer notification says it all and better."""


def _is_worth_a_message(notification: Notification) -> bool:
    """Whether a webhook, which cannot edit, posts it: every news, and updates at doubling distances.

    An incident of eighteen hours has two hundred updates. A bot edits its message with each; by webhook the first,
    second, fourth, eighth and so on since the last news are posted, and those that say more than counts.
    """
    if notification.reason is not Reason.UPDATE:
        return True
    changed = [alert for alert in notification.alerts if alert.changed]
    if changed and all(alert.silenced_by for alert in changed):
        return False  # that it is muted now: to be seen, not to be heard
    if says_more(notification):
        return True
    number = notification.incident.updates or 1
    return number & (number - 1) == 0


def _newest(record: DeliveryRecord) -> int:
    """The highest sequence that Slack was ever given; what the message shows may be gone since."""
    return max(record.shown, highest(record.told))


T = TypeVar("T")


def _say(call: Callable[[dict[str, Any]], T], message: SlackMessage, notes: list[str]) -> T:
    """Say it in blocks, or, where Slack does not take them, as plain text."""
    try:
        return call({"text": message.text, "blocks": message.blocks})
    except BlocksRefusedError as error:
        notes.append(f"Slack refused the blocks ({error}); told as plain text")
    return call({"text": message.plain, "blocks": [], "mrkdwn": False})
