"""Crashes that arrive one line per event: put together, so that one failure is one event with its type and its frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tocsin.core.lazy_expressions import lazy_re2
from tocsin.core.model import LogEvent

MAX_PAUSE_LENGTH = 1_000
"""Milliseconds between two events of one crash."""
MAX_EVENTS = 300
"""Events of one crash that are put together; the rest stands for itself."""

_PIECE = lazy_re2(
    r"\s+at\s|at\s[\w.$/<>`]+\s?\(|\s*File\s\"|Caused by:\s|\s*Suppressed:\s|\s*\.\.\. \d+ (?:more|common)|goroutine \d+ \[|"
    r"\s+from\s\S+:\d+:in\s|#\d+\s|Stack trace:|During handling of the above|The above exception was|\s+--- End of|\s*\|\s"
)
"""How an event begins that goes on with a crash."""
_PYTHON_HEAD = lazy_re2(r"[^\n]*Traceback \(most recent call last\):\s*\z")
_CHAIN = ("During handling of the above exception", "The above exception was the direct cause")
_GO_HEAD = lazy_re2(r"(?:[^\n]{0,80}\s)?(?:http: )?panic(?::| serving )|fatal error: ")
_GO_CALL = lazy_re2(r"[\w./*()\[\]-]+\([^\n]*\)\s*\z|created by \S|\[signal |goroutine \d+ \[")
_FAILURE = lazy_re2(r"[^\n]*\b[A-Z]\w*(?:Error|Exception|Throwable)\b|[^\n]*:\d+:in [`']|PHP Fatal")
_BLANKS = frozenset(" \t\n\r\f\v")
_GOES_ON = (
    *(f"at{blank}" for blank in " \t\n\r\f"),
    *(f'File{blank}"' for blank in " \t\n\r\f"),
    "Caused by:",
    "Suppressed:",
    "...",
    "goroutine ",
    "#",
    "Stack trace:",
    "During handling of ",
    "The above exception was",
    "|",
    "created by ",
    "[signal ",
)
"""How an event begins that may go on with a crash, if not with a blank; more than `_PIECE` knows, and found faster."""
_PIECE_FIRST = _BLANKS | {words[0] for words in _GOES_ON}
_PIECE_STARTS = (*_BLANKS, *_GOES_ON)
_PYTHON_WORDS = "Traceback (most recent call last):"


def is_piece(message: str) -> bool:
    """Whether an event may be one line of a crash: what a simulation must not leave out."""
    return bool(pieces_in([message]))


def pieces_in(messages: Sequence[str]) -> list[int]:
    """The places of those messages that `is_piece` is true of; most are known by their first characters to be none."""
    return [
        place
        for place, message in enumerate(messages)
        if ((message[:1] in _PIECE_FIRST and message.startswith(_PIECE_STARTS)) or _PYTHON_WORDS in message)
        and (message[0] in " \t" or _PIECE.match(message) or _PYTHON_HEAD.match(message))
    ]


def joined(events: Sequence[LogEvent]) -> list[LogEvent]:
    """The events of one stream, with those that are lines of one crash as one event.

    Args:
        events: Events of one stream in their order.
    """
    return [put_together(events, first, end) for first, end in crash_spans(events, 0, len(events))]


def put_together(events: Sequence[LogEvent], first: int, end: int) -> LogEvent:
    """The events from one place up to another as one, with the id and the time of the first; one alone as it is."""
    if end - first == 1:
        return events[first]
    text = "\n".join(event.message.rstrip("\r\n") for event in events[first:end])
    return LogEvent(events[first].id, events[first].timestamp, text)


def crash_spans(events: Sequence[LogEvent], first: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where each crash begins and ends; an event that is part of none is a span of its own.

    Args:
        events: Events of one stream in their order.
        first: Where to begin: the beginning of the stream, or a place that `span_start` answered.
        stop: Where to stop, likewise.
    """
    while first < stop:
        end = end_of_crash(events, first)
        yield first, end
        first = end


