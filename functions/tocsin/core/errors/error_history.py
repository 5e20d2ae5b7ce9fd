"""What is known of one unknown error, and whether it is news.

The rules, in their order:

* **new**: not seen in this service within ``NEW_AFTER``.
* known by decree: somebody said so, and the time they gave is not over; or until it escalates, if they said that.
* still news: what was news within ``NEWS_LASTS`` and has not been quiet since for as long as resolves an alert.
* **back**: quiet for ``BACK_AFTER``, and for half as long again as it ever was before.
* **escalating**: at least ``FLOOR`` in this hour, and ``FACTOR`` times the most of this hour of the day, of the one
  before and of the one after, on other days; not within an hour of its last news. What is not a day old is measured
  by its own busiest hour. The peak that was told is its past from then on: a second time takes far more again.
* **known** otherwise: counted, shown in the digest, and announced to nobody.

Pure: the time is an argument. Counts are approximate: what one process saw within a minute of its last write is
counted with its next one, and lost if there is none.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tocsin.core.model import Millis
from tocsin.core.times import DAY, HOUR, MINUTE

HOURS_A_DAY = 24

NEW_AFTER: Millis = 14 * DAY
"""Not seen for so long is new."""
BACK_AFTER: Millis = 3 * DAY
"""Quiet for so long may be back."""
NEWS_LASTS: Millis = DAY
"""After so long what still goes on is known, and may be news again."""
FLOOR = 20
"""Fewer in an hour do not escalate: three in place of one is no news."""
FACTOR = 5
"""So many times its own past escalates."""
DECAY = 0.95
"""What remains of a busiest hour a day later: a peak is half forgotten after two weeks."""
MAX_DAYS = 14
"""Days whose counts are kept."""
MAX_TEMPLATES = 2_000
"""Unknown errors that are kept of one service."""


class ErrorState(StrEnum):
    """What an unknown error is to the people who are told, or not told, of it."""

    NEW = "new"
    ESCALATING = "escalating"
    BACK = "back"
    KNOWN = "known"


class ErrorRecord(Struct, frozen=True):
    """What is kept of one unknown error of one service. Everything in it is redacted.

    Attributes:
        id: The fingerprint of its alert.
        service: Where it happens.
        template: What it is known by.
        example: One line.
        log_group: Where that line was found.
        state: What it is now.
        count: How often it was seen; approximate.
        first_seen: When Tocsin first received it.
        last_seen: When Tocsin last received it.
        hour: The hour, counted from the epoch, that ``hour_count`` is of.
        hour_count: How often in that hour.
        peaks: The most in each hour of the day (UTC), forgotten slowly.
        days: Of the latest days with any: the day, counted from the epoch, and how often.
        longest_pause: The longest it was quiet.
        news_at: When it last became news; None if it never was.
        known_until: Until when it is known because somebody said so; 0 for nobody.
        known_by: Who said so.
        known_reason: Why.
        until_it_escalates: Whether it is known until then only as long as it does not escalate.
        unreported: How often it was seen while known, since the digest was last given a number.
        reported_hour: The hour, counted from the epoch, in which that was.
        version: How often it was written.
    """

    id: str
    service: str
    template: str
    example: str
    log_group: str
    state: ErrorState
    count: int
    first_seen: Millis
    last_seen: Millis
    hour: int = 0
    hour_count: int = 0
    peaks: tuple[int, ...] = (0,) * HOURS_A_DAY
    days: tuple[tuple[int, int], ...] = ()
    longest_pause: Millis = 0
    news_at: Millis | None = None
    known_until: Millis = 0
    known_by: str = ""
    known_reason: str = ""
    until_it_escalates: bool = False
    unreported: int = 0
    reported_hour: int = 0
    version: int = 0


class Sighting(Struct, frozen=True):
    """That an unknown error was seen.

    Attributes:
        id: The fingerprint of its alert.
        service: Where.
        template: What it is known by.
        example: One redacted line.
        log_group: Where that line was found.
        count: How often.
    """

    id: str
    service: str
    template: str
    example: str
    log_group: str
    count: int


class Observed(NamedTuple):
    """What a sighting came to.

    Attributes:
        record: What is known of the error now.
        news: Whether it became news with this sighting.
        notifies: Whether it belongs to an alert: it is news, or was and goes on.
        for_digest: How often it was seen that the digest is now to be given: once an hour at most, else 0.
        learned: Whether it was new, and known at once because Tocsin was learning.
    """

    record: ErrorRecord
    news: bool
    notifies: bool
    for_digest: int = 0
    learned: bool = False


def observe(
    before: ErrorRecord | None, seen: Sighting, now: Millis, *, resolve_after: Millis, learning: bool = False
) -> Observed:
    """Say what a sighting makes of an error.

    Args:
        before: What was known of it; None for nothing.
        seen: The sighting.
        now: The time.
        resolve_after: How long an alert must be quiet to be over.
        learning: Whether this is the time after a first deployment in which what is new is known at once.
    """
    pause = max(0, now - before.last_seen) if before else 0
    if before is None or pause > NEW_AFTER:
        record = _counted(_begun(before, seen, now), seen.count, now)
        decreed = record.known_until > now
        if decreed or learning:
            return _known(record, seen.count, now, learned=not decreed)
        return _become(record, ErrorState.NEW, now)
    record = _counted(before, seen.count, now)
    record = replace(record, longest_pause=max(before.longest_pause, pause))
    is_fresh_news = before.news_at is not None and now - before.news_at < HOUR
    if before.known_until > now:
        if before.until_it_escalates and not is_fresh_news and escalates(record):
            return _become(replace(record, known_until=0), ErrorState.ESCALATING, now)
        return _known(record, seen.count, now)
    is_recent_news = before.news_at is not None and now - before.news_at < NEWS_LASTS
    if is_recent_news and before.state is not ErrorState.KNOWN and pause <= resolve_after:
        return Observed(record, news=False, notifies=True)
    if pause >= BACK_AFTER and pause > before.longest_pause * 3 // 2:
        return _become(record, ErrorState.BACK, now)
    if not is_fresh_news and not learning and escalates(record):
        return _become(record, ErrorState.ESCALATING, now)
    return _known(record, seen.count, now)


def escalates(record: ErrorRecord) -> bool:
    """Whether the present hour has far more than this error's own past at this hour of the day."""
    at = record.hour % HOURS_A_DAY
    is_old = record.hour * HOUR - record.first_seen >= DAY
    around = [record.peaks[(at + offset) % HOURS_A_DAY] for offset in (-1, 0, 1)]
    past = max(around if is_old else record.peaks)
    return record.hour_count >= max(FLOOR, FACTOR * past)


