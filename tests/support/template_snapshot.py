"""What an update of the stack must not rename or replace: logical ids, types and the properties that CloudFormation
cannot change in place, as of the last release.

    python tests/template_snapshot.py     writes tests/fixtures/template_snapshot.json again: once for each release
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from translated_template import translated_with

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "tests" / "fixtures" / "template_snapshot.json"
EVERYTHING = {
    "AccountSubscription": "yes",
    "AccountSubscriptionExcept": "/aws/lambda/slack-proxy",
    "KinesisShards": "2",
    "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "MoreSlackSecretNames": "team/slack-oncall",
    "OperatorEmail": "ops@example.com",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
    "FunctionNames": "backend,worker",
    "FunctionDurationTargets": "worker:240",
    "FunctionDurationLimits": "worker:600",
    "FunctionTimeouts": "worker:899",
    "QueueNames": "worker",
    "RestApiNames": "api",
    "HttpApiIds": "a1b2c3",
    "EstimatedChargesUsd": "10",
}
DEPLOYMENTS: dict[str, dict[str, str]] = {"by default": {}, "with everything": EVERYTHING}


@cache
def translated(which: str) -> dict[str, Any]:
    """What CloudFormation gets, by the name of a deployment."""
    return translated_with(DEPLOYMENTS[which])


@cache
def create_only(kind: str) -> tuple[tuple[str, ...], ...]:
    """Paths of the properties whose change makes CloudFormation replace a resource, from its own schemas."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    keys = ("createOnlyProperties", "conditionalCreateOnlyProperties")
    return tuple(tuple(path.split("/")[2:]) for key in keys for path in schema.get(key, ()))


def current() -> dict[str, dict[str, dict[str, Any]]]:
    """The snapshot of the template as it is: by deployment and logical id."""
    return {which: dict(sorted(_resources(which))) for which in DEPLOYMENTS}


def _resources(which: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, each in translated(which)["Resources"].items():
        fixed = {
            "/".join(path): value
            for path in create_only(each["Type"])
            if (value := _at(each.get("Properties", {}), path)) is not None
        }
        found.append((name, {"type": each["Type"], "fixed": fixed}))
    return json.loads(json.dumps(found))  # type: ignore[no-any-return] # as the file will give it back


def _at(properties: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(properties, dict) or step not in properties:
            return None
        properties = properties[step]
    return properties


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(current(), indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"wrote {SNAPSHOT.relative_to(ROOT)}\n")
