"""What looking at an envelope costs, in ratios taken in one run on one machine.

``python -m benchmarks.matching`` prints them; ``measure()`` gives them to ``make bench``.
"""

from __future__ import annotations

import random
import re

from benchmarks.batches import batch, decode
from benchmarks.signature_sets import made, shipped
from benchmarks.stopwatch import best_of
from tocsin.core.ingest.inflation import inflate
from tocsin.core.matching.matcher import Matcher

EVENTS = 12_000
NAIVE_EVENTS = 600
"""Of them for what takes a thousand times as long."""


def backend_lines() -> list[str]:
    """Ordinary lines of a Python backend, about 300 bytes of JSON each."""
    chance = random.Random(20260202)
    shapes = (
        "INFO request handled path=/api/v1/users/{a} status=200 duration={b}ms user={c:x}",
        "START RequestId: {c:x}-{a} Version: $LATEST",
        "REPORT RequestId: {c:x}\tDuration: {a} ms\tBilled Duration: {b} ms\tMemory Size: 512 MB\tMax Memory Used: 128 MB",
        "[INFO]\t2026-01-01T00:00:00.{b}Z\t{c:x}\tprocessed {a} records from bucket reports for document {c:x}",
        '{{"level":"INFO","message":"document classified","documentId":"{c:x}","confidence":0.{a},"status":"success"}}',
        "[WARNING]\t2026-01-01T00:00:00.{b}Z\t{c:x}\tslow query took {a} ms, connection pool 3 of 20 in use",
    )
    return [
        chance.choice(shapes).format(
            a=chance.getrandbits(20), b=chance.getrandbits(9), c=chance.getrandbits(60)
        )
        + " x" * chance.randint(0, 60)
        for _ in range(EVENTS)
    ]


def measure() -> dict[str, float]:
    """The figures: milliseconds end in ``_ms``, everything else is a ratio."""
    thirty = shipped()
    matcher, larger = Matcher(thirty), Matcher(made(300))
    event = batch(backend_lines())
    data = event["awslogs"]["data"]

    def detect(with_matcher: Matcher) -> bool:
        return with_matcher.might_match(inflate(data))

    assert not detect(matcher), "the batch is meant to have no match"
    assert not detect(larger)
    some = [each["message"] for each in decode(event)["logEvents"]][:: EVENTS // NAIVE_EVENTS]
    expressions = [re.compile(entry.any[0]) for entry in thirty.values()]

    def naive() -> object:
        return [1 for message in some for expression in expressions if expression.search(message)]

    decoding, ours = best_of(lambda: decode(event)), best_of(lambda: detect(matcher))
    searching = best_of(naive, most=3) * EVENTS / len(some)
    return {
        "decode_ms": decoding,
        "no_match_ms": ours,
        "no_match_over_decode": ours / decoding,
        "re_search_per_signature_over_ours": (searching + decoding) / ours,
        "three_hundred_over_thirty": best_of(lambda: detect(larger)) / ours,
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:38} {value:10.2f}")
