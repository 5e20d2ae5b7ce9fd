"""Log lines from files of many kinds, as lines with a time: what ``tocsin backtest`` reads.

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

A time that a line does not have is taken from its text where there is one, else it is one millisecond after the line
before it; lines before the first that has a time have the time of that one. Files are never held in memory as a whole. ``.gz`` files are inflated as they are read.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

import msgspec

from tocsin.core.matching.levels import LEVEL_KEYS
from tocsin.core.matching.logline import ERROR_MESSAGE_KEYS, STACK_KEYS, TYPE_KEYS
from tocsin.core.model import Millis
from tocsin.core.times import parse_iso_time
from tocsin_cli.simulation import LoggedLine
from tocsin_cli.timestamps import parse_time

FALLBACK_START: Millis = 946_684_800_000
"""2000-01-01T00:00:00Z: where lines begin of which not one has a time."""

MAX_WAITING = 10_000
"""Lines at the beginning of a file that wait for the first one that has a time."""

MAX_LINE_LENGTH = 2 * 1024 * 1024
"""Characters; a log event has at most 1 MiB."""

TRACEBACK = "Traceback (most recent call last):"
TRACEBACKS = "{name}: holds tracebacks, a line each; --multiline reads each as one event"

_OF_A_LOGGER = frozenset((*LEVEL_KEYS, *TYPE_KEYS, *ERROR_MESSAGE_KEYS, *STACK_KEYS))
_TIME_KEYS = ("timestamp", "time", "@timestamp", "ts", "asctime", "eventTime", "datetime", "date")


@dataclass(slots=True)
class Reading:
    """What is to be known about lines as they are read.

    Attributes:
        log_group: The log group of lines that name none.
        multiline: Whether a text line without a time belongs to the event before it.
        problems: What could not be read, in words, once for each kind and file.
    """

    log_group: str = ""
    multiline: bool = False
    problems: list[str] = field(default_factory=list)

    def say(self, problem: str) -> None:
        """Remember a problem, once."""
        if problem not in self.problems:
            self.problems.append(problem)


def files_below(paths: Iterable[str]) -> list[str]:
    """The files that paths name: themselves, or for a folder every file below it, in the order of their names.

    Raises:
        FileNotFoundError: There is no such file or folder.
    """
    found: list[str] = []
    for name in paths:
        path = Path(name)
        if name == "-" or path.is_file():
            found.append(name)
        elif path.is_dir():
            inside = (entry for entry in path.rglob("*") if entry.is_file())
            found += sorted(str(entry) for entry in inside if not _is_hidden(entry.relative_to(path)))
        elif path.exists():
            found.append(name)  # a pipe
        else:
            raise FileNotFoundError(f"{name}: there is no such file or folder")
    return found


class Opened(NamedTuple):
    """A file as it was opened.

    Attributes:
        content: Its bytes, inflated.
        log_group: The log group of lines that name none.
        year: The year of times that name none.
    """

    content: io.BufferedReader
    log_group: str
    year: int


@contextmanager
def opened(name: str, reading: Reading) -> Iterator[Opened]:
    """Open a file, or standard input for ``-``.

    Raises:
        OSError: It cannot be read.
    """
    with ExitStack() as stack:
        raw: IO[bytes] = sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))
        content = cast("io.BufferedReader", raw)
        if content.peek(2)[:2] == b"\x1f\x8b":
            content = cast("io.BufferedReader", gzip.GzipFile(fileobj=raw))
        year = (
            datetime.now(UTC).year
            if name == "-"
            else datetime.fromtimestamp(Path(name).stat().st_mtime, UTC).year
        )
        yield Opened(content, reading.log_group or ("" if name == "-" else _group_of(name)), year)


def read_lines(lines: Iterator[str], timeline: Timeline) -> Iterator[LoggedLine]:
    """Read the lines of a file of any kind.

    Args:
        lines: All of the file, each with its line feed.
        timeline: Gives them their times.
    """
    for entry in _entries(lines, timeline.reading, timeline.name):
        yield from timeline.place(entry)
    yield from timeline.end()


class Timeline:
    """Gives the lines of a file their times, in the order in which they are in the file.

    Args:
        reading: Where problems are told.
        name: The file's name, for problems.
        log_group: Where lines are from that do not say so.
        year: The year of times that name none (syslog).
    """

    def __init__(self, reading: Reading, name: str, log_group: str, year: int) -> None:
        self.reading, self.name = reading, name
        self.group_of_others = log_group or "backtest"
        self._clock = _Clock(year)
        self._waiting: list[_Entry] | None = []

    @property
    def is_waiting(self) -> bool:
        """Whether no line had a time yet, so that none could be placed."""
        return self._waiting is not None

    def place(self, entry: _Entry) -> Iterator[LoggedLine]:
        """The next line with its time, and those that waited for it; nothing while all wait for a time."""
        message, at, when, group, stream = entry
        if at is None:
            if when is not None:
                self.reading.say(
                    f"{self.name}: a time that cannot be read ({_short(when)}); taken as just after the line before"
                )
            at = self._clock.in_text(message)
        if self._waiting is not None:
            if at is None and len(self._waiting) < MAX_WAITING:
                self._waiting.append(entry)
                return
            for early in self._waiting:  # as Lambda's START before the first line that its function logs
                first = self._clock.place(at)
                yield LoggedLine(first, early.message, early.group or self.group_of_others, early.stream)
            self._waiting = None
        yield LoggedLine(self._clock.place(at), message, group or self.group_of_others, stream)

    def pass_to(self, at: Millis) -> None:
        """Go on behind lines that brought their times with them.

        Args:
            at: The time of the last of them.
        """
        self._clock.place(at)

    def end(self) -> Iterator[LoggedLine]:
        """The lines that waited for a time in vain; what is to be said of a file without any is said."""
        for early in self._waiting or ():
            yield LoggedLine(
                self._clock.place(None), early.message, early.group or self.group_of_others, early.stream
            )
        if not self._clock.is_set and self._clock.has_placed:
            self.reading.say(
                f"{self.name}: no line has a time; taken as one millisecond apart, from {datetime.fromtimestamp(FALLBACK_START / 1000, UTC):%Y-%m-%d}"
            )


class JsonLine(msgspec.Struct, forbid_unknown_fields=True, rename="camel", gc=False):
    """One JSON object per line, in which nothing is out of order: read several times as fast as any other."""

    message: str
    timestamp: int | str | None = None
    log_group: str = ""
    log_stream: str = ""


JSON_LINE = msgspec.json.Decoder(JsonLine)


class _Entry(NamedTuple):
    message: str
    at: Millis | None = None
    when: object = None
    group: str = ""
    stream: str = ""


def _entries(lines: Iterator[str], reading: Reading, name: str) -> Iterator[_Entry]:
    first = next((line for line in lines if line.strip()), "")
    if not first:
        return
    if begins_list(first):
        # Perhaps one object over many lines, as the AWS CLI prints it.
        head, taken = [first], len(first)
        for line in lines:
            head.append(line)
            taken += len(line)
            if '"events"' in line or taken > 64 * 1024:
                break
        joined = "".join(head)
        if re.search(r'^\s*\{[^{}]*"events"\s*:', joined):
            yield from _aws_events(joined, lines, reading, name)
            return
        rest: Iterator[str] = iter(head)
    else:
        rest = iter([first])
    yield from text_entries(_chained(rest, lines), reading, name)


def text_entries(lines: Iterable[str], reading: Reading, name: str) -> Iterator[_Entry]:
    """The events of a file that has them line by line: JSON, text, or both."""
    held: _Entry | None = None
    for line in lines:
        line = line.rstrip("\r\n")  # noqa: PLW2901 - the line as an event has it
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


def _begins(entry: _Entry) -> bool:
    return (
        entry.at is not None
        or entry.when is not None
        or _OF_LAMBDA.match(entry.message) is not None
        or _Clock(2000).in_text(entry.message) is not None
    )


_OF_LAMBDA = re.compile(
    r"(?:START|END|REPORT|RequestId:) |INIT_(?:START|REPORT)|RESTORE_(?:START|REPORT)|(?:EXTENSION|TELEMETRY|LOGS)\t|"
    r"\[(?:ERROR|WARNING|INFO|DEBUG|CRITICAL)\]"
)
"""How the lines begin that Lambda itself writes: without a time, and part of no event before them."""


def _from_json(line: str) -> Iterable[_Entry]:
    try:
        read = JSON_LINE.decode(line)
    except (ValueError, RecursionError):  # another kind, or something that only `json` forgives
        return _from_any_json(line)
    return (
        _Entry(read.message, parse_time(read.timestamp), read.timestamp, read.log_group, read.log_stream),
    )


def _from_any_json(line: str) -> Iterator[_Entry]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        yield _Entry(line)
        return
    if isinstance(value.get("events"), list) and all(isinstance(event, dict) for event in value["events"]):
        for event in value["events"]:
            yield from _from_event(event)
    elif isinstance(value.get("message"), str) and not _OF_A_LOGGER & value.keys():
        yield from _from_event(value)
    else:
        when = next((value[key] for key in _TIME_KEYS if key in value), None)
        yield _Entry(line, parse_time(when))


def _from_event(event: Mapping[str, Any]) -> Iterator[_Entry]:
    message, when = event.get("message"), event.get("timestamp")
    if not isinstance(message, str):
        return
    group, stream = (
        event.get("logGroup") or event.get("logGroupName"),
        event.get("logStream") or event.get("logStreamName"),
    )
    yield _Entry(
        message,
        parse_time(when),
        when,
        group if isinstance(group, str) else "",
        stream if isinstance(stream, str) else "",
    )


_TAIL = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00) (\d{4}/\d\d/\d\d/\S+) ")


def _from_tail(line: str) -> _Entry:
    """A line of ``aws logs tail``: the time and the stream that it writes before each message are no part of it."""
    found = _TAIL.match(line)
    if not found:
        return _Entry(line)
    return _Entry(line[found.end() :], parse_time(found[1]), found[1], "", found[2])


def _aws_events(head: str, lines: Iterator[str], reading: Reading, name: str) -> Iterator[_Entry]:
    """The list ``events`` of one object over many lines, one element at a time."""
    decoder, buffer = json.JSONDecoder(strict=False), head[re.search(r'"events"\s*:\s*', head).end() :]  # type: ignore[union-attr]
    buffer = buffer.lstrip().removeprefix("[")
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


class _Clock:
    """Gives every line a time."""

    def __init__(self, year: int) -> None:
        self._year, self._last = year, FALLBACK_START - 1
        self.is_set = self.has_placed = False

    def place(self, at: Millis | None) -> Millis:
        self.has_placed = True
        if at is None:
            self._last += 1
        else:
            self._last, self.is_set = at, True
        return self._last

    def in_text(self, message: str) -> Millis | None:
        """The time that the beginning of a text line states."""
        head = message[:80]
        for pattern, read in _IN_TEXT:
            if (found := pattern.search(head)) and (at := read(found, self._year)) is not None:
                return at
        return None


def _written(pattern: str) -> Callable[[re.Match[str], int], Millis | None]:
    """A reader of times as ``strptime`` knows them; UTC where they name no zone, ``year`` where they name none."""
    pattern = pattern if "%Y" in pattern else f"{pattern} %Y"
    zoned = pattern if "%z" in pattern else f"{pattern} %z"

    def read(found: re.Match[str], year: int) -> Millis | None:
        text = " ".join(found[1].split())
        text += f" {year}" if pattern.endswith(" %Y") and not re.search(r"\b\d{4}$", text) else ""
        text += "" if pattern == zoned else " +0000"
        try:
            at = datetime.strptime(text, zoned)  # noqa: DTZ007 - it ends in %z, which the rule does not see
        except ValueError:
            return None
        return round(at.timestamp() * 1000)

    return read


_IN_TEXT: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], int], Millis | None]], ...] = (
    # 2026-02-02T00:03:11.201Z, 2026-02-02 00:03:11,201, … +01:00; near the beginning of the line
    (
        re.compile(r"(?<!\d)(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)(?!\d)"),
        lambda found, _: parse_iso_time(found[1]),
    ),
    # 10.0.0.1 - - [02/Feb/2026:00:03:11 +0000] "GET / …
    (
        re.compile(r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]"),
        _written("%d/%b/%Y:%H:%M:%S %z"),
    ),
    # [Sun Dec 04 04:47:44 2005] [error] …
    (
        re.compile(r"\[[A-Z][a-z]{2} ([A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)? \d{4})\]"),
        _written("%b %d %H:%M:%S %Y"),
    ),
    # 2005/11/09 12:01:01 …
    (re.compile(r"^\W{0,2}(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)"), _written("%Y/%m/%d %H:%M:%S")),
    # Feb  2 00:03:11 host …: no year
    (re.compile(r"^([A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d) "), _written("%b %d %H:%M:%S")),
    # 1770000000.123 …
    (re.compile(r"^(1\d{9}(?:\.\d{1,6})?)\s"), lambda found, _: parse_time(float(found[1]))),
)


def each_line(text: IO[str]) -> Iterator[str]:
    """Lines, of which an endless one is taken in pieces."""
    while line := text.readline(MAX_LINE_LENGTH):
        yield line


def _chained(*parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        yield from part


def begins_list(first: str) -> bool:
    """Whether a file that begins with this line may be one object over many lines."""
    return first.lstrip().startswith("{") and not _is_json(first)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _group_of(name: str) -> str:
    """What stands for the log group where no line names one: the file's name without its endings."""
    return Path(name).name.partition(".")[0] or name


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"  # a line of a terminal
