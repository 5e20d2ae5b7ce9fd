"""What Tocsin costs in a month, and what would be paid for the same with other means: prices, assumptions, arithmetic.

Pure: amounts in, US dollars out. ``python -m tools.performance_page`` writes ``docs/cost.md`` with it. Not in it: taxes,
the free tier, discounts, and what CloudWatch Logs takes for the logs themselves, which is paid with and without Tocsin.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import log
from typing import NamedTuple

from tocsin_cli.product import product_root

TEMPLATE = product_root() / "template.yaml"
HOURS, DAYS = 730, 30.4


class Price(NamedTuple):
    """A price in US dollars.

    Attributes:
        usd: For one unit.
        unit: Of what.
        source: Where it was read, or that it was not.
    """

    usd: float
    unit: str
    source: str


LIST = "list price of us-east-1, November 2026 (cost-line-by-line.md)"
RECALLED = "as known to the authors; not found in a source at hand"
PRICES: Mapping[str, Price] = {
    "lambda_requests": Price(0.20e-6, "request", LIST),
    "lambda_gb_s": Price(0.0000133334, "GB-second, arm64", LIST),
    "dynamodb_write": Price(0.625e-6, "write unit, on demand", LIST),
    "dynamodb_read": Price(0.125e-6, "read unit, on demand", LIST),
    "alarm": Price(0.10, "alarm and month", LIST),
    "metric": Price(0.30, "custom metric and month", LIST),
    "logs_gb": Price(0.50, "GB of log taken in", LIST),
    "sqs": Price(0.40e-6, "request", LIST),
    "secret": Price(0.40, "secret and month", LIST),
    "secret_read": Price(0.05e-4, "read of a secret", LIST),
    "sns": Price(0.50e-6, "request", LIST),
    "kms": Price(0.03e-4, "request to a key of KMS", LIST),
    "shard_hour": Price(0.015, "shard and hour", "kindatechnical.com, AWS Kinesis lesson 29"),
    "put_unit": Price(0.014e-6, "PUT unit of 25 KB", RECALLED),
    "insights_gb": Price(
        0.005, "GB that a query reads", "an Infracost report, infracost-idem-support pull request 2"
    ),
    "datadog_gb": Price(0.10, "GB taken in", "michaelscodingspot.com/datadog-logs-pricing"),
    "datadog_events": Price(
        1.70e-6, "event indexed, yearly plan", "michaelscodingspot.com/datadog-logs-pricing"
    ),
    "new_relic_gb": Price(
        0.25, "GB above 100 a month, without users", "New Relic documentation of 2020 to 2022"
    ),
}


@dataclass(frozen=True, slots=True)
class Load:
    """How much is logged, and how it arrives.

    Attributes:
        name: In words.
        gb_a_day: Log, as CloudWatch bills it.
        kb_a_batch: Log in one delivery, before gzip.
        matching: The share of batches in which something matches.
        incidents: In a month.
        shards: Of the stack's own stream; 0 where log groups invoke the function.
        log_groups: Watched.
        passes: The share of the log that the filter pattern lets through; 1 without one.
        memory_mb: Of ``detect``.
    """

    name: str
    gb_a_day: float
    kb_a_batch: float
    matching: float = 0.001
    incidents: int = 20
    shards: int = 0
    log_groups: int = 2
    passes: float = 1.0
    memory_mb: int = 1024


LOADS = (
    Load("200 documents a month", gb_a_day=0.002, kb_a_batch=3),
    Load("50 GB a day", gb_a_day=50, kb_a_batch=100, incidents=100, log_groups=20),
    Load(
        "5 TB a day through Kinesis",
        gb_a_day=5_000,
        kb_a_batch=250,
        incidents=1_000,
        log_groups=200,
        shards=13,
    ),
)
STREAM_FROM_GB = 1_000
"""Gigabytes a day above which a stream of the stack's own is cheaper than invocations."""
PASSES = 0.17
"""The share of a log that the filter pattern lets through, as measured in docs/filter-pattern.md."""


