"""Which of the unknown errors in an event are news, before anything of them is counted.

The order of writes makes a crash harmless. What is news is counted in the ledger first, as an occurrence of its alert,
and only then is the error known: an invocation that dies between the two is delivered again, finds the error as new as
before, and counts the same envelope, which the ledger counts once. So a first sighting is never swallowed because the
error is known already, and the alert is told once, as every alert is.

Bounded: a process writes once a minute for each error, whatever the rate, and of two processes one is first; what comes
between is added to the next write. What goes on from minute to minute and belongs to an alert, or once an hour to the
digest, has two places to be written to, and each minute one of them is: first its occurrence, a minute later what is
known of it. Both are written in one minute only where nothing was in the minute before, above all at the first
sighting. A service with very many new errors within an hour is told of as that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from tocsin.core.config.settings import Settings
from tocsin.core.errors.error_history import (
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
from tocsin.core.matching.unknown_error import SIGNATURE
from tocsin.core.model import TEST_MODE_GROUP, Match, Millis, OccurrenceCount
from tocsin.core.signatures.signature import NEWS, TEMPLATE, UNKNOWN_ERROR
from tocsin.core.times import DAY, HOUR, MINUTE

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

MAX_NEW = 20
"""New errors of one service within an hour that one process tells apart."""
MAX_LEARNED = 500
"""The same while Tocsin learns: nobody is told of them."""
MAX_CACHED = 10_000
"""Errors that one process remembers."""
MAX_ENVELOPES = 1_000
"""Envelopes of one error that a process remembers, to add each to its count once."""
TOO_MANY = "(nearly every error is another one)"
"""Stands for the template where a service's new errors are too many to be told apart."""

Original = tuple[OccurrenceCount, object]
"""An occurrence count with the record of the event that it came from."""


class _Seen(Struct):
    """What this process remembers of an error.

    Attributes:
        record: What is known of it, as of the last write of either kind. Its version is that of the stored one; 0 where
            another process has written since.
        unwritten: How often it was seen since.
        uncounted: How often before that, and its alert was not given it yet.
        is_behind: Whether what is stored lacks what the last write, which was its alert's, made of the record.
        envelopes: In which envelopes it was seen since the last write, and in that of the write.
    """

    record: ErrorRecord
    unwritten: int = 0
    uncounted: int = 0
    is_behind: bool = False
    envelopes: set[str] = field(default_factory=set)


class _Decided(NamedTuple):
    """What ``keep`` is to remember of an error.

    Attributes:
        record: What is known of it now.
        envelope: In which envelope it was seen.
        stored: Whether the record is written; else its occurrence was.
        uncounted: How often it was seen that its alert was not given yet.
    """

    record: ErrorRecord
    envelope: str
    stored: bool
    uncounted: int


