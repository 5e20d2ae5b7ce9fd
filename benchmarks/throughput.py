"""How much `detect` gets through on one core, and how much memory it takes, as batches grow.

Each figure is of a process of its own, so that its peak of memory is its own too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.batches import batch, faulty_lines, inflated_mb
from benchmarks.stopwatch import best_of, in_own_process

SIZES = (100, 1_000, 12_000, 40_000)
KINDS = {"nothing matches": 0, "one line in 1,000 matches": 1_000, "one line in 10 matches": 10}


def measure() -> dict[str, Any]:
    """By kind and number of events: MB of inflated log and events a second, and MB of memory at the peak."""
    rows: list[dict[str, Any]] = []
    for kind, one_in in KINDS.items():
        for size in SIZES:
            if one_in > size:
                continue
            figures = in_own_process("benchmarks.throughput", str(size), str(one_in))
            rows.append({"kind": kind, "events": size, **figures})
    return {"throughput": rows}


def one(size: int, one_in: int) -> dict[str, float]:
    """One figure, in this process."""
    from tocsin.bootstrap import DryRun, configuration, wire_detector

    event = batch(faulty_lines(size, one_in))
    megabytes = inflated_mb(event)
    detector = wire_detector({}, configuration({}), DryRun())
    seconds = best_of(lambda: detector.detect(event, 1_795_000_000_000), most=5, budget=2) / 1000
    return {
        "inflated_mb": megabytes,
        "ms": seconds * 1000,
        "mb_per_s": megabytes / seconds,
        "events_per_s": size / seconds,
        "peak_mb": peak_of_memory(),
    }


def peak_of_memory() -> float:
    """MB; from the kernel, because ``getrusage`` begins with what the parent process had."""
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    print(json.dumps(one(int(sys.argv[1]), int(sys.argv[2]))))
