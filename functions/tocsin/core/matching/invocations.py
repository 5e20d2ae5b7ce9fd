"""One failed invocation, one count: what Lambda says several times about one failure is one occurrence.

A time-out is a ``Task timed out`` and a ``REPORT … Status: timeout``; a death is ``Runtime exited``, a
``platform.runtimeDone`` and a ``platform.report``; a failed start is a ``LAMBDA_WARNING``, an ``[ERROR]`` and an
``INIT_REPORT``, each of them twice. What the application logs itself counts as it stands, but for one thing: a failure
that has a name is often logged again on its way out, without it (``ERROR request failed``, then the crash of a wrapper).
What nothing but a catch-all recognises is left out where the same invocation names its failure within a second.
No state is kept of invocations: of what lies in two envelopes, only what the platform says of one request by itself is
counted once (``stated_attempt``).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tocsin.core.lazy_expressions import lazy, lazy_re2
from tocsin.core.matching.crash_lines import may_go_on
from tocsin.core.model import LogEvent, Match, Millis

SAME_FAILURE: Millis = 1_000
"""Between the lines of one failure in one invocation; what comes later may be another one."""

ATTEMPT: Millis = 10_000
"""More than lies between the platform's statements about one attempt, and less than Lambda waits before a retry."""


class Found(NamedTuple):
    """An event with what was recognised in it."""

    event: LogEvent
    matches: Sequence[Match]


_STATEMENT = lazy_re2(
    r"(?:INIT_REPORT|RESTORE_REPORT|REPORT)\s|RequestId: \S+ (?:Error:|Process exited)|[^\n]{0,120}\bTask timed out after |"
    r"[^\n]{0,120}\bLAMBDA_WARNING: |[^\n]{0,200}\"type\":\s?\"platform\."
)
"""What the platform says about an invocation or a start."""
_STATEMENT_WORDS = ("REPORT", "RequestId: ", "Task timed out after ", "LAMBDA_WARNING: ", '"platform.')
"""One of which is in whatever `_STATEMENT` finds: most lines have none, and need it not compiled."""
_CRASH = lazy_re2(
    r"\[ERROR\] [A-Z]|[^\n]{0,120}\tERROR\t(?:Uncaught Exception|Invoke Error|Unhandled Promise Rejection)\b|"
    r"\{[^\n]{0,120}\"log_level\":\s?\"ERROR\""
)
"""What the runtime says when the handler, or its import, failed."""
_NOT_OWN = lazy_re2(
    r"REPORT\s|RequestId: |Task timed out after |LAMBDA_WARNING: |\"type\":\s?\"platform\.|\[ERROR\] [A-Z]|\tERROR\t|\"log_level\""
)
"""What is in each line that one of the two recognises, and in some others."""
_BEGINS = lazy_re2(r"START RequestId:|INIT_START\b|[^\n]{0,200}\"type\":\s?\"platform\.(?:start|initStart)\"")
_STARTS = lazy_re2(r"START RequestId:|[^\n]{0,200}\"type\":\s?\"platform\.start\"")
_REQUEST = lazy_re2(r"(?i)(?:\brequestId[\"\s:]{1,4}|\dZ\s+)([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")


_MAX_NAMED = 400
"""Characters of an event within which its invocation is named."""
_NAMED = lazy_re2(
    r"(?i:requestId)[\"\s:]{1,4}(?i:[0-9a-f]{8}-)|\dZ\s+(?i:[0-9a-f]{8}-)|START RequestId:|INIT_START|\"platform\.(?:start|initStart)"
)
_USUAL_NAME = lazy(
    r"(?:(?:START|END|REPORT) RequestId: |(?:\[[A-Z]{3,9}\]\t)?[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z[\t ])"
    r"([0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
)
"""What `_REQUEST` finds where a line begins as Lambda's own and those of its runtimes do; of bounded length, and found faster."""
_MAY_START = ("START RequestId:", "{")
_BLANKS_AFTER_Z = ("z\t", "z ", "z\n", "z\r", "z\f")


