"""Requests from Slack that were taken already, so that nobody who recorded one can send it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from tocsin.core.model import Millis

SEEN = "SEEN"
"""Their partition of the incident table."""

KEEP_SEEN = 3600
"""Seconds: a request is refused for its age after five minutes, whether or not it is kept."""


class SeenRequests:
    """One item for each request, known by its signature."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def claim(self, signature: str, now: Millis) -> bool:
        """Take a request; False where it was taken before."""
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": SEEN},
                    "sk": {"S": signature},
                    "expires_at": {"N": str(now // 1000 + KEEP_SEEN)},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True
