"""What a backtest's notifications come to in Slack: delivered by the code of ``notify`` to a local Slack, in either mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tocsin.adapters.slack.errors import RetryableDeliveryError
from tocsin.core.notifications.contract import millis_of
from tocsin.services.delivery import LIST_EXPECTED
from tocsin_cli.fake_slack.in_process import OfflineSlack

if TYPE_CHECKING:
    from tocsin.core.model import Millis
    from tocsin.core.notifications.contract import Notification
    from tocsin_cli.fake_slack.channel import Message

MODES = ("bot", "webhook")


class DeliveredInSlack(OfflineSlack):
    """A channel that notifications were delivered to.

    Args:
        notifications: In the order they were sent.
        mode: ``bot`` or ``webhook``.

    Attributes:
        silent_edits: How many notifications only edited a message.
        visible: The ids of the notifications that anything was seen of, be it an edit.
    """

    def __init__(self, notifications: Iterable[Notification], mode: str) -> None:
        super().__init__(mode)
        self.silent_edits = 0
        self.visible: set[str] = set()
        self._incident = ""
        self._messages_of: dict[str, list[str]] = {}
        waiting: list[Notification] = []
        at: Millis = 0
        for notification in notifications:
            at = millis_of(notification.at)
            waiting = [each for each in (*waiting, notification) if not self._delivered(each, at)]
        for each in waiting:  # what waits for another waits no longer than this
            self._delivered(each, at + LIST_EXPECTED)

    def of_incident(self, incident: str) -> list[Message]:
        """The messages of an incident and the replies to them, oldest first, as they are after all edits."""
        mine = set(self._messages_of.get(incident, ()))
        return [message for message in self.messages() if message["ts"] in mine]

    def _delivered(self, notification: Notification, now: Millis) -> bool:
        """Deliver it; False where it has to wait."""
        self._incident = notification.incident.id
        posted, edited = self.posted + self.replied, self.edited
        try:
            self.deliver(notification, now)
        except RetryableDeliveryError:
            return False
        said = self.posted + self.replied > posted
        if said or self.edited > edited:
            self.visible.add(notification.id)
            self.silent_edits += not said
        return True

    def _on_message(self, message: Message) -> None:
        super()._on_message(message)
        self._messages_of.setdefault(self._incident, []).append(message["ts"])


def slack_report(
    notifications: Sequence[Notification], after_end: Iterable[str], mode: str
) -> Mapping[str, Any]:
    """What people see of the notifications, in the mode that is set and in the other.

    Args:
        notifications: In the order they were sent.
        after_end: The ids of those that are assumed after the last line.
        mode: The mode that is set.
    """
    channels = {name: DeliveredInSlack(notifications, name) for name in MODES}
    bot, later = channels["bot"], set(after_end)
    return {
        "mode": mode,
        "incidents": len({notification.incident.id for notification in notifications}),
        "messages": bot.posted,
        "replies": bot.replied,
        "shown_in_channel_too": sum(message["reply_broadcast"] for message in bot.messages()),
        "silent_edits": bot.silent_edits,
        "by_webhook": channels["webhook"].posted,
        "after_end": len(later & channels[mode].visible),
    }
