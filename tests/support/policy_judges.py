"""Two judges of policies that know nothing of each other: the embedded cloud's evaluator, and PMapper.

Both say which statements match a request in Action, Resource and Condition. What follows from that is IAM's rule, and
stands here: one Deny that matches denies; without one, one Allow that matches allows.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from policies import Statement
from reliability.permissions import PLACE, Request

ROOT = Path(__file__).resolve().parents[2]
JUDGES = ROOT / ".venv-judge" / "bin" / "python"
"""The Python that has PMapper and parliament, where ``make judge`` has made it."""

Grant = tuple[str, str, str]
"""Who, by the statement of which Sid, may do what."""


class Judge(Protocol):
    """Says which statements match which request."""

    def matching(self, statements: Sequence[Statement], requests: Sequence[Request]) -> list[set[int]]:
        """For each request the positions of the statements that match it."""


class MiniStackJudge:
    """The evaluator that the embedded cloud enforces IAM with."""

    def matching(self, statements: Sequence[Statement], requests: Sequence[Request]) -> list[set[int]]:
        """See ``Judge``."""
        parsed = [parse_policy_document({"Statement": [each]}) for each in statements]
        return [
            {
                position
                for position, statement in enumerate(parsed)
                if evaluate(_context(request), [statement]).decision in {"Allow", "Deny"}
            }
            for request in requests
        ]


class PMapperJudge:
    """PMapper, which was made to judge policies without AWS and was compared with AWS's own simulator by its authors."""

    def matching(self, statements: Sequence[Statement], requests: Sequence[Request]) -> list[set[int]]:
        """See ``Judge``."""
        asked = {
            "statements": statements,
            "requests": [
                {
                    "action": each.action,
                    "resource": each.resource,
                    "context": {key: list(values) for key, values in _keys(each).items()},
                }
                for each in requests
            ],
        }
        return [set(positions) for positions in _answer("pmapper_judge.py", asked)]


def findings(policies: Mapping[str, Sequence[Statement]]) -> list[list[str]]:
    """What parliament finds: actions, resources and condition keys that AWS does not know, or not together."""
    documents = {
        name: {"Version": "2012-10-17", "Statement": statements} for name, statements in policies.items()
    }
    found: list[list[str]] = _answer("parliament_findings.py", documents)
    return found


def _answer(script: str, asked: Any) -> Any:
    answered = subprocess.run(
        [JUDGES, "-I", Path(__file__).with_name(script)],
        input=json.dumps(asked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert answered.returncode == 0, answered.stderr
    return json.loads(answered.stdout)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the roles allow of what was asked.

    Attributes:
        denied: What is refused.
        used: Each grant that something was allowed by.
    """

    denied: frozenset[Request]
    used: frozenset[Grant]


def granted(roles: Mapping[str, Sequence[Statement]]) -> set[Grant]:
    """Everything that the roles allow."""
    return {
        (name, statement["Sid"], action)
        for name, statements in roles.items()
        for statement in statements
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    }


def verdict(judge: Judge, roles: Mapping[str, Sequence[Statement]], asked: Iterable[Request]) -> Verdict:
    """Judge requests by the roles of those who make them; who wears no role is refused."""
    denied, used = set(), set()
    by_role: dict[str, list[Request]] = {}
    for request in sorted(asked):
        by_role.setdefault(request.function, []).append(request)
    for name, requests in by_role.items():
        statements = roles.get(name, [])
        for request, matching in zip(requests, judge.matching(statements, requests), strict=True):
            if not is_allowed(statements, matching):
                denied.add(request)
                continue
            used |= {(name, statements[each]["Sid"], request.action) for each in matching}
    return Verdict(frozenset(denied), frozenset(used))


def is_allowed(statements: Sequence[Statement], matching: Iterable[int]) -> bool:
    """IAM's rule, for the statements that match."""
    return {statements[position]["Effect"] for position in matching} == {"Allow"}


def as_list(value: Any) -> list[Any]:
    """A policy may leave out the brackets around one."""
    return value if isinstance(value, list) else [value]


def _keys(request: Request) -> dict[str, tuple[str, ...]]:
    return {"aws:SecureTransport": ("true",), **dict(request.context)}


def _context(request: Request) -> EvalContext:
    region, account = PLACE.split(":")
    keys = _keys(request)
    secure = keys.pop("aws:SecureTransport") == ("true",)
    return EvalContext(
        principal_arn=f"arn:aws:sts::{account}:assumed-role/{request.function}/x",
        principal_type="AssumedRole",
        principal_account=account,
        action=request.action,
        resource_arn=request.resource,
        region=region,
        secure_transport=secure,
        service_context={
            key.lower(): values[0] if len(values) == 1 else list(values) for key, values in keys.items()
        },
    )