def is_due(record: ErrorRecord, now: Millis) -> bool:
    """Whether a sighting may be written: in each minute one is."""
    return now // MINUTE > record.last_seen // MINUTE


def taken_as_known(
    record: ErrorRecord, until: Millis, by: str, reason: str, *, until_it_escalates: bool = False
) -> ErrorRecord:
    """The error as known until a time, because somebody said so.

    Args:
        record: The error.
        until: When it may be news again.
        by: Who says so.
        reason: Why.
        until_it_escalates: Whether an escalation ends it earlier.
    """
    return replace(
        record,
        state=ErrorState.KNOWN,
        known_until=until,
        known_by=by,
        known_reason=reason,
        until_it_escalates=until_it_escalates,
        version=record.version + 1,
    )


def _begun(before: ErrorRecord | None, seen: Sighting, now: Millis) -> ErrorRecord:
    """A history that begins now; what somebody decreed lasts as long as they said."""
    begun = ErrorRecord(
        id=seen.id,
        service=seen.service,
        template=seen.template,
        example=seen.example,
        log_group=seen.log_group,
        state=ErrorState.NEW,
        count=0,
        first_seen=now,
        last_seen=now,
    )
    if before is None:
        return begun
    return replace(
        begun,
        version=before.version,
        known_until=before.known_until,
        known_by=before.known_by,
        known_reason=before.known_reason,
        until_it_escalates=before.until_it_escalates,
    )


def _counted(record: ErrorRecord, count: int, now: Millis) -> ErrorRecord:
    """The record with more counted, and one version on."""
    hour, day = now // HOUR, now // DAY
    if hour > record.hour:
        record = replace(record, peaks=_with_past(record, hour), hour=hour, hour_count=0)
    days = dict(record.days)
    days[day] = days.get(day, 0) + count
    return replace(
        record,
        count=record.count + count,
        hour_count=record.hour_count + count,
        days=tuple(sorted(days.items())[-MAX_DAYS:]),
        last_seen=max(record.last_seen, now),
        version=record.version + 1,
    )


def _with_past(record: ErrorRecord, hour: int) -> tuple[int, ...]:
    """The busiest hours once the hour that was counted is over, and the days between are half forgotten."""
    kept = DECAY ** ((hour // HOURS_A_DAY) - (record.hour // HOURS_A_DAY)) if record.hour else 1.0
    peaks = list(record.peaks)
    peaks[record.hour % HOURS_A_DAY] = max(peaks[record.hour % HOURS_A_DAY], record.hour_count)
    return tuple(int(peak * kept) for peak in peaks)


def _become(record: ErrorRecord, state: ErrorState, now: Millis) -> Observed:
    return Observed(replace(record, state=state, news_at=now), news=True, notifies=True)


def _known(record: ErrorRecord, count: int, now: Millis, *, learned: bool = False) -> Observed:
    hour, unreported = now // HOUR, record.unreported + count
    due = hour > record.reported_hour
    record = replace(
        record,
        state=ErrorState.KNOWN,
        unreported=0 if due else unreported,
        reported_hour=hour if due else record.reported_hour,
    )
    return Observed(
        record, news=False, notifies=False, for_digest=unreported if due else 0, learned=learned and due
    )
