"""The table keeps the ledger's promises about watches: the same tests run against memory and against DynamoDB."""

from __future__ import annotations

import itertools
import json
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_incident_table import occurrence_count

from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.core.absence.watch import Observation, Sighting, Watch, merged, next_check_at
from tocsin.core.config.settings import Intervals
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.incidents.policy import Policy
from tocsin.core.incidents.store import StaleVersionError
from tocsin.core.signatures.absence_rule import AbsenceRule
from tocsin.core.signatures.reader import parse_signatures
from tocsin.core.stored_document import dump_document, load_document
from tocsin.services.absence import note
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import Reconciler

T0 = 1_770_000_000_000
MIN, HOUR = 60_000, 3_600_000
RULE = AbsenceRule(within=HOUR, work=("START",))
WATCH = Watch(
    "worker", "idle", sign=Sighting(T0, T0 + 1, "/aws/lambda/wörker", "s"), work=Sighting(T0 + HOUR, T0 + HOUR, queue="jobs"),
    latest=Sighting(T0 + HOUR, T0 + HOUR, queue="jobs"), fired=T0 + HOUR, account="1", region="us-east-1",
)  # fmt: skip


def test_a_watch_comes_back_as_it_was_with_its_new_version(ledger):
    assert ledger.watch("worker", "idle") is None
    saved = ledger.save_watch(WATCH, T0)
    assert saved.version == 1
    assert ledger.watch("worker", "idle") == saved
    other = ledger.save_watch(Watch("worker", "other"), None)
    ledger.save_watch(Watch("backend", "idle"), None)
    assert ledger.watch("worker", "other") == other
    assert ledger.watch("nobody", "idle") is None


def test_a_save_with_an_old_version_changes_nothing(ledger):
    saved = ledger.save_watch(WATCH, T0)
    ledger.save_watch(saved, T0)
    for version in (0, 1, 7):
        with pytest.raises(StaleVersionError):
            ledger.save_watch(Watch("worker", "idle", version=version), None)
    assert ledger.watch("worker", "idle").sign == WATCH.sign


def test_its_service_is_open_when_it_is_due_and_only_then(ledger):
    saved = ledger.save_watch(WATCH, T0 + HOUR)
    assert ledger.open_services(T0 + HOUR - 1) == []
    assert ledger.open_services(T0 + HOUR) == ["worker"]
    saved = ledger.save_watch(saved, None)
    assert ledger.open_services(T0 + 9 * HOUR) == []
    ledger.save_watch(saved, 0)
    ledger.count(occurrence_count(0))
    assert ledger.open_services(T0) == ["worker", "backend"]
    assert ledger.pending("worker") == []


def test_watches_that_are_due_are_listed_and_nothing_else(ledger):
    ledger.save_watch(WATCH, T0 + HOUR)
    ledger.save_watch(Watch("worker", "other"), T0)
    ledger.save_watch(Watch("worker", "never"), None)
    ledger.count(occurrence_count(0))
    assert ledger.due_watches(T0) == [("worker", "other")]
    assert sorted(ledger.due_watches(T0 + HOUR)) == [("worker", "idle"), ("worker", "other")]


