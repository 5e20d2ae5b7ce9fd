"""What the events of one stream hold: only suspects are looked at, and of the others no more than these need.

A suspect is an event in which one search over all messages found something that a signature asks for. What belongs to
it is looked at with it: the other lines of the same crash, and, where more than one thing was recognised, the
invocation that said it. The answer is that of looking at every event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tocsin.core.ingest.raw_events import RawEvents
from tocsin.core.matching.crash_lines import crash_spans, put_together, span_start, span_with, stands_alone
from tocsin.core.matching.invocations import (
    Found,
    invocation_end,
    invocation_start,
    may_say_twice,
    name_invocations,
    once_per_invocation,
)
from tocsin.core.matching.near_suspects import once_each, spans_near
from tocsin.core.matching.recogniser import Recogniser
from tocsin.core.model import LogEvent


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
    if isinstance(events, RawEvents):
        found = _recognised_near(events, recogniser, log_group, service)
        if found is not None:
            return found
        events = events.all()
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


def _recognised_near(
    events: RawEvents, recogniser: Recogniser, log_group: str, service: str
) -> list[Found] | None:
    """The same of events of which only suspects are read; None where that does not do."""
    spans = spans_near(events)
    if spans is None:
        return None
    messages = [span.event.message for span in spans]
    matches = recogniser.match_each(messages, log_group=log_group, service=service)
    kept = [number for number, each in enumerate(matches) if each]
    found = [Found(spans[number].event, matches[number]) for number in kept]
    if sum(len(each.matches) for each in found) <= 1 or not may_say_twice(found, recogniser.catches_all):
        return found
    return once_each(events, [spans[number] for number in kept], found, recogniser)


def _in_suspects(
    events: Sequence[LogEvent], recogniser: Recogniser, log_group: str, service: str
) -> list[_Recognised]:
    """What is recognised in each suspect, with the other lines of its crash."""
    spans: list[tuple[int, int, LogEvent]] = []
    done = 0
    messages = [event.message for event in events]
    for place in recogniser.suspects(messages):
        if place < done:
            continue  # a line of the crash before
        if stands_alone(messages, place):
            first, end = place, place + 1
        else:
            first, end = span_with(events, span_start(events, place, done), place)
        spans.append((first, end, put_together(events, first, end)))
        done = end
    found = recogniser.match_each(
        [event.message for _, _, event in spans], log_group=log_group, service=service
    )
    return [
        _Recognised(first, end, Found(event, matches))
        for (first, end, event), matches in zip(spans, found, strict=True)
        if matches
    ]
