"""The topic "alerts", where notifications are published for every subscriber, and the heartbeat's own topic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tocsin.core.notifications.contract import Notification, message_attributes, to_json
from tocsin.core.notifications.email import email_subject, email_text

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class AlertsTopic:
    """The alerts topic.

    Args:
        client: An SNS client.
        arn: The topic's ARN.
    """

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client, self._arn = client, arn

    def publish(self, notification: Notification) -> None:
        """Publish one notification: the contract's JSON for programs, text for e-mail.

        Returns when SNS has it.

        Raises:
            botocore.exceptions.ClientError: SNS refused it.
            botocore.exceptions.BotoCoreError: SNS could not be asked.
        """
        message = {"default": to_json(notification), "email": email_text(notification)}
        self._client.publish(
            TopicArn=self._arn,
            MessageStructure="json",
            Message=json.dumps(message),
            Subject=email_subject(notification),
            MessageAttributes=message_attributes(notification),  # type: ignore[arg-type]
        )


class HeartbeatTopic:
    """The heartbeat's topic: one of its own, so that no subscriber of the alerts receives it.

    Args:
        client: An SNS client.
        arn: The topic's ARN.
    """

    def __init__(self, client: SNSClient, arn: str) -> None:
        self._client, self._arn = client, arn

    def publish(self, message: str) -> None:
        """Publish one heartbeat; returns when SNS has it.

        Raises:
            botocore.exceptions.ClientError: SNS refused it.
            botocore.exceptions.BotoCoreError: SNS could not be asked.
        """
        self._client.publish(TopicArn=self._arn, Message=message)
