"""Looking at SQS queues: how many messages wait, how long the oldest has waited, and when it will be lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from tocsin.core.incidents.incident import QueueReading
from tocsin.core.model import Millis

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeFilterType

_ATTRIBUTES: list[QueueAttributeFilterType] = ["ApproximateNumberOfMessages", "MessageRetentionPeriod"]
_RECENT = timedelta(minutes=10)
"""How far back the age of the oldest message is looked for: SQS reports it each minute, some minutes late."""

_ACCOUNT_DIGITS = 12


class Queues:
    """Queues of this Region, read only.

    Args:
        client: Gives the client for a service (``sqs``, ``cloudwatch``) of this Region, made on first need.
        region: The Region the clients are for.
    """

    def __init__(self, client: Callable[[str], Any], region: str) -> None:
        self._client, self._region = client, region
        self._addresses: dict[tuple[str, str], str] = {}

    def read(self, name: str, account: str, region: str, now: Millis) -> QueueReading | None:
        """What is in a queue now.

        An alert must not wait for, or fail with, what is only said beside it: so a queue that cannot be read (it
        is gone, or in another account that does not let us) is None and no error.

        Args:
            name: The queue's name.
            account: The account that owns it; empty for one's own.
            region: Its Region; empty for this one. Others are not looked at.
            now: The time.
        """
        if region not in ("", self._region):
            return None
        try:
            said = self._sqs.get_queue_attributes(
                QueueUrl=self._address(name, account), AttributeNames=_ATTRIBUTES
            ).get("Attributes", {})
            depth = int(said["ApproximateNumberOfMessages"])
            retention = int(said.get("MessageRetentionPeriod", 345_600)) * 1000  # SQS's default: four days
        except _errors(KeyError, ValueError):
            return None
        return QueueReading(now, depth, retention, self._oldest_age(name, now) if depth else None)

    def depth(self, name: str, account: str = "") -> int | None:
        """How many messages wait in a queue of this Region, about; None when it cannot be told."""
        try:
            said = self._sqs.get_queue_attributes(
                QueueUrl=self._address(name, account), AttributeNames=["ApproximateNumberOfMessages"]
            )
            return int(said["Attributes"]["ApproximateNumberOfMessages"])
        except _errors(KeyError, ValueError):
            return None

    @property
    def _sqs(self) -> SQSClient:
        client: SQSClient = self._client("sqs")
        return client

    def _address(self, name: str, account: str) -> str:
        if (name, account) not in self._addresses:
            owner = account if len(account) == _ACCOUNT_DIGITS and account.isdecimal() else ""
            answer = (
                self._sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=owner)
                if owner
                else self._sqs.get_queue_url(QueueName=name)
            )
            self._addresses[name, account] = answer["QueueUrl"]
        return self._addresses[name, account]

    def _oldest_age(self, name: str, now: Millis) -> Millis | None:
        """How long the oldest message has waited, by CloudWatch; None where it has no datapoint or no permission."""
        cloudwatch: CloudWatchClient = self._client("cloudwatch")
        moment = datetime.fromtimestamp(now / 1000, UTC)
        try:
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/SQS",
                MetricName="ApproximateAgeOfOldestMessage",
                Dimensions=[{"Name": "QueueName", "Value": name}],
                StartTime=moment - _RECENT,
                EndTime=moment,
                Period=60,
                Statistics=["Maximum"],
            )["Datapoints"]
        except _errors(KeyError):
            return None
        latest = max(points, key=lambda point: point["Timestamp"], default=None)
        if latest is None:
            return None
        # As old as it was then, and older by the time since.
        return round(latest["Maximum"] * 1000) + now - round(latest["Timestamp"].timestamp() * 1000)


@cache
def _errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What AWS' calls raise, and others."""
    from botocore.exceptions import BotoCoreError, ClientError  # not before any: most starts look at no queue

    return BotoCoreError, ClientError, *others
