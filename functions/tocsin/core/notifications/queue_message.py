"""A message of the queue in front of ``notify``: what SQS says of it, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tocsin.core.model import Millis
from tocsin.core.notifications.contract import Notification
from tocsin.core.notifications.parsing import notification_from, read_json
from tocsin.core.signatures.heartbeat import Heartbeat, heartbeat_from


class QueueMessage(Struct, frozen=True):
    """One message, as SQS gives it to a function.

    Attributes:
        id: What it is reported by.
        receipt_handle: What it is put off by; of this delivery only.
        body: The text, not read yet.
        tries: How often it was delivered, this time included.
        sent_at: When it came into the queue; 0 where SQS does not say.
    """

    id: str
    receipt_handle: str
    body: str
    tries: int
    sent_at: Millis

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> QueueMessage:
        """The message of one record of a batch."""
        return cls(
            id=str(record.get("messageId", "")),
            receipt_handle=str(record.get("receiptHandle", "")),
            body=str(record.get("body", "")),
            tries=max(1, _number(record, "ApproximateReceiveCount")),
            sent_at=_number(record, "SentTimestamp"),
        )


def read_body(body: str) -> Notification | Heartbeat:
    """Read what is in a message: it itself (raw delivery), or SNS's envelope around it.

    Raises:
        NotANotificationError: It is neither a notification nor a heartbeat.
    """
    content = read_json(body)
    if isinstance(content, dict) and content.get("Type") == "Notification" and "Message" in content:
        content = read_json(str(content["Message"]))
    return heartbeat_from(content) or notification_from(content)


def _number(record: Mapping[str, Any], attribute: str) -> int:
    said = str(record.get("attributes", {}).get(attribute, "0"))
    return int(said) if said.isdecimal() else 0