class UnknownErrors:
    """Decides which unknown errors are counted as occurrences, and remembers them all.

    Args:
        store: Makes the store on first need; None for one in memory.
        settings: How long an alert must be quiet to be over, and how long what is new goes to the digest.
    """

    def __init__(self, store: Callable[[], ErrorStore] | None, settings: Settings) -> None:
        self._store = store or cache(MemoryErrorStore)
        self._resolve_after, self._learning = settings.intervals.resolve_after, settings.errors.learning
        self._has_digest = settings.intervals.digest_interval > 0
        self._seen: dict[str, _Seen] = {}
        self._new: dict[tuple[str, Millis], int] = {}
        self._since: Millis | None = None
        self._due: list[_Decided] = []
        self._read: dict[str, ErrorRecord | None] = {}

    def remembers(self, error: str) -> bool:
        """Whether this process has an example of an error (its fingerprint) already."""
        return error in self._seen

    def sift(self, own: Sequence[Original], now: Millis) -> list[Original]:
        """Leave out what is known: the rest is to be counted, and then ``keep`` to be called.

        Args:
            own: The occurrence counts of one service.
            now: The time.

        Returns:
            Those that are no unknown errors, those that are news, and, once an hour, those that the digest is given.

        Raises:
            Exception: Whatever the store raises; nothing is decided then.
        """
        self._due, self._read = [], {}
        kept: list[Original] = []
        errors: dict[str, Original] = {}
        for counted, original in own:
            if counted.signature != UNKNOWN_ERROR:
                kept.append((counted, original))
                continue
            one = self._told_apart(counted, now)
            before = errors.get(one.fingerprint)
            errors[one.fingerprint] = (_plus(before[0], one), before[1]) if before else (one, original)
        for counted, original in errors.values():
            due = self._weighed(counted, now)
            if due is not None:
                kept.append((due, original))
        return kept

    def keep(self) -> None:
        """Remember what ``sift`` decided, once all that it left has been counted.

        Raises:
            Exception: Whatever the store raises; the same event again does no harm.
        """
        due, self._due = self._due, []
        for record, envelope, stored, uncounted in due:
            if len(self._seen) > MAX_CACHED:
                self._seen.clear()
            if not stored:
                kept = replace(record, version=record.version - 1)
            elif self._store().put(record):
                kept = record
                if record.version == 1:
                    self._store().forget(record.service, MAX_TEMPLATES)
            else:  # another process was first: what it wrote is read at the next sighting after this minute
                kept = replace(record, version=0)
            self._seen[record.id] = _Seen(
                kept, uncounted=uncounted, is_behind=not stored, envelopes={envelope}
            )

    def _weighed(self, counted: OccurrenceCount, now: Millis) -> OccurrenceCount | None:
        """What is to be counted in the ledger; None where the error is known, or was written this minute."""
        seen = self._seen.get(counted.fingerprint)
        if seen is not None and counted.envelope in seen.envelopes:
            return None  # delivered again
        if seen is not None and not is_due(seen.record, now):
            seen.unwritten += counted.count
            if len(seen.envelopes) < MAX_ENVELOPES:
                seen.envelopes.add(counted.envelope)
            return None
        is_cached = seen is not None and seen.record.version > 0
        before = seen.record if seen and is_cached else self._stored(counted)
        count = counted.count + (seen.unwritten if seen else 0)
        sample = counted.sample or (before.example if before else "")
        sighting = Sighting(
            counted.fingerprint,
            counted.service,
            counted.fields[TEMPLATE],
            sample,
            counted.origin.log_group,
            count,
        )
        observed = self._observed(before, sighting, now)
        if observed.news and is_cached:
            # Another process may have seen it since: what is announced is decided on what the store says now.
            observed = self._observed(self._stored(counted), sighting, now)
        counts, stores = self._places(before, seen, observed, now)
        uncounted = count + (seen.uncounted if seen else 0) if observed.notifies else 0
        self._due.append(_Decided(observed.record, counted.envelope, stores, 0 if counts else uncounted))
        if not counts:
            return None
        if observed.notifies:
            told = {**counted.fields, NEWS: observed.record.state.value}
            return replace(counted, count=uncounted, sample=sample, fields=told)
        return replace(
            counted,
            count=observed.for_digest,
            sample=sample,
            service=TEST_MODE_GROUP,
            origin_service=counted.service,
            learned=observed.learned,
            learning_until=self._learning_until(now) if self._is_learning(now) else 0,
        )

    def _places(
        self, before: ErrorRecord | None, seen: _Seen | None, observed: Observed, now: Millis
    ) -> tuple[bool, bool]:
        """Whether a sighting's occurrence is counted, and whether what is known now is stored; one of them at least.

        What is only counted is stored a minute later, or at the next sighting; a process that dies before takes
        with it only counts, for what was written less than two minutes ago is known to the others already.
        """
        if not observed.notifies and not (observed.for_digest and self._has_digest):
            return False, True
        if before is None or now // MINUTE - before.last_seen // MINUTE > 1:
            return True, True
        waits = seen is not None and seen.is_behind and observed.notifies and not observed.news
        return not waits, waits

    def _observed(self, before: ErrorRecord | None, sighting: Sighting, now: Millis) -> Observed:
        return observe(
            before, sighting, now, resolve_after=self._resolve_after, learning=self._is_learning(now)
        )

    def _stored(self, counted: OccurrenceCount) -> ErrorRecord | None:
        """What the store says of an error, asked once for each event."""
        error = counted.fingerprint
        if error not in self._read:
            self._read[error] = self._store().get(counted.service, error)
        return self._read[error]

    def _is_learning(self, now: Millis) -> bool:
        return bool(self._learning) and now < self._learning_until(now)

    def _learning_until(self, now: Millis) -> Millis:
        if self._since is None:
            self._since = self._store().learning_since(now)
        return self._since + self._learning

    def _told_apart(self, counted: OccurrenceCount, now: Millis) -> OccurrenceCount:
        """The occurrence count; as one of too many where its service has very many errors that were not known.

        A service that was told of as that stays so until it has been quiet for a day: once, not once an hour.
        """
        if counted.fields[TEMPLATE] == TOO_MANY or counted.fingerprint in self._seen:
            return counted
        hour, most = (counted.service, now // HOUR), MAX_LEARNED if self._is_learning(now) else MAX_NEW
        flood = _flood(counted)
        if self._new.get(hour, 0) >= most:
            return flood
        if self._stored(counted) is not None:
            return counted
        if hour not in self._new:
            if len(self._new) > MAX_CACHED:
                self._new.clear()
            before = self._stored(flood)
            self._new[hour] = most if before is not None and now - before.last_seen < DAY else 0
        self._new[hour] += 1
        return flood if self._new[hour] > most else counted


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


def _flood(counted: OccurrenceCount) -> OccurrenceCount:
    """The occurrence count as one of all that are too many to be told apart."""
    fields = {TEMPLATE: TOO_MANY}
    return replace(counted, fields=fields, fingerprint=fingerprint(SIGNATURE, counted.service, fields))


def _plus(counted: OccurrenceCount, other: OccurrenceCount) -> OccurrenceCount:
    return replace(
        counted,
        count=counted.count + other.count,
        first_seen=min(counted.first_seen, other.first_seen),
        last_seen=max(counted.last_seen, other.last_seen),
    )
