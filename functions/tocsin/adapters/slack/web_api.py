"""Slack with a bot token: messages that can be edited, answered in a thread, and found again.

Scopes: ``chat:write``, and to find its own message after an interrupted attempt ``channels:history``
(``groups:history`` for a private channel). Sources: docs.slack.dev/reference/methods, each method's page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import requests

from tocsin.adapters.slack.errors import (
    BlocksRefusedError,
    CredentialRefusedError,
    MessageGoneError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from tocsin.adapters.slack.http import TIMEOUT, BearerToken, call, retry_after
from tocsin.core.model import Millis

EVENT_TYPE = "tocsin_notification"
"""What our messages are known by in Slack's message metadata."""

CLOCK_SKEW: Millis = 5 * 60_000
"""How far Slack's clock may be behind ours when a message is looked for."""

_PAGE, _MAX_PAGES = 200, 15

_LIMITED = {"ratelimited", "rate_limited", "message_limit_exceeded"}
# "It's possible some aspect of the operation succeeded before the error was raised" (chat.postMessage).
_BROKEN = {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
_REFUSED = """
    invalid_auth not_authed account_inactive token_revoked token_expired no_permission missing_scope
    org_login_required access_denied ekm_access_denied team_access_not_granted channel_not_found
    not_in_channel is_archived restricted_action not_allowed_token_type messages_tab_disabled
    method_not_supported_for_channel_type invalid_token
""".split()
_BLOCKS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "invalid_metadata_format"}
_GONE = """
    message_not_found thread_not_found cannot_reply_to_message cant_update_message edit_window_closed
""".split()


class Found(NamedTuple):
    """A message of ours that Slack has."""

    ts: str
    sequence: int