def stands_alone(messages: Sequence[str], place: int) -> bool:
    """Whether an event is known to be a span by itself, as nearly all are: by how it and its neighbours begin and end.

    Args:
        messages: The messages of the events of one stream in their order.
        place: The event's.
    """
    message = messages[place]
    if not _goes_on_with_nothing(message) or (place and not _goes_on_with_nothing(messages[place - 1])):
        return False
    if place + 1 == len(messages) or _goes_on_with_nothing(following := messages[place + 1]):
        return True
    # A call of Go's ends with a bracket, and begins with anything.
    return not ("panic" in message or "fatal error: " in message or following.startswith(_PIECE_STARTS))


def span_start(events: Sequence[LogEvent], place: int, floor: int) -> int:
    """The nearest place, going back, at which a span certainly begins, whatever came before it.

    Of two events in a row that go on with nothing, the second begins one: the first may at most be the last line of a
    traceback, the one that names the exception.

    Args:
        events: Events of one stream in their order.
        place: Where to go back from.
        floor: A place at which a span is known to begin.
    """
    while place > floor and (may_go_on(events[place].message) or may_go_on(events[place - 1].message)):
        place -= 1
    return place


def span_with(events: Sequence[LogEvent], first: int, place: int) -> tuple[int, int]:
    """Where the crash that holds an event begins and ends, told from a place before it that `span_start` answered."""
    while (end := end_of_crash(events, first)) <= place:
        first = end
    return first, end


def may_go_on(message: str) -> bool:
    """Whether an event may be part of a crash that began with an event before it; only False is certain."""
    if _goes_on_with_nothing(message):
        return False
    return (
        message.startswith(_PIECE_STARTS)
        or not message.strip()
        or _GO_CALL.match(message) is not None
        or _PYTHON_HEAD.match(message) is not None
    )


def _goes_on_with_nothing(message: str) -> bool:
    """Whether that is certain by how an event begins and ends: only True is certain."""
    last = message[-1:]
    if last.isspace():  # as Lambda ends what is printed
        message = message.rstrip()
        last = message[-1:]
    if last == ")":
        may = " " not in message[: message.find("(")]  # a call of Go's
    elif last == ":":
        may = _PYTHON_WORDS in message
    else:
        may = not last
    return not may and (message[0] not in _PIECE_FIRST or not message.startswith(_PIECE_STARTS))


def end_of_crash(events: Sequence[LogEvent], first: int) -> int:
    """The place after the last event that belongs to the crash which begins here; the next place where none does."""
    if first + 1 == len(events):
        return first + 1
    head = events[first].message
    following = events[first + 1].message
    python = _PYTHON_WORDS in head and bool(_PYTHON_HEAD.match(head))
    go = ("panic" in head or "fatal error: " in head) and bool(_GO_HEAD.match(head))
    begun = python or (go and (not following.strip() or bool(_GO_CALL.match(following))))
    if not begun and not (
        following[:1] in _PIECE_FIRST and _PIECE.match(following) and _FAILURE.match(head.lstrip())
    ):
        return first + 1
    open_ = python
    place = first + 1
    while place < len(events) and place - first < MAX_EVENTS:
        event = events[place]
        if not 0 <= event.timestamp - events[place - 1].timestamp <= MAX_PAUSE_LENGTH:
            break
        message = event.message
        blank, indented = not message.strip(), message[:1] in {" ", "\t"}
        if _PYTHON_HEAD.match(message) and (open_ or blank or not python):
            open_ = python = True
        elif message.startswith(_CHAIN):
            open_ = True
        elif open_ and not blank and not indented and not _PIECE.match(message):
            open_ = False  # the line that names the exception: only a chain goes on after it
        elif not (
            indented
            or _PIECE.match(message)
            or (blank and (open_ or go or _goes_on(events, place)))
            or (go and _GO_CALL.match(message))
        ):
            break
        place += 1
    return place


def _goes_on(events: Sequence[LogEvent], place: int) -> bool:
    """Whether a chain of exceptions goes on after a blank line."""
    return place + 1 < len(events) and events[place + 1].message.startswith(_CHAIN)