NUMBERS = itertools.count()
EVENTS = st.lists(st.tuples(st.booleans(), st.integers(0, 400)), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", ["memory", "dynamodb"])
@given(
    events=EVENTS,
    order=st.randoms(use_true_random=False),
    stale=st.lists(st.booleans(), min_size=16, max_size=16),
)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_notes_in_any_order_repeated_and_from_processes_that_lag_come_to_the_same(
    request, kind, events, order, stale
):
    """Two processes note the same marks, each with what it last knew; the ledger has what all of them say together."""
    if kind == "memory":
        ledger, service = MemoryLedger(), "worker"
    else:
        ledger = IncidentTable(request.getfixturevalue("dynamodb"), "incidents")
        service = f"worker-{next(NUMBERS)}"
    twice = [*events, *events]
    order.shuffle(twice)
    known, whole = [None, None], Watch(service, "idle")
    for (is_sign, minute), process in zip(twice, stale, strict=False):
        sighting = (Sighting(T0 + minute * MIN, T0 + minute * MIN),)
        observation = Observation(service, "idle", **{"signs" if is_sign else "work": sighting})
        known[process] = note(ledger, observation, RULE, known[process])
        whole = merged(whole, observation, RULE)
    kept = ledger.watch(service, "idle")
    # A process passes over what is within the slack of what it knows, so that is how exact the ledger is.
    last = whole.sign.at if whole.sign else None
    assert (kept.sign is None) == (last is None)
    assert last is None or last - RULE.slack <= kept.sign.at <= last
    signs = {T0 + minute * MIN for is_sign, minute in events if is_sign}
    newer = [
        at for is_sign, minute in events if not is_sign for at in [T0 + minute * MIN]
        if not signs or at > max(signs) + RULE.slack
    ]  # fmt: skip
    assert not newer or kept.work is None or min(newer) - RULE.slack <= kept.work.at
    assert next_check_at(kept, RULE) == (kept.work.received_at + RULE.within if kept.work else None)


def test_one_note_of_what_is_known_makes_no_call_and_one_of_news_makes_one(dynamodb):
    calls = []
    ledger = IncidentTable(dynamodb, "incidents")
    first = note(ledger, Observation("worker", "idle", work=(Sighting(T0, T0),)), RULE)
    dynamodb.meta.events.register("before-call.dynamodb", lambda model, **_: calls.append(model.name))
    assert (
        note(ledger, Observation("worker", "idle", work=(Sighting(T0 + MIN, T0 + MIN),)), RULE, first)
        == first
    )
    assert calls == []
    note(ledger, Observation("worker", "idle", signs=(Sighting(T0 + 9 * MIN, T0 + 9 * MIN),)), RULE, first)
    assert calls == ["PutItem"]


def test_a_watch_has_a_time_to_live_and_is_kept_long_after_it_was_last_heard_of(dynamodb):
    ledger = IncidentTable(dynamodb, "incidents")
    ledger.save_watch(replace(WATCH, fired=0), T0)
    key = {"pk": {"S": "G#worker"}, "sk": {"S": "WATCH#idle"}}
    item = dynamodb.get_item(TableName="incidents", Key=key)["Item"]
    assert int(item["expires_at"]["N"]) == (T0 + HOUR) // 1000 + 90 * 86_400
    assert (item["grp"]["S"], item["due"]["N"]) == ("worker", str(T0))
    fired = ledger.save_watch(replace(WATCH, fired=T0, version=1), T0)
    assert "expires_at" not in dynamodb.get_item(TableName="incidents", Key=key)["Item"]
    ledger.save_watch(replace(fired, fired=0), T0)
    assert "expires_at" in dynamodb.get_item(TableName="incidents", Key=key)["Item"]


def test_a_watch_of_another_version_is_read_and_a_broken_one_is_begun_anew(dynamodb):
    data = json.loads(dump_document(WATCH))
    newer = json.dumps({**data, "colour": "red", "sign": {**data["sign"], "mood": "good"}})
    assert load_document(newer, Watch) == WATCH
    assert load_document('{"service": "worker", "signature": "idle"}', Watch) == Watch("worker", "idle")
    ledger = IncidentTable(dynamodb, "incidents")
    ledger.save_watch(WATCH, T0)
    for broken in (
        "no JSON",
        "[]",
        '{"service": "worker"}',
        '{"service": "worker", "signature": "idle", "sign": 5}',
    ):
        with pytest.raises(ValueError, match=r"not a watch document|Expecting value"):
            load_document(broken, Watch)
        key = {"pk": {"S": "G#worker"}, "sk": {"S": "WATCH#idle"}}
        dynamodb.update_item(
            TableName="incidents", Key=key, UpdateExpression="SET doc = :doc",
            ExpressionAttributeValues={":doc": {"S": broken}},
        )  # fmt: skip
        begun = ledger.watch("worker", "idle")
        assert begun.sign is None
        ledger.save_watch(begun, T0)
        assert ledger.watch("worker", "idle") == Watch("worker", "idle", version=begun.version + 1)


SIGNATURES, _ = parse_signatures(
    {
        "signatures/x.toml": """
[idle]
title        = "Idle"
source       = "absence"
severity     = "high"
summary      = "s"
first_action = "f"
runbook      = "idle.md"
scope        = { services = ["worker"] }
any          = ["Classified as"]
matches      = ["Classified as: x"]
ignores      = ["Downloaded"]
[idle.absence]
within       = "1h"
queues       = ["jobs"]
"""
    }
)


def test_a_whole_absence_is_begun_told_and_ended_on_it(ledger):
    class World:
        reasons: ClassVar[list[str]] = []
        waiting: ClassVar[int] = 0

        def publish(self, notification):
            self.reasons.append(notification.reason)

        def depth(self, queue):
            assert queue == "jobs"
            return self.waiting

        def read(self, name, account, region, now):
            pytest.fail("no dead-letter queue is looked at for a line that is missing")

    world = World()
    world.reasons.clear()
    reconciler = Reconciler(
        ledger, world, Policy(Intervals(), SIGNATURES), "https://runbooks.example/", world
    )

    def rounds(start, end):
        for now in range(start, end, MIN):
            assert reconcile(reconciler, now).failures == {}

    rounds(T0, T0 + 5 * MIN)
    world.waiting = 3
    rounds(T0 + 5 * MIN, T0 + 65 * MIN)
    assert world.reasons == []
    rounds(T0 + 65 * MIN, T0 + 70 * MIN)
    assert world.reasons == ["opened"]
    (alert,) = ledger.load("worker").incident.alerts.values()
    assert alert.origin.absence
    assert "queue jobs had messages" in alert.sample
    world.waiting = 0
    rounds(T0 + 70 * MIN, T0 + 75 * MIN)
    sign = Sighting(T0 + 75 * MIN, T0 + 75 * MIN)
    note(ledger, Observation("worker", "idle", signs=(sign,)), SIGNATURES["idle"].absence)
    rounds(T0 + 76 * MIN, T0 + 77 * MIN)
    assert world.reasons == ["opened", "resolved"]
    rounds(T0 + 77 * MIN, T0 + 85 * MIN)
    assert ledger.open_services(T0 + 85 * MIN) == []
    assert ledger.watch("worker", "idle").fired == 0
