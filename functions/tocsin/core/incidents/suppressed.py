"""Which alerts fire and are not told of by themselves, and why: what a dashboard shows as suppressed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.inhibition import inhibitor
from tocsin.core.incidents.test_mode import is_in_test_mode
from tocsin.core.model import AlertState
from tocsin.core.signatures.signature import Signature


class Suppressed(StrEnum):
    """Why an alert that fires is not told of by itself."""

    SILENCED = "silenced"
    EXPLAINED = "explained"
    TEST_MODE_GROUP = "in test mode"
    BELOW_THRESHOLD = "below threshold"


def suppressed_alerts(incident: Incident, signatures: Mapping[str, Signature]) -> Counter[str]:
    """Count the alerts of an incident that fire quietly, each once, by the first reason of ``Suppressed`` that holds."""
    counted: Counter[str] = Counter()
    for alert in incident.alerts.values():
        if alert.state is not AlertState.FIRING:
            continue
        if alert.silence:
            counted[Suppressed.SILENCED] += 1
        elif inhibitor(incident, alert, signatures) is not None:
            counted[Suppressed.EXPLAINED] += 1
        elif is_in_test_mode(signatures.get(alert.signature)):
            counted[Suppressed.TEST_MODE_GROUP] += 1
        elif not alert.announced:
            counted[Suppressed.BELOW_THRESHOLD] += 1
    return counted
