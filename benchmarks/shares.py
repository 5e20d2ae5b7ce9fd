"""Throughput over the share of lines that match, beside what people would use instead.

All get the same envelopes as CloudWatch Logs delivers them. Tocsin's time is that of `detect`, from base64 to alerts; the
others' is the standard library's decode and their search, which answers less. Processor time, the fastest of some runs.
``make bench`` runs it where ``peers`` runs, for the same reason.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import peers
from benchmarks.batches import batch, decode, faulty_lines, inflated_mb
from benchmarks.signature_sets import shipped
from benchmarks.stopwatch import best_of

SHARES = (0, 10_000, 1_000, 100, 10, 1)
"""One line in so many matches; 0 for none."""
LINES, DENSE_LINES, FEW = 10_000, 2_000, 500
"""Of a batch; of one with a match in every tenth line or more; for what takes a millisecond for any line."""
NOW = 1_795_000_000_000


def compare() -> dict[str, Any]:
    """MB of inflated log a second by way and share; the reason where a way was left out."""
    numbered = peers.expressions_of(shipped())
    ways = {
        "Tocsin": detect,
        "hyperscan": search(peers.hyperscan),
        "ripgrep": search(peers.ripgrep),
        "one re.search each": search(peers.naive),
        "panther-core": search(peers.panther),
    }
    found: dict[str, Any] = {"left_out": {}, "mb_per_s": {}}
    for name, way in ways.items():
        slow = name in {"one re.search each", "panther-core"}
        speeds = {}
        for one_in in SHARES:
            count = FEW if slow else DENSE_LINES if 0 < one_in <= peers.ONE_IN else LINES
            speed = way(faulty_lines(count, one_in), numbered)
            if isinstance(speed, str):
                found["left_out"][name] = speed
                break
            speeds[share_name(one_in)] = speed
        else:
            found["mb_per_s"][name] = speeds
    return found


def share_name(one_in: int) -> str:
    """How a share is written."""
    return {0: "none", 1: "all"}.get(one_in, f"1/{one_in:,}")


def detect(lines: list[str], _numbered: peers.Numbered) -> float:
    """MB a second of `detect`, to which the alerts are known already."""
    from tocsin.bootstrap import DryRun, configuration, wire_detector

    detector, event = wire_detector({}, configuration({}), DryRun()), batch(lines)
    detector.detect(event, NOW)
    return inflated_mb(event) / seconds(lambda: detector.detect(event, NOW))


def search(
    way: Callable[[list[str], peers.Numbered], Any],
) -> Callable[[list[str], peers.Numbered], float | str]:
    """MB a second of decoding and then searching; the reason where it cannot search."""

    def measured(lines: list[str], numbered: peers.Numbered) -> float | str:
        run = way(lines, numbered)
        if isinstance(run, str):
            return run
        event = batch(lines)
        taken = seconds(run)
        if way is peers.ripgrep:
            start = seconds(way(["INFO"], numbered))
            taken = max(0.0, taken - start) / peers.REPEATED
        decoding = seconds(lambda: decode(event))
        return inflated_mb(event) / (decoding + taken)

    return measured


def seconds(action: Callable[[], object]) -> float:
    """The least processor time of some runs, that of processes started counted in."""
    return best_of(action, budget=0.5, clock=_processor_time) / 1000


def _processor_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure() -> dict[str, Any]:
    """What ``compare`` says in the other environment; ``skipped`` with the reason where there is none."""
    return {"shares": peers.elsewhere("benchmarks.shares")}


if __name__ == "__main__":
    json.dump(compare(), sys.stdout, indent=1)
