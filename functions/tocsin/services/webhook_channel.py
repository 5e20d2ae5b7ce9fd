"""Telling a channel by webhook: one notification, one message, which can be neither edited nor found again."""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.adapters.slack.webhook import SlackWebhook
from tocsin.core.config.routing import NEWS
from tocsin.core.model import Reason
from tocsin.core.notifications.contract import Notification
from tocsin.core.slack.delivery_record import DeliveryRecord
from tocsin.core.slack.messages import render_standalone, says_more
from tocsin.services.channel import Audience, Outcome, newest, only_counts, say


class WebhookChannel:
    """A channel that can only be posted to."""

    has_threads = False

    def __init__(self, slack: SlackWebhook) -> None:
        self._slack = slack

    def posting(
        self, notification: Notification, record: DeliveryRecord, audience: Audience
    ) -> _WebhookPosting:
        """See ``Channel``; nobody is named but who is called."""
        return _WebhookPosting(self._slack, notification, record, audience.mentions)


class _WebhookPosting:
    """One notification as one message; ``late`` says that a newer one of the incident has been told."""

    def __init__(
        self,
        slack: SlackWebhook,
        notification: Notification,
        record: DeliveryRecord,
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
        if self.late and only_counts(self.notification):
            return Outcome.SUPERSEDED
        if self.record.thread and _is_in_leaders_message(self.notification):
            return Outcome.ROLLED_UP
        listed = _services_listed(self.notification)
        if self.record.shown and listed <= self.record.listed and not _is_worth_a_message(self.notification):
            return Outcome.ROLLED_UP
        if self.unconfirmed:
            self.notes.append(
                "an earlier attempt was cut short; a webhook cannot be asked, so it is posted again"
            )
        news = self.notification.reason in NEWS or not newest(self.record)
        calls = self.mentions if news and not self.late else ()
        say(self.slack.post, render_standalone(self.notification, late=self.late, mentions=calls), self.notes)
        over = self.notification.reason is Reason.RESOLVED and not self.late
        self.record = replace(
            self.record,
            shown=max(self.record.shown, self.sequence),
            listed=0 if over else max(self.record.listed, listed),
            called=" ".join(dict.fromkeys([*self.record.called.split(), *calls])),
        )
        return Outcome.DELIVERED


def _services_listed(notification: Notification) -> int:
    """How many services a message about this notification lists, as that of the incident that leads a wide one."""
    wide = notification.wide
    return wide.service_count if wide is not None and wide.lead == notification.incident.id else 0


def _is_in_leaders_message(notification: Notification) -> bool:
    """Whether the message of the incident that leads a wide one says it too: that it failed, and that it goes on."""
    goes_on = notification.reason is Reason.UPDATE and not says_more(notification)
    return goes_on or notification.reason in {Reason.OPENED, Reason.REPEAT}


def _is_worth_a_message(notification: Notification) -> bool:
    """Whether a webhook, which cannot edit, posts it: every news, and updates at doubling distances.

    An incident of eighteen hours has two hundred updates. A bot edits its message with each; by webhook the first,
    second, fourth, eighth and so on since the last news are posted, and those that say more than counts.
    """
    if notification.reason is not Reason.UPDATE:
        return True
    changed = [alert for alert in notification.alerts if alert.changed]
    if changed and all(alert.silenced_by for alert in changed):
        return False  # that it is muted now: to be seen, not to be announced
    if says_more(notification):
        return True
    number = notification.incident.updates or 1
    return number & (number - 1) == 0
