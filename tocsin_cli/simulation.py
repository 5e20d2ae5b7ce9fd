"""A simulated clock: the very code of the Lambdas, fed with lines that were logged once.

``Detector`` counts and notifies at once, ``reconcile`` runs every minute, both on a ledger in memory and with the
clock of the log. Nothing waits: the clock jumps from one log line to the next, and over every minute in which
``reconcile`` would find nothing due, so that weeks take seconds. The same lines always give the same answer.
"""

from __future__ import annotations

import base64
import gzip
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from tocsin.core.absence.expected_lines import ExpectedLines
from tocsin.core.absence.watch import is_watched, missing_at
from tocsin.core.incidents.actions import Action
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.next_check import next_move
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.store import key_of
from tocsin.core.matching.crash_lines import MAX_PAUSE_LENGTH, is_piece
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import joined_search
from tocsin.core.matching.unknown_error import ErrorFinder, with_unknown_error
from tocsin.core.model import Reason
from tocsin.core.notifications.contract import Notification, millis_of
from tocsin.core.signatures.signature import UNKNOWN_ERROR
from tocsin.core.times import MINUTE
from tocsin.services.detection import Detector
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import Reconciler
from tocsin_cli.unexplained import Unexplained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.adapters.files.configuration import Configuration
    from tocsin.core.absence.watch import Watch
    from tocsin.core.incidents.incident import Incident
    from tocsin.core.model import Millis, OccurrenceCount
    from tocsin.services.detected import Detected
    from tocsin.services.reconcile_service import Queues

WINDOW: Millis = 1_000
"""Log events of one stream within this time are delivered together, as a subscription does under load."""

MAX_DELIVERED = 5_000
"""Log events in one simulated delivery."""

BLOCK = 2_000
"""Lines that are searched for suspects at once."""

ACCOUNT = "000000000000"


class SimulationError(Exception):
    """The simulated stack failed where the real one would have retried: a fault in Tocsin, never in the log."""


