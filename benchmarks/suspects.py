"""What one suspicious word costs: `detect` over the standard library's decode, and over a batch with nothing in it.

All ratios are of one process and of the fastest of some runs, taken in turn. The lines of the row "ordinary logs" are made here, in the
manner of what servers log: nothing in them is a failure, and one in twenty has a word that a search must stop at.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.batches import batch, decode, faulty_lines, inflated_mb, ordinary_lines
from benchmarks.grouping import labelled_files
from benchmarks.stopwatch import best_in_turn, best_of, in_own_process, once

if TYPE_CHECKING:
    from tocsin.services.detection import Detector

NOW = 1_795_000_000_000
EVENTS = 12_000
SHARES = (10_000, 1_000, 100, 10, 1)
"""One line in so many is a failure."""
ERROR_SHARES = (1_000, 100, 10, 1)
"""One line in so many is a known error that no signature explains."""
RUNS, FEW_RUNS = 25, 8
"""Runs of one figure at most; few where no two batches are the same and making them takes long."""
_HEAD = "[ERROR]\t2026-11-22T07:30:29.{ms:03}Z\t{h:08x}-52aa-4b62-9d0e-{n:012x}\t"
"""As Lambda's Python begins its lines: with a time, and an id of the request."""
KNOWN_ERROR = _HEAD + "payment provider answered 500 for order {n} after 31 ms"
"""What no signature explains, and this process knows after the first batch, in other lines."""
OWN_IDS = (
    _HEAD
    + "Task {n} of job {m} failed: An error occurred (ThrottlingException) when calling the PutItem operation: "
    "Rate exceeded"
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


def server_lines(count: int, run: int = 0) -> list[str]:
    """Lines of healthy servers, of which one in twenty has a suspicious word; the same for the same count and run."""
    chance = random.Random(20261128 + run)
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

    def taken(make: Callable[[int], list[str]], most: int) -> tuple[float, float, float]:
        """Milliseconds of `detect`, of the standard library's decode, and the inflated size in MB.

        Args:
            make: The lines of a run, by its number; no two suspects are the same. The process knows those of the first.
            most: Runs after that.
        """
        first, *others = (batch(make(number)) for number in range(most + 1))
        detector.detect(first, NOW)
        following = iter(others)
        detecting, decoding = best_in_turn(
            lambda: detector.detect(next(following), NOW), lambda: decode(first), most=most
        )
        return detecting, decoding, inflated_mb(first)

    shared = {one_in: batch(faulty_lines(EVENTS, one_in)) for one_in in (0, *SHARES)}
    for event in shared.values():
        detector.detect(event, NOW)
    nothing, *found, decoding = best_in_turn(
        *(partial(detector.detect, event, NOW) for event in shared.values()),
        partial(decode, shared[0]),
        most=RUNS,
    )
    times = dict(zip(SHARES, found, strict=True))
    speeds = {"0": inflated_mb(shared[0]) / nothing * 1000}
    speeds |= {f"1/{one_in}": inflated_mb(shared[one_in]) / times[one_in] * 1000 for one_in in SHARES}
    ordinary, ordinary_decode, _ = taken(lambda number: server_lines(2_000, number), RUNS)
    errors, error_speeds = dict[int, float](), dict[str, float]()
    for one_in in ERROR_SHARES:
        error, of_errors, size = taken(_with(KNOWN_ERROR, one_in), FEW_RUNS)
        errors[one_in], error_speeds[f"1/{one_in}"] = error / of_errors, size / error * 1000
    own_ids, _, own_size = taken(_with(OWN_IDS, 10), FEW_RUNS)
    return {
        "ordinary_logs_over_decode": ordinary / ordinary_decode,
        "nothing_over_decode": nothing / decoding,
        "one_in_a_thousand_over_nothing": times[1_000] / nothing,
        "one_in_ten_mb_per_s": speeds["1/10"],
        "one_in_ten_with_ids_of_its_own_mb_per_s": own_size / own_ids * 1000,
        "mb_per_s_by_share": speeds,
        "known_error_in_a_thousand_over_nothing": errors[1_000] / (nothing / decoding),
        "mb_per_s_by_share_of_known_errors": error_speeds,
        **_of_real_logs(detector),
    }


def _with(failure: str, one_in: int) -> Callable[[int], list[str]]:
    """Ordinary lines of a run, of which one in so many is this failure with numbers of its own."""

    def lines(run: int) -> list[str]:
        made = ordinary_lines(EVENTS)
        own = range(run * EVENTS, run * EVENTS + len(made[::one_in]))
        made[::one_in] = [
            failure.format(n=n, m=n * 7 % 991, ms=n % 1_000, h=n * 0x9E3779B1 % 2**32) for n in own
        ]
        return made

    return lines


def _of_real_logs(detector: Detector) -> dict[str, Any]:
    """Ratios of loghub's lines, by file, where they are there (see `grouping`).

    Of lines that a process had before, and of others of the same logs, which it reads once: among them are errors that are
    new to it, and told.
    """
    lines = {name: [row["message"] for row in rows] for name, rows in labelled_files().items()}
    for messages in lines.values():
        detector.detect(batch(messages[::2]), NOW)
    once_read, again = dict[str, tuple[float, float]](), dict[str, tuple[float, float]]()
    for name, messages in lines.items():
        others, whole = batch(messages[1::2]), batch(messages)
        read = once(partial(detector.detect, others, NOW))
        once_read[name] = read, best_of(partial(decode, others), most=RUNS)
        detector.detect(whole, NOW)
        read, decoding = best_in_turn(partial(detector.detect, whole, NOW), partial(decode, whole), most=RUNS)
        again[name] = read, decoding
    if not lines:
        return {}
    return {
        "real_logs_over_decode": _ratio(again.values()),
        "real_logs_read_once_over_decode": _ratio(once_read.values()),
        "real_logs_by_file": {
            name: {"again": _ratio([again[name]]), "once": _ratio([once_read[name]])} for name in lines
        },
    }


def _ratio(times: Iterable[tuple[float, float]]) -> float:
    detecting, decoding = zip(*times, strict=True)
    return float(sum(detecting) / sum(decoding))


if __name__ == "__main__":
    print(json.dumps(_measured()))
