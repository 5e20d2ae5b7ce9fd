"""``make bench``: the figures that are promised, as ratios and counts of one run on this machine.

Absolute times are printed for orientation only; machines differ, and a noisy neighbour moves them. What is
judged is a ratio of two things measured in turn in the same run.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import aws_calls, cold_start, latency, matching

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
    Figure("300 signatures ÷ 30", "three_hundred_over_thirty", 1.25, 1.1),
    Figure("cold start to first answer ÷ import boto3", "cold_start_over_import_boto3", 1.0, 0.5),
    Figure("AWS calls, batch without a match", "calls_no_match", 0, 0, ""),
    Figure("AWS calls, batch that adds to one known alert", "calls_known_alert", 1, 1, ""),
    Figure("AWS calls per alert and batch in a storm", "calls_per_batch_in_a_storm", 1, 1, ""),
    Figure("log line → local Slack, p50", "log_line_to_slack_p50_ms", 250, 100, " ms"),
    Figure("log line → local Slack, p99", "log_line_to_slack_p99_ms", 1000, 1000, " ms"),
)


def main() -> int:
    """Measure everything, print the table, write the results; 1 if a promise is missed."""
    measured: dict[str, float] = {}
    for name, module in (
        ("matching", matching),
        ("cold start", cold_start),
        ("AWS calls", aws_calls),
        ("latency", latency),
    ):
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        measured |= module.measure()
    table = Table(
        "figure", "measured", "promised", "aim", "", title="Tocsin benchmarks", title_justify="left"
    )
    for figure in FIGURES:
        value = measured[figure.key]
        sign = "≥ " if figure.at_least else "≤ "
        table.add_row(
            figure.what,
            f"{value:.2f}{figure.unit}",
            f"{sign}{figure.reach:g}{figure.unit}",
            f"{sign}{figure.aim:g}{figure.unit}",
            figure.verdict(value),
        )
    Console().print(table)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    RESULTS.write_text(json.dumps({"machine": machine, "measured": measured}, indent=2) + "\n", "utf-8")
    print(f"written: {RESULTS}")
    return int(any(figure.verdict(measured[figure.key]) == "MISSED" for figure in FIGURES))


if __name__ == "__main__":
    sys.exit(main())
