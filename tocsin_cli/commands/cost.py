"""What Tocsin would cost in a month: from log groups, queues and gigabytes a day, or as they are looked up in the account.

Computed from list prices of us-east-1; docs/cost.md says what is assumed. Without --gb-per-day it asks CloudWatch how much the
log groups of tocsin.toml (or of --log-group) took in during the last week; it reads only.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tocsin_cli.aws_errors import aws_refusals
from tocsin_cli.cost_model import PRICES, STREAM_FROM_GB, Load, between_sizes, shards_for, tocsin, with_filter
from tocsin_cli.deployment_file import as_text, read_deployment
from tocsin_cli.options import add_root
from tocsin_cli.stack.parameters import listed
from tocsin_cli.stack.target import region_or_environment

DAYS_LOOKED_BACK = 7
_ALARMS_COUNTED_QUEUES = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_root(parser)
    parser.add_argument(
        "--gb-per-day", type=_amount, metavar="GB", help="log taken in, as CloudWatch bills it"
    )
    parser.add_argument("--log-groups", type=int, metavar="N", help="how many log groups are watched")
    parser.add_argument("--queues", type=int, metavar="N", help="how many dead-letter queues have an alarm")
    parser.add_argument(
        "--incidents", type=int, default=100, metavar="N", help="in a month (default: %(default)s)"
    )
    parser.add_argument(
        "--log-group", action="append", default=[], metavar="NAME", help="look this one up; may be repeated"
    )
    parser.add_argument(
        "--region", help="the Region to look in (default: that of tocsin.toml or the environment)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Say it; 2 where nothing is known of the amount."""
    deployment = read_deployment(arguments.root)
    groups = arguments.log_group or listed(as_text(deployment.parameters.get("LogGroupNames", "")))
    queues = listed(as_text(deployment.parameters.get("DeadLetterQueueNames", "")))
    gb = arguments.gb_per_day
    if gb is None:
        if not groups:
            print("tocsin cost: give --gb-per-day, or log groups to look up", file=sys.stderr)
            return 2
        with aws_refusals("{}; give --gb-per-day"):
            gb = looked_up(groups, region_or_environment(arguments.region or deployment.region))
    count = arguments.log_groups if arguments.log_groups is not None else len(groups) or 1
    load = load_of(gb, count, arguments.incidents)
    # The model counts two queues' alarms.
    more = (arguments.queues if arguments.queues is not None else len(queues)) - _ALARMS_COUNTED_QUEUES
    items = tocsin(load)
    items["alarms"] += more * PRICES["alarm"].usd
    filtered = sum(tocsin(with_filter(load)).values()) + more * PRICES["alarm"].usd
    total = sum(items.values())
    if arguments.json:
        answer = {"gb_per_day": gb, "log_groups": count, "usd_per_month": items, "sum": total}
        print(json.dumps(answer | {"sum_with_filter_pattern": filtered}, indent=2))
        return 0
    print(f"{gb:,.3g} GB a day from {count} log groups, US dollars a month (list prices of us-east-1)")
    width = max(map(len, items))
    for name, usd in items.items():
        print(f"  {name:<{width}}  {usd:>9.2f}")
    print(f"  {'sum':<{width}}  {total:>9.2f}")
    print(f"  {'sum, with FilterPattern':<{width}}  {filtered:>9.2f}")
    return 0


def load_of(gb_a_day: float, log_groups: int, incidents: int) -> Load:
    """A load of that size; how large a delivery is lies between those of the sizes in docs/cost.md.

    Args:
        gb_a_day: Log in gigabytes a day.
        log_groups: How many are watched.
        incidents: In a month.
    """
    kb = between_sizes(gb_a_day, lambda load: load.kb_a_batch)
    load = Load("yours", gb_a_day=gb_a_day, kb_a_batch=kb, incidents=incidents, log_groups=log_groups)
    return load if gb_a_day < STREAM_FROM_GB else replace(load, shards=shards_for(load))


def looked_up(groups: Sequence[str], region: str | None) -> float:
    """Gigabytes a day that log groups took in during the last week.

    Args:
        groups: Their names.
        region: Their Region; None for that of the environment.
    """
    import boto3

    cloudwatch: Any = boto3.Session(region_name=region).client("cloudwatch")
    until = datetime.now(UTC)
    total = 0.0
    for group in groups:
        answer = cloudwatch.get_metric_statistics(
            Namespace="AWS/Logs",
            MetricName="IncomingBytes",
            Dimensions=[{"Name": "LogGroupName", "Value": group}],
            StartTime=until - timedelta(days=DAYS_LOOKED_BACK),
            EndTime=until,
            Period=86_400,
            Statistics=["Sum"],
        )
        total += sum(float(each["Sum"]) for each in answer.get("Datapoints", ()))
    return total / DAYS_LOOKED_BACK / 1e9


def _amount(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount; write for example 0.5 or 50")
    return value