class LoggedLine(NamedTuple):
    """One log event of the past.

    Attributes:
        timestamp: When it was logged.
        message: What was logged.
        log_group: Where.
        log_stream: Its stream.
    """

    timestamp: Millis
    message: str
    log_group: str
    log_stream: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the lines would have led to.

    Attributes:
        lines: How many there were.
        first: When the first was logged; None when there was none.
        last: When the last was logged.
        occurrences: By signature, those in test mode included.
        minutes: Occurrences by service and by minute (``received_at`` rounded down).
        notifications: The contract's JSON of each, in the order they were sent, but the digests.
        digests: The contract's JSON of each digest of signatures in test mode.
        incidents: In the order they were opened, as they were when all was over; what each digest listed, or would have
            listed next, is one too.
        ignored: Why deliveries were passed over (Tocsin's own log groups), and how often.
        unexplained: What the log says is an error and no signature explains.
    """

    lines: int
    first: Millis | None
    last: Millis | None
    occurrences: Counter[str]
    minutes: dict[str, Counter[Millis]]
    notifications: tuple[Notification, ...]
    digests: tuple[Notification, ...]
    incidents: tuple[Incident, ...]
    ignored: Counter[str]
    unexplained: Unexplained = field(default_factory=Unexplained)

    def is_after_end(self, notification: Notification) -> bool:
        """Whether a notification is about the silence after the last line, not about any line."""
        return self.last is not None and millis_of(notification.at) > self.last + MINUTE


class Simulation:
    """A deployed Tocsin on a simulated clock.

    Args:
        config: Signatures and settings.
        region: The Region that links into the console are made for; empty for none.
        own_log_groups: Log groups whose names begin with this are Tocsin's own and refused.
        account: The account that the log groups are in.
        queues: Where dead-letter queues can be looked at; None where they cannot.
    """

    def __init__(
        self,
        config: Configuration,
        *,
        region: str = "",
        own_log_groups: str = "/tocsin/",
        account: str = ACCOUNT,
        queues: Queues | None = None,
    ) -> None:
        self._config, self._account = config, account
        self._ledger = _Ledger()
        self._world = _Sinks()
        policy = Policy(
            config.settings.intervals, with_unknown_error(config.signatures), config.settings.routing
        )
        self._reconciler = Reconciler(
            self._ledger, self._world, policy, config.settings.runbooks_url, queues, config.settings
        )
        # What waits in a queue may change at any time, so that nothing says when a look at it would find something.
        self._asks_queues = queues is not None and any(
            is_watched(rule) and rule.absence.queues for rule in config.signatures.values()
        )
        self._matcher = Matcher(config.signatures)
        self._errors = ErrorFinder(config.signatures, config.settings.errors, config.settings.redaction)
        self._search = joined_search(self._matcher.raw_expression, self._errors.raw_expression)
        self._unexplained = Unexplained(config.settings.redaction)
        self._expected_lines = ExpectedLines(config.signatures, config.settings.service_of_log_group)
        self._detector = Detector(
            self._matcher,
            config.signatures,
            config.settings,
            reconciler=lambda: self._reconciler,
            failure_queue=lambda: self._world,
            own_log_groups=own_log_groups,
            region=region,
            search=self._search,
        )
        self._own_log_groups = own_log_groups
        self._services: dict[str, str] = {}
        self._window: list[LoggedLine] = []
        self._now: Millis = 0
        self._last_round: Millis = 0
        self._lines = self._deliveries = 0
        self._before: LoggedLine | None = None
        self._first: Millis | None = None
        self._last: Millis | None = None
        self._occurrences: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()

    @property
    def notifications(self) -> Sequence[Notification]:
        """Everything sent so far."""
        return self._world.notifications

    @property
    def now(self) -> Millis:
        """The simulated time."""
        return self._now

    @property
    def dead_lettered(self) -> Sequence[str]:
        """What was wrong with the records that could not be read."""
        return self._world.dead_lettered

    def feed(self, lines: Iterable[LoggedLine]) -> None:
        """Let lines be logged, one after the other.

        Args:
            lines: In the order of their times.

        Raises:
            ValueError: A line is older than the one before it.
        """
        ahead = iter(lines)
        while block := list(islice(ahead, BLOCK)):
            messages = [line.message for line in block]
            suspects = self.suspects(messages)
            for place, line in enumerate(block):
                self._log(line, is_suspect=place in suspects)

    def suspects(self, messages: Sequence[str]) -> set[int]:
        """The places of those messages that may be an occurrence or a sign of life; the others certainly are not."""
        return {*self._search.places(messages), *self._expected_lines.suspects(messages)}

    def is_own(self, log_group: str) -> bool:
        """Whether a log group is Tocsin's own, so that its lines are refused and counted."""
        return log_group.startswith(self._own_log_groups)

    def pass_over(self, count: int, first: Millis, last: Millis) -> None:
        """Count lines that were not fed because nothing follows from them.

        Args:
            count: How many.
            first: When the first line of all was logged.
            last: When the last line of all was logged.
        """
        self._lines += count
        self._first, self._last = first, last

    def _log(self, line: LoggedLine, *, is_suspect: bool) -> None:
        at = line.timestamp
        if self._last is None:
            self._first = at
        elif at < self._last:
            raise ValueError(f"a line of {at} comes after one of {self._last}; sort them by time")
        self._last = at
        self._lines += 1
        if self._window and (at >= self._window[0].timestamp + WINDOW or len(self._window) >= MAX_DELIVERED):
            self._deliver_window()
        # A delivery without an occurrence or a sign changes nothing, so that only these need to be delivered.
        # The lines of a crash that comes one line per event go with it, and the one before them is its first.
        piece = is_piece(line.message)
        if piece and self._before is not None and _goes_on(self._before, line):
            self._window.append(self._before)
        self._before = None
        if self.is_own(line.log_group):
            self._ignored[f"log group {line.log_group} is Tocsin's own"] += 1
            is_suspect = False
        if (is_suspect and self._matches(line)) or (piece and self._window):
            self._window.append(line)
        else:
            self._before = line

    def detect(self, event: object, now: Millis) -> Detected:
        """Let ``detect`` be invoked with an event of any shape.

        Raises:
            SimulationError: The simulated stack failed.
        """
        self._deliver_window()
        return self._detect(event, now)

    def let_pass(self, until: Millis) -> None:
        """Let time pass, with ``reconcile`` at every full minute at which it has something to do.

        Raises:
            SimulationError: The simulated stack failed.
        """
        self._deliver_window()
        self._reconcile_until(until)
        self._now = max(self._now, until)

    def finish(self) -> Outcome:
        """Let silence follow the last line until everything is resolved.

        Where the lines end is where somebody stopped reading them: that nothing appears after it is no absence.
        """
        self._deliver_window()
        self._ledger.is_over = True
        intervals = self._config.settings.intervals
        quiet = max(
            [
                intervals.resolve_after,
                *(rule.resolve_after or 0 for rule in self._config.signatures.values()),
                *(rule.threshold.within for rule in self._config.signatures.values() if rule.threshold),
                *self._quiet_periods(),
            ]
        )
        self.let_pass(self._now + quiet + intervals.group_wait + 2 * MINUTE)
        latest = [self._ledger.load(service).incident for service in self._ledger.services]
        incidents = [*self._ledger.closed, *(incident for incident in latest if incident is not None)]
        return Outcome(
            lines=self._lines,
            first=self._first,
            last=self._last,
            occurrences=self._counted(),
            minutes=self._ledger.minutes,
            notifications=tuple(each for each in self._world.notifications if not _is_digest(each)),
            digests=tuple(filter(_is_digest, self._world.notifications)),
            incidents=tuple(sorted(incidents, key=lambda incident: (incident.opened_at, incident.service))),
            ignored=self._ignored,
            unexplained=self._unexplained,
        )

    def _quiet_periods(self) -> list[Millis]:
        """The quiet that what fires has to show: longer for what came back."""
        policy = self._reconciler.policy
        latest = [self._ledger.load(service).incident for service in self._ledger.services]
        return [policy.quiet_period(alert) for incident in latest if incident for alert in incident.firing]

    def _counted(self) -> Counter[str]:
        """Occurrences by signature; of unknown errors every line, also those that are only known."""
        counted = self._occurrences + self._ledger.absences
        counted[UNKNOWN_ERROR] = self._unexplained.lines
        return +counted

    def _matches(self, line: LoggedLine) -> bool:
        service = self._services.get(line.log_group)
        if service is None:
            service = self._services[line.log_group] = self._config.settings.service_of_log_group(
                line.log_group
            )
        where = {"log_group": line.log_group, "service": service}
        found = self._matcher.match(line.message, **where)
        if unknown := self._errors.unexplained(
            line.message, found, log_group=line.log_group, service=service
        ):
            self._unexplained.add(unknown, line.message)
        return bool(
            found or unknown or (self._expected_lines and self._expected_lines.shown(line.message, **where))
        )

    def _deliver_window(self) -> None:
        window, self._window = self._window, []
        streams: dict[tuple[str, str], list[LoggedLine]] = {}
        for line in window:
            streams.setdefault((line.log_group, line.log_stream), []).append(line)
        for (log_group, log_stream), lines in streams.items():
            self._detect(self._event(log_group, log_stream, lines), window[-1].timestamp)

    def _event(self, log_group: str, log_stream: str, lines: Sequence[LoggedLine]) -> dict[str, object]:
        """The event that a subscription invokes ``detect`` with."""
        self._deliveries += 1
        document = {
            "messageType": "DATA_MESSAGE",
            "owner": self._account,
            "logGroup": log_group,
            "logStream": log_stream or "simulated",
            "subscriptionFilters": ["tocsin"],
            "logEvents": [
                {"id": f"{self._deliveries}-{number}", "timestamp": line.timestamp, "message": line.message}
                for number, line in enumerate(lines)
            ],
        }
        raw = json.dumps(document).encode()
        return {"awslogs": {"data": base64.b64encode(gzip.compress(raw, compresslevel=1, mtime=0)).decode()}}

    def _detect(self, event: object, now: Millis) -> Detected:
        self._reconcile_until(now)
        self._now = max(self._now, now)
        done = self._detector.detect(event, now)
        if done.failures:
            raise SimulationError(repr(done.failures[0])) from done.failures[0]
        self._occurrences += done.occurrences
        self._ignored.update(done.ignored)
        return done

    def _reconcile_until(self, until: Millis) -> None:
        self._now = self._now or until  # before the first thing that happens nothing is due
        while (mark := self._next_round()) is not None and mark <= until:
            self._now = self._last_round = mark
            done = reconcile(self._reconciler, mark)
            for service, failure in done.failures.items():
                raise SimulationError(f"{service}: {failure!r}") from failure

    def _next_round(self) -> Millis | None:
        """The next full minute at which ``reconcile`` would find something; None while nothing is open."""
        mark = (self._now // MINUTE + 1) * MINUTE
        if self._ledger.has_pending or self._asks_queues:
            return mark
        incidents = (
            self._ledger.load(service).incident for service in self._ledger.open_services(sys.maxsize)
        )
        dues = (next_move(incident, self._now, self._reconciler.policy) for incident in incidents if incident)
        # What became due since the last round is looked at in the next, whatever came between.
        stored = self._ledger.due_after(self._last_round)
        due = min((due for due in (*dues, *stored, *self._absences_due()) if due is not None), default=None)
        return None if due is None else max(mark, -(-due // MINUTE) * MINUTE)

    def _absences_due(self) -> Iterator[Millis]:
        """When lines that nobody saw will be missing. What is missing already stays so until its line is delivered."""
        for watch in self._ledger.waiting:
            due = missing_at(watch, self._config.signatures[watch.signature].absence)
            if due is not None and not watch.fired:
                yield due


def _goes_on(before: LoggedLine, line: LoggedLine) -> bool:
    """Whether a line that was not delivered may be the first of a crash that another goes on with."""
    same = (before.log_group, before.log_stream) == (line.log_group, line.log_stream)
    return same and line.timestamp - before.timestamp <= MAX_PAUSE_LENGTH


def _is_digest(notification: Notification) -> bool:
    return notification.reason is Reason.DIGEST


@dataclass(slots=True)
class _Sinks:
    """Where notifications and unreadable records go."""

    notifications: list[Notification] = field(default_factory=list)
    dead_lettered: list[str] = field(default_factory=list)

    def publish(self, notification: Notification) -> None:
        """See ``tocsin.services.reconcile_service.Publisher``."""
        self.notifications.append(notification)

    def dead_letter(self, record: object, error: str) -> None:  # noqa: ARG002 - the interface of ``FailureQueue``
        """See ``tocsin.services.detection.FailureQueue``."""
        self.dead_lettered.append(error)


class _Ledger(MemoryLedger):
    """The ledger in memory, with a record of when what was counted, and without what is over and done with."""

    def __init__(self) -> None:
        super().__init__()
        self.minutes: dict[str, Counter[Millis]] = {}
        self.absences: Counter[str] = Counter()
        self.is_over = False

    @property
    def services(self) -> Iterable[str]:
        return tuple(self._incidents)

    def due_after(self, moment: Millis) -> Iterator[Millis]:
        return (due for due in self._due.values() if due > moment)

    @property
    def has_pending(self) -> bool:
        return bool(self._pending)

    @property
    def waiting(self) -> Iterable[Watch]:
        return tuple(watch for watch, due in self._watches.values() if due is not None)

    def watch(self, service: str, signature: str) -> Watch | None:
        return None if self.is_over else super().watch(service, signature)

    def count(self, occurrence_count: OccurrenceCount) -> bool:
        counted = super().count(occurrence_count)
        if counted and occurrence_count.origin.absence and occurrence_count.count:  # which no delivery held
            self.absences[occurrence_count.signature] += occurrence_count.count
        if counted and occurrence_count.count:
            minutes = self.minutes.setdefault(
                occurrence_count.origin_service or occurrence_count.service, Counter()
            )
            minutes[occurrence_count.received_at // MINUTE * MINUTE] += occurrence_count.count
        return counted

    def save(
        self,
        incident: Incident,
        version: int,
        *,
        applied: Iterable[OccurrenceCount] = (),
        due: Millis | None,
        closed: Incident | None = None,
        acted: Iterable[Action] = (),
    ) -> int:
        applied = tuple(applied)
        saved = super().save(incident, version, applied=applied, due=due, closed=closed, acted=acted)
        for (
            occurrence_count
        ) in applied:  # nothing is delivered twice here, so what is applied need not be remembered
            self._occurrence_counts.pop(key_of(occurrence_count), None)
        return saved
