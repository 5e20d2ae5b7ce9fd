"""A Slack on this machine: incoming webhooks, the Web API as far as Tocsin uses it, and a page that shows it.

It answers as Slack does, errors included, and keeps what it was told, for tests and people to look at. Ours
and not Slack's: ``GET`` and ``DELETE /api/messages``; ``GET``, ``POST`` and ``DELETE /api/faults``; the page
at ``/`` with its ``/channel`` fragment; ``/events``, which says when something changed.

Any bot token that begins with ``xoxb-`` and any webhook address of Slack's form is let in.

Sources: Slack's documentation of each method and of incoming webhooks; the webhook's plain-text errors are
those of Slack's 2016 changelog. Where a detail is not documented the stricter reading is taken.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from cli.slack_block_rules import (
    MAX_ATTACHMENTS,
    MAX_BLOCKS_JSON,
    MAX_TEXT,
    MAX_UPDATE_TEXT,
    attachment_problems,
    block_problems,
    json_size,
    text_length,
)
from cli.slack_channel import (
    Channel,
    ChannelError,
    Draft,
    Fault,
    Message,
    fault_json,
    in_threads,
    read_fault,
)
from cli.slack_page import render_channel_page, render_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_T = TypeVar("_T")

MAX_BODY = 4 * 1024 * 1024
KEEP_ALIVE_SECONDS = 15.0
BOT_USER, BOT_ID, APP_ID, TEAM_ID = "U0TOCSIN", "B0TOCSIN", "A0TOCSIN", "T0LOCAL"
WEBHOOK_PATH = f"/services/{TEAM_ID}/{BOT_ID}/local"
BOT_TOKEN = "xoxb-local-tocsin"  # noqa: S105 -- opens nothing but this program
DEFAULT_CHANNELS = {"C0ALERTS": "alerts"}

_WEBHOOK = re.compile(r"/services/T\w+/B\w+/\w+")
_PERMALINK = re.compile(r"/archives/(C\w+)/p(\d{10})(\d{6})")
_TS = re.compile(r"\d{1,12}(\.\d{1,6})?")
_USUAL_ERRORS = {429: "ratelimited", 403: "invalid_token", 404: "no_service", 410: "channel_is_archived"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):  # noqa: N818 -- Slack's answer, not a failure of ours
    """An ``ok: false`` answer of the Web API."""

    def __init__(self, error: str, **details: object) -> None:
        super().__init__(error)
        self.error = error
        self.details = details


class LocalSlack:
    """The server; ``start`` and ``stop`` it, or use it as a context manager.

    Args:
        host: The address to listen on. The default is this machine only; containers need ``0.0.0.0``.
        port: The port; 0 takes a free one.
        channels: Names by id; a call for any other answers ``channel_not_found``.
        clock: Seconds since the epoch, for time stamps.
        on_message: Called with each new message, in order.
        on_edit: Called with each edited message, in order.

    Raises:
        OSError: On ``start``, when the port is taken.
    """

    def __init__(  # noqa: PLR0913 -- independent settings, each with its default
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        channels: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        on_message: Callable[[Message], None] | None = None,
        on_edit: Callable[[Message], None] | None = None,
    ) -> None:
        self.channel = Channel(clock, on_message, on_edit)
        self.channels = dict(DEFAULT_CHANNELS if channels is None else channels)
        self.stopping = threading.Event()
        self._host, self._port = host, port
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Listen; answers once calls are taken."""
        self._server = _Server((self._host, self._port), self)
        self._port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="local-slack", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more; calls that hang are let go. Twice is no error."""
        self.stopping.set()
        self.channel.close()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._thread:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """The address of the page, without a slash at its end."""
        host = "127.0.0.1" if self._host in {"0.0.0.0", ""} else self._host  # noqa: S104 -- compared, not bound
        return f"http://{host}:{self._port}"

    @property
    def webhook_url(self) -> str:
        """An incoming webhook, for the secret in webhook mode."""
        return self.url + WEBHOOK_PATH

    @property
    def api_url(self) -> str:
        """What stands for ``https://slack.com/api/``."""
        return self.url + "/api/"

    @property
    def bot_token(self) -> str:
        """A token that is let in, for the secret in bot mode."""
        return BOT_TOKEN

    @property
    def channel_id(self) -> str:
        """The first channel's id, for the secret in bot mode."""
        return next(iter(self.channels))

    def messages(self) -> list[Message]:
        """All messages, oldest first."""
        return self.channel.messages()

    def wait_for(self, condition: Callable[[list[Message]], bool], timeout: float = 10.0) -> list[Message]:
        """Wait until the messages satisfy a condition; see ``Channel.wait_for``."""
        return self.channel.wait_for(condition, timeout)

    def add_fault(self, fault: Fault) -> None:
        """Make the next calls fail."""
        self.channel.add_fault(fault)


