"""Whether CloudWatch Logs still has room for Tocsin's subscriptions: two for each log group, one for the account.

A deploy onto a log group whose two are taken fails half-way and rolls back. Asked beforehand it is one line.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tocsin.core.inert_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_logs import CloudWatchLogsClient

MOST_FILTERS = 2
"""Subscription filters of one log group; CloudWatch Logs quotas, not adjustable."""

OWN_PREFIX = "/tocsin/"
ACCOUNT_POLICY: Final = "SUBSCRIPTION_FILTER_POLICY"


@dataclass(frozen=True, slots=True)
class Slots:
    """The subscriptions of one log group, or of the account.

    Attributes:
        where: The log group's name; empty for the account-level policy.
        exists: Whether the log group is there.
        taken: Names of the filters or policies that are there, Tocsin's own left out.
        own: Whether Tocsin's own is there already: a deploy changes it and needs no further room.
    """

    where: str
    exists: bool = True
    taken: tuple[str, ...] = ()
    own: bool = False

    @property
    def problem(self) -> str:
        """What keeps a deploy from subscribing, and what to do; empty where nothing does."""
        taken = ", ".join(map(one_line, self.taken))
        if not self.where:
            return (
                f"the account has its one account-level subscription policy in this Region already ({taken}): subscribe "
                "log groups by LogGroupNames"
                if self.taken and not self.own
                else ""
            )
        if self.where.startswith(OWN_PREFIX):
            return f"{self.where}: is Tocsin's own, and would feed it its own words for ever"
        if not self.exists:
            return f"{self.where}: there is no such log group in this Region; CloudFormation cannot subscribe to it"
        if len(self.taken) >= MOST_FILTERS and not self.own:
            return (
                f"{self.where}: both subscription filters are taken ({taken}); leave it out of LogGroupNames and use "
                "AccountSubscription, or a Kinesis stream that the others read too (KinesisStreamArn)"
            )
        return ""


def slots_of_log_groups(logs: CloudWatchLogsClient, log_groups: Iterable[str], stack: str) -> list[Slots]:
    """Look at the subscription filters of log groups, in their order; reads only.

    Args:
        logs: A client of CloudWatch Logs in the Region of the stack.
        log_groups: What ``LogGroupNames`` will be.
        stack: The stack's name: the filter ``<stack>-detect`` is its own.
    """
    found = []
    for log_group in log_groups:
        try:
            pages = logs.get_paginator("describe_subscription_filters").paginate(logGroupName=log_group)
            names = [each.get("filterName", "") for page in pages for each in page["subscriptionFilters"]]
        except logs.exceptions.ResourceNotFoundException:
            found.append(Slots(log_group, exists=False))
            continue
        own = f"{stack}-detect"
        found.append(Slots(log_group, taken=tuple(name for name in names if name != own), own=own in names))
    return found


def slot_of_account(logs: CloudWatchLogsClient, stack: str) -> Slots:
    """Look at the account-level subscription policy of the Region; reads only."""
    policies = logs.describe_account_policies(policyType=ACCOUNT_POLICY)["accountPolicies"]
    names = [each.get("policyName", "") for each in policies]
    own = f"{stack}-detect"
    return Slots("", taken=tuple(name for name in names if name != own), own=own in names)


def problems_of_deploy(logs: CloudWatchLogsClient, parameters: Mapping[str, str], stack: str) -> list[str]:
    """What keeps a deploy with these parameters from subscribing; reads only.

    Args:
        logs: A client of CloudWatch Logs in the Region of the stack.
        parameters: The template's parameters as they will be; of those that are missing nothing is asked.
        stack: The stack's name.
    """
    if parameters.get("AccountSubscription") == "yes":
        return [problem for problem in [slot_of_account(logs, stack).problem] if problem]
    names = [name.strip() for name in parameters.get("LogGroupNames", "").split(",")]
    return [each.problem for each in slots_of_log_groups(logs, filter(None, names), stack) if each.problem]


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("log_groups", nargs="*", metavar="LOG_GROUP", help="what LogGroupNames will be")
    parser.add_argument("--account", action="store_true", help="look at the account-level policy as well")
    parser.add_argument("--stack", default="tocsin", help="the stack's name (default: tocsin)")
    parser.add_argument("--region", help="the stack's Region (default: the environment's)")
    parser.add_argument("--json", action="store_true", help="print JSON: where, exists, taken, own, problem")


def run(arguments: argparse.Namespace) -> int:
    """Look; 1 where a deploy would fail, 2 where AWS cannot be asked."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        logs = boto3.client("logs", region_name=arguments.region)
        found = slots_of_log_groups(logs, arguments.log_groups, arguments.stack)
        if arguments.account:
            found.append(slot_of_account(logs, arguments.stack))
    except (BotoCoreError, ClientError) as error:
        print(f"tocsin subscription-slots: {one_line(str(error))}", file=sys.stderr)
        return 2
    if arguments.json:
        rows = [
            {
                "where": each.where,
                "exists": each.exists,
                "taken": each.taken,
                "own": each.own,
                "problem": each.problem,
            }
            for each in found
        ]
        print(json.dumps(rows, indent=2))
    else:
        for each in found:
            print(each.problem or f"{each.where or 'the account'}: {_room(each)}")
    return int(any(each.problem for each in found))


def _room(slots: Slots) -> str:
    if slots.own:
        return "subscribed already"
    return f"room ({', '.join(map(one_line, slots.taken)) or 'nobody'} there)"
