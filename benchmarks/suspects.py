"""What one suspicious word costs: `detect` over the standard library's decode, and over a batch with nothing in it.

All ratios are of one process and of the fastest of some runs. The lines of the row "ordinary logs" are made here, in the
manner of what servers log: nothing in them is a failure, and one in twenty has a word that a search must stop at.
"""

from __future__ import annotations

import json
import random
from typing import Any

from benchmarks.batches import batch, decode, faulty_lines, inflated_mb, ordinary_lines
from benchmarks.stopwatch import best_of, in_own_process

NOW = 1_795_000_000_000
EVENTS = 12_000
SHARES = (10_000, 1_000, 100, 10, 1)
"""One line in so many is a failure."""
ERROR_SHARES = (1_000, 100, 10, 1)
"""One line in so many is a known error that no signature explains."""
KNOWN_ERROR = "ERROR app.pay: payment provider answered 500 for order {n} after 31 ms"
"""What no signature explains, and this process knows after the first batch."""
OWN_IDS = (
    "[ERROR]\t2026-11-22T07:30:29.{ms:03}Z\t{n:08x}-52aa-4b62-9d0e-{n:012x}\tTask {n} of job {m} failed: An error occurred "
    "(ThrottlingException) when calling the PutItem operation: Rate exceeded"
)
"""A known failure of which no two lines are the same, so that nothing can be remembered by its text."""
_ORDINARY = (
    "Accepted publickey for deploy from 10.0.{n}.7 port {m} ssh2",
    "Starting executor ID {m} on host node-{n}",
    "session {m} closed after {n} requests",
    "block blk_{m} is added to invalidSet of 10.0.{n}.9:50010",
    "worker {n} heartbeat {m}: queue empty",
)
_SUSPICIOUS = (
    "worker {n} left error state {m}",
    "connection {m}: end of stream exception, client {n} closed its socket",
    "file {m} not found in cache {n}, fetched",
)


def server_lines(count: int) -> list[str]:
    """Lines of healthy servers, of which one in twenty has a suspicious word; the same for the same count."""
    chance = random.Random(20261128)
    return [
        chance.choice(_ORDINARY if number % 20 else _SUSPICIOUS).format(
            n=chance.randrange(256), m=chance.randrange(10**6)
        )
        for number in range(count)
    ]


def measure() -> dict[str, Any]:
    """The ratios, and MB of inflated log a second by the share of failures; in a process without others' objects."""
    return in_own_process("benchmarks.suspects")


def _measured() -> dict[str, Any]:
    from tocsin.bootstrap import DryRun, configuration, wire_detector

    detector = wire_detector({}, configuration({}), DryRun())
    detector.detect(batch(server_lines(2_000)), NOW)  # after the first suspects it compiles, and is warm

    def taken(lines: list[str]) -> tuple[float, float, float]:
        """Milliseconds of `detect`, of the standard library's decode, and the inflated size in MB."""
        event = batch(lines)
        detector.detect(event, NOW)  # what is known already is what storms are made of
        detecting = best_of(lambda: detector.detect(event, NOW), most=25)
        return detecting, best_of(lambda: decode(event), most=25), inflated_mb(event)

    nothing, decoding, size = taken(ordinary_lines(EVENTS))
    ordinary, ordinary_decode, _ = taken(server_lines(2_000))
    speeds = {"0": size / nothing * 1000}
    times, errors, error_speeds = dict[int, float](), dict[int, float](), dict[str, float]()
    for one_in in SHARES:
        lines = faulty_lines(EVENTS, one_in)
        times[one_in], _, size = taken(lines)
        speeds[f"1/{one_in}"] = size / times[one_in] * 1000
        if one_in in ERROR_SHARES:
            lines[::one_in] = [KNOWN_ERROR.format(n=number) for number in range(len(lines[::one_in]))]
            errors[one_in], _, size = taken(lines)
            error_speeds[f"1/{one_in}"] = size / errors[one_in] * 1000
    lines = ordinary_lines(EVENTS)
    lines[::10] = [OWN_IDS.format(ms=n % 1_000, n=n, m=n * 7 % 991) for n in range(len(lines[::10]))]
    own_ids, _, own_size = taken(lines)
    return {
        "ordinary_logs_over_decode": ordinary / ordinary_decode,
        "nothing_over_decode": nothing / decoding,
        "one_in_a_thousand_over_nothing": times[1_000] / nothing,
        "one_in_ten_mb_per_s": speeds["1/10"],
        "one_in_ten_with_ids_of_its_own_mb_per_s": own_size / own_ids * 1000,
        "mb_per_s_by_share": speeds,
        "known_error_in_a_thousand_over_nothing": errors[1_000] / nothing,
        "mb_per_s_by_share_of_known_errors": error_speeds,
    }


if __name__ == "__main__":
    print(json.dumps(_measured()))
