"""Cold start: a fresh interpreter to the first answer on a batch without a match, and what `import boto3` costs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.batches import ordinary_batch

ROOT = Path(__file__).resolve().parent.parent
RUNS = 9

FIRST_ANSWER = """
import json, sys
import detect
answer = detect.handler(json.loads(sys.stdin.read()), None)
assert answer["occurrences"] == {}, answer
assert "boto3" not in sys.modules and "requests" not in sys.modules
"""


def measure() -> dict[str, float]:
    """Median milliseconds over a bare interpreter, the three taken in turn so that drift hits all alike."""
    event = json.dumps(ordinary_batch(100))
    programs = {
        "bare": "import sys; sys.stdin.read()",
        "boto3": "import sys; sys.stdin.read(); import boto3",
        "detect": FIRST_ANSWER,
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for run in range(RUNS + 1):
        for name, program in programs.items():
            taken = _time(program, event)
            if run:  # the first round warms the page cache and writes byte code
                times[name].append(taken)
    median = {name: statistics.median(taken) for name, taken in times.items()}
    detect, boto3 = median["detect"] - median["bare"], median["boto3"] - median["bare"]
    return {"cold_start_ms": detect, "import_boto3_ms": boto3, "cold_start_over_import_boto3": detect / boto3}


def _time(program: str, event: str) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "functions"), "AWS_REGION": "us-east-1"}
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program],
        input=event,
        text=True,
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return (time.perf_counter() - started) * 1000
