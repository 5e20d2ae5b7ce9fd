"""Each call that a function makes, judged against its role's policy in the translated template.

The judge is the policy evaluator of the embedded cloud (Action, Resource and Condition); here is only what IAM would be told
of a call. Its limits: policies of resources (queues, keys, the table) are not asked, and of DynamoDB's condition keys only
`dynamodb:LeadingKeys` is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import botocore.client
from ministack.core.iam_evaluator import EvalContext, ParsedStatement, evaluate, parse_policy_document
from reliability import wire as wires
from reliability.deployment import ACCOUNT, REGION

_NUMBERED = re.compile(r"\b(incidents|alerts|notify-dead|notify|failures|tocsin/slack)-\d+")
_KEY_CONDITION = re.compile(r"\bpk = (:\w+)")
_HERE = f"{REGION}:{ACCOUNT}"
PHYSICAL = {
    "IncidentTable": f"arn:aws:dynamodb:{_HERE}:table/incidents",
    "AlertsTopic": f"arn:aws:sns:{_HERE}:alerts",
    "NotifyQueue": f"arn:aws:sqs:{_HERE}:notify",
    "NotifyDeadLetterQueue": f"arn:aws:sqs:{_HERE}:notify-dead",
    "FailureQueue": f"arn:aws:sqs:{_HERE}:failures",
}
"""The ARNs, without their numbers, that the simulated deployment gives to the template's resources."""


@dataclass(slots=True)
class Judge:
    """Says of each call whether its function's role may make it.

    Args:
        template: The translated template.

    Attributes:
        denied: What a role may not do, and a function did.
        used: Each grant that a call needed: function, statement, action.
        calls: How many calls were judged.
    """

    template: Mapping[str, Any]
    denied: set[tuple[str, str, str]] = field(default_factory=set)
    used: set[tuple[str, str, str]] = field(default_factory=set)
    calls: int = 0
    _policies: dict[str, list[ParsedStatement]] = field(init=False)

    def __post_init__(self) -> None:
        """Read the policies."""
        self._policies = {name: self._policy(name) for name in ("detect", "reconcile", "notify")}

    @property
    def granted(self) -> set[tuple[str, str, str]]:
        """Each grant of the three roles: function, statement, action."""
        return {
            (function, statement.sid, action)
            for function, statements in self._policies.items()
            for statement in statements
            for action in statement.actions
        }

    def judge(self, function: str, action: str, resource: str, partition_key: str = "") -> None:
        """One action on one resource, by a function."""
        self.calls += 1
        role = f"arn:aws:sts::{ACCOUNT}:assumed-role/{function}/{function}"
        context = EvalContext(role, "AssumedRole", ACCOUNT, action, resource, REGION, secure_transport=True)
        if partition_key:
            context.service_context["dynamodb:leadingkeys"] = [partition_key]
        statements = self._policies[function]
        if evaluate(context, [statements]).decision != "Allow":
            self.denied.add((function, action, f"{resource} {partition_key}".strip()))
        self.used |= {
            (function, each.sid, action)
            for each in statements
            if evaluate(context, [[each]]).decision == "Allow"
        }

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Judge every call to AWS that a simulated function makes meanwhile."""
        make = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined] # where every call passes

        def judged(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            if function := wires._wires[0].function:
                for asked in _asked(client.meta.service_model.signing_name, operation, parameters):
                    self.judge(function, *asked)
            return make(client, operation, parameters)

        with patch.object(botocore.client.BaseClient, "_make_api_call", judged):
            yield

    def _policy(self, function: str) -> list[ParsedStatement]:
        role = self.template["Resources"][f"{function.capitalize()}Role"]["Properties"]
        return [
            statement
            for policy in role["Policies"]
            for statement in parse_policy_document(_resolved(policy["PolicyDocument"]))
        ]


def _resolved(value: Any) -> Any:
    """A policy with the ARNs of the simulated deployment in place of references."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return PHYSICAL.get(name, f"arn:aws:other:{_HERE}:{name}")
        case dict():
            return {key: _resolved(each) for key, each in value.items()}
        case list():
            return [_resolved(each) for each in value]
        case str():
            return value.replace("${IncidentTable.Arn}", PHYSICAL["IncidentTable"])
    return value


def _asked(service: str, operation: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What IAM is asked for one call: action, resource, and the item's partition key where there is one."""
    plain = json.loads(_NUMBERED.sub(r"\1", json.dumps(given, default=str)))
    action = f"{service}:{operation}"
    match service:
        case "dynamodb" if operation == "TransactWriteItems":
            for item in plain["TransactItems"]:
                for kind, part in item.items():
                    name = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
                    yield from _asked(service, name, part)
        case "dynamodb":
            index = f"/index/{plain['IndexName']}" if "IndexName" in plain else ""
            key = plain.get("Key", plain.get("Item", {})).get("pk", {}).get("S", "")
            if named := _KEY_CONDITION.search(plain.get("KeyConditionExpression", "")):
                key = plain["ExpressionAttributeValues"][named[1]]["S"]
            yield action, f"arn:aws:dynamodb:{_HERE}:table/{plain['TableName']}{index}", key
        case "sns":
            # In one call or in ten: IAM knows one action.
            yield "sns:Publish", plain["TopicArn"], ""
        case "sqs":
            queue = plain.get("QueueName") or plain["QueueUrl"].rsplit("/", 1)[1]
            yield action.removesuffix("Batch"), f"arn:aws:sqs:{_HERE}:{queue}", ""
        case "secretsmanager":
            # Secrets Manager puts six characters of its own behind a name.
            yield action, f"arn:aws:secretsmanager:{_HERE}:secret:{plain['SecretId']}-a1B2c3", ""
        case _:
            yield action, "*", ""
