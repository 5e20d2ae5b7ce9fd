"""Times as people and logs write them: seconds or milliseconds since the epoch, or ISO 8601."""

from __future__ import annotations

import re

from tocsin.core.model import Millis
from tocsin.core.times import is_plausible, parse_iso_time

_MAX_SECONDS = 100_000_000_000
"""As milliseconds this is March 1973; as seconds, the year 5138."""
_NUMBER = re.compile(r"\d{9,13}(?:\.\d+)?")


def parse_time(value: object) -> Millis | None:
    """Read a time: milliseconds or seconds since the epoch, ISO 8601 (UTC where no offset is given).

    Returns:
        Milliseconds since the epoch; None for what is not a time.
    """
    if isinstance(value, str):
        text = value.strip()
        return parse_time(float(text)) if _NUMBER.fullmatch(text) else parse_iso_time(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    at = round(value * 1000) if abs(value) < _MAX_SECONDS else round(value)
    return at if is_plausible(at) else None
