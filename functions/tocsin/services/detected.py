"""What one event came to: counts and reasons, for the answer, the log and the metrics; never a log line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from msgspec import Struct, field

from tocsin.core.absence.watch import Observation
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
        observations: Signs of life and of work, by service and signature, with the records, as they came, that had them.
        heartbeats: Heartbeats passed on; no occurrences, and nothing is logged about them.
        line_ages: How old the newest and the oldest line were when the envelopes with something in them arrived.
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
    observations: dict[tuple[str, str], tuple[Observation, list[object]]] = field(default_factory=dict)
    heartbeats: int = 0
    line_ages: tuple[Millis, Millis] | None = None

    def arrived(self, times: Collection[Millis], now: Millis) -> None:
        """Note how old the first and the last line of an envelope, which come in their order, are now.

        A writer's clock that is ahead makes none younger than 0.
        """
        newest, oldest = max(0, now - max(times)), max(0, now - min(times))
        known = self.line_ages or (newest, oldest)
        self.line_ages = min(known[0], newest), max(known[1], oldest)

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
