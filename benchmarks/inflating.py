"""Inflating with something faster than zlib: what it would do for `detect` as a whole.

    python -m benchmarks.inflating

For a Python that has one of the candidates (the extra ``bench``). All ways in turn in one process, and processor time,
so that a noisy neighbour counts for little; the fastest of some runs.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

from benchmarks.batches import batch, ordinary_lines
from benchmarks.stopwatch import best_of
from benchmarks.suspects import server_lines
from benchmarks.throughput import FAULT
from tocsin.core.ingest import inflation

CANDIDATES = {"isal": "isal.isal_zlib", "zlib-ng": "zlib_ng.zlib_ng"}
NOW = 1_795_000_000_000
EVENTS, ROUNDS = 12_000, 15


def measure() -> dict[str, Any]:
    """By batch and candidate: milliseconds of inflating and of `detect`, and the milliseconds of its import."""
    from tocsin.bootstrap import DryRun, configuration, wire_detector

    ways = {"zlib": inflation.zlib} | {name: found for name in CANDIDATES if (found := _library(name))}
    detector = wire_detector({}, configuration({}), DryRun())
    rows: dict[str, Any] = {}
    for kind, lines in kinds().items():
        event = batch(lines)
        data = event["awslogs"]["data"]
        detector.detect(event, NOW)
        rows[kind] = {
            name: {
                "inflate_ms": inflating,
                "detect_ms": detecting,
            }
            for name, (inflating, detecting) in in_turn(
                ways,
                lambda data=data: inflation.inflate(data),
                lambda event=event: detector.detect(event, NOW),
            ).items()
        }
    return {
        "inflating": rows,
        "import_ms": {name: import_ms(CANDIDATES[name]) for name in ways if name in CANDIDATES},
    }


def kinds() -> dict[str, list[str]]:
    """Batches, from one in which nothing is to one that is full of it."""
    made = {"nothing matches": ordinary_lines(EVENTS)}
    for one_in in (1_000, 10):
        lines = ordinary_lines(EVENTS)
        lines[::one_in] = [FAULT] * len(lines[::one_in])
        made[f"one line in {one_in:,} matches"] = lines
    return made | {"2,000 lines of healthy servers": server_lines(2_000)}


def in_turn(ways: dict[str, ModuleType], *works: Callable[[], object]) -> dict[str, tuple[float, ...]]:
    """Each work with each library in turn, some rounds; the fastest of each, in milliseconds."""
    fastest = {name: [float("inf")] * len(works) for name in ways}
    try:
        for _ in range(ROUNDS):
            for name, library in ways.items():
                inflation.zlib = library  # type: ignore[misc] # a stand-in for the module, here only
                for number, work in enumerate(works):
                    fastest[name][number] = min(fastest[name][number], processor_ms(work))
    finally:
        inflation.zlib = ways["zlib"]
    return {name: tuple(times) for name, times in fastest.items()}


def processor_ms(work: Callable[[], object]) -> float:
    """Milliseconds of processor that a run takes."""
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def import_ms(module: str) -> float:
    """What the import takes in a fresh interpreter, over one without it."""

    def run(code: str) -> float:
        return best_of(lambda: subprocess.run([sys.executable, "-c", code], check=True), most=7)

    return run(f"import zlib, {module}") - run("import zlib")


def _library(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(CANDIDATES[name])
    except ImportError:
        return None


if __name__ == "__main__":
    found = measure()
    for kind, by_way in found["inflating"].items():
        for way, row in by_way.items():
            plain = by_way["zlib"]["detect_ms"]
            print(
                f"{kind:32} {way:8} inflate {row['inflate_ms']:7.2f} ms   detect {row['detect_ms']:8.2f} ms   "
                f"{row['detect_ms'] / plain:.2f} of zlib's"
            )
    for way, milliseconds in found["import_ms"].items():
        print(f"importing {way}: {milliseconds:.1f} ms")
