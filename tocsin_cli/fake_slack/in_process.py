"""The local Slack without a socket: Tocsin's own HTTP client, its calls answered in the same process.

For simulated clocks. Everything is as with ``tocsin local`` (what is sent, what is refused, what an edit keeps); only the
connection is missing, so that a year of messages takes seconds and nothing waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from msgspec.structs import replace
from requests.adapters import BaseAdapter

from tocsin.adapters.slack.web_api import SlackBot
from tocsin.adapters.slack.webhook import SlackWebhook
from tocsin.core.slack.delivery_record import DeliveryRecord
from tocsin.services.bot_channel import BotChannel
from tocsin.services.delivery import Attempt, deliver
from tocsin.services.webhook_channel import WebhookChannel
from tocsin_cli.fake_slack.channel import Channel, Message
from tocsin_cli.fake_slack.web_api import BOT_TOKEN, SCOPES, WebApiCall, webhook_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.core.model import Millis
    from tocsin.core.notifications.contract import Notification
    from tocsin.services.channel import Channel as DeliveryChannel
    from tocsin.services.channel import Outcome

CHANNEL = "C0ALERTS"
LEASE: Millis = 60_000
_URL = "https://slack.invalid"


class OfflineSlack:
    """A channel, and one way to post to it.

    Args:
        mode: ``bot`` or ``webhook``.

    Attributes:
        posted: How many messages the channel got, replies in threads not counted.
        edited: How often one was edited.
        replied: How many replies there are in threads.
    """

    url = _URL
    scopes: Sequence[str] = SCOPES
    bot_token = BOT_TOKEN

    def __init__(self, mode: str) -> None:
        self._now: Millis = 0
        self.posted = self.edited = self.replied = 0
        self.channel = Channel(lambda: self._now / 1000, self._on_message, self._on_edit)
        self.channels = {CHANNEL: "alerts"}
        self._store = _Records()
        session = requests.Session()
        session.trust_env = False
        session.mount(_URL, _Wire(self))
        self.delivery_channel: DeliveryChannel = (
            BotChannel(SlackBot(BOT_TOKEN, CHANNEL, f"{_URL}/api/", session))
            if mode == "bot"
            else WebhookChannel(SlackWebhook(f"{_URL}/services/T0LOCAL/B0TOCSIN/local", session))
        )

    def deliver(self, notification: Notification, now: Millis) -> Outcome:
        """Deliver a notification to the channel, as ``notify`` would at once.

        Raises:
            DeliveryError: The local Slack refused it.
        """
        self._now = now
        return deliver(
            notification, self.delivery_channel, self._store, Attempt("offline", now, LEASE)
        ).outcome

    def messages(self) -> list[Message]:
        """All messages, oldest first, with what was edited."""
        return self.channel.messages()

    def _on_message(self, message: Message) -> None:
        if message["thread_ts"] is None:
            self.posted += 1
        else:
            self.replied += 1

    def _on_edit(self, _: Message) -> None:
        self.edited += 1


class _Wire(BaseAdapter):
    """Hands a request to the local Slack and its answer back."""

    def __init__(self, slack: OfflineSlack) -> None:
        super().__init__()
        self._slack = slack

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
        """See ``BaseAdapter``."""
        parts = urlsplit(request.url or "")
        body = request.body or b""
        sent = body.encode() if isinstance(body, str) else bytes(body)
        if parts.path.startswith("/services/"):
            answer = webhook_answer(self._slack, CHANNEL, request.headers.get("Content-Type", ""), sent)
        else:
            method = parts.path.removeprefix("/api/")
            answer = WebApiCall(self._slack, method, request.headers, parts.query, sent).answer()
        response = requests.Response()
        response.status_code = answer.status
        response.headers.update(answer.headers)
        response._content = answer.body  # noqa: SLF001 - the library has no public way to make an answer
        response.encoding, response.request, response.url = "utf-8", request, request.url or ""
        return response

    def close(self) -> None:
        """Nothing is open."""


class _Records:
    """The delivery records, by incident: one process that never dies needs no lease."""

    def __init__(self) -> None:
        self._kept: dict[str, DeliveryRecord] = {}

    def claim(self, incident: str, *claim: object) -> DeliveryRecord:
        """See ``tocsin.services.delivery.Store``."""
        del claim
        return self._kept.get(incident, DeliveryRecord())

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
        """See ``tocsin.services.delivery.Store``."""
        del claimant, now
        marks = record.unconfirmed | {sequence} if unconfirmed else record.unconfirmed - {sequence}
        self._kept[incident] = replace(record, unconfirmed=marks)

    def peek(self, incident: str) -> DeliveryRecord | None:
        """See ``tocsin.services.delivery.Store``."""
        return self._kept.get(incident)
