"""The delivery record of each incident in DynamoDB, and the lease under which one invocation works on it.

One item per incident and destination: ``pk`` = ``I#<incident id>``, ``sk`` = ``SLACK`` for the destination
``default``, ``SLACK#<destination>`` for another. Claiming it marks the notification as
unconfirmed in the same write, so that whoever comes after a crash knows that Slack may have been told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.core.config.routing import DEFAULT
from tocsin.core.model import Millis
from tocsin.core.slack.delivery_record import DeliveryRecord

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEEP_SECONDS = 60 * 86_400
"""How long a record outlives its last use: longer than a message can stay in both of its queues."""


class BusyError(Exception):
    """Another invocation works on this incident.

    Attributes:
        until: When its lease ends at the latest.
    """

    def __init__(self, until: Millis) -> None:
        self.until = until
        super().__init__("another invocation is sending this incident to Slack")


class LeaseLostError(Exception):
    """The lease ended before the work did, and somebody else took over."""


class DeliveryStore:
    """The delivery records of one destination, in the incident table.

    Args:
        client: A DynamoDB client.
        table: The table's name.
        destination: The destination's name.
    """

    def __init__(self, client: DynamoDBClient, table: str, destination: str = DEFAULT) -> None:
        self._client, self._table = client, table
        self._sort_key = "SLACK" if destination == DEFAULT else f"SLACK#{destination}"

    def claim(
        self, incident: str, sequence: int, claimant: str, now: Millis, lease: Millis
    ) -> DeliveryRecord:
        """Take the lease and note that this notification is being told.

        Args:
            incident: The incident's id.
            sequence: The notification's.
            claimant: Unique for each attempt.
            now: The time.
            lease: How long; longer than the invocation can live.

        Returns:
            The record as it was before: ``unconfirmed`` holds this sequence if an earlier attempt was cut short.

        Raises:
            BusyError: Somebody else has the lease.
        """
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=self._key(incident),
                UpdateExpression=(
                    "SET lease_owner = :me, lease_until = :until, expires_at = :expiry, "
                    "attempted_at = if_not_exists(attempted_at, :now) ADD unconfirmed :this"
                ),
                ConditionExpression=(
                    "attribute_not_exists(lease_owner) OR lease_until <= :now OR lease_owner = :me"
                ),
                ExpressionAttributeValues={
                    ":me": {"S": claimant},
                    ":now": {"N": str(now)},
                    ":until": {"N": str(now + lease)},
                    ":expiry": {"N": str(now // 1000 + KEEP_SECONDS)},
                    ":this": {"NS": [str(sequence)]},
                },
                ReturnValues="ALL_OLD",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            held = error.response.get("Item", {}).get("lease_until", {}).get("N")  # type: ignore[attr-defined]
            raise BusyError(int(held) if held else now + lease) from error
        return _record(answer.get("Attributes", {}), now)

    def release(
        self,
        incident: str,
        sequence: int,
        claimant: str,
        now: Millis,
        record: DeliveryRecord,
        *,
        unconfirmed: bool,
    ) -> None:
        """Write down what came of it and give the lease back.

        Args:
            incident: The incident's id.
            sequence: The notification's.
            claimant: Who has the lease.
            now: The time.
            record: What is known now.
            unconfirmed: Whether it is still open if Slack was told of this notification.

        Raises:
            LeaseLostError: Somebody else has the lease; what they find in Slack counts.
        """
        try:
            self._client.update_item(
                TableName=self._table,
                Key=self._key(incident),
                UpdateExpression=(
                    "SET channel = :channel, ts = :ts, shown = :shown, told = :told, thread = :thread, "
                    "listed = :listed, mentioned = :called, "
                    "expires_at = :expiry "
                    "REMOVE lease_owner, lease_until" + ("" if unconfirmed else " DELETE unconfirmed :this")
                ),
                ConditionExpression="lease_owner = :me",
                ExpressionAttributeValues={
                    ":me": {"S": claimant},
                    ":channel": {"S": record.channel},
                    ":ts": {"S": record.ts},
                    ":shown": {"N": str(record.shown)},
                    ":told": {"S": record.told},
                    ":thread": {"S": record.thread},
                    ":listed": {"N": str(record.listed)},
                    ":called": {"S": record.called},
                    ":expiry": {"N": str(now // 1000 + KEEP_SECONDS)},
                    **({} if unconfirmed else {":this": {"NS": [str(sequence)]}}),
                },
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            raise LeaseLostError(f"{incident}/{sequence}") from error

    def peek(self, incident: str) -> DeliveryRecord | None:
        """The record as it is, without a claim; None before anybody began to tell of the incident here.

        A write that changes nothing, because that is all that ``notify`` may do.
        """
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key=self._key(incident),
                UpdateExpression="SET expires_at = expires_at",
                ConditionExpression="attribute_exists(expires_at)",
                ReturnValues="ALL_NEW",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return None
        return _record(answer.get("Attributes", {}), 0)

    def _key(self, incident: str) -> dict[str, AttributeValueTypeDef]:
        return {"pk": {"S": f"I#{incident}"}, "sk": {"S": self._sort_key}}


def _record(item: dict[str, AttributeValueTypeDef], now: Millis) -> DeliveryRecord:
    return DeliveryRecord(
        channel=item.get("channel", {}).get("S", ""),
        ts=item.get("ts", {}).get("S", ""),
        shown=int(item.get("shown", {}).get("N", "0")),
        told=item.get("told", {}).get("S", ""),
        unconfirmed=frozenset(map(int, item.get("unconfirmed", {}).get("NS", ()))),
        attempted_at=int(item.get("attempted_at", {}).get("N", str(now))),
        thread=item.get("thread", {}).get("S", ""),
        listed=int(item.get("listed", {}).get("N", "0")),
        called=item.get("mentioned", {}).get("S", ""),
    )
