"""A Slack on this machine: incoming webhooks, the Web API as far as Tocsin uses it, and a page that shows it.

It answers as Slack does, errors included, and keeps what it was sent, for tests and people to look at. Ours
and not Slack's: ``GET`` and ``DELETE /api/messages``; ``GET``, ``POST`` and ``DELETE /api/faults``; what people on the page do, ``POST
/api/press``, ``/api/submit`` and ``/api/command``, each answered with what that person would see; the page
at ``/`` with its ``/channel`` fragment; ``/events``, which says when something changed.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import time
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tocsin_cli.fake_slack.channel import Channel, Fault, Message, fault_json, read_fault
from tocsin_cli.fake_slack.interactivity import PEOPLE, Interactivity
from tocsin_cli.fake_slack.responses import (
    Answer,
    fault_answer,
    html_answer,
    json_answer,
    parse_json,
    plain_answer,
)
from tocsin_cli.fake_slack.web_api import (
    APP_ID,
    BOT_ID,
    BOT_TOKEN,
    SCOPES,
    TEAM_ID,
    WebApiCall,
    webhook_answer,
)
from tocsin_cli.slack_view.page import render_channel_page, render_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MAX_BODY = 4 * 1024 * 1024
KEEP_ALIVE_SECONDS = 15.0
WEBHOOK_PATH = f"/services/{TEAM_ID}/{BOT_ID}/local"
DEFAULT_CHANNELS = {"C0ALERTS": "alerts"}

_WEBHOOK = re.compile(r"/services/T\w+/B\w+/\w+")


class LocalSlack:
    """The server; ``start`` and ``stop`` it, or use it as a context manager.

    Args:
        host: The address to listen on. The default is this machine only; containers need ``0.0.0.0``.
        port: The port; 0 takes a free one.
        channels: Names by id; a call for any other answers ``channel_not_found``.
        clock: Seconds since the epoch, for time stamps.
        on_message: Called with each new message, in order.
        on_edit: Called with each edited message, in order.

    Attributes:
        scopes: What the bot may do, as Slack says in a header of each answer.
        bot_token: The one token that is let in, for the secret in bot mode; another one once it was rotated.

    Raises:
        OSError: On ``start``, when the port is taken.
    """

    def __init__(
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
        self.scopes: Sequence[str] = SCOPES
        self.bot_token = BOT_TOKEN
        self.stopping = threading.Event()
        self.interactivity = Interactivity(self.channel, (APP_ID, TEAM_ID), lambda: self.url)
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
        """An incoming webhook of the first channel, for the secret in webhook mode."""
        return self.url + WEBHOOK_PATH

    def webhook_url_of(self, channel: str) -> str:
        """An incoming webhook of a channel, by its id."""
        return f"{self.webhook_url.rpartition('/')[0]}/{channel}"

    def channel_of_webhook(self, path: str) -> str:
        """The channel that a webhook's path leads to; the first one unless it names another."""
        named = path.rpartition("/")[2]
        return named if named in self.channels else self.channel_id

    @property
    def api_url(self) -> str:
        """What stands for ``https://slack.com/api/``."""
        return self.url + "/api/"

    @property
    def signing(self) -> dict[str, str]:
        """What the secret holds besides in bot mode, so that people can act."""
        return {"signing_secret": self.interactivity.signing_secret, "app_id": APP_ID, "team_id": TEAM_ID}

    @property
    def channel_id(self) -> str:
        """The first channel's id, for the secret in bot mode."""
        return next(iter(self.channels))

    def messages(self) -> list[Message]:
        """All messages, oldest first."""
        return self.channel.messages()

    def wait_for(self, condition: Callable[[list[Message]], bool], timeout: float = 60.0) -> list[Message]:
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
            self._send(json_answer({"ok": False, "error": str(error)}, HTTPStatus.REQUEST_ENTITY_TOO_LARGE))
            return
        if parts.path == "/events" and verb == "GET":
            self._stream()
            return
        control = _control_answer(slack, verb, parts.path, body)
        if control:
            self._send(control)
            return
        if _WEBHOOK.fullmatch(parts.path) and verb == "POST":
            channel, kind = slack.channel_of_webhook(parts.path), self.headers.get_content_type()
            self._with_faults("webhook", lambda: webhook_answer(slack, channel, kind, body))
        elif parts.path.startswith("/answers/") and verb == "POST":
            answers = parts.path.removeprefix("/answers/")
            self._with_faults("response_url", lambda: _take_answer(slack, answers, body))
        elif parts.path.startswith("/api/"):
            method = parts.path.removeprefix("/api/")
            self._with_faults(method, WebApiCall(slack, method, dict(self.headers), parts.query, body).answer)
        else:
            self._send(plain_answer("no_service", HTTPStatus.NOT_FOUND))

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
            self._send(fault_answer(fault, webhook=method == "webhook"))

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
    if (verb, path) in _CONTROLS:
        try:
            return _CONTROLS[verb, path](slack, body)
        except ValueError as error:
            return json_answer({"error": str(error)}, HTTPStatus.BAD_REQUEST)
    if path in {known for _, known in _CONTROLS}:
        return json_answer({"error": f"{verb} {path}: not allowed"}, HTTPStatus.METHOD_NOT_ALLOWED)
    return None


