"""Reconciling all services, every minute: whatever time alone makes due, and whatever a crash left half done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tocsin.core.incidents.suppressed import suppressed_alerts
from tocsin.core.model import Millis
from tocsin.services.absence import begin_watches, forget_removed
from tocsin.services.reconcile_service import Reconciler, Reconciliation


@dataclass(slots=True)
class Reconciled:
    """What one round did.

    Attributes:
        services: How many services had something unfinished.
        applied: Occurrence counts applied into incidents.
        sent: Reasons of the notifications published, by service.
        open: Incidents that are open afterwards; None where nothing was due, or it could not be counted.
        suppressed: Alerts of the services looked at that fire and are not told of by themselves, by why.
        failures: What went wrong, by service; the others were reconciled all the same.
        acted: What was done for each service, what people did among it.
    """

    services: int = 0
    applied: int = 0
    sent: dict[str, list[str]] = field(default_factory=dict)
    open: int | None = None
    suppressed: Counter[str] = field(default_factory=Counter)
    failures: dict[str, Exception] = field(default_factory=dict)
    acted: list[Reconciliation] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """What the function answers and logs."""
        return {
            "services": self.services,
            "applied": self.applied,
            "sent": self.sent,
            "failures": {service: repr(error) for service, error in self.failures.items()},
        }


def reconcile(
    reconciler: Reconciler, now: Millis, *, may_go_on: Callable[[], bool] = lambda: True
) -> Reconciled:
    """Settle every service that has something unfinished; one that fails does not keep the others.

    Args:
        reconciler: Settles one service.
        now: The time.
        may_go_on: Asked before each service; once it says no, the rest waits for the next round, which begins
            with those that have waited longest.
    """
    done = Reconciled()
    ledger, signatures = reconciler.ledger, reconciler.policy.signatures
    if reconciler.queues is not None:
        done.failures.update(begin_watches(ledger, signatures))
    services = ledger.open_services(now)
    if services:
        try:
            forget_removed(ledger, signatures, now)
        except Exception as error:  # only tidiness; the services are reconciled all the same
            done.failures["watches"] = error
    silences = cache(ledger.silences)  # the same for all services of a round: read once, if at all
    for service in services:
        if not may_go_on():
            break
        done.services += 1
        try:
            reconciled = reconciler.reconcile(service, now, silences=silences)
        except Exception as error:  # said by the handler, tried again in a minute
            done.failures[service] = error
            continue
        done.applied += reconciled.applied
        done.acted.append(reconciled)
        if reconciled.incident is not None:
            done.suppressed.update(suppressed_alerts(reconciled.incident, signatures))
        if reconciled.sent:
            done.sent[service] = [reason.value for reason in reconciled.sent]
    if done.services:
        with suppress(Exception):  # a figure on a dashboard: counted again within 15 minutes
            done.open = ledger.open_incidents()
    return done
