"""What can go wrong with one call that leaves the process, and the plan of which call it happens to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """One kind of fault. The words are the columns of the table in ``docs/reliability.md``."""

    ERROR_BEFORE = "error before effect"
    ERROR_AFTER = "error after effect"
    THROTTLED_ONCE = "throttled once"
    THROTTLED = "throttled throughout"
    TIMEOUT = "time-out before effect"
    ANSWER_LOST = "answer lost"
    KILLED_BEFORE = "killed right before"
    KILLED_AFTER = "killed right after"
    REDELIVERED = "event delivered again"
    SAME_EVENT_MEANWHILE = "same event meanwhile"
    RECONCILE_MEANWHILE = "reconcile meanwhile"


MEANING = {
    Fault.ERROR_BEFORE: "every try of the call is answered with HTTP 500, and nothing was done",
    Fault.ERROR_AFTER: "the call takes effect, but is answered with HTTP 500, as are the client's own retries",
    Fault.THROTTLED_ONCE: "one try is refused for its rate (AWS: the client tries again by itself; Slack: 429)",
    Fault.THROTTLED: "AWS: all tries of the client are refused for their rate; Slack: three calls in a row",
    Fault.TIMEOUT: "no try is ever answered, and nothing was done; each costs seconds",
    Fault.ANSWER_LOST: "the call takes effect, its answer never arrives; the AWS client then tries again by itself",
    Fault.KILLED_BEFORE: "the process ends before the call",
    Fault.KILLED_AFTER: "the call takes effect, then the process ends",
    Fault.REDELIVERED: "the whole event comes again, right after and three minutes later, to another process",
    Fault.SAME_EVENT_MEANWHILE: "another process works on the same event between two calls of this one",
    Fault.RECONCILE_MEANWHILE: "reconcile runs between two calls of this process",
}


class KilledError(BaseException):
    """The process ends here; no ``except Exception`` sees it."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call that left the process.

    Attributes:
        function: ``detect``, ``reconcile`` or ``notify``.
        service: ``DynamoDB``, ``SNS``, ``SQS``, ``Secrets Manager`` or ``Slack``.
        operation: Its name.
        about: What tells it from others of that name: the kind of item, or what Slack is to do.
        opens: Whether it is the first call of its invocation.
    """

    function: str
    service: str
    operation: str
    about: str = ""
    opens: bool = False

    @property
    def row(self) -> tuple[str, str]:
        """What stands in the table for it: the function, and the call in words."""
        return self.function, f"{self.service} {self.operation}" + (f" ({self.about})" if self.about else "")


@dataclass(slots=True)
class Plan:
    """Which calls of a run are hit by what; calls are numbered as they are made.

    Attributes:
        faults: By the number of the call.
        calls: The calls made so far.
    """

    faults: dict[int, Fault] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def next(self, call: Call) -> Fault | None:
        """Note one more call; answer what is to happen to it."""
        self.calls.append(call)
        return self.faults.pop(len(self.calls) - 1, None)
