"""Whether CloudWatch Logs still has room for Tocsin's subscriptions: two for each log group, one for the account.

A deploy onto a log group whose two are taken fails half-way and rolls back. Asked beforehand it is one line.
"""

from __future__ import annotations

import argparse
import json

from tocsin.core.sanitize import one_line
from tocsin_cli.aws_errors import aws_refusals
from tocsin_cli.stack.subscription_slots import Slots, slot_of_account, slots_of_log_groups
from tocsin_cli.stack.target import region_or_environment


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

    with aws_refusals():
        logs = boto3.client("logs", region_name=region_or_environment(arguments.region))
        found = slots_of_log_groups(logs, arguments.log_groups, arguments.stack)
        if arguments.account:
            found.append(slot_of_account(logs, arguments.stack))
    if arguments.json:
        rows = [
            {key: getattr(each, key) for key in ("where", "exists", "taken", "own", "problem")}
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
