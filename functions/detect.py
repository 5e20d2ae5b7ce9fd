"""The Lambda ``detect``: log envelopes and alarm changes in, occurrences counted, new alerts told at once."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from tocsin.core.ingest.kinesis import is_stream_batch, unfinished_answer
from tocsin.environment import environment, is_dry_run
from tocsin.lean_imports import import_msgspec
from tocsin.services.screening import no_match_response, open_prefilter

if TYPE_CHECKING:
    # Not at run time: a batch without a match is answered before any of this is needed.
    from tocsin.adapters.aws.function_log import FunctionLog
    from tocsin.adapters.files.configuration import Configuration
    from tocsin.services.detected import Detected
    from tocsin.services.detection import Detector


@cache
def config() -> Configuration:
    """Signatures and settings.

    Raises:
        ConfigurationError: What `tocsin check` refuses, in the same words.
    """
    from tocsin.bootstrap import configuration

    return configuration(environ)


@cache
def detector() -> Detector:
    """Everything that a match needs."""
    from tocsin.bootstrap import wire_detector

    return wire_detector(environ, config(), prefilter=prefilter)


@cache
def logger() -> FunctionLog:
    """Where this function says what it did, if it did anything."""
    from tocsin.adapters.aws.function_log import FunctionLog

    return FunctionLog("tocsin-detect", environ)


environ = environment()
prefilter = None if is_dry_run(environ) else open_prefilter(environ)
if prefilter is None:
    # The environment may have made it wrong: refuse to start with what `tocsin check` refuses.
    config()


class DetectionFailedError(Exception):
    """Something was not done; raised at the end, so that Lambda delivers the event again and then keeps it."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Detect, report, and raise if anything is left undone; of a stream, answer which records are.

    Raises:
        DetectionFailedError: An AWS call failed; what was counted already is not counted again.
        UnknownEventError: The event is of no known shape; Lambda's failure destination keeps it.
    """
    # Once the detector is there it looks for itself, and inflates only once.
    if prefilter is not None and not detector.cache_info().currsize:
        records = prefilter.skips(event)
        if records is not None:
            return unfinished_answer(()) if is_stream_batch(event) else no_match_response(records)
    return detect(event, time.time_ns() // 1_000_000)


def detect(event: dict[str, Any], now: int) -> dict[str, Any]:
    """What `handler` does with an event that must be looked at properly."""
    import_msgspec()
    from tocsin.core.ingest.event_shapes import UnknownEventError

    if is_dry_run(environ):
        return dry_run(event, now)
    try:
        done = detector().detect(event, now)
    except UnknownEventError as error:
        logger().error("event not understood", extra={"reason": str(error)})
        raise
    report(done)
    if is_stream_batch(event):
        return unfinished_answer(done.unfinished)
    if done.failures:
        raise DetectionFailedError("; ".join(map(repr, done.failures))) from done.failures[0]
    return done.summary()


def report(done: Detected) -> None:
    """Say what was done, if it was anything: silence is the normal state and logs nothing."""
    for error in done.dead_lettered:
        logger().error("record not understood and kept in the failure queue", extra={"reason": error})
    for failure in done.failures:
        logger().error("not done, will be tried again", extra={"reason": repr(failure)})
    if done.occurrences or done.duplicates or done.changes or done.ignored:
        from tocsin.adapters.aws.metrics import (
            count_notifications,
            count_occurrences,
            count_redactions,
            time_lines,
        )

        logger().info("detected", extra=done.summary())
        stack = environ.get("TOCSIN_STACK", "")
        count_occurrences(done.occurrences, stack)
        count_notifications(done.sent, stack)
        count_redactions(done.redactions, stack)
        # Of a batch that came again nothing is news, and it is late of itself.
        if done.line_ages and done.occurrences:
            time_lines(*done.line_ages, stack)


def dry_run(event: dict[str, Any], now: int) -> dict[str, Any]:
    """Say what would be done with this event by a Tocsin that knows of no incident yet."""
    from tocsin.bootstrap import DryRun, wire_detector

    dry = DryRun()
    done = wire_detector(environ, config(), dry).detect(event, now)
    return {
        "dry_run": True,
        **done.summary(),
        "notifications": dry.notifications,
        "would_dead_letter": dry.dead_lettered,
    }
