"""Cold start: a fresh interpreter to the first answer on a batch without a match, and what `import boto3` costs."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import re2

from benchmarks.batches import ordinary_batch
from benchmarks.signature_sets import made
from benchmarks.stopwatch import once
from tocsin.core.matching.matcher import Matcher
from tocsin.core.matching.prefilter import RawSearch

ROOT = Path(__file__).resolve().parent.parent
RUNS = 9

FIRST_ANSWER = """
import json, sys
import detect
answer = detect.handler(json.loads(sys.stdin.read()), None)
assert answer["occurrences"] == {}, answer
assert "tocsin.services.detection" not in sys.modules, "the compiled search is stale: run `tocsin check`"
assert "boto3" not in sys.modules and "requests" not in sys.modules
"""

EVERYTHING = """
import json, sys
import detect
detect.detector()
import tocsin.services.reconciliation
detect.handler(json.loads(sys.stdin.read()), None)
"""


def measure() -> dict[str, float]:
    """Median milliseconds over a bare interpreter, all taken in turn so that drift hits all alike."""
    event = json.dumps(ordinary_batch(100))
    signatures, found = made(1000), []
    unsealed = once(lambda: found.append(Matcher(signatures).raw_expression))
    thousand = found[0]
    re2.purge()  # what was measured before may have left it compiled
    programs = {
        "bare": "import sys; sys.stdin.read()",
        "boto3": "import sys; sys.stdin.read(); import boto3",
        "detect": FIRST_ANSWER,
        "everything": EVERYTHING,
    }
    times: dict[str, list[float]] = {name: [] for name in programs}
    for run in range(RUNS + 1):
        for name, program in programs.items():
            taken = _time(program, event)
            if run:  # the first round warms the page cache and writes byte code
                times[name].append(taken)
    median = {name: statistics.median(taken) for name, taken in times.items()}
    detect, boto3 = median["detect"] - median["bare"], median["boto3"] - median["bare"]
    return {
        "cold_start_ms": detect,
        "import_boto3_ms": boto3,
        "cold_start_over_import_boto3": detect / boto3,
        "cold_start_with_a_match_ms": median["everything"] - median["bare"],
        "thousand_signatures_build_ms": once(lambda: RawSearch(thousand)),
        "thousand_signatures_unsealed_ms": unsealed,
        "import_profile": profile(),
    }


def profile() -> list[dict[str, float | str]]:
    """The imports of ``detect`` that take longest by themselves, in milliseconds, from ``-X importtime``."""
    done = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-S",
            "-c",
            f"import sys; sys.path += {sys.path!r}; import detect",
        ],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    rows = [line.removeprefix("import time:").split("|") for line in done.stderr.splitlines()[1:]]
    slowest = sorted(rows, key=lambda row: -int(row[0]))[:12]
    return [{"module": name.strip(), "ms": int(own) / 1000} for own, _, name in slowest]


def _time(program: str, event: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-c", program],
        input=event,
        text=True,
        check=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    return (time.perf_counter() - started) * 1000


def environment() -> dict[str, str]:
    """What the Lambda would have in its environment."""
    # With byte code, as the package has it.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOCSIN_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "PYTHONPATH": str(ROOT / "functions"), "AWS_REGION": "us-east-1"}
