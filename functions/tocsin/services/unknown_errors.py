"""Which of the unknown errors in an event are news, before anything of them is counted.

The order of writes makes a crash harmless. What is news is counted in the ledger first, as an occurrence of its alert,
and only then is the error known: an invocation that dies between the two is delivered again, finds the error as new as
before, and counts the same envelope, which the ledger counts once. So a first sighting is never swallowed because the
error is known already, and the alert is told once, as every alert is.

Bounded: of each error one sighting a minute is written by a process, and of two processes one is first; what comes
between is added to the next one. A service with very many new errors within an hour is told of as that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from tocsin.core.config.settings import Settings
from tocsin.core.errors.error_history import (
    HOUR,
    MAX_TEMPLATES,
    ErrorRecord,
    Observed,
    Sighting,
    is_due,
    observe,
)
from tocsin.core.errors.error_store import ErrorStore, MemoryErrorStore
from tocsin.core.matching.captured_fields import field_values
from tocsin.core.matching.fingerprint import fingerprint
from tocsin.core.matching.unknown_error import SIGNATURE, TEMPLATE
from tocsin.core.model import Match, Millis, Tally
from tocsin.core.signatures.signature import UNKNOWN_ERROR

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

MAX_NEW = 50
"""New errors of one service within an hour that one process tells apart."""
MAX_CACHED = 10_000
"""Errors that one process remembers."""
TOO_MANY = "(nearly every error is another one)"
"""Stands for the template where a service's new errors are too many to be told apart."""

Original = tuple[Tally, object]
"""A tally with the record of the event that it came from."""


@dataclass(slots=True)
class _Seen:
    """What this process remembers of an error: its record, and what it saw since and did not write."""

    record: ErrorRecord
    unwritten: int = 0


class UnknownErrors:
    """Decides which unknown errors are counted as occurrences, and remembers them all.

    Args:
        store: Makes the store on first need; None for one in memory.
        settings: How long an alert must be quiet to be over, and how long every error is taken as known.
    """

    def __init__(self, store: Callable[[], ErrorStore] | None, settings: Settings) -> None:
        self._store = store or cache(MemoryErrorStore)
        self._resolve_after, self._learning = settings.intervals.resolve_after, settings.errors.learning
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._new: dict[tuple[str, Millis], int] = {}
        self._since: Millis | None = None
        self._due: list[Observed] = []

    def sift(self, own: Sequence[Original], now: Millis) -> list[Original]:
        """Leave out what is known: the rest is to be counted, and then ``keep`` to be called.

        Args:
            own: The tallies of one service.
            now: The time.

        Raises:
            Exception: Whatever the store raises; nothing is decided then.
        """
        self._due = []
        kept: list[Original] = []
        flood: Original | None = None
        for tally, original in own:
            if tally.signature != UNKNOWN_ERROR:
                kept.append((tally, original))
            elif self._is_too_many(tally, now):
                flood = (_joined(flood[0] if flood else None, tally), original)
            elif counted := self._weighed(tally, now):
                kept.append((counted, original))
        if flood and (counted := self._weighed(flood[0], now)):
            kept.append((counted, flood[1]))
        return kept

    def keep(self) -> None:
        """Remember what ``sift`` decided, once all that it left has been counted.

        Raises:
            Exception: Whatever the store raises; the same event again does no harm.
        """
        due, self._due = self._due, []
        for observed in due:
            record = observed.record
            if len(self._seen) > MAX_CACHED:
                self._seen.clear()
            was_kept = self._store().put(record)
            if was_kept and record.version == 1:
                self._store().forget(record.service, MAX_TEMPLATES)
            # Where another process was first, what it wrote is read at the next sighting after this minute.
            self._seen[record.service, record.id] = _Seen(record if was_kept else replace(record, version=0))

    def _weighed(self, tally: Tally, now: Millis) -> Tally | None:
        """The tally as it is to be counted; None where the error is known, or was written this minute."""
        key = (tally.service, tally.fingerprint)
        seen = self._seen.get(key)
        if seen is not None and not is_due(seen.record, now):
            seen.unwritten += tally.count
            return None
        before = seen.record if seen and seen.record.version else self._store().get(*key)
        if before is None:
            if len(self._new) > MAX_CACHED:
                self._new.clear()
            self._new[key[0], now // HOUR] = self._new.get((key[0], now // HOUR), 0) + 1
        count = tally.count + (seen.unwritten if seen else 0)
        sighting = Sighting(
            tally.fingerprint, tally.service, tally.fields[TEMPLATE], tally.sample, tally.log_group, count
        )
        observed = observe(
            before, sighting, now, resolve_after=self._resolve_after, learning=self._is_learning(now)
        )
        self._due.append(observed)
        return replace(tally, count=count) if observed.notifies else None

    def _is_learning(self, now: Millis) -> bool:
        if not self._learning:
            return False
        if self._since is None:
            self._since = self._store().learning_since(now)
        return now < self._since + self._learning

    def _is_too_many(self, tally: Tally, now: Millis) -> bool:
        """Whether a tally is of an error that this process does not know, in a service with very many of these."""
        if tally.fields[TEMPLATE] == TOO_MANY:
            return True
        if (tally.service, tally.fingerprint) in self._seen:
            return False
        return self._new.get((tally.service, now // HOUR), 0) >= MAX_NEW


def fields_of(match: Match, message: str, extra: Sequence[Rule], *, few: bool) -> dict[str, str]:
    """The fields of a match as they may be stored and shown.

    Args:
        match: What was recognised; an unknown error was redacted before its template was made.
        message: The event's message, as it came.
        extra: The deployment's own rules of redaction.
        few: Whether its alert can be told apart from others of its signature.
    """
    if match.signature == UNKNOWN_ERROR:
        return dict(match.fields) if few else {TEMPLATE: TOO_MANY}
    return field_values(match, message, extra) if few else {}


def _joined(flood: Tally | None, tally: Tally) -> Tally:
    """The tally of all that cannot be told apart, with one more."""
    if flood is not None:
        return replace(
            flood,
            count=flood.count + tally.count,
            first_seen=min(flood.first_seen, tally.first_seen),
            last_seen=max(flood.last_seen, tally.last_seen),
        )
    fields = {TEMPLATE: TOO_MANY}
    return replace(tally, fields=fields, fingerprint=fingerprint(SIGNATURE, tally.service, fields))
