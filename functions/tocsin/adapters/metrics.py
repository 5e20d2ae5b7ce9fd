"""Tocsin's own metrics, in CloudWatch's embedded metric format: printed to the log, no API call.

Imported only when there is something to count. The dimensions are few on purpose: CloudWatch bills each
combination as a metric of its own, in the months in which it is emitted.
"""

from __future__ import annotations

from collections.abc import Mapping

from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "Tocsin"


def count_occurrences(occurrences: Mapping[str, int]) -> None:
    """Count occurrences by signature."""
    for signature, count in occurrences.items():
        if count:
            with single_metric(
                name="Occurrences", unit=MetricUnit.Count, value=count, namespace=NAMESPACE
            ) as metric:
                metric.add_dimension(name="signature", value=signature)


def count_notifications(sent: Mapping[str, list[str]]) -> None:
    """Count notifications handed to SNS, by reason."""
    for reasons in sent.values():
        for reason in reasons:
            with single_metric(
                name="Notifications", unit=MetricUnit.Count, value=1, namespace=NAMESPACE
            ) as metric:
                metric.add_dimension(name="reason", value=reason)


def count_heartbeat(took: int, stack: str) -> None:
    """Count one heartbeat that came to its end.

    One metric for both questions, since each costs the same: its number of samples says whether it beats, its value
    how long the way took.

    Args:
        took: Milliseconds from the line written to its arrival.
        stack: The stack's name; two of them in one account must not hear each other's.
    """
    with single_metric(
        name="Heartbeat", unit=MetricUnit.Milliseconds, value=took, namespace=NAMESPACE
    ) as metric:
        metric.add_dimension(name="stack", value=stack)
