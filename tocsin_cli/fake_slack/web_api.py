"""Slack's side of a call: incoming webhooks, and the methods of the Web API that Tocsin uses.

One bot token is let in, and another once it was rotated.

Sources: Slack's documentation of each method (docs.slack.dev/reference/methods) and of incoming webhooks; the
webhook's plain-text errors are those of Slack's changelog of May 2016. Where a detail is not documented the
stricter reading is taken.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Protocol, TypeVar
from urllib.parse import parse_qsl

from tocsin_cli.fake_slack.block_kit import (
    MAX_BLOCKS_JSON,
    MAX_TEXT,
    MAX_UPDATE_TEXT,
    block_problems,
    json_size,
    text_length,
)
from tocsin_cli.fake_slack.channel import Channel, ChannelError, Draft, Message, in_threads
from tocsin_cli.fake_slack.responses import Answer, json_answer, parse_json, plain_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_T = TypeVar("_T")

BOT_TOKEN = "xoxb-local-tocsin"  # noqa: S105 -- opens nothing but this program
BOT_USER, BOT_ID, APP_ID, TEAM_ID = "U0TOCSIN", "B0TOCSIN", "A0TOCSIN", "T0LOCAL"

SCOPES = ("chat:write", "channels:history", "groups:history", "commands", "users:read", "usergroups:read")
"""The scopes that the bot has unless somebody takes one away: those of the app manifest."""

_TS = re.compile(r"\d{1,12}(\.\d{1,6})?")


class Workspace(Protocol):
    """What a call works on: the channels by id, what is in them, the bot's scopes and token, and its address."""

    channel: Channel
    channels: dict[str, str]
    scopes: Sequence[str]
    bot_token: str

    @property
    def url(self) -> str:
        """Without a slash at its end."""


class Dialogs(Protocol):
    """Where dialogs are shown; see ``interactivity``."""

    def open_dialog(self, trigger: str, view: dict[str, Any]) -> str | None:
        """Show one; answer its id."""


class Refused(Exception):  # noqa: N818 -- Slack's answer, not a failure of ours
    """An ``ok: false`` answer of the Web API."""

    def __init__(self, error: str, **details: object) -> None:
        super().__init__(error)
        self.error = error
        self.details = details


def webhook_answer(slack: Workspace, channel: str, content_type: str, body: bytes) -> Answer:
    """Post what a channel's incoming webhook was given, or say in plain text why not."""
    try:
        if content_type == "application/x-www-form-urlencoded":
            body = dict(parse_qsl(body.decode(), keep_blank_values=True)).get("payload", "").encode()
        payload = parse_json(body)
    except ValueError:
        return plain_answer("invalid_payload", HTTPStatus.BAD_REQUEST)
    if not isinstance(payload, dict):
        return plain_answer("invalid_payload", HTTPStatus.BAD_REQUEST)
    try:
        draft = _draft(payload)
        _must_say_something(draft)
        _check_text(draft, MAX_TEXT)
        slack.channel.post(channel, draft, via="webhook")
    except Refused as refused:
        return plain_answer(refused.error, HTTPStatus.BAD_REQUEST)
    except ChannelError as error:
        return plain_answer(str(error), HTTPStatus.BAD_REQUEST)
    return plain_answer("ok", HTTPStatus.OK)


def _draft(arguments: Mapping[str, Any]) -> Draft:
    """Read and check what is to be said.

    Raises:
        Refused: With Slack's error code, and for blocks with its list of reasons.
    """
    text = arguments.get("text")
    if text is not None and not isinstance(text, str):
        raise Refused("invalid_arguments")
    blocks = arguments.get("blocks")
    if blocks is not None:
        problems = block_problems(blocks)
        if problems:
            _refuse("invalid_blocks", problems)
    if arguments.get("attachments"):
        _refuse("invalid_attachments", ["Tocsin sends none, and the local Slack draws none"])
    metadata = arguments.get("metadata")
    # An empty object takes an existing message's metadata away.
    if metadata is not None and metadata != {} and not _is_metadata(metadata):
        raise Refused("invalid_metadata_format")
    thread_ts = arguments.get("thread_ts")
    if thread_ts is not None and not (isinstance(thread_ts, str) and _TS.fullmatch(thread_ts)):
        raise Refused("invalid_thread_ts")
    username = arguments.get("username")
    return Draft(
        text=text,
        blocks=blocks,
        metadata=metadata,
        thread_ts=thread_ts,
        username=username if isinstance(username, str) else None,
        reply_broadcast=_flag(arguments.get("reply_broadcast")),
    )


def _is_metadata(value: object) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"event_type", "event_payload"}
        and isinstance(value["event_type"], str)
        and bool(value["event_type"])
        and isinstance(value["event_payload"], dict)
    )


def _must_say_something(draft: Draft) -> None:
    if not (draft.text or draft.blocks):
        raise Refused("no_text")


