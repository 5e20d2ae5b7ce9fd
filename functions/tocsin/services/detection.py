"""Detecting: from any event that reaches ``detect`` to counted occurrences, and to a notification at once.

Most batches hold nothing: they are recognised as such on the raw bytes, before any JSON is parsed, and make no
AWS call. A batch that only adds to an alert known to this process makes one: the write that counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from tocsin.core.absence.expected_lines import ExpectedLines
from tocsin.core.absence.watch import Observation, Watch, is_missing, is_worth_a_write, merged
from tocsin.core.config.settings import Settings
from tocsin.core.error_place import place_of
from tocsin.core.incidents.counting import joins
from tocsin.core.incidents.incident import Incident
from tocsin.core.ingest.alarms import AlarmError, parse_alarm
from tocsin.core.ingest.change_events import ChangeError, is_of_stack, parse_change
from tocsin.core.ingest.envelopes import (
    BadLogEvent,
    ControlMessage,
    ParsedEnvelope,
    parse_envelope,
    read_suspects,
)
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
from tocsin.core.ingest.raw_events import SuspectSearch
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import RawSearch, is_whole
from tocsin.core.matching.unknown_error import ErrorFinder, WithUnknownErrors, with_unknown_error
from tocsin.core.model import (
    TEST_MODE_GROUP,
    AlarmState,
    AlertState,
    ChangeKind,
    Envelope,
    Millis,
    OccurrenceCount,
    Origin,
)
from tocsin.core.redaction.sample import MARKER, WITHHELD, name_of
from tocsin.core.signatures.heartbeat import HEARTBEAT
from tocsin.core.signatures.signature import Signature, Status
from tocsin.services.detected import Detected, added_up, line_ages
from tocsin.services.occurrences import OccurrenceReader
from tocsin.services.unknown_errors import UnknownErrors

if TYPE_CHECKING:
    # Not at run time: reconciliation brings all of rendering with it, which a batch without a match never needs.
    from tocsin.core.errors.error_store import ErrorStore
    from tocsin.services.heartbeat import HeartbeatRelay
    from tocsin.services.reconcile_service import Reconciler, Reconciliation


MAX_DEAD_LETTERED = 20
"""Log events of one envelope that are kept one by one when they cannot be read (a call each); the rest is one record."""

MAX_KNOWN = 10_000
"""Alerts one process remembers."""

_OWN = "log group {} is Tocsin's own"


class FailureQueue(Protocol):
    """Where records that cannot be read are kept for people."""

    def dead_letter(self, record: object, error: str) -> None:
        """Keep a record with what is wrong with it; returns when it is safely there."""


class Heartbeats(Struct, frozen=True):
    """Where heartbeats come from and go to.

    Attributes:
        log_group: The one log group of Tocsin's own that is listened to, and only for the heartbeat.
        relay: Makes what passes a heartbeat on, on first need.
    """

    log_group: str
    relay: Callable[[], HeartbeatRelay]


class Detector:
    """Turns events into counts and has them reconciled.

    Args:
        matcher: The signatures, compiled.
        signatures: The same signatures, by id.
        settings: Services and intervals.
        reconciler: Makes the reconciler on first need, so that a batch without a match needs no AWS client.
        failure_queue: Makes the failure queue on first need.
        own_log_groups: Log groups whose names begin with this are Tocsin's own and refused: what it logs about
            an alert must never raise one.
        region: The Region this runs in.
        account: The account this runs in; empty where it is not known, which tells no accounts apart.
        heartbeats: Where heartbeats come from and go to; None where there are none.
        own_stack: The stack this belongs to: that it was deployed explains nobody's incident.
        error_store: Makes the store of unknown errors on first need; in memory if not given.
        search: The prefilter's search for exactly these signatures and settings, if there is one.
        inflated: What inflates; the prefilter's own does not do again what it did.
    """

    def __init__(  # noqa: PLR0913 - all but three by keyword, each with a meaning of its own
        self,
        matcher: Matcher,
        signatures: Mapping[str, Signature],
        settings: Settings,
        *,
        reconciler: Callable[[], Reconciler],
        failure_queue: Callable[[], FailureQueue],
        own_log_groups: str,
        region: str,
        account: str = "",
        heartbeats: Heartbeats | None = None,
        own_stack: str = "",
        error_store: Callable[[], ErrorStore] | None = None,
        search: RawSearch | None = None,
        inflated: Callable[[str], bytes] = inflate,
    ) -> None:
        self._matcher, self._settings, self._inflated = matcher, settings, inflated
        self._signatures = with_unknown_error(signatures)
        errors = ErrorFinder(signatures, settings.errors, settings.redaction)
        self._recogniser = WithUnknownErrors(matcher, errors, settings.is_strict, search)
        self._suspects = SuspectSearch(self._recogniser.raw_expression)
        self._unknown_errors = UnknownErrors(error_store, settings)
        self._reconciler, self._failure_queue = reconciler, failure_queue
        self._own_log_groups, self._region = own_log_groups, region
        self._heartbeats, self._own_stack = heartbeats, own_stack
        self._known: dict[str, Millis] = {}
        self._occurrences = OccurrenceReader(
            matcher,
            self._recogniser,
            self._signatures,
            settings,
            home=Origin(account, region),
            is_known=self._has_sample,
        )
        self._expected_lines = ExpectedLines(signatures, settings.service_of_log_group)
        self._watches: dict[tuple[str, str], Watch] = {}

    def detect(self, event: object, now: Millis) -> Detected:
        """Count every occurrence in an event of any shape and tell at once what is new.

        Args:
            event: The Lambda event.
            now: The time.

        Raises:
            UnknownEventError: The event as a whole is of no known shape.
        """
        results: list[Detected] = []
        counts: dict[str, list[tuple[OccurrenceCount, object]]] = {}
        observations: dict[tuple[str, str], tuple[Observation, list[object]]] = {}
        for record in split_event(event):
            original = getattr(record, "original", None)
            read = self._read(record, now)
            results += [Detected(records=1), read.done]
            results += [self._dead_letter(what, error, of=original) for what, error in read.unreadable]
            for counted in read.counts:
                counts.setdefault(counted.service, []).append((counted, original))
            for observation in read.observations:  # one write for the signs of all records
                key = (observation.service, observation.signature)
                before, originals = observations.get(key, (None, []))
                observations[key] = (
                    before.plus(observation) if before else observation,
                    [*originals, original],
                )
        results += [
            self._note(observation, originals, now) for observation, originals in observations.values()
        ]
        results += [self._count_and_notify(service, own, now) for service, own in counts.items()]
        return added_up(results)

    def _read(self, record: Record, now: Millis) -> _Read:
        """What one record holds; what is wrong with it stays its own trouble."""
        original = getattr(record, "original", None)
        try:
            match record:
                case LogsRecord():
                    return self._from_logs(record, now)
                case AlarmRecord():
                    return self._from_alarm(record, now)
                case ChangeRecord():
                    return _Read(done=self._keep(record, now))
                case IgnoredRecord():
                    return _ignored(record.why)
                case BadRecord():
                    return _Read(unreadable=[(original, record.error)])
        except (EnvelopeError, AlarmError, ChangeError) as error:
            return _Read(unreadable=[(original, str(error))])
        except Exception as error:  # our own fault: it must not hold up a stream for hours
            return _Read(unreadable=[(original, f"cannot be processed: {_place_of(error)}")])

    def _from_logs(self, record: LogsRecord, now: Millis) -> _Read:
        raw = self._inflated(record.data)
        matches, signs = self._recogniser.might_match(raw), self._expected_lines.may_show(raw)
        if is_whole(raw) and not matches and not signs:
            return _Read()
        suspected = read_suspects(raw, self._suspects) if matches and not signs else None
        parsed = ParsedEnvelope(suspected) if suspected else parse_envelope(raw)
        if isinstance(parsed, ControlMessage):
            return _ignored("control message: CloudWatch Logs probing its destination")
        envelope, problems = parsed
        if self._heartbeats is not None and envelope.log_group == self._heartbeats.log_group:
            return _Read(done=self._pass_on(envelope, self._heartbeats.relay, now))
        if self._is_own(envelope):
            return _ignored(_OWN.format(envelope.log_group))
        read = _Read(unreadable=_unreadable_events(envelope.log_group, problems))
        for each in envelope.origins or (envelope,):
            if each is not envelope and self._is_own(each):
                read.done.ignored.append(_OWN.format(each.log_group))
                continue
            read.done.events += len(each.events)
            service = self._occurrences.service_of(each)
            if signs:
                region = each.region or self._region
                read.observations += self._expected_lines.observations(each, service, now, region=region)
            if matches:
                read.counts += self._occurrences.of_envelope(each, service, now)
        if read.counts:
            read.done.line_ages = line_ages(envelope.events[0].timestamp, envelope.events[-1].timestamp, now)
        return read

    def _is_own(self, envelope: Envelope) -> bool:
        """Whether an envelope is of Tocsin's own logs; by way of a central log group it would be a loop like any."""
        return envelope.log_group.startswith(self._own_log_groups)

    def _note(self, observation: Observation, originals: list[object], now: Millis) -> Detected:
        """Tell the watch over a line what was seen, unless this process knows that it would change nothing."""
        rule = self._signatures[observation.signature]
        key = (observation.service, observation.signature)
        known = self._watches.get(key)
        if known and not is_worth_a_write(known, merged(known, observation, rule.absence), rule.absence):
            return Detected()
        from tocsin.services.absence import note

        try:
            watch = self._watches[key] = note(self._reconciler().ledger, observation, rule.absence, known)
            if not watch.fired or is_missing(watch, rule.absence, now):
                return Detected()
            return Detected(
                sent=_sent(observation.service, self._reconciler().reconcile(observation.service, now))
            )
        except Exception as error:  # kept for the caller to raise; what failed is counted all the same
            return Detected(failures=[error], unfinished=originals)

    def _pass_on(self, envelope: Envelope, relay: Callable[[], HeartbeatRelay], now: Millis) -> Detected:
        """Pass heartbeats on. Whatever else stands in their log group is passed over, and nothing is said of it."""
        done = Detected()
        for event in envelope.events:
            for match in self._matcher.match(event.message, log_group=envelope.log_group):
                if match.signature == HEARTBEAT:
                    try:
                        relay().pass_on(int(match.fields["written"]), now)
                        done.heartbeats += 1
                    except Exception as error:  # kept for the caller to raise
                        # Not unfinished: a stream must not be held up for a heartbeat.
                        done.failures.append(error)
        return done

    def _from_alarm(self, record: AlarmRecord, now: Millis) -> _Read:
        change = parse_alarm(record.payload)
        if change is None:
            return _ignored("alarm event that is not a state change people are told of")
        if change.state is AlarmState.INSUFFICIENT_DATA:
            return _ignored(
                f"alarm {name_of(change.name)}: INSUFFICIENT_DATA says neither that it fires nor that it is over"
            )
        return _Read(counts=self._occurrences.of_alarm(change, now))

    def _keep(self, record: ChangeRecord, now: Millis) -> Detected:
        """Keep a change for the incidents that may come of it, and tell the one that has begun already."""
        change = parse_change(record.payload, self._settings.redaction)
        if change is None:
            return Detected(ignored=["an event about a stack or a function that changes nothing"])
        if self._own_stack and is_of_stack(change, self._own_stack):
            return Detected(ignored=["a change of Tocsin's own stack"])
        done = Detected()
        try:
            self._reconciler().keep_change(change)
            done.changes = 1
            if change.kind is not ChangeKind.STACK:
                # What CloudTrail knows comes minutes late: often after the incident that it explains.
                service = self._settings.service_of_function(change.what)
                done.sent = _sent(service, self._reconciler().learn(service, change, now))
        except Exception as error:  # kept for the caller to raise; the same change is kept only once
            done.failures, done.unfinished = [error], [record.original]
        return done

    def _count_and_notify(
        self, service: str, own: Sequence[tuple[OccurrenceCount, object]], now: Millis
    ) -> Detected:
        """Count the counts of a service in their order, and tell what of it is news.

        The first write that fails is the last one tried, because where one fails others mostly do, each after its
        time-out. What was counted before it is told all the same, so that a stream gets on from failure to failure.
        """
        done = Detected()
        recorded: list[OccurrenceCount] = []
        fresh: list[OccurrenceCount] = []
        try:
            own = self._unknown_errors.sift(own, now)
            for counted, _ in own:
                if self._reconciler().ledger.count(counted):
                    fresh.append(counted)
                    done.occurrences[counted.signature] += counted.count
                    done.redactions += _hidden(counted)
                else:
                    done.duplicates += 1
                recorded.append(counted)
        except Exception as error:  # kept for the caller to raise; other services go on
            done.failures.append(error)
            done.unfinished += [original for _, original in own[len(recorded) :]]
        if service == TEST_MODE_GROUP:
            return done  # nobody waits for it: reconcile applies it, the digest tells it
        try:
            told = [counted for counted in recorded if counted.service == service]  # not the digest's
            done.sent = self._notify(service, told, [one for one in fresh if one.service == service], now)
            if len(recorded) == len(own):
                self._unknown_errors.keep()
        except Exception as error:
            done.failures.append(error)
            done.unfinished += [original for _, original in own[: len(recorded)]]
        return done

    def _notify(
        self, service: str, recorded: Sequence[OccurrenceCount], fresh: Sequence[OccurrenceCount], now: Millis
    ) -> dict[str, list[str]]:
        """Reconcile a service if anything that was recorded is news; what was sent."""
        news = [counted for counted in recorded if not self._is_known(counted.fingerprint, now)]
        if not news:
            return {}
        # A duplicate may be the retry of an invocation that died before it told anybody: it is reconciled too,
        # but what it holds is in the ledger already and must not be applied from here.
        reconciled = self._reconciler().reconcile(
            service,
            now,
            fresh=fresh,
            needed=lambda incident: any(self._is_news(incident, counted) for counted in news),
        )
        # What a duplicate says is old: only what was counted just now began the quiet period again.
        self._remember(reconciled, fresh)
        return _sent(service, reconciled)

    def _has_sample(self, name: str, now: Millis) -> bool:
        return self._is_known(name, now) or self._unknown_errors.remembers(name)

    def _is_known(self, name: str, now: Millis) -> bool:
        return self._known.get(name, 0) > now

    def _is_news(self, incident: Incident | None, counted: OccurrenceCount) -> bool:
        """Whether an occurrence count changes more than the counts of the incident as it is stored."""
        if incident is None or incident.resolved_at is not None or counted.origin.alarm:
            return True
        alert = incident.alerts.get(counted.fingerprint)
        if alert is None:
            return joins(incident, counted, self._reconciler().policy)
        if alert.state is AlertState.RESOLVED:
            return True
        rule = self._signatures[counted.signature]
        return not alert.announced and rule.status is Status.STABLE

    def _remember(self, reconciled: Reconciliation, counts: Sequence[OccurrenceCount]) -> None:
        """Remember the alerts that cannot resolve before their quiet period, which our own occurrence count began again."""
        incident = reconciled.incident
        if incident is None or incident.resolved_at is not None:
            return
        resolve_after = self._reconciler().policy.resolve_after
        if len(self._known) > MAX_KNOWN:
            self._known.clear()  # costs a read each; a process that lives for days must not grow for days
        for counted in counts:
            alert = incident.alerts.get(counted.fingerprint)
            if alert and alert.announced and alert.state is AlertState.FIRING and not counted.origin.alarm:
                self._known[counted.fingerprint] = counted.received_at + resolve_after(counted.signature)

    def _dead_letter(self, what: object, error: str, *, of: object) -> Detected:
        """Keep a record, or a part of one, with what is wrong with it."""
        try:
            self._failure_queue().dead_letter(what, error)
        except Exception as failure:  # kept for the caller to raise, so that the platform keeps the event
            return Detected(dead_lettered=[error], failures=[failure], unfinished=[of])
        return Detected(dead_lettered=[error])


