"""Ids in events made by `sample_events`: from what they are about, so that they are the same on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import Final

ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"


def digest(*parts: object) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def uuid_of(*parts: object) -> str:
    """In the form of a UUID."""
    name = digest(*parts)
    return "-".join((name[:8], name[8:12], "4" + name[13:16], "8" + name[17:20], name[20:32]))


def number_of(*parts: object) -> str:
    """56 decimal digits, as CloudWatch Logs and Kinesis number their events."""
    return "3" + str(int(digest(*parts), 16))[-55:].rjust(55, "0")
