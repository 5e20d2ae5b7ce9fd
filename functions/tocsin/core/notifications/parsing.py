"""Reading a notification back: whether a message is this contract's, before anything relies on it.

A check of the shape in a few lines, because a JSON Schema library does not ship with the function; the tests
hold it to ``docs/notification.schema.json``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tocsin.core.model import AlertState, Reason, Severity
from tocsin.core.notifications.contract import VERSION, Notification

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ID = re.compile(r"[a-z0-9-]+/[0-9]+")


class NotANotificationError(ValueError):
    """A message that is not this contract's; says where, and quotes nothing of the content."""


def parse_notification(text: str) -> Notification:
    """Read a notification from its JSON; keys that are not known are left alone.

    Raises:
        NotANotificationError: It is not one, or of another version.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotANotificationError("not a notification: the body is not JSON") from error
    if isinstance(data, dict) and data.get("version") != VERSION:
        raise NotANotificationError(
            f"not a notification of version {VERSION}: the version is missing or another"
        )
    wrong = _wrong(data, _NOTIFICATION, "")
    if wrong:
        raise NotANotificationError(f"not a notification: {wrong} is missing or of the wrong kind")
    return dict(data)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _text_or_null(value: object) -> bool:
    return value is None or isinstance(value, str)


def _labels(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, dict)
        and _text(entry.get("signature"))
        and _one_of(Severity)(entry.get("severity"))
        and _text_or_null(entry.get("owner", ...))
        for entry in value
    )


def _changes(value: object) -> bool:
    return isinstance(value, list) and not any(_wrong(entry, _CHANGE, "it") for entry in value)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _whole_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _one_of(kind: type[Severity | Reason | AlertState]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in set(kind)


def _like(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _texts_by_name(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(entry, str) for entry in value.values())


_CHANGE: dict[str, Any] = {
    "kind": _text, "what": _text, "status?": _text, "direct": _flag, "by?": _text, "who?": _text,
    "at": _like(_TIME), "seconds_before": _whole_number, "learned_late?": _flag,
}  # fmt: skip

_NOTIFICATION: dict[str, Any] = {
    "id": _like(_ID), "sequence": _count, "reason": _one_of(Reason), "at": _like(_TIME), "title": _text,
    "service": _text, "severity": _one_of(Severity),
    "incident": {
        "id": _text, "status": _one_of(AlertState), "opened_at": _like(_TIME), "first_seen": _like(_TIME),
        "last_seen": _like(_TIME), "resolved_at": _text_or_null, "count": _count, "alert_count": _count,
        "omitted_count": _count, "updates?": _count, "reopened_at?": _like(_TIME),
    },
    "why?": {
        "text": _text, "signature": _text, "novelty": _text, "total": _count, "suppressed": _count,
        "threshold?": {"count": _count},
    },
    "labels?": _labels, "changes?": _changes,
    "alerts": [{
        "fingerprint": _text, "signature": _text, "service?": _text, "title": _text, "severity": _one_of(Severity),
        "state": _one_of(AlertState), "changed": _flag,
        "inhibited_by": _text_or_null, "silenced_by?": _text, "owner?": _text,
        "likely_cause?": {
            "title": _text, "detail?": _text, "state": _one_of(AlertState), "count": _count, "first_seen": _like(_TIME),
        },
        "queue?": {
            "name": _text, "depth": _count, "at": _like(_TIME), "oldest_expires_at?": _like(_TIME),
            "growing": _flag,
        },
        "test_mode?": {"status": _text, "would_have_fired": _count},
        "count": _count, "count_since_last": _count,
        "first_seen": _like(_TIME), "last_seen": _like(_TIME), "fields": _texts_by_name, "summary": _text,
        "first_action": _text, "runbook_url": _text, "sample": _text_or_null,
        "source": {"log_group": _text_or_null, "log_stream": _text_or_null, "alarm": _text_or_null},
        "account": _text, "region": _text,
        "links": {"log_stream": _text_or_null, "insights": _text_or_null, "alarm": _text_or_null},
    }],
}  # fmt: skip


def _wrong(value: object, shape: Any, where: str) -> str:  # a check, or checks in a dict or list
    """Where the value differs from the shape, or nothing; a key with a question mark may be null or missing."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return where or "the body"
        found = (
            _wrong(value.get(key.rstrip("?"), ...), part, f"{where}.{key.rstrip('?')}".lstrip("."))
            for key, part in shape.items()
            if not key.endswith("?") or value.get(key.rstrip("?")) is not None
        )
        return next(filter(None, found), "")
    if isinstance(shape, list):
        if not isinstance(value, list) or not value:
            return where
        return next(
            filter(None, (_wrong(entry, shape[0], f"{where}[{n}]") for n, entry in enumerate(value))), ""
        )
    return "" if shape(value) else where
