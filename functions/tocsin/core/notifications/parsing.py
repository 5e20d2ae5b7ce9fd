"""Reading a notification back: whether a message is this contract's, before anything relies on it."""

from __future__ import annotations

import re

import msgspec

from tocsin.core.notifications.contract import VERSION, Notification

_MISSING = re.compile(r"Object missing required field `(\w+)`")
_PATH = re.compile(r" - at `\$\.?([^`]*)`$")


class NotANotificationError(ValueError):
    """A message that is not this contract's; says where, and quotes nothing of the content."""


class _Versioned(msgspec.Struct):
    version: object = None


def parse_notification(text: str) -> Notification:
    """Read a notification from its JSON; keys that are not known are left alone.

    Raises:
        NotANotificationError: It is not one, or of another version.
    """
    try:
        return msgspec.json.decode(text, type=Notification)
    except msgspec.ValidationError as error:
        raise NotANotificationError(f"not a notification{_wrong(text, str(error))}") from None
    except (ValueError, RecursionError):
        raise NotANotificationError("not a notification: the body is not JSON") from None


def _wrong(text: str, said: str) -> str:
    """Where it differs from the contract, without msgspec's own words, which may quote the content."""
    try:
        if msgspec.json.decode(text, type=_Versioned).version != VERSION:
            return f" of version {VERSION}: the version is missing or another"
    except (ValueError, RecursionError):
        return ": the body is missing or of the wrong kind"
    holder, missing = _PATH.search(said), _MISSING.match(said)
    path = ".".join(filter(None, (holder and holder[1], missing and missing[1])))
    return f": {path or 'the body'} is missing or of the wrong kind"
