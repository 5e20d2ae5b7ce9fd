"""What IAM is asked for the calls that the handlers make: action, resource, and the keys that conditions speak of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PLACE = "us-east-1:123456789012"
"""Region and account of the simulated deployment, as an ARN has them."""

LEADING_KEYS = "dynamodb:LeadingKeys"
RECORD = Path(__file__).with_name("requests.json")
"""What IAM was asked in all runs of ``make reliability``."""

_IN_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_OTHER_ACTION = {"sns:PublishBatch": "sns:Publish", "lambda:Invoke": "lambda:InvokeFunction"}
"""Operations whose permission has another name (Service Authorization Reference)."""


@dataclass(frozen=True, slots=True, order=True)
class Request:
    """One thing that IAM is asked.

    Attributes:
        function: Who asks: a function of ours, or a service as a policy's principal names it.
        action: Such as ``dynamodb:Query``.
        resource: The ARN, or ``*``; names of the simulated deployment without its number.
        context: The condition keys of the request, each with its values.
    """

    function: str
    action: str
    resource: str
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def with_context(self, key: str, *values: str) -> Request:
        """The same request with one more condition key, or another value of it."""
        kept = tuple(each for each in self.context if each[0] != key)
        return replace(self, context=(*kept, (key, values)))


def recorded_requests() -> frozenset[Request]:
    """What IAM was asked when every call of the scenario failed in every way."""
    return frozenset(
        Request(*row[:3], tuple((key, tuple(values)) for key, values in row[3]))
        for row in json.loads(RECORD.read_text())
    )


def record(asked: Iterable[Request]) -> None:
    """Write what IAM was asked, one request a line."""
    rows = [
        json.dumps([each.function, each.action, each.resource, each.context]) for each in sorted(set(asked))
    ]
    RECORD.write_text("[\n" + ",\n".join(rows) + "\n]\n")


def requests(function: str, service: str, operation: str, given: Mapping[str, Any]) -> Iterator[Request]:
    """What IAM judges of one call.

    Args:
        function: Which function calls.
        service: As botocore names it.
        operation: As botocore names it.
        given: The call's parameters.

    Raises:
        AssertionError: The call is of a service that this module does not know.
    """
    if operation == "TransactWriteItems":
        for each in given["TransactItems"]:
            for member, inner in each.items():
                yield from requests(function, service, _IN_TRANSACTION[member], inner)
        return
    action = f"{service}:{operation}"
    if service == "sqs":
        action = action.removesuffix("Batch")
    request = Request(function, _OTHER_ACTION.get(action, action), _resource(service, given))
    keys = _leading_keys(given) if service == "dynamodb" and "IndexName" not in given else ()
    yield request.with_context(LEADING_KEYS, *keys) if keys else request


def _resource(service: str, given: Mapping[str, Any]) -> str:
    match service:
        case "dynamodb":
            index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
            return f"arn:aws:dynamodb:{PLACE}:table/{_name(given['TableName'])}{index}"
        case "sns":
            return _name(given["TopicArn"])
        case "sqs" if "SourceArn" in given:
            return str(given["SourceArn"])
        case "sqs":
            name = given.get("QueueName") or given["QueueUrl"].rpartition("/")[2]
            return f"arn:aws:sqs:{PLACE}:{_name(name)}"
        case "secretsmanager":
            # Secrets Manager puts six characters of its own behind a name.
            return f"arn:aws:secretsmanager:{PLACE}:secret:{_name(given['SecretId'])}-AbCdEf"
        case "logs":
            return (
                f"arn:aws:logs:{PLACE}:log-group:{given['logGroupName']}:log-stream:{given['logStreamName']}"
            )
        case "lambda":
            return f"arn:aws:lambda:{PLACE}:function:{given['FunctionName']}"
        case "cloudwatch":
            return "*"
    raise AssertionError(f"what IAM judges of a call to {service} is not known here")


def _leading_keys(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The partition keys of the table that a call names. What differs from run to run is cut off."""
    item = given.get("Key") or given.get("Item")
    if item:
        return (_kind(item["pk"]["S"]),)
    named = re.findall(r"=\s*(:\w+)", given.get("KeyConditionExpression", "").split(" AND ")[0])
    return tuple(_kind(given["ExpressionAttributeValues"][name]["S"]) for name in named)


def _kind(key: str) -> str:
    return "#".join(key.split("#")[:2]) if key.startswith(("A#@", "E#")) else key.partition("#")[0]


def _name(name: str) -> str:
    return re.sub(r"-\d+$", "", name)
