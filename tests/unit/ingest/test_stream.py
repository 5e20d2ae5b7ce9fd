"""A stream of envelopes: only what failed comes again, nothing is lost, nothing is counted twice."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.batches import batch, ordinary_lines
from tocsin.core.config.settings import Intervals, Service, Settings
from tocsin.core.incidents.lifecycle import Policy
from tocsin.core.incidents.memory_store import MemoryLedger
from tocsin.core.ingest.kinesis import is_stream_batch, sequence_number, unfinished_answer
from tocsin.core.matching.matcher import Matcher
from tocsin.core.model import Severity
from tocsin.core.notifications.contract import document_of
from tocsin.core.signatures.signature import Signature, Source, Status
from tocsin.services.detection import Detector
from tocsin.services.reconcile_service import Reconciler

T0 = 1_795_000_000_000
BOOM = "[ERROR] Kaboom: module '{}' exploded"
KABOOM = Signature(
    id="kaboom",
    file="signatures/t.toml",
    title="t",
    severity=Severity.HIGH,
    status=Status.STABLE,
    source=Source.LOG,
    summary="s",
    first_action="f",
    runbook="kaboom.md",
    any=(r"Kaboom: module '(?P<module>\w+)'",),
    group_by=("module",),
)
SIGNATURES = {"kaboom": KABOOM}
SETTINGS = Settings(services=(Service("backend", ("*backend*",)), Service("worker", ("*worker*",))))


def record(number, lines, *, group="/aws/lambda/backend"):
    data = batch(lines, log_group=group, first_id=number * 1000)["awslogs"]["data"]
    return {"eventSource": "aws:kinesis", "kinesis": {"data": data, "sequenceNumber": str(number)}}


class FlakyLedger(MemoryLedger):
    """A ledger whose writes fail as told, before or after they took effect."""

    def __init__(self):
        super().__init__()
        self.fails = lambda: ""

    def count(self, occurrence_count):
        how = self.fails()
        if how == "before":
            raise ConnectionError
        counted = super().count(occurrence_count)
        if how == "after":
            raise ConnectionError
        return counted


class World:
    """A detector whose table, topic and failure queue can fail, and a shard that Lambda reads for it."""

    def __init__(self):
        self.ledger, self.published, self.dead_lettered = FlakyLedger(), [], []
        self.publishing_fails = lambda: False
        self.reconciler = Reconciler(self.ledger, self, Policy(Intervals(), SIGNATURES), "https://r.example/")
        self.restart()

    def restart(self):
        self.detector = Detector(
            Matcher(SIGNATURES),
            SIGNATURES,
            SETTINGS,
            reconciler=lambda: self.reconciler,
            failure_queue=lambda: self,
            own_log_groups="/tocsin/",
            region="us-east-1",
        )

    def publish(self, notification):
        if self.publishing_fails():
            raise ConnectionError
        self.published.append(document_of(notification))

    def dead_letter(self, what, error):
        self.dead_lettered.append((what, error))

    def answer(self, records, now=T0):
        event = {"Records": records}
        assert is_stream_batch(event)
        return unfinished_answer(self.detector.detect(event, now).unfinished)

    def read_shard(self, records, size, *, most_tries=2000):
        """What Lambda does with a shard: batches in order, and again from the first failure that is reported."""
        at, now = 0, T0
        for _ in range(most_tries):
            if at >= len(records):
                return now
            now += 1000
            failed = self.answer(records[at : at + size], now)["batchItemFailures"]
            places = [int(failure["itemIdentifier"]) for failure in failed]
            at = min(
                places,
                default=int(records[min(at + size, len(records)) - 1]["kinesis"]["sequenceNumber"]) + 1,
            )
        raise AssertionError("the shard never came to its end")

    def counted(self):
        """Occurrences by service: those applied into incidents, and those that wait to be."""
        return {
            service: (getattr(self.ledger.load(service).incident, "count", 0))
            + sum(occurrence_count.count for occurrence_count in MemoryLedger.pending(self.ledger, service))
            for service in ("backend", "worker")
        }


@pytest.fixture
def world():
    return World()


def test_a_batch_without_trouble_is_answered_with_an_empty_list(world):
    assert world.answer([record(0, ordinary_lines(5)), record(1, [BOOM.format("a")])]) == {
        "batchItemFailures": []
    }
    assert world.counted() == {"backend": 1, "worker": 0}


def test_only_the_records_of_the_service_that_failed_come_again(world):
    world.ledger.fails = iter(["before", ""]).__next__
    records = [
        record(0, [BOOM.format("a")], group="/aws/lambda/worker"),
        record(1, ordinary_lines(3)),
        record(2, [BOOM.format("a")], group="/aws/lambda/backend"),
    ]
    assert world.answer(records) == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert world.counted() == {"backend": 1, "worker": 0}


def test_a_record_that_cannot_be_read_is_parked_and_holds_nobody_up(world):
    broken = {"eventSource": "aws:kinesis", "kinesis": {"data": "bm90IGd6aXA=", "sequenceNumber": "0"}}
    assert world.answer([broken, record(1, [BOOM.format("a")])]) == {"batchItemFailures": []}
    assert [what for what, _ in world.dead_lettered] == [broken]


def test_a_record_that_cannot_be_parked_comes_again(world):
    def full(_what, _error):
        raise ConnectionError

    world.dead_letter = full
    bad_event = {
        "messageType": "DATA_MESSAGE",
        "logGroup": "/g",
        "logStream": "s",
        "owner": "1",
        "logEvents": [7, BOOM],
    }
    data = batch([])["awslogs"] | {"data": packed(bad_event)}
    broken = {"eventSource": "aws:kinesis", "kinesis": {**data, "sequenceNumber": "1"}}
    assert world.answer([record(0, [BOOM.format("a")]), broken]) == {
        "batchItemFailures": [{"itemIdentifier": "1"}]
    }


def packed(document):
    import base64
    import gzip

    return base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()


def test_a_fault_of_our_own_parks_the_record_without_its_text_and_holds_nobody_up(world, monkeypatch):
    match_each = world.detector._matcher.match_each

    def faulty(messages, **where):
        for message in messages:
            if "secret" in message:
                raise KeyError(message)
        return match_each(messages, **where)

    monkeypatch.setattr(world.detector._matcher, "match_each", faulty)
    poison = record(0, [BOOM.format("secret")])
    assert world.answer([poison, record(1, [BOOM.format("a")])]) == {"batchItemFailures": []}
    [(what, error)] = world.dead_lettered
    assert what == poison
    assert "KeyError" in error
    assert "test_stream.py:" in error
    assert "secret" not in error
    assert world.counted()["backend"] == 1


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.sampled_from([1, 3, 10, 100]), share=st.sampled_from([0.1, 0.4]))
def test_however_often_writes_fail_and_processes_die_each_occurrence_is_counted_once_and_told_once(
    seed, size, share
):
    chance, world, truth = random.Random(seed), World(), {"backend": 0, "worker": 0}
    records = []
    for number in range(40):
        service = chance.choice(["backend", "worker"])
        hits = chance.choice([0, 0, 1, 5])
        truth[service] += hits
        lines = ordinary_lines(3) + [BOOM.format(chance.choice("ab"))] * hits
        records.append(record(number, lines, group=f"/aws/lambda/{service}"))

    def fails():
        if chance.random() < share / 4:
            world.restart()
        return chance.choice(["before", "after"]) if chance.random() < share else ""

    world.ledger.fails = fails
    world.publishing_fails = lambda: chance.random() < share
    now = world.read_shard(records, size)
    assert world.counted() == truth

    # The whole shard once more, as after a rewind of the stream: nothing changes.
    world.ledger.fails, world.publishing_fails = (lambda: ""), (lambda: False)
    for service in truth:
        world.reconciler.reconcile(service, now + 20_000)
    told = len(world.published)
    world.restart()
    world.read_shard(records, size)
    for service in truth:
        world.reconciler.reconcile(service, now + 30_000)
    assert world.counted() == truth
    assert len(world.published) == told
    # SNS may hear one notification twice after a failure, under one id, by which notify knows it.
    for service, hits in truth.items():
        of_service = [n for n in world.published if n["service"] == service]
        assert len({n["id"] for n in of_service if n["reason"] == "opened"}) == bool(hits)


@pytest.mark.parametrize(
    "event",
    [
        {},
        None,
        {"Records": []},
        {"Records": [{"eventSource": "aws:sqs", "messageId": "1"}]},
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": ""}}]},
        {"Records": [record(1, []), {}]},
        {"awslogs": {"data": ""}},
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": None}]},
    ],
    ids=range(8),
)
def test_only_a_batch_of_which_every_record_has_its_place_is_answered_as_a_stream(event):
    assert not is_stream_batch(event)


def test_a_place_that_fails_twice_is_named_once():
    assert unfinished_answer([record(3, []), record(3, [])]) == {
        "batchItemFailures": [{"itemIdentifier": "3"}]
    }
    assert sequence_number(record(3, [])) == "3"
