"""The store of unknown errors: one in memory and one in DynamoDB keep the same promises."""

from __future__ import annotations

import pytest

from tocsin.adapters.aws.error_table import ErrorTable
from tocsin.core.errors.error_history import Sighting, observe
from tocsin.core.errors.error_store import MemoryErrorStore

T0 = 1_770_000_000_000
MINUTE = 60_000


@pytest.fixture(params=["memory", "dynamodb"])
def store(request):
    if request.param == "memory":
        return MemoryErrorStore()
    return ErrorTable(request.getfixturevalue("dynamodb"), "incidents")


def record(error="f1", service="backend", at=T0, before=None):
    seen = Sighting(error, service, "ERROR <*>", "ERROR 1", "/aws/lambda/backend", 1)
    return observe(before, seen, at, resolve_after=15 * MINUTE).record


def test_what_was_put_is_read(store):
    assert store.get("backend", "f1") is None
    assert store.put(record())
    assert store.get("backend", "f1") == record()
    assert store.get("worker", "f1") is None


def test_of_two_first_sightings_one_is_first(store):
    assert store.put(record())
    assert not store.put(record(at=T0 + 1))
    assert store.get("backend", "f1") == record()


def test_of_two_that_write_over_the_same_one_is_first(store):
    first = record()
    store.put(first)
    second = record(at=T0 + MINUTE, before=first)
    assert store.put(second)
    assert not store.put(record(at=T0 + 2 * MINUTE, before=first))
    assert store.get("backend", "f1") == second


def test_each_service_has_its_own(store):
    for error, service in (("f1", "backend"), ("f2", "backend"), ("f1", "worker")):
        store.put(record(error, service))
    assert {each.id for each in store.of_service("backend")} == {"f1", "f2"}
    assert len(store.everything()) == 3


def test_the_oldest_beyond_the_most_are_forgotten_first_and_can_begin_again(store):
    for number in range(5):
        store.put(record(f"f{number}", at=T0 + number * MINUTE))
    store.put(record("other", "worker"))
    assert store.forget("backend", 3) == 2
    assert {each.id for each in store.of_service("backend")} == {"f2", "f3", "f4"}
    assert store.get("backend", "f0") is None
    assert len(store.of_service("worker")) == 1
    assert store.forget("backend", 3) == 0
    assert store.put(record("f0", at=T0 + 9 * MINUTE))


def test_learning_begins_once(store):
    assert store.learning_since(T0) == T0
    assert store.learning_since(T0 + MINUTE) == T0


def test_what_cannot_be_understood_is_begun_again(dynamodb):
    store = ErrorTable(dynamodb, "incidents")
    store.put(record())
    dynamodb.update_item(
        TableName="incidents",
        Key={"pk": {"S": "E#backend"}, "sk": {"S": "f1"}},
        UpdateExpression="SET doc = :broken",
        ExpressionAttributeValues={":broken": {"S": "{}"}},
    )
    assert store.of_service("backend") == []
    assert store.get("backend", "f1") is None
    assert store.put(record())
    assert store.get("backend", "f1") == record()


def test_an_error_outlives_the_time_after_which_it_is_new(dynamodb):
    ErrorTable(dynamodb, "incidents").put(record())
    item = dynamodb.get_item(TableName="incidents", Key={"pk": {"S": "E#backend"}, "sk": {"S": "f1"}})["Item"]
    assert int(item["expires_at"]["N"]) - T0 // 1000 > 14 * 86_400
