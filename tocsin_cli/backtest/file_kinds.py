"""The events in a log file of any kind.

=============================  =====================================================================================
kind                           recognised by
=============================  =====================================================================================
one JSON object per line       ``message`` with optional ``timestamp`` (milliseconds or ISO 8601), ``logGroup``,
                               ``logStream``; other keys are passed over
the answer of ``aws logs``     an object with a list ``events`` (``filter-log-events``, ``get-log-events``)
``aws logs tail``              text lines that begin with a time and a stream
JSON logs of an application    one object per line, with a level, an error type or a stack of its own: the whole line
                               is the message
plain text                     anything else; one event per line
=============================  =====================================================================================
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import msgspec

from tocsin.core.matching.levels import LEVEL_KEYS
from tocsin.core.matching.logline import ERROR_MESSAGE_KEYS, STACK_KEYS, TYPE_KEYS
from tocsin_cli.backtest.line_times import Entry, Timeline, time_in_text
from tocsin_cli.backtest.log_files import MAX_LINE_LENGTH, Reading
from tocsin_cli.simulation import LoggedLine
from tocsin_cli.timestamps import parse_time

TRACEBACK = "Traceback (most recent call last):"
TRACEBACKS = "{name}: holds tracebacks, a line each; --multiline reads each as one event"

_OF_A_LOGGER = frozenset((*LEVEL_KEYS, *TYPE_KEYS, *ERROR_MESSAGE_KEYS, *STACK_KEYS))
_TIME_KEYS = ("timestamp", "time", "@timestamp", "ts", "asctime", "eventTime", "datetime", "date")


class JsonLine(msgspec.Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """One JSON object per line, in which nothing is out of order: read several times as fast as any other."""

    message: str
    timestamp: int | str | None = None
    log_group: str = ""
    log_stream: str = ""


JSON_LINE = msgspec.json.Decoder(JsonLine)


def read_lines(lines: Iterator[str], timeline: Timeline) -> Iterator[LoggedLine]:
    """Read the lines of a file of any kind.

    Args:
        lines: All of the file, each with its line feed.
        timeline: Gives them their times.
    """
    for entry in _entries(lines, timeline.reading, timeline.name):
        yield from timeline.place(entry)
    yield from timeline.end()


def _entries(lines: Iterator[str], reading: Reading, name: str) -> Iterator[Entry]:
    first = next((line for line in lines if line.strip()), "")
    if not first:
        return
    head, taken = [first], len(first)
    if begins_list(first):
        # Perhaps one object over many lines, as the AWS CLI prints it.
        for line in lines:
            head.append(line)
            taken += len(line)
            if '"events"' in line or taken > 64 * 1024:
                break
        joined = "".join(head)
        if found := _LIST_OF_EVENTS.match(joined):
            yield from _aws_events(joined[found.end() :], lines, reading, name)
            return
    yield from text_entries(chain(head, lines), reading, name)


_LIST_OF_EVENTS = re.compile(r'\s*\{[^{}]*?"events"\s*:\s*\[?')


def text_entries(lines: Iterable[str], reading: Reading, name: str) -> Iterator[Entry]:
    """The events of a file that has them line by line: JSON, text, or both."""
    held: Entry | None = None
    for whole in lines:
        line = whole.rstrip("\r\n")
        if not line.strip():
            continue
        is_json = line.lstrip().startswith("{")
        found = _from_json(line) if is_json else (_from_tail(line),)
        if not reading.multiline:
            if not is_json and TRACEBACK in line:
                reading.say(TRACEBACKS.format(name=name))
            yield from found
            continue
        found = list(found)
        if held and len(found) == 1 and not _begins(found[0]):
            held = held._replace(message=f"{held.message}\n{line}")
            continue
        if held:
            yield held
            held = None
        if found:
            *found, held = found
        yield from found
    if held:
        yield held


def _begins(entry: Entry) -> bool:
    return (
        entry.at is not None
        or entry.when is not None
        or _OF_LAMBDA.match(entry.message) is not None
        or time_in_text(entry.message, 2000) is not None
    )


_OF_LAMBDA = re.compile(
    r"(?:START|END|REPORT|RequestId:) |INIT_(?:START|REPORT)|RESTORE_(?:START|REPORT)|(?:EXTENSION|TELEMETRY|LOGS)\t|"
    r"\[(?:ERROR|WARNING|INFO|DEBUG|CRITICAL)\]"
)
"""How the lines begin that Lambda itself writes: without a time, and part of no event before them."""


def _from_json(line: str) -> Iterable[Entry]:
    try:
        read = JSON_LINE.decode(line)
    except (ValueError, RecursionError):  # another kind, or something that only `json` forgives
        return _from_any_json(line)
    return (Entry(read.message, parse_time(read.timestamp), read.timestamp, read.log_group, read.log_stream),)


def _from_any_json(line: str) -> Iterator[Entry]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        yield Entry(line)
        return
    if isinstance(value.get("events"), list) and all(isinstance(event, dict) for event in value["events"]):
        for event in value["events"]:
            yield from _from_event(event)
    elif isinstance(value.get("message"), str) and not _OF_A_LOGGER & value.keys():
        yield from _from_event(value)
    else:
        when = next((value[key] for key in _TIME_KEYS if key in value), None)
        yield Entry(line, parse_time(when))


def _from_event(event: Mapping[str, Any]) -> Iterator[Entry]:
    message, when = event.get("message"), event.get("timestamp")
    if not isinstance(message, str):
        return
    group = event.get("logGroup") or event.get("logGroupName")
    stream = event.get("logStream") or event.get("logStreamName")
    yield Entry(
        message,
        parse_time(when),
        when,
        group if isinstance(group, str) else "",
        stream if isinstance(stream, str) else "",
    )


OF_TAIL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00) (\d{4}/\d\d/\d\d/\S+) ")
"""What ``aws logs tail`` writes before each message, of which it is no part: a time and a stream."""


def _from_tail(line: str) -> Entry:
    found = OF_TAIL.match(line)
    if not found:
        return Entry(line)
    return Entry(line[found.end() :], parse_time(found[1]), found[1], "", found[2])


def _aws_events(buffer: str, lines: Iterator[str], reading: Reading, name: str) -> Iterator[Entry]:
    """The list ``events`` of one object over many lines, one element at a time."""
    decoder = json.JSONDecoder(strict=False)
    while True:
        buffer = buffer.lstrip(" \r\n\t,")
        if buffer.startswith("]"):
            return
        try:
            event, end = decoder.raw_decode(buffer)
        except ValueError:
            more = "".join(line for _, line in zip(range(64), lines, strict=False))
            if not more or len(buffer) > 2 * MAX_LINE_LENGTH:
                reading.say(
                    f"{name}: the list of events breaks off or is not JSON; what comes before that is read"
                )
                return
            buffer += more
            continue
        buffer = buffer[end:]
        if isinstance(event, dict):
            yield from _from_event(event)


def begins_list(first: str) -> bool:
    """Whether a file that begins with this line may be one object over many lines."""
    return first.lstrip().startswith("{") and not _is_json(first)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
