r"""One canonical text for a log event, whatever dialect it was written in, so that a signature is written once.

What comes in: text of Lambda's runtimes (tabs, U+00A0 indents, ``\\r`` for newlines), JSON of the Lambda log format,
of Powertools, of plain ``logging`` formatters, of pino, bunyan, winston and structlog, ``platform.*`` events, a text
prefix followed by JSON, JSON inside JSON. What comes out is text in the dialect of Lambda's text format.

What others ask of a line: ``read_line(message).level`` (a ``Level``, or None where it states none),
``read_line(message).is_error`` (error or worse), and of a crash ``crashes.read_crash(text)``; of one line of text ``levels.stated_level(line)``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import re2
from msgspec import Struct, field

from tocsin.core.matching.levels import (
    LEVEL_KEYS,
    MAX_PREFIX_LENGTH,
    level_in,
    stated_level,
    statement,
    word_level,
)
from tocsin.core.model import Level

DEEPEST = 6
"""Levels of nesting that are rendered; what lies deeper is written as it is."""
MAX_ENTRIES = 200
"""Entries of a list that are rendered."""
FARTHEST_HEADER = 400
"""Lines that a continuation line looks back for the line that carries the level."""


class Part(Struct, frozen=True):
    """A stretch of the text that came from one JSON object, or from between objects.

    Attributes:
        start: Where it begins in the text.
        level: The level the object states; None for plain text and for objects that state none.
        is_json: Whether it was rendered from JSON.
    """

    start: int
    level: Level | None
    is_json: bool


class LogLine(Struct, frozen=True):
    r"""A log event as matching sees it.

    Attributes:
        text: The canonical text: spaces for U+00A0, newlines for ``\\r``, JSON rendered, no colour codes.
        parts: What the text was put together from, in order; never empty.
        record: The first JSON object in it, as it came.
    """

    text: str
    parts: tuple[Part, ...]
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_json(self) -> bool:
        """Whether any of it was JSON."""
        return any(part.is_json for part in self.parts)

    @property
    def level(self) -> Level | None:
        """The level of its beginning, or None where it states none.

        Its beginning is its first two lines: some loggers (``java.util.logging``) write time and class on a line before.
        """
        second = self.text.find("\n") + 1
        return (
            self.level_at(0)
            or next((part.level for part in self.parts if part.level), None)
            or (
                stated_level(self.text[second : second + MAX_PREFIX_LENGTH].partition("\n")[0])
                if second
                else None
            )
        )

    @property
    def is_error(self) -> bool:
        """Whether the event states of itself that it is an error, or worse (the interface for unknown errors)."""
        level = self.level
        return level is not None and level.is_error

    def values_of(self, name: str) -> list[str]:
        """The values of a field of its JSON, at the top or in objects within; ``logger`` by any of its usual names."""
        names = LOGGER_KEYS if name == "logger" else (name,)
        return [
            value
            for path, value in _flat(self.record)
            if any(path == key or path.endswith(f".{key}") for key in names)
        ]

    def level_at(self, position: int) -> Level | None:
        """The level that applies at a position of the text, or None where none is stated.

        A line without a level of its own is a continuation and has the level of the last line before it that has
        one: a traceback belongs to the ``ERROR`` (or the ``DEBUG``) that it was logged with. What the platform itself
        says has no level; where it is wrapped in JSON, the level there is the forwarder's.
        """
        return self.statement_at(position)[0]

    def statement_at(self, position: int) -> tuple[Level | None, bool]:
        """The level at a position, and whether it is certainly a logger that states it."""
        start = self.text.rfind("\n", 0, position) + 1
        head = self.text[start : start + MAX_PREFIX_LENGTH]
        if head.startswith(_PLATFORM_WORDS) and _PLATFORM_LINE.match(head):
            return None, False
        part = next(part for part in reversed(self.parts) if part.start <= position)
        if part.is_json and part.level is not None:
            return part.level, True
        end = self.text.find("\n", part.start if part.is_json else position)
        end = len(self.text) if end < 0 else end
        for _ in range(FARTHEST_HEADER):
            start = self.text.rfind("\n", 0, max(end, 0)) + 1
            level, certain = statement(self.text[start : min(end, start + MAX_PREFIX_LENGTH)])
            if level is not None or start == 0:
                return level, certain
            end = start - 1
        return None, False


def read_line(message: str) -> LogLine:
    """Render a log event as one canonical text.

    Args:
        message: The event's message as CloudWatch delivers it.
    """
    text = _tidy(_encodable(message))
    if "{" not in text:
        return LogLine(text, (_PLAIN,))
    return _with_json(text)


def _tidy(text: str) -> str:
    r"""The text with spaces for U+00A0, newlines for ``\r``, and no colour codes."""
    if "\xa0" in text:
        text = text.replace("\xa0", " ")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\x1b" in text:
        text = str(_COLOUR.sub("", text))
    return text


def _encodable(text: str) -> str:
    """The text with ``?`` for lone halves of surrogate pairs, which JSON can hold and RE2 cannot search."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


