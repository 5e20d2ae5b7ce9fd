"""Reading a notification back: whether a message is this contract's, before anything relies on it."""

from __future__ import annotations

import re

import msgspec

from tocsin.core.notifications.contract import VERSION, Notification

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


class NotANotificationError(ValueError):
    """A message that is not this contract's; says where, and quotes nothing of the content."""


def parse_notification(text: str) -> Notification:
    """Read a notification from its JSON; keys that are not known are left alone.

    Raises:
        NotANotificationError: It is not one, or of another version.
    """
    return notification_from(read_json(text))


def read_json(text: str) -> object:
    """What the JSON of a body holds.

    Raises:
        NotANotificationError: It is not JSON.
    """
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        raise NotANotificationError("not a notification: the body is not JSON") from None


def notification_from(content: object) -> Notification:
    """Read a notification from what its JSON holds.

    Raises:
        NotANotificationError: See ``parse_notification``.
    """
    try:
        return msgspec.convert(content, Notification)
    except msgspec.ValidationError as error:
        raise NotANotificationError(f"not a notification{_wrong(content, str(error))}") from None


def _wrong(content: object, said: str) -> str:
    """Where it differs from the contract, without msgspec's own words, which may quote the content."""
    if not isinstance(content, dict):
        return ": the body is missing or of the wrong kind"
    if content.get("version") != VERSION:
        return f" of version {VERSION}: the version is missing or another"
    holder, missing = _PATH.search(said), _MISSING.match(said)
    path = ".".join(filter(None, (holder and holder[1], missing and missing[1])))
    return f": {path or 'the body'} is missing or of the wrong kind"
