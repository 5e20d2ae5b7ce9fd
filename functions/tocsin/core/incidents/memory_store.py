"""An incident store that lives in memory, for tests and for the simulation."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from tocsin.core.absence.watch import Watch
from tocsin.core.incidents.actions import Action
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.store import (
    AlreadyAppliedError,
    CountKey,
    SilenceConflictError,
    StaleVersionError,
    Stored,
    key_of,
    key_of_action,
)
from tocsin.core.incidents.wide import MAX_SERVICES, Joined
from tocsin.core.model import TEST_MODE_GROUP, Change, Millis, OccurrenceCount


class MemoryLedger:
    """A ledger in memory, for dry runs, backtests and tests of everything above the table."""

    max_applied = 99

    def __init__(self) -> None:
        self._occurrence_counts: dict[CountKey, OccurrenceCount] = {}
        self._pending: dict[CountKey, OccurrenceCount] = {}
        self._actions: dict[CountKey, Action] = {}
        self._pending_actions: dict[CountKey, Action] = {}
        self._incidents: dict[str, Stored] = {}
        self._due: dict[str, Millis] = {}
        self._silences: dict[str, Silence] = {}
        self._wide: dict[str, Joined] = {}
        self._watches: dict[tuple[str, str], tuple[Watch, Millis | None]] = {}
        self._changes: dict[str, Change] = {}
        self.closed: list[Incident] = []

    def count(self, counted: OccurrenceCount) -> bool:
        """See ``Ledger``."""
        if key_of(counted) in self._occurrence_counts:
            return False
        self._occurrence_counts[key_of(counted)] = self._pending[key_of(counted)] = counted
        return True

    def load(self, service: str) -> Stored:
        """See ``Ledger``."""
        return self._incidents.get(service, Stored(None, 0))

    def pending(self, service: str) -> list[OccurrenceCount]:
        """See ``Ledger``."""
        return [counted for counted in self._pending.values() if counted.service == service]

    def keep_action(self, action: Action) -> bool:
        """See ``Ledger``."""
        if key_of_action(action) in self._actions:
            return False
        self._actions[key_of_action(action)] = self._pending_actions[key_of_action(action)] = action
        return True

    def pending_actions(self, service: str) -> list[Action]:
        """See ``Ledger``."""
        return [action for action in self._pending_actions.values() if action.service == service]

    def drop_actions(self, actions: Iterable[Action]) -> None:
        """See ``Ledger``."""
        for action in actions:
            self._pending_actions.pop(key_of_action(action), None)

    def open_services(self, now: Millis) -> list[str]:
        """See ``Ledger``."""
        due = dict(self._due)
        for counted in self._pending.values():
            due[counted.service] = min(due.get(counted.service, counted.received_at), counted.received_at)
        for action in self._pending_actions.values():
            due[action.service] = min(due.get(action.service, action.at), action.at)
        for watch, at in self._watches.values():
            if at is not None:
                due[watch.service] = min(due.get(watch.service, at), at)
        return sorted((service for service, at in due.items() if at <= now), key=lambda service: due[service])

    def open_incidents(self) -> int:
        """See ``Ledger``."""
        return len(self._due.keys() - {TEST_MODE_GROUP})

    def drop(self, occurrence_counts: Iterable[OccurrenceCount]) -> None:
        """See ``Ledger``."""
        for counted in occurrence_counts:
            self._pending.pop(key_of(counted), None)

    def save(
        self,
        incident: Incident,
        version: int,
        *,
        applied: Iterable[OccurrenceCount] = (),
        due: Millis | None,
        closed: Incident | None = None,
        acted: Iterable[Action] = (),
    ) -> int:
        """See ``Ledger``."""
        keys = [key_of(counted) for counted in applied]
        if self.load(incident.service).version != version:
            raise StaleVersionError
        action_keys = [key_of_action(action) for action in acted]
        gone = [key for key in keys if key not in self._pending]
        if gone := [*gone, *(key for key in action_keys if key not in self._pending_actions)]:
            raise AlreadyAppliedError(gone)
        for key in keys:
            del self._pending[key]
        for key in action_keys:
            del self._pending_actions[key]
        self.closed = [kept for kept in self.closed if kept.id != incident.id]  # it goes on
        if closed is not None:
            self.closed.append(closed)
        self._incidents[incident.service] = Stored(incident, version + 1)
        self._due.pop(incident.service, None)
        if due is not None:
            self._due[incident.service] = due
        return version + 1

    def closed_incident(self, service: str, incident: str) -> Incident | None:
        """See ``Ledger``."""
        return next((kept for kept in self.closed if (kept.service, kept.id) == (service, incident)), None)

    def silences(self) -> tuple[Silence, ...]:
        """See ``Ledger``."""
        return tuple(sorted(self._silences.values(), key=lambda silence: (silence.expires_at, silence.id)))

    def put_silence(self, silence: Silence) -> None:
        """See ``Ledger``."""
        kept = self._silences.get(silence.id)
        if kept is not None and not _may_replace(silence, kept):
            raise SilenceConflictError(silence.id)
        self._silences[silence.id] = silence

    def join_wide(self, key: str, incident: str, service: str, now: Millis, within: Millis) -> Joined:
        """See ``Ledger``."""
        kept = self._wide.get(key)
        if kept is not None and incident in kept.members:
            return kept
        if kept is None or now >= kept.began_at + within or len(kept.members) >= MAX_SERVICES:
            kept = Joined(incident, now, {})
        self._wide[key] = replace(kept, members={**kept.members, incident: service})
        return self._wide[key]

    def wide(self, key: str) -> Joined | None:
        """See ``Ledger``."""
        return self._wide.get(key)

    def note_match(self, silence: str, at: Millis) -> None:
        """See ``Ledger``."""
        kept = self._silences.get(silence)
        if kept is not None and kept.last_matched < at:
            self._silences[silence] = replace(kept, last_matched=at)

    def watch(self, service: str, signature: str) -> Watch | None:
        """See ``Ledger``."""
        kept = self._watches.get((service, signature))
        return kept[0] if kept else None

    def save_watch(self, watch: Watch, due: Millis | None) -> Watch:
        """See ``Ledger``."""
        kept = self._watches.get((watch.service, watch.signature))
        if (kept[0].version if kept else 0) != watch.version:
            raise StaleVersionError
        saved = replace(watch, version=watch.version + 1)
        self._watches[watch.service, watch.signature] = saved, due
        return saved

    def due_watches(self, now: Millis) -> list[tuple[str, str]]:
        """See ``Ledger``."""
        return [key for key, (_, due) in self._watches.items() if due is not None and due <= now]

    def keep_change(self, change: Change) -> None:
        """See ``Ledger``."""
        self._changes[change.id] = change

    def changes(self, since: Millis) -> list[Change]:
        """See ``Ledger``."""
        return [change for change in self._changes.values() if change.at >= since]


def _may_replace(silence: Silence, kept: Silence) -> bool:
    return silence.created_at == kept.created_at and silence.expires_at <= kept.expires_at
