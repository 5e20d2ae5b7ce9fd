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