def _check_text(draft: Draft, most: int) -> None:
    if text_length(draft.text or "") > most:
        raise Refused("msg_too_long")


def _refuse(error: str, problems: list[str]) -> NoReturn:
    raise Refused(
        error, errors=problems, response_metadata={"messages": [f"[ERROR] {text}" for text in problems]}
    )


class WebApiCall:
    """One call of a Web API method: its arguments from JSON, form or query, and the token."""

    def __init__(
        self, slack: Workspace, method: str, headers: Mapping[str, str], query: str, body: bytes
    ) -> None:
        self._slack = slack
        self._method = method
        self._headers = {name.lower(): value for name, value in headers.items()}
        self._query = query
        self._body = body
        self._arguments: dict[str, Any] = {}

    def answer(self) -> Answer:
        """Do it. Errors are answered with status 200 and ``ok: false``, as Slack does."""
        work = self._METHODS.get(self._method)
        if work is None:
            return json_answer({"ok": False, "error": "unknown_method", "req_method": self._method})
        try:
            self._arguments = self._read_arguments()
            self._check_token()
            scopes = ("X-OAuth-Scopes", ",".join(self._slack.scopes))
            return json_answer({"ok": True, **work(self)}, headers=(scopes,))
        except Refused as refused:
            return json_answer({"ok": False, "error": refused.error, **refused.details})
        except ChannelError as error:
            return json_answer({"ok": False, "error": str(error)})

    def _read_arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = dict(parse_qsl(self._query, keep_blank_values=True))
        if self._headers.get("content-type", "").split(";")[0].strip() == "application/json":
            try:
                body = parse_json(self._body)
            except ValueError:
                raise Refused("invalid_json") from None
            if not isinstance(body, dict):
                raise Refused("json_not_object")
            return arguments | body
        try:
            arguments |= dict(parse_qsl(self._body.decode(), keep_blank_values=True))
        except UnicodeDecodeError:
            raise Refused("invalid_form_data") from None
        for key in ("blocks", "attachments", "metadata"):
            if key in arguments:
                try:
                    arguments[key] = json.loads(arguments[key])
                except ValueError:
                    raise Refused(f"invalid_{key}_format") from None
        return arguments

    def _check_token(self) -> None:
        scheme, _, token = self._headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else str(self._arguments.get("token", ""))
        if not token:
            raise Refused("not_authed")
        if token != self._slack.bot_token:
            raise Refused("invalid_auth")

    def _channel(self) -> str:
        wanted = str(self._arguments.get("channel", ""))
        for channel, name in self._slack.channels.items():
            if wanted in {channel, name, "#" + name}:
                return channel
        raise Refused("channel_not_found")

    def _post_message(self) -> dict[str, Any]:
        channel = self._channel()
        draft = _draft(self._arguments)
        _must_say_something(draft)
        self._check_sizes(draft, MAX_TEXT)
        message = self._slack.channel.post(channel, draft, via="bot")
        return {"channel": channel, "ts": message["ts"], "message": _as_slack(message, [])}

    def _update(self) -> dict[str, Any]:
        channel = self._channel()
        draft = _draft(self._arguments)
        if draft.text is None and draft.blocks is None:
            raise Refused("no_text")
        self._check_sizes(draft, MAX_UPDATE_TEXT)
        message = self._slack.channel.update(channel, str(self._arguments.get("ts", "")), draft)
        return {
            "channel": channel,
            "ts": message["ts"],
            "text": message["text"],
            "message": _as_slack(message, []),
        }

    @staticmethod
    def _check_sizes(draft: Draft, max_text: int) -> None:
        _check_text(draft, max_text)
        if json_size(draft.blocks or []) > MAX_BLOCKS_JSON:
            raise Refused("msg_blocks_too_long")

    def _history(self) -> dict[str, Any]:
        channel = self._channel()
        threads = in_threads(
            [message for message in self._slack.channel.messages() if message["channel"] == channel]
        )
        shown = [(top, replies) for top, replies in threads if top["thread_ts"] is None]
        shown += [(reply, []) for _, replies in threads for reply in replies if reply["reply_broadcast"]]
        within = self._range()
        found = sorted((pair for pair in shown if within(pair[0])), key=lambda pair: pair[0]["ts"])
        # With `oldest` Slack begins with those closest to it, otherwise with the newest.
        forward = "oldest" in self._arguments
        page, more = self._page(found if forward else found[::-1], lambda pair: pair[0]["ts"], 100, 999)
        page.sort(key=lambda pair: pair[0]["ts"], reverse=True)
        messages = [_as_slack(top, replies, metadata=self._metadata) for top, replies in page]
        return {"messages": messages, "pin_count": 0, **more}

    def _replies(self) -> dict[str, Any]:
        channel = self._channel()
        ts = str(self._arguments.get("ts", ""))
        within = self._range()
        for top, replies in in_threads(self._slack.channel.messages()):
            if top["channel"] == channel and ts in {top["ts"], *(reply["ts"] for reply in replies)}:
                # The parent heads the answer, whatever the range.
                found = [top, *filter(within, replies)]
                page, more = self._page(found, lambda message: message["ts"], 1000, 1000)
                messages = [
                    _as_slack(message, replies if message is top else [], metadata=self._metadata)
                    for message in page
                ]
                return {"messages": messages, **more}
        raise Refused("thread_not_found")

    def _page(
        self, items: Sequence[_T], ts_of: Callable[[_T], str], default: int, most: int
    ) -> tuple[list[_T], dict[str, Any]]:
        """The items after the call's cursor, as many as it wants, and what says whether there are more."""
        start = 0
        cursor = self._arguments.get("cursor")
        if cursor:
            known = [_cursor(ts_of(item)) for item in items]
            if cursor not in known:
                raise Refused("invalid_cursor")
            start = known.index(str(cursor)) + 1
        end = start + self._limit(default, most)
        page = list(items[start:end])
        if end >= len(items):
            return page, {"has_more": False}
        return page, {"has_more": True, "response_metadata": {"next_cursor": _cursor(ts_of(page[-1]))}}

    def _range(self) -> Callable[[Message], bool]:
        """Whether a message is as new as the call asked for."""
        inclusive, given = _flag(self._arguments.get("inclusive")), str(self._arguments.get("oldest") or 0)
        if not _TS.fullmatch(given):
            raise Refused("invalid_ts_oldest")
        oldest = _micros(given)

        def within(message: Message) -> bool:
            ts = _micros(message["ts"])
            return ts > oldest or (inclusive and ts == oldest)

        return within

    def _limit(self, default: int, most: int) -> int:
        value = str(self._arguments.get("limit", default))
        if not value.isdecimal() or not 1 <= int(value) <= most:
            raise Refused("invalid_limit")
        return int(value)

    @property
    def _metadata(self) -> bool:
        return _flag(self._arguments.get("include_all_metadata"))

    def _auth_test(self) -> dict[str, Any]:
        return {
            "url": self._slack.url + "/",
            "team": "Local",
            "user": "tocsin",
            "team_id": TEAM_ID,
            "user_id": BOT_USER,
            "bot_id": BOT_ID,
            "is_enterprise_install": False,
        }

    def _open_view(self) -> dict[str, Any]:
        dialogs: Dialogs | None = getattr(self._slack, "interactivity", None)
        view, trigger = self._arguments.get("view"), str(self._arguments.get("trigger_id", ""))
        if not isinstance(view, dict) or dialogs is None:
            raise Refused("invalid_arguments")
        identity = dialogs.open_dialog(trigger, view)
        if identity is None:
            raise Refused("invalid_trigger_id" if trigger else "missing_trigger")
        return {"view": {**view, "id": identity}}

    def _user(self) -> dict[str, Any]:
        return {"user": {"id": str(self._arguments.get("user", "")), "tz": "Etc/UTC", "tz_offset": 0}}

    def _members(self) -> dict[str, Any]:
        return {"users": ["UADA"]}

    _METHODS: ClassVar[dict[str, Callable[[WebApiCall], dict[str, Any]]]] = {
        "auth.test": _auth_test,
        "chat.postMessage": _post_message,
        "chat.update": _update,
        "conversations.history": _history,
        "conversations.replies": _replies,
        "views.open": _open_view,
        "users.info": _user,
        "usergroups.users.list": _members,
    }


