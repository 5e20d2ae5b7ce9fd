"""Where unknown errors are kept, and such a store in memory."""

from __future__ import annotations

from typing import Protocol

from tocsin.core.errors.error_history import ErrorRecord
from tocsin.core.model import Millis


class ErrorStore(Protocol):
    """Keeps what is known of unknown errors. The same tests run against each kind."""

    def get(self, service: str, error: str) -> ErrorRecord | None:
        """What is known of an error, as of every ``put`` that has returned; None for nothing."""

    def put(self, record: ErrorRecord) -> bool:
        """Keep a record whose version is one more than that of the stored one, or 1 where there is none.

        Returns:
            Whether it was kept; False where somebody else wrote first.
        """

    def of_service(self, service: str) -> list[ErrorRecord]:
        """All that are kept of a service, in any order. One that cannot be read is left out."""

    def everything(self) -> list[ErrorRecord]:
        """All that are kept, in any order; likewise."""

    def forget(self, service: str, most: int) -> int:
        """Forget the oldest of a service beyond the most that are kept; how many were forgotten."""

    def learning_since(self, now: Millis) -> Millis:
        """When learning began: the time of the first such call."""


class MemoryErrorStore:
    """An ``ErrorStore`` in memory, for dry runs, backtests and tests."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], ErrorRecord] = {}
        self._since: Millis | None = None

    def get(self, service: str, error: str) -> ErrorRecord | None:
        """See ``ErrorStore``."""
        return self._records.get((service, error))

    def put(self, record: ErrorRecord) -> bool:
        """See ``ErrorStore``."""
        before = self._records.get((record.service, record.id))
        if record.version != (before.version if before else 0) + 1:
            return False
        self._records[record.service, record.id] = record
        return True

    def of_service(self, service: str) -> list[ErrorRecord]:
        """See ``ErrorStore``."""
        return [record for record in self._records.values() if record.service == service]

    def everything(self) -> list[ErrorRecord]:
        """See ``ErrorStore``."""
        return list(self._records.values())

    def forget(self, service: str, most: int) -> int:
        """See ``ErrorStore``."""
        gone = sorted(self.of_service(service), key=lambda record: record.last_seen, reverse=True)[most:]
        for record in gone:
            del self._records[service, record.id]
        return len(gone)

    def learning_since(self, now: Millis) -> Millis:
        """See ``ErrorStore``."""
        if self._since is None:
            self._since = now
        return self._since
