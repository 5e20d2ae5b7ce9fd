"""What the events of one stream hold: only suspects are looked at, and of the others no more than these need.

A suspect is an event in which one search over all messages found something that a signature asks for. What belongs to
it is looked at with it: the other lines of the same crash, and, where more than one thing was recognised, the
invocation that said it. The answer is that of looking at every event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from tocsin.core.matching.crash_lines import crash_spans, end_of_crash, put_together, span_start
from tocsin.core.matching.invocations import (
    Found,
    invocation_end,
    invocation_start,
    may_say_twice,
    name_invocations,
    once_per_invocation,
)
from tocsin.core.model import LogEvent, Match


class Recogniser(Protocol):
    """What says what a line is; see ``Matcher``."""

    def suspects(self, messages: Sequence[str]) -> list[int]:
        """The places of those messages in which anything can be recognised."""

    def match_each(
        self, messages: Sequence[str], *, log_group: str = "", service: str = ""
    ) -> list[list[Match]]:
        """What is recognised in each."""

    def explains(self, signature: str, other: str) -> bool:
        """Whether one explains another away."""

    def catches_all(self, signature: str) -> bool:
        """Whether a signature recognises whatever has no name."""


class _Recognised(NamedTuple):
    first: int
    end: int
    found: Found


def recognised(
    events: Sequence[LogEvent], recogniser: Recogniser, *, log_group: str = "", service: str = ""
) -> list[Found]:
    """What is recognised in the events of one stream, each failure once, in their order.

    Args:
        events: All events, in their order.
        recogniser: Says what a line is.
        log_group: The log group they are of.
        service: Its service.
    """
    ahead = _in_suspects(events, recogniser, log_group, service)
    all_found = [one.found for one in ahead]
    if (
        sum(len(found.matches) for found in all_found) <= 1
        or not may_say_twice(all_found, recogniser.catches_all)
        or not name_invocations(events)
    ):
        return all_found
    answer: list[Found] = []
    floor = taken = 0
    while taken < len(ahead):
        stop = invocation_end(events, ahead[taken].end)
        begun = taken
        while taken < len(ahead) and ahead[taken].first < stop:
            taken += 1
        here = ahead[begun:taken]
        if len(here) == len(here[0].found.matches) == 1:
            answer.append(here[0].found)  # nothing that could have been said twice
        else:
            floor = invocation_start(events, here[0].first, floor)
            by_place = {one.first: one.found for one in here}
            whole = [
                by_place.get(first) or Found(put_together(events, first, end), ())
                for first, end in crash_spans(events, floor, stop)
            ]
            answer += once_per_invocation(whole, recogniser.explains, recogniser.catches_all)
        floor = stop
    return answer


def _in_suspects(
    events: Sequence[LogEvent], recogniser: Recogniser, log_group: str, service: str
) -> list[_Recognised]:
    """What is recognised in each suspect, with the other lines of its crash."""
    spans: list[tuple[int, int, LogEvent]] = []
    done = 0
    for place in recogniser.suspects([event.message for event in events]):
        if place < done:
            continue  # a line of the crash before
        first = span_start(events, place, done)
        while (end := end_of_crash(events, first)) <= place:
            first = end
        spans.append((first, end, put_together(events, first, end)))
        done = end
    messages = list(dict.fromkeys([event.message for _, _, event in spans]))  # in a storm, many are the same
    found = dict(
        zip(messages, recogniser.match_each(messages, log_group=log_group, service=service), strict=True)
    )
    return [
        _Recognised(first, end, Found(event, matches))
        for first, end, event in spans
        if (matches := found[event.message])
    ]
