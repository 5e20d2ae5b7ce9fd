"""Tocsin's own metrics, in CloudWatch's embedded metric format: printed to the log, no API call.

Each line is the one that ``single_metric`` of Powertools for AWS prints.

Imported only when there is something to count. The dimensions are few on purpose: CloudWatch bills each
combination as a metric of its own, in the hours in which it is emitted. Besides the stack, which keeps two of them in
one account apart, there are the signatures that ship, the reasons of notifications and the ways to be quiet: none of
them grows with what is watched, or with what a log line says.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping

NAMESPACE = "Tocsin"
SERVICE = "tocsin"
"""The dimension ``service``, by which Powertools' metrics are told apart from those of one's other programs."""


def count_occurrences(occurrences: Mapping[str, int], stack: str) -> None:
    """Count occurrences by signature."""
    for signature, count in occurrences.items():
        _print("Occurrences", count, stack, signature=signature)


def count_notifications(sent: Mapping[str, list[str]], stack: str) -> None:
    """Count notifications handed to SNS, by reason."""
    for reasons in sent.values():
        for reason in reasons:
            _print("Notifications", 1, stack, reason=reason)


def count_redactions(redactions: int, stack: str) -> None:
    """Count what was hidden in samples and fields before they were stored."""
    _print("Redactions", redactions, stack)


def count_suppressed(quiet: Mapping[str, int], stack: str) -> None:
    """Count alerts that fire and are not told of by themselves, by why."""
    for why, count in quiet.items():
        _print("Suppressed", count, stack, why=why)


def gauge_open_incidents(incidents: int, stack: str) -> None:
    """Say how many incidents are open. Of none, too: it is said when the last one is over."""
    _print("IncidentsOpen", incidents, stack, also_none=True)


def count_latencies(latencies: Iterable[int], stack: str) -> None:
    """Count how long each piece of news took, in milliseconds from its newest log line to Slack's answer."""
    for took in latencies:
        _print("Latency", took, stack, unit="Milliseconds", also_none=True)


def time_lines(newest: int, oldest: int, stack: str) -> None:
    """Say how old the lines of a batch with something in it were when ``detect`` began with them.

    That part of ``Latency`` is not Tocsin's: the program's logging, CloudWatch Logs, its subscription and Lambda's start.

    Args:
        newest: Milliseconds since the newest line's own time.
        oldest: Milliseconds since the oldest line's own time; CloudWatch Logs hands lines over in batches.
        stack: The stack's name.
    """
    for name, age in (("NewestLineAge", newest), ("OldestLineAge", oldest)):
        _print(name, age, stack, unit="Milliseconds", also_none=True)


def count_heartbeat(took: int, stack: str) -> None:
    """Count one heartbeat that came to its end.

    One metric for both questions, since each costs the same: its number of samples says whether it beats, its value
    how long the way took.

    Args:
        took: Milliseconds from the line written to its arrival.
        stack: The stack's name; two of them in one account must not hear each other's.
    """
    _print("Heartbeat", took, stack, unit="Milliseconds", also_none=True)


def count_refusal(stack: str) -> None:
    """Count a request that was not taken for Slack's; what it said is in no dimension."""
    _print("SlackRefused", 1, stack)


def count_action(kind: str, stack: str) -> None:
    """Count something that a person did from Slack, by kind."""
    _print("Actions", 1, stack, kind=kind)


def time_action(name: str, took: int, stack: str) -> None:
    """Say how long it took until somebody had an incident (``TimeToAcknowledge``) or ended it (``TimeToResolve``)."""
    _print(name, max(0, took), stack, unit="Milliseconds", also_none=True)


def _print(
    name: str,
    value: int,
    stack: str,
    *,
    unit: str = "Count",
    also_none: bool = False,
    **dimensions: str,
) -> None:
    """Print one metric; a count of nothing only where nothing is news."""
    if not value and not also_none:
        return
    dimensions = {"stack": stack, **dimensions, "service": SERVICE}
    described = {
        "Namespace": NAMESPACE,
        "Dimensions": [[*dimensions]],
        "Metrics": [{"Name": name, "Unit": unit}],
    }
    document = {
        "_aws": {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [described]},
        **dimensions,
        name: [float(value)],
    }
    sys.stdout.write(json.dumps(document, separators=(",", ":")) + "\n")
