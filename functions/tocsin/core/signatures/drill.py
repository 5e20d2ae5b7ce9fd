"""The fire drill: a line that `tocsin drill` writes to a watched log group, to see that it comes out in Slack.

Unlike the heartbeat it goes the whole way that a failure goes: it is an occurrence, makes an alert and a message, and is
resolved. Its message says that it is a drill, and it calls nobody, whatever the routes say.
"""

from __future__ import annotations

from tocsin.core.model import DRILL, Millis, Severity
from tocsin.core.signatures.signature import Signature, Source, Status

RESOLVE_AFTER: Millis = 30_000
"""Its quiet period; on AWS reconcile's minute comes on top."""

SIGNATURE = Signature(
    id=DRILL,
    file="built in",
    title="Fire drill: nothing is wrong, and this calls nobody",
    severity=Severity.LOW,
    status=Status.STABLE,
    source=Source.LOG,
    summary="Somebody ran `tocsin drill`, which wrote one line to a log group of {service} to try the whole path.",
    first_action="Nothing. It resolves by itself within two minutes.",
    runbook="tocsin-heartbeat-stopped.md",
    any=(r"^tocsin fire drill (?P<written>\d{13}) calls nobody$",),
    resolve_after=RESOLVE_AFTER,
    matches=("tocsin fire drill 1795900000000 calls nobody",),
    ignores=("he ran tocsin fire drill 1795900000000 calls nobody", "ERROR tocsin fire drill"),
)


def drill_line(now: Millis) -> str:
    """The line; the built-in signature matches this and nothing else.

    Args:
        now: The time, which is also what this drill is known by.
    """
    return f"tocsin fire drill {now} calls nobody"