_PLAIN = Part(0, None, is_json=False)
_PLATFORM_WORDS = ("INIT_REPORT", "RE", "Re", *"0123456789")
"""How a line of the platform begins: found faster than by an expression."""
_PLATFORM_LINE = re2.compile(
    r"(?:INIT_REPORT|RESTORE_REPORT|REPORT RequestId:|RequestId: \S+ (?:Error:|Process exited)|\d{4}-\d\d-\d\dT\S+Z? \S+ Task timed out)"
)
_COLOUR = re2.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_DECODER = json.JSONDecoder(strict=False, parse_float=str, parse_constant=str)
"""Numbers stay as they were written: what is searched for in the raw bytes must be in the text, and the reverse."""


def _with_json(text: str) -> LogLine:
    rendered: list[str] = []
    record: Mapping[str, Any] = {}
    parts: list[Part] = []
    length = position = 0

    def add(piece: str, level: Level | None, *, is_json: bool) -> None:
        nonlocal length
        if not piece:
            return
        if rendered:
            # Never on one line with what was before it: a phrase is not put together from two places.
            rendered.append("\n")
            length += 1
        parts.append(Part(length, level, is_json))
        rendered.append(piece)
        length += len(piece)

    while (brace := text.find("{", position)) >= 0:
        found = _object_at(text, brace)
        if found is None:
            break
        value, end = found
        record = record or value
        add(text[position:brace], None, is_json=False)
        add("\n".join(_lines(value)), _level_of(value), is_json=True)
        position = end
        if not text.startswith("{", _after_blanks(text, position)):
            break
    rest = text[position:]
    if not parts and "\\" in rest:
        # JSON that was cut off, or quoted: read its escapes so that expressions see what was written.
        rest = rest.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t")
    add(rest, None, is_json=False)
    return LogLine(_encodable("".join(rendered)), tuple(parts) or (_PLAIN,), record)


def _after_blanks(text: str, position: int) -> int:
    """Where the next thing begins; without a copy of the rest, which a line of many objects would make for each."""
    while text[position : position + 1].isspace():
        position += 1
    return position


def _object_at(text: str, brace: int) -> tuple[dict[str, Any], int] | None:
    try:
        value, end = _DECODER.raw_decode(text, brace)
    except (ValueError, RecursionError):
        return None
    return (value, end) if isinstance(value, dict) and value else None


# --- JSON to text ---------------------------------------------------------------------------------------------------

MESSAGE_KEYS = tuple("message msg event @message @m MESSAGE Message text log body short_message".split())
TYPE_KEYS = tuple(
    """
    errorType error_type exception_name exceptionType ErrorType error.type exception.type exception_type
    exc_type error.kind
    """.split()
)
ERROR_MESSAGE_KEYS = tuple(
    """
    errorMessage error_message ErrorMessage error.message exception.message exception_message exc_value
    exc_message
    """.split()
)
TRACEBACK_KEYS = (
    "stackTrace",
    "stack_trace",
    "stacktrace",
    "error.stack_trace",
    "exception.stacktrace",
    "error.stack",
)
STACK_KEYS = (*TRACEBACK_KEYS, "stack", "trace")
EMPTY: tuple[object, ...] = (None, "", [], {})
"""Values that say nothing."""
REQUEST_KEYS = frozenset(
    """
    url uri path route query q search search_query pattern filter filterpattern docs documentation doc_url
    link href help referer referrer user_agent useragent expected resource_path querystring query_string
    querystringparameters
    """.split()
)
"""Keys whose values are what somebody asked for or may read, and never what happened; compared in lower case."""