class _Read(Struct):
    """What one record holds.

    Attributes:
        counts: What occurred.
        observations: Signs of life and of work.
        unreadable: The record or parts of it that could not be read, each with what is wrong with it.
        done: What else it came to.
    """

    counts: list[OccurrenceCount] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    unreadable: list[tuple[object, str]] = field(default_factory=list)
    done: Detected = field(default_factory=Detected)


def _ignored(why: str) -> _Read:
    return _Read(done=Detected(ignored=[why]))


def _unreadable_events(log_group: str, problems: Sequence[BadLogEvent]) -> list[tuple[object, str]]:
    """Each of the first ones by itself, and all others as one."""
    apart, rest = problems[:MAX_DEAD_LETTERED], problems[MAX_DEAD_LETTERED:]
    unreadable = [(problem.original, f"{log_group}: {problem.error}") for problem in apart]
    if rest:
        error = f"{log_group}: {len(rest):,} more like these, the first: {rest[0].error}"
        unreadable.append(([problem.original for problem in rest], error))
    return unreadable


def _sent(service: str, reconciled: Reconciliation) -> dict[str, list[str]]:
    return {service: [reason.value for reason in reconciled.sent]} if reconciled.sent else {}


def _place_of(error: BaseException) -> str:
    """What was raised and where in our code, without its text, which may quote a log line."""
    place = place_of(error)
    return type(error).__name__ + (f" in {place.file}:{place.line}" if place else "")


def _hidden(counted: OccurrenceCount) -> int:
    """How much of what an occurrence count shows was hidden; a sample or field that was withheld as a whole counts as one."""
    shown = (counted.sample, *counted.fields.values())
    return sum(text.count(MARKER) + (text == WITHHELD) for text in shown)
