"""Telling a channel with a bot token: one message for each incident, edited in place, and a thread under it.

Our messages carry incident and sequence in their metadata and are found again by it, so that a time-out, or a crash
between the post and the record of it, posts nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec.structs import replace

from tocsin.adapters.slack.errors import CredentialRefusedError, MessageGoneError
from tocsin.adapters.slack.web_api import Found, SlackBot
from tocsin.core.config.routing import NEWS
from tocsin.core.config.settings import RepliesInChannel
from tocsin.core.model import Reason
from tocsin.core.notifications.contract import Notification
from tocsin.core.slack.delivery_record import DeliveryRecord
from tocsin.core.slack.messages import SlackMessage, render, render_thread
from tocsin.services.channel import Audience, Outcome, newest, only_counts, say


class BotChannel:
    """A channel whose messages can be edited, answered and found again."""

    has_threads = True

    def __init__(
        self, slack: SlackBot, *, acts: bool = False, redrivable: frozenset[str] = frozenset()
    ) -> None:
        self._slack, self._render = slack, partial(render, acts=acts, redrivable=redrivable)

    def posting(self, notification: Notification, record: DeliveryRecord, audience: Audience) -> _BotPosting:
        """See ``Channel``."""
        return _BotPosting(self._slack, self._render, notification, record, audience)


class _BotPosting:
    """One notification: the incident's message brought up to it, and a reply in the thread for what happened."""

    def __init__(
        self,
        slack: SlackBot,
        render: Callable[..., SlackMessage],
        notification: Notification,
        record: DeliveryRecord,
        audience: Audience,
    ) -> None:
        self.slack, self.render = slack, render
        self.notification, self.audience = notification, audience
        self.incident: str = notification.incident.id
        self.sequence: int = notification.sequence
        self.unconfirmed = self.sequence in record.unconfirmed
        # A message in another channel than the secret names now is left alone: the incident gets a new one.
        moved = bool(record.ts or record.thread) and record.channel != slack.channel
        self.record = replace(record, channel="", ts="", shown=0, thread="") if moved else record
        self._newest = newest(record)
        self.notes: list[str] = []
        self._posted = False

    @property
    def late(self) -> bool:
        """Whether a newer notification of the incident has been told, or is shown."""
        return max(self._newest, self.record.shown) > self.sequence

    def tell(self) -> Outcome:
        """Bring the message up to this notification, and reply with what happened."""
        counting = only_counts(self.notification)
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
        again = bool(self._newest)
        if self.record.unconfirmed and self._look_for_message():
            if self.record.shown < self.sequence:
                self._edit()
            return
        message = self.render(self.notification, late=self.late, mentions=self._calls(reply=False))
        try:
            ts = self._post(message)
        except MessageGoneError as gone:
            if not self.record.thread:
                raise
            self.notes.append(f"the message of the incident that leads is gone ({gone})")
            self._forget()
            ts = self._post(message)
        self.record = replace(self.record, channel=self.slack.channel, ts=ts, shown=self.sequence)
        self._posted = True
        if again and not self.late and self.audience.concerned:
            self._edit()  # names whom the message named before; a post with their names would call them again

    def _post(self, message: SlackMessage) -> str:
        """Post the incident's message: to the channel, or in the thread of the incident that leads a wide one."""
        where: dict[str, Any] = (
            {"thread_ts": self.record.thread, "is_reply": False} if self.record.thread else {}
        )
        return say(
            lambda said: self.slack.post(said, incident=self.incident, sequence=self.sequence, **where),
            message,
            self.notes,
        )

    def _calls(self, *, reply: bool) -> tuple[str, ...]:
        """Whom a new message calls, so that each is called once.

        The incident's first message calls for itself, and for an update if that is the first that is heard here;
        other news is in the reply. What is late calls nobody.
        """
        reason = self.notification.reason
        first = reason is Reason.OPENED or (reason not in NEWS and not self._newest)
        here = reason in NEWS and reason is not Reason.OPENED if reply else first
        return self.audience.mentions if here and not self.late else ()

    def _edit(self) -> None:
        ts = self.record.ts
        named = () if self.late else self.audience.concerned
        message = self.render(self.notification, late=self.late, mentions=named)
        say(
            lambda said: self.slack.update(ts, said, incident=self.incident, sequence=self.sequence),
            message,
            self.notes,
        )
        self.record = replace(self.record, shown=self.sequence)

    def _forget(self) -> None:
        self.record = replace(self.record, channel="", ts="", shown=0, thread="")

    def _look_for_message(self) -> bool:
        """Whether an earlier attempt got its message through; if so, it is ours to go on with."""
        try:
            found = self._found()
        except CredentialRefusedError as error:
            self._cannot_look(error)
            return False
        if found is None:
            return False
        self.record = replace(self.record, channel=self.slack.channel, ts=found.ts, shown=found.sequence)
        return True

    def _found(self) -> Found | None:
        """The incident's message, in the thread that it belongs to or in the channel."""
        since, thread = self.record.attempted_at, self.record.thread
        if thread:
            with suppress(MessageGoneError):
                if found := self.slack.find_message(self.incident, since, thread):
                    return found
        found = self.slack.find_message(self.incident, since)
        if found and thread:
            self.record = replace(self.record, thread="")
        return found

    def _reply(self, reply: SlackMessage) -> None:
        ts = self.record.thread or self.record.ts
        if self.unconfirmed:
            try:
                if self.slack.find_reply(ts, self.incident, self.sequence, self.record.attempted_at):
                    return
            except CredentialRefusedError as error:
                self._cannot_look(error)
        self.unconfirmed = False
        say(
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
        if self.audience.replies is RepliesInChannel.IMPORTANT:
            # A new message is in the channel already; of a wide incident it shows the one that leads.
            return reply.broadcast and not self._posted and not self.record.thread
        return self.audience.replies is RepliesInChannel.ALWAYS and not self.late

    def _cannot_look(self, error: CredentialRefusedError) -> None:
        self.notes.append(
            f"an earlier attempt was cut short and the channel cannot be read ({error}; the token needs "
            "channels:history, or groups:history for a private channel): it may be posted twice"
        )
