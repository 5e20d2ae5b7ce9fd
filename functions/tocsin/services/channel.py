"""A Slack channel as delivering sees it: one protocol, of which a bot and a webhook are the two kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from tocsin.adapters.slack.errors import BlocksRefusedError
from tocsin.core.config.settings import RepliesInChannel
from tocsin.core.model import Reason
from tocsin.core.notifications.contract import Notification
from tocsin.core.slack.delivery_record import DeliveryRecord, highest
from tocsin.core.slack.messages import SlackMessage, says_more


class Outcome(StrEnum):
    """What came of a notification."""

    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    ROLLED_UP = "rolled up"


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a notification reaches in its channel.

    Attributes:
        mentions: Ids of the user groups that it calls, if it is news.
        concerned: Ids of those that the incident's message goes on naming as it is edited, which calls nobody: who was
            called would not find it again without.
        replies: Which replies in its thread the channel also shows.
    """

    mentions: tuple[str, ...] = ()
    concerned: tuple[str, ...] = ()
    replies: RepliesInChannel = RepliesInChannel.IMPORTANT


class Posting(Protocol):
    """One notification on its way into one channel; what it holds is true at any time, also after a failure.

    Attributes:
        record: What is known of the incident's messages.
        unconfirmed: Whether Slack may have been told without having said so.
        notes: Things that did not go as they should.
    """

    record: DeliveryRecord
    unconfirmed: bool
    notes: list[str]

    def tell(self) -> Outcome:
        """Bring the channel up to the notification.

        Raises:
            DeliveryError: Slack was not told, or not all of it.
        """


class Channel(Protocol):
    """One channel, and one way to post to it.

    Attributes:
        has_threads: Whether a message can be a reply to another.
    """

    has_threads: bool

    def posting(self, notification: Notification, record: DeliveryRecord, audience: Audience) -> Posting:
        """What tells this channel of a notification, given what it was told before of the incident."""


def only_counts(notification: Notification) -> bool:
    """Whether a newer notification says all of it, and better."""
    return notification.reason in {Reason.UPDATE, Reason.REPEAT} and not says_more(notification)


def newest(record: DeliveryRecord) -> int:
    """The highest sequence that Slack was ever given; what the message shows may be gone since."""
    return max(record.shown, highest(record.told))


T = TypeVar("T")


def say(call: Callable[[dict[str, Any]], T], message: SlackMessage, notes: list[str]) -> T:
    """Say it in blocks, or, where Slack does not take them, as plain text."""
    try:
        return call({"text": message.text, "blocks": message.blocks})
    except BlocksRefusedError as error:
        notes.append(f"Slack refused the blocks ({error}); sent as plain text")
    return call({"text": message.plain, "blocks": [], "mrkdwn": False})
