"""Redriving a dead-letter queue from Slack: when it is refused, that it starts once, and what is told of it.

What is pressed makes a redrive that is *asked* for. A reconciliation claims it by a conditional write, in which it keeps
when the queue's latest move began that AWS knows of, and only then starts one. Whoever comes after a crash finds by that
time whether the claim led to a move: a later one is ours. So a press starts one move, whatever fails; AWS itself
refuses a second one at a time on a queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from tocsin.core.incidents import dlq_growth as queue_watch
from tocsin.core.incidents.actions import (
    Action,
    ActionKind,
    ActionOutcome,
    PerformedAction,
    Redrive,
    RedriveState,
)
from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.policy import Policy
from tocsin.core.model import Millis
from tocsin.core.times import HOUR, MINUTE

ARRIVING: Millis = 10 * MINUTE
"""For how long after a message came into the queue its cause counts as going on."""

CLAIM_HOLDS: Millis = MINUTE
"""How long a claim is left to whoever made it: longer than ``reconcile`` may run."""

GIVE_UP_AFTER: Millis = 15 * MINUTE
"""How long it is tried to start a redrive while AWS does not answer."""

REPORT_EVERY: Millis = 5 * MINUTE
"""How often its progress is told at most."""

LONGEST: Millis = 37 * HOUR
"""After this it is not waited for any more; SQS ends a move after 36 hours."""

_ACTIVE = frozenset({RedriveState.ASKED, RedriveState.STARTING, RedriveState.RUNNING})


class MoveState(StrEnum):
    """How far a move is, in SQS's words."""

    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"


class Move(Struct, frozen=True):
    """One move of messages out of a queue, as SQS tells of it.

    Attributes:
        started_at: When it began, by SQS's clock.
        state: How far it is.
        moved: Messages moved, about.
        to_move: Messages that there were to move, about; None where SQS does not say.
        failure: Why it failed.
    """

    started_at: Millis
    state: MoveState
    moved: int = 0
    to_move: int | None = None
    failure: str = ""


class MovesLook(Struct, frozen=True):
    """What a look at a queue's moves found.

    Attributes:
        moves: The latest, in any order.
        known: Whether SQS answered; if not, there may be others.
        refused: Why one may not look, in words; empty where one may.
    """

    moves: tuple[Move, ...] = ()
    known: bool = True
    refused: str = ""


def is_under_way(incident: Incident, now: Millis) -> bool:
    """Whether a redrive is asked for or going on; the incident stays open until it is told what came of it."""
    redrive = incident.redrive
    return redrive is not None and redrive.state in _ACTIVE and now - redrive.asked_at < LONGEST


def redrivable(incident: Incident, queues: frozenset[str]) -> tuple[Alert, ...]:
    """The alerts of an incident whose queue can be redriven: they fire, and the deployment names the queue."""
    return tuple(alert for alert in incident.firing if alert.fields.get("queue") in queues)


def asked(incident: Incident, action: Action, policy: Policy) -> tuple[ActionOutcome, str, Incident]:
    """Ask for the redrive that somebody pressed for: what came of it, in words, and the incident.

    Args:
        incident: Open, and the one that it was pressed on.
        action: What was pressed.
        policy: Signatures: which alerts are of dead-letter queues.
    """
    alert = incident.alerts.get(action.fingerprint)
    if alert is None or not queue_watch.is_watched(alert, policy):
        return ActionOutcome.NOTHING_TO_DO, "", incident
    if incident.redrive is not None and is_under_way(incident, action.at):
        return ActionOutcome.SOMEBODY_ELSE, incident.redrive.name, incident
    if not action.insists and (cause := still_fires(incident, alert, action.at, policy)):
        return ActionOutcome.REFUSED, cause, incident
    queue, depth = alert.fields["queue"], f", about {alert.queue.depth:,} messages" if alert.queue else ""
    redrive = Redrive(
        action=action.id,
        fingerprint=alert.fingerprint,
        queue=queue,
        account=alert.origin.account,
        region=alert.origin.region,
        user=action.user,
        name=action.name,
        asked_at=action.at,
    )
    words = f"{queue}{depth}" + (", although the cause may still be there" if action.insists else "")
    return ActionOutcome.DONE, words, replace(incident, redrive=redrive)


