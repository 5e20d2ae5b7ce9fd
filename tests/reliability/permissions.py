"""What IAM judges of the handlers' calls, and the judgement: each call of a run, by the policies of a deployed stack.

The evaluator is MiniStack's, which knows Resource and Condition. Its limits, and this module's: no calls of the platform
(the event source, Lambda's logs, KMS in another service's name), and of condition keys only ``dynamodb:LeadingKeys``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ministack.core.iam_evaluator import EvalContext, ParsedStatement, evaluate

_IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One thing that IAM is asked.

    Attributes:
        function: Who asks.
        action: Such as ``dynamodb:Query``.
        resource: The ARN, or ``*``; names of the simulated deployment without its number.
        leading_keys: The first words of the partition keys that a call to the table names.
    """

    function: str
    action: str
    resource: str
    leading_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One action of one statement of a function's role."""

    function: str
    sid: str
    action: str


def requests(function: str, service: str, operation: str, body: Any, place: str) -> Iterator[Request]:
    """What IAM judges of one call.

    Args:
        function: Which function calls.
        service: As botocore names it.
        operation: As botocore names it.
        body: The request's body: a mapping, or JSON.
        place: Region and account as an ARN has them, ``us-east-1:123456789012``.

    Raises:
        AssertionError: The call is of a service that this module does not know.
    """
    given: Mapping[str, Any] = body if isinstance(body, Mapping) else json.loads(body or b"{}")
    if operation == "TransactWriteItems":
        for each in given["TransactItems"]:
            for member, inner in each.items():
                yield from requests(function, service, _IN_TRANSACTION[member], inner, place)
        return
    yield Request(
        function, f"{service}:{operation}", _resource(service, given, place), _leading_keys(service, given)
    )


def judge(
    request: Request, policies: Mapping[str, list[ParsedStatement]], place: str, resource: str
) -> frozenset[Grant]:
    """The grants that allow a request; none where it is denied.

    Args:
        request: What is asked.
        policies: Every statement of each function's role.
        place: Region and account as an ARN has them.
        resource: The ARN in the deployed stack.
    """
    region, account = place.split(":")
    context = EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{request.function}/x",
        principal_type="AssumedRole",
        principal_account=account,
        action=request.action,
        resource_arn=resource,
        region=region,
        secure_transport=True,
        service_context={"dynamodb:leadingkeys": list(request.leading_keys)} if request.leading_keys else {},
    )
    statements = policies[request.function]
    if evaluate(context, [statements]).decision != "Allow":
        return frozenset()
    return frozenset(
        Grant(request.function, statement.sid, action)
        for statement in statements
        for action in statement.actions
        if evaluate(context, [[replace(statement, actions=[action])]]).decision == "Allow"
    )


def _resource(service: str, given: Mapping[str, Any], place: str) -> str:
    match service:
        case "dynamodb":
            index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
            return f"arn:aws:dynamodb:{place}:table/{_name(given['TableName'])}{index}"
        case "sns":
            return _name(given["TopicArn"])
        case "sqs":
            name = given.get("QueueName") or given["QueueUrl"].rpartition("/")[2]
            return f"arn:aws:sqs:{place}:{_name(name)}"
        case "secretsmanager":
            return f"arn:aws:secretsmanager:{place}:secret:{_name(given['SecretId'])}-AbCdEf"
        case "cloudwatch":
            return "*"
    raise AssertionError(f"what IAM judges of a call to {service} is not known here")


def _leading_keys(service: str, given: Mapping[str, Any]) -> tuple[str, ...]:
    if service != "dynamodb" or "IndexName" in given:
        return ()
    item = given.get("Key") or given.get("Item")
    if item:
        return (item["pk"]["S"].partition("#")[0],)
    named = re.findall(r"=\s*(:\w+)", given.get("KeyConditionExpression", "").split(" AND ")[0])
    return tuple(given["ExpressionAttributeValues"][name]["S"] for name in named)


def _name(name: str) -> str:
    return re.sub(r"-\d+$", "", name)
