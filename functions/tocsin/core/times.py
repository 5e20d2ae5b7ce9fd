"""Times and durations: how they are read, written and bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from tocsin.core import model
from tocsin.core.lazy_expressions import lazy
from tocsin.core.model import Millis

MINUTE: Final[Millis] = 60_000
HOUR: Final[Millis] = 60 * MINUTE
DAY: Final[Millis] = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"ms": 1, "s": 1000, "m": MINUTE, "h": HOUR, "d": DAY}
_DURATION = lazy(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")


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


LATEST: Final = model.LATEST


def is_plausible(at: Millis) -> bool:
    """Whether something can have happened then: from 1970 up to the year 3000."""
    return 0 <= at < LATEST


def parse_iso_time(text: str) -> Millis | None:
    """Read a time in ISO 8601; UTC where it names no offset.

    Returns:
        Milliseconds since the epoch; None when it is not a time, or not a plausible one (`is_plausible`).
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # Whole milliseconds without floating point: ids are made of this.
    at = (moment - _EPOCH) // timedelta(milliseconds=1)
    return at if is_plausible(at) else None


def iso_time(at: Millis) -> str:
    """A time as the contract writes it: UTC, ISO 8601, milliseconds, Z; never raises.

    What is outside of the believable is written as its border.
    """
    at = min(max(at, 0), LATEST)
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
