"""A stack as CloudFormation describes it: whether it is there, its parameters, its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def describe(cloudformation: Any, name: str) -> Mapping[str, Any] | None:
    """The stack of a name; None where there is none.

    Args:
        cloudformation: A client of CloudFormation.
        name: The stack's name.
    """
    try:
        stack: Mapping[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except cloudformation.exceptions.ClientError as error:
        if "does not exist" not in error.response["Error"].get("Message", ""):
            raise
        return None
    return stack


def parameters_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that a stack was deployed with."""
    return {each["ParameterKey"]: each.get("ParameterValue", "") for each in stack.get("Parameters", ())}


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """The outputs of a stack."""
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", ())}