def _show_page(slack: LocalSlack, _: bytes) -> Answer:
    return _drawn(slack, partial(render_channel_page, title=f"#{slack.channels[slack.channel_id]}"))


def _show_channel(slack: LocalSlack, _: bytes) -> Answer:
    return _drawn(slack, render_log)


def _drawn(slack: LocalSlack, draw: Callable[..., str]) -> Answer:
    # The page is named after the first channel; messages in another say where they are.
    rooms = {channel: name for channel, name in slack.channels.items() if channel != slack.channel_id}
    faults = list(map(str, slack.channel.faults()))
    return html_answer(draw(slack.messages(), live=True, faults=faults, rooms=rooms))


def _show_messages(slack: LocalSlack, _: bytes) -> Answer:
    return json_answer({"messages": slack.messages()})


def _delete_messages(slack: LocalSlack, _: bytes) -> Answer:
    return json_answer({"deleted": slack.channel.clear()})


def _show_faults(slack: LocalSlack, _: bytes) -> Answer:
    return json_answer({"faults": [fault_json(fault) for fault in slack.channel.faults()]})


def _add_fault(slack: LocalSlack, body: bytes) -> Answer:
    slack.add_fault(read_fault(parse_json(body)))
    return _show_faults(slack, body)


def _delete_faults(slack: LocalSlack, _: bytes) -> Answer:
    return json_answer({"deleted": slack.channel.clear_faults()})


def _take_answer(slack: LocalSlack, answers: str, body: bytes) -> Answer:
    try:
        said = parse_json(body)
    except ValueError:
        said = None
    if not isinstance(said, dict) or not slack.interactivity.say(answers, str(said.get("text", ""))):
        return json_answer({"ok": False, "error": "used_url"}, HTTPStatus.NOT_FOUND)
    return json_answer({"ok": True})


def _asked(body: bytes, *keys: str) -> tuple[dict[str, Any], str]:
    """What somebody on the page did, with the keys it must have, and who it was."""
    given = parse_json(body)
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    for key in keys:
        if not isinstance(given.get(key), str):
            raise ValueError(f"{key}: must be a string")
    user = given.get("user") or next(iter(PEOPLE))
    if not isinstance(user, str) or not re.fullmatch(r"[A-Z0-9]{2,20}", user):
        raise ValueError("user: must be the id of a person, such as UADA")
    return given, user


def _press(slack: LocalSlack, body: bytes) -> Answer:
    given, user = _asked(body, "ts", "action_id")
    message = slack.channel.get(given["ts"])
    if message is None:
        raise ValueError("ts: no such message")
    value = str(given.get("value") or "")
    return json_answer(slack.interactivity.press(message, given["action_id"], value, user))


def _submit(slack: LocalSlack, body: bytes) -> Answer:
    given, user = _asked(body, "view_id")
    values = given.get("values")
    if not isinstance(values, dict):
        raise ValueError("values: must be an object")
    typed = {str(name): str(value) for name, value in values.items()}
    return json_answer(slack.interactivity.submit(given["view_id"], typed, user))


def _type_command(slack: LocalSlack, body: bytes) -> Answer:
    given, user = _asked(body, "text")
    return json_answer(slack.interactivity.command(given["text"], user, slack.channel_id))


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
    ("POST", "/api/press"): _press,
    ("POST", "/api/submit"): _submit,
    ("POST", "/api/command"): _type_command,
}
