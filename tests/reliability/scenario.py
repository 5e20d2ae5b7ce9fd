"""What happens in the runs: log lines and alarms of two services, and what must have become of them."""

from __future__ import annotations

import base64
import copy
import gzip
import json
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reliability.deployment import ACCOUNT, MINUTE, SECOND, Deployment
from tocsin_cli.sample_events.alarm_events import Alarm, alarm_by_sns

LINES = {
    "import-module-error": (
        "[ERROR] Runtime.ImportModuleError: Unable to import module 'handler': No module named 'mangum'"
    ),
    "s3-bucket-not-accessible": (
        "RuntimeError: S3 bucket 'documents-dev' is not accessible (error: 404). Backend cannot start "
        "without valid S3 storage."
    ),
    "lambda-timeout": (
        "2026-01-08T11:00:00.456Z c9ee96ed-c1dd-46c5-bbed-fd12d512d186 Task timed out after 30.00 seconds"
    ),
    "database-none": 'FATAL: database "None" does not exist',
}
"""A line by the signature that recognises it."""

ORDINARY = "[INFO]\t2026-11-22T07:30:29.470Z\tGET /api/v1/providers/17/licenses 200 in 12 ms"
ALARM = "dlq-depth"
SHORT = {"TOCSIN_GROUP_INTERVAL": "2m", "TOCSIN_RESOLVE_AFTER": "4m"}
"""Intervals for the enumeration: what happens is the same, in fewer rounds of reconcile."""


_REQUEST = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def of_invocation(line: str, number: int) -> str:
    """A line of an invocation of its own: what one invocation says again is one failure."""
    return _REQUEST.sub(str(uuid.UUID(int=number)), line)


@dataclass(slots=True)
class Story:
    """Lets things happen in a deployment and keeps count of them.

    Attributes:
        deployment: Where they happen.
        logged: Occurrences by service and signature.
        events: Every event that ``detect`` was given, by the occurrences that it holds.
    """

    deployment: Deployment
    logged: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: list[tuple[dict[str, Any], Counter[tuple[str, str]]]] = field(default_factory=list)
    _number: int = 0

    def log(self, service: str, counts: dict[str, int], *, after: int = 0) -> dict[str, Any]:
        """Have lines logged: so many of each signature, with an ordinary one between them."""
        at = self.deployment.wire.now + after
        number = self._next()
        names = [name for name, count in counts.items() for _ in range(count)]
        lines = [of_invocation(LINES[name], number * 1000 + place) for place, name in enumerate(names)]
        event = envelope(service, [ORDINARY, *lines], at, number)
        return self._given(event, Counter({(service, name): count for name, count in counts.items()}), after)

    def alarm(self, service: str, state: str, *, after: int = 0) -> dict[str, Any]:
        """Have the alarm on a dead-letter queue change its state, told by SNS."""
        at = self.deployment.wire.now + after
        held = Counter({(service, ALARM): 1} if state == "ALARM" else {})
        return self._given(alarm_event(service, state, at), held, after)

    def _given(self, event: dict[str, Any], held: Counter[tuple[str, str]], after: int) -> dict[str, Any]:
        self.logged += held
        self.events.append((event, held))
        self.deployment.deliver(copy.deepcopy(event), after)
        return event

    def _next(self) -> int:
        self._number += 1
        return self._number

    def play(self) -> None:
        """Two signatures in one batch; more of one; an alarm; more, and something new; the alarm's end; silence.

        Meant for ``SHORT`` intervals.
        """
        self.log("backend", {"import-module-error": 3, "s3-bucket-not-accessible": 2})
        self.log("backend", {"import-module-error": 4}, after=40 * SECOND)
        self.alarm("worker", "ALARM", after=70 * SECOND)
        self.log("backend", {"import-module-error": 5, "lambda-timeout": 1}, after=200 * SECOND)
        self.alarm("worker", "OK", after=230 * SECOND)
        self.until_quiet()

    def complaints(self) -> list[str]:
        """What does not hold beyond what every story is asked; see ``people``."""
        return []

    def until_quiet(self, most: int = 150 * MINUTE) -> None:
        """Let time pass until everything is over and told, or until it should long have been."""
        deployment = self.deployment
        deployment.run_until(deployment.wire.now + most, quiet=self._is_quiet)

    def _is_quiet(self) -> bool:
        deployment = self.deployment
        return deployment.idle and not deployment.waiting() and not _unfinished(deployment)


def _unfinished(deployment: Deployment) -> bool:
    return any("grp" in item and not is_stray_ok(item) for item in deployment.items())


def is_stray_ok(item: dict[str, str]) -> bool:
    """Whether an item is the end of an alarm that nobody saw begin, which is kept for hours in case it comes late."""
    if "occurrence_count" not in item:
        return False
    occurrence_count = json.loads(item["occurrence_count"])
    return occurrence_count["state"] == "resolved" and not occurrence_count["count"]


def envelope(
    service: str, lines: Sequence[str], at: int, number: int = 0, *, log_group: str = ""
) -> dict[str, Any]:
    """The event of a CloudWatch Logs subscription."""
    document = {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": log_group or f"/aws/lambda/{service}",
        "logStream": "2026/11/22/[$LATEST]8f6b1c0d2e3f4a5b9c7d8e9f0a1b2c3d",
        "subscriptionFilters": ["tocsin"],
        "logEvents": [
            {"id": f"{number:08d}{position:048d}", "timestamp": at, "message": line}
            for position, line in enumerate(lines)
        ],
    }
    data = gzip.compress(json.dumps(document).encode(), compresslevel=1, mtime=0)
    return {"awslogs": {"data": base64.b64encode(data).decode()}}


def alarm_event(service: str, state: str, at: int) -> dict[str, Any]:
    """The event of an alarm's change of state, by SNS."""
    alarm = Alarm(
        f"{service}-dlq-depth",
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
        {"QueueName": f"{service}-dlq"},
        0.0,
    )
    return alarm_by_sns(alarm, state, 3.0, at)