class _Server(ThreadingHTTPServer):
    # Handler threads end by themselves: one answer each, hanging ones and streams are woken by ``stop``.
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], slack: LocalSlack) -> None:
        self.slack = slack
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is not worth a traceback; anything else is."""
        import sys

        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "LocalSlack"
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
        """Say nothing: the page shows what happened, and an access log would drown the demo."""

    def do_GET(self) -> None:
        self._handle("GET")

    def do_POST(self) -> None:
        self._handle("POST")

    def do_DELETE(self) -> None:
        self._handle("DELETE")

    def _handle(self, verb: str) -> None:
        slack = self.server.slack
        parts = urlsplit(self.path)
        try:
            body = self._body()
        except ValueError as error:
            self._send(_json({"ok": False, "error": str(error)}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        if parts.path == "/events" and verb == "GET":
            self._stream()
            return
        control = _control_answer(slack, verb, parts.path, body)
        if control:
            self._send(control)
            return
        if _WEBHOOK.fullmatch(parts.path) and verb == "POST":
            self._with_faults("webhook", lambda: _webhook(slack, self.headers.get_content_type(), body))
        elif parts.path.startswith("/api/"):
            method = parts.path.removeprefix("/api/")
            self._with_faults(method, _Call(slack, method, dict(self.headers), parts.query, body).answer)
        else:
            self._send(_plain("no_service", HTTPStatus.NOT_FOUND))

    def _with_faults(self, method: str, work: Callable[[], Answer]) -> None:
        slack = self.server.slack
        fault = slack.channel.take_fault(method)
        if fault is None:
            self._send(work())
            return
        if fault.after_effect:
            work()
        if fault.hang:
            slack.stopping.wait(fault.hang)
        if fault.status is None and fault.error is None:
            self.close_connection = True  # no answer at all: what a client sees when the other side dies
        else:
            self._send(_fault_answer(fault, webhook=method == "webhook"))

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise ValueError("request_too_large")
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> None:
        with contextlib.suppress(ConnectionError):
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

    def _stream(self) -> None:
        """Server-sent events: the version at once, and again with every change."""
        channel = self.server.slack.channel
        with contextlib.suppress(ConnectionError):
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            version: int | None = channel.version
            self.wfile.write(f"retry: 1000\ndata: {version}\n\n".encode())
            while version is not None:
                before, version = version, channel.wait_for_change(version, KEEP_ALIVE_SECONDS)
                self.wfile.write(
                    b": still here\n\n" if before == version else f"data: {version}\n\n".encode()
                )


def _control_answer(slack: LocalSlack, verb: str, path: str, body: bytes) -> Answer | None:
    """Answer what is ours; None when the call is Slack's."""
    found = _PERMALINK.fullmatch(path)
    if found:
        return Answer(HTTPStatus.FOUND, b"", "text/plain", (("Location", f"/#m{found[2]}.{found[3]}"),))
    if (verb, path) in _CONTROLS:
        return _CONTROLS[verb, path](slack, body)
    if path in {known for _, known in _CONTROLS}:
        return _json({"error": f"{verb} {path}: not allowed"}, HTTPStatus.METHOD_NOT_ALLOWED)
    return None


def _show_page(slack: LocalSlack, _: bytes) -> Answer:
    title = "#" + next(iter(slack.channels.values()))
    faults = [str(fault) for fault in slack.channel.faults()]
    return _html(render_channel_page(slack.messages(), title=title, live=True, faults=faults))


def _show_channel(slack: LocalSlack, _: bytes) -> Answer:
    faults = [str(fault) for fault in slack.channel.faults()]
    return _html(render_log(slack.messages(), faults=faults, live=True))


