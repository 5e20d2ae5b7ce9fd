"""What people do to an incident from Slack, as values: what was pressed, what came of it, and who has the incident.

An action is written down when it is pressed and applied when the incident is next reconciled, once, like an
occurrence count. What it is pressed on may have moved meanwhile: then it changes nothing, and what came of it says why.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from tocsin.core.incidents.silences import Silence
from tocsin.core.model import Millis
from tocsin.core.times import DAY

KNOWN_FOR: Millis = 30 * DAY
"""How long an error that somebody pressed to be known stays so, from the press."""


class ActionKind(StrEnum):
    """What people can do."""

    TAKE = "take"
    HAND_BACK = "hand-back"
    SILENCE = "silence"
    OVER = "over"
    NOT_AN_ALERT = "not-an-alert"
    KNOWN_ERROR = "known-error"
    REDRIVE = "redrive"


class ActionOutcome(StrEnum):
    """What came of an action."""

    DONE = "done"
    SOMEBODY_ELSE = "somebody-else"
    NOTHING_TO_DO = "nothing-to-do"
    TOO_LATE = "too-late"
    STILL_SEEN = "still-seen"
    REFUSED = "refused"


class Action(Struct, frozen=True):
    """Something a person pressed.

    Attributes:
        id: Unique for each press; the same press delivered again has the same.
        kind: What is to be done.
        service: The service of the incident.
        incident: The incident it was pressed on.
        user: The person's id in Slack.
        name: The person's name, on one line.
        at: When it was pressed, by our own clock.
        silence: For ``silence``, the silence to be made.
        signature: For ``not-an-alert``, the signature that was wrong.
        fingerprint: For ``not-an-alert``, ``known-error`` and ``redrive``, the alert.
        refused: Why it cannot be done, as was found when it was about to be applied; empty for nothing in its way.
        insists: For ``redrive``, whether it is to be done although the cause still fires.
    """

    id: str
    kind: ActionKind
    service: str
    incident: str
    user: str
    name: str
    at: Millis
    silence: Silence | None = None
    signature: str = ""
    fingerprint: str = ""
    refused: str = ""
    insists: bool = False


class PerformedAction(Struct, frozen=True):
    """An action once it was applied, as the incident keeps it for the record.

    Attributes:
        id: The action's.
        kind: What was to be done.
        user: The person's id in Slack.
        name: The person's name.
        at: When it was pressed.
        outcome: What came of it.
        detail: More in words: who has it already, what is silenced until when, which signature was wrong,
            what is known until when, why it was refused.
        fingerprint: The alert that it was pressed on, where that matters.
    """

    id: str
    kind: ActionKind
    user: str
    name: str
    at: Millis
    outcome: ActionOutcome
    detail: str = ""
    fingerprint: str = ""


class Acknowledgement(Struct, frozen=True):
    """Who has an incident.

    Attributes:
        user: The person's id in Slack.
        name: The person's name.
        since: When it was taken.
        until: When reminders and mentions begin again although it still fires.
    """

    user: str
    name: str
    since: Millis
    until: Millis

    def active(self, now: Millis) -> bool:
        """Whether it still holds."""
        return now < self.until


class RedriveState(StrEnum):
    """How far a redrive is."""

    ASKED = "asked"
    STARTING = "starting"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Redrive(Struct, frozen=True):
    """Moving what lies in a dead-letter queue back to the queues it came from, as the incident keeps it.

    Attributes:
        action: The id of the press.
        fingerprint: The alert of the queue.
        queue: The queue's name.
        account: The account that owns it; empty for one's own.
        region: Its Region; empty for one's own.
        user: The id in Slack of who pressed.
        name: Their name.
        asked_at: When it was pressed.
        state: How far it is.
        claimed_at: When a reconciliation last set out to start it.
        before: When the queue's latest move began that was there by then: a later one is this one; 0 for none.
        moved: Messages moved so far, about.
        reported_at: When its progress was last told.
    """

    action: str
    fingerprint: str
    queue: str
    account: str
    region: str
    user: str
    name: str
    asked_at: Millis
    state: RedriveState = RedriveState.ASKED
    claimed_at: Millis = 0
    before: Millis = 0
    moved: int = 0
    reported_at: Millis = 0
