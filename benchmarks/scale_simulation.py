"""How the stream and the table behave under more than one function can bear: simulated, with its assumptions stated.

Nothing here was tried on AWS. The limits are DynamoDB's and Kinesis's published ones; the model is a bucket per limit and
a queue before it, in steps of one second. ``python -m tools.performance_page`` writes the tables into ``docs/scale.md``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

PARTITION_WRITES = 1_000
"""Write units a second of one partition (DynamoDB Developer Guide, "Best practices for partition keys")."""
BURST_SECONDS = 300
"""Unused capacity that a partition keeps for bursts (the same guide, "Burst and adaptive capacity")."""
INDEX_WRITES_A_TALLY = 2
"""In the index ``due``: one when an occurrence count is put, one when it is applied and leaves the index."""
GIVEN_UP_AFTER = 6 * 3600
"""Seconds; ``MaximumRecordAgeInSeconds`` of the stream and ``MaximumEventAgeInSeconds`` of the function."""
SHARD_MB = 1.0
"""MB a second that a shard takes (Kinesis Data Streams Developer Guide, "Quotas and limits")."""


@dataclass(frozen=True, slots=True)
class Storm:
    """What a storm of one service came to.

    Attributes:
        envelopes_a_second: Deliveries that each held occurrences of one alert.
        writers: Copies of ``detect`` that wrote at the same time, at 25 ms a write.
        conflicts: Writes that another writer made fail.
        sustained: Occurrence counts a second that the table took once bursts were used up.
        latest_s: The longest time that a delivery waited to be counted.
        drained_s: Seconds after the storm until all was counted.
        lost: Deliveries given up for their age.
    """

    envelopes_a_second: int
    writers: int
    conflicts: int
    sustained: float
    latest_s: float
    drained_s: int
    lost: int


def storm(rate: int, *, seconds: int = 600, services: int = 1, shared_item: bool = False) -> Storm:
    """Deliveries of one alert at a steady rate, each counted with one conditional put.

    The alert's items have random sort keys, so that DynamoDB can split their partition; the index ``due`` has one
    partition key a service and a rising sort key, so that it cannot. The index is what bounds a service.

    Args:
        rate: Deliveries a second.
        seconds: How long.
        services: Over how many services they are spread evenly.
        shared_item: The design that was not taken, a transaction on one item: of writers at the same moment one wins.
    """
    share = rate / services
    writers = max(1, round(share * 0.025))
    capacity = PARTITION_WRITES / INDEX_WRITES_A_TALLY
    if shared_item:
        capacity = 1 / 0.025  # one transaction after the other
    bucket = 0.0 if shared_item else capacity * BURST_SECONDS
    waiting, latest, second, lost, conflicts = 0.0, 0.0, 0, 0.0, 0.0
    while second < seconds or waiting >= 1:
        arriving = share if second < seconds else 0.0
        if shared_item:
            conflicts += max(0.0, min(waiting + arriving, writers * 40) - capacity)
        bucket = min(bucket + capacity, capacity * (BURST_SECONDS if not shared_item else 1))
        taken = min(waiting + arriving, bucket)
        bucket -= taken
        waiting += arriving - taken
        latest = max(latest, waiting / capacity)
        too_old = max(0.0, waiting - capacity * GIVEN_UP_AFTER)
        lost, waiting = lost + too_old, waiting - too_old
        second += 1
    return Storm(
        rate,
        writers * services,
        round(conflicts * services),
        capacity * services,
        latest,
        max(0, second - seconds),
        round(lost * services),
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """How evenly log streams load the shards.

    Attributes:
        shards: Of the stream.
        by_log_stream: MB a second of the fullest shard where each log stream keeps to one.
        at_random: The same where each envelope goes anywhere.
    """

    shards: int
    by_log_stream: float
    at_random: float


def spread(shards: int, mb_a_second: float, *, streams: int = 200, seed: int = 1) -> Spread:
    """Log streams of very different sizes (the n-th has 1/n of the first), over shards.

    Args:
        shards: Of the stream.
        mb_a_second: Together, compressed.
        streams: Log streams.
        seed: Of the draw which stream comes to which shard.
    """
    chance = random.Random(seed)
    weights = [1 / (place + 1) for place in range(streams)]
    whole = sum(weights)
    by_stream, anywhere = [0.0] * shards, [0.0] * shards
    for weight in weights:
        by_stream[chance.randrange(shards)] += mb_a_second * weight / whole
    envelopes = 20_000
    for _ in range(envelopes):
        anywhere[chance.randrange(shards)] += mb_a_second / envelopes
    return Spread(shards, max(by_stream), max(anywhere))
