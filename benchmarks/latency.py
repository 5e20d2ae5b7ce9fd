"""From a log line to the local Slack, warm, through the whole deployed stack."""

from __future__ import annotations

import statistics
import threading
import time

from cli.cloud import Watched
from cli.local import LocalTocsin

SAMPLES = 100
WARM_UP = 10
FAULT = "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"


def measure() -> dict[str, float]:
    """Milliseconds from just before PutLogEvents to the message in Slack; each line opens an incident of its own."""
    groups = {f"service{i}": f"/aws/lambda/service{i}" for i in range(SAMPLES + WARM_UP)}
    arrived, seen = threading.Event(), []

    def note(_message: object) -> None:
        seen.append(time.perf_counter())
        arrived.set()

    with LocalTocsin(watched=Watched(log_groups=groups, dlqs={}), on_message=note) as local:
        logs = local.deployment.client("logs")
        taken = []
        for group in groups.values():
            logs.create_log_stream(logGroupName=group, logStreamName="s")
            arrived.clear()
            started = time.perf_counter()
            logs.put_log_events(
                logGroupName=group,
                logStreamName="s",
                logEvents=[{"timestamp": time.time_ns() // 1_000_000, "message": FAULT}],
            )
            if not arrived.wait(30):
                raise RuntimeError(f"no message for {group} within 30 s")
            taken.append((seen[-1] - started) * 1000)
    warm = sorted(taken[WARM_UP:])
    return {
        "log_line_to_slack_p50_ms": statistics.median(warm),
        "log_line_to_slack_p99_ms": warm[round(len(warm) * 0.99) - 1],
    }
