"""What a line names that a command needs: roles, secrets, keys, buckets, queues, servers; read from the redacted sample.

Only what is written so that it can be nothing else: an ARN, a URL, or the words that a driver puts around a name.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from tocsin.core.lazy_expressions import lazy

_ARN = r"arn:aws[a-z-]*"
_EXPRESSIONS: Final = {
    "role": (
        rf"{_ARN}:sts::\d+:assumed-role/([\w+=,.@-]+)",
        rf"{_ARN}:iam::\d+:role/(?:[\w+=,.@-]+/)*([\w+=,.@-]+)",
    ),
    "secret": (rf"({_ARN}:secretsmanager:[a-z0-9-]+:\d+:secret:[\w/+=.@-]+)",),
    "key": (rf"({_ARN}:kms:[a-z0-9-]+:\d+:key/[\w-]+)",),
    "bucket": (
        rf"{_ARN}:s3:::([a-z0-9][a-z0-9.-]+)",
        r"\bs3://([a-z0-9][a-z0-9.-]+)",
        r"https?://([a-z0-9][a-z0-9.-]+?)\.s3[.-][a-z0-9.-]*amazonaws\.com",
    ),
    "queue": (
        r"https?://[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?/\d{12}/([\w-]+(?:\.fifo)?)",
        rf"{_ARN}:sqs:[a-z0-9-]+:\d+:([\w-]+(?:\.fifo)?)",
    ),
    "server": (
        r"""\bserver at ["']([\w.-]+)["']""",
        r"""(?i)\bserver on ["']([\w.-]+)["']""",
        r"\b(?:postgres(?:ql)?|mysql)(?:\+\w+)?://[^\s/@]*@([\w.-]+)",
    ),
    "user": (r"""\buser ["']([\w.-]+)["']""",),
    "database": (r"""\b[Dd]atabase ["']([\w.-]+)["']""",),
    "host": (r"""\bhost=["']([\w.-]+)["']""", r"https?://(?:[^\s/@?#]*@)?([\w.-]+)"),
    "cluster": (rf"{_ARN}:ecs:[a-z0-9-]+:\d+:(?:cluster|task|service)/([\w-]+)",),
    "task": (rf"{_ARN}:ecs:[a-z0-9-]+:\d+:task/[\w-]+/([0-9a-f]+)",),
}

NAMED: Final = tuple(_EXPRESSIONS)
"""The names of what may be found."""

_ECS_TASK = lazy(r"[0-9a-f]{32}")


@cache
def _compiled() -> dict[str, tuple[Any, ...]]:
    """The expressions in RE2, which takes linear time whatever the line is; made where the first alert is told."""
    import re2

    return {name: tuple(map(re2.compile, expressions)) for name, expressions in _EXPRESSIONS.items()}


def named_in(sample: str, log_stream: str = "") -> dict[str, str]:
    """What a sample names, by kind; and the task whose container writes to a log stream of the ``awslogs`` driver."""
    found: dict[str, str] = {}
    # A log may hold halves of characters, which RE2 refuses.
    sample = sample.encode("utf-8", "replace").decode()
    for name, expressions in _compiled().items():
        values = (match[1] for expression in expressions if (match := expression.search(sample)))
        if value := next(values, ""):
            found[name] = value.rstrip(".,")
    task = log_stream.rpartition("/")[2]
    return ({"task": task} if _ECS_TASK.fullmatch(task) else {}) | found


_FIND_OUT: Final = {
    "function": "one of `aws lambda list-functions --query 'Functions[].FunctionName' --output text`",
    "secret": "named in the environment of what reads it; all are in "
    "`aws secretsmanager list-secrets --include-planned-deletion --query 'SecretList[].Name'`",
    "bucket": "one of `aws s3api list-buckets --query 'Buckets[].Name'`",
    "key": "one of `aws kms list-aliases --query 'Aliases[].[AliasName,TargetKeyId]'`",
    "queue": "one of `aws sqs list-queues`",
    "alarm": "one of `aws cloudwatch describe-alarms --state-value ALARM --query 'MetricAlarms[].AlarmName'`",
    "cluster": "one of `aws ecs list-clusters`",
    "task": "one of `aws ecs list-tasks --cluster CLUSTER --desired-status STOPPED`",
    "server": "the host in the secret or the environment of what connects",
    "user": "as in the secret or the environment of what connects",
    "database": "as in the secret or the environment of what connects",
    "role": "the role of the function or task: `aws lambda get-function-configuration --function-name {function} --query Role`",
    "host": "the address in the settings of what calls it",
}


def how_to_find(names: list[str], function: str) -> str:
    """A sentence for each name that a command needs and the message does not know: where it is found.

    Args:
        names: As templates have them, ``secret``.
        function: The function's name as a command may be given it, or its place, ``FUNCTION``.
    """
    return " ".join(
        f"{name.upper()}: {_FIND_OUT[name].replace('{function}', function)}."
        for name in names
        if name in _FIND_OUT
    )
