"""The IAM actions that the doctor and a deploy need: read from the command's own calls, and from CloudFormation's schemas."""

from __future__ import annotations

import re
from pathlib import Path

import botocore.session
from botocore import xform_name
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from template_snapshot import translated

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("cloudformation", "lambda", "cloudwatch", "logs", "events", "sns", "sqs", "dynamodb", "secretsmanager", "kms", "cloudtrail", "s3")  # fmt: skip
BY_SAM = {
    "cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:DescribeStackEvents",
    "cloudformation:ExecuteChangeSet", "cloudformation:GetTemplateSummary",
    "s3:CreateBucket", "s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:GetObject", "s3:ListBucket", "s3:PutBucketPolicy",
    "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
}  # fmt: skip
"""What `sam deploy` itself asks for: the change set, and its bucket of packages. By hand: sam has no list of it."""


def called(*files: Path) -> set[str]:
    """The actions of the AWS calls in these sources."""
    actions: dict[str, set[str]] = {}
    session = botocore.session.get_session()
    for service in SERVICES:
        for operation in session.get_service_model(service).operation_names:
            actions.setdefault(xform_name(operation), set()).add(f"{service}:{operation}")
    found = set()
    for file in files:
        text = file.read_text("utf-8")
        for name in re.findall(r"\.([a-z_]+)\(", text) + re.findall(r'get_paginator\("(\w+)"\)', text):
            found |= actions.get(name, set())
    return found


def of_doctor() -> set[str]:
    """What the doctor calls."""
    stack = ROOT / "tocsin_cli" / "stack"
    commands = ROOT / "tocsin_cli" / "commands"
    return called(*(ROOT / "tocsin_cli" / "doctor").glob("*.py"), commands / "doctor.py", stack / "target.py")


def of_deploy() -> set[str]:
    """What a deploy calls, sam included, and what CloudFormation does for it in the caller's name."""
    commands, stack = ROOT / "tocsin_cli" / "commands", ROOT / "tocsin_cli" / "stack"
    found = called(commands / "deploy.py", stack / "subscription_slots.py") | BY_SAM
    for which in ("by default", "with everything"):
        for kind in {each["Type"] for each in translated(which)["Resources"].values()}:
            handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get(
                "handlers", {}
            )
            for handler in ("create", "read", "update", "delete"):
                found |= set(handlers.get(handler, {}).get("permissions", ()))
    return found


def as_lines(actions: set[str]) -> str:
    """One line for each service, as the page has it."""
    services: dict[str, list[str]] = {}
    for action in sorted(actions):
        service, name = action.split(":", 1)
        services.setdefault(service, []).append(name)
    return "\n".join(f"{service}: {' '.join(names)}" for service, names in services.items())