def name_invocations(events: Iterable[LogEvent]) -> bool:
    """Whether any of some events may name an invocation, or begin one; False is certain."""
    return _NAMED.search("\x1e".join([event.message for event in events])) is not None


def _name_in(message: str) -> str:
    """The invocation that an event names; empty where it names none."""
    usual = _USUAL_NAME.match(message)
    if usual is not None:
        return usual[1].lower()
    head = message[:_MAX_NAMED]
    lower = head.lower()
    if "requestid" not in lower and not any(blank in lower for blank in _BLANKS_AFTER_Z):
        return ""
    found = _REQUEST.search(head.encode("utf-8", "replace"))
    return found.group(1).decode().lower() if found else ""


def _may_begin(message: str) -> bool:
    return message.startswith(("START RequestId:", "INIT_START")) or "platform." in message[:_MAX_NAMED]


def may_say_twice(found: Iterable[Found], catches_all: Callable[[str], bool]) -> bool:
    """Whether `once_per_invocation` may leave out any of some events, in whatever invocations they are.

    Only what the platform or the runtime says is said again, and only what has no name where something has one.

    Args:
        found: The events with a match.
        catches_all: Whether a signature recognises whatever has no name.
    """
    signatures = {match.signature for one in found for match in one.matches}
    if len({catches_all(signature) for signature in signatures}) > 1:
        return True
    return _NOT_OWN.search("\x1e".join({one.event.message for one in found})) is not None


def invocation_end(events: Sequence[LogEvent], place: int) -> int:
    """The nearest place, from one on, at which another invocation certainly begins; the end where none does.

    Args:
        events: Events of one stream in their order.
        place: Where to go on from: a place at which a span of `crash_spans` begins, or the end.
    """
    for near in range(place, len(events)):
        if _may_start(events[near].message) and _changes(events, near):
            return near
    return len(events)


def invocation_start(events: Sequence[LogEvent], place: int, floor: int) -> int:
    """The nearest place, going back, at which an invocation certainly begins.

    Args:
        events: Events of one stream in their order.
        place: Where to go back from.
        floor: A place at which one is known to begin: an answer of `invocation_end`, or the beginning.
    """
    for near in range(place, floor, -1):
        if _may_start(events[near].message) and _changes(events, near):
            return near
    return floor


def _may_start(message: str) -> bool:
    return message.startswith(_MAY_START) and (message[0] == "S" or "platform.start" in message[:_MAX_NAMED])


def _changes(events: Sequence[LogEvent], place: int) -> bool:
    """Whether an invocation begins with a ``START`` whatever came before: right after a line of another one.

    None of the lines around it may be part of a crash, of which only the first line's name would count.
    """
    if place < 2:
        return False
    here, before = _name_in(events[place].message), _name_in(events[place - 1].message)
    return (
        bool(here and before)
        and here != before
        and not may_go_on(events[place].message)
        and not may_go_on(events[place - 1].message)
        and not may_go_on(events[place - 2].message)
    )


def stated_attempt(message: str, at: Millis) -> str:
    """The attempt at a request that a line is the platform's statement about; empty for any other line.

    Where it is the only line of its alert in an envelope, it is counted under this name, so that ``Task timed out`` at the
    end of one envelope and its ``REPORT`` at the beginning of the next are one. A retry, which Lambda makes under the same
    request id after a minute and after two (Lambda Developer Guide, "Error handling for asynchronous invocation"), is
    another attempt.

    Args:
        message: The line.
        at: When it was written.
    """
    states = any(word in message for word in _STATEMENT_WORDS) and _STATEMENT.match(message)
    request = _name_in(message) if states else ""
    return f"{request}/{at // ATTEMPT}" if request else ""


