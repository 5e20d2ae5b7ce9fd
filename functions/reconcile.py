"""The Lambda ``reconcile``: every minute, whatever time alone makes due, and whatever a crash left undone."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from tocsin.adapters.aws.metrics import count_notifications, count_suppressed, gauge_open_incidents
from tocsin.bootstrap import DryRun, configuration, wire_heartbeat_writer, wire_reconciler
from tocsin.environment import environment, is_dry_run
from tocsin.services.reconcile_all import reconcile
from tocsin.services.reconciliation import Reconciler

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from tocsin.services.heartbeat import HeartbeatWriter

logger = Logger(service="tocsin-reconcile")
environ = environment()
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


def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Settle every service with something unfinished.

    Raises:
        ReconciliationFailedError: One or more could not be reconciled; the others were.
    """
    now = time.time_ns() // 1_000_000
    if is_dry_run(environ):
        return {"dry_run": True, **reconcile(wire_reconciler(environ, config, DryRun()), now).summary()}
    done = reconcile(
        reconciler(), now, may_go_on=lambda: context.get_remaining_time_in_millis() > LEAVE_BY_MS
    )
    if done.services:
        logger.info("reconciled", extra=done.summary())
    stack = environ.get("TOCSIN_STACK", "")
    count_notifications(done.sent, stack)
    count_suppressed(done.suppressed, stack)
    if done.open or (done.open == 0 and done.sent):  # of none only once, when the last one is over
        gauge_open_incidents(done.open, stack)
    write_heartbeat(now)
    if done.failures:
        raise ReconciliationFailedError(
            "; ".join(f"{name}: {error!r}" for name, error in done.failures.items())
        )
    return done.summary()


def write_heartbeat(now: int) -> None:
    """Write the heartbeat if it is due. Failing that fails nothing else: the alarm on its absence tells."""
    try:
        if (writer := heartbeat_writer()) is not None:
            writer.write(now)
    except Exception as error:  # said here; see above
        logger.error("the heartbeat could not be written", extra={"reason": repr(error)})  # noqa: TRY400 - the reason says it all
