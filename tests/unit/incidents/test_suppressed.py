"""What fires quietly is counted once, by why it is quiet."""

from __future__ import annotations

import pytest
from test_lifecycle import signature

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.suppressed import Suppressed, suppressed_alerts
from tocsin.core.model import AlertState
from tocsin.core.signatures.signature import Status

T0 = 1_770_000_000_000


SIGNATURES = {
    each.id: each
    for each in (
        signature("cause", inhibits=("symptom",)), signature("symptom"), signature("test_mode", status=Status.TEST),
    )
}  # fmt: skip


def alert(name, **changes):
    given = {
        "fingerprint": f"f-{name}", "signature": name, "fields": {}, "count": 1, "first_seen": T0, "last_seen": T0,
        "active_at": T0, "state": AlertState.FIRING, "sample": "",
    }  # fmt: skip
    return Alert(**{**given, **changes})


def counted(*alerts):
    incident = Incident(id="i", service="s", opened_at=T0, alerts={each.fingerprint: each for each in alerts})
    return dict(suppressed_alerts(incident, SIGNATURES))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"signature": "cause", "silence": "s-1"}, Suppressed.SILENCED),
        ({"signature": "test_mode"}, Suppressed.TEST_MODE_GROUP),
        ({"signature": "test_mode", "announced": False}, Suppressed.TEST_MODE_GROUP),
        ({"signature": "cause", "announced": False}, Suppressed.BELOW_THRESHOLD),
    ],
)
def test_an_alert_that_fires_quietly_is_counted_by_why(changes, why):
    rest = {key: each for key, each in changes.items() if key != "signature"}
    assert counted(alert(changes["signature"], **rest)) == {why: 1}


def test_a_symptom_is_explained_while_its_cause_fires_and_no_longer():
    assert counted(alert("cause"), alert("symptom")) == {Suppressed.EXPLAINED: 1}
    assert counted(alert("cause", state=AlertState.RESOLVED), alert("symptom")) == {}


def test_what_is_told_and_what_is_over_is_not_quiet():
    assert counted(alert("cause"), alert("test_mode", state=AlertState.RESOLVED, silence="s-1")) == {}


def test_an_alert_is_counted_once_whatever_keeps_it_quiet():
    assert counted(alert("cause"), alert("symptom", silence="s-1", announced=False)) == {
        Suppressed.SILENCED: 1
    }
