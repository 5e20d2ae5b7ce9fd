"""The watch over a line that must appear: when it was last seen, since when there is work for it, whether it is missing.

What a watch knows comes from observations, in any order and any number of times. ``merged`` makes of them the same last sign
and the same last work whatever the order; times only move forward, and work that is not newer than the last sign does
not count. Since when there is work is exact where signs come before the work that follows them. Where a sign comes late
it may be as much later than the truth as the sign was late: told a little later, and never too early.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from tocsin.core.matching.fingerprint import fingerprint
from tocsin.core.model import AlertState, Millis, OccurrenceCount, Origin
from tocsin.core.redaction.sample import name_of, sample_of
from tocsin.core.signatures.absence_rule import AbsenceRule
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.core.times import format_duration, iso_time


class Sighting(Struct, frozen=True):
    """One sign of life or of work.

    Attributes:
        at: Its own time, which orders signs and work.
        received_at: When Tocsin received it. Waiting is measured on this: a delayed delivery does not look like a long
            absence, because what it waits for is delayed, too.
        log_group: Where it was logged; empty for a queue.
        log_stream: Likewise.
        queue: The queue that had messages; empty for a line.
    """

    at: Millis
    received_at: Millis
    log_group: str = ""
    log_stream: str = ""
    queue: str = ""


class Observation(Struct, frozen=True):
    """What one envelope, or one look at a queue, adds to a watch; any number of sightings, in any order."""

    service: str
    signature: str
    signs: tuple[Sighting, ...] = ()
    work: tuple[Sighting, ...] = ()
    account: str = ""
    region: str = ""

    def plus(self, other: Observation) -> Observation:
        """Both together."""
        return replace(self, signs=(*self.signs, *other.signs), work=(*self.work, *other.work))


class Watch(Struct, frozen=True):
    """What is known of one line in one service.

    Attributes:
        service: The service.
        signature: The id of the signature that waits for the line.
        sign: The last sign of life; None when none was ever seen.
        work: The earliest work that is newer than the sign; None when there is none.
        latest: The latest work that is newer than the sign.
        fired: The time that the alert of the present absence is known by; 0 while nothing is missing.
        account: The AWS account.
        region: The Region.
        version: The version it was loaded with; 0 when it is not stored.
    """

    service: str
    signature: str
    sign: Sighting | None = None
    work: Sighting | None = None
    latest: Sighting | None = None
    fired: Millis = 0
    account: str = ""
    region: str = ""
    version: int = 0

    @property
    def received_at(self) -> Millis:
        """When something was last received for it."""
        return max(
            (sighting.received_at for sighting in (self.sign, self.work, self.latest) if sighting), default=0
        )


def is_watched(rule: Signature | None) -> bool:
    """Whether a signature waits for a line at all."""
    return rule is not None and rule.source is Source.ABSENCE and rule.status is not Status.OFF


def merged(watch: Watch, observation: Observation, rule: AbsenceRule) -> Watch:
    """The watch with what a observation adds."""
    sign = max((*observation.signs, *_known(watch.sign)), key=_latest, default=None)
    since = sign.at + rule.slack if sign else -1
    work = [
        sighting
        for sighting in (*observation.work, *_known(watch.work), *_known(watch.latest))
        if sighting.at > since
    ]
    return replace(
        watch,
        sign=sign,
        work=min(work, key=_earliest, default=None),
        latest=max(work, key=_latest, default=None),
        account=watch.account or observation.account,
        region=watch.region or observation.region,
    )


def is_worth_a_write(known: Watch, then: Watch, rule: AbsenceRule) -> bool:
    """Whether a watch says so much more than it did that it should be stored.

    Every invocation of a busy worker is a sign of work and every document it is done with one of life; one write a
    minute says as much. A sign within ``slack`` of the stored one needs none, because work within it does not count.
    """
    return (
        not known.version
        or known.work != then.work
        or _is_later(then.sign, known.sign, rule.slack)
        or _is_later(then.latest, known.latest, rule.slack)
    )


def missing_at(watch: Watch, rule: AbsenceRule) -> Millis | None:
    """From when on the line counts as missing, unless it appears before; None while nobody waits for it."""
    since = watch.work if rule.needs_work else watch.sign
    return None if since is None else since.received_at + rule.within


def is_missing(watch: Watch, rule: AbsenceRule, now: Millis) -> bool:
    """Whether the line is missing."""
    at = missing_at(watch, rule)
    return at is not None and at <= now


def next_check_at(watch: Watch, rule: AbsenceRule) -> Millis | None:
    """When the watch wants to be looked at; it may lie in the past, then it is due every minute. None for never."""
    if watch.fired:
        return watch.fired
    at = missing_at(watch, rule)
    if at is None and rule.queues:
        return poll_queues_at(watch, rule)
    return at


def poll_queues_at(watch: Watch, rule: AbsenceRule) -> Millis:
    """From when on its queues are asked whether there is work that no line tells of."""
    return watch.sign.received_at + rule.within if watch.sign else 0


def fired(watch: Watch, rule: AbsenceRule) -> Watch:
    """The watch of a line that is missing, with what the alert is known by, whoever finds it out and however often."""
    since = watch.work if rule.needs_work else watch.sign
    return replace(watch, fired=watch.fired or max(1, since.at if since else 0))


def missing(watch: Watch, rule: Signature, now: Millis) -> OccurrenceCount:
    """The occurrence count that says that the line of a watch that ``fired`` is missing."""
    since = (watch.work if rule.absence.needs_work else watch.sign) or Sighting(watch.fired, watch.fired)
    count = _occurrence_count(watch, rule, now)
    return replace(
        count,
        envelope=f"absence/{watch.signature}/{watch.service}/{watch.fired}",
        count=1,
        first_seen=since.at,
        last_seen=max(now, since.at),
        sample=sample_of(_in_words(watch, rule, now)),
        origin=replace(count.origin, log_group=since.log_group, log_stream=name_of(since.log_stream)),
    )


def returned(watch: Watch, rule: Signature, now: Millis, since: Millis) -> OccurrenceCount:
    """The occurrence count that says that the line is not missing any more, after the alert that is known by ``since``."""
    count = _occurrence_count(watch, rule, now)
    return replace(
        count,
        envelope=f"absence/{watch.signature}/{watch.service}/{since}/over",
        state=AlertState.RESOLVED,
    )


def fingerprint_of(watch: Watch, rule: Signature) -> str:
    """The alert that a watch makes."""
    return fingerprint(rule, watch.service, {})


def _occurrence_count(watch: Watch, rule: Signature, now: Millis) -> OccurrenceCount:
    return OccurrenceCount(
        envelope="",
        fingerprint=fingerprint_of(watch, rule),
        signature=watch.signature,
        service=watch.service,
        fields={},
        count=0,
        first_seen=now,
        last_seen=now,
        received_at=now,
        sample="",
        origin=Origin(account=watch.account, region=watch.region, absence=True),
    )


def _in_words(watch: Watch, rule: Signature, now: Millis) -> str:
    """What is missing since when, for people. Nothing of it is log text but names of log groups and queues."""
    line = f"No line like “{rule.matches[0]}”" if rule.matches else f"No line for {rule.id}"
    sign, work = watch.sign, watch.work
    text = f"{line} for {format_duration(now - sign.at)}" if sign else f"{line} was ever seen here"
    if rule.absence.needs_work and work is not None:
        shown = f"queue {work.queue} had messages" if work.queue else f"there was work in {work.log_group}"
        text += f", although {shown} at {iso_time(work.at)}, {format_duration(now - work.at)} ago"
    last = f"It was last seen at {iso_time(sign.at)}. " if sign else ""
    return f"{text}. {last}It must appear within {format_duration(rule.absence.within)}."


def _known(sighting: Sighting | None) -> Iterable[Sighting]:
    return () if sighting is None else (sighting,)


def _earliest(sighting: Sighting) -> tuple[object, ...]:
    """By time; of equals the one first received is the least, so that a duplicate changes nothing."""
    return (sighting.at, sighting.received_at, sighting.log_group, sighting.log_stream, sighting.queue)


def _latest(sighting: Sighting) -> tuple[object, ...]:
    """By time; of equals the one first received is the greatest, likewise."""
    return (sighting.at, -sighting.received_at, sighting.log_group, sighting.log_stream, sighting.queue)


def _is_later(then: Sighting | None, known: Sighting | None, by: Millis) -> bool:
    return then is not None and (known is None or then.at > known.at + by)
