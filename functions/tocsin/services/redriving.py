"""Starting the redrive that somebody asked for: claimed first, so that a press starts one move and no crash a second."""

from __future__ import annotations

from typing import Protocol

from tocsin.core.incidents.actions import Redrive, RedriveState
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.redriving import MovesLook, claimed, failed, own_move
from tocsin.core.incidents.store import Ledger, Stored
from tocsin.core.model import Millis
from tocsin.core.times import MINUTE


class MessageMoves(Protocol):
    """Moves messages out of dead-letter queues; see ``adapters.aws.message_moves``. Never raises."""

    def look(self, redrive: Redrive) -> MovesLook:
        """The latest moves out of a redrive's queue."""

    def start(self, redrive: Redrive) -> str:
        """Start a move to where the messages came from: why it was refused; empty where it began, or may have."""


def look_at_moves(moves: MessageMoves | None, incident: Incident | None) -> MovesLook | None:
    """Look how far the redrive of an incident is; None where there is none to look at."""
    if moves is None or incident is None or incident.redrive is None or incident.resolved_at is not None:
        return None
    redrive = incident.redrive
    if redrive.state is RedriveState.ASKED:
        return MovesLook(known=False)  # it is looked at as it is started
    if redrive.state not in {RedriveState.STARTING, RedriveState.RUNNING}:
        return None
    return moves.look(redrive)


def is_asked_for(incident: Incident) -> bool:
    """Whether a redrive of an open incident is still to be started."""
    redrive = incident.redrive
    return redrive is not None and redrive.state is RedriveState.ASKED and incident.resolved_at is None


def start_asked(ledger: Ledger, moves: MessageMoves, stored: Stored, now: Millis) -> None:
    """Start the redrive that an incident asks for, if it does; what comes of it is told by the next reconciliation.

    Args:
        ledger: Where the incident is.
        moves: What starts it.
        stored: The incident as it is now.
        now: The time.

    Raises:
        StaleVersionError: Somebody else was faster; nothing was started by this call, or the next look finds it.
    """
    incident = stored.incident
    redrive = incident.redrive if incident else None
    if incident is None or redrive is None or not is_asked_for(incident):
        return
    look = moves.look(redrive)
    if look.refused:
        ledger.save(failed(incident, look.refused, now), stored.version, due=now)
    if look.refused or not look.known:
        return
    ours, to_be_started = claimed(incident, look.moves, now)
    version = ledger.save(ours, stored.version, due=now + MINUTE)
    if not to_be_started or ours.redrive is None:
        return
    refused = moves.start(ours.redrive)
    # The client tries again by itself: the second try may have been refused because the first had begun one.
    if refused and own_move(ours.redrive, moves.look(redrive).moves) is None:
        ledger.save(failed(ours, refused, now), version, due=now)