def between_sizes(gb_a_day: float, amount: Callable[[Load], float]) -> float:
    """What an amount is for so much log: interpolated between the sizes above, both by their logarithm.

    Args:
        gb_a_day: Log in gigabytes a day; outside the sizes the nearest counts.
        amount: The amount of a size.
    """
    gb = min(max(gb_a_day, LOADS[0].gb_a_day), LOADS[-1].gb_a_day)
    below = max((load for load in LOADS if load.gb_a_day <= gb), key=lambda load: load.gb_a_day)
    above = min((load for load in LOADS if load.gb_a_day >= gb), key=lambda load: load.gb_a_day)
    way = 0.0 if above is below else log(gb / below.gb_a_day) / log(above.gb_a_day / below.gb_a_day)
    return float(amount(below) ** (1 - way) * amount(above) ** way)


@dataclass(frozen=True, slots=True)
class Machine:
    """What was measured, and is taken for a Lambda's processor.

    Attributes:
        mb_per_s: Log that one processor looks through where nothing matches.
        fixed_ms: What an invocation takes beside that.
        match_ms: What a batch with a match takes beside that: reading it, and one write.
        gzip_ratio: Log over what is delivered.
    """

    mb_per_s: float = 280
    fixed_ms: float = 1.5
    match_ms: float = 60
    gzip_ratio: float = 9


ONE_PROCESSOR_MB = 1769
WRITE_UNITS_A_COUNT = 5
UNITS_A_RECORD = 2
"""Of what is known of an unknown error: 1 to 3 KB, by the length of its example."""
OWN_LOG_KB = 0.5
WRITES_AN_INCIDENT, REQUESTS_AN_INCIDENT, NOTIFICATIONS_AN_INCIDENT = 40, 12, 4
RECORDS_A_READ = 100
HEARTBEATS = HOURS * 60 / 5
KMS_REQUESTS_A_HEARTBEAT = 4
"""Assumed: SNS and DynamoDB keep a data key for five minutes, which is also how often a heartbeat asks for one."""
PUT_UNIT_KB, EVENT_BYTES, FREE_NEW_RELIC_GB = 25, 250, 100


def alarms_of_the_stack(template: str | None = None) -> int:
    """Alarms about Tocsin itself that every stack has."""
    text = TEMPLATE.read_text("utf-8") if template is None else template
    resources = re.split(r"(?m)^  (?=[\w:]+:$)", text.partition("\nResources:\n")[2])
    return sum(
        "\n    Type: AWS::CloudWatch::Alarm\n" in each and "Condition:" not in each.split("Properties:")[0]
        for each in resources
    )


