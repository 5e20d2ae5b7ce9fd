"""The time of each line of a file.

A time that a line does not have is taken from its text where there is one, else it is one millisecond after the line before
it; lines before the first that has a time have the time of that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from tocsin.core.model import Millis
from tocsin_cli.backtest.log_files import Reading
from tocsin_cli.simulation import LoggedLine
from tocsin_cli.timestamps import parse_time

FALLBACK_START: Millis = 946_684_800_000
"""2000-01-01T00:00:00Z: where lines begin of which not one has a time."""

MAX_WAITING = 10_000
"""Lines at the beginning of a file that wait for the first one that has a time."""

_TIMES = tuple(
    (re.compile(pattern), written)
    for pattern, written in (
        # 2026-02-02T00:03:11.201Z, 2026-02-02 00:03:11,201, … +01:00; near the beginning of the line
        (r"(?<!\d)(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)(?!\d)", ""),
        # 10.0.0.1 - - [02/Feb/2026:00:03:11 +0000] "GET / …
        (r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]", "%d/%b/%Y:%H:%M:%S %z"),
        # [Sun Dec 04 04:47:44 2005] [error] …
        (r"\[[A-Z][a-z]{2} ([A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)? \d{4})\]", "%b %d %H:%M:%S %Y"),
        # 2005/11/09 12:01:01 …
        (r"^\W{0,2}(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)", "%Y/%m/%d %H:%M:%S"),
        # Feb  2 00:03:11 host …: no year
        (r"^([A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d) ", "%b %d %H:%M:%S"),
        # 1770000000.123 …
        (r"^(1\d{9}(?:\.\d{1,6})?)\s", ""),
    )
)
"""How text states a time, and how that is written for ``strptime``; empty for what ``parse_time`` reads."""


class Entry(NamedTuple):
    """An event as a file has it.

    Attributes:
        message: What was logged.
        at: When, where the file says it beside the message.
        when: The same as the file has it; None where it says nothing.
        group: The log group; empty where the file does not say.
        stream: The log stream; likewise.
    """

    message: str
    at: Millis | None = None
    when: object = None
    group: str = ""
    stream: str = ""


class Timeline:
    """Gives the lines of a file their times, in the order in which they are in the file.

    Args:
        reading: Remembers problems.
        name: The file's name, for problems.
        log_group: Where lines are from that do not say so.
        year: The year of times that name none (syslog).
    """

    def __init__(self, reading: Reading, name: str, log_group: str, year: int) -> None:
        self.reading, self.name = reading, name
        self.group_of_others = log_group or "backtest"
        self._year, self._last = year, FALLBACK_START - 1
        self._is_timed = False
        self._waiting: list[Entry] | None = []

    @property
    def is_waiting(self) -> bool:
        """Whether no line had a time yet, so that none could be placed."""
        return self._waiting is not None

    def place(self, entry: Entry) -> Iterator[LoggedLine]:
        """The next line with its time, and those that waited for it; nothing while all wait for a time."""
        at = entry.at
        if at is None:
            if entry.when is not None:
                self.reading.say(
                    f"{self.name}: a time that cannot be read ({_short(entry.when)}); taken as just after the line before"
                )
            at = time_in_text(entry.message, self._year)
        if self._waiting is not None:
            if at is None and len(self._waiting) < MAX_WAITING:
                self._waiting.append(entry)
                return
            for early in self._waiting:  # as Lambda's START before the first line that its function logs
                yield self._placed(early, at)
            self._waiting = None
        yield self._placed(entry, at)

    def pass_to(self, at: Millis) -> None:
        """Go on behind lines that brought their times with them.

        Args:
            at: The time of the last of them.
        """
        self._last, self._is_timed = at, True

    def end(self) -> Iterator[LoggedLine]:
        """The lines that waited for a time in vain; a file in which none has a time is a problem."""
        for early in self._waiting or ():
            yield self._placed(early, None)
        if not self._is_timed and self._last >= FALLBACK_START:
            self.reading.say(
                f"{self.name}: no line has a time; taken as one millisecond apart, from {datetime.fromtimestamp(FALLBACK_START / 1000, UTC):%Y-%m-%d}"
            )

    def _placed(self, entry: Entry, at: Millis | None) -> LoggedLine:
        if at is None:
            self._last += 1
        else:
            self.pass_to(at)
        return LoggedLine(self._last, entry.message, entry.group or self.group_of_others, entry.stream)


def time_in_text(message: str, year: int) -> Millis | None:
    """The time that the beginning of a text line states; UTC where it names no zone.

    Args:
        message: The line.
        year: The year where it names none.
    """
    head = message[:80]
    for pattern, written in _TIMES:
        if found := pattern.search(head):
            at = _read(found[1], written, year) if written else parse_time(found[1])
            if at is not None:
                return at
    return None


def _read(text: str, written: str, year: int) -> Millis | None:
    text = " ".join(text.split())
    if "%Y" not in written:
        text, written = f"{text} {year}", f"{written} %Y"
    if "%z" not in written:
        text, written = f"{text} +0000", f"{written} %z"
    try:
        at = datetime.strptime(text, written)  # noqa: DTZ007 - it ends in %z, which the rule does not see
    except ValueError:
        return None
    return round(at.timestamp() * 1000)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"  # a line of a terminal
