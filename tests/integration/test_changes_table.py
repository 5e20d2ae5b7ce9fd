"""The table keeps changes as the ledger promises: the same tests run against memory and against DynamoDB."""

from __future__ import annotations

from tocsin.adapters.aws.incident_table import IncidentTable
from tocsin.core.model import Change, ChangeKind

T0 = 1_770_000_000_000
MIN = 60_000


def change(i, at=T0):
    return Change(f"id{i}", ChangeKind.CODE, "böckend", at, by="", who="Admin")


def test_what_was_kept_is_read_again_as_it_was(ledger):
    stack = Change("s", ChangeKind.STACK, "prod", T0, status="UPDATE_COMPLETE")
    for each in (change(1), stack, change(1)):  # one of them twice
        ledger.keep_change(each)
    assert sorted(ledger.changes(T0), key=lambda found: found.id) == [change(1), stack]


def test_only_what_happened_since_is_read(ledger):
    for minute in range(5):
        ledger.keep_change(change(minute, T0 + minute * MIN))
    assert {found.id for found in ledger.changes(T0 + 3 * MIN)} == {"id3", "id4"}
    assert len(ledger.changes(-1)) == 5


def test_no_incident_and_nothing_due_comes_of_it(ledger):
    ledger.keep_change(change(1))
    assert ledger.open_services(T0 + MIN) == []
    assert ledger.silences() == ()


def test_an_item_expires_after_a_day_and_one_that_cannot_be_read_is_left_out(dynamodb):
    table = IncidentTable(dynamodb, "incidents")
    table.keep_change(change(1))
    (item,) = dynamodb.scan(TableName="incidents")["Items"]
    assert 86_400 <= int(item["expires_at"]["N"]) - T0 // 1000 <= 2 * 86_400
    for number, doc in enumerate(
        ("not JSON", "{}", '{"id": "x", "kind": "of tomorrow", "what": "w", "at": 1}')
    ):
        broken = {**item, "sk": {"S": f"{item['sk']['S']}{number}"}, "doc": {"S": doc}}
        dynamodb.put_item(TableName="incidents", Item=broken)
    assert table.changes(0) == [change(1)]
