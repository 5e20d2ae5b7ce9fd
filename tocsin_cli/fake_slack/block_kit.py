"""What Slack refuses: the rules of Block Kit, checked before a message is accepted.

A local Slack that is kinder than the real one hides faults until the night they matter. So limits are the
documented ones, unknown keys are refused as Slack refuses them, and what Slack would take but Tocsin never sends
(images, rich text, tables, an accessory, attachments) is refused too.

Sources: the Block Kit reference in Slack's documentation; the limits in ``slack_sdk.models``; the total that
``chat.postMessage`` enforces is undocumented; others measured it (slackapi/bolt-js issues 2509 and 2867).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tocsin_cli.slack_view.mrkdwn import is_safe_url

MAX_BLOCKS = 50
MAX_BLOCKS_JSON = 13_200
"""Above this many characters of JSON the Web API answers ``msg_blocks_too_long``; webhooks do not."""
MAX_TEXT = 40_000
MAX_UPDATE_TEXT = 4_000

_MAX_ID = 255
_MAX_URL = 3000
_MAX_OPTION_VALUE = 150

Problems = Iterator[str]
Block = Mapping[str, Any]


def block_problems(blocks: object) -> list[str]:
    """Say everything Slack holds against these blocks, in its manner: what, and where as a JSON pointer."""
    return list(_blocks(blocks, "/blocks"))


def json_size(blocks: object) -> int:
    """The length of the blocks as compact JSON, which is what the total limit is measured in."""
    return text_length(json.dumps(blocks, ensure_ascii=False, separators=(",", ":")))


def text_length(text: str) -> int:
    """How many characters Slack may count: UTF-16 units, the larger of the two ways to count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _blocks(blocks: object, at: str) -> Problems:
    if not isinstance(blocks, list):
        yield _problem("must be an array", at)
        return
    if len(blocks) > MAX_BLOCKS:
        yield _problem(f"no more than {MAX_BLOCKS} items allowed", at)
    ids: set[str] = set()
    for number, block in enumerate(blocks):
        here = f"{at}/{number}"
        if not isinstance(block, dict):
            yield _problem("must be an object", here)
            continue
        rule = _BLOCK_RULES.get(str(block.get("type")))
        if rule is None:
            yield _problem(f"unsupported type: {block.get('type')}", f"{here}/type")
            continue
        yield from rule(block, here)
        yield from _string(block, "block_id", here, _MAX_ID)
        block_id = block.get("block_id")
        if isinstance(block_id, str):
            if block_id in ids:
                yield _problem(f"`block_id` already exists: {block_id}", f"{here}/block_id")
            ids.add(block_id)


def _section(block: Block, at: str) -> Problems:
    yield from _keys(block, at, {"block_id", "text", "fields"})
    if "text" not in block and "fields" not in block:
        yield _problem("must define either `text` or `fields`", at)
    if "text" in block:
        yield from _text(block["text"], f"{at}/text", 3000)
    if "fields" in block:
        yield from _each(block["fields"], f"{at}/fields", 10, lambda item, here: _text(item, here, 2000))


def _header(block: Block, at: str) -> Problems:
    yield from _keys(block, at, {"block_id", "text"})
    yield from _plain_text(block, at, 150)


def _divider(block: Block, at: str) -> Problems:
    yield from _keys(block, at, {"block_id"})


def _context(block: Block, at: str) -> Problems:
    yield from _keys(block, at, {"block_id", "elements"})
    yield from _each(
        block.get("elements"),
        f"{at}/elements",
        10,
        lambda item, here: _element(item, here, {"mrkdwn", "plain_text"}),
    )


def _actions(block: Block, at: str) -> Problems:
    yield from _keys(block, at, {"block_id", "elements"})
    elements = block.get("elements")
    yield from _each(
        elements, f"{at}/elements", 25, lambda item, here: _element(item, here, {"button", "overflow"})
    )
    ids: set[str] = set()
    for number, item in enumerate(elements if isinstance(elements, list) else ()):
        action = item.get("action_id") if isinstance(item, dict) else None
        if isinstance(action, str):
            if action in ids:
                yield _problem(f"`action_id` already exists: {action}", f"{at}/elements/{number}/action_id")
            ids.add(action)


