"""What is known about an incident's messages in Slack: which one it is, what it shows, what has been told."""

from __future__ import annotations

from msgspec import Struct

from tocsin.core.model import Millis


class DeliveryRecord(Struct, frozen=True):
    """The memory of one incident's deliveries.

    Attributes:
        channel: The channel its message is in; empty before there is one, and for webhooks.
        ts: The message; empty before there is one, and for webhooks.
        shown: The highest sequence that the message shows, or that a webhook posted.
        told: The sequences that are done with, as ``1-4,7``: a list of ranges, so that an incident of weeks
            stays a few bytes.
        unconfirmed: Sequences of which an attempt began and was not seen to end: Slack may or may not have them.
        attempted_at: When the first attempt began; no message of this incident can be older.
        thread: Where it joined a wide incident: the message in whose thread its message is, or, by webhook, the id of
            the incident whose message lists it; else empty.
        listed: For a webhook, how many services the message of the incident that leads has listed; 0 once it is over.
        called: For a webhook, whom its messages called, with blanks between.
    """

    channel: str = ""
    ts: str = ""
    shown: int = 0
    told: str = ""
    unconfirmed: frozenset[int] = frozenset()
    attempted_at: Millis = 0
    thread: str = ""
    listed: int = 0
    called: str = ""


def includes(ranges: str, number: int) -> bool:
    """Whether a number is in ranges like ``1-4,7``."""
    return any(first <= number <= last for first, last in _read(ranges))


def including(ranges: str, number: int) -> str:
    """The ranges with one number more, joined where they touch."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted([*_read(ranges), (number, number)]):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in joined)


def highest(ranges: str) -> int:
    """The highest number in ranges like ``1-4,7``; 0 when there is none."""
    return max((last for _, last in _read(ranges)), default=0)


def _read(ranges: str) -> list[tuple[int, int]]:
    pairs = (part.partition("-") for part in ranges.split(",") if part)
    return [(int(first), int(last or first)) for first, _, last in pairs]
