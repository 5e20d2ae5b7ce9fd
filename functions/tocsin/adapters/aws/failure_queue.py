"""Where records that cannot be read are kept: the queue that is also the Lambda's failure destination."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_MESSAGE_SIZE = 1_048_576
"""Bytes: SQS's largest message (botocore's service model, 2025)."""


class RecordTooLargeError(Exception):
    """A record that cannot be read and does not fit the queue; the platform keeps the whole event instead."""


class SqsFailureQueue:
    """Keeps records in SQS."""

    def __init__(self, client: SQSClient, url: str, *, function: str) -> None:
        self._client, self._url, self._function = client, url, function

    def dead_letter(self, record: object, error: str) -> None:
        """Keep a record with what is wrong with it.

        Raises:
            RecordTooLargeError: It does not fit a message.
        """
        body = json.dumps({"function": self._function, "error": error, "record": record}, default=repr)
        if len(body.encode()) > MAX_MESSAGE_SIZE:
            raise RecordTooLargeError(f"{error}; the record is too large to be dead_lettered by itself")
        self._client.send_message(QueueUrl=self._url, MessageBody=body)
