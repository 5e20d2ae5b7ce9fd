"""The parts of a dialog, as Slack takes them."""

from __future__ import annotations

from typing import Any

MAX_LABEL = 75
"""The letters of an option, by docs.slack.dev/reference/block-kit/composition-objects/option-object."""


def select(options: list[tuple[str, str]]) -> dict[str, Any]:
    """A choice of one, the first chosen at first: labels and values."""
    listed = [{"text": plain(label), "value": value} for label, value in options]
    return {"type": "static_select", "action_id": "chosen", "options": listed, "initial_option": listed[0]}


def input_block(block: str, label: str, element: dict[str, Any], *, optional: bool = False) -> dict[str, Any]:
    """A field with its label; what is wrong with it is said by its block."""
    return {
        "type": "input",
        "block_id": block,
        "label": plain(label),
        "element": element,
        "optional": optional,
    }


def plain(text: str) -> dict[str, Any]:
    """Text that is no mark-up."""
    return {"type": "plain_text", "text": text, "emoji": False}


def short(text: str, most: int = MAX_LABEL) -> str:
    """A text that is cut to what a label takes."""
    return text if len(text) <= most else text[: most - 1] + "…"
