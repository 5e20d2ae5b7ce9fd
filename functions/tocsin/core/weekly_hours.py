"""Hours of the week in a time zone: when a silence recurs, and when people may be called."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from tocsin.core.model import Millis

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WHOLE_DAY: Final = 24 * 60
MAX_LENGTH: Final = 100

_HOURS: Final = re.compile(r"(?:([a-z,-]{1,40}) )?([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)")
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}")


class WeeklyHours(Struct, frozen=True):
    """Hours that come again each week, by the clock on the wall.

    Attributes:
        days: On which days they begin, 0 for Monday.
        start: Minutes after midnight.
        end: The same; what is not later than ``start`` is on the day after.
        zone: The time zone, as ``Europe/Berlin``.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: str

    def __str__(self) -> str:
        """As they are written, with the zone: ``mon-fri 22:00-06:00 Europe/Berlin``."""
        first, last = min(self.days), max(self.days)
        is_run = len(self.days) > 1 and len(self.days) == last - first + 1
        days = f"{DAYS[first]}-{DAYS[last]}" if is_run else ",".join(DAYS[day] for day in sorted(self.days))
        start, end = (f"{value // 60:02}:{value % 60:02}" for value in (self.start, self.end))
        return f"{days + ' ' if len(self.days) < len(DAYS) else ''}{start}-{end} {self.zone}"

    def cover(self, now: Millis) -> bool:
        """Whether a moment is within them. Where the clock is put on or back, the wall's clock counts."""
        local = datetime.fromtimestamp(now / 1000, _zone(self.zone))
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= minute < self.end
        return (today in self.days and minute >= self.start) or (
            (today - 1) % 7 in self.days and minute < self.end
        )


def parse_weekly_hours(hours: str, zone: str = "UTC") -> WeeklyHours:
    """Read hours such as ``mon-fri 22:00-06:00``; without days they are every day's.

    Args:
        hours: Days (``mon``, ``sat,sun``, ``mon-fri``) and two times; ``00:00-24:00`` is the whole day.
        zone: A name of the time zone database.

    Raises:
        ValueError: They are none, or there is no such zone; the message says what would be.
    """
    found = _HOURS.fullmatch(hours.strip().lower()) if len(hours) <= MAX_LENGTH else None
    if found is None:
        raise ValueError(f"{hours[:MAX_LENGTH]!r} are no hours; write for example 'mon-fri 22:00-06:00'")
    start, end = (int(hour) * 60 + int(minute) for hour, minute in (found.group(2, 3), found.group(4, 5)))
    if start >= WHOLE_DAY or end > WHOLE_DAY:
        raise ValueError(f"{hours!r}: a day has the times from 00:00 to 24:00")
    if start == end:
        raise ValueError(f"{hours!r}: begin and end are the same; the whole day is 00:00-24:00")
    if not _ZONE.fullmatch(zone):
        raise ValueError(_no_zone(zone))
    _zone(zone)
    return WeeklyHours(_days(found[1] or "mon-sun", hours), start, end, zone)


def _days(text: str, hours: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (last if dash else first) not in DAYS:
            raise ValueError(f"{hours!r}: the days are {', '.join(DAYS)}, as mon-fri or sat,sun")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        days.update((begin + offset) % 7 for offset in range((end - begin) % 7 + 1))
    return frozenset(days)


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    """The zone's rules: data that comes with the system, read once."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(_no_zone(name)) from error


def _no_zone(zone: str) -> str:
    return f"{zone[:MAX_LENGTH]!r} is no time zone; write for example Europe/Berlin or UTC"
