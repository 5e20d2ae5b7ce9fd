"""What is kept of an incident between two looks at it: its alerts, and the notifications that are due.

Values only. What changes them is in the other modules of this package; how they are stored is in
``serialization``.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from tocsin.core.incidents.actions import Acknowledgement, PerformedAction, Redrive
from tocsin.core.model import AlertState, Change, Millis, Origin, Reason


class Contributor(Struct, frozen=True):
    """One series of an alarm over many.

    Attributes:
        name: How people know it: ``TableName=orders``.
        state: Whether it is in alarm.
        at: When it came into that state.
    """

    name: str
    state: AlertState
    at: Millis


class QueueReading(Struct, frozen=True):
    """What a look at a dead-letter queue found.

    Attributes:
        at: When it was looked at.
        depth: Messages that wait in it (SQS's approximate number of visible messages).
        retention: How long the queue keeps a message, from when it was first sent.
        oldest_age: For how long the oldest message has been in the queue, where CloudWatch knows; SQS counts
            this from the move into the dead-letter queue, so the message itself may be older.
        grown_at: When a look last found it deeper than the look before; None where none did.
    """

    at: Millis
    depth: int
    retention: Millis
    oldest_age: Millis | None = None
    grown_at: Millis | None = None


class Notified(Struct, frozen=True):
    """What people were last told of an alert.

    Attributes:
        count: Its count as of the last notification that told of it; 0 when none has.
        state: Its state as of that notification; None when none has.
        silence: The silence that muted it as of that notification.
        individually: Whether a notification told of it by itself, not only listed it under its cause.
        queue_shown: The depth of its queue as of the last notification, news or not.
        queue_news: The depth of its queue that people were last told of as news.
        queue_warnings: How many of the warnings that the oldest message will be lost were given.
    """

    count: int = 0
    state: AlertState | None = None
    silence: str = ""
    individually: bool = False
    queue_shown: int = 0
    queue_news: int = 0
    queue_warnings: int = 0


class Alert(Struct, frozen=True):
    """All occurrences of one fingerprint within an incident.

    Attributes:
        fingerprint: What makes two occurrences the same alert.
        signature: The signature's id.
        fields: The fields of the first occurrence.
        count: Occurrences so far.
        first_seen: The earliest occurrence's own time.
        last_seen: The latest occurrence's own time.
        active_at: When Tocsin last received an occurrence; what the quiet period is measured from.
        state: ``firing`` or ``resolved``.
        state_at: For alarms, the time of the transition that ``state`` comes from; the latest one wins.
        sample: One redacted, truncated line.
        joined_at: When Tocsin received its first occurrence in this incident.
        notified: What people were last told of it.
        announced: Whether it reached its signature's threshold, so that people are told of it.
        regressed: Whether it began again after it was resolved, and nobody has been told yet.
        over_at: When it was last over before it began again; None if it never was.
        silence: The id of the silence that mutes it; empty when none does.
        unmuted: Whether a silence of it ended while it fires, and nobody has been told yet.
        queue: For an alarm on a dead-letter queue, what the last look at the queue found.
        recent: While not announced: when occurrences were received and how many, for the threshold.
        origin: Where it comes from.
        origin_service: For a signature in test mode, the service it happened in; else empty.
        would_have_fired: For a signature in test mode, how often people would have been told that it began.
        contributors: For an alarm over many series, those that told of themselves, by id.
        only_contributors: Whether nothing but contributors told of the alarm: then it is over when all of them are.
        muted_by: What in CloudWatch mutes the alarm, in words.
        muted_until: When that ends, where it is known.
        marked_by: For an alert in the digest because people said that it was none: who.
        learned_quiet: The quiet that means "over", learned from how it came back (``flapping``); 0 before it did.
    """

    fingerprint: str
    signature: str
    fields: Mapping[str, str]
    count: int
    first_seen: Millis
    last_seen: Millis
    active_at: Millis
    state: AlertState
    sample: str
    state_at: Millis = 0
    joined_at: Millis = 0
    notified: Notified = Notified()
    announced: bool = True
    regressed: bool = False
    over_at: Millis | None = None
    silence: str = ""
    unmuted: bool = False
    queue: QueueReading | None = None
    recent: tuple[tuple[Millis, int], ...] = ()
    origin: Origin = Origin()
    origin_service: str = ""
    would_have_fired: int = 0
    contributors: Mapping[str, Contributor] = field(default_factory=dict)
    only_contributors: bool = False
    muted_by: str = ""
    muted_until: Millis | None = None
    marked_by: str = ""
    learned_quiet: Millis = 0


class Pending(Struct, frozen=True):
    """A notification that is due and not yet handed to SNS.

    Attributes:
        sequence: Counts the incident's notifications from 1; what duplicates and order are known by.
        reason: Why it is sent.
        at: When it became due.
        fingerprints: The alerts it is about (new, regressed or grown ones).
        notified_before: How many occurrences of each alert (by fingerprint) earlier notifications had told of;
            an alert that is not in it is new to people.
        growing: The alerts whose dead-letter queue has grown so much, or is so near to losing messages, that it is news.
        updates: For an ``update``, how many came one after the other without news between, this one included.
        reason_detail: More about why, in words; for ``silence_expired`` which silence ended.
        learned: The ids of the changes that it is the first to tell of, because they became known late.
        subjects: Those of ``fingerprints`` that its reason is said of, where others are told in passing.
        actions: The ids of what people did that it is the first to tell of.
    """

    sequence: int
    reason: Reason
    at: Millis
    fingerprints: tuple[str, ...] = ()
    notified_before: Mapping[str, int] = field(default_factory=dict)
    growing: tuple[str, ...] = ()
    updates: int = 0
    reason_detail: str = ""
    learned: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


class Pace(Struct, frozen=True):
    """How often people have been notified of an incident.

    Attributes:
        notified_at: When the last notification became due; None before the first.
        last_non_update_at: When the last one that was not an ``update`` became due; reminders are counted from it.
        repeats: Reminders since the last news.
        updates: Updates since the last news or reminder.
        burst_since: Since when ``burst`` counts.
        burst: Notifications of new or regressed alerts since ``burst_since``.
    """

    notified_at: Millis | None = None
    last_non_update_at: Millis | None = None
    repeats: int = 0
    updates: int = 0
    burst_since: Millis = 0
    burst: int = 0

    def after(self, reason: Reason, now: Millis, group_interval: Millis) -> Pace:
        """The pace once a notification has become due.

        Args:
            reason: Its reason.
            now: When it became due.
            group_interval: How long a burst lasts.
        """
        if reason is Reason.UPDATE:
            return replace(self, notified_at=now, updates=self.updates + 1)
        since, burst = self.burst_since, self.burst
        if reason in (Reason.NEW_ALERT, Reason.REGRESSED):
            since, burst = (now, 1) if now >= since + group_interval else (since, burst + 1)
        repeats = self.repeats + 1 if reason is Reason.REPEAT else 0
        return Pace(now, now, repeats, burst_since=since, burst=burst)


class Ended(Struct, frozen=True):
    """An alert that is over.

    Attributes:
        at: When it was over.
        incident: The id of the incident that it was in.
    """

    at: Millis
    incident: str


class Incident(Struct, frozen=True):
    """The alerts of one group (one service) that are active together.

    Attributes:
        id: Unique; also the thread's name.
        service: The group.
        opened_at: When the first occurrence was received.
        alerts: By fingerprint, in the order they joined.
        resolved_at: When it was over, else None.
        sequence: The last sequence number given to a notification.
        pace: When people were notified, and how often; what bounds the notifications.
        omitted: Occurrences of alerts beyond the most that one incident keeps.
        omitted_notified: ``omitted`` as of the last notification.
        reopened_at: When it last began again after it was over; None if it never did.
        return_notified: Whether people heard that it began again; a return that was muted to its end ends in silence too.
        ended: Alerts of earlier incidents that are over, by fingerprint, for as long as they count as regressed if they
            are seen again.
        outbox: Notifications due and not yet handed to SNS, oldest first.
        latest_news_started_at: When the latest news that people were told of began; None before any.
        changes: What changed before its latest news, and since: the likeliest suspect first.
        changes_not_notified: The ids of direct changes that became known after people were told of the incident, and of
            which no notification has told yet.
        acknowledged: Who has it; None for nobody.
        record: What people did, the oldest first; the last ones of very many.
        actions_not_notified: The ids of what people did of which no notification has told yet.
        redrive: The latest redrive of a dead-letter queue; None for none.
        wide_alert: The alert whose cause it may share with incidents of other services; empty for none.
        wide_services: As the leader of a wide incident, the services of all that joined it; else empty.
        wide_notified: How many of them people were told of.
        learning_until: For the digest: until when what Tocsin learns goes into this one; 0 where it does not learn.
    """

    id: str
    service: str
    opened_at: Millis
    alerts: Mapping[str, Alert]
    resolved_at: Millis | None = None
    sequence: int = 0
    pace: Pace = Pace()
    omitted: int = 0
    omitted_notified: int = 0
    reopened_at: Millis | None = None
    return_notified: bool = True
    ended: Mapping[str, Ended] = field(default_factory=dict)
    outbox: tuple[Pending, ...] = ()
    latest_news_started_at: Millis | None = None
    changes: tuple[Change, ...] = ()
    changes_not_notified: tuple[str, ...] = ()
    acknowledged: Acknowledgement | None = None
    record: tuple[PerformedAction, ...] = ()
    actions_not_notified: tuple[str, ...] = ()
    redrive: Redrive | None = None
    wide_alert: str = ""
    wide_services: tuple[str, ...] = ()
    wide_notified: int = 0
    learning_until: Millis = 0

    @property
    def notified_at(self) -> Millis | None:
        """When the last notification became due; None before the first."""
        return self.pace.notified_at

    @property
    def firing(self) -> tuple[Alert, ...]:
        """The alerts that are still going on."""
        return tuple(alert for alert in self.alerts.values() if alert.state is AlertState.FIRING)

    @property
    def count(self) -> int:
        """All occurrences of all its alerts."""
        return sum(alert.count for alert in self.alerts.values()) + self.omitted
