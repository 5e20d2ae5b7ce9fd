"""What the events of one stream hold, when nearly none of them is read: the suspects, and what is near them.

Each step is that of ``recognition`` on a few events around a suspect. Where its answer may depend on an event beyond
these, it is taken again with more of them; where it would take very many, there is no answer, and all are read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from tocsin.core.ingest.raw_events import RawEvents
from tocsin.core.matching.crash_lines import crash_spans, put_together, span_start, span_with
from tocsin.core.matching.invocations import (
    Found,
    invocation_end,
    invocation_start,
    once_per_invocation,
)
from tocsin.core.matching.recogniser import Recogniser
from tocsin.core.model import LogEvent

REACHES = (3, 12, 48, 192)
"""Events on either side that are read around a suspect, first and at last."""


class NearSpan(NamedTuple):
    """A suspect with the other lines of its crash.

    Attributes:
        start: Where it begins in the envelope's bytes.
        last: Where its last event begins.
        event: It, put together.
    """

    start: int
    last: int
    event: LogEvent


def spans_near(events: RawEvents) -> list[NearSpan] | None:
    """The suspects; None where a crash reaches too far to be told from what is near.

    Args:
        events: The events of one stream.
    """
    answer: list[NearSpan] = []
    for suspect in events.suspects:
        if answer and suspect <= answer[-1].last:
            continue  # a line of the crash before
        span = _span_near(events, suspect)
        if span is None:
            return None
        answer.append(span)
    return answer


def _span_near(events: RawEvents, suspect: int) -> NearSpan | None:
    for reach in REACHES:
        near = events.around(suspect, reach)
        place = near.starts.index(suspect)
        start = span_start(near.events, place, 0)
        if start == 0 and not near.begins:
            continue
        first, end = span_with(near.events, start, place)
        if end + 1 < len(near.events) or near.ends:
            event = put_together(near.events, first, end)
            return NearSpan(near.starts[first], near.starts[end - 1], event)
    return None


def once_each(
    events: RawEvents, spans: list[NearSpan], found: list[Found], recogniser: Recogniser
) -> list[Found] | None:
    """The same as `once_per_invocation` of all events; None where an invocation is too long for that.

    Args:
        events: The events of one stream.
        spans: Where something was recognised.
        found: What was, in each.
        recogniser: Says what explains what.
    """
    answer: list[Found] = []
    taken, floor = 0, -1
    while taken < len(spans):
        after = _next_invocation(events, spans[taken])
        if after is None:
            return None
        begun = taken
        while taken < len(spans) and spans[taken].start < after:
            taken += 1
        here = {spans[number].start: found[number] for number in range(begun, taken)}
        if len(here) == len(found[begun].matches) == 1:
            answer.append(found[begun])  # nothing that could have been said twice
        else:
            whole = _invocation(events, spans[begun], here, floor, after)
            if whole is None:
                return None
            answer += once_per_invocation(whole, recogniser.explains, recogniser.catches_all)
        floor = after
    return answer


def _next_invocation(events: RawEvents, span: NearSpan) -> int | None:
    """Where, in the bytes, another invocation certainly begins after a suspect; the end of them where none does."""
    for reach in REACHES:
        near = events.around(span.last, reach)
        stop = invocation_end(near.events, near.starts.index(span.last) + 1)
        if stop < len(near.events):
            return near.starts[stop]
        if near.ends:
            return len(events.raw)
    return None


def _invocation(
    events: RawEvents, span: NearSpan, found: Mapping[int, Found], floor: int, after: int
) -> list[Found] | None:
    """All events of what may be one invocation, or a few.

    Args:
        events: The events of one stream.
        span: The first suspect in it.
        found: What was recognised in it, by where that begins.
        floor: Where an invocation is known to begin; -1 for the beginning.
        after: Where the next one does.
    """
    for reach in REACHES:
        near = events.around(span.start, reach)
        place, stop = near.starts.index(span.start), bisect_left(near.starts, after)
        begun = invocation_start(near.events, place, min(place, bisect_left(near.starts, floor)))
        if (stop + 1 < len(near.events) or near.ends) and (begun > 0 or near.begins):
            return [
                found.get(near.starts[first]) or Found(put_together(near.events, first, end), ())
                for first, end in crash_spans(near.events, begun, stop)
            ]
    return None
