"""Crashes that arrive one line per event: put together, so that one failure is one event with its type and its frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import re2

from tocsin.core.model import LogEvent

MAX_PAUSE_LENGTH = 1_000
"""Milliseconds between two events of one crash."""
MAX_EVENTS = 300
"""Events of one crash that are put together; the rest stands for itself."""

_PIECE = re2.compile(
    r"\s+at\s|at\s[\w.$/<>`]+\s?\(|\s*File\s\"|Caused by:\s|\s*Suppressed:\s|\s*\.\.\. \d+ (?:more|common)|goroutine \d+ \[|"
    r"\s+from\s\S+:\d+:in\s|#\d+\s|Stack trace:|During handling of the above|The above exception was|\s+--- End of|\s*\|\s"
)
"""How an event begins that goes on with a crash."""
_PYTHON_HEAD = re2.compile(r"[^\n]*Traceback \(most recent call last\):\s*\z")
_CHAIN = ("During handling of the above exception", "The above exception was the direct cause")
_GO_HEAD = re2.compile(r"(?:[^\n]{0,80}\s)?(?:http: )?panic(?::| serving )|fatal error: ")
_GO_CALL = re2.compile(r"[\w./*()\[\]-]+\([^\n]*\)\s*\z|created by \S|\[signal |goroutine \d+ \[")
_FAILURE = re2.compile(r"[^\n]*\b[A-Z]\w*(?:Error|Exception|Throwable)\b|[^\n]*:\d+:in [`']|PHP Fatal")
_FIRST_LETTERS = frozenset(" \tFaC.gS#TD")
"""What an event that goes on with a crash, or the head of a traceback, may begin with, most of the time."""


def is_piece(message: str) -> bool:
    """Whether an event may be one line of a crash: what a simulation must not leave out."""
    return bool(_PIECE.match(message) or _PYTHON_HEAD.match(message) or message[:1] in {" ", "\t"})


def joined(events: Sequence[LogEvent]) -> Sequence[LogEvent]:
    """The events of one stream, with those that are lines of one crash as one event.

    The event that a crash becomes has the id and the time of its first line. Where no event goes on with another, the
    answer is the argument itself.

    Args:
        events: Events of one stream in their order.
    """
    if not any(
        event.message[:1] in _FIRST_LETTERS
        and (_PIECE.match(event.message) or _PYTHON_HEAD.match(event.message))
        for event in events[1:]
    ):
        return events
    answer: list[LogEvent] = []
    place = 0
    while place < len(events):
        end = _end_of_crash(events, place)
        if end - place > 1:
            text = "\n".join(event.message.rstrip("\r\n") for event in events[place:end])
            answer.append(replace(events[place], message=text))
        else:
            answer.append(events[place])
        place = end
    return answer


def _end_of_crash(events: Sequence[LogEvent], first: int) -> int:
    """The place after the last event that belongs to the crash which begins here; the next place where none does."""
    head = events[first].message
    python = bool(_PYTHON_HEAD.match(head))
    go = bool(_GO_HEAD.match(head))
    following = events[first + 1].message if first + 1 < len(events) else ""
    begun = python or (
        go and first + 1 < len(events) and (not following.strip() or bool(_GO_CALL.match(following)))
    )
    if not begun and not (following and _PIECE.match(following) and _FAILURE.match(head.lstrip())):
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