def _as_slack(message: Message, replies: list[Message], *, metadata: bool = True) -> dict[str, Any]:
    """A message as the Web API shows it."""
    shown: dict[str, Any] = {
        "type": "message",
        "ts": message["ts"],
        "text": message["text"],
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "team": TEAM_ID,
    }
    if message["via"] == "webhook":
        shown |= {"subtype": "bot_message", "username": message["username"]}
    else:
        shown["user"] = BOT_USER
    if message["blocks"]:
        shown["blocks"] = message["blocks"]
    if metadata and message["metadata"]:
        shown["metadata"] = message["metadata"]
    if message["edited_at"]:
        edited = int(datetime.fromisoformat(message["edited_at"]).timestamp())
        shown["edited"] = {"user": BOT_USER, "ts": f"{edited}.000000"}
    if message["thread_ts"]:
        shown |= {"thread_ts": message["thread_ts"], "parent_user_id": BOT_USER}
    if replies:
        shown |= {
            "thread_ts": message["ts"],
            "reply_count": len(replies),
            "reply_users_count": 1,
            "reply_users": [BOT_USER],
            "latest_reply": replies[-1]["ts"],
        }
    return shown


def _cursor(ts: str) -> str:
    """Where a page ended, as Slack writes it: nothing a caller could make sense of."""
    return base64.b64encode(f"next_ts:{ts}".encode()).decode()


def _micros(ts: str) -> int:
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0") or 0)


def _flag(value: object) -> bool:
    return value is True or str(value).lower() in {"1", "true"}
