"""Applying what was just pressed, and answering who pressed: what ``reconcile`` does when it is asked to hurry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct, field

from tocsin.adapters.slack.errors import DeliveryError
from tocsin.core.incidents.acting import performed_by
from tocsin.core.incidents.actions import ActionKind, ActionOutcome, PerformedAction
from tocsin.core.model import Millis
from tocsin.core.slack.action_answers import outcome_words
from tocsin.services.reconcile_service import Reconciler, Reconciliation


class Applied(Struct):
    """What came of it.

    Attributes:
        reconciliation: What the service's reconciliation did.
        note: What did not go as it should; empty for nothing.
    """

    reconciliation: Reconciliation = field(default_factory=Reconciliation)
    note: str = ""


def apply_pressed(
    reconciler: Reconciler,
    pressed: Mapping[str, str],
    now: Millis,
    answer: Callable[[str, str], None],
) -> Applied:
    """Reconcile the service of a press, and tell the person what came of it.

    Args:
        reconciler: Brings incidents up to date.
        pressed: ``service``, ``action`` and ``response_url``, as ``respond`` wrote them.
        now: The time.
        answer: Says something to the person, given the response address.
    """
    service = pressed["service"]
    done = Applied(reconciler.reconcile(service, now))
    words = outcome_words(performed_by(reconciler.ledger.load(service).incident, pressed["action"]))
    if words and pressed.get("response_url"):
        try:
            answer(pressed["response_url"], words)
        except DeliveryError as error:  # the incident's message and thread say it too
            done.note = f"the person was not answered: {error}"
    return done


def times_of(done: Reconciliation) -> list[tuple[str, Millis]]:
    """How long it took until somebody had the incident, and until somebody said that it is over: metric and time."""
    opened = done.incident.opened_at if done.incident else 0
    return [(_TIMED[each.kind], each.at - opened) for each in performed_in(done) if each.kind in _TIMED]


def performed_in(done: Reconciliation) -> list[PerformedAction]:
    """What people did, and had an effect."""
    applied = {action.id for action in done.acted}
    record = done.incident.record if done.incident else ()
    return [each for each in record if each.id in applied and each.outcome is ActionOutcome.DONE]


_TIMED = {ActionKind.TAKE: "TimeToAcknowledge", ActionKind.OVER: "TimeToResolve"}
