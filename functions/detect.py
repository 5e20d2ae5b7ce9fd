"""The Lambda ``detect``: log envelopes and alarm changes in, occurrences counted, new alerts told at once."""

from __future__ import annotations

import time
from typing import Any

from aws_lambda_powertools import Logger

from tocsin.core.event_shapes import UnknownEventError
from tocsin.detecting import Detected
from tocsin.environment import environment, is_dry_run
from tocsin.wiring import DryRun, configuration, wire_detector

logger = Logger(service="tocsin-detect")
environ = environment()
# Refuses to start with configuration that `tocsin check` refuses, in the same words.
config = configuration(environ)
detector = wire_detector(environ, config)


class DetectionFailedError(Exception):
    """Something was not done; raised at the end, so that Lambda delivers the event again and then keeps it."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Detect, report, and raise if anything is left undone.

    Raises:
        DetectionFailedError: An AWS call failed; what was counted already is not counted again.
        UnknownEventError: The event is of no known shape; Lambda's failure destination keeps it.
    """
    now = time.time_ns() // 1_000_000
    if is_dry_run(environ):
        return dry_run(event, now)
    try:
        done = detector.detect(event, now)
    except UnknownEventError as error:
        logger.error("event not understood", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all; a traceback could quote the event
        raise
    report(done)
    if done.failures:
        raise DetectionFailedError("; ".join(map(repr, done.failures))) from done.failures[0]
    return done.summary()


def report(done: Detected) -> None:
    """Say what was done, if it was anything: silence is the normal state and logs nothing."""
    for error in done.parked:
        logger.error("record not understood and kept in the failure queue", extra={"reason": error})
    for failure in done.failures:
        logger.error("not done, will be tried again", extra={"reason": repr(failure)})
    if done.occurrences or done.duplicates or done.ignored:
        from tocsin.adapters.metrics import (  # noqa: PLC0415 - only when there is something to count
            count_notifications,
            count_occurrences,
        )

        logger.info("detected", extra=done.summary())
        count_occurrences(done.occurrences)
        count_notifications(done.sent)


def dry_run(event: dict[str, Any], now: int) -> dict[str, Any]:
    """Say what would be done with this event by a Tocsin that knows of no incident yet."""
    dry = DryRun()
    done = wire_detector(environ, config, dry).detect(event, now)
    return {"dry_run": True, **done.summary(), "notifications": dry.notifications, "would_park": dry.parked}
