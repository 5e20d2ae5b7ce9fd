"""What an AWS account holds that is worth watching, the most useful first. Reads only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_DEAD = re.compile(r"(?i)(^|[-_.])(dlq|dead[-_]?letters?|failed|failures?|poison)([-_.]|$)")
_OURS = re.compile(r"-(?:NotifyDeadLetterQueue|FailureQueue)-\w+$")
"""Queues of a Tocsin stack, which has alarms of its own on them."""
_KINDS = ("/aws/lambda/", "/ecs/", "/aws/ecs/", "/aws/apigateway/", "/aws/rds/", "/aws/states/")
"""How log groups begin that say most about what users feel; the others come after them."""
MAX_OFFERED = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What is offered, each list in the order of what usually matters.

    Attributes:
        log_groups: Log groups that hold anything, without Tocsin's own.
        dead_letter_queues: Queues that others send their failures to, or that are named so.
        alarm_prefixes: How names of alarms begin, up to the first hyphen; the most frequent first.
        rest_apis: Names of REST APIs.
    """

    log_groups: tuple[str, ...] = ()
    dead_letter_queues: tuple[str, ...] = ()
    alarm_prefixes: tuple[str, ...] = ()
    rest_apis: tuple[str, ...] = ()


def look(client: Callable[[str], Any]) -> Found:
    """Look into the account.

    Args:
        client: Makes a boto3 client of a service.
    """
    groups = [
        group
        for page in client("logs").get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
    ]
    alarms = [
        alarm["AlarmName"]
        for page in client("cloudwatch").get_paginator("describe_alarms").paginate()
        for alarm in page.get("MetricAlarms", ())
    ]
    apis = [
        api["name"]
        for page in client("apigateway").get_paginator("get_rest_apis").paginate()
        for api in page["items"]
    ]
    return Found(
        tuple(ranked_log_groups({each["logGroupName"]: int(each.get("storedBytes", 0)) for each in groups})),
        tuple(_dead_letter_queues(client("sqs"))),
        tuple(prefixes(alarms)),
        tuple(sorted(apis)[:MAX_OFFERED]),
    )


def ranked_log_groups(stored: Mapping[str, int]) -> list[str]:
    """Log groups, those of functions and containers first, within a kind the fullest first.

    Args:
        stored: The bytes that each holds.
    """

    def rank(name: str) -> tuple[int, int, str]:
        kind = next((number for number, start in enumerate(_KINDS) if name.startswith(start)), len(_KINDS))
        return kind, -stored[name], name

    return sorted((name for name in stored if not name.startswith("/tocsin/")), key=rank)[:MAX_OFFERED]


def prefixes(alarms: list[str]) -> list[str]:
    """How alarms' names begin, up to and with the first hyphen, the most frequent first."""
    counts: dict[str, int] = {}
    for name in alarms:
        head, hyphen, _ = name.partition("-")
        if hyphen and head and not name.startswith("tocsin-"):
            counts[head + "-"] = counts.get(head + "-", 0) + 1
    return sorted(counts, key=lambda prefix: (-counts[prefix], prefix))[:MAX_OFFERED]


def _dead_letter_queues(sqs: Any) -> list[str]:
    urls = [url for page in sqs.get_paginator("list_queues").paginate() for url in page.get("QueueUrls", ())]
    names = {name for url in urls if not _OURS.search(name := url.rpartition("/")[2])}
    targets: set[str] = set()
    for url in urls:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])
        policy = json.loads(attributes.get("Attributes", {}).get("RedrivePolicy", "{}"))
        targets.add(str(policy.get("deadLetterTargetArn", "")).rpartition(":")[2])
    named = {name for name in names if _DEAD.search(name)}
    return sorted((targets & names) | named, key=lambda name: (name not in targets, name))[:MAX_OFFERED]
