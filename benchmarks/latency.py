"""From a log line to the local Slack, through the whole deployed stack: cold, warm one by one, and a hundred at once."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.batches import FAULT
from tocsin_cli.local_aws.cloud import Watched
from tocsin_cli.local_aws.local_tocsin import LocalTocsin

SAMPLES = 100
WARM_UP = 10
AT_ONCE = 100


class Arrivals:
    """Messages in the local Slack, as they arrive."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._changed = threading.Condition()

    def note(self, _message: object) -> None:
        """A message arrived."""
        with self._changed:
            self._times.append(time.perf_counter())
            self._changed.notify_all()

    def wait(self, count: int, seconds: float) -> list[float]:
        """The times of the next so many messages; forgets them."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._times) >= count, seconds):
                raise RuntimeError(f"{len(self._times)} of {count} messages within {seconds} s")
            taken, self._times = self._times[:count], self._times[count:]
            return taken


def measure() -> dict[str, float]:
    """Milliseconds from just before PutLogEvents to the message in Slack; each line opens an incident of its own."""
    count = SAMPLES + WARM_UP + AT_ONCE
    # Short names: a parameter of a stack has 4,096 characters.
    groups = {f"s{i}": f"/s/{i}" for i in range(count)}
    arrivals = Arrivals()
    with LocalTocsin(watched=Watched(log_groups=groups, dlqs={}), on_message=arrivals.note) as local:
        logs = local.deployment.client("logs")
        names = list(groups.values())
        for name in names:
            logs.create_log_stream(logGroupName=name, logStreamName="s")
        taken = []
        for name in names[: SAMPLES + WARM_UP]:
            started = time.perf_counter()
            put(logs, name)
            taken += [(arrived - started) * 1000 for arrived in arrivals.wait(1, 30)]
        started = time.perf_counter()
        for name in names[SAMPLES + WARM_UP :]:
            put(logs, name)
        burst = sorted((arrived - started) * 1000 for arrived in arrivals.wait(AT_ONCE, 180))
    warm = sorted(taken[WARM_UP:])
    return {
        "log_line_to_slack_cold_ms": taken[0],
        "log_line_to_slack_p50_ms": statistics.median(warm),
        "log_line_to_slack_p95_ms": percentile(warm, 0.95),
        "log_line_to_slack_p99_ms": percentile(warm, 0.99),
        "hundred_incidents_at_once_p50_ms": statistics.median(burst),
        "hundred_incidents_at_once_p95_ms": percentile(burst, 0.95),
        "hundred_incidents_at_once_p99_ms": percentile(burst, 0.99),
        "hundred_incidents_at_once_last_ms": burst[-1],
    }


def put(logs: Any, name: str) -> None:
    logs.put_log_events(
        logGroupName=name,
        logStreamName="s",
        logEvents=[{"timestamp": time.time_ns() // 1_000_000, "message": FAULT}],
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[round(len(ordered) * share) - 1]