def _show_messages(slack: LocalSlack, _: bytes) -> Answer:
    return _json({"messages": slack.messages()})


def _delete_messages(slack: LocalSlack, _: bytes) -> Answer:
    return _json({"deleted": slack.channel.clear()})


def _show_faults(slack: LocalSlack, _: bytes) -> Answer:
    return _json({"faults": [fault_json(fault) for fault in slack.channel.faults()]})


def _add_fault(slack: LocalSlack, body: bytes) -> Answer:
    try:
        slack.add_fault(read_fault(_parse(body)))
    except ValueError as error:
        return _json({"error": str(error)}, HTTPStatus.BAD_REQUEST)
    return _show_faults(slack, body)


def _delete_faults(slack: LocalSlack, _: bytes) -> Answer:
    return _json({"deleted": slack.channel.clear_faults()})


def _no_icon(_: LocalSlack, __: bytes) -> Answer:
    return Answer(HTTPStatus.NO_CONTENT, b"", "image/x-icon")


_CONTROLS: dict[tuple[str, str], Callable[[LocalSlack, bytes], Answer]] = {
    ("GET", "/"): _show_page,
    ("GET", "/channel"): _show_channel,
    ("GET", "/favicon.ico"): _no_icon,
    ("GET", "/api/messages"): _show_messages,
    ("DELETE", "/api/messages"): _delete_messages,
    ("GET", "/api/faults"): _show_faults,
    ("POST", "/api/faults"): _add_fault,
    ("DELETE", "/api/faults"): _delete_faults,
}


def _fault_answer(fault: Fault, *, webhook: bool) -> Answer:
    status = fault.status or (HTTPStatus.BAD_REQUEST if webhook else HTTPStatus.OK)
    headers: tuple[tuple[str, str], ...] = ()
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers = (("Retry-After", str(1 if fault.retry_after is None else fault.retry_after)),)
    elif fault.retry_after is not None:
        headers = (("Retry-After", str(fault.retry_after)),)
    if webhook:
        return _plain(fault.error or _USUAL_ERRORS.get(status, "rollup_error"), status, headers)
    error = fault.error or ("ratelimited" if status == HTTPStatus.TOO_MANY_REQUESTS else "internal_error")
    return _json({"ok": False, "error": error}, status, headers)


def _webhook(slack: LocalSlack, content_type: str, body: bytes) -> Answer:
    """Post what an incoming webhook was given, or say in plain text why not."""
    try:
        if content_type == "application/x-www-form-urlencoded":
            body = dict(parse_qsl(body.decode(), keep_blank_values=True)).get("payload", "").encode()
        payload = _parse(body)
    except ValueError:
        return _plain("invalid_payload", HTTPStatus.BAD_REQUEST)
    if not isinstance(payload, dict):
        return _plain("invalid_payload", HTTPStatus.BAD_REQUEST)
    try:
        draft = _draft(payload)
        _must_say_something(draft)
        _check_text(draft, MAX_TEXT)
        slack.channel.post(slack.channel_id, draft, via="webhook")
    except Refused as refused:
        return _plain(refused.error, HTTPStatus.BAD_REQUEST)
    except ChannelError as error:
        return _plain(str(error), HTTPStatus.BAD_REQUEST)
    return _plain("ok", HTTPStatus.OK)


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
    attachments = arguments.get("attachments")
    if attachments is not None:
        problems = attachment_problems(attachments)
        if problems:
            _refuse("invalid_attachments", problems)
        if len(attachments) > MAX_ATTACHMENTS:
            raise Refused("too_many_attachments")
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
        attachments=attachments,
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
    if not (draft.text or draft.blocks or draft.attachments):
        raise Refused("no_text")


def _check_text(draft: Draft, most: int) -> None:
    if text_length(draft.text or "") > most:
        raise Refused("msg_too_long")


def _refuse(error: str, problems: list[str]) -> NoReturn:
    raise Refused(
        error, errors=problems, response_metadata={"messages": [f"[ERROR] {text}" for text in problems]}
    )


