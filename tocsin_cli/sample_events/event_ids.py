"""What events of many kinds share. Ids in events made by `sample_events`: from what they are about, so that they are the same on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tocsin.core.model import Millis
from tocsin.core.times import iso_time

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"


def digest(*parts: object) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def uuid_of(*parts: object) -> str:
    """In the form of a UUID."""
    name = digest(*parts)
    return "-".join((name[:8], name[8:12], "4" + name[13:16], "8" + name[17:20], name[20:32]))


def eventbridge_event(
    identity: str,
    source: str,
    kind: str,
    at: Millis,
    detail: Mapping[str, Any],
    resources: Sequence[str] = (),
) -> dict[str, Any]:
    """What EventBridge wraps around an event of a service.

    Args:
        identity: The event's id.
        source: Such as ``aws.cloudwatch``.
        kind: Its ``detail-type``.
        at: When it happened; milliseconds.
        detail: What the service says.
        resources: The ARNs that it is about.
    """
    return {
        "version": "0",
        "id": identity,
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": iso_time(at)[:19] + "Z",
        "region": REGION,
        "resources": list(resources),
        "detail": detail,
    }


def number_of(*parts: object) -> str:
    """56 decimal digits, as CloudWatch Logs and Kinesis number their events."""
    return "3" + str(int(digest(*parts), 16))[-55:].rjust(55, "0")
