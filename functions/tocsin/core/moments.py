"""Points in time: which ones are believed, and how they are written.

A log event's time is whatever its writer said. One that no calendar has room for must be refused at the door,
and must not stop anything if it ever got in: a notification that cannot be written would be tried again for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from tocsin.core.model import Millis

LATEST: Final[Millis] = 32_503_680_000_000
"""The year 3000. Milliseconds beyond are a mistake, most often nanoseconds; Python's calendar ends with 9999."""


def is_believable(at: Millis) -> bool:
    """Whether something can have happened then: from 1970 up to the year 3000."""
    return 0 <= at < LATEST


def iso_time(at: Millis) -> str:
    """A time as the contract writes it: UTC, ISO 8601, milliseconds, Z; never raises.

    What is outside of the believable is written as its border.
    """
    at = min(max(at, 0), LATEST)
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