class _Call:
    """One call of a Web API method: its arguments from JSON, form or query, and the token."""

    def __init__(
        self, slack: LocalSlack, method: str, headers: Mapping[str, str], query: str, body: bytes
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
            return _json({"ok": False, "error": "unknown_method", "req_method": self._method})
        try:
            self._arguments = self._read_arguments()
            self._check_token()
            return _json({"ok": True, **work(self)})
        except Refused as refused:
            return _json({"ok": False, "error": refused.error, **refused.details})
        except ChannelError as error:
            return _json({"ok": False, "error": str(error)})

    def _read_arguments(self) -> dict[str, Any]:
        arguments: dict[str, Any] = dict(parse_qsl(self._query, keep_blank_values=True))
        if self._headers.get("content-type", "").split(";")[0].strip() == "application/json":
            try:
                body = _parse(self._body)
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
        if not token.startswith("xoxb-"):
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
        if draft.text is None and draft.blocks is None and draft.attachments is None:
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
        threads = in_threads([message for message in self._slack.messages() if message["channel"] == channel])
        shown = [(top, replies) for top, replies in threads if top["thread_ts"] is None]
        shown += [(reply, []) for _, replies in threads for reply in replies if reply["reply_broadcast"]]
        within = self._range()
        found = sorted((pair for pair in shown if within(pair[0])), key=lambda pair: pair[0]["ts"])
        # With `oldest` alone Slack begins with those closest to it, otherwise with the newest.
        forward = "oldest" in self._arguments and "latest" not in self._arguments
        page, more = self._page(found if forward else found[::-1], lambda pair: pair[0]["ts"], 100, 999)
        page.sort(key=lambda pair: pair[0]["ts"], reverse=True)
        messages = [_as_slack(top, replies, metadata=self._metadata) for top, replies in page]
        return {"messages": messages, "pin_count": 0, **more}

    def _replies(self) -> dict[str, Any]:
        channel = self._channel()
        ts = str(self._arguments.get("ts", ""))
        within = self._range()
        for top, replies in in_threads(self._slack.messages()):
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
        """Whether a message lies within what the call asked for."""
        inclusive = _flag(self._arguments.get("inclusive"))
        oldest, latest = self._bound("oldest"), self._bound("latest")

        def within(message: Message) -> bool:
            ts = _micros(message["ts"])
            if ts in {oldest, latest}:
                return inclusive
            return (oldest is None or ts > oldest) and (latest is None or ts < latest)

        return within

    def _bound(self, key: str) -> int | None:
        value = self._arguments.get(key)
        if value is None or value == "":
            return None
        if not _TS.fullmatch(str(value)):
            raise Refused(f"invalid_ts_{key}")
        return _micros(str(value))

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

    def _permalink(self) -> dict[str, Any]:
        channel = self._channel()
        message = self._slack.channel.get(str(self._arguments.get("message_ts", "")))
        if message is None or message["channel"] != channel:
            raise Refused("message_not_found")
        permalink = f"{self._slack.url}/archives/{channel}/p{message['ts'].replace('.', '')}"
        if message["thread_ts"]:
            permalink += f"?thread_ts={message['thread_ts']}&cid={channel}"
        return {"channel": channel, "permalink": permalink}

    _METHODS: ClassVar[dict[str, Callable[[_Call], dict[str, Any]]]] = {
        "auth.test": _auth_test,
        "chat.postMessage": _post_message,
        "chat.update": _update,
        "chat.getPermalink": _permalink,
        "conversations.history": _history,
        "conversations.replies": _replies,
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
    for key, value in (("blocks", message["blocks"]), ("attachments", message["attachments"])):
        if value:
            shown[key] = value
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


def _parse(body: bytes) -> object:
    """Read JSON.

    Raises:
        ValueError: It is none.
    """
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    return value


def _cursor(ts: str) -> str:
    """Where a page ended, as Slack writes it: nothing a caller could make sense of."""
    return base64.b64encode(f"next_ts:{ts}".encode()).decode()


def _micros(ts: str) -> int:
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction.ljust(6, "0") or 0)


def _flag(value: object) -> bool:
    return value is True or str(value).lower() in {"1", "true"}


def _html(text: str) -> Answer:
    return Answer(HTTPStatus.OK, text.encode("utf-8", "replace"), "text/html; charset=utf-8")


def _plain(text: str, status: int, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, text.encode(), "text/html", headers)


def _json(value: object, status: int = HTTPStatus.OK, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return Answer(status, body, "application/json; charset=utf-8", headers)
