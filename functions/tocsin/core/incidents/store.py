"""The ledger: what an incident store must be able to do, and one that lives in memory.

The counting rules are stated here once; ``tocsin.adapters.aws.incident_table`` keeps them in DynamoDB, ``MemoryLedger``
in a dictionary for dry runs and backtests. The same tests run against both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from tocsin.core.absence.watch import Watch
from tocsin.core.incidents.actions import Action
from tocsin.core.incidents.incident import Incident
from tocsin.core.incidents.silences import Silence
from tocsin.core.incidents.wide import Joined
from tocsin.core.model import Change, Millis, OccurrenceCount

CountKey = tuple[str, str]
"""Fingerprint and envelope: what an occurrence count is counted once by."""


def key_of(counted: OccurrenceCount) -> CountKey:
    """The key an occurrence count is counted once by."""
    return counted.fingerprint, counted.envelope


class Stored(Struct, frozen=True):
    """A service's latest incident as stored, with the version that a save must name."""

    incident: Incident | None
    version: int


def key_of_action(action: Action) -> CountKey:
    """The key an action is applied once by; no fingerprint begins with that sign."""
    return "@action", action.id


class StaleVersionError(Exception):
    """Somebody else saved the incident, or the watch, first; load it again."""


class AlreadyAppliedError(Exception):
    """Some occurrence counts were applied by somebody else; leave them out and try again.

    Attributes:
        keys: Those of the occurrence counts.
    """

    def __init__(self, keys: Sequence[CountKey]) -> None:
        self.keys = tuple(keys)
        super().__init__(f"{len(self.keys)} occurrence counts were applied already")


class SilenceConflictError(Exception):
    """The stored silence of that id is another one, or ends earlier already; it stays as it is."""


class Ledger(Protocol):
    """Where occurrence counts are counted once, and incidents, silences, watches and, for a day, changes are kept."""

    def count(self, counted: OccurrenceCount) -> bool:
        """Record an occurrence count as pending; False when the same one was recorded before. Never conflicts."""

    def load(self, service: str) -> Stored:
        """The service's latest incident, as of every save that has returned."""

    def pending(self, service: str) -> list[OccurrenceCount]:
        """Occurrence counts recorded and not applied; may lag a moment behind ``count`` and behind ``save``."""

    def keep_action(self, action: Action) -> bool:
        """Record an action as pending; False when the same one was recorded before."""

    def pending_actions(self, service: str) -> list[Action]:
        """Actions recorded and not applied; may lag a moment as ``pending`` may. One that cannot be read is left out."""

    def drop_actions(self, actions: Sequence[Action]) -> None:
        """Mark actions as applied to no incident; those that are applied already are passed over."""

    def open_services(self, now: Millis) -> list[str]:
        """Services with pending occurrence counts, or with an incident or a watch that is due, longest due first."""

    def open_incidents(self) -> int:
        """How many incidents are open now: those that time will move, what is in test mode left out."""

    def drop(self, occurrence_counts: Sequence[OccurrenceCount]) -> None:
        """Mark occurrence counts as applied to no incident; those that are applied already are passed over."""

    def save(
        self,
        incident: Incident,
        version: int,
        *,
        applied: Sequence[OccurrenceCount] = (),
        due: Millis | None,
        closed: Incident | None = None,
        acted: Sequence[Action] = (),
    ) -> int:
        """Replace the incident and mark occurrence counts and actions as applied, all or nothing.

        Args:
            incident: What it is now.
            version: The version it was loaded with.
            applied: The occurrence counts that are in it now; with ``acted`` at most ``max_applied`` of them.
            due: When it wants to be looked at again; None for never.
            closed: The incident it replaces, to be kept for the record.
            acted: The actions that are in it now.

        Returns:
            The new version.

        Raises:
            StaleVersionError: The stored version is another.
            AlreadyAppliedError: An occurrence count, or an action, is not pending any more.
        """

    def closed_incident(self, service: str, incident: str) -> Incident | None:
        """An incident of the service that another replaced, as ``save`` was given it; None once it is forgotten."""

    def silences(self) -> tuple[Silence, ...]:
        """The silences that are active, and those that expired lately, in the order they expire.

        As of every ``put_silence`` that has returned. One that cannot be read is left out: what is broken mutes
        nothing.
        """

    def put_silence(self, silence: Silence) -> None:
        """Keep a new silence, or make a kept one end earlier. The same call again changes nothing.

        A silence is never extended: who wants more quiet makes another one, with a reason of its own.

        Raises:
            SilenceConflictError: One of that id is kept and was made at another time, or ends earlier.
        """

    def note_match(self, silence: str, at: Millis) -> None:
        """Note when something that a silence covers was last seen: one that ends by itself goes on from then.

        An earlier time than the one that is noted changes nothing, nor does a silence that is not kept any more.
        """

    def join_wide(self, key: str, incident: str, service: str, now: Millis, within: Millis) -> Joined:
        """Join the incidents of one cause, or begin them; the same incident again changes nothing.

        Args:
            key: The cause's.
            incident: The incident's id.
            service: Its service.
            now: The time.
            within: How long after the first others may join; after that a new one begins.

        Returns:
            Those that it is one of now; it leads where it is the first.
        """

    def wide(self, key: str) -> Joined | None:
        """The incidents of one cause that joined last, as of every ``join_wide`` that has returned."""

    def watch(self, service: str, signature: str) -> Watch | None:
        """The watch over one line, as of every save that has returned; None when there is none."""

    def save_watch(self, watch: Watch, due: Millis | None) -> Watch:
        """Replace a watch, or begin one.

        Args:
            watch: What it is now, with the version it was loaded with.
            due: When it wants to be looked at; None for never.

        Returns:
            The same with its new version.

        Raises:
            StaleVersionError: The stored version is another.
        """

    def due_watches(self, now: Millis) -> list[tuple[str, str]]:
        """The watches that are due, each as its service and its signature's id; may lag a moment."""

    def keep_change(self, change: Change) -> None:
        """Keep a change for a day; the same one again changes nothing."""

    def changes(self, since: Millis) -> list[Change]:
        """The changes since then that are still kept, in any order, as of every ``keep_change`` that has returned.

        Where there are very many, the latest thousands. One that cannot be read is left out.
        """

    max_applied: int
