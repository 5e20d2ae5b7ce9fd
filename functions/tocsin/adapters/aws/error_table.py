"""Unknown errors in DynamoDB: items of the incident table, with keys of their own.

Items (``pk``/``sk``):

===================  ==============  =====================================================================
``E#<service>``      ``<id>``        an unknown error; forgotten 15 days after it was last seen
``ERRORS``           ``LEARNING``    when learning began
===================  ==============  =====================================================================

What is forgotten earlier, as the oldest of too many, loses its document and is left to the time to live.

Every write is a put on the condition that the stored version is the one that was read: of two writers one is first,
and the other's count waits for its next minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tocsin.core.errors.error_history import NEW_AFTER, ErrorRecord
from tocsin.core.stored_document import dump_document, load_document
from tocsin.core.times import DAY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tocsin.core.model import Millis

KEEP: int = (NEW_AFTER + DAY) // 1000
"""Seconds after it was last seen, or after the time for which it is known by decree."""
PREFIX = "E#"
LEARNING: Mapping[str, Any] = {"pk": {"S": "ERRORS"}, "sk": {"S": "LEARNING"}}


class ErrorTable:
    """An ``ErrorStore`` in the incident table."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def get(self, service: str, error: str) -> ErrorRecord | None:
        """See ``ErrorStore``: one read. What cannot be understood is forgotten, so that it can be begun again."""
        item = self._client.get_item(
            TableName=self._table, Key=_key(service, error), ConsistentRead=True
        ).get("Item")
        if item is None:
            return None
        record = next(_read([item]), None)
        if record is None:
            self._forget(service, error, int(item.get("seen", {"N": "0"})["N"]))
        return record

    def put(self, record: ErrorRecord) -> bool:
        """See ``ErrorStore``: one write."""
        seconds = max(record.last_seen, record.known_until) // 1000
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    **_key(record.service, record.id),
                    "doc": {"S": dump_document(record)},
                    "version": {"N": str(record.version)},
                    "seen": {"N": str(record.last_seen)},
                    "expires_at": {"N": str(seconds + KEEP)},
                },
                ConditionExpression="attribute_not_exists(doc) OR version = :before",
                ExpressionAttributeValues={":before": {"N": str(record.version - 1)}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def of_service(self, service: str) -> list[ErrorRecord]:
        """See ``ErrorStore``."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :service",
            ExpressionAttributeValues={":service": {"S": PREFIX + service}},
            ConsistentRead=True,
        )
        return [record for page in pages for record in _read(page["Items"])]

    def everything(self) -> list[ErrorRecord]:
        """See ``ErrorStore``: reads the whole table, for people who ask."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            FilterExpression="begins_with(pk, :prefix)",
            ExpressionAttributeValues={":prefix": {"S": PREFIX}},
        )
        return [record for page in pages for record in _read(page["Items"])]

    def forget(self, service: str, most: int) -> int:
        """See ``ErrorStore``."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :service",
            FilterExpression="attribute_exists(doc)",
            ExpressionAttributeValues={":service": {"S": PREFIX + service}},
            ProjectionExpression="sk, seen",
        )
        seen = [(int(item["seen"]["N"]), item["sk"]["S"]) for page in pages for item in page["Items"]]
        gone = sorted(seen, reverse=True)[most:]
        for at, error in gone:
            self._forget(service, error, at)
        return len(gone)

    def _forget(self, service: str, error: str, seen: Millis) -> None:
        """Empty an item; its time to live removes it, so that nothing here needs the right to delete."""
        self._client.update_item(
            TableName=self._table,
            Key=_key(service, error),
            UpdateExpression="REMOVE doc SET expires_at = :over",
            ExpressionAttributeValues={":over": {"N": str(seen // 1000)}},
        )

    def learning_since(self, now: Millis) -> Millis:
        """See ``ErrorStore``: one read, and the first time one write."""
        since = self._since()
        if since is None:
            with suppress(self._client.exceptions.ConditionalCheckFailedException):
                self._client.put_item(
                    TableName=self._table,
                    Item={**LEARNING, "since": {"N": str(now)}},
                    ConditionExpression="attribute_not_exists(pk)",
                )
            since = self._since()
        return now if since is None else since

    def _since(self) -> Millis | None:
        item = self._client.get_item(TableName=self._table, Key=dict(LEARNING), ConsistentRead=True).get(
            "Item"
        )
        return int(item["since"]["N"]) if item else None


def _read(items: Iterable[Mapping[str, Any]]) -> Iterator[ErrorRecord]:
    for item in items:
        with suppress(ValueError, KeyError):  # broken by hand, or by a version yet to come
            yield load_document(item["doc"]["S"], ErrorRecord)


def _key(service: str, error: str) -> dict[str, Any]:
    return {"pk": {"S": PREFIX + service}, "sk": {"S": error}}