def still_fires(incident: Incident, alert: Alert, now: Millis, policy: Policy) -> str:
    """Why it is too early to redrive the queue of an alert, in words; empty where it is not.

    Something else in the incident still fires that is no dead-letter queue, or messages came into the queue lately.
    """
    others = [
        each.signature
        for each in incident.firing
        if each.announced and not queue_watch.is_watched(each, policy)
    ]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        return f"{others[0]}{more} still fires"
    grown_at = alert.queue.grown_at if alert.queue else None
    if now - max(alert.active_at, grown_at or 0) < ARRIVING:
        return f"messages came into {alert.fields['queue']} in the last {ARRIVING // MINUTE} minutes"
    return ""


def claimed(incident: Incident, moves: Sequence[Move], now: Millis) -> tuple[Incident, bool]:
    """The incident with its redrive claimed, and whether a move is to be started: not while one is going on.

    Args:
        incident: With a redrive that is asked for.
        moves: The queue's moves as they are now.
        now: The time.
    """
    latest = max(moves, key=lambda move: move.started_at, default=None)
    going_on = latest is not None and latest.state in {MoveState.RUNNING, MoveState.CANCELLING}
    # One that somebody else started is followed like one's own.
    before = 0 if latest is None else latest.started_at - (1 if going_on else 0)
    redrive = incident.redrive
    if redrive is not None:
        redrive = replace(redrive, state=RedriveState.STARTING, claimed_at=now, before=before)
    return replace(incident, redrive=redrive), not going_on


def own_move(redrive: Redrive, moves: Sequence[Move]) -> Move | None:
    """The move that a claimed redrive led to; None where none did yet."""
    later = [move for move in moves if move.started_at > redrive.before]
    return min(later, key=lambda move: move.started_at, default=None)


def followed(incident: Incident, look: MovesLook | None, now: Millis) -> Incident:
    """The incident with its redrive as a look at the queue's moves found it, and what is to be told of that."""
    redrive = incident.redrive
    if redrive is None or look is None or redrive.state not in _ACTIVE:
        return incident
    if look.refused:
        return failed(incident, look.refused, now)
    move = None if redrive.state is RedriveState.ASKED else own_move(redrive, look.moves)
    if move is not None:
        return _moved(incident, redrive, move, now)
    if now - redrive.asked_at >= (LONGEST if redrive.state is RedriveState.RUNNING else GIVE_UP_AFTER):
        return failed(incident, "AWS did not say that it began, or what became of it", now)
    if redrive.state is RedriveState.STARTING and look.known and now - redrive.claimed_at >= CLAIM_HOLDS:
        # Who claimed it died before anything began.
        return replace(incident, redrive=replace(redrive, state=RedriveState.ASKED))
    return incident


def failed(incident: Incident, why: str, now: Millis) -> Incident:
    """The incident with its redrive given up, and why."""
    redrive = incident.redrive
    if redrive is None:
        return incident
    return _told(
        incident, replace(redrive, state=RedriveState.FAILED), f"{redrive.queue}: it failed: {why}", now
    )


def _moved(incident: Incident, redrive: Redrive, move: Move, now: Millis) -> Incident:
    total = "" if move.to_move is None else f" of about {move.to_move:,}"
    words = f"{redrive.queue}: {move.moved:,}{total} messages moved"
    match move.state:
        case MoveState.COMPLETED:
            state, words = RedriveState.COMPLETED, f"{words}, complete"
        case MoveState.CANCELLED:
            state, words = RedriveState.CANCELLED, f"{words}, then cancelled"
        case MoveState.FAILED:
            state = RedriveState.FAILED
            words += f", then it failed: {move.failure or 'AWS does not say why'}"
        case _:
            state, words = RedriveState.RUNNING, f"{words} so far"
    now_at = replace(redrive, state=state, moved=move.moved)
    if state is not RedriveState.RUNNING:
        return _told(incident, now_at, words, now)
    since = max(redrive.asked_at, redrive.reported_at)
    if move.moved == redrive.moved or now - since < REPORT_EVERY:
        return replace(incident, redrive=now_at)
    return _told(incident, replace(now_at, reported_at=now), words, now)


def _told(incident: Incident, redrive: Redrive, words: str, now: Millis) -> Incident:
    """The incident with this on its record, in the place of what was told of the redrive's progress before."""
    identity = f"{redrive.action}-moved"
    said = PerformedAction(
        identity,
        ActionKind.REDRIVE,
        redrive.user,
        redrive.name,
        now,
        ActionOutcome.DONE,
        words,
        redrive.fingerprint,
    )
    record = (*(each for each in incident.record if each.id != identity), said)
    untold = (*(each for each in incident.actions_not_notified if each != identity), identity)
    return replace(incident, redrive=redrive, record=record, actions_not_notified=untold)
