"""The queue in front of notify: putting a message off, and parking one that cannot be delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.core.model import Millis

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_DELAY: Millis = 43_200_000 - 60_000
"""SQS ends a message's invisibility twelve hours after it was received, whatever is asked for."""


class NotifyQueue:
    """The queue and the dead-letter queue beside it.

    Args:
        client: An SQS client.
        url: The queue's address.
        parking_url: The dead-letter queue's address; empty if there is none.
    """

    def __init__(self, client: SQSClient, url: str, parking_url: str) -> None:
        self._client, self._url, self._parking_url = client, url, parking_url

    def defer(self, receipt_handle: str, delay: Millis) -> None:
        """Have a message delivered again after a delay.

        Raises:
            botocore.exceptions.ClientError: SQS refused it; the message comes back after the queue's own
            time. botocore.exceptions.BotoCoreError: SQS could not be asked; likewise.
        """
        seconds = min(MAX_DELAY, max(0, delay)) // 1000
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )

    def dead_letter(self, body: str, why: str) -> bool:
        """Keep a message in the dead-letter queue, as it was received, so that it can be redriven.

        Returns:
            Whether it is there; without a dead-letter queue it cannot be.

        Raises:
            botocore.exceptions.ClientError: SQS refused it.
            botocore.exceptions.BotoCoreError: SQS could not be asked.
        """
        if not self._parking_url:
            return False
        attributes = {"error": {"DataType": "String", "StringValue": why[:500] or "unknown"}}
        self._client.send_message(
            QueueUrl=self._parking_url,
            MessageBody=body,
            MessageAttributes=attributes,  # type: ignore[arg-type]
        )
        return True
