"""Log events as commands take them with ``--jsonl``: one JSON object to a line, and one answer to each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


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


def answered(
    lines: Iterable[bytes], answer: Callable[[str, str], Mapping[str, Any]], without: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """One answer per input line, as it is read, with the line's ``index``.

    Args:
        lines: JSON objects as bytes, one per line.
        answer: What is said of a message of a log group, which is empty where the line names none.
        without: What is said, beside an ``error``, of a line that is not an object with a ``message``.
    """
    for index, line in enumerate(lines):
        try:
            message, log_group = event_of(line)
        except ValueError as error:
            yield {"index": index, **without, "error": str(error)}
            continue
        yield {"index": index, **answer(message, log_group)}


def write_answers(answers: Iterable[Mapping[str, Any]]) -> int:
    """Write each answer on a line of standard output; 1 where one of them is an error."""
    wrong = False
    for answer in answers:
        wrong = wrong or "error" in answer
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return int(wrong)
