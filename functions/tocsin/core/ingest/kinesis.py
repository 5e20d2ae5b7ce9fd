"""A batch of a Kinesis stream: where its records stand, and how Lambda is told which of them to bring again.

A stream is taken up again at the first record that failed (Lambda Developer Guide, "Configuring partial batch response
with Kinesis Data Streams and Lambda"): what stood before it is done with, what stood after it comes once more. A record
that comes again is known by what is in it, so that this changes no count.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def is_stream_batch(event: object) -> bool:
    """Whether an event is a batch of a stream, each of its records with its place in it."""
    records = event.get("Records") if isinstance(event, dict) else None
    return isinstance(records, list) and bool(records) and all(map(sequence_number, records))


def sequence_number(record: object) -> str:
    """The place of a record in its shard; empty for anything that is no record of a stream."""
    if not isinstance(record, dict) or record.get("eventSource") != "aws:kinesis":
        return ""
    holder = record.get("kinesis")
    number = holder.get("sequenceNumber") if isinstance(holder, dict) else None
    return number if isinstance(number, str) else ""


def unfinished_answer(unfinished: Iterable[object]) -> dict[str, Any]:
    """What Lambda is answered: the places of the records to bring again, each once, in the order given.

    Args:
        unfinished: The records as they came.
    """
    places = dict.fromkeys(map(sequence_number, unfinished))
    return {"batchItemFailures": [{"itemIdentifier": place} for place in places]}
