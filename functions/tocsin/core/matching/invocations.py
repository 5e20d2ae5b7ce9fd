"""One failed invocation, one count: what Lambda says several times about one failure is one occurrence.

A time-out is a ``Task timed out`` and a ``REPORT … Status: timeout``; a death is ``Runtime exited``, a
``platform.runtimeDone`` and a ``platform.report``; a failed start is a ``LAMBDA_WARNING``, an ``[ERROR]`` and an
``INIT_REPORT``, each of them twice. What the application logs itself counts as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import re2

from tocsin.core.model import LogEvent, Match


class Found(NamedTuple):
    """An event with what was recognised in it."""

    event: LogEvent
    matches: Sequence[Match]


_STATEMENT = re2.compile(
    r"(?:INIT_REPORT|RESTORE_REPORT|REPORT)\s|RequestId: \S+ (?:Error:|Process exited)|[^\n]{0,120}\bTask timed out after |"
    r"[^\n]{0,120}\bLAMBDA_WARNING: |[^\n]{0,200}\"type\":\s?\"platform\."
)
"""What the platform says about an invocation or a start."""
_CRASH = re2.compile(
    r"\[ERROR\] [A-Z]|[^\n]{0,120}\tERROR\t(?:Uncaught Exception|Invoke Error|Unhandled Promise Rejection)\b|"
    r"\{[^\n]{0,120}\"log_level\":\s?\"ERROR\""
)
"""What the runtime says when the handler, or its import, failed."""
_BEGINS = re2.compile(
    r"START RequestId:|INIT_START\b|[^\n]{0,200}\"type\":\s?\"platform\.(?:start|initStart)\""
)
_STARTS = re2.compile(r"START RequestId:|[^\n]{0,200}\"type\":\s?\"platform\.start\"")
_REQUEST = re2.compile(r"(?i)(?:\brequestId[\"\s:]{1,4}|\dZ\s+)([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})")


def once_per_invocation(found: Sequence[Found], explains: Callable[[str, str], bool]) -> list[Found]:
    """Leave out what one invocation says again about one failure.

    Args:
        found: Events of one stream in their order, all of them: those without a match tell where invocations begin.
        explains: Whether one signature (its id) explains another, as within one line.

    Returns:
        The events that still have a match.
    """
    answer: list[Found] = []
    segment: list[Found] = []
    request, started = "", False
    for one in found:
        message = one.event.message
        told = _REQUEST.search(message[:400])
        name = told.group(1).lower() if told else ""
        begins = bool(_BEGINS.match(message))
        if (begins and started) or (name and request and name != request):
            answer += _once(segment, explains)
            segment, request, started = [], "", False
        request = request or name
        started = started or bool(_STARTS.match(message))
        if one.matches:
            segment.append(one)
    return answer + _once(segment, explains)


def _once(segment: list[Found], explains: Callable[[str, str], bool]) -> list[Found]:
    if len(segment) < 2:  # noqa: PLR2004 -- one event says nothing again
        return segment
    kinds = [
        "statement"
        if _STATEMENT.match(one.event.message)
        else "crash"
        if _CRASH.match(one.event.message)
        else "own"
        for one in segment
    ]
    own = {
        match.signature
        for one, kind in zip(segment, kinds, strict=True)
        if kind == "own"
        for match in one.matches
    }
    every = {match.signature for one in segment for match in one.matches}
    crashes = {
        match.signature
        for one, kind in zip(segment, kinds, strict=True)
        if kind == "crash"
        for match in one.matches
    }
    best: dict[str, int] = {}
    for place, (one, kind) in enumerate(zip(segment, kinds, strict=True)):
        for match in one.matches if kind != "own" else ():
            known = best.get(match.signature)
            # A crash says more than a statement, and of two of a kind the one that says more does.
            if known is None or (kind == "crash", len(match.fields)) > (
                kinds[known] == "crash",
                max(len(each.fields) for each in segment[known].matches if each.signature == match.signature),
            ):
                best[match.signature] = place
    answer = []
    for place, (one, kind) in enumerate(zip(segment, kinds, strict=True)):
        kept = one.matches
        if kind != "own":
            kept = [
                match
                for match in one.matches
                if match.signature not in own
                and best[match.signature] == place
                and not (
                    kind == "statement"
                    and any(
                        explains(other, match.signature) for other in (every | crashes) - {match.signature}
                    )
                )
            ]
        if kept:
            answer.append(one._replace(matches=kept))
    return answer
