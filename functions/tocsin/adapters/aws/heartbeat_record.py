"""The latest heartbeat in DynamoDB: one item, ``pk`` = ``H#heartbeat``, ``sk`` = ``CURRENT``.

``written_at`` and ``detected_at`` are ``detect``'s, ``arrived_at`` is ``notify``'s: whoever looks sees how far it came.
All are milliseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tocsin.core.model import Millis
from tocsin.core.signatures.heartbeat import Heartbeat

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

KEY: Final[dict[str, AttributeValueTypeDef]] = {"pk": {"S": "H#heartbeat"}, "sk": {"S": "CURRENT"}}
KEEP_SECONDS = 15 * 86_400
"""How long the last one stays when no more come."""


class HeartbeatRecord:
    """The latest heartbeat in the incident table.

    Args:
        client: A DynamoDB client.
        table: The table's name.
    """

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client, self._table = client, table

    def detected(self, heartbeat: Heartbeat) -> None:
        """Store that a heartbeat was detected.

        Raises:
            botocore.exceptions.ClientError: DynamoDB refused it.
            botocore.exceptions.BotoCoreError: DynamoDB could not be asked.
        """
        self._set(heartbeat.detected_at, written_at=heartbeat.written_at, detected_at=heartbeat.detected_at)

    def arrived(self, now: Millis) -> None:
        """Store that a heartbeat came to its end.

        Raises:
            botocore.exceptions.ClientError: DynamoDB refused it.
            botocore.exceptions.BotoCoreError: DynamoDB could not be asked.
        """
        self._set(now, arrived_at=now)

    def _set(self, now: Millis, **moments: Millis) -> None:
        values = {**moments, "expires_at": now // 1000 + KEEP_SECONDS}
        self._client.update_item(
            TableName=self._table,
            Key=KEY,
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
            ExpressionAttributeValues={f":{name}": {"N": str(value)} for name, value in values.items()},
        )
