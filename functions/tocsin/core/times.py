"""Durations as people write them: ``90s``, ``5m``, ``4h``, ``2d``, or a bare number of seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from tocsin.core.model import Millis

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")


def parse_duration(text: str | float) -> Millis:
    """Read a duration.

    Args:
        text: ``"90s"``, ``"5m"``, ``"4h"``, ``"2d"``, ``"250ms"``; a bare number means seconds.

    Raises:
        ValueError: It is none of these; the message says what would be.
    """
    found = _DURATION.fullmatch(str(text).strip())
    if not found:
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 5m, 4h or 2d")
    number, unit = found.groups()
    return round(float(number) * _UNITS[unit or "s"])


def format_duration(span: Millis) -> str:
    """Write a duration for people, in its two largest units: ``3 h 12 min``, ``45 s``."""
    seconds = max(0, span) // 1000
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")) if n]
    return " ".join(parts[:2]) or "0 s"


LATEST: Final[Millis] = 32_503_680_000_000
"""The year 3000. Milliseconds beyond are a mistake, most often nanoseconds; Python's calendar ends with 9999."""


def is_plausible(at: Millis) -> bool:
    """Whether something can have happened then: from 1970 up to the year 3000."""
    return 0 <= at < LATEST


def iso_time(at: Millis) -> str:
    """A time as the contract writes it: UTC, ISO 8601, milliseconds, Z; never raises.

    What is outside of the believable is written as its border.
    """
    at = min(max(at, 0), LATEST)
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
