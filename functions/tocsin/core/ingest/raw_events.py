r"""Log events where they stand in the bytes of an envelope: only those in which something is suspected are read.

One search finds the suspects, and with them whatever is out of order in what it passes over; in such an envelope, in a
small one, and in one with many suspects, every event is read. What makes this exact:

* The envelope is JSON, its head is that of a subscription, and all its bytes are UTF-8: a decoder goes over all of it and
  makes nothing of it.
* In JSON a quotation mark within a text has a backslash before it. So ``"},{"id":"`` stands between two events only.
* The first event begins with its id, its time and the quotation mark of its message. The next mark without a backslash
  ends that message; unless the beginning of the next event, or the end of the envelope, follows, the search has found
  something out of order. So nothing out of order means that each event has these three, and they are what they must be.
* An event in which the search finds anything is read by its types.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cache
from typing import Final, NamedTuple, overload

import msgspec
import re2

from tocsin.core.expressions import MAX_SEARCH_SIZE, byte_options, first_span
from tocsin.core.model import LogEvent

END: Final = b"]}"
"""What comes after the last event."""
LEAST_BYTES: Final = 1 << 20
"""In a smaller envelope, of about three thousand events, reading all of them costs less than looking for the suspects first."""
BYTES_A_SUSPECT: Final = 10_000
"""Where more than one event in so many bytes is a suspect, reading all events costs less than looking around these."""
FEW: Final = 4
"""Suspects that are no sign of there being many."""

_EVENT: Final = msgspec.json.Decoder(LogEvent)


class _Events(msgspec.Struct, rename="camel"):
    log_events: list[LogEvent]


_EVENTS: Final = msgspec.json.Decoder(_Events)


class Window(NamedTuple):
    """Some events in a row.

    Attributes:
        events: Them.
        starts: Where each begins in the bytes.
        begins: Whether there is nothing before them.
        ends: Whether there is nothing after them.
    """

    events: list[LogEvent]
    starts: list[int]
    begins: bool
    ends: bool


class _Layout:
    """What stands between the values of an envelope, without blanks or with them.

    Args:
        comma: What stands between two values.
        colon: What stands between a key and its value.
    """

    def __init__(self, comma: bytes, colon: bytes) -> None:
        self.comma, self._message = comma, b'"message"' + colon
        first, time, message = b'{"id"' + colon + b'"', b'"timestamp"' + colon, comma + self._message + b'"'
        self.key_length = len(self._message) + 1
        self.border = b'"}' + comma + first
        self.header = re2.compile(
            re2.escape(first)
            + rb'[^"\\]+'
            + re2.escape(b'"' + comma + time)
            + rb"[0-9]{1,13}"
            + re2.escape(message),
            byte_options(MAX_SEARCH_SIZE),
        )
        self._again = _unlike(comma[1:] + time, _Step.DIGITS, message)
        self._next = _unlike(comma[1:] + first, _Step.TEXT, comma + time, _Step.DIGITS, message)

    def out_of_order(self) -> bytes:
        """An expression that finds the first thing after a message that is not as it must be."""
        before = self._message
        quote = [rb'[^\\](?:\\\\)+"', rb"[^\\" + re2.escape(before[-1:]) + rb']"'] + [
            rb"[^" + re2.escape(before[place : place + 1]) + rb"]" + re2.escape(before[place + 1 :]) + rb'"'
            for place in range(len(before) - 1)
        ]
        after = rb"[ \]]|,(?:%s)|\}(?:[^,\]]|,(?:%s)|\](?:[^}]|\}[\x00-\xff]))" % (self._again, self._next)
        return rb"(?:%s)(?:%s)|[\t\n\r]" % (b"|".join(quote), after)


class _Step(Enum):
    DIGITS = "digits"
    """Of a time in milliseconds; one of more is looked at more closely."""
    TEXT = "text"
    """The rest of a text without escapes, with the quotation mark that ends it."""


def _unlike(*steps: bytes | _Step) -> bytes:
    """An expression for whatever does not begin with these, up to where it differs."""
    rest = b""
    for number in range(len(steps) - 1, -1, -1):
        step = steps[number]
        if step is _Step.DIGITS:
            rest = rb"[^0-9]|[0-9]{1,13}(?:%s)|[0-9]{14}" % rest
        elif step is _Step.TEXT:
            rest = rb'["\\]|[^"\\]+(?:\\|"(?:%s))' % rest
        else:
            for place in range(len(step) - 1, -1, -1):
                here = re2.escape(step[place : place + 1])
                # One more digit is no difference yet.
                more = b"0-9" if place == 0 and number and steps[number - 1] is _Step.DIGITS else b""
                rest = rb"[^%s%s]|%s(?:%s)" % (here, more, here, rest) if rest else rb"[^%s]" % here
    return rest


LAYOUTS: Final = ((b",", b":"), (b", ", b": "))
"""As CloudWatch Logs writes envelopes, and as Python's ``json`` does."""


@cache
def _layout(number: int) -> _Layout:
    return _Layout(*LAYOUTS[number])


