"""Detecting: from any event that reaches ``detect`` to counted occurrences, and to a notification at once.

Most batches hold nothing: they are recognised as such on the raw bytes, before any JSON is parsed, and make no
AWS call. A batch that only adds to an alert known to this process makes one: the write that counts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from tocsin.core.absence.signs import LifeSigns
from tocsin.core.absence.watch import Mark, Watch, is_missing, is_worth_a_write, merged
from tocsin.core.config.settings import Settings
from tocsin.core.error_place import place_of
from tocsin.core.incidents.folding import joins
from tocsin.core.incidents.trial import in_its_group
from tocsin.core.ingest.alarms import AlarmError, parse_alarm
from tocsin.core.ingest.change_events import ChangeError, is_of_stack, parse_change
from tocsin.core.ingest.envelopes import ControlMessage, parse_envelope
from tocsin.core.ingest.event_shapes import (
    AlarmRecord,
    BadRecord,
    ChangeRecord,
    IgnoredRecord,
    LogsRecord,
    Record,
    split_event,
)
from tocsin.core.ingest.inflation import EnvelopeError, inflate
from tocsin.core.matching.fingerprint import fingerprint
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import is_whole, joined_search
from tocsin.core.matching.unknown_error import ErrorFinder, with_unknown_error
from tocsin.core.model import (
    ON_TRIAL,
    AlarmChange,
    AlarmState,
    AlertState,
    ChangeKind,
    Envelope,
    Incident,
    LogEvent,
    Match,
    Millis,
    Tally,
)
from tocsin.core.redaction.sample import MARKER, WITHHELD, field_value, sample_of
from tocsin.core.signatures.heartbeat import HEARTBEAT
from tocsin.core.signatures.signature import Signature, Status
from tocsin.services.unknown_errors import UnknownErrors, fields_of

if TYPE_CHECKING:
    # Not at run time: settling brings all of rendering with it, which a batch without a match never needs.
    from tocsin.core.errors.error_store import ErrorStore
    from tocsin.services.heartbeat import HeartbeatRelay
    from tocsin.services.reconciliation import Settled, Settler


MOST_KINDS = 50
"""Alerts of one signature that one envelope can make; the rest are counted as one without fields. Each costs a
write, and whoever tries ten thousand user names must not keep this function from everything else."""

MOST_PARKED = 20
"""Log events of one envelope that are kept one by one when they cannot be read; the rest is kept as one record. Each
costs a call, and an envelope may hold ten thousand."""

MOST_KNOWN = 10_000
"""Alerts one process remembers."""


class FailureQueue(Protocol):
    """Where records that cannot be read are kept for people."""

    def park(self, record: object, error: str) -> None:
        """Keep a record with what is wrong with it; returns when it is safely there."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Where heartbeats come from and go to.

    Attributes:
        log_group: The one log group of Tocsin's own that is listened to, and only for the heartbeat.
        relay: Makes what passes a heartbeat on, on first need.
    """

    log_group: str
    relay: Callable[[], HeartbeatRelay]


@dataclass(slots=True)
class Detected:
    """What one event came to.

    Attributes:
        records: Records in the event.
        events: Log events looked at one by one; none where the raw bytes told that nothing could match.
        occurrences: Occurrences by signature, duplicates not counted.
        redactions: What was hidden in the samples and fields of these; of known alerts none is kept.
        duplicates: Tallies that had been counted before.
        changes: Changes of stacks and functions that were kept.
        ignored: Why records were passed over.
        parked: What was wrong with the records that could not be read.
        sent: Reasons of the notifications published, by service.
        failures: What went wrong with AWS; the caller raises it so that the event is delivered again.
        unfinished: The records, as they came, that these failures left undone; what came by a stream is asked for
            again one by one.
        marks: Signs of life and of work, by service and signature, with the records, as they came, that had them.
        heartbeats: Heartbeats passed on; no occurrences, and nothing is logged about them.
    """

    records: int = 0
    events: int = 0
    occurrences: Counter[str] = field(default_factory=Counter)
    redactions: int = 0
    duplicates: int = 0
    changes: int = 0
    ignored: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)
    sent: dict[str, list[str]] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)
    unfinished: list[object] = field(default_factory=list)
    marks: dict[tuple[str, str], tuple[Mark, list[object]]] = field(default_factory=dict)
    heartbeats: int = 0

    def summary(self) -> dict[str, Any]:
        """What the function answers and logs: counts and reasons, never a log line."""
        return {
            "records": self.records,
            "events": self.events,
            "occurrences": dict(self.occurrences),
            "duplicates": self.duplicates,
            "changes": self.changes,
            "ignored": self.ignored,
            "parked": self.parked,
            "sent": self.sent,
            "failures": [repr(error) for error in self.failures],
        }


class Detector:
    """Turns events into tallies and has them settled.

    Args:
        matcher: The signatures, compiled.
        signatures: The same signatures, by id.
        settings: Services and intervals.
        settler: Makes the settler on first need, so that a batch without a match needs no AWS client.
        failure_queue: Makes the failure queue on first need.
        own_log_groups: Log groups whose names begin with this are Tocsin's own and refused: what it logs about
            an alert must never raise one.
        region: The Region this runs in.
        heartbeats: Where heartbeats come from and go to; None where there are none.
        own_stack: The stack this belongs to: that it was deployed explains nobody's incident.
        error_store: Makes the store of unknown errors on first need; in memory if not given.
    """

    def __init__(  # noqa: PLR0913 - all but three by keyword, each with a meaning of its own
        self,
        matcher: Matcher,
        signatures: Mapping[str, Signature],
        settings: Settings,
        *,
        settler: Callable[[], Settler],
        failure_queue: Callable[[], FailureQueue],
        own_log_groups: str,
        region: str,
        heartbeats: Heartbeats | None = None,
        own_stack: str = "",
        error_store: Callable[[], ErrorStore] | None = None,
    ) -> None:
        self._matcher, self._settings = matcher, settings
        self._signatures = with_unknown_error(signatures)
        self._error_finder = ErrorFinder(signatures, settings.errors, settings.redaction)
        self._search = joined_search(matcher.raw_expression, self._error_finder.raw_expression)
        self._unknown_errors = UnknownErrors(error_store, settings)
        self._settler, self._failure_queue = settler, failure_queue
        self._own_log_groups, self._region = own_log_groups, region
        self._heartbeats, self._own_stack = heartbeats, own_stack
        self._known: dict[str, Millis] = {}
        self._life_signs = LifeSigns(signatures, settings.service_of_log_group)
        self._watches: dict[tuple[str, str], Watch] = {}

    def detect(self, event: object, now: Millis) -> Detected:
        """Count every occurrence in an event of any shape and tell at once what is new.

        Args:
            event: The Lambda event.
            now: The time.

        Raises:
            UnknownEventError: The event as a whole is of no known shape.
        """
        done = Detected()
        by_service: dict[str, list[tuple[Tally, object]]] = {}
        for record in split_event(event):
            done.records += 1
            for tally in self._from(record, now, done):
                by_service.setdefault(tally.service, []).append((tally, getattr(record, "original", None)))
        for mark, originals in done.marks.values():
            try:
                self._note(mark, now, done)
            except Exception as error:  # noqa: BLE001 - kept for the caller to raise; what failed is counted all the same
                done.failures.append(error)
                done.unfinished += originals
        for service, own in by_service.items():
            self._count_and_tell(service, own, now, done)
        return done

    def _from(self, record: Record, now: Millis, done: Detected) -> list[Tally]:
        """The tallies of one record; what is wrong with it stays its own trouble."""
        original = getattr(record, "original", None)
        try:
            match record:
                case LogsRecord():
                    return self._from_logs(record, now, done)
                case AlarmRecord():
                    return self._from_alarm(record, now, done)
                case ChangeRecord():
                    self._keep(record, now, done)
                case IgnoredRecord():
                    done.ignored.append(record.why)
                case BadRecord():
                    self._park(original, record.error, done, of=original)
        except (EnvelopeError, AlarmError, ChangeError) as error:
            self._park(original, str(error), done, of=original)
        except Exception as error:  # noqa: BLE001 - our own fault: it must not hold up a stream for hours
            self._park(original, f"cannot be processed: {_place_of(error)}", done, of=original)
        return []

    def _from_logs(self, record: LogsRecord, now: Millis, done: Detected) -> list[Tally]:
        raw = inflate(record.data)
        matches = self._search.might_match(raw)
        signs = self._life_signs.may_show(raw)
        if is_whole(raw) and not matches and not signs:
            return []
        parsed = parse_envelope(raw)
        if isinstance(parsed, ControlMessage):
            done.ignored.append("control message: CloudWatch Logs probing its destination")
            return []
        envelope, problems = parsed
        if self._heartbeats is not None and envelope.log_group == self._heartbeats.log_group:
            self._pass_on(envelope, self._heartbeats.relay, now, done)
            return []
        if envelope.log_group.startswith(self._own_log_groups):
            done.ignored.append(f"log group {envelope.log_group} is Tocsin's own")
            return []
        for problem in problems[:MOST_PARKED]:
            self._park(problem.original, f"{envelope.log_group}: {problem.error}", done, of=record.original)
        if rest := problems[MOST_PARKED:]:
            error = f"{envelope.log_group}: {len(rest):,} more like these, the first: {rest[0].error}"
            self._park([problem.original for problem in rest], error, done, of=record.original)
        done.events += len(envelope.events)
        if signs:
            self._gather(envelope, record.original, now, done)
        return self._tallies(envelope, now) if matches else []

    def _gather(self, envelope: Envelope, original: object, now: Millis, done: Detected) -> None:
        """Put the signs of an envelope to those of the event's other records: one write for all of them."""
        service = self._settings.service_of_log_group(envelope.log_group)
        for mark in self._life_signs.marks(envelope, service, now, region=self._region):
            key = (mark.service, mark.signature)
            before, originals = done.marks.get(key, (None, []))
            done.marks[key] = (before.plus(mark) if before else mark, [*originals, original])

    def _note(self, mark: Mark, now: Millis, done: Detected) -> None:
        """Tell the watch over a line what was seen, unless this process knows that it would change nothing."""
        rule = self._signatures[mark.signature]
        key = (mark.service, mark.signature)
        known = self._watches.get(key)
        if known and not is_worth_a_write(known, merged(known, mark, rule.absence), rule.absence):
            return
        from tocsin.services.absence import note  # noqa: PLC0415 - a batch without a sign needs none of it

        watch = self._watches[key] = note(self._settler().ledger, mark, rule.absence, known)
        if watch.fired and not is_missing(watch, rule.absence, now):
            self._told(mark.service, self._settler().settle(mark.service, now), done)

    def _pass_on(
        self, envelope: Envelope, relay: Callable[[], HeartbeatRelay], now: Millis, done: Detected
    ) -> None:
        """Pass heartbeats on. Whatever else stands in their log group is passed over, and nothing is said of it."""
        for event in envelope.events:
            for match in self._matcher.match(event.message, log_group=envelope.log_group):
                if match.signature == HEARTBEAT:
                    try:
                        relay().pass_on(int(match.fields["written"]), now)
                        done.heartbeats += 1
                    except Exception as error:  # noqa: BLE001 - kept for the caller to raise
                        # Not unfinished: a stream must not be held up for a heartbeat.
                        done.failures.append(error)

    def _tallies(self, envelope: Envelope, now: Millis) -> list[Tally]:
        """One tally per alert in the envelope."""
        service = self._settings.service_of_log_group(envelope.log_group)
        tallies: dict[str, Tally] = {}
        named: dict[tuple[object, ...], tuple[str, dict[str, str]]] = {}
        kinds: Counter[str] = Counter()
        for event in envelope.events:
            for match in self._error_finder.with_unknown(
                self._matcher, event.message, log_group=envelope.log_group, service=service
            ):
                if match.signature not in self._signatures:
                    continue  # the heartbeat, where it does not belong
                raw = (match.signature, *match.fields.items())
                if raw not in named:
                    kinds[match.signature] += 1
                    few = kinds[match.signature] <= MOST_KINDS
                    fields = fields_of(match, event.message, self._settings.redaction, few=few)
                    named[raw] = fingerprint(self._signatures[match.signature], service, fields), fields
                name, fields = named[raw]
                tallies[name] = (
                    _plus(tallies[name], event)
                    if name in tallies
                    else self._tally(envelope, event, match, name, fields, service, now)
                )
        return [in_its_group(tally, self._signatures[tally.signature]) for tally in tallies.values()]

    def _tally(
        self,
        envelope: Envelope,
        event: LogEvent,
        match: Match,
        name: str,
        fields: Mapping[str, str],
        service: str,
        now: Millis,
    ) -> Tally:
        # An alert that is known has its sample already; leaving it out keeps a storm's writes at one unit each.
        sample = "" if self._is_known(name, now) else sample_of(event.message, self._settings.redaction)
        return Tally(
            envelope=envelope.id, fingerprint=name, signature=match.signature, service=service, fields=fields,
            count=1, first_seen=event.timestamp, last_seen=event.timestamp, received_at=now, sample=sample,
            log_group=envelope.log_group, log_stream=envelope.log_stream,
            account=envelope.account, region=self._region,
        )  # fmt: skip

    def _from_alarm(self, record: AlarmRecord, now: Millis, done: Detected) -> list[Tally]:
        change = parse_alarm(record.payload)
        if change is None:
            done.ignored.append("alarm event that is not a state change people are told of")
            return []
        if change.state is AlarmState.INSUFFICIENT_DATA:
            done.ignored.append(
                f"alarm {change.name}: INSUFFICIENT_DATA says neither that it fires nor that it is over"
            )
            return []
        return [self._alarm_tally(change, match, now) for match in self._matcher.match_alarm(change)]

    def _alarm_tally(self, change: AlarmChange, match: Match, now: Millis) -> Tally:
        service = self._settings.service_of_alarm(change.name, change.dimensions)
        rule, extra = self._signatures[match.signature], self._settings.redaction
        fields = {name: field_value(value, extra) for name, value in match.fields.items()}
        firing = change.state is AlarmState.ALARM
        tally = Tally(
            envelope=change.id,
            fingerprint=fingerprint(rule, service, fields, alarm=change.name),
            signature=match.signature, service=service, fields=fields, count=int(firing),
            first_seen=change.at, last_seen=change.at, received_at=now, sample=sample_of(change.reason, extra),
            state=AlertState.FIRING if firing else AlertState.RESOLVED, alarm=change.name,
            account=change.account, region=change.region or self._region,
        )  # fmt: skip
        return in_its_group(tally, rule)

    def _keep(self, record: ChangeRecord, now: Millis, done: Detected) -> None:
        """Keep a change for the incidents that may come of it, and tell the one that has begun already."""
        change = parse_change(record.payload, self._settings.redaction)
        if change is None:
            done.ignored.append("an event about a stack or a function that changes nothing")
            return
        if self._own_stack and is_of_stack(change, self._own_stack):
            done.ignored.append("a change of Tocsin's own stack")
            return
        try:
            self._settler().ledger.keep_change(change)
            done.changes += 1
            if change.kind is not ChangeKind.STACK:
                # What CloudTrail knows comes minutes late: often after the incident that it explains.
                service = self._settings.service_of_function(change.what)
                self._told(service, self._settler().learn(service, change, now), done)
        except Exception as error:  # noqa: BLE001 - kept for the caller to raise; the same change is kept only once
            done.failures.append(error)
            done.unfinished.append(record.original)

    def _count_and_tell(
        self, service: str, own: Sequence[tuple[Tally, object]], now: Millis, done: Detected
    ) -> None:
        """Count the tallies of a service in their order, and tell what of it is news.

        The first write that fails is the last one tried, because where one fails others mostly do, each after its
        time-out. What was counted before it is told all the same, so that a stream gets on from failure to failure.
        """
        counted: list[Tally] = []
        fresh: list[Tally] = []
        try:
            own = self._unknown_errors.sift(own, now)
            for tally, _ in own:
                if self._settler().ledger.count(tally):
                    fresh.append(tally)
                    done.occurrences[tally.signature] += tally.count
                    done.redactions += _hidden(tally)
                else:
                    done.duplicates += 1
                counted.append(tally)
        except Exception as error:  # noqa: BLE001 - kept for the caller to raise; other services go on
            done.failures.append(error)
            done.unfinished += [original for _, original in own[len(counted) :]]
        if service == ON_TRIAL:
            return  # nobody waits for it: reconcile folds it, the digest tells it
        try:
            self._tell(service, counted, fresh, now, done)
            if len(counted) == len(own):
                self._unknown_errors.keep()
        except Exception as error:  # noqa: BLE001 - as above
            done.failures.append(error)
            done.unfinished += [original for _, original in own[: len(counted)]]

    def _tell(
        self, service: str, counted: Sequence[Tally], fresh: Sequence[Tally], now: Millis, done: Detected
    ) -> None:
        news = [tally for tally in counted if not self._is_known(tally.fingerprint, now)]
        if not news:
            return
        # A duplicate may be the retry of an invocation that died before it told anybody: it is settled too,
        # but what it holds is in the ledger already and must not be folded from here.
        settled = self._settler().settle(
            service,
            now,
            fresh=fresh,
            needed=lambda incident: any(self._is_news(incident, tally) for tally in news),
        )
        self._told(service, settled, done)
        # What a duplicate says is old: only what was counted just now began the quiet period anew.
        self._remember(settled, fresh)

    @staticmethod
    def _told(service: str, settled: Settled, done: Detected) -> None:
        if settled.sent:
            done.sent.setdefault(service, []).extend(reason.value for reason in settled.sent)

    def _is_known(self, name: str, now: Millis) -> bool:
        return self._known.get(name, 0) > now

    def _is_news(self, incident: Incident | None, tally: Tally) -> bool:
        """Whether a tally changes more than the counts of the incident as it is stored."""
        if incident is None or incident.resolved_at is not None or tally.alarm:
            return True
        alert = incident.alerts.get(tally.fingerprint)
        if alert is None:
            return joins(incident, tally, self._settler().policy)
        if alert.state is AlertState.RESOLVED:
            return True
        rule = self._signatures[tally.signature]
        return not alert.announced and rule.status is Status.STABLE

    def _remember(self, settled: Settled, tallies: Sequence[Tally]) -> None:
        """Remember the alerts that cannot resolve before their quiet period, which our own tally began anew."""
        incident = settled.incident
        if incident is None or incident.resolved_at is not None:
            return
        resolve_after = self._settler().policy.resolve_after
        if len(self._known) > MOST_KNOWN:
            self._known.clear()  # costs a read each; a process that lives for days must not grow for days
        for tally in tallies:
            alert = incident.alerts.get(tally.fingerprint)
            if alert and alert.announced and alert.state is AlertState.FIRING and not tally.alarm:
                self._known[tally.fingerprint] = tally.received_at + resolve_after(tally.signature)

    def _park(self, what: object, error: str, done: Detected, *, of: object) -> None:
        """Keep a record, or a part of one, with what is wrong with it."""
        done.parked.append(error)
        try:
            self._failure_queue().park(what, error)
        except Exception as failure:  # noqa: BLE001 - kept for the caller to raise, so that the platform keeps the event
            done.failures.append(failure)
            done.unfinished.append(of)


def _place_of(error: BaseException) -> str:
    """What was raised and where in our code, without its text, which may quote a log line."""
    place = place_of(error)
    return type(error).__name__ + (f" in {place.file}:{place.line}" if place else "")


def _plus(tally: Tally, event: LogEvent) -> Tally:
    return replace(
        tally,
        count=tally.count + 1,
        first_seen=min(tally.first_seen, event.timestamp),
        last_seen=max(tally.last_seen, event.timestamp),
    )


def _hidden(tally: Tally) -> int:
    """How much of what a tally shows was hidden; a sample or field that was withheld as a whole counts as one."""
    shown = (tally.sample, *tally.fields.values())
    return sum(text.count(MARKER) + (text == WITHHELD) for text in shown)