_BLOCK_RULES: dict[str, Callable[[Block, str], Problems]] = {
    "section": _section,
    "header": _header,
    "divider": _divider,
    "context": _context,
    "actions": _actions,
}


def _element(item: object, at: str, allowed: set[str]) -> Problems:
    if not isinstance(item, dict):
        yield _problem("must be an object", at)
    elif str(item.get("type")) not in allowed:
        yield _problem(f"unsupported type: {item.get('type')}", f"{at}/type")
    elif item["type"] == "button":
        yield from _button(item, at)
    elif item["type"] == "overflow":
        yield from _overflow(item, at)
    else:
        yield from _text(item, at, 3000)


def _button(item: Block, at: str) -> Problems:
    yield from _keys(item, at, {"text", "action_id", "url", "value", "style", "confirm"})
    yield from _plain_text(item, at, 75)
    yield from _string(item, "action_id", at, _MAX_ID)
    yield from _string(item, "value", at, 2000)
    yield from _string(item, "url", at, _MAX_URL)
    if isinstance(item.get("url"), str) and not is_safe_url(item["url"]):
        yield _problem("must be a valid URL", f"{at}/url")
    if item.get("style", "primary") not in ("primary", "danger"):
        yield _problem("must be one of: primary, danger", f"{at}/style")


def _overflow(item: Block, at: str) -> Problems:
    yield from _keys(item, at, {"action_id", "options", "confirm"})
    yield from _string(item, "action_id", at, _MAX_ID)
    yield from _each(item.get("options"), f"{at}/options", 5, _option)


def _option(item: object, at: str) -> Problems:
    if not isinstance(item, dict):
        yield _problem("must be an object", at)
        return
    yield from _keys(item, at, {"text", "value"})
    yield from _plain_text(item, at, 75)
    yield from _string(item, "value", at, _MAX_OPTION_VALUE, required=True)


def _plain_text(item: Block, at: str, limit: int) -> Problems:
    if "text" in item:
        yield from _text(item["text"], f"{at}/text", limit, ("plain_text",))
    else:
        yield _problem("missing required field: text", at)


def _text(item: object, at: str, limit: int, allowed: Sequence[str] = ("plain_text", "mrkdwn")) -> Problems:
    if not isinstance(item, dict):
        yield _problem("must be an object", at)
        return
    kind = item.get("type")
    if kind not in allowed:
        yield _problem(f"unsupported type: {kind}", f"{at}/type")
        return
    yield from _keys(item, at, {"text", "emoji"} if kind == "plain_text" else {"text", "verbatim"})
    yield from _string(item, "text", at, limit, required=True)


def _each(items: object, at: str, limit: int, rule: Callable[[object, str], Problems]) -> Problems:
    if not isinstance(items, list):
        yield _problem("must be an array", at)
        return
    if not items:
        yield _problem("must be more than 0 items", at)
    if len(items) > limit:
        yield _problem(f"no more than {limit} items allowed", at)
    for number, item in enumerate(items):
        yield from rule(item, f"{at}/{number}")


def _string(item: Block, key: str, at: str, limit: int, *, required: bool = False) -> Problems:
    if key not in item:
        if required:
            yield _problem(f"missing required field: {key}", at)
        return
    value = item[key]
    if not isinstance(value, str):
        yield _problem("must be a string", f"{at}/{key}")
    elif required and not value:
        yield _problem("must be more than 0 characters", f"{at}/{key}")
    elif text_length(value) > limit:
        yield _problem(f"must be less than {limit + 1} characters", f"{at}/{key}")


def _keys(item: Block, at: str, allowed: set[str]) -> Problems:
    for key in item:
        if key != "type" and key not in allowed:
            yield _problem(f"invalid additional property: {key}", at)


def _problem(what: str, pointer: str) -> str:
    return f"{what} [json-pointer:{pointer}]"
