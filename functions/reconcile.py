"""The Lambda ``reconcile``: every minute, whatever time alone makes due, and whatever a crash left undone."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from tocsin.adapters.aws.function_log import FunctionLog
from tocsin.adapters.aws.metrics import count_notifications, count_suppressed, gauge_open_incidents
from tocsin.bootstrap import DryRun, configuration, wire_heartbeat_writer, wire_reconciler
from tocsin.environment import LambdaContext, environment, is_dry_run
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconcile_service import Reconciler, Reconciliation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tocsin.services.heartbeat import HeartbeatWriter

environ = environment()
logger = FunctionLog("tocsin-reconcile", environ)
config = configuration(environ)


LEAVE_BY_MS = 15_000
"""No service is begun with less time left: AWS calls that hang are given up after seconds, and tried again."""


@cache
def reconciler() -> Reconciler:
    """The reconciler of this process: kept, so that a warm invocation reuses its connections."""
    return wire_reconciler(environ, config)


@cache
def heartbeat_writer() -> HeartbeatWriter | None:
    """What writes the heartbeat, if it is wanted; kept, because it knows when it wrote the last one."""
    return wire_heartbeat_writer(environ)


class ReconciliationFailedError(Exception):
    """Some service could not be reconciled; the next minute tries again, and the error metric shows it."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle every service with something unfinished; or, asked by ``respond``, the one that somebody pressed about.

    Raises:
        ReconciliationFailedError: One or more could not be reconciled; the others were.
    """
    now = time.time_ns() // 1_000_000
    if is_dry_run(environ):
        return {"dry_run": True, **reconcile(wire_reconciler(environ, config, DryRun()), now).summary()}
    if "pressed" in event:
        return apply_pressed(event["pressed"], now)
    done = reconcile(
        reconciler(), now, may_go_on=lambda: context.get_remaining_time_in_millis() > LEAVE_BY_MS
    )
    if done.services:
        logger.info("reconciled", extra=done.summary())
    stack = environ.get("TOCSIN_STACK", "")
    count_notifications(done.sent, stack)
    count_suppressed(done.suppressed, stack)
    count_what_people_did(done.acted)
    if done.open or (done.open == 0 and done.sent):  # of none only once, when the last one is over
        gauge_open_incidents(done.open, stack)
    write_heartbeat(now)
    if done.failures:
        raise ReconciliationFailedError(
            "; ".join(f"{name}: {error!r}" for name, error in done.failures.items())
        )
    return done.summary()


def apply_pressed(pressed: dict[str, str], now: int) -> dict[str, Any]:
    """Apply what somebody just pressed in Slack, and answer them."""
    from tocsin.adapters.slack.people import answer_person
    from tocsin.services import applying

    api_url = environ.get("TOCSIN_SLACK_API_URL") or "https://slack.com/api/"
    applied = applying.apply_pressed(
        reconciler(), pressed, now, lambda url, text: answer_person(url, text, api_url)
    )
    if applied.note:
        logger.warning(applied.note)
    count_what_people_did([applied.reconciliation])
    count_notifications(
        {"": [reason.value for reason in applied.reconciliation.sent]}, environ.get("TOCSIN_STACK", "")
    )
    return {"acted": len(applied.reconciliation.acted)}


def count_what_people_did(reconciled: Iterable[Reconciliation]) -> None:
    """Count what people did by kind, and how long it took them."""
    stack = environ.get("TOCSIN_STACK", "")
    for done in reconciled:
        if done.acted:
            from tocsin.adapters.aws.metrics import count_action, time_action
            from tocsin.services.applying import performed_in, times_of

            for performed in performed_in(done):
                count_action(performed.kind.value, stack)
            for name, took in times_of(done):
                time_action(name, took, stack)


def write_heartbeat(now: int) -> None:
    """Write the heartbeat if it is due. Failing that fails nothing else: the alarm on its absence tells."""
    try:
        if (writer := heartbeat_writer()) is not None:
            writer.write(now)
    except Exception as error:  # said here; see above
        logger.error("the heartbeat could not be written", extra={"reason": repr(error)})  # noqa: TRY400 - the reason says it all
