"""People in the local Slack: they press buttons, fill in dialogs and type commands, and the app gets the requests that Slack sends.

Each request is signed like Slack's and handed to whatever was connected: the deployed function. Faults for the method
``press`` make it go wrong: ``late`` (six minutes old), ``twice``, ``bad_signature``.
"""

from __future__ import annotations

import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from tocsin.core.slack.signing import signature_of
from tocsin_cli.fake_slack.channel import Channel, Message

SIGNING_SECRET = "local-signing-secret"  # noqa: S105 -- opens nothing but this program
PEOPLE = {"UADA": "Ada", "UBOB": "Bob"}

Sent = tuple[int, str]
"""What the app answered: HTTP's status, and the body."""
Sender = Callable[[Mapping[str, str], str], Sent]
"""Hands a request's headers and body to the app."""

_MOMENT = 0.3
"""Seconds between what the channel shows and what the person is answered besides, at most."""

_WAIT = 3.0
"""Seconds that an answer shows what the person sees: Slack's own patience."""


class Interactivity:
    """Presses, dialogs and commands of one workspace.

    Args:
        channel: What people see, and the faults.
        identity: The app's and the team's id.
        url: Says where answers to a person are taken.

    Attributes:
        signing_secret: What requests are signed with; another one once it was rotated.
    """

    def __init__(self, channel: Channel, identity: tuple[str, str], url: Callable[[], str]) -> None:
        self._channel, self._identity, self._url = channel, identity, url
        self.signing_secret = SIGNING_SECRET
        self._sender: Sender | None = None
        self._numbers = itertools.count(1)
        self._dialogs: dict[str, dict[str, Any]] = {}
        self._said: dict[str, list[str]] = {}
        self._changed = threading.Condition()

    def connect(self, sender: Sender) -> None:
        """Send what people do to this app."""
        self._sender = sender

    def press(self, message: Message, action_id: str, value: str, user: str) -> dict[str, Any]:
        """Press an element under a message, and wait for what the person would see.

        Raises:
            ValueError: There is no such element under it.
        """
        action = _element_of(message, action_id, value)
        trigger = self._begin()
        payload = {
            "type": "block_actions",
            **self._who_and_where(user),
            "trigger_id": trigger,
            "response_url": self._answers_url(trigger),
            "channel": {"id": message["channel"], "name": "alerts"},
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]},
            "message": {"ts": message["ts"], "text": message["text"], "blocks": message["blocks"]},
            "actions": [{**action, "action_ts": f"{time.time():.6f}"}],
        }
        before = self._channel.version
        status, _ = self._send({"payload": json.dumps(payload)})
        dialog = self._dialogs.get(trigger)
        if dialog is None and status == 200:
            # What is chosen from a menu is always answered, which may come after the channel has changed.
            self._wait(trigger, None if "selected_option" in action else before)
        return self._seen(status, trigger) | {
            "dialog": dialog and {"view_id": dialog["id"], "view": dialog["view"]}
        }

    def submit(self, view_id: str, values: Mapping[str, str], user: str) -> dict[str, Any]:
        """Submit a dialog with what was typed into its blocks.

        Raises:
            ValueError: There is no such dialog.
        """
        found = [(trigger, each["view"]) for trigger, each in self._dialogs.items() if each["id"] == view_id]
        if not found:
            raise ValueError("view_id: no such dialog")
        trigger, view = found[0]
        payload = {
            "type": "view_submission",
            **self._who_and_where(user),
            "view": {
                "id": view_id,
                "type": "modal",
                "callback_id": view.get("callback_id", ""),
                "private_metadata": view.get("private_metadata", ""),
                "state": {"values": _state_of(view, values)},
            },
        }
        status, body = self._send({"payload": json.dumps(payload)})
        errors = (json.loads(body) if body else {}).get("errors") or {}
        if status == 200 and not errors:
            self._wait(trigger, None)
        return self._seen(status, trigger) | {"errors": errors}

    def command(self, text: str, user: str, channel: str) -> dict[str, Any]:
        """Type ``/tocsin`` and a text."""
        trigger = self._begin()
        fields = {
            "command": "/tocsin",
            "text": text,
            "user_id": user,
            "user_name": PEOPLE.get(user, user).lower(),
            "team_id": self._identity[1],
            "api_app_id": self._identity[0],
            "channel_id": channel,
            "trigger_id": trigger,
            "response_url": self._answers_url(trigger),
        }
        status, body = self._send(fields)
        text = str((json.loads(body) if body else {}).get("text", ""))
        seen = self._seen(status, trigger)
        return seen | {"ephemeral": [text, *seen["ephemeral"]] if text else seen["ephemeral"]}

    def open_dialog(self, trigger: str, view: dict[str, Any]) -> str | None:
        """Show a dialog, once for a trigger that is known; answer its id, or None."""
        with self._changed:
            if trigger not in self._said or trigger in self._dialogs:
                return None
            identity = f"V{next(self._numbers):010d}"
            self._dialogs[trigger] = {"id": identity, "view": view}
            return identity

    def say(self, trigger: str, text: str) -> bool:
        """Take an answer to a person; False where nobody is waiting there."""
        with self._changed:
            if trigger not in self._said:
                return False
            self._said[trigger].append(text)
            self._changed.notify_all()
            return True

    def _begin(self) -> str:
        """A trigger, which also names where answers go."""
        trigger = f"{next(self._numbers)}.{secrets.token_hex(8)}"
        with self._changed:
            self._said[trigger] = []
        return trigger

    def _answers_url(self, trigger: str) -> str:
        return f"{self._url()}/answers/{trigger}"

    def _who_and_where(self, user: str) -> dict[str, Any]:
        name = PEOPLE.get(user, user)
        return {
            "user": {"id": user, "name": name, "username": name.lower()},
            "api_app_id": self._identity[0],
            "team": {"id": self._identity[1], "domain": "local"},
        }

    def _send(self, fields: Mapping[str, str]) -> Sent:
        if self._sender is None:
            return 503, ""
        fault = self._channel.take_fault("press", named=True)
        kind = fault.error if fault else None
        body = urlencode(fields)
        at = str(int(time.time()) - (360 if kind == "late" else 0))
        secret = "somebody-elses-secret" if kind == "bad_signature" else self.signing_secret
        headers = {
            "content-type": "application/x-www-form-urlencoded",
            "x-slack-request-timestamp": at,
            "x-slack-signature": signature_of(secret, at, body.encode()),
        }
        if kind == "twice":
            self._sender(headers, body)
        return self._sender(headers, body)

    def _seen(self, status: int, trigger: str) -> dict[str, Any]:
        """What the person sees: Slack shows a warning where the app did not answer as it should."""
        with self._changed:
            return {"ok": status == 200, "status": status, "ephemeral": list(self._said[trigger])}

    def _wait(self, trigger: str, version: int | None) -> None:
        """Until the person is answered; with a version, only for a moment once the channel shows something new."""
        end = time.monotonic() + _WAIT
        with self._changed:
            while not self._said[trigger] and time.monotonic() < end:
                self._changed.wait(0.05)
                if version is not None and self._channel.version != version:
                    version, end = None, min(end, time.monotonic() + _MOMENT)


def _element_of(message: Message, action_id: str, value: str) -> dict[str, Any]:
    """The element as a request about its press has it."""
    for block in message["blocks"]:
        for element in block.get("elements", ()):
            if element.get("action_id") != action_id:
                continue
            block_id = block.get("block_id", "b")
            pressed = {"type": element["type"], "action_id": action_id, "block_id": block_id}
            if element["type"] == "overflow":
                option = next((each for each in element["options"] if each["value"] == value), None)
                if option is None:
                    raise ValueError("value: no such option")
                return pressed | {"selected_option": option}
            return pressed | {"value": element.get("value", "")}
    raise ValueError("action_id: no such button under this message")


def _state_of(view: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for block in view.get("blocks", ()):
        element = block.get("element") or {}
        text = values.get(block.get("block_id", ""), "")
        if element.get("type") == "static_select":
            options = element.get("options", ())
            chosen = next((each for each in options if each["value"] == text), element.get("initial_option"))
            typed: dict[str, Any] = {"type": "static_select", "selected_option": chosen}
        else:
            typed = {"type": "plain_text_input", "value": text or None}
        state[block["block_id"]] = {element["action_id"]: typed}
    return state