_TYPE_NAME = re2.compile(r"[\w.:$\\]*(?:Error|Exception|Failure|Fault)")
_CLASS_NAME = re2.compile(r"(?:\w+(?:\.|::|\\))*[A-Z]\w*")

METRICS_KEY = "_aws"
"""Names and units of metrics, in the embedded metric format; the values stand beside it."""

FAILED = ("timeout", "error", "failure")
"""What ``record.status`` of a ``platform.*`` event says when something went wrong."""

TRANSLATED = (
    r"""status[\\"\s:]{1,40}(?:timeout|error|failure)""",
    r"(?i:error[_.]?type|error\.kind|error[_.]?message|exception[_.]?(?:name|type|message)|exc_(?:type|value|message)|stack_?trace)",
    r"""(?:type|name|class)[\\"\s]{1,20}:[\\"\s]{1,20}[\w.:$\\]{0,100}(?:Error|Exception|Failure|Fault)""",
)
"""RE2 expressions, one of which is found in every JSON event whose rendering has words that the event had not."""


def _lines(value: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """The lines of the text for one JSON object."""
    record, kind = value.get("record"), value.get("type")
    if (
        isinstance(kind, str)
        and kind.startswith("platform.")
        and isinstance(record, dict)
        and (record.get("errorType") or record.get("status") in FAILED)
    ):
        yield _platform(kind, record)
        return
    if isinstance(value.get("frames"), list) and value.get("exc_type"):
        yield from _structured_traceback(value)
        return
    message, stack = _first_of(value, MESSAGE_KEYS), _first_of(value, STACK_KEYS)
    named = next((value[key] for key in ("type", "name", "class") if isinstance(value.get(key), str)), "")
    if depth and message and isinstance(value[message], str) and _is_type(named, stack, value):
        # An error as an object without its stack (pino's err, winston's error), or whose stack is frames only.
        yield f"{named}: {_tidy(value[message])}"
    error, words = _first_of(value, TYPE_KEYS), _first_of(value, ERROR_MESSAGE_KEYS)
    if message:
        yield from _value_lines(value[message], depth)
    if error or words:
        said = " ".join(_value_lines(value[words], depth)) if words else ""
        told = f"{value[error]}: {said}" if error else said
        # The dialect of a text log: a function error is headed by its level.
        yield told if message else f"[ERROR] {told}"
    if stack:
        yield from _stack_lines(stack, value[stack], depth)
    for key, other in value.items():
        if (
            key not in {message, stack, error, words, METRICS_KEY, *LEVEL_KEYS}
            and key.lower() not in REQUEST_KEYS
        ):
            yield from _other_lines(key, other, depth)


def _is_type(named: str, stack: str, value: Mapping[str, Any]) -> bool:
    """Whether a name is the type of an error, and its stack does not name it."""
    if stack not in TRACEBACK_KEYS:
        return not stack and _TYPE_NAME.fullmatch(named) is not None
    frames = value[stack]
    first = frames[0] if isinstance(frames, list) else frames
    return _CLASS_NAME.fullmatch(named) is not None and named not in str(first)


def _structured_traceback(value: Mapping[str, Any]) -> Iterator[str]:
    """An exception as structlog's ``dict_tracebacks`` writes it, in Python's own words."""
    yield "Traceback (most recent call last):"
    for frame in value["frames"][-MAX_ENTRIES:]:
        if isinstance(frame, dict):
            yield f'  File "{frame.get("filename")}", line {frame.get("lineno")}, in {frame.get("name")}'
    yield _tidy(f"{value['exc_type']}: {value.get('exc_value') or ''}")


def _first_of(value: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """The first key that has something to say, or the empty string."""
    return next((key for key in keys if value.get(key) not in EMPTY), "")


def _stack_lines(key: str, stack: object, depth: int) -> Iterator[str]:
    if not isinstance(stack, list):
        yield from _value_lines(stack, depth)
        return
    frames = [frame for frame in stack if isinstance(frame, str)]
    if key in TRACEBACK_KEYS and frames and frames[0].lstrip().startswith("File "):
        yield "Traceback (most recent call last):"
    for frame in frames:
        yield from frame.rstrip().split("\n")


def _other_lines(key: str, value: object, depth: int) -> Iterator[str]:
    if value in EMPTY:
        return
    lines = _value_lines(value, depth)
    if not isinstance(value, dict | list) and not str(value).lstrip().startswith("{"):
        yield f"{key}: {next(lines, '')}"
    yield from lines


def _value_lines(value: object, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield from _string_lines(_tidy(value), depth)
    elif isinstance(value, dict | list) and depth >= DEEPEST:
        yield json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict):
        yield from _lines(value, depth + 1)
    elif isinstance(value, list):
        for entry in value[:MAX_ENTRIES]:
            yield from _value_lines(entry, depth + 1)
    elif value is not None:
        yield str(value).lower() if isinstance(value, bool) else str(value)


def _string_lines(text: str, depth: int) -> Iterator[str]:
    """The lines of a string, with the first JSON object in it read as one."""
    brace = text.find("{")
    found = _object_at(text, brace) if brace >= 0 and depth < DEEPEST else None
    if found is None:
        yield from text.split("\n")
        return
    inner, end = found
    if brace:
        yield from text[:brace].split("\n")
    yield from _lines(inner, depth + 1)
    if text[end:]:
        yield from text[end:].split("\n")


def _platform(kind: str, record: Mapping[str, Any]) -> str:
    """A ``platform.*`` event in the words of Lambda's text format."""
    metrics = record.get("metrics")
    duration = metrics.get("durationMs") if isinstance(metrics, dict) else None
    heads = {
        "platform.initReport": "INIT_REPORT Init Duration: {} ms",
        "platform.restoreReport": "RESTORE_REPORT Restore Duration: {} ms",
        "platform.report": "REPORT Duration: {} ms",
        "platform.invokeReport": "REPORT Duration: {} ms",
    }
    words = [heads.get(kind, kind).format(duration)]
    for key, label in (
        ("requestId", "RequestId"),
        ("phase", "Phase"),
        ("status", "Status"),
        ("errorType", "Error Type"),
        ("name", "Name"),
        ("state", "State"),
        ("reason", "Reason"),
    ):
        if isinstance(record.get(key), str):
            words.append(f"{label}: {record[key]}")
    return "\t".join(words)


def _flat(value: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """The values of an object that are no objects, each with its path."""
    for key, inner in value.items():
        path = f"{prefix}{key}"
        if isinstance(inner, dict) and depth < DEEPEST:
            yield from _flat(inner, f"{path}.", depth + 1)
        elif isinstance(inner, bool):
            yield path, str(inner).lower()
        elif isinstance(inner, str | int):
            yield path, str(inner)


# --- levels ---

LOGGER_KEYS = tuple(
    """
    logger logger_name loggerName log.logger SourceContext category name component module
    """.split()
)
_MONGO_SEVERITIES = frozenset({"F", "E", "W", "I"})


def _level_of(value: Mapping[str, Any], depth: int = 0) -> Level | None:
    for key in LEVEL_KEYS:
        level = level_in(key, value.get(key))
        if level is not None:
            return level
    if value.get("s") in _MONGO_SEVERITIES and "c" in value and "ctx" in value:
        return word_level(value["s"])
    inner = value.get("log")
    if isinstance(inner, dict) and depth < DEEPEST:
        return _level_of(inner, depth + 1)
    for key in MESSAGE_KEYS:
        text = value.get(key)
        if isinstance(text, str) and text.lstrip().startswith("{") and depth < DEEPEST:
            found = _object_at(text, text.find("{"))
            if found:
                return _level_of(found[0], depth + 1)
    return None
