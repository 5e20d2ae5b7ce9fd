"""The heartbeat's log group: one stream, one line every few minutes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tocsin.core.model import Millis

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

STREAM = "heartbeat"


class HeartbeatLog:
    """Writes to the heartbeat's log group.

    Args:
        client: A CloudWatch Logs client.
        log_group: The group's name.
    """

    def __init__(self, client: CloudWatchLogsClient, log_group: str) -> None:
        self._client, self._log_group = client, log_group

    def write(self, line: str, now: Millis) -> None:
        """Write one line; the stream is made when it is not there.

        Raises:
            botocore.exceptions.ClientError: CloudWatch Logs refused it.
            botocore.exceptions.BotoCoreError: CloudWatch Logs could not be asked.
        """
        try:
            self._put(line, now)
        except self._client.exceptions.ResourceNotFoundException:
            with suppress(self._client.exceptions.ResourceAlreadyExistsException):
                self._client.create_log_stream(logGroupName=self._log_group, logStreamName=STREAM)
            self._put(line, now)

    def _put(self, line: str, now: Millis) -> None:
        self._client.put_log_events(
            logGroupName=self._log_group,
            logStreamName=STREAM,
            logEvents=[{"timestamp": now, "message": line}],
        )
