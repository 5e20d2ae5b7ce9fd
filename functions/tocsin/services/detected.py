"""What one event came to: counts and reasons, for the answer, the log and the metrics; never a log line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from msgspec import Struct, field

from tocsin.core.model import Millis


class Detected(Struct):
    """What one event came to.

    Attributes:
        records: Records in the event.
        events: Log events looked at one by one; none where the raw bytes told that nothing could match.
        occurrences: Occurrences by signature, duplicates not counted.
        redactions: What was hidden in the samples and fields of these; of known alerts none is kept.
        duplicates: Occurrence counts that had been counted before.
        changes: Changes of stacks and functions that were kept.
        ignored: Why records were passed over.
        dead_lettered: What was wrong with the records that could not be read.
        sent: Reasons of the notifications published, by service.
        failures: What went wrong with AWS; the caller raises it so that the event is delivered again.
        unfinished: The records, as they came, that these failures left undone; what came by a stream is asked for
            again one by one.
        heartbeats: Heartbeats passed on; no occurrences, and nothing is logged about them.
        line_ages: How old the newest and the oldest line were when the envelopes with something in them arrived, in
            milliseconds.
    """

    records: int = 0
    events: int = 0
    occurrences: Counter[str] = field(default_factory=Counter)
    redactions: int = 0
    duplicates: int = 0
    changes: int = 0
    ignored: list[str] = field(default_factory=list)
    dead_lettered: list[str] = field(default_factory=list)
    sent: dict[str, list[str]] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    unfinished: list[object] = field(default_factory=list)
    heartbeats: int = 0
    line_ages: tuple[Millis, Millis] | None = None

    def summary(self) -> dict[str, Any]:
        """What the function answers and logs: counts and reasons, never a log line."""
        return {
            "records": self.records,
            "events": self.events,
            "occurrences": dict(self.occurrences),
            "duplicates": self.duplicates,
            "changes": self.changes,
            "ignored": self.ignored,
            "dead_lettered": self.dead_lettered,
            "sent": self.sent,
            "failures": [repr(error) for error in self.failures],
        }


def added_up(results: Iterable[Detected]) -> Detected:
    """What several parts of an event came to, as one."""
    total = Detected()
    for one in results:
        total.records += one.records
        total.events += one.events
        total.occurrences.update(one.occurrences)
        total.redactions += one.redactions
        total.duplicates += one.duplicates
        total.changes += one.changes
        total.heartbeats += one.heartbeats
        total.ignored += one.ignored
        total.dead_lettered += one.dead_lettered
        total.failures += one.failures
        total.unfinished += one.unfinished
        for service, reasons in one.sent.items():
            total.sent.setdefault(service, []).extend(reasons)
        if one.line_ages:
            newest, oldest = total.line_ages or one.line_ages
            total.line_ages = min(newest, one.line_ages[0]), max(oldest, one.line_ages[1])
    return total


def line_ages(first: Millis, last: Millis, now: Millis) -> tuple[Millis, Millis]:
    """How old the newest and the oldest line of an envelope are; a writer's clock that is ahead makes none younger than 0.

    Args:
        first: When its first line was written.
        last: When its last one was.
        now: The time.
    """
    return max(0, now - max(first, last)), max(0, now - min(first, last))
