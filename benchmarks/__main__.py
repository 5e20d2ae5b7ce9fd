"""``make bench``: the figures that are promised, as ratios and counts of one run on this machine.

Absolute times are printed for orientation only; machines differ, and a noisy neighbour moves them. What is
judged is a ratio of two things measured in turn in the same run.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import (
    aws_calls,
    backtesting,
    cold_start,
    container_cold_start,
    grouping,
    latency,
    matching,
    notifying,
    peers,
    shares,
    suspects,
    throughput,
)
from benchmarks.result_tables import Titled, tables

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Figure:
    """One promised figure.

    Attributes:
        what: In words.
        key: Where it is in the results.
        reach: The promise.
        aim: What would be better still.
        unit: What follows the number.
        at_least: Whether more is better.
    """

    what: str
    key: str
    reach: float
    aim: float
    unit: str = "×"
    at_least: bool = False

    def verdict(self, value: float) -> str:
        """How the measured value stands to promise and aim."""
        for bound, words in ((self.aim, "aim reached"), (self.reach, "reached")):
            if value >= bound if self.at_least else value <= bound:
                return words
        return "MISSED"


FIGURES = (
    Figure("warm detect, no match ÷ standard-library decode", "no_match_over_decode", 1.35, 1.0),
    Figure(
        "one re.search per event and signature ÷ ours",
        "re_search_per_signature_over_ours",
        8,
        15,
        at_least=True,
    ),
    Figure(
        "ordinary logs with suspicious words ÷ standard-library decode", "ordinary_logs_over_decode", 1.3, 1.0
    ),
    Figure(
        "real logs, lines it had before ÷ standard-library decode (where they are there)",
        "real_logs_over_decode",
        1.3,
        1.0,
    ),
    Figure("one match in 1,000 lines ÷ no match", "one_in_a_thousand_over_nothing", 1.5, 1.2),
    Figure(
        "one known unknown error in 1,000 lines ÷ no match",
        "known_error_in_a_thousand_over_nothing",
        1.5,
        1.2,
    ),
    Figure("one line in ten matches", "one_in_ten_mb_per_s", 120, 200, " MB/s", at_least=True),
    Figure("300 signatures ÷ 30", "three_hundred_over_thirty", 1.25, 1.1),
    Figure("cold start to first answer ÷ import boto3", "cold_start_over_import_boto3", 1.0, 0.5),
    Figure(
        "cold start with a match, without boto3 ÷ import boto3",
        "cold_start_with_a_match_over_import_boto3",
        0.4,
        0.3,
    ),
    Figure("AWS calls, batch without a match", "calls_no_match", 0, 0, ""),
    Figure("AWS calls, batch that adds to one known alert", "calls_known_alert", 1, 1, ""),
    Figure("AWS calls per alert and batch in a storm", "calls_per_batch_in_a_storm", 1, 1, ""),
    Figure(
        "AWS calls a minute for a known error, 1,000 lines a minute",
        "calls_a_minute_of_a_known_error",
        1,
        1,
        "",
    ),
    Figure("log line → local Slack, p50", "log_line_to_slack_p50_ms", 250, 100, " ms"),
    Figure("log line → local Slack, p99", "log_line_to_slack_p99_ms", 1000, 1000, " ms"),
    Figure(
        "a hundred at once → local Slack, the last", "hundred_incidents_at_once_last_ms", 3000, 1500, " ms"
    ),
    Figure("`tocsin backtest` of a million lines", "backtest_of_a_million_s", 4, 4, " s"),
    Figure("a hundred at once → a Slack that takes 250 ms", "hundred_to_a_slow_slack_ms", 3000, 1500, " ms"),
)


def main() -> int:
    """Measure everything, print the tables, write the results; 1 if a promise is missed."""
    measured: dict[str, Any] = {}
    for name, module in (
        ("matching", matching),
        ("what a suspicion costs", suspects),
        ("cold start", cold_start),
        ("AWS calls", aws_calls),
        ("throughput and memory", throughput),
        ("log line to Slack", latency),
        ("a hundred incidents to a slow Slack", notifying),
        ("peers", peers),
        ("shares of matching lines", shares),
        ("a backtest", backtesting),
        ("grouping of templates", grouping),
        ("cold start in the Lambda image", container_cold_start),
    ):
        started = time.monotonic()
        print(f"measuring {name} ...", file=sys.stderr, end="", flush=True)
        measured |= module.measure()
        print(f" {time.monotonic() - started:.0f} s", file=sys.stderr)
    machine = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "date": datetime.now(UTC).date().isoformat(),
        "load": round(os.getloadavg()[2], 1),
    }
    RESULTS.write_text(json.dumps({"machine": machine, "measured": measured}, indent=2) + "\n", "utf-8")
    show(measured)
    print(f"written: {RESULTS}; `make docs` writes it into the documents")
    return int(any(figure.verdict(measured[figure.key]) == "MISSED" for figure in _figures_of(measured)))


def _figures_of(measured: Mapping[str, Any]) -> list[Figure]:
    """Those that could be measured."""
    return [figure for figure in FIGURES if figure.key in measured]


def show(measured: Mapping[str, Any]) -> None:
    """Print what was promised, and what is beside it."""
    console = Console()
    for title, header, rows in (promised(measured), *tables(measured)):
        table = Table(*header, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def promised(measured: Mapping[str, Any]) -> Titled:
    """The figures that are promised."""
    rows = []
    for figure in _figures_of(measured):
        value = measured[figure.key]
        sign = "≥ " if figure.at_least else "≤ "
        bounds = (f"{sign}{bound:g}{figure.unit}" for bound in (figure.reach, figure.aim))
        rows.append([figure.what, f"{value:.2f}{figure.unit}", *bounds, figure.verdict(value)])
    return Titled("Promised", ["figure", "measured", "promised", "aim", ""], rows)


if __name__ == "__main__":
    sys.exit(main())