def tocsin(load: Load, machine: Machine = Machine()) -> dict[str, float]:
    """US dollars a month by item."""
    price = {name: each.usd for name, each in PRICES.items()}
    gb = load.gb_a_day * DAYS * load.passes
    batches = gb * 1e6 / load.kb_a_batch
    reads = batches
    if load.shards:
        # A shard is read at least once a second when it has something, and up to 100 records at a time.
        reads = max(batches / RECORDS_A_READ, min(batches, load.shards * HOURS * 3600))
    processor = min(1.0, load.memory_mb / ONE_PROCESSOR_MB)
    seconds = gb * 1e3 / (machine.mb_per_s * processor) + reads * machine.fixed_ms / 1e3
    seconds += batches * load.matching * machine.match_ms / 1e3 / processor
    items = {
        # The heartbeat's, one charged for each log group's deliveries, and two for each of two dead-letter queues.
        "alarms": (alarms_of_the_stack() + 1 + load.log_groups + 2 * 2) * price["alarm"],
        "the Slack secret": price["secret"],
        "polling the queue": 657_000 * price["sqs"],
        "reconcile": 43_800
        * (
            price["lambda_requests"]
            + 0.05 * 0.5 * price["lambda_gb_s"]
            + 0.5e-6 * price["logs_gb"]
            + price["dynamodb_read"] / 2
        ),
        "the heartbeat's metric": price["metric"],
        "the heartbeat's way": HEARTBEATS
        * (
            2 * price["lambda_requests"]
            + (0.1 * 1.0 + 0.05 * 0.5) * price["lambda_gb_s"]
            + 2 * price["dynamodb_write"]
            + 1e-6 * price["logs_gb"]
            + price["secret_read"]
            + price["sns"]
            + 3 * price["sqs"]
        ),
        "KMS requests": HEARTBEATS * KMS_REQUESTS_A_HEARTBEAT * price["kms"],
        "detect: requests": reads * price["lambda_requests"],
        "detect: processor": seconds * load.memory_mb / 1024 * price["lambda_gb_s"],
        "detect: its own log": reads * OWN_LOG_KB / 1e6 * price["logs_gb"],
        "counting": batches * load.matching * WRITE_UNITS_A_COUNT * price["dynamodb_write"],
        "incidents": load.incidents
        * (
            WRITES_AN_INCIDENT * price["dynamodb_write"]
            + REQUESTS_AN_INCIDENT * price["sqs"]
            + NOTIFICATIONS_AN_INCIDENT * price["lambda_requests"]
        ),
    }
    if load.shards:
        packed_kb = load.kb_a_batch / machine.gzip_ratio
        units = batches * -(-packed_kb // PUT_UNIT_KB)
        items["stream: shards"] = shards_for(load, machine) * HOURS * price["shard_hour"]
        items["stream: puts"] = units * price["put_unit"]
    return items


def unknown_errors(errors: int, an_hour: float) -> tuple[float, float]:
    """Writes a month for known and steady unknown errors, and US dollars.

    Of each a copy of ``detect`` writes once a minute at most; what is seen from minute to minute is given to the digest
    in place of such a write, and what is not, beside one.

    Args:
        errors: How many.
        an_hour: How often each is seen.
    """
    digest = HOURS * min(an_hour, 1)
    records = HOURS * min(an_hour, 60) - (digest if an_hour >= 60 else 0)
    units = records * UNITS_A_RECORD + digest * WRITE_UNITS_A_COUNT
    return errors * (records + digest), errors * units * PRICES["dynamodb_write"].usd


def shards_for(load: Load, machine: Machine = Machine()) -> int:
    """Shards that a load needs at 1 MB a second each, half of it kept free for peaks; at least one."""
    mb_a_second = load.gb_a_day * load.passes * 1e3 / 86_400 / machine.gzip_ratio
    return max(1, round(mb_a_second * 2 + 0.499))


def with_filter(load: Load, passes: float = PASSES) -> Load:
    """The same load behind a filter pattern: less log, and all that matches is in it."""
    return replace(
        load,
        name=f"{load.name}, with FilterPattern",
        passes=passes,
        matching=min(1.0, load.matching / passes),
    )


def instead(load: Load, signatures: int) -> dict[str, float]:
    """US dollars a month of what people would use for the same log.

    Args:
        load: How much is logged.
        signatures: How many failures are to be distinguished.
    """
    price = {name: each.usd for name, each in PRICES.items()}
    gb = load.gb_a_day * DAYS
    return {
        "metric filters and alarms": signatures * (price["metric"] + price["alarm"]),
        "Log Alarms, one query for all": gb * price["insights_gb"] + price["alarm"],
        "Log Alarms, one for each failure": signatures * (gb * price["insights_gb"] + price["alarm"]),
        "New Relic, log taken in": max(0.0, gb - FREE_NEW_RELIC_GB) * price["new_relic_gb"],
        "Datadog, log taken in, not indexed": gb * price["datadog_gb"],
        "Datadog, all of it indexed": gb
        * (price["datadog_gb"] + 1e9 / EVENT_BYTES * price["datadog_events"]),
    }