def once_per_invocation(
    found: Sequence[Found], explains: Callable[[str, str], bool], catches_all: Callable[[str], bool]
) -> list[Found]:
    """Leave out what one invocation says again about one failure.

    Args:
        found: Events of one stream in their order, all of them: those without a match tell where invocations begin.
        explains: Whether one signature (its id) explains another, as within one line.
        catches_all: Whether a signature recognises whatever has no name.

    Returns:
        The events that still have a match.
    """
    answer: list[Found] = []
    segment: list[Found] = []
    request, started, begun = "", False, False
    for one in found:
        message = one.event.message
        name = _name_in(message)
        begins = _may_begin(message) and bool(_BEGINS.match(message))
        if (begins and started) or (name and request and name != request):
            answer += _once(segment, explains, catches_all, begun=begun, known=bool(request))
            segment, request, started, begun = [], "", False, False
        begun = begun or begins
        request = request or name
        started = started or (begins and bool(_STARTS.match(message)))
        if one.matches:
            segment.append(one)
    return answer + _once(segment, explains, catches_all, begun=begun, known=bool(request))


def _once(
    segment: list[Found],
    explains: Callable[[str, str], bool],
    catches_all: Callable[[str], bool],
    *,
    begun: bool,
    known: bool,
) -> list[Found]:
    """Leave out what is said again in what may be one invocation.

    Args:
        segment: The events with a match, up to where another invocation begins.
        explains: Whether one signature explains another.
        catches_all: Whether a signature recognises whatever has no name.
        begun: Whether its beginning was seen: then everything in it is of one invocation, and one failure explains another.
        known: Whether its request was named: then at least the platform's statements are. A filter may have kept the
            beginnings back, and two crashes in a row are then two.
    """
    if not (begun or known):
        return segment
    kinds = [_kind(one.event.message, begun=begun) for one in segment]
    # Where each signature is said, in the order of who says it best: the application, the runtime, the platform; of two
    # of a kind the one with more fields.
    places: dict[str, list[tuple[int, int, int]]] = {}
    for place, one in enumerate(segment):
        for match in one.matches:
            places.setdefault(match.signature, []).append((kinds[place], -len(match.fields), place))
    named = _named(segment, kinds, catches_all) if begun and known else {}
    answer = []
    for place, one in enumerate(segment):
        kept: Sequence[Match] = [
            match
            for match in one.matches
            if not (
                catches_all(match.signature) and _is_named_near(one.event.timestamp, match, named, explains)
            )
        ]
        if kinds[place] != _OWN:
            kept = [
                match
                for match in kept
                if min(places[match.signature])[2] == place
                and not (
                    kinds[place] == _STATED
                    and begun
                    and any(explains(other, match.signature) for other in places if other != match.signature)
                )
            ]
        if kept:
            answer.append(one._replace(matches=kept))
    return answer


def _named(
    segment: list[Found], kinds: list[int], catches_all: Callable[[str], bool]
) -> dict[str, list[Millis]]:
    """What the application and the runtime say by name, and when, in order: the platform says how it ended, not why."""
    named: dict[str, list[Millis]] = {}
    for kind, one in zip(kinds, segment, strict=True):
        for match in one.matches:
            if kind != _STATED and not catches_all(match.signature):
                named.setdefault(match.signature, []).append(one.event.timestamp)
    return {name: sorted(times) for name, times in named.items()}


def _is_named_near(
    at: Millis, match: Match, named: dict[str, list[Millis]], explains: Callable[[str, str], bool]
) -> bool:
    """Whether something that explains a match was said about when it was."""
    for name, times in named.items():
        near = bisect_left(times, at - SAME_FAILURE)
        if near < len(times) and times[near] <= at + SAME_FAILURE and explains(name, match.signature):
            return True
    return False


def _kind(message: str, *, begun: bool) -> int:
    if _STATEMENT.match(message):
        return _STATED
    return _CRASHED if begun and _CRASH.match(message) else _OWN


_OWN, _CRASHED, _STATED = range(3)
"""Who says it: the application itself, the runtime about the handler, the platform about the invocation."""
