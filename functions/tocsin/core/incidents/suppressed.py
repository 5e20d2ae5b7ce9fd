"""Which alerts fire and are not told of by themselves, and why: what a dashboard shows as suppressed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from tocsin.core.incidents.inhibition import inhibitor
from tocsin.core.incidents.trial import is_on_trial
from tocsin.core.model import AlertState, Incident
from tocsin.core.signatures.signature import Signature


class Quiet(StrEnum):
    """Why an alert that fires is not told of by itself."""

    SILENCED = "silenced"
    EXPLAINED = "explained"
    ON_TRIAL = "on trial"
    BELOW_THRESHOLD = "below threshold"


def quiet_alerts(incident: Incident, signatures: Mapping[str, Signature]) -> Counter[str]:
    """Count the alerts of an incident that fire quietly, each once, by the first reason of ``Quiet`` that holds."""
    counted: Counter[str] = Counter()
    for alert in incident.alerts.values():
        if alert.state is not AlertState.FIRING:
            continue
        if alert.silence:
            counted[Quiet.SILENCED] += 1
        elif inhibitor(incident, alert, signatures) is not None:
            counted[Quiet.EXPLAINED] += 1
        elif is_on_trial(signatures.get(alert.signature)):
            counted[Quiet.ON_TRIAL] += 1
        elif not alert.announced:
            counted[Quiet.BELOW_THRESHOLD] += 1
    return counted