class RawEvents(Sequence[LogEvent]):
    """The log events of an envelope, read when they are asked for.

    Attributes:
        raw: The envelope's JSON.
        suspects: Where each event begins in which something was found.

    Args:
        raw: The envelope's JSON.
        layout: How it is written.
        suspects: See above.
        body: Where its first event begins.
        count: How many it has.
    """

    def __init__(self, raw: bytes, layout: _Layout, suspects: list[int], *, body: int, count: int) -> None:
        self.raw, self._layout, self._body, self._count = raw, layout, body, count
        self.suspects = suspects
        self._all: tuple[LogEvent, ...] | None = None
        self._known: dict[int, tuple[LogEvent, int]] = {}

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> LogEvent: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[LogEvent, ...]: ...
    def __getitem__(self, place: int | slice) -> LogEvent | tuple[LogEvent, ...]:
        if self._all is None and place in {0, -1}:
            start = self._body if place == 0 else self._start_before(len(self.raw))
            return self._read(start)[0]
        return self.all()[place]

    def __iter__(self) -> Iterator[LogEvent]:
        return iter(self.all())

    def all(self) -> tuple[LogEvent, ...]:
        """All of them."""
        if self._all is None:
            self._all = tuple(_EVENTS.decode(self.raw).log_events)
        return self._all

    def around(self, start: int, reach: int) -> Window:
        """An event and up to so many on either side of it.

        Args:
            start: Where it begins in the bytes.
            reach: How many before it, and how many after it.
        """
        first, before = start, 0
        while before < reach and first > self._body:
            first, before = self._start_before(first), before + 1
        events: list[LogEvent] = []
        starts: list[int] = []
        following = first
        while following >= 0 and len(events) <= before + reach:
            starts.append(following)
            event, following = self._read(following)
            events.append(event)
        return Window(events, starts, first == self._body, following < 0)

    def _start_before(self, start: int) -> int:
        # What stands before this event itself ends behind its beginning, and is not meant.
        own = start - 2 - len(self._layout.comma)
        border = self.raw.rfind(self._layout.border, self._body, own + len(self._layout.border) - 1)
        return self._body if border < 0 else border + 2 + len(self._layout.comma)

    def _read(self, start: int) -> tuple[LogEvent, int]:
        """The event that begins here, and where the next one does; -1 where there is none."""
        if start not in self._known:
            border = self.raw.find(self._layout.border, start)
            event = _EVENT.decode(self.raw[start : border + 2 if border >= 0 else -len(END)])
            self._known[start] = event, -1 if border < 0 else border + 2 + len(self._layout.comma)
        return self._known[start]


class SuspectSearch:
    """Finds the suspects of envelopes.

    Args:
        expression: What `RawSearch` looks for; not empty.
        wait: After how many envelopes it is made, which takes as long as reading some.
        least: Bytes of an envelope that it looks at.
    """

    def __init__(self, expression: str, wait: int = 3, least: int = LEAST_BYTES) -> None:
        self._expression, self._wait, self._least = expression.encode("latin-1"), wait, least
        self._compiled: dict[_Layout, re2._Regexp] = {}

    def look(self, raw: bytes, body: int) -> tuple[_Layout, list[int]] | None:
        """Where the suspects begin; None where they are many, the envelope is small, or something is out of order.

        Whether the whole is JSON and its text UTF-8 is not looked at.

        Args:
            raw: An envelope's JSON.
            body: Where its first event begins.
        """
        if len(raw) < self._least:
            return None
        if self._wait > 0:
            self._wait -= 1
            return None
        for number in range(len(LAYOUTS)):
            header = _layout(number).header.match(raw, body)
            if header is not None:
                suspects = self._suspects(raw, body, _layout(number), header.end())
                return None if suspects is None else (_layout(number), suspects)
        return None

    def _suspects(self, raw: bytes, start: int, layout: _Layout, text: int) -> list[int] | None:
        """Where they begin, of events of which the first begins at one place, and its text at another."""
        if not raw.endswith(b'"}' + END):
            return None
        search, border, gap = self._search(layout), layout.border, len(layout.comma)
        answer: list[int] = []
        first = start
        # From the key of the text on: what is out of order is known by what comes before it, too.
        begin, end = first_span(search, raw, text - layout.key_length)
        while begin >= 0:
            before = raw.rfind(border, start, begin)
            start = start if before < 0 else before + 2 + gap
            while True:
                after = raw.find(border, start)
                try:
                    _EVENT.decode(raw[start : after + 2 if after >= 0 else -len(END)])
                except ValueError:
                    return None
                answer.append(start)
                if after < 0:
                    return answer
                start = after + 2 + gap
                header = layout.header.match(raw, start)
                if header is None:
                    return None
                if start >= end:
                    break
            if len(answer) > FEW and len(answer) * BYTES_A_SUSPECT > start - first:
                return None
            begin, end = first_span(search, raw, header.end() - layout.key_length)
        return answer

    def _search(self, layout: _Layout) -> re2._Regexp:
        if layout not in self._compiled:
            expression = layout.out_of_order() + b"|" + self._expression
            self._compiled[layout] = re2.compile(expression, byte_options(MAX_SEARCH_SIZE))
        return self._compiled[layout]
