"""Log events as commands take them with ``--jsonl``: one JSON object to a line."""

from __future__ import annotations

import json


def event_of(line: bytes) -> tuple[str, str]:
    """Message and log group of one input line.

    Raises:
        ValueError: It is not a JSON object with a message; says so without quoting any of it.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"not an object: {type(value).__name__}")
    message, log_group, timestamp = value.get("message"), value.get("logGroup", ""), value.get("timestamp", 0)
    if not isinstance(message, str):
        raise ValueError("message is missing" if message is None else "message is not text")
    if not isinstance(log_group, str):
        raise ValueError("logGroup is not text")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        raise ValueError("timestamp is not a whole number of milliseconds")
    return message, log_group
