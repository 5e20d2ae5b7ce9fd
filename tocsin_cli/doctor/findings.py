"""What `tocsin doctor` finds: how bad, what, why it matters, and the command that fixes it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tocsin_cli.aws_errors import code_of, is_aws_error
from tocsin_cli.stack.description import outputs_of, parameters_of
from tocsin_cli.stack.parameters import listed


class Level(StrEnum):
    """How bad a finding is; ``fail`` alone makes the command fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        level: How bad it is.
        check: Which check found it, such as ``subscription``.
        what: What is so.
        why: Why that matters; empty where all is well.
        fix: What to do about it, mostly a command; empty where there is nothing to do.
    """

    level: Level
    check: str
    what: str
    why: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the stack, as CloudFormation knows it."""

    physical: str
    type: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    """The stack that is looked at.

    Attributes:
        name: The stack's name.
        where: For people.
        region: Its Region.
        client: Makes a boto3 client of a service, or answers with the one it has made.
        described: The stack as CloudFormation describes it.
        resources: By logical id.
    """

    name: str
    where: str
    region: str
    client: Callable[[str], Any]
    described: Mapping[str, Any]
    resources: Mapping[str, Resource] = field(default_factory=dict)

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters it was deployed with."""
        return parameters_of(self.described)

    @property
    def outputs(self) -> dict[str, str]:
        """Its outputs."""
        return outputs_of(self.described)

    def names(self, parameter: str) -> list[str]:
        """The names in a list parameter."""
        return listed(self.parameters.get(parameter, ""))

    def of_type(self, kind: str) -> dict[str, Resource]:
        """The resources of one type by their logical ids."""
        return {name: each for name, each in self.resources.items() if each.type == kind}


Check = Callable[[Examined], Iterator[Finding]]


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, check, what)


def warn(check: str, what: str, why: str, fix: str) -> Finding:
    """Something that works, or cannot be judged from here, and deserves a look."""
    return Finding(Level.WARN, check, what, why, fix)


def fail(check: str, what: str, why: str, fix: str) -> Finding:
    """Something through which alerts are lost, late or never sent."""
    return Finding(Level.FAIL, check, what, why, fix)


_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AuthorizationErrorException",
}


def findings(checks: Mapping[str, Check], stack: Examined) -> Iterator[Finding]:
    """What all checks find; one that is not allowed to look says so, and the others go on."""
    for name, check in checks.items():
        try:
            yield from check(stack)
        except Exception as error:
            if not is_aws_error(error):
                raise
            yield _could_not_look(name, error)


def _could_not_look(name: str, error: Exception) -> Finding:
    operation = getattr(error, "operation_name", "")
    if code_of(error) in _DENIED:
        return warn(
            name,
            f"not looked at: these credentials may not {operation}",
            "what is wrong there is not seen",
            f"ask for the action {operation}, or run the doctor with a role that has it",
        )
    return warn(
        name,
        f"not looked at: {operation or 'AWS'} answers {code_of(error) or error}",
        "what is wrong there is not seen",
        "run the doctor again",
    )


def principals(policy: Mapping[str, Any], action: str) -> Iterator[tuple[str, str]]:
    """Who is allowed an action by a resource's policy: service principals, each with the source that it is held to.

    Args:
        policy: The policy's document.
        action: Such as ``lambda:InvokeFunction``.
    """
    for statement in _many(policy.get("Statement")):
        actions = [str(each).lower() for each in _many(statement.get("Action"))]
        if statement.get("Effect") != "Allow" or not {
            action.lower(),
            action.split(":", maxsplit=1)[0].lower() + ":*",
        } & {*actions}:
            continue
        principal = statement.get("Principal")
        services = _many(principal.get("Service")) if isinstance(principal, Mapping) else [principal]
        condition = statement.get("Condition") or {}
        sources = [
            str(source)
            for test in condition.values()
            for key, value in test.items()
            if key.lower() == "aws:sourcearn"
            for source in _many(value)
        ]
        for service in services:
            for source in sources or [""]:
                yield str(service), source


def covers(pattern: str, arn: str) -> bool:
    """Whether the source that a permission is held to takes in an ARN; an empty one takes in all."""
    expression = "".join(
        ".*" if part == "*" else "." if part == "?" else re.escape(part)
        for part in re.split(r"([*?])", pattern)
    )
    return not pattern or re.fullmatch(expression, arn) is not None


def _many(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
