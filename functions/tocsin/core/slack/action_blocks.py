"""What people can press under an incident's message, and what stands there once they did."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tocsin.core.incidents.actions import ActionKind
from tocsin.core.model import AlertState
from tocsin.core.notifications.contract import Notification, NotifiedAlert, millis_of
from tocsin.core.notifications.reported_actions import action_words
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tocsin.core.slack.elements import Block, plain_text, section
from tocsin.core.slack.mrkdwn import cut, escape, length, time_token

PREFIX = "tocsin-"
"""What the ids of our elements begin with."""

DIALOG = PREFIX + "silence"
"""The id of the silence dialog."""

_MAX_BLOCK_ID = 255
_MAX_WORDS = 1_000


class Target(msgspec.Struct, frozen=True, array_like=True):
    """What a press is about; it comes back as we wrote it, signed by Slack.

    Attributes:
        incident: The incident's id.
        service: Its service.
        fingerprint: The alert that the message is headed by.
        signature: That alert's signature.
    """

    incident: Annotated[str, Meta(max_length=100)]
    service: Annotated[str, Meta(max_length=256)]
    fingerprint: Annotated[str, Meta(max_length=100)] = ""
    signature: Annotated[str, Meta(max_length=200)] = ""


def dump_target(target: Target) -> str:
    """Write a target for a button's value."""
    return msgspec.json.encode(target).decode()


def load_target(text: str) -> Target:
    """Read a target.

    Raises:
        ValueError: It is none.
    """
    return msgspec.json.decode(text, type=Target)


def holder_block(notification: Notification) -> list[Block]:
    """Who has it, in one line."""
    holder = notification.incident.acknowledged
    if holder is None:
        return []
    since, until = (time_token(millis_of(at)) for at in (holder.since, holder.until))
    return [
        section(
            f"🙋 *{escape(holder.name)} has it* since {since}. Quiet until {until}, unless it gets worse."
        )
    ]


def done_block(notification: Notification) -> list[Block]:
    """What people did, a line each; no line is read as mark-up beyond that."""
    lines = [escape(words) for words in action_words(notification)]
    return [section(cut("\n".join(lines), _MAX_WORDS))] if lines else []


def action_buttons(
    notification: Notification, main: NotifiedAlert, redrivable: frozenset[str] = frozenset()
) -> list[Block]:
    """The buttons under the message of an incident that goes on.

    Args:
        notification: The incident as it is told.
        main: The alert that the message is headed by.
        redrivable: The dead-letter queues that people may redrive.
    """
    if notification.incident.status is not AlertState.FIRING:
        return []
    target = Target(notification.incident.id, notification.service, main.fingerprint, main.signature)
    value = dump_target(target)
    held = notification.incident.acknowledged is not None
    first = (
        _button("↩️ Hand back", ActionKind.HAND_BACK, value)
        if held
        else _button("🙋 I'm on it", ActionKind.TAKE, value)
    )
    elements = [
        first,
        _button("🔕 Silence…", ActionKind.SILENCE, value),
        _button("✅ It's over", ActionKind.OVER, value)
        | {
            "confirm": _confirmation(
                "Is it over?", "The incident is resolved. Seen again, it is announced as back.", "It's over"
            )
        },
    ]
    block: Block = {"type": "actions", "elements": elements}
    if length(value) <= _MAX_BLOCK_ID:  # an option's own value is too short for it
        block["block_id"] = value
        more = [("📗 Known error", ActionKind.KNOWN_ERROR)] if main.signature == UNKNOWN_ERROR else []
        more.append(("🙅 Not an alert", ActionKind.NOT_AN_ALERT))
        if any(alert.fields.get("queue") in redrivable for alert in notification.alerts if _fires(alert)):
            more.append(("📤 Redrive…", ActionKind.REDRIVE))
        elements.append(_menu(more))
    return [block]


def kind_of(action_id: str) -> ActionKind | None:
    """What an element of ours means; None for one that is not ours or was removed."""
    name = action_id.removeprefix(PREFIX)
    return ActionKind(name) if name != action_id and name in set(ActionKind) else None


def _fires(alert: NotifiedAlert) -> bool:
    return alert.state == AlertState.FIRING


MENU = PREFIX + "more"
"""The id of the menu for what has no button."""


def _menu(options: list[tuple[str, ActionKind]]) -> Block:
    return {
        "type": "overflow",
        "action_id": MENU,
        "options": [{"text": plain_text(label, emoji=True), "value": kind.value} for label, kind in options],
    }


def _button(label: str, kind: ActionKind, value: str) -> Block:
    return {
        "type": "button",
        "text": plain_text(label, emoji=True),
        "action_id": PREFIX + kind.value,
        "value": value,
    }


def _confirmation(title: str, text: str, confirm: str) -> Block:
    return {
        "title": plain_text(title, emoji=True),
        "text": plain_text(text, emoji=True),
        "confirm": plain_text(confirm, emoji=True),
        "deny": plain_text("Not yet", emoji=True),
    }
