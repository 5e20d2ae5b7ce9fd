"""The policies of the translated template, with the names of the simulated deployment in place of references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reliability.permissions import PLACE

Statement = dict[str, Any]
_NO_VALUE = {"Ref": "AWS::NoValue"}

ROLES = {
    "DetectRole": "detect",
    "ReconcileRole": "reconcile",
    "NotifyRole": "notify",
    "RespondRole": "respond",
    "LogsToStreamRole": "logs.amazonaws.com",
}
"""Who wears which role."""

ARNS = {
    "IncidentTable": f"arn:aws:dynamodb:{PLACE}:table/incidents",
    "AlarmTopic": f"arn:aws:sns:{PLACE}:alarms",
    "AlertsTopic": f"arn:aws:sns:{PLACE}:alerts",
    "OpsTopic": f"arn:aws:sns:{PLACE}:ops",
    "HeartbeatTopic": f"arn:aws:sns:{PLACE}:heartbeat",
    "NotifyQueue": f"arn:aws:sqs:{PLACE}:notify",
    "NotifyDeadLetterQueue": f"arn:aws:sqs:{PLACE}:notify-dead",
    "FailureQueue": f"arn:aws:sqs:{PLACE}:failures",
    "ReconcileFunction": f"arn:aws:lambda:{PLACE}:function:reconcile",
    "EnvelopeStream": f"arn:aws:kinesis:{PLACE}:stream/own",
    **{
        f"{name.capitalize()}LogGroup": f"arn:aws:logs:{PLACE}:log-group:/tocsin/local/{name}:*"
        for name in ("detect", "reconcile", "notify", "respond", "heartbeat")
    },
}
"""The ARNs that the simulated deployment gives to the template's resources, without their numbers."""


def role_statements(template: Mapping[str, Any]) -> dict[str, list[Statement]]:
    """The statements of each role, by who wears it.

    Raises:
        AssertionError: There is a role that nobody is known to wear, or a policy without a role.
    """
    found: dict[str, list[Statement]] = {}
    created = created_resources(template)
    for name, resource in created.items():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::Role":
            assert name in ROLES, f"who wears {name}?"
            documents = [policy["PolicyDocument"] for policy in properties["Policies"]]
            found.setdefault(ROLES[name], []).extend(_statements(documents))
    for resource in created.values():
        properties = resource["Properties"]
        if resource["Type"] in {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}:
            assert properties["Roles"], "a policy that no role has"
            for role in properties["Roles"]:
                found[ROLES[role["Ref"]]].extend(_statements([properties["PolicyDocument"]]))
    return found


def resource_statements(template: Mapping[str, Any]) -> list[Statement]:
    """The statements of all policies of topics and queues."""
    kinds = {"AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"}
    return _statements(
        resource["Properties"]["PolicyDocument"]
        for resource in created_resources(template).values()
        if resource["Type"] in kinds
    )


def created_resources(template: Mapping[str, Any]) -> dict[str, Any]:
    """The resources whose condition holds."""
    conditions = template["Conditions"]
    return {
        name: resource
        for name, resource in template["Resources"].items()
        if "Condition" not in resource or holds({"Condition": resource["Condition"]}, conditions)
    }


def holds(condition: Any, named: Mapping[str, Any]) -> bool:
    """Whether a condition of the template holds, all parameters being known."""
    match condition:
        case bool():
            return condition
        case {"Condition": str(name)}:
            return holds(named[name], named)
        case {"Fn::Equals": [one, other]}:
            return bool(one == other)
        case {"Fn::Not": [inner]}:
            return not holds(inner, named)
        case {"Fn::And": list(inner)}:
            return all(holds(each, named) for each in inner)
        case {"Fn::Or": list(inner)}:
            return any(holds(each, named) for each in inner)
    raise AssertionError(f"unknown condition {condition}")


def _statements(documents: Any) -> list[Statement]:
    return [
        _resolved(statement)
        for document in documents
        for statement in document["Statement"]
        if statement != _NO_VALUE
    ]


def _resolved(value: Any) -> Any:
    """As IAM gets it: ARNs in place of references, text in place of true and false."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return ARNS[name]
        case dict():
            return {key: _resolved(each) for key, each in value.items()}
        case list():
            return [_resolved(each) for each in value if each != _NO_VALUE]
        case bool():
            return str(value).lower()
        case str():
            for name, arn in ARNS.items():
                value = value.replace(f"${{{name}.Arn}}", arn)
            assert "${" not in value, value
    return value
