"""The parts of a dialog, as Slack takes them."""

from __future__ import annotations

from typing import Any

import msgspec

from tocsin.core.slack.elements import plain_text

MAX_LABEL = 75
"""The letters of an option, by docs.slack.dev/reference/block-kit/composition-objects/option-object."""


def modal(callback: str, title: str, context: msgspec.Struct, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """A dialog, as ``views.open`` takes it.

    Args:
        callback: The dialog's id.
        title: What it is called, and what its button says.
        context: What it is about; it comes back with what is submitted.
        blocks: Its fields.
    """
    return {
        "type": "modal",
        "callback_id": callback,
        "private_metadata": msgspec.json.encode(context).decode(),
        "title": plain_text(title),
        "submit": plain_text(title),
        "close": plain_text("Cancel"),
        "blocks": blocks,
    }


def select(options: list[tuple[str, str]]) -> dict[str, Any]:
    """A choice of one, the first chosen at first: labels and values."""
    listed = [{"text": plain_text(label), "value": value} for label, value in options]
    return {"type": "static_select", "action_id": "chosen", "options": listed, "initial_option": listed[0]}


def input_block(block: str, label: str, element: dict[str, Any], *, optional: bool = False) -> dict[str, Any]:
    """A field with its label; what is wrong with it is said by its block."""
    return {
        "type": "input",
        "block_id": block,
        "label": plain_text(label),
        "element": element,
        "optional": optional,
    }
