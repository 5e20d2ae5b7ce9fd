"""What looking at an envelope costs, in ratios taken in one run on one machine.

``python -m benchmarks.matching`` prints them; ``measure()`` gives them to ``make bench``.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
from collections.abc import Callable

from benchmarks.signature_sets import made, shipped
from benchmarks.stopwatch import best_of
from tocsin.core.ingest.inflation import inflate
from tocsin.core.matching.matcher import Matcher
from tocsin.core.signatures.literals import required_literals

EVENTS = 12_000


def ordinary_envelope(events: int = EVENTS) -> bytes:
    """An envelope of ordinary lines of a Python backend, about 300 bytes of JSON each, as it is delivered."""
    chance = random.Random(20260202)
    shapes = (
        "INFO request handled path=/api/v1/users/{a} status=200 duration={b}ms user={c:x}",
        "START RequestId: {c:x}-{a} Version: $LATEST",
        "REPORT RequestId: {c:x}\tDuration: {a} ms\tBilled Duration: {b} ms\tMemory Size: 512 MB\tMax Memory Used: 128 MB",
        "[INFO]\t2026-01-01T00:00:00.{b}Z\t{c:x}\tprocessed {a} records from bucket reports for document {c:x}",
        '{{"level":"INFO","message":"document classified","documentId":"{c:x}","confidence":0.{a},"status":"success"}}',
        "[WARNING]\t2026-01-01T00:00:00.{b}Z\t{c:x}\tslow query took {a} ms, connection pool 3 of 20 in use",
    )
    lines = [
        chance.choice(shapes).format(
            a=chance.getrandbits(20), b=chance.getrandbits(9), c=chance.getrandbits(60)
        )
        + " x" * chance.randint(0, 60)
        for _ in range(events)
    ]
    log_events = [
        {"id": f"{number:056d}", "timestamp": 1_760_000_000_000 + number, "message": line}
        for number, line in enumerate(lines)
    ]
    envelope = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/lambda/backend",
        "logStream": "s",
        "subscriptionFilters": ["tocsin"],
        "logEvents": log_events,
    }
    return base64.b64encode(gzip.compress(json.dumps(envelope).encode(), 6))


def measure() -> dict[str, float]:
    """The figures: milliseconds end in ``_ms``, everything else is a ratio."""
    thirty = shipped()
    matcher, larger, largest = Matcher(thirty), Matcher(made(300)), Matcher(made(1000))
    data = ordinary_envelope()

    def decode() -> object:
        return json.loads(gzip.decompress(base64.b64decode(data)))

    def detect(with_matcher: Matcher) -> bool:
        return with_matcher.might_match(inflate(data))

    assert not detect(matcher), "the batch is meant to have no match"
    assert not detect(larger)
    assert not detect(largest)
    events = [event["message"] for event in json.loads(gzip.decompress(base64.b64decode(data)))["logEvents"]]
    patterns = [re.compile(text) for entry in thirty.values() for text in entry.any]
    one_each = [re.compile(entry.any[0]) for entry in thirty.values()]

    def naive(expressions: list[re.Pattern[str]]) -> Callable[[], object]:
        return lambda: [
            1 for event in events[:: EVENTS // 600] for expression in expressions if expression.search(event)
        ]

    decoding, ours, ten_times, thirty_times = (
        best_of(decode),
        best_of(lambda: detect(matcher)),
        best_of(lambda: detect(larger)),
        best_of(lambda: detect(largest)),
    )
    share = len(events) / len(events[:: EVENTS // 600])
    naive_one, naive_all = best_of(naive(one_each), most=3) * share, best_of(naive(patterns), most=2) * share
    searching = best_of(lambda: [matcher.match(event) for event in events], most=3)
    first = events[0]
    storm = [
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
    ] * 2_000
    return {
        "events": len(events),
        "log_signatures": len(thirty),
        "decode_ms": decoding,
        "no_match_ms": ours,
        "no_match_over_decode": ours / decoding,
        "re_search_per_signature_ms": naive_one + decoding,
        "re_search_per_signature_over_ours": (naive_one + decoding) / ours,
        "re_search_per_expression_over_ours": (naive_all + decoding) / ours,
        "three_hundred_over_thirty": ten_times / ours,
        "a_thousand_over_thirty": thirty_times / ours,
        "per_event_after_a_hit_us": searching / len(events) * 1000,
        "one_match_us": best_of(lambda: [matcher.match(line) for line in storm], most=3) / len(storm) * 1000,
        "one_ordinary_line_us": best_of(lambda: [matcher.match(first) for _ in range(2_000)], most=3)
        / 2_000
        * 1000,
        "literals": len(
            {
                literal
                for entry in thirty.values()
                for text in entry.any
                for literal in required_literals(text)
            }
        ),
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:38} {value:10.2f}")
