"""Changes: what was deployed or altered, read from EventBridge's events, and which of it an incident shows.

A deployment is the first suspect. CloudFormation tells EventBridge of every change of a stack by itself. That the code
or the configuration of a function was changed past its stack, only CloudTrail knows: without a trail no such event
comes. Of an event only names, times and the status are kept; a status's reason and the call's parameters may quote
anything.

Sources: CloudFormation User Guide, "Stack Status Change event detail"; CloudTrail User Guide, "CloudTrail userIdentity
element" (``invokedBy`` names the AWS service that made the call); EventBridge User Guide, "AWS service events
delivered via AWS CloudTrail". Lambda's names of events end with the date of its API's version
(``UpdateFunctionCode20150331v2``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tocsin.core.ingest.alarms import parse_time
from tocsin.core.ingest.json_kinds import kind_of
from tocsin.core.lazy_expressions import lazy
from tocsin.core.model import Change, ChangeKind, Millis
from tocsin.core.redaction.sample import field_value

if TYPE_CHECKING:
    from tocsin.core.redaction.rule import Rule

STACK_CHANGE: Final = "CloudFormation Stack Status Change"
API_CALL: Final = "AWS API Call via CloudTrail"

CALLS: Final = {
    "UpdateFunctionCode": ChangeKind.CODE,
    "UpdateFunctionConfiguration": ChangeKind.CONFIGURATION,
    "UpdateAlias": ChangeKind.ALIAS,
}
"""Lambda's calls that are changes, by how their names in CloudTrail begin."""
_VERSIONED: Final = lazy(r"([A-Za-z]+?)(?:20\d{6}(?:v\d+)?)?")
_STATUS: Final = lazy(r"[A-Z_]{1,60}")
_NAME: Final = lazy(r"[A-Za-z0-9_-]{1,140}")
_SERVICES: Final = {
    "cloudformation.amazonaws.com": "CloudFormation",
    "codedeploy.amazonaws.com": "CodeDeploy",
    "codepipeline.amazonaws.com": "CodePipeline",
}
_TOOLS: Final = {"terraform": "Terraform", "pulumi": "Pulumi"}
"""By what their user agents hold. Whoever deploys with them has no stack that a function could bypass."""


class ChangeError(ValueError):
    """An event that says that something changed, and lacks what or when; quotes nothing of it."""


def parse_change(event: Mapping[str, Any], extra: Sequence[Rule] = ()) -> Change | None:
    """Read a change from an event of EventBridge.

    Args:
        event: With ``detail-type`` `STACK_CHANGE` or `API_CALL`.
        extra: The deployment's own rules of redaction.

    Returns:
        The change; None where nothing changed that can be a suspect: a change set that waits to be reviewed, the
        cleaning up after an update, a call that failed or only tried, a call of another kind.

    Raises:
        ChangeError: It names no stack, function, status or time.
    """
    detail = _table(event.get("detail"))
    return (_stack if event.get("detail-type") == STACK_CHANGE else _call)(event, detail, extra)


def is_of_stack(change: Change, stack: str) -> bool:
    """Whether a change is one of this stack, or of a function that CloudFormation named after it."""
    return change.what == stack if change.kind is ChangeKind.STACK else change.what.startswith(f"{stack}-")


def _stack(event: Mapping[str, Any], detail: Mapping[str, Any], extra: Sequence[Rule]) -> Change | None:
    arn = detail.get("stack-id")
    # arn:aws:cloudformation:us-east-1:123456789012:stack/name/uuid
    name = arn.split("/")[1] if isinstance(arn, str) and arn.count("/") > 0 else ""
    if not _NAME.fullmatch(name):
        raise ChangeError(f"detail.stack-id must be the ARN of a stack, is {_shown(arn)}")
    status = _table(detail.get("status-details")).get("status")
    if not isinstance(status, str) or not _STATUS.fullmatch(status):
        raise ChangeError(f"detail.status-details.status must be a stack's status, is {_shown(status)}")
    if status == "REVIEW_IN_PROGRESS" or status.endswith("_CLEANUP_IN_PROGRESS"):
        return None
    at = _time(event.get("time"), "time")
    identity = (event.get("id"), arn, status, at)
    return Change(_id(identity), ChangeKind.STACK, field_value(name, extra), at, status=status)


def _call(event: Mapping[str, Any], detail: Mapping[str, Any], extra: Sequence[Rule]) -> Change | None:
    named = _VERSIONED.fullmatch(str(detail.get("eventName", "")))
    kind = CALLS.get(named[1]) if named else None
    if kind is None or detail.get("eventSource") != "lambda.amazonaws.com" or detail.get("errorCode"):
        return None
    asked = _table(detail.get("requestParameters"))
    if asked.get("dryRun") is True:
        return None
    name = asked.get("functionName")
    # A name, or an ARN, whole or from the account on, perhaps with a version or an alias behind it.
    plain = name.rpartition("function:")[2].partition(":")[0] if isinstance(name, str) else ""
    if not _NAME.fullmatch(plain):
        raise ChangeError(
            f"detail.requestParameters.functionName must be a function's name, is {_shown(name)}"
        )
    at = _time(detail.get("eventTime") or event.get("time"), "detail.eventTime")
    identity = (detail.get("eventID") or event.get("id"), kind, plain, at)
    return Change(
        _id(identity), kind, field_value(plain, extra), at, by=_tool(detail), who=_who(detail, extra)
    )


def _tool(detail: Mapping[str, Any]) -> str:
    """What made a call in somebody's name; empty when somebody did it directly."""
    invoked = _table(detail.get("userIdentity")).get("invokedBy")
    agent = str(detail.get("userAgent", ""))
    for said in (invoked, detail.get("sourceIPAddress"), agent):
        if isinstance(said, str) and said in _SERVICES:
            return _SERVICES[said]
    return next((name for word, name in _TOOLS.items() if word in agent.lower()), "")


def _who(detail: Mapping[str, Any], extra: Sequence[Rule]) -> str:
    """The user, or the role and its session, redacted: sessions are often named after an e-mail address."""
    identity = _table(detail.get("userIdentity"))
    if identity.get("type") == "Root":
        return "root"
    issuer = _table(_table(identity.get("sessionContext")).get("sessionIssuer")).get("userName")
    arn = identity.get("arn")
    parts = arn.split("/") if isinstance(arn, str) else []
    if isinstance(issuer, str) and issuer:
        names = [issuer, *parts[-1:]]
    elif isinstance(identity.get("userName"), str):
        names = [identity["userName"]]
    else:
        names = parts[1:]
    return "/".join(field_value(name, extra) for name in names if name)[:200]


def _time(value: object, key: str) -> Millis:
    at = parse_time(value)
    if at is None:
        raise ChangeError(f"{key} must be a time such as 2026-02-02T00:03:00Z, is {_shown(value)}")
    return at


def _id(identity: tuple[object, ...]) -> str:
    return hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()[:32]


def _shown(value: object) -> str:
    return "something else" if isinstance(value, str) else kind_of(value)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
