"""What would make a deploy fail half-way, found before it begins: each in one sentence with the way out.

Pure; what must be asked of AWS (room for subscriptions) is in ``subscription_slots``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tocsin_cli.stack.parameters import Declaration, listed, refusals

MAX_RESOURCES: Final = 500
"""Resources in one template, conditions or not (CloudFormation quotas); not adjustable."""

_SPLIT_IN_TWO: Final = "subscribe the whole account in place of single log groups (AccountSubscription=yes), or let a second stack watch a part"


def problems(
    template: Mapping[str, Any], declared: Mapping[str, Declaration], parameters: Mapping[str, str]
) -> list[str]:
    """All that CloudFormation would refuse and that shows in the template and its parameters.

    Args:
        template: The template's document, see ``parameters.load_template``.
        declared: Its parameters.
        parameters: What they will be, every one of them.
    """
    found = refusals(declared, parameters)
    if parameters.get("KinesisStreamArn") and parameters.get("KinesisShards", "0") not in {"", "0"}:
        found.append("KinesisStreamArn and KinesisShards: give one of the two")
    found += _collisions(template, parameters)
    if (count := resource_count(template, parameters)) > MAX_RESOURCES:
        found.append(
            f"the stack would have {count} resources, and CloudFormation takes {MAX_RESOURCES}: {_SPLIT_IN_TWO}"
        )
    return found


def loops(template: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each loop of the template: the list parameter that it runs over, and the resources that it makes for each name."""
    for name, definition in template["Resources"].items():
        if name.startswith("Fn::ForEach::"):
            yield str(definition[1]), definition[2]


def _collisions(template: Mapping[str, Any], parameters: Mapping[str, str]) -> Iterator[str]:
    """Names that become one logical id: CloudFormation leaves out all but letters and digits."""
    for parameter in dict.fromkeys(parameter for parameter, _ in loops(template)):
        same: dict[str, list[str]] = {}
        for name in listed(parameters.get(parameter, "")):
            same.setdefault(re.sub(r"[^A-Za-z0-9]", "", name), []).append(name)
        for names in same.values():
            if len(names) > 1 and len(set(names)) == 1:
                yield f"{parameter}: {names[0]} is named {len(names)} times"
            elif len(names) > 1:
                yield (
                    f"{parameter}: {' and '.join(names)} differ only in punctuation, which CloudFormation leaves out of its "
                    "ids; leave one of them to a second stack"
                )


def resource_count(template: Mapping[str, Any], parameters: Mapping[str, str]) -> int:
    """Resources that CloudFormation counts: loops unrolled (an empty list makes one), SAM's own among them.

    Args:
        template: The template's document.
        parameters: What the parameters will be.
    """
    count = 0
    for name, definition in template["Resources"].items():
        if not name.startswith("Fn::ForEach::"):
            count += 1 + _made_by_sam(definition)
    for parameter, made in loops(template):
        count += len(made) * max(1, len(parameters.get(parameter, "").split(",")))
    return count


def _made_by_sam(definition: Mapping[str, Any]) -> int:
    """Resources that SAM adds to a function: its invoke settings, a rule with a permission, an event source, an address."""
    if definition["Type"] != "AWS::Serverless::Function":
        return 0
    properties = definition["Properties"]
    events = [each["Type"] for each in properties.get("Events", {}).values()]
    address = 3 * (
        "FunctionUrlConfig" in properties
    )  # itself, and that everybody may call it and its function by it
    return (
        address + ("EventInvokeConfig" in properties) + sum({"Schedule": 2}.get(each, 1) for each in events)
    )
