"""Events about changes as EventBridge delivers them: of a stack by CloudFormation, of a function by CloudTrail."""

from __future__ import annotations

from typing import Any

from tocsin.core.model import Millis
from tocsin.core.times import iso_time
from tocsin_cli.sample_events.event_ids import ACCOUNT, REGION, eventbridge_event, uuid_of


def stack_change(stack: str, at: Millis) -> dict[str, Any]:
    """CloudFormation User Guide, "Stack Status Change event detail"."""
    arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/{uuid_of(stack)}"
    detail = {
        "stack-id": arn,
        "status-details": {"status": "UPDATE_COMPLETE", "status-reason": ""},
        "client-request-token": f"Console-ExecuteChangeSet-{uuid_of(stack, at)}",
    }
    source, kind = "aws.cloudformation", "CloudFormation Stack Status Change"
    return eventbridge_event(uuid_of(source, kind, at), source, kind, at, detail, [arn])


def function_change(function: str, at: Millis) -> dict[str, Any]:
    """A record of CloudTrail as EventBridge delivers it; who did it came by single sign-on, as most do."""
    session = "ann.example@example.com"
    detail = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROAEXAMPLE:{session}",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Developer/{session}",
            "accountId": ACCOUNT,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAEXAMPLE",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/Developer",
                    "accountId": ACCOUNT,
                    "userName": "Developer",
                },
                "attributes": {
                    "creationDate": iso_time(at - 600_000)[:19] + "Z",
                    "mfaAuthenticated": "false",
                },
            },
        },
        "eventTime": iso_time(at)[:19] + "Z",
        "eventSource": "lambda.amazonaws.com",
        "eventName": "UpdateFunctionCode20150331v2",
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.33.0 md/command#lambda.update-function-code",
        "requestParameters": {"functionName": function, "publish": False, "dryRun": False},
        "responseElements": {
            "functionName": function,
            "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
            "runtime": "python3.13",
            "lastUpdateStatus": "InProgress",
        },
        "requestID": uuid_of("request", function, at),
        "eventID": uuid_of("event", function, at),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    source, kind = "aws.lambda", "AWS API Call via CloudTrail"
    return eventbridge_event(uuid_of(source, kind, at), source, kind, at, detail)
