"""What was logged to a CloudWatch log group within a period, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tocsin.core.model import Millis
from tocsin.core.times import parse_duration
from tocsin_cli.simulation import LoggedLine
from tocsin_cli.stack.target import region_or_environment
from tocsin_cli.timestamps import parse_time

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient


def logs_client(region: str | None) -> CloudWatchLogsClient:
    """A client that waits where CloudWatch throttles (FilterLogEvents allows few calls a second)."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "logs",
        region_name=region_or_environment(region),
        config=Config(retries={"mode": "adaptive", "max_attempts": 12}),
    )


def read_log_group(
    client: CloudWatchLogsClient,
    log_group: str,
    since: Millis,
    until: Millis,
    on_page: Callable[[Millis, int], None] = lambda _at, _events: None,
) -> Iterator[LoggedLine]:
    """Read a log group's events.

    Args:
        client: A client of CloudWatch Logs.
        log_group: Its name.
        since: The first time.
        until: The time after the last.
        on_page: Called after each page with the latest time seen and the page's number of events; a page may be
            empty, that does not mean that it is the last.

    Raises:
        botocore.exceptions.ClientError: CloudWatch refuses.
    """
    latest = since
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=log_group, startTime=since, endTime=until
    )
    for page in pages:
        events = page.get("events", [])
        for event in events:
            at = event.get("timestamp", latest)
            latest = max(latest, at)
            yield LoggedLine(at, event.get("message", ""), log_group, event.get("logStreamName", ""))
        on_page(latest, len(events))


def time_of(text: str, now: Millis) -> Millis:
    """Read ``--since`` and ``--until``: a duration before now (``7d``), or a time (ISO 8601).

    Raises:
        ValueError: It is neither.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        at = parse_time(text)
    if at is None:
        raise ValueError(f"{text!r} is neither a duration, such as 7d, nor a time, such as 2026-02-02T00:00Z")
    return at
