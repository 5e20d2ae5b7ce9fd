"""The heartbeat: a line that Tocsin writes to itself, to know that the way from a log line to ``notify`` is open.

``reconcile`` writes it to a log group that holds nothing else. It is subscribed like any other; the line is searched
for and matched with the signatures, stored, published and counted by ``notify``, and there it ends: it is no occurrence,
belongs to no incident and is told to nobody. An alarm tells when it stops.
"""

from __future__ import annotations

import json

from msgspec import Struct

from tocsin.core.model import Millis, Severity
from tocsin.core.signatures.signature import Signature, Source, Status

HEARTBEAT = "(heartbeat)"
"""The id of the built-in signature; no signature of a file can have it."""

SIGNATURE = Signature(
    id=HEARTBEAT,
    file="built in",
    title="Tocsin's heartbeat",
    severity=Severity.LOW,
    status=Status.TEST,
    source=Source.LOG,
    summary="Tocsin wrote this line to itself.",
    first_action="Nothing.",
    runbook="tocsin-heartbeat-stopped.md",
    any=(r"^tocsin heartbeat (?P<written>\d{13})$",),
    log_groups=("/tocsin/*/heartbeat",),
)

TOO_LATE: Millis = 10 * 60_000
"""How old a heartbeat may be when it arrives; an older one says that the way was closed, not that it is open."""

JITTER: Millis = 30_000
"""How much too early a heartbeat may be: what asks comes about once a minute, now and then a second sooner."""


class Heartbeat(Struct, frozen=True):
    """One heartbeat on its way.

    Attributes:
        written_at: When ``reconcile`` wrote the line.
        detected_at: When ``detect`` matched it.
    """

    written_at: Millis
    detected_at: Millis


def is_due(last: Millis | None, now: Millis, every: Millis) -> bool:
    """Whether the next line is to be written.

    Args:
        last: When the last one was; None if this process wrote none.
        now: The time.
        every: How often.
    """
    return last is None or now - last >= every - JITTER


def heartbeat_line(now: Millis) -> str:
    """The line; the built-in signature matches this and nothing else."""
    return f"tocsin heartbeat {now}"


def heartbeat_message(heartbeat: Heartbeat) -> str:
    """What is published."""
    return json.dumps(
        {
            "kind": "heartbeat",
            "version": 1,
            "written_at": heartbeat.written_at,
            "detected_at": heartbeat.detected_at,
        }
    )


def heartbeat_from(content: object) -> Heartbeat | None:
    """The heartbeat that a message's JSON holds; None for whatever is none."""
    if not isinstance(content, dict) or content.get("kind") != "heartbeat":
        return None
    written, detected = content.get("written_at"), content.get("detected_at")
    if type(written) is not int or type(detected) is not int:
        return None
    return Heartbeat(written, detected)
