"""A symptom is only what its cause can explain; whatever else an incident holds is announced."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sample_incidents import T0

from tocsin.core.incidents.incident import Alert, Incident
from tocsin.core.incidents.inhibition import NOT_LONG, TOGETHER, inhibitor
from tocsin.core.model import AlertState, Origin, Severity
from tocsin.core.signatures.signature import Signature, Source, Status


def signature(name, *, inhibits=(), catch_all=False):
    return Signature(
        id=name, file="x.toml", title=name, severity=Severity.HIGH, status=Status.STABLE, source=Source.LOG, summary="s",
        first_action="a", runbook="r.md", any=("x",), inhibits=inhibits, catch_all=catch_all,
    )  # fmt: skip


SIGNATURES = {
    "database-gone": signature("database-gone", inhibits=("pool-empty", "anything", "errors-alarm")),
    "pool-empty": signature("pool-empty"),
    "anything": signature("anything", catch_all=True),
    "errors-alarm": signature("errors-alarm"),
}


def alert(name, at, group="/aws/lambda/api"):
    return Alert(
        fingerprint=name, signature=name, fields={}, count=1, first_seen=at, last_seen=at, active_at=at,
        state=AlertState.FIRING, sample="", origin=Origin(log_group=group),
    )  # fmt: skip


def explained(cause, symptom):
    incident = Incident("i", "api", T0, {each.fingerprint: each for each in (cause, symptom)})
    return inhibitor(incident, symptom, SIGNATURES)


def test_a_named_failure_explains_the_named_failure_that_it_causes():
    assert explained(alert("database-gone", T0), alert("pool-empty", T0 + 5)) == "database-gone"


def test_an_exception_that_nobody_described_is_nobodys_symptom():
    assert explained(alert("database-gone", T0), alert("anything", T0 + 5)) is None


@pytest.mark.parametrize(("earlier", "is_explained"), [(0, True), (TOGETHER, True), (TOGETHER + 1, False)])
def test_what_began_before_its_cause_is_no_symptom_of_it(earlier, is_explained):
    found = explained(alert("database-gone", T0), alert("pool-empty", T0 - earlier))
    assert (found is not None) is is_explained


@pytest.mark.parametrize(("later", "is_explained"), [(NOT_LONG, True), (NOT_LONG + 1, False)])
def test_what_begins_long_after_its_cause_was_last_seen_is_no_symptom_of_it(later, is_explained):
    found = explained(alert("database-gone", T0), alert("pool-empty", T0 + later))
    assert (found is not None) is is_explained


def test_a_failure_of_another_log_group_is_not_explained_and_an_alarm_of_the_service_is():
    cause = alert("database-gone", T0)
    assert explained(cause, alert("pool-empty", T0, group="/aws/lambda/worker")) is None
    alarm = replace(alert("errors-alarm", T0 + 5), origin=Origin(alarm="api-errors"))
    assert explained(cause, alarm) == "database-gone"