class SlackBot:
    """The Web API for one channel.

    Args:
        token: The bot token.
        channel: The channel's id.
        base_url: ``https://slack.com/api/``.
        session: What holds connections.
        timeout: Seconds to connect, and between two bytes of an answer.
    """

    def __init__(
        self,
        token: str,
        channel: str,
        base_url: str,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = TIMEOUT,
    ) -> None:
        self._timeout = timeout
        self.channel = channel
        self._auth = BearerToken(token)
        self._base_url = base_url.rstrip("/") + "/"
        self._session = session or requests.Session()

    def post(
        self,
        said: Mapping[str, Any],
        *,
        incident: str,
        sequence: int,
        thread_ts: str = "",
        broadcast: bool = False,
        is_reply: bool | None = None,
    ) -> str:
        """Post a message, or with ``thread_ts`` a reply.

        Args:
            said: ``text``, ``blocks``, ``mrkdwn``, as Slack takes them.
            incident: What it is about, kept in the message's metadata.
            sequence: Which notification it is, likewise.
            thread_ts: The message to answer to.
            broadcast: Whether a reply is shown in the channel too.
            is_reply: Whether it tells of one notification, not of the incident; None for as ``thread_ts`` says.

        Returns:
            The message's ``ts``.

        Raises:
            DeliveryError: See ``_call``.
        """
        payload: dict[str, Any] = {
            **said,
            "channel": self.channel,
            "unfurl_links": False,
            "unfurl_media": False,
            "metadata": _metadata(
                incident, sequence, reply=bool(thread_ts) if is_reply is None else is_reply
            ),
        }
        if thread_ts:
            payload |= {"thread_ts": thread_ts, "reply_broadcast": broadcast}
        return str(self._call("chat.postMessage", payload)["ts"])

    def update(self, ts: str, said: Mapping[str, Any], *, incident: str, sequence: int) -> None:
        """Replace what a message says; doing it twice is the same as once.

        Raises:
            MessageGoneError: Somebody deleted it, or it is not ours.
            DeliveryError: See ``_call``.
        """
        changes = {key: value for key, value in said.items() if key != "mrkdwn"}
        metadata = _metadata(incident, sequence, reply=False)
        self._call("chat.update", {**changes, "channel": self.channel, "ts": ts, "metadata": metadata})

    def find_message(self, incident: str, since: Millis, thread_ts: str = "") -> Found | None:
        """Look for the incident's message among those of the channel, or of a thread, since a time.

        Raises:
            MessageGoneError: There is no such thread any more.
            DeliveryError: See ``_call``.
        """
        where = {"channel": self.channel} | ({"ts": thread_ts} if thread_ts else {})
        method = "conversations.replies" if thread_ts else "conversations.history"
        return _first_of(self._pages(method, where, since), incident, None)

    def find_reply(self, ts: str, incident: str, sequence: int, since: Millis) -> Found | None:
        """Look for the reply that told of one notification in a message's thread.

        Raises:
            MessageGoneError: There is no such thread any more.
            DeliveryError: See ``_call``.
        """
        replies = self._pages("conversations.replies", {"channel": self.channel, "ts": ts}, since)
        return _first_of(replies, incident, sequence)

    def ask(
        self,
        method: str,
        payload: Mapping[str, Any] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call any other method, by POST with a payload, else by GET.

        Raises:
            DeliveryError: See ``_call``.
        """
        return self._call(method, payload, query)

    def _pages(self, method: str, query: Mapping[str, Any], since: Millis) -> Iterator[Mapping[str, Any]]:
        oldest = f"{max(0, since - CLOCK_SKEW) / 1000:.6f}"
        asked = {
            **query,
            "oldest": oldest,
            "inclusive": "true",
            "limit": _PAGE,
            "include_all_metadata": "true",
        }
        for _ in range(_MAX_PAGES):
            answer = self._call(method, query=asked)
            yield from answer.get("messages") or ()
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            asked["cursor"] = cursor

    def _call(
        self, method: str, payload: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Call a method and return its answer if it is ``ok``.

        Raises:
            RetryableDeliveryError: It may work later.
            CredentialRefusedError: Token or channel are not accepted.
            BlocksRefusedError: The blocks are not accepted.
            MessageGoneError: The message meant is not there.
            PermanentDeliveryError: Anything else Slack refuses.
        """
        verb = "GET" if payload is None else "POST"
        url = self._base_url + method
        response = call(
            self._session,
            verb,
            url,
            what=method,
            payload=payload,
            query=query,
            auth=self._auth,
            timeout=self._timeout,
        )
        answer = _json_object(response)
        if answer.get("ok") is True:
            return answer
        if response.status_code == HTTPStatus.OK and not answer:
            raise RetryableDeliveryError(f"{method}: Slack's answer is not its own JSON", ambiguous=True)
        raise _failure(method, answer, response)


def _failure(method: str, answer: Mapping[str, Any], response: requests.Response) -> Exception:
    code = _code(answer.get("error")) or f"HTTP {response.status_code}"
    if code in _LIMITED:
        return RetryableDeliveryError(f"{method}: {code}", retry_after=retry_after(response), limited=True)
    if code in _BROKEN:
        return RetryableDeliveryError(f"{method}: {code}", ambiguous=True)
    if code in _BLOCKS:
        return BlocksRefusedError(f"{method}: {code}{_reasons(answer)}")
    if code in _GONE:
        return MessageGoneError(f"{method}: {code}")
    if code in _REFUSED or response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        needed = _code(answer.get("needed"))
        return CredentialRefusedError(f"{method}: {code}" + (f" (needs {needed})" if needed else ""))
    return PermanentDeliveryError(f"{method}: {code}")


def _json_object(response: requests.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _code(value: object) -> str:
    """An error code as Slack writes them; anything else is not repeated, whatever it may hold."""
    return value if isinstance(value, str) and re.fullmatch(r"[a-z0-9_:,]{1,80}", value) else ""


def _reasons(answer: Mapping[str, Any]) -> str:
    """Where Slack says the blocks are wrong: the JSON pointers only, for the rest may quote the content."""
    told = (answer.get("response_metadata") or {}).get("messages") or answer.get("errors") or []
    pointers = re.findall(r"/blocks[/\w]*", " ".join(map(str, told)))
    return f" at {', '.join(pointers[:5])}" if pointers else ""


def _metadata(incident: str, sequence: int, *, reply: bool) -> dict[str, Any]:
    payload = {"incident": incident, "sequence": sequence, "part": "reply" if reply else "incident"}
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def _first_of(messages: Iterator[Mapping[str, Any]], incident: str, sequence: int | None) -> Found | None:
    """Our message about an incident, or with a sequence the reply about that notification."""
    part = "incident" if sequence is None else "reply"
    for message in messages:
        metadata = message.get("metadata") or {}
        payload = metadata.get("event_payload") or {}
        if (
            metadata.get("event_type") == EVENT_TYPE
            and (payload.get("incident"), payload.get("part")) == (incident, part)
            and sequence in {None, payload.get("sequence")}
        ):
            return Found(str(message.get("ts", "")), int(payload.get("sequence") or 0))
    return None
