"""Which log groups have room for another subscription filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tocsin.core.sanitize import one_line
from tocsin_cli.stack.parameters import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mypy_boto3_logs import CloudWatchLogsClient


MAX_FILTERS = 2
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
        log_class: The log group's class; empty where it is not known.
    """

    where: str
    exists: bool = True
    taken: tuple[str, ...] = ()
    own: bool = False
    log_class: str = ""

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
        if self.log_class not in {"", "STANDARD"}:
            return (
                f"{self.where}: is of the class {self.log_class}, which takes no subscription; a log group keeps its class, so "
                "leave it out of LogGroupNames, or let what writes to it write to a log group of the class STANDARD"
            )
        if len(self.taken) >= MAX_FILTERS and not self.own:
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
        taken = tuple(name for name in names if name != own)
        found.append(Slots(log_group, taken=taken, own=own in names, log_class=_class_of(logs, log_group)))
    return found


def _class_of(logs: CloudWatchLogsClient, log_group: str) -> str:
    """A log group's class; empty where AWS does not say."""
    groups = logs.describe_log_groups(logGroupNamePrefix=log_group)["logGroups"]
    return next(
        (each.get("logGroupClass", "") for each in groups if each.get("logGroupName") == log_group), ""
    )


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
    names = listed(parameters.get("LogGroupNames", ""))
    return [each.problem for each in slots_of_log_groups(logs, names, stack) if each.problem]
