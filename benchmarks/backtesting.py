"""How long `tocsin backtest` takes for a million lines, and how much memory: JSON lines and text, one line in 1,000 a failure.

Each figure is of a process of its own, from its first import to the last line of its report.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.batches import faulty_lines
from benchmarks.stopwatch import in_own_process
from benchmarks.throughput import peak_of_memory

LINES = 1_000_000
BEGIN = 1_795_000_000_000
APART = 86
"""Milliseconds between two lines: a million of them are a day."""


def measure() -> dict[str, Any]:
    """Seconds and MB by the kind of file."""
    rows = {}
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        for kind in ("JSON lines", "text"):
            path = Path(folder) / f"{kind.split()[0]}.log"
            _write(path, kind)
            started = time.perf_counter()
            figures = in_own_process("benchmarks.backtesting", str(path))
            rows[kind] = {"seconds": time.perf_counter() - started, **figures}
            path.unlink()
    return {"backtest": rows, "backtest_of_a_million_s": rows["JSON lines"]["seconds"]}


def _write(path: Path, kind: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number, line in enumerate(faulty_lines(LINES, 1_000)):
            at = BEGIN + number * APART
            if kind == "text":
                stamp = datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds")
                file.write(f"{stamp} {line}\n")
            else:
                document = {"timestamp": at, "message": line, "logGroup": "/aws/lambda/backend"}
                file.write(json.dumps(document) + "\n")


def one(path: str) -> dict[str, float]:
    """One backtest, in this process."""
    from tocsin_cli.main import main

    report = io.StringIO()
    with contextlib.redirect_stdout(report):
        status = main(["backtest", path, "--json"])
    found = json.loads(report.getvalue())
    if status or found["lines"] != LINES or found["occurrences"] < LINES // 1_000:
        raise RuntimeError(f"the backtest answered {status}, of {found['lines']} lines")
    return {"peak_mb": peak_of_memory()}


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1])))
