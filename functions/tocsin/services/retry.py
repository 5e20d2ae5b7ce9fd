"""What becomes of a notification that was not told: when it is tried again, or that a person has to act first.

What fails for a while is put off with growing delays, or for as long as Slack asks. What a person has to fix goes to
the dead-letter queue, whose alarm reaches people by another channel than Slack; a refused credential only after five
minutes, in which somebody may have corrected the secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tocsin.adapters.slack.errors import (
    CredentialRefusedError,
    PermanentDeliveryError,
    RetryableDeliveryError,
)
from tocsin.core.config.routing import DEFAULT
from tocsin.core.error_place import place_of
from tocsin.core.model import Millis
from tocsin.core.notifications.parsing import NotANotificationError
from tocsin.core.notifications.queue_message import QueueMessage
from tocsin.core.times import MINUTE

PATIENCE: Millis = 5 * MINUTE
"""How long a notification waits for a refused credential to be corrected before it is dead-lettered."""

PATIENT_DELAY: Millis = 20_000
MAX_DELAY: Millis = 15 * MINUTE

MAX_RETRY_AFTER_HONOURED = 20
"""Tries for which a message waits exactly as long as it was asked to. Then its waits grow whatever is asked: a Slack
that says "in half a minute" for an hour must not use up the tries that the queue allows (``maxReceiveCount``)."""


class Failure(Struct, frozen=True):
    """That a message was not told in one destination, or could not be read.

    Attributes:
        text: In words; never log text, never a credential.
        about: For the log.
        wait: How long until it may work; None when it will not.
        level: Of the log line.
        least: How long Slack, or the lease's holder, asked to wait; coming back sooner is of no use.
        pause: How long Slack asked this destination to be left alone altogether.
    """

    text: str
    about: Mapping[str, Any]
    wait: Millis | None
    level: str = "WARNING"
    least: Millis = 0
    pause: Millis = 0


def failure_of(
    error: Exception, message: QueueMessage, destination: str, about: Mapping[str, Any], now: Millis
) -> Failure:
    """What a failure calls for."""
    whose = "" if destination == DEFAULT else f"destination {destination}: "
    match error:
        case RetryableDeliveryError():
            wait, text = wait_for(error.retry_after, message.tries), f"{whose}not sent yet: {error}"
            if error.busy:
                # Mostly for a part of a second; whoever waits too long is overtaken, and told late.
                return Failure(text, about, min(wait, backoff(message.tries) // 2))
            pause = (error.retry_after or wait) if error.limited else 0
            return Failure(text, about, wait, least=error.retry_after or 0, pause=pause)
        case CredentialRefusedError() if now - message.sent_at < PATIENCE:
            level = "ERROR" if message.tries == 1 else "WARNING"
            return Failure(f"{whose}Slack cannot take it: {error}", about, PATIENT_DELAY, level)
        case PermanentDeliveryError():
            return Failure(f"{whose}Slack cannot take it: {error}", about, None, "ERROR")
        case NotANotificationError():
            return Failure(str(error), about, None, "ERROR")
    text = f"{whose}not sent yet: {type(error).__name__} at {place(error)}"
    return Failure(text, about, backoff(message.tries), "ERROR")


def backoff(tries: int) -> Millis:
    """How long to wait after so many tries: 2 s, 4 s, 8 s and so on to 15 minutes."""
    return min(MAX_DELAY, 2_000 << min(20, max(0, tries - 1)))


def wait_for(asked: Millis | None, tries: int) -> Millis:
    """How long to wait where somebody may have said how long: as asked, but longer after very many tries."""
    if not asked:
        return backoff(tries)
    return (
        max(asked, backoff(tries - MAX_RETRY_AFTER_HONOURED)) if tries > MAX_RETRY_AFTER_HONOURED else asked
    )


def place(error: BaseException) -> str:
    """Where an unexpected error arose; not its text, which may quote what it was about."""
    found = place_of(error)
    return f"{found.file.rpartition('/')[2]}:{found.line}" if found else "?"
