"""The delivery record of the incident that leads a wide one, as others look at it."""

from __future__ import annotations

from msgspec.structs import replace

from tocsin.adapters.aws.delivery_table import DeliveryStore
from tocsin.core.slack.delivery_record import DeliveryRecord

NOW = 1_785_456_000_000


def test_looking_at_a_record_makes_none_and_takes_no_lease(dynamodb):
    store = DeliveryStore(dynamodb, "incidents", "oncall")
    assert store.peek("lead") is None
    assert store.peek("lead") is None
    record = store.claim("lead", 1, "me", NOW, 60_000)
    assert record == DeliveryRecord(attempted_at=NOW)
    assert store.peek("lead").ts == ""
    told = replace(record, channel="C1", ts="1.2", shown=1, told="1", thread="1.1")
    store.release("lead", 1, "me", NOW, told, unconfirmed=False)
    assert store.peek("lead") == told
    assert store.claim("lead", 2, "another", NOW, 60_000).thread == "1.1"


def test_another_destinations_record_is_another(dynamodb):
    DeliveryStore(dynamodb, "incidents").claim("lead", 1, "me", NOW, 60_000)
    assert DeliveryStore(dynamodb, "incidents", "oncall").peek("lead") is None
