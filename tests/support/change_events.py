"""Events of EventBridge about stacks and functions, in the shapes that AWS documents."""

from __future__ import annotations

from typing import Any

from tocsin.core.times import iso_time

ACCOUNT, REGION = "123456789012", "us-east-1"


def stack_event(stack: str, status: str, at: int, *, event_id: str = "") -> dict[str, Any]:
    """CloudFormation User Guide, "Stack Status Change event detail"."""
    arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/0f8d2ef0-2f20-11ee-9b0f-0e3f2e1c8b11"
    return {
        "version": "0",
        "id": event_id or f"{stack}-{status}-{at}",
        "detail-type": "CloudFormation Stack Status Change",
        "source": "aws.cloudformation",
        "account": ACCOUNT,
        "time": iso_time(at)[:19] + "Z",
        "region": REGION,
        "resources": [arn],
        "detail": {
            "stack-id": arn,
            "status-details": {"status": status, "status-reason": "password=hunter2 by ann@example.com"},
            "client-request-token": "Console-UpdateStack-7f59c3cf-00d2-40c7-b2ff-e75db0987002",
        },
    }


def call_event(
    function: str, at: int, *, name: str = "UpdateFunctionCode20150331v2", **detail: Any
) -> dict[str, Any]:
    """EventBridge User Guide, "AWS service events delivered via AWS CloudTrail"; a session named as by single sign-on."""
    return {
        "version": "0",
        "id": f"{function}-{name}-{at}",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.lambda",
        "account": ACCOUNT,
        "time": iso_time(at)[:19] + "Z",
        "region": REGION,
        "resources": [],
        "detail": {
            "eventVersion": "1.08",
            "eventTime": iso_time(at)[:19] + "Z",
            "eventSource": "lambda.amazonaws.com",
            "eventName": name,
            "awsRegion": REGION,
            "sourceIPAddress": "198.51.100.7",
            "userAgent": "aws-cli/2.17.0 command/lambda.update-function-code",
            "eventID": f"{function}-{name}-{at}",
            "userIdentity": {
                "type": "AssumedRole",
                "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/ann.smith@example.com",
                "principalId": "AROAEXAMPLE:ann.smith@example.com",
                "accountId": ACCOUNT,
                "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "Admin"}},
            },
            "requestParameters": {"functionName": function, "dryRun": False},
            "responseElements": {
                "functionName": function,
                "environment": {"variables": {"DB_PASSWORD": "hunter2"}},
            },
            **detail,
        },
    }


def by_cloudformation(function: str, at: int) -> dict[str, Any]:
    """The same call as CloudFormation makes it in somebody's name."""
    event = call_event(function, at)
    event["detail"]["userIdentity"]["invokedBy"] = "cloudformation.amazonaws.com"
    return event | {
        "detail": event["detail"]
        | {"sourceIPAddress": "cloudformation.amazonaws.com", "userAgent": "cloudformation.amazonaws.com"}
    }
