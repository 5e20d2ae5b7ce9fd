"""The heartbeat: its line written when it is due, and what comes back of it passed on."""

from __future__ import annotations

from typing import Protocol

from tocsin.core.model import Millis
from tocsin.core.signatures.heartbeat import Heartbeat, heartbeat_line, heartbeat_message, is_due


class Log(Protocol):
    """The heartbeat's log group; see ``adapters.aws.heartbeat_log``."""

    def write(self, line: str, now: Millis) -> None:
        """Write one line; returns when CloudWatch Logs has it."""


class Record(Protocol):
    """What is stored of the latest heartbeat; see ``adapters.aws.heartbeat_record``."""

    def detected(self, heartbeat: Heartbeat) -> None:
        """Store that it was detected."""


class Topic(Protocol):
    """The heartbeat's topic; see ``adapters.aws.sns``."""

    def publish(self, message: str) -> None:
        """Publish a message; returns when SNS has it."""


class HeartbeatWriter:
    """Writes the line every so often.

    What it wrote last it knows from its own process: a new one beats at once. That is one line more now and then, and
    needs no memory outside.

    Args:
        log: Where the line goes.
        every: How often.
    """

    def __init__(self, log: Log, every: Millis) -> None:
        self._log, self._every = log, every
        self._last: Millis | None = None

    def write(self, now: Millis) -> bool:
        """Write the line if it is due.

        Returns:
            Whether it was.

        Raises:
            Exception: Whatever the log raises; the next call tries again.
        """
        if not is_due(self._last, now, self._every):
            return False
        self._log.write(heartbeat_line(now), now)
        self._last = now
        return True


class HeartbeatRelay:
    """Takes a heartbeat the way that an alert takes: into the table, then to SNS.

    Args:
        record: Where it is stored.
        topic: Where it is published.
    """

    def __init__(self, record: Record, topic: Topic) -> None:
        self._record, self._topic = record, topic

    def pass_on(self, written_at: Millis, now: Millis) -> None:
        """Store and publish one heartbeat.

        Raises:
            Exception: Whatever AWS raises; delivered again it is stored and published again, which does no harm.
        """
        heartbeat = Heartbeat(written_at, now)
        self._record.detected(heartbeat)
        self._topic.publish(heartbeat_message(heartbeat))
