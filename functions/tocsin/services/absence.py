"""Watching: signs of life and of work noted in the ledger, and what is missing turned into occurrence counts.

Level-triggered like all reconciliation: what is missing follows from the stored watch and the time, whoever looks and however
often. The order of writes makes a crash harmless: a watch is marked as fired before its occurrence count is counted, and unmarked
after the occurrence count of its end is; until then it is due every minute, and the next look does again what may be half done.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

from tocsin.core.absence.watch import (
    Observation,
    Sighting,
    Watch,
    fingerprint_of,
    fired,
    is_missing,
    is_watched,
    is_worth_a_write,
    merged,
    missing,
    missing_at,
    next_check_at,
    poll_queues_at,
    returned,
)
from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.store import Ledger, StaleVersionError
from tocsin.core.incidents.test_mode import grouped, is_in_test_mode
from tocsin.core.matching.scopes import in_scope
from tocsin.core.model import AlertState, Millis, OccurrenceCount
from tocsin.core.signatures.absence_rule import AbsenceRule
from tocsin.core.signatures.signature import Signature
from tocsin.core.times import DAY

MAX_CONFLICTS = 8
"""How many lost races one note takes before its event is delivered again."""

COUNTED_WITHIN: Millis = DAY
"""For how long an absence in test mode is counted again each minute, which changes nothing but after a crash; less than a
occurrence count is kept."""


class QueueDepths(Protocol):
    """Says how many messages wait in SQS queues."""

    def depth(self, queue: str) -> int | None:
        """About how many messages wait in the queue of this name; None where that cannot be found out."""


def note(ledger: Ledger, observation: Observation, rule: AbsenceRule, known: Watch | None = None) -> Watch:
    """Add a observation to its watch: one write, or none where it says nothing new.

    Args:
        ledger: Where the watch is.
        observation: What was seen.
        rule: What is waited for.
        known: The watch as this process last saw it; without it, it is read first.

    Returns:
        The watch afterwards.

    Raises:
        StaleVersionError: Too many others wrote at the same time; the same observation again does no harm.
    """
    for _ in range(MAX_CONFLICTS):
        watch = (
            known
            or ledger.watch(observation.service, observation.signature)
            or Watch(observation.service, observation.signature)
        )
        then = merged(watch, observation, rule)
        if not is_worth_a_write(watch, then, rule):
            return watch
        try:
            return ledger.save_watch(then, next_check_at(then, rule))
        except StaleVersionError:
            known = None
    raise StaleVersionError


def begin_watches(ledger: Ledger, signatures: Mapping[str, Signature]) -> dict[str, Exception]:
    """Begin the watches that no line begins: a queue may fill up though nothing ever runs.

    Only for services that a scope names in full, because nobody knows which others there are.

    Returns:
        What went wrong, by service.
    """
    failures: dict[str, Exception] = {}
    for rule in signatures.values():
        if not is_watched(rule) or not rule.absence.queues:
            continue
        for service in rule.services:
            if any(letter in service for letter in "*?["):
                continue
            try:
                if ledger.watch(service, rule.id) is None:
                    watch = Watch(service, rule.id)
                    ledger.save_watch(watch, next_check_at(watch, rule.absence))
            except StaleVersionError:
                pass  # somebody was faster
            except Exception as error:  # said by the handler, tried again in a minute
                failures[service] = error
    return failures


def forget_removed(ledger: Ledger, signatures: Mapping[str, Signature], now: Millis) -> None:
    """Forget what is known for signatures that are gone, or off: nobody would ever look at it, and it would stay due.

    Wholly, so that one which is switched on again does not take the time in between for an absence.
    """
    for service, name in ledger.due_watches(now):
        rule = signatures.get(name)
        watch = None if is_watched(rule) else ledger.watch(service, name)
        if watch is not None:
            with suppress(StaleVersionError):  # the next round sees what it is then
                ledger.save_watch(Watch(service, name, version=watch.version), None)


def absences(
    ledger: Ledger,
    signatures: Mapping[str, Signature],
    service: str,
    incident: Incident | None,
    now: Millis,
    *,
    queues: QueueDepths | None = None,
) -> list[OccurrenceCount]:
    """Look at the watches of a service, and count what is missing now, or is not any more.

    Where no signature waits for a line of the service, this asks the ledger nothing.

    Args:
        ledger: Where the watches are.
        signatures: By id.
        service: The service.
        incident: Its incident as stored.
        now: The time.
        queues: Asked where a signature takes waiting messages for work and no line was seen for long.

    Returns:
        The occurrence counts that were counted now and belong to the service's incident: not those in test mode.

    Raises:
        StaleVersionError: Somebody else saved one of the watches meanwhile.
    """
    fresh: list[OccurrenceCount] = []
    for rule in signatures.values():
        if not is_watched(rule) or not in_scope(rule, "", service):
            continue
        watch = ledger.watch(service, rule.id)
        if watch is None:
            continue
        asked = _asked(ledger, watch, rule.absence, now, queues)
        alert = incident.alerts.get(fingerprint_of(watch, rule)) if incident else None
        firing = alert if alert is not None and alert.state is AlertState.FIRING else None
        counted = (
            _missing(ledger, asked, rule, firing, now)
            if is_missing(asked, rule.absence, now)
            else _returned(ledger, asked, rule, firing, now)
        )
        if counted is not None and counted.service == service:
            fresh.append(counted)
    return fresh


def _missing(
    ledger: Ledger, watch: Watch, rule: Signature, firing: Alert | None, now: Millis
) -> OccurrenceCount | None:
    """Count that the line is missing, unless it is known."""
    if firing is not None:
        return None
    if not watch.fired:
        begun = fired(watch, rule.absence)
        watch = ledger.save_watch(begun, next_check_at(begun, rule.absence))
    elif is_in_test_mode(rule) and now >= (missing_at(watch, rule.absence) or 0) + COUNTED_WITHIN:
        return None  # no incident of the service shows that it is known, and an occurrence count is not kept for ever
    counted = _grouped(missing(watch, rule, now), rule)
    return counted if ledger.count(counted) else None


def _returned(
    ledger: Ledger, watch: Watch, rule: Signature, firing: Alert | None, now: Millis
) -> OccurrenceCount | None:
    """Count that the line is not missing any more, if it was."""
    if firing is None and not watch.fired:
        return None
    since = watch.fired or (firing.state_at if firing else 0)
    counted = _grouped(returned(watch, rule, now, since), rule)
    is_new = ledger.count(counted)
    if watch.fired:
        over = replace(watch, fired=0)
        ledger.save_watch(over, next_check_at(over, rule.absence))
    return counted if is_new else None


def _grouped(counted: OccurrenceCount, rule: Signature) -> OccurrenceCount:
    """The occurrence count in its group.

    What was counted in test mode is counted once more if its signature is promoted meanwhile: the line is still missing,
    and nobody was told.
    """
    in_test_mode = (
        replace(counted, envelope=f"{counted.envelope}/trial") if is_in_test_mode(rule) else counted
    )
    return grouped(in_test_mode, rule)


def _asked(ledger: Ledger, watch: Watch, rule: AbsenceRule, now: Millis, queues: QueueDepths | None) -> Watch:
    """The watch, after its queues were asked for work that no line told of."""
    if queues is None or watch.work is not None or now < poll_queues_at(watch, rule):
        return watch
    for queue in rule.queues:
        if queues.depth(queue):
            sighting = Sighting(now, now, queue=queue)
            return note(ledger, Observation(watch.service, watch.signature, work=(sighting,)), rule, watch)
    return watch
